//! OCPP 1.6 through the desk: the cases of real chargers, one test each, on both databases.

use crate::desk_support::*;
use crate::store_support::*;
use serde_json::{Value, json};
use std::sync::Arc;
use takst_gateway::desk::rules::ChargerRules;
use takst_gateway::ocpp::Dialect;
use takst_gateway::store::*;

async fn rig(place: Place) -> Rig {
    Rig::new(place, Dialect::V16).await
}

both!(a_session_from_plugging_in_to_unplugging, place => {
    let mut rig = rig(place).await;
    rig.status(0, "Preparing").await;
    let id = rig.start(2, 1000).await;
    rig.status(2, "Charging").await;
    rig.meter(id, 12, 3000).await;
    rig.status(20, "SuspendedEV").await;
    let answer = rig.stop(id, 30, 4000).await;
    assert_eq!(answer["idTagInfo"]["status"], "Accepted");
    rig.status(30, "Finishing").await;
    rig.pass(60).await;
    assert_eq!(rig.session().await.status, SessionStatus::Running, "the car is still there");
    rig.status(95, "Available").await;
    let session = rig.session().await;
    let parts = rig.parts(&session).await;
    assert_eq!((session.plugged_in, session.started_at, session.stopped_at), (t(0), Some(t(2)), Some(t(30))));
    assert_eq!((session.unplugged, session.status, session.billing), (Some(t(95)), SessionStatus::Ended, Billing::Due));
    assert_eq!((wh(&session), session.hold), (Some(3000), false));
    assert_eq!(registers(&parts), [(2, 1000, 0), (12, 3000, 0), (30, 4000, 0)]);
    assert_eq!(states(&parts), [(0, "waiting".into()), (2, "charging".into()), (20, "idle".into())]);
    assert_eq!((session.driver.as_deref(), session.site.as_deref(), session.contract.as_deref()), (Some("d-17"), Some("yard"), Some("direct")));
    assert_eq!((session.tariff_name.as_deref(), session.seller.as_deref(), session.currency.as_deref()), (Some("Test"), Some("koti"), Some("EUR")));
    let shown: Value = serde_json::from_str(session.shown.as_deref().unwrap()).unwrap();
    assert_eq!((&shown["slices"][0]["price"], &shown["terms"][0]["after"]), (&json!("0.3"), &json!("10 min")), "{shown}");
    let events = rig.events().await;
    for kind in ["charger.connected", "charger.status", "session.started", "session.ended"] {
        assert!(events.iter().any(|event| event == kind), "{kind}: {events:?}");
    }
    let priced = takst_gateway::sessions::to_engine(&session, &parts).unwrap();
    let (prepared, book) = (standing(), takst_engine::PriceBook::default());
    let pricing = takst_engine::Pricing::new(&prepared, &book).unwrap();
    let bill = takst_engine::price(&pricing, &priced, &takst_engine::Standing::default()).unwrap();
    // 3 kWh at 0.30; idle from minute 20 to 95, ten of them free.
    assert_eq!(bill.total, 90 + 650);
});

both!(case_01_a_start_said_again_gets_the_same_number, place => {
    let mut rig = rig(place).await;
    let first = rig.start(0, 100).await;
    assert_eq!(rig.start(0, 100).await, first);
    rig.restart().await;
    assert_eq!(rig.start(0, 100).await, first);
    assert_eq!(rig.session().await.transaction_ref, Some(first.to_string()));
    // Another one is another one; numbers are not given twice.
    rig.stop(first, 5, 200).await;
    assert_ne!(rig.start(10, 200).await, first);
});

