//! Values become rows: what is the same changes nothing, what says otherwise takes the place of what stood there, and that stays as history.

use super::check::{Clean, Good};
use super::costs::{self, CostState, MonthCosts, month_of};
use crate::house::Plant;
use crate::store::{self, LONGEST_VALUE_MS, MeterDirection, MeterReceipt, MeterValue, NewEvent, OrgId, Tx};
use serde_json::json;
use std::collections::BTreeMap;
use takst_engine::calendar_time::utc_text;
use takst_engine::units::Instant;

/// What came of a file or an answer.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Kept {
    /// What its values are kept under; none when it said nothing new.
    pub receipt: Option<String>,
    /// One for each metering point and direction.
    pub series: Vec<SeriesKept>,
    /// Sites and months whose cost price asks for these values, and how it stands with it.
    pub costs: Vec<(String, String, CostState)>,
}

/// What came of one metering point.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SeriesKept {
    /// Its number.
    pub point: String,
    /// Which way.
    pub direction: MeterDirection,
    /// The first instant with a value in the file; none when there is no value.
    pub span: Option<(Instant, Instant)>,
    /// Intervals that had no value before.
    pub new: usize,
    /// Intervals whose value took the place of another one.
    pub replaced: usize,
    /// Intervals that stood there already.
    pub same: usize,
    /// Spans between the first and the last value for which no value is known, from this file or an earlier one.
    pub gaps: Vec<(Instant, Instant)>,
}

/// Keeps them.
pub(super) async fn keep(
    tx: &mut Tx,
    org: &OrgId,
    receipt: &MeterReceipt,
    all: &[Clean],
    plants: &BTreeMap<String, Plant>,
) -> Result<Kept, store::Error> {
    // Two files through two gateways at the same moment come one after the other.
    tx.lock_meters(org).await?;
    let mut kept = Kept::default();
    let mut touched: Vec<(&str, Instant, Instant)> = Vec::new();
    for clean in all {
        let point = (clean.point.as_str(), clean.direction);
        let span =
            clean.values.first().zip(clean.values.last()).map(|(first, last)| (first.from, last.until));
        let Some(span) = span else {
            kept.series.push(SeriesKept {
                point: clean.point.clone(),
                direction: clean.direction,
                span: None,
                new: 0,
                replaced: 0,
                same: 0,
                gaps: clean.missing.clone(),
            });
            continue;
        };
        let standing = tx.meter_values(org, point, span, false).await?;
        let Sorted { fresh, replaced, same } = sort(clean, &standing)?;
        if !fresh.is_empty() {
            if kept.receipt.is_none() {
                tx.add_meter_receipt(org, receipt).await?;
                kept.receipt = Some(receipt.id.clone());
            }
            for run in runs(&fresh) {
                tx.replace_meter_values(org, point, run, &receipt.id).await?;
            }
            let row = |good: &&Good| MeterValue {
                point: clean.point.clone(),
                direction: clean.direction,
                from_at: good.from,
                until_at: good.until,
                kwh: good.kwh.clone(),
                quality: good.quality,
                receipt: receipt.id.clone(),
                replaced_by: None,
            };
            tx.add_meter_values(org, &fresh.iter().map(row).collect::<Vec<_>>()).await?;
            if clean.direction == MeterDirection::Consumption {
                touched.push((&clean.point, span.0, span.1));
            }
        }
        let now_known = tx.meter_values(org, point, span, false).await?;
        let series = SeriesKept {
            point: clean.point.clone(),
            direction: clean.direction,
            span: Some(span),
            new: fresh.len().saturating_sub(replaced),
            replaced,
            same,
            gaps: gaps(&now_known, span),
        };
        if !fresh.is_empty() {
            tx.log_event(org, event(receipt, &series));
        }
        kept.series.push(series);
    }
    for (site, plant) in plants {
        let mut months: Vec<_> = touched
            .iter()
            .filter(|(point, ..)| plant.points.iter().any(|own| own == point))
            .flat_map(|(_, from, until)| months(plant, *from, *until))
            .collect();
        months.sort_unstable();
        months.dedup();
        for month in months {
            if tx.plant_costs(org, site, &month.to_string()).await?.is_empty() {
                continue;
            }
            let state =
                costs::settle(tx, org, &MonthCosts::new(site, month, plant), receipt.received_at).await?;
            kept.costs.push((site.clone(), month.to_string(), state));
        }
    }
    Ok(kept)
}

fn months(plant: &Plant, from: Instant, until: Instant) -> Vec<takst_engine::month::YearMonth> {
    let mut all: Vec<takst_engine::month::YearMonth> = Vec::new();
    let last = Instant(until.0 - 1);
    let mut at = from;
    // Two looks a month at least, so that none is passed by.
    while at < last {
        all.extend(month_of(plant.zone, at));
        at = Instant(at.0.saturating_add(LONGEST_VALUE_MS / 5));
    }
    all.extend(month_of(plant.zone, last));
    all.dedup();
    all
}

struct Sorted<'a> {
    // Values that are to be kept, in order.
    fresh: Vec<&'a Good>,
    // How many of those take the place of another one.
    replaced: usize,
    same: usize,
}

