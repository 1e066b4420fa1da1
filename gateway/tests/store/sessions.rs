//! Sessions, their parts, prices and events, on both databases.

use crate::store_support::*;
use futures_util::TryStreamExt as _;
use takst_engine::units::{Energy, Instant};
use takst_gateway::store::*;

async fn sessions_are_found_and_changed(place: Place) {
    let store = place.open().await;
    let city = org();
    let mut row = session("C1");
    let other =
        Session { evse: 2, transaction_ref: Some("8".to_owned()), plugged_in: at(5), ..session("C1") };
    let ended =
        Session { status: SessionStatus::Ended, plugged_in: at(-5), billing: Billing::Due, ..session("C1") };
    let held = Session { billing: Billing::Due, status: SessionStatus::EndedInferred, ..session("C2") };
    let owner = city.clone();
    let rows = [row.clone(), other.clone(), ended.clone(), held.clone()];
    store
        .write(Lane::charger(&city, "C1"), async move |tx| {
            for row in &rows {
                tx.add_session(&owner, row).await?;
            }
            Ok(())
        })
        .await
        .unwrap();
    let owner = city.clone();
    let twice = row.clone();
    let conflict =
        store.write(Lane::charger(&city, "C1"), async move |tx| tx.add_session(&owner, &twice).await).await;
    assert!(matches!(conflict, Err(Error::Conflict(_))), "{conflict:?}");
    let (owner, id) = (city.clone(), held.id.clone());
    store
        .write(Lane::org(&city), async move |tx| {
            tx.set_hold(&owner, &id, true, ("register fell", "gateway"), at(7)).await
        })
        .await
        .unwrap();

    let mut reader = store.read().await.unwrap();
    assert_eq!(reader.session(&city, &row.id).await.unwrap(), Some(row.clone()));
    assert_eq!(
        reader.session_by_transaction(&city, "C1", "7").await.unwrap(),
        Some(row.clone()),
        "the newest of that name"
    );
    assert_eq!(reader.session_by_transaction(&city, "C1", "9").await.unwrap(), None);
    assert_eq!(reader.running_sessions(&city, "C1", None).await.unwrap(), [row.clone(), other.clone()]);
    assert_eq!(reader.running_sessions(&city, "C1", Some(2)).await.unwrap(), [other.clone()]);
    assert_eq!(reader.unfinished_sessions(&city).await.unwrap(), [row.clone(), other.clone()]);
    assert_eq!(
        reader.due_sessions(&city, 10).await.unwrap(),
        [ended.clone()],
        "without the one that is held back"
    );
    let held = Session {
        hold: true,
        hold_reason: Some("register fell".to_owned()),
        hold_by: Some("gateway".to_owned()),
        hold_at: Some(at(7)),
        ..held
    };
    assert_eq!(reader.session(&city, &held.id).await.unwrap(), Some(held.clone()));
    drop(reader);

    let before = row.clone();
    row.status = SessionStatus::Ended;
    row.energy = None;
    row.unplugged = Some(at(900));
    row.flags = "[{\"flag\":\"clock\"}]".to_owned();
    row.billing = Billing::Due;
    row.updated_at = at(901);
    let (owner, changed, held_now) =
        (city.clone(), Session { hold: true, created_at: at(1234), ..row.clone() }, held.clone());
    store
        .write(Lane::charger(&city, "C1"), async move |tx| {
            tx.update_session(&owner, &changed).await?;
            tx.update_session(&owner, &Session { hold: false, hold_reason: None, ..held_now.clone() }).await
        })
        .await
        .unwrap();
    let mut reader = store.read().await.unwrap();
    assert_eq!(reader.session(&city, &row.id).await.unwrap(), Some(row.clone()), "all but hold and creation");
    assert_eq!(reader.session(&city, &held.id).await.unwrap(), Some(held), "the hold is untouched");
    drop(reader);
    let (owner, id) = (city.clone(), row.id.clone());
    store
        .write(Lane::charger(&city, "C1"), async move |tx| {
            let progress = Progress {
                energy: Some(Energy(77)),
                last_reading_at: Some(at(77)),
                flags: "[]".to_owned(),
                track: "{\"a\":1}".to_owned(),
                at: at(78),
            };
            tx.session_progress(&owner, &id, &progress).await?;
            tx.set_billing(&owner, &id, Billing::Never).await?;
            assert!(matches!(
                tx.update_session(&owner, &session("C1")).await,
                Err(Error::Missing { what: "session", .. })
            ));
            Ok(())
        })
        .await
        .unwrap();
    let now = Session {
        energy: Some(Energy(77)),
        last_reading_at: Some(at(77)),
        flags: "[]".to_owned(),
        track: Some("{\"a\":1}".to_owned()),
        updated_at: at(78),
        billing: Billing::Never,
        ..row
    };
    assert_eq!(store.read().await.unwrap().session(&city, &before.id).await.unwrap(), Some(now.clone()));
    // What it began with is put right; how it stands is as it was.
    let (owner, id) = (city.clone(), before.id.clone());
    let unit = async move |tx: &mut Tx| tx.set_document(&owner, &id, "{\"b\":2}").await;
    store.write(Lane::org(&city), unit).await.unwrap();
    let now = Session { document: "{\"b\":2}".to_owned(), ..now };
    assert_eq!(store.read().await.unwrap().session(&city, &before.id).await.unwrap(), Some(now));
}

