//! The walk: depth first through facts, measures, days and minutes with the lines that may still win.
#![expect(
    clippy::indexing_slicing,
    reason = "rows, tests, measures and cells are numbered by the list itself"
)]

use super::cells::Bits;
use super::facts::Axis;
use super::list::{Questions, Regions, Row};
use super::table::{FastMap, Table};
use super::{MOST_NODES, TooComplex};
use crate::calendar::DAY_MINUTES;
use std::collections::BTreeSet;
use takst_engine::tariff::NodeId;

/// What a walk may cost: bounds time and memory whatever the lines are.
#[derive(Debug)]
pub(super) struct Budget {
    /// Steps of this list, and lines looked at in all.
    steps: usize,
    work: usize,
}

/// Lines looked at for all lists of a tariff.
const MOST_WORK: usize = 60_000_000;
/// The same for explaining the dead lines of one list.
const EXPLAINING_WORK: usize = 2_000_000;

impl Budget {
    pub(super) fn of_tariff() -> Self {
        Self { steps: MOST_NODES, work: MOST_WORK }
    }

    pub(super) fn of_explaining() -> Self {
        Self { steps: MOST_NODES, work: EXPLAINING_WORK }
    }

    pub(super) fn start_list(&mut self) {
        self.steps = MOST_NODES;
    }

    fn step(&mut self, lines: usize) -> Result<(), TooComplex> {
        self.steps = self.steps.checked_sub(1).ok_or(TooComplex)?;
        self.spend(lines)
    }

    pub(super) fn spend(&mut self, work: usize) -> Result<(), TooComplex> {
        self.work = self.work.checked_sub(work).ok_or(TooComplex)?;
        Ok(())
    }
}

/// A line and its clauses that do not hold yet (bits).
type Open = (u32, u32);

/// Where the walk through the facts stands.
struct State {
    lines: Vec<Open>,
    /// Tests before this one are answered or do not matter.
    next: usize,
    /// Groups: 1 while every group so far was answered with no. Contracts: how many were. Places: the cluster of
    /// the one that was answered with yes, from 1.
    known: u32,
}

/// A test whose answers are being walked.
struct Frame {
    key: FactKey,
    yes: Option<State>,
    no: Option<NodeId>,
}

/// Test, [`State::known`] and lines.
type FactKey = (usize, u32, Vec<Open>);

