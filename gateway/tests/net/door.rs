//! At the door: addresses, passwords, protocols, handshakes. Numbers are those of the robustness cases.

use crate::net_support::*;
use serde_json::json;
use std::time::Duration;
use takst_gateway::ocpp::Dialect;
use tokio_tungstenite::tungstenite::Error;

fn body(response: &tokio_tungstenite::tungstenite::http::Response<Option<Vec<u8>>>) -> String {
    String::from_utf8_lossy(response.body().as_deref().unwrap_or_default()).into_owned()
}

// The client of the tests refuses a connection without the subprotocol that it asked for: nothing is asked for by hand.
fn handshake(path: &str, more: &str) -> Vec<u8> {
    format!(
        "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{more}\r\n"
    )
    .into_bytes()
}

async fn head(bench: &Bench, bytes: &[u8]) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut stream = tokio::net::TcpStream::connect(bench.address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = vec![0; 4_096];
    let read = tokio::time::timeout(SOON, stream.read(&mut answer)).await.unwrap().unwrap();
    String::from_utf8_lossy(&answer[..read]).into_owned()
}

#[test]
fn case_25_without_a_subprotocol_a_charger_is_refused_unless_its_version_is_known() {
    run(async {
        let bench = bench().await;
        bench.allow("strict", |_| {}).allow("old", |rule| rule.assume = Some(Dialect::V16));
        let refused = Plug::refused(bench.address, "/ocpp/strict", &[], None).await;
        assert_eq!(refused.status(), 400);
        assert!(body(&refused).contains("version of OCPP"), "{}", body(&refused));
        let mut plug = Plug::connect(bench.address, "/ocpp/old", &[], None).await.unwrap();
        assert_eq!(plug.protocol(), None, "none was offered, so none is named");
        plug.boot().await;
        assert_eq!(bench.desk.actions("old"), ["BootNotification"]);
        let empty = head(&bench, &handshake("/ocpp/old", "Sec-WebSocket-Protocol: \r\n")).await;
        assert!(
            empty.starts_with("HTTP/1.1 101 ") && !empty.to_lowercase().contains("sec-websocket-protocol"),
            "{empty}"
        );
    });
}

#[test]
fn case_26_the_first_protocol_in_the_stations_order_is_spoken_and_belongs_to_the_connection() {
    run(async {
        let bench = bench().await;
        bench.allow("CP1", |rule| rule.dialects = vec![Dialect::V201, Dialect::V16]);
        let both = Plug::connect(bench.address, "/ocpp/CP1", &["ocpp1.6", "ocpp2.0.1"], None).await.unwrap();
        assert_eq!(both.protocol(), Some("ocpp2.0.1"));
        drop(both);
        // A probe with the old version, then the new one: nothing of the first stays.
        let mut probe = bench.plug("CP1", "ocpp1.6").await;
        assert_eq!(probe.protocol(), Some("ocpp1.6"));
        probe.boot().await;
        let mut plug = bench.plug("CP1", "ocpp2.0.1").await;
        plug.boot().await;
        let answer = plug.call("StatusNotification", json!({"timestamp": "2026-01-01T00:00:00Z", "connectorStatus": "Available", "evseId": 1, "connectorId": 1})).await;
        assert_eq!(answer, json!({}));
        assert_eq!(bench.hub.link(&org(), "CP1").unwrap().dialect, Dialect::V201);
        // Two header lines, and a spelling that is echoed letter by letter.
        let lines = "Sec-WebSocket-Protocol: mqtt\r\nSec-WebSocket-Protocol: OCPP1.6\r\n";
        let answer = head(&bench, &handshake("/ocpp/CP1", lines)).await;
        assert!(
            answer.to_lowercase().contains("sec-websocket-protocol: ocpp1.6") && answer.contains("OCPP1.6"),
            "{answer}"
        );
    });
}

