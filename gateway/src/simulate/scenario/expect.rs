//! What is expected of a gateway, and what of it did not come true.

use super::values::One;
use crate::simulate::stats::Report;
use serde::Deserialize;
use std::time::Duration;

/// What is expected of a gateway. What is left out is not looked at.
#[derive(Clone, PartialEq, Eq, Default, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Expect {
    /// All chargers are connected at the same time, within so long after the start.
    all_connected_within: Option<One>,
    /// Once all are connected, it is never longer than this until all are connected again.
    all_back_within: Option<One>,
    /// At least so many sessions end.
    sessions: Option<u64>,
    /// At most so many messages are refused.
    refused: Option<u64>,
    /// At most so many messages are not answered.
    unanswered: Option<u64>,
    /// At most so many transaction messages are not acknowledged at the end, or are given up.
    unacknowledged: Option<u64>,
    /// At most so often the gateway contradicts itself or the standard.
    wrong: Option<u64>,
    /// At most so often a connection is lost that the charger wanted to keep.
    disconnected: Option<u64>,
    /// Of all answers, 99 of 100 take no longer.
    p99: Option<One>,
    /// At least so many answers a second.
    answers_per_second: Option<u64>,
}

impl Expect {
    /// The same for another number of chargers and another time, each with what it was before: `cars` is the time in which cars come,
    /// `duration` the whole. What counts sessions grows with both, what counts messages a second with the chargers. Chargers that have
    /// more time to connect than there is are not waited for.
    #[must_use]
    pub fn scaled(
        &self,
        (chargers, usual): (u64, u64),
        cars: (Duration, Duration),
        duration: Duration,
    ) -> Self {
        let part = |number: u64, (now, before): (u128, u128)| {
            let scaled = u128::from(number).saturating_mul(now) / before.max(1);
            u64::try_from(scaled).unwrap_or(u64::MAX)
        };
        let by_chargers = |number: u64| part(number, (u128::from(chargers), u128::from(usual)));
        let (time, usual_time) = (cars.0.as_millis(), cars.1.as_millis());
        let by_time =
            |number: u64| if time == usual_time { number } else { part(number, (time, usual_time)) };
        let fits = |within: &One| within.duration() <= duration;
        Self {
            sessions: self.sessions.map(|sessions| by_time(by_chargers(sessions))),
            answers_per_second: self.answers_per_second.map(by_chargers),
            all_connected_within: self.all_connected_within.filter(fits),
            ..self.clone()
        }
    }

    /// What did not come true, in sentences.
    #[must_use]
    pub fn missed(&self, report: &Report) -> Vec<String> {
        let mut missed = Vec::new();
        let mut most = |what: &str, most: Option<u64>, was: u64| {
            if let Some(most) = most.filter(|most| was > *most) {
                missed.push(format!("{what}: {was}, expected at most {most}"));
            }
        };
        let ms = |one: Option<One>| one.map(|one| u64::try_from(one.ms()).unwrap_or(0));
        most("messages refused", self.refused, report.refused());
        most("messages not answered", self.unanswered, report.unanswered());
        let open = report.unacknowledged.saturating_add(report.lost);
        most("transaction messages not acknowledged", self.unacknowledged, open);
        most("contradictions of the gateway", self.wrong, report.wrong.values().sum());
        most("connections lost", self.disconnected, report.disconnected);
        most(
            "milliseconds until all were connected again",
            ms(self.all_back_within),
            report.not_all_connected_for_ms,
        );
        most(
            "99 of 100 answers, in microseconds",
            ms(self.p99).map(|ms| ms.saturating_mul(1_000)),
            report.all.p99_us,
        );
        if let Some(within) = ms(self.all_connected_within) {
            match report.all_connected_after_ms {
                None => missed.push(format!(
                    "at most {} of {} chargers were connected at once",
                    report.most_connected, report.chargers
                )),
                Some(after) if after > within => {
                    missed.push(format!(
                        "all chargers were connected after {after} ms, expected within {within} ms"
                    ));
                }
                Some(_) => {}
            }
        }
        let mut least = |what: &str, least: Option<u64>, was: u64| {
            if let Some(least) = least.filter(|least| was < *least) {
                missed.push(format!("{what}: {was}, expected at least {least}"));
            }
        };
        least("sessions ended", self.sessions, report.sessions_ended);
        least("answers a second", self.answers_per_second, report.answers_per_second);
        missed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::stats::Stats;

    #[test]
    fn every_expectation_can_fail() {
        let report = Stats::new(3).report(Duration::from_secs(1), 2);
        for (text, wanted) in [
            ("all_connected_within = '1s'", "0 of 3 chargers"),
            ("sessions = 1", "sessions ended: 0, expected at least 1"),
            ("unacknowledged = 1", "not acknowledged: 2, expected at most 1"),
            ("answers_per_second = 5", "answers a second: 0"),
        ] {
            let expect: Expect = toml::from_str(text).unwrap();
            let missed = expect.missed(&report);
            assert_eq!(missed.len(), 1, "{text}: {missed:?}");
            assert!(missed.iter().all(|missed| missed.contains(wanted)), "{text}: {missed:?}");
        }
        let mut bad = report;
        bad.disconnected = 1;
        bad.not_all_connected_for_ms = 1_001;
        bad.all.p99_us = 50_001;
        bad.all_connected_after_ms = Some(2_000);
        bad.wrong.insert("x".to_owned(), 1);
        for text in [
            "all_connected_within = '1s'",
            "disconnected = 0",
            "all_back_within = '1s'",
            "p99 = '50ms'",
            "wrong = 0",
        ] {
            let expect: Expect = toml::from_str(text).unwrap();
            assert_eq!(expect.missed(&bad).len(), 1, "{text}");
        }
        let fine: Expect =
            toml::from_str("refused = 0\nunanswered = 0\nsessions = 0\nall_back_within = '2s'").unwrap();
        assert!(fine.missed(&bad).is_empty());
    }
}
