//! OCPI (2.1.1, 2.2.1, 2.3.0): tariffs of partners as tariff files, ours as theirs, their CDRs as sessions.
//!
//! What cannot be said is refused with the place in the document; where the standard is open a choice is made that
//! `dsl/REFERENCE.md` names, and a note says that it was.

mod cdr;
mod country;
mod export;
mod import;
mod json;
mod lines;
mod tariff;
mod words;

pub use super::tariff::{Unsayable, Wanted as WantedOut};
pub use cdr::session;
pub use export::{Exported, Sent, export};
pub use import::{Imported, Wanted, import};

use std::fmt;

/// A version of the standard.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Version {
    /// 2.1.1
    V211,
    /// 2.2 and 2.2.1
    V221,
    /// 2.3.0
    V230,
}

impl Version {
    /// The version of these digits.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        match text {
            "2.1" | "2.1.1" => Some(Self::V211),
            "2.2" | "2.2.1" => Some(Self::V221),
            "2.3" | "2.3.0" => Some(Self::V230),
            _ => None,
        }
    }

    /// As it is written.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::V211 => "2.1.1",
            Self::V221 => "2.2.1",
            Self::V230 => "2.3.0",
        }
    }
}

/// What stands in the way, and where in the document.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// As in `elements[2].restrictions.max_kwh`; empty: the whole document.
    pub place: String,
    /// What is wrong, and what to do.
    pub message: String,
}

impl Problem {
    fn new(place: impl Into<String>, message: impl Into<String>) -> Self {
        Self { place: place.into(), message: message.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place.as_str() {
            "" => f.write_str(&self.message),
            place => write!(f, "`{place}`: {}", self.message),
        }
    }
}
