//! `takst test`.

use super::failure::{Exit, Failure};
use super::layout::{columns, count, left, wrap};
use super::out::{Look, Out};
use super::tariffs::{self, Checked};
use clap::Args;
use serde::Serialize;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use takst_dsl::compile::{Compiled, SourceFile};
use takst_dsl::diagnostic::LineIndex;
use takst_dsl::scenario::{self, TestResult};
use takst_engine::Prepared;
use takst_engine::tariff::Outcome;

/// Run the tests in tariff files
///
/// With --coverage the price lines that no test reaches are listed as well.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  takst test prices.tariff\n  takst test --coverage tariffs/*.tariff")]
pub struct Test {
    /// List the price lines that no test reaches
    #[arg(long)]
    coverage: bool,
    /// Tariff files; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

#[derive(Serialize)]
struct Report {
    tests: Vec<TestDoc>,
    passed: usize,
    failed: usize,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    skipped: Vec<SkippedDoc>,
    #[serde(skip_serializing_if = "Option::is_none")]
    coverage: Option<Vec<CoverageDoc>>,
}

#[derive(Serialize)]
struct SkippedDoc {
    file: String,
    reason: &'static str,
}

#[derive(Serialize)]
struct TestDoc {
    file: String,
    line: usize,
    name: String,
    passed: bool,
    failures: Vec<FailureDoc>,
}

#[derive(Serialize)]
struct FailureDoc {
    line: usize,
    text: String,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    got: Option<String>,
}

#[derive(Serialize)]
struct CoverageDoc {
    file: String,
    lines: usize,
    reached: usize,
    unreached: Vec<LineDoc>,
}

#[derive(Serialize)]
struct LineDoc {
    file: String,
    line: usize,
    of: String,
    text: String,
}

impl Test {
    /// Runs the tests of every file, also after one with errors.
    pub fn run(&self, out: &mut Out) -> Result<Exit, Failure> {
        let mut exit = Exit::Fine;
        let mut report = Report {
            tests: Vec::new(),
            passed: 0,
            failed: 0,
            skipped: Vec::new(),
            coverage: self.coverage.then(Vec::new),
        };
        for path in &self.files {
            match self.file(path, out, &mut report) {
                Ok(()) => {}
                Err(failure) => {
                    exit = exit.max(failure.exit());
                    out.failure(&failure);
                }
            }
        }
        if report.failed > 0 {
            exit = exit.max(Exit::Errors);
        }
        if out.json() {
            out.document(&report)?;
            return Ok(exit);
        }
        let (look, text) = match (report.passed, report.failed) {
            (0, 0) => (Look::Warn, "no tests".to_owned()),
            (passed, 0) => (Look::Good, format!("{} passed", count(passed, "test"))),
            (passed, failed) => (Look::Bad, format!("{} failed, {passed} passed", count(failed, "test"))),
        };
        let skipped = match report.skipped.len() {
            0 => String::new(),
            some => format!(", {} skipped", count(some, "file")),
        };
        let text = format!("{text}{skipped}");
        let text = out.paint(if exit == Exit::Fine { look } else { Look::Bad }, &text);
        out.line(&text)?;
        Ok(exit)
    }

