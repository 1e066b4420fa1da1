//! Energy in both directions, from what chargers say to what is billed.

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
