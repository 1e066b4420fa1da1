//! What operators have published, figure by figure, priced with the tariff files of `examples/`. One test per claim.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code: a panic is a failed test"
)]

use rust_decimal::{Decimal, RoundingStrategy};
use serde_json::Value;
use std::fs::read_to_string;
use std::path::PathBuf;
use takst_dsl::{SourceFile, compile};
use takst_engine::document::inputs;
use takst_engine::month::{MonthInput, month};
use takst_engine::{Prepared, PriceBook, Pricing, Session, Standing, price_with};

fn example(path: &str) -> String {
    let file = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../examples")).join(path);
    read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

fn tariff(path: &str) -> Prepared {
    let path = format!("tariffs/{path}");
    let (folder, name) = path.rsplit_once('/').unwrap();
    let main = SourceFile { name: name.into(), text: example(&path) };
    let compiled = compile(main, &mut |base| {
        Ok(SourceFile { name: base.into(), text: example(&format!("{folder}/{base}")) })
    });
    Prepared::new(compiled.tariff.unwrap_or_else(|| panic!("{path}: {:?}", compiled.diagnostics))).unwrap()
}

fn book(files: &[&str]) -> PriceBook {
    let mut book = PriceBook::default();
    for file in files {
        book.add_json(&example(&format!("prices/{file}"))).unwrap();
    }
    book
}

/// The statements of a month.
fn statements(tariff: &Prepared, input: &str, prices: &[&str]) -> Vec<Value> {
    let book = book(prices);
    let pricing = Pricing::new(tariff, &book).unwrap();
    let settled =
        month(&pricing, &MonthInput::from_json(&example(&format!("months/{input}"))).unwrap()).unwrap();
    settled.statements.iter().map(|document| serde_json::to_value(document).unwrap()).collect()
}

/// The bill documents of the sessions in a file; `payment_fee`: each is billed on its own.
fn bills(tariff: &Prepared, sessions: &str, prices: &[&str], payment_fee: bool) -> Vec<Value> {
    let book = book(prices);
    let pricing = Pricing::new(tariff, &book).unwrap();
    let text = example(&format!("sessions/{sessions}"));
    let documents = if sessions.ends_with(".jsonl") { text.lines().collect() } else { vec![text.as_str()] };
    let bill = |text: &str| {
        let session = Session::from_json(text).unwrap();
        let standing = Standing::default();
        let bill = price_with(&pricing, &session, &standing, payment_fee).unwrap();
        assert!(bill.is_final(), "session {} lacks a price", session.id);
        serde_json::to_value(bill.document(&pricing, &session, inputs(&pricing, text.as_bytes(), &standing)))
            .unwrap()
    };
    documents.into_iter().map(bill).collect()
}

fn bill(tariff: &Prepared, session: &str, prices: &[&str]) -> Value {
    bills(tariff, session, prices, true).remove(0)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn number(value: &Value) -> Decimal {
    text(value).parse().unwrap()
}

fn dec(text: &str) -> Decimal {
    text.parse().unwrap()
}

/// An exact amount as it is printed in hundredths of a cent: half-up.
fn cents(value: &Value) -> Decimal {
    (number(value) * Decimal::ONE_HUNDRED).round_dp_with_strategy(2, RoundingStrategy::MidpointAwayFromZero)
}

fn charge<'b>(bill: &'b Value, kind: &str) -> &'b Value {
    let charges = bill["charges"].as_array().unwrap();
    charges
        .iter()
        .find(|charge| charge["charge"] == kind)
        .unwrap_or_else(|| panic!("no {kind} in {charges:?}"))
}

/// The first line of a kind of charge.
fn line<'b>(bill: &'b Value, kind: &str) -> &'b Value {
    let lines = bill["lines"].as_array().unwrap();
    lines.iter().find(|line| line["charge"] == kind).unwrap_or_else(|| panic!("no {kind} in {lines:?}"))
}

