//! The loop that bills: woken when something was written, and from time to time.

use super::Billing;
use crate::clock::now;
use crate::store::{self, OrgId};
use std::collections::HashSet;
use std::time::Duration;

/// A look at least this often: another program on the same database can have made a session due.
const EVERY: Duration = Duration::from_secs(30);
/// Between two looks, so that a busy gateway is not asked all the time.
const PAUSE: Duration = Duration::from_millis(200);

impl Billing {
    /// Looks again at once.
    pub fn wake(&self) {
        self.inner.wake.notify_one();
    }

    /// Bills whatever becomes due, of all organisations, until `stop`. What cannot be written is tried again.
    pub async fn run(&self, stop: impl Future<Output = ()> + Send) {
        let work = async {
            let mut changes = self.inner.store.changes();
            let mut looked_up = HashSet::new();
            loop {
                changes.mark_unchanged();
                if let Err(error) = self.look(&mut looked_up).await {
                    if error == store::Error::Closed {
                        return;
                    }
                    tracing::warn!(%error, "bills could not be made; tried again");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
                tokio::time::sleep(PAUSE).await;
                tokio::select! {
                    changed = changes.changed() => if changed.is_err() { return },
                    () = self.inner.wake.notified() => {}
                    () = tokio::time::sleep(EVERY) => {}
                }
            }
        };
        tokio::select! {
            () = work => {}
            () = stop => {}
        }
    }

    async fn look(&self, looked_up: &mut HashSet<String>) -> Result<(), store::Error> {
        let orgs = self.inner.store.read().await?.orgs().await?;
        for org in &orgs {
            self.bill_due(org, now()).await?;
            self.alerts(org, looked_up).await?;
        }
        Ok(())
    }

    // Alerts about changed prices whose bills have not been looked up yet, also from before a restart.
    async fn alerts(&self, org: &OrgId, looked_up: &mut HashSet<String>) -> Result<(), store::Error> {
        let open = self.inner.store.read().await?.open_incidents(org).await?;
        for incident in open.into_iter().filter(|incident| incident.kind == "feed.changed") {
            if looked_up.contains(&incident.id) {
                continue;
            }
            let events = self.inner.store.read().await?.incident_events(org, &incident.id).await?;
            if !events.iter().any(|event| event.kind == self.looked_up()) {
                self.affected_by(org, &incident.id, now()).await?;
            }
            looked_up.insert(incident.id);
        }
        Ok(())
    }
}
