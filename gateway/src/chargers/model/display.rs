//! Messages on a charger's display (2.x).

use super::{Component, Message, Reference};
use serde::{Deserialize, Serialize};
use takst_engine::units::Instant;

/// A message on the display.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DisplayMessage {
    /// Which display; none: the main one.
    pub display: Option<Component>,
    /// Its id.
    pub id: i64,
    /// How it competes with others.
    pub priority: MessagePriority,
    /// Only in this state.
    pub state: Option<MessageState>,
    /// From when.
    pub from: Option<Instant>,
    /// Until when.
    pub until: Option<Instant>,
    /// Only during this transaction.
    pub transaction: Option<Reference>,
    /// The text.
    pub message: Message,
    /// The same in other languages (2.1), at most 4.
    pub more: Vec<Message>,
}

/// Which messages to report.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct MessageQuery {
    /// Number of the request; the reports carry it.
    pub request: i64,
    /// With these ids; empty: any.
    pub ids: Vec<i64>,
    /// Of this priority.
    pub priority: Option<MessagePriority>,
    /// Of this state.
    pub state: Option<MessageState>,
}

kinds! {
    /// How a message competes with others.
    MessagePriority {
        AlwaysFront = "AlwaysFront",
        InFront = "InFront",
        NormalCycle = "NormalCycle",
    }
    /// In which state a message is shown; the last two are of 2.1.
    MessageState {
        Charging = "Charging",
        Faulted = "Faulted",
        Idle = "Idle",
        Unavailable = "Unavailable",
        Suspended = "Suspended",
        Discharging = "Discharging",
    }
}
