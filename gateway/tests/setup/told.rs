//! What the API tells of chargers: without their secrets, by any spelling of their name, in the words that were promised.

use crate::office::{MAIN, Office, flat, now, org, run, until};
use crate::plug::{Plug, raw};
use serde_json::{Value, json};
use std::time::Duration;
use takst_gateway::api::Role;
use takst_gateway::chargers::time::write;
use takst_gateway::store::{Incident, Lane, Tx, new_id};

const WORD: &str = "zq9-very-secret-word";

/// Gives an order while the charger answers what it is asked, each time where `about` stands in it, and all else as it comes; the answer of
/// the API, and what the charger was asked.
async fn order(
    office: &Office,
    plug: &mut Plug,
    (path, order): (&str, Value),
    (about, answers): (&str, &[Value]),
) -> (Value, Vec<Value>) {
    let mut heard = Vec::new();
    let obeys = async {
        while let Some(answer) = answers.get(heard.len()) {
            let call = plug.json().await;
            assert_eq!(call[0], 2, "{call}");
            let is_it = call.to_string().contains(about);
            let other = json!({"status": "Accepted"});
            plug.send(json!([3, call[1], if is_it { answer } else { &other }]).to_string()).await;
            heard.extend(is_it.then_some(call));
        }
    };
    let (answer, ()) = tokio::join!(office.ask("POST", path, order), obeys);
    assert_eq!(answer.status, 200, "{answer:?}");
    (answer.body, heard)
}

async fn frames(office: &Office, charger: &str, contains: &str, many: usize) -> String {
    let path = format!("/v1/chargers/{charger}/frames?contains={contains}");
    let mut found = Value::Null;
    until("frames are kept", async || {
        found = office.get(&path).await;
        found.as_array().unwrap().len() >= many
    })
    .await;
    found.to_string()
}

#[test]
fn no_secret_is_kept_of_what_is_said_in_either_direction() {
    run(async {
        let office = Office::open().await;
        let mut plug = Plug::connect(office.address, "/ocpp/O-1", &["ocpp1.6"], None).await.unwrap();
        plug.boot().await;
        let commands = "/v1/chargers/O-1/commands";
        let set = json!({"do": "set-configuration", "key": "AUTHORIZATIONKEY", "value": WORD});
        let (_, heard) =
            order(&office, &mut plug, (commands, set), (WORD, &[json!({"status": "Accepted"})])).await;
        // The charger is told it all the same.
        assert_eq!(heard[0][3]["value"], WORD);
        let read = json!({"configurationKey": [
            {"key": "HeartbeatInterval", "readonly": false, "value": "300"},
            {"key": "AuthorizationKey", "readonly": false, "value": WORD},
        ]});
        let get = json!({"do": "get-configuration", "keys": ["AuthorizationKey", "HeartbeatInterval"]});
        order(&office, &mut plug, (commands, get), ("AuthorizationKey", &[read])).await;
        let location = format!("ftp://maker:{WORD}@ftp.example.org/f.bin");
        let update = json!({"do": "update-firmware", "request": 1, "location": location});
        let (_, heard) =
            order(&office, &mut plug, (commands, update), ("UpdateFirmware", &[json!({})])).await;
        assert_eq!(heard[0][3]["location"], location);
        let data = json!({"vendorId": "maker", "messageId": "SetWifi", "data": format!("{{\"wifiPassword\":\"{WORD}\"}}")});
        plug.ask("DataTransfer", data).await;

        // Frames are written down every half second.
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        let told = frames(&office, "O-1", "ChangeConfiguration", 1).await
            + &frames(&office, "O-1", "HeartbeatInterval", 1).await
            + &frames(&office, "O-1", "UpdateFirmware", 1).await
            + &frames(&office, "O-1", "SetWifi", 1).await
            + &office.get(commands).await.to_string();
        assert!(!told.contains(WORD), "{told}");
        for kept in
            ["AUTHORIZATIONKEY", "(not kept)", "\\\"300\\\"", "ftp://maker:(not kept)@ftp.example.org/f.bin"]
        {
            assert!(told.contains(kept), "{kept}: {told}");
        }
        // Nor in any file of the data, facts and events included.
        drop(plug);
        let dir = office.dir.path().join("data");
        office.gateway.server.stop().await;
        let mut files = vec![dir];
        while let Some(path) = files.pop() {
            if path.is_dir() {
                files.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
                continue;
            }
            let bytes = std::fs::read(&path).unwrap();
            assert!(!bytes.windows(WORD.len()).any(|found| found == WORD.as_bytes()), "{}", path.display());
        }
    });
}

