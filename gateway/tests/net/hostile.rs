//! Clients that mean no good: memory stays bounded, and others are served.

use crate::net_support::*;
use serde_json::json;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::Message;

async fn is_served(plug: &mut Plug) {
    let begin = Instant::now();
    assert!(plug.call("Heartbeat", json!({})).await["currentTime"].is_string());
    assert!(begin.elapsed() < Duration::from_secs(1), "{:?}", begin.elapsed());
}

async fn ends_with(mut plug: Plug, code: u16) {
    let frame = plug.end().await.expect("a close frame");
    assert_eq!(u16::from(frame.code), code, "{frame:?}");
}

#[test]
fn a_giant_frame_ends_its_connection_before_it_is_read() {
    run(async {
        let bench = bench().await;
        let mut neighbour = bench.booted("CP2").await;
        // One frame of 8 EiB, announced; then one that is really sent; then one that grows by fragments.
        let mut plug = bench.booted("CP1").await;
        let head = [0x81, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0];
        plug.socket.get_mut().write_all(&head).await.unwrap();
        ends_with(plug, 1009).await;
        let mut plug = bench.booted("CP1").await;
        // Whether it gets through or the connection breaks under it does not matter.
        let _ = plug.try_send(Message::Text("x".repeat((1 << 20) + 1).into())).await;
        ends_with(plug, 1009).await;
        let mut plug = bench.booted("CP1").await;
        let mut first = true;
        let stream = plug.socket.get_mut();
        loop {
            let mut frame = vec![u8::from(first), 0xfe, 0xff, 0xff, 0, 0, 0, 0];
            frame.resize(8 + 0xffff, b'x');
            first = false;
            if !matches!(timeout(Duration::from_millis(500), stream.write_all(&frame)).await, Ok(Ok(()))) {
                break;
            }
        }
        // It may have to be read through what was sent before.
        let frame = plug.end().await;
        assert!(frame.is_none_or(|frame| u16::from(frame.code) == 1009));
        until("it is gone", || bench.hub.connected() == 1).await;
        assert_eq!(bench.count("takst_connections_malformed_total"), 3);
        // What just fits is a message.
        let mut plug = bench.booted("CP1").await;
        let padding = "x".repeat((1 << 20) - 60);
        plug.send(format!(r#"[2,"1","DataTransfer",{{"vendorId":"v","data":"{padding}"}}]"#)).await;
        assert_eq!(plug.json().await[0], 3);
        is_served(&mut neighbour).await;
    });
}

#[test]
fn text_that_is_no_utf8_and_frames_of_no_kind_end_their_connection() {
    run(async {
        let bench = bench().await;
        let mut neighbour = bench.booted("CP2").await;
        for (frame, code) in [
            (&[0x81, 0x82, 0, 0, 0, 0, 0xff, 0xfe][..], 1007),
            (&[0x82, 0x82, 0, 0, 0, 0, b'[', b']'], 1003),
            // Not masked.
            (&[0x81, 0x02, b'[', b']'], 1002),
            // A kind that does not exist; a ping of 126 bytes.
            (&[0x83, 0x80, 0, 0, 0, 0], 1002),
            (&[0x89, 0xfe, 0, 126, 0, 0, 0, 0], 1002),
            // The rest of nothing.
            (&[0x80, 0x80, 0, 0, 0, 0], 1002),
        ] {
            let mut plug = bench.booted("CP1").await;
            plug.socket.get_mut().write_all(frame).await.unwrap();
            if frame[0] == 0x89 {
                plug.socket.get_mut().write_all(&[0; 126]).await.unwrap();
            }
            ends_with(plug, code).await;
        }
        is_served(&mut neighbour).await;
    });
}

#[test]
fn messages_that_mean_nothing_are_survived() {
    run(async {
        let bench = bench().await;
        let mut plug = bench.booted("CP1").await;
        let deep = "[".repeat(1 << 20);
        for text in [
            "",
            "[]",
            "{}",
            "null",
            "[2]",
            "[2,\"\",\"\",{}]",
            "[99,\"a\",{}]",
            "[3,\"nobody asked\",{}]",
            "\u{feff}[",
            &*deep,
            "[2,\"a\",\"StartTransaction\",[[[[]]]]]",
            "[2,\"a\",\"StartTransaction\",{\"meterStart\":1e999999}]",
        ] {
            plug.send(text).await;
        }
        // Everything that wants an answer has one; then this.
        plug.send(r#"[2,"last","Heartbeat",{}]"#).await;
        while plug.json().await[1] != "last" {}
        is_served(&mut plug).await;
    });
}

#[test]
fn one_who_writes_his_request_letter_by_letter_is_not_waited_for() {
    run(async {
        let bench = bench_with(|options| options.limits.head = Duration::from_millis(500)).await;
        let mut plug = bench.booted("CP1").await;
        let mut slow = Vec::new();
        for _ in 0..50 {
            let mut stream = TcpStream::connect(bench.address).await.unwrap();
            stream.write_all(b"GET /ocpp/CP1 HT").await.unwrap();
            slow.push(stream);
        }
        until("all are there", || bench.running.as_ref().unwrap().connections() == 51).await;
        let begin = Instant::now();
        while bench.running.as_ref().unwrap().connections() > 1 {
            for stream in &mut slow {
                // A letter now and then does not help.
                let _ = stream.write_all(b"T").await;
            }
            sleep(Duration::from_millis(100)).await;
            assert!(begin.elapsed() < Duration::from_secs(3), "they are waited for");
        }
        // Nor is one who sends nothing at all, or a head without end.
        let mut silent = TcpStream::connect(bench.address).await.unwrap();
        let mut answer = Vec::new();
        timeout(Duration::from_secs(3), silent.read_to_end(&mut answer)).await.unwrap().unwrap();
        let endless = format!("GET / HTTP/1.1\r\n{}", "X-Y: z\r\n".repeat(20_000));
        let answer = raw(bench.address, endless.as_bytes()).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431 "), "{answer}");
        is_served(&mut plug).await;
    });
}

#[test]
fn a_body_that_never_comes_is_not_waited_for() {
    run(async {
        let bench = bench_of(
            |options| options.limits.body = Duration::from_millis(300),
            |mut serve| {
                let echo = axum::routing::post(async |body: axum::body::Bytes| body);
                serve.router = axum::Router::new().route("/echo", echo);
                serve
            },
        )
        .await;
        let request = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nConnection: close\r\n\r\nab";
        let answer = raw(bench.address, request).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
        let whole = [&request[..], b"cde"].concat();
        assert!(raw(bench.address, &whole).await.ends_with("\r\n\r\nabcde"));
    });
}

#[test]
fn one_who_takes_nothing_is_given_up_and_costs_a_bounded_amount() {
    run(async {
        let bench = bench_with(|options| {
            options.stations.write_patience = Duration::from_millis(700);
            options.stations.messages = 1_000_000;
        })
        .await;
        let mut neighbour = bench.booted("CP2").await;
        let mut plug = bench.booted("CP1").await;
        // Answers are never read, so they pile up until nothing more is read from it.
        let flood = async {
            let vendor = "v".repeat(200);
            for number in 0_u64.. {
                let text = json!([2, number.to_string(), "Nothing", {"vendorId": vendor}]).to_string();
                if plug.try_send(Message::Text(text.into())).await.is_err() {
                    return number;
                }
            }
            0
        };
        let sent = timeout(Duration::from_secs(30), flood).await.expect("the flood is stopped");
        assert!(sent > 1_000, "{sent}");
        until("it is given up", || bench.hub.connected() == 1).await;
        assert_eq!(bench.count("takst_connections_silent_total"), 1);
        is_served(&mut neighbour).await;
    });
}

#[test]
fn a_flood_of_pings_is_survived() {
    run(async {
        let bench = bench().await;
        let mut neighbour = bench.booted("CP2").await;
        let mut plug = bench.booted("CP1").await;
        for _ in 0..20_000 {
            if plug.socket.get_mut().write_all(&[0x89, 0x80, 0, 0, 0, 0]).await.is_err() {
                break;
            }
        }
        is_served(&mut neighbour).await;
    });
}

#[test]
fn many_connections_leave_room_for_nobody_but_do_no_harm() {
    run(async {
        let bench = bench_with(|options| options.limits.connections = 40).await;
        let mut plug = bench.booted("CP1").await;
        let mut crowd = Vec::new();
        for _ in 0..200 {
            crowd.push(TcpStream::connect(bench.address).await.unwrap());
        }
        until("the house is full", || bench.running.as_ref().unwrap().connections() == 40).await;
        // Whoever asks is told when to come back, as long as that costs little.
        drop(crowd.split_off(60));
        until("those are forgotten", || bench.count("takst_connections_refused_total") >= 100).await;
        let (status, _) = get(bench.address, "/healthz").await;
        assert!(status == 503 || status == 0, "{status}");
        is_served(&mut plug).await;
        drop(crowd);
        until("they are gone", || bench.running.as_ref().unwrap().connections() == 1).await;
        assert_eq!(get(bench.address, "/healthz").await.0, 200);
    });
}

#[test]
fn connections_that_come_and_go_leave_nothing_behind() {
    run(async {
        let bench = bench_with(|options| options.limits.comings = 1_000).await;
        bench.allow("CP1", |_| {});
        for _ in 0..300 {
            drop(bench.plug("CP1", "ocpp1.6").await);
        }
        until("all are gone", || bench.hub.connected() == 0).await;
        until("all places are free", || bench.running.as_ref().unwrap().connections() == 0).await;
        let links = bench.desk.links.lock().unwrap();
        assert_eq!(links.iter().filter(|link| link.starts_with('+')).count(), 300);
        assert_eq!(links.iter().filter(|link| link.starts_with('-')).count(), 300);
    });
}

#[test]
fn a_charger_that_comes_again_and_again_and_one_that_never_stops_talking_are_slowed_down() {
    run(async {
        let bench = bench_with(|options| {
            options.limits.comings = 5;
            options.stations.messages = 10;
        })
        .await;
        bench.allow("CP1", |_| {});
        for _ in 0..5 {
            bench.plug("CP1", "ocpp1.6").await;
        }
        let refused = Plug::refused(bench.address, "/ocpp/CP1", &["ocpp1.6"], None).await;
        assert_eq!(refused.status(), 429);
        let mut plug = bench.booted("CP2").await;
        let begin = Instant::now();
        for _ in 0..215 {
            plug.call("Heartbeat", json!({})).await;
        }
        assert!(begin.elapsed() > Duration::from_secs(1), "{:?}", begin.elapsed());
    });
}

#[test]
fn the_name_of_a_neighbour_does_not_help_without_his_password() {
    run(async {
        let bench = bench().await;
        bench.allow("CP1", |rule| rule.password = Some(b"right".to_vec()));
        let right = basic("CP1", b"right");
        let mut plug = Plug::connect(bench.address, "/ocpp/CP1", &["ocpp1.6"], Some(&right)).await.unwrap();
        plug.boot().await;
        let mut statuses = Vec::new();
        for number in 0..14 {
            let wrong = basic("CP1", format!("wrong{number}").as_bytes());
            let refused = Plug::refused(bench.address, "/ocpp/CP1", &["ocpp1.6"], Some(&wrong)).await;
            statuses.push(refused.status().as_u16());
        }
        assert_eq!(statuses[..10], [401; 10]);
        assert_eq!(statuses[10..], [429; 4], "then passwords are not even looked at");
        assert_eq!(bench.desk.knocks.lock().unwrap().len(), 11);
        assert_eq!(bench.count("takst_chargers_locked_out_total"), 4);
        is_served(&mut plug).await;
        assert_eq!(bench.hub.connected(), 1, "the neighbour never lost his place");
        // Names that are guessed are refused alike.
        let refused = Plug::refused(bench.address, "/ocpp/CP9", &["ocpp1.6"], None).await;
        assert_eq!(refused.status(), 404);
    });
}

#[test]
fn repeated_ids_cost_a_bounded_amount() {
    run(async {
        let bench = bench_with(|options| options.stations.messages = 100_000).await;
        let mut plug = bench.booted("CP1").await;
        // A thousand different requests under one id, each asked twice.
        for number in 0..1_000 {
            let text =
                json!([2, "1", "DataTransfer", {"vendorId": "v", "data": number.to_string()}]).to_string();
            plug.send(&*text).await;
            let answer = plug.text().await;
            plug.send(text).await;
            assert_eq!(plug.text().await, answer);
        }
        assert_eq!(bench.desk.actions("CP1").len(), 1_001);
        assert_eq!(bench.count("takst_ocpp_calls_replayed_total"), 1_000);
    });
}
