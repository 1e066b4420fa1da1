//! A charger against a gateway that is a few lines of text.

use super::*;
use crate::chargers::time;
use crate::simulate::plan::{Cars, Span};
use serde_json::{Value, json};

const BEGIN: i64 = 1_790_000_000_000;

/// Answers everything with yes, unless it is told otherwise, and keeps what it was told.
struct Gateway {
    charger: Charger,
    now: Instant,
    said: Vec<(String, Value)>,
    answers: Vec<Value>,
    events: Vec<Event>,
    numbers: Vec<(Value, i64)>,
    token: &'static str,
    // What it does not answer, and what it refuses.
    deaf: Option<&'static str>,
    refuses: Option<&'static str>,
    forgets: bool,
}

fn cars() -> Cars {
    Cars {
        free_for: Span::exactly(5_000),
        energy: Span::exactly(2_000),
        power: Span::exactly(120_000),
        stays: Span::exactly(8_000),
        tokens: ["DEMO".into()].into(),
    }
}

fn plan(cars: Option<Cars>, troubles: Vec<Trouble>) -> Plan {
    Plan { power: 150_000, ac: false, meter_every: 10_000, cars, troubles, ..Plan::default() }
}

impl Gateway {
    fn new(dialect: Dialect, plan: Plan) -> Self {
        let now = Instant(BEGIN);
        let charger = Charger::new("SIM-1", dialect, Arc::new(plan), 7, now);
        let (said, answers, events, numbers) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self {
            charger,
            now,
            said,
            answers,
            events,
            numbers,
            token: "Accepted",
            deaf: None,
            refuses: None,
            forgets: false,
        }
    }

    fn answer(&mut self, action: &str, payload: &Value) -> Value {
        let info = json!({ "status": self.token });
        match action {
            "BootNotification" => {
                json!({ "status": "Accepted", "currentTime": "2026-09-21T12:00:00Z", "interval": 60 })
            }
            "Heartbeat" => json!({ "currentTime": "2026-09-21T12:00:00Z" }),
            "Authorize" if self.charger.dialect() == Dialect::V16 => json!({ "idTagInfo": info }),
            "Authorize" => json!({ "idTokenInfo": info }),
            "StartTransaction" => {
                let known = self
                    .numbers
                    .iter()
                    .find(|(known, _)| known == payload && !self.forgets)
                    .map(|(_, number)| *number);
                let next = i64::try_from(self.numbers.len()).unwrap() + 41;
                if known.is_none() {
                    self.numbers.push((payload.clone(), next));
                }
                json!({ "transactionId": known.unwrap_or(next), "idTagInfo": info })
            }
            "TransactionEvent" if payload["eventType"] == "Ended" => json!({ "totalCost": 12.50 }),
            _ => json!({}),
        }
    }

    // Plays for so long; the charger is connected whenever it can be.
    fn play(&mut self, seconds: i64) {
        let end = self.now.0 + seconds * 1_000;
        while self.now.0 < end {
            self.charger.step(self.now);
            if self.charger.is_away() {
                if self.charger.connected {
                    self.charger.disconnected(self.now);
                }
            } else if !self.charger.connected {
                self.charger.connected(self.now);
            }
            while let Some(text) = self.charger.next_frame(self.now) {
                self.hear(&text);
            }
            self.events.extend(self.charger.take_events());
            let next = self.charger.due().0.max(self.now.0 + 1);
            self.now = Instant(next.min(end));
        }
    }

    fn hear(&mut self, text: &str) {
        let frame: Value = serde_json::from_str(text).unwrap();
        if frame[0] != 2 {
            self.answers.push(frame);
            return;
        }
        let (id, action) = (frame[1].clone(), frame[2].as_str().unwrap().to_owned());
        self.said.push((action.clone(), frame[3].clone()));
        if self.deaf == Some(&*action) {
            return;
        }
        let answer = if self.refuses == Some(&*action) {
            json!([4, id, "InternalError", "no", {}])
        } else {
            json!([3, id, self.answer(&action, &frame[3])])
        };
        self.charger.received(self.now, &answer.to_string());
    }

