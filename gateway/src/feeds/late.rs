//! Feeds that should have come: an alert, never a guess.

use super::intake::subject;
use crate::store::{self, Alert, Lane, NewEvent, OrgId, Store};
use serde_json::json;
use takst_engine::calendar_time::{INSTANTS, LocalTime, start_of_day, utc_text};
use takst_engine::tariff::Zone;
use takst_engine::units::Instant;

/// When prices of a feed are expected: by `by_minute` of each local day those of the whole next day are there, and `alert_after_ms` later
/// somebody is told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Expected {
    /// `spot`, ...
    pub feed: String,
    /// Price area; empty when the feed has none.
    pub area: String,
    /// Minute of the local day, 0-1439.
    pub by_minute: u16,
    /// The clock by which that is meant.
    pub zone: Zone,
    /// How late they may be before somebody is told, milliseconds.
    pub alert_after_ms: i64,
}

impl Expected {
    // The start of today, and up to when prices must be known now: those that were due when this began to be late.
    fn needed_until(&self, now: Instant) -> Option<(Instant, Instant)> {
        let since = now.0.saturating_sub(self.alert_after_ms);
        if !INSTANTS.contains(&now.0) || !INSTANTS.contains(&since) {
            return None;
        }
        let due = LocalTime::at(&self.zone, since);
        let days = if due.minute >= self.by_minute { 2 } else { 1 };
        let today = start_of_day(&self.zone, LocalTime::at(&self.zone, now.0).day);
        Some((Instant(today), Instant(start_of_day(&self.zone, due.day + days))))
    }
}

/// Opens an incident for each feed that is late and closes those of feeds that have come; how many are late.
///
/// # Errors
/// When the storage fails.
pub async fn check_late(
    store: &Store,
    org: &OrgId,
    expected: &[Expected],
    now: Instant,
) -> Result<usize, store::Error> {
    let mut late = 0;
    for feed in expected {
        let Some((today, needed)) = feed.needed_until(now) else { continue };
        let known = store.read().await?.prices_known_until(org, (&feed.feed, &feed.area), today).await?;
        late += usize::from(known < needed);
        tell(store, org, (&feed.feed, &feed.area), (known, needed), now).await?;
    }
    Ok(late)
}

/// Opens an incident for a feed whose prices are known up to `known` and should be up to `needed`, or closes it.
///
/// # Errors
/// When the storage fails.
pub async fn tell(
    store: &Store,
    org: &OrgId,
    (feed, area): (&str, &str),
    (known, needed): (Instant, Instant),
    now: Instant,
) -> Result<(), store::Error> {
    let is_late = known < needed;
    let (org, feed, area) = (org.clone(), feed.to_owned(), area.to_owned());
    let lane = Lane::org(&org);
    store
        .write(lane, async move |tx| {
            let subject = subject(&feed, &area);
            let alert = Alert { subject: &subject, kind: "feed.late", severity: "warning" };
            let document = json!({
                "feed": feed, "area": area, "known_until": utc_text(known), "needed_until": utc_text(needed),
            });
            if !is_late {
                return tx.settle(&org, alert, &document, now).await.map(drop);
            }
            if tx.raise(&org, alert, &document, now).await? {
                let kind = "feed.late".to_owned();
                tx.log_event(&org, NewEvent { at: now, kind, subject, document: document.to_string() });
            } else {
                // It is about more days by now, or fewer.
                tx.renew_incident(&org, alert, &document).await?;
            }
            Ok(())
        })
        .await
}
