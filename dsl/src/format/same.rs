//! Whether two texts say the same: their trees without places, and their comments.

use crate::ast::Span;
use crate::parse::Parsed;
use std::fmt::Debug;

/// The first place in `before` where `after` says something else.
pub fn difference(before: &Parsed, after: &Parsed) -> Option<Span> {
    if !after.diagnostics.is_empty() {
        return Some(before.file.statements.first().map_or(Span::default(), |s| s.span));
    }
    let (old, new) = (&before.file.statements, &after.file.statements);
    if let Some((old, _)) = old.iter().zip(new).find(|(old, new)| without_places(old) != without_places(new))
    {
        return Some(old.span);
    }
    if old.len() != new.len() {
        return Some(old.get(new.len()).or(old.last()).map_or(Span::default(), |s| s.span));
    }
    let (old, new) = (&before.comments, &after.comments);
    if let Some((old, _)) = old.iter().zip(new).find(|(old, new)| old.it != new.it) {
        return Some(old.span);
    }
    (old.len() != new.len()).then(|| old.get(new.len()).or(old.last()).map_or(Span::default(), |c| c.span))
}

/// A node's debug text with the numbers of every `Span { start: 1, end: 2 }` taken out. Texts between quotes stay as
/// they are: debug texts escape quotes, so where a text ends is certain.
pub(crate) fn without_places(node: &impl Debug) -> String {
    let debug = format!("{node:?}");
    let mut kept = String::with_capacity(debug.len());
    let mut rest = debug.as_str();
    while let Some(at) = rest.find(['"', 'S']) {
        let (before, here) = rest.split_at(at);
        kept.push_str(before);
        let len = if here.starts_with('"') { text_len(here) } else { 1 };
        let (word, after) = here.split_at(len);
        if here.starts_with("Span {") {
            kept.push_str("Span");
            rest = here.find('}').and_then(|end| here.get(end..)).unwrap_or("");
        } else {
            kept.push_str(word);
            rest = after;
        }
    }
    kept.push_str(rest);
    kept
}

/// Length of the quoted text at the start of `debug`, quotes included.
fn text_len(debug: &str) -> usize {
    let mut escaped = false;
    for (at, c) in debug.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    debug.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ast::At;

    #[test]
    fn only_places_are_taken_out() {
        let node = |text: &str, start| At { it: text.to_owned(), span: Span { start, end: start + 1 } };
        assert_eq!(without_places(&node("a", 1)), without_places(&node("a", 7)));
        assert_ne!(
            without_places(&node("Span { start: 1 }", 1)),
            without_places(&node("Span { start: 2 }", 1))
        );
        assert_ne!(
            without_places(&node("\\\" Span { start: 1 }", 1)),
            without_places(&node("\\\" Span { start: 2 }", 1))
        );
        assert_ne!(without_places(&node("a", 1)), without_places(&node("b", 1)));
    }
}
