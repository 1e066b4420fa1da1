//! OCPP 2.0.1 and 2.1 through the desk: the cases of real chargers, on both databases.

use crate::desk_support::*;
use crate::store_support::*;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use takst_gateway::link::Reply;
use takst_gateway::ocpp::Dialect;
use takst_gateway::store::*;

async fn rig(place: Place) -> Rig {
    Rig::new(place, Dialect::V201).await
}

/// An event of transaction `tx`. The first one says where and who.
fn event(kind: &str, seq: i64, minute: i64, wh: i64) -> Value {
    let (context, trigger) = match kind {
        "Started" => ("Transaction.Begin", "Authorized"),
        "Ended" => ("Transaction.End", "StopAuthorized"),
        _ => ("Sample.Periodic", "MeterValuePeriodic"),
    };
    let mut event = json!({
        "eventType": kind, "timestamp": ts(minute), "triggerReason": trigger, "seqNo": seq,
        "transactionInfo": {"transactionId": "tx"},
        "meterValue": [{"timestamp": ts(minute), "sampledValue": [{"value": wh, "context": context}]}],
    });
    if kind == "Started" {
        event["evse"] = json!({"id": 1, "connectorId": 1});
        event["idToken"] = json!({"idToken": "CARD", "type": "ISO14443"});
        event["transactionInfo"]["chargingState"] = json!("Charging");
    }
    event
}

both!(case_47_what_only_the_first_event_says_is_carried_on, place => {
    let mut rig = rig(place).await;
    rig.status(0, "Occupied").await;
    rig.now = t(2);
    let answer = rig.say("TransactionEvent", event("Started", 0, 2, 1000)).await;
    assert_eq!(answer["idTokenInfo"]["status"], "Accepted");
    rig.now = t(12);
    assert_eq!(rig.say("TransactionEvent", event("Updated", 1, 12, 2000)).await, json!({}));
    rig.now = t(22);
    rig.say("TransactionEvent", event("Ended", 2, 22, 3000)).await;
    rig.pass(30).await;
    assert_eq!(rig.session().await.status, SessionStatus::Running, "the connector is occupied");
    rig.status(60, "Available").await;
    let session = rig.session().await;
    assert_eq!((session.evse, session.connector, session.token.as_deref()), (1, Some(1), Some("CARD")));
    assert_eq!((session.plugged_in, session.stopped_at, session.unplugged), (t(0), Some(t(22)), Some(t(60))));
    assert_eq!((wh(&session), session.status, session.billing), (Some(2000), SessionStatus::Ended, Billing::Due));
    assert_eq!((flags(&session).len(), session.transaction_ref.as_deref()), (0, Some("tx")));
});

both!(case_45_any_order_and_any_repetition_make_the_same_session, place => {
    let mut events = vec![event("Started", 0, 0, 1000)];
    for seq in 1..7 {
        let mut next = event("Updated", seq, seq * 5, 1000 + seq * 500);
        if seq == 3 {
            next["transactionInfo"]["chargingState"] = json!("SuspendedEVSE");
        }
        if seq == 4 {
            next["transactionInfo"]["chargingState"] = json!("Charging");
        }
        next["meterValue"][0]["sampledValue"].as_array_mut().unwrap().push(json!({"value": 6000 + seq, "measurand": "Power.Active.Import"}));
        events.push(next);
    }
    events.push(event("Ended", 7, 40, 5000));
    let mut first = None;
    // A few orders; the property of all of them is tested beside the tracker.
    for (round, step) in [1_usize, 3, 5, 7].into_iter().enumerate() {
        let mut rig = rig(place.another().await).await;
        rig.now = t(100);
        for index in 0..events.len() * 2 {
            let event = &events[(index * step + round) % events.len()];
            rig.say("TransactionEvent", event.clone()).await;
            if index == 5 {
                rig.restart().await;
            }
        }
        rig.pass(1).await;
        let session = rig.session().await;
        let parts = rig.parts(&session).await;
        let power: Vec<_> = parts.power.iter().map(|row| (row.seq, row.from_at, row.power)).collect();
        let seen = (
            (session.plugged_in, session.started_at, session.stopped_at, session.unplugged, session.status),
            (wh(&session), flags(&session), session.token.clone(), session.driver.clone(), session.billing, session.hold),
            (registers(&parts), states(&parts), power),
        );
        assert_eq!(rig.facts().await.iter().filter(|fact| fact.kind == "event").count(), events.len());
        let first = first.get_or_insert_with(|| seen.clone());
        assert_eq!(*first, seen, "step {step}");
        assert_eq!((seen.1.0, seen.1.1.len(), seen.2.0.len()), (Some(4000), 0, 8));
    }
});

