//! `takst serve` on a set-up of its own, with one charger for each scene.

use serde_json::Value;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// As the scripts have it.
const PASSWORD: &str = "correct horse";

pub struct Gateway {
    folder: tempfile::TempDir,
    child: Child,
    address: SocketAddr,
    pub key: String,
}

impl Drop for Gateway {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Gateway {
    pub fn start(chargers: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        set_up(&folder.path().join("site"), chargers);
        let key = make_key(folder.path());
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let (child, address) = serve(folder.path(), any);
        Self { folder, child, address, key }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Without a word to anybody; then another one stands at the same address.
    pub fn kill_and_start_again(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.check_log();
        (self.child, self.address) = serve(self.folder.path(), self.address);
    }

    /// Nothing went wrong inside.
    pub fn end(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.check_log();
    }

    fn check_log(&self) {
        let log = std::fs::read_to_string(log(self.folder.path())).unwrap();
        let level = |line: &str| serde_json::from_str::<Value>(line).map(|line| line["level"].clone());
        for line in log.lines() {
            assert!(level(line).is_ok_and(|level| level.is_string() && level != "ERROR"), "{line}");
        }
    }
}

fn log(folder: &Path) -> PathBuf {
    folder.join("log")
}

fn set_up(site: &Path, chargers: &[&str]) {
    std::fs::create_dir(site).unwrap();
    let files = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/site");
    for file in ["takst.toml", "day.tariff"] {
        std::fs::copy(files.join(file), site.join(file)).unwrap();
    }
    std::fs::write(site.join("password"), PASSWORD).unwrap();
    let mut text = String::new();
    for charger in chargers {
        // The others are left in peace.
        let settings = match *charger {
            "taught" => r#"{ tokens_offline = "list", meter_value_interval = "30 s" }"#,
            _ => "{}",
        };
        write!(
            text,
            r#"
[[charger]]
id = "{charger}"
site = "yard"
security = {{ profile = 1, password = {{ file = "password" }} }}
settings = {settings}
connector = [
  {{ evse = 1, type = "CCS", max_power_kw = 350 }},
  {{ evse = 2, type = "Type2", max_power_kw = 22, phases = 3 }},
]
"#
        )
        .unwrap();
    }
    std::fs::write(site.join("chargers.toml"), text).unwrap();
}

fn takst(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_takst"));
    command.args(arguments).args(["--format", "json", "--data"]).arg(folder.join("data"));
    command
}

fn make_key(folder: &Path) -> String {
    let arguments = ["key", "make", "--org", "clients", "--name", "clients", "--role", "owner"];
    let output = takst(folder, &arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let made: Value = serde_json::from_slice(&output.stdout).unwrap();
    made["key"].as_str().unwrap().to_owned()
}

fn serve(folder: &Path, address: SocketAddr) -> (Child, SocketAddr) {
    let log = log(folder);
    let errors = std::fs::File::create(&log).unwrap();
    let mut command = takst(folder, &["serve", "--listen", &address.to_string()]);
    command.arg("--config").arg(folder.join("site")).stdout(Stdio::piped()).stderr(errors);
    let mut child = command.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(!line.is_empty(), "it did not start:\n{}", std::fs::read_to_string(log).unwrap());
    let started: Value = serde_json::from_str(&line).unwrap();
    (child, started["listen"][0].as_str().unwrap().parse().unwrap())
}
