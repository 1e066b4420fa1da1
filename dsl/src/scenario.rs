//! Tests in tariff files: sentences become a session, prices and expectations, and are checked by pricing the session.

mod build;
mod clock;
mod expect;
mod invoice;

use crate::ast::{At, File, Span, Statement, Step, Test};
use serde::Serialize;
use takst_engine::Prepared;

/// What became of one test.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TestResult {
    /// Its name.
    pub name: String,
    /// Where its name stands in the file.
    pub span: Span,
    /// Where it went wrong; empty when it passed.
    pub failures: Vec<Failure>,
    /// The rules (indexes into the tariff's `rules`) that decided an amount in it.
    pub reached: Vec<u32>,
}

/// One expectation that did not hold, or a step that could not be carried out.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Failure {
    /// The line of the test.
    #[serde(skip)]
    pub span: Span,
    /// What is wrong, in words.
    pub message: String,
    /// What the line expects, as printed.
    pub expected: Option<String>,
    /// What came out, as printed.
    pub got: Option<String>,
}

impl TestResult {
    /// Whether all held.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.failures.is_empty()
    }
}

/// A failure of a step itself.
fn failure(span: Span, message: impl Into<String>) -> Failure {
    Failure { span, message: message.into(), expected: None, got: None }
}

/// What the lines of a test say of a session, and the prices that they name.
pub(crate) struct Said {
    pub facts: takst_engine::session::Facts,
    pub book: takst_engine::PriceBook,
    pub cost_price: Option<takst_engine::exact::Num>,
}

/// Reads the lines of a test (without heading) as far as they are known before charging. None where they are wrong.
pub(crate) fn said(lines: &[String], prepared: &Prepared) -> Option<Said> {
    let text: String = lines.iter().map(|line| format!("  {line}\n")).collect();
    let parsed = crate::parse::parse(&format!("test \"said\"\n{text}"), 0);
    let [At { it: Statement::Test(test), .. }] = parsed.file.statements.as_slice() else { return None };
    let scenario = build::build(&test.steps, prepared).ok().filter(|_| parsed.diagnostics.is_empty())?;
    Some(Said { facts: scenario.session?.facts, book: scenario.book, cost_price: scenario.cost_price })
}

/// Runs all tests of a file against the tariff compiled from it.
#[must_use]
pub fn run(file: &File, prepared: &Prepared) -> Vec<TestResult> {
    let tests = file.statements.iter().filter_map(|statement| match &statement.it {
        Statement::Test(test) => Some(test),
        _ => None,
    });
    tests.map(|test| run_one(test, prepared)).collect()
}

fn run_one(test: &Test, prepared: &Prepared) -> TestResult {
    let (failures, reached) = match build::build(&test.steps, prepared) {
        Ok(scenario) => expect::check(&scenario, &expectations(&test.steps)),
        Err(failure) => (vec![failure], Vec::new()),
    };
    TestResult { name: test.name.it.clone(), span: test.name.span, failures, reached }
}

fn expectations(steps: &[At<Step>]) -> Vec<(Span, &crate::ast::Expect)> {
    steps
        .iter()
        .filter_map(|step| match &step.it {
            Step::Expect(expect) => Some((step.span, expect)),
            _ => None,
        })
        .collect()
}
