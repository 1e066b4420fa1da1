//! Firmware campaigns: new firmware for many chargers, a few at a time, never while a car charges, and no further when it goes
//! wrong.
//!
//! ```text
//! plan + how far each charger is ──decide──▶ tell these, give those up, halt, done
//! reports of chargers ──Progress::of──▶ underway, done, failed
//! ```
//!
//! [`decide`] and [`Progress`] are pure; [`Campaigns`] does what they say every few seconds.

mod plan;
mod run;

pub use plan::{Firmware, Hours, HoursError, Plan, PlanError};
pub use run::{Campaigns, Sites};

use crate::chargers::model::FirmwareStatus;
use crate::store::{Member, MemberStatus};
use takst_engine::units::{Instant, MINUTE_MS};

/// What counts about a charger besides its place in the campaign.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Around {
    /// It can be told something.
    pub connected: bool,
    /// A session runs there.
    pub busy: bool,
    /// It is an hour in which the plan lets it be updated.
    pub hour: bool,
}

/// What is to be done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Step {
    /// It is this charger's turn.
    Tell(String),
    /// This charger has taken too long.
    GiveUp(String),
    /// No further one; why.
    Halt(String),
    /// Nobody is left.
    Finish,
}

/// What a campaign does next. `forgiven` failures do not count; a halted one only waits for those underway.
#[must_use]
pub fn decide(
    plan: &Plan,
    members: &[Member],
    forgiven: i64,
    halted: bool,
    now: Instant,
    around: impl Fn(&str) -> Around,
) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut underway = 0_u32;
    let mut failures = 0_i64;
    for member in members {
        match member.status {
            MemberStatus::Underway => {
                let patience = i64::from(plan.minutes_each).saturating_mul(MINUTE_MS);
                if now.0.saturating_sub(member.since.0) > patience {
                    steps.push(Step::GiveUp(member.charger.clone()));
                    failures += 1;
                } else {
                    underway += 1;
                }
            }
            MemberStatus::Failed => failures += 1,
            MemberStatus::Waiting | MemberStatus::Done | MemberStatus::Left => {}
        }
    }
    let waiting = || members.iter().filter(|member| member.status == MemberStatus::Waiting);
    if waiting().next().is_none() {
        if underway == 0 {
            steps.push(Step::Finish);
        }
        return steps;
    }
    if halted {
        return steps;
    }
    let failures = failures.saturating_sub(forgiven);
    if plan.stop_after_failures > 0 && failures >= i64::from(plan.stop_after_failures) {
        let how_many = if failures == 1 { "a charger".to_owned() } else { format!("{failures} chargers") };
        steps.push(Step::Halt(format!("{how_many} did not get the new firmware")));
        return steps;
    }
    if plan.until.is_some_and(|until| now >= until) {
        steps.push(Step::Halt("its time is over".to_owned()));
        return steps;
    }
    if plan.from.is_some_and(|from| now < from) {
        return steps;
    }
    let room = plan.at_once.saturating_sub(underway);
    let ready = waiting().filter(|member| {
        let around = around(&member.charger);
        around.connected && !around.busy && around.hour
    });
    let turns = ready.take(usize::try_from(room).unwrap_or(usize::MAX));
    steps.extend(turns.map(|member| Step::Tell(member.charger.clone())));
    steps
}

/// What a report means for a charger that is underway.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Progress {
    /// It goes on.
    Underway,
    /// It is done.
    Done,
    /// It did not work.
    Failed,
    /// It says nothing about it.
    Nothing,
}

