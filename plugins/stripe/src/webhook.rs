//! Calls from outside: Stripe's webhooks at `/events`, and the page at `/pay`.

use crate::amount::from_stripe;
use crate::api::name;
use crate::state::REFERENCE;
use crate::{Stripe, page};
use serde_json::Value;
use takst_plugin_sdk::calls::{Answer, Call, Event, Guest};
use takst_plugin_sdk::crypto::{self, Hash};
use takst_plugin_sdk::{Error, Options, Settings, clock, log};

/// As old may a signature be in seconds, if the operator says nothing: Stripe's own rule.
const TOLERANCE: i64 = 300;

impl Guest for Stripe {
    fn receive(settings: Options, call: Call) -> Result<Answer, Error> {
        let settings = Settings(&settings);
        let path = call.path.trim_end_matches('/');
        match (call.method.as_str(), path) {
            ("POST", "" | "/events") => {
                check(settings, &call)?;
                let events = events(&call.body)?;
                Ok(Answer { status: 200, headers: Vec::new(), body: Vec::new(), events })
            }
            ("GET" | "HEAD", "/pay") => page::show(settings, &call.query),
            ("GET" | "HEAD", "/pay.js") => Ok(page::script()),
            _ => Ok(Answer { status: 404, headers: Vec::new(), body: Vec::new(), events: Vec::new() }),
        }
    }
}

/// `Stripe-Signature: t=…,v1=…[,v1=…]`: HMAC-SHA256 over "time.body" with the endpoint's secret. While a secret is being changed there are two of them.
fn check(settings: Settings<'_>, call: &Call) -> Result<(), Error> {
    let header =
        call.headers.iter().find(|(name, _)| name == "stripe-signature").map(|(_, value)| value.as_str());
    let header = header.ok_or_else(|| wrong("there is no Stripe-Signature"))?;
    let parts = || header.split(',').filter_map(|part| part.trim().split_once('='));
    let time = parts()
        .find(|(name, _)| *name == "t")
        .map(|(_, value)| value)
        .ok_or_else(|| wrong("it has no time"))?;
    let seconds: i64 = time.parse().map_err(|_| wrong("its time is no number"))?;
    let tolerance = settings.get("tolerance").and_then(|text| text.parse().ok()).unwrap_or(TOLERANCE);
    let age = (clock::now() / 1000).saturating_sub(seconds);
    if age.saturating_abs() > tolerance {
        return Err(wrong(&format!(
            "it is {age} s old, and {tolerance} s are allowed: is the machine's clock right?"
        )));
    }
    let mut signed = format!("{time}.").into_bytes();
    signed.extend_from_slice(&call.body);
    for signature in parts().filter(|(name, _)| *name == "v1").filter_map(|(_, value)| bytes(value)) {
        for secret in ["webhook_secret", "webhook_secret_old"] {
            // An error is a secret that was not given.
            if crypto::hmac_equals(Hash::Sha256, secret, &signed, &signature) == Ok(true) {
                return Ok(());
            }
        }
    }
    Err(wrong("it does not fit the body: is `webhook_secret` that of this endpoint?"))
}

fn wrong(why: &str) -> Error {
    Error::refused("wrong-signature", format!("a webhook's signature: {why}"))
}

/// Hex.
fn bytes(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok()).collect()
}

/// What happened. Nothing for what is of no matter here; of a dispute also what is disputed.
fn events(body: &[u8]) -> Result<Vec<Event>, Error> {
    let body: Value = serde_json::from_slice(body)
        .map_err(|e| Error::refused("no-event", format!("the webhook is no JSON: {e}")))?;
    let Some(event) = event(&body)? else { return Ok(Vec::new()) };
    let dispute = dispute(&body, &event);
    Ok([event].into_iter().chain(dispute).collect())
}

/// The states of a dispute in which the seller keeps the money. `warning_closed`: the bank only asked.
const WON: [&str; 3] = ["won", "warning_closed", "prevented"];

