//! From a session to its bill, the ledger and the money: one commit, one charge, one refund.

use crate::billing_support::{billing, decision, events, feed, made, plain, take, time};
use crate::fake::{Fake, Installed, Mode, PLUGIN};
use crate::made::{balances, intents, options, payments};
use crate::store_support::*;
use std::sync::Arc;
use takst_engine::Prepared;
use takst_engine::units::Instant;
use takst_gateway::billing::{Options, Seller, Sellers, Tariffs};
use takst_gateway::ledger::{Checker, back_fill};
use takst_gateway::outbox::Outbox;
use takst_gateway::store::*;

/// A house whose seller is paid through the fake.
struct Paying {
    house: crate::billing_support::House,
    payments: Option<String>,
}

impl Tariffs for Paying {
    fn prepared(&self, version: &str) -> Option<Arc<Prepared>> {
        self.house.prepared(version)
    }
}

impl Sellers for Paying {
    fn seller(&self, org: &OrgId, seller: &str) -> Option<Seller> {
        Some(Seller { payments: self.payments.clone(), ..self.house.seller(org, seller)? })
    }

    fn instrument(&self, _: &OrgId, driver: &str) -> Option<String> {
        (driver == "d-1").then(|| "card-d-1".to_owned())
    }
}

fn paying(store: &Store, house: &Arc<Paying>) -> takst_gateway::billing::Billing {
    let tariffs: Arc<dyn Tariffs> = Arc::clone(house) as Arc<dyn Tariffs>;
    let sellers: Arc<dyn Sellers> = Arc::clone(house) as Arc<dyn Sellers>;
    takst_gateway::billing::Billing::new(store.clone(), tariffs, sellers, Options::default())
}

async fn open(place: &Place) -> Store {
    let store = place.open().await;
    store.write(Lane::org(&org()), async move |tx| tx.add_org(&org(), "x", at(0)).await).await.unwrap();
    store
}

async fn a_bill_is_booked_charged_and_given_back(place: Place) {
    let store = open(&place).await;
    let payments_on = Some(PLUGIN.to_owned());
    let house = Arc::new(Paying { house: crate::billing_support::House::default(), payments: payments_on });
    let bills = paying(&store, &house);
    let version = house.house.add(made("energy: 0.50 EUR/kWh\n\nstart fee: 1.00 EUR/session"));
    let now = time("2023-09-26T08:00:00Z");
    crate::billing_support::add(&store, &plain("d-1", "5", "2023-09-25T10:00:00Z", 3), &version, "a", true)
        .await;
    crate::billing_support::add(&store, &plain("d-2", "6", "2023-09-25T10:00:00Z", 1), &version, "b", true)
        .await;
    bills.bill_due(&org(), now).await.unwrap();

    // 6 kWh at 0.50 and 1.00: 4.00, of which 24 % VAT are 0.77; and 2 kWh: 2.00 with 0.39.
    let on = balances(&store, &org()).await;
    let of = |kind, owner: &str| on.get(&(kind, owner.to_owned())).copied().unwrap_or(0);
    assert_eq!(of(AccountKind::Receivable, "driver:d-1"), 400);
    assert_eq!(of(AccountKind::Receivable, "driver:d-2"), 200);
    assert_eq!(of(AccountKind::Revenue, ""), -(323 + 161));
    assert_eq!(of(AccountKind::Vat, "VAT 24"), -(77 + 39));
    // Who has no card is not charged.
    let [payment] = payments(&store, &org()).await.try_into().unwrap();
    assert_eq!((payment.debtor.as_str(), payment.amount), ("driver:d-1", 400));
    assert_eq!(payment.status, PaymentStatus::Waiting);

    let fake = Arc::new(Fake::default());
    let outbox = Outbox::new(store.clone(), Installed::of(&fake), options());
    assert_eq!(outbox.look(now).await.unwrap(), 1);
    assert_eq!(outbox.look(now).await.unwrap(), 0);
    let [payment] = payments(&store, &org()).await.try_into().unwrap();
    assert_eq!((payment.status, payment.captured), (PaymentStatus::Paid, 400));
    assert_eq!(balances(&store, &org()).await[&(AccountKind::Receivable, "driver:d-1".to_owned())], 0);
    assert_eq!(events(&store, "payment.paid").await.len(), 1);
    {
        let truth = fake.truth();
        assert_eq!((truth.payments.len(), truth.payments[&payment.id].payer.as_str()), (1, "d-1"));
    }

    // Money back, by the credit note's own commit.
    let credit =
        bills.refund(&org(), "a", Some(vec!["start fee".into()]), decision("broken"), now).await.unwrap();
    assert_eq!(credit.total, -100);
    outbox.look(now).await.unwrap();
    let [payment] = payments(&store, &org()).await.try_into().unwrap();
    assert_eq!((payment.captured, payment.refunded), (400, 100));
    let on = balances(&store, &org()).await;
    assert_eq!(on[&(AccountKind::Receivable, "driver:d-1".to_owned())], 0);
    assert_eq!(on[&(AccountKind::Clearing, PLUGIN.to_owned())], 300);
    assert_eq!(on[&(AccountKind::Refunds, String::new())], 81);
    assert_eq!(events(&store, "payment.refunded").await.len(), 1);
    let checked = Checker::new(store.clone(), org()).check(Instant(0)).await.unwrap();
    assert_eq!((checked.entries, checked.faults), (5, vec![]));
}
both!(a_bill_is_booked_charged_and_given_back);

