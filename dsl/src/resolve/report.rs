//! Building diagnostics: where, what, and the nearest known name.

use crate::ast::Span;
use crate::diagnostic::Diagnostic;

/// A stretch of one of the sources.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Place {
    /// Index into the run's sources.
    pub source: u32,
    /// Where in it.
    pub span: Span,
}

/// An error with its main place.
pub(crate) fn error(code: &'static str, at: Place, message: impl Into<String>) -> Diagnostic {
    Diagnostic::error(code, at.source, at.span, message)
}

/// A warning with its main place.
pub(crate) fn warning(code: &'static str, at: Place, message: impl Into<String>) -> Diagnostic {
    Diagnostic::warning(code, at.source, at.span, message)
}

/// Labels by place.
pub(crate) trait Labels {
    /// Says what is at the main place.
    fn says(self, text: impl Into<String>) -> Self;
    /// A further place and what is there.
    fn also(self, at: Place, text: impl Into<String>) -> Self;
}

impl Labels for Diagnostic {
    fn says(mut self, text: impl Into<String>) -> Self {
        if let Some(label) = self.labels.first_mut() {
            label.text = text.into();
        }
        self
    }

    fn also(self, at: Place, text: impl Into<String>) -> Self {
        self.label(at.source, at.span, text)
    }
}

/// After so many messages, unknown names come without the nearest known one.
pub(crate) const MOST_HINTS: usize = 100;

/// The known word that `word` most likely should have been.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = (word.chars().count() / 3).clamp(1, 4);
    let lower: String = word.to_lowercase().chars().take(64).collect();
    known
        .into_iter()
        // A list has tens of names; the bound keeps hostile files cheap.
        .take(700)
        .map(|candidate| {
            let other: String = candidate.to_lowercase().chars().take(64).collect();
            (strsim::damerau_levenshtein(&lower, &other), candidate)
        })
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Tells which names there are; corrects the nearest one in place.
pub(crate) fn suggest<'a>(
    diagnostic: Diagnostic,
    what: &str,
    word: &str,
    span: Span,
    known: impl IntoIterator<Item = &'a str>,
) -> Diagnostic {
    let known: Vec<&str> = known.into_iter().take(701).collect();
    let shown = known.iter().take(12).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let more = if known.len() > 12 { ", ..." } else { "" };
    let list = if known.is_empty() {
        let declared = match what {
            "groups" => "; declare them, as in `groups: members, everyone else guests`",
            "places" => "; declare one, as in `chargers garage: \"SN-1\", \"SN-2\"`",
            "periods" => "; declare one, as in `period night: 22:00-06:00`",
            "values" => "; declare one, as in `value grace: 30 min`",
            _ => "",
        };
        format!("there are no {what}{declared}")
    } else {
        format!("the {what} are {shown}{more}")
    };
    match nearest(word, known.iter().copied()) {
        Some(name) => diagnostic.help(format!("did you mean `{name}`? {list}")).fix(span, name),
        None => diagnostic.help(list),
    }
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn near_means_a_slip_and_not_another_word() {
        assert_eq!(nearest("memebrs", ["guests", "members"]), Some("members"));
        assert_eq!(nearest("staff", ["guests", "members"]), None);
        assert_eq!(nearest("vip", ["VIP"]), Some("VIP"));
    }
}
