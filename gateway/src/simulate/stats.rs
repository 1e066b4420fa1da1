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
    /// Until the chargers were told to leave.
    answers_in_time: Option<u64>,
    took_in_time: Option<Latency>,
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
    /// Those that were answered before the chargers were told to leave: then all sessions end at once.
    pub in_time: Latency,
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

#[expect(clippy::expect_used, reason = "the bounds are constants; a test makes one")]
fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LONGEST, 2).expect("bounds of a histogram")
}

fn micros(took: Duration) -> u64 {
    u64::try_from(took.as_micros()).unwrap_or(u64::MAX)
}

fn millis(took: Duration) -> u64 {
    u64::try_from(took.as_millis()).unwrap_or(u64::MAX)
}

fn latency(of: &Histogram<u64>) -> Latency {
    Latency {
        count: of.len(),
        p50_us: of.value_at_quantile(0.5),
        p99_us: of.value_at_quantile(0.99),
        max_us: of.max(),
    }
}

// One more of a text.
fn count_text(texts: &mut BTreeMap<String, u64>, text: &str) {
    if let Some(count) = texts.get_mut(text) {
        *count += 1;
    } else if texts.len() < MOST_TEXTS {
        texts.insert(text.to_owned(), 1);
    } else {
        *texts.entry("others".to_owned()).or_default() += 1;
    }
}

impl Counts {
    fn message(&mut self, action: &'static str) -> &mut Message {
        self.messages.entry(action).or_insert_with(|| Message {
            refused: 0,
            unanswered: 0,
            took: histogram(),
        })
    }

    // How long all messages took.
    fn all(&self) -> Histogram<u64> {
        let mut all = histogram();
        for message in self.messages.values() {
            // All have the same bounds.
            let _ = all.add(&message.took);
        }
        all
    }

    fn took(&mut self, action: &'static str, took: Option<Duration>) {
        self.answers += 1;
        if let Some(took) = took {
            self.message(action).took.saturating_record(micros(took).clamp(1, LONGEST));
        }
    }
}

impl Stats {
    /// For so many chargers, from now on.
    #[must_use]
    pub fn new(chargers: u64) -> Self {
        let counts = Counts {
            connected: 0,
            most_connected: 0,
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
            answers_in_time: None,
            took_in_time: None,
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
        counts.answers_in_time = Some(counts.answers);
        counts.took_in_time = Some(latency(&counts.all()));
        played
    }
}

impl Stats {
    /// The report; `played` as [`Stats::stop_the_clock`] told, and how many transaction messages were not acknowledged.
    #[must_use]
    pub fn report(&self, played: Duration, unacknowledged: usize) -> Report {
        let counts = &*self.counts();
        let all = latency(&counts.all());
        let ms = millis(played);
        Report {
            chargers: self.chargers,
            played_ms: ms,
            most_connected: counts.most_connected,
            all_connected_after_ms: counts.all_after.filter(|after| *after != Duration::MAX).map(millis),
            not_all_connected_for_ms: millis(counts.longest_short),
            disconnected: counts.disconnected,
            handshakes: latency(&counts.handshakes),
            not_connected: counts.not_connected.clone(),
            messages: counts
                .messages
                .iter()
                .map(|(action, message)| Messages {
                    action,
                    answered: latency(&message.took),
                    refused: message.refused,
                    unanswered: message.unanswered,
                })
                .collect(),
            all,
            in_time: counts.took_in_time.unwrap_or(all),
            answers_per_second: counts.answers_in_time.unwrap_or(counts.answers).saturating_mul(1_000)
                / ms.max(1),
            refusals: counts.refusals.clone(),
            wrong: counts.wrong.clone(),
            ordered: counts.ordered.clone(),
            troubles: counts.troubles.clone(),
            sessions_begun: counts.sessions_begun,
            sessions_ended: counts.sessions_ended,
            energy_wh: counts.energy_wh,
            tokens_refused: counts.tokens_refused,
            shown: counts.shown,
            lost: counts.lost,
            unacknowledged: u64::try_from(unacknowledged).unwrap_or(u64::MAX),
        }
    }
}

impl Observer for Stats {
    fn connected(&self, _charger: &str, took: Duration) {
        let counts = &mut *self.counts();
        counts.connected += 1;
        counts.most_connected = counts.most_connected.max(counts.connected);
        counts.handshakes.saturating_record(micros(took).clamp(1, LONGEST));
        if counts.connected == self.chargers {
            counts.all_after.get_or_insert(self.began.elapsed());
            if let Some(since) = counts.short_since.take() {
                counts.longest_short = counts.longest_short.max(since.elapsed());
            }
        }
    }

