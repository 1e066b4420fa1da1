//! The set-up through the API: one thing at a time, checked as a whole, in the files and in force at once.

use crate::office::{MAIN, Office, flat, now, org, run, until};
use crate::plug::Plug;
use serde_json::{Value, json};
use takst_gateway::api::Role;
use takst_gateway::house::{ChangeError, Wanted};
use takst_gateway::setup::{Edit, Thing, hash_password};

#[test]
fn a_thing_is_made_changed_and_taken_out_while_chargers_are_connected() {
    run(async {
        let office = Office::open().await;
        let mut old = Plug::connect(office.address, "/ocpp/O-1", &["ocpp1.6"], None).await.unwrap();
        old.boot().await;
        assert!(Plug::connect(office.address, "/ocpp/O-2", &["ocpp1.6"], None).await.is_err());

        let new = json!({"site": "oslo", "name": "Garage", "security": {"profile": 0},
            "connector": [{"type": "CCS", "max_power_kw": 50}], "settings": {"restarts_per_day": 2}});
        let made = office.ask("PUT", "/v1/setup/charger/O-2", new.clone()).await;
        assert_eq!((made.status, &made.body["changes"]), (201, &json!(["charger O-2: new"])), "{made:?}");
        assert!(
            office.file("api.toml").contains("[[charger]]\nid = \"O-2\"\n"),
            "{}",
            office.file("api.toml")
        );
        // It is in force at once.
        let mut plug = Plug::connect(office.address, "/ocpp/O-2", &["ocpp1.6"], None).await.unwrap();
        plug.boot().await;
        let shown = office.get("/v1/setup/charger/o-2").await;
        assert_eq!((&shown["name"], &shown["id"]), (&json!("Garage"), &json!("O-2")));
        let all = office.get("/v1/setup/charger").await;
        assert_eq!(all.as_array().unwrap().len(), 2);

        // Merged, in tables too; `null` takes out.
        let patch = json!({"name": null, "settings": {"restart_after": "1 h"}});
        let changed = office.ask("PATCH", "/v1/setup/charger/O-2", patch).await;
        assert_eq!(changed.status, 200, "{changed:?}");
        let shown = office.get("/v1/setup/charger/O-2").await;
        assert_eq!(shown["settings"], json!({"restart_after": "1 h", "restarts_per_day": 2}));
        assert!(shown.get("name").is_none());

        // Replaced: what is not said is not so any more. Letters in either case are the same charger.
        let again = office
            .ask("PUT", "/v1/setup/charger/o-2", json!({"site": "oslo", "security": {"profile": 0}}))
            .await;
        assert_eq!(again.status, 200, "{again:?}");
        let shown = office.get("/v1/setup/charger/O-2").await;
        let mut keys: Vec<&str> = shown.as_object().unwrap().keys().map(String::as_str).collect();
        keys.sort_unstable();
        assert_eq!(keys, ["id", "security", "site"], "{shown}");

        // Where it stands, and with its comments; a section that stands once too.
        let edited = office.ask("PATCH", "/v1/setup/site/oslo", json!({"name": "Oslo S"})).await;
        assert_eq!(edited.body["changes"], json!(["site oslo: name Oslo -> Oslo S"]));
        let single = office.ask("PATCH", "/v1/setup/settings", json!({"heartbeat_interval": "7 min"})).await;
        assert_eq!(single.status, 200, "{single:?}");
        let wanted = MAIN
            .replace("name = \"Oslo\"  ", "name = \"Oslo S\"  ")
            .replace("tokens = \"refuse\"\n", "tokens = \"refuse\"\nheartbeat_interval = \"7 min\"\n");
        assert_eq!(office.file("takst.toml"), wanted);
        let settings = json!({"heartbeat_interval": "7 min", "unknown_tokens": "refuse"});
        assert_eq!(office.get("/v1/setup/settings").await, settings);

        // What comes back as it was given changes nothing.
        let files = office.files();
        let same = office.get("/v1/setup/charger/O-1").await;
        let nothing = office.ask("PUT", "/v1/setup/charger/O-1", same).await;
        assert_eq!((nothing.status, &nothing.body["changes"]), (200, &json!([])), "{nothing:?}");
        assert_eq!(office.files(), files);

        let gone = office.ask("DELETE", "/v1/setup/charger/O-2", Value::Null).await;
        assert_eq!((gone.status, &gone.body["changes"]), (200, &json!(["charger O-2: gone"])), "{gone:?}");
        for (method, body) in [("GET", Value::Null), ("DELETE", Value::Null), ("PATCH", json!({"name": "x"}))]
        {
            assert_eq!(office.ask(method, "/v1/setup/charger/O-2", body).await.status, 404, "{method}");
        }
        assert!(!office.file("api.toml").contains("O-2"));

        // The first connection has lived through all of it, and hears the new interval when it asks.
        assert!(old.call("Heartbeat", json!({})).await["currentTime"].is_string());
        let boot =
            old.call("BootNotification", json!({"chargePointVendor": "V", "chargePointModel": "M"})).await;
        // Seven minutes, a tenth more or less.
        assert!((378..=462).contains(&boot["interval"].as_i64().unwrap()), "{boot}");

        let told = office.told().await;
        let wanted = [
            "owner setup.change charger O-2",
            "owner setup.change charger O-2",
            "owner setup.change charger O-2",
            "owner setup.change site oslo",
            "owner setup.change settings",
            "owner setup.change charger O-2",
        ];
        assert_eq!(told, wanted);
        let audit = office.audit().await;
        let json = |text: &Option<String>| serde_json::from_str::<Value>(text.as_ref().unwrap()).unwrap();
        assert_eq!(
            (audit[0].before_doc.is_none(), json(&audit[0].after_doc)["name"].clone()),
            (true, json!("Garage"))
        );
        assert_eq!(json(&audit[3].before_doc), json!({"name": "Oslo"}));
        assert_eq!(json(&audit[3].after_doc), json!({"name": "Oslo S"}));
        assert!(audit[5].after_doc.is_none() && audit[5].before_doc.is_some());
        let seen = office.get("/v1/audit?subject=site%20oslo").await;
        assert_eq!((seen[0]["before"]["name"].as_str(), seen.as_array().unwrap().len()), (Some("Oslo"), 1));
        office.gateway.server.stop().await;
    });
}

