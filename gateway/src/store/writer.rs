//! The writer: units of work go in, many of them share one commit, and each is answered after the disk has
//! it.
//!
//! A lane is a thread with one connection and one bounded queue. SQLite has one lane; PostgreSQL has several,
//! and a charger always meets the same one, so that its units stay in order. While a commit is on its way to
//! the disk the next group collects in the queue: nobody waits for a timer.

use super::ahead::Ahead;
use super::checkpoint::{Checkpointer, MOVE};
use super::error::{Error, Trouble, trouble};
use super::open::{FileLock, Place};
use super::sql::{Conn, Reader};
use super::statistics::Statistics;
use super::tx::Tx;
use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;
use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant as Clock};
use tokio::sync::{mpsc, oneshot, watch};

/// A unit of work without its types. It can be run again from the start: after a rollback the writer does.
pub(super) trait Work: Send {
    fn run<'a>(&'a mut self, tx: &'a mut Tx) -> LocalBoxFuture<'a, Result<(), Error>>;
    fn ahead(&self) -> &[Ahead];
    fn answer(self: Box<Self>, outcome: Result<(), Error>);
}

/// A unit and where its value goes.
pub(super) struct Unit<F, T> {
    pub work: F,
    /// What it is going to look up.
    pub ahead: Vec<Ahead>,
    pub value: Option<T>,
    pub reply: oneshot::Sender<Result<T, Error>>,
}

impl<F, T> Work for Unit<F, T>
where
    F: AsyncFn(&mut Tx) -> Result<T, Error> + Send,
    T: Send,
{
    fn run<'a>(&'a mut self, tx: &'a mut Tx) -> LocalBoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            self.value = Some((self.work)(tx).await?);
            Ok(())
        })
    }

    fn ahead(&self) -> &[Ahead] {
        &self.ahead
    }

    fn answer(self: Box<Self>, outcome: Result<(), Error>) {
        let answer = match (outcome, self.value) {
            (Ok(()), Some(value)) => Ok(value),
            (Ok(()), None) => Err(Error::Closed),
            (Err(error), _) => Err(error),
        };
        // Whoever asked may have gone; what was committed stays.
        let _ = self.reply.send(answer);
    }
}

pub(super) enum Message {
    /// A unit, and since when it waits.
    Work(Box<dyn Work>, Clock),
    /// Finish what is queued, take nothing more, then say so.
    Stop(oneshot::Sender<()>),
}

/// One unit in a group.
struct Member {
    work: Box<dyn Work>,
    since: Clock,
    outcome: Result<(), Error>,
}

/// How an attempt to commit a group ended.
enum Attempt {
    /// All are committed, but those with an error in their outcome, of which nothing is kept.
    Done,
    /// A unit failed after it had written: the same again, with a savepoint before each unit.
    Careful,
    /// Nothing is kept and nobody is at fault.
    Again { reason: String, lost: bool },
}

/// What the writer has done since it started.
#[derive(Default)]
pub(super) struct Counts {
    units: AtomicU64,
    groups: AtomicU64,
    statements: AtomicU64,
    /// Lanes of which the last commit did not come about.
    stuck: Mutex<BTreeMap<usize, Stuck>>,
}

/// Why nothing of a lane can be committed.
pub(super) struct Stuck {
    since: Clock,
    reason: String,
    /// Nothing waits to be tried again.
    pub idle: bool,
}

impl Counts {
    fn failing(&self, lane: usize, reason: &str) {
        let mut stuck = self.stuck();
        let found = stuck.entry(lane).or_insert_with(|| Stuck {
            since: Clock::now(),
            reason: String::new(),
            idle: false,
        });
        reason.clone_into(&mut found.reason);
        found.idle = false;
    }

    /// What has failed for the longest time, and for how long.
    pub fn longest_stuck(&self) -> Option<(Duration, String)> {
        let stuck = self.stuck();
        let first = stuck.values().min_by_key(|stuck| stuck.since)?;
        Some((first.since.elapsed(), first.reason.clone()))
    }

    pub fn stuck(&self) -> MutexGuard<'_, BTreeMap<usize, Stuck>> {
        self.stuck.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, units: usize, statements: u64) {
        self.units.fetch_add(u64::try_from(units).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.groups.fetch_add(1, Ordering::Relaxed);
        self.statements.fetch_add(statements, Ordering::Relaxed);
    }

    pub fn tally(&self) -> Tally {
        Tally {
            units: self.units.load(Ordering::Relaxed),
            groups: self.groups.load(Ordering::Relaxed),
            statements: self.statements.load(Ordering::Relaxed),
        }
    }
}

