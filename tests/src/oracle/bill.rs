//! A session's bill, from the model: lines, charges, rebates, limits, tax.

use super::conditions::{Moment, World, tax_fraction};
use super::formula;
use super::model::{Charge, Gives, Kind, Limit, Per, Rebate, Span, Tariff, VatRate};
use super::number::{MICRO, Q, fraction, largest_remainder, minor_units, share, whole, zero};
use super::session::{Period, PriceFile, Session, Standing};
use super::slices::{self, Slice};
use chrono::NaiveDate;

/// Digits of the minor unit of every currency used here.
pub const DIGITS: u32 = 2;

/// A bill.
#[derive(Clone, PartialEq, Debug)]
pub struct Bill {
    /// Still running.
    pub running: bool,
    /// Lines of the charges, in order of charge and time.
    pub lines: Vec<Line>,
    /// Charge and slice without a price. If there is one, all that follows is empty.
    pub pending: Vec<(usize, i64, i64)>,
    /// Printed amounts, one per charge and tax rate.
    pub charges: Vec<Entry>,
    /// Discounts, coupons and limits of the total.
    pub extras: Vec<Extra>,
    /// Rate, net, tax.
    pub vat: Vec<(VatRate, i128, i128)>,
    /// Minor units.
    pub net: i128,
    /// Minor units.
    pub vat_total: i128,
    /// Minor units.
    pub total: i128,
}

/// Why a line is there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Why {
    /// A slice's price and quantity.
    Priced,
    /// Rounding up to a whole billing step.
    Step,
    /// A cap or floor.
    Limit,
}

/// A line of a charge.
#[derive(Clone, PartialEq, Debug)]
pub struct Line {
    /// Index of the charge.
    pub charge: usize,
    /// Why.
    pub why: Why,
    /// Milliseconds since 1970.
    pub from: i64,
    /// Milliseconds since 1970.
    pub to: i64,
    /// Local day and month it belongs to.
    pub date: NaiveDate,
    /// Millionths of a kWh, milliseconds, or 1.
    pub quantity: i128,
    /// What the price is per.
    pub per: Per,
    /// Money per unit, exact; a credit is negative.
    pub unit_price: Q,
    /// Exact.
    pub amount: Q,
    /// Tax rate.
    pub vat: VatRate,
    /// Exact amounts of the addends of the price, where it is a plain sum of named prices and feeds.
    pub parts: Vec<(String, Q)>,
}

/// A printed amount.
#[derive(Clone, PartialEq, Debug)]
pub struct Entry {
    /// Index of the charge.
    pub charge: usize,
    /// Tax rate.
    pub vat: VatRate,
    /// Minor units, before rebates.
    pub amount: i128,
    /// Minor units, after rebates.
    pub left: i128,
}

/// A discount, a coupon or a limit of the total.
#[derive(Clone, PartialEq, Debug)]
pub struct Extra {
    /// `discount`, `coupon`, `limit`.
    pub kind: &'static str,
    /// Label or code, where it has one.
    pub label: Option<String>,
    /// Signed minor units by tax rate.
    pub amounts: Vec<(VatRate, i128)>,
}

impl Bill {
    /// Exact sum of a charge, with its steps and limits.
    #[must_use]
    pub fn exact(&self, charge: usize) -> Q {
        self.lines.iter().filter(|l| l.charge == charge).map(|l| &l.amount).sum()
    }

    /// Printed amount of a charge before rebates, minor units.
    #[must_use]
    pub fn printed(&self, charge: usize) -> i128 {
        self.charges.iter().filter(|e| e.charge == charge).map(|e| e.amount).sum()
    }

    /// Printed parts of a charge, where all its lines have the same ones and nothing else changes its amount.
    #[must_use]
    pub fn parts(&self, charge: usize) -> Option<Vec<(String, i128)>> {
        let lines: Vec<&Line> = self.lines.iter().filter(|l| l.charge == charge).collect();
        let mut sums = lines.first()?.parts.clone();
        for line in &lines[1..] {
            let same =
                sums.len() == line.parts.len() && sums.iter().zip(&line.parts).all(|(a, b)| a.0 == b.0);
            if !same {
                return None;
            }
            sums.iter_mut().zip(&line.parts).for_each(|(a, b)| a.1 += &b.1);
        }
        let changed = lines.iter().any(|l| l.why != Why::Priced);
        if changed || sums.len() < 2 || self.charges.iter().filter(|e| e.charge == charge).count() != 1 {
            return None;
        }
        let in_minor: Vec<Q> = sums.iter().map(|(_, x)| x * whole(10_i128.pow(DIGITS))).collect();
        let shares = largest_remainder(self.printed(charge), &in_minor);
        Some(sums.into_iter().map(|(name, _)| name).zip(shares).collect())
    }

