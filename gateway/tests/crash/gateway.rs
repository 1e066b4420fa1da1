//! `takst serve` as a process that can be killed.

use crate::store_support::Place;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant as Clock};
use takst_gateway::store::OrgId;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// Two sellers with a site each, so that there are two series of bills. A Wh costs a cent: a bill tells to the Wh what was counted.
const SET_UP: &str = r#"
[organisation]
id = "crash"

[settings]
security_profile = 0
concurrent_transactions = 10000
automatic_restart = false

[[token]]
uid = "DEMO"
driver = "d-1"

[[driver]]
id = "d-1"

[[tariff]]
file = "cent.tariff"
"#;

const TARIFF: &str = r#"
tariff "A cent for a Wh"
  currency:   EUR
  time zone:  UTC
  prices:     including VAT
  valid from: 2020-01-01

VAT: 0%

energy: 10.00 EUR/kWh
"#;

/// What the identities of the chargers of each site begin with.
pub const SITES: [&str; 2] = ["N-", "S-"];

pub fn org() -> OrgId {
    OrgId::new("crash")
}

/// How the gateway is started, again and again at one address.
pub struct Gateway {
    pub address: SocketAddr,
    folder: PathBuf,
    database: Option<String>,
}

/// A running one.
pub struct Served {
    pub child: Child,
    pub started: Clock,
}

impl Drop for Served {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Gateway {
    /// Writes the set-up into the folder of the place.
    pub fn at(place: &Place) -> Self {
        let folder = place.dir.path().to_owned();
        let mut set_up = SET_UP.to_owned();
        for site in SITES {
            let _ = write!(
                set_up,
                r#"
[[seller]]
id = "seller-{site}"
name = "Seller {site}"
bill_series = "{site}"

[[site]]
id = "site-{site}"
name = "Site {site}"
time_zone = "UTC"
seller = "seller-{site}"

[site.unknown_chargers]
policy = "accept"
prefix = "{site}"
connector = {{ type = "CCS", max_power_kw = 350 }}
"#
            );
        }
        std::fs::write(folder.join("takst.toml"), set_up).unwrap();
        std::fs::write(folder.join("cent.tariff"), TARIFF).unwrap();
        let database = (!place.is_sqlite()).then(|| place.url.clone());
        Self { address: SocketAddr::from(([127, 0, 0, 1], free_port())), folder, database }
    }

    /// Where the log of all starts is.
    pub fn log(&self) -> PathBuf {
        self.folder.join("gateway.log")
    }

    pub fn start(&self) -> Served {
        let log = std::fs::File::options().create(true).append(true).open(self.log()).unwrap();
        let mut command = Command::new(program());
        command
            .args(["serve", "--format", "json", "--log", "warn", "--config"])
            .arg(self.folder.join("takst.toml"))
            .arg("--data")
            .arg(self.folder.join("data"))
            .args(["--listen", &self.address.to_string()])
            .env_remove("TAKST_DATABASE")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log);
        if let Some(url) = &self.database {
            command.args(["--database", url]);
        }
        let started = Clock::now();
        Served { child: command.spawn().unwrap(), started }
    }

    /// Waits until it is ready; how long that took since its start.
    pub async fn ready(&self, served: &mut Served) -> Duration {
        while !is_ready(self.address).await {
            if let Some(status) = served.child.try_wait().unwrap() {
                panic!("the gateway ended with {status}:\n{}", end_of(&self.log()));
            }
            assert!(
                served.started.elapsed() < Duration::from_secs(60),
                "it is not ready:\n{}",
                end_of(&self.log())
            );
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        served.started.elapsed()
    }

    /// Ends it in order.
    pub async fn stop(&self, mut served: Served) {
        let id = served.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        let begin = Clock::now();
        while served.child.try_wait().unwrap().is_none() {
            assert!(begin.elapsed() < Duration::from_secs(30), "it does not end:\n{}", end_of(&self.log()));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// The program of this build, or the one of `TAKST_CRASH_PROGRAM`.
fn program() -> PathBuf {
    std::env::var_os("TAKST_CRASH_PROGRAM").map_or_else(|| env!("CARGO_BIN_EXE_takst").into(), PathBuf::from)
}

// Not one of those that the system gives to clients: while the gateway is down, a client could be given it.
fn free_port() -> u16 {
    if let Ok(port) = std::env::var("TAKST_CRASH_PORT") {
        return port.parse().unwrap();
    }
    let mut ports = std::iter::repeat_with(|| fastrand::u16(20_000..32_000));
    ports.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).unwrap()
}

async fn is_ready(address: SocketAddr) -> bool {
    let asked = async {
        let mut stream = tokio::net::TcpStream::connect(address).await?;
        stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await?;
        let mut text = String::new();
        stream.read_to_string(&mut text).await?;
        Ok::<_, std::io::Error>(text)
    };
    asked.await.is_ok_and(|text| text.starts_with("HTTP/1.1 200"))
}

/// The last lines of a file.
pub fn end_of(path: &Path) -> String {
    let Ok(file) = std::fs::File::open(path) else { return String::new() };
    let lines: Vec<String> = BufReader::new(file).lines().map_while(Result::ok).collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}
