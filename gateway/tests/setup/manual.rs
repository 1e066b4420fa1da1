//! The manual of the set-up is true: every example in `SETUP.md` is read, and every key and code is in it.
//!
//! A block that opens with ```` ```toml ```` is a part of a set-up without mistakes. What it refers to and does not declare is added. Words
//! behind `toml` change that:
//!
//! - `error=S030`: exactly this code is reported. Of a warning: among others.
//! - `also=S011`: this code is reported besides; `also=E*`: any code that begins so.
//! - `file=people.toml`: a file that the other examples of the section find beside them (also of tariffs and texts).
//! - `latin1`: the file is saved in that encoding.
//!
//! `{250 lines: key_%n = 1}` stands for so many lines, `{1000 x}` for so many letters.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use takst_dsl::diagnostic::Severity;
use takst_gateway::setup::{
    Assignment, CODES, Charger, Connector, Driver, Effective, Environment, Feed, Files, Group, Habits,
    Invoices, Limits, Loaded, Mail, MeterTimes, Model, Organisation, Person, Plan, Plugin, Problems,
    Security, Seller, Settings, Site, Token, UnknownChargers,
};

fn manual() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("SETUP.md")).unwrap()
}

struct Block {
    line: usize,
    section: String,
    words: Vec<String>,
    text: String,
}

impl Block {
    fn value(&self, key: &str) -> Option<&str> {
        self.words.iter().find_map(|word| word.strip_prefix(key)?.strip_prefix('='))
    }
}

fn blocks(manual: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut section = String::new();
    let mut open: Option<Block> = None;
    for (nth, line) in manual.lines().enumerate() {
        match &mut open {
            Some(_) if line == "```" => blocks.extend(open.take()),
            Some(block) => writeln!(block.text, "{line}").unwrap(),
            None => {
                if let Some(title) = line.strip_prefix("## ") {
                    title.clone_into(&mut section);
                }
                if let Some(words) = line.strip_prefix("```") {
                    let words = words.split_whitespace().map(str::to_owned).collect();
                    open =
                        Some(Block { line: nth + 2, section: section.clone(), words, text: String::new() });
                }
            }
        }
    }
    assert!(open.is_none(), "a block is not closed");
    blocks
}

fn expand(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let count = |part: &str| part.split(' ').next().unwrap().parse::<usize>().unwrap();
        match line.split_once('{').filter(|(_, rest)| rest.starts_with(|c: char| c.is_ascii_digit())) {
            Some((before, rest)) if rest.contains(" lines: ") => {
                let (number, what) = rest.trim_end_matches('}').split_once(" lines: ").unwrap();
                for n in 1..=count(number) {
                    writeln!(out, "{before}{}", what.replace("%n", &n.to_string())).unwrap();
                }
            }
            Some((before, rest)) => writeln!(out, "{before}{}", "x".repeat(count(rest))).unwrap(),
            None => writeln!(out, "{line}").unwrap(),
        }
    }
    out
}

// What examples refer to: section, id, text.
const DECLARED: &[(&str, &str, &str)] = &[
    ("seller", "espoo", "[[seller]]\nid = \"espoo\"\nname = \"Espoo\"\n"),
    (
        "site",
        "otakaari-5",
        "[[site]]\nid = \"otakaari-5\"\nname = \"Otakaari 5\"\ntime_zone = \"Europe/Helsinki\"\nseller = \"espoo\"\n",
    ),
    (
        "charger",
        "OT-5",
        "[[charger]]\nid = \"OT-5\"\nsite = \"otakaari-5\"\nsecurity = { profile = 0 }\nconnector = [{ evse = 1 }, { evse = 2 }]\n",
    ),
    ("group", "VIP", "[[group]]\nid = \"VIP\"\n"),
    ("driver", "d-17", "[[driver]]\nid = \"d-17\"\n"),
];

const TARIFFS: [&str; 4] = ["fixed", "dearer", "cheap", "free"];

fn declares(text: &str, section: &str, id: &str) -> bool {
    let mut inside = false;
    text.lines().any(|line| {
        if line.starts_with("[[") && !line.contains('.') {
            inside = line == format!("[[{section}]]");
        }
        inside && line == format!("id = \"{id}\"")
    })
}

// What an example refers to and neither it nor the files beside it declare.
fn base(example: &str) -> String {
    let mut base = String::new();
    loop {
        let all = format!("{example}\n{base}");
        let missing = DECLARED
            .iter()
            .find(|(section, id, _)| all.contains(&format!("\"{id}\"")) && !declares(&all, section, id));
        let Some((_, _, text)) = missing else { return base };
        base.push_str(text);
    }
}

fn run(block: &Block, beside: &[&Block]) -> Result<Loaded, Problems> {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &[u8]| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    for name in TARIFFS {
        let head = "  currency: EUR\n  time zone: Europe/Helsinki\n  prices: including VAT\n\nVAT: 25.5%\n";
        write(
            &format!("{name}.tariff"),
            format!("tariff \"{name}\"\n{head}\nenergy: 0.20 EUR/kWh\n").as_bytes(),
        );
    }
    let mut declared = block.text.clone();
    for other in beside {
        write(other.value("file").unwrap(), other.text.as_bytes());
        declared.push_str(&other.text);
    }
    let text = expand(&block.text);
    if block.words.iter().any(|word| word == "latin1") {
        let bytes: Vec<u8> = text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
        write("takst.toml", &bytes);
    } else {
        write("takst.toml", text.as_bytes());
        write("base.toml", base(&declared).as_bytes());
    }
    let variable = |name: &str| (name == "OT_5_PASSWORD").then(|| b"0123456789abcdef0123".to_vec());
    Files::read(folder.path())?.load(&Environment { variable: &variable, ..Environment::default() })
}

