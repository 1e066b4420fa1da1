//! What the language says, in the words of the protocol.

use super::workspace::{Open, Workspace};
use std::path::Path;
use takst_dsl::ast::Span;
use takst_dsl::diagnostic::{Diagnostic as Found, Severity};
use takst_dsl::editor::{
    Document, Encoding, Found as Place, Item, ItemKind, MODIFIERS, Symbol, SymbolKind as Kind, TOKEN_TYPES,
    symbols, tokens,
};
use tower_lsp_server::ls_types::{
    CompletionItem, CompletionItemKind, CompletionTextEdit, Diagnostic, DiagnosticRelatedInformation,
    DiagnosticSeverity, DiagnosticTag, DocumentSymbol, Location, NumberOrString, Position, Range,
    SemanticToken, SemanticTokenModifier, SemanticTokenType, SemanticTokensLegend, SymbolKind, TextEdit, Uri,
};

/// Who says so, in the editor's list of problems.
const SOURCE: &str = "takst";

/// A span of a text as a range.
pub fn range(document: &Document, span: Span, encoding: Encoding) -> Range {
    let ((line, character), (end_line, end_character)) = document.range(span, encoding);
    Range::new(Position::new(line, character), Position::new(end_line, end_character))
}

/// All that is to be shown of a file: what is wrong, advice, and the tests that failed when they were run last.
pub fn problems(workspace: &Workspace, uri: &Uri, open: &Open) -> Vec<Diagnostic> {
    let mut out: Vec<Diagnostic> = Vec::new();
    let mut elsewhere: Vec<(&Found, u32)> = Vec::new();
    for found in open.found() {
        match found.labels.first().map_or(0, |label| label.source) {
            0 => out.push(problem(workspace, uri, open, found)),
            other if found.severity == Severity::Error => elsewhere.push((found, other)),
            _ => {}
        }
    }
    out.extend(in_bases(workspace, open, &elsewhere));
    for failure in open.known().iter().flat_map(|known| &known.results).flat_map(|test| &test.failures) {
        let amounts = match (&failure.expected, &failure.got) {
            (Some(expected), Some(got)) => format!(": expected {expected}, got {got}"),
            _ => String::new(),
        };
        out.push(Diagnostic {
            range: open.range(failure.span, workspace.encoding),
            severity: Some(DiagnosticSeverity::ERROR),
            source: Some("takst test".to_owned()),
            message: format!("{}{amounts}", failure.message),
            ..Diagnostic::default()
        });
    }
    out
}

fn problem(workspace: &Workspace, uri: &Uri, open: &Open, found: &Found) -> Diagnostic {
    let severity = match found.severity {
        Severity::Error => DiagnosticSeverity::ERROR,
        Severity::Warning => DiagnosticSeverity::WARNING,
        Severity::Advice => DiagnosticSeverity::HINT,
    };
    let help = found.help.clone().or_else(|| found.fix.as_ref().map(|(_, text)| format!("write `{text}`")));
    let related: Vec<DiagnosticRelatedInformation> = found
        .labels
        .iter()
        .skip(1)
        .filter_map(|label| {
            let location = location(workspace, uri, open, label.source, label.span)?;
            let text = if label.text.is_empty() { "here" } else { &label.text };
            Some(DiagnosticRelatedInformation { location, message: text.to_owned() })
        })
        .collect();
    // What has no effect is shown faint.
    let faint = matches!(found.code, "W101" | "E302" | "L10" | "L15" | "L16");
    Diagnostic {
        range: open.range(found.span(), workspace.encoding),
        severity: Some(severity),
        code: Some(NumberOrString::String(found.code.to_owned())),
        source: Some(SOURCE.to_owned()),
        message: help.map_or_else(|| found.message.clone(), |help| format!("{}\n{help}", found.message)),
        related_information: (!related.is_empty()).then_some(related),
        tags: faint.then(|| vec![DiagnosticTag::UNNECESSARY]),
        ..Diagnostic::default()
    }
}

/// Errors in lists that this one is based on: one message, where the base is named.
fn in_bases(workspace: &Workspace, open: &Open, elsewhere: &[(&Found, u32)]) -> Option<Diagnostic> {
    let (first, source) = elsewhere.first()?;
    let name = open.compiled.sources.get(usize::try_from(*source).ok()?)?;
    let document = Document::new(name.text.clone());
    let names_base = |line: &usize| open.document.line(*line).trim_start().starts_with("based on");
    let line = (0..open.document.lines()).find(names_base).unwrap_or(0);
    let byte = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    let start = open.document.start_of(line);
    let whole = Span { start: byte(start), end: byte(start + open.document.line(line).len()) };
    let related = workspace.uri(Path::new(&name.name)).map(|uri| {
        vec![DiagnosticRelatedInformation {
            location: Location::new(uri, range(&document, first.span(), workspace.encoding)),
            message: first.message.clone(),
        }]
    });
    let file = Path::new(&name.name)
        .file_name()
        .map_or_else(|| name.name.clone(), |it| it.to_string_lossy().into_owned());
    let more = match elsewhere.len() {
        1 => String::new(),
        more => format!(" and {} more", more - 1),
    };
    Some(Diagnostic {
        range: open.range(whole, workspace.encoding),
        severity: Some(DiagnosticSeverity::ERROR),
        code: Some(NumberOrString::String(first.code.to_owned())),
        source: Some(SOURCE.to_owned()),
        message: format!("the list `{file}` has errors: {}{more}", first.message),
        related_information: related,
        ..Diagnostic::default()
    })
}

