//! Bills, their numbers, counters and previews, on both databases.

use crate::store_support::*;
use std::collections::BTreeMap;
use takst_gateway::store::*;

fn new_bill(session: Option<&str>, revision: i64) -> NewBill {
    NewBill {
        id: new_id(),
        session: session.map(str::to_owned),
        seller: "city".to_owned(),
        series: "2026".to_owned(),
        kind: if revision == 1 { BillKind::Bill } else { BillKind::Correction },
        revision,
        corrects: None,
        issued_at: at(revision),
        status: "final".to_owned(),
        currency: "EUR".to_owned(),
        total: 345,
        hashes: "{}".to_owned(),
    }
}

async fn a_bill_comes_with_all_that_belongs_to_it(place: Place) {
    let store = place.open().await;
    let city = org();
    let row = session("C1");
    let id = row.id.clone();
    let wait = |feed: &str, until: i64| WaitingFor {
        feed: feed.to_owned(),
        area: "FI".to_owned(),
        until: at(until),
    };
    let (owner, first) = (city.clone(), row.clone());
    store
        .write(Lane::charger(&city, "C1"), async move |tx| {
            tx.add_session(&owner, &first).await?;
            let preview = Preview {
                session: first.id.clone(),
                document: "{\"kind\":\"preview\"}".to_owned(),
                updated_at: at(1),
            };
            tx.put_preview(&owner, &preview, &[wait("spot", 10)]).await?;
            let preview = Preview { updated_at: at(2), ..preview };
            tx.put_preview(&owner, &preview, &[wait("spot", 100), wait("spot", 50), wait("usage", 5)])
                .await?;
            assert_eq!(tx.preview(&owner, &first.id).await?, Some(preview));
            assert_eq!(tx.preview_waits(&owner, &first.id).await?, [wait("spot", 100), wait("usage", 5)]);
            assert_eq!(tx.awaited_feeds(&owner).await?, [wait("spot", 100), wait("usage", 5)]);
            assert_eq!(tx.wake_previews(&owner, ("spot", "FI"), at(99)).await?, 0);
            assert_eq!(tx.wake_previews(&owner, ("spot", "SE3"), at(100)).await?, 0);
            assert_eq!(tx.session(&owner, &first.id).await?.unwrap().billing, Billing::Pending);
            assert_eq!(tx.wake_previews(&owner, ("spot", "FI"), at(100)).await?, 1);
            assert_eq!(tx.session(&owner, &first.id).await?.unwrap().billing, Billing::Due);
            // It waits no more, and nobody else is woken.
            assert_eq!(tx.wake_previews(&owner, ("spot", "FI"), at(100)).await?, 0);
            tx.set_billing(&owner, &first.id, Billing::Pending).await?;
            assert_eq!(tx.session(&owner, &first.id).await?.unwrap().billing, Billing::Pending);
            Ok(())
        })
        .await
        .unwrap();

    let (owner, session) = (city.clone(), id.clone());
    let bill = new_bill(Some(&id), 1);
    let wanted = bill.clone();
    let issued = store
        .write(Lane::org(&city), async move |tx| {
            let opening = tx.lock_standing(&owner, "driver d-17", at(3)).await?;
            assert_eq!(opening, Standing { posting: 0, document: "{}".to_owned() });
            let change = StandingChange {
                scope: "driver d-17".to_owned(),
                opening,
                closing: "{\"kwh\":\"5\"}".to_owned(),
            };
            tx.issue_bill(&owner, &wanted, &[change], event("bill.issued", &session), |number| {
                Ok(format!("{{\"number\":{number}}}"))
            })
            .await
        })
        .await
        .unwrap();
    assert_eq!((issued.number, issued.document.as_str(), issued.total), (1, "{\"number\":1}", 345));

    let mut reader = store.read().await.unwrap();
    assert_eq!(reader.bill(&city, &bill.id).await.unwrap(), Some(issued.clone()));
    assert_eq!(reader.bill_by_number(&city, "city", "2026", 1).await.unwrap(), Some(issued.clone()));
    assert_eq!(reader.bill_by_number(&city, "city", "2026", 2).await.unwrap(), None);
    assert_eq!(reader.session_bills(&city, &id).await.unwrap(), [issued.clone()]);
    assert_eq!(reader.session(&city, &id).await.unwrap().unwrap().billing, Billing::Billed);
    assert_eq!(reader.preview(&city, &id).await.unwrap(), None);
    assert_eq!(reader.awaited_feeds(&city).await.unwrap(), []);
    assert_eq!(reader.events_after(&city, 0, 10).await.unwrap()[0].kind, "bill.issued");
    assert_eq!(
        reader.standing(&city, "driver d-17").await.unwrap(),
        Some(Standing { posting: 1, document: "{\"kwh\":\"5\"}".to_owned() })
    );
    let postings = reader.bill_postings(&city, &bill.id).await.unwrap();
    assert_eq!(postings, reader.postings(&city, "driver d-17", 0, 10).await.unwrap());
    assert_eq!(
        (postings.len(), postings[0].posting, postings[0].opening.as_str(), postings[0].closing.as_str()),
        (1, 1, "{}", "{\"kwh\":\"5\"}")
    );
    drop(reader);

    // Whatever fails leaves nothing: no number, no event, no counter.
    let stale = StandingChange {
        scope: "driver d-17".to_owned(),
        opening: Standing::default(),
        closing: "{}".to_owned(),
    };
    for (bill, standing, document) in [
        (new_bill(Some(&id), 1), vec![], Ok("{}")),
        (new_bill(Some(&id), 2), vec![stale], Ok("{}")),
        (new_bill(Some(&id), 2), vec![], Err("no")),
        (new_bill(Some("nobody"), 1), vec![], Ok("{}")),
    ] {
        let owner = city.clone();
        let outcome = store
            .write(Lane::org(&city), async move |tx| {
                tx.issue_bill(&owner, &bill, &standing, event("bill.issued", "x"), |_| {
                    document.map(str::to_owned).map_err(Error::refused)
                })
                .await
            })
            .await;
        assert!(
            matches!(outcome, Err(Error::Conflict(_) | Error::Refused(_) | Error::Missing { .. })),
            "{outcome:?}"
        );
    }
    let mut reader = store.read().await.unwrap();
    assert_eq!(reader.last_bill_number(&city, "city", "2026").await.unwrap(), 1);
    assert_eq!(reader.last_bill_number(&city, "city", "2027").await.unwrap(), 0);
    assert_eq!(reader.last_event(&city).await.unwrap(), 1);
    drop(reader);

    let (owner, session) = (city.clone(), id.clone());
    let correction = NewBill { corrects: Some(bill.id.clone()), ..new_bill(Some(&id), 2) };
    let free = NewBill {
        kind: BillKind::Refund,
        total: -345,
        seller: "hotel".to_owned(),
        issued_at: at(9),
        ..new_bill(None, 1)
    };
    let (one, two) = (correction.clone(), free.clone());
    store
        .write(Lane::org(&city), async move |tx| {
            let one = tx
                .issue_bill(&owner, &one, &[], event("bill.issued", &session), |_| Ok("{}".to_owned()))
                .await?;
            let two =
                tx.issue_bill(&owner, &two, &[], event("bill.issued", ""), |_| Ok("{}".to_owned())).await?;
            assert_eq!((one.number, two.number), (2, 1), "each seller counts for himself");
            Ok(())
        })
        .await
        .unwrap();
    let mut reader = store.read().await.unwrap();
    let ids = |bills: Vec<Bill>| bills.into_iter().map(|bill| bill.id).collect::<Vec<_>>();
    let all = ids(reader.bills(&city, &BillFilter::default(), None, 10).await.unwrap());
    assert_eq!(all, [free.id.clone(), correction.id.clone(), bill.id.clone()]);
    assert_eq!(
        ids(reader
            .bills(&city, &BillFilter::default(), Some((correction.issued_at, &correction.id)), 10)
            .await
            .unwrap()),
        [bill.id.clone()]
    );
    let filter = BillFilter {
        session: Some(id.clone()),
        seller: Some("city".to_owned()),
        from: Some(at(2)),
        until: Some(at(3)),
    };
    assert_eq!(ids(reader.bills(&city, &filter, None, 10).await.unwrap()), [correction.id.clone()]);
    assert_eq!(ids(reader.session_bills(&city, &id).await.unwrap()), [bill.id, correction.id]);
}

