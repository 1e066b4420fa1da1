//! A tariff's text as a syntax tree. Every line is read on its own: one bad line gives one message, the rest is read.

mod build;
mod build_expr;
mod build_test;
mod explain;
mod explain_lists;
mod explain_traps;
mod explain_words;
mod grammar;
mod lines;
mod wanted;
mod words;

pub(crate) use build_expr::{MONTHS, WEEKDAYS};
pub(crate) use grammar::Rule;
pub use lines::MAX_LINE;
pub(crate) use lines::{lines, span as span_of};
pub(crate) use wanted::{Wanted, statement_words, wanted};
pub(crate) use words::{
    AFTER_PRICE, AFTER_REBATE, CLAUSES, SETTINGS, STATEMENTS, STEPS, setting as setting_meant, starts_with,
};

use crate::ast::{At, Case, Cases, File, PriceOrFree, Setting, Span, Statement, Step, VatRate};
use crate::diagnostic::Diagnostic;
use build::{Build, Built};
use explain::{Explain, Place};
use grammar::{Grammar, Pair};
use lines::{Line, span};
use pest::Parser;
use rust_decimal::Decimal;
use words::{Body, CHANGE, Form};

/// Largest file in bytes.
pub const MAX_FILE: usize = 4 * 1024 * 1024;
/// Most lines with something other than a comment on them.
pub const MAX_CODE_LINES: usize = 100_000;
/// Most messages of one run; the rest is only counted.
pub const MAX_DIAGNOSTICS: usize = 100;

/// Codes and titles of all messages about how a tariff is written.
pub const CODES: &[(&str, &str)] = &[
    ("E001", "file too large"),
    ("E002", "file is not UTF-8"),
    ("E003", "line too long"),
    ("E004", "formula too long or too deep"),
    ("E005", "line cannot be read"),
    ("E006", "too many lines"),
    ("E007", "more messages than shown"),
    ("E010", "closing quote missing"),
    ("E011", "invisible character"),
    ("E012", "special space"),
    ("E013", "curly quote"),
    ("E014", "braces or square brackets"),
    ("E015", "comment that does not start with #"),
    ("E016", "semicolon"),
    ("E017", "comparison sign"),
    ("E018", "equals sign"),
    ("E020", "unknown statement"),
    ("E021", "unknown setting"),
    ("E022", "unknown line of a test"),
    ("E023", "unknown condition"),
    ("E024", "colon missing"),
    ("E025", "number with a comma"),
    ("E026", "currency"),
    ("E027", "unit word"),
    ("E028", "number"),
    ("E029", "negative quantity"),
    ("E031", "date"),
    ("E032", "dates run backwards"),
    ("E033", "time of day"),
    ("E034", "hours of a window"),
    ("E035", "weekday or month"),
    ("E036", "unknown limit"),
    ("E037", "unknown charge"),
    ("E040", "indent missing"),
    ("E041", "indented line belongs to nothing"),
    ("E042", "nothing follows"),
    ("E043", "statement has no indented lines"),
    ("E044", "price on the line and below it"),
    ("E045", "not a name"),
    ("E046", "text without quotes"),
    ("E047", "line ends too early"),
    ("E048", "said twice"),
    ("E049", "bracket"),
    ("E050", "word in the wrong place"),
    ("E051", "statement is indented"),
];

/// A text as it was read.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Parsed {
    /// What could be read. A statement's span is that of its line at the margin.
    pub file: File,
    /// What is wrong, in the order of the text; empty when all was read.
    pub diagnostics: Vec<Diagnostic>,
    /// Comments with their `#`, in the order of the text.
    pub comments: Vec<At<String>>,
}

