//! After a restored backup: what was charged, sent and billed since is not known here, so nobody is asked for anything and nothing is billed before a person has
//! looked and says so. The incident `restored` says it, and is the hold itself.

use super::decide::Decision;
use super::{Outbox, Refused};
use crate::serve::Stop;
use crate::store::{AuditEntry, Error, Lane, OrgId, RESTORED, Store, Tx, new_id};
use serde_json::json;
use std::time::Duration;
use takst_engine::units::Instant;

/// Between two looks.
const EVERY: Duration = Duration::from_secs(1);

/// Waits until nothing is held any more; whether it is so, or the server stops.
pub async fn released(store: &Store, org: &OrgId, stop: &mut Stop) -> bool {
    let mut told = false;
    loop {
        match is_held(store, org).await {
            Ok(false) => return true,
            Ok(true) if !told => {
                told = true;
                tracing::warn!(
                    "this database was restored from a backup: nothing is billed, charged or sent until a person says so (`POST /api/v1/outbox-resume`)"
                );
            }
            Ok(true) => {}
            Err(error) => {
                tracing::warn!(%error, "whether money is held could not be looked at; the next look is soon");
            }
        }
        if tokio::time::timeout(EVERY, stop.stopped()).await.is_ok() {
            return false;
        }
    }
}

/// Whether nothing is billed, charged or sent.
///
/// # Errors
/// When the storage fails.
pub async fn is_held(store: &Store, org: &OrgId) -> Result<bool, Error> {
    store.read().await?.has_open_incident(org, RESTORED).await
}

impl Outbox {
    /// A person has looked what was done since the backup: all goes on.
    ///
    /// # Errors
    /// When nothing is held, or the storage fails.
    pub async fn resume(&self, org: &OrgId, decision: Decision, now: Instant) -> Result<(), Refused> {
        let owner = org.clone();
        let unit = async move |tx: &mut Tx| {
            if !tx.settle(&owner, RESTORED, &json!({ "reason": decision.reason }), now).await? {
                return Err(Error::refused(
                    "nothing is held: no backup was restored here, or all goes on already",
                ));
            }
            let entry = AuditEntry {
                id: new_id(),
                at: now,
                who: decision.by.clone(),
                what: "outbox.resume".to_owned(),
                subject: RESTORED.subject.to_owned(),
                before_doc: None,
                after_doc: Some(json!({ "reason": decision.reason }).to_string()),
            };
            tx.audit(&owner, &entry).await
        };
        self.inner.store.write(Lane::org(org), unit).await?;
        self.wake();
        Ok(())
    }
}
