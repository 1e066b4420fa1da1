//! A whole gateway with the plugin `elhub` of the program: values of a metering point come in as files, a month gets its cost price, bills that
//! waited are made, and what is corrected later is told.

use crate::plug::Plug;
use crate::scene::{main, write};
use crate::shop::{Came, http, say};
use crate::store_support::*;
use chrono::{DateTime, Datelike as _, Days, Months, NaiveDate, TimeZone as _, Utc};
use chrono_tz::{Europe::Oslo, Tz};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use std::net::SocketAddr;
use takst_engine::units::Instant;
use takst_gateway::api::Role;
use takst_gateway::api::access::new_key;
use takst_gateway::billing::{Billing, Options, Verdict};
use takst_gateway::gateway::{Gateway, Plan};
use takst_gateway::house::Source;
use takst_gateway::store::{Lane, MeterDirection, MeterQuality, MeterReceipt, MeterValue, Tx};
use takst_gateway::{live, serve};

// Made up; the last digit is GS1's.
pub const POINT: &str = "707057500012345671";

pub const SET_UP: &str = r#"
[[seller]]
id = "s"
name = "S"

[[site]]
id = "oslo"
name = "Oslo"
time_zone = "Europe/Oslo"
seller = "s"
metering_point = "707057500012345671"

[[charger]]
id = "O-1"
site = "oslo"
security = { profile = 0 }

[[charger.connector]]
type = "Type2"
max_power_kw = 22

[[driver]]
id = "d-1"

[[token]]
uid = "CARD"
driver = "d-1"

[[tariff]]
file = "cost.tariff"
site = "oslo"

[[plugin]]
id = "elhub"
"#;

pub const TARIFF: &str = "tariff \"Cost\"\n  currency:  NOK\n  time zone: Europe/Oslo\n  prices:    including VAT\n\nVAT: 25%\n\nenergy: cost price + 0.25 NOK/kWh\n";

struct Plant {
    gateway: Gateway,
    address: SocketAddr,
    key: String,
}

impl Plant {
    async fn open(place: &Place) -> Self {
        Self::with(place, SET_UP).await
    }

    async fn with(place: &Place, set_up: &str) -> Self {
        let folder = place.dir.path().join("setup");
        write(&folder, &[("takst.toml", set_up), ("cost.tariff", TARIFF)]);
        let plan = Plan {
            data: place.dir.path().join("data"),
            database: (!place.is_sqlite()).then(|| place.url.clone()),
            source: Source::Path(folder),
            options: serve::Options {
                listen: vec!["127.0.0.1:0".parse().unwrap()],
                ..serve::Options::default()
            },
            open: false,
            live: live::Options::default(),
        };
        let gateway = plan.start().await.unwrap_or_else(|error| panic!("{error}"));
        let (row, key) = new_key("test", Role::Owner, "test").unwrap();
        let unit = async move |tx: &mut Tx| tx.add_api_key(&main(), &row).await;
        gateway.store.write(Lane::org(&main()), unit).await.unwrap();
        let address = gateway.server.addresses()[0];
        Self { gateway, address, key }
    }

    async fn ask(&self, method: &str, path: &str, kind: &str, body: &str) -> Came {
        let bearer = format!("Bearer {}", self.key);
        let headers = [("authorization", bearer.as_str()), ("content-type", kind)];
        http(self.address, method, path, &headers, body.as_bytes()).await
    }

    async fn get(&self, path: &str) -> Value {
        let came = self.ask("GET", path, "application/json", "").await;
        assert_eq!(came.status, 200, "{path}: {came:?}");
        came.json()
    }

    async fn file(&self, text: &str) -> Came {
        let path = format!("/api/v1/meter-values?name=meteringvalues-{POINT}.csv");
        self.ask("POST", &path, "text/csv", text).await
    }

    async fn taken(&self, text: &str) -> Value {
        let came = self.file(text).await;
        assert_eq!(came.status, 200, "{came:?}");
        came.json()
    }

    async fn costs(&self, month: &str, net: &str) -> Came {
        let costs = json!({ "currency": "NOK", "reason": "the invoices of the month",
            "costs": [{ "label": "Power", "net": net, "vat_rate": "25" }] });
        let path = format!("/api/v1/sites/oslo/costs/{month}");
        self.ask("PUT", &path, "application/json", &costs.to_string()).await
    }

