//! What chargers speak: one dialect of OCPP each, translated to and from `crate::chargers::model`.
//!
//! Absent from here: sockets, clocks, storage; but for `socket` and `station`, which are the edge. Reading never refuses what can
//! be understood, and says what was odd about it; writing is compact JSON with its fields in the order of the schema.

pub mod frame;
pub mod lenient;
pub mod schema;
pub(crate) mod secrets;
pub(crate) mod socket;
pub(crate) mod station;
mod v16;
mod v2;
mod writer;

pub use lenient::Deviation;
pub use writer::Unsayable;

use crate::chargers::model::{Answer, Command, MeterRules, Outcome, Report, TariffDocument};
use crate::chargers::time::TimeRules;
use frame::ErrorCode;
use lenient::{Fields, Notes};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::fmt;
use takst_engine::units::Instant;

/// A version of OCPP.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Dialect {
    /// 1.6 over WebSocket.
    #[serde(rename = "ocpp1.6")]
    V16,
    /// 2.0.1.
    #[serde(rename = "ocpp2.0.1")]
    V201,
    /// 2.1.
    #[serde(rename = "ocpp2.1")]
    V21,
}

/// What is known of how one charger speaks, beside its dialect.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Habits {
    /// How its times are to be taken.
    pub time: TimeRules,
    /// How its meter values are to be taken.
    pub meter: MeterRules,
    /// Mend its broken JSON (see [`frame::repair()`]).
    pub repair: bool,
}

/// A charger's message in the terms of the domain.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Inbound {
    /// What it says.
    pub report: Report,
    /// What is not as the standard has it.
    pub deviations: Vec<Deviation>,
}

/// Why a message is answered with a refusal (CALLERROR).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// The code.
    pub code: ErrorCode,
    /// In words.
    pub why: String,
}

/// A command in a dialect.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Call {
    /// The action.
    pub action: &'static str,
    /// The payload: a JSON object.
    pub payload: String,
}

impl Dialect {
    /// All of them, oldest first.
    pub const ALL: [Self; 3] = [Self::V16, Self::V201, Self::V21];

    /// Its name as a WebSocket subprotocol.
    #[must_use]
    pub const fn subprotocol(self) -> &'static str {
        match self {
            Self::V16 => "ocpp1.6",
            Self::V201 => "ocpp2.0.1",
            Self::V21 => "ocpp2.1",
        }
    }

    /// The dialect of a WebSocket subprotocol; letter case does not matter.
    #[must_use]
    pub fn of_subprotocol(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|dialect| dialect.subprotocol().eq_ignore_ascii_case(name.trim()))
    }

    /// Whether a charger's action tells of something that has happened with a transaction. Such a message is never refused.
    #[must_use]
    pub fn is_transaction(self, action: &str) -> bool {
        match self {
            Self::V16 => matches!(action, "StartTransaction" | "StopTransaction" | "MeterValues"),
            Self::V201 | Self::V21 => matches!(action, "TransactionEvent" | "MeterValues"),
        }
    }

    /// The actions that a charger may send, in the order of the alphabet.
    #[must_use]
    pub const fn actions(self) -> &'static [&'static str] {
        match self {
            Self::V16 => v16::INBOUND,
            Self::V201 => v2::INBOUND_201,
            Self::V21 => v2::INBOUND_21,
        }
    }

    /// Reads a charger's request (also 2.1's SEND). `received` is the time of receipt.
    ///
    /// # Errors
    /// The refusal to answer with: the action is unknown, or nothing can be done without what is missing. Never for messages of
    /// transactions ([`Dialect::is_transaction`]).
    pub fn read_call(
        self,
        action: &str,
        payload: Option<&RawValue>,
        received: Instant,
        habits: &Habits,
    ) -> Result<Inbound, Refusal> {
        let notes = Notes::new(received, habits);
        let report = {
            let object = payload.filter(|payload| payload.get() != "null");
            let known = object.map(|payload| Fields::of(&notes, String::new(), payload));
            let fields = match known {
                Some(Some(fields)) => fields,
                Some(None) if !self.is_transaction(action) && self.actions().contains(&action) => {
                    return Err(Refusal::new(ErrorCode::Format, "the payload is no object"));
                }
                Some(None) | None => Fields::none(&notes),
            };
            let raw = object.map_or("{}", RawValue::get);
            let report = match self {
                Self::V16 => v16::read(action, &fields),
                Self::V201 | Self::V21 => v2::read(self, action, &fields, raw),
            }?;
            // What is kept as a document is not looked into.
            if !matches!(report, Report::Document(_)) {
                fields.done();
            }
            report
        };
        Ok(Inbound { report, deviations: notes.finish() })
    }

    /// The payload of our answer to a charger's request.
    ///
    /// # Errors
    /// The answer does not belong to that action, or the dialect has no words for it.
    pub fn write_answer(self, action: &str, answer: &Answer) -> Result<String, Unsayable> {
        match self {
            Self::V16 => v16::write_answer(action, answer),
            Self::V201 | Self::V21 => v2::write_answer(self, action, answer),
        }
    }

    /// A command in this dialect.
    ///
    /// # Errors
    /// Names what the dialect has no words for.
    pub fn write_command(self, command: &Command) -> Result<Call, Unsayable> {
        match self {
            Self::V16 => v16::write_command(command),
            Self::V201 | Self::V21 => v2::write_command(self, command),
        }
    }

    /// Reads a charger's answer to a command that was sent as `action`. The second value is what was odd about it.
    #[must_use]
    pub fn read_outcome(
        self,
        action: &str,
        payload: Option<&RawValue>,
        received: Instant,
        habits: &Habits,
    ) -> (Outcome, Vec<Deviation>) {
        let notes = Notes::new(received, habits);
        let outcome = {
            let fields = payload
                .and_then(|payload| Fields::of(&notes, String::new(), payload))
                .unwrap_or_else(|| Fields::none(&notes));
            let outcome = match self {
                Self::V16 => v16::read_outcome(action, &fields),
                Self::V201 | Self::V21 => v2::read_outcome(action, &fields),
            };
            fields.done();
            outcome
        };
        (outcome, notes.finish())
    }
}

/// A tariff in the words of 2.1 (`TariffType`), as compact JSON.
///
/// # Errors
/// Names what there are no words for.
pub fn tariff_json(tariff: &TariffDocument) -> Result<String, Unsayable> {
    v2::tariff_json(tariff)
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V16 => "OCPP 1.6",
            Self::V201 => "OCPP 2.0.1",
            Self::V21 => "OCPP 2.1",
        })
    }
}

impl Refusal {
    pub(crate) fn new(code: ErrorCode, why: impl Into<String>) -> Self {
        Self { code, why: why.into() }
    }

    // Nobody knows this action, or it is one that only we may send.
    pub(crate) fn unknown(action: &str, ours: &[&str]) -> Self {
        if ours.contains(&action) {
            Self::new(ErrorCode::NotSupported, format!("`{action}` is not sent by a charger"))
        } else {
            let shown: String = action.chars().take(60).collect();
            Self::new(ErrorCode::NotImplemented, format!("the action `{shown}` is not known"))
        }
    }
}
