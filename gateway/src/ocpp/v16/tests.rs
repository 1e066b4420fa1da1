use crate::chargers::model::*;
use crate::chargers::time::TimeFlaw;
use crate::ocpp::frame::ErrorCode;
use crate::ocpp::{Dialect, Habits, Inbound, Refusal};
use serde_json::value::RawValue;
use takst_engine::units::{Energy, Instant};

const NOON: Instant = Instant(1_767_268_800_000); // 2026-01-01T12:00:00Z

fn read(action: &str, payload: &str) -> Result<Inbound, Refusal> {
    let payload: Box<RawValue> = serde_json::from_str(payload).unwrap();
    Dialect::V16.read_call(action, Some(&payload), NOON, &Habits::default())
}

fn transaction(action: &str, payload: &str) -> (TransactionReport, Vec<String>) {
    match read(action, payload) {
        Ok(Inbound { report: Report::Transaction(report), deviations }) => {
            (*report, deviations.iter().map(ToString::to_string).collect())
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_session_in_three_messages() {
    let (start, odd) = transaction(
        "StartTransaction",
        r#"{"connectorId":2,"idTag":"04A2","meterStart":1234,"timestamp":"2026-01-01T11:00:00Z","reservationId":7}"#,
    );
    assert_eq!((start.phase, &start.reference, odd), (TransactionPhase::Started, &None, vec![]));
    assert_eq!(
        (start.place, start.meter_start, start.reservation),
        (Place::evse(2), Some(Energy(1_234_000)), Some(7))
    );
    let (meter, odd) = transaction(
        "MeterValues",
        r#"{"connectorId":2,"transactionId":5,"meterValue":[{"timestamp":"2026-01-01T11:30:00Z","sampledValue":[{"value":"6.5","unit":"kWh"},{"value":"11000","measurand":"Power.Active.Import","unit":"W"}]}]}"#,
    );
    assert_eq!(
        (meter.phase, meter.reference, odd),
        (TransactionPhase::Updated, Some(Reference::Ours(5)), vec![])
    );
    assert_eq!(meter.at.at.0, NOON.0 - 1_800_000);
    assert_eq!(meter.readings[0].import, Some(Energy(6_500_000)));
    let (stop, odd) = transaction(
        "StopTransaction",
        r#"{"transactionId":5,"idTag":"04a2","meterStop":9876,"timestamp":"2026-01-01T11:59:00Z","reason":"EVDisconnected","transactionData":[{"timestamp":"2026-01-01T11:59:00Z","sampledValue":[{"value":"OCMF|{}|{}","format":"SignedData","context":"Transaction.End"}]}]}"#,
    );
    assert_eq!(
        (stop.phase, stop.meter_stop, odd),
        (TransactionPhase::Ended, Some(Energy(9_876_000)), vec![])
    );
    assert_eq!(stop.stop_reason, Some(StopReason::EvDisconnected));
    assert_eq!(stop.readings[0].signed[0].encoding.as_deref(), Some("OCMF"));
    assert!(stop.token.unwrap().same(&start.token.unwrap()));
}

#[test]
fn case_05_a_stop_for_nobodys_transaction_is_read_as_one_without_reference() {
    for id in ["-1", "0", "\"-1\""] {
        let (stop, odd) = transaction(
            "StopTransaction",
            &format!(r#"{{"transactionId":{id},"meterStop":5,"timestamp":"2026-01-01T11:59:00Z"}}"#),
        );
        assert_eq!(
            (stop.reference, stop.reference_sent.is_some(), odd.is_empty()),
            (None, true, false),
            "{id}"
        );
    }
}

#[test]
fn case_15_and_16_meter_values_without_a_transaction_belong_to_the_connector() {
    for id in ["", r#""transactionId":0,"#, r#""transactionId":-1,"#, r#""transactionId":null,"#] {
        let text = format!(
            r#"{{"connectorId":1,{id}"meterValue":[{{"timestamp":"2026-01-01T11:59:00Z","sampledValue":[{{"value":"5"}}]}}]}}"#
        );
        let Report::Meter(meter) = read("MeterValues", &text).unwrap().report else { panic!("{id}") };
        assert_eq!((meter.place, meter.readings[0].import), (Place::evse(1), Some(Energy(5_000))));
    }
}

#[test]
fn case_13_and_14_by_phase_and_without_energy() {
    let text = r#"{"connectorId":1,"transactionId":5,"meterValue":[{"timestamp":"2026-01-01T11:58:00Z","sampledValue":[{"value":"1000","phase":"L1"},{"value":"1000","phase":"L2"},{"value":"1000","phase":"L3"}]},{"timestamp":"2026-01-01T11:59:00Z","sampledValue":[{"value":"44","measurand":"SoC","unit":"Percent"}]}]}"#;
    let (report, odd) = transaction("MeterValues", text);
    let energies: Vec<_> = report.readings.iter().map(|reading| (reading.import, reading.summed)).collect();
    assert_eq!((energies, odd), (vec![(Some(Energy(3_000_000)), true), (None, false)], vec![]));
}

#[test]
fn case_19_times_of_a_start() {
    for (time, at, flaw) in [
        ("2026-01-01T11:00:00", NOON.0 - 3_600_000, Some(TimeFlaw::NoZone)),
        ("2026-01-01T13:00:00+02:00", NOON.0 - 3_600_000, None),
        ("1970-01-01T00:01:00Z", NOON.0, Some(TimeFlaw::TooOld)),
        ("2039-01-01T00:01:00Z", NOON.0, Some(TimeFlaw::Future)),
    ] {
        let (start, odd) = transaction(
            "StartTransaction",
            &format!(r#"{{"connectorId":1,"idTag":"a","meterStart":0,"timestamp":"{time}"}}"#),
        );
        assert_eq!((start.at.at.0, start.at.flaw, odd.is_empty()), (at, flaw, flaw.is_none()), "{time}");
    }
}

#[test]
fn case_21_unknown_words_are_kept() {
    let (report, odd) = transaction(
        "MeterValues",
        r#"{"connectorId":1,"transactionId":5,"meterValue":[{"timestamp":"2026-01-01T11:58:00Z","sampledValue":[{"value":"50","measurand":"Request.Energy","unit":"Hz","context":"Sample.Weird"}]}]}"#,
    );
    assert_eq!(report.readings[0].context, Context::Other("Sample.Weird".into()));
    assert_eq!(report.readings[0].other[0].measurand.as_str(), "Request.Energy");
    assert_eq!(odd.len(), 2);
    let status = r#"{"connectorId":1,"errorCode":"Meltdown","status":"Occupied","vendorErrorCode":""}"#;
    let Report::Status(status) = read("StatusNotification", status).unwrap().report else { panic!() };
    assert_eq!((status.status, status.at.at, status.at.flaw), (Some(Availability::Occupied), NOON, None));
    assert_eq!(status.fault.unwrap().code, Some(FaultCode::Other("Meltdown".into())));
}

#[test]
fn case_22_a_boot_with_anything_in_it_is_read() {
    let long = "s".repeat(33);
    let text = format!(
        r#"{{"chargePointVendor":"","chargePointModel":17,"chargePointSerialNumber":"{long}","firmwareVersion":null,"color":"red"}}"#
    );
    let inbound = read("BootNotification", &text).unwrap();
    let Report::Boot(boot) = &inbound.report else { panic!() };
    assert_eq!(
        (&boot.vendor, boot.model.as_deref(), boot.serial.as_deref()),
        (&None, Some("17"), Some(&*long))
    );
    let told: Vec<String> = inbound.deviations.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "chargePointVendor: empty",
            "chargePointModel: a number where a text belongs",
            "chargePointSerialNumber: longer than 25 characters",
            "firmwareVersion: null where it should be left out",
            "color: not in the standard",
        ]
    );
    assert!(matches!(read("BootNotification", "{}").unwrap().report, Report::Boot(_)));
}

#[test]
fn case_23_a_token_longer_than_20_characters_is_kept_whole() {
    let id = "NO*TKS*C00000001*4*WITH*MORE";
    let (stop, odd) = transaction(
        "StopTransaction",
        &format!(r#"{{"transactionId":5,"idTag":"{id}","meterStop":5,"timestamp":"2026-01-01T11:59:00Z"}}"#),
    );
    let token = stop.token.unwrap();
    assert_eq!((token.id.as_str(), token.is(&id.to_lowercase()), odd.len()), (id, true, 1));
}

#[test]
fn transactions_are_never_refused_whatever_they_look_like() {
    for action in ["StartTransaction", "StopTransaction", "MeterValues"] {
        for payload in [
            "{}",
            "null",
            "[]",
            "7",
            "\"x\"",
            r#"{"transactionId":{}}"#,
            r#"{"meterValue":"x","timestamp":[]}"#,
        ] {
            assert!(read(action, payload).unwrap().report.is_transaction(), "{action} {payload}");
        }
        assert!(Dialect::V16.read_call(action, None, NOON, &Habits::default()).is_ok());
    }
}

#[test]
fn refusals_have_the_code_of_the_standard() {
    for (action, payload, code, word) in [
        ("Frobnicate", "{}", ErrorCode::NotImplemented, "NotImplemented"),
        ("RemoteStartTransaction", "{}", ErrorCode::NotSupported, "NotSupported"),
        ("BootNotification", "[]", ErrorCode::Format, "FormationViolation"),
        ("SignCertificate", "{}", ErrorCode::Occurrence, "OccurenceConstraintViolation"),
    ] {
        let refusal = read(action, payload).unwrap_err();
        assert_eq!((refusal.code, refusal.code.as_str(Dialect::V16)), (code, word), "{action}");
    }
}

#[test]
fn what_is_not_known_of_a_known_vendor_is_the_message() {
    for (vendor, wanted) in [
        ("org.openchargealliance.costmsg", Status::UnknownMessageId),
        ("ORG.OpenChargeAlliance.CostMsg", Status::UnknownMessageId),
        ("com.example", Status::UnknownVendorId),
    ] {
        let text = format!(r#"{{"vendorId":"{vendor}","messageId":"Nobody","data":"x"}}"#);
        let answer = read("DataTransfer", &text).unwrap().report.default_answer(NOON);
        let Some(Answer::Data { status, .. }) = answer else { panic!("{answer:?}") };
        assert_eq!(status, wanted, "{vendor}");
    }
}

#[test]
fn the_cost_messages_are_understood_in_both_directions() {
    let data = r#"{"transactionId":5,"timestamp":"2026-01-01T11:59:00Z"}"#;
    for data in [serde_json::to_string(data).unwrap(), data.to_owned()] {
        let text = format!(
            r#"{{"vendorId":"org.openchargealliance.costmsg","messageId":"ConnectorUnplugged","data":{data}}}"#
        );
        let Report::Unplugged(unplugged) = read("DataTransfer", &text).unwrap().report else { panic!() };
        assert_eq!((unplugged.reference, unplugged.at.at.0), (Some(Reference::Ours(5)), NOON.0 - 60_000));
    }
    let call = Dialect::V16
        .write_command(&Command::RunningCost(Box::new(RunningCost {
            reference: Reference::Ours(5),
            total: "1.50".parse().unwrap(),
            details: Some(RunningDetails {
                at: NOON,
                meter: Energy(1_234_999),
                state: CostState::Idle,
                charging: ChargingPrice { kwh: "0.25".parse().ok(), ..ChargingPrice::default() },
                idle: Some(IdlePrice { grace_min: Some(5), hour: "2".parse().ok() }),
                next: None,
                report_at: Some(MeterTrigger { power: Some(1_500_000), ..MeterTrigger::default() }),
            }),
        })))
        .unwrap();
    let payload: serde_json::Value = serde_json::from_str(&call.payload).unwrap();
    assert_eq!((call.action, payload["messageId"].as_str()), ("DataTransfer", Some("RunningCost")));
    assert_eq!(
        payload["data"].as_str().unwrap(),
        r#"{"transactionId":5,"timestamp":"2026-01-01T12:00:00.000Z","meterValue":1234,"cost":1.5,"state":"Idle","chargingPrice":{"kWhPrice":0.25},"idlePrice":{"graceMinutes":5,"hourPrice":2},"triggerMeterValue":{"atPowerkW":1.5}}"#
    );
}

#[test]
fn answers_fold_what_1_6_has_no_words_for() {
    let info =
        TokenInfo { group: Some(Token::plain("x".repeat(30))), ..TokenInfo::of(TokenStatus::NoCredit) };
    let answer = TransactionAnswer { id: Some(7), token: Some(info), ..TransactionAnswer::default() };
    let payload =
        Dialect::V16.write_answer("StartTransaction", &Answer::Transaction(Box::new(answer))).unwrap();
    assert_eq!(payload, r#"{"idTagInfo":{"status":"Blocked"},"transactionId":7}"#);
    let unnumbered = Answer::Transaction(Box::default());
    assert!(Dialect::V16.write_answer("StartTransaction", &unnumbered).is_err());
}

#[test]
fn commands_that_1_6_has_no_words_for_are_errors_that_name_them() {
    for (command, wanted) in [
        (Command::GetVariables(Vec::new()), "OCPP 1.6: there are no variables; ask for configuration keys"),
        (
            Command::Reset { kind: ResetKind::WhenIdle, place: Place::CHARGER },
            "OCPP 1.6: there are no words for a reset once nobody charges",
        ),
        (
            Command::Start(Box::new(StartOrder {
                place: Place::evse(1),
                token: Token::plain("x".repeat(21)),
                group: None,
                request: 1,
                profile: None,
            })),
            "OCPP 1.6: `idTag` is longer than 20 characters",
        ),
        (
            Command::Unlock(Place::connector(1, 2)),
            "OCPP 1.6: there are no connectors of an EVSE; give the connector as the EVSE",
        ),
    ] {
        assert_eq!(Dialect::V16.write_command(&command).unwrap_err().to_string(), wanted);
    }
}

#[test]
fn outcomes_are_read_as_loosely_as_reports() {
    let read = |action: &str, payload: &str| {
        let payload: Box<RawValue> = serde_json::from_str(payload).unwrap();
        Dialect::V16.read_outcome(action, Some(&payload), NOON, &Habits::default())
    };
    let (outcome, odd) =
        read("GetConfiguration", r#"{"configurationKey":[{"key":"A","readonly":"true","value":5}]}"#);
    let Details::Configuration(keys, unknown) = outcome.details else { panic!() };
    assert_eq!(
        (keys[0].readonly, keys[0].value.as_deref(), unknown.len(), odd.len()),
        (true, Some("5"), 0, 2)
    );
    let (outcome, _) = read("Reset", r#"{"status":"accepted"}"#);
    assert!(outcome.status.is_good());
    let (outcome, odd) = read("Reset", "[]");
    assert!(!outcome.status.is_good() && !odd.is_empty());
}
