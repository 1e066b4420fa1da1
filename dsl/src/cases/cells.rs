//! Calendars over classes of days: bit sets, in a form in which equal sets of minutes are equal.

use super::TooComplex;
use super::table::FastMap;
use crate::calendar::{Calendar, DAY_MINUTES, DayClasses, DayExpr};
use takst_engine::tariff::DayTest;

/// A set of classes or cells.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Bits(Vec<u64>);

impl Bits {
    pub(super) fn none(len: usize) -> Self {
        Self(vec![0; len.div_ceil(64)])
    }

    pub(super) fn set(&mut self, at: usize) {
        if let Some(word) = self.0.get_mut(at / 64) {
            *word |= 1 << (at % 64);
        }
    }

    pub(super) fn unset(&mut self, at: usize) {
        if let Some(word) = self.0.get_mut(at / 64) {
            *word &= !(1 << (at % 64));
        }
    }

    pub(super) fn has(&self, at: usize) -> bool {
        self.0.get(at / 64).is_some_and(|word| word >> (at % 64) & 1 == 1)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    pub(super) fn is_subset(&self, of: &Self) -> bool {
        self.0.iter().zip(&of.0).all(|(a, b)| a & !b == 0)
    }

    pub(super) fn and(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(a, b)| a & b).collect())
    }

    fn minus(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(a, b)| a & !b).collect())
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(a, b)| *a |= b);
    }

    /// The members, ascending.
    pub(super) fn each(&self) -> impl Iterator<Item = usize> {
        self.0.iter().enumerate().flat_map(|(at, word)| {
            let mut word = *word;
            std::iter::from_fn(move || {
                let bit = (word != 0).then(|| word.trailing_zeros())?;
                word &= word - 1;
                Some(at * 64 + usize::try_from(bit).unwrap_or_default())
            })
        })
    }
}

/// A set of minutes: ascending stretches with the classes of days for which they belong to it, none empty, neighbours
/// different. Only classes that occur count, so equal sets are equal.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Minutes(pub(super) Vec<(u16, u16, Bits)>);

