//! Our tariffs in the words of OCPI, and what cannot be said.

use crate::prepared;
use serde_json::{Value, json};
use takst_engine::units::Instant;
use takst_engine::{PriceBook, Pricing};
use takst_gateway::exchange::ocpi::{Sent, Version, WantedOut, export};

const HEAD: &str = "tariff \"Yard\"\n  currency: EUR\n  time zone: Europe/Amsterdam\n  prices: excluding VAT\n\nVAT: 21%\n\n";
// 2025-10-26, when the clock goes back.
const DAY: i32 = 20_387;

fn out(list: &str, version: Version, spot: Option<&str>) -> Result<Value, Vec<String>> {
    let list = prepared(&if list.starts_with("tariff") { list.to_owned() } else { format!("{HEAD}{list}") });
    let mut book = PriceBook::default();
    if let Some(spot) = spot {
        book.add_json(spot).unwrap();
    }
    let pricing = Pricing::new(&list, &book).unwrap();
    let facts = takst_engine::session::Facts::default();
    let (until, feeds) = if spot.is_some() { (Some(DAY + 1), Some(&pricing)) } else { (None, None) };
    let wanted = WantedOut { facts: &facts, from: DAY, until, id: Some("y"), feeds };
    let sent = Sent { version, party: Some(("NL", "TST")), updated: Instant(0) };
    match export(&list, &wanted, &sent) {
        Ok(exported) => Ok(serde_json::from_str(&exported.json).unwrap()),
        Err(wrong) => Err(wrong.iter().map(ToString::to_string).collect()),
    }
}

#[test]
fn a_list_goes_out() {
    let list = "energy in steps of 100 Wh:\n  0.25 EUR/kWh during 22:00-06:00\n  0.35 EUR/kWh otherwise\n\nparking time:\n  0.10 EUR/min beyond 1 h of \
                connected time\n  free otherwise\n\nstart fee: 0.50 EUR/session\n\ntotal: at most 30.00 EUR/session\n";
    let found = out(list, Version::V221, None).unwrap();
    assert_eq!(
        (&found["country_code"], &found["id"], &found["max_price"]),
        (&json!("NL"), &json!("y"), &json!({"excl_vat": 30.0}))
    );
    assert_eq!(
        found["elements"],
        json!([
            {"price_components": [{"type": "ENERGY", "price": 0.25, "vat": 21.0, "step_size": 100}],
             "restrictions": {"start_time": "22:00", "end_time": "06:00"}},
            {"price_components": [{"type": "ENERGY", "price": 0.35, "vat": 21.0, "step_size": 100},
                                  {"type": "FLAT", "price": 0.5, "vat": 21.0, "step_size": 1}]},
            {"price_components": [{"type": "PARKING_TIME", "price": 6.0, "vat": 21.0, "step_size": 1}],
             "restrictions": {"min_duration": 3600}},
        ])
    );
    let gross = HEAD.replace("excluding", "including") + "energy: 0.30 EUR/kWh\n";
    assert_eq!(out(&gross, Version::V230, None).unwrap()["tax_included"], "YES");
    let wrong = out(&gross, Version::V221, None).unwrap_err();
    assert!(wrong[0].contains("imported.tariff:8") && wrong[0].contains("--version 2.3.0"), "{wrong:?}");
}

#[test]
fn a_list_goes_out_with_its_end_and_its_steps() {
    let list = HEAD.replace("\n\nVAT", "\n  valid from: 2025-01-01\n  valid until: 2025-12-31\n\nVAT");
    let ours = prepared(&format!("{list}energy: 0.30 EUR/kWh\n"));
    let facts = takst_engine::session::Facts::default();
    let sent = Sent { version: Version::V221, party: Some(("NL", "TST")), updated: Instant(0) };
    let wanted = WantedOut { facts: &facts, from: DAY, until: None, id: Some("y"), feeds: None };
    let exported = export(&ours, &wanted, &sent).unwrap();
    let found: Value = serde_json::from_str(&exported.json).unwrap();
    assert_eq!(
        (&found["start_date_time"], &found["end_date_time"]),
        (&json!("2024-12-31T23:00:00Z"), &json!("2025-12-31T23:00:00Z"))
    );
    let back = crate::imported(&exported.json).text;
    assert!(back.contains("  valid from:  2025-01-01\n  valid until: 2025-12-31\n"), "{back}");
    // A day that is asked for ends first; one Wh is the finest that can be said.
    let day = WantedOut { until: Some(DAY + 1), ..wanted.clone() };
    let found: Value = serde_json::from_str(&export(&ours, &day, &sent).unwrap().json).unwrap();
    assert_eq!(found["end_date_time"], "2025-10-26T23:00:00Z");
    assert!(exported.notes.iter().any(|note| note.contains("in steps of 1 Wh")), "{:?}", exported.notes);
    let stepped = prepared(&format!("{list}energy in steps of 1 Wh: 0.30 EUR/kWh\n"));
    assert_eq!(export(&stepped, &wanted, &sent).unwrap().notes, Vec::<String>::new());
}

