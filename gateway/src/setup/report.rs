//! What is wrong with a set-up, as data: the diagnostics of tariffs, with codes of their own.

use std::fmt;
use takst_dsl::ast::Span;
use takst_dsl::compile::SourceFile;
use takst_dsl::diagnostic::{Diagnostic, LineIndex, Severity};

/// Most messages of one run; the rest is only counted.
const MOST_MESSAGES: usize = 200;
/// Messages kept while a run goes on.
const MOST_KEPT: usize = 10_000;
/// After so many messages names come without the nearest known one, so that a broken set-up of thousands costs little.
const MOST_HINTS: usize = 50;
/// Candidates looked at for the nearest name.
const MOST_CANDIDATES: usize = 20_000;

/// A stretch of one of the sources.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(crate) struct Place {
    pub source: u32,
    pub span: Span,
}

/// Messages with the texts that they point into: all a terminal or an API needs to show them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Problems {
    /// The texts; a label's `source` is an index here.
    pub sources: Vec<SourceFile>,
    /// What is wrong, in the order of the sources.
    pub diagnostics: Vec<Diagnostic>,
}

impl Problems {
    /// Whether there is anything that the set-up cannot be used with.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|found| found.severity == Severity::Error)
    }

    /// Whether there is nothing to say.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.diagnostics.is_empty()
    }

    /// File, line and column (from 1) of a message's main place.
    #[must_use]
    pub fn place(&self, found: &Diagnostic) -> Option<(&str, usize, usize)> {
        let label = found.labels.first()?;
        let source = self.sources.get(usize::try_from(label.source).ok()?)?;
        let (line, column) = LineIndex::new(&source.text).line_column(label.span.start);
        Some((&source.name, line, column))
    }
}

/// One line per message: `takst.toml:12:8: error S030: ...`.
impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, found) in self.diagnostics.iter().enumerate() {
            if nth > 0 {
                writeln!(f)?;
            }
            if let Some((file, line, column)) = self.place(found) {
                write!(f, "{file}:{line}:{column}: ")?;
            }
            let severity = match found.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
                Severity::Advice => "advice",
            };
            write!(f, "{severity} {}: {}", found.code, found.message)?;
            if let Some(help) = &found.help {
                write!(f, " ({help})")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// The messages of a run while it goes on.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub sources: Vec<SourceFile>,
    diagnostics: Vec<Diagnostic>,
    // The one after the last that is kept, and how many there were like it.
    surplus: Option<Diagnostic>,
    dropped: usize,
    has_errors: bool,
    // Of each source: the folder that paths in it are relative to, seen from the set-up's folder.
    folders: Vec<String>,
    hints: usize,
}

impl Report {
    /// Adds a text; its number.
    pub fn source(&mut self, name: String, text: String) -> u32 {
        let number = u32::try_from(self.sources.len()).unwrap_or(u32::MAX);
        self.sources.push(SourceFile { name, text });
        number
    }

    /// Says which folder paths in a text are relative to.
    pub fn stands_in(&mut self, source: u32, folder: &str) {
        let source = usize::try_from(source).unwrap_or_default();
        if self.folders.len() <= source {
            self.folders.resize(source + 1, String::new());
        }
        if let Some(place) = self.folders.get_mut(source) {
            folder.clone_into(place);
        }
    }

    /// Blots out a text of a source, quotes apart: messages show lines of files, and nobody wants his password in a log.
    pub fn hide(&mut self, at: Place) {
        let Some(source) = usize::try_from(at.source).ok().and_then(|source| self.sources.get_mut(source))
        else {
            return;
        };
        let (start, end) = (usize::try_from(at.span.start), usize::try_from(at.span.end));
        let (Ok(start), Ok(end)) = (start, end) else { return };
        let Some(secret) = source.text.get(start..end) else { return };
        // Byte for byte, so that what stands behind it stays where it is.
        let blot: String = secret
            .chars()
            .flat_map(|c| {
                let shown = if matches!(c, '"' | '\'' | '\n' | '\r') { c } else { '*' };
                std::iter::repeat_n(shown, c.len_utf8())
            })
            .collect();
        source.text.replace_range(start..end, &blot);
    }

