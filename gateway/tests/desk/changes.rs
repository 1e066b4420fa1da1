//! A list that says `change prices` comes into force while a session runs: live cost, bill, receipt and proof go over to it at its
//! start, over restarts, and also where the session is told of late.

use crate::billing_support::{bills_of, decision, events};
use crate::desk_support::{t, ts};
use crate::live::Told;
use crate::store_support::*;
use futures_util::future::BoxFuture;
use serde_json::{Value, json, value::RawValue};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use takst_engine::units::Instant;
use takst_gateway::billing::{Billing as Bills, Hashes, Options, Outcome, Verdict, changes, from_json};
use takst_gateway::chargers::model::Command;
use takst_gateway::desk::rules::{Nobody, SessionSink};
use takst_gateway::desk::{Clerk, People};
use takst_gateway::feeds::Books;
use takst_gateway::house::{House, Source};
use takst_gateway::hub::Hub;
use takst_gateway::link::{Desk as _, Link, Received, Reply};
use takst_gateway::live::{self, Live};
use takst_gateway::ocpp::{Dialect, Habits};
use takst_gateway::receipts::{About, Form, json_about};
use takst_gateway::sessions::Touched;
use takst_gateway::store::*;

const SET_UP: &str = r#"
[organisation]
id = "city"
name = "City"

[[seller]]
id = "koti"
name = "KotiCharge Oy"
bill_series = "KOTI-"

[[site]]
id = "yard"
name = "Yard"
time_zone = "Europe/Helsinki"
seller = "koti"

[[charger]]
id = "C1"
site = "yard"
security = { profile = 0 }

[[driver]]
id = "d-17"

[[token]]
uid = "CARD"
driver = "d-17"
"#;

fn list(name: &str, head: &str, charges: &str) -> String {
    format!(
        "tariff \"{name}\"\n  currency: EUR\n  time zone: Europe/Helsinki\n  prices: including VAT\n{head}\nVAT: 24%\n\n{charges}\n"
    )
}

const CHANGES: &str = "  running sessions: change prices\n";

// The desk's word to live pricing, on the test's clock.
struct Sink {
    live: Live,
    now: Arc<Mutex<Instant>>,
}

impl SessionSink for Sink {
    fn touched<'a>(&'a self, org: &'a OrgId, session: &'a str, touched: Touched) -> BoxFuture<'a, ()> {
        let now = *self.now.lock().unwrap();
        Box::pin(async move { self.live.touch(org, session, touched, now).await })
    }
}

struct Scene {
    folder: PathBuf,
    store: Store,
    house: Arc<House>,
    live: Live,
    clerk: Arc<Clerk>,
    bills: Bills,
    display: Arc<Told>,
    link: Link,
    now: Arc<Mutex<Instant>>,
    place: Place,
}

