//! What the language takes, what it refuses and how it says so.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may stop"
)]

#[path = "syntax/layout.rs"]
mod layout;
#[path = "syntax/tree.rs"]
mod tree;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use takst_dsl::diagnostic::{Diagnostic, LineIndex};
use takst_dsl::parse::{CODES, parse};

/// One file per topic. Below a bad line stand the messages that it must give, as lines that start with `#!`:
/// the code, the columns (first to last character, from 1), the message; then the help and the replacement.
/// `UPDATE=1 cargo test` writes them anew.
const TOPICS: &[&str] = &[
    "characters",
    "conditions",
    "five-mistakes",
    "layout",
    "numbers",
    "statements",
    "tests",
    "times",
    "units",
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/files")
}

fn without_notes(text: &str) -> String {
    text.split_inclusive('\n').filter(|line| !line.starts_with("#!")).collect()
}

fn with_notes(text: &str) -> String {
    let found = parse(text, 0).diagnostics;
    let index = LineIndex::new(text);
    let mut out = String::new();
    for (nth, line) in text.split_inclusive('\n').enumerate() {
        out.push_str(line);
        for one in found.iter().filter(|one| index.line_column(one.span().start).0 == nth + 1) {
            note(&index, one, &mut out);
        }
    }
    out
}

fn columns(index: &LineIndex<'_>, span: takst_dsl::ast::Span) -> String {
    let (_, first) = index.line_column(span.start);
    let (_, end) = index.line_column(span.end);
    if end > first { format!("{first}-{}", end - 1) } else { format!("{first}") }
}

fn note(index: &LineIndex<'_>, one: &Diagnostic, out: &mut String) {
    writeln!(out, "#! {} {} {}", one.code, columns(index, one.span()), one.message).unwrap();
    if let Some(help) = &one.help {
        writeln!(out, "#!      help: {help}").unwrap();
    }
    if let Some((span, text)) = &one.fix {
        writeln!(out, "#!      fix {}: {text:?}", columns(index, *span)).unwrap();
    }
}

#[test]
fn every_mistake_gives_its_message() {
    for topic in TOPICS {
        let path = folder().join(format!("{topic}.tariff"));
        let written = std::fs::read_to_string(&path).unwrap();
        let expected = with_notes(&without_notes(&written));
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&path, expected).unwrap();
        } else if written != expected {
            let line = written.lines().zip(expected.lines()).position(|(a, b)| a != b);
            let at = line.unwrap_or_else(|| written.lines().count().min(expected.lines().count()));
            let show =
                |text: &str| text.lines().skip(at.saturating_sub(1)).take(4).collect::<Vec<_>>().join("\n");
            panic!(
                "{topic}, line {}:\n--- in the file\n{}\n--- now\n{}",
                at + 1,
                show(&written),
                show(&expected)
            );
        }
    }
}

#[test]
fn no_file_is_forgotten() {
    let files: BTreeSet<String> = std::fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    let good = drafts()
        .into_iter()
        .map(|(name, _)| format!("{name}.good.tariff"))
        .chain(["loose.formatted".to_owned()]);
    assert_eq!(files, TOPICS.iter().map(|topic| format!("{topic}.tariff")).chain(good).collect());
}

#[test]
fn every_code_has_an_example() {
    let shown: String = TOPICS
        .iter()
        .map(|t| std::fs::read_to_string(folder().join(format!("{t}.tariff"))).unwrap())
        .collect();
    // What belongs to a whole file is tested below; E005 stands for a grammar that says something else than its reader.
    let elsewhere = ["E001", "E002", "E003", "E004", "E005", "E006", "E007"];
    for (code, title) in CODES {
        assert!(
            elsewhere.contains(code) || shown.contains(&format!("#! {code} ")),
            "{code} ({title}) has no example"
        );
    }
    let codes: Vec<&str> = CODES.iter().map(|(code, _)| *code).collect();
    assert!(codes.is_sorted() && codes.iter().collect::<BTreeSet<_>>().len() == codes.len());
    for line in shown.lines().filter_map(|line| line.strip_prefix("#! E")) {
        let code = format!("E{}", &line[..3]);
        assert!(codes.contains(&code.as_str()), "{code} is not in the table");
    }
}

