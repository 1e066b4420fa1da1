//! `takst export ocpp21` as people and programs use it.

use crate::run::{snapshot, takst, with_input};
use serde_json::json;

const HEAD: &str =
    "tariff \"Yard\"\n  currency: EUR\n  time zone: Europe/Helsinki\n  prices: excluding VAT\n\nVAT: 24%\n\n";

#[test]
fn a_tariff_goes_out_as_ocpp_2_1_has_it() {
    let text = format!(
        "{HEAD}groups: members, everyone else guests\n\nenergy:\n  0.20 EUR/kWh for members\n  0.25 EUR/kWh during 22:00-06:00\n  \
         0.30 EUR/kWh otherwise\n\nidle fee after 15 min: 0.10 EUR/min\n"
    );
    let out = |more: &[&str]| {
        with_input(&[&["export", "ocpp21", "-", "--from", "2026-03-02"], more].concat(), text.as_bytes())
    };
    let shown = out(&["--id", "yard-1"]);
    assert_eq!((shown.code, shown.err.as_str()), (0, ""));
    snapshot("export-ocpp21", &shown.out);
    let members = out(&["--group", "members", "--format", "json"]).json();
    assert_eq!(members["energy"]["prices"], json!([{"priceKwh": 0.2}]));
    let wrong = out(&["--group", "member"]);
    assert_eq!((wrong.code, wrong.err.contains("did you mean `members`?")), (2, true), "{}", wrong.err);
    assert_eq!(out(&["--id", &"x".repeat(61)]).code, 2);
    assert_eq!(out(&["--until", "2026-03-02"]).code, 2);
}

#[test]
fn what_cannot_be_said_is_told_line_by_line() {
    let text = format!(
        "{HEAD}energy at most 9.00 EUR/session:\n  spot  during Mon-Fri\n  0.30 EUR/kWh  otherwise\n\ndiscount \"x\": 10% of energy\n"
    );
    let ran = with_input(&["export", "ocpp21", "-"], text.as_bytes());
    assert_eq!((ran.code, ran.out.as_str()), (1, ""));
    for part in ["stdin:8: `energy at most", "stdin:9: `spot  during Mon-Fri`", "stdin:12: `discount"] {
        assert!(ran.err.contains(part), "{part}\n{}", ran.err);
    }
    let json = with_input(&["export", "ocpp21", "-", "--format", "json"], text.as_bytes());
    assert_eq!((json.code, json.json()["errors"].as_array().unwrap().len()), (1, 3), "{}", json.out);
    assert_eq!(takst(&["export", "ocpp21", "missing.tariff"]).code, 3);
}
