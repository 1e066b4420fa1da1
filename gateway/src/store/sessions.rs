//! Sessions: one row each, found by charger, transaction, driver, site and time.

use super::Store;
use super::about::About;
use super::error::Error;
use super::record::{OrgId, Record as _, all, key, key_of, one, record, words};
use super::sql::{Reader, Value, args, places};
use super::tx::Tx;
use futures_util::{Stream, StreamExt as _, stream};
use std::sync::LazyLock;
use takst_engine::running::LONGEST_SESSION_DAYS;
use takst_engine::units::{DAY_MS, Energy, Instant};

words! {
    /// How far a session has come.
    SessionStatus {
        /// Still going on.
        Running = "running",
        /// The charger said that it ended.
        Ended = "ended",
        /// It must have ended: the connector was free, the charger booted, another one began.
        EndedInferred = "ended-inferred",
        /// Something of it came, but never its beginning.
        Orphan = "orphan",
    }
}

words! {
    /// How far the billing of a session has come.
    Billing {
        /// Its end is still to come.
        Open = "open",
        /// A bill can be made.
        Due = "due",
        /// A price is missing; there is a preview.
        Pending = "pending",
        /// There is a bill.
        Billed = "billed",
        /// There will be none.
        Never = "never",
    }
}

record! {
    /// When somebody stood where.
    Stay {
        /// The charger.
        charger: String,
        /// EVSE number.
        evse: i64,
        /// Station time.
        plugged_in: Instant,
        /// Station time; none while he stands there.
        unplugged: Option<Instant>,
    }
}

record! {
    /// A charging session, from plugging in to unplugging.
    Session {
        /// [`super::new_id`].
        id: String,
        /// Where the charger stands.
        site: Option<String>,
        /// The charger.
        charger: String,
        /// EVSE number; connector number in OCPP 1.6.
        evse: i64,
        /// Connector of the EVSE, when the charger said it.
        connector: Option<i64>,
        /// The token that began it, as it was sent.
        token: Option<String>,
        /// The driver: a key, never a name.
        driver: Option<String>,
        /// JSON list of groups.
        groups_doc: String,
        /// `direct`, `roaming`, `ad-hoc`.
        contract: Option<String>,
        /// The transaction as the charger names it.
        transaction_ref: Option<String>,
        /// When the car was plugged in (station time), or the transaction began if that is all we know.
        plugged_in: Instant,
        /// When the charger's transaction began.
        started_at: Option<Instant>,
        /// When energy first flowed.
        charging_started: Option<Instant>,
        /// When it last stopped flowing for good.
        charging_ended: Option<Instant>,
        /// When the charger's transaction ended.
        stopped_at: Option<Instant>,
        /// When the car was unplugged.
        unplugged: Option<Instant>,
        /// How far it has come.
        status: SessionStatus,
        /// JSON list of flags with their reasons.
        flags: String,
        /// Energy taken so far.
        energy: Option<Energy>,
        /// When the register was last read.
        last_reading_at: Option<Instant>,
        /// Who will issue the bill.
        seller: Option<String>,
        /// The tariff.
        tariff_name: Option<String>,
        /// Its version, fixed when the session began.
        tariff_version: Option<String>,
        /// JSON: what the driver was shown before he began.
        shown: Option<String>,
        /// Of the tariff.
        currency: Option<String>,
        /// The session is stopped before it costs more: minor units.
        ceiling_minor: Option<i64>,
        /// How far the billing has come.
        billing: Billing,
        /// JSON: what it began with, and whatever else of it changes seldom.
        document: String,
        /// JSON: how it stands, to go on with it after a restart. None before the first report, and in rows of earlier versions, which have it in
        /// `document`.
        track: Option<String>,
        /// When the row was made.
        created_at: Instant,
        /// When it was last changed.
        updated_at: Instant,
        /// Held back from automatic billing. Changed by [`Tx::set_hold`] only.
        hold: bool,
        /// Why.
        hold_reason: Option<String>,
        /// Who decided: `gateway` or a person's key.
        hold_by: Option<String>,
        /// When.
        hold_at: Option<Instant>,
    }
}