both!(case_45_gaps_are_waited_for_and_noted, place => {
    let mut rig = rig(place).await;
    *rig.hand.tariffs.lock().unwrap() = vec![(t(-1), "plain".into(), plain())];
    rig.say("TransactionEvent", event("Started", 0, 0, 1000)).await;
    rig.now = t(20);
    rig.say("TransactionEvent", event("Ended", 3, 20, 3000)).await;
    let session = rig.session().await;
    assert_eq!((session.billing, flags(&session), session.hold), (Billing::Open, vec!["missing-reports".to_owned()], false));
    // They come: nothing is missing any more.
    rig.say("TransactionEvent", event("Updated", 2, 15, 2500)).await;
    rig.say("TransactionEvent", event("Updated", 1, 10, 2000)).await;
    let session = rig.session().await;
    assert_eq!((session.billing, flags(&session).len()), (Billing::Due, 0));
    // They do not come: after a while it goes on without them.
    let other = |mut event: Value| { event["transactionInfo"]["transactionId"] = json!("ty"); event };
    rig.now = t(40);
    rig.say("TransactionEvent", other(event("Started", 0, 40, 3000))).await;
    rig.say("TransactionEvent", other(event("Ended", 2, 50, 4000))).await;
    rig.restart().await;
    rig.pass(9).await;
    assert_eq!(rig.sessions().await[1].billing, Billing::Open);
    rig.pass(2).await;
    let session = rig.sessions().await.pop().unwrap();
    assert_eq!((session.billing, session.status, flags(&session)), (Billing::Due, SessionStatus::Ended, vec!["missing-reports".to_owned()]));
});

both!(case_45_two_events_with_one_number_are_both_kept, place => {
    let mut rig = rig(place).await;
    rig.say("TransactionEvent", event("Started", 0, 0, 1000)).await;
    rig.now = t(10);
    rig.say("TransactionEvent", event("Updated", 0, 10, 2000)).await;
    rig.say("TransactionEvent", event("Ended", 0, 20, 3000)).await;
    rig.say("TransactionEvent", event("Ended", 0, 20, 3000)).await;
    let session = rig.session().await;
    assert_eq!((wh(&session), session.stopped_at), (Some(2000), Some(t(20))));
    assert_eq!(flags(&session), ["repeated-number"]);
});

both!(case_46_events_behind_the_end_are_taken, place => {
    let mut rig = rig(place).await;
    *rig.hand.tariffs.lock().unwrap() = vec![(t(-1), "plain".into(), plain())];
    rig.say("TransactionEvent", event("Started", 0, 0, 1000)).await;
    // The end of another kind: the connector is free, the transaction's messages are still in the charger's queue.
    rig.status(30, "Available").await;
    rig.pass(5).await;
    assert_eq!(rig.session().await.status, SessionStatus::EndedInferred);
    rig.say("TransactionEvent", event("Updated", 1, 10, 2000)).await;
    assert_eq!(wh(&rig.session().await), Some(1000));
    rig.say("TransactionEvent", event("Ended", 2, 25, 3000)).await;
    let session = rig.session().await;
    assert_eq!((session.status, wh(&session), session.stopped_at), (SessionStatus::Ended, Some(2000), Some(t(25))));
    assert_eq!((session.hold, session.billing), (false, Billing::Due));
});

both!(case_45_a_session_whose_start_comes_last, place => {
    let mut rig = rig(place).await;
    rig.now = t(30);
    rig.say("TransactionEvent", event("Updated", 1, 10, 2000)).await;
    let session = rig.session().await;
    assert_eq!((flags(&session)[0].as_str(), session.hold), ("lost-start", true));
    rig.say("TransactionEvent", event("Ended", 2, 20, 3000)).await;
    rig.say("TransactionEvent", event("Started", 0, 0, 1000)).await;
    rig.pass(1).await;
    let session = rig.session().await;
    assert_eq!((session.started_at, wh(&session), session.status), (Some(t(0)), Some(2000), SessionStatus::Ended));
    assert_eq!((session.hold, flags(&session).len(), session.driver.as_deref()), (false, 0, Some("d-17")));
});

