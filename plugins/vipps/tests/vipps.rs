//! The plugin against a peer that was written from Vipps' OpenAPI files (`peer.py`). Where the files are at hand, every request and every answer is held to them.
//!
//! They are not in this repository: `TAKST_SHARED` names the folder in which they stand as `data/vipps`; without it, `shared` beside the repository. Where they
//! are missing the tests run without them and say so.

#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

#[path = "../../tests/peer.rs"]
mod peer;

use peer::Peer;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use takst_plugin_sdk::http::Failure;
use takst_plugin_sdk::payments::{
    ChargeRequest, Guest as _, Instrument, Operation, Payment, PaymentState, SaveRequest,
};
use takst_plugin_sdk::{Error, Money, Options, Outcome, clock, testing};
use vipps::Vipps;

fn contract() -> Option<PathBuf> {
    let named = std::env::var_os("TAKST_SHARED").map(PathBuf::from);
    let shared = named.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"));
    let folder = shared.join("data/vipps");
    (folder.join("epayment.v1.yml").is_file() && folder.join("recurring.openapi.yaml").is_file())
        .then_some(folder)
}

fn vipps() -> &'static Peer {
    static PEER: OnceLock<Peer> = OnceLock::new();
    PEER.get_or_init(|| {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peer.py");
        let folder = contract();
        if folder.is_none() {
            eprintln!("Vipps' OpenAPI files are not here (TAKST_SHARED/data/vipps): requests and answers are NOT held to them");
        }
        let folder: Vec<_> = folder.iter().map(|folder| folder.to_str().unwrap()).collect();
        let packages = ["openapi-schema-validator==0.8.1", "PyYAML==6.0.3"];
        peer::start(&script, Path::new(env!("CARGO_TARGET_TMPDIR")), &packages, 5, &folder)
    })
}

// A test's own gateway, with the plugin in it. When it ends, nothing may have been against Vipps' files.
struct Gateway(Options);

impl Drop for Gateway {
    fn drop(&mut self) {
        let found = peer_get("/_peer/violations");
        if !std::thread::panicking() {
            assert_eq!(found["checked"], contract().is_some());
            assert_eq!(found["violations"], json!([]), "against Vipps' OpenAPI");
        } else {
            eprintln!("{found}");
        }
    }
}

fn gateway(more: &[(&str, &str)]) -> Gateway {
    testing::reset();
    testing::manifest(include_str!("../plugin.toml"), &[]);
    testing::secret("client_secret", "test-client-secret");
    testing::secret("subscription_key", "test-subscription");
    testing::secret("webhook_secret", "test-webhook");
    testing::http_to(&vipps().address);
    let mut settings = vec![
        ("environment", "test"),
        ("merchant_serial_number", "123456"),
        ("client_id", "test-client"),
        ("agreement_url", "https://g.example.com/agreement"),
    ];
    settings.extend(more);
    Gateway(testing::options(&settings))
}

fn peer_get(path: &str) -> Value {
    let mut answer = ureq::get(format!("{}{path}", vipps().address)).call().unwrap();
    serde_json::from_str(&answer.body_mut().read_to_string().unwrap()).unwrap()
}

fn peer_post(path: &str, body: &Value) {
    ureq::post(format!("{}{path}", vipps().address)).send(body.to_string()).unwrap();
}

// The driver, in the app: by the endpoints that Vipps has for tests.
fn approves(reference: &str) {
    ureq::post(format!("{}/epayment/v1/test/payments/{reference}/approve", vipps().address))
        .header("authorization", "Bearer test")
        .header("ocp-apim-subscription-key", "test-subscription")
        .header("merchant-serial-number", "123456")
        .header("content-type", "application/json")
        .send(json!({ "customer": { "phoneNumber": "4791234567" } }).to_string())
        .unwrap();
}

fn accepts(agreement: &str) {
    ureq::patch(format!("{}/recurring/v3/agreements/{agreement}/accept", vipps().address))
        .header("authorization", "Bearer test")
        .header("ocp-apim-subscription-key", "test-subscription")
        .header("idempotency-key", agreement)
        .header("content-type", "application/json")
        .send(json!({ "phoneNumber": "4791234567" }).to_string())
        .unwrap();
}

