//! `takst test`.

use super::failure::{Exit, Failure};
use super::layout::{columns, count, fit, left, right, wrap};
use super::out::{Look, Out};
use super::tariffs::{self, Checked};
use clap::Args;
use serde::Serialize;
use std::path::{Path, PathBuf};
use takst_dsl::compile::{Compiled, SourceFile};
use takst_dsl::coverage::{Covered, Proposal, coverage, proposals};
use takst_dsl::diagnostic::LineIndex;
use takst_dsl::scenario::{self, TestResult};
use takst_engine::Prepared;

/// Run the tests in tariff files
///
/// With --coverage each price line stands there with the number of tests that reach it, and for those that none reaches a
/// test that would, ready to be put into the file.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  takst test prices.tariff\n  takst test --coverage tariffs/*.tariff")]
pub struct Test {
    /// Say how many tests reach each price line, with a test for those that none reaches
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
    cases: Vec<LineDoc>,
}

#[derive(Serialize, Clone)]
struct LineDoc {
    file: String,
    line: usize,
    of: String,
    text: String,
    tests: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    suggestion: Option<String>,
    /// The line, as `file:line`, whose suggestion reaches this one too.
    #[serde(skip_serializing_if = "Option::is_none")]
    reached_with: Option<String>,
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
            let coverage = document_of(&compiled, &prepared, &results);
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

fn document_of(compiled: &Compiled, prepared: &Prepared, results: &[TestResult]) -> CoverageDoc {
    let name = |source: u32| {
        compiled.sources.get(source as usize).map_or_else(String::new, |source| source.name.clone())
    };
    let all = coverage(compiled, results);
    let line = |(covered, proposal): (&Covered, Option<Proposal>)| {
        let (suggestion, above) = match proposal {
            Some(Proposal::Test(text)) => (Some(text), None),
            Some(Proposal::Above(index)) => (None, all.get(index)),
            None => (None, None),
        };
        LineDoc {
            file: name(covered.source),
            line: covered.line,
            of: covered.of.clone(),
            text: covered.text.clone(),
            tests: covered.tests.len(),
            suggestion,
            reached_with: above.map(|above| format!("{}:{}", name(above.source), above.line)),
        }
    };
    let cases: Vec<LineDoc> = all.iter().zip(proposals(compiled, prepared, &all)).map(line).collect();
    CoverageDoc {
        file: name(0),
        lines: cases.len(),
        reached: cases.iter().filter(|case| case.tests > 0).count(),
        unreached: cases.iter().filter(|case| case.tests == 0).cloned().collect(),
        cases,
    }
}

fn show_coverage(coverage: &CoverageDoc, out: &mut Out) -> Result<(), Failure> {
    let look = if coverage.unreached.is_empty() { Look::Good } else { Look::Warn };
    let text =
        out.paint(look, &format!("{} of {} reached", coverage.reached, count(coverage.lines, "price line")));
    out.line(&format!("  {text}"))?;
    let place = |line: &LineDoc| format!("{}:{}", line.file, line.line);
    let width = coverage.cases.iter().map(|line| columns(&place(line))).max().unwrap_or(0);
    let often = |line: &LineDoc| count(line.tests, "test");
    let most = coverage.cases.iter().map(|line| columns(&often(line))).max().unwrap_or(0);
    for line in &coverage.cases {
        let where_it_is = out.paint(Look::Faint, &left(&place(line), width));
        let look = if line.tests == 0 { Look::Warn } else { Look::Faint };
        let often = out.paint(look, &right(&often(line), most));
        let room = out.width().saturating_sub(8 + width + most);
        out.line(&format!("    {where_it_is}  {often}  {}", fit(&line.text, room)))?;
    }
    // A line that is part of two lists is one place to a reader.
    let once = |line: &&LineDoc| line.reached_with.as_ref() != Some(&place(line));
    for line in coverage.unreached.iter().filter(once) {
        out.line("")?;
        match (&line.suggestion, &line.reached_with) {
            (None, Some(above)) => {
                out.line(&format!("  {} is reached by the test for {above} too", place(line)))?;
            }
            (Some(test), _) => {
                out.line(&format!("  a test that reaches {}:", place(line)))?;
                for text in test.lines() {
                    out.line(&format!("    {text}"))?;
                }
            }
            (None, None) => {
                let text = format!("no test was found that reaches {}: `takst month` may", place(line));
                for text in wrap(&text, out.width().saturating_sub(2)) {
                    out.line(&format!("  {text}"))?;
                }
            }
        }
    }
    Ok(())
}
