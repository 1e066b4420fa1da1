//! Chargers of others play whole sessions against `takst serve`: PyPI `ocpp` with `websockets`, and npm `ocpp-rpc` as a second opinion.
//!
//! Python with `venv` and Node with `npm` are needed; the first run fetches the packages into `target/`. What happens in a scene
//! stands in the scripts: `scenes*`, `orders*` and `reports*` in `python/` and `node/`.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that fails panics"
)]

mod gateway;
mod packages;

use gateway::Gateway;
use packages::{node, python};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Command, Stdio};

const SCENES: [&str; 16] = [
    "whole-session",
    "units",
    "offline",
    "lost-answer",
    "reconnect",
    "reboot",
    "burst",
    "wrong-password",
    "held",
    "tokens",
    "one-at-a-time",
    "remote",
    "local-list",
    "taught",
    "reports",
    "cost-on-the-display",
];
const SCENES_16: [&str; 3] = ["unplugged-message", "both-connectors", "orders"];
const SCENES_2: [&str; 6] =
    ["both-evses", "orders", "charging", "newest", "car-stays", "paid-at-the-charger"];
const SCENES_NODE: [&str; 5] = ["whole-session", "offline", "lost-answer", "remote", "door"];

// Every scene has a charger of its own, with the scene's name.
fn play(mut command: Command, version: &str, scenes: &[&str]) {
    let gateway = Gateway::start(scenes);
    command.args([version, &gateway.url()]).args(scenes).env("TAKST_KEY", &gateway.key);
    let output = command.stdin(Stdio::null()).output().unwrap();
    let lines = String::from_utf8_lossy(&output.stdout);
    let wanted: Vec<String> = scenes.iter().map(|scene| format!("{scene} fine")).collect();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(lines.lines().collect::<Vec<_>>(), wanted, "{errors}");
    assert!(output.status.success(), "{errors}");
    gateway.end();
}

#[test]
fn python_chargers_of_1_6() {
    play(python("play.py"), "1.6", &[&SCENES[..], &SCENES_16].concat());
}

#[test]
fn python_chargers_of_2_0_1() {
    play(python("play.py"), "2.0.1", &[&SCENES[..], &SCENES_2].concat());
}

#[test]
fn python_chargers_of_2_1() {
    play(python("play.py"), "2.1", &[&SCENES[..], &SCENES_2].concat());
}

#[test]
fn node_chargers_of_1_6() {
    play(node("play.js"), "1.6", &SCENES_NODE);
}

#[test]
fn node_chargers_of_2_0_1() {
    play(node("play.js"), "2.0.1", &SCENES_NODE);
}

#[test]
fn node_chargers_of_2_1() {
    play(node("play.js"), "2.1", &SCENES_NODE);
}

#[test]
fn what_was_answered_outlives_the_gateway() {
    let names: Vec<String> = ["1.6", "2.0.1", "2.1"]
        .iter()
        .flat_map(|version| ["middle", "end"].map(|name| format!("killed-{version}-{name}")))
        .collect();
    let mut gateway = Gateway::start(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let mut command = python("killed.py");
    command.arg(gateway.url()).env("TAKST_KEY", &gateway.key);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut told = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    told.read_line(&mut line).unwrap();
    if line == "kill\n" {
        gateway.kill_and_start_again();
        child.stdin.take().unwrap().write_all(b"\n").unwrap();
        line.clear();
        told.read_line(&mut line).unwrap();
    }
    let mut errors = String::new();
    child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
    assert!(child.wait().unwrap().success() && line == "fine\n", "{line}{errors}");
    gateway.end();
}
