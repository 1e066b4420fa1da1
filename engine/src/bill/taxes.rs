//! Taxes, once per rate on the printed sums.

use super::{Row, TaxRow};
use crate::evaluate::Pricing;
use crate::exact::{Num, Overflow};
use crate::tariff::TaxClass;

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
    let mut result: Vec<TaxRow> = Vec::with_capacity(bases.len());
    let (mut net_sum, mut total) = (0_i64, 0_i64);
    for (class_index, base) in bases {
        let Some(class) = classes.get(class_index as usize) else { continue };
        let net = if includes_vat { net_of(base, factor(class_index))? } else { base };
        let first = result.len();
        let mut tax_sum = 0_i64;
        for (tax_index, tax) in (0_u32..).zip(&class.taxes) {
            let mut tax_base = net;
            for earlier in &tax.on_top_of {
                let earlier = result.get(first + *earlier as usize).map_or(0, |row| row.amount);
                tax_base = tax_base.checked_add(earlier).ok_or(Overflow)?;
            }
            let percent = Num::new(tax.rate.mantissa(), tax.rate.scale() + 2);
            let amount = percent.of_whole(tax_base)?;
            tax_sum = tax_sum.checked_add(amount).ok_or(Overflow)?;
            result.push(TaxRow { class: class_index, tax: tax_index, base: tax_base, amount });
        }
        if includes_vat && let Some(row) = result.get_mut(first) {
            // The gross leads: what the taxes come to is the difference, whatever each rounds to.
            row.amount += base - net - tax_sum;
            tax_sum = base - net;
        }
        net_sum = net_sum.checked_add(net).ok_or(Overflow)?;
        total = total.checked_add(net).and_then(|sum| sum.checked_add(tax_sum)).ok_or(Overflow)?;
    }
    Ok((result, net_sum, total))
}

// gross / factor, rounded half away from zero to a whole minor unit: one rounding, not two.
fn net_of(gross: i64, factor: Num) -> Result<i64, Overflow> {
    factor.divides_whole(gross)
}
