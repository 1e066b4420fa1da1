//! The device model: 1.6's configuration keys, 2.x's components, variables and monitors.

use super::{Json, Place, Reference, Status, StatusInfo};
use crate::chargers::time::StationTime;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

/// A part of a charger.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
pub struct Component {
    /// Its name.
    pub name: String,
    /// Which of several.
    pub instance: Option<String>,
    /// Where.
    pub place: Place,
}

/// Something of a component that can be read, set or watched.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Which of several.
    pub instance: Option<String>,
}

words! {
    /// Which value of a variable.
    Attribute {
        Actual = "Actual",
        Target = "Target",
        MinSet = "MinSet",
        MaxSet = "MaxSet",
    }
    /// Who may change a variable.
    Mutability {
        ReadOnly = "ReadOnly",
        WriteOnly = "WriteOnly",
        ReadWrite = "ReadWrite",
    }
    /// Why an event was sent.
    EventTrigger {
        Alerting = "Alerting",
        Delta = "Delta",
        Periodic = "Periodic",
    }
}

/// One value to read.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct GetVariable {
    /// Of this component.
    pub component: Component,
    /// This variable.
    pub variable: Variable,
    /// Which value; none: the actual one.
    pub attribute: Option<Attribute>,
}

/// One value to set.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SetVariable {
    /// Of this component.
    pub component: Component,
    /// This variable.
    pub variable: Variable,
    /// Which value; none: the actual one.
    pub attribute: Option<Attribute>,
    /// To this.
    pub value: String,
}

/// What became of reading or setting one value.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct VariableResult {
    /// Of this component.
    pub component: Component,
    /// This variable.
    pub variable: Variable,
    /// Which value; none: the actual one.
    pub attribute: Option<Attribute>,
    /// What became of it.
    pub status: Status,
    /// Why.
    pub info: Option<StatusInfo>,
    /// The value, when it was read.
    pub value: Option<String>,
}

/// A configuration key of 1.6.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ConfigurationKey {
    /// Its name.
    pub key: String,
    /// It cannot be set.
    pub readonly: bool,
    /// Its value.
    pub value: Option<String>,
}

/// A page of the device model.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DeviceReport {
    /// Which page of which report.
    pub part: Part,
    /// When it was made.
    pub at: StationTime,
    /// The variables.
    pub variables: Vec<ReportedVariable>,
}

/// A page of a report in several messages.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Part {
    /// Number of the request it answers.
    pub request: Option<i64>,
    /// Which page, from 0.
    pub seq: Option<i64>,
    /// More pages follow.
    pub more: bool,
}

/// A variable as a charger describes it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ReportedVariable {
    /// Of this component.
    pub component: Component,
    /// This variable.
    pub variable: Variable,
    /// Its values.
    pub attributes: Vec<ReportedAttribute>,
    /// What it can be.
    pub characteristics: Option<Characteristics>,
}

/// A value of a variable.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ReportedAttribute {
    /// Which value; none: the actual one.
    pub attribute: Option<Attribute>,
    /// The value.
    pub value: Option<String>,
    /// Who may change it.
    pub mutability: Option<Mutability>,
    /// It survives a restart.
    pub persistent: bool,
    /// It never changes.
    pub constant: bool,
}

/// What a variable can be.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Characteristics {
    /// In which unit.
    pub unit: Option<String>,
    /// `string`, `decimal`, `integer`, `dateTime`, `boolean`, `OptionList`, `SequenceList`, `MemberList`.
    pub data_type: Option<String>,
    /// Not below.
    pub min: Option<Decimal>,
    /// Not above.
    pub max: Option<Decimal>,
    /// At most so many entries.
    pub max_elements: Option<i64>,
    /// One of these, separated by commas.
    pub values: Option<String>,
    /// It can be watched.
    pub monitored: bool,
}

/// A batch of events.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct EventReport {
    /// Which page.
    pub part: Part,
    /// When it was made.
    pub at: StationTime,
    /// The events.
    pub events: Vec<Event>,
}

