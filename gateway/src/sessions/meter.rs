//! Registers along a session: which one counts, where a new segment begins, and what cannot be.

use super::flags::{Flag, Flags};
use super::point::Sort;
use crate::chargers::plausible::{self, Step};
use crate::store::Reading;
use serde::{Deserialize, Serialize};
use takst_engine::calendar_time::utc_text;
use takst_engine::units::{Energy, HOUR_MS, Instant};

/// A growth that no battery takes, whatever the power: 1 MWh.
const BEYOND: i64 = 1_000_000_000;
/// Longest time that one measured power is taken to last.
const LONGEST_POWER_MS: i64 = HOUR_MS;

/// A register with its place among the rows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Mark {
    at: Instant,
    import: i64,
    export: Option<i64>,
    segment: i64,
}

/// What is known of the registers so far.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(super) struct Meter {
    rows: i64,
    last: Option<Mark>,
    // The last one of the segment before.
    before: Option<Mark>,
    // The segment has one reading only: it may turn out to be a slip.
    alone: bool,
    // What the charger gave as the register of the start.
    start: Option<Mark>,
    // The first value after the start does not fit it. The stop may tell that the two count differently.
    doubted: bool,
    falls: u32,
    imported: i64,
    exported: i64,
    wrong_unit: bool,
    rose_at: Option<Instant>,
    first_at: Option<Instant>,
    power: Option<(Instant, i64)>,
    drawn: i64,
}

/// A register as it was read.
pub(super) struct Read<'a> {
    pub at: Instant,
    pub received: Instant,
    pub sort: Sort,
    pub import: Option<i64>,
    pub export: Option<i64>,
    pub interval: Option<i64>,
    pub context: Option<&'a str>,
}

/// What a register did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Moved {
    /// Energy to the car since the last one.
    pub import: i64,
    /// Energy from the car since the last one.
    pub export: i64,
}

impl Meter {
    /// Energy to the car; none when it is not known.
    pub fn energy(&self, ended: bool) -> Option<Energy> {
        (self.rows > 1 || (self.rows == 1 && !ended)).then_some(Energy(self.imported))
    }

    pub fn last_at(&self) -> Option<Instant> {
        self.last.map(|last| last.at)
    }

    pub fn first_at(&self) -> Option<Instant> {
        self.first_at
    }

    /// Whether the charger gave the register of the start.
    pub fn has_start(&self) -> bool {
        self.start.is_some()
    }

    pub fn rose_at(&self) -> Option<Instant> {
        self.rose_at
    }

    /// How many rows there are.
    pub fn rows(&self) -> i64 {
        self.rows
    }

    /// Notes power, to be compared with the register.
    pub fn power(&mut self, at: Instant, power: i64) {
        if let Some((since, before)) = self.power {
            let ms = i128::from(at.0.saturating_sub(since.0).clamp(0, LONGEST_POWER_MS));
            let drawn = ms * i128::from(before) / i128::from(HOUR_MS);
            self.drawn = self.drawn.saturating_add(i64::try_from(drawn).unwrap_or(i64::MAX));
        }
        self.power = Some((at, power));
    }

