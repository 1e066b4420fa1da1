//! What sessions cost by imported tariffs: worked examples, and each restriction and component by hand.

use crate::{cdr, cost, element, imported, prepared, taken, tariff};

/// Elements, session and what it costs, in cents without and with VAT.
#[track_caller]
fn costs(elements: &[String], end: &str, periods: &[(&str, &str)], expected: (i64, i64)) {
    let text = imported(&tariff(&elements.join(","))).text;
    let found = cost(&prepared(&text), &cdr(end, periods));
    assert_eq!(found, expected, "\n{text}");
}

// The tariff of the standard that explains `step_size`.
fn stepped() -> Vec<String> {
    vec![
        element(
            "TIME 1.20 step 1800; PARKING_TIME 1.00 step 900",
            r#""start_time":"00:00","end_time":"17:00""#,
        ),
        element(
            "TIME 2.40 step 900; PARKING_TIME 1.00 step 900",
            r#""start_time":"17:00","end_time":"20:00""#,
        ),
        element("TIME 2.40 step 900", r#""start_time":"20:00","end_time":"00:00""#),
    ]
}

#[test]
fn the_worked_examples_of_the_standard_for_steps() {
    // Amsterdam in winter: an hour ahead of UTC.
    costs(
        &stepped(),
        "2025-01-15T16:07:00Z",
        &[("2025-01-15T15:55:00Z", "ENERGY 2 TIME 0.1667"), ("2025-01-15T16:05:00Z", "PARKING_TIME 0.0333")],
        (55, 55),
    );
    costs(
        &stepped(),
        "2025-01-15T16:10:00Z",
        &[("2025-01-15T15:35:00Z", "ENERGY 2 TIME 0.5833")],
        (130, 130),
    );
    costs(
        &stepped(),
        "2025-01-15T19:12:00Z",
        &[("2025-01-15T18:40:00Z", "ENERGY 2 TIME 0.2"), ("2025-01-15T18:52:00Z", "PARKING_TIME 0.3333")],
        (73, 73),
    );
    // 4.3 kWh before five and 1.1 after: 5.4, rounded up to 5.5 once.
    let energy =
        [element("ENERGY 0.20 step 500", r#""end_time":"17:00""#), element("ENERGY 0.27 step 500", "")];
    let periods =
        [("2025-01-15T15:00:00Z", "ENERGY 4.3 TIME 1"), ("2025-01-15T16:00:00Z", "ENERGY 1.1 TIME 1")];
    costs(&energy, "2025-01-15T17:00:00Z", &periods, (118, 118));
    // 6 minutes before five and 22 after are 30, of which 24 after five.
    let time = [element("TIME 5.00 step 600", r#""end_time":"17:00""#), element("TIME 7.00 step 600", "")];
    costs(&time, "2025-01-15T16:22:00Z", &[("2025-01-15T15:54:00Z", "ENERGY 1 TIME 0.4667")], (330, 330));
    // 21 minutes of charging stay 21 when parking is paid; 16 of parking are 20.
    let both = [element("TIME 1.00 step 600; PARKING_TIME 2.00 step 600", "")];
    let periods =
        [("2025-01-15T10:00:00Z", "ENERGY 1 TIME 0.35"), ("2025-01-15T10:21:00Z", "PARKING_TIME 0.2667")];
    costs(&both, "2025-01-15T10:37:00Z", &periods, (102, 102));
    costs(&both, "2025-01-15T10:21:00Z", &periods[..1], (50, 50));
}

#[test]
fn the_worked_examples_of_the_standard_for_reservations() {
    let charged = "FLAT 0.50 vat 20; ENERGY 0.25 vat 10";
    let expire_fee = [
        element("FLAT 4.00 vat 20", r#""reservation":"RESERVATION_EXPIRES""#),
        element("TIME 2.00 vat 20 step 600", r#""reservation":"RESERVATION""#),
        element(charged, ""),
    ];
    let came = |minutes: &str| {
        [
            ("2025-01-15T10:00:00Z".to_owned(), "RESERVATION_TIME 0.3667"),
            (format!("2025-01-15T10:{minutes}:00Z"), "ENERGY 20 TIME 1"),
        ]
    };
    let after = came("22");
    let after: Vec<(&str, &str)> = after.iter().map(|(at, said)| (at.as_str(), *said)).collect();
    costs(&expire_fee, "2025-01-15T11:22:00Z", &after, (650, 730));
    let expired = [("2025-01-15T10:00:00Z", "RESERVATION_TIME 1")];
    costs(&expire_fee, "2025-01-15T11:00:00Z", &expired, (600, 720));
    let expire_time = [
        element("TIME 3.00 vat 20 step 600", r#""reservation":"RESERVATION""#),
        element("TIME 6.00 vat 20 step 600", r#""reservation":"RESERVATION_EXPIRES""#),
        element(charged, ""),
    ];
    costs(&expire_time, "2025-01-15T11:22:00Z", &after, (700, 790));
    costs(&expire_time, "2025-01-15T11:30:00Z", &expired, (900, 1080));
    let fee = [
        element("FLAT 2.00 vat 20; TIME 5.00 vat 20 step 300", r#""reservation":"RESERVATION""#),
        element(charged, ""),
    ];
    let after = came("13");
    let after: Vec<(&str, &str)> = after.iter().map(|(at, said)| (at.as_str(), *said)).collect();
    costs(&fee, "2025-01-15T11:13:00Z", &after, (875, 1000));
}

#[test]
fn power_and_current_count_when_they_change() {
    let power = [
        element("ENERGY 0.20 vat 20", r#""max_power":16.00"#),
        element("ENERGY 0.35 vat 20", r#""max_power":32.00"#),
        element("ENERGY 0.50 vat 20", ""),
    ];
    let periods = [
        ("2025-01-15T10:00:00Z", "ENERGY 1 TIME 0.1667 MAX_POWER 6"),
        ("2025-01-15T10:10:00Z", "ENERGY 40 TIME 0.8333 MIN_POWER 48"),
        ("2025-01-15T11:00:00Z", "ENERGY 0.5 TIME 0.125 MAX_POWER 4"),
    ];
    costs(&power, "2025-01-15T11:07:30Z", &periods, (2030, 2436));
    // From the meter where it is not told: 6, 48 and 4 kW.
    let metered: Vec<(&str, String)> =
        periods.iter().map(|(at, said)| (*at, said.split(" M").next().unwrap().to_owned())).collect();
    let metered: Vec<(&str, &str)> = metered.iter().map(|(at, said)| (*at, said.as_str())).collect();
    costs(&power, "2025-01-15T11:07:30Z", &metered, (2030, 2436));
    let current = [
        element("TIME 1.00", r#""max_current":32"#),
        element("TIME 2.00", r#""min_current":32,"max_current":63"#),
        element("TIME 4.00", ""),
    ];
    let periods = [
        ("2025-01-15T10:00:00Z", "ENERGY 1 TIME 0.5 MIN_CURRENT 10 MAX_CURRENT 20"),
        ("2025-01-15T10:30:00Z", "ENERGY 1 TIME 0.5 MIN_CURRENT 32 MAX_CURRENT 32"),
        ("2025-01-15T11:00:00Z", "ENERGY 1 TIME 0.5 MAX_CURRENT 63"),
    ];
    costs(&current, "2025-01-15T11:30:00Z", &periods, (50 + 100 + 200, 350));
}

#[test]
fn amounts_and_durations_are_cut_where_they_are_reached() {
    let duration = [
        element("ENERGY 0.00", r#""max_duration":1800"#),
        element("ENERGY 0.25", r#""max_duration":3600"#),
        element("ENERGY 0.40", ""),
    ];
    let periods =
        [("2025-01-15T10:00:00Z", "ENERGY 5 TIME 0.5"), ("2025-01-15T10:30:00Z", "ENERGY 1.2 TIME 0.1667")];
    costs(&duration, "2025-01-15T10:40:00Z", &periods, (30, 30));
    // In the middle of a period too: 12 kWh in an hour and a half, 4 of them after the hour.
    costs(
        &duration,
        "2025-01-15T11:30:00Z",
        &[("2025-01-15T10:00:00Z", "ENERGY 12 TIME 1.5")],
        (100 + 160, 260),
    );
    let energy = [
        element("ENERGY 0.50", r#""min_kwh":20"#),
        element("ENERGY 0.30", r#""min_kwh":10,"max_kwh":20"#),
        element("ENERGY 0.10", r#""max_kwh":10"#),
    ];
    costs(&energy, "2025-01-15T12:00:00Z", &[("2025-01-15T10:00:00Z", "ENERGY 30 TIME 2")], (900, 900));
    costs(&energy, "2025-01-15T12:00:00Z", &[("2025-01-15T10:00:00Z", "ENERGY 10 TIME 2")], (100, 100));
    // A duration that is no number of minutes.
    let seconds = [element("TIME 36.00", r#""min_duration":100"#)];
    costs(&seconds, "2025-01-15T10:03:20Z", &[("2025-01-15T10:00:00Z", "ENERGY 1 TIME 0.0556")], (100, 100));
}

#[test]
fn hours_days_and_dates() {
    let night =
        [element("ENERGY 0.10", r#""start_time":"22:00","end_time":"06:00""#), element("ENERGY 0.30", "")];
    // 20:00 to 08:00 by the clock: four hours by day and eight by night.
    costs(&night, "2025-01-16T07:00:00Z", &[("2025-01-15T19:00:00Z", "ENERGY 12 TIME 12")], (80 + 120, 200));
    // In spring the night is an hour short, in autumn an hour long.
    costs(&night, "2025-03-30T06:00:00Z", &[("2025-03-29T19:00:00Z", "ENERGY 11 TIME 11")], (70 + 120, 190));
    costs(&night, "2025-10-26T07:00:00Z", &[("2025-10-25T18:00:00Z", "ENERGY 13 TIME 13")], (90 + 120, 210));
    // Fridays and a night: each instant by its own day. Thursday 20:00 to Saturday 08:00.
    let friday =
        [element("TIME 1.00", r#""start_time":"22:00","end_time":"06:00","day_of_week":["FRIDAY"]"#)];
    costs(&friday, "2025-01-18T07:00:00Z", &[("2025-01-16T19:00:00Z", "ENERGY 10 TIME 36")], (800, 800));
    let weekend = [element("TIME 1.00", r#""day_of_week":["SATURDAY","SUNDAY"]"#), element("TIME 2.00", "")];
    // Friday 22:00 to Monday 02:00.
    costs(
        &weekend,
        "2025-01-20T01:00:00Z",
        &[("2025-01-17T21:00:00Z", "ENERGY 10 TIME 52")],
        (4800 + 800, 5600),
    );
    // The first day is in, the last one is not.
    let dates = [element("TIME 1.00", r#""start_date":"2025-01-16","end_date":"2025-01-17""#)];
    costs(&dates, "2025-01-18T11:00:00Z", &[("2025-01-15T11:00:00Z", "ENERGY 10 TIME 72")], (2400, 2400));
    // `To stop at end of the day use 00:00.`
    let evening = [element("TIME 1.00", r#""start_time":"18:00","end_time":"00:00""#)];
    costs(&evening, "2025-01-16T11:00:00Z", &[("2025-01-15T11:00:00Z", "ENERGY 10 TIME 24")], (600, 600));
    let morning = [element("TIME 1.00", r#""end_time":"09:30""#)];
    costs(&morning, "2025-01-16T11:00:00Z", &[("2025-01-15T11:00:00Z", "ENERGY 10 TIME 24")], (950, 950));
}

#[test]
fn a_flat_price_is_charged_once_when_it_first_applies() {
    let late = [element("FLAT 5.00", r#""min_duration":14400"#), element("ENERGY 0.10", "")];
    let stays = |hours: &str| vec![("2025-01-15T10:00:00Z".to_owned(), format!("ENERGY 10 TIME {hours}"))];
    let at = |all: &[(String, String)], end: &str, expected: (i64, i64)| {
        let all: Vec<(&str, &str)> = all.iter().map(|(at, said)| (at.as_str(), said.as_str())).collect();
        costs(&late, end, &all, expected);
    };
    at(&stays("3"), "2025-01-15T13:00:00Z", (100, 100));
    at(&stays("5"), "2025-01-15T15:00:00Z", (600, 600));
    // The first that applies, and none after it.
    let two = [
        element("FLAT 1.00", r#""start_time":"08:00","end_time":"12:00""#),
        element("FLAT 3.00", r#""start_time":"12:00","end_time":"20:00""#),
    ];
    costs(&two, "2025-01-15T14:00:00Z", &[("2025-01-15T09:00:00Z", "ENERGY 1 TIME 5")], (100, 100));
    costs(&two, "2025-01-15T14:00:00Z", &[("2025-01-15T12:00:00Z", "ENERGY 1 TIME 2")], (300, 300));
    costs(&two, "2025-01-15T09:00:00Z", &[("2025-01-15T05:00:00Z", "ENERGY 1 TIME 4")], (100, 100));
    // A price of nothing is a price.
    let nothing = [element("FLAT 0.00", r#""max_kwh":5"#), element("FLAT 3.00", "")];
    costs(&nothing, "2025-01-15T14:00:00Z", &[("2025-01-15T09:00:00Z", "ENERGY 10 TIME 5")], (0, 0));
}

#[test]
fn the_first_element_of_each_type_answers() {
    let elements = [
        element("ENERGY 0.20", r#""max_kwh":5"#),
        element("TIME 1.00; ENERGY 0.40", r#""min_duration":1800"#),
        element("ENERGY 0.30; TIME 2.00; FLAT 0.50", ""),
    ];
    // 10 kWh in an hour: five at 0.20 in half an hour, five at 0.40; half an hour at 2.00, half at 1.00.
    costs(
        &elements,
        "2025-01-15T11:00:00Z",
        &[("2025-01-15T10:00:00Z", "ENERGY 10 TIME 1")],
        (100 + 200 + 150 + 50, 500),
    );
    // Nothing is charged where no element answers.
    let only = [element("ENERGY 0.20", r#""max_kwh":5"#)];
    costs(&only, "2025-01-15T11:00:00Z", &[("2025-01-15T10:00:00Z", "ENERGY 10 TIME 1")], (100, 100));
}

#[test]
fn rates_of_vat_are_kept_apart() {
    let two = [element("ENERGY 0.20 vat 10", r#""max_kwh":5"#), element("ENERGY 0.40 vat 20", "")];
    costs(&two, "2025-01-15T11:00:00Z", &[("2025-01-15T10:00:00Z", "ENERGY 10 TIME 1")], (300, 110 + 240));
    let none = [element("ENERGY 0.20; TIME 1.00 vat 21; PARKING_TIME 1.00 vat 0", "")];
    let periods = [("2025-01-15T10:00:00Z", "ENERGY 10 TIME 1"), ("2025-01-15T11:00:00Z", "PARKING_TIME 1")];
    costs(&none, "2025-01-15T12:00:00Z", &periods, (400, 421));
}

#[test]
fn bounds_of_the_total() {
    let text = tariff(&element("ENERGY 0.25 vat 20", "")).replace(
        r#""elements""#,
        r#""min_price":{"excl_vat":0.50,"incl_vat":0.60},"max_price":{"excl_vat":5.00},"elements""#,
    );
    let list = prepared(&imported(&text).text);
    let of = |kwh: &str| {
        let said = format!("ENERGY {kwh} TIME 1");
        cost(&list, &cdr("2025-01-15T11:00:00Z", &[("2025-01-15T10:00:00Z", said.as_str())]))
    };
    assert_eq!((of("1"), of("10"), of("40")), ((50, 60), (250, 300), (500, 600)));
    // 2.3.0, taxes in: the amount with them counts.
    let gross = tariff(&element("ENERGY 0.30 vat 20", "")).replace(
        r#""elements""#,
        r#""tax_included":"YES","min_price":{"before_taxes":0.50,"after_taxes":0.60},"elements""#,
    );
    let list = imported(&gross);
    assert!(list.text.contains("including VAT"), "{}", list.text);
    let session = cdr("2025-01-15T11:00:00Z", &[("2025-01-15T10:00:00Z", "ENERGY 10 TIME 1")]);
    assert_eq!(cost(&prepared(&list.text), &session), (250, 300));
}

#[test]
fn a_plain_run_is_a_session() {
    let list = [
        element("ENERGY 0.25; PARKING_TIME 3.00", r#""min_power":10"#),
        element("ENERGY 0.10; PARKING_TIME 1.00", ""),
    ];
    let text = imported(&tariff(&list.join(","))).text;
    let run = taken(
        r#"{"start":"2025-01-15T10:00:00+01:00","end":"2025-01-15T13:00:00+01:00","kwh":22,"power":11}"#,
    );
    assert_eq!(cost(&prepared(&text), &run), (550 + 100, 650));
    let even = taken(r#"{"id":"r","start":"2025-01-15T10:00:00Z","end":"2025-01-15T13:00:00Z","kwh":"22"}"#);
    assert_eq!(cost(&prepared(&text), &even), (220, 220));
}
