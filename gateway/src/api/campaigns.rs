//! Firmware campaigns.

use super::access::Wish;
use super::paging::{Limit, Listed, Page};
use super::{Api, Body, Caller, Named, Params, Problem};
use crate::campaigns::{Firmware, Plan};
use crate::chargers::model::fold;
use crate::chargers::time;
use crate::clock::now;
use crate::ocpp::secrets;
use crate::store::{
    AuditEntry, Campaign, CampaignStatus, Charger, Lane, Member, NewEvent, OrgId, Registration, Tx, new_id,
};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeSet;
use takst_engine::calendar_time::utc_text;
use takst_engine::units::Instant;
use utoipa::ToSchema;

/// Most chargers that are looked at for a campaign.
const MOST_CHARGERS: i64 = 100_000;

/// Which chargers: those of the list, or all that fit every one of the others.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Which {
    /// These.
    #[serde(default)]
    pub ids: Vec<String>,
    /// Of this site.
    #[serde(default)]
    pub site: Option<String>,
    /// Of this maker, as the chargers say it.
    #[serde(default)]
    pub vendor: Option<String>,
    /// Of this model, as the chargers say it.
    #[serde(default)]
    pub model: Option<String>,
}

/// A campaign to be begun.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCampaign {
    /// For people.
    pub name: String,
    /// What is installed.
    pub firmware: Firmware,
    /// Where.
    pub chargers: Which,
    /// Not before this time (RFC 3339).
    #[serde(default)]
    pub from: Option<String>,
    /// No charger is told any more from this time on (RFC 3339).
    #[serde(default)]
    pub until: Option<String>,
    /// Only in these hours on the clock of the site, as in `01:00-05:00`.
    #[serde(default)]
    pub hours: Option<String>,
    /// So many chargers at the same time; 1 when not said.
    #[serde(default)]
    pub at_once: Option<u32>,
    /// So many failures halt it; 1 when not said, 0: none.
    #[serde(default)]
    pub stop_after_failures: Option<u32>,
    /// A charger has so many minutes; 60 when not said.
    #[serde(default)]
    pub minutes_each: Option<u32>,
}

/// A campaign.
#[derive(Debug, Serialize, ToSchema)]
pub struct CampaignDoc {
    /// Its id.
    pub id: String,
    /// For people.
    pub name: String,
    /// `running`, `halted`, `done`, `stopped`.
    pub status: String,
    /// Why it halted or stopped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What is installed, when, how carefully; times in milliseconds since 1970.
    #[schema(value_type = Object)]
    pub plan: serde_json::Value,
    /// When it was begun.
    pub created: String,
    /// By whom.
    pub created_by: String,
    /// How far each charger is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub chargers: Vec<MemberDoc>,
}

/// A charger of a campaign.
#[derive(Debug, Serialize, ToSchema)]
pub struct MemberDoc {
    /// Which one.
    pub charger: String,
    /// `waiting`, `underway`, `done`, `failed`, `left`.
    pub status: String,
    /// What it told last, or why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub told: Option<String>,
    /// Since when it stands so.
    pub since: String,
}

impl CampaignDoc {
    fn of(row: Campaign, members: Vec<Member>) -> Self {
        let member = |row: Member| MemberDoc {
            charger: row.charger,
            status: row.status.as_str().to_owned(),
            told: row.told,
            since: utc_text(row.since),
        };
        Self {
            id: row.id,
            name: row.name,
            status: row.status.as_str().to_owned(),
            reason: row.reason,
            // The address of the firmware may hold a password.
            plan: serde_json::from_str(&secrets::blanked(&row.plan)).unwrap_or_default(),
            created: utc_text(row.created_at),
            created_by: row.created_by,
            chargers: members.into_iter().map(member).collect(),
        }
    }
}

/// All campaigns, newest first.
#[utoipa::path(get, path = "/api/v1/campaigns", tag = "campaigns", params(Page),
    responses((status = 200, body = Vec<CampaignDoc>, headers(("Takst-Next" = Option<String>, description = "what to send as `after` for the next piece; none at the end"))), (status = "4XX", body = Problem)))]
pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Params(page): Params<Page>,
) -> Result<Listed<CampaignDoc>, Problem> {
    caller.wants(Wish::SeeChargers)?;
    let rows = api.store.read().await?.campaigns(&caller.org).await?;
    let limit = Limit::of(page.limit, 100, 200)?;
    let piece = limit.piece(rows, page.after.as_deref(), |row| row.id.clone())?;
    Ok(piece.map(|row| CampaignDoc::of(row, Vec::new())))
}

