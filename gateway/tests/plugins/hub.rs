//! A gateway that fetches meter values by itself from a hub over http, through a plugin of its own.

use crate::meters::{POINT, SET_UP, TARIFF};
use crate::plug::Plug;
use crate::scene::{main, write};
use crate::shop::{Detour, Trouble, http, say};
use crate::store_support::*;
use axum::Router;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::get;
use chrono::{DateTime, Datelike as _, Months, TimeZone as _, Utc};
use chrono_tz::{Europe::Oslo, Tz};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use takst_gateway::api::Role;
use takst_gateway::api::access::new_key;
use takst_gateway::gateway::{Gateway, Given, Plan};
use takst_gateway::house::Source;
use takst_gateway::plugins::Options;
use takst_gateway::store::{Lane, Tx};
use takst_gateway::{live, serve};
use takst_plugin_build::{Guests, component, module};

const HOUR: i64 = 3_600_000;

// The plant of `meters`, with a hub instead of files.
fn set_up() -> String {
    let hub = "[[plugin]]\nid = \"hub\"\nfolder = \"plugins/hub\"\ngrant = \"hub.grant\"\nmeters = { fetch = \"daily\", at = \"00:00\", late_after = \"1 s\" }\n";
    SET_UP.replace("[[plugin]]\nid = \"elhub\"\n", hub)
}

/// A hub: it has values up to some time, or is closed.
#[derive(Clone, Default)]
struct Hub {
    kept: Arc<Mutex<Kept>>,
}

#[derive(Default)]
struct Kept {
    status: u16,
    // Keys and bodies of what it was sent, and what it answers to it; what it gives out is that, if anything.
    sent: Vec<(String, String)>,
    takes: u16,
    gives_sent: bool,
    known_until: i64,
    estimated_from: i64,
    asked: Vec<(i64, i64)>,
}

async fn values(
    State(hub): State<Hub>,
    Query(query): Query<BTreeMap<String, String>>,
) -> (StatusCode, String) {
    let mut kept = hub.kept.lock().unwrap();
    let time = |name: &str| query[name].parse::<i64>().unwrap();
    kept.asked.push((time("from"), time("until")));
    if kept.status != 200 {
        return (StatusCode::from_u16(kept.status).unwrap(), "closed".to_owned());
    }
    let mut text = String::new();
    if kept.gives_sent {
        for line in kept.sent.iter().flat_map(|(_, body)| body.lines()) {
            let words: Vec<&str> = line.split(' ').collect();
            let (from, until) = (words[1].parse::<i64>().unwrap(), words[2].parse::<i64>().unwrap());
            if words[0] == query["point"] && from >= time("from") && until <= time("until") {
                text.push_str(&format!("{from} {until} {} measured\n", words[3]));
            }
        }
        return (StatusCode::OK, text);
    }
    let mut at = time("from");
    while at + HOUR <= time("until").min(kept.known_until) {
        let quality = if at >= kept.estimated_from { "estimated" } else { "measured" };
        text.push_str(&format!("{at} {} 10 {quality}\n", at + HOUR));
        at += HOUR;
    }
    (StatusCode::OK, text)
}

async fn take(State(hub): State<Hub>, headers: HeaderMap, body: String) -> (StatusCode, String) {
    let mut kept = hub.kept.lock().unwrap();
    if kept.takes != 0 {
        return (StatusCode::from_u16(kept.takes).unwrap(), "closed".to_owned());
    }
    let key = headers["idempotency-key"].to_str().unwrap().to_owned();
    kept.sent.push((key, body));
    (StatusCode::OK, format!("R-{}", kept.sent.len()))
}

impl Hub {
    async fn start() -> (Self, String) {
        let hub = Self::default();
        hub.kept.lock().unwrap().estimated_from = i64::MAX;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().route("/values", get(values).post(take)).with_state(hub.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        (hub, address)
    }

    fn says(&self, status: u16, known_until: DateTime<Tz>) {
        let mut kept = self.kept.lock().unwrap();
        (kept.status, kept.known_until) = (status, known_until.timestamp_millis());
    }

    fn sent(&self) -> Vec<(String, String)> {
        self.kept.lock().unwrap().sent.clone()
    }

    fn asked(&self) -> Vec<(i64, i64)> {
        self.kept.lock().unwrap().asked.clone()
    }
}

// The guest of the host's tests, built from its source.
fn guest() -> (String, Vec<u8>) {
    let guests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/host/tests/guests");
    let target: PathBuf = Path::new(env!("CARGO_TARGET_TMPDIR")).join("guests");
    let manifest = guests.join("Cargo.toml");
    let built = Guests { manifest: &manifest, target: &target, package: Some("hub"), locked: false };
    let folder = built.build().unwrap_or_else(|error| panic!("{error}"));
    let wasm = component(&module(&folder, "hub").unwrap()).unwrap_or_else(|error| panic!("{error}"));
    (std::fs::read_to_string(guests.join("hub/plugin.toml")).unwrap(), wasm)
}

struct Office {
    gateway: Gateway,
    address: SocketAddr,
    bearer: String,
}

impl Office {
    async fn open(place: &Place, set_up: &str, hub: &str) -> Self {
        Self::with(place, set_up, hub, &[]).await
    }