/// What an update leaves alone: these are decided by others, maybe at the same time.
const NOT_UPDATED: [&str; 6] = ["id", "created_at", "hold", "hold_reason", "hold_by", "hold_at"];

fn updated() -> impl Iterator<Item = &'static str> {
    Session::COLUMNS.split(", ").filter(|column| !NOT_UPDATED.contains(column))
}

/// What changes in a session with every meter value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Progress {
    /// Energy taken so far.
    pub energy: Option<Energy>,
    /// When the register was last read.
    pub last_reading_at: Option<Instant>,
    /// JSON list of flags with their reasons.
    pub flags: String,
    /// JSON: how the session stands.
    pub track: String,
    /// Now.
    pub at: Instant,
}

/// How progress of many sessions is written, before the values and behind them.
pub(super) const PROGRESS_HEAD: &str =
    "INSERT INTO session_progress (org, session, energy, last_reading_at, flags, track, updated_at)";
pub(super) const PROGRESS_TAIL: &str = "ON CONFLICT (org, session) DO UPDATE SET energy = excluded.energy, last_reading_at = excluded.last_reading_at,
    flags = excluded.flags, track = excluded.track, updated_at = excluded.updated_at";

/// Which sessions to list. All that is stated must hold.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SessionFilter {
    /// Of this charger.
    pub charger: Option<String>,
    /// At this EVSE of its charger.
    pub evse: Option<i64>,
    /// Of this site.
    pub site: Option<String>,
    /// Of this driver.
    pub driver: Option<String>,
    /// Begun by this token, letters in either case.
    pub token: Option<String>,
    /// That have come this far.
    pub status: Option<SessionStatus>,
    /// Whose billing has come this far.
    pub billing: Option<Billing>,
    /// Held back, or not.
    pub hold: Option<bool>,
    /// Plugged in at this time or later.
    pub from: Option<Instant>,
    /// Plugged in before this time.
    pub until: Option<Instant>,
}

/// Where a page of sessions ended: the last one's time and id.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SessionCursor {
    /// `plugged_in`.
    pub plugged_in: Instant,
    /// `id`.
    pub id: String,
}

impl Session {
    /// A session of which nothing is known but where and when it began. `now`: when it was told.
    #[must_use]
    pub fn begun(id: &str, (charger, evse): (&str, i64), plugged_in: Instant, now: Instant) -> Self {
        Self {
            id: id.to_owned(),
            site: None,
            charger: charger.to_owned(),
            evse,
            connector: None,
            token: None,
            driver: None,
            groups_doc: "[]".to_owned(),
            contract: None,
            transaction_ref: None,
            plugged_in,
            started_at: None,
            charging_started: None,
            charging_ended: None,
            stopped_at: None,
            unplugged: None,
            status: SessionStatus::Running,
            flags: "[]".to_owned(),
            energy: None,
            last_reading_at: None,
            seller: None,
            tariff_name: None,
            tariff_version: None,
            shown: None,
            currency: None,
            ceiling_minor: None,
            billing: Billing::Open,
            document: "{}".to_owned(),
            track: None,
            created_at: now,
            updated_at: now,
            hold: false,
            hold_reason: None,
            hold_by: None,
            hold_at: None,
        }
    }

    /// The place of this session in a list.
    #[must_use]
    pub fn cursor(&self) -> SessionCursor {
        SessionCursor { plugged_in: self.plugged_in, id: self.id.clone() }
    }

    /// As it stands in the table: long keys cut.
    fn stored(&self) -> Self {
        let mut session = self.clone();
        session.charger = key(&session.charger);
        session.site = key_of(session.site.as_deref());
        session.driver = key_of(session.driver.as_deref());
        session.transaction_ref = key_of(session.transaction_ref.as_deref());
        session
    }
}

