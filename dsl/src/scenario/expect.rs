//! What a test expects against what came out.

use super::build::Scenario;
use super::{Failure, failure, invoice};
use crate::ast::{At, ChargeRef, Expect, Kind, Rate, Span};
use crate::resolve::currency;
use rust_decimal::Decimal;
use takst_engine::bill::Source;
use takst_engine::document::money;
use takst_engine::error::PriceError;
use takst_engine::explain::{Explained, explain};
use takst_engine::tariff::{ChargeKind, Leaf, Outcome, Tariff};
use takst_engine::{Bill, Pricing};

/// Prices the scenario and compares. Returns the failures and the rules that decided an amount.
pub(super) fn check(scenario: &Scenario, expectations: &[(Span, &Expect)]) -> (Vec<Failure>, Vec<u32>) {
    let tariff = scenario.prepared.tariff();
    let compared = match &scenario.invoice {
        Some(month) => invoice::statements(scenario, month).map(|statements| {
            let wrong =
                |(span, expect): &(Span, &Expect)| invoice::compare(tariff, &statements, *span, expect);
            (
                expectations.iter().filter_map(wrong).collect(),
                invoice::reached(&scenario.prepared, &statements),
            )
        }),
        None => explained(scenario).map(|explained| {
            let wrong = |(span, expect): &(Span, &Expect)| compare(tariff, &explained.bill, *span, expect);
            (expectations.iter().filter_map(wrong).collect(), reached(tariff, &explained))
        }),
    };
    compared.unwrap_or_else(|message| {
        let at = expectations.first().map_or(Span::default(), |(span, _)| *span);
        (vec![failure(at, message)], Vec::new())
    })
}

// The rules of the bill's lines, of the named prices in them and of its taxes.
fn reached(tariff: &Tariff, explained: &Explained) -> Vec<u32> {
    let mut rules = explained.bill.rules();
    rules.extend(explained.slices.iter().flat_map(|slice| &slice.figures).filter_map(|figure| figure.rule));
    rules.extend(&explained.tax_rules);
    // Fees that are not in any slice are taxed all the same.
    rules.extend(explained.bill.taxes.iter().filter_map(|row| {
        let class = tariff.tax_classes.get(row.class as usize)?;
        Some(class.taxes.get(row.tax as usize)?.rule)
    }));
    // Where nothing is taxed there is no row of a tax either: the line that says so.
    for row in &explained.bill.rows {
        let untaxed = tariff.tax_classes.get(row.tax as usize).is_some_and(|class| class.taxes.is_empty());
        let says = |leaf: &&Leaf| untaxed && leaf.outcome == Outcome::Tax(row.tax);
        rules.extend(tariff.leaves.iter().filter(says).map(|leaf| leaf.rule));
    }
    rules.sort_unstable();
    rules.dedup();
    rules
}

fn explained(scenario: &Scenario) -> Result<Explained, String> {
    let Some(session) = &scenario.session else {
        return Err("the test says nothing to price; write a line such as `charge 10 kWh from 2025-03-10 17:00 to 18:00`".into());
    };
    let mut pricing = Pricing::new(&scenario.prepared, &scenario.book).map_err(|error| error.to_string())?;
    if let Some(cost) = scenario.cost_price {
        pricing = pricing.with_cost_price(cost);
    }
    explain(&pricing, session, &scenario.standing).map_err(|error| in_words_of_tests(&error))
}

/// A fact is missing in the session: how a test says it.
fn in_words_of_tests(error: &PriceError) -> String {
    let PriceError::MissingFact { what, field } = error else { return error.to_string() };
    let line = match field.split('.').next().unwrap_or_default() {
        "charger" => "at charger \"SN-1\"",
        "site" => "at site \"pier-1\"",
        "contract" => "via contract",
        "occupancy" => "occupied 50%",
        "power[]" => "drawing 16 A",
        "connector" if field.ends_with("max_power_kw") => {
            "charge 10 kWh with 22 kW from 2025-03-10 17:00 to 18:00"
        }
        "connector" if field.ends_with("type") => "charge 10 kWh on CCS from 2025-03-10 17:00 to 18:00",
        "connector" => "charge 10 kWh on AC from 2025-03-10 17:00 to 18:00",
        _ => return error.to_string(),
    };
    format!("the tariff asks for {what}, and the test does not say it: write `{line}`")
}

