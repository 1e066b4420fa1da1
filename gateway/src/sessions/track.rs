//! A session followed point by point.

use super::flags::{Flag, Flags, Suspect};
use super::meter::{Meter, Read};
use super::point::{self, Kept, OverWhy, Point, Shows, Sort, What};
use super::states::States;
use super::{Doing, Waits};
use crate::chargers::model::{TransactionPhase, fold};
use crate::store::{PowerChange, Reading, SessionStatus, StateChange};
use serde::{Deserialize, Serialize};
use takst_engine::calendar_time::utc_text;
use takst_engine::running::LONGEST_SESSION_DAYS;
use takst_engine::units::{DAY_MS, Energy, Instant, MINUTE_MS};

/// Most gaps between numbered reports that are told apart.
const MOST_GAPS: usize = 64;

/// A register read so shortly before the start is that of the start.
const NEAR_MS: i64 = MINUTE_MS;

/// What is known of a session beside its reports; it stays the same as long as the driver does.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Begin {
    /// The connector showed a car before the start, since then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plugged: Option<Instant>,
    /// What the connector showed then stays until it says otherwise (2.x `Occupied`).
    #[serde(default)]
    pub occupied: bool,
    /// What the connector can give, millionths of a kW.
    pub max_power: i64,
    /// Something may be charged after the transaction has stopped: then the session goes on until the car is unplugged.
    pub after_stop: bool,
    /// How long is waited for what.
    #[serde(default)]
    pub waits: Waits,
    /// What is suspect about its beginning.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<(Flag, String)>,
}

/// A report that tells of something earlier than what is known: the session has to be worked out anew from all its facts.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the report is older than what is known of the session")]
pub struct OutOfOrder;

/// Rows to write; each number replaces what stood there.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Rows {
    /// Registers.
    pub readings: Vec<Reading>,
    /// States.
    pub states: Vec<StateChange>,
    /// Power.
    pub power: Vec<PowerChange>,
}

/// A session worked out from all its facts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Built {
    /// How it stands.
    pub tracked: Tracked,
    /// All its rows.
    pub rows: Rows,
}

/// What a session looks like from outside.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Summary {
    /// EVSE, when the charger said it.
    pub evse: Option<i64>,
    /// Connector of the EVSE, when the charger said it.
    pub connector: Option<i64>,
    /// The token that began it.
    pub token: Option<String>,
    /// When the car was plugged in.
    pub plugged_in: Instant,
    /// When the transaction began.
    pub started_at: Option<Instant>,
    /// When energy first flowed.
    pub charging_started: Option<Instant>,
    /// When it last stopped flowing.
    pub charging_ended: Option<Instant>,
    /// When the transaction ended.
    pub stopped_at: Option<Instant>,
    /// When the car was unplugged; none while it goes on.
    pub unplugged: Option<Instant>,
    /// How far it has come.
    pub status: SessionStatus,
    /// Energy taken.
    pub energy: Option<Energy>,
    /// When the register was last read.
    pub last_reading_at: Option<Instant>,
    /// What the car does.
    pub doing: Option<Doing>,
    /// What is suspect.
    pub flags: Vec<Suspect>,
    /// Why it is held back.
    pub hold: Option<String>,
}

/// What is to be done with a session although nothing comes in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Act {
    /// The car is gone: no sign of it since the stop.
    Gone,
    /// Nobody unplugs any more.
    GiveUp,
    /// The car left while the charger was down; it was up again then.
    Left(Instant),
    /// The session must have ended, then and for this reason.
    Over(Instant, OverWhy),
    /// Whatever is missing will not come.
    Settle,
}

