//! Where only the newest counts: of the costs that wait for a charger.

use crate::net_support::*;
use serde_json::json;
use takst_gateway::chargers::model::{Command, Reference, RunningCost};
use takst_gateway::hub::Unsent;

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
