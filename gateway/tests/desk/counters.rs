//! Counters that run over sessions stay right whatever becomes of their bills. An oracle that is slow and obvious says what they must stand
//! at: every session has its place in each counter since a bill of it was first counted there, and has added there what its last bill says.

use crate::billing_support::*;
use crate::store_support::*;
use std::collections::BTreeMap;
use std::sync::Arc;
use takst_engine::document::Inputs;
use takst_engine::units::Instant;
use takst_engine::{Prepared, PriceBook, Pricing, Standing, price, session as engine};
use takst_gateway::billing::{Billing as Bills, Options, Outcome, Verdict};
use takst_gateway::store::*;

const DRIVER: &str = "driver:koti:EUR:";
const SITE: &str = "site:koti:EUR:";

// Lists, and whose counters they read or move. No two of them ask the same for a session.
fn lists() -> Vec<(Arc<Prepared>, Vec<&'static str>)> {
    let list = |text: &str, scopes: &[&'static str]| (made(text), scopes.to_vec());
    vec![
        list("energy: 11.3 cent/kWh", &[]),
        list(
            "energy:\n  1 cent/kWh   up to 9 kWh per month per driver\n  10.7 cent/kWh  otherwise",
            &[DRIVER],
        ),
        list("energy:\n  12.1 cent/kWh  up to 8 kWh per day per site\n  20.9 cent/kWh  otherwise", &[SITE]),
        list(
            "energy: 3.1 cent/kWh\n\nconnected time:\n  free          up to 90 min of connected time per month per driver\n  1.3 cent/min  otherwise",
            &[DRIVER],
        ),
        list("energy: 30.3 cent/kWh\n\ntotal: at most 2.50 EUR/month per driver", &[DRIVER]),
        list(
            "energy:\n  5.9 cent/kWh  up to 9 kWh per month per driver\n  7.7 cent/kWh  up to 30 kWh per month per site\n  9.1 cent/kWh  otherwise",
            &[DRIVER, SITE],
        ),
    ]
}

// A session as it is known now, or as its last bill has it.
#[derive(Clone)]
struct Facts {
    list: usize,
    driver: String,
    site: String,
    from: String,
    hours: i64,
}

impl Facts {
    fn text(&self) -> String {
        plain(&self.driver, "5", &self.from, self.hours).replace("otakaari-5", &self.site)
    }

    fn scopes(&self, lists: &[(Arc<Prepared>, Vec<&'static str>)]) -> Vec<String> {
        let whose = |kind: &&str| match *kind {
            DRIVER => format!("{DRIVER}{}", self.driver),
            _ => format!("{SITE}{}", self.site),
        };
        lists[self.list].1.iter().map(whose).collect()
    }
}

#[derive(Clone)]
struct Case {
    id: String,
    now: Facts,
    billed: Facts,
    refunded: bool,
    // What each scope stood at when a bill of it was first counted there, and what is of it there now.
    opened: BTreeMap<String, Standing>,
    adds: BTreeMap<String, BTreeMap<String, rust_decimal::Decimal>>,
}

#[derive(Default)]
struct Model {
    cases: Vec<Case>,
}

fn is_of(scope: &str, counter: &str) -> bool {
    counter.starts_with(&format!("{} ", scope.split(':').next().unwrap()))
}

impl Model {
    // Each time from nothing.
    fn stands(&self, scope: &str) -> Standing {
        let mut stands = Standing::default();
        for case in &self.cases {
            for (counter, by) in case.adds.get(scope).into_iter().flatten() {
                stands.set(counter.clone(), stands.get(counter) + by);
            }
        }
        stands
    }

    // The session gets a bill as it is known now. What all its bills come to together.
    fn bill(&mut self, nth: usize, list: usize, lists: &[(Arc<Prepared>, Vec<&'static str>)]) -> i64 {
        let facts = Facts { list, ..self.cases[nth].now.clone() };
        let mut opening = Standing::default();
        for scope in facts.scopes(lists) {
            let stood = self.cases[nth].opened.get(&scope).cloned().unwrap_or_else(|| self.stands(&scope));
            for (counter, value) in stood.iter() {
                opening.set(counter.to_owned(), value);
            }
            self.cases[nth].opened.insert(scope, stood);
        }
        let book = PriceBook::default();
        let pricing = Pricing::new(&lists[list].0, &book).unwrap();
        let session = engine::Session::from_json(&facts.text()).unwrap();
        let bill = price(&pricing, &session, &opening).unwrap();
        let document = bill.document(&pricing, &session, Inputs::default());
        let case = &mut self.cases[nth];
        case.adds.clear();
        for scope in facts.scopes(lists) {
            let adds = case.adds.entry(scope.clone()).or_default();
            for (counter, value) in document.standing.iter().filter(|(counter, _)| is_of(&scope, counter)) {
                adds.insert(counter.to_owned(), value - opening.get(counter));
            }
        }
        case.billed = facts;
        document.total.replacen('.', "", 1).parse().unwrap()
    }
}

struct Scene {
    store: Store,
    bills: Bills,
    lists: Vec<(Arc<Prepared>, Vec<&'static str>)>,
    model: Model,
    now: Instant,
}

impl Scene {
    async fn open(place: &Place) -> Self {
        let store = place.open().await;
        store
            .write(Lane::org(&org()), async move |tx| tx.add_org(&org(), "City", at(0)).await)
            .await
            .unwrap();
        let (house, lists): (Arc<House>, _) = (Arc::default(), lists());
        for (list, _) in &lists {
            house.add(Arc::clone(list));
        }
        let options = Options { correct_automatically: true, ..Options::default() };
        let bills = billing(&store, &house, options);
        Self { store, bills, lists, model: Model::default(), now: time("2023-11-30T08:00:00Z") }
    }

    fn version(&self, list: usize) -> String {
        self.lists[list].0.version().to_owned()
    }

    async fn total(&self, id: &str) -> i64 {
        bills_of(&self.store, id).await.iter().map(|bill| bill.total).sum()
    }

    async fn begin(&mut self, facts: Facts) {
        let id = format!("s{:02}", self.model.cases.len());
        add(&self.store, &facts.text(), &self.version(facts.list), &id, true).await;
        let done = self.bills.bill_due(&org(), self.now).await.unwrap();
        assert!(matches!(done.as_slice(), [(_, Outcome::Billed(_))]), "{done:?}");
        let (opened, adds) = (BTreeMap::new(), BTreeMap::new());
        let list = facts.list;
        self.model.cases.push(Case {
            id: id.clone(),
            now: facts.clone(),
            billed: facts,
            refunded: false,
            opened,
            adds,
        });
        let wanted = self.model.bill(self.model.cases.len() - 1, list, &self.lists);
        assert_eq!(self.total(&id).await, wanted, "{id}");
    }

    // What a correction would change by is worked out from the same place in the counters, as often as somebody looks.
    async fn outcome(&mut self, nth: usize, list: usize, outcome: Outcome) {
        let id = self.model.cases[nth].id.clone();
        let before = self.model.cases[nth].clone();
        let wanted = self.model.bill(nth, list, &self.lists);
        match outcome {
            Outcome::Corrected(_) => assert_eq!(self.total(&id).await, wanted, "{id}"),
            Outcome::Unchanged => {
                assert_eq!(self.total(&id).await, wanted, "{id} should be another one");
                // No bill says so: it stays as it was.
                self.model.cases[nth] = before;
            }
            Outcome::Undecided(_) if before.refunded => self.model.cases[nth] = before,
            other => panic!("{id}: {other:?}"),
        }
    }

    async fn reprice(&mut self, nth: usize, list: Option<usize>) {
        let Case { id, refunded, billed, .. } = self.model.cases[nth].clone();
        let version = list.map(|list| self.version(list));
        let result = self.bills.reprice(&org(), &id, version, decision("a promise"), self.now).await;
        match result {
            Err(Error::Refused(_)) if refunded => {}
            result => self.outcome(nth, list.unwrap_or(billed.list), result.unwrap()).await,
        }
    }

    // The charger, or a person, says something else of a session that has its bill.
    async fn say(&mut self, nth: usize, how: impl Fn(&mut Facts)) {
        let mut facts = self.model.cases[nth].now.clone();
        how(&mut facts);
        let (id, text) = (self.model.cases[nth].id.clone(), facts.text());
        let session = engine::Session::from_json(&text).unwrap();
        let (row, parts) = rows(&session, &text, &self.version(facts.list), &id, true);
        let session = id.clone();
        self.store
            .write(Lane::charger(&org(), "5"), async move |tx| {
                tx.put_readings(&org(), &session, &parts.readings).await
            })
            .await
            .unwrap();
        change(&self.store, &id, |stored| {
            (stored.driver, stored.site) = (row.driver.clone(), row.site.clone());
            (stored.unplugged, stored.stopped_at) = (row.unplugged, row.stopped_at);
            stored.billing = Billing::Due;
        })
        .await;
        self.model.cases[nth].now = facts;
        let mut done = self.bills.bill_due(&org(), self.now).await.unwrap();
        assert_eq!(done.len(), 1, "{done:?}");
        let list = self.model.cases[nth].billed.list;
        self.outcome(nth, list, done.remove(0).1).await;
    }

    async fn refund(&mut self, nth: usize) {
        let id = self.model.cases[nth].id.clone();
        if self.bills.refund(&org(), &id, None, decision("a fault"), self.now).await.is_ok() {
            self.model.cases[nth].refunded = true;
        }
    }

    // All counters, and that every bill can be worked out again.
    async fn check(&self, what: &str) {
        let mut reader = self.store.read().await.unwrap();
        let scopes = self.model.cases.iter().flat_map(|case| case.opened.keys());
        for scope in scopes.collect::<std::collections::BTreeSet<_>>() {
            let row = reader.standing(&org(), scope).await.unwrap();
            let stands = row.map(|row| Standing::from_json(&row.document).unwrap()).unwrap_or_default();
            assert_eq!(stands, self.model.stands(scope), "{scope} after {what}");
        }
    }
}

async fn counters_follow_the_last_bill_of_each_session(place: Place) {
    let mut seed = 11_u64;
    let mut random = |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(seed >> 33).unwrap() % below
    };
    let rounds = if place.is_sqlite() { 8 } else { 3 };
    let mut corrections = 0;
    for _ in 0..rounds {
        let place = place.another().await;
        let mut scene = Scene::open(&place).await;
        let mut told = Vec::new();
        for _ in 0..45 {
            let count = scene.model.cases.len();
            let nth = random(count.max(1));
            let what = match random(10) {
                0..=2 if count < 12 => 0,
                _ if count == 0 => 0,
                one => one.max(1),
            };
            match what {
                0 => {
                    // Over the end of a month, and in any order of time.
                    let start =
                        time("2023-09-29T06:30:00Z").0 + i64::try_from(random(80)).unwrap() * 3_600_000;
                    let from = takst_engine::calendar_time::utc_text(Instant(start));
                    let facts = Facts {
                        list: random(6),
                        driver: format!("d-{}", random(2)),
                        site: format!("site-{}", random(2)),
                        from,
                        hours: 1 + i64::try_from(random(4)).unwrap(),
                    };
                    scene.begin(facts).await;
                }
                1..=4 => {
                    let list = random(6);
                    scene.reprice(nth, Some(list)).await;
                }
                5 => scene.reprice(nth, None).await,
                6 => scene.say(nth, |facts| facts.hours += 1).await,
                7 => {
                    let driver = format!("d-{}", random(2));
                    scene.say(nth, |facts| facts.driver = driver.clone()).await;
                }
                8 => {
                    let site = format!("site-{}", random(2));
                    scene.say(nth, |facts| facts.site = site.clone()).await;
                }
                _ if random(4) == 0 => scene.refund(nth).await,
                _ => {
                    scene.bills.difference(&org(), &scene.model.cases[nth].id).await.unwrap();
                }
            }
            told.push((what, nth));
            scene.check(&format!("{told:?}")).await;
        }
        for case in &scene.model.cases {
            for bill in bills_of(&scene.store, &case.id).await {
                corrections += usize::from(bill.kind == BillKind::Correction);
                let verdict = scene.bills.verify(&org(), &bill.id).await.unwrap();
                let fits = match &verdict {
                    Verdict::Same | Verdict::SessionChanged => true,
                    // The site or the driver is another one than on the bill.
                    Verdict::Different(_) => {
                        let (was, now) = (&case.billed, &case.now);
                        (&was.driver, &was.site) != (&now.driver, &now.site)
                    }
                    Verdict::Missing(_) => false,
                };
                assert!(fits, "{}: {verdict:?}", case.id);
            }
        }
    }
    assert!(corrections > rounds * 5, "{corrections} corrections");
}
both!(counters_follow_the_last_bill_of_each_session);

// The sequences that a reader of the code found, with figures worked out by hand: 300 kWh before, a session of 20.
async fn to_a_list_that_counts_and_back(place: Place) {
    let (store, house) = (place.open().await, Arc::<House>::default());
    store.write(Lane::org(&org()), async move |tx| tx.add_org(&org(), "City", at(0)).await).await.unwrap();
    let bills = billing(&store, &house, Options::default());
    let plain_list = house.add(made("energy: 50 cent/kWh"));
    let counting = "energy:\n  30 cent/kWh  up to 305 kWh per month per driver\n  40 cent/kWh  otherwise";
    let counted = house.add(made(counting));
    let now = time("2023-09-30T08:00:00Z");
    add(&store, &plain("d-1", "5", "2023-09-01T10:00:00Z", 150), &counted, "before", true).await;
    bills.bill_due(&org(), now).await.unwrap();
    add(&store, &plain("d-1", "5", "2023-09-10T10:00:00Z", 10), &plain_list, "a", true).await;
    bills.bill_due(&org(), now).await.unwrap();
    let stands = async || {
        let row = store.read().await.unwrap().standing(&org(), "driver:koti:EUR:d-1").await.unwrap().unwrap();
        Standing::from_json(&row.document).unwrap().get("driver energy 2023-09").to_string()
    };
    let total = async || bills_of(&store, "a").await.iter().map(|bill| bill.total).sum::<i64>();
    let to = async |version: &str| {
        bills.reprice(&org(), "a", Some(version.to_owned()), decision("x"), now).await.unwrap()
    };
    assert_eq!((total().await, stands().await), (1000, "300".to_owned()));
    to(&counted).await;
    // 5 kWh at 30 cent and 15 at 40, however often somebody looks.
    assert_eq!((total().await, stands().await), (750, "320".to_owned()));
    for _ in 0..2 {
        assert!(bills.difference(&org(), "a").await.unwrap().correction.is_none());
        let again = bills.reprice(&org(), "a", None, decision("a look"), now).await.unwrap();
        assert_eq!(again, Outcome::Unchanged);
    }
    assert_eq!((total().await, stands().await), (750, "320".to_owned()));
    // By mistake to the other one, and back.
    to(&plain_list).await;
    assert_eq!((total().await, stands().await), (1000, "300".to_owned()));
    to(&counted).await;
    assert_eq!((total().await, stands().await), (750, "320".to_owned()));
    for bill in bills_of(&store, "a").await {
        assert_eq!(bills.verify(&org(), &bill.id).await.unwrap(), Verdict::Same);
    }
}
both!(to_a_list_that_counts_and_back);