both!(sessions_are_found_and_changed);

async fn sessions_are_listed_page_by_page(place: Place) {
    let store = place.open().await;
    let city = org();
    let mut rows: Vec<Session> = (0..1234)
        .map(|number| Session {
            plugged_in: at(number / 3),
            evse: number % 5,
            driver: (number % 2 == 0).then(|| format!("d-{}", number % 5)),
            site: Some(format!("site-{}", number % 4)),
            token: Some(format!("Token-{}", number % 7)),
            status: if number % 10 == 0 { SessionStatus::Running } else { SessionStatus::Ended },
            ..session(&format!("C{}", number % 3))
        })
        .collect();
    for part in rows.chunks(100) {
        let (owner, part) = (city.clone(), part.to_vec());
        store
            .write(Lane::org(&city), async move |tx| {
                for row in &part {
                    tx.add_session(&owner, row).await?;
                }
                Ok(())
            })
            .await
            .unwrap();
    }
    rows.sort_by_key(|row| std::cmp::Reverse((row.plugged_in, row.id.clone())));
    let streamed: Vec<Session> =
        store.stream_sessions(&city, SessionFilter::default()).try_collect().await.unwrap();
    assert_eq!(streamed, rows);
    type Wanted = fn(&Session) -> bool;
    let filters: [(SessionFilter, Wanted); 8] = [
        (SessionFilter { charger: Some("C1".to_owned()), ..Default::default() }, |row| row.charger == "C1"),
        (SessionFilter { charger: Some("C1".to_owned()), evse: Some(2), ..Default::default() }, |row| {
            row.charger == "C1" && row.evse == 2
        }),
        (SessionFilter { driver: Some("d-2".to_owned()), ..Default::default() }, |row| {
            row.driver.as_deref() == Some("d-2")
        }),
        (
            SessionFilter {
                site: Some("site-3".to_owned()),
                status: Some(SessionStatus::Running),
                ..Default::default()
            },
            |row| row.site.as_deref() == Some("site-3") && row.status == SessionStatus::Running,
        ),
        (SessionFilter { token: Some("tOKEN-6".to_owned()), ..Default::default() }, |row| {
            row.token.as_deref() == Some("Token-6")
        }),
        (SessionFilter { from: Some(at(100)), until: Some(at(200)), ..Default::default() }, |row| {
            row.plugged_in >= at(100) && row.plugged_in < at(200)
        }),
        (SessionFilter { hold: Some(true), ..Default::default() }, |_| false),
        (
            SessionFilter {
                billing: Some(Billing::Open),
                charger: Some("C2".to_owned()),
                hold: Some(false),
                ..Default::default()
            },
            |row| row.charger == "C2",
        ),
    ];
    for (filter, wanted) in filters {
        let wanted: Vec<_> = rows.iter().filter(|row| wanted(row)).cloned().collect();
        let mut found = Vec::new();
        let mut after = None;
        loop {
            let page =
                store.read().await.unwrap().sessions(&city, &filter, after.as_ref(), 50).await.unwrap();
            assert!(page.len() <= 50);
            let Some(last) = page.last() else { break };
            after = Some(last.cursor());
            found.extend(page);
        }
        assert_eq!(found, wanted, "{filter:?}");
    }
}

both!(sessions_are_listed_page_by_page);