impl Scene {
    async fn open(place: Place, assignments: &str, lists: &[(&str, String)]) -> Self {
        let folder = place.dir.path().join("setup");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("takst.toml"), format!("{SET_UP}\n{assignments}")).unwrap();
        for (name, text) in lists {
            std::fs::write(folder.join(name), text).unwrap();
        }
        let store = place.open().await;
        let now = Arc::new(Mutex::new(t(-60)));
        let (house, live, clerk, bills, display) = rooms(&folder, &store, &now).await;
        let link = Link {
            org: org(),
            charger: "C1".into(),
            connection: new_id(),
            dialect: Dialect::V16,
            since: t(-60),
        };
        clerk.connected(&link).await;
        Self { folder, store, house, live, clerk, bills, display, link, now, place }
    }

    // As after a restart of the program.
    async fn restart(&mut self) {
        let (house, live, clerk, bills, display) = rooms(&self.folder, &self.store, &self.now).await;
        let now = *self.now.lock().unwrap();
        clerk.take_up(now).await.unwrap();
        live.take_up(now).await.unwrap();
        clerk.connected(&self.link).await;
        (self.house, self.live, self.clerk, self.bills, self.display) = (house, live, clerk, bills, display);
    }

    fn at(&self, minute: i64) {
        *self.now.lock().unwrap() = t(minute);
    }

    async fn say(&self, action: &str, payload: Value) -> Value {
        let raw = RawValue::from_string(payload.to_string()).unwrap();
        let now = *self.now.lock().unwrap();
        let read = self.link.dialect.read_call(action, Some(&raw), now, &Habits::default()).unwrap();
        let received =
            Received { report: read.report, action: action.into(), at: now, deviations: Vec::new() };
        match self.clerk.report(&self.link, received).await {
            Reply::Answer(answer) => {
                serde_json::from_str(&self.link.dialect.write_answer(action, &answer).unwrap()).unwrap()
            }
            other => panic!("{action}: {other:?}"),
        }
    }

    async fn start(&self, minute: i64) -> i64 {
        let start = json!({"connectorId":1,"idTag":"CARD","meterStart":0,"timestamp":ts(minute)});
        let answer = self.say("StartTransaction", start).await;
        assert_eq!(answer["idTagInfo"]["status"], "Accepted", "{answer}");
        answer["transactionId"].as_i64().unwrap()
    }

    async fn meter(&self, id: i64, minute: i64, wh: i64) {
        self.at(minute);
        let value = json!({"connectorId":1,"transactionId":id,"meterValue":[{"timestamp":ts(minute),"sampledValue":[{"value":wh.to_string()}]}]});
        assert_eq!(self.say("MeterValues", value).await, json!({}));
    }

    async fn stop(&self, id: i64, minute: i64, wh: i64) {
        let stop = json!({"transactionId":id,"idTag":"CARD","meterStop":wh,"timestamp":ts(minute)});
        self.say("StopTransaction", stop).await;
    }

    async fn session(&self) -> Session {
        let filter = SessionFilter::default();
        let mut all = self.store.read().await.unwrap().sessions(&org(), &filter, None, 10).await.unwrap();
        assert_eq!(all.len(), 1, "{all:#?}");
        all.remove(0)
    }

    async fn cost(&self) -> i64 {
        self.live.cost(&org(), &self.session().await.id).unwrap().total
    }

    async fn billed(&self, minute: i64) -> Bill {
        self.at(minute);
        self.clerk.sweep(t(minute)).await.unwrap();
        let done = self.bills.bill_due(&org(), t(minute)).await.unwrap();
        let [(_, Outcome::Billed(bill))] = done.as_slice() else {
            panic!("{done:?}\n{:#?}", self.session().await)
        };
        (**bill).clone()
    }
}

async fn rooms(
    folder: &std::path::Path,
    store: &Store,
    now: &Arc<Mutex<Instant>>,
) -> (Arc<House>, Live, Arc<Clerk>, Bills, Arc<Told>) {
    let at = *now.lock().unwrap();
    let opened = House::open(Source::Path(folder.to_owned()), store.clone(), None, at).await;
    let (house, _) = opened.unwrap_or_else(|error| panic!("{error}"));
    let display: Arc<Told> = Arc::default();
    let live =
        Live::new(store.clone(), house.clone(), Books::default(), display.clone(), live::Options::default());
    let people = People {
        rules: house.clone(),
        costs: Arc::new(live.clone()),
        sink: Arc::new(Sink { live: live.clone(), now: Arc::clone(now) }),
        prices: Arc::new(Nobody),
        wire: Arc::new(Hub::new()),
    };
    let clerk = Clerk::new(store.clone(), "node", people);
    let bills = Bills::new(store.clone(), house.clone(), house.clone(), Options::default());
    (house, live, clerk, bills, display)
}

fn two(word: &str) -> String {
    // 11 o'clock there is an hour after the beginning.
    format!(
        "[[tariff]]\nfile = \"a.tariff\"\nsite = \"yard\"\n\
         [[tariff]]\nfile = \"b.tariff\"\nsite = \"yard\"\nfrom = 2025-03-10T11:00:00\n{word}\n"
    )
}

fn cheap() -> (&'static str, String) {
    ("a.tariff", list("Cheap", "", "energy: 0.30 EUR/kWh\n\nstart fee: 1.00 EUR/session"))
}

