//! A database of an earlier schema: what is in it comes along.

use crate::store_support::*;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, SqlSafeStr as _};
use std::path::Path;
use takst_gateway::store::*;

/// All steps before the step `until`, from the files.
fn steps(until: i64) -> Vec<Migration> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    files
        .iter()
        .map(|file| {
            let (number, name) = file.strip_suffix(".sql").unwrap().split_once('_').unwrap();
            let sql =
                std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(file))
                    .unwrap();
            let sql = AssertSqlSafe(sql).into_sql_str();
            Migration::new(number.parse().unwrap(), name.to_owned().into(), MigrationType::Simple, sql, false)
        })
        .filter(|step| step.version < until)
        .collect()
}

/// A database as it was before the step `until`, with what these statements put in.
async fn old(place: &Place, until: i64, filling: &[String]) {
    let migrator = Migrator::with_migrations(steps(until));
    if place.is_sqlite() {
        let path = Path::new(&place.url);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path).create_if_missing(true);
        let mut conn = options.connect().await.unwrap();
        migrator.run_direct(None, &mut conn, false).await.unwrap();
        for sql in filling {
            sqlx::query(AssertSqlSafe(sql.clone())).execute(&mut conn).await.unwrap();
        }
        conn.close().await.unwrap();
    } else {
        let mut conn = sqlx::PgConnection::connect(&place.url).await.unwrap();
        migrator.run_direct(None, &mut conn, false).await.unwrap();
        for sql in filling {
            sqlx::query(AssertSqlSafe(sql.clone())).execute(&mut conn).await.unwrap();
        }
        conn.close().await.unwrap();
    }
}

const BODIES: [&str; 5] =
    ["[2,\"1\",\"Heartbeat\",{}]", "", "two\nlines\tand a \\n that is none\\", "æ 👍\r\n", "\n\n\\\\\n"];

async fn raw_frames_and_facts_come_along(place: Place) {
    let mut filling = Vec::new();
    for (seq, body) in (1..).zip(BODIES) {
        let connection = if seq == 2 { "NULL" } else { "'c-1'" };
        let direction = if seq % 2 == 0 { "out" } else { "in" };
        filling.push(format!(
            "INSERT INTO frame (org, charger, seq, at, direction, connection, body) VALUES ('city', 'C1', {seq}, {}, '{direction}', {connection}, '{body}')",
            at(seq).0
        ));
    }
    filling.push("INSERT INTO frame_ring (org, charger, last) VALUES ('city', 'C1', 5)".to_owned());
    for (charger, id, session) in [("C1", "b", "'s'"), ("C2", "a", "NULL"), ("C1", "c", "'s'")] {
        filling.push(format!(
            "INSERT INTO station_fact (org, charger, id, kind, station_at, received_at, dedupe, document, session, answer)
             VALUES ('city', '{charger}', '{id}', 'meter', NULL, 7, 'same-{id}', '{{\"of\":\"{id}\"}}', {session}, '{{}}')"
        ));
    }
    old(&place, 10, &filling).await;

    let store = place.open().await;
    let city = OrgId::new("city");
    let kept = |seq: i64, body: &str| Frame {
        seq,
        at: at(seq),
        direction: if seq % 2 == 0 { Direction::Out } else { Direction::In },
        connection: (seq != 2).then(|| "c-1".to_owned()),
        body: body.to_owned(),
    };
    let mut frames: Vec<_> = (1..).zip(BODIES).map(|(seq, body)| kept(seq, body)).collect();
    frames.reverse();
    let mut reader = store.read().await.unwrap();
    assert_eq!(reader.frames(&city, "C1", &FrameSearch::default(), 100).await.unwrap(), frames);
    let facts = reader.session_facts(&city, "s", None, 10).await.unwrap();
    let ids: Vec<_> = facts.iter().map(|fact| (fact.id.as_str(), fact.document.as_str())).collect();
    assert_eq!(ids, [("b", r#"{"of":"b"}"#), ("c", r#"{"of":"c"}"#)]);
    assert_eq!(reader.find_fact(&city, "C2", "same-a").await.unwrap().unwrap().id, "a");
    assert_eq!(reader.find_fact(&city, "C1", "same-a").await.unwrap(), None);
    drop(reader);

    // The ring goes on where it was, and what is written now is read back as it was.
    let new: Vec<_> = BODIES.iter().map(|body| Frame { seq: 0, ..kept(6, body) }).collect();
    let owner = city.clone();
    store
        .write(Lane::org(&city), async move |tx| tx.append_frames(&owner, "C1", &new, 100).await)
        .await
        .unwrap();
    let mut reader = store.read().await.unwrap();
    let mut all: Vec<_> = (6..).zip(BODIES).map(|(seq, body)| Frame { seq, ..kept(6, body) }).collect();
    all.reverse();
    all.extend(frames);
    assert_eq!(reader.frames(&city, "C1", &FrameSearch::default(), 100).await.unwrap(), all);
    for from in 0..=11 {
        for limit in 0..4 {
            let search = FrameSearch { before: Some(from), ..FrameSearch::default() };
            let page = reader.frames(&city, "C1", &search, limit).await.unwrap();
            let wanted: Vec<_> = all
                .iter()
                .filter(|frame| frame.seq < from)
                .take(usize::try_from(limit).unwrap())
                .cloned()
                .collect();
            assert_eq!(page, wanted, "before {from}, {limit} of them");
        }
    }
}

both!(raw_frames_and_facts_come_along);
