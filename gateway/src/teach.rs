//! Chargers are told what the set-up wants of them: how often to send meter values, and who may charge while they cannot reach
//! us; those of OCPP 2.1 their tariff too. A charger is told some time after it comes, and again when the set-up changes or it has
//! booted. One that nobody named is left as it is.

mod tariffs;

pub use tariffs::ByEvse;

use crate::chargers::model::{Command, Component, SetVariable, Variable};
use crate::clock;
use crate::desk::{Clerk, NoCommand, Order};
use crate::ocpp::Dialect;
use crate::serve::Stop;
use crate::setup::TokensOffline;
use crate::store::{Error, Lane, OrgId, Store, Tx, WatchedCharger};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use takst_engine::units::{Instant, MINUTE_MS};
use tokio::sync::Semaphore;

const LOOK_EVERY: Duration = Duration::from_secs(5);
/// A charger that has just come has other things to say first.
const SETTLES_MS: i64 = 15_000;
/// One that could not be told is told again after so long.
const AGAIN_MS: i64 = 10 * MINUTE_MS;
/// Chargers that are told at the same time.
const AT_ONCE: usize = 16;

/// What the set-up wants of a charger.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Lesson {
    /// Seconds between meter values.
    pub meter_values_s: i64,
    /// Who may charge while it is offline.
    pub tokens_offline: TokensOffline,
    /// What tells one list of tokens from another; empty where none is sent.
    pub tokens: String,
}

/// Who knows what is wanted: the set-up.
pub trait Lessons: Send + Sync + 'static {
    /// What is wanted of a charger; none for one that nobody named.
    fn lesson(&self, org: &OrgId, charger: &str) -> Option<Lesson>;

    /// The tariffs that a charger of OCPP 2.1 should hold for drivers without one of their own; empty where its tariff cannot be said
    /// there, none for a charger that nobody named.
    fn tariffs(&self, _org: &OrgId, _charger: &str, _at: Instant) -> Option<ByEvse> {
        None
    }
}

impl Lesson {
    /// What tells one lesson from another.
    #[must_use]
    pub fn hash(&self) -> String {
        let text = serde_json::to_string(self).unwrap_or_default();
        Sha256::digest(text).iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }

    /// The commands that teach it, in the words of a dialect. OCPP 1.6: configuration keys; 2.x: variables of the controllers.
    #[must_use]
    pub fn orders(&self, dialect: Dialect) -> Vec<Order> {
        let list = self.tokens_offline == TokensOffline::List;
        let all = self.tokens_offline == TokensOffline::All;
        let seconds = self.meter_values_s.to_string();
        let word = |on: bool| if on { "true" } else { "false" }.to_owned();
        let mut orders = Vec::new();
        if dialect == Dialect::V16 {
            let set = |key: &str, value: String| Order::SetConfiguration { key: key.to_owned(), value };
            orders.push(set("MeterValueSampleInterval", seconds));
            orders.push(set("LocalAuthorizeOffline", word(list || all)));
            orders.push(set("AllowOfflineTxForUnknownId", word(all)));
            orders.push(set("LocalAuthListEnabled", word(list)));
        } else {
            let set = |component: &str, variable: &str, value: String| SetVariable {
                component: Component { name: component.to_owned(), ..Component::default() },
                variable: Variable { name: variable.to_owned(), instance: None },
                attribute: None,
                value,
            };
            let variables = vec![
                set("SampledDataCtrlr", "TxUpdatedInterval", seconds),
                set("AuthCtrlr", "LocalAuthorizeOffline", word(list || all)),
                set("AuthCtrlr", "OfflineTxForUnknownIdEnabled", word(all)),
                set("LocalAuthListCtrlr", "Enabled", word(list)),
            ];
            orders.push(Order::Raw { command: Box::new(Command::SetVariables(variables)) });
        }
        if list {
            orders.push(Order::SendLocalList);
        }
        orders
    }
}

/// Teaches chargers.
pub struct Teacher {
    inner: Arc<Inner>,
    lessons: Arc<dyn Lessons>,
    turns: Arc<Semaphore>,
}

struct Inner {
    store: Store,
    org: OrgId,
    clerk: Arc<Clerk>,
    pupils: Mutex<Pupils>,
}

#[derive(Default)]
struct Pupils {
    // Who is being taught now.
    underway: HashSet<String>,
    // Who could not be told, and is not asked before then.
    again: HashMap<String, Instant>,
}

