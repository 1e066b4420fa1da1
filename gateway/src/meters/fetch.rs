//! Brings values of metering points by itself: asks the plugins of the set-up for what should be there and is not, and tells of what is late.

use super::keep::gaps;
use super::when::{Tried, due, late_at, next_due};
use super::{By, MeterError, Meters};
use crate::house::ScheduledPoint;
use crate::plugins::Options;
use crate::store::{self, Alert, Lane, MeterDirection, MeterQuality, MeterValue};
use serde_json::json;
use std::collections::BTreeMap;
use takst_engine::calendar_time::utc_text;
use takst_engine::units::{Instant, MINUTE_MS};
use takst_plugins::Failed;
use takst_plugins::model::Outcome;
use takst_plugins::model::meters::{Direction, Span};

/// Values may come another way: what is missing is looked at so often at least.
const LONGEST_QUIET: i64 = MINUTE_MS;
/// Spans of one point that are asked for at one look.
const MOST_AT_ONCE: usize = 8;
/// The kind of incident.
const LATE: &str = "meters.late";

/// What is remembered of a metering point.
struct Memory {
    of: ScheduledPoint,
    // Up to when values were due at the last look.
    due: Option<Instant>,
    tried: Tried,
    wrong: Option<String>,
    // What is estimated is asked for once more each time that more is due: it may have been measured by then.
    asked_estimated: bool,
    quiet_until: Option<Instant>,
    late: Option<bool>,
}

impl Memory {
    fn new(of: ScheduledPoint) -> Self {
        let (due, tried, wrong) = (None, Tried::default(), None);
        Self { of, due, tried, wrong, asked_estimated: false, quiet_until: None, late: None }
    }
}

/// Asks for what is missing.
pub struct MeterFetcher {
    meters: Meters,
    options: Options,
    // By plugin: one that lets wait keeps no other one waiting.
    plugins: BTreeMap<String, Vec<Memory>>,
    scheduled: Option<Vec<ScheduledPoint>>,
}

impl MeterFetcher {
    /// Of these meters. `options.retry` stands in for all pauses.
    #[must_use]
    pub fn new(meters: Meters, options: Options) -> Self {
        Self { meters, options, plugins: BTreeMap::new(), scheduled: None }
    }

    /// Looks once at all metering points of the schedule.
    ///
    /// # Errors
    /// When the storage fails. What a plugin does wrong is told as an incident.
    pub async fn look(&mut self, now: Instant) -> Result<(), store::Error> {
        let wanted = self.meters.house.fetched_points();
        if self.scheduled.as_ref() != Some(&wanted) {
            self.settle_others(&wanted, now).await?;
            let mut before: Vec<Memory> = std::mem::take(&mut self.plugins).into_values().flatten().collect();
            for of in &wanted {
                let known = before.iter().position(|memory| memory.of == *of);
                let memory = known.map_or_else(|| Memory::new(of.clone()), |at| before.swap_remove(at));
                self.plugins.entry(of.plugin.clone()).or_default().push(memory);
            }
            self.scheduled = Some(wanted);
        }
        let (meters, options) = (&self.meters, self.options);
        let looks = self.plugins.values_mut().map(|points| async move {
            for memory in points {
                point(meters, options, memory, now).await?;
            }
            Ok::<(), store::Error>(())
        });
        futures_util::future::join_all(looks).await.into_iter().collect()
    }

    // What is asked for no more can neither be late nor come.
    async fn settle_others(&self, wanted: &[ScheduledPoint], now: Instant) -> Result<(), store::Error> {
        let org = self.meters.org().clone();
        let open = self.meters.store.read().await?.open_incidents(&org).await?;
        let subjects: Vec<String> = wanted.iter().map(subject).collect();
        let over = open.into_iter().filter(|one| one.kind == LATE && !subjects.contains(&one.subject));
        for incident in over {
            let document = json!({ "reason": "it is fetched no more" });
            tell(&self.meters, incident.subject, false, document, now).await?;
        }
        Ok(())
    }
}

async fn point(
    meters: &Meters,
    options: Options,
    memory: &mut Memory,
    now: Instant,
) -> Result<(), store::Error> {
    if memory.quiet_until.is_some_and(|until| now < until) {
        return Ok(());
    }
    let Some(span) = due(&memory.of, now) else { return Ok(()) };
    if memory.due.replace(span.1) != Some(span.1) {
        (memory.tried, memory.wrong, memory.asked_estimated) = (Tried::default(), None, false);
    }
    let known = values(meters, &memory.of, span).await?;
    let mut missing = gaps(&known, span);
    let mut wanted = missing.clone();
    if !memory.asked_estimated {
        let is_estimated = |value: &&MeterValue| value.quality == MeterQuality::Estimated;
        let inside = |value: &&MeterValue| value.from_at >= span.0 && value.until_at <= span.1;
        let estimated = known.iter().filter(is_estimated).filter(inside);
        wanted.extend(estimated.map(|value| (value.from_at, value.until_at)));
    }
    let retry_ms = options.retry.map(|retry| i64::try_from(retry.as_millis()).unwrap_or(i64::MAX));
    let again_at = memory.tried.again_at(retry_ms);
    if !wanted.is_empty() && again_at.is_none_or(|at| at <= now) {
        ask(meters, memory, joined(wanted), now).await?;
        missing = gaps(&values(meters, &memory.of, span).await?, span);
    }
    let first = missing.first().copied();
    let late = first.is_some_and(|(from, _)| {
        let is_late = late_at(&memory.of, from).is_some_and(|at| at <= now);
        memory.tried.refused || (is_late && memory.tried.at.is_some())
    });
    if memory.late != Some(late) {
        let document = document(memory, first, missing.len());
        tell(meters, subject(&memory.of), late, document, now).await?;
        memory.late = Some(late);
    }
    let soon = Instant(now.0.saturating_add(LONGEST_QUIET));
    let again_at = memory.tried.again_at(retry_ms).unwrap_or(soon).min(soon);
    let due_at = next_due(&memory.of, now).unwrap_or(soon);
    memory.quiet_until =
        Some(if missing.is_empty() && memory.asked_estimated { due_at } else { again_at.min(due_at) });
    Ok(())
}

