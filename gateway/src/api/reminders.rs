//! Reminders: a link to a page where what is owed can be paid, sent to the driver where that can be done.

use super::access::Wish;
use super::paging::{Limit, Listed};
use super::payments::{cursor, outbox, place};
use super::sessions::Decision;
use super::{Api, Body, Caller, Named, Params, Problem};
use crate::billing::from_json;
use crate::clock::now;
use crate::ledger::debtor;
use crate::outbox::{Owed, message};
use crate::reminding::{MOST_BILLS, language, reminder, request};
use crate::store::{AuditEntry, Bill, IntentState, Lane, OrgId, Person, Reminder, Tx, new_id};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

/// Which reminders.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Wanted {
    /// Of this debtor, as in `driver:d-17`.
    pub debtor: Option<String>,
    /// Reminders in the answer, up to 200.
    pub limit: Option<i64>,
    /// The next page: what the last answer's header `Takst-Next` says.
    pub after: Option<String>,
}

/// What somebody is to be reminded of.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewReminder {
    /// Bills of one debtor.
    pub bills: Vec<String>,
    /// `nb`, `en`, `fi`, `nl`, `pt`; without it the driver's own, else English.
    pub language: Option<String>,
    /// The plugin that sends the message; without it the only one there is.
    pub notifier: Option<String>,
}

/// A reminder.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReminderDoc {
    /// Its id.
    pub id: String,
    /// Who owes it, as in `driver:d-17`.
    pub debtor: String,
    /// The bills.
    pub bills: Vec<String>,
    /// Where they are seen and paid. Whoever has it sees them.
    pub link: String,
    /// ISO 4217.
    pub currency: String,
    /// What is left to pay of them now.
    pub left: String,
    /// `open`, `paid`, `cancelled`.
    pub status: String,
    /// How far the message has come: as in the outbox; nothing when none is sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub message: Option<IntentState>,
    /// Why no message is sent, or what went wrong with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
    /// When it was made (RFC 3339).
    pub created: String,
    /// By whom.
    pub created_by: String,
}

async fn document(api: &Api, org: &OrgId, row: Reminder) -> Result<ReminderDoc, Problem> {
    let bills = row.bill_ids()?;
    let mut reader = api.store.read().await?;
    let mut found = Vec::with_capacity(bills.len());
    for bill in &bills {
        found.push(reader.bill(org, bill).await?.ok_or_else(|| Problem::missing("bill", bill))?);
    }
    let left = Owed::left_of(&mut reader, org, &found).await?;
    let currency = found.last().map(|bill| bill.currency.clone()).unwrap_or_default();
    let sent = reader.intents_about(org, &row.id).await?.into_iter().next();
    drop(reader);
    let status = match (row.cancelled_at, left) {
        (Some(_), _) => "cancelled",
        (None, 0) => "paid",
        (None, _) => "open",
    };
    Ok(ReminderDoc {
        link: format!("{}/pay/{}", api.house.web_address(org).unwrap_or_default(), row.token),
        left: super::ledger::money(left, &currency),
        currency,
        status: status.to_owned(),
        message: sent.as_ref().map(|sent| sent.state),
        trouble: sent.and_then(|sent| sent.detail),
        created: api.text(org, None, row.created_at),
        created_by: row.created_by,
        id: row.id,
        debtor: row.debtor,
        bills,
    })
}

/// The newest reminders first.
#[utoipa::path(get, path = "/api/v1/reminders", tag = "money", params(Wanted),
    responses((status = 200, body = Vec<ReminderDoc>, headers(("Takst-Next" = Option<String>, description = "what to send as `after` for the next piece; none at the end"))), (status = "4XX", body = Problem)))]
pub(super) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Params(wanted): Params<Wanted>,
) -> Result<Listed<ReminderDoc>, Problem> {
    // Whoever has a link sees and pays what is behind it.
    caller.wants(Wish::SeePeople)?;
    let limit = Limit::of(wanted.limit, 50, 200)?;
    let after = wanted.after.as_deref().map(cursor).transpose()?;
    let after = after.as_ref().map(|(at, id)| (*at, id.as_str()));
    let mut rows =
        api.store.read().await?.reminders(&caller.org, wanted.debtor.as_deref(), after, limit.rows()).await?;
    let next = limit.cut(&mut rows, |last| place(last.created_at, &last.id));
    let mut documents = Vec::with_capacity(rows.len());
    for row in rows {
        documents.push(document(&api, &caller.org, row).await?);
    }
    Ok(Listed { rows: documents, next })
}

