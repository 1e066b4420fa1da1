//! Values of scenario files: durations, amounts and ranges of them.

use crate::simulate::plan::Span;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive as _;
use serde::Deserialize;
use std::time::Duration;

/// A duration in milliseconds, as in `5s`. A clock can be wrong by less than nothing.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Deserialize)]
#[serde(try_from = "String")]
pub(in crate::simulate) struct One(i64);

/// A duration or a range of them, as in `5s..20s`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Times(pub Span);

/// An amount or a range of amounts, as in `7` or `"2.5..8"`.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Written")]
pub(super) struct Amount(Span);

#[derive(Deserialize)]
#[serde(untagged, expecting = "an amount is a whole number or a text, as in 7 or \"2.5..8\"")]
enum Written {
    Whole(i64),
    Text(String),
}

impl One {
    pub(in crate::simulate) const fn ms(self) -> i64 {
        self.0
    }

    pub(in crate::simulate) fn duration(self) -> Duration {
        Duration::from_millis(u64::try_from(self.0).unwrap_or(0))
    }
}

impl Amount {
    /// In thousandths of what was written: W of kW, Wh of kWh.
    pub(super) const fn thousandths(&self) -> Span {
        self.0
    }
}

fn duration(text: &str) -> Result<i64, String> {
    let wrong = || format!("`{text}` is no duration; write a number and its unit, as in 250ms, 5s, 2m or 1h");
    let text = text.trim();
    let digits = text.bytes().skip(usize::from(text.starts_with('-'))).take_while(u8::is_ascii_digit).count();
    let (number, unit) =
        text.split_at_checked(digits + usize::from(text.starts_with('-'))).ok_or_else(wrong)?;
    let number: i64 = number.parse().map_err(|_| wrong())?;
    let ms = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(wrong()),
    };
    number.checked_mul(ms).filter(|ms| ms.abs() <= 366 * 24 * 3_600_000).ok_or_else(wrong)
}

fn amount(text: &str) -> Result<i64, String> {
    let wrong = || format!("`{text}` is no amount; write a number from 0 to 1000000, as in 7 or 2.5");
    let number: Decimal = text.trim().parse().map_err(|_| wrong())?;
    if number < Decimal::ZERO || number > Decimal::from(1_000_000) {
        return Err(wrong());
    }
    (number * Decimal::ONE_THOUSAND).round().to_i64().ok_or_else(wrong)
}

fn range(text: &str, one: impl Fn(&str) -> Result<i64, String>) -> Result<Span, String> {
    let Some((from, to)) = text.split_once("..") else { return Ok(Span::exactly(one(text)?)) };
    let (from, to) = (one(from)?, one(to)?);
    if from > to {
        return Err(format!("`{text}` is no range; write the smaller one first"));
    }
    Ok(Span { from, to })
}

impl TryFrom<String> for One {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        duration(&text).map(Self)
    }
}

impl TryFrom<String> for Times {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        range(&text, duration).map(Self)
    }
}

impl TryFrom<Written> for Amount {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        match written {
            Written::Whole(number) => amount(&number.to_string()).map(|amount| Self(Span::exactly(amount))),
            Written::Text(text) => range(&text, amount).map(Self),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_amounts_are_read_exactly() {
        for (text, ms) in [
            ("0s", 0),
            ("250ms", 250),
            ("5s", 5_000),
            (" 2m ", 120_000),
            ("1h", 3_600_000),
            ("-2h", -7_200_000),
        ] {
            assert_eq!(duration(text), Ok(ms), "{text}");
        }
        for text in
            ["", "5", "s", "-", "5 s", "1.5s", "5sec", "9999999999999h", "99999999999999999999s", "æs"]
        {
            assert!(duration(text).is_err(), "{text}");
        }
        assert_eq!(range("5s..20s", duration), Ok(Span { from: 5_000, to: 20_000 }));
        assert_eq!(range("2.5..8", amount), Ok(Span { from: 2_500, to: 8_000 }));
        for text in ["", "-1", "1e9", "2000000", "8..2.5", "1..", "..2", "1..2..3"] {
            assert!(range(text, amount).is_err(), "{text}");
        }
    }
}
