//! When the values of a metering point should be there, and when they are asked for. Pure: times come in.

use crate::house::ScheduledPoint;
use crate::plugins::local_time;
use crate::setup::{Often, TimeOfDay};
use chrono::{Datelike as _, Days, Months, NaiveDate, TimeZone as _};
use chrono_tz::Tz;
use takst_engine::units::{HOUR_MS, Instant, MINUTE_MS};

/// The pause while values are not there yet.
const PAUSE: i64 = 30 * MINUTE_MS;
/// So many days back what cars took is looked at again: a charger that was away tells later.
const DAYS_SENT: usize = 7;
/// The same of months.
const MONTHS_SENT: usize = 2;
/// The first pause after a failure; it doubles.
const FIRST_PAUSE: i64 = MINUTE_MS;
/// The longest one.
const LONGEST_PAUSE: i64 = HOUR_MS;
/// The pause where the other side says that asking again does not help; and the longest that it can wish for.
const REFUSED_PAUSE: i64 = 6 * HOUR_MS;

/// What came of asking.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Tried {
    /// The last time; none: not yet.
    pub at: Option<Instant>,
    /// Failures in a row.
    pub failures: u32,
    /// Asking again would not help, as the plugin says.
    pub refused: bool,
    /// Not before so many milliseconds, as the plugin says.
    pub wish_ms: i64,
}

impl Tried {
    /// When it is asked again. `retry_ms` stands in for all pauses.
    pub fn again_at(&self, retry_ms: Option<i64>) -> Option<Instant> {
        let at = self.at?;
        let pause = match (self.refused, self.failures) {
            (true, _) => REFUSED_PAUSE,
            (false, 0) => PAUSE,
            (false, failures) => (FIRST_PAUSE << failures.saturating_sub(1).min(10)).min(LONGEST_PAUSE),
        };
        let pause = retry_ms.unwrap_or_else(|| pause.max(self.wish_ms.clamp(0, REFUSED_PAUSE)));
        Some(Instant(at.0.saturating_add(pause)))
    }
}

// A point's day or month: from the day on which it is asked for, values before that day should be there.
fn step(often: Often, day: NaiveDate) -> NaiveDate {
    match often {
        Often::Daily => day,
        Often::Monthly => day.with_day(1).unwrap_or(day),
    }
}

fn next(often: Often, day: NaiveDate) -> NaiveDate {
    match often {
        Often::Daily => day.checked_add_days(Days::new(1)),
        Often::Monthly => day.checked_add_months(Months::new(1)),
    }
    .unwrap_or(day)
}

fn before(often: Often, day: NaiveDate) -> NaiveDate {
    match often {
        Often::Daily => day.checked_sub_days(Days::new(1)),
        Often::Monthly => day.checked_sub_months(Months::new(1)),
    }
    .unwrap_or(day)
}

fn midnight(zone: Tz, day: NaiveDate) -> Instant {
    local_time(zone, day, TimeOfDay(0))
}

fn day_of(zone: Tz, at: Instant) -> Option<NaiveDate> {
    zone.timestamp_millis_opt(at.0).earliest().map(|local| local.date_naive())
}

// The day up to which values should be there now.
fn due_day(of: &ScheduledPoint, now: Instant) -> Option<NaiveDate> {
    let day = step(of.often, day_of(of.zone, now)?);
    Some(if now < local_time(of.zone, day, of.at) { before(of.often, day) } else { day })
}

/// From when to when values should be there now: up to the last day or month that is over and due, and back to the beginning of the month before
/// it, since a month's cost price asks for all of it.
pub(super) fn due(of: &ScheduledPoint, now: Instant) -> Option<(Instant, Instant)> {
    let day = due_day(of, now)?;
    let month = day.with_day(1).unwrap_or(day);
    let first = month.checked_sub_months(Months::new(1)).unwrap_or(month);
    Some((midnight(of.zone, first), midnight(of.zone, day)))
}

/// The days or months whose values are sent now: the last so many that are over and due, each from when to when. What came later in those is
/// sent again.
pub(super) fn periods(of: &ScheduledPoint, now: Instant) -> Vec<(Instant, Instant)> {
    let Some(last) = due_day(of, now) else { return Vec::new() };
    let count = match of.often {
        Often::Daily => DAYS_SENT,
        Often::Monthly => MONTHS_SENT,
    };
    let days = std::iter::successors(Some(last), |day| Some(before(of.often, *day)));
    let mut edges: Vec<Instant> = days.take(count + 1).map(|day| midnight(of.zone, day)).collect();
    edges.reverse();
    edges.array_windows::<2>().map(|[from, until]| (*from, *until)).collect()
}

/// When more is due than now.
pub(super) fn next_due(of: &ScheduledPoint, now: Instant) -> Option<Instant> {
    Some(local_time(of.zone, next(of.often, due_day(of, now)?), of.at))
}

