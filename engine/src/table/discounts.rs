//! Discounts of a day: which are in the prices of the table already, and which are not.

use super::{Known, Work};
use crate::error::PriceError;
use crate::evaluate::Edges;
use crate::exact::{Num, Overflow};
use crate::tariff::{ChargeKind, Outcome, Rebate};
use crate::units::Instant;

/// A discount of the list that a driver gets if he plugs in at some time of the day.
#[derive(Clone, PartialEq, Debug)]
pub struct DayDiscount {
    /// As printed.
    pub label: String,
    /// How much.
    pub rebate: Rebate,
    /// Labels of the charges that it lowers; empty when these are all of a session but the payment fee.
    pub of: Vec<String>,
    /// When he must plug in; empty when any time of the day will do.
    pub plug_in: Vec<(Instant, Instant)>,
    /// Whether it is taken off in the prices of the table: a share that holds all day. An amount depends on what a
    /// session comes to, and other hours of plug-in on when that is.
    pub in_prices: bool,
    /// Indexes of the charges.
    pub(super) charges: Vec<u32>,
}

impl DayDiscount {
    /// The share that the prices of this charge are lowered by.
    pub(super) fn share_of(&self, charge: usize) -> Option<Num> {
        let lowers = self.in_prices && self.charges.iter().any(|index| *index as usize == charge);
        match self.rebate {
            Rebate::Share(share) if lowers => Some(Num::from_decimal(share)),
            _ => None,
        }
    }
}

/// What is left of a price, and what was taken off.
pub(super) fn lowered(price: Known, share: Num) -> Result<(Known, Known), Overflow> {
    Ok(match price {
        Known::Price(price) => {
            let cut = price.mul(share)?;
            (Known::Price(price.sub(cut)?), Known::Price(cut.negated()?))
        }
        unknown => (unknown, unknown),
    })
}

impl Work<'_> {
    pub(super) fn discounts(&self) -> Result<Vec<DayDiscount>, PriceError> {
        let tariff = &self.pricing.p.tariff;
        let lowest =
            |kind| !matches!(kind, ChargeKind::PaymentFee | ChargeKind::PayoutToSite | ChargeKind::FeedIn);
        let all = tariff.charges.iter().filter(|charge| lowest(charge.kind)).count();
        let mut found = Vec::new();
        for discount in &tariff.discounts {
            let mut plug_in: Vec<(Instant, Instant)> = Vec::new();
            let mut t = self.start;
            while t < self.end {
                let point = self.point(t);
                let mut edges = Edges::new();
                edges.time = point.local.instant_of(1440);
                let leaf = self.leaf(&discount.label, discount.root, &point, &mut edges)?;
                let to = edges.time.min(self.end).min(point.local.offset_until).max(t + 1);
                if tariff.leaves.get(leaf as usize).is_some_and(|leaf| leaf.outcome == Outcome::Applies) {
                    match plug_in.last_mut() {
                        Some((_, until)) if until.0 == t => *until = Instant(to),
                        _ => plug_in.push((Instant(t), Instant(to))),
                    }
                }
                t = to;
            }
            let all_day = plug_in == [(Instant(self.start), Instant(self.end))];
            if plug_in.is_empty() {
                continue;
            }
            let label = |index: &u32| tariff.charges.get(*index as usize).map(|charge| charge.label.clone());
            let of = if discount.charges.len() >= all {
                Vec::new()
            } else {
                discount.charges.iter().filter_map(label).collect()
            };
            found.push(DayDiscount {
                label: discount.label.clone(),
                rebate: discount.rebate.clone(),
                of,
                plug_in: if all_day { Vec::new() } else { plug_in },
                in_prices: all_day && matches!(discount.rebate, Rebate::Share(_)),
                charges: discount.charges.clone(),
            });
        }
        Ok(found)
    }
}
