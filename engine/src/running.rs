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

use crate::bill::Source;
use crate::calendar_time::{INSTANTS, LocalTime, local_text};
use crate::error::PriceError;
use crate::evaluate::{Base, Edges, Fixed, Given, Point, Pricing, time_index, walk};
use crate::exact::{Counted, Exact, Num};
use crate::explain::Trace;
use crate::input::InputError;
use crate::session::{Facts, OccupancyFrom, PowerFrom, Reading, State, StateFrom};
use crate::standing::Standing;
use crate::tariff::{AfterAmount, ChargeKind, Measure, NodeId, Outcome, Span, Time, Who};
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
    tax_root: NodeId,
    // Measure and threshold beyond which the charge begins.
    after: Option<(Measure, i64)>,
    open: Option<Open>,
    bases: Vec<Base>,
}

#[derive(Clone, Debug)]
pub(crate) struct Open {
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
                let opening = self.opening(*measure, local.day);
                Base { period: period(*measure, local.day), at_start: 0, opening }
            })
            .collect()
    }

    // What earlier sessions have used of a measure in the day or month, in the measure's unit.
    fn opening(&self, measure: Measure, day: i32) -> i64 {
        let Some(name) = counter_name(measure, day) else { return 0 };
        let up = if matches!(measure, Measure::Time { .. }) { 1_000 } else { 1_000_000 };
        let value = (self.standing.get(&name) * rust_decimal::Decimal::from(up)).trunc().normalize();
        // Beyond any threshold that can be written.
        i64::try_from(value.mantissa()).unwrap_or(i64::MAX / 4)
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
                self.push_line(pricing, charge, &open, self.now.t, register, &bases)?;
            }
        }
        Ok(())
    }
}
