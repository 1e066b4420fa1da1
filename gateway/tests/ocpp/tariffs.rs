//! Tariffs for chargers of OCPP 2.1: valid by the official schema, and a charger that goes by one comes to what the bill says.

use crate::schemas::python;
use chrono::{Datelike as _, NaiveDate, NaiveDateTime, TimeDelta};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use std::io::Write as _;
use std::process::{Command, Stdio};
use takst_dsl::{SourceFile, compile};
use takst_engine::session::{Connector, Facts, Plug, Session};
use takst_engine::units::Day;
use takst_engine::{Prepared, PriceBook, Pricing, Standing, price};
use takst_gateway::exchange::ocpp21::{Unsayable, Wanted, export};
use takst_gateway::ocpp::tariff_json;

fn compiled(head: &str, charges: &str) -> Prepared {
    let text = format!("tariff \"Test\"\n  currency: EUR\n  time zone: UTC\n{head}\n\n{charges}\n");
    let compiled = compile(SourceFile { name: "test.tariff".into(), text }, &mut |_| Err("no".into()));
    let diagnostics = compiled.diagnostics;
    Prepared::new(compiled.tariff.unwrap_or_else(|| panic!("{charges}\n{diagnostics:?}"))).unwrap()
}

const GROSS: &str = "  prices: including VAT\n\nVAT: 24%";
const NET: &str = "  prices: excluding VAT\n\nVAT: 24%";

// 2026-03-02, a Monday.
const FROM: Day = 20_514;

fn exported(prepared: &Prepared, facts: &Facts) -> Result<Value, Vec<Unsayable>> {
    let wanted = Wanted { facts, from: FROM, until: None, id: None, feeds: None };
    export(prepared, &wanted).map(|document| serde_json::from_str(&tariff_json(&document).unwrap()).unwrap())
}

fn dc() -> Facts {
    let connector = Connector { plug: Some(Plug::Dc), ..Connector::default() };
    Facts { connector: Some(connector), ..Facts::default() }
}

#[test]
fn a_tariff_reads_as_a_person_would_have_written_it() {
    let prepared = compiled(
        GROSS,
        "energy:\n  0.20 EUR/kWh during 22:00-06:00\n  0.31 EUR/kWh otherwise\n\nstart fee: 1.24 EUR/session\n\n\
         idle fee after 10 min:\n  0.124 EUR/min during 08:00-22:00\n  free otherwise\n\ntotal: at most 50.00 EUR/session",
    );
    let mut tariff = exported(&prepared, &dc()).unwrap();
    let id = tariff["tariffId"].take();
    assert!(id.as_str().unwrap().starts_with("test-") && id.as_str().unwrap().len() == 21, "{id}");
    let vat = json!([{"type": "VAT", "tax": 24}]);
    let wanted = json!({
        "tariffId": null, "description": [{"format": "UTF8", "content": "Test"}], "currency": "EUR",
        "energy": {"prices": [
            {"priceKwh": 0.161290322581, "conditions": {"startTimeOfDay": "22:00", "endTimeOfDay": "06:00"}},
            {"priceKwh": 0.25},
        ], "taxRates": vat},
        "idleTime": {"prices": [
            {"priceMinute": 0.1, "conditions": {"startTimeOfDay": "08:00", "endTimeOfDay": "22:00", "minIdleTime": 600}},
        ], "taxRates": vat},
        "fixedFee": {"prices": [{"priceFixed": 1}], "taxRates": vat},
        "maxCost": {"inclTax": 50},
    });
    assert_eq!(tariff, wanted, "{tariff:#}");
}

