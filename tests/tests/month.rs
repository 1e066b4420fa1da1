//! Months that no single crate sees: bills that were given out before, corrected ones, floors over several sessions.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a panic is a failed test")]

use serde_json::{Value, json};
use std::collections::BTreeMap;
use takst_dsl::{SourceFile, compile};
use takst_engine::correction::correct;
use takst_engine::document::{Document, inputs};
use takst_engine::month::{MonthInput, MonthStatements, month};
use takst_engine::{Prepared, PriceBook, Pricing, Session, Standing, price, price_with};
use takst_tests::oracle::conditions::tax_fraction;
use takst_tests::oracle::month::{Month, Party, Row, settle as settle_by_oracle, totals};
use takst_tests::oracle::number::{minor_units, print, read, whole};
use takst_tests::random::month::month as random;

/// Random months that are settled; `TAKST_MONTHS` sets how many.
const MONTHS: u64 = 300;

/// A list of these lines.
fn list(lines: &str) -> Prepared {
    let text = format!(
        "tariff \"House\"\n  currency: EUR\n  time zone: Europe/Oslo\n  prices: including VAT\n\nVAT: 25%\n\n{lines}"
    );
    let main = SourceFile { name: "house.tariff".into(), text };
    let compiled = compile(main, &mut |name| Err(format!("there is no `{name}`")));
    Prepared::new(compiled.tariff.unwrap_or_else(|| panic!("{:?}", compiled.diagnostics))).unwrap()
}

/// A session of driver `d` on a day of March 2025, from 17:00 to 18:00.
fn session(id: &str, day: u32, kwh: &str) -> Value {
    let at = |hour: u32| format!("2025-03-{day:02}T{hour}:00:00+01:00");
    json!({
        "id": id, "site": "s", "charger": "c", "driver": "d",
        "plugged_in": at(17), "unplugged": at(18),
        "readings": [{"at": at(17), "import_kwh": "0"}, {"at": at(18), "import_kwh": kwh}],
    })
}

fn bill(prepared: &Prepared, session: &Value, standing: &Standing) -> Document {
    let book = PriceBook::default();
    let pricing = Pricing::new(prepared, &book).unwrap();
    let session = Session::from_json(&session.to_string()).unwrap();
    let bill = price(&pricing, &session, standing).unwrap();
    bill.document(&pricing, &session, inputs(&pricing, b"", standing))
}

fn settle(prepared: &Prepared, rest: &Value) -> MonthStatements {
    let book = PriceBook::default();
    let pricing = Pricing::new(prepared, &book).unwrap();
    let mut input = json!({"site": "s", "month": "2025-03"});
    for (name, value) in rest.as_object().unwrap() {
        input[name] = value.clone();
    }
    month(&pricing, &MonthInput::from_json(&input.to_string()).unwrap()).unwrap()
}

fn of<'a>(settled: &'a MonthStatements, kind: &str, driver: Option<&str>) -> &'a Document {
    let mut found =
        settled.statements.iter().filter(|one| one.kind == kind && one.driver.as_deref() == driver);
    found.next().unwrap()
}

#[test]
fn a_bill_does_not_make_its_driver_forget_his_group() {
    let prepared = list(
        "groups: members, everyone else guests\n\nenergy: 0.40 EUR/kWh\n\nmonthly fee:\n  \
         3.00 EUR/charger/month  for members\n  9.00 EUR/charger/month  for guests\n",
    );
    let mut session = session("1", 10, "10");
    session["groups"] = json!(["members"]);
    let bill = bill(&prepared, &session, &Standing::default());
    let chargers = json!([{"id": "c", "driver": "d", "groups": ["members"]}]);
    let settled = settle(&prepared, &json!({"bills": [bill], "chargers": chargers}));
    let rows = settled.statements.iter().flat_map(|statement| &statement.charges);
    let fee: Vec<&str> =
        rows.filter(|row| row.charge == "monthly fee").map(|row| row.amount.as_str()).collect();
    assert_eq!(fee, ["3.00"]);
}

