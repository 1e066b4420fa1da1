//! What an editor offers and shows, at each place of a text.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may panic")]

use std::collections::BTreeSet;
use takst_dsl::coverage::{Proposal, coverage, proposals, suggestion};
use takst_dsl::editor::{Document, Encoding, Ran, complete, definition, hover, references, symbols, tokens};
use takst_dsl::{Compiled, SourceFile, compile, scenario};
use takst_engine::calendar::date;
use takst_engine::{Prepared, PriceBook};

const LIST: &str = "tariff \"Hotel Ø 🚗\"
  currency:  EUR
  time zone: Europe/Vienna
  prices:    excluding VAT

VAT: 20%

groups: VIP, everyone else guests
chargers garage: \"G-1\", \"G-2\"
period night: 22:00-06:00
value grace: 30 min
price margin: 0.05 EUR/kWh
feed nordic: EUR/kWh

energy:
  0.20 EUR/kWh    for VIP during night
  spot + margin   at garage
  0.40 EUR/kWh    otherwise

idle fee \"Parking\" after grace:
  0.10 EUR/min  during Mon-Fri 08:00-20:00
  free          otherwise

coupon \"TEN\": 10% of energy, once per driver

test \"a VIP at night\"
  driver in VIP
  at charger \"G-9\"
  charge 10 kWh from 2025-03-10 23:00 to 2025-03-11 00:00
  expect energy 2.00 EUR
";

fn compiled(text: &str) -> Compiled {
    let main = SourceFile { name: "list.tariff".into(), text: text.into() };
    compile(main, &mut |name| Err(format!("there is no `{name}`")))
}

/// The labels offered at `|` in lines put behind the list.
fn offered(lines: &str) -> Vec<String> {
    let at = lines.find('|').unwrap_or_else(|| panic!("{lines}"));
    let text = format!("{LIST}\n{}", lines.replacen('|', "", 1));
    let byte = LIST.len() + 1 + at;
    let files = ["base.tariff".to_owned()];
    let found = complete(&Document::new(text.clone()), byte, &compiled(&text), &files);
    for item in &found {
        let replaced = text.get(item.replace.start as usize..item.replace.end as usize).unwrap();
        assert!(
            item.replace.end as usize == byte && !replaced.contains('\n'),
            "{item:?} takes {replaced:?} away"
        );
    }
    found.into_iter().map(|item| item.label).collect()
}

fn offers(lines: &str, wanted: &[&str], unwanted: &[&str]) {
    let found = offered(lines);
    for word in wanted {
        assert!(found.iter().any(|label| label == word), "{lines}: no `{word}` in {found:?}");
    }
    for word in unwanted {
        assert!(!found.iter().any(|label| label == word), "{lines}: `{word}` in {found:?}");
    }
}

#[test]
fn names_and_words_are_offered_in_their_place() {
    offers("|", &["energy", "idle fee", "test", "change", "payout to site"], &["VIP", "for"]);
    offers("idle |", &["idle fee"], &["energy"]);
    offers("id|", &["idle fee"], &[]);
    offers("start fee: 1.00 |", &["EUR/session", "cent/session"], &["EUR/kWh"]);
    offers("start fee: 1.00 EUR/session |", &["for", "during", "otherwise", "up to"], &["VIP", "margin"]);
    offers("start fee: 1.00 EUR/session for |", &["VIP", "guests"], &["garage", "night", "margin"]);
    offers("start fee: 1.00 EUR/session for VIP, |", &["VIP", "guests"], &["garage"]);
    offers("start fee: 1.00 EUR/session at |", &["garage"], &["VIP"]);
    offers("start fee: 1.00 EUR/session on |", &["AC", "DC", "CCS", "Type2"], &["VIP"]);
    offers("start fee: 1.00 EUR/session via |", &["ad-hoc", "contract", "roaming"], &["VIP"]);
    offers(
        "start fee: 1.00 EUR/session during |",
        &["night", "Mon", "public holidays", "every day"],
        &["VIP"],
    );
    offers("start fee: 1.00 EUR/session during Mon-|", &["Fri"], &[]);
    offers("connected time after |", &["grace"], &["margin", "VIP"]);
    offers("payout to site:\n  |", &["margin", "nordic", "spot", "free", "higher of"], &["grace", "VIP"]);
    offers("payout to site:\n  margin + |", &["margin", "spot", "energy price"], &["for", "VIP"]);
    offers("payout to site:\n  margin |", &["for", "at most", "of"], &["spot"]);
    offers("payout to site:\n  ma|", &["margin"], &[]);
    offers("payout to site:\n  hourly |", &["nordic", "spot"], &["VIP"]);
    offers("payout to site:\n  0.10 EUR/|", &["kWh"], &["VIP"]);
    offers("VAT on |", &["energy", "idle fee"], &["VIP"]);
    offers("remove |", &["energy", "price", "idle fee \"Parking\""], &["VIP"]);
    offers("change |", &["energy", "price", "VAT"], &["test", "set", "tariff"]);
}

