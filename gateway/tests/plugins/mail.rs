//! Receipts and invoices by e-mail, through a mail server that is another program on this machine.

use crate::operator::Operator;
use crate::peer::{self, Peer};
use crate::shop::*;
use crate::store_support::*;
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

const PACKAGES: [&str; 1] = ["aiosmtpd==1.4.6"];

struct Server {
    peer: Peer,
    folder: tempfile::TempDir,
}

impl Server {
    fn start(nth: u16, more: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/plugins/mail.py");
        let arguments = [&[folder.path().to_str().unwrap()], more].concat();
        let scratch = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let peer = peer::start(&script, scratch, &PACKAGES, nth, &arguments);
        Self { peer, folder }
    }

    fn port(&self) -> &str {
        self.peer.address.rsplit_once(':').unwrap().1
    }

    /// What it took, in order.
    fn taken(&self) -> Vec<Value> {
        let entries = std::fs::read_dir(self.folder.path()).unwrap();
        let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.retain(|path| path.extension().is_some_and(|ending| ending == "json"));
        paths.sort();
        paths
            .iter()
            .map(|path| serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap())
            .collect()
    }
}

fn people(addresses: &[&str]) -> (String, String) {
    let one = |(nth, address): (usize, &&str)| {
        format!(
            "[[person]]\ndriver = \"d-{}\"\nname = \"Kari Nordmann\"\nemail = \"{address}\"\nlanguage = \"nb\"\n\n",
            nth + 1
        )
    };
    ("people.toml".to_owned(), addresses.iter().enumerate().map(one).collect())
}

fn with_mail(files: &mut [(String, String)], mail: &str) {
    for (_, text) in files.iter_mut().filter(|(name, _)| name == "takst.toml") {
        text.push_str(&format!("\n[mail]\nfrom = \"Takst <receipts@takst.example>\"\n{mail}\n"));
    }
}

async fn row(shop: &Shop, driver: &str, state: &str) -> Value {
    let is =
        |row: &Value| row["kind"] == "mail" && row["state"] == state && row["request"]["driver"] == driver;
    let rows = shop.until("/api/v1/outbox", |rows| rows.as_array().unwrap().iter().any(is)).await;
    rows.as_array().unwrap().iter().find(|row| is(row)).unwrap().clone()
}

