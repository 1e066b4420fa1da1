//! A desk over a real database, with a set-up made by hand and chargers that speak OCPP JSON.

#![allow(dead_code, reason = "each test file uses a part")]

use crate::store_support::*;
use futures_util::future::BoxFuture;
use rust_decimal::Decimal;
use serde_json::{Value, json, value::RawValue};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use takst_dsl::{SourceFile, compile};
use takst_engine::Prepared;
use takst_engine::units::Instant;
use takst_gateway::chargers::model::{Command, Outcome, Status};
use takst_gateway::chargers::time::write;
use takst_gateway::desk::rules::*;
use takst_gateway::desk::{Clerk, People, Wire};
use takst_gateway::hub::Unsent;
use takst_gateway::link::{Admission, Desk as _, Knock, Link, Received, Reply};
use takst_gateway::ocpp::{Dialect, Habits};
use takst_gateway::sessions::Touched;
use takst_gateway::store::*;

pub const CHARGER: &str = "C1";

/// So many minutes after the beginning of the test's time.
pub fn t(minute: i64) -> Instant {
    Instant(1_741_593_600_000 + minute * 60_000)
}

/// The same as chargers write it.
pub fn ts(minute: i64) -> String {
    write(t(minute))
}

pub fn tariff(charges: &str) -> Arc<Prepared> {
    let text = format!(
        "tariff \"Test\"\n  currency: EUR\n  time zone: Europe/Helsinki\n  prices: including VAT\n\nVAT: 24%\n\n{charges}\n"
    );
    let compiled = compile(SourceFile { name: "test.tariff".into(), text }, &mut |_| Err("no".into()));
    let diagnostics = compiled.diagnostics;
    Arc::new(Prepared::new(compiled.tariff.unwrap_or_else(|| panic!("{diagnostics:?}"))).unwrap())
}

/// A tariff that charges for standing.
pub fn standing() -> Arc<Prepared> {
    tariff("energy: 0.30 EUR/kWh\n\nidle fee after 10 min: 0.10 EUR/min")
}

/// A tariff of which nothing is left after the stop.
pub fn plain() -> Arc<Prepared> {
    tariff("energy: 0.30 EUR/kWh")
}

/// A set-up made by hand.
pub struct Hand {
    pub chargers: Mutex<HashMap<String, Arc<ChargerRules>>>,
    pub house: Mutex<House>,
    pub unknown: Mutex<Unknown>,
    // From when which one is in force.
    pub tariffs: Mutex<Vec<(Instant, String, Arc<Prepared>)>>,
}

impl Rules for Hand {
    fn find(&self, identity: &str) -> Vec<Arc<ChargerRules>> {
        let chargers = self.chargers.lock().unwrap();
        chargers.values().filter(|rules| rules.id.eq_ignore_ascii_case(identity)).cloned().collect()
    }

    fn charger(&self, _: &OrgId, charger: &str) -> Option<Arc<ChargerRules>> {
        self.chargers.lock().unwrap().get(charger).cloned()
    }

    fn unknown(&self, _: &str) -> Unknown {
        self.unknown.lock().unwrap().clone()
    }

    fn house(&self, _: &OrgId, _: &str) -> Arc<House> {
        Arc::new(self.house.lock().unwrap().clone())
    }

    fn tariff_at(&self, _: &OrgId, _: &Asker<'_>, at: Instant) -> Option<TariffChoice> {
        let tariffs = self.tariffs.lock().unwrap();
        let (_, name, prepared) =
            tariffs.iter().filter(|(from, ..)| *from <= at).max_by_key(|(from, ..)| *from)?;
        Some(TariffChoice { name: name.clone(), prepared: prepared.clone(), seller: "koti".into() })
    }
}

/// What the desk told others, and what others answer.
#[derive(Default)]
pub struct Others {
    pub touched: Mutex<Vec<(String, Touched)>>,
    pub cost: Mutex<Option<Decimal>>,
    pub told: Mutex<Vec<(String, Command)>>,
    pub refuse: Mutex<bool>,
}

impl SessionSink for Others {
    fn touched<'a>(&'a self, _: &'a OrgId, session: &'a str, touched: Touched) -> BoxFuture<'a, ()> {
        self.touched.lock().unwrap().push((session.to_owned(), touched));
        Box::pin(std::future::ready(()))
    }
}

impl CostSource for Others {
    fn cost(&self, _: &OrgId, _: &str) -> Option<Cost> {
        let total = (*self.cost.lock().unwrap())?;
        Some(Cost { total, message: None, more: Vec::new() })
    }
}

