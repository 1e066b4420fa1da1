//! What imported tariff files look like, and what is refused.

use crate::{element, imported, prepared, tariff};
use takst_gateway::exchange::ocpi::{Version, Wanted, import};

#[test]
fn a_person_would_have_written_it() {
    let elements = [
        element(
            "ENERGY 0.25 vat 21; TIME 1.2 vat 21 step 300",
            r#""start_time":"22:00","end_time":"06:00","day_of_week":["SATURDAY","SUNDAY"]"#,
        ),
        element(
            "ENERGY 0.30 vat 21",
            r#""start_time":"07:00","end_time":"19:00","day_of_week":["MONDAY","TUESDAY","WEDNESDAY","THURSDAY","FRIDAY"]"#,
        ),
        element("ENERGY 0.35 vat 21 step 1; PARKING_TIME 6 vat 21 step 900; FLAT 0.5 vat 10", ""),
    ];
    let text = tariff(&elements.join(",")).replace(
        r#""elements""#,
        r#""type":"REGULAR","tariff_alt_text":[{"language":"nl","text":"Dag en nacht"},{"language":"en","text":"Day \"and\" night"}],
        "tariff_alt_url":"https://example.org/t1","start_date_time":"2024-12-31T23:00:00Z","end_date_time":"2026-01-01T00:00:00Z",
        "min_price":{"excl_vat":0.5},"energy_mix":{"is_green_energy":true,"energy_sources":[{"source":"WIND","percentage":70}]},
        // A remark of ours.
        "elements""#,
    );
    let imported = imported(&text);
    let expected = r#"# Tariff t1 of NL TST, imported from OCPI 2.2.1.
# Its type is REGULAR: for sessions with a card and without a charging preference, or with REGULAR.
# It is valid until 2026-01-01 01:00.
# Energy: green energy, wind 70%.
# In nl: Dag en nacht

tariff "NL TST t1"
  currency:    EUR
  time zone:   Europe/Amsterdam
  prices:      excluding VAT
  valid from:  2025-01-01
  description: "Day 'and' night"
  website:     "https://example.org/t1"
  source:      "OCPI 2.2.1: NL TST t1, of 2025-01-01T00:00:00Z"

VAT:              21%
VAT on start fee: 10%

period weekend-night: Sat-Sun 00:00-06:00, Sat-Sun 22:00-24:00

energy in steps of 1 Wh:
  0.25 EUR/kWh  during weekend-night
  0.30 EUR/kWh  during Mon-Fri 07:00-19:00
  0.35 EUR/kWh  otherwise

charging time steps only without parking time:
  1.20 EUR/h in steps of 5 min  during weekend-night
  free                          otherwise

parking time in steps of 15 min: 6.00 EUR/h

start fee: 0.50 EUR/session

total: at least 0.50 EUR/session
"#;
    assert_eq!(imported.text, expected);
    prepared(&imported.text);
    let notes: Vec<String> = imported.notes.iter().map(ToString::to_string).collect();
    for word in ["`type`", "`end_date_time`", "`energy_mix`", "day_of_week"] {
        assert!(notes.iter().any(|note| note.contains(word)), "{word}: {notes:#?}");
    }
}

