//! What comes back from a call.

use crate::limits::{Limits, Usage};
use crate::model::{Error, Outcome};
use crate::state::Line;
use crate::tape::Tape;
use serde::Serialize;
use std::fmt;

/// A call that ended, whichever way.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case", bound(serialize = "T: Serialize"))]
pub struct Done<T> {
    /// What came of it.
    #[serde(serialize_with = "as_ok_or_error")]
    pub result: Result<T, Failed>,
    /// What it used.
    pub usage: Usage,
    /// What it might have used.
    pub limits: Limits,
    /// What it logged.
    pub log: Vec<Line>,
    /// What an operator should know besides: that its notes were not kept, that lines of the log were dropped.
    pub warnings: Vec<String>,
    /// The tape, if the call was recorded.
    #[serde(skip)]
    pub tape: Option<Tape>,
}

fn as_ok_or_error<T: Serialize, S: serde::Serializer>(
    result: &Result<T, Failed>,
    to: S,
) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    #[serde(rename_all = "kebab-case")]
    enum Shown<'a, T> {
        Ok(&'a T),
        Error(&'a Failed),
    }
    match result {
        Ok(value) => Shown::Ok(value),
        Err(failed) => Shown::Error(failed),
    }
    .serialize(to)
}

impl<T> Done<T> {
    /// The same with another value.
    #[must_use]
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Done<U> {
        let Self { result, usage, limits, log, warnings, tape } = self;
        Done { result: result.map(change), usage, limits, log, warnings, tape }
    }
}

/// Why a call gave no value.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum Failed {
    /// The plugin says so.
    #[error("{}: {}", .0.code, .0.detail)]
    Said(Error),
    /// The host stopped it.
    #[error(transparent)]
    Stopped(Stop),
}

impl Failed {
    /// What is known of the thing that was asked for.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Said(error) => error.outcome,
            Self::Stopped(stop) => stop.outcome,
        }
    }

    /// A short word that stays the same.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Self::Said(error) => &error.code,
            Self::Stopped(stop) => stop.kind.code(),
        }
    }
}

/// A call that the host stopped.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
#[error("{detail}")]
pub struct Stop {
    /// Why.
    pub kind: Kind,
    /// `unknown` as soon as one request may have gone out, else `not-done`.
    pub outcome: Outcome,
    /// For people: what happened and what to do.
    pub detail: String,
}

/// Why a call was stopped.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The plugin crashed: a panic, a division by zero, an access out of bounds.
    Trap,
    /// It called itself too deeply.
    Stack,
    /// More memory than allowed.
    Memory,
    /// More instructions than allowed.
    Fuel,
    /// More CPU time than allowed.
    Cpu,
    /// Longer than allowed.
    Time,
    /// Too much was to be given to it. It was not called.
    Input,
    /// It gave back too much, or handed too much to a function of the host.
    Output,
    /// It could not be started, or has not the function.
    Start,
    /// Too many calls wait. It was not called.
    Busy,
    /// It asked for something else than on the tape.
    Tape,
    /// The gateway's own part did not work: its store, its secrets.
    Host,
}

impl Kind {
    /// A short word that stays the same, for metrics: "trap".
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Trap => "trap",
            Self::Stack => "stack",
            Self::Memory => "memory",
            Self::Fuel => "fuel",
            Self::Cpu => "cpu",
            Self::Time => "time",
            Self::Input => "input",
            Self::Output => "output",
            Self::Start => "start",
            Self::Busy => "busy",
            Self::Tape => "tape",
            Self::Host => "host",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}