/// What the writer of a store has done since it was opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Tally {
    /// Units of work that were answered.
    pub units: u64,
    /// Commits, each of one group of units.
    pub groups: u64,
    /// Statements of the units and of their groups, without those that begin and commit.
    pub statements: u64,
}

pub(super) struct Lane {
    pub number: usize,
    pub place: Place,
    pub queue: mpsc::Receiver<Message>,
    pub largest_group: usize,
    pub patience: Duration,
    /// Moves on after every commit with events in it.
    pub changed: watch::Sender<u64>,
    pub tx: Option<Tx>,
    /// Of a SQLite file.
    pub lock: Option<FileLock>,
    /// PostgreSQL's name for the transaction whose COMMIT was sent but not answered.
    pub unsure: Option<String>,
    pub tally: Arc<Counts>,
    /// SQLite only.
    pub checkpointer: Option<Checkpointer>,
    /// The first lane of PostgreSQL only: it writes about as much as each of the others.
    pub statistics: Option<Statistics>,
}

impl Lane {
    /// Serves until it is stopped or nobody can send any more.
    pub async fn serve(mut self) {
        let mut stopped = None;
        while let Some(message) = self.queue.recv().await {
            let mut group = Vec::new();
            self.sort_in(message, &mut group, &mut stopped);
            while group.len() < self.largest_group
                && let Ok(message) = self.queue.try_recv()
            {
                self.sort_in(message, &mut group, &mut stopped);
            }
            if !group.is_empty() {
                self.commit(group).await;
            }
        }
        if let Some(checkpointer) = self.checkpointer.take() {
            checkpointer.stop().await;
        }
        if let Some(statistics) = self.statistics.take() {
            statistics.stop().await;
        }
        if let Some(tx) = self.tx.take() {
            close(tx).await;
        }
        drop(self.lock.take());
        if let Some(done) = stopped {
            // Whoever stops the store may not wait for it.
            let _ = done.send(());
        }
    }

    fn sort_in(
        &mut self,
        message: Message,
        group: &mut Vec<Member>,
        stopped: &mut Option<oneshot::Sender<()>>,
    ) {
        match message {
            Message::Work(work, since) => group.push(Member { work, since, outcome: Ok(()) }),
            Message::Stop(done) => {
                self.queue.close();
                *stopped = Some(done);
            }
        }
    }

