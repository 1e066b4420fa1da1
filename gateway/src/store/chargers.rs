//! Chargers, their connectors, what they report about themselves, and their local lists.

use super::ahead::{parts, tuples};
use super::error::Error;
use super::record::{OrgId, Record as _, all, key, one, record, words};
use super::sql::{Reader, args};
use super::tx::Tx;
use std::collections::BTreeMap;
use takst_engine::units::Instant;

words! {
    /// Whether a charger may work with us.
    Registration {
        /// Known by its name only; somebody must decide.
        Pending = "pending",
        /// Yes.
        Accepted = "accepted",
        /// No.
        Rejected = "rejected",
    }
}

record! {
    /// A charger as it is known now.
    Charger {
        /// Its identity in the address it connects to.
        id: String,
        /// Whether it may work with us.
        registration: Registration,
        /// `ocpp1.6`, `ocpp2.0.1`, `ocpp2.1`.
        protocol: Option<String>,
        /// From its last boot.
        vendor: Option<String>,
        /// From its last boot.
        model: Option<String>,
        /// From its last boot.
        serial: Option<String>,
        /// From its last boot.
        firmware: Option<String>,
        /// When it last booted (receipt).
        last_boot: Option<Instant>,
        /// When anything last came from it.
        last_seen: Option<Instant>,
        /// Its clock minus ours, in milliseconds.
        skew_ms: Option<i64>,
        /// JSON: what we have learnt about its ways.
        profile: Option<String>,
        /// The gateway node that holds its connection.
        node: Option<String>,
        /// That connection; none when it is offline.
        connection: Option<String>,
        /// Since when.
        connected_at: Option<Instant>,
        /// When it was first heard of.
        created_at: Instant,
    }
}

/// What a charger says of itself when it boots.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Boot {
    /// Maker.
    pub vendor: Option<String>,
    /// Model.
    pub model: Option<String>,
    /// Serial number.
    pub serial: Option<String>,
    /// Firmware version.
    pub firmware: Option<String>,
    /// Receipt.
    pub at: Instant,
}

record! {
    /// The last known state of a connector.
    ConnectorState {
        /// EVSE number; connector number in OCPP 1.6. 0 is the charger as a whole.
        evse: i64,
        /// Connector of the EVSE.
        connector: i64,
        /// As the domain names it.
        status: String,
        /// JSON: code, info and vendor code of a fault.
        error: Option<String>,
        /// Since when (station time).
        since: Instant,
        /// Receipt.
        received_at: Instant,
    }
}

record! {
    /// One attribute of one variable of the device model, as reported.
    StationVariable {
        /// Component with instance and EVSE, in a form of the caller's choice.
        component: String,
        /// Variable with instance.
        variable: String,
        /// `Actual`, `Target`, `MinSet`, `MaxSet`.
        attribute: String,
        /// As reported.
        value: Option<String>,
        /// JSON: mutability, characteristics.
        document: Option<String>,
        /// Receipt.
        reported_at: Instant,
    }
}

record! {
    /// The local list that a charger has been sent.
    LocalList {
        /// Its number.
        version: i64,
        /// `sent`, `accepted`, `failed`, ...
        status: String,
        /// JSON: what was sent.
        document: String,
        /// When.
        updated_at: Instant,
    }
}

