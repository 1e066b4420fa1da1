//! The reference is true: every example in `REFERENCE.md` and `ERRORS.md` is run.
//!
//! A block that opens with ```` ```tariff ```` is a whole file: nothing is reported, its layout is the canonical one and
//! its tests pass. Words behind `tariff` change that:
//!
//! - `fragment`: some statements. A heading and what they need is added; a name that nothing uses is no matter there.
//! - `NOK`, `USD`: the added heading has this currency and not EUR.
//! - `including`: the added heading says that prices include VAT.
//! - `error=E203`: exactly this code is reported, once.
//! - `also=E025`: this code may be reported besides.
//! - `file=base.tariff`: other blocks of the section can be based on it.
//! - `latin1`: the file is saved in that encoding.
//!
//! `{60 times: text}` stands for so many repetitions, on lines of their own when it is a line of its own; `{n}` in it counts.
//! `{U+200B}` stands for a character that cannot be seen.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use takst_dsl::diagnostic::{LineIndex, Severity};
use takst_dsl::format::format;
use takst_dsl::{Compiled, SourceFile, compile, holidays, lower, parse, resolve, scenario, units};
use takst_engine::Prepared;

fn read(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap()
}

/// All codes of the sources with their titles.
fn codes() -> BTreeMap<&'static str, &'static str> {
    let tables = [parse::CODES, resolve::CODES, units::CODES, lower::CODES];
    let mut codes = BTreeMap::new();
    for (code, title) in tables.into_iter().flatten() {
        assert!(codes.insert(*code, *title).is_none(), "{code} is declared twice");
    }
    codes
}

/// An example.
struct Block {
    file: &'static str,
    /// Of its first line, from 1.
    line: usize,
    /// The heading of level two above it.
    section: String,
    words: Vec<String>,
    text: String,
}

impl Block {
    fn says(&self, word: &str) -> bool {
        self.words.iter().any(|it| it == word)
    }

    fn value(&self, key: &str) -> Option<&str> {
        self.words.iter().find_map(|word| word.strip_prefix(key)?.strip_prefix('='))
    }

    fn place(&self) -> String {
        format!("{}:{}", self.file, self.line)
    }

    /// The text with its repetitions written out and, for a fragment, what it needs.
    fn whole(&self) -> String {
        let text = expand(&self.text);
        if !self.says("fragment") {
            return text;
        }
        let currency = ["NOK", "USD"].into_iter().find(|word| self.says(word)).unwrap_or("EUR");
        complete(&text, currency, self.says("including"))
    }
}

/// The examples of a document.
fn blocks(file: &'static str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut section = String::new();
    let mut open: Option<Block> = None;
    for (index, line) in read(file).lines().enumerate() {
        match &mut open {
            Some(_) if line == "```" => blocks.extend(open.take()),
            Some(block) => writeln!(block.text, "{line}").unwrap(),
            None => {
                if let Some(title) = line.strip_prefix("## ") {
                    title.clone_into(&mut section);
                }
                if let Some(info) = line.strip_prefix("```") {
                    let words = info.split_whitespace().map(str::to_owned).collect();
                    let block =
                        Block { file, line: index + 2, section: section.clone(), words, text: String::new() };
                    open = Some(block);
                }
            }
        }
    }
    assert!(open.is_none(), "{file}: a block is not closed");
    let known = ["tariff", "fragment", "including", "latin1", "NOK", "USD"];
    for block in &blocks {
        for word in block.words.iter().filter(|_| block.says("tariff")) {
            let key = word.split_once('=').map(|(key, _)| key);
            let fine = known.contains(&word.as_str()) || matches!(key, Some("error" | "also" | "file"));
            assert!(fine, "{}: `{word}` means nothing", block.place());
        }
    }
    blocks.retain(|block| block.says("tariff"));
    assert!(blocks.len() > 50, "{file} has few examples");
    blocks
}

/// Writes out `{60 times: text}` and `{U+200B}`.
fn expand(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let mut written = String::new();
        let mut rest = line;
        while let Some((before, from)) = rest.split_once('{') {
            written += before;
            if let Some((code, after)) = from.strip_prefix("U+").and_then(|code| code.split_once('}')) {
                written.push(char::from_u32(u32::from_str_radix(code, 16).unwrap()).unwrap());
                rest = after;
                continue;
            }
            // Up to the bracket that closes this one: `{n}` may stand inside.
            let mut depth = 1;
            let end = from.find(|c| {
                depth += i32::from(c == '{') - i32::from(c == '}');
                depth == 0
            });
            let end = end.unwrap_or_else(|| panic!("`{line}` is not closed"));
            let (count, what) = from[..end].split_once(" times: ").unwrap();
            let own_lines = written.trim().is_empty() && end + 1 == from.len();
            let between = if own_lines { format!("\n{written}") } else { String::new() };
            let many = (1..=count.parse::<usize>().unwrap()).map(|n| what.replace("{n}", &n.to_string()));
            written += &many.collect::<Vec<_>>().join(&between);
            rest = &from[end + 1..];
        }
        writeln!(out, "{written}{rest}").unwrap();
    }
    out
}