fn request(reference: &str, minor: i64) -> ChargeRequest {
    ChargeRequest {
        amount: Money::new(minor, "NOK"),
        instrument: None,
        payer: "driver-1".into(),
        description: "Charging, bill A-0031".into(),
        reference: reference.into(),
        return_to: Some("https://g.example.com/pay/r-1".into()),
        capture: true,
        more: Vec::new(),
    }
}

// As long as the outbox's.
fn long(key: &str) -> String {
    let key = format!("takst-{key:0>32}");
    testing::key(&key);
    key
}

impl Gateway {
    fn charge(&self, key: &str, request: ChargeRequest) -> Result<Payment, Error> {
        let key = long(key);
        testing::call(|| Vipps::charge(self.0.clone(), key, request))
    }

    fn status(&self, reference: &str) -> Payment {
        testing::no_key();
        testing::call(|| Vipps::status(self.0.clone(), reference.into())).unwrap()
    }

    fn lookup(&self, key: &str, operation: Operation, ours: &str, theirs: Option<&str>) -> Option<Payment> {
        let key = long(key);
        testing::call(|| {
            Vipps::lookup(self.0.clone(), key, operation, ours.into(), theirs.map(str::to_owned))
        })
        .unwrap()
    }

    fn capture(&self, key: &str, reference: &str, minor: i64) -> Result<Payment, Error> {
        let key = long(key);
        testing::call(|| Vipps::capture(self.0.clone(), key, reference.into(), Money::new(minor, "NOK")))
    }

    fn refund(&self, key: &str, reference: &str, minor: i64) -> Result<Payment, Error> {
        let key = long(key);
        let money = Money::new(minor, "NOK");
        testing::call(|| Vipps::refund(self.0.clone(), key, reference.into(), money, "charger fault".into()))
    }

    fn cancel(&self, key: &str, reference: &str) -> Result<Payment, Error> {
        let key = long(key);
        testing::call(|| Vipps::cancel(self.0.clone(), key, reference.into()))
    }

    fn save(&self, key: &str, reference: &str) -> Result<Instrument, Error> {
        let key = long(key);
        let request = SaveRequest {
            payer: "driver-1".into(),
            reference: reference.into(),
            return_to: "https://g.example.com/me".into(),
            at_most: Some(Money::new(300_000, "NOK")),
            description: "Charging at Storgata 1, paid month by month".into(),
            more: Vec::new(),
        };
        testing::call(|| Vipps::save(self.0.clone(), key, request))
    }

    fn agreement(&self, reference: &str) -> String {
        let agreement = self.save(&format!("save-{reference}"), reference).unwrap().reference;
        accepts(&agreement);
        agreement
    }
}

#[test]
fn a_driver_pays_in_the_app_and_the_money_is_taken() {
    let gateway = gateway(&[]);
    let payment = gateway.charge("pay-1", request("bill-pay-1", 12_500)).unwrap();
    assert_eq!((payment.state, payment.reference.as_str()), (PaymentState::ActionNeeded, "bill-pay-1"));
    assert_eq!(payment.next.as_deref(), Some("https://landing.vipps.no?token=bill-pay-1"));
    assert_eq!(gateway.status("bill-pay-1").state, PaymentState::ActionNeeded);
    approves("bill-pay-1");
    let aside = gateway.status("bill-pay-1");
    assert_eq!((aside.state, aside.captured.minor, aside.next), (PaymentState::Authorized, 0, None));
    // The gateway takes what is set aside.
    testing::fail_next(Failure::Lost);
    assert_eq!(gateway.capture("pay-2", "bill-pay-1", 12_500).unwrap_err().outcome, Outcome::Unknown);
    let taken = gateway.lookup("pay-2", Operation::Capture, "bill-pay-1", Some("bill-pay-1")).unwrap();
    assert_eq!((taken.state, taken.captured), (PaymentState::Paid, Money::new(12_500, "NOK")));
    assert_eq!(gateway.capture("pay-2", "bill-pay-1", 12_500).unwrap().captured.minor, 12_500, "done once");
    assert_eq!(gateway.status("bill-pay-1").captured.minor, 12_500);
}