impl Minutes {
    /// From pieces that may overlap.
    fn of(pieces: &[(u16, u16, Bits)]) -> Self {
        let mut edges: Vec<u16> = pieces.iter().flat_map(|(from, to, _)| [*from, *to]).collect();
        edges.sort_unstable();
        edges.dedup();
        let mut out: Vec<(u16, u16, Bits)> = Vec::new();
        for (from, to) in edges.iter().zip(edges.iter().skip(1)) {
            let mut over = pieces.iter().filter(|it| it.0 <= *from && *to <= it.1).map(|it| &it.2);
            let Some(first) = over.next() else { continue };
            let mut bits = first.clone();
            over.for_each(|more| bits.add(more));
            if bits.is_empty() {
                continue;
            }
            match out.last_mut() {
                Some(last) if last.1 == *from && last.2 == bits => last.1 = *to,
                _ => out.push((*from, *to, bits)),
            }
        }
        Self(out)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many words it has.
    pub(super) fn weight(&self) -> usize {
        self.0.iter().map(|it| 2 + it.2.0.len()).sum()
    }

    pub(super) fn intersection(&self, other: &Self) -> Self {
        let mut pieces = Vec::new();
        for a in &self.0 {
            for b in other.0.iter().skip_while(|b| b.1 <= a.0).take_while(|b| b.0 < a.1) {
                let bits = a.2.and(&b.2);
                if !bits.is_empty() {
                    pieces.push((a.0.max(b.0), a.1.min(b.1), bits));
                }
            }
        }
        // Pieces are disjoint and ascending already; only equal neighbours are left to be joined.
        let mut out: Vec<(u16, u16, Bits)> = Vec::new();
        for (from, to, bits) in pieces {
            match out.last_mut() {
                Some(last) if last.1 == from && last.2 == bits => last.1 = to,
                _ => out.push((from, to, bits)),
            }
        }
        Self(out)
    }

    /// All minutes of so many kinds of days.
    pub(super) fn every(cells: usize) -> Self {
        let mut bits = Bits::none(cells);
        (0..cells).for_each(|cell| bits.set(cell));
        Self(vec![(0, DAY_MINUTES, bits)])
    }

    pub(super) fn minus(&self, other: &Self) -> Self {
        let mut pieces = Vec::new();
        for (from, to, bits) in &self.0 {
            let mut at = *from;
            for off in other.0.iter().skip_while(|it| it.1 <= *from).take_while(|it| it.0 < *to) {
                pieces.push((at, off.0.max(at), bits.clone()));
                at = off.1.min(*to);
                pieces.push((off.0.max(*from), at, bits.minus(&off.2)));
            }
            pieces.push((at, *to, bits.clone()));
        }
        pieces.retain(|(from, to, bits)| from < to && !bits.is_empty());
        Self(pieces)
    }

    pub(super) fn is_subset(&self, of: &Self) -> bool {
        self.0.iter().all(|(from, to, bits)| {
            let mut at = *from;
            for it in of.0.iter().skip_while(|it| it.1 <= *from).take_while(|it| it.0 < *to) {
                if it.0 > at || !bits.is_subset(&it.2) {
                    return false;
                }
                at = it.1;
            }
            at >= *to
        })
    }
}

/// Classes of days as columns: for each test the classes in which it holds.
#[derive(Debug)]
pub(super) struct DayTable {
    tests: FastMap<DayTest, Bits>,
    /// All classes, and those that occur.
    classes: usize,
    every: Bits,
    occurring: Bits,
}

impl DayTable {
    pub(super) fn new(of: &DayClasses) -> Self {
        let classes = of.days.classes.len();
        let mut columns = vec![Bits::none(classes); of.days.tests.len()];
        let mut every = Bits::none(classes);
        let mut occurring = Bits::none(classes);
        for (class, set) in of.days.classes.iter().enumerate() {
            every.set(class);
            if of.occurs.get(class).copied().unwrap_or(false) {
                occurring.set(class);
            }
            for test in set {
                if let Some(column) = columns.get_mut(usize::from(*test)) {
                    column.set(class);
                }
            }
        }
        let tests = of.days.tests.iter().cloned().zip(columns).collect();
        Self { tests, classes, every, occurring }
    }

    pub(super) fn classes(&self) -> usize {
        self.classes
    }

    pub(super) fn occurring(&self) -> &Bits {
        &self.occurring
    }

    /// `None` when the calendar is always. Only classes that occur are looked at.
    pub(super) fn minutes(&self, calendar: &Calendar) -> Result<Option<Minutes>, TooComplex> {
        let mut pieces = Vec::new();
        for rect in &calendar.rects {
            let bits = self.bits(&rect.days)?.and(&self.occurring);
            let to = rect.to.min(DAY_MINUTES);
            if rect.from < to && !bits.is_empty() {
                pieces.push((rect.from, to, bits));
            }
        }
        let minutes = Minutes::of(&pieces);
        let always = matches!(
            minutes.0.as_slice(),
            [(0, DAY_MINUTES, bits)] if self.occurring.is_subset(bits)
        );
        Ok((!always).then_some(minutes))
    }

    fn bits(&self, expr: &DayExpr) -> Result<Bits, TooComplex> {
        Ok(match expr {
            DayExpr::All => self.every.clone(),
            DayExpr::Is(test) => self.tests.get(test).cloned().ok_or(TooComplex)?,
            DayExpr::And(all) => {
                let mut bits = self.every.clone();
                for expr in all {
                    bits = bits.and(&self.bits(expr)?);
                }
                bits
            }
            DayExpr::Or(any) => {
                let mut bits = Bits::none(self.classes);
                for expr in any {
                    bits.add(&self.bits(expr)?);
                }
                bits
            }
            DayExpr::Not(inner) => self.every.minus(&self.bits(inner)?),
        })
    }
}
