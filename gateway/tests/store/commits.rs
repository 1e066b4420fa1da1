//! Grouped commits: order, failures that stay alone, retries, shutting down, and kill -9.
//!
//! More rounds of kill -9: `TAKST_KILL_ROUNDS=1000 cargo test -p takst-gateway --test store kill`.

use crate::store_support::*;
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::pin::pin;
use std::process::{Command as Process, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Waker};
use std::time::{Duration, Instant as Clock};
use takst_gateway::store::*;

/// Polls a unit once, so that it stands in the queue; whether it still waits for its answer.
fn queued<F: Future + Unpin>(unit: &mut F) -> bool {
    let mut context = Context::from_waker(Waker::noop());
    pin!(tokio::task::unconstrained(unit)).poll(&mut context).is_pending()
}

/// Many chargers at once, each with many units under way, some of which fail after they have written.
async fn order_is_kept_and_a_failing_unit_stays_alone(place: Place) {
    let store = place.open().await;
    let mut tasks = Vec::new();
    for charger in 0..20 {
        let mut units = Vec::new();
        for turn in 0..60 {
            let (city, name) = (org(), format!("C{charger}"));
            let fact = Fact { document: turn.to_string(), ..fact(&turn.to_string()) };
            let store = store.clone();
            let lane = Lane::charger(&city, &name);
            // Queued in this order: the future is polled once before the next is made.
            let mut unit = Box::pin(async move {
                store
                    .write(lane, async move |tx| {
                        tx.append_fact(&city, &name, &fact).await?;
                        tx.log_event(&city, event("e", &name));
                        let before = tx.facts(&city, &name, None, 1000).await?;
                        assert!(before.iter().any(|one| one.id == fact.id), "a unit sees its own changes");
                        match turn % 7 {
                            3 => Err(Error::refused("no")),
                            5 => tx
                                .append_fact(&city, &name, &Fact { id: "twice".repeat(40), ..fact.clone() })
                                .await
                                .map(drop),
                            _ => Ok(()),
                        }
                    })
                    .await
            });
            assert!(queued(&mut unit));
            units.push(unit);
        }
        tasks.push(tokio::spawn(async move {
            let mut outcomes = Vec::new();
            for unit in units {
                outcomes.push(unit.await);
            }
            outcomes
        }));
    }
    for (charger, task) in tasks.into_iter().enumerate() {
        for (turn, outcome) in task.await.unwrap().into_iter().enumerate() {
            assert_eq!(
                outcome,
                if turn % 7 == 3 { Err(Error::refused("no")) } else { Ok(()) },
                "C{charger} {turn}"
            );
        }
        let mut reader = store.read().await.unwrap();
        let kept = reader.facts(&org(), &format!("C{charger}"), None, 1000).await.unwrap();
        let kept: Vec<usize> = kept.iter().map(|fact| fact.document.parse().unwrap()).collect();
        assert_eq!(kept, (0..60).filter(|turn| turn % 7 != 3).collect::<Vec<_>>());
    }
    let events = store.read().await.unwrap().events_after(&org(), 0, 10_000).await.unwrap();
    assert_eq!(events.len(), 20 * 51);
    for charger in 0..20 {
        assert_eq!(events.iter().filter(|event| event.subject == format!("C{charger}")).count(), 51);
    }
}

both!(order_is_kept_and_a_failing_unit_stays_alone);

/// The order within a charger shows when each unit depends on the one before.
async fn units_of_a_charger_follow_each_other(place: Place) {
    let store = place.open().await;
    let city = org();
    let mut waiting = Vec::new();
    for turn in 0..400_i64 {
        let (owner, store) = (city.clone(), store.clone());
        let lane = Lane::charger(&city, "C1");
        let mut unit = Box::pin(async move {
            store
                .write(lane, async move |tx| {
                    tx.add_charger(&owner, "C1", Registration::Accepted, at(0)).await?;
                    let before = tx.charger(&owner, "C1").await?.unwrap().skew_ms;
                    tx.set_skew(&owner, "C1", turn).await?;
                    Ok(before)
                })
                .await
        });
        assert!(queued(&mut unit));
        waiting.push(unit);
    }
    for (turn, unit) in (0..).zip(waiting) {
        assert_eq!(unit.await.unwrap(), (turn > 0).then_some(turn - 1));
    }
}

