//! What must hold for every tariff and every session, on the same random pairs that the oracle uses.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a panic is a failed test"
)]

use rust_decimal::Decimal;
use std::borrow::Cow;
use std::str::FromStr;
use takst_dsl::{SourceFile, compile};
use takst_engine::document::{Document, Inputs};
use takst_engine::exact::Num;
use takst_engine::session::Reading;
use takst_engine::units::{Energy, Instant};
use takst_engine::{Begin, Prepared, PriceBook, Pricing, Running, Session, Standing, price};
use takst_tests::random::pair;

/// Pairs per property.
const PAIRS: u64 = 3_000;

struct Ready {
    text: String,
    prepared: Prepared,
    book: PriceBook,
    session: Session,
    standing: Standing,
    cost: Option<Num>,
}

fn prepared(text: &str) -> Option<Prepared> {
    let main = SourceFile { name: "random.tariff".into(), text: text.into() };
    let tariff = compile(main, &mut |name| Err(format!("there is no `{name}`"))).tariff?;
    Some(Prepared::new(tariff).unwrap())
}

// None where the random list has lines that never win: the compiler refuses those.
fn ready(seed: u64) -> Option<Ready> {
    let mut pair = pair(seed);
    // All facts are told: a session that is refused has no bill.
    pair.session.hidden = None;
    if !pair.in_force() {
        return None;
    }
    let text = pair.tariff.to_text();
    let prepared = prepared(&text)?;
    let mut book = PriceBook::default();
    for file in pair.files_json() {
        book.add_json(&file).unwrap();
    }
    let session = Session::from_json(&pair.session.to_json()).unwrap();
    let standing = pair.standing_json().map(|text| Standing::from_json(&text).unwrap()).unwrap_or_default();
    let cost = pair.cost.map(|cost| Num::new(cost.units, cost.scale));
    Some(Ready { text, prepared, book, session, standing, cost })
}

fn each(mut property: impl FnMut(u64, &Ready)) {
    let mut tried = 0;
    for seed in 0..PAIRS {
        if let Some(ready) = ready(seed) {
            property(seed, &ready);
            tried += 1;
        }
    }
    assert!(tried > PAIRS / 2, "only {tried} of {PAIRS} random lists compiled");
}

impl Ready {
    fn pricing(&self) -> Pricing<'_> {
        let pricing = Pricing::new(&self.prepared, &self.book).unwrap();
        match self.cost {
            Some(cost) => pricing.with_cost_price(cost),
            None => pricing,
        }
    }

    fn document(&self, session: &Session) -> Document {
        let pricing = self.pricing();
        let bill = price(&pricing, session, &self.standing).unwrap();
        in_order(bill.document(&pricing, session, Inputs::default()))
    }
}

// What is pending is told charge by charge between two readings; its order says nothing.
fn in_order(mut bill: Document) -> Document {
    bill.pending.sort_by(|a, b| (&a.from, &a.to, &a.label).cmp(&(&b.from, &b.to, &b.label)));
    bill
}

fn decimal(text: &str) -> Decimal {
    Decimal::from_str(text).unwrap()
}

#[test]
fn the_energy_of_all_slices_is_the_difference_of_the_registers() {
    let mut checked = 0;
    each(|seed, ready| {
        let bill = ready.document(&ready.session);
        if !bill.pending.is_empty() {
            return;
        }
        let mut registers = 0;
        for both in ready.session.readings.windows(2) {
            if both[0].segment == both[1].segment {
                registers += both[1].import.0 - both[0].import.0;
            }
        }
        assert_eq!(decimal(&bill.energy_kwh), Energy(registers).kwh(), "seed {seed}");
        for charge in &ready.prepared.tariff().charges {
            if takst_engine::document::kind_text(charge.kind) == "energy"
                && charge.after.is_none()
                && charge.step.is_none()
            {
                let lines =
                    bill.lines.iter().filter(|line| line.charge == "energy" && line.label == charge.label);
                let sum: Decimal = lines.filter_map(|line| line.quantity.as_deref()).map(decimal).sum();
                assert_eq!(sum, Energy(registers).kwh(), "seed {seed}, `{}`\n{}", charge.label, ready.text);
                checked += 1;
            }
        }
    });
    assert!(checked > 500, "only {checked} energy charges were checked");
}

// The first line that is not the same, of both.
fn first_difference(a: &Document, b: &Document) -> Option<String> {
    let print = |bill: &Document| serde_json::to_string_pretty(bill).unwrap();
    let (a, b) = (print(a), print(b));
    let lines = a.lines().zip(b.lines()).enumerate().find(|(_, (a, b))| a != b);
    match lines {
        Some((nth, (left, right))) => {
            let around: Vec<&str> = a.lines().skip(nth.saturating_sub(12)).take(13).collect();
            Some(format!("{left} | {right}\nin\n{}", around.join("\n")))
        }
        None => (a != b).then(|| "one is longer".into()),
    }
}

