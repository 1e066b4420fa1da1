//! What programs and browsers meet: pieces of lists, problems in one form, headers that guard pages, bills that wait for a decision.

use crate::office::{MAIN, Office, flat, now, org, run, until};
use crate::plug::{Plug, raw};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use takst_engine::units::{Energy, Instant};
use takst_gateway::api::Role;
use takst_gateway::store::{
    Billing, Command, CommandStatus, Incident, Intent, IntentKind, IntentState, Invoice, InvoiceKind,
    InvoiceStatus, InvoiceWay, Lane, Payment, PaymentStatus, Reading, Reminder, Session, SessionStatus, Tx,
    new_id,
};

/// The head and body of an answer.
async fn fetch(office: &Office, method: &str, path: &str, more: &str, body: &[u8]) -> (String, String) {
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {}\r\nContent-Length: {}\r\n{more}\r\n",
        office.owner,
        body.len()
    );
    let answer = raw(office.address, &[head.as_bytes(), body].concat()).await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

async fn session(office: &Office, number: i64) -> Session {
    let tariffs = office.get("/v1/tariffs").await;
    let begin = Instant(now().0 - 86_400_000 + number * 60_000);
    let end = Instant(begin.0 + 1_800_000);
    let row = Session {
        site: Some("oslo".to_owned()),
        connector: Some(1),
        token: Some("CARD".to_owned()),
        driver: Some("d-1".to_owned()),
        contract: Some("direct".to_owned()),
        transaction_ref: Some(number.to_string()),
        started_at: Some(begin),
        charging_started: Some(begin),
        charging_ended: Some(end),
        stopped_at: Some(end),
        unplugged: Some(end),
        status: SessionStatus::Ended,
        energy: Some(Energy(10_000_000)),
        last_reading_at: Some(end),
        seller: Some("s".to_owned()),
        tariff_name: Some("Flat".to_owned()),
        tariff_version: Some(tariffs[0]["version"].as_str().unwrap().to_owned()),
        currency: Some("NOK".to_owned()),
        billing: Billing::Due,
        updated_at: end,
        ..Session::begun(&new_id(), ("O-1", 1), begin, begin)
    };
    let stored = row.clone();
    let unit = async move |tx: &mut Tx| {
        tx.add_session(&org(), &stored).await?;
        let reading = |seq, at, kwh: i64| Reading {
            seq,
            at,
            received_at: at,
            imported: Energy(kwh * 1_000_000),
            exported: None,
            segment: 0,
            context: None,
        };
        tx.put_readings(&org(), &stored.id, &[reading(0, begin, 0), reading(1, end, 10)]).await
    };
    office.gateway.store.write(Lane::charger(&org(), "O-1"), unit).await.unwrap();
    row
}

/// A late stop says that it was one kWh more.
async fn late(office: &Office, session: &Session) {
    let id = session.id.clone();
    let at = Instant(session.unplugged.unwrap().0);
    let unit = async move |tx: &mut Tx| {
        let mut row = tx.session(&org(), &id).await?.unwrap();
        row.billing = Billing::Due;
        row.energy = Some(Energy(11_000_000));
        row.updated_at = Instant(row.updated_at.0 + 1);
        let reading = Reading {
            seq: 1,
            at,
            received_at: at,
            imported: Energy(11_000_000),
            exported: None,
            segment: 0,
            context: None,
        };
        tx.put_readings(&org(), &id, &[reading]).await?;
        tx.update_session(&org(), &row).await
    };
    office.gateway.store.write(Lane::charger(&org(), "O-1"), unit).await.unwrap();
}

