//! Opening, refusing to open, backing up, restoring; and what holds for the whole schema and all SQL.
//!
//! The start on a million sessions: `cargo test --release -p takst-gateway --test store places -- --ignored
//! --nocapture million`.

use crate::store_support::*;
use std::path::Path;
use std::time::{Duration, Instant as Clock};
use takst_gateway::store::*;

async fn data_is_there_after_a_restart(place: Place) {
    let city = org();
    let row = session("C1");
    for round in 0..3 {
        let store = place.open().await;
        if round == 0 {
            let (owner, row) = (city.clone(), row.clone());
            store.write(Lane::org(&city), async move |tx| tx.add_session(&owner, &row).await).await.unwrap();
        }
        assert_eq!(store.read().await.unwrap().unfinished_sessions(&city).await.unwrap(), [row.clone()]);
        store.close().await;
    }
}

both!(data_is_there_after_a_restart);

async fn a_reader_beside_the_writer_changes_nothing(place: Place) {
    let early = Store::open_reader(&place.url).await.map(drop).unwrap_err();
    assert!(
        early.to_string().contains(if place.is_sqlite() { "there is no file" } else { "takst serve" }),
        "{early}"
    );
    let store = place.open().await;
    let beside = Store::open_reader(&place.url).await.unwrap();
    let owner = org();
    store.write(Lane::org(&org()), async move |tx| tx.add_org(&owner, "x", at(0)).await).await.unwrap();
    assert_eq!(beside.read().await.unwrap().orgs().await.unwrap(), [org()]);
    let owner = org();
    let refused = beside.write(Lane::org(&org()), async move |tx| tx.add_org(&owner, "y", at(0)).await).await;
    assert_eq!(refused, Err(Error::Closed));
}

both!(a_reader_beside_the_writer_changes_nothing);

/// Opens what cannot be opened; what the person is told.
async fn told(url: &str) -> String {
    Store::open(url).await.map(drop).expect_err(url).to_string()
}

#[test]
fn errors_of_sqlite_say_what_to_do() {
    run(async {
        let place = Place::sqlite();
        let store = place.open().await;
        let twice = told(&place.url).await;
        assert!(twice.contains("in use by another takst") && twice.contains("stop the other one"), "{twice}");
        store.close().await;
        drop(store);
        place.open().await.close().await;

        let file = place.dir.path().join("text.db");
        std::fs::write(&file, "No database at all, but long enough to look like one. ".repeat(100)).unwrap();
        let text = told(file.to_str().unwrap()).await;
        assert!(text.contains("is no SQLite database") && text.contains("--data"), "{text}");

        let below_a_file = told(file.join("takst.db").to_str().unwrap()).await;
        assert!(below_a_file.contains("text.db") && below_a_file.contains("may write to"), "{below_a_file}");

        let damaged = place.dir.path().join("damaged.db");
        let mut bytes = std::fs::read(&place.url).unwrap();
        for byte in &mut bytes[100..4096] {
            *byte = 0xa5;
        }
        std::fs::write(&damaged, bytes).unwrap();
        let damaged = told(damaged.to_str().unwrap()).await;
        assert!(damaged.contains("damaged") && damaged.contains("takst restore"), "{damaged}");

        for bad in ["", "sqlite::memory:", "mysql://root@localhost/x"] {
            let bad = told(bad).await;
            assert!(
                bad.contains("no place for the database") && bad.contains("takst-data/takst.db"),
                "{bad}"
            );
        }
    });
}

#[test]
fn errors_of_postgres_say_what_to_do_and_keep_the_password() {
    use sqlx::{Connection as _, Executor as _};
    run(async {
        let mut admin = sqlx::PgConnection::connect(server()).await.unwrap();
        // Another test process may have made him already.
        let _ = admin.execute("CREATE ROLE guarded LOGIN PASSWORD 'right'").await;
        let (address, _) = server().rsplit_once('/').unwrap();
        let guarded = address.replace("takst@", "guarded:sesame@");
        let wrong = told(&format!("{guarded}/postgres")).await;
        assert!(
            wrong.contains("does not accept the user or the password") && !wrong.contains("sesame"),
            "{wrong}"
        );
        let nothing = told(&format!("{address}/nothing")).await;
        assert!(nothing.contains("no such database") && nothing.contains("createdb"), "{nothing}");
        let nobody = told("postgres://takst:sesame@127.0.0.1:1/takst").await;
        assert!(
            nobody.contains("no server answers")
                && nobody.contains("127.0.0.1:1")
                && !nobody.contains("sesame"),
            "{nobody}"
        );
        let address = told("postgres://takst:sesame@nowhere:port/x").await;
        assert!(address.contains("%40") && !address.contains("sesame"), "{address}");
    });
}