/// Declarations that a fragment gets when it uses the name and does not declare it.
const DECLARED: &[(&str, &str)] = &[
    ("daytime", "period daytime: 08:00-20:00\n"),
    ("night", "period night: 22:00-06:00\n"),
    ("garage", "chargers garage: \"SN-1\", \"SN-2\"\n"),
    ("harbour", "sites harbour: \"pier-1\"\n"),
    ("margin", "price margin: 0.05 EUR/kWh\n"),
    ("grid-rent", "price grid-rent: 0.04 EUR/kWh\n"),
];

/// Groups of which a fragment gets those it uses.
const GROUPS: &[&str] = &["VIP", "members", "employees"];

fn complete(text: &str, currency: &str, including: bool) -> String {
    let starts = |words: &[&str]| text.lines().any(|line| words.iter().any(|word| line.starts_with(word)));
    let code: String = text.lines().flat_map(|line| [line.split('#').next().unwrap(), "\n"]).collect();
    let uses = |name: &str| {
        let is_name = |c: char| c.is_alphanumeric() || c == '-';
        code.split(|c: char| !is_name(c)).any(|word| word == name)
    };
    let mut out = String::new();
    if !starts(&["tariff "]) {
        let zone = match currency {
            "NOK" => "Europe/Oslo",
            "USD" => "America/New_York",
            _ => "Europe/Vienna",
        };
        writeln!(out, "tariff \"Example\"\n  currency: {currency}\n  time zone: {zone}").unwrap();
        writeln!(out, "  prices: {} VAT", if including { "including" } else { "excluding" }).unwrap();
        if !starts(&["VAT:", "tax "]) {
            writeln!(out, "VAT: 20%").unwrap();
        }
        if !starts(&["groups:"]) {
            let used: Vec<&str> = GROUPS.iter().copied().filter(|group| uses(group)).collect();
            if !used.is_empty() || uses("guests") {
                let used: String = used.iter().map(|group| format!("{group}, ")).collect();
                writeln!(out, "groups: {used}everyone else guests").unwrap();
            }
        }
        for (name, declaration) in DECLARED {
            let declared = ["period", "chargers", "sites", "price"]
                .iter()
                .any(|word| starts(&[&format!("{word} {name}:")]));
            if uses(name) && !declared {
                out.push_str(declaration);
            }
        }
    }
    out.push_str(text);
    let charges = [
        "energy",
        "charging time",
        "connected time",
        "parking time",
        "idle fee",
        "start fee",
        "flat fee",
        "reservation fee",
        "feed-in",
        "payment fee",
        "monthly fee",
        "one-off fee",
        "power fee",
        "site credit",
        "payout to site",
    ];
    if !starts(&charges) && !code.contains("based on") {
        writeln!(out, "energy: 0.40 {currency}/kWh").unwrap();
    }
    out
}

/// Compiles an example; `all` are the ones it may be based on.
fn compiled(block: &Block, all: &[Block]) -> Compiled {
    let name = block.value("file").unwrap_or("example.tariff").to_owned();
    compile(SourceFile { name, text: block.whole() }, &mut |wanted| {
        let found = all.iter().find(|it| it.section == block.section && it.value("file") == Some(wanted));
        let found = found.ok_or("there is no such file")?;
        Ok(SourceFile { name: wanted.to_owned(), text: found.whole() })
    })
}

fn shown(compiled: &Compiled) -> String {
    let mut out = String::new();
    for found in &compiled.diagnostics {
        let source = &compiled.sources[usize::try_from(found.labels[0].source).unwrap()];
        let (line, column) = LineIndex::new(&source.text).line_column(found.span().start);
        let text = source.text.lines().nth(line - 1).unwrap_or_default();
        writeln!(out, "  {} {} ({line}:{column}) {text}", found.code, found.message).unwrap();
        if let Some(help) = &found.help {
            writeln!(out, "       help: {help}").unwrap();
        }
    }
    out
}

