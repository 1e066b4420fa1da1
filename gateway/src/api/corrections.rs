//! Bills that would be other ones now: what would change, and what a person decides about it. Money that is given back.

use super::access::Wish;
use super::sessions::Decision;
use super::{Api, Body, Caller, Named, Problem, words};
use crate::billing::REFUNDED;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// What a correction of a session's bill would change.
#[derive(Debug, Serialize, ToSchema)]
pub struct CorrectionDoc {
    /// The session.
    pub session: String,
    /// Its first bill.
    pub bill: String,
    /// ISO 4217.
    pub currency: String,
    /// What all bills of the session come to together.
    pub billed: String,
    /// By how much a correction would change that; `0` where the bills are right, or none can be ordered (`hindrance`).
    pub difference: String,
    /// The correction as it would be issued, but for its number: all rows with what changes in them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub correction: Option<Value>,
    /// Somebody is to decide: since when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waits_since: Option<String>,
    /// Why it was not corrected by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Why no correction can be ordered, where none can.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hindrance: Option<String>,
}

/// What a correction of the bill of a session would change now. Nothing is changed by asking.
#[utoipa::path(get, path = "/api/v1/sessions/{id}/correction", tag = "bills", params(("id" = String, Path)),
    responses((status = 200, body = CorrectionDoc), (status = 409, body = Problem, description = "there is no bill yet"),
        (status = "4XX", body = Problem)))]
pub(super) async fn show(
    State(api): State<Api>,
    caller: Caller,
    Named(id): Named<String>,
) -> Result<Json<CorrectionDoc>, Problem> {
    caller.wants(Wish::SeeSessions)?;
    let found = api.house.difference(&caller.org, &id).await?;
    let (waits_since, why) = found.waits.unzip();
    let session = api.store.read().await?.session(&caller.org, &id).await?;
    let site = session.and_then(|session| session.site);
    // What would be refused is not offered: ordering it says the same.
    let hindrance = found.trouble.or_else(|| found.refunded.then(|| REFUNDED.to_owned()));
    let offered = found.correction.filter(|_| hindrance.is_none());
    Ok(Json(CorrectionDoc {
        session: id,
        bill: found.bill,
        currency: found.currency,
        billed: found.billed,
        difference: offered.as_ref().map_or_else(|| "0".to_owned(), |document| document.total.clone()),
        correction: offered.and_then(|document| serde_json::to_value(document).ok()),
        waits_since: waits_since.map(|at| api.text(&caller.org, site.as_deref(), at)),
        why,
        hindrance,
    }))
}

/// Orders the correction: it gets a number and goes out beside the bill. Its document is the answer.
#[utoipa::path(post, path = "/api/v1/sessions/{id}/correction", tag = "bills", params(("id" = String, Path)),
    request_body = Decision, responses((status = 201, body = Object, description = "the correction"),
        (status = 409, body = Problem, description = "there is nothing to correct, or it cannot be"), (status = "4XX", body = Problem)))]
pub(super) async fn order(
    State(api): State<Api>,
    caller: Caller,
    Named(id): Named<String>,
    Body(decision): Body<Decision>,
) -> Result<Response, Problem> {
    caller.wants(Wish::Decide)?;
    words::reason(&decision.reason).map_err(Problem::bad)?;
    let document = api.house.settle(&caller.org, &id, true, &decision.reason, &caller.who).await?;
    let nothing =
        || Problem::new(StatusCode::CONFLICT, "there is nothing to correct: the bills say what they should");
    let document = document.ok_or_else(nothing)?;
    Ok((StatusCode::CREATED, [(CONTENT_TYPE, "application/json")], document).into_response())
}

/// Leaves the bill as it is, although it would be another one now.
#[utoipa::path(post, path = "/api/v1/sessions/{id}/correction/dismiss", tag = "bills", params(("id" = String, Path)),
    request_body = Decision, responses((status = 204, description = "nobody is waited for any more"),
        (status = 409, body = Problem, description = "nobody was waited for"), (status = "4XX", body = Problem)))]
