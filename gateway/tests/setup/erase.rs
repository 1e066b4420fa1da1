//! Who drivers are: in one place, and erased from all of it, with bills as they were.

use crate::office::{Office, PEOPLE, now, org, run, until};
use crate::plug::Plug;
use serde_json::{Value, json};
use std::path::Path;
use takst_gateway::store::Person;

async fn person(office: &Office) -> Option<Person> {
    office.gateway.store.read().await.unwrap().person(&org(), "d-1").await.unwrap()
}

// What is answered to a charger that does all it is told meanwhile.
async fn say(plug: &mut Plug, action: &str, payload: Value) -> Value {
    plug.send(json!([2, action, action, payload]).to_string()).await;
    loop {
        let frame = plug.json().await;
        if frame[0] == 2 {
            plug.send(json!([3, frame[1], {"status": "Accepted"}]).to_string()).await;
        } else {
            assert_eq!((&frame[0], &frame[1]), (&json!(3), &json!(action)), "{frame}");
            return frame[2].clone();
        }
    }
}

// A driver charges; his bill.
async fn bill(office: &Office) -> Value {
    let mut plug = Plug::connect(office.address, "/ocpp/O-1", &["ocpp1.6"], None).await.unwrap();
    plug.boot().await;
    let time = |s: i64| {
        takst_engine::calendar_time::utc_text(takst_engine::units::Instant(now().0 - 60_000 + s * 1_000))
    };
    let start = json!({"connectorId": 1, "idTag": "CARD", "meterStart": 0, "timestamp": time(0)});
    let started = say(&mut plug, "StartTransaction", start).await;
    assert_eq!(started["idTagInfo"]["status"], "Accepted", "{started}");
    let stop = json!({"transactionId": started["transactionId"], "idTag": "CARD", "meterStop": 200, "timestamp": time(50)});
    say(&mut plug, "StopTransaction", stop).await;
    let free =
        json!({"connectorId": 1, "errorCode": "NoError", "status": "Available", "timestamp": time(55)});
    say(&mut plug, "StatusNotification", free).await;
    until("there is a bill", async || {
        office.get("/v1/bills").await.as_array().is_some_and(|bills| !bills.is_empty())
    })
    .await;
    office.get("/v1/bills").await
}

// Whether any file below a folder holds a text.
fn holds(folder: &Path, text: &str) -> bool {
    std::fs::read_dir(folder).unwrap().any(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return holds(&path, text);
        }
        // A file may be written beside and take its name meanwhile.
        let bytes = match std::fs::read(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            bytes => bytes.unwrap(),
        };
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    })
}

#[test]
fn a_person_is_erased_and_his_bills_stay() {
    run(async {
        let office = Office::open().await;
        assert_eq!(person(&office).await.unwrap().name.as_deref(), Some("Aino Esimerkki"));
        assert_eq!(office.get("/v1/setup/person/d-1").await["email"], "aino@example.org");
        let bills = bill(&office).await;
        assert_eq!(bills.as_array().unwrap().len(), 1);
        let sessions = office.get("/v1/sessions?driver=d-1").await;
        assert_eq!(sessions.as_array().unwrap().len(), 1);

        // What is new about him is told without saying it.
        let phone = json!({"phone": "+358 40 123 4567"});
        let changed = office.ask("PATCH", "/v1/setup/person/d-1", phone).await;
        assert_eq!((changed.status, &changed.body["changes"]), (200, &json!([])), "{changed:?}");
        assert_eq!(person(&office).await.unwrap().phone.as_deref(), Some("+358 40 123 4567"));
        assert!(holds(office.dir.path(), "Aino") && holds(office.dir.path(), "123 4567"));

        let erased = office.ask("DELETE", "/v1/drivers/d-1/personal-data", Value::Null).await;
        assert_eq!(erased.status, 204, "{erased:?}");
        assert_eq!(person(&office).await, None);
        assert!(!office.file("people.toml").contains("Aino"), "{}", office.file("people.toml"));
        assert_eq!(office.ask("GET", "/v1/setup/person/d-1", Value::Null).await.status, 404);
        assert_eq!(office.get("/v1/bills").await, bills);
        assert_eq!(office.get("/v1/sessions?driver=d-1").await, sessions);
        assert_eq!(office.get("/v1/setup/driver/d-1").await["id"], "d-1");
        assert_eq!(office.told().await, ["owner person.change d-1", "owner person.erase d-1"]);
        // Once more there is nothing to do; of nobody there never was.
        assert_eq!(office.ask("DELETE", "/v1/drivers/d-1/personal-data", Value::Null).await.status, 204);
        assert_eq!(office.ask("DELETE", "/v1/drivers/d-9/personal-data", Value::Null).await.status, 404);
        assert_eq!(office.told().await.len(), 2);

        let Office { dir, gateway, .. } = office;
        gateway.server.stop().await;
        for gone in ["Aino", "aino@example", "123 4567"] {
            assert!(!holds(dir.path(), gone), "`{gone}` is still in a file");
        }
    });
}

#[test]
fn who_is_taken_out_of_the_files_is_nowhere() {
    run(async {
        let office = Office::open().await;
        let is_read =
            async || until("the files are read", async || !office.gateway.house.has_changed()).await;
        // A change of personal data alone counts too.
        office.write("people.toml", &PEOPLE.replace("Aino", "Anna"));
        is_read().await;
        assert_eq!(person(&office).await.unwrap().name.as_deref(), Some("Anna Esimerkki"));
        // A comment is read once, and changes nothing.
        office.write("people.toml", &format!("{}# note\n", PEOPLE.replace("Aino", "Anna")));
        is_read().await;
        assert_eq!(office.told().await, ["files person.change d-1"]);

        office.write("people.toml", "# nobody\n");
        is_read().await;
        assert_eq!(person(&office).await, None);
        assert_eq!(office.told().await, ["files person.change d-1", "files person.erase d-1"]);

        office.write("people.toml", PEOPLE);
        is_read().await;
        assert!(person(&office).await.is_some());
        let office = office.restart(|dir| std::fs::remove_file(dir.join("setup/people.toml")).unwrap()).await;
        assert_eq!(person(&office).await, None, "also when it was done while nobody looked");
        office.gateway.server.stop().await;
    });
}