/// What is wrong with an example that should be right.
fn right(block: &Block, all: &[Block], strict: bool) -> String {
    let mut wrong = String::new();
    let compiled = compiled(block, all);
    let matters = |severity| severity == Severity::Error || strict || !block.says("fragment");
    let also = block.value("also");
    if compiled.diagnostics.iter().any(|found| matters(found.severity) && also != Some(found.code)) {
        let _ = writeln!(wrong, "{} is not right:\n{}", block.place(), shown(&compiled));
        return wrong;
    }
    match format(&block.text) {
        Ok(text) if text == block.text => {}
        Ok(text) => writeln!(wrong, "{} should be laid out so:\n{text}", block.place()).unwrap(),
        Err(error) => writeln!(wrong, "{}: {error}", block.place()).unwrap(),
    }
    let (Some(tariff), Some(file)) = (compiled.tariff, compiled.files.first()) else { return wrong };
    let prepared = Prepared::new(tariff).unwrap();
    for test in scenario::run(file, &prepared) {
        for failure in test.failures {
            let source = &compiled.sources[0].text;
            let (line, _) = LineIndex::new(source).line_column(failure.span.start);
            let text = source.lines().nth(line - 1).unwrap_or_default().trim();
            let got = failure.got.unwrap_or_default();
            writeln!(wrong, "{} test \"{}\": `{text}`: {} {got}", block.place(), test.name, failure.message)
                .unwrap();
        }
    }
    wrong
}

/// What is wrong with an example that should give this code once.
fn gives(block: &Block, all: &[Block], code: &str) -> String {
    if block.says("latin1") {
        let bytes: Vec<u8> = block.text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
        let found = parse::decode(&bytes).unwrap_err();
        return if found.code == code {
            String::new()
        } else {
            format!("{} gives {}\n", block.place(), found.code)
        };
    }
    let compiled = compiled(block, all);
    let also = block.value("also");
    let got: Vec<&str> =
        compiled.diagnostics.iter().map(|found| found.code).filter(|got| Some(*got) != also).collect();
    if got == [code] {
        return String::new();
    }
    format!("{} should give {code} once:\n{}", block.place(), shown(&compiled))
}

