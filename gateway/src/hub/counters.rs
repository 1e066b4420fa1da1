//! What is counted about connections and frames, by the names of `/metrics`.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! counters {
    ($($(#[doc = $help:literal])+ $variant:ident = $name:literal),* $(,)?) => {
        /// Something that is counted.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum Count {
            $($(#[doc = $help])+ $variant,)*
        }

        impl Count {
            const ALL: &[(Self, &'static str, &'static str)] = &[$((Self::$variant, $name, concat!($($help),+)),)*];
        }
    };
}

counters! {
    /// Connections that were accepted by the operating system.
    Accepted = "takst_connections_accepted_total",
    /// Connections refused because there were too many, from one address or in all.
    Crowded = "takst_connections_refused_total",
    /// TLS handshakes that failed.
    TlsFailed = "takst_tls_failed_total",
    /// Chargers let in.
    Welcomed = "takst_chargers_welcomed_total",
    /// Chargers turned away: unknown, wrong password, wrong protocol.
    TurnedAway = "takst_chargers_refused_total",
    /// Chargers turned away unasked, after too many wrong passwords from there.
    LockedOut = "takst_chargers_locked_out_total",
    /// Chargers told to come back later, because too many came at once.
    Overload = "takst_chargers_put_off_total",
    /// Connections that took the place of an older one of the same charger.
    Replaced = "takst_connections_replaced_total",
    /// Connections ended because nothing was heard for too long.
    Silent = "takst_connections_silent_total",
    /// Connections ended because of a broken or oversized WebSocket frame.
    Malformed = "takst_connections_malformed_total",
    /// Messages received.
    FramesIn = "takst_ocpp_frames_received_total",
    /// Messages sent.
    FramesOut = "takst_ocpp_frames_sent_total",
    /// Messages that were no OCPP.
    Broken = "takst_ocpp_frames_broken_total",
    /// Broken messages that were mended.
    Mended = "takst_ocpp_frames_mended_total",
    /// Requests that were answered with a refusal.
    Refused = "takst_ocpp_calls_refused_total",
    /// Requests answered with the answer that was given before.
    Replayed = "takst_ocpp_calls_replayed_total",
    /// Requests that could not be kept and stay without an answer, to be repeated by the charger.
    Unanswered = "takst_ocpp_calls_unanswered_total",
    /// What was not as the standard has it.
    Deviations = "takst_ocpp_deviations_total",
    /// What was against the schema.
    Violations = "takst_ocpp_schema_violations_total",
    /// Commands sent.
    Commands = "takst_ocpp_commands_sent_total",
    /// Commands that were not answered in time.
    CommandsTimedOut = "takst_ocpp_commands_timed_out_total",
    /// Answers that nobody waits for.
    LateResults = "takst_ocpp_late_results_total",
    /// Raw frames kept.
    FramesKept = "takst_raw_frames_kept_total",
    /// Raw frames that could not be kept.
    FramesDropped = "takst_raw_frames_dropped_total",
}

/// What has been counted.
#[derive(Debug, Default)]
pub struct Counters {
    counts: [AtomicU64; Count::ALL.len()],
}

impl Counters {
    pub(super) fn add(&self, what: Count, many: u64) {
        if let Some(count) = self.counts.get(what as usize) {
            count.fetch_add(many, Ordering::Relaxed);
        }
    }

    /// A counter by its name in `/metrics`; none when there is none of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<u64> {
        let place = Count::ALL.iter().position(|(_, known, _)| *known == name)?;
        self.counts.get(place).map(|count| count.load(Ordering::Relaxed))
    }

    /// All counters in the text format of Prometheus.
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = String::new();
        for ((_, name, help), count) in Count::ALL.iter().zip(&self.counts) {
            let count = count.load(Ordering::Relaxed);
            // Writing to a text cannot fail.
            let _ = writeln!(text, "# HELP {name} {}\n# TYPE {name} counter\n{name} {count}", help.trim());
        }
        text
    }
}
