//! From a file's text to the engine's tariff: reads it and the lists it is based on, checks everything, lowers it.

use crate::ast::{File, Setting, Span, Statement};
use crate::diagnostic::{Diagnostic, LineIndex, Severity};
use crate::lower::{Lowered, lower};
use crate::parse::parse;
use crate::resolve::head::settings;
use crate::resolve::merge::merge;
use crate::resolve::report::{Place, error};
use std::collections::{BTreeMap, HashSet};
use takst_engine::tariff::Tariff;

/// A list may be based on a list that is based on a list ..., so many in all.
pub const MOST_FILES: usize = 16;
/// Most messages of one run; the rest is only counted.
pub const MOST_MESSAGES: usize = 200;

/// A text and the name it goes by.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SourceFile {
    /// Path or file name, for messages; the tariff keeps its last part.
    pub name: String,
    /// The whole text.
    pub text: String,
}

/// A price line and the leaves of the tariff that come from it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CaseInfo {
    /// What it is a line of, as in `energy price`.
    pub of: String,
    /// Index into [`Compiled::sources`].
    pub source: u32,
    /// The line.
    pub span: Span,
    /// Indexes into [`Tariff::leaves`]; VAT lines have several when there are other taxes.
    pub leaves: Vec<u32>,
}

/// What [`compile`] found out.
#[derive(Clone, PartialEq, Debug)]
pub struct Compiled {
    /// The tariff; none when there is an error, or nothing that can price.
    pub tariff: Option<Tariff>,
    /// What is wrong, in the order of the sources.
    pub diagnostics: Vec<Diagnostic>,
    /// The file, then the lists it is based on.
    pub sources: Vec<SourceFile>,
    /// Their syntax trees.
    pub files: Vec<File>,
    /// Some price is `set by each list`: the list is right, but only lists based on it can price.
    pub abstract_list: bool,
    /// Every price line.
    pub cases: Vec<CaseInfo>,
    /// What each price, feed and value counts, by name: as in `EUR/kWh, excluding VAT`. Names that are wrong are left out.
    pub units: BTreeMap<String, String>,
}

/// Compiles `main`. `load` gets the lists it is based on by name, relative to the folder of `main`, or says why it cannot.
pub fn compile(main: SourceFile, load: &mut dyn FnMut(&str) -> Result<SourceFile, String>) -> Compiled {
    let mut diagnostics = Vec::new();
    let chain = read_chain(main, load, &mut diagnostics);
    let unread = unread(&chain.sources, &diagnostics);
    let mut lowered =
        Lowered { tariff: None, abstract_list: false, cases: Vec::new(), units: BTreeMap::new() };
    // Without a base list nothing that is said about it could be judged.
    if chain.whole {
        let mut found = Vec::new();
        let settings = settings(&chain.files, &mut found);
        let items = merge(&chain.files, &mut found);
        lowered = lower(&chain.sources, &chain.files, &settings, &items, &unread, &mut found);
        // The parser gave up somewhere: anything may be missing.
        let cut = diagnostics.iter().any(|known: &Diagnostic| ["E001", "E006", "E007"].contains(&known.code));
        found.retain(|diagnostic| !follows(diagnostic, &unread, &chain.sources, cut));
        diagnostics.append(&mut found);
    }
    let wrong = diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error);
    cut(&mut diagnostics);
    diagnostics.sort_by_key(|diagnostic| diagnostic.labels.first().map(|label| (label.source, label.span)));
    Compiled {
        tariff: lowered.tariff.filter(|_| !wrong),
        diagnostics,
        sources: chain.sources,
        files: chain.files,
        abstract_list: lowered.abstract_list,
        cases: lowered.cases,
        units: lowered.units,
    }
}

/// Keeps as many messages as anybody reads, errors before warnings.
fn cut(diagnostics: &mut Vec<Diagnostic>) {
    if diagnostics.len() <= MOST_MESSAGES {
        return;
    }
    let more = diagnostics.len() - MOST_MESSAGES;
    diagnostics.sort_by_key(|diagnostic| diagnostic.severity == Severity::Warning);
    diagnostics.truncate(MOST_MESSAGES);
    let last = diagnostics
        .iter()
        .filter_map(|diagnostic| diagnostic.labels.first())
        .max_by_key(|label| (label.source, label.span));
    if let Some(last) = last {
        let severity = diagnostics.first().map_or(Severity::Warning, |first| first.severity);
        let at = Place { source: last.source, span: last.span };
        let found = error("E007", at, format!("{more} more messages")).help("mend the ones above first");
        diagnostics.push(Diagnostic { severity, ..found });
    }
}

struct Chain {
    sources: Vec<SourceFile>,
    files: Vec<File>,
    /// All lists could be read.
    whole: bool,
}

