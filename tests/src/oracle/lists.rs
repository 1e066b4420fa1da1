//! A session that goes over from one list to another at an instant: what each charge comes to under each of them, before
//! discounts and limits on the total.

use super::bill::{DIGITS, Line, Why, in_units, is_free, judged_at_plug_in, lines, once};
use super::conditions::World;
use super::model::{Charge, Condition, Kind, Limit, Per, Span, Tariff};
use super::number::{Q, minor_units, zero};
use super::session::{Period, PriceFile, Session, Standing};
use super::slices::{self, Slice};

/// The two lists and when the second one takes over.
#[derive(Clone, Copy, Debug)]
pub struct Change<'a> {
    /// Of plug-in.
    pub first: &'a Tariff,
    /// From then on, milliseconds since 1970.
    pub at: i64,
    /// The second.
    pub next: &'a Tariff,
}

impl<'a> Change<'a> {
    const fn lists(&self) -> [&'a Tariff; 2] {
        [self.first, self.next]
    }

    /// The charge of the second list that is charge `i` of the first.
    fn next_of(&self, i: usize) -> Option<usize> {
        (0..self.next.charges.len()).find(|&other| self.first_of(other) == Some(i))
    }

    /// The charge of the first list that is charge `i` of the second: the first one of its kind and label that none before has
    /// taken; or the only one of its kind on both sides.
    fn first_of(&self, i: usize) -> Option<usize> {
        let charge = &self.next.charges[i];
        let taken: Vec<usize> = (0..i).filter_map(|before| self.first_of(before)).collect();
        let is = |other: &Charge| other.kind == charge.kind && other.label() == charge.label();
        let named = self.first.charges.iter().position(is).filter(|other| !taken.contains(other));
        let of_kind = |list: &Tariff| list.charges.iter().filter(|other| other.kind == charge.kind).count();
        let alone = of_kind(self.first) == 1 && of_kind(self.next) == 1;
        let only = || self.first.charges.iter().position(|other| other.kind == charge.kind);
        named.or_else(|| only().filter(|other| alone && !taken.contains(other)))
    }
}

/// Printed minor units by list and charge; none when a price is missing.
#[must_use]
pub fn printed(
    change: &Change<'_>,
    session: &Session,
    files: &[PriceFile],
    standing: &Standing,
    cost: Option<&Q>,
) -> Option<Vec<(usize, usize, i128)>> {
    let worlds = change.lists().map(|list| {
        let mut world = World::new(list, session, files, standing);
        world.cost_price = cost.cloned();
        // Energy flows on a straight line: rounded registers at the change are the same for both.
        world.cuts = vec![change.at];
        world.average_power = slices::average_power(&slices::cut(&world));
        world
    });
    let mut pending = vec![];
    let mut all = [0, 1].map(|list| {
        let world = &worlds[list];
        let cut = slices::cut(world);
        let own: Vec<Slice> =
            cut.iter().filter(|slice| (slice.start.ms >= change.at) == (list == 1)).cloned().collect();
        // What is charged once is judged along the whole session, and by the first list.
        let mut charged = |i: usize| match world.tariff.charges[i].kind {
            Kind::PaymentFee => vec![],
            Kind::StartFee | Kind::FlatFee | Kind::ReservationFee if list == 1 => vec![],
            Kind::StartFee | Kind::FlatFee | Kind::ReservationFee => lines(world, i, &cut, &mut pending),
            _ => lines(world, i, &own, &mut pending),
        };
        (0..world.tariff.charges.len()).map(&mut charged).collect::<Vec<Vec<Line>>>()
    });
    if !pending.is_empty() {
        return None;
    }
    steps(change, &mut all);
    for span in [Span::Day, Span::Month, Span::Session] {
        limits(change, &worlds, &mut all, span);
    }
    let exact = |lines: &[Line]| -> Q { lines.iter().map(|line| &line.amount).sum() };
    let mut rows = vec![];
    for (i, own) in all[0].iter().enumerate().filter(|(_, own)| !own.is_empty()) {
        rows.push((0, i, minor_units(&exact(own), DIGITS)));
    }
    for (i, own) in all[1].iter().enumerate().filter(|(_, own)| !own.is_empty()) {
        let before = change.first_of(i).map_or_else(zero, |first| exact(&all[0][first]));
        rows.push((1, i, minor_units(&(&before + exact(own)), DIGITS) - minor_units(&before, DIGITS)));
    }
    for i in (0..change.first.charges.len()).filter(|&i| change.first.charges[i].kind == Kind::PaymentFee) {
        let fee = once(&worlds[0], i, Per::Bill);
        rows.extend(fee.map(|fee| (0, i, minor_units(&fee.amount, DIGITS))));
    }
    Some(rows)
}