#[test]
fn two_people_do_not_overwrite_each_other() {
    run(async {
        let office = Office::open().await;
        let owner = office.owner.clone();
        let read = office.ask("GET", "/v1/setup/site/oslo", Value::Null).await;
        let tag = read.tag.unwrap();
        assert_eq!(office.ask("GET", "/v1/setup", Value::Null).await.tag.as_ref(), Some(&tag));
        let set = async |name: &str, tag: &str| {
            let body = json!({"name": name}).to_string();
            office.ask_as(&owner, "PATCH", "/v1/setup/site/oslo", &body, Some(tag)).await
        };
        let first = set("One", &tag).await;
        assert_eq!(first.status, 200, "{first:?}");
        let second = set("Two", &tag).await;
        assert_eq!((second.status, &second.tag), (412, &first.tag), "{second:?}");
        assert_eq!(office.get("/v1/setup/site/oslo").await["name"], "One");
        assert_eq!(set("Three", &format!("\"other\", {}", first.tag.unwrap())).await.status, 200);
        assert_eq!(set("Four", "*").await.status, 200);

        // Somebody with an editor is somebody too, and his change stays his.
        let tag = office.ask("GET", "/v1/setup/site/oslo", Value::Null).await.tag.unwrap();
        office.write("more.toml", "# mine\n[[group]]\nid = \"VIP\"\n");
        assert_eq!(set("Five", &tag).await.status, 412);
        assert_eq!(office.ask("PUT", "/v1/setup/group/members", json!({})).await.status, 201);
        assert_eq!(office.file("more.toml"), "# mine\n[[group]]\nid = \"VIP\"\n");
        let told = office.told().await;
        assert!(told.contains(&"files setup.change group VIP".to_owned()), "{told:?}");
        assert!(told.contains(&"owner setup.change group members".to_owned()), "{told:?}");

        // Many at once: one after the other, none lost.
        let all = futures_util::future::join_all((0..20).map(|nth| {
            let office = &office;
            async move { office.ask("PUT", &format!("/v1/setup/group/g{nth}"), json!({})).await.status }
        }));
        assert_eq!(all.await, [201; 20]);
        assert_eq!(office.get("/v1/setup/group").await.as_array().unwrap().len(), 22);
        office.gateway.server.stop().await;
    });
}

