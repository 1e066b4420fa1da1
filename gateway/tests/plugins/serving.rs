//! A whole gateway: a feed from a plugin that is in the program, a car that charges before its prices are known, and its bill.

use crate::plug::{Plug, raw};
use crate::scene::write;
use crate::server::{self, asked_day, day};
use crate::store_support::*;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use takst_gateway::api::Role;
use takst_gateway::api::access::new_key;
use takst_gateway::gateway::{Gateway, Given, Plan};
use takst_gateway::house::Source;
use takst_gateway::plugins::Options;
use takst_gateway::{live, serve};

const SET_UP: &str = r#"
[[seller]]
id = "s"
name = "S"

[[site]]
id = "oslo"
name = "Oslo"
time_zone = "Europe/Oslo"
seller = "s"
price_area = "NO1"

[[charger]]
id = "O-1"
site = "oslo"
security = { profile = 0 }

[[charger.connector]]
type = "Type2"
max_power_kw = 22

[[driver]]
id = "d-1"

[[token]]
uid = "CARD"
driver = "d-1"

[[tariff]]
file = "spot.tariff"
site = "oslo"

[[plugin]]
id = "spot-no"
use = "hvakosterstrommen"
settings = { address = "ADDRESS" }
grant = "mirror.grant"

[[feed]]
area = "NO1"
currency = "NOK"
source = "plugin"
plugin = "spot-no"
"#;

const TARIFF: &str = "tariff \"Spot\"\n  currency:  NOK\n  time zone: Europe/Oslo\n  spot area: NO1\n  prices:    including VAT\n
VAT: 25%\n\nenergy: spot + 0.50 NOK/kWh\n";

struct Asker {
    address: SocketAddr,
    key: String,
}

