//! Meter values in one form: registers, power, current, voltage, state of charge, signed values; the rest as it came.

use crate::chargers::time::StationTime;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;
use takst_engine::units::Energy;

/// All that was measured at one instant for one reason.
#[skip_serializing_none]
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Reading {
    /// When.
    pub at: StationTime,
    /// Why.
    pub context: Context,
    /// Register of energy to the car; none when this reading has no such value (it is *not* zero then).
    pub import: Option<Energy>,
    /// Register of energy from the car.
    pub export: Option<Energy>,
    /// Energy to the car in the interval that ends here.
    pub import_interval: Option<Energy>,
    /// Energy from the car in the interval that ends here.
    pub export_interval: Option<Energy>,
    /// Power to the car, millionths of a kW.
    pub power: Option<Phased>,
    /// Power from the car, millionths of a kW.
    pub power_export: Option<Phased>,
    /// Power that the charger offers, millionths of a kW.
    pub power_offered: Option<Phased>,
    /// Current to the car, millionths of an ampere.
    pub current: Option<Phased>,
    /// Current from the car, millionths of an ampere.
    pub current_export: Option<Phased>,
    /// Current that the charger offers, millionths of an ampere.
    pub current_offered: Option<Phased>,
    /// Voltage, millionths of a volt. `total` is the unphased value, or the mean of the phases.
    pub voltage: Option<Phased>,
    /// State of charge, millionths of a percent.
    pub soc: Option<i64>,
    /// Signed values, to be kept with the session.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signed: Vec<Signed>,
    /// What has no field here, as it came.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other: Vec<Sample>,
    /// The registers are sums over the phases, because no total was sent.
    pub summed: bool,
}

/// A value and its phases.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Phased {
    /// The value sent without a phase; otherwise the sum of the phases (for voltage: their mean).
    pub total: i64,
    /// Whether `total` was sent without a phase. For a current it is then unknown whether it stands for one phase or for all.
    pub unphased: bool,
    /// L1, L2, L3 (also sent as L1-N, ...).
    #[serde(default, skip_serializing_if = "none")]
    pub phases: [Option<i64>; 3],
}

// Rows of meter values are most of what is stored: what is not there takes no room.
fn none(phases: &[Option<i64>; 3]) -> bool {
    phases.iter().all(Option::is_none)
}

/// A signed meter value, as it came.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Signed {
    /// The signed data.
    pub data: String,
    /// What it is written in: `OCMF`, `EDL`, `DLMS Message`, ...; none when it was not said and cannot be told.
    pub encoding: Option<String>,
    /// How it was signed.
    pub method: Option<String>,
    /// The meter's public key, when it came along.
    pub public_key: Option<String>,
    /// What was measured.
    pub measurand: Measurand,
    /// Why.
    pub context: Context,
}

/// One value as it came.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Sample {
    /// The value's text.
    pub value: String,
    /// What was measured.
    pub measurand: Measurand,
    /// Why.
    pub context: Context,
    /// On which phase.
    pub phase: Option<Phase>,
    /// Where.
    pub location: Option<Location>,
    /// In which unit; none when it was not said.
    pub unit: Option<String>,
    /// Power of ten that the value is to be multiplied with.
    pub multiplier: i64,
    /// The signed value that came along.
    pub signed: Option<Box<Signed>>,
    /// The value is itself a signed one (OCPP 1.6 format `SignedData`).
    pub is_signed: bool,
}

