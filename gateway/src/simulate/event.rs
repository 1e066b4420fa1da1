//! What is seen of a played charger.

use crate::ocpp::Dialect;
use std::time::Duration;
use takst_engine::units::Instant;

/// Something that happened with a charger.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// A message was answered.
    Answered {
        /// What it was.
        action: &'static str,
        /// Its payload, when it was about a transaction.
        message: Option<String>,
        /// The payload of the answer, when it was about a transaction.
        answer: Option<String>,
        /// When it was sent.
        sent: Instant,
    },
    /// A message was refused with a CALLERROR.
    Refused {
        /// What it was.
        action: &'static str,
        /// The code of the refusal.
        code: String,
        /// Its words.
        why: String,
    },
    /// A message had no answer in time.
    Unanswered {
        /// What it was.
        action: &'static str,
    },
    /// A transaction message was given up, or no longer fitted into the memory of the charger.
    Lost {
        /// What it was.
        action: &'static str,
    },
    /// The gateway contradicts itself or the standard.
    Wrong(String),
    /// The gateway told the charger to do something.
    Ordered {
        /// The action.
        action: String,
        /// Whether the charger does it.
        accepted: bool,
    },
    /// A session began.
    Began {
        /// Where.
        connector: u32,
        /// Who; none when nobody identified himself.
        token: Option<String>,
    },
    /// A session ended.
    Ended {
        /// Where.
        connector: u32,
        /// What the car took, in Wh.
        energy_wh: i64,
        /// Why, as OCPP has it.
        reason: &'static str,
    },
    /// A driver was not let.
    TokenRefused {
        /// Where.
        connector: u32,
        /// Who.
        token: String,
        /// As the gateway put it.
        status: String,
    },
    /// The charger's display.
    Shown {
        /// What it shows.
        text: String,
    },
    /// Something goes wrong on purpose.
    Trouble {
        /// What.
        what: &'static str,
    },
}

/// Whoever watches played chargers.
pub trait Observer: Send + Sync + 'static {
    /// A charger is connected; how long the handshake took.
    fn connected(&self, charger: &str, took: Duration);

    /// A charger could not connect.
    fn not_connected(&self, charger: &str, why: &str);

    /// A charger has no connection any more; whether it wanted that.
    fn disconnected(&self, charger: &str, on_purpose: bool);

    /// Something happened; how long the answer took if it is about one.
    fn event(&self, charger: &str, dialect: Dialect, event: Event, took: Option<Duration>);
}