fn dear(head: &str) -> (&'static str, String) {
    ("b.tariff", list("Dear", head, "energy: 0.50 EUR/kWh\n\nstart fee: 9.00 EUR/session"))
}

async fn a_running_session_goes_over(place: Place) {
    let mut scene = Scene::open(place, &two(""), &[cheap(), dear(CHANGES)]).await;
    scene.at(0);
    let id = scene.start(0).await;
    scene.meter(id, 30, 5_000).await;
    // 5 kWh and the start fee.
    assert_eq!(scene.cost().await, 250);
    scene.restart().await;
    assert_eq!(scene.cost().await, 250);
    assert!(events(&scene.store, "session.price_changed").await.is_empty());

    // The change is at minute 60; it lies between two meter values.
    scene.meter(id, 90, 15_000).await;
    assert_eq!(scene.cost().await, 100 + 300 + 250);
    let told = events(&scene.store, "session.price_changed").await;
    assert_eq!(told.len(), 1);
    let event: Value = serde_json::from_str(&told[0].document).unwrap();
    assert_eq!(
        (event["tariff"].as_str(), event["from"].as_str(), event["driver"].as_str()),
        (Some("Dear"), Some("2025-03-10T09:00:00Z"), Some("d-17"))
    );
    let shown = scene.display.take().iter().rev().find_map(|command| match command {
        Command::RunningCost(cost) => Some((cost.total.to_string(), cost.details.clone().unwrap())),
        _ => None,
    });
    let (total, details) = shown.unwrap();
    assert_eq!((total.as_str(), details.charging.kwh.unwrap().to_string().as_str()), ("6.50", "0.5"));

    // What he was shown before he began is kept, and what came into force beside it; the desk and a restart leave it there.
    scene.restart().await;
    scene.live.tick(t(91)).await;
    scene.meter(id, 100, 16_000).await;
    assert_eq!(scene.cost().await, 100 + 300 + 300);
    assert_eq!(events(&scene.store, "session.price_changed").await.len(), 1);
    let session = scene.session().await;
    let [change] = <[_; 1]>::try_from(changes(&session)).unwrap();
    assert_eq!((change.name.as_str(), change.kept.as_deref()), ("Dear", None));
    assert_eq!(change.shown.as_ref().unwrap()["tariff"], "b.tariff");
    assert_eq!(change.shown.as_ref().unwrap()["slices"][0]["price"], "0.5");
    let before: Value = serde_json::from_str(session.shown.as_deref().unwrap()).unwrap();
    assert_eq!(before["tariff"], "a.tariff");

    scene.at(120);
    scene.stop(id, 120, 20_000).await;
    let bill = scene.billed(125).await;
    assert_eq!(bill.total, 900);
    let (_, document) = from_json(&bill.document).unwrap();
    let rows: Vec<(&str, &str, bool)> = document
        .charges
        .iter()
        .map(|row| (row.label.as_str(), row.amount.as_str(), row.since.is_some()))
        .collect();
    assert_eq!(rows, [("Energy", "3.00", false), ("Start fee", "1.00", false), ("Energy", "5.00", true)]);
    let [taken] = document.tariff_changes.as_slice() else { panic!("{document:#?}") };
    assert_eq!((taken.name.as_str(), taken.from.as_str()), ("Dear", "2025-03-10T11:00:00+02:00"));
    assert_eq!(taken.version, change.version);
    let hashes: Hashes = serde_json::from_str(&bill.hashes).unwrap();
    assert_eq!(hashes.tariff_changes[0].version, change.version);

    // The proof holds after a restart, with the lists that it names; also when the set-up says something else by then.
    std::fs::write(
        scene.folder.join("takst.toml"),
        format!("{SET_UP}\n[[tariff]]\nfile = \"a.tariff\"\nsite = \"yard\"\n"),
    )
    .unwrap();
    scene.restart().await;
    assert_eq!(scene.bills.verify(&org(), &bill.id).await.unwrap(), Verdict::Same);
    let again = scene.bills.reprice(&org(), &session.id, None, decision("a look"), t(130)).await.unwrap();
    assert_eq!(again, Outcome::Unchanged);
    let text = scene.house.receipt(&bill, Form::Text).unwrap();
    assert!(
        text.contains("since 10.03.2025 11:00: Dear") || text.contains("since 2025-03-10 11:00: Dear"),
        "{text}"
    );
    assert!(text.contains("Energy, since "), "{text}");
    let page = scene.house.receipt(&bill, Form::Page).unwrap();
    let digest = &change.version["sha256:".len()..][..12];
    assert!(page.contains(digest) && page.contains("0.50 EUR/kWh"), "{page}");
    let json: Value = serde_json::from_str(&json_about(&bill, About::default()).unwrap()).unwrap();
    assert_eq!(json["receipt"]["tariff_changes"][0]["version"], change.version);

    // Another list for all of it, and back the charge by its name: both parts.
    let refund = scene
        .bills
        .refund(&org(), &session.id, Some(vec!["Energy".into()]), decision("a fault"), t(131))
        .await
        .unwrap();
    assert_eq!(refund.total, -800);
    assert_eq!(scene.bills.verify(&org(), &refund.id).await.unwrap(), Verdict::Same);
}
both!(a_running_session_goes_over);