// A reading between two others that lies exactly on their line, in whole milliseconds and millionths of a kWh.
fn exactly_between(a: Reading, b: Reading, at: u64) -> Option<Reading> {
    fn gcd(a: i64, b: i64) -> i64 {
        if b == 0 { a } else { gcd(b, a % b) }
    }
    let (run, up, out) = (b.at.0 - a.at.0, b.import.0 - a.import.0, b.export.0 - a.export.0);
    let steps = gcd(run, gcd(up, out));
    if a.segment != b.segment || steps < 2 {
        return None;
    }
    let step = 1 + i64::try_from(at % u64::try_from(steps - 1).unwrap()).unwrap();
    Some(Reading {
        at: Instant(a.at.0 + run / steps * step),
        import: Energy(a.import.0 + up / steps * step),
        export: Energy(a.export.0 + out / steps * step),
        segment: a.segment,
    })
}

#[test]
fn more_readings_of_the_same_energy_change_nothing() {
    let mut split = 0;
    each(|seed, ready| {
        let mut session = ready.session.clone();
        let mut readings = Vec::new();
        for (nth, reading) in (0..).zip(&session.readings) {
            if let Some(between) =
                readings.last().and_then(|last| exactly_between(*last, *reading, seed + nth))
            {
                readings.push(between);
                split += 1;
            }
            readings.push(*reading);
        }
        session.readings = readings;
        let difference = first_difference(&ready.document(&session), &ready.document(&ready.session));
        assert_eq!(difference, None, "seed {seed}\n{}\n{:#?}", ready.text, ready.session);
    });
    assert!(split > 1_000, "only {split} readings were added");
}

#[test]
fn reading_by_reading_is_the_same_as_at_once() {
    each(|seed, ready| {
        let session = &ready.session;
        let pricing = ready.pricing();
        let begin = Begin {
            plugged_in: session.plugged_in,
            explicit_states: !session.states.is_empty(),
            explicit_power: !session.power.is_empty(),
        };
        let facts = Cow::Borrowed(&session.facts);
        let mut running = Running::begin(&pricing, facts, &begin, ready.standing.clone()).unwrap();
        let (mut states, mut power, mut occupancy) = (
            session.states.iter().peekable(),
            session.power.iter().peekable(),
            session.occupancy.iter().peekable(),
        );
        for (nth, reading) in session.readings.iter().enumerate() {
            while let Some(state) = states.next_if(|state| state.from <= reading.at) {
                running.state(&pricing, *state).unwrap();
            }
            while let Some(power) = power.next_if(|power| power.from <= reading.at) {
                running.power(&pricing, *power).unwrap();
            }
            while let Some(occupancy) = occupancy.next_if(|occupancy| occupancy.from <= reading.at) {
                running.occupancy(&pricing, *occupancy).unwrap();
            }
            running.reading(&pricing, *reading).unwrap();
            if nth % 3 == 0 {
                // Looking at the price so far changes nothing.
                running.preview(&pricing).unwrap();
            }
        }
        for state in states {
            running.state(&pricing, *state).unwrap();
        }
        for power in power {
            running.power(&pricing, *power).unwrap();
        }
        for occupancy in occupancy {
            running.occupancy(&pricing, *occupancy).unwrap();
        }
        let Some(unplugged) = session.unplugged else { return };
        let bill = running.finish(&pricing, unplugged).unwrap();
        let bill = in_order(bill.document(&pricing, session, Inputs::default()));
        assert_eq!(first_difference(&bill, &ready.document(session)), None, "seed {seed}\n{}", ready.text);
    });
}

#[test]
fn the_layout_never_changes_a_bill() {
    each(|seed, ready| {
        let formatted =
            takst_dsl::format::format(&ready.text).unwrap_or_else(|error| panic!("seed {seed}: {error:?}"));
        let prepared = prepared(&formatted).unwrap_or_else(|| panic!("seed {seed}:\n{formatted}"));
        let again = Ready {
            prepared,
            text: formatted,
            book: ready.book.clone(),
            session: ready.session.clone(),
            standing: ready.standing.clone(),
            cost: ready.cost,
        };
        let (mut before, mut after) = (ready.document(&ready.session), again.document(&ready.session));
        for bill in [&mut before, &mut after] {
            // Lines may move in the file; everything else stays.
            bill.tariff.version.clear();
            bill.id.clear();
            for line in bill.lines.iter_mut().chain(&mut bill.payout_lines) {
                line.rule.clear();
            }
        }
        assert_eq!(first_difference(&before, &after), None, "seed {seed}\n{}", ready.text);
    });
}