    async fn with(place: &Place, set_up: &str, hub: &str, troubles: &[Trouble]) -> Self {
        let folder = place.dir.path().join("setup");
        let (manifest, wasm) = tokio::task::spawn_blocking(guest).await.unwrap();
        let files = [
            ("takst.toml", set_up),
            ("cost.tariff", TARIFF),
            ("hub.grant", "[[http]]\nhost = \"hub.example.com\"\n"),
            ("plugins/hub/plugin.toml", &manifest),
        ];
        write(&folder, &files);
        std::fs::write(folder.join("plugins/hub/plugin.wasm"), wasm).unwrap();
        let plan = Plan {
            data: place.dir.path().join("data"),
            database: (!place.is_sqlite()).then(|| place.url.clone()),
            source: Source::Path(folder),
            options: serve::Options {
                listen: vec!["127.0.0.1:0".parse().unwrap()],
                ..serve::Options::default()
            },
            open: false,
            live: live::Options::default(),
        };
        let pace = Options { every: Duration::from_millis(100), retry: Some(Duration::from_millis(300)) };
        let transport = Detour::new(&[("hub.example.com", hub)]);
        troubles.iter().for_each(|trouble| transport.meet("/values", *trouble));
        let given =
            Given { transport: Some(transport), pace, outbox: crate::shop::quick(), ..Given::default() };
        let gateway = plan.start_with(given).await.unwrap_or_else(|error| panic!("{error}"));
        let (row, key) = new_key("test", Role::Owner, "test").unwrap();
        let unit = async move |tx: &mut Tx| tx.add_api_key(&main(), &row).await;
        gateway.store.write(Lane::org(&main()), unit).await.unwrap();
        let address = gateway.server.addresses()[0];
        Self { gateway, address, bearer: format!("Bearer {key}") }
    }

    async fn ask(&self, method: &str, path: &str, body: &str) -> Value {
        let headers = [("authorization", self.bearer.as_str()), ("content-type", "application/json")];
        let came = http(self.address, method, path, &headers, body.as_bytes()).await;
        assert!(came.status < 300, "{method} {path}: {came:?}");
        came.json()
    }

