//! Makes a pair smaller by leaving things out, one at a time.

use super::Pair;
use crate::oracle::model::{Case, Expr, Per, Price, Rate, Tariff};
use crate::oracle::number::Dec;

/// The pair after leaving out as much as possible while `fails` still says so, within `budget` trials.
pub fn shrink(mut pair: Pair, budget: usize, fails: impl Fn(&Pair) -> bool) -> Pair {
    let mut left = budget;
    loop {
        let mut smaller = None;
        for candidate in candidates(&pair) {
            if left == 0 {
                return pair;
            }
            left -= 1;
            if fails(&candidate) {
                smaller = Some(candidate);
                break;
            }
        }
        match smaller {
            Some(candidate) => pair = candidate,
            None => return pair,
        }
    }
}

/// Collects variants of a pair.
struct Variants<'a> {
    pair: &'a Pair,
    all: Vec<Pair>,
}

impl Variants<'_> {
    fn change(&mut self, change: impl FnOnce(&mut Pair)) {
        let mut next = self.pair.clone();
        change(&mut next);
        if next != *self.pair {
            self.all.push(next);
        }
    }

    /// Without all, without one half, without each single element of a list.
    fn without<T>(&mut self, list: impl Fn(&mut Pair) -> &mut Vec<T>) {
        let mut copy = self.pair.clone();
        let length = list(&mut copy).len();
        if length > 1 {
            self.change(|p| list(p).clear());
            self.change(|p| list(p).truncate(length / 2));
            self.change(|p| drop(list(p).drain(..length / 2)));
        }
        for i in 0..length {
            self.change(|p| drop(list(p).remove(i)));
        }
    }
}

fn candidates(pair: &Pair) -> Vec<Pair> {
    let mut variants = Variants { pair, all: vec![] };
    let v = &mut variants;
    v.change(|p| p.tariff.style = 0);
    v.without(|p| &mut p.tariff.charges);
    v.without(|p| &mut p.tariff.discounts);
    v.without(|p| &mut p.tariff.coupons);
    v.without(|p| &mut p.tariff.total);
    v.without(|p| &mut p.tariff.vat_on);
    v.without(|p| &mut p.tariff.prices);
    v.without(|p| &mut p.tariff.values);
    v.without(|p| &mut p.tariff.feeds);
    v.without(|p| &mut p.tariff.periods);
    v.without(|p| &mut p.tariff.places);
    v.change(|p| p.tariff.coupon_scope = None);
    v.change(|p| p.tariff.based = None);
    v.change(|p| p.tariff.valid_from = None);
    v.change(|p| p.tariff.valid_until = None);
    v.without(|p| &mut p.tariff.taxes);
    v.change(|p| p.session.reservation = None);
    v.change(|p| p.session.hidden = None);
    v.change(|p| p.session.amps_per_kw = None);
    v.change(|p| p.tariff.receipt_step = None);
    v.change(|p| {
        p.tariff.groups.clear();
        p.tariff.default_group = None;
    });
    for i in 0..pair.tariff.charges.len() {
        v.change(|p| p.tariff.charges[i].after = None);
        v.change(|p| p.tariff.charges[i].step = None);
        v.change(|p| p.tariff.charges[i].steps_without_parking = false);
        v.without(|p| &mut p.tariff.charges[i].limits);
        lines(v, |t| &mut t.charges[i].cases);
        prices(v, |t| &mut t.charges[i].cases);
    }
    for i in 0..pair.tariff.prices.len() {
        lines(v, |t| &mut t.prices[i].1);
        prices(v, |t| &mut t.prices[i].1);
    }
    for i in 0..pair.tariff.values.len() {
        lines(v, |t| &mut t.values[i].1);
    }
    lines(v, |t| &mut t.vat);
    for i in 0..pair.tariff.vat_on.len() {
        lines(v, |t| &mut t.vat_on[i].1);
    }
    for i in 0..pair.tariff.discounts.len() {
        v.without(|p| &mut p.tariff.discounts[i].when);
    }
    for i in 0..pair.tariff.coupons.len() {
        v.without(|p| &mut p.tariff.coupons[i].when);
    }
    session(v);
    variants.all
}