/// Messages are for operators: lower case, no full stop, nothing of the grammar's own names.
#[test]
fn messages_keep_the_style() {
    for topic in TOPICS {
        let text = without_notes(&std::fs::read_to_string(folder().join(format!("{topic}.tariff"))).unwrap());
        for found in parse(&text, 0).diagnostics {
            let help = found.help.clone().unwrap_or_else(|| panic!("no help: {}", found.message));
            assert!(!found.message.starts_with(char::is_uppercase), "{}", found.message);
            assert!(!found.message.ends_with('.') && !help.ends_with('.'), "{} / {help}", found.message);
            for raw in ["Rule", "EOI", "price_name", "w_", "_line", "Some("] {
                assert!(!found.message.contains(raw) && !help.contains(raw), "{} / {help}", found.message);
            }
            let span = found.span();
            assert!(text.get(span.start as usize..span.end as usize).is_some());
        }
    }
}

/// A replacement is only offered where it mends the line, or brings it to its next mistake.
#[test]
fn replacements_mend() {
    let mut mended = 0;
    for topic in TOPICS {
        let text = without_notes(&std::fs::read_to_string(folder().join(format!("{topic}.tariff"))).unwrap());
        let before = parse(&text, 0).diagnostics;
        for found in &before {
            let Some((span, new)) = &found.fix else { continue };
            let mut fixed = text.clone();
            fixed.replace_range(span.start as usize..span.end as usize, new);
            let after = parse(&fixed, 0).diagnostics;
            let line = |text: &str, one: &Diagnostic| LineIndex::new(text).line_column(one.span().start).0;
            let here = line(&text, found);
            let left: Vec<_> = after.iter().filter(|one| line(&fixed, one) == here).collect();
            assert!(
                left.iter().all(|one| one.message != found.message || one.span() != found.span()),
                "{topic}: {} is not mended by {new:?}",
                found.message
            );
            mended += usize::from(left.is_empty());
        }
    }
    assert!(mended > 80, "only {mended} replacements mend their line whole");
}

macro_rules! good {
    ($($name:literal),*) => { vec![$(($name, include_str!(concat!("files/", $name, ".good.tariff")))),*] };
}

/// Files without a mistake.
fn drafts() -> Vec<(&'static str, &'static str)> {
    good![
        "all",
        "loose",
        "01-borettslag-cost-price",
        "02-finland-spot",
        "03-netherlands-connection-fee",
        "04-brazil-idle-and-coupon",
        "05-hotel-guests-and-staff",
        "06-hotel-summer-based-on"
    ]
}

/// All root causes of a file in one run, each once.
#[test]
fn five_mistakes_give_five_messages() {
    let text = without_notes(include_str!("files/five-mistakes.tariff"));
    let found: Vec<_> = parse(&text, 0)
        .diagnostics
        .iter()
        .map(|d| &text[d.span().start as usize..d.span().end as usize])
        .map(str::to_owned)
        .collect();
    assert_eq!(found, ["colour", "energi", "0,55", "unless", "ten"]);
}

#[test]
fn good_files_have_no_message() {
    for (name, text) in drafts() {
        let parsed = parse(text, 0);
        let index = LineIndex::new(text);
        let shown: Vec<_> = parsed
            .diagnostics
            .iter()
            .map(|d| (index.line_column(d.span().start), d.message.clone()))
            .collect();
        assert!(shown.is_empty(), "{name}: {shown:?}");
    }
}

