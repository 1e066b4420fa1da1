//! Reminders: the message, the page, the payment on the click.

use crate::scene::{main, workshop};
use crate::shop::*;
use crate::store_support::*;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::routing::post;
use axum::{Json, Router};
use chrono::{NaiveDate, TimeDelta};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use takst_engine::units::Instant;
use takst_gateway::api::Role;
use takst_gateway::api::access::new_key;
use takst_gateway::plugins::Plugins;
use takst_gateway::reminding::Reminding;
use takst_gateway::store::{
    BillKind, Invoice, InvoiceFilter, InvoiceStatus, Lane, NewBill, NewEvent, Tx, new_id,
};

pub const SMS: &str = r#"
[[plugin]]
id = "sms"
settings = { address = "https://sms.example.com", from = "Takst", auth_value = "-", country_code = "47" }
secrets = { incoming = { file = "incoming" } }
"#;

pub type Messages = Arc<Mutex<Vec<Value>>>;

/// An SMS gateway; what was sent through it, with the key of each.
pub async fn sms_gateway(shop: &Shop) -> Messages {
    async fn take(
        State(all): State<Messages>,
        headers: HeaderMap,
        Json(mut message): Json<Value>,
    ) -> Json<Value> {
        message["key"] = headers["idempotency-key"].to_str().unwrap().into();
        let mut all = all.lock().unwrap();
        all.push(message);
        Json(json!({ "id": format!("m-{}", all.len()) }))
    }
    let messages = Messages::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    shop.detour.lead("sms.example.com", &format!("http://{}", listener.local_addr().unwrap()));
    let router = Router::new().route("/", post(take)).with_state(messages.clone());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    messages
}

/// With both providers, an SMS gateway, and a driver whose number is known.
pub fn all_files() -> Vec<(String, String)> {
    let mut files = files("vipps", &format!("{STRIPE}{VIPPS}{SMS}"));
    let head = "[organisation]\nweb_address = \"https://charge.example.com\"\n";
    files.iter_mut().filter(|(name, _)| name == "takst.toml").for_each(|(_, text)| text.insert_str(0, head));
    let people = "[[person]]\ndriver = \"d-1\"\nphone = \"+4791234567\"\nlanguage = \"nb\"\n";
    files.push(("people.toml".to_owned(), people.to_owned()));
    files.push(("incoming".to_owned(), "secret-of-sms".to_owned()));
    files
}

async fn page(shop: &Shop, link: &str) -> Came {
    let path = link.strip_prefix("https://charge.example.com").unwrap();
    http(shop.address, "GET", path, &[], b"").await
}

async fn click(shop: &Shop, link: &str, bill: &str, with: &str) -> Came {
    let path = link.strip_prefix("https://charge.example.com").unwrap();
    let form = [("content-type", "application/x-www-form-urlencoded")];
    http(shop.address, "POST", path, &form, format!("bill={bill}&with={with}").as_bytes()).await
}

/// The page once it says this: as long as it waits for the provider's answer, a browser loads it again.
async fn page_that_says(shop: &Shop, link: &str, text: &str) -> Came {
    for _ in 0..20 {
        let shown = page(shop, link).await;
        if shown.body.contains(text) || !shown.body.contains("http-equiv=\"refresh\"") {
            return shown;
        }
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    }
    page(shop, link).await
}

async fn approves(reference: &str) {
    let headers = [
        ("authorization", "Bearer test"),
        ("ocp-apim-subscription-key", "test-subscription"),
        ("merchant-serial-number", "123456"),
        ("content-type", "application/json"),
    ];
    at_peer(vipps(), "POST", &format!("/epayment/v1/test/payments/{reference}/approve"), &headers, "{}")
        .await;
}

