//! The plugin against `localstripe` (PyPI), a program of others that plays Stripe, behind `peer.py`, which makes it keep Stripe's promise on idempotency.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

#[path = "../../tests/peer.rs"]
mod peer;

use peer::Peer;
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::sync::OnceLock;
use stripe::Stripe;
use takst_plugin_sdk::calls::{Call, Guest as _};
use takst_plugin_sdk::http::Failure;
use takst_plugin_sdk::payments::{
    ChargeRequest, Guest as _, Instrument, Operation, Payment, PaymentState, SaveRequest,
};
use takst_plugin_sdk::{Error, Money, Options, Outcome, clock, testing};

fn stripe() -> &'static Peer {
    static PEER: OnceLock<Peer> = OnceLock::new();
    PEER.get_or_init(|| {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peer.py");
        peer::start(&script, Path::new(env!("CARGO_TARGET_TMPDIR")), &["localstripe==1.15.10"], 0, &[])
    })
}

// A test's own gateway, with the plugin in it.
fn gateway() -> Options {
    testing::reset();
    testing::manifest(include_str!("../plugin.toml"), &[]);
    testing::secret("api_key", "sk_test_takst");
    testing::secret("webhook_secret", "whsec_takst");
    testing::http_to(&stripe().address);
    testing::options(&[("page", "https://g.example.com/p/stripe"), ("publishable_key", "pk_test_takst")])
}

// What others do at Stripe: the driver's browser, the test itself.
fn outside(method: &str, path: &str, fields: &[(&str, &str)]) -> Value {
    let address = format!("{}{path}", stripe().address);
    let answer = if method == "GET" {
        ureq::get(&address).header("authorization", "Bearer sk_test_takst").call()
    } else {
        let form = fields.iter().map(|(n, v)| format!("{n}={v}")).collect::<Vec<_>>().join("&");
        let request = ureq::post(&address).header("authorization", "Bearer sk_test_takst");
        if path.starts_with("/_proxy") {
            request
                .send(json!({ fields[0].0: serde_json::from_str::<Value>(fields[0].1).unwrap() }).to_string())
        } else {
            request.header("content-type", "application/x-www-form-urlencoded").send(form)
        }
    };
    serde_json::from_str(&answer.unwrap().body_mut().read_to_string().unwrap()).unwrap()
}

fn save(settings: &Options, key: &str, payer: &str) -> Result<Instrument, Error> {
    testing::key(key);
    let request = SaveRequest {
        payer: payer.into(),
        reference: format!("card-{payer}"),
        return_to: "https://g.example.com/me".into(),
        at_most: None,
        description: "Charging".into(),
        more: Vec::new(),
    };
    testing::call(|| Stripe::save(settings.clone(), key.into(), request))
}

// The driver types a card on the page.
fn types(instrument: &str, number: &str) -> Value {
    outside(
        "POST",
        &format!("/v1/setup_intents/{instrument}/confirm"),
        &[
            ("payment_method_data[type]", "card"),
            ("payment_method_data[card][number]", number),
            ("payment_method_data[card][exp_month]", "12"),
            ("payment_method_data[card][exp_year]", "2030"),
            ("payment_method_data[card][cvc]", "123"),
        ],
    )
}

fn saved_card(settings: &Options, payer: &str, number: &str) -> String {
    let instrument = save(settings, &format!("save-{payer}"), payer).unwrap();
    types(&instrument.reference, number);
    instrument.reference
}

fn request(instrument: Option<&str>, reference: &str, minor: i64) -> ChargeRequest {
    ChargeRequest {
        amount: Money::new(minor, "NOK"),
        instrument: instrument.map(str::to_owned),
        payer: "driver-1".into(),
        description: "Charging, bill A-0031".into(),
        reference: reference.into(),
        return_to: None,
        capture: true,
        more: Vec::new(),
    }
}

fn charge(settings: &Options, key: &str, request: ChargeRequest) -> Result<Payment, Error> {
    testing::key(key);
    testing::call(|| Stripe::charge(settings.clone(), key.into(), request))
}

