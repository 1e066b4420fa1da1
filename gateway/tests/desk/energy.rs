//! Energy in both directions and clocks, from what chargers say to what is billed.

use crate::desk_support::*;
use crate::store_support::*;
use serde_json::json;
use takst_engine::{PriceBook, Pricing, Standing, price};
use takst_gateway::ocpp::Dialect;
use takst_gateway::sessions::to_engine;

const EXPORT: &str = "Energy.Active.Export.Register";

// A lifetime register of export beside a session that gave nothing back, then one that gave back 0.5 kWh.
both!(case_08_a_lifetime_register_of_export_is_no_energy, place => {
    let mut rig = Rig::new(place, Dialect::V16).await;
    let list = tariff("energy: 0.30 EUR/kWh\n\nfeed-in: 0.10 EUR/kWh");
    for (number, (later, total)) in [(900_000, 60), (900_500, 55)].into_iter().enumerate() {
        let from = i64::try_from(number).unwrap() * 100;
        let id = rig.start(from, 1000).await;
        for (minute, import, export) in [(10, 1500, 900_000), (20, 2000, later)] {
            rig.now = t(from + minute);
            rig.say("MeterValues", json!({"connectorId":1,"transactionId":id,"meterValue":[{"timestamp":ts(from + minute),
                "sampledValue":[{"value":import.to_string()},{"value":export.to_string(),"measurand":EXPORT}]}]})).await;
        }
        rig.stop(id, from + 30, 3000).await;
        rig.status(from + 31, "Available").await;
        let session = rig.sessions().await.pop().unwrap();
        assert_eq!((wh(&session), flags(&session), session.hold), (Some(2000), vec![], false));
        let priced = to_engine(&session, &rig.parts(&session).await).unwrap();
        let book = PriceBook::default();
        let pricing = Pricing::new(&list, &book).unwrap();
        let bill = price(&pricing, &priced, &Standing::default()).unwrap();
        assert_eq!(bill.total, total, "{later}");
    }
});

both!(a_late_report_is_no_wrong_clock, place => {
    let mut rig = Rig::new(place, Dialect::V16).await;
    let skew = async |rig: &Rig| rig.store.read().await.unwrap().charger(&org(), CHARGER).await.unwrap().unwrap().skew_ms;
    rig.boot().await;
    // A start that was said again and again until it came, later each time; meter values that waited.
    for (late, tag) in [(1, "CARD"), (2, "CARD"), (3, "CARD")] {
        rig.now = t(late);
        rig.say("StartTransaction", json!({"connectorId":1,"idTag":tag,"meterStart":0,"timestamp":ts(0)})).await;
    }
    for minute in 4..12 {
        rig.now = t(14 + minute / 10);
        rig.say("MeterValues", json!({"connectorId":1,"meterValue":[{"timestamp":ts(minute),"sampledValue":[{"value":"1"}]}]})).await;
    }
    assert_eq!(skew(&rig).await, None);
    // Several values in one message: the newest tells when it was sent.
    for minute in [20, 25, 30, 35] {
        rig.now = t(minute);
        let values: Vec<_> = (minute - 4..=minute).map(|at| json!({"timestamp":ts(at),"sampledValue":[{"value":"1"}]})).collect();
        rig.say("MeterValues", json!({"connectorId":1,"meterValue":values})).await;
    }
    assert_eq!(skew(&rig).await, Some(0));
    // Two minutes behind, time after time: that is its clock, from the third time on.
    for (minute, known) in [(40, 0), (41, 0), (42, -120_000), (43, -120_000)] {
        rig.now = t(minute);
        rig.say("MeterValues", json!({"connectorId":1,"meterValue":[{"timestamp":ts(minute - 2),"sampledValue":[{"value":"1"}]}]})).await;
        assert_eq!(skew(&rig).await, Some(known), "{minute}");
    }
    // One that is right says so at once.
    rig.now = t(50);
    rig.status(50, "Charging").await;
    assert_eq!(skew(&rig).await, Some(0));
    // A boot sets the clock: what was known of it is over.
    rig.now = t(60);
    rig.say("StatusNotification", json!({"connectorId":1,"errorCode":"NoError","status":"SuspendedEV","timestamp":ts(65)})).await;
    assert_eq!(skew(&rig).await, Some(5 * 60_000));
    rig.boot().await;
    assert_eq!(skew(&rig).await, None);
});