    async fn commit(&mut self, mut group: Vec<Member>) {
        let mut careful = false;
        let mut pause = Duration::from_millis(1);
        loop {
            let attempt = match &self.place {
                // A dead network must not hold the lane for ever. What became of a COMMIT is asked
                // afterwards.
                Place::Pg { .. } => {
                    let limit = self.patience;
                    match tokio::time::timeout(limit, self.attempt(&mut group, careful)).await {
                        Ok(attempt) => attempt,
                        Err(_) => {
                            Attempt::Again { reason: "the server does not answer".to_owned(), lost: true }
                        }
                    }
                }
                Place::Lite { .. } => self.attempt(&mut group, careful).await,
            };
            match attempt {
                Attempt::Done => break,
                Attempt::Careful => careful = true,
                Attempt::Again { reason, lost } => {
                    if lost {
                        self.tx = None;
                    }
                    tracing::warn!(units = group.len(), reason, "a group of writes is tried again");
                    self.tally.failing(self.number, &reason);
                    // As long as it is not known what became of the last COMMIT, nobody can be told that
                    // nothing was kept.
                    if self.unsure.is_none() {
                        group = give_up(group, self.patience, &reason);
                    }
                    if group.is_empty() {
                        self.tally.stuck().entry(self.number).and_modify(|stuck| stuck.idle = true);
                        return;
                    }
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_secs(1));
                }
            }
        }
        // A commit of nothing proves nothing: it needs no place on the disk.
        if self.tx.as_ref().is_some_and(|tx| tx.writes > 0) {
            self.tally.stuck().remove(&self.number);
        }
        if let Some(tx) = &mut self.tx {
            self.tally.add(group.len(), std::mem::take(&mut tx.reader.statements));
        }
        for member in group {
            member.work.answer(member.outcome);
        }
    }

    async fn attempt(&mut self, group: &mut [Member], careful: bool) -> Attempt {
        if let Err(error) = self.connected().await {
            return again(&error, true);
        }
        match self.settle().await {
            Ok(true) => return Attempt::Done,
            Ok(false) => {}
            Err(error) => return again(&error, true),
        }
        let Some(tx) = &mut self.tx else {
            return Attempt::Again { reason: "no connection".to_owned(), lost: true };
        };
        if let Some(checkpointer) = &self.checkpointer
            && checkpointer.nearly_done()
            && let Err(error) = tx.reader.conn.fetch_one(MOVE, Vec::new()).await
        {
            tracing::warn!(%error, "the log of the database could not be moved into its file");
        }
        tx.writes = 0;
        let name = match begin(tx).await {
            Ok(name) => name,
            Err(error) => return again(&error, trouble(&error) == Trouble::Lost),
        };
        tx.begin_unit();
        if let Err(error) = prepare(tx, group, careful).await {
            return rollback(tx, broken(tx.trouble(), &error)).await;
        }
        for member in group.iter_mut() {
            member.outcome = Ok(());
            match run(tx, member, careful).await {
                Ok(()) => {}
                Err(Stop::Careful) => return rollback(tx, Attempt::Careful).await,
                Err(Stop::Again { reason, lost }) => {
                    return rollback(tx, Attempt::Again { reason, lost }).await;
                }
            }
        }
        let events = tx.events.len();
        tx.begin_unit();
        if let Err(error) = tx.reader.write_waiting().await {
            return rollback(tx, broken(tx.trouble(), &error)).await;
        }
        if let Err(error) = tx.write_events().await {
            let lost = tx.trouble() == Some(Trouble::Lost);
            return rollback(tx, Attempt::Again { reason: error.to_string(), lost }).await;
        }
        tx.reader.scatter();
        self.unsure = name;
        match tx.control("COMMIT").await {
            Ok(()) => {
                self.unsure = None;
                if let Some(recall) = &mut tx.reader.recall {
                    recall.committed();
                }
                if let Some(checkpointer) = &mut self.checkpointer {
                    checkpointer.committed(tx.writes);
                }
                if let Some(statistics) = &mut self.statistics {
                    statistics.committed(tx.writes);
                }
                if events > 0 {
                    self.changed.send_modify(|count| *count = count.wrapping_add(1));
                }
                Attempt::Done
            }
            Err(error) if trouble(&error) == Trouble::Lost => again(&error, true),
            Err(error) => {
                self.unsure = None;
                rollback(tx, again(&error, false)).await
            }
        }
    }

    async fn connected(&mut self) -> Result<(), sqlx::Error> {
        if self.tx.is_none() {
            let mut reader = Reader::new(self.place.connect().await?);
            if matches!(self.place, Place::Lite { .. }) {
                reader.recall = Some(Box::default());
            }
            self.tx = Some(Tx::new(reader));
        }
        Ok(())
    }

    /// Whether a COMMIT that was never answered took place. The outcomes of the group are those of that
    /// attempt.
    async fn settle(&mut self) -> Result<bool, sqlx::Error> {
        let (Some(name), Some(tx)) = (&self.unsure, &mut self.tx) else { return Ok(false) };
        let sql = "SELECT COALESCE(pg_xact_status(CAST($1 AS xid8)), 'unknown')";
        let row = tx.reader.conn.fetch_one(sql, super::sql::args![name.as_str()]).await?;
        let status = row.and_then(|row| row.text(0).ok().flatten()).unwrap_or_default();
        match status.as_str() {
            "committed" => {
                self.unsure = None;
                self.changed.send_modify(|count| *count = count.wrapping_add(1));
                Ok(true)
            }
            "in progress" => Err(sqlx::Error::Protocol("the last commit is still under way".to_owned())),
            _ => {
                self.unsure = None;
                Ok(false)
            }
        }
    }
}

/// Reads what the units of a group are going to look up. What one unit looks up alone is as well read when it does.
async fn prepare(tx: &mut Tx, group: &[Member], careful: bool) -> Result<(), Error> {
    if careful {
        tx.reader.scatter();
        return Ok(());
    }
    tx.reader.gather();
    if group.len() < 2 {
        return Ok(());
    }
    let wanted: Vec<&Ahead> = group.iter().flat_map(|member| member.work.ahead()).collect();
    tx.reader.look_ahead(&wanted).await
}

/// What to do when something for the whole group has failed: what can be the fault of one unit is done unit by unit.
fn broken(trouble: Option<Trouble>, error: &Error) -> Attempt {
    match trouble {
        Some(trouble @ (Trouble::Passing | Trouble::Lost)) => {
            Attempt::Again { reason: error.to_string(), lost: trouble == Trouble::Lost }
        }
        _ => Attempt::Careful,
    }
}

