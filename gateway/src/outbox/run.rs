//! The loop that asks: what is due is claimed, called and written down, so many at once for each plugin.

use super::apply::{Claimed, Unit};
use super::breaker::Gate;
use super::call::{Heard, call};
use super::intent::Request;
use super::machine::Event;
use super::provider::{PaymentProvider, Pin};
use super::{Outbox, Plugin};
use crate::clock::now;
use crate::serve::Stop;
use crate::store::{Alert, Error, Intent, IntentState, Lane, OrgId, Tx};
use futures_util::future::BoxFuture;
use serde_json::json;
use std::collections::HashSet;
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use takst_engine::units::{Instant, MINUTE_MS};
use tokio::task::JoinSet;

/// A look at least this often: hints and other programs on the same database are not seen otherwise.
const EVERY: Duration = Duration::from_secs(5);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(50);
/// At the end, calls under way are waited for so long.
const PATIENCE: Duration = Duration::from_secs(5);
/// An answer that cannot be written down is tried again so many times; then the row says `calling`, and is looked up.
const WRITES: u32 = 5;
/// Without its plugin an intent is looked at again after so long.
const MISSING_MS: i64 = MINUTE_MS;

/// Between two counts of the rows.
const MEASURED_EVERY: Duration = Duration::from_secs(30);
const OPEN: [IntentState; 5] = [
    IntentState::Waiting,
    IntentState::Calling,
    IntentState::Unknown,
    IntentState::Following,
    IntentState::Dead,
];

const NO_PLUGIN: &str = "plugin.missing";
// What stands at the intents that wait for it.
const MISSED: &str = "plugin-missing";

fn no_plugin(plugin: &str) -> Alert<'_> {
    Alert { subject: plugin, kind: NO_PLUGIN, severity: "error" }
}

/// An intent is over: when it was the last one that a plugin was missed for, nobody misses it any more.
pub(super) async fn missed_no_more(
    tx: &mut Tx,
    org: &OrgId,
    row: &Intent,
    now: Instant,
) -> Result<(), Error> {
    if row.finished_at.is_none() || tx.has_open_intent_with(org, &row.plugin, MISSED).await? {
        return Ok(());
    }
    let document = json!({ "plugin": row.plugin, "reason": "nothing waits for it any more" });
    tx.settle(org, no_plugin(&row.plugin), &document, now).await.map(drop)
}

/// How a plugin stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PluginState {
    /// Its id.
    pub plugin: String,
    /// What its circuit breaker lets through.
    pub gate: Gate,
    /// Calls under way.
    pub calls: usize,
    /// The last trouble, in words.
    pub last_trouble: Option<String>,
}

impl Outbox {
    /// Says of everything that was being asked when the last program ended that its outcome is not known. To be called
    /// once, before [`Self::run`]; how many there were.
    ///
    /// # Errors
    /// When the storage fails.
    pub async fn take_up(&self, org: &OrgId, now: Instant) -> Result<usize, Error> {
        let calling = self.inner.store.read().await?.calling_intents(org).await?;
        for row in &calling {
            let unit = self.unit(org, &row.id, now);
            let lane = Lane::debtor(org, &row.debtor);
            let restarted = async move |tx: &mut Tx| unit.happened(tx, &Event::Restarted).await;
            self.inner.store.write(lane, restarted).await?;
        }
        Ok(calling.len())
    }