impl Teacher {
    /// For the chargers of an organisation.
    #[must_use]
    pub fn new(store: Store, org: OrgId, clerk: Arc<Clerk>, lessons: Arc<dyn Lessons>) -> Self {
        let inner = Inner { store, org, clerk, pupils: Mutex::default() };
        Self { inner: Arc::new(inner), lessons, turns: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// Looks again and again until the server stops.
    pub async fn run(self, mut stop: Stop) {
        loop {
            if tokio::time::timeout(LOOK_EVERY, stop.stopped()).await.is_ok() {
                return;
            }
            if let Err(error) = self.look(clock::now()).await {
                tracing::warn!(%error, "chargers could not be told their settings; the next try is soon");
            }
        }
    }

    /// Looks once, and begins with those who have something to learn, as many as have room: one that does not answer holds up
    /// nobody but itself. How many it began with.
    ///
    /// # Errors
    /// When the storage fails.
    pub async fn look(&self, now: Instant) -> Result<usize, Error> {
        let mut reader = self.inner.store.read().await?;
        let watched = reader.watched_chargers(&self.inner.org).await?;
        let told = reader.told(&self.inner.org).await?;
        drop(reader);
        self.inner.pupils().again.retain(|_, at| *at > now);
        let mut begun = 0;
        let settled = |charger: &WatchedCharger| {
            charger.connected_at.is_some_and(|at| now.0.saturating_sub(at.0) >= SETTLES_MS)
        };
        let watched: Vec<WatchedCharger> = watched.into_iter().filter(settled).collect();
        let settled: HashSet<String> = watched.iter().map(|charger| charger.id.clone()).collect();
        for charger in watched {
            if self.inner.pupils().is_left_alone(&charger.id) {
                continue;
            }
            let Some(lesson) = self.lessons.lesson(&self.inner.org, &charger.id) else { continue };
            let hash = lesson.hash();
            if told.get(&charger.id) == Some(&hash) {
                continue;
            }
            // The others have their turn at the next look.
            let Ok(turn) = Arc::clone(&self.turns).try_acquire_owned() else { break };
            self.inner.pupils().underway.insert(charger.id.clone());
            begun += 1;
            let inner = Arc::clone(&self.inner);
            tokio::spawn(async move {
                inner.see_to(&charger.id, &lesson, hash, now).await;
                drop(turn);
            });
        }
        Ok(begun + self.look_at_tariffs(&settled, now).await?)
    }
}

impl Pupils {
    fn is_left_alone(&self, charger: &str) -> bool {
        self.underway.contains(charger) || self.again.contains_key(charger)
    }
}

impl Inner {
    fn pupils(&self) -> MutexGuard<'_, Pupils> {
        self.pupils.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // Teaches a charger and notes what came of it.
    async fn see_to(&self, charger: &str, lesson: &Lesson, hash: String, now: Instant) {
        let mut learnt = self.teach(charger, lesson).await;
        if learnt {
            let (org, id) = (self.org.clone(), charger.to_owned());
            let unit = async move |tx: &mut Tx| tx.put_told(&org, &id, &hash, now).await;
            let kept = self.store.write(Lane::charger(&self.org, charger), unit).await;
            if let Err(error) = &kept {
                tracing::warn!(%error, charger, "it was not noted that a charger was told its settings");
            }
            learnt = kept.is_ok();
        }
        let mut pupils = self.pupils();
        pupils.underway.remove(charger);
        if !learnt {
            pupils.again.insert(charger.to_owned(), Instant(now.0.saturating_add(AGAIN_MS)));
        }
    }

    // Whether the charger has heard all of it. What it refuses it cannot do, and is not asked again.
    async fn teach(&self, charger: &str, lesson: &Lesson) -> bool {
        let stored = match self.store.read().await {
            Ok(mut reader) => reader.charger(&self.org, charger).await,
            Err(error) => Err(error),
        };
        let protocol = stored.ok().flatten().and_then(|charger| charger.protocol);
        let Some(dialect) = protocol.as_deref().and_then(Dialect::of_subprotocol) else { return false };
        for order in lesson.orders(dialect) {
            match self.clerk.command(&self.org, charger, order, "set-up").await {
                Ok(done) => match done.outcome {
                    Ok(outcome) if !outcome.status.is_good() => {
                        tracing::info!(
                            charger,
                            status = outcome.status.as_str(),
                            "a charger does not take a setting"
                        );
                    }
                    Ok(_) => {}
                    Err(why) => {
                        tracing::debug!(charger, %why, "a charger was not told its settings");
                        return false;
                    }
                },
                Err(NoCommand::NotAccepted) => return false,
                Err(why) => {
                    tracing::warn!(charger, %why, "a charger was not told its settings");
                    return false;
                }
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lesson(tokens_offline: TokensOffline) -> Lesson {
        Lesson { meter_values_s: 30, tokens_offline, tokens: String::new() }
    }

    #[test]
    fn a_lesson_is_said_in_the_words_of_the_dialect() {
        let said = |tokens, dialect| {
            let orders = lesson(tokens).orders(dialect);
            orders.iter().map(|order| serde_json::to_string(order).unwrap()).collect::<Vec<_>>().join("\n")
        };
        let old = said(TokensOffline::List, Dialect::V16);
        assert!(old.contains(r#""key":"MeterValueSampleInterval","value":"30""#), "{old}");
        assert!(old.contains(r#""key":"AllowOfflineTxForUnknownId","value":"false""#), "{old}");
        assert!(old.ends_with(r#"{"do":"send-local-list"}"#), "{old}");
        let new = said(TokensOffline::All, Dialect::V21);
        assert!(new.contains("OfflineTxForUnknownIdEnabled") && !new.contains("send-local-list"), "{new}");
        assert!(
            said(TokensOffline::None, Dialect::V16).contains(r#""LocalAuthorizeOffline","value":"false""#)
        );
    }

    #[test]
    fn another_lesson_has_another_hash() {
        let one = lesson(TokensOffline::List);
        let other = Lesson { tokens: "x".to_owned(), ..lesson(TokensOffline::List) };
        assert_eq!(one.hash(), lesson(TokensOffline::List).hash());
        assert!(one.hash() != other.hash() && one.hash() != lesson(TokensOffline::All).hash());
    }
}