/// Reminds a debtor of bills. A driver with a telephone number gets the link in a message, where a plugin sends messages and the set-up says
/// under which `web_address` drivers reach the gateway. The same bills once more are the same reminder, and no second message.
#[utoipa::path(post, path = "/api/v1/reminders", tag = "money", request_body = NewReminder,
    responses((status = 201, body = ReminderDoc), (status = 200, body = ReminderDoc, description = "it was there already"),
        (status = 409, body = Problem, description = "nothing is left to pay, or nobody could pay it here"), (status = "4XX", body = Problem)))]
pub(super) async fn create(
    State(api): State<Api>,
    caller: Caller,
    Body(new): Body<NewReminder>,
) -> Result<(StatusCode, Json<ReminderDoc>), Problem> {
    caller.wants(Wish::Command)?;
    let org = &caller.org;
    let mut ids = new.bills.clone();
    ids.sort();
    ids.dedup();
    if ids.is_empty() || ids.len() > MOST_BILLS {
        return Err(Problem::bad(format!("`bills` names 1 to {MOST_BILLS} bills")));
    }
    payable(&api, org)?;
    let About { debtor, first, left, person } = about(&api, org, &ids).await?;
    let language = new.language.or_else(|| language(person.as_ref())).unwrap_or_else(|| "en".to_owned());
    if language.len() > 10 || !language.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'-') {
        return Err(Problem::bad("`language` is a word as in `nb`"));
    }
    let row = reminder(&debtor, &ids, &language, &caller.who, now());
    let messenger = messenger(&api, org, new.notifier.as_deref(), person.as_ref())?;
    let sending =
        messenger.map(|(plugin, address, driver)| (plugin, request(&row, &first, left, &address, &driver)));
    let (owner, made) = (org.clone(), row.clone());
    let unit = async move |tx: &mut Tx| {
        let before = tx.reminders(&owner, Some(&made.debtor), None, 200).await?;
        let same = |old: &Reminder| old.cancelled_at.is_none() && old.bills == made.bills;
        if let Some(old) = before.into_iter().find(same) {
            return Ok((old, false));
        }
        tx.add_reminder(&owner, &made).await?;
        if let Some((plugin, request)) = &sending {
            let source = (format!("remind:{}", made.id), made.id.as_str(), plugin.as_str());
            message(tx, &owner, source, request.clone(), &made.created_by, made.created_at).await?;
        }
        let after = json!({ "debtor": made.debtor, "bills": made.bills, "message": sending.is_some() });
        audit(tx, &owner, ("reminder.create", &made.id, &made.created_by), &Value::Null, &after).await?;
        Ok((made.clone(), true))
    };
    let (row, is_new) = api.store.write(Lane::debtor(org, &debtor), unit).await?;
    outbox(&api)?.wake();
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(document(&api, org, row).await?)))
}

// What is to be reminded of.
struct About {
    debtor: String,
    first: Bill,
    left: i64,
    person: Option<Person>,
}

async fn about(api: &Api, org: &OrgId, ids: &[String]) -> Result<About, Problem> {
    let mut reader = api.store.read().await?;
    let mut found: Option<(String, Bill)> = None;
    let mut bills = Vec::with_capacity(ids.len());
    for id in ids {
        let bill = reader.bill(org, id).await?.ok_or_else(|| Problem::missing("bill", id))?;
        let (_, document) = from_json(&bill.document).map_err(crate::store::Error::Corrupt)?;
        let of = debtor(&document, &bill.id);
        bills.push(bill.clone());
        match &found {
            None => found = Some((of, bill)),
            Some((first, one)) if *first == of && one.currency == bill.currency => {}
            Some(_) => {
                return Err(Problem::bad("these bills are of several debtors or in several currencies"));
            }
        }
    }
    let (debtor, first) = found.ok_or_else(|| Problem::bad("`bills` names no bill"))?;
    let left = Owed::left_of(&mut reader, org, &bills).await?;
    if left == 0 {
        return Err(Problem::new(StatusCode::CONFLICT, "nothing is left to pay of these bills"));
    }
    let person = match debtor.strip_prefix("driver:") {
        Some(driver) => reader.person(org, driver).await?,
        None => None,
    };
    Ok(About { debtor, first, left, person })
}

