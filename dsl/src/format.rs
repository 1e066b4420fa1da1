//! A tariff's text in its canonical layout. What it says and every comment stay; the result is compared before it is given.

mod print;
mod same;

pub(crate) use same::without_places;

use crate::ast::Span;
use crate::diagnostic::{Diagnostic, LineIndex};
use crate::parse::{self, Parsed};
use print::{Body, Row, rows};
use std::fmt::Write as _;
use thiserror::Error;

/// Widest price that its neighbours' conditions are aligned with; a wider one stands out alone.
const WIDEST: usize = 60;

/// Why a text was not formatted.
#[derive(Clone, PartialEq, Debug, Error)]
pub enum FormatError {
    /// The text cannot be read.
    #[error("the text has mistakes")]
    Syntax(Vec<Diagnostic>),
    /// Formatting would have changed what this line (from 1) says, or a comment on it.
    #[error("formatting would change what line {line} says; the text is left as it is")]
    WouldChange {
        /// In the text as it was.
        line: usize,
    },
}

/// The text in its canonical layout; formatting that again changes nothing.
///
/// # Errors
/// The text has mistakes, or (a defect of the formatter) the result would not mean the same.
pub fn format(text: &str) -> Result<String, FormatError> {
    let before = parse::parse(text, 0);
    if !before.diagnostics.is_empty() {
        return Err(FormatError::Syntax(before.diagnostics));
    }
    let changed =
        |span: Span| FormatError::WouldChange { line: LineIndex::new(text).line_column(span.start).0 };
    let items = items(text, &before).map_err(changed)?;
    let formatted = print_items(&layout(&items));
    let after = parse::parse(&formatted, 0);
    match same::difference(&before, &after) {
        Some(span) => Err(changed(span)),
        None => Ok(formatted),
    }
}

/// What a line of the text is.
enum Item<'t> {
    Blank,
    Comment { text: &'t str, indented: bool },
    Code { row: Row, comment: Option<&'t str> },
}

/// A line to be written.
enum Out<'i> {
    Blank,
    Comment { text: &'i str, indented: bool },
    Code { row: &'i Row, comment: Option<&'i str> },
}

/// The lines of the text, its code lines as nodes of the tree. `Err`: a node that is not where it should be.
fn items<'t>(text: &'t str, parsed: &Parsed) -> Result<Vec<Item<'t>>, Span> {
    let mut rows = rows(&parsed.file.statements).into_iter();
    let mut items = Vec::new();
    for (start, content) in parse::lines(text) {
        let line = parse::read_line(content, start);
        let comment = line.comment.map(|(text, _)| text);
        items.push(match (line.code.is_empty(), comment) {
            (true, None) => Item::Blank,
            (true, Some(text)) => Item::Comment { text, indented: !line.at_margin },
            (false, comment) => match rows.next() {
                Some(row) if row.start == line.start && row.head == line.at_margin => {
                    Item::Code { row, comment }
                }
                _ => return Err(line.span()),
            },
        });
    }
    match rows.next() {
        Some(row) => Err(Span { start: row.start, end: row.start }),
        None => Ok(items),
    }
}

