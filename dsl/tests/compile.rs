//! The compiler from the outside: right lists compile, wrong ones say what is wrong and where.
//!
//! In `errors/`, a comment `# CODE text` stands on each line that has a message: the code and the text of its main label.
//! Nothing else may be reported.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use takst_dsl::diagnostic::{Diagnostic, LineIndex, Severity};
use takst_dsl::{Compiled, SourceFile, compile, lower, resolve, units};
use takst_engine::tariff::{AfterAmount, ChargeKind, Formula, Mean, Measure, MonthWhat, Node, Outcome, Per, Price, Rebate, Tariff};

fn errors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/errors")
}

fn compile_file(path: &Path) -> Compiled {
    let folder = path.parent().unwrap().to_owned();
    let main = SourceFile { name: path.to_string_lossy().into_owned(), text: fs::read_to_string(path).unwrap() };
    compile(main, &mut |name| {
        let text = fs::read_to_string(folder.join(name)).map_err(|_| "there is no such file".to_owned())?;
        Ok(SourceFile { name: name.to_owned(), text })
    })
}

fn compile_text(text: &str) -> Compiled {
    compile(SourceFile { name: "list.tariff".into(), text: text.into() }, &mut |_| Err("no files".into()))
}

fn shown(compiled: &Compiled) -> Vec<String> {
    compiled.diagnostics.iter().map(|it| format!("{} {} ({:?})", it.code, it.message, it.help)).collect()
}

fn tariff(text: &str) -> Tariff {
    let compiled = compile_text(text);
    assert!(compiled.diagnostics.is_empty(), "{:#?}", shown(&compiled));
    compiled.tariff.unwrap()
}

const HEAD: &str = "tariff \"List\"\n  currency: EUR\n  time zone: Europe/Vienna\n  prices: excluding VAT\nVAT: 20%\n";

fn list(text: &str) -> Tariff {
    tariff(&format!("{HEAD}{text}"))
}

/// The outcome of the only line of a list.
fn only(tariff: &Tariff, root: u32) -> Outcome {
    match &tariff.nodes[root as usize] {
        Node::Leaf(leaf) => tariff.leaves[*leaf as usize].outcome.clone(),
        node => panic!("{node:?}"),
    }
}

fn price(tariff: &Tariff, charge: usize) -> Price {
    match only(tariff, tariff.charges[charge].root) {
        Outcome::Price(price) => price,
        other => panic!("{other:?}"),
    }
}

#[test]
fn drafts_compile_without_a_word() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/drafts");
    let mut count = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.to_string_lossy().ends_with(".bad.tariff") {
            continue;
        }
        let compiled = compile_file(&path);
        assert!(compiled.diagnostics.is_empty(), "{}: {:#?}", path.display(), shown(&compiled));
        let tariff = compiled.tariff.unwrap();
        well_formed(&tariff);
        let text = serde_json::to_string(&tariff).unwrap();
        assert_eq!(serde_json::from_str::<Tariff>(&text).unwrap(), tariff);
        count += 1;
    }
    assert_eq!(count, 6);
}

/// What the engine takes for granted.
fn well_formed(tariff: &Tariff) {
    let nodes = tariff.nodes.len();
    for (index, node) in tariff.nodes.iter().enumerate() {
        let children = match node {
            Node::Hole => vec![],
            Node::Leaf(leaf) => {
                assert!((*leaf as usize) < tariff.leaves.len());
                vec![]
            }
            Node::Fact { test, yes, no } => {
                assert!((*test as usize) < tariff.tests.len());
                vec![*yes, *no]
            }
            Node::Measure { measure, edges, children } => {
                assert!((*measure as usize) < tariff.measures.len());
                assert_eq!(edges.len() + 1, children.len());
                children.clone()
            }
            Node::Days(children) => {
                assert_eq!(children.len(), tariff.days.classes.len());
                children.clone()
            }
            Node::Minutes { edges, children } => {
                assert_eq!(edges.len(), children.len());
                children.clone()
            }
        };
        assert!(children.iter().all(|child| (*child as usize) < index));
    }
    for (index, leaf) in tariff.leaves.iter().enumerate() {
        assert!((leaf.rule as usize) < tariff.rules.len(), "{index}");
        if let Outcome::Tax(class) = leaf.outcome {
            assert!((class as usize) < tariff.tax_classes.len());
        }
    }
    let roots = tariff.values.iter().map(|value| value.root);
    let roots = roots.chain(tariff.charges.iter().flat_map(|charge| [charge.root, charge.tax]));
    let roots = roots.chain(tariff.month.iter().map(|charge| charge.tax));
    let roots = roots.chain(tariff.discounts.iter().map(|it| it.root)).chain(tariff.coupons.iter().map(|it| it.root));
    assert!(roots.into_iter().all(|root| (root as usize) < nodes));
    assert_eq!(tariff.feeds[0].name, "spot");
    for rule in &tariff.rules {
        let lines = tariff.sources[rule.source as usize].text.lines().count();
        assert!(rule.line >= 1 && (rule.line as usize) <= lines);
    }
}

