//! What the car does: from the charger's words, from power and from our own limits.

use super::point::{Car, Shows};
use super::{Waits, is_default};
use crate::store::StateChange;
use serde::{Deserialize, Serialize};
use takst_engine::session::State;
use takst_engine::units::Instant;

/// Power below this is no charging: 100 W.
const SOME_POWER: i64 = 100_000;
/// A register that has grown by so much since the charger said that nothing flows tells otherwise: 0.1 kWh.
const SOME_ENERGY: i64 = 100_000;

/// What the car does.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Doing {
    /// Plugged in, nothing taken yet.
    Waiting,
    /// Taking energy.
    Charging,
    /// Taking nothing by its own choice, after it has charged.
    Idle,
    /// Held back: by a limit, the charger, a fault.
    Paused,
    /// Giving energy back.
    Feeding,
}

impl Doing {
    /// As it is stored and as tariffs write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Charging => "charging",
            Self::Idle => "idle",
            Self::Paused => "paused",
            Self::Feeding => "feeding",
        }
    }

    /// Reads what was stored.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        [Self::Waiting, Self::Charging, Self::Idle, Self::Paused, Self::Feeding]
            .into_iter()
            .find(|doing| doing.as_str() == text)
    }

    /// The word of the engine.
    #[must_use]
    pub const fn state(self) -> State {
        match self {
            Self::Waiting => State::Waiting,
            Self::Charging => State::Charging,
            Self::Idle => State::Idle,
            Self::Paused => State::Paused,
            Self::Feeding => State::Feeding,
        }
    }
}

// What was said or measured last.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
enum Word {
    #[default]
    Nothing,
    Charging,
    Resting,
    HeldBack,
    Feeding,
}

