//! Whether a charger in trouble is restarted, when, and how. [`decide`] is pure.

use super::Thresholds;
use super::look::{Finding, Kind, Running, Seen, age};
use crate::chargers::model::{Command, Place, ResetKind};
use crate::hub::Hub;
use crate::store::OrgId;
use futures_util::future::BoxFuture;
use std::time::Duration;
use takst_engine::units::{DAY_MS, Instant};

/// How a charger is restarted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum How {
    /// Transactions are ended properly first.
    Soft,
    /// At once.
    Hard,
}

impl How {
    /// As it stands in the history of an incident.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Soft => "soft",
            Self::Hard => "hard",
        }
    }
}

/// Trouble that a restart may cure.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Trouble<'a> {
    /// Since when; the charger has not booted since.
    pub since: Instant,
    /// What it is.
    pub finding: &'a Finding,
}

/// The trouble of a charger that a restart may cure; none when a session runs well, so that its driver is left alone.
#[must_use]
pub fn trouble<'a>(seen: &Seen<'_>, findings: &'a [Finding]) -> Option<Trouble<'a>> {
    if seen.away_since.is_some() || seen.sessions.iter().any(|session| runs_well(session, findings)) {
        return None;
    }
    let finding = findings.iter().filter(|finding| finding.curable).min_by_key(|finding| finding.since)?;
    // A boot was a chance too.
    let since = seen.boots.last().map_or(finding.since, |boot| finding.since.max(*boot));
    Some(Trouble { since, finding })
}

/// Whether a session's driver would be worse off by a restart.
fn runs_well(session: &Running, findings: &[Finding]) -> bool {
    let harmed = |finding: &Finding| match finding.kind {
        Kind::Faulted => finding.evse.is_none_or(|evse| evse == session.evse),
        Kind::StuckPreparing | Kind::NoMeterValues => finding.session.as_deref() == Some(session.id.as_str()),
        Kind::Offline | Kind::ClockSkew | Kind::BootLoop => false,
    };
    session.started && !findings.iter().any(harmed)
}

/// What is to be done now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Decision {
    /// Restart it; it is the restart of this number in 24 hours.
    Restart(How, usize),
    /// Not before then.
    Wait(Instant),
    /// Never.
    Leave,
}

/// What is to be done about trouble, after the restarts of the last 24 hours (`tried`, in order): the first one after
/// `restart_after`, each further one after twice the time from the one before, up to the longest wait, and no more in 24 hours than
/// is allowed. The first one for a trouble is soft, those after it hard.
#[must_use]
pub fn decide(trouble: &Trouble<'_>, tried: &[Instant], rules: &Thresholds, now: Instant) -> Decision {
    if !rules.automatic_restart || rules.restarts_per_day == 0 {
        return Decision::Leave;
    }
    let today: Vec<Instant> = tried.iter().copied().filter(|at| age(*at, now) < DAY_MS).collect();
    let most = usize::try_from(rules.restarts_per_day).unwrap_or(usize::MAX);
    let mut not_before = trouble.since.0.saturating_add(rules.restart_after_ms);
    if let Some(last) = today.last() {
        let doublings = u32::try_from(today.len()).unwrap_or(u32::MAX);
        let times = 1_i64.checked_shl(doublings).filter(|times| *times > 0).unwrap_or(i64::MAX);
        let wait = rules.restart_after_ms.saturating_mul(times).min(rules.restart_longest_wait_ms.max(0));
        not_before = not_before.max(last.0.saturating_add(wait));
    }
    if let Some(oldest) = today.len().checked_sub(most).and_then(|spare| today.get(spare)) {
        not_before = not_before.max(oldest.0.saturating_add(DAY_MS));
    }
    if now.0 < not_before {
        return Decision::Wait(Instant(not_before));
    }
    // A session that only lacks meter values is ended properly, or not at all.
    let gentle = trouble.finding.kind == Kind::NoMeterValues;
    let first = !tried.iter().any(|at| *at >= trouble.finding.since);
    Decision::Restart(if gentle || first { How::Soft } else { How::Hard }, today.len() + 1)
}

/// Who can restart chargers.
pub trait Restarter: Send + Sync + 'static {
    /// Whether the charger's connection is held by this program: of several, that one restarts it.
    fn reaches(&self, org: &OrgId, charger: &str) -> bool;

    /// Tells the charger to restart: its answer, or why there is none.
    fn restart<'a>(
        &'a self,
        org: &'a OrgId,
        charger: &'a str,
        how: How,
    ) -> BoxFuture<'a, Result<String, String>>;
}

/// How long a charger has to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

impl Restarter for Hub {
    fn reaches(&self, org: &OrgId, charger: &str) -> bool {
        self.is_connected(org, charger)
    }

    fn restart<'a>(
        &'a self,
        org: &'a OrgId,
        charger: &'a str,
        how: How,
    ) -> BoxFuture<'a, Result<String, String>> {
        let kind = match how {
            How::Soft => ResetKind::Graceful,
            How::Hard => ResetKind::Hard,
        };
        let command = Command::Reset { kind, place: Place::CHARGER };
        Box::pin(async move {
            let outcome = self.command(org, charger, command, ANSWER_WITHIN).await;
            outcome.map(|outcome| outcome.status.as_str().to_owned()).map_err(|error| error.to_string())
        })
    }
}

#[cfg(test)]
mod tests;
