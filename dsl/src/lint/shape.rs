//! Advice on how lists are put together.

use super::{Seen, advice};
use crate::ast::{
    At, Case, Cases, Clause, Limit, PriceOrFree, Quantity, Rebate, Span, Statement, Unit, Window, WindowPart,
};
use crate::calendar::DAY_MINUTES;
use crate::diagnostic::Diagnostic;
use crate::resolve::merge::kind_words;
use crate::resolve::report::{Labels as _, Place};
use takst_engine::tariff::{AfterAmount, Measure, Node, NodeId, Outcome, Tariff};
use takst_engine::units::MINUTE_MS;

/// L02: who leaves in time pays nothing anyway: the hours that cost are shorter than the grace.
pub(super) fn grace_beyond_the_paid_hours(seen: &Seen<'_>, out: &mut Vec<Diagnostic>) {
    for charge in seen.charges().iter().filter(|charge| charge.source == 0) {
        let Some(after) = charge.session.and_then(|session| session.after.as_ref()) else { continue };
        let (Measure::Time { .. }, AfterAmount::Fixed(ms)) = (after.measure, &after.amount) else { continue };
        let longest = i64::from(longest_paid(seen.tariff, charge.root));
        if longest == 0 || longest >= i64::from(DAY_MINUTES) || *ms / MINUTE_MS <= longest {
            continue;
        }
        let written = charge.written.limits.iter().find(|limit| matches!(limit.it, Limit::After { .. }));
        let Some(written) = written else { continue };
        let what = kind_words(charge.written.head.kind.it);
        let message = format!(
            "the grace of {} min is longer than the hours in which the {what} costs anything: {longest} min in a row",
            ms / MINUTE_MS
        );
        let help = "shorten the grace, or widen the hours; minutes of grace run from the first one, also where it is free";
        out.push(advice("L02", Place { source: 0, span: written.span }, message).help(help));
    }
}

/// The longest stretch of a day, in minutes, at which a list does not answer `free`, whatever else is asked. Stretches that
/// meet at midnight are one.
fn longest_paid(tariff: &Tariff, root: NodeId) -> u16 {
    let paid = |node: NodeId| match tariff.nodes.get(node as usize) {
        Some(Node::Leaf(leaf)) => {
            tariff.leaves.get(*leaf as usize).is_some_and(|leaf| matches!(leaf.outcome, Outcome::Price(_)))
        }
        _ => false,
    };
    let mut longest = 0;
    let mut seen = std::collections::BTreeSet::new();
    let mut todo = vec![root];
    while let Some(node) = todo.pop() {
        if !seen.insert(node) {
            continue;
        }
        match tariff.nodes.get(node as usize) {
            Some(Node::Fact { yes, no, .. }) => todo.extend([*yes, *no]),
            Some(Node::Measure { children, .. } | Node::Days(children)) => todo.extend(children),
            Some(Node::Minutes { edges, children }) => {
                let ends = edges.iter().skip(1).copied().chain([DAY_MINUTES]);
                let mut stretches: Vec<(u16, u16)> = Vec::new();
                for ((from, to), child) in edges.iter().copied().zip(ends).zip(children) {
                    match stretches.last_mut() {
                        _ if !paid(*child) => {}
                        Some((_, end)) if *end == from => *end = to,
                        _ => stretches.push((from, to)),
                    }
                }
                let long = |(from, to): &(u16, u16)| to - from;
                longest = longest.max(stretches.iter().map(long).max().unwrap_or(0));
                if let (Some(first), Some(last)) = (stretches.first(), stretches.last())
                    && first.0 == 0
                    && last.1 == DAY_MINUTES
                    && stretches.len() > 1
                {
                    longest = longest.max(long(first) + long(last));
                }
            }
            _ if paid(node) => return DAY_MINUTES,
            _ => {}
        }
    }
    longest
}

/// L10: a line that says what the unconditional line right below it says too.
pub(super) fn line_without_effect(seen: &Seen<'_>, out: &mut Vec<Diagnostic>) {
    fn of<T: PartialEq>(cases: &Cases<T>, same: impl Fn(&T, &T) -> bool, out: &mut Vec<Diagnostic>) {
        let lines = &cases.lines;
        let open = |case: &Case<T>| case.clauses.iter().all(|clause| clause.it == Clause::Otherwise);
        for (line, next) in lines.iter().zip(lines.iter().skip(1)) {
            if open(&next.it) && same(&line.it.what.it, &next.it.what.it) {
                let at = |span: Span| Place { source: 0, span };
                let found = advice("L10", at(line.span), "this line changes nothing")
                    .also(at(next.span), "in all other cases it is the same")
                    .help("take the line away, or change its price");
                out.push(found);
            }
        }
    }
    for statement in seen.own() {
        match &statement.it {
            Statement::Charge(charge) => of(&charge.cases, same_price, out),
            Statement::Price(price) | Statement::Value(price) | Statement::Set(price) => {
                price.cases.iter().for_each(|cases| of(cases, same_price, out));
            }
            Statement::Vat(vat) => of(&vat.cases, |a, b| a == b, out),
            Statement::Tax(tax) => of(&tax.cases, |a, b| a == b, out),
            _ => {}
        }
    }
}