/// When something is to be done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Next {
    /// At or after this time of the gateway's clock.
    At(Instant, Act),
    /// Nothing more is to come.
    Ready,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Start {
    at: Instant,
    real: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Stop {
    at: Instant,
    received: Instant,
    // A connector showed the car since.
    car_there: bool,
    // The charger booted since, then, and when that was heard; nothing was seen of the car after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    booted: Option<(Instant, Instant)>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Over {
    at: Instant,
    why: OverWhy,
    received: Instant,
    // Decided; otherwise only likely.
    sure: bool,
}

/// How a session stands: all that is needed to go on with it.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Tracked {
    last: Option<Point>,
    // The time of the newest numbered report, and its number.
    floor: Option<Instant>,
    seq: Option<i64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    gaps: Vec<(i64, i64)>,
    plugged: Option<Instant>,
    start: Option<Start>,
    stop: Option<Stop>,
    unplugged: Option<Instant>,
    over: Option<Over>,
    settled: bool,
    occupied: bool,
    token: Option<String>,
    evse: Option<i64>,
    connector: Option<i64>,
    meter: Meter,
    // A register from before the start: it stands for that of the start when that does not come.
    early: Option<(Instant, Option<i64>, Option<i64>)>,
    states: States,
    power_rows: i64,
    power: Option<(Instant, i64)>,
    flags: Flags,
    heard: Option<Instant>,
}

/// Works a session out from all its facts, in whatever order they are given; each with its time of receipt. None when they tell of
/// no transaction at all.
#[must_use]
pub fn build<'k>(begin: &Begin, facts: impl IntoIterator<Item = (Instant, &'k Kept)>) -> Option<Built> {
    let mut numbered = Vec::new();
    let mut others = Vec::new();
    for (received, kept) in facts {
        match point::transaction(kept).and_then(|report| report.seq) {
            Some(seq) => numbered.push((seq, received, kept)),
            None => others.push((received, kept)),
        }
    }
    let order = |kept: &Kept| point::transaction(kept).map(|report| (report.at.at, report.phase as u8));
    numbered.sort_by(|one, other| one.0.cmp(&other.0).then_with(|| order(one.2).cmp(&order(other.2))));
    let mut tracked = Tracked::default();
    let mut points = Vec::new();
    for (seq, received, kept) in &numbered {
        let (more, back) = point::points(*received, kept, tracked.floor);
        tracked.number(*seq, kept, back);
        points.extend(more);
    }
    // A stop cannot lie before the start.
    let started =
        started(numbered.iter().map(|(_, _, kept)| *kept).chain(others.iter().map(|(_, kept)| *kept)));
    for (received, kept) in others {
        let (more, back) = point::points(received, kept, started.filter(|_| is_end(kept)));
        tracked.went_back(kept, back);
        points.extend(more);
    }
    if started.is_none() {
        points.push(synthetic(&points)?);
    }
    points.extend(begin.plugged.map(|at| plugged(at, started)));
    points.sort_by(|one, other| one.key().cmp(&other.key()).then_with(|| one.received.cmp(&other.received)));
    points.dedup_by(|one, other| one.key() == other.key());
    let mut rows = Rows::default();
    for point in points {
        tracked.follow(begin, point, &mut rows);
    }
    Some(Built { tracked, rows: rows.compacted() })
}

fn started<'k>(facts: impl Iterator<Item = &'k Kept>) -> Option<Instant> {
    facts
        .filter_map(point::transaction)
        .filter(|report| report.phase == TransactionPhase::Started)
        .map(|report| report.at.at)
        .min()
}

fn is_end(kept: &Kept) -> bool {
    point::transaction(kept).is_some_and(|report| report.phase == TransactionPhase::Ended)
}

// A session whose start never came begins with the first thing that is known of its transaction.
fn synthetic(points: &[Point]) -> Option<Point> {
    let of_transaction = points.iter().filter(|point| {
        matches!(point.what, What::Register { .. } | What::Power { .. } | What::Alive | What::Stopped { .. })
    });
    let first = of_transaction.min_by(|one, other| one.key().cmp(&other.key()))?;
    let what = What::Started { real: false, assumed_charging: true };
    // Before everything else of that instant.
    Some(Point { at: first.at, seq: i64::MIN, what, received: first.received })
}

