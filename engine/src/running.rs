//! A session priced as it runs. Each reading costs the same, however long the session already is.
//!
//! Every charge follows the timeline by itself: a slice opens with the line that answers at its first instant and closes at
//! the first edge where that answer or its price could change. Registers between readings lie on the straight line between
//! their neighbours, rounded half up to 0.000001 kWh; a threshold on energy is cut exactly at the threshold, in the first
//! whole millisecond in which the line has reached it.

use crate::calendar_time::{INSTANTS, LocalTime, local_text, month_key, month_text};
use crate::error::PriceError;
use crate::evaluate::{
    Around, Base, Edges, Fixed, Given, Point, Pricing, average_power, time_index, walk, who_text,
};
use crate::exact::{Counted, Exact, Num};
use crate::input::InputError;
use crate::session::{Facts, OccupancyFrom, PowerFrom, Reading, State, StateFrom};
use crate::standing::Standing;
use crate::tariff::{AfterAmount, ChargeKind, Measure, NodeId, Outcome, Span, Time, Who};
use crate::units::{DAY_MS, HOUR_MS, Instant};
use std::collections::VecDeque;

/// Longest session that is priced: more is a forgotten end, not a car.
pub const LONGEST_SESSION_DAYS: i64 = 400;

/// Part of a charge priced at one price.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line {
    pub charge: u16,
    pub tax: u32,
    pub rule: u32,
    pub leaf: u32,
    pub from: i64,
    pub to: i64,
    pub quantity: i64,
    pub counted: Counted,
    // None: not known yet.
    pub price: Option<Num>,
    pub amount: Exact,
}

/// A line whose price has to be worked out again at the end: it is pending, or depends on the whole session.
#[derive(Clone, Debug)]
pub(crate) struct Deferred {
    pub line: usize,
    pub point: Point,
    pub bases: Vec<Base>,
}

/// Exact sum of a charge's lines with one tax class.
#[derive(Clone, Debug)]
pub(crate) struct Bucket {
    pub charge: u16,
    pub tax: u32,
    pub sum: Exact,
    // By index into Prepared::part_labels, in order of appearance; `u32::MAX` is the charge's own label.
    pub parts: Vec<(u32, Exact)>,
}

#[derive(Clone, Debug)]
struct Cursor {
    charge: u16,
    kind: ChargeKind,
    root: NodeId,
    tax_root: NodeId,
    // Measure and threshold beyond which the charge begins.
    after: Option<(Measure, i64)>,
    open: Option<Open>,
    bases: Vec<Base>,
}

#[derive(Clone, Debug)]
struct Open {
    from: i64,
    register: i64,
    leaf: u32,
    rule: u32,
    tax: u32,
    counted: Counted,
    price: Given,
    edge: i64,
    // The edge is only a clock change: the slice goes on when nothing else changes.
    soft: bool,
    day: i32,
    watch: Vec<(u32, i64)>,
    point: Point,
}

#[derive(Clone, Copy, Debug)]
enum Change {
    State(State),
    Power(i64, Option<i64>),
    Occupancy(i64),
}

// Readings at both ends of the stretch that is being priced.
#[derive(Clone, Copy, Debug)]
struct Track {
    t0: i64,
    import0: i64,
    export0: i64,
    t1: i64,
    import1: i64,
    export1: i64,
}

fn interpolate(t0: i64, v0: i64, t1: i64, v1: i64, t: i64) -> i64 {
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
    fn import_at(&self, t: i64) -> i64 {
        interpolate(self.t0, self.import0, self.t1, self.import1, t)
    }

    fn export_at(&self, t: i64) -> i64 {
        interpolate(self.t0, self.export0, self.t1, self.export1, t)
    }

    // First whole millisecond at which the line has reached `import`.
    fn reaches(&self, import: i64) -> i64 {
        let rise = i128::from(self.import1 - self.import0);
        if rise <= 0 {
            return i64::MAX;
        }
        let need = i128::from(import - self.import0) * i128::from(self.t1 - self.t0);
        self.t0 + i64::try_from((need + rise - 1) / rise).unwrap_or(i64::MAX / 2)
    }
}

