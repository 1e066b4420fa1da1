//! A session priced as it runs. Each reading costs the same, however long the session already is.
//!
//! Every charge follows the timeline by itself: a slice opens with the line that answers at its first instant and closes at
//! the first edge where that answer or its price could change. Registers between readings lie on the straight line between
//! their neighbours, rounded half up to 0.000001 kWh; a threshold on energy is cut exactly at the threshold, in the first
//! whole millisecond in which the line has reached it.

mod counters;
mod finish;
mod follow;
mod sums;

pub(crate) use counters::{counter_name, period, span_text};
use follow::Track;
pub(crate) use sums::add_part;

use crate::bill::Source;
use crate::calendar_time::{INSTANTS, LocalTime, local_text};
use crate::error::PriceError;
use crate::evaluate::{Base, Edges, Fixed, Given, Point, Pricing, time_index, walk};
use crate::exact::{Counted, Exact, Num};
use crate::explain::Trace;
use crate::input::InputError;
use crate::session::{Facts, OccupancyFrom, PowerFrom, Reading, State, StateFrom};
use crate::standing::Standing;
use crate::tariff::{AfterAmount, ChargeKind, Measure, Node, NodeId, Outcome, Span, Time, Who};
use crate::units::{DAY_MS, HOUR_MS, Instant};
use std::borrow::Cow;
use std::collections::VecDeque;

/// Longest session that is priced: more is a forgotten end, not a car.
pub const LONGEST_SESSION_DAYS: i64 = 400;

/// One line of a bill: part of a charge priced at one price, or an adjustment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line {
    pub source: Source,
    pub tax: u32,
    pub rule: u32,
    pub leaf: u32,
    pub from: i64,
    pub to: i64,
    pub quantity: i64,
    pub counted: Counted,
    // None: not known yet, or an adjustment that has no unit price.
    pub price: Option<Num>,
    pub amount: Exact,
}

impl Line {
    /// A signed amount that is a line of its own.
    pub(crate) fn adjustment(
        source: Source,
        tax: u32,
        rule: u32,
        (from, to): (i64, i64),
        amount: Exact,
    ) -> Self {
        let (quantity, counted, price) = (0, Counted::Pieces, None);
        Self { source, tax, rule, leaf: u32::MAX, from, to, quantity, counted, price, amount }
    }
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
pub(crate) struct Cursor {
    charge: u16,
    kind: ChargeKind,
    root: NodeId,
    tax: TaxAt,
    // Measure and threshold beyond which the charge begins.
    after: Option<(Measure, i64)>,
    open: Option<Open>,
    // What answers, with the measures and thresholds at which that may change, and the point where it was found.
    found: Option<Found>,
    watch: Vec<(u32, i64)>,
    point: Point,
    clock: Clock,
}

#[derive(Clone, Copy, Debug)]
enum TaxAt {
    // The class, whatever happens.
    Always(u32),
    // A diagram of classes.
    Node(NodeId),
}

// A slice that has begun.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Open {
    from: i64,
    register: i64,
    // Midnight or a full step of receipt lines.
    edge: i64,
    // The edge is only a clock change: the slice goes on when nothing else changes.
    soft: bool,
}

// A line that answers, and its price.
#[derive(Clone, Copy, Debug)]
struct Found {
    leaf: u32,
    rule: u32,
    tax: u32,
    counted: Counted,
    price: Given,
    // The price as a whole factor of the quantity, where it is constant and small enough.
    per_unit: Option<i64>,
    // The price is final.
    settled: bool,
    // The price has parts.
    parts: bool,
    until: i64,
    // `until` is only a clock change.
    soft: bool,
    day: i32,
}

// The local day around an instant.
#[derive(Clone, Copy, Debug)]
struct Clock {
    local: LocalTime,
    day_start: i64,
    until: i64,
}

#[derive(Clone, Copy, Debug)]
enum Change {
    State(State),
    Power(i64, Option<i64>),
    Occupancy(i64),
}

/// The running price of one session.
#[derive(Clone, Debug)]
pub struct Running<'f> {
    pub(crate) facts: Cow<'f, Facts>,
    pub(crate) fixed: Fixed,
    pub(crate) standing: Standing,
    pub(crate) plugged_in: i64,
    explicit_states: bool,
    explicit_power: bool,
    cursors: Vec<Cursor>,
    // One per measure of the tariff, or none when no counter has a span of its own.
    bases: Vec<Base>,
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
    // What happened on the way, where it is to be explained.
    pub(crate) trace: Option<Box<Trace>>,
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