    async fn until(&self, path: &str, so: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        for _ in 0..600 {
            last = self.get(path).await;
            if so(&last) {
                return last;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        panic!("{path} is still {last:#}");
    }

    /// Until a bill waits for the cost price, and for nothing else.
    async fn waits(&self) {
        let mut all = Vec::new();
        for _ in 0..600 {
            all = self.gateway.store.read().await.unwrap().awaited_feeds(&main()).await.unwrap();
            if !all.is_empty() {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        let all: Vec<_> = all.iter().map(|wait| (wait.feed.as_str(), wait.area.as_str())).collect();
        let sessions = self.get("/api/v1/sessions").await;
        assert_eq!(all, [("cost price including VAT", "oslo")], "{sessions:#}");
    }

    /// A car takes 0.2 kWh in the minute before now.
    async fn charge(&self) {
        self.charge_before(Utc::now(), 60, 200).await;
    }

    /// A car takes so many Wh in so many seconds before an instant; the charger tells it now.
    async fn charge_before(&self, end: DateTime<Utc>, seconds: i64, wh: i64) {
        let mut plug = Plug::connect(self.address, "/ocpp/O-1", &["ocpp1.6"], None).await.unwrap();
        plug.boot().await;
        let time = |s: i64| (end - chrono::TimeDelta::seconds(s)).to_rfc3339();
        let start =
            json!({"connectorId": 1, "idTag": "CARD", "meterStart": 1000, "timestamp": time(seconds)});
        let started = say(&mut plug, "StartTransaction", start).await;
        let id = started["transactionId"].clone();
        let stop =
            json!({"transactionId": id, "idTag": "CARD", "meterStop": 1000 + wh, "timestamp": time(10)});
        say(&mut plug, "StopTransaction", stop).await;
        let free =
            json!({"connectorId": 1, "errorCode": "NoError", "status": "Available", "timestamp": time(5)});
        say(&mut plug, "StatusNotification", free).await;
    }

    async fn incidents(&self, kind: &str) -> Vec<Value> {
        let all = self.get("/api/v1/incidents?open=true").await;
        all.as_array().unwrap().iter().filter(|one| one["kind"] == kind).cloned().collect()
    }

    /// Until there is an open incident of this kind, or none any more.
    async fn incident(&self, kind: &str, open: bool) -> Value {
        for _ in 0..600 {
            let all = self.incidents(kind).await;
            if all.is_empty() != open {
                return all.first().cloned().unwrap_or_default();
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        panic!("{kind}: {:#}", self.get("/api/v1/incidents").await);
    }
}

/// The month before this one: it is over.
struct Month {
    name: String,
    from: DateTime<Tz>,
    until: DateTime<Tz>,
    hours: i64,
}

impl Month {
    fn last() -> Self {
        let today = Utc::now().with_timezone(&Oslo).date_naive();
        Self::of(today.with_day(1).unwrap().checked_sub_months(Months::new(1)).unwrap())
    }

    fn running() -> Self {
        Self::of(Utc::now().with_timezone(&Oslo).date_naive().with_day(1).unwrap())
    }

    fn of(first: NaiveDate) -> Self {
        let (from, until) = (midnight(first), midnight(first.checked_add_months(Months::new(1)).unwrap()));
        let name = first.format("%Y-%m").to_string();
        Self { name, from, until, hours: (until - from).num_hours() }
    }

    /// Noon of its tenth day.
    fn noon(&self) -> DateTime<Utc> {
        (self.from + chrono::TimeDelta::hours(9 * 24 + 12)).with_timezone(&Utc)
    }
}

// The hours of a span as a file of Min side, each with the energy that `kwh` says.
fn csv(from: DateTime<Tz>, until: DateTime<Tz>, kwh: impl Fn(usize) -> String) -> String {
    let mut text = "Fra,Til,KWH 60 Forbruk,Kvalitet\n".to_owned();
    let (mut at, mut place) = (from, 0);
    while at < until {
        let next = at + chrono::TimeDelta::hours(1);
        text.push_str(&format!("{},{},{},Målt\n", at.to_rfc3339(), next.to_rfc3339(), kwh(place)));
        (at, place) = (next, place + 1);
    }
    text
}

fn midnight(day: NaiveDate) -> DateTime<Tz> {
    Oslo.from_local_datetime(&day.and_hms_opt(0, 0, 0).unwrap()).unwrap()
}

async fn a_bill_waits_for_the_cost_price_of_its_month(place: Place) {
    let plant = Plant::open(&place).await;
    let last = Month::last();
    plant.charge_before(last.noon(), 60, 200).await;
    let Month { name: month, from, until, hours } = last;
    let last_day = midnight(until.date_naive().checked_sub_days(Days::new(1)).unwrap());

    // Nobody knows what a kWh cost: the bill waits, and says for what.
    plant.waits().await;
    assert_eq!(plant.get("/api/v1/bills").await, json!([]));
    let state = &plant.get(&format!("/api/v1/sites/oslo/costs/{month}")).await["cost_price"];
    assert_eq!(state["waits_for"], "nobody has entered the costs of this month", "{state}");

    // The costs alone do not make a price: 8 NOK for every hour of the month.
    let entered = plant.costs(&month, &(hours * 8).to_string()).await;
    assert_eq!((entered.status, &entered.json()["state"]), (200, &json!("waiting")), "{entered:?}");
    // Nor do the values without the last day, which are taken all the same.
    let most = plant.taken(&csv(from, last_day, |_| "10".to_owned())).await;
    let price = &most["cost_prices"][0];
    assert_eq!((&price["site"], &price["state"]), (&json!("oslo"), &json!("waiting")), "{most}");
    let why = price["waits_for"].as_str().unwrap();
    let from_then = last_day.format("%Y-%m-%d").to_string();
    assert!(why.contains(POINT) && why.contains("has no values from") && why.contains(&from_then), "{why}");
    assert_eq!(plant.get("/api/v1/bills").await, json!([]));

    // 10 kWh an hour for 8 NOK: 0.80 a kWh, and 1.00 with its VAT.
    let rest = plant.taken(&csv(last_day, until, |_| "10.000".to_owned())).await;
    let price = &rest["cost_prices"][0];
    assert_eq!((&price["net"], &price["with_vat"]), (&json!("0.8"), &json!("1")), "{rest}");
    assert_eq!(price["energy_kwh"], (hours * 10).to_string(), "{rest}");
    let bills = plant.until("/api/v1/bills", |all| !all.as_array().unwrap().is_empty()).await;
    // 0.2 kWh at 1.00 and 0.25.
    assert_eq!(bills[0]["total"], "0.25", "{bills}");

    // The same file again says nothing new.
    let again = plant.taken(&csv(last_day, until, |_| "10".to_owned())).await;
    assert_eq!((&again["receipt"], &again["series"][0]["replaced"]), (&Value::Null, &json!(0)), "{again}");
    assert_eq!(again["series"][0]["same"], (until - last_day).num_hours(), "{again}");

    // A correction: the first hour took as much as all others and itself. The value before stays, and the bill is told of.
    let more = (hours * 10 + 10).to_string();
    let corrected = plant.taken(&csv(from, from + chrono::TimeDelta::hours(1), |_| more.clone())).await;
    assert_eq!((&corrected["series"][0]["replaced"], &corrected["series"][0]["new"]), (&json!(1), &json!(0)));
    assert_eq!(corrected["cost_prices"][0]["with_vat"], "0.5", "{corrected}");
    let span = format!(
        "from={}&until={}",
        from.with_timezone(&Utc).format("%FT%TZ"),
        (from + chrono::TimeDelta::hours(1)).with_timezone(&Utc).format("%FT%TZ")
    );
    let values = plant.get(&format!("/api/v1/meter-points/{POINT}/values?{span}&history=true")).await;
    let shown: Vec<_> = values
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["kwh"].clone(), one["replaced_by"].clone()))
        .collect();
    assert_eq!(shown, [(json!("10"), corrected["receipt"].clone()), (json!(more), Value::Null)], "{values}");
    let told = plant
        .until("/api/v1/incidents?open=true", |all| {
            all.as_array().unwrap().iter().any(|one| one["kind"] == "feed.changed")
        })
        .await;
    let told = told.as_array().unwrap().iter().find(|one| one["kind"] == "feed.changed").unwrap().clone();
    assert!(told["subject"].as_str().unwrap().starts_with("cost price"), "{told}");

    // The bill was made from what was known then, and still comes out of it.
    let house = plant.gateway.house.clone();
    let billing = Billing::new(plant.gateway.store.clone(), house.clone(), house, Options::default());
    let bill = bills[0]["id"].as_str().unwrap();
    assert_eq!(billing.verify(&main(), bill).await.unwrap(), Verdict::Same);
    // What it would be now, and the order for it.
    let session = bills[0]["session"].as_str().unwrap();
    let path = format!("/api/v1/sessions/{session}/correction");
    assert_eq!(plant.get(&path).await["difference"], "-0.10");
    let ordered =
        plant.ask("POST", &path, "application/json", r#"{"reason":"the meter was read again"}"#).await;
    assert_eq!(ordered.status, 201, "{ordered:?}");
    assert_eq!(ordered.json()["total"], "-0.10");

    // Costs that were entered wrongly: what was said first stays in the list.
    let entered = plant.costs(&month, &(hours * 16).to_string()).await;
    assert_eq!(entered.json()["with_vat"], "1", "{entered:?}");
    let said = plant.get(&format!("/api/v1/sites/oslo/costs/{month}")).await;
    assert_eq!(said["said"].as_array().unwrap().len(), 2, "{said}");
    assert_eq!(said["said"][0]["costs"][0]["net"], (hours * 8).to_string(), "{said}");
    plant.gateway.server.stop().await;
}
both!(a_bill_waits_for_the_cost_price_of_its_month);

async fn a_site_that_gets_its_metering_point_later_has_its_cost_price_then(place: Place) {
    // The meter of somebody else's.
    let plant = Plant::with(&place, &SET_UP.replace(POINT, "707057500099999999")).await;
    let last = Month::last();
    plant.charge_before(last.noon(), 60, 200).await;
    let Month { name: month, from, until, .. } = last;
    plant.costs(&month, &((until - from).num_hours() * 8).to_string()).await;
    let taken = plant.taken(&csv(from, until, |_| "10".to_owned())).await;
    assert_eq!(taken["cost_prices"], json!([]), "{taken}");
    let state = &plant.get(&format!("/api/v1/sites/oslo/costs/{month}")).await["cost_price"];
    assert!(state["waits_for"].as_str().unwrap().contains("707057500099999999"), "{state}");
    plant.waits().await;
    assert_eq!(plant.get("/api/v1/bills").await, json!([]));

    write(&place.dir.path().join("setup"), &[("takst.toml", SET_UP)]);
    let bills = plant.until("/api/v1/bills", |all| !all.as_array().unwrap().is_empty()).await;
    assert_eq!(bills[0]["total"], "0.25", "{bills}");
    plant.gateway.server.stop().await;
}
both!(a_site_that_gets_its_metering_point_later_has_its_cost_price_then);

async fn two_months_that_change_at_once_are_told_of_both(place: Place) {
    let plant = Plant::open(&place).await;
    let day = |month: u32, day: u32| midnight(NaiveDate::from_ymd_opt(2025, month, day).unwrap());
    for month in ["2025-09", "2025-10"] {
        plant.costs(month, "1000").await;
    }
    plant.taken(&csv(day(9, 1), day(11, 1), |_| "10".to_owned())).await;
    // The last hour of one month and the first of the other are read again.
    let hour = chrono::TimeDelta::hours(1);
    let taken = plant.taken(&csv(day(10, 1) - hour, day(10, 1) + hour, |_| "20".to_owned())).await;
    assert_eq!(taken["cost_prices"].as_array().unwrap().len(), 2, "{taken}");
    let all = plant.get("/api/v1/incidents").await;
    let of = |feed: &str| {
        let all = all.as_array().unwrap().iter().filter(|one| one["kind"] == "feed.changed");
        all.filter(|one| one["subject"].as_str().unwrap().starts_with(feed)).count()
    };
    assert_eq!((of("cost price oslo "), of("cost price including VAT oslo ")), (2, 2), "{all:#}");
    plant.gateway.server.stop().await;
}
both!(two_months_that_change_at_once_are_told_of_both);

async fn costs_in_a_wrong_currency_can_be_put_right(place: Place) {
    let plant = Plant::open(&place).await;
    let last = Month::last();
    let noon = last.noon();
    let Month { name: month, from, until, .. } = last;
    let path = format!("/api/v1/sites/oslo/costs/{month}");
    plant.taken(&csv(from, until, |_| "10".to_owned())).await;
    let net = ((until - from).num_hours() * 8).to_string();
    for currency in ["SEK", "NOK"] {
        let body = json!({
            "currency": currency, "costs": [{ "label": "all", "net": net, "vat_rate": "25" }], "reason": "as on the invoices",
        });
        let entered = plant.ask("PUT", &path, "application/json", &body.to_string()).await;
        assert_eq!((entered.status, &entered.json()["currency"]), (200, &json!(currency)), "{entered:?}");
    }
    plant.charge_before(noon, 60, 200).await;
    let bills = plant.until("/api/v1/bills", |all| !all.as_array().unwrap().is_empty()).await;
    assert_eq!((&bills[0]["total"], &bills[0]["currency"]), (&json!("0.25"), &json!("NOK")), "{bills}");
    plant.gateway.server.stop().await;
}
both!(costs_in_a_wrong_currency_can_be_put_right);

async fn costs_are_in_the_currency_of_the_sites_own_tariffs(place: Place) {
    // Most tariffs of the organisation are in euro.
    let others: String = ["one", "two", "three"]
        .map(|name| format!("[[site]]\nid = \"{name}\"\nname = \"N\"\ntime_zone = \"Europe/Oslo\"\nseller = \"e\"\n\n[[tariff]]\nfile = \"{name}.tariff\"\nsite = \"{name}\"\n\n"))
        .concat();
    // Two sites without tariffs: one of the same seller, one of the other; and one with both currencies.
    let bare = |id: &str, seller: &str| {
        format!(
            "[[site]]\nid = \"{id}\"\nname = \"N\"\ntime_zone = \"Europe/Oslo\"\nseller = \"{seller}\"\n\n"
        )
    };
    let set_up = format!(
        "{SET_UP}\n[[seller]]\nid = \"e\"\nname = \"E\"\n\n[[seller]]\nid = \"m\"\nname = \"M\"\n\n{others}{}{}{}[[tariff]]\nfile = \"cost.tariff\"\nsite = \"mixed\"\ngroup = \"g\"\n\n[[group]]\nid = \"g\"\nname = \"G\"\n\n[[tariff]]\nfile = \"one.tariff\"\nsite = \"mixed\"\n",
        bare("bare", "s"),
        bare("bare-e", "e"),
        bare("mixed", "m"),
    );
    let euro = TARIFF.replace("NOK", "EUR");
    let folder = place.dir.path().join("setup");
    for name in ["one", "two", "three"] {
        let file = format!("{name}.tariff");
        write(&folder, &[(&file, &euro.replace("Cost", name))]);
    }
    let plant = Plant::with(&place, &set_up).await;
    let body = r#"{"reason":"the invoices","costs":[{"label":"Power","net":"1","vat_rate":"25"}]}"#;
    let said = async |site: &str| {
        let path = format!("/api/v1/sites/{site}/costs/2025-10");
        let came = plant.ask("PUT", &path, "application/json", body).await;
        if came.status != 200 {
            return came.body;
        }
        plant.get(&path).await["said"][0]["currency"].as_str().unwrap().to_owned()
    };
    for (site, currency) in [("oslo", "NOK"), ("one", "EUR"), ("bare", "NOK"), ("bare-e", "EUR")] {
        assert_eq!(said(site).await, currency, "{site}");
    }
    let mixed = said("mixed").await;
    assert!(mixed.contains("EUR and NOK") && mixed.contains("say the `currency`"), "{mixed}");
    plant.gateway.server.stop().await;
}
both!(costs_are_in_the_currency_of_the_sites_own_tariffs);

async fn what_cannot_be_is_refused_and_changes_nothing(place: Place) {
    let plant = Plant::open(&place).await;
    let day = midnight(NaiveDate::from_ymd_opt(2025, 10, 26).unwrap());
    let next = midnight(NaiveDate::from_ymd_opt(2025, 10, 27).unwrap());
    // The day on which the clock goes back has 25 hours.
    let taken = plant.taken(&csv(day, next, |place| format!("{}.5", place + 1))).await;
    assert_eq!(taken["series"][0]["new"], 25, "{taken}");
    let known = plant.get("/api/v1/meter-points").await;
    assert_eq!((&known[0]["values"], &known[0]["sites"]), (&json!(25), &json!(["oslo"])), "{known}");

    let refused = |came: &Came, parts: &[&str]| {
        assert_eq!(came.status, 422, "{came:?}");
        assert!(parts.iter().all(|part| came.body.contains(part)), "{came:?}");
    };
    // A quarter of an hour that is known as a whole, though the file would be right by itself.
    let quarter = "Fra,Til,KWH 15 Forbruk\n2025-10-26T00:00:00+02:00,2025-10-26T00:15:00+02:00,1\n";
    refused(&plant.file(quarter).await, &["known as a whole", POINT]);
    // All four quarters of it are more than the hour: they take its place.
    let quarters: String = (0..4)
        .map(|quarter| {
            let time = |quarter: i64| (day + chrono::TimeDelta::minutes(15 * quarter)).to_rfc3339();
            format!("{},{},0.{quarter}\n", time(quarter), time(quarter + 1))
        })
        .collect();
    let taken = plant.taken(&format!("Fra,Til,KWH 15 Forbruk\n{quarters}")).await;
    assert_eq!(taken["series"][0]["replaced"], 4, "{taken}");
    // The plugin's own words, with the line.
    refused(&plant.file("Fra,Til,KWH 60 Forbruk\nsomething\n").await, &["line 2", "elhub"]);
    refused(&plant.file("").await, &["line 1"]);
    let fetch = json!({ "point": POINT, "from": "2025-10-26T00:00:00Z", "until": "2025-10-27T00:00:00Z" });
    let came = plant.ask("POST", "/api/v1/meter-values/fetch", "application/json", &fetch.to_string()).await;
    refused(&came, &["give it files"]);
    let none = plant.ask("POST", "/api/v1/meter-values?plugin=other", "text/csv", "x").await;
    assert_eq!(none.status, 409, "{none:?}");
    // Nothing of all that was kept.
    assert_eq!(plant.get("/api/v1/meter-points").await[0]["values"], 28);
    assert_eq!(plant.get("/api/v1/meter-values").await.as_array().unwrap().len(), 2);
    for (month, net, part) in [("2025-13", "1", "2025-13"), ("2025-10", "many", "many")] {
        let came = plant.costs(month, net).await;
        assert!(came.status == 400 && came.body.contains(part), "{came:?}");
    }
    let strange = plant
        .ask(
            "PUT",
            "/api/v1/sites/bergen/costs/2025-10",
            "application/json",
            r#"{"reason":"the invoices","costs":[{"label":"Power","net":"1","vat_rate":"25"}]}"#,
        )
        .await;
    assert_eq!(strange.status, 404, "{strange:?}");
    plant.gateway.server.stop().await;
}
both!(what_cannot_be_is_refused_and_changes_nothing);

async fn values_go_out_through_the_plugin(place: Place) {
    let plant = Plant::open(&place).await;
    let day = midnight(NaiveDate::from_ymd_opt(2025, 3, 30).unwrap());
    let next = midnight(NaiveDate::from_ymd_opt(2025, 3, 31).unwrap());
    plant.taken(&csv(day, next, |place| format!("{}.25", place + 1))).await;
    let span = "from=2025-03-29T23:00:00Z&until=2025-03-30T22:00:00Z";
    // The day on which the clock goes forward has 23 hours; a file that was written reads as the same values.
    for form in ["min-side", "min-side-local", "collected-data", "json"] {
        let settings = if form == "collected-data" { 422 } else { 200 };
        let path = format!("/api/v1/meter-points/{POINT}/file?form={form}&{span}");
        let file = plant.ask("GET", &path, "application/json", "").await;
        assert_eq!(file.status, settings, "{file:?}");
        if settings == 200 {
            assert!(file.head.to_lowercase().contains("content-disposition: attachment"), "{file:?}");
            let again = plant.taken(&file.body).await;
            assert_eq!(
                (&again["series"][0]["same"], &again["receipt"]),
                (&json!(23), &Value::Null),
                "{again}"
            );
        }
    }
    // What cars took, by the hour, adds up to what they took.
    plant.charge().await;
    plant.until("/api/v1/sessions", |all| all[0]["energy_kwh"] == "0.2").await;
    let hour = Utc::now().timestamp_millis().div_euclid(3_600_000) * 3_600_000;
    let time = |ms: i64| DateTime::from_timestamp_millis(ms).unwrap().format("%FT%TZ").to_string();
    // Of the hour that runs there is nothing yet; a quarter-hour before or now.
    let path = format!(
        "/api/v1/sites/oslo/charging-values?from={}&until={}&minutes=15",
        time(hour - 7_200_000),
        time(hour + 3_600_000)
    );
    let charged = plant.get(&path).await;
    let kwh = |one: &Value| takst_engine::input::decimal(one["kwh"].as_str().unwrap()).unwrap();
    let sum: Decimal = charged["values"].as_array().unwrap().iter().map(kwh).sum();
    assert!(sum <= Decimal::new(2, 1) && !sum.is_sign_negative(), "{charged}");
    assert_eq!(charged["open_sessions"], 0, "{charged}");
    let file = plant.ask("GET", &format!("{path}&form=min-side"), "application/json", "").await;
    assert!(file.status == 200 && file.body.starts_with("Fra,Til,KWH 15 Forbruk"), "{file:?}");
    let odd = plant.ask("GET", &format!("{path}&form=min-side&point=123"), "application/json", "").await;
    assert!(odd.status == 422 && odd.body.contains("18 digits"), "{odd:?}");
    plant.gateway.server.stop().await;
}
both!(values_go_out_through_the_plugin);

async fn a_month_that_runs_has_no_cost_price_and_nobody_measures_what_is_to_come(place: Place) {
    let plant = Plant::open(&place).await;
    let Month { name, from, until, hours } = Month::running();
    plant.costs(&name, &(hours * 8).to_string()).await;
    // A file that was filled up to the end of the month: nothing of it is kept.
    let came = plant.file(&csv(from, until, |_| "10".to_owned())).await;
    assert_eq!(came.status, 422, "{came:?}");
    let now = Utc::now();
    let over = (now.with_timezone(&Oslo) - from).num_hours();
    for part in [
        POINT,
        "nothing of the file was kept",
        "after now, which is",
        &format!(" of {hours} "),
        &now.format("%Y-%m-%dT").to_string(),
    ] {
        assert!(came.body.contains(part), "{part}: {came:?}");
    }
    assert_eq!(plant.get("/api/v1/meter-points").await, json!([]));
    // What is over is taken, and an hour that ends in a few minutes would be; the month has no price for it.
    let past = csv(from, from + chrono::TimeDelta::hours(over), |_| "10".to_owned());
    let waits = |state: &Value| {
        let why = state["waits_for"].as_str().unwrap_or_default();
        assert!(why.contains("the month is not over") && why.contains(&until.to_rfc3339()), "{state}");
    };
    if over > 0 {
        waits(&plant.taken(&past).await["cost_prices"][0]);
    }
    // Nor does it get one from a total of the month that an earlier program took.
    let receipt = MeterReceipt {
        id: "r".to_owned(),
        received_at: Instant(0),
        received_by: "test".to_owned(),
        plugin: "elhub".to_owned(),
        version: "1.0.0".to_owned(),
        source: "file".to_owned(),
    };
    let total = MeterValue {
        point: POINT.to_owned(),
        direction: MeterDirection::Consumption,
        from_at: Instant(from.timestamp_millis()),
        until_at: Instant(until.timestamp_millis()),
        kwh: "1000".to_owned(),
        quality: MeterQuality::Measured,
        receipt: receipt.id.clone(),
        replaced_by: None,
    };
    let unit = async move |tx: &mut Tx| {
        let span = (total.from_at, total.until_at);
        tx.add_meter_receipt(&main(), &receipt).await?;
        tx.replace_meter_values(&main(), (POINT, MeterDirection::Consumption), span, &receipt.id).await?;
        tx.add_meter_values(&main(), std::slice::from_ref(&total)).await
    };
    plant.gateway.store.write(Lane::org(&main()), unit).await.unwrap();
    waits(&plant.get(&format!("/api/v1/sites/oslo/costs/{name}")).await["cost_price"]);
    waits(&plant.costs(&name, "1000").await.json());
    plant.gateway.server.stop().await;
}
both!(a_month_that_runs_has_no_cost_price_and_nobody_measures_what_is_to_come);

async fn sessions_that_took_more_than_the_meters_saw_wait(place: Place) {
    let plant = Plant::open(&place).await;
    let last = Month::last();
    // 6 kWh in an hour, and the meters will say that the whole site took 5.9.
    plant.charge_before(last.noon(), 3_600, 6_000).await;
    plant.waits().await;
    let Month { name, from, until, hours } = Month::last();
    plant.costs(&name, "10").await;
    let mostly = |first: &'static str| move |place: usize| if place == 0 { first } else { "0" }.to_owned();
    let taken = plant.taken(&csv(from, until, mostly("5.9"))).await;
    let why = taken["cost_prices"][0]["waits_for"].as_str().unwrap_or_default();
    assert!(why.contains("took 6 kWh, more than the 5.9 kWh"), "{taken}");
    let told = plant.incident("meters.exceeded", true).await;
    assert_eq!(told["subject"], format!("oslo {name}"), "{told}");
    assert_eq!(plant.get("/api/v1/bills").await, json!([]));
    // In which hours: the hour before noon of the tenth day, in which the meters saw nothing.
    let path = format!("/api/v1/incidents/{}", told["id"].as_str().unwrap());
    let one = plant.get(&path).await;
    let hour = (last.noon() - chrono::TimeDelta::hours(1)).format("%FT%TZ").to_string();
    assert!(one.to_string().contains(&hour) && one.to_string().contains("metered_kwh"), "{one:#}");
    // Another figure that is still too little is told anew.
    plant.taken(&csv(from, from + chrono::TimeDelta::hours(1), mostly("5.999999"))).await;
    let all = plant.incidents("meters.exceeded").await;
    assert_eq!(all.len(), 1, "{all:?}");
    assert!(all[0].to_string().contains("5.999999"), "{all:?}");
    // Corrected: the incident is over, and the bill is made. 6 kWh for 10.00 and its VAT, and 0.25 a kWh.
    let corrected = plant.taken(&csv(from, from + chrono::TimeDelta::hours(1), mostly("6"))).await;
    assert_eq!(corrected["cost_prices"][0]["energy_kwh"], "6", "{corrected}");
    let bills = plant.until("/api/v1/bills", |all| !all.as_array().unwrap().is_empty()).await;
    assert_eq!(bills[0]["total"], "14.00", "{bills}");
    plant.incident("meters.exceeded", false).await;

    // A session that comes later and does not fit any more waits, and so do all others; the bill stays.
    plant.charge_before(last.noon() + chrono::TimeDelta::hours(5), 60, 100).await;
    let told = plant.incident("meters.exceeded", true).await;
    assert!(told.to_string().contains("6.1"), "{told}");
    plant.waits().await;
    let taken = plant.incident("cost-price.taken-back", true).await;
    assert_eq!(taken["subject"], format!("oslo {name}"), "{taken}");
    assert_eq!(plant.get("/api/v1/bills").await.as_array().unwrap().len(), 1);
    // Held back as wrong it is no obstacle: the price is worked out again with the next values.
    let sessions = plant.get("/api/v1/sessions").await;
    let late = sessions.as_array().unwrap().iter().find(|one| one["energy_kwh"] == "0.1").unwrap();
    let path = format!("/api/v1/sessions/{}/never", late["id"].as_str().unwrap());
    let never =
        plant.ask("POST", &path, "application/json", r#"{"reason":"the meter was read wrongly"}"#).await;
    assert!(never.status < 300, "{never:?}");
    assert!(hours > 600);
    let again = plant.costs(&name, "10.00").await;
    assert_eq!(again.json()["state"], "known", "{again:?}");
    plant.incident("meters.exceeded", false).await;
    plant.incident("cost-price.taken-back", false).await;
    plant.gateway.server.stop().await;
}
both!(sessions_that_took_more_than_the_meters_saw_wait);

// The number of a second meter, with its check digit.
const OTHER: &str = "707057500012345688";

async fn a_cost_price_is_taken_back_when_what_it_was_made_from_changes(place: Place) {
    let plant = Plant::open(&place).await;
    let last = Month::last();
    let noon = last.noon();
    let Month { name, from, until, hours } = last;
    let path = format!("/api/v1/sites/oslo/costs/{name}");
    plant.costs(&name, &(hours * 8).to_string()).await;
    let known = plant.taken(&csv(from, until, |_| "10".to_owned())).await;
    assert_eq!(known["cost_prices"][0]["state"], "known", "{known}");

    // The site gets a second meter before any bill was made: there is no price any more, and a bill waits.
    let second = SET_UP.replace(&format!("metering_point = \"{POINT}\"\n"), "").replace(
        "[[charger.connector]]\n",
        &format!("[[charger.connector]]\nmetering_point = \"{POINT}\"\n"),
    );
    let second = second.replace(
        "security = { profile = 0 }\n",
        &format!("security = {{ profile = 0 }}\nmetering_point = \"{OTHER}\"\n"),
    );
    write(&place.dir.path().join("setup"), &[("takst.toml", &second)]);
    let state = plant.until(&path, |state| state["cost_price"]["state"] == "waiting").await;
    assert!(state["cost_price"]["waits_for"].as_str().unwrap().contains(OTHER), "{state}");
    let prices = format!(
        "/api/v1/prices/cost%20price?area=oslo&from={}&until={}",
        from.with_timezone(&Utc).format("%FT%TZ"),
        until.with_timezone(&Utc).format("%FT%TZ")
    );
    plant.until(&prices, |prices| *prices == json!([])).await;
    plant.charge_before(noon, 60, 200).await;
    plant.waits().await;
    assert!(plant.incidents("cost-price.taken-back").await.is_empty());

    // With its first meter alone it is known again, as it was, and the bill is made.
    write(&place.dir.path().join("setup"), &[("takst.toml", SET_UP)]);
    let bills = plant.until("/api/v1/bills", |all| !all.as_array().unwrap().is_empty()).await;
    assert_eq!(bills[0]["total"], "0.25", "{bills}");

    // Now a bill was made with it: it stays, and people are told; what comes later waits.
    write(&place.dir.path().join("setup"), &[("takst.toml", &second)]);
    let told = plant.incident("cost-price.taken-back", true).await;
    assert_eq!(told["subject"], format!("oslo {name}"), "{told}");
    plant.charge_before(noon + chrono::TimeDelta::hours(1), 60, 200).await;
    plant.waits().await;
    assert_eq!(plant.get("/api/v1/bills").await.as_array().unwrap().len(), 1);
    let house = plant.gateway.house.clone();
    let billing = Billing::new(plant.gateway.store.clone(), house.clone(), house, Options::default());
    let bill = bills[0]["id"].as_str().unwrap();
    assert_eq!(billing.verify(&main(), bill).await.unwrap(), Verdict::Same);

    // The values of the second meter: half the price. The bill that waited is made with it, the first one is listed.
    let text = csv(from, until, |_| "10".to_owned());
    let upload = format!("/api/v1/meter-values?name=meteringvalues-{OTHER}.csv");
    let came = plant.ask("POST", &upload, "text/csv", &text).await;
    assert_eq!((came.status, &came.json()["cost_prices"][0]["with_vat"]), (200, &json!("0.5")), "{came:?}");
    let bills = plant.until("/api/v1/bills", |all| all.as_array().unwrap().len() == 2).await;
    let mut totals: Vec<_> = bills.as_array().unwrap().iter().map(|bill| bill["total"].to_string()).collect();
    totals.sort();
    assert_eq!(totals, ["\"0.15\"", "\"0.25\""], "{bills}");
    plant.incident("cost-price.taken-back", false).await;
    plant.incident("feed.changed", true).await;
    let changed = plant.incidents("feed.changed").await;
    let told =
        changed.iter().find(|one| one["subject"].as_str().unwrap().starts_with("cost price including VAT"));
    let id = told.unwrap()["id"].as_str().unwrap().to_owned();
    let correct = format!("/api/v1/incidents/{id}/correct");
    let corrected = plant.ask("POST", &correct, "application/json", r#"{"reason":"a second meter"}"#).await;
    assert!(corrected.status < 300, "{corrected:?}");
    let bills = plant.until("/api/v1/bills", |all| all.as_array().unwrap().len() == 3).await;
    assert!(bills.as_array().unwrap().iter().any(|bill| bill["total"] == "-0.10"), "{bills}");
    plant.gateway.server.stop().await;
}
both!(a_cost_price_is_taken_back_when_what_it_was_made_from_changes);