    /// Printed amount of a charge after rebates, minor units.
    #[must_use]
    pub fn left(&self, charge: usize) -> i128 {
        self.charges.iter().filter(|e| e.charge == charge).map(|e| e.left).sum()
    }
}

/// Prices a session.
#[must_use]
pub fn bill(tariff: &Tariff, session: &Session, files: &[PriceFile], standing: &Standing) -> Bill {
    let mut world = World::new(tariff, session, files, standing);
    let slices = slices::cut(&world);
    world.average_power = slices::average_power(&slices);
    let mut bill = Bill {
        running: session.unplugged.is_none(),
        lines: vec![],
        pending: vec![],
        charges: vec![],
        extras: vec![],
        vat: vec![],
        net: 0,
        vat_total: 0,
        total: 0,
    };
    // A payment fee is added when everything else is known.
    let (last, first): (Vec<usize>, Vec<usize>) =
        (0..tariff.charges.len()).partition(|&i| tariff.charges[i].kind == Kind::PaymentFee);
    for i in first {
        let charge = &tariff.charges[i];
        let mut lines = lines(&world, i, &slices, &mut bill.pending);
        add_step(charge, &mut lines);
        // Days first, then months, then the session; within a span as they stand.
        let mut limits: Vec<&Limit> = charge.limits.iter().collect();
        limits.sort_by_key(|limit| match limit.span {
            Span::Day => 0,
            Span::Month => 1,
            Span::Session | Span::Bill => 2,
        });
        for limit in limits {
            apply_limit(&world, i, limit, &slices, &mut lines);
        }
        bill.lines.extend(lines);
    }
    for &i in &last {
        let fee = once(&world, i, Per::Bill);
        bill.lines.extend(fee);
    }
    if bill.pending.is_empty() {
        sum_up(&world, &last, &mut bill);
    }
    bill
}

fn judged_at_plug_in(world: &World<'_>) -> Moment {
    world.plug_in(std::iter::empty())
}

/// A fee per session or bill.
fn once(world: &World<'_>, i: usize, per: Per) -> Option<Line> {
    let charge = &world.tariff.charges[i];
    let now = judged_at_plug_in(world);
    if let Some(after) = &charge.after {
        let (_, amount) = world.allowance(charge.kind, after);
        if slices::energy(world.session) < amount {
            return None;
        }
    }
    let vat = world.vat(Some(i), &now);
    let price = formula::price(world, world.pick(&charge.cases, &now), &now, &tax_fraction(vat))
        .expect("a fee per session has no feed");
    Some(Line {
        charge: i,
        why: Why::Priced,
        from: now.ms,
        to: now.ms,
        date: now.local.date,
        quantity: 1,
        per,
        amount: price.clone(),
        unit_price: price,
        vat,
        parts: vec![],
    })
}

/// The priced slices of a charge.
fn lines(world: &World<'_>, i: usize, slices: &[Slice], pending: &mut Vec<(usize, i64, i64)>) -> Vec<Line> {
    let charge = &world.tariff.charges[i];
    if charge.kind == Kind::StartFee {
        return once(world, i, Per::Session).into_iter().collect();
    }
    let allowance = charge.after.as_ref().map(|after| world.allowance(charge.kind, after));
    let mut lines = vec![];
    for slice in slices {
        let quantity = quantity(charge.kind, slice);
        let free = allowance.is_some_and(|(measure, amount)| slice.start.counts[&measure] < amount);
        if quantity == 0 || free {
            continue;
        }
        let vat = world.vat(Some(i), &slice.start);
        let said = world.pick(&charge.cases, &slice.start);
        let Ok(price) = formula::price(world, said, &slice.start, &tax_fraction(vat)) else {
            pending.push((i, slice.start.ms, slice.end));
            continue;
        };
        let price = if charge.kind == Kind::FeedIn { -price } else { price };
        let otherwise = if charge.kind.is_time() { Per::Hour } else { Per::Kwh };
        let per = formula::per(world.tariff, said).unwrap_or(otherwise);
        let amount = &price * in_units(quantity, per);
        let mut parts = formula::parts(world, said, &slice.start, &tax_fraction(vat));
        if charge.kind == Kind::FeedIn {
            parts.iter_mut().for_each(|(_, part)| *part = -part.clone());
        }
        lines.push(Line {
            charge: i,
            why: Why::Priced,
            parts: share_parts(parts, &in_units(quantity, per), &amount),
            from: slice.start.ms,
            to: slice.end,
            date: slice.start.local.date,
            quantity,
            per,
            amount,
            unit_price: price,
            vat,
        });
    }
    lines
}