both!(case_01_and_19_a_clock_of_1970_makes_no_two_sessions_one, place => {
    let mut rig = rig(place).await;
    let start = json!({"connectorId":1,"idTag":"CARD","meterStart":0,"timestamp":"1970-01-01T00:00:12Z"});
    let first = rig.say("StartTransaction", start.clone()).await;
    rig.now = t(1);
    assert_eq!(rig.say("StartTransaction", start.clone()).await, first);
    let id = first["transactionId"].as_i64().unwrap();
    rig.stop(id, 30, 100).await;
    rig.now = t(60);
    let second = rig.say("StartTransaction", start.clone()).await;
    assert_ne!(second["transactionId"], first["transactionId"]);
    assert_eq!(rig.say("StartTransaction", start).await, second);
    let sessions = rig.sessions().await;
    assert_eq!(sessions.len(), 2);
    assert_eq!(sessions[0].plugged_in, t(0));
    assert!(flags(&sessions[0]).contains(&"clock".to_owned()) && sessions[0].hold);
});

both!(case_03_a_stop_said_again_counts_once, place => {
    let mut rig = rig(place).await;
    let id = rig.start(0, 100).await;
    let stop = json!({"transactionId":id,"meterStop":1100,"timestamp":ts(30),"transactionData":[
        {"timestamp":ts(10),"sampledValue":[{"value":"400"}]},
        {"timestamp":ts(20),"sampledValue":[{"value":"800"}]}]});
    rig.now = t(30);
    for _ in 0..3 {
        assert_eq!(rig.say("StopTransaction", stop.clone()).await, json!({}));
    }
    let session = rig.session().await;
    assert_eq!(registers(&rig.parts(&session).await), [(0, 100, 0), (10, 400, 0), (20, 800, 0), (30, 1100, 0)]);
    assert_eq!(wh(&session), Some(1000));
    assert_eq!(rig.facts().await.iter().filter(|fact| fact.kind == "stop").count(), 1);
});

both!(case_04_a_stop_of_nobodys_transaction_is_answered_and_kept, place => {
    let mut rig = rig(place).await;
    assert_eq!(rig.stop(4711, 30, 5000).await["idTagInfo"]["status"], "Accepted");
    rig.pass(1).await;
    let session = rig.session().await;
    assert_eq!((session.status, session.energy, session.hold), (SessionStatus::Orphan, None, true));
    assert!(flags(&session).contains(&"lost-start".to_owned()), "{:?}", session.flags);
});

both!(case_05_a_stop_that_names_nobody_is_taken_for_the_only_one, place => {
    let mut rig = rig(place).await;
    let id = rig.start(0, 100).await;
    rig.now = t(30);
    let stop = |tag: &str, id: i64| json!({"transactionId":id,"idTag":tag,"meterStop":1100,"timestamp":ts(30)});
    rig.say("StopTransaction", stop("card", -1)).await;
    let session = rig.session().await;
    assert_eq!((session.stopped_at, session.transaction_ref.clone()), (Some(t(30)), Some(id.to_string())));
    assert_eq!(flags(&session), ["stop-guessed"]);
    // Nobody's at all.
    rig.say("StopTransaction", stop("OTHER", 0)).await;
    rig.pass(1).await;
    let sessions = rig.sessions().await;
    assert_eq!(sessions.len(), 2);
    assert!(sessions.iter().any(|session| session.status == SessionStatus::Orphan));
});

both!(case_06_a_stop_without_its_start_is_a_session_that_is_not_billed, place => {
    let mut rig = rig(place).await;
    rig.now = t(60);
    let stop = json!({"transactionId":7,"idTag":"CARD","meterStop":3000,"timestamp":ts(50),"transactionData":[
        {"timestamp":ts(20),"sampledValue":[{"value":"1000","context":"Transaction.Begin"}]},
        {"timestamp":ts(50),"sampledValue":[{"value":"3000","context":"Transaction.End"}]}]});
    rig.say("StopTransaction", stop).await;
    rig.pass(1).await;
    let session = rig.session().await;
    assert_eq!((session.status, wh(&session), session.hold), (SessionStatus::Orphan, Some(2000), true));
    assert_eq!((session.plugged_in, session.unplugged), (t(20), Some(t(50))));
    let due = rig.store.read().await.unwrap().due_sessions(&org(), 10).await.unwrap();
    assert!(due.is_empty(), "not by itself");
});

