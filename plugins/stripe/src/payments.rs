//! What the gateway asks for.
//!
//! **Once only.** Every request that changes something has the gateway's `Idempotency-Key`: asked for again within 24 hours, Stripe answers as it did the first
//! time. [`lookup`](payments::Guest::lookup) has to be right beyond that. It goes by the metadata `takst_key`:
//! - A payment whose name is known is fetched; refunds are listed by payment. Both are always up to date.
//! - A payment whose name never reached us is looked for among the last 100 payments of the last day (up to date), then with Stripe's search, which may lag by
//!   minutes, in trouble by hours. So "not found" can be wrong for a payment that is young and was followed by a hundred others. The gateway then asks for it again
//!   under the same key, and Stripe gives the one that there is: while the search may lag, the key still holds.

use crate::api::{
    self, Customer, Expandable, Fields, List, PaymentIntent, PaymentMethod, Refund, SetupIntent, field, name,
};
use crate::state::{self, FLOW, KEY, PAGE, PAYER, REFERENCE, RETURN_TO, SAVED};
use crate::{Stripe, amount};
use takst_plugin_sdk::payments::{
    ChargeRequest, Guest, Instrument, Operation, Payment, PaymentState, SaveRequest,
};
use takst_plugin_sdk::{Error, Money, Options, Outcome, Settings, clock, kv};

/// The longest value in metadata.
const METADATA: usize = 500;

impl Guest for Stripe {
    fn save(settings: Options, key: String, request: SaveRequest) -> Result<Instrument, Error> {
        let customer = customer(&request.payer)?;
        let mut fields = metadata(&key, &request.reference, &request.payer, Some(&request.return_to))?;
        fields.extend([
            field("customer", customer),
            field("usage", "off_session"),
            field("payment_method_types[]", "card"),
        ]);
        let answer = api::post("/v1/setup_intents", &fields)?;
        if !answer.is_ok() {
            return Err(api::error(&answer, "saving a card"));
        }
        Ok(state::instrument(Settings(&settings), &answer.json()?))
    }

    fn saved(settings: Options, reference: String) -> Result<Instrument, Error> {
        if reference.starts_with("pm_") {
            return Ok(state::foreign(&method(&reference)?));
        }
        Ok(state::instrument(Settings(&settings), &setup(&reference)?))
    }

    fn charge(settings: Options, key: String, request: ChargeRequest) -> Result<Payment, Error> {
        let (amount, currency) = amount::to_stripe(&request.amount)?;
        let mut fields = metadata(&key, &request.reference, &request.payer, request.return_to.as_deref())?;
        fields.extend([
            field("amount", amount.to_string()),
            field("currency", currency),
            field("description", request.description),
            field("payment_method_types[]", "card"),
            field("capture_method", if request.capture { "automatic" } else { "manual" }),
            field("expand[]", "latest_charge"),
        ]);
        match &request.instrument {
            Some(instrument) => {
                let (customer, method) = card(instrument)?;
                fields.extend([
                    field("customer", customer),
                    field("payment_method", method),
                    field("confirm", "true"),
                    field("off_session", "true"),
                    field(&format!("metadata[{FLOW}]"), SAVED),
                ]);
            }
            None => fields.push(field(&format!("metadata[{FLOW}]"), PAGE)),
        }
        let answer = api::post("/v1/payment_intents", &fields)?;
        if answer.is_ok() {
            return Ok(state::payment(Settings(&settings), &answer.json()?));
        }
        // The bank wants its customer: the payment stands, and waits for him.
        let waits =
            api::problem(&answer).payment_intent.map(|intent| state::payment(Settings(&settings), &intent));
        match waits {
            Some(payment) if payment.state == PaymentState::ActionNeeded => Ok(payment),
            _ => Err(api::error(&answer, "charging a card")),
        }
    }

    fn capture(settings: Options, _key: String, reference: String, amount: Money) -> Result<Payment, Error> {
        let (amount, _) = amount::to_stripe(&amount)?;
        let fields = vec![field("amount_to_capture", amount.to_string()), field("expand[]", "latest_charge")];
        change(Settings(&settings), &reference, "capture", &fields, |intent| {
            intent.status == "succeeded" && intent.amount_received == amount
        })
    }

