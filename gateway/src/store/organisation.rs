//! Organisations, applied set-ups, versions of tariffs, keys of the API, and the audit log.

use super::error::Error;
use super::record::{OrgId, Record as _, all, key, one, record};
use super::sql::{Reader, args, places};
use super::tx::Tx;
use takst_engine::units::Instant;

record! {
    /// A set-up document that was put in force.
    SetupVersion {
        /// 1, 2, 3, ... in the order of application.
        seq: i64,
        /// Of the document.
        hash: String,
        /// JSON.
        document: String,
        /// When.
        applied_at: Instant,
        /// Who: an API key, `files`, ...
        applied_by: String,
    }
}

record! {
    /// A version of a tariff, with the time from which it counts.
    TariffVersion {
        /// The name it is assigned by.
        name: String,
        /// SHA-256 of the compiled tariff.
        version: String,
        /// Its source files as JSON, from which it can be compiled again.
        bundle: String,
        /// From when.
        in_force_from: Instant,
        /// When it was added.
        added_at: Instant,
        /// Who added it.
        added_by: String,
    }
}

record! {
    /// A key of the API.
    ApiKey {
        /// The public half.
        id: String,
        /// For people.
        name: String,
        /// What it may do.
        role: String,
        /// argon2 of the secret half.
        hash: String,
        /// When it was made.
        created_at: Instant,
        /// By whom.
        created_by: String,
        /// When it last opened a door.
        last_used_at: Option<Instant>,
        /// Since when it is worth nothing.
        revoked_at: Option<Instant>,
    }
}

record! {
    /// Who changed what.
    AuditEntry {
        /// [`super::new_id`]: sorts by time.
        id: String,
        /// When.
        at: Instant,
        /// An API key, a charger, `files`, ...
        who: String,
        /// `tariff.add`, `session.release`, ...
        what: String,
        /// The id of what was changed.
        subject: String,
        /// JSON of the state before. Never names, addresses or numbers of people: these must be erasable.
        before_doc: Option<String>,
        /// JSON of the state after; the same holds.
        after_doc: Option<String>,
    }
}

impl Tx {
    /// Writes what stands there already, to see whether anything can be written.
    pub(super) async fn touch(&mut self) -> Result<(), Error> {
        let Some(org) = self.orgs().await?.into_iter().next() else { return Ok(()) };
        self.run(&org, "UPDATE org SET name = name WHERE org = $1", args![]).await.map(drop)
    }

    /// Makes an organisation; does nothing when it is there. Whether it is new.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn add_org(&mut self, org: &OrgId, name: &str, at: Instant) -> Result<bool, Error> {
        let sql = "INSERT INTO org (org, name, created_at) VALUES ($1, $2, $3) ON CONFLICT (org) DO NOTHING";
        Ok(self.run(org, sql, args![name, at]).await? == 1)
    }

    /// Keeps a set-up that was put in force; its number.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn add_setup(
        &mut self,
        org: &OrgId,
        hash: &str,
        document: &str,
        at: Instant,
        by: &str,
    ) -> Result<i64, Error> {
        let seq = self.advance(org, "setup", 1).await?;
        let sql = "INSERT INTO setup_version (org, seq, hash, document, applied_at, applied_by) VALUES ($1, $2, $3, $4, $5, $6)";
        self.run(org, sql, args![seq, hash, document, at, by]).await?;
        Ok(seq)
    }

    /// Keeps a version of a tariff; does nothing when the same one is in force from the same time. Whether it
    /// is new.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn add_tariff(&mut self, org: &OrgId, tariff: &TariffVersion) -> Result<bool, Error> {
        let sql = format!(
            "INSERT INTO tariff_version (org, {}) VALUES ($1, {}) ON CONFLICT (org, name, in_force_from, version) DO NOTHING",
            TariffVersion::COLUMNS,
            places(2, 6)
        );
        Ok(self.run(org, &sql, tariff.values()).await? == 1)
    }

    /// Keeps a key of the API.
    ///
    /// # Errors
    /// [`Error::Conflict`] when there is one with that id.
    pub async fn add_api_key(&mut self, org: &OrgId, api_key: &ApiKey) -> Result<(), Error> {
        let sql = format!("INSERT INTO api_key (org, {}) VALUES ($1, {})", ApiKey::COLUMNS, places(2, 8));
        self.run(org, &sql, api_key.values()).await.map(drop)
    }

    /// Makes a key worthless; one that is so already stays as it is.
    ///
    /// # Errors
    /// [`Error::Missing`].
    pub async fn revoke_api_key(&mut self, org: &OrgId, id: &str, at: Instant) -> Result<(), Error> {
        let sql = "UPDATE api_key SET revoked_at = COALESCE(revoked_at, $3) WHERE org = $1 AND id = $2";
        self.must(org, ("API key", id), sql, args![id, at]).await
    }

    /// Notes that a key was used.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn api_key_used(&mut self, org: &OrgId, id: &str, at: Instant) -> Result<(), Error> {
        let sql = "UPDATE api_key SET last_used_at = $3 WHERE org = $1 AND id = $2";
        self.run(org, sql, args![id, at]).await.map(drop)
    }

    /// Writes into the audit log.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn audit(&mut self, org: &OrgId, entry: &AuditEntry) -> Result<(), Error> {
        let mut entry = entry.clone();
        entry.subject = key(&entry.subject);
        let sql = format!("INSERT INTO audit (org, {}) VALUES ($1, {})", AuditEntry::COLUMNS, places(2, 7));
        self.run(org, &sql, entry.values()).await.map(drop)
    }
}

