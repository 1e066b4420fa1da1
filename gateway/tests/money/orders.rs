//! Orders of events about one bill: cards, payments by hand, money at the bank, credit notes, what comes late. Whatever comes first, in the end so much is kept
//! as is owed, and what was paid beyond it has gone back, once.

use crate::fake::{Fake, Mode, PLUGIN};
use crate::made::*;
use crate::store_support::*;
use std::sync::Arc;
use takst_engine::units::Instant;
use takst_gateway::ledger::{BANK, Checker};
use takst_gateway::outbox::provider::Status;
use takst_gateway::outbox::{Decision, Outbox, Received, Terms};
use takst_gateway::store::*;

const RETURN: &str = "payment.return";

struct Scene {
    store: Store,
    org: OrgId,
    fake: Arc<Fake>,
    outbox: Outbox,
    now: Instant,
    bills: Vec<Bill>,
}

impl Scene {
    async fn of(store: &Store, org: &str) -> Self {
        let org = OrgId::new(org.to_owned());
        let owner = org.clone();
        store.write(Lane::org(&org), async move |tx| tx.add_org(&owner, "x", at(0)).await).await.unwrap();
        let fake = Arc::new(Fake::default());
        let outbox = outbox(store, &fake);
        Self { store: store.clone(), org, fake, outbox, now: at(0), bills: Vec::new() }
    }

    async fn bill(&mut self, total: i64, has_card: bool) {
        let number = i64::try_from(self.bills.len()).unwrap() + 1;
        let terms = has_card.then(|| Terms { plugin: PLUGIN.into(), instrument: Some("card-d1".into()) });
        let bill = issue_for(&self.store, &self.org, ("s1", "d1"), (number, total), terms, self.now).await;
        self.bills.push(bill);
    }

    fn owed(&self) -> i64 {
        self.bills.iter().map(|bill| bill.total).sum()
    }

    async fn pay(&self) -> Result<Payment, Error> {
        self.outbox.pay(&self.org, &self.bills[0].id, PLUGIN, (None, "d1"), self.now).await
    }

    async fn received(&self, amount: Option<i64>, reference: &str) -> Result<Payment, Error> {
        let received =
            Received { amount, reference: reference.to_owned(), at: self.now, by: "anna".to_owned() };
        Ok(self.outbox.received(&self.org, &self.bills[0], received, self.now).await?.0)
    }

    async fn returned(&self, payment: &str, amount: Option<i64>, reference: &str) -> Result<Payment, Error> {
        let returned =
            Received { amount, reference: reference.to_owned(), at: self.now, by: "anna".to_owned() };
        Ok(self.outbox.returned(&self.org, payment, returned, self.now).await?.0)
    }

    async fn look(&mut self) {
        self.outbox.look(self.now).await.unwrap();
        self.now = Instant(self.now.0 + 1);
    }

    // Until nothing is left that is due soon: what waits for the payer is looked at for weeks.
    async fn work(&mut self) {
        for _ in 0..60 {
            self.look().await;
            match self.store.read().await.unwrap().next_intent(&self.org).await.unwrap() {
                Some(next) if next.0 < self.now.0 + 3_600_000 => {
                    self.now = Instant(next.0.max(self.now.0) + 1);
                }
                _ => return,
            }
        }
    }

    async fn hint(&self, theirs: &str) {
        self.outbox.hint(&self.org, PLUGIN, (theirs, None), self.now).await.unwrap();
    }

    // What happens to a payment at the provider, and whether it could.
    fn happens(&self, ours: &str, becomes: Status) -> bool {
        let mut truth = self.fake.truth();
        let Some(kept) = truth.payments.get_mut(ours) else { return false };
        let open = matches!(kept.status, Status::ActionNeeded | Status::Pending);
        let can = match becomes {
            Status::Paid => open || kept.status == Status::Expired,
            _ => open,
        };
        if can {
            kept.status = becomes;
            if becomes == Status::Paid {
                kept.captured = kept.amount;
                kept.takings += 1;
            }
        }
        can
    }

    // Payments with what is to be given back of each.
    async fn to_return(&self) -> Vec<(Payment, i64)> {
        let mut found = Vec::new();
        let open = self.store.read().await.unwrap().open_incidents(&self.org).await.unwrap();
        for incident in open.into_iter().filter(|incident| incident.kind == RETURN) {
            let document: serde_json::Value = serde_json::from_str(&incident.document).unwrap();
            let payment = self.store.read().await.unwrap().payment(&self.org, &incident.subject).await;
            found.push((payment.unwrap().unwrap(), document["amount_minor"].as_i64().unwrap()));
        }
        found
    }

    async fn payments(&self) -> Vec<Payment> {
        payments(&self.store, &self.org).await
    }

