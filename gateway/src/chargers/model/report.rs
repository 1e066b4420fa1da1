//! What a charger reports.

use super::{
    Answer, Authorize, ChainStatus, ChainStatusQuery, ChainVerdict, DeviceReport, Document, DocumentKind,
    EvCertificateRequest, EventReport, FirmwareReport, Json, LogReport, OcspQuery, Place, Reading,
    SecurityEvent, SigningRequest, Status, TransactionReport,
};
use crate::chargers::time::StationTime;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use takst_engine::units::Instant;

/// A message of a charger, in no dialect.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Report {
    /// It has started, or says who it is.
    Boot(Box<Boot>),
    /// It is there, and asks for the time.
    Heartbeat,
    /// A connector's state.
    Status(ConnectorStatus),
    /// May this token charge?
    Authorize(Authorize),
    /// A transaction began, went on or ended.
    Transaction(Box<TransactionReport>),
    /// Meter values outside a transaction, or of one that is not named.
    Meter(MeterReport),
    /// The car was unplugged after its transaction (1.6 cost messages).
    Unplugged(Unplugged),
    /// How a firmware update goes.
    Firmware(FirmwareReport),
    /// How an upload of a log goes.
    Log(LogReport),
    /// Something about security happened.
    Security(SecurityEvent),
    /// It asks for a signature under its key.
    Sign(SigningRequest),
    /// The maker's own message.
    Data(DataTransfer),
    /// A reservation ended without a transaction.
    Reservation(ReservationReport),
    /// A page of the device model.
    Device(DeviceReport),
    /// What is watched did something.
    Events(EventReport),
    /// A car asks for its contract certificate.
    EvCertificate(EvCertificateRequest),
    /// Is this certificate revoked?
    Ocsp(Option<OcspQuery>),
    /// Are these certificates revoked?
    ChainStatus(Vec<ChainStatusQuery>),
    /// A payment terminal has settled a payment.
    Settlement(Box<Settlement>),
    /// Is this VAT number right?
    VatNumber(VatNumberQuery),
    /// Kept, but not acted on.
    Document(Document),
}

/// Who a charger is. Empty texts are none.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Boot {
    /// Maker.
    pub vendor: Option<String>,
    /// Model.
    pub model: Option<String>,
    /// Serial number.
    pub serial: Option<String>,
    /// Serial number of the box around it (1.6).
    pub box_serial: Option<String>,
    /// Version of its firmware.
    pub firmware: Option<String>,
    /// SIM.
    pub iccid: Option<String>,
    /// Subscriber.
    pub imsi: Option<String>,
    /// Type of its meter (1.6).
    pub meter_type: Option<String>,
    /// Serial number of its meter (1.6).
    pub meter_serial: Option<String>,
    /// Why it started (2.x).
    pub reason: Option<BootReason>,
}

/// A connector's state.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ConnectorStatus {
    /// Which.
    pub place: Place,
    /// Its state.
    pub status: Option<Availability>,
    /// Since when.
    pub at: StationTime,
    /// What is wrong with it (1.6).
    pub fault: Option<Fault>,
}

/// What is wrong with a connector.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Fault {
    /// In the standard's words; none: nothing of them.
    pub code: Option<FaultCode>,
    /// In the maker's words.
    pub vendor_code: Option<String>,
    /// Who the maker is.
    pub vendor: Option<String>,
    /// More about it.
    pub info: Option<String>,
}

/// Meter values outside a transaction, or of one that is not named.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct MeterReport {
    /// Where.
    pub place: Place,
    /// An id that is nobody's (0, -1), as sent.
    pub reference_sent: Option<String>,
    /// What was measured.
    pub readings: Vec<Reading>,
}

/// The car was unplugged after its transaction (1.6 cost messages).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Unplugged {
    /// Which transaction.
    pub reference: Option<super::Reference>,
    /// When.
    pub at: StationTime,
}

/// Vendor of OCPP 1.6's messages about costs.
pub const COST_VENDOR: &str = "org.openchargealliance.costmsg";

/// The maker's own message.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DataTransfer {
    /// Whose it is.
    pub vendor: String,
    /// What it is.
    pub message: Option<String>,
    /// Its content: in 1.6 a JSON string, in 2.x any JSON.
    pub data: Option<Json>,
}

/// A reservation ended without a transaction.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ReservationReport {
    /// Which.
    pub id: Option<i64>,
    /// How.
    pub end: Option<ReservationEnd>,
}

/// A payment terminal has settled a payment (2.1).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Settlement {
    /// For this transaction.
    pub transaction: Option<super::Reference>,
    /// The provider's reference.
    pub psp_reference: String,
    /// What became of it.
    pub status: Option<SettlementStatus>,
    /// Why.
    pub info: Option<String>,
    /// How much.
    pub amount: Option<Decimal>,
    /// When.
    pub at: StationTime,
    /// The terminal's receipt.
    pub receipt_id: Option<String>,
    /// Where the receipt is.
    pub receipt_url: Option<String>,
    /// The payer's company.
    pub company: Option<Address>,
    /// The payer's VAT number.
    pub vat_number: Option<String>,
}

