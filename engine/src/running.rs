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
mod way;

pub(crate) use counters::{counter_name, period, span_text};
use follow::{counted_times, counts, own_unit, states_of};
pub(crate) use sums::add_part;
use way::{Stretch, Way, unread};

use crate::bill::{Row, Source, TaxRow};
use crate::calendar_time::{INSTANTS, LocalTime, local_text};
use crate::error::PriceError;
use crate::evaluate::{Base, Edges, Fixed, Point, Pricing, time_index, walk};
use crate::exact::{Counted, Exact, Num, Overflow};
use crate::explain::Trace;
use crate::input::InputError;
use crate::session::{Facts, OccupancyFrom, PowerFrom, Reading, State, StateFrom};
use crate::standing::Standing;
use crate::tariff::{AfterAmount, ChargeKind, Measure, NodeId, Outcome, Time};
use crate::units::{DAY_MS, HOUR_MS, Instant};
use smallvec::SmallVec;
use std::borrow::Cow;
use std::ops::Deref;

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
    // The states it runs in, a bit each.
    states: u8,
    meter: Meter,
    // Where the charge's last line was added up.
    bucket: usize,
    root: NodeId,
    tax: TaxAt,
    // Measure and threshold beyond which the charge begins.
    after: Option<(Measure, i64)>,
    open: Option<Open>,
    // What answers, with the measures and thresholds at which that may change.
    found: Option<Found>,
    watch: Vec<(u32, i64)>,
    // Where it was found, for what is worked out again later or explained.
    point: Option<Box<Point>>,
    clock: Clock,
}

impl Cursor {
    // A charge at the start of its timeline.
    #[inline(always)]
    fn new(charge: u16, kind: ChargeKind, root: NodeId, tax: TaxAt, clock: Clock) -> Self {
        Self {
            charge,
            kind,
            states: states_of(kind),
            meter: match own_unit(kind) {
                Counted::Energy if kind == ChargeKind::FeedIn => Meter::Export,
                Counted::Energy => Meter::Import,
                _ => Meter::Clock,
            },
            bucket: usize::from(charge),
            root,
            tax,
            after: None,
            open: None,
            found: None,
            watch: Vec::new(),
            point: None,
            clock,
        }
    }
}

// What a charge runs along.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Meter {
    Import,
    Export,
    Clock,
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
    // None: not known yet.
    price: Option<Num>,
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

// The session's facts, not in the way of what is copied often.
#[derive(Clone, Debug)]
pub(crate) enum Held<'f> {
    Borrowed(&'f Facts),
    Owned(Box<Facts>),
}

impl<'f> Held<'f> {
    fn of(facts: Cow<'f, Facts>) -> Self {
        match facts {
            Cow::Borrowed(facts) => Held::Borrowed(facts),
            Cow::Owned(facts) => Held::Owned(Box::new(facts)),
        }
    }
}

/// What one session leaves for the next to fill.
#[derive(Debug, Default)]
pub(crate) struct Buffers {
    pub cursors: Vec<Cursor>,
    pub lines: Vec<Line>,
    pub buckets: Vec<Bucket>,
    pub rows: Vec<Row>,
    pub taxes: Vec<TaxRow>,
}

impl Buffers {
    /// Keeps the memory of what is no longer needed.
    pub fn reclaim(&mut self, running: &mut Running<'_>) {
        self.cursors = std::mem::take(&mut running.cursors);
        self.cursors.clear();
    }
}

