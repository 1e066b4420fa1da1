//! Why a session could not be priced.

use crate::input::InputError;

/// Why a session could not be priced. Nothing is guessed: what is missing or contradictory is named.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PriceError {
    /// Readings, states or times that contradict each other.
    #[error("{0}")]
    Session(#[from] InputError),
    /// The tariff asks something that the session does not say.
    #[error("the tariff asks for {what}, and the session does not say it (add `{field}`)")]
    MissingFact {
        /// In the operator's words.
        what: &'static str,
        /// The session's field.
        field: &'static str,
    },
    /// A figure does not fit.
    #[error("{place}: a figure is too large to be counted exactly")]
    Overflow {
        /// File and line.
        place: String,
    },
    /// A formula divides by something that is zero in this slice.
    #[error("{place}: the formula divides by zero at {at}")]
    DivisionByZero {
        /// File and line.
        place: String,
        /// Local time of the slice.
        at: String,
    },
    /// No line of the list answers; a checked tariff has no such case.
    #[error("no line answers for `{charge}` at {at}")]
    NoCase {
        /// The charge.
        charge: String,
        /// Local time.
        at: String,
    },
    /// Plugged in before the list is in force.
    #[error("the session was plugged in at {at}, before the tariff is in force ({valid_from})")]
    NotInForce {
        /// Local time of plug-in.
        at: String,
        /// Local time.
        valid_from: String,
    },
    /// Plugged in when the list is over.
    #[error("the session was plugged in at {at}, and the tariff is in force until {valid_until} only")]
    Over {
        /// Local time of plug-in.
        at: String,
        /// Local time; the first instant at which it is not in force any more.
        valid_until: String,
    },
    /// A code the list does not know.
    #[error("the tariff has no coupon `{code}`{}", nearest.as_ref().map(|near| format!(" (did you mean `{near}`?)")).unwrap_or_default())]
    UnknownCoupon {
        /// As given.
        code: String,
        /// The nearest known one.
        nearest: Option<String>,
    },
    /// A price feed that does not fit the tariff.
    #[error("feed `{feed}` is in {found}, and the tariff needs {expected}")]
    FeedUnit {
        /// Its name.
        feed: String,
        /// Its unit.
        found: String,
        /// What the tariff declares.
        expected: String,
    },
}
