//! An authority of one's own: certificates for the server and for chargers (security profiles 2 and 3), and which are revoked.
//!
//! Everything stands in one folder: `ca.pem`, `ca.key`, `revoked.pem`, `issued.json`, `server/`, `chargers/`.

mod folder;
mod request;
mod signer;

pub use request::{Expected, check};
pub use signer::{Signed, Signer};

use crate::tls::REVOKED;
use folder::{Folder, Lock};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertificateSigningRequestParams,
    DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, PublicKeyData, RevocationReason, RevokedCertParams, SerialNumber,
};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::time::Duration;
use takst_engine::units::Instant;
use time::OffsetDateTime;

const CA: &str = "ca.pem";
const CA_KEY: &str = "ca.key";
const ISSUED: &str = "issued.json";
const DAY_S: u64 = 86_400;
/// How long an authority is good for. Renewing one means a visit to every charger.
const CA_DAYS: u32 = 20 * 365;

/// What could not be done, and what to do about it.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PkiError {
    /// The request makes no sense.
    #[error("{0}")]
    Input(String),
    /// A file cannot be read or written.
    #[error("{0}")]
    Io(String),
}

/// An authority.
pub struct Authority {
    folder: Folder,
    certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

/// Whose certificate it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The server's.
    Server,
    /// A charger's.
    Charger,
}

/// A certificate that was issued.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Issued {
    /// Its number, hexadecimal.
    pub serial: String,
    /// Whose it is.
    pub kind: Kind,
    /// The charger's id, or the first name of the server.
    pub name: String,
    /// When it was issued, milliseconds UTC.
    pub issued_ms: i64,
    /// Until when it is good, milliseconds UTC.
    pub until_ms: i64,
    /// When it was revoked, milliseconds UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_ms: Option<i64>,
}

/// A new certificate and where it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Made {
    /// What was issued.
    pub issued: Issued,
    /// The certificate, followed by the authority's; PEM.
    pub chain: String,
    /// Where the chain was put.
    pub certificate: PathBuf,
    /// Where the private key was put; none when it is the charger's own secret.
    pub key: Option<PathBuf>,
}

impl Authority {
    /// Makes an authority in a folder that has none.
    ///
    /// # Errors
    /// When there is one, or the folder cannot be written.
    pub fn init(path: &Path, name: &str, now: Instant) -> Result<Self, PkiError> {
        let folder = Folder::make(path)?;
        let lock = folder.lock()?;
        // A stop between the two writes: nothing was signed with this key yet.
        if folder.has(CA_KEY) && !folder.has(CA) {
            return Err(PkiError::Input(format!(
                "there is a key without a certificate in {}, as after a disk that was full: take {CA_KEY} away and begin again",
                path.display()
            )));
        }
        if folder.has(CA) || folder.has(CA_KEY) {
            return Err(PkiError::Input(format!(
                "there is an authority in {} already; every charger's certificate depends on it, so it is left as it is",
                path.display()
            )));
        }
        let key = new_key()?;
        let mut params = parameters(name, now, CA_DAYS);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages =
            vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
        let certificate =
            params.self_signed(&key).map_err(|error| unable("the authority's certificate", &error))?;
        folder.write(CA_KEY, &key.serialize_pem())?;
        folder.write(CA, &certificate.pem())?;
        drop(lock);
        let authority = Self::open(path)?;
        let lock = authority.folder.lock()?;
        authority.write_issued(&lock, &[], now)?;
        drop(lock);
        Ok(authority)
    }

    /// Opens the authority in a folder.
    ///
    /// # Errors
    /// When there is none, or it cannot be read.
    pub fn open(path: &Path) -> Result<Self, PkiError> {
        let folder = Folder::new(path);
        if !folder.has(CA) {
            return Err(PkiError::Input(format!(
                "there is no authority in {}; make one with `takst pki init --folder {}`",
                path.display(),
                path.display()
            )));
        }
        let certificate = folder.read(CA)?;
        let key = KeyPair::from_pem(&folder.read(CA_KEY)?).map_err(|error| {
            PkiError::Io(format!("{} cannot be read: {error}", folder.path(CA_KEY).display()))
        })?;
        let issuer = Issuer::from_ca_cert_pem(&certificate, key).map_err(|error| {
            PkiError::Io(format!("{} cannot be read: {error}", folder.path(CA).display()))
        })?;
        Ok(Self { folder, certificate, issuer })
    }

