//! `/healthz`, `/readyz` and `/metrics`.

use super::limits::Seats;
use super::tasks::Stop;
use crate::hub::Hub;
use crate::store::Store;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use std::fmt::Write as _;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::time::timeout;

/// What the pages tell of.
#[derive(Clone)]
pub(super) struct Told {
    pub hub: Hub,
    pub store: Store,
    pub seats: Arc<Seats>,
    pub stop: Stop,
}

pub(super) fn router(told: Told) -> Router {
    Router::new()
        // The process answers.
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(told)
}

// Whether requests can be served: the database answers and takes what is written, and the program is not about to end.
async fn ready(State(told): State<Told>) -> Response {
    const PATIENCE: Duration = Duration::from_secs(3);
    let unready = |why: String| (StatusCode::SERVICE_UNAVAILABLE, why + "\n").into_response();
    if told.stop.is_stopping() {
        return unready("the gateway is about to stop".to_owned());
    }
    // No message of a charger is answered then. One commit that has to be tried again is no reason yet.
    const HICCUP: Duration = Duration::from_secs(2);
    if let Some((since, why)) = told.store.stuck()
        && since > HICCUP
    {
        return unready(format!("nothing can be written to the database for {} s: {why}", since.as_secs()));
    }
    let look = async { told.store.read().await?.orgs().await };
    match timeout(PATIENCE, look).await {
        Ok(Ok(_)) => "ready\n".into_response(),
        Ok(Err(error)) => unready(format!("the database does not answer: {error}")),
        Err(_) => unready("the database does not answer in time".to_owned()),
    }
}

async fn metrics(State(told): State<Told>) -> Response {
    let mut text = told.hub.counters().render();
    let gauges = [
        ("takst_chargers_connected", "Chargers with a connection.", told.hub.connected()),
        ("takst_connections_open", "Connections of all kinds.", told.seats.taken()),
    ];
    for (name, help, value) in gauges {
        // Writing to a text cannot fail.
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}");
    }
    let (name, help) =
        ("takst_writes_failing_seconds", "For how long nothing could be committed; 0 when all is well.");
    let failing = told.store.stuck().map_or(0, |(since, _)| since.as_secs());
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {failing}");
    let version = env!("CARGO_PKG_VERSION");
    let _ = writeln!(text, "# TYPE takst_info gauge\ntakst_info{{version=\"{version}\"}} 1");
    if let Some(recorder) = recorder() {
        text.push_str(&recorder.render());
    }
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}

/// What other rooms record with the macros of the crate `metrics`. One for the process; none when somebody else records.
pub(super) fn recorder() -> Option<&'static PrometheusHandle> {
    static RECORDER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
    RECORDER.get_or_init(|| PrometheusBuilder::new().install_recorder().ok()).as_ref()
}
