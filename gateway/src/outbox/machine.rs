//! How far an intent has come, and what is to be done next: a pure function of its state and of what happened.
//!
//! | state | means | leaves it by |
//! |---|---|---|
//! | `waiting` | certainly not done; asked when it is due and nothing before it in its debtor's order is open | due: `calling`; given up |
//! | `calling` | being asked; written down before the call | what it is told; a fault: `failed`, `waiting` or `unknown`; a start of the gateway, or no answer for too long: `unknown` |
//! | `unknown` | may have been done; never asked again before a look-up | look-up finds it: as told; finds nothing: `waiting`; fails too often: `dead` |
//! | `following` | the other side has it and is not finished | as told; a hint: looked at now; too long: `dead`, or `done` where that it has it is enough |
//! | `dead` | a person has to decide; those behind it wait, but for what the other side has and never finished | told; retry: `following`, `unknown` or `waiting`; given up |
//! | `done` | done | |
//! | `failed` | refused for good | told that it was done after all: `done` |
//! | `given-up` | a person gave it up | told that it was done after all: `done` |
//!
//! What is told late is as true as what is told in time. A fault is about one attempt: of an earlier one it says nothing. What is
//! dead or over, and was ever asked for, is looked at once more when a hint comes, since money can move at the other side's own doing; a look-up it is
//! where nothing was heard of it before. So it is when a person gives it up.

use super::backoff::Backoff;
use super::provider::{Fault, Outcome};
use crate::store::IntentState as Phase;
use takst_engine::units::{DAY_MS, Instant, MINUTE_MS};

/// The code of what is done since the other side has it, although it never said that it finished.
pub const NO_MORE: &str = "nothing-more";
/// The code of what the other side has and never finished.
pub const NOT_FINISHED: &str = "not-finished";

/// The bounds of waiting and trying.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rules {
    /// Between tries, and between looks.
    pub backoff: Backoff,
    /// A call without an answer for so long is over, in milliseconds.
    pub call_ms: i64,
    /// After an unknown outcome the look-up waits so long, so that what is on its way can arrive, in milliseconds.
    pub settle_ms: i64,
    /// So many failures in a row, and a person has to decide.
    pub failures: i64,
    /// What the other side has not finished after so long, a person has to decide about unless that it has it is enough, in milliseconds.
    pub follow_ms: i64,
    /// What waits for the payer alone is given up at the other side after so long, in milliseconds.
    pub abandon_ms: i64,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            backoff: Backoff::default(),
            call_ms: 30_000,
            settle_ms: MINUTE_MS,
            failures: 20,
            follow_ms: 30 * DAY_MS,
            abandon_ms: 7 * DAY_MS,
        }
    }
}

/// Besides the calls themselves, for waiting until they can begin, in milliseconds.
const BEGIN_MS: i64 = 10_000;

impl Rules {
    /// For somebody whose calls may take so long each: nobody stops waiting for one that may still be going on, and what became of
    /// it is looked up only when none of it is on its way any more. One thing can be two calls: asked whether, and asked for.
    #[must_use]
    pub fn lasting(&self, call_ms: i64) -> Self {
        let beyond = call_ms.saturating_sub(self.call_ms).max(0);
        if call_ms <= 0 {
            return self.clone();
        }
        Self {
            call_ms: self.call_ms.max(call_ms.saturating_mul(2).saturating_add(BEGIN_MS)),
            settle_ms: self.settle_ms.saturating_add(beyond),
            ..self.clone()
        }
    }
}

/// The state of an intent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct State {
    /// Which.
    pub phase: Phase,
    /// How many times it was asked.
    pub attempt: i64,
    /// Failures in a row, of asking and looking up; looks in a row while it is followed.
    pub failures: i64,
    /// The other side has said that it has it.
    pub known: bool,
    /// When something is to be done.
    pub next: Option<Instant>,
    /// Since when it is in this phase.
    pub since: Instant,
    /// That the other side has it is enough: no person is needed when it says no more.
    pub enough: bool,
}

