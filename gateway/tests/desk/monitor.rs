//! The monitor on real databases: incidents with their history, restarts, and what it costs to look at many chargers.

use crate::store_support::{Place, at, org, run, session};
use futures_util::future::BoxFuture;
use serde_json::Value;
use std::sync::{Arc, Mutex};
use takst_engine::units::{Instant, MINUTE_MS};
use takst_gateway::monitor::{How, Looked, Monitor, Restarter, Thresholds, Watch};
use takst_gateway::store::*;

/// Watches every charger whose name does not begin with `gone`.
struct Rules(Thresholds);

impl Watch for Rules {
    fn thresholds(&self, _: &OrgId, charger: &str) -> Option<Thresholds> {
        (!charger.starts_with("gone")).then_some(self.0)
    }
}

/// Remembers who was to be restarted.
#[derive(Default)]
struct Hands {
    told: Mutex<Vec<(String, How)>>,
    deaf: bool,
    elsewhere: bool,
}

impl Hands {
    fn told(&self) -> Vec<(String, How)> {
        self.told.lock().unwrap().clone()
    }
}

impl Restarter for Hands {
    fn reaches(&self, _: &OrgId, _: &str) -> bool {
        !self.elsewhere
    }

    fn restart<'a>(
        &'a self,
        _: &'a OrgId,
        charger: &'a str,
        how: How,
    ) -> BoxFuture<'a, Result<String, String>> {
        self.told.lock().unwrap().push((charger.to_owned(), how));
        let deaf = self.deaf;
        Box::pin(async move {
            if deaf {
                Err("the charger did not answer in time".to_owned())
            } else {
                Ok("Accepted".to_owned())
            }
        })
    }
}

struct Scene {
    store: Store,
    hands: Arc<Hands>,
    rules: Thresholds,
    monitor: Monitor,
}

/// So many minutes after the beginning.
fn min(minutes: i64) -> Instant {
    at(minutes * MINUTE_MS)
}

impl Scene {
    async fn new(place: &Place) -> Self {
        Self::with(place.open().await, Hands::default(), Thresholds::default())
    }

    fn with(store: Store, hands: Hands, rules: Thresholds) -> Self {
        let hands = Arc::new(hands);
        let monitor = watcher(&store, &hands, rules);
        Self { store, hands, rules, monitor }
    }

    /// The program starts anew.
    fn restarted(&mut self) {
        self.monitor = watcher(&self.store, &self.hands, self.rules);
    }

    async fn look(&mut self, now: Instant) -> Looked {
        let looked = self.monitor.look(now).await.unwrap();
        self.monitor.settle().await;
        looked
    }

    async fn connect(&self, charger: &str, now: Instant) {
        connect(&self.store, &org(), charger, now).await;
    }

    async fn disconnect(&self, charger: &str) {
        let charger = charger.to_owned();
        let lane = Lane::charger(&org(), &charger);
        let unit = async move |tx: &mut Tx| tx.charger_disconnected(&org(), &charger, "c").await.map(drop);
        self.store.write(lane, unit).await.unwrap();
    }