#[test]
fn what_would_not_hold_changes_nothing() {
    run(async {
        let office = Office::open().await;
        let (files, before) = (office.files(), office.get("/v1/setup").await);
        let charger = |more: Value| {
            let mut charger = json!({"site": "oslo", "security": {"profile": 0}});
            charger.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            charger
        };
        for (method, path, body, status, told) in [
            ("PUT", "/charger/O-2", json!({"site": "olso", "security": {"profile": 0}}), 422, "S030"),
            ("PUT", "/charger/O-2", charger(json!({"nmae": "x"})), 422, "did you mean `name`?"),
            ("PUT", "/charger/O-2", json!({}), 422, "S012"),
            ("PUT", "/charger/O-2", charger(json!({"id": "O-3"})), 422, "name another one"),
            ("PATCH", "/charger/O-1", json!({"id": "O-3"}), 422, "name another one"),
            ("PATCH", "/charger/O-1", json!({"id": null}), 422, "name another one"),
            ("PUT", "/charger/O-2", charger(json!({"connector": [{"max_power_kw": 7.4}]})), 422, "as a text"),
            ("PUT", "/charger/O-2", charger(json!({"security": {"password": "secret"}})), 422, "S041"),
            (
                "PUT",
                "/charger/O-2",
                charger(json!({"security": {"password": {"kept": "hash"}}})),
                422,
                "be kept",
            ),
            (
                "PUT",
                "/charger/O-2",
                charger(json!({"security": {"password": {"file": "/etc/passwd"}}})),
                422,
                "not in the folder",
            ),
            ("PUT", "/tariff/x", json!({"file": "../../other.tariff"}), 422, "not in the folder"),
            ("PUT", "/tariff/x", json!({"file": "none.tariff", "charger": "O-1"}), 422, "S050"),
            ("PUT", "/feed/spot", json!({"source": "files", "files": "../*.json"}), 422, "not in the folder"),
            ("PATCH", "/organisation", json!({"id": "other"}), 422, "never changes"),
            ("DELETE", "/site/oslo", Value::Null, 422, "S030"),
            ("DELETE", "/seller/s", Value::Null, 422, "S030"),
            ("PUT", "/chargers/O-2", charger(json!({})), 404, "the sections are `organisation`"),
            ("GET", "/chargers", Value::Null, 404, "the sections are `organisation`"),
            ("GET", "/site/bergen", Value::Null, 404, "no site `bergen`"),
            ("PUT", "/charger/O-2", json!("text"), 400, "no JSON object"),
            ("PUT", "/settings/x", json!({}), 404, "settings"),
            ("PUT", "/charger", charger(json!({})), 404, "charger"),
            ("PUT", "/person/d-9", json!({"name": "Nobody"}), 422, "S030"),
        ] {
            let refused = office.ask(method, &format!("/v1/setup{path}"), body.clone()).await;
            let case = format!("{method} {path} {body}: {refused:?}");
            assert_eq!(refused.status, status, "{case}");
            assert!(refused.body.to_string().contains(told), "{case}");
        }
        assert_eq!(office.files(), files);
        assert_eq!(office.get("/v1/setup").await, before);
        assert!(office.told().await.is_empty());

        // Where it is wrong, seen from the set-up's folder.
        let refused = office.ask("PATCH", "/v1/setup/charger/O-1", json!({"site": "olso"})).await;
        let found = &refused.body["problems"][0];
        assert_eq!(
            (found["file"].as_str(), found["line"].as_u64()),
            (Some("takst.toml"), Some(18)),
            "{found}"
        );
        assert_eq!(found["help"], "did you mean `oslo`?");
        // A password that stands in the clear is nowhere in the answer.
        let clear = json!({"security": {"password": "my-secret-1"}});
        let refused = office.ask("PATCH", "/v1/setup/charger/O-1", clear).await;
        assert!(refused.status == 422 && !refused.body.to_string().contains("my-secret"), "{refused:?}");

        // What was wrong before is not the fault of who asks.
        office.write("more.toml", "[[group]\n");
        let broken = office.ask("PUT", "/v1/setup/group/VIP", json!({})).await;
        assert!(broken.status == 409 && broken.codes().contains(&"S004"), "{broken:?}");
        assert_eq!(broken.body["problems"][0]["file"], "more.toml");
        office.gateway.server.stop().await;
    });
}

