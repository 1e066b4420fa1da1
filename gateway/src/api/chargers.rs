//! Chargers, what they said and what they were told.

use super::access::Wish;
use super::paging::{Limit, Listed};
use super::{Api, Caller, Named, Params, Problem, words};
use crate::store::{Charger, Command, ConnectorState, FrameSearch, Registration};
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use takst_engine::calendar_time::utc_text;
use utoipa::{IntoParams, ToSchema};

/// A page of chargers.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Page {
    /// Behind the charger with this id: what the header `Takst-Next` of the last answer says.
    pub after: Option<String>,
    /// Chargers in the answer, up to 500.
    pub limit: Option<i64>,
}

/// A charger.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChargerDoc {
    /// Its identity.
    pub id: String,
    /// `pending`, `accepted`, `rejected`.
    #[schema(value_type = String)]
    pub registration: Registration,
    /// It has a connection.
    pub online: bool,
    /// `ocpp1.6`, `ocpp2.0.1`, `ocpp2.1`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
    /// From its last boot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vendor: Option<String>,
    /// From its last boot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// From its last boot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// From its last boot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub firmware: Option<String>,
    /// When it last booted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_boot: Option<String>,
    /// When it was last heard.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_seen: Option<String>,
    /// Its clock minus ours, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock_ahead_s: Option<String>,
    /// Its connectors.
    pub connectors: Vec<ConnectorDoc>,
}

/// A connector.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConnectorDoc {
    /// EVSE number; connector number in OCPP 1.6. 0 is the charger as a whole.
    pub evse: i64,
    /// Connector of the EVSE.
    pub connector: i64,
    /// `Available`, `Charging`, `Faulted`, ...
    pub status: String,
    /// Since when, by the charger's clock.
    pub since: String,
    /// The fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub fault: Option<Value>,
}

impl From<ConnectorState> for ConnectorDoc {
    fn from(row: ConnectorState) -> Self {
        Self {
            evse: row.evse,
            connector: row.connector,
            status: row.status,
            since: utc_text(row.since),
            fault: row.error.map(|error| words::document(&error)).filter(|fault| !fault.is_null()),
        }
    }
}

pub(super) fn document(row: Charger, connectors: Vec<ConnectorState>) -> ChargerDoc {
    ChargerDoc {
        online: row.connection.is_some(),
        id: row.id,
        registration: row.registration,
        protocol: row.protocol,
        vendor: row.vendor,
        model: row.model,
        serial: row.serial,
        firmware: row.firmware,
        last_boot: row.last_boot.map(utc_text),
        last_seen: row.last_seen.map(utc_text),
        clock_ahead_s: row.skew_ms.map(|ms| takst_engine::exact::print_decimal(i128::from(ms), 3, true)),
        connectors: connectors.into_iter().map(ConnectorDoc::from).collect(),
    }
}

/// Chargers by id.
#[utoipa::path(get, path = "/api/v1/chargers", tag = "chargers", params(Page),
    responses((status = 200, body = Vec<ChargerDoc>, headers(("Takst-Next" = Option<String>, description = "what to send as `after` for the next piece; none at the end"))), (status = "4XX", body = Problem)))]
pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Params(page): Params<Page>,
) -> Result<Listed<ChargerDoc>, Problem> {
    caller.wants(Wish::SeeChargers)?;
    let limit = Limit::of(page.limit, 100, 500)?;
    let mut reader = api.store.read().await?;
    let mut rows = reader.chargers(&caller.org, page.after.as_deref(), limit.rows()).await?;
    let next = limit.cut(&mut rows, |row| row.id.clone());
    let mut documents = Vec::new();
    for row in rows {
        let connectors = reader.connectors(&caller.org, &row.id).await?;
        documents.push(document(row, connectors));
    }
    Ok(Listed { rows: documents, next })
}

/// One charger.
#[utoipa::path(get, path = "/api/v1/chargers/{id}", tag = "chargers", params(("id" = String, Path)),
    responses((status = 200, body = ChargerDoc), (status = "4XX", body = Problem)))]
pub(super) async fn one(
    State(api): State<Api>,
    caller: Caller,
    Named(id): Named<String>,
) -> Result<Json<ChargerDoc>, Problem> {
    caller.wants(Wish::SeeChargers)?;
    let row = api.charger(&caller.org, &id).await?;
    let connectors = api.store.read().await?.connectors(&caller.org, &row.id).await?;
    Ok(Json(document(row, connectors)))
}

/// Which raw frames.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Search {
    /// With this text in them.
    pub contains: Option<String>,
    /// At this time or later (RFC 3339).
    pub from: Option<String>,
    /// Before this time.
    pub until: Option<String>,
    /// Frames in the answer, up to 1000.
    pub limit: Option<i64>,
    /// Behind the frame with this `seq`, to older ones: what the header `Takst-Next` of the last answer says.
    pub after: Option<i64>,
}