fn problems(outcome: &Result<Loaded, Problems>) -> &Problems {
    match outcome {
        Ok(loaded) => &loaded.warnings,
        Err(problems) => problems,
    }
}

#[test]
fn every_example_does_what_the_page_says() {
    let manual = manual();
    let blocks = blocks(&manual);
    let mut ran = 0;
    for block in blocks.iter().filter(|block| block.words.first().is_some_and(|word| word == "toml")) {
        if block.value("file").is_some() {
            continue;
        }
        let place = format!("SETUP.md:{}", block.line);
        let beside: Vec<&Block> = blocks
            .iter()
            .filter(|other| other.section == block.section && other.value("file").is_some())
            .collect();
        let outcome = run(block, &beside);
        let problems = problems(&outcome);
        let found: BTreeSet<&str> = problems.diagnostics.iter().map(|found| found.code).collect();
        for diagnostic in &problems.diagnostics {
            assert!(problems.place(diagnostic).is_some(), "{place}: {} points nowhere", diagnostic.code);
            assert!(
                diagnostic.help.is_some() || diagnostic.code.starts_with('E'),
                "{place}: {} gives no help",
                diagnostic.code
            );
        }
        ran += 1;
        let Some(wanted) = block.value("error") else {
            assert!(outcome.is_ok(), "{place}:\n{problems}");
            assert!(!found.contains(block.section.as_str()), "{place}:\n{problems}");
            continue;
        };
        assert_eq!(wanted, block.section, "{place}");
        let wanted_count = problems.diagnostics.iter().filter(|found| found.code == wanted).count();
        assert_eq!(wanted_count, 1, "{place}:\n{problems}");
        let also = block.value("also").unwrap_or("none");
        let fits = |code: &str| {
            code == wanted || also.strip_suffix('*').map_or(code == also, |also| code.starts_with(also))
        };
        let errors = problems.diagnostics.iter().filter(|found| found.severity == Severity::Error);
        for other in errors {
            assert!(fits(other.code), "{place}:\n{problems}");
        }
    }
    assert!(ran > 100, "only {ran} examples");
}

#[test]
fn every_code_is_shown_wrong_and_right() {
    let manual = manual();
    let blocks = blocks(&manual);
    for (code, title) in CODES {
        assert!(
            manual.contains(&format!("| [{code}](#{}) | {title} |", code.to_lowercase())),
            "{code} is not in the table"
        );
        // Its example is a file that changes over time: see the tests of tariffs.
        if *code == "S057" {
            continue;
        }
        let of: Vec<&Block> =
            blocks.iter().filter(|block| block.section == *code && block.value("file").is_none()).collect();
        assert!(of.iter().any(|block| block.value("error") == Some(code)), "{code} has no wrong example");
        assert!(of.iter().any(|block| block.value("error").is_none()), "{code} has no right example");
    }
    for block in &blocks {
        let known = |code: &str| CODES.iter().any(|(known, _)| *known == code);
        assert!(block.value("error").is_none_or(known), "SETUP.md:{}: unknown code", block.line);
    }
}

// The keys and the last column of the tables of a section.
fn table(manual: &str, title: &str) -> BTreeMap<String, String> {
    let mut keys = BTreeMap::new();
    let section = manual.split("\n## ").find(|section| section.starts_with(&format!("{title}\n"))).unwrap();
    for line in section.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        for key in cells[0].split(", ") {
            keys.insert(
                key.trim_matches('`').to_owned(),
                cells.last().unwrap().trim_end_matches('|').trim().to_owned(),
            );
        }
    }
    keys
}

#[test]
fn every_key_is_explained() {
    let manual = manual();
    for (title, known) in [
        ("Organisation", vec![Organisation::KEYS]),
        ("Seller", vec![Seller::KEYS, Invoices::KEYS]),
        ("Site", vec![Site::KEYS, UnknownChargers::KEYS]),
        ("Charger", vec![Charger::KEYS, Connector::KEYS, Security::KEYS]),
        ("Model", vec![Model::KEYS, Habits::KEYS]),
        ("Group", vec![Group::KEYS]),
        ("Plan", vec![Plan::KEYS]),
        ("Driver", vec![Driver::KEYS]),
        ("Token", vec![Token::KEYS]),
        ("Person", vec![Person::KEYS]),
        ("Tariff", vec![Assignment::KEYS]),
        ("Feed", vec![Feed::KEYS]),
        ("Plugin", vec![Plugin::KEYS, MeterTimes::KEYS]),
        ("Settings", vec![Settings::KEYS]),
        ("Mail", vec![Mail::KEYS]),
        ("Limits", vec![Limits::KEYS]),
    ] {
        let explained: BTreeSet<String> = table(&manual, title).into_keys().collect();
        let known: BTreeSet<String> = known.concat().into_iter().map(str::to_owned).collect();
        assert_eq!(explained, known, "{title}");
    }
}

#[test]
fn the_defaults_are_those_of_the_program() {
    let manual = manual();
    let settings = serde_json::to_value(Effective::default()).unwrap();
    let limits = serde_json::to_value(Limits::default()).unwrap();
    for (title, defaults) in [("Settings", settings), ("Limits", limits)] {
        for (key, shown) in table(&manual, title) {
            let value = &defaults[&key];
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            assert_eq!(shown, format!("`{text}`"), "{key}");
        }
    }
}
