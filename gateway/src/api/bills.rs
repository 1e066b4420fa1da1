//! Bills and their receipts.

use super::access::Wish;
use super::paging::{Limit, Listed, unknown};
use super::{Api, Caller, Named, Params, Problem, words};
use crate::store::BillFilter;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::Value;
use utoipa::IntoParams;

/// Which bills.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Wanted {
    /// Of this session.
    pub session: Option<String>,
    /// Issued by this seller.
    pub seller: Option<String>,
    /// Issued at this time or later (RFC 3339).
    pub from: Option<String>,
    /// Issued before this time.
    pub until: Option<String>,
    /// Bills in the answer, up to 200.
    pub limit: Option<i64>,
    /// Behind the bill with this id: what the header `Takst-Next` of the last answer says.
    pub after: Option<String>,
}

/// The newest bills first.
#[utoipa::path(get, path = "/api/v1/bills", tag = "bills", params(Wanted),
    responses((status = 200, body = Vec<Object>, headers(("Takst-Next" = Option<String>, description = "what to send as `after` for the next piece; none at the end"))), (status = "4XX", body = Problem)))]
pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Params(wanted): Params<Wanted>,
) -> Result<Listed<Value>, Problem> {
    caller.wants(Wish::SeeSessions)?;
    let time = |text: &Option<String>| match text {
        Some(text) => words::read_time(text).map(Some).map_err(Problem::bad),
        None => Ok(None),
    };
    let (from, until) = (time(&wanted.from)?, time(&wanted.until)?);
    let filter = BillFilter { session: wanted.session, seller: wanted.seller, from, until };
    let limit = Limit::of(wanted.limit, 50, 200)?;
    let mut reader = api.store.read().await?;
    let last = match &wanted.after {
        Some(after) => Some(reader.bill(&caller.org, after).await?.ok_or_else(|| unknown(after))?),
        None => None,
    };
    let after = last.as_ref().map(|last| (last.issued_at, last.id.as_str()));
    let mut bills = reader.bills(&caller.org, &filter, after, limit.rows()).await?;
    let next = limit.cut(&mut bills, |bill| bill.id.clone());
    let rows = bills.iter().filter_map(|bill| serde_json::from_str(&bill.document).ok()).collect();
    Ok(Listed { rows, next })
}

/// One bill, as it was issued.
#[utoipa::path(get, path = "/api/v1/bills/{id}", tag = "bills", params(("id" = String, Path)),
    responses((status = 200, body = Object), (status = "4XX", body = Problem)))]
pub(super) async fn one(
    State(api): State<Api>,
    caller: Caller,
    Named(id): Named<String>,
) -> Result<Response, Problem> {
    caller.wants(Wish::SeeSessions)?;
    let bill = api.store.read().await?.bill(&caller.org, &id).await?;
    let bill = bill.ok_or_else(|| Problem::missing("bill", &id))?;
    // Word for word, so that its hash can be checked.
    Ok(([(CONTENT_TYPE, "application/json")], bill.document).into_response())
}

/// The receipt: a page for `Accept: text/html`, text otherwise.
#[utoipa::path(get, path = "/api/v1/bills/{id}/receipt", tag = "bills", params(("id" = String, Path)),
    responses((status = 200, content_type = "text/html", body = String), (status = "4XX", body = Problem)))]
pub(super) async fn receipt(
    State(api): State<Api>,
    caller: Caller,
    Named(id): Named<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    caller.wants(Wish::SeeSessions)?;
    let bill = api.store.read().await?.bill(&caller.org, &id).await?;
    let bill = bill.ok_or_else(|| Problem::missing("bill", &id))?;
    let page =
        headers.get(ACCEPT).and_then(|value| value.to_str().ok()).is_some_and(|value| value.contains("html"));
    let kind = if page { "text/html; charset=utf-8" } else { "text/plain; charset=utf-8" };
    Ok(([(CONTENT_TYPE, kind)], api.house.receipt(&bill, page)?).into_response())
}