/// The running price of one session.
#[derive(Clone, Debug)]
pub struct Running {
    pub(crate) facts: Facts,
    pub(crate) fixed: Fixed,
    pub(crate) standing: Standing,
    pub(crate) plugged_in: i64,
    explicit_states: bool,
    explicit_power: bool,
    cursors: Vec<Cursor>,
    pub(crate) lines: Vec<Line>,
    pub(crate) deferred: Vec<Deferred>,
    pub(crate) buckets: Vec<Bucket>,
    pub(crate) now: Point,
    state: State,
    charged: bool,
    changes: VecDeque<(i64, Change)>,
    register: Option<Reading>,
    pub(crate) start_point: Point,
    // What each local day brought, where counters over several sessions want it.
    by_day: Option<Vec<DayAmounts>>,
}

#[derive(Clone, Copy, Debug)]
struct DayAmounts {
    day: i32,
    from: i64,
    import: i64,
    times: [i64; 6],
}

/// How a session begins, before any reading.
#[derive(Clone, Debug)]
pub struct Begin {
    /// When the car was plugged in.
    pub plugged_in: Instant,
    /// States will be given; else they follow from the registers.
    pub explicit_states: bool,
    /// Power will be given; else it follows from the registers.
    pub explicit_power: bool,
}

impl Running {
    /// Starts a session.
    ///
    /// # Errors
    /// Before the tariff is in force, outside the calendar, or when the tariff asks a fact that is not known.
    pub fn begin(
        pricing: &Pricing<'_>,
        facts: Facts,
        begin: &Begin,
        standing: Standing,
    ) -> Result<Self, PriceError> {
        let p = pricing.p;
        let zone = &p.tariff.zone;
        let t = begin.plugged_in.0;
        if !INSTANTS.contains(&t) {
            return Err(InputError::new("`plugged_in` lies outside the years 2000 to 2099").into());
        }
        if let Some(valid_from) = p.tariff.valid_from.filter(|from| t < from.0) {
            let (at, valid_from) = (local_text(zone, Instant(t)), local_text(zone, valid_from));
            return Err(PriceError::NotInForce { at, valid_from });
        }
        for code in &facts.coupons {
            let codes = || p.tariff.coupons.iter().map(|coupon| coupon.code.as_str());
            if !codes().any(|known| known == code) {
                let nearest = crate::input::nearest(code, codes()).map(str::to_owned);
                return Err(PriceError::UnknownCoupon { code: code.clone(), nearest });
            }
        }
        let local = LocalTime::at(zone, t);
        let fixed = Fixed::new(pricing, &facts, &standing, &month_text(local.day));
        let point =
            Point { t, local, import: 0, export: 0, times: [0; 6], power: 0, current: None, occupancy: None };
        let mut running = Self {
            facts,
            fixed,
            standing,
            plugged_in: t,
            explicit_states: begin.explicit_states,
            explicit_power: begin.explicit_power,
            cursors: Vec::with_capacity(p.tariff.charges.len()),
            lines: Vec::new(),
            deferred: Vec::new(),
            buckets: Vec::with_capacity(p.tariff.charges.len()),
            now: point,
            state: State::Waiting,
            charged: false,
            changes: VecDeque::new(),
            register: None,
            start_point: point,
            by_day: p
                .tariff
                .measures
                .iter()
                .any(|measure| counter_name(*measure, local.day).is_some())
                .then(Vec::new),
        };
        running.open_cursors(pricing)?;
        Ok(running)
    }

    fn open_cursors(&mut self, pricing: &Pricing<'_>) -> Result<(), PriceError> {
        let p = pricing.p;
        for (index, charge) in (0_u16..).zip(&p.tariff.charges) {
            let over_time = match charge.kind {
                ChargeKind::Energy
                | ChargeKind::ChargingTime
                | ChargeKind::ConnectedTime
                | ChargeKind::ParkingTime
                | ChargeKind::IdleFee
                | ChargeKind::FeedIn
                | ChargeKind::PayoutToSite => true,
                ChargeKind::StartFee | ChargeKind::ReservationFee | ChargeKind::PaymentFee => false,
            };
            if !over_time {
                continue;
            }
            let root = self.fixed.specialise(p, charge.root)?;
            let tax_root = self.fixed.specialise(p, charge.tax)?;
            let after = match &charge.after {
                None => None,
                Some(after) => Some((after.measure, self.after_amount(pricing, &after.amount)?)),
            };
            let bases = self.opening_bases(pricing);
            self.cursors.push(Cursor {
                charge: index,
                kind: charge.kind,
                root,
                tax_root,
                after,
                open: None,
                bases,
            });
        }
        Ok(())
    }

