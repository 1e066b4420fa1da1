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
    last: Option<(i64, Instant)>,
    noted: Option<i64>,
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

    /// Whether a clock that is `skew` ahead is to be noted: it is another one than before. One that is far behind may be an old report: it
    /// takes two alike, received a while apart, for old reports arrive together.
    pub fn skew(&mut self, org: &OrgId, charger: &str, skew: i64, received: Instant) -> bool {
        const BEHIND_MS: i64 = 300_000;
        const APART_MS: i64 = 60_000;
        const ALIKE_MS: i64 = 5_000;
        // Times are often whole seconds, and take some time to arrive.
        const STEP_MS: i64 = 3_000;
        let known = self.skews.entry((org.clone(), charger.to_owned())).or_default();
        let like = known.last.filter(|(last, _)| last.saturating_sub(skew).abs() < ALIKE_MS);
        if like.is_none() {
            known.last = Some((skew, received));
        }
        let again = like.is_some_and(|(_, first)| received.0.saturating_sub(first.0) >= APART_MS);
        if skew <= -BEHIND_MS && !again {
            return false;
        }
        let same = known.noted.is_some_and(|noted| noted.saturating_sub(skew).abs() < STEP_MS);
        if !same {
            known.noted = Some(skew);
        }
        !same
    }
}