impl Tx {
    /// Makes a charger if it is not there, with this registration; the charger as it stands then.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn add_charger(
        &mut self,
        org: &OrgId,
        charger: &str,
        registration: Registration,
        at: Instant,
    ) -> Result<Charger, Error> {
        let sql = "INSERT INTO charger (org, id, registration, created_at) VALUES ($1, $2, $3, $4) ON CONFLICT (org, id) DO NOTHING";
        self.run(org, sql, args![key(charger), registration, at]).await?;
        self.charger(org, charger).await?.ok_or_else(|| missing(charger))
    }

    /// Lets a charger in that waits to be accepted; whether it waited.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn accept_charger(&mut self, org: &OrgId, charger: &str) -> Result<bool, Error> {
        let sql = "UPDATE charger SET registration = 'accepted' WHERE org = $1 AND id = $2 AND registration = 'pending'";
        Ok(self.run(org, sql, args![key(charger)]).await? == 1)
    }

    /// Decides about a charger.
    ///
    /// # Errors
    /// [`Error::Missing`].
    pub async fn set_registration(
        &mut self,
        org: &OrgId,
        charger: &str,
        registration: Registration,
    ) -> Result<(), Error> {
        let sql = "UPDATE charger SET registration = $3 WHERE org = $1 AND id = $2";
        self.must(org, ("charger", charger), sql, args![key(charger), registration]).await
    }

    /// Notes what a charger said of itself. It is told the time: how wrong its clock was is over.
    ///
    /// # Errors
    /// [`Error::Missing`].
    pub async fn charger_booted(&mut self, org: &OrgId, charger: &str, boot: &Boot) -> Result<(), Error> {
        let Boot { vendor, model, serial, firmware, at } = boot.clone();
        let sql = "UPDATE charger SET vendor = $3, model = $4, serial = $5, firmware = $6, last_boot = $7, last_seen = $7, skew_ms = NULL
                   WHERE org = $1 AND id = $2";
        let values = args![key(charger), vendor, model, serial, firmware, at];
        self.must(org, ("charger", charger), sql, values).await
    }

    /// Notes when chargers were last heard. Never moves a time back; unknown chargers are left out.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn chargers_seen(&mut self, org: &OrgId, seen: &[(String, Instant)]) -> Result<(), Error> {
        let mut last: BTreeMap<String, Instant> = BTreeMap::new();
        for (charger, at) in seen {
            let known = last.entry(key(charger)).or_insert(*at);
            *known = (*at).max(*known);
        }
        for some in parts(last.into_iter().collect()) {
            let sql = format!(
                "UPDATE charger SET last_seen = news.column2 FROM (VALUES {}) AS news
                 WHERE charger.org = $1 AND charger.id = news.column1 AND (charger.last_seen IS NULL OR charger.last_seen < news.column2)",
                tuples(2, some.len(), 2)
            );
            self.run(org, &sql, some.into_iter().flat_map(|(charger, at)| args![charger, at]).collect())
                .await?;
        }
        Ok(())
    }

    /// Notes how far the clock of a charger is ahead of ours.
    ///
    /// # Errors
    /// [`Error::Missing`].
    pub async fn set_skew(&mut self, org: &OrgId, charger: &str, skew_ms: i64) -> Result<(), Error> {
        let sql = "UPDATE charger SET skew_ms = $3 WHERE org = $1 AND id = $2";
        self.must(org, ("charger", charger), sql, args![key(charger), skew_ms]).await
    }

    /// Keeps what was learnt about the ways of a charger (JSON).
    ///
    /// # Errors
    /// [`Error::Missing`].
    pub async fn set_profile(&mut self, org: &OrgId, charger: &str, profile: &str) -> Result<(), Error> {
        let sql = "UPDATE charger SET profile = $3 WHERE org = $1 AND id = $2";
        self.must(org, ("charger", charger), sql, args![key(charger), profile]).await
    }

    /// Notes that a connection of a charger came up. The newest wins.
    ///
    /// # Errors
    /// [`Error::Missing`].
    pub async fn charger_connected(
        &mut self,
        org: &OrgId,
        charger: &str,
        (node, connection): (&str, &str),
        protocol: &str,
        at: Instant,
    ) -> Result<(), Error> {
        let sql =
            "UPDATE charger SET node = $3, connection = $4, protocol = $5, connected_at = $6, last_seen = $6
                   WHERE org = $1 AND id = $2";
        self.must(org, ("charger", charger), sql, args![key(charger), node, connection, protocol, at]).await
    }

    /// Notes that a connection ended. Whether it was the one in use: the end of an older one changes nothing.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn charger_disconnected(
        &mut self,
        org: &OrgId,
        charger: &str,
        connection: &str,
    ) -> Result<bool, Error> {
        let sql = "UPDATE charger SET node = NULL, connection = NULL, connected_at = NULL
                   WHERE org = $1 AND id = $2 AND connection = $3";
        Ok(self.run(org, sql, args![key(charger), connection]).await? == 1)
    }

    /// Forgets the connections of a node that starts anew; how many there were.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn node_started(&mut self, org: &OrgId, node: &str) -> Result<u64, Error> {
        let sql = "UPDATE charger SET node = NULL, connection = NULL, connected_at = NULL WHERE org = $1 AND node = $2";
        self.run(org, sql, args![node]).await
    }

    /// Notes the state of a connector. What happened before the known state (by station time) changes
    /// nothing; whether this did.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn put_connector(
        &mut self,
        org: &OrgId,
        charger: &str,
        state: &ConnectorState,
    ) -> Result<bool, Error> {
        let ConnectorState { evse, connector, status, error, since, received_at } = state.clone();
        let sql = "INSERT INTO connector (org, charger, evse, connector, status, error, since, received_at)
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
                   ON CONFLICT (org, charger, evse, connector) DO UPDATE SET status = excluded.status, error = excluded.error,
                   since = excluded.since, received_at = excluded.received_at WHERE connector.since <= excluded.since";
        let values = args![key(charger), evse, connector, status, error, since, received_at];
        Ok(self.run(org, sql, values).await? == 1)
    }

    /// Keeps reported variables of the device model; a later report replaces an earlier one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn put_variables(
        &mut self,
        org: &OrgId,
        charger: &str,
        variables: &[StationVariable],
    ) -> Result<(), Error> {
        // One statement may not meet a row twice: the last report of each counts.
        let mut last = std::collections::BTreeMap::new();
        for variable in variables {
            let StationVariable { component, variable, attribute, value, document, reported_at } =
                variable.clone();
            let place = (key(&component), key(&variable), key(&attribute));
            last.insert(place, (value, document, reported_at));
        }
        let rows = last.into_iter().map(|((component, variable, attribute), (value, document, at))| {
            args![key(charger), component, variable, attribute, value, document, at]
        });
        let head = "INSERT INTO station_variable (org, charger, component, variable, attribute, value, document, reported_at)";
        let tail =
            "ON CONFLICT (org, charger, component, variable, attribute) DO UPDATE SET value = excluded.value,
                    document = excluded.document, reported_at = excluded.reported_at";
        self.insert_rows(org, head, rows.collect(), tail).await.map(drop)
    }

    /// Notes the local list that a charger was sent.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn put_local_list(
        &mut self,
        org: &OrgId,
        charger: &str,
        list: &LocalList,
    ) -> Result<(), Error> {
        let LocalList { version, status, document, updated_at } = list.clone();
        let sql = "INSERT INTO local_list (org, charger, version, status, document, updated_at) VALUES ($1, $2, $3, $4, $5, $6)
                   ON CONFLICT (org, charger) DO UPDATE SET version = excluded.version, status = excluded.status,
                   document = excluded.document, updated_at = excluded.updated_at";
        self.run(org, sql, args![key(charger), version, status, document, updated_at]).await.map(drop)
    }

    /// The next transaction number of the organisation, for OCPP 1.6, where the gateway gives it: from 1 on,
    /// never the same twice, with holes.
    ///
    /// # Errors
    /// [`Error::Refused`] after 2,147,483,647, the largest that OCPP knows.
    pub async fn next_transaction_id(&mut self, org: &OrgId) -> Result<i32, Error> {
        // A lane sets some aside, so that lanes do not wait for each other. What it has not used when it
        // stops is a hole.
        const SET_ASIDE: i64 = 32;
        let (next, end) = match self.blocks.get(org) {
            Some((next, end)) if next <= end => (*next, *end),
            _ => {
                let end = self.advance(org, "transaction", SET_ASIDE).await?;
                (end - SET_ASIDE + 1, end)
            }
        };
        self.blocks.insert(org.clone(), (next + 1, end));
        i32::try_from(next)
            .map_err(|_| Error::refused("all transaction numbers of this organisation are used up"))
    }
}