// What a connector showed before the start counts with it when it lies behind: clocks of chargers are read at different moments.
fn plugged(at: Instant, started: Option<Instant>) -> Point {
    let at = started.map_or(at, |started| at.min(started));
    Point { at, seq: i64::MIN, what: What::Plugged, received: at }
}

impl Rows {
    // Of rows with one number the last one counts.
    fn compacted(self) -> Self {
        fn newest<T>(rows: Vec<T>, seq: impl Fn(&T) -> i64) -> Vec<T> {
            let mut kept: Vec<T> = Vec::with_capacity(rows.len());
            for row in rows {
                while kept.last().is_some_and(|last| seq(last) >= seq(&row)) {
                    kept.pop();
                }
                kept.push(row);
            }
            kept
        }
        Self {
            readings: newest(self.readings, |row| row.seq),
            states: newest(self.states, |row| row.seq),
            power: newest(self.power, |row| row.seq),
        }
    }
}

impl Tracked {
    /// Goes on with a fact that is newer than all before it. What it makes of it are the rows to write.
    ///
    /// # Errors
    /// [`OutOfOrder`]: nothing has changed; the session is to be built anew.
    pub fn take(&mut self, begin: &Begin, received: Instant, kept: &Kept) -> Result<Rows, OutOfOrder> {
        let report = point::transaction(kept);
        let seq = report.and_then(|report| report.seq);
        let first = self.start.is_none();
        let starts = report.is_some_and(|report| report.phase == TransactionPhase::Started);
        if (!first && starts) || (seq.is_some() && self.seq >= seq) || (first && report.is_none()) {
            return Err(OutOfOrder);
        }
        let floor = match seq {
            Some(_) => self.floor,
            None => self.start.filter(|start| start.real && is_end(kept)).map(|start| start.at),
        };
        let (mut points, back) = point::points(received, kept, floor);
        if first {
            let at = report.map(|report| report.at.at).filter(|_| starts);
            if at.is_none() {
                points.push(synthetic(&points).ok_or(OutOfOrder)?);
            }
            points.extend(begin.plugged.map(|plugged_at| plugged(plugged_at, at)));
            points.sort_by(|one, other| one.key().cmp(&other.key()));
        }
        let newer = match (&self.last, points.first()) {
            (Some(last), Some(first)) => first.key() > last.key(),
            _ => true,
        };
        if !newer {
            return Err(OutOfOrder);
        }
        match seq {
            Some(seq) => self.number(seq, kept, back),
            None => self.went_back(kept, back),
        }
        let mut rows = Rows::default();
        points.dedup_by(|one, other| one.key() == other.key());
        for point in points {
            self.follow(begin, point, &mut rows);
        }
        Ok(rows.compacted())
    }

    fn number(&mut self, seq: i64, kept: &Kept, back: bool) {
        self.went_back(kept, back);
        match self.seq {
            Some(last) if seq == last => {
                self.flags
                    .raise(Flag::RepeatedNumber, || format!("two different reports have the number {seq}"));
            }
            Some(last) if seq > last.saturating_add(1) && self.gaps.len() < MOST_GAPS => {
                self.gaps.push((last.saturating_add(1), seq.saturating_sub(1)));
            }
            _ => {}
        }
        self.seq = Some(seq);
        let at = point::transaction(kept).map(|report| report.at.at);
        self.floor = self.floor.max(at);
    }

    fn went_back(&mut self, kept: &Kept, back: bool) {
        if let Some(report) = point::transaction(kept).filter(|_| back) {
            self.flags.raise(Flag::ClockBack, || {
                format!("a later report is dated {}, before what came ahead of it", utc_text(report.at.at))
            });
        }
    }