/// Parts of an amount; what the formula's rounding adds goes to the first.
fn share_parts(parts: Vec<(String, Q)>, quantity: &Q, amount: &Q) -> Vec<(String, Q)> {
    let mut parts: Vec<(String, Q)> =
        parts.into_iter().map(|(name, price)| (name, price * quantity)).collect();
    let sum: Q = parts.iter().map(|(_, part)| part).sum();
    if let Some((_, first)) = parts.first_mut() {
        *first += amount - sum;
    }
    parts
}

fn quantity(kind: Kind, slice: &Slice) -> i128 {
    use super::session::State::{Charging, Idle, Paused, Waiting};
    let if_in = |states: &[_]| if states.contains(&slice.state) { slice.length() } else { 0 };
    match kind {
        Kind::Energy => slice.import,
        Kind::FeedIn => slice.export,
        Kind::ChargingTime => if_in(&[Charging]),
        Kind::ConnectedTime => slice.length(),
        Kind::ParkingTime => if_in(&[Waiting, Idle, Paused]),
        Kind::IdleFee => if_in(&[Idle]),
        Kind::StartFee | Kind::PaymentFee => 0,
    }
}

/// A quantity in the unit that the price is per.
#[must_use]
pub fn in_units(quantity: i128, per: Per) -> Q {
    match per {
        Per::Kwh => fraction(quantity, MICRO),
        Per::Min => fraction(quantity, 60_000),
        Per::Hour => fraction(quantity, 3_600_000),
        Per::Session | Per::Bill => whole(quantity),
    }
}

/// The quantity of the whole session is rounded up once; the excess costs what the last slice cost.
fn add_step(charge: &Charge, lines: &mut Vec<Line>) {
    let (Some(step), Some(last)) = (charge.step, lines.last()) else { return };
    let sum: i128 = lines.iter().map(|l| l.quantity).sum();
    let excess = (step - sum.rem_euclid(step)).rem_euclid(step);
    if excess > 0 {
        let line = Line {
            why: Why::Step,
            from: last.to,
            quantity: excess,
            amount: &last.unit_price * in_units(excess, last.per),
            ..last.clone()
        };
        lines.push(line);
    }
}

/// Caps and floors are lines of their own, one per tax rate, in proportion to what the rates have so far.
fn apply_limit(world: &World<'_>, i: usize, limit: &Limit, slices: &[Slice], lines: &mut Vec<Line>) {
    if limit.after_energy.is_some_and(|least| slices::energy(world.session) < least) {
        return;
    }
    let plug_in = judged_at_plug_in(world);
    let mut dates = vec![plug_in.local.date];
    dates.extend(slices.iter().map(|s| s.start.local.date));
    let mut periods: Vec<Period> = dates.iter().map(|date| Period::of(limit.span, *date)).collect();
    periods.dedup();
    for period in periods {
        let label = world.tariff.charges[i].label();
        let opening = world.standing.money.iter().find(|m| m.1 == label && m.2 == period);
        let opening = opening.filter(|_| limit.per_driver).map_or_else(zero, |m| m.3.value());
        let here: Vec<&Line> = lines.iter().filter(|l| Period::of(limit.span, l.date) == period).collect();
        // A floor lifts what is charged; it does not charge for what did not happen.
        if here.is_empty() {
            continue;
        }
        let rates = by_rate(here.iter().map(|l| (l.vat, l.amount.clone())));
        let sum: Q = rates.iter().map(|(_, sum)| sum).sum();
        let bound = limit.amount.value() - opening;
        let bound = if limit.floor { bound } else { bound.max(zero()) };
        if (limit.floor && sum >= bound) || (!limit.floor && sum <= bound) {
            continue;
        }
        let change = bound - &sum;
        let date = here.last().map_or(plug_in.local.date, |l| l.date);
        let shares = if sum == zero() {
            vec![(world.vat(Some(i), &plug_in), change)]
        } else {
            rates.iter().map(|(vat, part)| (*vat, &change * part / &sum)).collect()
        };
        for (vat, amount) in shares {
            lines.push(Line {
                charge: i,
                why: Why::Limit,
                from: plug_in.ms,
                to: world.session.end(),
                date,
                quantity: 0,
                per: Per::Session,
                unit_price: zero(),
                amount,
                vat,
                parts: vec![],
            });
        }
    }
}