    fn refund(
        settings: Options,
        key: String,
        reference: String,
        amount: Money,
        reason: String,
    ) -> Result<Payment, Error> {
        let (amount, _) = amount::to_stripe(&amount)?;
        let fields = vec![
            field("payment_intent", name(&reference, "pi_")?),
            field("amount", amount.to_string()),
            field(&format!("metadata[{KEY}]"), key),
            field("metadata[takst_reason]", cut(&reason)),
        ];
        let answer = api::post("/v1/refunds", &fields)?;
        if !answer.is_ok() {
            return Err(api::error(&answer, "refunding"));
        }
        let refund: Refund = answer.json()?;
        if let Some(error) = failed(&refund) {
            return Err(error);
        }
        // The money is on its way back whatever becomes of this question.
        Self::status(settings, reference).map_err(|error| Error { outcome: Outcome::Unknown, ..error })
    }

    fn cancel(settings: Options, _key: String, reference: String) -> Result<Payment, Error> {
        let fields = vec![field("expand[]", "latest_charge")];
        change(Settings(&settings), &reference, "cancel", &fields, |intent| intent.status == "canceled")
    }

    fn status(settings: Options, reference: String) -> Result<Payment, Error> {
        Ok(state::payment(Settings(&settings), &payment(&reference)?))
    }

    fn lookup(
        settings: Options,
        key: String,
        operation: Operation,
        ours: String,
        theirs: Option<String>,
    ) -> Result<Option<Payment>, Error> {
        let settings = Settings(&settings);
        let stands = |intent: &PaymentIntent| state::payment(settings, intent);
        match (operation, theirs) {
            (Operation::Save, theirs) => Ok(saving(&key, theirs.as_deref())?
                .map(|intent| state::instrument(settings, &intent).progress())),
            (Operation::Charge, Some(theirs)) => Ok(Some(stands(&payment(&theirs)?))),
            (Operation::Charge, None) => Ok(find(&key, &ours)?.as_ref().map(stands)),
            (Operation::Capture, Some(theirs)) => {
                let intent = payment(&theirs)?;
                Ok((intent.status != "requires_capture").then(|| stands(&intent)))
            }
            (Operation::Cancel, Some(theirs)) => {
                let intent = payment(&theirs)?;
                Ok((intent.status == "canceled").then(|| stands(&intent)))
            }
            (Operation::Refund, Some(theirs)) => {
                let path = format!("/v1/refunds?payment_intent={}&limit=100", name(&theirs, "pi_")?);
                let refunds: List<Refund> = read(&path, "listing refunds")?;
                match refunds.data.iter().find(|refund| refund.metadata.get(KEY) == Some(&key)) {
                    Some(refund) => failed(refund).map_or_else(|| Ok(Some(stands(&payment(&theirs)?))), Err),
                    None => Ok(None),
                }
            }
            (Operation::Capture | Operation::Cancel | Operation::Refund, None) => Err(Error::refused(
                "unknown-reference",
                "without the payment's name at Stripe there is nothing that could have been captured, refunded or cancelled",
            )),
        }
    }
}

/// What is kept with everything: whose it is, and what it was asked for with.
fn metadata(key: &str, reference: &str, payer: &str, return_to: Option<&str>) -> Result<Fields, Error> {
    let mut fields = Fields::new();
    for (name, value) in
        [(KEY, Some(key)), (REFERENCE, Some(reference)), (PAYER, Some(payer)), (RETURN_TO, return_to)]
    {
        let Some(value) = value.filter(|value| !value.is_empty()) else { continue };
        if value.chars().count() > METADATA {
            return Err(Error::refused(
                "too-long",
                format!("`{value}` is too long: Stripe keeps {METADATA} characters"),
            ));
        }
        fields.push(field(&format!("metadata[{name}]"), value));
    }
    Ok(fields)
}

fn cut(text: &str) -> String {
    text.chars().take(METADATA).collect()
}

fn read<T: serde::de::DeserializeOwned>(path: &str, doing: &str) -> Result<T, Error> {
    let answer = api::get(path)?;
    if answer.is_ok() { answer.json() } else { Err(api::error(&answer, doing)) }
}

/// A payment.
pub fn payment(reference: &str) -> Result<PaymentIntent, Error> {
    read(
        &format!("/v1/payment_intents/{}?expand[]=latest_charge", name(reference, "pi_")?),
        "asking for a payment",
    )
}

/// A card on its way to be saved, or saved.
pub fn setup(reference: &str) -> Result<SetupIntent, Error> {
    read(
        &format!("/v1/setup_intents/{}?expand[]=payment_method", name(reference, "seti_")?),
        "asking for a saved card",
    )
}

fn method(reference: &str) -> Result<PaymentMethod, Error> {
    read(&format!("/v1/payment_methods/{}", name(reference, "pm_")?), "asking for a card")
}

