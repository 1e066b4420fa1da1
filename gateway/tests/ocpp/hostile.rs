//! Any bytes to the OCPP layer: an answer, never a panic, and no more memory than the text deserves.

use proptest::prelude::*;
use serde_json::value::RawValue;
use takst_engine::units::Instant;
use takst_gateway::chargers::time::{self, StationTime, TimeRules};
use takst_gateway::ocpp::frame::{self, Frame, Received};
use takst_gateway::ocpp::{Dialect, Habits, schema};

const NOW: Instant = Instant(1_767_268_800_000);

// Reads a text the way a socket would.
fn swallow(text: &str) {
    for dialect in Dialect::ALL {
        match frame::read(text) {
            Ok(Received { frame, .. }) => match frame {
                Frame::Call { action, payload, .. } | Frame::Send { action, payload, .. } => {
                    decode(dialect, &action, payload);
                }
                Frame::Result { payload, .. } => {
                    for action in ["GetVariables", "GetCompositeSchedule", "GetConfiguration", "x"] {
                        let _ = dialect.read_outcome(action, payload, NOW, &Habits::default());
                    }
                }
                Frame::Error { .. } | Frame::ResultError { .. } => {}
            },
            Err(broken) => {
                if let Some(refusal) = broken.refusal(dialect) {
                    assert!(frame::read(&refusal).is_ok(), "{refusal}");
                }
                if let Some(mended) = frame::repair(text) {
                    assert!(mended.len() <= text.len() * 4 + 16);
                    let _ = frame::read(&mended);
                }
            }
        }
    }
}

fn decode(dialect: Dialect, action: &str, payload: Option<&RawValue>) {
    let _ = schema::violations(dialect, action, payload);
    match dialect.read_call(action, payload, NOW, &Habits::default()) {
        Ok(inbound) => {
            assert!(inbound.deviations.len() <= 100);
            if let Some(answer) = inbound.report.default_answer(NOW) {
                let _ = dialect.write_answer(action, &answer);
            }
        }
        Err(_) => assert!(!dialect.is_transaction(action), "{dialect} {action}"),
    }
}

// JSON of the fields and words that chargers use, in shapes that they do not.
fn json() -> impl Strategy<Value = String> {
    let names = [
        "transactionId",
        "meterValue",
        "sampledValue",
        "value",
        "timestamp",
        "idTag",
        "idToken",
        "type",
        "connectorId",
        "evse",
        "id",
        "seqNo",
        "transactionInfo",
        "eventType",
        "unitOfMeasure",
        "multiplier",
        "meterStart",
        "meterStop",
        "costDetails",
        "totalCost",
        "chargingPeriods",
        "reportData",
        "component",
        "variable",
        "eventData",
        "status",
        "vendorId",
        "messageId",
        "data",
        "unit",
        "measurand",
        "phase",
        "signedMeterValue",
        "customData",
    ];
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|value| value.to_string()),
        any::<i64>().prop_map(|value| value.to_string()),
        "-?[0-9]{1,40}(\\.[0-9]{1,40})?([eE][+-]?[0-9]{1,4})?",
        "\\PC{0,40}".prop_map(|text| serde_json::to_string(&text).unwrap()),
        prop::sample::select(vec![
            "\"2026-01-01T11:00:00Z\"",
            "\"kWh\"",
            "\"L1\"",
            "\"Energy.Active.Import.Register\"",
            "\"SignedData\"",
            "\"\\ud800\"",
            "\"org.openchargealliance.costmsg\"",
            "\"ConnectorUnplugged\"",
            "9223372036854775807",
            "-9223372036854775808",
            "1e308",
        ])
        .prop_map(str::to_owned),
    ];
    leaf.prop_recursive(6, 60, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(|list| format!("[{}]", list.join(","))),
            prop::collection::vec((prop::sample::select(names.to_vec()), inner), 0..8).prop_map(|fields| {
                let fields: Vec<String> =
                    fields.into_iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
                format!("{{{}}}", fields.join(","))
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_swallowed(text in "\\PC{0,300}") {
        swallow(&text);
    }

    #[test]
    fn any_bytes_are_swallowed(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        swallow(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn anything_like_a_message_is_swallowed(kind in 0..8_u8, id in "\\PC{0,50}", action in "[A-Za-z]{0,20}", json in json()) {
        let quoted = serde_json::to_string(&id).unwrap();
        swallow(&format!("[{kind},{quoted},\"{action}\",{json}]"));
        swallow(&format!("[{kind},{quoted},{json}]"));
    }

    #[test]
    fn every_action_swallows_any_payload(json in json()) {
        // Numbers beyond a float's range are no JSON for everyone.
        let Ok(payload) = serde_json::from_str::<Box<RawValue>>(&json) else { return Ok(()) };
        for dialect in Dialect::ALL {
            for action in dialect.actions() {
                decode(dialect, action, Some(&payload));
            }
        }
    }

    #[test]
    fn any_time_is_taken(text in "[0-9TZ:+. -]{0,40}", received in any::<i64>()) {
        let time = StationTime::take(&text, Instant(received), &TimeRules::default());
        let _ = time::write(time.at);
    }
}

#[test]
fn what_is_large_is_read_in_bounded_time() {
    let started = std::time::Instant::now();
    let values = "{\"value\":\"1\"},".repeat(60_000);
    swallow(&format!(
        "[2,\"1\",\"MeterValues\",{{\"connectorId\":1,\"evseId\":1,\"meterValue\":[{{\"timestamp\":\"x\",\"sampledValue\":[{values}{{}}]}}]}}]"
    ));
    swallow(&format!(
        "[2,\"1\",\"MeterValues\",{{\"meterValue\":{}1{}}}]",
        "[".repeat(400_000),
        "]".repeat(400_000)
    ));
    let fields: String = (0..60_000).map(|field| format!("\"f{field}\":1,")).collect();
    swallow(&format!("[2,\"1\",\"BootNotification\",{{{fields}\"x\":1}}]"));
    swallow(&format!("[2,\"1\",\"Heartbeat\",{{\"a\":\"{}\"}}]", "x".repeat(1_000_000)));
    assert!(started.elapsed().as_secs() < 30, "{:?}", started.elapsed());
}