impl<'f> Running<'f> {
    /// Starts a session.
    ///
    /// # Errors
    /// Before the tariff is in force, outside the calendar, or when the tariff asks a fact that is not known.
    pub fn begin(
        pricing: &Pricing<'_>,
        facts: Cow<'f, Facts>,
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
        let fixed = Fixed::new(pricing, &facts, &standing, local.day);
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
            bases: Vec::new(),
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
            trace: None,
        };
        running.bases = running.opening_bases(pricing);
        running.open_cursors(pricing)?;
        Ok(running)
    }

    fn open_cursors(&mut self, pricing: &Pricing<'_>) -> Result<(), PriceError> {
        let p = pricing.p;
        let clock = Clock::of(self.start_point.local);
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
            let tax = self.tax_root(pricing, charge.tax)?;
            let after = match &charge.after {
                None => None,
                Some(after) => Some((after.measure, self.after_amount(pricing, &after.amount)?)),
            };
            let (kind, point, watch) = (charge.kind, self.start_point, Vec::new());
            let (open, found) = (None, None);
            self.cursors.push(Cursor {
                charge: index,
                kind,
                root,
                tax,
                after,
                open,
                found,
                watch,
                point,
                clock,
            });
        }
        Ok(())
    }

    // The tax class when nothing can change it, else its diagram.
    fn tax_root(&self, pricing: &Pricing<'_>, root: NodeId) -> Result<TaxAt, PriceError> {
        let p = pricing.p;
        let root = self.fixed.specialise(p, root)?;
        Ok(match p.tariff.nodes.get(root as usize) {
            Some(Node::Leaf(_)) => {
                TaxAt::Always(self.tax_at(pricing, root, &self.start_point, &[], &mut Edges::new())?)
            }
            _ => TaxAt::Node(root),
        })
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
                let opening = self.opening(*measure, local.day);
                Base { period: period(*measure, local.day), at_start: 0, opening }
            })
            .collect()
    }

    // What earlier sessions have used of a measure in the day or month, in the measure's unit.
    fn opening(&self, measure: Measure, day: i32) -> i64 {
        let Some(name) = counter_name(measure, day) else { return 0 };
        let up = if matches!(measure, Measure::Time { .. }) { 1_000 } else { 1_000_000 };
        let value = self.standing.get(&name).checked_mul(rust_decimal::Decimal::from(up));
        let value = value.map_or(i128::MAX, |value| value.trunc().normalize().mantissa());
        // Beyond any threshold that can be written.
        i64::try_from(value).unwrap_or(i64::MAX).clamp(-i64::MAX / 4, i64::MAX / 4)
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
        if reading.import.0 < 0 || reading.export.0 < 0 {
            return Err(InputError::new(format!("the reading at {} is negative", text(at))).into());
        }
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
                if at == self.now.t && (up > 0 || out > 0) {
                    let message = format!("two different readings at {}", text(at));
                    return Err(InputError::new(message).help("keep one of them").into());
                }
                let too_large = || InputError::new("the registers are too large");
                import = import.checked_add(up).ok_or_else(too_large)?;
                export = export.checked_add(out).ok_or_else(too_large)?;
            }
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
        let (from, import_before, export_before) = (self.now.t, self.now.import, self.now.export);
        let track = Track {
            t0: from,
            import0: import_before,
            export0: export_before,
            t1: to,
            import1: import,
            export1: export,
        };
        if to > from {
            if !self.explicit_states {
                let derived = if import > import_before {
                    State::Charging
                } else if export > export_before {
                    State::Feeding
                } else if self.charged {
                    State::Idle
                } else {
                    State::Waiting
                };
                self.enter(pricing, derived)?;
            }
            if !self.explicit_power && pricing.p.uses_power {
                let rise = i128::from(import - import_before) * i128::from(HOUR_MS);
                let power = crate::exact::div_half_away(rise, i128::from(to - from));
                self.set_power(pricing, i64::try_from(power).unwrap_or(i64::MAX), None)?;
            }
        }
        loop {
            while let Some((at, change)) = self.changes.front().copied() {
                if at > self.now.t || (at == to && to > from) {
                    break;
                }
                self.changes.pop_front();
                self.apply(pricing, change)?;
            }
            if self.now.t >= to {
                break;
            }
            let mut end = self.changes.front().map_or(to, |(at, _)| (*at).min(to));
            if !self.bases.is_empty() {
                end = end.min(self.turn_periods(pricing)?);
            }
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
        // A car is idle after it has charged; before that it waits, whatever the charger calls it.
        let has_charged = self.charged || self.now.import > 0;
        let state = if state == State::Idle && !has_charged { State::Waiting } else { state };
        if state != self.state {
            self.close_all(pricing)?;
            self.state = state;
            if let Some(trace) = &mut self.trace {
                trace.states.push((self.now.t, state));
            }
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

    // Counters per day or month start again at local midnight. Returns the next instant at which to look again.
    fn turn_periods(&mut self, pricing: &Pricing<'_>) -> Result<i64, PriceError> {
        let zone = &pricing.p.tariff.zone;
        self.now.local = self.now.local.moved_to(zone, self.now.t);
        let local = self.now.local;
        let turns = |(base, measure): (&Base, &Measure)| base.period != period(*measure, local.day);
        if self.bases.iter().zip(&pricing.p.tariff.measures).any(turns) {
            // What was found by the old counters ends with them.
            self.close_where(pricing, |cursor| !cursor.watch.is_empty())?;
        }
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

    fn close_all(&mut self, pricing: &Pricing<'_>) -> Result<(), PriceError> {
        self.close_where(pricing, |_| true)
    }

    // Closes what depends on a measure that has just jumped.
    fn close_watching(
        &mut self,
        pricing: &Pricing<'_>,
        which: impl Fn(Measure) -> bool,
    ) -> Result<(), PriceError> {
        let measures = &pricing.p.tariff.measures;
        let is = |index: &u32| measures.get(*index as usize).is_some_and(|measure| which(*measure));
        self.close_where(pricing, |cursor| cursor.watch.iter().any(|(index, _)| is(index)))
    }

    fn close_where(
        &mut self,
        pricing: &Pricing<'_>,
        which: impl Fn(&Cursor) -> bool,
    ) -> Result<(), PriceError> {
        let mut cursors = std::mem::take(&mut self.cursors);
        let mut result = Ok(());
        for cursor in cursors.iter_mut().filter(|cursor| which(cursor)) {
            if let Some(open) = cursor.open.take() {
                let exports = cursor.kind == ChargeKind::FeedIn;
                let register = if exports { self.now.export } else { self.now.import };
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
