//! Played chargers against a gateway of a few lines, over real sockets: what they say arrives, whatever happens to connections.

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use takst_gateway::simulate::{Address, Fleet, Recorder, Report, Scenario, Stats};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::accept_hdr_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::StatusCode;

/// What the gateway of this test knows.
#[derive(Default)]
struct Gateway {
    /// What every charger said, in the order of arrival: action and payload.
    said: Mutex<BTreeMap<String, Vec<(String, Value)>>>,
    /// What was answered: charger and payload.
    answered: Mutex<BTreeSet<String>>,
    doors: Mutex<Vec<(String, String, Option<String>)>>,
    connections: AtomicUsize,
    /// So many connections are refused first.
    refuse_first: usize,
    /// Every so many messages the connection is cut: in turn before and after the answer.
    cut_every: Option<usize>,
    /// Nothing about transactions is answered.
    deaf: bool,
}

impl Gateway {
    async fn listen(self) -> (Arc<Self>, Address) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}/ocpp", listener.local_addr().unwrap());
        let gateway = Arc::new(self);
        let shared = Arc::clone(&gateway);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(Arc::clone(&shared).serve(stream));
            }
        });
        (gateway, Address::read(&url).unwrap())
    }

    async fn serve(self: Arc<Self>, stream: TcpStream) {
        let number = self.connections.fetch_add(1, Ordering::SeqCst);
        let mut charger = String::new();
        #[expect(clippy::result_large_err, reason = "the type is the library's")]
        let door = |request: &Request, mut response: Response| -> Result<Response, ErrorResponse> {
            if number < self.refuse_first {
                let mut refusal = ErrorResponse::new(Some("come back later".to_owned()));
                *refusal.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
                return Err(refusal);
            }
            let header =
                |name: &str| request.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
            let protocol = header("sec-websocket-protocol").unwrap();
            response.headers_mut().insert("sec-websocket-protocol", protocol.parse().unwrap());
            charger = request.uri().path().trim_start_matches("/ocpp/").to_owned();
            self.doors.lock().unwrap().push((charger.clone(), protocol, header("authorization")));
            Ok(response)
        };
        let Ok(mut socket) = accept_hdr_async(stream, door).await else { return };
        let mut count = 0;
        while let Some(Ok(message)) = socket.next().await {
            let Message::Text(text) = message else { continue };
            let frame: Value = serde_json::from_str(&text).unwrap();
            if frame[0] != 2 {
                continue;
            }
            let action = frame[2].as_str().unwrap().to_owned();
            self.said
                .lock()
                .unwrap()
                .entry(charger.clone())
                .or_default()
                .push((action.clone(), frame[3].clone()));
            count += 1;
            let cut = self.cut_every.is_some_and(|every| count % every == 0);
            if cut && number.is_multiple_of(2) {
                return;
            }
            let told = action.contains("Transaction") || action == "MeterValues";
            if self.deaf && told {
                continue;
            }
            if told {
                self.answered.lock().unwrap().insert(format!("{charger} {}", frame[3]));
            }
            let answer = json!([3, frame[1], answer(&action, &frame[3])]).to_string();
            if socket.send(Message::text(answer)).await.is_err() || cut {
                return;
            }
        }
    }

    /// The payloads of an action of a charger, each counted once.
    fn once(&self, charger: &str, action: &str) -> BTreeSet<String> {
        let said = self.said.lock().unwrap();
        let all = said.get(charger).into_iter().flatten();
        all.filter(|(said, _)| said == action).map(|(_, payload)| payload.to_string()).collect()
    }
}

fn answer(action: &str, payload: &Value) -> Value {
    let accepted = json!({ "status": "Accepted" });
    match action {
        "BootNotification" => {
            json!({ "status": "Accepted", "currentTime": "2026-01-01T00:00:00.000Z", "interval": 60 })
        }
        "Authorize" => json!({ "idTagInfo": accepted, "idTokenInfo": accepted }),
        // The same start gets the same number.
        "StartTransaction" => {
            json!({ "transactionId": payload["meterStart"].as_i64().unwrap() + 1, "idTagInfo": accepted })
        }
        _ => json!({}),
    }
}

fn scenario(chargers: u32, rest: &str) -> Scenario {
    let text = format!(
        "title = 'test'\nchargers = {chargers}\nduration = '1s'\n
         [charger]\npower_kw = 150\nac = false\nmeter_every = '200ms'\nreconnect_after = '10ms..50ms'\n{rest}
         [cars]\nfree_for = '100ms..300ms'\nenergy_kwh = '0.02'\npower_kw = 150\nstays = '0s..200ms'\n"
    );
    Scenario::read(&text).unwrap()
}

