//! Any bytes: an answer, never a panic, never unbounded time or memory.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a panic is a failed test"
)]

use proptest::prelude::*;
use takst_dsl::{Compiled, SourceFile, compile};
use takst_engine::{Prepared, PriceBook, Pricing, Session, Standing, price};
use takst_tests::hostile::{MUCH, SESSION, session_json, tariff_text};

fn compiled(text: String) -> Compiled {
    compile(SourceFile { name: "hostile.tariff".into(), text }, &mut |name| {
        Err(format!("there is no `{name}`"))
    })
}

// Some bytes of a good text replaced, removed, doubled.
fn damaged(good: &'static str) -> impl Strategy<Value = Vec<u8>> {
    let edit = (0..good.len(), 0..12_usize, proptest::collection::vec(any::<u8>(), 0..6));
    proptest::collection::vec(edit, 1..6).prop_map(move |edits| {
        let mut bytes = good.as_bytes().to_vec();
        for (at, remove, insert) in edits {
            let at = at.min(bytes.len());
            let end = (at + remove).min(bytes.len());
            bytes.splice(at..end, insert);
        }
        bytes
    })
}

// Numbers of a good text made huge, tiny, negative, or of many digits.
fn numbers(good: &'static str) -> impl Strategy<Value = String> {
    let odd = prop_oneof![
        Just("1e30".to_owned()),
        Just("1000000000000000000000000000000".to_owned()),
        Just("-1".to_owned()),
        Just("0".to_owned()),
        Just("0.000000000000000000000000000001".to_owned()),
        Just("9999".to_owned()),
        Just("79228162514264337593543950335".to_owned()),
        any::<i64>().prop_map(|number| number.to_string()),
    ];
    (proptest::collection::vec(any::<proptest::sample::Index>(), 1..4), odd).prop_map(move |(places, odd)| {
        let mut text = good.to_owned();
        for place in places {
            let starts: Vec<usize> = (0..text.len())
                .filter(|at| {
                    text.as_bytes()[*at].is_ascii_digit()
                        && (*at == 0 || !text.as_bytes()[at - 1].is_ascii_digit())
                })
                .collect();
            if starts.is_empty() {
                break;
            }
            let start = *place.get(&starts);
            let digits =
                text[start..].bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b'.').count();
            text.replace_range(start..start + digits, &odd);
        }
        text
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_as_a_tariff(bytes in proptest::collection::vec(any::<u8>(), 0..2_000)) {
        tariff_text(&bytes);
    }

    #[test]
    fn a_damaged_tariff(bytes in damaged(MUCH)) {
        tariff_text(&bytes);
    }

    #[test]
    fn a_tariff_with_odd_numbers(text in numbers(MUCH)) {
        tariff_text(text.as_bytes());
    }

    #[test]
    fn any_bytes_as_a_session(bytes in proptest::collection::vec(any::<u8>(), 0..2_000)) {
        session_json(&bytes);
    }

    #[test]
    fn a_damaged_session(bytes in damaged(SESSION)) {
        session_json(&bytes);
    }

    #[test]
    fn a_session_with_odd_numbers(text in numbers(SESSION)) {
        session_json(text.as_bytes());
    }
}

#[test]
fn a_hundred_megabytes_of_brackets_are_answered() {
    let found = compiled("(".repeat(100 << 20));
    assert!(found.tariff.is_none());
    assert_eq!(found.diagnostics.len(), 1, "{:?}", found.diagnostics);
}

#[test]
fn deep_brackets_are_answered() {
    let formula = format!("{}1{}", "(".repeat(15_000), ")".repeat(15_000));
    let text = MUCH.replace("0.05 EUR/kWh", &formula);
    assert!(compiled(text).tariff.is_none());
}

#[test]
fn a_million_lines_are_answered() {
    for line in ["\n", "# a comment\n", "energy: 1.00 EUR/kWh\n", "  0.10 EUR/kWh\n", "x\n"] {
        let found = compiled(line.repeat(1_000_000));
        assert!(found.tariff.is_none());
        assert!(
            !found.diagnostics.is_empty() && found.diagnostics.len() <= 300,
            "{}",
            found.diagnostics.len()
        );
    }
}

#[test]
fn a_session_with_a_million_readings_is_priced() {
    let tariff = compiled(MUCH.to_owned()).tariff.unwrap();
    let prepared = Prepared::new(tariff).unwrap();
    let book = PriceBook::default();
    let pricing = Pricing::new(&prepared, &book).unwrap();
    let mut session = Session::from_json(SESSION).unwrap();
    let (first, last) = (session.readings[0], session.readings[1]);
    session.readings = (0..1_000_000)
        .map(|nth| {
            let mut reading = first;
            reading.at.0 += (last.at.0 - first.at.0) * nth / 1_000_000;
            reading.import.0 += nth;
            reading
        })
        .collect();
    let bill = price(&pricing, &session, &Standing::default()).unwrap();
    assert_eq!(bill.energy.0, 999_999);
}

#[test]
fn prices_beyond_counting_are_an_error_and_not_a_wrong_bill() {
    let text = MUCH.replace(
        "0.40 EUR/kWh",
        "999999999999.999999999999 EUR/kWh * 999999999999.999999999999 * 999999999999",
    );
    let found = compiled(text);
    if let Some(tariff) = found.tariff {
        let prepared = Prepared::new(tariff).unwrap();
        let book = PriceBook::default();
        let pricing = Pricing::new(&prepared, &book).unwrap();
        let mut session = Session::from_json(SESSION).unwrap();
        session.facts.groups.clear();
        session.occupancy.truncate(1);
        let error = price(&pricing, &session, &Standing::default()).unwrap_err();
        assert!(error.to_string().contains("too large"), "{error}");
    } else {
        assert!(!found.diagnostics.is_empty());
    }
}
