//! The registers along a stretch of time: straight lines from reading to reading.

use crate::session::Reading;
use crate::units::{Energy, Instant};

/// Readings that follow one another in time, all of one segment, and what they mean for the session.
#[derive(Clone, Copy, Debug)]
pub(super) struct Way<'r> {
    // Where it begins: time and the session's energy so far.
    pub t: i64,
    pub import: i64,
    pub export: i64,
    // Added to a register, they give the session's energy.
    pub import_offset: i64,
    pub export_offset: i64,
    // Not empty.
    pub readings: &'r [Reading],
}

impl Way<'_> {
    /// The first line.
    #[inline]
    pub fn begin(&self) -> Along<'_> {
        let mut along = Along {
            way: self,
            next: 0,
            t0: self.t,
            import0: self.import,
            export0: self.export,
            t1: self.t,
            import1: self.import,
            export1: self.export,
        };
        along.turn();
        along
    }
}

/// One straight line of a way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Along<'w> {
    way: &'w Way<'w>,
    // The reading at the end of the next line.
    next: usize,
    pub t0: i64,
    pub import0: i64,
    pub export0: i64,
    pub t1: i64,
    pub import1: i64,
    pub export1: i64,
}

impl Along<'_> {
    /// On to the next line; false at the end of the way.
    #[inline]
    pub fn turn(&mut self) -> bool {
        let Some(reading) = self.way.readings.get(self.next) else { return false };
        (self.t0, self.import0, self.export0) = (self.t1, self.import1, self.export1);
        // They have been added once without overflow, when the readings were taken.
        self.t1 = reading.at.0;
        self.import1 = reading.import.0.wrapping_add(self.way.import_offset);
        self.export1 = reading.export.0.wrapping_add(self.way.export_offset);
        self.next += 1;
        true
    }

    /// On to the line on which `t` lies. Never back.
    #[inline]
    pub fn turn_to(&mut self, t: i64) {
        while t > self.t1 && self.turn() {}
    }

    /// The session's energy at an instant of this line or a later one.
    #[inline]
    pub fn import_at(&mut self, t: i64) -> i64 {
        self.turn_to(t);
        interpolate(self.t0, self.import0, self.t1, self.import1, t)
    }

    /// The same of energy given back.
    #[inline]
    pub fn export_at(&mut self, t: i64) -> i64 {
        self.turn_to(t);
        interpolate(self.t0, self.export0, self.t1, self.export1, t)
    }

    /// First whole millisecond of this line or a later one at which it has reached `import`.
    pub fn reaches(&self, import: i64) -> i64 {
        let mut along = *self;
        while along.import1 < import && along.turn() {}
        let rise = i128::from(along.import1 - along.import0);
        if rise <= 0 {
            return i64::MAX;
        }
        let need = i128::from(import - along.import0) * i128::from(along.t1 - along.t0);
        along.t0 + i64::try_from((need + rise - 1) / rise).unwrap_or(i64::MAX / 2)
    }
}

#[inline]
fn interpolate(t0: i64, v0: i64, t1: i64, v1: i64, t: i64) -> i64 {
    if t >= t1 || v1 == v0 { v1 } else { between(t0, v0, t1, v1, t) }
}

fn between(t0: i64, v0: i64, t1: i64, v1: i64, t: i64) -> i64 {
    // Nearly always it fits into 64 bits, which divide ten times as fast.
    let (rise, run, passed) = (v1 - v0, t1 - t0, t - t0);
    if let Some(twice) = rise.checked_mul(2 * passed).and_then(|twice| twice.checked_add(run)) {
        return v0 + twice / (2 * run);
    }
    let (rise, run) = (i128::from(rise), i128::from(run));
    // Registers never fall, so rise >= 0 and half up is floor(x + 1/2).
    let twice = 2 * rise * i128::from(passed) + run;
    v0 + i64::try_from(twice / (2 * run)).unwrap_or_default()
}

/// A reading that stands for an instant at which nothing was read.
pub(super) fn unread(at: i64, import: i64, export: i64) -> Reading {
    Reading { at: Instant(at), import: Energy(import), export: Energy(export), segment: 0 }
}

// A stretch of time in which the state stays the same, with the registers at its end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stretch<'w> {
    pub way: &'w Way<'w>,
    pub end: i64,
    pub import: i64,
    pub export: i64,
}