/// The engine's kind of a charge priced per session; none for a month's charges.
pub(super) const fn session_kind(kind: Kind) -> Option<ChargeKind> {
    Some(match kind {
        Kind::Energy => ChargeKind::Energy,
        Kind::ChargingTime => ChargeKind::ChargingTime,
        Kind::ConnectedTime => ChargeKind::ConnectedTime,
        Kind::ParkingTime => ChargeKind::ParkingTime,
        Kind::IdleFee => ChargeKind::IdleFee,
        Kind::StartFee => ChargeKind::StartFee,
        Kind::ReservationFee => ChargeKind::ReservationFee,
        Kind::FeedIn => ChargeKind::FeedIn,
        Kind::PaymentFee => ChargeKind::PaymentFee,
        Kind::PayoutToSite => ChargeKind::PayoutToSite,
        Kind::FlatFee => ChargeKind::FlatFee,
        Kind::MonthlyFee | Kind::OneOffFee | Kind::PowerFee | Kind::SiteCredit => return None,
    })
}

fn compare(tariff: &Tariff, bill: &Bill, span: Span, expect: &Expect) -> Option<Failure> {
    let (rate, got) = match expect {
        Expect::Pending => {
            let message = "no slice is pending: every price is known";
            return bill.pending.is_empty().then(|| failure(span, message));
        }
        _ if !bill.pending.is_empty() => {
            // What is known so far is not what it costs.
            let label = bill.pending.first().and_then(|slice| tariff.charges.get(usize::from(slice.charge)));
            let label = label.map_or("a charge", |charge| charge.label.as_str());
            let message = format!(
                "the price of `{label}` is pending: a price is missing in the test, as in `spot 0.10 {}/kWh`",
                tariff.currency.code
            );
            return Some(failure(span, message));
        }
        Expect::Total(rate) => (rate, bill.total),
        Expect::Net(rate) => (rate, bill.net),
        Expect::Vat(rate) => (rate, bill.tax_total),
        Expect::Coupon(rate) => (rate, sum(bill, |source| matches!(source, Source::Coupon(_)))),
        Expect::Discount(rate) => (rate, sum(bill, |source| matches!(source, Source::Discount(_)))),
        Expect::Charge(charge, rate) => match charge_amount(tariff, bill, charge) {
            Ok(amount) => (rate, amount),
            Err(failure) => return Some(failure),
        },
    };
    compare_money(tariff, span, rate, got)
}

fn sum(bill: &Bill, which: impl Fn(Source) -> bool) -> i64 {
    bill.rows.iter().filter(|row| which(row.source)).map(|row| row.amount).sum()
}

fn charge_amount(tariff: &Tariff, bill: &Bill, wanted: &ChargeRef) -> Result<i64, Failure> {
    let Some(kind) = session_kind(wanted.kind.it) else {
        let message = "this is charged by the month; test it with `invoice 2025-03 for 1 charger`";
        return Err(failure(wanted.kind.span, message));
    };
    let fits = |label: &str| wanted.label.as_ref().is_none_or(|wanted| wanted.it == label);
    let charges: Vec<u16> = (0_u16..)
        .zip(&tariff.charges)
        .filter(|(_, charge)| charge.kind == kind && fits(&charge.label))
        .map(|(index, _)| index)
        .collect();
    if charges.is_empty() {
        return Err(failure(wanted.kind.span, "the tariff has no such charge"));
    }
    if kind == ChargeKind::PayoutToSite {
        let mine = |source: Source| source.charge().is_some_and(|charge| charges.contains(&charge));
        return Ok(bill.payouts.iter().filter(|row| mine(row.source)).map(|row| row.amount).sum());
    }
    Ok(charges.into_iter().map(|charge| bill.charge_after_rebates(charge)).sum())
}

/// `None` when `got` minor units are what `rate` says.
pub(super) fn compare_money(tariff: &Tariff, span: Span, rate: &At<Rate>, got: i64) -> Option<Failure> {
    let code = &tariff.currency.code;
    if !rate.it.per.is_empty() {
        return Some(failure(rate.span, format!("what comes out is a plain sum, as in `4.80 {code}`")));
    }
    let word = rate.it.money.it.as_str();
    let wanted = if word == code {
        Some(rate.it.number)
    } else {
        currency::hundredth(word)
            .filter(|codes| codes.contains(&code.as_str()))
            .map(|_| rate.it.number / Decimal::ONE_HUNDRED)
    };
    let Some(wanted) = wanted else {
        return Some(failure(rate.it.money.span, format!("the tariff is in {code}")));
    };
    let got = money(got, tariff.currency.digits);
    let same = got.parse::<Decimal>().is_ok_and(|got| got == wanted);
    (!same).then(|| Failure {
        span,
        message: "another amount came out".into(),
        expected: Some(format!("{wanted} {code}")),
        got: Some(format!("{got} {code}")),
    })
}