#[test]
fn letters_in_either_case_name_the_same_charger() {
    run(async {
        let setup = MAIN.replace(
            "seller = \"s\"\n\n[settings]",
            "seller = \"s\"\nunknown_chargers = { policy = \"accept\" }\n\n[settings]",
        );
        let office = Office::with(&[("takst.toml", &setup), ("flat.tariff", &flat("2.00"))]).await;
        let mut plug = Plug::connect(office.address, "/ocpp/o-1", &["ocpp1.6"], None).await.unwrap();
        plug.boot().await;
        for path in ["O-1", "o-1"] {
            assert_eq!(office.get(&format!("/v1/chargers/{path}")).await["id"], "O-1");
            office.get(&format!("/v1/chargers/{path}/frames")).await;
            let path = format!("/v1/chargers/{path}/commands");
            let answers = [json!({"status": "Accepted"})];
            order(&office, &mut plug, (&path, json!({"do": "clear-cache"})), ("ClearCache", &answers)).await;
            assert!(!office.get(&path).await.as_array().unwrap().is_empty());
        }
        let started = plug
            .ask(
                "StartTransaction",
                json!({"connectorId": 1, "idTag": "CARD", "meterStart": 0, "timestamp": write(now())}),
            )
            .await;
        assert_eq!(started["idTagInfo"]["status"], "Accepted", "{started}");
        assert_eq!(office.get("/v1/sessions?charger=o-1").await.as_array().unwrap().len(), 1);
        assert_eq!(office.get("/v1/sessions?charger=o-2").await, json!([]));
        let open = |kind: &str, charger: Option<&str>, document: Value| Incident {
            id: new_id(),
            charger: charger.map(str::to_owned),
            subject: kind.to_owned(),
            kind: kind.to_owned(),
            severity: "warning".to_owned(),
            opened_at: now(),
            closed_at: None,
            document: document.to_string(),
        };
        let rows = [
            open("test", Some("O-1"), json!({"before": null, "text": "x"})),
            open("feed.changed", None, json!({"changed": [[1_767_225_600_000_i64, 1_767_229_200_000_i64]]})),
        ];
        let unit = async move |tx: &mut Tx| {
            for row in &rows {
                tx.open_incident(&org(), row).await?;
            }
            Ok(())
        };
        office.gateway.store.write(Lane::org(&org()), unit).await.unwrap();
        for list in ["/v1/incidents?charger=o-1", "/v1/incidents?open=true&charger=o-1"] {
            let found = office.get(list).await;
            assert_eq!(found.as_array().unwrap().len(), 1, "{found}");
            assert_eq!(found[0]["about"], json!({"text": "x"}), "left out, never null");
        }
        let all = office.get("/v1/incidents").await.to_string();
        assert!(all.contains(r#"[["2026-01-01T00:00:00Z","2026-01-01T01:00:00Z"]]"#), "{all}");

        // A guest is called as he was at first.
        for path in ["/ocpp/E5two", "/ocpp/e5TWO"] {
            let mut plug = Plug::connect(office.address, path, &["ocpp1.6"], None).await.unwrap();
            plug.boot().await;
        }
        let all = office.get("/v1/chargers").await;
        let ids: Vec<&str> = all.as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap()).collect();
        assert_eq!(ids, ["E5two", "O-1"]);
        assert_eq!(office.ask("GET", "/v1/chargers/o-9", Value::Null).await.status, 404);
        let campaign = json!({"name": "x", "firmware": {"location": format!("https://u:{WORD}@example.org/f.bin")},
            "chargers": {"ids": ["o-1"]}});
        let made = office.ask("POST", "/v1/campaigns", campaign).await;
        assert_eq!((made.status, &made.body["chargers"][0]["charger"]), (201, &json!("O-1")), "{made:?}");
        let told = made.body.to_string() + &office.get("/v1/audit").await.to_string();
        assert!(!told.contains(WORD) && told.contains("https://u:(not kept)@example.org/f.bin"), "{told}");
        office.gateway.server.stop().await;
    });
}

#[test]
fn the_state_is_asked_for_connector_by_connector_in_2_x() {
    run(async {
        let setup = MAIN.replace(
            "[[driver]]",
            "[[charger.connector]]\nevse = 2\ntype = \"Type2\"\nmax_power_kw = 22\n\n[[driver]]",
        );
        let office = Office::with(&[("takst.toml", &setup), ("flat.tariff", &flat("2.00"))]).await;
        let mut plug = Plug::connect(office.address, "/ocpp/O-1", &["ocpp2.0.1"], None).await.unwrap();
        plug.boot().await;
        let state =
            json!({"timestamp": write(now()), "connectorStatus": "Available", "evseId": 1, "connectorId": 2});
        plug.ask("StatusNotification", state).await;
        let path = "/v1/chargers/O-1/commands";
        let ok = json!({"status": "Accepted"});
        let evse = |call: &Value| (call[3]["evse"]["id"].as_i64(), call[3]["evse"]["connectorId"].as_i64());
        // All that it has told of, and those of the set-up that have told nothing yet.
        let status = json!({"do": "trigger", "message": "status"});
        let (done, heard) =
            order(&office, &mut plug, (path, status), ("StatusNotification", &[ok.clone(), ok.clone()]))
                .await;
        assert_eq!(heard.iter().map(evse).collect::<Vec<_>>(), [(Some(1), Some(2)), (Some(2), Some(1))]);
        assert_eq!(done["outcome"], json!({"status": "Accepted"}), "left out, never null");
        let kept = office.get(path).await;
        let order_given = json!({"do": "trigger", "message": "Status"});
        let kept =
            kept.as_array().unwrap().iter().find(|one| one["order"] == order_given).expect("the order");
        assert_eq!(kept["outcome"], json!({"status": "Accepted"}));
        let one = json!({"do": "trigger", "message": "status", "evse": 1});
        let (_, heard) =
            order(&office, &mut plug, (path, one), ("StatusNotification", std::slice::from_ref(&ok))).await;
        assert_eq!(heard.iter().map(evse).collect::<Vec<_>>(), [(Some(1), Some(2))]);
        let named = json!({"do": "trigger", "message": "status", "evse": 3, "connector": 4});
        let (_, heard) =
            order(&office, &mut plug, (path, named), ("StatusNotification", std::slice::from_ref(&ok))).await;
        assert_eq!(heard.iter().map(evse).collect::<Vec<_>>(), [(Some(3), Some(4))]);
        // Of other messages there is one for all.
        let boot = json!({"do": "trigger", "message": "heartbeat"});
        let (_, heard) =
            order(&office, &mut plug, (path, boot), ("\"requestedMessage\":\"Heartbeat\"", &[ok])).await;
        assert_eq!(heard.iter().map(evse).collect::<Vec<_>>(), [(None, None)]);
        let which =
            office.ask("POST", path, json!({"do": "trigger", "message": "status", "connector": 1})).await;
        assert_eq!(which.status, 422, "{which:?}");
        assert!(which.body["title"].as_str().unwrap().contains("`evse`"), "{which:?}");
        office.gateway.server.stop().await;
    });
}

#[test]
fn signed_values_are_handed_out_letter_by_letter() {
    run(async {
        let office = Office::open().await;
        let mut plug = Plug::connect(office.address, "/ocpp/O-1", &["ocpp1.6"], None).await.unwrap();
        plug.boot().await;
        let started = plug
            .ask(
                "StartTransaction",
                json!({"connectorId": 1, "idTag": "CARD", "meterStart": 0, "timestamp": write(now())}),
            )
            .await;
        let begun = now();
        let signed = |context: &str, text: &str| json!({"value": text, "format": "SignedData", "context": context, "measurand": "Energy.Active.Import.Register"});
        let values = json!({"connectorId": 1, "transactionId": started["transactionId"], "meterValue": [
            {"timestamp": write(begun), "sampledValue": [signed("Transaction.Begin", "OCMF|{\"pw\": 1}|{\"SD\":\"30==\"}")]},
            {"timestamp": write(now()), "sampledValue": [signed("Sample.Periodic", "OCMF|{}|{}")]},
        ]});
        plug.ask("MeterValues", values).await;
        let session = office.get("/v1/sessions").await[0]["id"].as_str().unwrap().to_owned();
        let path = format!("/v1/sessions/{session}/signed-values");
        let all = office.get(&path).await;
        assert_eq!(all.as_array().unwrap().len(), 2, "{all}");
        assert_eq!(all[0]["value"], "OCMF|{\"pw\": 1}|{\"SD\":\"30==\"}");
        assert_eq!(all[0]["context"], "Transaction.Begin");
        let at = chrono::DateTime::parse_from_rfc3339(all[0]["at"].as_str().unwrap()).unwrap();
        assert_eq!((at.timestamp_millis(), at.offset().local_minus_utc() >= 3600), (begun.0, true), "{at}");
        assert!(all[0].get("public_key").is_none(), "{all}");
        let next = office.get(&format!("{path}?limit=1&after={}", all[0]["seq"])).await;
        assert_eq!(next[0], all[1]);
        assert_eq!(office.ask("GET", &format!("{path}?foo=1"), Value::Null).await.status, 400);
        assert_eq!(office.ask("GET", "/v1/sessions/nobody/signed-values", Value::Null).await.status, 404);
        // Whoever may read sessions, and nobody else.
        for (role, status) in [(Role::ReadOnly, 200), (Role::Support, 200), (Role::Vendor, 403)] {
            let key = office.key(role).await;
            assert_eq!(office.ask_as(&key, "GET", &path, "", None).await.status, status, "{role:?}");
        }
        let described = office.get("/openapi.json").await;
        assert!(described["paths"]["/api/v1/sessions/{id}/signed-values"]["get"].is_object());
        let head =
            raw(office.address, b"DELETE /api/v1/sessions HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                .await;
        let lower = head.to_lowercase();
        assert!(lower.starts_with("http/1.1 405") && lower.contains("allow: get"), "{head}");
        assert!(lower.contains("application/problem+json"), "{head}");
        office.gateway.server.stop().await;
    });
}
