//! The connected chargers: who is there, commands to them, and counters. Absent: sockets; a line is what the rest of the program sees of one.

mod counters;
mod line;
mod tape;

pub(crate) use counters::Count;
pub use counters::Counters;
use line::topic;
pub(crate) use line::{Closing, Early, Line, Order};
pub(crate) use tape::Tape;

use crate::chargers::model::{Command, Outcome};
use crate::link::Link;
use crate::serve::traces::TARGET as TRACE;
use crate::store::OrgId;
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant as Moment, timeout_at};
use tracing::Instrument as _;
use tracing::field::Empty;

/// Why a command came to nothing. What a charger itself refuses is an [`Outcome`].
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Unsent {
    /// The charger has no connection.
    #[error("the charger is not connected")]
    NotConnected,
    /// Too many commands wait for the charger already.
    #[error("too many commands wait for the charger; try again when it has answered some")]
    Busy,
    /// The charger's version of OCPP has no words for it.
    #[error("{0}")]
    Unsayable(String),
    /// There was no answer in time.
    #[error("{}", if *sent { "the charger did not answer in time" } else { "the charger could not be told in time" })]
    TimedOut {
        /// It went out: the charger may have done it.
        sent: bool,
    },
    /// A newer command says what this one would have said.
    #[error("a newer command has taken its place")]
    Overtaken,
    /// The connection ended before the answer.
    #[error("the connection ended before the charger answered")]
    Gone {
        /// It went out: the charger may have done it.
        sent: bool,
    },
}

/// All connections of chargers to this program. Copies share them.
#[derive(Clone, Default)]
pub struct Hub {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    lines: RwLock<HashMap<OrgId, HashMap<String, Arc<Line>>>>,
    counters: Counters,
    left: Notify,
}

impl Hub {
    /// No connections.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Tells a charger to do something and waits for its answer, at most for `within`.
    ///
    /// One command at a time is with a charger, others wait their turn. Nothing goes out before the charger's boot is accepted.
    /// A refusal of the charger's (CALLERROR) is an outcome that is not good.
    ///
    /// # Errors
    /// When it could not be said, or was not answered.
    pub async fn command(
        &self,
        org: &OrgId,
        charger: &str,
        command: Command,
        within: Duration,
    ) -> Result<Outcome, Unsent> {
        let span = tracing::info_span!(target: TRACE, "command", otel.kind = "client", charger, action = Empty, outcome = Empty);
        let ended = self.send(org, charger, command, within).instrument(span.clone()).await;
        match &ended {
            Ok(outcome) => span.record("outcome", tracing::field::debug(&outcome.status)),
            Err(unsent) => span.record("outcome", tracing::field::display(unsent)),
        };
        ended
    }

    async fn send(
        &self,
        org: &OrgId,
        charger: &str,
        command: Command,
        within: Duration,
    ) -> Result<Outcome, Unsent> {
        let line = self.line(org, charger).ok_or(Unsent::NotConnected)?;
        let call = line
            .link
            .dialect
            .write_command(&command)
            .map_err(|error| Unsent::Unsayable(error.to_string()))?;
        tracing::Span::current().record("action", call.action);
        let deadline = Moment::now() + within;
        let (reply, answer) = oneshot::channel();
        line.order(Order { call, when: (&command).into(), deadline, topic: topic(&command), reply })?;
        // The connection keeps the time; this is for one that is too busy to.
        const PATIENCE: Duration = Duration::from_secs(1);
        match timeout_at(deadline + PATIENCE, answer).await {
            Ok(Ok(ended)) => ended,
            Ok(Err(_)) => Err(Unsent::Gone { sent: false }),
            Err(_) => Err(Unsent::TimedOut { sent: false }),
        }
    }

    /// Whether the charger has a connection.
    #[must_use]
    pub fn is_connected(&self, org: &OrgId, charger: &str) -> bool {
        self.line(org, charger).is_some_and(|line| line.is_open())
    }

    /// The connection of a charger.
    #[must_use]
    pub fn link(&self, org: &OrgId, charger: &str) -> Option<Link> {
        self.line(org, charger).map(|line| line.link.clone())
    }

    /// All connections, in no order.
    #[must_use]
    pub fn links(&self) -> Vec<Link> {
        self.lines().values().flat_map(HashMap::values).map(|line| line.link.clone()).collect()
    }

    /// How many chargers are connected.
    #[must_use]
    pub fn connected(&self) -> usize {
        self.lines().values().map(HashMap::len).sum()
    }

    /// Ends the connection of a charger, with the reason in the close frame. Whether there was one. It may come back at once.
    pub fn close(&self, org: &OrgId, charger: &str, why: &str) -> bool {
        let line = self.line(org, charger);
        if let Some(line) = &line {
            line.close(Closing { code: Closing::NORMAL, why: why.to_owned() });
        }
        line.is_some()
    }

    /// What has been counted since the start.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.inner.counters
    }

    /// Ends all connections and waits until their last reports are kept, at most for `within`. Whether all were.
    pub(crate) async fn close_all(&self, why: &str, within: Duration) -> bool {
        let deadline = Moment::now() + within;
        loop {
            let mut left = std::pin::pin!(self.inner.left.notified());
            // From here on a leave is noticed.
            left.as_mut().enable();
            let lines: Vec<_> = self.lines().values().flat_map(HashMap::values).cloned().collect();
            if lines.is_empty() {
                return true;
            }
            for line in lines {
                line.close(Closing { code: Closing::AWAY, why: why.to_owned() });
            }
            if timeout_at(deadline, left).await.is_err() {
                return false;
            }
        }
    }

    /// The connection is the charger's from now on; an older one is told to end and returned.
    pub(crate) fn enter(&self, line: Arc<Line>) -> Option<Arc<Line>> {
        let older = self
            .lines_mut()
            .entry(line.link.org.clone())
            .or_default()
            .insert(line.link.charger.clone(), line);
        if let Some(older) = &older {
            self.count(Count::Replaced);
            older.close(Closing { code: Closing::NORMAL, why: "a newer connection took over".to_owned() });
        }
        older
    }

    /// The connection is over. When a newer one has taken its place, that one stays.
    pub(crate) fn leave(&self, line: &Arc<Line>) {
        {
            let mut lines = self.lines_mut();
            if let Some(chargers) = lines.get_mut(&line.link.org) {
                if chargers.get(&line.link.charger).is_some_and(|there| Arc::ptr_eq(there, line)) {
                    chargers.remove(&line.link.charger);
                }
                if chargers.is_empty() {
                    lines.remove(&line.link.org);
                }
            }
        }
        self.inner.left.notify_waiters();
    }

    pub(crate) fn count(&self, what: Count) {
        self.inner.counters.add(what, 1);
    }

    pub(crate) fn count_many(&self, what: Count, many: usize) {
        self.inner.counters.add(what, u64::try_from(many).unwrap_or(u64::MAX));
    }

    fn line(&self, org: &OrgId, charger: &str) -> Option<Arc<Line>> {
        self.lines().get(org)?.get(charger).cloned()
    }

    // Nothing is done under these locks that could leave the maps half changed.
    fn lines(&self) -> RwLockReadGuard<'_, HashMap<OrgId, HashMap<String, Arc<Line>>>> {
        self.inner.lines.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn lines_mut(&self) -> RwLockWriteGuard<'_, HashMap<OrgId, HashMap<String, Arc<Line>>>> {
        self.inner.lines.write().unwrap_or_else(PoisonError::into_inner)
    }
}