impl Tx {
    /// Adds a session.
    ///
    /// # Errors
    /// [`Error::Conflict`] when there is one with that id.
    pub async fn add_session(&mut self, org: &OrgId, session: &Session) -> Result<(), Error> {
        let values = session.stored().values();
        let sql = format!(
            "INSERT INTO session (org, {}) VALUES ($1, {})",
            Session::COLUMNS,
            places(2, values.len())
        );
        self.run_about(org, About::Session(&session.id), &sql, values).await?;
        self.reader.charger_changed(org, &session.charger);
        self.reader.met(org, [session]);
        Ok(())
    }

    /// Writes all of a session but its hold and when it was made.
    ///
    /// # Errors
    /// [`Error::Missing`].
    pub async fn update_session(&mut self, org: &OrgId, session: &Session) -> Result<(), Error> {
        static SQL: LazyLock<String> = LazyLock::new(|| {
            let set: Vec<String> =
                updated().zip(3..).map(|(column, place)| format!("{column} = ${place}")).collect();
            format!("UPDATE session SET {} WHERE org = $1 AND id = $2", set.join(", "))
        });
        let mut values = args![session.id.as_str()];
        let columns = Session::COLUMNS.split(", ").zip(session.stored().values());
        values.extend(columns.filter(|(column, _)| !NOT_UPDATED.contains(column)).map(|(_, value)| value));
        self.reader.charger_changed(org, &session.charger);
        self.must_session(org, &session.id, &SQL, values).await?;
        // Of an earlier progress.
        let sql = "DELETE FROM session_progress WHERE org = $1 AND session = $2";
        self.run_about(org, About::Session(&session.id), sql, args![session.id.as_str()]).await.map(drop)
    }

    /// Writes what changes with every meter value, and nothing by which sessions are found: a good deal
    /// cheaper than [`Tx::update_session`], for it stands in a small row of its own.
    ///
    /// # Errors
    /// [`Error::Missing`].
    pub async fn session_progress(
        &mut self,
        org: &OrgId,
        session: &str,
        progress: &Progress,
    ) -> Result<(), Error> {
        let Progress { energy, last_reading_at, flags, track, at } = progress.clone();
        let values = args![session, energy, last_reading_at, flags, track, at];
        if self.reader.puts_off_for(org, session) {
            self.put_off();
            self.reader.put_off_progress(org, session, progress, values);
            return Ok(());
        }
        // Only of a session that there is.
        let sql = format!(
            "{PROGRESS_HEAD} SELECT org, id, $3, $4, $5, $6, $7 FROM session WHERE org = $1 AND id = $2 {PROGRESS_TAIL}"
        );
        self.must_session(org, session, &sql, values).await
    }

    /// Holds a session back from automatic billing, or lets it go.
    ///
    /// # Errors
    /// [`Error::Missing`].
    pub async fn set_hold(
        &mut self,
        org: &OrgId,
        session: &str,
        hold: bool,
        (reason, by): (&str, &str),
        at: Instant,
    ) -> Result<(), Error> {
        let sql = "UPDATE session SET hold = $3, hold_reason = $4, hold_by = $5, hold_at = $6 WHERE org = $1 AND id = $2";
        self.must_session(org, session, sql, args![session, hold, reason, by, at]).await
    }

    /// Holds a session's row until the commit: what others write about it waits, and what they wrote before is seen. Whether there is one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn lock_session(&mut self, org: &OrgId, session: &str) -> Result<bool, Error> {
        let sql = "UPDATE session SET billing = billing WHERE org = $1 AND id = $2";
        Ok(self.run_about(org, About::Session(session), sql, args![session]).await? == 1)
    }

    /// Writes what a session began with, and nothing of how it stands: what another program is told of it meanwhile stays.
    ///
    /// # Errors
    /// [`Error::Missing`].
    pub async fn set_document(&mut self, org: &OrgId, session: &str, document: &str) -> Result<(), Error> {
        let sql = "UPDATE session SET document = $3 WHERE org = $1 AND id = $2";
        self.must_session(org, session, sql, args![session, document]).await
    }

    /// Notes how far the billing of a session has come.
    ///
    /// # Errors
    /// [`Error::Missing`].
    pub async fn set_billing(&mut self, org: &OrgId, session: &str, billing: Billing) -> Result<(), Error> {
        let sql = "UPDATE session SET billing = $3 WHERE org = $1 AND id = $2";
        self.must_session(org, session, sql, args![session, billing]).await
    }
}