/// Reads a tariff's text. `source` goes into the labels of messages. Any text gets an answer.
#[must_use]
pub fn parse(text: &str, source: u32) -> Parsed {
    let mut reader = Reader {
        source,
        out: Parsed::default(),
        open: None,
        more: 0,
        first_more: None,
        orphan: false,
        currency: None,
    };
    if text.len() > MAX_FILE {
        let found = Diagnostic::error(
            "E001",
            source,
            Span::default(),
            format!("a file of {} bytes is too large", text.len()),
        )
        .help(format!("a tariff may have {MAX_FILE} bytes; share common parts with `based on`"));
        reader.out.diagnostics.push(found);
        return reader.out;
    }
    let mut code_lines = 0_usize;
    for (start, content) in lines::lines(text) {
        if content.is_empty() {
            continue;
        }
        let (line, problem) = lines::read(content, start, source);
        if let Some((comment, at)) = line.comment {
            reader.out.comments.push(At { it: comment.to_owned(), span: span(at, 0, comment.len()) });
        }
        if line.code.is_empty() {
            if let Some(problem) = problem {
                reader.report(*problem);
            }
            continue;
        }
        code_lines += 1;
        if code_lines > MAX_CODE_LINES {
            let found = Diagnostic::error(
                "E006",
                source,
                line.span(),
                format!("a tariff has more than {MAX_CODE_LINES} lines"),
            )
            .help("share common parts with `based on`");
            reader.out.diagnostics.push(found);
            break;
        }
        reader.line(&line, problem);
    }
    reader.close();
    reader.finish()
}

/// A file's bytes as text.
///
/// # Errors
/// The first byte that is not UTF-8, with its line and column.
#[expect(clippy::result_large_err, reason = "called once per file")]
pub fn decode(bytes: &[u8]) -> Result<&str, Diagnostic> {
    std::str::from_utf8(bytes).map_err(|error| {
        let good = bytes.get(..error.valid_up_to()).and_then(|b| std::str::from_utf8(b).ok()).unwrap_or("");
        let (line, column) = crate::diagnostic::LineIndex::new(good)
            .line_column(u32::try_from(good.len()).unwrap_or(u32::MAX));
        let byte = bytes.get(good.len()).copied().unwrap_or(0);
        let message = match bytes.get(..2) {
            Some([0xff, 0xfe] | [0xfe, 0xff]) => "this file is UTF-16 and not UTF-8".to_owned(),
            _ => format!("line {line}, column {column}: the byte {byte:02X} is not UTF-8 text"),
        };
        Diagnostic::error("E002", 0, span(0, good.len(), good.len() + 1), message)
            .help("open the file in an editor and save it with the encoding UTF-8")
    })
}

/// A line below a statement.
enum Below {
    Setting(At<Setting>),
    Price(At<Case<PriceOrFree>>),
    Vat(At<Case<VatRate>>),
    Tax(At<Case<Decimal>>),
    Step(At<Step>),
}

/// The statement to which indented lines belong.
struct Open {
    /// None: its line was bad.
    statement: Option<At<Statement>>,
    body: Body,
    /// Needs a body and has none on its line.
    hungry: bool,
    /// Indented lines so far.
    lines: usize,
    span: Span,
}

struct Reader {
    source: u32,
    out: Parsed,
    open: Option<Open>,
    more: usize,
    first_more: Option<Span>,
    /// The last line was an indented one with nothing above.
    orphan: bool,
    /// `currency:` so far, for hints.
    currency: Option<String>,
}

impl Reader {
    fn full(&self) -> bool {
        self.out.diagnostics.len() >= MAX_DIAGNOSTICS
    }

    fn report(&mut self, found: Diagnostic) {
        if self.full() {
            self.count(found.span());
        } else {
            self.out.diagnostics.push(found);
        }
    }

    fn count(&mut self, span: Span) {
        self.more += 1;
        self.first_more.get_or_insert(span);
    }

    fn finish(mut self) -> Parsed {
        self.out.diagnostics.sort_by_key(|found| found.span().start);
        if let Some(span) = self.first_more {
            let message = match self.more {
                1 => "1 more line has a mistake".to_owned(),
                more => format!("{more} more lines have mistakes"),
            };
            self.out.diagnostics.push(
                Diagnostic::error("E007", self.source, span, message).help("mend the ones above first"),
            );
        }
        self.out
    }

    fn line(&mut self, line: &Line<'_>, problem: Option<Box<Diagnostic>>) {
        if line.at_margin {
            self.orphan = false;
            self.head(line, problem);
        } else {
            self.below(line, problem);
        }
    }

    fn close(&mut self) {
        let Some(open) = self.open.take() else { return };
        if open.hungry && open.lines == 0 && open.statement.is_some() {
            let found = Diagnostic::error("E042", self.source, open.span, "no price follows")
                .help("write the price after the colon, or indented on the lines below");
            self.report(found);
        }
        self.out.file.statements.extend(open.statement);
    }

