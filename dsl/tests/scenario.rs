//! Tests in tariff files, run: what they expect comes out, and nothing else would.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic, and its files are small")]

use takst_dsl::scenario::TestResult;
use takst_dsl::{SourceFile, compile, scenario};
use takst_engine::Prepared;

const HEAD: &str =
    "tariff \"List\"\n  currency: EUR\n  time zone: Europe/Vienna\n  prices: excluding VAT\nVAT: 20%\n";

/// Runs the tests of a list; there must be no message about it.
fn run(text: &str) -> Vec<TestResult> {
    let main = SourceFile { name: "list.tariff".into(), text: text.into() };
    let compiled = compile(main, &mut |_| Err("no files".into()));
    assert!(compiled.diagnostics.is_empty(), "{:#?}", compiled.diagnostics);
    scenario::run(&compiled.files[0], &Prepared::new(compiled.tariff.unwrap()).unwrap())
}

/// Names of the tests that failed.
fn failed(text: &str) -> Vec<String> {
    let results = run(&format!("{HEAD}{text}"));
    assert!(!results.is_empty());
    results.into_iter().filter(|it| !it.passed()).map(|it| format!("{} {:?}", it.name, it.failures)).collect()
}

#[test]
fn a_months_fees_by_plan() {
    let text = "monthly fee:\n  free with plan one-off\n  5.00 EUR/charger otherwise\n\
        one-off fee \"Charger\":\n  248.00 EUR/charger with plan one-off\n  free otherwise\n\
        test \"by the month\"\n  invoice 2025-03 for 2 chargers\n  expect monthly fee 10.00 EUR\n  expect one-off fee 0.00 EUR\n\
        test \"once and for all, long ago\"\n  invoice 2025-03 for 2 chargers with plan one-off\n  expect monthly fee 0.00 EUR\n  expect one-off fee 0.00 EUR\n\
        test \"once and for all, now\"\n  invoice 2025-03 for 2 new chargers with plan one-off\n  expect monthly fee 0.00 EUR\n  expect one-off fee \"Charger\" 496.00 EUR\n  expect total 595.20 EUR\n\
        test \"new, by the month\"\n  invoice 2025-03 for 1 new charger\n  expect monthly fee 5.00 EUR\n  expect one-off fee 0.00 EUR\n";
    assert_eq!(failed(text), [""; 0]);
    // A wrong expectation is told.
    assert_eq!(failed(&text.replace("496.00", "248.00")).len(), 1);
}

#[test]
fn no_allowance_is_an_allowance_of_zero() {
    let text = "value grace:\n  30 min on AC\n  0 min otherwise\nidle fee after grace: 0.10 EUR/min\n\
        test \"AC\"\n  charge 1 kWh on AC from 2025-03-10 10:00 to 11:00\n  idle until 12:00\n  expect idle fee 3.00 EUR\n\
        test \"DC\"\n  charge 1 kWh on DC from 2025-03-10 10:00 to 11:00\n  idle until 12:00\n  expect idle fee 6.00 EUR\n";
    assert_eq!(failed(text), [""; 0]);
}

#[test]
fn the_hundredth_of_a_real_by_its_full_name() {
    let text = "tariff \"BR\"\n  currency: BRL\n  time zone: America/Sao_Paulo\n  prices: excluding VAT\nVAT: none\n\
        price wind: 49 centavo/kWh\nprice sun: 1 centavos/kWh\nenergy: wind + sun\n\
        test \"10 kWh\"\n  charge 10 kWh from 2025-03-10 10:00 to 11:00\n  expect energy 5.00 BRL\n  expect total 500 centavos\n";
    assert!(run(text).iter().all(TestResult::passed), "{:#?}", run(text));
}

#[test]
fn a_named_night_begins_on_its_day() {
    let text = "period quiet: 22:00-06:00\n\
        energy:\n  0.10 EUR/kWh during Mon-Sat quiet\n  0.20 EUR/kWh otherwise\n\
        test \"from Saturday to Sunday\"\n  charge 2 kWh from 2025-03-16 00:00 to 06:00\n  expect energy 0.20 EUR\n\
        test \"from Sunday to Monday\"\n  charge 2 kWh from 2025-03-17 00:00 to 06:00\n  expect energy 0.40 EUR\n";
    assert_eq!(failed(text), [""; 0]);
    assert_eq!(failed(&text.replace("Mon-Sat quiet", "quiet except Sun")), [""; 0]);
    let named = text.replace("period quiet: 22:00-06:00", "period days: Mon-Sat");
    assert_eq!(failed(&text.replace("quiet: 22:00-06:00", "quiet: Mon-Sat 22:00-06:00")), [""; 0]);
    assert_eq!(failed(&named.replace("Mon-Sat quiet", "days 22:00-06:00")), [""; 0]);
}

