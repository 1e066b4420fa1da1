//! What a driver is told before he starts, and what a session begins with.

use crate::desk_support::*;
use crate::store_support::*;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use takst_engine::units::Instant;
use takst_gateway::chargers::model::Command;
use takst_gateway::chargers::time::write;
use takst_gateway::desk::Order;
use takst_gateway::desk::rules::ChargerRules;
use takst_gateway::link::Link;
use takst_gateway::ocpp::Dialect;
use takst_gateway::store::*;

fn with_display(rig: &Rig) {
    let rules = ChargerRules { tells_price: true, ..charger(CHARGER) };
    rig.hand.chargers.lock().unwrap().insert(CHARGER.to_owned(), Arc::new(rules));
}

fn prices(rig: &Rig) -> Vec<(String, String)> {
    let told = rig.others.told.lock().unwrap();
    let price = |command: &Command| match command {
        Command::UserPrice(price) => Some((price.token.clone(), price.text.clone())),
        _ => None,
    };
    told.iter().filter_map(|(_, command)| price(command)).collect()
}

both!(the_price_is_shown_before_the_start_in_1_6, place => {
    let rig = Rig::new(place, Dialect::V16).await;
    // A charger that shows nothing is told nothing.
    rig.say("Authorize", json!({"idTag":"CARD"})).await;
    with_display(&rig);
    rig.say("Authorize", json!({"idTag":"nobody"})).await;
    rig.say("Authorize", json!({"idTag":"CARD"})).await;
    for _ in 0..100 {
        if !prices(&rig).is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(prices(&rig), [("CARD".to_owned(), "0.30 EUR/kWh, idle 0.10 EUR/min after 10 min".to_owned())]);
});

both!(the_price_is_part_of_the_answer_in_2_0_1, place => {
    let rig = Rig::new(place, Dialect::V201).await;
    with_display(&rig);
    let asked = json!({"idToken":{"idToken":"CARD","type":"ISO14443"}});
    let answer = rig.say("Authorize", asked.clone()).await;
    assert_eq!(answer["idTokenInfo"]["personalMessage"]["content"], "0.30 EUR/kWh, idle 0.10 EUR/min after 10 min", "{answer}");
    let asked = json!({"idToken":{"idToken":"nobody","type":"ISO14443"}});
    assert_eq!(rig.say("Authorize", asked).await["idTokenInfo"].get("personalMessage"), None);
});

both!(all_that_costs_something_is_told, place => {
    let rig = Rig::new(place, Dialect::V201).await;
    with_display(&rig);
    let asked = json!({"idToken":{"idToken":"CARD","type":"ISO14443"}});
    for (charges, text) in [
        ("energy: free\n\nconnected time: 0.25 EUR/min", "0.25 EUR/min"),
        (
            "energy: 0.20 EUR/kWh\n\nstart fee: 0.50 EUR/session\n\nidle fee: 0.10 EUR/min",
            "0.20 EUR/kWh + 0.50 EUR start, idle 0.10 EUR/min",
        ),
    ] {
        *rig.hand.tariffs.lock().unwrap() = vec![(t(-60), "new".into(), tariff(charges))];
        let answer = rig.say("Authorize", asked.clone()).await;
        assert_eq!(answer["idTokenInfo"]["personalMessage"]["content"], text, "{answer}");
    }
});

both!(the_list_is_that_of_plugging_in, place => {
    let mut rig = Rig::new(place, Dialect::V16).await;
    rig.hand.tariffs.lock().unwrap().push((t(5), "night".into(), plain()));
    // Plugged in before the lists change, begun after it.
    rig.status(0, "Preparing").await;
    let id = rig.start(8, 1000).await;
    let session = rig.session().await;
    assert_eq!((session.plugged_in, session.started_at), (t(0), Some(t(8))));
    assert_eq!(session.tariff_version.as_deref(), Some(standing().version()), "the one in force at plug-in");
    rig.stop(id, 20, 2000).await;
    rig.status(21, "Available").await;
    // Whoever plugs in afterwards has the new one.
    rig.status(30, "Preparing").await;
    rig.start(31, 2000).await;
    let sessions = rig.sessions().await;
    let last = sessions.iter().max_by_key(|session| session.plugged_in).unwrap();
    assert_eq!((last.plugged_in, last.tariff_version.as_deref()), (t(30), Some(plain().version())));
});

both!(a_certificate_that_nobody_checked_is_not_called_good, place => {
    let rig = Rig::new(place, Dialect::V201).await;
    let asked = json!({"idToken":{"idToken":"CARD","type":"eMAID"},"certificate":"-----BEGIN CERTIFICATE-----\nxx\n-----END CERTIFICATE-----"});
    assert_eq!(rig.say("Authorize", asked).await["certificateStatus"], "CertChainError");
});

both!(a_reservation_belongs_to_the_session_that_uses_it, place => {
    let mut rig = Rig::new(place, Dialect::V16).await;
    // Orders are given at the time of this machine.
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis();
    let now = Instant(i64::try_from(now).unwrap());
    let order = Order::Reserve { id: 77, evse: Some(1), token: "CARD".into(), until: Instant(now.0 + 3_600_000) };
    assert!(rig.clerk.command(&org(), CHARGER, order, "anna").await.unwrap().outcome.is_ok());
    for (reservation, minute) in [(77, 10), (78, 40)] {
        rig.now = Instant(now.0 + minute * 60_000);
        let start = json!({"connectorId":1,"idTag":"CARD","meterStart":0,"timestamp":write(rig.now),"reservationId":reservation});
        let id = rig.say("StartTransaction", start).await["transactionId"].clone();
        rig.say("StopTransaction", json!({"transactionId":id,"meterStop":10,"timestamp":write(Instant(rig.now.0 + 60_000))})).await;
    }
    let facts: Vec<Value> = rig.sessions().await.iter().map(|session| {
        serde_json::from_str::<Value>(&session.document).unwrap()["facts"]["reservation"].clone()
    }).collect();
    assert_eq!(facts[0]["expired"], false, "{facts:?}");
    assert!(facts[0]["from"].is_string() && facts[0]["from"] != facts[0]["until"], "{facts:?}");
    // Of a number that nobody ordered nothing is known.
    assert_eq!(facts[1], Value::Null);
});

both!(a_start_that_was_refused_locks_no_card, place => {
    let mut rig = Rig::new(place, Dialect::V16).await;
    rig.hand.chargers.lock().unwrap().insert("C2".to_owned(), Arc::new(charger("C2")));
    let owner = org();
    rig.store.write(Lane::charger(&org(), CHARGER), async move |tx| {
        tx.add_charger(&owner, CHARGER, Registration::Pending, t(0)).await?;
        tx.set_registration(&owner, CHARGER, Registration::Pending).await
    }).await.unwrap();
    let start = |minute| json!({"connectorId":1,"idTag":"CARD","meterStart":0,"timestamp":ts(minute)});
    rig.now = t(1);
    assert_eq!(rig.say("StartTransaction", start(1)).await["idTagInfo"]["status"], "Invalid");
    rig.link = Link { charger: "C2".into(), connection: new_id(), ..rig.link.clone() };
    rig.now = t(2);
    assert_eq!(rig.say("StartTransaction", start(2)).await["idTagInfo"]["status"], "Accepted");
});
