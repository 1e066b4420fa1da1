//! Tariffs that ask how much current is drawn and how full the site is: the gateway records both, and bills by them.

use crate::billing_support::*;
use crate::desk_support::{Rig, plain as without_questions, t, tariff, ts};
use crate::store_support::*;
use serde_json::{Value, json};
use std::sync::Arc;
use takst_engine::units::Instant;
use takst_gateway::billing::{Options, Outcome, Tariffs, Verdict};
use takst_gateway::feeds::Books;
use takst_gateway::live::{Live, Options as LiveOptions};
use takst_gateway::ocpp::Dialect;
use takst_gateway::sessions::Touched;
use takst_gateway::store::*;

// Meter values as many chargers send them; `amps` by phase, `power` in W.
fn sample(wh: i64, amps: [&str; 3], power: Option<i64>) -> Value {
    let mut values = vec![json!({ "value": wh.to_string() })];
    for (phase, amps) in ["L1", "L2", "L3"].into_iter().zip(amps) {
        values.push(json!({ "value": amps, "measurand": "Current.Import", "phase": phase, "unit": "A" }));
    }
    if let Some(power) = power {
        values.push(json!({ "value": power.to_string(), "measurand": "Power.Active.Import", "unit": "W" }));
    }
    json!(values)
}

async fn meter(rig: &mut Rig, id: i64, minute: i64, values: Value) {
    rig.now = t(minute);
    let value = json!({ "connectorId": 1, "transactionId": id,
        "meterValue": [{ "timestamp": ts(minute), "sampledValue": values }] });
    assert_eq!(rig.say("MeterValues", value).await, json!({}));
}

// An hour with 6 kWh: 8 A on each phase for the first half, 2 A for the second.
async fn an_hour(rig: &mut Rig, with_power: bool) -> Session {
    let id = rig.start(0, 1000).await;
    for (minute, wh, amps, power) in [(1, 1080, "8.0", 4800), (30, 3400, "2", 1200), (45, 5200, "2.0", 1200)]
    {
        meter(rig, id, minute, sample(wh, [amps; 3], with_power.then_some(power))).await;
    }
    rig.stop(id, 60, 7000).await;
    rig.pass(5).await;
    rig.session().await
}

async fn by_current(place: Place) {
    let mut rig = Rig::new(place, Dialect::V16).await;
    let prepared = tariff("energy:\n  0.10 EUR/kWh  below 16 A\n  0.50 EUR/kWh  16 A or more");
    *rig.hand.tariffs.lock().unwrap() = vec![(Instant(0), "amps".into(), prepared.clone())];
    let session = an_hour(&mut rig, true).await;
    let parts = rig.parts(&session).await;
    let drawn: Vec<_> = parts.power.iter().map(|row| (row.seq, row.power, row.amps)).collect();
    assert_eq!(drawn, [(0, 4_800_000, Some(24_000_000)), (1, 1_200_000, Some(6_000_000))]);
    let house: Arc<House> = Arc::default();
    house.add(prepared);
    let bills = billing(&rig.store, &house, Options::default());
    let done = bills.bill_due(&org(), rig.now).await.unwrap();
    let [(_, Outcome::Billed(bill))] = done.as_slice() else { panic!("{done:?}") };
    // 2.4 kWh at 0.50 EUR, also those of the first minute, and 3.6 kWh at 0.10 EUR.
    assert_eq!(bill.total, 120 + 36);
    assert_eq!(bills.verify(&org(), &bill.id).await.unwrap(), Verdict::Same);
}
both!(by_current);