async fn play(
    address: &Address,
    scenario: &Scenario,
    seconds: u64,
    within: Duration,
    recorder: Option<Recorder>,
) -> Report {
    let stats = Arc::new(Stats::new(u64::from(scenario.chargers)));
    let observer = Arc::<Stats>::clone(&stats);
    let members = scenario.members("CP ", Some("secret"));
    let fleet = Fleet::start(address, members, 3, None, observer, recorder).await.unwrap();
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let played = stats.stop_the_clock();
    let unacknowledged = fleet.finish(within).await;
    stats.report(played, unacknowledged)
}

#[tokio::test]
async fn chargers_of_all_dialects_tell_their_sessions() {
    let (gateway, address) = Gateway::default().listen().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("acknowledged.jsonl");
    let (recorder, written) = Recorder::create(&path).unwrap();
    let report = play(&address, &scenario(3, ""), 5, Duration::from_secs(20), Some(recorder)).await;
    written.await.unwrap().unwrap();
    assert!(report.all_connected_after_ms.is_some() && report.most_connected == 3, "{report:?}");
    assert_eq!(
        (report.refused(), report.unanswered(), report.lost, report.unacknowledged),
        (0, 0, 0, 0),
        "{report:?}"
    );
    assert!(report.wrong.is_empty() && report.disconnected == 0, "{report:?}");
    assert!(report.sessions_ended >= 6 && report.sessions_ended == report.sessions_begun, "{report:?}");
    let doors = gateway.doors.lock().unwrap().clone();
    let basic = "Basic Q1AgMDAwMDE6c2VjcmV0".to_owned();
    assert!(doors.contains(&("CP%2000001".to_owned(), "ocpp1.6".to_owned(), Some(basic))), "{doors:?}");
    let protocols: BTreeSet<&str> = doors.iter().map(|(_, protocol, _)| protocol.as_str()).collect();
    assert_eq!(protocols, BTreeSet::from(["ocpp1.6", "ocpp2.0.1", "ocpp2.1"]));
    // Every session that began has ended, in the gateway's books.
    let starts = gateway.once("CP%2000001", "StartTransaction").len();
    assert!(starts >= 2 && starts == gateway.once("CP%2000001", "StopTransaction").len());
    // What was acknowledged is in the file, line by line, and nothing else.
    let text = std::fs::read_to_string(&path).unwrap();
    let recorded: BTreeSet<String> = text
        .lines()
        .map(|line| {
            let line: Value = serde_json::from_str(line).unwrap();
            assert!(line["answer"].is_object() && line["sent"].as_str() <= line["answered"].as_str());
            format!("{} {}", line["charger"].as_str().unwrap().replace(' ', "%20"), line["message"])
        })
        .collect();
    assert_eq!(recorded, *gateway.answered.lock().unwrap());
}

#[tokio::test]
async fn what_was_not_acknowledged_comes_again_after_a_lost_connection() {
    let gateway = Gateway { cut_every: Some(7), refuse_first: 2, ..Gateway::default() };
    let (gateway, address) = gateway.listen().await;
    let report = play(&address, &scenario(3, ""), 6, Duration::from_secs(30), None).await;
    assert_eq!((report.unacknowledged, report.lost), (0, 0), "{report:?}");
    assert!(report.disconnected > 3, "{report:?}");
    assert_eq!(report.not_connected.get("refused with 503: come back later"), Some(&2), "{report:?}");
    assert!(report.wrong.is_empty() && report.sessions_ended >= 3, "{report:?}");
    let answered = gateway.answered.lock().unwrap().clone();
    let mut again = 0;
    for (charger, said) in gateway.said.lock().unwrap().iter() {
        let told: Vec<String> = said
            .iter()
            .filter(|(action, _)| action.contains("Transaction") || action == "MeterValues")
            .map(|(_, payload)| format!("{charger} {payload}"))
            .collect();
        let once: BTreeSet<&String> = told.iter().collect();
        again += told.len() - once.len();
        assert!(once.iter().all(|told| answered.contains(*told)), "{charger}");
    }
    assert!(again > 0, "nothing had to be said twice");
    let starts = gateway.once("CP%2000001", "StartTransaction").len();
    assert!(starts >= 1 && starts == gateway.once("CP%2000001", "StopTransaction").len());
}

#[tokio::test]
async fn a_gateway_that_does_not_answer_is_found_out() {
    let (_gateway, address) = Gateway { deaf: true, ..Gateway::default() }.listen().await;
    let report =
        play(&address, &scenario(2, "answer_within = '500ms'\n"), 3, Duration::from_secs(1), None).await;
    assert!(report.unanswered() > 0 && report.unacknowledged >= 2, "{report:?}");
    assert_eq!(report.refused(), 0);
}

#[tokio::test]
async fn a_gateway_that_is_not_there_is_said_so() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/ocpp", listener.local_addr().unwrap());
    drop(listener);
    let report = play(&Address::read(&url).unwrap(), &scenario(1, ""), 1, Duration::from_secs(1), None).await;
    assert_eq!((report.most_connected, report.all_connected_after_ms), (0, None));
    assert!(report.not_connected.keys().any(|why| why.contains("refused")), "{report:?}");
}