fn lookup(
    settings: &Options,
    key: &str,
    operation: Operation,
    ours: &str,
    theirs: Option<&str>,
) -> Result<Option<Payment>, Error> {
    testing::call(|| {
        Stripe::lookup(settings.clone(), key.into(), operation, ours.into(), theirs.map(str::to_owned))
    })
}

// How many payments with our reference there are at Stripe.
fn payments(reference: &str) -> usize {
    let all = outside("GET", "/v1/payment_intents?limit=1000", &[]);
    all["data"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|one| one["metadata"]["takst_reference"] == reference)
        .count()
}

#[test]
fn a_card_is_saved_and_charged_without_the_driver() {
    let settings = gateway();
    let instrument = save(&settings, "save-a", "anna").unwrap();
    assert!(!instrument.ready && instrument.failure.is_none());
    let next = instrument.next.unwrap();
    assert!(next.starts_with("https://g.example.com/p/stripe/pay?id=seti_"), "{next}");
    types(&instrument.reference, "4242424242424242");
    let saved = Stripe::saved(settings.clone(), instrument.reference.clone()).unwrap();
    assert_eq!((saved.ready, saved.label.as_str(), saved.next), (true, "Visa 4242", None));
    assert!(saved.more.contains(&("expires".to_owned(), "2030-12".to_owned())));

    let paid =
        charge(&settings, "charge-a", request(Some(&instrument.reference), "bill-anna-1", 12_345)).unwrap();
    assert_eq!(paid.state, PaymentState::Paid);
    assert_eq!((paid.captured, paid.refunded.minor), (Money::new(12_345, "NOK"), 0));
    assert_eq!(Stripe::status(settings, paid.reference).unwrap().state, PaymentState::Paid);
}

#[test]
fn a_second_card_belongs_to_the_same_customer() {
    let settings = gateway();
    let first = save(&settings, "save-b1", "berit").unwrap();
    let second = save(&settings, "save-b2", "berit").unwrap();
    assert_ne!(first.reference, second.reference);
    let customer =
        |reference: &str| outside("GET", &format!("/v1/setup_intents/{reference}"), &[])["customer"].clone();
    assert_eq!(customer(&first.reference), customer(&second.reference));
    // The same thing asked for again is the same thing.
    assert_eq!(save(&settings, "save-b2", "berit").unwrap().reference, second.reference);
    // A customer that the operator removed is made anew.
    let gone = customer(&first.reference).as_str().unwrap().to_owned();
    testing::call(|| takst_plugin_sdk::kv::set("customer/berit", b"cus_gone").unwrap());
    let third = save(&settings, "save-b3", "berit").unwrap();
    assert_ne!(customer(&third.reference), gone.as_str());
}

#[test]
fn a_declined_card_is_refused_and_the_payment_failed() {
    let settings = gateway();
    let card = saved_card(&settings, "carl", "4000000000000341");
    let error = charge(&settings, "charge-c", request(Some(&card), "bill-carl-1", 500)).unwrap_err();
    assert_eq!((error.outcome, error.code.as_str()), (Outcome::Refused, "card-declined"));
    let found = lookup(&settings, "charge-c", Operation::Charge, "bill-carl-1", None).unwrap().unwrap();
    assert_eq!((found.state, found.captured.minor), (PaymentState::Failed, 0));
    assert_eq!(found.failure.unwrap().outcome, Outcome::Refused);
}

