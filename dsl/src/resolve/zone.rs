//! Time zones as tables: every change of offset inside the calendar, to the millisecond.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeDelta, TimeZone};
use chrono_tz::Tz;
use takst_engine::tariff::{CALENDAR, Zone};
use takst_engine::units::{DAY_MS, Day, Instant};

/// The zone's offset in seconds at `ms` since 1970 UTC.
fn offset(zone: Tz, ms: i64) -> i32 {
    DateTime::from_timestamp_millis(ms)
        .map_or(0, |utc| zone.offset_from_utc_datetime(&utc.naive_utc()).fix().local_minus_utc())
}

/// Days between two looks at a zone: changes that cancel out in between are not found. The soonest that a clock is
/// changed back is after seven days less an hour (Recife in 2000, Gaza around Ramadan).
const STEP: i64 = 6;
const HOUR_MS: i64 = 3_600_000;

/// The table of `zone`. It starts and ends a day outside the calendar, so that every local day of it is inside.
#[must_use]
pub fn table(zone: Tz) -> Zone {
    let start = (i64::from(CALENDAR.start) - 1) * DAY_MS;
    let last = (i64::from(CALENDAR.end) + 1) * DAY_MS;
    let first_offset_s = offset(zone, start);
    let mut changes = Vec::new();
    let (mut from, mut before) = (start, first_offset_s);
    while from < last {
        let end = (from + STEP * DAY_MS).min(last);
        let at_end = offset(zone, end);
        while before != at_end {
            from = first_change(zone, before, from, end);
            before = offset(zone, from);
            changes.push((Instant(from), before));
        }
        from = end;
    }
    Zone { name: zone.name().to_owned(), first_offset_s, changes }
}

/// The instant after `low`, at most `high`, from which on the offset is another one than `before`.
fn first_change(zone: Tz, before: i32, low: i64, high: i64) -> i64 {
    // Nearly all clocks are changed on the hour: a search by hours and one more look find the millisecond.
    let (low, high) = halve(zone, before, low, high, HOUR_MS);
    if offset(zone, high - 1) == before { high } else { halve(zone, before, low, high, 1).1 }
}

/// Narrows `low..high`, at whose ends the offset is `before` and another one, to one `unit`.
fn halve(zone: Tz, before: i32, mut low: i64, mut high: i64, unit: i64) -> (i64, i64) {
    while high - low > unit {
        let middle = low + (high - low) / (2 * unit) * unit;
        // Less than two units: the lower one is whole.
        let middle = if middle == low { low + unit } else { middle };
        if offset(zone, middle) == before {
            low = middle;
        } else {
            high = middle;
        }
    }
    (low, high)
}

/// The instant of a local date and time. In a skipped hour: as if the clock had not been moved. In a repeated hour: the first.
#[must_use]
pub fn instant(zone: Tz, date: NaiveDate, time: NaiveTime) -> Instant {
    let local = NaiveDateTime::new(date, time);
    let shown = zone.from_local_datetime(&local);
    shown.earliest().map_or_else(
        || {
            let utc = local.and_utc().timestamp_millis();
            let eve = (local - TimeDelta::days(1)).and_utc().timestamp_millis();
            Instant(utc - i64::from(offset(zone, eve)) * 1000)
        },
        |at| Instant(at.timestamp_millis()),
    )
}

/// An offset as times show it: `+02:00` for 120 minutes ahead of UTC.
#[must_use]
pub fn offset_text(minutes: i16) -> String {
    let sign = if minutes < 0 { '-' } else { '+' };
    let minutes = minutes.unsigned_abs();
    format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)
}

/// The day number of a date; `None` outside the calendar (2000 to 2099).
#[must_use]
pub fn day(date: NaiveDate) -> Option<Day> {
    let days = date.signed_duration_since(NaiveDate::default()).num_days();
    Day::try_from(days).ok().filter(|day| CALENDAR.contains(day))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn oslo_changes_at_one_utc() {
        let zone = table(chrono_tz::Europe::Oslo);
        assert_eq!(zone.first_offset_s, 3600);
        // 2025-03-30 01:00 UTC and 2025-10-26 01:00 UTC.
        assert!(zone.changes.contains(&(Instant(1_743_296_400_000), 7200)));
        assert!(zone.changes.contains(&(Instant(1_761_440_400_000), 3600)));
        assert!(zone.changes.is_sorted_by_key(|(at, _)| *at));
        assert!(table(chrono_tz::UTC).changes.is_empty());
    }

    #[test]
    fn every_zone_agrees_with_its_table() {
        for zone in chrono_tz::TZ_VARIANTS.into_iter().step_by(7).chain([chrono_tz::Asia::Gaza]) {
            let table = table(zone);
            // Every change is a real one, and exact.
            for (at, now) in &table.changes {
                assert_eq!(offset(zone, at.0), *now, "{zone}");
                assert_ne!(offset(zone, at.0 - 1), *now, "{zone}");
            }
            // Odd steps walk through all hours of the day.
            let mut ms = 946_684_800_000;
            while ms < 4_102_444_800_000 {
                let index = table.changes.partition_point(|(at, _)| at.0 <= ms);
                let want = index.checked_sub(1).map_or(table.first_offset_s, |i| table.changes[i].1);
                assert_eq!(offset(zone, ms), want, "{zone} at {ms}");
                ms += 40 * 3_600_000 + 1_234_567;
            }
        }
    }

    #[test]
    fn no_zone_changes_back_between_two_looks() {
        for zone in chrono_tz::TZ_VARIANTS {
            let table = table(zone);
            let mut changes = table.changes.iter().peekable();
            let mut known = table.first_offset_s;
            for day in i64::from(CALENDAR.start) - 1..=i64::from(CALENDAR.end) + 1 {
                while let Some((_, now)) = changes.next_if(|(at, _)| at.0 <= day * DAY_MS) {
                    known = *now;
                }
                assert_eq!(offset(zone, day * DAY_MS), known, "{zone} on {day}");
            }
        }
    }

    #[test]
    fn local_times_that_do_not_exist_or_exist_twice() {
        let oslo = chrono_tz::Europe::Oslo;
        let at = |d, h, m| {
            let date = NaiveDate::parse_from_str(d, "%Y-%m-%d").unwrap();
            instant(oslo, date, NaiveTime::from_hms_opt(h, m, 0).unwrap()).0
        };
        assert_eq!(at("2025-03-30", 2, 30), 1_743_296_400_000 + 1_800_000);
        assert_eq!(at("2025-10-26", 2, 0), 1_761_440_400_000 - 3_600_000);
        assert_eq!(day(NaiveDate::from_ymd_opt(2000, 1, 1).unwrap()), Some(10_957));
        assert_eq!(day(NaiveDate::from_ymd_opt(2100, 1, 1).unwrap()), None);
    }
}
