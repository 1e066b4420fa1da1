//! How long `takst serve` takes from its start to `/readyz`, on a database with a million sessions of which a thousand run.

use crate::gateway::{Gateway, SITES};
use crate::ledger::Ledger;
use crate::rounds::url;
use crate::store_support::{Place, run};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _};
use std::sync::Arc;
use std::time::{Duration, Instant as Clock};
use takst_gateway::simulate::{Address, Fleet, Observer, Scenario};

const MILLION: u32 = 1_000_000;

/// Cars that charge for hours.
const SCENARIO: &str = "
title = 'sessions that run'
duration = '1s'
connect_over = '2s'
[charger]
meter_every = '2s'
[cars]
free_for = '0s'
energy_kwh = '80'
power_kw = '22'
stays = '1h'
";

async fn execute(place: &Place, sql: &str) {
    let sql = AssertSqlSafe(sql.to_owned());
    if place.is_sqlite() {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(url(place));
        let mut conn = options.connect().await.unwrap();
        conn.execute(sql).await.unwrap();
        conn.close().await.unwrap();
    } else {
        let mut conn = sqlx::PgConnection::connect(&url(place)).await.unwrap();
        conn.execute(sql).await.unwrap();
        conn.close().await.unwrap();
    }
}

// Old sessions with their bills, readings, reports and events. What is in their documents is not looked at again.
async fn fill(place: &Place) {
    let numbers = if place.is_sqlite() {
        format!(
            "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {MILLION})"
        )
    } else {
        format!("WITH numbers (n) AS (SELECT generate_series(1, {MILLION}))")
    };
    let text = "'{\"as long as a short document\": \"0123456789012345678901234567890123456789012345678901234567890123456789\"}'";
    let fills = [
        (
            "session",
            "org, id, charger, evse, groups_doc, transaction_ref, plugged_in, started_at, status, flags, billing, document, created_at, updated_at, hold, driver, site",
            format!(
                "'crash', 'old' || n, 'N-' || (n % 1000), 1, '[]', 'old' || n, n * 1000, n * 1000, 'ended', '[]', 'billed', {text}, n, n, 0, 'd-' || (n % 5000), 'site-' || (n % 50)"
            ),
        ),
        (
            "bill",
            "org, id, session, seller, series, number, kind, revision, issued_at, status, currency, total, hashes, document",
            format!(
                "'crash', 'old' || n, 'old' || n, 'seller', 'old-', n, 'bill', 1, n, 'final', 'EUR', 100, '{{}}', {text}"
            ),
        ),
        (
            "session_reading",
            "org, session, seq, at, received_at, imported, segment",
            "'crash', 'old' || n, 1, n, n, n, 0".to_owned(),
        ),
        (
            "session_reading",
            "org, session, seq, at, received_at, imported, segment",
            "'crash', 'old' || n, 2, n, n, n, 0".to_owned(),
        ),
        (
            "station_fact",
            "org, charger, id, kind, received_at, dedupe, document, session",
            format!(
                "'crash', 'N-' || (n % 1000), 'old-start' || n, 'start', n, 'start' || n, {text}, 'old' || n"
            ),
        ),
        (
            "station_fact",
            "org, charger, id, kind, received_at, dedupe, document, session",
            format!(
                "'crash', 'N-' || (n % 1000), 'old-stop' || n, 'stop', n, 'stop' || n, {text}, 'old' || n"
            ),
        ),
        (
            "event",
            "org, seq, at, kind, subject, document",
            format!("'crash', -n, n, 'session.ended', 'old' || n, {text}"),
        ),
    ];
    for (table, columns, values) in fills {
        execute(place, &format!("INSERT INTO {table} ({columns}) {numbers} SELECT {values} FROM numbers"))
            .await;
    }
    if !place.is_sqlite() {
        execute(place, "VACUUM ANALYZE").await;
    }
}

async fn starts(place: Place) {
    let kind = if place.is_sqlite() { "SQLite" } else { "PostgreSQL" };
    let running: u32 = std::env::var("TAKST_CRASH_CHARGERS").map_or(1_000, |text| text.parse().unwrap());
    let gateway = Gateway::at(&place);
    let mut served = gateway.start();
    gateway.ready(&mut served).await;
    let ledger = Arc::new(Ledger::default());
    let scenario = Scenario::read(&format!("chargers = {running}\n{SCENARIO}")).unwrap();
    let address = Address::read(&format!("ws://{}/ocpp", gateway.address)).unwrap();
    let observer: Arc<dyn Observer> = Arc::<Ledger>::clone(&ledger);
    let fleet =
        Fleet::start(&address, scenario.members(SITES[0], None), 1, None, observer, None).await.unwrap();
    let begin = Clock::now();
    let all_run = || {
        let book = ledger.book();
        let mut transactions = book.chargers.values().flat_map(|charger| charger.transactions.values());
        book.chargers.len() == running as usize
            && transactions.all(|transaction| transaction.messages.len() >= 5)
    };
    while !all_run() {
        assert!(
            begin.elapsed() < Duration::from_secs(300),
            "not all sessions run: {}",
            ledger.book().chargers.len()
        );
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    drop(fleet);
    drop(served);
    for full in [false, true] {
        if full {
            let begin = Clock::now();
            fill(&place).await;
            println!("{kind}: filled in {:.0?}", begin.elapsed());
        }
        let mut times = Vec::new();
        for _ in 0..5 {
            let mut served = gateway.start();
            times.push(gateway.ready(&mut served).await);
        }
        times.sort();
        let old = if full { MILLION } else { 0 };
        println!("{kind}: start to /readyz with {old} old sessions and {running} that run: {times:.0?}");
        assert!(times[2] < Duration::from_secs(2), "{times:?}");
    }
}

#[test]
#[ignore = "a measurement of a few minutes: cargo test --release -p takst-gateway --test crash million -- --ignored --nocapture"]
fn start_on_a_million_sessions_sqlite() {
    run(starts(Place::sqlite()));
}

#[test]
#[ignore = "a measurement of a few minutes"]
fn start_on_a_million_sessions_postgres() {
    run(async { starts(Place::postgres().await).await });
}