    fn follow(&mut self, begin: &Begin, point: Point, rows: &mut Rows) {
        let Point { at, seq: _, ref what, received } = point;
        self.heard = self.heard.max(Some(received));
        if self.start.is_none() && !self.before_start(begin, &point, rows) {
            self.last = Some(point);
            return;
        }
        match what {
            What::Plugged | What::Started { .. } => {}
            What::Token(id) => {
                self.token.get_or_insert_with(|| id.clone());
            }
            What::Place { evse, connector } => {
                self.evse.get_or_insert(*evse);
                if self.connector.is_none() {
                    self.connector = *connector;
                }
            }
            What::Flawed { bound } => self.clock(*bound),
            What::StopToken { id, same_group } => {
                if let Some(token) = self.token.as_ref().filter(|token| fold(token) != fold(id)) {
                    let group = if *same_group { "which may stop it" } else { "of no common group" };
                    self.flags.raise(Flag::TokenDiffers, || {
                        format!("`{token}` began it and `{id}`, {group}, stopped it")
                    });
                }
            }
            What::Stopped { left, fault, guessed } => self.stopped(begin, &point, *left, *fault, *guessed),
            What::Gone
            | What::GaveUp
            | What::Unplugged
            | What::Booted
            | What::Over(_)
            | What::Next
            | What::Shows(_) => {
                self.whereabouts(&point);
            }
            What::Register { .. } if self.stop.is_some() => self.closing_value(begin, &point, rows),
            // The stop of one that lasted into the next is the truth about it.
            What::Register { sort: Sort::End, .. } => self.register(begin, &point, at, rows),
            _ if self.stop.is_some() || self.over.is_some_and(|over| over.why == OverWhy::Next) => {}
            What::Limited(limited) => self.states.limited(*limited),
            What::Offered(some) => self.states.offered(*some),
            What::Register { .. } => self.register(begin, &point, at, rows),
            What::Power { to, from } => self.power(at, received, *to, *from, rows),
            What::Car(car) => {
                self.alive();
                self.states.car(at, *car);
            }
            What::Alive => self.alive(),
        }
        if self.unplugged.is_none_or(|unplugged| at <= unplugged) {
            rows.states.extend(self.states.settle(at, received, &begin.waits));
        }
        self.last = Some(point);
    }

    // Whether the point is to be taken as one of the session: it begins, or has begun.
    fn before_start(&mut self, begin: &Begin, point: &Point, rows: &mut Rows) -> bool {
        let Point { at, received, .. } = *point;
        match &point.what {
            What::Plugged => {
                self.plugged.get_or_insert(at);
                rows.states.extend(self.states.begin(at, received));
            }
            What::Shows(Shows::Preparing | Shows::Occupied) => {
                self.occupied = point.what == What::Shows(Shows::Occupied);
                self.plugged.get_or_insert(at);
                rows.states.extend(self.states.begin(at, received));
            }
            What::Shows(Shows::Free) => {
                // That car has left: the session's own is still to come.
                self.plugged = None;
                self.occupied = false;
                self.states = States::default();
                rows.states.clear();
            }
            What::Started { real, assumed_charging } => {
                self.start = Some(Start { at, real: *real });
                self.plugged.get_or_insert(at);
                self.occupied |= begin.occupied;
                rows.states.extend(self.states.begin(at, received));
                self.states.start(*assumed_charging);
                if !real {
                    self.flags.raise(Flag::LostStart, || {
                        format!("its start never came; it is known from {} on", utc_text(at))
                    });
                }
                let near = |before: Instant| at.0.saturating_sub(before.0) <= NEAR_MS;
                if let Some((_, import, export)) = self.early.take().filter(|(before, ..)| near(*before)) {
                    let read = Read {
                        at,
                        received,
                        sort: Sort::Between,
                        import,
                        export,
                        interval: None,
                        context: None,
                    };
                    let (row, _) = self.meter.take(&read, begin.max_power, &mut self.flags);
                    rows.readings.extend(row);
                }
                return true;
            }
            What::Token(id) => {
                self.token.get_or_insert_with(|| id.clone());
            }
            What::Place { evse, connector } => {
                self.evse.get_or_insert(*evse);
                self.connector = self.connector.or(*connector);
            }
            What::Flawed { bound } => self.clock(*bound),
            What::Register { import, export, .. } => self.early = Some((at, *import, *export)),
            What::Limited(limited) => self.states.limited(*limited),
            What::Offered(some) => self.states.offered(*some),
            _ => {}
        }
        false
    }

