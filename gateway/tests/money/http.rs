//! The fake as a server of its own, for gateways that are processes: a little JSON over HTTP.

use crate::fake::{Act, Fake};
use axum::extract::State;
use axum::http::StatusCode;
use axum::{Json, Router, routing::post};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use takst_gateway::outbox::provider::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

type Server = (Arc<Fake>, Arc<Mutex<fastrand::Rng>>);

fn word(status: Status) -> &'static str {
    match status {
        Status::Pending => "pending",
        Status::ActionNeeded => "action-needed",
        Status::Authorized => "authorized",
        Status::Paid => "paid",
        Status::Failed => "failed",
        Status::Cancelled => "cancelled",
        Status::Expired => "expired",
    }
}

fn status(word: &str) -> Status {
    [
        Status::Pending,
        Status::ActionNeeded,
        Status::Authorized,
        Status::Failed,
        Status::Cancelled,
        Status::Expired,
    ]
    .into_iter()
    .find(|status| self::word(*status) == word)
    .unwrap_or(Status::Paid)
}

async fn answer(
    State((fake, rng)): State<Server>,
    Json(asked): Json<Value>,
) -> Result<Json<Value>, StatusCode> {
    let text = |name: &str| asked[name].as_str().unwrap_or_default().to_owned();
    let amount = || Money { minor: asked["minor"].as_i64().unwrap(), currency: "EUR".to_owned() };
    let key = text("key");
    let (before, after, wait) = {
        let mut rng = rng.lock().unwrap();
        (rng.u8(0..12) == 0, rng.u8(0..8) == 0, rng.u64(0..12))
    };
    // The network takes its time, and so a gateway can die with a request on its way.
    tokio::time::sleep(std::time::Duration::from_millis(wait)).await;
    if before {
        return Err(StatusCode::BAD_GATEWAY);
    }
    let ours = {
        let mut truth = fake.truth();
        let act = match text("what").as_str() {
            "charge" => Some(Act::Charge(serde_json::from_value(asked["request"].clone()).unwrap())),
            "refund" => Some(Act::Refund(text("reference"), amount())),
            _ => None,
        };
        match act {
            Some(act) => Some(truth.act(&key, &act, crate::fake::Mode::Fine)),
            None if text("what") == "lookup" => truth.done.get(&key).cloned(),
            None => truth
                .payments
                .iter()
                .find(|(_, kept)| kept.theirs == text("reference"))
                .map(|(ours, _)| ours.clone()),
        }
    };
    tokio::time::sleep(std::time::Duration::from_millis(wait / 2)).await;
    if after {
        return Err(StatusCode::GATEWAY_TIMEOUT);
    }
    let truth = fake.truth();
    Ok(Json(match ours.and_then(|ours| truth.payments.get(&ours)) {
        Some(kept) => json!({
            "reference": kept.theirs, "status": word(kept.status), "captured": kept.captured, "refunded": kept.refunded,
        }),
        None => Value::Null,
    }))
}

/// Serves the fake; its address.
pub async fn serve(fake: &Arc<Fake>, seed: u64, port: u16) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let state: Server = (Arc::clone(fake), Arc::new(Mutex::new(fastrand::Rng::with_seed(seed))));
    let router = Router::new().route("/", post(answer)).with_state(state);
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    address
}

/// The provider as a gateway of another process knows it.
pub struct Remote(pub SocketAddr);

impl Remote {
    async fn ask(&self, body: Value) -> Result<Option<ProviderPayment>, Fault> {
        let none = |error| Fault::new(Outcome::NotDone, "no-connection", format!("{error}"));
        let mut stream = tokio::net::TcpStream::connect(self.0).await.map_err(none)?;
        let lost = |why: String| Fault::new(Outcome::Unknown, "lost", why);
        let body = body.to_string();
        let head = format!(
            "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        );
        let mut text = String::new();
        stream
            .write_all(format!("{head}{body}").as_bytes())
            .await
            .map_err(|error| lost(error.to_string()))?;
        stream.read_to_string(&mut text).await.map_err(|error| lost(error.to_string()))?;
        let body = text.split_once("\r\n\r\n").filter(|(head, _)| head.starts_with("HTTP/1.1 200"));
        let (_, body) = body.ok_or_else(|| lost(text.lines().next().unwrap_or_default().to_owned()))?;
        let said: Value = serde_json::from_str(body).map_err(|error| lost(error.to_string()))?;
        let money = |name: &str| Money { minor: said[name].as_i64().unwrap(), currency: "EUR".to_owned() };
        Ok((!said.is_null()).then(|| ProviderPayment {
            reference: said["reference"].as_str().unwrap().to_owned(),
            status: status(said["status"].as_str().unwrap()),
            captured: money("captured"),
            refunded: money("refunded"),
            next: None,
            failure: None,
        }))
    }

    async fn must(&self, body: Value) -> Result<ProviderPayment, Fault> {
        self.ask(body).await?.ok_or_else(|| Fault::new(Outcome::Unknown, "odd", "an empty answer"))
    }
}

fn not_here<T>() -> Result<T, Fault> {
    Err(Fault::new(Outcome::Refused, "unsupported", "not in this play"))
}

impl PaymentProvider for Remote {
    fn save<'a>(&'a self, _: &'a str, _: &'a SaveRequest) -> Answer<'a, ProviderInstrument> {
        Box::pin(async { not_here() })
    }
    fn saved<'a>(&'a self, _: &'a str) -> Answer<'a, ProviderInstrument> {
        Box::pin(async { not_here() })
    }
    fn charge<'a>(&'a self, key: &'a str, request: &'a ChargeRequest) -> Answer<'a, ProviderPayment> {
        Box::pin(self.must(json!({ "what": "charge", "key": key, "request": request })))
    }
    fn capture<'a>(&'a self, _: &'a str, _: &'a str, _: &'a Money) -> Answer<'a, ProviderPayment> {
        Box::pin(async { not_here() })
    }
    fn refund<'a>(
        &'a self,
        key: &'a str,
        reference: &'a str,
        amount: &'a Money,
        _: &'a str,
    ) -> Answer<'a, ProviderPayment> {
        Box::pin(
            self.must(json!({ "what": "refund", "key": key, "reference": reference, "minor": amount.minor })),
        )
    }
    fn cancel<'a>(&'a self, _: &'a str, _: &'a str) -> Answer<'a, ProviderPayment> {
        Box::pin(async { not_here() })
    }
    fn status<'a>(&'a self, reference: &'a str) -> Answer<'a, ProviderPayment> {
        Box::pin(self.must(json!({ "what": "status", "reference": reference })))
    }
    fn lookup<'a>(
        &'a self,
        key: &'a str,
        _: Operation,
        _: &'a str,
        _: Option<&'a str>,
    ) -> Answer<'a, Option<ProviderPayment>> {
        Box::pin(self.ask(json!({ "what": "lookup", "key": key })))
    }
}
