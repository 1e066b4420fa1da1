//! What the chargers know: every message that the gateway acknowledged, and what they counted.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use takst_gateway::ocpp::Dialect;
use takst_gateway::simulate::{Event, Observer};

/// An acknowledged message about a transaction.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Acknowledged {
    /// `start`, `meter` and `stop` of 1.6, `event` of 2.x.
    pub kind: &'static str,
    /// Of 2.x.
    pub seq: Option<i64>,
    /// The charger's clock, milliseconds.
    pub at: i64,
    /// The register in Wh.
    pub register: i64,
}

/// A transaction, as far as it is acknowledged. Chargers say things twice; a set holds them once.
#[derive(Default, Debug)]
pub struct Transaction {
    pub messages: BTreeSet<Acknowledged>,
    pub began: Option<i64>,
    pub ended: Option<i64>,
}

impl Transaction {
    /// What the charger counted, in Wh.
    pub fn energy(&self) -> Option<i64> {
        Some(self.ended? - self.began?)
    }
}

#[derive(Default)]
pub struct Charger {
    pub transactions: BTreeMap<String, Transaction>,
    /// How many it began and ended, told or not.
    pub begun: u64,
    pub ended: u64,
    /// What it counted in all, in Wh.
    pub counted: i64,
}

#[derive(Default)]
pub struct Book {
    pub chargers: BTreeMap<String, Charger>,
    /// Answers to messages about transactions; the same told twice counts twice.
    pub acknowledged: u64,
    /// What must not happen.
    pub wrong: Vec<String>,
    pub lost: u64,
}

/// Written by all chargers.
#[derive(Default)]
pub struct Ledger(Mutex<Book>);

impl Ledger {
    pub fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn time(value: &Value) -> i64 {
    let text = value.as_str().unwrap();
    chrono::DateTime::parse_from_rfc3339(text).unwrap().timestamp_millis()
}

// The register of the first meter value, which is the only one.
fn register(message: &Value) -> i64 {
    let samples = message["meterValue"][0]["sampledValue"].as_array().unwrap();
    let sample =
        samples.iter().find(|sample| sample["measurand"] == "Energy.Active.Import.Register").unwrap();
    let value = &sample["value"];
    value.as_i64().unwrap_or_else(|| value.as_str().unwrap().parse().unwrap())
}

// The name of the transaction, and what was said of it.
fn read(action: &str, message: &Value, answer: &Value) -> (String, Acknowledged) {
    let number = |value: &Value| value.as_i64().unwrap().to_string();
    match action {
        "StartTransaction" => {
            let (at, register) = (time(&message["timestamp"]), message["meterStart"].as_i64().unwrap());
            (number(&answer["transactionId"]), Acknowledged { kind: "start", seq: None, at, register })
        }
        "MeterValues" => {
            let at = time(&message["meterValue"][0]["timestamp"]);
            let register = register(message);
            (number(&message["transactionId"]), Acknowledged { kind: "meter", seq: None, at, register })
        }
        "StopTransaction" => {
            let (at, register) = (time(&message["timestamp"]), message["meterStop"].as_i64().unwrap());
            (number(&message["transactionId"]), Acknowledged { kind: "stop", seq: None, at, register })
        }
        "TransactionEvent" => {
            let (at, seq) = (time(&message["timestamp"]), message["seqNo"].as_i64());
            let name = message["transactionInfo"]["transactionId"].as_str().unwrap().to_owned();
            (name, Acknowledged { kind: "event", seq, at, register: register(message) })
        }
        other => panic!("{other} is about no transaction"),
    }
}

impl Observer for Ledger {
    fn connected(&self, _charger: &str, _took: Duration) {}

    fn not_connected(&self, _charger: &str, _why: &str) {}

    fn disconnected(&self, _charger: &str, _on_purpose: bool) {}

    fn event(&self, charger: &str, _dialect: Dialect, event: Event, _took: Option<Duration>) {
        let mut book = self.book();
        let Book { chargers, acknowledged, wrong, lost } = &mut *book;
        match event {
            Event::Answered { action, message: Some(message), answer: Some(answer), .. } => {
                *acknowledged += 1;
                let message: Value = serde_json::from_str(&message).unwrap();
                let answer: Value = serde_json::from_str(&answer).unwrap();
                let (name, said) = read(action, &message, &answer);
                let known = chargers.entry(charger.to_owned()).or_default();
                let transaction = known.transactions.entry(name).or_default();
                let kind = message["eventType"].as_str().unwrap_or(said.kind);
                match kind {
                    "start" | "Started" => transaction.began = Some(said.register),
                    "stop" | "Ended" => transaction.ended = Some(said.register),
                    _ => {}
                }
                transaction.messages.insert(said);
            }
            Event::Refused { action, code, why } => {
                wrong.push(format!("{charger}: {action} refused: {code} {why}"));
            }
            Event::Wrong(what) => wrong.push(format!("{charger}: {what}")),
            Event::TokenRefused { token, status, .. } => {
                wrong.push(format!("{charger}: {token} is {status}"));
            }
            Event::Lost { .. } => *lost += 1,
            Event::Began { .. } => chargers.entry(charger.to_owned()).or_default().begun += 1,
            Event::Ended { energy_wh, .. } => {
                let charger = chargers.entry(charger.to_owned()).or_default();
                charger.ended += 1;
                charger.counted += energy_wh;
            }
            _ => {}
        }
    }
}