#[test]
fn money_is_set_aside_taken_in_part_given_back_and_the_rest_let_go() {
    let gateway = gateway(&[]);
    gateway.charge("aside-1", ChargeRequest { capture: false, ..request("bill-aside-1", 10_000) }).unwrap();
    approves("bill-aside-1");
    assert_eq!(gateway.status("bill-aside-1").state, PaymentState::Authorized);
    let look = |key, operation| gateway.lookup(key, operation, "bill-aside-1", Some("bill-aside-1"));
    assert_eq!(look("cap-1", Operation::Capture), None);
    let taken = gateway.capture("cap-1", "bill-aside-1", 6_000).unwrap();
    assert_eq!((taken.state, taken.captured.minor), (PaymentState::Paid, 6_000));
    assert_eq!(look("cap-1", Operation::Capture).unwrap().captured.minor, 6_000);
    assert_eq!(look("cap-2", Operation::Capture), None);
    assert_eq!(gateway.capture("cap-2", "bill-aside-1", 6_000).unwrap_err().outcome, Outcome::Refused);

    peer_post("/_peer/broken", &json!({ "path": "bill-aside-1/refund" }));
    assert_eq!(gateway.refund("ref-1", "bill-aside-1", 1_000).unwrap_err().outcome, Outcome::Unknown);
    assert_eq!(look("ref-1", Operation::Refund).unwrap().refunded.minor, 1_000);
    assert_eq!(gateway.refund("ref-1", "bill-aside-1", 1_000).unwrap().refunded.minor, 1_000, "done once");
    assert_eq!(gateway.refund("ref-2", "bill-aside-1", 5_001).unwrap_err().outcome, Outcome::Refused);

    let rest = gateway.cancel("can-1", "bill-aside-1").unwrap();
    assert_eq!((rest.state, rest.captured.minor, rest.refunded.minor), (PaymentState::Paid, 6_000, 1_000));
}

#[test]
fn what_was_not_taken_is_given_up() {
    let gateway = gateway(&[]);
    gateway.charge("up-1", request("bill-up-1", 10_000)).unwrap();
    assert_eq!(gateway.lookup("up-c", Operation::Cancel, "bill-up-1", Some("bill-up-1")), None);
    assert_eq!(gateway.cancel("up-c", "bill-up-1").unwrap().state, PaymentState::Cancelled);
    assert!(gateway.lookup("up-c", Operation::Cancel, "bill-up-1", Some("bill-up-1")).is_some());
    assert_eq!(
        gateway.cancel("up-d", "bill-up-1").unwrap().state,
        PaymentState::Cancelled,
        "as wanted already"
    );

    gateway.charge("up-2", ChargeRequest { capture: false, ..request("bill-up-2", 10_000) }).unwrap();
    approves("bill-up-2");
    assert_eq!(gateway.cancel("up-e", "bill-up-2").unwrap().state, PaymentState::Cancelled);

    gateway.charge("up-3", request("bill-up-3", 10_000)).unwrap();
    approves("bill-up-3");
    assert_eq!(gateway.capture("up-3-c", "bill-up-3", 10_000).unwrap().state, PaymentState::Paid);
    let error = gateway.cancel("up-f", "bill-up-3").unwrap_err();
    assert_eq!(error.outcome, Outcome::Refused, "paid money is refunded, not cancelled");
}

#[test]
fn a_driver_who_says_no_or_does_nothing() {
    let gateway = gateway(&[]);
    gateway.charge("no-1", request("bill-no-1", 1_000)).unwrap();
    for (state, expected) in [
        ("ABORTED", PaymentState::Failed),
        ("EXPIRED", PaymentState::Expired),
        ("TERMINATED", PaymentState::Cancelled),
    ] {
        peer_post("/_peer/payment", &json!({ "reference": "bill-no-1", "state": state }));
        let payment = gateway.status("bill-no-1");
        assert_eq!(
            (payment.state, payment.next.as_deref(), payment.captured.minor),
            (expected, None, 0),
            "{state}"
        );
        assert_eq!(
            payment.failure.map(|error| error.code),
            (state == "ABORTED").then(|| "aborted".to_owned())
        );
    }
}

