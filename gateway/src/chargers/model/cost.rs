//! Costs on their way to and from a charger.

use super::{Message, Reference};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use takst_engine::units::{Energy, Instant};

/// What a transaction may not exceed (2.1).
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct TransactionLimit {
    /// In the tariff's currency, tax included.
    pub cost: Option<Decimal>,
    /// In Wh.
    pub energy_wh: Option<Decimal>,
    /// In seconds.
    pub time_s: Option<i64>,
    /// In percent.
    pub soc: Option<i64>,
}

/// What a charger has worked out itself (2.1).
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct CostDetails {
    /// ISO 4217 code.
    pub currency: Option<String>,
    /// Whether a floor or a ceiling was applied.
    pub kind: Option<CostKind>,
    /// Fixed fee.
    pub fixed: Option<Price>,
    /// For energy.
    pub energy: Option<Price>,
    /// For time of charging.
    pub charging_time: Option<Price>,
    /// For time of standing without charging.
    pub idle_time: Option<Price>,
    /// For time of reservation.
    pub reservation_time: Option<Price>,
    /// Fixed fee of the reservation.
    pub reservation_fixed: Option<Price>,
    /// All of it.
    pub total: Price,
    /// Energy in kWh.
    pub energy_kwh: Option<Decimal>,
    /// Seconds of charging.
    pub charging_s: Option<i64>,
    /// Seconds of standing without charging.
    pub idle_s: Option<i64>,
    /// Seconds of reservation.
    pub reservation_s: Option<i64>,
    /// Stretches with one price.
    pub periods: Vec<CostPeriod>,
    /// The charger could not work it out.
    pub failed: bool,
    /// Why it could not.
    pub failure: Option<String>,
}

/// An amount without and with tax.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Price {
    /// Without tax.
    pub excluding_tax: Option<Decimal>,
    /// With tax.
    pub including_tax: Option<Decimal>,
    /// The taxes in it.
    pub taxes: Vec<super::TaxRate>,
}

/// A stretch with one price.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct CostPeriod {
    /// From when; none when that could not be read.
    pub from: Option<Instant>,
    /// By which tariff.
    pub tariff: Option<String>,
    /// How much of what.
    pub volumes: Vec<(CostDimension, Decimal)>,
}

words! {
    /// Whether a floor or a ceiling was applied.
    CostKind {
        Normal = "NormalCost",
        Minimum = "MinCost",
        Maximum = "MaxCost",
    }
    /// What a cost is for. The schema of 2.1 writes `IdleTIme`; letter case does not matter here.
    CostDimension {
        Energy = "Energy",
        MaxCurrent = "MaxCurrent",
        MinCurrent = "MinCurrent",
        MaxPower = "MaxPower",
        MinPower = "MinPower",
        IdleTime = "IdleTime",
        ChargingTime = "ChargingTime",
    }
    /// Whether the car takes energy, for the display.
    CostState {
        Charging = "Charging",
        Idle = "Idle",
    }
}

/// The cost so far, for the display. 1.6 carries all of it in the cost messages, 2.0.1 in `customData`; 2.1 the total.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RunningCost {
    /// Which transaction.
    pub reference: Reference,
    /// So far, tax included.
    pub total: Decimal,
    /// What it was made of; without it 1.6 chargers cannot be told (their message requires it).
    pub details: Option<RunningDetails>,
}

/// What a running cost was made of, and how it goes on.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct RunningDetails {
    /// As of when.
    pub at: Instant,
    /// The register then (sent in whole Wh).
    pub meter: Energy,
    /// Whether the car takes energy.
    pub state: CostState,
    /// Prices while it charges.
    pub charging: ChargingPrice,
    /// Prices while it does not.
    pub idle: Option<IdlePrice>,
    /// Other prices from a time on.
    pub next: Option<NextPrices>,
    /// When the charger is to send a meter value.
    pub report_at: Option<MeterTrigger>,
}

/// Prices while a car charges, tax included.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct ChargingPrice {
    /// Per kWh.
    pub kwh: Option<Decimal>,
    /// Per hour.
    pub hour: Option<Decimal>,
    /// Once.
    pub flat: Option<Decimal>,
}

/// Prices while a car stands without charging, tax included.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct IdlePrice {
    /// Free minutes.
    pub grace_min: Option<i64>,
    /// Per hour.
    pub hour: Option<Decimal>,
}

/// Prices from a time on.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct NextPrices {
    /// From then on.
    pub at: Instant,
    /// While the car charges.
    pub charging: ChargingPrice,
    /// While it does not.
    pub idle: Option<IdlePrice>,
}

/// When a charger is to send a meter value.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct MeterTrigger {
    /// At a time.
    pub at: Option<Instant>,
    /// At a register.
    pub energy: Option<Energy>,
    /// When power passes this, in millionths of a kW.
    pub power: Option<i64>,
    /// When a connector gets one of these states (1.6 words), at most 7.
    pub states: Vec<super::Availability>,
}

/// The price for one driver, shown after he was recognised (1.6; in 2.x it is part of the answer to Authorize).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct UserPrice {
    /// The driver's token.
    pub token: String,
    /// The price in words.
    pub text: String,
    /// The same in other languages.
    pub more: Vec<Message>,
}

/// The final cost (1.6; in 2.x it is part of the answer to the last transaction event).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FinalCost {
    /// Which transaction.
    pub reference: Reference,
    /// Tax included.
    pub total: Decimal,
    /// In words.
    pub text: String,
    /// The same in other languages.
    pub more: Vec<Message>,
    /// An address for a QR code, such as the receipt's.
    pub qr_code: Option<String>,
}