    #[expect(clippy::needless_pass_by_value, reason = "orders are written where they are given")]
    fn order(&mut self, action: &str, payload: Value) -> Value {
        self.charger.received(self.now, &json!([2, "o", action, payload]).to_string());
        while let Some(text) = self.charger.next_frame(self.now) {
            self.hear(&text);
        }
        let answer = self.answers.pop().unwrap();
        assert_eq!(answer[1], "o");
        answer[if answer[0] == 3 { 2 } else { 3 }].clone()
    }

    fn actions(&self) -> Vec<&str> {
        self.said.iter().map(|(action, _)| action.as_str()).collect()
    }

    fn of(&self, action: &str) -> Vec<&Value> {
        self.said.iter().filter(|(said, _)| said == action).map(|(_, payload)| payload).collect()
    }

    fn statuses(&self) -> Vec<&str> {
        let of = self.of("StatusNotification").into_iter();
        of.map(|status| status["status"].as_str().or(status["connectorStatus"].as_str()).unwrap()).collect()
    }
}

fn at(value: &Value) -> i64 {
    time::read(value.as_str().unwrap(), 0).unwrap().0.0
}

#[test]
fn a_visit_in_the_words_of_1_6() {
    let mut gateway = Gateway::new(Dialect::V16, plan(Some(cars()), Vec::new()));
    gateway.play(100);
    assert_eq!(gateway.actions()[..3], ["BootNotification", "StatusNotification", "StatusNotification"]);
    let visit = ["Preparing", "Charging", "SuspendedEV", "Finishing", "Available"];
    assert_eq!(gateway.statuses()[..2], ["Available", "Available"]);
    assert_eq!(gateway.statuses()[2..7], visit);
    let (start, stop) = (gateway.of("StartTransaction")[0], gateway.of("StopTransaction")[0]);
    assert_eq!(start["idTag"], "DEMO");
    assert_eq!((&stop["transactionId"], &stop["reason"]), (&json!(41), &json!("EVDisconnected")));
    // The register counts whole Wh of a meter that is older than the session.
    let taken = stop["meterStop"].as_i64().unwrap() - start["meterStart"].as_i64().unwrap();
    assert!((2_000..=2_001).contains(&taken), "{taken}");
    // 2 kWh at 120 kW take a minute and a little more, for the power falls towards the end.
    let took = at(&stop["timestamp"]) - at(&start["timestamp"]) - 8_000;
    assert!((60_000..90_000).contains(&took), "{took}");
    let registers: Vec<i64> = gateway
        .of("MeterValues")
        .iter()
        .take(6)
        .map(|meter| meter["meterValue"][0]["sampledValue"][0]["value"].as_str().unwrap().parse().unwrap())
        .collect();
    assert!(registers.windows(2).all(|pair| pair[0] < pair[1]), "{registers:?}");
    let ended = Event::Ended { connector: 1, energy_wh: 2_000, reason: "EVDisconnected" };
    assert!(gateway.events.contains(&ended), "{:?}", gateway.events);
}

#[test]
fn a_visit_in_the_words_of_2_x() {
    for dialect in [Dialect::V201, Dialect::V21] {
        let mut gateway = Gateway::new(dialect, plan(Some(cars()), Vec::new()));
        gateway.play(100);
        assert_eq!(gateway.statuses()[..3], ["Available", "Occupied", "Available"]);
        let events = gateway.of("TransactionEvent");
        let first: Vec<&Value> = events
            .iter()
            .filter(|event| {
                event["transactionInfo"]["transactionId"] == events[0]["transactionInfo"]["transactionId"]
            })
            .copied()
            .collect();
        let numbers: Vec<i64> = first.iter().map(|event| event["seqNo"].as_i64().unwrap()).collect();
        assert_eq!(numbers, (0..i64::try_from(first.len()).unwrap()).collect::<Vec<_>>());
        let states: Vec<&str> = first
            .iter()
            .filter(|event| event["triggerReason"] == "ChargingStateChanged")
            .map(|event| event["transactionInfo"]["chargingState"].as_str().unwrap())
            .collect();
        assert_eq!(states, ["Charging", "SuspendedEV"]);
        assert_eq!(first[0]["idToken"]["idToken"], "DEMO");
        assert_eq!(first.last().unwrap()["transactionInfo"]["stoppedReason"], "EVDisconnected");
        assert!(gateway.events.contains(&Event::Shown { text: "cost 12.5".to_owned() }));
    }
}

