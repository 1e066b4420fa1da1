//! What must be asked of a tariff so that a leaf decides an amount: a charge whose price it is, or is made of it, or is taxed
//! by it.

use super::formulas::each;
use super::ways::Goal;
use std::collections::BTreeSet;
use takst_engine::tariff::{Formula, MonthWhat, Node, NodeId, Outcome, Tariff};

/// Whose amount it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Focus {
    /// A charge of a session: index into the tariff's charges.
    Session(usize),
    /// A charge of the month: index into the tariff's month charges.
    Month(usize),
}

/// Most combinations of goals for one line.
const MOST: usize = 24;
/// How far named prices may stand on one another here.
const MOST_DEPTH: usize = 12;

/// For the leaves of a price line: the charges for whose amount they can matter, each with the goals that make it so.
pub(crate) fn goals_of(tariff: &Tariff, leaves: &[u32]) -> Vec<(Focus, Vec<Goal>)> {
    let wanted: BTreeSet<u32> = leaves.iter().copied().collect();
    let mut out = Vec::new();
    let by_price = with_priced(tariff, &wanted, 0);
    for (focus, root, _) in charges(tariff) {
        for (target, chain) in &by_price {
            if reaches(tariff, root, target) {
                let first = Goal { root, leaves: target.clone() };
                out.push((focus, std::iter::once(first).chain(chain.iter().cloned()).collect()));
            }
        }
    }
    // As a tax: any price of the charge will do; one that is not free first, or there is nothing to tax.
    let taxes = |leaf: &u32| {
        tariff.leaves.get(*leaf as usize).is_some_and(|leaf| matches!(leaf.outcome, Outcome::Tax(_)))
    };
    if wanted.iter().any(taxes) {
        for (focus, root, tax) in charges(tariff) {
            if !reaches(tariff, tax, &wanted) {
                continue;
            }
            let priced: BTreeSet<u32> = (0..)
                .zip(&tariff.leaves)
                .filter(|(_, leaf)| matches!(leaf.outcome, Outcome::Price(_)))
                .map(|(id, _)| id)
                .collect();
            let price = Goal { root, leaves: priced };
            out.push((focus, vec![price, Goal { root: tax, leaves: wanted.clone() }]));
        }
    }
    out.truncate(MOST);
    out
}

/// Sets of leaves that a charge's list may end in, with what else must hold then: the leaves themselves; and those whose
/// formula uses a named price that ends in one of them.
fn with_priced(tariff: &Tariff, wanted: &BTreeSet<u32>, depth: usize) -> Vec<(BTreeSet<u32>, Vec<Goal>)> {
    let mut out = vec![(wanted.clone(), Vec::new())];
    if depth >= MOST_DEPTH {
        return out;
    }
    for (index, value) in (0_u32..).zip(&tariff.values) {
        if !reaches(tariff, value.root, wanted) {
            continue;
        }
        let users: BTreeSet<u32> = (0..)
            .zip(&tariff.leaves)
            .filter(|(_, leaf)| matches!(&leaf.outcome, Outcome::Price(price) if uses(&price.formula, index)))
            .map(|(id, _)| id)
            .collect();
        if users.is_empty() {
            continue;
        }
        let here = Goal { root: value.root, leaves: wanted.clone() };
        for (target, chain) in with_priced(tariff, &users, depth + 1) {
            out.push((target, chain.into_iter().chain([here.clone()]).collect()));
            if out.len() >= MOST {
                return out;
            }
        }
    }
    out
}

fn uses(formula: &Formula, value: u32) -> bool {
    let mut found = false;
    each(formula, &mut |inner| found |= matches!(inner, Formula::Value(known) if *known == value));
    found
}

/// All charges with their diagrams of prices and taxes.
fn charges(tariff: &Tariff) -> impl Iterator<Item = (Focus, NodeId, NodeId)> {
    let of_session = tariff
        .charges
        .iter()
        .enumerate()
        .map(|(index, charge)| (Focus::Session(index), charge.root, charge.tax));
    let of_month = tariff.month.iter().enumerate().map(|(index, charge)| {
        let root = match charge.what {
            MonthWhat::Monthly(root) | MonthWhat::OneOff(root) => root,
            MonthWhat::Power { root, .. } | MonthWhat::SiteCredit { root, .. } => root,
        };
        (Focus::Month(index), root, charge.tax)
    });
    of_session.chain(of_month)
}

/// Whether a diagram can end in one of the leaves.
fn reaches(tariff: &Tariff, root: NodeId, leaves: &BTreeSet<u32>) -> bool {
    let mut seen = BTreeSet::new();
    let mut todo = vec![root];
    while let Some(node) = todo.pop() {
        if !seen.insert(node) {
            continue;
        }
        match tariff.nodes.get(node as usize) {
            Some(Node::Leaf(leaf)) if leaves.contains(leaf) => return true,
            Some(Node::Fact { yes, no, .. }) => todo.extend([*yes, *no]),
            Some(Node::Measure { children, .. } | Node::Days(children) | Node::Minutes { children, .. }) => {
                todo.extend(children);
            }
            _ => {}
        }
    }
    false
}
