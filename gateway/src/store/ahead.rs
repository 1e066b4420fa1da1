//! What the units of a group have in common: what they are going to look up is read for all of them in a few statements
//! before they run, and what most of them write is written in a few statements after they ran.
//!
//! The database stays the truth. What was read ahead is forgotten as soon as a unit of the group may have changed it, and what
//! waits to be written is written before anything is read or changed that it concerns. In a careful attempt nothing is put off.

use super::about::{About, Kinds};
use super::error::{Error, Trouble};
use super::facts::{FACT_HEAD, Fact};
use super::recall::Recall;
use super::record::{OrgId, Record as _, key};
use super::sessions::{PROGRESS_HEAD, PROGRESS_TAIL, Progress, Session};
use super::sql::{Reader, Value, args, places, storable, with_org};
use super::tx::SIZES;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

/// What a unit is going to look up, so that it can be read for a whole group at once.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Ahead {
    /// [`Reader::find_fact`]: organisation, charger, key.
    Fact(OrgId, String, String),
    /// [`Reader::session_by_transaction`]: organisation, charger, transaction.
    Transaction(OrgId, String, String),
}

type Name = (OrgId, String, String);

/// Rows of one list of many sessions, by session and number: the last one of each counts.
type Rows = BTreeMap<(OrgId, String, i64), Vec<Value>>;

/// A list of a session: how its rows are written.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Table {
    pub head: &'static str,
    pub tail: &'static str,
}

/// What is known ahead, and what waits.
#[derive(Default)]
pub(super) struct Group {
    facts: HashMap<Name, Option<Fact>>,
    sessions: HashMap<Name, Option<Session>>,
    // Changed since it was read ahead.
    chargers_changed: HashSet<(OrgId, String)>,
    sessions_changed: HashSet<(OrgId, String)>,
    // The charger of each session that was met.
    owners: HashMap<(OrgId, String), String>,
    wait: Waiting,
}

#[derive(Default)]
struct Waiting {
    facts: Vec<(OrgId, Vec<Value>)>,
    progress: BTreeMap<(OrgId, String), Vec<Value>>,
    rows: BTreeMap<Table, Rows>,
    // What of it is about whom.
    chargers: HashMap<(OrgId, String), Kinds>,
    sessions: HashMap<(OrgId, String), Kinds>,
    all: Kinds,
}

impl Group {
    // Notes that something of a session waits.
    fn wait_for(&mut self, org: &OrgId, session: &str, kind: Kinds) -> (OrgId, String) {
        let of = (org.clone(), session.to_owned());
        self.sessions_changed.insert(of.clone());
        self.wait.all.add(kind);
        self.wait.sessions.entry(of.clone()).or_default().add(kind);
        if let Some(charger) = self.owners.get(&of) {
            self.wait.chargers.entry((org.clone(), charger.clone())).or_default().add(kind);
        }
        of
    }
}

impl Reader {
    /// Begins to put off what can be put off.
    pub(super) fn gather(&mut self) {
        self.group = Some(Box::default());
    }

    /// Forgets what is known ahead and what waits: the transaction is over, or will be written without waiting.
    pub(super) fn scatter(&mut self) {
        self.group = None;
    }

