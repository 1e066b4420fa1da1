//! What a charger can be told to do.

use super::{
    CertificateHash, CertificateUse, ChargingProfile, DerControl, DerKind, DisplayMessage, EnergyTransfer,
    FinalCost, GetVariable, Json, LogKind, MessageQuery, Monitor, MonitorQuery, MonitoringBase,
    NetworkProfile, OwnCertificate, Place, ProfileFilter, ProfileQuery, RateUnit, Reference, ReportBase,
    ReportQuery, RunningCost, ScheduleUpdate, SetVariable, StreamRate, TariffDocument, Token, TokenInfo,
    UserPrice,
};
use serde::{Deserialize, Serialize};
use takst_engine::units::Instant;

/// A command, in no dialect. What a dialect has no words for is an error that names it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Command {
    /// Restart.
    Reset {
        /// How.
        kind: ResetKind,
        /// Only this EVSE (2.x); whole: the charger.
        place: Place,
    },
    /// Take into or out of service.
    ChangeAvailability {
        /// What.
        place: Place,
        /// Into service.
        operative: bool,
    },
    /// Forget remembered tokens.
    ClearCache,
    /// Let go of the cable.
    Unlock(Place),
    /// Send a message now.
    Trigger {
        /// Which.
        message: TriggeredMessage,
        /// About what; unsaid: all.
        place: Place,
        /// In 1.6: by the security extension's message, even where the core one would do.
        extended: bool,
    },
    /// Start a transaction.
    Start(Box<StartOrder>),
    /// Stop a transaction.
    Stop(Reference),
    /// How is a transaction (2.x)? None: are there unsent messages?
    TransactionStatus(Option<Reference>),
    /// Read configuration keys (1.6); empty: all.
    GetConfiguration(Vec<String>),
    /// Set a configuration key (1.6).
    SetConfiguration {
        /// Its name.
        key: String,
        /// To this.
        value: String,
    },
    /// Read variables (2.x).
    GetVariables(Vec<GetVariable>),
    /// Set variables (2.x).
    SetVariables(Vec<SetVariable>),
    /// Report the device model (2.x).
    GetBaseReport {
        /// Number of the request; the reports carry it.
        request: i64,
        /// How much.
        base: ReportBase,
    },
    /// Report some of the device model (2.x).
    GetReport(ReportQuery),
    /// Store how to reach us (2.x).
    SetNetworkProfile(Box<NetworkProfile>),
    /// The maker's own message.
    Data {
        /// Whose it is.
        vendor: String,
        /// What it is.
        message: Option<String>,
        /// Content: in 1.6 a JSON string, in 2.x any JSON.
        data: Option<Json>,
    },
    /// Number of the local list.
    LocalListVersion,
    /// Replace or change the local list.
    SendLocalList {
        /// The list's number after that.
        version: i64,
        /// Replace it.
        full: bool,
        /// Tokens; without info: to be removed.
        entries: Vec<(Token, Option<TokenInfo>)>,
    },
    /// Reserve.
    Reserve(Box<ReserveOrder>),
    /// Give up a reservation.
    CancelReservation(i64),
    /// Set a charging profile.
    SetChargingProfile {
        /// Where.
        place: Place,
        /// The profile.
        profile: Box<ChargingProfile>,
    },
    /// Remove charging profiles.
    ClearChargingProfile(ProfileFilter),
    /// Report charging profiles (2.x).
    GetChargingProfiles(ProfileQuery),
    /// What follows from all profiles?
    GetCompositeSchedule {
        /// Where.
        place: Place,
        /// For so many seconds.
        duration_s: i64,
        /// Counted in.
        unit: Option<RateUnit>,
    },
    /// Change a dynamic profile (2.1).
    UpdateDynamicSchedule {
        /// Which profile.
        profile: i64,
        /// New values.
        update: Box<ScheduleUpdate>,
    },
    /// Charge at once, ahead of others (2.1).
    UsePriorityCharging {
        /// Which transaction.
        reference: Reference,
        /// On or off.
        activate: bool,
    },
    /// How energy may flow (2.1).
    AllowEnergyTransfer {
        /// Which transaction.
        reference: Reference,
        /// These ways; at least one.
        transfers: Vec<EnergyTransfer>,
    },
    /// Install new firmware.
    UpdateFirmware(Box<FirmwareOrder>),
    /// Fetch firmware for others in the local network (2.x).
    PublishFirmware {
        /// Number of the request; the reports carry it.
        request: i64,
        /// Where it is.
        location: String,
        /// MD5 of it.
        checksum: String,
        /// How often to try.
        retries: Option<i64>,
        /// Seconds between tries.
        retry_interval_s: Option<i64>,
    },
    /// Stop offering firmware to others (2.x).
    UnpublishFirmware {
        /// MD5 of it.
        checksum: String,
    },
    /// Upload a log.
    GetLog(Box<LogOrder>),
    /// Hand over a signed certificate.
    CertificateSigned {
        /// The chain (PEM).
        chain: String,
        /// What for (2.x).
        usage: Option<OwnCertificate>,
        /// The charger's number of the request (2.1).
        request: Option<i64>,
    },
    /// Install a root certificate.
    InstallCertificate {
        /// What for.
        usage: CertificateUse,
        /// The certificate (PEM).
        certificate: String,
    },
    /// Which certificates are there? 1.6 wants exactly one use; 2.x takes none for all.
    GetCertificates(Vec<CertificateUse>),
    /// Remove a certificate.
    DeleteCertificate(CertificateHash),
    /// Show the cost so far.
    RunningCost(Box<RunningCost>),
    /// Show the final cost (1.6).
    FinalCost(Box<FinalCost>),
    /// Show a driver's price (1.6).
    UserPrice(UserPrice),
    /// Use this tariff for drivers without one of their own (2.1).
    SetDefaultTariff {
        /// Where; 0: everywhere.
        evse: i64,
        /// The tariff.
        tariff: Box<TariffDocument>,
    },
    /// Which tariffs are there (2.1)?
    GetTariffs {
        /// Where; 0: everywhere.
        evse: i64,
    },
    /// Remove tariffs (2.1).
    ClearTariffs {
        /// These; empty: all.
        ids: Vec<String>,
        /// Where; none: everywhere.
        evse: Option<i64>,
    },
    /// Use this tariff for a transaction from now on (2.1).
    ChangeTransactionTariff {
        /// Which transaction.
        reference: Reference,
        /// The tariff.
        tariff: Box<TariffDocument>,
    },
    /// Show a message (2.x).
    SetDisplayMessage(Box<DisplayMessage>),
    /// Report messages (2.x).
    GetDisplayMessages(MessageQuery),
    /// Remove a message (2.x).
    ClearDisplayMessage(i64),
    /// Which monitors to have (2.x).
    SetMonitoringBase(MonitoringBase),
    /// Report events up to this severity only (2.x).
    SetMonitoringLevel(i64),
    /// Watch variables (2.x).
    SetMonitors(Vec<Monitor>),
    /// Stop watching (2.x).
    ClearMonitors(Vec<i64>),
    /// Report monitors (2.x).
    GetMonitors(MonitorQuery),
    /// Report or erase what is known of a customer (2.x).
    CustomerInformation(Box<CustomerOrder>),
    /// Which streams are there (2.1)?
    GetStreams,
    /// Change how often a stream sends (2.1).
    AdjustStream {
        /// Which.
        id: i64,
        /// How often.
        rate: StreamRate,
    },
    /// Someone pays on a web page for this EVSE (2.1).
    WebPaymentStarted {
        /// Where.
        evse: i64,
        /// Seconds until it counts as given up.
        timeout_s: i64,
    },
    /// Hand out a battery (2.1).
    SwapBattery {
        /// To whom.
        token: Token,
        /// Number of the request.
        request: i64,
    },
    /// A signal for frequency restoration (2.1).
    FrequencySignal {
        /// As of when.
        at: Instant,
        /// The signal.
        signal: i64,
    },
    /// Set grid support (2.1).
    SetDer(Box<DerControl>),
    /// Report grid support (2.1).
    GetDer {
        /// Number of the request; the reports carry it.
        request: i64,
        /// Only defaults, or only others.
        is_default: Option<bool>,
        /// Only this kind.
        kind: Option<DerKind>,
        /// Only this one.
        id: Option<String>,
    },
    /// Remove grid support (2.1).
    ClearDer {
        /// A default.
        is_default: bool,
        /// Only this kind.
        kind: Option<DerKind>,
        /// Only this one.
        id: Option<String>,
    },
}