both!(a_token_that_comes_after_plugging_in_chooses_the_terms, place => {
    let mut rig = rig(place).await;
    let mut plugged = event("Started", 0, 0, 1000);
    plugged["triggerReason"] = json!("CablePluggedIn");
    plugged.as_object_mut().unwrap().remove("idToken");
    plugged["transactionInfo"]["chargingState"] = json!("EVConnected");
    rig.say("TransactionEvent", plugged).await;
    let session = rig.session().await;
    assert_eq!((session.driver, session.hold), (None, false), "he may still show who he is");
    rig.now = t(5);
    let mut shown = event("Updated", 1, 5, 1000);
    shown["triggerReason"] = json!("Authorized");
    shown["idToken"] = json!({"idToken": "card", "type": "ISO14443"});
    shown["transactionInfo"]["chargingState"] = json!("Charging");
    assert_eq!(rig.say("TransactionEvent", shown).await["idTokenInfo"]["status"], "Accepted");
    let session = rig.session().await;
    assert_eq!((session.driver.as_deref(), session.token.as_deref(), session.hold), (Some("d-17"), Some("card"), false));
    assert_eq!(states(&rig.parts(&session).await), [(0, "waiting".into()), (5, "charging".into())]);
    assert!(rig.others.touched.lock().unwrap().last().unwrap().1.rebuilt);
});

both!(a_clock_that_goes_back_does_not_turn_the_session_round, place => {
    let mut rig = rig(place).await;
    rig.now = t(60);
    rig.say("TransactionEvent", event("Started", 0, 30, 1000)).await;
    rig.say("TransactionEvent", event("Updated", 1, 40, 2000)).await;
    rig.say("TransactionEvent", event("Updated", 2, 5, 3000)).await;
    rig.say("TransactionEvent", event("Ended", 3, 15, 4000)).await;
    let session = rig.session().await;
    assert_eq!((wh(&session), session.stopped_at, session.hold), (Some(3000), Some(t(40)), true));
    assert!(flags(&session).contains(&"clock-back".to_owned()));
    takst_gateway::sessions::to_engine(&session, &rig.parts(&session).await).unwrap();
});

both!(the_cost_is_told_with_the_answer, place => {
    let mut rig = rig(place).await;
    *rig.others.cost.lock().unwrap() = Some(Decimal::new(123, 2));
    rig.say("TransactionEvent", event("Started", 0, 0, 1000)).await;
    rig.now = t(10);
    let answer = rig.say("TransactionEvent", event("Ended", 1, 10, 2000)).await;
    assert_eq!(answer["totalCost"].to_string(), "1.23");
    assert_eq!(rig.say("TransactionEvent", event("Ended", 1, 10, 2000)).await, answer);
});

both!(case_34_a_charger_that_is_not_accepted_may_only_tell_what_happened, place => {
    let mut rig = rig(place).await;
    let owner = org();
    rig.store.write(Lane::charger(&org(), CHARGER), async move |tx| {
        tx.set_registration(&owner, CHARGER, Registration::Pending).await
    }).await.unwrap();
    assert_eq!(rig.boot().await["status"], "Pending");
    let asked = rig.reply("Authorize", &json!({"idToken":{"idToken":"CARD","type":"ISO14443"}})).await;
    assert!(matches!(asked, Reply::NotYet), "{asked:?}");
    rig.say("TransactionEvent", event("Started", 0, 0, 1000)).await;
    assert_eq!(rig.session().await.energy.map(|energy| energy.0), Some(0));
});

both!(the_device_model_is_kept_as_reported, place => {
    let rig = rig(place).await;
    rig.say("NotifyReport", json!({"requestId":1,"generatedAt":ts(0),"seqNo":0,"reportData":[
        {"component":{"name":"EVSE","evse":{"id":1}},"variable":{"name":"Power"},"variableAttribute":[{"value":"22000"},{"type":"MaxSet","value":"50000"}]}]})).await;
    let rows = rig.store.read().await.unwrap().variables(&org(), CHARGER, Some("EVSE/1")).await.unwrap();
    let rows: Vec<_> = rows.iter().map(|row| (row.variable.as_str(), row.attribute.as_str(), row.value.as_deref())).collect();
    assert_eq!(rows, [("Power", "Actual", Some("22000")), ("Power", "MaxSet", Some("50000"))]);
});

both!(a_kill_between_commit_and_answer_changes_nothing, place => {
    let mut rig = rig(place).await;
    let started = rig.say("TransactionEvent", event("Started", 0, 0, 1000)).await;
    rig.now = t(10);
    rig.say("TransactionEvent", event("Updated", 1, 10, 2000)).await;
    let before = rig.session().await;
    let parts = rig.parts(&before).await;
    // The answers were lost with the process: the charger says it all again.
    rig.restart().await;
    assert_eq!(rig.say("TransactionEvent", event("Started", 0, 0, 1000)).await, started);
    rig.say("TransactionEvent", event("Updated", 1, 10, 2000)).await;
    assert_eq!(rig.session().await, before);
    assert_eq!(rig.parts(&before).await, parts);
    assert_eq!(rig.events().await.iter().filter(|kind| *kind == "session.started").count(), 1);
});