async fn parts_of_a_session(place: Place) {
    let store = place.open().await;
    let city = org();
    let readings: Vec<_> = (0..100).map(reading).collect();
    let parts = SessionParts {
        readings: readings.clone(),
        states: vec![StateChange {
            seq: 0,
            from_at: at(0),
            received_at: at(1),
            state: "charging".to_owned(),
        }],
        power: vec![PowerChange { seq: 0, from_at: at(0), received_at: at(1), power: 7_200_000, amps: None }],
        occupancy: vec![OccupancyChange { seq: 0, from_at: at(0), occupied: 3, of_all: 8 }],
        signed: vec![SignedValue {
            seq: 0,
            at: at(0),
            received_at: at(1),
            format: "OCMF".to_owned(),
            context: None,
            public_key: Some("04ab".to_owned()),
            body: "OCMF|{}|{}".to_owned(),
        }],
    };
    let (owner, written) = (city.clone(), parts.clone());
    store
        .write(Lane::charger(&city, "C1"), async move |tx| {
            assert_eq!(tx.session_counts(&owner, "s1").await?, SessionCounts::default());
            tx.put_readings(&owner, "s1", &written.readings).await?;
            tx.put_states(&owner, "s1", &written.states).await?;
            tx.put_power(&owner, "s1", &written.power).await?;
            tx.put_occupancy(&owner, "s1", &written.occupancy).await?;
            tx.put_signed_values(&owner, "s1", &written.signed).await?;
            // The same numbers again replace what is there, twice in one call too.
            let better = Reading {
                imported: Energy(1),
                exported: Some(Energy(2)),
                segment: 1,
                context: None,
                ..written.readings[5].clone()
            };
            tx.put_readings(&owner, "s1", &[written.readings[5].clone(), better.clone()]).await?;
            assert_eq!(tx.readings(&owner, "s1", 5, 1).await?, [better]);
            tx.put_readings(&owner, "s1", &[written.readings[5].clone()]).await?;
            let counts = tx.session_counts(&owner, "s1").await?;
            assert_eq!(counts, SessionCounts { readings: 100, states: 1, power: 1, occupancy: 1, signed: 1 });
            Ok(())
        })
        .await
        .unwrap();
    assert_eq!(store.read().await.unwrap().session_parts(&city, "s1").await.unwrap(), parts);
    let owner = city.clone();
    let again = Reading { imported: Energy(7), ..reading(7) };
    let written = again.clone();
    store
        .write(Lane::charger(&city, "C1"), async move |tx| {
            // Worked out anew: the last two readings are gone, one says something else, and nothing is known of states and power.
            let mut readings: Vec<_> = (0..98).map(reading).collect();
            readings[7] = again.clone();
            let rows = SessionRows { readings, ..SessionRows::default() };
            let news = tx.only_news(&owner, "s1", rows).await?;
            assert_eq!(news, SessionRows { readings: vec![again.clone()], ..SessionRows::default() });
            tx.put_readings(&owner, "s1", &news.readings).await
        })
        .await
        .unwrap();
    let mut readings = readings[..98].to_vec();
    readings[7] = written;
    let left = store.read().await.unwrap().session_parts(&city, "s1").await.unwrap();
    assert_eq!(
        left,
        SessionParts { readings, states: vec![], power: vec![], occupancy: vec![], signed: parts.signed }
    );
    assert_eq!(
        store.read().await.unwrap().session_parts(&city, "s2").await.unwrap(),
        SessionParts::default()
    );
}

both!(parts_of_a_session);