    fn head(&mut self, line: &Line<'_>, problem: Option<Box<Diagnostic>>) {
        let (start, changed) = match words::starts_with(line.code, CHANGE) {
            Some(end) => {
                let rest = line.code.get(end..).unwrap_or("");
                (end + (rest.len() - rest.trim_start_matches([' ', '\t']).len()), true)
            }
            None => (0, false),
        };
        let code = line.code.get(start..).unwrap_or("");
        let base = span(line.start, start, start).start;
        let known = statement_of(code).filter(|form| {
            !changed
                || !matches!(
                    form.rule,
                    Rule::tariff_line | Rule::set_line | Rule::remove_line | Rule::test_line
                )
        });
        let body = known.map_or(Body::Unknown, |form| form.body);
        if let Some(problem) = problem {
            self.report(*problem);
            let body = if body == Body::Unknown { guess(code) } else { body };
            return self.begin(line, body, None);
        }
        let Some(form) = known else {
            if !changed && self.misplaced(line) {
                return;
            }
            if self.full() {
                self.count(line.span());
            } else {
                let found = self.explain(code, base).unknown_statement(changed);
                self.report(found);
            }
            return self.begin(line, guess(code), None);
        };
        let build = Build::new(self.source, base);
        let read = match run(form.rule, code) {
            Ok(pair) => {
                build.statement(&pair).map(|it| At { it, span: build.span(&pair) }).map_err(Wrong::Meant)
            }
            Err(stop) => Err(Wrong::Stopped(stop)),
        };
        match read {
            Ok(statement) if changed => {
                let it = Statement::Change(Box::new(statement));
                self.begin(line, body, Some(At { it, span: line.span() }));
            }
            Ok(statement) => self.begin(line, body, Some(statement)),
            Err(wrong) => {
                if matches!(wrong, Wrong::Stopped(_)) && !changed && self.misplaced(line) {
                    return;
                }
                self.wrong(wrong, code, base, Place::Statement(form));
                self.begin(line, body, None);
            }
        }
    }

    fn begin(&mut self, line: &Line<'_>, body: Body, statement: Option<At<Statement>>) {
        self.close();
        let hungry = statement.as_ref().is_some_and(|s| hungry(&s.it));
        let body = if statement.is_some() && matches!(body, Body::Prices | Body::Vat | Body::Tax) && !hungry {
            Body::Nothing
        } else {
            body
        };
        self.open = Some(Open { statement, body, hungry, lines: 0, span: line.span() });
    }

