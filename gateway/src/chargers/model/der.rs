//! Grid support by cars and batteries (2.1): what a charger can be told about it.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use takst_engine::units::Instant;

/// A setting for grid support.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DerControl {
    /// It is a default.
    pub is_default: bool,
    /// Its id.
    pub id: String,
    /// What it controls.
    pub kind: DerKind,
    /// How.
    pub setting: DerSetting,
}

/// How grid support is done.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum DerSetting {
    /// Along a curve.
    Curve(DerCurve),
    /// When to go on the grid.
    EnterService(EnterService),
    /// Fixed power factor while taking energy.
    FixedPfAbsorb(FixedPf),
    /// Fixed power factor while giving energy.
    FixedPfInject(FixedPf),
    /// Fixed reactive power.
    FixedVar(FixedVar),
    /// Power by frequency.
    FreqDroop(FreqDroop),
    /// How fast power may change.
    Gradient(Gradient),
    /// Limit of discharging.
    LimitMaxDischarge(LimitMaxDischarge),
}

/// When a setting holds.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct DerWhen {
    /// From then on.
    pub start: Option<Instant>,
    /// For so many seconds.
    pub duration_s: Option<Decimal>,
}

/// A curve.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DerCurve {
    /// Its points, at most 10.
    pub points: Vec<(Decimal, Decimal)>,
    /// High, low, delay, gradient.
    pub hysteresis: Option<[Option<Decimal>; 4]>,
    /// 0 is highest.
    pub priority: i64,
    /// Reference voltage, autonomous adjustment of it, and its time constant.
    pub reactive: Option<(Option<Decimal>, Option<bool>, Option<Decimal>)>,
    /// Ten-minute mean of the voltage, delay before the trip, and what flows meanwhile.
    pub voltage: Option<(Option<Decimal>, Option<Decimal>, Option<Cessation>)>,
    /// What the second values are counted in.
    pub unit: DerUnit,
    /// Seconds to respond.
    pub response_s: Option<Decimal>,
    /// When it holds.
    pub when: DerWhen,
}

/// When to go on the grid.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct EnterService {
    /// 0 is highest.
    pub priority: i64,
    /// Highest and lowest voltage.
    pub voltage: (Decimal, Decimal),
    /// Highest and lowest frequency.
    pub frequency: (Decimal, Decimal),
    /// Seconds to wait.
    pub delay_s: Option<Decimal>,
    /// Seconds to wait by chance.
    pub random_delay_s: Option<Decimal>,
    /// Seconds to full power.
    pub ramp_s: Option<Decimal>,
}

/// A fixed power factor.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FixedPf {
    /// 0 is highest.
    pub priority: i64,
    /// Cosine of the displacement.
    pub displacement: Decimal,
    /// Over-excited.
    pub excitation: bool,
    /// When it holds.
    pub when: DerWhen,
}

/// Fixed reactive power.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FixedVar {
    /// 0 is highest.
    pub priority: i64,
    /// How much.
    pub setpoint: Decimal,
    /// Of what.
    pub unit: DerUnit,
    /// When it holds.
    pub when: DerWhen,
}

/// Power by frequency.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FreqDroop {
    /// 0 is highest.
    pub priority: i64,
    /// Frequencies from which on it works: above, below.
    pub frequency: (Decimal, Decimal),
    /// Slopes: above, below.
    pub droop: (Decimal, Decimal),
    /// Seconds to respond.
    pub response_s: Decimal,
    /// When it holds.
    pub when: DerWhen,
}

/// How fast power may change, in percent per second.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Gradient {
    /// 0 is highest.
    pub priority: i64,
    /// Normally.
    pub gradient: Decimal,
    /// Softly.
    pub soft: Decimal,
}

/// Limit of discharging.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct LimitMaxDischarge {
    /// 0 is highest.
    pub priority: i64,
    /// Percent of the highest power.
    pub percent: Option<Decimal>,
    /// When to trip.
    pub must_trip: Option<DerCurve>,
    /// When it holds.
    pub when: DerWhen,
}

kinds! {
    /// What grid support controls.
    DerKind {
        EnterService = "EnterService",
        FreqDroop = "FreqDroop",
        FreqWatt = "FreqWatt",
        FixedPfAbsorb = "FixedPFAbsorb",
        FixedPfInject = "FixedPFInject",
        FixedVar = "FixedVar",
        Gradients = "Gradients",
        HfMustTrip = "HFMustTrip",
        HfMayTrip = "HFMayTrip",
        HvMustTrip = "HVMustTrip",
        HvMomCess = "HVMomCess",
        HvMayTrip = "HVMayTrip",
        LimitMaxDischarge = "LimitMaxDischarge",
        LfMustTrip = "LFMustTrip",
        LvMustTrip = "LVMustTrip",
        LvMomCess = "LVMomCess",
        LvMayTrip = "LVMayTrip",
        PowerMonitoringMustTrip = "PowerMonitoringMustTrip",
        VoltVar = "VoltVar",
        VoltWatt = "VoltWatt",
        WattPf = "WattPF",
        WattVar = "WattVar",
    }
    /// What a value of grid support is counted in.
    DerUnit {
        NotApplicable = "Not_Applicable",
        PctMaxW = "PctMaxW",
        PctMaxVar = "PctMaxVar",
        PctWAvail = "PctWAvail",
        PctVarAvail = "PctVarAvail",
        PctEffectiveV = "PctEffectiveV",
    }
    /// What flows while voltage is out of bounds.
    Cessation {
        Active = "Active",
        Reactive = "Reactive",
    }
}
