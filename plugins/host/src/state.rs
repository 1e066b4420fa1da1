//! What one call has in hand: everything that the host functions of that call look at and change.

use crate::http::fill::Bound;
use crate::kv::Buffer;
use crate::limits::{Memory, Meter, Usage};
use crate::model::crypto::Level;
use crate::plugin::Inner;
use crate::tape::Deck;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The longest line of the log, in bytes.
pub const LINE: usize = 1024;

/// A line that a plugin logged.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct Line {
    /// How much it matters.
    pub level: Level,
    /// At most 1 KiB, without ends of line.
    pub text: String,
}

/// The store's data.
pub(crate) struct State {
    pub(crate) plugin: Arc<Inner>,
    // Of the thing that this call is for: goes into the idempotency header.
    pub(crate) key: Option<String>,
    pub(crate) meter: Arc<Meter>,
    pub(crate) memory: Memory,
    pub(crate) kv: Buffer,
    pub(crate) deck: Deck,
    pub(crate) lines: Vec<Line>,
    // Lines that came after the limit on the log.
    pub(crate) dropped: u64,
    // The secrets of hosts that were called.
    pub(crate) bound: BTreeMap<(String, u16), Bound>,
    pub(crate) usage: Usage,
}

impl State {
    /// A line for the log, within the limits.
    pub(crate) fn log(&mut self, level: Level, text: &str) {
        // Ends of line and other control characters could forge lines of the gateway's log.
        let mut line = String::with_capacity(text.len().min(LINE));
        for c in text.chars() {
            let shown: String =
                if c.is_control() && c != '\t' { c.escape_default().collect() } else { c.to_string() };
            if line.len().saturating_add(shown.len()) > LINE.saturating_sub('…'.len_utf8()) {
                line.push('…');
                break;
            }
            line.push_str(&shown);
        }
        // An empty line costs the host something too.
        let bytes = u64::try_from(line.len()).unwrap_or(u64::MAX).saturating_add(8);
        let all = self.usage.log.saturating_add(bytes);
        if all > self.plugin.limits.log.0 {
            self.dropped = self.dropped.saturating_add(1);
            return;
        }
        self.usage.log = all;
        self.plugin.host.log.line(&self.plugin.name, level, &line);
        self.lines.push(Line { level, text: line });
    }

    /// What the plugin said last as an error: a panic's message, mostly.
    pub(crate) fn last_words(&self) -> Option<&str> {
        self.lines.iter().rev().find(|line| line.level == Level::Error).map(|line| line.text.as_str())
    }
}
