//! How a charge follows the timeline: open a slice, find its first edge, close it there.

use super::counters::period;
use super::{Cursor, Open, Running};
use crate::calendar_time::local_text;
use crate::error::PriceError;
use crate::evaluate::{Around, Base, Edges, Given, Point, Pricing, time_index, walk};
use crate::exact::{Counted, Num};
use crate::session::State;
use crate::tariff::{ChargeKind, Measure, Outcome, Time};
use crate::units::Instant;

// Readings at both ends of the stretch that is being priced.
#[derive(Clone, Copy, Debug)]
pub(super) struct Track {
    pub t0: i64,
    pub import0: i64,
    pub export0: i64,
    pub t1: i64,
    pub import1: i64,
    pub export1: i64,
}

pub(super) fn interpolate(t0: i64, v0: i64, t1: i64, v1: i64, t: i64) -> i64 {
    if t >= t1 {
        return v1;
    }
    let (rise, run) = (i128::from(v1 - v0), i128::from(t1 - t0));
    if rise == 0 {
        return v0;
    }
    // Registers never fall, so rise >= 0 and half up is floor(x + 1/2).
    let twice = 2 * rise * i128::from(t - t0) + run;
    v0 + i64::try_from(twice / (2 * run)).unwrap_or_default()
}

impl Track {
    pub(super) fn import_at(&self, t: i64) -> i64 {
        interpolate(self.t0, self.import0, self.t1, self.import1, t)
    }

    pub(super) fn export_at(&self, t: i64) -> i64 {
        interpolate(self.t0, self.export0, self.t1, self.export1, t)
    }

    // First whole millisecond at which the line has reached `import`.
    pub(super) fn reaches(&self, import: i64) -> i64 {
        let rise = i128::from(self.import1 - self.import0);
        if rise <= 0 {
            return i64::MAX;
        }
        let need = i128::from(import - self.import0) * i128::from(self.t1 - self.t0);
        self.t0 + i64::try_from((need + rise - 1) / rise).unwrap_or(i64::MAX / 2)
    }
}

