//! PostgreSQL's knowledge of the tables that grow with every message.
//!
//! Of a table that has just been made it knows nothing, and takes "all rows of the organisation" for a few: then it reads all of them for each
//! report, more with every report. By itself it counts them a minute later or more. Here that is asked for at the start, and each time that
//! as much again has been written as was there.

use super::open::Place;
use super::sql::Conn;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Changes before the first count.
const FIRST: u64 = 250;

/// When so many changes were written, PostgreSQL has long begun to count by itself.
const ENOUGH: u64 = 1 << 20;

/// The columns by which rows are found. Documents are never looked for, and are costly to sample.
const COUNT: &str = "ANALYZE station_fact (org, id, charger, dedupe, session, received_at), session (org, id, charger, transaction_ref, plugged_in, \
    status, billing, hold, driver, site), session_progress (org, session), session_reading (org, session, seq), \
    session_state (org, session, seq), session_power (org, session, seq), frame_run (org, charger, last_seq, to_at), frame_ring (org, charger), \
    charger, connector (org, charger, evse), event (org, seq), bill (org, id, session, issued_at), token (org), driver (org)";

/// The writer's side.
pub(super) struct Statistics {
    other: JoinHandle<()>,
    ask: mpsc::Sender<()>,
    writes: u64,
    next: u64,
}

impl Statistics {
    /// Counts once, and starts to watch; the other side ends with this one.
    pub fn start(place: &Place) -> Self {
        // One wish is enough: what comes while it is fulfilled is counted with the next.
        let (ask, asked) = mpsc::channel(1);
        let other = tokio::spawn(serve(place.clone(), asked));
        let mut started = Self { other, ask, writes: 0, next: 0 };
        started.committed(0);
        started
    }

    /// After a commit of so many changes.
    pub fn committed(&mut self, writes: u64) {
        self.writes = self.writes.saturating_add(writes);
        if self.writes >= self.next && self.next < ENOUGH && self.ask.try_send(()).is_ok() {
            self.next = self.writes.saturating_mul(2).max(FIRST);
        }
    }

    /// Ends the other side and waits for that.
    pub async fn stop(self) {
        let Self { other, ask, .. } = self;
        drop(ask);
        // Where its runtime has ended, so has it.
        let _ = other.await;
    }
}

async fn serve(place: Place, mut asked: mpsc::Receiver<()>) {
    let mut conn: Option<Conn> = None;
    while asked.recv().await.is_some() {
        if conn.is_none() {
            conn = place.connect().await.ok();
        }
        let Some(open) = &mut conn else { continue };
        // Nothing is wrong without it but slow.
        if let Err(error) = open.execute(COUNT, Vec::new()).await {
            tracing::warn!(%error, "the rows of the database could not be counted: answers may be slow until it does so by itself");
            conn = None;
        }
    }
    if let Some(conn) = conn {
        let _ = conn.close().await;
    }
}
