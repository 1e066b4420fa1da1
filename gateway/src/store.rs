//! The memory of the gateway: everything that must outlive it, in SQLite or PostgreSQL. Absent: any rule of
//! billing or of OCPP, and any clock; times come in.
//!
//! ```text
//! Store::write(lane, unit) ──▶ queue of the lane ──▶ many units, one commit ──▶ answers
//! Store::read() ──▶ Reader (a pool of connections that only read)
//! ```
//!
//! Look-ups are methods of [`Reader`], changes are methods of [`Tx`]; all take the organisation first.

mod about;
mod ahead;
mod backup;
mod bills;
mod campaigns;
mod chargers;
mod checkpoint;
mod commands;
mod error;
mod events;
mod export;
mod facts;
mod frames;
mod incidents;
mod invoices;
mod ledger;
mod meters;
mod open;
mod organisation;
mod outbox;
mod payments;
mod people;
mod plants;
mod plugins;
mod previews;
mod prices;
mod readings;
mod recall;
mod record;
mod reminders;
mod restore;
mod retention;
mod sessions;
mod sql;
mod statistics;
mod told;
mod tx;
mod watched;
mod writer;

pub use ahead::Ahead;
pub use backup::{Contents, TableSum};
pub use bills::*;
pub use campaigns::*;
pub use chargers::*;
pub use commands::*;
pub use error::{Error, Fault, OpenError};
pub use events::*;
pub use export::*;
pub use facts::*;
pub use frames::*;
pub use incidents::*;
pub use invoices::*;
pub use ledger::*;
pub use meters::*;
pub use organisation::*;
pub use outbox::*;
pub use payments::*;
pub use people::*;
pub use plants::*;
pub use previews::*;
pub use prices::*;
pub use readings::*;
pub use record::{OrgId, new_id};
pub use reminders::*;
pub use restore::{Since, restore};
pub use retention::*;
pub use sessions::*;
pub use sql::Reader;
pub use tx::Tx;
pub use watched::*;
pub use writer::Tally;

use crate::serve::traces::TARGET as TRACE;
use open::{FileLock, Place, Pools};
use std::hash::{DefaultHasher, Hasher as _};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tracing::Instrument as _;
use writer::{Counts, Lane as LaneOfWork, Message, Unit};

/// The sizes of a store. [`Options::default`] suits a machine of any size.
#[derive(Debug, Clone)]
pub struct Options {
    /// Units that may wait per lane; the next one waits before the queue.
    pub queue: usize,
    /// Units that share one commit at most.
    pub largest_group: usize,
    /// Connections that write. SQLite always has one.
    pub lanes: usize,
    /// Connections that only read.
    pub readers: u32,
    /// How long a unit is tried again while the database is away, before it gets [`Error::Unavailable`].
    pub patience: Duration,
}

impl Default for Options {
    fn default() -> Self {
        // More of them than processors only wait for each other, in smaller groups.
        let lanes = std::thread::available_parallelism().map_or(2, |processors| processors.get().clamp(2, 4));
        Self { queue: 4096, largest_group: 512, lanes, readers: 8, patience: Duration::from_secs(30) }
    }
}

/// Which units keep their order among each other: those of one lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lane(u64);

impl Lane {
    /// The lane of a charger and of its sessions.
    #[must_use]
    pub fn charger(org: &OrgId, charger: &str) -> Self {
        Self::of(&(org, charger))
    }

    /// The lane of what concerns the organisation as a whole.
    #[must_use]
    pub fn org(org: &OrgId) -> Self {
        Self::of(&(org, ()))
    }

    /// The lane of one who owes.
    #[must_use]
    pub fn debtor(org: &OrgId, debtor: &str) -> Self {
        Self::of(&(org, "debtor", debtor))
    }

    /// The lane of what a plugin keeps.
    #[must_use]
    pub fn plugin(org: &OrgId, plugin: &str) -> Self {
        Self::of(&(org, "plugin", plugin))
    }

    fn of(key: &impl std::hash::Hash) -> Self {
        let mut hasher = DefaultHasher::new();
        key.hash(&mut hasher);
        Self(hasher.finish())
    }
}

