//! Against a small operator that keeps what it was sent.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use super::*;
use invoices::{Consent, Guest};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::rc::Rc;
use takst_plugin_sdk::http::Failure;
use takst_plugin_sdk::testing::{self, Sent, answer, options};
use takst_plugin_sdk::{Money, Outcome};

#[derive(Default)]
struct Operator {
    // By the idempotency header.
    taken: Vec<(String, Value)>,
    closed: bool,
}

fn consumer(body: &Value) -> Value {
    match body["name"].as_str().unwrap_or_default() {
        "Kari Nordmann" => {
            json!({"consumers": [{"efakturaIdentifier": "K-1", "hasAutoAcceptAgreement": true, "blockedByReceiver": false}]})
        }
        "Ola Nordmann" => {
            json!([{"efakturaIdentifier": "O-1", "hasAutoAcceptAgreement": true, "blockedByReceiver": true}])
        }
        "Per Hansen" => json!({"efakturaIdentifier": "P-1", "hasAutoAcceptAgreement": "false"}),
        "Jan Olsen" => {
            json!({"consumers": [{"efakturaIdentifier": "J-1", "hasAutoAcceptAgreement": true}, {"efakturaIdentifier": "J-2", "hasAutoAcceptAgreement": true}]})
        }
        "Odd Lie" => json!({"efakturaIdentifier": "L-1", "alltid": "perhaps"}),
        _ => json!({"consumers": []}),
    }
}

impl Operator {
    fn answer(&mut self, request: &Sent) -> (u16, Value) {
        if request.header("authorization") != Some("Bearer sesame-open") {
            return (401, json!({"message": "no key"}));
        }
        if self.closed {
            return (503, json!({"message": "closed"}));
        }
        let body: Value = serde_json::from_slice(&request.body).unwrap_or(Value::Null);
        let path = request.path().strip_prefix("/efaktura/v1/").expect("the base of the address");
        match (request.method.as_str(), path) {
            ("POST", "consumers") => (200, consumer(&body)),
            ("POST", "invoices") => self.take(request.header("Idempotency-Key").unwrap(), body),
            ("GET", query) if query.starts_with("invoices?") => {
                let number = query.rsplit_once("invoiceNumber=").unwrap().1;
                let found: Vec<&Value> = self
                    .taken
                    .iter()
                    .map(|(_, one)| one)
                    .filter(|one| one["invoiceNumber"] == number)
                    .collect();
                (200, json!({"invoices": found}))
            }
            (method, path) => {
                let id = path.strip_prefix("invoices/").unwrap();
                let (id, cancels) =
                    id.strip_suffix("/cancel").map_or((id, method == "DELETE"), |id| (id, true));
                match self.taken.iter_mut().find(|(_, one)| one["id"] == id) {
                    None => (404, json!({"message": "no such invoice"})),
                    Some((_, one)) if cancels && one["status"] == "PAID" => {
                        (409, json!({"message": "it is paid"}))
                    }
                    Some((_, one)) if cancels => {
                        one["status"] = "CANCELLED".into();
                        (200, Value::Null)
                    }
                    Some((_, one)) => (200, one.clone()),
                }
            }
        }
    }

    fn take(&mut self, key: &str, mut body: Value) -> (u16, Value) {
        if let Some((_, known)) = self.taken.iter().find(|(known, _)| known == key) {
            return (200, known.clone());
        }
        if self.taken.iter().any(|(_, one)| one["invoiceNumber"] == body["invoiceNumber"]) {
            return (409, json!({"message": "number known"}));
        }
        if body["efakturaIdentifier"] == "GONE" {
            return (422, json!({"message": "the recipient has ended eFaktura"}));
        }
        body["id"] = format!("I-{}", self.taken.len() + 1).into();
        body["status"] = "QUEUED".into();
        self.taken.push((key.to_owned(), body.clone()));
        (201, body)
    }
}