    async fn until(&self, path: &str, so: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        for _ in 0..400 {
            last = self.ask("GET", path, "").await;
            if so(&last) {
                return last;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{path} is still {last:#}");
    }

    async fn late(&self, open: bool) -> Value {
        let late =
            |all: &Value| all.as_array().unwrap().iter().find(|one| one["kind"] == "meters.late").cloned();
        let all = self.until("/api/v1/incidents?open=true", |all| late(all).is_some() == open).await;
        late(&all).unwrap_or_default()
    }
}

async fn what_should_be_there_is_fetched_and_what_is_late_is_told(place: Place) {
    let (hub, address) = Hub::start().await;
    let today = Utc::now().with_timezone(&Oslo).date_naive();
    let midnight =
        |day: chrono::NaiveDate| Oslo.from_local_datetime(&day.and_hms_opt(0, 0, 0).unwrap()).unwrap();
    let month = today.with_day(1).unwrap().checked_sub_months(Months::new(1)).unwrap();
    let (first, until) = (midnight(month), midnight(today));
    let hours = (until - first).num_hours();
    hub.says(503, until);
    let office = Office::open(&place, &set_up(), &address).await;
    let of_month = (midnight(today.with_day(1).unwrap()) - first).num_hours();
    let name = month.format("%Y-%m").to_string();
    let costs = json!({ "reason": "the invoices", "costs": [{ "label": "Power", "net": (of_month * 8).to_string(), "vat_rate": "25" }] });
    office.ask("PUT", &format!("/api/v1/sites/oslo/costs/{name}"), &costs.to_string()).await;

    // It is closed: told, and asked again.
    let late = office.late(true).await;
    assert_eq!(late["subject"], format!("hub: {POINT}"), "{late}");
    assert!(late.to_string().contains("closed"), "{late}");
    let asked = hub.asked();
    assert_eq!(
        asked[0],
        (first.timestamp_millis(), until.timestamp_millis()),
        "the month before, up to today"
    );

    // It has all but the last day, which is asked for alone from then on.
    let day = until - chrono::TimeDelta::hours(24);
    hub.says(200, day);
    let points = |hours: i64| move |all: &Value| all[0]["values"] == hours;
    office.until("/api/v1/meter-points", points(hours - 24)).await;
    let path = format!("/api/v1/sites/oslo/costs/{name}");
    // On the first day of a month that is the last day of the month of the costs.
    if today.day() > 1 {
        let known = office.until(&path, |state| state["cost_price"]["state"] == "known").await;
        assert_eq!(known["cost_price"]["with_vat"], "1", "{known}");
    }
    let before = hub.asked().len();
    for _ in 0..100 {
        if hub.asked().len() > before {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(hub.asked().last(), Some(&(day.timestamp_millis(), until.timestamp_millis())));
    office.late(true).await;

    // And now that too; nothing is asked for after it.
    hub.says(200, until + chrono::TimeDelta::hours(48));
    office.until("/api/v1/meter-points", points(hours)).await;
    office.late(false).await;
    let came = office.ask("GET", "/api/v1/meter-values", "").await;
    assert!(came[0]["received_by"] == "schedule of hub" && came[0]["source"] == "fetch", "{came}");
    let asked = hub.asked().len();
    tokio::time::sleep(Duration::from_millis(800)).await;
    assert_eq!(hub.asked().len(), asked, "all is there");
    office.gateway.server.stop().await;
}
both!(what_should_be_there_is_fetched_and_what_is_late_is_told);

async fn what_is_estimated_is_asked_for_once_more(place: Place) {
    let (hub, address) = Hub::start().await;
    let today = Utc::now().with_timezone(&Oslo).date_naive();
    let until = Oslo.from_local_datetime(&today.and_hms_opt(0, 0, 0).unwrap()).unwrap();
    let day = until - chrono::TimeDelta::hours(24);
    hub.says(200, until);
    hub.kept.lock().unwrap().estimated_from = day.timestamp_millis();
    let office = Office::open(&place, &set_up(), &address).await;
    office.until("/api/v1/meter-points", |all| all[0].is_object()).await;
    office.gateway.server.stop().await;
    // Measured by now: the next time that it is due (here: the next start) they are asked for, and no other ones.
    hub.kept.lock().unwrap().estimated_from = i64::MAX;
    let asked = hub.asked().len();
    let office = Office::open(&place, &set_up(), &address).await;
    let time = |at: DateTime<Tz>| at.with_timezone(&Utc).format("%FT%TZ").to_string();
    let path = format!("/api/v1/meter-points/{POINT}/values?from={}&until={}", time(day), time(until));
    office.until(&path, |all| all.as_array().unwrap().iter().all(|one| one["quality"] == "measured")).await;
    assert_eq!(hub.asked()[asked..], [(day.timestamp_millis(), until.timestamp_millis())]);
    office.gateway.server.stop().await;
}
both!(what_is_estimated_is_asked_for_once_more);

// Two meters, each in front of a charger.
const OTHER: &str = "707057500012345688";

fn sending() -> String {
    let charger = |id: &str, point: &str| {
        format!(
            "[[charger]]\nid = \"{id}\"\nsite = \"oslo\"\nmetering_point = \"{point}\"\nsecurity = {{ profile = 0 }}\n\n[[charger.connector]]\ntype = \"Type2\"\nmax_power_kw = 22\n\n"
        )
    };
    let text = set_up();
    let (before, rest) = text.split_once("metering_point = \"707057500012345671\"\n\n").unwrap();
    let (_, after) = rest.split_once("[[driver]]").unwrap();
    let after = after.replace("fetch = \"daily\"", "send = \"daily\"");
    format!("{before}\n{}{}[[driver]]{after}", charger("O-1", POINT), charger("O-2", OTHER))
}

impl Office {
    /// A car takes so many Wh in half an hour from an instant on; the charger tells it now.
    async fn charge(&self, charger: &str, from: DateTime<Tz>, wh: i64) {
        let mut plug =
            Plug::connect(self.address, &format!("/ocpp/{charger}"), &["ocpp1.6"], None).await.unwrap();
        plug.boot().await;
        let time = |minutes: i64| (from + chrono::TimeDelta::minutes(minutes)).to_rfc3339();
        let start = json!({"connectorId": 1, "idTag": "CARD", "meterStart": 1000, "timestamp": time(0)});
        let id = say(&mut plug, "StartTransaction", start).await["transactionId"].clone();
        let stop =
            json!({"transactionId": id, "idTag": "CARD", "meterStop": 1000 + wh, "timestamp": time(30)});
        say(&mut plug, "StopTransaction", stop).await;
        let free =
            json!({"connectorId": 1, "errorCode": "NoError", "status": "Available", "timestamp": time(31)});
        say(&mut plug, "StatusNotification", free).await;
        let ended = |all: &Value| all.as_array().unwrap().iter().all(|one| one["status"] == "ended");
        self.until("/api/v1/sessions", ended).await;
    }

    /// The rows of the outbox, newest first, once there are so many and all stand so.
    async fn rows(&self, count: usize, state: &str) -> Vec<Value> {
        let so = |all: &Value| {
            let all = all.as_array().unwrap();
            all.len() == count
                && all.iter().all(|row| row["kind"] == "meter-values")
                && all[0]["state"] == state
                && all[1..].iter().all(|row| row["state"] == "done")
        };
        self.until("/api/v1/outbox?limit=100", so).await.as_array().unwrap().clone()
    }
}

async fn what_cars_took_is_sent_once_and_again_when_it_is_something_else(place: Place) {
    let (hub, address) = Hub::start().await;
    hub.says(200, Utc::now().with_timezone(&Oslo));
    hub.kept.lock().unwrap().gives_sent = true;
    let today = Utc::now().with_timezone(&Oslo).date_naive();
    let until = Oslo.from_local_datetime(&today.and_hms_opt(0, 0, 0).unwrap()).unwrap();
    let hour = |hours: i64| until - chrono::TimeDelta::hours(hours);

    // Seven days of two meters. The answer to the first is lost: it is looked up, and not sent again.
    let office = Office::with(&place, &sending(), &address, &[Trouble::Lost]).await;
    office.rows(14, "done").await;
    let sent = hub.sent();
    assert_eq!(sent.len(), 14, "{sent:?}");
    assert!(sent.iter().all(|(_, body)| body.lines().all(|line| line.ends_with(" 0"))), "{sent:?}");
    let of_day = |sent: &[(String, String)], point: &str| {
        let begins = format!("{point} {} ", hour(24).timestamp_millis());
        sent.iter()
            .filter(|(_, body)| body.starts_with(&begins) || body.contains(&format!("\n{begins}")))
            .cloned()
            .collect::<Vec<_>>()
    };

    // A charger that was away tells of yesterday: the values of that day and meter are other ones, and nothing else.
    office.charge("O-1", hour(10) + chrono::TimeDelta::minutes(45), 400).await;
    office.gateway.server.stop().await;
    let office = Office::open(&place, &sending(), &address).await;
    let rows = office.rows(15, "done").await;
    let sent = hub.sent();
    let day = of_day(&sent, POINT);
    assert_eq!((sent.len(), day.len(), of_day(&sent, OTHER).len()), (15, 2, 1), "{sent:?}");
    assert_ne!(day[0].0, day[1].0, "another thing has another key");
    for (hours, kwh) in [(11, "0"), (10, "0.2"), (9, "0.2"), (8, "0")] {
        let (from, to) = (hour(hours).timestamp_millis(), hour(hours - 1).timestamp_millis());
        let line = format!("{POINT} {from} {to} {kwh}\n");
        assert!(day[1].1.contains(&line), "{line}{}", day[1].1);
    }
    assert_eq!(rows[0]["request"]["point"], POINT, "{rows:?}");

    // The hub says nothing of what it took, and has other values: nobody knows, and nothing is sent until somebody has looked.
    office.charge("O-1", hour(5), 1_000).await;
    office.gateway.server.stop().await;
    hub.kept.lock().unwrap().takes = 503;
    let office = Office::open(&place, &sending(), &address).await;
    let rows = office.rows(16, "dead").await;
    assert_eq!(rows[0]["code"], "other-values", "{:?}", rows[0]);
    let open = office.ask("GET", "/api/v1/incidents?open=true", "").await;
    assert!(open.as_array().unwrap().iter().any(|one| one["kind"] == "meters.held"), "{open}");
    assert_eq!(hub.sent().len(), 15);
    hub.kept.lock().unwrap().takes = 0;
    let retry = format!("/api/v1/outbox/{}/retry", rows[0]["id"].as_str().unwrap());
    office.ask("POST", &retry, r#"{"reason":"the hub does not have them"}"#).await;
    office.rows(16, "done").await;
    let sent = hub.sent();
    assert_eq!(sent.len(), 16);
    let line = format!("{POINT} {} {} 1\n", hour(5).timestamp_millis(), hour(4).timestamp_millis());
    assert!(sent[15].1.contains(&line), "{line}{}", sent[15].1);
    let open = office.ask("GET", "/api/v1/incidents?open=true", "").await;
    assert!(open.as_array().unwrap().iter().all(|one| one["kind"] != "meters.held"), "{open}");
    office.gateway.server.stop().await;
}
both!(what_cars_took_is_sent_once_and_again_when_it_is_something_else);
