//! The outbox's rows: what is to be asked of others, in the order of each debtor, and how far each has come.

use super::error::Error;
use super::record::{OrgId, Record as _, all, one, record, words};
use super::sql::{Reader, args, places};
use super::tx::Tx;
use takst_engine::units::Instant;

words! {
    /// What is asked for.
    IntentKind {
        /// Take money for a bill.
        Charge = "charge",
        /// Take what was set aside.
        Capture = "capture",
        /// Give money back.
        Refund = "refund",
        /// Give a payment up before it is taken.
        Cancel = "cancel",
        /// Save a card or make an agreement.
        Save = "save",
        /// Send a message to a person.
        Message = "message",
        /// Send an invoice or a credit note through its channel.
        Invoice = "invoice",
        /// Take an invoice back at its channel.
        Recall = "recall",
        /// Send an e-mail.
        Mail = "mail",
        /// Send values of a metering point to another system.
        Values = "meter-values",
    }
}

words! {
    /// How far it has come; `outbox/machine.rs` says what each means.
    IntentState {
        /// Not done for certain; asked at `next_at`.
        Waiting = "waiting",
        /// Being asked.
        Calling = "calling",
        /// May have been done; looked up at `next_at`.
        Unknown = "unknown",
        /// Taken on by the other side and not finished there.
        Following = "following",
        /// A person has to decide.
        Dead = "dead",
        /// Done.
        Done = "done",
        /// Refused for good.
        Failed = "failed",
        /// Given up by a person.
        GivenUp = "given-up",
    }
}

record! {
    /// A row of the outbox.
    Intent {
        /// [`super::new_id`].
        id: String,
        /// What causes it, as in `charge:BILL`: written once.
        source: String,
        /// What is asked for.
        kind: IntentKind,
        /// The same for every attempt.
        idempotency: String,
        /// Whose order it keeps.
        debtor: String,
        /// Its place in that order: 1, 2, 3, ...
        place: i64,
        /// Who is asked.
        plugin: String,
        /// The plugin's version that it was first asked with.
        version: Option<String>,
        /// And its hash.
        sha256: Option<String>,
        /// The payment or instrument that it is about.
        subject: String,
        /// JSON: what is asked.
        request: String,
        /// How far it has come.
        state: IntentState,
        /// How many times it was asked.
        attempt: i64,
        /// Failures in a row.
        failures: i64,
        /// It was asked at least once.
        called: bool,
        /// The other side has said that it has it.
        taken: bool,
        /// The other side's name for the subject.
        theirs: Option<String>,
        /// When something is to be done about it.
        next_at: Option<Instant>,
        /// Since when it is in this state.
        since: Instant,
        /// The last trouble, a short word.
        code: Option<String>,
        /// The same for people.
        detail: Option<String>,
        /// When it was written down.
        created_at: Instant,
        /// By whom.
        created_by: String,
        /// When it last changed.
        updated_at: Instant,
        /// When it was over.
        finished_at: Option<Instant>,
    }
}

// Those before it in the order of its debtor, and of its own payment, that it must wait for. What the other side has need not be finished, also when a person is to see why.
const NOTHING_BEFORE: &str = "NOT EXISTS (SELECT 1 FROM outbox AS b WHERE b.org = $1 AND b.debtor = o.debtor AND b.place < o.place
    AND b.finished_at IS NULL AND (NOT (b.state = 'following' OR (b.state = 'dead' AND COALESCE(b.code, '') = 'not-finished'))
    OR (b.subject = o.subject AND o.kind NOT IN ('cancel', 'capture', 'recall'))))";