#[test]
fn a_bank_that_wants_its_customer_gets_him_on_the_page() {
    let settings = gateway();
    let card = save(&settings, "save-d", "dag").unwrap().reference;
    assert_eq!(types(&card, "4000002500003155")["status"], "requires_action");
    let waiting = Stripe::saved(settings.clone(), card.clone()).unwrap();
    assert!(!waiting.ready && waiting.next.is_some());
    outside("POST", &format!("/v1/setup_intents/{card}/confirm"), &[]);
    assert!(Stripe::saved(settings.clone(), card.clone()).unwrap().ready);

    let payment = charge(&settings, "charge-d", request(Some(&card), "bill-dag-1", 700)).unwrap();
    assert_eq!((payment.state, payment.captured.minor), (PaymentState::ActionNeeded, 0));
    assert_eq!(payment.failure.unwrap().code, "authentication-required");
    let next = payment.next.unwrap();
    let page = Stripe::receive(
        settings.clone(),
        Call {
            method: "GET".into(),
            path: "/pay".into(),
            query: next.split_once('?').unwrap().1.into(),
            headers: Vec::new(),
            body: Vec::new(),
        },
    );
    let page = String::from_utf8(page.unwrap().body).unwrap();
    assert!(page.contains("7.00 NOK") && page.contains("data-secret=\"pi_"), "{page}");

    // He confirms it to the bank.
    let intent = outside("GET", &format!("/v1/payment_intents/{}", payment.reference), &[]);
    let secret = intent["client_secret"].as_str().unwrap();
    let path = format!("/v1/payment_intents/{}/_authenticate", payment.reference);
    outside("POST", &path, &[("client_secret", secret), ("success", "true")]);
    let paid = Stripe::status(settings, payment.reference).unwrap();
    assert_eq!((paid.state, paid.captured.minor), (PaymentState::Paid, 700));
}

#[test]
fn a_payment_without_a_card_waits_on_the_page() {
    let settings = gateway();
    let payment = charge(&settings, "charge-e", request(None, "bill-eva-1", 900)).unwrap();
    assert_eq!(payment.state, PaymentState::ActionNeeded);
    assert!(payment.next.unwrap().contains(&payment.reference));
    let cancelled = Stripe::cancel(settings.clone(), "cancel-e".into(), payment.reference.clone()).unwrap();
    assert_eq!((cancelled.state, cancelled.captured.minor), (PaymentState::Cancelled, 0));
    // Again: it is as wanted already.
    let again = Stripe::cancel(settings.clone(), "cancel-e2".into(), payment.reference.clone()).unwrap();
    assert_eq!(again.state, PaymentState::Cancelled);
    let found =
        lookup(&settings, "cancel-e", Operation::Cancel, "bill-eva-1", Some(&payment.reference)).unwrap();
    assert_eq!(found.unwrap().state, PaymentState::Cancelled);
}

#[test]
fn money_is_set_aside_and_taken_later() {
    let settings = gateway();
    let card = saved_card(&settings, "finn", "4242424242424242");
    let aside = ChargeRequest { capture: false, ..request(Some(&card), "bill-finn-1", 10_000) };
    let payment = charge(&settings, "charge-f", aside).unwrap();
    assert_eq!((payment.state, payment.captured.minor), (PaymentState::Authorized, 0));
    let look =
        |key| lookup(&settings, key, Operation::Capture, "bill-finn-1", Some(&payment.reference)).unwrap();
    assert_eq!(look("capture-f"), None);
    testing::key("capture-f");
    let amount = Money::new(6_000, "NOK");
    let capture =
        |key: &str| Stripe::capture(settings.clone(), key.into(), payment.reference.clone(), amount.clone());
    let taken = capture("capture-f").unwrap();
    assert_eq!((taken.state, taken.captured.minor, taken.refunded.minor), (PaymentState::Paid, 6_000, 0));
    assert_eq!(look("capture-f").unwrap().captured.minor, 6_000);
    testing::key("capture-f-2");
    assert_eq!(capture("capture-f-2").unwrap().captured.minor, 6_000, "as wanted already");
    testing::key("capture-f-3");
    let more =
        Stripe::capture(settings.clone(), "capture-f-3".into(), payment.reference, Money::new(7_000, "NOK"));
    assert_eq!(more.unwrap_err().outcome, Outcome::Refused);
}