/// A variable did something that is watched.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Event {
    /// Its number.
    pub id: Option<i64>,
    /// When.
    pub at: StationTime,
    /// Why it was sent.
    pub trigger: Option<EventTrigger>,
    /// The event that caused it.
    pub cause: Option<i64>,
    /// The variable's value.
    pub value: Option<String>,
    /// The maker's code.
    pub tech_code: Option<String>,
    /// The maker's words.
    pub tech_info: Option<String>,
    /// It is over.
    pub cleared: Option<bool>,
    /// During this transaction.
    pub transaction: Option<Reference>,
    /// Of this component.
    pub component: Component,
    /// This variable.
    pub variable: Variable,
    /// The monitor that raised it.
    pub monitor: Option<i64>,
    /// What kind of monitor that is.
    pub notification: Option<String>,
    /// 0 (danger) to 9 (debug).
    pub severity: Option<i64>,
}

kinds! {
    /// Which report.
    ReportBase {
        Configuration = "ConfigurationInventory",
        Full = "FullInventory",
        Summary = "SummaryInventory",
    }
    /// Components with this variable set.
    ComponentCriterion {
        Active = "Active",
        Available = "Available",
        Enabled = "Enabled",
        Problem = "Problem",
    }
    /// Which monitors to report.
    MonitoringCriterion {
        Threshold = "ThresholdMonitoring",
        Delta = "DeltaMonitoring",
        Periodic = "PeriodicMonitoring",
    }
    /// Which monitors to have.
    MonitoringBase {
        All = "All",
        FactoryDefault = "FactoryDefault",
        HardWiredOnly = "HardWiredOnly",
    }
    /// How a variable is watched; the last two are of 2.1.
    MonitorKind {
        UpperThreshold = "UpperThreshold",
        LowerThreshold = "LowerThreshold",
        Delta = "Delta",
        Periodic = "Periodic",
        PeriodicClockAligned = "PeriodicClockAligned",
        TargetDelta = "TargetDelta",
        TargetDeltaRelative = "TargetDeltaRelative",
    }
}

/// Which variables to report.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct ReportQuery {
    /// Number of the request; the reports carry it.
    pub request: i64,
    /// Of these components, or these variables of them; empty: all.
    pub variables: Vec<(Component, Option<Variable>)>,
    /// Of components like this.
    pub components: Vec<ComponentCriterion>,
}

/// Which monitors to report.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct MonitorQuery {
    /// Number of the request; the reports carry it.
    pub request: i64,
    /// Of these components, or these variables of them; empty: all.
    pub variables: Vec<(Component, Option<Variable>)>,
    /// Of these kinds; empty: all.
    pub criteria: Vec<MonitoringCriterion>,
}

/// A monitor to set.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Monitor {
    /// The one to replace.
    pub id: Option<i64>,
    /// As a stream: seconds between messages and values in one (2.1).
    pub stream: Option<StreamRate>,
    /// Only during transactions.
    pub transaction: Option<bool>,
    /// Threshold, step or seconds.
    pub value: Decimal,
    /// How.
    pub kind: MonitorKind,
    /// 0 (danger) to 9 (debug).
    pub severity: i64,
    /// Of this component.
    pub component: Component,
    /// This variable.
    pub variable: Variable,
}

/// How often a stream sends (2.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct StreamRate {
    /// Seconds between messages.
    pub interval_s: Option<i64>,
    /// Values in one message.
    pub values: Option<i64>,
}

/// What became of a monitor.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct MonitorResult {
    /// Its id.
    pub id: Option<i64>,
    /// What became of it.
    pub status: Status,
    /// Why.
    pub info: Option<StatusInfo>,
    /// Of this component; none when it was removed.
    pub component: Option<Component>,
    /// This variable.
    pub variable: Option<Variable>,
}

