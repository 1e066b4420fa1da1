//! Bills made by hand, and what must hold of the books at the end.

use crate::fake::{Fake, Installed, PLUGIN};
use std::collections::BTreeMap;
use std::sync::Arc;
use takst_engine::document::{Document, money};
use takst_engine::units::Instant;
use takst_gateway::ledger::{self, Checker};
use takst_gateway::outbox::machine::Rules;
use takst_gateway::outbox::{self, Backoff, Limits, Options, Outbox, Saving, Terms};
use takst_gateway::store::*;

/// Rules with a short patience for calls, and none for breakers.
pub fn options() -> Options {
    let rules = Rules { call_ms: 6, failures: 40, ..Rules::default() };
    Options { rules, breaker: Limits { failures: u32::MAX, ..Limits::default() }, calls: 8 }
}

pub fn outbox(store: &Store, fake: &Arc<Fake>) -> Outbox {
    Outbox::new(store.clone(), Installed::of(fake), options())
}

/// The quick kind of waiting, for real time.
pub fn quick() -> Options {
    let backoff = Backoff { first_ms: 20, longest_ms: 200 };
    let rules = Rules { backoff, call_ms: 400, settle_ms: 30, failures: 1_000, ..Rules::default() };
    Options { rules, breaker: Limits { failures: u32::MAX, ..Limits::default() }, calls: 8 }
}

/// A driver who saves a card.
pub fn saving() -> Saving {
    Saving {
        debtor: "driver:d1".into(),
        plugin: PLUGIN.into(),
        return_to: "https://me.example".into(),
        at_most: None,
        description: "Charging".into(),
    }
}

pub fn document(id: &str, session: &str, driver: &str, total: i64) -> Document {
    // A fifth of it is VAT.
    let vat = total / 5;
    serde_json::from_value(serde_json::json!({
        "id": id, "kind": "bill", "revision": 1, "session": session, "site": "otakaari-5", "driver": driver,
        "status": "final", "currency": "EUR", "prices_include_vat": true, "energy_kwh": "1", "from": "2023-09-25T09:00:00Z",
        "tariff": { "name": "t", "file": "t", "version": "v" }, "inputs": { "prices": "p", "standing": "s" },
        "lines": [], "charges": [], "vat": [{ "rate": "25", "net": money(total - vat, 2), "vat": money(vat, 2) }],
        "net": money(total - vat, 2), "vat_total": money(vat, 2), "total": money(total, 2), "standing": {},
    }))
    .unwrap()
}

pub fn bill(session: &str, number: i64, total: i64, now: Instant) -> Bill {
    Bill {
        id: new_id(),
        session: Some(session.to_owned()),
        seller: "koti".to_owned(),
        series: "K-".to_owned(),
        number,
        kind: if total < 0 { BillKind::Refund } else { BillKind::Bill },
        revision: number,
        corrects: None,
        issued_at: now,
        status: "final".to_owned(),
        currency: "EUR".to_owned(),
        total,
        hashes: "{}".to_owned(),
        document: "{}".to_owned(),
    }
}

/// Issues a bill as billing does: the bill, the ledger and the outbox in one commit. `driver` has a card.
pub async fn issue(
    store: &Store,
    org: &OrgId,
    (session, driver): (&str, &str),
    (number, total): (i64, i64),
    now: Instant,
) -> Bill {
    let terms = Terms { plugin: PLUGIN.to_owned(), instrument: Some(format!("card-{driver}")) };
    issue_for(store, org, (session, driver), (number, total), Some(terms), now).await
}

/// The same for whoever pays like this.
pub async fn issue_for(
    store: &Store,
    org: &OrgId,
    (session, driver): (&str, &str),
    (number, total): (i64, i64),
    terms: Option<Terms>,
    now: Instant,
) -> Bill {
    let new = bill(session, number, total, now);
    let document = document(&new.id, session, driver, total);
    let mut row = crate::store_support::session(session);
    row.id = session.to_owned();
    let owner = org.clone();
    let unit = async move |tx: &mut Tx| {
        if tx.session(&owner, &row.id).await?.is_none() {
            tx.add_session(&owner, &row).await?;
        }
        let event = crate::store_support::event("bill.issued", &new.id);
        let issued =
            tx.issue_bill(&owner, &as_new(&new), &[], event, |number| Ok(body(&document, number))).await?;
        ledger::book_bill(tx, &owner, &issued, &document, now).await?;
        outbox::issued(tx, &owner, &issued, &document, terms.as_ref(), now).await?;
        Ok(issued)
    };
    store.write(Lane::org(org), unit).await.unwrap()
}

/// A bill that is yet to get its number.
pub fn as_new(bill: &Bill) -> NewBill {
    NewBill {
        id: bill.id.clone(),
        session: bill.session.clone(),
        seller: bill.seller.clone(),
        series: bill.series.clone(),
        kind: bill.kind,
        revision: bill.revision,
        corrects: bill.corrects.clone(),
        issued_at: bill.issued_at,
        status: bill.status.clone(),
        currency: bill.currency.clone(),
        total: bill.total,
        hashes: bill.hashes.clone(),
    }
}

/// What an issued bill says.
pub fn body(document: &Document, number: i64) -> String {
    let mut body = serde_json::to_value(document).unwrap();
    body["number"] = format!("K-{number}").into();
    body["seller"] = "koti".into();
    body["issued"] = "2023-11-14T22:13:20Z".into();
    body.to_string()
}