#[test]
fn reservations_that_expire_stand_before_others() {
    let list = "energy: 0.30 EUR/kWh\n\nreservation fee:\n  5.00 EUR/h when expired\n  2.00 EUR/h in steps of 10 min otherwise\n";
    let elements = out(list, Version::V221, None).unwrap()["elements"].clone();
    assert_eq!(elements[1]["restrictions"], json!({"reservation": "RESERVATION_EXPIRES"}));
    assert_eq!(elements[2]["price_components"][0]["step_size"], 600);
    assert_eq!(elements[2]["restrictions"], json!({"reservation": "RESERVATION"}));
}

#[test]
fn every_line_that_cannot_be_said_is_named() {
    for (list, line, says) in [
        ("energy: spot + 0.05 EUR/kWh\n", "energy: spot", "--date"),
        ("energy: 0.30 EUR/kWh\nidle fee after 30 min: 0.10 EUR/min\n", "idle fee after", "no idle fee"),
        (
            "energy: 0.30 EUR/kWh\nparking time after 30 min: 0.10 EUR/min\n",
            "parking time after",
            "from the start of the session",
        ),
        ("energy at most 9.00 EUR/day: 0.30 EUR/kWh\n", "energy at most", "limits on the total only"),
        ("energy: 0.30 EUR/kWh\ntotal: at most 9.00 EUR/day\n", "total: at most", "one session only"),
        ("energy: 0.30 EUR/kWh\nstart fee after 1 kWh: 0.50 EUR/session\n", "start fee after", "waits"),
        (
            "energy: 0.30 EUR/kWh\nstart fee:\n  0.50 EUR/session during 08:00-20:00\n  free otherwise\n",
            "start fee:",
            "at plug-in",
        ),
        ("energy: 0.30 EUR/kWh\ndiscount: 10% of energy\n", "discount:", "no discounts"),
        ("energy: 0.30 EUR/kWh\nfeed-in: 0.10 EUR/kWh\n", "feed-in:", "gives back"),
        ("energy:\n  0.30 EUR/kWh on DC\n  0.20 EUR/kWh otherwise\n", "0.30 EUR/kWh on DC", "--plug"),
        (
            "energy:\n  0.30 EUR/kWh up to 50 kWh per month per driver\n  0.20 EUR/kWh otherwise\n",
            "0.30 EUR/kWh up to",
            "one session",
        ),
        ("energy: 0.30 EUR/kWh\npayment fee: 0.40 EUR/bill\n", "payment fee", "no fee per bill"),
        (
            "energy:\n  0.30 EUR/kWh during public holidays\n  0.20 EUR/kWh otherwise\n",
            "0.30 EUR/kWh during",
            "public holidays",
        ),
        (
            "charging time in steps of 5 min: 1.00 EUR/h\nparking time: 1.00 EUR/h\n",
            "charging time in",
            "steps only without parking",
        ),
    ] {
        let wrong = out(list, Version::V230, None).expect_err(list);
        assert!(wrong.iter().any(|error| error.contains(line) && error.contains(says)), "{list}: {wrong:#?}");
        assert!(!wrong.iter().any(|error| error.contains("{there}")), "{wrong:?}");
    }
}

#[test]
fn a_day_of_spot_prices_goes_out() {
    let hour = |from: &str, to: &str, price: &str| {
        format!(r#"{{"from":"2025-10-{from}:00","to":"2025-10-{to}:00","price":"{price}"}}"#)
    };
    let feed = |twice: &str| {
        let steps = [
            hour("25T22:00:00+00", "26T00:00:00+00", "100"),
            hour("26T00:00:00+00", "26T01:00:00+00", "80"),
            hour("26T01:00:00+00", "26T02:00:00+00", twice),
            hour("26T02:00:00+00", "26T23:00:00+00", "100"),
        ];
        format!(r#"{{"feed":"spot","unit":"EUR/MWh","vat_included":false,"prices":[{}]}}"#, steps.join(","))
    };
    let list = "energy: spot + 0.05 EUR/kWh\n";
    let found = out(list, Version::V221, Some(&feed("80"))).unwrap();
    assert_eq!(
        (&found["start_date_time"], &found["end_date_time"]),
        (&json!("2025-10-25T22:00:00Z"), &json!("2025-10-26T23:00:00Z"))
    );
    let elements = found["elements"].as_array().unwrap();
    let said = |number: usize| {
        (&elements[number]["price_components"][0]["price"], &elements[number]["restrictions"])
    };
    let day = json!({"start_date": "2025-10-26", "end_date": "2025-10-27"});
    let (price, when) = said(0);
    assert_eq!(
        (price, &when["start_time"], &when["end_time"]),
        (&json!(0.15), &json!("03:00"), &json!("02:00"))
    );
    assert_eq!(said(1), (&json!(0.13), &day));
    // The hour comes twice that day, and the clock cannot tell which one is meant.
    let wrong = out(list, Version::V221, Some(&feed("90"))).unwrap_err();
    assert!(wrong[0].contains("comes twice"), "{wrong:?}");
    let wrong =
        out(list, Version::V221, Some(&feed("80").replace("26T23:00:00+00", "26T20:00:00+00"))).unwrap_err();
    assert!(wrong[0].contains("is not known at 21:00"), "{wrong:?}");
}
