//! Payments of bills and saved cards: how they stand, and what people begin.

use super::access::Wish;
use super::ledger::{minor, money};
use super::sessions::Decision;
use super::{Api, Body, Caller, Params, Problem};
use crate::clock::now;
use crate::outbox::provider::Money;
use crate::outbox::{self, Outbox, Saving};
use crate::store::{Instrument, InstrumentStatus, OrgId, Payment, PaymentFilter, PaymentStatus};
use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use takst_engine::units::Instant;
use utoipa::{IntoParams, ToSchema};

/// Which payments.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Wanted {
    /// Of this bill.
    pub bill: Option<String>,
    /// Of the bills of this session.
    pub session: Option<String>,
    /// Of this debtor, as in `driver:d-17`.
    pub debtor: Option<String>,
    /// `waiting`, `pending`, `action-needed`, `authorized`, `paid`, `failed`, `cancelled`, `expired`, `given-up`.
    pub status: Option<String>,
    /// Payments in the answer, up to 200.
    pub limit: Option<i64>,
    /// The next page: what the last answer's header `Takst-Next` says.
    pub after: Option<String>,
}

/// A payment of a bill.
#[derive(Debug, Serialize, ToSchema)]
pub struct PaymentDoc {
    /// Its id; also our reference at the provider.
    pub id: String,
    /// The bill.
    pub bill: String,
    /// Its session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// Who gets the money.
    pub seller: String,
    /// Who pays.
    pub debtor: String,
    /// Through which provider.
    pub plugin: String,
    /// ISO 4217.
    pub currency: String,
    /// What was asked for.
    pub amount: String,
    /// How it stands.
    #[schema(value_type = String)]
    pub status: PaymentStatus,
    /// What was taken.
    pub captured: String,
    /// What was given back of it.
    pub refunded: String,
    /// The provider's name for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// Where the payer goes next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// When it was written down (RFC 3339).
    pub created: String,
    /// When it last changed.
    pub updated: String,
}

pub(super) fn document(api: &Api, org: &OrgId, row: Payment) -> PaymentDoc {
    PaymentDoc {
        amount: money(row.amount, &row.currency),
        captured: money(row.captured, &row.currency),
        refunded: money(row.refunded, &row.currency),
        created: api.text(org, None, row.created_at),
        updated: api.text(org, None, row.updated_at),
        id: row.id,
        bill: row.bill,
        session: row.session,
        seller: row.seller,
        debtor: row.debtor,
        plugin: row.plugin,
        currency: row.currency,
        status: row.status,
        reference: row.theirs,
        next: row.next,
        failure: row.failure,
    }
}

/// Time and id of the last row of a page.
pub(super) fn cursor(text: &str) -> Result<(Instant, String), Problem> {
    let parts = text.split_once('~').and_then(|(at, id)| Some((Instant(at.parse().ok()?), id.to_owned())));
    parts.ok_or_else(|| Problem::bad("`after` is not what an earlier answer gave"))
}

/// The newest payments first.
#[utoipa::path(get, path = "/api/v1/payments", tag = "money", params(Wanted),
    responses((status = 200, body = Vec<PaymentDoc>), (status = "4XX", body = Problem)))]
pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Params(wanted): Params<Wanted>,
) -> Result<([(&'static str, String); 1], Json<Vec<PaymentDoc>>), Problem> {
    caller.wants(Wish::SeeSessions)?;
    let status = match wanted.status.as_deref() {
        None => None,
        Some(word) => Some(
            PaymentStatus::from_word(word)
                .ok_or_else(|| Problem::bad(format!("`{word}` is no status of a payment")))?,
        ),
    };
    let (bill, session, debtor) = (wanted.bill.clone(), wanted.session.clone(), wanted.debtor.clone());
    let filter = PaymentFilter { bill, session, debtor, status };
    let limit = wanted.limit.unwrap_or(50).clamp(1, 200);
    let after = wanted.after.as_deref().map(cursor).transpose()?;
    let after = after.as_ref().map(|(at, id)| (*at, id.as_str()));
    let rows = api.store.read().await?.payments(&caller.org, &filter, after, limit).await?;
    let full = i64::try_from(rows.len()).is_ok_and(|rows| rows == limit);
    let next = rows.last().filter(|_| full).map(|last| format!("{}~{}", last.created_at.0, last.id));
    let documents = rows.into_iter().map(|row| document(&api, &caller.org, row)).collect();
    Ok(([("takst-next", next.unwrap_or_default())], Json(documents)))
}

/// One payment.
#[utoipa::path(get, path = "/api/v1/payments/{id}", tag = "money", params(("id" = String, Path)),
    responses((status = 200, body = PaymentDoc), (status = "4XX", body = Problem)))]
pub(super) async fn one(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<PaymentDoc>, Problem> {
    caller.wants(Wish::SeeSessions)?;
    let row = api.store.read().await?.payment(&caller.org, &id).await?;
    Ok(Json(document(&api, &caller.org, row.ok_or_else(|| Problem::missing("payment", &id))?)))
}

/// The payments of a bill, the newest first. Without one it is open.
#[utoipa::path(get, path = "/api/v1/bills/{id}/payments", tag = "money", params(("id" = String, Path)),
    responses((status = 200, body = Vec<PaymentDoc>), (status = "4XX", body = Problem)))]
pub(super) async fn of_bill(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Vec<PaymentDoc>>, Problem> {
    caller.wants(Wish::SeeSessions)?;
    let mut reader = api.store.read().await?;
    reader.bill(&caller.org, &id).await?.ok_or_else(|| Problem::missing("bill", &id))?;
    let filter = PaymentFilter { bill: Some(id), ..PaymentFilter::default() };
    let rows = reader.payments(&caller.org, &filter, None, 200).await?;
    Ok(Json(rows.into_iter().map(|row| document(&api, &caller.org, row)).collect()))
}

/// How a bill is to be paid.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPayment {
    /// The provider; without it the one of the bill's seller.
    pub plugin: Option<String>,
    /// Where the payer's browser comes back to.
    pub return_to: Option<String>,
}

pub(super) fn outbox(api: &Api) -> Result<Outbox, Problem> {
    api.house.outbox().ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, "this gateway has no outbox"))
}

/// Begins a payment of what is left of a bill, which the payer makes now. Its `next` says where he goes, once the provider
/// has answered: ask for the payment again.
#[utoipa::path(post, path = "/api/v1/bills/{id}/payments", tag = "money", params(("id" = String, Path)),
    request_body = NewPayment, responses((status = 201, body = PaymentDoc), (status = "4XX", body = Problem)))]
pub(super) async fn pay(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<String>,
    Body(new): Body<NewPayment>,
) -> Result<(StatusCode, Json<PaymentDoc>), Problem> {
    caller.wants(Wish::Command)?;
    let bill = api.store.read().await?.bill(&caller.org, &id).await?;
    let bill = bill.ok_or_else(|| Problem::missing("bill", &id))?;
    let plugin = new.plugin.or_else(|| api.house.paid_through(&caller.org, &bill.seller));
    let plugin = plugin.ok_or_else(|| no_provider(&bill.seller))?;
    let begun = outbox(&api)?.pay(&caller.org, &id, &plugin, (new.return_to, &caller.who), now()).await?;
    Ok((StatusCode::CREATED, Json(document(&api, &caller.org, begun))))
}

fn no_provider(seller: &str) -> Problem {
    Problem::new(StatusCode::CONFLICT, format!("the seller `{seller}` is paid through no provider"))
        .help("set `payments = \"PLUGIN\"` at the seller, or name a `plugin`")
}

/// Gives a payment up before the money is taken.
#[utoipa::path(post, path = "/api/v1/payments/{id}/cancel", tag = "money", params(("id" = String, Path)),
    request_body = Decision, responses((status = 202), (status = "4XX", body = Problem)))]
