//! Errors, short to write and honest about what happened.

use crate::{Error, Outcome};

impl Error {
    /// It was not done, and asking again would not help. `code` is a short word that stays the same, `detail` is for people.
    pub fn refused(code: &str, detail: impl Into<String>) -> Self {
        Self::new(Outcome::Refused, code, detail)
    }

    /// It was certainly not done; later it may work.
    pub fn not_done(code: &str, detail: impl Into<String>) -> Self {
        Self::new(Outcome::NotDone, code, detail)
    }

    /// It may have been done: the gateway asks with `lookup` before anything else.
    pub fn unknown(code: &str, detail: impl Into<String>) -> Self {
        Self::new(Outcome::Unknown, code, detail)
    }

    /// What the plugin cannot do at all.
    pub fn unsupported(what: &str) -> Self {
        Self::refused("unsupported", format!("this plugin does not {what}"))
    }

    /// The same, not before so many seconds.
    #[must_use]
    pub fn after(mut self, seconds: Option<u32>) -> Self {
        self.retry_after = seconds;
        self
    }

    fn new(outcome: Outcome, code: &str, detail: impl Into<String>) -> Self {
        Self { code: code.to_owned(), outcome, detail: detail.into(), retry_after: None }
    }
}
