//! The raw frames of all connections on their way to the store: many in one commit, dropped rather than waited for.

use super::{Count, Hub, Line};
use crate::serve::Stop;
use crate::store::{Direction, Frame, FramesOf, Lane, OrgId, Store};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use takst_engine::units::Instant;
use tokio::sync::mpsc;

/// Frames that may wait for the store.
const MOST_FRAMES: usize = 16_384;
/// Bytes that may wait for the store.
const MOST_BYTES: usize = 32 << 20;
/// Frames that are written as one.
const BATCH: usize = 1_024;
/// How long frames are gathered.
const GATHER: Duration = Duration::from_millis(500);

/// Where connections put their frames. Copies share it.
#[derive(Clone)]
pub(crate) struct Tape {
    sender: mpsc::Sender<Entry>,
    waiting: Arc<AtomicUsize>,
    hub: Hub,
}

struct Entry {
    line: Arc<Line>,
    at: Instant,
    direction: Direction,
    body: String,
    keep: i64,
}

impl Tape {
    /// A tape, and the work of writing it down, which ends when it is told to stop and all is written.
    pub fn new(store: Store, hub: Hub, stop: Stop) -> (Self, impl Future<Output = ()> + Send) {
        let (sender, receiver) = mpsc::channel(MOST_FRAMES);
        let waiting = Arc::new(AtomicUsize::new(0));
        let writer = Writer { store, hub: hub.clone(), receiver, waiting: Arc::clone(&waiting) };
        (Self { sender, waiting, hub }, writer.run(stop))
    }

    /// Keeps a frame, and `keep` of the charger's in all. Never waits: when the store cannot keep up, the frame is counted and gone.
    pub fn keep(&self, line: &Arc<Line>, direction: Direction, at: Instant, body: &str, keep: i64) {
        if keep <= 0 {
            return;
        }
        let bytes = body.len();
        if self.waiting.fetch_add(bytes, Ordering::Relaxed) + bytes <= MOST_BYTES {
            let entry = Entry { line: Arc::clone(line), at, direction, body: body.to_owned(), keep };
            if self.sender.try_send(entry).is_ok() {
                return;
            }
        }
        self.waiting.fetch_sub(bytes, Ordering::Relaxed);
        self.hub.count(Count::FramesDropped);
    }
}

struct Writer {
    store: Store,
    hub: Hub,
    receiver: mpsc::Receiver<Entry>,
    waiting: Arc<AtomicUsize>,
}

impl Writer {
    async fn run(mut self, mut stop: Stop) {
        let mut batch = Vec::new();
        let mut stopping = false;
        loop {
            if !stopping && self.receiver.len() < BATCH {
                // Others may follow within a while.
                let stopped = tokio::time::timeout(GATHER, stop.stopped()).await;
                if stopped.is_ok() {
                    stopping = true;
                    self.receiver.close();
                }
            }
            if !stopping && self.receiver.is_empty() {
                tokio::select! {
                    biased;
                    () = stop.stopped() => continue,
                    got = self.receiver.recv() => match got {
                        Some(entry) => batch.push(entry),
                        None => return,
                    },
                }
                // Others will follow.
                continue;
            }
            let more = self.receiver.recv_many(&mut batch, BATCH).await;
            if more == 0 && batch.is_empty() {
                return;
            }
            self.write(std::mem::take(&mut batch)).await;
        }
    }

    async fn write(&self, batch: Vec<Entry>) {
        let mut orgs: BTreeMap<OrgId, BTreeMap<String, (i64, Vec<Frame>)>> = BTreeMap::new();
        let mut bytes = 0;
        for Entry { line, at, direction, body, keep } in batch {
            bytes += body.len();
            let link = &line.link;
            let chargers = orgs.entry(link.org.clone()).or_default();
            let (newest, frames) = chargers.entry(link.charger.clone()).or_default();
            *newest = keep;
            frames.push(Frame { seq: 0, at, direction, connection: Some(link.connection.clone()), body });
        }
        for (org, chargers) in orgs {
            let many = chargers.values().map(|(_, frames)| frames.len()).sum();
            let lane = Lane::org(&org);
            let written = self
                .store
                .write(lane, async move |tx| {
                    let each = chargers.iter();
                    let of: Vec<_> = each
                        .map(|(charger, (keep, frames))| FramesOf { charger, frames, keep: *keep })
                        .collect();
                    tx.append_frames_of(&org, &of).await
                })
                .await;
            match written {
                Ok(()) => self.hub.count_many(Count::FramesKept, many),
                Err(error) => {
                    self.hub.count_many(Count::FramesDropped, many);
                    tracing::warn!(%error, frames = many, "raw frames could not be kept");
                }
            }
        }
        self.waiting.fetch_sub(bytes, Ordering::Relaxed);
    }
}
