//! Every function of the interface once, both ways. Built once for each version of the interface and kept (`tests/golden`): it must run
//! on every later gateway.

use takst_plugin_sdk::bindings::host::takst::plugin::{host_http, host_log};
use takst_plugin_sdk::{
    Configuration, Error, Finding, Money, Options, Outcome, calls, clock, crypto, invoices, kv, messages,
    meters, payments, prices,
};

struct Whole;

impl Configuration for Whole {
    fn check(settings: Options) -> Vec<Finding> {
        vec![Finding { setting: "all".into(), text: format!("{settings:?}"), error: true }]
    }
}

fn refused(detail: String) -> Error {
    Error { code: "refused".into(), outcome: Outcome::Refused, detail, retry_after: Some(7) }
}

impl prices::Guest for Whole {
    fn fetch(_: Options, wanted: prices::Wanted) -> Result<Vec<prices::Document>, Error> {
        host_log::write(host_log::Level::Debug, "log");
        let now = clock::now();
        let offset = clock::offset(now, &wanted.time_zone);
        kv::set("a", b"1").map_err(refused)?;
        let one = kv::get("a");
        let names = kv::names("a");
        kv::delete("a");
        let random = crypto::random(4).len();
        let digest = crypto::digest(crypto::Hash::Sha1, b"abc");
        let mac = crypto::hmac(crypto::Hash::Sha256, "key", b"abc").map_err(refused)?;
        let same = crypto::hmac_equals(crypto::Hash::Sha256, "key", b"abc", &mac).map_err(refused)?;
        let jwt = crypto::jwt("HS256", "key", "{}", "{}").map_err(refused)?;
        let request = host_http::Request {
            method: "GET".into(),
            url: "https://api.example.com/v1".into(),
            headers: vec![("a".into(), "b".into())],
            body: vec![],
        };
        let sent = host_http::send(&request).map_err(|e| refused(format!("{:?} {}", e.failure, e.detail)))?;
        let body = format!(
            "{wanted:?} {offset:?} {one:?} {names:?} {random} {} {same} {} {}",
            digest.len(),
            jwt.split('.').count(),
            sent.status
        );
        Ok(vec![prices::Document { body: body.into(), published: Some(now), source: "whole".into() }])
    }
}

fn payment(reference: String) -> payments::Payment {
    payments::Payment {
        reference,
        state: payments::PaymentState::ActionNeeded,
        captured: Money { minor: -1, currency: "EUR".into() },
        refunded: Money { minor: i64::MAX, currency: "NOK".into() },
        next: Some("https://pay.example.com".into()),
        failure: Some(refused("declined".into())),
        more: vec![("a".into(), "b".into())],
    }
}

fn instrument(reference: String) -> payments::Instrument {
    payments::Instrument {
        reference,
        ready: true,
        label: "Visa 4242".into(),
        next: None,
        failure: None,
        more: vec![],
    }
}

impl payments::Guest for Whole {
    fn save(_: Options, key: String, r: payments::SaveRequest) -> Result<payments::Instrument, Error> {
        Ok(instrument(format!("{key} {r:?}")))
    }
    fn saved(_: Options, reference: String) -> Result<payments::Instrument, Error> {
        Ok(instrument(reference))
    }
    fn charge(_: Options, key: String, r: payments::ChargeRequest) -> Result<payments::Payment, Error> {
        Ok(payment(format!("{key} {r:?}")))
    }
    fn capture(
        _: Options,
        key: String,
        reference: String,
        amount: Money,
    ) -> Result<payments::Payment, Error> {
        Ok(payment(format!("{key} {reference} {amount:?}")))
    }
    fn refund(
        _: Options,
        key: String,
        reference: String,
        amount: Money,
        reason: String,
    ) -> Result<payments::Payment, Error> {
        Ok(payment(format!("{key} {reference} {amount:?} {reason}")))
    }
    fn cancel(_: Options, key: String, reference: String) -> Result<payments::Payment, Error> {
        Ok(payment(format!("{key} {reference}")))
    }
    fn status(_: Options, reference: String) -> Result<payments::Payment, Error> {
        Err(refused(reference))
    }
    fn lookup(
        _: Options,
        key: String,
        operation: payments::Operation,
        ours: String,
        theirs: Option<String>,
    ) -> Result<Option<payments::Payment>, Error> {
        Ok(Some(payment(format!("{key} {operation:?} {ours} {theirs:?}"))))
    }
}

fn delivery(reference: String) -> invoices::Delivery {
    invoices::Delivery { reference, state: invoices::State::Rejected, detail: "full".into() }
}

impl invoices::Guest for Whole {
    fn reach(_: Options, payer: Options) -> Result<invoices::Reachability, Error> {
        Ok(invoices::Reachability {
            consent: invoices::Consent::Blocked,
            address: format!("{payer:?}"),
            detail: "x".into(),
        })
    }
    fn send(_: Options, key: String, invoice: invoices::Invoice) -> Result<invoices::Delivery, Error> {
        Ok(delivery(format!("{key} {invoice:?}")))
    }
    fn status(_: Options, reference: String) -> Result<invoices::Delivery, Error> {
        Ok(delivery(reference))
    }
    fn cancel(_: Options, key: String, reference: String) -> Result<invoices::Delivery, Error> {
        Ok(delivery(format!("{key} {reference}")))
    }
    fn lookup(_: Options, key: String, number: String) -> Result<Option<invoices::Delivery>, Error> {
        Ok(Some(delivery(format!("{key} {number}"))))
    }
}

fn series(point: String) -> meters::Series {
    let value =
        meters::Value { from: 0, until: 900_000, kwh: "1.5".into(), quality: meters::Quality::Estimated };
    meters::Series { point, direction: meters::Direction::Production, values: vec![value] }
}

impl meters::Guest for Whole {
    fn check_point(_: Options, point: String) -> Option<String> {
        Some(point)
    }
    fn read(_: Options, file: meters::File) -> Result<Vec<meters::Series>, Error> {
        Ok(vec![series(format!("{file:?}"))])
    }
    fn write(_: Options, form: String, series: Vec<meters::Series>) -> Result<meters::File, Error> {
        Ok(meters::File { name: form, media_type: "text/plain".into(), body: format!("{series:?}").into() })
    }
    fn forms() -> Vec<String> {
        vec!["a".into(), "b".into()]
    }
    fn fetch(_: Options, span: meters::Span) -> Result<Vec<meters::Series>, Error> {
        Ok(vec![series(format!("{span:?}"))])
    }
    fn send(_: Options, key: String, series: Vec<meters::Series>) -> Result<String, Error> {
        Ok(format!("{key} {series:?}"))
    }
}

impl messages::Guest for Whole {
    fn send(_: Options, key: String, message: messages::Message) -> Result<messages::Receipt, Error> {
        Ok(messages::Receipt { reference: format!("{key} {message:?}"), parts: 3 })
    }
    fn lookup(_: Options, key: String) -> Result<Option<messages::Receipt>, Error> {
        Ok(Some(messages::Receipt { reference: key, parts: 0 }))
    }
}

impl calls::Guest for Whole {
    fn receive(_: Options, call: calls::Call) -> Result<calls::Answer, Error> {
        let event = calls::Event {
            kind: "payment".into(),
            subject: format!("{call:?}"),
            id: "1".into(),
            more: vec![],
        };
        Ok(calls::Answer {
            status: 204,
            headers: vec![("a".into(), "b".into())],
            body: vec![255, 0],
            events: vec![event],
        })
    }
}

takst_plugin_sdk::plugin!(Whole: prices, payments, invoices, meters, messages, calls);
