//! The watchman: looks at every charger every few seconds, keeps incidents, and has chargers restarted.

use super::look::{Finding, Kind, Seen, look};
use super::memory::Memory;
use super::restart::{Decision, How, Restarter, decide, trouble};
use super::{Thresholds, Watch};
use crate::clock;
use crate::serve::Stop;
use crate::store::{
    Error, Incident, Lane, NewEvent, OrgId, Store, Tx, WatchedCharger, WatchedConnector, WatchedSession,
    new_id, stored_subject,
};
use serde_json::json;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use takst_engine::calendar_time::utc_text;
use takst_engine::units::{DAY_MS, Instant};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};

/// How often every charger is looked at. Ten seconds are promised; a look takes a part of one.
pub const LOOK_EVERY: Duration = Duration::from_secs(8);
/// Changes of incidents in one unit of work: other writers wait for milliseconds at most.
const CHANGES_AT_ONCE: usize = 100;
/// Restarts under way at once; more wait for the next look.
const RESTARTS_AT_ONCE: usize = 16;
/// How long restarts under way may still take when the server stops.
const PATIENCE: Duration = Duration::from_secs(5);

/// What came of a look.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Looked {
    /// Chargers that were looked at.
    pub chargers: usize,
    /// Incidents that were opened.
    pub opened: usize,
    /// Incidents that were closed.
    pub closed: usize,
    /// Chargers that were told to restart.
    pub restarts: usize,
}

/// Watches the chargers of an organisation.
pub struct Monitor {
    store: Store,
    org: OrgId,
    watch: Arc<dyn Watch>,
    restarter: Arc<dyn Restarter>,
    memory: HashMap<String, Memory>,
    restarts: JoinSet<()>,
}

/// A change of an incident.
enum Change {
    Open { id: String, charger: String, finding: Finding },
    Close { incident: Incident, why: &'static str },
}

/// A charger that a restart may cure.
struct Patient {
    charger: String,
    incident: String,
    rules: Thresholds,
}

#[derive(Default)]
struct Rows {
    chargers: Vec<WatchedCharger>,
    connectors: HashMap<String, Vec<WatchedConnector>>,
    sessions: HashMap<String, Vec<WatchedSession>>,
    open: HashMap<String, Vec<(Kind, Incident)>>,
}

impl Monitor {
    /// Knows nothing yet.
    #[must_use]
    pub fn new(store: Store, org: OrgId, watch: Arc<dyn Watch>, restarter: Arc<dyn Restarter>) -> Self {
        Self { store, org, watch, restarter, memory: HashMap::new(), restarts: JoinSet::new() }
    }