both!(case_07_a_session_told_hours_later_counts_by_the_chargers_time, place => {
    let mut rig = rig(place).await;
    let later = plain();
    rig.hand.tariffs.lock().unwrap().push((t(60), "night".into(), later));
    rig.now = t(300);
    let answer = rig.say("StartTransaction", json!({"connectorId":1,"idTag":"CARD","meterStart":0,"timestamp":ts(10)})).await;
    let id = &answer["transactionId"];
    rig.say("MeterValues", json!({"connectorId":1,"transactionId":id,"meterValue":[{"timestamp":ts(20),"sampledValue":[{"value":"900"}]}]})).await;
    rig.say("StopTransaction", json!({"transactionId":id,"meterStop":1500,"timestamp":ts(40)})).await;
    rig.pass(1).await;
    let session = rig.session().await;
    assert_eq!((session.plugged_in, session.unplugged, session.created_at), (t(10), Some(t(40)), t(300)));
    assert_eq!(session.tariff_version.as_deref(), Some(standing().version()), "the one in force then");
    assert_eq!((session.billing, session.hold), (Billing::Due, false));
    assert!(rig.others.touched.lock().unwrap().iter().take(3).all(|(_, touched)| touched.late));
});

both!(case_08_to_12_what_a_register_cannot_do_is_flagged, place => {
    let mut rig = rig(place).await;
    for (start, middle, stop, energy, flag) in [
        (0, 909_948, 910_948, Some(1000), "false-zero"),
        (5000, 5500, 4000, Some(500), "stop-below-start"),
        (5000, 200, 1200, Some(1000), "register-fell"),
        (0, 9_099_480, 3000, Some(3000), "register-mixed"),
        (5000, 6_000_000, 6_001_000, Some(1000), "wrong-unit"),
        (5000, 105_000, 106_000, Some(101_000), "register-jump"),
    ] {
        let minute = (rig.now.0 - t(0).0) / 60_000 + 10;
        let id = rig.start(minute, start).await;
        rig.meter(id, minute + 10, middle).await;
        rig.stop(id, minute + 20, stop).await;
        rig.pass(1).await;
        let session = rig.sessions().await.pop().unwrap();
        assert_eq!((wh(&session), flags(&session)), (energy, vec![flag.to_owned()]));
        assert_eq!(session.hold, flag != "register-mixed", "{flag}");
        assert!(session.hold_reason.is_some() && session.billing == Billing::Due);
        takst_gateway::sessions::to_engine(&session, &rig.parts(&session).await).unwrap();
    }
});

both!(case_09_a_stop_below_its_start_alone_is_no_energy, place => {
    let mut rig = rig(place).await;
    let id = rig.start(0, 5000).await;
    rig.stop(id, 20, 4000).await;
    let session = rig.session().await;
    assert_eq!((session.energy, flags(&session), session.hold), (None, vec!["stop-below-start".to_owned()], true));
});

both!(case_13_and_14_phases_add_up_and_no_energy_changes_nothing, place => {
    let mut rig = rig(place).await;
    let id = rig.start(0, 3000).await;
    rig.now = t(10);
    rig.say("MeterValues", json!({"connectorId":1,"transactionId":id,"meterValue":[{"timestamp":ts(10),"sampledValue":[
        {"value":"1100","phase":"L1"},{"value":"1200","phase":"L2"},{"value":"1300","phase":"L3"}]}]})).await;
    rig.say("MeterValues", json!({"connectorId":1,"transactionId":id,"meterValue":[{"timestamp":ts(11),"sampledValue":[
        {"value":"55","measurand":"SoC","unit":"Percent","context":"Sample.Clock"}]}]})).await;
    let session = rig.session().await;
    assert_eq!((wh(&session), session.last_reading_at), (Some(600), Some(t(10))));
});

