//! The kinds of values in a set-up: ids, spans of time, powers, amounts, zones, local times.

use super::node::{Node, Value};
use super::read::{Field, shown, wrong_kind};
use super::report::{More as _, Report};
use chrono::{NaiveDate, NaiveDateTime, NaiveTime, TimeDelta};
use chrono_tz::Tz;
use rust_decimal::Decimal;
use serde::{Serialize, Serializer};
use std::fmt;
use std::str::FromStr as _;
use takst_dsl::resolve::{currency, zone};
use takst_engine::units::{DAY_MS, HOUR_MS, Instant, MINUTE_MS, micro};

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
            report
                .error("S019", node.at, "this cannot be an id")
                .advise("an id has 1 to 255 characters, does not begin or end with a space, and can be printed");
        }
        id
    }
}

/// A length of time, in whole milliseconds; in files `"90 s"`, `"5 min"`, `"2 h"`, `"30 days"`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TimeSpan(i64);

const UNITS: [(&str, i64); 5] = [("days", DAY_MS), ("h", HOUR_MS), ("min", MINUTE_MS), ("s", 1_000), ("ms", 1)];

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
    const WANTED: &'static str = "a length of time in quotes, as in \"90 s\", \"5 min\", \"2 h\" or \"30 days\"";

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
        let power = takst_engine::input::decimal(digits).ok().filter(|power| *power > Decimal::ZERO && *power <= most);
        let power = power.and_then(micro).map(Self);
        if power.is_none() {
            report.error("S018", node.at, format!("`{}` is no power in kW", shown(digits))).advise(
                "write a number above 0 with at most six decimals, as in `22` or `7.4`",
            );
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

/// A time zone by its IANA name, as in `Europe/Oslo`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Zone(pub Tz);

impl Zone {
    /// The instant of a local time. In an hour that the clock skips: as if it had not been moved; in one it repeats: the first.
    #[must_use]
    pub fn instant(self, local: Local) -> Instant {
        zone::instant(self.0, local.0.date(), local.0.time())
    }

    /// Whether the clock jumps over this local time.
    #[must_use]
    pub fn skips(self, local: Local) -> bool {
        use chrono::TimeZone as _;
        self.0.from_local_datetime(&local.0).earliest().is_none()
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.0.name()
    }
}

impl Serialize for Zone {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.name())
    }
}

impl Field for Zone {
    const WANTED: &'static str = "a time zone, as in \"Europe/Helsinki\"";

    fn read(node: &Node, report: &mut Report) -> Option<Self> {
        let Some(text) = node.text() else { return wrong_kind(node, Self::WANTED, report) };
        if let Ok(zone) = Tz::from_str(text) {
            return Some(Self(zone));
        }
        let near = report.nearest(text, chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name()));
        let advice = near.map_or_else(
            || "write the name of a city in the zone, as in \"Europe/Helsinki\"".to_owned(),
            |near| format!("did you mean \"{near}\"?"),
        );
        report.error("S031", node.at, format!("there is no time zone \"{}\"", shown(text))).advise(advice);
        None
    }
}

/// A local date and time, read in the zone of the site it is about; in files `2026-01-01T00:00:00` or a date alone.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Local(pub NaiveDateTime);

impl fmt::Display for Local {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.format("%Y-%m-%dT%H:%M:%S"))
    }
}

impl Serialize for Local {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

// A date and, when there is one, its time of day; nothing when the year is out of range.
fn date_time(text: &str) -> Option<(NaiveDate, Option<NaiveTime>)> {
    use chrono::Datelike as _;
    let text = text.trim();
    let (date, time) = match text.split_once(['T', 't', ' ']) {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let date = NaiveDate::parse_from_str(date, "%Y-%m-%d").ok()?;
    let time = match time {
        Some(time) => Some(NaiveTime::parse_from_str(time, "%H:%M:%S").or_else(|_| NaiveTime::parse_from_str(time, "%H:%M")).ok()?),
        None => None,
    };
    (2000..2100).contains(&date.year()).then_some((date, time))
}

fn has_offset(text: &str) -> bool {
    let time = text.split_once(['T', 't', ' ']).map_or("", |(_, time)| time);
    time.contains(['+', '-', 'Z', 'z'])
}

impl Field for Local {
    const WANTED: &'static str = "a date or local time, as in `2026-01-01` or `2026-01-01T06:00:00`";

    fn read(node: &Node, report: &mut Report) -> Option<Self> {
        let (Value::Text(text) | Value::Time(text)) = &node.it else {
            return wrong_kind(node, Self::WANTED, report);
        };
        let local = date_time(text).map(|(date, time)| Self(date.and_time(time.unwrap_or_default())));
        if local.is_none() {
            let advice = if has_offset(text) {
                "leave out the offset: it is the time on the site's own clock".to_owned()
            } else {
                format!("write {}", Self::WANTED)
            };
            report.error("S017", node.at, format!("`{}` is no local date and time", shown(text))).advise(advice);
        }
        local
    }
}

/// The end of something: a date (its last day), a local time in the organisation's zone, or a time with an offset.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Until {
    /// To the end of that day.
    Day(NaiveDate),
    /// Up to this local time.
    Local(Local),
    /// Up to this instant; the text is as it was written.
    Instant(Instant, String),
}

impl Until {
    /// From this instant on it is over.
    #[must_use]
    pub fn instant(&self, zone: Zone) -> Instant {
        match self {
            Self::Day(day) => {
                let next = day.checked_add_signed(TimeDelta::days(1)).unwrap_or(*day);
                zone.instant(Local(next.and_time(NaiveTime::default())))
            }
            Self::Local(local) => zone.instant(*local),
            Self::Instant(instant, _) => *instant,
        }
    }
}

impl Serialize for Until {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Day(day) => serializer.collect_str(day),
            Self::Local(local) => local.serialize(serializer),
            Self::Instant(_, text) => serializer.serialize_str(text),
        }
    }
}