impl Progress {
    /// Of a status that a charger reports (OCPP 1.6 FirmwareStatusNotification and its signed form; 2.x).
    #[must_use]
    pub const fn of(status: &FirmwareStatus) -> Self {
        match status {
            FirmwareStatus::Installed => Self::Done,
            FirmwareStatus::DownloadFailed
            | FirmwareStatus::InstallationFailed
            | FirmwareStatus::InstallVerificationFailed
            | FirmwareStatus::InvalidSignature
            | FirmwareStatus::InvalidChecksum => Self::Failed,
            FirmwareStatus::Downloaded
            | FirmwareStatus::Downloading
            | FirmwareStatus::DownloadScheduled
            | FirmwareStatus::DownloadPaused
            | FirmwareStatus::Installing
            | FirmwareStatus::InstallRebooting
            | FirmwareStatus::InstallScheduled
            | FirmwareStatus::SignatureVerified
            | FirmwareStatus::ChecksumVerified => Self::Underway,
            // Idle: nothing goes on. Publishing is about firmware for others.
            FirmwareStatus::Idle
            | FirmwareStatus::Published
            | FirmwareStatus::PublishFailed
            | FirmwareStatus::Other(_) => Self::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(at_once: u32, stop_after_failures: u32) -> Plan {
        let text = format!(
            r#"{{"firmware": {{"location": "https://example.org/f.bin"}}, "at_once": {at_once}, "stop_after_failures": {stop_after_failures}, "minutes_each": 30}}"#
        );
        serde_json::from_str(&text).unwrap()
    }

    fn members(words: &[(&str, MemberStatus)]) -> Vec<Member> {
        let member = |(charger, status): &(&str, MemberStatus)| Member {
            charger: (*charger).to_owned(),
            status: *status,
            told: None,
            since: Instant(0),
        };
        words.iter().map(member).collect()
    }

    const FREE: Around = Around { connected: true, busy: false, hour: true };
    use MemberStatus::{Done, Failed, Underway, Waiting};

    fn tell(ids: &[&str]) -> Vec<Step> {
        ids.iter().map(|id| Step::Tell((*id).to_owned())).collect()
    }

    #[test]
    fn only_so_many_at_once_and_none_that_is_busy_away_or_asleep() {
        let all = members(&[("a", Done), ("b", Underway), ("c", Waiting), ("d", Waiting), ("e", Waiting)]);
        assert_eq!(decide(&plan(2, 1), &all, 0, false, Instant(1), |_| FREE), tell(&["c"]));
        let busy = |id: &str| Around { busy: id == "c", ..FREE };
        assert_eq!(decide(&plan(2, 1), &all, 0, false, Instant(1), busy), tell(&["d"]));
        let away = |id: &str| Around { connected: id == "e", ..FREE };
        assert_eq!(decide(&plan(3, 1), &all, 0, false, Instant(1), away), tell(&["e"]));
        let asleep = |_: &str| Around { hour: false, ..FREE };
        assert_eq!(decide(&plan(3, 1), &all, 0, false, Instant(1), asleep), []);
        assert_eq!(decide(&plan(1, 1), &all, 0, false, Instant(1), |_| FREE), []);
    }

    #[test]
    fn failures_halt_it_until_they_are_forgiven() {
        let all = members(&[("a", Failed), ("b", Waiting)]);
        let halt = decide(&plan(1, 1), &all, 0, false, Instant(1), |_| FREE);
        assert_eq!(halt, [Step::Halt("a charger did not get the new firmware".to_owned())]);
        assert_eq!(decide(&plan(1, 1), &all, 0, true, Instant(1), |_| FREE), []);
        assert_eq!(decide(&plan(1, 1), &all, 1, false, Instant(1), |_| FREE), tell(&["b"]));
        assert_eq!(decide(&plan(1, 2), &all, 0, false, Instant(1), |_| FREE), tell(&["b"]));
        // Never, when it is to go on whatever happens.
        assert_eq!(decide(&plan(1, 0), &all, 0, false, Instant(1), |_| FREE), tell(&["b"]));
    }

    #[test]
    fn whoever_takes_too_long_has_failed() {
        let all = members(&[("a", Underway), ("b", Waiting)]);
        let late = Instant(31 * MINUTE_MS);
        let steps = decide(&plan(1, 1), &all, 0, false, late, |_| FREE);
        assert!(matches!(steps.as_slice(), [Step::GiveUp(who), Step::Halt(_)] if who == "a"), "{steps:?}");
        // Also when it has halted.
        assert_eq!(decide(&plan(1, 1), &all, 0, true, late, |_| FREE), [Step::GiveUp("a".to_owned())]);
    }

    #[test]
    fn it_has_a_beginning_and_an_end() {
        let all = members(&[("a", Waiting)]);
        let timed = Plan { from: Some(Instant(10)), until: Some(Instant(20)), ..plan(1, 1) };
        assert_eq!(decide(&timed, &all, 0, false, Instant(9), |_| FREE), []);
        assert_eq!(decide(&timed, &all, 0, false, Instant(10), |_| FREE), tell(&["a"]));
        let over = decide(&timed, &all, 0, false, Instant(20), |_| FREE);
        assert_eq!(over, [Step::Halt("its time is over".to_owned())]);
        let ended = members(&[("a", Done), ("b", Failed)]);
        assert_eq!(decide(&timed, &ended, 0, false, Instant(9), |_| FREE), [Step::Finish]);
    }
}