    fn clock(&mut self, bound: bool) {
        if bound {
            self.flags.raise(Flag::Clock, || {
                "the charger's clock was of no use at the start or stop; the time of receipt stands in"
                    .to_owned()
            });
        } else {
            self.flags.raise(Flag::ClockReading, || {
                "the charger's clock was of no use for a meter value; the time of receipt stands in"
                    .to_owned()
            });
        }
    }

    // The transaction goes on: what looked like its end was none.
    fn alive(&mut self) {
        if self.over.is_some_and(|over| over.why != OverWhy::Next) {
            self.over = None;
        }
    }

    fn register(&mut self, begin: &Begin, point: &Point, at: Instant, rows: &mut Rows) {
        let What::Register { sort, import, export, interval, context } = &point.what else { return };
        self.alive();
        let read = Read {
            at,
            received: point.received,
            sort: *sort,
            import: *import,
            export: *export,
            interval: *interval,
            context: context.as_deref(),
        };
        let (row, moved) = self.meter.take(&read, begin.max_power, &mut self.flags);
        let last = (*sort == Sort::End, &begin.waits);
        self.states.energy(at, (moved.import, moved.export), self.meter.rose_at(), last);
        rows.readings.extend(row);
    }

    // What is read after the stop counts only when it is said to be the register of the stop.
    fn closing_value(&mut self, begin: &Begin, point: &Point, rows: &mut Rows) {
        let Some(stop) = self.stop else { return };
        if let What::Register { sort: Sort::End, .. } = point.what {
            let at = self.meter.last_at().map_or(stop.at, |last| last.max(stop.at));
            self.register(begin, point, at, rows);
        }
    }

    fn power(&mut self, at: Instant, received: Instant, to: i64, from: i64, rows: &mut Rows) {
        self.alive();
        self.meter.power(at, to);
        self.states.power(at, to, from);
        if self.power.is_some_and(|(_, last)| last == to) {
            return;
        }
        if self.power.is_some_and(|(since, _)| since == at) {
            self.power_rows -= 1;
        }
        rows.power.push(PowerChange { seq: self.power_rows, from_at: at, received_at: received, power: to });
        self.power_rows += 1;
        self.power = Some((at, to));
    }

    fn stopped(&mut self, begin: &Begin, point: &Point, left: bool, fault: bool, guessed: bool) {
        if self.stop.is_some() {
            return;
        }
        let at = point.at;
        if let Some(over) = self.over.take()
            && over.why == OverWhy::Next
            && at > over.at
        {
            self.flags.raise(Flag::Overlap, || {
                format!(
                    "it stopped at {}, after the next one of its EVSE had begun at {}",
                    utc_text(at),
                    utc_text(over.at)
                )
            });
        }
        if guessed {
            self.flags.raise(Flag::StopGuessed, || {
                "the stop named no transaction; this was the only one it could be".to_owned()
            });
        }
        self.stop = Some(Stop { at, received: point.received, car_there: self.occupied, booted: None });
        if left || !begin.after_stop {
            self.unplugged = Some(at);
        }
        self.states.stop(fault);
    }

