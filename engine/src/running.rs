//! A session priced as it runs. Each reading costs the same, however long the session already is.
//!
//! Every charge follows the timeline by itself: a slice opens with the line that answers at its first instant and closes at
//! the first edge where that answer or its price could change. Registers between readings lie on the straight line between
//! their neighbours, rounded half up to 0.000001 kWh; a threshold on energy is cut exactly at the threshold, in the first
//! whole millisecond in which the line has reached it.

mod advance;
mod counters;
mod finish;
mod follow;
mod so_far;
mod start;
mod sums;
mod take;
mod way;

pub(crate) use counters::{counter_name, period, span_text};
use follow::{counted_times, counts, own_unit, states_of};
pub use so_far::SoFar;
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
    // It goes on where another line of its charge was cut by a clock change alone: one line, if both have one price.
    pub joins: bool,
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
    // It is charged once, by the first line that is not free.
    once: bool,
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
    // The next slice joins the last one (see `Open`).
    joins: bool,
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
            once: kind == ChargeKind::FlatFee,
            bucket: usize::from(charge),
            root,
            tax,
            after: None,
            open: None,
            found: None,
            watch: Vec::new(),
            joins: false,
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
    // It began at such an edge, and whether anything changed there is known at the end only.
    joins: bool,
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
    // The list begins or ends to charge.
    List,
}

/// Which part of a session a list charges; it counts along all of it. See [`crate::lists`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Window {
    pub from: i64,
    pub until: i64,
    // Another list was in force at plug-in: what counts once per session is that one's.
    pub later: bool,
}

impl Window {
    /// Of a list that the session keeps from its start to its end.
    pub const WHOLE: Self = Self { from: i64::MIN, until: i64::MAX, later: false };

    fn has(&self, t: i64) -> bool {
        self.from <= t && t < self.until
    }
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
    pub(crate) window: Window,
    // Outside of the window: nothing is charged by the unit.
    silent: bool,
    // The energy when the window began.
    pub(crate) taken_before: i64,
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