// A value that is known is replaced as a whole, or not at all: nobody knows what a part of an hour's energy was.
fn sort<'a>(clean: &'a Clean, standing: &[MeterValue]) -> Result<Sorted<'a>, store::Error> {
    let mut sorted = Sorted { fresh: Vec::new(), replaced: 0, same: 0 };
    let mut stands = standing.iter().peekable();
    for good in &clean.values {
        while stands.next_if(|stand| stand.until_at <= good.from).is_some() {}
        let under = stands.peek().filter(|stand| stand.from_at < good.until);
        match under {
            Some(stand) if same(stand, good) => sorted.same += 1,
            under => {
                sorted.replaced += usize::from(under.is_some());
                sorted.fresh.push(good);
            }
        }
    }
    let runs = runs(&sorted.fresh);
    let mut at = runs.iter().peekable();
    for stand in standing {
        while at.next_if(|run| run.1 <= stand.from_at).is_some() {}
        let Some(run) = at.peek().filter(|run| run.0 < stand.until_at) else { continue };
        if run.0 > stand.from_at || run.1 < stand.until_at {
            let (from, until) = (utc_text(stand.from_at), utc_text(stand.until_at));
            return Err(store::Error::refused(format!(
                "metering point {}: the value from {from} to {until} is known as a whole, and only a part of that time is brought now; nothing was kept. Bring all of it",
                clean.point
            )));
        }
    }
    Ok(sorted)
}

fn same(stand: &MeterValue, good: &Good) -> bool {
    stand.from_at == good.from
        && stand.until_at == good.until
        && stand.kwh == good.kwh
        && stand.quality == good.quality
}

// Stretches of time that values cover without a gap.
fn runs(values: &[&Good]) -> Vec<(Instant, Instant)> {
    let mut runs: Vec<(Instant, Instant)> = Vec::new();
    for value in values {
        match runs.last_mut().filter(|run| run.1 == value.from) {
            Some(run) => run.1 = value.until,
            None => runs.push((value.from, value.until)),
        }
    }
    runs
}

/// Where no value is known.
pub(super) fn gaps(known: &[MeterValue], (from, until): (Instant, Instant)) -> Vec<(Instant, Instant)> {
    let mut gaps = Vec::new();
    let mut at = from;
    for value in known {
        if value.from_at > at && at < until {
            gaps.push((at, value.from_at.min(until)));
        }
        at = at.max(value.until_at);
    }
    if at < until {
        gaps.push((at, until));
    }
    gaps
}

fn event(receipt: &MeterReceipt, series: &SeriesKept) -> NewEvent {
    let SeriesKept { point, direction, span, new, replaced, same, gaps } = series;
    let document = json!({
        "point": point, "direction": direction.as_str(), "receipt": receipt.id, "source": receipt.source,
        "from": span.map(|span| utc_text(span.0)), "until": span.map(|span| utc_text(span.1)),
        "new": new, "replaced": replaced, "same": same, "gaps": gaps.len(),
    });
    NewEvent {
        at: receipt.received_at,
        kind: "meter.received".to_owned(),
        subject: point.clone(),
        document: document.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::MeterQuality;

    fn good(from: i64, until: i64, kwh: &str) -> Good {
        let (from, until) = (Instant(from), Instant(until));
        Good { from, until, kwh: kwh.to_owned(), quality: MeterQuality::Measured }
    }

    fn clean(values: Vec<Good>) -> Clean {
        Clean { point: "p".to_owned(), direction: MeterDirection::Consumption, values, missing: Vec::new() }
    }

    fn stand(from: i64, until: i64, kwh: &str) -> MeterValue {
        MeterValue {
            point: "p".to_owned(),
            direction: MeterDirection::Consumption,
            from_at: Instant(from),
            until_at: Instant(until),
            kwh: kwh.to_owned(),
            quality: MeterQuality::Measured,
            receipt: "r".to_owned(),
            replaced_by: None,
        }
    }

    #[test]
    fn what_stands_is_told_from_what_is_new_and_what_is_other() {
        let standing = [stand(0, 4, "1"), stand(4, 8, "2"), stand(12, 16, "4")];
        let clean = clean(vec![
            good(0, 4, "1"),
            good(4, 8, "2.5"),
            good(8, 12, "3"),
            good(12, 14, "1"),
            good(14, 16, "3"),
        ]);
        let Sorted { fresh, replaced, same } = sort(&clean, &standing).ok().unwrap();
        // An hour that is known in two halves now: both take its place.
        assert_eq!((fresh.len(), replaced, same), (4, 3, 1));
        assert_eq!(runs(&fresh), [(Instant(4), Instant(16))]);
    }

    #[test]
    fn a_part_of_a_known_value_is_refused() {
        for part in [good(0, 2, "1"), good(1, 3, "1"), good(2, 4, "1")] {
            let why = sort(&clean(vec![part]), &[stand(0, 4, "1")]).err().unwrap().to_string();
            assert!(why.contains("known as a whole"), "{why}");
        }
        let whole = clean(vec![good(-4, 2, "1"), good(2, 6, "1")]);
        assert!(sort(&whole, &[stand(0, 4, "1")]).is_ok());
        let hole = clean(vec![good(0, 1, "1"), good(2, 4, "1")]);
        assert!(sort(&hole, &[stand(0, 4, "1")]).is_err());
    }

    #[test]
    fn gaps_are_where_nothing_is_known() {
        let known = [stand(2, 4, "1"), stand(6, 8, "1")];
        let pair = |from, until| (Instant(from), Instant(until));
        assert_eq!(gaps(&known, (Instant(0), Instant(10))), [pair(0, 2), pair(4, 6), pair(8, 10)]);
        assert_eq!(gaps(&known, (Instant(3), Instant(4))), []);
    }
}