impl Wire for Others {
    fn command<'a>(
        &'a self,
        _: &'a OrgId,
        charger: &'a str,
        command: Command,
        _: Duration,
    ) -> BoxFuture<'a, Result<Outcome, Unsent>> {
        self.told.lock().unwrap().push((charger.to_owned(), command));
        let status = if *self.refuse.lock().unwrap() { Status::Rejected } else { Status::Accepted };
        Box::pin(std::future::ready(Ok(Outcome::of(status))))
    }
}

/// A desk with one charger.
pub struct Rig {
    pub place: Place,
    pub store: Store,
    pub hand: Arc<Hand>,
    pub others: Arc<Others>,
    pub clerk: Arc<Clerk>,
    pub link: Link,
    // The gateway's clock, in minutes; it moves with what is said unless it is set.
    pub now: Instant,
}

pub fn charger(id: &str) -> ChargerRules {
    let evse = |evse| EvseRules {
        evse,
        connector: Some(format!("{evse}")),
        max_power: Some(22_000_000),
        phases: Some(3),
        kind: Some("Type2".into()),
        ..EvseRules::default()
    };
    ChargerRules {
        site: Some("yard".into()),
        evses: vec![evse(1), evse(2)],
        ..ChargerRules::guest(&org(), id)
    }
}

pub fn token(uid: &str) -> Token {
    Token {
        uid: uid.to_owned(),
        kind: "rfid".into(),
        parent: None,
        status: "accepted".into(),
        expires_at: None,
        driver: Some("d-17".into()),
        contract: Some("direct".into()),
        groups_doc: r#"["VIP"]"#.into(),
        document: "{}".into(),
        updated_at: t(0),
    }
}

pub fn hand() -> Hand {
    Hand {
        chargers: Mutex::new(HashMap::from([(CHARGER.to_owned(), Arc::new(charger(CHARGER)))])),
        house: Mutex::default(),
        unknown: Mutex::new(Unknown::Refuse),
        tariffs: Mutex::new(vec![(Instant(0), "day".into(), standing())]),
    }
}

impl Rig {
    pub async fn new(place: Place, dialect: Dialect) -> Self {
        let store = place.open().await;
        let hand = Arc::new(hand());
        let others = Arc::new(Others::default());
        let clerk = clerk(&store, &hand, &others);
        let link = Link { org: org(), charger: CHARGER.into(), connection: new_id(), dialect, since: t(0) };
        let owner = org();
        store
            .write(Lane::org(&org()), async move |tx| {
                tx.add_org(&owner, "City", t(0)).await?;
                for uid in ["CARD", "OTHER", "THIRD"] {
                    tx.put_token(&owner, &token(uid)).await?;
                }
                Ok(())
            })
            .await
            .unwrap();
        clerk.take_up(t(0)).await.unwrap();
        clerk.connected(&link).await;
        Self { place, store, hand, others, clerk, link, now: t(0) }
    }

    /// A desk that has forgotten everything, over the same database.
    pub async fn restart(&mut self) {
        self.clerk = clerk(&self.store, &self.hand, &self.others);
        self.clerk.take_up(self.now).await.unwrap();
        self.clerk.connected(&self.link).await;
    }

    pub async fn put_token(&self, token: Token) {
        let owner = org();
        self.store
            .write(Lane::org(&org()), async move |tx| tx.put_token(&owner, &token).await)
            .await
            .unwrap();
    }

    /// What becomes of a request.
    pub async fn reply(&self, action: &str, payload: &Value) -> Reply {
        let raw = RawValue::from_string(payload.to_string()).unwrap();
        let habits = self
            .hand
            .chargers
            .lock()
            .unwrap()
            .get(CHARGER)
            .map_or_else(Habits::default, |c| c.habits.clone());
        let read = self.link.dialect.read_call(action, Some(&raw), self.now, &habits).unwrap();
        let deviations = read.deviations.iter().map(ToString::to_string).collect();
        let received = Received { report: read.report, action: action.into(), at: self.now, deviations };
        self.clerk.report(&self.link, received).await
    }

    /// The answer to a request, as the charger gets it.
    pub async fn say(&self, action: &str, payload: Value) -> Value {
        match self.reply(action, &payload).await {
            Reply::Answer(answer) => {
                serde_json::from_str(&self.link.dialect.write_answer(action, &answer).unwrap()).unwrap()
            }
            other => panic!("{action}: {other:?}"),
        }
    }