#[test]
fn a_bill_that_would_be_another_one_waits_for_a_person() {
    run(async {
        let office = Office::open().await;
        let (one, other) = (session(&office, 1).await, session(&office, 2).await);
        let path = |session: &Session, more: &str| format!("/v1/sessions/{}/correction{more}", session.id);
        let bills = async |session: &Session| {
            let shown = office.get(&format!("/v1/sessions/{}", session.id)).await;
            shown["bills"].as_array().unwrap().clone()
        };
        until("both are billed", async || bills(&one).await.len() + bills(&other).await.len() == 2).await;
        let first = office.get(&path(&one, "")).await;
        assert_eq!((&first["billed"], &first["difference"]), (&json!("20.00"), &json!("0")), "{first}");
        assert!(first.get("correction").is_none() && first.get("waits_since").is_none(), "{first}");
        // Nothing waits, and there is nothing to correct.
        let why = json!({"reason": "as measured"});
        for more in ["", "/dismiss"] {
            assert_eq!(office.ask("POST", &path(&one, more), why.clone()).await.status, 409, "{more}");
        }

        late(&office, &one).await;
        late(&office, &other).await;
        until("both wait", async || {
            let (one, other) = (office.get(&path(&one, "")).await, office.get(&path(&other, "")).await);
            one.get("waits_since").is_some() && other.get("waits_since").is_some()
        })
        .await;
        let shown = office.get(&path(&one, "")).await;
        assert_eq!((&shown["billed"], &shown["difference"]), (&json!("20.00"), &json!("2.00")), "{shown}");
        assert_eq!(shown["correction"]["charges"][0]["amount"], "2.00", "{shown}");
        assert!(shown["why"].as_str().unwrap().contains("2.00"), "{shown}");
        assert_eq!(bills(&one).await.len(), 1, "asking issues nothing");
        let (_, page) = fetch(&office, "GET", "/", "", b"").await;
        assert!(page.contains(&format!("/api{}", path(&one, ""))), "{page}");

        // Who only looks does not decide, and a reason is words.
        let viewer = office.key(Role::ReadOnly).await;
        let as_viewer = office.ask_as(&viewer, "POST", &path(&one, ""), &why.to_string(), None).await;
        assert_eq!(as_viewer.status, 403);
        assert_eq!(office.ask("POST", &path(&one, ""), json!({"reason": " . "})).await.status, 400);

        let corrected = office.ask("POST", &path(&one, ""), why.clone()).await;
        assert_eq!((corrected.status, &corrected.body["kind"]), (201, &json!("correction")), "{corrected:?}");
        assert_eq!((&corrected.body["total"], bills(&one).await.len()), (&json!("2.00"), 2));
        assert_eq!(office.ask("POST", &path(&one, ""), why.clone()).await.status, 409, "once");
        let after = office.get(&path(&one, "")).await;
        assert_eq!((&after["billed"], &after["difference"]), (&json!("22.00"), &json!("0")));

        assert_eq!(office.ask("POST", &path(&other, "/dismiss"), why.clone()).await.status, 204);
        assert_eq!(bills(&other).await.len(), 1);
        let after = office.get(&path(&other, "")).await;
        assert_eq!((&after["difference"], after.get("waits_since")), (&json!("2.00"), None));
        assert_eq!(office.get("/v1/incidents?open=true").await, json!([]));
        let told = office.told().await;
        for what in ["bill.correct", "bill.dismiss"] {
            assert!(told.iter().any(|line| line.starts_with(&format!("owner {what} "))), "{told:?}");
        }
        let missing = office.ask("GET", "/v1/sessions/nobody/correction", Value::Null).await;
        assert_eq!(missing.status, 404);

        // Money back: a charge of one, all of the other.
        let refund = |session: &Session| format!("/v1/sessions/{}/refund", session.id);
        let of = |charges: Value| json!({"reason": "the charger was broken", "charges": charges});
        assert_eq!(
            office
                .ask_as(&viewer, "POST", &refund(&one), &of(json!(["energy"])).to_string(), None)
                .await
                .status,
            403
        );
        assert_eq!(office.ask("POST", &refund(&one), of(json!([]))).await.status, 400);
        let unknown = office.ask("POST", &refund(&one), of(json!(["energi"]))).await;
        assert_eq!(unknown.status, 409, "{unknown:?}");
        assert!(unknown.body.to_string().contains("did you mean `energy`"), "{unknown:?}");
        let back = office.ask("POST", &refund(&one), of(json!(["energy"]))).await;
        assert_eq!(
            (back.status, &back.body["kind"], &back.body["total"]),
            (201, &json!("correction"), &json!("-22.00"))
        );
        let twice = office.ask("POST", &refund(&one), json!({"reason": "again"})).await;
        assert_eq!(twice.status, 409);
        assert!(twice.body.to_string().contains("nothing is left to give back"), "{twice:?}");
        // What is refused is not offered either, and in the same words.
        let correction = format!("/v1/sessions/{}/correction", one.id);
        let shown = office.get(&correction).await;
        assert_eq!((&shown["difference"], shown.get("correction")), (&json!("0"), None), "{shown}");
        let hindrance = shown["hindrance"].as_str().unwrap();
        assert!(hindrance.contains("money was given back"), "{shown}");
        let ordered = office.ask("POST", &correction, json!({"reason": "as it should be"})).await;
        assert_eq!(ordered.status, 409, "{ordered:?}");
        assert!(ordered.body.to_string().contains(hindrance), "{ordered:?}");
        let short = office.ask("POST", &correction, json!({"reason": "x1"})).await;
        assert_eq!(short.status, 400, "{short:?}");
        assert!(
            short.body.to_string().contains("too short: it has 2 letters and digits, and needs 3"),
            "{short:?}"
        );
        let all = office.ask("POST", &refund(&other), json!({"reason": "the charger was broken"})).await;
        assert_eq!((all.status, &all.body["total"]), (201, &json!("-20.00")));
        office.gateway.server.stop().await;
    });
}

