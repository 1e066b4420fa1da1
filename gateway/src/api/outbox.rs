//! The outbox: what is asked of others, how far it has come, and what a person decides about it.

use super::access::Wish;
use super::paging::{Limit, Listed};
use super::payments::{cursor, outbox, place};
use super::sessions::Decision;
use super::{Api, Body, Caller, Named, Params, Problem};
use crate::clock::now;
use crate::outbox::{self, Gate};
use crate::store::{Intent, IntentKind, IntentState, OrgId};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

/// Which intents.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Wanted {
    /// `waiting`, `calling`, `unknown`, `following`, `dead`, `done`, `failed`, `given-up`.
    pub state: Option<String>,
    /// Intents in the answer, up to 200.
    pub limit: Option<i64>,
    /// The next page: what the last answer's header `Takst-Next` says.
    pub after: Option<String>,
}

/// Something that is asked of a plugin.
#[derive(Debug, Serialize, ToSchema)]
pub struct IntentDoc {
    /// Its id.
    pub id: String,
    /// `charge`, `capture`, `refund`, `cancel`, `save`, `message`, `invoice`, `recall`, `mail`.
    #[schema(value_type = String)]
    pub kind: IntentKind,
    /// How far it has come.
    #[schema(value_type = String)]
    pub state: IntentState,
    /// Whose order it keeps.
    pub debtor: String,
    /// Its place in that order.
    pub place: i64,
    /// Who is asked.
    pub plugin: String,
    /// The plugin's version that it was first asked with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The payment or instrument.
    pub subject: String,
    /// The key that the provider does it once for.
    pub idempotency_key: String,
    /// How many times it was asked.
    pub attempts: i64,
    /// Failures in a row.
    pub failures: i64,
    /// When something is done about it next (RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// Since when it is in this state.
    pub since: String,
    /// The last trouble, a short word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The same for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// When it was written down.
    pub created: String,
    /// By whom.
    pub created_by: String,
    /// When it was over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished: Option<String>,
    /// What is asked.
    #[schema(value_type = Object)]
    pub request: Value,
}

// What a message says is for its reader: a link in it opens a bill.
fn shown(row: &Intent) -> Value {
    let mut request: Value = serde_json::from_str(&row.request).unwrap_or_default();
    if row.kind == IntentKind::Message
        && let Some(fields) = request.as_object_mut()
    {
        fields.remove("text");
    }
    request
}

fn document(api: &Api, org: &OrgId, row: Intent) -> IntentDoc {
    let text = |at| api.text(org, None, at);
    IntentDoc {
        next: row.next_at.map(text),
        since: text(row.since),
        created: text(row.created_at),
        finished: row.finished_at.map(text),
        request: shown(&row),
        id: row.id,
        kind: row.kind,
        state: row.state,
        debtor: row.debtor,
        place: row.place,
        plugin: row.plugin,
        version: row.version,
        subject: row.subject,
        idempotency_key: row.idempotency,
        attempts: row.attempt,
        failures: row.failures,
        code: row.code,
        detail: row.detail,
        created_by: row.created_by,
    }
}

/// The newest intents first.
#[utoipa::path(get, path = "/api/v1/outbox", tag = "money", params(Wanted),
    responses((status = 200, body = Vec<IntentDoc>, headers(("Takst-Next" = Option<String>, description = "what to send as `after` for the next piece; none at the end"))), (status = "4XX", body = Problem)))]
pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Params(wanted): Params<Wanted>,
) -> Result<Listed<IntentDoc>, Problem> {
    caller.wants(Wish::SeeSessions)?;
    let state = match wanted.state.as_deref() {
        None => None,
        Some(word) => Some(
            IntentState::from_word(word)
                .ok_or_else(|| Problem::bad(format!("`{word}` is no state of an intent")))?,
        ),
    };
    let limit = Limit::of(wanted.limit, 50, 200)?;
    let after = wanted.after.as_deref().map(cursor).transpose()?;
    let after = after.as_ref().map(|(at, id)| (*at, id.as_str()));
    let mut rows = api.store.read().await?.intents(&caller.org, state, after, limit.rows()).await?;
    let next = limit.cut(&mut rows, |last| place(last.created_at, &last.id));
    let documents = rows.into_iter().map(|row| document(&api, &caller.org, row)).collect();
    Ok(Listed { rows: documents, next })
}