async fn a_changed_file_takes_over_when_it_is_taken_in(place: Place) {
    let assignments = "[[tariff]]\nfile = \"a.tariff\"\nsite = \"yard\"\n";
    let scene = Scene::open(place, assignments, &[cheap()]).await;
    scene.at(0);
    let id = scene.start(0).await;
    scene.meter(id, 30, 5_000).await;
    std::fs::write(scene.folder.join("a.tariff"), list("Cheap", CHANGES, "energy: 0.60 EUR/kWh")).unwrap();
    scene.at(45);
    assert!(scene.house.reload(t(45)).await.unwrap().is_some());
    // Nobody tells live pricing: it sees by itself.
    scene.meter(id, 60, 10_000).await;
    assert_eq!(scene.cost().await, 100 + 225 + 150);
    // A list that does not say so changes nothing for who charges.
    std::fs::write(scene.folder.join("a.tariff"), list("Cheap", "", "energy: 7.00 EUR/kWh")).unwrap();
    assert!(scene.house.reload(t(75)).await.unwrap().is_some());
    scene.meter(id, 90, 15_000).await;
    assert_eq!(scene.cost().await, 100 + 225 + 450);
    scene.at(120);
    scene.stop(id, 120, 20_000).await;
    let bill = scene.billed(125).await;
    assert_eq!(bill.total, 100 + 225 + 750);
    let (_, document) = from_json(&bill.document).unwrap();
    assert_ne!(document.tariff.version, document.tariff_changes[0].version);
    assert_eq!(document.tariff.file, document.tariff_changes[0].file);
}
both!(a_changed_file_takes_over_when_it_is_taken_in);

async fn a_remark_in_a_file_is_no_new_price(place: Place) {
    let assignments = "[[tariff]]\nfile = \"a.tariff\"\nsite = \"yard\"\n";
    let own = list("Cheap", CHANGES, "energy: 0.30 EUR/kWh");
    let scene = Scene::open(place, assignments, &[("a.tariff", own.clone())]).await;
    scene.at(0);
    let id = scene.start(0).await;
    scene.meter(id, 30, 5_000).await;
    let later = [(45, format!("# Asked for by the board.\n{own}")), (75, own.replace("0.30", "0.60"))];
    for (minute, text) in later {
        std::fs::write(scene.folder.join("a.tariff"), text).unwrap();
        scene.at(minute);
        let version = scene.house.reload(t(minute)).await.unwrap();
        assert!(version.is_some(), "minute {minute}: a new version");
        scene.meter(id, minute + 15, 10_000).await;
        let noted = changes(&scene.session().await);
        assert_eq!(noted.len(), usize::from(minute == 75), "minute {minute}: {noted:?}");
    }
    assert_eq!(events(&scene.store, "session.price_changed").await.len(), 1);
    scene.at(120);
    scene.stop(id, 120, 20_000).await;
    let bill = scene.billed(125).await;
    // 10 kWh until 60 by the first list, none from 60 to 90, 10 kWh from 90 on by the one that counts since 75.
    let (_, document) = from_json(&bill.document).unwrap();
    assert_eq!(document.tariff_changes.len(), 1);
    assert_eq!(bill.total, 300 + 600);
}
both!(a_remark_in_a_file_is_no_new_price);

