//! A session's bill, from the model: lines, charges, rebates, limits, tax.

use super::conditions::{Moment, Taxed, World, tax_fraction};
use super::counters;
use super::formula;
use super::limits::{apply_limit, limit_total};
use super::model::{Charge, Condition, Kind, Limit, Per, Price, Rebate, Span, Tariff};
use super::number::{MICRO, Q, fraction, largest_remainder, minor_units, whole};
use super::rebates::{coupon_applies, matching, rebate};
use super::session::{PriceFile, Session, Standing};
use super::slices::{self, Slice};
use chrono::NaiveDate;
use std::collections::BTreeMap;

/// Digits of the minor unit of every currency used here.
pub const DIGITS: u32 = 2;

/// A bill.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Bill {
    /// Still running.
    pub running: bool,
    /// Lines of the charges, in order of charge and time.
    pub lines: Vec<Line>,
    /// Charge and slice without a price. If there is one, all that follows is empty.
    pub pending: Vec<(usize, i64, i64)>,
    /// Lines of what is booked for the property.
    pub payout_lines: Vec<Line>,
    /// Printed amounts of it.
    pub payouts: Vec<Entry>,
    /// Printed amounts, one per charge and tax rate.
    pub charges: Vec<Entry>,
    /// Discounts, coupons and limits of the total.
    pub extras: Vec<Extra>,
    /// Name (none: VAT), rate as a fraction, what it is worked out from, tax.
    pub vat: Vec<(Option<String>, Q, i128, i128)>,
    /// Minor units.
    pub net: i128,
    /// Minor units.
    pub vat_total: i128,
    /// Minor units.
    pub total: i128,
    /// Closing counters.
    pub closing: BTreeMap<String, Q>,
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
    pub vat: Taxed,
    /// Which line of the charge's list it is, where one of it is.
    pub case: Option<usize>,
    /// Exact amounts of the addends of the price, where it is a plain sum of named prices and feeds.
    pub parts: Vec<(String, Q)>,
}

/// A printed amount.
#[derive(Clone, PartialEq, Debug)]
pub struct Entry {
    /// Index of the charge.
    pub charge: usize,
    /// Tax rate.
    pub vat: Taxed,
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
    pub amounts: Vec<(Taxed, i128)>,
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
    bill_at_cost(tariff, session, files, standing, None)
}

/// Prices a session with what the plant's kWh cost, where that is known.
#[must_use]
pub fn bill_at_cost(
    tariff: &Tariff,
    session: &Session,
    files: &[PriceFile],
    standing: &Standing,
    cost_price: Option<Q>,
) -> Bill {
    let mut world = World::new(tariff, session, files, standing);
    world.cost_price = cost_price;
    let slices = slices::cut(&world);
    world.average_power = slices::average_power(&slices);
    let mut bill = Bill {
        running: session.unplugged.is_none(),
        lines: vec![],
        pending: vec![],
        payout_lines: vec![],
        payouts: vec![],
        charges: vec![],
        extras: vec![],
        vat: vec![],
        net: 0,
        vat_total: 0,
        total: 0,
        closing: counters::opening(standing),
    };
    // A payment fee is added when everything else is known.
    let (last, first): (Vec<usize>, Vec<usize>) =
        (0..tariff.charges.len()).partition(|&i| tariff.charges[i].kind == Kind::PaymentFee);
    let parked = first.iter().any(|&i| {
        let parking = tariff.charges[i].kind == Kind::ParkingTime;
        let paid = |line: &Line| line.quantity > 0 && !is_free(&tariff.charges[i], line);
        parking && lines(&world, i, &slices, &mut vec![]).iter().any(paid)
    });
    for i in first {
        let charge = &tariff.charges[i];
        let mut lines = lines(&world, i, &slices, &mut bill.pending);
        if !(charge.steps_without_parking && parked) {
            add_step(charge, &mut lines);
        }
        // Days first, then months, then the session; within a span as they stand.
        let mut limits: Vec<&Limit> = charge.limits.iter().collect();
        limits.sort_by_key(|limit| match limit.span {
            Span::Day => 0,
            Span::Month => 1,
            Span::Session | Span::Bill => 2,
        });
        for limit in limits {
            apply_limit(&world, i, limit, &mut lines, &mut bill.closing);
        }
        if charge.kind == Kind::PayoutToSite {
            bill.payouts.extend(printed(i, &lines));
            bill.payout_lines.extend(lines);
        } else {
            bill.lines.extend(lines);
        }
    }
    for &i in &last {
        let fee = once(&world, i, Per::Bill);
        bill.lines.extend(fee);
    }
    if bill.pending.is_empty() {
        sum_up(&world, &last, &mut bill);
        counters::add_session(&world, &slices, &mut bill.closing);
    }
    bill
}

/// The moment of plug-in.
#[must_use]
pub fn judged_at_plug_in(world: &World<'_>) -> Moment {
    world.plug_in(std::iter::empty())
}

