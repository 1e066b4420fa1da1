//! What chargers have been told of the set-up, so that they are told again only when it changes.

use super::error::Error;
use super::record::{OrgId, key};
use super::sql::{Reader, args};
use super::tx::Tx;
use std::collections::HashMap;
use takst_engine::units::Instant;

impl Tx {
    /// Notes what a charger has been told.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn put_told(
        &mut self,
        org: &OrgId,
        charger: &str,
        hash: &str,
        at: Instant,
    ) -> Result<(), Error> {
        let sql = "INSERT INTO charger_told (org, charger, hash, at) VALUES ($1, $2, $3, $4)
                   ON CONFLICT (org, charger) DO UPDATE SET hash = excluded.hash, at = excluded.at";
        self.run(org, sql, args![key(charger), hash, at]).await.map(drop)
    }

    /// A charger may have forgotten what it was told: it has booted.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_told(&mut self, org: &OrgId, charger: &str) -> Result<(), Error> {
        let sql = "DELETE FROM charger_told WHERE org = $1 AND charger = $2";
        self.run(org, sql, args![key(charger)]).await.map(drop)
    }
}

impl Reader {
    /// What each charger has been told.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn told(&mut self, org: &OrgId) -> Result<HashMap<String, String>, Error> {
        let rows = self.rows(org, "SELECT charger, hash FROM charger_told WHERE org = $1", args![]).await?;
        rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
    }

    /// The connected chargers that have got a certificate of their own from us.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn certified_chargers(&mut self, org: &OrgId) -> Result<Vec<String>, Error> {
        let sql =
            "SELECT id FROM charger WHERE org = $1 AND registration = 'accepted' AND connected_at IS NOT NULL
                   AND profile LIKE '%\"certificate\":{%' ORDER BY id";
        let rows = self.rows(org, sql, args![]).await?;
        rows.iter().map(|row| row.get(0)).collect()
    }

    /// The chargers that can be told a tariff: connected over OCPP 2.1, and accepted.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn tariff_pupils(&mut self, org: &OrgId) -> Result<Vec<String>, Error> {
        let sql =
            "SELECT id FROM charger WHERE org = $1 AND registration = 'accepted' AND protocol = 'ocpp2.1'
                   AND connected_at IS NOT NULL ORDER BY id";
        let rows = self.rows(org, sql, args![]).await?;
        rows.iter().map(|row| row.get(0)).collect()
    }
}