// A link that nobody can pay behind is worse than none.
fn payable(api: &Api, org: &OrgId) -> Result<(), Problem> {
    let conflict = |text: &str, help: &str| {
        Err(Problem::new(StatusCode::CONFLICT, text.to_owned()).help(help.to_owned()))
    };
    if api.house.web_address(org).is_none() {
        return conflict(
            "drivers cannot reach this gateway: a link to it would lead nowhere",
            "set `web_address` of [organisation], as in \"https://charge.example.com\"",
        );
    }
    if api.house.paying(org, None).is_empty() {
        return conflict(
            "nothing can be paid through this gateway: no payment provider is set up",
            "add a `[[plugin]]` such as `stripe` or `vipps`, and `payments` to the seller",
        );
    }
    Ok(())
}

// Who brings the message, the address that the link begins with, and to whom.
fn messenger(
    api: &Api,
    org: &OrgId,
    named: Option<&str>,
    person: Option<&Person>,
) -> Result<Option<(String, String, String)>, Problem> {
    let all = api.house.messengers(org);
    let plugin = match (named, all.as_slice()) {
        (Some(named), all) if all.iter().any(|known| known == named) => Some(named.to_owned()),
        (Some(named), _) => {
            return Err(Problem::bad(format!("there is no plugin `{named}` that sends messages")));
        }
        (None, [only]) => Some(only.clone()),
        (None, []) => None,
        (None, several) => {
            return Err(Problem::bad("several plugins send messages")
                .help(format!("name a `notifier`: {}", several.join(", "))));
        }
    };
    let reached = person.filter(|person| person.phone.is_some());
    Ok(plugin
        .zip(api.house.web_address(org))
        .zip(reached)
        .map(|((plugin, address), person)| (plugin, address, person.driver.clone())))
}

/// Takes a reminder back: its link leads nowhere any more. What is owed stays.
#[utoipa::path(post, path = "/api/v1/reminders/{id}/cancel", tag = "money", params(("id" = String, Path)),
    request_body = Decision, responses((status = 204), (status = 409, body = Problem, description = "it was taken back before"),
        (status = "4XX", body = Problem)))]
pub(super) async fn cancel(
    State(api): State<Api>,
    caller: Caller,
    Named(id): Named<String>,
    Body(decision): Body<Decision>,
) -> Result<StatusCode, Problem> {
    caller.wants(Wish::Command)?;
    decision.check()?;
    let org = caller.org.clone();
    let row = api.store.read().await?.reminder(&org, &id).await?;
    let row = row.ok_or_else(|| Problem::missing("reminder", &id))?;
    let (lane, who) = (Lane::debtor(&org, &row.debtor), caller.who.clone());
    let unit = async move |tx: &mut Tx| {
        if !tx.cancel_reminder(&org, &row.id, now()).await? {
            return Err(crate::store::Error::refused("the reminder was taken back before"));
        }
        let after = json!({ "reason": decision.reason });
        audit(tx, &org, ("reminder.cancel", &row.id, &who), &json!({ "bills": row.bills }), &after).await
    };
    api.store.write(lane, unit).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn audit(
    tx: &mut Tx,
    org: &OrgId,
    (what, subject, by): (&str, &str, &str),
    before: &Value,
    after: &Value,
) -> Result<(), crate::store::Error> {
    let entry = AuditEntry {
        id: new_id(),
        at: now(),
        who: by.to_owned(),
        what: what.to_owned(),
        subject: subject.to_owned(),
        before_doc: Some(before.to_string()).filter(|_| !before.is_null()),
        after_doc: Some(after.to_string()),
    };
    tx.audit(org, &entry).await
}
