//! A list of lines made ready for the walk: tests and measures in order, conditions as clauses, ranges and minutes.
#![expect(
    clippy::indexing_slicing,
    reason = "rows, tests, measures and cells are numbered by the list itself"
)]

use super::cells::{Bits, DayTable, Minutes};
use super::facts::{self, Axis, Clause, World};
use super::table::{FastMap, Interned};
use super::{Cond, Line, TooComplex};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use takst_engine::tariff::{Measure, Test};

/// Regions beyond these are compared for equality only.
const MOST_SIGNED: usize = 64;
/// Largest number of cases that are told apart for comparing regions.
const MOST_SIGNATURES: usize = 2_048;

/// A half-open range of a measure.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) struct Range {
    pub(super) measure: usize,
    pub(super) from: Option<i64>,
    pub(super) below: Option<i64>,
}

impl Range {
    fn and(self, other: Self) -> Self {
        let from = self.from.max(other.from);
        let below = match (self.below, other.below) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        Self { from, below, ..self }
    }

    fn is_empty(self) -> bool {
        // Measures are never negative.
        self.below.is_some_and(|below| below <= self.from.unwrap_or(0).max(0))
    }

    pub(super) fn is_within(self, of: Self) -> bool {
        of.from.is_none_or(|from| self.from.is_some_and(|it| from <= it))
            && of.below.is_none_or(|below| self.below.is_some_and(|it| it <= below))
    }

    /// Whether it holds from `at` up to the next edge.
    pub(super) fn holds(self, at: Option<i64>) -> bool {
        match at {
            None => self.from.is_none(),
            Some(at) => self.from.is_none_or(|from| from <= at) && self.below.is_none_or(|below| at < below),
        }
    }
}

/// One line.
#[derive(Clone, Debug)]
pub(super) struct Row {
    /// All must hold.
    pub(super) clauses: Vec<Clause>,
    /// By measure, one each.
    pub(super) ranges: Vec<Range>,
    /// `None`: at all times.
    pub(super) minutes: Option<Rc<Minutes>>,
    pub(super) leaf: u32,
    /// It has no case at all, as far as its own conditions tell without the tests' dependence on each other.
    pub(super) never: bool,
}

impl Row {
    /// How much there is to compare.
    pub(super) fn weight(&self) -> usize {
        1 + self.clauses.len() + self.ranges.len() + self.minutes.as_ref().map_or(0, |it| it.weight())
    }

    /// The cases of both, for the first's leaf.
    pub(super) fn and(&self, other: &Self) -> Result<Self, TooComplex> {
        let clauses = facts::needed(self.clauses.iter().chain(&other.clauses).cloned().collect())?;
        let ranges = joined(self.ranges.iter().chain(&other.ranges).copied());
        let minutes = match (&self.minutes, &other.minutes) {
            (Some(a), Some(b)) => Some(Rc::new(a.intersection(b))),
            (a, b) => a.as_ref().or(b.as_ref()).map(Rc::clone),
        };
        let never = self.never || other.never || is_never(&clauses, &ranges, minutes.as_deref());
        Ok(Self { clauses, ranges, minutes, leaf: self.leaf, never })
    }
}

fn joined(ranges: impl Iterator<Item = Range>) -> Vec<Range> {
    let mut by_measure: BTreeMap<usize, Range> = BTreeMap::new();
    for range in ranges {
        by_measure.entry(range.measure).and_modify(|it| *it = it.and(range)).or_insert(range);
    }
    by_measure.into_values().filter(|it| it.from.is_some() || it.below.is_some()).collect()
}

fn is_never(clauses: &[Clause], ranges: &[Range], minutes: Option<&Minutes>) -> bool {
    clauses.iter().any(Vec::is_empty)
        || ranges.iter().any(|it| it.is_empty())
        || minutes.is_some_and(Minutes::is_empty)
}

/// The lines and what they are told apart by.
#[derive(Debug)]
pub(super) struct List {
    pub(super) questions: Questions,
    pub(super) rows: Vec<Row>,
}

/// Everything a list asks.
#[derive(Debug)]
pub(super) struct Questions {
    /// In the order in which they are asked, and their kinds.
    pub(super) tests: Vec<Test>,
    pub(super) axes: Vec<Axis>,
    pub(super) measures: Vec<Measure>,
    /// Every other group has a test here, so that "in none of them" makes the default group.
    pub(super) names_all_groups: bool,
    /// Kinds of days that the list tells apart. For each class its kind; kind 0 for classes that do not occur.
    pub(super) cell_of: Vec<usize>,
    pub(super) cells: usize,
}