const SETTINGS: &[(&str, &str)] =
    &[("address", "https://operator.example.com/efaktura/v1"), ("issuer", "998877")];

fn operator() -> Rc<RefCell<Operator>> {
    testing::reset();
    testing::manifest(include_str!("../plugin.toml"), SETTINGS);
    testing::secret("api_key", "sesame-open");
    let operator = Rc::new(RefCell::new(Operator::default()));
    let peer = operator.clone();
    testing::http(move |request| {
        let (status, body) = peer.borrow_mut().answer(request);
        Ok(answer(status, if body.is_null() { String::new() } else { body.to_string() }))
    });
    operator
}

fn settings(more: &[(&str, &str)]) -> Options {
    options(&[SETTINGS, more].concat())
}

fn reach(more: &[(&str, &str)], payer: &[(&str, &str)]) -> Result<Reachability, Error> {
    testing::call(|| Efaktura::reach(settings(more), options(payer)))
}

fn invoice(number: &str) -> Invoice {
    Invoice {
        number: number.into(),
        payment_reference: "1234566".into(),
        amount: Money::new(43_125, "NOK"),
        issued: "2026-11-02".into(),
        due: "2026-11-16".into(),
        address: "K-1".into(),
        document: b"<?xml version=\"1.0\"?>\n<Invoice/>".to_vec(),
        attachment: b"%PDF".to_vec(),
        more: options(&[("uri", "https://charge.example.com/i/1")]),
    }
}

fn send(more: &[(&str, &str)], key: &str, invoice: Invoice) -> Result<Delivery, Error> {
    testing::key(key);
    let sent = testing::call(|| Efaktura::send(settings(more), key.into(), invoice));
    testing::no_key();
    sent
}

#[test]
fn only_who_agreed_and_does_not_block_is_reached() {
    operator();
    let of = |name: &str| {
        let answer = reach(&[], &[("name", name), ("phone", "+4791234567")]).unwrap();
        (answer.consent, answer.address)
    };
    assert_eq!(of("Kari Nordmann"), (Consent::Accepts, "K-1".into()));
    assert_eq!(of("Ola Nordmann"), (Consent::Blocked, "O-1".into()));
    assert_eq!(of("Per Hansen"), (Consent::None, "P-1".into()));
    assert_eq!(of("Nobody"), (Consent::None, String::new()));
    // Two of that name: it goes to neither.
    assert_eq!(of("Jan Olsen"), (Consent::None, String::new()));
    let body: Value = serde_json::from_slice(&testing::sent()[0].body).unwrap();
    assert_eq!(body, json!({"issuer": "998877", "name": "Kari Nordmann", "phone": "+4791234567"}));
}

#[test]
fn who_is_not_known_well_enough_is_not_asked_for() {
    operator();
    for payer in [&[("name", "Kari Nordmann")][..], &[("phone", "+4791234567")], &[]] {
        assert_eq!(reach(&[], payer).unwrap().consent, Consent::None);
    }
    assert!(testing::sent().is_empty());
    reach(&[], &[("national-id", "01010012345")]).unwrap();
    assert_eq!(testing::sent().len(), 1);
}

#[test]
fn a_wrong_mapping_is_not_taken_for_a_no() {
    operator();
    let payer = &[("name", "Odd Lie"), ("email", "o@example.com")];
    let error = reach(&[], payer).unwrap_err();
    assert!(
        error.detail.contains("`hasAutoAcceptAgreement`") && error.detail.contains("`consent=…`"),
        "{}",
        error.detail
    );
    let error = reach(&[("names", "consent=alltid")], payer).unwrap_err();
    assert!(error.detail.contains("`alltid` is `perhaps`"), "{}", error.detail);
    let sent = send(&[("words", "accepted=TAKEN")], "k-1", invoice("F-1")).unwrap_err();
    assert_eq!((sent.code.as_str(), sent.outcome), ("state-unknown", Outcome::Unknown));
    assert!(sent.detail.contains("`accepted=QUEUED`"), "{}", sent.detail);
    let findings =
        Efaktura::check(options(&[("names", "konsent=x, y"), ("words", "lost=X"), ("auth", "Bearer x")]));
    let settings: Vec<&str> = findings.iter().map(|finding| finding.setting.as_str()).collect();
    assert_eq!(settings, ["address", "issuer", "auth", "names", "names", "words"]);
    assert!(findings[3].text.contains("there is no `konsent`"), "{}", findings[3].text);
    assert!(
        Efaktura::check(self::settings(&[("names", "consent=a.b"), ("words", "delivered=A B")])).is_empty()
    );
}

