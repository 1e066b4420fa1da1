//! Running sessions: their cost is that of the bill to come, notices come once, ceilings are kept, displays are told.

use crate::billing_support::*;
use crate::store_support::*;
use rust_decimal::Decimal;
use std::sync::{Arc, Mutex};
use takst_engine::session as engine;
use takst_engine::units::{Energy, Instant};
use takst_gateway::billing::{Options as BillOptions, Outcome, Tariffs};
use takst_gateway::chargers::model::{Command, CostState, Reference};
use takst_gateway::feeds::Books;
use takst_gateway::live::{Chargers, Live, Options};
use takst_gateway::ocpp::Dialect;
use takst_gateway::sessions::Touched;
use takst_gateway::store::*;

// A charger that keeps what it was told.
#[derive(Default)]
pub struct Told(Mutex<Vec<Command>>);

impl Told {
    pub fn take(&self) -> Vec<Command> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl Chargers for Told {
    fn tell(&self, _: &OrgId, _: &str, command: Command) {
        self.0.lock().unwrap().push(command);
    }

    fn dialect(&self, _: &OrgId, _: &str) -> Option<Dialect> {
        Some(Dialect::V16)
    }

    fn shows_cost(&self, _: &OrgId, _: &str) -> bool {
        true
    }
}

struct Scene {
    store: Store,
    house: Arc<House>,
    told: Arc<Told>,
    live: Live,
}

impl Scene {
    async fn open(place: &Place) -> Self {
        let store = place.open().await;
        store
            .write(Lane::org(&org()), async move |tx| tx.add_org(&org(), "City", at(0)).await)
            .await
            .unwrap();
        let (house, told): (Arc<House>, Arc<Told>) = (Arc::default(), Arc::default());
        let live = live(&store, &house, &told);
        Self { store, house, told, live }
    }

    // As after a restart of the program.
    async fn restart(&mut self, now: Instant) {
        self.live = live(&self.store, &self.house, &self.told);
        self.live.take_up(now).await.unwrap();
    }

    // Writes a running session without its readings; what is to be written later.
    async fn begin(&self, text: &str, version: &str, id: &str, ceiling: Option<i64>) -> SessionParts {
        let session = engine::Session::from_json(text).unwrap();
        let (mut stored, mut parts) = rows(&session, text, version, id, false);
        stored.ceiling_minor = ceiling;
        let begun = SessionParts {
            states: parts.states.drain(..parts.states.len().min(1)).collect(),
            power: parts.power.drain(..parts.power.len().min(1)).collect(),
            occupancy: std::mem::take(&mut parts.occupancy),
            ..SessionParts::default()
        };
        let (first, now) = (begun.clone(), stored.plugged_in);
        self.store
            .write(Lane::charger(&org(), &stored.charger), async move |tx| {
                tx.add_session(&org(), &stored).await?;
                tx.put_states(&org(), &stored.id, &first.states).await?;
                tx.put_power(&org(), &stored.id, &first.power).await?;
                tx.put_occupancy(&org(), &stored.id, &first.occupancy).await
            })
            .await
            .unwrap();
        self.live.touch(&org(), id, Touched { rebuilt: true, ..Touched::default() }, now).await;
        parts
    }

    // Writes rows as the desk does, and says so.
    async fn write(&self, id: &str, touched: Touched, now: Instant) {
        let (rows, session) = (touched.clone(), id.to_owned());
        self.store
            .write(Lane::charger(&org(), "5"), async move |tx| {
                tx.put_readings(&org(), &session, &rows.readings).await?;
                tx.put_states(&org(), &session, &rows.states).await?;
                tx.put_power(&org(), &session, &rows.power).await
            })
            .await
            .unwrap();
        self.live.touch(&org(), id, touched, now).await;
    }

    async fn end(&self, id: &str, unplugged: Instant) {
        change(&self.store, id, |session| {
            session.unplugged = Some(unplugged);
            session.status = SessionStatus::Ended;
            session.billing = Billing::Due;
        })
        .await;
        self.live.touch(&org(), id, Touched { ended: true, ..Touched::default() }, unplugged).await;
    }

