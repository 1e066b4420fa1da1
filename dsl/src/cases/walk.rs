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
const EXPLAINING_WORK: usize = 3_000_000;

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
    /// Groups: 1 while every group so far was answered with no. Contracts: how many were.
    noes: u8,
}

/// A test whose answers are being walked.
struct Frame {
    key: FactKey,
    yes: Option<State>,
    no: Option<NodeId>,
}

/// Test, [`State::noes`] and lines.
type FactKey = (usize, u8, Vec<Open>);

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
    minutes: FastMap<Vec<(u32, u16, u16)>, NodeId>,
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
        let noes = u8::from(self.questions.names_all_groups);
        // By hand and not by calls: a list may name thousands of chargers.
        let mut frames: Vec<Frame> = Vec::new();
        let mut todo = State { lines, next: 0, noes };
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

    fn enter(&mut self, state: State) -> Result<Entered, TooComplex> {
        let Some(test) = self.next_test(&state) else {
            let lines = state.lines.into_iter().map(|(line, _)| line).collect();
            return self.measured(0, lines).map(Entered::Done);
        };
        let axis = self.questions.axes[test];
        let noes = match axis {
            Axis::Group | Axis::DefaultGroup => {
                let skipped = self.questions.axes[state.next..test].contains(&Axis::Group);
                if skipped { 0 } else { state.noes }
            }
            // Only noes of this axis count.
            Axis::Contract if state.next > 0 && self.questions.axes[state.next - 1] == Axis::Contract => {
                state.noes
            }
            _ => 0,
        };
        let key = (test, noes, state.lines);
        if let Some(node) = self.facts.get(&key) {
            return Ok(Entered::Done(*node));
        }
        self.budget.step(key.2.len())?;
        let last = self.questions.axes.iter().skip(test).take_while(|it| **it == axis).count() + test;
        let may_be_no = match axis {
            Axis::DefaultGroup => noes == 0,
            Axis::Contract => noes < 2,
            Axis::Threshold(_) => !self.is_always_reached(test),
            Axis::Group | Axis::Free | Axis::OneOf(_) => true,
        };
        let yes = {
            let excluded = match axis {
                Axis::OneOf(_) | Axis::Contract => last,
                _ => test + 1,
            };
            let lines = self.answer(&key.2, test, true);
            let lines = (test + 1..excluded).fold(lines, |lines, other| self.answer(&lines, other, false));
            State { lines: self.drop_covered(lines)?, next: excluded, noes: 0 }
        };
        if !may_be_no {
            return Ok(Entered::Asks(Frame { key, yes: None, no: None }, yes));
        }
        let no = {
            let excluded = if matches!(axis, Axis::Threshold(_)) { last } else { test + 1 };
            let lines = (test..excluded).fold(key.2.clone(), |lines, it| self.answer(&lines, it, false));
            let noes = match axis {
                Axis::Group => noes,
                Axis::Contract => noes + 1,
                _ => 0,
            };
            State { lines: self.drop_covered(lines)?, next: excluded, noes }
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
        let mut pieces: Vec<Vec<(u32, u16, u16)>> = vec![Vec::new(); cells];
        for line in lines {
            let Some(minutes) = &self.rows[index(*line)].minutes else {
                open.each().for_each(|cell| pieces[cell].push((*line, 0, DAY_MINUTES)));
                break;
            };
            for (from, to, bits) in &minutes.0 {
                let here = bits.and(&open);
                here.each().for_each(|cell| pieces[cell].push((*line, *from, *to)));
                if (*from, *to) == (0, DAY_MINUTES) {
                    open.remove(&here);
                }
            }
            if open.is_empty() {
                break;
            }
        }
        let mut nodes = Vec::with_capacity(cells);
        for of_cell in pieces {
            nodes.push(self.minutes(of_cell)?);
        }
        let children = self.questions.cell_of.iter().map(|cell| nodes[*cell]).collect();
        self.table.days(children)
    }

    /// The node for one kind of day: lines with their minutes, first come first served.
    fn minutes(&mut self, pieces: Vec<(u32, u16, u16)>) -> Result<NodeId, TooComplex> {
        if let Some(node) = self.minutes.get(&pieces) {
            return Ok(*node);
        }
        let mut free = vec![(0, DAY_MINUTES)];
        let mut taken: Vec<(u16, Option<u32>)> = Vec::new();
        for (line, from, to) in &pieces {
            self.budget.spend(1 + free.len())?;
            let mut left = Vec::with_capacity(free.len() + 1);
            for (start, end) in free {
                let (a, b) = (start.max(*from), end.min(*to));
                if a >= b {
                    left.push((start, end));
                    continue;
                }
                taken.push((a, Some(*line)));
                left.extend([(start, a), (b, end)].into_iter().filter(|(a, b)| a < b));
            }
            free = left;
            if free.is_empty() {
                break;
            }
        }
        taken.extend(free.into_iter().map(|(start, _)| (start, None)));
        taken.sort_unstable();
        let mut children = Vec::with_capacity(taken.len());
        for (start, line) in taken {
            let node = match line {
                None => self.table.hole()?,
                Some(line) => {
                    self.won[index(line)] = true;
                    self.table.leaf(self.rows[index(line)].leaf)?
                }
            };
            children.push((start, node));
        }
        let node = self.table.minutes(&children)?;
        self.minutes.insert(pieces, node);
        Ok(node)
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
