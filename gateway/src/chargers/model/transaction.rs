//! What a charger says about a transaction, whichever messages its dialect has for it.

use super::{CostDetails, Place, Reading, Token, TransactionLimit};
use crate::chargers::time::StationTime;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;
use takst_engine::units::Energy;

/// A transaction began, went on or ended. OCPP 1.6's StartTransaction, StopTransaction and MeterValues with a transaction and
/// 2.x's TransactionEvent are all this. Only `phase` and `at` are always there.
#[skip_serializing_none]
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TransactionReport {
    /// Began, went on, ended.
    pub phase: TransactionPhase,
    /// Which one; none for a 1.6 start (we number it) and for an id that cannot be one (see `reference_sent`).
    pub reference: Option<Reference>,
    /// The id as it was sent: `-1`, `0`, an empty text are nobody's.
    pub reference_sent: Option<String>,
    /// The charger's sequence number (2.x).
    pub seq: Option<i64>,
    /// Why it reports (2.x).
    pub trigger: Option<Trigger>,
    /// When it happened.
    pub at: StationTime,
    /// Where. In 2.x often only in the first report.
    pub place: Place,
    /// Who. In 2.x often only in the first report.
    pub token: Option<Token>,
    /// What the car does (2.x).
    pub charging_state: Option<ChargingState>,
    /// Why it ended.
    pub stop_reason: Option<StopReason>,
    /// It happened while the charger was offline (2.x says so; in 1.6 only the time tells).
    pub offline: bool,
    /// The reservation it uses.
    pub reservation: Option<i64>,
    /// The remote start it answers (2.x).
    pub remote_start: Option<i64>,
    /// Register at the start (1.6 `meterStart`).
    pub meter_start: Option<Energy>,
    /// Register at the end (1.6 `meterStop`).
    pub meter_stop: Option<Energy>,
    /// What was measured.
    pub readings: Vec<Reading>,
    /// Seconds that energy flowed, as the charger counts (2.x).
    pub charging_s: Option<i64>,
    /// Phases in use (2.x).
    pub phases: Option<i64>,
    /// Limit of the cable, in A (2.x).
    pub cable_current: Option<i64>,
    /// The tariff that the charger applies (2.1).
    pub tariff: Option<String>,
    /// The limit that the charger applies (2.1).
    pub limit: Option<TransactionLimit>,
    /// What the charger has worked out itself (2.1).
    pub cost: Option<Box<CostDetails>>,
    /// The car prepares its battery (2.1).
    pub preconditioning: Option<Preconditioning>,
    /// The EVSE sleeps (2.1).
    pub asleep: Option<bool>,
    /// Who decides about the power (2.1).
    pub operation: Option<OperationMode>,
}

/// A transaction's id.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reference {
    /// Given by us (1.6).
    Ours(i64),
    /// Given by the charger (2.x).
    Theirs(String),
}

/// How far a transaction is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransactionPhase {
    /// It began.
    Started,
    /// It goes on.
    Updated,
    /// It ended.
    Ended,
}

words! {
    /// What the car does.
    ChargingState {
        Charging = "Charging",
        EvConnected = "EVConnected",
        SuspendedEv = "SuspendedEV",
        SuspendedEvse = "SuspendedEVSE",
        Idle = "Idle",
    }
    /// Why a transaction ended.
    StopReason {
        DeAuthorized = "DeAuthorized",
        EmergencyStop = "EmergencyStop",
        EnergyLimitReached = "EnergyLimitReached",
        EvDisconnected = "EVDisconnected",
        GroundFault = "GroundFault",
        HardReset = "HardReset",
        ImmediateReset = "ImmediateReset",
        Local = "Local",
        LocalOutOfCredit = "LocalOutOfCredit",
        MasterPass = "MasterPass",
        Unspecified = "Other",
        OvercurrentFault = "OvercurrentFault",
        PowerLoss = "PowerLoss",
        PowerQuality = "PowerQuality",
        Reboot = "Reboot",
        Remote = "Remote",
        RequestedTransferRejected = "ReqEnergyTransferRejected",
        SocLimitReached = "SOCLimitReached",
        SoftReset = "SoftReset",
        StoppedByEv = "StoppedByEV",
        TimeLimitReached = "TimeLimitReached",
        Timeout = "Timeout",
        UnlockCommand = "UnlockCommand",
    }
    /// Why a charger reports on a transaction.
    Trigger {
        AbnormalCondition = "AbnormalCondition",
        Authorized = "Authorized",
        CablePluggedIn = "CablePluggedIn",
        ChargingRateChanged = "ChargingRateChanged",
        ChargingStateChanged = "ChargingStateChanged",
        CostLimitReached = "CostLimitReached",
        Deauthorized = "Deauthorized",
        EnergyLimitReached = "EnergyLimitReached",
        EvCommunicationLost = "EVCommunicationLost",
        EvConnectTimeout = "EVConnectTimeout",
        EvDeparted = "EVDeparted",
        EvDetected = "EVDetected",
        LimitSet = "LimitSet",
        MeterValueClock = "MeterValueClock",
        MeterValuePeriodic = "MeterValuePeriodic",
        OperationModeChanged = "OperationModeChanged",
        RemoteStart = "RemoteStart",
        RemoteStop = "RemoteStop",
        ResetCommand = "ResetCommand",
        RunningCost = "RunningCost",
        SignedDataReceived = "SignedDataReceived",
        SocLimitReached = "SoCLimitReached",
        StopAuthorized = "StopAuthorized",
        TariffChanged = "TariffChanged",
        TariffNotAccepted = "TariffNotAccepted",
        TimeLimitReached = "TimeLimitReached",
        Trigger = "Trigger",
        TxResumed = "TxResumed",
        UnlockCommand = "UnlockCommand",
    }
    /// How far the car's battery is prepared.
    Preconditioning {
        Unknown = "Unknown",
        Ready = "Ready",
        NotReady = "NotReady",
        Preconditioning = "Preconditioning",
    }
    /// Who decides about the power.
    OperationMode {
        Idle = "Idle",
        ChargingOnly = "ChargingOnly",
        CentralSetpoint = "CentralSetpoint",
        ExternalSetpoint = "ExternalSetpoint",
        ExternalLimits = "ExternalLimits",
        CentralFrequency = "CentralFrequency",
        LocalFrequency = "LocalFrequency",
        LocalLoadBalancing = "LocalLoadBalancing",
    }
}

impl TransactionReport {
    /// A report with nothing but its phase and time.
    #[must_use]
    pub const fn new(phase: TransactionPhase, at: StationTime) -> Self {
        Self {
            phase,
            reference: None,
            reference_sent: None,
            seq: None,
            trigger: None,
            at,
            place: Place::UNSAID,
            token: None,
            charging_state: None,
            stop_reason: None,
            offline: false,
            reservation: None,
            remote_start: None,
            meter_start: None,
            meter_stop: None,
            readings: Vec::new(),
            charging_s: None,
            phases: None,
            cable_current: None,
            tariff: None,
            limit: None,
            cost: None,
            preconditioning: None,
            asleep: None,
            operation: None,
        }
    }
}