#[test]
fn bills_with_prices_that_changed_are_corrected_together_or_left() {
    const SPOT: &str = "tariff \"Spot\"
  currency:   NOK
  time zone:  Europe/Oslo
  prices:     including VAT
  valid from: 2020-01-01
  spot area:  NO1

VAT: 25%

energy: spot
";
    run(async {
        let main = MAIN.replace("flat.tariff", "spot.tariff");
        let office = Office::with(&[
            ("takst.toml", &main),
            ("people.toml", crate::office::PEOPLE),
            ("spot.tariff", SPOT),
        ])
        .await;
        let day = now().0 - now().0.rem_euclid(86_400_000) - 2 * 86_400_000;
        let at = |hours: i64| takst_engine::calendar_time::utc_text(Instant(day + hours * 3_600_000));
        let publish = async |price: &str| {
            let rows: Vec<Value> =
                (0..96).map(|hour| json!({"from": at(hour), "to": at(hour + 1), "price": price})).collect();
            let feed = json!({"feed": "spot", "area": "NO1", "unit": "NOK/kWh", "prices": rows});
            let took = office.ask("POST", "/v1/prices/spot?area=NO1", feed).await;
            assert_eq!(took.status, 200, "{took:?}");
        };
        publish("1.00").await;
        let (one, other) = (session(&office, 1).await, session(&office, 2).await);
        let bills = async |session: &Session| {
            let shown = office.get(&format!("/v1/sessions/{}", session.id)).await;
            shown["bills"].as_array().unwrap().clone()
        };
        until("both are billed", async || bills(&one).await.len() + bills(&other).await.len() == 2).await;
        let alert = async |nth: usize| {
            let mut found = Value::Null;
            until("the alert lists the bills", async || {
                let open = office.get("/v1/incidents?open=true").await;
                let Some(incident) =
                    open.as_array().unwrap().iter().find(|one| one["kind"] == "feed.changed")
                else {
                    return false;
                };
                found = office.get(&format!("/v1/incidents/{}", incident["id"].as_str().unwrap())).await;
                let lists = |event: &&Value| {
                    event["kind"] == "bills" && event["about"].as_array().unwrap().len() == nth
                };
                found["history"].as_array().is_some_and(|history| history.iter().any(|event| lists(&event)))
            })
            .await;
            found["id"].as_str().unwrap().to_owned()
        };
        publish("2.00").await;
        let id = alert(2).await;
        let why = json!({"reason": "the exchange published wrong prices"});
        let viewer = office.key(Role::ReadOnly).await;
        let path = |id: &str, what: &str| format!("/v1/incidents/{id}/{what}");
        for what in ["correct", "dismiss"] {
            let denied = office.ask_as(&viewer, "POST", &path(&id, what), &why.to_string(), None).await;
            assert_eq!(denied.status, 403, "{what}");
            assert_eq!(office.ask("POST", &path("nothing", what), why.clone()).await.status, 404, "{what}");
        }
        let done = office.ask("POST", &path(&id, "correct"), why.clone()).await;
        assert_eq!((done.status, &done.body["failed"]), (200, &json!([])), "{done:?}");
        assert_eq!((bills(&one).await.len(), bills(&other).await.len()), (2, 2));
        assert_eq!(office.get("/v1/incidents?open=true").await, json!([]));

        publish("3.00").await;
        let id = alert(2).await;
        assert_eq!(office.ask("POST", &path(&id, "dismiss"), why.clone()).await.status, 204);
        assert_eq!(office.ask("POST", &path(&id, "dismiss"), why).await.status, 409, "once");
        assert_eq!((bills(&one).await.len(), bills(&other).await.len()), (2, 2));
        assert_eq!(office.get("/v1/incidents?open=true").await, json!([]));
        office.gateway.server.stop().await;
    });
}