async fn prices_cover_each_other(place: Place) {
    let store = place.open().await;
    let city = org();
    let hour = 3_600_000;
    let step = |from: i64, to: i64, published: i64, price: &str| PricePoint {
        feed: "spot".to_owned(),
        area: "FI".to_owned(),
        from_at: at(from * hour / 4),
        to_at: at(to * hour / 4),
        published: at(published),
        price: price.to_owned(),
        unit: "EUR/MWh".to_owned(),
        vat_included: false,
        source: "entsoe".to_owned(),
        received_at: at(published),
    };
    let first = [step(0, 4, 0, "1.10"), step(4, 8, 0, "-0.02")];
    let second = [step(4, 5, 1, "7"), step(5, 6, 1, "8")];
    let owner = city.clone();
    let (one, two) = (first.clone(), second.clone());
    store
        .write(Lane::org(&city), async move |tx| {
            // The later publication comes first here: order of arrival does not matter.
            assert_eq!(tx.put_prices(&owner, &two).await?, 2);
            assert_eq!(tx.put_prices(&owner, &one).await?, 2);
            assert_eq!(tx.put_prices(&owner, &one).await?, 0, "nothing new");
            let other_area = PricePoint { area: "SE3".to_owned(), ..one[0].clone() };
            assert_eq!(tx.put_prices(&owner, &[other_area]).await?, 1);
            Ok(())
        })
        .await
        .unwrap();
    let mut reader = store.read().await.unwrap();
    let series = ("spot", "FI");
    let shown = reader.prices(&city, series, at(0), at(8 * hour)).await.unwrap();
    let shown: Vec<_> = shown.iter().map(|step| (step.from_at, step.to_at, step.price.as_str())).collect();
    let q = |quarter: i64| at(quarter * hour / 4);
    assert_eq!(shown, [(q(0), q(4), "1.10"), (q(4), q(5), "7"), (q(5), q(6), "8"), (q(6), q(8), "-0.02")]);
    let published = reader.published_prices(&city, series, q(3), q(5)).await.unwrap();
    assert_eq!(published, [first[0].clone(), first[1].clone(), second[0].clone()]);
    assert_eq!(
        reader.published_prices(&city, series, q(8), q(9)).await.unwrap(),
        [],
        "the end is not part of a step"
    );
    assert_eq!(reader.prices_known_until(&city, series, q(1)).await.unwrap(), q(8));
    assert_eq!(reader.prices_known_until(&city, series, q(8)).await.unwrap(), q(8));
    assert_eq!(reader.prices_known_until(&city, ("spot", "NO1"), q(1)).await.unwrap(), q(1));
    assert_eq!(
        reader.feeds(&city).await.unwrap(),
        [("spot".to_owned(), "FI".to_owned()), ("spot".to_owned(), "SE3".to_owned())]
    );
    drop(reader);
    for bad in [step(4, 4, 0, "1"), step(4, 3, 0, "1"), step(0, 401 * 96, 0, "1")] {
        let owner = city.clone();
        let refused =
            store.write(Lane::org(&city), async move |tx| tx.put_prices(&owner, &[bad.clone()]).await).await;
        assert!(matches!(refused, Err(Error::Refused(_))), "{refused:?}");
    }
    // Days without a gap, longer than the window of the search.
    let days: Vec<_> = (1..=40)
        .map(|day| PricePoint {
            from_at: at(day * 24 * hour),
            to_at: at((day + 1) * 24 * hour),
            feed: "day".to_owned(),
            ..first[0].clone()
        })
        .collect();
    let owner = city.clone();
    store.write(Lane::org(&city), async move |tx| tx.put_prices(&owner, &days).await).await.unwrap();
    let known =
        store.read().await.unwrap().prices_known_until(&city, ("day", "FI"), at(25 * hour)).await.unwrap();
    assert_eq!(known, at(41 * 24 * hour));
    let nothing = store
        .read()
        .await
        .unwrap()
        .published_prices(&city, series, Instant(i64::MIN), Instant(i64::MIN))
        .await
        .unwrap();
    assert_eq!(nothing, []);
}

both!(prices_cover_each_other);

async fn events_have_numbers_without_holes(place: Place) {
    let store = place.open().await;
    let city = org();
    let changes = store.changes();
    assert_eq!(store.read().await.unwrap().last_event(&city).await.unwrap(), 0);
    for number in 0..3 {
        let owner = city.clone();
        store
            .write(Lane::charger(&city, "C1"), async move |tx| {
                for part in 0..40 {
                    tx.log_event(&owner, event(&format!("e{number}"), &format!("s{part}")));
                }
                Ok(())
            })
            .await
            .unwrap();
    }
    assert!(changes.has_changed().unwrap());
    let mut reader = store.read().await.unwrap();
    let events = reader.events_after(&city, 0, 1000).await.unwrap();
    assert_eq!(events.iter().map(|event| event.seq).collect::<Vec<_>>(), (1..=120).collect::<Vec<_>>());
    assert_eq!((events[41].kind.as_str(), events[41].subject.as_str()), ("e1", "s1"));
    assert_eq!(reader.events_after(&city, 118, 1).await.unwrap(), events[118..119]);
    assert_eq!(reader.last_event(&city).await.unwrap(), 120);
}

both!(events_have_numbers_without_holes);
