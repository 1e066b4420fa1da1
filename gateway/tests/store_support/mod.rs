//! Empty databases for tests of the store: a SQLite file, and a database on a PostgreSQL server.
//!
//! The server is the one of `TAKST_TEST_POSTGRES`; without it `tests/postgres` is started and ends with this
//! process.

#![allow(dead_code, unreachable_pub, reason = "each test file uses a part")]

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use takst_engine::units::{Energy, Instant};
use takst_gateway::store::*;

/// An empty database.
pub struct Place {
    pub url: String,
    pub dir: tempfile::TempDir,
}

impl Place {
    pub fn sqlite() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let url = dir.path().join("data/takst.db").display().to_string();
        Self { url, dir }
    }

    pub async fn postgres() -> Self {
        let server = server();
        let name = format!("t{}", new_id());
        let mut admin = PgConnection::connect(server).await.unwrap();
        sqlx::query(AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&mut admin).await.unwrap();
        admin.close().await.unwrap();
        let (address, _) = server.rsplit_once('/').unwrap();
        Self { url: format!("{address}/{name}"), dir: tempfile::tempdir().unwrap() }
    }

    pub fn is_sqlite(&self) -> bool {
        !self.url.starts_with("postgres")
    }

    /// A second empty place of the same kind.
    pub async fn another(&self) -> Self {
        if self.is_sqlite() { Self::sqlite() } else { Self::postgres().await }
    }

    pub async fn open(&self) -> Store {
        Store::open(&self.url).await.unwrap()
    }
}

/// The address of a database on the server of the tests, as an administrator.
pub fn server() -> &'static str {
    static SERVER: OnceLock<(String, Option<Child>)> = OnceLock::new();
    &SERVER
        .get_or_init(|| match std::env::var("TAKST_TEST_POSTGRES") {
            Ok(url) => (url, None),
            Err(_) => {
                let script = script();
                // Its standard input ends when this process does, and so does the server.
                let mut child = Command::new(&script)
                    .stdin(Stdio::piped())
                    .stdout(Stdio::piped())
                    .spawn()
                    .unwrap_or_else(|error| panic!("{}: {error}", script.display()));
                let mut url = String::new();
                BufReader::new(child.stdout.take().unwrap()).read_line(&mut url).unwrap();
                assert!(
                    url.starts_with("postgres://"),
                    "no PostgreSQL server: see above, or run the tests as `tests/postgres cargo test`"
                );
                (url.trim().to_owned(), Some(child))
            }
        })
        .0
}

fn script() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().map(|dir| dir.join("tests/postgres")).find(|path| path.is_file()).unwrap()
}

pub fn run<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(test)
}

/// Runs `async fn name(place: Place)`, or a body, on both databases.
#[macro_export]
macro_rules! both {
    ($name:ident, $place:ident => $body:block) => {
        async fn $name($place: Place) $body
        both!($name);
    };
    ($name:ident) => {
        mod $name {
            use super::*;

            #[test]
            fn sqlite() {
                run(super::$name(Place::sqlite()));
            }

            #[test]
            fn postgres() {
                run(async { super::$name(Place::postgres().await).await });
            }
        }
    };
}

pub fn org() -> OrgId {
    OrgId::new("city")
}

pub fn at(ms: i64) -> Instant {
    Instant(1_700_000_000_000 + ms)
}

pub fn fact(dedupe: &str) -> Fact {
    Fact {
        id: new_id(),
        kind: "meter".to_owned(),
        station_at: Some(at(0)),
        received_at: at(5),
        dedupe: Some(dedupe.to_owned()),
        document:
            r#"{"meterValue":[{"timestamp":"2023-11-14T22:13:20Z","sampledValue":[{"value":"12345"}]}]}"#
                .to_owned(),
        session: None,
        answer: None,
    }
}

pub fn session(charger: &str) -> Session {
    Session {
        site: Some("otakaari-5".to_owned()),
        connector: Some(1),
        token: Some("04A2B3C4".to_owned()),
        driver: Some("d-17".to_owned()),
        groups_doc: r#"["VIP"]"#.to_owned(),
        contract: Some("direct".to_owned()),
        transaction_ref: Some("7".to_owned()),
        started_at: Some(at(10)),
        energy: Some(Energy(5_911_000)),
        last_reading_at: Some(at(20)),
        seller: Some("city".to_owned()),
        tariff_name: Some("day".to_owned()),
        tariff_version: Some("sha256:aa".to_owned()),
        currency: Some("EUR".to_owned()),
        ceiling_minor: Some(5000),
        ..Session::begun(&new_id(), (charger, 1), at(0), at(0))
    }
}

pub fn reading(seq: i64) -> Reading {
    Reading {
        seq,
        at: at(seq * 60_000),
        received_at: at(seq * 60_000 + 300),
        imported: Energy(seq * 11_500),
        exported: None,
        segment: 0,
        context: Some("Sample.Periodic".to_owned()),
    }
}

pub fn event(kind: &str, subject: &str) -> NewEvent {
    NewEvent { at: at(0), kind: kind.to_owned(), subject: subject.to_owned(), document: "{}".to_owned() }
}