/// A campaign with its chargers.
#[utoipa::path(get, path = "/api/v1/campaigns/{id}", tag = "campaigns", params(("id" = String, Path)),
    responses((status = 200, body = CampaignDoc), (status = "4XX", body = Problem)))]
pub(super) async fn one(
    State(api): State<Api>,
    caller: Caller,
    Named(id): Named<String>,
) -> Result<Json<CampaignDoc>, Problem> {
    caller.wants(Wish::SeeChargers)?;
    shown(&api, &caller.org, &id).await.map(Json)
}

async fn shown(api: &Api, org: &OrgId, id: &str) -> Result<CampaignDoc, Problem> {
    let mut reader = api.store.read().await?;
    let row = reader.campaign(org, id).await?.ok_or_else(|| Problem::missing("campaign", id))?;
    let members = reader.members(org, id).await?;
    Ok(CampaignDoc::of(row, members))
}

/// Begins a campaign. Chargers are told in the order of their ids, never while a session runs.
#[utoipa::path(post, path = "/api/v1/campaigns", tag = "campaigns", request_body = NewCampaign,
    responses((status = 201, body = CampaignDoc), (status = "4XX", body = Problem)))]
pub(super) async fn begin(
    State(api): State<Api>,
    caller: Caller,
    Body(wanted): Body<NewCampaign>,
) -> Result<(StatusCode, Json<CampaignDoc>), Problem> {
    caller.wants(Wish::Decide)?;
    let plan = plan(&wanted)?;
    let mut reader = api.store.read().await?;
    let known = reader.chargers(&caller.org, None, MOST_CHARGERS).await?;
    let seen = reader.last_event(&caller.org).await?;
    drop(reader);
    let chargers = chosen(&wanted, &known, |charger| api.house.site(&caller.org, charger))?;
    let at = now();
    let row = Campaign {
        id: new_id(),
        name: wanted.name.trim().to_owned(),
        status: CampaignStatus::Running,
        reason: None,
        forgiven: 0,
        plan: json!(plan).to_string(),
        seen,
        created_at: at,
        created_by: caller.who.clone(),
        changed_at: at,
    };
    let (org, id) = (caller.org.clone(), row.id.clone());
    let after = json!({ "name": row.name, "plan": plan, "chargers": chargers }).to_string();
    let after = secrets::blanked(&after).into_owned();
    let entry = entry(&caller, "campaign.begin", &id, at, Some(after));
    let unit = async move |tx: &mut Tx| {
        tx.add_campaign(&org, &row, &chargers).await?;
        tx.log_event(&org, changed(&row.id, CampaignStatus::Running, at));
        tx.audit(&org, &entry).await
    };
    api.store.write(Lane::org(&caller.org), unit).await?;
    let document = shown(&api, &caller.org, &id).await?;
    Ok((StatusCode::CREATED, Json(document)))
}

/// Lets a halted campaign go on; what failed so far does not halt it again.
#[utoipa::path(post, path = "/api/v1/campaigns/{id}/resume", tag = "campaigns", params(("id" = String, Path)),
    responses((status = 200, body = CampaignDoc), (status = "4XX", body = Problem)))]
pub(super) async fn resume(
    State(api): State<Api>,
    caller: Caller,
    Named(id): Named<String>,
) -> Result<Json<CampaignDoc>, Problem> {
    caller.wants(Wish::Decide)?;
    shown(&api, &caller.org, &id).await?;
    let (org, at) = (caller.org.clone(), now());
    let entry = entry(&caller, "campaign.resume", &id, at, None);
    let which = id.clone();
    let unit = async move |tx: &mut Tx| {
        let halted = tx.resume_campaign(&org, &which, at).await?;
        if halted {
            tx.log_event(&org, changed(&which, CampaignStatus::Running, at));
            tx.audit(&org, &entry).await?;
        }
        Ok(halted)
    };
    if !api.store.write(Lane::org(&caller.org), unit).await? {
        return Err(Problem::new(StatusCode::CONFLICT, "this campaign has not halted"));
    }
    shown(&api, &caller.org, &id).await.map(Json)
}

/// Ends a campaign: no further charger is told. Those underway go on by themselves.
#[utoipa::path(post, path = "/api/v1/campaigns/{id}/stop", tag = "campaigns", params(("id" = String, Path)),
    responses((status = 200, body = CampaignDoc), (status = "4XX", body = Problem)))]