/// A company's address.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Address {
    /// Name.
    pub name: String,
    /// Street.
    pub line1: String,
    /// More of it.
    pub line2: Option<String>,
    /// City.
    pub city: String,
    /// Postal code.
    pub postal_code: Option<String>,
    /// Country.
    pub country: String,
}

/// Is this VAT number right (2.1)?
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct VatNumberQuery {
    /// The number.
    pub number: String,
    /// Where it was asked.
    pub evse: Option<i64>,
}

words! {
    /// A connector's state. `Occupied` (2.x) stands for what 1.6 tells apart as Preparing, Charging, Suspended, Finishing.
    Availability {
        Available = "Available",
        Preparing = "Preparing",
        Charging = "Charging",
        SuspendedEvse = "SuspendedEVSE",
        SuspendedEv = "SuspendedEV",
        Finishing = "Finishing",
        Reserved = "Reserved",
        Unavailable = "Unavailable",
        Faulted = "Faulted",
        Occupied = "Occupied",
    }
    /// What is wrong with a connector.
    FaultCode {
        NoError = "NoError",
        ConnectorLockFailure = "ConnectorLockFailure",
        EvCommunicationError = "EVCommunicationError",
        GroundFailure = "GroundFailure",
        HighTemperature = "HighTemperature",
        InternalError = "InternalError",
        LocalListConflict = "LocalListConflict",
        OtherError = "OtherError",
        OverCurrentFailure = "OverCurrentFailure",
        OverVoltage = "OverVoltage",
        PowerMeterFailure = "PowerMeterFailure",
        PowerSwitchFailure = "PowerSwitchFailure",
        ReaderFailure = "ReaderFailure",
        ResetFailure = "ResetFailure",
        UnderVoltage = "UnderVoltage",
        WeakSignal = "WeakSignal",
    }
    /// Why a charger started.
    BootReason {
        ApplicationReset = "ApplicationReset",
        FirmwareUpdate = "FirmwareUpdate",
        LocalReset = "LocalReset",
        PowerUp = "PowerUp",
        RemoteReset = "RemoteReset",
        ScheduledReset = "ScheduledReset",
        Triggered = "Triggered",
        Unknown = "Unknown",
        Watchdog = "Watchdog",
    }
    /// How a reservation ended.
    ReservationEnd {
        Expired = "Expired",
        Removed = "Removed",
        NoTransaction = "NoTransaction",
    }
    /// What became of a payment.
    SettlementStatus {
        Settled = "Settled",
        Canceled = "Canceled",
        Rejected = "Rejected",
        Failed = "Failed",
    }
}

impl Report {
    /// Whether it tells of something that has already happened with a transaction: it is never refused.
    #[must_use]
    pub const fn is_transaction(&self) -> bool {
        matches!(self, Self::Transaction(_) | Self::Meter(_) | Self::Unplugged(_))
    }

    /// The answer for one who does not act on the report. None where someone has to decide: boot, authorize, transactions.
    #[must_use]
    pub fn default_answer(&self, now: Instant) -> Option<Answer> {
        Some(match self {
            Self::Boot(_) | Self::Authorize(_) | Self::Transaction(_) => return None,
            Self::Heartbeat => Answer::Time(now),
            // The one vendor that we know; what it says that we act on is no longer its data here.
            Self::Data(data) => {
                let known = data.vendor.eq_ignore_ascii_case(COST_VENDOR);
                let status = if known { Status::UnknownMessageId } else { Status::UnknownVendorId };
                Answer::Data { status, info: None, data: None }
            }
            Self::Sign(_) => Answer::Verdict { accepted: false, info: None },
            Self::EvCertificate(_) => {
                Answer::EvCertificate { accepted: false, exi: String::new(), remaining: None, info: None }
            }
            Self::Ocsp(_) => Answer::Ocsp { result: None, info: None },
            Self::ChainStatus(queries) => Answer::ChainStatus(
                queries
                    .iter()
                    .map(|query| ChainStatus {
                        hash: query.hash.clone(),
                        source: query.source.clone(),
                        status: ChainVerdict::Failed,
                        next: now,
                    })
                    .collect(),
            ),
            Self::VatNumber(query) => {
                Answer::VatNumber { query: query.clone(), accepted: false, company: None, info: None }
            }
            Self::Settlement(_) => Answer::Settlement { receipt_url: None, receipt_id: None },
            Self::Document(document) => match document.kind {
                DocumentKind::EvChargingNeeds => Answer::ChargingNeeds(super::NeedsVerdict::NoProfile),
                DocumentKind::EvChargingSchedule | DocumentKind::StreamOpened => {
                    Answer::Verdict { accepted: true, info: None }
                }
                DocumentKind::DynamicSchedule => Answer::DynamicSchedule { update: None },
                _ => Answer::Done,
            },
            _ => Answer::Done,
        })
    }
}
