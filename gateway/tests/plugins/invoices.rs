//! A gateway that sends invoices through the shipped eFaktura plugin: each goes out once, and who cannot be reached gets paper, once.

use crate::operator::Operator;
use crate::shop::*;
use crate::store_support::*;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use takst_gateway::gateway::Given;
use takst_gateway::invoices::kid::{Kid, Method};
use takst_gateway::invoicing::issued;
use takst_gateway::outbox::Options;
use takst_gateway::outbox::machine::Rules;
use takst_gateway::store::{Bill, IntentKind, IntentState, InvoiceStatus, Lane, OrgId, Tx};

const SELLER: &str = r#"company_number = "987 654 325"
vat_number = "987654325 MVA"
address = { street = "Kaia 1", postcode = "5003", city = "Bergen", country = "NO" }
invoices = { channel = "efaktura", account = "8601 11 17947", kid = "mod10", payer_endpoint = "0192:974760673", in_foretaksregisteret = true }
"#;

const PLUGIN: &str = r#"
[[plugin]]
id = "efaktura"
settings = { address = "https://operator.example.com/efaktura/v1", issuer = "998877" }
secrets = { api_key = { file = "efaktura_key" } }
"#;

const PEOPLE: &str = r#"
[[person]]
driver = "d-1"
name = "Kari Nordmann"
phone = "+47 912 34 567"
language = "nb"
address = { street = "Bakken 7", postcode = "5010", city = "Bergen", country = "NO" }

[[person]]
driver = "d-2"
name = "Ola Nordmann"
phone = "+47 912 34 568"

[[person]]
driver = "d-3"
name = "Per Hansen"
birth_date = "1985-03-29"
"#;

/// All drivers pay by invoice; nobody knows who the last one is.
pub fn all_files() -> Vec<(String, String)> {
    let mut files = files("stripe", PLUGIN);
    for (_, text) in files.iter_mut().filter(|(name, _)| name == "takst.toml") {
        *text = text.replace("payments = \"stripe\"\n", SELLER);
        for driver in 1..=4 {
            let id = format!("id = \"d-{driver}\"\n");
            *text = text.replace(&id, &format!("{id}pays_by = \"invoice\"\n"));
        }
    }
    files.push(("people.toml".to_owned(), PEOPLE.to_owned()));
    files.push(("efaktura_key".to_owned(), "sesame-open".to_owned()));
    files
}

async fn open(place: &Place) -> (Shop, Operator) {
    put_down(&place.dir.path().join("setup"), &all_files());
    let operator = Operator::start().await;
    (again(place, &operator).await, operator)
}

async fn again(place: &Place, operator: &Operator) -> Shop {
    let detour = Detour::new(&[("operator.example.com", &operator.address)]);
    Shop::through(place, quick(), detour).await
}

async fn open_with(place: &Place, files: &[(String, String)], outbox: Options) -> (Shop, Operator) {
    put_down(&place.dir.path().join("setup"), files);
    let operator = Operator::start().await;
    let detour = Detour::new(&[("operator.example.com", &operator.address)]);
    (Shop::through(place, outbox, detour).await, operator)
}

const OF_KARI: &str = "/api/v1/invoices?debtor=driver:d-1";

impl Shop {
    /// The one invoice of a driver, once it stands so.
    async fn invoice(&self, driver: &str, status: &str) -> Value {
        let path = format!("/api/v1/invoices?debtor=driver:{driver}");
        let all = self.until(&path, |all| all[0]["status"] == status).await;
        all[0].clone()
    }

    async fn to_print(&self) -> Vec<Value> {
        let open = self.get("/api/v1/incidents?open=true").await;
        let all = open.as_array().unwrap().iter().filter(|one| one["kind"] == "invoice.print");
        all.cloned().collect()
    }

    async fn bank_payments(&self) -> Vec<Value> {
        let all = self.get("/api/v1/payments").await;
        all.as_array().unwrap().iter().filter(|payment| payment["plugin"] == "@bank").cloned().collect()
    }

    async fn rows(&self, kind: &str) -> Vec<Value> {
        let rows = self.get("/api/v1/outbox").await;
        rows.as_array().unwrap().iter().filter(|row| row["kind"] == kind).cloned().collect()
    }
}