impl State {
    /// A new intent.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self {
            phase: Phase::Waiting,
            attempt: 0,
            failures: 0,
            known: false,
            next: Some(now),
            since: now,
            enough: false,
        }
    }

    /// Whether it is over.
    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Done | Phase::Failed | Phase::GivenUp)
    }

    // Nothing is done about it by itself.
    fn rests(&self) -> bool {
        self.is_over() || self.phase == Phase::Dead
    }

    // It may be there, at the other side.
    fn may_be_there(&self) -> bool {
        self.known || self.attempt > 0
    }
}

/// What the other side says of the thing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Told {
    /// It has it, and is not finished.
    Going,
    /// It is done.
    Done,
    /// It was not done and will not be: code and words.
    Refused(String, String),
    /// It says something that must not be so: code and words.
    Odd(String, String),
}

/// What happened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// Its time has come.
    Due,
    /// The other side says how it stands.
    Told(Told),
    /// The attempt failed.
    CallFailed {
        /// Which attempt.
        attempt: i64,
        /// Why.
        fault: Fault,
    },
    /// A look-up or a look failed.
    LookFailed {
        /// After which attempt.
        attempt: i64,
        /// Why.
        fault: Fault,
    },
    /// A look-up found nothing.
    Nothing {
        /// After which attempt.
        attempt: i64,
    },
    /// The gateway has started: whoever called is gone.
    Restarted,
    /// Somebody says that something has happened at the other side.
    Hint,
    /// A person wants it tried again.
    Retry,
    /// A person gives it up.
    GiveUp {
        /// In his words.
        reason: String,
    },
}

/// What is to be done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Action {
    /// Ask for it.
    Call,
    /// Look up whether it was done.
    LookUp,
    /// Look how it stands.
    Look,
    /// It is over.
    Close,
    /// A person is needed: code and words.
    Raise(String, String),
    /// No person is needed any more.
    Settle,
    /// Note the last trouble: code and words.
    Note(String, String),
}

/// What a person wants cannot be.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refusal {
    /// It is on its way, and nobody knows how far.
    #[error("it is being asked for just now; wait for its outcome")]
    OnItsWay,
    /// It is over.
    #[error("it is over already")]
    Over,
    /// Nothing is wrong with it.
    #[error("nothing is wrong with it: it goes on by itself")]
    NotDead,
}

/// The next state, and what is to be done. `dice` spreads waits.
///
/// # Errors
/// What a person wants can be refused; nothing else is.
pub fn step(
    state: &State,
    event: &Event,
    now: Instant,
    dice: u64,
    rules: &Rules,
) -> Result<(State, Vec<Action>), Refusal> {
    let step = Step { state, now, dice, rules };
    Ok(match event {
        Event::Due => step.due(),
        Event::Told(told) => {
            let (next, actions) = step.told(told);
            (State { known: true, ..next }, actions)
        }
        Event::CallFailed { attempt, fault } => step.call_failed(*attempt, fault),
        Event::LookFailed { attempt, fault } => step.look_failed(*attempt, fault),
        Event::Nothing { attempt } => step.nothing(*attempt),
        Event::Restarted if state.phase == Phase::Calling => step.unsure(),
        Event::Hint if state.phase == Phase::Following || state.rests() => {
            let failures = if state.rests() { 0 } else { state.failures };
            // Never the same moment again: a look that is on its way knows by it that something has happened since.
            let at = if state.next == Some(now) { now.0.saturating_add(1) } else { now.0 };
            let next = state.may_be_there().then_some(Instant(at));
            (State { next, failures, ..state.clone() }, Vec::new())
        }
        Event::Restarted | Event::Hint => step.stays(),
        Event::Retry => return step.retry(),
        Event::GiveUp { reason } => return step.give_up(reason),
    })
}

type Next = (State, Vec<Action>);

struct Step<'a> {
    state: &'a State,
    now: Instant,
    dice: u64,
    rules: &'a Rules,
}

