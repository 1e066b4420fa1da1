//! What is told of a session: readings, states, power, occupancy; and why it cannot be.

use super::*;

impl Running<'_> {
    /// Takes the next meter reading.
    ///
    /// # Errors
    /// A reading before the last one, a falling register, or whatever pricing the time since then meets. After an error
    /// the running price is to be thrown away and worked out again from the session's facts.
    pub fn reading(&mut self, pricing: &Pricing<'_>, reading: Reading) -> Result<(), PriceError> {
        self.readings(pricing, std::slice::from_ref(&reading))
    }

    /// Takes the next meter readings: as one after the other, and faster.
    ///
    /// # Errors
    /// As [`Self::reading`].
    pub fn readings(&mut self, pricing: &Pricing<'_>, mut readings: &[Reading]) -> Result<(), PriceError> {
        while let Some(first) = readings.first() {
            let last = match self.register {
                Some(last) if last.segment == first.segment => last,
                // A new register begins where the old one stood, whatever it shows.
                last => {
                    let steps_back = last.is_some_and(|last| first.segment < last.segment);
                    if steps_back || first.at.0 < self.now.t || first.import.0 < 0 || first.export.0 < 0 {
                        return Err(self.refused(pricing, first));
                    }
                    self.check_end(pricing, first.at.0)?;
                    self.pass(pricing, first.at.0)?;
                    self.register = Some(*first);
                    readings = readings.get(1..).unwrap_or_default();
                    continue;
                }
            };
            let run = self.run(pricing, &last, readings);
            let (Some(taken), Some(end)) = (readings.get(..run), readings.get(..run).and_then(<[_]>::last))
            else {
                return Err(self.refused(pricing, first));
            };
            let too_large = |_| InputError::new("the registers are too large");
            let way = Way {
                import_offset: offset(self.now.import, last.import.0, end.import.0).map_err(too_large)?,
                export_offset: offset(self.now.export, last.export.0, end.export.0).map_err(too_large)?,
                ..self.way_from_here(taken)
            };
            self.advance(pricing, &way)?;
            self.register = Some(*end);
            readings = readings.get(run..).unwrap_or_default();
        }
        Ok(())
    }

    // How many readings from the first on can be priced as one way: they follow one another in time, registers do not
    // fall, and nothing changes in between. None when the first cannot follow the last one.
    pub(super) fn run(&self, pricing: &Pricing<'_>, last: &Reading, readings: &[Reading]) -> usize {
        let follows = |before: &Reading, next: &Reading| {
            next.at >= before.at
                && next.import >= before.import
                && next.export >= before.export
                && next.segment == before.segment
                && next.at.0 <= self.latest
        };
        let here = Reading { at: Instant(self.now.t), ..*last };
        let Some(first) = readings.first().filter(|first| {
            let still = first.import == last.import && first.export == last.export;
            follows(&here, first) && (first.at.0 > self.now.t || still)
        }) else {
            return 0;
        };
        let one_by_one = !self.bases.is_empty()
            || self.by_day.is_some()
            || self.trace.is_some()
            || (pricing.p.uses_power && !self.explicit_power)
            || first.at.0 == self.now.t;
        if one_by_one {
            return 1;
        }
        let flow =
            |before: &Reading, next: &Reading| (next.import > before.import, next.export > before.export);
        let alike = flow(last, first);
        let mut count = 1;
        let mut before = first;
        for next in readings.iter().skip(1) {
            if next.at.0 > self.next_change
                || next.at == before.at
                || !follows(before, next)
                || (!self.explicit_states && flow(before, next) != alike)
            {
                break;
            }
            (before, count) = (next, count + 1);
        }
        count
    }

    // Along readings that show the session's own energy.
    pub(super) fn way_from_here<'r>(&self, readings: &'r [Reading]) -> Way<'r> {
        let (t, import, export) = (self.now.t, self.now.import, self.now.export);
        Way { t, import, export, import_offset: 0, export_offset: 0, readings }
    }

    // Why a reading cannot follow the last one.
    #[cold]
    pub(super) fn refused(&self, pricing: &Pricing<'_>, reading: &Reading) -> PriceError {
        let at = local_text(&pricing.p.tariff.zone, reading.at);
        if reading.at.0 < self.now.t {
            let early = reading.at.0 < self.plugged_in;
            let problem = if early { "before plug-in" } else { "before the one that stands ahead of it" };
            let error = InputError::new(format!("the reading at {at} lies {problem}"));
            return error.help("order `readings` by `at`, from `plugged_in` on").into();
        }
        if let Err(error) = self.check_end(pricing, reading.at.0) {
            return error;
        }
        if reading.import.0 < 0 || reading.export.0 < 0 {
            return InputError::new(format!("the reading at {at} is negative")).into();
        }
        let last = self.register.unwrap_or(*reading);
        if reading.segment < last.segment {
            let message =
                format!("the reading at {at} has segment {}, after {}", reading.segment, last.segment);
            return InputError::new(message).help("segments only count up").into();
        }
        if reading.import < last.import || reading.export < last.export {
            let which = if reading.import < last.import { "import" } else { "export" };
            let help = "when the meter was replaced or reset, give the readings after it the next `segment`";
            return InputError::new(format!("the {which} register falls at {at}")).help(help).into();
        }
        InputError::new(format!("two different readings at {at}")).help("keep one of them").into()
    }

    /// From then on the car is in this state.
    ///
    /// # Errors
    /// When time up to that instant is already priced.
    pub fn state(&mut self, pricing: &Pricing<'_>, state: StateFrom) -> Result<(), PriceError> {
        self.queue(pricing, state.from, Change::State(state.state), "state")
    }

    /// From then on the car draws this power.
    ///
    /// # Errors
    /// As [`Self::state`].
    pub fn power(&mut self, pricing: &Pricing<'_>, power: PowerFrom) -> Result<(), PriceError> {
        self.queue(pricing, power.from, Change::Power(power.power, power.current), "power")
    }

    /// From then on the site is this full.
    ///
    /// # Errors
    /// As [`Self::state`]; also when more places are in use than there are.
    pub fn occupancy(&mut self, pricing: &Pricing<'_>, occupancy: OccupancyFrom) -> Result<(), PriceError> {
        let OccupancyFrom { from, occupied, of } = occupancy;
        if of == 0 || occupied > of {
            return Err(InputError::new(format!("occupancy: {occupied} of {of} places in use")).into());
        }
        let share = i64::from(occupied) * crate::units::MICRO / i64::from(of);
        self.queue(pricing, from, Change::Occupancy(share), "occupancy")
    }

    pub(super) fn queue(
        &mut self,
        pricing: &Pricing<'_>,
        from: Instant,
        change: Change,
        what: &str,
    ) -> Result<(), PriceError> {
        let late = from.0 < self.now.t && self.now.t > self.plugged_in;
        if late || from.0 < self.plugged_in {
            let problem = if late { "before one that stands ahead of it" } else { "before plug-in" };
            let at = local_text(&pricing.p.tariff.zone, from);
            return Err(InputError::new(format!("the {what} from {at} lies {problem}")).into());
        }
        if self.changed == self.changes.len() {
            if from.0 == self.now.t {
                return self.apply(pricing, change);
            }
            self.changes.clear();
            self.changed = 0;
        }
        if self.changes.last().is_none_or(|(last, _)| *last <= from.0) {
            self.changes.push((from.0, change));
        } else {
            let place = self.changes.partition_point(|(at, _)| *at <= from.0).max(self.changed);
            self.changes.insert(place, (from.0, change));
        }
        self.next_change = self.next_change.min(from.0);
        Ok(())
    }

    #[inline]
    pub(super) fn check_end(&self, pricing: &Pricing<'_>, at: i64) -> Result<(), PriceError> {
        if at <= self.latest { Ok(()) } else { Err(self.too_late(pricing, at)) }
    }

    #[cold]
    pub(super) fn too_late(&self, pricing: &Pricing<'_>, at: i64) -> PriceError {
        if at - self.plugged_in > LONGEST_SESSION_DAYS * DAY_MS {
            let message = format!("the session lasts more than {LONGEST_SESSION_DAYS} days");
            return InputError::new(message).help("check its times, or split it").into();
        }
        let at = local_text(&pricing.p.tariff.zone, Instant(self.plugged_in));
        InputError::new(format!("the session of {at} runs past the year 2099")).into()
    }

    /// Moves time on without a reading (to unplugging): the registers stay as they are.
    ///
    /// # Errors
    /// As [`Self::reading`].
    pub fn until(&mut self, pricing: &Pricing<'_>, at: Instant) -> Result<(), PriceError> {
        if at.0 < self.now.t {
            let at = local_text(&pricing.p.tariff.zone, at);
            return Err(
                InputError::new(format!("a reading or state lies after the session's end at {at}")).into()
            );
        }
        self.check_end(pricing, at.0)?;
        self.pass(pricing, at.0)
    }

    // Moves time on; nothing flows.
    pub(super) fn pass(&mut self, pricing: &Pricing<'_>, to: i64) -> Result<(), PriceError> {
        if to == self.now.t && self.next_change > to {
            return Ok(());
        }
        let stands = unread(to, self.now.import, self.now.export);
        self.advance(pricing, &self.way_from_here(std::slice::from_ref(&stands)))
    }
}

// What added to a register gives the session's energy, which at the end of a way still fits.
fn offset(so_far: i64, register: i64, end: i64) -> Result<i64, Overflow> {
    let offset = so_far.checked_sub(register).ok_or(Overflow)?;
    end.checked_add(offset).map(|_| offset).ok_or(Overflow)
}
