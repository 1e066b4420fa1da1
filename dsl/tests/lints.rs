//! `LINTS.md` is true: each example gets the advice that it names and no other, each repaired one gets none.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use takst_dsl::format::format;
use takst_dsl::lint::{CODES, lint};
use takst_dsl::{Compiled, SourceFile, compile, scenario};
use takst_engine::Prepared;

fn read(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap()
}

struct Example {
    line: usize,
    section: String,
    advice: Option<String>,
    text: String,
}

/// The examples; a fragment gets a heading, and a test if it has none.
fn examples() -> Vec<Example> {
    let mut out = Vec::new();
    let mut section = String::new();
    let mut open: Option<(Example, bool)> = None;
    for (number, line) in read("LINTS.md").lines().enumerate() {
        if let Some((mut example, fragment)) = open.take() {
            if line == "```" {
                if fragment {
                    example.text = whole(&example.text);
                }
                out.push(example);
            } else {
                example.text += &format!("{line}\n");
                open = Some((example, fragment));
            }
        } else if let Some(title) = line.strip_prefix("## ") {
            title.clone_into(&mut section);
        } else if let Some(words) = line.strip_prefix("```tariff") {
            let advice =
                words.split_whitespace().find_map(|word| word.strip_prefix("advice=")).map(str::to_owned);
            let example = Example { line: number + 2, section: section.clone(), advice, text: String::new() };
            open = Some((example, words.contains("fragment")));
        }
    }
    assert!(out.len() > 2 * CODES.len(), "{} examples", out.len());
    out
}

fn whole(text: &str) -> String {
    let head = "tariff \"Example\"\n  currency:  EUR\n  time zone: Europe/Vienna\n  prices:    including VAT\n\nVAT: 20%\n\n";
    let groups = if text.contains("for members") { "groups: members, everyone else guests\n\n" } else { "" };
    // Whatever comes out: it is only there so that there is one.
    let test =
        "\ntest \"ten kWh\"\n  charge 10 kWh from 2025-03-10 17:00 to 18:00\n  expect coupon 0.00 EUR\n";
    let test = if text.contains("\ntest ") { "" } else { test };
    format!("{head}{groups}{text}{test}")
}

fn compiled(text: &str) -> Compiled {
    let main = SourceFile { name: "example.tariff".into(), text: text.into() };
    compile(main, &mut |name| Err(format!("there is no `{name}`")))
}

fn codes(text: &str) -> Vec<&'static str> {
    let compiled = compiled(text);
    let said: Vec<_> = compiled.diagnostics.iter().map(|it| format!("{} {}", it.code, it.message)).collect();
    assert!(compiled.tariff.is_some(), "{said:?}\n{text}");
    lint(&compiled).iter().map(|found| found.code).collect()
}

#[test]
fn every_example_gets_its_advice_and_no_other() {
    for example in examples() {
        let wanted: Vec<&str> = example.advice.iter().map(String::as_str).collect();
        assert_eq!(codes(&example.text), wanted, "LINTS.md:{}\n{}", example.line, example.text);
        assert_eq!(format(&example.text).unwrap(), example.text, "LINTS.md:{} is not laid out", example.line);
    }
}

#[test]
fn every_rule_has_a_page_with_an_example_and_a_repaired_one() {
    let text = read("LINTS.md");
    let mut pages: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    for example in examples() {
        let page = pages.entry(example.section.clone()).or_default();
        match &example.advice {
            Some(code) => {
                assert_eq!(*code, example.section, "LINTS.md:{} stands on another page", example.line);
                page.0 += 1;
            }
            None => page.1 += 1,
        }
    }
    pages.remove("");
    assert_eq!(pages.keys().map(String::as_str).collect::<Vec<_>>(), CODES.map_to_codes());
    for (code, (wrong, right)) in pages {
        assert!(wrong > 0 && right > 0, "{code}: {wrong} wrong, {right} right");
    }
    for (code, title) in CODES {
        let row = format!("| [{code}](#{}) | {title} |", code.to_lowercase());
        assert!(text.lines().any(|line| line == row), "the list at the top has no row\n{row}");
    }
}

trait Codes {
    fn map_to_codes(&self) -> Vec<&'static str>;
}

impl Codes for [(&'static str, &'static str)] {
    fn map_to_codes(&self) -> Vec<&'static str> {
        self.iter().map(|(code, _)| *code).collect()
    }
}

#[test]
fn the_tests_of_whole_examples_pass() {
    for example in examples().into_iter().filter(|example| example.text.contains("expect total")) {
        let compiled = compiled(&example.text);
        let prepared = Prepared::new(compiled.tariff.unwrap()).unwrap();
        for result in scenario::run(&compiled.files[0], &prepared) {
            assert!(result.passed(), "LINTS.md:{} {}: {:?}", example.line, result.name, result.failures);
        }
    }
}

