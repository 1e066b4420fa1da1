//! A month against published receipts, and against what must hold for any month.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::panic,
    clippy::cast_possible_truncation,
    missing_docs,
    reason = "a test may fail"
)]

mod build;

use build::*;
use proptest::prelude::*;
use std::fmt::Write as _;
use takst_engine::document::Document;
use takst_engine::month::{MonthError, MonthInput, MonthStatements};
use takst_engine::tariff::*;
use takst_engine::{PriceBook, Standing};

fn of<'a>(
    statements: &'a MonthStatements,
    kind: &str,
    driver: Option<&str>,
    payer: Option<&str>,
) -> &'a Document {
    let mut found = statements.statements.iter().filter(|document| {
        document.kind == kind && document.driver.as_deref() == driver && document.payer.as_deref() == payer
    });
    let document = found.next().unwrap_or_else(|| panic!("no {kind} of {driver:?} {payer:?}"));
    assert!(found.next().is_none());
    document
}

fn driver<'a>(statements: &'a MonthStatements, name: &str) -> &'a Document {
    of(statements, "statement", Some(name), None)
}

fn site(statements: &MonthStatements) -> &Document {
    of(statements, "statement", None, None)
}

fn rows(document: &Document) -> Vec<(&str, &str)> {
    document.charges.iter().map(|charge| (charge.label.as_str(), charge.amount.as_str())).collect()
}

