//! Why a month could not be settled.

use crate::error::PriceError;
use crate::exact::Overflow;

/// Why a month could not be settled. Nothing is guessed: what is missing or contradictory is named.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum MonthError {
    /// A session cannot be priced.
    #[error("session {session}: {error}")]
    Session {
        /// Its id.
        session: String,
        /// Why.
        error: PriceError,
    },
    /// A charge of the month cannot be worked out.
    #[error("`{charge}`: {error}")]
    Charge {
        /// Its label.
        charge: String,
        /// Why.
        error: PriceError,
    },
    /// Not ended yet.
    #[error(
        "session {session} has not ended; leave it to the month in which it is unplugged, or add `unplugged`"
    )]
    Running {
        /// Its id.
        session: String,
    },
    /// A price is missing.
    #[error("{what} has no price at {at}; {help}")]
    NoPrice {
        /// Session or charge.
        what: String,
        /// Local time.
        at: String,
        /// What to do.
        help: &'static str,
    },
    /// Input that contradicts itself.
    #[error("{what}; {help}")]
    Input {
        /// What is wrong.
        what: String,
        /// What to do.
        help: String,
    },
    /// Meter values do not cover the month.
    #[error("metering point {point} has no value from {from} to {to}; add the missing values, or {instead}")]
    Gap {
        /// Its id.
        point: String,
        /// Local time.
        from: String,
        /// Local time.
        to: String,
        /// What would do as well.
        instead: &'static str,
    },
    /// More was charged than metered.
    #[error(
        "the sessions took {sessions} kWh, more than the {metered} kWh that were metered; check that all metering points are there and that every session belongs to this month"
    )]
    MoreThanMetered {
        /// kWh.
        sessions: String,
        /// kWh.
        metered: String,
    },
    /// A figure does not fit.
    #[error("a figure of the month is too large to be counted exactly")]
    Overflow,
    /// The statements do not come to what was settled; nothing is given out then.
    #[error(
        "the statements come to {statements} minor units and the month to {whole}; this is a fault of the program, please report it"
    )]
    DoesNotAddUp {
        /// Sum over the statements.
        statements: i64,
        /// What was settled.
        whole: i64,
    },
}

impl From<Overflow> for MonthError {
    fn from(_: Overflow) -> Self {
        MonthError::Overflow
    }
}

impl MonthError {
    pub(crate) fn input(what: impl Into<String>, help: impl Into<String>) -> Self {
        MonthError::Input { what: what.into(), help: help.into() }
    }
}
