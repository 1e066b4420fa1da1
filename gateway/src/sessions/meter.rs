//! Registers along a session: which one counts, where a new segment begins, and what cannot be.

use super::flags::{Flag, Flags};
use super::is_default;
use super::point::{Sort, What};
use crate::chargers::model::Context;
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

/// What tells the energy of a session, the weakest first. One kind counts alone: each of them is all that flowed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize, Deserialize)]
pub(super) enum Source {
    /// Energy of intervals by the clock, which may begin before the session.
    #[default]
    Aligned,
    /// Energy of intervals of the session's own.
    Sampled,
    /// Registers read between start and stop.
    Registers,
}

impl Source {
    /// What a report makes of the session it belongs to; none for what says nothing of it. The registers of start and stop alone can go
    /// with intervals in between, which tell better when it flowed.
    pub fn of(what: &What) -> Option<Self> {
        match what {
            What::Register { sort: Sort::Between, import: Some(_), .. } => Some(Self::Registers),
            What::Register { import: None, interval: Some(_), context: Some(context), .. } => {
                (*context == Context::Periodic.as_str()).then_some(Self::Sampled)
            }
            _ => None,
        }
    }

    // Whether an interval counts. One of the start, the stop or on demand is told since the one before, whatever that was.
    fn counts(self, context: Option<&str>) -> bool {
        match self {
            Self::Registers => false,
            Self::Sampled => context != Some(Context::Clock.as_str()),
            Self::Aligned => context != Some(Context::Periodic.as_str()),
        }
    }
}

/// What is known of the registers so far.
#[serde_with::apply(_ => #[serde(default, skip_serializing_if = "is_default")])]
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
    // The register of the stop is among the rows.
    ended: bool,
    // The register of export was not what it should be.
    fed_doubted: bool,
    source: Source,
    // Intervals are among the rows.
    intervals: bool,
    // The first row is none that was read: intervals are counted from zero.
    from_zero: bool,
    // Intervals were counted, and registers say otherwise.
    unfit: bool,
}