#[test]
fn roles_see_and_change_what_is_theirs() {
    run(async {
        let office = Office::open().await;
        let group = |role: Role| format!("/v1/setup/group/{}", role.as_str());
        for (role, sees, people, changes) in [
            (Role::Owner, 200, 200, 201),
            (Role::SiteManager, 200, 200, 201),
            (Role::Support, 200, 200, 403),
            (Role::ReadOnly, 200, 403, 403),
            (Role::Vendor, 403, 403, 403),
        ] {
            let key = office.key(role).await;
            let status = async |method: &str, path: &str, body: &str| {
                office.ask_as(&key, method, path, body, None).await.status
            };
            for path in ["/v1/setup", "/v1/setup/driver", "/v1/setup/driver/d-1", "/v1/tariffs"] {
                assert_eq!(status("GET", path, "").await, sees, "{role:?} {path}");
            }
            for path in ["/v1/setup/person", "/v1/setup/person/d-1"] {
                assert_eq!(status("GET", path, "").await, people, "{role:?} {path}");
            }
            assert_eq!(status("PUT", &group(role), "{}").await, changes, "{role:?}");
            let tariff = flat("3.00");
            let path = format!("/v1/tariffs/{}.tariff", role.as_str());
            assert_eq!(status("PUT", &path, &tariff).await, changes, "{role:?}");
            if changes == 403 {
                for (method, path) in [
                    ("PATCH", "/v1/setup/settings"),
                    ("PUT", "/v1/setup/settings"),
                    ("PATCH", "/v1/setup/site/oslo"),
                    ("DELETE", "/v1/setup/site/oslo"),
                    ("DELETE", "/v1/drivers/d-1/personal-data"),
                ] {
                    assert_eq!(status(method, path, "{}").await, 403, "{role:?} {method} {path}");
                }
            }
        }
        assert_eq!(office.ask_as("", "GET", "/v1/setup/site", "", None).await.status, 401);
        assert_eq!(office.ask_as("", "PUT", "/v1/setup/group/x", "{}", None).await.status, 401);
        // Nobody's name is in what all may read.
        assert!(!office.get("/v1/setup").await.to_string().contains("Aino"));
        office.gateway.server.stop().await;
    });
}

