//! Bills: sessions that are over become bills with a number, once. Absent: prices made up for missing ones, and any change of
//! a bill that went out.
//!
//! ```text
//! session due ──▶ counters locked ──▶ priced ──┬─▶ bill: number, counters, event, in one commit
//!                                              ├─▶ preview: a price is missing; the feed wakes it
//!                                              └─▶ held: it cannot be priced; somebody must look
//! a bill, and the session, a feed or the tariff is another one now ──▶ correction beside it
//! ```
//!
//! Two that work on the same session, a crash between two steps, the same work done twice: a session has one bill, its first
//! revision, and numbers have no holes, because number, bill and counters stand or fall with one commit.

mod affected;
mod again;
mod counters;
mod decide;
mod difference;
mod first;
mod issued;
mod lists;
pub(crate) mod occupancy;
mod run;
mod session;
mod verify;
mod work;

pub use affected::Affected;
pub use decide::{Decision, REFUNDED};
pub use difference::Difference;
pub use issued::{Head, IssuedBy, from_json, minor, printed_number};
pub use lists::{Later, NextList, PriceChange, changes};
pub use session::{session_text, state_word};
pub use verify::Verdict;
pub use work::Hashes;

pub(crate) use counters::{Counted, Days, opening};
pub(crate) use lists::{Course, Followed, news, note, noted};
pub(crate) use session::span;
pub(crate) use work::Ready;

use crate::serve::traces::TARGET as TRACE;
use crate::store::{self, Alert, Bill, Lane, NewEvent, OrgId, Store, Tx, WaitingFor, new_id};
use serde_json::json;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use takst_engine::Prepared;
use takst_engine::units::Instant;
use tokio::sync::Notify;
use tracing::Instrument as _;

/// Compiled tariffs by version.
pub trait Tariffs: Send + Sync + 'static {
    /// The tariff with this hash, if it is known.
    fn prepared(&self, version: &str) -> Option<Arc<Prepared>>;

    /// Another number whenever other lists can be in force than before.
    fn turn(&self) -> u64 {
        0
    }

    /// The lists that come into force where and for whom a session charges, from its plug-in on until `until`, and that say that
    /// running sessions go over to them; in order of time.
    fn next_lists(&self, _org: &OrgId, _session: &store::Session, _until: Instant) -> Vec<NextList> {
        Vec::new()
    }

    /// Whether a list lets a value of this feed count until the next one.
    fn holds(&self, _org: &OrgId, _feed: &str) -> bool {
        false
    }

    /// How many cars can charge at a site at once; none where nobody knows.
    fn places(&self, _org: &OrgId, _site: &str) -> Option<u32> {
        None
    }
}

/// Who issues bills.
pub trait Sellers: Send + Sync + 'static {
    /// The seller with this key.
    fn seller(&self, org: &OrgId, seller: &str) -> Option<Seller>;

    /// What the set-up says that a driver pays with, at whichever provider; none when it says nothing.
    fn instrument(&self, _org: &OrgId, _driver: &str) -> Option<String> {
        None
    }

    /// Whether drivers get receipts by e-mail.
    fn mails_receipts(&self, _org: &OrgId) -> bool {
        false
    }

    /// How a seller's invoices are sent, where this driver pays by invoice.
    fn invoicing(&self, _org: &OrgId, _seller: &str, _driver: &str) -> Option<crate::invoicing::Terms> {
        None
    }
}

/// A legal entity that issues bills.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Seller {
    /// Its key.
    pub id: String,
    /// Its name on the bill.
    pub name: String,
    /// Number in the register of companies.
    pub company_number: Option<String>,
    /// VAT number.
    pub vat_number: Option<String>,
    /// Lines of its address.
    pub address: Vec<String>,
    /// Where drivers write to or call.
    pub contact: Vec<String>,
    /// What its bill numbers begin with, as in `KOTI-`; a series of numbers of its own.
    pub series: String,
    /// The plugin that its bills are paid through; none: bills stay open.
    pub payments: Option<String>,
}

/// How bills are made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Options {
    /// Corrections are issued without anybody being asked, unless money has been given back before.
    pub correct_automatically: bool,
    /// Most bills in one list of an alert about changed prices; what is beyond them is listed once these are corrected.
    pub most_listed: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { correct_automatically: false, most_listed: 10_000 }
    }
}

/// What became of a session.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It has its bill now.
    Billed(Box<Bill>),
    /// There was a bill; this is what changed in it.
    Corrected(Box<Bill>),
    /// Prices are missing.
    Pending(Vec<WaitingFor>),
    /// It cannot be priced; why.
    Held(String),
    /// There was a bill, and it is still right.
    Unchanged,
    /// There was a bill, and it would be another one now; somebody has to decide. Why.
    Undecided(String),
    /// There is nothing to do.
    NotDue,
}

/// Issues bills. Copies share what they know.
#[derive(Clone)]
pub struct Billing {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    setup: Arc<Setup>,
    options: Options,
    wake: Notify,
}

struct Setup {
    tariffs: Arc<dyn Tariffs>,
    sellers: Arc<dyn Sellers>,
    // What follows from a tariff alone, by version.
    ready: Mutex<HashMap<String, Arc<Ready>>>,
}

