//! Campaigns at work: reads what chargers have reported, tells those whose turn it is, and keeps how far all have come.

use super::{Around, Plan, Progress, Step, decide};
use crate::chargers::model::{FirmwareOrder, FirmwareStatus};
use crate::clock;
use crate::desk::{Clerk, Order};
use crate::hub::Unsent;
use crate::serve::Stop;
use crate::store::{
    Campaign, CampaignStatus, Error, Event, Lane, Member, MemberStatus, NewEvent, OrgId, Store, Tx,
};
use chrono_tz::Tz;
use futures_util::future::join_all;
use serde::Deserialize;
use serde_json::json;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;
use takst_engine::units::Instant;

const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Events that are read in one go.
const EVENTS: i64 = 1_000;

/// Knows the clock of a charger's site.
pub trait Sites: Send + Sync + 'static {
    /// The time zone; none when the set-up does not know the charger.
    fn zone_of(&self, org: &OrgId, charger: &str) -> Option<Tz>;
}

/// Carries campaigns out.
pub struct Campaigns {
    store: Store,
    org: OrgId,
    clerk: Arc<Clerk>,
    sites: Arc<dyn Sites>,
}

/// What the events say that matter here.
#[derive(Deserialize)]
struct Told {
    status: Option<FirmwareStatus>,
    request: Option<i64>,
    firmware: Option<String>,
}

impl Campaigns {
    /// For the chargers of an organisation.
    #[must_use]
    pub fn new(store: Store, org: OrgId, clerk: Arc<Clerk>, sites: Arc<dyn Sites>) -> Self {
        Self { store, org, clerk, sites }
    }

    /// Looks again and again until the server stops.
    pub async fn run(self, mut stop: Stop) {
        loop {
            if let Err(error) = self.look(clock::now()).await {
                tracing::warn!(%error, "firmware campaigns could not be looked at; the next look is soon");
            }
            if tokio::time::timeout(LOOK_EVERY, stop.stopped()).await.is_ok() {
                return;
            }
        }
    }

    /// Looks once at every campaign that has not ended.
    ///
    /// # Errors
    /// When the storage fails; the next look makes up for it.
    pub async fn look(&self, now: Instant) -> Result<(), Error> {
        let campaigns = self.store.read().await?.open_campaigns(&self.org).await?;
        for campaign in campaigns {
            let Ok(plan) = serde_json::from_str::<Plan>(&campaign.plan) else {
                tracing::error!(campaign = campaign.id, "the plan of a campaign cannot be read");
                continue;
            };
            self.hear(&campaign, &plan).await?;
            self.go_on(&campaign, &plan, now).await?;
        }
        Ok(())
    }

    // What chargers have reported since the last look.
    async fn hear(&self, campaign: &Campaign, plan: &Plan) -> Result<(), Error> {
        let mut seen = campaign.seen;
        loop {
            let mut reader = self.store.read().await?;
            let events = reader.events_after(&self.org, seen, EVENTS).await?;
            let Some(last) = events.last().map(|event| event.seq) else { return Ok(()) };
            let mut members: HashMap<String, Member> = reader
                .members(&self.org, &campaign.id)
                .await?
                .into_iter()
                .filter(|member| member.status == MemberStatus::Underway)
                .map(|member| (member.charger.clone(), member))
                .collect();
            drop(reader);
            let mut changed = HashSet::new();
            for event in &events {
                let Some(member) = members.get_mut(&event.subject) else { continue };
                if member.status == MemberStatus::Underway && take_in(member, event, campaign, plan) {
                    changed.insert(event.subject.clone());
                }
            }
            seen = last;
            members.retain(|charger, _| changed.contains(charger));
            self.keep(campaign, members.into_values().collect(), Some(last)).await?;
        }
    }

    async fn go_on(&self, campaign: &Campaign, plan: &Plan, now: Instant) -> Result<(), Error> {
        let mut reader = self.store.read().await?;
        let members = reader.members(&self.org, &campaign.id).await?;
        let watched = reader.watched_chargers(&self.org).await?;
        let connected: HashSet<String> = watched
            .into_iter()
            .filter(|charger| charger.connected_at.is_some())
            .map(|charger| charger.id)
            .collect();
        let sessions = reader.watched_sessions(&self.org).await?;
        let mut busy: HashSet<String> = sessions.into_iter().map(|session| session.charger).collect();
        // Nor while another campaign is at it.
        for other in reader.open_campaigns(&self.org).await? {
            if other.id != campaign.id {
                let theirs = reader.members(&self.org, &other.id).await?.into_iter();
                busy.extend(theirs.filter(|one| one.status == MemberStatus::Underway).map(|one| one.charger));
            }
        }
        drop(reader);
        let hours = plan.read_hours().ok().flatten();
        let around = |charger: &str| Around {
            connected: connected.contains(charger),
            busy: busy.contains(charger),
            hour: hours.is_none_or(|hours| {
                self.sites.zone_of(&self.org, charger).is_some_and(|zone| hours.hold(zone, now))
            }),
        };
        let halted = campaign.status == CampaignStatus::Halted;
        let steps = decide(plan, &members, campaign.forgiven, halted, now, around);
        let mut turns = Vec::new();
        for step in steps {
            match step {
                Step::Tell(charger) => turns.push(charger),
                Step::GiveUp(charger) => {
                    let told = Some(format!("not installed within {} minutes", plan.minutes_each));
                    let member = Member { charger, status: MemberStatus::Failed, told, since: now };
                    self.keep(campaign, vec![member], None).await?;
                }
                Step::Halt(why) => self.set(campaign, CampaignStatus::Halted, Some(why), now).await?,
                Step::Finish => self.set(campaign, CampaignStatus::Done, None, now).await?,
            }
        }
        // Kept before they are told: after a crash nobody is told twice.
        let underway = turns.iter().map(|charger| Member {
            charger: charger.clone(),
            status: MemberStatus::Underway,
            told: None,
            since: now,
        });
        self.keep(campaign, underway.collect(), None).await?;
        let told = join_all(turns.into_iter().map(|charger| self.tell(campaign, plan, charger))).await;
        self.keep(campaign, told.into_iter().flatten().collect(), None).await
    }