both!(case_15_and_16_values_of_no_transaction_belong_to_the_one_there, place => {
    let mut rig = rig(place).await;
    let value = |minute: i64, wh: i64, id: Value| {
        let mut value = json!({"connectorId":1,"meterValue":[{"timestamp":ts(minute),"sampledValue":[{"value":wh.to_string()}]}]});
        if !id.is_null() {
            value["transactionId"] = id;
        }
        value
    };
    // Nothing goes on: they are the connector's alone.
    rig.say("MeterValues", value(0, 1000, json!(0))).await;
    assert!(rig.sessions().await.is_empty());
    let id = rig.start(1, 1000).await;
    rig.now = t(10);
    rig.say("MeterValues", value(10, 1500, Value::Null)).await;
    rig.now = t(20);
    rig.say("MeterValues", value(20, 2500, json!(0))).await;
    // One that nobody knows is not taken for this one.
    rig.say("MeterValues", value(21, 999_999, json!(id + 77))).await;
    let session = rig.session().await;
    assert_eq!((wh(&session), session.last_reading_at), (Some(1500), Some(t(20))));
});

both!(case_17_closing_values_do_not_open_what_is_closed, place => {
    let mut rig = rig(place).await;
    let id = rig.start(0, 1000).await;
    rig.stop(id, 20, 3000).await;
    rig.pass(1).await;
    assert_eq!(rig.session().await.billing, Billing::Due);
    rig.meter(id, 25, 3500).await;
    let session = rig.session().await;
    assert_eq!((wh(&session), session.status, session.unplugged), (Some(2000), SessionStatus::Ended, Some(t(20))));
    rig.say("MeterValues", json!({"connectorId":1,"transactionId":id,"meterValue":[{"timestamp":ts(20),"sampledValue":[
        {"value":"3100","context":"Transaction.End"}]}]})).await;
    let session = rig.session().await;
    assert_eq!((wh(&session), session.unplugged, session.billing), (Some(2100), Some(t(20)), Billing::Due));
});

both!(case_19_times_without_a_zone_and_with_one, place => {
    let mut rig = rig(place).await;
    for (sent, minute, flag) in [
        ("2025-03-10T08:00:00.1234567Z", 0, None),
        ("2025-03-10T10:01:00+02:00", 1, None),
        ("2025-03-10T08:02:00", 2, None),
        ("2039-01-01T00:00:00Z", 5, Some("clock")),
    ] {
        rig.now = t(5);
        let answer = rig.say("StartTransaction", json!({"connectorId":2,"idTag":"OTHER","meterStart":0,"timestamp":sent})).await;
        let id = answer["transactionId"].to_string();
        let session = rig.store.read().await.unwrap().session_by_transaction(&org(), CHARGER, &id).await.unwrap().unwrap();
        assert_eq!(session.plugged_in.0 / 60_000, t(minute).0 / 60_000, "{sent}");
        assert_eq!(flags(&session).first().map(String::as_str), flag, "{sent}");
    }
});

both!(case_20_the_time_is_told_in_utc_and_the_skew_is_kept, place => {
    let mut rig = rig(place).await;
    rig.now = t(3);
    let answer = rig.boot().await;
    assert_eq!((&answer["currentTime"], &answer["status"]), (&json!("2025-03-10T08:03:00.000Z"), &json!("Accepted")));
    let interval = answer["interval"].as_i64().unwrap();
    assert!((270..=330).contains(&interval), "{interval}");
    assert_eq!(rig.say("Heartbeat", json!({})).await["currentTime"], "2025-03-10T08:03:00.000Z");
    rig.say("StatusNotification", json!({"connectorId":1,"errorCode":"NoError","status":"Available","timestamp":"2025-03-10T08:03:42Z"})).await;
    let skew = async |rig: &Rig| rig.store.read().await.unwrap().charger(&org(), CHARGER).await.unwrap().unwrap().skew_ms;
    assert_eq!(skew(&rig).await, Some(42_000));
    // An old report is not a clock that is late.
    rig.say("StatusNotification", json!({"connectorId":2,"errorCode":"NoError","status":"Available","timestamp":"2025-03-10T05:00:00Z"})).await;
    assert_eq!(skew(&rig).await, Some(42_000));
    // Nor are two that arrive together, nor the same again a while later; a third time it is.
    rig.say("StatusNotification", json!({"connectorId":1,"errorCode":"NoError","status":"Preparing","timestamp":"2025-03-10T05:00:01Z"})).await;
    assert_eq!(skew(&rig).await, Some(42_000));
    rig.now = t(5);
    rig.say("StatusNotification", json!({"connectorId":1,"errorCode":"NoError","status":"Available","timestamp":"2025-03-10T05:02:00Z"})).await;
    assert_eq!(skew(&rig).await, Some(42_000));
    rig.now = t(6);
    rig.say("StatusNotification", json!({"connectorId":1,"errorCode":"NoError","status":"Preparing","timestamp":"2025-03-10T05:03:00Z"})).await;
    assert_eq!(skew(&rig).await, Some(-183 * 60_000));
});

