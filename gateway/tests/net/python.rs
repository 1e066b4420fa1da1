//! Chargers of somebody else's making: PyPI `ocpp` and `websockets` play a session in 1.6, 2.0.1 and 2.1.
//!
//! `python3` with `venv` is needed, and PyPI for the first run: the packages go to a virtual environment under `target/`.
//! `TAKST_OCPP_PYTHON` names a Python that has `ocpp` 2.1.0 and `websockets` already.

use crate::net_support::*;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;
use takst_engine::units::Instant;
use takst_gateway::chargers::model::{self, Place, ResetKind, Status};
use takst_gateway::pki::Authority;
use takst_gateway::tls::Files;

// A Python that has the packages, installed once.
fn python() -> &'static Path {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    PYTHON.get_or_init(|| {
        if let Some(named) = std::env::var_os("TAKST_OCPP_PYTHON") {
            return named.into();
        }
        let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("ocpp-chargers");
        let python = home.join("bin/python");
        let has = |python: &Path| {
            let probe = "import ocpp, websockets, importlib.metadata as m; assert m.version('ocpp') == '2.1.0'";
            Command::new(python).args(["-c", probe]).output().is_ok_and(|output| output.status.success())
        };
        if !has(&python) {
            let run = |command: &mut Command| {
                let output = command.output();
                let fine = output.as_ref().is_ok_and(|output| output.status.success());
                let hint = "this test needs `python3` with `venv` (Debian: python3-venv) and PyPI, or TAKST_OCPP_PYTHON \
                            naming a Python with `pip install ocpp==2.1.0 websockets`";
                assert!(fine, "{hint}: {command:?}: {output:?}");
            };
            run(Command::new("python3").args(["-m", "venv"]).arg(&home));
            run(Command::new(&python).args(["-m", "pip", "install", "--quiet", "ocpp==2.1.0", "websockets"]));
        }
        python
    })
}

fn script(name: &str, arguments: &[&str]) -> Command {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python_ocpp").join(name);
    let mut command = Command::new(python());
    command.arg(path).args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

// Runs a charger to its end; meanwhile it is told to do something.
fn session(version: &str, actions: &[&str]) {
    python();
    run(async {
        let bench = bench().await;
        let password = b"top secret";
        bench.allow("PY-1", |rule| rule.password = Some(password.to_vec()));
        let url = format!("ws://{}/ocpp/PY-1", bench.address);
        let child = script("charger.py", &[version, &url, "PY-1", "top secret"]).spawn().unwrap();
        let ended = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap());
        until("the charger has booted", || {
            bench.desk.actions("PY-1").contains(&"BootNotification".to_owned())
        })
        .await;
        let reset = model::Command::Reset { kind: ResetKind::Graceful, place: Place::UNSAID };
        let outcome = bench.command("PY-1", reset, 5_000).await.unwrap();
        assert_eq!(outcome.status, Status::Accepted);
        let output =
            tokio::time::timeout(Duration::from_secs(60), ended).await.expect("within a minute").unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{errors}");
        assert!(String::from_utf8_lossy(&output.stdout).contains("session done, reset seen"), "{errors}");
        assert_eq!(bench.desk.actions("PY-1"), actions);
        for heard in bench.desk.of("PY-1") {
            assert_eq!(heard.received.deviations, Vec::<String>::new(), "{}", heard.received.action);
        }
        until("it has gone", || bench.hub.connected() == 0).await;
        assert_eq!(bench.count("takst_ocpp_calls_refused_total"), 0);
    });
}

#[test]
fn a_charger_of_1_6_charges() {
    session(
        "1.6",
        &[
            "BootNotification",
            "Heartbeat",
            "StatusNotification",
            "Authorize",
            "StartTransaction",
            "MeterValues",
            "StopTransaction",
        ],
    );
}

#[test]
fn a_charger_of_2_0_1_charges() {
    session(
        "2.0.1",
        &[
            "BootNotification",
            "Heartbeat",
            "StatusNotification",
            "Authorize",
            "TransactionEvent",
            "TransactionEvent",
            "TransactionEvent",
        ],
    );
}

#[test]
fn a_charger_of_2_1_charges() {
    session(
        "2.1",
        &[
            "BootNotification",
            "Heartbeat",
            "StatusNotification",
            "Authorize",
            "TransactionEvent",
            "TransactionEvent",
            "TransactionEvent",
        ],
    );
}

#[test]
fn case_49_old_rsa_key_exchange_is_not_spoken_and_the_rest_is_by_openssl() {
    python();
    run(async {
        let dir = tempfile::tempdir().unwrap();
        let now = Instant(
            std::time::SystemTime::now()
                .duration_since(std::time::UNIX_EPOCH)
                .unwrap()
                .as_millis()
                .try_into()
                .unwrap(),
        );
        let authority = Authority::init(&dir.path().join("pki"), "Test", now).unwrap();
        let made = authority.server(&["localhost".to_owned()], 30, now).unwrap();
        let files = Files { certificate: made.certificate, key: made.key.unwrap(), client_ca: None };
        let bench = bench_with(|options| {
            options.listen_tls = std::mem::take(&mut options.listen);
            options.tls = Some(files);
        })
        .await;
        let port = bench.address.port().to_string();
        let ca = authority.certificate_path();
        let command = script("suites.py", &[&port, &ca.to_string_lossy()]).spawn().unwrap();
        let output = tokio::task::spawn_blocking(move || command.wait_with_output().unwrap()).await.unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(
            lines,
            [
                "AES128-GCM-SHA256: refused",
                "AES256-GCM-SHA384: refused",
                "ECDHE-ECDSA-AES128-GCM-SHA256: fine",
                "TLS 1.3: fine"
            ],
            "the manual says the same: such chargers need a proxy in front"
        );
    });
}