async fn a_driver_is_reminded_once_and_pays_once(place: Place) {
    // Nothing is looked at by itself for ten minutes.
    let shop = Shop::open(&place, &all_files(), slow()).await;
    let messages = sms_gateway(&shop).await;
    shop.charge("O-1", "CARD-1").await;
    let bill = shop.bill("O-1").await["id"].as_str().unwrap().to_owned();
    let made = shop.ask("POST", "/api/v1/reminders", json!({ "bills": [bill] })).await;
    assert_eq!(made.status, 201, "{made:?}");
    let reminder = made.json();
    let link = reminder["link"].as_str().unwrap().to_owned();
    assert_eq!((&reminder["left"], &reminder["status"]), (&json!("20.00"), &json!("open")), "{reminder}");
    let again = shop.ask("POST", "/api/v1/reminders", json!({ "bills": [bill, bill] })).await;
    assert_eq!((again.status, &again.json()["id"]), (200, &reminder["id"]), "{again:?}");
    let all = shop.until("/api/v1/reminders?debtor=driver:d-1", |all| all[0]["message"] == "done").await;
    assert_eq!(all.as_array().unwrap().len(), 1);
    let sent = messages.lock().unwrap().clone();
    assert_eq!(sent.len(), 1, "{sent:?}");
    let text = sent[0]["text"].as_str().unwrap();
    assert_eq!(sent[0]["to"], "+4791234567");
    assert!(text.contains("20.00 NOK") && text.contains("ikke betalt") && text.ends_with(&link), "{text}");
    // Who he is stands in one place: not in what is asked of others.
    let rows = shop.get("/api/v1/outbox").await.to_string();
    assert!(!rows.contains("91234567"), "{rows}");
    assert!(!rows.contains("/pay/"), "whoever may look at the outbox may not open bills by that: {rows}");

    let shown = page(&shop, &link).await;
    assert_eq!(shown.status, 200, "{shown:?}");
    for part in ["lang=\"nb\"", "20.00 NOK", "Betal med Vipps", "Betal med kort", "0.2 kWh", "Oslo"] {
        assert!(shown.body.contains(part), "{part}: {}", shown.body);
    }
    assert!(shown.header("content-security-policy")[0].contains("form-action 'self' https:"));
    assert_eq!(page(&shop, &format!("{link}x")).await.status, 404);
    assert_eq!(click(&shop, &link, "other", "vipps").await.status, 404);
    assert_eq!(click(&shop, &link, &bill, "sms").await.status, 400);

    // A double click, and two windows.
    let (one, two, three) = tokio::join!(
        click(&shop, &link, &bill, "vipps"),
        click(&shop, &link, &bill, "vipps"),
        click(&shop, &link, &bill, "stripe")
    );
    let first = one.header("location")[0].to_owned();
    for came in [&one, &two, &three] {
        assert_eq!((came.status, came.header("location")), (303, vec![first.as_str()]), "{came:?}");
    }
    let payments = shop.get("/api/v1/payments").await;
    assert_eq!(payments.as_array().unwrap().len(), 1, "{payments}");
    let id = payments[0]["id"].as_str().unwrap();
    // He comes back without having paid; and then he has.
    if payments[0]["plugin"] == "vipps" {
        assert_eq!(first, format!("https://landing.vipps.no?token={id}"));
        let shown = page(&shop, &link).await;
        assert!(
            shown.body.contains("En betaling er underveis") && !shown.body.contains("Betalt"),
            "{shown:?}"
        );
        approves(id).await;
        let shown = page_that_says(&shop, &link, "Betalt. Takk!").await;
        assert!(shown.body.contains("Betalt. Takk!"), "{shown:?}");
        assert_eq!(shop.payment("d-1", "paid").await["captured"], "20.00");
        let all = shop.get("/api/v1/reminders").await;
        assert_eq!((&all[0]["status"], &all[0]["left"]), (&json!("paid"), &json!("0.00")));
        assert_eq!(click(&shop, &link, &bill, "vipps").await.header("location").len(), 1);
        assert_eq!(shop.get("/api/v1/payments").await.as_array().unwrap().len(), 1);
    }
    shop.stop().await;
}
both!(a_driver_is_reminded_once_and_pays_once);

