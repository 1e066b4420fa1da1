//! Watching chargers: what is wrong with each, incidents with their history, and restarts that nobody had to ask for.
//!
//! ```text
//! store rows + memory of earlier looks ──▶ Seen ──look──▶ findings ──▶ incidents opened, closed
//!                                                            └──decide──▶ restart, wait, or leave alone
//! ```
//!
//! [`look`] and [`restart::decide`] are pure: no IO, no clock. [`Monitor`] does what they say.
//!
//! | incident | when | restart |
//! |---|---|---|
//! | `offline` | without a connection for longer than `offline_after` | no |
//! | `faulted` | the charger or a connector reports a fault | yes |
//! | `stuck-preparing` | a car is plugged in and does not get going for longer than `preparing_after` | yes, when a transaction has begun |
//! | `no-meter-values` | a session gets no meter value for longer than `no_meter_values_after` | yes, when there were some before; never a hard one |
//! | `clock-skew` | the charger's clock is wrong by more than `clock_skew`; over when it is wrong by less than half of that | no |
//! | `boot-loop` | five boots within ten minutes; over ten minutes after the last one | no |

mod look;
mod memory;
pub mod restart;
mod run;

pub use look::{Connector, Finding, Kind, Limits, Running, Seen, look};
pub use restart::{How, Restarter};
pub use run::{LOOK_EVERY, Looked, Monitor};

use crate::setup::Effective;
use crate::store::OrgId;

/// What counts as trouble, and what may be done about it. Times in milliseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Thresholds {
    /// What counts as trouble.
    pub limits: Limits,
    /// A charger in trouble is restarted without being asked.
    pub automatic_restart: bool,
    /// So long after the trouble began; each further restart waits twice as long.
    pub restart_after_ms: i64,
    /// But no longer than this.
    pub restart_longest_wait_ms: i64,
    /// How many restarts in 24 hours at most.
    pub restarts_per_day: u32,
}

impl From<&Effective> for Thresholds {
    fn from(settings: &Effective) -> Self {
        Self {
            limits: Limits {
                offline_after_ms: settings.offline_after.ms(),
                no_meter_values_after_ms: settings.no_meter_values_after.ms(),
                preparing_after_ms: settings.preparing_after.ms(),
                clock_skew_ms: settings.clock_skew.ms(),
            },
            automatic_restart: settings.automatic_restart,
            restart_after_ms: settings.restart_after.ms(),
            restart_longest_wait_ms: settings.restart_longest_wait.ms(),
            restarts_per_day: settings.restarts_per_day,
        }
    }
}

impl Default for Thresholds {
    fn default() -> Self {
        Self::from(&Effective::default())
    }
}

/// Who knows what counts as trouble for a charger: the set-up.
pub trait Watch: Send + Sync + 'static {
    /// The thresholds of a charger; none when it is not to be watched: the set-up does not know it any more.
    fn thresholds(&self, org: &OrgId, charger: &str) -> Option<Thresholds>;
}