#[test]
fn a_known_phone_gets_a_push_message() {
    let gateway = gateway(&[("flow", "push")]);
    let with_phone = |reference: &str, phone: &str| ChargeRequest {
        return_to: None,
        more: testing::options(&[("phone", phone)]),
        ..request(reference, 1_000)
    };
    let payment = gateway.charge("push-1", with_phone("bill-push-1", "+4791234567")).unwrap();
    assert_eq!((payment.state, payment.next), (PaymentState::Pending, None));
    approves("bill-push-1");
    assert_eq!(gateway.status("bill-push-1").state, PaymentState::Authorized);
    let error = gateway.charge("push-2", with_phone("bill-push-2", "call me")).unwrap_err();
    assert_eq!((error.outcome, error.code.as_str()), (Outcome::Refused, "no-return-address"));
}

#[test]
fn a_payment_whose_answer_was_lost_is_found_and_never_made_twice() {
    let gateway = gateway(&[]);
    assert_eq!(gateway.lookup("once-1", Operation::Charge, "bill-once-1", None), None);
    gateway.status_error("bill-once-1", "unknown-reference");
    // The token is there; the payment is what gets lost.
    testing::fail_next(Failure::Lost);
    let error = gateway.charge("once-1", request("bill-once-1", 1_000)).unwrap_err();
    assert_eq!(error.outcome, Outcome::Unknown);
    assert_eq!(
        gateway.lookup("once-1", Operation::Charge, "bill-once-1", None).unwrap().state,
        PaymentState::ActionNeeded
    );
    assert_eq!(gateway.charge("once-1", request("bill-once-1", 1_000)).unwrap().reference, "bill-once-1");
    // Another thing with the same reference is not this one.
    assert_eq!(gateway.lookup("once-2", Operation::Charge, "bill-once-1", None), None);
    let taken = gateway.charge("once-2", request("bill-once-1", 2_000)).unwrap_err();
    assert_eq!((taken.outcome, taken.code.as_str()), (Outcome::Refused, "reference-taken"));
}

impl Gateway {
    fn status_error(&self, reference: &str, code: &str) {
        testing::no_key();
        let error = testing::call(|| Vipps::status(self.0.clone(), reference.into())).unwrap_err();
        assert_eq!((error.outcome, error.code.as_str()), (Outcome::Refused, code));
    }
}

#[test]
fn what_vipps_would_not_take_is_refused_before_it_is_sent() {
    let gateway = gateway(&[]);
    for (wrong, code) in [
        (ChargeRequest { amount: Money::new(100, "SEK"), ..request("bill-bad-1", 1) }, "wrong-amount"),
        (request("bill-bad-1", 0), "wrong-amount"),
        (request("bill-bad-1", 65_000_001), "wrong-amount"),
        (request("short", 100), "wrong-reference"),
        (request("bill_bad_1", 100), "wrong-reference"),
        (ChargeRequest { return_to: None, ..request("bill-bad-1", 100) }, "no-return-address"),
        (
            ChargeRequest { instrument: Some("agr_1/../x".into()), ..request("bill-bad-1", 100) },
            "unknown-reference",
        ),
        (ChargeRequest { instrument: Some("agr_1".into()), ..request("bill-bad-1", 99) }, "wrong-amount"),
    ] {
        let error = gateway.charge("bad-1", wrong.clone()).unwrap_err();
        assert_eq!((error.outcome, error.code.as_str()), (Outcome::Refused, code), "{wrong:?}");
    }
    assert_eq!(testing::sent().len(), 0);
    // What is long is cut: 100 characters here, 45 in an agreement's charge.
    let long = ChargeRequest { description: "å".repeat(200), ..request("bill-long-1", 100) };
    gateway.charge("long-1", long).unwrap();
    gateway
        .charge("long-2", ChargeRequest { description: "x\n".into(), ..request("bill-long-2", 100) })
        .unwrap();
}

