//! How a charge follows the timeline: open a slice, find its first edge, close it there.

use super::{Clock, Cursor, Found, Open, Running, TaxAt};
use crate::calendar_time::{LocalTime, local_text};
use crate::error::PriceError;
use crate::evaluate::{Around, Base, Edges, Given, Point, Pricing, walk};
use crate::exact::{Counted, Num};
use crate::session::State;
use crate::tariff::{ChargeKind, Measure, Time, Zone};
use crate::units::{DAY_MS, Instant, MINUTE_MS};

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

#[inline]
pub(super) fn interpolate(t0: i64, v0: i64, t1: i64, v1: i64, t: i64) -> i64 {
    if t >= t1 {
        return v1;
    }
    if v1 == v0 {
        return v0;
    }
    // Nearly always it fits into 64 bits, which divide ten times as fast.
    let (rise, run, passed) = (v1 - v0, t1 - t0, t - t0);
    if let Some(twice) = rise.checked_mul(2 * passed).and_then(|twice| twice.checked_add(run)) {
        return v0 + twice / (2 * run);
    }
    let (rise, run) = (i128::from(rise), i128::from(run));
    // Registers never fall, so rise >= 0 and half up is floor(x + 1/2).
    let twice = 2 * rise * i128::from(t - t0) + run;
    v0 + i64::try_from(twice / (2 * run)).unwrap_or_default()
}

impl Track {
    #[inline]
    pub(super) fn import_at(&self, t: i64) -> i64 {
        interpolate(self.t0, self.import0, self.t1, self.import1, t)
    }

    #[inline]
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

// A stretch of time in which the state stays the same, with the registers at its end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stretch {
    track: Track,
    end: i64,
    import: i64,
    export: i64,
}

impl Clock {
    pub(super) fn at(zone: &Zone, t: i64) -> Self {
        Self::of(LocalTime::at(zone, t))
    }

    pub(super) fn of(local: LocalTime) -> Self {
        let day_start = local.instant_of(0);
        Self { local, day_start, until: (day_start + DAY_MS).min(local.offset_until) }
    }

    // The clock at a later instant; the zone is looked up again only on another day or past a clock change.
    fn moved_to(&mut self, zone: &Zone, t: i64) -> LocalTime {
        if t >= self.until || t < self.day_start {
            *self = Self::at(zone, t);
        }
        let minute = u16::try_from((t - self.day_start) / MINUTE_MS).unwrap_or_default();
        LocalTime { minute, ..self.local }
    }

    // Where a slice that starts at `t` is cut at the latest: midnight, or the next full step of receipt lines.
    // True when that is only where the clock changes.
    fn cut(&self, t: i64, step_min: Option<u32>) -> (i64, bool) {
        let midnight = self.day_start + DAY_MS;
        let cut = match step_min {
            None => midnight,
            Some(step) => {
                let step = i64::from(step) * MINUTE_MS;
                (self.day_start + ((t - self.day_start) / step + 1) * step).min(midnight)
            }
        };
        if self.local.offset_until < cut { (self.local.offset_until, true) } else { (cut, false) }
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
        let stretch =
            Stretch { track: *track, end, import: track.import_at(end), export: track.export_at(end) };
        let mut cursors = std::mem::take(&mut self.cursors);
        let mut result = Ok(());
        for cursor in &mut cursors {
            if charged_in(cursor.kind, self.state) && !self.rests(cursor, &stretch) {
                result = self.follow(pricing, cursor, &stretch);
                if result.is_err() {
                    break;
                }
            }
        }
        self.cursors = cursors;
        result?;
        if self.by_day.is_some() {
            self.count_days(pricing, track, end);
        }
        let passed = end - self.now.t;
        for (time, counts) in self.now.times.iter_mut().zip(counted_times(self.state)) {
            *time += passed * counts;
        }
        self.now.t = end;
        self.now.import = stretch.import;
        self.now.export = stretch.export;
        Ok(())
    }

    // Nothing flows and nothing is open, or nothing can change before the stretch ends: the usual reading within a slice.
    #[inline]
    fn rests(&self, cursor: &Cursor, stretch: &Stretch) -> bool {
        match (&cursor.open, &cursor.found) {
            (Some(open), Some(found)) => {
                cursor.watch.is_empty() && open.edge > stretch.end && found.until > stretch.end
            }
            _ => match own_unit(cursor.kind) {
                Counted::Energy if cursor.kind == ChargeKind::FeedIn => stretch.export <= self.now.export,
                Counted::Energy => stretch.import <= self.now.import,
                _ => false,
            },
        }
    }

