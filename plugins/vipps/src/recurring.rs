//! Recurring: an agreement that the driver accepts once in the app, and charges on it. A charge has our reference as its name (`orderId`), so that there can be
//! only one, and is taken on its due date; Vipps goes on trying for some days.

use crate::api::{Api, cut, error, part, short_key};
use crate::date;
use serde::Deserialize;
use serde_json::{Value, json};
use takst_plugin_sdk::payments::{ChargeRequest, Instrument, Operation, Payment, PaymentState, SaveRequest};
use takst_plugin_sdk::{Error, Money, Outcome, clock};

/// The longest name of a product.
pub const NAME: usize = 45;
/// The least that can be charged, in øre.
const LEAST: i64 = 100;
/// The most that may be suggested as a month's most, in øre.
const MOST: i64 = 2_000_000;

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Agreement {
    id: String,
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    external_id: Option<String>,
    #[serde(default)]
    vipps_confirmation_url: Option<String>,
    #[serde(default)]
    pricing: Option<Pricing>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Pricing {
    #[serde(default)]
    max_amount: Option<i64>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Charge {
    id: String,
    agreement_id: String,
    amount: i64,
    currency: String,
    status: String,
    #[serde(default)]
    due: Option<String>,
    #[serde(default)]
    failure_reason: Option<String>,
    #[serde(default)]
    failure_description: Option<String>,
    summary: Summary,
    #[serde(default)]
    history: Vec<Event>,
}

#[derive(Debug, Clone, Deserialize)]
struct Summary {
    captured: i64,
    refunded: i64,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    event: String,
    #[serde(default)]
    idempotency_key: Option<String>,
    success: bool,
}

/// Makes an agreement, for the driver to accept.
pub fn save(api: &Api<'_>, key: &str, request: &SaveRequest) -> Result<Instrument, Error> {
    let kroner: i64 = api.settings.get_or("most_per_month", "2000").parse().unwrap_or(2_000);
    let most = match &request.at_most {
        Some(money) if money.currency != "NOK" => {
            return Err(Error::refused(
                "wrong-currency",
                format!("agreements at Vipps are in NOK, not in {}", money.currency),
            ));
        }
        Some(money) => money.minor,
        None => kroner.saturating_mul(100),
    };
    let phone =
        request.more.iter().find(|(name, _)| name == "phone").map(|(_, phone)| phone.trim_start_matches('+'));
    let mut body = json!({
        "pricing": { "type": "VARIABLE", "currency": "NOK", "suggestedMaxAmount": most.clamp(LEAST, MOST) },
        "interval": { "unit": "MONTH", "count": 1 },
        "merchantRedirectUrl": request.return_to,
        "merchantAgreementUrl": api.settings.need("agreement_url")?,
        "productName": cut(api.settings.get_or("product_name", "Lading"), NAME),
        "productDescription": cut(&request.description, 100),
        "externalId": cut(&request.reference, 64),
    });
    if let (Some(fields), Some(phone)) = (body.as_object_mut(), phone) {
        fields.insert("phoneNumber".into(), phone.into());
    }
    let answer = api.change("/recurring/v3/agreements", &short_key(key), Some(&body))?;
    if !answer.is_ok() {
        return Err(error(&answer, "making an agreement"));
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Drafted {
        agreement_id: String,
        #[serde(default)]
        vipps_confirmation_url: Option<String>,
    }
    let drafted: Drafted = answer.json()?;
    Ok(instrument(&Agreement {
        id: drafted.agreement_id,
        status: Some("PENDING".into()),
        external_id: None,
        vipps_confirmation_url: drafted.vipps_confirmation_url,
        pricing: None,
    }))
}

/// How it stands with an agreement.
pub fn saved(api: &Api<'_>, reference: &str) -> Result<Instrument, Error> {
    let answer = api.get(&format!("/recurring/v3/agreements/{}", part(reference)?))?;
    if answer.is_ok() {
        Ok(instrument(&answer.json()?))
    } else {
        Err(error(&answer, "asking for an agreement"))
    }
}

/// An agreement that was made with our reference in the last days. Vipps lists them by state.
pub fn lookup_save(api: &Api<'_>, ours: &str, theirs: Option<&str>) -> Result<Option<Payment>, Error> {
    if let Some(theirs) = theirs {
        return saved(api, theirs).map(|instrument| Some(instrument.progress()));
    }
    let since = clock::now().saturating_sub(7 * 86_400_000);
    for state in ["PENDING", "ACTIVE"] {
        let answer = api.get(&format!("/recurring/v3/agreements?status={state}&createdAfter={since}"))?;
        if !answer.is_ok() {
            return Err(error(&answer, "listing agreements"));
        }
        let agreements: Vec<Agreement> = answer.json()?;
        if let Some(found) =
            agreements.iter().find(|agreement| agreement.external_id.as_deref() == Some(ours))
        {
            return Ok(Some(instrument(found).progress()));
        }
    }
    Ok(None)
}

fn instrument(agreement: &Agreement) -> Instrument {
    let over = |code: &str, text: &str| Some(Error::refused(code, text));
    let (ready, failure) = match agreement.status.as_deref() {
        Some("ACTIVE") => (true, None),
        Some("STOPPED") => {
            (false, over("agreement-stopped", "the agreement was ended, by the driver or by us"))
        }
        Some("EXPIRED") => {
            (false, over("agreement-expired", "the driver did not accept the agreement in time, or said no"))
        }
        _ => (false, None),
    };
    let most = agreement.pricing.as_ref().and_then(|pricing| pricing.max_amount);
    Instrument {
        reference: agreement.id.clone(),
        ready,
        label: "Vipps".to_owned(),
        next: agreement.vipps_confirmation_url.clone().filter(|_| !ready && failure.is_none()),
        failure,
        more: most
            .map(|most| ("at-most".to_owned(), Money::new(most, "NOK").decimal()))
            .into_iter()
            .collect(),
    }
}

/// A charge on an agreement.
pub fn charge(api: &Api<'_>, key: &str, agreement: &str, request: &ChargeRequest) -> Result<Payment, Error> {
    let number = |name: &str, default: i64| {
        api.settings.get(name).and_then(|text| text.parse().ok()).unwrap_or(default)
    };
    if request.amount.currency != "NOK" || request.amount.minor < LEAST {
        let money = format!("{} {}", request.amount.decimal(), request.amount.currency);
        return Err(Error::refused(
            "wrong-amount",
            format!("{money}: a charge on an agreement is in NOK and at least 1.00"),
        ));
    }
    let ours = part(&request.reference)?;
    let body = json!({
        "amount": request.amount.minor,
        "transactionType": if request.capture { "DIRECT_CAPTURE" } else { "RESERVE_CAPTURE" },
        "description": cut(&request.description, NAME),
        "due": date::in_days(number("due_days", 2)),
        "retryDays": number("retry_days", 5).clamp(0, 14),
        "orderId": ours,
        "externalId": ours,
    });
    let answer = api.change(
        &format!("/recurring/v3/agreements/{}/charges", part(agreement)?),
        &short_key(key),
        Some(&body),
    )?;
    if answer.is_ok() {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Created {
            charge_id: String,
        }
        let created: Created = answer.json()?;
        let nothing = Money::new(0, "NOK");
        return Ok(Payment {
            reference: format!("{agreement}/{}", created.charge_id),
            state: PaymentState::Pending,
            captured: nothing.clone(),
            refunded: nothing,
            next: None,
            failure: None,
            more: vec![(
                "due".to_owned(),
                body.get("due").and_then(Value::as_str).unwrap_or_default().to_owned(),
            )],
        });
    }
    if matches!(answer.status, 400 | 409) {
        // Our reference may be there already; asked for again on a later day the due date is another, and the key no longer fits.
        if let Some(charge) = by_reference(api, ours)? {
            return match made_by(&charge, key) {
                true => Ok(payment(&charge)),
                false => Err(Error::refused(
                    "reference-taken",
                    format!("there is another charge `{ours}` at Vipps"),
                )),
            };
        }
    }
    Err(error(&answer, "charging an agreement"))
}

fn is_key(event: &Event, key: &str) -> bool {
    event.idempotency_key.as_deref() == Some(short_key(key).as_str())
}

fn made_by(charge: &Charge, key: &str) -> bool {
    charge.history.iter().any(|event| event.event == "CREATE" && is_key(event, key))
}

/// Agreement and charge of a payment's name.
pub fn split(reference: &str) -> Option<(&str, &str)> {
    reference.split_once('/')
}

fn path(reference: &str) -> Result<String, Error> {
    let (agreement, charge) = split(reference).ok_or_else(|| {
        Error::refused("unknown-reference", format!("`{reference}` is no charge on an agreement"))
    })?;
    Ok(format!("/recurring/v3/agreements/{}/charges/{}", part(agreement)?, part(charge)?))
}

fn get(api: &Api<'_>, reference: &str) -> Result<Charge, Error> {
    let answer = api.get(&path(reference)?)?;
    if answer.is_ok() { answer.json() } else { Err(error(&answer, "asking for a charge")) }
}

fn by_reference(api: &Api<'_>, ours: &str) -> Result<Option<Charge>, Error> {
    let answer = api.get(&format!("/recurring/v3/charges/{}", part(ours)?))?;
    match answer.status {
        200..300 => answer.json().map(Some),
        404 => Ok(None),
        _ => Err(error(&answer, "asking for a charge")),
    }
}

/// How it stands.
pub fn status(api: &Api<'_>, reference: &str) -> Result<Payment, Error> {
    Ok(payment(&get(api, reference)?))
}

/// Takes money, gives it back, or gives the charge up.
pub fn change(
    api: &Api<'_>,
    key: &str,
    reference: &str,
    operation: Operation,
    money: Option<&Money>,
    why: &str,
) -> Result<Payment, Error> {
    let (path, key) = (path(reference)?, short_key(key));
    let why = if why.trim().is_empty() { "Takst" } else { why };
    let body = money.map(|money| json!({ "amount": money.minor, "description": cut(why, NAME) }));
    if money.is_some_and(|money| money.currency != "NOK" || money.minor < LEAST) {
        return Err(Error::refused("wrong-amount", "on an agreement it is in NOK and at least 1.00"));
    }
    let (answer, doing) = match operation {
        Operation::Capture => {
            (api.change(&format!("{path}/capture"), &key, body.as_ref())?, "taking what was set aside")
        }
        Operation::Refund => (api.change(&format!("{path}/refund"), &key, body.as_ref())?, "refunding"),
        _ => (api.change(&path, &key, None)?, "giving a charge up"),
    };
    let error = match answer.status {
        // Done, or (202) as good as done. What it says then is no reason to think otherwise.
        200..300 => {
            return get(api, reference)
                .map(|charge| payment(&charge))
                .map_err(|error| Error { outcome: Outcome::Unknown, ..error });
        }
        _ => error(&answer, doing),
    };
    if operation == Operation::Cancel && error.outcome == Outcome::Refused {
        let payment = status(api, reference)?;
        if payment.state == PaymentState::Cancelled {
            return Ok(payment);
        }
    }
    Err(error)
}

/// Whether it was done: by the charge itself, which bears our reference, and by the idempotency key in its history. Both are always up to date.
pub fn lookup(
    api: &Api<'_>,
    key: &str,
    operation: Operation,
    ours: &str,
    theirs: Option<&str>,
) -> Result<Option<Payment>, Error> {
    let charge = match theirs {
        Some(theirs) => Some(get(api, theirs)?),
        None => by_reference(api, ours)?,
    };
    let Some(charge) = charge else { return Ok(None) };
    let happened = |name: &str| {
        charge.history.iter().any(|event| event.event == name && event.success && is_key(event, key))
    };
    let done = match operation {
        Operation::Charge => made_by(&charge, key),
        Operation::Capture => happened("CAPTURE"),
        Operation::Refund => happened("REFUND"),
        Operation::Cancel => charge.status == "CANCELLED" || happened("CANCEL"),
        Operation::Save => false,
    };
    Ok(done.then(|| payment(&charge)))
}

fn payment(charge: &Charge) -> Payment {
    let state = match charge.status.as_str() {
        "CHARGED" | "PARTIALLY_CAPTURED" | "PARTIALLY_REFUNDED" | "REFUNDED" => PaymentState::Paid,
        "RESERVED" => PaymentState::Authorized,
        "FAILED" => PaymentState::Failed,
        "CANCELLED" if charge.summary.captured > 0 => PaymentState::Paid,
        "CANCELLED" => PaymentState::Cancelled,
        // PENDING, DUE, PROCESSING, and what may come.
        _ => PaymentState::Pending,
    };
    let failure = (state == PaymentState::Failed).then(|| {
        let said = charge.failure_description.as_deref().unwrap_or("Vipps gave no reason");
        match charge.failure_reason.as_deref() {
            Some("user_action_required") => Error::refused(
                "payer-must-act",
                format!("{said}: the driver's card does not do it; he has to look in the app"),
            ),
            Some("charge_amount_too_high") => {
                let amount = Money::new(charge.amount, &charge.currency).decimal();
                Error::refused(
                    "over-the-limit",
                    format!("{said}: {amount} is more than the driver allows a month"),
                )
            }
            Some(reason) => Error::refused("charge-failed", format!("{said} ({reason})")),
            None => Error::refused("charge-failed", said),
        }
    });
    Payment {
        reference: format!("{}/{}", charge.agreement_id, charge.id),
        state,
        captured: Money::new(charge.summary.captured, &charge.currency),
        refunded: Money::new(charge.summary.refunded, &charge.currency),
        next: None,
        failure,
        more: charge.due.iter().map(|due| ("due".to_owned(), due.chars().take(10).collect())).collect(),
    }
}