/// How to reach us: what a charger stores in one of its slots.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct NetworkProfile {
    /// Which slot.
    pub slot: i64,
    /// Through which interface.
    pub interface: NetworkInterface,
    /// The version to speak; OCPP 2.0.1 knows `OCPP20` for itself.
    pub version: OcppVersion,
    /// The address to connect to.
    pub url: String,
    /// Seconds to wait for an answer.
    pub timeout_s: i64,
    /// 0 to 3.
    pub security_profile: i64,
    /// The charger's identity there (2.1).
    pub identity: Option<String>,
    /// The password for Basic (2.1).
    pub password: Option<String>,
    /// Mobile network.
    pub apn: Option<Apn>,
    /// Virtual private network.
    pub vpn: Option<Vpn>,
}

kinds! {
    /// A network interface; `Any` is of 2.1.
    NetworkInterface {
        Wired0 = "Wired0",
        Wired1 = "Wired1",
        Wired2 = "Wired2",
        Wired3 = "Wired3",
        Wireless0 = "Wireless0",
        Wireless1 = "Wireless1",
        Wireless2 = "Wireless2",
        Wireless3 = "Wireless3",
        Any = "Any",
    }
    /// A version of OCPP; the last two are words of 2.1.
    OcppVersion {
        V12 = "OCPP12",
        V15 = "OCPP15",
        V16 = "OCPP16",
        V20 = "OCPP20",
        V201 = "OCPP201",
        V21 = "OCPP21",
    }
    /// How a mobile network is entered.
    ApnAuthentication {
        Pap = "PAP",
        Chap = "CHAP",
        None = "NONE",
        Auto = "AUTO",
    }
    /// What kind of virtual private network.
    VpnKind {
        IkeV2 = "IKEv2",
        IpSec = "IPSec",
        L2tp = "L2TP",
        Pptp = "PPTP",
    }
}

/// A mobile network.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Apn {
    /// Its address.
    pub address: String,
    /// User.
    pub user: Option<String>,
    /// Password.
    pub password: Option<String>,
    /// PIN of the SIM.
    pub sim_pin: Option<i64>,
    /// Preferred network, 6 digits.
    pub preferred: Option<String>,
    /// No other.
    pub only_preferred: Option<bool>,
    /// How it is entered.
    pub authentication: ApnAuthentication,
}

/// A virtual private network.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Vpn {
    /// Server.
    pub server: String,
    /// User.
    pub user: String,
    /// Group.
    pub group: Option<String>,
    /// Password.
    pub password: String,
    /// Shared key.
    pub key: String,
    /// What kind it is.
    pub kind: VpnKind,
}

/// A message that is kept but not acted on.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Document {
    /// What it is.
    pub kind: DocumentKind,
    /// Where, when it says so.
    pub evse: Option<i64>,
    /// Which transaction, when it says so.
    pub transaction: Option<Reference>,
    /// Which page of which report.
    pub part: Part,
    /// The payload.
    pub json: Json,
}

words! {
    /// Messages that are kept but not acted on.
    DocumentKind {
        ChargingLimit = "NotifyChargingLimit",
        ChargingLimitCleared = "ClearedChargingLimit",
        CustomerInformation = "NotifyCustomerInformation",
        DisplayMessages = "NotifyDisplayMessages",
        EvChargingNeeds = "NotifyEVChargingNeeds",
        EvChargingSchedule = "NotifyEVChargingSchedule",
        MonitoringReport = "NotifyMonitoringReport",
        ChargingProfiles = "ReportChargingProfiles",
        BatterySwap = "BatterySwap",
        StreamOpened = "OpenPeriodicEventStream",
        StreamClosed = "ClosePeriodicEventStream",
        Stream = "NotifyPeriodicEventStream",
        DerAlarm = "NotifyDERAlarm",
        DerStartStop = "NotifyDERStartStop",
        DerControls = "ReportDERControl",
        PriorityCharging = "NotifyPriorityCharging",
        DynamicSchedule = "PullDynamicScheduleUpdate",
    }
}