impl Asker {
    async fn get(&self, path: &str) -> Value {
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {}\r\n\r\n",
            self.key
        );
        let answer = raw(self.address, request.as_bytes()).await;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200"), "{path}: {answer}");
        serde_json::from_str(body).unwrap_or_else(|_| Value::from(body))
    }

    async fn until(&self, path: &str, so: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        for _ in 0..600 {
            last = self.get(path).await;
            if so(&last) {
                return last;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{path} is still {last}");
    }
}

async fn start(place: &Place, server: &server::Server) -> (Gateway, Asker) {
    let folder = place.dir.path().join("setup");
    let text = SET_UP.replace("ADDRESS", &server.url());
    write(&folder, &[("takst.toml", &text), ("spot.tariff", TARIFF), ("mirror.grant", &server.grant())]);
    let plan = Plan {
        data: place.dir.path().join("data"),
        database: (!place.is_sqlite()).then(|| place.url.clone()),
        source: Source::Path(folder),
        options: serve::Options { listen: vec!["127.0.0.1:0".parse().unwrap()], ..serve::Options::default() },
        open: false,
        live: live::Options::default(),
    };
    let pace = Options { every: Duration::from_millis(100), retry: Some(Duration::from_millis(300)) };
    let started = plan.start_with(Given { pace, ..Given::default() }).await;
    let gateway = started.unwrap_or_else(|error| panic!("{error}"));
    let (row, key) = new_key("test", Role::Owner, "test").unwrap();
    let main = takst_gateway::store::OrgId::new("main");
    let lane = takst_gateway::store::Lane::org(&main);
    let unit = async move |tx: &mut takst_gateway::store::Tx| tx.add_api_key(&main, &row).await;
    gateway.store.write(lane, unit).await.unwrap();
    let address = gateway.server.addresses()[0];
    (gateway, Asker { address, key })
}

async fn say(plug: &mut Plug, action: &str, payload: Value) -> Value {
    plug.send(json!([2, action, action, payload]).to_string()).await;
    loop {
        let frame = plug.json().await;
        if frame[0] == 2 {
            plug.send(json!([3, frame[1], {"status": "Accepted"}]).to_string()).await;
        } else {
            assert_eq!((&frame[0], &frame[1]), (&json!(3), &json!(action)), "{frame}");
            return frame[2].clone();
        }
    }
}

// A car takes 10 kWh.
async fn charge(address: SocketAddr) {
    let mut plug = Plug::connect(address, "/ocpp/O-1", &["ocpp1.6"], None).await.unwrap();
    plug.boot().await;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let time =
        |s: u64| chrono::DateTime::from_timestamp((now - 60 + s).cast_signed(), 0).unwrap().to_rfc3339();
    let start = json!({"connectorId": 1, "idTag": "CARD", "meterStart": 0, "timestamp": time(0)});
    let started = say(&mut plug, "StartTransaction", start).await;
    assert_eq!(started["idTagInfo"]["status"], "Accepted", "{started}");
    let id = started["transactionId"].clone();
    let stop = json!({"transactionId": id, "idTag": "CARD", "meterStop": 200, "timestamp": time(50)});
    say(&mut plug, "StopTransaction", stop).await;
    let free =
        json!({"connectorId": 1, "errorCode": "NoError", "status": "Available", "timestamp": time(55)});
    say(&mut plug, "StatusNotification", free).await;
}

async fn a_bill_that_waits_is_made_when_a_plugin_brings_the_prices(place: Place) {
    let published = Arc::new(AtomicBool::new(false));
    let are_there = Arc::clone(&published);
    let server = server::start(move |path, _| match are_there.load(Ordering::SeqCst) {
        true => (200, None, day(asked_day(path), "1.50")),
        false => (404, None, String::new()),
    })
    .await;
    let (gateway, asker) = start(&place, &server).await;
    charge(asker.address).await;
    asker
        .until("/api/v1/sessions", |all| all[0]["status"] == "ended" || all[0]["unplugged"].is_string())
        .await;
    // It was asked more than once, and has nothing: the bill waits.
    asker.until("/api/v1/plugins", |all| all[0]["calls"].as_u64().is_some_and(|calls| calls >= 3)).await;
    assert_eq!(asker.get("/api/v1/bills").await, json!([]));
    let late = asker.get("/api/v1/incidents?open=true").await;
    assert!(late.as_array().unwrap().iter().any(|one| one["kind"] == "feed.late"), "{late}");

    published.store(true, Ordering::SeqCst);
    let bills = asker.until("/api/v1/bills", |all| all.as_array().is_some_and(|all| !all.is_empty())).await;
    // 0.2 kWh at 1.50 and its VAT, and 0.50 with it: 0.2 x (1.875 + 0.50).
    assert_eq!(bills[0]["total"], "0.48", "{bills}");
    asker
        .until("/api/v1/incidents?open=true", |all| {
            all.as_array().unwrap().iter().all(|one| one["kind"] != "feed.late")
        })
        .await;

    let [plugin] =
        <[Value; 1]>::try_from(asker.get("/api/v1/plugins").await.as_array().unwrap().clone()).unwrap();
    for (key, value) in [
        ("id", json!("spot-no")),
        ("plugin", json!("hvakosterstrommen")),
        ("version", json!("1.0.0")),
        ("interface", json!("1.0.0")),
        ("capabilities", json!(["price-source"])),
        ("state", json!("ready")),
        ("shipped", json!(true)),
    ] {
        assert_eq!(plugin[key], value, "{plugin}");
    }
    assert!(plugin["usage"].as_array().unwrap().iter().any(|used| used["limit"] == "memory"), "{plugin}");
    let metrics = asker.get("/metrics").await;
    let metrics = metrics.as_str().unwrap();
    assert!(metrics.contains("takst_plugin_calls_total{plugin=\"spot-no\""), "{metrics}");
    let described = asker.get("/api/openapi.json").await;
    assert!(described["paths"]["/api/v1/plugins"]["get"].is_object());
    gateway.server.stop().await;
}
both!(a_bill_that_waits_is_made_when_a_plugin_brings_the_prices);