/// Runs a document's examples over all cores.
fn run(all: &[Block], strict: bool) {
    let workers = std::thread::available_parallelism().map_or(2, usize::from);
    let wrong: String = std::thread::scope(|scope| {
        let work = |first: usize| {
            let mine = all.iter().skip(first).step_by(workers);
            mine.map(|block| match block.value("error") {
                Some(code) => gives(block, all, code),
                None => right(block, all, strict),
            })
            .collect::<String>()
        };
        let running: Vec<_> = (0..workers).map(|first| scope.spawn(move || work(first))).collect();
        running.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn every_example_of_the_reference_is_as_it_says() {
    run(&blocks("REFERENCE.md"), false);
}

/// The rows of the table of wishes, each as a list. Spaces before conditions are not aligned there.
fn wishes() -> Vec<Block> {
    let text = read("REFERENCE.md");
    let table = text.lines().enumerate().skip_while(|(_, line)| !line.starts_with("| I want |"));
    let rows = table.take_while(|(_, line)| line.starts_with('|')).skip(2);
    let rows = rows.map(|(index, row)| {
        let says = row.split(" | ").nth(1).unwrap().trim_end_matches(" |");
        let mut text = String::new();
        let mut below = false;
        for line in says.split(" / ") {
            let line = line.strip_prefix('`').unwrap().strip_suffix('`').unwrap();
            let starts = line.contains(": ") || line.ends_with(':');
            assert!(starts || below, "{row}");
            below = line.ends_with(':') || !starts;
            writeln!(text, "{}{line}", if starts { "" } else { "  " }).unwrap();
        }
        let currency = if text.contains("NOK") { "NOK" } else { "EUR" };
        let words = ["tariff", "fragment", currency].map(str::to_owned).to_vec();
        let text = format(&text).unwrap_or(text);
        Block { file: "REFERENCE.md", line: index + 1, section: String::new(), words, text }
    });
    rows.collect()
}

#[test]
fn every_wish_is_granted() {
    let wishes = wishes();
    assert!(wishes.len() > 30);
    run(&wishes, true);
}

#[test]
fn every_example_of_the_error_pages_is_as_it_says() {
    run(&blocks("ERRORS.md"), true);
}

#[test]
fn every_code_has_a_page_with_a_wrong_and_a_right_example() {
    let codes = codes();
    let blocks = blocks("ERRORS.md");
    let text = read("ERRORS.md");
    let is_code = |title: &str| title.len() == 4 && title.starts_with(['E', 'W']);
    let pages: Vec<&str> =
        text.lines().filter_map(|line| line.strip_prefix("## ")).filter(|it| is_code(it)).collect();
    let unique: BTreeSet<&str> = pages.iter().copied().collect();
    assert_eq!(pages.len(), unique.len(), "a code has two pages");
    assert!(pages.is_sorted(), "pages stand in the order of their codes");
    let declared: BTreeSet<&str> = codes.keys().copied().collect();
    let missing: Vec<_> = declared.difference(&unique).collect();
    let unknown: Vec<_> = unique.difference(&declared).collect();
    assert!(missing.is_empty() && unknown.is_empty(), "without a page: {missing:?}; unknown: {unknown:?}");
    for (code, title) in codes {
        let row = format!("| [{code}](#{}) | {title} |", code.to_lowercase());
        assert!(text.lines().any(|line| line == row), "the list at the top has no row\n{row}");
        let mine = || blocks.iter().filter(|block| block.section == code);
        let wrong = mine().filter(|block| block.value("error") == Some(code)).count();
        // The grammar and the reader of its matches disagree: no text is known that shows it.
        assert!((wrong > 0) != (code == "E005"), "{code} has no wrong example");
        assert!(mine().any(|block| block.value("error").is_none()), "{code} has no right example");
        let stray = mine().find(|block| block.value("error").is_some_and(|it| it != code));
        assert!(stray.is_none(), "{code} has an example of another code");
    }
}

/// The sources of this crate.
fn sources(folder: &Path, into: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            into.push(fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn every_code_in_the_sources_is_in_a_table() {
    let codes = codes();
    let mut all = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut all);
    let tables: usize = all.iter().map(|text| text.matches("pub const CODES: &[(&str, &str)]").count()).sum();
    // One is of advice, which has a document of its own (`tests/lints.rs`).
    assert_eq!(tables, 5, "a table is not known here");
    let mut seen = BTreeSet::new();
    for text in &all {
        for word in text.split('"').filter(|word| word.len() == 4 && word.starts_with(['E', 'W'])) {
            if word[1..].bytes().all(|c| c.is_ascii_digit()) {
                assert!(codes.contains_key(word), "{word} is in no table");
                seen.insert(word.to_owned());
            }
        }
    }
    assert_eq!(seen.len(), codes.len());
}

#[test]
fn every_word_of_the_language_is_shown_in_an_example() {
    let blocks = blocks("REFERENCE.md");
    let joined = |c: char| c.is_alphanumeric() || c == '_';
    let code: Vec<&str> = blocks
        .iter()
        .filter(|block| block.value("error").is_none())
        .flat_map(|block| block.text.lines())
        .map(|line| line.split('#').next().unwrap())
        .collect();
    let shown = |word: &str| {
        code.iter().any(|line| {
            line.match_indices(word).any(|(at, _)| {
                !line[..at].ends_with(|c| joined(c) || c == '-')
                    && !line[at + word.len()..].starts_with(joined)
            })
        })
    };
    let grammar = read("src/grammar.pest");
    let words: Vec<&str> = grammar
        .lines()
        .filter(|line| line.starts_with("w_"))
        .map(|line| line.split('"').nth(1).unwrap())
        .collect();
    assert!(words.len() > 100);
    let missing: Vec<_> = words.into_iter().filter(|word| !shown(word)).collect();
    assert!(missing.is_empty(), "in no example: {missing:?}");
}

#[test]
fn every_region_of_public_holidays_is_listed() {
    let text = read("REFERENCE.md");
    for (code, name) in holidays::regions() {
        assert!(
            text.lines().any(|line| line.contains(&format!("`{code}`")) && line.contains(name)),
            "{code} {name}"
        );
    }
}

/// The anchor of a heading, as GitHub makes it.
fn anchor(title: &str) -> String {
    let kept = title.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

#[test]
fn every_link_leads_somewhere() {
    let documents = ["REFERENCE.md", "ERRORS.md"].map(|file| (file, read(file)));
    let anchors = |text: &str| -> BTreeSet<String> {
        text.lines()
            .filter(|line| line.starts_with('#'))
            .map(|line| anchor(line.trim_start_matches('#').trim()))
            .collect()
    };
    for (file, text) in &documents {
        let mut links = 0;
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.starts_with("http") {
                continue;
            }
            links += 1;
            let (target, at) = link.split_once('#').unwrap_or((link, ""));
            let target = if target.is_empty() { file } else { target };
            match documents.iter().find(|(known, _)| known == &target) {
                Some((_, text)) => {
                    assert!(at.is_empty() || anchors(text).contains(at), "{file} links to {link}");
                }
                None => {
                    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(target);
                    assert!(path.exists(), "{file} links to {link}");
                }
            }
        }
        assert!(links > 10, "{file} has few links");
    }
}