    /// The authority's certificate, PEM: what chargers must trust.
    #[must_use]
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// Where the authority's certificate is.
    #[must_use]
    pub fn certificate_path(&self) -> PathBuf {
        self.folder.path(CA)
    }

    /// Issues a certificate for a server that is reached by these names or addresses.
    ///
    /// # Errors
    /// When a name is none, or files cannot be written.
    pub fn server(&self, names: &[String], days: u32, now: Instant) -> Result<Made, PkiError> {
        let Some(first) = names.first() else {
            return Err(PkiError::Input("say by which name or address the server is reached".to_owned()));
        };
        let mut params = parameters(first, now, days);
        let alternatives = CertificateParams::new(names.to_vec())
            .map_err(|error| PkiError::Input(format!("a server has no such name: {error}")))?;
        params.subject_alt_names = alternatives.subject_alt_names;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = new_key()?;
        self.issue(Kind::Server, first, params, &key, Some(&key), now)
    }

    /// Issues a certificate for a charger, with a new key.
    ///
    /// # Errors
    /// When files cannot be written.
    pub fn charger(&self, charger: &str, days: u32, now: Instant) -> Result<Made, PkiError> {
        let key = new_key()?;
        self.issue(Kind::Charger, charger, charger_parameters(charger, now, days)?, &key, Some(&key), now)
    }

    /// Signs the request of a charger, whose key stays its own. Only the key is taken from the request: what it says about names
    /// and uses is not believed, or a charger could ask for the certificate of another.
    ///
    /// # Errors
    /// When the request cannot be read or is not signed by its own key, or files cannot be written.
    pub fn sign(&self, request: &str, charger: &str, days: u32, now: Instant) -> Result<Made, PkiError> {
        // A key that is too short makes the signature one that cannot be checked: that would be the wrong reason.
        request::key(request)
            .map_err(|why| PkiError::Input(format!("the signing request (CSR) cannot be used: {why}")))?;
        let request = CertificateSigningRequestParams::from_pem(request.trim())
            .map_err(|error| PkiError::Input(format!("the signing request (CSR) cannot be used: {error}")))?;
        let params = charger_parameters(charger, now, days)?;
        self.issue(Kind::Charger, charger, params, &request.public_key, None, now)
    }

    /// All certificates that were issued, oldest first.
    ///
    /// # Errors
    /// When the list cannot be read.
    pub fn list(&self) -> Result<Vec<Issued>, PkiError> {
        if !self.folder.has(ISSUED) {
            return Ok(Vec::new());
        }
        let path = self.folder.path(ISSUED);
        serde_json::from_str(&self.folder.read(ISSUED)?)
            .map_err(|error| PkiError::Io(format!("{} cannot be read: {error}", path.display())))
    }

    /// Revokes a certificate by its number, or all of a charger or server by its name. Those that were revoked by this.
    ///
    /// # Errors
    /// When there is no such certificate, or files cannot be written.
    pub fn revoke(&self, which: &str, now: Instant) -> Result<Vec<Issued>, PkiError> {
        let lock = self.folder.lock()?;
        let mut list = self.list()?;
        let is_meant = |issued: &Issued| issued.serial.eq_ignore_ascii_case(which) || issued.name == which;
        if !list.iter().any(is_meant) {
            return Err(PkiError::Input(format!(
                "there is no certificate with the number or name `{which}`; `takst pki list` shows them"
            )));
        }
        let mut revoked = Vec::new();
        for issued in list.iter_mut().filter(|issued| is_meant(issued) && issued.revoked_ms.is_none()) {
            issued.revoked_ms = Some(now.0);
            revoked.push(issued.clone());
        }
        self.write_issued(&lock, &list, now)?;
        Ok(revoked)
    }