#[test]
fn what_happens_offline_is_told_later_with_its_own_times_and_in_its_order() {
    let away =
        Trouble { kind: TroubleKind::Offline, at: Some(20_000), every: None, lasts: Span::exactly(120_000) };
    for dialect in Dialect::ALL {
        let mut gateway = Gateway::new(dialect, plan(Some(cars()), vec![away.clone()]));
        gateway.play(19);
        let before = gateway.said.len();
        gateway.play(111);
        assert_eq!(gateway.said.len(), before, "{dialect}: nothing can be heard");
        assert!(gateway.charger.unacknowledged() > 5);
        gateway.play(30);
        // A reconnect without a boot is legal.
        assert_eq!(gateway.of("BootNotification").len(), 1);
        let replayed: Vec<i64> = gateway.said[before..]
            .iter()
            .filter_map(|(action, said)| match action.as_str() {
                "StartTransaction" | "StopTransaction" | "TransactionEvent" => Some(at(&said["timestamp"])),
                "MeterValues" => Some(at(&said["meterValue"][0]["timestamp"])),
                _ => None,
            })
            .collect();
        assert!(replayed.is_sorted(), "{dialect}: {replayed:?}");
        assert!(replayed[0] < BEGIN + 40_000 && *replayed.last().unwrap() > BEGIN + 120_000);
        if dialect != Dialect::V16 {
            let offline =
                gateway.of("TransactionEvent").iter().filter(|event| event["offline"] == true).count();
            assert!(offline > 5, "{offline}");
        }
        gateway.charger.finish(gateway.now);
        gateway.play(5);
        assert_eq!((gateway.charger.unacknowledged(), gateway.charger.is_done()), (0, true));
        assert!(!gateway.events.iter().any(|event| matches!(event, Event::Wrong(_) | Event::Lost { .. })));
    }
}

#[test]
fn an_answer_that_is_lost_makes_the_same_message_come_again_under_another_id() {
    let mut gateway =
        Gateway::new(Dialect::V16, Plan { repeated_permille: 1_000, ..plan(Some(cars()), Vec::new()) });
    gateway.play(100);
    for action in ["StartTransaction", "StopTransaction"] {
        let said = gateway.of(action);
        assert_eq!(said[0], said[1]);
    }
    assert!(!gateway.events.iter().any(|event| matches!(event, Event::Wrong(_))), "{:?}", gateway.events);
    // A gateway that takes the second for another session is found out.
    let mut gateway =
        Gateway::new(Dialect::V16, Plan { repeated_permille: 1_000, ..plan(Some(cars()), Vec::new()) });
    gateway.forgets = true;
    gateway.play(100);
    let wrong = "the same StartTransaction got the numbers 41 and 42".to_owned();
    assert!(gateway.events.contains(&Event::Wrong(wrong)), "{:?}", gateway.events);
}

#[test]
fn what_is_not_answered_or_refused_is_said_again_until_it_is_acknowledged() {
    let mut gateway =
        Gateway::new(Dialect::V16, Plan { answer_within: 5_000, ..plan(Some(cars()), Vec::new()) });
    gateway.deaf = Some("StartTransaction");
    gateway.play(30);
    assert!(gateway.of("StartTransaction").len() >= 3);
    assert!(gateway.events.contains(&Event::Unanswered { action: "StartTransaction" }));
    gateway.deaf = None;
    gateway.refuses = Some("StartTransaction");
    gateway.play(30);
    assert!(
        gateway.events.iter().any(|event| matches!(event, Event::Refused { action: "StartTransaction", .. }))
    );
    // Everything else waits behind it.
    assert_eq!(gateway.of("MeterValues").len(), 0);
    gateway.refuses = None;
    gateway.play(60);
    gateway.charger.finish(gateway.now);
    gateway.play(20);
    assert_eq!(gateway.charger.unacknowledged(), 0);
    assert!(gateway.of("StopTransaction").iter().all(|stop| stop["transactionId"].as_i64().unwrap() > 40));
    // One that gives up says so.
    let mut impatient = Gateway::new(Dialect::V16, Plan { attempts: 3, ..plan(Some(cars()), Vec::new()) });
    impatient.refuses = Some("StartTransaction");
    impatient.play(60);
    assert!(impatient.events.contains(&Event::Lost { action: "StartTransaction" }));
    assert!(impatient.of("MeterValues").iter().all(|meter| meter["transactionId"] == -1));
}

