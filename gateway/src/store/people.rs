//! Drivers (keys), their tokens, and the one place where personal data stands.

use super::error::Error;
use super::record::{OrgId, Record as _, all, key, key_of, one, record};
use super::sql::{Reader, args};
use super::tx::Tx;
use std::collections::HashSet;
use takst_engine::units::Instant;

record! {
    /// A driver: a key that sessions and bills name.
    Driver {
        /// The key; it says nothing about the person.
        id: String,
        /// `active`, `blocked`, ...
        status: String,
        /// JSON list of groups.
        groups_doc: String,
        /// JSON, without personal data.
        document: String,
        /// When he was added.
        created_at: Instant,
        /// When he was last changed.
        updated_at: Instant,
    }
}

record! {
    /// Who a driver is. Can be erased without touching anything else.
    Person {
        /// The driver's key.
        driver: String,
        /// Name.
        name: Option<String>,
        /// E-mail address.
        email: Option<String>,
        /// Telephone number.
        phone: Option<String>,
        /// JSON: address, language, ...
        document: String,
        /// When it was last changed.
        updated_at: Instant,
    }
}

record! {
    /// A card, an app, a contract: what a driver identifies himself with.
    Token {
        /// As it is printed or was first sent. Letters in either case are the same token.
        uid: String,
        /// `rfid`, `app`, `contract`, ...
        kind: String,
        /// The parent token that it shares sessions with.
        parent: Option<String>,
        /// `accepted`, `blocked`, ...
        status: String,
        /// Worth nothing from this time on.
        expires_at: Option<Instant>,
        /// Whose it is.
        driver: Option<String>,
        /// `direct`, `roaming`, `ad-hoc`.
        contract: Option<String>,
        /// JSON list of groups.
        groups_doc: String,
        /// JSON.
        document: String,
        /// When it was last changed.
        updated_at: Instant,
    }
}

/// Tokens are compared without regard to case.
fn uid_key(uid: &str) -> String {
    key(&uid.to_lowercase())
}

impl Tx {
    /// Writes a driver, new or not.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn put_driver(&mut self, org: &OrgId, driver: &Driver) -> Result<(), Error> {
        let Driver { id, status, groups_doc, document, created_at, updated_at } = driver.clone();
        let sql = "INSERT INTO driver (org, id, status, groups_doc, document, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
                   ON CONFLICT (org, id) DO UPDATE SET status = excluded.status, groups_doc = excluded.groups_doc,
                   document = excluded.document, updated_at = excluded.updated_at";
        self.run(org, sql, args![key(&id), status, groups_doc, document, created_at, updated_at])
            .await
            .map(drop)
    }

    /// Writes who a driver is, new or not.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn put_person(&mut self, org: &OrgId, person: &Person) -> Result<(), Error> {
        let Person { driver, name, email, phone, document, updated_at } = person.clone();
        let sql = "INSERT INTO person (org, driver, name, email, phone, document, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
                   ON CONFLICT (org, driver) DO UPDATE SET name = excluded.name, email = excluded.email, phone = excluded.phone,
                   document = excluded.document, updated_at = excluded.updated_at";
        self.run(org, sql, args![key(&driver), name, email, phone, document, updated_at]).await.map(drop)
    }

    /// Erases who a driver is. Sessions and bills keep the key. Whether there was anything.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn erase_person(&mut self, org: &OrgId, driver: &str) -> Result<bool, Error> {
        let sql = "DELETE FROM person WHERE org = $1 AND driver = $2";
        Ok(self.run(org, sql, args![key(driver)]).await? == 1)
    }

    /// Erases who all other drivers are; the keys of those who were erased.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn erase_people_but(&mut self, org: &OrgId, drivers: &[&str]) -> Result<Vec<String>, Error> {
        let keep: HashSet<String> = drivers.iter().map(|driver| key(driver)).collect();
        let rows =
            self.rows(org, "SELECT driver FROM person WHERE org = $1 ORDER BY driver", args![]).await?;
        let mut erased = Vec::new();
        for row in rows {
            let driver: String = row.get(0)?;
            if !keep.contains(&driver) && self.erase_person(org, &driver).await? {
                erased.push(driver);
            }
        }
        Ok(erased)
    }

    /// Writes a token, new or not.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn put_token(&mut self, org: &OrgId, token: &Token) -> Result<(), Error> {
        let mut token = token.clone();
        token.driver = key_of(token.driver.as_deref());
        let mut values = args![uid_key(&token.uid)];
        values.extend(token.values());
        let sql = format!(
            "INSERT INTO token (org, uid_key, {}) VALUES ($1, {}) ON CONFLICT (org, uid_key) DO UPDATE SET kind = excluded.kind,
             parent = excluded.parent, status = excluded.status, expires_at = excluded.expires_at, driver = excluded.driver,
             contract = excluded.contract, groups_doc = excluded.groups_doc, document = excluded.document, updated_at = excluded.updated_at",
            Token::COLUMNS,
            super::sql::places(2, values.len())
        );
        self.run(org, &sql, values).await.map(drop)
    }

    /// Takes a token away. Whether there was one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn remove_token(&mut self, org: &OrgId, uid: &str) -> Result<bool, Error> {
        let sql = "DELETE FROM token WHERE org = $1 AND uid_key = $2";
        Ok(self.run(org, sql, args![uid_key(uid)]).await? == 1)
    }
}