async fn what_needs_no_payment_leads_to_no_provider(place: Place) {
    let shop = Shop::open(&place, &all_files(), quick()).await;
    let _messages = sms_gateway(&shop).await;
    shop.charge("O-1", "CARD-1").await;
    shop.charge("O-2", "CARD-1").await;
    let (one, two) = (shop.bill("O-1").await, shop.bill("O-2").await);
    let (one_id, two_id) = (one["id"].as_str().unwrap(), two["id"].as_str().unwrap());
    let remind = async |bill: &str| {
        let made = shop.post("/api/v1/reminders", json!({ "bills": [bill] })).await;
        made["link"].as_str().unwrap().to_owned()
    };
    let (link, other) = (remind(one_id).await, remind(two_id).await);
    // A payment is open at Vipps when the money comes to the bank: it is cancelled, and the old page leads nowhere.
    let away = click(&shop, &link, one_id, "vipps").await;
    assert!(away.header("location")[0].contains("vipps"), "{away:?}");
    shop.post(&format!("/api/v1/bills/{one_id}/received"), json!({ "reference": "zz1" })).await;
    let back = click(&shop, &link, one_id, "vipps").await;
    assert_eq!(
        back.header("location"),
        [link.strip_prefix("https://charge.example.com").unwrap()],
        "{back:?}"
    );
    let is_cancelled = |all: &Value| {
        all.as_array()
            .unwrap()
            .iter()
            .any(|payment| payment["plugin"] == "vipps" && payment["status"] == "cancelled")
    };
    shop.until(&format!("/api/v1/bills/{one_id}/payments"), is_cancelled).await;
    let shown = page(&shop, &link).await;
    assert!(shown.body.contains("Betalt. Takk!"), "{shown:?}");
    // One that was credited and never paid is not paid.
    let session = two["session"].as_str().unwrap();
    shop.post(&format!("/api/v1/sessions/{session}/refund"), json!({ "reason": "the charger was broken" }))
        .await;
    let shown = page(&shop, &other).await;
    assert!(shown.body.contains("Det er ingenting å betale.") && !shown.body.contains("Betalt"), "{shown:?}");
    shop.stop().await;
}
both!(what_needs_no_payment_leads_to_no_provider);

async fn a_reminder_can_be_taken_back_and_wants_a_role(place: Place) {
    let shop = Shop::open(&place, &all_files(), quick()).await;
    let messages = sms_gateway(&shop).await;
    shop.charge("O-1", "CARD-1").await;
    shop.charge("O-2", "CARD-2").await;
    let (one, two) = (shop.bill("O-1").await["id"].clone(), shop.bill("O-2").await["id"].clone());
    for (wrong, status) in [
        (json!({ "bills": [] }), 400),
        (json!({ "bills": [one, two] }), 400),
        (json!({ "bills": ["nothing"] }), 404),
        (json!({ "bills": [one], "language": "<b>" }), 400),
        (json!({ "bills": [one], "notifier": "stripe" }), 400),
    ] {
        let came = shop.ask("POST", "/api/v1/reminders", wrong.clone()).await;
        assert_eq!(came.status, status, "{wrong}: {came:?}");
    }
    // Nobody knows how to reach this driver: the link is for whoever asked.
    let made = shop.post("/api/v1/reminders", json!({ "bills": [two], "language": "fi" })).await;
    assert_eq!((&made["message"], &made["debtor"]), (&Value::Null, &json!("driver:d-2")), "{made}");
    let link = made["link"].as_str().unwrap();
    assert!(page(&shop, link).await.body.contains("Maksettavaa"));

    let (row, key) = new_key("reader", Role::ReadOnly, "test").unwrap();
    let unit = async move |tx: &mut Tx| tx.add_api_key(&main(), &row).await;
    shop.gateway.as_ref().unwrap().store.write(Lane::org(&main()), unit).await.unwrap();
    let reader = Shop::elsewhere(shop.address, key);
    for (method, path) in [("GET", "/api/v1/reminders"), ("POST", "/api/v1/reminders")] {
        let came = reader.ask(method, path, json!({ "bills": [one] })).await;
        assert_eq!(came.status, 403, "{came:?}");
    }

    let cancel = format!("/api/v1/reminders/{}/cancel", made["id"].as_str().unwrap());
    let why = json!({ "reason": "he has paid in cash" });
    assert_eq!(shop.ask("POST", &cancel, why.clone()).await.status, 204);
    assert_eq!(shop.ask("POST", &cancel, why).await.status, 409);
    assert_eq!(page(&shop, link).await.status, 404);
    assert_eq!(click(&shop, link, two.as_str().unwrap(), "vipps").await.status, 404);
    let log = shop.get("/api/v1/audit").await.to_string();
    assert!(log.contains("reminder.create") && log.contains("reminder.cancel"), "{log}");

    // Whether a message went out is not known, and this SMS gateway does not tell: a person decides, and nobody gets it twice.
    shop.detour.meet("/", Trouble::Lost);
    shop.post("/api/v1/reminders", json!({ "bills": [one] })).await;
    let all = shop.until("/api/v1/reminders?debtor=driver:d-1", |all| all[0]["message"] == "dead").await;
    assert!(all[0]["trouble"].as_str().unwrap().contains("status_path"), "{all}");
    assert_eq!(messages.lock().unwrap().len(), 1);
    shop.stop().await;
}
both!(a_reminder_can_be_taken_back_and_wants_a_role);