/// One step is filled up: under the list that has measured last, with what both have measured.
fn steps(change: &Change<'_>, all: &mut [Vec<Vec<Line>>; 2]) {
    let parked = change.lists().iter().zip(all.iter()).any(|(list, lines)| {
        let paid = |i: usize, line: &Line| line.quantity > 0 && !is_free(&list.charges[i], line);
        (0..list.charges.len())
            .filter(|&i| list.charges[i].kind == Kind::ParkingTime)
            .any(|i| lines[i].iter().any(|line| paid(i, line)))
    });
    let counted = |charge: &Charge, lines: &[Line], everything: bool| -> (i128, Option<Line>) {
        let counts = |line: &&Line| line.quantity > 1 && (everything || !is_free(charge, line));
        let sum = lines.iter().filter(counts).map(|line| line.quantity).sum();
        (sum, lines.iter().rfind(counts).cloned())
    };
    for list in [0, 1] {
        let tariff = change.lists()[list];
        for (i, charge) in tariff.charges.iter().enumerate() {
            let whole = charge.step.is_some();
            let (mut sum, Some(last)) = counted(charge, &all[list][i], whole) else { continue };
            if charge.steps_without_parking && parked || matches!(last.per, Per::Session | Per::Bill) {
                continue;
            }
            if list == 0
                && let Some(next) = change.next_of(i)
                && let other = &change.next.charges[next]
                && counted(other, &all[1][next], other.step.is_some()).1.is_some()
            {
                continue;
            }
            if list == 1
                && let Some(first) = change.first_of(i)
            {
                sum += counted(&change.first.charges[first], &all[0][first], whole).0;
            }
            let of_case = last.case.and_then(|case| {
                charge.cases[case].when.iter().find_map(|condition| match condition {
                    Condition::Steps(step) => Some(step.amount()),
                    _ => None,
                })
            });
            let Some(step) = charge.step.or(of_case) else { continue };
            let excess = (step - sum.rem_euclid(step)).rem_euclid(step);
            if excess > 0 {
                let amount = &last.unit_price * in_units(excess, last.per);
                all[list][i].push(Line { why: Why::Step, from: last.to, quantity: excess, amount, ..last });
            }
        }
    }
}

/// The caps of the first list, those of the second with what stands, then the floors of the first with what both charge.
fn limits(change: &Change<'_>, worlds: &[World<'_>; 2], all: &mut [Vec<Vec<Line>>; 2], span: Span) {
    for (list, floors) in [(0, false), (1, false), (0, true)] {
        for (i, charge) in change.lists()[list].charges.iter().enumerate() {
            let other = if list == 0 { change.next_of(i) } else { change.first_of(i) };
            let counts = list == 1 || floors;
            let others: Vec<Line> =
                other.filter(|_| counts).map_or_else(Vec::new, |other| all[1 - list][other].clone());
            for limit in charge.limits.iter().filter(|limit| limit.span == span && limit.floor == floors) {
                limit_by(&worlds[list], i, limit, &mut all[list][i], &others);
            }
        }
    }
}

fn limit_by(world: &World<'_>, i: usize, limit: &Limit, own: &mut Vec<Line>, others: &[Line]) {
    let mut periods: Vec<Period> = vec![];
    let begun = if limit.floor { others } else { &[] };
    for line in own.iter().chain(begun) {
        let period = Period::of(limit.span, line.date);
        if !periods.contains(&period) {
            periods.push(period);
        }
    }
    let label = world.tariff.charges[i].label();
    let reached = limit.after_energy.is_none_or(|least| slices::energy(world.session) >= least);
    for period in periods {
        let is_in = |line: &&Line| Period::of(limit.span, line.date) == period;
        let sum: Q = own.iter().filter(is_in).map(|line| &line.amount).sum();
        let elsewhere: Q = others.iter().filter(is_in).map(|line| &line.amount).sum();
        let opening = world.standing.money.iter().find(|m| m.1 == label && m.2 == period);
        let opening = opening.filter(|_| limit.per_driver).map_or_else(zero, |m| m.3.value());
        let lifted = world.standing.lifts.iter().find(|m| m.0 == label && m.1 == period);
        let lifted = lifted.filter(|_| limit.per_driver && limit.floor).map_or_else(zero, |m| m.2.value());
        // A floor is about the whole session; a cap takes nothing back that another list has charged.
        let least = -(if limit.floor { &sum + &elsewhere } else { sum.clone() }).max(zero());
        let room = limit.amount.value() - &opening - &elsewhere - &sum;
        let change = match (limit.floor, reached) {
            (true, false) if lifted == zero() => zero(),
            (true, _) => ((room + &lifted).max(zero()) - &lifted).max(least),
            (false, true) => room.min(zero()).max(least),
            (false, false) => zero(),
        };
        if change == zero() {
            continue;
        }
        let here = own.iter().chain(others).find(is_in);
        let plug_in = judged_at_plug_in(world);
        let date = here.map_or(plug_in.local.date, |line| line.date);
        own.push(Line {
            charge: i,
            why: Why::Limit,
            from: plug_in.ms,
            to: world.session.end(),
            date,
            quantity: 0,
            per: Per::Session,
            unit_price: zero(),
            amount: change,
            vat: world.vat(Some(i), &plug_in),
            case: None,
            parts: vec![],
        });
    }
}
