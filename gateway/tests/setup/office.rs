//! A whole gateway over a folder of files, and whoever asks its API.

use crate::plug::raw;
use serde_json::Value;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;
use takst_engine::units::Instant;
use takst_gateway::api::Role;
use takst_gateway::api::access::new_key;
use takst_gateway::gateway::{Gateway, Plan};
use takst_gateway::house::Source;
use takst_gateway::setup::Files;
use takst_gateway::store::{AuditEntry, Lane, OrgId};
use takst_gateway::{live, serve};

pub const MAIN: &str = r#"# Who sells.
[[seller]]
id = "s"
name = "S"

[[site]]
id = "oslo"
name = "Oslo"       # as people call it
time_zone = "Europe/Oslo"
seller = "s"

[settings]
unknown_tokens = "refuse"

# The first charger.
[[charger]]
id = "O-1"
site = "oslo"
security = { profile = 0 }   # behind the router

[[charger.connector]]
type = "Type2"
max_power_kw = 22

[[driver]]
id = "d-1"

[[token]]
uid = "CARD"
driver = "d-1"

[[tariff]]
file = "flat.tariff"
site = "oslo"
"#;

pub const PEOPLE: &str = r#"# Nobody else's business.
[[person]]
driver = "d-1"
name = "Aino Esimerkki"
email = "aino@example.org"
"#;

pub fn flat(price: &str) -> String {
    format!(
        "tariff \"Flat\"\n  currency:  NOK\n  time zone: Europe/Oslo\n  prices:    including VAT\n\nVAT: 25%\n\nenergy: {price} NOK/kWh\n"
    )
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub tag: Option<String>,
    pub body: Value,
}

impl Answer {
    /// The codes of all that is wrong.
    pub fn codes(&self) -> Vec<&str> {
        let problems = self.body["problems"].as_array().unwrap_or_else(|| panic!("{self:?}"));
        problems.iter().map(|found| found["code"].as_str().unwrap()).collect()
    }
}

pub struct Office {
    pub dir: tempfile::TempDir,
    pub gateway: Gateway,
    pub address: SocketAddr,
    pub owner: String,
}

pub fn org() -> OrgId {
    OrgId::new("main")
}

async fn start(dir: &Path, source: Source) -> Gateway {
    let limits = serve::Limits { proxies: vec!["127.0.0.1".parse().unwrap()], ..serve::Limits::default() };
    let listen = vec!["127.0.0.1:0".parse().unwrap()];
    let options = serve::Options { listen, limits, ..serve::Options::default() };
    let plan = Plan {
        data: dir.join("data"),
        database: None,
        source,
        options,
        open: false,
        live: live::Options::default(),
    };
    plan.start().await.unwrap()
}

impl Office {
    /// The usual set-up.
    pub async fn open() -> Self {
        Self::with(&[("takst.toml", MAIN), ("people.toml", PEOPLE), ("flat.tariff", &flat("2.00"))]).await
    }

    pub async fn with(files: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = dir.path().join("setup").join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let gateway = start(dir.path(), Source::Path(dir.path().join("setup"))).await;
        Self::over(dir, gateway).await
    }

    /// A set-up without files.
    pub async fn of_texts(texts: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let gateway = start(dir.path(), Source::Texts(Files::of_texts(Path::new(""), texts))).await;
        Self::over(dir, gateway).await
    }

    async fn over(dir: tempfile::TempDir, gateway: Gateway) -> Self {
        let address = gateway.server.addresses()[0];
        let mut office = Self { dir, gateway, address, owner: String::new() };
        office.owner = office.key(Role::Owner).await;
        office
    }

    pub async fn key(&self, role: Role) -> String {
        let (row, key) = new_key("test", role, "test").unwrap();
        let unit = async move |tx: &mut takst_gateway::store::Tx| tx.add_api_key(&org(), &row).await;
        self.gateway.store.write(Lane::org(&org()), unit).await.unwrap();
        key
    }

    /// Stops the gateway, and starts another one over the same files and data.
    pub async fn restart(self, between: impl FnOnce(&Path)) -> Self {
        self.gateway.server.stop().await;
        between(self.dir.path());
        let gateway = start(self.dir.path(), Source::Path(self.dir.path().join("setup"))).await;
        let address = gateway.server.addresses()[0];
        Self { gateway, address, dir: self.dir, owner: self.owner }
    }

    pub fn file(&self, name: &str) -> String {
        std::fs::read_to_string(self.dir.path().join("setup").join(name)).unwrap_or_default()
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.dir.path().join("setup").join(name), text).unwrap();
    }

    /// All files of the set-up with their texts.
    pub fn files(&self) -> Vec<(String, String)> {
        let mut found: Vec<_> = std::fs::read_dir(self.dir.path().join("setup"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .map(|name| (name.clone(), self.file(&name)))
            .collect();
        found.sort();
        found
    }

    /// Asks as the owner.
    pub async fn ask(&self, method: &str, path: &str, body: Value) -> Answer {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.ask_as(&self.owner, method, path, &body, None).await
    }

    pub async fn get(&self, path: &str) -> Value {
        let answer = self.ask("GET", path, Value::Null).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        answer.body
    }

    pub async fn ask_as(
        &self,
        key: &str,
        method: &str,
        path: &str,
        body: &str,
        if_match: Option<&str>,
    ) -> Answer {
        let mut request = format!("{method} /api{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n");
        if !key.is_empty() {
            request.push_str(&format!("Authorization: Bearer {key}\r\n"));
        }
        if let Some(tag) = if_match {
            request.push_str(&format!("If-Match: {tag}\r\n"));
        }
        if body.len() > 1 && body.starts_with('{') {
            request.push_str("Content-Type: application/json\r\n");
        }
        request.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
        let answer = raw(self.address, request.as_bytes()).await;
        let (head, body) =
            answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{method} {path}: {answer}"));
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let header = |name: &str| {
            let found = head.lines().find(|line| line.to_lowercase().starts_with(&format!("{name}: ")));
            found.map(|line| line.split_once(": ").unwrap().1.to_owned())
        };
        if status >= 400 {
            assert_eq!(header("content-type").as_deref(), Some("application/problem+json"), "{answer}");
        }
        Answer { status, tag: header("etag"), body: serde_json::from_str(body).unwrap_or_default() }
    }

    /// The audit log, the oldest entry first.
    pub async fn audit(&self) -> Vec<AuditEntry> {
        let mut entries =
            self.gateway.store.read().await.unwrap().audit_log(&org(), None, None, 100).await.unwrap();
        entries.reverse();
        entries
    }

    /// Lines of the audit log about the set-up: who, what, about what.
    pub async fn told(&self) -> Vec<String> {
        let entries = self.audit().await;
        let owner = self.owner.split('_').nth(1).unwrap();
        let who = |who: &str| if who == owner { "owner".to_owned() } else { who.to_owned() };
        entries.iter().map(|entry| format!("{} {} {}", who(&entry.who), entry.what, entry.subject)).collect()
    }
}

pub fn now() -> Instant {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    Instant(i64::try_from(since.as_millis()).unwrap())
}

pub fn run<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(test)
}

/// Waits until something is so.
pub async fn until(what: &str, mut so: impl AsyncFnMut() -> bool) {
    for _ in 0..600 {
        if so().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("not within 30 s: {what}");
}