#[test]
fn money_goes_back_once() {
    let settings = gateway();
    let card = saved_card(&settings, "gry", "4242424242424242");
    let payment = charge(&settings, "charge-g", request(Some(&card), "bill-gry-1", 5_000)).unwrap().reference;
    let refund = |key: &str, minor| {
        testing::key(key);
        let reason = "charger fault".to_owned();
        testing::call(|| {
            Stripe::refund(settings.clone(), key.into(), payment.clone(), Money::new(minor, "NOK"), reason)
        })
    };
    let look = |key| lookup(&settings, key, Operation::Refund, "bill-gry-1", Some(&payment)).unwrap();
    assert_eq!(look("refund-1"), None);
    testing::fail_next(Failure::Lost);
    assert_eq!(refund("refund-1", 2_000).unwrap_err().outcome, Outcome::Unknown);
    assert_eq!(look("refund-1").unwrap().refunded.minor, 2_000);
    assert_eq!(refund("refund-1", 2_000).unwrap().refunded.minor, 2_000, "the same thing again is done once");
    assert_eq!(look("refund-2"), None);
    let both = refund("refund-2", 500).unwrap();
    assert_eq!((both.state, both.captured.minor, both.refunded.minor), (PaymentState::Paid, 5_000, 2_500));
}

#[test]
fn a_charge_whose_answer_was_lost_is_found_and_never_made_twice() {
    let settings = gateway();
    let card = saved_card(&settings, "hans", "4242424242424242");
    let ask = |reference: &str| request(Some(&card), reference, 4_200);

    testing::fail_next(Failure::Lost);
    let error = charge(&settings, "charge-h1", ask("bill-hans-1")).unwrap_err();
    assert_eq!(error.outcome, Outcome::Unknown);
    let found = lookup(&settings, "charge-h1", Operation::Charge, "bill-hans-1", None).unwrap().unwrap();
    assert_eq!((found.state, found.captured.minor), (PaymentState::Paid, 4_200));
    let again = charge(&settings, "charge-h1", ask("bill-hans-1")).unwrap();
    assert_eq!((again.reference, payments("bill-hans-1")), (found.reference, 1));

    // Stripe did it and said 500.
    outside("POST", "/_proxy/broken", &[("broken", "\"charge-h2\"")]);
    let error = charge(&settings, "charge-h2", ask("bill-hans-2")).unwrap_err();
    assert_eq!((error.outcome, error.code.as_str()), (Outcome::Unknown, "server-error"));
    assert!(lookup(&settings, "charge-h2", Operation::Charge, "bill-hans-2", None).unwrap().is_some());

    // It never got there.
    testing::fail_next(Failure::NoConnection);
    assert_eq!(charge(&settings, "charge-h3", ask("bill-hans-3")).unwrap_err().outcome, Outcome::NotDone);
    assert_eq!(lookup(&settings, "charge-h3", Operation::Charge, "bill-hans-3", None).unwrap(), None);
    assert_eq!(charge(&settings, "charge-h3", ask("bill-hans-3")).unwrap().state, PaymentState::Paid);
    assert_eq!(payments("bill-hans-3"), 1);

    // The same key for something else: nobody knows what became of the first.
    let other = charge(&settings, "charge-h3", request(Some(&card), "bill-hans-3", 1)).unwrap_err();
    assert_eq!((other.outcome, other.code.as_str()), (Outcome::Unknown, "idempotency-conflict"));
}

#[test]
fn an_old_charge_is_found_by_search_and_a_late_index_makes_no_second_one() {
    let settings = gateway();
    let card = saved_card(&settings, "ida", "4242424242424242");
    let ask = || request(Some(&card), "bill-ida-1", 4_200);
    testing::fail_next(Failure::Lost);
    charge(&settings, "charge-i", ask()).unwrap_err();
    // More than a day later the list of the last day does not have it.
    testing::set_clock(clock::now() + 48 * 3_600_000);
    outside("POST", "/_proxy/search", &[("late", "true")]);
    assert_eq!(lookup(&settings, "charge-i", Operation::Charge, "bill-ida-1", None).unwrap(), None);
    let again = charge(&settings, "charge-i", ask()).unwrap();
    assert_eq!((again.state, payments("bill-ida-1")), (PaymentState::Paid, 1));
    outside("POST", "/_proxy/search", &[("late", "false")]);
    let found = lookup(&settings, "charge-i", Operation::Charge, "bill-ida-1", None).unwrap().unwrap();
    assert_eq!(found.reference, again.reference);
}

