//! The server: its pages, its background work, its end, and the raw frames it keeps.

use crate::net_support::*;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use takst_gateway::hub::Hub;
use takst_gateway::serve::{Options, Serve, ServeError, Task};
use takst_gateway::store::{Direction, FrameSearch};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

#[test]
fn it_tells_how_it_is() {
    run(async {
        let mut bench = bench_of(
            |_| {},
            |mut serve| {
                serve.router = axum::Router::new()
                    .route("/api/v1/x", axum::routing::get(async || "an answer of others"));
                serve
            },
        )
        .await;
        assert_eq!(get(bench.address, "/healthz").await, (200, "ok\n".to_owned()));
        assert_eq!(get(bench.address, "/readyz").await, (200, "ready\n".to_owned()));
        assert_eq!(get(bench.address, "/api/v1/x").await.1, "an answer of others");
        assert_eq!(get(bench.address, "/nothing").await.0, 404);
        let mut plug = bench.booted("CP1").await;
        plug.call("Heartbeat", json!({})).await;
        metrics::counter!("takst_test_bills_total").increment(3);
        let (status, text) = get(bench.address, "/metrics").await;
        assert_eq!(status, 200);
        for line in [
            "takst_chargers_connected 1",
            "takst_chargers_welcomed_total 1",
            "takst_ocpp_frames_received_total 2",
            "takst_ocpp_frames_sent_total 2",
            "# TYPE takst_ocpp_frames_sent_total counter",
            "takst_test_bills_total 3",
        ] {
            assert!(text.lines().any(|found| found == line), "`{line}` is not in\n{text}");
        }
        drop(plug);
        bench.stop().await;
        assert!(tokio::net::TcpStream::connect(bench.address).await.is_err());
    });
}

#[test]
fn its_end_keeps_and_answers_what_was_said_before() {
    run(async {
        let told = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&told);
        let mut bench = bench_of(
            |_| {},
            |mut serve| {
                let hub = serve.hub.clone();
                serve.tasks.push(Task::new("counts", move |mut stop| async move {
                    stop.stopped().await;
                    assert_eq!(hub.connected(), 0, "the work ends when the chargers are gone");
                    seen.fetch_add(1, Ordering::SeqCst);
                }));
                serve
            },
        )
        .await;
        let mut idle = bench.booted("CP2").await;
        let mut plug = bench.booted("CP1").await;
        bench.allow("CP1", |rule| rule.takes = Duration::from_millis(300));
        for id in ["1", "2"] {
            let payload = json!({"transactionId": 5, "meterStop": 9, "timestamp": "2026-01-01T00:00:00Z", "reason": id});
            plug.send(json!([2, id, "StopTransaction", payload]).to_string()).await;
        }
        until("they are read", || bench.count("takst_ocpp_frames_received_total") >= 4).await;
        let begin = Instant::now();
        bench.stop().await;
        assert!(begin.elapsed() < Duration::from_secs(5), "{:?}", begin.elapsed());
        for id in ["1", "2"] {
            assert_eq!(plug.json().await[1], id);
        }
        for plug in [&mut plug, &mut idle] {
            let frame = plug.end().await.expect("a close frame");
            assert_eq!(frame.code, CloseCode::Away, "{frame:?}");
        }
        assert_eq!(bench.desk.actions("CP1").len(), 3);
        assert_eq!(told.load(Ordering::SeqCst), 1);
        let links = bench.desk.links.lock().unwrap();
        assert_eq!(links.iter().filter(|link| link.starts_with('-')).count(), 2, "{links:?}");
    });
}

#[test]
fn raw_frames_are_kept_both_ways_and_no_more_than_wanted() {
    run(async {
        let bench = bench().await;
        bench.allow("CP1", |rule| rule.frames_kept = 6);
        let mut plug = bench.plug("CP1", "ocpp1.6").await;
        plug.boot().await;
        for _ in 0..4 {
            plug.call("Heartbeat", json!({})).await;
        }
        plug.send("no json: æ").await;
        until("they are kept", || bench.count("takst_raw_frames_kept_total") == 11).await;
        let search = FrameSearch::default();
        let frames = bench.store.read().await.unwrap().frames(&org(), "CP1", &search, 100).await.unwrap();
        assert_eq!(frames.len(), 6, "the newest six");
        let refusal = frames.iter().find(|frame| frame.direction == Direction::Out).unwrap();
        assert!(refusal.body.starts_with("[4,") || refusal.body.starts_with("[3,"), "{}", refusal.body);
        assert!(frames.iter().any(|frame| frame.body == "no json: æ" && frame.direction == Direction::In));
        let connection = bench.hub.link(&org(), "CP1").unwrap().connection;
        assert!(frames.iter().all(|frame| frame.connection.as_deref() == Some(&*connection)));
        let found = FrameSearch { contains: Some("heartbeat".to_owned()), ..FrameSearch::default() };
        assert!(
            !bench.store.read().await.unwrap().frames(&org(), "CP1", &found, 100).await.unwrap().is_empty()
        );
        assert_eq!(bench.count("takst_raw_frames_dropped_total"), 0);
        // A charger whose frames are not wanted leaves none.
        let mut other = bench.booted("CP2").await;
        other.call("Heartbeat", json!({})).await;
        tokio::time::sleep(Duration::from_millis(700)).await;
        assert!(
            bench.store.read().await.unwrap().frames(&org(), "CP2", &search, 100).await.unwrap().is_empty()
        );
    });
}

