//! From what chargers report to sessions: times, registers, states, power, and what is suspect about them. Pure: no IO, no clock.
//!
//! A session is worked out from the facts that belong to it. Each fact is taken apart into *points* ([`point`]), things known of one
//! instant; sorted, they are followed one by one ([`track`]). A report that is newer than all before it goes on from where the last one
//! ended; any other one makes the session be worked out anew from all its facts. Both ways lead to the same session, whatever order
//! the reports came in and however often.
//!
//! # What is suspect
//!
//! | flag | when | holds |
//! |---|---|---|
//! | `clock` | the time of receipt stands in for that of start or stop | yes |
//! | `clock-reading` | the same for a meter value alone | no |
//! | `clock-back` | numbered reports go back in time, or the stop lies before the start | yes |
//! | `register-fell` | a register fell: a new segment counts from there | yes |
//! | `register-jump` | it grew by more than the connector can carry; what is beyond any battery is not counted | yes |
//! | `false-zero` | a first register of zero, then a lifetime one: counting begins with the second | yes |
//! | `register-mixed` | start and stop count differently from the meter values; both are understood | no |
//! | `wrong-unit` | a register is a thousandfold of what fits, or a thousandth of the power drawn | yes |
//! | `stop-below-start` | the register at the stop is lower than at the start, and nothing tells why | yes |
//! | `no-energy` | it ended, and the registers of its start and end are not both known | yes |
//! | `late-reading` | it charged for more than a minute before the first register was read | no |
//! | `lost-start` | the beginning never came | yes |
//! | `stop-guessed` | the stop named no transaction and was taken for the only one it could be | no |
//! | `ended-inferred` | the stop never came; the session must have ended | yes |
//! | `token-differs` | somebody else's token stopped it | no |
//! | `token-refused` | it began with a token that may not charge | yes |
//! | `no-token` | nobody is known to have charged | yes |
//! | `no-tariff` | no tariff is in force there | yes |
//! | `missing-reports` | numbers are missing between the reports; they are waited for ([`Waits::missing_ms`]), then it goes on | no |
//! | `repeated-number` | two different reports have one number | no |
//! | `overlap` | it lasted into the next one of the same EVSE | yes |
//! | `left-unseen` | the car left while its charger could not be heard: what nobody saw of its standing is not counted | no |
//! | `never-left` | the car stood on for longer than anybody waits ([`Waits::unplug_ms`]) | yes |
//! | `too-long` | it lasted longer than anything that is priced | yes |
//! | `too-many-reports` | there are more reports than are followed | yes |
//!
//! *Holds* means: no bill is made until somebody looks at it.
//!
//! Energy to the car and from it have registers of their own, which are judged alike and each by itself. Energy of intervals counts
//! only where no register is read between start and stop, the charger's own intervals before those by the clock.

pub mod engine;
mod flags;
mod meter;
pub mod point;
mod states;
pub mod track;

pub use engine::{facts, to_engine};
pub use flags::{Flag, Flags, Suspect};
pub use point::{Kept, OverWhy, Said};
pub use states::Doing;
pub use track::{Act, Begin, Builder, Built, Next, OutOfOrder, Rows, Summary, Tracked, build};

use crate::store;
use serde::{Deserialize, Serialize};
use takst_engine::units::{DAY_MS, MINUTE_MS};

/// What a commit did to a session.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Touched {
    /// Readings that were written: new ones, and the last one again if it has changed.
    pub readings: Vec<store::Reading>,
    /// States that were written.
    pub states: Vec<store::StateChange>,
    /// Power that was written.
    pub power: Vec<store::PowerChange>,
    /// The site at which another number of places may be taken now; none when it began and ended before as it does now.
    pub places: Option<String>,
    /// What was written before has changed or is gone, or it is another driver, tariff or time of start: all has to be read again.
    pub rebuilt: bool,
    /// The transaction has stopped; the car may still be there.
    pub stopped: bool,
    /// Nothing more is to come.
    pub ended: bool,
    /// It happened long before it was received: it is no news for a display.
    pub late: bool,
}

// What is as in the beginning need not be written down: it is written with every report.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// How long is waited for what, in milliseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct Waits {
    /// After a stop, for the charger to show that the car is still there. Otherwise the stop was the unplugging.
    pub still_there_ms: i64,
    /// After a stop, for the car to be unplugged.
    pub unplug_ms: i64,
    /// For a stop after the connector became free or the charger booted.
    pub late_stop_ms: i64,
    /// For reports whose numbers are missing.
    pub missing_ms: i64,
    /// Without power for so long, the car is not charging.
    pub no_power_ms: i64,
    /// The same where only the register tells.
    pub standstill_ms: i64,
    /// A session of which nothing was heard for so long has ended, when nothing was heard of its charger either.
    pub silent_ms: i64,
    /// What took longer to arrive is late.
    pub late_ms: i64,
}

impl Default for Waits {
    fn default() -> Self {
        Self {
            still_there_ms: 15_000,
            unplug_ms: 3 * DAY_MS,
            late_stop_ms: MINUTE_MS,
            missing_ms: 10 * MINUTE_MS,
            no_power_ms: 3 * MINUTE_MS,
            standstill_ms: 15 * MINUTE_MS,
            silent_ms: 7 * DAY_MS,
            late_ms: 5 * MINUTE_MS,
        }
    }
}

#[cfg(test)]
mod tests;
