//! The open transaction that a unit of work is given.

use super::about::{About, Kinds};
use super::error::{Error, Trouble};
use super::events::NewEvent;
use super::record::OrgId;
use super::sql::{Reader, Row, Value};
use std::collections::HashMap;
use std::ops::{Deref, DerefMut};

/// Rows of one statement: few distinct numbers, so that the cache of prepared statements is of use.
pub(super) const SIZES: [usize; 8] = [128, 64, 32, 16, 8, 4, 2, 1];

/// Changes things, inside a unit of work of [`super::Store::write`]. Everything a [`Reader`] can look up can
/// be looked up here too, and sees the unit's own changes.
pub struct Tx {
    pub(super) reader: Reader,
    /// Waiting for the end of the group, where they get their numbers.
    pub(super) events: Vec<(OrgId, NewEvent)>,
    /// Whether the running unit has changed anything yet.
    pub(super) wrote: bool,
    /// Changes since the transaction began.
    pub(super) writes: u64,
    /// Transaction numbers that were set aside for this lane: next and end.
    pub(super) blocks: HashMap<OrgId, (i64, i64)>,
}

impl Tx {
    pub(super) fn new(reader: Reader) -> Self {
        Self { reader, events: Vec::new(), wrote: false, writes: 0, blocks: HashMap::new() }
    }

    /// Runs a change; the number of rows it met.
    pub(super) async fn run(&mut self, org: &OrgId, sql: &str, values: Vec<Value>) -> Result<u64, Error> {
        let met = self.run_about(org, About::Text, sql, values).await?;
        self.reader.changed(sql);
        Ok(met)
    }

    /// [`Self::run`] of which is known what it is about. Whoever runs it notes what it has changed.
    pub(super) async fn run_about(
        &mut self,
        org: &OrgId,
        about: About<'_>,
        sql: &str,
        values: Vec<Value>,
    ) -> Result<u64, Error> {
        self.reader.catch_up(org, about, sql).await?;
        self.put_off();
        if Kinds::of(sql).meet(Kinds::SESSIONS) {
            // Nobody has to think of it: a row of a session that is written is not what is remembered of it.
            match about {
                About::Text => {}
                About::Charger(charger) => self.reader.charger_changed(org, charger),
                About::Session(session) => self.reader.session_changed(org, session),
            }
        }
        self.reader.execute(org, sql, values).await
    }

    /// Notes that the unit changes something, now or with the group.
    pub(super) fn put_off(&mut self) {
        self.wrote = true;
        self.writes += 1;
    }

    /// Runs a change that gives a row back.
    pub(super) async fn returning(
        &mut self,
        org: &OrgId,
        sql: &str,
        values: Vec<Value>,
    ) -> Result<Option<Row>, Error> {
        self.put_off();
        let row = self.reader.row(org, sql, values).await?;
        self.reader.changed(sql);
        Ok(row)
    }

    /// Runs a change that gives rows back, in any order.
    pub(super) async fn returning_all(
        &mut self,
        org: &OrgId,
        sql: &str,
        values: Vec<Value>,
    ) -> Result<Vec<Row>, Error> {
        self.put_off();
        let rows = self.reader.rows(org, sql, values).await?;
        self.reader.changed(sql);
        Ok(rows)
    }

    /// A change that must meet a row.
    pub(super) async fn must(
        &mut self,
        org: &OrgId,
        (what, id): (&'static str, &str),
        sql: &str,
        values: Vec<Value>,
    ) -> Result<(), Error> {
        match self.run(org, sql, values).await? {
            0 => Err(Error::Missing { what, id: id.to_owned() }),
            _ => Ok(()),
        }
    }

    /// A change of a session that must be there.
    pub(super) async fn must_session(
        &mut self,
        org: &OrgId,
        session: &str,
        sql: &str,
        values: Vec<Value>,
    ) -> Result<(), Error> {
        let met = self.run_about(org, About::Session(session), sql, values).await?;
        self.reader.session_changed(org, session);
        match met {
            0 => Err(Error::Missing { what: "session", id: session.to_owned() }),
            _ => Ok(()),
        }
    }

    /// The next number of a sequence of the organisation, `step` further. The row stays locked until the
    /// commit.
    pub(super) async fn advance(&mut self, org: &OrgId, name: &str, step: i64) -> Result<i64, Error> {
        let row = self
            .returning(
                org,
                "INSERT INTO sequence (org, name, value) VALUES ($1, $2, $3)
                 ON CONFLICT (org, name) DO UPDATE SET value = sequence.value + excluded.value RETURNING value",
                super::sql::args![name, step],
            )
            .await?;
        row.ok_or_else(|| Error::Corrupt(format!("sequence `{name}` gave nothing")))?.get(0)
    }

    /// Writes many rows of a table with as few statements as the databases allow. `tail` is what follows the
    /// values.
    pub(super) async fn insert_rows(
        &mut self,
        org: &OrgId,
        head: &str,
        rows: Vec<Vec<Value>>,
        tail: &str,
    ) -> Result<u64, Error> {
        let met = self.insert_rows_about(org, About::Text, head, rows, tail).await?;
        self.reader.changed(head);
        Ok(met)
    }

    /// [`Self::insert_rows`] of which is known what they are about. Whoever writes them notes what that has changed.
    pub(super) async fn insert_rows_about(
        &mut self,
        org: &OrgId,
        about: About<'_>,
        head: &str,
        rows: Vec<Vec<Value>>,
        tail: &str,
    ) -> Result<u64, Error> {
        self.reader.catch_up(org, about, head).await?;
        self.put_off();
        self.reader.insert_many(org, head, rows, tail).await
    }

    /// Starts a unit: forgets what is known of the one before.
    pub(super) fn begin_unit(&mut self) {
        self.reader.trouble = None;
        self.wrote = false;
    }

    /// What was prepared in memory is of no use after a rollback.
    pub(super) fn rolled_back(&mut self, events: usize) {
        self.events.truncate(events);
        self.blocks.clear();
        self.reader.scatter();
        self.reader.forget();
        self.begin_unit();
    }

    pub(super) fn trouble(&self) -> Option<Trouble> {
        self.reader.trouble
    }

    /// A statement of the writer itself (begin, commit, savepoint).
    pub(super) async fn control(&mut self, sql: &str) -> Result<(), sqlx::Error> {
        self.reader.conn.execute(sql, Vec::new()).await.map(drop)
    }
}

impl Deref for Tx {
    type Target = Reader;

    fn deref(&self) -> &Reader {
        &self.reader
    }
}

impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut Reader {
        &mut self.reader
    }
}
