//! `/pay/TOKEN`: what a driver was reminded of, and its payment. The page says what the books say; whoever comes back from a provider's page makes the
//! gateway ask how the payment stands, and is not believed himself.

mod page;
pub mod words;

use crate::api::Api;
use crate::billing::from_json;
use crate::clock::now;
use crate::outbox::{Outbox, Owed, is_open};
use crate::serve::limits::Buckets;
use crate::store::{Bill, Error, OrgId, Payment, PaymentStatus, Reader, Reminder};
use axum::Router;
use axum::extract::rejection::FormRejection;
use axum::extract::{Form, Path, State};
use axum::http::header::{ACCEPT_LANGUAGE, CONTENT_SECURITY_POLICY, LOCATION};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;
use words::Words;

/// How long somebody waits for a provider's page, or to hear how his payment stands.
const PATIENCE: Duration = Duration::from_secs(8);
/// Of one link: so many questions to a provider at once, and one more every so often.
const AT_ONCE: u32 = 10;
const ONE_MORE_EVERY: Duration = Duration::from_secs(3);
/// Forms lead to providers' pages.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self' https:; base-uri 'none'; frame-ancestors 'none'";

/// A bill on the page, with the others of its session: they are paid together.
struct Item {
    id: String,
    /// Of all of them.
    number: String,
    /// The day, as in the bill.
    day: String,
    energy: String,
    place: Option<String>,
    currency: String,
    left: i64,
    /// What was paid and not given back.
    kept: i64,
    open: Option<Payment>,
    /// The last attempt did not work.
    failed: bool,
    /// Plugins that it can be paid through, each with what it is called.
    ways: Vec<(String, String)>,
}

/// What the page shows.
struct View {
    words: &'static Words,
    token: String,
    seller: String,
    items: Vec<Item>,
}

#[derive(Clone)]
struct Desk {
    api: Api,
    asked: Arc<Buckets<String>>,
}

/// The page of each reminder.
pub fn router(api: Api) -> Router {
    let desk = Desk { api, asked: Arc::new(Buckets::new(AT_ONCE, ONE_MORE_EVERY)) };
    Router::new().route("/pay/{token}", get(show).post(pay)).with_state(desk)
}

/// Why there is no page.
enum Refused {
    Gone,
    Later(Error),
    NotHere,
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self::Later(error)
    }
}

fn answer(status: StatusCode, page: String) -> Response {
    let mut response = (status, Html(page)).into_response();
    response.headers_mut().insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    response
}

fn refused(why: Refused, headers: &HeaderMap) -> Response {
    let accepted = headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let first = accepted.split([',', ';']).next().unwrap_or_default();
    let words = words::of(first.trim());
    let (status, text) = match why {
        Refused::Gone => (StatusCode::NOT_FOUND, words.gone),
        Refused::NotHere => (StatusCode::BAD_REQUEST, words.no_way),
        Refused::Later(error) => {
            tracing::warn!(%error, "a page of a reminder could not be shown");
            (StatusCode::SERVICE_UNAVAILABLE, words.later)
        }
    };
    answer(status, page::plain(words, text).into_string())
}

async fn show(State(desk): State<Desk>, Path(token): Path<String>, headers: HeaderMap) -> Response {
    match desk.view(&token).await {
        Ok(view) => answer(StatusCode::OK, page::whole(&view).into_string()),
        Err(why) => refused(why, &headers),
    }
}

async fn bill(reader: &mut Reader, org: &OrgId, id: &str) -> Result<Bill, Error> {
    let missing = || Error::Missing { what: "bill", id: id.to_owned() };
    reader.bill(org, id).await?.ok_or_else(missing)
}

#[derive(Deserialize)]
struct Choice {
    bill: String,
    with: String,
}

async fn pay(
    State(desk): State<Desk>,
    Path(token): Path<String>,
    headers: HeaderMap,
    choice: Result<Form<Choice>, FormRejection>,
) -> Response {
    let begun = async {
        let Form(choice) = choice.map_err(|_| Refused::NotHere)?;
        desk.begin(&token, choice).await
    };
    match begun.await {
        Ok(to) => {
            let mut response = answer(StatusCode::SEE_OTHER, String::new());
            response.headers_mut().insert(LOCATION, to);
            response
        }
        Err(why) => refused(why, &headers),
    }
}

impl Desk {
    fn outbox(&self) -> Result<Outbox, Refused> {
        self.api.house.outbox().ok_or(Refused::NotHere)
    }

    async fn find(&self, token: &str) -> Result<(OrgId, Reminder), Refused> {
        if token.is_empty() || token.len() > 64 || !token.is_ascii() {
            return Err(Refused::Gone);
        }
        let mut reader = self.api.store.read().await?;
        for org in reader.orgs().await? {
            if let Some(found) = reader.reminder_of(&org, token).await? {
                let good = found.cancelled_at.is_none();
                return if good { Ok((org, found)) } else { Err(Refused::Gone) };
            }
        }
        Err(Refused::Gone)
    }