    /// Looks again and again until the server stops.
    pub async fn run(mut self, mut stop: Stop) {
        let mut ticks = interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.stopped() => break,
                _ = ticks.tick() => {}
            }
            if let Err(error) = self.look(clock::now()).await {
                tracing::warn!(%error, "the chargers could not be looked at; the next look is soon");
            }
        }
        // Whoever is being restarted may still answer.
        let _ = timeout(PATIENCE, self.settle()).await;
    }

    /// Looks once at every charger: incidents are kept when this returns, restarts are under way.
    ///
    /// # Errors
    /// When the storage fails; the next look makes up for it.
    pub async fn look(&mut self, now: Instant) -> Result<Looked, Error> {
        let mut rows = self.rows().await?;
        let mut memory = HashMap::with_capacity(rows.chargers.len());
        let mut changes = Vec::new();
        let mut patients = Vec::new();
        for row in &rows.chargers {
            let Some(rules) = self.watch.thresholds(&self.org, &row.id) else { continue };
            let known = self.memory.remove_entry(&row.id);
            let (charger, mut known) = known.unwrap_or_else(|| (row.id.clone(), Memory::default()));
            let connectors = rows.connectors.get(&row.id).map(Vec::as_slice).unwrap_or_default();
            let sessions = rows.sessions.get(&row.id).map(Vec::as_slice).unwrap_or_default();
            known.take_in(row, connectors, sessions, now);
            let open = rows.open.remove(&row.id).unwrap_or_default();
            let kinds: Vec<Kind> = open.iter().map(|(kind, _)| *kind).collect();
            let seen = seen(row, &known, &kinds);
            let findings = look(&seen, &rules.limits, now);
            if let Some(trouble) = trouble(&seen, &findings)
                && let Some((_, incident)) =
                    open.iter().find(|(kind, incident)| matches(*kind, incident, trouble.finding))
                && known.not_before.is_none_or(|at| at <= now)
            {
                let first = decide(&trouble, &[], &rules, now);
                // What else was tried is looked up only when it would be time.
                if matches!(first, Decision::Restart(..)) {
                    let incident = incident.id.clone();
                    patients.push((
                        Patient { charger: charger.clone(), incident, rules },
                        trouble.since,
                        trouble.finding.clone(),
                    ));
                }
            }
            changes.extend(differences(&charger, open, &findings, known.away_since.is_some()));
            memory.insert(charger, known);
        }
        self.memory = memory;
        let unwatched = rows.open.into_values().flatten();
        changes.extend(
            unwatched
                .map(|(_, incident)| Change::Close { incident, why: "the charger is not watched any more" }),
        );
        let mut looked = Looked { chargers: self.memory.len(), ..Looked::default() };
        self.write(changes, now, &mut looked).await?;
        for (patient, since, finding) in patients {
            looked.restarts += usize::from(self.treat(patient, since, &finding, now).await?);
        }
        Ok(looked)
    }

    /// Waits for the restarts under way.
    pub async fn settle(&mut self) {
        while self.restarts.join_next().await.is_some() {}
    }

    async fn rows(&self) -> Result<Rows, Error> {
        let mut reader = self.store.read().await?;
        let mut rows = Rows { chargers: reader.watched_chargers(&self.org).await?, ..Rows::default() };
        for row in reader.watched_connectors(&self.org).await? {
            rows.connectors.entry(row.charger.clone()).or_default().push(row);
        }
        for row in reader.watched_sessions(&self.org).await? {
            rows.sessions.entry(row.charger.clone()).or_default().push(row);
        }
        for incident in reader.open_incidents(&self.org).await? {
            // Those about feeds, firmware and the like have others who look after them.
            if let (Some(charger), Some(kind)) = (incident.charger.clone(), Kind::of(&incident.kind)) {
                rows.open.entry(charger).or_default().push((kind, incident));
            }
        }
        Ok(rows)
    }

    async fn write(&self, changes: Vec<Change>, now: Instant, looked: &mut Looked) -> Result<(), Error> {
        let mut changes = changes.into_iter().peekable();
        while changes.peek().is_some() {
            let some: Vec<Change> = changes.by_ref().take(CHANGES_AT_ONCE).collect();
            let org = self.org.clone();
            let unit = async move |tx: &mut Tx| {
                let mut done = (0, 0);
                for change in &some {
                    match change {
                        Change::Open { id, charger, finding } => {
                            done.0 += usize::from(open(tx, &org, (id, charger), finding, now).await?);
                        }
                        Change::Close { incident, why } => {
                            done.1 += usize::from(close(tx, &org, incident, why, now).await?);
                        }
                    }
                }
                Ok(done)
            };
            let (opened, closed) = self.store.write(Lane::org(&self.org), unit).await?;
            looked.opened += opened;
            looked.closed += closed;
        }
        metrics::counter!("takst_incidents_opened_total")
            .increment(u64::try_from(looked.opened).unwrap_or(0));
        metrics::counter!("takst_incidents_closed_total")
            .increment(u64::try_from(looked.closed).unwrap_or(0));
        Ok(())
    }

    /// Restarts a charger if it is time; whether it was told to.
    async fn treat(
        &mut self,
        patient: Patient,
        since: Instant,
        finding: &Finding,
        now: Instant,
    ) -> Result<bool, Error> {
        while self.restarts.try_join_next().is_some() {}
        let Patient { charger, incident, rules } = patient;
        if self.restarts.len() >= RESTARTS_AT_ONCE || !self.restarter.reaches(&self.org, &charger) {
            return Ok(false);
        }
        let day = Instant(now.0.saturating_sub(DAY_MS));
        let tried = self.store.read().await?.restarts_tried(&self.org, &charger, day).await?;
        let tried: Vec<Instant> = tried.into_iter().map(|tried| tried.at).collect();
        let (how, number) = match decide(&super::restart::Trouble { since, finding }, &tried, &rules, now) {
            Decision::Restart(how, number) => (how, number),
            Decision::Wait(until) => {
                if let Some(known) = self.memory.get_mut(&charger) {
                    known.not_before = Some(until);
                }
                return Ok(false);
            }
            Decision::Leave => return Ok(false),
        };
        // Written first: a program that dies now does not start again with a restart that it does not know of.
        let document = json!({
            "how": how.as_str(), "number": number, "most": rules.restarts_per_day, "because": finding.text,
        });
        note(&self.store, &self.org, &incident, ("restart", document.to_string()), now).await?;
        metrics::counter!("takst_restarts_total").increment(1);
        tracing::info!(charger, how = how.as_str(), number, why = finding.text, "a charger is restarted");
        let (store, org, restarter) = (self.store.clone(), self.org.clone(), Arc::clone(&self.restarter));
        self.restarts.spawn(async move {
            let told = tell(&store, &org, restarter.as_ref(), (&charger, &incident), how).await;
            if let Err(error) = told {
                tracing::warn!(%error, charger, "what came of a restart was not kept");
            }
        });
        Ok(true)
    }
}