async fn by_current_alone_and_in_any_order(place: Place) {
    let mut rig = Rig::new(place, Dialect::V16).await;
    let prepared = tariff("energy:\n  0.10 EUR/kWh  below 16 A\n  0.50 EUR/kWh  16 A or more");
    *rig.hand.tariffs.lock().unwrap() = vec![(Instant(0), "amps".into(), prepared.clone())];
    let id = rig.start(0, 1000).await;
    // The second of them comes first, and the charger measures no power.
    meter(&mut rig, id, 30, sample(3400, ["2"; 3], None)).await;
    meter(&mut rig, id, 1, sample(1080, ["8"; 3], None)).await;
    rig.stop(id, 60, 7000).await;
    rig.now = t(60);
    rig.pass(5).await;
    let session = rig.session().await;
    let parts = rig.parts(&session).await;
    let drawn: Vec<_> = parts.power.iter().map(|row| (row.seq, row.measured(), row.amps)).collect();
    assert_eq!(drawn, [(0, None, Some(24_000_000)), (1, None, Some(6_000_000))]);
    let house: Arc<House> = Arc::default();
    house.add(prepared);
    let bills = billing(&rig.store, &house, Options::default());
    let done = bills.bill_due(&org(), rig.now).await.unwrap();
    let [(_, Outcome::Billed(bill))] = done.as_slice() else { panic!("{done:?}") };
    assert_eq!(bill.total, 120 + 36);
}
both!(by_current_alone_and_in_any_order);

async fn nobody_else_pays_for_it(place: Place) {
    let mut rig = Rig::new(place, Dialect::V16).await;
    *rig.hand.tariffs.lock().unwrap() = vec![(Instant(0), "plain".into(), without_questions())];
    let session = an_hour(&mut rig, true).await;
    let parts = rig.parts(&session).await;
    assert!(parts.power.iter().all(|row| row.amps.is_none()) && !parts.power.is_empty(), "{:?}", parts.power);
    assert!(
        !session.document.contains("amps") && !session.document.contains("urrent"),
        "{}",
        session.document
    );
    // What a display or a bill of others waits for is told once, at the beginning and at the end.
    let touched = rig.others.touched.lock().unwrap();
    let places: Vec<_> = touched.iter().filter_map(|(_, touched)| touched.places.as_deref()).collect();
    assert_eq!(places, ["yard", "yard"]);
}
both!(nobody_else_pays_for_it);

// It asks for what the charger does not report: the operator is told in his words, and letting it go does not help.
async fn what_was_not_reported_is_said(place: Place) {
    let mut rig = Rig::new(place, Dialect::V16).await;
    let prepared = tariff("energy:\n  0.10 EUR/kWh  below 16 A\n  0.50 EUR/kWh  16 A or more");
    *rig.hand.tariffs.lock().unwrap() = vec![(Instant(0), "amps".into(), prepared.clone())];
    let id = rig.start(0, 1000).await;
    rig.meter(id, 30, 3400).await;
    rig.stop(id, 60, 7000).await;
    rig.pass(5).await;
    let session = rig.session().await;
    let house: Arc<House> = Arc::default();
    let version = house.add(prepared);
    let bills = billing(&rig.store, &house, Options::default());
    let done = bills.bill_due(&org(), rig.now).await.unwrap();
    let [(_, Outcome::Held(why))] = done.as_slice() else { panic!("{done:?}") };
    assert!(why.contains("Current.Import") && !why.contains("power[]"), "{why}");
    let refused = bills.release(&org(), &session.id, decision("it is fine"), rig.now).await.unwrap_err();
    assert!(matches!(&refused, Error::Refused(text) if text.contains("Current.Import")), "{refused}");
    let held = session_of(&rig.store, &session.id).await;
    assert!(held.hold && held.hold_by.as_deref() == Some("gateway"), "{held:?}");
    assert_eq!(rig.store.read().await.unwrap().audit_log(&org(), None, None, 10).await.unwrap(), []);
    assert!(house.prepared(&version).is_some());
}
both!(what_was_not_reported_is_said);

const FULL: &str = "energy:\n  1.00 EUR/kWh  while site 50% occupied or more\n  0.10 EUR/kWh  while site less than 50% occupied";