    async fn one(&self, id: &str) -> Payment {
        self.store.read().await.unwrap().payment(&self.org, id).await.unwrap().unwrap()
    }
}

fn refunds(rows: &[Intent]) -> usize {
    rows.iter().filter(|row| row.kind == IntentKind::Refund).count()
}

async fn what_the_bank_has_paid_is_not_taken_besides(place: Place) {
    let store = place.open().await;
    let mut scene = Scene::of(&store, "a").await;
    scene.bill(2_275, false).await;
    let open = scene.pay().await.unwrap();
    scene.look().await;
    scene.received(None, "zz1").await.unwrap();
    // The old page leads nowhere, and what is open is cancelled.
    let refused = scene.pay().await.unwrap_err();
    assert!(refused.to_string().contains("nothing is left to pay"), "{refused}");
    scene.work().await;
    assert_eq!(scene.one(&open.id).await.status, PaymentStatus::Cancelled);
    assert_eq!(scene.to_return().await, []);
    assert!(intents(&store, &scene.org).await.iter().all(|row| row.finished_at.is_some()));

    // One that was not asked for yet never is.
    let mut scene = Scene::of(&store, "b").await;
    scene.bill(2_275, true).await;
    scene.received(None, "zz1").await.unwrap();
    scene.work().await;
    let card = scene.payments().await.into_iter().find(|payment| payment.plugin == PLUGIN).unwrap();
    assert_eq!((card.status, scene.fake.truth().calls), (PaymentStatus::Cancelled, 0));
}
both!(what_the_bank_has_paid_is_not_taken_besides);

async fn what_is_set_aside_for_nothing_is_let_go(place: Place) {
    let store = place.open().await;
    let mut scene = Scene::of(&store, "a").await;
    scene.bill(2_275, false).await;
    let open = scene.pay().await.unwrap();
    scene.look().await;
    scene.received(None, "zz1").await.unwrap();
    // He approves before the cancellation comes there.
    assert!(scene.happens(&open.id, Status::Authorized));
    scene.work().await;
    let kept = scene.fake.truth().payments[&open.id].clone();
    assert_eq!((kept.status, kept.takings), (Status::Cancelled, 0));
    assert_eq!(scene.one(&open.id).await.status, PaymentStatus::Cancelled);

    // The money is set aside, and the order to take it waits when the bank's comes.
    let mut scene = Scene::of(&store, "b").await;
    scene.fake.truth().script.push_back(Mode::Reserve);
    scene.bill(2_275, true).await;
    scene.look().await;
    let [card] = scene.payments().await.try_into().unwrap();
    assert_eq!(card.status, PaymentStatus::Authorized);
    scene.received(None, "zz1").await.unwrap();
    scene.work().await;
    let kept = scene.fake.truth().payments[&card.id].clone();
    assert_eq!((kept.status, kept.takings), (Status::Cancelled, 0));

    // Where it cannot be let go a person is told.
    let mut scene = Scene::of(&store, "c").await;
    scene.fake.truth().script.push_back(Mode::Reserve);
    scene.fake.truth().refuses_cancels = true;
    scene.bill(2_275, true).await;
    scene.look().await;
    scene.received(None, "zz1").await.unwrap();
    scene.work().await;
    let open = store.read().await.unwrap().open_incidents(&scene.org).await.unwrap();
    assert_eq!(open.iter().map(|one| one.kind.as_str()).collect::<Vec<_>>(), ["payment.held"]);
    assert!(open[0].document.contains("no-cancel"), "{open:?}");
}
both!(what_is_set_aside_for_nothing_is_let_go);

async fn what_is_taken_twice_all_the_same_goes_back_and_is_told(place: Place) {
    let store = place.open().await;
    let mut scene = Scene::of(&store, "a").await;
    scene.fake.truth().refuses_cancels = true;
    scene.bill(2_275, false).await;
    let open = scene.pay().await.unwrap();
    scene.look().await;
    scene.received(None, "zz1").await.unwrap();
    scene.work().await;
    assert!(scene.happens(&open.id, Status::Paid));
    let theirs = scene.one(&open.id).await.theirs.unwrap();
    scene.hint(&theirs).await;
    scene.look().await;
    // A person is told, until it is back.
    let told: Vec<(String, i64)> =
        scene.to_return().await.into_iter().map(|(payment, amount)| (payment.id, amount)).collect();
    assert_eq!(told, [(open.id.clone(), 2_275)]);
    scene.work().await;
    assert_eq!(scene.to_return().await, []);
    let paid = scene.one(&open.id).await;
    assert_eq!((paid.captured, paid.refunded), (2_275, 2_275));
    // However often it is told: once.
    for _ in 0..3 {
        scene.hint(&theirs).await;
        scene.work().await;
    }
    assert_eq!(refunds(&intents(&store, &scene.org).await), 1);
    assert_eq!(scene.fake.truth().payments[&open.id].refunded, 2_275);
    let on = balances(&store, &scene.org).await;
    assert_eq!(on[&(AccountKind::Receivable, "driver:d1".to_owned())], 0);

    // All of it is credited: what the bank has is the rest, and a person gives it back.
    scene.bill(-2_275, false).await;
    scene.work().await;
    let [(bank, 2_275)] = <[_; 1]>::try_from(scene.to_return().await).unwrap() else { panic!() };
    assert_eq!(bank.plugin, BANK);
    scene.returned(&bank.id, None, "back").await.unwrap();
    assert_eq!(scene.to_return().await, []);
}
both!(what_is_taken_twice_all_the_same_goes_back_and_is_told);