/// How a charger is restarted.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResetKind {
    /// End transactions properly, then restart (1.6 Soft, 2.x Immediate).
    Graceful,
    /// Restart the hardware (1.6 Hard, 2.x Immediate).
    Hard,
    /// Restart once nobody charges (2.x OnIdle).
    WhenIdle,
    /// Restart and go on with the transactions (2.1 ImmediateAndResume).
    Resume,
}

/// A message that a charger can be asked for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum TriggeredMessage {
    /// Who it is.
    Boot,
    /// That it is there.
    Heartbeat,
    /// What it measures.
    Meter,
    /// State of connectors.
    Status,
    /// How a firmware update goes.
    Firmware,
    /// How an upload of diagnostics goes (1.6 core; 2.x: as [`Self::Log`]).
    Diagnostics,
    /// How an upload of a log goes.
    Log,
    /// A signing request.
    Sign(OwnCertificate),
    /// A signing request for both certificates (2.x).
    SignCombined,
    /// State of transactions (2.x).
    Transaction,
    /// How publishing of firmware goes (2.x).
    PublishFirmware,
    /// The maker's own (2.1).
    Custom(String),
}

/// Start a transaction.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct StartOrder {
    /// Where; unsaid: the charger chooses.
    pub place: Place,
    /// For whom.
    pub token: Token,
    /// The token's group (2.x).
    pub group: Option<Token>,
    /// Number of the order; the transaction carries it (2.x).
    pub request: i64,
    /// With this profile.
    pub profile: Option<Box<ChargingProfile>>,
}

