//! Local time from the zone table of a tariff: days, minutes, month keys and texts.

use crate::calendar::{civil, day_number};
use crate::tariff::{CALENDAR, Zone};
use crate::units::{DAY_MS, Day, Instant, MINUTE_MS};

/// A UTC instant seen on the local clock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LocalTime {
    /// Local day.
    pub day: Day,
    /// Minute of the local day, 0-1439.
    pub minute: u16,
    /// Offset from UTC in milliseconds.
    pub offset_ms: i64,
    /// Instant at which the offset changes next (or `i64::MAX`).
    pub offset_until: i64,
}

/// First and one-past-last instant that a session may touch: the calendar less a day on both sides, so that every zone's
/// local days are inside.
pub const INSTANTS: std::ops::Range<i64> = (10_958 * DAY_MS)..(47_481 * DAY_MS);

const _: () = assert!(CALENDAR.start == 10_957 && CALENDAR.end == 47_482);

impl LocalTime {
    /// The local time at `at`, which lies in [`INSTANTS`].
    #[must_use]
    pub fn at(zone: &Zone, at: i64) -> Self {
        let next = zone.changes.partition_point(|(from, _)| from.0 <= at);
        let offset_s = match next.checked_sub(1).and_then(|index| zone.changes.get(index)) {
            Some((_, offset)) => *offset,
            None => zone.first_offset_s,
        };
        let offset_until = zone.changes.get(next).map_or(i64::MAX, |(from, _)| from.0);
        Self::with_offset(at, i64::from(offset_s) * 1000, offset_until)
    }

    /// The same for a later instant; looks the zone up again only past the next change.
    #[inline]
    #[must_use]
    pub fn moved_to(self, zone: &Zone, at: i64) -> Self {
        if at < self.offset_until {
            Self::with_offset(at, self.offset_ms, self.offset_until)
        } else {
            Self::at(zone, at)
        }
    }

    #[inline]
    fn with_offset(at: i64, offset_ms: i64, offset_until: i64) -> Self {
        let local = at + offset_ms;
        #[expect(clippy::cast_possible_truncation, reason = "INSTANTS bounds the day far below i32")]
        let day = local.div_euclid(DAY_MS) as Day;
        #[expect(clippy::cast_possible_truncation, reason = "0..1440")]
        let minute = (local.rem_euclid(DAY_MS) / MINUTE_MS) as u16;
        Self { day, minute, offset_ms, offset_until }
    }

    /// The instant at which the local clock would show `minute` (up to 1440) of this day, were the offset to stay.
    #[inline]
    #[must_use]
    pub fn instant_of(&self, minute: u16) -> i64 {
        i64::from(self.day) * DAY_MS + i64::from(minute) * MINUTE_MS - self.offset_ms
    }
}

/// First instant of a local day.
#[must_use]
pub fn start_of_day(zone: &Zone, day: Day) -> i64 {
    // A clock change can make midnight not occur; then the day starts at the change.
    let guess = i64::from(day) * DAY_MS;
    let mut first = guess - LocalTime::at(zone, guess - DAY_MS).offset_ms;
    for probe in [guess - DAY_MS, guess, guess + DAY_MS / 2] {
        let at = guess - LocalTime::at(zone, probe).offset_ms;
        if LocalTime::at(zone, at).day == day && LocalTime::at(zone, at - 1).day < day {
            return at;
        }
        first = at;
    }
    let changes = zone.changes.iter().map(|(from, _)| from.0);
    changes
        .filter(|at| (guess - DAY_MS..guess + DAY_MS).contains(at))
        .find(|at| LocalTime::at(zone, *at).day == day && LocalTime::at(zone, at - 1).day < day)
        .unwrap_or(first)
}

/// `2025-03` of a local day.
#[must_use]
pub fn month_text(day: Day) -> String {
    let (year, month, _) = civil(day);
    format!("{year:04}-{month:02}")
}

/// `2025-03-14` of a local day.
#[must_use]
pub fn day_text(day: Day) -> String {
    let (year, month, date) = civil(day);
    format!("{year:04}-{month:02}-{date:02}")
}

/// A number that is the same for all days of a month and grows with time.
#[must_use]
pub fn month_key(day: Day) -> i32 {
    let (year, month, _) = civil(day);
    year * 12 + i32::from(month) - 1
}

/// RFC 3339 with the zone's offset.
#[must_use]
pub fn local_text(zone: &Zone, at: Instant) -> String {
    let offset_ms = LocalTime::at(zone, at.0).offset_ms;
    let minutes = offset_ms / MINUTE_MS;
    let sign = if minutes < 0 { '-' } else { '+' };
    let (hours, rest) = (minutes.abs() / 60, minutes.abs() % 60);
    format!("{}{sign}{hours:02}:{rest:02}", clock_text(at.0 + offset_ms))
}

/// RFC 3339 in UTC.
#[must_use]
pub fn utc_text(at: Instant) -> String {
    format!("{}Z", clock_text(at.0))
}

fn clock_text(local: i64) -> String {
    let day = Day::try_from(local.div_euclid(DAY_MS)).unwrap_or(Day::MAX / 2);
    let ms = local.rem_euclid(DAY_MS);
    let (h, m, s, f) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1000 % 60, ms % 1000);
    let date = day_text(day);
    if f == 0 {
        format!("{date}T{h:02}:{m:02}:{s:02}")
    } else {
        format!("{date}T{h:02}:{m:02}:{s:02}.{f:03}")
    }
}

/// The instant of a local date and minute (up to 1440). A skipped time gives the instant of the clock change's gap end;
/// a repeated one gives its first occurrence.
#[must_use]
pub fn instant_of_local(zone: &Zone, year: i32, month: u8, date: u8, minute: u16) -> Instant {
    let local = i64::from(day_number(year, month, date)) * DAY_MS + i64::from(minute) * MINUTE_MS;
    let early = LocalTime::at(zone, local - DAY_MS);
    let first = local - early.offset_ms;
    if LocalTime::at(zone, first).offset_ms == early.offset_ms {
        return Instant(first);
    }
    // A change lies in between: the later offset, or inside the gap the change itself.
    let after = local - LocalTime::at(zone, local + DAY_MS).offset_ms;
    if LocalTime::at(zone, after).offset_ms == local - after {
        Instant(after)
    } else {
        Instant(early.offset_until.min(first))
    }
}
