//! Letting go of what has served its time. Facts of sessions, signed values and bills are never among it.

use super::error::Error;
use super::record::OrgId;
use super::sql::args;
use super::{Lane, Store};
use takst_engine::units::Instant;

/// Before which times rows are let go; none keeps them all.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Retention {
    /// Raw frames.
    pub frames: Option<Instant>,
    /// Events that were logged.
    pub events: Option<Instant>,
    /// Finished commands.
    pub commands: Option<Instant>,
    /// Facts that belong to no session: heartbeats, states of empty connectors.
    pub loose_facts: Option<Instant>,
    /// Events that were told at plugins' addresses.
    pub plugin_events: Option<Instant>,
}

/// How many rows a sweep let go of.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Swept {
    /// Rows of raw frames, several of a charger in each.
    pub frames: u64,
    /// Events.
    pub events: u64,
    /// Commands.
    pub commands: u64,
    /// Facts.
    pub loose_facts: u64,
    /// Events of plugins.
    pub plugin_events: u64,
}

const FRAMES: &str = "DELETE FROM frame_run WHERE org = $1 AND (charger, last_seq) IN
    (SELECT charger, last_seq FROM frame_run WHERE org = $1 AND to_at < $2 ORDER BY to_at LIMIT $3)";
const EVENTS: &str = "DELETE FROM event WHERE org = $1 AND seq IN
    (SELECT seq FROM event WHERE org = $1 AND at < $2 ORDER BY at LIMIT $3)";
const COMMANDS: &str = "DELETE FROM command WHERE org = $1 AND id IN
    (SELECT id FROM command WHERE org = $1 AND finished_at IS NOT NULL AND finished_at < $2 ORDER BY finished_at LIMIT $3)";
const LOOSE_FACTS: &str = "DELETE FROM station_fact WHERE org = $1 AND session IS NULL AND id IN
    (SELECT id FROM station_fact WHERE org = $1 AND session IS NULL AND received_at < $2 ORDER BY received_at LIMIT $3)";
const PLUGIN_EVENTS: &str = "DELETE FROM plugin_event WHERE org = $1 AND (plugin, id) IN
    (SELECT plugin, id FROM plugin_event WHERE org = $1 AND at < $2 ORDER BY at LIMIT $3)";

impl Store {
    /// Lets go of rows whose time is up, `batch` at a time, so that other writers wait for a few milliseconds
    /// at most.
    ///
    /// # Errors
    /// As [`Store::write`]; what was let go of before stays so.
    pub async fn sweep(&self, org: &OrgId, retention: &Retention, batch: i64) -> Result<Swept, Error> {
        let Retention { frames, events, commands, loose_facts, plugin_events } = retention.clone();
        Ok(Swept {
            frames: self.sweep_table(org, FRAMES, frames, batch).await?,
            events: self.sweep_table(org, EVENTS, events, batch).await?,
            commands: self.sweep_table(org, COMMANDS, commands, batch).await?,
            loose_facts: self.sweep_table(org, LOOSE_FACTS, loose_facts, batch).await?,
            plugin_events: self.sweep_table(org, PLUGIN_EVENTS, plugin_events, batch).await?,
        })
    }

    async fn sweep_table(
        &self,
        org: &OrgId,
        sql: &'static str,
        before: Option<Instant>,
        batch: i64,
    ) -> Result<u64, Error> {
        let Some(before) = before else { return Ok(0) };
        let mut gone = 0;
        loop {
            let owner = org.clone();
            let met = self
                .write(Lane::org(org), async move |tx| tx.run(&owner, sql, args![before, batch.max(1)]).await)
                .await?;
            if met == 0 {
                return Ok(gone);
            }
            gone += met;
        }
    }
}
