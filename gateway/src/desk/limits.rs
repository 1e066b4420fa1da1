//! When a charging profile lets nothing through.

use crate::chargers::model::{ChargingProfile, ChargingSchedule, ProfileKind, Recurrency};
use takst_engine::units::{DAY_MS, Instant};

/// Recurring profiles are looked at so far ahead: longer than sessions last.
const AHEAD_MS: i64 = 30 * DAY_MS;
/// Most changes that are told.
const MOST: usize = 500;

/// Whether a profile lets nothing through, from `now` on: the first entry is that of `now`, each other one a change. A profile whose
/// times count from the start of a transaction is taken to begin now.
pub(super) fn plan(profile: &ChargingProfile, now: Instant) -> Vec<(Instant, bool)> {
    let Some(schedule) = profile.schedules.first() else { return vec![(now, false)] };
    let every = match (&profile.kind, &profile.recurrency) {
        (ProfileKind::Recurring, Some(Recurrency::Weekly)) => Some(7 * DAY_MS),
        (ProfileKind::Recurring, _) => Some(DAY_MS),
        _ => None,
    };
    let relative = matches!(profile.kind, ProfileKind::Relative);
    let start = schedule.start.filter(|_| !relative).unwrap_or(now);
    let mut edges: Vec<i64> =
        [profile.valid_from, profile.valid_to].into_iter().flatten().map(|at| at.0).collect();
    let mut begins = first(start, every, now);
    while begins <= now.0.saturating_add(AHEAD_MS) && edges.len() < MOST {
        let seconds = schedule.periods.iter().map(|period| period.start_s).chain(schedule.duration_s);
        edges.push(begins);
        edges.extend(seconds.map(|seconds| begins.saturating_add(seconds.saturating_mul(1000))));
        let Some(every) = every else { break };
        begins = begins.saturating_add(every);
    }
    edges.retain(|at| *at > now.0);
    edges.sort_unstable();
    let mut plan: Vec<(Instant, bool)> = Vec::new();
    for at in std::iter::once(now).chain(edges.into_iter().map(Instant)).take(MOST) {
        let valid =
            profile.valid_from.is_none_or(|from| from <= at) && profile.valid_to.is_none_or(|to| at < to);
        let nothing = valid && lets_nothing(schedule, at.0.saturating_sub(first(start, every, at)));
        if plan.last().is_none_or(|(_, last)| *last != nothing) {
            plan.push((at, nothing));
        }
    }
    plan
}

// The last time at or before `at` that the schedule begins; its only time when it does not come back.
fn first(start: Instant, every: Option<i64>, at: Instant) -> i64 {
    match every {
        Some(every) if start <= at => {
            let passed = at.0.saturating_sub(start.0);
            start.0.saturating_add(passed.saturating_sub(passed % every))
        }
        _ => start.0,
    }
}

// At so many milliseconds after its begin.
fn lets_nothing(schedule: &ChargingSchedule, passed: i64) -> bool {
    let over = |seconds: i64| passed >= seconds.saturating_mul(1000);
    if passed < 0 || schedule.duration_s.is_some_and(over) {
        return false;
    }
    let period =
        schedule.periods.iter().filter(|period| over(period.start_s)).max_by_key(|period| period.start_s);
    period.is_some_and(|period| period.limit.is_some_and(|limit| limit.is_zero()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that fails panics")]

    use super::*;
    use serde_json::json;

    const NOW: Instant = Instant(1_741_593_600_000);

    fn hours(profile: &ChargingProfile) -> Vec<(i64, bool)> {
        let hour = |at: Instant| (at.0 - NOW.0) / 3_600_000;
        plan(profile, NOW).into_iter().map(|(at, nothing)| (hour(at), nothing)).collect()
    }

    // Limits by the hour they begin at.
    fn profile(kind: &str, periods: &[(i64, u32)]) -> ChargingProfile {
        let periods: Vec<_> = periods
            .iter()
            .map(|(hour, limit)| json!({ "start_s": hour * 3600, "limit": limit.to_string() }))
            .collect();
        serde_json::from_value(json!({
            "id": 1, "stack_level": 0, "purpose": "TxProfile", "kind": kind,
            "schedules": [{ "id": 1, "unit": "A", "periods": periods }],
        }))
        .unwrap()
    }

    #[test]
    fn a_limit_of_nothing_holds_as_long_as_its_period() {
        assert_eq!(hours(&profile("Relative", &[(0, 0), (2, 32)])), [(0, true), (2, false)]);
        assert_eq!(
            hours(&profile("Relative", &[(0, 16), (1, 0), (3, 0), (4, 6)])),
            [(0, false), (1, true), (4, false)]
        );
        assert_eq!(hours(&profile("Relative", &[(0, 0)])), [(0, true)]);
        let mut short = profile("Relative", &[(0, 0)]);
        short.schedules[0].duration_s = Some(3 * 3600);
        assert_eq!(hours(&short), [(0, true), (3, false)]);
        short.valid_to = Some(Instant(NOW.0 + 3_600_000));
        assert_eq!(hours(&short), [(0, true), (1, false)]);
    }

    #[test]
    fn it_begins_when_the_schedule_does() {
        let mut later = profile("Absolute", &[(0, 0), (2, 32)]);
        later.schedules[0].start = Some(Instant(NOW.0 + 5 * 3_600_000));
        assert_eq!(hours(&later), [(0, false), (5, true), (7, false)]);
        later.schedules[0].start = Some(Instant(NOW.0 - 3_600_000));
        assert_eq!(hours(&later), [(0, true), (1, false)]);
    }

    #[test]
    fn what_comes_back_every_day_holds_every_day() {
        let mut daily = profile("Recurring", &[(0, 32), (16, 0), (20, 32)]);
        daily.schedules[0].start = Some(Instant(NOW.0 - 42 * 3_600_000));
        let plan = hours(&daily);
        // 18 hours after the begin of the second day.
        assert_eq!(plan[..5], [(0, true), (2, false), (22, true), (26, false), (46, true)]);
        assert!(plan.len() > 50);
    }
}
