//! Reminders of bills that are not paid.

use super::error::Error;
use super::record::{OrgId, Record as _, all, one, record};
use super::sql::{Reader, args, places};
use super::tx::Tx;
use takst_engine::units::Instant;

record! {
    /// What a debtor was reminded of.
    Reminder {
        /// [`super::new_id`].
        id: String,
        /// The part of the link that nobody can guess.
        token: String,
        /// Who owes it.
        debtor: String,
        /// JSON: the ids of the bills.
        bills: String,
        /// The language of message and page, as in `nb`.
        language: String,
        /// When it was made.
        created_at: Instant,
        /// By whom.
        created_by: String,
        /// Since when its link leads nowhere any more.
        cancelled_at: Option<Instant>,
    }
}

impl Reminder {
    /// The ids of its bills.
    ///
    /// # Errors
    /// When they are not as they were written.
    pub fn bill_ids(&self) -> Result<Vec<String>, Error> {
        let corrupt = |error| Error::Corrupt(format!("the bills of the reminder {}: {error}", self.id));
        serde_json::from_str(&self.bills).map_err(corrupt)
    }
}

impl Tx {
    /// Writes a reminder down.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn add_reminder(&mut self, org: &OrgId, reminder: &Reminder) -> Result<(), Error> {
        let sql = format!("INSERT INTO reminder (org, {}) VALUES ($1, {})", Reminder::COLUMNS, places(2, 8));
        self.run(org, &sql, reminder.values()).await.map(drop)
    }

    /// Takes a reminder back. Whether it was good until now.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn cancel_reminder(&mut self, org: &OrgId, id: &str, now: Instant) -> Result<bool, Error> {
        let sql = "UPDATE reminder SET cancelled_at = $3 WHERE org = $1 AND id = $2 AND cancelled_at IS NULL";
        Ok(self.run(org, sql, args![id, now]).await? == 1)
    }
}

impl Reader {
    /// A reminder.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn reminder(&mut self, org: &OrgId, id: &str) -> Result<Option<Reminder>, Error> {
        let sql = format!("SELECT {} FROM reminder WHERE org = $1 AND id = $2", Reminder::COLUMNS);
        one(self.row(org, &sql, args![id]).await?.as_ref())
    }

    /// The reminder of a link.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn reminder_of(&mut self, org: &OrgId, token: &str) -> Result<Option<Reminder>, Error> {
        let sql = format!("SELECT {} FROM reminder WHERE org = $1 AND token = $2", Reminder::COLUMNS);
        one(self.row(org, &sql, args![token]).await?.as_ref())
    }

    /// Up to `limit` reminders behind `after` (time and id of the last one seen), newest first; of one debtor when stated.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn reminders(
        &mut self,
        org: &OrgId,
        debtor: Option<&str>,
        after: Option<(Instant, &str)>,
        limit: i64,
    ) -> Result<Vec<Reminder>, Error> {
        let mut sql = format!("SELECT {} FROM reminder WHERE org = $1", Reminder::COLUMNS);
        let mut values = args![limit];
        if let Some(debtor) = debtor {
            sql.push_str(" AND debtor = $3");
            values.extend(args![debtor]);
        }
        if let Some((at, id)) = after {
            sql.push_str(&format!(" AND (created_at, id) < (${}, ${})", values.len() + 2, values.len() + 3));
            values.extend(args![at, id]);
        }
        sql.push_str(" ORDER BY created_at DESC, id DESC LIMIT $2");
        all(&self.rows(org, &sql, values).await?)
    }
}
