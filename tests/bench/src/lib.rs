//! Our cases: what pricing costs from a parsed session, from JSON text, and reading by reading; what checking a list costs.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a benchmark that cannot prepare its case has nothing to measure"
)]

pub mod harness;
pub mod long_list;
pub mod memory;
pub mod scenario;

use harness::Case;
use scenario::{Cut, session_json, tariff_text};
use std::borrow::Cow;
use std::hint::black_box;
use takst_dsl::editor::Document;
use takst_dsl::lint::lint;
use takst_dsl::{Compiled, SourceFile, compile};
use takst_engine::document::inputs;
use takst_engine::session::{Reading, State, StateFrom};
use takst_engine::units::{Energy, Instant, MINUTE_MS};
use takst_engine::{Begin, Bill, Prepared, PriceBook, Pricer, Pricing, Running, Session, Standing, price};

/// All cases.
pub const CASES: &[Case] = &[
    Case { name: "hourly", prepare: || parsed(Cut::Hour) },
    Case { name: "quarter-hourly", prepare: || parsed(Cut::Quarter) },
    Case { name: "alone-hourly", prepare: || alone(Cut::Hour) },
    Case { name: "alone-quarter-hourly", prepare: || alone(Cut::Quarter) },
    Case { name: "json-hourly", prepare: || from_json(Cut::Hour) },
    Case { name: "json-quarter-hourly", prepare: || from_json(Cut::Quarter) },
    Case { name: "document-hourly", prepare: || document(Cut::Hour) },
    Case { name: "document-quarter-hourly", prepare: || document(Cut::Quarter) },
    Case { name: "reading-after-10", prepare: || one_more_reading(10) },
    Case { name: "reading-after-10000", prepare: || one_more_reading(10_000) },
    Case { name: "check-1000-lines", prepare: check },
    Case { name: "edit-1000-lines", prepare: edit },
];

/// A list that must be right.
pub fn checked(name: &str, text: &str) -> Compiled {
    let main = SourceFile { name: name.into(), text: text.into() };
    let compiled = compile(main, &mut |_| Err("there is no other list".into()));
    let said: Vec<_> = compiled.diagnostics.iter().map(|said| (said.code, &said.message)).collect();
    assert!(said.is_empty(), "{name}: {said:?}");
    compiled
}

/// The list of the scenario, ready, for as long as the program runs.
pub fn pricing(cut: Cut) -> Pricing<'static> {
    let tariff = checked("dam.tariff", &tariff_text(cut)).tariff.expect("a tariff that prices");
    let prepared = Box::leak(Box::new(Prepared::new(tariff).expect("a sound tariff")));
    let book = Box::leak(Box::new(PriceBook::default()));
    Pricing::new(prepared, book).expect("no feeds, no trouble")
}

/// The session of the scenario.
pub fn session(cut: Cut) -> Session {
    Session::from_json(&session_json(cut)).expect("a session")
}

/// The bill of the scenario.
pub fn bill(cut: Cut) -> Bill {
    price(&pricing(cut), &session(cut), &Standing::default()).expect("a bill")
}

// One session of many: memory is reused, as in `takst price` of a `.jsonl` and in the gateway.
fn parsed(cut: Cut) -> Box<dyn FnMut()> {
    let (session, standing) = (session(cut), Standing::default());
    let mut pricer = pricer(cut);
    Box::new(move || {
        black_box(pricer.price(black_box(&session), &standing).expect("a bill"));
    })
}

fn pricer(cut: Cut) -> Pricer<'static> {
    Pricer::new(Box::leak(Box::new(pricing(cut))))
}

// One session by itself: all memory is its own.
fn alone(cut: Cut) -> Box<dyn FnMut()> {
    let (pricing, session, standing) = (pricing(cut), session(cut), Standing::default());
    Box::new(move || {
        black_box(price(black_box(&pricing), black_box(&session), &standing).expect("a bill"));
    })
}

fn from_json(cut: Cut) -> Box<dyn FnMut()> {
    let (text, standing) = (session_json(cut), Standing::default());
    let mut pricer = pricer(cut);
    Box::new(move || {
        let session = Session::from_json(black_box(&text)).expect("a session");
        black_box(pricer.price(&session, &standing).expect("a bill"));
    })
}

fn document(cut: Cut) -> Box<dyn FnMut()> {
    let (pricing, text, standing) = (pricing(cut), session_json(cut), Standing::default());
    Box::new(move || {
        let session = Session::from_json(black_box(&text)).expect("a session");
        let bill = price(black_box(&pricing), &session, &standing).expect("a bill");
        let inputs = inputs(&pricing, text.as_bytes(), &standing);
        let document = bill.document(&pricing, &session, inputs);
        black_box(serde_json::to_string(&document).expect("JSON"));
    })
}

// A session that has had `readings` readings, one a minute, gets one more with every repetition.
fn one_more_reading(readings: i64) -> Box<dyn FnMut()> {
    let pricing = pricing(Cut::Hour);
    let session = session(Cut::Hour);
    let begin = Begin { plugged_in: session.plugged_in, explicit_states: true, explicit_power: false };
    let mut running = Running::begin(&pricing, Cow::Owned(session.facts), &begin, Standing::default())
        .expect("a beginning");
    let charging = StateFrom { from: session.plugged_in, state: State::Charging };
    running.state(&pricing, charging).expect("a state");
    let mut minute = 0;
    let mut next = move || {
        minute += 1;
        let at = Instant(session.plugged_in.0 + minute * MINUTE_MS);
        let reading = Reading { at, import: Energy(minute * 123_457), export: Energy(0), segment: 0 };
        running.reading(&pricing, black_box(reading)).expect("a reading");
    };
    for _ in 0..readings {
        next();
    }
    Box::new(next)
}

fn check() -> Box<dyn FnMut()> {
    let text = long_list::long_list();
    checked("long.tariff", &text);
    Box::new(move || {
        let main = SourceFile { name: "long.tariff".into(), text: black_box(&text).clone() };
        black_box(compile(main, &mut |_| Err("there is no other list".into())));
    })
}

// What an editor waits for after a key: the whole list checked again, with advice, and its places counted.
fn edit() -> Box<dyn FnMut()> {
    let text = long_list::long_list();
    checked("long.tariff", &text);
    Box::new(move || {
        let document = Document::new(black_box(&text).clone());
        let main = SourceFile { name: "long.tariff".into(), text: document.text().to_owned() };
        let compiled = compile(main, &mut |_| Err("there is no other list".into()));
        black_box((lint(&compiled), document));
    })
}
