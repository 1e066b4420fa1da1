//! The desk: lets chargers in, answers what they report, and turns that into sessions. Absent: sockets, prices, bills.
//!
//! ```text
//! a report ──▶ what the set-up and the tokens say ──▶ one unit in the charger's lane: fact, session, answer ──▶ commit
//!                                                       ──▶ live price is told ──▶ the charger is answered
//! a clock ──▶ sweep: sessions that must have ended
//! ```
//!
//! A report and all that follows from it are one commit. The answer is kept with the fact: the same report again gets the same answer.

mod admit;
mod begin;
mod certificates;
mod commands;
mod dedupe;
mod limits;
pub mod rules;
mod station;
mod sweep;
mod terms;
mod tokens;
mod told_price;
mod transactions;
mod triggered;
mod watch;
mod work;

pub use certificates::Certified;
pub use commands::{Done, NoCommand, Order, Wire};
pub use rules::{CostSource, Nobody, Prices, Rules, SessionSink};
pub(crate) use terms::{charges_after_stop, shown};

use crate::chargers::model::{Answer, Report};
use crate::link::{Admission, Desk, Knock, Link, Make, Received, Reply, Ways};
use crate::pki::Signer;
use crate::store::{Error, OrgId, Store};
use rules::ChargerRules;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use watch::Watch;

/// Whom the desk works with.
#[derive(Clone)]
pub struct People {
    /// The set-up.
    pub rules: Arc<dyn Rules>,
    /// Who knows what sessions cost.
    pub costs: Arc<dyn CostSource>,
    /// Who is told that sessions have changed.
    pub sink: Arc<dyn SessionSink>,
    /// Who has price feeds.
    pub prices: Arc<dyn Prices>,
    /// The way to chargers.
    pub wire: Arc<dyn Wire>,
}

/// Whoever answers chargers.
pub struct Clerk {
    store: Store,
    node: String,
    people: People,
    // Who signs requests of chargers; none: nobody.
    signer: OnceLock<Signer>,
    // Whose turn it is to be signed for.
    signing: tokio::sync::Mutex<()>,
    // For what goes on after a charger has its answer.
    me: Weak<Clerk>,
    // What is worth remembering between two reports; all of it can be read from the storage.
    watch: Mutex<Watch>,
}

impl std::fmt::Debug for Clerk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Clerk").field("node", &self.node).finish_non_exhaustive()
    }
}

impl Clerk {
    /// A clerk. `node` names this program among those that share a database.
    #[must_use]
    pub fn new(store: Store, node: impl Into<String>, people: People) -> Arc<Self> {
        let node = node.into();
        let (signer, signing, watch) = (OnceLock::new(), tokio::sync::Mutex::default(), Mutex::default());
        Arc::new_cyclic(|me| Self { store, node, people, signer, signing, me: me.clone(), watch })
    }

    fn watch(&self) -> MutexGuard<'_, Watch> {
        // Nothing under this lock can leave it half changed.
        self.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn rules(&self, org: &OrgId, charger: &str) -> Arc<ChargerRules> {
        self.people.rules.charger(org, charger).unwrap_or_else(|| Arc::new(ChargerRules::guest(org, charger)))
    }

    async fn answer(&self, link: &Link, received: Received) -> Result<Option<Answer>, Error> {
        self.watch().seen(&link.org, &link.charger, received.at);
        if !self.may_speak(link, &received.report).await? {
            return Ok(None);
        }
        match &received.report {
            Report::Heartbeat => Ok(Some(Answer::Time(received.at))),
            Report::Authorize(authorize) => self.authorize(link, authorize, received.at).await.map(Some),
            Report::Boot(_) => self.boot(link, received).await.map(Some),
            Report::Sign(_) => self.asked_to_sign(link, received).await.map(Some),
            Report::Transaction(_) => self.transaction(link, received).await.map(Some),
            Report::Meter(_) | Report::Status(_) | Report::Unplugged(_) => {
                self.about_place(link, received).await.map(Some)
            }
            _ => self.other(link, received).await.map(Some),
        }
    }
}

impl Desk for Clerk {
    async fn admit(&self, knock: Knock) -> Admission {
        match self.let_in(&knock).await {
            Ok(admission) => admission,
            Err(error) => {
                tracing::warn!(identity = knock.identity, %error, "a charger could not be looked up");
                Admission::Refused { status: 503, why: "try again later".to_owned() }
            }
        }
    }

    fn ways(&self, link: &Link, make: &Make<'_>) -> Option<Ways> {
        Some(self.people.rules.ways(&link.org, &link.charger, make))
    }

    async fn connected(&self, link: &Link) {
        if let Err(error) = self.came(link).await {
            tracing::warn!(charger = link.charger, %error, "a connection could not be noted");
        }
    }

    async fn report(&self, link: &Link, received: Received) -> Reply {
        let action = received.action.clone();
        match self.answer(link, received).await {
            Ok(Some(answer)) => Reply::Answer(answer),
            Ok(None) => Reply::NotYet,
            Err(error) => {
                tracing::warn!(charger = link.charger, action, %error, "a report could not be kept");
                Reply::Failed
            }
        }
    }

    async fn disconnected(&self, link: &Link) {
        if let Err(error) = self.left(link).await {
            tracing::warn!(charger = link.charger, %error, "the end of a connection could not be noted");
        }
    }
}
