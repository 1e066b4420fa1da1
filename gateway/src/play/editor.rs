//! The tariff's text with what is wrong underlined, and the messages below it.

use maud::{Markup, html};
use takst_dsl::ast::Span;
use takst_dsl::compile::SourceFile;
use takst_dsl::diagnostic::{Diagnostic, LineIndex, Severity};

/// Messages that are shown.
const MOST_SHOWN: usize = 50;

fn class(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Advice => "advice",
    }
}

// The byte, inside the text and on the border of a character.
fn border(text: &str, byte: u32) -> usize {
    let mut byte = usize::try_from(byte).unwrap_or(usize::MAX).min(text.len());
    while !text.is_char_boundary(byte) {
        byte -= 1;
    }
    byte
}

// Scripts count in halves of UTF-16.
fn utf16(text: &str, byte: u32) -> usize {
    text.get(..border(text, byte)).unwrap_or_default().encode_utf16().count()
}

/// Every line of the text, with its numbers beside it: the same text lies above, so only marks show.
pub(super) fn lines(text: &str, found: &[Diagnostic]) -> Markup {
    let mut spans: Vec<(usize, usize, Severity)> = found
        .iter()
        .filter_map(|found| {
            found.labels.first().filter(|label| label.source == 0).map(|label| (label.span, found.severity))
        })
        .map(|(Span { start, end }, severity)| (border(text, start), border(text, end), severity))
        .collect();
    spans.sort_by_key(|(start, end, severity)| (*start, std::cmp::Reverse(*severity), *end));
    let mut at = 0;
    let lines = text.split('\n').map(|line| {
        let (start, end) = (at, at + line.len());
        at = end + 1;
        (start, end)
    });
    html! {
        @for (number, (start, end)) in lines.enumerate() {
            div.l data-line=(number + 1) {
                @for piece in pieces(text, start, end, &spans) {
                    @match piece {
                        Piece::Plain(text) => (text),
                        Piece::Marked(text, severity) => mark class=(class(severity)) { (text) },
                    }
                }
                "\n"
            }
        }
    }
}

enum Piece<'t> {
    Plain(&'t str),
    Marked(&'t str, Severity),
}

// A line cut at what is marked in it. A mark of nothing, as at the end of a line, is as wide as a space.
fn pieces<'t>(text: &'t str, start: usize, end: usize, spans: &[(usize, usize, Severity)]) -> Vec<Piece<'t>> {
    let mut pieces = Vec::new();
    let mut at = start;
    let touching = spans.iter().filter(|(from, to, _)| *from <= end && (*to > start || *from >= start));
    for (from, to, severity) in touching {
        let (from, to) = ((*from).max(at), (*to).min(end));
        if to < from {
            continue;
        }
        pieces.push(Piece::Plain(text.get(at..from).unwrap_or_default()));
        let marked = text.get(from..to).unwrap_or_default();
        if !marked.is_empty() {
            pieces.push(Piece::Marked(marked, *severity));
        } else if from == end {
            pieces.push(Piece::Marked(" ", *severity));
        }
        at = to;
    }
    pieces.push(Piece::Plain(text.get(at..end).unwrap_or_default()));
    pieces
}

/// What is wrong: where, what, and what to write.
pub(super) fn messages(sources: &[SourceFile], found: &[Diagnostic]) -> Markup {
    let indexes: Vec<LineIndex<'_>> = sources.iter().map(|source| LineIndex::new(&source.text)).collect();
    let text = sources.first().map_or("", |source| source.text.as_str());
    let place = |source: u32, span: Span| {
        let index = usize::try_from(source).unwrap_or(usize::MAX);
        let (line, column) = indexes.get(index).map_or((1, 1), |index| index.line_column(span.start));
        match sources.get(index).filter(|_| source != 0) {
            Some(other) => format!("{}:{line}:{column}", file_name(&other.name)),
            None => format!("line {line}, column {column}"),
        }
    };
    html! {
        @for found in found.iter().take(MOST_SHOWN) {
            @let main = found.labels.first();
            @let (source, span) = main.map_or((0, Span::default()), |label| (label.source, label.span));
            li class=(class(found.severity)) {
                p {
                    @if source == 0 {
                        button.place type="button" data-go=(utf16(text, span.start)) data-end=(utf16(text, span.end)) { (place(source, span)) }
                    } @else {
                        span.place { (place(source, span)) }
                    }
                    " " strong { (found.message) }
                    @if let Some(text) = main.map(|label| label.text.as_str()).filter(|text| !text.is_empty()) { ": " (text) }
                    " " code { (found.code) }
                }
                @for label in found.labels.iter().skip(1) { p.also { (place(label.source, label.span)) ": " (label.text) } }
                @if let Some(help) = &found.help { p.help { "help: " (help) } }
                @if let Some((span, new)) = found.fix.as_ref().filter(|_| source == 0) {
                    button.fix type="button" data-from=(utf16(text, span.start)) data-to=(utf16(text, span.end)) data-text=(new) {
                        @if new.is_empty() { "take it out" } @else { "write " code { (new) } }
                    }
                }
            }
        }
        @if found.len() > MOST_SHOWN { li { "and " (found.len() - MOST_SHOWN) " more" } }
    }
}

/// The last part of a path.
pub(super) fn file_name(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marked(text: &str, spans: &[(u32, u32)]) -> String {
        let found: Vec<Diagnostic> = spans
            .iter()
            .map(|(start, end)| Diagnostic::error("E001", 0, Span { start: *start, end: *end }, "wrong"))
            .collect();
        lines(text, &found)
            .into_string()
            .replace(" data-line", "")
            .replace(" class=\"l\"", "")
            .replace(" class=\"error\"", "")
    }

    #[test]
    fn marks_stand_where_they_belong() {
        assert_eq!(
            marked("abc\ndef", &[(1, 2)]),
            "<div=\"1\">a<mark>b</mark>c\n</div><div=\"2\">def\n</div>"
        );
        assert_eq!(
            marked("ab\ncd", &[(1, 4)]),
            "<div=\"1\">a<mark>b</mark>\n</div><div=\"2\"><mark>c</mark>d\n</div>"
        );
        assert_eq!(marked("ab", &[(2, 2)]), "<div=\"1\">ab<mark> </mark>\n</div>");
        assert_eq!(marked("abcd", &[(0, 3), (1, 2)]), "<div=\"1\"><mark>abc</mark>d\n</div>");
        assert_eq!(marked("å<", &[(1, 9)]), "<div=\"1\"><mark>å&lt;</mark>\n</div>");
        assert_eq!(marked("", &[]), "<div=\"1\">\n</div>");
    }

    #[test]
    fn scripts_are_told_places_in_their_own_units() {
        assert_eq!(utf16("a🚗b", 5), 3);
        assert_eq!(utf16("åb", 99), 2);
    }
}
