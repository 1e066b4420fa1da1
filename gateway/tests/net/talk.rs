//! On the line: order, repeats, commands, signs of life. Numbers are those of the robustness cases.

use crate::net_support::*;
use serde_json::{Value, json};
use std::time::Duration;
use takst_gateway::chargers::model::{
    Command, Details, Place, Reference, Registration, ResetKind, Status, TriggeredMessage,
};
use takst_gateway::hub::Unsent;
use takst_gateway::link::Received;
use tokio::time::sleep;
use tokio_tungstenite::tungstenite::Message;

const RESET: fn() -> Command = || Command::Reset { kind: ResetKind::Graceful, place: Place::UNSAID };
const STOP: fn() -> Command = || Command::Stop(Reference::Ours(1));

fn start(id: &str, at: &str) -> String {
    json!([2, id, "StartTransaction", {"connectorId": 1, "idTag": "T", "meterStart": 0, "timestamp": at}])
        .to_string()
}

#[test]
fn case_02_a_repeated_request_is_answered_as_before_and_not_done_twice() {
    run(async {
        let bench = bench().await;
        let mut plug = bench.booted("CP1").await;
        let first = start("1", "2026-01-01T10:00:00Z");
        plug.send(&*first).await;
        let answer = plug.text().await;
        plug.send(&*first).await;
        assert_eq!(plug.text().await, answer, "the same answer, letter by letter");
        assert_eq!(bench.desk.actions("CP1"), ["BootNotification", "StartTransaction"]);
        assert_eq!(bench.count("takst_ocpp_calls_replayed_total"), 1);
        // The same id with another content is another request: ids are short counters with some.
        plug.send(start("1", "2026-01-01T11:00:00Z")).await;
        let second = plug.json().await;
        assert_eq!((&second[1], &second[2]["transactionId"]), (&json!("1"), &json!(2)));
        // What is asked again while it is being dealt with is answered once.
        bench.allow("CP1", |rule| rule.takes = Duration::from_millis(200));
        let third = start("2", "2026-01-01T12:00:00Z");
        plug.send(&*third).await;
        plug.send(&*third).await;
        assert_eq!(plug.json().await[2]["transactionId"], 3);
        assert!(plug.is_silent(400).await);
        // After a reboot ids begin anew: nothing is remembered over connections.
        let mut plug = bench.booted("CP1").await;
        plug.send(&*first).await;
        assert_eq!(plug.json().await[2]["transactionId"], 4);
    });
}

