//! What a whole gateway does for a charger by itself: OCPP 2.1's default tariff, and certificates that chargers ask for.

use crate::net_support::*;
use crate::tls::client;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use takst_engine::units::{DAY_MS, Instant};
use takst_gateway::gateway::{Gateway, Plan};
use takst_gateway::house::Source;
use takst_gateway::pki::Authority;
use takst_gateway::store::OrgId;
use takst_gateway::tls::Files;
use takst_gateway::{live, serve};

fn now() -> Instant {
    Instant(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis().try_into().unwrap())
}

fn set_up(profile: u8, settings: &str) -> String {
    let password = if profile < 3 { ", password = { file = \"secret\" }" } else { "" };
    format!(
        "[organisation]\nid = \"home\"\nname = \"Home\"\n\n[[seller]]\nid = \"s\"\nname = \"S\"\n\n[[site]]\nid = \"yard\"\n\
         name = \"Yard\"\ntime_zone = \"Europe/Helsinki\"\nseller = \"s\"\n\n[settings]\n{settings}\n\n[[charger]]\nid = \"CP1\"\n\
         site = \"yard\"\nsecurity = {{ profile = {profile}{password} }}\n\n[[charger.connector]]\n\
         evse = 1\ntype = \"CCS\"\nmax_power_kw = 50\n\n[[charger.connector]]\nevse = 2\ntype = \"Type2\"\nmax_power_kw = 22\n\n\
         [[group]]\nid = \"members\"\n\n[[driver]]\nid = \"d-1\"\n\n[[driver]]\nid = \"d-2\"\ngroups = [\"members\"]\n\n\
         [[token]]\nuid = \"GUEST\"\ndriver = \"d-1\"\n\n[[token]]\nuid = \"MEMBER\"\ndriver = \"d-2\"\n\n[[tariff]]\n\
         file = \"day.tariff\"\nsite = \"yard\"\n"
    )
}

fn list(price: &str) -> String {
    format!(
        "tariff \"Day\"\n  currency: EUR\n  time zone: Europe/Helsinki\n  prices: including VAT\n\nVAT: 24%\n\n\
         groups: members, everyone else guests\n\nenergy:\n  0.124 EUR/kWh for members\n  {price} EUR/kWh otherwise\n"
    )
}

pub async fn gateway(dir: &Path, tls: Option<Files>) -> Gateway {
    let listen = vec!["127.0.0.1:0".parse().unwrap()];
    let mut options = serve::Options { listen, ..serve::Options::default() };
    if let Some(tls) = tls {
        options.listen_tls = std::mem::take(&mut options.listen);
        options.tls = Some(tls);
    }
    let plan = Plan {
        data: dir.join("data"),
        database: None,
        source: Source::Path(dir.join("setup")),
        options,
        open: false,
        live: live::Options::default(),
    };
    plan.start().await.unwrap()
}

pub fn write(dir: &Path, name: &str, text: &str) {
    std::fs::create_dir_all(dir.join("setup")).unwrap();
    std::fs::write(dir.join("setup").join(name), text).unwrap();
}

// Answers what the gateway asks until it asks this; the request's payload, which is answered with `answer`.
async fn until_asked(plug: &mut Plug, wanted: &str, answer: Value) -> Value {
    for _ in 0..40 {
        let call =
            tokio::time::timeout(Duration::from_secs(60), plug.socket_text()).await.expect("a request");
        let call: Value = serde_json::from_str(&call).unwrap();
        if call[0] != 2 {
            continue;
        }
        let (action, payload) = (call[2].as_str().unwrap(), &call[3]);
        let result = match action {
            _ if action == wanted => answer.clone(),
            "SetVariables" => {
                let of = |set: &Value| json!({"attributeStatus": "Accepted", "component": set["component"], "variable": set["variable"]});
                json!({"setVariableResult": payload["setVariableData"].as_array().unwrap().iter().map(of).collect::<Vec<_>>()})
            }
            _ => json!({"status": "Accepted"}),
        };
        plug.send(json!([3, call[1], result]).to_string()).await;
        if action == wanted {
            return payload.clone();
        }
    }
    panic!("{wanted} was not asked");
}

