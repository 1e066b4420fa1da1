//! What is counted while chargers are played, and the report of it.

use super::event::{Event, Observer};
use crate::ocpp::Dialect;
use hdrhistogram::Histogram;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant as Moment};

/// Different texts of failures that are told apart; more are counted together.
const MOST_TEXTS: usize = 30;
/// The longest time that is measured, in microseconds.
const LONGEST: u64 = 600_000_000;

/// Counts what happens.
#[derive(Debug)]
pub struct Stats {
    began: Moment,
    chargers: u64,
    inner: Mutex<Counts>,
}

#[derive(Debug)]
struct Counts {
    connected: u64,
    most_connected: u64,
    ever_connected: u64,
    all_after: Option<Duration>,
    short_since: Option<Moment>,
    longest_short: Duration,
    disconnected: u64,
    handshakes: Histogram<u64>,
    not_connected: BTreeMap<String, u64>,
    messages: BTreeMap<&'static str, Message>,
    refusals: BTreeMap<String, u64>,
    wrong: BTreeMap<String, u64>,
    ordered: BTreeMap<String, Ordered>,
    troubles: BTreeMap<&'static str, u64>,
    sessions_begun: u64,
    sessions_ended: u64,
    energy_wh: i64,
    tokens_refused: u64,
    shown: u64,
    lost: u64,
    answers: u64,
}

#[derive(Debug)]
struct Message {
    refused: u64,
    unanswered: u64,
    took: Histogram<u64>,
}

/// Orders of the gateway.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize)]
pub struct Ordered {
    /// How many there were.
    pub all: u64,
    /// How many the chargers did.
    pub accepted: u64,
}

/// How long something took, in microseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Latency {
    /// How often.
    pub count: u64,
    /// Half of them took no longer.
    pub p50_us: u64,
    /// 99 of 100 took no longer.
    pub p99_us: u64,
    /// The longest.
    pub max_us: u64,
}

/// Messages of one action.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Messages {
    /// What they were.
    pub action: &'static str,
    /// How long the answers took.
    #[serde(flatten)]
    pub answered: Latency,
    /// How many were refused.
    pub refused: u64,
    /// How many were not answered in time.
    pub unanswered: u64,
}

/// What has happened.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Report {
    /// How many chargers were played.
    pub chargers: u64,
    /// For how long, in milliseconds.
    pub played_ms: u64,
    /// How many connections there were at once at most.
    pub most_connected: u64,
    /// After how many milliseconds all were connected for the first time; none when they never were.
    pub all_connected_after_ms: Option<u64>,
    /// The longest time after that in which not all were connected, in milliseconds.
    pub not_all_connected_for_ms: u64,
    /// How often a connection ended that the charger wanted to keep.
    pub disconnected: u64,
    /// Handshakes of WebSockets.
    pub handshakes: Latency,
    /// Why connections did not come about, and how often.
    pub not_connected: BTreeMap<String, u64>,
    /// What was sent.
    pub messages: Vec<Messages>,
    /// All messages together.
    pub all: Latency,
    /// Answers a second, over the whole time.
    pub answers_per_second: u64,
    /// Refusals of messages, and how often.
    pub refusals: BTreeMap<String, u64>,
    /// Where the gateway contradicted itself or the standard, and how often.
    pub wrong: BTreeMap<String, u64>,
    /// What the gateway ordered.
    pub ordered: BTreeMap<String, Ordered>,
    /// What went wrong on purpose.
    pub troubles: BTreeMap<&'static str, u64>,
    /// Sessions that began.
    pub sessions_begun: u64,
    /// Sessions that ended.
    pub sessions_ended: u64,
    /// What they took together, in Wh.
    pub energy_wh: i64,
    /// How often a token was refused.
    pub tokens_refused: u64,
    /// How often a charger's display was written to.
    pub shown: u64,
    /// Transaction messages that were given up.
    pub lost: u64,
    /// Transaction messages that were not acknowledged at the end.
    pub unacknowledged: u64,
}

impl Report {
    /// Messages that were refused.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.messages.iter().map(|messages| messages.refused).sum()
    }

    /// Messages that had no answer in time.
    #[must_use]
    pub fn unanswered(&self) -> u64 {
        self.messages.iter().map(|messages| messages.unanswered).sum()
    }
}

fn histogram() -> Histogram<u64> {
    // Two digits over ten minutes. The arguments are constants that it takes.
    Histogram::new_with_bounds(1, LONGEST, 2).unwrap_or_else(|_| Histogram::new_from(&FALLBACK()))
}

impl Stats {
    /// For so many chargers, from now on.
    #[must_use]
    pub fn new(chargers: u64) -> Self {
        let counts = Counts {
            connected: 0,
            most_connected: 0,
            ever_connected: 0,
            all_after: None,
            short_since: None,
            longest_short: Duration::ZERO,
            disconnected: 0,
            handshakes: histogram(),
            not_connected: BTreeMap::new(),
            messages: BTreeMap::new(),
            refusals: BTreeMap::new(),
            wrong: BTreeMap::new(),
            ordered: BTreeMap::new(),
            troubles: BTreeMap::new(),
            sessions_begun: 0,
            sessions_ended: 0,
            energy_wh: 0,
            tokens_refused: 0,
            shown: 0,
            lost: 0,
            answers: 0,
        };
        Self { began: Moment::now(), chargers, inner: Mutex::new(counts) }
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        // Counting goes on after a panic elsewhere.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many are connected now, how many sessions have ended, and how many answers there were.
    #[must_use]
    pub fn so_far(&self) -> (u64, u64, u64) {
        let counts = self.counts();
        (counts.connected, counts.sessions_ended, counts.answers)
    }

    /// The chargers are about to leave: from now on it does not count that they are gone. How long was played.
    pub fn stop_the_clock(&self) -> Duration {
        let played = self.began.elapsed();
        let counts = &mut *self.counts();
        if let Some(since) = counts.short_since.take() {
            counts.longest_short = counts.longest_short.max(since.elapsed());
        }
        counts.all_after.get_or_insert(Duration::MAX);
        played
    }
}