#[test]
fn an_access_token_is_kept_while_it_lasts() {
    let mut gateway = gateway(&[]);
    // A sales unit of its own: the others keep their tokens.
    gateway.0.retain(|(name, _)| name != "merchant_serial_number");
    gateway.0.push(("merchant_serial_number".into(), "654321".into()));
    let asked = || testing::sent().iter().filter(|request| request.path() == "/accesstoken/get").count();
    gateway.charge("token-1", request("bill-token-1", 100)).unwrap();
    gateway.status("bill-token-1");
    gateway.status("bill-token-1");
    assert_eq!(asked(), 1);
    // Taken back: one answer 401, then a new one.
    peer_post("/_peer/tokens", &json!({ "msn": "654321" }));
    gateway.status("bill-token-1");
    assert_eq!(asked(), 2);
    // An hour, less five minutes.
    testing::set_clock(clock::now() + 54 * 60_000);
    gateway.status("bill-token-1");
    assert_eq!(asked(), 2);
    testing::set_clock(clock::now() + 2 * 60_000);
    gateway.status("bill-token-1");
    assert_eq!(asked(), 3);
    assert!(testing::sent().iter().all(|request| !request.text().contains("test-client-secret")));

    testing::call(|| takst_plugin_sdk::kv::delete("token/https://apitest.vipps.no/654321"));
    testing::secret("client_secret", "something-else");
    let error = gateway.charge("token-2", request("bill-token-2", 100)).unwrap_err();
    assert_eq!((error.outcome, error.code.as_str()), (Outcome::NotDone, "not-allowed"));
    assert!(error.detail.contains("client_id"), "{}", error.detail);
    // Nothing but the token was asked for, so nothing was done, even if the answer is lost.
    testing::fail_next(Failure::Lost);
    assert_eq!(
        gateway.charge("token-2", request("bill-token-2", 100)).unwrap_err().outcome,
        Outcome::NotDone
    );
}

#[test]
fn an_agreement_is_accepted_and_charged() {
    let gateway = gateway(&[]);
    let agreement = gateway.save("agree-1", "driver-0001").unwrap();
    assert!(
        !agreement.ready && agreement.next.as_deref().unwrap().starts_with("https://api.vipps.no/"),
        "{agreement:?}"
    );
    let saved = || testing::call(|| Vipps::saved(gateway.0.clone(), agreement.reference.clone())).unwrap();
    assert!(!saved().ready && saved().next.is_some());
    accepts(&agreement.reference);
    assert_eq!((saved().ready, saved().label.as_str(), saved().next), (true, "Vipps", None));
    assert_eq!(saved().more, testing::options(&[("at-most", "3000.00")]));

    let charge = |reference: &str, minor| ChargeRequest {
        instrument: Some(agreement.reference.clone()),
        ..request(reference, minor)
    };
    let payment = gateway.charge("month-1", charge("bill-month-1", 43_210)).unwrap();
    assert_eq!((payment.state, payment.captured.minor), (PaymentState::Pending, 0));
    assert_eq!(payment.reference, format!("{}/bill-month-1", agreement.reference));
    assert_eq!(gateway.status(&payment.reference).state, PaymentState::Pending);
    peer_post("/_peer/charge", &json!({ "charge": "bill-month-1", "status": "CHARGED" }));
    let paid = gateway.status(&payment.reference);
    assert_eq!((paid.state, paid.captured), (PaymentState::Paid, Money::new(43_210, "NOK")));
    let back = gateway.refund("month-r", &payment.reference, 210).unwrap();
    assert_eq!((back.state, back.refunded.minor), (PaymentState::Paid, 210));
    assert!(gateway.lookup("month-r", Operation::Refund, "bill-month-1", Some(&payment.reference)).is_some());
    assert_eq!(gateway.lookup("month-s", Operation::Refund, "bill-month-1", Some(&payment.reference)), None);

    let failed = gateway.charge("month-2", charge("bill-month-2", 43_210)).unwrap().reference;
    peer_post("/_peer/charge", &json!({ "charge": "bill-month-2", "status": "FAILED" }));
    let failed = gateway.status(&failed);
    assert_eq!(
        (failed.state, failed.failure.unwrap().code.as_str()),
        (PaymentState::Failed, "over-the-limit")
    );

    peer_post("/_peer/agreement", &json!({ "agreement": agreement.reference, "status": "STOPPED" }));
    assert_eq!(saved().failure.unwrap().code, "agreement-stopped");
    assert_eq!(gateway.charge("month-3", charge("bill-month-3", 100)).unwrap_err().outcome, Outcome::Refused);
}

