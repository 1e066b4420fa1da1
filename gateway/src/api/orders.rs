//! Commands that people and programs give to chargers.

use super::access::Wish;
use super::{Api, Caller, Problem};
use axum::Json;
use axum::extract::{Path, State};
use serde_json::Value;

/// Commands a charger: `{"kind": "remote-start", "evse": 1, "token": "..."}`, `{"kind": "unlock", "evse": 1}`,
/// `{"kind": "reset", "hard": false}`, ... Answers when the charger has.
#[utoipa::path(post, path = "/api/v1/chargers/{id}/commands", tag = "chargers", params(("id" = String, Path)),
    request_body = Object, responses((status = 200, body = Object), (status = "4XX", body = Problem)))]
pub(super) async fn give(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<String>,
    Json(order): Json<Value>,
) -> Result<Json<Value>, Problem> {
    caller.wants(Wish::Command)?;
    Ok(Json(api.house.order(&caller.org, &id, order, &caller.who).await?))
}
