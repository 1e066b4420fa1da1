//! Any JSON gets an answer.

use crate::{cdr_json, element, tariff};
use proptest::prelude::*;
use takst_gateway::exchange::ocpi::{Wanted, import, session};

fn samples() -> [String; 3] {
    let elements = [
        element(
            "ENERGY 0.25 vat 21 step 500; TIME 1.2",
            r#""start_time":"22:00","end_time":"06:00","day_of_week":["SATURDAY"],"max_kwh":20"#,
        ),
        element("TIME 2 vat 20; FLAT 1", r#""reservation":"RESERVATION_EXPIRES""#),
        element(
            "ENERGY 0.35; PARKING_TIME 6; FLAT 0.5",
            r#""min_duration":60,"min_power":3,"max_current":16"#,
        ),
    ];
    let tariff = tariff(&elements.join(","))
        .replace(r#""elements""#, r#""min_price":{"excl_vat":1,"incl_vat":2},"elements""#);
    let periods = [
        ("2025-01-15T10:00:00Z", "ENERGY 5 TIME 0.5 MAX_POWER 11"),
        ("2025-01-15T10:30:00Z", "PARKING_TIME 0.75"),
    ];
    let run = r#"{"start":"2025-01-01T00:00:00Z","end":"2025-01-01T01:00:00Z","kwh":5,"power":11}"#;
    [tariff, cdr_json("2025-01-15T12:00:00Z", &periods), run.to_owned()]
}

// Values that stand in the place of others.
const VALUES: [&str; 18] = [
    "null",
    "true",
    "-1",
    "0",
    "1e999",
    "-1e-30",
    "99999999999999999999999",
    "0.000000000000000001",
    "\"\"",
    "\"2025-13-40\"",
    "\"9999-12-31T23:59:59Z\"",
    "\"24:00\"",
    "[]",
    "{}",
    "[[[[1]]]]",
    "[{}]",
    "\"RESERVATION\"",
    "\"\\u0000\\\"\"",
];

fn answered(text: &str) {
    let wanted = Wanted { zone: Some("Europe/Amsterdam"), ..Wanted::default() };
    if let Ok(imported) = import(text, &wanted) {
        // What comes out is a tariff, laid out.
        let again = takst_dsl::format::format(&imported.text).unwrap();
        assert_eq!(again, imported.text);
        crate::prepared(&imported.text);
    }
    if let Some(Ok((session, _))) = session(text, "EUR") {
        let list = crate::prepared(
            &crate::imported(&tariff(&element("ENERGY 0.25; TIME 1; PARKING_TIME 1; FLAT 1", ""))).text,
        );
        let book = takst_engine::PriceBook::default();
        let pricing = takst_engine::Pricing::new(&list, &book).unwrap();
        let _ = takst_engine::price(&pricing, &session, &takst_engine::Standing::default());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_value_in_the_place_of_another(which in 0..3_usize, place in 0..400_usize, value in 0..VALUES.len()) {
        let text = &samples()[which];
        // The values stand behind colons and in lists.
        let starts: Vec<usize> = text.match_indices([':', '[', ',']).map(|(at, _)| at + 1).collect();
        let from = starts[place % starts.len()];
        let rest = &text[from..];
        let mut end = serde_json::Deserializer::from_str(rest).into_iter::<serde_json::Value>();
        let length = match end.next() {
            Some(Ok(_)) => end.byte_offset(),
            _ => 0,
        };
        answered(&format!("{}{}{}", &text[..from], VALUES[value], &rest[length..]));
    }

    #[test]
    fn a_text_cut_off_or_doubled(which in 0..3_usize, from in 0..1000_usize, until in 0..1000_usize) {
        let text = &samples()[which];
        let (from, until) = (from % text.len(), until % text.len());
        if text.is_char_boundary(from) && text.is_char_boundary(until) {
            answered(&text[..from]);
            answered(&format!("{}{}", &text[..from], &text[until..]));
        }
    }

    #[test]
    fn anything(text in "\\PC{0,60}") {
        answered(&text);
    }
}

#[test]
fn deep_and_wide_documents_are_answered_in_time() {
    let deep = "[".repeat(100_000);
    answered(&deep);
    answered(&format!("{deep}{}", "]".repeat(100_000)));
    answered(&format!("{}1{}", r#"{"data":"#.repeat(5_000), "}".repeat(5_000)));
    let many: Vec<String> = (0..300)
        .map(|n| element(&format!("ENERGY 0.{n:03}"), &format!(r#""min_kwh":{}"#, 1000 - n)))
        .collect();
    answered(&tariff(&many.join(",")));
}