    /// Takes a register. What it makes of it is the row to write (new, or the last one again) and how far it moved.
    pub fn take(&mut self, read: &Read<'_>, max_power: i64, flags: &mut Flags) -> (Option<Reading>, Moved) {
        const NOTHING: (Option<Reading>, Moved) = (None, Moved { import: 0, export: 0 });
        let Some(mut next) = self.mark(read) else { return NOTHING };
        let Some(last) = self.last else {
            return (self.begin(next, read), Moved::default());
        };
        if next.at < last.at
            || (next.at == last.at && next.import == last.import && next.export == last.export)
        {
            return NOTHING;
        }
        if next.at == last.at && self.rows == 1 {
            match read.sort {
                // The baseline was taken from a value before the start.
                Sort::Begin if self.start.is_none() => {
                    self.rows = 0;
                    return (self.begin(next, read), Moved::default());
                }
                // Start and stop at one instant: a reading needs one of its own.
                Sort::End => next.at = Instant(next.at.0.saturating_add(1)),
                _ => return NOTHING,
            }
        }
        let step = self.step(last, next, max_power);
        if step == Step::Fine {
            return self.go_on(last, next, read, flags);
        }
        if read.sort == Sort::End
            && let Some(explained) = self.explained(last, next, max_power)
        {
            if self.falls <= 1 {
                flags.lower(Flag::RegisterFell);
            }
            flags.lower(Flag::FalseZero);
            flags.raise(Flag::RegisterMixed, || {
                "the registers of start and stop count differently from the meter values".to_owned()
            });
            return self.go_on(last, explained, read, flags);
        }
        if let Some(before) = self.before.filter(|_| self.alone)
            && self.step(before, next, max_power) == Step::Fine
        {
            return self.forget_slip(before, next, read);
        }
        if read.sort == Sort::End && step == Step::Reset {
            let from = self.start.unwrap_or(last);
            if next.import < from.import {
                flags.raise(Flag::StopBelowStart, || {
                    format!(
                        "the register at the stop ({}) is lower than at the start ({})",
                        kwh(next.import),
                        kwh(from.import)
                    )
                });
            } else {
                flags.raise(Flag::RegisterFell, || fell(last, next));
            }
            return NOTHING;
        }
        self.doubt(step, last, next, flags);
        let counted =
            step == Step::Jump && !self.wrong_unit && next.import.saturating_sub(last.import) <= BEYOND;
        if counted { self.go_on(last, next, read, flags) } else { self.new_segment(last, next, read) }
    }

    // The registers of a reading, with what it leaves out. None when there are none that can be.
    fn mark(&self, read: &Read<'_>) -> Option<Mark> {
        let last = self.last;
        let import = read
            .import
            .or_else(|| {
                let interval = read.interval.filter(|interval| *interval >= 0)?;
                match last {
                    Some(last) => (read.at > last.at).then(|| last.import.checked_add(interval)).flatten(),
                    None => Some(interval),
                }
            })
            .or_else(|| read.export.map(|_| last.map_or(0, |last| last.import)))?;
        let export = read.export.or_else(|| last.and_then(|last| last.export));
        let segment = last.map_or(0, |last| last.segment);
        (import >= 0 && export.unwrap_or(0) >= 0).then_some(Mark { at: read.at, import, export, segment })
    }

    fn step(&self, from: Mark, to: Mark, max_power: i64) -> Step {
        if to.export.unwrap_or(0) < from.export.unwrap_or(0) {
            return Step::Reset;
        }
        let point = |mark: Mark| plausible::Point { at: mark.at, register: Energy(mark.import) };
        plausible::step(point(from), point(to), max_power)
    }

    fn begin(&mut self, next: Mark, read: &Read<'_>) -> Option<Reading> {
        if read.sort == Sort::Begin {
            self.start = Some(next);
        }
        self.alone = true;
        self.first_at = Some(next.at);
        self.rose_at = Some(next.at);
        Some(self.put(next, read))
    }

    fn go_on(
        &mut self,
        last: Mark,
        next: Mark,
        read: &Read<'_>,
        flags: &mut Flags,
    ) -> (Option<Reading>, Moved) {
        let moved = moved(last, next);
        self.count(moved, next.at);
        self.alone = false;
        if next.at == last.at {
            self.rows -= 1;
        }
        let row = self.put(next, read);
        self.check_unit(next.at, flags);
        (Some(row), moved)
    }

    // The reading before was a slip: this one takes its place, and its segment ends with it.
    fn forget_slip(&mut self, before: Mark, next: Mark, read: &Read<'_>) -> (Option<Reading>, Moved) {
        let next = Mark { segment: before.segment, ..next };
        let moved = moved(before, next);
        self.count(moved, next.at);
        self.rows -= 1;
        self.before = None;
        self.alone = false;
        let row = self.put(next, read);
        (Some(row), moved)
    }

