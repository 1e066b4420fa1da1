//! What only OCPP 2.1 has: data that is sent and not answered, and questions about chains of certificates.

use crate::net_support::*;
use serde_json::{Value, json};
use takst_gateway::chargers::model::{Command, Reference, RunningCost};
use takst_gateway::hub::Unsent;

fn stream() -> Value {
    let data = json!([{"t": 0, "v": "230.1"}, {"t": 1.5, "v": "229.8"}]);
    json!({"id": 1, "pending": 0, "basetime": "2026-03-01T10:00:00Z", "data": data})
}

#[test]
fn a_stream_is_kept_and_not_answered() {
    run(async {
        let bench = bench().await;
        bench.allow("CP1", |_| {});
        let mut plug = bench.plug("CP1", "ocpp2.1").await;
        plug.boot().await;
        plug.send(json!([6, "s1", "NotifyPeriodicEventStream", stream()]).to_string()).await;
        assert!(plug.is_silent(300).await, "a SEND has no answer");
        // By the standard there is no such request; a charger that makes one is not held up.
        assert_eq!(plug.call("NotifyPeriodicEventStream", stream()).await, json!({}));
        let heard = bench.desk.actions("CP1");
        assert_eq!(
            heard.iter().filter(|action| *action == "NotifyPeriodicEventStream").count(),
            2,
            "{heard:?}"
        );
        assert_eq!(bench.count("takst_ocpp_calls_refused_total"), 0);
    });
}

#[test]
fn words_of_no_standard_are_not_repeated() {
    run(async {
        let bench = bench().await;
        bench.allow("CP1", |_| {});
        let mut plug = bench.plug("CP1", "ocpp2.1").await;
        plug.boot().await;
        let one = |algorithm: &str, source: &str| {
            let hash = json!({"hashAlgorithm": algorithm, "issuerNameHash": "a", "issuerKeyHash": "b", "serialNumber": "1"});
            json!({"certificateHashData": hash, "source": source, "urls": ["http://x"]})
        };
        let ask = |list: Vec<Value>| json!({"certificateStatusRequests": list});
        let mixed = ask(vec![one("SHA256", "ocsp"), one("MD5", "OCSP"), one("SHA256", "PIGEON")]);
        let answer = plug.call("GetCertificateChainStatus", mixed).await;
        let states = answer["certificateStatus"].as_array().unwrap();
        assert_eq!(
            (states.len(), &states[0]["source"], &states[0]["status"]),
            (1, &json!("OCSP"), &json!("Failed"))
        );
        for nothing in [ask(vec![one("MD5", "CRL")]), ask(Vec::new()), json!({})] {
            let refused = plug.call("GetCertificateChainStatus", nothing).await;
            assert_eq!(refused, "OccurrenceConstraintViolation");
        }
    });
}

#[test]
fn only_the_newest_cost_waits() {
    run(async {
        let bench = bench().await;
        bench.allow("CP1", |_| {});
        let mut plug = bench.plug("CP1", "ocpp2.0.1").await;
        plug.boot().await;
        let cost = |cents: i64, transaction: &str| {
            let reference = Reference::Theirs(transaction.to_owned());
            let total = rust_decimal::Decimal::new(cents, 2);
            Command::RunningCost(Box::new(RunningCost { reference, total, details: None }))
        };
        // The first one is with the charger; the others wait.
        let first = bench.ordered("CP1", cost(100, "t1"), 5_000).await;
        let mut waiting = Vec::new();
        for cents in 101..200 {
            waiting.push(bench.ordered("CP1", cost(cents, "t1"), 5_000).await);
        }
        let other = bench.ordered("CP1", cost(7, "t2"), 5_000).await;
        let totals = async |plug: &mut Plug| {
            let call = plug.json().await;
            plug.send(json!([3, call[1], {}]).to_string()).await;
            (call[3]["totalCost"].clone(), call[3]["transactionId"].clone())
        };
        let mut said = Vec::new();
        for _ in 0..3 {
            said.push(totals(&mut plug).await);
        }
        assert_eq!(said, [(json!(1), json!("t1")), (json!(1.99), json!("t1")), (json!(0.07), json!("t2"))]);
        assert!(first.await.unwrap().is_ok() && other.await.unwrap().is_ok());
        let last = waiting.pop().unwrap();
        assert!(last.await.unwrap().is_ok());
        for overtaken in waiting {
            assert_eq!(overtaken.await.unwrap().unwrap_err(), Unsent::Overtaken);
        }
    });
}