async fn values(
    meters: &Meters,
    of: &ScheduledPoint,
    span: (Instant, Instant),
) -> Result<Vec<MeterValue>, store::Error> {
    let point = (of.point.as_str(), MeterDirection::Consumption);
    meters.store.read().await?.meter_values(meters.org(), point, span, false).await
}

// Spans that touch are asked for as one.
fn joined(mut spans: Vec<(Instant, Instant)>) -> Vec<(Instant, Instant)> {
    spans.sort_unstable();
    let mut joined: Vec<(Instant, Instant)> = Vec::new();
    for span in spans {
        match joined.last_mut().filter(|last| last.1 >= span.0) {
            Some(last) => last.1 = last.1.max(span.1),
            None => joined.push(span),
        }
    }
    joined
}

async fn ask(
    meters: &Meters,
    memory: &mut Memory,
    spans: Vec<(Instant, Instant)>,
    now: Instant,
) -> Result<(), store::Error> {
    let of = &memory.of;
    let by = By { who: format!("schedule of {}", of.plugin), now };
    let mut failed = None;
    for (from, until) in spans.into_iter().take(MOST_AT_ONCE) {
        let span =
            Span { point: of.point.clone(), direction: Direction::Consumption, from: from.0, until: until.0 };
        match meters.fetch(Some(&of.plugin), span, &by).await {
            Ok(_) => {}
            Err(MeterError::Store(error)) => return Err(error),
            Err(error) => {
                failed = Some(error);
                break;
            }
        }
    }
    memory.asked_estimated = failed.is_none();
    let (refused, wish_ms) = match &failed {
        Some(MeterError::Plugin { failed, .. }) => {
            let wish = match failed {
                Failed::Said(error) => error.retry_after.map_or(0, |seconds| i64::from(seconds) * 1_000),
                Failed::Stopped(_) => 0,
            };
            (failed.outcome() == Outcome::Refused, wish)
        }
        Some(MeterError::NoPlugin(_)) => (true, 0),
        _ => (false, 0),
    };
    let failures = if failed.is_some() { memory.tried.failures.saturating_add(1) } else { 0 };
    memory.tried = Tried { at: Some(now), failures, refused, wish_ms };
    memory.wrong = failed.map(|error| error.to_string());
    if let Some(wrong) = &memory.wrong {
        tracing::warn!(
            plugin = memory.of.plugin,
            point = memory.of.point,
            wrong,
            "meter values could not be fetched"
        );
    }
    Ok(())
}

// What an incident about a point is about.
fn subject(of: &ScheduledPoint) -> String {
    format!("{}: {}", of.plugin, of.point)
}

fn document(memory: &Memory, first: Option<(Instant, Instant)>, gaps: usize) -> serde_json::Value {
    let ScheduledPoint { plugin, point, site, .. } = &memory.of;
    json!({
        "plugin": plugin, "point": point, "site": site, "gaps": gaps,
        "from": first.map(|gap| utc_text(gap.0)), "until": first.map(|gap| utc_text(gap.1)),
        "reason": memory.wrong.clone().unwrap_or_else(|| "the other system does not have the values yet".to_owned()),
        "help": "it is asked again by itself; `POST /api/v1/meter-values` takes a file with them, `POST /api/v1/meter-values/fetch` asks at once",
    })
}

async fn tell(
    meters: &Meters,
    subject: String,
    late: bool,
    document: serde_json::Value,
    now: Instant,
) -> Result<(), store::Error> {
    let org = meters.org().clone();
    let lane = Lane::org(&org);
    let unit = async move |tx: &mut store::Tx| {
        let alert = Alert { subject: &subject, kind: LATE, severity: "warning" };
        match late {
            true => tx.raise(&org, alert, &document, now).await,
            false => tx.settle(&org, alert, &document, now).await,
        }
        .map(drop)
    };
    meters.store.write(lane, unit).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_that_touch_are_one() {
        let pair = |from, until| (Instant(from), Instant(until));
        let spans = vec![pair(4, 6), pair(0, 2), pair(2, 3), pair(5, 9), pair(10, 11)];
        assert_eq!(joined(spans), [pair(0, 3), pair(4, 9), pair(10, 11)]);
        assert_eq!(joined(Vec::new()), []);
    }
}
