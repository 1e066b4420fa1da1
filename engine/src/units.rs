//! The units everything is counted in: whole milliseconds, millionths of a kilowatt-hour, plain decimals.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

/// A point in time, in whole milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Instant(pub i64);

/// Energy in millionths of a kilowatt-hour (a register is read to 0.000001 kWh).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Energy(pub i64);

/// Milliseconds in a minute, an hour and a 24-hour day.
pub const MINUTE_MS: i64 = 60_000;
/// See [`MINUTE_MS`].
pub const HOUR_MS: i64 = 3_600_000;
/// See [`MINUTE_MS`].
pub const DAY_MS: i64 = 86_400_000;
/// Millionths in a whole: the scale of [`Energy`], of power in kW and of shares.
pub const MICRO: i64 = 1_000_000;

/// A day, counted from 1970-01-01 in the tariff's local calendar.
pub type Day = i32;

/// A currency: its ISO 4217 code and how many digits its minor unit has.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Currency {
    /// `EUR`, `NOK`, ...
    pub code: String,
    /// Digits after the point of a printed amount (2 for most, 0 for JPY, 3 for KWD).
    pub digits: u8,
}

impl Energy {
    /// The value in kWh.
    #[must_use]
    pub fn kwh(self) -> Decimal {
        Decimal::from_i128_with_scale(i128::from(self.0), 6).normalize()
    }

    /// Reads kWh. `None` when there are more than six decimals or the value does not fit.
    #[must_use]
    pub fn from_kwh(kwh: Decimal) -> Option<Self> {
        micro(kwh).map(Self)
    }
}

/// `value` in millionths; `None` when that is not a whole number or does not fit.
#[must_use]
pub fn micro(value: Decimal) -> Option<i64> {
    let value = value.normalize();
    let up = 10_i128.checked_pow(6_u32.checked_sub(value.scale())?)?;
    i64::try_from(value.mantissa().checked_mul(up)?).ok()
}
