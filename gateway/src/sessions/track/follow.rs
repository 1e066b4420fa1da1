//! Fact by fact, point by point: how a session goes on.

use super::super::flags::Flag;
use super::super::meter::Read;
use super::super::point::{self, Kept, OverWhy, Point, Shows, Sort, What};
use super::*;
use crate::chargers::model::{TransactionPhase, fold};
use crate::store::PowerChange;
use takst_engine::units::Instant;

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
        let (mut points, back) = point::points(received, kept, floor, begin.current);
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
        let source = source(&points, self.start.map(|start| start.at), self.stop.map(|stop| stop.at));
        if source > self.meter.source() && self.meter.has_intervals() {
            return Err(OutOfOrder);
        }
        let is_interval = |point: &Point| matches!(point.what, What::Register { interval: Some(_), .. });
        let intervals = self.meter.has_intervals() || points.iter().any(is_interval);
        let before = intervals.then(|| self.clone());
        self.meter.tell_by(source.max(self.meter.source()));
        let at = report.map(|report| report.at.at);
        match seq {
            Some(seq) => self.number(seq, at, back),
            None => self.went_back(at, back),
        }
        let mut rows = Rows::default();
        points.dedup_by(|one, other| one.key() == other.key());
        for point in points {
            self.follow(begin, point, &mut rows);
        }
        if let Some(before) = before.filter(|_| self.meter.is_unfit()) {
            *self = before;
            return Err(OutOfOrder);
        }
        Ok(rows.compacted())
    }

    pub(super) fn number(&mut self, seq: i64, at: Option<Instant>, back: bool) {
        self.went_back(at, back);
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
        self.floor = self.floor.max(at);
    }

    pub(super) fn went_back(&mut self, at: Option<Instant>, back: bool) {
        if let Some(at) = at.filter(|_| back) {
            self.flags.raise(Flag::ClockBack, || {
                format!("a later report is dated {}, before what came ahead of it", utc_text(at))
            });
        }
    }

    pub(super) fn follow(&mut self, begin: &Begin, point: Point, rows: &mut Rows) {
        let Point { at, seq: _, ref what, received } = point;
        self.heard = self.heard.max(Some(received));
        self.limits_change(begin, &point, rows);
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
            | What::Left
            | What::Unseen
            | What::Unplugged
            | What::Booted
            | What::Over(_)
            | What::Next
            | What::Away { .. }
            | What::Shows(_) => {
                self.whereabouts(begin, &point);
            }
            What::Register { .. } if self.stop.is_some() => self.closing_value(begin, &point, rows),
            // The stop of one that lasted into the next is the truth about it.
            What::Register { sort: Sort::End, .. } => self.register(begin, &point, at, rows),
            _ if self.stop.is_some() || self.over.is_some_and(|over| over.why == OverWhy::Next) => {}
            What::Limited(limited) => self.states.limited(*limited),
            What::Limits(plan) => self.states.limits(plan),
            What::Offered(some) => self.states.offered(*some),
            What::Register { .. } => self.register(begin, &point, at, rows),
            What::Power { to, from } => self.power(at, received, *to, *from, rows),
            What::Current(amps) => {
                self.alive();
                let power = self.power.map_or(PowerChange::UNKNOWN, |(_, power)| power);
                self.drawn(at, received, (power, Some(*amps)), rows);
            }
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

    // What we told the charger to let through can be something else since the last point.
    fn limits_change(&mut self, begin: &Begin, point: &Point, rows: &mut Rows) {
        while let Some(at) = self.states.limit_changes(point.at) {
            let goes_on = self.stop.is_none() && self.over.is_none_or(|over| over.why != OverWhy::Next);
            if goes_on && self.start.is_some() {
                rows.states.extend(self.states.settle(at, point.received, &begin.waits));
            }
        }
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
                        since: at,
                        received,
                        sort: Sort::Between,
                        import,
                        export,
                        interval: None,
                        context: None,
                    };
                    self.meter.take(&read, begin.max_power, &mut self.flags, &mut rows.readings);
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
            // An interval from before the start is none of the session's.
            What::Register { import: None, export: None, .. } => {}
            What::Register { import, export, .. } => self.early = Some((at, *import, *export)),
            What::Limited(limited) => self.states.limited(*limited),
            What::Limits(plan) => self.states.limits(plan),
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
            since: self.start.map_or(at, |start| start.at),
            received: point.received,
            sort: *sort,
            import: *import,
            export: *export,
            interval: *interval,
            context: context.as_deref(),
        };
        let moved = self.meter.take(&read, begin.max_power, &mut self.flags, &mut rows.readings);
        let last = (*sort == Sort::End, &begin.waits);
        self.states.energy(at, (moved.import, moved.export), self.meter.rose_at(), last);
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
        self.drawn(at, received, (to, self.amps), rows);
    }

    // A row for what is drawn, when it is something else than before. Power and current of one instant share theirs.
    fn drawn(&mut self, at: Instant, received: Instant, (power, amps): (i64, Option<i64>), rows: &mut Rows) {
        if self.power.is_some_and(|(_, last)| last == power) && self.amps == amps {
            return;
        }
        if self.power.is_some_and(|(since, _)| since == at) {
            self.power_rows -= 1;
        }
        rows.power.push(PowerChange {
            seq: self.power_rows,
            from_at: at,
            received_at: received,
            power,
            amps,
        });
        self.power_rows += 1;
        (self.power, self.amps) = (Some((at, power)), amps);
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
        if self.away.is_some_and(|(_, to)| to <= at) {
            // The charger was heard again before it stopped.
            self.away = None;
        }
        let (received, car_there) = (point.received, self.occupied);
        self.stop = Some(Stop { at, received, car_there, seen: None, booted: None });
        if left || !begin.after_stop {
            self.unplugged = Some(at);
        }
        self.states.stop(fault);
    }
}
