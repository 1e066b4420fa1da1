//! Bills and their receipts.

use super::access::Wish;
use super::paging::{Limit, Listed, Nothing, unknown};
use super::{Api, Caller, Named, Params, Problem, words};
use crate::receipts::Form;
use crate::store::BillFilter;
use axum::extract::State;
use axum::http::header::{ACCEPT, CONTENT_TYPE, VARY};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive as _;
use serde::Deserialize;
use serde_json::Value;
use std::cmp::Reverse;
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

/// The receipt in the form that `Accept` asks for: text (as without it), a page, or JSON, which is
/// `{"receipt": bill, "rules": {"file:line": "text"}}`.
#[utoipa::path(get, path = "/api/v1/bills/{id}/receipt", tag = "bills", params(("id" = String, Path)),
    responses((status = 200, content((String = "text/plain"), (String = "text/html"), (Object = "application/json"))), (status = "4XX", body = Problem)))]
pub(super) async fn receipt(
    State(api): State<Api>,
    caller: Caller,
    Named(id): Named<String>,
    Params(Nothing {}): Params<Nothing>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    caller.wants(Wish::SeeSessions)?;
    let form = wanted(&headers).ok_or_else(|| {
        Problem::new(StatusCode::NOT_ACCEPTABLE, "a receipt is none of what `Accept` names")
            .help("text/plain, text/html or application/json")
    })?;
    let bill = api.store.read().await?.bill(&caller.org, &id).await?;
    let bill = bill.ok_or_else(|| Problem::missing("bill", &id))?;
    let kind = match form {
        Form::Text => "text/plain; charset=utf-8",
        Form::Page => "text/html; charset=utf-8",
        Form::Json => "application/json",
    };
    Ok(([(CONTENT_TYPE, kind), (VARY, "Accept")], api.house.receipt(&bill, form)?).into_response())
}

// The form that `Accept` likes most (RFC 9110, 12.5.1); of those that it likes as much the one that it names itself, and first.
fn wanted(headers: &HeaderMap) -> Option<Form> {
    const FORMS: [(Form, &str, &str); 3] =
        [(Form::Text, "text", "plain"), (Form::Page, "text", "html"), (Form::Json, "application", "json")];
    let lines = headers.get_all(ACCEPT).iter().filter_map(|line| line.to_str().ok());
    let named: Vec<(String, u16)> = lines.flat_map(|line| line.split(',')).filter_map(one_wish).collect();
    if named.is_empty() {
        return Some(Form::Text);
    }
    // The most exact name of a form counts for it.
    let liked = |kind: &str, sub: &str| {
        let whole = format!("{kind}/{sub}");
        let names = [(2, whole), (1, format!("{kind}/*")), (0, "*/*".to_owned())];
        names.into_iter().find_map(|(exact, name)| {
            let place = named.iter().position(|(wish, _)| *wish == name)?;
            let (_, weight) = named.get(place)?;
            Some((*weight, exact, Reverse(place)))
        })
    };
    let forms = FORMS.iter().filter_map(|(form, kind, sub)| Some((liked(kind, sub)?, *form)));
    // Of equals the first: text.
    let best = forms
        .filter(|((weight, ..), _)| *weight > 0)
        .reduce(|best, next| if next.0 > best.0 { next } else { best });
    best.map(|(_, form)| form)
}

// A name of `Accept` and how much it is liked, in thousandths.
fn one_wish(text: &str) -> Option<(String, u16)> {
    let mut parts = text.split(';').map(str::trim);
    let name = parts.next().filter(|name| !name.is_empty())?.to_ascii_lowercase();
    let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
    let weight = match weight {
        None => 1000,
        // What cannot be read is no wish against it.
        Some(weight) => weight.trim().parse::<Decimal>().map_or(1000, |weight| {
            (weight * Decimal::ONE_THOUSAND)
                .clamp(Decimal::ZERO, Decimal::ONE_THOUSAND)
                .to_u16()
                .unwrap_or(1000)
        }),
    };
    Some((name, weight))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn the_form_is_what_accept_likes_most() {
        for (accept, form) in [
            ("*/*", Some(Form::Text)),
            ("text/*", Some(Form::Text)),
            ("application/json", Some(Form::Json)),
            ("Application/JSON; charset=utf-8", Some(Form::Json)),
            ("application/json, text/plain, */*", Some(Form::Json)),
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", Some(Form::Page)),
            ("text/html;q=0.5, application/json;q=0.7", Some(Form::Json)),
            ("text/plain;q=0, */*", Some(Form::Page)),
            ("application/*", Some(Form::Json)),
            ("application/pdf", None),
            ("application/json;q=0", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, HeaderValue::from_static(accept));
            assert_eq!(wanted(&headers), form, "{accept}");
        }
        assert_eq!(wanted(&HeaderMap::new()), Some(Form::Text));
    }
}