/// A register as it was read.
pub(super) struct Read<'a> {
    pub at: Instant,
    /// When the transaction began.
    pub since: Instant,
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

    /// What tells the energy.
    pub fn source(&self) -> Source {
        self.source
    }

    /// From now on this tells the energy. Only as long as no interval is counted.
    pub fn tell_by(&mut self, source: Source) {
        self.source = source;
    }

    /// Whether intervals are counted.
    pub fn has_intervals(&self) -> bool {
        self.intervals
    }

    /// Intervals are counted that the registers contradict: the session is to be worked out anew by registers alone.
    pub fn is_unfit(&self) -> bool {
        self.unfit
    }

    /// Takes a register. What it makes of it are rows to write (new ones, or the last one again) and how far it moved.
    pub fn take(
        &mut self,
        read: &Read<'_>,
        max_power: i64,
        flags: &mut Flags,
        rows: &mut Vec<Reading>,
    ) -> Moved {
        let interval = read
            .interval
            .filter(|interval| *interval >= 0 && read.import.is_none() && self.source.counts(read.context));
        if interval.is_some() && self.last.is_none() {
            // The first interval is energy too: it flowed since the beginning.
            let at = read.since.min(read.at);
            let zero = Mark { at, import: 0, export: None, segment: 0 };
            rows.push(self.begin(zero, &Read { sort: Sort::Between, context: None, ..*read }));
            self.from_zero = true;
        }
        let Some(mut next) = self.mark(read, interval) else { return Moved::default() };
        let Some(last) = self.last else {
            rows.push(self.begin(next, read));
            return Moved::default();
        };
        // Of start and stop in one instant each has its register.
        let closes = read.sort == Sort::End && self.rows == 1 && !self.ended;
        let same = next.at == last.at && next.import == last.import && next.export == last.export;
        if next.at < last.at || (same && !closes) {
            return Moved::default();
        }
        if next.at == last.at && self.rows == 1 {
            match read.sort {
                // The baseline was taken from a value before the start.
                Sort::Begin if self.start.is_none() => {
                    self.rows = 0;
                    rows.push(self.begin(next, read));
                    return Moved::default();
                }
                // A reading needs an instant of its own.
                _ if closes => next.at = Instant(next.at.0.saturating_add(1)),
                // The register of export beside that of the start.
                _ if next.import == last.import && last.export.is_none() => {
                    self.rows = 0;
                    rows.push(self.put(next, read));
                    return Moved::default();
                }
                _ => return Moved::default(),
            }
        }
        let step = import_step(last, next, max_power);
        let fed = export_step(last, next, max_power);
        if step == Step::Fine && fed == Step::Fine {
            return self.go_on(last, next, read, flags, rows);
        }
        if read.sort == Sort::End && self.intervals && step == Step::Reset {
            self.unfit = true;
            return Moved::default();
        }
        if read.sort == Sort::End
            && step != Step::Fine
            && let Some(explained) = self.explained(last, next, max_power)
        {
            if !self.fed_doubted {
                if self.falls <= 1 {
                    flags.lower(Flag::RegisterFell);
                }
                flags.lower(Flag::FalseZero);
            }
            flags.raise(Flag::RegisterMixed, || {
                "the registers of start and stop count differently from the meter values".to_owned()
            });
            return self.go_on(last, explained, read, flags, rows);
        }
        if let Some(before) = self.before.filter(|_| self.alone)
            && import_step(before, next, max_power) == Step::Fine
            && export_step(before, next, max_power) == Step::Fine
        {
            return self.forget_slip(before, next, read, rows);
        }
        if step == Step::Fine {
            return self.only_import(fed, (last, next), read, flags, rows);
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
                doubt("register", step, (last.import, next.import, next.at), flags);
            }
            return Moved::default();
        }
        self.doubted |= self.rows == 1 && self.start.is_some();
        self.falls = self.falls.saturating_add(u32::from(step == Step::Reset));
        self.wrong_unit |= step == Step::WrongUnit;
        doubt("register", step, (last.import, next.import, next.at), flags);
        if fed != Step::Fine {
            self.doubt_export(fed, (last, next), flags);
        }
        let counted = self.is_counted(step, last.import, next.import)
            && (fed == Step::Fine || self.is_counted(fed, exported(last), exported(next)));
        if counted {
            self.go_on(last, next, read, flags, rows)
        } else {
            self.new_segment(last, next, read, rows)
        }
    }

    // The registers of a reading, with what it leaves out. None when there are none that can be.
    fn mark(&mut self, read: &Read<'_>, interval: Option<i64>) -> Option<Mark> {
        let last = self.last;
        let stands = last.map_or(0, |last| last.import);
        let mut import = read.import;
        if self.from_zero && import.is_some() {
            // Beside what is counted from zero a register says nothing, unless it is that of the start: then registers tell.
            self.unfit |= read.sort != Sort::End;
            import = None;
        }
        let flowed = interval.filter(|_| last.is_some_and(|last| read.at > last.at));
        if flowed.is_some() {
            self.intervals = true;
        }
        let import =
            import.or_else(|| stands.checked_add(flowed?)).or_else(|| read.export.map(|_| stands))?;
        let export = read.export.or_else(|| last.and_then(|last| last.export));
        let segment = last.map_or(0, |last| last.segment);
        (import >= 0 && export.unwrap_or(0) >= 0).then_some(Mark { at: read.at, import, export, segment })
    }

    // More than the connector can give in the time, but a battery can take it: it counts, and somebody looks at it.
    fn is_counted(&self, step: Step, from: i64, to: i64) -> bool {
        step == Step::Jump && !self.wrong_unit && to.saturating_sub(from) <= BEYOND
    }

    // The register of export cannot be, that of import can: what the one says is nothing against the other.
    fn only_import(
        &mut self,
        fed: Step,
        (last, next): (Mark, Mark),
        read: &Read<'_>,
        flags: &mut Flags,
        rows: &mut Vec<Reading>,
    ) -> Moved {
        self.doubt_export(fed, (last, next), flags);
        if self.is_counted(fed, exported(last), exported(next)) {
            return self.go_on(last, next, read, flags, rows);
        }
        let kept = Mark { export: last.export, ..next };
        let moved = self.go_on(last, kept, read, flags, rows);
        if read.sort != Sort::End {
            self.before = Some(kept);
            self.alone = true;
            let segment = next.segment.saturating_add(1);
            rows.push(self.put(Mark { segment, ..next }, read));
        }
        moved
    }

    fn doubt_export(&mut self, step: Step, (last, next): (Mark, Mark), flags: &mut Flags) {
        self.fed_doubted = true;
        doubt("register of export", step, (exported(last), exported(next), next.at), flags);
    }

    fn begin(&mut self, next: Mark, read: &Read<'_>) -> Reading {
        if read.sort == Sort::Begin {
            self.start = Some(next);
        }
        self.alone = true;
        self.first_at = Some(next.at);
        self.rose_at = Some(next.at);
        self.put(next, read)
    }

    fn go_on(
        &mut self,
        last: Mark,
        next: Mark,
        read: &Read<'_>,
        flags: &mut Flags,
        rows: &mut Vec<Reading>,
    ) -> Moved {
        let moved = moved(last, next);
        self.count(moved, next.at);
        self.alone = false;
        if next.at == last.at {
            self.rows -= 1;
        }
        rows.push(self.put(next, read));
        self.check_unit(next.at, flags);
        moved
    }

    // The reading before was a slip: this one takes its place, and its segment ends with it.
    fn forget_slip(&mut self, before: Mark, next: Mark, read: &Read<'_>, rows: &mut Vec<Reading>) -> Moved {
        let next = Mark { segment: before.segment, ..next };
        let moved = moved(before, next);
        self.count(moved, next.at);
        self.rows -= 1;
        self.before = None;
        self.alone = false;
        rows.push(self.put(next, read));
        moved
    }

    fn new_segment(&mut self, last: Mark, next: Mark, read: &Read<'_>, rows: &mut Vec<Reading>) -> Moved {
        let next = Mark { segment: last.segment.saturating_add(1), ..next };
        self.before = Some(last);
        self.alone = true;
        // Also at the instant of the last one, whose row says what was counted up to it.
        rows.push(self.put(next, read));
        Moved::default()
    }

    // The register at the stop fits the one at the start, and the meter values in between count from elsewhere.
    fn explained(&self, last: Mark, end: Mark, max_power: i64) -> Option<Mark> {
        let start = self.start.filter(|_| self.doubted)?;
        let total = end.import.checked_sub(start.import)?;
        let fits = total >= self.imported && total <= plausible::possible(start.at, end.at, max_power);
        fits.then(|| Mark { import: last.import.saturating_add(total - self.imported), ..end })
            .map(|mark| Mark { export: last.export, segment: last.segment, ..mark })
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
        self.ended |= read.sort == Sort::End;
        row
    }
}

