//! Which price lines the tests of a file reach, and for one that none reaches a test that would.

mod formulas;
mod goals;
mod sentence;
mod ways;

pub(crate) use goals::{Focus, goals_of};
pub(crate) use sentence::facts_of;
pub(crate) use ways::{Days, Goal, Way, Ways};

use crate::compile::Compiled;
use crate::diagnostic::LineIndex;
use crate::scenario::{self, TestResult};
use takst_engine::Prepared;
use takst_engine::tariff::{Outcome, Tariff};

/// A price line and how many tests reach it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Covered {
    /// Index into [`Compiled::cases`].
    pub case: usize,
    /// Index into [`Compiled::sources`].
    pub source: u32,
    /// Line of that source, from 1.
    pub line: usize,
    /// What it is a line of, as in `energy price`.
    pub of: String,
    /// The line itself, without indent.
    pub text: String,
    /// The tests that reach it: indexes into the results.
    pub tests: Vec<usize>,
}

/// How often each price line of a list is reached, in the order in which the list has them. Named quantities are left out:
/// they decide when a charge begins, not what it costs.
#[must_use]
pub fn coverage(compiled: &Compiled, results: &[TestResult]) -> Vec<Covered> {
    let Some(tariff) = &compiled.tariff else { return Vec::new() };
    let indexes: Vec<LineIndex<'_>> =
        compiled.sources.iter().map(|source| LineIndex::new(&source.text)).collect();
    let mut out = Vec::new();
    for (number, case) in compiled.cases.iter().enumerate() {
        let leaves = || case.leaves.iter().filter_map(|leaf| tariff.leaves.get(*leaf as usize));
        if leaves().all(|leaf| matches!(leaf.outcome, Outcome::Quantity(_))) {
            continue;
        }
        let Some(index) = indexes.get(case.source as usize) else { continue };
        let (line, _) = index.line_column(case.span.start);
        let rules = rules_of(tariff, case.source, line);
        let reaches = |result: &TestResult| result.reached.iter().any(|rule| rules.contains(rule));
        let tests = results.iter().enumerate().filter(|(_, result)| reaches(result));
        out.push(Covered {
            case: number,
            source: case.source,
            line,
            of: case.of.clone(),
            text: index.line(line).trim().to_owned(),
            tests: tests.map(|(test, _)| test).collect(),
        });
    }
    out
}

/// Tests that are tried out for one line.
const MOST_TRIES: usize = 200;

/// The rules of a line.
fn rules_of(tariff: &Tariff, source: u32, line: usize) -> Vec<u32> {
    let here = |rule: &takst_engine::tariff::Rule| {
        rule.source == source && usize::try_from(rule.line).is_ok_and(|known| known == line)
    };
    (0..).zip(&tariff.rules).filter(|(_, rule)| here(rule)).map(|(id, _)| id).collect()
}

/// A test that reaches a price line, as text that can be put at the end of the file: a heading and indented lines, its
/// expectations being what comes out today. It has been run: it passes, and it reaches the line. None where no such test is
/// found: what a month's meters decide cannot be told by a test, nor what no session can meet.
#[must_use]
pub fn suggestion(compiled: &Compiled, prepared: &Prepared, covered: &Covered) -> Option<String> {
    propose(compiled, prepared, covered).map(|(text, _)| text)
}

/// How a price line that no test reaches could be reached.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Proposal {
    /// By this test, as [`suggestion`] makes it.
    Test(String),
    /// By the test that is proposed for an earlier line: its index.
    Above(usize),
}

/// Proposals for all lines that no test reaches, in their order; none for lines that have tests, and where none is found. No test is
/// proposed twice: one that reaches several lines stands at the first of them.
#[must_use]
pub fn proposals(compiled: &Compiled, prepared: &Prepared, all: &[Covered]) -> Vec<Option<Proposal>> {
    let mut made: Vec<(usize, Vec<u32>)> = Vec::new();
    let each = |(index, covered): (usize, &Covered)| {
        if !covered.tests.is_empty() {
            return None;
        }
        let rules = rules_of(prepared.tariff(), covered.source, covered.line);
        let reaches = |(_, reached): &&(usize, Vec<u32>)| reached.iter().any(|rule| rules.contains(rule));
        if let Some((above, _)) = made.iter().find(reaches) {
            return Some(Proposal::Above(*above));
        }
        let (text, reached) = propose(compiled, prepared, covered)?;
        made.push((index, reached));
        Some(Proposal::Test(text))
    };
    all.iter().enumerate().map(each).collect()
}

// The test, and the rules that it reaches.
fn propose(compiled: &Compiled, prepared: &Prepared, covered: &Covered) -> Option<(String, Vec<u32>)> {
    let tariff = prepared.tariff();
    let case = compiled.cases.get(covered.case)?;
    let rules = rules_of(tariff, covered.source, covered.line);
    let name = test_name(covered);
    let mut found = None;
    let mut tries = MOST_TRIES;
    for (focus, goals) in goals_of(tariff, &case.leaves) {
        let mut days = Days::new(tariff);
        Ways::new(tariff, &goals).each(&mut |way| {
            for steps in sentence::sentences(tariff, &mut days, way, focus) {
                tries -= 1;
                found = proved(&name, &steps, prepared, &rules);
                if found.is_some() || tries == 0 {
                    return true;
                }
            }
            false
        });
        if found.is_some() || tries == 0 {
            break;
        }
    }
    found
}

/// A test's name: what the line says, without what a name cannot hold.
fn test_name(covered: &Covered) -> String {
    let text = covered.text.split('#').next().unwrap_or_default();
    let words: Vec<&str> = text.split_whitespace().collect();
    let words = words.join(" ").replace('"', "");
    let short: String = words.chars().take(100).collect();
    format!("{}: {}", covered.of.replace('"', ""), short.trim())
}

/// The test with what comes out as its expectation, if it can be run and reaches one of the rules.
fn proved(name: &str, steps: &[String], prepared: &Prepared, rules: &[u32]) -> Option<(String, Vec<u32>)> {
    let currency = &prepared.tariff().currency;
    let nothing = takst_engine::document::money(0, currency.digits);
    let write = |total: &str| {
        let steps: String = steps.iter().map(|step| format!("  {step}\n")).collect();
        format!("test \"{name}\"\n{steps}  expect total {total}\n")
    };
    let run = |text: &str| {
        let parsed = crate::parse::parse(text, 0);
        if !parsed.diagnostics.is_empty() {
            return None;
        }
        scenario::run(&parsed.file, prepared).pop()
    };
    let first = write(&format!("{nothing} {}", currency.code));
    let result = run(&first)?;
    let reaches = |result: &TestResult| result.reached.iter().any(|rule| rules.contains(rule));
    if !reaches(&result) {
        return None;
    }
    if result.passed() {
        return Some((first, result.reached.into_iter().collect()));
    }
    let [failure] = result.failures.as_slice() else { return None };
    let text = write(failure.got.as_ref()?);
    let result = run(&text).filter(|result| result.passed() && reaches(result))?;
    Some((text, result.reached.into_iter().collect()))
}