    /// A line at the margin that belongs to the statement above: says so and takes it as if it were indented.
    fn misplaced(&mut self, line: &Line<'_>) -> bool {
        let Some(open) = &self.open else { return false };
        let body = open.body;
        let likely = match body {
            Body::Nothing | Body::Unknown => return false,
            Body::Settings => setting_key(line.code)
                .is_some_and(|(key, _)| SETTINGS.iter().any(|(known, ..)| *known == key)),
            Body::Steps => {
                words::STEPS.iter().any(|(words, _)| words::starts_with(line.code, words).is_some())
            }
            Body::Prices | Body::Vat | Body::Tax => {
                let first = line.code.split([' ', '\t']).next().unwrap_or("");
                line.code.starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '(')
                    || first == "free"
                    || words::CLAUSES.iter().any(|(word, _)| *word == first)
            }
        };
        let read = self.read_below(body, line.code, line.start);
        let named = words::nearest(
            line.code.split([' ', '\t', ':', '"']).next().unwrap_or(""),
            STATEMENTS.iter().map(|f| f.words),
        );
        if !likely && (read.is_err() || named.is_some()) {
            return false;
        }
        let found = Diagnostic::error(
            "E040",
            self.source,
            line.span(),
            "this line belongs to the statement above, but is not indented",
        )
        .help("put two spaces before it")
        .fix(span(line.start, 0, 0), "  ");
        self.report(found);
        if let Ok(below) = read {
            self.add(below);
        }
        if let Some(open) = &mut self.open {
            open.lines += 1;
        }
        true
    }

    fn below(&mut self, line: &Line<'_>, problem: Option<Box<Diagnostic>>) {
        let Some(open) = &mut self.open else {
            if !self.orphan {
                self.orphan = true;
                let found = Diagnostic::error(
                    "E041",
                    self.source,
                    line.span(),
                    "this line is indented, but there is no statement above it",
                )
                .help("start it at the margin, or put the statement to which it belongs above it");
                self.report(found);
            }
            return;
        };
        open.lines += 1;
        let (body, first, inline) =
            (open.body, open.lines == 1, open.statement.as_ref().is_some_and(|s| inline(&s.it)));
        if let Some(problem) = problem {
            if body != Body::Unknown {
                self.report(*problem);
            }
            return;
        }
        match body {
            Body::Unknown => {}
            Body::Nothing => {
                if first {
                    let found = if inline {
                        Diagnostic::error(
                            "E044",
                            self.source,
                            line.span(),
                            "there is already a price on the line of the statement",
                        )
                        .help("move that price to an indented line of its own, or delete the indented lines")
                    } else {
                        Diagnostic::error(
                            "E043",
                            self.source,
                            line.span(),
                            "the statement above has no indented lines",
                        )
                        .help("write it on one line; a new statement starts at the margin")
                    };
                    self.report(found);
                }
            }
            _ => match self.read_below(body, line.code, line.start) {
                Ok(below) => self.add(below),
                Err((wrong, place)) => self.wrong(wrong, line.code, line.start, place),
            },
        }
    }

    fn read_below(&self, body: Body, code: &str, base: u32) -> Result<Below, (Wrong, Place)> {
        let build = Build::new(self.source, base);
        let read = |rule: Rule, place: Place, turn: &dyn Fn(&Pair<'_>) -> Built<Below>| match run(rule, code)
        {
            Ok(pair) => turn(&pair).map_err(|found| (Wrong::Meant(found), place)),
            Err(stop) => Err((Wrong::Stopped(stop), place)),
        };
        match body {
            Body::Settings => self.read_setting(code, base),
            Body::Vat => read(Rule::vat_case_line, Place::Vat, &|line| {
                build.vat_case(&build.need(line, Rule::vat_case)?).map(Below::Vat)
            }),
            Body::Tax => read(Rule::tax_case_line, Place::Tax, &|line| {
                build.tax_case(&build.need(line, Rule::tax_case)?).map(Below::Tax)
            }),
            Body::Steps => read(Rule::step_line, Place::Step, &|line| build.step(line).map(Below::Step)),
            Body::Prices | Body::Nothing | Body::Unknown => read(Rule::case_line, Place::Price, &|line| {
                build.case(&build.need(line, Rule::case)?).map(Below::Price)
            }),
        }
    }

    fn read_setting(&self, code: &str, base: u32) -> Result<Below, (Wrong, Place)> {
        let unknown = || (Wrong::Setting, Place::Setting(None));
        let (key, colon) = setting_key(code).ok_or_else(unknown)?;
        let row = SETTINGS.iter().find(|(known, ..)| *known == key).ok_or_else(unknown)?;
        let after = code.get(colon + 1..).unwrap_or("");
        let from = code.len() - after.trim_start_matches([' ', '\t']).len();
        let build = Build::new(self.source, span(base, from, from).start);
        let place = Place::Setting(Some(row));
        let pair = run(row.1, code.get(from..).unwrap_or(""))
            .map_err(|stop| (Wrong::Stopped(Stop { at: stop.at + from, ..stop }), place))?;
        let written = code.get(..colon).unwrap_or("").trim_end_matches([' ', '\t']);
        let name = At { it: key, span: span(base, 0, written.len()) };
        let it = build.setting(name, &pair).map_err(|found| (Wrong::Meant(found), place))?;
        Ok(Below::Setting(At { it, span: span(base, 0, code.len()) }))
    }

    fn wrong(&mut self, wrong: Wrong, code: &str, base: u32, place: Place) {
        if self.full() {
            return self.count(span(base, 0, code.len()));
        }
        let found = match wrong {
            Wrong::Meant(found) => *found,
            Wrong::Setting => self.explain(code, base).unknown_setting(),
            Wrong::Stopped(stop) => self.explain(code, base).stopped(&stop, place),
        };
        self.report(found);
    }

    fn explain<'t>(&'t self, code: &'t str, base: u32) -> Explain<'t> {
        Explain { source: self.source, base, code, currency: self.currency.as_deref() }
    }

    fn add(&mut self, below: Below) {
        if let Below::Setting(At { it: Setting::Currency(name), .. }) = &below {
            self.currency = Some(name.it.clone());
        }
        let Some(Open { statement: Some(statement), .. }) = &mut self.open else { return };
        let statement = match &mut statement.it {
            Statement::Change(changed) => &mut changed.it,
            other => other,
        };
        match (statement, below) {
            (Statement::Tariff(head), Below::Setting(setting)) => head.settings.push(setting),
            (Statement::Vat(vat), Below::Vat(case)) => vat.cases.lines.push(case),
            (Statement::Tax(tax), Below::Tax(case)) => tax.cases.lines.push(case),
            (Statement::Charge(charge), Below::Price(case)) => charge.cases.lines.push(case),
            (
                Statement::Price(price) | Statement::Value(price) | Statement::Set(price),
                Below::Price(case),
            ) => {
                if let Some(cases) = &mut price.cases {
                    cases.lines.push(case);
                }
            }
            (Statement::Test(test), Below::Step(step)) => test.steps.push(step),
            // INVARIANT: a statement's `Body` decides what is read below it.
            _ => {}
        }
    }
}