/// Without single lines (the last one answers the rest) and single conditions.
fn lines<T>(v: &mut Variants<'_>, list: impl Fn(&mut Tariff) -> &mut Vec<Case<T>>) {
    let mut copy = v.pair.clone();
    let cases: Vec<usize> = list(&mut copy.tariff).iter().map(|case| case.when.len()).collect();
    let conditional = cases.last() != Some(&0);
    for (i, conditions) in cases.iter().enumerate() {
        if i + 1 < cases.len() {
            v.change(|p| drop(list(&mut p.tariff).remove(i)));
        }
        if i + 1 == cases.len() && conditional {
            v.change(|p| list(&mut p.tariff)[i].when.clear());
        }
        if *conditions > 1 {
            (0..*conditions).for_each(|c| v.change(|p| drop(list(&mut p.tariff)[i].when.remove(c))));
        }
    }
}

/// With simpler formulas.
fn prices(v: &mut Variants<'_>, list: impl Fn(&mut Tariff) -> &mut Vec<Case<Price>>) {
    let mut copy = v.pair.clone();
    for (i, case) in list(&mut copy.tariff).iter().enumerate() {
        let Price::Is(expr) = &case.what else { continue };
        for simpler in simpler(&v.pair.tariff, expr) {
            v.change(|p| list(&mut p.tariff)[i].what = Price::Is(simpler));
        }
    }
}

fn simpler(tariff: &Tariff, expr: &Expr) -> Vec<Expr> {
    let mut all = match expr {
        Expr::Rate(_) | Expr::Number(_) | Expr::Named(_) | Expr::EnergyPrice | Expr::AveragePower => vec![],
        Expr::Feed(_) | Expr::Hourly(_) | Expr::MonthMean(_) | Expr::CostPrice => vec![],
        // Factors have other units than their product; brackets around one are kept.
        Expr::Mul(..) => vec![],
        Expr::Add(a, b)
        | Expr::Sub(a, b)
        | Expr::Higher(a, b)
        | Expr::Lower(a, b)
        | Expr::AtLeast(a, b)
        | Expr::AtMost(a, b) => vec![(**a).clone(), (**b).clone()],
        Expr::Div(x, _) | Expr::PercentOf(_, x) | Expr::Rounded(x, _) => vec![(**x).clone()],
        Expr::PlusVat(_) | Expr::LessVat(_) => vec![],
    };
    let one = |per| Expr::Rate(Rate { number: Dec::of("1.00"), per, includes_vat: None });
    if !matches!(expr, Expr::Rate(_)) {
        let per = crate::oracle::formula::per(tariff, &Price::Is(expr.clone()));
        all.push(one(per.unwrap_or(Per::Kwh)));
    }
    all
}

fn session(v: &mut Variants<'_>) {
    v.without(|p| &mut p.session.readings);
    v.without(|p| &mut p.session.states);
    v.without(|p| &mut p.session.power);
    v.without(|p| &mut p.session.occupancy);
    v.without(|p| &mut p.session.groups);
    v.without(|p| &mut p.session.coupons);
    v.without(|p| &mut p.standing.energy);
    v.without(|p| &mut p.standing.money);
    v.without(|p| &mut p.standing.coupons);
    v.without(|p| &mut p.standing.lifts);
    v.without(|p| &mut p.standing.times);
    v.without(|p| &mut p.standing.whole);
    v.without(|p| &mut p.files);
    for i in 0..v.pair.files.len() {
        // Prices at the edges may go; a gap would make the bill pending.
        v.change(|p| {
            p.files[i].steps.pop();
        });
        v.change(|p| {
            if p.files[i].steps.len() > 1 {
                p.files[i].steps.remove(0);
            }
        });
        let half = v.pair.files[i].steps.len() / 2;
        v.change(|p| p.files[i].steps.truncate(half));
        v.change(|p| drop(p.files[i].steps.drain(..half)));
    }
    v.change(|p| {
        p.session.has_export = false;
        p.session.readings.iter_mut().for_each(|r| r.export = 0);
    });
    v.change(|p| {
        let first = p.session.readings.first().map_or(0, |r| r.import);
        p.session.readings.iter_mut().filter(|r| r.segment == 0).for_each(|r| r.import -= first);
    });
}
