//! What a charger answers to a command.

use super::{
    CompositeSchedule, ConfigurationKey, InstalledCertificate, Json, MonitorResult, StatusInfo, StreamRate,
    TariffAssignment, TariffCleared, VariableResult,
};
use serde::{Deserialize, Serialize};

/// An answer to a command.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Outcome {
    /// What became of it. `Accepted` where the message has no status of its own.
    pub status: Status,
    /// Why.
    pub info: Option<StatusInfo>,
    /// What was asked for.
    pub details: Details,
}

/// What was asked for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Details {
    /// Nothing.
    None,
    /// Configuration keys (1.6), and names that the charger does not know.
    Configuration(Vec<ConfigurationKey>, Vec<String>),
    /// Variables (2.x).
    Variables(Vec<VariableResult>),
    /// Number of the local list.
    ListVersion(i64),
    /// The schedule.
    Schedule(Box<CompositeSchedule>),
    /// Installed certificates.
    Certificates(Vec<InstalledCertificate>),
    /// How a transaction is: is it running, are there unsent messages.
    Transaction {
        /// It is running; none when none was asked about.
        ongoing: Option<bool>,
        /// There are unsent messages.
        queued: Option<bool>,
    },
    /// The transaction that was started or found.
    Started(String),
    /// Name of the log's file.
    File(String),
    /// The maker's own answer.
    Data(Json),
    /// Tariffs (2.1).
    Tariffs(Vec<TariffAssignment>),
    /// Removed tariffs (2.1).
    TariffsCleared(Vec<TariffCleared>),
    /// Monitors (2.x).
    Monitors(Vec<MonitorResult>),
    /// Streams: id, monitor, rate (2.1).
    Streams(Vec<(i64, i64, StreamRate)>),
    /// Settings of grid support that this one replaces (2.1).
    Superseded(Vec<String>),
}

words! {
    /// What became of a command.
    Status {
        Accepted = "Accepted",
        AcceptedCanceled = "AcceptedCanceled",
        ConditionNotSupported = "ConditionNotSupported",
        DownloadOngoing = "DownloadOngoing",
        Duplicate = "Duplicate",
        DuplicateTariffId = "DuplicateTariffId",
        EmptyResultSet = "EmptyResultSet",
        Failed = "Failed",
        Faulted = "Faulted",
        Invalid = "Invalid",
        InvalidCertificate = "InvalidCertificate",
        LanguageNotSupported = "LanguageNotSupported",
        NoCurrencyChange = "NoCurrencyChange",
        NoFirmware = "NoFirmware",
        NoProfile = "NoProfile",
        NoProfiles = "NoProfiles",
        NotFound = "NotFound",
        NotImplemented = "NotImplemented",
        NotSupported = "NotSupported",
        NotSupportedAttributeType = "NotSupportedAttributeType",
        NotSupportedMessageFormat = "NotSupportedMessageFormat",
        NotSupportedPriority = "NotSupportedPriority",
        NotSupportedState = "NotSupportedState",
        NoTariff = "NoTariff",
        Occupied = "Occupied",
        OngoingAuthorizedTransaction = "OngoingAuthorizedTransaction",
        RebootRequired = "RebootRequired",
        Rejected = "Rejected",
        RevokedCertificate = "RevokedCertificate",
        Scheduled = "Scheduled",
        TooManyElements = "TooManyElements",
        TxNotFound = "TxNotFound",
        Unavailable = "Unavailable",
        Unknown = "Unknown",
        UnknownComponent = "UnknownComponent",
        UnknownConnector = "UnknownConnector",
        UnknownMessageId = "UnknownMessageId",
        UnknownTransaction = "UnknownTransaction",
        UnknownVariable = "UnknownVariable",
        UnknownVendorId = "UnknownVendorId",
        Unlocked = "Unlocked",
        UnlockFailed = "UnlockFailed",
        Unpublished = "Unpublished",
        UnsupportedMonitorType = "UnsupportedMonitorType",
        VersionMismatch = "VersionMismatch",
    }
}

impl Status {
    /// Whether the charger does, has done or will do it.
    #[must_use]
    pub const fn is_good(&self) -> bool {
        matches!(
            self,
            Self::Accepted
                | Self::AcceptedCanceled
                | Self::Scheduled
                | Self::RebootRequired
                | Self::Unlocked
                | Self::Unpublished
        )
    }
}

impl Outcome {
    /// An answer that is nothing but a status.
    #[must_use]
    pub const fn of(status: Status) -> Self {
        Self { status, info: None, details: Details::None }
    }
}
