//! A gateway's storage with real tariffs, sessions and prices of `examples/`, for tests of billing, feeds and live prices.

#![allow(dead_code, clippy::cast_possible_wrap, reason = "each test file uses a part; counts are small")]

use crate::store_support::*;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use takst_dsl::{SourceFile, compile};
use takst_engine::input::instant;
use takst_engine::units::{Energy, Instant};
use takst_engine::{Prepared, session as engine};
use takst_gateway::billing::{Billing as Bills, Decision, Options, Seller, Sellers, Tariffs, state_word};
use takst_gateway::feeds::{Offered, Received, receive};
use takst_gateway::store::*;

pub fn time(text: &str) -> Instant {
    instant(text).unwrap()
}

pub fn example(path: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../examples").join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A tariff of `examples/tariffs`.
pub fn shipped(path: &str) -> Arc<Prepared> {
    let path = format!("tariffs/{path}");
    let folder = path.rsplit_once('/').unwrap().0.to_owned();
    let source = |name: String| SourceFile { text: example(&name), name };
    let compiled = compile(source(path), &mut |name| Ok(source(format!("{folder}/{name}"))));
    let diagnostics = compiled.diagnostics;
    Arc::new(Prepared::new(compiled.tariff.unwrap_or_else(|| panic!("{diagnostics:?}"))).unwrap())
}

/// A tariff in euros and Helsinki's time, with 24 % VAT in the prices; `text`: its charges.
pub fn made(text: &str) -> Arc<Prepared> {
    let head = "tariff \"Test\"\n  currency: EUR\n  time zone: Europe/Helsinki\n  spot area: FI\n  prices: including VAT\n\nVAT: 24%\n\n";
    let text = format!("{head}{text}\n");
    let compiled = compile(SourceFile { name: "test.tariff".into(), text }, &mut |_| Err("no".into()));
    let diagnostics = compiled.diagnostics;
    Arc::new(Prepared::new(compiled.tariff.unwrap_or_else(|| panic!("{diagnostics:?}"))).unwrap())
}

/// The set-up of the tests.
#[derive(Default)]
pub struct House {
    tariffs: Mutex<HashMap<String, Arc<Prepared>>>,
    /// How many cars can charge at each site at once.
    pub places: Mutex<HashMap<String, u32>>,
}

impl House {
    pub fn add(&self, prepared: Arc<Prepared>) -> String {
        let version = prepared.version().to_owned();
        self.tariffs.lock().unwrap().insert(version.clone(), prepared);
        version
    }
}

impl Tariffs for House {
    fn prepared(&self, version: &str) -> Option<Arc<Prepared>> {
        self.tariffs.lock().unwrap().get(version).cloned()
    }

    fn holds(&self, _: &OrgId, feed: &str) -> bool {
        let tariffs = self.tariffs.lock().unwrap();
        let mut feeds = tariffs.values().flat_map(|tariff| &tariff.tariff().feeds);
        feeds.any(|known| known.holds && known.name == feed)
    }

    fn places(&self, _: &OrgId, site: &str) -> Option<u32> {
        self.places.lock().unwrap().get(site).copied()
    }
}

impl Sellers for House {
    fn seller(&self, _: &OrgId, seller: &str) -> Option<Seller> {
        (seller == "koti").then(|| Seller {
            id: seller.to_owned(),
            name: "KotiCharge Oy".to_owned(),
            company_number: Some("1234567-8".to_owned()),
            vat_number: Some("FI12345678".to_owned()),
            address: vec!["Otakaari 5".to_owned(), "02150 Espoo".to_owned()],
            contact: vec!["asiakaspalvelu@example.com".to_owned()],
            series: "KOTI-".to_owned(),
            payments: None,
        })
    }
}

pub fn billing(store: &Store, house: &Arc<House>, options: Options) -> Bills {
    let tariffs: Arc<dyn Tariffs> = Arc::clone(house) as Arc<dyn Tariffs>;
    let sellers: Arc<dyn Sellers> = Arc::clone(house) as Arc<dyn Sellers>;
    Bills::new(store.clone(), tariffs, sellers, options)
}

pub fn decision(reason: &str) -> Decision {
    Decision { by: "anna".to_owned(), reason: reason.to_owned() }
}

/// A session document of `examples/sessions` as the desk would have written it. `ended`: it is due.
pub async fn add(store: &Store, text: &str, version: &str, id: &str, ended: bool) -> String {
    let session = engine::Session::from_json(text).unwrap();
    let (stored, parts) = rows(&session, text, version, id, ended);
    let (org, lane) = (org(), Lane::charger(&org(), &stored.charger));
    store
        .write(lane, async move |tx| {
            tx.add_session(&org, &stored).await?;
            tx.put_readings(&org, &stored.id, &parts.readings).await?;
            tx.put_states(&org, &stored.id, &parts.states).await?;
            tx.put_power(&org, &stored.id, &parts.power).await?;
            tx.put_occupancy(&org, &stored.id, &parts.occupancy).await
        })
        .await
        .unwrap();
    id.to_owned()
}

/// The rows of a session.
pub fn rows(
    from: &engine::Session,
    text: &str,
    version: &str,
    id: &str,
    ended: bool,
) -> (Session, SessionParts) {
    let document: serde_json::Value = serde_json::from_str(text).unwrap();
    let mut facts = serde_json::Map::new();
    for name in ["connector", "token", "payment_brand", "coupons", "reservation"] {
        if let Some(value) = document.get(name) {
            facts.insert(name.to_owned(), value.clone());
        }
    }
    let last = from.unplugged.filter(|_| ended);
    let charger = from.facts.charger.as_deref().unwrap_or("5");
    let stored = Session {
        site: from.facts.site.clone(),
        connector: Some(1),
        driver: from.facts.driver.clone(),
        groups_doc: serde_json::to_string(&from.facts.groups).unwrap(),
        contract: document.get("contract").and_then(|word| word.as_str()).map(str::to_owned),
        transaction_ref: Some("7".to_owned()),
        started_at: Some(from.plugged_in),
        charging_started: Some(from.plugged_in),
        stopped_at: last,
        unplugged: last,
        status: if ended { SessionStatus::Ended } else { SessionStatus::Running },
        seller: Some("koti".to_owned()),
        tariff_name: Some("spot".to_owned()),
        tariff_version: Some(version.to_owned()),
        currency: Some("EUR".to_owned()),
        billing: if ended { Billing::Due } else { Billing::Open },
        document: serde_json::json!({ "facts": facts }).to_string(),
        ..Session::begun(id, (charger, 1), from.plugged_in, from.plugged_in)
    };
    let readings = (0..).zip(&from.readings).map(|(seq, reading)| Reading {
        seq,
        at: reading.at,
        received_at: reading.at,
        imported: reading.import,
        exported: Some(reading.export).filter(|export| *export != Energy(0)),
        segment: i64::from(reading.segment),
        context: None,
    });
    let states = (0..).zip(&from.states).map(|(seq, state)| StateChange {
        seq,
        from_at: state.from,
        received_at: state.from,
        state: state_word(state.state).to_owned(),
    });
    let power = (0..).zip(&from.power).map(|(seq, power)| PowerChange {
        seq,
        from_at: power.from,
        received_at: power.from,
        power: power.power,
        amps: power.current,
    });
    let occupancy = (0..).zip(&from.occupancy).map(|(seq, share)| OccupancyChange {
        seq,
        from_at: share.from,
        occupied: share.occupied.into(),
        of_all: share.of.into(),
    });
    let parts = SessionParts {
        readings: readings.collect(),
        states: states.collect(),
        power: power.collect(),
        occupancy: occupancy.collect(),
        signed: Vec::new(),
    };
    (stored, parts)
}

/// A session that charges 2 kWh an hour from `from` on for so many hours, with a reading every half hour.
pub fn plain(driver: &str, charger: &str, from: &str, hours: i64) -> String {
    let start = time(from);
    let at = |half: i64| takst_engine::calendar_time::utc_text(Instant(start.0 + half * 1_800_000));
    let readings: Vec<_> = (0..=hours * 2)
        .map(|half| serde_json::json!({ "at": at(half), "import_kwh": half.to_string() }))
        .collect();
    serde_json::json!({
        "id": "x", "site": "otakaari-5", "charger": charger, "driver": driver, "contract": "direct",
        "plugged_in": at(0), "unplugged": at(hours * 2), "readings": readings,
    })
    .to_string()
}

/// A price document of our own form for FI.
pub fn feed(published: Option<&str>, from: &str, prices: &[&str]) -> String {
    let start = time(from);
    let at = |hour: usize| takst_engine::calendar_time::utc_text(Instant(start.0 + hour as i64 * 3_600_000));
    let steps: Vec<_> = (0..)
        .zip(prices)
        .map(|(hour, price)| serde_json::json!({ "from": at(hour), "to": at(hour + 1), "price": price }))
        .collect();
    let mut document =
        serde_json::json!({ "feed": "spot", "area": "FI", "unit": "EUR/MWh", "prices": steps });
    if let Some(published) = published {
        document["published"] = published.into();
    }
    document.to_string()
}

pub async fn take(store: &Store, text: String, now: Instant) -> Received {
    let offered = Offered { text, name: "spot.json".into(), currency: "EUR".into(), published: None };
    receive(store, &org(), offered, now).await.unwrap()
}

pub async fn session_of(store: &Store, id: &str) -> Session {
    store.read().await.unwrap().session(&org(), id).await.unwrap().unwrap()
}

pub async fn bills_of(store: &Store, id: &str) -> Vec<Bill> {
    store.read().await.unwrap().session_bills(&org(), id).await.unwrap()
}

pub async fn events(store: &Store, kind: &str) -> Vec<Event> {
    let all = store.read().await.unwrap().events_after(&org(), 0, 100_000).await.unwrap();
    all.into_iter().filter(|event| event.kind == kind).collect()
}

/// Lets a session be due again, as the desk does when it has changed.
pub async fn change(store: &Store, id: &str, how: impl Fn(&mut Session)) {
    let mut session = session_of(store, id).await;
    let lane = Lane::charger(&org(), &session.charger);
    how(&mut session);
    session.updated_at = Instant(session.updated_at.0 + 1);
    store.write(lane, async move |tx| tx.update_session(&org(), &session).await).await.unwrap();
}
