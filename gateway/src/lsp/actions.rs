//! What can be done at a place: mending, calling advice fine, a test for a line that has none. And the layout.

use super::workspace::{Open, Workspace};
use std::collections::HashMap;
use takst_dsl::ast::Span;
use takst_dsl::coverage::suggestion;
use takst_dsl::diagnostic::{Diagnostic as Found, Severity};
use takst_dsl::format::format;
use takst_dsl::parse;
use tower_lsp_server::ls_types::{
    CodeAction, CodeActionKind, CodeActionOrCommand, CodeLens, Command, Diagnostic, Position, Range,
    TextEdit, Uri, WorkspaceEdit,
};

/// The command behind a lens: runs the tests of a file and tells what came out.
pub const RUN_TESTS: &str = "takst.runTests";

fn edit(uri: &Uri, edits: Vec<TextEdit>) -> WorkspaceEdit {
    // The protocol's own type of map.
    WorkspaceEdit { changes: Some(HashMap::from([(uri.clone(), edits)])), ..WorkspaceEdit::default() }
}

/// The actions for a range. `shown`: what the editor shows there.
pub fn actions(
    workspace: &Workspace,
    uri: &Uri,
    open: &Open,
    range: Range,
    shown: &[Diagnostic],
) -> Vec<CodeActionOrCommand> {
    let encoding = workspace.encoding;
    let (from, to) = (open.offset(range.start, encoding), open.offset(range.end, encoding));
    let at = |byte: u32| usize::try_from(byte).unwrap_or(usize::MAX);
    let (first, last) = (open.document.line_of(from.min(to)), open.document.line_of(from.max(to)));
    let touched = |span: Span| {
        let line = open.document.line_of(at(span.start));
        let end = open.document.line_of(at(span.end.max(span.start)));
        line <= last && end >= first
    };
    let here =
        |found: &&Found| found.labels.first().is_some_and(|label| label.source == 0) && touched(found.span());
    let mut out = Vec::new();
    for found in open.found().filter(here) {
        let range = open.range(found.span(), encoding);
        let mends: Vec<Diagnostic> = shown
            .iter()
            .filter(|one| one.range == range && one.message.starts_with(&found.message))
            .cloned()
            .collect();
        let action = |title: String, edits: Vec<TextEdit>, preferred: bool| {
            CodeActionOrCommand::CodeAction(CodeAction {
                title,
                kind: Some(CodeActionKind::QUICKFIX),
                diagnostics: (!mends.is_empty()).then(|| mends.clone()),
                edit: Some(edit(uri, edits)),
                is_preferred: Some(preferred),
                ..CodeAction::default()
            })
        };
        if let Some((span, text)) = &found.fix {
            let title = match text.trim() {
                "" => "delete it".to_owned(),
                text => format!("write `{text}`"),
            };
            out.push(action(title, vec![TextEdit::new(open.range(*span, encoding), text.clone())], true));
        }
        if found.severity == Severity::Advice && found.code != "L16" {
            let edits = vec![called_fine(workspace, open, found)];
            out.push(action(format!("{} is fine here", found.code), edits, false));
        }
    }
    out.extend(mend_all(workspace, uri, open));
    out.extend(tests_for(workspace, uri, open, (first, last)));
    out
}

/// `# L03 is fine here`, at the end of the line.
fn called_fine(workspace: &Workspace, open: &Open, found: &Found) -> TextEdit {
    let byte = usize::try_from(found.span().start).unwrap_or(usize::MAX);
    let line = open.document.line_of(byte);
    let content = open.document.line(line);
    let start = open.document.start_of(line);
    let words = format!("# {} is fine here", found.code);
    // A line has one comment: where there is one, the line above says it.
    if parse::has_comment(content) {
        let indent: String = content.chars().take_while(|c| c.is_whitespace()).collect();
        insertion(workspace, open, start, format!("{indent}{words}\n"))
    } else {
        insertion(workspace, open, start + content.trim_end().len(), format!("  {words}"))
    }
}

fn insertion(workspace: &Workspace, open: &Open, byte: usize, text: String) -> TextEdit {
    let byte = u32::try_from(byte).unwrap_or(u32::MAX);
    TextEdit::new(open.range(Span { start: byte, end: byte }, workspace.encoding), text)
}

/// All that has only one way to be mended, at once.
fn mend_all(workspace: &Workspace, uri: &Uri, open: &Open) -> Option<CodeActionOrCommand> {
    let mut fixes: Vec<&(Span, String)> = open
        .found()
        .filter(|found| found.labels.first().is_some_and(|label| label.source == 0))
        .filter_map(|found| found.fix.as_ref())
        .collect();
    fixes.sort_by_key(|(span, _)| *span);
    let mut end = 0;
    fixes.retain(|(span, _)| {
        let free = span.start >= end;
        end = if free { span.end.max(end) } else { end };
        free
    });
    if fixes.is_empty() {
        return None;
    }
    let edits = fixes
        .iter()
        .map(|(span, text)| TextEdit::new(open.range(*span, workspace.encoding), text.clone()))
        .collect();
    Some(CodeActionOrCommand::CodeAction(CodeAction {
        title: "mend all that has only one way to be mended".to_owned(),
        kind: Some(CodeActionKind::SOURCE_FIX_ALL),
        edit: Some(edit(uri, edits)),
        ..CodeAction::default()
    }))
}

