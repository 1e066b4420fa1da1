//! What the units of a group share: look-ups ahead and rows that are written together must not be told from units that run alone.

use crate::store_support::*;
use std::pin::pin;
use std::task::{Context, Waker};
use takst_gateway::store::*;
use tokio::sync::oneshot;

const CHARGERS: usize = 5;

/// One lane, so that everything meets in one group.
async fn open(place: &Place) -> Store {
    Store::open_with(&place.url, Options { lanes: 1, ..Options::default() }).await.unwrap()
}

/// Keeps the lane busy until the sender speaks: what is asked meanwhile becomes one group.
async fn busy(store: &Store) -> (oneshot::Sender<()>, tokio::task::JoinHandle<()>) {
    let (go, wait) = oneshot::channel::<()>();
    let (began, begun) = oneshot::channel::<()>();
    let store = store.clone();
    let gate = std::sync::Mutex::new(Some((wait, began)));
    let task = tokio::spawn(async move {
        let unit = async move |_: &mut Tx| {
            let taken = gate.lock().unwrap().take();
            if let Some((wait, began)) = taken {
                began.send(()).unwrap();
                let _ = wait.await;
            }
            Ok(())
        };
        store.write(Lane::org(&org()), unit).await.unwrap();
    });
    begun.await.unwrap();
    (go, task)
}

/// Runs units in one group; what each gave.
async fn together<T: Send + 'static>(
    store: &Store,
    units: Vec<impl Future<Output = Result<T, Error>> + Send + 'static>,
) -> Vec<Result<T, Error>> {
    let (go, task) = busy(store).await;
    let mut waiting = Vec::new();
    for unit in units {
        let mut unit = Box::pin(unit);
        let mut context = Context::from_waker(Waker::noop());
        assert!(pin!(tokio::task::unconstrained(&mut unit)).poll(&mut context).is_pending());
        waiting.push(unit);
    }
    go.send(()).unwrap();
    task.await.unwrap();
    let mut given = Vec::new();
    for unit in waiting {
        given.push(unit.await);
    }
    given
}