impl Reader {
    /// A session.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn session(&mut self, org: &OrgId, id: &str) -> Result<Option<Session>, Error> {
        let sql = format!("SELECT {} FROM session_now WHERE org = $1 AND id = $2", Session::COLUMNS);
        let found = one(self.row_about(org, About::Session(id), &sql, args![id]).await?.as_ref())?;
        self.met(org, &found);
        Ok(found)
    }

    /// The session of a charger's transaction; the newest, when the charger used the name twice.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn session_by_transaction(
        &mut self,
        org: &OrgId,
        charger: &str,
        transaction: &str,
    ) -> Result<Option<Session>, Error> {
        let found = match self.session_ahead(org, charger, transaction) {
            Some(known) => known,
            None => {
                // With `+` SQLite asks for the transaction, where it would look through all sessions of the charger for the last one.
                let sql = format!(
                    "SELECT {} FROM session_now WHERE org = $1 AND charger = $2 AND transaction_ref = $3
                     ORDER BY +plugged_in DESC, id DESC LIMIT 1",
                    Session::COLUMNS
                );
                let values = args![key(charger), key(transaction)];
                one(self.row_about(org, About::Charger(charger), &sql, values).await?.as_ref())?
            }
        };
        self.met(org, &found);
        Ok(found)
    }

    /// The running sessions of a charger, of one EVSE when stated; oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn running_sessions(
        &mut self,
        org: &OrgId,
        charger: &str,
        evse: Option<i64>,
    ) -> Result<Vec<Session>, Error> {
        let mut sql = format!(
            "SELECT {} FROM session_now WHERE org = $1 AND status = 'running' AND charger = $2",
            Session::COLUMNS
        );
        let mut values = args![key(charger)];
        if let Some(evse) = evse {
            sql.push_str(" AND evse = $3");
            values.extend(args![evse]);
        }
        sql.push_str(" ORDER BY plugged_in, id");
        let found = all(&self.rows_about(org, About::Charger(charger), &sql, values).await?)?;
        self.met(org, &found);
        Ok(found)
    }

    /// Who stood at a site in this time, its edges included. Whoever stands there longer than a session can last is not counted.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn stays(
        &mut self,
        org: &OrgId,
        site: &str,
        (from, until): (Instant, Instant),
    ) -> Result<Vec<Stay>, Error> {
        let sql = format!(
            "SELECT {} FROM session_now WHERE org = $1 AND site = $2 AND plugged_in <= $3
             AND plugged_in >= $5 AND (unplugged IS NULL OR unplugged >= $4) ORDER BY plugged_in, id",
            Stay::COLUMNS
        );
        let earliest = Instant(from.0.saturating_sub(LONGEST_SESSION_DAYS * DAY_MS));
        all(&self.rows(org, &sql, args![site, until, from, earliest]).await?)
    }

    /// All sessions that have not ended: what a starting gateway goes on with.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn unfinished_sessions(&mut self, org: &OrgId) -> Result<Vec<Session>, Error> {
        let sql = format!(
            "SELECT {} FROM session_now WHERE org = $1 AND status = 'running' ORDER BY charger, plugged_in, id",
            Session::COLUMNS
        );
        all(&self.rows(org, &sql, args![]).await?)
    }

    /// Up to `limit` sessions that can be billed and are not held back, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn due_sessions(&mut self, org: &OrgId, limit: i64) -> Result<Vec<Session>, Error> {
        let sql = format!(
            "SELECT {} FROM session_now WHERE org = $1 AND billing = 'due' AND hold = 0 ORDER BY plugged_in, id LIMIT $2",
            Session::COLUMNS
        );
        all(&self.rows(org, &sql, args![limit]).await?)
    }

    /// Up to `limit` sessions behind `after`, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sessions(
        &mut self,
        org: &OrgId,
        filter: &SessionFilter,
        after: Option<&SessionCursor>,
        limit: i64,
    ) -> Result<Vec<Session>, Error> {
        let (wanted, mut values) = conditions(filter);
        let mut sql = format!("SELECT {} FROM session_now WHERE org = $1{wanted}", Session::COLUMNS);
        if let Some(SessionCursor { plugged_in, id }) = after {
            let at = values.len() + 2;
            sql.push_str(&format!(" AND (plugged_in, id) < (${at}, ${})", at + 1));
            values.extend(args![*plugged_in, id.as_str()]);
        }
        // With `+` SQLite sorts the few that run, where it would look through all sessions in the order of time for them.
        let running = filter.status == Some(SessionStatus::Running);
        let few = if running && filter.site.is_none() && filter.driver.is_none() { "+" } else { "" };
        sql.push_str(&format!(" ORDER BY {few}plugged_in DESC, id DESC LIMIT ${}", values.len() + 2));
        values.extend(args![limit]);
        let about = filter.charger.as_deref().map_or(About::Text, About::Charger);
        all(&self.rows_about(org, about, &sql, values).await?)
    }
}

