//! A whole gateway with a provider: a session becomes a bill, the bill is paid, and all of it is seen and decided through the API.

use crate::billing_support::{plain, rows};
use crate::fake::{Fake, Installed, Mode};
use crate::store_support::{at, run};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;
use takst_engine::session as engine;
use takst_gateway::api::Role;
use takst_gateway::api::access::new_key;
use takst_gateway::gateway::{Gateway, Given, Plan};
use takst_gateway::house::Source;
use takst_gateway::store::*;
use takst_gateway::{live, serve};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const SET_UP: &str = r#"
[[seller]]
id = "koti"
name = "Koti"
bill_series = "K-"
payments = "fake"

[[site]]
id = "otakaari-5"
name = "Otakaari"
time_zone = "Europe/Helsinki"
seller = "koti"

[[seller]]
id = "ranta"
name = "Ranta"
bill_series = "R-"

[[site]]
id = "rantatie-1"
name = "Rantatie"
time_zone = "Europe/Helsinki"
seller = "ranta"

[[driver]]
id = "d-1"
instrument = "card-d-1"

[[driver]]
id = "d-2"

[[tariff]]
file = "flat.tariff"
site = "otakaari-5"
"#;

const TARIFF: &str = "tariff \"Flat\"\n  currency:  EUR\n  time zone: Europe/Helsinki\n  prices:    including VAT\n\nVAT: 24%\n\nenergy: 0.50 EUR/kWh\n";

struct Office {
    gateway: Gateway,
    address: SocketAddr,
    key: String,
    _dir: tempfile::TempDir,
}

fn main() -> OrgId {
    OrgId::new("main")
}

impl Office {
    async fn open(providers: std::sync::Arc<Installed>) -> Self {
        Self::at(tempfile::tempdir().unwrap(), providers).await
    }

