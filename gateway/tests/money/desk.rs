//! Dead letters, breakers, hints, pins, cards: what people and webhooks do.

use crate::fake::{Fake, Installed, Mode, PLUGIN, Shared};
use crate::made::*;
use crate::scene::decision;
use crate::store_support::*;
use std::sync::Arc;
use takst_engine::units::Instant;
use takst_gateway::outbox::machine::Rules;
use takst_gateway::outbox::provider::{NoProviders, ProviderInstrument, Status};
use takst_gateway::outbox::{Decision, Gate, Limits, Options, Outbox};
use takst_gateway::store::*;

async fn open(place: &Place) -> Store {
    let store = place.open().await;
    store.write(Lane::org(&org()), async move |tx| tx.add_org(&org(), "x", at(0)).await).await.unwrap();
    store
}

// Looks until nothing is left to be done by itself; the time then.
async fn work(store: &Store, outbox: &Outbox, mut now: Instant) -> Instant {
    for _ in 0..500 {
        outbox.look(now).await.unwrap();
        match store.read().await.unwrap().next_intent(&org()).await.unwrap() {
            Some(next) => now = Instant(next.0.max(now.0) + 1),
            None => return now,
        }
    }
    panic!("it does not end: {:#?}", intents(store, &org()).await)
}

async fn a_call_may_take_as_long_as_its_plugin(place: Place) {
    let store = open(&place).await;
    // Longer than the outbox waits for those that say nothing.
    let fake = Fake::scripted(&[Mode::Long]);
    let outbox = outbox(&store, &fake);
    issue(&store, &org(), ("s1", "d1"), (1, 100), at(0)).await;
    outbox.look(at(0)).await.unwrap();
    let [row] = intents(&store, &org()).await.try_into().unwrap();
    assert_eq!((row.state, row.code.as_deref()), (IntentState::Unknown, Some("time-out")));

    fake.truth().lasts = std::time::Duration::from_millis(100);
    fake.truth().script.push_back(Mode::Long);
    issue(&store, &org(), ("s2", "d2"), (2, 200), at(0)).await;
    outbox.look(at(0)).await.unwrap();
    let [_, row] = intents(&store, &org()).await.try_into().unwrap();
    assert_eq!((row.state, row.attempt, row.code), (IntentState::Done, 1, None));
}
both!(a_call_may_take_as_long_as_its_plugin);

async fn a_dead_letter_stops_its_debtor_until_a_person_decides(place: Place) {
    let store = open(&place).await;
    let fake = Fake::scripted(&[Mode::NoConnection; 3]);
    let rules = Rules { failures: 3, ..options().rules };
    let outbox = Outbox::new(store.clone(), Installed::of(&fake), Options { rules, ..options() });
    issue(&store, &org(), ("s1", "d1"), (1, 100), at(0)).await;
    let now = work(&store, &outbox, at(0)).await;
    issue(&store, &org(), ("s2", "d1"), (2, 200), now).await;
    issue(&store, &org(), ("s3", "d2"), (3, 300), now).await;
    let now = work(&store, &outbox, now).await;
    let [first, second, other] = intents(&store, &org()).await.try_into().unwrap();
    assert_eq!(
        (first.state, second.state, other.state),
        (IntentState::Dead, IntentState::Waiting, IntentState::Done)
    );
    assert_eq!((first.code.as_deref(), first.attempt), (Some("no-connection"), 3));
    let incidents = store.read().await.unwrap().open_incidents(&org()).await.unwrap();
    assert_eq!((incidents.len(), incidents[0].kind.as_str()), (1, "payment.held"));

    let again = outbox.retry(&org(), &first.id, decision(), now).await.unwrap();
    assert_eq!(again.state, IntentState::Unknown);
    let now = work(&store, &outbox, now).await;
    assert!(intents(&store, &org()).await.iter().all(|row| row.state == IntentState::Done));
    assert!(store.read().await.unwrap().open_incidents(&org()).await.unwrap().is_empty());
    let error = outbox.give_up(&org(), &first.id, decision(), now).await.unwrap_err();
    assert_eq!(error.to_string(), "it is over already");
    let log = store.read().await.unwrap().audit_log(&org(), Some(&first.id), None, 10).await.unwrap();
    assert_eq!((log.len(), log[0].what.as_str(), log[0].who.as_str()), (1, "outbox.retry", "anna"));
}
both!(a_dead_letter_stops_its_debtor_until_a_person_decides);