both!(case_22_and_23_too_long_is_taken_as_it_is, place => {
    let mut rig = rig(place).await;
    let serial = "s".repeat(33);
    let answer = rig.say("BootNotification", json!({"chargePointVendor":"","chargePointModel":17,"chargePointSerialNumber":serial})).await;
    assert_eq!(answer["status"], "Accepted");
    let charger = rig.store.read().await.unwrap().charger(&org(), CHARGER).await.unwrap().unwrap();
    assert_eq!(charger.serial, Some(serial));
    let id = rig.start(0, 0).await;
    rig.now = t(10);
    let tag = "ABCDEFGHIJKLMNOPQRSTUVWXYZ-0123456789";
    rig.say("StopTransaction", json!({"transactionId":id,"idTag":tag,"meterStop":100,"timestamp":ts(10)})).await;
    let session = rig.session().await;
    assert_eq!((session.stopped_at, flags(&session)), (Some(t(10)), vec!["token-differs".to_owned()]));
    assert!(session.flags.contains(tag));
});

both!(case_24_another_token_may_stop_and_is_named, place => {
    let mut rig = rig(place).await;
    for uid in ["CARD", "OTHER"] {
        rig.put_token(Token { parent: Some("FAMILY".into()), ..token(uid) }).await;
    }
    for (tag, reason) in [("card", None), ("OTHER", Some("which may stop it")), ("THIRD", Some("of no common group"))] {
        let minute = (rig.now.0 - t(0).0) / 60_000 + 10;
        let id = rig.start(minute, 0).await;
        rig.now = t(minute + 5);
        rig.say("StopTransaction", json!({"transactionId":id,"idTag":tag,"meterStop":100,"timestamp":ts(minute + 5)})).await;
        let session = rig.sessions().await.pop().unwrap();
        assert_eq!((session.stopped_at, session.token.as_deref()), (Some(t(minute + 5)), Some("CARD")));
        assert_eq!(reason.is_some(), session.flags.contains("token-differs"), "{tag}");
        assert!(reason.is_none_or(|reason| session.flags.contains(reason)), "{}", session.flags);
    }
});

both!(case_34_commands_wait_until_the_charger_is_accepted, place => {
    let rig = rig(place).await;
    let owner = org();
    rig.store.write(Lane::charger(&org(), CHARGER), async move |tx| {
        tx.set_registration(&owner, CHARGER, Registration::Pending).await
    }).await.unwrap();
    let mut rig = rig;
    let answer = rig.boot().await;
    assert_eq!((&answer["status"], &answer["interval"]), (&json!("Pending"), &json!(60)));
    let start = takst_gateway::desk::Order::RemoteStart { evse: Some(1), token: "CARD".into() };
    let refused = rig.clerk.command(&org(), CHARGER, start.clone(), "anna").await;
    assert!(matches!(refused, Err(takst_gateway::desk::NoCommand::NotAccepted)));
    // What it does all the same is kept and answered; nobody learns there which tokens are good.
    assert_eq!(rig.say("Authorize", json!({"idTag":"CARD"})).await["idTagInfo"]["status"], "Invalid");
    let answer = rig.say("StartTransaction", json!({"connectorId":1,"idTag":"CARD","meterStart":0,"timestamp":ts(1)})).await;
    assert_eq!((&answer["idTagInfo"]["status"], answer["transactionId"].is_i64()), (&json!("Invalid"), true));
    assert!(rig.session().await.hold);
    let owner = org();
    rig.store.write(Lane::charger(&org(), CHARGER), async move |tx| {
        tx.set_registration(&owner, CHARGER, Registration::Accepted).await
    }).await.unwrap();
    assert!(rig.clerk.command(&org(), CHARGER, start, "anna").await.unwrap().outcome.is_ok());
});

