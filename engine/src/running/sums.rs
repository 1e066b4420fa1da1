//! Lines and their exact sums.

use super::{Bucket, Cursor, Deferred, Found, Line, Meter, Open, Running};
use crate::bill::Source;
use crate::calendar_time::local_text;
use crate::error::PriceError;
use crate::evaluate::{Around, Base, Edges, Given, Moment, Point, Pricing, average_power, walk};
use crate::exact::{Counted, Exact, Num, Overflow};
use crate::tariff::{ChargeKind, NodeId, Outcome, Time};
use crate::units::Instant;

impl Running<'_> {
    pub(crate) fn average_so_far(&self) -> Result<Num, PriceError> {
        let charging = self.time_at(Time::Charging, self.now.t);
        average_power(self.now.import, charging)
            .map_err(|_| PriceError::Overflow { place: "average-power".into() })
    }

    pub(crate) fn tax_at(
        &self,
        pricing: &Pricing<'_>,
        root: NodeId,
        point: &impl Moment,
        bases: &[Base],
        edges: &mut Edges,
    ) -> Result<u32, PriceError> {
        let p = pricing.p;
        if let Some(tax) = p.always_taxed(root) {
            return Ok(tax);
        }
        let leaf = walk(p, &self.fixed, root, point, bases, edges)?;
        match leaf.and_then(|leaf| p.leaves.get(leaf as usize)?.tax) {
            Some(tax) => Ok(tax),
            None => Err(PriceError::NoCase {
                charge: "VAT".into(),
                at: local_text(&p.tariff.zone, Instant(point.point().t)),
            }),
        }
    }

    // The line of the cursor's open slice, which ends at `to`, where there is something to bill: a final price without
    // parts, nothing to explain, nothing fed in.
    #[inline(always)]
    pub(super) fn push_plain(
        &mut self,
        pricing: &Pricing<'_>,
        cursor: &mut Cursor,
        to: i64,
        register: i64,
    ) -> Result<(), PriceError> {
        let (Some(found), Some(open)) = (&cursor.found, &cursor.open) else { return Ok(()) };
        let (charge, tax, rule) = (cursor.charge, found.tax, found.rule);
        let quantity = match found.counted {
            Counted::Energy => register - open.register,
            Counted::Pieces => 1,
            Counted::Hours | Counted::Minutes => to - open.from,
        };
        if quantity == 0 {
            return Ok(());
        }
        let amount = match (found.per_unit, found.price) {
            (Some(per_unit), _) => Exact::whole(per_unit, quantity),
            (None, Some(price)) => {
                Exact::product(price, quantity, found.counted).map_err(|_| too_large(pricing, rule))?
            }
            (None, None) => Exact::ZERO,
        };
        self.lines.push(Line {
            source: Source::Charge(charge),
            tax,
            rule,
            leaf: found.leaf,
            from: open.from,
            to,
            quantity,
            counted: found.counted,
            price: found.price,
            amount,
        });
        // Where its charge was added up last it nearly always is again.
        if let Some(bucket) = self.buckets.get_mut(cursor.bucket)
            && (bucket.charge, bucket.tax) == (charge, tax)
            && bucket.parts.is_empty()
        {
            bucket.sum = bucket.sum.add(amount).map_err(|_| too_large(pricing, rule))?;
        } else {
            cursor.bucket = self.add_plain(pricing, charge, tax, rule, amount)?;
        }
        Ok(())
    }

    // The line of a slice that ends at `to`, where there is something to bill.
    pub(super) fn push_line(
        &mut self,
        pricing: &Pricing<'_>,
        cursor: &mut Cursor,
        open: &Open,
        to: i64,
        register: i64,
    ) -> Result<(), PriceError> {
        let Some(found) = &cursor.found else { return Ok(()) };
        let mut to = to;
        if cursor.once {
            // What lasted no time did not hold.
            let free = pricing.p.leaves.get(found.leaf as usize).is_none_or(|leaf| leaf.free);
            if free || to <= open.from {
                return Ok(());
            }
            cursor.states = 0;
            to = open.from;
        }
        let plain = found.settled && !found.parts && self.trace.is_none() && cursor.meter != Meter::Export;
        if plain {
            cursor.open = Some(*open);
            let pushed = self.push_plain(pricing, cursor, to, register);
            cursor.open = None;
            return pushed;
        }
        let (quantity, counted) = match found.counted {
            Counted::Energy => (register - open.register, Counted::Energy),
            Counted::Pieces => (1, Counted::Pieces),
            time => (to - open.from, time),
        };
        if quantity == 0 {
            return Ok(());
        }
        let overflow = |_| too_large(pricing, found.rule);
        let amount = match (found.per_unit, found.price) {
            (Some(per_unit), _) => Exact::whole(per_unit, quantity),
            (None, Some(price)) => Exact::product(price, quantity, counted).map_err(overflow)?,
            (None, None) => Exact::ZERO,
        };
        let amount = if cursor.meter == Meter::Export { amount.negated().map_err(overflow)? } else { amount };
        let line = Line {
            source: Source::Charge(cursor.charge),
            tax: found.tax,
            rule: found.rule,
            leaf: found.leaf,
            from: open.from,
            to,
            quantity,
            counted,
            price: found.price,
            amount,
        };
        self.add_with_point(pricing, cursor, found, &line, open.joins)?;
        self.lines.push(line);
        Ok(())
    }

    // Adds a line whose price is final and has no parts. Returns where.
    pub(super) fn add_plain(
        &mut self,
        pricing: &Pricing<'_>,
        charge: u16,
        tax: u32,
        rule: u32,
        amount: Exact,
    ) -> Result<usize, PriceError> {
        let is = |bucket: &Bucket| bucket.charge == charge && bucket.tax == tax;
        let index = self.buckets.iter().position(is).unwrap_or(self.buckets.len());
        let overflow = |_| PriceError::Overflow { place: pricing.p.place(rule) };
        match self.buckets.get_mut(index) {
            Some(bucket) => {
                bucket.sum = bucket.sum.add(amount).map_err(overflow)?;
                if !bucket.parts.is_empty() {
                    add_part(&mut bucket.parts, u32::MAX, amount).map_err(overflow)?;
                }
            }
            None => self.buckets.push(Bucket { charge, tax, sum: amount, parts: Vec::new() }),
        }
        Ok(index)
    }

    #[cold]
    fn add_with_point(
        &mut self,
        pricing: &Pricing<'_>,
        cursor: &Cursor,
        found: &Found,
        line: &Line,
        joins: bool,
    ) -> Result<(), PriceError> {
        let point = cursor.point.as_deref().unwrap_or(&self.now);
        let point = *point;
        if let Some(trace) = &mut self.trace {
            trace.slices.push((*line, point, self.bases.clone()));
        }
        if !found.settled {
            let (line, bases) = (self.lines.len(), self.bases.clone());
            self.deferred.push(Deferred { line, point, bases, joins });
            return Ok(());
        }
        if !found.parts {
            return self.add_plain(pricing, cursor.charge, line.tax, line.rule, line.amount).map(drop);
        }
        let bases = std::mem::take(&mut self.bases);
        let added = self.add_up(pricing, line, &point, &bases);
        self.bases = bases;
        added
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

pub(crate) fn add_part(parts: &mut Vec<(u32, Exact)>, label: u32, amount: Exact) -> Result<(), Overflow> {
    match parts.iter_mut().find(|(known, _)| *known == label) {
        Some((_, sum)) => *sum = sum.add(amount)?,
        None => parts.push((label, amount)),
    }
    Ok(())
}

#[cold]
fn too_large(pricing: &Pricing<'_>, rule: u32) -> PriceError {
    PriceError::Overflow { place: pricing.p.place(rule) }
}
