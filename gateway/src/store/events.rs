//! The log of events of an organisation: live pages, notices and other systems read on from the number they
//! have seen.

use super::error::Error;
use super::record::{OrgId, all, key, record};
use super::sql::{Reader, args};
use super::tx::Tx;
use std::collections::BTreeMap;
use takst_engine::units::Instant;

/// An event to be logged.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewEvent {
    /// When it happened.
    pub at: Instant,
    /// `session.started`, `bill.issued`, ...
    pub kind: String,
    /// What it is about: the id of a session, a charger, ...
    pub subject: String,
    /// JSON.
    pub document: String,
}

record! {
    /// A logged event.
    Event {
        /// Its place in the log: the next one of the organisation has a higher number, and shows later.
        seq: i64,
        /// When it happened.
        at: Instant,
        /// `session.started`, `bill.issued`, ...
        kind: String,
        /// What it is about.
        subject: String,
        /// JSON.
        document: String,
    }
}

impl Tx {
    /// Logs an event with this unit. It gets its number when the group is committed.
    pub fn log_event(&mut self, org: &OrgId, event: NewEvent) {
        self.events.push((org.clone(), event));
    }

    /// Numbers are given last and under a lock that lasts until the commit, so a reader who has seen a number
    /// never finds a lower one afterwards.
    pub(super) async fn write_events(&mut self) -> Result<(), Error> {
        let mut by_org: BTreeMap<OrgId, Vec<NewEvent>> = BTreeMap::new();
        for (org, event) in std::mem::take(&mut self.events) {
            by_org.entry(org).or_default().push(event);
        }
        for (org, events) in by_org {
            let count = i64::try_from(events.len()).unwrap_or(i64::MAX);
            let last = self.advance(&org, "event", count).await?;
            let rows = (last - count + 1..).zip(events).map(|(seq, event)| {
                let NewEvent { at, kind, subject, document } = event;
                args![seq, at, kind, key(&subject), document]
            });
            let head = "INSERT INTO event (org, seq, at, kind, subject, document)";
            self.insert_rows(&org, head, rows.collect(), "").await?;
        }
        Ok(())
    }
}

impl Reader {
    /// Up to `limit` events after the one numbered `seq`, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn events_after(&mut self, org: &OrgId, seq: i64, limit: i64) -> Result<Vec<Event>, Error> {
        let sql = "SELECT seq, at, kind, subject, document FROM event WHERE org = $1 AND seq > $2 ORDER BY seq LIMIT $3";
        all(&self.rows(org, sql, args![seq, limit]).await?)
    }

    /// The number of the last event; 0 when there was none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn last_event(&mut self, org: &OrgId) -> Result<i64, Error> {
        let sql = "SELECT value FROM sequence WHERE org = $1 AND name = 'event'";
        self.row(org, sql, args![]).await?.map_or(Ok(0), |row| row.get(0))
    }
}
