//! The end of a session: open slices are closed, a reservation is charged, days are counted.

use super::way::Stretch;
use super::{Change, Clock, Cursor, DayAmounts, LONGEST_SESSION_DAYS, Open, Running};
use crate::calendar_time::{INSTANTS, LocalTime};
use crate::error::PriceError;
use crate::evaluate::{Point, Pricing, time_index};
use crate::exact::Counted;
use crate::input::InputError;
use crate::prepared::Prepared;
use crate::tariff::{ChargeKind, Time};
use crate::units::DAY_MS;

impl Running<'_> {
    /// Closes what is still open, for a bill as of now. The running session itself is not changed.
    pub(crate) fn closed(&self, pricing: &Pricing<'_>) -> Result<Self, PriceError> {
        let mut copy = self.clone();
        copy.close(pricing)?;
        Ok(copy)
    }

    /// Closes in place: the session has ended.
    pub(crate) fn close(&mut self, pricing: &Pricing<'_>) -> Result<(), PriceError> {
        self.close_all(pricing)?;
        self.settle_times();
        if self.window.later { Ok(()) } else { self.reservation(pricing) }
    }

    // A reservation charged by time is a stretch of its own before plug-in.
    pub(super) fn reservation(&mut self, pricing: &Pricing<'_>) -> Result<(), PriceError> {
        let Some(reservation) = self.facts.reservation else { return Ok(()) };
        let p = pricing.p;
        let (from, until) = (reservation.from.0, reservation.until.0);
        if until < from || !INSTANTS.contains(&from) || until - from > LONGEST_SESSION_DAYS * DAY_MS {
            return Err(InputError::new("`reservation` ends before it starts, or is far too long").into());
        }
        for (index, charge) in (0_u16..).zip(&p.tariff.charges) {
            if charge.kind != ChargeKind::ReservationFee {
                continue;
            }
            let root = self.fixed.specialise(p, charge.root)?;
            let tax = self.tax_root(pricing, charge.tax)?;
            let clock = Clock::at(&p.tariff.zone, from);
            let mut cursor = Cursor::new(index, charge.kind, root, tax, clock);
            // A flat fee is judged at plug-in, like all fees per session.
            self.resolve(pricing, &mut cursor, &self.start_point())?;
            if cursor.found.is_some_and(|found| found.counted == Counted::Pieces && !is_free(p, found.leaf)) {
                let open = Open { from, register: 0, edge: until, soft: false, joins: false };
                self.push_line(pricing, &mut cursor, &open, until, 0)?;
                continue;
            }
            let mut t = from;
            while t < until {
                let local = LocalTime::at(&p.tariff.zone, t);
                self.resolve(pricing, &mut cursor, &Point { t, local, ..self.start_point() })?;
                let Some(found) = cursor.found else { break };
                let to = found.until.min(local.instant_of(1440)).min(until);
                let open = Open { from: t, register: 0, edge: to, soft: false, joins: false };
                if found.counted != Counted::Pieces && !is_free(p, found.leaf) {
                    self.push_line(pricing, &mut cursor, &open, to, 0)?;
                }
                t = to;
            }
        }
        Ok(())
    }
}

fn is_free(p: &Prepared, leaf: u32) -> bool {
    p.leaves.get(leaf as usize).is_some_and(|leaf| leaf.free)
}

impl Running<'_> {
    pub(super) fn count_days(&mut self, pricing: &Pricing<'_>, stretch: &Stretch<'_>) {
        let Some(mut days) = self.by_day.take() else { return };
        let mut along = stretch.way.begin();
        let mut point = self.now;
        point.times = self.times_at(point.t);
        point.local = point.local.moved_to(&pricing.p.tariff.zone, point.t);
        while point.t < stretch.end {
            let midnight = point.local.instant_of(1440).min(point.local.offset_until);
            let midnight = midnight.clamp(point.t + 1, stretch.end);
            let mut next = point;
            (next.t, next.import, next.times) =
                (midnight, along.import_at(midnight), self.times_at(midnight));
            next.local = next.local.moved_to(&pricing.p.tariff.zone, midnight);
            let day = point.local.day;
            if days.last().is_none_or(|last| last.day != day) {
                days.push(DayAmounts { day, from: point.t, import: 0, times: [0; 6] });
            }
            if let Some(last) = days.last_mut() {
                last.import += next.import - point.import;
                for ((sum, after), before) in last.times.iter_mut().zip(next.times).zip(point.times) {
                    *sum += after - before;
                }
            }
            point = next;
        }
        self.by_day = Some(days);
    }

    pub(crate) fn expect_lines(&mut self, readings: usize) {
        self.lines.reserve(readings + 4);
    }

    pub(crate) fn last_change(&self) -> Option<i64> {
        let told = |change: &&(i64, Change)| !matches!(change.1, Change::List);
        let last = self.changes.get(self.changed..)?.iter().rev().find(told);
        last.map(|(at, _)| *at).filter(|at| *at > self.now.t)
    }

    /// What the session added to a measure over several sessions, by local day: an instant of the day and the amount.
    pub(crate) fn amounts_by_day(&self, time: Option<Time>) -> Vec<(i64, i64)> {
        let amount = |day: &DayAmounts| match time {
            None => day.import,
            Some(time) => day.times.get(time_index(time)).copied().unwrap_or_default(),
        };
        self.by_day.iter().flatten().map(|day| (day.from, amount(day))).collect()
    }
}