#[test]
fn settings_and_their_values() {
    let head = |line: &str| {
        let text = format!("tariff \"X\"\n  {}", line.replace('|', ""));
        let byte = "tariff \"X\"\n  ".len() + line.find('|').unwrap();
        let found =
            complete(&Document::new(text.clone()), byte, &compiled(&text), &["base.tariff".to_owned()]);
        found.into_iter().map(|item| item.label).collect::<Vec<_>>()
    };
    let has = |line: &str, word: &str| {
        let found = head(line);
        assert!(found.iter().any(|label| label == word), "{line}: no `{word}` in {found:?}");
    };
    has("|", "time zone");
    has("time |", "time zone");
    has("currency: |", "NOK");
    has("time zone: Europe/|", "Europe/Oslo");
    has("prices: |", "including VAT");
    has("prices: including |", "VAT");
    has("public holidays: |", "AT");
    has("spot area: |", "NO1");
    has("running sessions: |", "keep prices");
    has("based on: \"|", "base.tariff");
    has("bills: every |", "month");
}

#[test]
fn lines_of_tests() {
    offers("test \"x\"\n  |", &["charge", "expect", "driver in", "spot"], &["energy", "VIP"]);
    offers("test \"x\"\n  driver in |", &["VIP", "guests"], &["garage"]);
    offers("test \"x\"\n  feed |", &["nordic"], &["margin"]);
    offers(
        "test \"x\"\n  expect |",
        &["total", "net", "energy", "idle fee \"Parking\"", "pending"],
        &["VIP"],
    );
    offers("test \"x\"\n  expect total 1.00 |", &["EUR"], &["EUR/kWh"]);
    offers("test \"x\"\n  at charger \"|", &["G-1", "G-2"], &["VIP"]);
    offers("test \"x\"\n  coupon \"|", &["TEN"], &["VIP"]);
    offers("test \"x\"\n  expect idle fee \"|", &["Parking"], &[]);
    offers("test \"x\"\n  charge 10 |", &["kWh"], &[]);
    offers("test \"x\"\n  charge 10 kWh on |", &["AC", "CCS"], &["VIP"]);
    assert!(offered("energy \"E2\": 0.10 EUR/kWh # for |").is_empty(), "in a comment");
    assert!(offered("tariff \"for |").is_empty(), "in a text");
}

#[test]
fn no_place_of_any_text_is_too_much() {
    let texts = [
        LIST,
        "",
        "\u{feff}tariff \"x\"\r\n\tcurrency:\rEUR\n\n  \n# 🚗",
        "energy:\n\t\t0,5 € \"ø\n  🚗 for \u{0}",
    ];
    for text in texts {
        let compiled = compiled(text);
        let document = Document::new(text.to_owned());
        assert!(tokens(text, &compiled.files[0]).iter().all(|token| token.span.end as usize <= text.len()));
        assert!(symbols(&compiled.files[0], &document).iter().all(|it| it.whole.end as usize <= text.len()));
        let prepared = compiled.tariff.clone().map(|tariff| Prepared::new(tariff).unwrap());
        let book = PriceBook::default();
        let today = date(2025, 3, 10).unwrap();
        for byte in 0..=text.len() + 3 {
            let ran =
                prepared.as_ref().map(|prepared| Ran { prepared, results: &[], covered: &[], book: &book });
            let (line, character) = document.position(byte, Encoding::Utf16);
            let back = document.offset(line, character, Encoding::Utf16);
            assert!(back <= text.len() && text.is_char_boundary(back));
            let items = complete(&document, back, &compiled, &[]);
            assert!(items.iter().all(|item| item.replace.end as usize <= text.len()));
            let shown = hover(&document, back, &compiled, if byte % 7 == 0 { ran } else { None }, today);
            assert!(shown.is_none_or(|it| it.span.end as usize <= text.len()));
            let places = definition(&compiled.files, byte);
            assert!(places.len() <= references(&compiled.files, byte).1.len() + 1);
        }
    }
}

/// What is shown at the first place of a text.
fn shown(at: &str, today: i32) -> String {
    let compiled = compiled(LIST);
    let prepared = Prepared::new(compiled.tariff.clone().unwrap()).unwrap();
    let results = scenario::run(&compiled.files[0], &prepared);
    let covered = coverage(&compiled, &results);
    let book = PriceBook::default();
    let ran = Ran { prepared: &prepared, results: &results, covered: &covered, book: &book };
    let byte = LIST.find(at).unwrap();
    hover(&Document::new(LIST.to_owned()), byte, &compiled, Some(ran), today).unwrap().text
}