/// Why a line was not read.
enum Wrong {
    /// The grammar matched, but what it says cannot be.
    Meant(Box<Diagnostic>),
    /// The grammar stopped.
    Stopped(Stop),
    /// It is no known setting.
    Setting,
}

/// Where the grammar stopped and what it would have taken.
pub(crate) struct Stop {
    at: usize,
    expected: Vec<Rule>,
}

fn run(rule: Rule, code: &str) -> Result<Pair<'_>, Stop> {
    let error = match Grammar::parse(rule, code) {
        Ok(mut pairs) => match pairs.next() {
            Some(pair) => return Ok(pair),
            None => return Err(Stop { at: 0, expected: Vec::new() }),
        },
        Err(error) => error,
    };
    let at = match error.location {
        pest::error::InputLocation::Pos(at) | pest::error::InputLocation::Span((at, _)) => at,
    };
    let expected = match error.variant {
        pest::error::ErrorVariant::ParsingError { positives, .. } => positives,
        pest::error::ErrorVariant::CustomError { .. } => Vec::new(),
    };
    Err(Stop { at, expected })
}

fn statement_of(code: &str) -> Option<&'static Form> {
    STATEMENTS.iter().find(|form| words::starts_with(code, form.words).is_some())
}

/// What probably stands below a line whose statement is unknown.
fn guess(code: &str) -> Body {
    explain_lists::nearest_statement(code).map_or(Body::Unknown, |(form, _)| form.body)
}

/// The keys of all settings.
pub(crate) fn setting_keys() -> impl Iterator<Item = &'static str> {
    SETTINGS.iter().map(|(key, ..)| *key)
}

/// One line as it was read, for the formatter.
pub(crate) fn read_line(content: &str, start: usize) -> Line<'_> {
    lines::read(content, start, 0).0
}

/// Whether a line has a comment.
#[must_use]
pub fn has_comment(content: &str) -> bool {
    read_line(content, 0).comment.is_some()
}

/// Whether `word` can stand as a name without quotes.
pub(crate) fn is_name(word: &str) -> bool {
    Grammar::parse(Rule::name, word).is_ok_and(|matched| matched.as_str() == word)
}

/// The key of `key: value` with single spaces, and where its colon stands.
fn setting_key(code: &str) -> Option<(String, usize)> {
    let colon = code.find(':')?;
    Some((code.get(..colon)?.split_whitespace().collect::<Vec<_>>().join(" "), colon))
}

/// Whether a statement still needs a price.
fn hungry(statement: &Statement) -> bool {
    fn empty<T>(cases: &Cases<T>) -> bool {
        cases.lines.is_empty()
    }
    match statement {
        Statement::Vat(vat) => empty(&vat.cases),
        Statement::Tax(tax) => empty(&tax.cases),
        Statement::Charge(charge) => empty(&charge.cases),
        Statement::Price(price) | Statement::Value(price) | Statement::Set(price) => {
            price.cases.as_ref().is_some_and(empty)
        }
        Statement::Change(changed) => hungry(&changed.it),
        _ => false,
    }
}

/// Whether a statement has its price on its line.
fn inline(statement: &Statement) -> bool {
    match statement {
        Statement::Vat(vat) => vat.cases.inline,
        Statement::Tax(tax) => tax.cases.inline,
        Statement::Charge(charge) => charge.cases.inline,
        Statement::Price(price) | Statement::Value(price) | Statement::Set(price) => {
            price.cases.as_ref().is_none_or(|cases| cases.inline)
        }
        Statement::Change(changed) => inline(&changed.it),
        _ => false,
    }
}