    // Tells one charger; what became of it when it is not underway now.
    async fn tell(&self, campaign: &Campaign, plan: &Plan, charger: String) -> Option<Member> {
        let order = FirmwareOrder {
            request: request(campaign),
            location: plan.firmware.location.clone(),
            fetch_at: clock::now(),
            install_at: None,
            certificate: plan.firmware.certificate.clone(),
            signature: plan.firmware.signature.clone(),
            retries: None,
            retry_interval_s: None,
        };
        let by = format!("campaign {}", campaign.id);
        let done = self.clerk.command(&self.org, &charger, Order::UpdateFirmware(Box::new(order)), &by).await;
        let (status, told) = match done {
            Ok(done) => match done.outcome {
                Ok(outcome) if outcome.status.is_good() => return None,
                Ok(outcome) => {
                    (MemberStatus::Failed, format!("the charger answered {}", outcome.status.as_str()))
                }
                // It was not reached: its turn comes again.
                Err(unsent @ (Unsent::NotConnected | Unsent::Busy)) => {
                    (MemberStatus::Waiting, unsent.to_string())
                }
                Err(unsent @ (Unsent::TimedOut { sent: false } | Unsent::Gone { sent: false })) => {
                    (MemberStatus::Waiting, unsent.to_string())
                }
                // It may have heard: its reports will tell.
                Err(Unsent::TimedOut { sent: true } | Unsent::Gone { sent: true }) => return None,
                Err(unsent) => (MemberStatus::Failed, unsent.to_string()),
            },
            Err(why) => (MemberStatus::Failed, why.to_string()),
        };
        Some(Member { charger, status, told: Some(told), since: clock::now() })
    }

    async fn keep(&self, campaign: &Campaign, members: Vec<Member>, seen: Option<i64>) -> Result<(), Error> {
        if members.is_empty() && seen.is_none() {
            return Ok(());
        }
        let (org, id) = (self.org.clone(), campaign.id.clone());
        let unit = async move |tx: &mut Tx| {
            for member in &members {
                tx.set_member(&org, &id, member).await?;
                let document = json!({ "campaign": id, "charger": member.charger, "status": member.status, "told": member.told });
                tx.log_event(
                    &org,
                    NewEvent {
                        at: member.since,
                        kind: "campaign.charger".to_owned(),
                        subject: id.clone(),
                        document: document.to_string(),
                    },
                );
            }
            if let Some(seen) = seen {
                tx.campaign_has_seen(&org, &id, seen).await?;
            }
            Ok(())
        };
        self.store.write(Lane::org(&self.org), unit).await
    }

    async fn set(
        &self,
        campaign: &Campaign,
        status: CampaignStatus,
        reason: Option<String>,
        at: Instant,
    ) -> Result<(), Error> {
        let (org, id) = (self.org.clone(), campaign.id.clone());
        let unit = async move |tx: &mut Tx| {
            if tx.set_campaign(&org, &id, status, reason.as_deref(), at).await? {
                let document = json!({ "campaign": id, "status": status, "reason": reason }).to_string();
                tx.log_event(
                    &org,
                    NewEvent { at, kind: "campaign.changed".to_owned(), subject: id.clone(), document },
                );
            }
            Ok(())
        };
        self.store.write(Lane::org(&self.org), unit).await
    }
}

/// The number that reports of a campaign's order carry: seconds, which fit the 31 bits of chargers until 2038 and are cut then.
fn request(campaign: &Campaign) -> i64 {
    (campaign.created_at.0 / 1_000).rem_euclid(i64::from(i32::MAX))
}

// What an event says about a charger that is underway; whether it says something.
fn take_in(member: &mut Member, event: &Event, campaign: &Campaign, plan: &Plan) -> bool {
    if event.at < member.since {
        return false;
    }
    let Ok(told) = serde_json::from_str::<Told>(&event.document) else { return false };
    match event.kind.as_str() {
        "charger.firmware" => {
            let ours = told.request.is_none_or(|number| number == request(campaign));
            let Some(status) = told.status.filter(|_| ours) else { return false };
            let next = match Progress::of(&status) {
                Progress::Nothing => return false,
                Progress::Underway => MemberStatus::Underway,
                Progress::Done => MemberStatus::Done,
                Progress::Failed => MemberStatus::Failed,
            };
            member.told = Some(status.as_str().to_owned());
            // A charger at work keeps the time at which it was told: its patience counts from there.
            if next != MemberStatus::Underway {
                member.since = event.at;
            }
            member.status = next;
            true
        }
        "charger.booted" if plan.firmware.version.is_some() && told.firmware == plan.firmware.version => {
            (member.status, member.since) = (MemberStatus::Done, event.at);
            member.told = told.firmware.map(|version| format!("booted with {version}"));
            true
        }
        _ => false,
    }
}
