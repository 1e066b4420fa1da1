//! What the monitor looks at every few seconds: all chargers in a few queries, with nothing in them that it does not need.

use super::error::Error;
use super::record::{OrgId, Record as _, all, key, record};
use super::sql::{Reader, args};
use takst_engine::units::Instant;

record! {
    /// A charger that may work with us.
    WatchedCharger {
        /// Its identity.
        id: String,
        /// When it last booted (receipt).
        last_boot: Option<Instant>,
        /// When anything last came from it.
        last_seen: Option<Instant>,
        /// Its clock minus ours, in milliseconds.
        skew_ms: Option<i64>,
        /// Since when it is connected; none when it is offline.
        connected_at: Option<Instant>,
    }
}

record! {
    /// A connector that shows something a monitor has to do with.
    WatchedConnector {
        /// Of which charger.
        charger: String,
        /// EVSE number; connector number in OCPP 1.6. 0 is the charger as a whole.
        evse: i64,
        /// Connector of the EVSE.
        connector: i64,
        /// As the domain names it.
        status: String,
        /// JSON: code, info and vendor code of a fault.
        error: Option<String>,
        /// When it was last reported (receipt).
        received_at: Instant,
    }
}

record! {
    /// A running session.
    WatchedSession {
        /// Its id.
        id: String,
        /// Where it runs.
        charger: String,
        /// EVSE number; connector number in OCPP 1.6.
        evse: i64,
        /// When the charger's transaction began.
        started_at: Option<Instant>,
        /// When energy first flowed.
        charging_started: Option<Instant>,
        /// When it last stopped flowing for good.
        charging_ended: Option<Instant>,
        /// When the charger's transaction ended.
        stopped_at: Option<Instant>,
        /// When the register was last read (station time).
        last_reading_at: Option<Instant>,
        /// When the row was last changed.
        updated_at: Instant,
    }
}

record! {
    /// A restart that was tried.
    RestartTried {
        /// When.
        at: Instant,
        /// JSON, as the monitor wrote it.
        document: String,
    }
}

/// The subject of an incident as it is stored: a long one is cut.
#[must_use]
pub fn stored_subject(subject: &str) -> String {
    key(subject)
}

impl Reader {
    /// All chargers that may work with us, by id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn watched_chargers(&mut self, org: &OrgId) -> Result<Vec<WatchedCharger>, Error> {
        // A connection that is gone has left no time either.
        let sql = format!(
            "SELECT {} FROM charger WHERE org = $1 AND registration = 'accepted' ORDER BY id",
            WatchedCharger::COLUMNS
        );
        all(&self.rows(org, &sql, args![]).await?)
    }

    /// The connectors of all chargers that are faulted, or taken by a car that may not have begun to charge.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn watched_connectors(&mut self, org: &OrgId) -> Result<Vec<WatchedConnector>, Error> {
        let sql = format!(
            "SELECT {} FROM connector WHERE org = $1 AND status IN ('Faulted', 'Preparing', 'Occupied')
             ORDER BY charger, evse, connector",
            WatchedConnector::COLUMNS
        );
        all(&self.rows(org, &sql, args![]).await?)
    }

    /// All running sessions, by charger.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn watched_sessions(&mut self, org: &OrgId) -> Result<Vec<WatchedSession>, Error> {
        let sql = format!(
            "SELECT {} FROM session_now WHERE org = $1 AND status = 'running' ORDER BY charger, plugged_in, id",
            WatchedSession::COLUMNS
        );
        all(&self.rows(org, &sql, args![]).await?)
    }

    /// The restarts of a charger since `since` that incidents tell of, in order.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn restarts_tried(
        &mut self,
        org: &OrgId,
        charger: &str,
        since: Instant,
    ) -> Result<Vec<RestartTried>, Error> {
        let sql = "SELECT e.at, e.document FROM incident i JOIN incident_event e ON e.org = i.org AND e.incident = i.id
                   WHERE i.org = $1 AND i.charger = $2 AND (i.closed_at IS NULL OR i.closed_at >= $3)
                   AND e.kind = 'restart' AND e.at >= $3 ORDER BY e.at";
        all(&self.rows(org, sql, args![key(charger), since]).await?)
    }
}
