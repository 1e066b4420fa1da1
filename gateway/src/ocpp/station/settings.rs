//! How connections of chargers are kept.

use std::time::Duration;

/// How connections of chargers are kept.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long commands wait after a reconnect without a boot; the charger may still send one.
    pub settle: Duration,
    /// How long a charger may take nothing of what is said to it.
    pub write_patience: Duration,
    /// The least silence after which a charger that does not answer pings counts as gone; three heartbeats otherwise.
    pub silence: Duration,
    /// The same, as long as its heartbeat is not known.
    pub silence_unknown: Duration,
    /// How long what was received last is dealt with when a connection ends.
    pub finish: Duration,
    /// Messages of one charger per second; more wait. A burst of twenty seconds' worth is taken at once.
    pub messages: u32,
    /// Compare every request with the schemas of the standards.
    pub check_schema: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            settle: Duration::from_secs(5),
            write_patience: Duration::from_secs(30),
            silence: Duration::from_secs(900),
            silence_unknown: Duration::from_secs(7_200),
            finish: Duration::from_secs(10),
            messages: 50,
            check_schema: true,
        }
    }
}
