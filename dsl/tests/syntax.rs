//! What the language takes, what it refuses and how it says so.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "a test may stop")]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use takst_dsl::diagnostic::{Diagnostic, LineIndex};
use takst_dsl::parse::{CODES, parse};

/// One file per topic. Below a bad line stand the messages that it must give, as lines that start with `#!`:
/// the code, the columns (first to last character, from 1), the message; then the help and the replacement.
/// `UPDATE=1 cargo test` writes them anew.
const TOPICS: &[&str] =
    &["characters", "conditions", "layout", "numbers", "statements", "tests", "times", "units"];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/files")
}

fn without_notes(text: &str) -> String {
    text.split_inclusive('\n').filter(|line| !line.starts_with("#!")).collect()
}

fn with_notes(text: &str) -> String {
    let found = parse(text, 0).diagnostics;
    let index = LineIndex::new(text);
    let mut out = String::new();
    for (nth, line) in text.split_inclusive('\n').enumerate() {
        out.push_str(line);
        for one in found.iter().filter(|one| index.line_column(one.span().start).0 == nth + 1) {
            note(&index, one, &mut out);
        }
    }
    out
}

fn columns(index: &LineIndex<'_>, span: takst_dsl::ast::Span) -> String {
    let (_, first) = index.line_column(span.start);
    let (_, end) = index.line_column(span.end);
    if end > first { format!("{first}-{}", end - 1) } else { format!("{first}") }
}

fn note(index: &LineIndex<'_>, one: &Diagnostic, out: &mut String) {
    writeln!(out, "#! {} {} {}", one.code, columns(index, one.span()), one.message).unwrap();
    if let Some(help) = &one.help {
        writeln!(out, "#!      help: {help}").unwrap();
    }
    if let Some((span, text)) = &one.fix {
        writeln!(out, "#!      fix {}: {text:?}", columns(index, *span)).unwrap();
    }
}

#[test]
fn every_mistake_gives_its_message() {
    for topic in TOPICS {
        let path = folder().join(format!("{topic}.tariff"));
        let written = std::fs::read_to_string(&path).unwrap();
        let expected = with_notes(&without_notes(&written));
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&path, expected).unwrap();
        } else if written != expected {
            let line = written.lines().zip(expected.lines()).position(|(a, b)| a != b);
            let at = line.unwrap_or_else(|| written.lines().count().min(expected.lines().count()));
            let show = |text: &str| text.lines().skip(at.saturating_sub(1)).take(4).collect::<Vec<_>>().join("\n");
            panic!("{topic}, line {}:\n--- in the file\n{}\n--- now\n{}", at + 1, show(&written), show(&expected));
        }
    }
}

#[test]
fn no_file_is_forgotten() {
    let files: BTreeSet<String> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    assert_eq!(files, TOPICS.iter().map(|topic| (*topic).to_owned()).collect());
}
