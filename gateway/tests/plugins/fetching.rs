//! Prices that plugins fetch: in time, from a second source, and told when they do not come.

use crate::scene::{Scene, pair, write};
use crate::server::{self, Answer, asked_day, day};
use crate::store_support::*;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use takst_gateway::plugins::State;

const NOT_THERE: Answer = (404, None, String::new());

/// A set-up with sources at these servers, in this order: `one`, `two`.
fn set_up(servers: &[&server::Server]) -> Vec<(String, String)> {
    let mut text =
        String::from("[[feed]]\narea = \"NO1\"\ncurrency = \"NOK\"\nsource = \"plugin\"\nplugin = \"one\"\n");
    if servers.len() > 1 {
        text.push_str("second = \"two\"\n");
    }
    let mut files = Vec::new();
    for (server, name) in servers.iter().zip(["one", "two"]) {
        text.push_str(&format!(
            "\n[[plugin]]\nid = \"{name}\"\nuse = \"hvakosterstrommen\"\nsettings = {{ address = \"{}\" }}\ngrant = \"{name}.grant\"\n",
            server.url()
        ));
        files.push((format!("{name}.grant"), server.grant()));
    }
    files.push(("takst.toml".to_owned(), text));
    files
}

async fn open(place: Place, files: &[(String, String)]) -> Scene {
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    Scene::open(place, &files).await
}

async fn prices_are_fetched_when_they_are_published(place: Place) {
    let tomorrow = "2026-06-11".parse().unwrap();
    let server = server::start(move |path, before| {
        let asked = asked_day(path);
        if asked == tomorrow && before == 0 { NOT_THERE } else { (200, None, day(asked, "1.25")) }
    })
    .await;
    let mut scene = open(place, &set_up(&[&server])).await;
    // Today's at once.
    assert!(scene.look("2026-06-10T08:00:00+02:00").await);
    assert_eq!(*server.asked.lock().unwrap(), ["/api/v1/prices/2026/06-10_NO1.json"]);
    let day = scene.prices("NO1", "2026-06-10T00:00:00+02:00", "2026-06-11T00:00:00+02:00").await;
    assert_eq!(day, (24, Some("1.25 NOK/kWh".to_owned())));
    for early in ["08:00:05", "10:00:00", "13:04:59"] {
        assert!(!scene.look(&format!("2026-06-10T{early}+02:00")).await);
    }
    assert_eq!(server.count(), 1);
    // Tomorrow's from 13:05 on; while they are not there every five minutes.
    assert!(!scene.look("2026-06-10T13:05:59+02:00").await);
    assert!(!scene.look("2026-06-10T13:10:50+02:00").await);
    assert_eq!(server.count(), 2);
    assert!(scene.look("2026-06-10T13:11:00+02:00").await);
    assert!(!scene.look("2026-06-10T13:16:00+02:00").await);
    assert!(!scene.look("2026-06-10T23:59:00+02:00").await);
    assert_eq!(server.count(), 3);
    assert_eq!(scene.incidents().await, []);

    let received = scene.events("feed.received").await;
    assert_eq!((received.len(), received[0].subject.as_str()), (2, "spot NO1"));
    assert!(received[0].document.contains(&server.url()), "{}", received[0].document);
    let [one] = scene.plugins.standing().try_into().unwrap();
    assert_eq!((one.state, one.metrics.calls, one.metrics.errors, one.trouble), (State::Ready, 3, 0, None));
    assert!(one.used.iter().any(|used| used.limit == "requests" && used.used == "1"), "{:?}", one.used);

    // After a restart nothing is asked for that is there; of the next day all is there already.
    let files = set_up(&[&server]);
    write(&scene.folder, &files.iter().map(|(n, t)| (n.as_str(), t.as_str())).collect::<Vec<_>>());
    let Scene { place, store, fetcher, house, plugins, .. } = scene;
    drop((fetcher, plugins, house));
    store.close().await;
    let mut scene = open(place, &files).await;
    assert!(!scene.look("2026-06-11T12:00:00+02:00").await);
    assert_eq!(server.count(), 3);
}
both!(prices_are_fetched_when_they_are_published);