/// An open database. Copies share it.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    place: Place,
    pools: Pools,
    lanes: Vec<mpsc::Sender<Message>>,
    changed: watch::Receiver<u64>,
    counts: Arc<Counts>,
}

impl Store {
    /// Opens the database at `url` (a path, `sqlite:PATH` or `postgres://...`), makes or updates its schema,
    /// and starts the writer.
    ///
    /// # Errors
    /// What is wrong and what to do: no such server, wrong password, in use, damaged, written by a newer
    /// program, ...
    pub async fn open(url: &str) -> Result<Self, OpenError> {
        Self::open_with(url, Options::default()).await
    }

    /// [`Self::open`] with sizes of one's own.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub async fn open_with(url: &str, options: Options) -> Result<Self, OpenError> {
        let place = Place::parse(url)?;
        let mut lock = open::lock(&place)?;
        let mut conn = place.connect().await.map_err(|error| open::explain(&place, &error))?;
        open::migrate(&place, &mut conn, None).await?;
        drop(conn);
        let (changes, changed) = watch::channel(0);
        let lanes = match &place {
            Place::Lite { .. } => 1,
            Place::Pg { .. } => options.lanes.max(1),
        };
        let counts = Arc::new(Counts::default());
        let lanes = (0..lanes)
            // Only SQLite has a lock, and only one lane: it is given up when that has written its last.
            .map(|number| start_lane((number, &place), &options, &changes, lock.take(), &counts))
            .collect::<Result<_, _>>()?;
        let pools = place.pools(options.readers.max(1));
        Ok(Self { inner: Arc::new(Inner { place, pools, lanes, changed, counts }) })
    }

    /// Opens a database for reading only, beside a program that writes to it.
    ///
    /// # Errors
    /// As [`Self::open`]; also when the schema is not the one of this program.
    pub async fn open_reader(url: &str) -> Result<Self, OpenError> {
        let place = Place::parse(url)?;
        if let Place::Lite { path, .. } = &place
            && !path.is_file()
        {
            return Err(OpenError::new(
                format!("there is no file {}", path.display()),
                "name the database of a gateway that has run before (`--data DIR` or `--database postgres://...`)",
            ));
        }
        let pools = place.pools(Options::default().readers);
        let mut conn = pools.acquire().await.map_err(|error| open::explain(&place, &error))?;
        open::check_schema(&place, &mut conn).await?;
        drop(conn);
        let (_, changed) = watch::channel(0);
        Ok(Self {
            inner: Arc::new(Inner { place, pools, lanes: Vec::new(), changed, counts: Arc::default() }),
        })
    }

    /// Runs a unit of work and returns its value once it is on the disk.
    ///
    /// A unit is all or nothing. It shares its commit with others, but fails alone. It must do nothing but
    /// database work, and the same each time: when the database is busy or away, or a neighbour fails, it is
    /// run again from the start.
    ///
    /// # Errors
    /// The unit's own error; [`Error::Unavailable`] when the database was away for longer than
    /// [`Options::patience`]; [`Error::Closed`].
    pub async fn write<T, F>(&self, lane: Lane, unit: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: AsyncFn(&mut Tx) -> Result<T, Error> + Send + 'static,
    {
        self.write_ahead(lane, Vec::new(), unit).await
    }

    /// [`Self::write`] of a unit that tells what it is going to look up: that can be read for many units at once. It need not look
    /// it up in the end, and may look up more.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub async fn write_ahead<T, F>(&self, lane: Lane, ahead: Vec<Ahead>, unit: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: AsyncFn(&mut Tx) -> Result<T, Error> + Send + 'static,
    {
        // The wait for the commit that it shares with others, too.
        let span = tracing::info_span!(target: TRACE, "commit");
        self.queue(lane, ahead, unit).instrument(span).await
    }

    async fn queue<T, F>(&self, lane: Lane, ahead: Vec<Ahead>, unit: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: AsyncFn(&mut Tx) -> Result<T, Error> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let unit = Box::new(Unit { work: unit, ahead, value: None, reply });
        self.lane(lane)?
            .send(Message::Work(unit, std::time::Instant::now()))
            .await
            .map_err(|_| Error::Closed)?;
        answer.await.map_err(|_| Error::Closed)?
    }

    fn lane(&self, lane: Lane) -> Result<&mpsc::Sender<Message>, Error> {
        let lanes = &self.inner.lanes;
        let count = u64::try_from(lanes.len()).unwrap_or(u64::MAX);
        let index = lane.0.checked_rem(count).and_then(|index| usize::try_from(index).ok());
        index.and_then(|index| lanes.get(index)).ok_or(Error::Closed)
    }

    /// A connection for look-ups. Give it back (drop it) soon: there are few.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when the database is away or all connections stay busy; [`Error::Closed`].
    pub async fn read(&self) -> Result<Reader, Error> {
        Ok(Reader::new(self.inner.pools.acquire().await?))
    }

    /// What the writer has done since the store was opened.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.inner.counts.tally()
    }

    /// Why nothing can be committed, and for how long that has been so; none as far as is known. What failed is tried again until it
    /// goes well; where nothing waits any more, this makes something be tried, and the next look shows what came of it.
    #[must_use]
    pub fn stuck(&self) -> Option<(Duration, String)> {
        let counts = &self.inner.counts;
        for (lane, _) in counts.stuck().iter().filter(|(_, stuck)| stuck.idle) {
            // Nobody waits for the answer. A queue that is full has enough to be tried.
            let (reply, _) = oneshot::channel();
            let work = async move |tx: &mut Tx| tx.touch().await;
            let unit = Box::new(Unit { work, ahead: Vec::new(), value: None, reply });
            if let Some(queue) = self.inner.lanes.get(*lane) {
                let _ = queue.try_send(Message::Work(unit, std::time::Instant::now()));
            }
        }
        counts.longest_stuck()
    }

    /// Moves on whenever a commit of this program held events. Events of other programs on the same
    /// PostgreSQL show at the next look only.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.inner.changed.clone()
    }

    /// Where the data is, for people; without a password.
    #[must_use]
    pub fn place(&self) -> String {
        self.inner.place.shown()
    }

    /// Commits what is queued, refuses what comes after, and closes every connection. Look-ups under way are
    /// waited for.
    pub async fn close(&self) {
        let mut waiting = Vec::new();
        for lane in &self.inner.lanes {
            let (done, finished) = oneshot::channel();
            if lane.send(Message::Stop(done)).await.is_ok() {
                waiting.push(finished);
            }
        }
        self.inner.pools.close().await;
        for finished in waiting {
            // An error means that the lane has ended already.
            let _ = finished.await;
        }
    }
}

