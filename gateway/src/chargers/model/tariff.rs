//! A tariff as a charger of OCPP 2.1 takes it.

use super::{Message, Price, Status, StatusInfo};
use chrono::{NaiveDate, NaiveTime};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use takst_engine::units::Instant;

/// A tariff for the charger's own use.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TariffDocument {
    /// Its id, at most 60 characters.
    pub id: String,
    /// In words, at most 10 languages.
    pub description: Vec<Message>,
    /// ISO 4217 code.
    pub currency: String,
    /// Per kWh.
    pub energy: Option<Prices>,
    /// From when it is in force.
    pub valid_from: Option<Instant>,
    /// Per minute of charging.
    pub charging_time: Option<Prices>,
    /// Per minute of standing without charging.
    pub idle_time: Option<Prices>,
    /// Once.
    pub fixed_fee: Option<Prices>,
    /// Per minute of reservation.
    pub reservation_time: Option<Prices>,
    /// Once per reservation.
    pub reservation_fixed: Option<Prices>,
    /// A session costs at least.
    pub minimum: Option<Price>,
    /// A session costs at most.
    pub maximum: Option<Price>,
}

/// Prices of one dimension with their taxes, without tax.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Prices {
    /// The first whose conditions hold is taken. At least one.
    pub prices: Vec<ConditionalPrice>,
    /// At most 5.
    pub taxes: Vec<TaxRate>,
}

/// A price and when it holds.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ConditionalPrice {
    /// Per kWh, per minute, or once.
    pub price: Decimal,
    /// When it holds; none: always.
    pub when: Option<Box<PriceConditions>>,
}

/// When a price holds: all that is said must be true.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct PriceConditions {
    /// From this minute of the local day on.
    pub from_time: Option<NaiveTime>,
    /// Until this minute of the local day.
    pub until_time: Option<NaiveTime>,
    /// On these days; empty: on all.
    pub days: Vec<DayOfWeek>,
    /// From this local day on.
    pub from_date: Option<NaiveDate>,
    /// Before this local day.
    pub until_date: Option<NaiveDate>,
    /// On AC or DC.
    pub evse_kind: Option<EvseKind>,
    /// Wh charged.
    pub energy: Range,
    /// A.
    pub current: Range,
    /// W.
    pub power: Range,
    /// Seconds since the start.
    pub time: Span,
    /// Seconds of charging.
    pub charging_time: Span,
    /// Seconds of standing without charging.
    pub idle_time: Span,
    /// Brand of the payment card (fixed fees only).
    pub payment_brand: Option<String>,
    /// How the payer was recognised (fixed fees only).
    pub payment_recognition: Option<String>,
}

/// At least, and less than.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Range {
    /// At least.
    pub min: Option<Decimal>,
    /// Less than.
    pub max: Option<Decimal>,
}

/// At least, and less than, in seconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Span {
    /// At least.
    pub min: Option<i64>,
    /// Less than.
    pub max: Option<i64>,
}

/// A tax on a price.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TaxRate {
    /// `VAT`, ...; at most 20 characters.
    pub kind: String,
    /// In percent.
    pub percent: Decimal,
    /// Taxes of a higher stack are on top of the lower ones.
    pub stack: Option<i64>,
}

kinds! {
    /// A day of the week.
    DayOfWeek {
        Monday = "Monday",
        Tuesday = "Tuesday",
        Wednesday = "Wednesday",
        Thursday = "Thursday",
        Friday = "Friday",
        Saturday = "Saturday",
        Sunday = "Sunday",
    }
    /// Alternating or direct current.
    EvseKind {
        Ac = "AC",
        Dc = "DC",
    }
}

words! {
    /// Whose a tariff is.
    TariffKind {
        Default = "DefaultTariff",
        Driver = "DriverTariff",
    }
}

/// A tariff that a charger holds.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TariffAssignment {
    /// Its id.
    pub id: Option<String>,
    /// Whose it is.
    pub kind: Option<TariffKind>,
    /// From when it is in force.
    pub valid_from: Option<Instant>,
    /// Where.
    pub evses: Vec<i64>,
    /// Whose.
    pub tokens: Vec<String>,
}

/// What became of a tariff that was to be removed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct TariffCleared {
    /// Its id; none: all of them.
    pub id: Option<String>,
    /// What became of it.
    pub status: Status,
    /// Why.
    pub info: Option<StatusInfo>,
}
