//! The circuit breaker of a plugin: after some failures in a row nobody is asked for a while, then one, then all again.
//!
//! It lives in memory: after a start every plugin gets its chance.

use super::provider::Outcome;
use takst_engine::units::{Instant, MINUTE_MS};

/// When it opens, and for how long.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// So many failures in a row open it.
    pub failures: u32,
    /// For so long at first, in milliseconds; twice as long each time that the trial fails.
    pub first_ms: i64,
    /// But never longer.
    pub longest_ms: i64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { failures: 5, first_ms: 30_000, longest_ms: 10 * MINUTE_MS }
    }
}

/// A breaker.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Breaker {
    failures: u32,
    // How many times it has opened without a success since.
    opened: u32,
    until: Option<Instant>,
    trying: bool,
}

/// What a breaker lets through.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Gate {
    /// All.
    Open,
    /// One, and its outcome decides.
    Trial,
    /// Nobody before then.
    Shut(Instant),
}

impl Breaker {
    /// Who may be asked now.
    #[must_use]
    pub fn gate(&self, now: Instant, limits: &Limits) -> Gate {
        match self.until {
            None => Gate::Open,
            Some(until) if now < until => Gate::Shut(until),
            Some(_) if self.trying => Gate::Shut(Instant(now.0.saturating_add(limits.first_ms))),
            Some(_) => Gate::Trial,
        }
    }

    /// A call goes out; the first one after a pause is the trial.
    pub fn goes_out(&mut self, now: Instant) {
        self.trying |= self.until.is_some_and(|until| now >= until);
    }

    /// A call came back. A refusal is an answer: the other side works.
    pub fn heard(&mut self, outcome: Option<Outcome>, now: Instant, limits: &Limits) {
        if matches!(outcome, None | Some(Outcome::Refused)) {
            *self = Self::default();
            return;
        }
        self.failures = self.failures.saturating_add(1);
        // Calls that were under way when it opened say nothing new.
        let open = self.until.is_some_and(|until| now < until);
        if self.trying || (!open && self.failures >= limits.failures.max(1)) {
            let times = 1_i64.checked_shl(self.opened.min(30)).unwrap_or(i64::MAX);
            let pause = limits.first_ms.saturating_mul(times).min(limits.longest_ms);
            self.opened = self.opened.saturating_add(1);
            self.until = Some(Instant(now.0.saturating_add(pause)));
            self.trying = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_opens_tries_one_and_closes() {
        let limits = Limits { failures: 3, first_ms: 100, longest_ms: 300 };
        let mut breaker = Breaker::default();
        for _ in 0..2 {
            breaker.heard(Some(Outcome::Unknown), Instant(0), &limits);
            assert_eq!(breaker.gate(Instant(0), &limits), Gate::Open);
        }
        breaker.heard(Some(Outcome::NotDone), Instant(0), &limits);
        assert_eq!(breaker.gate(Instant(99), &limits), Gate::Shut(Instant(100)));
        assert_eq!(breaker.gate(Instant(100), &limits), Gate::Trial);
        breaker.goes_out(Instant(100));
        assert!(matches!(breaker.gate(Instant(100), &limits), Gate::Shut(_)));
        breaker.heard(Some(Outcome::NotDone), Instant(110), &limits);
        assert_eq!(breaker.gate(Instant(111), &limits), Gate::Shut(Instant(310)));
        breaker.goes_out(Instant(310));
        breaker.heard(Some(Outcome::NotDone), Instant(310), &limits);
        assert_eq!(breaker.gate(Instant(311), &limits), Gate::Shut(Instant(610)));
        breaker.goes_out(Instant(610));
        breaker.heard(Some(Outcome::Refused), Instant(610), &limits);
        assert_eq!(breaker.gate(Instant(610), &limits), Gate::Open);
    }

    #[test]
    fn a_success_begins_the_count_anew() {
        let limits = Limits { failures: 2, ..Limits::default() };
        let mut breaker = Breaker::default();
        for _ in 0..10 {
            breaker.heard(Some(Outcome::NotDone), Instant(0), &limits);
            breaker.heard(None, Instant(0), &limits);
        }
        assert_eq!(breaker.gate(Instant(0), &limits), Gate::Open);
    }
}