#[test]
fn what_a_correction_paid_out_is_not_paid_out_again() {
    let prepared = list(
        "energy:\n  0.35 EUR/kWh  whole month from 20 kWh per driver\n  0.40 EUR/kWh  otherwise\n\n\
         payout to site: 0.25 EUR/kWh\n",
    );
    let (wrong, right) = (session("1", 10, "10"), session("1", 10, "12"));
    let first = bill(&prepared, &wrong, &Standing::default());
    let correction = correct(&first, &[], &bill(&prepared, &right, &Standing::default())).unwrap();
    let settled = settle(
        &prepared,
        &json!({"bills": [first, correction], "sessions": [right, session("2", 11, "15")]}),
    );
    // 27 kWh, all of them at the price of the whole month.
    assert_eq!(of(&settled, "statement", Some("d")).total, "9.45");
    let payout = of(&settled, "payout", None);
    assert_eq!(payout.total, "6.75");
    assert_eq!(settled.totals.payout.as_deref(), Some("6.75"));
    let lines: f64 = payout.lines.iter().map(|line| line.amount.parse::<f64>().unwrap()).sum();
    assert!((lines - 6.75).abs() < 1e-9, "{:#?}", payout.lines);
}

#[test]
fn a_changed_payout_replaces_that_of_bill_and_correction() {
    // Free for the driver from 20 kWh on; the payout follows the same line.
    let prepared = list(
        "energy: 0.40 EUR/kWh\n\npayout to site:\n  0.30 EUR/kWh  whole month from 20 kWh per driver\n  \
         0.25 EUR/kWh  otherwise\n",
    );
    let (wrong, right) = (session("1", 10, "10"), session("1", 10, "12"));
    let first = bill(&prepared, &wrong, &Standing::default());
    let correction = correct(&first, &[], &bill(&prepared, &right, &Standing::default())).unwrap();
    let settled = settle(
        &prepared,
        &json!({"bills": [first, correction], "sessions": [right, session("2", 11, "15")]}),
    );
    assert_eq!(of(&settled, "payout", None).total, "8.10");
}

#[test]
fn a_floor_over_several_sessions_lifts_what_they_come_to_together() {
    for (floor, charge) in [
        ("energy at least 5.00 EUR/month per driver: 0.10 EUR/kWh\n", "driver lift Energy 2025-03"),
        ("energy: 0.10 EUR/kWh\n\ntotal: at least 5.00 EUR/month per driver\n", "driver lift total 2025-03"),
    ] {
        let prepared = list(floor);
        let of_sessions = |kwh: &[&str]| {
            let sessions: Vec<Value> =
                kwh.iter().zip(10..).map(|(kwh, day)| session(&day.to_string(), day, kwh)).collect();
            let settled = settle(&prepared, &json!({"sessions": sessions}));
            let lifted = settled.standing.drivers["d"].get(charge).to_string();
            (of(&settled, "statement", Some("d")).total.clone(), lifted)
        };
        assert_eq!(of_sessions(&["10"]), ("5.00".into(), "4".into()), "{floor}");
        assert_eq!(of_sessions(&["10", "20"]), ("5.00".into(), "2".into()), "{floor}");
        assert_eq!(of_sessions(&["10", "20", "20"]), ("5.00".into(), "0".into()), "{floor}");
        assert_eq!(of_sessions(&["10", "20", "60", "10"]), ("10.00".into(), "0".into()), "{floor}");
    }
}

#[test]
fn a_floor_per_day_lifts_each_day_once() {
    let prepared = list("energy at least 5.00 EUR/day per driver: 0.10 EUR/kWh\n");
    let mut second = session("2", 10, "20");
    for (field, hour) in [("plugged_in", 19), ("unplugged", 20)] {
        second[field] = json!(format!("2025-03-10T{hour}:00:00+01:00"));
    }
    for (place, hour) in [(0, 19), (1, 20)] {
        second["readings"][place]["at"] = json!(format!("2025-03-10T{hour}:00:00+01:00"));
    }
    let sessions = [session("1", 10, "10"), second, session("3", 11, "10")];
    let settled = settle(&prepared, &json!({"sessions": sessions}));
    assert_eq!(of(&settled, "statement", Some("d")).total, "10.00");
}