#[test]
fn a_token_that_is_refused_does_not_charge() {
    for dialect in Dialect::ALL {
        let mut gateway = Gateway::new(dialect, plan(Some(cars()), Vec::new()));
        gateway.token = "Blocked";
        gateway.play(30);
        assert!(
            gateway
                .events
                .iter()
                .any(|event| matches!(event, Event::TokenRefused { status, .. } if status == "Blocked"))
        );
        assert!(gateway.of("StartTransaction").is_empty() && gateway.of("TransactionEvent").is_empty());
    }
}

#[test]
fn a_power_cut_ends_sessions_and_needs_a_boot() {
    let cut =
        Trouble { kind: TroubleKind::Reboot, at: Some(20_000), every: None, lasts: Span::exactly(10_000) };
    for dialect in Dialect::ALL {
        let mut gateway = Gateway::new(dialect, plan(Some(cars()), vec![cut.clone()]));
        gateway.play(40);
        assert_eq!(gateway.of("BootNotification").len(), 2);
        let (reason, when) = if dialect == Dialect::V16 {
            let stop = gateway.of("StopTransaction")[0];
            (stop["reason"].clone(), at(&stop["timestamp"]))
        } else {
            let end =
                *gateway.of("TransactionEvent").iter().find(|event| event["eventType"] == "Ended").unwrap();
            (end["transactionInfo"]["stoppedReason"].clone(), at(&end["timestamp"]))
        };
        assert_eq!((reason, when), (json!("PowerLoss"), BEGIN + 20_000));
    }
}

#[test]
fn the_shortest_outage_cuts_the_connection() {
    for lasts in [0, 1] {
        let blink = Trouble {
            kind: TroubleKind::Offline,
            at: Some(20_000),
            every: None,
            lasts: Span::exactly(lasts),
        };
        let mut gateway = Gateway::new(Dialect::V16, plan(Some(cars()), vec![blink]));
        gateway.play(19);
        assert!(gateway.charger.connected);
        // Whoever plays it comes late: the outage is over before he looks.
        gateway.charger.step(Instant(BEGIN + 21_000));
        assert!(gateway.charger.is_away(), "{lasts}");
        gateway.charger.disconnected(Instant(BEGIN + 21_000));
        assert!(!gateway.charger.is_away(), "{lasts}: the network is back");
        gateway.now = Instant(BEGIN + 21_000);
        gateway.play(5);
        assert!(gateway.charger.connected);
        assert_eq!(gateway.of("BootNotification").len(), 1);
    }
}

#[test]
fn faults_silence_and_wrong_clocks_are_played() {
    let trouble = |kind, at, lasts| Trouble { kind, at: Some(at), every: None, lasts: Span::exactly(lasts) };
    let troubles = vec![
        trouble(TroubleKind::Clock(-7_200_000), 10_000, 8_000),
        trouble(TroubleKind::Fault, 20_000, 4_000),
        trouble(TroubleKind::Silent, 40_000, 30_000),
    ];
    let mut gateway = Gateway::new(Dialect::V16, plan(Some(cars()), troubles));
    gateway.play(40);
    let statuses = gateway.statuses();
    let place = statuses.iter().position(|status| *status == "Faulted").unwrap();
    assert_eq!(statuses[place + 1], "Available");
    assert_eq!(gateway.of("StopTransaction")[0]["reason"], "Other");
    let wrong: Vec<i64> = gateway
        .of("MeterValues")
        .iter()
        .map(|meter| at(&meter["meterValue"][0]["timestamp"]))
        .filter(|at| *at < BEGIN)
        .collect();
    assert_eq!(wrong, [BEGIN + 15_800 - 7_200_000]);
    let before = gateway.said.len();
    gateway.play(29);
    assert!(gateway.charger.is_silent());
    assert_eq!(gateway.said.len(), before);
    gateway.play(10);
    assert!(gateway.said.len() > before);
}