// For a query: every byte that is not a letter or a digit.
fn encoded(text: &str) -> String {
    let byte = |byte: u8| match byte {
        byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

// A payment that failed, an intent, a reminder and an invoice of each bill.
async fn money(office: &Office) {
    let bills = office.get("/v1/bills").await;
    let bills: Vec<String> =
        bills.as_array().unwrap().iter().map(|bill| bill["id"].as_str().unwrap().to_owned()).collect();
    let unit = async move |tx: &mut Tx| {
        for (number, bill) in (0..).zip(&bills) {
            let at = Instant(1_000_000 + number);
            let payment = Payment {
                id: new_id(),
                bill: bill.clone(),
                session: None,
                seller: "s".to_owned(),
                debtor: "driver:d-1".to_owned(),
                plugin: "stripe".to_owned(),
                currency: "NOK".to_owned(),
                amount: 100,
                status: PaymentStatus::Failed,
                captured: 0,
                refunded: 0,
                theirs: None,
                next: None,
                failure: None,
                created_at: at,
                updated_at: at,
            };
            tx.add_payment(&org(), &payment).await?;
            let intent = Intent {
                id: new_id(),
                source: format!("charge:{number}"),
                kind: IntentKind::Charge,
                idempotency: new_id(),
                debtor: "driver:d-1".to_owned(),
                place: 0,
                plugin: "stripe".to_owned(),
                version: None,
                sha256: None,
                subject: payment.id,
                request: "{}".to_owned(),
                state: IntentState::Failed,
                attempt: 1,
                failures: 0,
                called: true,
                taken: false,
                theirs: None,
                next_at: None,
                since: at,
                code: None,
                detail: None,
                created_at: at,
                created_by: "test".to_owned(),
                updated_at: at,
                finished_at: Some(at),
            };
            tx.add_intent(&org(), &intent).await?;
            let reminder = Reminder {
                id: new_id(),
                token: new_id(),
                debtor: "driver:d-1".to_owned(),
                bills: json!([bill]).to_string(),
                language: "en".to_owned(),
                created_at: at,
                created_by: "test".to_owned(),
                cancelled_at: None,
            };
            tx.add_reminder(&org(), &reminder).await?;
            let invoice = Invoice {
                id: new_id(),
                bill: bill.clone(),
                session: None,
                seller: "s".to_owned(),
                debtor: "driver:d-1".to_owned(),
                number: number.to_string(),
                kind: InvoiceKind::Invoice,
                corrects: None,
                currency: "NOK".to_owned(),
                amount: 100,
                issued: "2026-03-29".to_owned(),
                due: None,
                reference: None,
                terms: "{}".to_owned(),
                status: InvoiceStatus::Printed,
                way: InvoiceWay::Paper,
                reason: None,
                created_at: at,
                updated_at: at,
            };
            tx.add_invoice(&org(), &invoice).await?;
        }
        Ok(())
    };
    office.gateway.store.write(Lane::org(&org()), unit).await.unwrap();
}

#[test]
fn every_long_list_is_read_in_pieces_in_the_same_way() {
    run(async {
        let office = Office::open().await;
        for number in 0..5 {
            session(&office, number).await;
        }
        let unit = async move |tx: &mut Tx| {
            for number in 0..5_i64 {
                tx.add_charger(
                    &org(),
                    &format!("X-{number}"),
                    takst_gateway::store::Registration::Accepted,
                    now(),
                )
                .await?;
                let incident = Incident {
                    id: new_id(),
                    charger: Some("X-0".to_owned()),
                    subject: number.to_string(),
                    kind: "test".to_owned(),
                    severity: "warning".to_owned(),
                    opened_at: Instant(number),
                    closed_at: None,
                    document: "{}".to_owned(),
                };
                tx.open_incident(&org(), &incident).await?;
                let command = Command {
                    id: new_id(),
                    charger: "X-0".to_owned(),
                    kind: "test".to_owned(),
                    status: CommandStatus::Answered,
                    document: "{}".to_owned(),
                    outcome: None,
                    message_id: None,
                    created_at: Instant(number),
                    created_by: "test".to_owned(),
                    expires_at: None,
                    sent_at: None,
                    finished_at: Some(now()),
                };
                tx.add_command(&org(), &command).await?;
            }
            Ok(())
        };
        office.gateway.store.write(Lane::org(&org()), unit).await.unwrap();
        for role in [Role::ReadOnly, Role::ReadOnly, Role::ReadOnly] {
            office.key(role).await;
        }
        for name in ["one", "two"] {
            let answer = office
                .ask_as(&office.owner, "PUT", &format!("/v1/tariffs/{name}.tariff"), &flat("3.00"), None)
                .await;
            assert_eq!(answer.status, 201, "{answer:?}");
        }
        until("there are bills", async || office.get("/v1/bills").await.as_array().unwrap().len() == 5).await;
        money(&office).await;
        for (list, id) in [
            ("/v1/payments?", "id"),
            ("/v1/payments?status=failed&", "id"),
            ("/v1/outbox?", "id"),
            ("/v1/reminders?", "id"),
            ("/v1/invoices?", "id"),
            ("/v1/ledger/entries?", "id"),
            // Nothing but all of it tells one account from the others.
            ("/v1/ledger/accounts?", ""),
            ("/v1/sessions?", "id"),
            ("/v1/bills?", "id"),
            ("/v1/chargers?", "id"),
            ("/v1/chargers/X-0/commands?", "id"),
            ("/v1/incidents?", "id"),
            ("/v1/incidents?open=true&", "id"),
            ("/v1/audit?", "id"),
            ("/v1/keys?", "id"),
            ("/v1/tariffs?", "file"),
        ] {
            let whole = office.get(&format!("{list}limit=200")).await;
            let ids = |piece: &Value| -> Vec<Value> {
                let all = piece.as_array().unwrap().iter();
                all.map(|thing| if id.is_empty() { thing.clone() } else { thing[id].clone() }).collect()
            };
            assert!(ids(&whole).len() >= 2, "{list}");
            // One that ends with its piece has no next one.
            let exact = format!("/api{list}limit={}", ids(&whole).len());
            let (head, _) = fetch(&office, "GET", &exact, "", b"").await;
            assert!(head.starts_with("HTTP/1.1 200") && !head.contains("takst-next"), "{list}: {head}");
            let (mut found, mut after) = (Vec::new(), String::new());
            loop {
                let (head, body) = fetch(&office, "GET", &format!("/api{list}limit=2{after}"), "", b"").await;
                let piece: Value =
                    serde_json::from_str(&body).unwrap_or_else(|_| panic!("{list}: {head} {body}"));
                assert!(ids(&piece).len() <= 2, "{list}");
                found.extend(ids(&piece));
                let Some(next) = head.lines().find_map(|line| line.strip_prefix("takst-next: ")) else {
                    break;
                };
                after = format!("&after={}", encoded(next));
                assert!(found.len() < 100, "{list} has no end");
            }
            assert_eq!(found, ids(&whole), "{list}");
            for wrong in ["limit=0", "limit=-1", "limit=999999999999", "limit=x", "nothing=1"] {
                let answer = office.ask("GET", &format!("{list}{wrong}"), Value::Null).await;
                assert_eq!(answer.status, 400, "{list}{wrong}: {answer:?}");
            }
        }
        for list in [
            "/v1/sessions",
            "/v1/bills",
            "/v1/incidents",
            "/v1/keys",
            "/v1/payments",
            "/v1/outbox",
            "/v1/reminders",
            "/v1/invoices",
            "/v1/ledger/entries",
            "/v1/ledger/accounts",
        ] {
            assert_eq!(
                office.ask("GET", &format!("{list}?after=nobody"), Value::Null).await.status,
                400,
                "{list}"
            );
        }
        let described = office.get("/openapi.json").await;
        let sections = &described["paths"]["/api/v1/setup/{section}"]["get"]["parameters"][0]["description"];
        let all = office.ask("GET", "/v1/setup/nothing", Value::Null).await;
        let all = all.body["detail"].as_str().unwrap().trim_start_matches("the sections are ").to_owned();
        let all: Vec<&str> =
            all.split(['`', ',', ' ']).filter(|word| !word.is_empty() && *word != "and").collect();
        assert!(all.len() > 15, "{all:?}");
        for section in all {
            assert!(sections.as_str().unwrap().contains(&format!("`{section}`")), "{section}: {sections}");
        }
        for list in [
            "/api/v1/sessions",
            "/api/v1/bills",
            "/api/v1/chargers",
            "/api/v1/incidents",
            "/api/v1/audit",
            "/api/v1/payments",
            "/api/v1/outbox",
            "/api/v1/reminders",
            "/api/v1/invoices",
            "/api/v1/ledger/entries",
            "/api/v1/ledger/accounts",
        ] {
            let get = &described["paths"][list]["get"];
            assert!(get["responses"]["200"]["headers"]["Takst-Next"].is_object(), "{list}: {get}");
            let names: Vec<&str> = get["parameters"]
                .as_array()
                .unwrap()
                .iter()
                .map(|one| one["name"].as_str().unwrap())
                .collect();
            assert!(names.contains(&"limit") && names.contains(&"after"), "{list}: {names:?}");
        }
        office.gateway.server.stop().await;
    });
}

#[test]
fn what_cannot_be_read_is_a_problem_in_the_same_form() {
    run(async {
        let office = Office::open().await;
        // `ask_as` wants `application/problem+json` of every refusal.
        let large = "x".repeat((2 << 20) + 1);
        let owner = office.owner.clone();
        for (method, path, body, status) in [
            ("GET", "/v1/sessions/%FF", "", 400),
            ("GET", "/v1/setup/site/%FF", "", 400),
            ("GET", "/v1/payments/%FF", "", 400),
            ("GET", "/v1/bills/%FF/payments", "", 400),
            ("GET", "/v1/outbox/%FF", "", 400),
            ("POST", "/v1/ledger/entries/%FF/reverse", "{}", 400),
            ("PUT", "/v1/setup/site/oslo", large.as_str(), 413),
            ("POST", "/v1/keys", "{", 415),
            ("POST", "/v1/prices/spot", large.as_str(), 413),
            ("GET", "/v1/sessions?limit=x", "", 400),
            ("GET", "/v1/nope", "", 404),
        ] {
            let answer = office.ask_as(&owner, method, path, body, None).await;
            assert_eq!(answer.status, status, "{method} {path}: {answer:?}");
            let title =
                answer.body["title"].as_str().unwrap_or_else(|| panic!("{method} {path}: {answer:?}"));
            assert!(!title.contains("deserialize"), "{title}");
        }
        office.gateway.server.stop().await;
    });
}

#[test]
fn pages_and_receipts_are_guarded() {
    run(async {
        let office = Office::open().await;
        let row = session(&office, 1).await;
        let mut bill = Value::Null;
        until("it is billed", async || {
            bill = office.get(&format!("/v1/sessions/{}", row.id)).await["bills"][0].clone();
            bill.is_object()
        })
        .await;
        let receipt = format!("/api/v1/bills/{}/receipt", bill["id"].as_str().unwrap());
        for (accept, kind, begins) in [
            ("", "text/plain", ""),
            ("Accept: text/html\r\n", "text/html", "<!DOCTYPE html>"),
            ("Accept: application/json\r\n", "application/json", "{\"receipt\":{"),
        ] {
            let (head, body) = fetch(&office, "GET", &receipt, accept, b"").await;
            assert!(head.to_lowercase().contains(&format!("content-type: {kind}")), "{accept}: {head}");
            assert!(body.starts_with(begins), "{accept}: {body}");
        }
        let (head, _) = fetch(&office, "GET", &receipt, "Accept: application/pdf\r\n", b"").await;
        assert!(head.starts_with("HTTP/1.1 406 "), "{head}");
        let unknown = office
            .ask("GET", &format!("{}?format=html", receipt.trim_start_matches("/api")), Value::Null)
            .await;
        assert_eq!(unknown.status, 400, "{unknown:?}");
        let described = office.get("/openapi.json").await;
        let content = &described["paths"]["/api/v1/bills/{id}/receipt"]["get"]["responses"]["200"]["content"];
        let kinds: Vec<&String> = content.as_object().unwrap().keys().collect();
        assert_eq!(kinds, ["application/json", "text/html", "text/plain"]);
        for (path, more) in [
            ("/", ""),
            ("/login", ""),
            (receipt.as_str(), ""),
            (receipt.as_str(), "Accept: text/html\r\n"),
            ("/api/v1/sessions", ""),
        ] {
            let (head, body) = fetch(&office, "GET", path, more, b"").await;
            let head = head.to_lowercase();
            assert!(head.starts_with("http/1.1 200"), "{path}: {head}");
            for wanted in [
                "content-security-policy: default-src 'none';",
                "frame-ancestors 'none'",
                "x-content-type-options: nosniff",
                "x-frame-options: deny",
                "referrer-policy: no-referrer",
                "cache-control: no-store",
            ] {
                assert!(head.contains(wanted), "{path}: {wanted}: {head}");
            }
            assert!(!body.contains("<script>"), "{path}: scripts stand in files of their own");
        }
        office.gateway.server.stop().await;
    });
}

#[test]
fn a_key_that_asks_too_often_is_told_when_to_come_again() {
    run(async {
        let few = format!("{MAIN}\n[limits]\napi_requests = 5\n");
        let office = Office::with(&[("takst.toml", &few), ("flat.tariff", &flat("2.00"))]).await;
        let mut refused = None;
        for _ in 0..60 {
            let (head, body) = fetch(&office, "GET", "/api/v1/chargers", "", b"").await;
            if !head.starts_with("HTTP/1.1 200") {
                refused = Some((head.to_lowercase(), body));
                break;
            }
        }
        let (head, body) = refused.expect("five a minute are not sixty");
        assert!(head.starts_with("http/1.1 429") && head.contains("retry-after: "), "{head}");
        assert!(head.contains("application/problem+json") && body.contains("api_requests"), "{head} {body}");
        office.gateway.server.stop().await;
    });
}

#[test]
fn a_tariff_file_that_counts_nowhere_is_read_listed_and_removed() {
    run(async {
        let office = Office::open().await;
        let owner = office.owner.clone();
        let put = office.ask_as(&owner, "PUT", "/v1/tariffs/new/night.tariff", &flat("1.00"), None).await;
        assert_eq!(put.status, 201, "{put:?}");
        let read = office.get("/v1/tariffs/new/night.tariff").await;
        assert_eq!((&read["file"], &read["text"]), (&json!("new/night.tariff"), &json!(flat("1.00"))));
        assert_eq!((&read["counts_now"], read.get("version")), (&json!(false), None));
        let all = office.get("/v1/tariffs").await;
        let files: Vec<&str> =
            all.as_array().unwrap().iter().map(|one| one["file"].as_str().unwrap()).collect();
        assert_eq!(files, ["flat.tariff", "new/night.tariff"]);

        // What another list is based on stays, and so does what is assigned.
        let based = flat("1.00")
            .replace("  prices:", "  based on: \"new/night.tariff\"\n  prices:")
            .replace("\nenergy: 1.00 NOK/kWh\n", "");
        std::fs::write(office.dir.path().join("setup/child.tariff"), based).unwrap();
        for (file, user) in [("new/night.tariff", "child.tariff"), ("flat.tariff", "tariff ")] {
            let refused = office.ask("DELETE", &format!("/v1/tariffs/{file}"), Value::Null).await;
            assert_eq!(refused.status, 409, "{refused:?}");
            assert!(refused.body["title"].as_str().unwrap().contains(user), "{refused:?}");
        }
        std::fs::remove_file(office.dir.path().join("setup/child.tariff")).unwrap();
        assert_eq!(office.ask("DELETE", "/v1/tariffs/new/night.tariff", Value::Null).await.status, 204);
        for method in ["GET", "DELETE"] {
            assert_eq!(
                office.ask(method, "/v1/tariffs/new/night.tariff", Value::Null).await.status,
                404,
                "{method}"
            );
        }
        assert!(!office.dir.path().join("setup/new/night.tariff").exists());
        assert_eq!(office.ask("DELETE", "/v1/tariffs/..%2Fdata%2Fx.tariff", Value::Null).await.status, 422);
        assert!(office.told().await.contains(&"owner tariff.remove new/night.tariff".to_owned()));
        office.gateway.server.stop().await;
    });
}

#[test]
fn a_charger_that_is_rejected_is_sent_away_at_once() {
    run(async {
        let office = Office::open().await;
        let mut plug = Plug::connect(office.address, "/ocpp/O-1", &["ocpp1.6"], None).await.unwrap();
        plug.boot().await;
        assert_eq!(office.ask("POST", "/v1/chargers/O-1/reject", Value::Null).await.status, 204);
        until("it has no connection", async || {
            let shown: Value = office.get("/v1/chargers/O-1").await;
            shown["online"] == false && shown["registration"] == "rejected"
        })
        .await;
        office.gateway.server.stop().await;
    });
}

#[test]
fn a_charger_that_is_underway_in_one_campaign_waits_in_the_other() {
    run(async {
        let office = Office::open().await;
        let mut plug = Plug::connect(office.address, "/ocpp/O-1", &["ocpp1.6"], None).await.unwrap();
        plug.boot().await;
        let told = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&told);
        let charger = tokio::spawn(async move {
            loop {
                if plug.obey(json!({"status": "Accepted"})).await == "UpdateFirmware" {
                    count.fetch_add(1, Ordering::SeqCst);
                }
            }
        });
        let mut ids = Vec::new();
        for version in ["2", "2.0"] {
            let campaign = json!({
                "name": version, "chargers": {"ids": ["O-1"]},
                "firmware": {"version": version, "location": "https://example.org/firmware.bin"},
            });
            let begun = office.ask("POST", "/v1/campaigns", campaign).await;
            assert_eq!(begun.status, 201, "{begun:?}");
            ids.push(begun.body["id"].as_str().unwrap().to_owned());
        }
        let stand = async || {
            let mut all = Vec::new();
            for id in &ids {
                let campaign = office.get(&format!("/v1/campaigns/{id}")).await;
                all.push(campaign["chargers"][0]["status"].as_str().unwrap().to_owned());
            }
            all.sort();
            all
        };
        until("it is told", async || told.load(Ordering::SeqCst) == 1).await;
        // Longer than between two looks at the campaigns.
        tokio::time::sleep(Duration::from_secs(7)).await;
        assert_eq!(
            (stand().await, told.load(Ordering::SeqCst)),
            (vec!["underway".to_owned(), "waiting".to_owned()], 1)
        );
        charger.abort();
        office.gateway.server.stop().await;
    });
}

#[test]
fn prices_are_what_they_are_sent_as() {
    run(async {
        let feed = "\n[[feed]]\narea = \"NO1\"\ncurrency = \"NOK\"\nexpected_by = \"14:00\"\nalert_after = \"3 h\"\n";
        let (main, list) = (format!("{MAIN}{feed}"), flat("2.00"));
        let files =
            [("takst.toml", main.as_str()), ("people.toml", crate::office::PEOPLE), ("flat.tariff", &list)];
        let office = Office::with(&files).await;
        let document = |unit: &str| {
            json!({"feed": "spot", "area": "FI", "unit": unit, "prices": [
                {"from": "2026-01-01T00:00:00Z", "to": "2026-01-01T01:00:00Z", "price": "50"}
            ]})
        };
        for (path, why) in [
            ("/v1/prices/nope?area=FI", "`spot FI`"),
            ("/v1/prices/spot?area=SE3", "`spot SE3`"),
            ("/v1/prices/spot?limit=1", "limit"),
        ] {
            let refused = office.ask("POST", path, document("EUR/MWh")).await;
            assert_eq!(refused.status, 400, "{path}: {refused:?}");
            assert!(refused.body.to_string().contains(why), "{path}: {refused:?}");
        }
        assert_eq!(office.get("/v1/prices/spot?area=FI&from=2026-01-01T00:00:00Z").await, json!([]));
        // Nobody asks for them here, and that is said.
        let took = office.ask("POST", "/v1/prices/spot?area=FI", document("EUR/MWh")).await;
        let told = json!({"changed": 1, "unused": [{"feed": "spot", "area": "FI"}]});
        assert_eq!((took.status, &took.body), (200, &told), "{took:?}");
        let refused = office.ask("POST", "/v1/prices/spot?area=FI", document("SEK/MWh")).await;
        assert_eq!(refused.status, 400, "{refused:?}");
        // A feed of the set-up, in the currency that it names.
        let mut norwegian = document("EUR/MWh");
        norwegian["area"] = json!("NO1");
        let refused = office.ask("POST", "/v1/prices/spot", norwegian.clone()).await;
        assert!(refused.status == 400 && refused.body.to_string().contains("NOK"), "{refused:?}");
        norwegian["unit"] = json!("NOK/MWh");
        let took = office.ask("POST", "/v1/prices/spot", norwegian).await;
        assert_eq!((took.status, &took.body), (200, &json!({"changed": 1})), "{took:?}");
        let expected = office.gateway.house.expected_feeds();
        assert_eq!(expected.iter().map(|feed| feed.alert_after_ms).collect::<Vec<_>>(), [3 * 3_600_000]);
        office.gateway.server.stop().await;
    });
}
