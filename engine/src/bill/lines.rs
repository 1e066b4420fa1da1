//! The lines of a bill: settled prices, fees counted once, billing steps, rounding.

use super::{Assembly, Pending, Row, Source};
use crate::calendar_time::local_text;
use crate::error::PriceError;
use crate::evaluate::{Around, Base, Edges, Given, Moment, walk};
use crate::exact::{Counted, Exact, Num, Overflow};
use crate::prepared::step_of;
use crate::running::{Bucket, Line, add_part};
use crate::share;
use crate::tariff::{ChargeKind, Outcome};
use crate::units::Instant;

impl Assembly<'_, '_> {
    pub(super) fn settle_deferred(&mut self) -> Result<(), PriceError> {
        if self.run.deferred.is_empty() {
            return Ok(());
        }
        let all = std::mem::take(&mut self.run.deferred);
        for deferred in &all {
            let Some(mut line) = self.run.lines.get(deferred.line).copied() else { continue };
            let around = Around {
                pricing: self.pricing,
                fixed: &self.run.fixed,
                point: &deferred.point,
                bases: &deferred.bases,
                average_power: self.run.average_so_far()?,
                tax: line.tax,
                rule: line.rule,
            };
            match around.leaf(line.leaf, &mut Edges::new(), 0)? {
                Given::Number(price) => {
                    let amount = Exact::product(price, line.quantity, line.counted)
                        .map_err(self.overflow(line.rule))?;
                    line.price = Some(price);
                    line.amount =
                        self.run.signed(self.pricing, line.source.charge().unwrap_or_default(), amount)?;
                    self.run.add_to(
                        self.pricing,
                        &mut self.buckets,
                        &line,
                        &deferred.point,
                        &deferred.bases,
                    )?;
                }
                Given::Pending if self.is_payout(&line) => self.payout_pending = true,
                Given::Pending => {
                    let (from, to) = (Instant(line.from), Instant(line.to));
                    self.pending.push(Pending { charge: line.source.charge().unwrap_or_default(), from, to });
                }
            }
            if let Some(place) = self.run.lines.get_mut(deferred.line) {
                *place = line;
            }
        }
        let joining = all.iter().filter(|deferred| deferred.joins).map(|deferred| deferred.line);
        self.join(joining.collect())
    }

    // Lines that a clock change cut off the line before them, where both have come to one price.
    fn join(&mut self, joining: Vec<usize>) -> Result<(), PriceError> {
        for index in joining.into_iter().rev() {
            let (Some(line), Some(before)) =
                (self.run.lines.get(index).copied(), self.run.lines.get(..index))
            else {
                continue;
            };
            let Some(last) = before.iter().rposition(|last| last.source == line.source) else { continue };
            let Some(last) = self.run.lines.get_mut(last) else { continue };
            if line.price.is_some() && last.price == line.price && last.to == line.from {
                let overflow = |_| PriceError::Overflow { place: self.pricing.p.place(line.rule) };
                last.amount = last.amount.add(line.amount).map_err(overflow)?;
                (last.to, last.quantity) = (line.to, last.quantity + line.quantity);
                self.run.lines.remove(index);
            }
        }
        Ok(())
    }

    // Start fees: judged at plug-in, due once their allowance is used up.
    pub(super) fn once_per_session(&mut self) -> Result<(), PriceError> {
        let pricing = self.pricing;
        for index in pricing.p.start_fees.iter().copied() {
            if self.run.fee_is_charged(index) || !self.is_due(index)? {
                continue;
            }
            if let Some(line) = self.one_piece(index)? {
                let point = self.run.start_point();
                if line.price.is_none() {
                    let at = Instant(line.from);
                    self.pending.push(Pending { charge: index, from: at, to: at });
                } else {
                    self.run.add_to(self.pricing, &mut self.buckets, &line, &point, &[])?;
                }
                self.run.lines.insert(0, line);
            }
        }
        Ok(())
    }

    // Whether a charge that counts once has used up its allowance.
    fn is_due(&self, charge: u16) -> Result<bool, PriceError> {
        let charge = self.pricing.p.tariff.charges.get(usize::from(charge));
        let Some(after) = charge.and_then(|charge| charge.after.as_ref()) else { return Ok(true) };
        let amount = self.run.after_amount(self.pricing, &after.amount)?;
        let reached = self.run.now.measure(after.measure, &Base::default())?;
        Ok(reached >= amount && reached > 0)
    }

    pub(super) fn is_payout(&self, line: &Line) -> bool {
        let charge =
            line.source.charge().and_then(|charge| self.pricing.p.tariff.charges.get(usize::from(charge)));
        charge.is_some_and(|charge| charge.kind == ChargeKind::PayoutToSite)
    }

