//! Smart charging: how much a charger may take and give, and when.

use super::{Json, OperationMode, Reference};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use takst_engine::units::Instant;

/// A charging profile.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ChargingProfile {
    /// Its id.
    pub id: i64,
    /// Of two with one purpose the higher counts.
    pub stack_level: i64,
    /// What it limits.
    pub purpose: ProfilePurpose,
    /// How its times are meant.
    pub kind: ProfileKind,
    /// How often it comes back.
    pub recurrency: Option<Recurrency>,
    /// From when it holds.
    pub valid_from: Option<Instant>,
    /// Until when it holds.
    pub valid_to: Option<Instant>,
    /// The transaction it is for.
    pub transaction: Option<Reference>,
    /// Seconds offline after which it no longer holds (2.1).
    pub max_offline_s: Option<i64>,
    /// One; 2.x takes up to three, in ISO 15118 alternatives.
    pub schedules: Vec<ChargingSchedule>,
    /// It is void after `max_offline_s` for good (2.1).
    pub void_after_offline: Option<bool>,
    /// Seconds between updates of a dynamic profile (2.1).
    pub update_interval_s: Option<i64>,
    /// When a dynamic profile was last updated (2.1).
    pub updated: Option<Instant>,
    /// Signature of the price schedule (2.1).
    pub price_signature: Option<String>,
}

/// Limits over time.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ChargingSchedule {
    /// Its id (2.x).
    pub id: i64,
    /// A lower limit once a state of charge is reached: percent and limit (2.1).
    pub limit_at_soc: Option<(i64, Decimal)>,
    /// When it starts; none for a relative profile.
    pub start: Option<Instant>,
    /// How many seconds it lasts.
    pub duration_s: Option<i64>,
    /// What the limits are counted in.
    pub unit: RateUnit,
    /// Below this charging is inefficient.
    pub min_rate: Option<Decimal>,
    /// How much the power may differ (2.1).
    pub power_tolerance: Option<Decimal>,
    /// Ids of a signature (2.1).
    pub signature: Option<i64>,
    /// Digest of the signed schedule (2.1).
    pub digest: Option<String>,
    /// Times are local (2.1).
    pub local_time: Option<bool>,
    /// The limits, in order.
    pub periods: Vec<SchedulePeriod>,
    /// Seconds to delay the start by chance (2.1).
    pub random_delay_s: Option<i64>,
    /// ISO 15118-2 sales tariff: a document of the dialect's schema.
    pub sales_tariff: Option<Json>,
    /// ISO 15118-20 prices: a document of the dialect's schema (2.1).
    pub absolute_prices: Option<Json>,
    /// ISO 15118-20 price levels: a document of the dialect's schema (2.1).
    pub price_levels: Option<Json>,
}

/// Limits from a second on.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct SchedulePeriod {
    /// Seconds after the schedule's start.
    pub start_s: i64,
    /// The limit; required before 2.1.
    pub limit: Option<Decimal>,
    /// Phases to use.
    pub phases: Option<i64>,
    /// Which phase, when it is one.
    pub phase_to_use: Option<i64>,
    /// What only 2.1 can say.
    pub dynamic: Option<Box<DynamicPeriod>>,
}

/// What a period of 2.1 can say beside its limit.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct DynamicPeriod {
    /// Limits of L2 and L3 when they differ, discharging, set points.
    pub rates: PhaseRates,
    /// Prepare the battery.
    pub preconditioning: Option<bool>,
    /// The EVSE may sleep.
    pub asleep: Option<bool>,
    /// Where the signals of `signal_curve` are added to.
    pub baseline: Option<Decimal>,
    /// Who decides about the power.
    pub operation: Option<OperationMode>,
    /// Frequency and power.
    pub frequency_curve: Vec<(Decimal, Decimal)>,
    /// Signal and power.
    pub signal_curve: Vec<(i64, Decimal)>,
}

/// Limits and set points by phase; the first of three is for all phases, or for L1.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct PhaseRates {
    /// Limits of L2 and L3.
    pub limits: [Option<Decimal>; 2],
    /// Limits of discharging, not above zero.
    pub discharge: [Option<Decimal>; 3],
    /// Set points.
    pub setpoints: [Option<Decimal>; 3],
    /// Set points of reactive power.
    pub reactive: [Option<Decimal>; 3],
}

kinds! {
    /// What a profile limits.
    ProfilePurpose {
        ExternalConstraints = "ChargingStationExternalConstraints",
        ChargerMax = "ChargingStationMaxProfile",
        TxDefault = "TxDefaultProfile",
        Tx = "TxProfile",
        Priority = "PriorityCharging",
        LocalGeneration = "LocalGeneration",
    }
    /// How a profile's times are meant.
    ProfileKind {
        Absolute = "Absolute",
        Recurring = "Recurring",
        Relative = "Relative",
        Dynamic = "Dynamic",
    }
    /// How often a profile comes back.
    Recurrency {
        Daily = "Daily",
        Weekly = "Weekly",
    }
    /// What limits are counted in.
    RateUnit {
        Watt = "W",
        Ampere = "A",
    }
}

/// Which profiles to remove.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct ProfileFilter {
    /// The one with this id.
    pub id: Option<i64>,
    /// Of this EVSE.
    pub evse: Option<i64>,
    /// Of this purpose.
    pub purpose: Option<ProfilePurpose>,
    /// Of this level.
    pub stack_level: Option<i64>,
}

/// Which profiles to report (2.x).
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct ProfileQuery {
    /// Number of the request; the reports carry it.
    pub request: i64,
    /// Of this EVSE.
    pub evse: Option<i64>,
    /// Of this purpose.
    pub purpose: Option<ProfilePurpose>,
    /// Of this level.
    pub stack_level: Option<i64>,
    /// With these ids.
    pub ids: Vec<i64>,
    /// From these sources (`EMS`, `CSO`, `SO`, `Other`, ...); at most 4.
    pub sources: Vec<String>,
}

/// What a charger works out from all its profiles.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CompositeSchedule {
    /// Where.
    pub evse: Option<i64>,
    /// When it starts.
    pub start: Option<Instant>,
    /// How many seconds it lasts.
    pub duration_s: Option<i64>,
    /// What the limits are counted in: `A` or `W`.
    pub unit: Option<String>,
    /// Below this charging is inefficient.
    pub min_rate: Option<Decimal>,
    /// The limits, in order.
    pub periods: Vec<SchedulePeriod>,
}
