//! What the desk remembers between two reports. All of it can be read from the storage again.

use crate::chargers::model::fold;
use crate::store::OrgId;
use std::collections::{BTreeSet, HashMap, HashSet};
use takst_engine::units::Instant;

type Due = (Instant, OrgId, String, String);

/// A session that is not over.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Open {
    pub charger: String,
    pub evse: i64,
    pub token: Option<String>,
    // The transaction goes on: the token is in use.
    pub in_use: bool,
    pub due: Option<Instant>,
}

// How far a clock was ahead: as heard last, and as written down.
#[derive(Default)]
struct Skew {
    row: Option<Row>,
    noted: Option<i64>,
}

// Reports in a row that agree: how many of them came apart from one another, and when the last of those did.
struct Row {
    skew: i64,
    counted: Instant,
    count: u32,
}

#[derive(Default)]
pub(super) struct Watch {
    open: HashMap<(OrgId, String), Open>,
    tokens: HashMap<(OrgId, String), HashSet<String>>,
    due: BTreeSet<Due>,
    seen: HashMap<OrgId, HashMap<String, Instant>>,
    strangers: HashSet<(OrgId, String)>,
    skews: HashMap<(OrgId, String), Skew>,
    flushed: Option<Instant>,
    // When connections ended.
    gone: HashMap<(OrgId, String), Instant>,
}

impl Watch {
    /// Notes how a session stands; `None`: it is over.
    pub fn put(&mut self, org: &OrgId, session: &str, open: Option<Open>) {
        let key = (org.clone(), session.to_owned());
        if let Some(old) = self.open.remove(&key) {
            if let Some(at) = old.due {
                self.due.remove(&(at, org.clone(), old.charger, session.to_owned()));
            }
            if let Some(token) = old.token {
                let token = (org.clone(), fold(&token));
                if let Some(sessions) = self.tokens.get_mut(&token) {
                    sessions.remove(session);
                    if sessions.is_empty() {
                        self.tokens.remove(&token);
                    }
                }
            }
        }
        let Some(open) = open else { return };
        if let Some(at) = open.due {
            self.due.insert((at, org.clone(), open.charger.clone(), session.to_owned()));
        }
        if let Some(token) = open.token.as_ref().filter(|_| open.in_use) {
            self.tokens.entry((org.clone(), fold(token))).or_default().insert(session.to_owned());
        }
        self.open.insert(key, open);
    }

    /// How many sessions a token has at other places than this one: what still runs here is about to end.
    pub fn elsewhere(&self, org: &OrgId, token: &str, charger: &str, evse: i64) -> usize {
        let Some(sessions) = self.tokens.get(&(org.clone(), fold(token))) else { return 0 };
        let here = |session: &String| {
            self.open
                .get(&(org.clone(), session.clone()))
                .is_some_and(|open| open.charger == charger && open.evse == evse)
        };
        sessions.iter().filter(|session| !here(session)).count()
    }

    /// The sessions for which something is to be done by now.
    pub fn due(&self, now: Instant) -> Vec<(OrgId, String, String)> {
        const AT_ONCE: usize = 500;
        self.due
            .iter()
            .take_while(|(at, ..)| *at <= now)
            .take(AT_ONCE)
            .map(|(_, org, charger, session)| (org.clone(), charger.clone(), session.clone()))
            .collect()
    }

    /// What is to be done for a session is not done before that.
    pub fn put_off(&mut self, org: &OrgId, session: &str, until: Instant) {
        let open = self.open.get(&(org.clone(), session.to_owned())).cloned();
        self.put(org, session, open.map(|open| Open { due: Some(until), ..open }));
    }

    /// Notes that the connection of a charger has ended.
    pub fn left(&mut self, org: &OrgId, charger: &str, at: Instant) {
        self.gone.insert((org.clone(), charger.to_owned()), at);
    }

    /// When its last connection ended, if it has none since.
    pub fn came(&mut self, org: &OrgId, charger: &str) -> Option<Instant> {
        self.gone.remove(&(org.clone(), charger.to_owned()))
    }

    /// When something last came from a charger, as far as it is not taken yet ([`Self::take_seen`]).
    pub fn heard(&self, org: &OrgId, charger: &str) -> Option<Instant> {
        self.seen.get(org)?.get(charger).copied()
    }

    /// Notes that something came from a charger.
    pub fn seen(&mut self, org: &OrgId, charger: &str, at: Instant) {
        match self.seen.get_mut(org) {
            Some(chargers) => {
                if let Some(seen) = chargers.get_mut(charger) {
                    *seen = at;
                } else {
                    chargers.insert(charger.to_owned(), at);
                }
            }
            None => {
                self.seen.insert(org.clone(), HashMap::from([(charger.to_owned(), at)]));
            }
        }
    }

    /// Who was heard since the last time, when that is long enough ago.
    pub fn take_seen(&mut self, now: Instant) -> Vec<(OrgId, Vec<(String, Instant)>)> {
        const EVERY_MS: i64 = 10_000;
        if self.flushed.is_some_and(|last| now.0.saturating_sub(last.0) < EVERY_MS) {
            return Vec::new();
        }
        self.flushed = Some(now);
        let seen = std::mem::take(&mut self.seen);
        seen.into_iter().map(|(org, chargers)| (org, chargers.into_iter().collect())).collect()
    }

    /// Whether there is room for one more charger that nobody named.
    pub fn stranger(&mut self, org: &OrgId, charger: &str, most: usize) -> bool {
        let key = (org.clone(), charger.to_owned());
        self.strangers.contains(&key) || (self.strangers.len() < most && self.strangers.insert(key))
    }

    /// What is to be noted of a clock whose report, received now, is `skew` ahead of ours; none: nothing new.
    ///
    /// A report can be late, never early: a clock is at least as far ahead as its report says. That it is farther behind than is known
    /// takes several reports in a row that agree, received one after the other: old reports are sent together, and a repeated one is
    /// later each time. A clock that is right is right: it takes no more than one report to say so.
    pub fn skew(&mut self, org: &OrgId, charger: &str, skew: i64, received: Instant) -> Option<i64> {
        const AGREE: u32 = 3;
        const APART_MS: i64 = 20_000;
        const ALIKE_MS: i64 = 5_000;
        // Times are often whole seconds, and take some time to arrive.
        const STEP_MS: i64 = 3_000;
        let known = self.skews.entry((org.clone(), charger.to_owned())).or_default();
        match &mut known.row {
            Some(row) if row.skew.saturating_sub(skew).abs() < ALIKE_MS => {
                if received.0.saturating_sub(row.counted.0) >= APART_MS {
                    row.counted = received;
                    row.count = row.count.saturating_add(1);
                }
            }
            row => *row = Some(Row { skew, counted: received, count: 1 }),
        }
        let is_right = skew.saturating_abs() < ALIKE_MS;
        let farther = skew > known.noted.unwrap_or(0);
        let agreed = known.row.as_ref().is_some_and(|row| row.count >= AGREE);
        if !(is_right || farther || agreed) {
            return None;
        }
        let same = known.noted.is_some_and(|noted| noted.saturating_sub(skew).abs() < STEP_MS);
        if same {
            return None;
        }
        known.noted = Some(skew);
        known.noted
    }

    /// Forgets what is known of a clock: the charger has booted, and was told the time.
    pub fn forget_skew(&mut self, org: &OrgId, charger: &str) {
        self.skews.remove(&(org.clone(), charger.to_owned()));
    }
}