/// Which blank lines and indents the lines get.
fn layout<'i>(items: &'i [Item<'_>]) -> Vec<Out<'i>> {
    let mut out = Vec::new();
    let mut rest = items;
    let mut above: Option<&Row> = None;
    loop {
        let next = rest.iter().position(|item| matches!(item, Item::Code { row, .. } if row.head));
        let (gap, block) = rest.split_at(next.unwrap_or(rest.len()));
        let below = match block.first() {
            Some(Item::Code { row, .. }) => Some(row),
            _ => None,
        };
        between(gap, above, below, &mut out);
        if below.is_none() {
            return out;
        }
        let next_head =
            block.iter().skip(1).position(|item| matches!(item, Item::Code { row, .. } if row.head));
        let reach = next_head.map_or(block.len(), |at| at + 1);
        let (statement, _) = block.split_at(reach);
        let end = statement.iter().rposition(|item| matches!(item, Item::Code { .. })).map_or(0, |at| at + 1);
        let (statement, after) = block.split_at(end);
        for item in statement {
            match item {
                Item::Blank => {
                    let first = matches!(out.last(), Some(Out::Code { row, .. }) if row.head);
                    if !first && !matches!(out.last(), Some(Out::Blank)) {
                        out.push(Out::Blank);
                    }
                }
                Item::Comment { text, .. } => out.push(Out::Comment { text, indented: true }),
                Item::Code { row, comment } => out.push(Out::Code { row, comment: *comment }),
            }
        }
        above = below;
        rest = after;
    }
}

/// What stands between two statements: comments that still belong to the one above, then those of the one below.
fn between<'i>(gap: &'i [Item<'_>], above: Option<&Row>, below: Option<&Row>, out: &mut Vec<Out<'i>>) {
    let first_margin = gap
        .iter()
        .position(|item| matches!(item, Item::Comment { indented: false, .. }))
        .unwrap_or(gap.len());
    let (upper, _) = gap.split_at(first_margin);
    let kept = match above {
        Some(_) => upper.iter().rposition(|item| matches!(item, Item::Comment { .. })).map_or(0, |at| at + 1),
        None => 0,
    };
    let (upper, lower) = gap.split_at(kept);
    for item in upper {
        match item {
            Item::Comment { text, .. } => out.push(Out::Comment { text, indented: true }),
            _ if !matches!(out.last(), Some(Out::Blank)) => out.push(Out::Blank),
            _ => {}
        }
    }
    let (Some(above), Some(_)) = (above, below) else {
        // The start or end of the file: no blank line at its edge.
        let first = lower.iter().position(|item| !matches!(item, Item::Blank)).unwrap_or(lower.len());
        let last = lower.iter().rposition(|item| !matches!(item, Item::Blank)).map_or(0, |at| at + 1);
        let from = if above.is_none() { first } else { 0 };
        let to = if below.is_none() { last } else { lower.len() };
        return comments(lower.get(from..to).unwrap_or(&[]), out);
    };
    let together = below.is_some_and(|below| above.alone && below.alone && above.kind == below.kind);
    if !together && !lower.iter().any(|item| matches!(item, Item::Blank)) {
        out.push(Out::Blank);
    }
    comments(lower, out);
}

fn comments<'i>(items: &'i [Item<'_>], out: &mut Vec<Out<'i>>) {
    for item in items {
        match item {
            Item::Comment { text, .. } => out.push(Out::Comment { text, indented: false }),
            _ if !matches!(out.last(), Some(Out::Blank)) => out.push(Out::Blank),
            _ => {}
        }
    }
}

fn print_items(out: &[Out<'_>]) -> String {
    let mut text = String::new();
    let mut at = 0;
    while let Some(line) = out.get(at) {
        let mut wrote = 1;
        match line {
            Out::Blank => text.push('\n'),
            Out::Comment { text: comment, indented } => {
                let _ = writeln!(text, "{}{comment}", if *indented { "  " } else { "" });
            }
            Out::Code { row, .. } => {
                let block = out.get(at..).unwrap_or(&[]);
                wrote = block_len(block, row);
                print_block(block.get(..wrote).unwrap_or(block), &mut text);
            }
        }
        at += wrote;
    }
    text
}

/// How many lines are aligned with each other from here on: a statement's line alone, lines of one kind that stand
/// together, or all indented lines of a statement.
fn block_len(lines: &[Out<'_>], first: &Row) -> usize {
    let fits = |line: &Out<'_>| match line {
        Out::Blank => !first.head,
        Out::Comment { indented, .. } => *indented != first.head,
        Out::Code { row, .. } => row.head == first.head && row.kind == first.kind && (row.alone || !row.head),
    };
    let mut len =
        if first.head && !first.alone { 1 } else { lines.iter().take_while(|line| fits(line)).count() };
    while len > 1 && !matches!(lines.get(len - 1), Some(Out::Code { .. })) {
        len -= 1;
    }
    len.max(1)
}

fn print_block(lines: &[Out<'_>], text: &mut String) {
    let rows = || {
        lines.iter().filter_map(|line| match line {
            Out::Code { row, .. } => Some(*row),
            _ => None,
        })
    };
    let width = rows().filter(|row| row.right.is_some()).map(|row| row.left.chars().count());
    let width = width.filter(|width| *width <= WIDEST).max().unwrap_or(0);
    for line in lines {
        match line {
            Out::Blank => text.push('\n'),
            Out::Comment { text: comment, indented } => {
                let _ = writeln!(text, "{}{comment}", if *indented { "  " } else { "" });
            }
            Out::Code { row, comment } => {
                let indent = if row.head { "" } else { "  " };
                let gap = if matches!(row.body, Body::Case) { "  " } else { " " };
                let _ = match &row.right {
                    Some(right) => write!(text, "{indent}{:width$}{gap}{right}", row.left),
                    None => write!(text, "{indent}{}", row.left),
                };
                if let Some(comment) = comment {
                    let _ = write!(text, "  {comment}");
                }
                text.push('\n');
            }
        }
    }
}