/// A row of a published listing: start and end as printed, kWh, cent per kWh, cent.
struct Row(&'static str, &'static str, &'static str, &'static str, &'static str);

/// Compares the hours of listings with the published rows: times, energy, unit price and amount.
fn compare(lines: &[&Value], rows: &[Row]) {
    assert_eq!(lines.len(), rows.len());
    for (line, Row(from, to, kwh, unit_price, amount)) in lines.iter().zip(rows) {
        assert!(text(&line["from"]).starts_with(from), "{from}: {line}");
        assert!(text(&line["to"]).starts_with(to), "{to}: {line}");
        assert_eq!(number(&line["quantity"]), dec(kwh), "kWh from {from}");
        assert_eq!(
            number(&line["unit_price"]) * Decimal::ONE_HUNDRED,
            dec(unit_price),
            "unit price from {from}"
        );
        assert_eq!(cents(&line["amount"]), dec(amount), "amount from {from}");
    }
}

// --- KotiCharge, the receipt of session 210 --------------------------------------------------------------------------

const RECEIPT_210: [Row; 7] = [
    Row("2023-09-25T09:09:44", "2023-09-25T10:00:00", "5.911", "7.23", "42.74"),
    Row("2023-09-25T10:00:00", "2023-09-25T11:00:00", "7.166", "7.25", "51.95"),
    Row("2023-09-25T11:00:00", "2023-09-25T12:00:00", "7.148", "7.21", "51.54"),
    Row("2023-09-25T12:00:00", "2023-09-25T13:00:00", "7.173", "7.12", "51.07"),
    Row("2023-09-25T13:00:00", "2023-09-25T14:00:00", "7.133", "7.01", "50.00"),
    Row("2023-09-25T14:00:00", "2023-09-25T15:00:00", "7.142", "7.00", "49.99"),
    Row("2023-09-25T15:00:00", "2023-09-25T15:56:59", "6.773", "7.00", "47.41"),
];

fn receipt_210() -> Value {
    bill(&tariff("koticharge/spot.tariff"), "koticharge-210.json", &["fi-2023-09-25.json"])
}

#[test]
fn receipt_210_has_its_seven_hours_with_their_prices_and_amounts() {
    let bill = receipt_210();
    compare(&bill["lines"].as_array().unwrap().iter().collect::<Vec<_>>(), &RECEIPT_210);
}

#[test]
fn receipt_210_adds_up_before_it_rounds() {
    let bill = receipt_210();
    let lines = bill["lines"].as_array().unwrap();
    let exact: Decimal = lines.iter().map(|line| number(&line["amount"])).sum();
    assert_eq!(exact * Decimal::ONE_HUNDRED, dec("344.7062"));
    assert_eq!(cents(&Value::from(exact.to_string())), dec("344.71"));
    // The printed lines would give another sum.
    assert_eq!(lines.iter().map(|line| cents(&line["amount"])).sum::<Decimal>(), dec("344.70"));
}

#[test]
fn receipt_210_is_for_48_446_kwh_and_3_45_eur() {
    let bill = receipt_210();
    assert_eq!(number(&bill["energy_kwh"]), dec("48.446"));
    assert_eq!(bill["total"], "3.45");
    assert_eq!(bill["status"], "final");
}

#[test]
fn receipt_210_consists_of_electricity_transmission_and_service() {
    let bill = receipt_210();
    let parts = charge(&bill, "energy")["parts"].as_array().unwrap();
    let parts: Vec<_> = parts.iter().map(|part| (text(&part["label"]), text(&part["amount"]))).collect();
    assert_eq!(parts, [("spot", "0.06"), ("transmission", "2.30"), ("service", "1.09")]);
}

#[test]
fn receipt_210_is_2_78_without_vat() {
    let bill = receipt_210();
    assert_eq!(bill["net"], "2.78");
    assert_eq!(bill["vat"][0]["rate"], "24");
    assert_eq!(bill["vat_total"], "0.67");
}

// --- KotiCharge, the report to the property for October 2023 ---------------------------------------------------------

const PROPERTY_REPORT: [Row; 28] = [
    Row("2023-10-01T16:38:29", "2023-10-01T17:00:00", "3.653", "4.94", "18.05"),
    Row("2023-10-01T17:00:00", "2023-10-01T17:45:02", "7.835", "5.15", "40.35"),
    Row("2023-10-04T16:21:46", "2023-10-04T17:00:00", "6.841", "5.87", "40.16"),
    Row("2023-10-04T17:00:00", "2023-10-04T18:00:00", "10.768", "9.7", "104.45"),
    Row("2023-10-04T18:00:00", "2023-10-04T19:00:00", "10.794", "7.85", "84.73"),
    Row("2023-10-04T19:00:00", "2023-10-04T19:03:33", "0.515", "21.16", "10.9"),
    Row("2023-10-05T08:40:29", "2023-10-05T09:00:00", "3.518", "5.37", "18.89"),
    Row("2023-10-05T09:00:00", "2023-10-05T10:00:00", "10.874", "7.85", "85.36"),
    Row("2023-10-05T10:00:00", "2023-10-05T11:00:00", "10.834", "7.85", "85.05"),
    Row("2023-10-05T11:00:00", "2023-10-05T12:00:00", "10.831", "8.2", "88.81"),
    Row("2023-10-05T12:00:00", "2023-10-05T12:27:22", "4.183", "7.85", "32.84"),
    Row("2023-10-05T13:57:07", "2023-10-05T13:59:19", "0.282", "7.85", "2.21"),
    Row("2023-10-05T14:00:27", "2023-10-05T15:00:00", "10.955", "5.37", "58.83"),
    Row("2023-10-05T15:00:00", "2023-10-05T15:39:10", "5.203", "5.37", "27.94"),
    Row("2023-10-05T15:39:39", "2023-10-05T16:00:00", "3.709", "5.37", "19.92"),
    Row("2023-10-05T16:00:00", "2023-10-05T16:30:57", "5.696", "5.39", "30.7"),
    Row("2023-10-27T12:37:34", "2023-10-27T13:00:00", "2.578", "18.21", "46.95"),
    Row("2023-10-27T13:00:00", "2023-10-27T14:00:00", "7.199", "19.46", "140.09"),
    Row("2023-10-27T14:00:00", "2023-10-27T15:00:00", "7.202", "17.94", "129.2"),
    Row("2023-10-27T15:00:00", "2023-10-27T16:00:00", "7.202", "16.95", "122.07"),
    Row("2023-10-27T16:00:00", "2023-10-27T16:27:38", "3.017", "14.66", "44.23"),
    Row("2023-10-30T08:53:49", "2023-10-30T09:00:00", "0.723", "14.32", "10.35"),
    Row("2023-10-30T09:00:00", "2023-10-30T10:00:00", "7.122", "18.51", "131.83"),
    Row("2023-10-30T10:00:00", "2023-10-30T11:00:00", "7.117", "17.52", "124.69"),
    Row("2023-10-30T11:00:00", "2023-10-30T12:00:00", "7.158", "15.91", "113.88"),
    Row("2023-10-30T12:00:00", "2023-10-30T13:00:00", "7.125", "16.68", "118.85"),
    Row("2023-10-30T13:00:00", "2023-10-30T13:27:15", "2.494", "17.46", "43.55"),
    Row("2023-10-31T16:13:29", "2023-10-31T16:21:53", "0.928", "10.81", "10.03"),
];

fn october() -> Vec<Value> {
    bills(&tariff("koticharge/spot.tariff"), "koticharge-2023-10.jsonl", &["fi-2023-10.json"], true)
}

#[test]
fn the_property_report_has_its_28_hours_with_their_prices_and_amounts() {
    let bills = october();
    let lines: Vec<&Value> = bills.iter().flat_map(|bill| bill["payout_lines"].as_array().unwrap()).collect();
    compare(&lines, &PROPERTY_REPORT);
}

#[test]
fn the_property_report_is_for_166_356_kwh_and_17_85_eur() {
    let bills = october();
    assert_eq!(bills.iter().map(|bill| number(&bill["energy_kwh"])).sum::<Decimal>(), dec("166.356"));
    let lines = bills.iter().flat_map(|bill| bill["payout_lines"].as_array().unwrap());
    assert_eq!(lines.map(|line| cents(&line["amount"])).sum::<Decimal>(), dec("1784.91"));
    // Rounded session by session, as it is booked, it comes to the same.
    let booked = bills.iter().flat_map(|bill| bill["payouts"].as_array().unwrap());
    assert_eq!(booked.map(|row| number(&row["amount"])).sum::<Decimal>(), dec("17.85"));
}

#[test]
fn the_property_report_leaves_out_the_service_fee_that_drivers_pay() {
    for bill in october() {
        for (driver, property) in
            bill["lines"].as_array().unwrap().iter().zip(bill["payout_lines"].as_array().unwrap())
        {
            assert_eq!(driver["from"], property["from"]);
            assert_eq!(number(&driver["unit_price"]) - number(&property["unit_price"]), dec("0.0225"));
        }
    }
}

// --- KotiCharge, the monthly bill KOTI-0096 --------------------------------------------------------------------------

fn koti_0096() -> Vec<Value> {
    statements(&tariff("koticharge/monthly-bill.tariff"), "koticharge-0096.json", &["fi-2023-10.json"])
}

fn drivers_bill() -> Value {
    koti_0096()
        .into_iter()
        .find(|statement| statement["driver"] == "d-17")
        .expect("a statement of the driver")
}

#[test]
fn the_monthly_bill_has_its_three_sessions_and_the_payment_fee() {
    let bill = drivers_bill();
    let rows: Vec<&str> =
        bill["charges"].as_array().unwrap().iter().map(|row| text(&row["amount"])).collect();
    assert_eq!(rows, ["0.02", "0.10", "10.64", "0.40"]);
}

#[test]
fn the_monthly_bill_has_vat_once_on_its_sum() {
    let bill = drivers_bill();
    // 24 % of 11.16 is 2.6784. Line by line it would be 2.67.
    let amounts = ["net", "vat_total", "total"].map(|key| text(&bill[key]).to_owned());
    assert_eq!(amounts, ["11.16", "2.68", "13.84"]);
    assert_eq!(bill["vat"].as_array().unwrap().len(), 1);
}

#[test]
fn the_service_costs_5_eur_a_month_or_248_eur_once_and_the_property_pays() {
    let all = koti_0096();
    let fees: Vec<_> = all
        .iter()
        .filter(|statement| statement["driver"].is_null() && statement["kind"] == "statement")
        .flat_map(|statement| statement["charges"].as_array().unwrap())
        .map(|row| (text(&row["label"]), text(&row["amount"])))
        .collect();
    assert_eq!(fees, [("Palvelumaksu", "5.00"), ("Jatkuva tilaus", "248.00")]);
}

#[test]
fn the_payout_of_october_is_17_85_eur_and_14_40_without_vat() {
    let all = statements(&tariff("koticharge/spot.tariff"), "koticharge-2023-10.json", &["fi-2023-10.json"]);
    let payout = all.iter().find(|statement| statement["kind"] == "payout").expect("a payout");
    assert_eq!((text(&payout["total"]), text(&payout["net"])), ("17.85", "14.40"));
    compare(&payout["lines"].as_array().unwrap().iter().collect::<Vec<_>>(), &PROPERTY_REPORT);
}

#[test]
fn the_month_and_the_list_of_sessions_are_the_same() {
    let month: Value = serde_json::from_str(&example("months/koticharge-2023-10.json")).unwrap();
    let list = example("sessions/koticharge-2023-10.jsonl");
    let list: Vec<Value> = list.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(month["sessions"].as_array().unwrap(), &list);
}

// --- Energie Vanons --------------------------------------------------------------------------------------------------

#[test]
fn mr_jansens_connection_fee_is_5_85_without_vat() {
    let bill = bill(&tariff("energie-vanons/sudwest-fryslan.tariff"), "jansen.json", &[]);
    assert_eq!(charge(&bill, "idle fee")["amount"], "5.85");
    let line = line(&bill, "idle fee");
    assert_eq!((text(&line["quantity"]), text(&line["unit_price"])), ("3", "1.95"));
    assert!(text(&line["from"]).starts_with("2025-03-10T15:30:00"), "half an hour is free: {line}");
}

#[test]
fn mr_jansens_connection_fee_is_7_11_at_the_prices_with_vat() {
    let bill = bill(&tariff("energie-vanons/prices-with-vat.tariff"), "jansen.json", &[]);
    assert_eq!(charge(&bill, "idle fee")["amount"], "7.11");
}

#[test]
fn mr_talsmas_connection_fee_is_half_of_40_eur() {
    let bill = bill(&tariff("energie-vanons/midden-groningen.tariff"), "talsma.json", &[]);
    assert_eq!(charge(&bill, "idle fee")["amount"], "20.00");
}

#[test]
fn a_kwh_in_sudwest_fryslan_is_0_79_with_vat() {
    // 0.65 x 1.21 = 0.7865
    let bill = bill(&tariff("energie-vanons/prices-with-vat.tariff"), "jansen.json", &[]);
    assert_eq!(number(&line(&bill, "energy")["unit_price"]), dec("0.79"));
}

#[test]
fn a_kwh_in_midden_groningen_and_a_start_are_0_61_with_vat() {
    // 0.50 x 1.21 = 0.605: half-up. Half to even would print 0.60.
    let bill = bill(&tariff("energie-vanons/prices-with-vat.tariff"), "talsma.json", &[]);
    assert_eq!(number(&line(&bill, "energy")["unit_price"]), dec("0.61"));
    assert_eq!(charge(&bill, "start fee")["amount"], "0.61");
}

// --- Brazil ----------------------------------------------------------------------------------------------------------

#[test]
fn fifteen_minutes_after_the_charge_cost_2_50_brl() {
    let bill = bill(&tariff("brazil/idle-fee.tariff"), "ociosidade.json", &[]);
    assert_eq!(charge(&bill, "idle fee")["amount"], "2.50");
}

#[test]
fn a_coupon_lowers_the_energy_and_not_the_idle_fee() {
    let bill = bill(&tariff("brazil/idle-fee.tariff"), "ociosidade.json", &[]);
    assert_eq!(charge(&bill, "energy")["amount"], "42.00");
    assert_eq!(charge(&bill, "coupon")["amount"], "-8.40");
    assert_eq!(bill["total"], "36.10");
}

// --- The days on which the clock changes -----------------------------------------------------------------------------

#[test]
fn the_day_in_autumn_has_a_hundred_quarters() {
    let bill = bill(&tariff("hurum-kraft/quarter-hour-spot.tariff"), "autumn.json", &["no1-2026-10-25.json"]);
    let lines = bill["lines"].as_array().unwrap();
    assert_eq!(lines.len(), 100);
    assert_eq!(number(&bill["energy_kwh"]), dec("60"));
    // The hour from two to three comes twice, and its prices differ.
    let at = |from: &str| {
        lines.iter().find(|line| line["from"] == from).unwrap_or_else(|| panic!("no line {from}"))
    };
    let first = number(&at("2026-10-25T02:15:00+02:00")["unit_price"]);
    let second = number(&at("2026-10-25T02:15:00+01:00")["unit_price"]);
    assert_eq!(second - first, dec("0.0035"));
}

#[test]
fn the_day_in_spring_has_ninety_two_quarters() {
    let bill = bill(&tariff("hurum-kraft/quarter-hour-spot.tariff"), "spring.json", &["no1-2026-03-29.json"]);
    let lines = bill["lines"].as_array().unwrap();
    assert_eq!(lines.len(), 92);
    let skipped = lines.iter().any(|line| text(&line["from"]).starts_with("2026-03-29T02:"));
    assert!(!skipped, "two to three does not occur");
}
