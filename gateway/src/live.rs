//! What running sessions cost now: followed reading by reading, at a price that does not grow with their length. Absent:
//! bills ([`crate::billing`] makes them from what is stored), and sockets.
//!
//! ```text
//! the desk has committed ──▶ touched ──▶ the running price of the session ──┬─▶ cost, for pages and answers
//! a clock ──────────────────▶ tick ────▶                                     ├─▶ notices: charging ended, idle fee soon, idle fee
//! a feed ───────────────────▶ prices_changed                                 ├─▶ stop, before a ceiling is exceeded
//!                                                                            └─▶ cost on the charger's display
//! ```
//!
//! Nothing here has to survive: it is all worked out again from the storage, at the start and whenever the rows of a session
//! are other ones than those that were followed. A notice is given once, also over restarts: a fact says so.

mod display;
mod follow;
mod look;

use crate::billing::{Ready, Tariffs};
use crate::chargers::model::Command;
use crate::clock;
use crate::feeds::Books;
use crate::ocpp::Dialect;
use crate::sessions::Touched;
use crate::store::{self, OrgId, Store};
use follow::Held;
use futures_util::StreamExt as _;
use rust_decimal::Decimal;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;
use takst_engine::session::State;
use takst_engine::units::{Energy, Instant};
use tokio::sync::{Mutex as AsyncMutex, Semaphore};

/// The way to chargers.
pub trait Chargers: Send + Sync + 'static {
    /// Tells a charger something, without waiting for what comes of it. What cannot be sent is dropped: it is said again with
    /// newer figures.
    fn tell(&self, org: &OrgId, charger: &str, command: Command);

    /// In which dialect a connected charger is spoken with; none while it is offline.
    fn dialect(&self, org: &OrgId, charger: &str) -> Option<Dialect>;

    /// Whether it shows costs to drivers (OCPP 1.6: the cost messages).
    fn shows_cost(&self, org: &OrgId, charger: &str) -> bool;

    /// Milliseconds between two costs on its display at least, however often meter values come.
    fn display_pause_ms(&self, _org: &OrgId, _charger: &str) -> i64 {
        5_000
    }
}

// Sessions that are taken up at the same time; about as many as there are connections for look-ups.
const TAKEN_UP_AT_ONCE: usize = 8;
// The last cost of a session that is over stays for so long: it is part of the answer to the charger.
const LAST_SHOWN_MS: i64 = 10 * 60_000;

/// How running sessions are watched; times in milliseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Options {
    /// So long before standing begins to cost something the driver is told.
    pub idle_soon_ms: i64,
    /// Progress of a session is logged at most so often.
    pub progress_ms: i64,
    /// While no meter value comes, a display is told a new cost at most so often; a new state at once.
    pub display_ms: i64,
    /// A session is stopped so long before it would reach its ceiling: what a charger may need to stop.
    pub stop_ahead_ms: i64,
    /// A stop that had no effect is ordered again after so long.
    pub stop_again_ms: i64,
    /// Between two looks at the clock.
    pub tick_ms: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            idle_soon_ms: 10 * 60_000,
            progress_ms: 15_000,
            display_ms: 60_000,
            stop_ahead_ms: 45_000,
            stop_again_ms: 60_000,
            tick_ms: 10_000,
        }
    }
}

/// What a running session costs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Now {
    /// The session.
    pub session: String,
    /// Its charger.
    pub charger: String,
    /// As of when (station time).
    pub at: Instant,
    /// What the car does.
    pub state: State,
    /// Energy taken.
    pub energy: Energy,
    /// Power drawn, millionths of a kW, where it is known.
    pub power: Option<i64>,
    /// ISO 4217.
    pub currency: String,
    /// Digits of its minor unit.
    pub digits: u8,
    /// Minor units.
    pub net: i64,
    /// Minor units.
    pub tax: i64,
    /// Minor units, all taxes in.
    pub total: i64,
    /// Some of it has no price yet and is not in the sums.
    pub pending: bool,
    /// From when on standing costs something, where that is known and the car does not charge.
    pub fee_from: Option<Instant>,
    /// Minor units.
    pub ceiling: Option<i64>,
    /// It is over; this is what the bill will say.
    pub ended: bool,
}

