//! The same tariffs and CDRs by takst and by the crate ocpi-tariffs. Where they differ, the table says why.
//!
//! `TAKST=target/debug/takst cargo test --manifest-path tests/bench/peer/Cargo.toml --test prices`

use ocpi_tariffs::{Version, cdr, price};
use std::path::PathBuf;
use std::process::Command;

/// A tariff's elements and a session's periods, and whether both sides agree.
struct Case {
    what: &'static str,
    elements: &'static [(&'static str, &'static str)],
    end: &'static str,
    periods: &'static [(&'static str, &'static str)],
    /// What each side makes of it without VAT, in cents, and why they differ; none: they agree.
    differs: Option<(i64, i64, &'static str)>,
}

const CASES: &[Case] = &[
    Case {
        what: "energy, time and parking with a start fee",
        elements: &[("ENERGY 0.25 vat 20; TIME 1.00 vat 20; PARKING_TIME 5.00 vat 20; FLAT 0.50 vat 20", "")],
        end: "2025-01-15T12:00:00Z",
        periods: &[
            ("2025-01-15T10:00:00Z", "ENERGY 10 TIME 1.5"),
            ("2025-01-15T11:30:00Z", "PARKING_TIME 0.5"),
        ],
        differs: None,
    },
    Case {
        what: "a night over midnight, cut where it changes",
        elements: &[
            ("ENERGY 0.10 vat 20", r#""start_time":"22:00","end_time":"06:00""#),
            ("ENERGY 0.30 vat 20", ""),
        ],
        end: "2025-01-16T07:00:00Z",
        periods: &[
            ("2025-01-15T19:00:00Z", "ENERGY 2 TIME 2"),
            ("2025-01-15T21:00:00Z", "ENERGY 8 TIME 8"),
            ("2025-01-16T05:00:00Z", "ENERGY 2 TIME 2"),
        ],
        differs: None,
    },
    Case {
        what: "steps of energy over two prices",
        elements: &[
            ("ENERGY 0.20 vat 20 step 500", r#""end_time":"17:00""#),
            ("ENERGY 0.27 vat 20 step 500", ""),
        ],
        end: "2025-01-15T17:00:00Z",
        periods: &[
            ("2025-01-15T15:00:00Z", "ENERGY 4.3 TIME 1"),
            ("2025-01-15T16:00:00Z", "ENERGY 1.1 TIME 1"),
        ],
        differs: None,
    },
    Case {
        what: "steps of time give way to those of parking",
        elements: &[("TIME 1.00 vat 20 step 600; PARKING_TIME 2.00 vat 20 step 600", "")],
        end: "2025-01-15T10:37:00Z",
        periods: &[
            ("2025-01-15T10:00:00Z", "ENERGY 1 TIME 0.35"),
            ("2025-01-15T10:21:00Z", "PARKING_TIME 0.26666667"),
        ],
        differs: None,
    },
    Case {
        what: "power by periods",
        elements: &[("ENERGY 0.20 vat 20", r#""max_power":16"#), ("ENERGY 0.50 vat 20", "")],
        end: "2025-01-15T11:00:00Z",
        periods: &[
            ("2025-01-15T10:00:00Z", "ENERGY 1 TIME 0.1666667 MAX_POWER 6"),
            ("2025-01-15T10:10:00Z", "ENERGY 40 TIME 0.8333333 MIN_POWER 48"),
        ],
        differs: None,
    },
    Case {
        what: "days of the week and dates",
        elements: &[
            ("TIME 1.00 vat 20", r#""day_of_week":["SATURDAY","SUNDAY"]"#),
            ("TIME 3.00 vat 20", r#""start_date":"2025-01-20","end_date":"2025-01-21""#),
            ("TIME 2.00 vat 20", ""),
        ],
        end: "2025-01-20T01:00:00Z",
        periods: &[
            ("2025-01-17T21:00:00Z", "ENERGY 1 TIME 2"),
            ("2025-01-17T23:00:00Z", "ENERGY 1 TIME 48"),
            ("2025-01-19T23:00:00Z", "ENERGY 1 TIME 2"),
        ],
        differs: None,
    },
    Case {
        what: "a duration that is reached inside a period",
        elements: &[("ENERGY 0.10 vat 20", r#""max_duration":3600"#), ("ENERGY 0.40 vat 20", "")],
        end: "2025-01-15T12:00:00Z",
        periods: &[("2025-01-15T10:00:00Z", "ENERGY 10 TIME 2")],
        differs: Some((250, 100, "the peer looks at restrictions at the start of a period only")),
    },
    Case {
        what: "energy that is reached inside a period",
        elements: &[("ENERGY 0.40 vat 20", r#""min_kwh":6"#), ("ENERGY 0.10 vat 20", "")],
        end: "2025-01-15T12:00:00Z",
        periods: &[("2025-01-15T10:00:00Z", "ENERGY 10 TIME 2")],
        differs: Some((220, 100, "the peer looks at restrictions at the start of a period only")),
    },
    Case {
        what: "an end_time of 00:00 without a start_time",
        elements: &[("ENERGY 0.10 vat 20", r#""end_time":"00:00""#), ("ENERGY 0.40 vat 20", "")],
        end: "2025-01-15T12:00:00Z",
        periods: &[("2025-01-15T10:00:00Z", "ENERGY 10 TIME 2")],
        differs: Some((
            100,
            400,
            "to the peer nothing is before 00:00; the standard has 00:00 for the end of the day",
        )),
    },
    Case {
        what: "start_time and end_time 00:00",
        elements: &[
            ("ENERGY 0.10 vat 20", r#""start_time":"00:00","end_time":"00:00""#),
            ("ENERGY 0.40 vat 20", ""),
        ],
        end: "2025-01-15T12:00:00Z",
        periods: &[("2025-01-15T10:00:00Z", "ENERGY 10 TIME 2")],
        differs: Some((100, 400, "the same: the whole day here, no instant of it there")),
    },
    Case {
        what: "a period whose TIME is rounded",
        elements: &[("TIME 60.00 vat 20", "")],
        end: "2025-01-15T10:20:00Z",
        periods: &[("2025-01-15T10:00:00Z", "ENERGY 1 TIME 0.34")],
        differs: Some((2000, 2040, "the clock counts here, the rounded hours of the CDR there")),
    },
    Case {
        what: "reserved time",
        elements: &[("TIME 6.00 vat 20", r#""reservation":"RESERVATION""#), ("ENERGY 0.10 vat 20", "")],
        end: "2025-01-15T12:00:00Z",
        periods: &[
            ("2025-01-15T10:00:00Z", "RESERVATION_TIME 1"),
            ("2025-01-15T11:00:00Z", "ENERGY 10 TIME 1"),
        ],
        differs: Some((
            700,
            700,
            "the peer takes the price of reserving for one of charging; both are an hour here",
        )),
    },
];

fn element((components, restrictions): &(&str, &str)) -> String {
    let component = |text: &str| {
        let words: Vec<&str> = text.trim().split(' ').collect();
        let value = |name: &str| words.iter().position(|word| *word == name).map_or("1", |at| words[at + 1]);
        format!(
            r#"{{"type":"{}","price":{},"vat":{},"step_size":{}}}"#,
            words[0],
            words[1],
            value("vat"),
            value("step")
        )
    };
    let components: Vec<String> = components.split(';').map(component).collect();
    let restrictions = match *restrictions {
        "" => String::new(),
        said => format!(r#","restrictions":{{{said}}}"#),
    };
    format!(r#"{{"price_components":[{}]{restrictions}}}"#, components.join(","))
}

fn document(case: &Case) -> String {
    let elements: Vec<String> = case.elements.iter().map(element).collect();
    let period = |(at, said): &(&str, &str)| {
        let words: Vec<&str> = said.split(' ').collect();
        let one = |pair: &[&str]| format!(r#"{{"type":"{}","volume":{}}}"#, pair[0], pair[1]);
        let dimensions: Vec<String> = words.chunks(2).map(one).collect();
        format!(r#"{{"start_date_time":"{at}","dimensions":[{}]}}"#, dimensions.join(","))
    };
    let periods: Vec<String> = case.periods.iter().map(period).collect();
    format!(
        r#"{{"country_code":"NL","party_id":"TST","id":"c1","start_date_time":"{}","end_date_time":"{}","cdr_token":{{"country_code":"NL","party_id":"TST","uid":"1","type":"RFID","contract_id":"C"}},"auth_method":"WHITELIST","cdr_location":{{"id":"L","address":"A","city":"C","country":"NLD","coordinates":{{"latitude":"52.373170","longitude":"4.893150"}},"evse_uid":"1","evse_id":"NL*TST*E1","connector_id":"1","connector_standard":"IEC_62196_T2","connector_format":"SOCKET","connector_power_type":"AC_3_PHASE"}},"currency":"EUR","tariffs":[{{"country_code":"NL","party_id":"TST","id":"t1","currency":"EUR","elements":[{}],"last_updated":"2025-01-01T00:00:00Z"}}],"charging_periods":[{}],"total_cost":{{"excl_vat":0.0}},"total_energy":0.0,"total_time":0.0,"last_updated":"2025-01-01T00:00:00Z"}}"#,
        case.periods[0].0,
        case.end,
        elements.join(","),
        periods.join(",")
    )
}

/// Cents without VAT.
fn theirs(text: &str) -> i64 {
    let report = cdr::parse_with_version(text, Version::V221).expect("a CDR");
    let report = match price_of(&report.cdr) {
        Ok(report) => report,
        Err(why) => panic!("the peer cannot price this: {why}"),
    };
    let total = report.total_cost.calculated.expect("a total").excl_vat.to_string();
    let number: String =
        total.chars().filter(|sign| sign.is_ascii_digit() || *sign == '.' || *sign == '-').collect();
    cents(&number)
}

fn price_of(cdr: &cdr::Versioned<'_>) -> Result<price::Report, String> {
    match cdr::price(cdr, price::TariffSource::UseCdr, chrono_tz::Tz::Europe__Amsterdam) {
        Ok(report) => Ok(report.into_parts().0),
        Err(set) => Err(set.into_parts().0.warning().to_string()),
    }
}

fn cents(number: &str) -> i64 {
    let number: rust_decimal::Decimal = number.parse().expect("a number");
    (number * rust_decimal::Decimal::ONE_HUNDRED)
        .round_dp_with_strategy(0, rust_decimal::RoundingStrategy::MidpointAwayFromZero)
        .try_into()
        .expect("few cents")
}

fn ours(text: &str, name: &str) -> i64 {
    let takst =
        std::env::var_os("TAKST").map_or_else(|| PathBuf::from("../../../target/debug/takst"), PathBuf::from);
    let folder = std::env::temp_dir().join(format!("takst-peer-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let (cdr, list) = (folder.join("cdr.json"), folder.join("t1.tariff"));
    std::fs::write(&cdr, text).expect("written");
    let run = |arguments: &[&std::ffi::OsStr]| {
        let ran = Command::new(&takst).args(arguments).output().expect("takst runs; set TAKST to its path");
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        String::from_utf8(ran.stdout).expect("text")
    };
    std::fs::write(&list, run(&["import".as_ref(), "ocpi".as_ref(), cdr.as_ref()])).expect("written");
    let bill = run(&[
        "price".as_ref(),
        list.as_ref(),
        "--session".as_ref(),
        cdr.as_ref(),
        "--format".as_ref(),
        "json".as_ref(),
    ]);
    let _ = std::fs::remove_dir_all(&folder);
    let net = bill.split("\"net\"").last().and_then(|rest| rest.split('"').nth(1)).expect("a net sum");
    cents(net)
}

#[test]
fn both_price_alike_or_the_table_says_why_not() {
    let mut wrong = Vec::new();
    for (number, case) in CASES.iter().enumerate() {
        let text = document(case);
        let (ours, theirs) = (ours(&text, &number.to_string()), theirs(&text));
        let expected = case.differs.map_or((theirs, theirs), |(ours, theirs, _)| (ours, theirs));
        if (ours, theirs) != expected {
            let why = case.differs.map_or("they should agree", |(.., why)| why);
            wrong.push(format!("{}: takst {ours}, peer {theirs}; expected {expected:?} ({why})", case.what));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