    fn file(&self, path: &Path, out: &mut Out, report: &mut Report) -> Result<(), Failure> {
        let checked = tariffs::check(path)?;
        checked.refuse_errors(out)?;
        let Checked::Compiled(compiled) = checked else { return Err(Failure::Shown) };
        let (Some(tariff), Some(file), Some(source)) =
            (&compiled.tariff, compiled.files.first(), compiled.sources.first())
        else {
            // Nothing is wrong with a list that others are based on, but it cannot price by itself.
            let file = super::files::shown(path);
            let reason = "leaves prices to be set by each list; tested in the lists that are based on it";
            if !out.json() {
                let (name, mark) = (out.paint(Look::Strong, &file), out.paint(Look::Faint, "skip"));
                out.line(&name)?;
                let mut mark = format!("  {mark}");
                for line in wrap(reason, out.width().saturating_sub(8)) {
                    out.line(&format!("{mark}  {line}"))?;
                    mark = " ".repeat(6);
                }
                out.line("")?;
            }
            report.skipped.push(SkippedDoc { file, reason });
            return Ok(());
        };
        let prepared = Prepared::new(tariff.clone())
            .map_err(|error| Failure::Input(format!("{}: {error}", super::files::shown(path))))?;
        let results = scenario::run(file, &prepared);
        let index = LineIndex::new(&source.text);
        if !out.json() {
            let name = out.paint(Look::Strong, &source.name);
            out.line(&name)?;
        }
        for result in &results {
            let document = document(result, source, &index);
            if !out.json() {
                show(&document, out)?;
            }
            if document.passed {
                report.passed += 1;
            } else {
                report.failed += 1;
            }
            report.tests.push(document);
        }
        if let Some(all) = &mut report.coverage {
            let coverage = coverage(&compiled, &results);
            if !out.json() {
                show_coverage(&coverage, out)?;
            }
            all.push(coverage);
        }
        if !out.json() {
            out.line("")?;
        }
        Ok(())
    }
}

fn document(result: &TestResult, source: &SourceFile, index: &LineIndex<'_>) -> TestDoc {
    let failure = |failure: &scenario::Failure| {
        let (line, _) = index.line_column(failure.span.start);
        FailureDoc {
            line,
            text: index.line(line).trim().to_owned(),
            message: failure.message.clone(),
            expected: failure.expected.clone(),
            got: failure.got.clone(),
        }
    };
    TestDoc {
        file: source.name.clone(),
        line: index.line_column(result.span.start).0,
        name: result.name.clone(),
        passed: result.passed(),
        failures: result.failures.iter().map(failure).collect(),
    }
}

fn show(test: &TestDoc, out: &mut Out) -> Result<(), Failure> {
    if test.passed {
        let mark = out.paint(Look::Good, "ok");
        return out.line(&format!("  {mark}    {}", test.name));
    }
    let mark = out.paint(Look::Bad, "FAIL");
    let place = out.paint(Look::Faint, &format!("{}:{}", test.file, test.line));
    out.line(&format!("  {mark}  {}  {place}", test.name))?;
    let number = test.failures.iter().map(|failure| failure.line.to_string().len()).max().unwrap_or(1);
    for failure in &test.failures {
        let bar = out.paint(Look::Faint, &format!("{:>number$} │", failure.line));
        out.line(&format!("        {bar} {}", failure.text))?;
        let indent = " ".repeat(8 + number + 1);
        match (&failure.expected, &failure.got) {
            (Some(expected), Some(got)) => {
                let width = columns(expected).max(columns(got));
                let got = out.paint(Look::Bad, &super::layout::right(got, width));
                out.line(&format!("{indent}   expected  {}", super::layout::right(expected, width)))?;
                out.line(&format!("{indent}   got       {got}"))?;
            }
            _ => {
                let room = out.width().saturating_sub(columns(&indent) + 3);
                for line in wrap(&failure.message, room) {
                    let line = out.paint(Look::Bad, &line);
                    out.line(&format!("{indent}   {line}"))?;
                }
            }
        }
    }
    Ok(())
}

fn coverage(compiled: &Compiled, results: &[TestResult]) -> CoverageDoc {
    let reached: BTreeSet<u32> = results.iter().flat_map(|result| result.reached.iter().copied()).collect();
    let rule_of = |leaf: &u32| {
        let tariff = compiled.tariff.as_ref()?;
        tariff.leaves.get(*leaf as usize).map(|leaf| leaf.rule)
    };
    let indexes: Vec<LineIndex<'_>> =
        compiled.sources.iter().map(|source| LineIndex::new(&source.text)).collect();
    let mut document = CoverageDoc {
        file: compiled.sources.first().map_or_else(String::new, |source| source.name.clone()),
        lines: 0,
        reached: 0,
        unreached: Vec::new(),
    };
    // A named quantity decides when a charge begins, not what it costs.
    let prices = |leaf: &u32| {
        let leaf = compiled.tariff.as_ref().and_then(|tariff| tariff.leaves.get(*leaf as usize));
        leaf.is_some_and(|leaf| !matches!(leaf.outcome, Outcome::Quantity(_)))
    };
    for case in compiled.cases.iter().filter(|case| case.leaves.iter().any(prices)) {
        document.lines += 1;
        if case.leaves.iter().filter_map(rule_of).any(|rule| reached.contains(&rule)) {
            document.reached += 1;
            continue;
        }
        let Some((source, index)) =
            compiled.sources.get(case.source as usize).zip(indexes.get(case.source as usize))
        else {
            continue;
        };
        let (line, _) = index.line_column(case.span.start);
        let text = index.line(line).trim().to_owned();
        document.unreached.push(LineDoc { file: source.name.clone(), line, of: case.of.clone(), text });
    }
    document
}

fn show_coverage(coverage: &CoverageDoc, out: &mut Out) -> Result<(), Failure> {
    let look = if coverage.unreached.is_empty() { Look::Good } else { Look::Warn };
    let text =
        out.paint(look, &format!("{} of {} reached", coverage.reached, count(coverage.lines, "price line")));
    out.line(&format!("  {text}"))?;
    let width = coverage
        .unreached
        .iter()
        .map(|line| columns(&format!("{}:{}", line.file, line.line)))
        .max()
        .unwrap_or(0);
    for line in &coverage.unreached {
        let place = left(&format!("{}:{}", line.file, line.line), width);
        let place = out.paint(Look::Faint, &place);
        out.line(&format!("    {place}  {}", line.text))?;
    }
    Ok(())
}