impl List {
    pub(super) fn new(lines: &[Line], world: &World, days: &DayTable) -> Result<Self, TooComplex> {
        let mut clauses = Vec::new();
        let mut measures = BTreeSet::new();
        for line in lines {
            let mut of_line = Vec::new();
            for cond in &line.conds {
                match cond {
                    Cond::AnyFact(any) => of_line.extend(facts::spelled_out(any)),
                    Cond::Measure { measure, .. } => {
                        measures.insert(*measure);
                    }
                    Cond::When(_) | Cond::Never => {}
                }
            }
            clauses.push(of_line);
        }
        let used = clauses.iter().flatten().flatten().map(|it| &it.test);
        let tests = facts::in_order(used, world);
        let places: FastMap<&Test, usize> = tests.iter().zip(0..).collect();
        let place = |test: &Test| places.get(test).copied().unwrap_or_default();
        let measures: Vec<Measure> = measures.into_iter().collect();

        let mut rows = Vec::with_capacity(lines.len());
        for (line, of_line) in lines.iter().zip(&clauses) {
            let clauses = facts::needed(of_line.iter().filter_map(|it| facts::clause(it, &place)).collect())?;
            let mut ranges = Vec::new();
            let mut minutes: Option<Minutes> = None;
            let mut never = false;
            for cond in &line.conds {
                match cond {
                    Cond::AnyFact(_) => {}
                    Cond::Measure { measure, from, below } => ranges.push(Range {
                        measure: measures.binary_search(measure).unwrap_or_default(),
                        from: from.filter(|from| *from > 0),
                        below: *below,
                    }),
                    Cond::When(calendar) => {
                        minutes = match (minutes, days.minutes(calendar)?) {
                            (Some(a), Some(b)) => Some(a.intersection(&b)),
                            (a, b) => a.or(b),
                        };
                    }
                    Cond::Never => never = true,
                }
            }
            let ranges = joined(ranges.into_iter());
            never |= is_never(&clauses, &ranges, minutes.as_ref());
            rows.push(Row { clauses, ranges, minutes: minutes.map(Rc::new), leaf: line.leaf, never });
        }
        let axes: Vec<Axis> = tests.iter().map(|test| facts::axis(test, world)).collect();
        let others = axes.iter().filter(|axis| **axis == Axis::Group).count();
        let mut questions = Questions {
            names_all_groups: axes.contains(&Axis::DefaultGroup) && others + 1 == world.groups,
            tests,
            axes,
            measures,
            cell_of: vec![0; days.classes()],
            cells: 1,
        };
        questions.tell_days_apart(&mut rows, days);
        Ok(Self { questions, rows })
    }

    /// A last line without conditions.
    pub(super) fn answer_the_rest(&mut self, leaf: u32) {
        self.rows.push(Row { clauses: Vec::new(), ranges: Vec::new(), minutes: None, leaf, never: false });
    }
}

impl Questions {
    /// Joins classes of days that this list treats alike, and says all minutes in these kinds.
    fn tell_days_apart(&mut self, rows: &mut [Row], days: &DayTable) {
        let mut sets: Interned<Bits> = Interned::default();
        for (_, _, bits) in rows.iter().filter_map(|row| row.minutes.as_ref()).flat_map(|it| &it.0) {
            sets.id(bits.clone());
        }
        let mut split: Vec<Option<usize>> = Vec::new();
        for set in &sets.items {
            // The members of each kind move to a new number; numbers left without members are squeezed out.
            split.clear();
            split.resize(self.cells, None);
            for class in set.each() {
                let cell = &mut self.cell_of[class];
                let new = split[*cell].get_or_insert_with(|| {
                    self.cells += 1;
                    self.cells - 1
                });
                *cell = *new;
            }
            if self.cells > 2 * days.classes() + 2 {
                self.squeeze_cells(days);
            }
        }
        self.squeeze_cells(days);
        let example: Vec<usize> = {
            let mut example = vec![0; self.cells];
            for class in days.occurring().each() {
                example[self.cell_of[class]] = class;
            }
            example
        };
        let mut done: FastMap<Rc<Minutes>, Rc<Minutes>> = FastMap::default();
        for row in rows {
            let Some(minutes) = &row.minutes else { continue };
            let new = done.entry(Rc::clone(minutes)).or_insert_with(|| {
                let pieces = minutes.0.iter().map(|(from, to, bits)| {
                    let mut cells = Bits::none(example.len());
                    for (cell, class) in example.iter().enumerate() {
                        if bits.has(*class) {
                            cells.set(cell);
                        }
                    }
                    (*from, *to, cells)
                });
                Rc::new(Minutes(pieces.collect()))
            });
            row.minutes = Some(Rc::clone(new));
        }
    }

