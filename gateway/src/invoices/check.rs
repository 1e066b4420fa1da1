//! An invoice is counted again, to the last minor unit, before it is given out.

use super::rows::{Read, rounds_to};
use super::{Category, Invoice, Kind, Tax};
use rust_decimal::Decimal;

/// Something that does not add up.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{of}: {what}")]
pub struct Inexact {
    /// The bill or invoice.
    pub of: String,
    /// What, with the rule of EN 16931 where there is one.
    pub what: String,
}

impl Inexact {
    pub(super) fn of_bill(number: &str, what: &str) -> Self {
        Self { of: number.to_owned(), what: format!("{what}; it is not as the gateway writes bills") }
    }
}

/// Counts `invoice`, made from so many bills with this sign, again.
pub(super) fn exact(invoice: &Invoice, bills: usize, sign: i64, read: &Read) -> Result<(), Inexact> {
    let wrong = |what: String| Err(Inexact { of: format!("invoice {}", invoice.number), what });
    let lines = || invoice.lines.iter();
    let adjustments = || invoice.adjustments.iter();
    let signed = |net: i64, is_charge: bool| i128::from(net) * if is_charge { 1 } else { -1 };
    let totals = invoice.totals;
    let of = |wanted: bool| {
        adjustments().filter(|one| one.is_charge == wanted).map(|one| i128::from(one.net)).sum::<i128>()
    };
    let rules = [
        ("BR-CO-10", i128::from(totals.lines), lines().map(|line| i128::from(line.net)).sum()),
        ("BR-CO-11", i128::from(totals.allowances), of(false)),
        ("BR-CO-12", i128::from(totals.charges), of(true)),
        (
            "BR-CO-13",
            i128::from(totals.net),
            i128::from(totals.lines) - i128::from(totals.allowances) + i128::from(totals.charges),
        ),
        ("BR-CO-14", i128::from(totals.vat), invoice.taxes.iter().map(|tax| i128::from(tax.amount)).sum()),
        ("BR-CO-15", i128::from(totals.total), i128::from(totals.net) + i128::from(totals.vat)),
        ("BR-CO-16", i128::from(totals.payable), i128::from(totals.total) - i128::from(totals.prepaid)),
        ("the net of the bills", i128::from(totals.net), i128::from(read.net) * i128::from(sign)),
        ("the VAT of the bills", i128::from(totals.vat), i128::from(read.vat_total) * i128::from(sign)),
        ("the total of the bills", i128::from(totals.total), i128::from(read.total) * i128::from(sign)),
    ];
    for (rule, stands, counted) in rules {
        if stands != counted {
            return wrong(format!("{rule}: {stands} stands there, {counted} is right (in minor units)"));
        }
    }
    if totals.total < 0 || (invoice.kind == Kind::CreditNote && totals.total == 0) {
        return wrong("its total has the wrong sign for its kind".into());
    }
    for tax in &invoice.taxes {
        let is_of = |category: Category, rate: Decimal| (category, rate) == (tax.category, tax.rate);
        let base: i128 = lines()
            .filter(|line| is_of(line.category, line.rate))
            .map(|line| i128::from(line.net))
            .sum::<i128>()
            + adjustments()
                .filter(|one| is_of(one.category, one.rate))
                .map(|one| signed(one.net, one.is_charge))
                .sum::<i128>();
        if base != i128::from(tax.taxable) {
            return wrong(format!(
                "BR-{}-08: {base} is taxed at {}%, {} stands there",
                tax.category.code(),
                tax.rate,
                tax.taxable
            ));
        }
        near(invoice, tax, bills).or_else(wrong)?;
    }
    for line in &invoice.lines {
        let product = line.price.checked_mul(line.quantity);
        if line.price.is_sign_negative()
            || !product.is_some_and(|amount| rounds_to(amount, line.net, invoice.digits))
        {
            return wrong(format!("the price of `{}` times its quantity is not its net amount", line.name));
        }
    }
    Ok(())
}

// VAT against net x rate. A bill is off by less than a minor unit: with net = round(gross / (1 + rate)) the rest is at most (1 + rate) / 2 units, and rates
// are below 100 %. The difference of two roundings, in a correction, is at most twice that. The official rules want less than a unit of the currency.
fn near(invoice: &Invoice, tax: &Tax, bills: usize) -> Result<(), String> {
    let exact = Decimal::from(tax.taxable)
        .checked_mul(tax.rate)
        .and_then(|amount| amount.checked_div(Decimal::ONE_HUNDRED));
    let off = exact.and_then(|exact| Decimal::from(tax.amount).checked_sub(exact)).map(|off| off.abs());
    let Some(off) = off else { return Err("its VAT is too large to be counted".into()) };
    let most_by_bills = Decimal::from(bills).saturating_mul(Decimal::TWO);
    let unit = Decimal::from(10_i64.pow(u32::from(invoice.digits.min(2))));
    let half = Decimal::new(5, 1);
    if off > most_by_bills {
        return Err(format!(
            "BR-CO-17: VAT of {}% is {off} minor units off, more than its {bills} bills explain",
            tax.rate
        ));
    }
    // The rule rounds net x rate first, to two places.
    if off + half >= unit && !tax.rate.is_zero() && invoice.digits > 0 {
        return Err(format!(
            "BR-CO-17: the roundings of {bills} bills put its VAT of {}% {off} minor units off; make two invoices of them",
            tax.rate
        ));
    }
    Ok(())
}