/// One walk.
pub(super) struct Walk<'a> {
    questions: &'a Questions,
    rows: &'a [Row],
    table: &'a mut Table,
    budget: &'a mut Budget,
    regions: Regions,
    won: Vec<bool>,
    facts: FastMap<FactKey, NodeId>,
    rest: FastMap<(usize, Vec<u32>), NodeId>,
    minutes: FastMap<Vec<(u16, Option<u32>)>, NodeId>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        questions: &'a Questions,
        rows: &'a [Row],
        table: &'a mut Table,
        budget: &'a mut Budget,
    ) -> Self {
        Self {
            questions,
            rows,
            table,
            budget,
            regions: Regions::new(questions, rows),
            won: vec![false; rows.len()],
            facts: FastMap::default(),
            rest: FastMap::default(),
            minutes: FastMap::default(),
        }
    }

    /// The diagram's root, and which lines win in any case.
    pub(super) fn run(mut self) -> Result<(NodeId, Vec<bool>), TooComplex> {
        let all = (0..).zip(self.rows).filter(|(_, row)| !row.never);
        let lines = all.map(|(line, row)| (line, full(row.clauses.len()))).collect();
        let lines = self.drop_covered(lines)?;
        let known = u32::from(self.questions.names_all_groups);
        // By hand and not by calls: a list may name thousands of chargers.
        let mut frames: Vec<Frame> = Vec::new();
        let mut todo = State { lines, next: 0, known };
        loop {
            let mut done = match self.enter(todo)? {
                Entered::Done(node) => node,
                Entered::Asks(frame, first) => {
                    frames.push(frame);
                    todo = first;
                    continue;
                }
            };
            todo = loop {
                let Some(mut frame) = frames.pop() else {
                    return Ok((done, self.won));
                };
                if let Some(yes) = frame.yes.take() {
                    frame.no = Some(done);
                    frames.push(frame);
                    break yes;
                }
                // An answer that cannot be goes where the other one goes.
                let test = &self.questions.tests[frame.key.0];
                done = self.table.fact(test, done, frame.no.unwrap_or(done))?;
                self.facts.insert(frame.key, done);
            };
        }
    }

    fn enter(&mut self, mut state: State) -> Result<Entered, TooComplex> {
        let (test, axis, known) = loop {
            let Some(test) = self.next_test(&state) else {
                let lines = state.lines.into_iter().map(|(line, _)| line).collect();
                return self.measured(0, lines).map(Entered::Done);
            };
            let axis = self.questions.axes[test];
            let before = state.next.checked_sub(1).map(|before| self.questions.axes[before]);
            let known = match (axis, before) {
                (Axis::Group | Axis::DefaultGroup, _) => {
                    let skipped = self.questions.axes[state.next..test].contains(&Axis::Group);
                    if skipped { 0 } else { state.known }
                }
                (Axis::Contract, Some(Axis::Contract)) | (Axis::Place(_), Some(Axis::Place(_))) => {
                    state.known
                }
                _ => 0,
            };
            match axis {
                // The charger is in another cluster of places: it is in none of the rest.
                Axis::Place(cluster) if known != 0 && known != cluster => {
                    let end = self.questions.axes.iter().rposition(|it| matches!(it, Axis::Place(_)));
                    let end = end.unwrap_or(test) + 1;
                    let lines = (test..end).fold(state.lines, |lines, it| self.answer(&lines, it, false));
                    state = State { lines: self.drop_covered(lines)?, next: end, known: 0 };
                }
                _ => break (test, axis, known),
            }
        };
        let key = (test, known, state.lines);
        if let Some(node) = self.facts.get(&key) {
            return Ok(Entered::Done(*node));
        }
        self.budget.step(key.2.len())?;
        let end = self.questions.axes.iter().skip(test).take_while(|it| **it == axis).count() + test;
        let yes = {
            // What is excluded by a yes is answered at once.
            let next = if matches!(axis, Axis::OneOf(_) | Axis::Contract) { end } else { test + 1 };
            let lines = self.answer(&key.2, test, true);
            let lines = (test + 1..next).fold(lines, |lines, other| self.answer(&lines, other, false));
            let known = if let Axis::Place(cluster) = axis { cluster } else { 0 };
            State { lines: self.drop_covered(lines)?, next, known }
        };
        let may_be_no = match axis {
            Axis::DefaultGroup => known == 0,
            Axis::Contract => known < 2,
            Axis::Threshold(_) => !self.is_always_reached(test),
            Axis::Group | Axis::Place(_) | Axis::Free | Axis::OneOf(_) => true,
        };
        if !may_be_no {
            return Ok(Entered::Asks(Frame { key, yes: None, no: None }, yes));
        }
        let no = {
            // What is not reached does not reach the higher thresholds.
            let next = if matches!(axis, Axis::Threshold(_)) { end } else { test + 1 };
            let lines = (test..next).fold(key.2.clone(), |lines, it| self.answer(&lines, it, false));
            let known = match axis {
                Axis::Group | Axis::Place(_) => known,
                Axis::Contract => known + 1,
                _ => 0,
            };
            State { lines: self.drop_covered(lines)?, next, known }
        };
        Ok(Entered::Asks(Frame { key, yes: Some(yes), no: None }, no))
    }

    /// The next test that matters to a line that is alive.
    fn next_test(&self, state: &State) -> Option<usize> {
        let open = state.lines.iter().flat_map(|(line, open)| {
            let clauses = &self.rows[index(*line)].clauses;
            clauses.iter().zip(0..).filter(move |(_, at)| open >> at & 1 == 1).map(|(clause, _)| clause)
        });
        open.filter_map(|clause| clause.iter().map(|lit| lit.test).find(|test| *test >= state.next)).min()
    }

    fn is_always_reached(&self, test: usize) -> bool {
        use takst_engine::tariff::Test;
        matches!(
            self.questions.tests[test],
            Test::RatedAtLeast(..=0) | Test::WholeMonthAtLeast { energy: ..=0, .. }
        )
    }

    /// The lines that are alive after an answer.
    fn answer(&self, lines: &[Open], test: usize, is: bool) -> Vec<Open> {
        let mut out = Vec::with_capacity(lines.len());
        'lines: for (line, open) in lines {
            let mut left = *open;
            for (clause, at) in self.rows[index(*line)].clauses.iter().zip(0..) {
                if left >> at & 1 == 0 {
                    continue;
                }
                let Ok(place) = clause.binary_search_by_key(&test, |lit| lit.test) else { continue };
                if clause[place].is == is {
                    left &= !(1 << at);
                } else if place + 1 == clause.len() {
                    continue 'lines;
                }
            }
            out.push((*line, left));
        }
        out
    }

    /// Drops lines whose cases earlier lines answer that wait for no fact any more.
    fn drop_covered(&mut self, lines: Vec<Open>) -> Result<Vec<Open>, TooComplex> {
        self.budget.spend(lines.len())?;
        let mut out = Vec::with_capacity(lines.len());
        let signed = self.regions.are_signed();
        let (mut by, mut seen) = (0_u64, BTreeSet::new());
        for (line, open) in lines {
            let region = self.regions.left[0][index(line)];
            if if signed { self.regions.covers(by, region) } else { seen.contains(&region) } {
                continue;
            }
            out.push((line, open));
            if open == 0 {
                if region == 0 {
                    break;
                }
                if signed {
                    by |= 1 << region;
                } else {
                    seen.insert(region);
                }
            }
        }
        Ok(out)
    }

    /// The node for lines whose facts hold, from measure `k` on.
    fn measured(&mut self, k: usize, lines: Vec<u32>) -> Result<NodeId, TooComplex> {
        let left = &self.regions.left[k];
        let mut seen = BTreeSet::new();
        let mut kept = Vec::with_capacity(lines.len());
        for line in lines {
            let region = left[index(line)];
            if seen.insert(region) {
                kept.push(line);
            }
            if region == 0 {
                break;
            }
        }
        let rows = self.rows;
        let of = |line: &u32, k: usize| rows[index(*line)].ranges.iter().find(|it| it.measure == k).copied();
        let asked =
            (k..self.questions.measures.len()).find(|k| kept.iter().any(|line| of(line, *k).is_some()));
        let key = (asked.unwrap_or(usize::MAX), kept);
        if let Some(node) = self.rest.get(&key) {
            return Ok(*node);
        }
        self.budget.step(key.1.len())?;
        let node = match asked {
            None => self.days(&key.1)?,
            Some(k) => {
                let edges: BTreeSet<i64> = key
                    .1
                    .iter()
                    .filter_map(|line| of(line, k))
                    .flat_map(|it| [it.from, it.below])
                    .flatten()
                    .collect();
                let edges: Vec<i64> = edges.into_iter().collect();
                let mut children = Vec::with_capacity(edges.len() + 1);
                for at in std::iter::once(None).chain(edges.iter().copied().map(Some)) {
                    let holds = |line: &&u32| of(line, k).is_none_or(|range| range.holds(at));
                    let lines: Vec<u32> = key.1.iter().filter(holds).copied().collect();
                    self.budget.spend(key.1.len())?;
                    children.push(self.measured(k + 1, lines)?);
                }
                self.table.among(self.questions.measures[k], &edges, &children)?
            }
        };
        self.rest.insert(key, node);
        Ok(node)
    }

    /// The node for lines of which only the calendar decides.
    fn days(&mut self, lines: &[u32]) -> Result<NodeId, TooComplex> {
        let cells = self.questions.cells;
        let mut open = Bits::none(cells);
        (0..cells).for_each(|cell| open.set(cell));
        let mut days = vec![OneDay::default(); cells];
        for line in lines {
            match &self.rows[index(*line)].minutes {
                None => open.each().for_each(|cell| days[cell].take(*line, 0, DAY_MINUTES)),
                Some(minutes) => {
                    for (from, to, bits) in &minutes.0 {
                        bits.and(&open).each().for_each(|cell| days[cell].take(*line, *from, *to));
                    }
                }
            }
            self.budget.spend(1 + cells / 16)?;
            open.clone().each().filter(|cell| days[*cell].free.is_empty()).for_each(|cell| open.unset(cell));
            if open.is_empty() {
                break;
            }
        }
        let mut nodes = Vec::with_capacity(cells);
        for day in days {
            nodes.push(self.minutes(day)?);
        }
        let children = self.questions.cell_of.iter().map(|cell| nodes[*cell]).collect();
        self.table.days(children)
    }

    /// The node for one kind of day.
    fn minutes(&mut self, day: OneDay) -> Result<NodeId, TooComplex> {
        let mut taken = day.taken;
        taken.extend(day.free.into_iter().map(|(from, _)| (from, None)));
        taken.sort_unstable();
        if let Some(node) = self.minutes.get(&taken) {
            return Ok(*node);
        }
        let mut children = Vec::with_capacity(taken.len());
        for (start, line) in &taken {
            let node = match line {
                None => self.table.hole()?,
                Some(line) => {
                    self.won[index(*line)] = true;
                    self.table.leaf(self.rows[index(*line)].leaf)?
                }
            };
            children.push((*start, node));
        }
        let node = self.table.minutes(&children)?;
        self.minutes.insert(taken, node);
        Ok(node)
    }
}

