//! What a whole gateway does for a charger by itself: OCPP 2.1's default tariff.

use crate::net_support::*;
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;
use takst_gateway::gateway::{Gateway, Plan};
use takst_gateway::house::Source;
use takst_gateway::tls::Files;
use takst_gateway::{live, serve};

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

async fn gateway(dir: &Path, tls: Option<Files>) -> Gateway {
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

fn write(dir: &Path, name: &str, text: &str) {
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