impl Deref for Held<'_> {
    type Target = Facts;

    fn deref(&self) -> &Facts {
        match self {
            Held::Borrowed(facts) => facts,
            Held::Owned(facts) => facts,
        }
    }
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
    pub(crate) facts: Held<'f>,
    pub(crate) fixed: Fixed,
    pub(crate) standing: Cow<'f, Standing>,
    pub(crate) plugged_in: i64,
    // The last instant it may reach.
    latest: i64,
    explicit_states: bool,
    explicit_power: bool,
    cursors: Vec<Cursor>,
    // One per measure of the tariff, or none when no counter has a span of its own.
    bases: Vec<Base>,
    pub(crate) lines: Vec<Line>,
    pub(crate) deferred: Vec<Deferred>,
    pub(crate) buckets: Vec<Bucket>,
    // Its times are those at `since`; see `settle_times`.
    pub(crate) now: Point,
    state: State,
    // From when on the times run as the state has it.
    since: i64,
    charged: bool,
    // What is still to come stands from `changed` on; the first of it is due at `next_change`.
    changes: SmallVec<[(i64, Change); 2]>,
    changed: usize,
    next_change: i64,
    register: Option<Reading>,
    start: LocalTime,
    start_occupancy: Option<i64>,
    // Start fees among the lines, a bit for each of the first charges.
    fees_charged: u64,
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
        let mut running = Self::blank(Held::of(facts), begin, Cow::Owned(standing), &mut Buffers::default());
        running.start(pricing)?;
        Ok(running)
    }

    /// A session of which only the start is known; [`Self::start`] makes it ready.
    #[inline]
    pub(crate) fn blank(
        facts: Held<'f>,
        begin: &Begin,
        standing: Cow<'f, Standing>,
        buffers: &mut Buffers,
    ) -> Self {
        let t = begin.plugged_in.0;
        let local = LocalTime { day: 0, minute: 0, offset_ms: 0, offset_until: 0 };
        let now =
            Point { t, local, import: 0, export: 0, times: [0; 6], power: 0, current: None, occupancy: None };
        Self {
            facts,
            fixed: Fixed { answers: Vec::new() },
            standing,
            plugged_in: t,
            latest: (t.saturating_add(LONGEST_SESSION_DAYS * DAY_MS)).min(INSTANTS.end - 1),
            explicit_states: begin.explicit_states,
            explicit_power: begin.explicit_power,
            cursors: std::mem::take(&mut buffers.cursors),
            bases: Vec::new(),
            lines: std::mem::take(&mut buffers.lines),
            deferred: Vec::new(),
            buckets: std::mem::take(&mut buffers.buckets),
            now,
            state: State::Waiting,
            since: t,
            charged: false,
            changes: SmallVec::new(),
            changed: 0,
            next_change: i64::MAX,
            register: None,
            start: local,
            start_occupancy: None,
            fees_charged: 0,
            by_day: None,
            trace: None,
        }
    }

    pub(crate) fn start(&mut self, pricing: &Pricing<'_>) -> Result<(), PriceError> {
        let p = pricing.p;
        let zone = &p.tariff.zone;
        let t = self.plugged_in;
        if !INSTANTS.contains(&t) {
            return Err(InputError::new("`plugged_in` lies outside the years 2000 to 2099").into());
        }
        if let Some(valid_from) = p.tariff.valid_from.filter(|from| t < from.0) {
            let (at, valid_from) = (local_text(zone, Instant(t)), local_text(zone, valid_from));
            return Err(PriceError::NotInForce { at, valid_from });
        }
        for code in &self.facts.coupons {
            let codes = || p.tariff.coupons.iter().map(|coupon| coupon.code.as_str());
            if !codes().any(|known| known == code) {
                let nearest = crate::input::nearest(code, codes()).map(str::to_owned);
                return Err(PriceError::UnknownCoupon { code: code.clone(), nearest });
            }
        }
        self.start = LocalTime::at(zone, t);
        self.now.local = self.start;
        if !p.tariff.tests.is_empty() {
            self.fixed = Fixed::new(pricing, &self.facts, &self.standing, self.start.day);
        }
        self.by_day = p.counts_over_sessions.then(Vec::new);
        self.bases = self.opening_bases(pricing);
        self.open_cursors(pricing)?;
        self.early_fees(pricing)
    }

    // Start fees that are due whatever comes, at a plain price: the usual ones. The others wait for the bill.
    fn early_fees(&mut self, pricing: &Pricing<'_>) -> Result<(), PriceError> {
        let p = pricing.p;
        for index in p.start_fees.iter().copied().take_while(|index| *index < 64) {
            let Some(charge) = p.tariff.charges.get(usize::from(index)) else { continue };
            let root = self.fixed.specialise(p, charge.root)?;
            let tax = match charge.after {
                None => self.tax_root(pricing, charge.tax)?,
                Some(_) => continue,
            };
            let TaxAt::Always(tax) = tax else { continue };
            let found = p.schedule(root).and_then(|schedule| {
                let (leaf, _) = schedule.at(&p.day_classes, self.start.day, self.start.minute)?;
                let fast = p.leaves.get(leaf as usize).filter(|fast| fast.plain)?;
                Some((leaf, fast, fast.constant?))
            });
            let Some((leaf, fast, price)) = found else { continue };
            self.fees_charged |= 1 << index;
            if fast.free {
                continue;
            }
            let (t, rule) = (self.plugged_in, fast.rule);
            let amount = Exact::from_num(price).map_err(|_| PriceError::Overflow { place: p.place(rule) })?;
            self.lines.push(Line {
                source: Source::Charge(index),
                tax,
                rule,
                leaf,
                from: t,
                to: t,
                quantity: 1,
                counted: Counted::Pieces,
                price: Some(price),
                amount,
            });
            self.add_plain(pricing, index, tax, rule, amount)?;
        }
        Ok(())
    }

    /// Whether a start fee stands among the lines already.
    pub(crate) fn fee_is_charged(&self, charge: u16) -> bool {
        charge < 64 && self.fees_charged & (1 << charge) != 0
    }

    fn open_cursors(&mut self, pricing: &Pricing<'_>) -> Result<(), PriceError> {
        let clock = Clock::of(self.start);
        for (index, charge) in (0_u16..).zip(&pricing.p.tariff.charges) {
            if states_of(charge.kind) == 0 {
                continue;
            }
            let root = self.fixed.specialise(pricing.p, charge.root)?;
            let tax = self.tax_root(pricing, charge.tax)?;
            let after = match &charge.after {
                None => None,
                Some(after) => Some((after.measure, self.after_amount(pricing, &after.amount)?)),
            };
            self.cursors.push(Cursor { after, ..Cursor::new(index, charge.kind, root, tax, clock) });
        }
        Ok(())
    }

    /// The session's figures at plug-in.
    pub(crate) fn start_point(&self) -> Point {
        Point {
            t: self.plugged_in,
            local: self.start,
            import: 0,
            export: 0,
            times: [0; 6],
            power: 0,
            current: None,
            occupancy: self.start_occupancy,
        }
    }

    // The tax class when nothing can change it, else its diagram.
    fn tax_root(&self, pricing: &Pricing<'_>, root: NodeId) -> Result<TaxAt, PriceError> {
        let p = pricing.p;
        let root = self.fixed.specialise(p, root)?;
        Ok(match p.always_taxed(root) {
            Some(tax) => TaxAt::Always(tax),
            None => TaxAt::Node(root),
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
            walk(p, &self.fixed, root, &self.start_point(), &[], &mut Edges::new())?.ok_or_else(missing)?;
        match p.tariff.leaves.get(leaf as usize).map(|leaf| &leaf.outcome) {
            Some(Outcome::Quantity(quantity)) => Ok(*quantity),
            Some(Outcome::Free) => Ok(0),
            _ => Err(missing()),
        }
    }

    fn opening_bases(&self, pricing: &Pricing<'_>) -> Vec<Base> {
        if !pricing.p.uses_bases {
            return Vec::new();
        }
        let measures = &pricing.p.tariff.measures;
        let local = self.start;
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
    fn run(&self, pricing: &Pricing<'_>, last: &Reading, readings: &[Reading]) -> usize {
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
    fn way_from_here<'r>(&self, readings: &'r [Reading]) -> Way<'r> {
        let (t, import, export) = (self.now.t, self.now.import, self.now.export);
        Way { t, import, export, import_offset: 0, export_offset: 0, readings }
    }

    // Why a reading cannot follow the last one.
    #[cold]
    fn refused(&self, pricing: &Pricing<'_>, reading: &Reading) -> PriceError {
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
    fn check_end(&self, pricing: &Pricing<'_>, at: i64) -> Result<(), PriceError> {
        if at <= self.latest { Ok(()) } else { Err(self.too_late(pricing, at)) }
    }

    #[cold]
    fn too_late(&self, pricing: &Pricing<'_>, at: i64) -> PriceError {
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
    fn pass(&mut self, pricing: &Pricing<'_>, to: i64) -> Result<(), PriceError> {
        if to == self.now.t && self.next_change > to {
            return Ok(());
        }
        let stands = unread(to, self.now.import, self.now.export);
        self.advance(pricing, &self.way_from_here(std::slice::from_ref(&stands)))
    }

    #[inline]
    fn advance(&mut self, pricing: &Pricing<'_>, way: &Way<'_>) -> Result<(), PriceError> {
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
    fn advance_by_changes(
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

    fn apply(&mut self, pricing: &Pricing<'_>, change: Change) -> Result<(), PriceError> {
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
        }
    }

    #[inline]
    fn enter(&mut self, pricing: &Pricing<'_>, state: State) -> Result<(), PriceError> {
        // A car is idle after it has charged; before that it waits, whatever the charger calls it.
        let has_charged = self.charged || self.now.import > 0;
        let state = if state == State::Idle && !has_charged { State::Waiting } else { state };
        if state == self.state { Ok(()) } else { self.change_state(pricing, state) }
    }

    fn change_state(&mut self, pricing: &Pricing<'_>, state: State) -> Result<(), PriceError> {
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
    fn time_at(&self, time: Time, t: i64) -> i64 {
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

    fn times_at(&self, t: i64) -> [i64; 6] {
        let mut times = self.now.times;
        for (time, counts) in times.iter_mut().zip(counted_times(self.state)) {
            *time += (t - self.since) * counts;
        }
        times
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

// What added to a register gives the session's energy, which at the end of a way still fits.
fn offset(so_far: i64, register: i64, end: i64) -> Result<i64, Overflow> {
    let offset = so_far.checked_sub(register).ok_or(Overflow)?;
    end.checked_add(offset).map(|_| offset).ok_or(Overflow)
}