/// A place in one of the sources of an open file.
pub fn location(workspace: &Workspace, uri: &Uri, open: &Open, source: u32, span: Span) -> Option<Location> {
    if source == 0 {
        return Some(Location::new(uri.clone(), open.range(span, workspace.encoding)));
    }
    let found = open.compiled.sources.get(usize::try_from(source).ok()?)?;
    let uri = workspace.uri(Path::new(&found.name))?;
    Some(Location::new(uri, range(&Document::new(found.text.clone()), span, workspace.encoding)))
}

/// The same for what the language's own functions find.
pub fn place(workspace: &Workspace, uri: &Uri, open: &Open, place: Place) -> Option<Location> {
    location(workspace, uri, open, u32::try_from(place.source).ok()?, place.span)
}

/// A completion.
pub fn completion(open: &Open, item: &Item, encoding: Encoding) -> CompletionItem {
    let kind = match item.kind {
        ItemKind::Keyword | ItemKind::Statement => CompletionItemKind::KEYWORD,
        ItemKind::Setting => CompletionItemKind::PROPERTY,
        ItemKind::Group => CompletionItemKind::ENUM_MEMBER,
        ItemKind::Place => CompletionItemKind::MODULE,
        ItemKind::Period => CompletionItemKind::EVENT,
        ItemKind::Price => CompletionItemKind::VARIABLE,
        ItemKind::Charge => CompletionItemKind::FUNCTION,
        ItemKind::Unit => CompletionItemKind::UNIT,
        ItemKind::Value => CompletionItemKind::VALUE,
        ItemKind::File => CompletionItemKind::FILE,
    };
    // Names of the list first, then units, then words of the language.
    let rank = match item.kind {
        ItemKind::Group | ItemKind::Place | ItemKind::Period | ItemKind::Price | ItemKind::File => 0,
        ItemKind::Unit | ItemKind::Charge | ItemKind::Value => 1,
        ItemKind::Keyword | ItemKind::Statement | ItemKind::Setting => 2,
    };
    CompletionItem {
        label: item.label.clone(),
        kind: Some(kind),
        detail: (!item.detail.is_empty()).then(|| item.detail.clone()),
        sort_text: Some(format!("{rank}{}", item.label)),
        filter_text: Some(item.label.clone()),
        text_edit: Some(CompletionTextEdit::Edit(TextEdit::new(
            open.range(item.replace, encoding),
            item.label.clone(),
        ))),
        ..CompletionItem::default()
    }
}

/// What the file consists of.
pub fn outline(open: &Open, encoding: Encoding) -> Vec<DocumentSymbol> {
    let Some(file) = open.compiled.files.first() else { return Vec::new() };
    symbols(file, &open.document).into_iter().map(|found| symbol(open, found, encoding)).collect()
}

fn symbol(open: &Open, found: Symbol, encoding: Encoding) -> DocumentSymbol {
    let kind = match found.kind {
        Kind::Heading => SymbolKind::FILE,
        Kind::Tax => SymbolKind::NUMBER,
        Kind::Groups => SymbolKind::ENUM,
        Kind::Place => SymbolKind::MODULE,
        Kind::Period => SymbolKind::EVENT,
        Kind::Feed | Kind::Price => SymbolKind::VARIABLE,
        Kind::Charge => SymbolKind::FUNCTION,
        Kind::Rebate => SymbolKind::KEY,
        Kind::Removed => SymbolKind::NULL,
        Kind::Test => SymbolKind::METHOD,
    };
    #[expect(
        deprecated,
        reason = "the protocol's type has a field that it calls deprecated, and no other way to be made"
    )]
    DocumentSymbol {
        name: found.name,
        detail: found.detail,
        kind,
        tags: None,
        deprecated: None,
        range: open.range(found.whole, encoding),
        selection_range: open.range(found.name_at, encoding),
        children: None,
    }
}

/// What the numbers of tokens mean.
pub fn legend() -> SemanticTokensLegend {
    SemanticTokensLegend {
        token_types: TOKEN_TYPES.iter().map(|name| SemanticTokenType::new(name)).collect(),
        token_modifiers: MODIFIERS.iter().map(|name| SemanticTokenModifier::new(name)).collect(),
    }
}

/// The tokens of a file, each relative to the one before.
pub fn semantic_tokens(open: &Open, encoding: Encoding) -> Vec<SemanticToken> {
    let Some(file) = open.compiled.files.first() else { return Vec::new() };
    let (mut line, mut start) = (0, 0);
    let mut out = Vec::new();
    for token in tokens(open.document.text(), file) {
        let at = open.range(token.span, encoding).start;
        let delta_line = at.line.saturating_sub(line);
        let delta_start = if delta_line == 0 { at.character.saturating_sub(start) } else { at.character };
        out.push(SemanticToken {
            delta_line,
            delta_start,
            length: open.document.width(token.span, encoding),
            token_type: token.kind,
            token_modifiers_bitset: token.modifiers,
        });
        (line, start) = (at.line, at.character);
    }
    out
}
