//! What a payment was asked with, it goes on with: after an upgrade of the plugin, a restart, and `kill -9`.

use crate::scene::{Scene, time, workshop};
use crate::shop::*;
use crate::store_support::*;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use takst_gateway::gateway::Given;
use takst_gateway::plugins::{Plugins, shipped};

const OWN: &str = r#"
[[plugin]]
id = "stripe"
folder = "plugins/stripe"
grant = "stripe.grant"
settings = { page = "https://charge.example.com/plugins/stripe", publishable_key = "pk_test_takst" }
secrets = { api_key = { file = "api_key" }, webhook_secret = { file = "webhook_secret" } }
"#;

const GRANT: &str = "[[http]]\nhost = \"api.stripe.com\"\n";

// The shipped plugin as one of the operator's own, in a version whose code is like no other's.
fn install(setup: &Path, version: &str) {
    let shipped = shipped::find("stripe").unwrap();
    let mut wasm = shipped.component().unwrap().to_vec();
    // A custom section: id, size, name's size, name, content.
    let content = [&[7], &b"version"[..], version.as_bytes()].concat();
    wasm.extend([&[0, u8::try_from(content.len()).unwrap()], content.as_slice()].concat());
    let folder = setup.join("plugins/stripe");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(setup.join("stripe.grant"), GRANT).unwrap();
    let text = shipped.text().replace("version = \"1.0.0\"", &format!("version = \"{version}\""));
    std::fs::write(folder.join("plugin.toml"), text).unwrap();
    std::fs::write(folder.join("plugin.wasm"), wasm).unwrap();
}

fn kept(place: &Place) -> Vec<PathBuf> {
    let folder = place.dir.path().join("data/plugins/versions");
    std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path()).collect()
}

async fn charge_row(shop: &Shop, state: &str) -> Value {
    let is = |row: &Value| row["kind"] == "charge" && row["state"] == state;
    let rows = shop.until("/api/v1/outbox", |rows| rows.as_array().unwrap().iter().any(is)).await;
    rows.as_array().unwrap().iter().find(|row| is(row)).unwrap().clone()
}

async fn a_payment_goes_on_with_the_version_that_it_was_asked_with(place: Place) {
    let setup = place.dir.path().join("setup");
    install(&setup, "1.4.0");
    // What became of a lost call is looked at after a while only.
    let mut rules = quick();
    rules.rules.settle_ms = 2_000;
    let shop = Shop::open(&place, &files("stripe", OWN), rules.clone()).await;
    shop.save_card("d-1", "4242424242424242").await;
    shop.detour.meet("/v1/payment_intents", Trouble::Lost);
    shop.charge("O-1", "CARD-1").await;
    assert_eq!(charge_row(&shop, "unknown").await["version"], "1.4.0");
    assert_eq!(kept(&place).len(), 1);
    shop.stop().await;

    // The new version is there from the next start on; the old one is in the set-up no more.
    install(&setup, "1.5.0");
    let shop = Shop::again(&place, rules.clone()).await;
    let payment = shop.payment("d-1", "paid").await;
    assert_eq!(stripe_payments(&payment).await.len(), 1);
    assert_eq!(charge_row(&shop, "done").await["version"], "1.4.0");
    assert_eq!(shop.get("/api/v1/plugins").await[0]["version"], "1.5.0");

    // What is new goes to the new one, and an upgrade while the gateway runs leaves it alone too.
    shop.save_card("d-2", "4242424242424242").await;
    shop.detour.meet("/v1/payment_intents", Trouble::Lost);
    shop.charge("O-2", "CARD-2").await;
    assert_eq!(charge_row(&shop, "unknown").await["version"], "1.5.0");
    install(&setup, "1.6.0");
    shop.until("/api/v1/plugins", |all| all[0]["version"] == "1.6.0").await;
    let payment = shop.payment("d-2", "paid").await;
    assert_eq!(stripe_payments(&payment).await.len(), 1);
    let rows = shop.get("/api/v1/outbox").await;
    let row = rows.as_array().unwrap().iter().find(|row| row["subject"] == payment["id"]).unwrap();
    assert_eq!((&row["version"], &row["attempts"]), (&json!("1.5.0"), &json!(1)), "{row}");
    assert_eq!(shop.get("/api/v1/incidents?open=true").await, json!([]));

    // Money goes back through whoever is there now.
    let session = payment["session"].as_str().unwrap();
    shop.post(&format!("/api/v1/sessions/{session}/refund"), json!({ "reason": "the charger was broken" }))
        .await;
    shop.until("/api/v1/payments?debtor=driver:d-2", |all| all[0]["refunded"] == "20.00").await;
    let rows = shop.get("/api/v1/outbox").await;
    let refund = rows.as_array().unwrap().iter().find(|row| row["kind"] == "refund").unwrap();
    assert_eq!(refund["version"], "1.6.0", "{refund}");
    shop.stop().await;
}
both!(a_payment_goes_on_with_the_version_that_it_was_asked_with);

