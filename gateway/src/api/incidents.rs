//! What is or was wrong.

use super::access::Wish;
use super::{Api, Caller, Params, Problem};
use crate::store::Incident;
use axum::Json;
use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use takst_engine::calendar_time::utc_text;
use utoipa::{IntoParams, ToSchema};

/// Which incidents.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Wanted {
    /// Of this charger.
    pub charger: Option<String>,
    /// Only those that are not over.
    pub open: Option<bool>,
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
            about: serde_json::from_str(&row.document).unwrap_or_default(),
            history: Vec::new(),
        }
    }
}

/// The newest incidents first.
#[utoipa::path(get, path = "/api/v1/incidents", tag = "chargers", params(Wanted),
    responses((status = 200, body = Vec<IncidentDoc>), (status = "4XX", body = Problem)))]
pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Params(wanted): Params<Wanted>,
) -> Result<Json<Vec<IncidentDoc>>, Problem> {
    caller.wants(Wish::SeeChargers)?;
    let mut reader = api.store.read().await?;
    let rows = if wanted.open == Some(true) {
        let open = reader.open_incidents(&caller.org).await?;
        open.into_iter().filter(|row| wanted.charger.is_none() || row.charger == wanted.charger).collect()
    } else {
        reader.incidents(&caller.org, wanted.charger.as_deref(), None, 100).await?
    };
    Ok(Json(rows.into_iter().map(IncidentDoc::from).collect()))
}

/// One incident with its history.
#[utoipa::path(get, path = "/api/v1/incidents/{id}", tag = "chargers", params(("id" = String, Path)),
    responses((status = 200, body = IncidentDoc), (status = "4XX", body = Problem)))]
pub(super) async fn one(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<IncidentDoc>, Problem> {
    caller.wants(Wish::SeeChargers)?;
    let mut reader = api.store.read().await?;
    let row = reader.incident(&caller.org, &id).await?.ok_or_else(|| Problem::missing("incident", &id))?;
    let mut document = IncidentDoc::from(row);
    for event in reader.incident_events(&caller.org, &id).await? {
        let about: Value = serde_json::from_str(&event.document).unwrap_or_default();
        document
            .history
            .push(serde_json::json!({ "at": utc_text(event.at), "kind": event.kind, "about": about }));
    }
    Ok(Json(document))
}