#[test]
fn an_invoice_is_sent_with_all_that_the_bank_shows() {
    let operator = operator();
    let sent = send(&[], "k-1", invoice("F-1")).unwrap();
    assert_eq!((sent.reference.as_str(), sent.state), ("I-1", State::Accepted));
    let taken = operator.borrow().taken[0].1.clone();
    assert_eq!(taken["amount"].to_string(), "431.25");
    for (field, value) in [
        ("kid", "1234566"),
        ("dueDate", "2026-11-16"),
        ("currency", "NOK"),
        ("efakturaIdentifier", "K-1"),
        ("documentType", "INVOICE"),
        ("invoiceUri", "https://charge.example.com/i/1"),
        ("attachment", "JVBERg=="),
        ("externalId", "k-1"),
    ] {
        assert_eq!(taken[field], value, "{field}");
    }
    for (form, expected) in [("text", "\"431.25\""), ("minor", "43125")] {
        let number = format!("F-{form}");
        send(&[("amount_as", form)], form, invoice(&number)).unwrap();
        assert_eq!(operator.borrow().taken.last().unwrap().1["amount"].to_string(), expected);
    }
}

#[test]
fn what_cannot_be_delivered_falls_back() {
    operator();
    let state = |more: &[(&str, &str)], invoice: Invoice| send(more, "k-9", invoice).map(|sent| sent.state);
    assert_eq!(state(&[], Invoice { address: "GONE".into(), ..invoice("F-1") }), Ok(State::Rejected));
    assert_eq!(state(&[], Invoice { address: " ".into(), ..invoice("F-1") }), Ok(State::Rejected));
    assert_eq!(state(&[], Invoice { amount: Money::new(100, "EUR"), ..invoice("F-1") }), Ok(State::Rejected));
    let credit =
        || Invoice { document: b"<?xml version=\"1.0\"?>\n<CreditNote/>".to_vec(), ..invoice("F-2") };
    assert_eq!(state(&[], credit()), Ok(State::Rejected));
    assert_eq!(testing::sent().len(), 1, "only the first was asked for");
    assert_eq!(state(&[("credit_notes", "yes")], credit()), Ok(State::Accepted));
}

#[test]
fn a_lost_answer_sends_no_second_invoice() {
    let operator = operator();
    testing::fail_next(Failure::Lost);
    assert_eq!(send(&[], "k-1", invoice("F-1")).unwrap_err().outcome, Outcome::Unknown);
    let found =
        testing::call(|| Efaktura::lookup(settings(&[]), "k-1".into(), "F-1".into())).unwrap().unwrap();
    assert_eq!((found.reference.as_str(), found.state), ("I-1", State::Accepted));
    assert_eq!(Efaktura::lookup(settings(&[]), "k-1".into(), "F-2".into()), Ok(None));
    assert_eq!(Efaktura::lookup(settings(&[]), "k-2".into(), "F-1".into()), Ok(None), "somebody else's");
    assert_eq!(send(&[], "k-1", invoice("F-1")).unwrap().reference, "I-1");
    // The same number under another key is not ours.
    assert_eq!(send(&[], "k-2", invoice("F-1")).unwrap_err().code, "number-taken");
    assert_eq!(operator.borrow().taken.len(), 1);
}