    fn not_connected(&self, _charger: &str, why: &str) {
        count_text(&mut self.counts().not_connected, why);
    }

    fn disconnected(&self, _charger: &str, on_purpose: bool) {
        let counts = &mut *self.counts();
        counts.connected = counts.connected.saturating_sub(1);
        counts.disconnected += u64::from(!on_purpose);
        if counts.all_after.is_some_and(|after| after != Duration::MAX) {
            counts.short_since.get_or_insert_with(Moment::now);
        }
    }

    fn event(&self, _charger: &str, _dialect: Dialect, event: Event, took: Option<Duration>) {
        let counts = &mut *self.counts();
        match event {
            Event::Answered { action, .. } => counts.took(action, took),
            Event::Refused { action, code, why } => {
                counts.took(action, took);
                counts.message(action).refused += 1;
                count_text(&mut counts.refusals, &format!("{action}: {code} {why}"));
            }
            Event::Unanswered { action } => counts.message(action).unanswered += 1,
            Event::Lost { .. } => counts.lost += 1,
            Event::Wrong(what) => count_text(&mut counts.wrong, &what),
            Event::Ordered { action, accepted } => {
                let known = counts.ordered.contains_key(&action) || counts.ordered.len() < MOST_TEXTS;
                let action = if known { action } else { "others".to_owned() };
                let ordered = counts.ordered.entry(action).or_default();
                ordered.all += 1;
                ordered.accepted += u64::from(accepted);
            }
            Event::Began { .. } => counts.sessions_begun += 1,
            Event::Ended { energy_wh, .. } => {
                counts.sessions_ended += 1;
                counts.energy_wh = counts.energy_wh.saturating_add(energy_wh);
            }
            Event::TokenRefused { .. } => counts.tokens_refused += 1,
            Event::Shown { .. } => counts.shown += 1,
            Event::Trouble { what } => *counts.troubles.entry(what).or_default() += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happens_is_counted() {
        let stats = Stats::new(2);
        let event = |event, took| stats.event("A", Dialect::V16, event, took);
        stats.connected("A", Duration::from_millis(3));
        assert_eq!(stats.so_far(), (1, 0, 0));
        stats.connected("B", Duration::from_millis(5));
        stats.disconnected("B", true);
        stats.connected("B", Duration::from_millis(5));
        let answered = || Event::Answered {
            action: "Heartbeat",
            message: None,
            answer: None,
            sent: takst_engine::units::Instant(0),
        };
        for ms in 1..=100 {
            event(answered(), Some(Duration::from_millis(ms)));
        }
        let code = || "InternalError".to_owned();
        event(
            Event::Refused { action: "MeterValues", code: code(), why: code() },
            Some(Duration::from_millis(1)),
        );
        event(Event::Unanswered { action: "MeterValues" }, None);
        for place in 0..100 {
            stats.not_connected("A", &format!("refused with {place}"));
        }
        event(Event::Ended { connector: 1, energy_wh: 700, reason: "Local" }, None);
        let played = stats.stop_the_clock();
        stats.disconnected("A", true);
        let report = stats.report(played, 4);
        assert_eq!((report.refused(), report.unanswered(), report.unacknowledged), (1, 1, 4));
        assert_eq!(
            (report.most_connected, report.disconnected, report.sessions_ended, report.energy_wh),
            (2, 0, 1, 700)
        );
        assert!(report.all_connected_after_ms.is_some());
        assert_eq!(report.not_connected.len(), MOST_TEXTS + 1);
        assert_eq!(report.not_connected.values().sum::<u64>(), 100);
        let heartbeats =
            report.messages.iter().find(|messages| messages.action == "Heartbeat").unwrap().answered;
        assert_eq!(heartbeats.count, 100);
        assert!((49_000..52_000).contains(&heartbeats.p50_us), "{heartbeats:?}");
        assert!((98_000..101_000).contains(&heartbeats.p99_us), "{heartbeats:?}");
        assert!((99_000..102_000).contains(&heartbeats.max_us), "{heartbeats:?}");
        assert_eq!(report.all.count, 101);
    }
}