#[test]
fn a_version_that_nobody_has_is_missed() {
    a_version_is_missed(|place, _| {
        for path in kept(place) {
            std::fs::remove_file(path).unwrap();
        }
    });
}

#[test]
fn what_a_name_has_is_not_for_the_plugin_that_had_the_name_before() {
    // The code is kept; the settings, the secrets, the grant and what was kept are another one's now.
    a_version_is_missed(|place, setup| {
        assert_eq!(kept(place).len(), 1);
        let path = setup.join("plugins/stripe/plugin.toml");
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains("id = \"stripe\""));
        std::fs::write(&path, text.replace("id = \"stripe\"", "id = \"other\"")).unwrap();
    });
}

fn a_version_is_missed(change: fn(&Place, &Path)) {
    run(async {
        let place = Place::sqlite();
        let setup = place.dir.path().join("setup");
        install(&setup, "1.4.0");
        let mut rules = quick();
        rules.rules.settle_ms = 2_000;
        let shop = Shop::open(&place, &files("stripe", OWN), rules.clone()).await;
        shop.save_card("d-1", "4242424242424242").await;
        shop.detour.meet("/v1/payment_intents", Trouble::Lost);
        shop.charge("O-1", "CARD-1").await;
        charge_row(&shop, "unknown").await;
        shop.stop().await;
        install(&setup, "1.5.0");
        change(&place, &setup);
        let shop = Shop::again(&place, rules).await;
        let missed = |all: &Value| all[0]["kind"] == "plugin.missing";
        let incidents = shop.until("/api/v1/incidents?open=true", missed).await;
        assert!(incidents[0]["about"].to_string().contains("stripe 1.4.0 is not there"), "{incidents}");
        assert_eq!(shop.detour.count("POST /v1/payment_intents"), 0);
        shop.stop().await;
    });
}

#[test]
fn code_is_kept_as_long_as_somebody_is_bound_to_it() {
    run(async {
        let place = Place::sqlite();
        let setup = place.dir.path().join("setup");
        install(&setup, "1.4.0");
        let files = files("stripe", OWN);
        let files: Vec<(&str, &str)> =
            files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        let scene = Scene::open(place, &files).await;
        let folder = scene.folder.join("../versions");
        let room = || Plugins::new(workshop(), Arc::clone(&scene.house), scene.store.clone());
        let plugins = room().keep_in(folder.clone());
        let old = plugins.get_kept("stripe").unwrap().code().sha256.clone();
        let count = || std::fs::read_dir(&folder).unwrap().count();
        assert_eq!(count(), 1);
        install(&setup, "1.5.0");
        scene.house.reload(time("2026-06-01T01:00:00Z")).await.unwrap();
        let new = plugins.get_kept("stripe").unwrap().code().sha256.clone();
        assert_ne!(old, new);
        assert_eq!((count(), plugins.version("stripe", &old).is_some()), (2, true));

        // Another process knows the old one by its file only; what was changed in there is not run.
        let other = room().keep_in(folder.clone());
        assert_eq!(other.version("stripe", &old).unwrap().code().manifest.version.to_string(), "1.4.0");
        assert!(other.version("stripe", &"0".repeat(64)).is_none());
        assert!(other.version("nobody", &old).is_none());
        let path = folder.join(format!("{old}.tar"));
        let whole = std::fs::read(&path).unwrap();
        let mut broken = whole.clone();
        let middle = broken.len() / 2;
        broken[middle] ^= 1;
        std::fs::write(&path, broken).unwrap();
        assert!(room().keep_in(folder.clone()).version("stripe", &old).is_none());
        std::fs::write(&path, whole).unwrap();

        for _ in 0..3 {
            plugins.drain(&[old.clone()].into());
        }
        assert_eq!((count(), plugins.version("stripe", &old).is_some()), (2, true));
        // One look is not enough: something may just be on its way to be bound.
        plugins.drain(&BTreeSet::new());
        assert_eq!(count(), 2);
        plugins.drain(&BTreeSet::new());
        assert_eq!((count(), plugins.version("stripe", &old).is_some()), (1, false));
        assert!(plugins.version("stripe", &new).is_some());
    });
}

