//! Taxes, once per rate on the printed sums.

use super::{Row, TaxRow};
use crate::evaluate::Pricing;
use crate::exact::{Num, Overflow};
use crate::share;
use crate::tariff::TaxClass;
use ethnum::I256;
use smallvec::SmallVec;

/// Taxes once per rate on the printed rows, added to `taxes`: net and total in minor units.
pub(super) fn taxes_of(
    pricing: &Pricing<'_>,
    rows: &[Row],
    taxes: &mut Vec<TaxRow>,
) -> Result<(i64, i64), Overflow> {
    let p = pricing.p;
    let factor = |class: u32| p.tax_factors.get(class as usize).map_or(Num::ONE, |tax| tax.factor);
    let rows = rows.iter().map(|row| (row.tax, row.amount));
    add_taxes(&p.tariff.tax_classes, factor, p.tariff.includes_vat, rows, taxes)
}

/// The same for amounts by tax class, whatever table the classes stand in. `factor`: 1 + all taxes of a class.
pub(crate) fn taxes_on(
    classes: &[TaxClass],
    factor: &dyn Fn(u32) -> Num,
    includes_vat: bool,
    rows: impl Iterator<Item = (u32, i64)>,
) -> Result<(Vec<TaxRow>, i64, i64), Overflow> {
    let mut result = Vec::new();
    let (net, total) = add_taxes(classes, factor, includes_vat, rows, &mut result)?;
    Ok((result, net, total))
}

fn add_taxes(
    classes: &[TaxClass],
    factor: impl Fn(u32) -> Num,
    includes_vat: bool,
    rows: impl Iterator<Item = (u32, i64)>,
    result: &mut Vec<TaxRow>,
) -> Result<(i64, i64), Overflow> {
    let mut bases: SmallVec<[(u32, i64); 4]> = SmallVec::new();
    for (tax, amount) in rows {
        match bases.iter_mut().find(|(known, _)| *known == tax) {
            Some((_, sum)) => *sum = sum.checked_add(amount).ok_or(Overflow)?,
            None => bases.push((tax, amount)),
        }
    }
    let (mut net_sum, mut total) = (0_i64, 0_i64);
    for (class_index, base) in bases {
        let Some(class) = classes.get(class_index as usize) else { continue };
        let net = if includes_vat { net_of(base, factor(class_index))? } else { base };
        let tax_sum = if includes_vat && class.taxes.len() > 1 {
            // The gross leads: what all taxes come to is the difference, and each gets its share of it.
            let due = base.checked_sub(net).ok_or(Overflow)?;
            push_rows(result, class_index, class, net, Some(&shares_of(class, base, due)?))?
        } else if includes_vat && !class.taxes.is_empty() {
            let due = base.checked_sub(net).ok_or(Overflow)?;
            push_rows(result, class_index, class, net, Some(&[due]))?
        } else {
            push_rows(result, class_index, class, net, None)?
        };
        net_sum = net_sum.checked_add(net).ok_or(Overflow)?;
        total = total.checked_add(net).and_then(|sum| sum.checked_add(tax_sum)).ok_or(Overflow)?;
    }
    Ok((net_sum, total))
}

// A row for each tax of a class; `amounts`: known already, else each is its rate of its base, rounded. Returns their sum.
fn push_rows(
    rows: &mut Vec<TaxRow>,
    class_index: u32,
    class: &TaxClass,
    net: i64,
    amounts: Option<&[i64]>,
) -> Result<i64, Overflow> {
    let first = rows.len();
    let mut sum = 0_i64;
    for (place, tax) in class.taxes.iter().enumerate() {
        let mut base = net;
        for earlier in &tax.on_top_of {
            let earlier = rows.get(first + *earlier as usize).map_or(0, |row| row.amount);
            base = base.checked_add(earlier).ok_or(Overflow)?;
        }
        let amount = match amounts {
            Some(amounts) => amounts.get(place).copied().unwrap_or_default(),
            None => Num::new(tax.rate.mantissa(), tax.rate.scale() + 2).of_whole(base)?,
        };
        sum = sum.checked_add(amount).ok_or(Overflow)?;
        let tax = u32::try_from(place).map_err(|_| Overflow)?;
        rows.push(TaxRow { class: class_index, tax, base, amount });
    }
    Ok(sum)
}

// The taxes of a class in `gross`, as whole minor units that add up to `due`: each is rounded down from its exact amount,
// and the rest goes to the largest remainders.
fn shares_of(class: &TaxClass, gross: i64, due: i64) -> Result<Vec<i64>, Overflow> {
    // Shares of the net and all of it in units of 10^-28: as many places as the factor of the class has.
    let one = I256::from(10).pow(28);
    let (mut shares, mut whole): (Vec<I256>, I256) = (Vec::with_capacity(class.taxes.len()), one);
    for tax in &class.taxes {
        let mut base = one;
        for earlier in &tax.on_top_of {
            let earlier = shares.get(*earlier as usize).copied().unwrap_or(I256::ZERO);
            base = base.checked_add(earlier).ok_or(Overflow)?;
        }
        let percent = I256::from(tax.rate.mantissa()).checked_mul(base).ok_or(Overflow)?;
        let share = percent / I256::from(10).pow(tax.rate.scale() + 2);
        whole = whole.checked_add(share).ok_or(Overflow)?;
        shares.push(share);
    }
    let mut exact = Vec::with_capacity(shares.len());
    for share in shares {
        exact.push(share.checked_mul(I256::from(gross)).ok_or(Overflow)?);
    }
    share::by_fraction(due, &exact, whole)
}

// gross / factor, rounded half away from zero to a whole minor unit: one rounding, not two.
fn net_of(gross: i64, factor: Num) -> Result<i64, Overflow> {
    factor.divides_whole(gross)
}
