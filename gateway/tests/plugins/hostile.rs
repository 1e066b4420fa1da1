//! Guests that misbehave in a gateway that runs, while cars charge: no message of a charger is lost, every one is answered, and what the guest
//! does is seen.

use crate::plug::Plug;
use crate::scene::{main, write};
use crate::shop::{http, say};
use crate::store_support::*;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use takst_gateway::api::Role;
use takst_gateway::api::access::new_key;
use takst_gateway::gateway::Plan;
use takst_gateway::house::Source;
use takst_gateway::plugins::Space;
use takst_gateway::store::{Lane, Store, Tx};
use takst_gateway::{live, serve};
use takst_plugin_build::{Guests, component, module};
use takst_plugins::kv::Kv as _;

/// What the guest can be asked to do, all of it bad.
const DEEDS: [&str; 10] = [
    "loop",
    "host-loop",
    "log-loop",
    "log-flood",
    "memory",
    "stack",
    "panic",
    "huge",
    "kv-flood",
    "kv-churn",
];
/// Of them, those that come back.
const FLOODS: [&str; 3] = ["log-flood", "kv-flood", "kv-churn"];
const CHARGERS: usize = 6;
/// Meter values of each charger.
const VALUES: i64 = 20;

const SET_UP: &str = r#"
[[seller]]
id = "s"
name = "S"
bill_series = "A-"

[[site]]
id = "oslo"
name = "Oslo"
time_zone = "Europe/Oslo"
seller = "s"

[[tariff]]
file = "flat.tariff"
site = "oslo"

[[driver]]
id = "d-1"

[[token]]
uid = "CARD"
driver = "d-1"

[settings]
concurrent_transactions = 100

[[plugin]]
id = "rogue"
folder = "plugins/rogue"
grant = "rogue.grant"
"#;

const TARIFF: &str = "tariff \"Flat\"\n  currency:  NOK\n  time zone: Europe/Oslo\n  prices:    including VAT\n\nVAT: 25%\n\nenergy: 10.00 NOK/kWh\n";

// The guest of the host's tests, built from its source.
fn rogue() -> (String, Vec<u8>) {
    let guests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/host/tests/guests");
    let target: PathBuf = Path::new(env!("CARGO_TARGET_TMPDIR")).join("guests");
    let manifest = guests.join("Cargo.toml");
    let built = Guests { manifest: &manifest, target: &target, package: Some("rogue"), locked: false };
    let folder = built.build().unwrap_or_else(|error| panic!("{error}"));
    let wasm = component(&module(&folder, "rogue").unwrap()).unwrap_or_else(|error| panic!("{error}"));
    (std::fs::read_to_string(guests.join("rogue/plugin.toml")).unwrap(), wasm)
}

fn time(second: i64) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    chrono::DateTime::from_timestamp(now.cast_signed() - 60 + second, 0).unwrap().to_rfc3339()
}