async fn a_newer_schema_is_left_alone(place: Place) {
    place.open().await.close().await;
    let sql = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (999, 'later', TRUE, '', 0)";
    execute(&place, sql).await;
    let newer = told(&place.url).await;
    assert!(
        newer.contains("written by a newer takst (schema 999") && newer.contains("newer program"),
        "{newer}"
    );
    let newer = Store::open_reader(&place.url).await.map(drop).unwrap_err().to_string();
    assert!(newer.contains("newer takst"), "{newer}");
}

both!(a_newer_schema_is_left_alone);

async fn execute(place: &Place, sql: &str) {
    use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _};
    if place.is_sqlite() {
        let mut conn =
            sqlx::sqlite::SqliteConnectOptions::new().filename(&place.url).connect().await.unwrap();
        conn.execute(AssertSqlSafe(sql)).await.unwrap();
        conn.close().await.unwrap();
    } else {
        let mut conn = sqlx::PgConnection::connect(&place.url).await.unwrap();
        conn.execute(AssertSqlSafe(sql)).await.unwrap();
        conn.close().await.unwrap();
    }
}

/// Something in most tables, with texts that are hard to pass on.
async fn fill(store: &Store) {
    for number in 0..500_i64 {
        let city = org();
        store
            .write(Lane::org(&org()), async move |tx| {
                let text = format!("\"\\\n\r\t\u{1f600} ' {number} \u{2028}");
                tx.add_org(&city, &text, at(0)).await?;
                let row = Session {
                    driver: (number % 2 == 0).then(|| text.clone()),
                    energy: None,
                    document: text.clone(),
                    ..session("C1")
                };
                tx.add_session(&city, &row).await?;
                tx.put_readings(&city, &row.id, &[reading(number), reading(i64::MAX / 200_000)]).await?;
                tx.append_fact(&city, "C1", &Fact { document: text.clone(), ..fact(&text) }).await?;
                let bill = NewBill {
                    id: new_id(),
                    session: Some(row.id.clone()),
                    seller: "city".to_owned(),
                    series: text.clone(),
                    kind: BillKind::Bill,
                    revision: 1,
                    corrects: None,
                    issued_at: at(0),
                    status: "final".to_owned(),
                    currency: "EUR".to_owned(),
                    total: -number,
                    hashes: "{}".to_owned(),
                };
                let opening = tx.lock_standing(&city, "s", at(0)).await?;
                let change = StandingChange { scope: "s".to_owned(), opening, closing: text.clone() };
                tx.issue_bill(&city, &bill, &[change], event("bill.issued", &text), |_| Ok(text.clone()))
                    .await?;
                let person = Person {
                    driver: text.clone(),
                    name: None,
                    email: Some(text.clone()),
                    phone: None,
                    document: text.clone(),
                    updated_at: at(0),
                };
                tx.put_person(&city, &person).await
            })
            .await
            .unwrap();
    }
}

