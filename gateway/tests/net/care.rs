//! What the gateway does for chargers by itself: they are told what the set-up wants of them, and get new firmware in a campaign.

use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;
use takst_gateway::demo::Demo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

async fn ask(address: SocketAddr, method: &str, path: &str, body: &str) -> (u16, Value) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    let status = text.split_whitespace().nth(1).unwrap().parse().unwrap();
    let body = text.split_once("\r\n\r\n").unwrap().1;
    (status, serde_json::from_str(body).unwrap_or_default())
}

async fn until(what: &str, seconds: u64, mut holds: impl AsyncFnMut() -> bool) {
    let begin = Instant::now();
    while !holds().await {
        assert!(begin.elapsed() < Duration::from_secs(seconds), "not within {seconds} s: {what}");
        sleep(Duration::from_millis(500)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chargers_are_taught_and_get_new_firmware() {
    let folder = tempfile::tempdir().unwrap();
    let listen = "127.0.0.1:0".parse().unwrap();
    let demo = Demo { listen, speed: 100, data: folder.path().to_owned(), seed: 7 };
    let mut running = demo.start().await.unwrap();
    let address = running.address();
    let news = tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = running.next() => {}
                () = sleep(Duration::from_secs(180)) => break running,
            }
        }
    });

    let wrong = json!({ "name": "x", "firmware": { "location": "ftp://f/2" }, "chargers": {} });
    let (status, why) = ask(address, "POST", "/api/v1/campaigns", &wrong.to_string()).await;
    assert_eq!((status, why["title"].as_str().unwrap().contains("`ids`")), (400, true), "{why}");
    let plan = json!({
        "name": "two by two", "firmware": { "location": "https://example.org/2.bin", "version": "2.0" },
        "chargers": { "ids": ["OT-1", "OT-2", "HT-1"] }, "at_once": 2,
    });
    let (status, begun) = ask(address, "POST", "/api/v1/campaigns", &plan.to_string()).await;
    assert_eq!((status, begun["status"].as_str()), (201, Some("running")), "{begun}");
    let path = format!("/api/v1/campaigns/{}", begun["id"].as_str().unwrap());
    let mut most = 0;
    until("all have the new firmware", 170, async || {
        let now = ask(address, "GET", &path, "").await.1;
        let count = |status: &str| {
            now["chargers"].as_array().unwrap().iter().filter(|one| one["status"] == status).count()
        };
        most = most.max(count("underway"));
        assert_eq!(count("failed"), 0, "{now}");
        now["status"] == "done" && count("done") == 3
    })
    .await;
    assert!(most <= 2, "{most} at once");

    // OCPP 1.6 and 2.0.1.
    for (charger, words) in [("OT-3", "MeterValueSampleInterval"), ("OT-1", "TxUpdatedInterval")] {
        let path = format!("/api/v1/chargers/{charger}/commands");
        until(&format!("{charger} is told {words}"), 60, async || {
            let given = ask(address, "GET", &path, "").await.1;
            given.as_array().unwrap().iter().any(|command| command.to_string().contains(words))
        })
        .await;
    }
    news.abort();
    let _ = timeout(Duration::from_secs(1), news).await;
}