async fn an_invoice_reaches_the_online_bank_of_its_payer_once(place: Place) {
    let (shop, operator) = open(&place).await;
    // Nothing was sent, and then the answer is lost.
    shop.detour.meet("/invoices", Trouble::NoConnection);
    shop.detour.meet("/invoices", Trouble::Lost);
    shop.charge("O-1", "CARD-1").await;
    let invoice = shop.invoice("d-1", "sent").await;
    let [taken] = <[Value; 1]>::try_from(operator.taken()).unwrap();
    assert_eq!((&invoice["number"], &invoice["way"]), (&json!("A-0001"), &json!("channel")), "{invoice}");
    assert_eq!((&taken["invoiceNumber"], &taken["efakturaIdentifier"]), (&json!("A-0001"), &json!("K-1")));
    assert_eq!((&taken["issuer"], &taken["dueDate"]), (&json!("998877"), &invoice["due"]));
    assert_eq!(taken["amount"], json!(20.0));
    let kid = Kid::read(taken["kid"].as_str().unwrap(), Method::Mod10).unwrap();
    assert_eq!((kid.as_str(), &invoice["reference"]), ("0000000018", &taken["kid"]));
    let due: chrono::NaiveDate = invoice["due"].as_str().unwrap().parse().unwrap();
    let issued: chrono::NaiveDate = invoice["issued"].as_str().unwrap().parse().unwrap();
    assert_eq!((due - issued).num_days(), 14);
    assert_eq!(shop.detour.count("POST /efaktura/v1/invoices"), 1, "the lost one; it was found by a look-up");
    let [row] = <[Value; 1]>::try_from(shop.rows("invoice").await).unwrap();
    assert_eq!((&row["state"], &row["attempts"]), (&json!("following"), &json!(2)), "{row}");
    // Who he is stands in one place: not in what is asked of others.
    assert!(!row.to_string().contains("Nordmann"), "{row}");

    // What was sent is the document that is shown here.
    let sent = BASE64_STANDARD.decode(taken["document"].as_str().unwrap()).unwrap();
    let sent = String::from_utf8(sent).unwrap();
    let id = invoice["id"].as_str().unwrap();
    let shown = shop.ask("GET", &format!("/api/v1/invoices/{id}/document"), Value::Null).await;
    assert_eq!((shown.status, shown.header("content-type")), (200, vec!["application/xml"]));
    assert_eq!(shown.body, sent);
    for part in ["<Invoice", ">A-0001<", ">0000000018<", "86011117947", ">Kari Nordmann<", "NO987654325MVA"] {
        let plain = sent.replace(' ', "");
        assert!(plain.contains(&part.replace(' ', "")), "{part}: {sent}");
    }

    operator.set(0, "DELIVERED");
    let invoice = shop.invoice("d-1", "delivered").await;
    assert_eq!((&invoice["left"], &invoice["theirs"]), (&json!("20.00"), &json!("I-1")), "{invoice}");
    assert_eq!(shop.get("/api/v1/payments").await, json!([]), "it is not taken from a card besides");
    assert!(shop.to_print().await.is_empty());

    // The next one, at an operator that is closed for a while.
    operator.kept.lock().unwrap().busy = 3;
    shop.charge("O-2", "CARD-1").await;
    shop.until("/api/v1/invoices?debtor=driver:d-1&status=sent", |all| all[0].is_object()).await;
    let taken = operator.taken();
    assert_eq!((taken.len(), &taken[1]["kid"]), (2, &json!("0000000026")));
    assert_eq!(shop.get("/api/v1/incidents?open=true").await, json!([]));
    shop.stop().await;
}
both!(an_invoice_reaches_the_online_bank_of_its_payer_once);