    /// An allowance in its measure's unit, judged at plug-in.
    pub(crate) fn after_amount(
        &self,
        pricing: &Pricing<'_>,
        amount: &AfterAmount,
    ) -> Result<i64, PriceError> {
        let p = pricing.p;
        let value = match amount {
            AfterAmount::Fixed(value) => return Ok(*value),
            AfterAmount::Value(value) => p.tariff.values.get(*value as usize),
        };
        let missing = || PriceError::NoCase {
            charge: value.map_or_else(String::new, |value| value.name.clone()),
            at: local_text(&p.tariff.zone, Instant(self.plugged_in)),
        };
        let root = self.fixed.specialise(p, value.ok_or_else(missing)?.root)?;
        let leaf =
            walk(p, &self.fixed, root, &self.start_point, &[], &mut Edges::new())?.ok_or_else(missing)?;
        match p.tariff.leaves.get(leaf as usize).map(|leaf| &leaf.outcome) {
            Some(Outcome::Quantity(quantity)) => Ok(*quantity),
            Some(Outcome::Free) => Ok(0),
            _ => Err(missing()),
        }
    }

    fn opening_bases(&self, pricing: &Pricing<'_>) -> Vec<Base> {
        let measures = &pricing.p.tariff.measures;
        let spans = |measure: &Measure| match measure {
            Measure::Energy { span, who } | Measure::Time { span, who, .. } => {
                *span != Span::Session || *who != Who::Session
            }
            Measure::Power | Measure::Current | Measure::Occupancy => false,
        };
        if !measures.iter().any(spans) {
            return Vec::new();
        }
        let local = self.start_point.local;
        measures
            .iter()
            .map(|measure| {
                let opening = counter_name(*measure, local.day).map_or(0, |name| {
                    let up = if matches!(measure, Measure::Time { .. }) { 1_000 } else { 1_000_000 };
                    let value = self.standing.get(&name) * rust_decimal::Decimal::from(up);
                    i64::try_from(value.trunc().mantissa()).unwrap_or(i64::MAX / 4)
                });
                Base { period: period(*measure, local.day), at_start: 0, opening }
            })
            .collect()
    }