pub async fn payments(store: &Store, org: &OrgId) -> Vec<Payment> {
    store.read().await.unwrap().payments(org, &PaymentFilter::default(), None, 10_000).await.unwrap()
}

pub async fn intents(store: &Store, org: &OrgId) -> Vec<Intent> {
    let mut all = store.read().await.unwrap().intents(org, None, None, 10_000).await.unwrap();
    all.sort_by_key(|intent| (intent.debtor.clone(), intent.place));
    all
}

pub async fn balances(store: &Store, org: &OrgId) -> BTreeMap<(AccountKind, String), i64> {
    let all =
        store.read().await.unwrap().balances(org, &LedgerFilter::default(), None, 10_000).await.unwrap();
    all.into_iter().map(|balance| ((balance.account, balance.owner), balance.amount)).collect()
}

/// What must hold at the end: every thing was done once, the books say what the provider's truth says, in the order of each
/// debtor. `billed`: what each driver was billed in all.
pub async fn settled(store: &Store, org: &OrgId, fake: &Fake, billed: &BTreeMap<String, i64>) {
    let (payments, intents) = (payments(store, org).await, intents(store, org).await);
    let balances = balances(store, org).await;
    let checked = Checker::new(store.clone(), org.clone()).check(Instant(0)).await.unwrap();
    let truth = fake.truth().clone();
    assert_eq!(truth.faults, Vec::<String>::new());
    assert_eq!(checked.faults, Vec::<String>::new());
    for intent in &intents {
        assert!(intent.finished_at.is_some(), "not finished: {intent:?}");
    }
    let mut held = 0;
    let mut paid: BTreeMap<String, i64> = BTreeMap::new();
    for payment in &payments {
        let kept = truth.payments.get(&payment.id);
        let (captured, refunded) = kept.map_or((0, 0), |kept| (kept.captured, kept.refunded));
        assert_eq!((payment.captured, payment.refunded), (captured, refunded), "{payment:?}\n{kept:?}");
        let wanted = match payment.status {
            PaymentStatus::Paid => 1,
            PaymentStatus::Failed | PaymentStatus::Cancelled => 0,
            _ => panic!("{payment:?}"),
        };
        assert_eq!(kept.map_or(0, |kept| kept.takings), wanted, "{payment:?}\n{kept:?}");
        if wanted == 1 {
            assert_eq!(captured, payment.amount);
        }
        // What was to be given back was, as far as anything had been taken.
        let wanted: i64 = intents
            .iter()
            .filter(|intent| intent.subject == payment.id && intent.kind == IntentKind::Refund)
            .map(|intent| serde_json::from_str::<serde_json::Value>(&intent.request).unwrap())
            .map(|request| request["amount"]["minor"].as_i64().unwrap())
            .sum();
        if captured > 0 {
            assert_eq!(refunded, wanted, "{payment:?}");
        }
        held += captured - refunded;
        *paid.entry(payment.debtor.clone()).or_default() += captured - refunded;
    }
    // Of each session so much is kept as is owed, or all that was taken when that is less.
    let mut sessions: BTreeMap<&str, (i64, i64)> = BTreeMap::new();
    for payment in &payments {
        let (captured, kept) = sessions.entry(payment.session.as_deref().unwrap()).or_default();
        *captured += payment.captured;
        *kept += payment.captured - payment.refunded;
    }
    for (session, (captured, kept)) in sessions {
        let owed: i64 = store
            .read()
            .await
            .unwrap()
            .session_bills(org, session)
            .await
            .unwrap()
            .iter()
            .map(|bill| bill.total)
            .sum();
        assert_eq!(kept, captured.min(owed.max(0)), "{session}");
    }
    assert_eq!(truth.payments.keys().filter(|ours| payments.iter().all(|row| row.id != **ours)).count(), 0);
    let on = |kind, owner: &str| balances.get(&(kind, owner.to_owned())).copied().unwrap_or(0);
    assert_eq!(on(AccountKind::Clearing, PLUGIN), held);
    for (driver, billed) in billed {
        let debtor = format!("driver:{driver}");
        let paid = paid.get(&debtor).copied().unwrap_or(0);
        assert_eq!(on(AccountKind::Receivable, &debtor), billed - paid, "{debtor}");
    }
    // First asked in the order of the debtor.
    for (payer, asked) in &truth.asked {
        let debtor = format!("driver:{payer}");
        // What was set aside is taken or cancelled when the other side says that it was: in the place of its charge, at a time of its own.
        let of_charge = |key: &String| {
            // One that a person orders keeps the debtor's order.
            let own = |row: &&Intent| match row.kind {
                IntentKind::Capture => true,
                IntentKind::Cancel => row.created_by == "outbox",
                _ => false,
            };
            intents.iter().filter(own).any(|row| row.idempotency == *key)
        };
        let asked: Vec<&String> = asked.iter().filter(|key| !of_charge(key)).collect();
        let mut of_payer: Vec<&Intent> =
            intents.iter().filter(|row| row.debtor == debtor && asked.contains(&&row.idempotency)).collect();
        of_payer.sort_by_key(|row| row.place);
        let wanted: Vec<&str> = of_payer.iter().map(|row| row.idempotency.as_str()).collect();
        assert_eq!(asked.iter().map(|key| key.as_str()).collect::<Vec<_>>(), wanted, "{payer}");
    }
}