/// Reserve.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ReserveOrder {
    /// Number of the reservation.
    pub id: i64,
    /// Where; unsaid: the charger chooses.
    pub place: Place,
    /// With this plug (2.x).
    pub plug: Option<String>,
    /// Until when.
    pub until: Instant,
    /// For whom.
    pub token: Token,
    /// The token's group.
    pub group: Option<Token>,
}

/// Install new firmware.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FirmwareOrder {
    /// Number of the request; the reports carry it (not those of 1.6 without signature).
    pub request: i64,
    /// Where it is.
    pub location: String,
    /// When to fetch it.
    pub fetch_at: Instant,
    /// When to install it.
    pub install_at: Option<Instant>,
    /// The maker's certificate (PEM). With it and the signature 1.6 is told by the security extension.
    pub certificate: Option<String>,
    /// Signature of the firmware, base64.
    pub signature: Option<String>,
    /// How often to try.
    pub retries: Option<i64>,
    /// Seconds between tries.
    pub retry_interval_s: Option<i64>,
}

/// Upload a log.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LogOrder {
    /// Which log.
    pub kind: LogKind,
    /// Number of the request; the reports carry it. None: 1.6's GetDiagnostics, which has none.
    pub request: Option<i64>,
    /// Where to put it.
    pub location: String,
    /// From when.
    pub from: Option<Instant>,
    /// Until when.
    pub until: Option<Instant>,
    /// How often to try.
    pub retries: Option<i64>,
    /// Seconds between tries.
    pub retry_interval_s: Option<i64>,
}

/// Report or erase what is known of a customer.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CustomerOrder {
    /// Number of the request; the reports carry it.
    pub request: i64,
    /// Report it.
    pub report: bool,
    /// Erase it.
    pub clear: bool,
    /// Who: by a name.
    pub identifier: Option<String>,
    /// Who: by a token.
    pub token: Option<Token>,
    /// Who: by a contract certificate.
    pub certificate: Option<CertificateHash>,
}
