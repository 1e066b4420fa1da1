//! From priced lines to a bill: allowances and limits, rounding, rebates, taxes, closing counters.
//!
//! Order: charges with their own limits, discounts in the order of the file, coupons, limits on the total, payment fee.
//! Each step sees only the earlier ones. Charges are rounded once; from there on everything is counted in minor units, so
//! that what a person sees adds up.

use crate::calendar_time::{LocalTime, local_text};
use crate::error::PriceError;
use crate::evaluate::{Around, Edges, Given, Pricing, time_index, walk, who_text};
use crate::exact::{Counted, Exact, Num, Overflow};
use crate::running::{Bucket, Line, Running, counter_name, period, span_text};
use crate::share;
use crate::standing::Standing;
use crate::tariff::{ChargeKind, Limit, Measure, Outcome, Rebate, Span, Time, Who};
use crate::units::{Day, Instant};
use rust_decimal::Decimal;

/// Where an amount comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Source {
    /// A charge (index into the tariff's charges).
    Charge(u16),
    /// A charge's billing step.
    Step(u16),
    /// A charge's own limit: charge and limit.
    Limit(u16, u16),
    /// A discount.
    Discount(u16),
    /// A coupon.
    Coupon(u16),
    /// A limit on the total.
    TotalLimit(u16),
}

impl Source {
    /// The charge it belongs to, if it is one of a charge.
    #[must_use]
    pub const fn charge(self) -> Option<u16> {
        match self {
            Source::Charge(charge) | Source::Step(charge) | Source::Limit(charge, _) => Some(charge),
            Source::Discount(_) | Source::Coupon(_) | Source::TotalLimit(_) => None,
        }
    }
}

/// One line of a bill.
#[derive(Clone, Copy, Debug)]
pub struct BillLine {
    pub(crate) source: Source,
    pub(crate) tax: u32,
    pub(crate) rule: u32,
    pub(crate) from: i64,
    pub(crate) to: i64,
    // Quantity, unit and unit price; none for limits and rebates.
    pub(crate) measured: Option<(i64, Counted, Num)>,
    pub(crate) amount: Exact,
}

/// A printed amount of one charge (or rebate) and one way of being taxed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    /// What it is for.
    pub source: Source,
    /// Index into the tariff's tax classes.
    pub tax: u32,
    /// Minor units, in the tariff's VAT basis.
    pub amount: i64,
    // Label (index into Prepared::part_labels; u32::MAX: the charge's own) and minor units.
    pub(crate) parts: Vec<(u32, i64)>,
}

/// One tax of the bill.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TaxRow {
    /// Index into the tariff's tax classes, and of the tax in it.
    pub class: u32,
    /// See `class`.
    pub tax: u32,
    /// Minor units on which it is worked out.
    pub base: i64,
    /// Minor units.
    pub amount: i64,
}

/// A slice without a price yet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pending {
    /// The charge.
    pub charge: u16,
    /// Start.
    pub from: Instant,
    /// End.
    pub to: Instant,
}

/// What a session costs.
#[derive(Clone, Debug)]
pub struct Bill {
    /// The session has ended.
    pub ended: bool,
    pub(crate) lines: Vec<BillLine>,
    /// Charges, rebates and limits in order.
    pub rows: Vec<Row>,
    /// Booked for the property, not part of the total.
    pub payouts: Vec<Row>,
    pub(crate) payout_lines: Vec<BillLine>,
    /// Taxes.
    pub taxes: Vec<TaxRow>,
    /// Minor units.
    pub net: i64,
    /// Minor units.
    pub tax_total: i64,
    /// Minor units, all taxes in.
    pub total: i64,
    /// Slices without a price.
    pub pending: Vec<Pending>,
    /// Closing counters.
    pub standing: Standing,
    /// What a person should know: a coupon that did not count and why.
    pub notes: Vec<String>,
    /// What is left of each charge after discounts and coupons: charge, tax class, minor units.
    pub(crate) left: Vec<(u16, u32, i64)>,
    /// Energy taken and given, millionths of a kWh.
    pub energy: (i64, i64),
}