both!(case_35_a_status_without_a_boot_is_taken, place => {
    let mut rig = rig(place).await;
    rig.status(0, "Available").await;
    let states = rig.store.read().await.unwrap().connectors(&org(), CHARGER).await.unwrap();
    assert_eq!((states.len(), states[0].status.as_str()), (1, "Available"));
    rig.start(1, 0).await;
});

both!(case_42_a_token_that_may_not_charge_still_gets_a_number, place => {
    let mut rig = rig(place).await;
    rig.put_token(Token { status: "blocked".into(), ..token("BLOCKED") }).await;
    rig.put_token(Token { expires_at: Some(t(1)), ..token("OLD") }).await;
    for (minute, tag, status) in [(2, "nobody", "Invalid"), (12, "blocked", "Blocked"), (22, "old", "Expired")] {
        rig.now = t(minute);
        let answer = rig.say("Authorize", json!({"idTag":tag})).await;
        assert_eq!(answer["idTagInfo"]["status"], status, "{tag}");
        let answer = rig.say("StartTransaction", json!({"connectorId":1,"idTag":tag,"meterStart":0,"timestamp":ts(minute)})).await;
        assert_eq!(answer["idTagInfo"]["status"], status, "{tag}");
        let id = answer["transactionId"].as_i64().unwrap();
        assert!(id > 0);
        rig.stop(id, minute + 4, 50).await;
    }
    rig.pass(1).await;
    let sessions = rig.sessions().await;
    assert_eq!(sessions.len(), 3);
    for session in sessions {
        assert!(session.hold && flags(&session).contains(&"token-refused".to_owned()), "{session:?}");
        assert_eq!(wh(&session), Some(50));
    }
});

both!(case_43_a_session_that_never_stopped_does_not_block_its_driver, place => {
    let mut rig = rig(place).await;
    let first = rig.start(0, 1000).await;
    rig.meter(first, 10, 2000).await;
    // The same card at another place: that one is still going on.
    rig.now = t(20);
    let there = rig.say("StartTransaction", json!({"connectorId":2,"idTag":"card","meterStart":0,"timestamp":ts(20)})).await;
    assert_eq!(there["idTagInfo"]["status"], "ConcurrentTx");
    rig.say("StopTransaction", json!({"transactionId":there["transactionId"],"meterStop":0,"timestamp":ts(20)})).await;
    // Here the old one ends with the new one.
    rig.start(30, 2500).await;
    let sessions = rig.sessions().await;
    let old = sessions.iter().find(|session| session.transaction_ref == Some(first.to_string())).unwrap();
    assert_eq!((old.status, old.unplugged, wh(old)), (SessionStatus::EndedInferred, Some(t(30)), Some(1000)));
    assert!(old.hold && flags(old) == ["ended-inferred"]);
    // Also after a restart.
    rig.restart().await;
    rig.now = t(31);
    let there = rig.say("StartTransaction", json!({"connectorId":2,"idTag":"card","meterStart":0,"timestamp":ts(31)})).await;
    assert_eq!(there["idTagInfo"]["status"], "ConcurrentTx");
});

both!(case_43_a_start_that_was_refused_does_not_block_its_driver, place => {
    let mut rig = rig(place).await;
    let first = rig.start(0, 1000).await;
    // Refused, and never stopped by the charger.
    rig.now = t(5);
    let start = json!({"connectorId":2,"idTag":"CARD","meterStart":0,"timestamp":ts(5)});
    assert_eq!(rig.say("StartTransaction", start).await["idTagInfo"]["status"], "ConcurrentTx");
    rig.stop(first, 30, 2500).await;
    rig.status(31, "Available").await;
    rig.start(40, 2500).await;
    // Also after a restart.
    let second = rig.sessions().await.iter().find(|session| session.started_at == Some(t(40))).unwrap().transaction_ref.clone();
    rig.stop(second.unwrap().parse().unwrap(), 50, 3000).await;
    rig.status(51, "Available").await;
    rig.restart().await;
    rig.start(60, 3000).await;
});