async fn by_occupancy(place: Place) {
    let store = place.open().await;
    store.write(Lane::org(&org()), async move |tx| tx.add_org(&org(), "City", at(0)).await).await.unwrap();
    let house: Arc<House> = Arc::default();
    house.places.lock().unwrap().insert("otakaari-5".into(), 4);
    let version = house.add(made(FULL));
    let flat = house.add(made("energy: 0.20 EUR/kWh"));
    let bills = billing(&store, &house, Options::default());
    let now = time("2023-09-30T08:00:00Z");
    // Three hours, with 2 kWh in each; in the second hour somebody with another tariff is there too, at another charger.
    add(&store, &plain("d-1", "5", "2023-09-25T10:00:00Z", 3), &version, "a", true).await;
    add(&store, &plain("d-2", "6", "2023-09-25T11:00:00Z", 1), &flat, "b", true).await;
    // At another site, and on another day.
    add(&store, &plain("d-3", "7", "2023-09-25T10:00:00Z", 3), &flat, "c", true).await;
    change(&store, "c", |session| session.site = Some("harbour".into())).await;
    add(&store, &plain("d-3", "8", "2023-09-26T10:00:00Z", 3), &version, "d", true).await;
    bills.bill_due(&org(), now).await.unwrap();
    let total = async |id: &str| bills_of(&store, id).await[0].total;
    assert_eq!((total("a").await, total("b").await, total("d").await), (20 + 200 + 20, 40, 60));
    // A charger that was offline tells later of one more car: the bill stays, and can still be worked out again.
    add(&store, &plain("d-4", "9", "2023-09-25T10:00:00Z", 3), &flat, "late", true).await;
    let bill = bills_of(&store, "a").await.remove(0);
    assert_eq!(bills.verify(&org(), &bill.id).await.unwrap(), Verdict::Same);
    let parts = store.read().await.unwrap().session_parts(&org(), "a").await.unwrap();
    let taken: Vec<_> = parts.occupancy.iter().map(|row| (row.occupied, row.of_all)).collect();
    assert_eq!(taken, [(1, 4), (2, 4), (1, 4)]);
    // Others have nothing written for it.
    let parts = store.read().await.unwrap().session_parts(&org(), "b").await.unwrap();
    assert_eq!(parts.occupancy, []);
    // Nobody knows how many places there are.
    add(&store, &plain("d-1", "5", "2023-09-27T10:00:00Z", 1), &version, "nowhere", true).await;
    change(&store, "nowhere", |session| session.site = Some("field".into())).await;
    let done = bills.bill_session(&org(), "nowhere", now).await.unwrap();
    assert!(matches!(&done, Outcome::Held(why) if why.contains("places")), "{done:?}");
}
both!(by_occupancy);

struct Nowhere;

impl takst_gateway::live::Chargers for Nowhere {
    fn tell(&self, _: &OrgId, _: &str, _: takst_gateway::chargers::model::Command) {}
    fn dialect(&self, _: &OrgId, _: &str) -> Option<Dialect> {
        None
    }
    fn shows_cost(&self, _: &OrgId, _: &str) -> bool {
        false
    }
}

// While it runs, its cost follows who comes and goes.
async fn the_cost_now_follows_the_places(place: Place) {
    let store = place.open().await;
    store.write(Lane::org(&org()), async move |tx| tx.add_org(&org(), "City", at(0)).await).await.unwrap();
    let house: Arc<House> = Arc::default();
    house.places.lock().unwrap().insert("otakaari-5".into(), 4);
    let version = house.add(made(FULL));
    let tariffs: Arc<dyn Tariffs> = Arc::clone(&house) as Arc<dyn Tariffs>;
    let live = Live::new(store.clone(), tariffs, Books::default(), Arc::new(Nowhere), LiveOptions::default());
    add(&store, &plain("d-1", "5", "2023-09-25T10:00:00Z", 2), &version, "a", false).await;
    let now = time("2023-09-25T12:00:00Z");
    live.touch(&org(), "a", Touched { rebuilt: true, ..Touched::default() }, now).await;
    assert_eq!(live.cost(&org(), "a").unwrap().total, 40);
    // Somebody came at 11 o'clock, as his charger says now.
    add(&store, &plain("d-2", "6", "2023-09-25T11:00:00Z", 2), &version, "b", false).await;
    let came = Touched { places: Some("otakaari-5".into()), rebuilt: true, ..Touched::default() };
    live.touched(&org(), "b", came).await;
    for _ in 0..200 {
        if live.cost(&org(), "a").unwrap().total != 40 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(live.cost(&org(), "a").unwrap().total, 20 + 200);
}
both!(the_cost_now_follows_the_places);