#[test]
fn what_cannot_be_is_refused_before_or_by_stripe() {
    let settings = gateway();
    let none = charge(&settings, "charge-j1", request(Some("seti_nothing"), "bill-j-1", 100)).unwrap_err();
    assert_eq!((none.outcome, none.code.as_str()), (Outcome::Refused, "unknown-reference"));
    let open = save(&settings, "save-j", "jan").unwrap().reference;
    let not_yet = charge(&settings, "charge-j2", request(Some(&open), "bill-j-2", 100)).unwrap_err();
    assert_eq!(not_yet.code, "card-not-saved");
    assert_eq!(
        Stripe::status(settings.clone(), "pi_x/../refunds".into()).unwrap_err().code,
        "unknown-reference"
    );
    testing::secret("api_key", "pk_wrong_key");
    let wrong = Stripe::status(settings, "pi_x".into()).unwrap_err();
    assert_eq!((wrong.outcome, wrong.code.as_str()), (Outcome::NotDone, "not-allowed"));
}

#[test]
fn saving_that_was_lost_is_found() {
    let settings = gateway();
    testing::call(|| Stripe::saved(settings.clone(), "seti_x".into()).unwrap_err());
    save(&settings, "save-k0", "kari").unwrap();
    testing::fail_next(Failure::Lost);
    assert_eq!(save(&settings, "save-k", "kari").unwrap_err().outcome, Outcome::Unknown);
    let found = lookup(&settings, "save-k", Operation::Save, "card-kari", None).unwrap().unwrap();
    assert_eq!(found.state, PaymentState::ActionNeeded);
    types(&found.reference, "4242424242424242");
    let found = lookup(&settings, "save-k", Operation::Save, "card-kari", None).unwrap().unwrap();
    assert_eq!((found.state, found.captured.minor), (PaymentState::Paid, 0));
    assert_eq!(lookup(&settings, "save-other", Operation::Save, "card-other", None).unwrap(), None);
}

#[test]
fn a_webhook_that_stripe_signed_is_understood() {
    let settings = gateway();
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("http://{}/events", listener.local_addr().unwrap());
    let behind = stripe().address.rsplit_once(':').map(|(_, port)| port.parse::<u16>().unwrap() + 1).unwrap();
    ureq::post(format!("http://127.0.0.1:{behind}/_config/webhooks/test"))
        .send(
            json!({ "url": url, "secret": "whsec_takst", "events": ["payment_intent.succeeded"] })
                .to_string(),
        )
        .unwrap();
    let card = saved_card(&settings, "lars", "4242424242424242");
    let paid = charge(&settings, "charge-l", request(Some(&card), "bill-lars-1", 100)).unwrap();
    // Other tests' payments come here too.
    loop {
        let call = heard(&listener);
        let answer = Stripe::receive(settings.clone(), call.clone()).unwrap();
        assert_eq!((answer.status, answer.events.len()), (200, 1));
        assert_eq!(answer.events[0].kind, "payment");
        if answer.events[0].subject == paid.reference {
            assert!(answer.events[0].more.contains(&("reference".to_owned(), "bill-lars-1".to_owned())));
            testing::secret("webhook_secret", "whsec_other");
            assert_eq!(Stripe::receive(settings, call).unwrap_err().code, "wrong-signature");
            return;
        }
    }
}

// One request to us.
fn heard(listener: &TcpListener) -> Call {
    let (stream, _) = listener.accept().unwrap();
    let mut reader = BufReader::new(&stream);
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let Some((name, value)) = line.trim().split_once(": ") else { break };
        headers.push((name.to_lowercase(), value.to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length").unwrap().1.parse().unwrap();
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    (&stream).write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").unwrap();
    Call { method: "POST".into(), path: "/events".into(), query: String::new(), headers, body }
}