const HEAD: &str =
    "tariff \"A\"\n  currency: EUR\n  time zone: Europe/Vienna\n  prices: including VAT\nVAT: 20%\n";
const TEST: &str = "test \"t\"\n  charge 10 kWh from 2025-03-10 17:00 to 18:00\n  expect energy 4.00 EUR\n";

#[test]
fn advice_is_switched_off_for_a_line_or_the_file() {
    let list = |above: &str, behind: &str| {
        format!("{above}{HEAD}energy:\n  0.45 EUR/kWh during 08:00-19:59{behind}\n  0.35 EUR/kWh\n{TEST}")
    };
    assert_eq!(codes(&list("", "")), ["L11"]);
    assert_eq!(codes(&list("", "  # L11 is fine here: they close")), Vec::<&str>::new());
    assert_eq!(codes(&list("# L11 is fine in this file\n", "")), Vec::<&str>::new());
    assert_eq!(codes(&list("", "  # L12 is fine here")), ["L11", "L16"], "another code");
    assert_eq!(codes(&list("# L11 is fine here\n", "")), ["L16", "L11"], "another line");
    assert_eq!(codes(&list("", "  # L99 is fine here")), ["L11", "L16"]);
    let above = format!(
        "{HEAD}energy:\n  # L11 is fine here\n\n  0.45 EUR/kWh during 08:00-19:59\n  0.35 EUR/kWh\n{TEST}"
    );
    assert_eq!(codes(&above), Vec::<&str>::new(), "a line of its own is about the next one");
}

#[test]
fn advice_knows_bounds() {
    let with = |body: &str| codes(&format!("{HEAD}{body}\n{TEST}"));
    let none = Vec::<&str>::new();
    // Market prices are not known; what bounds them is.
    assert_eq!(with("energy: spot - 0.10 EUR/kWh"), none);
    assert_eq!(with("energy: lower of spot and -0.01 EUR/kWh"), none, "how low is not known");
    assert_eq!(with("energy: 0.40 EUR/kWh\nfeed-in: -0.10 EUR/kWh"), none, "a credit");
    // A grace of exactly the hours is one that ends with them.
    assert_eq!(
        with("energy: 0.40 EUR/kWh\nidle fee after 3 h:\n  0.10 EUR/min during 11:00-14:00\n  free"),
        none
    );
    assert_eq!(
        with("energy: 0.40 EUR/kWh\nidle fee after 7 h:\n  0.10 EUR/min during 22:00-04:00\n  free"),
        ["L02"],
        "over midnight"
    );
    assert_eq!(
        with("energy: 0.40 EUR/kWh\nidle fee after 5 h:\n  0.10 EUR/min during 22:00-04:00\n  free"),
        none
    );
    // A cap that can be reached.
    assert_eq!(
        with("energy: 0.40 EUR/kWh\nidle fee at most 150.00 EUR/day: 0.10 EUR/min"),
        none,
        "25 hours in autumn"
    );
    assert_eq!(with("energy: 0.40 EUR/kWh\nidle fee at most 150.01 EUR/day: 0.10 EUR/min"), ["L09"]);
    assert_eq!(with("energy: 0.40 EUR/kWh\nidle fee at most 999.00 EUR/session: 0.10 EUR/min"), none);
    assert_eq!(with("energy: 0.40 EUR/kWh\nstart fee at most 2.00 EUR/session: 1.00 EUR/session"), ["L09"]);
    // Slow chargers and contracts are not AFIR's business.
    assert_eq!(with("energy: 0.40 EUR/kWh\nstart fee: 1.00 EUR/session"), none);
    assert_eq!(
        with("energy: 0.40 EUR/kWh\nstart fee:\n  1.00 EUR/session on AC\n  free"),
        none,
        "direct current is free of it"
    );
    assert_eq!(
        with(
            "energy:\n  0.60 EUR/kWh on DC\n  0.40 EUR/kWh\nstart fee:\n  1.00 EUR/session via contract, roaming\n  free"
        ),
        none
    );
    assert_eq!(with("energy:\n  0.60 EUR/kWh on DC\n  0.40 EUR/kWh\ncharging time: 0.10 EUR/min"), ["L06"]);
}

#[test]
fn a_list_with_errors_gets_no_advice() {
    let found = lint(&compiled("tariff \"x\"\n  currency: EUR\nenergy: 45 EUR/kWh\n"));
    assert_eq!(found, Vec::new());
}