async fn a_backup_can_be_restored_into_either_database(place: Place) {
    let store = place.open().await;
    fill(&store).await;
    let file = place.dir.path().join("backup");
    // While others write.
    let busy = {
        let store = store.clone();
        tokio::spawn(async move {
            for number in 0.. {
                let (city, fact) = (org(), fact(&format!("busy {number}")));
                if store
                    .write(Lane::org(&org()), async move |tx| tx.append_fact(&city, "C9", &fact).await)
                    .await
                    .is_err()
                {
                    break;
                }
            }
        })
    };
    let saved = store.backup(&file).await.unwrap();
    assert_eq!((saved["session"].rows, saved["bill"].rows, saved["session_reading"].rows), (500, 500, 1000));
    let again = store.backup(&file).await.unwrap_err().to_string();
    assert!(again.contains("is there already"), "{again}");
    store.close().await;
    busy.await.unwrap();

    let bills = Store::open_reader(&place.url)
        .await
        .unwrap()
        .read()
        .await
        .unwrap()
        .bills(&org(), &BillFilter::default(), None, 1000)
        .await
        .unwrap();
    for target in [Place::sqlite(), Place::postgres().await] {
        let restored = restore(&file, &target.url, Since::Nothing).await.unwrap();
        assert_eq!(restored, saved);
        let store = target.open().await;
        assert_eq!(
            store.read().await.unwrap().bills(&org(), &BillFilter::default(), None, 1000).await.unwrap(),
            bills
        );
        // And on with the next number.
        let owner = org();
        let seq = store
            .write(Lane::org(&org()), async move |tx| {
                tx.log_event(&owner, event("e", "s"));
                Ok(())
            })
            .await;
        assert_eq!(seq, Ok(()));
        assert_eq!(store.read().await.unwrap().last_event(&org()).await.unwrap(), 501);
        store.close().await;
        let full = restore(&file, &target.url, Since::Unknown).await.unwrap_err().to_string();
        assert!(full.contains("is not empty") && full.contains("empty database"), "{full}");
        // There and back again.
        let copy = target.dir.path().join("copy");
        assert_eq!(
            Store::open(&target.url).await.unwrap().backup(&copy).await.unwrap()["bill"],
            saved["bill"]
        );
    }
}

both!(a_backup_can_be_restored_into_either_database);

async fn a_broken_backup_restores_nothing(place: Place) {
    let store = place.open().await;
    fill(&store).await;
    let file = place.dir.path().join("backup");
    store.backup(&file).await.unwrap();
    let whole = std::fs::read(&file).unwrap();
    let nothing = Store::open(&place.url).await;
    assert_eq!(nothing.is_err(), place.is_sqlite(), "the file is in use");
    drop(nothing);

    let mut broken: Vec<Vec<u8>> = vec![whole[..whole.len() / 2].to_vec(), Vec::new(), b"{}\n".to_vec()];
    // A letter of a document: only the hash can notice. (All of them, because pages of SQLite hold leftovers
    // that do not count.)
    let mut changed = whole.clone();
    let letters: Vec<usize> = (0..whole.len() - 5)
        .filter(|at| whole[*at..].starts_with(b"VIP\"]") || whole[*at..].starts_with(b"VIP\\\""))
        .collect();
    assert!(letters.len() >= 500);
    for letter in letters {
        changed[letter] = b'W';
    }
    broken.push(changed);
    if !place.is_sqlite() {
        broken
            .push(String::from_utf8(whole.clone()).unwrap().replacen("\"otakaari-5\"", "5", 1).into_bytes());
        broken.push(
            String::from_utf8(whole.clone())
                .unwrap()
                .replacen("\"name\":\"org\"", "\"name\":\"org; DROP TABLE bill\"", 1)
                .into_bytes(),
        );
        broken.push(whole[..whole.len() - 1].to_vec());
    }
    let target = place.another().await;
    for (number, bytes) in broken.into_iter().enumerate() {
        let bad = place.dir.path().join(format!("bad{number}"));
        std::fs::write(&bad, bytes).unwrap();
        let error = restore(&bad, &target.url, Since::Unknown)
            .await
            .expect_err(&format!("broken backup {number}"))
            .to_string();
        assert!(error.contains("bad"), "{number}: {error}");
        let store = target.open().await;
        assert_eq!(store.read().await.unwrap().orgs().await.unwrap(), [], "{number}: {error}");
        store.close().await;
    }
    std::fs::write(place.dir.path().join("good"), whole).unwrap();
    restore(&place.dir.path().join("good"), &target.url, Since::Unknown).await.unwrap();
}

both!(a_broken_backup_restores_nothing);

