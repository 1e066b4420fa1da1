//! Ways through the diagrams of a tariff to given leaves: which answers lead there.

use std::collections::{BTreeMap, BTreeSet};
use takst_engine::calendar::answers;
use takst_engine::calendar_time::LocalTime;
use takst_engine::tariff::{CALENDAR, Node, NodeId, Tariff};
use takst_engine::units::Day;

/// A diagram that shall end in one of these leaves.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Goal {
    /// Where it starts.
    pub root: NodeId,
    /// Where it shall end.
    pub leaves: BTreeSet<u32>,
}

/// Answers that lead to the goals. What is not said does not matter.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Way {
    /// By index into the tariff's tests.
    pub facts: BTreeMap<u32, bool>,
    /// By index into the tariff's measures: from (included) and below (excluded).
    pub measures: BTreeMap<u32, (Option<i64>, Option<i64>)>,
    /// Classes of days; none when every day will do.
    pub classes: Option<BTreeSet<usize>>,
    /// Minutes of the day, from and to (excluded).
    pub minutes: (u16, u16),
}

/// Steps of one search: lists with thousands of lines get an answer in time, if perhaps none.
const MOST_STEPS: usize = 40_000;
/// Ways that are looked at.
const MOST_WAYS: usize = 48;
/// Questions on one way: bounds the depth of the search.
const MOST_DEPTH: usize = 1_500;

/// A search for ways.
pub(crate) struct Ways<'t> {
    tariff: &'t Tariff,
    goals: &'t [Goal],
    /// By goal and node whether one of the goal's leaves lies below.
    leads: Vec<Vec<bool>>,
    steps: usize,
    found: usize,
}

impl<'t> Ways<'t> {
    pub(crate) fn new(tariff: &'t Tariff, goals: &'t [Goal]) -> Self {
        let leads = goals.iter().map(|goal| leads(tariff, goal)).collect();
        Self { tariff, goals, leads, steps: MOST_STEPS, found: MOST_WAYS }
    }

    /// Calls `visit` with each way until it says that it is enough. Ways with fewer conditions tend to come first.
    pub(crate) fn each(mut self, visit: &mut dyn FnMut(&Way) -> bool) {
        let way = Way {
            facts: BTreeMap::new(),
            measures: BTreeMap::new(),
            classes: None,
            minutes: (0, crate::calendar::DAY_MINUTES),
        };
        if let Some(first) = self.goals.first() {
            self.go(0, first.root, &way, 0, visit);
        }
    }

    /// True: enough.
    fn go(
        &mut self,
        goal: usize,
        node: NodeId,
        way: &Way,
        depth: usize,
        visit: &mut dyn FnMut(&Way) -> bool,
    ) -> bool {
        if self.steps == 0 || self.found == 0 || depth > MOST_DEPTH {
            return true;
        }
        self.steps -= 1;
        if !self.leads(goal, node) {
            return false;
        }
        let tariff = self.tariff;
        match tariff.nodes.get(node as usize) {
            None | Some(Node::Hole) => false,
            Some(Node::Leaf(_)) => match self.goals.get(goal + 1) {
                Some(next) => self.go(goal + 1, next.root, way, depth + 1, visit),
                None => {
                    self.found -= 1;
                    visit(way)
                }
            },
            Some(Node::Fact { test, yes, no }) => {
                let known = way.facts.get(test).copied();
                for (is, child) in [(false, *no), (true, *yes)] {
                    if known.is_some_and(|known| known != is) || !self.leads(goal, child) {
                        continue;
                    }
                    let mut next = way.clone();
                    next.facts.insert(*test, is);
                    if self.go(goal, child, &next, depth + 1, visit) {
                        return true;
                    }
                }
                false
            }
            Some(Node::Measure { measure, edges, children }) => {
                let (known_from, known_below) = way.measures.get(measure).copied().unwrap_or_default();
                for (at, child) in children.iter().enumerate() {
                    let from = at.checked_sub(1).and_then(|at| edges.get(at)).copied();
                    let below = edges.get(at).copied();
                    let from = from.max(known_from);
                    let below = match (below, known_below) {
                        (Some(a), Some(b)) => Some(a.min(b)),
                        (a, b) => a.or(b),
                    };
                    let empty = below.is_some_and(|below| from.unwrap_or(0) >= below);
                    if empty || !self.leads(goal, *child) {
                        continue;
                    }
                    let mut next = way.clone();
                    next.measures.insert(*measure, (from, below));
                    if self.go(goal, *child, &next, depth + 1, visit) {
                        return true;
                    }
                }
                false
            }
            Some(Node::Days(children)) => {
                let mut by_child: BTreeMap<NodeId, BTreeSet<usize>> = BTreeMap::new();
                for (class, child) in children.iter().enumerate() {
                    if way.classes.as_ref().is_none_or(|known| known.contains(&class)) {
                        by_child.entry(*child).or_default().insert(class);
                    }
                }
                for (child, classes) in by_child {
                    if !self.leads(goal, child) {
                        continue;
                    }
                    let next = Way { classes: Some(classes), ..way.clone() };
                    if self.go(goal, child, &next, depth + 1, visit) {
                        return true;
                    }
                }
                false
            }
            Some(Node::Minutes { edges, children }) => {
                let ends = edges.iter().skip(1).copied().chain([crate::calendar::DAY_MINUTES]);
                for ((from, to), child) in edges.iter().copied().zip(ends).zip(children) {
                    let minutes = (from.max(way.minutes.0), to.min(way.minutes.1));
                    if minutes.0 >= minutes.1 || !self.leads(goal, *child) {
                        continue;
                    }
                    let next = Way { minutes, ..way.clone() };
                    if self.go(goal, *child, &next, depth + 1, visit) {
                        return true;
                    }
                }
                false
            }
        }
    }