impl Tx {
    /// Writes an intent down at the end of its debtor's queue, or at its `place` when that is not 0. Whether it is
    /// new: a source that is there already writes nothing.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn add_intent(&mut self, org: &OrgId, intent: &Intent) -> Result<bool, Error> {
        let place = match intent.place {
            0 => self.last_place(org, &intent.debtor).await?,
            place => place,
        };
        let sql = format!(
            "INSERT INTO outbox (org, {}) VALUES ($1, {}) ON CONFLICT (org, source) DO NOTHING",
            Intent::COLUMNS,
            places(2, 25)
        );
        Ok(self.run(org, &sql, Intent { place, ..intent.clone() }.values()).await? == 1)
    }

    // The row of the queue stays locked until the commit: places are given in the order of commits.
    async fn last_place(&mut self, org: &OrgId, debtor: &str) -> Result<i64, Error> {
        let sql = "INSERT INTO outbox_queue (org, debtor, last) VALUES ($1, $2, 1)
                   ON CONFLICT (org, debtor) DO UPDATE SET last = outbox_queue.last + 1 RETURNING last";
        let row = self.returning(org, sql, args![debtor]).await?;
        row.ok_or_else(|| Error::Corrupt("a queue gave no place".to_owned()))?.get(0)
    }

    /// An intent, locked until the commit.
    ///
    /// # Errors
    /// When there is none, or the database fails.
    pub async fn lock_intent(&mut self, org: &OrgId, id: &str) -> Result<Intent, Error> {
        let sql = format!(
            "UPDATE outbox SET updated_at = updated_at WHERE org = $1 AND id = $2 RETURNING {}",
            Intent::COLUMNS
        );
        let row = self.returning(org, &sql, args![id]).await?;
        one(row.as_ref())?.ok_or_else(|| Error::Missing { what: "intent", id: id.to_owned() })
    }

    /// Writes how far an intent has come.
    ///
    /// # Errors
    /// When there is none, or the database fails.
    pub async fn update_intent(&mut self, org: &OrgId, intent: &Intent) -> Result<(), Error> {
        let Intent { id, version, sha256, request, state, attempt, failures, called, .. } = intent.clone();
        let Intent { taken, theirs, next_at, since, code, detail, updated_at, finished_at, .. } =
            intent.clone();
        let sql = "UPDATE outbox SET version = $3, sha256 = $4, request = $5, state = $6, attempt = $7, failures = $8, called = $9,
                   taken = $10, theirs = $11, next_at = $12, since = $13, code = $14, detail = $15, updated_at = $16, finished_at = $17
                   WHERE org = $1 AND id = $2";
        let values = args![
            id.as_str(),
            version,
            sha256,
            request,
            state,
            attempt,
            failures,
            called,
            taken,
            theirs,
            next_at,
            since,
            code,
            detail,
            updated_at,
            finished_at
        ];
        self.must(org, ("intent", &id), sql, values).await
    }

    /// Lets all that a plugin is due to be asked wait until then.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delay_intents(&mut self, org: &OrgId, plugin: &str, until: Instant) -> Result<u64, Error> {
        let sql = "UPDATE outbox SET next_at = $3 WHERE org = $1 AND plugin = $2 AND next_at < $3 AND state <> 'calling'";
        self.run(org, sql, args![plugin, until]).await
    }
}