/// Starts the thread of a lane: a unit need not be able to change threads then, and a busy server never
/// delays a commit.
fn start_lane(
    (number, place): (usize, &Place),
    options: &Options,
    changed: &watch::Sender<u64>,
    lock: Option<FileLock>,
    counts: &Arc<Counts>,
) -> Result<mpsc::Sender<Message>, OpenError> {
    let failed = |error: std::io::Error| {
        OpenError::new(
            format!("the writer cannot be started: {error}"),
            "raise the limit on threads (`ulimit -u`)",
        )
    };
    let (sender, queue) = mpsc::channel(options.queue.max(1));
    let lane = LaneOfWork {
        number,
        place: place.clone(),
        queue,
        largest_group: options.largest_group.max(1),
        patience: options.patience,
        changed: changed.clone(),
        tx: None,
        lock,
        unsure: None,
        tally: Arc::clone(counts),
        checkpointer: matches!(place, Place::Lite { .. }).then(|| checkpoint::Checkpointer::start(place)),
        statistics: (matches!(place, Place::Pg { .. }) && number == 0)
            .then(|| statistics::Statistics::start(place)),
    };
    let thread = std::thread::Builder::new().name(format!("store-{number}"));
    match place {
        // SQLite answers from another thread, not from a socket: parking until then is cheaper than a poll of
        // sockets. Timers are the caller's.
        Place::Lite { .. } => {
            let runtime = tokio::runtime::Handle::current();
            thread.spawn(move || runtime.block_on(lane.serve()))
        }
        Place::Pg { .. } => {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
            thread.spawn(move || runtime.block_on(lane.serve()))
        }
    }
    .map_err(failed)?;
    Ok(sender)
}
