//! The raw frames of all connections on their way to the store: many in one commit, dropped rather than waited for.

use super::{Count, Hub, Line};
use crate::ocpp::secrets;
use crate::serve::Stop;
use crate::store::{Direction, Frame, FramesOf, Lane, OrgId, RUN, Store};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use takst_engine::units::Instant;
use tokio::sync::mpsc;

/// Frames that may wait for the writer.
const MOST_FRAMES: usize = 16_384;
/// Bytes that may wait for the store.
const MOST_BYTES: usize = 32 << 20;
/// Bytes from which on nobody waits for more frames of a charger.
const MANY_BYTES: usize = 8 << 20;
/// Frames that are written as one.
const BATCH: usize = 1_024;
/// How often what is due is written.
const GATHER: Duration = Duration::from_millis(500);
/// How often a charger may be passed over while there is much to write.
const TURNS: u32 = 8;

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
        let writer = Writer {
            store,
            hub: hub.clone(),
            receiver,
            waiting: Arc::clone(&waiting),
            chargers: BTreeMap::new(),
            frames: 0,
        };
        (Self { sender, waiting, hub }, writer.run(stop))
    }

    /// Keeps a frame without the secrets in it, and `keep` of the charger's in all. Never waits: when the store cannot keep up, the frame is counted and gone.
    pub fn keep(&self, line: &Arc<Line>, direction: Direction, at: Instant, body: &str, keep: i64) {
        if keep <= 0 {
            return;
        }
        let body = secrets::blanked(body);
        let bytes = body.len();
        if self.waiting.fetch_add(bytes, Ordering::Relaxed) + bytes <= MOST_BYTES {
            let entry = Entry { line: Arc::clone(line), at, direction, body: body.into_owned(), keep };
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
    /// What waits, by charger.
    chargers: BTreeMap<(OrgId, String), Frames>,
    frames: usize,
}

/// Frames of a charger that wait.
#[derive(Default)]
struct Frames {
    frames: Vec<Frame>,
    keep: i64,
    turns: u32,
}

impl Writer {
    async fn run(mut self, mut stop: Stop) {
        let mut entries = Vec::new();
        loop {
            // Sleeping instead of waiting for each frame: others follow it.
            let stopping = tokio::time::timeout(GATHER, stop.stopped()).await.is_ok();
            if stopping {
                self.receiver.close();
            }
            while stopping || !self.receiver.is_empty() {
                if self.receiver.recv_many(&mut entries, BATCH).await == 0 {
                    break;
                }
                self.sort_in(&mut entries);
            }
            for part in self.due(stopping) {
                self.write(part).await;
            }
            if stopping {
                return;
            }
        }
    }

    fn sort_in(&mut self, entries: &mut Vec<Entry>) {
        self.frames += entries.len();
        for Entry { line, at, direction, body, keep } in entries.drain(..) {
            let link = &line.link;
            let of = (link.org.clone(), link.charger.clone());
            let waiting = self.chargers.entry(of).or_default();
            waiting.keep = keep;
            let connection = Some(link.connection.clone());
            waiting.frames.push(Frame { seq: 0, at, direction, connection, body });
        }
    }

    /// What is to be written now, in parts of about [`BATCH`] frames. A row takes several frames of a charger: when there is much
    /// to write, a charger waits until it has them.
    fn due(&mut self, all: bool) -> Vec<Vec<((OrgId, String), Frames)>> {
        let all = all || self.frames < BATCH || self.waiting.load(Ordering::Relaxed) > MANY_BYTES;
        let mut parts = Vec::new();
        let mut part = Vec::new();
        let mut many = 0;
        for (of, mut waiting) in std::mem::take(&mut self.chargers) {
            waiting.turns += 1;
            if !all && waiting.frames.len() < RUN && waiting.turns < TURNS {
                self.chargers.insert(of, waiting);
                continue;
            }
            many += waiting.frames.len();
            self.frames -= waiting.frames.len();
            part.push((of, waiting));
            if many >= BATCH {
                many = 0;
                parts.push(std::mem::take(&mut part));
            }
        }
        if !part.is_empty() {
            parts.push(part);
        }
        parts
    }

    async fn write(&self, part: Vec<((OrgId, String), Frames)>) {
        let mut orgs: BTreeMap<OrgId, Vec<(String, Frames)>> = BTreeMap::new();
        let mut bytes = 0;
        for ((org, charger), waiting) in part {
            bytes += waiting.frames.iter().map(|frame| frame.body.len()).sum::<usize>();
            orgs.entry(org).or_default().push((charger, waiting));
        }
        for (org, chargers) in orgs {
            let many = chargers.iter().map(|(_, waiting)| waiting.frames.len()).sum();
            let lane = Lane::org(&org);
            let written = self
                .store
                .write(lane, async move |tx| {
                    let each = chargers.iter();
                    let of: Vec<_> = each
                        .map(|(charger, Frames { frames, keep, .. })| FramesOf {
                            charger,
                            frames,
                            keep: *keep,
                        })
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
