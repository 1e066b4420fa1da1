//! What is to be done although nothing comes in: sessions that must have ended, chargers that were heard.

use super::Clerk;
use super::watch::Open;
use super::work::{self, Changed, Scene};
use crate::sessions::{Act, Next, OverWhy, Said, Touched};
use crate::store::{Error, Lane, OrgId, Session, Tx};
use std::time::Duration;
use takst_engine::units::{DAY_MS, Instant, MINUTE_MS};

/// A session whose charger is heard stays open for so long at least, although nothing is heard of the session itself.
const HEARD_MS: i64 = 7 * DAY_MS;
/// What could not be done for one session is tried again after so long.
const AGAIN_MS: i64 = 5 * MINUTE_MS;

/// What is known of a charger beside its row.
#[derive(Clone, Copy)]
pub(super) struct Ear {
    /// When anything last came from it; what is not written down yet.
    pub heard: Option<Instant>,
    /// A charger of which nothing comes for so long cannot be heard.
    pub quiet_ms: i64,
}

impl Clerk {
    /// Takes up what an earlier run of the program has left: its sessions go on, its connections are gone. Once, before chargers come.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn take_up(&self, _now: Instant) -> Result<(), Error> {
        let orgs = self.store.read().await?.orgs().await?;
        for org in orgs {
            let (owner, node) = (org.clone(), self.node.clone());
            let unit = async move |tx: &mut Tx| tx.node_started(&owner, &node).await;
            self.store.write(Lane::org(&org), unit).await?;
            for session in self.store.read().await?.unfinished_sessions(&org).await? {
                let document = match work::document(&session) {
                    Ok(document) => document,
                    Err(error) => {
                        tracing::error!(%error, "a session cannot be gone on with");
                        continue;
                    }
                };
                let due = match document.track.next(&document.begin) {
                    Next::At(due, _) => due,
                    Next::Ready => continue,
                };
                let open = Open {
                    token: work::charging_token(&session),
                    charger: session.charger,
                    evse: session.evse,
                    in_use: session.stopped_at.is_none(),
                    due: Some(due),
                };
                self.watch().put(&org, &session.id, Some(open));
            }
        }
        Ok(())
    }

    /// Does what is due by `now`: ends sessions that must have ended, notes which chargers were heard. A session that cannot be worked
    /// out does not stand in the way of others.
    ///
    /// # Errors
    /// When the database fails; what was not done is done the next time.
    pub async fn sweep(&self, now: Instant) -> Result<(), Error> {
        let due = self.watch().due(now);
        for (org, charger, session) in due {
            let ear = self.ear(&org, &charger);
            let job = (org.clone(), charger.clone(), session.clone());
            let unit = async move |tx: &mut Tx| {
                let (org, charger, session) = &job;
                act(tx, Scene { org, charger, now }, session, ear).await
            };
            match self.store.write(Lane::charger(&org, &charger), unit).await {
                Ok(Some(changed)) => self.tell(&org, vec![changed]).await,
                Ok(None) => self.watch().put(&org, &session, None),
                Err(error @ (Error::Closed | Error::Unavailable(_))) => return Err(error),
                Err(error) => {
                    tracing::error!(%error, session, "a session cannot be gone on with; it is looked at again in a while");
                    self.watch().put_off(&org, &session, Instant(now.0.saturating_add(AGAIN_MS)));
                }
            }
        }
        let seen = self.watch().take_seen(now);
        for (org, chargers) in seen {
            const AT_ONCE: usize = 500;
            for some in chargers.chunks(AT_ONCE) {
                let job = (org.clone(), some.to_vec());
                let unit = async move |tx: &mut Tx| tx.chargers_seen(&job.0, &job.1).await;
                self.store.write(Lane::org(&org), unit).await?;
            }
        }
        Ok(())
    }

    pub(super) fn ear(&self, org: &OrgId, charger: &str) -> Ear {
        let heartbeat_ms = self.people.rules.house(org, charger).heartbeat_s.saturating_mul(1000);
        let quiet_ms = heartbeat_ms.saturating_mul(2).saturating_add(MINUTE_MS);
        Ear { heard: self.watch().heard(org, charger), quiet_ms }
    }

    /// Sweeps every second until `stop` is done.
    pub async fn run(&self, stop: impl Future<Output = ()>) {
        let mut stop = std::pin::pin!(stop);
        let mut every = tokio::time::interval(Duration::from_secs(1));
        every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = &mut stop => return,
                _ = every.tick() => {}
            }
            if let Err(error) = self.sweep(crate::clock::now()).await {
                tracing::warn!(%error, "what is due could not be done");
            }
        }
    }

    /// A person ends a session that goes on for ever.
    ///
    /// # Errors
    /// [`Error::Missing`] when there is no such session; when the database fails.
    pub async fn end_session(&self, org: &OrgId, session: &str, now: Instant) -> Result<(), Error> {
        let missing = || Error::Missing { what: "session", id: session.to_owned() };
        let found = self.store.read().await?.session(org, session).await?.ok_or_else(missing)?;
        let job = (org.clone(), found.charger.clone(), session.to_owned());
        let unit = async move |tx: &mut Tx| {
            let (org, charger, session) = &job;
            let Some(found) = tx.session(org, session).await? else { return Ok(None) };
            let at = found.last_reading_at.or(found.started_at).unwrap_or(now);
            let said = match found.stopped_at {
                None => Said::Over(at, crate::sessions::OverWhy::Person),
                Some(_) => Said::Left(now),
            };
            work::say(tx, Scene { org, charger, now }, found, said, format!("person/{session}/{}", now.0))
                .await
        };
        let changed = self.store.write(Lane::charger(org, &found.charger), unit).await?;
        self.tell(org, changed.into_iter().collect()).await;
        Ok(())
    }
}

