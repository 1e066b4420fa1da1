//! What somebody gave up, what failed, what moved at the provider by itself, what nobody finished: in the end the books say what the provider's truth says, and
//! the driver has what is his.

use crate::fake::{Installed, Mode, PLUGIN};
use crate::made::*;
use crate::scene::Scene;
use crate::store_support::*;
use std::sync::Arc;
use takst_engine::units::Instant;
use takst_gateway::ledger::Checker;
use takst_gateway::outbox::machine::Rules;
use takst_gateway::outbox::provider::Status;
use takst_gateway::outbox::{Dispute, Options, Outbox, Outcome, Owed, Received, Terms};
use takst_gateway::store::*;

impl Scene {
    fn goes_wrong(&self, modes: &[Mode]) {
        self.fake.truth().script.extend(modes);
    }

    // Somebody gives money back on the provider's own page; the webhook comes.
    async fn by_hand(&mut self, ours: &str, amount: i64) {
        self.fake.truth().payments.get_mut(ours).unwrap().refunded += amount;
        self.webhook(ours).await;
        self.work().await;
    }

    async fn webhook(&self, ours: &str) {
        let theirs = self.fake.truth().payments[ours].theirs.clone();
        self.outbox.hint(&self.org, PLUGIN, (&theirs, Some(ours)), self.now).await.unwrap();
    }

    fn refunded(&self, ours: &str) -> i64 {
        self.fake.truth().payments[ours].refunded
    }

    async fn left(&self) -> i64 {
        Owed::of(&mut self.store.read().await.unwrap(), &self.org, &self.bills[0]).await.unwrap().left
    }

    async fn paid_by_card(store: &Store, org: &str, total: i64) -> (Self, String) {
        let mut scene = Self::of(store, org).await;
        scene.bill(total, true).await;
        scene.work().await;
        let [paid] = scene.payments().await.try_into().unwrap();
        assert_eq!((paid.status, paid.captured), (PaymentStatus::Paid, total));
        (scene, paid.id)
    }
}

async fn what_a_person_has_given_back_is_given_back(place: Place) {
    let store = place.open().await;
    let (mut scene, paid) = Scene::paid_by_card(&store, "a", 400).await;
    scene.goes_wrong(&[Mode::NoConnection; 3]);
    scene.bill(-100, true).await;
    scene.work().await;
    scene.give_up(&scene.dead().await.id).await;
    scene.work().await;
    assert_eq!(scene.refunded(&paid), 0, "what was given up is not asked for");
    scene.by_hand(&paid, 100).await;
    assert_eq!(scene.troubles().await, [""; 0], "it is what was to be done");
    // The rest is all of the rest.
    scene.bill(-300, true).await;
    scene.work().await;
    assert_eq!((scene.refunded(&paid), scene.one(&paid).await.refunded), (400, 400));

    // The same of one that the provider refused, in two parts, with a credit between.
    let (mut scene, paid) = Scene::paid_by_card(&store, "b", 400).await;
    scene.goes_wrong(&[Mode::Refuse]);
    scene.bill(-100, true).await;
    scene.work().await;
    assert_eq!(scene.troubles().await, ["payment.held card-closed"]);
    scene.by_hand(&paid, 60).await;
    scene.bill(-200, true).await;
    scene.work().await;
    assert_eq!(scene.refunded(&paid), 260);
    scene.by_hand(&paid, 40).await;
    scene.bill(-100, true).await;
    scene.work().await;
    assert_eq!(scene.refunded(&paid), 400);

    // What was given back before it failed has nothing to do with it.
    let (mut scene, paid) = Scene::paid_by_card(&store, "c", 500).await;
    scene.by_hand(&paid, 50).await;
    assert_eq!(scene.troubles().await, ["payment.held refunded-unasked"]);
    scene.give_up(&scene.intents().await[0].id).await;
    scene.goes_wrong(&[Mode::Refuse]);
    scene.bill(-500, true).await;
    scene.work().await;
    scene.webhook(&paid).await;
    scene.work().await;
    assert_eq!(scene.refunded(&paid), 50, "450 are for a person");
    scene.by_hand(&paid, 450).await;
    assert_eq!(scene.troubles().await, ["payment.held card-closed"]);
}
both!(what_a_person_has_given_back_is_given_back);