#[test]
fn a_charger_of_2_1_is_told_its_tariff_and_a_member_his_own() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), "secret", "correct horse battery");
        write(dir.path(), "takst.toml", &set_up(1, "tokens_offline = \"none\""));
        write(dir.path(), "day.tariff", &list("0.248"));
        let gateway = gateway(dir.path(), None).await;
        let address = gateway.server.addresses()[0];
        let password = basic("CP1", b"correct horse battery");
        let mut plug = Plug::connect(address, "/ocpp/CP1", &["ocpp2.1"], Some(&password)).await.unwrap();
        plug.boot().await;
        let ask = json!({"idToken": {"idToken": "MEMBER", "type": "ISO14443"}});
        assert!(
            plug.ask("Authorize", ask.clone()).await.get("tariff").is_none(),
            "nobody knows yet whether it can"
        );
        let told = until_asked(&mut plug, "SetDefaultTariff", json!({"status": "Accepted"})).await;
        let day = &told["tariff"];
        assert_eq!((&told["evseId"], &day["currency"]), (&json!(0), &json!("EUR")), "{told}");
        assert_eq!(day["energy"]["prices"], json!([{"priceKwh": 0.2}]), "{told}");
        assert_eq!(day["energy"]["taxRates"], json!([{"type": "VAT", "tax": 24}]), "{told}");
        // A member pays less, and his charger is told so, once it is known to take tariffs; a guest pays what everybody pays.
        let mut member = Value::Null;
        for _ in 0..100 {
            member = plug.ask("Authorize", ask.clone()).await;
            if member.get("tariff").is_some() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(member["tariff"]["energy"]["prices"], json!([{"priceKwh": 0.1}]), "{member}");
        assert_ne!(member["tariff"]["tariffId"], day["tariffId"]);
        let guest = plug.ask("Authorize", json!({"idToken": {"idToken": "GUEST", "type": "ISO14443"}})).await;
        assert_eq!(
            (&guest["idTokenInfo"]["status"], guest.get("tariff")),
            (&json!("Accepted"), None),
            "{guest}"
        );
        // Another price is another tariff; this charger will not have it, and is not asked again.
        write(dir.path(), "day.tariff", &list("0.372"));
        let other = until_asked(&mut plug, "SetDefaultTariff", json!({"status": "TooManyElements"})).await;
        assert_eq!(other["tariff"]["energy"]["prices"], json!([{"priceKwh": 0.3}]), "{other}");
        assert_ne!(other["tariff"]["tariffId"], day["tariffId"]);
        assert!(plug.is_silent(12_000).await, "what was refused is not repeated");
        // After a boot it is told again; then the list follows the spot price, and what was told is taken back.
        let again = plug
            .ask(
                "BootNotification",
                json!({"reason": "PowerUp", "chargingStation": {"model": "M", "vendorName": "V"}}),
            )
            .await;
        assert_eq!(again["status"], "Accepted");
        let again = until_asked(&mut plug, "SetDefaultTariff", json!({"status": "DuplicateTariffId"})).await;
        assert_eq!(again["tariff"]["tariffId"], other["tariff"]["tariffId"]);
        write(dir.path(), "day.tariff", &list("spot + 0.01"));
        let cleared = json!({"clearTariffsResult": [{"status": "Accepted"}]});
        let gone = until_asked(&mut plug, "ClearTariffs", cleared).await;
        assert_eq!(gone["tariffIds"], json!([other["tariff"]["tariffId"]]), "{gone}");
        gateway.server.stop().await;
    });
}

// A signing request and its key.
fn request(name: &str, organisation: &str) -> (String, String) {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    params.distinguished_name.push(rcgen::DnType::OrganizationName, organisation);
    (params.serialize_request(&key).unwrap().pem().unwrap(), key.serialize_pem())
}