impl Reader {
    /// All organisations. With [`Reader::charger_orgs`] the only look-up that is not inside one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn orgs(&mut self) -> Result<Vec<OrgId>, Error> {
        let rows = self.door("SELECT org FROM org ORDER BY org", args![]).await?;
        rows.iter().map(|row| row.get::<String>(0).map(OrgId::new)).collect()
    }

    /// The name of the organisation, if it is there.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn org_name(&mut self, org: &OrgId) -> Result<Option<String>, Error> {
        let row = self.row(org, "SELECT name FROM org WHERE org = $1", args![]).await?;
        row.map(|row| row.get(0)).transpose()
    }

    /// The set-up in force.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn current_setup(&mut self, org: &OrgId) -> Result<Option<SetupVersion>, Error> {
        Ok(self.setups(org, i64::MAX, 1).await?.pop())
    }

    /// Up to `limit` set-ups before the one numbered `before`, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn setups(&mut self, org: &OrgId, before: i64, limit: i64) -> Result<Vec<SetupVersion>, Error> {
        let sql = "SELECT seq, hash, document, applied_at, applied_by FROM setup_version
                   WHERE org = $1 AND seq < $2 ORDER BY seq DESC LIMIT $3";
        all(&self.rows(org, sql, args![before, limit]).await?)
    }

    /// The version of a tariff in force at `at`. Of two from the same time the later added one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn tariff_at(
        &mut self,
        org: &OrgId,
        name: &str,
        at: Instant,
    ) -> Result<Option<TariffVersion>, Error> {
        let sql = format!(
            "SELECT {} FROM tariff_version WHERE org = $1 AND name = $2 AND in_force_from <= $3
             ORDER BY in_force_from DESC, added_at DESC, version DESC LIMIT 1",
            TariffVersion::COLUMNS
        );
        one(self.row(org, &sql, args![name, at]).await?.as_ref())
    }

    /// A tariff by its hash.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn tariff(&mut self, org: &OrgId, version: &str) -> Result<Option<TariffVersion>, Error> {
        let sql = format!(
            "SELECT {} FROM tariff_version WHERE org = $1 AND version = $2 ORDER BY added_at LIMIT 1",
            TariffVersion::COLUMNS
        );
        one(self.row(org, &sql, args![version]).await?.as_ref())
    }

    /// All versions of all tariffs, by name and time.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn tariffs(&mut self, org: &OrgId) -> Result<Vec<TariffVersion>, Error> {
        let sql = format!(
            "SELECT {} FROM tariff_version WHERE org = $1 ORDER BY name, in_force_from, added_at, version",
            TariffVersion::COLUMNS
        );
        all(&self.rows(org, &sql, args![]).await?)
    }

    /// A key of the API, revoked ones too.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn api_key(&mut self, org: &OrgId, id: &str) -> Result<Option<ApiKey>, Error> {
        let sql = format!("SELECT {} FROM api_key WHERE org = $1 AND id = $2", ApiKey::COLUMNS);
        one(self.row(org, &sql, args![id]).await?.as_ref())
    }

    /// All keys of the API, in the order they were made.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn api_keys(&mut self, org: &OrgId) -> Result<Vec<ApiKey>, Error> {
        let sql = format!("SELECT {} FROM api_key WHERE org = $1 ORDER BY created_at, id", ApiKey::COLUMNS);
        all(&self.rows(org, &sql, args![]).await?)
    }

    /// Up to `limit` entries of the audit log before the entry `before`, newest first; of one subject when
    /// stated.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn audit_log(
        &mut self,
        org: &OrgId,
        subject: Option<&str>,
        before: Option<&str>,
        limit: i64,
    ) -> Result<Vec<AuditEntry>, Error> {
        let mut sql = format!("SELECT {} FROM audit WHERE org = $1 AND id < $2", AuditEntry::COLUMNS);
        // Ids are hexadecimal: `g` is behind them all.
        let mut values = args![before.unwrap_or("g"), limit];
        if let Some(subject) = subject {
            sql.push_str(" AND subject = $4");
            values.extend(args![key(subject)]);
        }
        sql.push_str(" ORDER BY id DESC LIMIT $3");
        all(&self.rows(org, &sql, values).await?)
    }
}
