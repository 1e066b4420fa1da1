//! What is odd about a make of chargers counts for all of them, from the boot on in which they name it.

use crate::net_support::*;
use crate::taught::{gateway, write};
use serde_json::json;
use std::time::{SystemTime, UNIX_EPOCH};
use takst_engine::units::{Energy, Instant, MINUTE_MS};
use takst_gateway::chargers::time;
use takst_gateway::gateway::Gateway;
use takst_gateway::store::{Lane, OrgId, Session, SessionFilter};

const SET_UP: &str = r#"
[organisation]
id = "home"
name = "Home"
unknown_chargers = "hold"

[settings]
tokens_offline = "none"

[[seller]]
id = "s"
name = "S"

[[site]]
id = "yard"
name = "Yard"
time_zone = "Europe/Helsinki"
seller = "s"
unknown_chargers = { policy = "accept", prefix = "IN-" }

[[site]]
id = "pier"
name = "Pier"
time_zone = "Europe/Helsinki"
seller = "s"
unknown_chargers = { policy = "hold", prefix = "HB-" }

[[model]]
vendor = "ODD"
model = "Z"
habits = { time_offset = "+02:00", wh_is_kwh = true, repair = true }

[[charger]]
id = "CP1"
site = "yard"
security = { profile = 0 }

[[charger]]
id = "CP2"
site = "yard"
security = { profile = 0 }

[[tariff]]
file = "day.tariff"
site = "yard"
"#;

const DAY: &str = "tariff \"Day\"\n  currency: EUR\n  time zone: Europe/Helsinki\n  prices: including VAT\n\nVAT: 24%\n\nenergy: 0.30 EUR/kWh\n";

fn org() -> OrgId {
    OrgId::new("home")
}

// Whole seconds, so many minutes ago.
fn ago(minutes: i64) -> Instant {
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()).unwrap();
    Instant(now * 1000 - minutes * MINUTE_MS)
}

// As a charger of this make writes it: two hours east, and it does not say so.
fn local(at: Instant) -> String {
    time::write(Instant(at.0 + 120 * MINUTE_MS)).trim_end_matches(".000Z").to_owned()
}

async fn plug(gateway: &Gateway, charger: &str, protocol: &str) -> Plug {
    let address = gateway.server.addresses()[0];
    Plug::connect(address, &format!("/ocpp/{charger}"), &[protocol], None).await.unwrap()
}

async fn boot(plug: &mut Plug, vendor: &str) {
    let payload = match plug.protocol() {
        Some("ocpp1.6") => json!({"chargePointVendor": vendor, "chargePointModel": "Z2"}),
        _ => json!({"reason": "PowerUp", "chargingStation": {"vendorName": vendor, "model": "Z2"}}),
    };
    assert!(plug.ask("BootNotification", payload).await["currentTime"].is_string());
}

// A session from 100 to 106 "Wh" that began then and lasted nine minutes.
async fn charge(plug: &mut Plug, from: Instant) {
    let until = Instant(from.0 + 9 * MINUTE_MS);
    if plug.protocol() == Some("ocpp1.6") {
        let start = json!({"connectorId": 1, "idTag": "T", "meterStart": 100, "timestamp": local(from)});
        let id = plug.ask("StartTransaction", start).await["transactionId"].clone();
        let stop = json!({"transactionId": id, "meterStop": 106, "timestamp": local(until)});
        plug.ask("StopTransaction", stop).await;
        return;
    }
    for (seq, kind, trigger, at, context, value) in [
        (0, "Started", "Authorized", from, "Transaction.Begin", 100),
        (1, "Ended", "EVDeparted", until, "Transaction.End", 106),
    ] {
        let sample = json!({"timestamp": local(at), "sampledValue": [{"value": value, "context": context}]});
        let event = json!({
            "eventType": kind, "timestamp": local(at), "triggerReason": trigger, "seqNo": seq,
            "transactionInfo": {"transactionId": format!("t{}", from.0)}, "evse": {"id": 1, "connectorId": 1},
            "idToken": {"idToken": "T", "type": "ISO14443"}, "meterValue": [sample],
        });
        plug.ask("TransactionEvent", event).await;
    }
}