impl Reader {
    /// A driver.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn driver(&mut self, org: &OrgId, id: &str) -> Result<Option<Driver>, Error> {
        let sql = format!("SELECT {} FROM driver WHERE org = $1 AND id = $2", Driver::COLUMNS);
        one(self.row(org, &sql, args![key(id)]).await?.as_ref())
    }

    /// Up to `limit` drivers after the one called `after`, by key.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn drivers(
        &mut self,
        org: &OrgId,
        after: Option<&str>,
        limit: i64,
    ) -> Result<Vec<Driver>, Error> {
        let sql =
            format!("SELECT {} FROM driver WHERE org = $1 AND id > $2 ORDER BY id LIMIT $3", Driver::COLUMNS);
        all(&self.rows(org, &sql, args![after.unwrap_or_default(), limit]).await?)
    }

    /// The drivers with a telephone number, and the numbers as they were written.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn phones(&mut self, org: &OrgId) -> Result<Vec<(String, String)>, Error> {
        let sql = "SELECT driver, phone FROM person WHERE org = $1 AND phone IS NOT NULL ORDER BY driver";
        self.rows(org, sql, args![]).await?.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect()
    }

    /// Who a driver is, as long as it is known.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn person(&mut self, org: &OrgId, driver: &str) -> Result<Option<Person>, Error> {
        let sql = format!("SELECT {} FROM person WHERE org = $1 AND driver = $2", Person::COLUMNS);
        one(self.row(org, &sql, args![key(driver)]).await?.as_ref())
    }

    /// A token, letters in either case.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn token(&mut self, org: &OrgId, uid: &str) -> Result<Option<Token>, Error> {
        let sql = format!("SELECT {} FROM token WHERE org = $1 AND uid_key = $2", Token::COLUMNS);
        one(self.row(org, &sql, args![uid_key(uid)]).await?.as_ref())
    }

    /// Up to `limit` tokens after the one called `after`, by uid.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn tokens(
        &mut self,
        org: &OrgId,
        after: Option<&str>,
        limit: i64,
    ) -> Result<Vec<Token>, Error> {
        let sql = format!(
            "SELECT {} FROM token WHERE org = $1 AND uid_key > $2 ORDER BY uid_key LIMIT $3",
            Token::COLUMNS
        );
        all(&self.rows(org, &sql, args![after.map(uid_key).unwrap_or_default(), limit]).await?)
    }

    /// The tokens of a driver.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn driver_tokens(&mut self, org: &OrgId, driver: &str) -> Result<Vec<Token>, Error> {
        let sql =
            format!("SELECT {} FROM token WHERE org = $1 AND driver = $2 ORDER BY uid_key", Token::COLUMNS);
        all(&self.rows(org, &sql, args![key(driver)]).await?)
    }
}
