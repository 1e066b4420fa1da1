//! `takst backup`, `restore`, `export` and `key` as people and programs use them: real runs of the binary.

use crate::run::{Ran, takst};
use crate::store_support::{Place, at, org, reading};
use std::path::Path;
use takst_gateway::api::Access;
use takst_gateway::store::*;

/// A gateway's folder with twelve sessions.
fn filled() -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data").display().to_string();
    fill(&format!("{data}/takst.db"));
    (dir, data)
}

fn fill(url: &str) {
    crate::store_support::run(async {
        let store = Store::open(url).await.unwrap();
        let unit = async move |tx: &mut Tx| {
            tx.add_org(&org(), "City", at(0)).await?;
            for number in 0..12 {
                let session = Session {
                    status: SessionStatus::Ended,
                    plugged_in: at(number * 86_400_000),
                    unplugged: Some(at(number * 86_400_000 + 3_600_000)),
                    groups_doc: "[]".to_owned(),
                    ..crate::store_support::session("C1")
                };
                tx.add_session(&org(), &session).await?;
                let readings: Vec<Reading> = (0..2)
                    .map(|seq| Reading { at: at(number * 86_400_000 + seq * 1_800_000), ..reading(seq) })
                    .collect();
                tx.put_readings(&org(), &session.id, &readings).await?;
            }
            Ok(())
        };
        store.write(Lane::org(&org()), unit).await.unwrap();
        store.close().await;
    });
}

/// Has the data of a folder open, as a running gateway has.
struct Gateway {
    _store: Store,
    _runtime: tokio::runtime::Runtime,
}

impl Gateway {
    fn on(data: &str) -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let store = runtime.block_on(Store::open(&format!("{data}/takst.db"))).unwrap();
        Self { _store: store, _runtime: runtime }
    }
}