impl Step<'_> {
    fn stays(&self) -> Next {
        (self.state.clone(), Vec::new())
    }

    fn after(&self, ms: i64) -> Option<Instant> {
        Some(Instant(self.now.0.saturating_add(ms)))
    }

    fn to(&self, phase: Phase, next: Option<Instant>) -> State {
        let since = if phase == self.state.phase { self.state.since } else { self.now };
        State { phase, next, since, ..self.state.clone() }
    }

    fn due(&self) -> Next {
        let State { phase, known, .. } = self.state;
        let late = self.after(self.rules.call_ms.saturating_add(self.rules.settle_ms));
        match phase {
            Phase::Waiting => {
                let attempt = self.state.attempt.saturating_add(1);
                (State { attempt, ..self.to(Phase::Calling, late) }, vec![Action::Call])
            }
            // Whoever called would have said something by now.
            Phase::Calling => self.unsure(),
            Phase::Unknown => (self.state.clone(), vec![Action::LookUp]),
            Phase::Following => (self.state.clone(), vec![Action::Look]),
            Phase::Dead | Phase::Done | Phase::Failed | Phase::GivenUp if self.state.may_be_there() => {
                (self.state.clone(), vec![if *known { Action::Look } else { Action::LookUp }])
            }
            Phase::Dead | Phase::Done | Phase::Failed | Phase::GivenUp => self.rests(),
        }
    }

    fn rests(&self) -> Next {
        (State { next: None, ..self.state.clone() }, Vec::new())
    }

    fn unsure(&self) -> Next {
        let failures = self.state.failures.saturating_add(1);
        (State { failures, ..self.to(Phase::Unknown, self.after(self.rules.settle_ms)) }, Vec::new())
    }

    fn told(&self, told: &Told) -> Next {
        let phase = self.state.phase;
        let close = |next: Phase| {
            let mut actions = Vec::new();
            if phase == Phase::Dead {
                actions.push(Action::Settle);
            }
            actions.push(Action::Close);
            (self.to(next, None), actions)
        };
        match told {
            Told::Odd(code, text) => {
                let raise = vec![Action::Raise(code.clone(), text.clone())];
                if self.state.is_over() || phase == Phase::Dead {
                    return (State { next: None, ..self.state.clone() }, raise);
                }
                (self.to(Phase::Dead, None), raise)
            }
            Told::Done if phase == Phase::Done => self.rests(),
            Told::Done => close(Phase::Done),
            _ if self.state.is_over() => self.rests(),
            Told::Refused(code, text) => {
                let (state, mut actions) = close(Phase::Failed);
                actions.push(Action::Note(code.clone(), text.clone()));
                (state, actions)
            }
            Told::Going => self.going(),
        }
    }

    fn going(&self) -> Next {
        let looks = match self.state.phase {
            Phase::Following => self.state.failures.saturating_add(1),
            // A person decides; that it still goes on changes nothing.
            Phase::Dead => return self.rests(),
            _ => 1,
        };
        let next = self.after(self.rules.backoff.wait_ms(looks, self.dice));
        let state = State { failures: looks, ..self.to(Phase::Following, next) };
        if self.now.0.saturating_sub(state.since.0) >= self.rules.follow_ms {
            return self.unfinished("the other side did not finish it in time");
        }
        (state, Vec::new())
    }

    fn dead(&self, code: &str, text: &str) -> Next {
        let raise = Action::Raise(code.to_owned(), text.to_owned());
        (self.to(Phase::Dead, None), vec![raise])
    }

    // Followed for too long.
    fn unfinished(&self, text: &str) -> Next {
        if !self.state.enough {
            return self.dead(NOT_FINISHED, text);
        }
        let note =
            Action::Note(NO_MORE.to_owned(), format!("the other side has it and said no more: {text}"));
        (self.to(Phase::Done, None), vec![Action::Close, note])
    }

    fn call_failed(&self, attempt: i64, fault: &Fault) -> Next {
        if self.state.phase != Phase::Calling || attempt != self.state.attempt {
            return self.stays();
        }
        let note = Action::Note(fault.code.clone(), fault.detail.clone());
        match fault.outcome {
            Outcome::Refused => (self.to(Phase::Failed, None), vec![Action::Close, note]),
            Outcome::Unknown => (self.unsure().0, vec![note]),
            Outcome::NotDone => self.wait(fault),
        }
    }

    // Certainly not done: once more, later.
    fn wait(&self, fault: &Fault) -> Next {
        let failures = self.state.failures.saturating_add(1);
        if failures >= self.rules.failures {
            return self.dead(&fault.code, &format!("tried {failures} times: {}", fault.detail));
        }
        let wait = self.rules.backoff.wait_asked_ms(failures, self.dice, fault.retry_after);
        let state = State { failures, ..self.to(Phase::Waiting, self.after(wait)) };
        (state, vec![Action::Note(fault.code.clone(), fault.detail.clone())])
    }

    fn look_failed(&self, attempt: i64, fault: &Fault) -> Next {
        let State { phase, failures, .. } = self.state;
        if attempt != self.state.attempt || matches!(phase, Phase::Waiting | Phase::Calling) {
            return self.stays();
        }
        let failures = failures.saturating_add(1);
        if self.state.rests() {
            let again = failures < self.rules.failures && fault.outcome != Outcome::Refused;
            let wait = self.rules.backoff.wait_asked_ms(failures, self.dice, fault.retry_after);
            let next = if again { self.after(wait) } else { None };
            return (State { failures, next, ..self.state.clone() }, Vec::new());
        }
        // Nothing of the thing itself is known by that, so it is neither failed nor waiting.
        let long = self.now.0.saturating_sub(self.state.since.0) >= self.rules.follow_ms;
        let enough = match phase {
            Phase::Following => long,
            _ => failures >= self.rules.failures || fault.outcome == Outcome::Refused,
        };
        if enough {
            let text = format!("what became of it is not known: {}", fault.detail);
            return match phase {
                Phase::Following => self.unfinished(&text),
                _ => self.dead(&fault.code, &text),
            };
        }
        let wait = self.rules.backoff.wait_asked_ms(failures, self.dice, fault.retry_after);
        let state = State { failures, next: self.after(wait), ..self.state.clone() };
        (state, vec![Action::Note(fault.code.clone(), fault.detail.clone())])
    }

    fn nothing(&self, attempt: i64) -> Next {
        if self.state.rests() {
            return self.rests();
        }
        if self.state.phase != Phase::Unknown || attempt != self.state.attempt {
            return self.stays();
        }
        // The attempt has been counted as a failure when it was not known what became of it.
        if self.state.failures >= self.rules.failures {
            return self.dead("no-outcome", &format!("asked {attempt} times, and nothing came of it"));
        }
        let wait = self.rules.backoff.wait_ms(self.state.failures, self.dice);
        (self.to(Phase::Waiting, self.after(wait)), Vec::new())
    }

    fn retry(&self) -> Result<Next, Refusal> {
        match self.state.phase {
            Phase::Dead => {
                let phase = match (self.state.known, self.state.attempt) {
                    (true, _) => Phase::Following,
                    (false, 0) => Phase::Waiting,
                    // Whatever it died of, it may have been done.
                    (false, _) => Phase::Unknown,
                };
                // The count of attempts stays: faults are told apart by it.
                Ok((State { failures: 0, ..self.to(phase, Some(self.now)) }, vec![Action::Settle]))
            }
            Phase::Waiting => {
                Ok((State { failures: 0, ..self.to(Phase::Waiting, Some(self.now)) }, Vec::new()))
            }
            _ if self.state.is_over() => Err(Refusal::Over),
            Phase::Calling => Err(Refusal::OnItsWay),
            _ => Err(Refusal::NotDead),
        }
    }

    fn give_up(&self, reason: &str) -> Result<Next, Refusal> {
        let note = Action::Note("given-up".to_owned(), reason.to_owned());
        // What was asked for may have been done: one more look.
        let next = self.state.may_be_there().then_some(self.now);
        let over = State { failures: 0, ..self.to(Phase::GivenUp, next) };
        match self.state.phase {
            Phase::Dead => Ok((over, vec![Action::Settle, Action::Close, note])),
            Phase::Waiting => Ok((over, vec![Action::Close, note])),
            _ if self.state.is_over() => Err(Refusal::Over),
            Phase::Calling | Phase::Unknown => Err(Refusal::OnItsWay),
            _ => Err(Refusal::NotDead),
        }
    }
}

#[cfg(test)]
mod tests;