fn reminding(shop: &Shop) -> Reminding {
    let gateway = shop.gateway.as_ref().unwrap();
    let (house, store) = (Arc::clone(&gateway.house), gateway.store.clone());
    let plugins = Plugins::new(workshop(), Arc::clone(&house), store.clone());
    Reminding::new(store, house, Arc::new(plugins))
}

// The message is due on the day that the test says, which has not come yet.
async fn send_now(shop: &Shop) {
    let rows = shop.get("/api/v1/outbox?state=waiting").await;
    let row = rows.as_array().unwrap().iter().find(|row| row["kind"] == "message").unwrap();
    let path = format!("/api/v1/outbox/{}/retry", row["id"].as_str().unwrap());
    shop.post(&path, json!({ "reason": "the day has come" })).await;
}

async fn an_overdue_bill_is_reminded_of_by_itself_once(place: Place) {
    let mut files = all_files();
    for (name, text) in &mut files {
        match name.as_str() {
            "takst.toml" => {
                let series = "bill_series = \"A-\"\n";
                *text = text.replace(series, &format!("{series}due_days = 10\nremind_after_days = 6\n"));
            }
            "people.toml" => {
                text.push_str("\n[[person]]\ndriver = \"d-3\"\nphone = \"+4791234569\"\n");
                text.push_str("\n[[person]]\ndriver = \"d-4\"\nphone = \"+4791234560\"\n");
            }
            _ => {}
        }
    }
    let shop = Shop::open(&place, &files, slow()).await;
    let messages = sms_gateway(&shop).await;
    for (charger, card) in
        [("O-1", "CARD-1"), ("O-2", "CARD-1"), ("O-3", "CARD-2"), ("O-4", "CARD-3"), ("O-5", "CARD-4")]
    {
        shop.charge(charger, card).await;
    }
    // Of the second driver no number is known, the third has his money back, and the fourth is just paying.
    let session = shop.bill("O-4").await["session"].as_str().unwrap().to_owned();
    shop.post(&format!("/api/v1/sessions/{session}/refund"), json!({ "reason": "the charger was broken" }))
        .await;
    let bill = shop.bill("O-5").await["id"].as_str().unwrap().to_owned();
    shop.post(&format!("/api/v1/bills/{bill}/payments"), json!({ "return_to": "https://me.example/" })).await;
    shop.payment("d-4", "action-needed").await;
    let issued = shop.bill("O-1").await["issued"].as_str().unwrap().to_owned();
    assert_eq!(
        shop.bill("O-2").await["issued"].as_str().unwrap()[..10],
        issued[..10],
        "run it again after midnight"
    );
    let issued: NaiveDate = issued[..10].parse().unwrap();
    let at = |days: i64, hour: u32| {
        let day = (issued + TimeDelta::days(days)).and_hms_opt(hour, 0, 0).unwrap();
        Instant(day.and_local_timezone(chrono_tz::Europe::Oslo).unwrap().timestamp_millis())
    };

    let own = reminding(&shop);
    for (days, hour) in [(1, 12), (15, 12), (16, 6), (16, 22)] {
        assert_eq!(own.look(at(days, hour)).await.unwrap(), 0, "{days} {hour}");
    }
    assert!(messages.lock().unwrap().is_empty());
    // What came due at night goes out in the morning, both bills in one message.
    assert_eq!(own.look(at(17, 9)).await.unwrap(), 1);
    send_now(&shop).await;
    let all = shop.until("/api/v1/reminders", |all| all[0]["message"] == "done").await;
    assert_eq!((&all[0]["debtor"], &all[0]["left"]), (&json!("driver:d-1"), &json!("40.00")), "{all}");
    assert_eq!((&all[0]["created_by"], all[0]["bills"].as_array().unwrap().len()), (&json!("gateway"), 2));
    // Nobody hears of it twice: not later, not after a restart, not when it was taken back.
    assert_eq!(own.look(at(17, 10)).await.unwrap(), 0);
    assert_eq!(reminding(&shop).look(at(18, 12)).await.unwrap(), 0);
    let cancel = format!("/api/v1/reminders/{}/cancel", all[0]["id"].as_str().unwrap());
    assert_eq!(shop.ask("POST", &cancel, json!({ "reason": "he has paid in cash" })).await.status, 204);
    assert_eq!(reminding(&shop).look(at(19, 12)).await.unwrap(), 0);
    // The payment that was under way came to nothing, and much later nobody is woken for old bills.
    let payment = shop.payment("d-4", "action-needed").await["id"].as_str().unwrap().to_owned();
    let why = json!({ "reason": "he gave up" });
    assert_eq!(shop.ask("POST", &format!("/api/v1/payments/{payment}/cancel"), why).await.status, 202);
    shop.payment("d-4", "cancelled").await;
    assert_eq!(reminding(&shop).look(at(31, 12)).await.unwrap(), 0);
    assert_eq!(own.look(at(19, 12)).await.unwrap(), 1);
    send_now(&shop).await;
    let all = shop.until("/api/v1/reminders?debtor=driver:d-4", |all| all[0]["message"] == "done").await;
    assert_eq!(all.as_array().unwrap().len(), 1);
    assert_eq!(messages.lock().unwrap().len(), 2);
    shop.stop().await;
}
both!(an_overdue_bill_is_reminded_of_by_itself_once);