impl Setup {
    fn ready(&self, version: &str) -> Option<Arc<Ready>> {
        let mut known = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(ready) = known.get(version) {
            return Some(Arc::clone(ready));
        }
        let ready = Arc::new(Ready::of(self.tariffs.prepared(version)?));
        // Versions come and go; what is dropped is worked out again.
        if known.len() >= 1000 {
            known.clear();
        }
        known.insert(version.to_owned(), Arc::clone(&ready));
        Some(ready)
    }
}

impl Billing {
    /// Bills from this storage.
    #[must_use]
    pub fn new(store: Store, tariffs: Arc<dyn Tariffs>, sellers: Arc<dyn Sellers>, options: Options) -> Self {
        let setup = Arc::new(Setup { tariffs, sellers, ready: Mutex::default() });
        Self { inner: Arc::new(Inner { store, setup, options, wake: Notify::new() }) }
    }

    /// Bills all sessions that are due, oldest first; what became of each.
    ///
    /// # Errors
    /// When the storage fails. What was billed before that stays billed, and the rest is still due.
    pub async fn bill_due(&self, org: &OrgId, now: Instant) -> Result<Vec<(String, Outcome)>, store::Error> {
        const AT_ONCE: i64 = 500;
        let mut done = Vec::new();
        loop {
            let due = self.inner.store.read().await?.due_sessions(org, AT_ONCE).await?;
            let mut went_on = false;
            for session in &due {
                let outcome = self.bill_one(org, session, now).await?;
                went_on |= outcome != Outcome::NotDue;
                done.push((session.id.clone(), outcome));
            }
            if due.is_empty() || !went_on {
                return Ok(done);
            }
        }
    }

    /// Bills a session, if it is due.
    ///
    /// # Errors
    /// When the storage fails.
    pub async fn bill_session(
        &self,
        org: &OrgId,
        session: &str,
        now: Instant,
    ) -> Result<Outcome, store::Error> {
        let stored = self.inner.store.read().await?.session(org, session).await?;
        match stored {
            Some(stored) => self.bill_one(org, &stored, now).await,
            None => Ok(Outcome::NotDue),
        }
    }

    async fn bill_one(
        &self,
        org: &OrgId,
        stored: &store::Session,
        now: Instant,
    ) -> Result<Outcome, store::Error> {
        let span = tracing::info_span!(target: TRACE, "bill", session = stored.id, charger = stored.charger);
        self.bill_it(org, stored, now).instrument(span).await
    }

    async fn bill_it(
        &self,
        org: &OrgId,
        stored: &store::Session,
        now: Instant,
    ) -> Result<Outcome, store::Error> {
        const ATTEMPTS: usize = 5;
        let mut attempt = 0;
        loop {
            attempt += 1;
            let job = self.job(org, &stored.id, now);
            let lane = Lane::charger(org, &stored.charger);
            let result = self.inner.store.write(lane, async move |tx| first::bill(tx, &job).await).await;
            let reason = match result {
                Err(store::Error::Refused(reason)) if reason == CHANGED && attempt < ATTEMPTS => continue,
                // Somebody else was faster: his bill is found at the next look.
                Err(store::Error::Conflict(_)) if attempt < ATTEMPTS => continue,
                // Would be so for ever, and must not stand in the way of others.
                Err(
                    store::Error::Refused(reason)
                    | store::Error::Corrupt(reason)
                    | store::Error::Conflict(reason),
                ) => reason,
                result => return result,
            };
            let job = self.job(org, &stored.id, now);
            let lane = Lane::charger(org, &stored.charger);
            return self
                .inner
                .store
                .write(lane, async move |tx| {
                    first::put_aside(tx, &job, &format!("it could not be billed: {reason}")).await
                })
                .await;
        }
    }

    fn job(&self, org: &OrgId, session: &str, now: Instant) -> Job {
        Job {
            setup: Arc::clone(&self.inner.setup),
            options: self.inner.options,
            org: org.clone(),
            session: session.to_owned(),
            bill: new_id(),
            now,
        }
    }
}

// What a unit refuses with when the session was changed while it was billed; it is done again.
const CHANGED: &str = "the session was changed while it was billed";

// One unit of work: everything it needs that must be the same when it runs again.
struct Job {
    setup: Arc<Setup>,
    options: Options,
    org: OrgId,
    session: String,
    // The id that a bill would have.
    bill: String,
    now: Instant,
}

impl Job {
    fn event(&self, kind: &str, document: &serde_json::Value) -> NewEvent {
        NewEvent {
            at: self.now,
            kind: kind.to_owned(),
            subject: self.session.clone(),
            document: document.to_string(),
        }
    }

    // The bill would be another one now, and somebody has to decide.
    fn differs(&self) -> Alert<'_> {
        Alert { subject: &self.session, kind: "bill.differs", severity: "warning" }
    }

    // The bill would be another one now, and nobody is to change it by himself.
    async fn undecided(&self, tx: &mut Tx, why: &str) -> Result<Outcome, store::Error> {
        let document = json!({ "session": self.session, "reason": why });
        tx.raise(&self.org, self.differs(), &document, self.now).await?;
        // Prices that come later must not ask again.
        tx.drop_preview(&self.org, &self.session).await?;
        tx.set_billing(&self.org, &self.session, store::Billing::Billed).await?;
        Ok(Outcome::Undecided(why.to_owned()))
    }
}