async fn what_came_back_unasked_spoils_no_refund(place: Place) {
    let store = place.open().await;
    let (mut scene, paid) = Scene::paid_by_card(&store, "a", 500).await;
    scene.by_hand(&paid, 50).await;
    scene.give_up(&scene.intents().await[0].id).await;
    scene.bill(-500, true).await;
    scene.work().await;
    assert_eq!((scene.refunded(&paid), scene.one(&paid).await.refunded), (500, 500));
    for _ in 0..2 {
        scene.webhook(&paid).await;
        scene.work().await;
        assert_eq!(scene.troubles().await, [""; 0], "it was accepted");
    }
    assert!(scene.intents().await.iter().all(|row| row.state == IntentState::Done));

    // Too much was taken: put right there, and tried again.
    for accepted in [false, true] {
        let mut scene = Scene::of(&store, if accepted { "b" } else { "c" }).await;
        scene.goes_wrong(&[Mode::LostAnswer]);
        scene.bill(100, true).await;
        scene.look().await;
        let [paid] = scene.payments().await.try_into().unwrap();
        scene.fake.truth().payments.get_mut(&paid.id).unwrap().captured = 130;
        scene.work().await;
        assert_eq!(scene.troubles().await, ["payment.held captured-too-much"]);
        let held = scene.dead().await.id;
        if accepted {
            scene.give_up(&held).await;
            scene.work().await;
        }
        scene.by_hand(&paid.id, 30).await;
        if !accepted {
            // The webhook was enough.
            assert_eq!(scene.intents().await[0].state, IntentState::Done);
        }
        assert_eq!(scene.troubles().await, [""; 0]);
        scene.bill(-100, true).await;
        scene.work().await;
        assert_eq!(scene.refunded(&paid.id), 130);
    }
}
both!(what_came_back_unasked_spoils_no_refund);

async fn what_was_given_up_and_done_all_the_same_is_found(place: Place) {
    let store = place.open().await;
    let mut scene = Scene::of(&store, "a").await;
    // It is taken, the answer is lost, and the provider is away for so long that somebody gives it up, and still then.
    scene.goes_wrong(&[Mode::LostAnswer]);
    scene.goes_wrong(&[Mode::NoConnection; 5]);
    scene.bill(400, true).await;
    scene.work().await;
    let dead = scene.dead().await;
    assert!(!dead.taken, "nothing was ever heard of it");
    scene.give_up(&dead.id).await;
    scene.work().await;
    let given_up = scene.one(&dead.subject).await;
    assert_eq!((given_up.status, given_up.captured), (PaymentStatus::GivenUp, 0));
    // So the driver pays once more.
    let again = scene.pay().await.unwrap();
    scene.look().await;
    assert!(scene.happens(&again.id, Status::Paid));
    scene.webhook(&again.id).await;
    scene.work().await;
    // Now the webhook of the first one comes.
    scene.webhook(&dead.subject).await;
    scene.work().await;
    let found = scene.one(&dead.subject).await;
    assert_eq!((found.status, found.captured), (PaymentStatus::Paid, 400));
    assert_eq!(found.refunded + scene.one(&again.id).await.refunded, 400, "one of them went back");
    assert_eq!(scene.left().await, 0);

    // Where the provider answers by then, nobody has to tell.
    let mut scene = Scene::of(&store, "b").await;
    scene.goes_wrong(&[Mode::LostAnswer]);
    scene.goes_wrong(&[Mode::NoConnection; 2]);
    scene.bill(400, true).await;
    scene.work().await;
    scene.give_up(&scene.dead().await.id).await;
    scene.work().await;
    let [found] = scene.payments().await.try_into().unwrap();
    assert_eq!((found.status, found.captured), (PaymentStatus::Paid, 400));

    // A refund: the same.
    scene.goes_wrong(&[Mode::LostAnswer]);
    scene.goes_wrong(&[Mode::NoConnection; 5]);
    scene.bill(-100, true).await;
    scene.work().await;
    let dead = scene.dead().await;
    scene.give_up(&dead.id).await;
    scene.work().await;
    scene.webhook(&found.id).await;
    scene.work().await;
    let row = scene.intents().await.into_iter().find(|row| row.id == dead.id).unwrap();
    assert_eq!((row.state, scene.one(&found.id).await.refunded), (IntentState::Done, 100));
    scene.bill(-300, true).await;
    scene.work().await;
    assert_eq!(scene.refunded(&found.id), 400);
}
both!(what_was_given_up_and_done_all_the_same_is_found);