async fn a_second_source_stands_in_and_failures_are_told(place: Place) {
    let works = Arc::new(AtomicBool::new(false));
    let is_up = Arc::clone(&works);
    let first = server::start(move |path, _| match is_up.load(Ordering::SeqCst) {
        true => (200, None, day(asked_day(path), "1")),
        false => (503, Some("Retry-After: 90".to_owned()), String::new()),
    })
    .await;
    let second = server::start(|path, _| (200, None, day(asked_day(path), "2"))).await;
    let mut scene = open(place, &set_up(&[&first, &second])).await;
    assert!(scene.look("2026-06-10T08:00:00+02:00").await);
    assert_eq!((first.count(), second.count()), (1, 1));
    let (_, price) = scene.prices("NO1", "2026-06-10T00:00:00+02:00", "2026-06-10T01:00:00+02:00").await;
    assert_eq!(price.as_deref(), Some("2 NOK/kWh"));
    assert_eq!(scene.incidents().await, [pair("plugin.failing", "one: spot NO1")]);
    let standing = scene.plugins.standing();
    let states: Vec<_> = standing.iter().map(|one| (one.file.name.as_str(), one.state)).collect();
    assert_eq!(states, [("one", State::Failing), ("two", State::Ready)]);
    let detail = &standing[0].trouble.as_ref().unwrap().detail;
    assert!(detail.contains("503"), "{detail}");
    // The next day the first one works again.
    works.store(true, Ordering::SeqCst);
    assert!(scene.look("2026-06-10T13:05:00+02:00").await);
    assert_eq!((first.count(), second.count()), (2, 1));
    assert_eq!(scene.incidents().await, []);
    assert_eq!(scene.events("incident.closed").await.len(), 1);
    assert_eq!(scene.plugins.standing()[0].state, State::Ready);
}
both!(a_second_source_stands_in_and_failures_are_told);

async fn who_wants_to_be_left_alone_is_and_what_is_late_is_told(place: Place) {
    let server = server::start(|path, before| match (asked_day(path).to_string().as_str(), before) {
        ("2026-06-10", 0) => (429, Some("Retry-After: 90".to_owned()), String::new()),
        ("2026-06-10", _) => (200, None, day(asked_day(path), "1")),
        (_, before) if before < 3 => NOT_THERE,
        _ => (200, None, day(asked_day(path), "1")),
    })
    .await;
    let mut scene = open(place, &set_up(&[&server])).await;
    assert!(!scene.look("2026-06-10T08:00:00+02:00").await);
    // Today's should have been there since yesterday.
    let failing = pair("plugin.failing", "one: spot NO1");
    let late = pair("feed.late", "spot NO1");
    assert_eq!(scene.incidents().await, [late.clone(), failing]);
    assert!(!scene.look("2026-06-10T08:01:29+02:00").await);
    assert_eq!(server.count(), 1);
    assert!(scene.look("2026-06-10T08:01:30+02:00").await);
    assert_eq!(scene.incidents().await, []);
    // Tomorrow's are not there, and late from three o'clock on.
    for (now, incidents) in [("13:05", vec![]), ("14:59", vec![]), ("15:04", vec![late])] {
        assert!(!scene.look(&format!("2026-06-10T{now}:00+02:00")).await);
        assert_eq!(scene.incidents().await, incidents, "{now}");
    }
    assert!(scene.look("2026-06-10T15:09:00+02:00").await);
    assert_eq!(scene.incidents().await, []);
    assert_eq!(scene.events("feed.late").await.len(), 2);
}
both!(who_wants_to_be_left_alone_is_and_what_is_late_is_told);