#[test]
fn a_price_per_minute_is_divided_per_minute() {
    // 0.01 / 1.2 per minute, 12 decimals, times 10,000 minutes: 83.33333333; per hour it would be 0.5 / 60.
    let text = "idle fee: 0.01 EUR/min including VAT less VAT\n\
        test \"a week\"\n  charge 1 kWh from 2025-03-10 10:00 to 11:00\n  idle until 2025-03-17 09:40\n  expect idle fee 83.33 EUR\n";
    assert_eq!(failed(text), [""; 0]);
}

/// The messages of a list with one test, which fails.
fn told(session: &str) -> String {
    let results = run(&format!("{HEAD}energy: 0.40 EUR/kWh\ntest \"clock\"\n{session}"));
    results.iter().flat_map(|it| &it.failures).map(|it| it.message.clone()).collect::<Vec<_>>().join("; ")
}

#[test]
fn a_time_that_does_not_occur_is_refused() {
    let skipped = told("  charge 10 kWh from 2025-03-30 02:30 to 04:00\n  expect energy 4.00 EUR\n");
    assert!(skipped.contains("02:30 does not occur on 2025-03-30 in Europe/Vienna"), "{skipped}");
    assert!(skipped.contains("from 02:00 to 03:00"), "{skipped}");
    // Neither with an offset, nor at the end of a line.
    assert!(told("  charge 10 kWh from 2025-03-30 02:00+01:00 to 04:00\n").contains("does not occur"));
    assert!(told("  charge 10 kWh from 2025-03-30 01:00 to 02:59\n").contains("does not occur"));
    assert_eq!(told("  charge 10 kWh from 2025-03-30 01:59 to 03:00\n  expect energy 4.00 EUR\n"), "");
}

#[test]
fn a_time_that_occurs_twice_needs_its_offset() {
    let twice = told("  charge 10 kWh from 2025-10-26 02:30 to 04:00\n");
    assert!(twice.contains("occurs twice on 2025-10-26: write `02:30+02:00` or `02:30+01:00`"), "{twice}");
    assert!(told("  charge 10 kWh from 2025-10-26 01:00 to 02:00\n").contains("occurs twice"));
    assert_eq!(told("  charge 10 kWh from 2025-10-26 01:59 to 03:00\n  expect energy 4.00 EUR\n"), "");
    let text = "energy after 1 kWh: 0.40 EUR/kWh\nconnected time: 0.60 EUR/h\n\
        test \"an hour by the clock's two\"\n  charge 10 kWh from 2025-10-26 02:30+02:00 to 02:30+01:00\n  expect connected time 0.60 EUR\n\
        test \"the second one only\"\n  charge 10 kWh from 2025-10-26 02:15+01 to 02:30 +01:00\n  expect connected time 0.15 EUR\n\
        test \"an hour each\"\n  charge 10 kWh from 2025-10-26 01:30 to 02:30+02:00\n  expect connected time 0.60 EUR\n";
    assert_eq!(failed(text), [""; 0]);
    let wrong = told("  charge 10 kWh from 2025-10-26 01:30+01:00 to 04:00\n");
    assert!(
        wrong.contains("at 01:30 on 2025-10-26 the clock in Europe/Vienna is at +02:00, not at +01:00"),
        "{wrong}"
    );
}

#[test]
fn one_time_has_one_value() {
    let feeds = run(&format!(
        "{HEAD}energy: spot\ntest \"two\"\n  spot 0.10 EUR/kWh\n  spot 0.20 EUR/kWh\n  charge 10 kWh from 2025-03-10 12:00 to 13:00\n"
    ));
    assert!(feeds[0].failures[0].message.contains("has a value from then on already"), "{feeds:?}");
    let drawn = "  charge 10 kWh from 2025-03-10 12:00 to 13:00\n";
    assert!(told(&format!("{drawn}  drawing 11 kW\n  drawing 22 kW\n")).contains("same time"));
    assert!(told(&format!("{drawn}  occupied 10%\n  occupied 20% from 12:00\n")).contains("same time"));
    assert_eq!(
        told(&format!(
            "{drawn}  drawing 11 kW\n  drawing 16 A\n  drawing 22 kW from 12:30\n  expect energy 4.00 EUR\n"
        )),
        ""
    );
}