    async fn show(&self, charger: &str, evse: i64, status: &str, now: Instant) {
        let charger = charger.to_owned();
        let state = ConnectorState {
            evse,
            connector: 0,
            status: status.to_owned(),
            error: (status == "Faulted").then(|| r#"{"code":"GroundFailure"}"#.to_owned()),
            since: now,
            received_at: now,
        };
        let lane = Lane::charger(&org(), &charger);
        let unit = async move |tx: &mut Tx| tx.put_connector(&org(), &charger, &state).await.map(drop);
        self.store.write(lane, unit).await.unwrap();
    }

    /// Kinds and subjects of the open incidents.
    async fn open(&self) -> Vec<(String, String)> {
        let rows = self.store.read().await.unwrap().open_incidents(&org()).await.unwrap();
        rows.into_iter().map(|row| (row.kind, row.subject)).collect()
    }

    /// The newest incident with its history.
    async fn newest(&self, charger: &str) -> (Incident, Vec<(String, Value)>) {
        let mut reader = self.store.read().await.unwrap();
        let incident = reader.incidents(&org(), Some(charger), None, 1).await.unwrap().remove(0);
        let history = reader.incident_events(&org(), &incident.id).await.unwrap();
        let history =
            history.into_iter().map(|event| (event.kind, serde_json::from_str(&event.document).unwrap()));
        (incident, history.collect())
    }

    /// Kinds of logged events, in order.
    async fn events(&self) -> Vec<String> {
        let rows = self.store.read().await.unwrap().events_after(&org(), 0, 100).await.unwrap();
        rows.into_iter().map(|row| row.kind).collect()
    }
}

fn watcher(store: &Store, hands: &Arc<Hands>, rules: Thresholds) -> Monitor {
    Monitor::new(store.clone(), org(), Arc::new(Rules(rules)), Arc::<Hands>::clone(hands))
}

async fn connect(store: &Store, org: &OrgId, charger: &str, now: Instant) {
    let (org, charger) = (org.clone(), charger.to_owned());
    let lane = Lane::charger(&org, &charger);
    let unit = async move |tx: &mut Tx| {
        tx.add_charger(&org, &charger, Registration::Accepted, now).await?;
        tx.charger_connected(&org, &charger, ("n", "c"), "ocpp1.6", now).await
    };
    store.write(lane, unit).await.unwrap();
}

fn pair(kind: &str, subject: &str) -> (String, String) {
    (kind.to_owned(), subject.to_owned())
}

fn kinds(history: &[(String, Value)]) -> Vec<&str> {
    history.iter().map(|(kind, _)| kind.as_str()).collect()
}

async fn a_charger_that_is_away_is_an_incident_until_it_is_back(place: Place) {
    let mut scene = Scene::new(&place).await;
    scene.connect("C1", min(0)).await;
    // Another organisation's charger of the same name has nothing to do with it.
    connect(&scene.store, &OrgId::new("other"), "C1", min(0)).await;
    assert_eq!(scene.look(min(1)).await, Looked { chargers: 1, ..Looked::default() });
    scene.disconnect("C1").await;
    assert_eq!(scene.look(min(2)).await.opened, 0);
    assert_eq!(scene.look(min(4)).await.opened, 0);
    assert_eq!(scene.look(min(5)).await.opened, 1);
    assert_eq!(scene.look(min(6)).await, Looked { chargers: 1, ..Looked::default() });
    assert_eq!(scene.open().await, [pair("offline", "C1")]);
    // A program that starts anew does not know since when, and neither closes nor opens it again.
    scene.restarted();
    assert_eq!(scene.look(min(7)).await, Looked { chargers: 1, ..Looked::default() });
    scene.connect("C1", min(8)).await;
    assert_eq!(scene.look(min(8)).await.closed, 1);
    assert_eq!(scene.open().await, []);
    let (incident, history) = scene.newest("C1").await;
    assert_eq!((incident.opened_at, incident.closed_at), (min(5), Some(min(8))));
    assert_eq!((incident.severity.as_str(), incident.charger.as_deref()), ("error", Some("C1")));
    assert_eq!(kinds(&history), ["opened", "closed"]);
    assert_eq!(history[1].1["after_s"], 180);
    assert_eq!(scene.events().await, ["incident.opened", "incident.closed"]);
    assert!(scene.store.read().await.unwrap().open_incidents(&OrgId::new("other")).await.unwrap().is_empty());
}
both!(a_charger_that_is_away_is_an_incident_until_it_is_back);

async fn a_faulted_charger_is_restarted_with_patience_and_bounds(place: Place) {
    let rules = Thresholds { restarts_per_day: 2, ..Thresholds::default() };
    let mut scene = Scene::with(place.open().await, Hands::default(), rules);
    scene.connect("C1", min(0)).await;
    scene.show("C1", 1, "Faulted", min(0)).await;
    assert_eq!(scene.look(min(0)).await, Looked { chargers: 1, opened: 1, ..Looked::default() });
    assert_eq!(scene.look(min(4)).await.restarts, 0);
    assert_eq!(scene.look(min(5)).await.restarts, 1);
    assert_eq!(scene.look(min(6)).await.restarts, 0);
    // The charger says again that it is faulted: no new trouble. And the program forgets nothing when it starts anew.
    scene.show("C1", 1, "Faulted", min(7)).await;
    assert_eq!(scene.look(min(14)).await.restarts, 0);
    assert_eq!(scene.look(min(15)).await.restarts, 1);
    scene.restarted();
    for minutes in [25, 60, 600, 1_400] {
        assert_eq!(scene.look(min(minutes)).await.restarts, 0, "{minutes}");
    }
    assert_eq!(scene.hands.told(), [("C1".to_owned(), How::Soft), ("C1".to_owned(), How::Hard)]);
    let (_, history) = scene.newest("C1").await;
    assert_eq!(kinds(&history), ["opened", "restart", "restart.answered", "restart", "restart.answered"]);
    assert_eq!(history[0].1["text"], "EVSE 1: reports a fault: GroundFailure");
    assert_eq!((&history[3].1["how"], &history[3].1["number"]), (&"hard".into(), &2.into()));
    assert_eq!(history[4].1["status"], "Accepted");
    // A day after the first one there is room for another.
    assert_eq!(scene.look(min(24 * 60 + 5)).await.restarts, 1);
    scene.show("C1", 1, "Available", min(1_500)).await;
    assert_eq!(scene.look(min(1_500)).await.closed, 1);
}
both!(a_faulted_charger_is_restarted_with_patience_and_bounds);

async fn a_session_that_runs_well_is_left_alone(place: Place) {
    let mut scene = Scene::new(&place).await;
    scene.connect("C1", min(0)).await;
    scene.show("C1", 2, "Faulted", min(0)).await;
    let running =
        Session { plugged_in: min(0), last_reading_at: Some(min(0)), updated_at: min(0), ..session("C1") };
    let stored = running.clone();
    let lane = Lane::charger(&org(), "C1");
    scene.store.write(lane, async move |tx| tx.add_session(&org(), &stored).await).await.unwrap();
    for minutes in 0..30 {
        // A meter value a minute, from a charger whose clock is an hour behind.
        let progress = Progress {
            energy: None,
            last_reading_at: Some(min(minutes - 60)),
            flags: "[]".to_owned(),
            track: "{}".to_owned(),
            at: min(minutes),
        };
        let id = running.id.clone();
        let unit = async move |tx: &mut Tx| tx.session_progress(&org(), &id, &progress).await;
        scene.store.write(lane, unit).await.unwrap();
        assert_eq!(scene.look(min(minutes)).await.restarts, 0, "{minutes}");
    }
    assert_eq!(scene.open().await, [pair("faulted", "C1/2")]);
    // No more meter values: that is an incident, and the session is no reason to wait any more.
    assert_eq!(scene.look(min(43)).await, Looked { chargers: 1, ..Looked::default() });
    assert_eq!(scene.look(min(44)).await, Looked { chargers: 1, opened: 1, closed: 0, restarts: 1 });
    assert_eq!(scene.open().await, [pair("faulted", "C1/2"), pair("no-meter-values", "C1/1")]);
    assert_eq!(scene.hands.told(), [("C1".to_owned(), How::Soft)]);
    // It goes away: nothing new is known of the session.
    scene.disconnect("C1").await;
    assert_eq!(scene.look(min(46)).await.closed, 0);
}
both!(a_session_that_runs_well_is_left_alone);

async fn what_cannot_be_restarted_is_told(place: Place) {
    let deaf = Hands { deaf: true, ..Hands::default() };
    let mut scene = Scene::with(place.open().await, deaf, Thresholds::default());
    scene.connect("C1", min(0)).await;
    scene.show("C1", 0, "Faulted", min(0)).await;
    scene.look(min(0)).await;
    assert_eq!(scene.look(min(5)).await.restarts, 1);
    let (_, history) = scene.newest("C1").await;
    assert_eq!(kinds(&history), ["opened", "restart", "restart.failed"]);
    assert_eq!(history[2].1["why"], "the charger did not answer in time");

    // Its connection is held by another program on the same database: that one restarts it.
    let elsewhere = Hands { elsewhere: true, ..Hands::default() };
    let mut other = Scene::with(scene.store.clone(), elsewhere, Thresholds::default());
    assert_eq!(other.look(min(60)).await.restarts, 0);
    assert_eq!(other.hands.told(), []);
}
both!(what_cannot_be_restarted_is_told);

async fn two_programs_on_one_database_open_one_incident(place: Place) {
    let mut one = Scene::new(&place).await;
    let mut two = Scene::with(one.store.clone(), Hands::default(), Thresholds::default());
    one.connect("C1", min(0)).await;
    one.show("C1", 1, "Preparing", min(0)).await;
    one.look(min(0)).await;
    two.look(min(0)).await;
    // The charger says again that a car is there; that is no new car.
    one.show("C1", 1, "Preparing", min(10)).await;
    let (first, second) = (one.look(min(16)).await, two.look(min(16)).await);
    assert_eq!((first.opened, second.opened), (1, 0));
    assert_eq!(one.open().await, [pair("stuck-preparing", "C1/1")]);
    one.show("C1", 1, "Charging", min(17)).await;
    assert_eq!((one.look(min(17)).await.closed, two.look(min(17)).await.closed), (1, 0));
    assert_eq!(one.events().await, ["incident.opened", "incident.closed"]);
}
both!(two_programs_on_one_database_open_one_incident);

async fn what_is_not_watched_any_more_has_no_incident(place: Place) {
    let mut scene = Scene::new(&place).await;
    scene.connect("gone-1", min(0)).await;
    scene.connect("C1", min(0)).await;
    scene.show("C1", 1, "Faulted", min(0)).await;
    let stale = Incident {
        id: new_id(),
        charger: Some("gone-1".to_owned()),
        subject: "gone-1".to_owned(),
        kind: "offline".to_owned(),
        severity: "error".to_owned(),
        opened_at: min(0),
        closed_at: None,
        document: "{}".to_owned(),
    };
    let other = Incident {
        id: new_id(),
        kind: "feed.late".to_owned(),
        subject: "spot".to_owned(),
        charger: None,
        ..stale.clone()
    };
    let unit = async move |tx: &mut Tx| {
        tx.open_incident(&org(), &stale).await?;
        tx.open_incident(&org(), &other).await.map(drop)
    };
    scene.store.write(Lane::org(&org()), unit).await.unwrap();
    assert_eq!(scene.look(min(1)).await, Looked { chargers: 1, opened: 1, closed: 1, restarts: 0 });
    assert_eq!(scene.open().await, [pair("feed.late", "spot"), pair("faulted", "C1/1")]);
    // Somebody decides that the charger may not work with us.
    let unit = async move |tx: &mut Tx| tx.set_registration(&org(), "C1", Registration::Rejected).await;
    scene.store.write(Lane::org(&org()), unit).await.unwrap();
    assert_eq!(scene.look(min(2)).await.closed, 1);
    let (_, history) = scene.newest("C1").await;
    assert_eq!(history[1].1["text"], "the charger is not watched any more");
}
both!(what_is_not_watched_any_more_has_no_incident);

async fn a_name_of_any_length_is_watched(place: Place) {
    let mut scene = Scene::new(&place).await;
    let long = "ø".repeat(99);
    scene.connect(&long, min(0)).await;
    scene.show(&long, 12, "Faulted", min(0)).await;
    assert_eq!(scene.look(min(0)).await.opened, 1);
    assert_eq!(scene.look(min(1)).await, Looked { chargers: 1, ..Looked::default() });
}
both!(a_name_of_any_length_is_watched);

async fn a_boot_loop_and_a_wrong_clock(place: Place) {
    let mut scene = Scene::new(&place).await;
    scene.connect("C1", min(0)).await;
    for minutes in 0..5 {
        let boot = Boot { at: min(minutes), ..Boot::default() };
        let unit = async move |tx: &mut Tx| tx.charger_booted(&org(), "C1", &boot).await;
        scene.store.write(Lane::charger(&org(), "C1"), unit).await.unwrap();
        scene.look(min(minutes)).await;
    }
    let unit = async move |tx: &mut Tx| tx.set_skew(&org(), "C1", -90_000).await;
    scene.store.write(Lane::charger(&org(), "C1"), unit).await.unwrap();
    assert_eq!(scene.look(min(5)).await.opened, 1);
    assert_eq!(scene.open().await, [pair("boot-loop", "C1"), pair("clock-skew", "C1")]);
    assert_eq!(scene.look(min(14)).await.closed, 1);
    assert_eq!(scene.open().await, [pair("clock-skew", "C1")]);
}
both!(a_boot_loop_and_a_wrong_clock);

/// What a look costs with many chargers: `cargo test --release -p takst-gateway --test desk monitor -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
fn fifteen_thousand_chargers() {
    run(async {
        let place = Place::sqlite();
        let mut scene = Scene::new(&place).await;
        let unit = async move |tx: &mut Tx| {
            for number in 0..15_000 {
                let charger = format!("SIM-{number:05}");
                tx.add_charger(&org(), &charger, Registration::Accepted, min(0)).await?;
                tx.charger_connected(&org(), &charger, ("n", "c"), "ocpp1.6", min(0)).await?;
            }
            Ok(())
        };
        scene.store.write(Lane::org(&org()), unit).await.unwrap();
        for round in 1..=3 {
            let began = std::time::Instant::now();
            assert_eq!(scene.look(min(round)).await.chargers, 15_000);
            println!("look {round}: {:?}", began.elapsed());
        }
        let unit = async move |tx: &mut Tx| tx.node_started(&org(), "n").await.map(drop);
        scene.store.write(Lane::org(&org()), unit).await.unwrap();
        scene.look(min(10)).await;
        let began = std::time::Instant::now();
        assert_eq!(scene.look(min(20)).await.opened, 15_000);
        println!("all offline at once: {:?}", began.elapsed());
    });
}