async fn what_is_still_owed_is_not_to_be_given_back(place: Place) {
    let store = place.open().await;
    let mut scene = Scene::of(&store, "a").await;
    scene.bill(4_370, false).await;
    let open = scene.pay().await.unwrap();
    scene.look().await;
    let bank = scene.received(Some(2_000), "zz1").await.unwrap();
    scene.bill(-1_000, false).await;
    // 33.70 are owed and 20.00 came; what is open at the provider is not paid.
    assert_eq!(scene.to_return().await, []);
    assert_eq!(scene.one(&open.id).await.status, PaymentStatus::ActionNeeded);
    assert!(scene.happens(&open.id, Status::Expired));
    scene.hint(&scene.one(&open.id).await.theirs.unwrap()).await;
    scene.work().await;
    assert_eq!((scene.one(&open.id).await.status, scene.to_return().await), (PaymentStatus::Expired, vec![]));
    assert!(scene.returned(&bank.id, None, "back").await.is_err());

    // He pays after all, late: what is more than 33.70 goes back through the provider, and nothing by bank.
    assert!(scene.happens(&open.id, Status::Paid));
    scene.hint(&scene.one(&open.id).await.theirs.unwrap()).await;
    scene.work().await;
    let late = scene.one(&open.id).await;
    assert_eq!((late.status, late.captured, late.refunded), (PaymentStatus::Paid, 4_370, 3_000));
    assert_eq!(scene.to_return().await, []);
}
both!(what_is_still_owed_is_not_to_be_given_back);

async fn what_is_to_be_given_back_is_counted_anew(place: Place) {
    let store = place.open().await;
    let mut scene = Scene::of(&store, "a").await;
    scene.bill(3_000, false).await;
    scene.received(None, "one").await.unwrap();
    scene.bill(-1_000, false).await;
    let amounts =
        async |scene: &Scene| scene.to_return().await.iter().map(|(_, amount)| *amount).collect::<Vec<_>>();
    assert_eq!(amounts(&scene).await, [1_000]);
    // A correction: more is owed again.
    scene.bill(400, false).await;
    assert_eq!(amounts(&scene).await, [600]);
    scene.bill(600, false).await;
    assert_eq!(amounts(&scene).await, Vec::<i64>::new());

    // A refund that nobody was asked for yet is not needed any more when as much is owed again, and neither is the charge for that.
    let mut scene = Scene::of(&store, "b").await;
    scene.bill(3_000, true).await;
    scene.work().await;
    scene.bill(-1_000, true).await;
    scene.bill(1_000, true).await;
    scene.work().await;
    let moved: Vec<(i64, i64)> =
        scene.payments().await.iter().map(|payment| (payment.captured, payment.refunded)).collect();
    assert_eq!(moved, [(0, 0), (3_000, 0)]);
}
both!(what_is_to_be_given_back_is_counted_anew);

