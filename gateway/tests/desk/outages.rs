//! What nobody saw: chargers that could not be heard, that say no more, or more than can be followed.

use crate::desk_support::*;
use crate::store_support::*;
use serde_json::{Value, json};
use takst_gateway::link::{Desk as _, Link};
use takst_gateway::ocpp::Dialect;
use takst_gateway::store::*;

const DAY: i64 = 24 * 60;

async fn rig(place: Place) -> Rig {
    Rig::new(place, Dialect::V16).await
}

// The charger comes back, without a boot.
async fn back(rig: &mut Rig, minute: i64) {
    rig.now = t(minute);
    rig.link = Link { connection: new_id(), since: t(minute), ..rig.link.clone() };
    rig.clerk.connected(&rig.link).await;
}

async fn beat(rig: &mut Rig, minute: i64) {
    rig.now = t(minute);
    rig.say("Heartbeat", json!({})).await;
}

async fn late_stop(rig: &mut Rig, id: i64, minute: i64) {
    let stop = json!({"transactionId":id,"idTag":"CARD","meterStop":6000,"timestamp":ts(minute)});
    rig.say("StopTransaction", stop).await;
}

both!(an_outage_at_the_stop_is_no_standing, place => {
    for free_first in [true, false] {
        let mut rig = rig(place.another().await).await;
        let id = rig.start(0, 1000).await;
        rig.meter(id, 60, 5000).await;
        // Not heard from minute 60 on; the driver stops in minute 120 and leaves.
        back(&mut rig, 600).await;
        if free_first {
            rig.status(600, "Available").await;
        }
        late_stop(&mut rig, id, 120).await;
        if !free_first {
            rig.status(600, "Available").await;
        }
        rig.pass(5).await;
        let session = rig.session().await;
        assert_eq!((session.stopped_at, session.unplugged, session.status), (Some(t(120)), Some(t(120)), SessionStatus::Ended));
        assert_eq!((session.hold, flags(&session).len(), session.billing), (false, 0, Billing::Due));
    }
});

both!(a_car_counts_as_there_until_its_charger_was_last_heard, place => {
    let seen = async |place: Place| {
        let mut rig = rig(place).await;
        let id = rig.start(0, 1000).await;
        rig.stop(id, 60, 5000).await;
        rig.status(60, "Finishing").await;
        beat(&mut rig, 90).await;
        rig
    };
    // Gone when it is heard again.
    let mut rig = seen(place.another().await).await;
    back(&mut rig, 600).await;
    rig.status(601, "Available").await;
    let session = rig.session().await;
    assert_eq!((session.unplugged, session.status, session.hold), (Some(t(90)), SessionStatus::Ended, false));
    assert_eq!(flags(&session), ["left-unseen"]);
    // Another car is there.
    let mut rig = seen(place.another().await).await;
    back(&mut rig, 600).await;
    rig.status(600, "Preparing").await;
    assert_eq!(rig.session().await.unplugged, Some(t(90)));
    // It stood there all the time.
    let mut rig = seen(place.another().await).await;
    back(&mut rig, 600).await;
    rig.status(600, "Finishing").await;
    rig.status(660, "Available").await;
    let session = rig.session().await;
    assert_eq!((session.unplugged, flags(&session).len()), (Some(t(660)), 0));
    // A charger that keeps what it saw says when it was.
    let mut rig = seen(place.another().await).await;
    back(&mut rig, 600).await;
    rig.say("StatusNotification", json!({"connectorId":1,"errorCode":"NoError","status":"Available","timestamp":ts(300)})).await;
    let session = rig.session().await;
    assert_eq!((session.unplugged, flags(&session).len()), (Some(t(300)), 0));
    // Heard all the time, by heartbeats: what it says is what it sees.
    let mut rig = seen(place).await;
    for minute in 9..60 {
        beat(&mut rig, minute * 10).await;
    }
    rig.status(600, "Available").await;
    assert_eq!(rig.session().await.unplugged, Some(t(600)));
});

