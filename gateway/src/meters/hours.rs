//! In which hours the sessions of a site took more than its meters saw: for whoever has to find out what is missing or wrong. Between two readings
//! energy is spread evenly, so an hour by itself proves nothing; the month does.

use super::{MeterError, Meters, costs, drawn};
use crate::store::{self, Lane, MeterDirection, Tx};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use takst_engine::calendar_time::utc_text;
use takst_engine::month::YearMonth;
use takst_engine::units::{Energy, HOUR_MS, Instant};

/// Hours that are named.
const MOST: usize = 10;
/// What is written into the incident.
const HOURS: &str = "hours";

impl Meters {
    /// Notes them in the open incident about a month, once. Where the meters have no values by the hour there is nothing to note.
    pub(super) async fn note_hours(
        &self,
        site: &str,
        month: YearMonth,
        now: Instant,
    ) -> Result<(), store::Error> {
        let subject = format!("{site} {month}");
        let mut reader = self.store.read().await?;
        let open = reader.open_incidents(self.org()).await?;
        let Some(open) = open.into_iter().find(|one| one.kind == drawn::EXCEEDED && one.subject == subject)
        else {
            return Ok(());
        };
        if reader.incident_events(self.org(), &open.id).await?.iter().any(|event| event.kind == HOURS) {
            return Ok(());
        }
        drop(reader);
        let Some(plant) = self.house.plants().remove(site) else { return Ok(()) };
        let span = costs::MonthCosts::new(site, month, &plant).span();
        let charging = match self.charging(site, span, HOUR_MS, now).await {
            Ok(charging) => charging,
            Err(MeterError::Store(error)) => return Err(error),
            // A clock whose days do not begin with an hour.
            Err(_) => return Ok(()),
        };
        let Some(metered) = self.metered(&plant.points, span).await? else { return Ok(()) };
        let steps = std::iter::successors(Some(span.0.0), |at| at.checked_add(HOUR_MS));
        let taken: BTreeMap<i64, i64> = steps.zip(charging.energy).collect();
        let document = Value::from(most_beyond(&taken, &metered)).to_string();
        let (org, incident) = (self.org().clone(), open.id);
        let lane = Lane::org(&org);
        let unit = async move |tx: &mut Tx| {
            tx.add_incident_event(&org, &incident, now, HOURS, &document).await.map(drop)
        };
        self.store.write(lane, unit).await
    }

    // What the meters saw by the hour; none where a value is of a longer time.
    async fn metered(
        &self,
        points: &[String],
        span: (Instant, Instant),
    ) -> Result<Option<BTreeMap<i64, i64>>, store::Error> {
        let mut metered = BTreeMap::new();
        let mut reader = self.store.read().await?;
        for point in points {
            let of = (point.as_str(), MeterDirection::Consumption);
            for value in reader.meter_values(self.org(), of, span, false).await? {
                let hour = value.from_at.0.div_euclid(HOUR_MS) * HOUR_MS;
                if value.until_at.0 > hour.saturating_add(HOUR_MS) {
                    return Ok(None);
                }
                let sum: &mut i64 = metered.entry(hour).or_default();
                *sum = sum.saturating_add(costs::micro(&value.kwh).unwrap_or_default());
            }
        }
        Ok(Some(metered))
    }
}

// By their first instants, millionths of a kWh; the hours that differ most first.
fn most_beyond(taken: &BTreeMap<i64, i64>, metered: &BTreeMap<i64, i64>) -> Vec<Value> {
    let of = |hour: &i64| metered.get(hour).copied().unwrap_or_default();
    let mut beyond: Vec<(i64, i64)> =
        taken.iter().map(|(hour, taken)| (*hour, taken.saturating_sub(of(hour)))).collect();
    beyond.retain(|(_, beyond)| *beyond > 0);
    beyond.sort_by_key(|(hour, beyond)| (std::cmp::Reverse(*beyond), *hour));
    let shown = |(hour, _): (i64, i64)| {
        let sessions = taken.get(&hour).copied().unwrap_or_default();
        json!({
            "from": utc_text(Instant(hour)), "until": utc_text(Instant(hour.saturating_add(HOUR_MS))),
            "sessions_kwh": costs::kwh(Energy(sessions)), "metered_kwh": costs::kwh(Energy(of(&hour))),
        })
    };
    beyond.into_iter().take(MOST).map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hours_that_differ_most_come_first() {
        let taken = BTreeMap::from([(0, 5_000_000), (HOUR_MS, 2_000_000), (2 * HOUR_MS, 1_000_000)]);
        let metered = BTreeMap::from([(0, 4_500_000), (2 * HOUR_MS, 1_000_000)]);
        let all = most_beyond(&taken, &metered);
        let shown: Vec<_> = all
            .iter()
            .map(|one| (one["from"].as_str().unwrap(), one["metered_kwh"].as_str().unwrap()))
            .collect();
        assert_eq!(shown, [("1970-01-01T01:00:00Z", "0"), ("1970-01-01T00:00:00Z", "4.5")]);
        assert_eq!(all[1]["sessions_kwh"], "5");
    }
}