#[test]
fn what_the_grant_forbids_was_not_done_and_is_done_once_it_is_granted() {
    run(async {
        let place = Place::sqlite();
        let setup = place.dir.path().join("setup");
        install(&setup, "1.4.0");
        std::fs::write(setup.join("stripe.grant"), "").unwrap();
        let shop = Shop::open(&place, &files("stripe", OWN), quick()).await;
        shop.charge("O-1", "CARD-1").await;
        let bill = shop.bill("O-1").await;
        let path = format!("/api/v1/bills/{}/payments", bill["id"].as_str().unwrap());
        shop.post(&path, json!({})).await;
        let row = charge_row(&shop, "waiting").await;
        let row = format!("/api/v1/outbox/{}", row["id"].as_str().unwrap());
        let row = shop.until(&row, |row| row["code"].is_string()).await;
        assert!(row["detail"].as_str().unwrap().contains("is not granted"), "{row}");
        assert_eq!(
            (row["state"].as_str(), shop.detour.sent.lock().unwrap().len()),
            (Some("waiting"), 0),
            "{row}"
        );
        std::fs::write(setup.join("stripe.grant"), GRANT).unwrap();
        let payment = shop.payment("d-1", "action-needed").await;
        assert_eq!(stripe_payments(&payment).await.len(), 1);
        shop.stop().await;
    });
}

/// The gateway that is killed: this test again, as a program of its own.
#[test]
#[ignore = "started by the test below"]
fn worker() {
    // Whoever runs all ignored tests does not mean this one.
    let Ok(folder) = std::env::var("TAKST_PAYING_FOLDER") else { return };
    run(async {
        let folder = PathBuf::from(folder);
        let port = std::env::var("TAKST_PAYING_PORT").unwrap().parse().unwrap();
        let detour = Detour::new(&[("api.stripe.com", &std::env::var("TAKST_PAYING_STRIPE").unwrap())]);
        detour.meet("/v1/payment_intents", Trouble::Silence);
        let plan = plan(&folder, std::env::var("TAKST_PAYING_DATABASE").ok(), &folder.join("setup"), port);
        let given = Given { transport: Some(detour), outbox: quick(), ..Given::default() };
        let _gateway = plan.start_with(given).await.unwrap_or_else(|error| panic!("{error}"));
        std::future::pending::<()>().await;
    });
}

fn start(place: &Place, port: u16) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--ignored", "--exact", "bound::worker"])
        .env("TAKST_PAYING_FOLDER", place.dir.path())
        .env("TAKST_PAYING_STRIPE", &stripe().address)
        .env("TAKST_PAYING_PORT", port.to_string())
        .stdout(Stdio::null());
    if !place.is_sqlite() {
        command.env("TAKST_PAYING_DATABASE", &place.url);
    }
    command.spawn().unwrap()
}

async fn a_gateway_that_is_killed_while_it_asks_charges_once(place: Place) {
    let shop = Shop::open(&place, &files("stripe", STRIPE), quick()).await;
    shop.save_card("d-1", "4242424242424242").await;
    let key = shop.key.clone();
    shop.stop().await;

    let port = crate::peer::port(if place.is_sqlite() { 27 } else { 28 });
    let mut child = start(&place, port);
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    for _ in 0..600 {
        if tokio::net::TcpStream::connect(address).await.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // It asks, the provider takes the money, and it dies before it hears.
    let other = Shop::elsewhere(address, key);
    other.charge("O-1", "CARD-1").await;
    let all = other.until("/api/v1/payments", |all| all[0].is_object()).await;
    for _ in 0..600 {
        if !stripe_payments(&all[0]).await.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // SIGKILL.
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(stripe_payments(&all[0]).await.len(), 1);

    let shop = Shop::again(&place, quick()).await;
    let paid = shop.payment("d-1", "paid").await;
    assert_eq!((&paid["id"], &paid["captured"]), (&all[0]["id"], &json!("20.00")));
    assert_eq!(stripe_payments(&paid).await.len(), 1);
    assert_eq!(shop.detour.count("POST /v1/payment_intents"), 0, "it was looked up");
    let checked = shop.post("/api/v1/ledger/check", json!({})).await;
    assert_eq!(checked["faults"], json!([]), "{checked}");
    shop.stop().await;
}
both!(a_gateway_that_is_killed_while_it_asks_charges_once);