fn seen<'a>(row: &'a WatchedCharger, known: &'a Memory, open: &'a [Kind]) -> Seen<'a> {
    Seen {
        charger: &row.id,
        heard: row.last_seen.is_some(),
        away_since: known.away_since,
        skew_ms: row.skew_ms,
        open,
        boots: &known.boots,
        connectors: &known.connectors,
        sessions: &known.sessions,
    }
}

fn matches(kind: Kind, incident: &Incident, finding: &Finding) -> bool {
    kind == finding.kind && incident.subject == stored_subject(&finding.subject)
}

/// From the open incidents of a charger to what is wrong with it now.
fn differences(charger: &str, open: Vec<(Kind, Incident)>, findings: &[Finding], away: bool) -> Vec<Change> {
    let is_new = |finding: &&Finding| !open.iter().any(|(kind, incident)| matches(*kind, incident, finding));
    let news = findings.iter().filter(is_new).cloned().map(|finding| Change::Open {
        id: new_id(),
        charger: charger.to_owned(),
        finding,
    });
    let mut changes: Vec<Change> = news.collect();
    let is_over = |(kind, incident): &(Kind, Incident)| {
        let known = away && kind.needs_connection();
        !known && !findings.iter().any(|finding| matches(*kind, incident, finding))
    };
    let over = open.into_iter().filter(is_over);
    changes.extend(over.map(|(_, incident)| Change::Close { incident, why: "it is over" }));
    changes
}

async fn open(
    tx: &mut Tx,
    org: &OrgId,
    (id, charger): (&str, &str),
    finding: &Finding,
    now: Instant,
) -> Result<bool, Error> {
    let Finding { kind, subject, evse, session, since, text, curable: _ } = finding;
    let mut about = json!({ "text": text, "since": utc_text(*since) });
    if let Some(fields) = about.as_object_mut() {
        fields.extend(evse.map(|evse| ("evse".to_owned(), json!(evse))));
        fields.extend(session.as_ref().map(|session| ("session".to_owned(), json!(session))));
    }
    let incident = Incident {
        id: id.to_owned(),
        charger: Some(charger.to_owned()),
        subject: subject.clone(),
        kind: kind.as_str().to_owned(),
        severity: kind.severity().to_owned(),
        opened_at: now,
        closed_at: None,
        document: about.to_string(),
    };
    // Another program on the same database may have been faster.
    let (incident, new) = tx.open_incident(org, &incident).await?;
    if new {
        tx.add_incident_event(org, &incident.id, now, "opened", &json!({ "text": text }).to_string()).await?;
        tx.log_event(org, event("incident.opened", &incident, text, now));
    }
    Ok(new)
}

async fn close(
    tx: &mut Tx,
    org: &OrgId,
    incident: &Incident,
    why: &str,
    now: Instant,
) -> Result<bool, Error> {
    let closed = tx.close_incident(org, &incident.subject, &incident.kind, now).await?;
    let Some(closed) = closed else { return Ok(false) };
    let after_s = now.0.saturating_sub(closed.opened_at.0) / 1_000;
    let document = json!({ "text": why, "after_s": after_s }).to_string();
    tx.add_incident_event(org, &closed.id, now, "closed", &document).await?;
    tx.log_event(org, event("incident.closed", &closed, why, now));
    Ok(true)
}

fn event(kind: &str, incident: &Incident, text: &str, now: Instant) -> NewEvent {
    let document = json!({
        "incident": incident.id, "charger": incident.charger, "kind": incident.kind, "severity": incident.severity, "text": text,
    });
    NewEvent {
        at: now,
        kind: kind.to_owned(),
        subject: incident.subject.clone(),
        document: document.to_string(),
    }
}

async fn tell(
    store: &Store,
    org: &OrgId,
    restarter: &dyn Restarter,
    (charger, incident): (&str, &str),
    how: How,
) -> Result<(), Error> {
    let answer = match restarter.restart(org, charger, how).await {
        Ok(status) => ("restart.answered", json!({ "status": status }).to_string()),
        Err(why) => ("restart.failed", json!({ "why": why }).to_string()),
    };
    note(store, org, incident, answer, clock::now()).await
}

async fn note(
    store: &Store,
    org: &OrgId,
    incident: &str,
    (kind, document): (&'static str, String),
    at: Instant,
) -> Result<(), Error> {
    let (org, incident) = (org.clone(), incident.to_owned());
    let lane = Lane::org(&org);
    store
        .write(lane, async move |tx| tx.add_incident_event(&org, &incident, at, kind, &document).await)
        .await
        .map(drop)
}
