//! From priced lines to a bill: allowances and limits, rounding, rebates, taxes, closing counters.
//!
//! Order: charges with their own limits, discounts in the order of the file, coupons, limits on the total, payment fee.
//! Each step sees only the earlier ones. Charges are rounded once; from there on everything is counted in minor units, so
//! that what a person sees adds up.

mod limits;
mod lines;
mod lists;
mod rebates;
mod taxes;

pub(crate) use lists::{ByLists, assemble_lists};
use taxes::taxes_of;
pub(crate) use taxes::taxes_on;

use crate::error::PriceError;
use crate::evaluate::{Pricing, who_text};
use crate::exact::Overflow;
use crate::running::{Bucket, Buffers, Line, Running, counter_name};
use crate::standing::Standing;
use crate::tariff::{Measure, Span, Who};
use crate::units::Instant;
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
#[derive(Clone, Debug, Default)]
pub struct Bill {
    /// The session has ended.
    pub ended: bool,
    pub(crate) lines: Vec<Line>,
    /// Charges, rebates and limits in order.
    pub rows: Vec<Row>,
    /// Booked for the property, not part of the total.
    pub payouts: Vec<Row>,
    pub(crate) payout_lines: Vec<Line>,
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
    // What is left of each charge after discounts and coupons (charge, tax class, minor units); none without such.
    left: Option<Vec<(u16, u32, i64)>>,
    /// Energy taken and given, millionths of a kWh.
    pub energy: (i64, i64),
}

impl Bill {
    /// Leaves its memory for another one.
    pub(crate) fn leave(&mut self, buffers: &mut Buffers) {
        self.lines.clear();
        self.rows.clear();
        self.taxes.clear();
        buffers.lines = std::mem::take(&mut self.lines);
        buffers.rows = std::mem::take(&mut self.rows);
        buffers.taxes = std::mem::take(&mut self.taxes);
    }

    /// Whether every slice has its price and the session has ended.
    #[must_use]
    pub fn is_final(&self) -> bool {
        self.ended && self.pending.is_empty()
    }

    /// The rules (indexes into the tariff's `rules`) that decided an amount, ascending.
    #[must_use]
    pub fn rules(&self) -> Vec<u32> {
        let mut rules: Vec<u32> = self.lines.iter().chain(&self.payout_lines).map(|line| line.rule).collect();
        rules.sort_unstable();
        rules.dedup();
        rules
    }

    /// What a charge came to after discounts and coupons, minor units in the tariff's VAT basis.
    #[must_use]
    pub fn charge_after_rebates(&self, charge: u16) -> i64 {
        match &self.left {
            Some(left) => left.iter().filter(|(index, ..)| *index == charge).map(|(.., amount)| amount).sum(),
            None => {
                let rows = self.rows.iter().filter(|row| row.source == Source::Charge(charge));
                rows.map(|row| row.amount).sum()
            }
        }
    }

    /// The same of one tax class; none where the charge has no such row.
    pub(crate) fn left_of(&self, charge: u16, tax: u32) -> Option<i64> {
        let left = self.left.as_ref()?;
        left.iter().find(|(index, class, _)| (*index, *class) == (charge, tax)).map(|(.., amount)| *amount)
    }
}

pub(crate) struct Assembly<'a, 'f> {
    pub pricing: &'a Pricing<'a>,
    pub run: &'a mut Running<'f>,
    pub buckets: Vec<Bucket>,
    pub lines: Vec<Line>,
    rows: Vec<Row>,
    // Of each charge after rebates, once there is one.
    left: Option<Vec<(u16, u32, i64)>>,
    notes: Vec<String>,
    closing: Standing,
    pending: Vec<Pending>,
    digits: u8,
    with_payment_fee: bool,
    payout_pending: bool,
    // What other lists of the same session have given already; see `lists`.
    given: lists::Given,
    // What limits on the total have changed: their span, an instant of the period, minor units.
    total_changes: Vec<(Span, i64, i64)>,
}