    // What tells whether the car is there and the transaction goes on.
    fn whereabouts(&mut self, point: &Point) {
        let Point { at, received, .. } = *point;
        let likely = |why| Some(Over { at, why, received, sure: false });
        if let Some(stop) = &mut self.stop {
            let left = match point.what {
                // A charger that was down did not see when the car left.
                What::Shows(Shows::Free) if stop.booted.is_some() && !stop.car_there => Some(stop.at),
                What::Shows(Shows::Free) | What::Unplugged | What::GaveUp => Some(at),
                // When it is up again it says what it sees, and what happened before it went down.
                What::Booted => {
                    stop.booted = Some((at, received));
                    None
                }
                What::Gone if !stop.car_there => Some(stop.at),
                // Nobody saw the car leave: it is taken to have left with the stop, unless it was seen after it.
                What::Next => Some(if stop.car_there { at } else { stop.at }),
                What::Shows(Shows::Faulted) | What::Gone => None,
                What::Shows(_) => {
                    stop.car_there = true;
                    stop.booted = None;
                    None
                }
                _ => None,
            };
            if self.unplugged.is_none() {
                self.unplugged = left.map(|left| left.max(stop.at));
            }
            return;
        }
        match point.what {
            What::Shows(Shows::Free) | What::Unplugged => {
                if self.over.is_none() {
                    self.over = likely(OverWhy::Free);
                }
                self.occupied = false;
            }
            What::Shows(shows) => {
                if self.over.is_some_and(|over| over.why == OverWhy::Free && !over.sure) {
                    self.over = None;
                }
                self.occupied = shows == Shows::Occupied || (self.occupied && shows == Shows::Faulted);
                self.states.shows(at, shows);
            }
            What::Booted if self.over.is_none() => self.over = likely(OverWhy::Boot),
            What::Next => {
                // What was seen before tells better when it ended.
                let since = self.over.map_or(at, |over| over.at.min(at));
                self.over = Some(Over { at: since, why: OverWhy::Next, received, sure: true });
            }
            What::Over(why) => {
                let since = self.over.map_or(at, |over| over.at.min(at));
                self.over = Some(Over { at: since, why, received, sure: true });
            }
            _ => {}
        }
    }

    /// What it looks like from outside.
    #[must_use]
    pub fn summary(&self, begin: &Begin) -> Summary {
        let mut flags = self.flags.clone();
        let start = self.start.map(|start| start.at);
        let over = self.over.filter(|over| over.sure && self.stop.is_none());
        // A driver may show who he is long after he plugged in.
        let may_come = |flag: Flag| flag == Flag::NoToken && self.stop.is_none() && over.is_none();
        flags.extend(begin.flags.iter().filter(|(flag, _)| !may_come(*flag)).cloned());
        if let Some(over) = over {
            flags.raise(Flag::EndedInferred, || {
                format!("{}; it ends at {}", over.why.text(), utc_text(over.at))
            });
        }
        if let Some((first, last)) = self.gaps.first() {
            flags.raise(Flag::MissingReports, || {
                let more = if self.gaps.len() > 1 { ", and more" } else { "" };
                format!("the reports numbered {first} to {last} are missing{more}")
            });
        }
        let plugged_in = self.plugged.or(start).unwrap_or_default();
        let ended = over.map(|over| over.at).or(self.unplugged);
        let unplugged = ended.map(|ended| {
            let known = [Some(plugged_in), start, self.stop.map(|stop| stop.at), self.meter.last_at()];
            known.into_iter().flatten().fold(ended, Instant::max)
        });
        let ended = self.stop.is_some() || over.is_some();
        let energy = self.meter.energy(ended);
        // Without two registers nobody knows. A car that never charged took nothing.
        let told = flags.has(Flag::StopBelowStart);
        if ended && energy.is_none() && !told && (self.meter.rows() > 0 || self.states.has_charged()) {
            flags.raise(Flag::NoEnergy, || {
                "the registers of its start and its end are not both known, so neither is its energy"
                    .to_owned()
            });
        }
        if let Some((from, first)) = self.unmetered().filter(|_| energy.is_some()) {
            flags.raise(Flag::LateReading, || {
                format!(
                    "it charged from {}, and its first register is of {}",
                    utc_text(from),
                    utc_text(first)
                )
            });
        }
        let end = unplugged.or(self.last.as_ref().map(|last| last.at)).unwrap_or(plugged_in);
        if end.0.saturating_sub(plugged_in.0) > LONGEST_SESSION_DAYS * DAY_MS {
            flags.raise(Flag::TooLong, || format!("it lasts more than {LONGEST_SESSION_DAYS} days"));
        }
        let real = self.start.is_some_and(|start| start.real);
        let status = match (unplugged, self.stop) {
            (None, _) => SessionStatus::Running,
            (Some(_), _) if !real => SessionStatus::Orphan,
            (Some(_), Some(_)) => SessionStatus::Ended,
            (Some(_), None) => SessionStatus::EndedInferred,
        };
        Summary {
            evse: self.evse,
            connector: self.connector,
            token: self.token.clone(),
            plugged_in,
            started_at: start,
            charging_started: self.states.charging_started,
            charging_ended: self
                .states
                .charging_ended
                .or(unplugged.filter(|_| self.states.charging_started.is_some())),
            stopped_at: self.stop.map(|stop| stop.at),
            unplugged,
            status,
            energy,
            last_reading_at: self.meter.last_at(),
            doing: self.states.now(),
            hold: flags.hold_reason(),
            flags: flags.list(),
        }
    }