#[test]
fn a_password_goes_in_and_never_comes_out() {
    run(async {
        let office = Office::open().await;
        let hash = hash_password(b"correct horse").unwrap();
        let made = json!({"site": "oslo", "security": {"user": "installer", "password": hash}});
        assert_eq!(office.ask("PUT", "/v1/setup/charger/O-2", made).await.status, 201);
        let shown = office.get("/v1/setup/charger/O-2").await;
        assert_eq!(shown["security"]["password"], json!({"kept": "hash"}));
        assert_eq!(shown["security"]["user"], "installer");
        // What was shown can be sent back, and merged with.
        let mut named = shown;
        named["name"] = json!("Named");
        assert_eq!(office.ask("PUT", "/v1/setup/charger/O-2", named).await.status, 200);
        let user = json!({"security": {"user": null}});
        assert_eq!(office.ask("PATCH", "/v1/setup/charger/O-2", user).await.status, 200);
        assert!(office.file("api.toml").contains(&hash), "{}", office.file("api.toml"));
        let thing = Thing { section: "charger".into(), id: "O-2".into() };
        assert!(office.gateway.house.thing(&thing).unwrap()["security"].get("user").is_none());
        let mut answers = String::new();
        for path in ["/v1/setup", "/v1/setup/charger", "/v1/setup/charger/O-2", "/v1/audit"] {
            answers.push_str(&office.get(path).await.to_string());
        }
        // Another one, by reference: it is one thing and not merged.
        office.write("o2.txt", "another horse");
        let by_file = json!({"security": {"password": {"file": "o2.txt"}}});
        let changed = office.ask("PATCH", "/v1/setup/charger/O-2", by_file.clone()).await;
        assert_eq!(changed.status, 200, "{changed:?}");
        let shown = office.get("/v1/setup/charger/O-2").await;
        assert_eq!(shown["security"]["password"], by_file["security"]["password"]);
        answers.push_str(&changed.body.to_string());
        answers.push_str(&office.get("/v1/audit").await.to_string());
        assert!(!answers.contains("argon2") && !answers.contains("horse"), "{answers}");
        assert!(answers.contains("security.password"));
        office.gateway.server.stop().await;
    });
}

