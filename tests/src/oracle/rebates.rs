//! Discounts and coupons.

use super::bill::{Bill, DIGITS, Extra, Why, by_rate, in_units, judged_at_plug_in};
use super::conditions::World;
use super::model::{Gives, Kind, Per, Rebate, Tariff};
use super::number::{Q, fraction, minor_units, share, whole, zero};

/// Whether a coupon that was shown counts.
#[must_use]
pub fn coupon_applies(world: &World<'_>, coupon: &Rebate) -> bool {
    let code = coupon.name.as_deref().unwrap_or_default();
    let redeemed = world.standing.coupons.iter().find(|(c, _)| c == code).map_or(0, |(_, times)| *times);
    let now = judged_at_plug_in(world);
    coupon.when.iter().all(|c| world.holds(c, &now))
        && coupon.times_per_driver.is_none_or(|most| redeemed < most)
}

/// The charges that a list of them means.
#[must_use]
pub fn matching(tariff: &Tariff, of: &[super::model::ChargeRef]) -> Vec<usize> {
    (0..tariff.charges.len()).filter(|&i| of.iter().any(|r| tariff.charges[i].is(r))).collect()
}

/// Lowers what is left of the target charges, none of them below zero.
pub fn rebate(tariff: &Tariff, bill: &mut Bill, kind: &'static str, rebate: &Rebate, targets: &[usize]) {
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