    async fn notices(&self) -> Vec<String> {
        let all = self.store.read().await.unwrap().events_after(&org(), 0, 10_000).await.unwrap();
        let told = ["session.charging_ended", "session.idle_soon", "session.idle", "session.ceiling"];
        all.into_iter().filter(|event| told.contains(&event.kind.as_str())).map(|event| event.kind).collect()
    }

    fn total(&self, id: &str) -> i64 {
        self.live.cost(&org(), id).unwrap().total
    }
}

fn live(store: &Store, house: &Arc<House>, told: &Arc<Told>) -> Live {
    let tariffs: Arc<dyn Tariffs> = Arc::clone(house) as Arc<dyn Tariffs>;
    let chargers: Arc<dyn Chargers> = Arc::clone(told) as Arc<dyn Chargers>;
    Live::new(store.clone(), tariffs, Books::default(), chargers, Options::default())
}

// One row at a time, in order of their times; a state or power before the reading of its instant.
fn in_steps(parts: SessionParts) -> Vec<(Instant, Touched)> {
    let mut steps = Vec::new();
    for row in parts.states {
        steps.push((row.from_at, 0, Touched { states: vec![row], ..Touched::default() }));
    }
    for row in parts.power {
        steps.push((row.from_at, 1, Touched { power: vec![row], ..Touched::default() }));
    }
    for row in parts.readings {
        steps.push((row.at, 2, Touched { readings: vec![row], ..Touched::default() }));
    }
    steps.sort_by_key(|(at, kind, _)| (*at, *kind));
    steps.into_iter().map(|(at, _, touched)| (at, touched)).collect()
}

// Followed row by row, with restarts in between: the last cost is the bill's total.
async fn what_is_shown_is_what_is_billed(place: Place) {
    let mut scene = Scene::open(&place).await;
    let now = time("2025-01-01T00:00:00Z");
    for prices in ["fi-2023-09-25.json", "no1-2025-03-10.json", "no1-2026-10-25.json", "no1-2026-03-29.json"]
    {
        take(&scene.store, example(&format!("prices/{prices}")), now).await;
    }
    let idle = r#"{"id": "x", "site": "otakaari-5", "charger": "5", "driver": "d-1", "plugged_in": "2023-09-25T09:00:00+03:00",
        "unplugged": "2023-09-25T12:47:11+03:00",
        "readings": [{"at": "2023-09-25T09:00:00+03:00", "import_kwh": "100"}, {"at": "2023-09-25T10:00:00+03:00", "import_kwh": "107.3"},
            {"at": "2023-09-25T11:07:30+03:00", "import_kwh": "111.123456"}, {"at": "2023-09-25T12:00:00+03:00", "import_kwh": "111.123456"}],
        "states": [{"from": "2023-09-25T09:00:00+03:00", "state": "waiting"}, {"from": "2023-09-25T09:10:00+03:00", "state": "charging"},
            {"from": "2023-09-25T11:03:00+03:00", "state": "idle"}, {"from": "2023-09-25T12:30:00+03:00", "state": "paused"}],
        "power": [{"from": "2023-09-25T09:00:00+03:00", "kw": "0"}, {"from": "2023-09-25T09:10:00+03:00", "kw": "8.76"}, {"from": "2023-09-25T10:30:00+03:00", "kw": "3.4"}]}"#;
    let ours = "energy:\n  30 cent/kWh  below 5 kW\n  50 cent/kWh  otherwise\n\nstart fee: 0.50 EUR/session\n\n\
                idle fee after 20 min at most 3.00 EUR/session: 0.07 EUR/min\n\nparking time: 0.01 EUR/min";
    let free = "energy in steps of 0.1 kWh:\n  free         up to 5 kWh per month per driver\n  10 cent/kWh  otherwise";
    let cases = [
        (shipped("koticharge/spot.tariff"), example("sessions/koticharge-210.json"), 345),
        (shipped("brazil/idle-fee.tariff"), example("sessions/ociosidade.json"), 3610),
        (shipped("energie-vanons/sudwest-fryslan.tariff"), example("sessions/jansen.json"), 3128),
        (shipped("smartcharge/v2g.tariff"), example("sessions/v2g.json"), i64::MIN),
        (shipped("hurum-kraft/quarter-hour-spot.tariff"), example("sessions/autumn.json"), i64::MIN),
        (shipped("hurum-kraft/quarter-hour-spot.tariff"), example("sessions/spring.json"), i64::MIN),
        (made(ours), idle.to_owned(), i64::MIN),
        (made(free), idle.to_owned(), i64::MIN),
    ];
    let bills = billing(&scene.store, &scene.house, BillOptions::default());
    for (number, (tariff, text, total)) in cases.into_iter().enumerate() {
        let (version, id) = (scene.house.add(tariff), format!("s{number}"));
        let session = engine::Session::from_json(&text).unwrap();
        let unplugged = session.unplugged.unwrap();
        scene.live.prices_changed(&org(), session.plugged_in).await.unwrap();
        let parts = scene.begin(&text, &version, &id, None).await;
        for (step, (at, touched)) in in_steps(parts).into_iter().enumerate() {
            if step % 3 == 2 {
                scene.restart(at).await;
            }
            let is_reading = !touched.readings.is_empty();
            scene.write(&id, touched, at).await;
            let shown = scene.live.cost(&org(), &id).unwrap();
            assert!(!shown.pending && (shown.at >= at || !is_reading), "{id} at {at:?}: {shown:?}");
        }
        scene.end(&id, unplugged).await;
        let shown = scene.live.cost(&org(), &id).unwrap();
        let outcome = bills.bill_session(&org(), &id, unplugged).await.unwrap();
        let Outcome::Billed(bill) = outcome else { panic!("{id}: {outcome:?}") };
        assert_eq!((shown.total, shown.ended), (bill.total, true), "{id}");
        if total > i64::MIN {
            assert_eq!(bill.total, total, "{id}");
        }
    }
    // What is over is let go after a while.
    assert_eq!(scene.live.all(&org()), []);
    scene.live.tick(time("2027-01-01T00:00:00Z")).await;
    assert!(scene.live.cost(&org(), "s0").is_none());
}
both!(what_is_shown_is_what_is_billed);