impl Field for Until {
    const WANTED: &'static str = "a date or time, as in `2026-12-31` or `2026-12-31T18:00:00`";

    fn read(node: &Node, report: &mut Report) -> Option<Self> {
        let (Value::Text(text) | Value::Time(text)) = &node.it else {
            return wrong_kind(node, Self::WANTED, report);
        };
        let until = match date_time(text) {
            Some((day, None)) => Some(Self::Day(day)),
            Some((day, Some(time))) => Some(Self::Local(Local(day.and_time(time)))),
            None => chrono::DateTime::parse_from_rfc3339(text)
                .ok()
                .map(|at| Self::Instant(Instant(at.timestamp_millis()), text.clone())),
        };
        if until.is_none() {
            report
                .error("S017", node.at, format!("`{}` is no date or time", shown(text)))
                .advise(format!("write {}", Self::WANTED));
        }
        until
    }
}

/// A time of day in minutes after midnight; in files `"14:00"`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TimeOfDay(pub u16);

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

impl Serialize for TimeOfDay {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Field for TimeOfDay {
    const WANTED: &'static str = "a time of day, as in \"14:00\"";

    fn read(node: &Node, report: &mut Report) -> Option<Self> {
        let (Value::Text(text) | Value::Time(text)) = &node.it else {
            return wrong_kind(node, Self::WANTED, report);
        };
        let time = (|| {
            let (hour, minute) = text.split_once(':')?;
            let minute = minute.strip_suffix(":00").unwrap_or(minute);
            let (hour, minute) = (hour.parse::<u16>().ok()?, minute.parse::<u16>().ok()?);
            (hour < 24 && minute < 60).then_some(Self(hour * 60 + minute))
        })();
        if time.is_none() {
            report
                .error("S017", node.at, format!("`{}` is no time of day", shown(text)))
                .advise("write hours and minutes, as in \"14:00\"");
        }
        time
    }
}

/// How far a charger's clock is from UTC, in minutes; in files `"+02:00"`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Offset(pub i32);

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { '-' } else { '+' };
        write!(f, "{sign}{:02}:{:02}", self.0.abs() / 60, self.0.abs() % 60)
    }
}

impl Serialize for Offset {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Field for Offset {
    const WANTED: &'static str = "an offset from UTC, as in \"+02:00\"";

    fn read(node: &Node, report: &mut Report) -> Option<Self> {
        let Some(text) = node.text() else { return wrong_kind(node, Self::WANTED, report) };
        let offset = (|| {
            let (sign, rest) = match (text.strip_prefix('+'), text.strip_prefix('-')) {
                (Some(rest), _) => (1, rest),
                (_, Some(rest)) => (-1, rest),
                _ => return None,
            };
            let (hours, minutes) = rest.split_once(':')?;
            let (hours, minutes) = (hours.parse::<u8>().ok()?, minutes.parse::<u8>().ok()?);
            (hours <= 14 && minutes < 60).then_some(Self(sign * (i32::from(hours) * 60 + i32::from(minutes))))
        })();
        if offset.is_none() {
            report
                .error("S017", node.at, format!("`{}` is no offset from UTC", shown(text)))
                .advise("write hours and minutes with a sign, as in \"+02:00\"");
        }
        offset
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_of_time_is_written_as_it_is_read() {
        for (text, ms, again) in
            [("90 s", 90_000, "90 s"), ("60 s", 60_000, "1 min"), ("48 h", 2 * DAY_MS, "2 days"), ("0 s", 0, "0 s")]
        {
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

    #[test]
    fn a_day_ends_at_its_midnight_in_the_zone() {
        let oslo = Zone(Tz::Europe__Oslo);
        let day = NaiveDate::from_ymd_opt(2026, 12, 31).unwrap();
        assert_eq!(Until::Day(day).instant(oslo), Instant(1_798_758_000_000));
    }
}