/// What is known of the car so far.
#[serde_with::apply(_ => #[serde(default, skip_serializing_if = "is_default")])]
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(super) struct States {
    rows: i64,
    row: Option<(Instant, Doing)>,
    word: Word,
    started: bool,
    limited: bool,
    // When that changes, and to what.
    limits: Vec<(Instant, bool)>,
    nothing_offered: bool,
    charged: bool,
    measures_power: bool,
    no_power_since: Option<Instant>,
    // When the charger last said what the car does, and when a register was last read.
    said_at: Option<Instant>,
    read_at: Option<Instant>,
    // Energy since the charger said that nothing flows.
    since_word: i64,
    stopped: Option<Stopped>,
    // Before the instant of the last row: whether energy flowed, and when it had ended.
    flowed: bool,
    ended_before: Option<Instant>,
    pub charging_started: Option<Instant>,
    pub charging_ended: Option<Instant>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
enum Stopped {
    ByDriver,
    ByFault,
}

impl States {
    /// The session begins: the car is there.
    pub fn begin(&mut self, at: Instant, received: Instant) -> Option<StateChange> {
        if self.rows > 0 { None } else { self.settle(at, received, &Waits::default()) }
    }

    /// The transaction begins. Where the charger does not say what the car does, it is taken to charge.
    pub fn start(&mut self, assumed_charging: bool) {
        self.started = true;
        if assumed_charging && self.word == Word::Nothing {
            self.word = Word::Charging;
        }
    }

    pub fn stop(&mut self, fault: bool) {
        self.stopped = Some(if fault { Stopped::ByFault } else { Stopped::ByDriver });
    }

    pub fn limited(&mut self, limited: bool) {
        self.limited = limited;
        self.limits.clear();
    }

    pub fn limits(&mut self, plan: &[(Instant, bool)]) {
        let (first, rest) = plan.split_first().map_or((false, plan), |(first, rest)| (first.1, rest));
        self.limited = first;
        self.limits = rest.to_vec();
    }

    /// Goes on to the next change of our limit that comes by `at`; when it was.
    pub fn limit_changes(&mut self, at: Instant) -> Option<Instant> {
        let (from, limited) = self.limits.first().copied().filter(|(from, _)| *from <= at)?;
        self.limits.remove(0);
        self.limited = limited;
        Some(from)
    }

    pub fn offered(&mut self, some: bool) {
        self.nothing_offered = !some;
    }

    pub fn car(&mut self, at: Instant, car: Car) {
        let word = match car {
            Car::Charging => Word::Charging,
            Car::Connected | Car::SuspendedEv | Car::Away => Word::Resting,
            Car::SuspendedEvse => Word::HeldBack,
        };
        self.said(at, word);
    }

    pub fn shows(&mut self, at: Instant, shows: Shows) {
        let word = match shows {
            Shows::Charging => Word::Charging,
            Shows::Preparing if self.started => return,
            Shows::Preparing | Shows::SuspendedEv | Shows::Finishing => Word::Resting,
            Shows::SuspendedEvse | Shows::Faulted => Word::HeldBack,
            Shows::Free | Shows::Occupied => return,
        };
        self.said(at, word);
    }

    fn said(&mut self, at: Instant, word: Word) {
        if word == Word::Charging {
            self.charged = true;
            // A standstill is guessed from registers; the charger knows better. Measured power knows better than a word that is only
            // repeated.
            if self.word != Word::Charging || !self.measures_power {
                self.no_power_since = None;
            }
        }
        if word != self.word {
            self.said_at = Some(at);
        }
        self.since_word = 0;
        self.word = word;
    }

    pub fn power(&mut self, at: Instant, to: i64, from: i64) {
        self.measures_power = true;
        if from > SOME_POWER {
            self.word = Word::Feeding;
            self.no_power_since = None;
        } else if to > SOME_POWER {
            self.word = Word::Charging;
            self.charged = true;
            self.no_power_since = None;
        } else {
            self.no_power_since.get_or_insert(at);
        }
    }

    /// The register moved, or stood still since `rose_at`; `last`: it is that of the stop.
    pub fn energy(
        &mut self,
        at: Instant,
        (import, export): (i64, i64),
        rose_at: Option<Instant>,
        (last, waits): (bool, &Waits),
    ) {
        // What flowed up to the first register after a word flowed before it, or none can say.
        let follows = self.said_at.is_none_or(|said| self.read_at.is_some_and(|read| read >= said));
        self.read_at = Some(at);
        if last {
            // What flowed before the stop says nothing of what follows.
            self.charged |= import > 0;
        } else if import > 0 {
            self.charged = true;
            if follows {
                self.since_word = self.since_word.saturating_add(import);
            }
            if !self.measures_power {
                self.no_power_since = None;
                if self.word != Word::Charging && self.since_word >= SOME_ENERGY {
                    self.word = Word::Charging;
                }
            }
        } else if export > 0 && !self.measures_power {
            self.word = Word::Feeding;
        } else if !self.measures_power
            && let Some(rose_at) = rose_at
            && at.0.saturating_sub(rose_at.0) >= waits.standstill_ms
        {
            // Long enough ago to count at once.
            self.no_power_since = Some(Instant(at.0.saturating_sub(waits.no_power_ms)));
        }
    }

    fn doing(&self, at: Instant, waits: &Waits) -> Doing {
        let resting = if self.limited || self.nothing_offered {
            Doing::Paused
        } else if self.charged {
            Doing::Idle
        } else {
            Doing::Waiting
        };
        if !self.started {
            return Doing::Waiting;
        }
        match self.stopped {
            Some(Stopped::ByFault) => return Doing::Paused,
            Some(Stopped::ByDriver) => return if self.charged { Doing::Idle } else { Doing::Waiting },
            None => {}
        }
        let without =
            self.no_power_since.is_some_and(|since| at.0.saturating_sub(since.0) >= waits.no_power_ms);
        match self.word {
            Word::Feeding if !without => Doing::Feeding,
            Word::HeldBack => Doing::Paused,
            Word::Charging if !without => Doing::Charging,
            Word::Nothing | Word::Charging | Word::Resting | Word::Feeding => resting,
        }
    }

    /// The row to write, if the car does something else now: a new one, or the last one again when it begins at the same instant.
    pub fn settle(&mut self, at: Instant, received: Instant, waits: &Waits) -> Option<StateChange> {
        let doing = self.doing(at, waits);
        let last = self.row;
        if last.is_some_and(|(_, last)| last == doing) {
            return None;
        }
        let flows = |doing: Doing| matches!(doing, Doing::Charging | Doing::Feeding);
        if last.is_some_and(|(since, _)| since == at) {
            self.rows -= 1;
            if self.charging_started == Some(at) {
                self.charging_started = None;
            }
        } else {
            self.flowed = last.is_some_and(|(_, last)| flows(last));
            self.ended_before = self.charging_ended;
        }
        if flows(doing) {
            self.charging_started.get_or_insert(at);
            self.charging_ended = None;
        } else {
            self.charging_ended = if self.flowed { Some(at) } else { self.ended_before };
        }
        let row = StateChange {
            seq: self.rows,
            from_at: at,
            received_at: received,
            state: doing.as_str().to_owned(),
        };
        self.rows += 1;
        self.row = Some((at, doing));
        Some(row)
    }

    pub fn has_charged(&self) -> bool {
        self.charged
    }

    pub fn rows(&self) -> i64 {
        self.rows
    }

    pub fn now(&self) -> Option<Doing> {
        self.row.map(|(_, doing)| doing)
    }
}