    // A charge counted once, judged at plug-in. None when it is free.
    pub(super) fn one_piece(&self, index: u16) -> Result<Option<Line>, PriceError> {
        let pricing = self.pricing;
        let p = pricing.p;
        let Some(charge) = p.tariff.charges.get(usize::from(index)) else { return Ok(None) };
        let fixed = &self.run.fixed;
        let point = &self.run.start_point();
        let mut edges = Edges::new();
        let root = fixed.specialise(p, charge.root)?;
        let missing = || PriceError::NoCase {
            charge: charge.label.clone(),
            at: local_text(&p.tariff.zone, Instant(point.t)),
        };
        let leaf = walk(p, fixed, root, point, &[], &mut edges)?.ok_or_else(missing)?;
        let found = p.tariff.leaves.get(leaf as usize).ok_or_else(missing)?;
        if matches!(found.outcome, Outcome::Free) {
            return Ok(None);
        }
        let tax_root = fixed.specialise(p, charge.tax)?;
        let tax = self.run.tax_at(pricing, tax_root, point, &[], &mut edges)?;
        let constant = p.leaves.get(leaf as usize).is_some_and(|leaf| leaf.constant.is_some());
        let average_power = if constant { Num::ZERO } else { self.run.average_so_far()? };
        let around = Around { pricing, fixed, point, bases: &[], average_power, tax, rule: found.rule };
        let price = match around.leaf(leaf, &mut edges, 0)? {
            Given::Number(price) => Some(price),
            Given::Pending => None,
        };
        let amount = match price {
            Some(price) => Exact::from_num(price).map_err(self.overflow(found.rule))?,
            None => Exact::ZERO,
        };
        Ok(Some(Line {
            source: Source::Charge(index),
            tax,
            rule: found.rule,
            leaf,
            from: point.t,
            to: point.t,
            quantity: 1,
            counted: Counted::Pieces,
            price,
            amount,
        }))
    }

    pub(super) fn collect_lines(&mut self) {
        self.lines = std::mem::take(&mut self.run.lines);
        if self.payout_pending {
            self.notes.push("the payout to the site is settled when its price is known".into());
        }
        if !self.pending.is_empty() || self.payout_pending {
            self.lines.retain(|line| line.price.is_some());
        }
        // In order of time, however the readings arrived; within an instant as the charges stand in the file.
        if !self.lines.is_sorted_by_key(|line| (line.from, line.source.charge())) {
            self.lines.sort_by_key(|line| (line.from, line.source.charge()));
        }
    }

    // Billing steps: the session's quantity is rounded up once; the excess costs the last price. A step of the charge rounds
    // all of it, steps of prices what was charged at a price at all, by the step of the last one.
    pub(super) fn steps(&mut self) -> Result<(), PriceError> {
        let tariff = &self.pricing.p.tariff;
        let parked = self.parks_at_a_price();
        for (index, charge) in (0_u16..).zip(&tariff.charges) {
            if parked && charge.steps_without_parking {
                continue;
            }
            if let Some((quantity, last)) = self.measured(index, charge.step.is_some()) {
                self.fill_step(index, quantity, last)?;
            }
        }
        Ok(())
    }

    fn is_priced(&self, line: &Line) -> bool {
        let leaf = self.pricing.p.tariff.leaves.get(line.leaf as usize);
        leaf.is_some_and(|leaf| matches!(leaf.outcome, Outcome::Price(_)))
    }

    // Whether standing without charging has cost something.
    pub(super) fn parks_at_a_price(&self) -> bool {
        let charges = &self.pricing.p.tariff.charges;
        self.lines.iter().any(|line| {
            let charge = line.source.charge().and_then(|charge| charges.get(usize::from(charge)));
            let parking = charge.is_some_and(|charge| charge.kind == ChargeKind::ParkingTime);
            parking && line.quantity > 0 && self.is_priced(line)
        })
    }

    // How much was measured of a charge, and its last slice; `all`: also what was free.
    pub(super) fn measured(&self, index: u16, all: bool) -> Option<(i64, Line)> {
        let measured = (self.lines.iter())
            .filter(|line| line.source == Source::Charge(index) && line.counted != Counted::Pieces)
            .filter(|line| all || self.is_priced(line));
        measured.fold(None, |sum, line| Some((sum.map_or(0, |(sum, _)| sum) + line.quantity, *line)))
    }

