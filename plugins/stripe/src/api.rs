//! Stripe's API: requests, the objects that matter here, and what its errors mean.

use serde::Deserialize;
use std::collections::BTreeMap;
use takst_plugin_sdk::Error;
use takst_plugin_sdk::http::{Request, Response, encode};

const ADDRESS: &str = "https://api.stripe.com";
/// The version whose answers this plugin reads.
const VERSION: &str = "2024-06-20";

/// A form's fields, in order.
pub type Fields = Vec<(String, String)>;

/// A PaymentIntent.
#[derive(Debug, Clone, Deserialize)]
pub struct PaymentIntent {
    pub id: String,
    pub status: String,
    pub amount: i64,
    #[serde(default)]
    pub amount_received: i64,
    pub currency: String,
    #[serde(default)]
    pub client_secret: Option<String>,
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
    #[serde(default)]
    pub next_action: Option<NextAction>,
    #[serde(default)]
    pub last_payment_error: Option<Problem>,
    /// There when it was asked for with `expand[]`.
    #[serde(default)]
    pub latest_charge: Option<Expandable<Charge>>,
    #[serde(default)]
    pub cancellation_reason: Option<String>,
}

/// An object, or its name alone.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum Expandable<T> {
    Object(T),
    Id(String),
}

/// The attempt of a payment that took the money.
#[derive(Debug, Clone, Deserialize)]
pub struct Charge {
    #[serde(default)]
    pub amount_refunded: i64,
}

/// What the payer is to do.
#[derive(Debug, Clone, Deserialize)]
pub struct NextAction {
    #[serde(default)]
    pub redirect_to_url: Option<Redirect>,
}

/// A page of the payer's bank.
#[derive(Debug, Clone, Deserialize)]
pub struct Redirect {
    #[serde(default)]
    pub url: Option<String>,
}

/// A SetupIntent.
#[derive(Debug, Clone, Deserialize)]
pub struct SetupIntent {
    pub id: String,
    pub status: String,
    #[serde(default)]
    pub customer: Option<String>,
    #[serde(default)]
    pub client_secret: Option<String>,
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
    #[serde(default)]
    pub payment_method: Option<Expandable<PaymentMethod>>,
    #[serde(default)]
    pub last_setup_error: Option<Problem>,
}

/// A card.
#[derive(Debug, Clone, Deserialize)]
pub struct PaymentMethod {
    pub id: String,
    #[serde(default)]
    pub customer: Option<String>,
    #[serde(default)]
    pub card: Option<Card>,
}

/// What may be known of a card.
#[derive(Debug, Clone, Deserialize)]
pub struct Card {
    #[serde(default)]
    pub brand: String,
    #[serde(default)]
    pub last4: String,
    #[serde(default)]
    pub exp_month: u32,
    #[serde(default)]
    pub exp_year: u32,
}

/// A Refund.
#[derive(Debug, Clone, Deserialize)]
pub struct Refund {
    pub id: String,
    #[serde(default)]
    pub status: Option<String>,
    #[serde(default)]
    pub failure_reason: Option<String>,
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
}

/// A Customer.
#[derive(Debug, Clone, Deserialize)]
pub struct Customer {
    pub id: String,
    #[serde(default)]
    pub deleted: bool,
}

/// A page of a list.
#[derive(Debug, Clone, Deserialize)]
pub struct List<T> {
    pub data: Vec<T>,
}

/// What Stripe says of a failure.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Problem {
    #[serde(default, rename = "type")]
    pub kind: String,
    #[serde(default)]
    pub code: Option<String>,
    #[serde(default)]
    pub decline_code: Option<String>,
    #[serde(default)]
    pub message: Option<String>,
    /// As it stands after a failed attempt.
    #[serde(default)]
    pub payment_intent: Option<Box<PaymentIntent>>,
    /// The card that the attempt was made with.
    #[serde(default)]
    pub payment_method: Option<PaymentMethod>,
}

/// `GET`, with the query as it stands.
pub fn get(path: &str) -> Result<Response, Error> {
    with_headers(Request::get(format!("{ADDRESS}{path}"))).send()
}

/// `POST` of a form. In a call of the outbox the gateway adds the `Idempotency-Key`.
pub fn post(path: &str, fields: &Fields) -> Result<Response, Error> {
    let fields = fields.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    with_headers(Request::post(format!("{ADDRESS}{path}"))).form(fields).send()
}

fn with_headers(request: Request) -> Request {
    request.header("authorization", "Bearer {{secret:api_key}}").header("stripe-version", VERSION)
}

/// One field.
pub fn field(name: &str, value: impl Into<String>) -> (String, String) {
    (name.to_owned(), value.into())
}

/// A query's value.
pub fn query(value: &str) -> String {
    encode(value)
}