async fn a_breaker_spares_a_plugin_that_fails(place: Place) {
    let store = open(&place).await;
    let fake = Fake::scripted(&[Mode::NoConnection; 6]);
    let breaker = Limits { failures: 3, first_ms: 60_000, longest_ms: 600_000 };
    let outbox = Outbox::new(store.clone(), Installed::of(&fake), Options { breaker, calls: 1, ..options() });
    for number in 1..=8 {
        issue(&store, &org(), (&format!("s{number}"), &format!("d{number}")), (number, 100), at(0)).await;
    }
    for _ in 0..8 {
        outbox.look(at(0)).await.unwrap();
    }
    // After three failures nobody asks any more.
    assert_eq!(fake.truth().calls, 3);
    assert!(matches!(outbox.plugins(&org(), at(0))[0].gate, Gate::Shut(_)));
    // Then one tries, and the pause is longer.
    outbox.look(at(61_000)).await.unwrap();
    outbox.look(at(61_000)).await.unwrap();
    assert_eq!(fake.truth().calls, 4);
    work(&store, &outbox, at(62_000)).await;
    assert!(payments(&store, &org()).await.iter().all(|payment| payment.status == PaymentStatus::Paid));
    assert_eq!(fake.truth().payments.len(), 8);
}
both!(a_breaker_spares_a_plugin_that_fails);

async fn a_payer_pays_by_himself_and_a_hint_wakes_it(place: Place) {
    let store = open(&place).await;
    let fake = Arc::new(Fake::default());
    let outbox = outbox(&store, &fake);
    let bill = issue_without_card(&store, "s1", 500).await;
    let payment =
        outbox.pay(&org(), &bill, PLUGIN, (Some("https://me.example".into()), "d1"), at(0)).await.unwrap();
    outbox.look(at(0)).await.unwrap();
    let shown = store.read().await.unwrap().payment(&org(), &payment.id).await.unwrap().unwrap();
    assert_eq!(
        (shown.status, shown.next.as_deref()),
        (PaymentStatus::ActionNeeded, Some("https://pay.example/3ds"))
    );
    let twice = outbox.pay(&org(), &bill, PLUGIN, (None, "d1"), at(1)).await.unwrap_err();
    assert!(twice.to_string().contains("is action-needed; wait for it, or cancel it"), "{twice}");
    fake.truth().proceed(&payment.id);
    // Nothing is looked at before its time, unless somebody hints.
    assert_eq!(outbox.look(at(1)).await.unwrap(), 0);
    assert_eq!(
        outbox.hint(&org(), PLUGIN, (shown.theirs.as_deref().unwrap(), None), at(1)).await.unwrap(),
        1
    );
    outbox.look(at(1)).await.unwrap();
    let paid = store.read().await.unwrap().payment(&org(), &payment.id).await.unwrap().unwrap();
    assert_eq!((paid.status, paid.captured), (PaymentStatus::Paid, 500));
    assert!(outbox.pay(&org(), &bill, PLUGIN, (None, "d1"), at(2)).await.is_err());

    // Money that moves at the provider by itself is booked, and a person is told.
    fake.truth().payments.get_mut(&payment.id).unwrap().refunded = 50;
    outbox.hint(&org(), PLUGIN, (paid.theirs.as_deref().unwrap(), None), at(3)).await.unwrap();
    outbox.look(at(3)).await.unwrap();
    let moved = store.read().await.unwrap().payment(&org(), &payment.id).await.unwrap().unwrap();
    assert_eq!(moved.refunded, 50);
    assert_eq!(balances(&store, &org()).await[&(AccountKind::Clearing, PLUGIN.to_owned())], 450);
    let incidents = store.read().await.unwrap().open_incidents(&org()).await.unwrap();
    assert!(incidents[0].document.contains("refunded-unasked"), "{incidents:?}");
    // He accepts it.
    outbox.give_up(&org(), &incidents[0].subject, decision(), at(4)).await.unwrap();
    assert!(store.read().await.unwrap().open_incidents(&org()).await.unwrap().is_empty());
    assert!(outbox.give_up(&org(), &incidents[0].subject, decision(), at(5)).await.is_err());
}
both!(a_payer_pays_by_himself_and_a_hint_wakes_it);