/// A fee per session or bill.
pub(super) fn once(world: &World<'_>, i: usize, per: Per) -> Option<Line> {
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
        case: None,
        parts: vec![],
    })
}

/// The priced slices of a charge.
pub(super) fn lines(
    world: &World<'_>,
    i: usize,
    slices: &[Slice],
    pending: &mut Vec<(usize, i64, i64)>,
) -> Vec<Line> {
    let charge = &world.tariff.charges[i];
    if charge.kind == Kind::StartFee {
        return once(world, i, Per::Session).into_iter().collect();
    }
    if charge.kind == Kind::FlatFee {
        return flat(world, i, slices, pending);
    }
    if charge.kind == Kind::ReservationFee {
        return reservation(world, i);
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
        let case = world.pick_index(&charge.cases, &slice.start);
        let said = &charge.cases[case].what;
        let Ok(price) = formula::price(world, said, &slice.start, &tax_fraction(vat)) else {
            // A payout is settled later; nobody waits for it.
            if charge.kind != Kind::PayoutToSite {
                pending.push((i, slice.start.ms, slice.end));
            }
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
            case: Some(case),
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
        Kind::Energy | Kind::PayoutToSite => slice.import,
        Kind::FeedIn => slice.export,
        Kind::ChargingTime => if_in(&[Charging]),
        Kind::ConnectedTime => slice.length(),
        Kind::ParkingTime => if_in(&[Waiting, Idle, Paused]),
        Kind::IdleFee => if_in(&[Idle]),
        Kind::StartFee | Kind::PaymentFee | Kind::ReservationFee | Kind::FlatFee => 0,
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

/// A flat fee: the first line that is not free and holds for some time, once.
fn flat(world: &World<'_>, i: usize, slices: &[Slice], pending: &mut Vec<(usize, i64, i64)>) -> Vec<Line> {
    let charge = &world.tariff.charges[i];
    for slice in slices.iter().filter(|slice| slice.length() > 0) {
        let case = world.pick_index(&charge.cases, &slice.start);
        let said = &charge.cases[case].what;
        if *said == Price::Free {
            continue;
        }
        let vat = world.vat(Some(i), &slice.start);
        let Ok(price) = formula::price(world, said, &slice.start, &tax_fraction(vat)) else {
            pending.push((i, slice.start.ms, slice.start.ms));
            return vec![];
        };
        return vec![Line {
            charge: i,
            why: Why::Priced,
            from: slice.start.ms,
            to: slice.start.ms,
            date: slice.start.local.date,
            quantity: 1,
            per: Per::Session,
            amount: price.clone(),
            unit_price: price,
            vat,
            case: Some(case),
            parts: vec![],
        }];
    }
    vec![]
}

pub(super) fn is_free(charge: &Charge, line: &Line) -> bool {
    line.case.is_some_and(|case| charge.cases[case].what == Price::Free)
}

/// The quantity of the whole session is rounded up once; the excess costs what the last slice cost. Steps behind prices
/// round what was charged at a price, by the step of the last one.
fn add_step(charge: &Charge, lines: &mut Vec<Line>) {
    let of_case = |line: &Line| {
        let case = &charge.cases[line.case?];
        case.when.iter().find_map(|condition| match condition {
            Condition::Steps(step) => Some(step.amount()),
            _ => None,
        })
    };
    let counts = |line: &&Line| charge.step.is_some() || !is_free(charge, line);
    let Some(last) = lines.iter().rfind(counts) else { return };
    let Some(step) = charge.step.or_else(|| of_case(last)) else { return };
    let sum: i128 = lines.iter().filter(counts).map(|l| l.quantity).sum();
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

/// The price of a reservation: once, judged at plug-in like all that a session has once, or by its time.
fn reservation(world: &World<'_>, i: usize) -> Vec<Line> {
    let charge = &world.tariff.charges[i];
    let Some((from, until, _)) = world.session.reservation else { return vec![] };
    let line = |now: &Moment, to: i64, quantity: i128, per: Per| -> Option<Line> {
        let vat = world.vat(Some(i), now);
        let case = world.pick_index(&charge.cases, now);
        let said = &charge.cases[case].what;
        if *said == Price::Free {
            return None;
        }
        let unit_price = formula::price(world, said, now, &tax_fraction(vat)).expect("a fee has no feed");
        Some(Line {
            charge: i,
            why: Why::Priced,
            from: now.ms,
            to,
            date: now.local.date,
            quantity,
            per,
            amount: &unit_price * in_units(quantity, per),
            unit_price,
            vat,
            case: Some(case),
            parts: vec![],
        })
    };
    let plug_in = judged_at_plug_in(world);
    if charge.cases.iter().any(|case| formula::per(world.tariff, &case.what) == Some(Per::Session)) {
        let fee = line(&plug_in, until, 1, Per::Session);
        // The line begins with the reservation, and so does the day to which it belongs.
        let date = super::calendar::local(world.tariff.zone, from).date;
        return fee.map(|fee| Line { from, date, ..fee }).into_iter().collect();
    }
    let mut edges = super::calendar::edges(world.tariff, from, until);
    edges.extend([from, until]);
    let edges: Vec<i64> = edges.into_iter().collect();
    let pieces = edges.windows(2).filter_map(|piece| {
        let now = world.moment(piece[0], plug_in.counts.clone());
        let per = formula::per(world.tariff, world.pick(&charge.cases, &now)).unwrap_or(Per::Hour);
        line(&now, piece[1], i128::from(piece[1] - piece[0]), per)
    });
    pieces.collect()
}

/// Sums by tax rate, in order of appearance.
#[must_use]
pub fn by_rate<T: std::ops::AddAssign>(amounts: impl Iterator<Item = (Taxed, T)>) -> Vec<(Taxed, T)> {
    let mut sums: Vec<(Taxed, T)> = vec![];
    for (vat, amount) in amounts {
        match sums.iter_mut().find(|(rate, _)| *rate == vat) {
            Some((_, sum)) => *sum += amount,
            None => sums.push((vat, amount)),
        }
    }
    sums
}

/// A charge is rounded once; its tax rates share the rounded amount.
#[must_use]
pub fn printed(i: usize, lines: &[Line]) -> Vec<Entry> {
    let lines = lines.iter().filter(|l| l.charge == i);
    let rates = by_rate(lines.map(|l| (l.vat, l.amount.clone())));
    let exact: Vec<Q> = rates.iter().map(|(_, sum)| sum.clone()).collect();
    let total = minor_units(&exact.iter().sum(), DIGITS);
    let in_minor: Vec<Q> = exact.iter().map(|x| x * whole(10_i128.pow(DIGITS))).collect();
    let shares = rates.iter().zip(largest_remainder(total, &in_minor));
    shares.map(|((vat, _), amount)| Entry { charge: i, vat: *vat, amount, left: amount }).collect()
}

fn print_charge(bill: &mut Bill, i: usize) {
    let entries = printed(i, &bill.lines);
    bill.charges.extend(entries);
}

/// Order: charges, discounts, coupons, limits of the total, payment fee, tax.
fn sum_up(world: &World<'_>, payment_fees: &[usize], bill: &mut Bill) {
    let tariff = world.tariff;
    for i in (0..tariff.charges.len()).filter(|i| !payment_fees.contains(i)) {
        print_charge(bill, i);
    }
    // As they were shown; the same one twice counts once.
    let mut coupons: Vec<&Rebate> = vec![];
    for code in &world.session.coupons {
        let found = tariff.coupons.iter().find(|c| c.name.as_ref() == Some(code));
        if let Some(found) = found.filter(|c| coupon_applies(world, c))
            && !coupons.contains(&found)
        {
            coupons.push(found);
            *bill.closing.entry(format!("driver coupon {code}")).or_default() += whole(1);
        }
    }
    let now = judged_at_plug_in(world);
    for discount in &tariff.discounts {
        let applies = discount.when.iter().all(|c| world.holds(c, &now));
        if applies && (coupons.is_empty() || !discount.not_with_coupon) {
            let targets: Vec<usize> = match &discount.of {
                Some(of) => matching(tariff, of),
                // What feeding in costs or earns is not lowered unless it is named.
                None => {
                    let lowered = |kind| !matches!(kind, Kind::FeedIn | Kind::PayoutToSite);
                    (0..tariff.charges.len()).filter(|&i| lowered(tariff.charges[i].kind)).collect()
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
    for (tax, sum) in sums {
        add_taxes(tariff, tax, sum, bill);
    }
    bill.total = bill.net + bill.vat_total;
}

/// The taxes of a printed sum, each on what it is worked out from. Where taxes are in the sum, they are its rest: shared
/// among them by largest remainder of what each comes to exactly.
pub fn add_taxes(tariff: &Tariff, tax: Taxed, sum: i128, bill: &mut Bill) {
    let layers = tax.layers();
    let all = whole(1) + tax_fraction(tax);
    let mut net = sum;
    let mut amounts: Vec<i128> = vec![];
    let base = |net: i128, amounts: &[i128], on: &[usize]| net + on.iter().map(|&i| amounts[i]).sum::<i128>();
    if tariff.includes_vat {
        net = minor_units(&(fraction(sum, 100) / &all), DIGITS);
        let exact: Vec<Q> = layers.iter().map(|layer| whole(sum) * &layer.share / &all).collect();
        amounts = largest_remainder(sum - net, &exact);
    } else {
        for layer in &layers {
            let base = base(net, &amounts, &layer.on_top_of);
            amounts.push(minor_units(&(fraction(base, 100) * &layer.rate), DIGITS));
        }
    }
    for (layer, amount) in layers.iter().zip(&amounts) {
        let name = layer.other.map(|place| tariff.taxes[place].name.clone());
        let base = base(net, &amounts, &layer.on_top_of);
        bill.vat.push((name, layer.rate.clone(), base, *amount));
        bill.vat_total += amount;
    }
    bill.net += net;
}
