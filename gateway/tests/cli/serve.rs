//! `takst serve` and `takst pki` as an operator runs them.

use crate::plug::{Plug, basic, get};
use crate::run::{command, takst};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

pub fn block<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(test)
}

#[test]
fn pki_makes_what_the_manual_says() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("pki").display().to_string();
    let pki = |arguments: &[&str]| {
        let (verb, rest) = arguments.split_first().unwrap();
        takst(&[&["pki", verb, "--folder", &folder][..], rest].concat())
    };
    let early = pki(&["charger", "CP-5"]);
    assert_eq!(early.code, 1);
    assert!(early.err.contains("takst pki init --folder"), "{}", early.err);
    let init = pki(&["init", "--name", "Test"]);
    assert_eq!(init.code, 0, "{}", init.err);
    assert!(
        init.out.trim().ends_with("ca.pem") && init.err.contains("put this certificate into every charger"),
        "{}",
        init.err
    );
    assert_eq!(pki(&["init"]).code, 1, "an authority is not overwritten");
    let server = pki(&["server", "charge.example.org", "192.0.2.7", "--format", "json"]).json();
    assert_eq!((&server["kind"], &server["name"]), (&json!("server"), &json!("charge.example.org")));
    assert!(Path::new(server["key"].as_str().unwrap()).exists());
    let charger = pki(&["charger", "CP-5", "--days", "30"]);
    assert_eq!(charger.out.lines().count(), 2, "{}", charger.out);
    assert!(charger.out.lines().all(|file| Path::new(file).exists()), "{}", charger.out);
    let list = pki(&["list"]);
    assert!(list.out.contains("CP-5") && list.out.contains("until "), "{}", list.out);
    let revoked = pki(&["revoke", "CP-5", "--format", "json"]).json();
    assert!(revoked[0]["revoked"].is_string(), "{revoked}");
    assert!(pki(&["list"]).out.contains("revoked "));
    let unknown = pki(&["revoke", "CP-6"]);
    assert_eq!((unknown.code, unknown.err.contains("takst pki list")), (1, true), "{}", unknown.err);
    let bad =
        crate::run::with_input(&["pki", "charger", "--folder", &folder, "CP-5", "--csr", "-"], b"hello");
    assert_eq!((bad.code, bad.err.contains("signing request")), (1, true), "{}", bad.err);
}

pub struct Served {
    pub child: Child,
    pub address: SocketAddr,
}