fn conditions(filter: &SessionFilter) -> (String, Vec<Value>) {
    let SessionFilter { charger, evse, site, driver, token, status, billing, hold, from, until } =
        filter.clone();
    let mut sql = String::new();
    let mut values = Vec::new();
    let mut add = |condition: &str, value: Option<Value>| {
        if let Some(value) = value {
            values.push(value);
            sql.push_str(&condition.replace('?', &format!("${}", values.len() + 1)));
        }
    };
    let text = |text: Option<String>| text.map(|text| Value::Text(Some(text)));
    add(" AND charger = ?", text(key_of(charger.as_deref())));
    add(" AND evse = ?", evse.map(|evse| Value::Int(Some(evse))));
    add(" AND site = ?", text(key_of(site.as_deref())));
    add(" AND driver = ?", text(key_of(driver.as_deref())));
    add(" AND lower(token) = lower(?)", text(token));
    add(" AND plugged_in >= ?", from.map(|at| Value::Int(Some(at.0))));
    add(" AND plugged_in < ?", until.map(|at| Value::Int(Some(at.0))));
    // As words of our own in the text, not as values: only so can SQLite tell that an index of the running, due or
    // held sessions has all that is asked for.
    if let Some(status) = status {
        sql.push_str(&format!(" AND status = '{}'", status.as_str()));
    }
    if let Some(billing) = billing {
        sql.push_str(&format!(" AND billing = '{}'", billing.as_str()));
    }
    if let Some(hold) = hold {
        sql.push_str(&format!(" AND hold = {}", i64::from(hold)));
    }
    (sql, values)
}

impl Store {
    /// All sessions that `filter` names, newest first, read page by page: memory stays small however many
    /// there are.
    pub fn stream_sessions(
        &self,
        org: &OrgId,
        filter: SessionFilter,
    ) -> impl Stream<Item = Result<Session, Error>> + Send {
        const PAGE: i64 = 500;
        let (store, org) = (self.clone(), org.clone());
        let pages = stream::try_unfold(Some(None::<SessionCursor>), move |state| {
            let (store, org, filter) = (store.clone(), org.clone(), filter.clone());
            async move {
                let Some(after) = state else { return Ok(None) };
                let page = store.read().await?.sessions(&org, &filter, after.as_ref(), PAGE).await?;
                let next = page.last().map(|session| Some(session.cursor()));
                Ok(Some((page, next)))
            }
        });
        pages.flat_map(|page: Result<Vec<Session>, Error>| match page {
            Ok(page) => stream::iter(page.into_iter().map(Ok).collect::<Vec<_>>()),
            Err(error) => stream::iter(vec![Err(error)]),
        })
    }
}
