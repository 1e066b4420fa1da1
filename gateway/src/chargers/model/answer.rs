//! What we answer to a charger's report.

use super::{
    Address, AuthorizeAnswer, ChainStatus, Json, Message, PhaseRates, Status, StatusInfo, TokenInfo,
    TransactionLimit, VatNumberQuery,
};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;
use takst_engine::units::Instant;

/// An answer, in no dialect.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Answer {
    /// Received; there is nothing to say.
    Done,
    /// To a boot.
    Boot {
        /// May it work.
        status: Registration,
        /// The time.
        now: Instant,
        /// Seconds between heartbeats, or until it may ask again.
        interval_s: i64,
        /// Why.
        info: Option<StatusInfo>,
    },
    /// To a heartbeat.
    Time(Instant),
    /// To the question whether a token may charge.
    Authorize(Box<AuthorizeAnswer>),
    /// To a report on a transaction.
    Transaction(Box<TransactionAnswer>),
    /// To a maker's own message.
    Data {
        /// Accepted, Rejected, UnknownMessageId or UnknownVendorId.
        status: Status,
        /// Why (2.x).
        info: Option<StatusInfo>,
        /// Content: in 1.6 a JSON string, in 2.x any JSON.
        data: Option<Json>,
    },
    /// Yes or no: to a signing request, a car's schedule, a stream.
    Verdict {
        /// Yes.
        accepted: bool,
        /// Why.
        info: Option<StatusInfo>,
    },
    /// To a car's charging needs.
    ChargingNeeds(NeedsVerdict),
    /// A contract certificate for a car.
    EvCertificate {
        /// There is one.
        accepted: bool,
        /// The message for the car, base64.
        exi: String,
        /// Contracts that are still to come (2.1).
        remaining: Option<i64>,
        /// Why.
        info: Option<StatusInfo>,
    },
    /// What the issuer of a certificate says.
    Ocsp {
        /// Its answer, base64; none: it could not be asked.
        result: Option<String>,
        /// Why.
        info: Option<StatusInfo>,
    },
    /// States of certificates (2.1).
    ChainStatus(Vec<ChainStatus>),
    /// An update of a dynamic profile (2.1).
    DynamicSchedule {
        /// The update; none: there is none.
        update: Option<Box<ScheduleUpdate>>,
    },
    /// To a settled payment (2.1).
    Settlement {
        /// Where our receipt is.
        receipt_url: Option<String>,
        /// Our receipt.
        receipt_id: Option<String>,
    },
    /// To a VAT number (2.1).
    VatNumber {
        /// What was asked.
        query: VatNumberQuery,
        /// It is right.
        accepted: bool,
        /// Whose it is.
        company: Option<Address>,
        /// Why.
        info: Option<StatusInfo>,
    },
}

kinds! {
    /// May a charger work.
    Registration {
        Accepted = "Accepted",
        Pending = "Pending",
        Rejected = "Rejected",
    }
    /// What we do about a car's charging needs. `NoChargingProfile` is of 2.1; 2.0.1 is told Rejected.
    NeedsVerdict {
        Accepted = "Accepted",
        Rejected = "Rejected",
        Processing = "Processing",
        NoProfile = "NoChargingProfile",
    }
}

/// What a charger is told about a transaction.
#[skip_serializing_none]
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct TransactionAnswer {
    /// Its number (1.6 StartTransaction requires one).
    pub id: Option<i64>,
    /// About the token it came with.
    pub token: Option<TokenInfo>,
    /// The cost so far, or all of it; tax included (2.x).
    pub total_cost: Option<Decimal>,
    /// -9 to 9 (2.x).
    pub priority: Option<i64>,
    /// A new limit (2.1).
    pub limit: Option<TransactionLimit>,
    /// A text for the display (2.x).
    pub message: Option<Message>,
    /// The same in other languages (2.1), at most 4.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub more: Vec<Message>,
}

/// New values of a dynamic profile (2.1).
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct ScheduleUpdate {
    /// The limit.
    pub limit: Option<Decimal>,
    /// Limits of L2 and L3, discharging, set points.
    pub rates: PhaseRates,
}