#[test]
fn complements_need_no_line_for_the_rest_and_dead_elements_none_at_all() {
    let elements = [
        element("ENERGY 0.20", r#""start_time":"22:00","end_time":"06:00""#),
        element("ENERGY 0.30", r#""start_time":"06:00","end_time":"22:00""#),
        element("ENERGY 0.99", ""),
    ];
    let found = imported(&tariff(&elements.join(",")));
    assert!(
        found.text.contains("0.20 EUR/kWh  during 22:00-06:00\n  0.30 EUR/kWh  during 06:00-22:00\n"),
        "{}",
        found.text
    );
    assert!(!found.text.contains("0.99"), "{}", found.text);
    assert!(found.notes.iter().any(|note| note.place.contains("elements[2]")), "{:?}", found.notes);
    // What stands below an element without restrictions never counts.
    let below = [element("ENERGY 0.20", ""), element("ENERGY 0.30; TIME 1.00", r#""max_kwh":5"#)];
    let found = imported(&tariff(&below.join(",")));
    assert!(found.text.contains("energy in steps of 1 Wh: 0.20 EUR/kWh\n"), "{}", found.text);
    assert!(found.text.contains("1.00 EUR/h  up to 5 kWh of energy\n"), "{}", found.text);
    assert!(
        found.notes.iter().any(|note| note.place == "elements[1].price_components[0]"),
        "{:?}",
        found.notes
    );
    assert!(imported(&tariff(&element("FLAT 0.00", ""))).text.contains("start fee: free\n"));
}

#[test]
fn versions_are_told_by_their_fields() {
    let read = |text: &str| imported(text).version;
    assert_eq!(read(&tariff(&element("ENERGY 1", ""))), Version::V221);
    let old = r#"{"id":"1","currency":"EUR","elements":[{"price_components":[{"type":"ENERGY","price":0.25,"step_size":1}]}]}"#;
    assert_eq!(read(old), Version::V211);
    assert_eq!(read(&old.replace(r#""id""#, r#""tax_included":"N/A","id""#)), Version::V230);
    let envelope = format!(r#"{{"data":[{old}],"status_code":1000,"timestamp":"2025-01-01T00:00:00Z"}}"#);
    assert_eq!(read(&envelope), Version::V211);
    assert_eq!(read(&format!("// ours\n[{old}]\n// end")), Version::V211);
    assert!(imported(old).text.contains("VAT: none"));
    // Without a zone and without a country, what goes by the clock is refused.
    let local =
        old.replace(r#""price_components""#, r#""restrictions":{"start_time":"08:00"},"price_components""#);
    let wrong = import(&local, &Wanted::default()).unwrap_err();
    assert!(wrong[0].message.contains("--time-zone"), "{wrong:?}");
    assert!(import(old, &Wanted::default()).is_ok());
}

#[test]
fn what_cannot_be_said_is_refused_by_name() {
    let wanted = Wanted { zone: Some("Europe/Amsterdam"), ..Wanted::default() };
    let with = |restrictions: &str| tariff(&element("TIME 1.00", restrictions));
    for (text, place, says) in [
        (
            tariff(&element("WATER 1.00", "")),
            "elements[0].price_components[0].type",
            "there is no price component",
        ),
        (
            tariff(&element("ENERGY 1.00", r#""reservation":"RESERVATION""#)),
            "elements[0].price_components[0]",
            "FLAT and TIME",
        ),
        (with(r#""reservation":"RESERVATION","min_kwh":5"#), "elements[0].restrictions", "min_kwh"),
        (with(r#""booking":"BOOKING""#), "elements[0].restrictions.booking", "bookings"),
        (with(r#""max_soc":80"#), "elements[0].restrictions.max_soc", "not known"),
        (with(r#""start_time":"8 o'clock""#), "elements[0].restrictions.start_time", "time of day"),
        (with(r#""day_of_week":["FUNDAY"]"#), "elements[0].restrictions.day_of_week[0]", "no day"),
        (
            tariff(&element("TIME 1.00 vat 10 step 300", r#""max_kwh":5"#))
                .replace("}]}],", &format!("}}]}},{}],", element("TIME 1.00 vat 20 step 300", ""))),
            "",
            "",
        ),
        (tariff(""), "elements", "at least one"),
        ("[]".to_owned(), "", "no tariff"),
        ("{".to_owned(), "", "no JSON"),
        ("5".to_owned(), "", "an OCPI tariff belongs here"),
        (with("").replace("EUR", "EURO"), "currency", "no currency"),
        (with("").replace("1.00", "\"much\""), "elements[0].price_components[0].price", "no number"),
    ] {
        let Err(wrong) = import(&text, &wanted) else {
            assert!(place.is_empty(), "not refused: {text}");
            continue;
        };
        assert!(
            wrong.iter().any(|problem| problem.place == place && problem.message.contains(says)),
            "{wrong:#?}\n{text}"
        );
    }
    let two = format!("[{0},{1}]", with(""), with("").replace("t1", "t2"));
    let wrong = import(&two, &wanted).unwrap_err();
    assert!(wrong[0].message.contains("`t1`, `t2`"), "{wrong:?}");
    assert_eq!(import(&two, &Wanted { id: Some("t2"), ..wanted }).unwrap().id, "t2");
    let unknown = import(&with("").replace(r#""id""#, r#""colour":"red","id""#), &wanted).unwrap();
    assert!(unknown.notes.iter().any(|note| note.place == "colour"), "{:?}", unknown.notes);
}
