//! Running sessions as the lane wrote them last, so that the next report on one need not read it again.
//!
//! Only where nobody else writes: a SQLite file has one program, held by its lock, and one lane. A session is remembered with the commit
//! that wrote it, and forgotten with anything that changes it in another way, with a change of its charger's sessions, and with every
//! transaction that did not come to its end.

use super::record::OrgId;
use super::sessions::{Progress, Session};
use super::sql::storable;
use std::collections::HashMap;

/// Sessions that are remembered at most: some three thousand bytes each.
const MOST: usize = 4_096;

type Of = (OrgId, String);

/// What is remembered.
#[derive(Default)]
pub(super) struct Recall {
    /// By charger; few have more than two at a time.
    sessions: HashMap<Of, Vec<Session>>,
    /// The chargers of these sessions, by session.
    chargers: HashMap<Of, String>,
    /// Of the group that runs: as units found them, and whether their progress was noted since.
    found: HashMap<Of, (Session, bool)>,
}

impl Recall {
    /// The session of a transaction, if it is remembered. It is told once.
    pub fn take(&mut self, org: &OrgId, charger: &str, transaction: &str) -> Option<Session> {
        let of = (org.clone(), charger.to_owned());
        let known = self.sessions.get_mut(&of)?;
        let at = known.iter().position(|session| session.transaction_ref.as_deref() == Some(transaction))?;
        let session = known.swap_remove(at);
        if known.is_empty() {
            self.sessions.remove(&of);
        }
        self.chargers.remove(&(of.0, session.id.clone()));
        Some(session)
    }

    /// A unit has found a session as it is.
    pub fn found(&mut self, org: &OrgId, session: &Session) {
        self.found.insert((org.clone(), session.id.clone()), (session.clone(), false));
    }

    /// How far a session has come is going to be written.
    pub fn progressed(&mut self, org: &OrgId, session: &str, progress: &Progress) {
        let Some((session, progressed)) = self.found.get_mut(&(org.clone(), session.to_owned())) else {
            // Found in another way: what is remembered of it is not true any more.
            self.session_changed(org, session);
            return;
        };
        let Progress { energy, last_reading_at, flags, track, at } = progress.clone();
        session.energy = energy;
        session.last_reading_at = last_reading_at;
        session.flags = storable(flags);
        session.track = Some(storable(track));
        session.updated_at = at;
        *progressed = true;
    }

    /// Forgets a session.
    pub fn session_changed(&mut self, org: &OrgId, session: &str) {
        let of = (org.clone(), session.to_owned());
        self.found.remove(&of);
        if let Some(charger) = self.chargers.get(&of).cloned() {
            self.charger_changed(org, &charger);
        }
    }

    /// Forgets the sessions of a charger.
    pub fn charger_changed(&mut self, org: &OrgId, charger: &str) {
        self.found.retain(|(of, _), (session, _)| of != org || session.charger != charger);
        for session in self.sessions.remove(&(org.clone(), charger.to_owned())).into_iter().flatten() {
            self.chargers.remove(&(org.clone(), session.id));
        }
    }

    /// The group has come to its end: what its units wrote is as the next one will find it.
    pub fn committed(&mut self) {
        for ((org, id), (session, progressed)) in self.found.drain() {
            if progressed && self.chargers.len() < MOST {
                self.chargers.insert((org.clone(), id), session.charger.clone());
                self.sessions.entry((org, session.charger.clone())).or_default().push(session);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use takst_engine::units::{Energy, Instant};

    fn session(id: &str, charger: &str, transaction: &str) -> Session {
        let begun = Session::begun(id, (charger, 1), Instant(0), Instant(0));
        Session { transaction_ref: Some(transaction.to_owned()), ..begun }
    }

    fn progress(track: &str) -> Progress {
        Progress {
            energy: Some(Energy(7)),
            last_reading_at: Some(Instant(5)),
            flags: "[]".to_owned(),
            track: track.to_owned(),
            at: Instant(6),
        }
    }

    #[test]
    fn what_was_committed_is_told_once_and_forgotten_with_a_change() {
        let org = OrgId::new("home");
        let mut recall = Recall::default();
        let write = |recall: &mut Recall| {
            for (id, transaction) in [("s1", "1"), ("s2", "2")] {
                recall.found(&org, &session(id, "c", transaction));
                recall.progressed(&org, id, &progress("{\"n\":1}"));
            }
            recall.committed();
        };
        write(&mut recall);
        let known = recall.take(&org, "c", "1").unwrap();
        assert_eq!(
            (known.id.as_str(), known.track.as_deref(), known.energy),
            ("s1", Some("{\"n\":1}"), Some(Energy(7)))
        );
        assert_eq!(recall.take(&org, "c", "1"), None);
        assert_eq!(recall.take(&org, "d", "2"), None);
        recall.session_changed(&org, "s2");
        assert_eq!(recall.take(&org, "c", "2"), None);
        write(&mut recall);
        recall.charger_changed(&org, "c");
        assert_eq!(recall.take(&org, "c", "2"), None);
        assert!(recall.chargers.is_empty() && recall.sessions.is_empty());
    }

    #[test]
    fn what_was_not_written_or_was_changed_since_is_not_remembered() {
        let org = OrgId::new("home");
        let mut recall = Recall::default();
        recall.found(&org, &session("s1", "c", "1"));
        recall.found(&org, &session("s2", "c", "2"));
        recall.progressed(&org, "s2", &progress("{}"));
        recall.session_changed(&org, "s2");
        recall.committed();
        assert_eq!(recall.take(&org, "c", "1"), None);
        assert_eq!(recall.take(&org, "c", "2"), None);
    }

    #[test]
    fn progress_of_a_session_that_was_found_in_another_way_is_not_missed() {
        let org = OrgId::new("home");
        let mut recall = Recall::default();
        recall.found(&org, &session("s1", "c", "1"));
        recall.progressed(&org, "s1", &progress("{}"));
        recall.committed();
        // A status of the connector: the session is looked up by its charger.
        recall.progressed(&org, "s1", &progress("{\"n\":2}"));
        recall.committed();
        assert_eq!(recall.take(&org, "c", "1"), None);
    }
}