fn state(seq: i64, from: Instant, state: &str) -> Touched {
    let row = StateChange { seq, from_at: from, received_at: from, state: state.to_owned() };
    Touched { states: vec![row], ..Touched::default() }
}

fn read(seq: i64, at: Instant, kwh: i64) -> Touched {
    let row = Reading {
        seq,
        at,
        received_at: at,
        imported: Energy(kwh * 1_000_000),
        exported: None,
        segment: 0,
        context: None,
    };
    Touched { readings: vec![row], ..Touched::default() }
}

// The register of export is read after others, and counts the meter's life: only what is added to it is a credit.
async fn export_counts_from_where_it_is_first_read(place: Place) {
    let mut scene = Scene::open(&place).await;
    let version = scene.house.add(made("energy: 20 cent/kWh\n\nfeed-in: 10 cent/kWh"));
    let start = time("2023-09-25T10:00:00Z");
    let minute = |minutes: i64| Instant(start.0 + minutes * 60_000);
    scene.begin(&bare("d-1", "2023-09-25T10:00:00Z"), &version, "s", None).await;
    for (seq, import, export, total) in
        [(0, 0, None, 0), (1, 5, None, 100), (2, 10, Some(900), 200), (3, 10, Some(902), 180)]
    {
        let mut step = read(seq, minute(seq * 10), import);
        step.readings[0].exported = export.map(|kwh| Energy(kwh * 1_000_000));
        scene.write("s", step, minute(seq * 10)).await;
        assert_eq!(scene.total("s"), total, "{seq}");
        scene.restart(minute(seq * 10)).await;
        assert_eq!(scene.total("s"), total, "{seq}, after a restart");
    }
    scene.end("s", minute(40)).await;
    let bills = billing(&scene.store, &scene.house, BillOptions::default());
    let Outcome::Billed(bill) = bills.bill_session(&org(), "s", minute(40)).await.unwrap() else { panic!() };
    assert_eq!(bill.total, 180);
}
both!(export_counts_from_where_it_is_first_read);

