//! `kill -9` of a process that bills and charges, again and again, with a provider that lives on in another process.

use crate::fake::{Fake, Installed};
use crate::http::{Remote, serve};
use crate::made::{intents, issue, payments, quick, settled};
use crate::store_support::*;
use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use takst_engine::units::Instant;
use takst_gateway::outbox::Outbox;
use takst_gateway::store::*;

fn clock() -> Instant {
    let passed = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    Instant(passed.as_millis() as i64)
}

/// The process that is killed: this test again, as a program of its own.
#[test]
#[ignore = "started by the tests below"]
fn worker() {
    // Whoever runs all ignored tests does not mean this one.
    let Ok(url) = std::env::var("TAKST_MONEY_DATABASE") else { return };
    let address = std::env::var("TAKST_MONEY_PROVIDER").unwrap();
    run(async {
        let store = Store::open(&url).await.unwrap();
        let provider = Arc::new(Remote(address.parse().unwrap()));
        let installed = Arc::new(Installed { provider, version: "1.0.0".to_owned() });
        let outbox = Outbox::new(store.clone(), installed, quick());
        outbox.take_up(&org(), clock()).await.unwrap();
        let issuing = async {
            loop {
                let driver = format!("d{}", fastrand::u8(0..6));
                let session = new_id();
                issue(&store, &org(), (&session, &driver), (1, fastrand::i64(2..10_000)), clock()).await;
                if fastrand::u8(0..3) == 0 {
                    // A credit while its charge is on its way, or behind it.
                    tokio::time::sleep(Duration::from_millis(fastrand::u64(0..30))).await;
                    issue(&store, &org(), (&session, &driver), (2, -1), clock()).await;
                }
                tokio::time::sleep(Duration::from_millis(fastrand::u64(5..25))).await;
            }
        };
        let asking = async {
            loop {
                outbox.look(clock()).await.unwrap();
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        let ((), ()) = tokio::join!(issuing, asking);
    });
}

fn start(place: &Place, address: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "killed::worker"])
        .env("TAKST_MONEY_DATABASE", &place.url)
        .env("TAKST_MONEY_PROVIDER", address)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name)
        .map_or(usual, |text| text.parse().unwrap_or_else(|_| panic!("{name}={text}: a number")))
}

async fn killed_again_and_again(place: Place) {
    let (rounds, seed) = (number("TAKST_MONEY_KILLS", 15), number("TAKST_MONEY_SEED", 1));
    let port = number("TAKST_MONEY_PORT", 0);
    let port = if port == 0 || place.is_sqlite() { port } else { port + 1 };
    let fake = Arc::new(Fake::default());
    let address = serve(&fake, seed, u16::try_from(port).unwrap()).await.to_string();
    let store = place.open().await;
    store.write(Lane::org(&org()), async move |tx| tx.add_org(&org(), "x", at(0)).await).await.unwrap();
    store.close().await;
    let mut rng = fastrand::Rng::with_seed(seed);
    for _ in 0..rounds {
        let mut child = start(&place, &address);
        tokio::time::sleep(Duration::from_millis(rng.u64(100..700))).await;
        child.kill().unwrap();
        let status = child.wait().unwrap();
        // It died of the signal and of nothing else.
        assert_eq!(status.code(), None, "{status}");
    }
    let store = place.open().await;
    let unsure = store.read().await.unwrap().calling_intents(&org()).await.unwrap().len();
    let provider = Arc::new(Remote(address.parse().unwrap()));
    let installed = Arc::new(Installed { provider, version: "1.0.0".to_owned() });
    let outbox = Outbox::new(store.clone(), installed, quick());
    outbox.take_up(&org(), clock()).await.unwrap();
    let begin = std::time::Instant::now();
    while intents(&store, &org()).await.iter().any(|row| row.finished_at.is_none()) {
        assert!(begin.elapsed() < Duration::from_secs(120), "it does not end");
        outbox.look(clock()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let mut billed: BTreeMap<String, i64> = BTreeMap::new();
    let mut reader = store.read().await.unwrap();
    let entries = reader.ledger_entries(&org(), &LedgerFilter::default(), None, 100_000).await.unwrap();
    let mut bills = 0;
    for entry in entries.iter().filter(|entry| matches!(entry.kind, EntryKind::Bill | EntryKind::Refund)) {
        bills += u64::from(entry.kind == EntryKind::Bill);
        for line in reader.ledger_lines(&org(), &entry.id).await.unwrap() {
            if line.account == AccountKind::Receivable {
                *billed.entry(line.owner.replace("driver:", "")).or_default() += line.amount;
            }
        }
    }
    drop(reader);
    let paid = payments(&store, &org()).await;
    assert_eq!(u64::try_from(paid.len()).unwrap(), bills);
    assert!(bills > rounds, "only {bills} bills: nothing was proved");
    settled(&store, &org(), &fake, &billed).await;
    println!(
        "{rounds} kills on {}: {bills} bills, {} intents, {unsure} were being asked at the last kill; each happened once",
        if place.is_sqlite() { "SQLite" } else { "PostgreSQL" },
        intents(&store, &org()).await.len()
    );
}
both!(killed_again_and_again);