    /// A path of a text as seen from the set-up's folder.
    pub fn beside(&self, source: u32, path: &str) -> String {
        let folder = usize::try_from(source).ok().and_then(|source| self.folders.get(source));
        super::files::join(folder.map_or("", String::as_str), path)
    }

    /// Adds an error; the message can be added to.
    pub fn error(&mut self, code: &'static str, at: Place, message: impl Into<String>) -> &mut Diagnostic {
        self.push(Diagnostic::error(code, at.source, at.span, message))
    }

    /// Adds a warning.
    pub fn warning(&mut self, code: &'static str, at: Place, message: impl Into<String>) -> &mut Diagnostic {
        self.push(Diagnostic::warning(code, at.source, at.span, message))
    }

    /// Adds a message.
    pub fn push(&mut self, found: Diagnostic) -> &mut Diagnostic {
        self.has_errors |= found.severity == Severity::Error;
        // A file of nothing but mistakes must not fill the memory.
        if self.diagnostics.len() >= MOST_KEPT {
            self.dropped += 1;
            return self.surplus.insert(found);
        }
        let last = self.diagnostics.len();
        self.diagnostics.push(found);
        #[expect(clippy::indexing_slicing, reason = "it was pushed just now")]
        &mut self.diagnostics[last]
    }

    /// Takes over messages that point into texts of their own.
    pub fn embed(&mut self, problems: &Problems) {
        let first = u32::try_from(self.sources.len()).unwrap_or(u32::MAX);
        self.sources.extend(problems.sources.iter().cloned());
        for found in &problems.diagnostics {
            let mut found = found.clone();
            for label in &mut found.labels {
                label.source = label.source.saturating_add(first);
            }
            self.push(found);
        }
    }

    /// The known word nearest to `word`; none when there were very many messages already.
    pub fn nearest<'a>(&mut self, word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
        self.hints += 1;
        if self.hints > MOST_HINTS {
            return None;
        }
        let short: String = word.chars().take(64).collect();
        takst_engine::input::nearest(&short, known.take(MOST_CANDIDATES).filter(|known| known.len() < 256))
    }

    /// Whether something was found that the set-up cannot be used with.
    pub fn has_errors(&self) -> bool {
        self.has_errors
    }

    /// How many errors there are so far.
    pub fn errors(&self) -> usize {
        self.diagnostics.iter().filter(|found| found.severity == Severity::Error).count() + self.dropped
    }

    /// All of it, in the order of the sources.
    pub fn finish(self) -> Problems {
        let Self { sources, mut diagnostics, dropped, .. } = self;
        if diagnostics.len() > MOST_MESSAGES {
            let more = diagnostics.len() - MOST_MESSAGES + dropped;
            diagnostics.sort_by_key(|found| found.severity == Severity::Warning);
            diagnostics.truncate(MOST_MESSAGES);
            if let Some(label) = diagnostics.last().and_then(|last| last.labels.first()) {
                let (source, span) = (label.source, label.span);
                let found = Diagnostic::error("S005", source, span, format!("{more} more messages"));
                let severity = diagnostics.first().map_or(Severity::Error, |first| first.severity);
                diagnostics.push(Diagnostic { severity, ..found.help("mend the ones above first") });
            }
        }
        let place = |found: &Diagnostic| found.labels.first().map(|label| (label.source, label.span));
        diagnostics.sort_by_key(|found| (found.code == "S005", place(found)));
        Problems { sources, diagnostics }
    }
}

/// The same message with more to it.
pub(crate) trait More {
    /// What to write.
    fn advise(&mut self, help: impl Into<String>) -> &mut Self;
    /// Another place, and what stands there.
    fn also(&mut self, at: Place, text: impl Into<String>) -> &mut Self;
}

impl More for Diagnostic {
    fn advise(&mut self, help: impl Into<String>) -> &mut Self {
        self.help = Some(help.into());
        self
    }

    fn also(&mut self, at: Place, text: impl Into<String>) -> &mut Self {
        self.labels.push(takst_dsl::diagnostic::Label {
            source: at.source,
            span: at.span,
            text: text.into(),
        });
        self
    }
}