    pub async fn start(&mut self, minute: i64, wh: i64) -> i64 {
        self.now = t(minute);
        let answer = self
            .say(
                "StartTransaction",
                json!({"connectorId":1,"idTag":"CARD","meterStart":wh,"timestamp":ts(minute)}),
            )
            .await;
        assert_eq!(answer["idTagInfo"]["status"], "Accepted", "{answer}");
        answer["transactionId"].as_i64().unwrap()
    }

    pub async fn meter(&mut self, id: i64, minute: i64, wh: i64) {
        self.now = t(minute);
        let value = json!({"connectorId":1,"transactionId":id,"meterValue":[{"timestamp":ts(minute),"sampledValue":[{"value":wh.to_string()}]}]});
        assert_eq!(self.say("MeterValues", value).await, json!({}));
    }

    pub async fn stop(&mut self, id: i64, minute: i64, wh: i64) -> Value {
        self.now = t(minute);
        self.say(
            "StopTransaction",
            json!({"transactionId":id,"idTag":"CARD","meterStop":wh,"timestamp":ts(minute)}),
        )
        .await
    }

    pub async fn status(&mut self, minute: i64, status: &str) {
        self.now = t(minute);
        let value = match self.link.dialect {
            Dialect::V16 => {
                json!({"connectorId":1,"errorCode":"NoError","status":status,"timestamp":ts(minute)})
            }
            _ => json!({"evseId":1,"connectorId":1,"connectorStatus":status,"timestamp":ts(minute)}),
        };
        self.say("StatusNotification", value).await;
    }

    pub async fn boot(&mut self) -> Value {
        let value = match self.link.dialect {
            Dialect::V16 => json!({"chargePointVendor":"V","chargePointModel":"M"}),
            _ => json!({"reason":"PowerUp","chargingStation":{"vendorName":"V","model":"M"}}),
        };
        self.say("BootNotification", value).await
    }

    /// Lets time pass and does what is due.
    pub async fn pass(&mut self, minutes: i64) {
        self.now = Instant(self.now.0 + minutes * 60_000);
        self.clerk.sweep(self.now).await.unwrap();
    }

    pub async fn sessions(&self) -> Vec<Session> {
        let mut sessions = self
            .store
            .read()
            .await
            .unwrap()
            .sessions(&org(), &SessionFilter::default(), None, 100)
            .await
            .unwrap();
        sessions.reverse();
        sessions
    }

    pub async fn session(&self) -> Session {
        let mut sessions = self.sessions().await;
        assert_eq!(sessions.len(), 1, "{sessions:#?}");
        sessions.pop().unwrap()
    }

    pub async fn parts(&self, session: &Session) -> SessionParts {
        self.store.read().await.unwrap().session_parts(&org(), &session.id).await.unwrap()
    }

    pub async fn facts(&self) -> Vec<Fact> {
        self.store.read().await.unwrap().facts(&org(), CHARGER, None, 1000).await.unwrap()
    }

    pub async fn events(&self) -> Vec<String> {
        let events = self.store.read().await.unwrap().events_after(&org(), 0, 1000).await.unwrap();
        events.into_iter().map(|event| event.kind).collect()
    }

    pub async fn knock(&self, knock: Knock) -> Admission {
        self.clerk.admit(knock).await
    }
}

pub fn clerk(store: &Store, hand: &Arc<Hand>, others: &Arc<Others>) -> Arc<Clerk> {
    let people = People {
        rules: hand.clone(),
        costs: others.clone(),
        sink: others.clone(),
        prices: Arc::new(Nobody),
        wire: others.clone(),
    };
    Clerk::new(store.clone(), "node", people)
}

pub fn flags(session: &Session) -> Vec<String> {
    let flags: Vec<Value> = serde_json::from_str(&session.flags).unwrap();
    flags.iter().map(|flag| flag["flag"].as_str().unwrap().to_owned()).collect()
}

/// The registers: minute, Wh, segment.
pub fn registers(parts: &SessionParts) -> Vec<(i64, i64, i64)> {
    let row = |row: &Reading| ((row.at.0 - t(0).0) / 60_000, row.imported.0 / 1000, row.segment);
    parts.readings.iter().map(row).collect()
}

pub fn states(parts: &SessionParts) -> Vec<(i64, String)> {
    parts.states.iter().map(|row| ((row.from_at.0 - t(0).0) / 60_000, row.state.clone())).collect()
}

pub fn wh(session: &Session) -> Option<i64> {
    session.energy.map(|energy| energy.0 / 1000)
}