#[track_caller]
fn fine(ran: Ran) -> Ran {
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    ran
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

#[test]
fn what_is_saved_can_be_restored_and_says_what_it_is() {
    let (dir, data) = filled();
    let (file, other) = (text(&dir.path().join("backup.takst")), text(&dir.path().join("other")));
    // Beside a gateway that works on it.
    let gateway = Gateway::on(&data);
    let saved = fine(takst(&["backup", "--data", &data, &file]));
    drop(gateway);
    assert!(saved.out.contains("12 sessions, 0 bills, 0 chargers; 37 rows in all"), "{}", saved.out);
    assert_eq!(saved.err, "");
    let restored = fine(takst(&["restore", &file, "--data", &other, "--format", "json"])).json();
    assert_eq!(restored["tables"]["session"]["rows"], 12);
    let before = fine(takst(&["export", "sessions", "--data", &data])).out;
    assert_eq!(fine(takst(&["export", "sessions", "--data", &other])).out, before);
    assert_eq!(before.lines().count(), 12);

    let again = takst(&["backup", "--data", &data, &file]);
    assert_eq!(again.code, 3);
    assert!(again.err.contains("is there already"), "{}", again.err);
    let full = takst(&["restore", &file, "--data", &other]);
    assert_eq!(full.code, 3);
    assert!(full.err.contains("is not empty"), "{}", full.err);
}

#[test]
fn a_backup_moves_from_one_database_to_the_other() {
    let (dir, data) = filled();
    let (one, two) = (text(&dir.path().join("one.takst")), text(&dir.path().join("two.takst")));
    fine(takst(&["backup", "--data", &data, &one]));
    let server = crate::store_support::run(Place::postgres());
    fine(takst(&["restore", &one, "--database", &server.url]));
    let saved = fine(takst(&["backup", "--database", &server.url, &two]));
    assert!(saved.out.contains("12 sessions"), "{}", saved.out);
    let from_file = fine(takst(&["export", "sessions", "--data", &data])).out;
    assert_eq!(fine(takst(&["export", "sessions", "--database", &server.url])).out, from_file);
    let third = text(&dir.path().join("third"));
    fine(takst(&["restore", &two, "--data", &third]));
    assert_eq!(fine(takst(&["export", "sessions", "--data", &third])).out, from_file);
}

#[test]
fn what_is_no_backup_is_refused_and_nothing_is_restored() {
    let dir = tempfile::tempdir().unwrap();
    let (broken, into) = (dir.path().join("broken"), text(&dir.path().join("into")));
    for bytes in
        [&b""[..], b"{\"takst_backup\":1,\"schema\":1}\n", b"\xff\xfe", b"SQLite format 3\0 and nothing"]
    {
        std::fs::write(&broken, bytes).unwrap();
        let ran = takst(&["restore", &text(&broken), "--data", &into]);
        assert!(
            [1, 3].contains(&ran.code) && ran.err.starts_with("error:"),
            "{bytes:?}: {} {}",
            ran.code,
            ran.err
        );
        let _ = std::fs::remove_dir_all(&into);
    }
    std::fs::write(&broken, b"{\"takst_backup\":1,\"schema\":1}\n").unwrap();
    assert_eq!(takst(&["restore", &text(&broken), "--data", &into]).code, 1);
    let missing = takst(&["restore", "nowhere.takst", "--data", &into]);
    assert_eq!(missing.code, 3);
    assert!(missing.err.contains("`nowhere.takst` does not exist"), "{}", missing.err);
}

#[test]
fn exported_sessions_can_be_priced() {
    let (dir, data) = filled();
    let (lines, table) = (text(&dir.path().join("all.jsonl")), text(&dir.path().join("some.csv")));
    let ran = fine(takst(&["export", "sessions", "--data", &data, "--output", &lines]));
    assert_eq!((ran.out.as_str(), ran.err.trim_end()), ("", format!("12 sessions in {lines}").as_str()));
    let flat = text(&dir.path().join("flat.tariff"));
    let list = "tariff \"Flat\"\n  currency: EUR\n  time zone: Europe/Amsterdam\n  prices: including VAT\n\nVAT: 21%\n\nenergy: 0.40 EUR/kWh\n";
    std::fs::write(&flat, list).unwrap();
    let priced = takst(&["price", &flat, "--session", &lines, "--format", "json"]);
    assert_eq!((priced.code, priced.out.lines().count()), (0, 12), "{}", priced.err);

    // at(0) is in the evening of 2023-11-14.
    let days = ["--from", "2023-11-15", "--until", "2023-11-17", "--format", "csv", "--output", &table];
    fine(takst(&[&["export", "sessions", "--data", &data][..], &days].concat()));
    let rows = std::fs::read_to_string(&table).unwrap();
    assert_eq!(rows.lines().count(), 3, "{rows}");
    assert!(rows.starts_with("id,site,charger,"), "{rows}");
    // Before the verb's other options or after them, the format is that of the export.
    let csv = fine(takst(&["export", "sessions", "--format", "csv", "--data", &data, "--charger", "C9"]));
    assert_eq!(csv.out.lines().count(), 1);
    let parquet = dir.path().join("all.parquet");
    fine(takst(&["export", "sessions", "--format", "parquet", "--data", &data, "--output", &text(&parquet)]));
    assert!(std::fs::read(&parquet).unwrap().starts_with(b"PAR1"));
    assert!(!dir.path().join("all.parquet.part").exists());
}

#[test]
fn wrong_use_says_what_is_right() {
    let (_dir, data) = filled();
    for (arguments, code, says) in [
        (&["export", "sessions", "--data", &data, "--format", "human"][..], 2, "jsonl, csv or parquet"),
        (
            &["export", "sessions", "--data", &data, "--from", "yesterday"],
            2,
            "write a date such as 2026-03-01",
        ),
        (&["export", "sessions", "--data", &data, "--org", "town"], 2, "there is no organisation `town`"),
        (&["export", "sessions", "--data", "nowhere"], 3, "there is no file nowhere/takst.db"),
        (&["backup", "--data", "nowhere", "file.takst"], 3, "there is no file nowhere/takst.db"),
        (&["export", "sessions", "--data", &data, "--database", "postgres://x"], 2, "cannot be used with"),
        (&["key", "make", "--data", &data, "--name", "n", "--role", "king"], 2, "it is owner, site-manager"),
        (&["key", "make", "--data", &data, "--name", " ", "--role", "owner"], 2, "a key needs a name"),
        (
            &["key", "make", "--data", "nowhere", "--name", "n", "--role", "owner"],
            3,
            "there is no file nowhere/takst.db",
        ),
        (&["key", "revoke", "--data", &data, "nobody"], 1, "there is no key `nobody`"),
    ] {
        let ran = takst(arguments);
        assert_eq!(ran.code, code, "{arguments:?}: {}{}", ran.out, ran.err);
        assert!(ran.err.contains(says), "{arguments:?}: {}", ran.err);
    }
}

/// In which role a key is let in.
fn role(data: &str, key: &str) -> Option<String> {
    crate::store_support::run(async {
        let store = Store::open(&format!("{data}/takst.db")).await.unwrap();
        let caller = Access::by_key().check(&store, key).await;
        store.close().await;
        caller.ok().map(|caller| format!("{} {}", caller.org.as_str(), caller.role.as_str()))
    })
}

#[test]
fn a_key_opens_until_it_is_revoked() {
    let (_dir, data) = filled();
    let make = |name: &str, role: &str| {
        let ran = fine(takst(&["key", "make", "--data", &data, "--name", name, "--role", role]));
        assert!(ran.err.contains("shown only now"), "{}", ran.err);
        ran.out.trim_end().to_owned()
    };
    let (owner, vendor) = (make("office", "owner"), make("maker", "vendor"));
    assert_eq!(role(&data, &owner).as_deref(), Some("city owner"));
    assert_eq!(role(&data, &vendor).as_deref(), Some("city vendor"));
    let list = fine(takst(&["key", "list", "--data", &data, "--format", "json"])).json();
    assert_eq!(
        (&list[0]["name"], &list[1]["role"], &list[0]["revoked"]),
        (&"office".into(), &"vendor".into(), &serde_json::Value::Null)
    );
    assert!(list[0]["last_used"].is_string());
    let shown = fine(takst(&["key", "list", "--data", &data])).out;
    assert_eq!(shown.lines().count(), 2);
    assert!(!shown.contains(owner.rsplit('_').next().unwrap()), "{shown}");
    // By the whole key or its id.
    fine(takst(&["key", "revoke", "--data", &data, &owner]));
    fine(takst(&["key", "revoke", "--data", &data, list[1]["id"].as_str().unwrap()]));
    assert_eq!((role(&data, &owner), role(&data, &vendor)), (None, None));
    let audit = crate::store_support::run(async {
        let store = Store::open_reader(&format!("{data}/takst.db")).await.unwrap();
        store.read().await.unwrap().audit_log(&org(), None, None, 10).await.unwrap()
    });
    let audit: Vec<&str> = audit.iter().map(|entry| entry.what.as_str()).collect();
    assert_eq!(audit, ["key.revoke", "key.revoke", "key.make", "key.make"]);
}

#[test]
fn while_a_gateway_runs_its_api_makes_the_keys() {
    let (_dir, data) = filled();
    let gateway = Gateway::on(&data);
    let ran = takst(&["key", "make", "--data", &data, "--name", "office", "--role", "owner"]);
    assert_eq!(ran.code, 3);
    assert!(
        ran.err.contains("in use by another takst") && ran.err.contains("POST /api/v1/keys"),
        "{}",
        ran.err
    );
    let ran = takst(&["key", "revoke", "--data", &data, "abc"]);
    assert!(ran.code == 3 && ran.err.contains("DELETE /api/v1/keys/abc"), "{}", ran.err);
    assert_eq!(fine(takst(&["key", "list", "--data", &data])).out, "");
    drop(gateway);
}

#[test]
fn a_key_can_be_made_before_the_gateway_first_runs() {
    let dir = tempfile::tempdir().unwrap();
    let data = text(&dir.path().join("new"));
    let key = fine(takst(&[
        "key", "make", "--data", &data, "--org", "main", "--name", "office", "--role", "owner",
    ]))
    .out;
    assert_eq!(role(&data, key.trim_end()).as_deref(), Some("main owner"));
    // From then on a name that is not known is a mistake.
    let ran =
        takst(&["key", "make", "--data", &data, "--org", "mian", "--name", "office", "--role", "owner"]);
    assert_eq!(ran.code, 2, "{}", ran.err);
}