    fn new_segment(&mut self, last: Mark, next: Mark, read: &Read<'_>) -> (Option<Reading>, Moved) {
        let next = Mark { segment: last.segment.saturating_add(1), ..next };
        self.before = Some(last);
        self.alone = true;
        if next.at == last.at {
            // Of two at one instant the later one counts.
            self.rows -= 1;
        }
        (Some(self.put(next, read)), Moved::default())
    }

    // The register at the stop fits the one at the start, and the meter values in between count from elsewhere.
    fn explained(&self, last: Mark, end: Mark, max_power: i64) -> Option<Mark> {
        let start = self.start.filter(|_| self.doubted)?;
        let total = end.import.checked_sub(start.import)?;
        let fits = total >= self.imported && total <= plausible::possible(start.at, end.at, max_power);
        fits.then(|| Mark { import: last.import.saturating_add(total - self.imported), ..end })
            .map(|mark| Mark { export: last.export, segment: last.segment, ..mark })
    }

    fn doubt(&mut self, step: Step, last: Mark, next: Mark, flags: &mut Flags) {
        self.doubted |= self.rows == 1 && self.start.is_some();
        match step {
            Step::Fine => {}
            Step::Reset => {
                self.falls = self.falls.saturating_add(1);
                flags.raise(Flag::RegisterFell, || fell(last, next));
            }
            Step::FalseZero => flags.raise(Flag::FalseZero, || {
                format!("a register of zero was followed by {} at {}", kwh(next.import), utc_text(next.at))
            }),
            Step::WrongUnit => {
                self.wrong_unit = true;
                flags.raise(Flag::WrongUnit, || {
                    let (from, to) = (kwh(last.import), kwh(next.import));
                    format!(
                        "the register went from {from} to {to} at {}: one of them is in another unit",
                        utc_text(next.at)
                    )
                });
            }
            Step::Jump => flags.raise(Flag::RegisterJump, || {
                let (from, to) = (kwh(last.import), kwh(next.import));
                format!(
                    "the register went from {from} to {to} at {}, more than the connector can give",
                    utc_text(next.at)
                )
            }),
        }
    }

    fn count(&mut self, moved: Moved, at: Instant) {
        self.imported = self.imported.saturating_add(moved.import);
        self.exported = self.exported.saturating_add(moved.export);
        if moved.import > 0 || moved.export > 0 {
            self.rose_at = Some(at);
        }
    }

    fn check_unit(&self, at: Instant, flags: &mut Flags) {
        let Some(first) = self.first_at.filter(|_| self.power.is_some()) else { return };
        let ms = i128::from(at.0.saturating_sub(first.0));
        let mean = if ms > 0 { i128::from(self.drawn) * i128::from(HOUR_MS) / ms } else { 0 };
        let mean = i64::try_from(mean).unwrap_or(i64::MAX);
        if plausible::wh_is_kwh(first, at, Energy(self.imported), mean) == Some(true) {
            flags.raise(Flag::WrongUnit, || {
                format!(
                    "{} were counted while {} were drawn: the register is in kWh and says Wh",
                    kwh(self.imported),
                    kwh(self.drawn)
                )
            });
        }
    }

    fn put(&mut self, mark: Mark, read: &Read<'_>) -> Reading {
        let row = Reading {
            seq: self.rows,
            at: mark.at,
            received_at: read.received,
            imported: Energy(mark.import),
            exported: mark.export.map(Energy),
            segment: mark.segment,
            context: read.context.map(str::to_owned),
        };
        self.rows += 1;
        self.last = Some(mark);
        row
    }
}

fn moved(from: Mark, to: Mark) -> Moved {
    Moved {
        import: to.import.saturating_sub(from.import).max(0),
        export: to.export.unwrap_or(0).saturating_sub(from.export.unwrap_or(to.export.unwrap_or(0))).max(0),
    }
}

fn fell(from: Mark, to: Mark) -> String {
    format!("the register fell from {} to {} at {}", kwh(from.import), kwh(to.import), utc_text(to.at))
}

fn kwh(energy: i64) -> String {
    format!("{} kWh", Energy(energy).kwh())
}