#[test]
fn every_condition_is_said() {
    let said = |charges: &str, facts: &Facts| exported(&compiled(NET, charges), facts).unwrap();
    let energy = said(
        "energy:\n  0.10 EUR/kWh during Sat-Sun\n  0.20 EUR/kWh from 2026-06-01 until 2026-08-31\n  0.30 EUR/kWh otherwise",
        &dc(),
    );
    let prices = energy["energy"]["prices"].as_array().unwrap();
    assert_eq!(prices.last().unwrap(), &json!({"priceKwh": 0.3}), "{energy:#}");
    let text = energy.to_string();
    for part in [
        r#""dayOfWeek":["Saturday","Sunday"]"#,
        r#""validFromDate":"2026-06-01""#,
        r#""validToDate":"2026-09-01""#,
    ] {
        assert!(text.contains(part), "{part}: {energy:#}");
    }
    // Unknown: a condition; known: nothing is left of it.
    let plugs = "energy:\n  0.50 EUR/kWh on DC\n  0.40 EUR/kWh otherwise";
    assert!(said(plugs, &Facts::default()).to_string().contains(r#""evseKind":"#));
    assert_eq!(said(plugs, &dc())["energy"]["prices"], json!([{"priceKwh": 0.5}]));
    let brands = "energy: 0.40 EUR/kWh\n\nstart fee:\n  1.00 EUR/session paid with \"Visa\"\n  2.00 EUR/session otherwise";
    assert_eq!(
        said(brands, &dc())["fixedFee"]["prices"],
        json!([{"conditions": {"paymentBrand": "Visa"}, "priceFixed": 1}, {"priceFixed": 2}])
    );
    let times = said(
        "energy:\n  0.40 EUR/kWh up to 20 kWh\n  0.30 EUR/kWh otherwise\n\nconnected time after 60 min: 3.00 EUR/h\n\n\
         reservation fee: 0.05 EUR/min",
        &dc(),
    );
    let minute = json!([{"priceMinute": 0.05, "conditions": {"minTime": 3600}}]);
    assert_eq!(
        (&times["chargingTime"]["prices"], &times["idleTime"]["prices"]),
        (&minute, &minute),
        "{times:#}"
    );
    assert_eq!(times["reservationTime"]["prices"], json!([{"priceMinute": 0.05}]));
    assert!(times["energy"].to_string().contains("20000"), "{times:#}");
}

#[test]
fn power_taxes_and_bounds_are_said() {
    let prepared = compiled(
        "  prices: excluding VAT\n  valid from: 2026-04-01\n  description: \"Green power\"\n\ntax \"State\": 6%\n\
         tax \"City\" on top of State: 2%",
        "energy:\n  0.45 EUR/kWh 11 kW or more\n  0.30 EUR/kWh otherwise\n\ncharging time after 60 min: 1.20 EUR/h\n\n\
         total: at least 1.50 EUR/session",
    );
    let tariff = exported(&prepared, &dc()).unwrap();
    let prices = json!([{"priceKwh": 0.45, "conditions": {"minPower": 11000}}, {"priceKwh": 0.3}]);
    let other = json!([{"priceKwh": 0.3, "conditions": {"maxPower": 11000}}, {"priceKwh": 0.45}]);
    let said = &tariff["energy"]["prices"];
    assert!(*said == prices || *said == other, "{tariff:#}");
    let taxes = json!([{"type": "State", "tax": 6, "stack": 0}, {"type": "City", "tax": 2, "stack": 1}]);
    assert_eq!(tariff["energy"]["taxRates"], taxes, "{tariff:#}");
    assert_eq!(tariff["minCost"], json!({"exclTax": 1.5}));
    let time = json!([{"priceMinute": 0.02, "conditions": {"minChargingTime": 3600}}]);
    assert_eq!(tariff["chargingTime"]["prices"], time, "{tariff:#}");
    assert_eq!(tariff["validFrom"], "2026-04-01T00:00:00.000Z");
    assert_eq!(tariff["description"][1]["content"], "Green power");
}

#[test]
fn what_cannot_be_said_is_an_error_that_names_its_line() {
    for (charges, line, why) in [
        ("energy: spot + 0.05 EUR/kWh", "energy: spot + 0.05 EUR/kWh", "known beforehand"),
        ("energy, at most 9.00 EUR/session: 0.30 EUR/kWh", "energy, at most", "limits on the total only"),
        ("energy: 0.30 EUR/kWh\n\nidle fee after 5 min in a row: 0.10 EUR/min", "idle fee after", "in a row"),
        (
            "energy:\n  0.30 EUR/kWh during public holidays\n  0.20 EUR/kWh otherwise",
            "0.30 EUR/kWh during public holidays",
            "public holidays",
        ),
        ("energy: 0.30 EUR/kWh\n\ndiscount \"x\": 10% of energy", "discount", "no discounts"),
        ("energy: 0.30 EUR/kWh\n\nfeed-in: 0.10 EUR/kWh", "feed-in", "gives back"),
        (
            "energy:\n  0.30 EUR/kWh via roaming\n  0.20 EUR/kWh otherwise",
            "0.30 EUR/kWh via roaming",
            "contract",
        ),
    ] {
        let head = if charges.contains("holidays") {
            format!("  public holidays: FI\n{NET}")
        } else {
            NET.to_owned()
        };
        let wrong = exported(&compiled(&head, charges), &dc()).unwrap_err();
        let found = wrong.iter().any(|wrong| {
            wrong.place.starts_with("test.tariff:") && wrong.line.starts_with(line) && wrong.why.contains(why)
        });
        assert!(found, "{charges}\n{wrong:#?}");
    }
}

#[test]
fn a_few_days_have_their_holidays() {
    let prepared = compiled(
        &format!("  public holidays: FI\n{NET}"),
        "energy:\n  0.30 EUR/kWh during public holidays\n  0.20 EUR/kWh otherwise",
    );
    let facts = dc();
    // Midsummer 2026 is on 20 June, a Saturday.
    let from = 20_514 + 102;
    let wanted = Wanted { facts: &facts, from, until: Some(from + 14), id: Some("mine"), feeds: None };
    let document = export(&prepared, &wanted).unwrap();
    let tariff: Value = serde_json::from_str(&tariff_json(&document).unwrap()).unwrap();
    assert_eq!(tariff["tariffId"], "mine");
    let dated = |price: &Value| price["conditions"]["validToDate"].is_string();
    assert!(
        tariff["energy"]["prices"].as_array().unwrap().iter().all(dated),
        "nothing holds beyond: {tariff:#}"
    );
    let on = |day: u32| {
        energy_price(&tariff, NaiveDate::from_ymd_opt(2026, 6, day).unwrap().and_hms_opt(12, 0, 0).unwrap())
    };
    assert_eq!(
        (on(18), on(20), on(22)),
        (Decimal::new(2, 1), Decimal::new(3, 1), Decimal::new(2, 1)),
        "{tariff:#}"
    );
}

// What a charger has counted so far.
#[derive(Clone, Copy, Default)]
struct Count {
    wh: Decimal,
    total: i64,
    charging: i64,
    idle: i64,
}

fn decimal(value: &Value) -> Decimal {
    Decimal::from_str_exact(&value.to_string()).unwrap()
}

fn holds(when: &Value, at: NaiveDateTime, count: Count) -> bool {
    let Some(when) = when.as_object() else { return true };
    when.iter().all(|(name, value)| {
        let text = value.as_str().unwrap_or_default();
        let whole = || value.as_i64().unwrap();
        let clock = at.format("%H:%M").to_string();
        match name.as_str() {
            "startTimeOfDay" => {
                let until = when["endTimeOfDay"].as_str().unwrap();
                match until {
                    "00:00" => *text <= *clock,
                    until if text < until => *text <= *clock && *clock < *until,
                    until => *text <= *clock || *clock < *until,
                }
            }
            "endTimeOfDay" => true,
            "dayOfWeek" => {
                let names = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
                let today = names[at.weekday().num_days_from_monday() as usize];
                value.as_array().unwrap().iter().any(|day| day == today)
            }
            "validFromDate" => *text <= *at.format("%Y-%m-%d").to_string(),
            "validToDate" => *at.format("%Y-%m-%d").to_string() < *text,
            "minEnergy" => decimal(value) <= count.wh,
            "maxEnergy" => count.wh < decimal(value),
            "minTime" => whole() <= count.total,
            "maxTime" => count.total < whole(),
            "minChargingTime" => whole() <= count.charging,
            "maxChargingTime" => count.charging < whole(),
            "minIdleTime" => whole() <= count.idle,
            "maxIdleTime" => count.idle < whole(),
            other => panic!("{other}"),
        }
    })
}

fn first(part: &Value, name: &str, at: NaiveDateTime, count: Count) -> Decimal {
    let prices = part["prices"].as_array().into_iter().flatten();
    let mut found = prices.filter(|price| holds(&price["conditions"], at, count));
    found.next().map_or(Decimal::ZERO, |price| decimal(&price[name]))
}

fn energy_price(tariff: &Value, at: NaiveDateTime) -> Decimal {
    first(&tariff["energy"], "priceKwh", at, Count::default())
}

// What a charger works out by itself: second by second, with tax.
fn worked_out(tariff: &Value, start: NaiveDateTime, charges_s: i64, stays_s: i64, watt: i64) -> Decimal {
    let tax = |part: &Value| {
        let mut factor = Decimal::ONE;
        let mut level: Vec<(i64, Decimal)> = Vec::new();
        for rate in part["taxRates"].as_array().into_iter().flatten() {
            let stack = rate["stack"].as_i64().unwrap_or_default();
            let below: Decimal =
                level.iter().filter(|(other, _)| *other < stack).map(|(_, share)| *share).sum();
            level.push((stack, decimal(&rate["tax"]) / Decimal::ONE_HUNDRED * (Decimal::ONE + below)));
        }
        factor += level.iter().map(|(_, share)| *share).sum::<Decimal>();
        factor
    };
    let mut count = Count::default();
    let (energy, charging, idle, fixed) =
        (&tariff["energy"], &tariff["chargingTime"], &tariff["idleTime"], &tariff["fixedFee"]);
    let mut sum = first(fixed, "priceFixed", start, count) * tax(fixed);
    for second in 0..stays_s {
        let at = start + TimeDelta::seconds(second);
        if second < charges_s {
            let wh = Decimal::from(watt) / Decimal::from(3600);
            sum += first(energy, "priceKwh", at, count) * wh / Decimal::from(1000) * tax(energy);
            sum += first(charging, "priceMinute", at, count) / Decimal::from(60) * tax(charging);
            (count.wh, count.charging) = (count.wh + wh, count.charging + 1);
        } else {
            sum += first(idle, "priceMinute", at, count) / Decimal::from(60) * tax(idle);
            count.idle += 1;
        }
        count.total += 1;
    }
    let bound = |name: &str| (!tariff[name].is_null()).then(|| decimal(&tariff[name]["inclTax"]));
    let sum = bound("minCost").map_or(sum, |least| sum.max(least));
    bound("maxCost").map_or(sum, |most| sum.min(most))
}

fn billed(prepared: &Prepared, start: NaiveDateTime, charges_s: i64, stays_s: i64, watt: i64) -> Decimal {
    let at = |second: i64| (start + TimeDelta::seconds(second)).format("%Y-%m-%dT%H:%M:%SZ").to_string();
    let kwh = Decimal::from(watt * charges_s) / Decimal::from(3_600_000);
    let document = json!({
        "id": "1", "plugged_in": at(0), "unplugged": at(stays_s), "connector": {"plug": "DC"},
        "readings": [{"at": at(0), "import_kwh": "0"}, {"at": at(charges_s), "import_kwh": kwh.to_string()},
                     {"at": at(stays_s), "import_kwh": kwh.to_string()}],
        "states": [{"from": at(0), "state": "charging"}, {"from": at(charges_s), "state": "idle"}],
    });
    let session = Session::from_json(&document.to_string()).unwrap();
    let book = PriceBook::default();
    let pricing = Pricing::new(prepared, &book).unwrap();
    Decimal::new(price(&pricing, &session, &Standing::default()).unwrap().total, 2)
}

#[test]
fn a_charger_that_goes_by_it_comes_to_what_the_bill_says() {
    let lists = [
        (GROSS, "energy: 0.30 EUR/kWh"),
        (
            NET,
            "energy:\n  0.20 EUR/kWh during 22:00-06:00\n  0.45 EUR/kWh during Mon-Fri 08:00-18:00\n  0.31 EUR/kWh otherwise",
        ),
        (
            GROSS,
            "energy:\n  0.20 EUR/kWh during Sat-Sun 21:00-03:00\n  0.31 EUR/kWh otherwise\n\nstart fee: 0.50 EUR/session",
        ),
        (
            GROSS,
            "energy:\n  0.40 EUR/kWh up to 5 kWh\n  0.30 EUR/kWh up to 9 kWh\n  0.20 EUR/kWh otherwise\n\nstart fee \"Entry\":\n  1.00 EUR/session during 08:00-20:00\n  0.25 EUR/session otherwise",
        ),
        (
            NET,
            "energy: 0.35 EUR/kWh\n\ncharging time: 1.80 EUR/h\n\nidle fee after 10 min:\n  0.10 EUR/min during 08:00-22:00\n  0.02 EUR/min otherwise",
        ),
        (
            GROSS,
            "energy: 0.35 EUR/kWh\n\nconnected time after 30 min: 3.00 EUR/h\n\nparking time after 5 min: 0.01 EUR/min\n\ntotal: at least 2.00 EUR/session",
        ),
        (
            GROSS,
            "price network:\n  0.05 EUR/kWh during Mon-Fri 07:00-19:00\n  0.02 EUR/kWh otherwise\n\nenergy: 0.20 EUR/kWh + network\n\nenergy \"Green\":\n  0.03 EUR/kWh from 2026-03-07\n  free otherwise\n\nidle fee: 0.05 EUR/min\n\ntotal: at most 8.00 EUR/session",
        ),
    ];
    let mut compared = 0;
    for (head, charges) in lists {
        let prepared = compiled(head, charges);
        let tariff = exported(&prepared, &dc()).unwrap_or_else(|wrong| panic!("{charges}\n{wrong:#?}"));
        // Every day of a week, at hours that cross the windows.
        for (hours, charges_s, stays_s, watt) in [
            (5, 4_000, 9_000, 7_200),
            (20 + 24, 5_400, 6_000, 11_000),
            (17 + 48, 3_600, 12_600, 22_000),
            (21 + 4 * 24, 10_800, 10_900, 3_600),
            (23 + 5 * 24, 7_200, 14_400, 5_400),
        ] {
            let start = NaiveDate::from_ymd_opt(2026, 3, 2).unwrap().and_hms_opt(0, 0, 0).unwrap()
                + TimeDelta::hours(hours);
            let (own, bill) = (
                worked_out(&tariff, start, charges_s, stays_s, watt),
                billed(&prepared, start, charges_s, stays_s, watt),
            );
            // A bill rounds each charge to the cent; a charger counts whole seconds and steps of Wh at a threshold.
            let off = (own - bill).abs();
            assert!(off <= Decimal::new(2, 2), "{charges}\nat {start}: {own} and {bill}\n{tariff:#}");
            compared += 1;
        }
    }
    assert_eq!(compared, 35);
}

#[test]
fn the_official_schema_takes_them() {
    let mut jobs = String::new();
    for (head, charges) in [
        (GROSS, "energy: 0.30 EUR/kWh\n\nreservation fee: 1.00 EUR/session"),
        (
            NET,
            "energy:\n  0.20 EUR/kWh during Mon-Fri 08:00-18:00\n  0.31 EUR/kWh on DC\n  0.20 EUR/kWh otherwise\n\nidle fee after 10 min: 0.10 EUR/min\n\ntotal: at most 5.00 EUR/session",
        ),
        (
            NET,
            "energy:\n  0.40 EUR/kWh up to 5.5 kWh\n  0.30 EUR/kWh otherwise\n\nstart fee:\n  1.00 EUR/session paid with \"Visa\"\n  2.00 EUR/session otherwise\n\ncharging time after 2 min: 1.00 EUR/h",
        ),
    ] {
        let tariff = exported(&compiled(head, charges), &Facts::default()).unwrap();
        let instance = json!({"evseId": 0, "tariff": tariff});
        let job = json!({"version": "v21", "schema": "SetDefaultTariffRequest", "instance": instance});
        jobs.push_str(&format!("{job}\n"));
    }
    let check = "import json, sys, ocpp, jsonschema, pathlib\n\
                 home = pathlib.Path(ocpp.__file__).parent\n\
                 for line in sys.stdin:\n\
                 \x20   job = json.loads(line)\n\
                 \x20   path = home / job['version'] / 'schemas' / (job['schema'] + '.json')\n\
                 \x20   jsonschema.validate(job['instance'], json.loads(path.read_text(encoding='utf-8-sig')))\n\
                 \x20   print('fine')\n";
    let mut checker = Command::new(python())
        .args(["-c", check])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python runs");
    checker.stdin.take().unwrap().write_all(jobs.as_bytes()).unwrap();
    let output = String::from_utf8(checker.wait_with_output().unwrap().stdout).unwrap();
    assert_eq!(output, "fine\n".repeat(3));
}
