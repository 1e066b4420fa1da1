//! Facts of a session as clauses over tests in a fixed order, and which answers exclude each other.

use super::{FactIs, TooComplex};
use std::collections::BTreeSet;
use takst_engine::tariff::{Contract, Test, Who};

/// Tests of one kind, whose answers may depend on each other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Axis {
    /// A group other than the default one: any number of them holds.
    Group,
    /// The default group: holds at least when no other does.
    DefaultGroup,
    /// Free of all others.
    Free,
    /// At most one holds.
    OneOf(u8),
    /// Exactly one of the three holds.
    Contract,
    /// Ascending thresholds: what holds for one holds for the lower ones.
    Threshold(Option<Who>),
}

pub(super) fn axis(test: &Test, default_group: Option<u32>) -> Axis {
    match test {
        Test::Group(group) if Some(*group) == default_group => Axis::DefaultGroup,
        Test::Group(_) => Axis::Group,
        Test::Place(_) | Test::Dc | Test::ReservationExpired => Axis::Free,
        Test::Connector(_) | Test::Issuer(_) | Test::PaymentBrand(_) | Test::Plan(_) => {
            Axis::OneOf(rank(test))
        }
        Test::RatedAtLeast(_) => Axis::Threshold(None),
        Test::Contract(_) => Axis::Contract,
        Test::WholeMonthAtLeast { who, .. } => Axis::Threshold(Some(*who)),
    }
}

/// The order in which kinds of tests are asked.
fn rank(test: &Test) -> u8 {
    match test {
        Test::Group(_) => 0,
        Test::Place(_) => 2,
        Test::Dc => 3,
        Test::Connector(_) => 4,
        Test::RatedAtLeast(_) => 5,
        Test::Contract(_) => 6,
        Test::Issuer(_) => 7,
        Test::PaymentBrand(_) => 8,
        Test::ReservationExpired => 9,
        Test::Plan(_) => 10,
        Test::WholeMonthAtLeast { .. } => 11,
    }
}

/// A test, by its place in the list's order, and the answer wanted.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) struct Lit {
    pub(super) test: usize,
    pub(super) is: bool,
}

/// Any of these, ascending.
pub(super) type Clause = Vec<Lit>;

/// Most clauses of a line (a state keeps a bit for each).
pub(super) const MOST_CLAUSES: usize = 32;

/// `alternatives` in clauses that must all hold. An issuer speaks for roaming sessions only, so `ad-hoc, roaming "X"`
/// is `ad-hoc or roaming` and `ad-hoc or X`.
pub(super) fn spelled_out(alternatives: &[FactIs]) -> Vec<Vec<FactIs>> {
    let issuer = |it: &FactIs| it.is && matches!(it.test, Test::Issuer(_));
    if !alternatives.iter().any(issuer) {
        return vec![alternatives.to_vec()];
    }
    let roaming = FactIs { test: Test::Contract(Contract::Roaming), is: true };
    let mut how: Vec<FactIs> = alternatives.iter().filter(|it| !issuer(it)).cloned().collect();
    how.push(roaming);
    vec![how, alternatives.to_vec()]
}

/// All tests in the order in which they are asked.
pub(super) fn in_order<'a>(tests: impl Iterator<Item = &'a Test>, default_group: Option<u32>) -> Vec<Test> {
    let order = |test: &Test| if axis(test, default_group) == Axis::DefaultGroup { 1 } else { rank(test) };
    let sorted: BTreeSet<(u8, &Test)> = tests.map(|test| (order(test), test)).collect();
    sorted.into_iter().map(|(_, test)| test.clone()).collect()
}

/// `None`: holds always. Sorted, without repetitions.
pub(super) fn clause(of: &[FactIs], place: &dyn Fn(&Test) -> usize) -> Option<Clause> {
    let lits: BTreeSet<Lit> = of.iter().map(|it| Lit { test: place(&it.test), is: it.is }).collect();
    let lits: Clause = lits.into_iter().collect();
    let opposites = lits.iter().zip(lits.iter().skip(1)).any(|(a, b)| a.test == b.test);
    (!opposites).then_some(lits)
}

/// Drops clauses that others imply.
///
/// # Errors
/// When more than [`MOST_CLAUSES`] are left.
pub(super) fn needed(mut clauses: Vec<Clause>) -> Result<Vec<Clause>, TooComplex> {
    clauses.sort_by(|a, b| a.len().cmp(&b.len()).then_with(|| a.cmp(b)));
    let mut kept: Vec<Clause> = Vec::new();
    for clause in clauses {
        if !kept.iter().any(|it| implies(it, &clause)) {
            if kept.len() == MOST_CLAUSES {
                return Err(TooComplex);
            }
            kept.push(clause);
        }
    }
    kept.sort();
    Ok(kept)
}

/// Whether each alternative of `a` is one of `b`.
pub(super) fn implies(a: &Clause, b: &Clause) -> bool {
    a.iter().all(|lit| b.binary_search(lit).is_ok())
}