both!(a_session_told_afterwards_ends_with_its_stop, place => {
    let mut rig = rig(place).await;
    rig.now = t(600);
    let answer = rig.say("StartTransaction", json!({"connectorId":1,"idTag":"CARD","meterStart":1000,"timestamp":ts(0)})).await;
    late_stop(&mut rig, answer["transactionId"].as_i64().unwrap(), 60).await;
    rig.status(600, "Available").await;
    let session = rig.session().await;
    assert_eq!((session.unplugged, session.status, session.hold), (Some(t(60)), SessionStatus::Ended, false));
});

both!(a_car_that_never_leaves_is_for_somebody_to_look_at, place => {
    let stands = async |place: Place| {
        let mut rig = rig(place).await;
        let id = rig.start(0, 1000).await;
        rig.stop(id, 60, 5000).await;
        rig.status(60, "Finishing").await;
        rig
    };
    // Its charger is there, and would have said that it has gone.
    let mut rig = stands(place.another().await).await;
    beat(&mut rig, 3 * DAY + 59).await;
    rig.pass(2).await;
    let session = rig.session().await;
    assert_eq!((session.unplugged, session.hold, flags(&session)), (Some(t(3 * DAY + 60)), true, vec!["never-left".to_owned()]));
    // Its charger is not.
    let mut rig = stands(place.another().await).await;
    beat(&mut rig, 100).await;
    rig.pass(3 * DAY).await;
    let session = rig.session().await;
    assert_eq!((session.unplugged, session.hold, flags(&session)), (Some(t(100)), false, vec!["left-unseen".to_owned()]));
    // A person says so.
    let mut rig = stands(place).await;
    let session = rig.session().await.id;
    rig.now = t(500);
    rig.clerk.end_session(&org(), &session, rig.now).await.unwrap();
    let session = rig.session().await;
    assert_eq!((session.unplugged, session.hold, flags(&session).len()), (Some(t(500)), false, 0));
});

both!(a_silent_session_stays_open_while_its_charger_is_heard, place => {
    let mut rig = rig(place).await;
    rig.hand.house.lock().unwrap().waits.silent_ms = DAY * 60_000;
    let id = rig.start(0, 1000).await;
    rig.meter(id, 10, 2000).await;
    for day in 1..7 {
        beat(&mut rig, day * DAY).await;
        rig.pass(30).await;
        assert_eq!(rig.session().await.status, SessionStatus::Running, "day {day}");
    }
    // But not for ever.
    beat(&mut rig, 7 * DAY).await;
    rig.pass(30).await;
    assert_eq!((rig.session().await.status, rig.session().await.unplugged), (SessionStatus::EndedInferred, Some(t(10))));
    // Nothing is heard of the charger either.
    let id = rig.start(8 * DAY, 3000).await;
    rig.meter(id, 8 * DAY + 10, 4000).await;
    beat(&mut rig, 8 * DAY + 100).await;
    rig.pass(DAY - 20).await;
    assert_eq!(rig.sessions().await[1].status, SessionStatus::Running);
    rig.pass(30).await;
    assert_eq!(rig.sessions().await[1].status, SessionStatus::EndedInferred);
});

both!(the_main_meter_belongs_to_no_session, place => {
    let mut rig = rig(place).await;
    let id = rig.start(0, 4_500_000).await;
    rig.meter(id, 10, 4_501_000).await;
    rig.now = t(15);
    for (minute, number) in [(14, Value::Null), (15, json!(0))] {
        let mut main = json!({"connectorId":0,"meterValue":[{"timestamp":ts(minute),"sampledValue":[{"value":"4800000"},
            {"value":"900","measurand":"Power.Active.Import","unit":"W"}]}]});
        if !number.is_null() {
            main["transactionId"] = number;
        }
        rig.say("MeterValues", main).await;
    }
    let session = rig.session().await;
    let parts = rig.parts(&session).await;
    assert_eq!((wh(&session), flags(&session).len(), parts.power.len()), (Some(1000), 0, 0));
    assert_eq!(registers(&parts), [(0, 4_500_000, 0), (10, 4_501_000, 0)]);
    assert_eq!(rig.facts().await.iter().filter(|fact| fact.session.is_none() && fact.kind == "meter").count(), 2);
});

