//! Days and times as price and meter files have them, without floats and without a library. A zone's clock is asked from the gateway.

use crate::{Error, clock};

/// A minute in milliseconds.
pub const MINUTE: i64 = 60_000;
/// An hour in milliseconds.
pub const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// A date and time of day, of whatever clock.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Civil {
    /// "2026".
    pub year: i64,
    /// 1 to 12.
    pub month: i64,
    /// 1 to 31.
    pub day: i64,
    /// Milliseconds since midnight.
    pub in_day: i64,
}

impl Civil {
    /// That date and time, if there is such a one. Gregorian, years 1 to 9999.
    pub fn new(year: i64, month: i64, day: i64, in_day: i64) -> Option<Self> {
        let made = Self { year, month, day, in_day };
        let fine = (1..=9999).contains(&year)
            && (1..=12).contains(&month)
            && (1..=31).contains(&day)
            && (0..DAY).contains(&in_day)
            && Self::of(made.count()) == made;
        fine.then_some(made)
    }

    /// Midnight of "2026-03-29".
    pub fn day(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        let (year, month, day) =
            (number(parts.next()?, 4)?, number(parts.next()?, 2)?, number(parts.next()?, 2)?);
        if parts.next().is_some() { None } else { Self::new(year, month, day, 0) }
    }

    /// Milliseconds since 1970 on its own clock.
    pub fn count(self) -> i64 {
        // Days of a calendar that begins in March, so that the leap day is the last of its year.
        let year = if self.month <= 2 { self.year - 1 } else { self.year };
        let month = (self.month + 9) % 12;
        let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
        let of_year = (153 * month + 2) / 5 + self.day - 1;
        let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
        days * DAY + self.in_day
    }

    /// What a count of milliseconds since 1970 is on its clock.
    pub fn of(count: i64) -> Self {
        let (days, in_day) = (count.div_euclid(DAY) + 719_468, count.rem_euclid(DAY));
        let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
        let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        let shifted = (5 * of_year + 2) / 153;
        let month = (shifted + 2) % 12 + 1;
        let day = of_year - (153 * shifted + 2) / 5 + 1;
        Self { year: era * 400 + year + i64::from(month <= 2), month, day, in_day }
    }

