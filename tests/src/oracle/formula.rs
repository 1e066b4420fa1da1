//! What a formula is worth in a slice.

use super::conditions::{Moment, World, tax_fraction};
use super::feeds::{Missing, Quote};
use super::model::{Expr, Kind, Per, Price, Tariff};
use super::number::{Q, round, round_to, whole, zero};

/// A price's value at `now`; `tax` is the tax rate of the charge it belongs to.
pub fn price(world: &World<'_>, price: &Price, now: &Moment, tax: &Q) -> Result<Q, Missing> {
    match price {
        Price::Free => Ok(zero()),
        Price::Is(expr) => value(world, expr, now, tax),
    }
}

fn value(world: &World<'_>, expr: &Expr, now: &Moment, tax: &Q) -> Result<Q, Missing> {
    let of = |expr: &Expr| value(world, expr, now, tax);
    let with_tax = whole(1) + tax;
    Ok(match expr {
        Expr::Rate(rate) => rate.number.value(),
        Expr::Number(number) => number.value(),
        Expr::Named(name) => {
            let (_, cases) = world.tariff.prices.iter().find(|(n, _)| n == name).expect("a known price");
            price(world, world.pick(cases, now), now, tax)?
        }
        Expr::Feed(name) => in_basis(world, world.feeds[name].at(now.ms)?, &with_tax),
        Expr::Hourly(name) => in_basis(world, world.feeds[name].hourly(now.ms)?, &with_tax),
        Expr::MonthMean(name) => {
            in_basis(world, world.feeds[name].monthly(world.tariff.zone, now.ms)?, &with_tax)
        }
        Expr::CostPrice => world.cost_price.clone().ok_or(Missing)?,
        Expr::EnergyPrice => energy_price(world, now)?,
        Expr::AveragePower => world.average_power.clone(),
        Expr::Add(a, b) => of(a)? + of(b)?,
        Expr::Sub(a, b) => of(a)? - of(b)?,
        Expr::Mul(a, b) => of(a)? * of(b)?,
        Expr::Div(a, b) => round(&(of(a)? / of(b)?), 12),
        Expr::PercentOf(percent, x) => percent.value() / whole(100) * of(x)?,
        Expr::Higher(a, b) | Expr::AtLeast(a, b) => of(a)?.max(of(b)?),
        Expr::Lower(a, b) | Expr::AtMost(a, b) => of(a)?.min(of(b)?),
        Expr::Rounded(x, step) => round_to(&of(x)?, &step.number.value()),
        Expr::PlusVat(x) => of(x)? * with_tax,
        Expr::LessVat(x) => round(&(of(x)? / with_tax), 12),
    })
}

/// A feed's value in the tariff's basis.
fn in_basis(world: &World<'_>, quote: Quote, with_tax: &Q) -> Q {
    match (world.tariff.includes_vat, quote.includes_vat) {
        (true, Some(false)) => quote.value * with_tax,
        (false, Some(true)) => round(&(quote.value / with_tax), 12),
        _ => quote.value,
    }
}

/// The sum of what the energy charges say at `now`, each with its own tax rate.
fn energy_price(world: &World<'_>, now: &Moment) -> Result<Q, Missing> {
    let mut sum = zero();
    for (i, charge) in world.tariff.charges.iter().enumerate().filter(|(_, c)| c.kind == Kind::Energy) {
        let tax = tax_fraction(world.vat(Some(i), now));
        sum += price(world, world.pick(&charge.cases, now), now, &tax)?;
    }
    Ok(sum)
}

/// The addends of a price and their values, where it is a sum of different named prices and feeds, perhaps rounded.
#[must_use]
pub fn parts(world: &World<'_>, price: &Price, now: &Moment, tax: &Q) -> Vec<(String, Q)> {
    let Price::Is(expr) = price else { return vec![] };
    let mut sum = if let Expr::Rounded(x, _) = expr { x } else { expr };
    let mut found = vec![];
    loop {
        let (rest, last) = match sum {
            Expr::Add(a, b) => (Some(a), b.as_ref()),
            only => (None, only),
        };
        let (Expr::Named(name) | Expr::Feed(name)) = last else { return vec![] };
        // A named price that is a sum itself shows its own addends.
        let is_sum =
            |price: &Price| matches!(price, Price::Is(Expr::Add(..) | Expr::Sub(..) | Expr::Rounded(..)));
        let named = world.tariff.prices.iter().find(|(n, _)| n == name);
        if named.is_some_and(|(_, cases)| cases.iter().any(|case| is_sum(&case.what))) {
            return vec![];
        }
        let Ok(worth) = value(world, last, now, tax) else { return vec![] };
        if found.iter().any(|(n, _)| n == name) {
            return vec![];
        }
        found.insert(0, (name.clone(), worth));
        match rest {
            Some(rest) => sum = rest,
            None => return if found.len() > 1 { found } else { vec![] },
        }
    }
}

/// What a time price is per: the unit of its rates; mean power times a price per kWh is per hour.
#[must_use]
pub fn per(tariff: &Tariff, price: &Price) -> Option<Per> {
    let Price::Is(expr) = price else { return None };
    per_of(tariff, expr)
}

fn per_of(tariff: &Tariff, expr: &Expr) -> Option<Per> {
    let of = |expr: &Expr| per_of(tariff, expr);
    match expr {
        Expr::Rate(rate) => Some(rate.per),
        Expr::Number(_) => None,
        Expr::Named(name) => {
            let (_, cases) = tariff.prices.iter().find(|(n, _)| n == name)?;
            cases.iter().find_map(|case| per(tariff, &case.what))
        }
        Expr::Feed(_) | Expr::Hourly(_) | Expr::MonthMean(_) | Expr::CostPrice | Expr::EnergyPrice => {
            Some(Per::Kwh)
        }
        Expr::AveragePower => Some(Per::Hour),
        Expr::Mul(a, b) => match (of(a), of(b)) {
            (Some(Per::Hour), _) | (_, Some(Per::Hour)) => Some(Per::Hour),
            (a, b) => a.or(b),
        },
        Expr::Add(a, b)
        | Expr::Sub(a, b)
        | Expr::Div(a, b)
        | Expr::Higher(a, b)
        | Expr::Lower(a, b)
        | Expr::AtLeast(a, b)
        | Expr::AtMost(a, b) => of(a).or_else(|| of(b)),
        Expr::PercentOf(_, x) | Expr::Rounded(x, _) | Expr::PlusVat(x) | Expr::LessVat(x) => of(x),
    }
}