impl Bill {
    /// Whether every slice has its price and the session has ended.
    #[must_use]
    pub fn is_final(&self) -> bool {
        self.ended && self.pending.is_empty()
    }

    /// What a charge came to after discounts and coupons, minor units in the tariff's VAT basis.
    #[must_use]
    pub fn charge_after_rebates(&self, charge: u16) -> i64 {
        self.left.iter().filter(|(index, ..)| *index == charge).map(|(.., amount)| amount).sum()
    }
}

pub(crate) struct Assembly<'a> {
    pub pricing: &'a Pricing<'a>,
    pub run: Running,
    pub buckets: Vec<Bucket>,
    pub lines: Vec<BillLine>,
    rows: Vec<Row>,
    left: Vec<(u16, u32, i64)>,
    notes: Vec<String>,
    closing: Standing,
    pending: Vec<Pending>,
    digits: u8,
    with_payment_fee: bool,
}

/// Makes the bill of a closed running session.
pub(crate) fn assemble(
    pricing: &Pricing<'_>,
    mut run: Running,
    ended: bool,
    with_payment_fee: bool,
) -> Result<Bill, PriceError> {
    let tariff = &pricing.p.tariff;
    let buckets = std::mem::take(&mut run.buckets);
    let closing = run.standing.clone();
    let mut work = Assembly {
        pricing,
        lines: Vec::with_capacity(run.lines.len() + 4),
        run,
        buckets,
        rows: Vec::with_capacity(tariff.charges.len()),
        left: Vec::with_capacity(tariff.charges.len()),
        notes: Vec::new(),
        closing,
        pending: Vec::new(),
        digits: tariff.currency.digits,
        with_payment_fee,
    };
    work.settle_deferred()?;
    work.once_per_session()?;
    work.collect_lines();
    work.steps()?;
    work.charge_limits()?;
    let payouts = work.print_charges()?;
    work.discounts()?;
    work.coupons()?;
    work.total_limits()?;
    work.payment_fee()?;
    work.finish(ended, payouts)
}