/// Two organisations with the same names everywhere: nothing of one shows in the other.
async fn organisations_do_not_see_each_other(place: Place) {
    let store = place.open().await;
    let (city, hotel) = (org(), OrgId::new("hotel"));
    let row = session("C1");
    for (owner, energy) in [(&city, 1), (&hotel, 2)] {
        let (org, row) =
            (owner.clone(), Session { energy: Some(takst_engine::units::Energy(energy)), ..row.clone() });
        store
            .write(Lane::charger(owner, "C1"), async move |tx| {
                tx.add_org(&org, "x", at(0)).await?;
                tx.add_charger(&org, "C1", Registration::Accepted, at(0)).await?;
                tx.add_session(&org, &row).await?;
                tx.append_fact(&org, "C1", &Fact { answer: Some(energy.to_string()), ..fact("same") })
                    .await?;
                assert_eq!(tx.next_transaction_id(&org).await?, 1, "each counts for itself");
                tx.log_event(&org, event("e", "s"));
                Ok(())
            })
            .await
            .unwrap();
    }
    let owner = hotel.clone();
    let id = row.id.clone();
    store
        .write(Lane::org(&hotel), async move |tx| {
            tx.set_hold(&owner, &id, true, ("x", "y"), at(0)).await?;
            tx.set_skew(&owner, "C1", 5).await
        })
        .await
        .unwrap();
    let mut reader = store.read().await.unwrap();
    assert_eq!(reader.session(&city, &row.id).await.unwrap().unwrap().energy.unwrap().0, 1);
    assert!(!reader.session(&city, &row.id).await.unwrap().unwrap().hold);
    assert!(reader.session(&hotel, &row.id).await.unwrap().unwrap().hold);
    assert_eq!(reader.find_fact(&hotel, "C1", "same").await.unwrap().unwrap().answer.as_deref(), Some("2"));
    assert_eq!(reader.charger(&city, "C1").await.unwrap().unwrap().skew_ms, None);
    assert_eq!(reader.events_after(&city, 0, 10).await.unwrap().len(), 1);
    assert_eq!(reader.charger_orgs("C1").await.unwrap(), [city, hotel]);
    let stranger = OrgId::new("stranger");
    assert_eq!(reader.sessions(&stranger, &SessionFilter::default(), None, 10).await.unwrap(), []);
    assert_eq!(reader.unfinished_sessions(&stranger).await.unwrap(), []);
}

both!(organisations_do_not_see_each_other);

/// Every SQL text of the store, by file.
fn statements() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for file in std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store")).unwrap() {
        let path = file.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let mut rest = text.split("#[cfg(test)]").next().unwrap();
        while let Some(start) = rest.find('"') {
            let mut end = start + 1;
            while rest.as_bytes()[end] != b'"' {
                end += if rest.as_bytes()[end] == b'\\' { 2 } else { 1 };
            }
            // A quote as a character is no text.
            if rest[..start].ends_with('\'') {
                rest = &rest[start + 2..];
                continue;
            }
            let literal = &rest[start + 1..end];
            if ["SELECT ", "UPDATE ", "DELETE ", "INSERT "]
                .iter()
                .any(|verb| literal.trim_start().starts_with(verb))
            {
                found.push((path.file_name().unwrap().to_str().unwrap().to_owned(), literal.to_owned()));
            }
            rest = &rest[end + 1..];
        }
    }
    found
}

#[test]
fn every_statement_names_its_organisation() {
    let statements = statements();
    assert!(statements.len() > 100, "{}", statements.len());
    // The doors (who are you?), the whole database (backup), and the database itself.
    let doors = [
        "SELECT org FROM org ORDER BY org",
        "SELECT org FROM charger WHERE id = $1 ORDER BY org",
        "SELECT COALESCE(pg_xact_status",
    ];
    for (file, sql) in &statements {
        if ["backup.rs", "restore.rs"].contains(&file.as_str())
            || sql.contains("_sqlx_migrations")
            || doors.iter().any(|door| sql.starts_with(door))
        {
            continue;
        }
        let whole = sql.starts_with("INSERT INTO") && sql.contains("(org, ");
        // A look-up inside a look-up names it too.
        let looks =
            sql.matches("SELECT ").count() + sql.matches("UPDATE ").count() + sql.matches("DELETE ").count();
        let looks = looks - sql.matches("DO UPDATE ").count() - usize::from(sql.contains("SELECT\n"));
        assert!(
            sql.matches("org = $1").count() >= if whole { 0 } else { looks.max(1) } || (whole && looks <= 1),
            "{file}: {sql}"
        );
        assert!(
            !sql.contains("UPDATE bill ") && !sql.contains("DELETE FROM bill "),
            "a bill is never changed: {sql}"
        );
    }
}

