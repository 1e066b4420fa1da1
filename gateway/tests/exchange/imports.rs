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
# Energy: green energy, wind 70%.
# In nl: Dag en nacht

tariff "NL TST t1"
  currency:    EUR
  time zone:   Europe/Amsterdam
  prices:      excluding VAT
  valid from:  2025-01-01
  valid until: 2026-01-01 01:00
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
    for word in ["`type`", "`energy_mix`", "day_of_week"] {
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
        (r#"{"tariffs":[],"charging_periods":[]}"#.to_owned(), "", "no tariff comes with it"),
        (r#"{"data":[{"id":"1","total_cost":5}]}"#.to_owned(), "data[0]", "no tariff comes with it"),
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
    // CDRs carry their tariffs, and one that many carry is one.
    let cdr = |tariffs: &str| format!(r#"{{"id":"c","charging_periods":[],"tariffs":[{tariffs}]}}"#);
    assert_eq!(import(&cdr(&with("")), &wanted).unwrap().id, "t1");
    let many = format!(r#"{{"data":[{0},{0},{1}]}}"#, cdr(&with("")), cdr(""));
    assert_eq!(import(&many, &wanted).unwrap().id, "t1");
    let unknown = import(&with("").replace(r#""id""#, r#""colour":"red","id""#), &wanted).unwrap();
    assert!(unknown.notes.iter().any(|note| note.place == "colour"), "{:?}", unknown.notes);
}

#[test]
fn a_tariff_is_valid_up_to_its_end_and_not_beyond() {
    let text = tariff(&element("ENERGY 1.00", ""));
    let times = |from: &str, until: &str| {
        text.replace(
            r#""elements""#,
            &format!(r#""start_date_time":"{from}","end_date_time":"{until}","elements""#),
        )
    };
    for (from, until, written, notes) in [
        // Amsterdam in winter is an hour ahead.
        (
            "2024-12-31T23:00:00Z",
            "2025-12-31T23:00:00Z",
            "  valid from:  2025-01-01\n  valid until: 2025-12-31\n",
            0,
        ),
        (
            "2025-01-01T06:30:00Z",
            "2025-06-30T10:15:00Z",
            "  valid from:  2025-01-01 07:30\n  valid until: 2025-06-30 12:15\n",
            0,
        ),
        // The last second of a day is meant to be its end, and a list has whole minutes.
        (
            "2024-12-31T23:00:01Z",
            "2025-12-31T22:59:59Z",
            "  valid from:  2025-01-01\n  valid until: 2025-12-31\n",
            2,
        ),
        (
            "2024-12-31T23:00:00.000Z",
            "2025-12-31T22:59:59.999Z",
            "  valid from:  2025-01-01\n  valid until: 2025-12-31\n",
            1,
        ),
        // No end that a calendar knows.
        (
            "1970-01-01T00:00:00Z",
            "9999-12-31T23:59:59Z",
            "  time zone: Europe/Amsterdam\n  prices:    excluding VAT\n  source",
            1,
        ),
        // The hour that comes twice.
        (
            "2025-10-26T00:30:00Z",
            "2025-10-26T01:30:00Z",
            "  valid from:  2025-10-26 02:30\n  valid until: 2025-10-26 02:30\n",
            9,
        ),
    ] {
        let result =
            import(&times(from, until), &Wanted { zone: Some("Europe/Amsterdam"), ..Wanted::default() });
        if notes == 9 {
            // It begins and ends at one time of the clock: refused by the language, and not bent.
            assert!(result.unwrap_err()[0].message.contains("ends before it begins"));
            continue;
        }
        let found = result.unwrap();
        assert!(found.text.contains(written), "{from} {until}\n{}", found.text);
        let told = found.notes.iter().filter(|note| note.place.ends_with("_date_time")).count();
        assert_eq!(told, notes, "{from} {until}: {:?}", found.notes);
        let list = prepared(&found.text);
        let session = |at: &str, end: &str| crate::cdr(end, &[(at, "ENERGY 5 TIME 1")]);
        if until.starts_with("2025-12-31") {
            // It begins in time and runs across the end.
            assert_eq!(
                crate::cost(&list, &session("2025-12-31T22:30:00Z", "2026-01-01T08:00:00Z")),
                (500, 500)
            );
            let book = takst_engine::PriceBook::default();
            let pricing = takst_engine::Pricing::new(&list, &book).unwrap();
            let late = session("2025-12-31T23:00:00Z", "2026-01-01T08:00:00Z");
            let error = takst_engine::price(&pricing, &late, &takst_engine::Standing::default()).unwrap_err();
            assert_eq!(
                error.to_string(),
                "the session was plugged in at 2026-01-01T00:00:00+01:00, and the tariff is in force until 2026-01-01T00:00:00+01:00 only"
            );
        }
    }
    for (from, until) in
        [("2025-06-01T00:00:00Z", "2025-06-01T00:00:00Z"), ("2025-06-01T00:00:00Z", "2024-06-01T00:00:00Z")]
    {
        let wrong =
            import(&times(from, until), &Wanted { zone: Some("Europe/Amsterdam"), ..Wanted::default() })
                .unwrap_err();
        assert_eq!(wrong[0].place, "end_date_time");
    }
}

#[test]
fn prices_that_stand_more_than_once_have_a_name() {
    let hours = |from: &str, until: &str| format!(r#""start_time":"{from}","end_time":"{until}""#);
    let elements = [
        element("ENERGY 0.20; TIME 3.00 step 60", &hours("00:00", "06:00")),
        element("ENERGY 0.45; TIME 6.00 step 60", &hours("06:00", "10:00")),
        element("ENERGY 0.30", &hours("10:00", "16:00")),
        element("ENERGY 0.45", &hours("16:00", "21:00")),
        element("ENERGY 0.20; TIME 1.00; PARKING_TIME 3.00; FLAT 0.50", ""),
    ];
    let found = imported(&tariff(&elements.join(",")));
    let part = |from: &str| found.text[found.text.find(from).unwrap()..].to_owned();
    for (from, wanted) in [
        (
            "price ",
            "price low-price:           0.20 EUR/kWh\nprice normal-price:        0.30 EUR/kWh\nprice high-price:          0.45 EUR/kWh\n",
        ),
        (
            "price low-hourly",
            "price low-hourly-price:    1.00 EUR/h\nprice normal-hourly-price: 3.00 EUR/h\nprice high-hourly-price:   6.00 EUR/h\n\n",
        ),
        (
            "energy in",
            "energy in steps of 1 Wh:\n  low-price     during night\n  high-price    during morning\n  normal-price  during 10:00-16:00\n",
        ),
        ("  high-price    during 16", "  high-price    during 16:00-21:00\n  low-price     otherwise\n\n"),
        ("parking time: ", "parking time: normal-hourly-price\n"),
    ] {
        let found = part(from);
        assert!(found.starts_with(wanted), "{found}");
    }
    assert!(found.text.contains("in steps of 1 min"), "{}", found.text);
    // The same again, letter by letter.
    assert_eq!(imported(&tariff(&elements.join(","))).text, found.text);
    // What is said again by the line for the rest is said once.
    let again = [element("ENERGY 0.20", &hours("22:00", "06:00")), element("ENERGY 0.20", "")];
    assert!(imported(&tariff(&again.join(","))).text.contains("energy in steps of 1 Wh: 0.20 EUR/kWh\n"));
    // What each element of a week says anew is one fee, and what is free beside it says nothing.
    let week = [
        element("ENERGY 0.20; FLAT 0.50; TIME 0", &hours("22:00", "06:00")),
        element(
            "ENERGY 0.40; FLAT 0.50; TIME 0",
            &format!(
                r#"{},"day_of_week":["MONDAY","TUESDAY","WEDNESDAY","THURSDAY","FRIDAY"]"#,
                hours("06:00", "22:00")
            ),
        ),
        element("ENERGY 0.30; FLAT 0.50; TIME 0", r#""day_of_week":["SUNDAY","SATURDAY"]"#),
    ];
    let text = imported(&tariff(&week.join(","))).text;
    assert!(text.ends_with("Sat-Sun\n\nstart fee: 0.50 EUR/session\n") && !text.contains("period"), "{text}");
    // Once each: a name would say nothing.
    let once = [element("ENERGY 0.20", &hours("22:00", "06:00")), element("ENERGY 0.30; TIME 0.20", "")];
    assert!(!imported(&tariff(&once.join(","))).text.contains("\nprice "));
    // A price for each hour of a day: two of them alike are chance, and no word tells so many apart.
    let day: Vec<String> = (0..24)
        .map(|hour| {
            element(
                &format!("ENERGY 0.{}", 10 + hour % 23),
                &hours(&format!("{hour:02}:00"), &format!("{:02}:00", (hour + 1) % 24)),
            )
        })
        .collect();
    let text = imported(&tariff(&day.join(","))).text;
    assert!(text.contains("price kwh-price: 0.10 EUR/kWh\n") && !text.contains("high-price"), "{text}");
}

#[test]
fn vat_that_changes_on_a_day_is_one_charge() {
    let elements = [
        element("ENERGY 0.40 vat 24 step 500; TIME 6 vat 24", r#""end_date":"2024-09-01","max_kwh":10"#),
        element("ENERGY 0.30 vat 24 step 500", r#""end_date":"2024-09-01""#),
        element(
            "ENERGY 0.40 vat 25.5 step 500; TIME 6 vat 25.5; FLAT 1 vat 10",
            r#""start_date":"2024-09-01""#,
        ),
    ];
    let found = imported(&tariff(&elements.join(",")));
    let head = "VAT:\n  24%    until 2024-08-31\n  25.5%  from 2024-09-01\n\nVAT on flat fee: 10%\n";
    assert!(found.text.contains(head), "{}", found.text);
    let list = prepared(&found.text);
    let at = |day: &str| {
        crate::cdr(&format!("{day}T13:00:00Z"), &[(&format!("{day}T12:00:00Z"), "ENERGY 10.2 TIME 1")])
    };
    // 10 kWh at 0.40, and 0.2, rounded up to 0.5, at 0.30; the hour at 6.00 for as long as the first ten kWh take.
    let before = crate::cost(&list, &at("2024-08-31"));
    assert_eq!(before.0, 415 + 588);
    // 10.5 kWh and an hour at 25.5%, and the fee at 10%.
    assert_eq!(crate::cost(&list, &at("2024-09-01")), (420 + 600 + 100, 1020 + 260 + 110));
}

#[test]
fn a_flat_price_of_several_rates_is_charged_once() {
    let elements = [
        element("FLAT 1.00 vat 10", r#""start_time":"08:00","end_time":"12:00""#),
        element("FLAT 2.00 vat 20; ENERGY 0.10 vat 20", r#""start_time":"12:00","end_time":"20:00""#),
        element("FLAT 3.00 vat 10; ENERGY 0.10 vat 20", ""),
    ];
    let found = imported(&tariff(&elements.join(",")));
    let list = prepared(&found.text);
    let of = |from: &str, until: &str| {
        let (from, until) = (format!("2025-01-15T{from}:00Z"), format!("2025-01-15T{until}:00Z"));
        crate::cost(&list, &crate::cdr(&until, &[(&from, "ENERGY 1 TIME 1")]))
    };
    // Amsterdam: an hour ahead. Who begins in the morning has paid, and no other rate is added.
    assert_eq!(of("08:00", "10:30"), (100 + 10, 110 + 12), "{}", found.text);
    assert_eq!(of("08:00", "15:00"), (100 + 10, 110 + 12), "{}", found.text);
    assert_eq!(of("12:00", "20:00"), (200 + 10, 240 + 12), "{}", found.text);
    assert_eq!(of("20:00", "22:00"), (300 + 10, 330 + 12), "{}", found.text);
}

#[test]
fn what_systems_make_of_nothing_is_nothing() {
    let plain = tariff(&element("ENERGY 0.25 vat 20", ""));
    let odd = r#"{"country_code":"nl","party_id":"TST","id":"t1","currency":"eur","type":"","tariff_alt_text":{},"tariff_alt_url":"",
        "min_price":null,"max_price":null,"start_date_time":"","end_date_time":null,"energy_mix":[],"elements":[{"price_components":[
        {"type":"energy","price":"0.25","vat":"20.0","step_size":"1"}],"restrictions":[]}],"last_updated":"2025-01-01T00:00:00Z"}"#;
    let list = |text: &str| {
        let text = imported(text).text;
        text[text.find("VAT:").unwrap()..].to_owned()
    };
    assert_eq!(list(odd), list(&plain));
    let restricted =
        |text: &str| list(&tariff(&[element("ENERGY 1", text), element("ENERGY 2", "")].join(",")));
    assert_eq!(
        restricted(
            r#""start_time":"7:00","end_time":"23:59:59","day_of_week":["monday"],"min_kwh":"","start_date":null,"max_power":null"#
        ),
        restricted(r#""start_time":"07:00","end_time":"00:00","day_of_week":["MONDAY"]"#)
    );
    let included = |said: &str| {
        imported(&plain.replace(r#""elements""#, &format!(r#""tax_included":{said},"elements""#))).text
    };
    assert!(included("\"yes\"").contains("including VAT") && included("true").contains("including VAT"));
    assert!(included("\"n/a\"").contains("VAT: outside scope"));
    let fraction = imported(&tariff(&element("ENERGY 0.25 vat 0.21", "")));
    assert!(
        fraction.notes.iter().any(|note| note.message.contains("if 21% is meant")),
        "{:?}",
        fraction.notes
    );
}
