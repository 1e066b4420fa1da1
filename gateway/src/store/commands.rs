//! Commands to chargers: a row each, from the order to the outcome, so that none is lost with a connection or
//! a node.

use super::error::Error;
use super::record::{OrgId, Record as _, all, key, one, record, words};
use super::sql::{Reader, args, places};
use super::tx::Tx;
use takst_engine::units::Instant;

words! {
    /// How far a command has come.
    CommandStatus {
        /// Waits for the charger.
        Queued = "queued",
        /// On its way; no answer yet.
        Sent = "sent",
        /// The charger answered.
        Answered = "answered",
        /// It could not be sent, was answered with an error, or not at all.
        Failed = "failed",
        /// It became too old while it waited.
        Expired = "expired",
    }
}

record! {
    /// A command to a charger.
    Command {
        /// [`super::new_id`].
        id: String,
        /// To whom.
        charger: String,
        /// `reset`, `unlock`, ...
        kind: String,
        /// How far it has come.
        status: CommandStatus,
        /// JSON: what to do.
        document: String,
        /// JSON: what came of it.
        outcome: Option<String>,
        /// The id of the frame it went out with.
        message_id: Option<String>,
        /// When it was given.
        created_at: Instant,
        /// By whom.
        created_by: String,
        /// Worth nothing after this time.
        expires_at: Option<Instant>,
        /// When it went out.
        sent_at: Option<Instant>,
        /// When it was answered, failed or expired.
        finished_at: Option<Instant>,
    }
}

impl Tx {
    /// Gives a command.
    ///
    /// # Errors
    /// [`Error::Conflict`] when there is one with that id.
    pub async fn add_command(&mut self, org: &OrgId, command: &Command) -> Result<(), Error> {
        let mut command = command.clone();
        command.charger = key(&command.charger);
        let sql = format!("INSERT INTO command (org, {}) VALUES ($1, {})", Command::COLUMNS, places(2, 12));
        self.run(org, &sql, command.values()).await.map(drop)
    }

    /// Notes that a command went out. Whether it was still waiting: of two nodes only one may send it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn command_sent(
        &mut self,
        org: &OrgId,
        id: &str,
        message_id: &str,
        at: Instant,
    ) -> Result<bool, Error> {
        let sql = "UPDATE command SET status = 'sent', message_id = $3, sent_at = $4
                   WHERE org = $1 AND id = $2 AND status = 'queued'";
        Ok(self.run(org, sql, args![id, key(message_id), at]).await? == 1)
    }

    /// Notes what came of a command. Whether it was still open: what is finished stays as it is.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn finish_command(
        &mut self,
        org: &OrgId,
        id: &str,
        status: CommandStatus,
        outcome: Option<&str>,
        at: Instant,
    ) -> Result<bool, Error> {
        let sql = "UPDATE command SET status = $3, outcome = $4, finished_at = $5
                   WHERE org = $1 AND id = $2 AND finished_at IS NULL";
        Ok(self.run(org, sql, args![id, status, outcome, at]).await? == 1)
    }

    /// Ends the commands that waited for longer than they were worth; how many.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn expire_commands(&mut self, org: &OrgId, now: Instant) -> Result<u64, Error> {
        let sql = "UPDATE command SET status = 'expired', finished_at = $2
                   WHERE org = $1 AND finished_at IS NULL AND status = 'queued' AND expires_at <= $2";
        self.run(org, sql, args![now]).await
    }
}

impl Reader {
    /// A command.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn command(&mut self, org: &OrgId, id: &str) -> Result<Option<Command>, Error> {
        let sql = format!("SELECT {} FROM command WHERE org = $1 AND id = $2", Command::COLUMNS);
        one(self.row(org, &sql, args![id]).await?.as_ref())
    }

    /// The commands of a charger that are not finished, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn open_commands(&mut self, org: &OrgId, charger: &str) -> Result<Vec<Command>, Error> {
        let sql = format!(
            "SELECT {} FROM command WHERE org = $1 AND charger = $2 AND finished_at IS NULL ORDER BY id",
            Command::COLUMNS
        );
        all(&self.rows(org, &sql, args![key(charger)]).await?)
    }

    /// Up to `limit` commands of a charger before the command `before`, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn commands(
        &mut self,
        org: &OrgId,
        charger: &str,
        before: Option<&str>,
        limit: i64,
    ) -> Result<Vec<Command>, Error> {
        let sql = format!(
            "SELECT {} FROM command WHERE org = $1 AND charger = $2 AND id < $3 ORDER BY id DESC LIMIT $4",
            Command::COLUMNS
        );
        // Ids are hexadecimal: `g` is behind them all.
        all(&self.rows(org, &sql, args![key(charger), before.unwrap_or("g"), limit]).await?)
    }
}