async fn only_whole_numbers_and_texts(place: Place) {
    use sqlx::{Connection as _, Row as _};
    place.open().await.close().await;
    let columns: Vec<(String, String, String)> = if place.is_sqlite() {
        use sqlx::ConnectOptions as _;
        let mut conn =
            sqlx::sqlite::SqliteConnectOptions::new().filename(&place.url).connect().await.unwrap();
        let sql = "SELECT m.name, c.name, c.type FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table'";
        sqlx::query(sql)
            .fetch_all(&mut conn)
            .await
            .unwrap()
            .iter()
            .map(|row| (row.get(0), row.get(1), row.get(2)))
            .collect()
    } else {
        let mut conn = sqlx::PgConnection::connect(&place.url).await.unwrap();
        let sql = "SELECT CAST(table_name AS TEXT), CAST(column_name AS TEXT), upper(CAST(data_type AS TEXT))
                   FROM information_schema.columns WHERE table_schema = 'public'";
        sqlx::query(sql)
            .fetch_all(&mut conn)
            .await
            .unwrap()
            .iter()
            .map(|row| (row.get(0), row.get(1), row.get(2)))
            .collect()
    };
    let columns: Vec<_> = columns
        .into_iter()
        .filter(|(table, ..)| !table.starts_with("_sqlx") && !table.starts_with("sqlite_"))
        // A view holds nothing.
        .filter(|(table, ..)| table != "session_now")
        .collect();
    let tables: std::collections::BTreeSet<_> = columns.iter().map(|(table, ..)| table.as_str()).collect();
    for (table, column, kind) in &columns {
        assert!(kind == "BIGINT" || kind == "TEXT", "{table}.{column} is {kind}");
    }
    for table in &tables {
        assert!(
            columns.iter().any(|(name, column, _)| name == table && column == "org"),
            "{table} has no organisation"
        );
    }
    let store = place.open().await;
    let saved = store.backup(&place.dir.path().join("backup")).await.unwrap();
    assert!(saved.keys().map(String::as_str).eq(tables), "a backup has all tables");
}

both!(only_whole_numbers_and_texts);

async fn unfinished_sessions_are_found_by_an_index(place: Place) {
    use sqlx::Row as _;
    place.open().await.close().await;
    let sql = "SELECT id, track FROM session_now WHERE org = 'city' AND status = 'running' ORDER BY charger, plugged_in, id";
    let plan = if place.is_sqlite() {
        use sqlx::ConnectOptions as _;
        let mut conn =
            sqlx::sqlite::SqliteConnectOptions::new().filename(&place.url).connect().await.unwrap();
        let sql = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
        sqlx::query(sql)
            .fetch_all(&mut conn)
            .await
            .unwrap()
            .iter()
            .map(|row| row.get::<String, _>(3))
            .collect::<Vec<_>>()
    } else {
        use sqlx::{Connection as _, Executor as _};
        let mut conn = sqlx::PgConnection::connect(&place.url).await.unwrap();
        // An empty table is read as a whole otherwise.
        conn.execute("SET enable_seqscan = off").await.unwrap();
        let sql = sqlx::AssertSqlSafe(format!("EXPLAIN {sql}"));
        sqlx::query(sql)
            .fetch_all(&mut conn)
            .await
            .unwrap()
            .iter()
            .map(|row| row.get::<String, _>(0))
            .collect()
    };
    assert!(plan.iter().any(|line| line.contains("session_running")), "{plan:?}");
}

both!(unfinished_sessions_are_found_by_an_index);