#[test]
fn without_keys_the_attempt_that_lives_is_meant() {
    let operator = operator();
    let lookup = || testing::call(|| Efaktura::lookup(settings(&[]), "k-2".into(), "F-1".into()));
    let stand = |states: &[&str]| {
        let one = |(place, state): (usize, &&str)| {
            let id = format!("I-{}", place + 1);
            (id.clone(), json!({"id": id, "invoiceNumber": "F-1", "status": state}))
        };
        operator.borrow_mut().taken = states.iter().enumerate().map(one).collect();
    };
    // The first was rejected, and the answer of the second was lost.
    stand(&["REJECTED", "QUEUED"]);
    assert_eq!(lookup().unwrap().unwrap().reference, "I-2");
    stand(&["DELIVERED", "REJECTED"]);
    assert_eq!(lookup().unwrap().unwrap().reference, "I-1");
    for several in [&["REJECTED", "REJECTED"][..], &["QUEUED", "QUEUED"], &["REJECTED", "CANCELLED"]] {
        stand(several);
        let error = lookup().unwrap_err();
        assert_eq!((error.code.as_str(), error.outcome), ("which-attempt", Outcome::Unknown), "{several:?}");
    }
    // Of one alone the gateway knows whether there was an earlier one; that the number is taken says nothing of it.
    stand(&["REJECTED"]);
    assert_eq!(lookup().unwrap().unwrap().state, State::Rejected);
    let error = send(&[], "k-2", invoice("F-1")).unwrap_err();
    assert_eq!((error.code.as_str(), error.outcome), ("which-attempt", Outcome::Unknown));
    stand(&["QUEUED"]);
    assert_eq!(send(&[], "k-2", invoice("F-1")).unwrap().reference, "I-1");
}

#[test]
fn how_it_is_and_taking_it_back() {
    let operator = operator();
    send(&[], "k-1", invoice("F-1")).unwrap();
    send(&[], "k-2", invoice("F-2")).unwrap();
    send(&[], "k-3", invoice("F-3")).unwrap();
    let set = |place: usize, word: &str| operator.borrow_mut().taken[place].1["status"] = word.into();
    let status = |id: &str| Efaktura::status(settings(&[]), id.into()).map(|found| found.state);
    for (word, state) in [
        ("delivered", State::Delivered),
        ("REJECTED", State::Rejected),
        ("QUEUED", State::Accepted),
        ("PAID", State::Delivered),
    ] {
        set(0, word);
        assert_eq!(status("I-1"), Ok(state));
    }
    assert_eq!(status("I-9").unwrap_err().outcome, Outcome::Refused);
    let cancel = |more: &[(&str, &str)], id: &str| Efaktura::cancel(settings(more), "k".into(), id.into());
    let late = cancel(&[], "I-1").unwrap_err();
    assert_eq!((late.code.as_str(), late.outcome), ("too-late", Outcome::Refused));
    assert!(late.detail.contains("it is paid"), "{}", late.detail);
    assert_eq!(cancel(&[], "I-2").unwrap().state, State::Cancelled);
    assert_eq!(status("I-2"), Ok(State::Cancelled));
    assert_eq!(cancel(&[("cancel_with", "DELETE")], "I-3").unwrap().state, State::Cancelled);
}

#[test]
fn a_wrong_key_is_not_done_and_of_a_closed_operator_nobody_knows() {
    let operator = operator();
    operator.borrow_mut().closed = true;
    assert_eq!(send(&[], "k-1", invoice("F-1")).unwrap_err().outcome, Outcome::Unknown);
    testing::secret("api_key", "wrong");
    let error = send(&[], "k-1", invoice("F-1")).unwrap_err();
    assert_eq!(error.outcome, Outcome::NotDone);
    assert!(error.detail.contains("secret `api_key`"), "{}", error.detail);
    let error = reach(&[], &[("national-id", "01010012345")]).unwrap_err();
    assert_eq!(error.outcome, Outcome::NotDone);
}
