//! Incidents: what is wrong with a charger or a feed, since when, and what was done about it.

use super::error::Error;
use super::events::NewEvent;
use super::new_id;
use super::record::{OrgId, Record as _, all, key, key_of, one, record};
use super::sql::{Reader, args};
use super::tx::Tx;
use serde_json::Value;
use takst_engine::units::Instant;

record! {
    /// Something that is or was wrong.
    Incident {
        /// [`super::new_id`].
        id: String,
        /// The charger, if it is about one.
        charger: Option<String>,
        /// What exactly: a charger, a connector, a feed.
        subject: String,
        /// `offline`, `faulted`, `clock`, ...
        kind: String,
        /// `warning`, `error`, ...
        severity: String,
        /// Since when.
        opened_at: Instant,
        /// Until when.
        closed_at: Option<Instant>,
        /// JSON.
        document: String,
    }
}

record! {
    /// Something that happened in an incident.
    IncidentEvent {
        /// 1, 2, 3, ... within the incident.
        seq: i64,
        /// When.
        at: Instant,
        /// `opened`, `restart`, `note`, `closed`, ...
        kind: String,
        /// JSON.
        document: String,
    }
}

/// What an incident of the whole gateway is about: not of one charger, whose incidents the monitor keeps.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Alert<'a> {
    /// A feed, a bill, a plugin, ...
    pub subject: &'a str,
    /// `feed.late`, `payment.held`, ...
    pub kind: &'a str,
    /// `warning` or `error`.
    pub severity: &'a str,
}

/// A backup was restored: what was done since is not known, and nothing is billed, charged or sent before a person says so.
pub const RESTORED: Alert<'static> = Alert { subject: "restore", kind: "restored", severity: "error" };

impl Tx {
    /// Opens an incident and tells of it (`incident.opened`), unless it is open already; whether it is new. `document` is an object.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn raise(
        &mut self,
        org: &OrgId,
        alert: Alert<'_>,
        document: &Value,
        now: Instant,
    ) -> Result<bool, Error> {
        let incident = Incident {
            id: new_id(),
            charger: None,
            subject: alert.subject.to_owned(),
            kind: alert.kind.to_owned(),
            severity: alert.severity.to_owned(),
            opened_at: now,
            closed_at: None,
            document: document.to_string(),
        };
        let (_, new) = self.open_incident(org, &incident).await?;
        if new {
            self.tell(org, alert, "incident.opened", document, now);
        }
        Ok(new)
    }

    /// Closes an incident and tells of it (`incident.closed`); whether there was one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn settle(
        &mut self,
        org: &OrgId,
        alert: Alert<'_>,
        document: &Value,
        now: Instant,
    ) -> Result<bool, Error> {
        let was_open = self.close_incident(org, alert.subject, alert.kind, now).await?.is_some();
        if was_open {
            self.tell(org, alert, "incident.closed", document, now);
        }
        Ok(was_open)
    }

    /// Says of an open incident what it is about now.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn renew_incident(
        &mut self,
        org: &OrgId,
        alert: Alert<'_>,
        document: &Value,
    ) -> Result<(), Error> {
        let sql = "UPDATE incident SET document = $4
                   WHERE org = $1 AND subject = $2 AND kind = $3 AND closed_at IS NULL AND document <> $4";
        self.run(org, sql, args![key(alert.subject), alert.kind, document.to_string()]).await.map(drop)
    }

    fn tell(&mut self, org: &OrgId, alert: Alert<'_>, kind: &str, document: &Value, now: Instant) {
        let mut document = document.clone();
        if let Some(fields) = document.as_object_mut() {
            fields.insert("incident".to_owned(), alert.kind.into());
        }
        let (kind, subject) = (kind.to_owned(), alert.subject.to_owned());
        self.log_event(org, NewEvent { at: now, kind, subject, document: document.to_string() });
    }

    /// Opens an incident, unless one of this kind is open for its subject: then that one is returned, and
    /// `false`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn open_incident(
        &mut self,
        org: &OrgId,
        incident: &Incident,
    ) -> Result<(Incident, bool), Error> {
        let Incident { id, charger, subject, kind, severity, opened_at, closed_at: _, document } =
            incident.clone();
        // Touching the one that is open gives it back, and holds it until the commit.
        let sql = format!(
            "INSERT INTO incident (org, id, charger, subject, kind, severity, opened_at, document) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
             ON CONFLICT (org, subject, kind) WHERE closed_at IS NULL DO UPDATE SET kind = excluded.kind RETURNING {}",
            Incident::COLUMNS
        );
        let values =
            args![id.clone(), key_of(charger.as_deref()), key(&subject), kind, severity, opened_at, document];
        let open: Option<Incident> = one(self.returning(org, &sql, values).await?.as_ref())?;
        let open = open.ok_or_else(|| Error::Corrupt("an incident was not opened".to_owned()))?;
        let new = open.id == id;
        Ok((open, new))
    }

    /// Closes the open incident of this subject and kind; the incident, if there was one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn close_incident(
        &mut self,
        org: &OrgId,
        subject: &str,
        kind: &str,
        at: Instant,
    ) -> Result<Option<Incident>, Error> {
        let sql = format!(
            "UPDATE incident SET closed_at = $4 WHERE org = $1 AND subject = $2 AND kind = $3 AND closed_at IS NULL RETURNING {}",
            Incident::COLUMNS
        );
        one(self.returning(org, &sql, args![key(subject), kind, at]).await?.as_ref())
    }

    /// Writes down what happened in an incident; its number.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn add_incident_event(
        &mut self,
        org: &OrgId,
        incident: &str,
        at: Instant,
        kind: &str,
        document: &str,
    ) -> Result<i64, Error> {
        let sql = "INSERT INTO incident_event (org, incident, seq, at, kind, document)
                   SELECT $1, $2, COALESCE(MAX(seq), 0) + 1, $3, $4, $5 FROM incident_event WHERE org = $1 AND incident = $2
                   RETURNING seq";
        let row = self.returning(org, sql, args![incident, at, kind, document]).await?;
        row.ok_or_else(|| Error::Corrupt("an incident gave no number".to_owned()))?.get(0)
    }
}

