//! Facts of a session as clauses over tests in a fixed order, and which answers exclude each other.

use super::{FactIs, TooComplex};
use std::collections::{BTreeMap, BTreeSet};
use takst_engine::tariff::{Contract, Place, Test, Who};

/// Tests of one kind, whose answers may depend on each other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Axis {
    /// A group other than the default one: any number of them holds.
    Group,
    /// The default group: holds at least when no other does.
    DefaultGroup,
    /// A place, with its cluster (from 1): a charger can be in several places of one cluster only.
    Place(u32),
    /// Free of all others.
    Free,
    /// At most one holds.
    OneOf(u8),
    /// Exactly one of the three holds.
    Contract,
    /// Ascending thresholds: what holds for one holds for the lower ones.
    Threshold(Option<Who>),
}

/// What is known of all sessions.
#[derive(Clone, Default, Debug)]
pub(super) struct World {
    /// How many groups there are, and the one of drivers who are in no other.
    pub(super) groups: usize,
    pub(super) default_group: Option<u32>,
    /// For each place its cluster, from 1; places beyond are all in one.
    pub(super) clusters: Vec<u32>,
}

impl World {
    /// Joins places that one charger may be in: those that share an id, and lists of chargers with lists of sites,
    /// since nothing tells at which site a charger stands.
    pub(super) fn cluster(&mut self, places: &[Place]) {
        let mut of_id: BTreeMap<(bool, &str), usize> = BTreeMap::new();
        let mut joined: Vec<usize> = (0..places.len()).collect();
        let find = |joined: &[usize], mut at: usize| {
            while let Some(up) = joined.get(at).copied().filter(|up| *up != at) {
                at = up;
            }
            at
        };
        let mut join = |a: usize, b: usize| {
            let (a, b) = (find(&joined, a), find(&joined, b));
            if let Some(slot) = joined.get_mut(a.max(b)) {
                *slot = a.min(b);
            }
        };
        for (at, place) in places.iter().enumerate() {
            let ids =
                place.chargers.iter().map(|id| (false, id)).chain(place.sites.iter().map(|id| (true, id)));
            for (is_site, id) in ids {
                join(at, *of_id.entry((is_site, id.as_str())).or_insert(at));
            }
        }
        let with_chargers = (0..).zip(places).find(|(_, it)| !it.chargers.is_empty());
        if let Some((charger, _)) = with_chargers
            && places.iter().any(|it| !it.sites.is_empty())
        {
            (0..places.len()).for_each(|at| join(charger, at));
        }
        let number = |at| u32::try_from(find(&joined, at)).unwrap_or(u32::MAX - 1) + 1;
        self.clusters = (0..places.len()).map(number).collect();
    }

    fn cluster_of(&self, place: u32) -> u32 {
        usize::try_from(place).ok().and_then(|at| self.clusters.get(at)).copied().unwrap_or(1)
    }
}

pub(super) fn axis(test: &Test, world: &World) -> Axis {
    match test {
        Test::Group(group) if Some(*group) == world.default_group => Axis::DefaultGroup,
        Test::Group(_) => Axis::Group,
        Test::Place(place) => Axis::Place(world.cluster_of(*place)),
        Test::Dc | Test::ReservationExpired => Axis::Free,
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
pub(super) fn in_order<'a>(tests: impl Iterator<Item = &'a Test>, world: &World) -> Vec<Test> {
    let order = |test: &Test| match axis(test, world) {
        Axis::DefaultGroup => (1, 0),
        Axis::Place(cluster) => (rank(test), cluster),
        _ => (rank(test), 0),
    };
    let sorted: BTreeSet<((u8, u32), &Test)> = tests.map(|test| (order(test), test)).collect();
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