async fn who_cannot_be_reached_gets_paper_once(place: Place) {
    let (shop, operator) = open(&place).await;
    for (driver, code) in [
        (2, "blocked: the payer blocks"),
        (3, "no-consent: the payer has not agreed"),
        (4, "no-document: the name of the payer is missing"),
    ] {
        shop.charge(&format!("O-{driver}"), &format!("CARD-{driver}")).await;
        let invoice = shop.invoice(&format!("d-{driver}"), "to-print").await;
        assert!(invoice["reason"].as_str().unwrap().starts_with(code), "{invoice}");
        assert_eq!(invoice["way"], "paper");
    }
    assert_eq!((operator.taken().len(), shop.to_print().await.len()), (0, 3));
    assert_eq!(operator.kept.lock().unwrap().asked, 2, "of nobody nothing is asked");

    let ola = shop.invoice("d-2", "to-print").await;
    let path = format!("/api/v1/invoices/{}", ola["id"].as_str().unwrap());
    let page = shop.ask("GET", &format!("{path}/page"), Value::Null).await;
    for part in ["Invoice A-0001", "Ola Nordmann", "20.00 NOK", "0000000018", "8601 11 17947", "Kaia 1"] {
        assert!(page.body.contains(part), "{part}: {}", page.body);
    }
    let printed = shop.post(&format!("{path}/printed"), Value::Null).await;
    assert_eq!(printed["status"], "printed");
    assert_eq!(shop.ask("POST", &format!("{path}/printed"), Value::Null).await.status, 409);
    assert_eq!(shop.to_print().await.len(), 2);

    // What was missing is put right, and it goes out after all.
    let nobody = shop.invoice("d-4", "to-print").await;
    let path = format!("/api/v1/invoices/{}", nobody["id"].as_str().unwrap());
    assert_eq!(shop.ask("GET", &format!("{path}/document"), Value::Null).await.status, 409);
    let kari = json!({ "driver": "d-4", "name": "Kari Nordmann", "phone": "+47 912 34 567" });
    assert_eq!(shop.ask("PUT", "/api/v1/setup/person/d-4", kari).await.status, 201);
    shop.post(&format!("{path}/send"), Value::Null).await;
    let sent = shop.invoice("d-4", "sent").await;
    assert_eq!((&sent["id"], &sent["reason"]), (&nobody["id"], &Value::Null), "{sent}");
    assert_eq!((operator.taken().len(), shop.to_print().await.len()), (1, 1));
    assert_eq!(shop.ask("POST", &format!("{path}/send"), Value::Null).await.status, 409);

    // The channel took it over, and then could not deliver it.
    operator.set(0, "REJECTED");
    let back = shop.invoice("d-4", "to-print").await;
    assert!(back["reason"].as_str().unwrap().starts_with("rejected"), "{back}");
    assert_eq!((operator.taken().len(), shop.to_print().await.len()), (1, 2));
    shop.stop().await;
}
both!(who_cannot_be_reached_gets_paper_once);

async fn a_second_attempt_does_not_take_the_first_for_its_own(place: Place) {
    let outbox = quick();
    let outbox = Options { rules: Rules { failures: 4, ..outbox.rules.clone() }, ..outbox };
    let (shop, operator) = open_with(&place, &all_files(), outbox).await;
    operator.kept.lock().unwrap().keyless = true;
    let rejected = async |nth: usize, charger: &str| {
        shop.charge(charger, "CARD-1").await;
        shop.until(OF_KARI, |all| all[0]["status"] == "sent").await;
        operator.set(nth, "REJECTED");
        let all = shop.until(OF_KARI, |all| all[0]["status"] == "to-print").await;
        all[0].clone()
    };
    // It is sent again, the operator takes it, and the answer is lost.
    let first = rejected(0, "O-1").await;
    let path = format!("/api/v1/invoices/{}/send", first["id"].as_str().unwrap());
    shop.detour.meet("/invoices", Trouble::Lost);
    shop.post(&path, Value::Null).await;
    let all = shop.until(OF_KARI, |all| all[0]["status"] == "sent").await;
    assert_eq!((&all[0]["theirs"], operator.taken().len()), (&json!("I-2"), 2), "{all}");
    operator.set(1, "PAID");
    shop.until(OF_KARI, |all| all[0]["status"] == "delivered").await;

    // It is sent again, and nobody knows whether it came there: the one that was rejected is no answer.
    let other = rejected(2, "O-2").await;
    operator.kept.lock().unwrap().busy = 1;
    let path = format!("/api/v1/invoices/{}/send", other["id"].as_str().unwrap());
    shop.post(&path, Value::Null).await;
    let rows = shop
        .until("/api/v1/outbox", |rows| rows.as_array().unwrap().iter().any(|row| row["state"] == "dead"))
        .await;
    let dead = rows.as_array().unwrap().iter().find(|row| row["state"] == "dead").unwrap();
    assert_eq!(
        (&dead["kind"], &dead["subject"], &dead["code"]),
        (&json!("invoice"), &other["id"], &json!("which-attempt")),
        "{dead}"
    );
    let held = shop.get("/api/v1/incidents?open=true").await;
    assert!(held.as_array().unwrap().iter().any(|one| one["kind"] == "invoice.held"), "{held}");
    assert!(shop.to_print().await.is_empty(), "nobody prints what the payer may have");
    assert_eq!(operator.taken().len(), 3);
    // A person looked there: it did not come.
    let path = format!("/api/v1/outbox/{}/give-up", dead["id"].as_str().unwrap());
    shop.post(&path, json!({ "reason": "the operator has only the rejected one" })).await;
    shop.until(OF_KARI, |all| all[0]["status"] == "to-print").await;
    shop.stop().await;
}
both!(a_second_attempt_does_not_take_the_first_for_its_own);