#[test]
fn a_charger_asks_for_a_certificate_gets_it_and_comes_back_with_it() {
    for protocol in ["ocpp1.6", "ocpp2.0.1", "ocpp2.1"] {
        run(async {
            let dir = tempfile::tempdir().unwrap();
            write(dir.path(), "secret", "correct horse battery");
            write(
                dir.path(),
                "takst.toml",
                &set_up(2, "tokens_offline = \"none\"\ncertificate_valid_for = \"20 days\""),
            );
            write(dir.path(), "day.tariff", &list("0.248"));
            let authority = Authority::init(&dir.path().join("data/pki"), "Test authority", now()).unwrap();
            let server = authority.server(&["localhost".to_owned()], 30, now()).unwrap();
            let tls = Files {
                certificate: server.certificate,
                key: server.key.unwrap(),
                client_ca: Some(authority.certificate_path()),
            };
            let running = gateway(dir.path(), Some(tls.clone())).await;
            let url = |gateway: &Gateway| {
                format!("wss://localhost:{}/ocpp/CP1", gateway.server.tls_addresses()[0].port())
            };
            let password = basic("CP1", b"correct horse battery");
            let trusts = client(authority.certificate(), None);
            let mut plug =
                Plug::connect_tls(&url(&running), &[protocol], Some(&password), Arc::clone(&trusts))
                    .await
                    .unwrap();
            plug.boot().await;
            // What is not its own, or says that somebody else runs it, or is no request, is refused and nothing is made.
            let (own, key) = request("CP1", "Home");
            for wrong in
                [request("CP2", "Home").0, request("CP1", "Somebody").0, "nonsense".to_owned(), broken(&own)]
            {
                let answer = plug.ask("SignCertificate", json!({"csr": wrong})).await;
                assert_eq!(answer["status"], "Rejected", "{wrong}");
            }
            assert_eq!(authority.list().unwrap().len(), 1, "only the server's");
            // Asked twice, as chargers do that do not get theirs soon: it is the same certificate.
            for id in ["s1", "s2"] {
                plug.send(json!([2, id, "SignCertificate", {"csr": own}]).to_string()).await;
            }
            let first = until_asked(&mut plug, "CertificateSigned", json!({"status": "Accepted"})).await;
            let chain = first["certificateChain"].as_str().unwrap().to_owned();
            assert_eq!(
                until_asked(&mut plug, "CertificateSigned", json!({"status": "Accepted"})).await,
                first
            );
            let issued = authority.list().unwrap();
            assert_eq!((issued.len(), issued[1].name.as_str()), (2, "CP1"));
            assert!(issued[1].until_ms <= now().0 + 20 * DAY_MS);
            let mut audit = Vec::new();
            for _ in 0..100 {
                let mut reader = running.store.read().await.unwrap();
                audit = reader.audit_log(&OrgId::new("home"), Some("CP1"), None, 10).await.unwrap();
                if audit.iter().any(|entry| entry.what == "certificate.taken") {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            let what: Vec<&str> = audit.iter().map(|entry| entry.what.as_str()).collect();
            assert!(what.contains(&"certificate.issue") && what.contains(&"certificate.taken"), "{what:?}");
            assert!(audit.iter().any(|entry| entry.after_doc.as_ref().unwrap().contains(&issued[1].serial)));
            // It will not take the next one: that one is revoked.
            assert_eq!(
                plug.ask("SignCertificate", json!({"csr": request("CP1", "Home").0})).await["status"],
                "Accepted"
            );
            until_asked(&mut plug, "CertificateSigned", json!({"status": "Rejected"})).await;
            until("the refused one is revoked", || authority.list().unwrap()[2].revoked_ms.is_some()).await;
            running.server.stop().await;
            drop(plug);

            // From now on it needs the certificate.
            write(dir.path(), "secret", "correct horse battery");
            write(
                dir.path(),
                "takst.toml",
                &set_up(3, "tokens_offline = \"none\"\ncertificate_renewal = \"30 days\""),
            );
            let running = gateway(dir.path(), Some(tls)).await;
            let refused = Plug::connect_tls(&url(&running), &[protocol], Some(&password), trusts).await;
            assert!(refused.err().unwrap().to_string().contains("403"));
            let shows = client(authority.certificate(), Some((&chain, key.as_bytes())));
            let mut plug = Plug::connect_tls(&url(&running), &[protocol], None, shows).await.unwrap();
            plug.boot().await;
            assert!(plug.ask("Heartbeat", json!({})).await["currentTime"].is_string());
            running.server.stop().await;
        });
    }
}

// The same request with another signature.
fn broken(request: &str) -> String {
    let mut lines: Vec<String> = request.lines().map(str::to_owned).collect();
    let place = lines.len() - 2;
    let flipped = if lines[place].starts_with('A') { "B" } else { "A" };
    lines[place].replace_range(..1, flipped);
    lines.join("\n")
}

#[test]
fn without_an_authority_requests_are_refused_with_a_reason() {
    run(async {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), "secret", "correct horse battery");
        write(dir.path(), "takst.toml", &set_up(1, "tokens_offline = \"none\""));
        write(dir.path(), "day.tariff", &list("0.248"));
        let gateway = gateway(dir.path(), None).await;
        let password = basic("CP1", b"correct horse battery");
        let address = gateway.server.addresses()[0];
        let mut plug = Plug::connect(address, "/ocpp/CP1", &["ocpp2.0.1"], Some(&password)).await.unwrap();
        plug.boot().await;
        let answer = plug.ask("SignCertificate", json!({"csr": request("CP1", "Home").0})).await;
        assert_eq!(answer["status"], "Rejected");
        assert!(
            answer["statusInfo"]["additionalInfo"].as_str().unwrap().contains("takst pki init"),
            "{answer}"
        );
        gateway.server.stop().await;
    });
}
