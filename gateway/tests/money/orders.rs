//! Orders of events about one bill: cards, payments by hand, money at the bank, credit notes, what comes late. Whatever comes first, in the end so much is kept
//! as is owed, and what was paid beyond it has gone back, once.

use crate::fake::{Mode, PLUGIN};
use crate::made::*;
use crate::random::order;
use crate::scene::Scene;
use crate::store_support::*;
use takst_gateway::ledger::BANK;
use takst_gateway::outbox::provider::Status;
use takst_gateway::store::*;

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