// A car charges; how many messages were answered. `say` wants the answer to just this message.
async fn charge(address: SocketAddr, charger: String) -> usize {
    let mut plug = Plug::connect(address, &format!("/ocpp/{charger}"), &["ocpp1.6"], None).await.unwrap();
    plug.boot().await;
    let begin = json!({"connectorId": 1, "idTag": "CARD", "meterStart": 0, "timestamp": time(0)});
    let started = say(&mut plug, "StartTransaction", begin).await;
    assert_eq!(started["idTagInfo"]["status"], "Accepted", "{started}");
    let id = started["transactionId"].clone();
    let mut answered = 1;
    for value in 1..=VALUES {
        let sampled = json!([{"value": (value * 6).to_string(), "measurand": "Energy.Active.Import.Register", "unit": "Wh"}]);
        let values = json!({"connectorId": 1, "transactionId": id, "meterValue": [{"timestamp": time(2 * value), "sampledValue": sampled}]});
        assert_eq!(say(&mut plug, "MeterValues", values).await, json!({}));
        assert!(say(&mut plug, "Heartbeat", json!({})).await["currentTime"].is_string());
        answered += 2;
        // Longer than the guest's misdeeds need to come in between.
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let stop = json!({"transactionId": id, "idTag": "CARD", "meterStop": 150, "timestamp": time(50)});
    say(&mut plug, "StopTransaction", stop).await;
    let free =
        json!({"connectorId": 1, "errorCode": "NoError", "status": "Available", "timestamp": time(55)});
    say(&mut plug, "StatusNotification", free).await;
    answered + 2
}

// Asks for one misdeed after the other until nobody charges any more; how often it ended how.
async fn misbehave(address: SocketAddr, deed: &'static str, enough: Arc<AtomicBool>) -> BTreeMap<u16, usize> {
    let mut came = BTreeMap::new();
    let mut asked = 0;
    while asked < 2 || !enough.load(Ordering::SeqCst) {
        let answer = http(address, "POST", &format!("/plugins/rogue/{deed}"), &[], b"").await;
        *came.entry(answer.status).or_default() += 1;
        asked += 1;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    came
}

async fn a_guest_that_breaks_when_it_is_called_is_told_of_until_it_answers(place: Place) {
    let folder = place.dir.path().join("setup");
    let (manifest, wasm) = tokio::task::spawn_blocking(rogue).await.unwrap();
    write(
        &folder,
        &[
            ("takst.toml", SET_UP),
            ("flat.tariff", TARIFF),
            ("rogue.grant", ""),
            ("plugins/rogue/plugin.toml", &manifest),
        ],
    );
    std::fs::write(folder.join("plugins/rogue/plugin.wasm"), wasm).unwrap();
    let start = async || {
        let plan = Plan {
            data: place.dir.path().join("data"),
            database: (!place.is_sqlite()).then(|| place.url.clone()),
            source: Source::Path(folder.clone()),
            options: serve::Options {
                listen: vec!["127.0.0.1:0".parse().unwrap()],
                ..serve::Options::default()
            },
            open: false,
            live: live::Options::default(),
        };
        plan.start().await.unwrap_or_else(|error| panic!("{error}"))
    };
    let gateway = start().await;
    let address = gateway.server.addresses()[0];
    let call = async |address: SocketAddr, deed: &str| {
        http(address, "POST", &format!("/plugins/rogue/{deed}"), &[], b"").await.status
    };
    let open = async |store: &Store| {
        let open = store.read().await.unwrap().open_incidents(&main()).await.unwrap();
        let all = open.into_iter().filter(|one| one.kind == "webhook.failing");
        all.map(|one| (one.subject, one.document)).collect::<Vec<_>>()
    };
    assert_eq!((call(address, "well").await, open(&gateway.store).await), (200, vec![]));
    for deed in ["panic", "loop", "panic"] {
        assert_eq!(call(address, deed).await, 502, "{deed}");
        let told = open(&gateway.store).await;
        assert!(told.len() == 1 && told[0].0 == "rogue" && told[0].1.contains("trap"), "{told:?}");
    }
    // It is over with the next call that is taken, also after a start.
    gateway.server.stop().await;
    let gateway = start().await;
    assert_eq!(open(&gateway.store).await.len(), 1);
    let address = gateway.server.addresses()[0];
    assert_eq!((call(address, "well").await, open(&gateway.store).await), (200, vec![]));
    // Of one that is taken out of the set-up nobody can say that it works.
    assert_eq!((call(address, "panic").await, open(&gateway.store).await.len()), (502, 1));
    gateway.server.stop().await;
    let without = SET_UP.split("[[plugin]]").next().unwrap();
    write(&folder, &[("takst.toml", without)]);
    let gateway = start().await;
    for _ in 0..200 {
        if open(&gateway.store).await.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(open(&gateway.store).await, vec![]);
    gateway.server.stop().await;
}
both!(a_guest_that_breaks_when_it_is_called_is_told_of_until_it_answers);

async fn chargers_do_not_notice_a_guest_that_misbehaves(place: Place) {
    let folder = place.dir.path().join("setup");
    let mut set_up = SET_UP.to_owned();
    for number in 1..=CHARGERS {
        set_up.push_str(&format!(
            "\n[[charger]]\nid = \"O-{number}\"\nsite = \"oslo\"\nsecurity = {{ profile = 0 }}\n\n[[charger.connector]]\ntype = \"Type2\"\nmax_power_kw = 22\n"
        ));
    }
    let (manifest, wasm) = tokio::task::spawn_blocking(rogue).await.unwrap();
    write(
        &folder,
        &[
            ("takst.toml", &set_up),
            ("flat.tariff", TARIFF),
            ("rogue.grant", ""),
            ("plugins/rogue/plugin.toml", &manifest),
        ],
    );
    std::fs::write(folder.join("plugins/rogue/plugin.wasm"), wasm).unwrap();
    let plan = Plan {
        data: place.dir.path().join("data"),
        database: (!place.is_sqlite()).then(|| place.url.clone()),
        source: Source::Path(folder),
        options: serve::Options { listen: vec!["127.0.0.1:0".parse().unwrap()], ..serve::Options::default() },
        open: false,
        live: live::Options::default(),
    };
    let gateway = plan.start().await.unwrap_or_else(|error| panic!("{error}"));
    let address = gateway.server.addresses()[0];
    let (row, key) = new_key("test", Role::Owner, "test").unwrap();
    let unit = async move |tx: &mut Tx| tx.add_api_key(&main(), &row).await;
    gateway.store.write(Lane::org(&main()), unit).await.unwrap();
    let bearer = format!("Bearer {key}");
    let get = async |path: &str| http(address, "GET", path, &[("authorization", &bearer)], b"").await;
    assert_eq!(http(address, "POST", "/plugins/rogue/well", &[], b"").await.body, "well");

    let enough = Arc::new(AtomicBool::new(false));
    let bad: Vec<_> =
        DEEDS.iter().map(|deed| tokio::spawn(misbehave(address, deed, Arc::clone(&enough)))).collect();
    let cars: Vec<_> =
        (1..=CHARGERS).map(|number| tokio::spawn(charge(address, format!("O-{number}")))).collect();
    let mut answered = 0;
    for car in cars {
        answered += car.await.unwrap();
    }
    assert_eq!(
        answered,
        CHARGERS * (usize::try_from(VALUES).unwrap() * 2 + 3),
        "every message has its answer"
    );
    // The gateway was up all the time, and says so while it still goes on.
    for path in ["/healthz", "/readyz"] {
        assert_eq!(get(path).await.status, 200, "{path}");
    }
    enough.store(true, Ordering::SeqCst);
    let mut stopped = 0;
    for (deed, task) in DEEDS.iter().zip(bad) {
        let came = task.await.unwrap();
        let allowed: &[u16] = if FLOODS.contains(deed) { &[200, 502, 503] } else { &[502, 503] };
        assert!(came.keys().all(|status| allowed.contains(status)), "{deed}: {came:?}");
        stopped += came.get(&502).copied().unwrap_or_default();
    }
    assert!(stopped >= 2 * (DEEDS.len() - FLOODS.len()), "{stopped}");

    // Everything that the chargers said is there: each value, each session, each bill.
    let mut sessions = Value::Null;
    for _ in 0..600 {
        sessions = get("/api/v1/bills").await.json();
        if sessions.as_array().unwrap().len() == CHARGERS {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let bills = sessions.as_array().unwrap().clone();
    assert_eq!(bills.len(), CHARGERS, "{bills:?}");
    for bill in bills {
        // 0.15 kWh.
        assert_eq!(bill["total"], "1.50", "{bill}");
        let session = bill["session"].as_str().unwrap();
        let parts = gateway.store.read().await.unwrap().session_parts(&main(), session).await.unwrap();
        let values: Vec<i64> = parts.readings.iter().map(|reading| reading.imported.0 / 6_000).collect();
        let whole: Vec<i64> = (0..=VALUES).chain([25]).collect();
        assert_eq!(values, whole, "{session}");
    }

    // What the guest did is seen; and it can be called like any other.
    assert_eq!(http(address, "POST", "/plugins/rogue/panic", &[], b"").await.status, 502);
    let plugins = get("/api/v1/plugins").await.json();
    let rogue = &plugins[0];
    assert_eq!(rogue["state"], "failing", "{rogue}");
    assert!(rogue["stopped"].as_u64().unwrap() >= u64::try_from(stopped).unwrap(), "{rogue}, {stopped}");
    assert!(rogue["last_error"]["code"].is_string(), "{rogue}");
    let metrics = get("/metrics").await.body;
    let counted = metrics.lines().find(|line| {
        line.starts_with("takst_plugin_calls_total{")
            && line.contains("\"rogue\"")
            && line.contains("result=\"stopped\"")
    });
    assert!(counted.is_some(), "{metrics}");
    assert_eq!(http(address, "POST", "/plugins/rogue/well", &[], b"").await.body, "well");
    assert_eq!(get("/api/v1/plugins").await.json()[0]["state"], "ready");

    // Whatever it wrote, each call changed few names of its space.
    let flooded = http(address, "POST", "/plugins/rogue/kv-flood", &[], b"").await;
    let kept = Space::new(gateway.store.clone(), main(), "rogue").names("", None, 10_000).await.unwrap();
    assert_eq!((flooded.body.as_str(), kept.len()), ("200", 200));
    gateway.server.stop().await;
}
both!(chargers_do_not_notice_a_guest_that_misbehaves);