fn input(rest: &str) -> String {
    format!(r#"{{"site":"s","month":"2023-10",{rest}}}"#)
}

fn spot_file(hours: &[(String, String, &str)]) -> PriceBook {
    let steps: Vec<String> = hours
        .iter()
        .map(|(from, to, price)| format!(r#"{{"from":"{from}","to":"{to}","price":"{price}"}}"#))
        .collect();
    let mut book = PriceBook::default();
    book.add_json(&format!(r#"{{"feed":"spot","unit":"EUR/MWh","prices":[{}]}}"#, steps.join(","))).unwrap();
    book
}

// Receipt KOTI-0096: VAT is worked out once on the total (2.68), not per line (2.67).
#[test]
fn the_published_monthly_receipt() {
    let book =
        spot_file(&[("2023-10-31T16:00:00+02:00".into(), "2023-10-31T17:00:00+02:00".into(), "48.90")]);
    let mut list = List::finnish(false);
    // Spot and tax, transmission and service are published with VAT, rounded to 0.01 cent.
    let with_vat = plus(Formula::PlusVat(Box::new(spot())), constant("0.0475"));
    let with_vat = plus(rounded(with_vat, "0.0001"), constant("0.0225"));
    list.energy(Formula::LessVat(Box::new(with_vat)));
    list.payment_fee("0.40");
    let (from, to) = ("2023-10-31T16:13:29+02:00", "2023-10-31T16:21:53+02:00");
    let sessions = [("368", "0.2"), ("370", "0.928"), ("371", "101.02")]
        .map(|(id, kwh)| session(id, "d", from, to, kwh));
    let settled = settle(list, &book, &input(&format!(r#""sessions":[{}]"#, sessions.join(",")))).unwrap();
    let statement = driver(&settled, "d");
    assert_eq!(
        rows(statement),
        [("Session 368", "0.02"), ("Session 370", "0.10"), ("Session 371", "10.64"), ("Payment fee", "0.40")]
    );
    assert_eq!((statement.net.as_str(), statement.vat_total.as_str()), ("11.16", "2.68"));
    assert_eq!(statement.total, "13.84");
    assert_eq!(statement.charges[1].date.as_deref(), Some("2023-10-31"));
    assert_eq!((settled.totals.net.as_str(), settled.totals.total.as_str()), ("11.16", "13.84"));
}

// Property report KOTI0296, October 2023: session, start, end, kWh, spot in EUR/MWh, printed cent.
const REPORT: [(u32, &str, &str, &str, &str, &str); 28] = [
    (236, "10-01T16:38:29", "10-01T17:00:00", "3.653", "1.53", "18.05"),
    (236, "10-01T17:00:00", "10-01T17:45:02", "7.835", "3.22", "40.35"),
    (241, "10-04T16:21:46", "10-04T17:00:00", "6.841", "9.01", "40.16"),
    (241, "10-04T17:00:00", "10-04T18:00:00", "10.768", "39.94", "104.45"),
    (241, "10-04T18:00:00", "10-04T19:00:00", "10.794", "24.99", "84.73"),
    (241, "10-04T19:00:00", "10-04T19:03:33", "0.515", "132.31", "10.9"),
    (245, "10-05T08:40:29", "10-05T09:00:00", "3.518", "4.97", "18.89"),
    (245, "10-05T09:00:00", "10-05T10:00:00", "10.874", "25.00", "85.36"),
    (245, "10-05T10:00:00", "10-05T11:00:00", "10.834", "25.00", "85.05"),
    (245, "10-05T11:00:00", "10-05T12:00:00", "10.831", "27.84", "88.81"),
    (245, "10-05T12:00:00", "10-05T12:27:22", "4.183", "24.99", "32.84"),
    (247, "10-05T13:57:07", "10-05T13:59:19", "0.282", "24.99", "2.21"),
    (248, "10-05T14:00:27", "10-05T15:00:00", "10.955", "4.99", "58.83"),
    (248, "10-05T15:00:00", "10-05T15:39:10", "5.203", "4.96", "27.94"),
    (250, "10-05T15:39:39", "10-05T16:00:00", "3.709", "4.96", "19.92"),
    (250, "10-05T16:00:00", "10-05T16:30:57", "5.696", "5.20", "30.7"),
    (346, "10-27T12:37:34", "10-27T13:00:00", "2.578", "108.52", "46.95"),
    (346, "10-27T13:00:00", "10-27T14:00:00", "7.199", "118.60", "140.09"),
    (346, "10-27T14:00:00", "10-27T15:00:00", "7.202", "106.40", "129.2"),
    (346, "10-27T15:00:00", "10-27T16:00:00", "7.202", "98.42", "122.07"),
    (346, "10-27T16:00:00", "10-27T16:27:38", "3.017", "79.90", "44.23"),
    (360, "10-30T08:53:49", "10-30T09:00:00", "0.723", "77.14", "10.35"),
    (360, "10-30T09:00:00", "10-30T10:00:00", "7.122", "111.00", "131.83"),
    (360, "10-30T10:00:00", "10-30T11:00:00", "7.117", "103.00", "124.69"),
    (360, "10-30T11:00:00", "10-30T12:00:00", "7.158", "90.00", "113.88"),
    (360, "10-30T12:00:00", "10-30T13:00:00", "7.125", "96.17", "118.85"),
    (360, "10-30T13:00:00", "10-30T13:27:15", "2.494", "102.54", "43.55"),
    (370, "10-31T16:13:29", "10-31T16:21:53", "0.928", "48.90", "10.03"),
];

fn zoned(local: &str) -> String {
    let offset = if local >= "10-29" { "+02:00" } else { "+03:00" };
    format!("2023-{local}{offset}")
}

#[test]
fn the_published_property_report() {
    let mut hours: Vec<(String, String, &str)> = Vec::new();
    let mut sessions: Vec<u32> = Vec::new();
    let mut documents = Vec::new();
    for (id, from, _, _, price, _) in REPORT {
        let hour = zoned(&format!("{}00:00", &from[..9]));
        let next = takst_engine::calendar_time::utc_text(takst_engine::units::Instant(
            instant(&hour).0 + takst_engine::units::HOUR_MS,
        ));
        if hours.last().is_none_or(|(last, ..)| *last != hour) {
            hours.push((hour, next, price));
        }
        if sessions.last() != Some(&id) {
            sessions.push(id);
        }
    }
    for id in sessions {
        let parts: Vec<_> = REPORT.iter().filter(|row| row.0 == id).collect();
        let (from, to) = (zoned(parts[0].1), zoned(parts[parts.len() - 1].2));
        let mut register = dec("0");
        let mut readings = format!(r#"{{"at":"{from}","import_kwh":"0"}}"#);
        for (_, _, to, kwh, ..) in parts {
            register += dec(kwh);
            write!(readings, r#",{{"at":"{}","import_kwh":"{register}"}}"#, zoned(to)).unwrap();
        }
        documents.push(format!(
            r#"{{"id":"{id}","driver":"d","charger":"5","plugged_in":"{from}","unplugged":"{to}","readings":[{readings}]}}"#
        ));
    }
    let mut list = List::finnish(true);
    list.energy(rounded(plus(spot(), constant("0.07")), "0.0001"));
    let cost = list.price(Per::Kwh, rounded(plus(spot(), constant("0.0475")), "0.0001"));
    list.charge(ChargeKind::PayoutToSite, "Electricity usage", cost);
    let input = input(&format!(r#""sessions":[{}]"#, documents.join(",")));
    let settled = settle(list, &spot_file(&hours), &input).unwrap();
    let payout = of(&settled, "payout", None, None);
    assert_eq!(payout.lines.len(), 28);
    for (line, (id, _, _, kwh, _, cent)) in payout.lines.iter().zip(REPORT) {
        assert_eq!((line.session.clone(), line.charger.as_deref()), (Some(id.to_string()), Some("5")));
        assert_eq!(line.quantity.as_deref(), Some(kwh));
        assert_eq!(dec(line.shown.as_ref().unwrap()) * dec("100"), dec(cent), "{line:?}");
    }
    assert_eq!(rows(payout), [("Electricity usage", "17.85")]);
    assert_eq!(payout.energy_kwh, "166.356");
    // 17.85 / 1.24: the gross leads.
    assert_eq!(
        (payout.net.as_str(), payout.vat_total.as_str(), payout.total.as_str()),
        ("14.40", "3.45", "17.85")
    );
    assert_eq!(settled.totals.payout.as_deref(), Some("17.85"));
}

// The report's printed totals (59.20, 47.74, 11.46) cover rows that it does not show.
#[test]
fn the_published_payout_is_gross_first() {
    let mut list = List::finnish(true);
    list.energy(constant("0.10"));
    let cost = list.price(Per::Kwh, constant("0.0592"));
    list.charge(ChargeKind::PayoutToSite, "Electricity usage in October", cost);
    let one = session("1", "d", "2023-10-02T10:00:00+03:00", "2023-10-02T12:00:00+03:00", "1000");
    let settled = settle(list, &PriceBook::default(), &input(&format!(r#""sessions":[{one}]"#))).unwrap();
    let payout = of(&settled, "payout", None, None);
    assert_eq!(
        (payout.net.as_str(), payout.vat_total.as_str(), payout.total.as_str()),
        ("47.74", "11.46", "59.20")
    );
}

#[test]
fn bills_are_taken_as_they_are_and_sessions_are_priced() {
    let mut list = List::new("NOK", false);
    list.energy(constant("1.005"));
    list.payment_fee("4.00");
    let first = session("1", "d", "2023-10-02T10:00:00+02:00", "2023-10-02T12:00:00+02:00", "10");
    let second = session("2", "d", "2023-10-03T10:00:00+02:00", "2023-10-03T12:00:00+02:00", "1");
    let mut old = bill(&list, &first, &Standing::default());
    // Whatever it was made of: it went out like this.
    old.charges[0].amount = "9.00".into();
    let text = serde_json::to_string(&old).unwrap();
    assert_eq!(serde_json::from_str::<Document>(&text).unwrap(), old);
    let input = input(&format!(r#""bills":[{text}],"sessions":[{first},{second}]"#));
    let settled = settle(list, &PriceBook::default(), &input).unwrap();
    let statement = driver(&settled, "d");
    assert_eq!(rows(statement), [("Session 1", "9.00"), ("Session 2", "1.01"), ("Payment fee", "4.00")]);
    assert_eq!(statement.energy_kwh, "11");
    statement.lines.iter().for_each(|line| assert!(line.session.is_some() || line.charge == "payment fee"));
    assert_adds_up(statement);
}

#[test]
fn a_bill_that_has_a_payment_fee_brings_it_along() {
    let mut list = List::new("NOK", false);
    list.energy(constant("1"));
    list.payment_fee("4.00");
    let prepared = List(list.0.clone()).ready();
    let book = PriceBook::default();
    let pricing = takst_engine::Pricing::new(&prepared, &book).unwrap();
    let text = session("1", "d", "2023-10-02T10:00:00+02:00", "2023-10-02T12:00:00+02:00", "10");
    let session = takst_engine::Session::from_json(&text).unwrap();
    let bill = takst_engine::price(&pricing, &session, &Standing::default()).unwrap();
    let bill = serde_json::to_string(&bill.document(&pricing, &session, Default::default())).unwrap();
    let settled = settle(list, &book, &input(&format!(r#""bills":[{bill}]"#))).unwrap();
    assert_eq!(rows(driver(&settled, "d")), [("Session 1", "14.00")]);
}

#[test]
fn a_company_pays_or_only_reads() {
    let mut list = List::new("NOK", true);
    list.energy(constant("2"));
    list.payment_fee("5");
    let sessions = ["a", "b", "c"].map(|driver| {
        session(driver, driver, "2023-10-02T10:00:00+02:00", "2023-10-02T12:00:00+02:00", "10")
    });
    let input = input(&format!(
        r#""sessions":[{}],"payers":{{"a":"acme","b":"acme"}},"reports":{{"c":"acme"}}"#,
        sessions.join(",")
    ));
    let settled = settle(list, &PriceBook::default(), &input).unwrap();
    let company = of(&settled, "statement", None, Some("acme"));
    assert_eq!(rows(company), [("Session a", "20.00"), ("Session b", "20.00"), ("Payment fee", "5.00")]);
    assert_eq!(company.charges[1].driver.as_deref(), Some("b"));
    assert_eq!(rows(driver(&settled, "c")), [("Session c", "20.00"), ("Payment fee", "5.00")]);
    assert_eq!(of(&settled, "report", Some("a"), Some("acme")).total, "20.00");
    assert_eq!(rows(of(&settled, "report", None, Some("acme"))), [("Session c", "20.00")]);
    // Reports are nothing to pay.
    assert_eq!(settled.totals.total, "70.00");
}

#[test]
fn sessions_without_a_driver_are_reported_with_their_own_fee() {
    let mut list = List::new("NOK", true);
    list.energy(constant("2"));
    list.payment_fee("5");
    let one = session("1", "d", "2023-10-02T10:00:00+02:00", "2023-10-02T12:00:00+02:00", "10")
        .replace(r#""driver":"d","#, "");
    let settled = settle(list, &PriceBook::default(), &input(&format!(r#""sessions":[{one}]"#))).unwrap();
    assert_eq!(of(&settled, "report", None, None).total, "25.00");
    assert_eq!(settled.totals.total, "0.00");
    assert_eq!(settled.totals.energy_kwh, "10");
}

fn plans() -> List {
    let mut list = List::new("EUR", false);
    let (fee, once, free) = (
        list.price(Per::Charger, constant("5.00")),
        list.price(Per::Charger, constant("248.00")),
        list.free(),
    );
    let monthly = list.when(Test::Plan("monthly".into()), fee, free);
    let one_off = list.when(Test::Plan("once".into()), once, free);
    list.month_charge("Service fee", true, MonthWhat::Monthly(monthly));
    list.month_charge("Charger", true, MonthWhat::OneOff(one_off));
    list
}

#[test]
fn fees_follow_the_chargers_plans() {
    let input = input(
        r#""chargers":[{"id":"1","plan":"monthly"},{"id":"2","plan":"monthly","installed":"2023-10-31"},
        {"id":"3","plan":"monthly","installed":"2023-11-01"},{"id":"4","plan":"once","installed":"2023-10-05"},
        {"id":"5","plan":"once","installed":"2023-09-30"},{"id":"6"}]"#,
    );
    let settled = settle(plans(), &PriceBook::default(), &input).unwrap();
    assert_eq!(rows(site(&settled)), [("Service fee", "10.00"), ("Charger", "248.00")]);
    assert_eq!(site(&settled).total, "322.50");
    let chargers: Vec<_> = site(&settled).lines.iter().map(|line| line.charger.clone().unwrap()).collect();
    assert_eq!(chargers, ["1", "2", "4"]);
}

#[test]
fn drivers_pay_for_their_chargers_and_the_site_for_the_others() {
    let mut list = plans();
    list.0.month[0].paid_by_site = false;
    let once_per_driver = list.price(Per::Month, constant("1.50"));
    list.month_charge("App", false, MonthWhat::Monthly(once_per_driver));
    let input = input(
        r#""chargers":[{"id":"1","plan":"monthly","driver":"a"},{"id":"2","plan":"monthly","driver":"a"},
        {"id":"3","plan":"monthly"}]"#,
    );
    let settled = settle(list, &PriceBook::default(), &input).unwrap();
    // No session: no payment fee either.
    assert_eq!(rows(driver(&settled, "a")), [("Service fee", "10.00"), ("App", "1.50")]);
    assert_eq!(rows(site(&settled)), [("Service fee", "5.00")]);
    assert_eq!(site(&settled).notes, ["Service fee: charger 3 has no driver, so the site pays"]);
}

// Hourly values of October 2023 in Oslo (745 hours): kWh of an hour by its number, else 1.
fn october(special: &[(i64, &str)]) -> String {
    let start = instant("2023-10-01T00:00:00+02:00").0;
    let hour = takst_engine::units::HOUR_MS;
    let time = |at: i64| takst_engine::calendar_time::utc_text(takst_engine::units::Instant(at));
    let values: Vec<String> = (0..745)
        .map(|number| {
            let kwh = special.iter().find(|(known, _)| *known == number).map_or("1", |(_, kwh)| kwh);
            let (from, to) = (time(start + number * hour), time(start + (number + 1) * hour));
            format!(r#"{{"from":"{from}","to":"{to}","import_kwh":"{kwh}"}}"#)
        })
        .collect();
    format!(r#"{{"metering_point":"m","values":[{}]}}"#, values.join(","))
}

fn power(per: Per, price: &str, hours: u32, on_different_days: bool) -> List {
    let mut list = List::new("NOK", false);
    let root = list.price(per, constant(price));
    list.month_charge("Power fee", true, MonthWhat::Power { hours, on_different_days, root });
    list
}

#[test]
fn a_power_fee_from_the_highest_hours() {
    // Hours 10 and 11 are on the same day; 672 to 696 is the day of 25 hours (29 October).
    let meters = october(&[(10, "10"), (11, "9"), (30, "7"), (696, "8"), (697, "2")]);
    let of = |list| {
        let settled =
            settle(list, &PriceBook::default(), &input(&format!(r#""meters":[{meters}]"#))).unwrap();
        site(&settled).clone()
    };
    assert_eq!(of(power(Per::Kw, "40", 1, false)).net, "400.00");
    // (10 + 9 + 8) / 3
    assert_eq!(of(power(Per::Kw, "40", 3, false)).net, "360.00");
    // (10 + 8 + 7) / 3 = 8.333333333333
    let different = of(power(Per::Kw, "40", 3, true));
    assert_eq!(different.net, "333.33");
    assert_eq!(different.lines[0].quantity.as_deref(), Some("8.333333333333"));
    assert_eq!(different.lines[0].amount, "333.333333333320");
    // The last hour of the long day is still 29 October.
    assert!(different.notes[0].contains("8 kW at 2023-10-29T23:00:00+01:00"), "{:?}", different.notes);
}

#[test]
fn of_equal_peaks_the_earliest_counts_and_a_day_counts_once() {
    let meters = october(&[(3, "5"), (5, "5"), (50, "5"), (100, "4.5")]);
    let input = input(&format!(r#""meters":[{meters}]"#));
    let settled = settle(power(Per::Kw, "1", 3, true), &PriceBook::default(), &input).unwrap();
    assert_eq!(
        site(&settled).notes,
        ["Power fee: mean 4.833333333333 kW of 5 kW at 2023-10-01T03:00:00+02:00, \
          5 kW at 2023-10-03T02:00:00+02:00, 4.5 kW at 2023-10-05T04:00:00+02:00"]
    );
}

#[test]
fn steps_compare_the_mean_of_the_peaks() {
    for (peak, fee) in [("4.999999", "250.00"), ("5", "400.00"), ("5.000001", "400.00")] {
        let mut list = List::new("NOK", false);
        let below = list.price(Per::Month, constant("250"));
        let above = list.price(Per::Month, constant("400"));
        list.0.measures.push(Measure::Power);
        let root =
            list.node(Node::Measure { measure: 0, edges: vec![5_000_000], children: vec![below, above] });
        list.month_charge("Power fee", true, MonthWhat::Power { hours: 1, on_different_days: true, root });
        let input = input(&format!(r#""meters":[{}]"#, october(&[(400, peak)])));
        let settled = settle(list, &PriceBook::default(), &input).unwrap();
        assert_eq!(site(&settled).net, fee);
    }
}

#[test]
fn quarters_and_metering_points_are_summed_to_hours() {
    let mut meters = october(&[(10, "2")]);
    let quarters: Vec<String> = (0..4)
        .map(|quarter| {
            let time =
                |minutes: i64| format!("2023-10-01T{:02}:{:02}:00+02:00", 10 + minutes / 60, minutes % 60);
            let (from, to) = (time(quarter * 15), time(quarter * 15 + 15));
            format!(r#"{{"from":"{from}","to":"{to}","import_kwh":"0.5"}}"#)
        })
        .collect();
    // The tenth hour of a second metering point in quarters.
    let second = october(&[]).replace(r#""m""#, r#""n""#);
    let hour = r#"{"from":"2023-10-01T08:00:00Z","to":"2023-10-01T09:00:00Z","import_kwh":"1"}"#;
    assert!(second.contains(hour));
    write!(meters, ",{}", second.replace(hour, &quarters.join(","))).unwrap();
    let input = input(&format!(r#""meters":[{meters}]"#));
    let settled = settle(power(Per::Kw, "1", 1, false), &PriceBook::default(), &input).unwrap();
    assert_eq!(site(&settled).net, "4.00");
}

#[test]
fn a_shared_power_fee_adds_up() {
    let mut list = power(Per::Kw, "10", 1, false);
    list.energy(constant("0"));
    list.0.month[0].paid_by_site = false;
    let sessions = [("a", "1"), ("b", "1"), ("c", "1")].map(|(driver, kwh)| {
        session(driver, driver, "2023-10-02T10:00:00+02:00", "2023-10-02T12:00:00+02:00", kwh)
    });
    let input =
        input(&format!(r#""meters":[{}],"sessions":[{}]"#, october(&[(10, "10")]), sessions.join(",")));
    let settled = settle(list, &PriceBook::default(), &input).unwrap();
    let shares = ["a", "b", "c"].map(|name| driver(&settled, name).net.clone());
    assert_eq!(shares, ["33.34", "33.33", "33.33"]);
    assert_eq!(settled.totals.net, "100.00");
}

#[test]
fn a_site_credit_counts_the_first_energy_of_the_month_hour_by_hour() {
    let mut list = List::new("EUR", false);
    list.energy(constant("1"));
    let above =
        Formula::Sub(Box::new(Formula::Feed { feed: 0, mean: Mean::Hour }), Box::new(constant("0.05")));
    let above = Formula::Higher(Box::new(above), Box::new(constant("0")));
    let root = list.price(Per::Kwh, Formula::Mul(Box::new(constant("0.9")), Box::new(above)));
    list.month_charge("Support", true, MonthWhat::SiteCredit { first: Some(6_500_000), root });
    // 0.15 EUR/kWh in the first five hours, then 0.25.
    let book = spot_file(&[
        ("2023-10-01T00:00:00+02:00".into(), "2023-10-01T05:00:00+02:00".into(), "150"),
        ("2023-10-01T05:00:00+02:00".into(), "2023-11-01T00:00:00+01:00".into(), "250"),
    ]);
    let text = input(&format!(r#""meters":[{}]"#, october(&[])));
    // 5 x 0.9 x 0.10 + 1.5 x 0.9 x 0.20
    let settled = settle(List(list.0.clone()), &book, &text).unwrap();
    assert_eq!(rows(site(&settled)), [("Support", "-0.72")]);
    assert_eq!(site(&settled).total, "-0.90");
    assert_eq!(site(&settled).lines.len(), 7);
    // A missing price is never zero.
    let short = spot_file(&[("2023-10-01T00:00:00+02:00".into(), "2023-10-01T05:00:00+02:00".into(), "150")]);
    let error = settle(list, &short, &text).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`Support` has no price at 2023-10-01T05:00:00+02:00; add the price file that covers it"
    );
}

fn tiers() -> List {
    let mut list = List::new("NOK", false);
    let (dear, cheap) = (list.price(Per::Kwh, constant("2")), list.price(Per::Kwh, constant("1.5")));
    let root = list.when(Test::WholeMonthAtLeast { who: Who::Driver, energy: 200_000_000 }, cheap, dear);
    list.charge(ChargeKind::Energy, "Energy", root);
    list
}

#[test]
fn a_retroactive_tier_prices_all_sessions_of_the_month() {
    let at =
        |day: u32| (format!("2023-10-{day:02}T10:00:00+02:00"), format!("2023-10-{day:02}T12:00:00+02:00"));
    let sessions: Vec<String> = [("a", "1", 2, "100"), ("b", "2", 3, "150"), ("a", "3", 4, "100")]
        .iter()
        .map(|(driver, id, day, kwh)| session(id, driver, &at(*day).0, &at(*day).1, kwh))
        .collect();
    let text = input(&format!(r#""sessions":[{}]"#, sessions.join(",")));
    let settled = settle(tiers(), &PriceBook::default(), &text).unwrap();
    assert_eq!(rows(driver(&settled, "a")), [("Session 1", "150.00"), ("Session 3", "150.00")]);
    assert_eq!(rows(driver(&settled, "b")), [("Session 2", "300.00")]);
    let counter = settled.standing.drivers["a"].get("driver whole month energy 2023-10");
    assert_eq!(counter.to_string(), "200");

    // The first session was billed before that could be known.
    let early = bill(&tiers(), &sessions[0], &Standing::default());
    assert_eq!(early.net, "200.00");
    let early = serde_json::to_string(&early).unwrap();
    let text = input(&format!(r#""bills":[{early}],"sessions":[{}]"#, sessions.join(",")));
    let settled = settle(tiers(), &PriceBook::default(), &text).unwrap();
    assert_eq!(
        rows(driver(&settled, "a")),
        [("Session 1", "200.00"), ("Session 1, price of the whole month", "-50.00"), ("Session 3", "150.00")]
    );
    assert_adds_up(driver(&settled, "a"));

    // Without its session the difference cannot be known.
    let text = input(&format!(r#""bills":[{early}],"sessions":[{}]"#, sessions[2]));
    let error = settle(tiers(), &PriceBook::default(), &text).unwrap_err();
    assert!(error.to_string().contains("changes the price of session 1"), "{error}");
    // And where it makes no difference, it is not asked for.
    let text = input(&format!(r#""bills":[{early}]"#));
    let settled = settle(tiers(), &PriceBook::default(), &text).unwrap();
    assert_eq!(rows(driver(&settled, "a")), [("Session 1", "200.00")]);
}

#[test]
fn counters_are_carried_from_session_to_session() {
    let mut list = List::new("NOK", false);
    let (dear, cheap) = (list.price(Per::Kwh, constant("2")), list.price(Per::Kwh, constant("1")));
    list.0.measures.push(Measure::Energy { span: Span::Month, who: Who::Driver });
    let root = list.node(Node::Measure { measure: 0, edges: vec![15_000_000], children: vec![dear, cheap] });
    list.charge(ChargeKind::Energy, "Energy", root);
    let at =
        |day: u32| (format!("2023-10-{day:02}T10:00:00+02:00"), format!("2023-10-{day:02}T12:00:00+02:00"));
    let sessions: Vec<String> =
        (2..4).map(|day| session(&day.to_string(), "a", &at(day).0, &at(day).1, "10")).collect();
    let text = input(&format!(
        r#""sessions":[{}],"standing":{{"drivers":{{"a":{{"driver energy 2023-10":"2"}}}}}}"#,
        sessions.join(",")
    ));
    let settled = settle(list, &PriceBook::default(), &text).unwrap();
    // 2 kWh were used before: 10 dear, then 3 dear and 7 cheap.
    assert_eq!(rows(driver(&settled, "a")), [("Session 2", "20.00"), ("Session 3", "13.00")]);
    assert_eq!(driver(&settled, "a").standing.get("driver energy 2023-10").to_string(), "22");
}

fn cost_price(includes_vat: bool) -> List {
    let mut list = List::new("NOK", includes_vat);
    list.energy(Formula::CostPrice);
    list
}

fn total_of_october(kwh: &str) -> String {
    format!(
        r#""meters":[{{"metering_point":"m","values":[{{"from":"2023-10-01T00:00:00+02:00",
        "to":"2023-11-01T00:00:00+01:00","import_kwh":"{kwh}"}}]}}]"#
    )
}

#[test]
fn users_pay_the_plants_cost_and_the_owner_the_rest() {
    let sessions = [("a", "100"), ("b", "50")].map(|(driver, kwh)| {
        session(driver, driver, "2023-10-02T10:00:00+02:00", "2023-10-02T12:00:00+02:00", kwh)
    });
    let costs = r#""costs":[{"label":"Energy","net":"600.00","vat_rate":"25"},{"label":"Grid","net":"400.00","vat_rate":"25"}]"#;
    let text = input(&format!(r#""sessions":[{}],{costs},{}"#, sessions.join(","), total_of_october("300")));
    let settled = settle(cost_price(false), &PriceBook::default(), &text).unwrap();
    assert_eq!(rows(driver(&settled, "a")), [("Session a", "333.33")]);
    assert_eq!(rows(driver(&settled, "b")), [("Session b", "166.67")]);
    assert_eq!(rows(site(&settled)), [("Other consumption", "500.00")]);
    assert_eq!(site(&settled).lines[0].quantity.as_deref(), Some("150"));
    assert_eq!((settled.totals.net.as_str(), settled.totals.total.as_str()), ("1000.00", "1250.00"));
    // With VAT in the prices, the cost has its VAT in.
    let gross = settle(cost_price(true), &PriceBook::default(), &text).unwrap();
    assert_eq!(gross.totals.total, "1250.00");
    assert_eq!(rows(site(&gross)), [("Other consumption", "625.00")]);
    // And so it has where no VAT is charged at all.
    let mut untaxed = cost_price(false);
    untaxed.0.tax_classes[0] = TaxClass { taxes: Vec::new(), reason: Some("outside scope".into()) };
    assert_eq!(settle(untaxed, &PriceBook::default(), &text).unwrap().totals.total, "1250.00");
}

#[test]
fn what_the_owner_adds_to_the_cost_is_his() {
    let mut list = List::new("NOK", false);
    list.energy(plus(Formula::CostPrice, constant("0.25")));
    let one = session("1", "a", "2023-10-02T10:00:00+02:00", "2023-10-02T12:00:00+02:00", "10");
    let costs = r#""costs":[{"label":"Energy","net":"10.00","vat_rate":"25"}]"#;
    let text = input(&format!(r#""sessions":[{one}],{costs},{}"#, total_of_october("10")));
    let settled = settle(list, &PriceBook::default(), &text).unwrap();
    assert_eq!(rows(driver(&settled, "a")), [("Session 1", "12.50")]);
    assert!(site(&settled).charges.is_empty());
}

#[test]
fn what_is_missing_is_named() {
    let one = session("1", "a", "2023-10-02T10:00:00+02:00", "2023-10-02T12:00:00+02:00", "10");
    let costs = r#""costs":[{"label":"Energy","net":"10.00","vat_rate":"25"}]"#;
    let fail = |list: List, rest: &str| settle(list, &PriceBook::default(), &input(rest)).unwrap_err();
    let error =
        fail(cost_price(false), &format!(r#""sessions":[{one}],{costs},{}"#, total_of_october("9.5")));
    assert_eq!(error, MonthError::MoreThanMetered { sessions: "10".into(), metered: "9.5".into() });
    assert!(error.to_string().contains("10 kWh, more than the 9.5 kWh"));
    let error = fail(cost_price(false), &format!(r#""sessions":[{one}]"#));
    assert!(error.to_string().contains("add `costs` and `meters`"), "{error}");
    let error = fail(plans(), costs);
    assert!(error.to_string().contains("no price of the tariff asks for the `cost price`"), "{error}");
    let gap = october(&[])
        .replace(r#"{"from":"2023-10-29T00:00:00Z","to":"2023-10-29T01:00:00Z","import_kwh":"1"},"#, "");
    let error = fail(power(Per::Kw, "1", 1, false), &format!(r#""meters":[{gap}]"#));
    assert_eq!(
        error.to_string(),
        "metering point m has no value from 2023-10-29T02:00:00+02:00 to 2023-10-29T02:00:00+01:00; \
         add the missing values, or ask the grid company for them"
    );
    let error = fail(power(Per::Kw, "1", 1, false), &total_of_october("9"));
    assert!(error.to_string().contains("is not of one clock hour"), "{error}");
    let error = fail(power(Per::Kw, "1", 1, false), r#""sessions":[]"#);
    assert_eq!(error.to_string(), "`Power fee` needs meter values, and there are none; add `meters`");
    let running = one.replace(r#""unplugged":"2023-10-02T12:00:00+02:00","#, "");
    assert_eq!(
        fail(tiers(), &format!(r#""sessions":[{running}]"#)),
        MonthError::Running { session: "1".into() }
    );
    let error = fail(tiers(), &format!(r#""sessions":[{one},{one}]"#));
    assert_eq!(error.to_string(), "session 1 is there twice; keep one of them");
    let other = one.replace("2023-10-02", "2023-11-02");
    let error = fail(tiers(), &format!(r#""sessions":[{other}]"#));
    assert!(error.to_string().contains("lies outside 2023-10"), "{error}");
}

#[test]
fn the_input_is_strict() {
    let error = MonthInput::from_json(r#"{"site":"s","month":"2023-10","meter":[]}"#).unwrap_err();
    assert!(error.to_string().ends_with("unknown field `meter` (did you mean `meters`?)"), "{error}");
    for bad in [r#""2023-13""#, r#""2023-1""#, r#""+023-10""#, "202310", r#""1999-10""#, r#""2099-12""#] {
        assert!(MonthInput::from_json(&format!(r#"{{"site":"s","month":{bad}}}"#)).is_err(), "{bad}");
    }
    let charger = |day: &str| {
        MonthInput::from_json(&input(&format!(r#""chargers":[{{"id":"1","installed":"{day}"}}]"#)))
    };
    assert!(charger("2023-10-31").is_ok());
    for bad in ["2023-02-29", "2023-10-32", "x", "2023-10", "2023-10-01-01", "99999-01-01"] {
        assert!(charger(bad).is_err(), "{bad}");
    }
}

#[test]
fn bills_that_do_not_belong_here_are_refused() {
    let mut list = List::new("NOK", false);
    list.energy(constant("1"));
    let one = session("1", "d", "2023-10-02T10:00:00+02:00", "2023-10-02T12:00:00+02:00", "10");
    let good = bill(&list, &one, &Standing::default());
    let fail = |change: &dyn Fn(&mut Document)| {
        let mut bad = good.clone();
        change(&mut bad);
        let text = input(&format!(r#""bills":[{}]"#, serde_json::to_string(&bad).unwrap()));
        settle(List(list.0.clone()), &PriceBook::default(), &text).unwrap_err().to_string()
    };
    assert!(fail(&|bill| bill.kind = "preview").contains("it is a preview"));
    assert!(fail(&|bill| bill.status = "pending").contains("pending"));
    assert!(fail(&|bill| bill.currency = "EUR".into()).contains("it is in EUR, and the tariff in NOK"));
    assert!(fail(&|bill| bill.prices_include_vat = true).contains("including VAT"));
    assert!(fail(&|bill| bill.site = Some("t".into())).contains("was at site t, not at s"));
    assert!(fail(&|bill| bill.charges[0].amount = "1.234".into()).contains("1.234"));
    assert!(
        fail(&|bill| bill.charges[0].amount = "99999999999999999999".into()).contains("is not an amount")
    );
    assert!(fail(&|bill| bill.charges[0].vat_rate = "-100".into()).contains("-100"));
    assert!(fail(&|bill| bill.energy_kwh = "x".into()).contains("not an energy"));
    assert!(fail(&|bill| bill.from = "x".into()).contains("is not a time"));
    let two = serde_json::to_string(&good).unwrap();
    let text = input(&format!(r#""bills":[{two},{two}]"#));
    let error = settle(List(list.0.clone()), &PriceBook::default(), &text).unwrap_err();
    assert!(error.to_string().contains("is there twice"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    // To the last øre, whatever it costs and whoever took it.
    #[test]
    fn cost_parts_and_rest_are_the_plants_cost(
        costs in prop::collection::vec((0_i64..2_000_000, prop::sample::select(vec!["0", "12", "25"])), 1..4),
        sessions in prop::collection::vec((0_u8..5, 0_i64..60_000_000), 0..12),
        other in 0_i64..200_000_000,
        includes_vat: bool,
        payer: bool,
    ) {
        let kwh = |micro: i64| format!("{}.{:06}", micro / 1_000_000, micro % 1_000_000);
        let metered: i64 = other + sessions.iter().map(|(_, energy)| energy).sum::<i64>();
        let listed: Vec<String> = sessions.iter().enumerate().map(|(id, (driver, energy))| {
            let (from, to) = ("2023-10-02T10:00:00+02:00", "2023-10-02T12:00:00+02:00");
            session(&id.to_string(), &format!("d{driver}"), from, to, &kwh(*energy))
        }).collect();
        let named: Vec<String> = costs.iter().map(|(net, rate)| {
            format!(r#"{{"label":"x","net":"{}.{:02}","vat_rate":"{rate}"}}"#, net / 100, net % 100)
        }).collect();
        let payers = if payer { r#","payers":{"d0":"acme","d1":"acme"}"# } else { "" };
        let text = input(&format!(
            r#""sessions":[{}],"costs":[{}],{}{payers}"#,
            listed.join(","), named.join(","), total_of_october(&kwh(metered)),
        ));
        let settled = settle(cost_price(includes_vat), &PriceBook::default(), &text).unwrap();
        let mut cost: i64 = costs.iter().map(|(net, _)| net).sum();
        if includes_vat {
            for rate in ["12", "25"] {
                let net: i64 = costs.iter().filter(|(_, known)| *known == rate).map(|(net, _)| net).sum();
                cost += (net * rate.parse::<i64>().unwrap() + 50) / 100;
            }
        }
        let mut given = 0;
        for statement in settled.statements.iter().filter(|statement| statement.kind == "statement") {
            assert_adds_up(statement);
            let rows: i64 = statement.charges.iter().map(|charge| minor(&charge.amount)).sum();
            given += rows;
            if metered > 0 {
                // Nobody is more than a minor unit away from his exact share.
                let took: i64 = if statement.driver.is_none() && statement.payer.is_none() {
                    other
                } else {
                    dec(&statement.energy_kwh).mantissa() as i64 * 10_i64.pow(6 - dec(&statement.energy_kwh).scale())
                };
                let exact = i128::from(cost) * i128::from(took);
                let off = (i128::from(rows) * i128::from(metered) - exact).abs();
                prop_assert!(off <= i128::from(metered) * 101 / 100, "{rows} of {cost} for {took} of {metered}");
            }
        }
        prop_assert_eq!(given, cost);
    }

    // Any sessions, any rates: every document adds up and the statements come to the whole.
    #[test]
    fn statements_add_up(
        sessions in prop::collection::vec((0_u8..4, 1_u32..28, 0_i64..80_000_000, 0_i64..180), 1..10),
        price in 0_i64..50_000,
        idle in 0_i64..500,
        fee in 0_i64..500,
        includes_vat: bool,
    ) {
        let mut list = List::new("NOK", includes_vat);
        let low = list.vat("12");
        list.energy(Formula::Const(rust_decimal::Decimal::new(price, 4)));
        let minute = list.price(Per::Minute, Formula::Const(rust_decimal::Decimal::new(idle, 3)));
        list.charge(ChargeKind::IdleFee, "Idle fee", minute).tax = low;
        let bill = list.price(Per::Bill, Formula::Const(rust_decimal::Decimal::new(fee, 2)));
        list.charge(ChargeKind::PaymentFee, "Payment fee", bill);
        let root = list.price(Per::Month, constant("100.01"));
        list.month_charge("Power fee", false, MonthWhat::Power { hours: 1, on_different_days: false, root });
        let listed: Vec<String> = sessions.iter().enumerate().map(|(id, (driver, day, energy, idle))| {
            let time = |minutes: i64| format!("2023-10-{day:02}T{:02}:{:02}:00+02:00", 10 + minutes / 60, minutes % 60);
            format!(
                r#"{{"id":"{id}","driver":"d{driver}","plugged_in":"{}","unplugged":"{}","readings":[
                {{"at":"{}","import_kwh":"0"}},{{"at":"{}","import_kwh":"{}.{:06}"}}]}}"#,
                time(0), time(60 + idle), time(0), time(60), energy / 1_000_000, energy % 1_000_000,
            )
        }).collect();
        let text = input(&format!(r#""sessions":[{}],"meters":[{}]"#, listed.join(","), october(&[])));
        let again = list.0.clone();
        let settled = settle(list, &PriceBook::default(), &text).unwrap();
        let mut total = 0;
        for statement in &settled.statements {
            assert_adds_up(statement);
            total += minor(&statement.total);
            let text = serde_json::to_string(statement).unwrap();
            prop_assert_eq!(&serde_json::from_str::<Document>(&text).unwrap(), statement);
        }
        prop_assert_eq!(total, minor(&settled.totals.total));
        let shared: i64 = settled.statements.iter().flat_map(|statement| &statement.charges)
            .filter(|charge| charge.charge == "power fee").map(|charge| minor(&charge.amount)).sum();
        prop_assert_eq!(shared, 10_001);
        prop_assert_eq!(&settle(List(again), &PriceBook::default(), &text).unwrap(), &settled);
    }

    #[test]
    fn any_bytes_are_read_without_panic(text in "\\PC{0,60}") {
        let _ = MonthInput::from_json(&text);
    }
}
