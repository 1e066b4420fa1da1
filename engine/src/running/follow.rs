//! How a charge follows the timeline: open a slice, find its first edge, close it there.

use super::way::{Along, Stretch};
use super::{Clock, Cursor, Found, Meter, Open, Running, TaxAt};
use crate::calendar_time::{LocalTime, local_text};
use crate::error::PriceError;
use crate::evaluate::{Around, Base, Edges, Given, Moment, Point, Pricing, walk};
use crate::exact::{Counted, Num};
use crate::session::State;
use crate::tariff::{ChargeKind, Measure, Time, Zone};
use crate::units::{DAY_MS, Instant, MINUTE_MS};

impl Clock {
    pub(super) fn at(zone: &Zone, t: i64) -> Self {
        Self::of(LocalTime::at(zone, t))
    }

    pub(super) fn of(local: LocalTime) -> Self {
        let day_start = local.instant_of(0);
        Self { local, day_start, until: (day_start + DAY_MS).min(local.offset_until) }
    }

    // Moves to the day of a later instant; the zone is looked up again only on another day or past a clock change.
    #[inline(always)]
    fn turn_to(&mut self, zone: &Zone, t: i64) {
        if t >= self.until || t < self.day_start {
            self.turn_over(zone, t);
        }
    }

    fn turn_over(&mut self, zone: &Zone, t: i64) {
        let local = if t >= self.day_start { self.local.moved_to(zone, t) } else { LocalTime::at(zone, t) };
        *self = Self::of(local);
    }

    // The minute of the day at an instant it has been turned to.
    #[inline]
    fn minute(&self, t: i64) -> u16 {
        u16::try_from((t - self.day_start) / MINUTE_MS).unwrap_or_default()
    }

    // What it shows then.
    fn shows(&self, t: i64) -> LocalTime {
        LocalTime { minute: self.minute(t), ..self.local }
    }

    // Where a slice that starts at `t` is cut at the latest: midnight, or the next full step of receipt lines.
    // True when that is only where the clock changes.
    #[inline]
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

// A moment of the stretch that is being priced; works out only what is asked.
pub(super) struct Here<'h> {
    run: &'h Running<'h>,
    along: &'h Along<'h>,
    t: i64,
    import: i64,
    local: LocalTime,
}

impl Moment for Here<'_> {
    fn local(&self) -> &LocalTime {
        &self.local
    }

    fn measure(&self, measure: Measure, base: &Base) -> Result<i64, PriceError> {
        match measure {
            Measure::Energy { span, .. } => Ok(base.counted(self.import, span)),
            Measure::Time { time, span, .. } => Ok(base.counted(self.run.time_at(time, self.t), span)),
            Measure::Power | Measure::Current | Measure::Occupancy => self.run.now.measure(measure, base),
        }
    }

    fn point(&self) -> Point {
        Point {
            t: self.t,
            local: self.local,
            import: self.import,
            export: { *self.along }.export_at(self.t),
            times: self.run.times_at(self.t),
            ..self.run.now
        }
    }
}