// Noon of so many days after this one, in Oslo.
fn noon(day: NaiveDate, days: i64) -> Instant {
    let noon = (day + TimeDelta::days(days)).and_hms_opt(12, 0, 0).unwrap();
    Instant(noon.and_local_timezone(chrono_tz::Europe::Oslo).unwrap().timestamp_millis())
}

fn day_of(bill: &Value) -> NaiveDate {
    bill["issued"].as_str().unwrap()[..10].parse().unwrap()
}

// A correction of a bill: 5.00 more, issued so many days after it, of which nothing is asked for by itself.
async fn five_more(shop: &Shop, bill: &Value, days: i64) -> String {
    let (id, day) = (new_id(), day_of(bill) + TimeDelta::days(days));
    let (made, of, at) = (id.clone(), bill["id"].as_str().unwrap().to_owned(), noon(day, 0));
    let unit = async move |tx: &mut Tx| {
        let first = tx.bill(&main(), &of).await?.unwrap();
        let new = NewBill {
            id: made.clone(),
            session: first.session.clone(),
            seller: first.seller.clone(),
            series: first.series.clone(),
            kind: BillKind::Correction,
            revision: first.revision + 1,
            corrects: Some(first.id.clone()),
            issued_at: at,
            status: first.status.clone(),
            currency: first.currency.clone(),
            total: 500,
            hashes: first.hashes.clone(),
        };
        let kind = "bill.corrected".to_owned();
        let event = NewEvent { at, kind, subject: made.clone(), document: "{}".to_owned() };
        let document = |number: i64| {
            let mut document: Value = serde_json::from_str(&first.document).unwrap();
            document["number"] = format!("A-{number:04}").into();
            document["issued"] = format!("{day}T12:00:00+01:00").into();
            Ok(document.to_string())
        };
        tx.issue_bill(&main(), &new, &[], event, document).await.map(drop)
    };
    shop.gateway.as_ref().unwrap().store.write(Lane::org(&main()), unit).await.unwrap();
    id
}

