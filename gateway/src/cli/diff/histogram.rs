//! How many sessions became cheaper or dearer by how much, counted in bounded memory.

use std::collections::BTreeMap;

/// Distinct changes that are counted apart; beyond them they are gathered in tens, hundreds, ...
const MOST: usize = 2_000;
/// Lines that are shown, besides the two ends and those without a change.
const ROWS: i128 = 12;

/// Changes of sessions, in minor units.
///
/// What it comes to does not depend on the order in which changes were added or counts were joined: a change lies in the same ten as
/// the unit it lies in, and the unit grows only when all the changes together have too many.
#[derive(Clone, Debug, Default)]
pub(super) struct Histogram {
    // Changes are counted in units of so many powers of ten, away from zero: 1 is from 1 to 10^scale.
    scale: u32,
    units: BTreeMap<i128, u64>,
    pub(super) unchanged: u64,
}

/// Sessions whose change lies from `from` to `to`, both included; an end that is open has no bound.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Row {
    pub(super) from: Option<i128>,
    pub(super) to: Option<i128>,
    pub(super) sessions: u64,
}

// Away from zero.
fn unit_of(change: i128, unit: i128) -> i128 {
    (change.abs() + unit - 1) / unit * change.signum()
}

impl Histogram {
    pub(super) fn add(&mut self, change: i128) {
        if change == 0 {
            self.unchanged += 1;
        } else {
            *self.units.entry(unit_of(change, 10_i128.pow(self.scale))).or_default() += 1;
            self.gather();
        }
    }

    pub(super) fn join(&mut self, mut other: Self) {
        while other.scale < self.scale {
            other.coarser();
        }
        while self.scale < other.scale {
            self.coarser();
        }
        self.unchanged += other.unchanged;
        for (unit, sessions) in other.units {
            *self.units.entry(unit).or_default() += sessions;
        }
        self.gather();
    }

    fn gather(&mut self) {
        // A change has at most 20 digits, so this ends.
        while self.units.len() > MOST {
            self.coarser();
        }
    }

    fn coarser(&mut self) {
        self.scale += 1;
        for (unit, sessions) in std::mem::take(&mut self.units) {
            *self.units.entry(unit_of(unit, 10)).or_default() += sessions;
        }
    }

    /// Sessions that became cheaper.
    pub(super) fn cheaper(&self) -> u64 {
        self.units.range(..0).map(|(_, sessions)| sessions).sum()
    }

    /// Sessions that became dearer.
    pub(super) fn dearer(&self) -> u64 {
        self.units.range(0..).map(|(_, sessions)| sessions).sum()
    }

    /// The counts in steps of 1, 2 or 5 times a power of ten, from cheaper to dearer. A hundredth of the sessions at either end does
    /// not decide how wide the steps are: it lies in an open row where it has to.
    pub(super) fn rows(&self) -> Vec<Row> {
        let spare = (self.cheaper() + self.dearer()) / 100;
        let low = self.beyond(self.units.iter(), spare).min(0);
        let high = self.beyond(self.units.iter().rev(), spare).max(0);
        let mut width = 1;
        let steps = |width: i128| ((-low + width - 1) / width, (high + width - 1) / width);
        while steps(width).0 + steps(width).1 > ROWS {
            width = wider(width);
        }
        let (below, above) = steps(width);
        let mut counts: BTreeMap<i128, u64> = (-below..=above).map(|row| (row, 0)).collect();
        counts.insert(0, self.unchanged);
        for (unit, sessions) in &self.units {
            let row = unit_of(*unit, width).clamp(-below - 1, above + 1);
            *counts.entry(row).or_default() += sessions;
        }
        let unit = width * 10_i128.pow(self.scale);
        let row = |(row, sessions): (i128, u64)| {
            let (near, far) = ((row.abs() - 1) * unit + 1, row.abs() * unit);
            let (from, to) = match row {
                0 => (Some(0), Some(0)),
                row if row < -below => (None, Some(-near)),
                row if row > above => (Some(near), None),
                row if row < 0 => (Some(-far), Some(-near)),
                _ => (Some(near), Some(far)),
            };
            Row { from, to, sessions }
        };
        counts.into_iter().map(row).collect()
    }

    // The first unit with more than `spare` sessions up to it.
    fn beyond<'u>(&self, units: impl Iterator<Item = (&'u i128, &'u u64)>, spare: u64) -> i128 {
        let mut before = 0;
        for (unit, sessions) in units {
            before += sessions;
            if before > spare {
                return *unit;
            }
        }
        0
    }
}

// 1, 2, 5, 10, 20, 50, ...
fn wider(width: i128) -> i128 {
    let mut first = width;
    while first >= 10 {
        first /= 10;
    }
    if first == 2 { width / 2 * 5 } else { width * 2 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(changes: impl IntoIterator<Item = i128>) -> Histogram {
        let mut histogram = Histogram::default();
        changes.into_iter().for_each(|change| histogram.add(change));
        histogram
    }

    fn shown(histogram: &Histogram) -> Vec<(Option<i128>, Option<i128>, u64)> {
        histogram.rows().into_iter().map(|row| (row.from, row.to, row.sessions)).collect()
    }

    #[test]
    fn rows_have_round_widths_and_no_change_stands_alone() {
        let histogram = of([-25, -10, -1, 0, 0, 1, 5, 6, 40]);
        assert_eq!((histogram.cheaper(), histogram.unchanged, histogram.dearer()), (3, 2, 4));
        assert_eq!(
            shown(&histogram),
            [
                (Some(-30), Some(-21), 1),
                (Some(-20), Some(-11), 0),
                (Some(-10), Some(-1), 2),
                (Some(0), Some(0), 2),
                (Some(1), Some(10), 3),
                (Some(11), Some(20), 0),
                (Some(21), Some(30), 0),
                (Some(31), Some(40), 1),
            ]
        );
        assert_eq!(shown(&of([])), [(Some(0), Some(0), 0)]);
        assert_eq!(
            shown(&of([3])),
            [(Some(0), Some(0), 0), (Some(1), Some(1), 0), (Some(2), Some(2), 0), (Some(3), Some(3), 1)]
        );
    }

    #[test]
    fn one_far_away_does_not_make_all_others_one() {
        let histogram = of((0..300).map(|n| -1 - n % 10).chain([-1_000_000, 70_000]));
        let rows = shown(&histogram);
        assert_eq!(rows.first(), Some(&(None, Some(-11), 1)));
        assert_eq!(rows.last(), Some(&(Some(1), None, 1)));
        assert_eq!(rows.iter().map(|row| row.2).sum::<u64>(), 302);
    }

    #[test]
    fn joining_in_any_order_comes_to_the_same() {
        let changes: Vec<i128> = (0..30_000_i128).map(|n| (n * 7919) % 123_457 - 60_000).collect();
        let whole = of(changes.iter().copied());
        assert!(whole.scale > 0 && whole.units.len() <= MOST);
        for size in [1, 977, 10_000] {
            let mut joined = Histogram::default();
            for chunk in changes.rchunks(size) {
                joined.join(of(chunk.iter().copied()));
            }
            assert_eq!(
                (joined.scale, &joined.units, joined.unchanged),
                (whole.scale, &whole.units, whole.unchanged)
            );
        }
        let wide = of([i128::from(i64::MIN), i128::from(i64::MAX) * 2]);
        assert_eq!(wide.rows().iter().map(|row| row.sessions).sum::<u64>(), 2);
    }
}
