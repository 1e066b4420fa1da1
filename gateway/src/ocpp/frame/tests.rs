use super::*;

fn call_of(text: &str) -> (String, String, Option<&str>, usize) {
    match read(text) {
        Ok(Received { frame: Frame::Call { id, action, payload }, deviations }) => {
            (id.json(), action.into_owned(), payload.map(RawValue::get), deviations.len())
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn calls_in_many_shapes() {
    let plain = call_of(r#"[2,"19","Heartbeat",{}]"#);
    assert_eq!(plain, ("\"19\"".into(), "Heartbeat".into(), Some("{}"), 0));
    assert_eq!(call_of(" [ 2 , \"1\" , \"Heart\\u0062eat\" , {} ] ").1, "Heartbeat");
    assert_eq!(call_of(r#"[2,19,"Heartbeat",{}]"#).0, "19");
    assert_eq!(call_of(r#"["2","19","Heartbeat"]"#).2, None);
    assert_eq!(call_of(r#"[2,"19","Heartbeat",{},1,2,3]"#).3, 1);
    assert_eq!(call_of("\u{feff}[2,\"1\",\"Heartbeat\",{}]").3, 0);
}

#[test]
fn answers_and_refusals() {
    let Ok(Received { frame: Frame::Result { id, payload }, .. }) = read(r#"[3,"a",{"x":1}]"#) else {
        panic!()
    };
    assert_eq!((id.text.as_str(), payload.map(RawValue::get)), ("a", Some(r#"{"x":1}"#)));
    for text in [r#"[4,"a","NotImplemented","",{}]"#, r#"[4,"a","NotImplemented"]"#] {
        let Ok(Received { frame: Frame::Error { error, .. }, .. }) = read(text) else { panic!() };
        assert_eq!((error.code.as_str(), error.details.as_str()), ("NotImplemented", "{}"));
    }
    assert!(matches!(
        read(r#"[5,"a","FormatViolation","x",{}]"#),
        Ok(Received { frame: Frame::ResultError { .. }, .. })
    ));
    assert!(matches!(
        read(r#"[6,"a","NotifyPeriodicEventStream",{}]"#),
        Ok(Received { frame: Frame::Send { .. }, .. })
    ));
}

#[test]
fn what_we_write_we_read() {
    let id = MessageId::new("a\"b");
    assert_eq!(call(&id, "Reset", r#"{"type":"Soft"}"#), r#"[2,"a\"b","Reset",{"type":"Soft"}]"#);
    assert_eq!(result(&MessageId { text: "7".into(), number: true }, "{}"), "[3,7,{}]");
    let refused = error(&id, ErrorCode::Occurrence, &"x".repeat(300), Dialect::V16);
    assert!(refused.starts_with(r#"[4,"a\"b","OccurenceConstraintViolation","xxx"#));
    assert!(refused.len() < 320);
    assert!(read(&refused).is_ok());
    assert_eq!(result_error(&id, ErrorCode::Format, "", Dialect::V201), None);
    assert!(result_error(&id, ErrorCode::Format, "", Dialect::V21).is_some_and(|text| read(&text).is_ok()));
}

#[test]
fn case_18_a_broken_meter_frame_is_described_and_can_be_repaired() {
    let text = r#"[2,"88","MeterValues",{"connectorId":1,"transactionId":,"meterValue":[{"sampledValue":[{"value":"1",}]}]}]"#;
    let broken = read(text).unwrap_err();
    assert_eq!(
        (broken.id.clone().unwrap().text, broken.action.as_deref()),
        ("88".into(), Some("MeterValues"))
    );
    // What has been measured is not refused.
    assert_eq!(broken.refusal(Dialect::V16), None);
    let mended = repair(text).unwrap();
    assert!(mended.contains(r#""transactionId":null,"#) && mended.contains(r#"{"value":"1"}"#));
    assert!(read(&mended).is_ok());
    assert_eq!(repair(r#"[2,"1","X",{"a":"1,}:,]","b":[1,2]}]"#), None);
    assert_eq!(repair("[1,NaN,\"a\tb\", ]").as_deref(), Some("[1,null,\"a b\"]"));
}

#[test]
fn case_18_what_cannot_be_repaired_is_refused_with_the_code_of_the_dialect() {
    let broken = read(r#"[2,"88","BootNotification",{"chargePointVendor":"x"#).unwrap_err();
    assert!(
        broken.refusal(Dialect::V16).unwrap().starts_with(r#"[4,"88","FormationViolation","this is no JSON"#)
    );
    assert!(
        broken.refusal(Dialect::V201).unwrap().starts_with(r#"[4,"88","FormatViolation","this is no JSON"#)
    );
    let nobody = read("hello").unwrap_err();
    assert_eq!(nobody.refusal(Dialect::V16), None);
    assert!(nobody.refusal(Dialect::V21).unwrap().starts_with(r#"[4,"-1","RpcFrameworkError""#));
    let kind = read(r#"[9,"88",{}]"#).unwrap_err();
    assert!(kind.refusal(Dialect::V201).unwrap().starts_with(r#"[4,"88","MessageTypeNotSupported""#));
    // Nobody waits for an answer to an answer.
    assert_eq!(read(r#"[3,"88",{"a":}]"#).unwrap_err().refusal(Dialect::V21), None);
}

#[test]
fn what_is_too_long_or_too_deep_is_refused_without_harm() {
    assert_eq!(read(&" ".repeat(MAX_BYTES + 1)).unwrap_err().why, Why::TooLong(MAX_BYTES + 1));
    let deep = format!("[2,\"1\",\"X\",{}", "[".repeat(500_000));
    assert!(read(&deep).is_err());
    let closed = format!("[2,\"1\",\"X\",{}{}]", "[".repeat(400_000), "]".repeat(400_000));
    assert!(matches!(read(&closed), Ok(_) | Err(Broken { .. })));
    for text in ["", "[]", "null", "{}", "[2]", "[2,null]", "[2,\"1\"]", "[2,\"1\",7]", "[\"x\",\"1\"]"] {
        assert!(read(text).is_err(), "{text}");
    }
}