/// A payer's bank wants money back. Stripe takes it from the balance, and the payment stays as it is: nobody learns of it by asking for that.
fn dispute(body: &Value, about: &Event) -> Option<Event> {
    let of = |name: &str| body.pointer(&format!("/data/object/{name}"));
    let text = |name: &str| of(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    if !body.pointer("/type").and_then(Value::as_str)?.starts_with("charge.dispute.") {
        return None;
    }
    let (currency, status) = (text("currency"), text("status"));
    let amount = from_stripe(of("amount").and_then(Value::as_i64)?, &currency);
    let mut more = vec![
        ("dispute".to_owned(), text("id")),
        ("amount".to_owned(), amount.minor.to_string()),
        ("currency".to_owned(), amount.currency),
        ("reason".to_owned(), text("reason")),
        ("status".to_owned(), status.clone()),
    ];
    if WON.contains(&status.as_str()) {
        more.push(("outcome".to_owned(), "won".to_owned()));
    }
    Some(Event { kind: "dispute".to_owned(), subject: about.subject.clone(), id: about.id.clone(), more })
}

/// What it is about.
fn event(body: &Value) -> Result<Option<Event>, Error> {
    let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (id, kind, object) = (text("/id"), text("/type"), text("/data/object/id"));
    // What is about a payment without being one names it: a charge, a refund, a dispute.
    let payment = text("/data/object/payment_intent");
    let (about, subject) = match kind.split('.').next().unwrap_or_default() {
        "payment_intent" => ("payment", object),
        "charge" | "refund" if !payment.is_empty() => ("payment", payment),
        "setup_intent" => ("instrument", object),
        _ => {
            log::debug(format!("left alone: {kind} {id}"));
            return Ok(None);
        }
    };
    if id.is_empty() || name(&subject, "").is_err() || subject.is_empty() {
        return Err(Error::refused("no-event", format!("a webhook of the kind `{kind}` without its names")));
    }
    let mut more = vec![("type".to_owned(), kind)];
    let ours = text(&format!("/data/object/metadata/{REFERENCE}"));
    if !ours.is_empty() {
        more.push(("reference".to_owned(), ours));
    }
    Ok(Some(Event { kind: about.to_owned(), subject, id, more }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use takst_plugin_sdk::testing;

    const BODY: &str = r#"{"id":"evt_1","type":"payment_intent.succeeded","data":{"object":{"id":"pi_1","metadata":{"takst_reference":"bill-1"}}}}"#;

    fn signed(body: &str, secret: &str, time: i64) -> String {
        testing::secret("other", secret);
        let mac = crypto::hmac(Hash::Sha256, "other", format!("{time}.{body}").as_bytes()).unwrap();
        mac.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn receive(body: &str, signature: &str) -> Result<Answer, Error> {
        let call = Call {
            method: "POST".into(),
            path: "/events".into(),
            query: String::new(),
            headers: testing::options(&[("stripe-signature", signature)]),
            body: body.into(),
        };
        Stripe::receive(Vec::new(), call)
    }

    #[test]
    fn a_webhook_is_believed_with_a_signature_that_is_young_and_fits() {
        testing::reset();
        testing::set_clock(1_000_000_000);
        testing::secret("webhook_secret", "whsec_new");
        testing::secret("webhook_secret_old", "whsec_old");
        let (new, old, other) = (
            signed(BODY, "whsec_new", 1_000_000),
            signed(BODY, "whsec_old", 1_000_000),
            signed(BODY, "whsec_x", 1_000_000),
        );
        for fine in [
            format!("t=1000000,v1={new}"),
            format!("t=1000000,v1={old}"),
            format!("t=1000000,v1={other},v1={new},v0=abc"),
            format!("t=999700,v1={}", signed(BODY, "whsec_new", 999_700)),
        ] {
            let answer = receive(BODY, &fine).unwrap();
            let [event] = &answer.events[..] else { panic!("{fine}") };
            assert_eq!(
                (event.kind.as_str(), event.subject.as_str(), event.id.as_str()),
                ("payment", "pi_1", "evt_1")
            );
            assert_eq!(
                event.more,
                testing::options(&[("type", "payment_intent.succeeded"), ("reference", "bill-1")])
            );
        }
        for not in [
            String::new(),
            "t=1000000".to_owned(),
            format!("v1={new}"),
            format!("t=1000001,v1={new}"),
            format!("t=1000000,v1={other}"),
            format!("t=1000000,v0={new}"),
            format!("t=1000000,v1={}å", &new[..62]),
            format!("t=999699,v1={}", signed(BODY, "whsec_new", 999_699)),
            format!("t=1000301,v1={}", signed(BODY, "whsec_new", 1_000_301)),
        ] {
            assert_eq!(receive(BODY, &not).unwrap_err().code, "wrong-signature", "{not}");
        }
        assert!(receive(&BODY.replace("pi_1", "pi_2"), &format!("t=1000000,v1={new}")).is_err());
    }

    #[test]
    fn what_a_webhook_is_about() {
        let about = |kind: &str, object: &str| {
            let body = format!(r#"{{"id":"evt_1","type":"{kind}","data":{{"object":{object}}}}}"#);
            event(&serde_json::from_str(&body).unwrap())
                .map(|event| event.map(|event| (event.kind, event.subject)))
        };
        let is = |kind: &str, subject: &str| Ok(Some((kind.to_owned(), subject.to_owned())));
        testing::reset();
        assert_eq!(about("setup_intent.succeeded", r#"{"id":"seti_1"}"#), is("instrument", "seti_1"));
        assert_eq!(
            about("charge.refunded", r#"{"id":"ch_1","payment_intent":"pi_1"}"#),
            is("payment", "pi_1")
        );
        assert_eq!(
            about("charge.dispute.created", r#"{"id":"dp_1","payment_intent":"pi_1"}"#),
            is("payment", "pi_1")
        );
        assert_eq!(about("refund.failed", r#"{"id":"re_1","payment_intent":"pi_1"}"#), is("payment", "pi_1"));
        assert_eq!(about("charge.succeeded", r#"{"id":"ch_1","payment_intent":null}"#), Ok(None));
        assert_eq!(about("customer.created", r#"{"id":"cus_1"}"#), Ok(None));
        assert!(about("payment_intent.succeeded", r#"{"id":"pi_1/../x"}"#).is_err());
        assert!(about("payment_intent.succeeded", "{}").is_err());
    }

    #[test]
    fn a_dispute_says_what_is_disputed() {
        testing::reset();
        let said = |kind: &str, status: &str| {
            let body = format!(
                r#"{{"id":"evt_1","type":"{kind}","data":{{"object":{{"id":"du_1","payment_intent":"pi_1","charge":"ch_1","amount":30000,
                "currency":"isk","reason":"fraudulent","status":"{status}"}}}}}}"#
            );
            events(body.as_bytes()).unwrap()
        };
        let [payment, dispute] = &said("charge.dispute.created", "needs_response")[..] else { panic!() };
        assert_eq!((payment.kind.as_str(), payment.subject.as_str()), ("payment", "pi_1"));
        assert_eq!(
            (dispute.kind.as_str(), dispute.subject.as_str(), dispute.id.as_str()),
            ("dispute", "pi_1", "evt_1")
        );
        let told = [
            ("dispute", "du_1"),
            ("amount", "300"),
            ("currency", "ISK"),
            ("reason", "fraudulent"),
            ("status", "needs_response"),
        ];
        assert_eq!(dispute.more, testing::options(&told));
        for (status, won) in
            [("lost", false), ("won", true), ("warning_closed", true), ("under_review", false)]
        {
            let [_, dispute] = &said("charge.dispute.closed", status)[..] else { panic!() };
            assert_eq!(dispute.more.contains(&("outcome".to_owned(), "won".to_owned())), won, "{status}");
        }
        // A refund is none.
        assert_eq!(said("charge.refunded", "succeeded").len(), 1);
    }
}
