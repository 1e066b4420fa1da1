//! Diagnostics for people, with the lines they speak of, and as JSON.

use super::failure::Failure;
use super::layout::wrap;
use super::out::Out;
use crate::setup::Problems;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use serde::Serialize;
use std::ops::Range;
use takst_dsl::ast::Span;
use takst_dsl::compile::SourceFile;
use takst_dsl::diagnostic::{Diagnostic, LineIndex, Severity};

// Columns before the text of a help: `     = help: `.
const HELP_INDENT: usize = 13;

/// A diagnostic as outsiders read it. Lines and columns count from 1; columns count characters.
#[derive(Serialize, Debug)]
pub struct DiagnosticDoc {
    file: String,
    code: &'static str,
    severity: Severity,
    message: String,
    #[serde(flatten)]
    place: Place,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<String>,
    labels: Vec<LabelDoc>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<FixDoc>,
}

#[derive(Serialize, Debug)]
struct Place {
    line: usize,
    column: usize,
    end_line: usize,
    end_column: usize,
}

#[derive(Serialize, Debug)]
struct LabelDoc {
    file: String,
    #[serde(flatten)]
    place: Place,
    text: String,
}

#[derive(Serialize, Debug)]
struct FixDoc {
    #[serde(flatten)]
    place: Place,
    text: String,
}

// Why a set-up cannot be used.
#[derive(Serialize)]
struct Wrong {
    diagnostics: Vec<DiagnosticDoc>,
}

/// Shows what is wrong with a set-up: for programs as the result, for people on standard error.
pub fn of_setup(problems: &Problems, out: &mut Out) -> Result<Failure, Failure> {
    let Problems { sources, diagnostics } = problems;
    if out.json() {
        out.document(&Wrong { diagnostics: json(sources, diagnostics) })?;
    } else {
        let shown = human(sources, diagnostics, out.colour_messages(), out.width());
        out.message(&shown);
    }
    Ok(Failure::Shown)
}

/// The diagnostics of one file as JSON documents.
pub fn json(sources: &[SourceFile], diagnostics: &[Diagnostic]) -> Vec<DiagnosticDoc> {
    let indexes: Vec<LineIndex<'_>> = sources.iter().map(|source| LineIndex::new(&source.text)).collect();
    let place = |source: u32, span: Span| {
        let at = |byte| indexes.get(source as usize).map_or((1, 1), |index| index.line_column(byte));
        let ((line, column), (end_line, end_column)) = (at(span.start), at(span.end.max(span.start)));
        Place { line, column, end_line, end_column }
    };
    let file =
        |source: u32| sources.get(source as usize).map_or_else(String::new, |source| source.name.clone());
    let document = |found: &Diagnostic| {
        let main = found.labels.first().map_or(0, |label| label.source);
        DiagnosticDoc {
            file: file(main),
            code: found.code,
            severity: found.severity,
            message: found.message.clone(),
            place: place(main, found.span()),
            help: found.help.clone(),
            labels: found
                .labels
                .iter()
                .map(|label| LabelDoc {
                    file: file(label.source),
                    place: place(label.source, label.span),
                    text: label.text.clone(),
                })
                .collect(),
            fix: found
                .fix
                .as_ref()
                .map(|(span, text)| FixDoc { place: place(main, *span), text: text.clone() }),
        }
    };
    diagnostics.iter().map(document).collect()
}

/// The diagnostics of one file as text, each followed by an empty line.
pub fn human(sources: &[SourceFile], diagnostics: &[Diagnostic], colour: bool, width: usize) -> String {
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    let renderer = renderer.term_width(width);
    let mut text = String::new();
    for found in diagnostics {
        text.push_str(&renderer.render(&[report(sources, found, width)]));
        text.push_str("\n\n");
    }
    text
}

fn report<'a>(sources: &'a [SourceFile], found: &'a Diagnostic, width: usize) -> Group<'a> {
    let level = match found.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Advice => Level::NOTE.with_name("advice"),
    };
    let mut group = Group::with_title(level.primary_title(&found.message).id(found.code));
    let mut shown: Vec<u32> = Vec::new();
    for label in &found.labels {
        if shown.contains(&label.source) {
            continue;
        }
        shown.push(label.source);
        let Some(source) = sources.get(label.source as usize) else { continue };
        let spans: Vec<Range<usize>> = found
            .labels
            .iter()
            .filter(|l| l.source == label.source)
            .map(|l| clamp(&source.text, l.span))
            .collect();
        let window = window(&source.text, &spans);
        let mut snippet = Snippet::source(window.text).line_start(window.line).path(&source.name);
        for (index, l) in found.labels.iter().enumerate().filter(|(_, l)| l.source == label.source) {
            let kind = if index == 0 { AnnotationKind::Primary } else { AnnotationKind::Context };
            let span = clamp(&source.text, l.span);
            let span = span.start.saturating_sub(window.start)..span.end.saturating_sub(window.start);
            let annotation = kind.span(span);
            snippet =
                snippet.annotation(if l.text.is_empty() { annotation } else { annotation.label(&l.text) });
        }
        group = group.element(snippet);
    }
    // The help says what to write; where there is none the replacement does.
    let help = found.help.clone().or_else(|| found.fix.as_ref().map(|(_, text)| format!("write `{text}`")));
    if let Some(help) = help {
        group = group.element(Level::HELP.message(wrap(&help, width.saturating_sub(HELP_INDENT)).join("\n")));
    }
    group
}

// The nearest stretch that lies inside the text and on character boundaries.
fn clamp(text: &str, span: Span) -> Range<usize> {
    let inside = |byte: u32| {
        let mut byte = usize::try_from(byte).unwrap_or(usize::MAX).min(text.len());
        while !text.is_char_boundary(byte) {
            byte -= 1;
        }
        byte
    };
    let start = inside(span.start);
    start..inside(span.end).max(start)
}

// The lines that the spans touch: a long file is not laid out again for every message.
struct Window<'a> {
    text: &'a str,
    start: usize,
    line: usize,
}

fn window<'a>(text: &'a str, spans: &[Range<usize>]) -> Window<'a> {
    let first = spans.iter().map(|span| span.start).min().unwrap_or(0);
    let last = spans.iter().map(|span| span.end).max().unwrap_or(0);
    let before = text.get(..first).unwrap_or("");
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    let end = text.get(last..).and_then(|rest| rest.find('\n')).map_or(text.len(), |at| last + at);
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    Window { text: text.get(start..end).unwrap_or(""), start, line }
}