/// Sums by tax rate, in order of appearance.
fn by_rate<T: std::ops::AddAssign>(amounts: impl Iterator<Item = (VatRate, T)>) -> Vec<(VatRate, T)> {
    let mut sums: Vec<(VatRate, T)> = vec![];
    for (vat, amount) in amounts {
        match sums.iter_mut().find(|(rate, _)| *rate == vat) {
            Some((_, sum)) => *sum += amount,
            None => sums.push((vat, amount)),
        }
    }
    sums
}

/// A charge is rounded once; its tax rates share the rounded amount.
fn print_charge(bill: &mut Bill, i: usize) {
    let lines = bill.lines.iter().filter(|l| l.charge == i);
    let rates = by_rate(lines.map(|l| (l.vat, l.amount.clone())));
    let exact: Vec<Q> = rates.iter().map(|(_, sum)| sum.clone()).collect();
    let total = minor_units(&exact.iter().sum(), DIGITS);
    let in_minor: Vec<Q> = exact.iter().map(|x| x * whole(10_i128.pow(DIGITS))).collect();
    for ((vat, _), amount) in rates.iter().zip(largest_remainder(total, &in_minor)) {
        bill.charges.push(Entry { charge: i, vat: *vat, amount, left: amount });
    }
}

/// Order: charges, discounts, coupons, limits of the total, payment fee, tax.
fn sum_up(world: &World<'_>, payment_fees: &[usize], bill: &mut Bill) {
    let tariff = world.tariff;
    for i in (0..tariff.charges.len()).filter(|i| !payment_fees.contains(i)) {
        print_charge(bill, i);
    }
    let coupons: Vec<&Rebate> = tariff.coupons.iter().filter(|c| coupon_applies(world, c)).collect();
    let now = judged_at_plug_in(world);
    for discount in &tariff.discounts {
        let applies = discount.when.iter().all(|c| world.holds(c, &now));
        if applies && (coupons.is_empty() || !discount.not_with_coupon) {
            let targets: Vec<usize> = match &discount.of {
                Some(of) => matching(tariff, of),
                // What feeding in costs or earns is not lowered unless it is named.
                None => {
                    (0..tariff.charges.len()).filter(|&i| tariff.charges[i].kind != Kind::FeedIn).collect()
                }
            };
            rebate(tariff, bill, "discount", discount, &targets);
        }
    }
    for coupon in coupons {
        let targets = match coupon.of.as_ref().or(tariff.coupon_scope.as_ref()) {
            Some(of) => matching(tariff, of),
            None => (0..tariff.charges.len()).filter(|&i| tariff.charges[i].kind == Kind::Energy).collect(),
        };
        rebate(tariff, bill, "coupon", coupon, &targets);
    }
    let mut sums = by_rate(bill.charges.iter().map(|e| (e.vat, e.left)));
    for limit in &tariff.total {
        limit_total(world, limit, &mut sums, bill);
    }
    for i in payment_fees {
        print_charge(bill, *i);
        let fees = bill.charges.iter().filter(|e| e.charge == *i).map(|e| (e.vat, e.left));
        sums = by_rate(sums.into_iter().chain(fees));
    }
    for (rate, sum) in sums {
        let tax = tax_fraction(rate);
        let (net, vat) = if tariff.includes_vat {
            let net = minor_units(&(fraction(sum, 100) / (whole(1) + tax)), DIGITS);
            (net, sum - net)
        } else {
            (sum, minor_units(&(fraction(sum, 100) * tax), DIGITS))
        };
        bill.vat.push((rate, net, vat));
        bill.net += net;
        bill.vat_total += vat;
    }
    bill.total = bill.net + bill.vat_total;
}

