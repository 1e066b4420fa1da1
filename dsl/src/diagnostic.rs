//! What is wrong with a tariff file, as data. How it is shown is decided at the edge.

use crate::ast::Span;
use serde::Serialize;

/// How bad it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The tariff can be used.
    Warning,
    /// It can not.
    Error,
}

/// A place in one of the sources and what is there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Label {
    /// Index into the run's sources (0 = the checked file, then the lists it is based on).
    pub source: u32,
    /// Where.
    pub span: Span,
    /// What is there; may be empty for the main label.
    pub text: String,
}

/// One root cause.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Diagnostic {
    /// Stable, as in `E101`; each has a page in the reference.
    pub code: &'static str,
    /// Error or warning.
    pub severity: Severity,
    /// What is wrong, in the operator's words; lower case, no full stop.
    pub message: String,
    /// Main place first.
    pub labels: Vec<Label>,
    /// What to write.
    pub help: Option<String>,
    /// A replacement that mends it, when there is exactly one: span in labels[0].source and new text.
    pub fix: Option<(Span, String)>,
}
