//! Invoices: how each reaches its payer, what is to be printed, and money that came to the bank for them.

use super::access::Wish;
use super::ledger::{minor, money};
use super::paging::{Limit, Listed};
use super::payments::{PaymentDoc, cursor, document as payment_document, outbox, place};
use super::{Api, Body, Caller, Named, Params, Problem, words};
use crate::clock::now;
use crate::invoicing::{self, Letter, NoLetter, letter};
use crate::outbox::{Owed, Received};
use crate::store::{
    AuditEntry, Error, IntentKind, IntentState, Invoice, InvoiceFilter, InvoiceKind, InvoiceStatus,
    InvoiceWay, Lane, OrgId, Tx, new_id,
};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

/// Which invoices.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Wanted {
    /// `waiting`, `sent`, `delivered`, `to-print`, `printed`, `cancelled`, `settled`.
    pub status: Option<String>,
    /// Of this debtor, as in `driver:d-17`.
    pub debtor: Option<String>,
    /// Of this bill.
    pub bill: Option<String>,
    /// Invoices in the answer, up to 200.
    pub limit: Option<i64>,
    /// The next page: what the last answer's header `Takst-Next` says.
    pub after: Option<String>,
}

/// A bill that is paid by invoice, or a credit note for one.
#[derive(Debug, Serialize, ToSchema)]
pub struct InvoiceDoc {
    /// Its id.
    pub id: String,
    /// The bill that it is.
    pub bill: String,
    /// Its number, which is the bill's.
    pub number: String,
    /// `invoice` or `credit-note`.
    #[schema(value_type = String)]
    pub kind: InvoiceKind,
    /// The invoice that a credit note belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub corrects: Option<String>,
    /// Who issued it.
    pub seller: String,
    /// Who owes it, as in `driver:d-17`.
    pub debtor: String,
    /// ISO 4217.
    pub currency: String,
    /// What it comes to; below zero for a credit note.
    pub amount: String,
    /// What is left to pay now of all bills of its session.
    pub left: String,
    /// The day of the bill.
    pub issued: String,
    /// The day that it is to be paid by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due: Option<String>,
    /// What the payer writes on the payment: KID in Norway.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// How far it has come.
    #[schema(value_type = String)]
    pub status: InvoiceStatus,
    /// `channel`, `email` or `paper`.
    #[schema(value_type = String)]
    pub way: InvoiceWay,
    /// Why it goes another way than the first, or was taken back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How far the asking of its channel has come, as in the outbox.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub sending: Option<IntentState>,
    /// The last trouble with the channel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
    /// The channel's name for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub theirs: Option<String>,
    /// When it was written down (RFC 3339).
    pub created: String,
    /// When it last changed.
    pub updated: String,
}

async fn shown(api: &Api, org: &OrgId, row: Invoice) -> Result<InvoiceDoc, Problem> {
    let mut reader = api.store.read().await?;
    let sent = reader.intents_about(org, &row.id).await?;
    let sent = sent.into_iter().rev().find(|intent| intent.kind == IntentKind::Invoice);
    let bill = reader.bill(org, &row.bill).await?.ok_or_else(|| Problem::missing("bill", &row.bill))?;
    let left = Owed::of(&mut reader, org, &bill).await?.left;
    drop(reader);
    Ok(InvoiceDoc {
        amount: money(row.amount, &row.currency),
        left: money(left, &row.currency),
        sending: sent.as_ref().map(|sent| sent.state),
        trouble: sent.as_ref().and_then(|sent| sent.detail.clone()),
        theirs: sent.and_then(|sent| sent.theirs),
        created: api.text(org, None, row.created_at),
        updated: api.text(org, None, row.updated_at),
        id: row.id,
        bill: row.bill,
        number: row.number,
        kind: row.kind,
        corrects: row.corrects,
        seller: row.seller,
        debtor: row.debtor,
        currency: row.currency,
        issued: row.issued,
        due: row.due,
        reference: row.reference,
        status: row.status,
        way: row.way,
        reason: row.reason,
    })
}

/// The newest invoices first. Those `to-print` are what a person has to print and post.
#[utoipa::path(get, path = "/api/v1/invoices", tag = "money", params(Wanted),
    responses((status = 200, body = Vec<InvoiceDoc>, headers(("Takst-Next" = Option<String>, description = "what to send as `after` for the next piece; none at the end"))), (status = "4XX", body = Problem)))]
pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Params(wanted): Params<Wanted>,
) -> Result<Listed<InvoiceDoc>, Problem> {
    caller.wants(Wish::SeeSessions)?;
    let status = match wanted.status.as_deref() {
        None => None,
        Some(word) => Some(
            InvoiceStatus::from_word(word)
                .ok_or_else(|| Problem::bad(format!("`{word}` is no status of an invoice")))?,
        ),
    };
    let filter = InvoiceFilter { status, debtor: wanted.debtor.clone(), bill: wanted.bill.clone() };
    let limit = Limit::of(wanted.limit, 50, 200)?;
    let after = wanted.after.as_deref().map(cursor).transpose()?;
    let after = after.as_ref().map(|(at, id)| (*at, id.as_str()));
    let mut rows = api.store.read().await?.invoices(&caller.org, &filter, after, limit.rows()).await?;
    let next = limit.cut(&mut rows, |last| place(last.created_at, &last.id));
    let mut documents = Vec::with_capacity(rows.len());
    for row in rows {
        documents.push(shown(&api, &caller.org, row).await?);
    }
    Ok(Listed { rows: documents, next })
}

/// One invoice.
#[utoipa::path(get, path = "/api/v1/invoices/{id}", tag = "money", params(("id" = String, Path)),
    responses((status = 200, body = InvoiceDoc), (status = "4XX", body = Problem)))]
pub(super) async fn one(
    State(api): State<Api>,
    caller: Caller,
    Named(id): Named<String>,
) -> Result<Json<InvoiceDoc>, Problem> {
    caller.wants(Wish::SeeSessions)?;
    let row = api.store.read().await?.invoice(&caller.org, &id).await?;
    Ok(Json(shown(&api, &caller.org, row.ok_or_else(|| Problem::missing("invoice", &id))?).await?))
}

async fn read(api: &Api, org: &OrgId, id: &str) -> Result<Letter, Problem> {
    let found = letter(&mut api.store.read().await?, org, id).await;
    found.map_err(|why| match why {
        NoLetter::Missing(id) => Problem::missing("invoice", &id),
        NoLetter::Store(error) => error.into(),
    })
}

/// The e-invoice: EHF Billing 3.0, which is Peppol BIS Billing 3.0 in UBL 2.1. It names its payer.
#[utoipa::path(get, path = "/api/v1/invoices/{id}/document", tag = "money", params(("id" = String, Path)),
    responses((status = 200, content_type = "application/xml", body = String),
        (status = 409, body = Problem, description = "something that it needs is not known"), (status = "4XX", body = Problem)))]
pub(super) async fn document(
    State(api): State<Api>,
    caller: Caller,
    Named(id): Named<String>,
) -> Result<Response, Problem> {
    caller.wants(Wish::SeePeople)?;
    let letter = read(&api, &caller.org, &id).await?;
    let document = letter
        .document
        .map_err(|why| Problem::new(StatusCode::CONFLICT, format!("there is no e-invoice: {why}")))?;
    Ok(([(CONTENT_TYPE, "application/xml")], document).into_response())
}

/// The invoice as a page to be printed and posted, with the address of its payer.
#[utoipa::path(get, path = "/api/v1/invoices/{id}/page", tag = "money", params(("id" = String, Path)),
    responses((status = 200, content_type = "text/html", body = String), (status = "4XX", body = Problem)))]
pub(super) async fn page(
    State(api): State<Api>,
    caller: Caller,
    Named(id): Named<String>,
) -> Result<Response, Problem> {
    caller.wants(Wish::SeePeople)?;
    let letter = read(&api, &caller.org, &id).await?;
    let receipt = api.house.receipt(&letter.bill, crate::receipts::Form::Text)?;
    let page = invoicing::page(&letter, &letter.language, &receipt).into_string();
    Ok(([(CONTENT_TYPE, "text/html; charset=utf-8")], page).into_response())
}

/// An invoice that was to be printed was printed and posted: its incident is over.
#[utoipa::path(post, path = "/api/v1/invoices/{id}/printed", tag = "money", params(("id" = String, Path)),
    responses((status = 200, body = InvoiceDoc), (status = 409, body = Problem, description = "it is not to be printed"),
        (status = "4XX", body = Problem)))]
pub(super) async fn printed(
    State(api): State<Api>,
    caller: Caller,
    Named(id): Named<String>,
) -> Result<Json<InvoiceDoc>, Problem> {
    caller.wants(Wish::Command)?;
    decide(&api, &caller, id, What::Printed).await
}

/// Sends an invoice that fell back to paper through its channel once more, when what was missing has been put right: the payer's name, his consent.
#[utoipa::path(post, path = "/api/v1/invoices/{id}/send", tag = "money", params(("id" = String, Path)),
    responses((status = 200, body = InvoiceDoc),
        (status = 409, body = Problem, description = "it did not fall back, or the channel may have it"), (status = "4XX", body = Problem)))]
pub(super) async fn send(
    State(api): State<Api>,
    caller: Caller,
    Named(id): Named<String>,
) -> Result<Json<InvoiceDoc>, Problem> {
    caller.wants(Wish::Command)?;
    decide(&api, &caller, id, What::Again).await
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    Printed,
    Again,
}