#[test]
fn tariffs_are_sent_assigned_and_followed_by_version() {
    run(async {
        let office = Office::open().await;
        let owner = office.owner.clone();
        let put = async |name: &str, text: &str| {
            office.ask_as(&owner, "PUT", &format!("/v1/tariffs/{name}"), text, None).await
        };
        // Checked, also when it is assigned nowhere.
        let wrong = put("night.tariff", &flat("2.00").replace("NOK/kWh", "NOK/kW")).await;
        assert_eq!(wrong.status, 422, "{wrong:?}");
        assert!(wrong.codes()[0].starts_with('E') && wrong.body["problems"][0]["line"] == 8, "{wrong:?}");
        assert_eq!(wrong.body["problems"][0]["file"], "night.tariff");
        for name in
            ["../night.tariff", "..%2Fnight.tariff", "%2Ftmp%2Fnight.tariff", ".night.tariff", "night.toml"]
        {
            let refused = put(name, &flat("2.00")).await;
            assert_eq!(refused.status, 422, "{name}: {refused:?}");
        }
        assert!(!office.dir.path().join("night.tariff").exists());
        let made = put("lists/night.tariff", &flat("1.00")).await;
        assert_eq!((made.status, office.file("lists/night.tariff")), (201, flat("1.00")), "{made:?}");
        let all = office.get("/v1/tariffs").await;
        assert_eq!(
            (all.as_array().unwrap().len(), all[1].get("version")),
            (2, None),
            "it is assigned nowhere"
        );
        assert_eq!(office.told().await, ["owner tariff.put lists/night.tariff"]);

        let assigned = json!({"file": "lists/night.tariff", "charger": "O-1"});
        let assigned = office.ask("PUT", "/v1/setup/tariff/night", assigned).await;
        assert_eq!(
            (assigned.status, &assigned.body["tariffs"]),
            (201, &json!(["lists/night.tariff"])),
            "{assigned:?}"
        );
        // A new text is a new version, and the one that counts; the old one is there by its name.
        let tag = assigned.tag.unwrap();
        let changed = put("lists/night.tariff", &flat("1.50")).await;
        assert_eq!(
            (changed.status, &changed.body["tariffs"]),
            (200, &json!(["lists/night.tariff"])),
            "{changed:?}"
        );
        assert_ne!(changed.tag.as_ref(), Some(&tag));
        let late =
            office.ask_as(&owner, "PUT", "/v1/tariffs/lists/night.tariff", &flat("9.00"), Some(&tag)).await;
        assert_eq!(late.status, 412, "{late:?}");
        let all = office.get("/v1/tariffs").await;
        let night: Vec<&Value> =
            all.as_array().unwrap().iter().filter(|row| row["file"] == "lists/night.tariff").collect();
        assert_eq!(night.len(), 2);
        assert_eq!((&night[0]["counts_now"], &night[1]["counts_now"]), (&json!(false), &json!(true)));
        assert_eq!(night[1]["added_by"], owner.split('_').nth(1).unwrap());
        assert!(night[0].get("in_force_from").is_none() && night[1]["in_force_from"].is_string());
        let old = office.get(&format!("/v1/tariffs/{}", night[0]["version"].as_str().unwrap())).await;
        assert_eq!(old["text"], flat("1.00"));
        assert_eq!(office.get("/v1/tariffs/lists/night.tariff").await["text"], flat("1.50"));
        let nothing = office.ask("GET", "/v1/tariffs/sha256:00", Value::Null).await;
        assert_eq!(nothing.status, 404, "{nothing:?}");

        // A text that would break what is assigned leaves all as it was.
        assert_eq!(put("lists/night.tariff", "tariff \"x\"\n").await.status, 422);
        assert_eq!(office.file("lists/night.tariff"), flat("1.50"));

        // An assignment of the files has no id: it is found by its label, and may get one.
        let label = "/v1/setup/tariff/flat.tariff%20at%20site%20oslo";
        assert_eq!(office.get(label).await["label"], "flat.tariff at site oslo");
        let mut same = office.get(label).await;
        same["from"] = json!("2026-01-01");
        assert_eq!(office.ask("PUT", label, same).await.status, 200);
        let named = office
            .ask("PATCH", &format!("{label}%20from%202026-01-01T00:00:00"), json!({"id": "usual"}))
            .await;
        assert_eq!(named.status, 200, "{named:?}");
        assert!(office.file("takst.toml").contains("id = \"usual\""), "{}", office.file("takst.toml"));
        assert_eq!(office.ask("DELETE", "/v1/setup/tariff/night", Value::Null).await.status, 200);
        // A file that somebody edits is seen too.
        office.write("flat.tariff", &flat("7.00"));
        let texts = async || office.get("/v1/tariffs/flat.tariff").await["text"].clone();
        until("the new text counts", async || texts().await == flat("7.00")).await;
        office.gateway.server.stop().await;
    });
}

#[test]
fn paths_are_those_of_the_folder_wherever_a_thing_stands() {
    run(async {
        let sites = "[[tariff]]\nid = \"deep\"\nfile = \"../lists/a.tariff\"\ncharger = \"O-1\"\n";
        let office = Office::with(&[
            ("takst.toml", MAIN),
            ("flat.tariff", &flat("2.00")),
            ("lists/a.tariff", &flat("3.00")),
            ("lists/b.tariff", &flat("4.00")),
            ("more/sites.toml", sites),
        ])
        .await;
        let mut shown = office.get("/v1/setup/tariff/deep").await;
        assert_eq!(shown["file"], "lists/a.tariff");
        let nothing = office.ask("PUT", "/v1/setup/tariff/deep", shown.clone()).await;
        assert_eq!((nothing.status, office.file("more/sites.toml").as_str()), (200, sites), "{nothing:?}");
        shown["file"] = json!("lists/b.tariff");
        let changed = office.ask("PUT", "/v1/setup/tariff/deep", shown).await;
        assert_eq!(changed.status, 200, "{changed:?}");
        assert_eq!(office.file("more/sites.toml"), sites.replace("a.tariff", "b.tariff"));
        office.gateway.server.stop().await;
    });
}