    /// Reads ahead what units are going to look up.
    pub(super) async fn look_ahead(&mut self, wanted: &[&Ahead]) -> Result<(), Error> {
        let mut facts: BTreeMap<&OrgId, Vec<(String, String)>> = BTreeMap::new();
        let mut sessions: BTreeMap<&OrgId, Vec<(String, String)>> = BTreeMap::new();
        for want in wanted {
            let (of, org, charger, name) = match want {
                Ahead::Fact(org, charger, name) => (&mut facts, org, charger, name),
                Ahead::Transaction(org, charger, name) => (&mut sessions, org, charger, name),
            };
            // As the database gives it back.
            let (charger, name) = (storable(key(charger)), storable(key(name)));
            if let Ahead::Transaction(..) = want
                && let Some(session) =
                    self.recall.as_mut().and_then(|recall| recall.take(org, &charger, &name))
            {
                let Some(group) = &mut self.group else { return Ok(()) };
                group.sessions.insert((org.clone(), charger, name), Some(session));
                continue;
            }
            // Of two units that ask the same, only one may find it remembered.
            let known = (org.clone(), charger, name);
            if !self.group.as_ref().is_some_and(|group| group.sessions.contains_key(&known)) {
                let (_, charger, name) = known;
                of.entry(org).or_default().push((charger, name));
            }
        }
        for (org, names) in facts {
            for names in parts(names) {
                let sql = format!(
                    "SELECT {}, charger FROM station_fact WHERE org = $1 AND (charger, dedupe) IN ({})",
                    Fact::COLUMNS,
                    pairs(names.len())
                );
                let rows = self.rows_ahead(org, &sql, &names).await?;
                let mut found = HashMap::new();
                for row in rows {
                    let fact = Fact::from_row(&row)?;
                    let charger: String = row.get(Fact::COLUMNS.split(", ").count())?;
                    found.insert((charger, fact.dedupe.clone().unwrap_or_default()), fact);
                }
                let Some(group) = &mut self.group else { return Ok(()) };
                for (charger, name) in names {
                    let fact = found.get(&(charger.clone(), name.clone())).cloned();
                    group.facts.insert((org.clone(), charger, name), fact);
                }
            }
        }
        for (org, names) in sessions {
            for names in parts(names) {
                let sql = format!(
                    "SELECT {} FROM session_now WHERE org = $1 AND id IN (SELECT
                     (SELECT id FROM session AS own WHERE own.org = $1 AND own.charger = asked.column1 AND own.transaction_ref = asked.column2
                      ORDER BY +plugged_in DESC, id DESC LIMIT 1) FROM ({}) AS asked)",
                    Session::COLUMNS,
                    pairs(names.len())
                );
                let rows = self.rows_ahead(org, &sql, &names).await?;
                let mut found = HashMap::new();
                for row in rows {
                    let session = Session::from_row(&row)?;
                    let name = session.transaction_ref.clone().unwrap_or_default();
                    found.insert((session.charger.clone(), name), session);
                }
                let Some(group) = &mut self.group else { return Ok(()) };
                for (charger, name) in names {
                    let session = found.get(&(charger.clone(), name.clone())).cloned();
                    group.sessions.insert((org.clone(), charger, name), session);
                }
            }
        }
        Ok(())
    }

    async fn rows_ahead(
        &mut self,
        org: &OrgId,
        sql: &str,
        names: &[(String, String)],
    ) -> Result<Vec<super::sql::Row>, Error> {
        let values =
            names.iter().flat_map(|(charger, name)| args![charger.as_str(), name.as_str()]).collect();
        self.rows(org, sql, values).await
    }

    /// The fact, when it is known ahead whether there is one. It is told once.
    pub(super) fn fact_ahead(&mut self, org: &OrgId, charger: &str, dedupe: &str) -> Option<Option<Fact>> {
        let group = self.group.as_mut()?;
        let name = (org.clone(), storable(key(charger)), storable(key(dedupe)));
        let known = group.facts.remove(&name)?;
        let (org, charger, _) = name;
        (!group.chargers_changed.contains(&(org, charger))).then_some(known)
    }

    /// The session of a transaction, when it is known ahead whether there is one. It is told once.
    pub(super) fn session_ahead(
        &mut self,
        org: &OrgId,
        charger: &str,
        transaction: &str,
    ) -> Option<Option<Session>> {
        let group = self.group.as_mut()?;
        let name = (org.clone(), storable(key(charger)), storable(key(transaction)));
        let known = group.sessions.remove(&name)?;
        let (org, charger, _) = name;
        let changed = known
            .as_ref()
            .is_some_and(|session| group.sessions_changed.contains(&(org.clone(), session.id.clone())));
        if changed || group.chargers_changed.contains(&(org.clone(), charger)) {
            return None;
        }
        if let (Some(recall), Some(session)) = (&mut self.recall, &known) {
            recall.found(&org, session);
        }
        Some(known)
    }

    /// Notes that facts or sessions of a charger are not what they were.
    pub(super) fn charger_changed(&mut self, org: &OrgId, charger: &str) {
        if let Some(recall) = &mut self.recall {
            recall.charger_changed(org, &storable(key(charger)));
        }
        if let Some(group) = &mut self.group {
            group.chargers_changed.insert((org.clone(), storable(key(charger))));
        }
    }

    /// Notes that a session is not what it was.
    pub(super) fn session_changed(&mut self, org: &OrgId, session: &str) {
        if let Some(recall) = &mut self.recall {
            recall.session_changed(org, session);
        }
        if let Some(group) = &mut self.group {
            group.sessions_changed.insert((org.clone(), session.to_owned()));
        }
    }

    /// Notes that a statement with this text has changed something.
    pub(super) fn changed(&mut self, sql: &str) {
        let kinds = Kinds::of(sql);
        if !kinds.meet(Kinds::FACTS) && !kinds.meet(Kinds::SESSIONS) {
            return;
        }
        self.forget();
        if let Some(group) = &mut self.group {
            group.facts.clear();
            group.sessions.clear();
        }
    }

    /// Forgets the sessions of earlier groups.
    pub(super) fn forget(&mut self) {
        if let Some(recall) = &mut self.recall {
            **recall = Recall::default();
        }
    }

    /// Notes to which charger sessions belong.
    pub(super) fn met<'s>(&mut self, org: &OrgId, sessions: impl IntoIterator<Item = &'s Session>) {
        if let Some(group) = &mut self.group {
            for session in sessions {
                let charger = storable(key(&session.charger));
                group.owners.insert((org.clone(), session.id.clone()), charger);
            }
        }
    }

    /// Whether writing a fact can be put off.
    pub(super) fn puts_off(&self) -> bool {
        self.group.is_some()
    }

    /// Whether writing something of a session can be put off: not when nobody knows whose it is.
    pub(super) fn puts_off_for(&self, org: &OrgId, session: &str) -> bool {
        let of = (org.clone(), session.to_owned());
        self.group.as_ref().is_some_and(|group| group.owners.contains_key(&of))
    }

    /// Puts off writing a fact that is not there.
    pub(super) fn put_off_fact(&mut self, org: &OrgId, charger: &str, values: Vec<Value>) {
        let Some(group) = &mut self.group else { return };
        let of = (org.clone(), storable(key(charger)));
        group.chargers_changed.insert(of.clone());
        group.wait.all.add(Kinds::FACTS);
        group.wait.chargers.entry(of).or_default().add(Kinds::FACTS);
        group.wait.facts.push((org.clone(), values));
    }

    /// Puts off writing how far a session has come.
    pub(super) fn put_off_progress(
        &mut self,
        org: &OrgId,
        session: &str,
        progress: &Progress,
        values: Vec<Value>,
    ) {
        if let Some(recall) = &mut self.recall {
            recall.progressed(org, session, progress);
        }
        let Some(group) = &mut self.group else { return };
        let of = group.wait_for(org, session, Kinds::SESSIONS);
        group.wait.progress.insert(of, values);
    }

    /// Puts off writing rows of a session, each with its number.
    pub(super) fn put_off_rows(
        &mut self,
        org: &OrgId,
        session: &str,
        table: Table,
        rows: impl IntoIterator<Item = (i64, Vec<Value>)>,
    ) {
        let Some(group) = &mut self.group else { return };
        group.wait_for(org, session, Kinds::LISTS);
        let waiting = group.wait.rows.entry(table).or_default();
        for (seq, values) in rows {
            waiting.insert((org.clone(), session.to_owned(), seq), values);
        }
    }

    /// Writes what waits, if a statement with this text could tell the difference.
    pub(super) async fn catch_up(&mut self, org: &OrgId, about: About<'_>, sql: &str) -> Result<(), Error> {
        let Some(group) = &self.group else { return Ok(()) };
        let wait = &group.wait;
        let waiting = match about {
            About::Text => wait.all,
            About::Charger(charger) => {
                wait.chargers.get(&(org.clone(), storable(key(charger)))).copied().unwrap_or_default()
            }
            About::Session(session) => {
                wait.sessions.get(&(org.clone(), session.to_owned())).copied().unwrap_or_default()
            }
        };
        if waiting.meet(Kinds::of(sql)) { self.write_waiting().await } else { Ok(()) }
    }

    /// Writes all that waits.
    pub(super) async fn write_waiting(&mut self) -> Result<(), Error> {
        let Some(group) = &mut self.group else { return Ok(()) };
        let Waiting { facts, progress, rows, .. } = std::mem::take(&mut group.wait);
        for (org, facts) in by_org(facts) {
            let all = count(facts.len());
            let kept = self.insert_many(&org, FACT_HEAD, facts, "ON CONFLICT DO NOTHING").await?;
            self.all_met(all, kept)?;
        }
        let progress = progress.into_iter().map(|((org, _), values)| (org, values));
        for (org, rows) in by_org(progress) {
            self.insert_many(&org, PROGRESS_HEAD, rows, PROGRESS_TAIL).await?;
        }
        for (Table { head, tail }, rows) in rows {
            let rows = rows.into_iter().map(|((org, ..), values)| (org, values));
            for (org, rows) in by_org(rows) {
                self.insert_many(&org, head, rows, tail).await?;
            }
        }
        Ok(())
    }

    // What is not as it was thought to be is done again, one unit after the other.
    fn all_met(&mut self, wanted: u64, met: u64) -> Result<(), Error> {
        if wanted == met {
            return Ok(());
        }
        self.trouble = Some(Trouble::Statement);
        Err(Error::Conflict(format!("{met} of {wanted} rows could be written together")))
    }

    /// Writes many rows of a table with as few statements as the databases allow. `tail` is what follows the values.
    pub(super) async fn insert_many(
        &mut self,
        org: &OrgId,
        head: &str,
        rows: Vec<Vec<Value>>,
        tail: &str,
    ) -> Result<u64, Error> {
        let (mut met, owner) = (0, Arc::<str>::from(org.as_str()));
        for rows in parts(rows) {
            let size = (rows.len(), rows.first().map_or(0, Vec::len));
            let name = (head.to_owned(), tail.to_owned(), rows.len());
            let text = match self.texts.get(&name) {
                Some(text) => Arc::clone(text),
                None => {
                    let text = Arc::<str>::from(self.conn.many(head, size, tail));
                    self.texts.insert(name, Arc::clone(&text));
                    text
                }
            };
            self.statements += 1;
            let done = self.conn.execute_many(text, &owner, rows).await;
            met += self.noting(done)?;
        }
        Ok(met)
    }

    /// Runs a change as it is; the number of rows it met.
    pub(super) async fn execute(&mut self, org: &OrgId, sql: &str, values: Vec<Value>) -> Result<u64, Error> {
        let values = with_org(org, sql, values);
        self.statements += 1;
        let done = self.conn.execute(sql, values).await;
        self.noting(done)
    }
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

fn by_org(rows: impl IntoIterator<Item = (OrgId, Vec<Value>)>) -> BTreeMap<OrgId, Vec<Vec<Value>>> {
    let mut of: BTreeMap<OrgId, Vec<Vec<Value>>> = BTreeMap::new();
    for (org, values) in rows {
        of.entry(org).or_default().push(values);
    }
    of
}

/// Cut into pieces of [`SIZES`].
pub(super) fn parts<T>(rows: Vec<T>) -> impl Iterator<Item = Vec<T>> {
    let mut rest = rows.into_iter();
    std::iter::from_fn(move || {
        let size = SIZES.into_iter().find(|size| *size <= rest.len())?;
        Some(rest.by_ref().take(size).collect())
    })
}

/// `VALUES ($2, $3), ($4, $5), ...`
fn pairs(rows: usize) -> String {
    format!("VALUES {}", tuples(2, rows, 2))
}

/// `(...), (...)`: so many rows of so many places, from the place `first` on.
pub(super) fn tuples(first: usize, rows: usize, columns: usize) -> String {
    let row = |row: usize| format!("({})", places(first + row * columns, columns));
    (0..rows).map(row).collect::<Vec<_>>().join(", ")
}