pub(super) async fn stop(
    State(api): State<Api>,
    caller: Caller,
    Named(id): Named<String>,
) -> Result<Json<CampaignDoc>, Problem> {
    caller.wants(Wish::Decide)?;
    shown(&api, &caller.org, &id).await?;
    let (org, at, reason) = (caller.org.clone(), now(), format!("stopped by {}", caller.who));
    let entry = entry(&caller, "campaign.stop", &id, at, None);
    let which = id.clone();
    let unit = async move |tx: &mut Tx| {
        let open = tx.set_campaign(&org, &which, CampaignStatus::Stopped, Some(&reason), at).await?;
        if open {
            tx.log_event(&org, changed(&which, CampaignStatus::Stopped, at));
            tx.audit(&org, &entry).await?;
        }
        Ok(open)
    };
    if !api.store.write(Lane::org(&caller.org), unit).await? {
        return Err(Problem::new(StatusCode::CONFLICT, "this campaign has ended already"));
    }
    shown(&api, &caller.org, &id).await.map(Json)
}

fn plan(wanted: &NewCampaign) -> Result<Plan, Problem> {
    if wanted.name.trim().is_empty() || wanted.name.len() > 200 {
        return Err(Problem::bad("`name` is 1 to 200 characters"));
    }
    let instant = |name: &str, text: &Option<String>| -> Result<Option<Instant>, Problem> {
        let Some(text) = text else { return Ok(None) };
        let read = time::read(text, 0).map(|(at, _)| at);
        let read = read.ok_or_else(|| {
            Problem::bad(format!("`{name}`: `{text}` is no time; write it as in 2026-11-22T01:00:00Z"))
        })?;
        Ok(Some(read))
    };
    let plan = Plan {
        firmware: wanted.firmware.clone(),
        from: instant("from", &wanted.from)?,
        until: instant("until", &wanted.until)?,
        hours: wanted.hours.clone(),
        at_once: wanted.at_once.unwrap_or(1),
        stop_after_failures: wanted.stop_after_failures.unwrap_or(1),
        minutes_each: wanted.minutes_each.unwrap_or(60),
    };
    plan.check().map_err(|why| Problem::bad(why.to_string()))?;
    Ok(plan)
}

// The chargers that are meant and have not got it yet.
fn chosen(
    wanted: &NewCampaign,
    known: &[Charger],
    site_of: impl Fn(&str) -> Option<String>,
) -> Result<Vec<String>, Problem> {
    let Which { ids, site, vendor, model } = &wanted.chargers;
    let filtered = site.is_some() || vendor.is_some() || model.is_some();
    if ids.is_empty() != filtered {
        return Err(Problem::bad(
            "`chargers` says either `ids`, or one or more of `site`, `vendor` and `model`",
        ));
    }
    // Letters in either case name the same charger; where there are two, the one that is written so.
    let called = |name: &String| {
        let exact = known.iter().find(|charger| charger.id == *name);
        exact
            .or_else(|| known.iter().find(|charger| fold(&charger.id) == fold(name)))
            .map(|charger| &charger.id)
    };
    let missing = ids.iter().find(|id| called(id).is_none());
    if let Some(missing) = missing {
        return Err(Problem::bad(format!("there is no charger `{missing}`")));
    }
    let ids: BTreeSet<&String> = ids.iter().filter_map(called).collect();
    let fits = |charger: &Charger| {
        let same = |wanted: &Option<String>, is: &Option<String>| wanted.is_none() || wanted == is;
        match filtered {
            true => {
                (site.is_none() || *site == site_of(&charger.id))
                    && same(vendor, &charger.vendor)
                    && same(model, &charger.model)
            }
            false => ids.contains(&charger.id),
        }
    };
    let accepted = |charger: &Charger| charger.registration == Registration::Accepted;
    let has =
        |charger: &Charger| wanted.firmware.version.is_some() && charger.firmware == wanted.firmware.version;
    let chosen: BTreeSet<String> = known
        .iter()
        .filter(|charger| accepted(charger) && fits(charger) && !has(charger))
        .map(|charger| charger.id.clone())
        .collect();
    if chosen.is_empty() {
        return Err(Problem::bad("no charger is meant, or all have this version already"));
    }
    Ok(chosen.into_iter().collect())
}

fn changed(id: &str, status: CampaignStatus, at: Instant) -> NewEvent {
    let document = json!({ "campaign": id, "status": status }).to_string();
    NewEvent { at, kind: "campaign.changed".to_owned(), subject: id.to_owned(), document }
}

fn entry(caller: &Caller, what: &str, subject: &str, at: Instant, after: Option<String>) -> AuditEntry {
    AuditEntry {
        id: new_id(),
        at,
        who: caller.who.clone(),
        what: what.to_owned(),
        subject: subject.to_owned(),
        before_doc: None,
        after_doc: after,
    }
}