both!(units_of_a_charger_follow_each_other);

async fn a_statement_that_fails_ends_its_unit_alone(place: Place) {
    let store = place.open().await;
    let city = org();
    let row = session("C1");
    let mut waiting = Vec::new();
    for turn in 0..30 {
        let (store, city, row) = (store.clone(), city.clone(), row.clone());
        waiting.push(tokio::spawn(async move {
            store
                .write(Lane::charger(&city, "C1"), async move |tx| {
                    tx.log_event(&city, event("e", &turn.to_string()));
                    let outcome = tx.add_session(&city, &row).await;
                    // Swallowed: PostgreSQL would refuse everything after it, so no unit can go on.
                    if turn % 2 == 0 {
                        drop(outcome);
                        Ok(())
                    } else {
                        outcome
                    }
                })
                .await
        }));
    }
    let mut good = 0;
    for task in waiting {
        match task.await.unwrap() {
            Ok(()) => good += 1,
            Err(error) => assert!(matches!(error, Error::Conflict(_) | Error::Database(_)), "{error:?}"),
        }
    }
    assert_eq!(good, 1, "one of them made the session");
    assert_eq!(store.read().await.unwrap().last_event(&city).await.unwrap(), 1);
}

both!(a_statement_that_fails_ends_its_unit_alone);

async fn a_unit_that_panics_stays_alone(place: Place) {
    let store = place.open().await;
    let city = org();
    let owner = city.clone();
    let broken = store
        .write(Lane::org(&city), async move |tx| {
            tx.add_org(&owner, "x", at(0)).await?;
            Ok(std::hint::black_box(None::<u8>).unwrap())
        })
        .await;
    assert!(matches!(broken, Err(Error::Refused(_))), "{broken:?}");
    let owner = city.clone();
    assert_eq!(
        store.write(Lane::org(&city), async move |tx| tx.add_org(&owner, "y", at(0)).await).await,
        Ok(true)
    );
}

both!(a_unit_that_panics_stays_alone);