#[test]
fn case_30_slashes_do_not_count_and_a_bad_handshake_is_refused_in_words() {
    run(async {
        let bench = bench().await;
        bench.allow("CP1", |_| {});
        for path in ["//ocpp//CP1", "/ocpp///CP1", "/ocpp/CP1/"] {
            Plug::connect(bench.address, path, &["ocpp1.6"], None).await.unwrap();
        }
        for path in ["/CP1", "///CP1", "/steve/websocket/CP1"] {
            let refused = Plug::refused(bench.address, path, &["ocpp1.6"], None).await;
            assert_eq!(refused.status(), 404);
            assert!(body(&refused).contains("/ocpp/{charger}"), "{}", body(&refused));
        }
        let whole = String::from_utf8(handshake("/ocpp/CP1", "Sec-WebSocket-Protocol: ocpp1.6\r\n")).unwrap();
        assert!(head(&bench, whole.as_bytes()).await.starts_with("HTTP/1.1 101 "));
        for (line, named) in [
            ("Connection: Upgrade\r\n", "Connection: Upgrade"),
            ("Upgrade: websocket\r\n", "Upgrade: websocket"),
            ("Sec-WebSocket-Version: 13\r\n", "Sec-WebSocket-Version: 13"),
            ("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "Sec-WebSocket-Key"),
        ] {
            let answer = head(&bench, whole.replace(line, "").as_bytes()).await;
            assert!(
                answer.starts_with("HTTP/1.1 426 ") && answer.contains(&format!("`{named}` is missing")),
                "{answer}"
            );
        }
        let post = head(&bench, whole.replace("GET", "POST").as_bytes()).await;
        assert!(post.starts_with("HTTP/1.1 405 "), "{post}");
        assert_eq!(get(bench.address, "/ocpp/CP1").await.0, 426);
    });
}

#[test]
fn case_31_identities_are_percent_decoded() {
    run(async {
        let bench = bench().await;
        bench.allow("RDAM|123", |_| {});
        let mut plug = bench.plug("RDAM%7C123", "ocpp1.6").await;
        plug.boot().await;
        assert!(bench.hub.is_connected(&org(), "RDAM|123"));
        for path in ["/ocpp/%00", "/ocpp/%FF", "/ocpp/a%0D%0Ab", "/ocpp/", "/ocpp"] {
            let refused = Plug::refused(bench.address, path, &["ocpp1.6"], None).await;
            assert_eq!(refused.status(), 400, "{path}");
        }
        let long = format!("/ocpp/{}", "x".repeat(200));
        assert_eq!(Plug::refused(bench.address, &long, &["ocpp1.6"], None).await.status(), 400);
        assert_eq!(bench.desk.knocks.lock().unwrap().len(), 1, "the desk never sees them");
    });
}

#[test]
fn case_32_a_password_is_bytes() {
    run(async {
        let bench = bench().await;
        let password = vec![0x00, 0xff, 0xfe, b':', 0x80];
        bench.allow("CP1", |rule| rule.password = Some(password.clone()));
        let right = basic("CP1", &password);
        Plug::connect(bench.address, "/ocpp/CP1", &["ocpp1.6"], Some(&right)).await.unwrap();
        let refused =
            Plug::refused(bench.address, "/ocpp/CP1", &["ocpp1.6"], Some(&basic("CP1", b"no"))).await;
        assert_eq!(refused.status(), 401);
        assert!(refused.headers().get("WWW-Authenticate").unwrap().to_str().unwrap().starts_with("Basic"));
        let refused = Plug::refused(bench.address, "/ocpp/CP1", &["ocpp1.6"], None).await;
        assert_eq!(refused.status(), 401);
    });
}

#[test]
fn case_33_the_user_name_is_not_the_identity() {
    run(async {
        let bench = bench().await;
        bench.allow("CP1", |rule| rule.password = Some(b"secret".to_vec()));
        let other = basic("site-7", b"secret");
        Plug::connect(bench.address, "/ocpp/CP1", &["ocpp1.6"], Some(&other)).await.unwrap();
        let knocks = bench.desk.knocks.lock().unwrap();
        assert_eq!(knocks[0].identity, "CP1");
        assert_eq!(knocks[0].basic, Some(("site-7".to_owned(), b"secret".to_vec())), "the desk decides");
    });
}

#[test]
fn case_40_chargers_that_come_all_at_once_wait_or_are_told_when_to_come_back() {
    run(async {
        let bench = bench_with(|options| {
            options.limits.admissions = 2;
            options.limits.turn = Duration::from_millis(400);
        })
        .await;
        for number in 0..30 {
            bench.allow(&format!("C{number}"), |rule| rule.thinks = Duration::from_millis(100));
        }
        let mut plugs = tokio::task::JoinSet::new();
        for number in 0..30 {
            let address = bench.address;
            plugs.spawn(async move {
                Plug::connect(address, &format!("/ocpp/C{number}"), &["ocpp1.6"], None).await
            });
        }
        let (mut in_, mut later) = (0, Vec::new());
        while let Some(plug) = plugs.join_next().await {
            match plug.unwrap() {
                Ok(_) => in_ += 1,
                Err(Error::Http(response)) => {
                    assert_eq!(response.status(), 503);
                    later.push(response.headers()["Retry-After"].to_str().unwrap().parse::<u64>().unwrap());
                }
                Err(error) => panic!("{error}"),
            }
        }
        assert!(in_ >= 4, "only {in_} were let in");
        assert!(later.len() >= 10, "only {} were put off", later.len());
        assert!(later.iter().all(|seconds| (15..30).contains(seconds)), "{later:?}");
        later.dedup();
        assert!(later.len() > 1, "they would come back together");
        assert_eq!(bench.count("takst_chargers_welcomed_total"), in_);
        Plug::connect(bench.address, "/ocpp/C1", &["ocpp1.6"], None).await.unwrap();
    });
}