/// Customer and card of an instrument.
fn card(instrument: &str) -> Result<(String, String), Error> {
    let (customer, method) = if instrument.starts_with("pm_") {
        let method = method(instrument)?;
        (method.customer, Some(method.id))
    } else {
        let intent = setup(instrument)?;
        let method = match intent.payment_method {
            Some(Expandable::Object(PaymentMethod { id, .. }) | Expandable::Id(id))
                if intent.status == "succeeded" =>
            {
                Some(id)
            }
            _ => None,
        };
        (intent.customer, method)
    };
    customer.zip(method).ok_or_else(|| {
        Error::refused(
            "card-not-saved",
            format!("`{instrument}` is no saved card: the driver has to save one"),
        )
    })
}

/// The payer at Stripe: made once, and known from then on.
fn customer(payer: &str) -> Result<String, Error> {
    let place = format!("customer/{payer}");
    let known = kv::get(&place).and_then(|id| String::from_utf8(id).ok());
    if let Some(known) = known.as_deref().and_then(|known| name(known, "cus_").ok()) {
        let answer = api::get(&format!("/v1/customers/{known}"))?;
        // With other keys (test and live) it may be unknown, and an operator may have removed it.
        match answer.status {
            200 if !answer.json::<Customer>()?.deleted => return Ok(known.to_owned()),
            200 | 404 => kv::delete(&place),
            _ => return Err(api::error(&answer, "asking for a customer")),
        }
    }
    let answer = api::post("/v1/customers", &vec![field(&format!("metadata[{PAYER}]"), cut(payer))])?;
    if !answer.is_ok() {
        return Err(api::error(&answer, "making a customer"));
    }
    let made: Customer = answer.json()?;
    kv::set(&place, made.id.as_bytes()).map_err(|error| Error::not_done("kv", error))?;
    Ok(made.id)
}

/// Changes a payment. It may be as wanted already: then that is the answer, whoever did it.
fn change(
    settings: Settings<'_>,
    reference: &str,
    verb: &str,
    fields: &Fields,
    as_wanted: impl Fn(&PaymentIntent) -> bool,
) -> Result<Payment, Error> {
    let answer = api::post(&format!("/v1/payment_intents/{}/{verb}", name(reference, "pi_")?), fields)?;
    if answer.is_ok() {
        return Ok(state::payment(settings, &answer.json()?));
    }
    let error = api::error(&answer, &format!("to {verb} a payment"));
    if error.outcome == Outcome::Refused {
        let intent = payment(reference)?;
        if as_wanted(&intent) {
            return Ok(state::payment(settings, &intent));
        }
    }
    Err(error)
}

/// A payment by the key that it was asked for with, or else by our reference, which it has as well.
fn find(key: &str, ours: &str) -> Result<Option<PaymentIntent>, Error> {
    let since = clock::now() / 1000 - 24 * 3600;
    let recent: List<PaymentIntent> = read(
        &format!("/v1/payment_intents?limit=100&created[gte]={since}&expand[]=data.latest_charge"),
        "listing payments",
    )?;
    let is_it = |intent: &PaymentIntent| intent.metadata.get(KEY).is_some_and(|its| its == key);
    if let Some(found) = recent.data.into_iter().find(is_it) {
        return Ok(Some(found));
    }
    let query = api::query(&format!("metadata['{REFERENCE}']:'{}'", ours.replace(['\\', '\''], "")));
    let found: List<PaymentIntent> = read(
        &format!("/v1/payment_intents/search?limit=100&query={query}&expand[]=data.latest_charge"),
        "searching for a payment",
    )?;
    Ok(found.data.into_iter().find(is_it))
}

/// A card that was to be saved under this key. Stripe has no search for these: beyond the last 100 it would be asked for again, which costs nobody anything.
fn saving(key: &str, theirs: Option<&str>) -> Result<Option<SetupIntent>, Error> {
    if let Some(theirs) = theirs {
        return setup(theirs).map(Some);
    }
    let recent: List<SetupIntent> =
        read("/v1/setup_intents?limit=100&expand[]=data.payment_method", "listing cards")?;
    Ok(recent.data.into_iter().find(|intent| intent.metadata.get(KEY).is_some_and(|its| its == key)))
}

fn failed(refund: &Refund) -> Option<Error> {
    let state = refund.status.as_deref().filter(|state| matches!(*state, "failed" | "canceled"))?;
    let why = refund.failure_reason.as_deref().unwrap_or("no reason given");
    Some(Error::refused("refund-failed", format!("the refund {} is {state}: {why}", refund.id)))
}
