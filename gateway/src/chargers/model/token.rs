//! What a driver shows.

use super::{Message, TariffDocument};
use serde::{Deserialize, Serialize};
use takst_engine::units::Instant;

/// A token: an RFID card, an app, a contract.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Token {
    /// Its id as the charger wrote it; of any length.
    pub id: String,
    /// What it is; none in OCPP 1.6.
    pub kind: Option<TokenKind>,
    /// More ids of the same token: id and kind.
    pub more: Vec<(String, String)>,
}

words! {
    /// What a token is.
    TokenKind {
        Central = "Central",
        Emaid = "eMAID",
        Iso14443 = "ISO14443",
        Iso15693 = "ISO15693",
        KeyCode = "KeyCode",
        Local = "Local",
        MacAddress = "MacAddress",
        NoAuthorization = "NoAuthorization",
        DirectPayment = "DirectPayment",
        Vin = "VIN",
        Evccid = "EVCCID",
    }
    /// What we know of a token.
    TokenStatus {
        Accepted = "Accepted",
        Blocked = "Blocked",
        ConcurrentTx = "ConcurrentTx",
        Expired = "Expired",
        Invalid = "Invalid",
        NoCredit = "NoCredit",
        NotAllowedTypeEvse = "NotAllowedTypeEVSE",
        NotAtThisLocation = "NotAtThisLocation",
        NotAtThisTime = "NotAtThisTime",
        Unknown = "Unknown",
    }
    /// What we know of a contract certificate.
    CertificateVerdict {
        Accepted = "Accepted",
        SignatureError = "SignatureError",
        CertificateExpired = "CertificateExpired",
        CertificateRevoked = "CertificateRevoked",
        NoCertificateAvailable = "NoCertificateAvailable",
        CertChainError = "CertChainError",
        ContractCancelled = "ContractCancelled",
    }
    /// How energy may flow.
    EnergyTransfer {
        AcSinglePhase = "AC_single_phase",
        AcTwoPhase = "AC_two_phase",
        AcThreePhase = "AC_three_phase",
        Dc = "DC",
        AcBpt = "AC_BPT",
        AcBptDer = "AC_BPT_DER",
        AcDer = "AC_DER",
        DcBpt = "DC_BPT",
        DcAcdp = "DC_ACDP",
        DcAcdpBpt = "DC_ACDP_BPT",
        Wpt = "WPT",
    }
}

impl Token {
    /// A token of OCPP 1.6, or one whose kind does not matter.
    #[must_use]
    pub fn plain(id: impl Into<String>) -> Self {
        Self { id: id.into(), kind: None, more: Vec::new() }
    }

    /// Whether both are the same token: the standards compare ids without regard to letter case.
    #[must_use]
    pub fn same(&self, other: &Self) -> bool {
        self.is(&other.id)
    }

    /// Whether this is the token with that id.
    #[must_use]
    pub fn is(&self, id: &str) -> bool {
        self.key() == fold(id)
    }

    /// The id in the one spelling to look it up by.
    #[must_use]
    pub fn key(&self) -> String {
        fold(&self.id)
    }
}

/// The one spelling of a token's id to look it up by.
#[must_use]
pub fn fold(id: &str) -> String {
    id.trim().to_lowercase()
}

/// What we tell a charger about a token.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TokenInfo {
    /// May it charge.
    pub status: TokenStatus,
    /// Until when the charger may remember this answer.
    pub expires: Option<Instant>,
    /// The group (1.6: parent) it belongs to: tokens of one group may stop each other's sessions.
    pub group: Option<Token>,
    /// -9 to 9.
    pub priority: Option<i64>,
    /// Languages for the display, best first; two at most are sent.
    pub languages: Vec<String>,
    /// The EVSEs where it may charge; empty: all.
    pub evses: Vec<i64>,
    /// A text for the display, such as the price.
    pub message: Option<Message>,
}

impl TokenInfo {
    /// Nothing but a status.
    #[must_use]
    pub const fn of(status: TokenStatus) -> Self {
        Self {
            status,
            expires: None,
            group: None,
            priority: None,
            languages: Vec::new(),
            evses: Vec::new(),
            message: None,
        }
    }
}

/// May this token charge?
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Authorize {
    /// The token; none when the charger left it out.
    pub token: Option<Token>,
    /// The contract certificate (PEM).
    pub certificate: Option<String>,
    /// What to ask the certificate's issuer about.
    pub certificate_hashes: Vec<super::OcspQuery>,
}

/// The answer to [`Authorize`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AuthorizeAnswer {
    /// The token.
    pub token: TokenInfo,
    /// The certificate, when one was given.
    pub certificate: Option<CertificateVerdict>,
    /// How energy may flow (OCPP 2.1); empty: any way.
    pub transfers: Vec<EnergyTransfer>,
    /// The driver's own tariff (OCPP 2.1).
    pub tariff: Option<Box<TariffDocument>>,
}

impl From<TokenInfo> for AuthorizeAnswer {
    fn from(token: TokenInfo) -> Self {
        Self { token, certificate: None, transfers: Vec::new(), tariff: None }
    }
}
