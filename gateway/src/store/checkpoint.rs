//! Moving SQLite's log into its file beside the writer, so that no commit waits for it.
//!
//! By itself SQLite does it inside some commit, which then takes many times as long. Here a second connection
//! does it while commits go on; what came in the meantime is little, and moving that is the writer's part,
//! because only a log that is moved as a whole can be begun again.

use super::open::Place;
use super::sql::Conn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// The writer's side.
pub(super) struct Checkpointer {
    other: JoinHandle<()>,
    ask: mpsc::Sender<()>,
    nearly: Arc<AtomicBool>,
    writes: u64,
}

/// Changes after which the log is moved: some tens of megabytes. Running sessions change the same pages with every message, and the last
/// state of a page is all that is moved.
const WRITES: u64 = 20_000;

/// How often the other side moves the log before the writer does the rest. While it moves a long log much is written, while it moves that
/// little, and commits wait for the writer's part alone.
const PASSES: usize = 3;

/// Moves what it can without making anybody wait.
pub(super) const MOVE: &str = "PRAGMA wal_checkpoint(PASSIVE)";

impl Checkpointer {
    /// Starts the other side; it ends with this one.
    pub fn start(place: &Place) -> Self {
        // One wish is enough: what comes while it is fulfilled is counted for the next.
        let (ask, asked) = mpsc::channel(1);
        let nearly = Arc::new(AtomicBool::new(false));
        let other = tokio::spawn(serve(place.clone(), asked, Arc::clone(&nearly)));
        // What a program before this one left in the log is moved after the first commit: a start reads all of it.
        Self { other, ask, nearly, writes: WRITES }
    }

    /// After a commit of so many changes.
    pub fn committed(&mut self, writes: u64) {
        self.writes += writes;
        if self.writes >= WRITES && self.ask.try_send(()).is_ok() {
            self.writes = 0;
        }
    }

    /// Ends the other side and waits for that: the log goes with the last connection.
    pub async fn stop(self) {
        let Self { other, ask, .. } = self;
        drop(ask);
        // Where its runtime has ended, so has it.
        let _ = other.await;
    }

    /// Whether little is left to move, once.
    pub fn nearly_done(&self) -> bool {
        self.nearly.swap(false, Ordering::AcqRel)
    }
}

async fn serve(place: Place, mut asked: mpsc::Receiver<()>, nearly: Arc<AtomicBool>) {
    let mut conn: Option<Conn> = None;
    while asked.recv().await.is_some() {
        if conn.is_none() {
            conn = place.connect().await.ok();
        }
        let Some(open) = &mut conn else { continue };
        let mut moved = Ok(());
        for _ in 0..PASSES {
            moved = open.fetch_one(MOVE, Vec::new()).await.map(drop);
            if moved.is_err() {
                break;
            }
        }
        match moved {
            Ok(()) => nearly.store(true, Ordering::Release),
            // The log grows until SQLite does it inside a commit.
            Err(error) => {
                tracing::warn!(%error, "the log of the database could not be moved into its file");
                conn = None;
            }
        }
    }
    if let Some(conn) = conn {
        // Nothing is left to be said.
        let _ = conn.close().await;
    }
}