#[test]
fn a_price_line_shows_what_it_costs_today_with_taxes() {
    let monday = date(2025, 3, 10).unwrap();
    let night = shown("0.20 EUR/kWh", monday);
    assert!(night.contains("Today, all taxes in") && night.contains("**0.24 EUR/kWh**"), "{night}");
    assert!(night.contains("Reached by the test “a VIP at night”"), "{night}");
    let spot = shown("spot + margin", monday);
    assert!(spot.contains("0.18 EUR/kWh") && spot.contains("Feed prices are not known here"), "{spot}");
    assert!(spot.contains("No test reaches this line."), "{spot}");
    let parking = shown("0.10 EUR/min", monday);
    assert!(parking.contains("- 08:00–20:00: **0.12 EUR/min**"), "{parking}");
    let weekend = shown("0.10 EUR/min", date(2025, 3, 8).unwrap());
    assert!(weekend.contains("Not today; on Mon 2025-03-10"), "{weekend}");
}

#[test]
fn a_name_shows_its_unit_and_where_it_comes_from() {
    let monday = date(2025, 3, 10).unwrap();
    let margin = shown("margin   at", monday);
    assert!(margin.contains("**margin**: EUR/kWh, excluding VAT"), "{margin}");
    assert!(margin.contains("price margin: 0.05 EUR/kWh"), "{margin}");
    let grace = shown("grace:\n  0.10", monday);
    assert!(grace.contains("**grace**: a time"), "{grace}");
    let word = shown("tariff \"", monday);
    assert!(word.contains("tariff \"Name of the list\""), "{word}");
}

#[test]
fn a_test_is_proposed_for_a_line_without_one() {
    let compiled = compiled(LIST);
    let prepared = Prepared::new(compiled.tariff.clone().unwrap()).unwrap();
    let results = scenario::run(&compiled.files[0], &prepared);
    let covered = coverage(&compiled, &results);
    let counts: Vec<(usize, usize)> = covered.iter().map(|it| (it.line, it.tests.len())).collect();
    assert_eq!(counts, [(12, 0), (6, 1), (16, 1), (17, 0), (18, 0), (21, 0), (22, 0)]);
    let spot = covered.iter().find(|it| it.line == 17).unwrap();
    let test = suggestion(&compiled, &prepared, spot).unwrap();
    let expected = "test \"energy price: spot + margin at garage\"
  at charger \"G-1\"
  spot 0.10 EUR/kWh
  charge 10 kWh from 2025-01-01 00:00 to 2025-01-01 01:00
  expect total 1.80 EUR
";
    assert_eq!(test, expected);
}

#[test]
fn no_test_is_proposed_twice() {
    let list = "tariff \"A\"\n  currency: EUR\n  time zone: Europe/Vienna\n  prices: including VAT\n\nVAT: 20%\n\ngroups: members, everyone else guests\n\n\
                price margin: 0.05 EUR/kWh\n\nenergy:\n  0.30 EUR/kWh + margin  for members\n  0.40 EUR/kWh + margin  otherwise\n\n\
                start fee: 0.50 EUR/session\n\nconnected time: 0.01 EUR/min\n\nidle fee: 0.10 EUR/min\n";
    let compiled = compiled(list);
    let prepared = Prepared::new(compiled.tariff.clone().unwrap()).unwrap();
    let covered = coverage(&compiled, &[]);
    let found = proposals(&compiled, &prepared, &covered);
    assert_eq!((found.len(), found.iter().flatten().count()), (covered.len(), covered.len()));
    let mut texts: Vec<&str> = Vec::new();
    for (index, proposal) in found.iter().flatten().enumerate() {
        match proposal {
            Proposal::Test(text) => texts.push(text),
            // What it refers to is a test, and stands above.
            Proposal::Above(above) => {
                assert!(
                    *above < index && matches!(found[*above], Some(Proposal::Test(_))),
                    "{index} {above}"
                );
            }
        }
    }
    let steps: BTreeSet<String> =
        texts.iter().map(|text| text.lines().skip(1).collect::<Vec<_>>().join("\n")).collect();
    assert!(steps.len() == texts.len() && texts.len() < covered.len(), "{texts:#?}");
    // Together they reach every line.
    let whole = format!("{list}\n{}", texts.join("\n"));
    let compiled = self::compiled(&whole);
    let prepared = Prepared::new(compiled.tariff.clone().unwrap()).unwrap();
    let results = scenario::run(&compiled.files[0], &prepared);
    let covered = coverage(&compiled, &results);
    assert!(covered.iter().all(|it| !it.tests.is_empty()), "{covered:#?}");
    assert!(proposals(&compiled, &prepared, &covered).iter().all(Option::is_none));
}