async fn a_source_brings_its_own_prices_and_no_others(place: Place) {
    let foreign = r#"{"feed":"spot","area":"NO2","unit":"NOK/kWh","published":"2099-01-01T00:00:00Z","prices":
        [{"from":"2026-06-10T00:00:00+02:00","to":"2026-06-11T00:00:00+02:00","price":"9"}]}"#;
    let server = server::start(move |path, before| match before {
        0 => (200, None, foreign.to_owned()),
        1 => (200, None, "<html>".to_owned()),
        _ => (200, None, day(asked_day(path), "1")),
    })
    .await;
    let mut scene = open(place, &set_up(&[&server])).await;
    for now in ["08:00:00", "08:00:30"] {
        assert!(!scene.look(&format!("2026-06-10T{now}+02:00")).await);
    }
    assert_eq!(server.count(), 2);
    let failing = scene.store.read().await.unwrap().open_incidents(&crate::scene::main()).await.unwrap();
    let told = failing.iter().find(|incident| incident.kind == "plugin.failing").unwrap();
    assert!(
        told.document.contains("`spot NO2`") && told.document.contains("`spot NO1`"),
        "{}",
        told.document
    );
    assert_eq!(scene.prices("NO2", "2026-06-10T00:00:00Z", "2026-06-11T00:00:00Z").await.0, 0);
    // Twice wrong: a minute.
    assert!(scene.look("2026-06-10T08:01:30+02:00").await);
    assert_eq!(scene.incidents().await, []);
}
both!(a_source_brings_its_own_prices_and_no_others);

// It uses all of the interface; here it may not even begin.
fn stopped(folder: &Path) {
    let wasm = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/host/tests/golden/1.0.0.wasm");
    std::fs::create_dir_all(folder).unwrap();
    std::fs::copy(wasm, folder.join("plugin.wasm")).unwrap();
    let about = r#"
id = "whole"
version = "1.0.0"
interface = "1.0.0"
description = "Uses all of the interface."
author = "Takst"
capabilities = ["price-source", "payment-provider", "invoice-channel", "meter-export", "notifier", "webhook"]
[limits]
fuel = 1000
"#;
    std::fs::write(folder.join("plugin.toml"), about).unwrap();
}

async fn a_plugin_that_is_stopped_ends_one_call_and_nothing_else(place: Place) {
    let server = server::start(|path, _| (200, None, day(asked_day(path), "1"))).await;
    stopped(&place.dir.path().join("setup/whole"));
    let mut files = set_up(&[&server, &server]);
    let (_, text) = files.last_mut().unwrap();
    *text = text.replace("plugin = \"one\"", "plugin = \"bad\"");
    text.push_str("\n[[plugin]]\nid = \"bad\"\nfolder = \"whole\"\n");
    let mut scene = open(place, &files).await;
    assert!(scene.look("2026-06-10T08:00:00+02:00").await);
    assert_eq!(scene.incidents().await, [pair("plugin.failing", "bad: spot NO1")]);
    let standing = scene.plugins.standing();
    assert_eq!((standing[0].file.name.as_str(), standing[0].state), ("bad", State::Failing));
    assert_eq!(
        (standing[0].metrics.stopped, standing[0].trouble.as_ref().unwrap().code.as_str()),
        (1, "fuel")
    );

    // Another source in the set-up takes its place at once.
    *files.last_mut().map(|(_, text)| text).unwrap() =
        files.last().unwrap().1.replace("plugin = \"bad\"", "plugin = \"one\"");
    write(&scene.folder, &files.iter().map(|(n, t)| (n.as_str(), t.as_str())).collect::<Vec<_>>());
    assert!(scene.house.has_changed());
    scene.house.reload(crate::scene::time("2026-06-10T12:00:00Z")).await.unwrap().unwrap();
    assert!(scene.look("2026-06-10T13:05:00+02:00").await);
    assert_eq!(scene.plugins.get("one").unwrap().metrics().calls, 1);
}
both!(a_plugin_that_is_stopped_ends_one_call_and_nothing_else);