async fn sessions(gateway: &Gateway, charger: &str) -> Vec<Session> {
    let mut reader = gateway.store.read().await.unwrap();
    let all = reader.sessions(&org(), &SessionFilter::default(), None, 100).await.unwrap();
    let mut own: Vec<_> = all.into_iter().filter(|session| session.charger == charger).collect();
    own.sort_by_key(|session| session.started_at);
    own
}

#[test]
fn case_12_and_19_habits_of_a_make_count_from_the_boot_on_that_names_it() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), "takst.toml", SET_UP);
        write(dir.path(), "day.tariff", DAY);
        let chargers = [
            ("CP1", "ocpp1.6"),
            ("CP2", "ocpp2.0.1"),
            ("IN-1", "ocpp1.6"),
            ("HB-1", "ocpp2.0.1"),
            ("HB-2", "ocpp1.6"),
            ("XY-1", "ocpp1.6"),
        ];
        let mut times: Vec<Instant> = Vec::new();
        let mut running = gateway(dir.path(), None).await;
        for (charger, protocol) in chargers {
            let mut plug = plug(&running, charger, protocol).await;
            boot(&mut plug, "odd").await;
            // Somebody lets those in that wait.
            let (lane, id) = (Lane::charger(&org(), charger), charger.to_owned());
            running.store.write(lane, async move |tx| tx.accept_charger(&org(), &id).await).await.unwrap();
            charge(&mut plug, ago(110)).await;
        }
        times.push(ago(110));
        // They come back without a boot, to the same program and to another one.
        for (charger, protocol) in chargers {
            charge(&mut plug(&running, charger, protocol).await, ago(90)).await;
        }
        times.push(ago(90));
        running.server.stop().await;
        running = gateway(dir.path(), None).await;
        for (charger, protocol) in chargers {
            charge(&mut plug(&running, charger, protocol).await, ago(70)).await;
        }
        times.push(ago(70));
        for (charger, _) in chargers {
            let sessions = sessions(&running, charger).await;
            assert_eq!(sessions.len(), times.len(), "{charger}: {sessions:#?}");
            for (session, time) in sessions.iter().zip(&times) {
                assert_eq!(session.energy, Some(Energy(6_000_000)), "{charger}: {session:#?}");
                let off = session.started_at.unwrap().0 - time.0;
                assert!(off.abs() < 30_000, "{charger}: {off} ms off");
            }
        }
        // Its insides are another make's now: what it says is what it means.
        let mut plug = plug(&running, "CP1", "ocpp1.6").await;
        boot(&mut plug, "Even").await;
        charge(&mut plug, ago(50)).await;
        let last =
            sessions(&running, "CP1").await.into_iter().find(|session| session.energy == Some(Energy(6_000)));
        assert!(last.is_some(), "{:#?}", sessions(&running, "CP1").await);
        running.server.stop().await;
    });
}

#[test]
fn case_18_broken_json_is_mended_from_the_boot_on_that_names_the_make() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), "takst.toml", SET_UP);
        write(dir.path(), "day.tariff", DAY);
        let running = gateway(dir.path(), None).await;
        let mut plug = plug(&running, "CP1", "ocpp1.6").await;
        let broken = |id: &str| {
            format!("[2,\"{id}\",\"MeterValues\",{{\"connectorId\":1,\"transactionId\":,\"meterValue\":[]}}]")
        };
        boot(&mut plug, "Even").await;
        plug.send(broken("b1")).await;
        // A message of a transaction is never refused.
        assert!(plug.is_silent(500).await);
        boot(&mut plug, "ODD").await;
        plug.send(broken("b2")).await;
        assert_eq!(plug.json().await, json!([3, "b2", {}]));
        running.server.stop().await;
    });
}