/// A name that Stripe gave, to be put into a path: `prefix` and letters, digits, `_`. Anything else could be another path.
pub fn name<'a>(reference: &'a str, prefix: &str) -> Result<&'a str, Error> {
    let fine = reference.starts_with(prefix)
        && reference.len() <= 255
        && reference.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if fine {
        Ok(reference)
    } else {
        Err(Error::refused(
            "unknown-reference",
            format!("`{reference}` is no name of Stripe's that begins with {prefix}"),
        ))
    }
}

/// The problem in an answer's body.
pub fn problem(answer: &Response) -> Problem {
    #[derive(Deserialize)]
    struct Body {
        error: Problem,
    }
    answer.json::<Body>().map(|body| body.error).unwrap_or_default()
}

/// What a failed request means for the thing that was asked for.
pub fn error(answer: &Response, doing: &str) -> Error {
    let problem = problem(answer);
    let said = problem.message.clone().unwrap_or_else(|| format!("status {}", answer.status));
    let detail = format!("{doing}: {said}");
    let wait = answer.error("").retry_after;
    match (answer.status, problem.kind.as_str()) {
        (402, _) | (_, "card_error") => declined(&problem),
        // The key was used for something else: what became of that is not known here.
        (400, "idempotency_error") => Error::unknown("idempotency-conflict", detail),
        // The same request is under way.
        (409, _) => Error::unknown("under-way", detail).after(wait.or(Some(5))),
        (401 | 403, _) => Error::not_done(
            "not-allowed",
            format!("{detail}; look at the secret `api_key` and what it may do"),
        ),
        (404, _) => Error::refused("unknown-reference", detail),
        (429, _) => Error::not_done("too-many-requests", detail).after(wait),
        (424 | 500.., _) => Error::unknown("server-error", detail).after(wait),
        _ => answer.error(detail),
    }
}

/// A card that was not charged.
pub fn declined(problem: &Problem) -> Error {
    let reason = problem.decline_code.as_deref().or(problem.code.as_deref()).unwrap_or("card_declined");
    let code = match reason {
        "insufficient_funds" => "insufficient-funds",
        "expired_card" | "invalid_expiry_year" | "invalid_expiry_month" => "card-expired",
        "authentication_required"
        | "payment_intent_authentication_failure"
        | "setup_intent_authentication_failure" => "authentication-required",
        "lost_card" | "stolen_card" | "pickup_card" | "fraudulent" | "restricted_card" => "card-blocked",
        "processing_error" | "try_again_later" | "issuer_not_available" | "reenter_transaction" => {
            "card-not-reached"
        }
        _ => "card-declined",
    };
    // A stolen card's holder is not told so (Stripe's rule for these codes): the reason is for the operator.
    Error::refused(
        code,
        format!("{} ({reason})", problem.message.as_deref().unwrap_or("the card was declined")),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use takst_plugin_sdk::Outcome::{NotDone, Refused, Unknown};
    use takst_plugin_sdk::testing::answer;

    #[test]
    fn every_failure_says_whether_it_was_done() {
        for (status, body, outcome, code) in [
            (
                402,
                r#"{"error":{"type":"card_error","code":"card_declined","decline_code":"insufficient_funds"}}"#,
                Refused,
                "insufficient-funds",
            ),
            (402, r#"{"error":{"type":"card_error","code":"expired_card"}}"#, Refused, "card-expired"),
            (
                402,
                r#"{"error":{"type":"card_error","code":"card_declined","decline_code":"stolen_card"}}"#,
                Refused,
                "card-blocked",
            ),
            (402, "", Refused, "card-declined"),
            (
                400,
                r#"{"error":{"type":"invalid_request_error","message":"No such thing"}}"#,
                Refused,
                "refused",
            ),
            (400, r#"{"error":{"type":"idempotency_error"}}"#, Unknown, "idempotency-conflict"),
            (409, "{}", Unknown, "under-way"),
            (401, "{}", NotDone, "not-allowed"),
            (403, "{}", NotDone, "not-allowed"),
            (404, "{}", Refused, "unknown-reference"),
            (424, "{}", Unknown, "server-error"),
            (429, "{}", NotDone, "too-many-requests"),
            (500, "<html>", Unknown, "server-error"),
            (503, "{}", Unknown, "server-error"),
        ] {
            let error = error(&answer(status, body), "charging");
            assert_eq!((error.outcome, error.code.as_str()), (outcome, code), "{status} {body}");
        }
        let mut later = answer(429, "{}");
        later.headers.push(("retry-after".into(), "7".into()));
        assert_eq!(error(&later, "charging").retry_after, Some(7));
    }

    #[test]
    fn a_name_cannot_become_another_path() {
        assert_eq!(name("pi_3Mt", "pi_").unwrap(), "pi_3Mt");
        for wrong in ["", "pi", "ch_1", "pi_1/../x", "pi_1?a", "pi_1#", "pi_å"] {
            assert!(name(wrong, "pi_").is_err(), "{wrong}");
        }
    }
}