impl Running<'_> {
    // Prices from `self.now` to `end`; the state and everything but time and registers stay the same.
    pub(super) fn stretch(
        &mut self,
        pricing: &Pricing<'_>,
        track: &Track,
        end: i64,
    ) -> Result<(), PriceError> {
        let mut cursors = std::mem::take(&mut self.cursors);
        let mut result = Ok(());
        for cursor in &mut cursors {
            if charged_in(cursor.kind, self.state) {
                result = self.follow(pricing, cursor, track, end);
                if result.is_err() {
                    break;
                }
            }
        }
        self.cursors = cursors;
        result?;
        self.count_days(pricing, track, end);
        self.now = self.point_at(pricing, track, end, track.import_at(end));
        Ok(())
    }

    // The session's figures at an instant of the current stretch.
    pub(super) fn point_at(&self, pricing: &Pricing<'_>, track: &Track, t: i64, import: i64) -> Point {
        let mut point = self.now;
        let passed = t - self.now.t;
        for time in [
            Time::Connected,
            Time::Charging,
            Time::Parking,
            Time::Idle,
            Time::IdleInARow,
            Time::ParkingInARow,
        ] {
            if counts(time, self.state)
                && let Some(so_far) = point.times.get_mut(time_index(time))
            {
                *so_far += passed;
            }
        }
        point.t = t;
        point.local = self.now.local.moved_to(&pricing.p.tariff.zone, t);
        point.import = import;
        point.export = track.export_at(t);
        point
    }

    pub(super) fn follow(
        &mut self,
        pricing: &Pricing<'_>,
        cursor: &mut Cursor,
        track: &Track,
        end: i64,
    ) -> Result<(), PriceError> {
        let exports = cursor.kind == ChargeKind::FeedIn;
        let end_import = track.import_at(end);
        let mut point = self.now;
        loop {
            if point.t >= end && (exports || point.import >= end_import) {
                return Ok(());
            }
            if cursor.open.is_none() {
                self.turn_periods(cursor, &point, pricing);
                if let Some((measure, threshold)) = cursor.after {
                    let value = point.measure(measure, &Base::default())?;
                    if value < threshold {
                        match self.crossing(track, &point, end, end_import, measure, threshold - value) {
                            Some((t, import)) => {
                                point = self.point_at(pricing, track, t, import);
                                continue;
                            }
                            None => return Ok(()),
                        }
                    }
                }
                let register = if exports { point.export } else { point.import };
                cursor.open = Some(self.resolve(pricing, cursor, &point, register)?);
            }
            let Some(open) = cursor.open.as_ref() else { return Ok(()) };
            let mut cut: Option<(i64, i64)> = None;
            for (index, threshold) in &open.watch {
                let Some(measure) = pricing.p.tariff.measures.get(*index as usize) else { continue };
                let base = cursor.bases.get(*index as usize).copied().unwrap_or_default();
                let missing = threshold.saturating_sub(point.measure(*measure, &base)?);
                if let Some(at) = self.crossing(track, &point, end, end_import, *measure, missing) {
                    cut = Some(cut.map_or(at, |best| best.min(at)));
                }
            }
            let mut soft = false;
            if open.edge <= end && cut.is_none_or(|(t, _)| open.edge < t) {
                cut = Some((open.edge, track.import_at(open.edge).max(point.import)));
                soft = open.soft;
            }
            let Some((t, import)) = cut else { return Ok(()) };
            point = self.point_at(pricing, track, t, import);
            if soft && self.continues(pricing, cursor, &point)? {
                continue;
            }
            if let Some(open) = cursor.open.take() {
                let register = if exports { point.export } else { point.import };
                let bases = std::mem::take(&mut cursor.bases);
                let pushed = self.push_line(pricing, cursor.charge, &open, t, register, &bases);
                cursor.bases = bases;
                pushed?;
            }
        }
    }

    // When and at which register a measure has grown by `missing`, if that is within the stretch.
    pub(super) fn crossing(
        &self,
        track: &Track,
        point: &Point,
        end: i64,
        end_import: i64,
        measure: Measure,
        missing: i64,
    ) -> Option<(i64, i64)> {
        match measure {
            Measure::Energy { .. } => {
                let import = point.import.checked_add(missing)?;
                if missing <= 0 || import > end_import {
                    return None;
                }
                let t = track.reaches(import).max(point.t);
                (t <= end).then_some((t, import))
            }
            Measure::Time { time, .. } => {
                let t = point.t.checked_add(missing)?;
                (missing > 0 && t <= end && counts(time, self.state))
                    .then(|| (t, track.import_at(t).max(point.import)))
            }
            Measure::Power | Measure::Current | Measure::Occupancy => None,
        }
    }

    // Counters per day or month start again when the local day or month of the point is another one.
    pub(super) fn turn_periods(&self, cursor: &mut Cursor, point: &Point, pricing: &Pricing<'_>) {
        for (base, measure) in cursor.bases.iter_mut().zip(&pricing.p.tariff.measures) {
            let now = period(*measure, point.local.day);
            if now != base.period {
                let value = match measure {
                    Measure::Energy { .. } => point.import,
                    Measure::Time { time, .. } => {
                        point.times.get(time_index(*time)).copied().unwrap_or_default()
                    }
                    Measure::Power | Measure::Current | Measure::Occupancy => 0,
                };
                let opening = self.opening(*measure, point.local.day);
                *base = Base { period: now, at_start: value, opening };
            }
        }
    }

    pub(super) fn resolve(
        &self,
        pricing: &Pricing<'_>,
        cursor: &Cursor,
        point: &Point,
        register: i64,
    ) -> Result<Open, PriceError> {
        let p = pricing.p;
        let tariff = &p.tariff;
        let mut edges = Edges::new();
        // Slices never run over local midnight.
        edges.time = point.local.instant_of(1440);
        if let Some(step) = tariff.line_step_min {
            let minutes = u32::from(point.local.minute);
            let next = (minutes / step + 1) * step;
            edges.time =
                edges.time.min(point.local.instant_of(u16::try_from(next.min(1440)).unwrap_or(1440)));
        }
        let leaf = walk(p, &self.fixed, cursor.root, point, &cursor.bases, &mut edges)?;
        let missing = || {
            let label = tariff.charges.get(usize::from(cursor.charge)).map(|charge| charge.label.clone());
            PriceError::NoCase {
                charge: label.unwrap_or_default(),
                at: local_text(&tariff.zone, Instant(point.t)),
            }
        };
        let leaf = leaf.ok_or_else(missing)?;
        let tax = self.tax_at(pricing, cursor.tax_root, point, &cursor.bases, &mut edges)?;
        let fast = p.leaves.get(leaf as usize).ok_or_else(missing)?;
        let rule = tariff.leaves.get(leaf as usize).map_or(0, |leaf| leaf.rule);
        let price = match fast.constant {
            Some(constant) => Given::Number(constant),
            None => {
                let average_power =
                    if fast.uses_average || fast.uses_feed { self.average_so_far()? } else { Num::ZERO };
                let around = Around {
                    pricing,
                    fixed: &self.fixed,
                    point,
                    bases: &cursor.bases,
                    average_power,
                    tax,
                    rule,
                };
                around.leaf(leaf, &mut edges, 0)?
            }
        };
        let soft = point.local.offset_until < edges.time;
        let counted = match tariff.leaves.get(leaf as usize).map(|leaf| &leaf.outcome) {
            Some(Outcome::Free) | None => own_unit(cursor.kind),
            Some(_) => fast.counted,
        };
        Ok(Open {
            from: point.t,
            register,
            leaf,
            rule,
            tax,
            counted,
            price,
            edge: if soft { point.local.offset_until } else { edges.time },
            soft,
            day: point.local.day,
            watch: edges.measures,
            point: *point,
        })
    }

    // At a clock change: whether the open slice may go on. If so its edge is moved.
    pub(super) fn continues(
        &self,
        pricing: &Pricing<'_>,
        cursor: &mut Cursor,
        point: &Point,
    ) -> Result<bool, PriceError> {
        let Some(open) = cursor.open.as_ref() else { return Ok(false) };
        if open.day != point.local.day {
            return Ok(false);
        }
        let fresh = self.resolve(pricing, cursor, point, open.register)?;
        let same_price = match (open.price, fresh.price) {
            (Given::Number(a), Given::Number(b)) => a == b,
            _ => false,
        };
        if fresh.leaf != open.leaf || fresh.tax != open.tax || !same_price {
            return Ok(false);
        }
        let (from, register, point) = (open.from, open.register, open.point);
        cursor.open = Some(Open { from, register, point, ..fresh });
        Ok(true)
    }
}