both!(case_44_what_goes_on_for_ever_ends_and_a_late_stop_overrides, place => {
    let mut rig = rig(place).await;
    let id = rig.start(0, 1000).await;
    rig.meter(id, 10, 2000).await;
    rig.status(20, "Available").await;
    assert_eq!(rig.session().await.status, SessionStatus::Running, "the stop may be on its way");
    rig.pass(2).await;
    let session = rig.session().await;
    assert_eq!((session.status, session.unplugged, wh(&session)), (SessionStatus::EndedInferred, Some(t(20)), Some(1000)));
    assert_eq!((session.billing, session.hold, session.hold_by.as_deref()), (Billing::Due, true, Some("gateway")));
    rig.now = t(200);
    rig.say("StopTransaction", json!({"transactionId":id,"meterStop":2600,"timestamp":ts(19)})).await;
    let session = rig.session().await;
    assert_eq!((session.status, session.stopped_at, wh(&session)), (SessionStatus::Ended, Some(t(19)), Some(1600)));
    assert_eq!((session.unplugged, session.hold, flags(&session).len()), (Some(t(20)), false, 0));
});

both!(case_44_a_boot_ends_what_does_not_go_on, place => {
    let mut rig = rig(place).await;
    let id = rig.start(0, 1000).await;
    rig.now = t(10);
    rig.boot().await;
    rig.meter(id, 11, 1500).await;
    rig.pass(5).await;
    assert_eq!(rig.session().await.status, SessionStatus::Running, "it went on");
    rig.boot().await;
    rig.pass(5).await;
    let session = rig.session().await;
    assert_eq!((session.status, session.unplugged), (SessionStatus::EndedInferred, Some(t(16))));
});

both!(case_44_a_boot_with_a_queue_to_send_is_no_unplugging, place => {
    // Without power from minute 41 on, up again in minute 81; the stop and the free connector are told after the boot.
    let queue = async |rig: &mut Rig, free: bool| {
        let id = rig.start(0, 1000).await;
        rig.meter(id, 41, 5000).await;
        rig.now = t(81);
        rig.boot().await;
        let stop = json!({"transactionId":id,"meterStop":6000,"timestamp":ts(51),"reason":"PowerLoss"});
        rig.say("StopTransaction", stop).await;
        if free {
            let status = json!({"connectorId":1,"status":"Available","errorCode":"NoError","timestamp":ts(56)});
            rig.say("StatusNotification", status).await;
        }
        rig.pass(5).await;
        rig.session().await
    };
    let mut rig = rig(place).await;
    let session = queue(&mut rig, true).await;
    assert_eq!((session.stopped_at, session.unplugged, session.status), (Some(t(51)), Some(t(56)), SessionStatus::Ended));
    assert_eq!((session.hold, wh(&session)), (false, Some(5000)));
    let other = rig.place.another().await;
    let mut rig = self::rig(other).await;
    let session = queue(&mut rig, false).await;
    assert_eq!((session.stopped_at, session.unplugged, session.status), (Some(t(51)), Some(t(51)), SessionStatus::Ended));
});

both!(case_44_silence_ends_a_session_after_days, place => {
    let mut rig = rig(place).await;
    let id = rig.start(0, 1000).await;
    rig.meter(id, 10, 2000).await;
    rig.restart().await;
    rig.pass(6 * 24 * 60).await;
    assert_eq!(rig.session().await.status, SessionStatus::Running);
    rig.pass(2 * 24 * 60).await;
    let session = rig.session().await;
    assert_eq!((session.status, session.unplugged), (SessionStatus::EndedInferred, Some(t(10))));
});