impl Now {
    /// The total as a decimal.
    #[must_use]
    pub fn amount(&self) -> Decimal {
        Decimal::new(self.total, u32::from(self.digits))
    }
}

/// The prices of all running sessions. Copies share them.
#[derive(Clone)]
pub struct Live {
    inner: Arc<Inner>,
}

type Sessions = HashMap<OrgId, HashMap<String, Arc<Slot>>>;

struct Inner {
    store: Store,
    tariffs: Arc<dyn Tariffs>,
    books: Books,
    chargers: Arc<dyn Chargers>,
    options: Options,
    sessions: RwLock<Sessions>,
    // Sessions whose price depends on how full their site is.
    asking: Mutex<HashMap<(OrgId, String), BTreeSet<String>>>,
    ready: Mutex<HashMap<String, Arc<Ready>>>,
    // When which session has a notice coming.
    due: Mutex<BTreeSet<(Instant, OrgId, String)>>,
    // What is being logged while nobody waits for it.
    logging: Arc<Semaphore>,
}

// One session.
struct Slot {
    held: AsyncMutex<Option<Held>>,
    now: Mutex<Option<Now>>,
}

impl Slot {
    fn now(&self) -> Option<Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, now: Option<Now>) {
        *self.now.lock().unwrap_or_else(PoisonError::into_inner) = now;
    }
}

impl Live {
    /// Follows no session yet.
    #[must_use]
    pub fn new(
        store: Store,
        tariffs: Arc<dyn Tariffs>,
        books: Books,
        chargers: Arc<dyn Chargers>,
        options: Options,
    ) -> Self {
        let (sessions, asking, ready) = (RwLock::default(), Mutex::default(), Mutex::default());
        let logging = Arc::new(Semaphore::new(256));
        let due = Mutex::default();
        let inner = Inner { store, tariffs, books, chargers, options, sessions, asking, ready, due, logging };
        Self { inner: Arc::new(inner) }
    }

    /// Takes up all sessions that run, at the start of the program; how many.
    ///
    /// # Errors
    /// When the storage fails.
    pub async fn take_up(&self, now: Instant) -> Result<usize, store::Error> {
        let orgs = self.inner.store.read().await?.orgs().await?;
        let mut count = 0;
        for org in &orgs {
            let sessions = self.inner.store.read().await?.unfinished_sessions(org).await?;
            let earliest = sessions.iter().map(|session| session.plugged_in).min();
            self.refresh_prices(org, now, earliest).await?;
            count += sessions.len();
            // Each is read by itself: several at a time, or chargers would wait for thousands of look-ups one after the other.
            let each = sessions.iter().map(|session| {
                let again = Touched { rebuilt: true, late: true, ..Touched::default() };
                self.touch(org, &session.id, again, now)
            });
            futures_util::stream::iter(each).buffer_unordered(TAKEN_UP_AT_ONCE).collect::<()>().await;
        }
        Ok(count)
    }

    /// What the desk has written about a session.
    pub async fn touched(&self, org: &OrgId, session: &str, touched: Touched) {
        let places = touched.places.clone();
        self.touch(org, session, touched, clock::now()).await;
        if let Some(site) = places.filter(|site| !self.asking(org, site).is_empty()) {
            // The answer to the charger does not wait for the sessions of others.
            let (live, org, session) = (self.clone(), org.clone(), session.to_owned());
            tokio::spawn(async move { live.places_changed(&org, &site, &session, clock::now()).await });
        }
    }

    /// A car has come to a site or left it, with this session: what others there cost is worked out anew where it depends on that.
    pub async fn places_changed(&self, org: &OrgId, site: &str, by: &str, now: Instant) {
        for other in self.asking(org, site).into_iter().filter(|other| other != by) {
            let followed = {
                let sessions = self.inner.sessions.read().unwrap_or_else(PoisonError::into_inner);
                let slot = sessions.get(org).and_then(|slots| slots.get(&other));
                slot.is_some_and(|slot| slot.now().is_none_or(|shown| !shown.ended))
            };
            if followed {
                let again = Touched { rebuilt: true, late: true, ..Touched::default() };
                self.touch(org, &other, again, now).await;
            }
        }
    }

