//! `# L03 is fine here: the reason`: how advice is switched off, for a line or for the file.

use super::advice;
use crate::ast::Span;
use crate::diagnostic::{Diagnostic, LineIndex};
use crate::parse;
use crate::resolve::report::Place;

/// A comment that switches rules off.
struct Off {
    /// With the place of each code.
    codes: Vec<(String, Span)>,
    /// Everywhere, or on this line (from 1) and, for a comment on a line of its own, on the next line with code.
    lines: Option<(usize, usize)>,
}

/// Takes out what a comment calls fine, and says where such a comment has nothing to do.
pub(super) fn switched_off(text: &str, found: &mut Vec<Diagnostic>) {
    let index = LineIndex::new(text);
    let line_of = |one: &Diagnostic| index.line_column(one.span().start).0;
    for off in comments(text, &index) {
        for (code, span) in off.codes {
            let before = found.len();
            found.retain(|one| {
                let here = off.lines.is_none_or(|(first, last)| (first..=last).contains(&line_of(one)));
                !(one.code == code && here)
            });
            if found.len() == before {
                found.push(idle(&code, span));
            }
        }
    }
}

/// L16: a comment says that a rule's advice is fine where the rule has none.
fn idle(code: &str, span: Span) -> Diagnostic {
    let at = Place { source: 0, span };
    let known = super::CODES.iter().any(|(known, _)| *known == code);
    let message = match known {
        true => format!("{code} has nothing to say here"),
        false => format!("there is no advice {code}"),
    };
    advice("L16", at, message).help("take the comment away; it would hide advice that comes up later")
}

fn comments(text: &str, index: &LineIndex<'_>) -> Vec<Off> {
    let read: Vec<_> = parse::lines(text).map(|(start, content)| parse::read_line(content, start)).collect();
    let mut out = Vec::new();
    for (number, line) in read.iter().enumerate() {
        let Some((comment, start)) = line.comment else { continue };
        let Some((codes, everywhere)) = meant(comment) else { continue };
        let at = |from: usize, to: usize| parse::span_of(start, from, to);
        let codes =
            codes.into_iter().map(|(code, from)| (code.clone(), at(from, from + code.len()))).collect();
        let mine = index.line_column(start).0;
        let next = match line.code.is_empty() {
            false => mine,
            true => {
                let ahead = read.iter().skip(number + 1).position(|line| !line.code.is_empty());
                ahead.map_or(mine, |by| mine + by + 1)
            }
        };
        out.push(Off { codes, lines: (!everywhere).then_some((mine, next)) });
    }
    out
}

/// The codes of `# L03, L05 are fine here`, each with where it starts, and whether they are in the whole file.
fn meant(comment: &str) -> Option<(Vec<(String, usize)>, bool)> {
    let says = |words: &str| comment.find(words);
    let (end, everywhere) = [" is fine ", " are fine "].iter().find_map(|words| {
        let at = says(words)?;
        let rest = comment.get(at + words.len()..)?;
        let everywhere = rest.starts_with("in this file");
        (everywhere || rest.starts_with("here")).then_some((at, everywhere))
    })?;
    let list = comment.get(..end)?;
    let mut codes = Vec::new();
    let mut at = 0;
    for word in list.split_inclusive([' ', ',', '#']) {
        let bare = word.trim_end_matches([' ', ',', '#']);
        let digits =
            bare.strip_prefix('L').filter(|rest| rest.len() == 2 && rest.bytes().all(|c| c.is_ascii_digit()));
        if digits.is_some() {
            codes.push((bare.to_owned(), at));
        } else if !bare.is_empty() && bare != "and" {
            return None;
        }
        at += word.len();
    }
    (!codes.is_empty()).then_some((codes, everywhere))
}

#[cfg(test)]
mod tests {
    use super::meant;

    #[test]
    fn a_comment_names_codes_and_a_place() {
        let shown = |comment: &str| {
            meant(comment).map(|(codes, all)| {
                let codes: Vec<String> = codes.into_iter().map(|(code, at)| format!("{code}@{at}")).collect();
                (codes.join(" "), all)
            })
        };
        assert_eq!(shown("# L03 is fine here"), Some(("L03@2".into(), false)));
        assert_eq!(shown("#L03 is fine here: a gift"), Some(("L03@1".into(), false)));
        assert_eq!(
            shown("# L03, L05 and L11 are fine in this file"),
            Some(("L03@2 L05@7 L11@15".into(), true))
        );
        assert_eq!(shown("# L03 is wrong here"), None);
        assert_eq!(shown("# the price is fine here"), None);
        assert_eq!(shown("# L3 is fine here"), None);
    }
}
