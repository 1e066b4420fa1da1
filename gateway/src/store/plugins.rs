//! What plugins keep: names and values, each plugin its own. And what was told at their addresses.

use super::error::Error;
use super::record::{OrgId, hex, key};
use super::sql::{Reader, args};
use super::tx::Tx;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use sha2::{Digest as _, Sha256};
use takst_engine::units::Instant;

impl Tx {
    /// Keeps a value under a name of a plugin, in place of the one before; with none, the name goes.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn put_plugin_value(
        &mut self,
        org: &OrgId,
        plugin: &str,
        name: &str,
        value: Option<&[u8]>,
    ) -> Result<(), Error> {
        let (plugin, hex_name) = (key(plugin), hex(name.as_bytes()));
        let Some(value) = value else {
            let sql = "DELETE FROM plugin_value WHERE org = $1 AND plugin = $2 AND name = $3";
            return self.run(org, sql, args![plugin, hex_name]).await.map(drop);
        };
        let size = i64::try_from(name.len().saturating_add(value.len())).unwrap_or(i64::MAX);
        let sql = "INSERT INTO plugin_value (org, plugin, name, value, size) VALUES ($1, $2, $3, $4, $5)
                   ON CONFLICT (org, plugin, name) DO UPDATE SET value = excluded.value, size = excluded.size";
        self.run(org, sql, args![plugin, hex_name, BASE64.encode(value), size]).await.map(drop)
    }

    /// Notes an event that was told at a plugin's address, by the other side's name for it. Whether it is new.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn note_plugin_event(
        &mut self,
        org: &OrgId,
        plugin: &str,
        event: &str,
        now: Instant,
    ) -> Result<bool, Error> {
        let sql = "INSERT INTO plugin_event (org, plugin, id, at) VALUES ($1, $2, $3, $4) ON CONFLICT (org, plugin, id) DO NOTHING";
        Ok(self.run(org, sql, args![key(plugin), event_key(event), now]).await? == 1)
    }
}

impl Reader {
    /// Whether an event was noted: [`Tx::note_plugin_event`].
    ///
    /// # Errors
    /// When the database fails.
    pub async fn has_plugin_event(&mut self, org: &OrgId, plugin: &str, event: &str) -> Result<bool, Error> {
        let sql = "SELECT 1 FROM plugin_event WHERE org = $1 AND plugin = $2 AND id = $3";
        Ok(self.row(org, sql, args![key(plugin), event_key(event)]).await?.is_some())
    }

    /// The value of a name of a plugin.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn plugin_value(
        &mut self,
        org: &OrgId,
        plugin: &str,
        name: &str,
    ) -> Result<Option<Vec<u8>>, Error> {
        let sql = "SELECT value FROM plugin_value WHERE org = $1 AND plugin = $2 AND name = $3";
        let row = self.row(org, sql, args![key(plugin), hex(name.as_bytes())]).await?;
        let Some(row) = row else { return Ok(None) };
        let bytes = BASE64.decode(row.get::<String>(0)?);
        bytes.map(Some).map_err(|error| Error::Corrupt(format!("a value of plugin `{plugin}`: {error}")))
    }

    /// The names of a plugin that begin so and come behind `after`, in order of their bytes, up to `most`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn plugin_names(
        &mut self,
        org: &OrgId,
        plugin: &str,
        (prefix, after): (&str, Option<&str>),
        most: i64,
    ) -> Result<Vec<String>, Error> {
        let from = hex(prefix.as_bytes());
        // Behind every digit.
        let until = format!("{from}g");
        let after = after.map(|name| hex(name.as_bytes())).unwrap_or_default();
        let sql = "SELECT name FROM plugin_value WHERE org = $1 AND plugin = $2 AND name >= $3 AND name < $4 AND name > $5
                   ORDER BY name LIMIT $6";
        let rows = self.rows(org, sql, args![key(plugin), from, until, after, most]).await?;
        rows.iter().map(|row| text(&row.get::<String>(0)?)).collect()
    }

    /// Bytes of all names and values of a plugin.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn plugin_size(&mut self, org: &OrgId, plugin: &str) -> Result<i64, Error> {
        let sql =
            "SELECT CAST(COALESCE(SUM(size), 0) AS BIGINT) FROM plugin_value WHERE org = $1 AND plugin = $2";
        let row = self.row(org, sql, args![key(plugin)]).await?;
        row.map_or(Ok(0), |row| row.get(0))
    }
}

// However long a name is, and whatever is in it.
fn event_key(event: &str) -> String {
    hex(&Sha256::digest(event.as_bytes()))
}

// A name from its hex digits.
fn text(digits: &str) -> Result<String, Error> {
    let wrong = || Error::Corrupt(format!("`{digits}` is no name that a plugin keeps something under"));
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    let nibble = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    let byte = |[high, low]: &[u8; 2]| Some(nibble(*high)? << 4 | nibble(*low)?);
    let bytes: Option<Vec<u8>> = pairs.iter().map(byte).collect();
    let bytes = bytes.filter(|_| rest.is_empty()).ok_or_else(wrong)?;
    String::from_utf8(bytes).map_err(|_| wrong())
}
