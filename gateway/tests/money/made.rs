//! Bills made by hand, and what must hold of the books at the end.

use crate::fake::{Fake, Installed, PLUGIN};
use std::collections::BTreeMap;
use std::sync::Arc;
use takst_engine::document::{Document, money};
use takst_engine::units::Instant;
use takst_gateway::ledger::{self, Checker};
use takst_gateway::outbox::machine::Rules;
use takst_gateway::outbox::{Backoff, Limits, Options, Outbox, Terms, issued};
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

/// Issues a bill as billing does: the ledger and the outbox in one commit.
pub async fn issue(
    store: &Store,
    org: &OrgId,
    (session, driver): (&str, &str),
    (number, total): (i64, i64),
    now: Instant,
) -> Bill {
    let bill = bill(session, number, total, now);
    let document = document(&bill.id, session, driver, total);
    let (owner, row) = (org.clone(), bill.clone());
    let terms = Terms { plugin: PLUGIN.to_owned(), instrument: Some(format!("card-{driver}")) };
    store
        .write(Lane::org(org), async move |tx| {
            ledger::book_bill(tx, &owner, &row, &document, now).await?;
            issued(tx, &owner, &row, &document, Some(&terms), now).await
        })
        .await
        .unwrap();
    bill
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
    let truth = fake.truth();
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
        // What was set aside is taken when the other side says that it was: in the place of its charge, at a time of its own.
        let capture = |key: &String| {
            intents.iter().any(|row| row.kind == IntentKind::Capture && row.idempotency == *key)
        };
        let asked: Vec<&String> = asked.iter().filter(|key| !capture(key)).collect();
        let mut of_payer: Vec<&Intent> =
            intents.iter().filter(|row| row.debtor == debtor && asked.contains(&&row.idempotency)).collect();
        of_payer.sort_by_key(|row| row.place);
        let wanted: Vec<&str> = of_payer.iter().map(|row| row.idempotency.as_str()).collect();
        assert_eq!(asked.iter().map(|key| key.as_str()).collect::<Vec<_>>(), wanted, "{payer}");
    }
}
