//! The energy that cars took at a site, in equal steps of time. Between two readings energy is spread evenly; nothing is lost or added by it:
//! the steps of a session add up to what its bill counts.

use super::MeterError;
use crate::sessions::to_engine;
use crate::store::{OrgId, Session, SessionFilter, SessionStatus, Store};
use futures_util::StreamExt as _;
use std::collections::BTreeMap;
use std::pin::pin;
use takst_engine::calendar_time::INSTANTS;
use takst_engine::exact::print_decimal;
use takst_engine::running::LONGEST_SESSION_DAYS;
use takst_engine::session::Reading;
use takst_engine::units::{DAY_MS, HOUR_MS, Instant, MINUTE_MS};
use takst_plugins::model::meters::{Quality, Value};

/// The steps there are: quarter-hours and hours.
pub const STEPS_MS: [i64; 2] = [15 * MINUTE_MS, HOUR_MS];
/// The longest time at once.
const LONGEST: i64 = 400 * DAY_MS;

/// Energy by step.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Charging {
    /// The first step begins then.
    pub from: Instant,
    /// How long a step is, ms.
    pub step_ms: i64,
    /// Millionths of a kWh of each step, one after the other.
    pub energy: Vec<i64>,
    /// Sessions that still run or have told no end: their steps can still grow.
    pub open: usize,
    /// Sessions that are not in it, with why.
    pub left_out: Vec<(String, String)>,
}

impl Charging {
    /// The steps with their first instant and their kWh.
    pub fn steps(&self) -> impl Iterator<Item = (Instant, Instant, String)> {
        let starts = std::iter::successors(Some(self.from.0), |at| at.checked_add(self.step_ms));
        starts.zip(&self.energy).map(|(from, energy)| {
            let until = Instant(from.saturating_add(self.step_ms));
            (Instant(from), until, print_decimal(i128::from(*energy), 6, true))
        })
    }

    /// As a plugin writes them.
    #[must_use]
    pub fn values(&self) -> Vec<Value> {
        let value = |(from, until, kwh): (Instant, Instant, String)| Value {
            from: from.0,
            until: until.0,
            kwh,
            quality: Quality::Measured,
        };
        self.steps().map(value).collect()
    }
}

/// Of those sessions of a site that `counts` says.
pub(super) async fn of(
    store: &Store,
    org: &OrgId,
    (site, counts): (&str, &(dyn Fn(&Session) -> bool + Send + Sync)),
    (from, until): (Instant, Instant),
    step_ms: i64,
    now: Instant,
) -> Result<Charging, MeterError> {
    // What has not begun yet has no values.
    let until = Instant(until.0.min(now.0.div_euclid(step_ms).saturating_mul(step_ms)));
    let wrong = |what: &str| Err(MeterError::Wrong(what.to_owned()));
    if from.0.rem_euclid(step_ms) != 0 || until.0.rem_euclid(step_ms) != 0 {
        return wrong("`from` and `until` lie on the edges of hours, or of quarter-hours with `minutes=15`");
    }
    if until <= from || !INSTANTS.contains(&from.0) {
        return wrong("`until` comes after `from`, and both lie in the past");
    }
    if until.0 - from.0 > LONGEST {
        return wrong("at most 400 days at once; ask in pieces");
    }
    let filter = SessionFilter {
        site: Some(site.to_owned()),
        from: Some(Instant(from.0.saturating_sub(LONGEST_SESSION_DAYS * DAY_MS))),
        until: Some(until),
        ..SessionFilter::default()
    };
    let mut steps = BTreeMap::new();
    let (mut open, mut left_out) = (0, Vec::new());
    let mut sessions = pin!(store.stream_sessions(org, filter));
    while let Some(stored) = sessions.next().await {
        let stored = stored?;
        if stored.unplugged.is_some_and(|end| end < from) || !counts(&stored) {
            continue;
        }
        open += usize::from(stored.status == SessionStatus::Running || stored.unplugged.is_none());
        let parts = store.read().await?.session_parts(org, &stored.id).await?;
        match to_engine(&stored, &parts) {
            Ok(session) => spread(&session.readings, (from.0, until.0), step_ms, &mut steps),
            Err(why) => left_out.push((stored.id, why)),
        }
    }
    let count = (until.0 - from.0) / step_ms;
    let energy = (0..count).map(|step| steps.get(&(from.0 + step * step_ms)).copied().unwrap_or(0));
    Ok(Charging { from, step_ms, energy: energy.collect(), open, left_out })
}

// Adds the energy of a session to the steps it falls into, by their first instants.
fn spread(readings: &[Reading], (from, until): (i64, i64), step: i64, steps: &mut BTreeMap<i64, i64>) {
    for pair in readings.array_windows::<2>() {
        let [one, other] = pair;
        let energy = other.import.0.saturating_sub(one.import.0);
        // A register that falls within a segment is a mistake, which pricing tells of.
        if one.segment != other.segment || energy <= 0 {
            continue;
        }
        let (start, end) = (one.at.0, other.at.0);
        let before = |at: i64| -> i64 {
            if at >= end {
                return energy;
            }
            let part =
                i128::from(energy) * i128::from((at - start).max(0)) / i128::from((end - start).max(1));
            i64::try_from(part).unwrap_or(energy)
        };
        let last = (end - 1).max(start).div_euclid(step) * step;
        let mut at = (start.div_euclid(step) * step).max(from);
        while at <= last && at < until {
            let first = if at <= start { 0 } else { before(at) };
            let share = before(at.saturating_add(step)) - first;
            *steps.entry(at).or_default() += share;
            at = at.saturating_add(step);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use takst_engine::units::Energy;

    fn reading(minute: i64, micro: i64, segment: u32) -> Reading {
        Reading { at: Instant(minute * MINUTE_MS), import: Energy(micro), export: Energy(0), segment }
    }

    fn hours(readings: &[Reading], span: (i64, i64)) -> Vec<(i64, i64)> {
        let mut steps = BTreeMap::new();
        spread(readings, (span.0 * HOUR_MS, span.1 * HOUR_MS), HOUR_MS, &mut steps);
        steps.into_iter().map(|(at, energy)| (at / HOUR_MS, energy)).collect()
    }

    #[test]
    fn steps_add_up_to_the_session() {
        // From 0:30 to 3:10 in one piece: 160 minutes.
        let readings = [reading(30, 5, 0), reading(190, 1_000_006, 0)];
        let all = hours(&readings, (0, 24));
        assert_eq!(all, [(0, 187_500), (1, 375_000), (2, 375_000), (3, 62_501)]);
        assert_eq!(all.iter().map(|(_, energy)| energy).sum::<i64>(), 1_000_001);
        // Only what lies in the time that is asked for.
        assert_eq!(hours(&readings, (1, 3)), [(1, 375_000), (2, 375_000)]);
    }

    #[test]
    fn another_meter_begins_anew_and_a_jump_stays_in_its_hour() {
        let readings = [
            reading(0, 900, 0),
            reading(60, 1_000, 0),
            reading(60, 7, 1),
            reading(60, 9, 1),
            reading(90, 19, 1),
        ];
        assert_eq!(hours(&readings, (0, 24)), [(0, 100), (1, 12)]);
    }
}