impl<'a, 'f> Assembly<'a, 'f> {
    fn new(
        pricing: &'a Pricing<'a>,
        run: &'a mut Running<'f>,
        buffers: &mut Buffers,
        with_payment_fee: bool,
    ) -> Self {
        let buckets = std::mem::take(&mut run.buckets);
        let closing = Standing::clone(&run.standing);
        Self {
            pricing,
            lines: Vec::new(),
            run,
            buckets,
            rows: std::mem::take(&mut buffers.rows),
            left: None,
            notes: Vec::new(),
            closing,
            pending: Vec::new(),
            digits: pricing.p.tariff.currency.digits,
            with_payment_fee,
            payout_pending: false,
            given: lists::Given::default(),
            total_changes: Vec::new(),
        }
    }
}

/// Makes the bill of a closed running session.
pub(crate) fn assemble<'a>(
    pricing: &'a Pricing<'_>,
    run: &'a mut Running<'_>,
    buffers: &mut Buffers,
    ended: bool,
    with_payment_fee: bool,
) -> Result<Bill, PriceError> {
    let tariff = &pricing.p.tariff;
    let mut work = Assembly::new(pricing, run, buffers, with_payment_fee);
    work.note_unknown_groups();
    work.settle_deferred()?;
    work.once_per_session()?;
    work.collect_lines();
    if pricing.p.has_steps {
        work.steps()?;
    }
    if pricing.p.has_limits {
        work.charge_limits()?;
    }
    let payouts = work.print_charges(&[])?;
    if !tariff.coupons.is_empty() || !tariff.discounts.is_empty() {
        let coupons = work.coupons_that_count()?;
        work.discounts(!coupons.is_empty())?;
        work.coupons(coupons)?;
    }
    if !tariff.total_limits.is_empty() {
        work.total_limits()?;
    }
    if !pricing.p.payment_fees.is_empty() {
        work.payment_fee()?;
    }
    work.finish(ended, payouts, buffers)
}

impl<'a> Assembly<'a, '_> {
    fn overflow(&self, rule: u32) -> impl Fn(Overflow) -> PriceError + Copy + use<'a> {
        let p = self.pricing.p;
        move |_| PriceError::Overflow { place: p.place(rule) }
    }

    fn finish(mut self, ended: bool, payouts: Vec<Row>, buffers: &mut Buffers) -> Result<Bill, PriceError> {
        self.close_counters();
        if self.pending.len() > 1 {
            self.pending.sort_by_key(|slice| (slice.from, slice.charge));
        }
        let mut taxes = std::mem::take(&mut buffers.taxes);
        let (net, total) = taxes_of(self.pricing, &self.rows, &mut taxes).map_err(self.overflow(0))?;
        self.buckets.clear();
        buffers.buckets = std::mem::take(&mut self.buckets);
        let (lines, payout_lines) = self.parted_lines();
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

    // The lines, and those of payouts apart.
    fn parted_lines(&mut self) -> (Vec<Line>, Vec<Line>) {
        let lines = std::mem::take(&mut self.lines);
        if !self.pricing.p.has_payouts {
            return (lines, Vec::new());
        }
        lines.into_iter().partition(|line| !self.is_payout(line))
    }

    // A driver whose group is misspelt pays the default price: whoever reads the bill should see why.
    fn note_unknown_groups(&mut self) {
        let tariff = &self.pricing.p.tariff;
        if tariff.groups.is_empty() {
            return;
        }
        for group in self.run.facts.groups.iter().filter(|group| !tariff.groups.contains(group)) {
            let nearest = crate::input::nearest(group, tariff.groups.iter().map(String::as_str));
            let hint = nearest.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            self.notes.push(format!("the tariff has no group `{group}`{hint}"));
        }
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
                    let value = self.closing.get(&name).saturating_add(Decimal::new(amount, scale));
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
            let value = self.run.standing.get(&name).saturating_add(Decimal::new(self.run.now.import, 6));
            self.closing.set(name, value);
        }
    }
}
