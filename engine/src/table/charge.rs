//! One charge through a day: its price with the line that answers, and what a kWh costs then in all.

use super::terms::per_of;
use super::{Asked, Known, work};
use crate::error::PriceError;
use crate::evaluate::{Edges, Pricing};
use crate::tariff::{ChargeKind, Measure, RuleId};
use crate::units::{Day, Instant};

/// A stretch of the day in which a charge has one price.
#[derive(Clone, PartialEq, Debug)]
pub struct ChargeSlice {
    /// Start.
    pub from: Instant,
    /// End.
    pub to: Instant,
    /// Per unit, taxes in, before discounts.
    pub price: Known,
    /// The unit, as in `kWh`; empty where the price is free.
    pub per: &'static str,
    /// The line that says so.
    pub rule: RuleId,
    /// For an energy charge: all energy charges together per kWh, taxes in and discounts off.
    pub total: Option<Known>,
}

/// The prices of a charge (index into the tariff's charges) on a local day. `at`: that measure has reached that much already,
/// in its unit. No slices where there is no such charge.
///
/// # Errors
/// As [`super::day_table`].
pub fn charge_day(
    pricing: &Pricing<'_>,
    asked: &Asked,
    day: Day,
    charge: usize,
    at: Option<(Measure, i64)>,
) -> Result<Vec<ChargeSlice>, PriceError> {
    let mut work = work(pricing, asked, day)?;
    work.discounts = work.discounts()?;
    work.at = at;
    let Some(charge) = pricing.p.tariff.charges.get(charge) else { return Ok(Vec::new()) };
    let totals = if charge.kind == ChargeKind::Energy { work.energy()? } else { Vec::new() };
    let mut slices: Vec<ChargeSlice> = Vec::new();
    let mut t = work.start;
    while t < work.end {
        let point = work.point(t);
        let mut edges = Edges::new();
        edges.time = point.local.instant_of(1440);
        let found = work.answer(&charge.label, charge.root, charge.tax, &point, &mut edges)?;
        let total = totals.iter().find(|slice| slice.from.0 <= t && t < slice.to.0);
        let mut to = edges.time.min(work.end).min(point.local.offset_until).max(t + 1);
        if let Some(total) = total {
            to = to.min(total.to.0);
        }
        let slice = ChargeSlice {
            from: Instant(t),
            to: Instant(to),
            price: found.price,
            per: per_of(&found),
            rule: found.rule,
            total: total.map(|slice| slice.total),
        };
        match slices.last_mut() {
            Some(last)
                if (last.price, last.per, last.rule, last.total)
                    == (slice.price, slice.per, slice.rule, slice.total) =>
            {
                last.to = slice.to;
            }
            _ => slices.push(slice),
        }
        t = to;
    }
    Ok(slices)
}
