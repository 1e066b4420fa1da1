//! A name gets another one, in all files that know it. What comes out is checked before it is given.

use super::convert::range;
use super::workspace::{Open, Workspace};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use takst_dsl::ast::Span;
use takst_dsl::compile::Compiled;
use takst_dsl::diagnostic::Severity;
use takst_dsl::editor::{Document, Mention, Sort, mention_at, mentions};
use tower_lsp_server::ls_types::{TextEdit, Uri, WorkspaceEdit};

/// The name at a byte, if it can be another one: charges have the words of the language, and `spot` comes from outside.
pub fn renamable(open: &Open, byte: usize) -> Result<Mention, String> {
    let file = open.compiled.files.first().ok_or("there is nothing here")?;
    let all = mentions(file);
    let found = mention_at(&all, byte).ok_or("there is no name here")?;
    match found.sort {
        Sort::Charge => Err(format!("`{}` is a word of the language", found.name)),
        Sort::Named if found.name == "spot" => {
            Err("`spot` is the spot price: it comes from outside".to_owned())
        }
        _ => Ok(found.clone()),
    }
}

/// A list and what it is based on, as it is now.
struct List {
    path: Option<PathBuf>,
    compiled: Compiled,
}

/// The edits that give the name at a byte another one.
///
/// # Errors
/// Why that cannot be: there is no name, or the lists would not be right any more.
pub fn rename(
    workspace: &Workspace,
    uri: &Uri,
    open: &Open,
    byte: usize,
    by: &str,
) -> Result<WorkspaceEdit, String> {
    let asked = renamable(open, byte)?;
    let quoted = matches!(asked.sort, Sort::Coupon | Sort::Tax);
    if by.trim().is_empty() || by.contains(['"', '\n', '\r']) || (!quoted && by.contains(char::is_whitespace))
    {
        return Err(format!("`{by}` cannot be a name"));
    }
    let lists = lists(workspace, uri, open, &asked);
    // Spans by source text; the file in question has no path where it is not saved.
    let mut spans: BTreeMap<Option<PathBuf>, BTreeSet<Span>> = BTreeMap::new();
    let mut texts: BTreeMap<Option<PathBuf>, String> = BTreeMap::new();
    for list in &lists {
        for (at, (source, file)) in list.compiled.sources.iter().zip(&list.compiled.files).enumerate() {
            let path = if at == 0 { list.path.clone() } else { Some(PathBuf::from(&source.name)) };
            let found =
                mentions(file).into_iter().filter(|it| it.sort == asked.sort && it.name == asked.name);
            spans.entry(path.clone()).or_default().extend(found.map(|it| it.span));
            texts.insert(path, source.text.clone());
        }
    }
    let changed: BTreeMap<Option<PathBuf>, String> =
        texts.iter().map(|(path, text)| (path.clone(), applied(text, spans.get(path), by))).collect();
    for list in &lists {
        proved(list, &changed, &asked, by)?;
    }
    let mut changes = std::collections::HashMap::new();
    for (path, spans) in &spans {
        let address = match path {
            Some(path) => workspace.uri(path),
            None => Some(uri.clone()),
        };
        let (Some(address), Some(text)) = (address, texts.get(path)) else { continue };
        let document = Document::new(text.clone());
        let edits: Vec<TextEdit> = spans
            .iter()
            .map(|span| TextEdit::new(range(&document, *span, workspace.encoding), by.to_owned()))
            .collect();
        if !edits.is_empty() {
            changes.insert(address, edits);
        }
    }
    Ok(WorkspaceEdit { changes: Some(changes), ..WorkspaceEdit::default() })
}

/// The file itself, and all others that share the declaration.
fn lists(workspace: &Workspace, uri: &Uri, open: &Open, asked: &Mention) -> Vec<List> {
    let (compiled, _) =
        workspace.compile(open.path.as_deref(), uri.as_str(), open.document.text().to_owned());
    let own = List { path: open.path.clone(), compiled };
    // Where the name is declared: the file itself or one of its bases.
    let declared: BTreeSet<PathBuf> = own
        .compiled
        .sources
        .iter()
        .zip(&own.compiled.files)
        .enumerate()
        .filter(|(_, (_, file))| mentions(file).iter().any(|it| it.declares && it.is(asked)))
        .filter_map(
            |(at, (source, _))| if at == 0 { own.path.clone() } else { Some(PathBuf::from(&source.name)) },
        )
        .collect();
    let mut lists = vec![own];
    if !declared.is_empty() {
        for path in workspace.files_around(open.path.as_deref()) {
            if Some(&path) == open.path.as_ref() {
                continue;
            }
            let Ok(text) = workspace.text(&path) else { continue };
            // A base list alone is renamed with those that stand on it.
            if !text.contains("based on") && !declared.contains(&path) {
                continue;
            }
            let (compiled, bases) = workspace.compile(Some(&path), "", text);
            let shares = declared.contains(&path) || bases.iter().any(|base| declared.contains(base));
            if shares {
                lists.push(List { path: Some(path), compiled });
            }
        }
    }
    lists
}

fn applied(text: &str, spans: Option<&BTreeSet<Span>>, by: &str) -> String {
    let mut out = text.to_owned();
    for span in spans.into_iter().flatten().rev() {
        let at = |byte: u32| usize::try_from(byte).unwrap_or(usize::MAX);
        if out.get(at(span.start)..at(span.end)).is_some() {
            out.replace_range(at(span.start)..at(span.end), by);
        }
    }
    out
}

/// That a list is as right with the new name as it was with the old one.
fn proved(
    list: &List,
    changed: &BTreeMap<Option<PathBuf>, String>,
    asked: &Mention,
    by: &str,
) -> Result<(), String> {
    let Some(text) = changed.get(&list.path) else { return Ok(()) };
    let name = list.compiled.sources.first().map(|source| source.name.clone()).unwrap_or_default();
    let main = takst_dsl::SourceFile { name, text: text.clone() };
    let mut bases = list.compiled.sources.iter().skip(1);
    let after = takst_dsl::compile(main, &mut |base| {
        // The same files in the same order: renaming changes no `based on`.
        let source = bases.next().ok_or_else(|| format!("`{base}` is missing"))?;
        let path = Some(PathBuf::from(&source.name));
        let text = changed.get(&path).unwrap_or(&source.text).clone();
        Ok(takst_dsl::SourceFile { name: source.name.clone(), text })
    });
    let errors = |compiled: &Compiled| -> Vec<(&'static str, String)> {
        let wrong = compiled.diagnostics.iter().filter(|found| found.severity == Severity::Error);
        wrong.map(|found| (found.code, found.message.clone())).collect()
    };
    let before = errors(&list.compiled).len();
    let wrong = errors(&after);
    match wrong.first() {
        Some((code, message)) if wrong.len() > before => {
            Err(format!("`{}` cannot become `{by}`: {code}: {message}", asked.name))
        }
        _ => Ok(()),
    }
}
