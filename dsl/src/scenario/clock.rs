//! From a time on the clock of a test to the instant that it means.

use super::{Failure, failure};
use crate::ast::{At, Moment};
use crate::resolve::zone::{day, offset_text};
use chrono::NaiveDate;
use takst_engine::calendar_time::LocalTime;
use takst_engine::tariff::Zone;
use takst_engine::units::{DAY_MS, Instant, MINUTE_MS};

/// When the clock of `zone` shows this time on `date`. A time that the clock skips, or shows twice without saying which,
/// is refused.
pub(super) fn instant(zone: &Zone, date: NaiveDate, moment: &At<Moment>) -> Result<Instant, Failure> {
    let Some(known) = day(date) else {
        return Err(failure(moment.span, "this is outside the calendar, which runs from 2000 to 2099"));
    };
    let local = i64::from(known) * DAY_MS + i64::from(moment.it.minute) * MINUTE_MS;
    let shown = format!("{:02}:{:02}", moment.it.minute / 60, moment.it.minute % 60);
    let found = occurrences(zone, local);
    let minutes =
        |at: Instant| i16::try_from(LocalTime::at(zone, at.0).offset_ms / MINUTE_MS).unwrap_or_default();
    match (found.as_slice(), moment.it.offset) {
        ([], _) => {
            let from = gap(zone, local).map(|(before, after)| {
                format!(": the clock goes from {before} to {after}; choose a time outside")
            });
            let message =
                format!("{shown} does not occur on {date} in {}{}", zone.name, from.unwrap_or_default());
            Err(failure(moment.span, message))
        }
        ([at], None) => Ok(*at),
        (several, None) => {
            let ways: Vec<String> =
                several.iter().map(|at| format!("`{shown}{}`", offset_text(minutes(*at)))).collect();
            let message = format!("{shown} occurs twice on {date}: write {}", ways.join(" or "));
            Err(failure(moment.span, message))
        }
        (several, Some(offset)) => {
            let meant = several.iter().find(|at| minutes(**at) == offset);
            meant.copied().ok_or_else(|| {
                let known: Vec<String> = several.iter().map(|at| offset_text(minutes(*at))).collect();
                let message = format!(
                    "at {shown} on {date} the clock in {} is at {}, not at {}",
                    zone.name,
                    known.join(" or "),
                    offset_text(offset)
                );
                failure(moment.span, message)
            })
        }
    }
}

/// The instants at which the clock shows `local` milliseconds, in order.
fn occurrences(zone: &Zone, local: i64) -> Vec<Instant> {
    let mut offsets = [local - DAY_MS, local + DAY_MS].map(|around| LocalTime::at(zone, around).offset_ms);
    // The larger offset is reached first.
    offsets.sort_unstable_by(|a, b| b.cmp(a));
    let mut found: Vec<Instant> = offsets
        .into_iter()
        .map(|offset| Instant(local - offset))
        .filter(|at| LocalTime::at(zone, at.0).offset_ms == local - at.0)
        .collect();
    found.dedup();
    found
}

/// What the clock shows when it is moved on over `local`, and right after that.
fn gap(zone: &Zone, local: i64) -> Option<(String, String)> {
    let before = LocalTime::at(zone, local - DAY_MS);
    let change = Some(before.offset_until).filter(|change| *change < local + DAY_MS)?;
    let shown = |offset_ms: i64| {
        let minute = (change + offset_ms).rem_euclid(DAY_MS) / MINUTE_MS;
        format!("{:02}:{:02}", minute / 60, minute % 60)
    };
    Some((shown(before.offset_ms), shown(LocalTime::at(zone, change).offset_ms)))
}