impl Running<'_> {
    // Prices from `self.now` to the stretch's end; the state and everything but time and registers stay the same.
    pub(super) fn stretch(&mut self, pricing: &Pricing<'_>, stretch: &Stretch<'_>) -> Result<(), PriceError> {
        let mut cursors = std::mem::take(&mut self.cursors);
        let state = state_bit(self.state);
        let takes = stretch.import > self.now.import;
        let mut result = Ok(());
        for cursor in &mut cursors {
            // Nothing flows and nothing is open, or nothing can change before the stretch ends: the usual reading.
            let rests = match (&cursor.open, &cursor.found) {
                (Some(open), Some(found)) => {
                    open.edge > stretch.end && found.until > stretch.end && cursor.watch.is_empty()
                }
                _ => match cursor.meter {
                    Meter::Import => !takes,
                    Meter::Export => stretch.export <= self.now.export,
                    Meter::Clock => false,
                },
            };
            // What is charged once is looked for along the whole session.
            let charges = !self.silent || cursor.once;
            if cursor.states & state != 0 && !rests && charges {
                result = self.follow(pricing, cursor, stretch);
                if result.is_err() {
                    break;
                }
            }
        }
        self.cursors = cursors;
        result?;
        if self.by_day.is_some() {
            self.count_days(pricing, stretch);
        }
        self.now.t = stretch.end;
        self.now.import = stretch.import;
        self.now.export = stretch.export;
        Ok(())
    }

    // The usual charge asks the clock alone and has prices that are plain numbers; what is more than that goes on in
    // `follow_on`, which knows everything.
    fn follow(
        &mut self,
        pricing: &Pricing<'_>,
        cursor: &mut Cursor,
        stretch: &Stretch<'_>,
    ) -> Result<(), PriceError> {
        let mut along = stretch.way.begin();
        let (mut t, mut import) = (self.now.t, self.now.import);
        if cursor.meter == Meter::Export || cursor.once || cursor.after.is_some() || self.trace.is_some() {
            return self.follow_on(pricing, cursor, stretch, along, (t, import));
        }
        while t < stretch.end || import < stretch.import {
            let from = (t, import);
            if cursor.open.is_none() {
                if cursor.meter == Meter::Import {
                    while import >= along.import1 {
                        if along.t1 >= stretch.end || !along.turn() {
                            return Ok(());
                        }
                        t = t.max(along.t0);
                    }
                    if import >= stretch.import {
                        return Ok(());
                    }
                }
                cursor.clock.turn_to(&pricing.p.tariff.zone, t);
                let known = cursor.found.as_ref().is_some_and(|found| t < found.until);
                if !known && !self.resolve_by_clock(pricing, cursor, t) {
                    return self.follow_on(pricing, cursor, stretch, along, (t, import));
                }
                let (edge, soft) = cursor.clock.cut(t, pricing.p.tariff.line_step_min);
                cursor.open = Some(Open { from: t, register: import, edge, soft, joins: false });
            }
            let (Some(open), Some(found)) = (&cursor.open, &cursor.found) else {
                return self.follow_on(pricing, cursor, stretch, along, from);
            };
            let edge = open.edge.min(found.until);
            let soft = (open.edge > edge || open.soft) && (found.until > edge || found.soft);
            if soft || !cursor.watch.is_empty() || !found.settled || found.parts {
                return self.follow_on(pricing, cursor, stretch, along, (t, import));
            }
            if edge > stretch.end {
                return Ok(());
            }
            (t, import) = (edge, along.import_at(edge).max(import));
            let ends = t >= found.until;
            self.push_plain(pricing, cursor, t, import)?;
            cursor.open = None;
            if ends {
                cursor.found = None;
            }
        }
        Ok(())
    }

    #[inline(never)]
    fn follow_on(
        &mut self,
        pricing: &Pricing<'_>,
        cursor: &mut Cursor,
        stretch: &Stretch<'_>,
        mut along: Along<'_>,
        (mut t, mut import): (i64, i64),
    ) -> Result<(), PriceError> {
        let meter = cursor.meter;
        loop {
            if t >= stretch.end && (meter == Meter::Export || import >= stretch.import) {
                return Ok(());
            }
            if cursor.open.is_none() {
                // Where nothing flows there is nothing to open a slice for.
                let register = match meter {
                    Meter::Clock => import,
                    Meter::Import => {
                        while import >= along.import1 {
                            if along.t1 >= stretch.end || !along.turn() {
                                return Ok(());
                            }
                            t = t.max(along.t0);
                        }
                        import
                    }
                    Meter::Export => {
                        let mut register = along.export_at(t);
                        while register >= along.export1 {
                            if along.t1 >= stretch.end || !along.turn() {
                                return Ok(());
                            }
                            t = t.max(along.t0);
                            import = along.import_at(t).max(import);
                            register = along.export_at(t);
                        }
                        if register >= stretch.export {
                            return Ok(());
                        }
                        register
                    }
                };
                if meter == Meter::Import && import >= stretch.import {
                    return Ok(());
                }
                if let Some((measure, threshold)) = cursor.after {
                    let here = self.here(&along, t, import, self.now.local);
                    let value = here.measure(measure, &Base::default())?;
                    if value < threshold {
                        match self.crossing(stretch, &along, (t, import), measure, threshold - value) {
                            Some(crossing) => {
                                (t, import) = crossing;
                                continue;
                            }
                            None => return Ok(()),
                        }
                    }
                }
                cursor.clock.turn_to(&pricing.p.tariff.zone, t);
                if cursor.found.as_ref().is_none_or(|found| t >= found.until)
                    && !self.resolve_by_clock(pricing, cursor, t)
                {
                    along.turn_to(t);
                    let here = self.here(&along, t, import, cursor.clock.shows(t));
                    self.resolve(pricing, cursor, &here)?;
                }
                let (edge, soft) = cursor.clock.cut(t, pricing.p.tariff.line_step_min);
                let joins = std::mem::take(&mut cursor.joins);
                cursor.open = Some(Open { from: t, register, edge, soft, joins });
            } else if cursor.found.is_none() {
                cursor.clock.turn_to(&pricing.p.tariff.zone, t);
                let here = self.here(&along, t, import, cursor.clock.shows(t));
                self.resolve(pricing, cursor, &here)?;
            }
            let (Some(open), Some(found)) = (&cursor.open, &cursor.found) else { return Ok(()) };
            let crossed = if cursor.watch.is_empty() {
                None
            } else {
                self.first_crossing(pricing, cursor, stretch, &along, (t, import))?
            };
            let edge = open.edge.min(found.until);
            let mut soft = false;
            match crossed {
                Some(at) if at.0 <= edge => (t, import) = at,
                _ if edge <= stretch.end => {
                    (t, import) = (edge, along.import_at(edge).max(import));
                    // Only the clock changes: the slice goes on when nothing else does.
                    soft = (open.edge > edge || open.soft) && (found.until > edge || found.soft);
                }
                Some(at) => (t, import) = at,
                None => return Ok(()),
            }
            if soft && self.continues(pricing, cursor, &along, t, import)? {
                continue;
            }
            let Some(open) = cursor.open.take() else { return Ok(()) };
            let register = if meter == Meter::Export { along.export_at(t) } else { import };
            self.push_line(pricing, cursor, &open, t, register)?;
            if cursor.states == 0 {
                // Charged once, and that was it.
                cursor.watch.clear();
                cursor.found = None;
                return Ok(());
            }
            if crossed.is_some() || cursor.found.as_ref().is_some_and(|found| t >= found.until) {
                cursor.found = None;
            }
        }
    }

    // The first instant of the stretch, with its register, at which a watched measure reaches its threshold.
    fn first_crossing(
        &self,
        pricing: &Pricing<'_>,
        cursor: &Cursor,
        stretch: &Stretch<'_>,
        along: &Along<'_>,
        (t, import): (i64, i64),
    ) -> Result<Option<(i64, i64)>, PriceError> {
        let here = self.here(along, t, import, self.now.local);
        let mut first: Option<(i64, i64)> = None;
        for (index, threshold) in &cursor.watch {
            let Some(measure) = pricing.p.tariff.measures.get(*index as usize) else { continue };
            let base = self.bases.get(*index as usize).copied().unwrap_or_default();
            let missing = threshold.saturating_sub(here.measure(*measure, &base)?);
            if let Some(at) = self.crossing(stretch, along, (t, import), *measure, missing) {
                first = Some(first.map_or(at, |best| best.min(at)));
            }
        }
        Ok(first)
    }

    fn here<'h>(&'h self, along: &'h Along<'h>, t: i64, import: i64, local: LocalTime) -> Here<'h> {
        Here { run: self, along, t, import, local }
    }

    // When and at which register a measure has grown by `missing`, if that is within the stretch.
    fn crossing(
        &self,
        stretch: &Stretch<'_>,
        along: &Along<'_>,
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
                let at = along.reaches(wanted).max(t);
                (at <= stretch.end).then_some((at, wanted))
            }
            Measure::Time { time, .. } => {
                let at = t.checked_add(missing)?;
                (missing > 0 && at <= stretch.end && counts(time, self.state))
                    .then(|| (at, { *along }.import_at(at).max(import)))
            }
            Measure::Power | Measure::Current | Measure::Occupancy => None,
        }
    }

    // As `resolve`, where only the clock is asked and the price is a plain number. The clock has been turned to `t`.
    #[inline(always)]
    fn resolve_by_clock(&self, pricing: &Pricing<'_>, cursor: &mut Cursor, t: i64) -> bool {
        let TaxAt::Always(tax) = cursor.tax else { return false };
        let local = &cursor.clock.local;
        let minute = cursor.clock.minute(t);
        let p = pricing.p;
        let Some(schedule) = p.schedule(cursor.root) else { return false };
        let Some((leaf, until)) = schedule.at(&p.day_classes, local.day, minute) else { return false };
        let Some(fast) = pricing.p.leaves.get(leaf as usize) else { return false };
        if !fast.plain || self.trace.is_some() {
            return false;
        }
        let until = until.map_or(i64::MAX, |minute| local.instant_of(minute));
        cursor.watch.clear();
        cursor.found = Some(Found {
            leaf,
            rule: fast.rule,
            tax,
            counted: if fast.free { own_unit(cursor.kind) } else { fast.counted },
            price: fast.constant,
            per_unit: fast.per_unit,
            settled: true,
            parts: false,
            until: until.min(local.offset_until),
            soft: local.offset_until < until,
            day: local.day,
        });
        true
    }

    // Finds the line that answers at a point, its price, and until when both stay.
    pub(super) fn resolve(
        &self,
        pricing: &Pricing<'_>,
        cursor: &mut Cursor,
        at: &impl Moment,
    ) -> Result<(), PriceError> {
        let p = pricing.p;
        let tariff = &p.tariff;
        let mut edges = Edges { time: i64::MAX, measures: std::mem::take(&mut cursor.watch) };
        edges.measures.clear();
        let missing = || {
            let label = tariff.charges.get(usize::from(cursor.charge)).map(|charge| charge.label.clone());
            let at = local_text(&tariff.zone, Instant(at.point().t));
            PriceError::NoCase { charge: label.unwrap_or_default(), at }
        };
        let leaf = walk(p, &self.fixed, cursor.root, at, &self.bases, &mut edges)?.ok_or_else(missing)?;
        let tax = match cursor.tax {
            TaxAt::Always(tax) => tax,
            TaxAt::Node(root) => self.tax_at(pricing, root, at, &self.bases, &mut edges)?,
        };
        let fast = p.leaves.get(leaf as usize).ok_or_else(missing)?;
        let price = match fast.constant {
            Some(constant) => Some(constant),
            None => {
                let point = at.point();
                let average_power = if fast.uses_average { self.average_so_far()? } else { Num::ZERO };
                let (fixed, bases, rule) = (&self.fixed, self.bases.as_slice(), fast.rule);
                let around = Around { pricing, fixed, point: &point, bases, average_power, tax, rule };
                match around.leaf(leaf, &mut edges, 0)? {
                    Given::Number(price) => Some(price),
                    Given::Pending => None,
                }
            }
        };
        let local = at.local();
        let settled = !fast.uses_average && price.is_some();
        let parts = !fast.parts.is_empty();
        if !settled || parts || self.trace.is_some() {
            cursor.point = Some(Box::new(at.point()));
        }
        cursor.found = Some(Found {
            leaf,
            rule: fast.rule,
            tax,
            counted: if fast.free { own_unit(cursor.kind) } else { fast.counted },
            price,
            per_unit: fast.per_unit,
            settled,
            parts,
            until: edges.time.min(local.offset_until),
            soft: local.offset_until < edges.time,
            day: local.day,
        });
        cursor.watch = edges.measures;
        Ok(())
    }

    // At a clock change: whether the open slice may go on. If so its edge is moved.
    fn continues(
        &self,
        pricing: &Pricing<'_>,
        cursor: &mut Cursor,
        along: &Along<'_>,
        t: i64,
        import: i64,
    ) -> Result<bool, PriceError> {
        let Some(before) = cursor.found else { return Ok(false) };
        let (point_before, watch_before) = (cursor.point.clone(), cursor.watch.clone());
        cursor.clock.turn_to(&pricing.p.tariff.zone, t);
        let here = self.here(along, t, import, cursor.clock.shows(t));
        self.resolve(pricing, cursor, &here)?;
        let Some(fresh) = cursor.found else { return Ok(false) };
        let settled = before.settled && fresh.settled;
        let same_price = settled && before.price == fresh.price;
        let zone = &pricing.p.tariff.zone;
        let same_day = cursor.open.is_some_and(|open| LocalTime::at(zone, open.from).day == fresh.day);
        if fresh.leaf == before.leaf && fresh.tax == before.tax && same_day && same_price {
            let (edge, soft) = cursor.clock.cut(t, pricing.p.tariff.line_step_min);
            if let Some(open) = &mut cursor.open {
                (open.edge, open.soft) = (edge, soft);
            }
            return Ok(true);
        }
        // What is not settled yet may turn out to be one price.
        cursor.joins = fresh.leaf == before.leaf && fresh.tax == before.tax && same_day && !settled;
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
        ChargeKind::StartFee | ChargeKind::ReservationFee | ChargeKind::PaymentFee | ChargeKind::FlatFee => {
            Counted::Pieces
        }
    }
}

const fn state_bit(state: State) -> u8 {
    1 << state as u8
}

// The states in which a kind of charge follows the timeline, a bit each. Energy that flows is charged in every state.
pub(super) const fn states_of(kind: ChargeKind) -> u8 {
    match kind {
        ChargeKind::Energy
        | ChargeKind::FeedIn
        | ChargeKind::PayoutToSite
        | ChargeKind::ConnectedTime
        | ChargeKind::FlatFee => u8::MAX,
        ChargeKind::ChargingTime => state_bit(State::Charging),
        ChargeKind::ParkingTime => {
            state_bit(State::Waiting) | state_bit(State::Idle) | state_bit(State::Paused)
        }
        ChargeKind::IdleFee => state_bit(State::Idle),
        ChargeKind::StartFee | ChargeKind::ReservationFee | ChargeKind::PaymentFee => 0,
    }
}

// 1 for each of the times (by `time_index`) that run in a state.
pub(super) const fn counted_times(state: State) -> [i64; 6] {
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