both!(case_50_everybody_may_charge_where_it_is_free, place => {
    let mut rig = rig(place).await;
    let free = ChargerRules { free_vend: Some("FREE".into()), ..charger(CHARGER) };
    rig.hand.chargers.lock().unwrap().insert(CHARGER.into(), Arc::new(free));
    for (minute, tag) in [(0, json!("")), (10, json!("FREE")), (20, json!("anything")), (30, Value::Null)] {
        rig.now = t(minute + 5);
        let mut start = json!({"connectorId":1,"idTag":tag,"meterStart":0,"timestamp":ts(minute)});
        if tag.is_null() {
            start.as_object_mut().unwrap().remove("idTag");
        }
        let answer = rig.say("StartTransaction", start).await;
        assert_eq!(answer["idTagInfo"]["status"], "Accepted", "{tag}");
        rig.say("StopTransaction", json!({"transactionId":answer["transactionId"],"meterStop":100,"timestamp":ts(minute + 5)})).await;
    }
    for session in rig.sessions().await {
        assert_eq!((session.hold, session.contract.as_deref()), (false, Some("ad-hoc")), "{}", session.flags);
    }
});

both!(when_nothing_can_be_charged_after_the_stop_nobody_waits, place => {
    let mut rig = rig(place).await;
    *rig.hand.tariffs.lock().unwrap() = vec![(t(-1), "plain".into(), plain())];
    let id = rig.start(0, 0).await;
    rig.stop(id, 20, 500).await;
    let session = rig.session().await;
    assert_eq!((session.status, session.billing, session.unplugged), (SessionStatus::Ended, Billing::Due, Some(t(20))));
    assert!(rig.others.touched.lock().unwrap().last().unwrap().1.ended);
});

both!(a_car_that_shows_no_sign_was_unplugged_with_the_stop, place => {
    let mut rig = rig(place).await;
    let id = rig.start(0, 0).await;
    rig.stop(id, 20, 500).await;
    assert_eq!(rig.session().await.billing, Billing::Open);
    rig.restart().await;
    rig.pass(1).await;
    let session = rig.session().await;
    assert_eq!((session.billing, session.unplugged), (Billing::Due, Some(t(20))));
    // One that stays for ever is given up.
    let id = rig.start(40, 500).await;
    rig.stop(id, 60, 900).await;
    rig.status(60, "Finishing").await;
    rig.pass(2 * 24 * 60).await;
    assert_eq!(rig.sessions().await[1].status, SessionStatus::Running);
    rig.pass(2 * 24 * 60).await;
    assert_eq!(rig.sessions().await[1].status, SessionStatus::Ended);
});

both!(signed_values_stay_with_the_session, place => {
    let mut rig = rig(place).await;
    let id = rig.start(0, 1000).await;
    rig.now = t(20);
    rig.say("StopTransaction", json!({"transactionId":id,"meterStop":2000,"timestamp":ts(20),"transactionData":[
        {"timestamp":ts(0),"sampledValue":[{"value":"OCMF|{\"a\":1}|{}","format":"SignedData","context":"Transaction.Begin"}]},
        {"timestamp":ts(20),"sampledValue":[{"value":"OCMF|{\"a\":2}|{}","format":"SignedData","context":"Transaction.End"}]}]})).await;
    let signed = rig.parts(&rig.session().await).await.signed;
    let kept: Vec<_> = signed.iter().map(|row| (row.format.as_str(), row.context.as_deref(), row.body.as_str())).collect();
    assert_eq!(kept, [
        ("OCMF", Some("Transaction.Begin"), "OCMF|{\"a\":1}|{}"),
        ("OCMF", Some("Transaction.End"), "OCMF|{\"a\":2}|{}"),
    ]);
});

both!(a_person_who_let_a_session_go_is_not_overruled, place => {
    let mut rig = rig(place).await;
    let id = rig.start(0, 5000).await;
    rig.meter(id, 10, 100).await;
    let session = rig.session().await;
    assert!(session.hold);
    let (owner, key) = (org(), session.id.clone());
    rig.store.write(Lane::charger(&org(), CHARGER), async move |tx| {
        tx.set_hold(&owner, &key, false, ("looked at", "anna"), t(11)).await
    }).await.unwrap();
    rig.stop(id, 20, 900).await;
    let session = rig.session().await;
    assert_eq!((session.hold, session.hold_by.as_deref()), (false, Some("anna")));
});
