//! The demo from its start to its end: it bills, shows its page, and lets in a stranger.

use std::sync::Arc;
use std::time::Duration;
use takst_gateway::demo::Demo;
use takst_gateway::simulate::{Address, Fleet, Scenario, Stats};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

const STRANGER: &str = "title = 'a stranger'\nchargers = 1\nduration = '1s'\nprotocols = ['2.0.1']
    [charger]\npower_kw = 22\nmeter_every = '1s'
    [cars]\nfree_for = '1s'\nenergy_kwh = '0.02'\npower_kw = 22\nstays = '1s'\ntokens = ['DEMO']";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_bills_what_is_charged_and_lets_in_a_stranger() {
    let folder = tempfile::tempdir().unwrap();
    let listen = "127.0.0.1:0".parse().unwrap();
    let demo = Demo { listen, speed: 100, data: folder.path().to_owned(), seed: 5 };
    let mut running = demo.start().await.unwrap();
    let address = running.address();
    let introduction = running.introduction().join("\n");
    assert!(introduction.contains(&format!("http://{address}/")), "{introduction}");
    assert!(introduction.contains("DEMO may charge"), "{introduction}");

    let scenario = Scenario::read(STRANGER).unwrap();
    let stats = Arc::new(Stats::new(1));
    let observer = Arc::<Stats>::clone(&stats);
    let url = Address::read(&format!("ws://{address}/ocpp")).unwrap();
    let members = scenario.members("STRANGER-", None);
    let stranger = Fleet::start(&url, members, 1, None, observer, None).await.unwrap();

    let mut lines = Vec::new();
    let enough = |lines: &[String]| {
        let bills = lines.iter().filter(|line| line.contains(", bill ")).count();
        bills >= 6 && lines.iter().any(|line| line.starts_with("STRANGER-") && line.contains(", bill "))
    };
    let told = timeout(Duration::from_secs(120), async {
        while !enough(&lines) {
            lines.push(running.next().await);
        }
    });
    assert!(told.await.is_ok(), "{lines:#?}");
    assert!(
        !lines.iter().any(|line| line.contains("was refused") || line.contains("cannot connect")),
        "{lines:#?}"
    );

    let mut page = TcpStream::connect(address).await.unwrap();
    page.write_all(format!("GET / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").as_bytes())
        .await
        .unwrap();
    let mut text = String::new();
    page.read_to_string(&mut text).await.unwrap();
    assert!(
        text.starts_with("HTTP/1.1 200") && text.contains("HT-1") && text.contains("OT-4"),
        "{text:.2000}"
    );

    let played = stats.stop_the_clock();
    let left = stranger.finish(Duration::from_secs(20)).await;
    let report = stats.report(played, left);
    assert_eq!((report.unacknowledged, report.refused(), report.tokens_refused), (0, 0, 0), "{report:?}");
    timeout(Duration::from_secs(60), running.stop()).await.unwrap();
}