async fn what_was_asked_stays_with_its_version(place: Place) {
    let store = open(&place).await;
    let fake = Fake::scripted(&[Mode::LostAnswer]);
    let of = |version: &str| {
        let provider = Arc::new(Shared(Arc::clone(&fake)));
        Arc::new(Installed { provider, version: version.to_owned() })
    };
    let old = Outbox::new(store.clone(), of("1.0.0"), options());
    issue(&store, &org(), ("s1", "d1"), (1, 100), at(0)).await;
    old.look(at(0)).await.unwrap();
    let [row] = intents(&store, &org()).await.try_into().unwrap();
    assert_eq!((row.state, row.version.as_deref()), (IntentState::Unknown, Some("1.0.0")));
    // The old version is gone: nobody else is asked what became of it.
    let new = Outbox::new(store.clone(), of("2.0.0"), options());
    let mut now = row.next_at.unwrap();
    for _ in 0..3 {
        new.look(now).await.unwrap();
        now = Instant(now.0 + 120_000);
    }
    let [row] = intents(&store, &org()).await.try_into().unwrap();
    assert_eq!((row.state, row.code.as_deref()), (IntentState::Unknown, Some("plugin-missing")));
    assert_eq!(fake.truth().calls, 1);
    let open = store.read().await.unwrap().open_incidents(&org()).await.unwrap();
    assert_eq!((open.len(), open[0].kind.as_str()), (1, "plugin.missing"));
    // It comes back.
    old.look(now).await.unwrap();
    let [row] = intents(&store, &org()).await.try_into().unwrap();
    assert_eq!(row.state, IntentState::Done);
    assert_eq!(fake.truth().payments.values().next().unwrap().takings, 1);
    assert!(store.read().await.unwrap().open_incidents(&org()).await.unwrap().is_empty());
}
both!(what_was_asked_stays_with_its_version);

async fn a_plugin_is_missed_until_nothing_waits_for_it(place: Place) {
    let store = open(&place).await;
    let outbox = Outbox::new(store.clone(), Arc::new(NoProviders), options());
    issue(&store, &org(), ("s1", "d1"), (1, 100), at(0)).await;
    issue(&store, &org(), ("s2", "d2"), (2, 100), at(0)).await;
    outbox.look(at(0)).await.unwrap();
    let missed = async || {
        let open = store.read().await.unwrap().open_incidents(&org()).await.unwrap();
        open.iter().filter(|incident| incident.kind == "plugin.missing").count()
    };
    let rows = intents(&store, &org()).await;
    assert_eq!(rows.len(), 2);
    assert!(rows.iter().all(|row| row.code.as_deref() == Some("plugin-missing")), "{rows:?}");
    assert_eq!(missed().await, 1);
    // One is given up: the other still needs it.
    for (row, left) in rows.iter().zip([1, 0]) {
        let decision = Decision { by: "anna".to_owned(), reason: "paid in cash".to_owned() };
        outbox.give_up(&org(), &row.id, decision, at(1_000)).await.unwrap();
        assert_eq!(missed().await, left);
    }
}
both!(a_plugin_is_missed_until_nothing_waits_for_it);

