use crate::chargers::model::*;
use crate::chargers::time::TimeFlaw;
use crate::ocpp::frame::ErrorCode;
use crate::ocpp::{Dialect, Habits, Inbound, Refusal};
use serde_json::value::RawValue;
use takst_engine::units::{Energy, Instant};

const NOON: Instant = Instant(1_767_268_800_000); // 2026-01-01T12:00:00Z

fn read(dialect: Dialect, action: &str, payload: &str) -> Result<Inbound, Refusal> {
    let payload: Box<RawValue> = serde_json::from_str(payload).unwrap();
    dialect.read_call(action, Some(&payload), NOON, &Habits::default())
}

fn event(payload: &str) -> (TransactionReport, Vec<String>) {
    match read(Dialect::V21, "TransactionEvent", payload) {
        Ok(Inbound { report: Report::Transaction(report), deviations }) => {
            (*report, deviations.iter().map(ToString::to_string).collect())
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn case_45_a_late_event_without_connector_keeps_its_number_and_its_gap() {
    let (report, odd) = event(
        r#"{"eventType":"Updated","timestamp":"2026-01-01T09:00:00.1234567Z","triggerReason":"MeterValuePeriodic","seqNo":3,"offline":true,"transactionInfo":{"transactionId":"t1","chargingState":"Charging"},"evse":{"id":2},"meterValue":[{"timestamp":"2026-01-01T09:00:00Z","sampledValue":[{"value":12.345,"unitOfMeasure":{"unit":"Wh","multiplier":3}}]}]}"#,
    );
    assert_eq!(
        (report.seq, report.offline, report.place, odd),
        (Some(3), true, Place { evse: Some(2), connector: None }, vec![])
    );
    assert_eq!(report.reference, Some(Reference::Theirs("t1".into())));
    assert_eq!(report.readings[0].import, Some(Energy(12_345_000)));
    assert_eq!(report.at.at.0, NOON.0 - 3 * 3_600_000 + 123);
}

#[test]
fn case_46_messages_in_the_queue_are_told() {
    let payload: Box<RawValue> =
        serde_json::from_str(r#"{"ongoingIndicator":false,"messagesInQueue":true}"#).unwrap();
    let (outcome, odd) =
        Dialect::V201.read_outcome("GetTransactionStatus", Some(&payload), NOON, &Habits::default());
    assert_eq!(outcome.details, Details::Transaction { ongoing: Some(false), queued: Some(true) });
    assert!(odd.is_empty());
}

#[test]
fn case_47_what_only_the_first_event_says_stays_unsaid_later() {
    let (first, _) = event(
        r#"{"eventType":"Started","timestamp":"2026-01-01T11:00:00Z","triggerReason":"Authorized","seqNo":0,"transactionInfo":{"transactionId":"t1","remoteStartId":77},"evse":{"id":1,"connectorId":2},"idToken":{"idToken":"04A2","type":"ISO14443"}}"#,
    );
    assert_eq!((first.place, first.remote_start), (Place::connector(1, 2), Some(77)));
    assert_eq!(first.token.unwrap().kind, Some(TokenKind::Iso14443));
    let (later, odd) = event(
        r#"{"eventType":"Ended","timestamp":"2026-01-01T11:30:00Z","triggerReason":"EVDeparted","seqNo":1,"transactionInfo":{"transactionId":"t1","stoppedReason":"EVDisconnected"}}"#,
    );
    assert_eq!(
        (later.phase, later.place, later.token, odd),
        (TransactionPhase::Ended, Place::UNSAID, None, vec![])
    );
}

#[test]
fn an_event_is_never_refused_whatever_it_looks_like() {
    for payload in [
        "{}",
        "[]",
        "null",
        r#"{"eventType":"Paused","transactionInfo":{"transactionId":""},"idToken":"04A2","evse":[{"id":"1"}]}"#,
    ] {
        let inbound = read(Dialect::V201, "TransactionEvent", payload).unwrap();
        assert!(inbound.report.is_transaction(), "{payload}");
        let Report::Transaction(report) = inbound.report else { panic!() };
        assert_eq!(
            (report.phase, report.reference, report.at.flaw),
            (TransactionPhase::Updated, None, Some(TimeFlaw::Missing))
        );
    }
    let (report, odd) = event(r#"{"idToken":"04A2","evse":[{"id":"1"}]}"#);
    assert_eq!((report.token.unwrap().id.as_str(), report.place.evse), ("04A2", Some(1)));
    assert!(odd.len() > 5);
}

#[test]
fn a_chargers_own_cost_is_read_with_both_spellings_of_idle_time() {
    for word in ["IdleTIme", "IdleTime"] {
        let (report, odd) = event(&format!(
            r#"{{"eventType":"Updated","timestamp":"2026-01-01T11:00:00Z","triggerReason":"RunningCost","seqNo":1,"transactionInfo":{{"transactionId":"t1","tariffId":"oslo"}},"costDetails":{{"totalCost":{{"currency":"NOK","typeOfCost":"NormalCost","total":{{"inclTax":12.3400000000000000001}}}},"totalUsage":{{"energy":1.5,"chargingTime":60,"idleTime":0}},"chargingPeriods":[{{"startPeriod":"2026-01-01T10:00:00Z","dimensions":[{{"type":"{word}","volume":0.5}}]}}]}}}}"#
        ));
        let cost = report.cost.unwrap();
        assert_eq!(cost.total.including_tax, "12.3400000000000000001".parse().ok());
        assert_eq!((cost.periods[0].volumes[0].0.clone(), odd), (CostDimension::IdleTime, vec![]), "{word}");
    }
}

#[test]
fn signed_values_of_2_x_are_kept_apart() {
    let Report::Meter(meter) = read(
        Dialect::V201,
        "MeterValues",
        r#"{"evseId":1,"meterValue":[{"timestamp":"2026-01-01T11:00:00Z","sampledValue":[{"value":5,"context":"Transaction.End","signedMeterValue":{"signedMeterData":"T0NNRg==","signingMethod":"ECDSA","encodingMethod":"OCMF","publicKey":"k"}}]}]}"#,
    )
    .unwrap()
    .report
    else {
        panic!()
    };
    let reading = &meter.readings[0];
    assert_eq!((reading.import, reading.signed[0].data.as_str()), (Some(Energy(5_000)), "T0NNRg=="));
    assert_eq!(
        (reading.signed[0].public_key.as_deref(), &reading.signed[0].context),
        (Some("k"), &Context::End)
    );
}

#[test]
fn what_only_2_1_knows_is_refused_in_2_0_1() {
    let refusal = read(Dialect::V201, "BatterySwap", "{}").unwrap_err();
    assert_eq!(refusal.code, ErrorCode::NotImplemented);
    assert_eq!(read(Dialect::V21, "GetReport", "{}").unwrap_err().code, ErrorCode::NotSupported);
    assert!(matches!(read(Dialect::V21, "BatterySwap", "{}").unwrap().report, Report::Document(_)));
}

#[test]
fn the_device_model_is_read() {
    let Report::Device(report) = read(
        Dialect::V201,
        "NotifyReport",
        r#"{"requestId":1,"generatedAt":"2026-01-01T11:00:00Z","seqNo":2,"tbc":true,"reportData":[{"component":{"name":"EVSE","evse":{"id":1}},"variable":{"name":"Power"},"variableAttribute":[{"value":"22000","mutability":"ReadOnly"}],"variableCharacteristics":{"dataType":"decimal","supportsMonitoring":true,"maxLimit":22000.5}}]}"#,
    )
    .unwrap()
    .report
    else {
        panic!()
    };
    assert_eq!(report.part, Part { request: Some(1), seq: Some(2), more: true });
    let variable = &report.variables[0];
    assert_eq!(
        (variable.component.place.evse, variable.attributes[0].value.as_deref()),
        (Some(1), Some("22000"))
    );
    assert_eq!(variable.characteristics.as_ref().unwrap().max, "22000.5".parse().ok());
}

#[test]
fn a_token_of_nobody_is_one_only_where_none_is_needed() {
    let token = |text: &str| match read(Dialect::V201, "Authorize", &format!(r#"{{"idToken":{text}}}"#))
        .unwrap()
        .report
    {
        Report::Authorize(authorize) => authorize.token,
        other => panic!("{other:?}"),
    };
    assert!(token(r#"{"idToken":"","type":"NoAuthorization"}"#).is_some());
    assert!(token(r#"{"idToken":"","type":"ISO14443"}"#).is_none());
    assert!(token("7").is_none());
}

#[test]
fn fields_go_out_in_the_order_of_each_version() {
    let info = TokenInfo {
        group: Some(Token::plain("g")),
        languages: vec!["nb".into(), "en".into()],
        evses: vec![1],
        ..TokenInfo::of(TokenStatus::Accepted)
    };
    let write = |dialect: Dialect| {
        dialect.write_answer("Authorize", &Answer::Authorize(Box::new(info.clone().into()))).unwrap()
    };
    assert_eq!(
        write(Dialect::V201),
        r#"{"idTokenInfo":{"status":"Accepted","language1":"nb","evseId":[1],"groupIdToken":{"idToken":"g","type":"Central"},"language2":"en"}}"#
    );
    assert_eq!(
        write(Dialect::V21),
        r#"{"idTokenInfo":{"status":"Accepted","groupIdToken":{"idToken":"g","type":"Central"},"language1":"nb","language2":"en","evseId":[1]}}"#
    );
}