    // The session's figures at an instant of the current stretch.
    pub(super) fn point_at(&self, pricing: &Pricing<'_>, track: &Track, t: i64, import: i64) -> Point {
        let mut point = self.now;
        let passed = t - self.now.t;
        for (time, counts) in point.times.iter_mut().zip(counted_times(self.state)) {
            *time += passed * counts;
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
        stretch: &Stretch,
    ) -> Result<(), PriceError> {
        let zone = &pricing.p.tariff.zone;
        let step = pricing.p.tariff.line_step_min;
        let exports = cursor.kind == ChargeKind::FeedIn;
        let by_energy = own_unit(cursor.kind) == Counted::Energy;
        let (mut t, mut import) = (self.now.t, self.now.import);
        loop {
            if t >= stretch.end && (exports || import >= stretch.import) {
                return Ok(());
            }
            if cursor.open.is_none() {
                let register = if exports { stretch.track.export_at(t) } else { import };
                // Where nothing flows there is nothing to open a slice for.
                if by_energy && register >= if exports { stretch.export } else { stretch.import } {
                    return Ok(());
                }
                if let Some((measure, threshold)) = cursor.after {
                    let value = self
                        .point_at(pricing, &stretch.track, t, import)
                        .measure(measure, &Base::default())?;
                    if value < threshold {
                        match self.crossing(stretch, (t, import), measure, threshold - value) {
                            Some(crossing) => {
                                (t, import) = crossing;
                                continue;
                            }
                            None => return Ok(()),
                        }
                    }
                }
                let local = cursor.clock.moved_to(zone, t);
                if cursor.found.as_ref().is_none_or(|found| t >= found.until) {
                    let mut point = self.point_at(pricing, &stretch.track, t, import);
                    point.local = local;
                    self.resolve(pricing, cursor, &point)?;
                }
                let (edge, soft) = cursor.clock.cut(t, step);
                cursor.open = Some(Open { from: t, register, edge, soft });
            }
            if cursor.found.is_none() {
                let mut point = self.point_at(pricing, &stretch.track, t, import);
                point.local = cursor.clock.moved_to(zone, t);
                self.resolve(pricing, cursor, &point)?;
            }
            let (Some(open), Some(found)) = (cursor.open, cursor.found.as_ref()) else { return Ok(()) };
            let (found_until, found_soft) = (found.until, found.soft);
            let mut cut: Option<(i64, i64)> = None;
            if !cursor.watch.is_empty() {
                let point = self.point_at(pricing, &stretch.track, t, import);
                for (index, threshold) in &cursor.watch {
                    let Some(measure) = pricing.p.tariff.measures.get(*index as usize) else { continue };
                    let base = self.bases.get(*index as usize).copied().unwrap_or_default();
                    let missing = threshold.saturating_sub(point.measure(*measure, &base)?);
                    if let Some(at) = self.crossing(stretch, (t, import), *measure, missing) {
                        cut = Some(cut.map_or(at, |best| best.min(at)));
                    }
                }
            }
            let crossed = cut.is_some();
            let edge = open.edge.min(found_until);
            let mut soft = false;
            if edge <= stretch.end && cut.is_none_or(|(at, _)| edge < at) {
                cut = Some((edge, stretch.track.import_at(edge).max(import)));
                // Only the clock changes: the slice goes on when nothing else does.
                soft = (open.edge > edge || open.soft) && (found_until > edge || found_soft);
            }
            let Some(at) = cut else { return Ok(()) };
            (t, import) = at;
            if soft && self.continues(pricing, cursor, stretch, t, import)? {
                continue;
            }
            let register = if exports { stretch.track.export_at(t) } else { import };
            cursor.open = None;
            self.push_line(pricing, cursor, &open, t, register)?;
            if t >= found_until || crossed {
                cursor.found = None;
            }
        }
    }

    // When and at which register a measure has grown by `missing`, if that is within the stretch.
    fn crossing(
        &self,
        stretch: &Stretch,
        (t, import): (i64, i64),
        measure: Measure,
        missing: i64,
    ) -> Option<(i64, i64)> {
        match measure {
            Measure::Energy { .. } => {
                let wanted = import.checked_add(missing)?;
                if missing <= 0 || wanted > stretch.import {
                    return None;
                }
                let at = stretch.track.reaches(wanted).max(t);
                (at <= stretch.end).then_some((at, wanted))
            }
            Measure::Time { time, .. } => {
                let at = t.checked_add(missing)?;
                (missing > 0 && at <= stretch.end && counts(time, self.state))
                    .then(|| (at, stretch.track.import_at(at).max(import)))
            }
            Measure::Power | Measure::Current | Measure::Occupancy => None,
        }
    }

    // Finds the line that answers at a point, its price, and until when both stay.
    pub(super) fn resolve(
        &self,
        pricing: &Pricing<'_>,
        cursor: &mut Cursor,
        point: &Point,
    ) -> Result<(), PriceError> {
        let p = pricing.p;
        let tariff = &p.tariff;
        let mut edges = Edges { time: i64::MAX, measures: std::mem::take(&mut cursor.watch) };
        edges.measures.clear();
        let missing = || {
            let label = tariff.charges.get(usize::from(cursor.charge)).map(|charge| charge.label.clone());
            let at = local_text(&tariff.zone, Instant(point.t));
            PriceError::NoCase { charge: label.unwrap_or_default(), at }
        };
        let leaf = walk(p, &self.fixed, cursor.root, point, &self.bases, &mut edges)?.ok_or_else(missing)?;
        let tax = match cursor.tax {
            TaxAt::Always(tax) => tax,
            TaxAt::Node(root) => self.tax_at(pricing, root, point, &self.bases, &mut edges)?,
        };
        let fast = p.leaves.get(leaf as usize).ok_or_else(missing)?;
        let price = match fast.constant {
            Some(constant) => Given::Number(constant),
            None => {
                let average_power = if fast.uses_average { self.average_so_far()? } else { Num::ZERO };
                let (fixed, bases, rule) = (&self.fixed, self.bases.as_slice(), fast.rule);
                let around = Around { pricing, fixed, point, bases, average_power, tax, rule };
                around.leaf(leaf, &mut edges, 0)?
            }
        };
        let offset_until = point.local.offset_until;
        cursor.found = Some(Found {
            leaf,
            rule: fast.rule,
            tax,
            counted: if fast.free { own_unit(cursor.kind) } else { fast.counted },
            price,
            per_unit: fast.per_unit,
            settled: !fast.uses_average && matches!(price, Given::Number(_)),
            parts: !fast.parts.is_empty(),
            until: edges.time.min(offset_until),
            soft: offset_until < edges.time,
            day: point.local.day,
        });
        cursor.watch = edges.measures;
        cursor.point = *point;
        Ok(())
    }

    // At a clock change: whether the open slice may go on. If so its edge is moved.
    fn continues(
        &self,
        pricing: &Pricing<'_>,
        cursor: &mut Cursor,
        stretch: &Stretch,
        t: i64,
        import: i64,
    ) -> Result<bool, PriceError> {
        let Some(before) = cursor.found else { return Ok(false) };
        let (point_before, watch_before) = (cursor.point, cursor.watch.clone());
        let mut point = self.point_at(pricing, &stretch.track, t, import);
        point.local = cursor.clock.moved_to(&pricing.p.tariff.zone, t);
        self.resolve(pricing, cursor, &point)?;
        let Some(fresh) = cursor.found else { return Ok(false) };
        let same_price = match (before.price, fresh.price) {
            (Given::Number(a), Given::Number(b)) => a == b,
            _ => false,
        };
        let zone = &pricing.p.tariff.zone;
        let same_day = cursor.open.is_some_and(|open| LocalTime::at(zone, open.from).day == fresh.day);
        if fresh.leaf == before.leaf && fresh.tax == before.tax && same_day && same_price {
            let (edge, soft) = cursor.clock.cut(t, pricing.p.tariff.line_step_min);
            if let Some(open) = &mut cursor.open {
                (open.edge, open.soft) = (edge, soft);
            }
            return Ok(true);
        }
        // The slice ends with what it began with.
        (cursor.found, cursor.point, cursor.watch) = (Some(before), point_before, watch_before);
        Ok(false)
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

// 1 for each of the times (by `time_index`) that run in a state.
const fn counted_times(state: State) -> [i64; 6] {
    let parked = matches!(state, State::Waiting | State::Idle | State::Paused) as i64;
    let idle = matches!(state, State::Idle) as i64;
    [1, matches!(state, State::Charging) as i64, parked, idle, idle, parked]
}

pub(super) const fn counts(time: Time, state: State) -> bool {
    match time {
        Time::Connected => true,
        Time::Charging => matches!(state, State::Charging),
        Time::Parking | Time::ParkingInARow => matches!(state, State::Waiting | State::Idle | State::Paused),
        Time::Idle | Time::IdleInARow => matches!(state, State::Idle),
    }
}