both!(a_session_that_cannot_be_worked_out_stops_no_other, place => {
    let mut rig = rig(place).await;
    let id = rig.start(0, 1000).await;
    rig.stop(id, 20, 2000).await;
    let mut broken = rig.session().await;
    let whole = std::mem::replace(&mut broken.document, "{}".to_owned());
    let row = broken.clone();
    rig.store.write(Lane::charger(&org(), CHARGER), async move |tx| tx.update_session(&org(), &row).await).await.unwrap();
    rig.now = t(21);
    let answer = rig.say("StartTransaction", json!({"connectorId":2,"idTag":"OTHER","meterStart":0,"timestamp":ts(21)})).await;
    rig.stop(answer["transactionId"].as_i64().unwrap(), 22, 500).await;
    rig.pass(1).await;
    let sessions = rig.sessions().await;
    assert_eq!((sessions[0].billing, sessions[1].billing), (Billing::Open, Billing::Due));
    // Nor a boot of its charger.
    assert_eq!(rig.boot().await["status"], "Accepted");
    // It is looked at again, and goes on once it can be read.
    let row = Session { document: whole, ..sessions[0].clone() };
    rig.store.write(Lane::charger(&org(), CHARGER), async move |tx| tx.update_session(&org(), &row).await).await.unwrap();
    rig.pass(1).await;
    assert_eq!(rig.sessions().await[0].billing, Billing::Open);
    rig.pass(6).await;
    assert_eq!(rig.sessions().await[0].billing, Billing::Due);
});

both!(a_session_of_an_earlier_version_goes_on, place => {
    let mut rig = rig(place).await;
    let id = rig.start(0, 1000).await;
    rig.meter(id, 10, 2000).await;
    // Then how it stands was part of its document.
    let mut old = rig.session().await;
    let mut document: Value = serde_json::from_str(&old.document).unwrap();
    document["track"] = serde_json::from_str(&old.track.take().unwrap()).unwrap();
    old.document = document.to_string();
    rig.store.write(Lane::charger(&org(), CHARGER), async move |tx| tx.update_session(&org(), &old).await).await.unwrap();
    rig.meter(id, 20, 3000).await;
    rig.meter(id, 30, 3500).await;
    let session = rig.session().await;
    assert_eq!((wh(&session), session.last_reading_at), (Some(2500), Some(t(30))));
    rig.stop(id, 40, 4000).await;
    rig.pass(1).await;
    let session = rig.session().await;
    assert_eq!((session.billing, wh(&session), flags(&session).len()), (Billing::Due, Some(3000), 0));
});

both!(two_meter_values_of_one_second_are_two, place => {
    let mut rig = rig(place).await;
    let id = rig.start(0, 1000).await;
    rig.now = t(10);
    for _ in 0..2 {
        for (value, what) in [("230", "Voltage"), ("0", "Current.Offered"), ("16", "Current.Import")] {
            rig.say("MeterValues", json!({"connectorId":1,"transactionId":id,"meterValue":[{"timestamp":ts(10),
                "sampledValue":[{"value":value,"measurand":what}]}]})).await;
        }
    }
    assert_eq!(rig.facts().await.iter().filter(|fact| fact.kind == "meter").count(), 3);
    rig.status(11, "SuspendedEV").await;
    assert_eq!(states(&rig.parts(&rig.session().await).await).last().unwrap(), &(11, "paused".to_owned()));
});