async fn a_page_that_nobody_finishes_stops_nobody(place: Place) {
    let store = place.open().await;
    let mut scene = Scene::of(&store, "a").await;
    scene.bill(400, false).await;
    let open = scene.pay().await.unwrap();
    scene.days(6).await;
    assert_eq!(scene.one(&open.id).await.status, PaymentStatus::ActionNeeded);
    scene.days(2).await;
    // It is given up there, and the bill can be paid.
    assert_eq!(scene.one(&open.id).await.status, PaymentStatus::Cancelled);
    assert_eq!(scene.fake.truth().payments[&open.id].status, Status::Cancelled);
    assert_eq!(scene.troubles().await, [""; 0]);
    assert!(scene.pay().await.is_ok());

    // Where it cannot be given up it stays open there, and a person is told after a month. What else the driver is to pay goes on.
    let mut scene = Scene::of(&store, "b").await;
    scene.fake.truth().refuses_cancels = true;
    scene.bill(400, false).await;
    let open = scene.pay().await.unwrap();
    scene.days(31).await;
    assert_eq!(scene.troubles().await, ["payment.held not-finished"]);
    let terms = Some(Terms { plugin: PLUGIN.into(), instrument: Some("card-d1".into()) });
    issue_for(&store, &scene.org, ("s2", "d1"), (9, 700), terms, scene.now).await;
    scene.work().await;
    let of_other = scene.payments().await.into_iter().find(|one| one.session.as_deref() == Some("s2"));
    assert_eq!(of_other.unwrap().status, PaymentStatus::Paid);
    // He finishes it after all.
    assert!(scene.happens(&open.id, Status::Paid));
    scene.webhook(&open.id).await;
    scene.work().await;
    assert_eq!((scene.one(&open.id).await.status, scene.left().await), (PaymentStatus::Paid, 0));
    assert_eq!(scene.troubles().await, [""; 0]);

    // A person gives one up that is open there: it is cancelled there, too.
    let mut scene = Scene::of(&store, "c").await;
    scene.fake.truth().refuses_cancels = true;
    scene.bill(400, false).await;
    let open = scene.pay().await.unwrap();
    scene.days(31).await;
    scene.fake.truth().refuses_cancels = false;
    scene.give_up(&scene.dead().await.id).await;
    scene.work().await;
    assert_eq!(scene.fake.truth().payments[&open.id].status, Status::Cancelled);
    assert_eq!(scene.one(&open.id).await.status, PaymentStatus::Cancelled);
}
both!(a_page_that_nobody_finishes_stops_nobody);