#[test]
fn a_set_up_without_files_is_read_only() {
    run(async {
        let main = MAIN.replace("[[tariff]]\nfile = \"flat.tariff\"\nsite = \"oslo\"\n", "");
        let office = Office::of_texts(&[("takst.toml", &main)]).await;
        assert_eq!(office.get("/v1/setup/site/oslo").await["name"], "Oslo");
        for (method, path, body) in [
            ("PUT", "/v1/setup/group/x", json!({})),
            ("DELETE", "/v1/setup/token/CARD", Value::Null),
            ("PUT", "/v1/tariffs/x.tariff", json!("x")),
        ] {
            let refused = office.ask(method, path, body).await;
            assert_eq!(refused.status, 409, "{refused:?}");
            assert!(refused.body["detail"].as_str().unwrap().contains("--config"), "{refused:?}");
        }
        office.gateway.server.stop().await;
    });
}

#[test]
fn files_are_put_back_when_the_database_does_not_take_it() {
    run(async {
        let office = Office::open().await;
        let (files, tag) = (office.files(), office.gateway.house.tag(""));
        office.gateway.store.close().await;
        let thing = Thing { section: "group".into(), id: "VIP".into() };
        let edits = [
            Edit::Replace(thing, serde_json::Map::new()),
            Edit::List("flat.tariff".into(), flat("5.00")),
            Edit::List("new.tariff".into(), flat("5.00")),
            Edit::Merge(
                Thing { section: "site".into(), id: "oslo".into() },
                json!({"name": "x"}).as_object().unwrap().clone(),
            ),
        ];
        for edit in edits {
            let wanted = Wanted { edit, only_if: None, by: "test".into() };
            let refused = office.gateway.house.change(wanted, now()).await;
            assert!(matches!(refused, Err(ChangeError::Store(_))), "{refused:?}");
            assert_eq!(office.files(), files);
            assert_eq!(office.gateway.house.tag(""), tag);
        }
    });
}

#[test]
fn what_was_changed_while_it_was_stopped_is_told() {
    run(async {
        let office = Office::open().await;
        let token = async |office: &Office| {
            office.gateway.store.read().await.unwrap().token(&org(), "CARD").await.unwrap()
        };
        assert!(token(&office).await.is_some());
        let office = office
            .restart(|dir| {
                let text = MAIN.replace("[[token]]\nuid = \"CARD\"\ndriver = \"d-1\"\n", "");
                std::fs::write(dir.join("setup/takst.toml"), text).unwrap();
            })
            .await;
        assert_eq!(office.told().await, ["files setup.change token CARD"]);
        assert!(token(&office).await.is_none(), "it opens nothing any more");
        office.gateway.server.stop().await;
    });
}

#[test]
fn the_api_describes_it() {
    run(async {
        let office = Office::open().await;
        let openapi = office.get("/openapi.json").await;
        for (path, methods) in [
            ("/api/v1/setup", &["get"][..]),
            ("/api/v1/setup/{section}", &["get", "put", "patch"]),
            ("/api/v1/setup/{section}/{id}", &["get", "put", "patch", "delete"]),
            ("/api/v1/drivers/{id}/personal-data", &["delete"]),
            ("/api/v1/tariffs", &["get"]),
            ("/api/v1/tariffs/{name}", &["get", "put", "delete"]),
        ] {
            let described = openapi["paths"][path].as_object().unwrap_or_else(|| panic!("{path}"));
            let mut found: Vec<&str> = described.keys().map(String::as_str).collect();
            found.sort_unstable();
            let mut wanted = methods.to_vec();
            wanted.sort_unstable();
            assert_eq!(found, wanted, "{path}");
        }
        let schemas = &openapi["components"]["schemas"];
        for schema in ["Problem", "Finding", "Changed", "VersionDoc", "TariffText"] {
            assert!(schemas[schema].is_object(), "{schema}");
        }
        office.gateway.server.stop().await;
    });
}