#[test]
fn a_charge_on_an_agreement_is_set_aside_taken_and_given_up() {
    let gateway = gateway(&[]);
    let agreement = gateway.agreement("driver-0002");
    let charge = |reference: &str| ChargeRequest {
        capture: false,
        instrument: Some(agreement.clone()),
        ..request(reference, 10_000)
    };
    let payment = gateway.charge("hold-1", charge("bill-hold-1")).unwrap().reference;
    peer_post("/_peer/charge", &json!({ "charge": "bill-hold-1", "status": "RESERVED" }));
    assert_eq!(gateway.status(&payment).state, PaymentState::Authorized);
    peer_post("/_peer/broken", &json!({ "path": "bill-hold-1/capture" }));
    assert_eq!(gateway.capture("hold-c", &payment, 4_000).unwrap_err().outcome, Outcome::Unknown);
    let taken = gateway.lookup("hold-c", Operation::Capture, "bill-hold-1", Some(&payment)).unwrap();
    assert_eq!((taken.state, taken.captured.minor), (PaymentState::Paid, 4_000));
    let rest = gateway.cancel("hold-d", &payment).unwrap();
    assert_eq!((rest.state, rest.captured.minor), (PaymentState::Paid, 4_000));

    let other = gateway.charge("hold-2", charge("bill-hold-2")).unwrap().reference;
    assert_eq!(gateway.lookup("hold-e", Operation::Cancel, "bill-hold-2", Some(&other)), None);
    assert_eq!(gateway.cancel("hold-e", &other).unwrap().state, PaymentState::Cancelled);
    assert_eq!(gateway.cancel("hold-f", &other).unwrap().state, PaymentState::Cancelled, "as wanted already");
    assert!(gateway.lookup("hold-e", Operation::Cancel, "bill-hold-2", Some(&other)).is_some());
}

#[test]
fn a_charge_on_an_agreement_is_made_once_also_on_a_later_day() {
    let gateway = gateway(&[]);
    let agreement = gateway.agreement("driver-0003");
    let charge =
        |minor| ChargeRequest { instrument: Some(agreement.clone()), ..request("bill-later-1", minor) };
    testing::fail_next(Failure::Lost);
    assert_eq!(gateway.charge("later-1", charge(5_000)).unwrap_err().outcome, Outcome::Unknown);
    let found = gateway.lookup("later-1", Operation::Charge, "bill-later-1", None).unwrap();
    assert_eq!(found.reference, format!("{agreement}/bill-later-1"));
    // Another due date, so another request under the same key.
    testing::set_clock(clock::now() + 3 * 86_400_000);
    assert_eq!(gateway.charge("later-1", charge(5_000)).unwrap().reference, found.reference);
    let taken = gateway.charge("later-2", charge(6_000)).unwrap_err();
    assert_eq!((taken.outcome, taken.code.as_str()), (Outcome::Refused, "reference-taken"));
}

#[test]
fn an_agreement_whose_answer_was_lost_is_found() {
    let gateway = gateway(&[]);
    assert_eq!(gateway.lookup("seek-1", Operation::Save, "driver-0004", None), None);
    testing::fail_next(Failure::Lost);
    assert_eq!(gateway.save("seek-1", "driver-0004").unwrap_err().outcome, Outcome::Unknown);
    let found = gateway.lookup("seek-1", Operation::Save, "driver-0004", None).unwrap();
    assert_eq!(found.state, PaymentState::ActionNeeded);
    assert_eq!(gateway.save("seek-1", "driver-0004").unwrap().reference, found.reference);
    accepts(&found.reference);
    assert_eq!(
        gateway.lookup("seek-1", Operation::Save, "driver-0004", None).unwrap().state,
        PaymentState::Paid
    );
    assert_eq!(
        gateway.lookup("seek-1", Operation::Save, "driver-0004", Some(&found.reference)).unwrap().state,
        PaymentState::Paid
    );
}
