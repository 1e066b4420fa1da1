//! When the car left, and whether the transaction goes on.
//!
//! What nobody saw is not charged for. A charger that was down or could not be heard tells of a free connector when it is back, with
//! the time of that: the car counts as there only as long as it was known to be there, which is until it was last shown, or until the
//! charger was last heard after that; at least until the stop.

use super::super::flags::Flag;
use super::super::point::{OverWhy, Point, Shows, What};
use super::*;

impl Tracked {
    // What tells whether the car is there and the transaction goes on.
    pub(super) fn whereabouts(&mut self, begin: &Begin, point: &Point) {
        if let What::Away { to } = point.what {
            self.away = Some((point.at, to));
            return;
        }
        if self.stop.is_some() {
            self.after_stop(begin, point);
            return;
        }
        let Point { at, received, .. } = *point;
        let likely = |why| Some(Over { at, why, received, sure: false });
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

    fn after_stop(&mut self, begin: &Begin, point: &Point) {
        let Some(stop) = self.stop else { return };
        let Point { at, received, .. } = *point;
        let unseen = self.unseen(begin, &stop, point);
        let left = match point.what {
            _ if unseen.is_some() => unseen,
            What::Shows(Shows::Free) | What::Unplugged | What::Left | What::Unseen => Some(at),
            What::GaveUp => {
                if self.unplugged.is_none() {
                    self.flags.raise(Flag::NeverLeft, || {
                        format!(
                            "nobody unplugged the car after the stop; it counts as there until {}",
                            utc_text(at)
                        )
                    });
                }
                Some(at)
            }
            // When it is up again it says what it sees, and what happened before it went down.
            What::Booted => {
                self.stop = Some(Stop { booted: Some((at, received)), ..stop });
                None
            }
            What::Gone if !stop.car_there => Some(stop.at),
            // Nobody saw the car leave: it is taken to have left with the stop, unless it was seen after it.
            What::Next => Some(if stop.car_there { at } else { stop.at }),
            What::Shows(Shows::Faulted) => None,
            What::Shows(_) => {
                self.stop = Some(Stop { car_there: true, booted: None, seen: Some((at, received)), ..stop });
                self.away = match self.away {
                    // It was told late, of a time at which nobody heard it.
                    Some((from, to)) if at.0 < to.0.saturating_sub(begin.waits.late_ms) => {
                        Some((from.max(at), to))
                    }
                    _ => None,
                };
                None
            }
            _ => None,
        };
        let Some(left) = left.map(|left| left.max(stop.at)).filter(|_| self.unplugged.is_none()) else {
            return;
        };
        self.unplugged = Some(left);
        let nobody_saw = unseen.is_some() || point.what == What::Unseen;
        if nobody_saw && stop.car_there {
            self.flags.raise(Flag::LeftUnseen, || {
                format!(
                    "the car left while its charger could not be heard; it was there until {}",
                    utc_text(left)
                )
            });
        }
    }

    // Until when the car is known to have been there, if it left while nobody could see it: the point tells that it is gone.
    fn unseen(&self, begin: &Begin, stop: &Stop, point: &Point) -> Option<Instant> {
        let is_next = match point.what {
            What::Next => true,
            // With the last two it is another car, as likely as not: that one is about to charge, or does so.
            What::Shows(Shows::Free | Shows::Preparing | Shows::Charging) => false,
            _ => return None,
        };
        let Point { at, received, .. } = *point;
        let slack = begin.waits.late_ms;
        // It could not be heard, and tells what it sees now, or somebody else came in between. A time of its own within the gap is that
        // of what happened.
        let within = |from: Instant, to: Instant| {
            let slack = slack.min(to.0.saturating_sub(from.0));
            from <= at
                && at.0 <= to.0.saturating_add(slack)
                && (is_next || at.0 >= to.0.saturating_sub(slack))
        };
        let away = self.away.filter(|(from, to)| within(*from, *to)).map(|(from, _)| from);
        // It was down.
        let down = stop.booted.map(|(at, _)| at);
        // The stop itself waited to be told.
        let delay = |at: Instant, received: Instant| received.0.saturating_sub(at.0);
        let told_now = delay(at, received) <= slack
            && received.0.abs_diff(stop.received.0) <= slack.unsigned_abs()
            && delay(stop.at, stop.received).saturating_sub(delay(at, received)) > slack;
        let before_told = is_next && delay(stop.at, stop.received) > slack && within(stop.at, stop.received);
        let seen_since = stop.seen.is_some_and(|(at, heard)| {
            delay(at, heard) <= slack && heard.0 >= stop.received.0.saturating_sub(slack)
        });
        let queued = (told_now || before_told) && !seen_since;
        let queued = queued.then(|| stop.seen.map_or(stop.at, |(seen, _)| seen));
        let until = away.into_iter().chain(down).chain(queued).min()?;
        Some(if stop.car_there { until.max(stop.at) } else { stop.at })
    }

    /// Until when the car is known to have been there when the charger booted and has shown nothing since.
    pub(super) fn seen_until(&self, booted: Instant) -> Instant {
        self.away.map_or(booted, |(from, _)| from.min(booted))
    }
}
