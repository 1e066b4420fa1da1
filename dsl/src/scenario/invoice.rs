//! `invoice 2025-03 for 2 chargers`: a month's statements in a test.

use super::build::Scenario;
use super::expect::compare_money;
use super::{Failure, failure};
use crate::ast::{Expect, Span};
use crate::resolve::merge::kind_words;
use rust_decimal::Decimal;
use takst_engine::Pricing;
use takst_engine::document::Document;
use takst_engine::month::{MonthInput, month};
use takst_engine::tariff::Tariff;

/// The driver to whom the test's chargers and session belong.
const DRIVER: &str = "test";

/// The month's statements for so many chargers, with the test's session if it has one.
pub(super) fn statements(
    scenario: &Scenario,
    year: i32,
    month_number: u32,
    chargers: u32,
) -> Result<Vec<Document>, String> {
    let chargers: Vec<String> = (1..=chargers.min(1_000))
        .map(|charger| format!("{{\"id\": \"{charger}\", \"driver\": \"{DRIVER}\"}}"))
        .collect();
    let text = format!(
        "{{\"site\": \"test\", \"month\": \"{year:04}-{month_number:02}\", \"chargers\": [{}]}}",
        chargers.join(", ")
    );
    let mut input = MonthInput::from_json(&text).map_err(|error| error.to_string())?;
    if let Some(session) = &scenario.session {
        let mut session = session.clone();
        session.facts.driver = Some(DRIVER.into());
        input.sessions.push(session);
    }
    let mut pricing = Pricing::new(&scenario.prepared, &scenario.book).map_err(|error| error.to_string())?;
    if let Some(cost) = scenario.cost_price {
        pricing = pricing.with_cost_price(cost);
    }
    Ok(month(&pricing, &input).map_err(|error| error.to_string())?.statements)
}

/// What the statements together come to against one expectation.
pub(super) fn compare(tariff: &Tariff, statements: &[Document], span: Span, expect: &Expect) -> Option<Failure> {
    let digits = tariff.currency.digits;
    let bills = || statements.iter().filter(|statement| statement.kind == "statement");
    let sum = |amount: fn(&Document) -> &str| bills().map(|bill| minor(amount(bill), digits)).sum();
    let (rate, got) = match expect {
        Expect::Total(rate) => (rate, sum(|bill| &bill.total)),
        Expect::Net(rate) => (rate, sum(|bill| &bill.net)),
        Expect::Vat(rate) => (rate, sum(|bill| &bill.vat_total)),
        Expect::Charge(charge, rate) => {
            let kind = kind_words(charge.kind.it);
            let documents = statements.iter().filter(|document| match kind {
                "payout to site" => document.kind == "payout",
                _ => document.kind == "statement",
            });
            let rows = documents.flat_map(|document| &document.charges).filter(|row| {
                row.charge == kind && charge.label.as_ref().is_none_or(|label| label.it == row.label)
            });
            (rate, rows.map(|row| minor(&row.amount, digits)).sum())
        }
        Expect::Coupon(_) | Expect::Discount(_) | Expect::Pending => {
            return Some(failure(span, "a month's invoice does not show this; test it with a session"));
        }
    };
    compare_money(tariff, span, rate, got)
}

// Printed amounts back to minor units; they always fit.
fn minor(printed: &str, digits: u8) -> i64 {
    let amount: Decimal = printed.parse().unwrap_or_default();
    let mut scaled = amount;
    scaled.rescale(u32::from(digits));
    i64::try_from(scaled.mantissa()).unwrap_or_default()
}
