//! Keys and the audit log.

use super::access::{Role, Wish, new_key};
use super::paging::{Limit, Listed, Page};
use super::{Api, Body, Caller, Named, Params, Problem};
use crate::clock::now;
use crate::store::{ApiKey, AuditEntry, Lane, new_id};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use takst_engine::calendar_time::utc_text;
use utoipa::{IntoParams, ToSchema};

/// A key, without its secret.
#[derive(Debug, Serialize, ToSchema)]
pub struct KeyDoc {
    /// Its public half.
    pub id: String,
    /// For people.
    pub name: String,
    /// What it may do.
    pub role: String,
    /// When it was made.
    pub created: String,
    /// When it was last used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_used: Option<String>,
    /// Since when it opens nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revoked: Option<String>,
}

impl From<ApiKey> for KeyDoc {
    fn from(row: ApiKey) -> Self {
        Self {
            id: row.id,
            name: row.name,
            role: row.role,
            created: utc_text(row.created_at),
            last_used: row.last_used_at.map(utc_text),
            revoked: row.revoked_at.map(utc_text),
        }
    }
}

/// A key to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewKey {
    /// For people.
    pub name: String,
    /// What it may do.
    pub role: Role,
}

/// A new key. It is shown this once.
#[derive(Debug, Serialize, ToSchema)]
pub struct MadeKey {
    /// Its public half.
    pub id: String,
    /// The whole key.
    pub key: String,
}

/// All keys.
#[utoipa::path(get, path = "/api/v1/keys", tag = "keys", params(Page),
    responses((status = 200, body = Vec<KeyDoc>, headers(("Takst-Next" = Option<String>, description = "what to send as `after` for the next piece; none at the end"))), (status = "4XX", body = Problem)))]
pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Params(page): Params<Page>,
) -> Result<Listed<KeyDoc>, Problem> {
    caller.wants(Wish::Own)?;
    let rows = api.store.read().await?.api_keys(&caller.org).await?;
    let limit = Limit::of(page.limit, 200, 200)?;
    Ok(limit.piece(rows, page.after.as_deref(), |row| row.id.clone())?.map(KeyDoc::from))
}

/// Makes a key.
#[utoipa::path(post, path = "/api/v1/keys", tag = "keys", request_body = NewKey,
    responses((status = 201, body = MadeKey), (status = "4XX", body = Problem)))]
pub(super) async fn make(
    State(api): State<Api>,
    caller: Caller,
    Body(wanted): Body<NewKey>,
) -> Result<(StatusCode, Json<MadeKey>), Problem> {
    caller.wants(Wish::Own)?;
    if wanted.name.trim().is_empty() || wanted.name.chars().count() > 200 {
        return Err(Problem::bad("`name` is 1 to 200 characters: people have to know whose key it is"));
    }
    let (row, key) = new_key(&wanted.name, wanted.role, &caller.who)?;
    let (id, org) = (row.id.clone(), caller.org.clone());
    let entry = entry(&caller.who, "key.make", &id, Some(wanted.role.as_str()));
    let unit = async move |tx: &mut crate::store::Tx| {
        tx.add_api_key(&org, &row).await?;
        tx.audit(&org, &entry).await
    };
    api.store.write(Lane::org(&caller.org), unit).await?;
    Ok((StatusCode::CREATED, Json(MadeKey { id, key })))
}

/// Makes a key worthless.
#[utoipa::path(delete, path = "/api/v1/keys/{id}", tag = "keys", params(("id" = String, Path)),
    responses((status = 204), (status = "4XX", body = Problem)))]
pub(super) async fn revoke(
    State(api): State<Api>,
    caller: Caller,
    Named(id): Named<String>,
) -> Result<StatusCode, Problem> {
    caller.wants(Wish::Own)?;
    let (org, entry) = (caller.org.clone(), entry(&caller.who, "key.revoke", &id, None));
    let unit = async move |tx: &mut crate::store::Tx| {
        tx.revoke_api_key(&org, &id, now()).await?;
        tx.audit(&org, &entry).await
    };
    api.store.write(Lane::org(&caller.org), unit).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn entry(who: &str, what: &str, subject: &str, role: Option<&str>) -> AuditEntry {
    AuditEntry {
        id: new_id(),
        at: now(),
        who: who.to_owned(),
        what: what.to_owned(),
        subject: subject.to_owned(),
        before_doc: None,
        after_doc: role.map(|role| serde_json::json!({ "role": role }).to_string()),
    }
}

/// Which entries of the audit log.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Search {
    /// About this.
    pub subject: Option<String>,
    /// Entries in the answer, up to 200.
    pub limit: Option<i64>,
    /// Behind the entry with this id, to older ones: what the header `Takst-Next` of the last answer says.
    pub after: Option<String>,
}

/// Who changed what.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditDoc {
    /// Its id.
    pub id: String,
    /// When.
    pub at: String,
    /// A key, a charger, `files`.
    pub who: String,
    /// `session.release`, `key.make`, ...
    pub what: String,
    /// What was changed.
    pub subject: String,
    /// How it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub before: Option<Value>,
    /// How it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub after: Option<Value>,
}

/// The newest entries first.
#[utoipa::path(get, path = "/api/v1/audit", tag = "keys", params(Search),
    responses((status = 200, body = Vec<AuditDoc>, headers(("Takst-Next" = Option<String>, description = "what to send as `after` for the next piece; none at the end"))), (status = "4XX", body = Problem)))]
pub(super) async fn audit(
    State(api): State<Api>,
    caller: Caller,
    Params(search): Params<Search>,
) -> Result<Listed<AuditDoc>, Problem> {
    caller.wants(Wish::Own)?;
    let mut reader = api.store.read().await?;
    let limit = Limit::of(search.limit, 100, 200)?;
    let (subject, after) = (search.subject.as_deref(), search.after.as_deref());
    let mut rows = reader.audit_log(&caller.org, subject, after, limit.rows()).await?;
    let next = limit.cut(&mut rows, |row| row.id.clone());
    let json = |text: Option<String>| text.and_then(|text| serde_json::from_str(&text).ok());
    let document = |row: AuditEntry| AuditDoc {
        id: row.id,
        at: utc_text(row.at),
        who: row.who,
        what: row.what,
        subject: row.subject,
        before: json(row.before_doc),
        after: json(row.after_doc),
    };
    Ok(Listed { rows, next }.map(document))
}