    fn asking(&self, org: &OrgId, site: &str) -> BTreeSet<String> {
        let asking = self.inner.asking.lock().unwrap_or_else(PoisonError::into_inner);
        asking.get(&(org.clone(), site.to_owned())).cloned().unwrap_or_default()
    }

    /// The same at a time that is given.
    pub async fn touch(&self, org: &OrgId, session: &str, touched: Touched, now: Instant) {
        let slot = self.slot(org, session);
        let mut held = slot.held.lock().await;
        let Touched { ended, late, .. } = touched;
        match self.follow(org, session, &mut held, touched).await {
            Ok(Some(final_sums)) if ended => {
                let last = held.take();
                let shown = last.as_ref().map(|held| held.snapshot(&final_sums, true));
                slot.set(shown.clone());
                if let (Some(held), Some(shown)) = (&last, &shown)
                    && !late
                {
                    self.show_final(org, held, shown);
                }
            }
            Ok(Some(_)) => {
                if let Some(held) = held.as_mut() {
                    held.look.heard |= !late;
                    self.look(org, &slot, held, now, late).await;
                }
            }
            // It is over, or cannot be priced: billing says why.
            Ok(None) => {
                *held = None;
                slot.set(None);
                self.forget(org, session);
            }
            Err(error) => {
                // Read anew the next time.
                *held = None;
                tracing::warn!(%error, session, "the cost of a session could not be followed");
            }
        }
    }

    /// What a session costs, as of its last report or the last look at the clock.
    #[must_use]
    pub fn cost(&self, org: &OrgId, session: &str) -> Option<Now> {
        let sessions = self.inner.sessions.read().unwrap_or_else(PoisonError::into_inner);
        sessions.get(org)?.get(session)?.now()
    }

    /// All that run, by id.
    #[must_use]
    pub fn all(&self, org: &OrgId) -> Vec<Now> {
        let sessions = self.inner.sessions.read().unwrap_or_else(PoisonError::into_inner);
        let slots = sessions.get(org).into_iter().flat_map(HashMap::values);
        let mut all: Vec<Now> = slots.filter_map(|slot| slot.now()).filter(|now| !now.ended).collect();
        all.sort_by(|one, other| one.session.cmp(&other.session));
        all
    }

    /// A feed has arrived, or a tariff: what the sessions of an organisation cost is worked out anew with what is known now.
    ///
    /// # Errors
    /// When the storage fails; then the old prices count on.
    pub async fn prices_changed(&self, org: &OrgId, now: Instant) -> Result<(), store::Error> {
        let sessions = self.inner.store.read().await?.unfinished_sessions(org).await?;
        let earliest = sessions.iter().map(|session| session.plugged_in).min();
        self.refresh_prices(org, now, earliest).await?;
        let followed: Vec<String> = {
            let sessions = self.inner.sessions.read().unwrap_or_else(PoisonError::into_inner);
            let slots = sessions.get(org).into_iter().flatten();
            slots
                .filter(|(_, slot)| slot.now().is_none_or(|shown| !shown.ended))
                .map(|(id, _)| id.clone())
                .collect()
        };
        for session in followed {
            self.touch(org, &session, Touched { rebuilt: true, late: true, ..Touched::default() }, now).await;
        }
        Ok(())
    }

    async fn refresh_prices(
        &self,
        org: &OrgId,
        now: Instant,
        earliest: Option<Instant>,
    ) -> Result<(), store::Error> {
        let holds = |feed: &str| self.inner.tariffs.holds(org, feed);
        self.inner.books.refresh(&self.inner.store, org, now, earliest, holds).await.map(drop)
    }