#[test]
fn orders_of_1_6_are_followed() {
    let mut gateway = Gateway::new(Dialect::V16, plan(None, Vec::new()));
    gateway.play(2);
    let status = |word: &str| json!({ "status": word });
    let start = |gateway: &mut Gateway| {
        gateway.order("RemoteStartTransaction", json!({ "idTag": "APP", "connectorId": 1 }))
    };
    assert_eq!(start(&mut gateway), status("Accepted"));
    gateway.play(5);
    assert_eq!(gateway.of("StartTransaction")[0]["idTag"], "APP");
    assert_eq!(gateway.of("Authorize").len(), 0);
    assert_eq!(start(&mut gateway), status("Rejected"));
    assert_eq!(
        gateway.order("ChangeAvailability", json!({ "connectorId": 0, "type": "Inoperative" })),
        status("Scheduled")
    );
    assert_eq!(gateway.order("RemoteStopTransaction", json!({ "transactionId": 999 })), status("Rejected"));
    assert_eq!(gateway.order("RemoteStopTransaction", json!({ "transactionId": 41 })), status("Accepted"));
    gateway.play(15);
    assert_eq!(gateway.of("StopTransaction")[0]["reason"], "Remote");
    assert_eq!(gateway.statuses().last(), Some(&"Unavailable"));
    assert_eq!(
        gateway.order("ChangeAvailability", json!({ "connectorId": 1, "type": "Operative" })),
        status("Accepted")
    );
    let reserve =
        json!({ "connectorId": 1, "idTag": "APP", "reservationId": 5, "expiryDate": "2099-01-01T00:00:00Z" });
    assert_eq!(gateway.order("ReserveNow", reserve), status("Accepted"));
    assert_eq!(gateway.order("RemoteStartTransaction", json!({ "idTag": "OTHER" })), status("Rejected"));
    assert_eq!(gateway.order("CancelReservation", json!({ "reservationId": 6 })), status("Rejected"));
    assert_eq!(start(&mut gateway), status("Accepted"));
    gateway.play(5);
    assert_eq!(gateway.of("StartTransaction")[1]["reservationId"], 5);
    assert_eq!(gateway.order("UnlockConnector", json!({ "connectorId": 1 })), status("Unlocked"));
    gateway.play(1);
    assert_eq!(gateway.of("StopTransaction")[1]["reason"], "UnlockCommand");
    let set = json!({ "key": "MeterValueSampleInterval", "value": "3" });
    assert_eq!(gateway.order("ChangeConfiguration", set), status("Accepted"));
    let got = gateway.order("GetConfiguration", json!({ "key": ["metervaluesampleinterval", "Nonsense"] }));
    assert_eq!(
        (&got["configurationKey"][0]["value"], &got["unknownKey"][0]),
        (&json!("3"), &json!("Nonsense"))
    );
    let cost = json!({ "vendorId": "org.openchargealliance.costmsg", "messageId": "RunningCost", "data": "{\"cost\":3.10}" });
    assert_eq!(gateway.order("DataTransfer", cost), status("Accepted"));
    gateway.play(1);
    assert!(gateway.events.contains(&Event::Shown { text: "RunningCost 3.10".to_owned() }));
    assert_eq!(
        gateway.order("TriggerMessage", json!({ "requestedMessage": "MeterValues" })),
        status("Accepted")
    );
    assert_eq!(gateway.order("Nonsense", json!({})), json!("this charger does not know the action"));
    assert_eq!(gateway.order("Reset", json!({ "type": "Soft" })), status("Accepted"));
    gateway.play(5);
    assert_eq!(gateway.of("BootNotification").len(), 2);
    gateway.order("UpdateFirmware", json!({ "location": "x", "retrieveDate": "2026-01-01T00:00:00Z" }));
    gateway.play(20);
    let stages: Vec<_> =
        gateway.of("FirmwareStatusNotification").iter().map(|said| said["status"].clone()).collect();
    assert_eq!(stages, ["Downloading", "Downloaded", "Installing", "Installed"]);
    assert_eq!(gateway.of("BootNotification").last().unwrap()["firmwareVersion"], "2.0");
}

