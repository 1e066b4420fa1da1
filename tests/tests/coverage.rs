//! A test that is proposed for a price line does what it says: put at the end of the file it parses, passes, and reaches the
//! line. Over all examples, the drafts, and random lists.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code: a panic is a failed test"
)]

use std::fs::{read_dir, read_to_string};
use std::path::{Path, PathBuf};
use takst_dsl::coverage::{Covered, coverage, suggestion};
use takst_dsl::scenario::TestResult;
use takst_dsl::{Compiled, SourceFile, compile, scenario};
use takst_engine::Prepared;
use takst_tests::oracle::text::BASE;
use takst_tests::random::pair;

/// A list and what it is based on.
struct List {
    name: String,
    text: String,
    bases: Vec<(String, String)>,
}

impl List {
    fn compile(&self, text: &str) -> Compiled {
        compile(SourceFile { name: self.name.clone(), text: text.to_owned() }, &mut |wanted| {
            let found = self.bases.iter().find(|(name, _)| name == wanted);
            let (name, text) = found.ok_or_else(|| format!("there is no `{wanted}`"))?;
            Ok(SourceFile { name: name.clone(), text: text.clone() })
        })
    }

    fn run(&self, text: &str) -> Option<(Compiled, Prepared, Vec<TestResult>, Vec<Covered>)> {
        let compiled = self.compile(text);
        let prepared = Prepared::new(compiled.tariff.clone()?).unwrap();
        let results = scenario::run(&compiled.files[0], &prepared);
        let covered = coverage(&compiled, &results);
        Some((compiled, prepared, results, covered))
    }

    /// Proposes a test for every line, as if the file had none, and tries each out. Returns how many lines there are, and
    /// those for which nothing was found.
    fn prove(&self) -> (usize, Vec<String>) {
        let Some((compiled, prepared, _, covered)) = self.run(&self.text) else { return (0, Vec::new()) };
        let mut without = Vec::new();
        for line in &covered {
            let place = format!("{}:{}: {} ({})", self.name, line.line, line.text, line.of);
            let Some(test) = suggestion(&compiled, &prepared, line) else {
                without.push(place);
                continue;
            };
            let text = format!("{}\n{test}", self.text);
            let (after, _, results, covered) = self.run(&text).unwrap_or_else(|| panic!("{place}\n{test}"));
            // A name that only the test uses is used.
            assert!(after.diagnostics.len() <= compiled.diagnostics.len(), "{place}\n{test}");
            let last = results.last().unwrap();
            assert!(last.passed(), "{place}\n{test}\n{:?}", last.failures);
            let same = covered.iter().find(|it| it.case == line.case).unwrap();
            assert!(same.tests.contains(&(results.len() - 1)), "{place} is not reached by\n{test}");
        }
        (covered.len(), without)
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|ending| ending == "tariff") {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn lists(folder: &str) -> Vec<List> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").join(folder);
    let paths = files(&folder);
    let read =
        |path: &Path| (path.file_name().unwrap().to_str().unwrap().to_owned(), read_to_string(path).unwrap());
    paths
        .iter()
        .map(|path| {
            let (name, text) = read(path);
            let beside = paths.iter().filter(|other| other.parent() == path.parent());
            List { name, text, bases: beside.map(|path| read(path)).collect() }
        })
        .collect()
}

#[test]
fn every_line_of_the_examples_gets_a_test_that_reaches_it() {
    let mut lines = 0;
    let mut without = Vec::new();
    for list in lists("examples/tariffs").iter().chain(&lists("dsl/tests/drafts")) {
        let (some, none) = list.prove();
        lines += some;
        without.extend(none);
    }
    assert!(lines > 100, "{lines} lines");
    // Meters of a whole month are nothing that a test can say, and what is free in a month leaves no line on its invoice.
    let of_month = |line: &String| ["power fee", "site credit"].iter().any(|of| line.contains(of));
    let free = |line: &String| {
        ["monthly fee", "one-off fee"].iter().any(|of| line.contains(of)) && line.contains(": free ")
    };
    without.retain(|line| !of_month(line) && !free(line));
    assert!(without.is_empty(), "{} of {lines} lines without a test:\n{}", without.len(), without.join("\n"));
}

#[test]
fn random_lines_get_tests_that_reach_them() {
    let seeds: u64 = std::env::var("TAKST_COVERAGE_LISTS").map_or(60, |seeds| seeds.parse().unwrap());
    let (mut lines, mut without) = (0, Vec::new());
    let mut idle = 0;
    for seed in 1..=seeds {
        let files = pair(seed).tariff.to_files();
        let bases = files.base.iter().map(|base| (BASE.to_owned(), base.clone())).collect();
        let list = List { name: format!("random-{seed}"), text: files.list.clone(), bases };
        let (some, none) = list.prove();
        lines += some;
        // A price that no charge uses decides nothing.
        let unused = |line: &String| {
            let name = line.rsplit_once("(price `").and_then(|(_, name)| name.strip_suffix("`)"));
            name.is_some_and(|name| !uses(&[&files.list, files.base.as_deref().unwrap_or_default()], name))
        };
        let (never, more): (Vec<_>, Vec<_>) = none.into_iter().partition(unused);
        idle += never.len();
        without.extend(more);
    }
    println!("{} of {lines} lines without a test:\n{}", without.len(), without.join("\n"));
    assert!(lines > 300, "{lines} lines");
    // Some combinations need a session that the search does not think of: they must stay few.
    let lines = lines - idle;
    assert!(without.len() * 10 <= lines, "{} of {lines} lines without a test", without.len());
}

/// Whether a charge uses a price, by itself or through another one.
fn uses(texts: &[&str], name: &str) -> bool {
    let words = |line: &str| -> Vec<String> {
        let code = line.split('#').next().unwrap_or_default();
        code.split(|c: char| !(c.is_alphanumeric() || c == '-')).map(str::to_owned).collect()
    };
    let mut wanted = vec![name.to_owned()];
    let mut seen = Vec::new();
    while let Some(name) = wanted.pop() {
        if seen.contains(&name) {
            continue;
        }
        for text in texts {
            let mut head = "";
            for line in text.lines() {
                if !line.starts_with([' ', '\t']) {
                    head = line;
                }
                let said =
                    if line == head { line.split_once(':').map_or("", |(_, said)| said) } else { line };
                if !words(said).contains(&name) {
                    continue;
                }
                let opens = words(head);
                let opens: Vec<&str> =
                    opens.iter().map(String::as_str).filter(|word| *word != "change").collect();
                match opens.as_slice() {
                    ["price" | "set", user, ..] => wanted.push((*user).to_owned()),
                    ["test" | "tariff", ..] => {}
                    _ => return true,
                }
            }
        }
        seen.push(name);
    }
    false
}