#[test]
fn a_floor_gives_back_by_bill_and_in_the_month_alike() {
    let prepared = list("energy at least 5.00 EUR/month per driver after 1 kWh: 0.10 EUR/kWh\n");
    let first = bill(&prepared, &session("1", 10, "10"), &Standing::default());
    // It does not reach 1 kWh by itself, but was lifted before.
    let second = bill(&prepared, &session("2", 11, "0.5"), &first.standing);
    assert_eq!((first.total.as_str(), second.total.as_str()), ("5.00", "0.00"));
    let settled = settle(&prepared, &json!({"bills": [first, second], "sessions": [session("3", 12, "40")]}));
    assert_eq!(of(&settled, "statement", Some("d")).total, "5.05");
}

#[test]
fn notes_about_the_site_are_told_apart_by_more_than_their_words() {
    let prepared = list("energy: 0.10 EUR/kWh\n\npower fee from highest hour: 1.00 EUR/kW\n");
    let mut other = session("2", 11, "30");
    other["driver"] = json!("here)");
    let values: Vec<Value> = (0..743)
        .map(|hour: i64| {
            let at = |hour: i64| {
                let from = takst_engine::units::Instant(1_740_783_600_000 + hour * 3_600_000);
                takst_engine::calendar_time::utc_text(from)
            };
            json!({"from": at(hour), "to": at(hour + 1), "import_kwh": if hour == 9 { "10" } else { "1" }})
        })
        .collect();
    let settled = settle(
        &prepared,
        &json!({"sessions": [session("1", 10, "10"), other], "meters": [{"metering_point": "m", "values": values}]}),
    );
    assert_eq!(settled.site_notes, ["Power fee: mean 10 kW of 10 kW at 2025-03-01T09:00:00+01:00"]);
    for driver in ["d", "here)"] {
        let notes = &of(&settled, "statement", Some(driver)).notes;
        assert_eq!(notes.len(), 2, "{notes:?}");
        assert!(notes.contains(&settled.site_notes[0]));
    }
}

#[test]
fn the_odd_cent_of_several_taxes_goes_to_the_largest_remainder() {
    let text = "tariff \"Town\"\n  currency: USD\n  time zone: Europe/Oslo\n  prices: including VAT\n\n\
                tax \"State\": 5%\ntax \"County\": 5.5%\ntax \"City\" on top of State: 2%\n\nenergy: 0.01 USD/kWh\n";
    let main = SourceFile { name: "town.tariff".into(), text: text.into() };
    let compiled = compile(main, &mut |name| Err(format!("there is no `{name}`")));
    let prepared =
        Prepared::new(compiled.tariff.unwrap_or_else(|| panic!("{:?}", compiled.diagnostics))).unwrap();
    let taxes = |kwh: &str| -> (String, Vec<String>) {
        let bill = bill(&prepared, &session("1", 10, kwh), &Standing::default());
        (bill.net.clone(), bill.vat.iter().map(|tax| tax.vat.clone()).collect())
    };
    // 0.50 / 1.126 is 0.444; of the 6 cents of tax 2.220, 2.442 and 0.933 are due.
    assert_eq!(taxes("50"), ("0.44".into(), vec!["0.02".into(), "0.03".into(), "0.01".into()]));
    // 0.10: 0.444, 0.488 and 0.187 of one cent.
    assert_eq!(taxes("10"), ("0.09".into(), vec!["0.00".into(), "0.01".into(), "0.00".into()]));
}

// What a document says: kind of row and rate in percent to minor units, then net, taxes and total.
type Said = (BTreeMap<(String, String), i128>, [i128; 3]);

fn cents(text: &str) -> i128 {
    minor_units(&read(text).unwrap(), 2)
}

