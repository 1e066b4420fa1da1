//! What a followed session looks like from outside, and what is to be done next.

use super::super::flags::Flag;
use super::*;

impl Tracked {
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
                    true => (waits.late_stop_ms, Act::Left(self.seen_until(at))),
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

    /// The time of the last thing that is known of it.
    #[must_use]
    pub fn last_at(&self) -> Option<Instant> {
        self.last.as_ref().map(|last| last.at)
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