/// One intent.
#[utoipa::path(get, path = "/api/v1/outbox/{id}", tag = "money", params(("id" = String, Path)),
    responses((status = 200, body = IntentDoc), (status = "4XX", body = Problem)))]
pub(super) async fn one(
    State(api): State<Api>,
    caller: Caller,
    Named(id): Named<String>,
) -> Result<Json<IntentDoc>, Problem> {
    caller.wants(Wish::SeeSessions)?;
    let row = api.store.read().await?.intent(&caller.org, &id).await?;
    Ok(Json(document(&api, &caller.org, row.ok_or_else(|| Problem::missing("intent", &id))?)))
}

/// Tries a dead letter again; what waits is tried at once.
#[utoipa::path(post, path = "/api/v1/outbox/{id}/retry", tag = "money", params(("id" = String, Path)),
    request_body = Decision, responses((status = 200, body = IntentDoc), (status = "4XX", body = Problem)))]
pub(super) async fn retry(
    State(api): State<Api>,
    caller: Caller,
    Named(id): Named<String>,
    Body(decision): Body<Decision>,
) -> Result<Json<IntentDoc>, Problem> {
    let decision = decided(&caller, decision)?;
    let row = outbox(&api)?.retry(&caller.org, &id, decision, now()).await?;
    Ok(Json(document(&api, &caller.org, row)))
}

/// Gives a dead letter up, or what waits to be asked.
#[utoipa::path(post, path = "/api/v1/outbox/{id}/give-up", tag = "money", params(("id" = String, Path)),
    request_body = Decision, responses((status = 200, body = IntentDoc), (status = "4XX", body = Problem)))]
pub(super) async fn give_up(
    State(api): State<Api>,
    caller: Caller,
    Named(id): Named<String>,
    Body(decision): Body<Decision>,
) -> Result<Json<IntentDoc>, Problem> {
    let decision = decided(&caller, decision)?;
    let row = outbox(&api)?.give_up(&caller.org, &id, decision, now()).await?;
    Ok(Json(document(&api, &caller.org, row)))
}

/// Lets bills, charges and messages go out again after a backup was restored, when somebody has looked what was done since (the incident `restored`).
#[utoipa::path(post, path = "/api/v1/outbox-resume", tag = "money", request_body = Decision,
    responses((status = 204), (status = 409, body = Problem, description = "nothing is held"), (status = "4XX", body = Problem)))]
pub(super) async fn resume(
    State(api): State<Api>,
    caller: Caller,
    Body(decision): Body<Decision>,
) -> Result<StatusCode, Problem> {
    let decision = decided(&caller, decision)?;
    outbox(&api)?.resume(&caller.org, decision, now()).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn decided(caller: &Caller, decision: Decision) -> Result<outbox::Decision, Problem> {
    caller.wants(Wish::Decide)?;
    decision.check()?;
    Ok(outbox::Decision { by: caller.who.clone(), reason: decision.reason })
}

/// A plugin of the outbox.
#[derive(Debug, Serialize, ToSchema)]
pub struct PluginDoc {
    /// Its id.
    pub plugin: String,
    /// `open`: all calls go out; `trial`: one; `shut`: none before `until`.
    pub breaker: String,
    /// RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// Calls under way.
    pub calls: usize,
    /// The last trouble.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_trouble: Option<String>,
}

/// How the plugins stand that were asked since the start.
#[utoipa::path(get, path = "/api/v1/outbox-plugins", tag = "money",
    responses((status = 200, body = Vec<PluginDoc>), (status = "4XX", body = Problem)))]
pub(super) async fn plugins(State(api): State<Api>, caller: Caller) -> Result<Json<Vec<PluginDoc>>, Problem> {
    caller.wants(Wish::SeeSessions)?;
    let states = outbox(&api)?.plugins(&caller.org, now());
    let document = |state: outbox::PluginState| {
        let (breaker, until) = match state.gate {
            Gate::Open => ("open", None),
            Gate::Trial => ("trial", None),
            Gate::Shut(until) => ("shut", Some(api.text(&caller.org, None, until))),
        };
        PluginDoc {
            plugin: state.plugin,
            breaker: breaker.to_owned(),
            until,
            calls: state.calls,
            last_trouble: state.last_trouble,
        }
    };
    Ok(Json(states.into_iter().map(document).collect()))
}