// One order of events.
async fn order(store: &Store, seed: u64) {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut scene = Scene::of(store, &format!("o{seed}")).await;
    scene.fake.truth().refuses_cancels = rng.u8(0..3) == 0;
    let mode = [Mode::Fine, Mode::Reserve, Mode::Slow, Mode::Decline][rng.usize(0..4)];
    let (has_card, total) = (rng.bool(), rng.i64(100..10_000));
    if has_card {
        scene.fake.truth().script.push_back(mode);
    }
    scene.bill(total, has_card).await;
    let mut told = vec![format!("bill {total}, card {has_card} {mode:?}")];
    for step in 0..rng.usize(4..16) {
        let at_provider: Vec<String> = scene.fake.truth().payments.keys().cloned().collect();
        let one = (!at_provider.is_empty()).then(|| at_provider[rng.usize(0..at_provider.len())].clone());
        told.push(match (rng.u8(0..12), one) {
            (0 | 1, _) => format!("pay: {}", scene.pay().await.is_ok()),
            (2..=4, Some(ours)) => {
                let becomes =
                    [Status::Paid, Status::Paid, Status::Authorized, Status::Expired, Status::Failed];
                let becomes = becomes[rng.usize(0..becomes.len())];
                format!("{becomes:?}: {}", scene.happens(&ours, becomes))
            }
            (5, _) => {
                let amount = rng.bool().then(|| rng.i64(1..=total));
                let booked = scene.received(amount, &format!("line {step}")).await;
                format!("bank {amount:?}: {}", booked.is_ok())
            }
            (6, _) if scene.owed() > 0 => {
                let back = rng.i64(1..=scene.owed());
                let back = if rng.u8(0..3) == 0 { scene.owed() } else { back };
                scene.bill(-back, has_card).await;
                format!("credit {back}")
            }
            (7, Some(ours)) => {
                let theirs = scene.fake.truth().payments[&ours].theirs.clone();
                scene.hint(&theirs).await;
                "hint".to_owned()
            }
            (8, Some(ours)) => {
                let decision = Decision { by: "anna".into(), reason: "as I say".into() };
                let done = scene.outbox.cancel(&scene.org, &ours, decision, scene.now).await;
                format!("cancel: {}", done.is_ok())
            }
            (9, _) => {
                for (payment, amount) in scene.to_return().await {
                    let some = rng.i64(1..=amount);
                    if payment.plugin == BANK {
                        scene.returned(&payment.id, Some(some), &format!("back {step}")).await.unwrap();
                    }
                }
                "returned".to_owned()
            }
            (10, _) => {
                scene.work().await;
                "work".to_owned()
            }
            _ => {
                scene.look().await;
                "look".to_owned()
            }
        });
    }
    end(&mut scene, &format!("seed {seed}: {told:#?}")).await;
}

// Everybody does what is his, and then it is counted.
async fn end(scene: &mut Scene, told: &str) {
    scene.work().await;
    for _ in 0..2 {
        let at_provider: Vec<String> = scene.fake.truth().payments.keys().cloned().collect();
        for ours in at_provider {
            scene.happens(&ours, Status::Expired);
            let theirs = scene.fake.truth().payments[&ours].theirs.clone();
            scene.hint(&theirs).await;
            scene.work().await;
        }
    }
    for (nth, (payment, amount)) in scene.to_return().await.into_iter().enumerate() {
        assert_eq!(payment.plugin, BANK, "what a provider gives back is back by now: {told}");
        scene.returned(&payment.id, Some(amount), &format!("last {nth}")).await.unwrap();
    }
    scene.work().await;
    assert_eq!(scene.to_return().await, [], "{told}");

    // The slow account: what was taken and given back, as those who moved the money know it.
    let truth = scene.fake.truth().clone();
    assert_eq!(truth.faults, Vec::<String>::new(), "{told}");
    let payments = scene.payments().await;
    let (mut taken, mut given) = (0, 0);
    for payment in &payments {
        let (captured, refunded) = match truth.payments.get(&payment.id) {
            Some(kept) => (kept.captured, kept.refunded),
            None if payment.plugin == BANK => (payment.captured, payment.refunded),
            None => (0, 0),
        };
        assert_eq!((payment.captured, payment.refunded), (captured, refunded), "{payment:?} {told}");
        taken += captured;
        given += refunded;
    }
    for kept in truth.payments.values() {
        assert!(kept.takings <= 1, "{kept:?} {told}");
        let lingers = kept.status == Status::Authorized && !truth.refuses_cancels;
        assert!(!lingers, "set aside, neither taken nor let go: {kept:?} {told}");
    }
    // Nothing was ever owed again: so what went back is what was paid beyond what is owed now.
    let owed = scene.owed();
    assert_eq!(given, (taken - owed).max(0), "taken {taken}, owed {owed}: {told}");
    for row in intents(&scene.store, &scene.org).await {
        assert!(row.finished_at.is_some(), "{row:?} {told}");
    }
    let on = balances(&scene.store, &scene.org).await;
    assert_eq!(on[&(AccountKind::Receivable, "driver:d1".to_owned())], owed - taken + given, "{told}");
    assert_eq!(on.values().sum::<i64>(), 0, "{told}");
    let checked = Checker::new(scene.store.clone(), scene.org.clone()).check(Instant(0)).await.unwrap();
    assert_eq!(checked.faults, Vec::<String>::new(), "{told}");
}

async fn orders(place: &Place, from: u64, count: u64) {
    let store = place.open().await;
    for seed in from..from + count {
        order(&store, seed).await;
    }
}

fn count() -> u64 {
    std::env::var("TAKST_MONEY_ORDERS").map_or(60, |text| text.parse().expect("TAKST_MONEY_ORDERS: a number"))
}

#[test]
fn what_is_kept_is_what_is_owed_sqlite() {
    run(async { orders(&Place::sqlite(), 1, count()).await });
}

#[test]
fn what_is_kept_is_what_is_owed_postgres() {
    run(async { orders(&Place::postgres().await, 1_000_000, count() / 5).await });
}