#[test]
fn case_02_heartbeats_with_always_the_same_id_get_the_time_of_now() {
    run(async {
        let bench = bench().await;
        let mut plug = bench.booted("CP1").await;
        let mut times = Vec::new();
        for _ in 0..2 {
            plug.send(r#"[2,"1","Heartbeat",{}]"#).await;
            times.push(plug.json().await[2]["currentTime"].clone());
            sleep(Duration::from_millis(5)).await;
        }
        assert_ne!(times[0], times[1]);
    });
}

#[test]
fn case_20_times_are_utc_with_z_and_milliseconds() {
    run(async {
        let bench = bench().await;
        for protocol in ["ocpp1.6", "ocpp2.0.1", "ocpp2.1"] {
            bench.allow("CP1", |_| {});
            let mut plug = bench.plug("CP1", protocol).await;
            plug.boot().await;
            let answer = plug.call("Heartbeat", json!({})).await;
            let time = answer["currentTime"].as_str().unwrap();
            assert_eq!(time.len(), "2026-01-01T12:00:00.000Z".len(), "{time}");
            assert!(
                time.ends_with('Z') && time.as_bytes()[19] == b'.' && time.as_bytes()[10] == b'T',
                "{time}"
            );
            let parsed = chrono::DateTime::parse_from_rfc3339(time).unwrap();
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
            assert!(parsed.timestamp().abs_diff(now.as_secs().cast_signed()) < 10, "{time}");
        }
    });
}

#[test]
fn case_27_the_newest_connection_wins_and_the_end_of_the_old_one_changes_nothing() {
    run(async {
        let bench = bench().await;
        let mut old = bench.booted("CP1").await;
        let before = bench.hub.link(&org(), "CP1").unwrap().connection;
        let mut new = bench.booted("CP1").await;
        let now = bench.hub.link(&org(), "CP1").unwrap().connection;
        assert_ne!(before, now);
        let frame = old.end().await.expect("a close frame");
        assert!(frame.reason.contains("newer connection"), "{frame:?}");
        drop(old);
        until("the old one is gone", || bench.desk.links.lock().unwrap().contains(&format!("-{before}")))
            .await;
        let links = bench.desk.links.lock().unwrap().clone();
        assert_eq!(
            links,
            [format!("+{before}"), format!("-{before}"), format!("+{now}")],
            "one after the other"
        );
        assert_eq!(bench.hub.connected(), 1);
        let reset = bench.order("CP1", RESET(), 3_000);
        assert_eq!(new.obey(json!({"status": "Accepted"})).await, "Reset");
        assert_eq!(reset.await.unwrap().unwrap().status, Status::Accepted);
        drop(new);
        until("nobody is there", || bench.hub.connected() == 0).await;
        assert_eq!(bench.command("CP1", RESET(), 100).await, Err(Unsent::NotConnected));
    });
}

#[test]
fn case_27_reports_stay_in_order_over_connections() {
    run(async {
        let bench = bench().await;
        let mut old = bench.booted("CP1").await;
        bench.allow("CP1", |rule| rule.takes = Duration::from_millis(300));
        old.send(start("1", "2026-01-01T10:00:00Z")).await;
        sleep(Duration::from_millis(50)).await;
        // The desk of the tests panics when two reports of a charger come at once.
        let mut new = bench.plug("CP1", "ocpp1.6").await;
        new.send(start("2", "2026-01-01T11:00:00Z")).await;
        assert_eq!(new.json().await[2]["transactionId"], 2, "what was in work is kept, and comes first");
        assert_eq!(bench.desk.actions("CP1"), ["BootNotification", "StartTransaction", "StartTransaction"]);
    });
}

#[test]
fn case_28_a_dead_connection_is_noticed_and_any_frame_is_a_sign_of_life() {
    run(async {
        let bench = bench_with(|options| {
            options.stations.silence = Duration::from_millis(1_500);
            options.stations.silence_unknown = Duration::from_millis(1_500);
        })
        .await;
        bench.allow("deaf", |rule| (rule.ping_s, rule.interval_s) = (Some(1), 0));
        bench.allow("quiet", |rule| rule.ping_s = None);
        // Never answers pings: nothing is read from its socket, so no pong is sent.
        let mut deaf = bench.plug("deaf", "ocpp1.6").await;
        for _ in 0..8 {
            deaf.send(r#"[2,"1","Heartbeat",{}]"#).await;
            sleep(Duration::from_millis(400)).await;
        }
        assert!(bench.hub.is_connected(&org(), "deaf"), "its heartbeats are signs of life");
        let mut pings = 0;
        while let Ok(Some(Ok(message))) =
            tokio::time::timeout(Duration::from_millis(300), futures_util::StreamExt::next(&mut deaf.socket))
                .await
        {
            pings += usize::from(matches!(message, Message::Ping(_)));
        }
        assert_eq!(pings, 0, "one that is heard need not be pinged");
        until("the silent one is gone", || !bench.hub.is_connected(&org(), "deaf")).await;
        assert_eq!(bench.count("takst_connections_silent_total"), 1);
        // No pings where they are switched off.
        let mut quiet = bench.plug("quiet", "ocpp1.6").await;
        let ended = quiet.message().await;
        assert!(!matches!(ended, Some(Ok(Message::Ping(_)))), "{ended:?}");
    });
}

#[test]
fn case_28_pings_go_out_and_pongs_keep_a_silent_charger() {
    run(async {
        let bench = bench_with(|options| {
            options.stations.silence = Duration::from_millis(2_500);
            options.stations.silence_unknown = Duration::from_millis(2_500);
        })
        .await;
        bench.allow("CP1", |rule| rule.ping_s = Some(1));
        let mut plug = bench.plug("CP1", "ocpp1.6").await;
        let mut pings = 0;
        while pings < 4 {
            // The client answers a ping when it goes on reading.
            if let Some(Ok(Message::Ping(_))) = plug.message().await {
                pings += 1;
            }
        }
        assert!(bench.hub.is_connected(&org(), "CP1"));
    });
}

#[test]
fn case_29_compression_that_nobody_agreed_on_ends_the_connection_only() {
    run(async {
        use tokio::io::AsyncWriteExt as _;
        let bench = bench().await;
        let mut neighbour = bench.booted("CP2").await;
        let mut plug = bench.booted("CP1").await;
        assert!(plug.response.headers().get("Sec-WebSocket-Extensions").is_none());
        // FIN, RSV1, text; masked with zeros.
        plug.socket.get_mut().write_all(&[0xc1, 0x82, 0, 0, 0, 0, b'[', b']']).await.unwrap();
        let frame = plug.end().await.expect("a close frame");
        assert_eq!(u16::from(frame.code), 1002, "{frame:?}");
        assert_eq!(bench.count("takst_connections_malformed_total"), 1);
        assert!(neighbour.call("Heartbeat", json!({})).await["currentTime"].is_string());
        assert!(bench.booted("CP1").await.call("Heartbeat", json!({})).await["currentTime"].is_string());
    });
}

#[test]
fn case_34_a_pending_charger_is_told_so_and_gets_no_orders() {
    run(async {
        let bench = bench().await;
        bench.allow("CP1", |rule| (rule.registration, rule.interval_s) = (Registration::Pending, 60));
        let mut plug = bench.plug("CP1", "ocpp2.0.1").await;
        let boot = json!({"reason": "PowerUp", "chargingStation": {"model": "M", "vendorName": "V"}});
        let answer = plug.call("BootNotification", boot).await;
        assert_eq!((&answer["status"], &answer["interval"]), (&json!("Pending"), &json!(60)));
        assert_eq!(plug.call("Heartbeat", json!({})).await, "SecurityError");
        let stop = bench.ordered("CP1", STOP(), 1_500).await;
        let get = bench.order("CP1", Command::GetConfiguration(vec![]), 1_500);
        assert!(matches!(get.await.unwrap(), Err(Unsent::Unsayable(_))), "2.0.1 has no such message");
        let trigger =
            Command::Trigger { message: TriggeredMessage::Boot, place: Place::UNSAID, extended: false };
        let trigger = bench.order("CP1", trigger, 3_000);
        assert_eq!(
            plug.obey(json!({"status": "Accepted"})).await,
            "TriggerMessage",
            "this may be said, and goes ahead"
        );
        assert!(trigger.await.unwrap().unwrap().status.is_good());
        assert_eq!(stop.await.unwrap(), Err(Unsent::TimedOut { sent: false }));
        assert!(plug.is_silent(100).await);
        // What has happened with a transaction is never refused.
        let event = json!({"eventType": "Ended", "timestamp": "2026-01-01T00:00:00Z", "triggerReason": "EVDeparted", "seqNo": 1, "transactionInfo": {"transactionId": "X"}});
        assert!(plug.call("TransactionEvent", event).await.is_object());
    });
}

#[test]
fn case_35_a_reconnect_without_a_boot_is_legal() {
    run(async {
        let bench = bench().await;
        bench.allow("CP1", |rule| rule.booted = true);
        let mut plug = bench.plug("CP1", "ocpp1.6").await;
        let status = json!({"connectorId": 1, "errorCode": "NoError", "status": "Available"});
        assert_eq!(plug.call("StatusNotification", status).await, json!({}));
        let reset = bench.order("CP1", RESET(), 3_000);
        assert_eq!(plug.obey(json!({"status": "Accepted"})).await, "Reset");
        assert!(reset.await.unwrap().unwrap().status.is_good());
    });
}

#[test]
fn case_36_nothing_is_asked_before_the_boot_is_answered() {
    run(async {
        let bench = bench().await;
        bench.allow("new", |_| {}).allow("known", |rule| rule.booted = true);
        // One that never booted is only asked to.
        let mut plug = bench.plug("new", "ocpp1.6").await;
        let reset = bench.order("new", RESET(), 5_000);
        assert!(plug.is_silent(600).await);
        bench.allow("new", |rule| rule.takes = Duration::from_millis(200));
        plug.send(r#"[2,"b","BootNotification",{"chargePointVendor":"V","chargePointModel":"M"}]"#).await;
        let first = plug.json().await;
        assert_eq!((&first[0], &first[1]), (&json!(3), &json!("b")), "the answer to the boot is first");
        assert_eq!(plug.obey(json!({"status": "Accepted"})).await, "Reset");
        assert!(reset.await.unwrap().unwrap().status.is_good());
        // A known one gets a moment to boot; when it does, its boot is answered first.
        let mut plug = bench.plug("known", "ocpp1.6").await;
        let reset = bench.order("known", RESET(), 5_000);
        assert!(plug.is_silent(150).await);
        plug.boot().await;
        assert_eq!(plug.obey(json!({"status": "Rejected"})).await, "Reset");
        assert_eq!(reset.await.unwrap().unwrap().status, Status::Rejected);
    });
}

#[test]
fn case_37_both_directions_are_independent() {
    run(async {
        let bench = bench().await;
        let mut plug = bench.booted("CP1").await;
        let reset = bench.ordered("CP1", RESET(), 5_000).await;
        let clear = bench.order("CP1", Command::ClearCache, 5_000);
        let ours = plug.json().await;
        assert_eq!(ours[2], "Reset");
        // Instead of an answer come requests of its own.
        for _ in 0..3 {
            assert!(plug.call("Heartbeat", json!({})).await["currentTime"].is_string());
        }
        assert!(plug.is_silent(200).await, "one request of ours at a time");
        // And our answer is heard while a report is being kept.
        bench.allow("CP1", |rule| rule.takes = Duration::from_secs(2));
        plug.send(r#"[2,"slow","Heartbeat",{}]"#).await;
        plug.send(json!([3, ours[1], {"status": "Accepted"}]).to_string()).await;
        assert_eq!(plug.obey(json!({"status": "Accepted"})).await, "ClearCache");
        assert!(reset.await.unwrap().unwrap().status.is_good());
        assert!(clear.await.unwrap().unwrap().status.is_good());
        assert_eq!(plug.json().await[1], "slow");
    });
}

#[test]
fn case_38_a_request_of_ours_that_is_never_answered_is_given_up() {
    run(async {
        let bench = bench().await;
        let mut plug = bench.booted("CP1").await;
        let reset = bench.ordered("CP1", RESET(), 300).await;
        let clear = bench.order("CP1", Command::ClearCache, 5_000);
        let unanswered = plug.json().await;
        assert_eq!(reset.await.unwrap(), Err(Unsent::TimedOut { sent: true }));
        assert_eq!(plug.obey(json!({"status": "Accepted"})).await, "ClearCache", "the next one goes out");
        assert!(clear.await.unwrap().unwrap().status.is_good());
        plug.send(json!([3, unanswered[1], {"status": "Accepted"}]).to_string()).await;
        assert!(plug.call("Heartbeat", json!({})).await["currentTime"].is_string());
        assert_eq!(bench.count("takst_ocpp_late_results_total"), 1);
        assert_eq!(bench.count("takst_ocpp_commands_timed_out_total"), 1);
    });
}

#[test]
fn a_refusal_of_the_chargers_is_an_outcome_and_a_lost_connection_ends_the_wait() {
    run(async {
        let bench = bench().await;
        let mut plug = bench.booted("CP1").await;
        for (code, status) in [("NotImplemented", Status::NotImplemented), ("InternalError", Status::Failed)]
        {
            let reset = bench.order("CP1", RESET(), 5_000);
            let call = plug.json().await;
            plug.send(json!([4, call[1], code, "why not", {}]).to_string()).await;
            let outcome = reset.await.unwrap().unwrap();
            assert_eq!(outcome.status, status);
            assert_eq!(outcome.info.unwrap().text.as_deref(), Some("why not"));
        }
        let read = bench.order("CP1", Command::GetConfiguration(vec!["A".to_owned()]), 5_000);
        let keys =
            json!({"configurationKey": [{"key": "A", "readonly": false, "value": "1"}], "unknownKey": ["B"]});
        assert_eq!(plug.obey(keys).await, "GetConfiguration");
        let Details::Configuration(known, unknown) = read.await.unwrap().unwrap().details else {
            panic!("no keys")
        };
        assert_eq!((known.len(), unknown), (1, vec!["B".to_owned()]));
        // An answer that is no JSON is an outcome too: nobody waits for ever.
        let reset = bench.order("CP1", RESET(), 5_000);
        let call = plug.json().await;
        plug.send(format!("[3,{},{{\"status\":}}]", call[1])).await;
        assert_eq!(reset.await.unwrap().unwrap().status, Status::Failed);
        let sent = bench.ordered("CP1", RESET(), 5_000).await;
        let waits = bench.ordered("CP1", RESET(), 5_000).await;
        plug.json().await;
        drop(plug);
        assert_eq!(sent.await.unwrap(), Err(Unsent::Gone { sent: true }));
        assert_eq!(waits.await.unwrap(), Err(Unsent::Gone { sent: false }));
    });
}

#[test]
fn commands_that_wait_are_bounded() {
    run(async {
        let bench = bench().await;
        let mut plug = bench.booted("CP1").await;
        let orders: Vec<_> = (0..80).map(|_| bench.order("CP1", RESET(), 800)).collect();
        let first = plug.json().await;
        assert_eq!(first[2], "Reset");
        let mut busy = 0;
        for order in orders {
            match order.await.unwrap() {
                Err(Unsent::Busy) => busy += 1,
                Err(Unsent::TimedOut { .. }) => {}
                other => panic!("{other:?}"),
            }
        }
        assert!((15..=16).contains(&busy), "{busy} were refused");
    });
}

#[test]
fn case_39_a_burst_is_dealt_with_in_order_while_others_are_served() {
    run(async {
        const BURST: usize = 1_500;
        let bench = bench_with(|options| options.stations.messages = 100_000).await;
        let mut neighbour = bench.booted("CP2").await;
        let plug = bench.booted("CP1").await;
        bench.allow("CP1", |rule| rule.takes = Duration::from_micros(500));
        let payload = |number: usize| {
            let at = format!("2026-01-01T{:02}:{:02}:{:02}Z", number / 3600, number / 60 % 60, number % 60);
            json!({"connectorId": 1, "transactionId": 7, "meterValue": [{"timestamp": at, "sampledValue": [{"value": number.to_string()}]}]})
        };
        let (mut tx, mut rx) = futures_util::StreamExt::split(plug.socket);
        let writer = tokio::spawn(async move {
            for number in 0..BURST {
                let text = json!([2, number.to_string(), "MeterValues", payload(number)]).to_string();
                futures_util::SinkExt::send(&mut tx, Message::Text(text.into())).await.unwrap();
            }
            tx
        });
        let begin = std::time::Instant::now();
        assert!(neighbour.call("Heartbeat", json!({})).await["currentTime"].is_string());
        assert!(begin.elapsed() < Duration::from_millis(500), "{:?}", begin.elapsed());
        for number in 0..BURST {
            let answer = loop {
                match futures_util::StreamExt::next(&mut rx).await.unwrap().unwrap() {
                    Message::Text(text) => break serde_json::from_str::<Value>(&text).unwrap(),
                    _ => continue,
                }
            };
            assert_eq!(answer, json!([3, number.to_string(), {}]));
        }
        drop(writer.await.unwrap());
        let heard = bench.desk.of("CP1");
        assert_eq!(heard.len(), BURST + 1);
        let times: Vec<_> = heard[1..].iter().map(|heard| format!("{:?}", heard.received.report)).collect();
        assert!(times.windows(2).all(|pair| pair[0] != pair[1]));
    });
}

#[test]
fn case_41_what_cannot_be_kept_is_not_answered_and_nothing_of_ours_leaks() {
    run(async {
        let bench = bench().await;
        let mut plug = bench.booted("CP1").await;
        bench.allow("CP1", |rule| rule.fails = 1);
        let request = start("1", "2026-01-01T10:00:00Z");
        plug.send(&*request).await;
        assert!(plug.is_silent(200).await, "no answer, and above all no CALLERROR");
        assert_eq!(bench.count("takst_ocpp_calls_unanswered_total"), 1);
        plug.send(&*request).await;
        assert_eq!(plug.json().await[2]["transactionId"], 1, "said again, it is dealt with");
        // Meter values are a transaction's too.
        bench.allow("CP1", |rule| rule.fails = 1);
        plug.send(r#"[2,"2","MeterValues",{"connectorId":1,"meterValue":[]}]"#).await;
        assert!(plug.is_silent(200).await);
        bench.allow("CP1", |rule| rule.fails = 1);
        plug.send(r#"[2,"3","Heartbeat",{}]"#).await;
        let refusal = plug.json().await;
        assert_eq!((&refusal[0], &refusal[2]), (&json!(4), &json!("InternalError")));
        // A mistake of ours is the same to the charger, and costs neither its connection nor the next message.
        bench.allow("CP1", |rule| rule.panics = true);
        plug.send(start("4", "2026-01-01T12:00:00Z")).await;
        assert!(plug.is_silent(200).await);
        bench.allow("CP1", |_| {});
        assert!(plug.call("Heartbeat", json!({})).await["currentTime"].is_string());
        // Requests of one charger come one after the other, however they are sent (the desk of the tests checks it).
        bench.allow("CP1", |rule| rule.takes = Duration::from_millis(20));
        for id in 10..20 {
            plug.send(format!(r#"[2,"{id}","Heartbeat",{{}}]"#)).await;
        }
        for id in 10..20 {
            assert_eq!(plug.json().await[1], id.to_string());
        }
    });
}

#[test]
fn what_is_odd_is_counted_told_to_the_desk_and_not_refused() {
    run(async {
        let bench = bench().await;
        let mut plug = bench.booted("CP1").await;
        let odd = json!({"connectorId": "1", "idTag": 12345, "meterStart": "7", "timestamp": "2026-01-01T10:00:00", "extra": 1});
        assert_eq!(plug.call("StartTransaction", odd).await["transactionId"], 1);
        let heard = bench.desk.of("CP1");
        let Received { deviations, .. } = &heard[1].received;
        assert!(deviations.iter().any(|text| text.starts_with("schema: ")), "{deviations:?}");
        assert!(deviations.iter().any(|text| text.contains("extra")), "{deviations:?}");
        assert!(bench.count("takst_ocpp_deviations_total") >= 4);
        assert!(bench.count("takst_ocpp_schema_violations_total") >= 1);
        // Unknown to all: refused, and the connection stays.
        assert_eq!(plug.call("MakeCoffee", json!({})).await, "NotImplemented");
        plug.send("no json at all").await;
        plug.send(r#"[2,"x","Heartbeat",{}"#).await;
        assert_eq!(plug.json().await[0], 4);
        // Case 18: a transaction message that cannot be read is not refused, and mended where its charger is known for it.
        plug.send(r#"[2,"y","MeterValues",{"connectorId":1,"transactionId":,"meterValue":[]}]"#).await;
        assert!(plug.is_silent(200).await);
        bench.allow("CP1", |rule| rule.habits.repair = true);
        let mut plug = bench.plug("CP1", "ocpp1.6").await;
        plug.send(r#"[2,"y","MeterValues",{"connectorId":1,"transactionId":,"meterValue":[]}]"#).await;
        assert_eq!(plug.json().await, json!([3, "y", {}]));
        assert_eq!(bench.count("takst_ocpp_frames_mended_total"), 1);
        assert!(bench.count("takst_ocpp_frames_broken_total") >= 4);
    });
}

#[test]
fn a_telling_of_2_1_is_heard_and_not_answered() {
    run(async {
        let bench = bench().await;
        bench.allow("CP1", |_| {});
        let mut plug = bench.plug("CP1", "ocpp2.1").await;
        plug.boot().await;
        let payload =
            json!({"id": 1, "pending": 0, "basetime": "2026-01-01T00:00:00Z", "data": [{"t": 0, "v": "1"}]});
        plug.send(json!([6, "s1", "NotifyPeriodicEventStream", payload]).to_string()).await;
        assert!(plug.is_silent(200).await);
        assert_eq!(bench.desk.actions("CP1"), ["BootNotification", "NotifyPeriodicEventStream"]);
        // An answer of ours that the charger did not understand is noted.
        plug.send(r#"[5,"m1","FormatViolation","what?",{}]"#).await;
        assert!(plug.call("Heartbeat", json!({})).await["currentTime"].is_string());
        assert_eq!(bench.count("takst_ocpp_deviations_total"), 1);
    });
}