async fn a_card_that_nobody_finishes_to_save_is_no_trouble(place: Place) {
    let store = place.open().await;
    let mut scene = Scene::of(&store, "a").await;
    let saved = scene.outbox.save(&scene.org, saving(), "d1", scene.now).await.unwrap();
    scene.days(8).await;
    let status = async |scene: &Scene| {
        scene.store.read().await.unwrap().instrument(&scene.org, &saved.id).await.unwrap().unwrap()
    };
    let given_up = status(&scene).await;
    assert_eq!(
        (given_up.status, given_up.failure.as_deref()),
        (InstrumentStatus::Failed, Some("the payer did not finish it"))
    );
    // Looked at once more it is as it was.
    scene.outbox.hint(&scene.org, PLUGIN, ("card-d1", None), scene.now).await.unwrap();
    scene.work().await;
    assert_eq!(status(&scene).await.failure, given_up.failure);
    assert_eq!(status(&scene).await.status, InstrumentStatus::Failed);
    scene.days(40).await;
    assert_eq!(scene.troubles().await, [""; 0]);
    // He does it after all.
    {
        let mut truth = scene.fake.truth();
        let card = truth.instruments.get_mut("card-d1").unwrap();
        (card.ready, card.next) = (true, None);
    }
    scene.outbox.hint(&scene.org, PLUGIN, ("card-d1", None), scene.now).await.unwrap();
    scene.work().await;
    assert_eq!(status(&scene).await.status, InstrumentStatus::Ready);
}
both!(a_card_that_nobody_finishes_to_save_is_no_trouble);

async fn what_moves_while_something_else_waits_is_heard(place: Place) {
    let store = place.open().await;
    // A refund waits for a person; another one is made by hand.
    let (mut scene, paid) = Scene::paid_by_card(&store, "a", 400).await;
    scene.goes_wrong(&[Mode::NoConnection; 3]);
    scene.bill(-100, true).await;
    scene.work().await;
    let dead = scene.dead().await;
    scene.by_hand(&paid, 30).await;
    assert_eq!(scene.one(&paid).await.refunded, 30);
    assert_eq!(scene.dead().await.id, dead.id);

    // A hint that comes while an answer is on its way.
    let (mut scene, paid) = Scene::paid_by_card(&store, "b", 400).await;
    let rules = Rules { call_ms: 30_000, ..options().rules };
    scene.outbox = Outbox::new(store.clone(), Installed::of(&scene.fake), Options { rules, ..options() });
    let gate = Arc::new((tokio::sync::Notify::new(), tokio::sync::Notify::new()));
    scene.fake.truth().payments.get_mut(&paid).unwrap().refunded = 10;
    scene.fake.truth().gate = Some(Arc::clone(&gate));
    scene.webhook(&paid).await;
    let looking = tokio::spawn({
        let (outbox, now) = (scene.outbox.clone(), scene.now);
        async move { outbox.look(now).await }
    });
    gate.0.notified().await;
    scene.fake.truth().payments.get_mut(&paid).unwrap().refunded = 30;
    scene.webhook(&paid).await;
    scene.fake.truth().gate = None;
    gate.1.notify_one();
    looking.await.unwrap().unwrap();
    assert_eq!(scene.one(&paid).await.refunded, 10);
    scene.now = Instant(scene.now.0 + 1);
    scene.work().await;
    assert_eq!(scene.one(&paid).await.refunded, 30);
}
both!(what_moves_while_something_else_waits_is_heard);

async fn what_cannot_be_is_not_believed(place: Place) {
    let store = place.open().await;
    let (mut scene, paid) = Scene::paid_by_card(&store, "a", 345).await;
    let before = scene.one(&paid).await;
    {
        let mut truth = scene.fake.truth();
        let kept = truth.payments.get_mut(&paid).unwrap();
        (kept.status, kept.captured) = (Status::Failed, 0);
    }
    scene.webhook(&paid).await;
    scene.work().await;
    assert_eq!(scene.one(&paid).await, before);
    assert_eq!(scene.troubles().await, ["payment.held amount-fell"]);
    assert_eq!(scene.left().await, 0, "nobody is asked to pay again");
}
both!(what_cannot_be_is_not_believed);