both!(a_report_after_the_bill_is_looked_at_also_when_more_is_missing, place => {
    let mut rig = Rig::new(place, Dialect::V201).await;
    *rig.hand.tariffs.lock().unwrap() = vec![(t(-1), "plain".into(), plain())];
    let event = |kind: &str, seq: i64, minute: i64, wh: i64| {
        let (context, trigger) = match kind {
            "Started" => ("Transaction.Begin", "Authorized"),
            "Ended" => ("Transaction.End", "StopAuthorized"),
            _ => ("Sample.Periodic", "MeterValuePeriodic"),
        };
        json!({"eventType": kind, "timestamp": ts(minute), "triggerReason": trigger, "seqNo": seq,
            "evse": {"id": 1, "connectorId": 1}, "idToken": {"idToken": "CARD", "type": "ISO14443"},
            "transactionInfo": {"transactionId": "tx"},
            "meterValue": [{"timestamp": ts(minute), "sampledValue": [{"value": wh, "context": context}]}]})
    };
    rig.now = t(60);
    for (kind, seq, minute, wh) in [("Started", 0, 0, 1000), ("Updated", 1, 10, 2000), ("Updated", 4, 40, 5000), ("Ended", 5, 50, 6000)] {
        rig.say("TransactionEvent", event(kind, seq, minute, wh)).await;
    }
    rig.pass(11).await;
    let session = rig.session().await;
    assert_eq!(session.billing, Billing::Due);
    let billed = Session { billing: Billing::Billed, ..session };
    rig.store.write(Lane::charger(&org(), CHARGER), async move |tx| tx.update_session(&org(), &billed).await).await.unwrap();
    // Number 2 comes, 3 never does.
    rig.now = t(120);
    rig.say("TransactionEvent", event("Updated", 2, 20, 2500)).await;
    rig.pass(11).await;
    assert_eq!(rig.session().await.billing, Billing::Due);
    // The same again changes nothing.
    let session = rig.session().await;
    let billed = Session { billing: Billing::Billed, ..session };
    rig.store.write(Lane::charger(&org(), CHARGER), async move |tx| tx.update_session(&org(), &billed).await).await.unwrap();
    rig.say("TransactionEvent", event("Updated", 2, 20, 2500)).await;
    rig.pass(11).await;
    assert_eq!(rig.session().await.billing, Billing::Billed);
});

both!(time_that_was_billed_is_not_billed_again_at_large_stations, place => {
    let mut rig = Rig::new(place, Dialect::V201).await;
    let event = |kind: &str, tx: i64, evse: i64, minute: i64| {
        json!({"eventType": kind, "timestamp": ts(minute), "triggerReason": "Authorized", "seqNo": i64::from(kind == "Ended"),
            "evse": {"id": evse, "connectorId": 1}, "idToken": {"idToken": format!("T{tx}"), "type": "ISO14443"},
            "transactionInfo": {"transactionId": format!("tx{tx}")},
            "meterValue": [{"timestamp": ts(minute), "sampledValue": [{"value": 1000 + minute}]}]})
    };
    rig.status(0, "Occupied").await;
    let mut charge = async |tx: i64, evse: i64, from: i64, to: i64| {
        rig.now = t(from);
        rig.say("TransactionEvent", event("Started", tx, evse, from)).await;
        rig.now = t(to);
        rig.say("TransactionEvent", event("Ended", tx, evse, to)).await;
    };
    charge(0, 1, 1, 60).await;
    for other in 1..10 {
        charge(other, 1 + other, 60 + other, 100).await;
    }
    charge(10, 1, 200, 210).await;
    let last = rig.sessions().await.into_iter().find(|session| session.transaction_ref.as_deref() == Some("tx10")).unwrap();
    assert_eq!((last.plugged_in, last.started_at), (t(200), Some(t(200))));
});

both!(a_stop_counts_however_many_reports_came_before, place => {
    let mut rig = rig(place).await;
    let id = rig.start(0, 1000).await;
    // More than a page, and more than were once read: written as the desk keeps them.
    let session = rig.session().await;
    let document = {
        rig.meter(id, 1, 1001).await;
        rig.facts().await.into_iter().find(|fact| fact.kind == "meter").unwrap().document
    };
    rig.store.write(Lane::charger(&org(), CHARGER), async move |tx| {
        for number in 0..20_100 {
            let fact = Fact {
                id: new_id(), kind: "meter".into(), station_at: None, received_at: t(1), dedupe: Some(format!("more/{number}")),
                document: document.clone(), session: Some(session.id.clone()), answer: None,
            };
            tx.keep_fact(&org(), CHARGER, &fact).await?;
        }
        Ok(())
    }).await.unwrap();
    // The status is told a second before the stop: that one is out of order.
    rig.status(61, "Finishing").await;
    rig.now = t(61);
    late_stop(&mut rig, id, 60).await;
    let session = rig.session().await;
    assert_eq!((session.stopped_at, wh(&session), flags(&session).len()), (Some(t(60)), Some(5000), 0));
});
