//! A backup that is restored: what was done since it was made is found, and nothing is asked for before a person says so.

use crate::fake::Installed;
use crate::made::*;
use crate::scene::{Scene, decision};
use crate::store_support::*;
use takst_engine::units::Instant;
use takst_gateway::outbox::{Outbox, is_held};
use takst_gateway::store::*;

async fn what_was_done_since_the_backup_is_not_done_again(place: Place) {
    let store = place.open().await;
    let mut scene = Scene::of(&store, "a").await;
    scene.bill(500, true).await;
    scene.work().await;
    scene.bill(-100, true).await;
    let owner = scene.org.clone();
    // A charge and a refund that nobody was asked for yet.
    issue(&store, &owner, ("s2", "d2"), (7, 300), scene.now).await;
    let file = place.dir.path().join("backup");
    store.backup(&file).await.unwrap();
    scene.work().await;
    let moved = |scene: &Scene| {
        let truth = scene.fake.truth();
        let mut all: Vec<(i64, i64, u32)> =
            truth.payments.values().map(|kept| (kept.captured, kept.refunded, kept.takings)).collect();
        all.sort_unstable();
        all
    };
    assert_eq!(moved(&scene), [(300, 0, 1), (500, 100, 1)]);
    // So old that no key holds any more.
    scene.fake.truth().forgets = true;

    for target in [Place::sqlite(), Place::postgres().await] {
        restore(&file, &target.url, Since::Unknown).await.unwrap();
        let restored = target.open().await;
        assert!(is_held(&restored, &owner).await.unwrap());
        let open = intents(&restored, &owner).await.into_iter().filter(|row| row.finished_at.is_none());
        let states: Vec<(IntentKind, IntentState)> = open.map(|row| (row.kind, row.state)).collect();
        let wanted = [(IntentKind::Refund, IntentState::Unknown), (IntentKind::Charge, IntentState::Unknown)];
        assert_eq!(states, wanted);
        let outbox = Outbox::new(restored.clone(), Installed::of(&scene.fake), options());
        outbox.resume(&owner, decision(), scene.now).await.unwrap();
        assert!(!is_held(&restored, &owner).await.unwrap());
        let again = outbox.resume(&owner, decision(), scene.now).await.unwrap_err().to_string();
        assert!(again.contains("nothing is held"), "{again}");

        let mut there = Scene::of_restored(&restored, &owner, &scene);
        there.now = later();
        there.work().await;
        assert_eq!(moved(&there), [(300, 0, 1), (500, 100, 1)], "nothing is taken or given back twice");
        let mut booked: Vec<(i64, i64)> =
            there.payments().await.iter().map(|one| (one.captured, one.refunded)).collect();
        booked.sort_unstable();
        assert_eq!(booked, [(300, 0), (500, 100)]);
        assert!(there.intents().await.iter().all(|row| row.state == IntentState::Done));
        assert_eq!(there.troubles().await, [""; 0]);
        restored.close().await;
    }
}
both!(what_was_done_since_the_backup_is_not_done_again);

async fn nothing_is_held_where_nothing_was_done_since(place: Place) {
    let store = place.open().await;
    let mut scene = Scene::of(&store, "a").await;
    scene.bill(500, true).await;
    let file = place.dir.path().join("backup");
    store.backup(&file).await.unwrap();
    let before = intents(&store, &scene.org).await;
    let target = place.another().await;
    restore(&file, &target.url, Since::Nothing).await.unwrap();
    let restored = target.open().await;
    assert!(!is_held(&restored, &scene.org).await.unwrap());
    assert_eq!(intents(&restored, &scene.org).await, before);
    assert!(before.iter().any(|row| row.state == IntentState::Waiting));
}
both!(nothing_is_held_where_nothing_was_done_since);

async fn what_was_not_done_by_then_is_done(place: Place) {
    let store = place.open().await;
    let mut scene = Scene::of(&store, "a").await;
    scene.bill(500, true).await;
    scene.work().await;
    scene.bill(-100, true).await;
    let file = place.dir.path().join("backup");
    store.backup(&file).await.unwrap();
    let target = place.another().await;
    restore(&file, &target.url, Since::Unknown).await.unwrap();
    let restored = target.open().await;
    let mut there = Scene::of_restored(&restored, &scene.org, &scene);
    there.now = later();
    there.work().await;
    let [paid] = there.payments().await.try_into().unwrap();
    assert_eq!((paid.captured, paid.refunded), (500, 100));
    assert_eq!(scene.fake.truth().payments[&paid.id].refunded, 100);
    assert!(there.intents().await.iter().all(|row| row.state == IntentState::Done));
}
both!(what_was_not_done_by_then_is_done);

// The clock of a restore is the real one.
fn later() -> Instant {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Instant(i64::try_from(since.as_millis()).unwrap() + 1)
}