impl Drop for Served {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn serve(config: &Path, data: &Path, more: &[&str]) -> Served {
    let (config, data) = (config.display().to_string(), data.display().to_string());
    let mut arguments =
        vec!["serve", "--format", "json", "--config", &config, "--data", &data, "--listen", "127.0.0.1:0"];
    arguments.extend(more);
    let mut child = command(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    if line.is_empty() {
        let mut errors = String::new();
        child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
        panic!("it did not start:\n{errors}");
    }
    let started: Value = serde_json::from_str(&line).unwrap();
    let address = started["listen"][0].as_str().unwrap().parse().unwrap();
    Served { child, address }
}

#[cfg(unix)]
pub fn signal(served: &Served, name: &str) {
    let status = std::process::Command::new("kill").args([name, &served.child.id().to_string()]).status();
    assert!(status.unwrap().success());
}

pub const SET_UP: &str = r#"
[organisation]
id = "home"

[[seller]]
id = "me"
name = "Me"

[[site]]
id = "yard"
name = "Yard"
time_zone = "Europe/Helsinki"
seller = "me"

[[charger]]
id = "CP1"
site = "yard"
security = { profile = 0 }
"#;

#[cfg(unix)]
#[test]
fn serve_serves_reloads_and_ends_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("takst.toml");
    let data = dir.path().join("data");
    std::fs::write(&config, SET_UP).unwrap();
    let mut served = serve(&config, &data, &[]);
    block(async {
        assert_eq!(get(served.address, "/readyz").await, (200, "ready\n".to_owned()));
        let mut plug = Plug::connect(served.address, "/ocpp/CP1", &["ocpp1.6"], None).await.unwrap();
        plug.boot().await;
        let refused = Plug::refused(served.address, "/ocpp/CP2", &["ocpp1.6"], None).await;
        assert!(refused.status().is_client_error(), "{}", refused.status());
        // A charger more, without a restart and without a lost connection.
        let more = "\n[[charger]]\nid = \"CP2\"\nsite = \"yard\"\nsecurity = { profile = 0 }\n";
        std::fs::write(&config, format!("{SET_UP}{more}")).unwrap();
        signal(&served, "-HUP");
        let begin = Instant::now();
        while Plug::connect(served.address, "/ocpp/CP2", &["ocpp2.0.1"], None).await.is_err() {
            assert!(begin.elapsed() < Duration::from_secs(10), "the set-up was not read again");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert!(plug.call("Heartbeat", json!({})).await["currentTime"].is_string());
        signal(&served, "-TERM");
        let frame = plug.end().await.expect("a close frame");
        assert_eq!(u16::from(frame.code), 1001, "{frame:?}");
    });
    let begin = Instant::now();
    let status = loop {
        if let Some(status) = served.child.try_wait().unwrap() {
            break status;
        }
        assert!(begin.elapsed() < Duration::from_secs(15), "it does not end");
        std::thread::sleep(Duration::from_millis(50));
    };
    assert_eq!(status.code(), Some(0));
    let mut log = String::new();
    served.child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    assert!(log.contains("takst has stopped"), "{log}");
    assert!(log.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "the log is JSON:\n{log}");
    assert!(data.join("takst.db").exists());
}

#[test]
fn serve_says_what_is_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("takst.toml");
    std::fs::write(&config, SET_UP.replace("site = \"yard\"", "site = \"yart\"")).unwrap();
    let (config, data) = (config.display().to_string(), dir.path().join("data").display().to_string());
    let wrong = takst(&["serve", "--config", &config, "--data", &data, "--listen", "127.0.0.1:0"]);
    assert_eq!(wrong.code, 1, "{}", wrong.err);
    assert!(wrong.err.contains("yart") && wrong.err.contains("takst.toml"), "{}", wrong.err);
    let no_key = takst(&["serve", "--tls-cert", "server.pem", "--listen-tls", "127.0.0.1:0"]);
    assert_eq!((no_key.code, no_key.err.contains("--tls-key")), (2, true), "{}", no_key.err);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let good = dir.path().join("good.toml");
    std::fs::write(&good, SET_UP).unwrap();
    let busy =
        takst(&["serve", "--config", &good.display().to_string(), "--data", &data, "--listen", &address]);
    assert_eq!((busy.code, busy.err.contains("another program listens there")), (3, true), "{}", busy.err);
}

#[test]
fn a_hashed_password_is_taken_by_the_set_up() {
    let hashed = crate::run::with_input(&["hash-password"], b"correct horse battery\r\nnot this\n");
    assert_eq!((hashed.code, hashed.err.as_str()), (0, ""));
    let hash = hashed.out.trim();
    assert!(hash.starts_with("$argon2id$"), "{hash}");
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("takst.toml");
    let security = format!("security = {{ password = \"{hash}\" }}");
    std::fs::write(&config, SET_UP.replace("security = { profile = 0 }", &security)).unwrap();
    let served = serve(&config, &dir.path().join("data"), &[]);
    block(async {
        let right = basic("CP1", b"correct horse battery");
        let wrong = basic("CP1", b"not this");
        assert!(Plug::connect(served.address, "/ocpp/CP1", &["ocpp1.6"], Some(&right)).await.is_ok());
        let refused = Plug::refused(served.address, "/ocpp/CP1", &["ocpp1.6"], Some(&wrong)).await;
        assert_eq!(refused.status(), 401);
    });
    let nothing = crate::run::with_input(&["hash-password"], b"\n");
    assert_eq!((nothing.code, nothing.err.contains("no password was given")), (1, true), "{}", nothing.err);
}
