//! The ledger itself: older bills, entries by hand, what was changed behind its back.

use crate::made::{balances, bill, document};
use crate::store_support::*;
use sqlx::Connection as _;
use takst_engine::units::Instant;
use takst_gateway::ledger::{self, Checker, Settled, back_fill, record, reverse};
use takst_gateway::store::*;

async fn tamper(place: &Place, sql: &str) {
    if place.is_sqlite() {
        let mut conn = sqlx::SqliteConnection::connect(&format!("sqlite:{}", place.url)).await.unwrap();
        sqlx::query(sqlx::AssertSqlSafe(sql.to_owned())).execute(&mut conn).await.unwrap();
    } else {
        let mut conn = sqlx::PgConnection::connect(&place.url).await.unwrap();
        sqlx::query(sqlx::AssertSqlSafe(sql.to_owned())).execute(&mut conn).await.unwrap();
    }
}

// A bill of a program without a ledger.
async fn old_bill(store: &Store, session: &str, total: i64) {
    let mut row = crate::store_support::session(session);
    row.id = session.to_owned();
    let new = bill(session, 1, total, at(5));
    let document = document(&new.id, session, "d-1", total);
    store
        .write(Lane::org(&org()), async move |tx| {
            tx.add_session(&org(), &row).await?;
            let new = NewBill {
                id: new.id.clone(),
                session: new.session.clone(),
                seller: new.seller.clone(),
                series: new.series.clone(),
                kind: BillKind::Bill,
                revision: 1,
                corrects: None,
                issued_at: new.issued_at,
                status: new.status.clone(),
                currency: new.currency.clone(),
                total,
                hashes: "{}".to_owned(),
            };
            let body = serde_json::to_value(&document).unwrap();
            tx.issue_bill(&org(), &new, &[], event("bill.issued", &new.id), |number| {
                let mut body = body.clone();
                body["number"] = format!("K-{number}").into();
                body["seller"] = "koti".into();
                body["issued"] = "2023-11-14T22:13:20Z".into();
                Ok(body.to_string())
            })
            .await
        })
        .await
        .unwrap();
}

async fn older_bills_are_booked_once(place: Place) {
    let store = place.open().await;
    for (session, total) in [("s1", 345), ("s2", 1_000)] {
        old_bill(&store, session, total).await;
    }
    assert_eq!(back_fill(&store, &org(), at(9)).await.unwrap(), 2);
    assert_eq!(back_fill(&store, &org(), at(10)).await.unwrap(), 0);
    assert_eq!(balances(&store, &org()).await[&(AccountKind::Receivable, "driver:d-1".to_owned())], 1_345);
    let entries =
        store.read().await.unwrap().ledger_entries(&org(), &LedgerFilter::default(), None, 10).await.unwrap();
    assert_eq!(entries.len(), 2);
    let of_d1 = LedgerFilter { owner: Some("driver:d-1".into()), ..LedgerFilter::default() };
    let mut reader = store.read().await.unwrap();
    assert_eq!(reader.ledger_entries(&org(), &of_d1, None, 1).await.unwrap().len(), 1);
    let last = &entries[0];
    assert_eq!(
        reader.ledger_entries(&org(), &of_d1, Some((last.at, &last.id)), 10).await.unwrap(),
        entries[1..]
    );
    let all = reader.balances(&org(), &LedgerFilter::default(), None, 100).await.unwrap();
    let after = reader.balances(&org(), &LedgerFilter::default(), Some(&all[0]), 100).await.unwrap();
    assert_eq!(after, all[1..]);
}
both!(older_bills_are_booked_once);

async fn what_is_changed_behind_its_back_is_found(place: Place) {
    let store = place.open().await;
    old_bill(&store, "s1", 345).await;
    back_fill(&store, &org(), at(9)).await.unwrap();
    let checker = Checker::new(store.clone(), org());
    let open = async || store.read().await.unwrap().open_incidents(&org()).await.unwrap();
    assert_eq!(checker.look(Instant(0), at(10)).await.unwrap().faults, Vec::<String>::new());
    assert!(open().await.is_empty());
    // A cent more, on both sides: it balances, and is not what was written.
    for sql in [
        "UPDATE ledger_line SET amount = amount + 1 WHERE amount > 0",
        "UPDATE ledger_line SET amount = amount - 1 WHERE account = 'revenue'",
    ] {
        tamper(&place, sql).await;
        let faults = checker.look(Instant(0), at(11)).await.unwrap().faults;
        assert!(faults.iter().any(|fault| fault.contains("is not as it was written")), "{faults:?}");
    }
    let [incident] = open().await.try_into().unwrap();
    assert_eq!((incident.kind.as_str(), incident.subject.as_str()), ("ledger.unbalanced", "ledger"));
    tamper(&place, "UPDATE ledger_line SET amount = amount - 1 WHERE amount > 0").await;
    let faults = checker.look(Instant(0), at(12)).await.unwrap().faults;
    assert!(
        faults.iter().any(|fault| fault.contains("all entries together come to -1 minor units of EUR")),
        "{faults:?}"
    );
    tamper(&place, "UPDATE ledger_line SET amount = amount + 1 WHERE account = 'revenue'").await;
    assert_eq!(checker.look(Instant(0), at(13)).await.unwrap().faults, Vec::<String>::new());
    assert!(open().await.is_empty());
}
both!(what_is_changed_behind_its_back_is_found);

async fn money_to_the_bank_by_hand(place: Place) {
    let store = place.open().await;
    let about = Settled {
        seller: "koti".into(),
        currency: "EUR".into(),
        reference: "po_1".into(),
        at: at(0),
        by: "anna".into(),
    };
    let settlement = ledger::settlement(&about, "stripe", 300, 9).unwrap();
    assert!(record(&store, &org(), settlement.clone(), at(1)).await.unwrap());
    assert!(!record(&store, &org(), settlement, at(2)).await.unwrap());
    let other = ledger::settlement(&about, "stripe", 301, 9).unwrap();
    let error = record(&store, &org(), other, at(3)).await.unwrap_err();
    assert_eq!(error.to_string(), "`settlement:koti:stripe:po_1` is booked already, and with other lines");
    let entry = store
        .read()
        .await
        .unwrap()
        .ledger_entry_of(&org(), "settlement:koti:stripe:po_1")
        .await
        .unwrap()
        .unwrap();
    assert!(reverse(&store, &org(), &entry.id, ("twice", "anna"), at(4)).await.unwrap());
    assert!(!reverse(&store, &org(), &entry.id, ("twice", "anna"), at(4)).await.unwrap());
    assert!(balances(&store, &org()).await.values().all(|amount| *amount == 0));
    // What was taken back is booked again under its reference, rightly this time, and once.
    let right = ledger::settlement(&about, "stripe", 300, 12).unwrap();
    assert!(record(&store, &org(), right.clone(), at(5)).await.unwrap());
    assert!(!record(&store, &org(), right.clone(), at(6)).await.unwrap());
    let second = store.read().await.unwrap().ledger_entry_of(&org(), "settlement:koti:stripe:po_1#2").await;
    let second = second.unwrap().unwrap();
    assert!(reverse(&store, &org(), &second.id, ("thrice", "anna"), at(7)).await.unwrap());
    assert!(record(&store, &org(), right, at(8)).await.unwrap());
    let fees = (AccountKind::Fees, "stripe".to_owned());
    assert_eq!(balances(&store, &org()).await[&fees], 12);
    assert_eq!(
        Checker::new(store.clone(), org()).check(Instant(0)).await.unwrap().faults,
        Vec::<String>::new()
    );
}
both!(money_to_the_bank_by_hand);
