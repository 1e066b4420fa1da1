//! Zones, and times as people write them.

use crate::setup::node::{Node, Value};
use crate::setup::read::{Field, shown, wrong_kind};
use crate::setup::report::{More as _, Report};
use chrono::{NaiveDate, NaiveDateTime, NaiveTime, TimeDelta};
use chrono_tz::Tz;
use serde::{Serialize, Serializer};
use std::fmt;
use std::str::FromStr as _;
use takst_dsl::resolve::zone;
use takst_engine::units::Instant;

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
        Some(time) => Some(
            NaiveTime::parse_from_str(time, "%H:%M:%S")
                .or_else(|_| NaiveTime::parse_from_str(time, "%H:%M"))
                .ok()?,
        ),
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
            report
                .error("S017", node.at, format!("`{}` is no local date and time", shown(text)))
                .advise(advice);
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
    fn a_day_ends_at_its_midnight_in_the_zone() {
        let oslo = Zone(Tz::Europe__Oslo);
        let day = NaiveDate::from_ymd_opt(2026, 12, 31).unwrap();
        assert_eq!(Until::Day(day).instant(oslo), Instant(1_798_758_000_000));
    }
}