    /// Takes the next meter reading.
    ///
    /// # Errors
    /// A reading before the last one, a falling register, or whatever pricing the time since then meets. After an error
    /// the running price is to be thrown away and worked out again from the session's facts.
    pub fn reading(&mut self, pricing: &Pricing<'_>, reading: Reading) -> Result<(), PriceError> {
        let at = reading.at.0;
        let text = |t: i64| local_text(&pricing.p.tariff.zone, Instant(t));
        if at < self.now.t {
            let problem = if at < self.plugged_in {
                "before plug-in"
            } else {
                "before the one that stands ahead of it"
            };
            let message = format!("the reading at {} lies {problem}", text(at));
            return Err(InputError::new(message)
                .help("order `readings` by `at`, from `plugged_in` on")
                .into());
        }
        self.check_end(pricing, at)?;
        let (mut import, mut export) = (self.now.import, self.now.export);
        if let Some(last) = self.register {
            if reading.segment < last.segment {
                let message = format!(
                    "the reading at {} has segment {}, after {}",
                    text(at),
                    reading.segment,
                    last.segment
                );
                return Err(InputError::new(message).help("segments only count up").into());
            }
            if reading.segment == last.segment {
                let (up, out) = (reading.import.0 - last.import.0, reading.export.0 - last.export.0);
                if up < 0 || out < 0 {
                    let which = if up < 0 { "import" } else { "export" };
                    let message = format!("the {which} register falls at {}", text(at));
                    let help =
                        "when the meter was replaced or reset, give the readings after it the next `segment`";
                    return Err(InputError::new(message).help(help).into());
                }
                if at == self.now.t && (up > 0 || out > 0) && last.at == reading.at {
                    let message = format!("two different readings at {}", text(at));
                    return Err(InputError::new(message).help("keep one of them").into());
                }
                let too_large = || InputError::new("the registers are too large");
                import = import.checked_add(up).ok_or_else(too_large)?;
                export = export.checked_add(out).ok_or_else(too_large)?;
            }
        }
        if reading.import.0 < 0 || reading.export.0 < 0 {
            return Err(InputError::new(format!("the reading at {} is negative", text(at))).into());
        }
        self.advance(pricing, at, import, export)?;
        self.register = Some(reading);
        Ok(())
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

    fn queue(
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
        let place = self.changes.partition_point(|(at, _)| *at <= from.0);
        self.changes.insert(place, (from.0, change));
        Ok(())
    }

    fn check_end(&self, pricing: &Pricing<'_>, at: i64) -> Result<(), PriceError> {
        if at - self.plugged_in > LONGEST_SESSION_DAYS * DAY_MS {
            let message = format!("the session lasts more than {LONGEST_SESSION_DAYS} days");
            return Err(InputError::new(message).help("check its times, or split it").into());
        }
        if !INSTANTS.contains(&at) {
            let at = local_text(&pricing.p.tariff.zone, Instant(self.plugged_in));
            return Err(InputError::new(format!("the session of {at} runs past the year 2099")).into());
        }
        Ok(())
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
        self.advance(pricing, at.0, self.now.import, self.now.export)
    }

    fn advance(
        &mut self,
        pricing: &Pricing<'_>,
        to: i64,
        import: i64,
        export: i64,
    ) -> Result<(), PriceError> {
        let start = self.now;
        let track = Track {
            t0: start.t,
            import0: start.import,
            export0: start.export,
            t1: to,
            import1: import,
            export1: export,
        };
        if to > start.t {
            if !self.explicit_states {
                let derived = if import > start.import {
                    State::Charging
                } else if export > start.export {
                    State::Feeding
                } else if self.charged {
                    State::Idle
                } else {
                    State::Waiting
                };
                self.enter(pricing, derived)?;
            }
            if !self.explicit_power {
                let rise = i128::from(import - start.import) * i128::from(HOUR_MS);
                let power = crate::exact::div_half_away(rise, i128::from(to - start.t));
                self.set_power(pricing, i64::try_from(power).unwrap_or(i64::MAX), None)?;
            }
        }
        loop {
            while let Some((at, change)) = self.changes.front().copied() {
                if at > self.now.t || (at == to && to > start.t) {
                    break;
                }
                self.changes.pop_front();
                self.apply(pricing, change)?;
            }
            if self.now.t >= to {
                break;
            }
            let end = self.changes.front().map_or(to, |(at, _)| (*at).min(to));
            self.stretch(pricing, &track, end)?;
        }
        // A jump of the register within no time at all (a new segment's first reading) has no duration.
        self.now.import = import;
        self.now.export = export;
        Ok(())
    }

    fn apply(&mut self, pricing: &Pricing<'_>, change: Change) -> Result<(), PriceError> {
        match change {
            Change::State(state) if self.explicit_states => self.enter(pricing, state),
            Change::State(_) => Ok(()),
            Change::Power(power, current) => self.set_power(pricing, power, current),
            Change::Occupancy(share) => {
                self.now.occupancy = Some(share);
                if self.now.t == self.plugged_in {
                    self.start_point.occupancy = Some(share);
                }
                self.close_watching(pricing, |measure| measure == Measure::Occupancy)
            }
        }
    }

    fn enter(&mut self, pricing: &Pricing<'_>, state: State) -> Result<(), PriceError> {
        if state != self.state {
            self.close_watching(pricing, |_| true)?;
            self.close_all(pricing)?;
            self.state = state;
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

    fn set_power(
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

    fn close_all(&mut self, pricing: &Pricing<'_>) -> Result<(), PriceError> {
        self.close_watching_or_all(pricing, |_| true, true)
    }

    fn close_watching(
        &mut self,
        pricing: &Pricing<'_>,
        which: impl Fn(Measure) -> bool,
    ) -> Result<(), PriceError> {
        self.close_watching_or_all(pricing, which, false)
    }

    fn close_watching_or_all(
        &mut self,
        pricing: &Pricing<'_>,
        which: impl Fn(Measure) -> bool,
        all: bool,
    ) -> Result<(), PriceError> {
        let measures = &pricing.p.tariff.measures;
        for index in 0..self.cursors.len() {
            let Some(cursor) = self.cursors.get_mut(index) else { break };
            let watches = cursor.open.as_ref().is_some_and(|open| {
                all || open
                    .watch
                    .iter()
                    .any(|(measure, _)| measures.get(*measure as usize).is_some_and(|m| which(*m)))
            });
            if watches && let Some(open) = cursor.open.take() {
                let register = match cursor.kind {
                    ChargeKind::FeedIn => self.now.export,
                    _ => self.now.import,
                };
                let (charge, bases) = (cursor.charge, cursor.bases.clone());
                self.push_line(pricing, charge, open, self.now.t, register, &bases)?;
            }
        }
        Ok(())
    }

    // Prices from `self.now` to `end`; the state and everything but time and registers stay the same.
    fn stretch(&mut self, pricing: &Pricing<'_>, track: &Track, end: i64) -> Result<(), PriceError> {
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
    fn point_at(&self, pricing: &Pricing<'_>, track: &Track, t: i64, import: i64) -> Point {
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

    fn follow(
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
                let pushed = self.push_line(pricing, cursor.charge, open, t, register, &bases);
                cursor.bases = bases;
                pushed?;
            }
        }
    }

    // When and at which register a measure has grown by `missing`, if that is within the stretch.
    fn crossing(
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
    fn turn_periods(&self, cursor: &mut Cursor, point: &Point, pricing: &Pricing<'_>) {
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
                let opening = counter_name(*measure, point.local.day).map_or(0, |name| {
                    let up = if matches!(measure, Measure::Time { .. }) { 1_000 } else { 1_000_000 };
                    let value = self.standing.get(&name) * rust_decimal::Decimal::from(up);
                    i64::try_from(value.trunc().mantissa()).unwrap_or(i64::MAX / 4)
                });
                *base = Base { period: now, at_start: value, opening };
            }
        }
    }

    fn resolve(
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

    pub(crate) fn average_so_far(&self) -> Result<Num, PriceError> {
        let charging = self.now.times.get(time_index(Time::Charging)).copied().unwrap_or_default();
        average_power(self.now.import, charging)
            .map_err(|_| PriceError::Overflow { place: "average-power".into() })
    }

    pub(crate) fn tax_at(
        &self,
        pricing: &Pricing<'_>,
        root: NodeId,
        point: &Point,
        bases: &[Base],
        edges: &mut Edges,
    ) -> Result<u32, PriceError> {
        let p = pricing.p;
        let leaf = walk(p, &self.fixed, root, point, bases, edges)?;
        match leaf.and_then(|leaf| p.tariff.leaves.get(leaf as usize)).map(|leaf| &leaf.outcome) {
            Some(Outcome::Tax(class)) => {
                Ok(p.tax_factors.get(*class as usize).map_or(*class, |factor| factor.same_as))
            }
            _ => Err(PriceError::NoCase {
                charge: "VAT".into(),
                at: local_text(&p.tariff.zone, Instant(point.t)),
            }),
        }
    }

    // At a clock change: whether the open slice may go on. If so its edge is moved.
    fn continues(
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

    fn push_line(
        &mut self,
        pricing: &Pricing<'_>,
        charge: u16,
        open: Open,
        to: i64,
        register: i64,
        bases: &[Base],
    ) -> Result<(), PriceError> {
        let Some((line, deferred)) = self.make_line(pricing, charge, &open, to, register)? else {
            return Ok(());
        };
        if deferred {
            let deferred = Deferred { line: self.lines.len(), point: open.point, bases: bases.to_vec() };
            self.deferred.push(deferred);
        } else {
            self.add_up(pricing, &line, &open.point, bases)?;
        }
        self.lines.push(line);
        Ok(())
    }

    // The line of an open slice that ends at `to`, and whether its price is not final. None when there is nothing to bill.
    fn make_line(
        &self,
        pricing: &Pricing<'_>,
        charge: u16,
        open: &Open,
        to: i64,
        register: i64,
    ) -> Result<Option<(Line, bool)>, PriceError> {
        let quantity = match open.counted {
            Counted::Energy => register - open.register,
            Counted::Hours | Counted::Minutes => to - open.from,
            Counted::Pieces => 1,
        };
        if quantity == 0 {
            return Ok(None);
        }
        let uses_average = self.final_at_end(pricing, open.leaf);
        let price = match open.price {
            Given::Number(price) => Some(price),
            Given::Pending => None,
        };
        let overflow = |_| PriceError::Overflow { place: pricing.p.place(open.rule) };
        let amount = match price {
            Some(price) => Exact::product(price, quantity, open.counted).map_err(overflow)?,
            None => Exact::ZERO,
        };
        let line = Line {
            charge,
            tax: open.tax,
            rule: open.rule,
            leaf: open.leaf,
            from: open.from,
            to,
            quantity,
            counted: open.counted,
            price,
            amount: self.signed(pricing, charge, amount)?,
        };
        Ok(Some((line, uses_average || price.is_none())))
    }

    // Energy fed in is a credit.
    pub(crate) fn signed(
        &self,
        pricing: &Pricing<'_>,
        charge: u16,
        amount: Exact,
    ) -> Result<Exact, PriceError> {
        match pricing.p.tariff.charges.get(usize::from(charge)) {
            Some(charge) if charge.kind == ChargeKind::FeedIn => {
                amount.negated().map_err(|_| PriceError::Overflow { place: pricing.p.place(charge.rule) })
            }
            _ => Ok(amount),
        }
    }

    fn final_at_end(&self, pricing: &Pricing<'_>, leaf: u32) -> bool {
        pricing.p.leaves.get(leaf as usize).is_some_and(|leaf| leaf.uses_average)
    }

    /// Adds a line's exact amount and its parts to the sums of its charge and tax class.
    pub(crate) fn add_up(
        &mut self,
        pricing: &Pricing<'_>,
        line: &Line,
        point: &Point,
        bases: &[Base],
    ) -> Result<(), PriceError> {
        let mut buckets = std::mem::take(&mut self.buckets);
        let result = self.add_to(pricing, &mut buckets, line, point, bases);
        self.buckets = buckets;
        result
    }

    pub(crate) fn add_to(
        &self,
        pricing: &Pricing<'_>,
        buckets: &mut Vec<Bucket>,
        line: &Line,
        point: &Point,
        bases: &[Base],
    ) -> Result<(), PriceError> {
        let overflow = |_| PriceError::Overflow { place: pricing.p.place(line.rule) };
        let known = buckets.iter().position(|bucket| bucket.charge == line.charge && bucket.tax == line.tax);
        let index = known.unwrap_or_else(|| {
            buckets.push(Bucket { charge: line.charge, tax: line.tax, sum: Exact::ZERO, parts: Vec::new() });
            buckets.len() - 1
        });
        let Some(bucket) = buckets.get_mut(index) else { return Ok(()) };
        bucket.sum = bucket.sum.add(line.amount).map_err(overflow)?;
        let labels =
            pricing.p.leaves.get(line.leaf as usize).map(|leaf| leaf.parts.as_slice()).unwrap_or_default();
        if labels.is_empty() {
            if !bucket.parts.is_empty() {
                add_part(&mut bucket.parts, u32::MAX, line.amount).map_err(overflow)?;
            }
            return Ok(());
        }
        if bucket.parts.is_empty() {
            // What earlier lines without parts came to goes under the charge's own label.
            let before = bucket.sum.sub(line.amount).map_err(overflow)?;
            if !before.is_zero() {
                bucket.parts.push((u32::MAX, before));
            }
        }
        let Some(Outcome::Price(price)) =
            pricing.p.tariff.leaves.get(line.leaf as usize).map(|leaf| &leaf.outcome)
        else {
            return Ok(());
        };
        let around = Around {
            pricing,
            fixed: &self.fixed,
            point,
            bases,
            average_power: self.average_so_far()?,
            tax: line.tax,
            rule: line.rule,
        };
        // What rounding the unit price adds or takes belongs to the first part.
        let mut rest = line.amount;
        for (part, label) in price.parts.iter().zip(labels).skip(1) {
            if let Given::Number(number) = around.formula(&part.formula, &mut Edges::new(), 0)? {
                let amount = Exact::product(number, line.quantity, line.counted).map_err(overflow)?;
                let amount = self.signed(pricing, line.charge, amount)?;
                rest = rest.sub(amount).map_err(overflow)?;
                add_part(&mut bucket.parts, *label, amount).map_err(overflow)?;
            }
        }
        if let Some(first) = labels.first() {
            add_part(&mut bucket.parts, *first, rest).map_err(overflow)?;
        }
        Ok(())
    }

    /// Closes what is still open, for a bill as of now. The running session itself is not changed.
    pub(crate) fn closed(&self, pricing: &Pricing<'_>) -> Result<Self, PriceError> {
        let mut copy = self.clone();
        copy.close_all(pricing)?;
        copy.reservation(pricing)?;
        Ok(copy)
    }

    // Closes in place: the session has ended.
    pub(crate) fn close(mut self, pricing: &Pricing<'_>) -> Result<Self, PriceError> {
        self.close_all(pricing)?;
        self.reservation(pricing)?;
        Ok(self)
    }

    // A reservation charged by time is a stretch of its own before plug-in.
    fn reservation(&mut self, pricing: &Pricing<'_>) -> Result<(), PriceError> {
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
            let tax_root = self.fixed.specialise(p, charge.tax)?;
            let mut local = LocalTime::at(&p.tariff.zone, from);
            let mut t = from;
            let cursor = Cursor {
                charge: index,
                kind: charge.kind,
                root,
                tax_root,
                after: None,
                open: None,
                bases: Vec::new(),
            };
            while t < until {
                local = local.moved_to(&p.tariff.zone, t);
                let point = Point { t, local, ..self.start_point };
                let open = self.resolve(pricing, &cursor, &point, 0)?;
                let to = open.edge.min(until);
                let pieces = open.counted == Counted::Pieces;
                if !pieces {
                    self.push_line(pricing, index, open, to, 0, &[])?;
                } else {
                    // A flat fee: once, as it stood when the reservation began.
                    let free = matches!(
                        p.tariff.leaves.get(open.leaf as usize).map(|leaf| &leaf.outcome),
                        Some(Outcome::Free)
                    );
                    if !free {
                        self.push_line(pricing, index, open, until, 0, &[])?;
                    }
                    break;
                }
                t = to;
            }
        }
        Ok(())
    }
}

impl Running {
    fn count_days(&mut self, pricing: &Pricing<'_>, track: &Track, end: i64) {
        let Some(mut days) = self.by_day.take() else { return };
        let mut point = self.now;
        while point.t < end {
            let midnight = point.local.instant_of(1440).min(point.local.offset_until).clamp(point.t + 1, end);
            let next = self.point_at(pricing, track, midnight, track.import_at(midnight));
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
        self.changes.back().map(|(at, _)| *at).filter(|at| *at > self.now.t)
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

fn add_part(parts: &mut Vec<(u32, Exact)>, label: u32, amount: Exact) -> Result<(), crate::exact::Overflow> {
    match parts.iter_mut().find(|(known, _)| *known == label) {
        Some((_, sum)) => *sum = sum.add(amount)?,
        None => parts.push((label, amount)),
    }
    Ok(())
}

// In which unit a free slice of this kind is counted.
const fn own_unit(kind: ChargeKind) -> Counted {
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
const fn charged_in(kind: ChargeKind, state: State) -> bool {
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

const fn counts(time: Time, state: State) -> bool {
    match time {
        Time::Connected => true,
        Time::Charging => matches!(state, State::Charging),
        Time::Parking | Time::ParkingInARow => matches!(state, State::Waiting | State::Idle | State::Paused),
        Time::Idle | Time::IdleInARow => matches!(state, State::Idle),
    }
}

pub(crate) fn period(measure: Measure, day: i32) -> i32 {
    match measure {
        Measure::Energy { span, .. } | Measure::Time { span, .. } => match span {
            Span::Session | Span::Bill => 0,
            Span::Day => day,
            Span::Month => month_key(day),
        },
        Measure::Power | Measure::Current | Measure::Occupancy => 0,
    }
}

/// The standing counter behind a measure over several sessions (kWh, or seconds); none for one session's own measures.
pub(crate) fn counter_name(measure: Measure, day: i32) -> Option<String> {
    let (what, span, who) = match measure {
        Measure::Energy { span, who } => ("energy", span, who),
        Measure::Time { time, span, who } => {
            let what = match time {
                Time::Connected => "connected time",
                Time::Charging => "charging time",
                Time::Parking | Time::ParkingInARow => "parking time",
                Time::Idle | Time::IdleInARow => "idle time",
            };
            (what, span, who)
        }
        Measure::Power | Measure::Current | Measure::Occupancy => return None,
    };
    (who != Who::Session).then(|| format!("{} {what} {}", who_text(who), span_text(span, day)))
}

pub(crate) fn span_text(span: Span, day: i32) -> String {
    match span {
        Span::Session | Span::Bill => "ever".into(),
        Span::Day => crate::calendar_time::day_text(day),
        Span::Month => month_text(day),
    }
}
