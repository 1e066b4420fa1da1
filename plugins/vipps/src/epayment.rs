//! ePayment: what a driver pays now, in the app or with a card on Vipps' page.

use crate::api::{Api, cut, error, is_key, part};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use takst_plugin_sdk::payments::{ChargeRequest, Operation, Payment, PaymentState};
use takst_plugin_sdk::{Error, Money, Outcome};

/// The most that Vipps takes at once, in minor units (OpenAPI: `Amount`).
const MOST: i64 = 65_000_000;
/// The outbox's key in a payment's metadata.
const KEY: &str = "takst_key";

/// A payment. What a change answers has no metadata and no address.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Intent {
    reference: String,
    state: String,
    aggregate: Aggregate,
    #[serde(default)]
    redirect_url: Option<String>,
    #[serde(default)]
    metadata: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Clone, Deserialize)]
struct Amount {
    value: i64,
    currency: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Aggregate {
    authorized_amount: Amount,
    cancelled_amount: Amount,
    captured_amount: Amount,
    refunded_amount: Amount,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    name: String,
    #[serde(default)]
    idempotency_key: Option<String>,
    success: bool,
}

/// Money as Vipps takes it.
fn amount(money: &Money) -> Result<Value, Error> {
    let wrong = |why: &str| {
        Err(Error::refused("wrong-amount", format!("{} {}: {why}", money.decimal(), money.currency)))
    };
    if !matches!(money.currency.as_str(), "NOK" | "DKK" | "EUR") {
        return wrong("Vipps MobilePay takes NOK, DKK and EUR");
    }
    if money.minor <= 0 {
        return wrong("an amount must be more than 0");
    }
    if money.minor > MOST {
        return wrong("Vipps takes 650,000.00 at most");
    }
    Ok(json!({ "value": money.minor, "currency": money.currency }))
}

/// `^[a-zA-Z0-9-]{8,50}$`.
fn reference(text: &str) -> Result<&str, Error> {
    let fine = (8..=50).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if fine {
        Ok(text)
    } else {
        Err(Error::refused(
            "wrong-reference",
            format!("`{text}`: a reference has 8 to 50 letters, digits and `-`"),
        ))
    }
}

/// A payment that the driver makes now.
pub fn charge(api: &Api<'_>, key: &str, request: &ChargeRequest) -> Result<Payment, Error> {
    let ours = reference(&request.reference)?;
    let mut body = json!({
        "amount": amount(&request.amount)?,
        "paymentMethod": { "type": "WALLET" },
        "reference": ours,
        "userFlow": "WEB_REDIRECT",
        // 3 to 100 characters.
        "paymentDescription": format!("{:<3}", cut(&request.description, 100)),
        "metadata": { KEY: key },
    });
    let phone =
        request.more.iter().find(|(name, _)| name == "phone").map(|(_, phone)| phone.trim_start_matches('+'));
    let phone = phone
        .filter(|phone| (10..=15).contains(&phone.len()) && phone.bytes().all(|byte| byte.is_ascii_digit()));
    let push = api.settings.get("flow") == Some("push");
    if let (Some(fields), Some(phone)) = (body.as_object_mut(), phone) {
        fields.insert("customer".into(), json!({ "phoneNumber": phone }));
        if push {
            fields.insert("userFlow".into(), "PUSH_MESSAGE".into());
        }
    }
    match (&request.return_to, push && phone.is_some()) {
        (Some(address), _) => {
            _ = body.as_object_mut().map(|fields| fields.insert("returnUrl".into(), address.as_str().into()))
        }
        (None, true) => {}
        (None, false) => {
            return Err(Error::refused(
                "no-return-address",
                "Vipps needs an address that the driver's browser comes back to",
            ));
        }
    }
    let answer = api.post("/epayment/v1/payments", Some(&body))?;
    match answer.status {
        200..300 => {
            #[derive(Deserialize)]
            #[serde(rename_all = "camelCase")]
            struct Created {
                #[serde(default)]
                redirect_url: Option<String>,
            }
            let created: Created = answer.json()?;
            let nothing = Money::new(0, &request.amount.currency);
            Ok(Payment {
                reference: ours.to_owned(),
                // With a push message the driver has it on the phone already.
                state: if created.redirect_url.is_some() {
                    PaymentState::ActionNeeded
                } else {
                    PaymentState::Pending
                },
                captured: nothing.clone(),
                refunded: nothing,
                next: created.redirect_url,
                failure: None,
                more: Vec::new(),
            })
        }
        // The reference is there already. If it is from this very thing, that is the answer.
        409 => match get(api, ours)? {
            Some(intent) if is_ours(&intent, key) => Ok(payment(&intent)),
            Some(_) => {
                Err(Error::refused("reference-taken", format!("there is another payment `{ours}` at Vipps")))
            }
            None => Err(error(&answer, "making a payment")),
        },
        _ => Err(error(&answer, "making a payment")),
    }
}

fn is_ours(intent: &Intent, key: &str) -> bool {
    intent.metadata.as_ref().and_then(|metadata| metadata.get(KEY)).is_some_and(|its| its == key)
}

fn get(api: &Api<'_>, reference: &str) -> Result<Option<Intent>, Error> {
    let answer = api.get(&format!("/epayment/v1/payments/{}", part(reference)?))?;
    match answer.status {
        200..300 => answer.json().map(Some),
        404 => Ok(None),
        _ => Err(error(&answer, "asking for a payment")),
    }
}

fn need(api: &Api<'_>, reference: &str) -> Result<Intent, Error> {
    get(api, reference)?
        .ok_or_else(|| Error::refused("unknown-reference", format!("Vipps knows no payment `{reference}`")))
}

/// How it stands.
pub fn status(api: &Api<'_>, reference: &str) -> Result<Payment, Error> {
    Ok(payment(&need(api, reference)?))
}

/// Takes money, gives it back, or gives the payment up.
pub fn change(
    api: &Api<'_>,
    reference: &str,
    operation: Operation,
    money: Option<&Money>,
) -> Result<Payment, Error> {
    let (verb, doing) = match operation {
        Operation::Capture => ("capture", "taking what was set aside"),
        Operation::Refund => ("refund", "refunding"),
        _ => ("cancel", "giving a payment up"),
    };
    let body =
        money.map(|money| Ok::<_, Error>(json!({ "modificationAmount": amount(money)? }))).transpose()?;
    let answer = api.post(&format!("/epayment/v1/payments/{}/{verb}", part(reference)?), body.as_ref())?;
    if answer.is_ok() {
        return Ok(payment(&answer.json()?));
    }
    let error = error(&answer, doing);
    if operation == Operation::Cancel && matches!(answer.status, 400 | 409) {
        // It may be over already: then it is as wanted, whoever did it. Else it cannot be given up any more.
        let payment = payment(&need(api, reference)?);
        return match payment.state {
            PaymentState::Cancelled | PaymentState::Expired | PaymentState::Failed => Ok(payment),
            _ => Err(Error { outcome: Outcome::Refused, ..error }),
        };
    }
    Err(error)
}

/// Whether it was done: by our reference for a payment, by the idempotency key in the payment's log for a change. Both are always up to date.
pub fn lookup(
    api: &Api<'_>,
    key: &str,
    operation: Operation,
    reference: &str,
) -> Result<Option<Payment>, Error> {
    let Some(intent) = get(api, reference)? else { return Ok(None) };
    let name = match operation {
        Operation::Charge => return Ok(is_ours(&intent, key).then(|| payment(&intent))),
        Operation::Cancel => {
            return Ok(Some(payment(&intent)).filter(|payment| payment.state == PaymentState::Cancelled));
        }
        Operation::Capture => "CAPTURED",
        Operation::Refund => "REFUNDED",
        Operation::Save => return Ok(None),
    };
    let answer = api.get(&format!("/epayment/v1/payments/{}/events", part(reference)?))?;
    if !answer.is_ok() {
        return Err(error(&answer, "asking for a payment's log"));
    }
    let events: Vec<Event> = answer.json()?;
    let done = events
        .iter()
        .any(|event| event.name == name && event.success && is_key(event.idempotency_key.as_deref(), key));
    Ok(done.then(|| payment(&intent)))
}

fn payment(intent: &Intent) -> Payment {
    let Aggregate { authorized_amount, cancelled_amount, captured_amount, refunded_amount } =
        &intent.aggregate;
    let aborted = || Error::refused("aborted", "the driver said no in the app");
    let (state, failure) = match intent.state.as_str() {
        "CREATED" if intent.redirect_url.is_some() => (PaymentState::ActionNeeded, None),
        "AUTHORIZED" if captured_amount.value > 0 => (PaymentState::Paid, None),
        "AUTHORIZED" if cancelled_amount.value > 0 && cancelled_amount.value >= authorized_amount.value => {
            (PaymentState::Cancelled, None)
        }
        // Vipps never takes it by itself: what is to be taken at once the gateway captures now.
        "AUTHORIZED" => (PaymentState::Authorized, None),
        "ABORTED" => (PaymentState::Failed, Some(aborted())),
        "EXPIRED" => (PaymentState::Expired, None),
        "TERMINATED" => (PaymentState::Cancelled, None),
        _ => (PaymentState::Pending, None),
    };
    Payment {
        reference: intent.reference.clone(),
        state,
        captured: Money::new(captured_amount.value, &captured_amount.currency),
        refunded: Money::new(refunded_amount.value, &refunded_amount.currency),
        next: intent.redirect_url.clone().filter(|_| state == PaymentState::ActionNeeded),
        failure,
        more: Vec::new(),
    }
}
