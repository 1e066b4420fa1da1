//! `invoice 2025-03 for 2 chargers`: a month's statements in a test.

use super::build::{Invoice, Scenario};
use super::expect::{compare_money, session_kind};
use super::{Failure, failure};
use crate::ast::{Expect, Kind, Span};
use crate::resolve::merge::kind_words;
use rust_decimal::Decimal;
use std::collections::BTreeSet;
use takst_engine::document::Document;
use takst_engine::month::{MonthInput, month};
use takst_engine::tariff::Tariff;
use takst_engine::{Prepared, Pricing};

/// The driver to whom the test's chargers and session belong.
const DRIVER: &str = "test";

/// The month's statements for so many chargers, with the test's session if it has one.
pub(super) fn statements(scenario: &Scenario, invoice: &Invoice) -> Result<Vec<Document>, String> {
    let Invoice { year, month: month_number, chargers, new, plan } = invoice;
    let chargers: Vec<String> = (1..=(*chargers).min(1_000))
        .map(|charger| format!("{{\"id\": \"{charger}\", \"driver\": \"{DRIVER}\"}}"))
        .collect();
    let text = format!(
        "{{\"site\": \"test\", \"month\": \"{year:04}-{month_number:02}\", \"chargers\": [{}]}}",
        chargers.join(", ")
    );
    let mut input = MonthInput::from_json(&text).map_err(|error| error.to_string())?;
    for charger in &mut input.chargers {
        charger.groups.clone_from(&scenario.groups);
        charger.plan.clone_from(plan);
        charger.installed = new.then(|| input.month.days().0);
    }
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
pub(super) fn compare(
    tariff: &Tariff,
    statements: &[Document],
    span: Span,
    expect: &Expect,
) -> Option<Failure> {
    let digits = tariff.currency.digits;
    let bills = || statements.iter().filter(|statement| statement.kind == "statement");
    let sum = |amount: fn(&Document) -> &str| bills().map(|bill| minor(amount(bill), digits)).sum();
    let (rate, got) = match expect {
        Expect::Total(rate) => (rate, sum(|bill| &bill.total)),
        Expect::Net(rate) => (rate, sum(|bill| &bill.net)),
        Expect::Vat(rate) => (rate, sum(|bill| &bill.vat_total)),
        Expect::Charge(charge, rate) => {
            let kind = kind_words(charge.kind.it);
            let of_a_session = session_kind(charge.kind.it).is_some();
            if of_a_session && !matches!(charge.kind.it, Kind::PaymentFee | Kind::PayoutToSite) {
                let message = "an invoice has each session as one sum; test its charges without `invoice`";
                return Some(failure(span, message));
            }
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

/// The rules (indexes into the tariff's `rules`) behind the lines of the statements.
pub(super) fn reached(prepared: &Prepared, statements: &[Document]) -> Vec<u32> {
    let places: BTreeSet<&str> =
        statements.iter().flat_map(|statement| &statement.lines).map(|line| line.rule.as_str()).collect();
    let rules = 0_u32..;
    rules
        .zip(&prepared.tariff().rules)
        .map(|(index, _)| index)
        .filter(|index| places.contains(prepared.place(*index).as_str()))
        .collect()
}

// Printed amounts back to minor units; they always fit.
fn minor(printed: &str, digits: u8) -> i64 {
    let amount: Decimal = printed.parse().unwrap_or_default();
    let mut scaled = amount;
    scaled.rescale(u32::from(digits));
    i64::try_from(scaled.mantissa()).unwrap_or_default()
}