async fn a_session_that_is_told_late_is_priced_by_its_own_time(place: Place) {
    let scene = Scene::open(place, &two(""), &[cheap(), dear(CHANGES)]).await;
    // Offline for hours: everything comes at minute 200.
    scene.at(200);
    let id = scene.start(0).await;
    scene.stop(id, 120, 20_000).await;
    let bill = scene.billed(205).await;
    assert_eq!(bill.total, 900);
    let [change] = <[_; 1]>::try_from(changes(&scene.session().await)).unwrap();
    assert_eq!((change.name.as_str(), change.from.as_str()), ("Dear", "2025-03-10T09:00:00Z"));
    assert_eq!(events(&scene.store, "session.price_changed").await.len(), 1);
    assert_eq!(scene.bills.verify(&org(), &bill.id).await.unwrap(), Verdict::Same);
    assert_eq!(bills_of(&scene.store, &scene.session().await.id).await.len(), 1);
}
both!(a_session_that_is_told_late_is_priced_by_its_own_time);

async fn a_list_put_in_force_in_the_past_counts_while_there_is_no_bill(place: Place) {
    let assignments = "[[tariff]]\nfile = \"a.tariff\"\nsite = \"yard\"\n";
    let scene = Scene::open(place, assignments, &[cheap(), dear(CHANGES)]).await;
    scene.at(0);
    let id = scene.start(0).await;
    scene.meter(id, 90, 15_000).await;
    assert_eq!(scene.cost().await, 550);
    // Assigned at minute 100, from minute 60 on.
    std::fs::write(scene.folder.join("takst.toml"), format!("{SET_UP}\n{}", two(""))).unwrap();
    scene.at(100);
    assert!(scene.house.reload(t(100)).await.unwrap().is_some());
    scene.live.tick(t(100)).await;
    assert_eq!(scene.cost().await, 100 + 300 + 250);
    scene.at(120);
    scene.stop(id, 120, 20_000).await;
    assert_eq!(scene.billed(125).await.total, 900);
}
both!(a_list_put_in_force_in_the_past_counts_while_there_is_no_bill);

async fn a_list_that_does_not_fit_is_not_gone_over_to(place: Place) {
    let kroner = dear(CHANGES).1.replace("EUR", "SEK");
    let scene = Scene::open(place, &two(""), &[cheap(), ("b.tariff", kroner)]).await;
    scene.at(0);
    let id = scene.start(0).await;
    scene.meter(id, 90, 15_000).await;
    assert_eq!(scene.cost().await, 550);
    let told = events(&scene.store, "session.price_kept").await;
    assert_eq!(told.len(), 1);
    assert!(told[0].document.contains("its currency is SEK"), "{}", told[0].document);
    scene.at(120);
    scene.stop(id, 120, 20_000).await;
    let bill = scene.billed(125).await;
    assert_eq!(bill.total, 700);
    let [change] = <[_; 1]>::try_from(changes(&scene.session().await)).unwrap();
    assert!(change.kept.is_some() && change.shown.is_none());
    assert!(events(&scene.store, "session.price_changed").await.is_empty());
}
both!(a_list_that_does_not_fit_is_not_gone_over_to);