fn import_step(from: Mark, to: Mark, max_power: i64) -> Step {
    let point = |mark: Mark| plausible::Point { at: mark.at, register: Energy(mark.import) };
    plausible::step(point(from), point(to), max_power)
}

// A register of export that was not read before says only where it stands.
fn export_step(from: Mark, to: Mark, max_power: i64) -> Step {
    let point = |mark: Mark| Some(plausible::Point { at: mark.at, register: Energy(mark.export?) });
    point(from).zip(point(to)).map_or(Step::Fine, |(from, to)| plausible::step(from, to, max_power))
}

fn exported(mark: Mark) -> i64 {
    mark.export.unwrap_or(0)
}

fn doubt(which: &str, step: Step, (from, to, at): (i64, i64, Instant), flags: &mut Flags) {
    let (from, to, at) = (kwh(from), kwh(to), utc_text(at));
    match step {
        Step::Fine => {}
        Step::Reset => {
            flags.raise(Flag::RegisterFell, || format!("the {which} fell from {from} to {to} at {at}"));
        }
        Step::FalseZero => {
            flags.raise(Flag::FalseZero, || format!("a {which} of zero was followed by {to} at {at}"));
        }
        Step::WrongUnit => flags.raise(Flag::WrongUnit, || {
            format!("the {which} went from {from} to {to} at {at}: one of them is in another unit")
        }),
        Step::Jump => flags.raise(Flag::RegisterJump, || {
            format!("the {which} went from {from} to {to} at {at}, more than the connector can give")
        }),
    }
}

fn moved(from: Mark, to: Mark) -> Moved {
    Moved {
        import: to.import.saturating_sub(from.import).max(0),
        export: to.export.unwrap_or(0).saturating_sub(from.export.unwrap_or(to.export.unwrap_or(0))).max(0),
    }
}

fn kwh(energy: i64) -> String {
    format!("{} kWh", Energy(energy).kwh())
}
