//! What prices to ask which source for, and when. Pure: times and what is known come in.
//!
//! The prices of a day are looked for from the time on at which its source publishes them, the day before. Today's are always looked for. A
//! source that has nothing is asked again after its own pause; one that fails after a pause that grows, or when it says itself. The second
//! source has its turn when the first has failed, or is late.

use crate::setup::{Local, TimeOfDay, Zone};
use chrono::{NaiveDate, NaiveTime, TimeZone as _};
use chrono_tz::Tz;
use std::collections::BTreeMap;
use takst_engine::units::{HOUR_MS, Instant, MINUTE_MS};
use takst_plugins::manifest::Schedule;

/// The first pause after a failure.
const FIRST_PAUSE: i64 = 30_000;
/// The longest one.
const LONGEST_PAUSE: i64 = HOUR_MS;
/// A source that wants to be left alone for longer is asked all the same.
const LONGEST_WISH: i64 = 6 * HOUR_MS;

/// When a source has the prices of the next day.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Times {
    /// From then on they may be there.
    pub at: TimeOfDay,
    /// From then on they are late.
    pub late: TimeOfDay,
    /// The clock of both.
    pub zone: Tz,
    /// The pause while they are not there, in milliseconds.
    pub retry_ms: i64,
}

/// A source and its times.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Source {
    /// The plugin's name here.
    pub plugin: String,
    /// When it has prices.
    pub times: Times,
}

/// What there is to plan for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Terms {
    /// The clock of the area: its days are the days of prices.
    pub zone: Tz,
    /// Who is asked.
    pub first: Source,
    /// Who is asked when the first is late or fails.
    pub second: Option<Source>,
}

/// One of the two sources.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Which {
    /// Who is asked.
    First,
    /// Who is asked when the first is late or fails.
    Second,
}

/// What came of asking.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Came {
    /// Nothing, or not the whole day: not published yet.
    Nothing,
    /// It failed, so many times in a row.
    Failed {
        /// In a row.
        failures: u32,
        /// Asking again would not help, as the source says.
        refused: bool,
        /// Not before so many milliseconds, as the source says.
        wish_ms: Option<i64>,
    },
}

/// The last time that a source was asked for a day.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tried {
    /// When.
    pub at: Instant,
    /// What came of it.
    pub came: Came,
}

/// What to do next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Next {
    /// Ask this source for this day.
    Fetch(Which, NaiveDate),
    /// Nothing before then, unless prices or the set-up change.
    Wait(Instant),
}

impl Times {
    /// Of a plugin's manifest; `area`: the clock of a schedule that names none. A source without a schedule is asked at noon.
    #[must_use]
    pub fn of(schedule: Option<&Schedule>, area: Tz) -> Self {
        let time = |text: &str, usual: u16| {
            let minutes = text.split_once(':').and_then(|(hour, minute)| {
                hour.parse::<u16>().ok()?.checked_mul(60)?.checked_add(minute.parse().ok()?)
            });
            TimeOfDay(minutes.filter(|minutes| *minutes < 24 * 60).unwrap_or(usual))
        };
        let (noon, evening) = (12 * 60, 18 * 60);
        let Some(schedule) = schedule else {
            let retry_ms = 10 * MINUTE_MS;
            return Self { at: TimeOfDay(noon), late: TimeOfDay(evening), zone: area, retry_ms };
        };
        Self {
            at: time(&schedule.at, noon),
            late: time(&schedule.late, evening),
            zone: schedule.time_zone.as_deref().and_then(|zone| zone.parse().ok()).unwrap_or(area),
            retry_ms: i64::try_from(schedule.retry.0.as_millis()).unwrap_or(HOUR_MS),
        }
    }

    // That time of the day before `day`.
    fn before(&self, day: NaiveDate, time: TimeOfDay) -> Instant {
        local(self.zone, day.pred_opt().unwrap_or(day), time)
    }
}

/// That time of a day. In an hour that the clock skips: as if it had not been moved; in one it repeats: the first.
#[must_use]
pub fn local(zone: Tz, day: NaiveDate, time: TimeOfDay) -> Instant {
    let time = NaiveTime::from_num_seconds_from_midnight_opt(u32::from(time.0) * 60, 0).unwrap_or_default();
    Zone(zone).instant(Local(day.and_time(time)))
}

/// From when to when a day of an area lasts.
#[must_use]
pub fn days(zone: Tz, day: NaiveDate) -> (Instant, Instant) {
    let midnight = |day| local(zone, day, TimeOfDay(0));
    (midnight(day), midnight(day.succ_opt().unwrap_or(day)))
}

/// Today and tomorrow in an area.
#[must_use]
pub fn today_and_tomorrow(zone: Tz, now: Instant) -> [NaiveDate; 2] {
    let today = zone.timestamp_millis_opt(now.0).earliest().map(|at| at.date_naive()).unwrap_or_default();
    [today, today.succ_opt().unwrap_or(today)]
}

/// From when on the prices of a day are late.
#[must_use]
pub fn late_at(terms: &Terms, day: NaiveDate) -> Instant {
    terms.first.times.before(day, terms.first.times.late)
}

/// What to do now. `known`: whether there are prices of all of a day; `tries`: what came of asking before.
#[must_use]
pub fn next(
    now: Instant,
    terms: &Terms,
    known: impl Fn(NaiveDate) -> bool,
    tries: &BTreeMap<(NaiveDate, Which), Tried>,
) -> Next {
    let [today, tomorrow] = today_and_tomorrow(terms.zone, now);
    // Then another day is tomorrow.
    let (_, mut wait) = days(terms.zone, today);
    for day in [today, tomorrow] {
        if known(day) {
            continue;
        }
        let first = tries.get(&(day, Which::First));
        let mut turns = vec![(turn(&terms.first.times, day, first, None), Which::First)];
        if let Some(second) = &terms.second {
            let stands_in = match first.map(|tried| (tried.at, tried.came)) {
                Some((at, Came::Failed { .. })) => at,
                _ => late_at(terms, day),
            };
            let tried = tries.get(&(day, Which::Second));
            turns.push((turn(&second.times, day, tried, Some(stands_in)), Which::Second));
        }
        for (at, which) in turns {
            if at <= now {
                return Next::Fetch(which, day);
            }
            wait = wait.min(at);
        }
    }
    Next::Wait(wait)
}

// When a source is asked for a day next, and not before `earliest`.
fn turn(times: &Times, day: NaiveDate, tried: Option<&Tried>, earliest: Option<Instant>) -> Instant {
    let begins = times.before(day, times.at).max(earliest.unwrap_or(Instant(i64::MIN)));
    let Some(Tried { at, came }) = tried else { return begins };
    let pause = match came {
        Came::Nothing => times.retry_ms,
        Came::Failed { refused: true, wish_ms, .. } => {
            LONGEST_PAUSE.max(wish_ms.unwrap_or(0).min(LONGEST_WISH))
        }
        Came::Failed { failures, wish_ms, .. } => {
            let doubled = FIRST_PAUSE << failures.saturating_sub(1).min(10);
            doubled.min(LONGEST_PAUSE).max(wish_ms.unwrap_or(0).min(LONGEST_WISH))
        }
    };
    begins.max(Instant(at.0.saturating_add(pause)))
}

#[cfg(test)]
mod tests;
