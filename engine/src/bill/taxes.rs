//! Taxes, once per rate on the printed sums.

use super::{Row, TaxRow};
use crate::evaluate::Pricing;
use crate::exact::{Exact, Num, Overflow};
use crate::tariff::TaxClass;
use rust_decimal::Decimal;

/// Taxes once per rate on the printed rows: rows, net and total in minor units.
pub(crate) fn taxes(pricing: &Pricing<'_>, rows: &[Row]) -> Result<(Vec<TaxRow>, i64, i64), Overflow> {
    let p = pricing.p;
    let factor = |class: u32| p.tax_factors.get(class as usize).map_or(Num::ONE, |tax| tax.factor);
    let rows = rows.iter().map(|row| (row.tax, row.amount));
    taxes_on(&p.tariff.tax_classes, &factor, p.tariff.includes_vat, rows)
}

/// The same for amounts by tax class, whatever table the classes stand in. `factor`: 1 + all taxes of a class.
pub(crate) fn taxes_on(
    classes: &[TaxClass],
    factor: &dyn Fn(u32) -> Num,
    includes_vat: bool,
    rows: impl Iterator<Item = (u32, i64)>,
) -> Result<(Vec<TaxRow>, i64, i64), Overflow> {
    let mut bases: Vec<(u32, i64)> = Vec::with_capacity(2);
    for (tax, amount) in rows {
        match bases.iter_mut().find(|(known, _)| *known == tax) {
            Some((_, sum)) => *sum = sum.checked_add(amount).ok_or(Overflow)?,
            None => bases.push((tax, amount)),
        }
    }
    let mut result = Vec::with_capacity(bases.len());
    let (mut net_sum, mut total) = (0_i64, 0_i64);
    let minor = |amount: i64, factor: Num| -> Result<i64, Overflow> {
        Exact::from_num(Num::new(i128::from(amount), 0).mul(factor)?.round_to(Num::ONE)?)?.to_minor(0)
    };
    for (class_index, base) in bases {
        let Some(class) = classes.get(class_index as usize) else { continue };
        let (net, gross) = if includes_vat { (net_of(base, factor(class_index))?, base) } else { (base, 0) };
        let mut shares: Vec<Num> = Vec::new();
        let mut amounts: Vec<i64> = Vec::new();
        let mut tax_bases: Vec<i64> = Vec::new();
        for tax in &class.taxes {
            let rate = Num::from_decimal(tax.rate / Decimal::ONE_HUNDRED);
            let mut share = rate;
            let mut tax_base = net;
            for earlier in &tax.on_top_of {
                let earlier = *earlier as usize;
                share = share.add(rate.mul(shares.get(earlier).copied().unwrap_or(Num::ZERO))?)?;
                tax_base += amounts.get(earlier).copied().unwrap_or_default();
            }
            amounts.push(minor(tax_base, rate)?);
            tax_bases.push(tax_base);
            shares.push(share);
        }
        if includes_vat {
            // The gross leads: what the taxes come to is the difference, whatever each rounds to.
            let whole = gross - net;
            let off = whole - amounts.iter().sum::<i64>();
            if let Some(first) = amounts.first_mut() {
                *first += off;
            }
        }
        for (tax, (amount, base)) in (0_u32..).zip(amounts.iter().zip(&tax_bases)) {
            result.push(TaxRow { class: class_index, tax, base: *base, amount: *amount });
        }
        let tax_sum: i64 = amounts.iter().sum();
        net_sum = net_sum.checked_add(net).ok_or(Overflow)?;
        total = total.checked_add(net).and_then(|sum| sum.checked_add(tax_sum)).ok_or(Overflow)?;
    }
    Ok((result, net_sum, total))
}

// gross / factor, rounded half away from zero to a whole minor unit: one rounding, not two.
fn net_of(gross: i64, factor: Num) -> Result<i64, Overflow> {
    factor.divides_whole(gross)
}