#[test]
fn orders_of_2_x_are_followed() {
    let mut gateway = Gateway::new(Dialect::V21, plan(None, Vec::new()));
    gateway.play(2);
    let status = |word: &str| json!({ "status": word });
    let start =
        json!({ "evseId": 1, "idToken": { "idToken": "APP", "type": "Central" }, "remoteStartId": 77 });
    assert_eq!(gateway.order("RequestStartTransaction", start), status("Accepted"));
    gateway.play(5);
    let begun = gateway.of("TransactionEvent")[0].clone();
    assert_eq!(
        (&begun["triggerReason"], &begun["transactionInfo"]["remoteStartId"]),
        (&json!("RemoteStart"), &json!(77))
    );
    let id = begun["transactionInfo"]["transactionId"].clone();
    let asked = gateway.order("GetTransactionStatus", json!({ "transactionId": id }));
    assert_eq!(asked, json!({ "ongoingIndicator": true, "messagesInQueue": false }));
    assert_eq!(gateway.order("CostUpdated", json!({ "totalCost": 4.20, "transactionId": id })), json!({}));
    assert_eq!(
        gateway.order("RequestStopTransaction", json!({ "transactionId": "nobody" })),
        status("Rejected")
    );
    assert_eq!(gateway.order("RequestStopTransaction", json!({ "transactionId": id })), status("Accepted"));
    gateway.play(1);
    assert!(gateway.events.contains(&Event::Shown { text: "cost 4.2".to_owned() }));
    assert_eq!(gateway.of("TransactionEvent").last().unwrap()["transactionInfo"]["stoppedReason"], "Remote");
    let variable =
        |name: &str| json!({ "component": { "name": "SampledDataCtrlr" }, "variable": { "name": name } });
    let mut set = variable("TxUpdatedInterval");
    set["attributeValue"] = json!("4");
    let got = gateway.order("SetVariables", json!({ "setVariableData": [set] }));
    assert_eq!(got["setVariableResult"][0]["attributeStatus"], "Accepted");
    let asked = json!({ "getVariableData": [variable("TxUpdatedInterval"), variable("Nonsense")] });
    let got = gateway.order("GetVariables", asked);
    assert_eq!(got["getVariableResult"][0]["attributeValue"], "4");
    assert_eq!(got["getVariableResult"][1]["attributeStatus"], "UnknownVariable");
    gateway.order("GetBaseReport", json!({ "requestId": 3, "reportBase": "FullInventory" }));
    gateway.play(1);
    assert_eq!(gateway.of("NotifyReport")[0]["requestId"], 3);
    assert_eq!(gateway.order("Reset", json!({ "type": "Immediate" })), status("Accepted"));
    gateway.play(5);
    assert_eq!(gateway.of("BootNotification")[1]["reason"], "RemoteReset");
    assert_eq!(gateway.order("SetDERControl", json!({})), json!("this charger does not know the action"));
}

#[test]
fn an_idle_charger_only_says_that_it_is_there() {
    let mut gateway =
        Gateway::new(Dialect::V201, Plan { heartbeat_every: Some(10_000), ..plan(None, Vec::new()) });
    gateway.play(61);
    assert_eq!(gateway.of("Heartbeat").len(), 6);
    assert_eq!(gateway.said.len(), 8);
    let answer = gateway.charger.clone();
    assert!(std::mem::size_of_val(&answer) < 700, "{}", std::mem::size_of_val(&answer));
}

#[test]
fn any_text_gets_along() {
    let mut gateway = Gateway::new(Dialect::V16, plan(Some(cars()), Vec::new()));
    gateway.play(20);
    for text in [
        "",
        "[]",
        "[2]",
        "[3,\"x\",{}]",
        "[4,\"x\",\"\",\"\",{}]",
        "[2,\"a\",\"Reset\",[]]",
        "[2,1,\"Reset\",null]",
        "\u{0}",
    ] {
        gateway.charger.received(gateway.now, text);
    }
    gateway.play(20);
    // An answer that nobody waits for any more is only late; one to nothing is a contradiction.
    let wrong =
        |gateway: &Gateway| gateway.events.iter().filter(|event| matches!(event, Event::Wrong(_))).count();
    let before = wrong(&gateway);
    gateway.charger.received(gateway.now, "[3,\"1\",{}]");
    gateway.play(1);
    assert_eq!(wrong(&gateway), before);
    gateway.charger.received(gateway.now, "[3,\"999999\",{}]");
    gateway.play(1);
    assert_eq!(wrong(&gateway), before + 1);
    let mut pending = Gateway::new(Dialect::V201, plan(Some(cars()), Vec::new()));
    pending.refuses = Some("BootNotification");
    pending.play(60);
    assert!(pending.actions().iter().all(|action| *action == "BootNotification"));
    assert!((5..=13).contains(&pending.said.len()), "{}", pending.said.len());
}
