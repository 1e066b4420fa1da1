//! The kinds of values in a set-up: ids, spans of time, powers, amounts; in `time` zones and local times.

mod time;

pub use time::{Local, Offset, TimeOfDay, Until, Zone};

use super::node::{Node, Value};
use super::read::{Field, shown, wrong_kind};
use super::report::{More as _, Report};
use rust_decimal::Decimal;
use serde::{Serialize, Serializer};
use std::fmt;
use takst_dsl::resolve::currency;
use takst_engine::units::{DAY_MS, HOUR_MS, MINUTE_MS, micro};

/// The name that other things know something by: 1 to 255 characters, none of them blank at an end or unprintable.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(transparent)]
pub struct Id(String);

impl Id {
    /// The id, when `text` can be one.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let fine = !text.is_empty()
            && text.trim() == text
            && text.chars().take(256).count() <= 255
            && !text.chars().any(char::is_control);
        fine.then(|| Self(text.to_owned()))
    }

    /// An id that stands in the program.
    pub(crate) fn of_word(word: &'static str) -> Self {
        Self(word.to_owned())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::ops::Deref for Id {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl std::borrow::Borrow<str> for Id {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl PartialEq<str> for Id {
    fn eq(&self, other: &str) -> bool {
        self.0 == other
    }
}

impl PartialEq<&str> for Id {
    fn eq(&self, other: &&str) -> bool {
        self.0 == *other
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Field for Id {
    const WANTED: &'static str = "an id in quotes";

    fn read(node: &Node, report: &mut Report) -> Option<Self> {
        let Some(text) = node.text() else { return wrong_kind(node, Self::WANTED, report) };
        let id = Self::new(text);
        if id.is_none() {
            report.error("S019", node.at, "this cannot be an id").advise(
                "an id has 1 to 255 characters, does not begin or end with a space, and can be printed",
            );
        }
        id
    }
}

/// A length of time, in whole milliseconds; in files `"90 s"`, `"5 min"`, `"2 h"`, `"30 days"`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TimeSpan(i64);

const UNITS: [(&str, i64); 5] =
    [("days", DAY_MS), ("h", HOUR_MS), ("min", MINUTE_MS), ("s", 1_000), ("ms", 1)];

impl TimeSpan {
    /// So many milliseconds.
    pub(crate) const fn of_ms(ms: i64) -> Self {
        Self(ms)
    }

    /// Milliseconds.
    #[must_use]
    pub const fn ms(self) -> i64 {
        self.0
    }

    /// Whole seconds, rounded down.
    #[must_use]
    pub const fn s(self) -> i64 {
        self.0 / 1_000
    }

    fn of(text: &str) -> Option<Self> {
        let text = text.trim();
        let digits = text.find(|c: char| !c.is_ascii_digit())?;
        let (number, unit) = text.split_at(digits);
        let unit = match unit.trim() {
            "day" | "d" => "days",
            "hour" | "hours" => "h",
            "minute" | "minutes" => "min",
            "sec" | "second" | "seconds" => "s",
            unit => unit,
        };
        let (_, ms) = UNITS.into_iter().find(|(name, _)| *name == unit)?;
        let span = number.parse::<i64>().ok()?.checked_mul(ms)?;
        (span <= 36_600 * DAY_MS).then_some(Self(span))
    }
}

impl fmt::Display for TimeSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fits = |(_, ms): &(&str, i64)| self.0 % ms == 0 && self.0 > 0;
        let (unit, ms) = UNITS.into_iter().find(fits).unwrap_or(("s", 1_000));
        write!(f, "{} {unit}", self.0 / ms)
    }
}

impl Serialize for TimeSpan {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Field for TimeSpan {
    const WANTED: &'static str =
        "a length of time in quotes, as in \"90 s\", \"5 min\", \"2 h\" or \"30 days\"";

    fn read(node: &Node, report: &mut Report) -> Option<Self> {
        let span = node.text().and_then(Self::of);
        match (&node.it, span) {
            (Value::Text(_), None) => {
                report.error("S016", node.at, "this is no length of time").advise(
                    "write a whole number and a unit (s, min, h, days), as in \"90 s\", \"5 min\" or \"30 days\"",
                );
            }
            (Value::Number(number), _) => {
                report
                    .error("S016", node.at, "the unit is missing")
                    .advise(format!("write \"{number} s\" or \"{number} min\", with the quotes"));
            }
            (_, None) => return wrong_kind(node, Self::WANTED, report),
            (_, Some(_)) => {}
        }
        span
    }
}

/// Power in millionths of a kW; in files `22`, `7.4` or `"7.4"`, in JSON `"7.4"`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Power(pub i64);

impl fmt::Display for Power {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Decimal::from_i128_with_scale(i128::from(self.0), 6).normalize())
    }
}

impl Serialize for Power {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Field for Power {
    const WANTED: &'static str = "kilowatts, as in `22` or `7.4`";

    fn read(node: &Node, report: &mut Report) -> Option<Self> {
        let (Value::Text(digits) | Value::Number(digits)) = &node.it else {
            return wrong_kind(node, Self::WANTED, report);
        };
        let most = Decimal::from(100_000);
        let power = takst_engine::input::decimal(digits)
            .ok()
            .filter(|power| *power > Decimal::ZERO && *power <= most);
        let power = power.and_then(micro).map(Self);
        if power.is_none() {
            report
                .error("S018", node.at, format!("`{}` is no power in kW", shown(digits)))
                .advise("write a number above 0 with at most six decimals, as in `22` or `7.4`");
        }
        power
    }
}

/// An amount of money; in files and JSON `"50.00 EUR"`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Amount {
    /// In whole units of the currency.
    pub value: Decimal,
    /// Its code.
    pub currency: String,
    /// The same in minor units (cents).
    pub minor: i64,
}

impl Amount {
    fn of(text: &str) -> Option<Self> {
        let (digits, code) = text.trim().split_once(' ')?;
        let currency = currency::currency(code.trim())?;
        let value = takst_engine::input::decimal(digits).ok()?;
        let scale = 10_i64.checked_pow(u32::from(currency.digits))?;
        let minor = micro(value)?.checked_mul(scale)?;
        let (minor, rest) = (minor / 1_000_000, minor % 1_000_000);
        (rest == 0 && minor >= 0).then_some(Self { value, currency: currency.code, minor })
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.value, self.currency)
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Field for Amount {
    const WANTED: &'static str = "an amount in quotes, as in \"50.00 EUR\"";

    fn read(node: &Node, report: &mut Report) -> Option<Self> {
        let Some(text) = node.text() else { return wrong_kind(node, Self::WANTED, report) };
        let amount = Self::of(text);
        if amount.is_none() {
            report
                .error("S018", node.at, format!("\"{}\" is no amount of money", shown(text)))
                .advise("write the amount and the currency's code, as in \"50.00 EUR\"");
        }
        amount
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_of_time_is_written_as_it_is_read() {
        for (text, ms, again) in [
            ("90 s", 90_000, "90 s"),
            ("60 s", 60_000, "1 min"),
            ("48 h", 2 * DAY_MS, "2 days"),
            ("0 s", 0, "0 s"),
        ] {
            let span = TimeSpan::of(text).unwrap();
            assert_eq!((span.ms(), span.to_string().as_str()), (ms, again));
            assert_eq!(TimeSpan::of(&span.to_string()), Some(span));
        }
        for text in ["", "5", "5 weeks", "-5 s", "1.5 h", "9999999999999999999 s", "999999999999 days", "s"] {
            assert_eq!(TimeSpan::of(text), None, "{text}");
        }
    }

    #[test]
    fn an_amount_has_no_more_decimals_than_its_currency() {
        assert_eq!(Amount::of("50.00 EUR").unwrap().minor, 5_000);
        assert_eq!(Amount::of("500 NOK").unwrap().minor, 50_000);
        assert_eq!(Amount::of("500 JPY").unwrap().minor, 500);
        for text in ["50", "50 EURO", "-1 EUR", "0.001 EUR", "0.5 JPY", "1e3 EUR", "EUR 50"] {
            assert_eq!(Amount::of(text), None, "{text}");
        }
    }
}
