//! Payments of bills and saved cards: how they stand, and what people begin.

use super::access::Wish;
use super::ledger::{minor, money};
use super::paging::{Limit, Listed};
use super::sessions::Decision;
use super::{Api, Body, Caller, Named, Params, Problem, words};
use crate::clock::now;
use crate::outbox::provider::Money;
use crate::outbox::{self, Outbox, Received, Saving};
use crate::store::{Instrument, InstrumentStatus, OrgId, Payment, PaymentFilter, PaymentStatus};
use axum::Json;
use axum::extract::State;
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

/// What [`cursor`] reads.
pub(super) fn place(at: Instant, id: &str) -> String {
    format!("{}~{id}", at.0)
}

/// The newest payments first.
#[utoipa::path(get, path = "/api/v1/payments", tag = "money", params(Wanted),
    responses((status = 200, body = Vec<PaymentDoc>, headers(("Takst-Next" = Option<String>, description = "what to send as `after` for the next piece; none at the end"))), (status = "4XX", body = Problem)))]
pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Params(wanted): Params<Wanted>,
) -> Result<Listed<PaymentDoc>, Problem> {
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
    let limit = Limit::of(wanted.limit, 50, 200)?;
    let after = wanted.after.as_deref().map(cursor).transpose()?;
    let after = after.as_ref().map(|(at, id)| (*at, id.as_str()));
    let mut rows = api.store.read().await?.payments(&caller.org, &filter, after, limit.rows()).await?;
    let next = limit.cut(&mut rows, |last| place(last.created_at, &last.id));
    let documents = rows.into_iter().map(|row| document(&api, &caller.org, row)).collect();
    Ok(Listed { rows: documents, next })
}

/// One payment.
#[utoipa::path(get, path = "/api/v1/payments/{id}", tag = "money", params(("id" = String, Path)),
    responses((status = 200, body = PaymentDoc), (status = "4XX", body = Problem)))]
pub(super) async fn one(
    State(api): State<Api>,
    caller: Caller,
    Named(id): Named<String>,
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
    Named(id): Named<String>,
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
    Named(id): Named<String>,
    Body(new): Body<NewPayment>,
) -> Result<(StatusCode, Json<PaymentDoc>), Problem> {
    caller.wants(Wish::Command)?;
    let bill = api.store.read().await?.bill(&caller.org, &id).await?;
    let bill = bill.ok_or_else(|| Problem::missing("bill", &id))?;
    let plugin = new.plugin.or_else(|| api.house.paid_through(&caller.org, &bill.seller));
    let plugin = plugin.ok_or_else(|| no_provider(&bill.seller))?;
    takes(&api, &caller.org, Some(&bill.seller), &plugin)?;
    let begun = outbox(&api)?.pay(&caller.org, &id, &plugin, (new.return_to, &caller.who), now()).await?;
    Ok((StatusCode::CREATED, Json(document(&api, &caller.org, begun))))
}

// Refuses a plugin that is none of those that take money for a seller: it would go into another one's account, or to nobody.
fn takes(api: &Api, org: &OrgId, seller: Option<&str>, plugin: &str) -> Result<(), Problem> {
    let own = seller.and_then(|seller| api.house.paid_through(org, seller));
    let mut able: Vec<String> = api.house.paying(org, seller).into_iter().map(|(name, _)| name).collect();
    able.extend(own.filter(|own| !able.contains(own)));
    if able.iter().any(|name| name == plugin) {
        return Ok(());
    }
    let whose = seller.map_or_else(String::new, |seller| format!(" for the seller `{seller}`"));
    let help = match able.is_empty() {
        true => format!("no payment provider is set up{whose}"),
        false => format!("there are: `{}`", able.join("`, `")),
    };
    Err(Problem::new(StatusCode::CONFLICT, format!("`{plugin}` takes no payments{whose}")).help(help))
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
    Named(id): Named<String>,
    Body(decision): Body<Decision>,
) -> Result<StatusCode, Problem> {
    caller.wants(Wish::Decide)?;
    decision.check()?;
    let decision = outbox::Decision { by: caller.who.clone(), reason: decision.reason };
    outbox(&api)?.cancel(&caller.org, &id, decision, now()).await?;
    Ok(StatusCode::ACCEPTED)
}

/// What became of a dispute about a payment.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewChargeback {
    /// The provider's name for the dispute: the same is booked once, and its incident is over.
    pub reference: String,
    /// As in `20.00`; without it all of the payment that was not given back.
    pub amount: Option<String>,
    /// The day it is for (RFC 3339); now when left out.
    pub at: Option<String>,
    /// What was booked as gone has come again.
    #[serde(default)]
    pub won: bool,
}

/// Books a chargeback of a payment through a provider: the money is gone, and the bill is open again; with `won` it has come again. 201 when it is new, 200 when
/// it was booked before.
#[utoipa::path(post, path = "/api/v1/payments/{id}/charged-back", tag = "money", params(("id" = String, Path)),
    request_body = NewChargeback, responses((status = 201, body = PaymentDoc), (status = 200, body = PaymentDoc, description = "it was booked before"),
        (status = 409, body = Problem, description = "less of it is there, or nothing was booked as gone"), (status = "4XX", body = Problem)))]
pub(super) async fn charged_back(
    State(api): State<Api>,
    caller: Caller,
    Named(id): Named<String>,
    Body(new): Body<NewChargeback>,
) -> Result<(StatusCode, Json<PaymentDoc>), Problem> {
    caller.wants(Wish::Decide)?;
    let payment = api.store.read().await?.payment(&caller.org, &id).await?;
    let payment = payment.ok_or_else(|| Problem::missing("payment", &id))?;
    if new.reference.trim().is_empty() {
        return Err(Problem::bad("`reference` says which dispute it is"));
    }
    let amount = new.amount.as_deref().map(|text| minor(text, &payment.currency)).transpose()?;
    if amount.is_some_and(|amount| amount <= 0) {
        return Err(Problem::bad("`amount` is above zero"));
    }
    let at = new.at.as_deref().map_or(Ok(now()), |text| words::read_time(text).map_err(Problem::bad))?;
    let told = Received { amount, reference: new.reference, at, by: caller.who.clone() };
    let outcome = if new.won { outbox::Outcome::Won } else { outbox::Outcome::Lost };
    let (payment, is_new) = outbox(&api)?.charged_back(&caller.org, &id, (outcome, told), now()).await?;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(document(&api, &caller.org, payment))))
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
    Named(id): Named<String>,
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
    Named(id): Named<String>,
    Body(new): Body<NewInstrument>,
) -> Result<(StatusCode, Json<InstrumentDoc>), Problem> {
    caller.wants(Wish::Command)?;
    let of_seller = || new.seller.as_deref().and_then(|seller| api.house.paid_through(&caller.org, seller));
    let plugin = new.plugin.clone().or_else(of_seller);
    let plugin = plugin.ok_or_else(|| no_provider(new.seller.as_deref().unwrap_or_default()))?;
    takes(&api, &caller.org, new.seller.as_deref(), &plugin)?;
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
