//! Tariffs and sessions of partners: in, out, and what they cost.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that fails panics; counts are small"
)]

mod bills;
mod cdrs;
mod export;
mod generated;
mod hostile;
mod imports;
mod rounds;
mod slow;

use takst_dsl::compile::{SourceFile, compile};
use takst_engine::{Prepared, PriceBook, Pricing, Session, Standing, price};
use takst_gateway::exchange::ocpi::{Imported, Wanted, import, session};

/// The tariff file of a document, of locations in Amsterdam.
#[track_caller]
fn imported(text: &str) -> Imported {
    let wanted = Wanted { zone: Some("Europe/Amsterdam"), ..Wanted::default() };
    import(text, &wanted).unwrap_or_else(|wrong| panic!("{wrong:?}\n{text}"))
}

#[track_caller]
fn prepared(text: &str) -> Prepared {
    let source = SourceFile { name: "imported.tariff".into(), text: text.to_owned() };
    let compiled = compile(source, &mut |_| Err(String::new()));
    let tariff = compiled.tariff.unwrap_or_else(|| panic!("{:?}\n{text}", compiled.diagnostics));
    Prepared::new(tariff).unwrap()
}

/// What a session costs without and with VAT, in cents.
#[track_caller]
fn cost(prepared: &Prepared, session: &Session) -> (i64, i64) {
    let book = PriceBook::default();
    let pricing = Pricing::new(prepared, &book).unwrap();
    let bill = price(&pricing, session, &Standing::default()).unwrap();
    assert!(bill.is_final());
    (bill.net, bill.total)
}

/// A tariff of 2.2.1 with these elements.
fn tariff(elements: &str) -> String {
    format!(
        r#"{{"country_code":"NL","party_id":"TST","id":"t1","currency":"EUR","elements":[{elements}],"last_updated":"2025-01-01T00:00:00Z"}}"#
    )
}

/// A component, as in `ENERGY 0.25 vat 20 step 1`.
fn component(text: &str) -> String {
    let words: Vec<&str> = text.split(' ').collect();
    let mut fields = format!(r#""type":"{}","price":{}"#, words[0], words[1]);
    for pair in words[2..].chunks(2) {
        let name = if pair[0] == "step" { "step_size" } else { pair[0] };
        fields += &format!(r#","{name}":{}"#, pair[1]);
    }
    if !fields.contains("step_size") {
        fields += r#","step_size":1"#;
    }
    format!("{{{fields}}}")
}

/// An element with these components (apart by `;`) and restrictions.
fn element(components: &str, restrictions: &str) -> String {
    let components: Vec<String> = components.split(';').map(|text| component(text.trim())).collect();
    let restrictions = if restrictions.is_empty() {
        String::new()
    } else {
        format!(r#","restrictions":{{{restrictions}}}"#)
    };
    format!(r#"{{"price_components":[{}]{restrictions}}}"#, components.join(","))
}

/// A CDR: its end, and periods of a start and their dimensions, as in `ENERGY 1.5 TIME 0.5`.
fn cdr(end: &str, periods: &[(&str, &str)]) -> Session {
    taken(&cdr_json(end, periods))
}

fn cdr_json(end: &str, periods: &[(&str, &str)]) -> String {
    let dimensions = |text: &str| {
        let words: Vec<&str> = text.split_whitespace().collect();
        let one = |pair: &[&str]| format!(r#"{{"type":"{}","volume":{}}}"#, pair[0], pair[1]);
        words.chunks(2).map(one).collect::<Vec<_>>().join(",")
    };
    let one = |(at, text): &(&str, &str)| {
        format!(r#"{{"start_date_time":"{at}","dimensions":[{}]}}"#, dimensions(text))
    };
    let all: Vec<String> = periods.iter().map(one).collect();
    format!(
        r#"{{"id":"c1","start_date_time":"{}","end_date_time":"{end}","charging_periods":[{}]}}"#,
        periods[0].0,
        all.join(",")
    )
}

#[track_caller]
fn taken(text: &str) -> Session {
    session(text, "EUR").expect("a CDR or run").unwrap_or_else(|problem| panic!("{problem}\n{text}")).0
}