fn progress(number: i64) -> Progress {
    Progress {
        energy: Some(takst_engine::units::Energy(number)),
        last_reading_at: Some(at(number)),
        flags: format!(r#"["{number}"]"#),
        track: format!("{{\"n\":{number}}}"),
        at: at(number),
    }
}

fn ahead(charger: &str, dedupe: &str, transaction: &str) -> Vec<Ahead> {
    vec![
        Ahead::Fact(org(), charger.to_owned(), dedupe.to_owned()),
        Ahead::Transaction(org(), charger.to_owned(), transaction.to_owned()),
    ]
}

/// A meter value as the desk has it: is it new, whose is it, keep it, take it into its session.
async fn meter_value(store: Store, charger: String, number: i64) -> Result<bool, Error> {
    let (lane, ahead) = (Lane::charger(&org(), &charger), ahead(&charger, &number.to_string(), "7"));
    let fact = fact(&number.to_string());
    let unit = async move |tx: &mut Tx| {
        if tx.find_fact(&org(), &charger, &number.to_string()).await?.is_some() {
            return Ok(false);
        }
        let session = tx.session_by_transaction(&org(), &charger, "7").await?.unwrap();
        let fact = Fact { session: Some(session.id.clone()), ..fact.clone() };
        tx.keep_fact(&org(), &charger, &fact).await?;
        tx.session_progress(&org(), &session.id, &progress(number)).await?;
        tx.put_readings(&org(), &session.id, &[reading(number)]).await?;
        let power = PowerChange {
            seq: number,
            from_at: at(number),
            received_at: at(number),
            power: 11_000_000,
            amps: Some(number),
        };
        tx.put_power(&org(), &session.id, &[power]).await?;
        Ok(true)
    };
    store.write_ahead(lane, ahead, unit).await
}

async fn many_meter_values_are_a_few_statements(place: Place) {
    let store = open(&place).await;
    let alone = place.is_sqlite();
    let mut ids = Vec::new();
    for charger in 0..200 {
        let row = session(&format!("C{charger}"));
        ids.push(row.id.clone());
        store.write(Lane::org(&org()), async move |tx| tx.add_session(&org(), &row).await).await.unwrap();
    }
    let values = |number: i64| {
        (0..200).map(|charger| meter_value(store.clone(), format!("C{charger}"), number)).collect()
    };
    for number in 0..3 {
        let before = store.tally();
        let new = together(&store, values(number)).await;
        assert!(new.iter().all(|new| *new == Ok(true)));
        let after = store.tally();
        assert_eq!(after.units - before.units, 201);
        assert_eq!(after.groups - before.groups, 2);
        // 200 = 128 + 64 + 8: three statements for each of two look-ups and four tables. What the lane has written itself it need not look up,
        // where nobody else writes.
        let looked_up = if alone && number > 0 { 3 } else { 6 };
        assert_eq!(after.statements - before.statements, looked_up + 12);
    }
    // Said again, nothing is written.
    let before = store.tally();
    let new = together(&store, values(2)).await;
    assert!(new.iter().all(|new| *new == Ok(false)));
    assert_eq!(store.tally().statements - before.statements, if alone { 3 } else { 6 });
    let mut reader = store.read().await.unwrap();
    for id in ids {
        let row = reader.session(&org(), &id).await.unwrap().unwrap();
        assert_eq!(
            (row.energy.unwrap().0, row.track.as_deref(), row.updated_at),
            (2, Some(r#"{"n":2}"#), at(2))
        );
        let parts = reader.session_parts(&org(), &id).await.unwrap();
        assert_eq!(parts.readings, (0..3).map(reading).collect::<Vec<_>>());
        assert_eq!(parts.power.len(), 3);
        let facts = reader.session_facts(&org(), &id, None, 10).await.unwrap();
        assert_eq!(facts.len(), 3);
    }
    drop(reader);
    store.close().await;
}

both!(many_meter_values_are_a_few_statements);

/// One step of a unit, made up from a number.
async fn step(tx: &mut Tx, sessions: &[Session], seed: u64) -> Result<String, Error> {
    let mut random = fastrand::Rng::with_seed(seed);
    let org = org();
    let charger = format!("C{}", random.usize(..CHARGERS));
    // In some rounds units fail: then the whole group is done unit by unit.
    let may_fail = seed / 10_000 % 4 == 3;
    let own = &sessions[random.usize(..sessions.len() - usize::from(!may_fail))];
    let transaction = random.usize(6..9).to_string();
    let dedupe = random.u8(..12).to_string();
    let number = i64::from(random.u8(..4));
    Ok(match random.u8(..17) {
        0..3 => match tx.find_fact(&org, &charger, &dedupe).await? {
            Some(known) => known.document,
            None => {
                let fact = Fact {
                    // Ids that do not depend on the run.
                    id: format!("{seed:020}"),
                    document: seed.to_string(),
                    session: random.bool().then(|| own.id.clone()),
                    ..fact(&dedupe)
                };
                tx.keep_fact(&org, &charger, &fact).await?;
                "kept".to_owned()
            }
        },
        3..5 => {
            let found = tx.session_by_transaction(&org, &charger, &transaction).await?;
            let shown = format!("{found:?}");
            if let Some(found) = found {
                tx.session_progress(&org, &found.id, &progress(i64::from(random.u8(..100)))).await?;
                tx.put_readings(&org, &found.id, &[reading(number), reading(number + 1)]).await?;
            }
            shown
        }
        5 => {
            let met = tx.session_progress(&org, &own.id, &progress(i64::from(random.u8(..100)))).await;
            format!("{met:?}")
        }
        6 => {
            let running = tx.running_sessions(&org, &charger, None).await?;
            let shown = format!("{running:?}");
            // As with a status of a connector.
            if let Some(first) = running.first().filter(|_| random.bool()) {
                tx.session_progress(&org, &first.id, &progress(i64::from(random.u8(..100)))).await?;
            }
            shown
        }
        7 => format!("{:?}", tx.session(&org, &own.id).await?),
        8 => format!("{:?}", tx.session_parts(&org, &own.id).await?),
        9 => {
            let change = |state: &str| StateChange {
                seq: number,
                from_at: at(number),
                received_at: at(number),
                state: state.to_owned(),
            };
            tx.put_states(&org, &own.id, &[change("waiting"), change("charging")]).await?;
            format!("{:?}", tx.session_counts(&org, &own.id).await?)
        }
        10 => {
            let rows = SessionRows { readings: (0..number).map(reading).collect(), ..SessionRows::default() };
            let news = tx.only_news(&org, &own.id, rows).await?;
            tx.put_readings(&org, &own.id, &news.readings).await?;
            format!("{news:?}")
        }
        11 => {
            let Some(mut row) = tx.session(&org, &own.id).await? else { return Ok("none".to_owned()) };
            row.transaction_ref = Some(transaction);
            row.status = if random.bool() { SessionStatus::Running } else { SessionStatus::Ended };
            tx.update_session(&org, &row).await?;
            "updated".to_owned()
        }
        12 => {
            tx.set_hold(&org, &own.id, random.bool(), ("because", "me"), at(number)).await?;
            tx.set_billing(&org, &own.id, Billing::Due).await?;
            "decided".to_owned()
        }
        13 => format!("{:?}", tx.facts(&org, &charger, None, 100).await?),
        14 => {
            let facts = tx.facts(&org, &charger, None, 1).await?;
            if let Some(fact) = facts.first() {
                tx.settle_fact(&org, &charger, &fact.id, Some(&own.id), Some("answered")).await?;
            }
            format!("{}", facts.len())
        }
        15 => {
            let again = Fact { id: format!("{seed:020}"), ..fact(&dedupe) };
            format!("{:?}", tx.append_fact(&org, &charger, &again).await? == Appended::New)
        }
        _ if may_fail => return Err(Error::refused(format!("no {number}"))),
        _ => String::new(),
    })
}

/// A unit of a few steps.
async fn unit(store: Store, sessions: Vec<Session>, seed: u64) -> Result<Vec<String>, Error> {
    let mut random = fastrand::Rng::with_seed(seed);
    let charger = format!("C{}", random.usize(..CHARGERS));
    let mut ahead = Vec::new();
    for _ in 0..6 {
        ahead.extend(self::ahead(
            &format!("C{}", random.usize(..CHARGERS)),
            &random.u8(..12).to_string(),
            &random.usize(6..9).to_string(),
        ));
    }
    let steps = random.u64(1..5);
    let work = async move |tx: &mut Tx| {
        let mut told = Vec::new();
        for step in 0..steps {
            told.push(self::step(tx, &sessions, seed * 10 + step).await?);
        }
        Ok(told)
    };
    store.write_ahead(Lane::charger(&org(), &charger), ahead, work).await
}

async fn all_there_is(store: &Store, sessions: &[Session]) -> String {
    let mut reader = store.read().await.unwrap();
    let mut all = String::new();
    for session in sessions {
        all += &format!("{:?}\n", reader.session(&org(), &session.id).await.unwrap());
        all += &format!("{:?}\n", reader.session_parts(&org(), &session.id).await.unwrap());
    }
    for charger in 0..CHARGERS {
        all += &format!("{:?}\n", reader.facts(&org(), &format!("C{charger}"), None, 1000).await.unwrap());
    }
    all
}

async fn a_group_is_what_its_units_are_alone(place: Place) {
    let rounds = if place.is_sqlite() { 100 } else { 15 };
    let sessions: Vec<Session> = (0..8)
        .map(|number| Session {
            id: format!("S{number}"),
            transaction_ref: Some((6 + number % 3).to_string()),
            ..session(&format!("C{}", number % CHARGERS))
        })
        .collect();
    let other = place.another().await;
    let (grouped, alone) = (open(&place).await, open(&other).await);
    for store in [&grouped, &alone] {
        // The last one is not there: what concerns it fails.
        for row in &sessions[..7] {
            let row = row.clone();
            store.write(Lane::org(&org()), async move |tx| tx.add_session(&org(), &row).await).await.unwrap();
        }
    }
    for round in 0..rounds {
        let seeds: Vec<u64> = (0..25).map(|number| 1 + round * 1000 + number).collect();
        let units = seeds.iter().map(|seed| unit(grouped.clone(), sessions.clone(), *seed)).collect();
        let given = together(&grouped, units).await;
        let mut wanted = Vec::new();
        for seed in &seeds {
            wanted.push(unit(alone.clone(), sessions.clone(), *seed).await);
        }
        for ((seed, given), wanted) in seeds.iter().zip(&given).zip(&wanted) {
            assert_eq!(given, wanted, "round {round}, unit {seed}");
        }
        assert_eq!(
            all_there_is(&grouped, &sessions).await,
            all_there_is(&alone, &sessions).await,
            "round {round}"
        );
    }
    grouped.close().await;
    alone.close().await;
}

both!(a_group_is_what_its_units_are_alone);