/// One frame on the wire.
#[derive(Debug, Serialize, ToSchema)]
pub struct FrameDoc {
    /// Its number among the charger's frames.
    pub seq: i64,
    /// When.
    pub at: String,
    /// `in` from the charger, `out` to it.
    pub direction: &'static str,
    /// The text as it was, but for secrets: passwords and the like are blanked before it is kept.
    pub body: String,
}

/// The newest raw frames first. One shows up within half a second; when all chargers together say very much, within four.
#[utoipa::path(get, path = "/api/v1/chargers/{id}/frames", tag = "chargers", params(("id" = String, Path), Search),
    responses((status = 200, body = Vec<FrameDoc>, headers(("Takst-Next" = Option<String>, description = "what to send as `after` for the next piece; none at the end"))), (status = "4XX", body = Problem)))]
pub(super) async fn frames(
    State(api): State<Api>,
    caller: Caller,
    Named(id): Named<String>,
    Params(search): Params<Search>,
) -> Result<Listed<FrameDoc>, Problem> {
    caller.wants(Wish::SeeChargers)?;
    let time = |text: &Option<String>| match text {
        Some(text) => words::read_time(text).map(Some).map_err(Problem::bad),
        None => Ok(None),
    };
    let limit = Limit::of(search.limit, 100, 1_000)?;
    let (from, until) = (time(&search.from)?, time(&search.until)?);
    let filter = FrameSearch { from, until, contains: search.contains, before: search.after };
    // Of a charger that is not there nothing is told, not even that there is nothing.
    let id = api.charger(&caller.org, &id).await?.id;
    let mut rows = api.store.read().await?.frames(&caller.org, &id, &filter, limit.rows()).await?;
    let next = limit.cut(&mut rows, |row| row.seq.to_string());
    let document = |row: crate::store::Frame| FrameDoc {
        seq: row.seq,
        at: utc_text(row.at),
        direction: row.direction.as_str(),
        body: row.body,
    };
    Ok(Listed { rows, next }.map(document))
}

/// A command and what came of it.
#[derive(Debug, Serialize, ToSchema)]
pub struct CommandDoc {
    /// Its id.
    pub id: String,
    /// `reset`, `unlock`, ...
    pub kind: String,
    /// `queued`, `sent`, `answered`, `failed`, `expired`.
    pub status: &'static str,
    /// What to do.
    #[schema(value_type = Object)]
    pub order: Value,
    /// What came of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub outcome: Option<Value>,
    /// When it was given.
    pub given: String,
    /// By whom.
    pub by: String,
}

impl From<Command> for CommandDoc {
    fn from(row: Command) -> Self {
        Self {
            id: row.id,
            kind: row.kind,
            status: row.status.as_str(),
            order: words::document(&row.document),
            outcome: row.outcome.map(|outcome| outcome_of(&outcome)).filter(|outcome| !outcome.is_null()),
            given: utc_text(row.created_at),
            by: row.created_by,
        }
    }
}

// As in the answer to the one who gave the order: `details` only where there are some.
fn outcome_of(text: &str) -> Value {
    let mut outcome = words::document(text);
    if let Some(members) = outcome.as_object_mut()
        && members.get("details").is_some_and(|details| details == "None")
    {
        members.remove("details");
    }
    outcome
}

/// Which commands.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Given {
    /// Commands in the answer, up to 200.
    pub limit: Option<i64>,
    /// Behind the command with this id, to older ones: what the header `Takst-Next` of the last answer says.
    pub after: Option<String>,
}

/// The newest commands first.
#[utoipa::path(get, path = "/api/v1/chargers/{id}/commands", tag = "chargers", params(("id" = String, Path), Given),
    responses((status = 200, body = Vec<CommandDoc>, headers(("Takst-Next" = Option<String>, description = "what to send as `after` for the next piece; none at the end"))), (status = "4XX", body = Problem)))]
pub(super) async fn commands(
    State(api): State<Api>,
    caller: Caller,
    Named(id): Named<String>,
    Params(wanted): Params<Given>,
) -> Result<Listed<CommandDoc>, Problem> {
    caller.wants(Wish::SeeChargers)?;
    let id = api.charger(&caller.org, &id).await?.id;
    let limit = Limit::of(wanted.limit, 100, 200)?;
    let after = wanted.after.as_deref();
    let mut rows = api.store.read().await?.commands(&caller.org, &id, after, limit.rows()).await?;
    let next = limit.cut(&mut rows, |row| row.id.clone());
    Ok(Listed { rows, next }.map(CommandDoc::from))
}
