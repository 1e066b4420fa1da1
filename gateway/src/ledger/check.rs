//! The standing check of the ledger: the sum is zero in every currency, and every entry is as it was written.

use super::posting::hash_of;
use crate::clock::now;
use crate::serve::Stop;
use crate::store::{Alert, Error, Lane, OrgId, Store};
use serde_json::json;
use std::time::Duration;
use takst_engine::units::{HOUR_MS, Instant};

/// Between two looks at what is new.
const EVERY: Duration = Duration::from_secs(60);
/// Between two looks at everything, in milliseconds.
const WHOLE_EVERY_MS: i64 = 6 * HOUR_MS;
/// A look at what is new goes back so far: a commit can take its time.
const BACK_MS: i64 = HOUR_MS;
/// Faults that are named.
const NAMED: i64 = 10;

const KIND: &str = "ledger.unbalanced";

/// What a look at the ledger found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Checked {
    /// Entries whose hash was worked out again.
    pub entries: u64,
    /// What is wrong, in words; empty when all is well.
    pub faults: Vec<String>,
}

/// Looks at the ledger of an organisation again and again.
#[derive(Clone)]
pub struct Checker {
    store: Store,
    org: OrgId,
}

impl Checker {
    /// Of this organisation.
    #[must_use]
    pub fn new(store: Store, org: OrgId) -> Self {
        Self { store, org }
    }

    /// Books what is older than the ledger, then looks until the server stops.
    pub async fn run(self, mut stop: Stop) {
        let mut filled = false;
        let mut whole: Option<Instant> = None;
        loop {
            let at = now();
            if !filled {
                match super::back_fill(&self.store, &self.org, at).await {
                    Ok(0) => filled = true,
                    Ok(bills) => {
                        filled = true;
                        tracing::info!(bills, "bills that are older than the ledger were booked");
                    }
                    Err(error) => {
                        tracing::error!(%error, "bills that are older than the ledger could not be booked");
                    }
                }
            }
            let all = whole.is_none_or(|last| at.0.saturating_sub(last.0) >= WHOLE_EVERY_MS);
            let since = if all { Instant(0) } else { Instant(at.0.saturating_sub(BACK_MS)) };
            match self.look(since, at).await {
                Ok(_) if all => whole = Some(at),
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(%error, "the ledger could not be checked; the next look is soon");
                }
            }
            if tokio::time::timeout(EVERY, stop.stopped()).await.is_ok() {
                return;
            }
        }
    }

    /// Checks the sums of all lines and the entries written at `since` or later, and opens or closes the incident.
    ///
    /// # Errors
    /// When the storage fails.
    pub async fn look(&self, since: Instant, now: Instant) -> Result<Checked, Error> {
        let checked = self.check(since).await?;
        metrics::gauge!("takst_ledger_faults").set(u32::try_from(checked.faults.len()).unwrap_or(u32::MAX));
        let whole = since == Instant(0);
        let open = self.store.read().await?.open_incidents(&self.org).await?;
        let open = open.iter().any(|incident| incident.kind == KIND);
        // Only a look at everything can say that all is well again.
        let (opens, closes) =
            (!checked.faults.is_empty() && !open, checked.faults.is_empty() && open && whole);
        if opens {
            tracing::error!(faults = ?checked.faults, "the ledger is not right");
        }
        if opens || closes {
            let (org, faults) = (self.org.clone(), checked.faults.clone());
            let unit = async move |tx: &mut crate::store::Tx| {
                let alert = Alert { subject: "ledger", kind: KIND, severity: "error" };
                let document = json!({ "faults": faults });
                match opens {
                    true => tx.raise(&org, alert, &document, now).await,
                    false => tx.settle(&org, alert, &document, now).await,
                }
            };
            self.store.write(Lane::org(&self.org), unit).await?;
        }
        Ok(checked)
    }

    /// Checks without writing anything.
    ///
    /// # Errors
    /// When the storage fails.
    pub async fn check(&self, since: Instant) -> Result<Checked, Error> {
        const AT_ONCE: i64 = 500;
        let mut checked = Checked::default();
        let mut reader = self.store.read().await?;
        for (currency, sum) in reader.ledger_sums(&self.org).await? {
            if sum != 0 {
                checked.faults.push(format!(
                    "all entries together come to {sum} minor units of {currency}, not to zero"
                ));
            }
        }
        for (entry, currency, sum) in reader.unbalanced_entries(&self.org, since, NAMED).await? {
            checked
                .faults
                .push(format!("the entry {entry} comes to {sum} minor units of {currency}, not to zero"));
        }
        if since == Instant(0) {
            for entry in reader.loose_ledger_lines(&self.org, NAMED).await? {
                checked.faults.push(format!("the entry {entry} has lines but no head"));
            }
        }
        drop(reader);
        let mut after: Option<(Instant, String)> = None;
        loop {
            // A connection for each page: a look at everything takes its time.
            let mut reader = self.store.read().await?;
            let last = after.as_ref().map(|(at, id)| (*at, id.as_str()));
            let entries = reader.ledger_since(&self.org, since, last, AT_ONCE).await?;
            for entry in &entries {
                let lines = reader.ledger_lines(&self.org, &entry.id).await?;
                checked.entries += 1;
                if hash_of(entry, &lines) != entry.hash && checked.faults.len() < 100 {
                    checked.faults.push(format!("the entry {} is not as it was written", entry.id));
                }
            }
            match entries.last() {
                Some(entry) => after = Some((entry.booked_at, entry.id.clone())),
                None => return Ok(checked),
            }
        }
    }
}