async fn a_credit_note_takes_the_invoice_back_or_follows_it(place: Place) {
    let (shop, operator) = open(&place).await;
    shop.charge("O-1", "CARD-1").await;
    let invoice = shop.invoice("d-1", "sent").await;
    let refund = async |charger: &str| {
        let session = shop.bill(charger).await["session"].as_str().unwrap().to_owned();
        let path = format!("/api/v1/sessions/{session}/refund");
        shop.post(&path, json!({ "reason": "the charger was broken" })).await
    };
    // Whether it was taken back is not known at first.
    shop.detour.meet("/cancel", Trouble::Lost);
    refund("O-1").await;
    let of_driver = "/api/v1/invoices?debtor=driver:d-1";
    let all = shop.until(of_driver, |all| all[0]["status"] == "settled").await;
    assert_eq!((&all[0]["kind"], &all[0]["amount"]), (&json!("credit-note"), &json!("-20.00")), "{all}");
    assert_eq!((&all[1]["status"], &all[1]["id"]), (&json!("cancelled"), &invoice["id"]), "{all}");
    let cancelled = operator.kept.lock().unwrap().cancelled;
    assert_eq!((cancelled, operator.taken().len()), (1, 1));

    // It is paid over there already: the note follows, and this operator takes none.
    shop.charge("O-2", "CARD-1").await;
    shop.until(of_driver, |all| all[0]["status"] == "sent").await;
    operator.set(1, "PAID");
    shop.until(of_driver, |all| all[0]["status"] == "delivered").await;
    refund("O-2").await;
    let all = shop.until(of_driver, |all| all[0]["status"] == "to-print").await;
    assert_eq!((&all[0]["kind"], &all[0]["corrects"]), (&json!("credit-note"), &all[1]["id"]), "{all}");
    assert_eq!((&all[1]["status"], operator.taken().len()), (&json!("delivered"), 2), "{all}");
    let path = format!("/api/v1/invoices/{}", all[0]["id"].as_str().unwrap());
    let document = shop.ask("GET", &format!("{path}/document"), Value::Null).await;
    assert!(document.body.contains("<CreditNote") && document.body.contains(">A-0003<"), "{document:?}");
    assert!(shop.ask("GET", &format!("{path}/page"), Value::Null).await.body.contains("Kreditnota A-0004"));

    // Of an invoice that nobody has printed yet nobody needs the credit note.
    shop.charge("O-3", "CARD-2").await;
    shop.invoice("d-2", "to-print").await;
    assert_eq!(shop.to_print().await.len(), 2);
    refund("O-3").await;
    let all = shop.until("/api/v1/invoices?debtor=driver:d-2", |all| all[0]["status"] == "settled").await;
    assert_eq!((all.as_array().unwrap().len(), &all[1]["status"]), (2, &json!("cancelled")), "{all}");
    assert_eq!(shop.to_print().await.len(), 1);
    shop.stop().await;
}
both!(a_credit_note_takes_the_invoice_back_or_follows_it);