async fn bills_of_one_session_are_owed_once(place: Place) {
    let shop = Shop::open(&place, &all_files(), slow()).await;
    let messages = sms_gateway(&shop).await;
    shop.charge("O-1", "CARD-1").await;
    let bill = shop.bill("O-1").await;
    let more = five_more(&shop, &bill, 0).await;
    let made = shop.post("/api/v1/reminders", json!({ "bills": [bill["id"], more] })).await;
    assert_eq!((&made["left"], &made["status"]), (&json!("25.00"), &json!("open")), "{made}");
    shop.until("/api/v1/reminders", |all| all[0]["message"] == "done").await;
    let text = messages.lock().unwrap()[0]["text"].as_str().unwrap().to_owned();
    assert!(text.contains("25.00 NOK"), "{text}");
    // The page asks for it once, under both numbers.
    let link = made["link"].as_str().unwrap();
    let shown = page(&shop, link).await;
    assert_eq!(shown.body.matches("25.00 NOK").count(), 1, "{shown:?}");
    assert!(shown.body.contains("A-0001, A-0002"), "{shown:?}");
    assert_eq!(shown.body.matches("<form").count(), 1, "{shown:?}");
    let path = format!("/api/v1/bills/{}/received", bill["id"].as_str().unwrap());
    shop.post(&path, json!({ "reference": "line 1" })).await;
    let all = shop.get("/api/v1/reminders").await;
    assert_eq!((&all[0]["left"], &all[0]["status"]), (&json!("0.00"), &json!("paid")), "{all}");
    shop.stop().await;
}
both!(bills_of_one_session_are_owed_once);

// Due after 10 days, reminded of after 6 more.
fn reminded_after_16_days(mut files: Vec<(String, String)>) -> Vec<(String, String)> {
    for (_, text) in files.iter_mut().filter(|(name, _)| name == "takst.toml") {
        let series = "bill_series = \"A-\"\n";
        *text = text.replace(series, &format!("{series}due_days = 10\nremind_after_days = 6\n"));
    }
    files
}

async fn nobody_is_reminded_of_a_correction_before_it_is_due(place: Place) {
    let shop = Shop::open(&place, &reminded_after_16_days(all_files()), slow()).await;
    shop.charge("O-1", "CARD-1").await;
    let bill = shop.bill("O-1").await;
    let path = format!("/api/v1/bills/{}/received", bill["id"].as_str().unwrap());
    shop.post(&path, json!({ "reference": "line 1" })).await;
    five_more(&shop, &bill, 8).await;
    let own = reminding(&shop);
    for days in [17, 23] {
        assert_eq!(own.look(noon(day_of(&bill), days)).await.unwrap(), 0, "{days}");
    }
    assert_eq!(shop.get("/api/v1/reminders").await, json!([]));
    assert_eq!(own.look(noon(day_of(&bill), 24)).await.unwrap(), 1);
    let all = shop.get("/api/v1/reminders").await;
    assert_eq!(all[0]["left"], "5.00", "{all}");
    // Nor a second time of the same, by the bill that is paid.
    assert_eq!(reminding(&shop).look(noon(day_of(&bill), 25)).await.unwrap(), 0);
    shop.stop().await;
}
both!(nobody_is_reminded_of_a_correction_before_it_is_due);

async fn a_message_that_waits_is_not_sent_when_nothing_is_left_to_say(place: Place) {
    let shop = Shop::open(&place, &all_files(), slow()).await;
    let messages = sms_gateway(&shop).await;
    for (charger, paid) in [("O-1", false), ("O-2", true)] {
        shop.charge(charger, "CARD-1").await;
        let bill = shop.bill(charger).await["id"].as_str().unwrap().to_owned();
        shop.detour.meet("/", Trouble::NoConnection);
        let made = shop.post("/api/v1/reminders", json!({ "bills": [bill] })).await;
        let waits = |all: &Value| all[0]["message"] == "waiting" && !all[0]["trouble"].is_null();
        shop.until("/api/v1/reminders", waits).await;
        if paid {
            let path = format!("/api/v1/bills/{bill}/received");
            shop.post(&path, json!({ "reference": "line 1" })).await;
        } else {
            let cancel = format!("/api/v1/reminders/{}/cancel", made["id"].as_str().unwrap());
            let why = json!({ "reason": "he has paid in cash" });
            assert_eq!(shop.ask("POST", &cancel, why).await.status, 204);
        }
        send_now(&shop).await;
        let all = shop.until("/api/v1/reminders", |all| all[0]["message"] == "done").await;
        let why = if paid { "nothing was left to pay" } else { "was taken back" };
        assert!(all[0]["trouble"].as_str().unwrap().contains(why), "{all}");
        let rows = shop.get("/api/v1/outbox").await;
        let about = |row: &&Value| row["subject"] == made["id"];
        let row = rows.as_array().unwrap().iter().find(about).unwrap();
        assert_eq!(row["code"], "not-needed", "{row}");
    }
    assert!(messages.lock().unwrap().is_empty());
    shop.stop().await;
}
both!(a_message_that_waits_is_not_sent_when_nothing_is_left_to_say);