    async fn at(dir: tempfile::TempDir, providers: std::sync::Arc<Installed>) -> Self {
        let folder = dir.path().join("setup");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("takst.toml"), SET_UP).unwrap();
        std::fs::write(folder.join("flat.tariff"), TARIFF).unwrap();
        let listen = vec!["127.0.0.1:0".parse().unwrap()];
        let plan = Plan {
            data: dir.path().join("data"),
            database: None,
            source: Source::Path(folder),
            options: serve::Options { listen, ..serve::Options::default() },
            open: false,
            live: live::Options::default(),
        };
        let given = Given { providers: Some(providers), ..Given::default() };
        let gateway = plan.start_with(given).await.unwrap();
        let address = gateway.server.addresses()[0];
        let mut office = Self { gateway, address, key: String::new(), _dir: dir };
        office.key = office.key_of(Role::Owner).await;
        office
    }

    async fn key_of(&self, role: Role) -> String {
        let (row, key) = new_key("test", role, "test").unwrap();
        let unit = async move |tx: &mut Tx| tx.add_api_key(&main(), &row).await;
        self.gateway.store.write(Lane::org(&main()), unit).await.unwrap();
        key
    }

    // One of a charger, and one of a payment.
    async fn trouble(&self, payment: &str) {
        let payment = payment.to_owned();
        let unit = async move |tx: &mut Tx| {
            for (charger, subject, kind) in
                [(Some("C1".to_owned()), "C1", "faulted"), (None, payment.as_str(), "payment.return")]
            {
                let incident = Incident {
                    id: new_id(),
                    charger,
                    subject: subject.to_owned(),
                    kind: kind.to_owned(),
                    severity: "error".to_owned(),
                    opened_at: at(0),
                    closed_at: None,
                    document: json!({ "debtor": "driver:d-1" }).to_string(),
                };
                tx.open_incident(&main(), &incident).await?;
            }
            Ok(())
        };
        self.gateway.store.write(Lane::org(&main()), unit).await.unwrap();
    }

    async fn ask(&self, key: &str, method: &str, path: &str, body: Value) -> (u16, Value) {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let head = format!(
            "{method} /api{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        let mut stream = tokio::net::TcpStream::connect(self.address).await.unwrap();
        stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, serde_json::from_str(body).unwrap_or_default())
    }

    async fn get(&self, path: &str) -> Value {
        let (status, body) = self.ask(&self.key, "GET", path, Value::Null).await;
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        self.ask(&self.key, "POST", path, body).await
    }

    // A session that is over and due, as the desk leaves it.
    async fn session(&self, id: &str, driver: &str) {
        let version =
            self.gateway.store.read().await.unwrap().tariffs(&main()).await.unwrap()[0].version.clone();
        let text = plain(driver, "5", "2023-09-25T10:00:00Z", 3);
        let (stored, parts) = rows(&engine::Session::from_json(&text).unwrap(), &text, &version, id, true);
        let unit = async move |tx: &mut Tx| {
            tx.add_session(&main(), &stored).await?;
            tx.put_readings(&main(), &stored.id, &parts.readings).await?;
            tx.log_event(&main(), crate::store_support::event("session.ended", &stored.id));
            Ok(())
        };
        self.gateway.store.write(Lane::org(&main()), unit).await.unwrap();
    }

    async fn until(&self, path: &str, so: impl Fn(&Value) -> bool) -> Value {
        for _ in 0..400 {
            let (_, body) = self.ask(&self.key, "GET", path, Value::Null).await;
            if so(&body) {
                return body;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{path}: {}", self.get(path).await)
    }
}

#[test]
fn after_a_restore_nothing_is_billed_or_charged_before_somebody_says_so() {
    run(async {
        let fake = Fake::scripted(&[]);
        let office = Office::open(Installed::of(&fake)).await;
        let unit = async move |tx: &mut Tx| tx.raise(&main(), RESTORED, &json!({}), at(0)).await;
        office.gateway.store.write(Lane::org(&main()), unit).await.unwrap();
        let Office { gateway, _dir: dir, .. } = office;
        gateway.server.stop().await;
        let office = Office::at(dir, Installed::of(&fake)).await;
        office.session("a", "d-1").await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        let session = office.get("/v1/sessions/a").await;
        assert_eq!((&session["bills"], &session["billing"]), (&json!([]), &json!("due")), "{session}");
        assert_eq!(fake.truth().calls, 0);
        let reason = json!({ "reason": "nothing was charged since the backup" });
        let key = office.key_of(Role::Support).await;
        assert_eq!(office.ask(&key, "POST", "/v1/outbox-resume", reason.clone()).await.0, 403);
        assert_eq!(office.post("/v1/outbox-resume", reason.clone()).await.0, 204);
        assert_eq!(office.post("/v1/outbox-resume", reason).await.0, 409);
        office.until("/v1/sessions/a", |body| body["payments"][0]["status"] == "paid").await;
        office.gateway.server.stop().await;
    });
}

#[test]
fn a_session_is_billed_paid_and_seen_through_the_api() {
    run(async {
        let fake = Fake::scripted(&[Mode::Fine, Mode::Decline]);
        let office = Office::open(Installed::of(&fake)).await;
        office.session("a", "d-1").await;
        let session = office.until("/v1/sessions/a", |body| body["payments"][0]["status"] == "paid").await;
        let payment = &session["payments"][0];
        assert_eq!((&payment["amount"], &payment["captured"]), (&json!("3.00"), &json!("3.00")));
        assert_eq!(payment["debtor"], "driver:d-1");
        let bill = session["bills"][0]["id"].as_str().unwrap().to_owned();
        assert_eq!(office.get(&format!("/v1/bills/{bill}/payments")).await, session["payments"]);
        let accounts = office.get("/v1/ledger/accounts?seller=koti").await;
        let told: Vec<String> = accounts
            .as_array()
            .unwrap()
            .iter()
            .map(|row| format!("{} {} {}", row["account"], row["owner"], row["balance"]).replace('"', ""))
            .collect();
        assert_eq!(
            told,
            ["clearing fake 3.00", "receivable driver:d-1 0.00", "revenue  -2.42", "vat VAT 24 -0.58"]
        );
        let entries = office.get(&format!("/v1/ledger/entries?bill={bill}")).await;
        let kinds: Vec<&Value> = entries.as_array().unwrap().iter().map(|entry| &entry["kind"]).collect();
        assert_eq!(kinds, ["payment", "bill"]);

        // Declined: the bill stays unpaid, and is paid by hand later.
        office.session("b", "d-1").await;
        let session = office.until("/v1/sessions/b", |body| body["payments"][0]["status"] == "failed").await;
        assert_eq!(session["payments"][0]["failure"], "the bank said no");
        let unpaid = session["bills"][0]["id"].as_str().unwrap();
        let (status, begun) = office.post(&format!("/v1/bills/{unpaid}/payments"), json!({})).await;
        assert_eq!((status, &begun["status"]), (201, &json!("waiting")), "{begun}");
        // Another seller's provider, or none at all, is not asked for this one's money.
        for (path, body) in [
            (format!("/v1/bills/{unpaid}/payments"), json!({ "plugin": "fakke" })),
            (
                "/v1/drivers/d-1/instruments".to_owned(),
                json!({ "plugin": "fakke", "return_to": "https://me.example" }),
            ),
            (
                "/v1/drivers/d-1/instruments".to_owned(),
                json!({ "plugin": "fakke", "seller": "koti", "return_to": "https://me.example" }),
            ),
        ] {
            let (status, refused) = office.post(&path, body).await;
            assert_eq!(status, 409, "{path} {refused}");
            assert!(refused["title"].as_str().unwrap().starts_with("`fakke` takes no payments"), "{refused}");
        }
        assert_eq!(
            office
                .get("/v1/outbox")
                .await
                .as_array()
                .unwrap()
                .iter()
                .filter(|row| row["plugin"] == "fakke")
                .count(),
            0
        );
        let saved = json!({ "seller": "koti", "return_to": "https://me.example" });
        let (status, saved) = office.post("/v1/drivers/d-9/instruments", saved).await;
        assert_eq!((status, &saved["plugin"]), (201, &json!("fake")), "{saved}");
        let id = begun["id"].as_str().unwrap();
        let shown =
            office.until(&format!("/v1/payments/{id}"), |body| body["status"] == "action-needed").await;
        assert_eq!(shown["next"], "https://pay.example/3ds");
        let (status, body) =
            office.post(&format!("/v1/payments/{id}/cancel"), json!({ "reason": "he went away" })).await;
        assert_eq!(status, 202, "{body}");
        office.until(&format!("/v1/payments/{id}"), |body| body["status"] == "cancelled").await;

        // Without a card nothing is charged.
        office.session("c", "d-2").await;
        let session = office.until("/v1/sessions/c", |body| body["billing"] == "billed").await;
        assert_eq!(session.get("payments"), None);

        // Decisions, and who may make them.
        let done = office.get("/v1/outbox?state=done").await;
        let row = done[0]["id"].as_str().unwrap().to_owned();
        let reason = json!({ "reason": "to see what happens" });
        let (status, body) = office.post(&format!("/v1/outbox/{row}/retry"), reason.clone()).await;
        assert_eq!((status, &body["title"]), (409, &json!("it is over already")));
        assert_eq!(office.post(&format!("/v1/outbox/{row}/retry"), json!({ "reason": "-" })).await.0, 400);
        for (role, path, wanted) in [
            (Role::Vendor, "/v1/ledger/accounts", 403),
            (Role::Vendor, "/v1/payments", 403),
            (Role::ReadOnly, "/v1/outbox", 200),
        ] {
            let key = office.key_of(role).await;
            assert_eq!(office.ask(&key, "GET", path, Value::Null).await.0, wanted, "{role:?} {path}");
        }
        // A maker of chargers sees what is wrong with those, and nothing of money.
        let paid = payment["id"].as_str().unwrap().to_owned();
        office.trouble(&paid).await;
        let seen = async |role: Role, open: &str| {
            let key = office.key_of(role).await;
            let (_, rows) = office.ask(&key, "GET", &format!("/v1/incidents{open}"), Value::Null).await;
            let mut kinds: Vec<String> =
                rows.as_array().unwrap().iter().map(|row| row["kind"].as_str().unwrap().to_owned()).collect();
            kinds.sort();
            (key, kinds, rows)
        };
        for open in ["", "?open=true"] {
            let (_, kinds, rows) = seen(Role::ReadOnly, open).await;
            assert_eq!(kinds, ["faulted", "payment.return"], "{open}");
            let (key, kinds, _) = seen(Role::Vendor, open).await;
            assert_eq!(kinds, ["faulted"], "{open}");
            for row in rows.as_array().unwrap() {
                let wanted = if row["kind"] == "faulted" { 200 } else { 404 };
                let id = row["id"].as_str().unwrap();
                assert_eq!(
                    office.ask(&key, "GET", &format!("/v1/incidents/{id}"), Value::Null).await.0,
                    wanted
                );
                let wanted = if row["kind"] == "faulted" { 200 } else { 400 };
                let after = format!("/v1/incidents?after={id}");
                assert_eq!(office.ask(&key, "GET", &after, Value::Null).await.0, wanted);
            }
        }
        let key = office.key_of(Role::Support).await;
        let path = format!("/v1/outbox/{row}/give-up");
        assert_eq!(office.ask(&key, "POST", &path, reason.clone()).await.0, 403);

        // Money to the bank.
        let settlement = json!({
            "kind": "settlement", "seller": "koti", "owner": "fake", "currency": "EUR", "amount": "3.00", "fee": "0.09", "reference": "po_1",
        });
        // What nobody knows is no account, and an amount is one.
        for (key, value, words) in [
            ("seller", "kotti", "there is no seller `kotti`"),
            ("owner", "fakke", "`koti` is not paid through `fakke`"),
            ("amount", "0.00", "not more than nothing"),
            ("amount", "-3.00", "not more than nothing"),
            ("fee", "-0.09", "between nothing and the `amount`"),
            ("fee", "3.01", "between nothing and the `amount`"),
            ("kind", "gift", "`gift` is not booked by hand"),
        ] {
            let mut wrong = settlement.clone();
            wrong[key] = value.into();
            let (status, body) = office.post("/v1/ledger/entries", wrong).await;
            assert!(status == 400 && body.to_string().contains(words), "{key} {value}: {status} {body}");
        }
        let payout = json!({
            "kind": "payout", "seller": "koti", "owner": "otakaari-5", "currency": "EUR", "amount": "1.00", "reference": "out_1",
        });
        for (key, value, words) in [
            ("owner", "nowhere", "`nowhere` is no site of `koti`"),
            ("owner", "rantatie-1", "`rantatie-1` is no site of `koti`"),
            ("seller", "ranta", "`otakaari-5` is no site of `ranta`"),
        ] {
            let mut wrong = payout.clone();
            wrong[key] = value.into();
            let (status, body) = office.post("/v1/ledger/entries", wrong).await;
            assert!(status == 400 && body.to_string().contains(words), "{key} {value}: {status} {body}");
        }
        assert_eq!(office.get("/v1/ledger/entries").await.as_array().unwrap().len(), 4);
        assert_eq!(office.post("/v1/ledger/entries", payout).await.0, 201);
        assert_eq!(office.post("/v1/ledger/entries", settlement.clone()).await.0, 201);
        assert_eq!(office.post("/v1/ledger/entries", settlement).await.0, 200);
        let bank = office.get("/v1/ledger/accounts?account=bank").await;
        assert_eq!(bank[0]["balance"], "1.91");
        let booked = office.get("/v1/ledger/entries?account=bank").await;
        let settled = booked.as_array().unwrap().iter().find(|entry| entry["kind"] == "settlement").unwrap();
        let path = format!("/v1/ledger/entries/{}/reverse", settled["id"].as_str().unwrap());
        assert_eq!(office.post(&path, reason.clone()).await.0, 204);
        let paid = office.get("/v1/ledger/entries?account=clearing").await;
        let of_payment = paid.as_array().unwrap().iter().find(|entry| entry["kind"] == "payment").unwrap();
        let path = format!("/v1/ledger/entries/{}/reverse", of_payment["id"].as_str().unwrap());
        assert_eq!(office.post(&path, reason).await.0, 409);
        let (_, checked) = office.post("/v1/ledger/check", Value::Null).await;
        assert_eq!(checked["faults"], json!([]));

        let all = office.get("/v1/ledger/entries").await.as_array().unwrap().len();
        assert_eq!(all, 7);
        let plugins = office.get("/v1/outbox-plugins").await;
        assert_eq!((&plugins[0]["plugin"], &plugins[0]["breaker"]), (&json!("fake"), &json!("open")));
        office.gateway.server.stop().await;
    });
}