    fn issue(
        &self,
        kind: Kind,
        name: &str,
        mut params: CertificateParams,
        subject: &impl PublicKeyData,
        key: Option<&KeyPair>,
        now: Instant,
    ) -> Result<Made, PkiError> {
        let lock = self.folder.lock()?;
        // Never the same twice, and not to be guessed.
        let number = uuid::Uuid::now_v7();
        params.serial_number = Some(SerialNumber::from_slice(number.as_bytes()));
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyAgreement];
        params.use_authority_key_identifier_extension = true;
        let until = params.not_after.unix_timestamp().saturating_mul(1_000);
        let certificate =
            params.signed_by(subject, &self.issuer).map_err(|error| unable("the certificate", &error))?;
        let issued = Issued {
            serial: number.simple().to_string(),
            kind,
            name: name.to_owned(),
            issued_ms: now.0,
            until_ms: until,
            revoked_ms: None,
        };
        let chain = format!("{}{}", certificate.pem(), self.certificate);
        let place = match kind {
            Kind::Server => "server",
            Kind::Charger => "chargers",
        };
        let stem = format!("{place}/{}", folder::file_name(name));
        // On the list before it exists: what is not on the list cannot be revoked.
        let mut list = self.list()?;
        list.push(issued.clone());
        self.write_issued(&lock, &list, now)?;
        let key = match key {
            Some(key) => Some(self.folder.write(&format!("{stem}.key"), &key.serialize_pem())?),
            None => None,
        };
        let certificate = self.folder.write(&format!("{stem}.pem"), &chain)?;
        Ok(Made { issued, chain, certificate, key })
    }

    fn write_issued(&self, _lock: &Lock, list: &[Issued], now: Instant) -> Result<(), PkiError> {
        let text = serde_json::to_string_pretty(list).map_err(|error| PkiError::Io(error.to_string()))?;
        self.folder.write(ISSUED, &text)?;
        let revoked_certs = list
            .iter()
            .filter_map(|issued| {
                let number = uuid::Uuid::parse_str(&issued.serial).ok()?;
                Some(RevokedCertParams {
                    serial_number: SerialNumber::from_slice(number.as_bytes()),
                    revocation_time: date(Instant(issued.revoked_ms?)),
                    reason_code: Some(RevocationReason::Unspecified),
                    invalidity_date: None,
                })
            })
            .collect();
        let revocations = CertificateRevocationListParams {
            this_update: date(now),
            next_update: date(now) + Duration::from_secs(u64::from(CA_DAYS) * DAY_S),
            crl_number: SerialNumber::from(u64::try_from(now.0).unwrap_or_default()),
            issuing_distribution_point: None,
            revoked_certs,
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let revocations = revocations
            .signed_by(&self.issuer)
            .map_err(|error| unable("the list of revoked certificates", &error))?;
        let pem = revocations.pem().map_err(|error| unable("the list of revoked certificates", &error))?;
        self.folder.write(REVOKED, &pem).map(drop)
    }
}

fn new_key() -> Result<KeyPair, PkiError> {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(|error| unable("a key", &error))
}

fn charger_parameters(charger: &str, now: Instant, days: u32) -> Result<CertificateParams, PkiError> {
    // The bound of X.509 for a common name.
    const LONGEST: usize = 64;
    if charger.is_empty() || charger.chars().count() > LONGEST || charger.chars().any(char::is_control) {
        return Err(PkiError::Input(format!(
            "the id of a charger in a certificate has 1 to {LONGEST} characters"
        )));
    }
    let mut params = parameters(charger, now, days);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    Ok(params)
}

fn parameters(name: &str, now: Instant, days: u32) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    // The clocks of chargers are not the best.
    params.not_before = date(now) - Duration::from_secs(DAY_S);
    params.not_after = date(now) + Duration::from_secs(u64::from(days) * DAY_S);
    params
}

fn date(at: Instant) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(at.0.div_euclid(1_000)).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

fn unable(what: &str, error: &rcgen::Error) -> PkiError {
    PkiError::Io(format!("{what} cannot be made: {error}"))
}