async fn a_driver_gets_the_receipt_of_his_bill(place: Place) {
    let server = Server::start(if place.is_sqlite() { 31 } else { 32 }, &[]);
    let mut files = files("stripe", "");
    with_mail(
        &mut files,
        &format!(
            "server = \"127.0.0.1\"\nport = {}\nsecurity = \"none\"\nreply_to = \"help@takst.example\"",
            server.port()
        ),
    );
    files.push(people(&["kari@example.org", "later@example.org", "lost@example.org"]));
    put_down(&place.dir.path().join("setup"), &files);
    let shop = Shop::through(&place, quick(), Detour::new(&[])).await;
    shop.charge("O-1", "CARD-1").await;
    let first = row(&shop, "d-1", "done").await;
    let [receipt] = <[Value; 1]>::try_from(server.taken()).unwrap();
    assert_eq!(
        (&receipt["from"], &receipt["to"]),
        (&json!("Takst <receipts@takst.example>"), &json!("kari@example.org"))
    );
    assert_eq!(
        (&receipt["reply-to"], &receipt["subject"]),
        (&json!("help@takst.example"), &json!("Receipt A-0001, S"))
    );
    let bill = shop.bill("O-1").await;
    let path = format!("/api/v1/bills/{}/receipt", bill["id"].as_str().unwrap());
    // The same text and the same page as they are shown here.
    let lines = |text: &Value| text.as_str().unwrap().replace("\r\n", "\n").trim().to_owned();
    assert_eq!(lines(&receipt["text"]), shop.ask("GET", &path, Value::Null).await.body.trim());
    assert!(receipt["html"].as_str().unwrap().contains("<html") && lines(&receipt["html"]).contains("20.00"));
    let id = first["idempotency_key"].as_str().unwrap();
    assert_eq!(receipt["message-id"], format!("<{id}@takst.example>"));
    // Who he is stands in one place.
    assert!(!first.to_string().contains("example.org"), "{first}");

    // One that is put off comes later, once; one that nobody knows of comes twice under one name; without an address nothing is asked.
    for driver in 2..=4 {
        shop.charge(&format!("O-{driver}"), &format!("CARD-{driver}")).await;
    }
    assert_eq!(row(&shop, "d-2", "done").await["attempts"], 2);
    assert_eq!(row(&shop, "d-3", "done").await["attempts"], 2);
    shop.bill("O-4").await;
    let to = |address: &str| -> Vec<Value> {
        server
            .taken()
            .into_iter()
            .filter(|one| one["to"] == address)
            .map(|one| one["message-id"].clone())
            .collect()
    };
    assert_eq!(to("later@example.org").len(), 1);
    let [one, two] = <[Value; 2]>::try_from(to("lost@example.org")).unwrap();
    assert_eq!(one, two);
    let mails = shop.get("/api/v1/outbox").await;
    assert_eq!(mails.as_array().unwrap().iter().filter(|row| row["kind"] == "mail").count(), 3, "{mails}");

    // A credit note too.
    let session = bill["session"].as_str().unwrap();
    shop.post(&format!("/api/v1/sessions/{session}/refund"), json!({ "reason": "the charger was broken" }))
        .await;
    for _ in 0..200 {
        if to("kari@example.org").len() == 2 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let all = server.taken();
    assert_eq!(all.last().unwrap()["subject"], "Credit note A-0005, S", "{all:?}");
    assert_eq!(shop.get("/api/v1/incidents?open=true").await, json!([]));
    shop.stop().await;
}
both!(a_driver_gets_the_receipt_of_his_bill);

#[test]
fn mail_goes_out_over_tls_to_whoever_the_authority_vouches_for() {
    run(async {
        let folder = tempfile::tempdir().unwrap();
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let put = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let (pem, key) = (put("cert.pem", &certificate.pem()), put("key.pem", &key.serialize_pem()));
        let server = Server::start(33, &[&pem, &key]);
        let place = Place::sqlite();
        let mut files = files("stripe", "");
        let mail = format!(
            "server = \"localhost\"\nport = {}\nuser = \"takst\"\npassword = {{ file = \"smtp_password\" }}\nroots = \"roots.pem\"",
            server.port()
        );
        with_mail(&mut files, &mail);
        files.push(people(&["kari@example.org"]));
        files.push(("smtp_password".to_owned(), "wrong\n".to_owned()));
        files.push(("roots.pem".to_owned(), certificate.pem()));
        let setup = place.dir.path().join("setup");
        put_down(&setup, &files);
        let shop = Shop::through(&place, quick(), Detour::new(&[])).await;
        shop.charge("O-1", "CARD-1").await;
        let waits = row(&shop, "d-1", "waiting").await;
        let path = format!("/api/v1/outbox/{}", waits["id"].as_str().unwrap());
        let waits = shop.until(&path, |row| row["code"] == "login").await;
        assert!(!waits.to_string().contains("wrong"), "{waits}");
        assert!(server.taken().is_empty());
        // The right password, once somebody has written it down; a change of the set-up reads it.
        std::fs::write(setup.join("smtp_password"), "sesame-open\n").unwrap();
        shop.gateway.as_ref().unwrap().house.reload(takst_gateway_now()).await.unwrap();
        row(&shop, "d-1", "done").await;
        let [receipt] = <[Value; 1]>::try_from(server.taken()).unwrap();
        assert_eq!((&receipt["tls"], &receipt["user"]), (&json!(true), &json!("takst")));
        shop.stop().await;
    });
}

fn takst_gateway_now() -> takst_engine::units::Instant {
    takst_engine::units::Instant(i64::try_from(now_s()).unwrap() * 1_000)
}

#[test]
fn an_invoice_that_the_channel_does_not_take_goes_by_mail_and_then_on_paper() {
    run(async {
        let place = Place::sqlite();
        let server = Server::start(34, &[]);
        let operator = Operator::start().await;
        let mut files = crate::invoices::all_files();
        let mail = format!("server = \"127.0.0.1\"\nport = {}\nsecurity = \"none\"", server.port());
        with_mail(&mut files, &mail);
        files.retain(|(name, _)| name != "people.toml");
        // Nobody of this name has agreed to anything.
        let (name, text) = people(&["ola@example.org", "no@example.org"]);
        files.push((name, text.replace("Kari", "Unknown")));
        put_down(&place.dir.path().join("setup"), &files);
        let detour = Detour::new(&[("operator.example.com", &operator.address)]);
        let shop = Shop::through(&place, quick(), detour).await;
        shop.charge("O-1", "CARD-1").await;
        let sent = shop.until("/api/v1/invoices?debtor=driver:d-1", |all| all[0]["status"] == "sent").await;
        assert_eq!(sent[0]["way"], "email", "{sent}");
        assert!(sent[0]["reason"].as_str().unwrap().starts_with("no-consent"), "{sent}");
        let [mail] = <[Value; 1]>::try_from(server.taken()).unwrap();
        assert_eq!((&mail["to"], &mail["subject"]), (&json!("ola@example.org"), &json!("Faktura A-0001, S")));
        for part in ["Betales innen: ", "8601 11 17947", "0000000018", "20.00 NOK"] {
            assert!(mail["text"].as_str().unwrap().contains(part), "{part}: {mail}");
        }
        assert!(mail["html"].as_str().unwrap().contains("0000000018"), "{mail}");
        // His mail server does not know him: paper.
        shop.charge("O-2", "CARD-2").await;
        let paper =
            shop.until("/api/v1/invoices?debtor=driver:d-2", |all| all[0]["status"] == "to-print").await;
        assert!(paper[0]["reason"].as_str().unwrap().starts_with("recipient-refused"), "{paper}");
        assert_eq!((server.taken().len(), operator.taken().len()), (1, 0));
        let open = shop.get("/api/v1/incidents?open=true").await;
        assert_eq!(
            (open.as_array().unwrap().len(), &open[0]["kind"]),
            (1, &json!("invoice.print")),
            "{open}"
        );
        shop.stop().await;
    });
}