async fn decide(api: &Api, caller: &Caller, id: String, what: What) -> Result<Json<InvoiceDoc>, Problem> {
    let (org, who) = (caller.org.clone(), caller.who.clone());
    let row = api.store.read().await?.invoice(&org, &id).await?;
    let row = row.ok_or_else(|| Problem::missing("invoice", &id))?;
    let (owner, at) = (org.clone(), now());
    let unit = async move |tx: &mut Tx| {
        let (before, word) = match what {
            What::Printed => (invoicing::printed(tx, &owner, &id, &who, at).await?, "invoice.printed"),
            What::Again => (invoicing::again(tx, &owner, &id, &who, at).await?, "invoice.send"),
        };
        let document = json!({ "status": before.status, "reason": before.reason });
        audit(tx, &owner, (word, &id, &who), &document).await?;
        tx.invoice(&owner, &id).await?.ok_or(Error::Missing { what: "invoice", id: id.clone() })
    };
    let after = api.store.write(Lane::debtor(&org, &row.debtor), unit).await?;
    outbox(api)?.wake();
    Ok(Json(shown(api, &org, after).await?))
}

async fn audit(
    tx: &mut Tx,
    org: &OrgId,
    (what, subject, by): (&str, &str, &str),
    before: &Value,
) -> Result<(), Error> {
    let entry = AuditEntry {
        id: new_id(),
        at: now(),
        who: by.to_owned(),
        what: what.to_owned(),
        subject: subject.to_owned(),
        before_doc: Some(before.to_string()),
        after_doc: None,
    };
    tx.audit(org, &entry).await
}

/// Money that came to the seller's bank for a bill, or left it again.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewReceived {
    /// As in `20.00`; without it all that is left to pay, or to be given back.
    pub amount: Option<String>,
    /// The statement's name for it: the same is booked once.
    pub reference: String,
    /// The day it is for (RFC 3339); now when left out.
    pub at: Option<String>,
}

/// Books money that a payer sent to the seller's bank, as for an invoice; what is more than was left to pay is to be given back (the incident
/// `payment.return`). 201 when it is new, 200 when it was booked before.
#[utoipa::path(post, path = "/api/v1/bills/{id}/received", tag = "money", params(("id" = String, Path)),
    request_body = NewReceived, responses((status = 201, body = PaymentDoc), (status = 200, body = PaymentDoc, description = "it was booked before"),
        (status = 409, body = Problem, description = "nothing is left to pay, and no amount is stated"), (status = "4XX", body = Problem)))]
pub(super) async fn received(
    State(api): State<Api>,
    caller: Caller,
    Named(id): Named<String>,
    Body(new): Body<NewReceived>,
) -> Result<(StatusCode, Json<PaymentDoc>), Problem> {
    caller.wants(Wish::Decide)?;
    let bill = api.store.read().await?.bill(&caller.org, &id).await?;
    let bill = bill.ok_or_else(|| Problem::missing("bill", &id))?;
    let received = new.read(&bill.currency, &caller)?;
    let (payment, is_new) = outbox(&api)?.received(&caller.org, &bill, received, now()).await?;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(payment_document(&api, &caller.org, payment))))
}

impl NewReceived {
    fn read(self, currency: &str, caller: &Caller) -> Result<Received, Problem> {
        if self.reference.trim().is_empty() {
            return Err(Problem::bad("`reference` says which line of the statement it is"));
        }
        let amount = self.amount.as_deref().map(|text| minor(text, currency)).transpose()?;
        if amount.is_some_and(|amount| amount <= 0) {
            return Err(Problem::bad("`amount` is above zero"));
        }
        let at = self.at.as_deref().map_or(Ok(now()), |text| words::read_time(text).map_err(Problem::bad))?;
        Ok(Received { amount, reference: self.reference, at, by: caller.who.clone() })
    }
}

/// Books money that was given back by bank, of a payment that came by bank: what a credit note left to be given back (the incident
/// `payment.return`). 201 when it is new, 200 when it was booked before.
#[utoipa::path(post, path = "/api/v1/payments/{id}/returned", tag = "money", params(("id" = String, Path)),
    request_body = NewReceived, responses((status = 201, body = PaymentDoc), (status = 200, body = PaymentDoc, description = "it was booked before"),
        (status = 409, body = Problem, description = "less is to be given back"), (status = "4XX", body = Problem)))]
pub(super) async fn returned(
    State(api): State<Api>,
    caller: Caller,
    Named(id): Named<String>,
    Body(new): Body<NewReceived>,
) -> Result<(StatusCode, Json<PaymentDoc>), Problem> {
    caller.wants(Wish::Decide)?;
    let payment = api.store.read().await?.payment(&caller.org, &id).await?;
    let payment = payment.ok_or_else(|| Problem::missing("payment", &id))?;
    let returned = new.read(&payment.currency, &caller)?;
    let (payment, is_new) = outbox(&api)?.returned(&caller.org, &id, returned, now()).await?;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(payment_document(&api, &caller.org, payment))))
}