both!(a_bill_comes_with_all_that_belongs_to_it);

/// Bills are issued from many places at once, and a third of the units fails after it has taken its number.
async fn numbers_have_no_holes(place: Place) {
    let store = place.open().await;
    let city = org();
    let tasks: Vec<_> = (0..300_i64)
        .map(|turn| {
            let (store, city) = (store.clone(), city.clone());
            tokio::spawn(async move {
                let series = format!("S{}", turn % 2);
                // Any lane: the numbers must hold without the help of an order.
                let lane = Lane::charger(&city, &format!("C{turn}"));
                store
                    .write(lane, async move |tx| {
                        let opening = tx.lock_standing(&city, &series, at(turn)).await?;
                        let closing = (opening.document.trim_matches(['{', '}']).parse::<i64>().unwrap_or(0)
                            + 1)
                        .to_string();
                        let change = StandingChange {
                            scope: series.clone(),
                            opening,
                            closing: format!("{{{closing}}}"),
                        };
                        let bill = NewBill { series: series.clone(), ..new_bill(None, 1) };
                        let bill = tx
                            .issue_bill(&city, &bill, &[change], event("bill.issued", "x"), |number| {
                                Ok(number.to_string())
                            })
                            .await?;
                        if turn % 3 == 0 { Err(Error::refused("changed my mind")) } else { Ok(bill) }
                    })
                    .await
            })
        })
        .collect();
    let mut numbers: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for (turn, task) in tasks.into_iter().enumerate() {
        match task.await.unwrap() {
            Ok(bill) => {
                assert_eq!(bill.document, bill.number.to_string());
                numbers.entry(bill.series).or_default().push(bill.number);
            }
            Err(error) => assert_eq!((turn % 3, error), (0, Error::refused("changed my mind"))),
        }
    }
    let mut reader = store.read().await.unwrap();
    for (series, mut numbers) in numbers {
        numbers.sort_unstable();
        assert_eq!(numbers, (1..=100).collect::<Vec<_>>(), "{series}");
        assert_eq!(reader.last_bill_number(&city, "city", &series).await.unwrap(), 100);
        let standing = reader.standing(&city, &series).await.unwrap().unwrap();
        assert_eq!(
            standing,
            Standing { posting: 100, document: "{100}".to_owned() },
            "nobody's posting was lost"
        );
        let postings = reader.postings(&city, &series, 0, 1000).await.unwrap();
        assert!(postings.windows(2).all(|pair| pair[0].closing == pair[1].opening));
    }
    let events = reader.events_after(&city, 0, 1000).await.unwrap();
    assert_eq!(events.iter().map(|event| event.seq).collect::<Vec<_>>(), (1..=200).collect::<Vec<_>>());
}

both!(numbers_have_no_holes);
