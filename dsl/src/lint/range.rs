//! Between which amounts a price lies, as far as the list alone tells.

use rust_decimal::Decimal;
use takst_engine::tariff::{Formula, Node, NodeId, Outcome, Per, Tariff};

/// Lowest and highest amount; none where something from outside decides.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Range {
    pub low: Option<Decimal>,
    pub high: Option<Decimal>,
}

/// Named prices inside named prices, at most.
const MOST_DEPTH: u8 = 20;

/// What a formula can come to.
pub(super) fn range(tariff: &Tariff, formula: &Formula) -> Range {
    of(tariff, formula, 0)
}

/// What a leaf's price can come to; zero where it is free; none for what is no price.
pub(super) fn of_leaf(tariff: &Tariff, leaf: u32) -> Option<(Range, Option<Per>)> {
    match &tariff.leaves.get(leaf as usize)?.outcome {
        Outcome::Price(price) => Some((range(tariff, &price.formula), Some(price.per))),
        Outcome::Free => Some((exactly(Decimal::ZERO), None)),
        _ => None,
    }
}

/// The leaves in which a diagram can end, ascending.
pub(super) fn leaves(tariff: &Tariff, root: NodeId) -> Vec<u32> {
    let mut seen = std::collections::BTreeSet::new();
    let mut found = std::collections::BTreeSet::new();
    let mut todo = vec![root];
    while let Some(node) = todo.pop() {
        if !seen.insert(node) {
            continue;
        }
        match tariff.nodes.get(node as usize) {
            Some(Node::Leaf(leaf)) => {
                found.insert(*leaf);
            }
            Some(Node::Fact { yes, no, .. }) => todo.extend([*yes, *no]),
            Some(Node::Measure { children, .. } | Node::Days(children) | Node::Minutes { children, .. }) => {
                todo.extend(children);
            }
            Some(Node::Hole) | None => {}
        }
    }
    found.into_iter().collect()
}

fn exactly(value: Decimal) -> Range {
    Range { low: Some(value), high: Some(value) }
}

fn both(
    a: Option<Decimal>,
    b: Option<Decimal>,
    with: impl Fn(Decimal, Decimal) -> Option<Decimal>,
) -> Option<Decimal> {
    with(a?, b?)
}

/// The lower or higher of what is known; an unknown side cannot make it higher (or lower) than the known one.
fn either(a: Option<Decimal>, b: Option<Decimal>, pick: fn(Decimal, Decimal) -> Decimal) -> Option<Decimal> {
    match (a, b) {
        (Some(a), Some(b)) => Some(pick(a, b)),
        (a, b) => a.or(b),
    }
}

fn of(tariff: &Tariff, formula: &Formula, depth: u8) -> Range {
    if depth > MOST_DEPTH {
        return Range::default();
    }
    let inner = |formula: &Formula| of(tariff, formula, depth + 1);
    match formula {
        Formula::Const(value) => exactly(*value),
        Formula::Value(value) => {
            let Some(value) = tariff.values.get(*value as usize) else { return Range::default() };
            let all = leaves(tariff, value.root).into_iter().map(|leaf| {
                match tariff.leaves.get(leaf as usize).map(|leaf| &leaf.outcome) {
                    Some(Outcome::Price(price)) => inner(&price.formula),
                    Some(Outcome::Free) => exactly(Decimal::ZERO),
                    _ => Range::default(),
                }
            });
            let join = |a: Range, b: Range| Range {
                low: both(a.low, b.low, |a, b| Some(a.min(b))),
                high: both(a.high, b.high, |a, b| Some(a.max(b))),
            };
            all.reduce(join).unwrap_or_default()
        }
        Formula::AveragePower => Range { low: Some(Decimal::ZERO), high: None },
        Formula::Feed { .. } | Formula::EnergyPrice | Formula::CostPrice => Range::default(),
        Formula::Add(a, b) => {
            let (a, b) = (inner(a), inner(b));
            Range {
                low: both(a.low, b.low, Decimal::checked_add),
                high: both(a.high, b.high, Decimal::checked_add),
            }
        }
        Formula::Sub(a, b) => {
            let (a, b) = (inner(a), inner(b));
            Range {
                low: both(a.low, b.high, Decimal::checked_sub),
                high: both(a.high, b.low, Decimal::checked_sub),
            }
        }
        Formula::Mul(a, b) => corners(inner(a), inner(b), Decimal::checked_mul),
        Formula::Div(a, b) => {
            let b = inner(b);
            let above = b.low.is_some_and(|low| low > Decimal::ZERO);
            if above { corners(inner(a), b, Decimal::checked_div) } else { Range::default() }
        }
        Formula::Higher(a, b) => {
            let (a, b) = (inner(a), inner(b));
            Range {
                low: either(a.low, b.low, Decimal::max),
                high: both(a.high, b.high, |a, b| Some(a.max(b))),
            }
        }
        Formula::Lower(a, b) => {
            let (a, b) = (inner(a), inner(b));
            Range {
                low: both(a.low, b.low, |a, b| Some(a.min(b))),
                high: either(a.high, b.high, Decimal::min),
            }
        }
        Formula::Round(value, _) | Formula::PlusVat(value) | Formula::LessVat(value) => inner(value),
    }
}

fn corners(a: Range, b: Range, with: fn(Decimal, Decimal) -> Option<Decimal>) -> Range {
    let (Some(a), Some(b)) = (a.low.zip(a.high), b.low.zip(b.high)) else { return Range::default() };
    let all = [with(a.0, b.0), with(a.0, b.1), with(a.1, b.0), with(a.1, b.1)];
    let known: Option<Vec<Decimal>> = all.into_iter().collect();
    known.map_or_else(Range::default, |known| Range {
        low: known.iter().copied().reduce(Decimal::min),
        high: known.iter().copied().reduce(Decimal::max),
    })
}