fn said(document: &Document) -> Said {
    let mut rows: BTreeMap<(String, String), i128> = BTreeMap::new();
    for row in &document.charges {
        let rate = print(&read(&row.vat_rate).unwrap(), 6);
        *rows.entry((row.charge.to_owned(), rate)).or_default() += cents(&row.amount);
    }
    rows.retain(|_, amount| *amount != 0);
    (rows, [&document.net, &document.vat_total, &document.total].map(|text| cents(text)))
}

fn expected(month: &Month, all: &[Row]) -> Said {
    let mut rows: BTreeMap<(String, String), i128> = BTreeMap::new();
    for (kind, tax, amount) in all {
        let rate = print(&(tax_fraction(*tax) * whole(100)), 6);
        *rows.entry(((*kind).to_owned(), rate)).or_default() += amount;
    }
    rows.retain(|_, amount| *amount != 0);
    (rows, totals(&month.tariff, all))
}

// Bills of the first sessions, each with what the ones before it left.
fn given_out(pricing: &Pricing<'_>, month: &Month, count: usize) -> Vec<Value> {
    let mut known: BTreeMap<&str, Standing> = BTreeMap::new();
    let mut bills = vec![];
    for (document, session) in month.sessions_json().iter().zip(&month.sessions).take(count) {
        let text = document.to_string();
        let read = Session::from_json(&text).unwrap();
        let standing = known.entry(&session.driver).or_default();
        let bill = price_with(pricing, &read, standing, false).unwrap();
        *standing = bill.standing.clone();
        let bill = bill.document(pricing, &read, inputs(pricing, text.as_bytes(), standing));
        bills.push(serde_json::to_value(bill).unwrap());
    }
    bills
}

#[test]
fn random_months_are_settled_as_the_oracle_says() {
    let book = PriceBook::default();
    let months = std::env::var("TAKST_MONTHS").map_or(MONTHS, |text| text.parse().unwrap());
    let mut compared = 0;
    for seed in 0..months {
        let month = random(seed);
        if !month.is_whole() {
            continue;
        }
        let main = SourceFile { name: "month.tariff".into(), text: month.text() };
        let compiled = compile(main, &mut |name| Err(format!("there is no `{name}`")));
        let Some(tariff) = compiled.tariff else {
            // A random list may have lines that never win.
            let codes: Vec<&str> = compiled.diagnostics.iter().map(|one| one.code).collect();
            assert!(codes.contains(&"E302"), "seed {seed}: {:?}\n{}", compiled.diagnostics, month.text());
            continue;
        };
        compared += 1;
        let prepared = Prepared::new(tariff).unwrap();
        let pricing = Pricing::new(&prepared, &book).unwrap();
        let (ours, payout) = settle_by_oracle(&month);
        // A month is the same whether its sessions were billed before or not.
        for billed in [0, month.sessions.len() / 2, month.sessions.len()] {
            let input = month.input_json(&given_out(&pricing, &month, billed));
            let about = format!("seed {seed}, {billed} billed before\n{}\n{input:.3000}", month.text());
            let settled = takst_engine::month::month(&pricing, &MonthInput::from_json(&input).unwrap());
            let settled = settled.unwrap_or_else(|error| panic!("{error}\n{about}"));
            for (party, statement) in &ours {
                let (driver, payer) = match party {
                    Party::Driver(driver) => (Some(driver), None),
                    Party::Payer(payer) => (None, Some(payer)),
                    Party::Site => (None, None),
                };
                let mut found = settled.statements.iter().filter(|one| {
                    one.kind == "statement" && one.driver.as_ref() == driver && one.payer.as_ref() == payer
                });
                let found = found.next().unwrap_or_else(|| panic!("no statement of {party:?}\n{about}"));
                assert_eq!(said(found), expected(&month, &statement.rows), "{party:?}\n{about}");
            }
            let statements = settled.statements.iter().filter(|one| one.kind == "statement").count();
            assert_eq!(statements, ours.len(), "{about}");
            let found = settled.statements.iter().find(|one| one.kind == "payout");
            let none = (BTreeMap::new(), [0; 3]);
            assert_eq!(found.map_or(none, said), expected(&month, &payout), "payout\n{about}");
        }
    }
    assert!(compared * 3 > months, "only {compared} of {months} random lists compiled");
}
