//! The peer's cases: the sessions of `takst-bench` as OCPI 2.2.1 CDRs.

#[path = "../../src/harness.rs"]
pub mod harness;
#[path = "../../src/scenario.rs"]
pub mod scenario;

use chrono_tz::Tz;
use harness::Case;
use ocpi_tariffs::{Version, cdr, price};
use scenario::{Cut, cdr_json};
use std::hint::black_box;

/// All cases.
pub const CASES: &[Case] = &[
    Case { name: "peer-hourly", prepare: || parsed(Cut::Hour) },
    Case { name: "peer-quarter-hourly", prepare: || parsed(Cut::Quarter) },
    Case { name: "peer-json-hourly", prepare: || from_json(Cut::Hour) },
    Case { name: "peer-json-quarter-hourly", prepare: || from_json(Cut::Quarter) },
];

fn parse(text: &str) -> cdr::Versioned<'_> {
    let report = cdr::parse_with_version(text, Version::V221).expect("a CDR");
    let unexpected = report.unexpected_fields.to_strings();
    assert!(unexpected.is_empty(), "unexpected fields: {unexpected:?}");
    report.cdr
}

fn report(cdr: &cdr::Versioned<'_>) -> price::Report {
    match cdr::price(cdr, price::TariffSource::UseCdr, Tz::Europe__Amsterdam) {
        Ok(report) => report.into_parts().0,
        Err(set) => panic!("the peer cannot price this: {}", set.into_parts().0.warning()),
    }
}

fn parsed(cut: Cut) -> Box<dyn FnMut()> {
    // The parsed form borrows the text; both live as long as the program.
    let cdr = parse(cdr_json(cut).leak());
    Box::new(move || {
        black_box(report(black_box(&cdr)));
    })
}

fn from_json(cut: Cut) -> Box<dyn FnMut()> {
    let text = cdr_json(cut);
    Box::new(move || {
        let report = cdr::parse_with_version(black_box(&text), Version::V221).expect("a CDR");
        black_box(self::report(&report.cdr));
    })
}

/// What the peer makes of a session: net and gross as it prints them, and the number of priced periods.
pub fn totals(cut: Cut) -> (String, String, usize) {
    let text = cdr_json(cut);
    let report = report(&parse(&text));
    let total = report.total_cost.calculated.expect("a total");
    (
        total.excl_vat.to_string(),
        total.incl_vat.map_or_else(String::new, |gross| gross.to_string()),
        report.periods.len(),
    )
}