async fn transaction_numbers_never_repeat(place: Place) {
    let mut seen = std::collections::BTreeSet::new();
    for round in 0..3 {
        // The lock of the file goes when the writer of the round before has written its last.
        let store = loop {
            match Store::open(&place.url).await {
                Ok(store) => break store,
                Err(error) => assert!(round == 2 && error.to_string().contains("in use"), "{error}"),
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        };
        let mut tasks = Vec::new();
        for turn in 0..200 {
            let (store, city) = (store.clone(), org());
            tasks.push(tokio::spawn(async move {
                let lane = Lane::charger(&city, &format!("C{turn}"));
                store
                    .write(lane, async move |tx| {
                        let number = tx.next_transaction_id(&city).await?;
                        if turn % 5 == 0 { Err(Error::refused("no")) } else { Ok(number) }
                    })
                    .await
            }));
        }
        for task in tasks {
            if let Ok(number) = task.await.unwrap() {
                assert!(number > 0 && seen.insert(number), "{number} in round {round}");
            }
        }
        if round == 1 {
            // Nobody says goodbye.
            drop(store);
        } else {
            store.close().await;
        }
    }
    assert_eq!(seen.len(), 3 * 160);
}

both!(transaction_numbers_never_repeat);

async fn closing_commits_what_is_queued(place: Place) {
    let store = place.open().await;
    let city = org();
    let mut waiting = Vec::new();
    for turn in 0..500 {
        let (store, city) = (store.clone(), city.clone());
        let lane = Lane::charger(&city, &format!("C{turn}"));
        let mut unit = Box::pin(async move {
            let fact = fact("x");
            store.write(lane, async move |tx| tx.append_fact(&city, &format!("C{turn}"), &fact).await).await
        });
        assert!(queued(&mut unit));
        waiting.push(unit);
    }
    store.close().await;
    for unit in waiting {
        assert_eq!(unit.await, Ok(Appended::New));
    }
    let owner = city.clone();
    assert_eq!(
        store.write(Lane::org(&city), async move |tx| tx.add_org(&owner, "x", at(0)).await).await,
        Err(Error::Closed)
    );
    assert_eq!(store.read().await.err(), Some(Error::Closed));
    store.close().await;
    if place.is_sqlite() {
        assert!(!std::path::Path::new(&format!("{}-wal", place.url)).exists(), "one file is left");
    }
}

both!(closing_commits_what_is_queued);

/// A queue of two: those who come when it is full wait for a place.
async fn the_queue_is_bounded(place: Place) {
    let options = Options { queue: 2, largest_group: 3, ..Options::default() };
    let store = Store::open_with(&place.url, options).await.unwrap();
    let tasks: Vec<_> = (0..200)
        .map(|turn| {
            let store = store.clone();
            tokio::spawn(async move {
                let (city, fact) = (org(), fact(&turn.to_string()));
                store
                    .write(Lane::charger(&org(), "C1"), async move |tx| {
                        tx.append_fact(&city, "C1", &fact).await
                    })
                    .await
            })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await.unwrap(), Ok(Appended::New));
    }
}

both!(the_queue_is_bounded);

/// Locks rows in opposite orders from different lanes: PostgreSQL ends one of them with a deadlock, which
/// nobody outside may notice.
#[test]
fn a_deadlock_is_not_the_caller_s_business() {
    run(async {
        let place = Place::postgres().await;
        let store = place.open().await;
        let runs = Arc::new(AtomicUsize::new(0));
        let mut tasks = Vec::new();
        for turn in 0..8_i64 {
            let (store, runs) = (store.clone(), Arc::clone(&runs));
            tasks.push(tokio::spawn(async move {
                let city = org();
                let lane = Lane::charger(&city, &format!("C{turn}"));
                store
                    .write(lane, async move |tx| {
                        runs.fetch_add(1, Ordering::Relaxed);
                        let (first, second) = if turn % 2 == 0 { ("a", "b") } else { ("b", "a") };
                        tx.lock_standing(&city, first, at(0)).await?;
                        tokio::time::sleep(Duration::from_millis(100)).await;
                        tx.lock_standing(&city, second, at(0)).await.map(drop)
                    })
                    .await
            }));
        }
        for task in tasks {
            assert_eq!(task.await.unwrap(), Ok(()));
        }
        assert!(runs.load(Ordering::Relaxed) > 8, "there was no deadlock: the test tests nothing");
    });
}

/// Another program holds the write lock of the SQLite file for longer than SQLite waits.
#[test]
fn a_busy_file_only_delays() {
    use sqlx::{ConnectOptions as _, Executor as _};
    run(async {
        let place = Place::sqlite();
        let store = place.open().await;
        let mut other =
            sqlx::sqlite::SqliteConnectOptions::new().filename(&place.url).connect().await.unwrap();
        other.execute("BEGIN IMMEDIATE").await.unwrap();
        let (owner, watched) = (org(), store.clone());
        assert_eq!(watched.stuck(), None);
        let begin = Clock::now();
        let unit = tokio::spawn(async move {
            store.write(Lane::org(&org()), async move |tx| tx.add_org(&owner, "x", at(0)).await).await
        });
        tokio::time::sleep(Duration::from_secs(6)).await;
        assert!(!unit.is_finished());
        let (_, why) = watched.stuck().expect("nothing can be committed");
        assert!(why.contains("locked"), "{why}");
        other.execute("ROLLBACK").await.unwrap();
        assert_eq!(unit.await.unwrap(), Ok(true));
        assert_eq!(watched.stuck(), None);
        assert!(begin.elapsed() > Duration::from_secs(5));
    });
}

/// Who asks whether anything can be written is told so also when nothing waits any more, and hears when it goes well again.
#[test]
fn what_was_given_up_is_known_and_tried_again_when_somebody_asks() {
    use sqlx::{ConnectOptions as _, Executor as _};
    run(async {
        let place = Place::sqlite();
        let options = Options { patience: Duration::from_millis(1), ..Options::default() };
        let store = Store::open_with(&place.url, options).await.unwrap();
        let owner = org();
        store.write(Lane::org(&org()), async move |tx| tx.add_org(&owner, "x", at(0)).await).await.unwrap();
        let mut other =
            sqlx::sqlite::SqliteConnectOptions::new().filename(&place.url).connect().await.unwrap();
        other.execute("BEGIN IMMEDIATE").await.unwrap();
        let owner = org();
        let given_up =
            store.write(Lane::org(&org()), async move |tx| tx.add_org(&owner, "y", at(0)).await).await;
        assert!(matches!(given_up, Err(Error::Unavailable(_))), "{given_up:?}");
        assert!(store.stuck().is_some());
        // What reads only says nothing about the disk.
        other.execute("ROLLBACK").await.unwrap();
        for _ in 0..100 {
            if store.stuck().is_none() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("it is still said that nothing can be written: {:?}", store.stuck());
    });
}

/// The server ends all connections again and again, also between COMMIT and its answer: what was acknowledged
/// is there once, what was not may be.
#[test]
fn lost_connections_lose_nothing_and_double_nothing() {
    use sqlx::{Connection as _, Executor as _};
    run(async {
        let place = Place::postgres().await;
        let store = place.open().await;
        let mut admin = sqlx::PgConnection::connect(server()).await.unwrap();
        let name = place.url.rsplit('/').next().unwrap().to_owned();
        let cut = format!(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = '{name}' AND application_name = 'takst'"
        );
        let tasks: Vec<_> = (0..40)
            .map(|charger| {
                let store = store.clone();
                tokio::spawn(async move {
                    for turn in 0..50_i64 {
                        let (city, name) = (org(), format!("C{charger}"));
                        let lane = Lane::charger(&city, &name);
                        // No key tells two of them apart: a unit that counted twice would show.
                        let fact = Fact { dedupe: None, document: turn.to_string(), ..fact("") };
                        store
                            .write(lane, async move |tx| {
                                tx.append_fact(&city, &name, &Fact { id: new_id(), ..fact.clone() }).await
                            })
                            .await
                            .unwrap();
                    }
                })
            })
            .collect();
        let mut cuts = 0;
        while !tasks.iter().all(tokio::task::JoinHandle::is_finished) {
            admin.execute(sqlx::AssertSqlSafe(cut.as_str())).await.unwrap();
            cuts += 1;
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
        for task in tasks {
            task.await.unwrap();
        }
        assert!(cuts > 2, "the work was done before it could be disturbed");
        let mut reader = loop {
            if let Ok(reader) = store.read().await {
                break reader;
            }
        };
        for charger in 0..40 {
            let facts = reader.facts(&org(), &format!("C{charger}"), None, 1000).await.unwrap();
            let turns: Vec<i64> = facts.iter().map(|fact| fact.document.parse().unwrap()).collect();
            assert_eq!(turns, (0..50).collect::<Vec<_>>(), "C{charger}");
        }
    });
}

/// What the child of the test below does: writes for ever and says what was acknowledged.
#[test]
#[ignore = "run by kill_9_loses_nothing"]
fn child_that_writes() {
    let Ok(url) = std::env::var("TAKST_KILL_URL") else { return };
    run(async {
        let store = Store::open(&url).await.unwrap();
        let tasks: Vec<_> = (0..8)
            .map(|charger| {
                let store = store.clone();
                tokio::spawn(async move {
                    loop {
                        let (city, name, fact) = (org(), format!("C{charger}"), fact(&new_id()));
                        let lane = Lane::charger(&city, &name);
                        let id = fact.id.clone();
                        let number = store
                            .write(lane, async move |tx| {
                                tx.append_fact(&city, &name, &fact).await?;
                                let bill = NewBill {
                                    id: fact.id.clone(),
                                    session: None,
                                    seller: "city".to_owned(),
                                    series: "2026".to_owned(),
                                    kind: BillKind::Bill,
                                    revision: 1,
                                    corrects: None,
                                    issued_at: at(0),
                                    status: "final".to_owned(),
                                    currency: "EUR".to_owned(),
                                    total: 1,
                                    hashes: "{}".to_owned(),
                                };
                                let bill = tx
                                    .issue_bill(&city, &bill, &[], event("bill.issued", &name), |number| {
                                        Ok(number.to_string())
                                    })
                                    .await?;
                                Ok(bill.number)
                            })
                            .await
                            .unwrap();
                        println!("ack C{charger} {id} {number}");
                    }
                })
            })
            .collect();
        futures_util::future::join_all(tasks).await;
    });
}

/// One writer is killed at a random moment, and every unit it acknowledged must be there, whole, with a
/// number of its own.
async fn kill_rounds(place: Place) {
    let rounds: u64 = std::env::var("TAKST_KILL_ROUNDS").map_or(3, |rounds| rounds.parse().unwrap());
    let mut acknowledged: BTreeMap<String, (String, i64)> = BTreeMap::new();
    for round in 0..rounds {
        let mut child = Process::new(std::env::current_exe().unwrap())
            .args(["--exact", "commits::child_that_writes", "--ignored", "--nocapture"])
            .env("TAKST_KILL_URL", &place.url)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let before = acknowledged.len();
        let mut note = |line: String| {
            // The last line may be cut.
            let Some((_, rest)) = line.split_once("ack ") else { return };
            let [charger, id, number] = rest.split(' ').collect::<Vec<_>>()[..] else { return };
            if id.len() == 32 {
                acknowledged.insert(id.to_owned(), (charger.to_owned(), number.parse().unwrap_or(0)));
            }
        };
        // The moment is another one each time.
        let until = Clock::now() + Duration::from_millis(30 + (round * 7919) % 400);
        let mut first = None;
        for line in lines.by_ref() {
            note(line.unwrap());
            let first = *first.get_or_insert_with(Clock::now);
            if Clock::now() > until.max(first + Duration::from_millis((round * 104_729) % 250)) {
                break;
            }
        }
        child.kill().unwrap();
        for line in lines.map_while(Result::ok) {
            note(line);
        }
        child.wait().unwrap();
        assert!(acknowledged.len() > before, "the child wrote nothing");

        let store = place.open().await;
        let mut reader = store.read().await.unwrap();
        let city = org();
        let mut facts = BTreeMap::new();
        for charger in 0..8 {
            let name = format!("C{charger}");
            for fact in reader.facts(&city, &name, None, i64::MAX).await.unwrap() {
                assert_eq!(facts.insert(fact.id, name.clone()), None);
            }
        }
        let bills = reader.bills(&city, &BillFilter::default(), None, i64::MAX).await.unwrap();
        let numbers: BTreeMap<i64, String> = bills.into_iter().map(|bill| (bill.number, bill.id)).collect();
        for (id, (charger, number)) in &acknowledged {
            assert_eq!(facts.get(id), Some(charger), "acknowledged and lost in round {round}: {id}");
            assert!(*number == 0 || numbers.get(number) == Some(id), "bill {number} of {id}");
        }
        assert!(numbers.keys().copied().eq(1..=i64::try_from(facts.len()).unwrap()), "numbers have a hole");
        let events = reader.last_event(&city).await.unwrap();
        assert_eq!(usize::try_from(events).unwrap(), facts.len(), "a unit is whole or not there");
        drop(reader);
        store.close().await;
    }
    println!("{rounds} rounds, {} acknowledged units, all there", acknowledged.len());
}

#[test]
fn kill_9_loses_nothing_on_sqlite() {
    run(kill_rounds(Place::sqlite()));
}

#[test]
fn kill_9_loses_nothing_on_postgres() {
    run(async { kill_rounds(Place::postgres().await).await });
}