    // Where a car charged before the first register was read: since when, and when that was.
    fn unmetered(&self) -> Option<(Instant, Instant)> {
        const AT_ONCE_MS: i64 = 60_000;
        let from = self.states.charging_started?.max(self.start.map_or(Instant(i64::MIN), |start| start.at));
        let first = self.meter.first_at().filter(|_| !self.meter.has_start())?;
        (first.0.saturating_sub(from.0) > AT_ONCE_MS).then_some((from, first))
    }

    /// What is to be done next although nothing comes in, and when.
    #[must_use]
    pub fn next(&self, begin: &Begin) -> Next {
        let waits = &begin.waits;
        let after = |at: Instant, ms: i64| Instant(at.0.saturating_add(ms));
        if self.stop.is_none() {
            let heard = self.heard.unwrap_or_default();
            return match self.over {
                Some(over) if over.sure => Next::Ready,
                Some(over) => {
                    Next::At(after(over.received, waits.late_stop_ms), Act::Over(over.at, over.why))
                }
                None => {
                    let last = self.last.as_ref().map_or(heard, |last| last.at);
                    Next::At(after(heard, waits.silent_ms), Act::Over(last, OverWhy::Silent))
                }
            };
        }
        match (self.unplugged, self.stop) {
            (None, Some(Stop { booted: Some((at, heard)), received, car_there, .. })) => {
                // What it has to say of the time before its boot comes at once, and so does what it sees now.
                let (wait, act) = match car_there {
                    true => (waits.late_stop_ms, Act::Left(at)),
                    false => (waits.still_there_ms, Act::Gone),
                };
                Next::At(after(heard.max(received), wait), act)
            }
            (None, Some(stop)) if stop.car_there => {
                Next::At(after(stop.received, waits.unplug_ms), Act::GiveUp)
            }
            (None, Some(stop)) => Next::At(after(stop.received, waits.still_there_ms), Act::Gone),
            (Some(_), Some(stop)) if !self.gaps.is_empty() && !self.settled => {
                Next::At(after(stop.received, waits.missing_ms), Act::Settle)
            }
            _ => Next::Ready,
        }
    }

    /// Notes that what is missing is waited for no longer.
    pub fn settle(&mut self) {
        self.settled = true;
    }

    /// Whether the beginning is known.
    #[must_use]
    pub fn has_start(&self) -> bool {
        self.start.is_some_and(|start| start.real)
    }

    /// Whether the transaction has stopped.
    #[must_use]
    pub fn has_stopped(&self) -> bool {
        self.stop.is_some()
    }

    /// The token that began it.
    #[must_use]
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// How many rows of readings, states and power there are.
    #[must_use]
    pub fn rows(&self) -> (i64, i64, i64) {
        (self.meter.rows(), self.states.rows(), self.power_rows)
    }
}
