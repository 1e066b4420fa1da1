//! How fast the store is. Not run by default: `cargo test --release -p takst-gateway --test store speed --
//! --ignored --nocapture --test-threads 1`

use crate::store_support::*;
use std::time::{Duration, Instant as Clock};
use takst_gateway::store::*;

/// Units of three statements (a fact, a reading, the progress of the session) from `chargers` chargers, each
/// of which waits for its answer; `each` per charger. With `rate`, so many a second are offered in all, and a
/// time counts from when the unit was due; without it, as many as go through.
async fn speed(place: Place, chargers: usize, each: usize, rate: Option<u32>) {
    let store = place.open().await;
    let mut tasks = Vec::new();
    let begin = Clock::now() + Duration::from_millis(1500);
    for number in 0..chargers {
        let store = store.clone();
        tasks.push(tokio::spawn(async move {
            let org = org();
            let name = format!("charger-{number}");
            let lane = Lane::charger(&org, &name);
            let row = session(&name);
            let (owner, first) = (org.clone(), row.clone());
            store.write(lane, async move |tx| tx.add_session(&owner, &first).await).await.unwrap();
            tokio::time::sleep_until(begin.into()).await;
            let mut times = Vec::new();
            for turn in 0..each {
                let (org, name, session) = (org.clone(), name.clone(), row.id.clone());
                let seq = i64::try_from(turn).unwrap();
                let (fact, reading) = (fact(&format!("{turn}")), reading(seq));
                let progress = Progress {
                    energy: Some(reading.imported),
                    last_reading_at: Some(reading.at),
                    flags: "[]".to_owned(),
                    track: "{}".to_owned(),
                    at: reading.received_at,
                };
                let due = match rate {
                    None => Clock::now(),
                    Some(rate) => {
                        begin + Duration::from_secs_f64((turn * chargers + number) as f64 / f64::from(rate))
                    }
                };
                tokio::time::sleep_until(due.into()).await;
                store
                    .write(lane, async move |tx| {
                        tx.append_fact(&org, &name, &fact).await?;
                        tx.put_readings(&org, &session, std::slice::from_ref(&reading)).await?;
                        tx.session_progress(&org, &session, &progress).await
                    })
                    .await
                    .unwrap();
                times.push(due.elapsed());
            }
            times
        }));
    }
    let mut times: Vec<Duration> = Vec::new();
    for task in tasks {
        times.extend(task.await.unwrap());
    }
    let took = begin.elapsed();
    times.sort();
    println!(
        "{}: {} durable units of 3 statements from {chargers} chargers{}: {:.0}/s, p50 {:.1?}, p99 {:.1?}, worst {:.1?}",
        if place.is_sqlite() { "SQLite" } else { "PostgreSQL" },
        times.len(),
        rate.map(|rate| format!(", {rate}/s offered")).unwrap_or_default(),
        times.len() as f64 / took.as_secs_f64(),
        times[times.len() / 2],
        times[times.len() * 99 / 100],
        times[times.len() - 1],
    );
    store.close().await;
}

/// Chargers, units of each, units offered a second.
const LOADS: [(usize, usize, Option<u32>); 5] =
    [(1, 500, None), (64, 500, None), (256, 200, None), (1000, 50, None), (1000, 50, Some(5000))];

/// All loads, or the one with the number in `TAKST_SPEED_LOAD`.
fn loads() -> Vec<(usize, usize, Option<u32>)> {
    match std::env::var("TAKST_SPEED_LOAD") {
        Ok(number) => vec![LOADS[number.parse::<usize>().unwrap()]],
        Err(_) => LOADS.to_vec(),
    }
}

#[test]
#[ignore = "a measurement"]
fn units_sqlite() {
    for (chargers, each, rate) in loads() {
        run(speed(Place::sqlite(), chargers, each, rate));
    }
}

#[test]
#[ignore = "a measurement"]
fn units_postgres() {
    for (chargers, each, rate) in loads() {
        run(async { speed(Place::postgres().await, chargers, each, rate).await });
    }
}