async fn a_second_credit_note_asks_for_the_invoice_back_once_more(place: Place) {
    let (shop, operator) = open(&place).await;
    shop.charge("O-1", "CARD-1").await;
    shop.invoice("d-1", "sent").await;
    operator.set(0, "PAID");
    shop.invoice("d-1", "delivered").await;
    let session = shop.bill("O-1").await["session"].as_str().unwrap().to_owned();
    let refund = json!({ "reason": "the charger was broken" });
    shop.post(&format!("/api/v1/sessions/{session}/refund"), refund).await;
    // It is paid there and cannot be taken back: the note goes on paper.
    shop.until(OF_KARI, |all| all[0]["kind"] == "credit-note" && all[0]["status"] == "to-print").await;

    // The bill was made good otherwise, and is credited again; by now the operator gives the invoice back.
    operator.set(0, "DELIVERED");
    let store = shop.gateway.as_ref().unwrap().store.clone();
    let org = OrgId::new("main");
    let mut reader = store.read().await.unwrap();
    let first = reader.session_bills(&org, &session).await.unwrap().pop().unwrap();
    drop(reader);
    let (_, document) = takst_gateway::billing::from_json(&first.document).unwrap();
    let again = Bill { id: "again".to_owned(), number: first.number + 100, ..first };
    let zone = takst_dsl::resolve::zone::table(chrono_tz::UTC);
    let owner = org.clone();
    let unit =
        async move |tx: &mut Tx| issued(tx, &owner, &again, &document, (None, &zone), again.issued_at).await;
    assert!(store.write(Lane::org(&org), unit).await.unwrap());
    let mut stands = Vec::new();
    for _ in 0..200 {
        let mut reader = store.read().await.unwrap();
        stands = reader.session_invoices(&org, &session).await.unwrap();
        if stands[0].status == InvoiceStatus::Cancelled {
            break;
        }
        drop(reader);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let states: Vec<_> = stands.iter().map(|one| one.status).collect();
    assert_eq!(states, [InvoiceStatus::Cancelled, InvoiceStatus::ToPrint, InvoiceStatus::Settled]);
    assert_eq!(operator.kept.lock().unwrap().cancelled, 1);
    let about = store.read().await.unwrap().intents_about(&org, &stands[0].id).await.unwrap();
    let recalls: Vec<_> = about.iter().filter(|one| one.kind == IntentKind::Recall).collect();
    let states: Vec<_> = recalls.iter().map(|one| one.state).collect();
    assert_eq!(states, [IntentState::Failed, IntentState::Done]);
    assert_ne!(recalls[0].idempotency, recalls[1].idempotency);
    shop.stop().await;
}
both!(a_second_credit_note_asks_for_the_invoice_back_once_more);

async fn money_that_comes_to_the_bank_pays_the_invoice(place: Place) {
    let (shop, _operator) = open(&place).await;
    shop.charge("O-1", "CARD-1").await;
    let invoice = shop.invoice("d-1", "sent").await;
    let path = format!("/api/v1/bills/{}/received", invoice["bill"].as_str().unwrap());
    for (wrong, status) in [
        (json!({ "amount": "0.00", "reference": "line 1" }), 400),
        (json!({ "amount": "-1.00", "reference": "line 1" }), 400),
        (json!({ "amount": "1.00", "reference": " " }), 400),
    ] {
        assert_eq!(shop.ask("POST", &path, wrong.clone()).await.status, status, "{wrong}");
    }
    assert_eq!(
        shop.post(&path, json!({ "amount": "5.00", "reference": "line 1" })).await["captured"],
        "5.00"
    );
    let again = shop.ask("POST", &path, json!({ "amount": "5.00", "reference": "line 1" })).await;
    assert_eq!(again.status, 200, "{again:?}");
    assert_eq!(shop.ask("POST", &path, json!({ "reference": "line 2" })).await.status, 201);
    assert_eq!(shop.invoice("d-1", "sent").await["left"], "0.00");
    let bank = shop.get("/api/v1/ledger/accounts?account=bank").await;
    assert_eq!(bank[0]["balance"], "20.00", "{bank}");
    let owed = shop.get("/api/v1/ledger/accounts?account=receivable").await;
    assert!(owed.as_array().unwrap().iter().all(|account| account["balance"] == "0.00"), "{owed}");
    // Nothing is left; what comes all the same is the payer's.
    assert_eq!(shop.ask("POST", &path, json!({ "reference": "line 3" })).await.status, 409);
    assert_eq!(shop.ask("POST", &path, json!({ "reference": "line 3", "amount": "3.00" })).await.status, 201);
    // All of it is credited: what came by bank goes back by bank, once.
    let early =
        format!("/api/v1/payments/{}/returned", shop.bank_payments().await[2]["id"].as_str().unwrap());
    assert_eq!(
        shop.ask("POST", &early, json!({ "reference": "back", "amount": "5.00" })).await.status,
        409,
        "no more than was paid too much"
    );
    let session = shop.bill("O-1").await["session"].as_str().unwrap().to_owned();
    let refund = json!({ "reason": "the charger was broken" });
    shop.post(&format!("/api/v1/sessions/{session}/refund"), refund).await;
    let to_return = async || {
        let open = shop.get("/api/v1/incidents?open=true").await;
        open.as_array().unwrap().iter().filter(|one| one["kind"] == "payment.return").count()
    };
    assert_eq!(to_return().await, 3);
    for (line, payment) in shop.bank_payments().await.iter().enumerate() {
        let path = format!("/api/v1/payments/{}/returned", payment["id"].as_str().unwrap());
        let too_much = json!({ "reference": "all", "amount": "20.00" });
        assert_eq!(shop.ask("POST", &path, too_much).await.status, 409);
        let body = json!({ "reference": format!("back {line}") });
        let booked = shop.ask("POST", &path, body.clone()).await;
        assert_eq!(
            (booked.status, booked.json()["refunded"].clone()),
            (201, payment["captured"].clone()),
            "{booked:?}"
        );
        assert_eq!(shop.ask("POST", &path, body).await.status, 200);
    }
    assert_eq!(to_return().await, 0);
    let bank = shop.get("/api/v1/ledger/accounts?account=bank").await;
    assert_eq!(bank[0]["balance"], "0.00", "{bank}");
    let owed = shop.get("/api/v1/ledger/accounts?account=receivable").await;
    assert!(owed.as_array().unwrap().iter().all(|account| account["balance"] == "0.00"), "{owed}");
    let checked = shop.post("/api/v1/ledger/check", json!({})).await;
    assert_eq!(checked["faults"], json!([]), "{checked}");
    shop.stop().await;
}
both!(money_that_comes_to_the_bank_pays_the_invoice);

async fn a_note_for_a_part_stands_and_so_does_the_one_for_the_rest(place: Place) {
    let mut files = all_files();
    for (_, text) in files.iter_mut().filter(|(name, _)| name == "flat.tariff") {
        text.push_str("\nstart fee: 5.00 NOK/session\n");
    }
    let (shop, operator) = open_with(&place, &files, quick()).await;
    shop.charge("O-1", "CARD-1").await;
    let invoice = shop.invoice("d-1", "sent").await;
    assert_eq!(invoice["amount"], "25.00", "{invoice}");
    let session = shop.bill("O-1").await["session"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/sessions/{session}/refund");
    shop.post(&path, json!({ "reason": "it did not start at first", "charges": ["start fee"] })).await;
    // This operator takes no credit notes.
    let all = shop.until(OF_KARI, |all| all[0]["status"] == "to-print").await;
    assert_eq!((&all[0]["kind"], &all[0]["amount"]), (&json!("credit-note"), &json!("-5.00")), "{all}");
    shop.post(&path, json!({ "reason": "the charger was broken" })).await;
    let rest = |all: &Value| all[0]["amount"] == "-20.00" && all[0]["status"] == "to-print";
    let all = shop.until(OF_KARI, rest).await;
    assert_eq!((&all[1]["status"], &all[1]["amount"]), (&json!("to-print"), &json!("-5.00")), "{all}");
    assert_eq!((&all[2]["status"], &all[2]["id"]), (&json!("sent"), &invoice["id"]), "{all}");
    let to_print = shop.to_print().await.len();
    assert_eq!((operator.kept.lock().unwrap().cancelled, to_print), (0, 2));
    assert!(shop.rows("recall").await.is_empty());
    shop.stop().await;
}
both!(a_note_for_a_part_stands_and_so_does_the_one_for_the_rest);

async fn what_was_paid_before_it_went_out_is_not_asked_for(place: Place) {
    // Nothing is tried again by itself for some minutes.
    let (shop, operator) = open_with(&place, &all_files(), slow()).await;
    let receive = async |invoice: &Value, body: Value| {
        let path = format!("/api/v1/bills/{}/received", invoice["bill"].as_str().unwrap());
        let booked = shop.ask("POST", &path, body).await;
        assert_eq!(booked.status, 201, "{booked:?}");
    };
    // On paper.
    shop.charge("O-1", "CARD-2").await;
    let invoice = shop.invoice("d-2", "to-print").await;
    let path = format!("/api/v1/invoices/{}", invoice["id"].as_str().unwrap());
    let shown = async |what: &str| {
        let shown = shop.ask("GET", &format!("{path}/{what}"), Value::Null).await;
        assert_eq!(shown.status, 200, "{shown:?}");
        shown.body
    };
    let (document, page) = (shown("document").await, shown("page").await);
    assert!(!document.contains("PrepaidAmount") && document.contains("PaymentMeans"), "{document}");
    assert!(!page.contains("Left to pay") && page.contains("To be paid by"), "{page}");
    receive(&invoice, json!({ "amount": "5.00", "reference": "line 1" })).await;
    let (document, page) = (shown("document").await, shown("page").await);
    for part in [
        "<cbc:TaxInclusiveAmount currencyID=\"NOK\">20.00<",
        "<cbc:PrepaidAmount currencyID=\"NOK\">5.00<",
        "<cbc:PayableAmount currencyID=\"NOK\">15.00<",
    ] {
        assert!(document.contains(part), "{part}: {document}");
    }
    for part in ["<th>Paid</th><td>5.00 NOK</td>", "<th>Left to pay</th><td>15.00 NOK</td>", "8601 11 17947"]
    {
        assert!(page.contains(part), "{part}: {page}");
    }
    // Nothing is left: it says so, and not where to pay.
    receive(&invoice, json!({ "reference": "line 2" })).await;
    let (document, page) = (shown("document").await, shown("page").await);
    assert!(document.contains("<cbc:PayableAmount currencyID=\"NOK\">0.00<"), "{document}");
    assert!(!document.contains("PaymentMeans") && !document.contains("DueDate"), "{document}");
    assert!(page.contains("<th>Left to pay</th><td>0.00 NOK</td>"), "{page}");
    assert!(!page.contains("8601 11 17947") && !page.contains("To be paid by"), "{page}");

    // Through the channel, which was not there at first.
    for (charger, money, (amount, asked)) in [
        ("O-2", json!({ "amount": "5.00", "reference": "line 3" }), (json!(15.0), "15.00")),
        ("O-3", json!({ "reference": "line 4" }), (json!(0.0), "0.00")),
    ] {
        shop.detour.meet("/invoices", Trouble::NoConnection);
        shop.charge(charger, "CARD-1").await;
        let failed = |rows: &Value| rows[0]["state"] == "waiting" && rows[0]["attempts"] == 1;
        let rows = shop.until("/api/v1/outbox", failed).await;
        let all = shop.until(OF_KARI, |all| all[0]["status"] == "waiting").await;
        receive(&all[0], money).await;
        let retry = format!("/api/v1/outbox/{}/retry", rows[0]["id"].as_str().unwrap());
        shop.post(&retry, json!({ "reason": "the line is back" })).await;
        shop.until(OF_KARI, |all| all[0]["status"] == "sent").await;
        let taken = operator.taken();
        let taken = taken.last().unwrap();
        assert_eq!(taken["amount"], amount, "{taken}");
        let sent = BASE64_STANDARD.decode(taken["document"].as_str().unwrap()).unwrap();
        let sent = String::from_utf8(sent).unwrap();
        assert!(sent.contains(&format!("<cbc:PayableAmount currencyID=\"NOK\">{asked}<")), "{sent}");
    }
    assert_eq!(operator.taken().len(), 2);
    shop.stop().await;
}
both!(what_was_paid_before_it_went_out_is_not_asked_for);

async fn an_invoice_of_which_the_channel_says_no_more_holds_nothing_up(place: Place) {
    let rules = Rules { follow_ms: 500, ..quick().rules };
    let (shop, operator) = open_with(&place, &all_files(), Options { rules, ..quick() }).await;
    shop.charge("O-1", "CARD-1").await;
    let rows = shop.until("/api/v1/outbox", |rows| rows[0]["state"] == "done").await;
    assert_eq!(rows[0]["code"], "nothing-more", "{rows}");
    // Nobody said that it came.
    let invoice = shop.invoice("d-1", "sent").await;
    assert_eq!(invoice["sending"], "done", "{invoice}");
    shop.charge("O-2", "CARD-1").await;
    shop.until(OF_KARI, |all| all[1].is_object() && all[0]["status"] == "sent").await;
    assert_eq!(operator.taken().len(), 2);
    assert_eq!(shop.get("/api/v1/incidents?open=true").await, json!([]));
    // The channel has it, and gives it back.
    let session = shop.bill("O-1").await["session"].as_str().unwrap().to_owned();
    let refund = json!({ "reason": "the charger was broken" });
    shop.post(&format!("/api/v1/sessions/{session}/refund"), refund).await;
    let all = shop.until(OF_KARI, |all| all[0]["status"] == "settled").await;
    assert_eq!((&all[2]["id"], &all[2]["status"]), (&invoice["id"], &json!("cancelled")), "{all}");
    assert_eq!(operator.kept.lock().unwrap().cancelled, 1);
    shop.stop().await;
}
both!(an_invoice_of_which_the_channel_says_no_more_holds_nothing_up);

async fn what_certainly_did_not_go_out_is_not_sent_to_be_taken_back(place: Place) {
    // Nothing is tried again by itself for some minutes.
    let (shop, operator) = open_with(&place, &all_files(), slow()).await;
    shop.detour.meet("/invoices", Trouble::NoConnection);
    shop.charge("O-1", "CARD-1").await;
    let failed = |rows: &Value| rows[0]["state"] == "waiting" && rows[0]["attempts"] == 1;
    shop.until("/api/v1/outbox", failed).await;
    // The next one waits behind it, and is given up before anybody was asked.
    shop.charge("O-2", "CARD-1").await;
    let rows = shop.until("/api/v1/outbox", |rows| rows[1].is_object()).await;
    assert_eq!((&rows[0]["state"], &rows[0]["attempts"]), (&json!("waiting"), &json!(0)), "{rows}");
    let give_up = format!("/api/v1/outbox/{}/give-up", rows[0]["id"].as_str().unwrap());
    shop.post(&give_up, json!({ "reason": "it takes too long" })).await;
    let all = shop.until(OF_KARI, |all| all[0]["status"] == "to-print").await;
    let behind = all[0]["id"].clone();

    let session = shop.bill("O-1").await["session"].as_str().unwrap().to_owned();
    let refund = json!({ "reason": "the charger was broken" });
    shop.post(&format!("/api/v1/sessions/{session}/refund"), refund).await;
    let all = shop.until(OF_KARI, |all| all[0]["status"] == "settled").await;
    assert_eq!((&all[1]["id"], &all[2]["status"]), (&behind, &json!("cancelled")), "{all}");
    assert!(shop.rows("recall").await.is_empty() && operator.taken().is_empty());

    // The channel certainly does not have the other one.
    shop.post(&format!("/api/v1/invoices/{}/send", behind.as_str().unwrap()), Value::Null).await;
    let sent = shop.until(&format!("{OF_KARI}&status=sent"), |all| all[0].is_object()).await;
    let taken = operator.taken();
    assert_eq!((&sent[0]["id"], taken.len()), (&behind, 1), "{sent}");
    assert_eq!(taken[0]["invoiceNumber"], sent[0]["number"]);
    let to_print = shop.to_print().await.len();
    assert_eq!((operator.kept.lock().unwrap().cancelled, to_print), (0, 0));
    shop.stop().await;
}
both!(what_certainly_did_not_go_out_is_not_sent_to_be_taken_back);

/// The gateway that is killed: this test again, as a program of its own.
#[test]
#[ignore = "started by the test below"]
fn worker() {
    // Whoever runs all ignored tests does not mean this one.
    let Ok(folder) = std::env::var("TAKST_INVOICING_FOLDER") else { return };
    run(async {
        let folder = PathBuf::from(folder);
        let port = std::env::var("TAKST_INVOICING_PORT").unwrap().parse().unwrap();
        let operator = std::env::var("TAKST_INVOICING_OPERATOR").unwrap();
        let detour = Detour::new(&[("operator.example.com", &operator)]);
        detour.meet("/invoices", Trouble::Silence);
        let database = std::env::var("TAKST_INVOICING_DATABASE").ok();
        let plan = plan(&folder, database, &folder.join("setup"), port);
        let given = Given { transport: Some(detour), outbox: quick(), ..Given::default() };
        let _gateway = plan.start_with(given).await.unwrap_or_else(|error| panic!("{error}"));
        std::future::pending::<()>().await;
    });
}

fn start(place: &Place, port: u16, operator: &Operator) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--ignored", "--exact", "invoices::worker"])
        .env("TAKST_INVOICING_FOLDER", place.dir.path())
        .env("TAKST_INVOICING_OPERATOR", &operator.address)
        .env("TAKST_INVOICING_PORT", port.to_string())
        .stdout(Stdio::null());
    if !place.is_sqlite() {
        command.env("TAKST_INVOICING_DATABASE", &place.url);
    }
    command.spawn().unwrap()
}

async fn a_gateway_that_is_killed_while_it_sends_sends_once(place: Place) {
    let (shop, operator) = open(&place).await;
    let key = shop.key.clone();
    shop.stop().await;
    let port = crate::peer::port(if place.is_sqlite() { 29 } else { 30 });
    let mut child = start(&place, port, &operator);
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    for _ in 0..600 {
        if tokio::net::TcpStream::connect(address).await.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // It sends, the operator takes it over, and it dies before it hears.
    Shop::elsewhere(address, key).charge("O-1", "CARD-1").await;
    for _ in 0..600 {
        if !operator.taken().is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // SIGKILL.
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(operator.taken().len(), 1);

    let shop = again(&place, &operator).await;
    let sent = shop.invoice("d-1", "sent").await;
    assert_eq!((operator.taken().len(), &sent["theirs"]), (1, &json!("I-1")));
    assert_eq!(shop.detour.count("POST /efaktura/v1/invoices"), 0, "it was looked up");
    assert!(shop.to_print().await.is_empty());
    shop.stop().await;
}
both!(a_gateway_that_is_killed_while_it_sends_sends_once);
