//! Firmware campaigns, and how far each of their chargers has come.

use super::error::Error;
use super::record::{OrgId, Record as _, all, key, one, record, words};
use super::sql::{Reader, args, places};
use super::tx::Tx;
use takst_engine::units::Instant;

words! {
    /// How a campaign goes.
    CampaignStatus {
        /// Chargers are told when it is their turn.
        Running = "running",
        /// No further charger is told until somebody lets it go on.
        Halted = "halted",
        /// Every charger has its end.
        Done = "done",
        /// Somebody ended it before.
        Stopped = "stopped",
    }
}

words! {
    /// How far a charger has come in a campaign.
    MemberStatus {
        /// Its turn has not come.
        Waiting = "waiting",
        /// It was told, and is at work.
        Underway = "underway",
        /// The new firmware is installed.
        Done = "done",
        /// It did not work.
        Failed = "failed",
        /// The campaign ended before its turn.
        Left = "left",
    }
}

record! {
    /// A firmware campaign.
    Campaign {
        /// [`super::new_id`].
        id: String,
        /// For people.
        name: String,
        /// How it goes.
        status: CampaignStatus,
        /// Why it halted or stopped.
        reason: Option<String>,
        /// Failures that somebody has seen and let pass.
        forgiven: i64,
        /// JSON: what is to be done, when.
        plan: String,
        /// The last event that was looked at.
        seen: i64,
        /// When it was begun.
        created_at: Instant,
        /// By whom.
        created_by: String,
        /// When its status last changed.
        changed_at: Instant,
    }
}

record! {
    /// A charger of a campaign.
    Member {
        /// Its identity.
        charger: String,
        /// How far it has come.
        status: MemberStatus,
        /// What it last told, or why it failed.
        told: Option<String>,
        /// Since when it stands so.
        since: Instant,
    }
}

impl Tx {
    /// Begins a campaign over these chargers.
    ///
    /// # Errors
    /// [`Error::Conflict`] when there is one with that id.
    pub async fn add_campaign(
        &mut self,
        org: &OrgId,
        campaign: &Campaign,
        chargers: &[String],
    ) -> Result<(), Error> {
        let sql = format!("INSERT INTO campaign (org, {}) VALUES ($1, {})", Campaign::COLUMNS, places(2, 10));
        self.run(org, &sql, campaign.values()).await?;
        for charger in chargers {
            let sql = "INSERT INTO campaign_charger (org, campaign, charger, status, since) VALUES ($1, $2, $3, 'waiting', $4)
                       ON CONFLICT (org, campaign, charger) DO NOTHING";
            self.run(org, sql, args![campaign.id.clone(), key(charger), campaign.created_at]).await?;
        }
        Ok(())
    }

    /// Changes how a campaign goes, unless it has ended; whether it had not.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn set_campaign(
        &mut self,
        org: &OrgId,
        id: &str,
        status: CampaignStatus,
        reason: Option<&str>,
        at: Instant,
    ) -> Result<bool, Error> {
        let sql = "UPDATE campaign SET status = $3, reason = $4, changed_at = $5
                   WHERE org = $1 AND id = $2 AND status IN ('running', 'halted')";
        let changed = self.run(org, sql, args![id, status, reason, at]).await? == 1;
        if changed && matches!(status, CampaignStatus::Stopped | CampaignStatus::Done) {
            let sql = "UPDATE campaign_charger SET status = 'left', since = $3
                       WHERE org = $1 AND campaign = $2 AND status = 'waiting'";
            self.run(org, sql, args![id, at]).await?;
        }
        Ok(changed)
    }

    /// Lets a halted campaign go on: its failures so far do not halt it again. Whether it was halted.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn resume_campaign(&mut self, org: &OrgId, id: &str, at: Instant) -> Result<bool, Error> {
        let sql = "UPDATE campaign SET status = 'running', reason = NULL, changed_at = $3, forgiven =
                     (SELECT COUNT(*) FROM campaign_charger WHERE org = $1 AND campaign = $2 AND status = 'failed')
                   WHERE org = $1 AND id = $2 AND status = 'halted'";
        Ok(self.run(org, sql, args![id, at]).await? == 1)
    }

    /// Notes how far the events have been looked at.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn campaign_has_seen(&mut self, org: &OrgId, id: &str, seq: i64) -> Result<(), Error> {
        let sql = "UPDATE campaign SET seen = $3 WHERE org = $1 AND id = $2 AND seen < $3";
        self.run(org, sql, args![id, seq]).await.map(drop)
    }

    /// Notes how far a charger has come.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn set_member(&mut self, org: &OrgId, campaign: &str, member: &Member) -> Result<(), Error> {
        let sql = "UPDATE campaign_charger SET status = $4, told = $5, since = $6
                   WHERE org = $1 AND campaign = $2 AND charger = $3";
        let Member { charger, status, told, since } = member.clone();
        self.run(org, sql, args![campaign, key(&charger), status, told, since]).await.map(drop)
    }
}

impl Reader {
    /// A campaign.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn campaign(&mut self, org: &OrgId, id: &str) -> Result<Option<Campaign>, Error> {
        let sql = format!("SELECT {} FROM campaign WHERE org = $1 AND id = $2", Campaign::COLUMNS);
        one(self.row(org, &sql, args![id]).await?.as_ref())
    }

    /// All campaigns, newest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn campaigns(&mut self, org: &OrgId) -> Result<Vec<Campaign>, Error> {
        let sql = format!("SELECT {} FROM campaign WHERE org = $1 ORDER BY id DESC", Campaign::COLUMNS);
        all(&self.rows(org, &sql, args![]).await?)
    }

    /// The campaigns that have not ended, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn open_campaigns(&mut self, org: &OrgId) -> Result<Vec<Campaign>, Error> {
        let sql = format!(
            "SELECT {} FROM campaign WHERE org = $1 AND status IN ('running', 'halted') ORDER BY id",
            Campaign::COLUMNS
        );
        all(&self.rows(org, &sql, args![]).await?)
    }

    /// The chargers of a campaign, by identity.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn members(&mut self, org: &OrgId, campaign: &str) -> Result<Vec<Member>, Error> {
        let sql = format!(
            "SELECT {} FROM campaign_charger WHERE org = $1 AND campaign = $2 ORDER BY charger",
            Member::COLUMNS
        );
        all(&self.rows(org, &sql, args![campaign]).await?)
    }
}
