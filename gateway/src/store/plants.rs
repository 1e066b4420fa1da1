//! A site's plant in a month: what its meters saw when its cost price was worked out, and what cars took there meanwhile.

use super::error::Error;
use super::record::{OrgId, Record as _, all, key, one, record};
use super::sessions::Session;
use super::sql::{Reader, args, places};
use super::tx::Tx;
use takst_engine::running::LONGEST_SESSION_DAYS;
use takst_engine::units::{DAY_MS, Energy, Instant};

record! {
    /// What a cost price in force was worked out from.
    PlantMonth {
        /// The site.
        site: String,
        /// As in `2026-10`.
        month: String,
        /// The month begins then, on the site's clock.
        from_at: Instant,
        /// And ends then.
        to_at: Instant,
        /// What the site's meters saw in it.
        metered: Energy,
        /// When that was compared with what the sessions took.
        settled_at: Instant,
    }
}

// Sessions that were plugged in earlier have ended before.
fn earliest(from: Instant) -> Instant {
    Instant(from.0.saturating_sub(LONGEST_SESSION_DAYS.saturating_mul(DAY_MS)))
}

impl Tx {
    /// Writes down what a cost price was worked out from, in place of what stood there.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn put_plant_month(&mut self, org: &OrgId, month: &PlantMonth) -> Result<(), Error> {
        let sql = format!(
            "INSERT INTO plant_month (org, {}) VALUES ($1, {}) ON CONFLICT (org, site, month) DO UPDATE
             SET from_at = excluded.from_at, to_at = excluded.to_at, metered = excluded.metered, settled_at = excluded.settled_at",
            PlantMonth::COLUMNS,
            places(2, 6)
        );
        self.run(org, &sql, month.values()).await.map(drop)
    }

    /// Forgets it: the month has no cost price.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn drop_plant_month(&mut self, org: &OrgId, site: &str, month: &str) -> Result<(), Error> {
        let sql = "DELETE FROM plant_month WHERE org = $1 AND site = $2 AND month = $3";
        self.run(org, sql, args![site, month]).await.map(drop)
    }
}

impl Reader {
    /// What the cost price of a month was worked out from; none where it has none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn plant_month(
        &mut self,
        org: &OrgId,
        site: &str,
        month: &str,
    ) -> Result<Option<PlantMonth>, Error> {
        let sql = format!(
            "SELECT {} FROM plant_month WHERE org = $1 AND site = $2 AND month = $3",
            PlantMonth::COLUMNS
        );
        one(self.row(org, &sql, args![site, month]).await?.as_ref())
    }

    /// The same of the month around an instant.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn plant_month_at(
        &mut self,
        org: &OrgId,
        site: &str,
        at: Instant,
    ) -> Result<Option<PlantMonth>, Error> {
        let sql = format!(
            "SELECT {} FROM plant_month WHERE org = $1 AND site = $2 AND from_at <= $3 AND to_at > $3 ORDER BY month LIMIT 1",
            PlantMonth::COLUMNS
        );
        one(self.row(org, &sql, args![site, at]).await?.as_ref())
    }

    /// The energy of a site's sessions that lie in this time with their beginning and their end. What is held back or never billed does not
    /// count: its figures are in doubt.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn energy_within(
        &mut self,
        org: &OrgId,
        site: &str,
        (from, until): (Instant, Instant),
    ) -> Result<Energy, Error> {
        let sql =
            "SELECT CAST(COALESCE(SUM(energy), 0) AS BIGINT) FROM session_now WHERE org = $1 AND site = $2 AND plugged_in >= $3
             AND plugged_in < $4 AND unplugged <= $4 AND hold = 0 AND billing <> 'never'";
        let row = self.row(org, sql, args![key(site), from, until]).await?;
        row.ok_or_else(|| Error::Corrupt("a sum gave nothing".to_owned()))?.get(0)
    }

    /// A site's sessions that began before this time or ended after it and reach into it, or have told no end; without the same ones.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sessions_across(
        &mut self,
        org: &OrgId,
        site: &str,
        (from, until): (Instant, Instant),
    ) -> Result<Vec<Session>, Error> {
        let sql = format!(
            "SELECT {} FROM session_now WHERE org = $1 AND site = $2 AND plugged_in >= $5 AND plugged_in < $4
             AND (unplugged IS NULL OR unplugged > $4 OR (plugged_in < $3 AND unplugged > $3)) AND hold = 0 AND billing <> 'never'
             ORDER BY plugged_in, id",
            Session::COLUMNS
        );
        all(&self.rows(org, &sql, args![key(site), from, until, earliest(from)]).await?)
    }

    /// How many bills were made with a cost price of a site: those of sessions that ended in this time.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn bills_at_cost(
        &mut self,
        org: &OrgId,
        site: &str,
        (from, until): (Instant, Instant),
    ) -> Result<i64, Error> {
        // What a bill was made from names the feeds that its prices were taken from.
        let sql = "SELECT COUNT(*) FROM bill JOIN session ON session.org = bill.org AND session.id = bill.session
                   WHERE bill.org = $1 AND session.site = $2 AND session.plugged_in >= $5 AND session.plugged_in < $4
                   AND session.unplugged > $3 AND session.unplugged <= $4 AND bill.hashes LIKE '%\"feed\":\"cost price%'";
        let row = self.row(org, sql, args![key(site), from, until, earliest(from)]).await?;
        row.ok_or_else(|| Error::Corrupt("a count gave nothing".to_owned()))?.get(0)
    }
}