async fn a_chargeback_is_told_and_booked(place: Place) {
    let store = place.open().await;
    let (mut scene, paid) = Scene::paid_by_card(&store, "a", 300).await;
    let theirs = scene.one(&paid).await.theirs.unwrap();
    let said = |status: &str, won| Dispute {
        name: "du_1".to_owned(),
        amount: Some(300),
        currency: "EUR".to_owned(),
        reason: "fraudulent".to_owned(),
        status: status.to_owned(),
        won,
    };
    let tell = async |scene: &Scene, dispute: Dispute| {
        let names = (theirs.as_str(), None);
        scene.outbox.disputed(&scene.org, PLUGIN, names, dispute, scene.now).await.unwrap()
    };
    let open = async |scene: &Scene| {
        let open = store.read().await.unwrap().open_incidents(&scene.org).await.unwrap();
        open.into_iter().filter(|one| one.kind == "payment.disputed").collect::<Vec<_>>()
    };
    // The bank asks, and lets go: nothing is to be done.
    assert!(tell(&scene, said("warning_needs_response", false)).await);
    assert!(tell(&scene, said("warning_closed", true)).await);
    assert_eq!(open(&scene).await, []);
    assert!(tell(&scene, said("needs_response", false)).await);
    assert!(tell(&scene, said("lost", false)).await);
    let [one] = open(&scene).await.try_into().unwrap();
    for part in [paid.as_str(), "\"du_1\"", "\"amount_minor\":300", "fraudulent", "\"lost\"", "driver:d1"] {
        assert!(one.document.contains(part), "{part}: {}", one.document);
    }
    // Of a payment that is not ours nobody is told.
    let other = scene.outbox.disputed(&scene.org, PLUGIN, ("pi-other", None), said("lost", false), scene.now);
    assert!(!other.await.unwrap());

    let booked = async |scene: &Scene, outcome, amount, reference: &str| {
        let told = Received { amount, reference: reference.to_owned(), at: scene.now, by: "anna".to_owned() };
        scene.outbox.charged_back(&scene.org, &paid, (outcome, told), scene.now).await
    };
    assert!(booked(&scene, Outcome::Won, None, "du_1").await.is_err(), "nothing is gone");
    assert!(booked(&scene, Outcome::Lost, Some(301), "du_1").await.is_err(), "so much is not there");
    let on = async |scene: &Scene| {
        let on = balances(&store, &scene.org).await;
        let of = |kind, owner: &str| on.get(&(kind, owner.to_owned())).copied().unwrap_or(0);
        (of(AccountKind::Clearing, PLUGIN), of(AccountKind::Receivable, "driver:d1"))
    };
    assert_eq!(on(&scene).await, (300, 0));
    assert!(booked(&scene, Outcome::Lost, None, "du_1").await.unwrap().1);
    assert!(!booked(&scene, Outcome::Lost, None, "du_1").await.unwrap().1, "once");
    assert_eq!(on(&scene).await, (0, 300));
    assert_eq!((open(&scene).await, scene.left().await), (vec![], 300));
    // The provider counts nothing as given back, and that is no news.
    scene.webhook(&paid).await;
    scene.work().await;
    assert!(tell(&scene, said("lost", false)).await);
    assert_eq!((scene.troubles().await, open(&scene).await), (vec![], vec![]));
    // Later the bank changes its mind: somebody is told, and books it.
    assert!(tell(&scene, said("won", true)).await);
    assert_eq!(open(&scene).await.len(), 1);
    assert!(booked(&scene, Outcome::Won, None, "du_1").await.unwrap().1);
    assert_eq!((on(&scene).await, scene.left().await, open(&scene).await), ((300, 0), 0, vec![]));
    // And it can be given back as any money.
    scene.bill(-300, true).await;
    scene.work().await;
    assert_eq!((scene.refunded(&paid), on(&scene).await), (300, (0, 0)));
    let checked = Checker::new(store.clone(), scene.org.clone()).check(Instant(0)).await.unwrap();
    assert_eq!(checked.faults, Vec::<String>::new());
}
both!(a_chargeback_is_told_and_booked);