words! {
    /// Why a value was taken.
    Context {
        Periodic = "Sample.Periodic",
        Clock = "Sample.Clock",
        Begin = "Transaction.Begin",
        End = "Transaction.End",
        InterruptionBegin = "Interruption.Begin",
        InterruptionEnd = "Interruption.End",
        Trigger = "Trigger",
        Unspecified = "Other",
    }
    /// Where a value was taken.
    Location {
        Outlet = "Outlet",
        Cable = "Cable",
        Inlet = "Inlet",
        Body = "Body",
        Ev = "EV",
        Upstream = "Upstream",
    }
    /// A phase, or between which a value was taken.
    Phase {
        L1 = "L1",
        L2 = "L2",
        L3 = "L3",
        N = "N",
        L1N = "L1-N",
        L2N = "L2-N",
        L3N = "L3-N",
        L1L2 = "L1-L2",
        L2L3 = "L2-L3",
        L3L1 = "L3-L1",
    }
    /// What was measured.
    Measurand {
        Import = "Energy.Active.Import.Register",
        Export = "Energy.Active.Export.Register",
        ImportInterval = "Energy.Active.Import.Interval",
        ExportInterval = "Energy.Active.Export.Interval",
        Power = "Power.Active.Import",
        PowerExport = "Power.Active.Export",
        PowerOffered = "Power.Offered",
        Current = "Current.Import",
        CurrentExport = "Current.Export",
        CurrentOffered = "Current.Offered",
        Voltage = "Voltage",
        Soc = "SoC",
        ReactiveExportRegister = "Energy.Reactive.Export.Register",
        ReactiveImportRegister = "Energy.Reactive.Import.Register",
        ReactiveExportInterval = "Energy.Reactive.Export.Interval",
        ReactiveImportInterval = "Energy.Reactive.Import.Interval",
        ReactiveNet = "Energy.Reactive.Net",
        ActiveNet = "Energy.Active.Net",
        CableLoss = "Energy.Active.Import.CableLoss",
        LocalGeneration = "Energy.Active.Import.LocalGeneration.Register",
        ActiveSetpointInterval = "Energy.Active.Setpoint.Interval",
        ApparentNet = "Energy.Apparent.Net",
        ApparentImport = "Energy.Apparent.Import",
        ApparentExport = "Energy.Apparent.Export",
        RequestTarget = "EnergyRequest.Target",
        RequestMinimum = "EnergyRequest.Minimum",
        RequestMaximum = "EnergyRequest.Maximum",
        RequestMinimumV2x = "EnergyRequest.Minimum.V2X",
        RequestMaximumV2x = "EnergyRequest.Maximum.V2X",
        RequestBulk = "EnergyRequest.Bulk",
        PowerReactiveExport = "Power.Reactive.Export",
        PowerReactiveImport = "Power.Reactive.Import",
        PowerFactor = "Power.Factor",
        PowerSetpoint = "Power.Active.Setpoint",
        PowerResidual = "Power.Active.Residual",
        PowerExportMinimum = "Power.Export.Minimum",
        PowerExportOffered = "Power.Export.Offered",
        PowerImportOffered = "Power.Import.Offered",
        PowerImportMinimum = "Power.Import.Minimum",
        CurrentExportOffered = "Current.Export.Offered",
        CurrentExportMinimum = "Current.Export.Minimum",
        CurrentImportOffered = "Current.Import.Offered",
        CurrentImportMinimum = "Current.Import.Minimum",
        VoltageMinimum = "Voltage.Minimum",
        VoltageMaximum = "Voltage.Maximum",
        Frequency = "Frequency",
        Temperature = "Temperature",
        Rpm = "RPM",
        DisplayPresentSoc = "Display.PresentSOC",
        DisplayMinimumSoc = "Display.MinimumSOC",
        DisplayTargetSoc = "Display.TargetSOC",
        DisplayMaximumSoc = "Display.MaximumSOC",
        DisplayTimeToMinimumSoc = "Display.RemainingTimeToMinimumSOC",
        DisplayTimeToTargetSoc = "Display.RemainingTimeToTargetSOC",
        DisplayTimeToMaximumSoc = "Display.RemainingTimeToMaximumSOC",
        DisplayChargingComplete = "Display.ChargingComplete",
        DisplayBatteryCapacity = "Display.BatteryEnergyCapacity",
        DisplayInletHot = "Display.InletHot",
    }
}

impl Reading {
    /// A reading without values.
    #[must_use]
    pub const fn empty(at: StationTime, context: Context) -> Self {
        Self {
            at,
            context,
            import: None,
            export: None,
            import_interval: None,
            export_interval: None,
            power: None,
            power_export: None,
            power_offered: None,
            current: None,
            current_export: None,
            current_offered: None,
            voltage: None,
            soc: None,
            signed: Vec::new(),
            other: Vec::new(),
            summed: false,
        }
    }
}
