//! What is or was wrong.

use super::access::Wish;
use super::paging::{Limit, Listed, unknown};
use super::{Api, Caller, Named, Params, Problem, words};
use crate::store::Incident;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use takst_engine::calendar_time::utc_text;
use takst_engine::units::Instant;
use utoipa::{IntoParams, ToSchema};

/// Which incidents.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Wanted {
    /// Of this charger, letters in either case.
    pub charger: Option<String>,
    /// Only those that are not over.
    pub open: Option<bool>,
    /// Incidents in the answer, up to 200.
    pub limit: Option<i64>,
    /// Behind the incident with this id: what the header `Takst-Next` of the last answer says.
    pub after: Option<String>,
}

/// Something that is or was wrong.
#[derive(Debug, Serialize, ToSchema)]
pub struct IncidentDoc {
    /// Its id.
    pub id: String,
    /// The charger, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub charger: Option<String>,
    /// What exactly it is about.
    pub subject: String,
    /// `offline`, `faulted`, `feed.late`, ...
    pub kind: String,
    /// `warning`, `error`.
    pub severity: String,
    /// Since when.
    pub opened: String,
    /// Until when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub closed: Option<String>,
    /// What is known of it.
    #[schema(value_type = Object)]
    pub about: Value,
    /// What happened in it, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<Object>)]
    pub history: Vec<Value>,
}

impl From<Incident> for IncidentDoc {
    fn from(row: Incident) -> Self {
        Self {
            id: row.id,
            charger: row.charger,
            subject: row.subject,
            kind: row.kind,
            severity: row.severity,
            opened: utc_text(row.opened_at),
            closed: row.closed_at.map(utc_text),
            about: about(&row.document),
            history: Vec::new(),
        }
    }
}

// What an incident is about. Spans of changed prices are kept in milliseconds, and go out as times.
fn about(text: &str) -> Value {
    let mut about = words::document(text);
    if let Some(Value::Array(spans)) = about.get_mut("changed") {
        let ends = spans.iter_mut().filter_map(Value::as_array_mut).flatten();
        for end in ends {
            if let Some(at) = end.as_i64() {
                *end = Value::from(utc_text(Instant(at)));
            }
        }
    }
    about
}

// Whoever sees chargers alone sees what is wrong with them, and nothing of bills, payments and people.
fn is_shown(row: &Incident, all: bool) -> bool {
    all || row.charger.is_some()
}

/// The newest incidents first; with `open=true` those that are not over, the oldest first.
#[utoipa::path(get, path = "/api/v1/incidents", tag = "chargers", params(Wanted),
    responses((status = 200, body = Vec<IncidentDoc>, headers(("Takst-Next" = Option<String>, description = "what to send as `after` for the next piece; none at the end"))), (status = "4XX", body = Problem)))]
pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Params(wanted): Params<Wanted>,
) -> Result<Listed<IncidentDoc>, Problem> {
    caller.wants(Wish::SeeChargers)?;
    let charger = api.charger_id(&caller.org, wanted.charger.as_deref()).await?;
    let all = caller.role.may(Wish::SeeTroubles);
    let mut reader = api.store.read().await?;
    let limit = Limit::of(wanted.limit, 100, 200)?;
    let id = |row: &Incident| row.id.clone();
    if wanted.open == Some(true) {
        let mut open = reader.open_incidents(&caller.org).await?;
        open.retain(|row| is_shown(row, all) && (charger.is_none() || row.charger == charger));
        return Ok(limit.piece(open, wanted.after.as_deref(), id)?.map(IncidentDoc::from));
    }
    let last = match &wanted.after {
        Some(after) => {
            let last = reader.incident(&caller.org, after).await?.filter(|row| is_shown(row, all));
            Some(last.ok_or_else(|| unknown(after))?)
        }
        None => None,
    };
    let after = last.as_ref().map(|last| (last.opened_at, last.id.as_str()));
    let mut rows = match all {
        true => reader.incidents(&caller.org, charger.as_deref(), after, limit.rows()).await?,
        false => reader.incidents_of_chargers(&caller.org, charger.as_deref(), after, limit.rows()).await?,
    };
    let next = limit.cut(&mut rows, id);
    Ok(Listed { rows, next }.map(IncidentDoc::from))
}

/// One incident with its history.
#[utoipa::path(get, path = "/api/v1/incidents/{id}", tag = "chargers", params(("id" = String, Path)),
    responses((status = 200, body = IncidentDoc), (status = "4XX", body = Problem)))]
pub(super) async fn one(
    State(api): State<Api>,
    caller: Caller,
    Named(id): Named<String>,
) -> Result<Json<IncidentDoc>, Problem> {
    caller.wants(Wish::SeeChargers)?;
    let mut reader = api.store.read().await?;
    let all = caller.role.may(Wish::SeeTroubles);
    let row = reader.incident(&caller.org, &id).await?.filter(|row| is_shown(row, all));
    let row = row.ok_or_else(|| Problem::missing("incident", &id))?;
    let mut document = IncidentDoc::from(row);
    for event in reader.incident_events(&caller.org, &id).await? {
        let about = about(&event.document);
        document
            .history
            .push(serde_json::json!({ "at": utc_text(event.at), "kind": event.kind, "about": about }));
    }
    Ok(Json(document))
}
