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
    // A tariff of OCPP 2.1 has no end.
    let ends = HEAD.replace("\n\nVAT", "\n  valid until: 2099-06-30\n\nVAT") + "energy: 0.30 EUR/kWh\n";
    let ran = with_input(&["export", "ocpp21", "-", "--from", "2026-03-02"], ends.as_bytes());
    assert!(ran.code == 1 && ran.err.contains("`valid until`") && ran.err.contains("--until"), "{}", ran.err);
    let bounded = ["export", "ocpp21", "-", "--from", "2026-03-02", "--until", "2026-03-09"];
    assert_eq!(with_input(&bounded, ends.as_bytes()).code, 0);
    let json = with_input(&["export", "ocpp21", "-", "--format", "json"], text.as_bytes());
    assert_eq!((json.code, json.json()["errors"].as_array().unwrap().len()), (1, 3), "{}", json.out);
    assert_eq!(takst(&["export", "ocpp21", "missing.tariff"]).code, 3);
}

const PARTNER: &str = r#"// Ours.
{"id":"12","currency":"EUR","country_code":"NL","elements":[{"price_components":[{"type":"ENERGY","price":0.25,"vat":20,"step_size":1}]}],"x":1}"#;

#[test]
fn a_partners_tariff_comes_in_and_prices_what_partners_send() {
    let ran = with_input(&["import", "ocpi", "-"], PARTNER.as_bytes());
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.contains("energy in steps of 1 Wh: 0.25 EUR/kWh\n"), "{}", ran.out);
    assert!(ran.err.contains("note: `x`: this field is not known"), "{}", ran.err);
    let json = with_input(&["import", "ocpi", "-", "--format", "json"], PARTNER.as_bytes()).json();
    assert_eq!(
        (&json["id"], &json["version"], &json["tariff"]),
        (&json!("12"), &json!("2.2.1"), &json!(ran.out))
    );
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let list = path("12.tariff", &ran.out);
    let run = path(
        "run.json",
        r#"{"start":"2025-03-10T12:00:00Z","end":"2025-03-10T14:00:00Z","kwh":10,"power":11}"#,
    );
    let bill = takst(&["price", &list, "--session", &run, "--format", "json"]).json();
    assert_eq!((&bill["net"], &bill["total"]), (&json!("2.50"), &json!("3.00")));
    let cdr = r#"{"id":"c","start_date_time":"2025-03-10T12:00:00Z","end_date_time":"2025-03-10T14:00:00Z","charging_periods":[{"start_date_time":"2025-03-10T12:00:00Z","dimensions":[{"type":"ENERGY","volume":10},{"type":"TIME","volume":2}]}],"total_energy":11}"#;
    let file = path("cdr.json", cdr);
    let ran = takst(&["price", &list, "--session", &file]);
    assert_eq!((ran.code, ran.err.contains("total_energy")), (0, true), "{}", ran.err);
    // In another currency it is not priced, alone or among others.
    let foreign = cdr.replacen('{', r#"{"currency":"SEK","#, 1);
    let file = path("foreign.json", &foreign);
    let ran = takst(&["price", &list, "--session", &file]);
    assert!(ran.code == 1 && ran.out.is_empty(), "{} {}", ran.code, ran.out);
    for part in ["foreign.json: `currency`", "in SEK", "in EUR", "not converted"] {
        assert!(ran.err.contains(part), "{part}: {}", ran.err);
    }
    let file = path("foreign.jsonl", &format!("{cdr}\n{foreign}\n"));
    let ran = takst(&["price", &list, "--session", &file, "--format", "json"]);
    assert!(ran.code == 1 && ran.err.contains("foreign.jsonl:2") && ran.err.contains("SEK"), "{}", ran.err);
    let ran = takst(&["diff", &list, &list, "--sessions", &file]);
    assert!(ran.code == 1 && ran.err.contains("foreign.jsonl:2") && ran.err.contains("SEK"), "{}", ran.err);
    let lines = path("cdrs.jsonl", &format!("{cdr}\n{cdr}\n"));
    let ran = takst(&["price", &list, "--session", &lines, "--format", "json"]);
    assert_eq!((ran.code, ran.out.lines().count()), (0, 2), "{}", ran.err);
    // Out again.
    let out =
        takst(&["export", "ocpi", &list, "--party", "NL*ABC", "--id", "12", "--from", "2025-01-01"]).json();
    assert_eq!(
        (&out["party_id"], &out["elements"][0]["price_components"][0]["price"]),
        (&json!("ABC"), &json!(0.25))
    );
}

#[test]
fn what_a_partner_sends_wrong_is_named() {
    let wrong = PARTNER.replace("ENERGY", "WATER");
    let ran = with_input(&["import", "ocpi", "-"], wrong.as_bytes());
    assert_eq!((ran.code, ran.out.as_str()), (1, ""));
    assert!(ran.err.contains("elements[0].price_components[0].type"), "{}", ran.err);
    assert_eq!(with_input(&["import", "ocpi", "-", "--version", "9"], PARTNER.as_bytes()).code, 2);
    assert_eq!(takst(&["import", "ocpi", "missing.json"]).code, 3);
    assert_eq!(takst(&["export", "ocpi", "missing.tariff", "--party", "Netherlands"]).code, 2);
}