/// For a price line that no test reaches, a test that does.
fn tests_for(
    workspace: &Workspace,
    uri: &Uri,
    open: &Open,
    (first, last): (usize, usize),
) -> Vec<CodeActionOrCommand> {
    let Some(known) = open.known() else { return Vec::new() };
    let here = known.covered.iter().filter(|covered| {
        covered.source == 0 && covered.tests.is_empty() && (first + 1..=last + 1).contains(&covered.line)
    });
    here.take(MOST_TESTS)
        .filter_map(|covered| {
            let test = suggestion(&open.compiled, &known.prepared, covered)?;
            let text = open.document.text();
            let gap = if text.ends_with('\n') || text.is_empty() { "\n" } else { "\n\n" };
            let edits = vec![insertion(workspace, open, text.len(), format!("{gap}{test}"))];
            Some(CodeActionOrCommand::CodeAction(CodeAction {
                title: format!("add a test that reaches `{}`", covered.text),
                kind: Some(CodeActionKind::REFACTOR),
                edit: Some(edit(uri, edits)),
                ..CodeAction::default()
            }))
        })
        .collect()
}

/// Tests that are looked for at once.
const MOST_TESTS: usize = 3;

/// The edits that lay a file out: the stretch of lines that changes. None where it cannot be read.
pub fn layout(workspace: &Workspace, open: &Open) -> Option<Vec<TextEdit>> {
    let text = open.document.text();
    let tidy = format(text).ok()?;
    // Ends of lines are the editor's business.
    let tidy = if text.contains("\r\n") { tidy.replace('\n', "\r\n") } else { tidy };
    if tidy == text {
        return Some(Vec::new());
    }
    let old: Vec<&str> = text.split_inclusive('\n').collect();
    let new: Vec<&str> = tidy.split_inclusive('\n').collect();
    let before = old.iter().zip(&new).take_while(|(old, new)| old == new).count();
    let room = old.len().min(new.len()) - before;
    let after = old.iter().rev().zip(new.iter().rev()).take(room).take_while(|(old, new)| old == new).count();
    let bytes =
        |lines: Option<&[&str]>| -> usize { lines.unwrap_or(&[]).iter().map(|line| line.len()).sum() };
    let start = bytes(old.get(..before));
    let end = start + bytes(old.get(before..old.len() - after));
    let by: String = new.get(before..new.len() - after).unwrap_or(&[]).concat();
    let number = |byte: usize| u32::try_from(byte).unwrap_or(u32::MAX);
    let span = Span { start: number(start), end: number(end) };
    Some(vec![TextEdit::new(open.range(span, workspace.encoding), by)])
}

/// A lens over each test with what it came to, and one over the heading with the sum.
pub fn lenses(workspace: &Workspace, uri: &Uri, open: &Open) -> Vec<CodeLens> {
    let Some(known) = open.known() else { return Vec::new() };
    let command = |title: String, name: Option<&str>| Command {
        title,
        command: RUN_TESTS.to_owned(),
        arguments: Some(std::iter::once(uri.as_str()).chain(name).map(Into::into).collect()),
    };
    let lens = |at: Range, command: Command| CodeLens { range: at, command: Some(command), data: None };
    let mut out = Vec::new();
    let passed = known.results.iter().filter(|test| test.passed()).count();
    let reached = known.covered.iter().filter(|covered| !covered.tests.is_empty()).count();
    let heading = Range::new(Position::new(0, 0), Position::new(0, 0));
    let at = open.compiled.files.first().and_then(|file| {
        let is_head = |it: &&takst_dsl::ast::At<takst_dsl::ast::Statement>| {
            matches!(it.it, takst_dsl::ast::Statement::Tariff(_))
        };
        file.statements.iter().find(is_head).map(|head| open.range(head.span, workspace.encoding))
    });
    let all = known.results.len();
    let sum = match all {
        0 => "no tests".to_owned(),
        _ if passed == all => format!("✓ {all} of {all} tests passed"),
        _ => format!("✗ {} of {all} tests failed", all - passed),
    };
    let sum = format!("{sum}, {reached} of {} price lines reached", known.covered.len());
    out.push(lens(at.unwrap_or(heading), command(sum, None)));
    for test in &known.results {
        let title = match test.failures.first() {
            None => "✓ run test: passed".to_owned(),
            Some(failure) => match (&failure.expected, &failure.got) {
                (Some(expected), Some(got)) => format!("✗ run test: expected {expected}, got {got}"),
                _ => format!("✗ run test: {}", failure.message),
            },
        };
        out.push(lens(open.range(test.span, workspace.encoding), command(title, Some(&test.name))));
    }
    out
}