    /// Asks whatever is due, of all organisations, until the server stops; what is under way then is waited for a little.
    pub async fn run(self, mut stop: Stop) {
        let mut tasks: JoinSet<()> = JoinSet::new();
        let mut changes = self.inner.store.changes();
        let mut measured: Option<std::time::Instant> = None;
        loop {
            changes.mark_unchanged();
            if measured.is_none_or(|last| last.elapsed() >= MEASURED_EVERY) {
                measured = Some(std::time::Instant::now());
                if let Err(error) = self.measure().await {
                    tracing::debug!(%error, "the outbox could not be counted");
                }
            }
            match self.begin(now()).await {
                Ok(work) => work.into_iter().for_each(|work| drop(tasks.spawn(work))),
                Err(Error::Closed) => return,
                Err(error) => {
                    tracing::warn!(%error, "the outbox could not be looked at; the next look is soon");
                }
            }
            while tasks.try_join_next().is_some() {}
            tokio::time::sleep(PAUSE).await;
            let ended = async {
                match tasks.join_next().await {
                    Some(_) => {}
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = stop.stopped() => break,
                () = ended => {}
                changed = changes.changed() => if changed.is_err() { break },
                () = self.inner.wake.notified() => {}
                () = tokio::time::sleep(EVERY) => {}
            }
        }
        // What is not answered by then is looked up after the next start.
        let answered = async { while tasks.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(PATIENCE, answered).await;
    }

    // How many rows are in each state that is not over, for `/metrics`.
    async fn measure(&self) -> Result<(), Error> {
        let orgs = self.inner.store.read().await?.orgs().await?;
        for org in &orgs {
            let counts = self.inner.store.read().await?.outbox_counts(org).await?;
            let plugins: HashSet<&String> = counts.iter().map(|(plugin, ..)| plugin).collect();
            for plugin in plugins {
                for state in OPEN {
                    let rows = counts.iter().find(|(known, of, _)| known == plugin && *of == state);
                    let rows = rows.map_or(0, |(_, _, rows)| u32::try_from(*rows).unwrap_or(u32::MAX));
                    metrics::gauge!("takst_outbox", "plugin" => plugin.clone(), "state" => state.as_str())
                        .set(rows);
                }
            }
        }
        Ok(())
    }

    /// Asks what is due now and waits for all of it; how many intents were worked on.
    ///
    /// # Errors
    /// When the storage fails.
    pub async fn look(&self, now: Instant) -> Result<usize, Error> {
        let work = self.begin(now).await?;
        Ok(futures_util::future::join_all(work).await.len())
    }

    // What is to be done now, each as a future of its own.
    async fn begin(&self, now: Instant) -> Result<Vec<BoxFuture<'static, ()>>, Error> {
        let orgs = self.inner.store.read().await?.orgs().await?;
        let mut work: Vec<BoxFuture<'static, ()>> = Vec::new();
        for org in &orgs {
            for plugin in self.inner.store.read().await?.due_plugins(org, now).await? {
                let room = match self.gate(org, &plugin, now) {
                    Gate::Open => self.room(org, &plugin),
                    Gate::Trial => self.room(org, &plugin).min(1),
                    Gate::Shut(until) => {
                        self.delay(org, &plugin, until).await?;
                        continue;
                    }
                };
                let most = i64::try_from(room.saturating_mul(4)).unwrap_or(i64::MAX);
                let due = self.inner.store.read().await?.due_intents(org, &plugin, now, most).await?;
                let mut begun = 0;
                for row in due {
                    if begun >= room {
                        break;
                    }
                    let Some(turn) = Turn::take(self, org, &row) else { continue };
                    begun += 1;
                    let outbox = self.clone();
                    let org = org.clone();
                    work.push(Box::pin(async move {
                        if let Err(error) = outbox.work(&org, &row, now).await {
                            tracing::error!(intent = row.id, %error, "an intent of the outbox could not be worked on; it is taken up again");
                        }
                        drop(turn);
                    }));
                }
            }
        }
        Ok(work)
    }

    fn plugin<T>(&self, org: &OrgId, plugin: &str, with: impl FnOnce(&mut Plugin) -> T) -> T {
        let mut desk = self.inner.desk.lock().unwrap_or_else(PoisonError::into_inner);
        with(desk.plugins.entry((org.clone(), plugin.to_owned())).or_default())
    }

    fn gate(&self, org: &OrgId, plugin: &str, now: Instant) -> Gate {
        let limits = self.inner.options.breaker;
        self.plugin(org, plugin, |known| known.breaker.gate(now, &limits))
    }

    fn room(&self, org: &OrgId, plugin: &str) -> usize {
        let calls = self.inner.options.calls.max(1);
        self.plugin(org, plugin, |known| calls.saturating_sub(known.calls))
    }

    // Nothing of this plugin is due before then.
    async fn delay(&self, org: &OrgId, plugin: &str, until: Instant) -> Result<(), Error> {
        let (owner, plugin) = (org.clone(), plugin.to_owned());
        let unit = async move |tx: &mut Tx| tx.delay_intents(&owner, &plugin, until).await;
        self.inner.store.write(Lane::org(org), unit).await.map(drop)
    }

    /// How the plugins stand that were asked since the start.
    #[must_use]
    pub fn plugins(&self, org: &OrgId, now: Instant) -> Vec<PluginState> {
        let limits = self.inner.options.breaker;
        let desk = self.inner.desk.lock().unwrap_or_else(PoisonError::into_inner);
        let of_org = desk.plugins.iter().filter(|((owner, _), _)| owner == org);
        let mut states: Vec<PluginState> = of_org
            .map(|((_, plugin), known)| PluginState {
                plugin: plugin.clone(),
                gate: known.breaker.gate(now, &limits),
                calls: known.calls,
                last_trouble: known.last.clone(),
            })
            .collect();
        states.sort_by(|a, b| a.plugin.cmp(&b.plugin));
        states
    }

    pub(super) fn unit(&self, org: &OrgId, intent: &str, now: Instant) -> Unit {
        let (dice, rules) = (fastrand::u64(..), self.inner.options.rules.clone());
        Unit { org: org.clone(), intent: intent.to_owned(), now, dice, rules }
    }

    // Whom this row is to be asked of: exactly the version it was asked of before.
    fn provider(&self, org: &OrgId, row: &Intent) -> Option<(Pin, Arc<dyn PaymentProvider>)> {
        match (&row.version, &row.sha256) {
            (Some(version), Some(sha256)) => {
                let (plugin, version, sha256) = (row.plugin.clone(), version.clone(), sha256.clone());
                let pin = Pin { plugin, version, sha256 };
                let provider = self.inner.providers.pinned(org, &pin)?;
                Some((pin, provider))
            }
            _ => self.inner.providers.current(org, &row.plugin),
        }
    }

    /// Whether the version that a row was asked of is still there.
    pub(super) fn has(&self, org: &OrgId, row: &Intent) -> bool {
        self.provider(org, row).is_some()
    }

    // Claim, call, write down. Whatever stops in between leaves a row that says so.
    async fn work(&self, org: &OrgId, row: &Intent, now: Instant) -> Result<(), Error> {
        let lane = Lane::debtor(org, &row.debtor);
        // A call that was never answered needs no plugin to be called unknown.
        let Some((pin, provider)) = self.provider(org, row) else { return self.missing(org, row, now).await };
        let lasts = i64::try_from(provider.lasts().as_millis()).unwrap_or(i64::MAX);
        let rules = self.inner.options.rules.lasting(lasts);
        let unit = Unit { rules: rules.clone(), ..self.unit(org, &row.id, now) };
        let claimed = self.inner.store.write(lane, async move |tx| unit.claim(tx, &pin).await).await?;
        let Claimed::Errand(errand, row) = claimed else { return Ok(()) };
        self.found(org, &row, now).await?;
        let request = Request::of(&row)?;
        let limits = self.inner.options.breaker;
        self.plugin(org, &row.plugin, |known| known.breaker.goes_out(now));
        let patience = u64::try_from(rules.call_ms).unwrap_or(0);
        let begun = std::time::Instant::now();
        let heard = call(&*provider, errand, &row, &request, Duration::from_millis(patience)).await;
        let passed = i64::try_from(begun.elapsed().as_millis()).unwrap_or(0);
        let then = Instant(now.0.saturating_add(passed));
        self.plugin(org, &row.plugin, |known| {
            let outcome = match &heard {
                Heard::Fault(fault) => {
                    known.last = Some(format!("{}: {}", fault.code, fault.detail));
                    Some(fault.outcome)
                }
                _ => None,
            };
            known.breaker.heard(outcome, then, &limits);
        });
        metrics::counter!("takst_outbox_calls_total", "plugin" => row.plugin.clone()).increment(1);
        metrics::histogram!("takst_outbox_call_seconds", "plugin" => row.plugin.clone())
            .record(begun.elapsed());
        let mut tries = 0;
        loop {
            let unit = Unit { rules: rules.clone(), ..self.unit(org, &row.id, then) };
            let heard = heard.clone();
            let about = (errand, row.attempt, row.next_at);
            let written =
                self.inner.store.write(lane, async move |tx| unit.heard(tx, about, &heard).await).await;
            match written {
                Err(Error::Unavailable(_)) if tries < WRITES => tries += 1,
                written => return written.map(drop),
            }
        }
    }

    // Nobody is there to be asked: an incident, and another look in a while.
    async fn missing(&self, org: &OrgId, row: &Intent, now: Instant) -> Result<(), Error> {
        let (owner, row) = (org.clone(), row.clone());
        let lane = Lane::debtor(org, &row.debtor);
        let unit = self.unit(org, &row.id, now);
        let write = async move |tx: &mut Tx| {
            if row.state == IntentState::Calling {
                unit.happened(tx, &Event::Restarted).await?;
            }
            let locked = tx.lock_intent(&owner, &row.id).await?;
            if locked.next_at.is_none() {
                return Ok(());
            }
            // Nothing waits for what is over: a look that nobody can do is left out.
            if locked.finished_at.is_some() {
                return tx.update_intent(&owner, &Intent { next_at: None, ..locked }).await;
            }
            let later = Some(Instant(now.0.saturating_add(MISSING_MS)));
            let which = match &row.version {
                Some(version) => format!("{} {version}", row.plugin),
                None => row.plugin.clone(),
            };
            let text = format!("the plugin {which} is not there; install it, or give its payments up");
            let (code, detail) = (Some(MISSED.to_owned()), Some(text.clone()));
            tx.update_intent(&owner, &Intent { next_at: later, code, detail, updated_at: now, ..locked })
                .await?;
            let document = json!({ "plugin": row.plugin, "version": row.version, "reason": text });
            tx.raise(&owner, no_plugin(&row.plugin), &document, now).await.map(drop)
        };
        self.inner.store.write(lane, write).await
    }

    // It is there: what was opened for want of it is closed.
    async fn found(&self, org: &OrgId, row: &Intent, now: Instant) -> Result<(), Error> {
        if row.code.as_deref() != Some(MISSED) {
            return Ok(());
        }
        let (owner, plugin) = (org.clone(), row.plugin.clone());
        let unit = async move |tx: &mut Tx| {
            tx.settle(&owner, no_plugin(&plugin), &json!({ "plugin": plugin }), now).await
        };
        self.inner.store.write(Lane::org(org), unit).await.map(drop)
    }
}

// One call, as long as it lasts: nothing else about the same payment goes on meanwhile.
struct Turn {
    outbox: Outbox,
    org: OrgId,
    plugin: String,
    subject: String,
}

impl Turn {
    fn take(outbox: &Outbox, org: &OrgId, row: &Intent) -> Option<Self> {
        let mut desk = outbox.inner.desk.lock().unwrap_or_else(PoisonError::into_inner);
        if !desk.busy.insert((org.clone(), row.subject.clone())) {
            return None;
        }
        desk.plugins.entry((org.clone(), row.plugin.clone())).or_default().calls += 1;
        drop(desk);
        let (plugin, subject) = (row.plugin.clone(), row.subject.clone());
        Some(Self { outbox: outbox.clone(), org: org.clone(), plugin, subject })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut desk = self.outbox.inner.desk.lock().unwrap_or_else(PoisonError::into_inner);
        desk.busy.remove(&(self.org.clone(), self.subject.clone()));
        if let Some(plugin) = desk.plugins.get_mut(&(self.org.clone(), self.plugin.clone())) {
            plugin.calls = plugin.calls.saturating_sub(1);
        }
    }
}