async fn odd_amounts_are_held_for_a_person(place: Place) {
    let store = open(&place).await;
    let fake = Fake::scripted(&[Mode::LostAnswer]);
    let outbox = outbox(&store, &fake);
    issue(&store, &org(), ("s1", "d1"), (1, 100), at(0)).await;
    outbox.look(at(0)).await.unwrap();
    {
        let mut truth = fake.truth();
        let kept = truth.payments.values_mut().next().unwrap();
        (kept.captured, kept.status) = (130, Status::Paid);
    }
    let now = work(&store, &outbox, at(0)).await;
    let [row] = intents(&store, &org()).await.try_into().unwrap();
    assert_eq!((row.state, row.code.as_deref()), (IntentState::Dead, Some("captured-too-much")));
    // The money is where it is: the books say so, and the driver has 0.30 to get.
    assert_eq!(balances(&store, &org()).await[&(AccountKind::Receivable, "driver:d1".to_owned())], -30);
    outbox.give_up(&org(), &row.id, decision(), now).await.unwrap();
    let [payment] = payments(&store, &org()).await.try_into().unwrap();
    assert_eq!((payment.status, payment.captured), (PaymentStatus::Paid, 130));
    assert!(store.read().await.unwrap().open_incidents(&org()).await.unwrap().is_empty());
}
both!(odd_amounts_are_held_for_a_person);

async fn a_card_is_saved_and_a_payment_cancelled(place: Place) {
    let store = open(&place).await;
    let fake = Fake::scripted(&[Mode::Fine, Mode::Fine]);
    let outbox = outbox(&store, &fake);
    let saved = outbox.save(&org(), saving(), "d1", at(0)).await.unwrap();
    outbox.look(at(0)).await.unwrap();
    let shown = store.read().await.unwrap().instrument(&org(), &saved.id).await.unwrap().unwrap();
    assert_eq!((shown.status, shown.theirs.as_deref()), (InstrumentStatus::ActionNeeded, Some("card-d1")));
    let ready = |saved: &mut ProviderInstrument| (saved.ready, saved.next) = (true, None);
    ready(fake.truth().instruments.get_mut("card-d1").unwrap());
    outbox.hint(&org(), PLUGIN, ("card-d1", None), at(1)).await.unwrap();
    outbox.look(at(1)).await.unwrap();
    let shown = store.read().await.unwrap().instrument(&org(), &saved.id).await.unwrap().unwrap();
    assert_eq!((shown.status, shown.label.as_deref()), (InstrumentStatus::Ready, Some("Visa 4242")));

    let bill = issue_without_card(&store, "s1", 500).await;
    let payment = outbox.pay(&org(), &bill, PLUGIN, (None, "d1"), at(2)).await.unwrap();
    outbox.look(at(2)).await.unwrap();
    outbox.cancel(&org(), &payment.id, decision(), at(3)).await.unwrap();
    let twice = outbox.cancel(&org(), &payment.id, decision(), at(3)).await.unwrap_err();
    assert!(twice.to_string().contains("is being cancelled already"), "{twice}");
    work(&store, &outbox, at(3)).await;
    let over = store.read().await.unwrap().payment(&org(), &payment.id).await.unwrap().unwrap();
    assert_eq!((over.status, over.captured), (PaymentStatus::Cancelled, 0));
    assert!(intents(&store, &org()).await.iter().all(|row| row.finished_at.is_some()));
    // The bill is open, and can be paid again.
    assert!(outbox.pay(&org(), &bill, PLUGIN, (None, "d1"), at(4)).await.is_ok());
}
both!(a_card_is_saved_and_a_payment_cancelled);

// A bill as billing would have issued it before the seller had a provider.
async fn issue_without_card(store: &Store, session: &str, total: i64) -> String {
    issue_for(store, &org(), (session, "d1"), (1, total), None, at(0)).await.id
}