// Does what is due for a session; none when it is over.
async fn act(tx: &mut Tx, scene: Scene<'_>, id: &str, ear: Ear) -> Result<Option<Changed>, Error> {
    let Some(session) = tx.session(scene.org, id).await? else { return Ok(None) };
    let mut document = work::document(&session)?;
    let (due, act) = match document.track.next(&document.begin) {
        Next::At(due, act) => (due, act),
        Next::Ready => return Ok(None),
    };
    if due > scene.now {
        // Something came in meanwhile.
        return Ok(Some(later(session, due)));
    }
    let stopped = session.stopped_at.unwrap_or(scene.now);
    let (said, name) = match act {
        Act::Gone => (Said::Gone(stopped), "gone"),
        // A charger that is heard would have said that the car is gone.
        Act::GiveUp => match last_heard(tx, scene, ear).await? {
            (Some(heard), skew) if scene.now.0.saturating_sub(heard.0) > ear.quiet_ms => {
                (Said::Unseen(Instant(heard.0.saturating_add(skew))), "unseen")
            }
            _ => (Said::GaveUp(Instant(due.0.min(scene.now.0))), "gave-up"),
        },
        Act::Left(at) => (Said::Unseen(at), "left"),
        Act::Over(at, OverWhy::Silent) => {
            let (heard, _) = last_heard(tx, scene, ear).await?;
            let silent_ms = document.begin.waits.silent_ms;
            let longest = due.0.saturating_add(HEARD_MS.saturating_sub(silent_ms).max(0));
            let until = heard.map(|heard| Instant(heard.0.saturating_add(silent_ms).min(longest)));
            if let Some(until) = until.filter(|until| *until > scene.now) {
                return Ok(Some(later(session, until)));
            }
            (Said::Over(at, OverWhy::Silent), "over")
        }
        Act::Over(at, why) => (Said::Over(at, why), "over"),
        Act::Settle => {
            document.track.settle();
            return work::settle(tx, scene, session, document).await.map(Some);
        }
    };
    let dedupe = format!("{name}/{id}/{}", due.0);
    work::say(tx, scene, session, said, dedupe).await
}

// When anything last came from a charger, and how far its clock is ahead of ours.
async fn last_heard(tx: &mut Tx, scene: Scene<'_>, ear: Ear) -> Result<(Option<Instant>, i64), Error> {
    let charger = tx.charger(scene.org, scene.charger).await?;
    let skew = charger.as_ref().and_then(|charger| charger.skew_ms).unwrap_or(0);
    Ok((charger.and_then(|charger| charger.last_seen).max(ear.heard), skew))
}

// Nothing is done now.
fn later(session: Session, due: Instant) -> Changed {
    let open = Open {
        charger: session.charger.clone(),
        evse: session.evse,
        token: work::charging_token(&session),
        in_use: session.stopped_at.is_none(),
        due: Some(due),
    };
    Changed { session: session.id, touched: Touched::default(), open: Some(open) }
}