async fn what_was_never_paid_is_not_given_back(place: Place) {
    let store = open(&place).await;
    let payments_on = Some(PLUGIN.to_owned());
    let house = Arc::new(Paying { house: crate::billing_support::House::default(), payments: payments_on });
    let bills = paying(&store, &house);
    let cheap = house.house.add(made("energy: 0.50 EUR/kWh"));
    let dear = house.house.add(made("energy: 0.75 EUR/kWh"));
    let now = time("2023-09-26T08:00:00Z");
    crate::billing_support::add(&store, &plain("d-1", "5", "2023-09-25T10:00:00Z", 3), &cheap, "a", true)
        .await;
    bills.bill_due(&org(), now).await.unwrap();
    // The first charge is taken, the second declined.
    let fake = Fake::scripted(&[Mode::Fine, Mode::Decline, Mode::Fine]);
    let outbox = Outbox::new(store.clone(), Installed::of(&fake), options());
    outbox.look(now).await.unwrap();
    let price = async |version: &str| {
        bills.reprice(&org(), "a", Some(version.to_owned()), decision("another list"), now).await.unwrap();
        outbox.look(now).await.unwrap();
        let mut all: Vec<_> = payments(&store, &org())
            .await
            .into_iter()
            .map(|payment| (payment.amount, payment.status, payment.captured, payment.refunded))
            .collect();
        all.sort_by_key(|row| row.0);
        all
    };
    let taken = (300, PaymentStatus::Paid, 300, 0);
    let declined = (150, PaymentStatus::Failed, 0, 0);
    assert_eq!(price(&dear).await, [declined, taken]);
    // The old list again: 300 are owed, and 300 were paid.
    assert_eq!(price(&cheap).await, [declined, taken]);
    assert_eq!(balances(&store, &org()).await[&(AccountKind::Receivable, "driver:d-1".to_owned())], 0);
    // All of it back: what was paid goes back, once.
    bills.refund(&org(), "a", None, decision("broken"), now).await.unwrap();
    outbox.look(now).await.unwrap();
    let all = payments(&store, &org()).await;
    let refunded: Vec<i64> = all.iter().map(|payment| payment.refunded).collect();
    assert_eq!((refunded.iter().sum::<i64>(), refunded.len()), (300, 2), "{all:?}");
    assert_eq!(balances(&store, &org()).await[&(AccountKind::Clearing, PLUGIN.to_owned())], 0);
}
both!(what_was_never_paid_is_not_given_back);

async fn without_a_provider_nothing_is_charged(place: Place) {
    let store = open(&place).await;
    let house = Arc::new(crate::billing_support::House::default());
    let bills = billing(&store, &house, Options::default());
    let version = house.add(made("energy: spot"));
    let now = time("2023-09-26T08:00:00Z");
    take(&store, feed(None, "2023-09-25T00:00:00Z", &["100"; 24]), now).await;
    crate::billing_support::add(&store, &plain("d-1", "5", "2023-09-25T10:00:00Z", 3), &version, "a", true)
        .await;
    bills.bill_due(&org(), now).await.unwrap();
    assert_eq!((payments(&store, &org()).await, intents(&store, &org()).await), (vec![], vec![]));
    let on = balances(&store, &org()).await;
    assert_eq!(on[&(AccountKind::Receivable, "driver:d-1".to_owned())], 74);
    // Nothing is left to be booked afterwards.
    assert_eq!(back_fill(&store, &org(), now).await.unwrap(), 0);
}
both!(without_a_provider_nothing_is_charged);