#[test]
fn frames_of_the_last_moment_are_kept_at_the_end() {
    run(async {
        let mut bench = bench().await;
        bench.allow("CP1", |rule| rule.frames_kept = 100);
        let mut plug = bench.plug("CP1", "ocpp1.6").await;
        plug.boot().await;
        bench.stop().await;
        let store = takst_gateway::serve::open_store(bench.dir.path(), None).await.unwrap();
        let search = FrameSearch::default();
        let frames = store.read().await.unwrap().frames(&org(), "CP1", &search, 100).await.unwrap();
        assert_eq!(frames.len(), 2);
    });
}

#[test]
fn one_connection_is_closed_by_order() {
    run(async {
        let bench = bench().await;
        let mut plug = bench.booted("CP1").await;
        assert!(bench.hub.close(&org(), "CP1", "its password was changed"));
        let frame = plug.end().await.unwrap();
        assert_eq!((frame.code, frame.reason.as_str()), (CloseCode::Normal, "its password was changed"));
        until("it is gone", || !bench.hub.is_connected(&org(), "CP1")).await;
        assert!(!bench.hub.close(&org(), "CP1", "again"));
        assert!(bench.hub.links().is_empty());
    });
}

#[test]
fn a_trusted_proxy_names_the_client() {
    run(async {
        for (trusted, address) in [(true, "198.51.100.7"), (false, "127.0.0.1")] {
            let bench = bench_with(|options| {
                if trusted {
                    options.limits.proxies = vec!["127.0.0.1".parse().unwrap()];
                }
            })
            .await;
            bench.allow("CP1", |_| {});
            let mut request = request(&format!("ws://{}/ocpp/CP1", bench.address), &["ocpp1.6"], None);
            request.headers_mut().insert("X-Forwarded-For", "10.0.0.1, 198.51.100.7".parse().unwrap());
            request.headers_mut().insert("X-Forwarded-Proto", "https".parse().unwrap());
            let stream = tokio::net::TcpStream::connect(bench.address).await.unwrap();
            tokio_tungstenite::client_async(request, stream).await.unwrap();
            let knocks = bench.desk.knocks.lock().unwrap();
            assert_eq!(knocks[0].from.ip().to_string(), address);
            assert_eq!(knocks[0].encrypted, trusted);
        }
    });
}

#[test]
fn what_it_cannot_do_it_says() {
    run(async {
        let bench = bench().await;
        let start = async |options: Options| {
            let serve = Serve {
                options,
                store: bench.store.clone(),
                hub: Hub::new(),
                desk: Arc::new(Memory::default()),
                router: axum::Router::new(),
                tasks: Vec::new(),
                reload: None,
            };
            serve.start().await.err().expect("it does not start")
        };
        let taken = start(Options { listen: vec![bench.address], ..Options::default() }).await;
        assert!(
            matches!(&taken, ServeError::Listen { address, why } if *address == bench.address && why.contains("--listen"))
        );
        let nowhere = start(Options::default()).await;
        assert!(nowhere.to_string().contains("no address"), "{nowhere}");
        let secure = vec!["127.0.0.1:0".parse().unwrap()];
        let bare = start(Options { listen_tls: secure.clone(), ..Options::default() }).await;
        assert!(bare.to_string().contains("certificate"), "{bare}");
        let missing = takst_gateway::tls::Files {
            certificate: "/nowhere/server.pem".into(),
            key: "/nowhere/server.key".into(),
            client_ca: None,
        };
        let missing = start(Options { listen_tls: secure, tls: Some(missing), ..Options::default() }).await;
        assert!(missing.to_string().contains("/nowhere/server.pem cannot be read"), "{missing}");
    });
}