/// When a value of this instant is late.
pub(super) fn late_at(of: &ScheduledPoint, value: Instant) -> Option<Instant> {
    let day = step(of.often, day_of(of.zone, value)?);
    let due = local_time(of.zone, next(of.often, day), of.at);
    Some(Instant(due.0.saturating_add(of.late_ms)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono_tz::Europe::Oslo;
    use takst_engine::input::instant;

    fn of(often: Often) -> ScheduledPoint {
        ScheduledPoint {
            plugin: "hub".to_owned(),
            point: "p".to_owned(),
            site: "s".to_owned(),
            zone: Oslo,
            often,
            at: TimeOfDay(6 * 60),
            late_ms: 2 * HOUR_MS,
        }
    }

    fn time(text: &str) -> Instant {
        instant(text).unwrap()
    }

    #[test]
    fn a_day_is_due_the_morning_after_and_a_month_after_its_last_day() {
        let daily = of(Often::Daily);
        // The clock goes back on the 25th.
        for (now, until, next, late) in [
            (
                "2026-10-26T05:59:59+01:00",
                "2026-10-25T00:00:00+02:00",
                "2026-10-26T06:00:00+01:00",
                "2026-10-25T08:00:00+01:00",
            ),
            (
                "2026-10-26T06:00:00+01:00",
                "2026-10-26T00:00:00+01:00",
                "2026-10-27T06:00:00+01:00",
                "2026-10-26T08:00:00+01:00",
            ),
        ] {
            let (from, known) = due(&daily, time(now)).unwrap();
            assert_eq!((from, known), (time("2026-09-01T00:00:00+02:00"), time(until)), "{now}");
            assert_eq!(next_due(&daily, time(now)), Some(time(next)));
            assert_eq!(late_at(&daily, Instant(known.0 - 1)), Some(time(late)));
        }
        let monthly = of(Often::Monthly);
        for (now, from, until) in [
            ("2026-11-01T05:59:59+01:00", "2026-09-01T00:00:00+02:00", "2026-10-01T00:00:00+02:00"),
            ("2026-11-01T06:00:00+01:00", "2026-10-01T00:00:00+02:00", "2026-11-01T00:00:00+01:00"),
            ("2026-11-30T23:00:00+01:00", "2026-10-01T00:00:00+02:00", "2026-11-01T00:00:00+01:00"),
        ] {
            assert_eq!(due(&monthly, time(now)), Some((time(from), time(until))), "{now}");
        }
        assert_eq!(
            next_due(&monthly, time("2026-11-30T23:00:00+01:00")),
            Some(time("2026-12-01T06:00:00+01:00"))
        );
        assert_eq!(late_at(&monthly, time("2026-10-14T00:00:00Z")), Some(time("2026-11-01T08:00:00+01:00")));
        // January is due with December before it.
        assert_eq!(
            due(&daily, time("2027-01-01T12:00:00+01:00")),
            Some((time("2026-12-01T00:00:00+01:00"), time("2027-01-01T00:00:00+01:00")))
        );
    }

    #[test]
    fn days_and_months_that_are_over_are_sent() {
        let days = periods(&of(Often::Daily), time("2026-10-26T06:00:00+01:00"));
        assert_eq!((days.len(), days[0].0), (7, time("2026-10-19T00:00:00+02:00")));
        // 25 hours.
        assert_eq!(days[6], (time("2026-10-25T00:00:00+02:00"), time("2026-10-26T00:00:00+01:00")));
        let months = periods(&of(Often::Monthly), time("2026-11-01T06:00:00+01:00"));
        assert_eq!(
            months,
            [
                (time("2026-09-01T00:00:00+02:00"), time("2026-10-01T00:00:00+02:00")),
                (time("2026-10-01T00:00:00+02:00"), time("2026-11-01T00:00:00+01:00")),
            ]
        );
    }

    #[test]
    fn pauses_grow_and_a_wish_is_heard() {
        let tried = |failures, refused, wish_ms| Tried { at: Some(Instant(0)), failures, refused, wish_ms };
        let minutes = |tried: Tried| tried.again_at(None).unwrap().0 / MINUTE_MS;
        assert_eq!(Tried::default().again_at(None), None);
        let pauses: Vec<_> = (0..9).map(|failures| minutes(tried(failures, false, 0))).collect();
        assert_eq!(pauses, [30, 1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(minutes(tried(1, false, 10 * MINUTE_MS)), 10);
        assert_eq!(minutes(tried(1, false, i64::MAX)), 360);
        assert_eq!(minutes(tried(1, true, 0)), 360);
        assert_eq!(tried(9, true, 0).again_at(Some(5)), Some(Instant(5)));
    }
}
