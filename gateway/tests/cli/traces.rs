//! Traces reach an OpenTelemetry collector, and a collector that is down disturbs nobody.

use crate::plug::{Plug, get};
use crate::serve::{SET_UP, block, serve, signal};
use axum::body::Bytes;
use axum::http::HeaderMap;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Told;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use serde_json::json;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// A collector: keeps what it is sent.
async fn collector() -> (String, Arc<Mutex<Vec<(String, Span)>>>) {
    let spans: Arc<Mutex<Vec<(String, Span)>>> = Arc::default();
    let kept = Arc::clone(&spans);
    let take = async move |headers: HeaderMap, body: Bytes| {
        assert_eq!(headers["content-type"], "application/x-protobuf");
        let request = ExportTraceServiceRequest::decode(body).unwrap();
        for resource in request.resource_spans {
            let service = resource.resource.unwrap().attributes;
            let service = service.iter().find(|a| a.key == "service.name").unwrap();
            let service = text(service.value.as_ref().unwrap().value.as_ref());
            let new = resource.scope_spans.into_iter().flat_map(|scope| scope.spans);
            kept.lock().unwrap().extend(new.map(|span| (service.clone(), span)));
        }
        Vec::<u8>::new()
    };
    let router = axum::Router::new().route("/v1/traces", axum::routing::post(take));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (address, spans)
}

fn text(value: Option<&Told>) -> String {
    match value {
        Some(Told::StringValue(text)) => text.clone(),
        Some(Told::IntValue(number)) => number.to_string(),
        other => panic!("{other:?}"),
    }
}

fn about(span: &Span, key: &str) -> String {
    let value = span.attributes.iter().find(|a| a.key == key).and_then(|a| a.value.as_ref());
    value.map(|v| text(v.value.as_ref())).unwrap_or_default()
}

#[cfg(unix)]
#[test]
fn messages_commits_and_requests_are_traced() {
    const CALLER: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("takst.toml");
    std::fs::write(&config, SET_UP).unwrap();
    block(async {
        let (address, spans) = collector().await;
        let mut served = serve(&config, &dir.path().join("data"), &["--traces", &address]);
        let mut plug = Plug::connect(served.address, "/ocpp/CP1", &["ocpp1.6"], None).await.unwrap();
        plug.boot().await;
        let status = json!({"connectorId": 1, "errorCode": "NoError", "status": "Available"});
        plug.call("StatusNotification", status).await;
        let mut api = tokio::net::TcpStream::connect(served.address).await.unwrap();
        let request = format!(
            "GET /api/v1/chargers/CP1 HTTP/1.1\r\nhost: x\r\ntraceparent: 00-{CALLER}-00f067aa0ba902b7-01\r\nconnection: close\r\n\r\n"
        );
        api.write_all(request.as_bytes()).await.unwrap();
        api.read_to_end(&mut Vec::new()).await.unwrap();
        signal(&served, "-TERM");
        plug.end().await;
        let begin = Instant::now();
        while served.child.try_wait().unwrap().is_none() {
            assert!(begin.elapsed() < Duration::from_secs(15), "it does not end");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        // What was not sent before was sent at the end.
        let spans = spans.lock().unwrap();
        assert!(spans.iter().all(|(service, _)| service == "takst"));
        let named =
            |name: &str| spans.iter().map(|(_, span)| span).filter(|s| s.name == name).collect::<Vec<_>>();
        let reports = named("report");
        let report = reports.iter().find(|s| about(s, "action") == "StatusNotification").expect("the report");
        assert_eq!(
            (about(report, "charger"), about(report, "dialect")),
            ("CP1".to_owned(), "OCPP 1.6".to_owned())
        );
        let commits = named("commit");
        let below = commits.iter().filter(|s| s.parent_span_id == report.span_id);
        assert_eq!(below.count(), 1, "a status is kept in one commit");
        assert!(commits.iter().all(|s| s.end_time_unix_nano >= s.start_time_unix_nano));
        let requests = named("GET /api/v1/chargers/{id}");
        let [request] = requests.as_slice() else {
            panic!("{:?}", spans.iter().map(|s| &s.1.name).collect::<Vec<_>>())
        };
        let trace: String = request.trace_id.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(trace, CALLER, "the caller's trace goes on");
        assert_eq!(about(request, "http.response.status_code"), "401");
    });
}

#[test]
fn a_collector_that_is_down_disturbs_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("takst.toml");
    std::fs::write(&config, SET_UP).unwrap();
    // A port where nobody listens.
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let served = serve(&config, &dir.path().join("data"), &["--traces", &format!("http://{nobody}")]);
    block(async {
        let mut plug = Plug::connect(served.address, "/ocpp/CP1", &["ocpp2.0.1"], None).await.unwrap();
        plug.boot().await;
        assert_eq!(get(served.address, "/readyz").await.0, 200);
    });
    let wrong = crate::run::takst(&["serve", "--traces", "https://collector:4318"]);
    assert_eq!(wrong.code, 2, "{}", wrong.err);
    assert!(wrong.err.contains("without TLS"), "{}", wrong.err);
}