async fn a_fee_for_standing_that_comes_is_waited_for(place: Place) {
    let idle = list("Dear", CHANGES, "energy: 0.50 EUR/kWh\n\nidle fee after 10 min: 0.10 EUR/min");
    let scene = Scene::open(place, &two(""), &[cheap(), ("b.tariff", idle)]).await;
    scene.at(0);
    let id = scene.start(0).await;
    let status = |minute: i64, status: &str| json!({"connectorId":1,"errorCode":"NoError","status":status,"timestamp":ts(minute)});
    scene.say("StatusNotification", status(1, "Charging")).await;
    scene.meter(id, 90, 15_000).await;
    scene.at(120);
    scene.stop(id, 120, 20_000).await;
    scene.say("StatusNotification", status(120, "Finishing")).await;
    // The list of plug-in would let it end with the stop.
    scene.clerk.sweep(t(125)).await.unwrap();
    assert_eq!(scene.session().await.status, SessionStatus::Running);
    scene.at(150);
    scene.say("StatusNotification", status(150, "Available")).await;
    // 20 minutes beyond the grace.
    assert_eq!(scene.billed(155).await.total, 900 + 200);
}
both!(a_fee_for_standing_that_comes_is_waited_for);

async fn a_beginning_told_after_the_bill_keeps_the_changes(place: Place) {
    let lists =
        format!("{}[[tariff]]\nfile = \"m.tariff\"\nsite = \"yard\"\nfrom = 2025-03-10T10:05:00\n", two(""));
    let middle = list("Middle", "", "energy: 0.40 EUR/kWh\n\nstart fee: 2.00 EUR/session");
    let mut scene = Scene::open(place, &lists, &[cheap(), ("m.tariff", middle), dear(CHANGES)]).await;
    scene.link.dialect = Dialect::V201;
    let event = |kind: &str, seq: i64, minute: i64, wh: i64| {
        json!({
            "eventType": kind, "timestamp": ts(minute), "triggerReason": "MeterValuePeriodic", "seqNo": seq,
            "evse": {"id": 1, "connectorId": 1}, "idToken": {"idToken": "CARD", "type": "ISO14443"},
            "transactionInfo": {"transactionId": "tx", "chargingState": "Charging"},
            "meterValue": [{"timestamp": ts(minute), "sampledValue": [{"value": wh}]}],
        })
    };
    // The first event stays in the charger's queue.
    for (kind, seq, minute, wh) in
        [("Updated", 1, 10, 0), ("Updated", 2, 60, 10_000), ("Ended", 3, 120, 20_000)]
    {
        scene.at(minute);
        scene.say("TransactionEvent", event(kind, seq, minute, wh)).await;
    }
    // A session of which nobody saw the beginning is billed when somebody has said so.
    scene.clerk.sweep(t(135)).await.unwrap();
    scene.bills.release(&org(), &scene.session().await.id, decision("it is right"), t(136)).await.unwrap();
    assert_eq!(scene.billed(137).await.total, 200 + 400 + 500);
    scene.at(140);
    scene.say("TransactionEvent", event("Started", 0, 0, 0)).await;
    scene.clerk.sweep(t(155)).await.unwrap();
    // It began under the list before: 9.00 EUR, as if everything had come in time.
    let done = scene.bills.bill_due(&org(), t(155)).await.unwrap();
    let [(_, Outcome::Undecided(why))] = done.as_slice() else { panic!("{done:?}") };
    assert!(why.ends_with("the bill would change by -2.00"), "{why}");
}
both!(a_beginning_told_after_the_bill_keeps_the_changes);

async fn who_keeps_prices_keeps_them(place: Place) {
    let scene = Scene::open(place, &two("running_sessions = \"keep\""), &[cheap(), dear(CHANGES)]).await;
    scene.at(0);
    let id = scene.start(0).await;
    scene.meter(id, 90, 15_000).await;
    assert_eq!(scene.cost().await, 550);
    scene.at(120);
    scene.stop(id, 120, 20_000).await;
    let bill = scene.billed(125).await;
    assert_eq!(bill.total, 700);
    assert!(!bill.document.contains("tariff_changes") && !bill.hashes.contains("tariff_changes"));
    assert!(changes(&scene.session().await).is_empty());
    drop(scene.place);
}
both!(who_keeps_prices_keeps_them);