impl Reader {
    /// An incident.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn incident(&mut self, org: &OrgId, id: &str) -> Result<Option<Incident>, Error> {
        let sql = format!("SELECT {} FROM incident WHERE org = $1 AND id = $2", Incident::COLUMNS);
        one(self.row(org, &sql, args![id]).await?.as_ref())
    }

    /// Whether an incident is open.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn has_open_incident(&mut self, org: &OrgId, alert: Alert<'_>) -> Result<bool, Error> {
        let sql =
            "SELECT 1 FROM incident WHERE org = $1 AND subject = $2 AND kind = $3 AND closed_at IS NULL";
        Ok(self.row(org, sql, args![key(alert.subject), alert.kind]).await?.is_some())
    }

    /// All open incidents, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn open_incidents(&mut self, org: &OrgId) -> Result<Vec<Incident>, Error> {
        let sql = format!(
            "SELECT {} FROM incident WHERE org = $1 AND closed_at IS NULL ORDER BY opened_at, id",
            Incident::COLUMNS
        );
        all(&self.rows(org, &sql, args![]).await?)
    }

    /// Up to `limit` incidents behind `after` (opening time and id of the last one seen), newest first; of
    /// one charger when stated.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn incidents(
        &mut self,
        org: &OrgId,
        charger: Option<&str>,
        after: Option<(Instant, &str)>,
        limit: i64,
    ) -> Result<Vec<Incident>, Error> {
        self.incidents_with(org, "", charger, (after, limit)).await
    }

    /// The same of chargers alone.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn incidents_of_chargers(
        &mut self,
        org: &OrgId,
        charger: Option<&str>,
        after: Option<(Instant, &str)>,
        limit: i64,
    ) -> Result<Vec<Incident>, Error> {
        self.incidents_with(org, " AND charger IS NOT NULL", charger, (after, limit)).await
    }

    async fn incidents_with(
        &mut self,
        org: &OrgId,
        condition: &str,
        charger: Option<&str>,
        (after, limit): (Option<(Instant, &str)>, i64),
    ) -> Result<Vec<Incident>, Error> {
        let mut sql = format!("SELECT {} FROM incident WHERE org = $1{condition}", Incident::COLUMNS);
        let mut values = args![limit];
        if let Some(charger) = charger {
            sql.push_str(" AND charger = $3");
            values.extend(args![key(charger)]);
        }
        if let Some((at, id)) = after {
            sql.push_str(&format!(" AND (opened_at, id) < (${}, ${})", values.len() + 2, values.len() + 3));
            values.extend(args![at, id]);
        }
        sql.push_str(" ORDER BY opened_at DESC, id DESC LIMIT $2");
        all(&self.rows(org, &sql, values).await?)
    }

    /// What happened in an incident, in order.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn incident_events(
        &mut self,
        org: &OrgId,
        incident: &str,
    ) -> Result<Vec<IncidentEvent>, Error> {
        let sql = format!(
            "SELECT {} FROM incident_event WHERE org = $1 AND incident = $2 ORDER BY seq",
            IncidentEvent::COLUMNS
        );
        all(&self.rows(org, &sql, args![incident]).await?)
    }
}