/// Minutes of a kind of day: first come, first served.
#[derive(Clone)]
struct OneDay {
    /// Stretches that no line has, ascending.
    free: Vec<(u16, u16)>,
    /// From when which line has them (up to the next entry of either).
    taken: Vec<(u16, Option<u32>)>,
}

impl Default for OneDay {
    fn default() -> Self {
        Self { free: vec![(0, DAY_MINUTES)], taken: Vec::new() }
    }
}

impl OneDay {
    fn take(&mut self, line: u32, from: u16, to: u16) {
        let mut at = 0;
        while let Some((start, end)) = self.free.get(at).copied() {
            let (a, b) = (start.max(from), end.min(to));
            if a >= b {
                if start >= to {
                    return;
                }
                at += 1;
                continue;
            }
            self.taken.push((a, Some(line)));
            let left = [(start, a), (b, end)].into_iter().filter(|(a, b)| a < b);
            let kept = usize::from(start < a) + usize::from(b < end);
            self.free.splice(at..=at, left);
            at += kept;
        }
    }
}

/// What a state leads to.
enum Entered {
    Done(NodeId),
    Asks(Frame, State),
}

fn index(line: u32) -> usize {
    usize::try_from(line).unwrap_or(usize::MAX)
}

/// So many ones.
fn full(bits: usize) -> u32 {
    u32::try_from((1_u64 << bits.min(32)) - 1).unwrap_or(u32::MAX)
}
