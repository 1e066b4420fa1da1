//! Time moves on: states, power and periods change, and what depends on them is closed.

use super::*;

impl Running<'_> {
    #[inline]
    pub(super) fn advance(&mut self, pricing: &Pricing<'_>, way: &Way<'_>) -> Result<(), PriceError> {
        let Some(last) = way.readings.last() else { return Ok(()) };
        let (to, import, export) =
            (last.at.0, last.import.0 + way.import_offset, last.export.0 + way.export_offset);
        if to > way.t {
            if !self.explicit_states {
                let derived = if import > way.import {
                    State::Charging
                } else if export > way.export {
                    State::Feeding
                } else if self.charged {
                    State::Idle
                } else {
                    State::Waiting
                };
                self.enter(pricing, derived)?;
            }
            if !self.explicit_power && pricing.p.uses_power {
                let rise = i128::from(import - way.import) * i128::from(HOUR_MS);
                let power = crate::exact::div_half_away(rise, i128::from(to - way.t));
                self.set_power(pricing, i64::try_from(power).unwrap_or(i64::MAX), None)?;
            }
            // The usual: nothing changes on the way. What changes at the very end belongs to the time after it.
            if self.next_change >= to && self.bases.is_empty() {
                return self.stretch(pricing, &Stretch { way, end: to, import, export });
            }
        }
        self.advance_by_changes(pricing, way, to)?;
        // A jump of the register within no time at all has no duration.
        (self.now.import, self.now.export) = (import, export);
        Ok(())
    }

    #[inline(never)]
    pub(super) fn advance_by_changes(
        &mut self,
        pricing: &Pricing<'_>,
        way: &Way<'_>,
        to: i64,
    ) -> Result<(), PriceError> {
        loop {
            while self.next_change <= self.now.t && !(self.next_change == to && to > way.t) {
                let Some((_, change)) = self.changes.get(self.changed).copied() else { break };
                self.changed += 1;
                self.next_change = self.changes.get(self.changed).map_or(i64::MAX, |(at, _)| *at);
                self.apply(pricing, change)?;
            }
            if self.now.t >= to {
                return Ok(());
            }
            let mut end = self.next_change.min(to);
            if !self.bases.is_empty() {
                end = end.min(self.turn_periods(pricing)?);
            }
            let mut along = way.begin();
            let (import, export) = (along.import_at(end), along.export_at(end));
            self.stretch(pricing, &Stretch { way, end, import, export })?;
        }
    }

    pub(super) fn apply(&mut self, pricing: &Pricing<'_>, change: Change) -> Result<(), PriceError> {
        match change {
            Change::State(state) if self.explicit_states => self.enter(pricing, state),
            Change::State(_) => Ok(()),
            Change::Power(power, current) => self.set_power(pricing, power, current),
            Change::Occupancy(share) => {
                self.now.occupancy = Some(share);
                if self.now.t == self.plugged_in {
                    self.start_occupancy = Some(share);
                }
                self.close_watching(pricing, |measure| measure == Measure::Occupancy)
            }
            Change::List => {
                self.close_all(pricing)?;
                self.silent = !self.window.has(self.now.t);
                if self.now.t == self.window.from {
                    self.taken_before = self.now.import;
                }
                Ok(())
            }
        }
    }

    #[inline]
    pub(super) fn enter(&mut self, pricing: &Pricing<'_>, state: State) -> Result<(), PriceError> {
        // A car is idle after it has charged; before that it waits, whatever the charger calls it.
        let has_charged = self.charged || self.now.import > 0;
        let state = if state == State::Idle && !has_charged { State::Waiting } else { state };
        if state == self.state { Ok(()) } else { self.change_state(pricing, state) }
    }

    pub(super) fn change_state(&mut self, pricing: &Pricing<'_>, state: State) -> Result<(), PriceError> {
        self.close_all(pricing)?;
        self.settle_times();
        self.state = state;
        if let Some(trace) = &mut self.trace {
            trace.states.push((self.now.t, state));
        }
        if state == State::Charging {
            self.charged = true;
            for run in [Time::IdleInARow, Time::ParkingInARow] {
                if let Some(time) = self.now.times.get_mut(time_index(run)) {
                    *time = 0;
                }
            }
        }
        Ok(())
    }

    // What a time has come to at an instant of the state that lasts.
    pub(super) fn time_at(&self, time: Time, t: i64) -> i64 {
        let so_far = self.now.times.get(time_index(time)).copied().unwrap_or_default();
        if counts(time, self.state) { so_far + (t - self.since) } else { so_far }
    }

    /// Brings the times of `now` up to now.
    pub(crate) fn settle_times(&mut self) {
        if self.since != self.now.t {
            self.now.times = self.times_at(self.now.t);
            self.since = self.now.t;
        }
    }

    pub(super) fn times_at(&self, t: i64) -> [i64; 6] {
        let mut times = self.now.times;
        for (time, counts) in times.iter_mut().zip(counted_times(self.state)) {
            *time += (t - self.since) * counts;
        }
        times
    }

    pub(super) fn set_power(
        &mut self,
        pricing: &Pricing<'_>,
        power: i64,
        current: Option<i64>,
    ) -> Result<(), PriceError> {
        if power != self.now.power || current != self.now.current {
            self.now.power = power;
            self.now.current = current;
            self.close_watching(pricing, |measure| matches!(measure, Measure::Power | Measure::Current))?;
        }
        Ok(())
    }

    // Counters per day or month start again at local midnight. Returns the next instant at which to look again.
    pub(super) fn turn_periods(&mut self, pricing: &Pricing<'_>) -> Result<i64, PriceError> {
        let zone = &pricing.p.tariff.zone;
        self.now.local = self.now.local.moved_to(zone, self.now.t);
        let local = self.now.local;
        let turns = |(base, measure): (&Base, &Measure)| base.period != period(*measure, local.day);
        if self.bases.iter().zip(&pricing.p.tariff.measures).any(turns) {
            // What was found by the old counters ends with them.
            self.close_where(pricing, |cursor| !cursor.watch.is_empty())?;
        }
        self.settle_times();
        for (index, measure) in pricing.p.tariff.measures.iter().enumerate() {
            let now = period(*measure, local.day);
            if self.bases.get(index).is_some_and(|base| base.period == now) {
                continue;
            }
            let at_start = match measure {
                Measure::Energy { .. } => self.now.import,
                Measure::Time { time, .. } => {
                    self.now.times.get(time_index(*time)).copied().unwrap_or_default()
                }
                Measure::Power | Measure::Current | Measure::Occupancy => 0,
            };
            let opening = self.opening(*measure, local.day);
            if let Some(base) = self.bases.get_mut(index) {
                *base = Base { period: now, at_start, opening };
            }
        }
        Ok(local.instant_of(1440).min(local.offset_until).max(self.now.t + 1))
    }

    pub(super) fn close_all(&mut self, pricing: &Pricing<'_>) -> Result<(), PriceError> {
        self.close_where(pricing, |_| true)
    }

    // Closes what depends on a measure that has just jumped.
    pub(super) fn close_watching(
        &mut self,
        pricing: &Pricing<'_>,
        which: impl Fn(Measure) -> bool,
    ) -> Result<(), PriceError> {
        let measures = &pricing.p.tariff.measures;
        let is = |index: &u32| measures.get(*index as usize).is_some_and(|measure| which(*measure));
        self.close_where(pricing, |cursor| cursor.watch.iter().any(|(index, _)| is(index)))
    }

    pub(super) fn close_where(
        &mut self,
        pricing: &Pricing<'_>,
        which: impl Fn(&Cursor) -> bool,
    ) -> Result<(), PriceError> {
        if !self.cursors.iter().any(|cursor| cursor.open.is_some() || !cursor.watch.is_empty()) {
            return Ok(());
        }
        let mut cursors = std::mem::take(&mut self.cursors);
        let mut result = Ok(());
        for cursor in cursors.iter_mut().filter(|cursor| which(cursor)) {
            if let Some(open) = cursor.open.take() {
                let register = if cursor.meter == Meter::Export { self.now.export } else { self.now.import };
                result = result.and(self.push_line(pricing, cursor, &open, self.now.t, register));
            }
            if !cursor.watch.is_empty() {
                cursor.found = None;
            }
        }
        self.cursors = cursors;
        result
    }
}