/// The same formula, wherever it stands. Formulas that only come to the same are two.
fn same_price(a: &PriceOrFree, b: &PriceOrFree) -> bool {
    crate::format::without_places(a) == crate::format::without_places(b)
}

/// L11: `08:00-19:59` leaves a minute to somebody else's line.
pub(super) fn a_minute_early(seen: &Seen<'_>, out: &mut Vec<Diagnostic>) {
    let mut look = |window: &At<Window>| {
        let excepted = window.it.except.iter().flat_map(|except| &except.it.parts);
        for part in window.it.parts.iter().chain(excepted) {
            let WindowPart::Hours(from, to) = part.it else { continue };
            if to % 60 != 59 {
                continue;
            }
            let next = (to + 1) % DAY_MINUTES;
            let meant = if next == 0 { DAY_MINUTES } else { next };
            let clock = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
            let message = format!("the minute from {} to {} is not in these hours", clock(to), clock(meant));
            let by = format!("{}-{}", clock(from), clock(meant));
            out.push(
                advice("L11", Place { source: 0, span: part.span }, message)
                    .help(format!("hours end where the next ones begin: write `{by}`"))
                    .fix(part.span, by),
            );
        }
    };
    for statement in seen.own() {
        if let Statement::Period(period) = &statement.it {
            period.windows.iter().for_each(&mut look);
        }
        each_clause(&statement.it, &mut |clause| {
            if let Clause::During(windows) = &clause.it {
                windows.iter().for_each(&mut look);
            }
        });
    }
}

/// The conditions of prices, taxes and rebates in a statement.
pub(super) fn each_clause(statement: &Statement, look: &mut dyn FnMut(&At<Clause>)) {
    fn of<T>(cases: &Cases<T>, look: &mut dyn FnMut(&At<Clause>)) {
        cases.lines.iter().flat_map(|line| &line.it.clauses).for_each(look);
    }
    match statement {
        Statement::Charge(charge) => of(&charge.cases, look),
        Statement::Price(price) | Statement::Value(price) | Statement::Set(price) => {
            price.cases.iter().for_each(|cases| of(cases, look));
        }
        Statement::Vat(vat) => of(&vat.cases, look),
        Statement::Tax(tax) => of(&tax.cases, look),
        Statement::Coupon(rebate) | Statement::Discount(rebate) => rebate.clauses.iter().for_each(look),
        _ => {}
    }
}

/// L13: a minimum that also those pay who got nothing.
pub(super) fn minimum_for_nothing(seen: &Seen<'_>, out: &mut Vec<Diagnostic>) {
    let mut look = |limits: &[At<Limit>]| {
        for limit in limits {
            let Limit::Bound { floor: true, amount, after: None, .. } = &limit.it else { continue };
            let per_session =
                amount.it.per.iter().any(|per| per.it == crate::ast::PerWord::Unit(Unit::Session));
            if per_session && amount.it.number > rust_decimal::Decimal::ZERO {
                out.push(
                    advice(
                        "L13",
                        Place { source: 0, span: limit.span },
                        "who gets no energy pays this minimum too",
                    )
                    .help("write `after 1 kWh` behind it, so that a charging that failed costs nothing"),
                );
            }
        }
    };
    for statement in seen.own() {
        match &statement.it {
            Statement::Total(limits) => look(limits),
            Statement::Charge(charge) => look(&charge.limits),
            _ => {}
        }
    }
}

/// L14: a coupon that everybody may use as often as he likes, for ever.
pub(super) fn coupon_without_end(seen: &Seen<'_>, out: &mut Vec<Diagnostic>) {
    let bounded = |rebate: &Rebate| {
        rebate.clauses.iter().any(|clause| {
            matches!(
                clause.it,
                Clause::Until(..) | Clause::TimesPerDriver(_) | Clause::For(_) | Clause::During(_)
            )
        })
    };
    for statement in seen.own() {
        let Statement::Coupon(rebate) = &statement.it else { continue };
        let Some(name) = rebate.name.as_ref().filter(|_| !bounded(rebate)) else { continue };
        out.push(
            advice(
                "L14",
                Place { source: 0, span: name.span },
                "this coupon has no end, and no limit for a driver",
            )
            .help("write `until` with its last day behind it, or `once per driver`; codes are passed on"),
        );
    }
}

/// Whether a quantity is a power of so many kW or more.
pub(super) fn at_least_kw(quantity: &Quantity, kw: i64) -> bool {
    quantity.unit == Unit::Kw && quantity.number >= rust_decimal::Decimal::from(kw)
}