    fn leads(&self, goal: usize, node: NodeId) -> bool {
        self.leads.get(goal).and_then(|nodes| nodes.get(node as usize)).copied().unwrap_or(false)
    }
}

/// Children come before their parents, so one pass is enough.
fn leads(tariff: &Tariff, goal: &Goal) -> Vec<bool> {
    let mut leads: Vec<bool> = Vec::with_capacity(tariff.nodes.len());
    for node in &tariff.nodes {
        let is = |id: &NodeId| leads.get(*id as usize).copied().unwrap_or(false);
        let here = match node {
            Node::Hole => false,
            Node::Leaf(leaf) => goal.leaves.contains(leaf),
            Node::Fact { yes, no, .. } => is(yes) || is(no),
            Node::Measure { children, .. } | Node::Days(children) | Node::Minutes { children, .. } => {
                children.iter().any(is)
            }
        };
        leads.push(here);
    }
    leads
}

/// Which class each day of the calendar is of; worked out when it is first asked for.
pub(crate) struct Days<'t> {
    tariff: &'t Tariff,
    of_day: Option<Vec<usize>>,
}

impl<'t> Days<'t> {
    pub(crate) fn new(tariff: &'t Tariff) -> Self {
        Self { tariff, of_day: None }
    }

    /// The days of these classes from `from` on, as long as the list is in force.
    pub(crate) fn from(&mut self, from: Day, classes: Option<&BTreeSet<usize>>) -> impl Iterator<Item = Day> {
        let tariff = self.tariff;
        let of_day = self.of_day.get_or_insert_with(|| classes_of_days(tariff));
        let fits = move |day: &Day| {
            let Some(classes) = classes else { return true };
            let at = usize::try_from(day - CALENDAR.start).unwrap_or(usize::MAX);
            of_day.get(at).is_some_and(|class| classes.contains(class))
        };
        let over = tariff.valid_until.map_or(CALENDAR.end, |until| {
            LocalTime::at(&tariff.zone, until.0 - 1).day.saturating_add(1).min(CALENDAR.end)
        });
        (from.max(CALENDAR.start)..over).filter(fits)
    }
}

fn classes_of_days(tariff: &Tariff) -> Vec<usize> {
    let Some(found) = answers(&tariff.days.tests, crate::calendar::MOST_CLASSES) else { return Vec::new() };
    let class = |set: &Vec<u16>| tariff.days.classes.iter().position(|known| known == set);
    let places: Vec<usize> = found.sets.iter().map(|set| class(set).unwrap_or(usize::MAX)).collect();
    let place = |old: &u32| places.get(*old as usize).copied().unwrap_or(usize::MAX);
    found.of_day.iter().map(place).collect()
}
