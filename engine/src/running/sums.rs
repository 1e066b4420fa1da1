//! Lines and their exact sums.

use super::{Bucket, Deferred, Line, Open, Running};
use crate::bill::Source;
use crate::calendar_time::local_text;
use crate::error::PriceError;
use crate::evaluate::{Around, Base, Edges, Given, Point, Pricing, average_power, time_index, walk};
use crate::exact::{Counted, Exact, Num, Overflow};
use crate::tariff::{ChargeKind, NodeId, Outcome, Time};
use crate::units::Instant;

impl Running<'_> {
    pub(crate) fn average_so_far(&self) -> Result<Num, PriceError> {
        let charging = self.now.times.get(time_index(Time::Charging)).copied().unwrap_or_default();
        average_power(self.now.import, charging)
            .map_err(|_| PriceError::Overflow { place: "average-power".into() })
    }

    pub(crate) fn tax_at(
        &self,
        pricing: &Pricing<'_>,
        root: NodeId,
        point: &Point,
        bases: &[Base],
        edges: &mut Edges,
    ) -> Result<u32, PriceError> {
        let p = pricing.p;
        let leaf = walk(p, &self.fixed, root, point, bases, edges)?;
        match leaf.and_then(|leaf| p.tariff.leaves.get(leaf as usize)).map(|leaf| &leaf.outcome) {
            Some(Outcome::Tax(class)) => {
                Ok(p.tax_factors.get(*class as usize).map_or(*class, |factor| factor.same_as))
            }
            _ => Err(PriceError::NoCase {
                charge: "VAT".into(),
                at: local_text(&p.tariff.zone, Instant(point.t)),
            }),
        }
    }

    pub(super) fn push_line(
        &mut self,
        pricing: &Pricing<'_>,
        charge: u16,
        open: &Open,
        to: i64,
        register: i64,
        bases: &[Base],
    ) -> Result<(), PriceError> {
        let Some((line, deferred)) = self.make_line(pricing, charge, open, to, register)? else {
            return Ok(());
        };
        if deferred {
            let deferred = Deferred { line: self.lines.len(), point: open.point, bases: bases.to_vec() };
            self.deferred.push(deferred);
        } else {
            self.add_up(pricing, &line, &open.point, bases)?;
        }
        if let Some(trace) = &mut self.trace {
            trace.slices.push((line, open.point, bases.to_vec()));
        }
        self.lines.push(line);
        Ok(())
    }

    // The line of an open slice that ends at `to`, and whether its price is not final. None when there is nothing to bill.
    pub(super) fn make_line(
        &self,
        pricing: &Pricing<'_>,
        charge: u16,
        open: &Open,
        to: i64,
        register: i64,
    ) -> Result<Option<(Line, bool)>, PriceError> {
        let quantity = match open.counted {
            Counted::Energy => register - open.register,
            Counted::Hours | Counted::Minutes => to - open.from,
            Counted::Pieces => 1,
        };
        if quantity == 0 {
            return Ok(None);
        }
        let uses_average = self.final_at_end(pricing, open.leaf);
        let price = match open.price {
            Given::Number(price) => Some(price),
            Given::Pending => None,
        };
        let overflow = |_| PriceError::Overflow { place: pricing.p.place(open.rule) };
        let amount = match price {
            Some(price) => Exact::product(price, quantity, open.counted).map_err(overflow)?,
            None => Exact::ZERO,
        };
        let line = Line {
            source: Source::Charge(charge),
            tax: open.tax,
            rule: open.rule,
            leaf: open.leaf,
            from: open.from,
            to,
            quantity,
            counted: open.counted,
            price,
            amount: self.signed(pricing, charge, amount)?,
        };
        Ok(Some((line, uses_average || price.is_none())))
    }

    // Energy fed in is a credit.
    pub(crate) fn signed(
        &self,
        pricing: &Pricing<'_>,
        charge: u16,
        amount: Exact,
    ) -> Result<Exact, PriceError> {
        match pricing.p.tariff.charges.get(usize::from(charge)) {
            Some(charge) if charge.kind == ChargeKind::FeedIn => {
                amount.negated().map_err(|_| PriceError::Overflow { place: pricing.p.place(charge.rule) })
            }
            _ => Ok(amount),
        }
    }

    pub(super) fn final_at_end(&self, pricing: &Pricing<'_>, leaf: u32) -> bool {
        pricing.p.leaves.get(leaf as usize).is_some_and(|leaf| leaf.uses_average)
    }

    /// Adds a line's exact amount and its parts to the sums of its charge and tax class.
    pub(crate) fn add_up(
        &mut self,
        pricing: &Pricing<'_>,
        line: &Line,
        point: &Point,
        bases: &[Base],
    ) -> Result<(), PriceError> {
        let mut buckets = std::mem::take(&mut self.buckets);
        let result = self.add_to(pricing, &mut buckets, line, point, bases);
        self.buckets = buckets;
        result
    }

    pub(crate) fn add_to(
        &self,
        pricing: &Pricing<'_>,
        buckets: &mut Vec<Bucket>,
        line: &Line,
        point: &Point,
        bases: &[Base],
    ) -> Result<(), PriceError> {
        let overflow = |_| PriceError::Overflow { place: pricing.p.place(line.rule) };
        let charge = line.source.charge();
        let known = buckets.iter().position(|bucket| Some(bucket.charge) == charge && bucket.tax == line.tax);
        let index = known.unwrap_or_else(|| {
            buckets.push(Bucket {
                charge: charge.unwrap_or_default(),
                tax: line.tax,
                sum: Exact::ZERO,
                parts: Vec::new(),
            });
            buckets.len() - 1
        });
        let Some(bucket) = buckets.get_mut(index) else { return Ok(()) };
        bucket.sum = bucket.sum.add(line.amount).map_err(overflow)?;
        let labels =
            pricing.p.leaves.get(line.leaf as usize).map(|leaf| leaf.parts.as_slice()).unwrap_or_default();
        if labels.is_empty() {
            if !bucket.parts.is_empty() {
                add_part(&mut bucket.parts, u32::MAX, line.amount).map_err(overflow)?;
            }
            return Ok(());
        }
        if bucket.parts.is_empty() {
            // What earlier lines without parts came to goes under the charge's own label.
            let before = bucket.sum.sub(line.amount).map_err(overflow)?;
            if !before.is_zero() {
                bucket.parts.push((u32::MAX, before));
            }
        }
        let Some(Outcome::Price(price)) =
            pricing.p.tariff.leaves.get(line.leaf as usize).map(|leaf| &leaf.outcome)
        else {
            return Ok(());
        };
        let around = Around {
            pricing,
            fixed: &self.fixed,
            point,
            bases,
            average_power: self.average_so_far()?,
            tax: line.tax,
            rule: line.rule,
        };
        // What rounding the unit price adds or takes belongs to the first part, which also stands first.
        if let Some(first) = labels.first() {
            add_part(&mut bucket.parts, *first, Exact::ZERO).map_err(overflow)?;
        }
        let mut rest = line.amount;
        for (part, label) in price.parts.iter().zip(labels).skip(1) {
            if let Given::Number(number) = around.formula(&part.formula, &mut Edges::new(), 0)? {
                let amount = Exact::product(number, line.quantity, line.counted).map_err(overflow)?;
                let amount = self.signed(pricing, charge.unwrap_or_default(), amount)?;
                rest = rest.sub(amount).map_err(overflow)?;
                add_part(&mut bucket.parts, *label, amount).map_err(overflow)?;
            }
        }
        if let Some(first) = labels.first() {
            add_part(&mut bucket.parts, *first, rest).map_err(overflow)?;
        }
        Ok(())
    }
}

pub(super) fn add_part(parts: &mut Vec<(u32, Exact)>, label: u32, amount: Exact) -> Result<(), Overflow> {
    match parts.iter_mut().find(|(known, _)| *known == label) {
        Some((_, sum)) => *sum = sum.add(amount)?,
        None => parts.push((label, amount)),
    }
    Ok(())
}