    /// Numbers the kinds that occur from 0; classes that do not occur go to kind 0.
    fn squeeze_cells(&mut self, days: &DayTable) {
        let mut new: Vec<Option<usize>> = vec![None; self.cells];
        let mut count = 0;
        let mut cell_of = vec![0; self.cell_of.len()];
        for class in days.occurring().each() {
            cell_of[class] = *new[self.cell_of[class]].get_or_insert_with(|| {
                count += 1;
                count - 1
            });
        }
        self.cell_of = cell_of;
        self.cells = count;
    }
}

/// What is left of a line once its facts hold: ranges, and the number of its minutes (0: at all times).
type Region = (Vec<Range>, u32);

/// What is left of each line once its facts hold, compared.
#[derive(Debug)]
pub(super) struct Regions {
    /// `left[k][row]`: what remains of its ranges from measure `k` on and its minutes. 0: nothing, it wins.
    pub(super) left: Vec<Vec<u32>>,
    /// The cases, as sets of the regions that contain them (bit = number in `left[0]`), when there are few.
    signatures: Option<Vec<u64>>,
    known: FastMap<(u64, u32), bool>,
}

impl Regions {
    pub(super) fn new(questions: &Questions, rows: &[Row]) -> Self {
        let mut left = Vec::new();
        let mut calendars: Interned<Option<Rc<Minutes>>> = Interned::default();
        calendars.id(None);
        let calendar: Vec<u32> = rows.iter().map(|row| calendars.id(row.minutes.clone())).collect();
        let mut signatures = None;
        for k in 0..=questions.measures.len() {
            let mut regions: Interned<Region> = Interned::default();
            regions.id((Vec::new(), 0));
            let of_row = rows.iter().zip(&calendar).map(|(row, calendar)| {
                let ranges = row.ranges.iter().filter(|it| it.measure >= k).copied().collect();
                regions.id((ranges, *calendar))
            });
            left.push(of_row.collect());
            if k == 0 && !questions.tests.is_empty() {
                signatures = signatures_of(questions, &regions.items, &calendars.items);
            }
        }
        Self { left, signatures, known: FastMap::default() }
    }

    pub(super) fn are_signed(&self) -> bool {
        self.signatures.is_some()
    }

    /// Whether the regions `by` (bits) together contain the region.
    pub(super) fn covers(&mut self, by: u64, region: u32) -> bool {
        if by >> region & 1 == 1 {
            return true;
        }
        let Some(signatures) = &self.signatures else { return false };
        if by == 0 {
            return false;
        }
        *self
            .known
            .entry((by, region))
            .or_insert_with(|| signatures.iter().all(|it| it >> region & 1 == 0 || it & by != 0))
    }
}

/// Every case of measures and minutes as the set of regions that contain it; `None` when there are too many.
fn signatures_of(
    questions: &Questions,
    regions: &[Region],
    calendars: &[Option<Rc<Minutes>>],
) -> Option<Vec<u64>> {
    if regions.len() > MOST_SIGNED {
        return None;
    }
    let bits = |holds: &dyn Fn(&Region) -> bool| {
        (0..).zip(regions).filter(|(_, it)| holds(it)).fold(0_u64, |bits, (at, _)| bits | 1 << at)
    };
    // Minutes: per kind of day, what begins or ends where.
    let of_calendars: Vec<u64> =
        (0..calendars.len()).map(|at| bits(&|it| usize::try_from(it.1) == Ok(at))).collect();
    let mut when: BTreeSet<u64> = BTreeSet::new();
    for cell in 0..questions.cells {
        let mut flips: BTreeMap<u16, u64> = BTreeMap::from([(0, 0)]);
        for (calendar, of_it) in calendars.iter().zip(&of_calendars) {
            match calendar {
                None => *flips.entry(0).or_default() ^= of_it,
                Some(minutes) => {
                    for (from, to, _) in minutes.0.iter().filter(|it| it.2.has(cell)) {
                        *flips.entry(*from).or_default() ^= of_it;
                        *flips.entry(*to).or_default() ^= of_it;
                    }
                }
            }
        }
        flips.remove(&crate::calendar::DAY_MINUTES);
        let mut now = 0;
        for flip in flips.into_values() {
            now ^= flip;
            when.insert(now);
        }
        if when.len() > MOST_SIGNATURES {
            return None;
        }
    }
    for k in 0..questions.measures.len() {
        let ranges = |it: &Region| it.0.iter().find(|range| range.measure == k).copied();
        let mut edges: BTreeSet<Option<i64>> = BTreeSet::from([None]);
        edges.extend(regions.iter().filter_map(ranges).flat_map(|it| [it.from, it.below]));
        if edges.len() == 1 {
            continue;
        }
        let mut both = BTreeSet::new();
        for edge in edges {
            let holding = bits(&|it| ranges(it).is_none_or(|range| range.holds(edge)));
            both.extend(when.iter().map(|it| it & holding));
            if both.len() > MOST_SIGNATURES {
                return None;
            }
        }
        when = both;
    }
    Some(when.into_iter().collect())
}
