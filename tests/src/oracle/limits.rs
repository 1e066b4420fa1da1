//! Floors and caps, of charges and of the total, with what sessions before came to.

use super::bill::{Bill, DIGITS, Extra, Line, Why, by_rate, judged_at_plug_in};
use super::conditions::{Taxed, World};
use super::model::{Kind, Limit, Per, Span};
use super::number::{Q, fraction, largest_remainder, minor_units, round, share, whole, zero};
use super::session::Period;
use super::slices;
use std::collections::BTreeMap;

/// By how much `sum` has to change, with what sessions before came to and what a floor added to that.
fn change_of(world: &World<'_>, limit: &Limit, sum: &Q, opening: &Q, lifted: &Q) -> Q {
    let reached = limit.after_energy.is_none_or(|least| slices::energy(world.session) >= least);
    let bound = limit.amount.value();
    // No more is given back than this session came to.
    let least = -sum.clone().max(zero());
    if limit.floor {
        if !reached && *lifted == zero() {
            return zero();
        }
        let due = (bound - (opening - lifted) - sum).max(zero());
        return (due - lifted).max(least);
    }
    if reached { (bound - opening - sum).min(zero()).max(least) } else { zero() }
}

/// The change of a limit in a period, after counting it.
fn change_in(
    world: &World<'_>,
    limit: &Limit,
    label: &str,
    (period, sum): (Period, &Q),
    closing: &mut BTreeMap<String, Q>,
    rounded: bool,
) -> Q {
    let name = format!("driver limit {label} {}", period.word());
    let lift = format!("driver lift {label} {}", period.word());
    let opening = world.standing.money.iter().find(|m| m.1 == label && m.2 == period);
    let opening = opening.filter(|_| limit.per_driver).map_or_else(zero, |m| m.3.value());
    let lifted = world.standing.lifts.iter().find(|m| m.0 == label && m.1 == period);
    let lifted = lifted.filter(|_| limit.per_driver && limit.floor).map_or_else(zero, |m| m.2.value());
    let mut change = change_of(world, limit, sum, &opening, &lifted);
    if rounded {
        change = fraction(minor_units(&change, DIGITS), 100);
    }
    if limit.per_driver {
        closing.insert(name, round(&(opening + sum + &change), 12));
        if limit.floor {
            closing.insert(lift, round(&(lifted + &change), 12));
        }
    }
    change
}

/// Caps and floors are lines of their own, one per tax rate, in proportion to what the rates have so far.
pub fn apply_limit(
    world: &World<'_>,
    i: usize,
    limit: &Limit,
    lines: &mut Vec<Line>,
    closing: &mut BTreeMap<String, Q>,
) {
    let plug_in = judged_at_plug_in(world);
    let mut periods: Vec<Period> = vec![];
    for line in lines.iter() {
        let period = Period::of(limit.span, line.date);
        if !periods.contains(&period) {
            periods.push(period);
        }
    }
    for period in periods {
        let label = world.tariff.charges[i].label();
        let here: Vec<&Line> = lines.iter().filter(|l| Period::of(limit.span, l.date) == period).collect();
        // A floor lifts what is charged; it does not charge for what did not happen: such a period is not in the list.
        let rates = by_rate(here.iter().map(|l| (l.vat, l.amount.clone())));
        let sum: Q = rates.iter().map(|(_, sum)| sum).sum();
        let change = change_in(world, limit, &label, (period, &sum), closing, false);
        if change == zero() {
            continue;
        }
        // It belongs to the first day that it is about.
        let date = here.first().map_or(plug_in.local.date, |l| l.date);
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
                case: None,
                parts: vec![],
            });
        }
    }
}

/// The printed total by days or months, in proportion to what the charges came to in each.
fn by_period(world: &World<'_>, bill: &Bill, span: Span, total: i128) -> Vec<(Period, i128)> {
    let plug_in = Period::of(span, judged_at_plug_in(world).local.date);
    let mut sums: Vec<(Period, Q)> = vec![];
    if matches!(span, Span::Day | Span::Month) {
        let fees = |line: &&Line| world.tariff.charges[line.charge].kind != Kind::PaymentFee;
        let mut lines: Vec<&Line> = bill.lines.iter().filter(fees).collect();
        lines.sort_by_key(|line| (line.why == Why::Limit, line.why == Why::Step, line.from, line.charge));
        for line in lines {
            let period = Period::of(span, line.date);
            match sums.iter_mut().find(|(known, _)| *known == period) {
                Some((_, sum)) => *sum += &line.amount,
                None => sums.push((period, line.amount.clone())),
            }
        }
    }
    let whole_sum: Q = sums.iter().map(|(_, sum)| sum).sum();
    if sums.is_empty() {
        return vec![(plug_in, total)];
    }
    if whole_sum == zero() {
        assert!(total == 0, "nothing to share {total} by");
        return sums.iter().map(|(period, _)| (*period, 0)).collect();
    }
    let exact: Vec<Q> = sums.iter().map(|(_, sum)| whole(total) * sum / &whole_sum).collect();
    sums.iter().map(|(period, _)| *period).zip(largest_remainder(total, &exact)).collect()
}

/// A cap or floor of the total, shared over the tax rates in proportion.
pub fn limit_total(world: &World<'_>, limit: &Limit, sums: &mut Vec<(Taxed, i128)>, bill: &mut Bill) {
    let total: i128 = sums.iter().map(|(_, sum)| sum).sum();
    let mut change = 0;
    for (period, part) in by_period(world, bill, limit.span, total) {
        let part = fraction(part, 100);
        let part = change_in(world, limit, "total", (period, &part), &mut bill.closing, true);
        change += minor_units(&part, DIGITS);
    }
    if change == 0 {
        return;
    }
    let amounts: Vec<(Taxed, i128)> = if sums.iter().all(|(_, sum)| *sum == 0) {
        vec![(world.vat(None, &judged_at_plug_in(world)), change)]
    } else {
        let mut weights: Vec<Q> = sums.iter().map(|(_, sum)| whole(*sum)).collect();
        if total == 0 {
            // What cancels out gives no proportion.
            weights = (0..weights.len()).map(|i| whole(i128::from(i == 0))).collect();
        }
        sums.iter().map(|(rate, _)| *rate).zip(share(change, &weights)).collect()
    };
    *sums = by_rate(sums.drain(..).chain(amounts.iter().copied()));
    bill.extras.push(Extra { kind: "limit", label: None, amounts });
}
