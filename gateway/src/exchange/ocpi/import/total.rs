//! `min_price` and `max_price`.

use super::Work;
use crate::exchange::ocpi::Problem;
use crate::exchange::ocpi::tariff::{Bound, TaxIncluded};
use crate::exchange::ocpi::words::money;
use rust_decimal::Decimal;

impl Work<'_> {
    // The statement of the total. `rate`: the one of all charges, if they have one.
    pub(super) fn total(&mut self, rate: Option<Decimal>) -> Result<Option<String>, Vec<Problem>> {
        let mut bounds = Vec::new();
        for (bound, floor, place) in
            [(self.tariff.least, true, "min_price"), (self.tariff.most, false, "max_price")]
        {
            let Some(bound) = bound else { continue };
            let amount = self.bound(bound, floor, place, rate).map_err(|problem| vec![problem])?;
            let word = if floor { "at least" } else { "at most" };
            bounds.push(format!("{word} {} {}/session", money(amount), self.tariff.currency));
        }
        Ok((!bounds.is_empty()).then(|| format!("total: {}", bounds.join(", "))))
    }

    // A bound in the sense of the list's prices. Both amounts of a bound hold; with one rate of VAT the stricter one is both.
    fn bound(
        &mut self,
        bound: Bound,
        floor: bool,
        place: &str,
        rate: Option<Decimal>,
    ) -> Result<Decimal, Problem> {
        let with_tax = self.tariff.tax == TaxIncluded::Yes;
        let (own, other) = if with_tax { (bound.with, bound.without) } else { (bound.without, bound.with) };
        let factor = rate.map(|rate| Decimal::ONE + rate / Decimal::ONE_HUNDRED);
        let implied = match (other, factor) {
            (Some(other), Some(factor)) if with_tax => Some(other * factor),
            (Some(other), Some(factor)) => other.checked_div(factor).map(|amount| amount.round_dp(6)),
            _ => None,
        };
        let missing = || {
            let (has, wants) = if with_tax { ("without", "with") } else { ("with", "without") };
            let message = format!(
                "it is said {has} taxes only, prices are {wants} them, and there is more than one rate of VAT; say the amount {wants} taxes too"
            );
            Problem::new(place, message)
        };
        let Some(own) = own else { return implied.ok_or_else(missing) };
        if other.is_some() && factor.is_none() {
            let message = "with several rates of VAT its two amounts can bind at different times; the one in the sense of the prices is kept";
            self.note_once(place, message);
        }
        let Some(implied) = implied else { return Ok(own) };
        if (implied - own).abs() <= Decimal::new(1, 2) {
            return Ok(own);
        }
        let stricter = if floor { own.max(implied) } else { own.min(implied) };
        if stricter != own {
            let message = "its amounts without and with taxes do not belong together; both hold, and the stricter one is kept";
            self.note_once(place, message);
        }
        Ok(stricter)
    }
}