    async fn view(&self, token: &str) -> Result<View, Refused> {
        let (org, reminder) = self.find(token).await?;
        let words = words::of(&reminder.language);
        let (mut items, mut seller) = (Vec::new(), String::new());
        let end = tokio::time::Instant::now() + PATIENCE;
        let mut bills = Vec::new();
        let mut reader = self.api.store.read().await?;
        for id in reminder.bill_ids()? {
            bills.push(bill(&mut reader, &org, &id).await?);
        }
        drop(reader);
        for group in Owed::together(&bills) {
            let Some((first, more)) = group.split_first() else { continue };
            let mut reader = self.api.store.read().await?;
            let (mut item, issued_by) = self.item(&mut reader, &org, words, (first, more)).await?;
            drop(reader);
            if let Some(open) = item.open.clone().filter(|open| open.theirs.is_some()) {
                // Whoever comes back from the provider's page wants to see what became of it.
                let moment = tokio::time::Instant::now();
                let patience = end.saturating_duration_since(moment);
                if !patience.is_zero() && self.asked.look(&reminder.id, moment).is_ok() {
                    self.asked.take(reminder.id.clone(), moment);
                    self.outbox()?.ask(&org, &open, patience, now()).await?;
                    let mut reader = self.api.store.read().await?;
                    item = self.item(&mut reader, &org, words, (first, more)).await?.0;
                }
            }
            items.push(item);
            seller = issued_by;
        }
        let token = token.to_owned();
        Ok(View { words, token, seller, items })
    }

    async fn item(
        &self,
        reader: &mut Reader,
        org: &OrgId,
        words: &Words,
        (bill, more): (&Bill, &[Bill]),
    ) -> Result<(Item, String), Error> {
        let (head, document) = from_json(&bill.document).map_err(Error::Corrupt)?;
        let mut number = head.number;
        for other in more {
            let (head, _) = from_json(&other.document).map_err(Error::Corrupt)?;
            number = format!("{number}, {}", head.number);
        }
        let owed = Owed::of(reader, org, bill).await?;
        let last = owed.payments.first().map(|payment| payment.status);
        let failed = matches!(
            last,
            Some(
                PaymentStatus::Failed
                    | PaymentStatus::Cancelled
                    | PaymentStatus::Expired
                    | PaymentStatus::GivenUp
            )
        );
        let ways = self.api.house.paying(org, Some(&bill.seller)).into_iter().map(|(name, kind)| {
            let called = match kind.as_str() {
                "stripe" => words.card.to_owned(),
                "vipps" => "Vipps".to_owned(),
                _ => name.clone(),
            };
            (name, called)
        });
        let day = document.from.split_once('T').map_or("", |(day, _)| day);
        let item = Item {
            id: bill.id.clone(),
            number,
            day: day.to_owned(),
            energy: document.energy_kwh.clone(),
            place: document.site.as_deref().and_then(|site| self.api.house.site_name(org, site)),
            currency: bill.currency.clone(),
            left: owed.left.max(0),
            kept: owed.kept(),
            open: owed.open().cloned(),
            failed,
            ways: ways.collect(),
        };
        Ok((item, head.issued_by.name))
    }

    // Where the browser goes next.
    async fn begin(&self, token: &str, choice: Choice) -> Result<HeaderValue, Refused> {
        let (org, reminder) = self.find(token).await?;
        let here = format!("/pay/{token}");
        let back = || HeaderValue::try_from(here.clone()).map_err(|_| Refused::Gone);
        if !reminder.bill_ids()?.contains(&choice.bill) {
            return Err(Refused::Gone);
        }
        let mut reader = self.api.store.read().await?;
        let seller = bill(&mut reader, &org, &choice.bill).await?.seller;
        drop(reader);
        if !self.api.house.paying(&org, Some(&seller)).iter().any(|(name, _)| *name == choice.with) {
            return Err(Refused::NotHere);
        }
        let outbox = self.outbox()?;
        let address = self.api.house.web_address(&org);
        let return_to = address.map(|address| format!("{address}{here}"));
        let by = format!("reminder:{}", reminder.id);
        let begun = outbox.pay(&org, &choice.bill, &choice.with, (return_to, &by), now()).await;
        let payment = match begun {
            Ok(payment) => payment.id,
            // A second click, or one beside the first: the payment that is there is the one.
            Err(Error::Refused(_) | Error::Conflict(_)) => {
                let mut reader = self.api.store.read().await?;
                let bill = bill(&mut reader, &org, &choice.bill).await?;
                let owed = Owed::of(&mut reader, &org, &bill).await?;
                // What is paid by now is not paid once more by a payment that is still open.
                match owed.open().filter(|_| owed.left > 0) {
                    Some(open) => open.id.clone(),
                    None => return back(),
                }
            }
            Err(error) => return Err(error.into()),
        };
        let payment = outbox.begun(&org, &payment, PATIENCE).await?;
        match payment.next.filter(|_| is_open(payment.status)) {
            Some(next) => HeaderValue::try_from(next).map_err(|_| Refused::NotHere),
            None => back(),
        }
    }
}