fn coupon_applies(world: &World<'_>, coupon: &Rebate) -> bool {
    let code = coupon.name.as_deref().unwrap_or_default();
    let redeemed = world.standing.coupons.iter().find(|(c, _)| c == code).map_or(0, |(_, times)| *times);
    let now = judged_at_plug_in(world);
    world.session.coupons.iter().any(|c| c == code)
        && coupon.when.iter().all(|c| world.holds(c, &now))
        && coupon.times_per_driver.is_none_or(|most| redeemed < most)
}

fn matching(tariff: &Tariff, of: &[super::model::ChargeRef]) -> Vec<usize> {
    (0..tariff.charges.len()).filter(|&i| of.iter().any(|r| tariff.charges[i].is(r))).collect()
}

/// Lowers what is left of the target charges, none of them below zero.
fn rebate(tariff: &Tariff, bill: &mut Bill, kind: &'static str, rebate: &Rebate, targets: &[usize]) {
    let targets: Vec<usize> = targets.iter().copied().filter(|&i| bill.left(i) > 0).collect();
    let base: i128 = targets.iter().map(|&i| bill.left(i)).sum();
    let wanted = match rebate.gives {
        Gives::Percent(percent) => minor_units(&(fraction(base, 100) * percent.value() / whole(100)), DIGITS),
        Gives::Money(money) => minor_units(&money.value(), DIGITS),
        Gives::FreeEnergy(first) => {
            let energy = targets.iter().filter(|&&i| tariff.charges[i].kind == Kind::Energy);
            let worth = energy.map(|&i| worth_of_first(bill, i, first)).sum();
            minor_units(&worth, DIGITS)
        }
    };
    let given = wanted.min(base);
    if given <= 0 {
        return;
    }
    let entries: Vec<usize> =
        (0..bill.charges.len()).filter(|&e| targets.contains(&bill.charges[e].charge)).collect();
    let weights: Vec<Q> = entries.iter().map(|&e| whole(bill.charges[e].left)).collect();
    let mut amounts = vec![];
    for (&e, part) in entries.iter().zip(share(given, &weights)) {
        bill.charges[e].left -= part;
        amounts.push((bill.charges[e].vat, -part));
    }
    let amounts = by_rate(amounts.into_iter());
    bill.extras.push(Extra { kind, label: rebate.name.clone(), amounts });
}

/// What the first millionths of a kWh that a charge bills cost, a rounded up step included.
fn worth_of_first(bill: &Bill, charge: usize, first: i128) -> Q {
    let mut worth = zero();
    let mut left = first;
    for line in bill.lines.iter().filter(|l| l.charge == charge && l.why != Why::Limit) {
        let free = left.min(line.quantity);
        worth += &line.unit_price * in_units(free, Per::Kwh);
        left -= free;
    }
    worth
}

/// A cap or floor of the total, shared over the tax rates in proportion.
fn limit_total(world: &World<'_>, limit: &Limit, sums: &mut Vec<(VatRate, i128)>, bill: &mut Bill) {
    if limit.after_energy.is_some_and(|least| slices::energy(world.session) < least) {
        return;
    }
    let total: i128 = sums.iter().map(|(_, sum)| sum).sum();
    let bound = minor_units(&limit.amount.value(), DIGITS);
    if (limit.floor && total >= bound) || (!limit.floor && total <= bound) {
        return;
    }
    let change = bound - total;
    let amounts: Vec<(VatRate, i128)> = if total == 0 {
        vec![(world.vat(None, &judged_at_plug_in(world)), change)]
    } else {
        let weights: Vec<Q> = sums.iter().map(|(_, sum)| whole(*sum)).collect();
        sums.iter().map(|(rate, _)| *rate).zip(share(change, &weights)).collect()
    };
    *sums = by_rate(sums.drain(..).chain(amounts.iter().copied()));
    bill.extras.push(Extra { kind: "limit", label: None, amounts });
}