fn read_chain(
    main: SourceFile,
    load: &mut dyn FnMut(&str) -> Result<SourceFile, String>,
    out: &mut Vec<Diagnostic>,
) -> Chain {
    // Names relative to the main file's folder, as `load` wants them.
    let mut path = main.name.rsplit(['/', '\\']).next().unwrap_or_default().to_owned();
    let mut seen: Vec<String> = Vec::new();
    let mut chain = Chain { sources: Vec::new(), files: Vec::new(), whole: true };
    let mut next = Some(main);
    while let Some(source) = next.take() {
        let index = u32::try_from(chain.sources.len()).unwrap_or(u32::MAX);
        let parsed = parse(&source.text, index);
        out.extend(parsed.diagnostics);
        let base = base_of(&parsed.file).map(|(name, span)| (name.to_owned(), Place { source: index, span }));
        chain.sources.push(source);
        chain.files.push(parsed.file);
        seen.push(path.clone());
        let Some((name, at)) = base else { break };
        path = beside(&path, &name);
        chain.whole = false;
        if let Some(start) = seen.iter().position(|known| *known == path) {
            let ring: Vec<String> =
                seen.iter().skip(start).chain([&path]).map(|name| format!("`{name}`")).collect();
            let message = format!("lists are based on each other: {}", ring.join(" on "));
            out.push(
                error("E115", at, message).help("one of them must stand on its own, without `based on`"),
            );
        } else if seen.len() >= MOST_FILES {
            out.push(error("E115", at, format!("more than {MOST_FILES} lists are based on one another")));
        } else {
            match load(&path) {
                Ok(source) => {
                    chain.whole = true;
                    next = Some(source);
                }
                Err(why) => out.push(error("E114", at, format!("the list `{name}` cannot be read: {why}"))),
            }
        }
    }
    chain
}

fn base_of(file: &File) -> Option<(&str, Span)> {
    file.statements.iter().find_map(|statement| match &statement.it {
        Statement::Tariff(head) => head.settings.iter().find_map(|setting| match &setting.it {
            Setting::BasedOn(name) => Some((name.it.as_str(), name.span)),
            _ => None,
        }),
        _ => None,
    })
}

/// `name` as seen from the folder of `file`, without `.` and with `..` resolved where possible.
fn beside(file: &str, name: &str) -> String {
    let name = name.replace('\\', "/");
    if name.starts_with('/') {
        return name;
    }
    let folder = file.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    if folder.starts_with('/') {
        parts.insert(0, "");
    }
    for part in name.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| !last.is_empty() && *last != "..") => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// The lines that the parser could not read.
fn unread(sources: &[SourceFile], diagnostics: &[Diagnostic]) -> Vec<Place> {
    let lines: Vec<LineIndex<'_>> = sources.iter().map(|source| LineIndex::new(&source.text)).collect();
    let mut seen = HashSet::new();
    let mut out = Vec::new();
    for diagnostic in diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error) {
        let Some(label) = diagnostic.labels.first() else { continue };
        let index = usize::try_from(label.source).unwrap_or(usize::MAX);
        let (Some(lines), Some(source)) = (lines.get(index), sources.get(index)) else { continue };
        let (number, _) = lines.line_column(label.span.start);
        if !seen.insert((label.source, number)) {
            continue;
        }
        let at = usize::try_from(label.span.start).unwrap_or(usize::MAX).min(source.text.len());
        let before = source.text.get(..at).unwrap_or_default();
        let start = before.rfind(['\n', '\r']).map_or(0, |end| end + 1);
        let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let end = start + lines.line(lines.line_column(label.span.start).0).len();
        out.push(Place { source: label.source, span: Span { start: number(start), end: number(end) } });
    }
    out
}

/// Whether a message is about something that an unread line would have said.
fn follows(diagnostic: &Diagnostic, unread: &[Place], sources: &[SourceFile], cut: bool) -> bool {
    let text = |source: u32, span: Span| {
        let source = sources.get(usize::try_from(source).ok()?)?;
        source.text.get(usize::try_from(span.start).ok()?..usize::try_from(span.end).ok()?)
    };
    let Some(label) = diagnostic.labels.first() else { return false };
    let mut bad = unread.iter().filter_map(|place| text(place.source, place.span));
    let missing = matches!(
        diagnostic.code,
        "E101"
            | "E102"
            | "E103"
            | "E104"
            | "E105"
            | "E106"
            | "E112"
            | "E117"
            | "E301"
            | "E401"
            | "E402"
            | "E405"
            | "E406"
            | "E408"
    );
    if cut && missing {
        return true;
    }
    match diagnostic.code {
        "E101" | "E102" | "E103" | "E104" | "E105" | "E112" | "E117" => {
            let word = text(label.source, label.span).unwrap_or_default();
            bad.any(|line| line.contains(word))
        }
        // A charge whose name is misspelt is no charge.
        "E106" => bad.any(|line| !line.starts_with([' ', '\t'])),
        "E118" | "E401" => !unread.is_empty(),
        "E402" => {
            let key = diagnostic.message.split('`').nth(1).unwrap_or_default();
            let meant = |line: &str| {
                let written = line.split(':').next().unwrap_or_default().trim();
                crate::parse::setting_meant(written) == Some(key)
            };
            bad.any(|line| line.contains(key) || line.contains("tariff") || meant(line))
        }
        "E405" => bad.any(|line| line.contains("VAT") || line.contains("tax")),
        "E406" => bad.any(|line| line.contains("prices")),
        "E408" => bad.any(|line| line.contains("set")),
        "W101" | "W102" => !unread.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::beside;

    #[test]
    fn bases_are_looked_up_beside_the_file_that_names_them() {
        assert_eq!(beside("leaf.tariff", "base.tariff"), "base.tariff");
        assert_eq!(beside("lists/leaf.tariff", "base.tariff"), "lists/base.tariff");
        assert_eq!(beside("lists/leaf.tariff", "../base.tariff"), "base.tariff");
        assert_eq!(beside("leaf.tariff", "../base.tariff"), "../base.tariff");
        assert_eq!(beside("../leaf.tariff", "../base.tariff"), "../../base.tariff");
        assert_eq!(beside("/a/leaf.tariff", "./b.tariff"), "/a/b.tariff");
    }
}