// In which unit a free slice of this kind is counted.
pub(super) const fn own_unit(kind: ChargeKind) -> Counted {
    match kind {
        ChargeKind::Energy | ChargeKind::FeedIn | ChargeKind::PayoutToSite => Counted::Energy,
        ChargeKind::ChargingTime
        | ChargeKind::ConnectedTime
        | ChargeKind::ParkingTime
        | ChargeKind::IdleFee => Counted::Minutes,
        ChargeKind::StartFee | ChargeKind::ReservationFee | ChargeKind::PaymentFee => Counted::Pieces,
    }
}

// Whether a kind of charge runs in a state. Energy that flows is charged in every state.
pub(super) const fn charged_in(kind: ChargeKind, state: State) -> bool {
    match kind {
        ChargeKind::Energy | ChargeKind::FeedIn | ChargeKind::PayoutToSite | ChargeKind::ConnectedTime => {
            true
        }
        ChargeKind::ChargingTime => matches!(state, State::Charging),
        ChargeKind::ParkingTime => matches!(state, State::Waiting | State::Idle | State::Paused),
        ChargeKind::IdleFee => matches!(state, State::Idle),
        ChargeKind::StartFee | ChargeKind::ReservationFee | ChargeKind::PaymentFee => false,
    }
}

pub(super) const fn counts(time: Time, state: State) -> bool {
    match time {
        Time::Connected => true,
        Time::Charging => matches!(state, State::Charging),
        Time::Parking | Time::ParkingInARow => matches!(state, State::Waiting | State::Idle | State::Paused),
        Time::Idle | Time::IdleInARow => matches!(state, State::Idle),
    }
}
