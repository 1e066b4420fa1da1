//! Random schedules: bills and credits, a provider in every kind of trouble, gateways that die at every step.

use crate::fake::{Fake, Installed, PLUGIN};
use crate::made::*;
use crate::store_support::*;
use std::collections::BTreeMap;
use std::time::Duration;
use takst_engine::units::Instant;
use takst_gateway::outbox::{Decision, Options, Outbox, Rules};
use takst_gateway::store::*;

const START: Instant = Instant(1_700_000_000_000);
/// Schedules that share a database, each as an organisation of its own.
const SHARED: u64 = 25;

#[derive(Default)]
struct Told {
    deaths: u64,
    calls: u64,
    reopened: u64,
    dead: u64,
}

/// One schedule; the store it ends with (it may have been opened again).
async fn schedule(mut store: Store, place: &Place, seed: u64, told: &mut Told) -> Store {
    let mut rng = fastrand::Rng::with_seed(seed);
    let org = OrgId::new(format!("o{seed}"));
    let owner = org.clone();
    store.write(Lane::org(&org), async move |tx| tx.add_org(&owner, "x", START).await).await.unwrap();
    let fake = Fake::random(seed);
    // With little patience some become dead letters, which a person then has to try again.
    let failures = [3, 6, 40][usize::try_from(seed % 3).unwrap()];
    let options = Options { rules: Rules { failures, ..options().rules }, ..options() };
    let open = |store: &Store| Outbox::new(store.clone(), Installed::of(&fake), options.clone());
    let mut outbox = open(&store);
    let mut now = START;
    let mut billed: BTreeMap<String, i64> = BTreeMap::new();
    let mut bills: Vec<(String, String, i64)> = Vec::new();
    let mut to_come = rng.usize(3..12);
    let mut quiet = false;
    for step in 0.. {
        assert!(step < 3_000, "seed {seed}: it does not end: {:#?}", intents(&store, &org).await);
        if step == 60 {
            // From here on all goes well.
            fake.truth().rng = None;
            quiet = true;
            to_come = 0;
        }
        if to_come > 0 && rng.u8(0..3) == 0 {
            to_come -= 1;
            let driver = format!("d{}", rng.u8(0..2));
            let credit = !bills.is_empty() && rng.u8(0..3) == 0;
            let (session, driver, total) = if credit {
                let (session, driver, total) = bills.swap_remove(rng.usize(0..bills.len()));
                let back = rng.i64(1..=total);
                (session, driver, -back)
            } else {
                let (session, total) = (new_id(), rng.i64(1..10_000));
                bills.push((session.clone(), driver.clone(), total));
                (session, driver, total)
            };
            issue(&store, &org, (&session, &driver), (step + 1, total), now).await;
            *billed.entry(driver).or_default() += total;
        }
        match rng.u8(0..10) {
            0 => {
                let theirs = fake.truth().payments.values().next().map(|kept| kept.theirs.clone());
                if let Some(theirs) = theirs {
                    outbox.hint(&org, PLUGIN, (&theirs, None), now).await.unwrap();
                }
            }
            1 => {
                // What takes its time at the provider goes on by itself.
                let mut truth = fake.truth();
                let ours: Vec<String> = truth.payments.keys().cloned().collect();
                ours.iter().for_each(|ours| truth.proceed(ours));
            }
            _ => {}
        }
        let dead: Vec<Intent> =
            intents(&store, &org).await.into_iter().filter(|row| row.state == IntentState::Dead).collect();
        for row in dead {
            told.dead += 1;
            let decision = Decision { by: "anna".into(), reason: "again".into() };
            outbox.retry(&org, &row.id, decision, now).await.unwrap();
        }
        if quiet {
            let mut truth = fake.truth();
            let ours: Vec<String> = truth.payments.keys().cloned().collect();
            ours.iter().for_each(|ours| truth.proceed(ours));
        }
        let looking = tokio::spawn({
            let outbox = outbox.clone();
            async move { outbox.look(now).await }
        });
        let abort = looking.abort_handle();
        // Now and then it dies anywhere, in the middle of a commit too.
        let anywhere = (!quiet && rng.u8(0..8) == 0).then(|| Duration::from_micros(rng.u64(0..6_000)));
        let died = tokio::select! {
            done = looking => {
                done.unwrap().unwrap();
                false
            }
            () = fake.crash.notified() => true,
            () = async {
                match anywhere {
                    Some(after) => tokio::time::sleep(after).await,
                    None => std::future::pending().await,
                }
            } => true,
        };
        if died {
            abort.abort();
            told.deaths += 1;
            drop(outbox);
            if rng.u8(0..6) == 0 {
                told.reopened += 1;
                store.close().await;
                store = place.open().await;
            }
            outbox = open(&store);
            outbox.take_up(&org, now).await.unwrap();
        }
        let next = store.read().await.unwrap().next_intent(&org).await.unwrap();
        match next {
            Some(next) => now = Instant(next.0.max(now.0) + 1),
            // All is done, or what is left needs a person.
            None => now = Instant(now.0 + 1_000),
        }
        // Nothing is left for the next schedule to stumble upon: outboxes work for all organisations.
        if next.is_none()
            && to_come == 0
            && intents(&store, &org).await.iter().all(|row| row.finished_at.is_some())
        {
            break;
        }
    }
    told.calls += fake.truth().calls;
    settled(&store, &org, &fake, &billed).await;
    store
}

async fn schedules(place: &Place, from: u64, count: u64) {
    let begin = std::time::Instant::now();
    let mut told = Told::default();
    let mut seed = from;
    while seed < from + count {
        let place = place.another().await;
        let mut store = place.open().await;
        for _ in 0..SHARED.min(from + count - seed) {
            store = schedule(store, &place, seed, &mut told).await;
            seed += 1;
        }
        store.close().await;
    }
    let Told { deaths, calls, reopened, dead } = told;
    println!(
        "{} schedules from seed {from} on {}: {calls} calls, {deaths} deaths of the gateway, {reopened} of them with the database opened again, {dead} dead letters tried again, in {:.0?}",
        count,
        if place.is_sqlite() { "SQLite" } else { "PostgreSQL" },
        begin.elapsed()
    );
    // A run without trouble would prove nothing.
    assert!(deaths > count / 2, "only {deaths} deaths");
}

fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name)
        .map_or(usual, |text| text.parse().unwrap_or_else(|_| panic!("{name}={text}: a number")))
}

fn quietly() {
    // Plugins that break off are part of the play.
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if info.payload().downcast_ref::<&str>() != Some(&"trap") {
            usual(info);
        }
    }));
}

#[test]
fn everything_happens_exactly_once_sqlite() {
    quietly();
    let (seed, count) = (number("TAKST_MONEY_SEED", 1), number("TAKST_MONEY_SCHEDULES", 60));
    run(async { schedules(&Place::sqlite(), seed, count).await });
}

#[test]
fn everything_happens_exactly_once_postgres() {
    quietly();
    let (seed, count) = (number("TAKST_MONEY_SEED", 1), number("TAKST_MONEY_SCHEDULES", 60) / 4);
    run(async { schedules(&Place::postgres().await, seed + 1_000_000, count).await });
}