// Questions that are asked for messages, bills or every few seconds, as the store asks them: what they cost must not grow with what was.
const ASKED: [(&str, &str); 14] = [
    ("SELECT document FROM station_fact WHERE org = ? AND charger = ? AND dedupe = ?", "station_fact_dedupe"),
    ("SELECT document FROM station_fact WHERE org = ? AND charger = ? AND id = ?", "(org=? AND id=?)"),
    ("SELECT document FROM station_fact WHERE org = ? AND session = ? AND id > ? ORDER BY id LIMIT ?", "station_fact_session"),
    (
        "SELECT track FROM session_now WHERE org = ? AND charger = ? AND transaction_ref = ? ORDER BY +plugged_in DESC, id DESC LIMIT 1",
        "session_transaction",
    ),
    (
        "SELECT track FROM session_now WHERE org = ? AND id IN (SELECT (SELECT id FROM session AS own WHERE own.org = ? AND
         own.charger = asked.column1 AND own.transaction_ref = asked.column2 ORDER BY +plugged_in DESC, id DESC LIMIT 1)
         FROM (VALUES (?, ?), (?, ?)) AS asked)",
        "session_transaction",
    ),
    (
        "SELECT track FROM session_now WHERE org = ? AND status = 'running' AND charger = ? AND evse = ? ORDER BY plugged_in, id",
        "session_running",
    ),
    (
        "SELECT track FROM session_now WHERE org = ? AND status = 'running' ORDER BY +plugged_in DESC, id DESC LIMIT ?",
        "session_running",
    ),
    (
        "SELECT track FROM session_now WHERE org = ? AND billing = 'due' AND hold = 0 ORDER BY plugged_in, id LIMIT ?",
        "session_due",
    ),
    ("SELECT track FROM session_now WHERE org = ? AND hold = 1 ORDER BY plugged_in DESC, id DESC LIMIT ?", "session_held"),
    ("SELECT id FROM incident WHERE org = ? AND closed_at IS NULL ORDER BY opened_at, id", "incident_now"),
    ("SELECT MIN(o.next_at) FROM outbox AS o WHERE o.org = ? AND o.next_at IS NOT NULL AND o.state <> 'waiting'", "outbox_next"),
    ("SELECT id FROM outbox WHERE org = ? AND state = 'calling' AND finished_at IS NULL ORDER BY id", "outbox_calling"),
    ("SELECT status FROM invoice WHERE org = ? AND session = ? ORDER BY +created_at, id", "invoice_session"),
    ("SELECT document FROM bill WHERE org = ? AND session = ? ORDER BY revision", "bill_revision"),
];

#[test]
fn what_is_asked_often_is_found_by_an_index() {
    use sqlx::{ConnectOptions as _, Row as _};
    run(async {
        let place = Place::sqlite();
        place.open().await.close().await;
        let mut conn =
            sqlx::sqlite::SqliteConnectOptions::new().filename(&place.url).connect().await.unwrap();
        for (sql, index) in ASKED {
            let explain = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
            let steps = sqlx::query(explain).fetch_all(&mut conn).await.unwrap();
            let plan: Vec<String> = steps.iter().map(|step| step.get(3)).collect();
            assert!(plan.iter().any(|step| step.contains(index)), "{sql}\n{plan:#?}");
            let reads_all = |step: &&String| step.ends_with("(org=?)");
            assert_eq!(plan.iter().find(reads_all), None, "{sql}");
        }
    });
}