impl Reader {
    /// An intent.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn intent(&mut self, org: &OrgId, id: &str) -> Result<Option<Intent>, Error> {
        let sql = format!("SELECT {} FROM outbox WHERE org = $1 AND id = $2", Intent::COLUMNS);
        one(self.row(org, &sql, args![id]).await?.as_ref())
    }

    /// The plugins that something is due for.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn due_plugins(&mut self, org: &OrgId, now: Instant) -> Result<Vec<String>, Error> {
        let sql = "SELECT DISTINCT plugin FROM outbox WHERE org = $1 AND next_at <= $2 ORDER BY plugin";
        self.rows(org, sql, args![now]).await?.iter().map(|row| row.get(0)).collect()
    }

    /// Up to `limit` intents of a plugin that something is to be done about, and that need not wait for another
    /// one of their debtor; the longest due first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn due_intents(
        &mut self,
        org: &OrgId,
        plugin: &str,
        now: Instant,
        limit: i64,
    ) -> Result<Vec<Intent>, Error> {
        let sql = format!(
            "SELECT {} FROM outbox AS o WHERE o.org = $1 AND o.plugin = $2 AND o.next_at <= $3
             AND (o.state <> 'waiting' OR {NOTHING_BEFORE}) ORDER BY o.next_at, o.id LIMIT $4",
            Intent::COLUMNS
        );
        all(&self.rows(org, &sql, args![plugin, now, limit]).await?)
    }

    /// When the next intent is due; none when nothing is to be done.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn next_intent(&mut self, org: &OrgId) -> Result<Option<Instant>, Error> {
        let sql = format!(
            "SELECT MIN(o.next_at) FROM outbox AS o WHERE o.org = $1 AND o.next_at IS NOT NULL AND (o.state <> 'waiting' OR {NOTHING_BEFORE})"
        );
        self.row(org, &sql, args![]).await?.map_or(Ok(None), |row| row.get(0))
    }

    /// Whether an intent need not wait for another one of its debtor.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn is_first(&mut self, org: &OrgId, id: &str) -> Result<bool, Error> {
        let sql = format!("SELECT 1 FROM outbox AS o WHERE o.org = $1 AND o.id = $2 AND {NOTHING_BEFORE}");
        Ok(self.row(org, &sql, args![id]).await?.is_some())
    }

    /// The intents that are being asked, as far as is written down.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn calling_intents(&mut self, org: &OrgId) -> Result<Vec<Intent>, Error> {
        let sql = format!(
            "SELECT {} FROM outbox WHERE org = $1 AND state = 'calling' AND finished_at IS NULL ORDER BY id",
            Intent::COLUMNS
        );
        all(&self.rows(org, &sql, args![]).await?)
    }

    /// The intents about a payment or instrument, in order.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn intents_about(&mut self, org: &OrgId, subject: &str) -> Result<Vec<Intent>, Error> {
        let sql = format!(
            "SELECT {} FROM outbox WHERE org = $1 AND subject = $2 ORDER BY place, id",
            Intent::COLUMNS
        );
        all(&self.rows(org, &sql, args![subject]).await?)
    }

    /// The intents whose subject the plugin calls so, in order.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn intents_of_theirs(
        &mut self,
        org: &OrgId,
        plugin: &str,
        theirs: &str,
    ) -> Result<Vec<Intent>, Error> {
        let sql = format!(
            "SELECT {} FROM outbox WHERE org = $1 AND plugin = $2 AND theirs = $3 ORDER BY place, id",
            Intent::COLUMNS
        );
        all(&self.rows(org, &sql, args![plugin, theirs]).await?)
    }

    /// Up to `limit` intents behind `after` (time and id of the last one seen), newest first; in one state when
    /// stated.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn intents(
        &mut self,
        org: &OrgId,
        state: Option<IntentState>,
        after: Option<(Instant, &str)>,
        limit: i64,
    ) -> Result<Vec<Intent>, Error> {
        let mut sql = format!("SELECT {} FROM outbox WHERE org = $1", Intent::COLUMNS);
        let mut values = args![limit];
        if let Some(state) = state {
            sql.push_str(" AND state = $3");
            values.extend(args![state]);
        }
        if let Some((at, id)) = after {
            sql.push_str(&format!(" AND (created_at, id) < (${}, ${})", values.len() + 2, values.len() + 3));
            values.extend(args![at, id]);
        }
        sql.push_str(" ORDER BY created_at DESC, id DESC LIMIT $2");
        all(&self.rows(org, &sql, values).await?)
    }

    /// The code (sha256) of plugins that something unfinished was asked with.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn bound_code(&mut self, org: &OrgId) -> Result<Vec<String>, Error> {
        let sql = "SELECT DISTINCT sha256 FROM outbox WHERE org = $1 AND finished_at IS NULL AND sha256 IS NOT NULL";
        self.rows(org, sql, args![]).await?.iter().map(|row| row.get(0)).collect()
    }

    /// Whether an intent of a plugin that is not over has this word for what is wrong with it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn has_open_intent_with(
        &mut self,
        org: &OrgId,
        plugin: &str,
        code: &str,
    ) -> Result<bool, Error> {
        let sql = "SELECT 1 FROM outbox WHERE org = $1 AND plugin = $2 AND code = $3 AND finished_at IS NULL LIMIT 1";
        Ok(self.row(org, sql, args![plugin, code]).await?.is_some())
    }

    /// How many intents are in each state, by plugin.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn outbox_counts(&mut self, org: &OrgId) -> Result<Vec<(String, IntentState, i64)>, Error> {
        let sql = "SELECT plugin, state, COUNT(*) FROM outbox WHERE org = $1 AND finished_at IS NULL GROUP BY plugin, state";
        let rows = self.rows(org, sql, args![]).await?;
        rows.iter().map(|row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).collect()
    }
}