enum Stop {
    Careful,
    Again { reason: String, lost: bool },
}

/// Runs one unit; its failure alone is no reason to stop unless it left something behind.
async fn run(tx: &mut Tx, member: &mut Member, careful: bool) -> Result<(), Stop> {
    if careful {
        tx.control("SAVEPOINT unit").await.map_err(stop)?;
    }
    let events = tx.events.len();
    tx.begin_unit();
    let outcome = match AssertUnwindSafe(member.work.run(tx)).catch_unwind().await {
        Ok(outcome) => outcome,
        Err(_) => Err(Error::Refused("a fault in the program: the unit of work broke off".to_owned())),
    };
    let (trouble, wrote) = (tx.trouble(), tx.wrote);
    if let Some(trouble @ (Trouble::Passing | Trouble::Lost)) = trouble {
        let reason = outcome.err().map_or_else(|| "a statement failed".to_owned(), |error| error.to_string());
        return Err(Stop::Again { reason, lost: trouble == Trouble::Lost });
    }
    let failed = match (outcome, trouble) {
        (Ok(()), None) => {
            return if careful { tx.control("RELEASE SAVEPOINT unit").await.map_err(stop) } else { Ok(()) };
        }
        (Ok(()), Some(_)) => {
            Error::Database("a statement failed, and the unit went on as if it had not".to_owned())
        }
        (Err(error), _) => error,
    };
    if careful {
        tx.control("ROLLBACK TO SAVEPOINT unit").await.map_err(stop)?;
        tx.control("RELEASE SAVEPOINT unit").await.map_err(stop)?;
        tx.rolled_back(events);
    } else if wrote || trouble.is_some() {
        return Err(Stop::Careful);
    } else {
        tx.events.truncate(events);
    }
    member.outcome = Err(failed);
    Ok(())
}

#[expect(clippy::needless_pass_by_value, reason = "the shape map_err wants")]
fn stop(error: sqlx::Error) -> Stop {
    Stop::Again { reason: error.to_string(), lost: trouble(&error) == Trouble::Lost }
}

fn again(error: &sqlx::Error, lost: bool) -> Attempt {
    Attempt::Again { reason: error.to_string(), lost }
}

/// Opens the transaction; on PostgreSQL its name, by which its fate can be asked later.
async fn begin(tx: &mut Tx) -> Result<Option<String>, sqlx::Error> {
    match &mut tx.reader.conn {
        // Takes the write lock now: a transaction that read first could not be upgraded later.
        Conn::Lite(_) => tx.control("BEGIN IMMEDIATE").await.map(|()| None),
        Conn::Pg(conn) => {
            use sqlx::Row as _;
            // Two statements in one round trip.
            let sql = "BEGIN; SELECT CAST(pg_current_xact_id() AS TEXT)";
            let row = sqlx::raw_sql(sql).fetch_one(&mut **conn).await?;
            row.try_get(0).map(Some)
        }
    }
}

async fn rollback(tx: &mut Tx, attempt: Attempt) -> Attempt {
    let done = tx.control("ROLLBACK").await;
    tx.rolled_back(0);
    match (attempt, done) {
        (attempt @ Attempt::Again { lost: true, .. }, _) | (attempt, Ok(())) => attempt,
        // SQLite rolls back by itself after a full disk or an I/O error, and then there is nothing to roll
        // back: a new connection is the sure way.
        (Attempt::Again { reason, .. }, Err(_)) => Attempt::Again { reason, lost: true },
        (_, Err(error)) => again(&error, true),
    }
}

/// Tells those that have waited longer than `patience`, and returns the others.
fn give_up(group: Vec<Member>, patience: Duration, reason: &str) -> Vec<Member> {
    let (late, others): (Vec<_>, Vec<_>) =
        group.into_iter().partition(|member| member.since.elapsed() >= patience);
    for member in late {
        member.work.answer(Err(Error::Unavailable(reason.to_owned())));
    }
    others
}

async fn close(mut tx: Tx) {
    if tx.reader.conn.is_sqlite() {
        // Leaves one file. A failure costs nothing: the next start reads the log.
        let _ = tx.control("PRAGMA wal_checkpoint(TRUNCATE)").await;
    }
    // Nothing is left to be written.
    let _ = tx.reader.conn.close().await;
}
