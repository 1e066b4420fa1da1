//! An operator of eFaktura on this machine: it knows a few people, takes an invoice once under a key, and keeps what it was sent.

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// What it keeps.
#[derive(Default)]
pub struct Kept {
    /// Invoices, each with its key.
    pub taken: Vec<Value>,
    /// So many of the next invoices are answered with 503, and not taken.
    pub busy: usize,
    /// Requests for who can be reached.
    pub asked: usize,
    /// What invoices are when they were just taken.
    pub at_once: &'static str,
    /// Invoices that were taken back.
    pub cancelled: usize,
    /// It does not give the sender's key back, and takes a number again when it rejected it.
    pub keyless: bool,
}

/// The operator.
#[derive(Clone)]
pub struct Operator {
    pub kept: Arc<Mutex<Kept>>,
    pub address: String,
}

type Answer = (StatusCode, Json<Value>);

fn answer(status: u16, body: Value) -> Answer {
    (StatusCode::from_u16(status).unwrap(), Json(body))
}

fn key_is_right(headers: &HeaderMap) -> bool {
    headers.get("authorization").is_some_and(|value| value == "Bearer sesame-open")
}

async fn consumers(State(operator): State<Operator>, headers: HeaderMap, Json(body): Json<Value>) -> Answer {
    if !key_is_right(&headers) {
        return answer(401, json!({"message": "no key"}));
    }
    operator.kept.lock().unwrap().asked += 1;
    let one = |identifier: &str, consent: bool, blocked: bool| json!({"consumers": [{"efakturaIdentifier": identifier, "hasAutoAcceptAgreement": consent, "blockedByReceiver": blocked}]});
    answer(
        200,
        match body["name"].as_str().unwrap_or_default() {
            "Kari Nordmann" => one("K-1", true, false),
            "Ola Nordmann" => one("O-1", true, true),
            "Per Hansen" => one("P-1", false, false),
            _ => json!({"consumers": []}),
        },
    )
}

async fn take(State(operator): State<Operator>, headers: HeaderMap, Json(mut body): Json<Value>) -> Answer {
    if !key_is_right(&headers) {
        return answer(401, json!({"message": "no key"}));
    }
    let key = headers["idempotency-key"].to_str().unwrap().to_owned();
    let mut kept = operator.kept.lock().unwrap();
    if kept.busy > 0 {
        kept.busy -= 1;
        return answer(503, json!({"message": "closed"}));
    }
    if let Some(known) = kept.taken.iter().find(|one| one["key"] == key.as_str()) {
        return answer(200, known.clone());
    }
    let clashes = |one: &&Value| !(kept.keyless && one["status"] == "REJECTED");
    if kept.taken.iter().filter(clashes).any(|one| one["invoiceNumber"] == body["invoiceNumber"]) {
        return answer(409, json!({"message": "number known"}));
    }
    body["key"] = key.into();
    body["id"] = format!("I-{}", kept.taken.len() + 1).into();
    body["status"] = if kept.at_once.is_empty() { "QUEUED" } else { kept.at_once }.into();
    kept.taken.push(body.clone());
    answer(201, body)
}

async fn by_number(
    State(operator): State<Operator>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Answer {
    let kept = operator.kept.lock().unwrap();
    let found = kept.taken.iter().filter(|one| one["invoiceNumber"] == query["invoiceNumber"].as_str());
    let mut found: Vec<Value> = found.cloned().collect();
    if kept.keyless {
        for one in &mut found {
            one.as_object_mut().unwrap().remove("externalId");
        }
    }
    answer(200, json!({ "invoices": found }))
}

async fn one(State(operator): State<Operator>, Path(id): Path<String>) -> Answer {
    let kept = operator.kept.lock().unwrap();
    match kept.taken.iter().find(|one| one["id"] == id.as_str()) {
        Some(one) => answer(200, one.clone()),
        None => answer(404, json!({"message": "no such invoice"})),
    }
}

async fn cancel(State(operator): State<Operator>, Path(id): Path<String>) -> Answer {
    let mut kept = operator.kept.lock().unwrap();
    let Some(one) = kept.taken.iter_mut().find(|one| one["id"] == id.as_str()) else {
        return answer(404, json!({"message": "no such invoice"}));
    };
    if one["status"] == "PAID" {
        return answer(409, json!({"message": "it is paid"}));
    }
    one["status"] = "CANCELLED".into();
    kept.cancelled += 1;
    answer(200, Value::Null)
}

impl Operator {
    pub async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let operator = Self { kept: Arc::default(), address };
        let base = "/efaktura/v1";
        let router = Router::new()
            .route(&format!("{base}/consumers"), post(consumers))
            .route(&format!("{base}/invoices"), post(take).get(by_number))
            .route(&format!("{base}/invoices/{{id}}"), get(one))
            .route(&format!("{base}/invoices/{{id}}/cancel"), post(cancel))
            .with_state(operator.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        operator
    }

    /// What it was sent, the first one first.
    pub fn taken(&self) -> Vec<Value> {
        self.kept.lock().unwrap().taken.clone()
    }

    /// An invoice has come so far.
    pub fn set(&self, nth: usize, status: &str) {
        self.kept.lock().unwrap().taken[nth]["status"] = status.into();
    }
}
