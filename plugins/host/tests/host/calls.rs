//! Calls that go well, and errors that are the plugin's own.

use crate::support::{self, NOON, act, actor, message, refused, said, say, stopped};
use std::sync::Arc;
use takst_plugins::manifest::Capability;
use takst_plugins::model::payments::{ChargeRequest, PaymentState};
use takst_plugins::model::{Money, Outcome};
use takst_plugins::plugin::NotAble;
use takst_plugins::{Context, Failed, Kind, idempotency_key};

#[tokio::test]
async fn a_call_returns_and_says_what_it_used() {
    let plugin = actor();
    let done = act(&plugin, "echo", "", "hei på deg").await;
    let usage = done.usage;
    assert_eq!(done.result.unwrap().reference, "hei på deg");
    assert!(usage.fuel > 0 && usage.memory >= 65_536 && usage.wall_us > 0 && usage.cpu_us > 0, "{usage:?}");
    // The settings, the key and the message; the receipt.
    assert!((30..200).contains(&usage.input), "{usage:?}");
    assert_eq!(usage.output, 11 + 8);
    let report = usage.against(plugin.limits());
    assert_eq!(report[0].0, "memory");
    assert!(report.iter().all(|(_, _, _, percent)| *percent <= 100), "{report:?}");
    assert_eq!(plugin.metrics().calls, 1);
}

#[tokio::test]
async fn an_error_of_the_plugin_is_its_own() {
    let plugin = actor();
    let done = act(&plugin, "refuse", "", "no such number").await;
    assert_eq!(done.result.as_ref().unwrap_err().outcome(), Outcome::NotDone);
    assert_eq!(refused(done), ("refused-here".to_owned(), "no such number".to_owned()));
    assert_eq!((plugin.metrics().errors, plugin.metrics().stopped), (1, 0));
}

#[tokio::test]
async fn a_panic_tells_its_message() {
    let plugin = actor();
    let stop = stopped(&act(&plugin, "panic", "", "the sky fell").await, Kind::Trap);
    assert!(stop.detail.contains("the sky fell") && stop.detail.contains("actor crashed"), "{}", stop.detail);
    assert_eq!(stop.outcome, Outcome::NotDone);
    assert_eq!(plugin.metrics().stopped, 1);
    // The next call has a new instance.
    assert_eq!(said(act(&plugin, "echo", "", "again").await), "again");
    stopped(&act(&plugin, "divide", "", "").await, Kind::Trap);
}

#[tokio::test]
async fn the_clock_is_the_hosts() {
    assert_eq!(said(act(&actor(), "clock", "", "Europe/Oslo").await), format!("{NOON} Some(3600)"));
    assert_eq!(said(act(&actor(), "clock", "", "Mars").await), format!("{NOON} None"));
}

#[tokio::test]
async fn what_a_call_wrote_is_kept_when_it_returns() {
    let plugin = actor();
    said(act(&plugin, "kv-set", "a/1", "one").await);
    assert_eq!(said(act(&plugin, "kv-get", "a/1", "").await), "one");
    // An error that is returned is a return.
    refused(act(&plugin, "kv-set-error", "a/2", "two").await);
    assert_eq!(said(act(&plugin, "kv-names", "a/", "").await), "a/1,a/2");
    // A trap keeps nothing.
    stopped(&act(&plugin, "kv-set-panic", "a/3", "three").await, Kind::Trap);
    assert_eq!(said(act(&plugin, "kv-names", "", "").await), "a/1,a/2");
    // What is deleted is gone for the same call too.
    assert_eq!(said(act(&plugin, "kv-delete", "a/1", "").await), "a/2");
    assert_eq!(said(act(&plugin, "kv-get", "a/1", "").await), "nothing");
}