pub(super) async fn cancel(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<String>,
    Body(decision): Body<Decision>,
) -> Result<StatusCode, Problem> {
    caller.wants(Wish::Decide)?;
    decision.check()?;
    let decision = outbox::Decision { by: caller.who.clone(), reason: decision.reason };
    outbox(&api)?.cancel(&caller.org, &id, decision, now()).await?;
    Ok(StatusCode::ACCEPTED)
}

/// A saved card or agreement.
#[derive(Debug, Serialize, ToSchema)]
pub struct InstrumentDoc {
    /// Its id.
    pub id: String,
    /// Whose.
    pub debtor: String,
    /// At which provider.
    pub plugin: String,
    /// `waiting`, `action-needed`, `ready`, `failed`.
    #[schema(value_type = String)]
    pub status: InstrumentStatus,
    /// "Visa 4242".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Where the debtor goes to finish.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// Why it did not come about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// When it was written down (RFC 3339).
    pub created: String,
}

fn instrument(api: &Api, org: &OrgId, row: Instrument) -> InstrumentDoc {
    InstrumentDoc {
        created: api.text(org, None, row.created_at),
        id: row.id,
        debtor: row.debtor,
        plugin: row.plugin,
        status: row.status,
        label: row.label,
        next: row.next,
        failure: row.failure,
    }
}

/// The cards and agreements of a driver, newest first. The newest that is ready is charged.
#[utoipa::path(get, path = "/api/v1/drivers/{id}/instruments", tag = "money", params(("id" = String, Path)),
    responses((status = 200, body = Vec<InstrumentDoc>), (status = "4XX", body = Problem)))]
pub(super) async fn instruments(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<Vec<InstrumentDoc>>, Problem> {
    caller.wants(Wish::SeeSessions)?;
    let rows = api.store.read().await?.instruments(&caller.org, &format!("driver:{id}")).await?;
    Ok(Json(rows.into_iter().map(|row| instrument(&api, &caller.org, row)).collect()))
}

/// A card to be saved.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewInstrument {
    /// The provider; without it the one of `seller`.
    pub plugin: Option<String>,
    /// Whose provider it is for.
    pub seller: Option<String>,
    /// Where the driver's browser comes back to.
    pub return_to: String,
    /// What an agreement may take at most, as in `500.00`, with `currency`.
    pub at_most: Option<String>,
    /// ISO 4217.
    pub currency: Option<String>,
}

/// Begins to save a card or make an agreement. Its `next` says where the driver goes, once the provider has answered.
#[utoipa::path(post, path = "/api/v1/drivers/{id}/instruments", tag = "money", params(("id" = String, Path)),
    request_body = NewInstrument, responses((status = 201, body = InstrumentDoc), (status = "4XX", body = Problem)))]
pub(super) async fn save(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<String>,
    Body(new): Body<NewInstrument>,
) -> Result<(StatusCode, Json<InstrumentDoc>), Problem> {
    caller.wants(Wish::Command)?;
    let of_seller = || new.seller.as_deref().and_then(|seller| api.house.paid_through(&caller.org, seller));
    let plugin = new.plugin.clone().or_else(of_seller);
    let plugin = plugin.ok_or_else(|| no_provider(new.seller.as_deref().unwrap_or_default()))?;
    let at_most = match (&new.at_most, &new.currency) {
        (Some(amount), Some(currency)) => {
            Some(Money { minor: minor(amount, currency)?, currency: currency.clone() })
        }
        (None, None) => None,
        _ => return Err(Problem::bad("`at_most` and `currency` go together")),
    };
    let (debtor, description) = (format!("driver:{id}"), "Charging".to_owned());
    let saving = Saving { debtor, plugin, return_to: new.return_to, at_most, description };
    let begun = outbox(&api)?.save(&caller.org, saving, &caller.who, now()).await?;
    Ok((StatusCode::CREATED, Json(instrument(&api, &caller.org, begun))))
}
