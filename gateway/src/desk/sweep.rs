//! What is to be done although nothing comes in: sessions that must have ended, chargers that were heard.

use super::Clerk;
use super::watch::Open;
use super::work::{self, Changed, Scene};
use crate::sessions::{Act, Next, Said, Touched};
use crate::store::{Error, Lane, OrgId, Tx};
use std::time::Duration;
use takst_engine::units::Instant;

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

    /// Does what is due by `now`: ends sessions that must have ended, notes which chargers were heard.
    ///
    /// # Errors
    /// When the database fails; what was not done is done the next time.
    pub async fn sweep(&self, now: Instant) -> Result<(), Error> {
        let due = self.watch().due(now);
        for (org, charger, session) in due {
            let job = (org.clone(), charger.clone(), session.clone());
            let unit = async move |tx: &mut Tx| {
                let (org, charger, session) = &job;
                act(tx, Scene { org, charger, now }, session).await
            };
            match self.store.write(Lane::charger(&org, &charger), unit).await? {
                Some(changed) => self.tell(&org, vec![changed]).await,
                None => self.watch().put(&org, &session, None),
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
                Some(_) => Said::GaveUp(now),
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
async fn act(tx: &mut Tx, scene: Scene<'_>, id: &str) -> Result<Option<Changed>, Error> {
    let Some(session) = tx.session(scene.org, id).await? else { return Ok(None) };
    let mut document = work::document(&session)?;
    let (due, act) = match document.track.next(&document.begin) {
        Next::At(due, act) => (due, act),
        Next::Ready => return Ok(None),
    };
    if due > scene.now {
        // Something came in meanwhile.
        let open = Open {
            charger: session.charger.clone(),
            evse: session.evse,
            token: work::charging_token(&session),
            in_use: session.stopped_at.is_none(),
            due: Some(due),
        };
        return Ok(Some(Changed { session: session.id, touched: Touched::default(), open: Some(open) }));
    }
    let stopped = session.stopped_at.unwrap_or(scene.now);
    let (said, name) = match act {
        Act::Gone => (Said::Gone(stopped), "gone"),
        Act::GiveUp => (Said::GaveUp(Instant(due.0.min(scene.now.0))), "gave-up"),
        Act::Left(at) => (Said::GaveUp(at), "left"),
        Act::Over(at, why) => (Said::Over(at, why), "over"),
        Act::Settle => {
            document.track.settle();
            return work::settle(tx, scene, session, document).await.map(Some);
        }
    };
    let dedupe = format!("{name}/{id}/{}", due.0);
    work::say(tx, scene, session, said, dedupe).await
}