#[test]
fn text_of_any_size_gets_an_answer() {
    let codes = |text: &str| parse(text, 0).diagnostics.iter().map(|d| d.code).collect::<Vec<_>>();
    let start = std::time::Instant::now();
    assert_eq!(codes(&"(".repeat(100_000_000)), ["E001"]);
    assert_eq!(codes(&format!("energy: {}", "(".repeat(15_000))), ["E003"]);
    assert_eq!(codes(&format!("energy: {}", "(".repeat(9_000))), ["E004"]);
    assert_eq!(codes(&format!("energy: {}1 EUR/kWh{}", "(".repeat(50), ")".repeat(50))), [""; 0]);
    assert_eq!(codes(&format!("energy: {}1 EUR/kWh{}", "(".repeat(51), ")".repeat(51))), ["E004"]);
    assert_eq!(codes(&format!("energy: {}spot", "-".repeat(9_000))), ["E004"]);
    assert_eq!(codes(&format!("energy: {}spot", "- ".repeat(4_000))), ["E004"]);
    assert_eq!(codes(&format!("energy: {}spot", "higher of ".repeat(900))), ["E004"]);
    assert_eq!(
        codes(&format!("energy: {}spot{}", "higher of ".repeat(200), " and spot".repeat(200))),
        ["E004"]
    );
    assert_eq!(codes(&format!("energy: spot{}", " + spot".repeat(200))), [""; 0]);
    assert_eq!(codes(&format!("energy: spot{}", " + spot".repeat(201))), ["E004"]);
    assert_eq!(codes(&format!("energy: spot{}", " plus VAT".repeat(900))), ["E004"]);
    assert_eq!(codes(&"\n".repeat(1_000_000)), [""; 0]);
    assert_eq!(codes(&"# comment\n".repeat(400_000)), [""; 0]);
    assert_eq!(codes(&"VAT: 5%\n".repeat(100_001)).last(), Some(&"E006"));
    let many = parse(&"x\n".repeat(90_000), 0).diagnostics;
    assert_eq!(many.len(), 101);
    assert_eq!((many[100].code, many[100].message.as_str()), ("E007", "89900 more lines have mistakes"));
    assert_eq!(parse(&"x\n".repeat(101), 0).diagnostics[100].message, "1 more line has a mistake");
    assert!(start.elapsed() < std::time::Duration::from_secs(30), "{:?}", start.elapsed());
}

#[test]
fn line_ends_and_marks_of_any_kind() {
    let plain = "tariff \"x\"\n  currency: EUR\n# c\nVAT: 25%\n";
    let names = |text: &str| {
        let parsed = parse(text, 0);
        assert_eq!(parsed.diagnostics, []);
        (parsed.file.statements.len(), parsed.comments.iter().map(|c| c.it.clone()).collect::<Vec<_>>())
    };
    let expected = (2, vec!["# c".to_owned()]);
    for text in [
        plain.to_owned(),
        plain.replace('\n', "\r\n"),
        plain.replace('\n', "\r"),
        format!("\u{feff}{plain}"),
        plain.replace("  ", "\t"),
        plain.replace('\n', "   \n"),
        plain.trim_end().to_owned(),
    ] {
        assert_eq!(names(&text), expected, "{text:?}");
        assert_eq!(
            takst_dsl::format::format(&text).unwrap(),
            "tariff \"x\"\n  currency: EUR\n\n# c\nVAT: 25%\n"
        );
    }
    assert_eq!(names(""), (0, vec![]));
    assert_eq!(parse("VAT: 25%\0", 0).diagnostics[0].code, "E011");
    assert_eq!(parse("tariff \"a\0b\"", 7).diagnostics[0].labels[0].source, 7);
}

#[test]
fn bytes_that_are_not_text_are_named() {
    use takst_dsl::parse::decode;
    assert_eq!(decode("tariff \"ø\"".as_bytes()), Ok("tariff \"ø\""));
    let bad = decode(b"tariff \"x\"\n  # \xf8re\n").unwrap_err();
    assert_eq!((bad.code, bad.span().start), ("E002", 15));
    assert_eq!(bad.message, "line 2, column 5: the byte F8 is not UTF-8 text");
    assert_eq!(decode(b"\xff\xfet\0").unwrap_err().message, "this file is UTF-16 and not UTF-8");
}

#[test]
fn lines_and_columns() {
    let text = "aø\r\nb\rc\n";
    let index = LineIndex::new(text);
    assert_eq!(index.lines(), 4);
    assert_eq!(
        [0, 1, 3, 5, 7, 8, 9, 99].map(|at| index.line_column(at)),
        [(1, 1), (1, 2), (1, 3), (2, 1), (3, 1), (3, 2), (4, 1), (4, 1)]
    );
    assert_eq!([1, 2, 3, 4, 5].map(|nth| index.line(nth)), ["aø", "b", "c", "", ""]);
}
