//! What is wrong with a tariff file, as data. How it is shown is decided at the edge.

use crate::ast::Span;
use serde::Serialize;

/// How bad it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Nothing is wrong; a careful colleague would ask.
    Advice,
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
    /// A replacement that mends it, when there is exactly one: span in the main label's source, and new text.
    pub fix: Option<(Span, String)>,
}

impl Diagnostic {
    /// An error with its main place.
    #[must_use]
    pub fn error(code: &'static str, source: u32, span: Span, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: Severity::Error,
            message: message.into(),
            labels: vec![Label { source, span, text: String::new() }],
            help: None,
            fix: None,
        }
    }

    /// A warning with its main place.
    #[must_use]
    pub fn warning(code: &'static str, source: u32, span: Span, message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, source, span, message) }
    }

    /// The same, with a hint that says what to write.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The same, with a second place and what is there.
    #[must_use]
    pub fn label(mut self, source: u32, span: Span, text: impl Into<String>) -> Self {
        self.labels.push(Label { source, span, text: text.into() });
        self
    }

    /// The same, with the one replacement that mends it.
    #[must_use]
    pub fn fix(mut self, span: Span, text: impl Into<String>) -> Self {
        self.fix = Some((span, text.into()));
        self
    }

    /// The main place; the start of the file where there is none.
    #[must_use]
    pub fn span(&self) -> Span {
        self.labels.first().map_or(Span::default(), |label| label.span)
    }
}

/// Where the lines of a text start: turns byte offsets into lines and columns for people.
#[derive(Clone, Debug)]
pub struct LineIndex<'t> {
    text: &'t str,
    starts: Vec<usize>,
}

impl<'t> LineIndex<'t> {
    /// Reads where the lines of `text` start (after `\n`, `\r\n` or a lone `\r`).
    #[must_use]
    pub fn new(text: &'t str) -> Self {
        let bytes = text.as_bytes();
        let starts = std::iter::once(0)
            .chain(bytes.iter().enumerate().filter_map(|(at, byte)| match byte {
                b'\n' => Some(at + 1),
                b'\r' if bytes.get(at + 1) != Some(&b'\n') => Some(at + 1),
                _ => None,
            }))
            .collect();
        Self { text, starts }
    }

    /// Line and column of a byte, both from 1; columns count characters. Beyond the end: the end.
    #[must_use]
    pub fn line_column(&self, byte: u32) -> (usize, usize) {
        let byte = usize::try_from(byte).unwrap_or(usize::MAX).min(self.text.len());
        let line = self.starts.partition_point(|&start| start <= byte);
        let start = self.starts.get(line.saturating_sub(1)).copied().unwrap_or(0);
        let column = self
            .text
            .get(start..)
            .unwrap_or("")
            .char_indices()
            .take_while(|(at, _)| start + at < byte)
            .count();
        (line, column + 1)
    }

    /// The text of a line (from 1), without its line end. Empty beyond the last.
    #[must_use]
    pub fn line(&self, line: usize) -> &'t str {
        let start =
            line.checked_sub(1).and_then(|at| self.starts.get(at)).copied().unwrap_or(self.text.len());
        let end = self.starts.get(line).copied().unwrap_or(self.text.len());
        self.text.get(start..end).unwrap_or("").trim_end_matches(['\n', '\r'])
    }

    /// How many lines there are; an empty text has one.
    #[must_use]
    pub fn lines(&self) -> usize {
        self.starts.len()
    }
}