fn bare(driver: &str, from: &str) -> String {
    serde_json::json!({
        "id": "x", "site": "otakaari-5", "charger": "5", "driver": driver, "plugged_in": from, "readings": [],
        "states": [{ "from": from, "state": "charging" }],
    })
    .to_string()
}

async fn notices_come_once(place: Place) {
    let mut scene = Scene::open(&place).await;
    let version = scene.house.add(made("energy: 30 cent/kWh\n\nidle fee after 30 min: 0.10 EUR/min"));
    let start = time("2023-09-25T10:00:00Z");
    let minute = |minutes: i64| Instant(start.0 + minutes * 60_000);
    scene.begin(&bare("d-1", "2023-09-25T10:00:00Z"), &version, "s", None).await;
    scene.write("s", read(0, minute(0), 0), minute(0)).await;
    scene.write("s", read(1, minute(60), 10), minute(60)).await;
    assert_eq!((scene.total("s"), scene.live.cost(&org(), "s").unwrap().fee_from), (300, None));
    scene.live.tick(minute(65)).await;
    assert_eq!(scene.notices().await, Vec::<String>::new());

    // Full at 60: half an hour is free.
    scene.write("s", state(1, minute(60), "idle"), minute(66)).await;
    assert_eq!(scene.live.cost(&org(), "s").unwrap().fee_from, Some(minute(90)));
    assert_eq!(scene.notices().await, ["session.charging_ended"]);
    scene.live.tick(minute(79)).await;
    assert_eq!(scene.notices().await.len(), 1);
    scene.restart(minute(79)).await;
    scene.live.tick(minute(81)).await;
    scene.live.tick(minute(82)).await;
    assert_eq!(scene.notices().await, ["session.charging_ended", "session.idle_soon"]);
    let soon = events(&scene.store, "session.idle_soon").await;
    assert!(soon[0].document.contains(r#""minutes_left":9"#), "{}", soon[0].document);
    assert!(soon[0].document.contains("2023-09-25T11:30:00Z"), "{}", soon[0].document);

    // No report comes while the car stands; the cost grows all the same.
    scene.restart(minute(92)).await;
    scene.live.tick(minute(95)).await;
    assert_eq!(scene.total("s"), 350);
    scene.live.tick(minute(100)).await;
    assert_eq!(scene.total("s"), 400);
    scene.restart(minute(101)).await;
    scene.live.tick(minute(102)).await;
    let all = ["session.charging_ended", "session.idle_soon", "session.idle"];
    assert_eq!(scene.notices().await, all);

    // It takes a little more, and is full again: nothing is said twice.
    scene.write("s", state(2, minute(103), "charging"), minute(103)).await;
    scene.write("s", read(2, minute(110), 11), minute(110)).await;
    scene.write("s", state(3, minute(110), "idle"), minute(110)).await;
    scene.live.tick(minute(200)).await;
    assert_eq!(scene.notices().await, all);
    scene.end("s", minute(200)).await;
    let bills = billing(&scene.store, &scene.house, BillOptions::default());
    let Outcome::Billed(bill) = bills.bill_session(&org(), "s", minute(200)).await.unwrap() else { panic!() };
    assert_eq!(bill.total, scene.total("s"));
}
both!(notices_come_once);

// The last report was a minute on its way, and then nothing comes: what is told comes at its time all the same.
async fn notices_keep_time_while_nothing_is_heard(place: Place) {
    let scene = Scene::open(&place).await;
    let version = scene.house.add(made("energy: 30 cent/kWh\n\nidle fee after 30 min: 0.10 EUR/min"));
    let start = time("2023-09-25T10:00:00Z");
    let minute = |minutes: i64| Instant(start.0 + minutes * 60_000);
    scene.begin(&bare("d-1", "2023-09-25T10:00:00Z"), &version, "s", None).await;
    scene.write("s", read(0, minute(0), 0), minute(0)).await;
    scene.write("s", read(1, minute(55), 10), minute(55)).await;
    let mut idle = state(1, minute(60), "idle");
    idle.states[0].received_at = minute(61);
    scene.write("s", idle, minute(61)).await;
    assert_eq!(scene.live.cost(&org(), "s").unwrap().fee_from, Some(minute(90)));
    assert_eq!((scene.notices().await.len(), scene.live.next_notice()), (1, Some(minute(80))));
    scene.live.give_notices(Instant(minute(80).0 - 1)).await;
    assert_eq!(scene.notices().await.len(), 1);
    scene.live.give_notices(minute(80)).await;
    assert_eq!(scene.notices().await, ["session.charging_ended", "session.idle_soon"]);
    assert_eq!(scene.live.next_notice(), Some(minute(90)));
    scene.live.give_notices(minute(90)).await;
    assert_eq!(scene.notices().await, ["session.charging_ended", "session.idle_soon", "session.idle"]);
    assert_eq!(scene.live.next_notice(), None);
    scene.live.tick(minute(92)).await;
    assert_eq!((scene.total("s"), scene.live.cost(&org(), "s").unwrap().at), (320, minute(92)));
}
both!(notices_keep_time_while_nothing_is_heard);

// A driver without a contract pays 5.00 at most: the charger is told to stop before, whatever makes the cost grow.
async fn a_ceiling_is_kept(place: Place) {
    let scene = Scene::open(&place).await;
    let start = time("2023-09-25T10:00:00Z");
    let second = |seconds: i64| Instant(start.0 + seconds * 1000);
    let energy = scene.house.add(made("energy: 50 cent/kWh"));
    scene.begin(&bare("d-1", "2023-09-25T10:00:00Z"), &energy, "e", Some(500)).await;
    scene.told.take();
    // 60 kW: a kWh and 50 cent a minute; 10 kWh are reached after ten minutes.
    let stops = |told: &Told| {
        told.take().into_iter().filter(|command| *command == Command::Stop(Reference::Ours(7))).count()
    };
    for minute in 0..9 {
        scene.write("e", read(minute, second(minute * 60), minute), second(minute * 60)).await;
        assert_eq!(stops(&scene.told), 0, "minute {minute}");
    }
    scene.write("e", read(9, second(540), 9), second(540)).await;
    assert_eq!(stops(&scene.told), 0);
    // Between two meter values only the clock tells: 45 s before the tenth minute is over.
    scene.live.tick(second(550)).await;
    assert_eq!(stops(&scene.told), 0);
    scene.live.tick(second(560)).await;
    assert_eq!(stops(&scene.told), 1);
    assert!(scene.total("e") < 500);
    // It is ordered again only after a while.
    scene.live.tick(second(570)).await;
    assert_eq!(stops(&scene.told), 0);
    scene.live.tick(second(620)).await;
    assert_eq!(stops(&scene.told), 1);
    assert_eq!(scene.notices().await, ["session.ceiling"]);

    let parked = scene.house.add(made("energy: 50 cent/kWh\n\nidle fee: 1.00 EUR/min"));
    scene.begin(&bare("d-2", "2023-09-25T10:00:00Z"), &parked, "p", Some(500)).await;
    scene.write("p", read(0, second(0), 0), second(0)).await;
    scene.write("p", read(1, second(60), 1), second(60)).await;
    scene.write("p", state(1, second(60), "idle"), second(60)).await;
    scene.told.take();
    scene.live.tick(second(240)).await;
    assert_eq!(stops(&scene.told), 0);
    scene.live.tick(second(300)).await;
    assert_eq!((stops(&scene.told), scene.total("p")), (1, 450));
    assert_eq!(events(&scene.store, "session.ceiling").await.len(), 2);
    // Once it has stopped there is nothing to stop, whatever standing still costs.
    let stopped = Touched { stopped: true, ..Touched::default() };
    scene.live.touch(&org(), "p", stopped, second(305)).await;
    for look in 1..5 {
        scene.live.tick(second(300 + look * 60)).await;
    }
    assert_eq!(stops(&scene.told), 0);
    assert!(scene.total("p") > 500);

    // A price that is not known cannot be promised.
    let spot = scene.house.add(made("energy: spot + 5 cent/kWh"));
    scene.begin(&bare("d-3", "2023-09-25T10:00:00Z"), &spot, "s", Some(500)).await;
    scene.told.take();
    scene.write("s", read(0, second(0), 0), second(0)).await;
    scene.write("s", read(1, second(60), 1), second(60)).await;
    assert_eq!(stops(&scene.told), 1);
}
both!(a_ceiling_is_kept);

async fn displays_are_told_what_is_new(place: Place) {
    let scene = Scene::open(&place).await;
    let version = scene.house.add(made(
        "energy:\n  20 cent/kWh  during 22:00-06:00\n  30 cent/kWh  otherwise\n\nstart fee: 0.50 EUR/session\n\nidle fee after 30 min: 0.10 EUR/min",
    ));
    let start = time("2023-09-25T10:00:00Z");
    let second = |seconds: i64| Instant(start.0 + seconds * 1000);
    scene.begin(&bare("d-1", "2023-09-25T10:00:00Z"), &version, "s", None).await;
    let costs = |told: &Told| -> Vec<Decimal> {
        let all = told.take().into_iter();
        all.filter_map(|command| match command {
            Command::RunningCost(cost) => Some(cost.total),
            _ => None,
        })
        .collect()
    };
    // Before the first register there is nothing that 1.6 could be told.
    assert_eq!(costs(&scene.told), []);
    scene.write("s", read(0, second(1), 0), second(1)).await;
    let first = scene.told.take();
    let [Command::RunningCost(cost)] = first.as_slice() else { panic!("{first:?}") };
    assert_eq!((cost.reference.clone(), cost.total), (Reference::Ours(7), Decimal::new(50, 2)));
    let details = cost.details.clone().unwrap();
    assert_eq!((details.state, details.meter), (CostState::Charging, Energy(0)));
    assert_eq!(details.charging.kwh, Some(Decimal::new(30, 2)));
    assert_eq!(details.charging.flat, Some(Decimal::new(50, 2)));
    let idle = details.idle.unwrap();
    assert_eq!((idle.grace_min, idle.hour), (Some(30), Some(Decimal::new(600, 2))));
    let next = details.next.unwrap();
    assert_eq!((next.at, next.charging.kwh), (time("2023-09-25T22:00:00+03:00"), Some(Decimal::new(20, 2))));

    // Every ten seconds a reading and a message, none without news.
    for tenth in 1..=18 {
        scene.write("s", read(tenth, second(tenth * 10), tenth), second(tenth * 10)).await;
    }
    assert_eq!(costs(&scene.told).len(), 18);
    scene.write("s", read(19, second(190), 18), second(190)).await;
    scene.live.tick(second(400)).await;
    assert_eq!(costs(&scene.told), []);
    // What comes too soon waits for its turn.
    scene.write("s", read(20, second(500), 19), second(500)).await;
    scene.write("s", read(21, second(502), 20), second(502)).await;
    scene.live.tick(second(504)).await;
    assert_eq!(costs(&scene.told), [Decimal::new(620, 2)]);
    scene.live.tick(second(505)).await;
    scene.live.tick(second(600)).await;
    assert_eq!(costs(&scene.told), [Decimal::new(650, 2)]);
    // A new state at once, and what came late not at all.
    scene.write("s", state(1, second(601), "idle"), second(601)).await;
    assert_eq!(costs(&scene.told), [Decimal::new(650, 2)]);
    let late = Touched { late: true, ..state(2, second(603), "charging") };
    scene.write("s", late, second(603)).await;
    assert_eq!(costs(&scene.told), []);
    scene.end("s", second(900)).await;
    let last = scene.told.take();
    let [Command::FinalCost(cost)] = last.as_slice() else { panic!("{last:?}") };
    assert_eq!((cost.total, cost.text.as_str()), (Decimal::new(650, 2), "6.50 EUR, 20 kWh"));
}
both!(displays_are_told_what_is_new);

// What is paid by time grows while a car charges and nothing is heard; energy stays as it was read.
async fn time_is_money_between_messages(place: Place) {
    let scene = Scene::open(&place).await;
    let version =
        scene.house.add(made("energy: 30 cent/kWh\n\ncharging time: 6.00 EUR/h\n\nidle fee: 1.00 EUR/min"));
    let start = time("2023-09-25T10:00:00Z");
    let minute = |minutes: i64| Instant(start.0 + minutes * 60_000);
    scene.begin(&bare("d-1", "2023-09-25T10:00:00Z"), &version, "s", None).await;
    scene.write("s", read(0, minute(0), 0), minute(0)).await;
    scene.write("s", read(1, minute(10), 2), minute(10)).await;
    assert_eq!(scene.total("s"), 160);
    scene.told.take();
    for (at, total) in [(11, 170), (12, 180), (40, 460)] {
        scene.live.tick(minute(at)).await;
        let shown = scene.live.cost(&org(), "s").unwrap();
        assert_eq!(
            (shown.total, shown.at, shown.energy),
            (total, minute(at), Energy(2_000_000)),
            "minute {at}"
        );
    }
    // The display follows, once a minute.
    assert_eq!(scene.told.take().len(), 3);
    // A reading that was a while on its way changes nothing of what was charged.
    scene.write("s", read(2, minute(41), 5), minute(42)).await;
    assert_eq!(scene.total("s"), 570);
    scene.end("s", minute(41)).await;
    assert_eq!(scene.total("s"), 560);

    // Where states follow from the registers too.
    let from = "2023-09-25T10:00:00Z";
    let silent = serde_json::json!({ "id": "x", "site": "otakaari-5", "charger": "5", "plugged_in": from, "readings": [] });
    scene.begin(&silent.to_string(), &version, "r", None).await;
    scene.write("r", read(0, minute(0), 0), minute(0)).await;
    scene.write("r", read(1, minute(10), 2), minute(10)).await;
    scene.live.tick(minute(20)).await;
    let shown = scene.live.cost(&org(), "r").unwrap();
    assert_eq!((shown.total, shown.energy), (260, Energy(2_000_000)));
}
both!(time_is_money_between_messages);

// Prices that come while a session runs count for all of it, hour by hour.
async fn prices_can_come_while_it_runs(place: Place) {
    let scene = Scene::open(&place).await;
    let version = scene.house.add(made("energy: spot"));
    let start = time("2023-09-25T10:00:00Z");
    let hour = move |hours: i64| Instant(start.0 + hours * 3_600_000);
    scene.begin(&bare("d-1", "2023-09-25T10:00:00Z"), &version, "s", None).await;
    for hours in 0..=3 {
        scene.write("s", read(hours, hour(hours), hours * 10), hour(hours)).await;
    }
    let shown = scene.live.cost(&org(), "s").unwrap();
    assert_eq!((shown.total, shown.pending), (0, true));
    take(&scene.store, feed(None, "2023-09-25T10:00:00Z", &["100", "200", "300", "400"]), hour(3)).await;
    scene.live.prices_changed(&org(), hour(3)).await.unwrap();
    let shown = scene.live.cost(&org(), "s").unwrap();
    // 10 kWh each at 12.4, 24.8 and 37.2 cent.
    assert_eq!((shown.total, shown.pending), (744, false));
    scene.write("s", read(4, hour(4), 40), hour(4)).await;
    assert_eq!(scene.total("s"), 1240);
    // Rows that were not told of, or are told twice, do no harm.
    scene.live.touch(&org(), "s", read(4, hour(4), 40), hour(4)).await;
    assert_eq!(scene.total("s"), 1240);
    scene
        .store
        .write(Lane::charger(&org(), "5"), async move |tx| {
            tx.put_readings(&org(), "s", &read(5, hour(5), 40).readings).await
        })
        .await
        .unwrap();
    scene.write("s", read(6, hour(6), 40), hour(6)).await;
    assert_eq!(scene.total("s"), 1240);
}
both!(prices_can_come_while_it_runs);