    /// Looks at the clock: costs that grow by time, notices that are due, ceilings that come near.
    pub async fn tick(&self, now: Instant) {
        let all: Vec<(OrgId, String, Arc<Slot>)> = {
            let sessions = self.inner.sessions.read().unwrap_or_else(PoisonError::into_inner);
            let each = sessions.iter().flat_map(|(org, slots)| {
                slots.iter().map(move |(session, slot)| (org.clone(), session.clone(), Arc::clone(slot)))
            });
            each.collect()
        };
        for (org, session, slot) in all {
            // Somebody is at it: then it is up to date.
            let Ok(mut held) = slot.held.try_lock() else { continue };
            let turn = self.inner.tariffs.turn();
            match held.as_mut() {
                // Other lists may be in force than those that it was taken up with.
                Some(before) if before.turn != turn => {
                    drop(held);
                    let again = Touched { rebuilt: true, late: true, ..Touched::default() };
                    self.touch(&org, &session, again, now).await;
                }
                Some(held) if held.wants_looks(now, self.inner.options) => {
                    self.look(&org, &slot, held, now, false).await;
                }
                Some(_) => {}
                None => {
                    drop(held);
                    match slot.now() {
                        Some(shown) if shown.ended && now.0.saturating_sub(shown.at.0) > LAST_SHOWN_MS => {
                            self.forget(&org, &session);
                        }
                        Some(shown) if shown.ended => {}
                        // It could not be read before.
                        _ => {
                            let again = Touched { rebuilt: true, late: true, ..Touched::default() };
                            self.touch(&org, &session, again, now).await;
                        }
                    }
                }
            }
        }
    }

    /// When the next notice to a driver is due, by our clock.
    #[must_use]
    pub fn next_notice(&self) -> Option<Instant> {
        let due = self.inner.due.lock().unwrap_or_else(PoisonError::into_inner);
        due.first().map(|(at, ..)| *at)
    }

    /// Gives the notices that are due by `now`. What of a session cannot be looked at in this moment is left to [`Self::tick`].
    pub async fn give_notices(&self, now: Instant) {
        let due: Vec<(OrgId, String)> = {
            let mut due = self.inner.due.lock().unwrap_or_else(PoisonError::into_inner);
            let later = due.split_off(&(Instant(now.0.saturating_add(1)), OrgId::new(""), String::new()));
            std::mem::replace(&mut *due, later).into_iter().map(|(_, org, session)| (org, session)).collect()
        };
        for (org, session) in due {
            let slot = {
                let sessions = self.inner.sessions.read().unwrap_or_else(PoisonError::into_inner);
                sessions.get(&org).and_then(|slots| slots.get(&session)).cloned()
            };
            let Some(slot) = slot else { continue };
            let Ok(mut held) = slot.held.try_lock() else { continue };
            if let Some(held) = held.as_mut() {
                held.look.next = None;
                self.look(&org, &slot, held, now, false).await;
            }
        }
    }

    /// Looks at the clock from time to time, and when a notice is due, until `stop`.
    pub async fn run(&self, stop: impl Future<Output = ()> + Send) {
        // Whoever is told within a second is told in time.
        const SECOND: Duration = Duration::from_secs(1);
        let work = async {
            let mut every = tokio::time::interval(Duration::from_millis(self.inner.options.tick_ms.max(100)));
            every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            let mut notices = tokio::time::interval(SECOND);
            notices.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    _ = every.tick() => self.tick(clock::now()).await,
                    _ = notices.tick() => self.give_notices(clock::now()).await,
                }
            }
        };
        tokio::select! {
            () = work => {}
            () = stop => {}
        }
    }

    fn slot(&self, org: &OrgId, session: &str) -> Arc<Slot> {
        let mut sessions = self.inner.sessions.write().unwrap_or_else(PoisonError::into_inner);
        let slots = sessions.entry(org.clone()).or_default();
        let new = || Arc::new(Slot { held: AsyncMutex::new(None), now: Mutex::new(None) });
        Arc::clone(slots.entry(session.to_owned()).or_insert_with(new))
    }

    fn forget(&self, org: &OrgId, session: &str) {
        let mut sessions = self.inner.sessions.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(slots) = sessions.get_mut(org) {
            slots.remove(session);
        }
        drop(sessions);
        let mut asking = self.inner.asking.lock().unwrap_or_else(PoisonError::into_inner);
        asking.retain(|(owner, _), sessions| {
            if owner == org {
                sessions.remove(session);
            }
            !sessions.is_empty()
        });
    }
}
