//! Previews of bills that wait for a price.

use super::error::Error;
use super::record::{OrgId, Record as _, one, record};
use super::sessions::Billing;
use super::sql::{Reader, args};
use super::tx::Tx;
use takst_engine::units::Instant;

record! {
    /// The bill of a session as far as it can be worked out.
    Preview {
        /// The session.
        session: String,
        /// JSON: a bill of kind `preview`.
        document: String,
        /// When it was worked out.
        updated_at: Instant,
    }
}

/// A price feed that a preview waits for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WaitingFor {
    /// `spot`, ...
    pub feed: String,
    /// Price area; empty when the feed has none.
    pub area: String,
    /// The prices are needed up to this time.
    pub until: Instant,
}

impl Tx {
    /// Keeps the preview of a session that waits for `waiting`, in place of an earlier one, and marks the
    /// session as pending.
    ///
    /// # Errors
    /// [`Error::Missing`] when there is no such session.
    pub async fn put_preview(
        &mut self,
        org: &OrgId,
        preview: &Preview,
        waiting: &[WaitingFor],
    ) -> Result<(), Error> {
        let Preview { session, document, updated_at } = preview;
        self.drop_preview(org, session).await?;
        let sql = "INSERT INTO preview (org, session, document, updated_at) VALUES ($1, $2, $3, $4)";
        self.run(org, sql, args![session.as_str(), document.as_str(), *updated_at]).await?;
        let sql = "INSERT INTO preview_wait (org, session, feed, area, until_at) VALUES ($1, $2, $3, $4, $5)
                   ON CONFLICT (org, session, feed, area) DO UPDATE SET until_at =
                   CASE WHEN excluded.until_at > preview_wait.until_at THEN excluded.until_at ELSE preview_wait.until_at END";
        for WaitingFor { feed, area, until } in waiting {
            self.run(org, sql, args![session.as_str(), feed.as_str(), area.as_str(), *until]).await?;
        }
        self.set_billing(org, session, Billing::Pending).await
    }

    /// Forgets the preview of a session.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn drop_preview(&mut self, org: &OrgId, session: &str) -> Result<(), Error> {
        self.run(org, "DELETE FROM preview_wait WHERE org = $1 AND session = $2", args![session]).await?;
        self.run(org, "DELETE FROM preview WHERE org = $1 AND session = $2", args![session]).await.map(drop)
    }
}

impl Tx {
    /// Lets the sessions be billed whose previews wait for prices of this feed and area up to `until` or less; how many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn wake_previews(
        &mut self,
        org: &OrgId,
        (feed, area): (&str, &str),
        until: Instant,
    ) -> Result<u64, Error> {
        // Only those that wait: whoever holds the row of another one is about to look at the prices himself.
        let sql = "UPDATE session SET billing = $5 WHERE org = $1 AND billing = $6 AND id IN
                   (SELECT session FROM preview_wait WHERE org = $1 AND feed = $2 AND area = $3 AND until_at <= $4)";
        self.run(org, sql, args![feed, area, until, Billing::Due, Billing::Pending]).await
    }
}

impl Reader {
    /// The preview of a session.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn preview(&mut self, org: &OrgId, session: &str) -> Result<Option<Preview>, Error> {
        let sql = format!("SELECT {} FROM preview WHERE org = $1 AND session = $2", Preview::COLUMNS);
        one(self.row(org, &sql, args![session]).await?.as_ref())
    }

    /// What the preview of a session waits for.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn preview_waits(&mut self, org: &OrgId, session: &str) -> Result<Vec<WaitingFor>, Error> {
        let sql = "SELECT feed, area, until_at FROM preview_wait WHERE org = $1 AND session = $2 ORDER BY feed, area";
        let rows = self.rows(org, sql, args![session]).await?;
        rows.iter()
            .map(|row| Ok(WaitingFor { feed: row.get(0)?, area: row.get(1)?, until: row.get(2)? }))
            .collect()
    }

    /// The feeds that previews wait for, each with the earliest time that is needed: what an alert about a
    /// late feed is made of.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn awaited_feeds(&mut self, org: &OrgId) -> Result<Vec<WaitingFor>, Error> {
        let sql = "SELECT feed, area, MIN(until_at) FROM preview_wait WHERE org = $1 GROUP BY feed, area ORDER BY feed, area";
        let rows = self.rows(org, sql, args![]).await?;
        rows.iter()
            .map(|row| Ok(WaitingFor { feed: row.get(0)?, area: row.get(1)?, until: row.get(2)? }))
            .collect()
    }
}