fn missing(charger: &str) -> Error {
    Error::Missing { what: "charger", id: charger.to_owned() }
}

impl Reader {
    /// The organisations that know a charger of this identity: a charger knocks with its identity alone. With
    /// [`Reader::orgs`] the only look-up that is not inside an organisation.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn charger_orgs(&mut self, charger: &str) -> Result<Vec<OrgId>, Error> {
        let rows =
            self.door("SELECT org FROM charger WHERE id = $1 ORDER BY org", args![key(charger)]).await?;
        rows.iter().map(|row| row.get::<String>(0).map(OrgId::new)).collect()
    }

    /// A charger.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn charger(&mut self, org: &OrgId, charger: &str) -> Result<Option<Charger>, Error> {
        let sql = format!("SELECT {} FROM charger WHERE org = $1 AND id = $2", Charger::COLUMNS);
        one(self.row(org, &sql, args![key(charger)]).await?.as_ref())
    }

    /// A charger by its name, letters in either case; where several are called so, the one that is written so, or the first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn charger_called(&mut self, org: &OrgId, name: &str) -> Result<Option<Charger>, Error> {
        if let Some(exact) = self.charger(org, name).await? {
            return Ok(Some(exact));
        }
        let sql = format!(
            "SELECT {} FROM charger WHERE org = $1 AND lower(id) = lower($2) ORDER BY lower(id), id LIMIT 1",
            Charger::COLUMNS
        );
        one(self.row(org, &sql, args![key(name)]).await?.as_ref())
    }

    /// Up to `limit` chargers after the one called `after`, by id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn chargers(
        &mut self,
        org: &OrgId,
        after: Option<&str>,
        limit: i64,
    ) -> Result<Vec<Charger>, Error> {
        let sql = format!(
            "SELECT {} FROM charger WHERE org = $1 AND id > $2 ORDER BY id LIMIT $3",
            Charger::COLUMNS
        );
        all(&self.rows(org, &sql, args![after.unwrap_or_default(), limit]).await?)
    }

    /// The connectors of a charger.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn connectors(&mut self, org: &OrgId, charger: &str) -> Result<Vec<ConnectorState>, Error> {
        let sql = format!(
            "SELECT {} FROM connector WHERE org = $1 AND charger = $2 ORDER BY evse, connector",
            ConnectorState::COLUMNS
        );
        all(&self.rows(org, &sql, args![key(charger)]).await?)
    }

    /// The reported variables of a charger; those of one component when stated.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn variables(
        &mut self,
        org: &OrgId,
        charger: &str,
        component: Option<&str>,
    ) -> Result<Vec<StationVariable>, Error> {
        let mut sql = format!(
            "SELECT {} FROM station_variable WHERE org = $1 AND charger = $2",
            StationVariable::COLUMNS
        );
        let mut values = args![key(charger)];
        if let Some(component) = component {
            sql.push_str(" AND component = $3");
            values.extend(args![key(component)]);
        }
        sql.push_str(" ORDER BY component, variable, attribute");
        all(&self.rows(org, &sql, values).await?)
    }

    /// The local list a charger was sent last.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn local_list(&mut self, org: &OrgId, charger: &str) -> Result<Option<LocalList>, Error> {
        let sql = format!("SELECT {} FROM local_list WHERE org = $1 AND charger = $2", LocalList::COLUMNS);
        one(self.row(org, &sql, args![key(charger)]).await?.as_ref())
    }
}