#[tokio::test]
async fn a_charge_carries_one_key_per_thing() {
    let plugin = actor();
    let request = ChargeRequest {
        amount: Money { minor: 345, currency: "EUR".to_owned() },
        instrument: None,
        payer: "d-1".to_owned(),
        description: "Charging".to_owned(),
        reference: "bill-0001".to_owned(),
        return_to: None,
        capture: true,
        more: Vec::new(),
    };
    let payments = plugin.payments().unwrap();
    let first = payments.charge(&Context::default(), "out-17", request.clone()).await;
    let again = payments.charge(&Context::default(), "out-17", request).await;
    assert_eq!(first.result, again.result, "a second attempt sends the same");
    let payment = first.result.unwrap();
    assert_eq!((payment.state, payment.captured.minor), (PaymentState::Paid, 345));
    let key = idempotency_key("out-17", "POST", "/charges");
    assert!(payment.reference.contains(&format!("Idempotency-Key: {key}")), "{}", payment.reference);
    assert_ne!(key, idempotency_key("out-17", "POST", "/customers"));
    assert_eq!((first.usage.requests, first.usage.sent), (2, 2));
    // What only asks has no key.
    let status = payments.status(&Context::default(), "x").await;
    assert!(!status.result.unwrap().reference.contains("Idempotency-Key"));
}

#[tokio::test]
async fn a_plugin_does_what_it_can_and_may() {
    let plugin = actor();
    assert!(matches!(plugin.prices(), Err(NotAble::Cannot { .. })));
    let mut installation = support::installation(&support::code().manifest);
    installation.grant.capabilities = Some(vec![Capability::PaymentProvider]);
    let plugin = support::host().plugin(support::code(), installation);
    assert!(plugin.payments().is_ok());
    let Err(error) = plugin.messages() else { panic!("it may send") };
    assert!(error.to_string().contains("capabilities"), "{error}");
}

#[tokio::test]
async fn functions_are_called_by_name_too() {
    let plugin = actor();
    let arguments = serde_json::json!({ "key": "k", "message": message("echo", "", "by name") });
    let done = plugin.invoke(&Context::default(), "messages.send", arguments).await.unwrap();
    assert_eq!(done.result.unwrap()["reference"], "by name");
    let wrong = |function: &'static str, arguments: serde_json::Value| {
        let plugin = plugin.clone();
        async move { plugin.invoke(&Context::default(), function, arguments).await.unwrap_err().to_string() }
    };
    let text = wrong("messages.shout", serde_json::json!({})).await;
    assert!(text.contains("messages.shout") && text.contains("messages.send"), "{text}");
    let text = wrong("messages.send", serde_json::json!({ "key": "k" })).await;
    assert!(text.contains("missing field `message`") && text.contains("{key, message}"), "{text}");
    assert!(wrong("prices.fetch", serde_json::json!({})).await.contains("price-source"));
}

#[tokio::test]
async fn secrets_sign_without_being_seen() {
    let plugin = actor();
    // Worked out with `openssl dgst -sha256 -hmac whsec_0123456789`.
    assert_eq!(
        said(act(&plugin, "hmac", "signing", "abc").await),
        "cea9fc3970f6f0583c4cad271944d54acddf69d18fcb2c009e38275217671959"
    );
    assert_eq!(said(act(&plugin, "hmac-equals", "signing", "abc").await), "Ok(true) Ok(false)");
    assert!(refused(act(&plugin, "hmac", "other", "abc").await).1.contains("no secret `other`"));
    assert_eq!(said(act(&plugin, "jwt", "signing", "{}").await).split('.').count(), 3);
    assert_eq!(said(act(&plugin, "random", "", "1024").await), "1024");
}

#[tokio::test]
async fn a_finding_comes_through() {
    let mut installation = support::installation(&support::code().manifest);
    installation.settings = vec![("address".to_owned(), "https://x.example.com".to_owned())];
    installation.kv = Arc::new(takst_plugins::kv::Memory::default());
    let plugin = support::host().plugin(support::code(), installation);
    let findings = plugin.configuration().check(&Context::default()).await.result.unwrap();
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0].text, "https://x.example.com");
}

#[tokio::test]
async fn a_message_that_fails_keeps_its_words() {
    let mut m = message("http", "https://api.example.com/x", "hello");
    m.subject = "POST".to_owned();
    let done = say(&actor(), m).await;
    assert!(
        matches!(done.result, Ok(ref receipt) if receipt.reference.contains("POST https://api.example.com/x"))
    );
    assert!(!matches!(done.result, Err(Failed::Stopped(_))));
}