    /// "2026-03-29".
    pub fn date(self) -> String {
        format!("{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }

    /// Hour and minute.
    pub fn hour_minute(self) -> (i64, i64) {
        (self.in_day / HOUR, self.in_day % HOUR / MINUTE)
    }

    /// The instants at which a zone's clock shows this: none in the hour that spring skips, two in the one that autumn repeats, in order.
    ///
    /// # Errors
    /// When the zone does not exist.
    pub fn instants(self, zone: &str) -> Result<Vec<i64>, Error> {
        let count = self.count();
        // A zone changes its clock at most once in two days.
        let mut found = Vec::with_capacity(2);
        for near in [count - DAY, count + DAY] {
            let at = count - 1_000 * i64::from(offset(near, zone)?);
            if i64::from(offset(at, zone)?) * 1_000 == count - at && !found.contains(&at) {
                found.push(at);
            }
        }
        found.sort_unstable();
        Ok(found)
    }
}

// That many digits at most, and at least one.
fn number(text: &str, most: usize) -> Option<i64> {
    let fine = (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if fine { text.parse().ok() } else { None }
}

/// Seconds that the zone is ahead of UTC.
///
/// # Errors
/// When the zone does not exist.
pub fn offset(at: i64, zone: &str) -> Result<i32, Error> {
    clock::offset(at, zone)
        .ok_or_else(|| Error::refused("unknown-time-zone", format!("there is no time zone `{zone}`")))
}

/// The first instant of a day ("2026-03-29") on a zone's clock, and that of the next day.
///
/// # Errors
/// When one of the two does not exist.
pub fn day_bounds(day: &str, zone: &str) -> Result<(i64, i64), Error> {
    let wrong = || Error::refused("no-date", format!("`{day}` is no date as in 2026-03-29"));
    let midnight = Civil::day(day).ok_or_else(wrong)?;
    let begin = |midnight: Civil| match midnight.instants(zone)?.first() {
        Some(at) => Ok(*at),
        // The clock jumps over midnight: the day begins with the jump.
        None => Ok(midnight.count() - 1_000 * i64::from(offset(midnight.count() - DAY, zone)?)),
    };
    Ok((begin(midnight)?, begin(Civil::of(midnight.count() + DAY))?))
}

/// Milliseconds since 1970 of "2026-03-29T02:00:00+01:00"; seconds and their fraction may be left out, the offset not.
pub fn instant(text: &str) -> Option<i64> {
    let (day, rest) = text.trim().split_once(['T', ' '])?;
    let (clock, ahead) = match rest.strip_suffix(['Z', 'z']) {
        Some(clock) => (clock, 0),
        None => {
            let at = rest.rfind(['+', '-'])?;
            let (clock, offset) = rest.split_at(at);
            let sign = if offset.starts_with('-') { -1 } else { 1 };
            let digits: String = offset.chars().skip(1).filter(|c| *c != ':').collect();
            let digits = number(&digits, 4).filter(|_| digits.len() == 4)?;
            (clock, sign * (digits / 100 * HOUR + digits % 100 * MINUTE))
        }
    };
    let day = Civil::day(day)?;
    Civil::new(day.year, day.month, day.day, time_of_day(clock)?).map(|civil| civil.count() - ahead)
}

/// Milliseconds since midnight of "02:00", "02:00:00", "02:00:00.000".
pub fn time_of_day(text: &str) -> Option<i64> {
    let mut parts = text.split(':');
    let (hour, minute) = (number(parts.next()?, 2)?, number(parts.next()?, 2)?);
    let (second, fraction) = match parts.next().map(|text| text.split_once('.').unwrap_or((text, "0"))) {
        Some((second, fraction)) => (number(second, 2)?, number(fraction, 9).and(thousandths(fraction))?),
        None => (0, 0),
    };
    let fine = hour < 24 && minute < 60 && second < 60 && parts.next().is_none();
    fine.then_some(hour * HOUR + minute * MINUTE + second * 1_000 + fraction)
}

fn thousandths(fraction: &str) -> Option<i64> {
    number(&fraction.chars().chain("00".chars()).take(3).collect::<String>(), 3)
}

/// "2026-03-29T02:00:00+01:00" on a zone's clock.
///
/// # Errors
/// When the zone does not exist.
pub fn in_zone(at: i64, zone: &str) -> Result<String, Error> {
    let ahead = i64::from(offset(at, zone)?);
    let civil = Civil::of(at + ahead * 1_000);
    let (hour, minute) = civil.hour_minute();
    let (sign, minutes) = (if ahead < 0 { '-' } else { '+' }, ahead.abs() / 60);
    let second = civil.in_day % MINUTE / 1_000;
    Ok(format!(
        "{}T{hour:02}:{minute:02}:{second:02}{sign}{:02}:{:02}",
        civil.date(),
        minutes / 60,
        minutes % 60
    ))
}

/// "2026-03-29T00:00:00Z".
pub fn utc(at: i64) -> String {
    let civil = Civil::of(at);
    let (hour, minute) = civil.hour_minute();
    format!("{}T{hour:02}:{minute:02}:{:02}Z", civil.date(), civil.in_day % MINUTE / 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{DateTime, NaiveDate};

    #[test]
    fn dates_are_those_of_the_calendar() {
        let first = NaiveDate::from_ymd_opt(1896, 1, 1).unwrap();
        for days in 0..100_000 {
            let date = first + chrono::Days::new(days);
            let civil = Civil::day(&date.to_string()).unwrap();
            assert_eq!(civil.count(), date.and_hms_opt(0, 0, 0).unwrap().and_utc().timestamp_millis());
            assert_eq!(civil.date(), date.to_string());
        }
        for wrong in ["2026-02-29", "2026-13-01", "2026-00-10", "26-1-1-1", "2026-3", "x", "", "20260-01-01"]
        {
            assert_eq!(Civil::day(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn times_with_an_offset() {
        for text in ["2026-03-29T02:00:00+02:00", "2026-03-29T01:00:00.250Z", "1969-12-31T23:30:00-05:30"] {
            let expected = DateTime::parse_from_rfc3339(text).unwrap().timestamp_millis();
            assert_eq!(instant(text), Some(expected), "{text}");
        }
        assert_eq!(instant("2026-03-29T02:00+0200"), instant("2026-03-29T00:00:00Z"));
        assert_eq!(utc(instant("2026-03-29T02:00+0200").unwrap()), "2026-03-29T00:00:00Z");
        for wrong in
            ["2026-03-29T02:00", "2026-03-29", "2026-03-29T25:00Z", "2026-03-29T02:60Z", "2026-03-29T02:00+2"]
        {
            assert_eq!(instant(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn the_days_of_the_clock_changes_have_23_and_25_hours() {
        let hours =
            |day: &str, zone: &str| day_bounds(day, zone).map(|(from, until)| (until - from) / HOUR).unwrap();
        assert_eq!(hours("2026-03-29", "Europe/Oslo"), 23);
        assert_eq!(hours("2026-10-25", "Europe/Oslo"), 25);
        assert_eq!(hours("2026-10-26", "Europe/Helsinki"), 24);
        // Midnight itself was skipped there.
        assert_eq!(hours("2018-11-04", "America/Sao_Paulo"), 23);
        let shown = |day: &str, hour: i64| {
            let day = Civil::day(day).unwrap();
            Civil { in_day: hour * HOUR, ..day }.instants("Europe/Oslo").unwrap()
        };
        assert!(shown("2026-03-29", 2).is_empty());
        assert_eq!(shown("2026-10-25", 2).len(), 2);
        assert_eq!(in_zone(shown("2026-10-25", 2)[1], "Europe/Oslo").unwrap(), "2026-10-25T02:00:00+01:00");
        assert_eq!(day_bounds("2026-03-29", "Mars/Olympus").unwrap_err().code, "unknown-time-zone");
    }
}