impl Assembly<'_> {
    fn overflow(&self, rule: u32) -> impl Fn(Overflow) -> PriceError + use<> {
        let place = self.pricing.p.place(rule);
        move |_| PriceError::Overflow { place: place.clone() }
    }

    fn settle_deferred(&mut self) -> Result<(), PriceError> {
        for deferred in std::mem::take(&mut self.run.deferred) {
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
                    line.amount = self.run.signed(self.pricing, line.charge, amount)?;
                    self.run.add_to(
                        self.pricing,
                        &mut self.buckets,
                        &line,
                        &deferred.point,
                        &deferred.bases,
                    )?;
                }
                Given::Pending => {
                    let (from, to) = (Instant(line.from), Instant(line.to));
                    self.pending.push(Pending { charge: line.charge, from, to });
                }
            }
            if let Some(place) = self.run.lines.get_mut(deferred.line) {
                *place = line;
            }
        }
        Ok(())
    }

    // Start fees: judged at plug-in, due once their allowance is used up.
    fn once_per_session(&mut self) -> Result<(), PriceError> {
        let tariff = &self.pricing.p.tariff;
        for (index, charge) in (0_u16..).zip(&tariff.charges) {
            if charge.kind != ChargeKind::StartFee {
                continue;
            }
            if let Some(after) = &charge.after {
                let amount = self.run.after_amount(self.pricing, &after.amount)?;
                let reached = self.run.now.measure(after.measure, &crate::evaluate::Base::default())?;
                if reached < amount || reached == 0 {
                    continue;
                }
            }
            if let Some(line) = self.one_piece(index)? {
                let point = self.run.start_point;
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

    // A charge counted once, judged at plug-in. None when it is free.
    fn one_piece(&self, index: u16) -> Result<Option<Line>, PriceError> {
        let pricing = self.pricing;
        let p = pricing.p;
        let Some(charge) = p.tariff.charges.get(usize::from(index)) else { return Ok(None) };
        let fixed = &self.run.fixed;
        let point = &self.run.start_point;
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
        let average_power = self.run.average_so_far()?;
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
            charge: index,
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

    fn collect_lines(&mut self) {
        for line in &self.run.lines {
            let Some(price) = line.price else { continue };
            self.lines.push(BillLine {
                source: Source::Charge(line.charge),
                tax: line.tax,
                rule: line.rule,
                from: line.from,
                to: line.to,
                measured: Some((line.quantity, line.counted, price)),
                amount: line.amount,
            });
        }
    }

    // Billing steps: the session's quantity is rounded up once; the excess costs the last price.
    fn steps(&mut self) -> Result<(), PriceError> {
        for (index, charge) in (0_u16..).zip(&self.pricing.p.tariff.charges) {
            let Some(step) = charge.step else { continue };
            let measured =
                self.run.lines.iter().filter(|line| line.charge == index && line.counted != Counted::Pieces);
            let total: i64 = measured.clone().map(|line| line.quantity).sum();
            let excess = (step - total.rem_euclid(step)) % step;
            let Some(last) = measured.last().copied() else { continue };
            let Some(price) = last.price else { continue };
            if excess == 0 {
                continue;
            }
            let overflow = self.overflow(charge.rule);
            let amount = Exact::product(price, excess, last.counted).map_err(&overflow)?;
            let amount = self.run.signed(self.pricing, index, amount)?;
            self.lines.push(BillLine {
                source: Source::Step(index),
                tax: last.tax,
                rule: charge.rule,
                from: last.to,
                to: last.to,
                measured: Some((excess, last.counted, price)),
                amount,
            });
            for bucket in
                self.buckets.iter_mut().filter(|bucket| bucket.charge == index && bucket.tax == last.tax)
            {
                bucket.sum = bucket.sum.add(amount).map_err(&overflow)?;
                if !bucket.parts.is_empty() {
                    bucket.parts.push((u32::MAX, amount));
                }
            }
        }
        Ok(())
    }

    fn day_of(&self, t: i64) -> Day {
        LocalTime::at(&self.pricing.p.tariff.zone, t).day
    }

    fn limit_applies(&self, limit: &Limit) -> bool {
        let connected = self.run.now.times.get(time_index(Time::Connected)).copied().unwrap_or_default();
        limit.after_energy.is_none_or(|energy| self.run.now.import >= energy)
            && limit.after_time.is_none_or(|time| connected >= time)
    }

    // The amount by which `sum` (with `opening` counted before) has to change.
    fn adjustment(&self, limit: &Limit, sum: Exact, opening: Exact) -> Result<Exact, Overflow> {
        let bound = Exact::from_num(Num::from_decimal(limit.amount))?;
        let reached = sum.add(opening)?;
        let beyond = match (limit.floor, reached.compare(bound)?) {
            (false, std::cmp::Ordering::Greater) => {
                // What earlier sessions used beyond the bound is not given back here.
                let excess = reached.sub(bound)?;
                let excess = if excess.compare(sum)?.is_gt() && sum.compare(Exact::ZERO)?.is_gt() {
                    sum
                } else {
                    excess
                };
                excess.negated()?
            }
            (true, std::cmp::Ordering::Less) => bound.sub(reached)?,
            _ => Exact::ZERO,
        };
        Ok(beyond)
    }

    fn period_of(&self, span: Span, t: i64) -> i32 {
        let measure = Measure::Energy { span, who: Who::Session };
        period(measure, self.day_of(t))
    }

    fn charge_limits(&mut self) -> Result<(), PriceError> {
        for (index, charge) in (0_u16..).zip(&self.pricing.p.tariff.charges) {
            for (place, limit) in (0_u16..).zip(&charge.limits) {
                let overflow = self.overflow(limit.rule);
                // Per period: its sum, the first and last instant it was charged for, and its tax classes.
                let mut periods: Vec<(i32, Vec<(u32, Exact)>, i64, i64)> = Vec::new();
                for line in self.lines.iter().filter(|line| line.source.charge() == Some(index)) {
                    let key = self.period_of(limit.span, line.from);
                    let at = periods.iter().position(|(known, ..)| *known == key).unwrap_or_else(|| {
                        periods.push((key, Vec::new(), line.from, line.to));
                        periods.len() - 1
                    });
                    let Some((_, sums, _, to)) = periods.get_mut(at) else { continue };
                    *to = line.to.max(*to);
                    match sums.iter_mut().find(|(tax, _)| *tax == line.tax) {
                        Some((_, sum)) => *sum = sum.add(line.amount).map_err(&overflow)?,
                        None => sums.push((line.tax, line.amount)),
                    }
                }
                for (_, sums, from, to) in periods {
                    let mut sum = Exact::ZERO;
                    for (_, amount) in &sums {
                        sum = sum.add(*amount).map_err(&overflow)?;
                    }
                    let counter = (limit.who != Who::Session).then(|| {
                        let span = span_text(limit.span, self.day_of(from));
                        format!("{} limit {} {span}", who_text(limit.who), charge.label)
                    });
                    let opening = match &counter {
                        Some(name) => Exact::from_num(Num::from_decimal(self.run.standing.get(name))),
                        None => Ok(Exact::ZERO),
                    };
                    let opening = opening.map_err(&overflow)?;
                    let change = if self.limit_applies(limit) {
                        self.adjustment(limit, sum, opening).map_err(&overflow)?
                    } else {
                        Exact::ZERO
                    };
                    if let Some(name) = counter {
                        let closing = opening.add(sum).and_then(|sum| sum.add(change)).map_err(&overflow)?;
                        let places = closing.rounded(12).map_err(&overflow)?;
                        self.closing.set(name, Decimal::from_i128_with_scale(places, 12));
                    }
                    if change.is_zero() {
                        continue;
                    }
                    // Over the tax classes in proportion to what each came to; the last takes what is left.
                    let mut rest = change;
                    let count = sums.len();
                    for (nth, (tax, part)) in sums.into_iter().enumerate() {
                        let amount = if nth + 1 == count {
                            rest
                        } else {
                            change.share(part, sum).unwrap_or(Ok(Exact::ZERO)).map_err(&overflow)?
                        };
                        rest = rest.sub(amount).map_err(&overflow)?;
                        let source = Source::Limit(index, place);
                        self.lines.push(BillLine {
                            source,
                            tax,
                            rule: limit.rule,
                            from,
                            to,
                            measured: None,
                            amount,
                        });
                        for bucket in self.buckets.iter_mut().filter(|b| b.charge == index && b.tax == tax) {
                            let before = bucket.sum;
                            bucket.sum = bucket.sum.add(amount).map_err(&overflow)?;
                            // The parts shrink or grow in proportion.
                            for (_, part) in &mut bucket.parts {
                                let change = amount
                                    .share(*part, before)
                                    .unwrap_or(Ok(Exact::ZERO))
                                    .map_err(&overflow)?;
                                *part = part.add(change).map_err(&overflow)?;
                            }
                        }
                    }
                }
            }
        }
        Ok(())
    }

    // Rounds every charge once and shares it over its tax classes and parts. Returns the payouts.
    fn print_charges(&mut self) -> Result<Vec<Row>, PriceError> {
        let mut payouts = Vec::new();
        for (index, charge) in (0_u16..).zip(&self.pricing.p.tariff.charges) {
            let rows = self.print_charge(index).map_err(self.overflow(charge.rule))?;
            if charge.kind == ChargeKind::PayoutToSite {
                payouts.extend(rows);
                continue;
            }
            self.left.extend(rows.iter().map(|row| (index, row.tax, row.amount)));
            self.rows.extend(rows);
        }
        Ok(payouts)
    }

    fn print_charge(&self, index: u16) -> Result<Vec<Row>, Overflow> {
        let mut buckets = self.buckets.iter().filter(|bucket| bucket.charge == index);
        let Some(first) = buckets.next() else { return Ok(Vec::new()) };
        let row = |bucket: &Bucket, amount: i64| -> Result<Row, Overflow> {
            let weights: Vec<Exact> = bucket.parts.iter().map(|(_, sum)| *sum).collect();
            let shares =
                if weights.is_empty() { Vec::new() } else { share::by_exact(amount, &weights, self.digits)? };
            let parts = bucket.parts.iter().map(|(label, _)| *label).zip(shares).collect();
            Ok(Row { source: Source::Charge(index), tax: bucket.tax, amount, parts })
        };
        let others: Vec<&Bucket> = buckets.collect();
        if others.is_empty() {
            return Ok(vec![row(first, first.sum.to_minor(self.digits)?)?]);
        }
        let all: Vec<&Bucket> = std::iter::once(first).chain(others).collect();
        let weights: Vec<Exact> = all.iter().map(|bucket| bucket.sum).collect();
        let mut sum = Exact::ZERO;
        for weight in &weights {
            sum = sum.add(*weight)?;
        }
        let shares = share::by_exact(sum.to_minor(self.digits)?, &weights, self.digits)?;
        all.into_iter().zip(shares).map(|(bucket, amount)| row(bucket, amount)).collect()
    }

    fn applies(&self, root: u32) -> Result<bool, PriceError> {
        let p = self.pricing.p;
        let root = self.run.fixed.specialise(p, root)?;
        let leaf = walk(p, &self.run.fixed, root, &self.run.start_point, &[], &mut Edges::new())?;
        let outcome = leaf.and_then(|leaf| p.tariff.leaves.get(leaf as usize)).map(|leaf| &leaf.outcome);
        Ok(matches!(outcome, Some(Outcome::Applies)))
    }

    fn discounts(&mut self) -> Result<(), PriceError> {
        let tariff = &self.pricing.p.tariff;
        for (index, discount) in (0_u16..).zip(&tariff.discounts) {
            if (discount.not_with_coupon && !self.run.facts.coupons.is_empty())
                || !self.applies(discount.root)?
            {
                continue;
            }
            self.rebate(Source::Discount(index), &discount.rebate, &discount.charges, discount.rule)?;
        }
        Ok(())
    }

    fn coupons(&mut self) -> Result<(), PriceError> {
        let tariff = &self.pricing.p.tariff;
        for code in self.run.facts.coupons.clone() {
            let found = (0_u16..).zip(&tariff.coupons).find(|(_, coupon)| coupon.code == code);
            let Some((index, coupon)) = found else { continue };
            let counter = format!("driver coupon {code}");
            let used = self.run.standing.get(&counter);
            if coupon.times_per_driver.is_some_and(|times| used >= Decimal::from(times)) {
                self.notes.push(format!("coupon {code}: already used"));
                continue;
            }
            if !self.applies(coupon.root)? {
                self.notes.push(format!("coupon {code}: its conditions are not met"));
                continue;
            }
            self.closing.set(counter, used + Decimal::ONE);
            self.rebate(Source::Coupon(index), &coupon.rebate, &coupon.charges, coupon.rule)?;
        }
        Ok(())
    }

    fn rebate(
        &mut self,
        source: Source,
        rebate: &Rebate,
        charges: &[u32],
        rule: u32,
    ) -> Result<(), PriceError> {
        let overflow = self.overflow(rule);
        let lowers = |charge: u16| charges.contains(&u32::from(charge));
        let targets: Vec<usize> = (0..self.left.len())
            .filter(|at| self.left.get(*at).is_some_and(|(charge, _, amount)| lowers(*charge) && *amount > 0))
            .collect();
        let weights: Vec<i64> =
            targets.iter().filter_map(|at| self.left.get(*at)).map(|(.., amount)| *amount).collect();
        let whole = weights.iter().try_fold(0_i64, |sum, weight| sum.checked_add(*weight));
        let whole = whole.ok_or(Overflow).map_err(&overflow)?;
        let worth = match rebate {
            Rebate::Share(share) => {
                let amount =
                    Num::new(i128::from(whole), 0).mul(Num::from_decimal(*share)).map_err(&overflow)?;
                let amount = amount.round_to(Num::ONE).map_err(&overflow)?;
                Exact::from_num(amount).and_then(|amount| amount.to_minor(0)).map_err(&overflow)?
            }
            Rebate::Amount(amount) => Exact::from_num(Num::from_decimal(*amount))
                .and_then(|amount| amount.to_minor(self.digits))
                .map_err(&overflow)?,
            Rebate::FreeEnergy(energy) => self.first_energy(*energy, charges).map_err(&overflow)?,
        };
        let worth = worth.clamp(0, whole);
        if worth == 0 {
            return Ok(());
        }
        let shares = share::in_proportion(worth, &weights).map_err(&overflow)?;
        let mut by_tax: Vec<(u32, i64)> = Vec::new();
        for (at, amount) in targets.into_iter().zip(shares) {
            let Some((_, tax, left)) = self.left.get_mut(at) else { continue };
            *left -= amount;
            match by_tax.iter_mut().find(|(known, _)| known == tax) {
                Some((_, sum)) => *sum += amount,
                None => by_tax.push((*tax, amount)),
            }
        }
        for (tax, amount) in by_tax {
            self.signed_row(source, tax, rule, -amount)?;
        }
        Ok(())
    }

    // Exact value of the first `energy` of the charges' energy lines, rounded.
    fn first_energy(&self, energy: i64, charges: &[u32]) -> Result<i64, Overflow> {
        let mut worth = Exact::ZERO;
        for charge in charges {
            let mut rest = energy;
            for line in self.lines.iter().filter(|line| line.source.charge().map(u32::from) == Some(*charge))
            {
                let Some((quantity, Counted::Energy, price)) = line.measured else { continue };
                let part = quantity.min(rest);
                worth = worth.add(Exact::product(price, part, Counted::Energy)?)?;
                rest -= part;
                if rest <= 0 {
                    break;
                }
            }
        }
        worth.to_minor(self.digits)
    }

    // A printed amount that is a line of its own.
    fn signed_row(&mut self, source: Source, tax: u32, rule: u32, amount: i64) -> Result<(), PriceError> {
        if amount == 0 {
            return Ok(());
        }
        let exact = Exact::from_minor(amount, self.digits).map_err(self.overflow(rule))?;
        let (from, to) = (self.run.plugged_in, self.run.now.t);
        self.lines.push(BillLine { source, tax, rule, from, to, measured: None, amount: exact });
        self.rows.push(Row { source, tax, amount, parts: Vec::new() });
        Ok(())
    }

    fn total_limits(&mut self) -> Result<(), PriceError> {
        let tariff = &self.pricing.p.tariff;
        for (index, limit) in (0_u16..).zip(&tariff.total_limits) {
            let overflow = self.overflow(limit.rule);
            let total: i64 = self.rows.iter().map(|row| row.amount).sum();
            let mut change = 0_i64;
            for (first, share) in self.total_by_period(limit.span, total).map_err(&overflow)? {
                let counter = (limit.who != Who::Session).then(|| {
                    format!(
                        "{} limit total {}",
                        who_text(limit.who),
                        span_text(limit.span, self.day_of(first))
                    )
                });
                let opening = match &counter {
                    Some(name) => Exact::from_num(Num::from_decimal(self.run.standing.get(name))),
                    None => Ok(Exact::ZERO),
                };
                let opening = opening.map_err(&overflow)?;
                let sum = Exact::from_minor(share, self.digits).map_err(&overflow)?;
                let part = if self.limit_applies(limit) {
                    let part = self.adjustment(limit, sum, opening).map_err(&overflow)?;
                    part.to_minor(self.digits).map_err(&overflow)?
                } else {
                    0
                };
                if let Some(name) = counter {
                    let part = Exact::from_minor(part, self.digits).map_err(&overflow)?;
                    let closing = opening.add(sum).and_then(|sum| sum.add(part)).map_err(&overflow)?;
                    let places = closing.rounded(12).map_err(&overflow)?;
                    self.closing.set(name, Decimal::from_i128_with_scale(places, 12));
                }
                change += part;
            }
            if change == 0 {
                continue;
            }
            let mut weights: Vec<(u32, i64)> = Vec::new();
            for row in &self.rows {
                match weights.iter_mut().find(|(tax, _)| *tax == row.tax) {
                    Some((_, sum)) => *sum += row.amount,
                    None => weights.push((row.tax, row.amount)),
                }
            }
            if weights.is_empty() {
                weights.push((self.default_tax()?, 0));
            }
            let amounts: Vec<i64> = weights.iter().map(|(_, sum)| *sum).collect();
            let shares = share::in_proportion(change, &amounts).map_err(&overflow)?;
            for ((tax, _), amount) in weights.into_iter().zip(shares) {
                self.signed_row(Source::TotalLimit(index), tax, limit.rule, amount)?;
            }
        }
        Ok(())
    }

    // The printed total by period of the limit: an instant of the period and its minor units.
    fn total_by_period(&self, span: Span, total: i64) -> Result<Vec<(i64, i64)>, Overflow> {
        if matches!(span, Span::Session | Span::Bill) {
            return Ok(vec![(self.run.plugged_in, total)]);
        }
        let mut periods: Vec<(i32, i64, Exact)> = Vec::new();
        for line in &self.lines {
            let Some(charge) = line.source.charge() else { continue };
            let kind = self.pricing.p.tariff.charges.get(usize::from(charge)).map(|charge| charge.kind);
            if kind == Some(ChargeKind::PayoutToSite) {
                continue;
            }
            let key = self.period_of(span, line.from);
            match periods.iter_mut().find(|(known, ..)| *known == key) {
                Some((.., sum)) => *sum = sum.add(line.amount)?,
                None => periods.push((key, line.from, line.amount)),
            }
        }
        if periods.is_empty() {
            return Ok(vec![(self.run.plugged_in, total)]);
        }
        let mut whole = Exact::ZERO;
        for (.., sum) in &periods {
            whole = whole.add(*sum)?;
        }
        let total_exact = Exact::from_minor(total, self.digits)?;
        let mut weights = Vec::with_capacity(periods.len());
        for (.., sum) in &periods {
            weights.push(total_exact.share(*sum, whole).unwrap_or(Ok(Exact::ZERO))?);
        }
        let shares = share::by_exact(total, &weights, self.digits)?;
        Ok(periods.into_iter().map(|(_, first, _)| first).zip(shares).collect())
    }

    fn default_tax(&self) -> Result<u32, PriceError> {
        let p = self.pricing.p;
        match p.tariff.charges.first() {
            Some(charge) => {
                let root = self.run.fixed.specialise(p, charge.tax)?;
                self.run.tax_at(self.pricing, root, &self.run.start_point, &[], &mut Edges::new())
            }
            None => Ok(0),
        }
    }

    fn payment_fee(&mut self) -> Result<(), PriceError> {
        if !self.with_payment_fee {
            return Ok(());
        }
        let tariff = &self.pricing.p.tariff;
        for (index, charge) in (0_u16..).zip(&tariff.charges) {
            if charge.kind != ChargeKind::PaymentFee || charge.paid_by_site {
                continue;
            }
            let Some(line) = self.one_piece(index)? else { continue };
            let Some(price) = line.price else {
                let at = Instant(line.from);
                self.pending.push(Pending { charge: index, from: at, to: at });
                continue;
            };
            let source = Source::Charge(index);
            self.lines.push(BillLine {
                source,
                tax: line.tax,
                rule: line.rule,
                from: line.from,
                to: line.to,
                measured: Some((1, Counted::Pieces, price)),
                amount: line.amount,
            });
            let amount = line.amount.to_minor(self.digits).map_err(self.overflow(line.rule))?;
            self.left.push((index, line.tax, amount));
            self.rows.push(Row { source, tax: line.tax, amount, parts: Vec::new() });
        }
        Ok(())
    }

    fn finish(mut self, ended: bool, payouts: Vec<Row>) -> Result<Bill, PriceError> {
        self.close_counters();
        let (taxes, net, total) = taxes(self.pricing, &self.rows).map_err(self.overflow(0))?;
        let charges = &self.pricing.p.tariff.charges;
        let is_payout = |line: &BillLine| {
            let charge = line.source.charge().and_then(|charge| charges.get(usize::from(charge)));
            charge.is_some_and(|charge| charge.kind == ChargeKind::PayoutToSite)
        };
        let has_payouts = charges.iter().any(|charge| charge.kind == ChargeKind::PayoutToSite);
        let (payout_lines, lines) =
            if has_payouts { self.lines.into_iter().partition(is_payout) } else { (Vec::new(), self.lines) };
        Ok(Bill {
            ended,
            lines,
            rows: self.rows,
            payouts,
            payout_lines,
            taxes,
            net,
            tax_total: total - net,
            total,
            pending: self.pending,
            standing: self.closing,
            notes: self.notes,
            left: self.left,
            energy: (self.run.now.import, self.run.now.export),
        })
    }

    // Counters that measures of this tariff read: what this session added to each day and month.
    fn close_counters(&mut self) {
        let tariff = &self.pricing.p.tariff;
        for measure in &tariff.measures {
            let (scale, of) = match measure {
                Measure::Energy { who, .. } if *who != Who::Session => (6, None),
                Measure::Time { who, time, .. } if *who != Who::Session => (3, Some(*time)),
                _ => continue,
            };
            for (from, amount) in self.run.amounts_by_day(of) {
                if let Some(name) = counter_name(*measure, self.day_of(from)) {
                    let value = self.closing.get(&name) + Decimal::new(amount, scale);
                    self.closing.set(name, value);
                }
            }
        }
        for who in tariff.tests.iter().filter_map(|test| match test {
            crate::tariff::Test::WholeMonthAtLeast { who, .. } => Some(*who),
            _ => None,
        }) {
            let month = crate::calendar_time::month_text(self.day_of(self.run.plugged_in));
            let name = format!("{} whole month energy {month}", who_text(who));
            let value = self.run.standing.get(&name) + Decimal::new(self.run.now.import, 6);
            self.closing.set(name, value);
        }
    }
}

/// Taxes once per rate on the printed rows: rows, net and total in minor units.
pub(crate) fn taxes(pricing: &Pricing<'_>, rows: &[Row]) -> Result<(Vec<TaxRow>, i64, i64), Overflow> {
    let p = pricing.p;
    let mut bases: Vec<(u32, i64)> = Vec::with_capacity(2);
    for row in rows {
        match bases.iter_mut().find(|(tax, _)| *tax == row.tax) {
            Some((_, sum)) => *sum = sum.checked_add(row.amount).ok_or(Overflow)?,
            None => bases.push((row.tax, row.amount)),
        }
    }
    let mut result = Vec::with_capacity(bases.len());
    let (mut net_sum, mut total) = (0_i64, 0_i64);
    let minor = |amount: i64, factor: Num| -> Result<i64, Overflow> {
        Exact::from_num(Num::new(i128::from(amount), 0).mul(factor)?.round_to(Num::ONE)?)?.to_minor(0)
    };
    for (class_index, base) in bases {
        let Some(class) = p.tariff.tax_classes.get(class_index as usize) else { continue };
        let factor = p.tax_factors.get(class_index as usize).map_or(Num::ONE, |tax| tax.factor);
        let (net, gross) = if p.tariff.includes_vat { (net_of(base, factor)?, base) } else { (base, 0) };
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
        if p.tariff.includes_vat {
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