    // Fills up the last step of a charge of which `quantity` was measured, at the price of its last slice.
    pub(super) fn fill_step(&mut self, index: u16, quantity: i64, last: Line) -> Result<(), PriceError> {
        let tariff = &self.pricing.p.tariff;
        let Some(charge) = tariff.charges.get(usize::from(index)) else { return Ok(()) };
        let of_price = || tariff.leaves.get(last.leaf as usize).and_then(step_of);
        let (Some(step), Some(price)) = (charge.step.or_else(of_price), last.price) else { return Ok(()) };
        let excess = (step - quantity.rem_euclid(step)) % step;
        if excess == 0 {
            return Ok(());
        }
        let overflow = self.overflow(charge.rule);
        let amount = Exact::product(price, excess, last.counted).map_err(&overflow)?;
        let amount = self.run.signed(self.pricing, index, amount)?;
        let (source, rule) = (Source::Step(index), charge.rule);
        self.lines.push(Line { source, rule, from: last.to, quantity: excess, amount, ..last });
        for bucket in
            self.buckets.iter_mut().filter(|bucket| bucket.charge == index && bucket.tax == last.tax)
        {
            bucket.sum = bucket.sum.add(amount).map_err(&overflow)?;
            if !bucket.parts.is_empty() {
                add_part(&mut bucket.parts, u32::MAX, amount).map_err(&overflow)?;
            }
        }
        Ok(())
    }

    // Rounds every charge once and shares it over its tax classes and parts. Returns the payouts. `before`: what other lists
    // have charged for each charge, exact and as printed; the whole is rounded, and what is printed stands.
    pub(super) fn print_charges(&mut self, before: &[(Exact, i64)]) -> Result<Vec<Row>, PriceError> {
        let mut payouts = Vec::new();
        for (index, charge) in (0_u16..).zip(&self.pricing.p.tariff.charges) {
            let overflow = self.overflow(charge.rule);
            let payout = charge.kind == ChargeKind::PayoutToSite;
            let before = before.get(usize::from(index)).copied().unwrap_or((Exact::ZERO, 0));
            let mut buckets = self.buckets.iter().filter(|bucket| bucket.charge == index);
            let (Some(first), second) = (buckets.next(), buckets.next()) else { continue };
            if second.is_none() {
                let amount = rounded(first.sum, before, self.digits).map_err(overflow)?;
                let row = self.row(first, amount).map_err(overflow)?;
                self.keep(row, payout, &mut payouts);
                continue;
            }
            for row in self.shared_rows(index, before).map_err(overflow)? {
                self.keep(row, payout, &mut payouts);
            }
        }
        Ok(payouts)
    }

    fn keep(&mut self, row: Row, payout: bool, payouts: &mut Vec<Row>) {
        if payout { payouts.push(row) } else { self.rows.push(row) }
    }

    #[inline]
    fn row(&self, bucket: &Bucket, amount: i64) -> Result<Row, Overflow> {
        let mut parts = Vec::new();
        if !bucket.parts.is_empty() {
            let weights: Vec<Exact> = bucket.parts.iter().map(|(_, sum)| *sum).collect();
            let shares = share::by_exact(amount, &weights, self.digits)?;
            parts = bucket.parts.iter().map(|(label, _)| *label).zip(shares).collect();
        }
        Ok(Row { source: Source::Charge(bucket.charge), tax: bucket.tax, amount, parts })
    }

    // A charge with several tax classes: its one printed amount, shared over them.
    fn shared_rows(&self, index: u16, before: (Exact, i64)) -> Result<Vec<Row>, Overflow> {
        let all: Vec<&Bucket> = self.buckets.iter().filter(|bucket| bucket.charge == index).collect();
        let weights: Vec<Exact> = all.iter().map(|bucket| bucket.sum).collect();
        let mut sum = Exact::ZERO;
        for weight in &weights {
            sum = sum.add(*weight)?;
        }
        let shares = share::by_exact(rounded(sum, before, self.digits)?, &weights, self.digits)?;
        all.into_iter().zip(shares).map(|(bucket, amount)| self.row(bucket, amount)).collect()
    }

    pub(super) fn payment_fee(&mut self) -> Result<(), PriceError> {
        if !self.with_payment_fee {
            return Ok(());
        }
        let p = self.pricing.p;
        for index in p.payment_fees.iter().copied() {
            let by_site = p.tariff.charges.get(usize::from(index)).is_none_or(|charge| charge.paid_by_site);
            if by_site || !self.is_due(index)? {
                continue;
            }
            let Some(line) = self.one_piece(index)? else { continue };
            if line.price.is_none() {
                let at = Instant(line.from);
                self.pending.push(Pending { charge: index, from: at, to: at });
                continue;
            }
            let source = Source::Charge(index);
            self.lines.push(line);
            let amount = line.amount.to_minor(self.digits).map_err(self.overflow(line.rule))?;
            if let Some(left) = &mut self.left {
                left.push((index, line.tax, amount));
            }
            self.rows.push(Row { source, tax: line.tax, amount, parts: Vec::new() });
        }
        Ok(())
    }
}

// What a charge comes to in minor units, where some of it was printed before.
fn rounded(sum: Exact, (exact, printed): (Exact, i64), digits: u8) -> Result<i64, Overflow> {
    sum.add(exact)?.to_minor(digits)?.checked_sub(printed).ok_or(Overflow)
}