async fn an_invoice_that_goes_out_late_is_overdue_later(place: Place) {
    let mut files = reminded_after_16_days(crate::invoices::all_files());
    for (_, text) in files.iter_mut().filter(|(name, _)| name == "takst.toml") {
        text.insert_str(0, "[organisation]\nweb_address = \"https://charge.example.com\"\n");
        // What the link leads to is paid through it.
        *text = text.replace("due_days = 10\n", "due_days = 10\npayments = \"stripe\"\n");
        text.push_str(STRIPE);
        text.push_str(SMS);
    }
    files.push(("incoming".to_owned(), "secret-of-sms".to_owned()));
    put_down(&place.dir.path().join("setup"), &files);
    let operator = crate::operator::Operator::start().await;
    let stripe = &stripe().address;
    let detour = Detour::new(&[("operator.example.com", &operator.address), ("api.stripe.com", stripe)]);
    let shop = Shop::through(&place, quick(), detour).await;
    shop.charge("O-1", "CARD-2").await;
    let day = day_of(&shop.bill("O-1").await);
    shop.until("/api/v1/invoices?debtor=driver:d-2", |all| all[0]["status"] == "to-print").await;
    let own = reminding(&shop);
    assert_eq!(own.look(noon(day, 20)).await.unwrap(), 0, "nobody has it yet");
    // It is printed on the 20th day, ten days after it was to be paid.
    let store = shop.gateway.as_ref().unwrap().store.clone();
    let filter = InvoiceFilter { debtor: Some("driver:d-2".to_owned()), ..InvoiceFilter::default() };
    let invoice = store.read().await.unwrap().invoices(&main(), &filter, None, 1).await.unwrap().remove(0);
    let invoice = Invoice { status: InvoiceStatus::Printed, updated_at: noon(day, 20), ..invoice };
    let unit = async move |tx: &mut Tx| tx.update_invoice(&main(), &invoice).await;
    store.write(Lane::org(&main()), unit).await.unwrap();
    for days in [20, 25] {
        assert_eq!(own.look(noon(day, days)).await.unwrap(), 0, "{days}");
    }
    assert_eq!(own.look(noon(day, 26)).await.unwrap(), 1);
    // Nor is it forgotten by a gateway that starts later, and not said twice.
    assert_eq!(reminding(&shop).look(noon(day, 27)).await.unwrap(), 0);
    assert_eq!(shop.get("/api/v1/reminders").await[0]["debtor"], "driver:d-2");
    shop.stop().await;
}
both!(an_invoice_that_goes_out_late_is_overdue_later);

#[test]
fn a_reminder_that_nobody_could_pay_is_refused() {
    run(async {
        let head = "[organisation]\nweb_address = \"https://charge.example.com\"\n";
        for (with_head, plugins, says) in [
            (false, SMS.to_owned() + VIPPS, "a link to it would lead nowhere"),
            (true, SMS.to_owned(), "no payment provider is set up"),
        ] {
            let place = Place::sqlite();
            let mut files = files("vipps", &plugins);
            files.push(("incoming".to_owned(), "secret-of-sms".to_owned()));
            for (_, text) in files.iter_mut().filter(|(name, _)| with_head && name == "takst.toml") {
                text.insert_str(0, head);
            }
            put_down(&place.dir.path().join("setup"), &files);
            let shop = Shop::through(&place, quick(), Detour::new(&[])).await;
            shop.charge("O-1", "CARD-1").await;
            let bill = shop.bill("O-1").await["id"].clone();
            let came = shop.ask("POST", "/api/v1/reminders", json!({ "bills": [bill] })).await;
            assert_eq!(came.status, 409, "{came:?}");
            assert!(came.body.contains(says) && came.body.contains("detail"), "{came:?}");
            assert_eq!(shop.get("/api/v1/reminders").await, json!([]));
            shop.stop().await;
        }
    });
}