pub(super) async fn dismiss(
    State(api): State<Api>,
    caller: Caller,
    Named(id): Named<String>,
    Body(decision): Body<Decision>,
) -> Result<StatusCode, Problem> {
    caller.wants(Wish::Decide)?;
    words::reason(&decision.reason).map_err(Problem::bad)?;
    api.house.settle(&caller.org, &id, false, &decision.reason, &caller.who).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What is given back, and why.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Refund {
    /// For the credit note, the audit log and whoever asks later.
    pub reason: String,
    /// Charges of the bill by their kind or label, as in `start fee`; without them all of it.
    pub charges: Option<Vec<String>>,
}

/// Gives money back: a credit note for the bill of a session, or for some of its charges. What was paid beyond what is owed then goes back the way it came. The
/// credit note's document is the answer.
#[utoipa::path(post, path = "/api/v1/sessions/{id}/refund", tag = "bills", params(("id" = String, Path)),
    request_body = Refund, responses((status = 201, body = Object, description = "the credit note"),
        (status = 409, body = Problem, description = "there is no bill, or nothing of this is left to give back"), (status = "4XX", body = Problem)))]
pub(super) async fn refund(
    State(api): State<Api>,
    caller: Caller,
    Named(id): Named<String>,
    Body(wanted): Body<Refund>,
) -> Result<Response, Problem> {
    caller.wants(Wish::Decide)?;
    words::reason(&wanted.reason).map_err(Problem::bad)?;
    if wanted.charges.as_ref().is_some_and(Vec::is_empty) {
        return Err(Problem::bad("`charges` is empty").help("leave it out to give all of the bill back"));
    }
    let document = api.house.refund(&caller.org, &id, wanted.charges, &wanted.reason, &caller.who).await?;
    Ok((StatusCode::CREATED, [(CONTENT_TYPE, "application/json")], document).into_response())
}

/// What came of the corrections that an alert about changed prices asked for.
#[derive(Debug, Serialize, ToSchema)]
pub struct AllCorrected {
    /// Sessions whose bills could not be corrected.
    pub failed: Vec<NotCorrected>,
}

/// A session whose bill could not be corrected.
#[derive(Debug, Serialize, ToSchema)]
pub struct NotCorrected {
    /// The session.
    pub session: String,
    /// Why.
    pub reason: String,
}

/// Corrects all bills that an alert about changed prices (`feed.changed`) lists in its history, and ends it; what could not be corrected is in
/// the answer. Where its list was as long as a list can be, it stays open with the bills that are left.
#[utoipa::path(post, path = "/api/v1/incidents/{id}/correct", tag = "bills", params(("id" = String, Path)),
    request_body = Decision, responses((status = 200, body = AllCorrected), (status = "4XX", body = Problem)))]
pub(super) async fn correct_all(
    State(api): State<Api>,
    caller: Caller,
    Named(id): Named<String>,
    Body(decision): Body<Decision>,
) -> Result<Json<AllCorrected>, Problem> {
    caller.wants(Wish::Decide)?;
    words::reason(&decision.reason).map_err(Problem::bad)?;
    let failed = api.house.decide_alert(&caller.org, &id, true, &decision.reason, &caller.who).await?;
    let failed = failed.into_iter().map(|(session, reason)| NotCorrected { session, reason }).collect();
    Ok(Json(AllCorrected { failed }))
}

/// Leaves the bills as they are although prices have changed, and ends the alert.
#[utoipa::path(post, path = "/api/v1/incidents/{id}/dismiss", tag = "bills", params(("id" = String, Path)),
    request_body = Decision, responses((status = 204), (status = "4XX", body = Problem)))]
pub(super) async fn dismiss_all(
    State(api): State<Api>,
    caller: Caller,
    Named(id): Named<String>,
    Body(decision): Body<Decision>,
) -> Result<StatusCode, Problem> {
    caller.wants(Wish::Decide)?;
    words::reason(&decision.reason).map_err(Problem::bad)?;
    api.house.decide_alert(&caller.org, &id, false, &decision.reason, &caller.who).await?;
    Ok(StatusCode::NO_CONTENT)
}