/// `(line, code, text of the main label)` of every message in source `source`.
fn reported(compiled: &Compiled, source: u32) -> BTreeSet<(usize, String, String)> {
    let Some(file) = compiled.sources.get(source as usize) else { return BTreeSet::new() };
    let lines = LineIndex::new(&file.text);
    let of_source = |it: &&Diagnostic| it.labels[0].source == source;
    let read = |it: &Diagnostic| {
        let span = it.labels[0].span;
        let text = file.text[span.start as usize..span.end as usize].trim();
        (lines.line_column(span.start).0, it.code.to_owned(), text.to_owned())
    };
    compiled.diagnostics.iter().filter(of_source).map(read).collect()
}

/// The same as the file's comments have it.
fn expected(text: &str) -> BTreeSet<(usize, String, String)> {
    let is_code = |word: &str| word.len() == 4 && word.starts_with(['E', 'W']) && word[1..].parse::<u32>().is_ok();
    text.lines()
        .enumerate()
        .filter_map(|(index, line)| {
            let (_, comment) = line.rsplit_once("# ")?;
            let (code, text) = comment.split_once(' ')?;
            is_code(code).then(|| (index + 1, code.to_owned(), text.trim().to_owned()))
        })
        .collect()
}

#[test]
fn each_wrong_file_says_what_its_comments_say() {
    let mut wrong = String::new();
    let mut codes = BTreeSet::new();
    for entry in fs::read_dir(errors()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            continue;
        }
        let compiled = compile_file(&path);
        let mut count = 0;
        for (index, file) in compiled.sources.iter().enumerate() {
            let (want, got) = (expected(&file.text), reported(&compiled, index as u32));
            count += got.len();
            // Two messages at one place would collapse into one entry.
            let all = compiled.diagnostics.iter().filter(|it| it.labels[0].source == index as u32).count();
            if want != got || all != got.len() {
                wrong += &format!(
                    "{} in {}\n  missing: {:?}\n  too many: {:?}\n  {:#?}\n",
                    path.display(),
                    file.name,
                    want.difference(&got).collect::<Vec<_>>(),
                    got.difference(&want).collect::<Vec<_>>(),
                    shown(&compiled)
                );
            }
            codes.extend(got.into_iter().map(|(_, code, _)| code));
        }
        assert!(count > 0, "{} says nothing", path.display());
        let error = compiled.diagnostics.iter().any(|it| it.severity == Severity::Error);
        assert_eq!(compiled.tariff.is_none(), error || compiled.abstract_list, "{}", path.display());
        for diagnostic in &compiled.diagnostics {
            let message = &diagnostic.message;
            assert!(!message.ends_with('.') && !message.is_empty(), "{message}");
            for label in &diagnostic.labels {
                let text = &compiled.sources[label.source as usize].text;
                assert!(text.get(label.span.start as usize..label.span.end as usize).is_some(), "{message}");
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    // E212 and E304 need files that a program writes; they have tests of their own.
    let all = resolve::CODES.iter().chain(units::CODES).chain(lower::CODES).map(|(code, _)| (*code).to_owned());
    let forgotten: Vec<String> = all.filter(|code| !codes.contains(code) && !["E212", "E304"].contains(&code.as_str())).collect();
    assert!(forgotten.is_empty(), "no file shows {forgotten:?}");
}