#[test]
fn postgresql_knows_the_tables_that_grow() {
    use sqlx::{Connection as _, Row as _};
    run(async {
        let place = Place::postgres().await;
        let store = place.open().await;
        for number in 0..400 {
            let unit = async move |tx: &mut Tx| {
                tx.add_session(&org(), &session(&format!("C{number}"))).await?;
                tx.keep_fact(&org(), &format!("C{number}"), &fact("1")).await
            };
            store.write(Lane::charger(&org(), &format!("C{number}")), unit).await.unwrap();
        }
        // As long as it knows nothing, it takes one organisation for one of many.
        let sql = "SELECT CAST(tablename AS TEXT) FROM pg_stats WHERE attname = 'org' AND n_distinct = 1 AND tablename IN ('session', 'station_fact')";
        let mut conn = sqlx::PgConnection::connect(&place.url).await.unwrap();
        let mut known = Vec::new();
        for _ in 0..100 {
            let rows = sqlx::query(sql).fetch_all(&mut conn).await.unwrap();
            known = rows.iter().map(|row| row.get::<String, _>(0)).collect();
            if known.len() == 2 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        known.sort();
        assert_eq!(known, ["session", "station_fact"]);
        conn.close().await.unwrap();
        store.close().await;
    });
}

/// Makes a million finished sessions and a thousand running ones, then starts.
async fn start_on_a_million(place: Place) {
    place.open().await.close().await;
    let columns = "org, id, charger, evse, groups_doc, transaction_ref, plugged_in, started_at, status, flags, billing, document, created_at, updated_at, hold, driver, site";
    let row = "'city', 'id' || n, 'C' || (n % 1000), 1, '[]', CAST(n AS TEXT), n * 1000, n * 1000, CASE WHEN n % 1001 = 0 THEN 'running' ELSE 'ended' END, '[]',
               'billed', '{}', n, n, 0, 'd-' || (n % 5000), 'site-' || (n % 50)";
    let numbers = if place.is_sqlite() {
        "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 1001000)"
    } else {
        "WITH numbers (n) AS (SELECT generate_series(1, 1001000))"
    };
    execute(&place, &format!("INSERT INTO session ({columns}) {numbers} SELECT {row} FROM numbers")).await;
    let begin = Clock::now();
    let store = place.open().await;
    let unfinished = store.read().await.unwrap().unfinished_sessions(&org()).await.unwrap();
    let took = begin.elapsed();
    println!("start on 1,001,000 sessions of which {} run: {took:.1?}", unfinished.len());
    assert_eq!(unfinished.len(), 1000);
    assert!(took < Duration::from_secs(2), "{took:?}");
    let begin = Clock::now();
    let filter = SessionFilter { driver: Some("d-77".to_owned()), ..Default::default() };
    let page = store.read().await.unwrap().sessions(&org(), &filter, None, 50).await.unwrap();
    println!("a page of {} sessions of a driver: {:.1?}", page.len(), begin.elapsed());
    let begin = Clock::now();
    let page = store
        .read()
        .await
        .unwrap()
        .sessions(&org(), &SessionFilter::default(), Some(&page[40].cursor()), 50)
        .await
        .unwrap();
    println!("a page of {} sessions from the middle: {:.1?}", page.len(), begin.elapsed());
    let begin = Clock::now();
    let due = store.read().await.unwrap().due_sessions(&org(), 50).await.unwrap();
    println!("{} sessions that can be billed: {:.1?}", due.len(), begin.elapsed());
    let begin = Clock::now();
    let filter = SessionFilter { status: Some(SessionStatus::Running), ..Default::default() };
    let page = store.read().await.unwrap().sessions(&org(), &filter, None, 50).await.unwrap();
    println!("a page of {} sessions that run: {:.1?}", page.len(), begin.elapsed());
    let begin = Clock::now();
    let none = store.read().await.unwrap().session_by_transaction(&org(), "C7", "new").await.unwrap();
    println!("a transaction that is not there ({}): {:.1?}", none.is_none(), begin.elapsed());
    store.close().await;
}

#[test]
#[ignore = "a measurement of a minute"]
fn start_on_a_million_sessions_sqlite() {
    run(start_on_a_million(Place::sqlite()));
}

#[test]
#[ignore = "a measurement of a minute"]
fn start_on_a_million_sessions_postgres() {
    run(async { start_on_a_million(Place::postgres().await).await });
}

/// Everything can be awaited in a task of a server.
#[test]
fn futures_can_change_threads() {
    fn can<T: Send>(_: T) {}
    async fn all(store: Store, path: &Path) {
        can(store.write(Lane::org(&org()), async move |tx| tx.add_org(&org(), "x", at(0)).await));
        can(store.read());
        can(store.sweep(&org(), &Retention::default(), 1));
        can(store.stream_sessions(&org(), SessionFilter::default()));
        can(store.backup(path));
        can(restore(path, "", Since::Unknown));
        can(store.close());
        can(async move { store.read().await?.session_parts(&org(), "x").await });
    }
    run(async {
        let place = Place::sqlite();
        all(place.open().await, Path::new("nowhere")).await;
    });
}
