//! What a charger of 1.6 says.

use super::{Kind, Message, Meter, Shown, Speaker, TransactionEvent};
use crate::chargers::time::write;
use crate::ocpp::Dialect::V16;
use serde_json::{Value, json};

pub(super) fn say(message: &Message, speaker: &Speaker<'_>) -> (&'static str, Value) {
    let payload = match message {
        Message::Boot(_) => json!({
            "chargePointVendor": speaker.vendor,
            "chargePointModel": speaker.model,
            "chargePointSerialNumber": speaker.id.chars().take(25).collect::<String>(),
            "firmwareVersion": speaker.firmware,
        }),
        Message::Heartbeat | Message::Report { .. } => json!({}),
        Message::Status(status) => json!({
            "connectorId": status.connector,
            "errorCode": if status.state == Shown::Faulted { "GroundFailure" } else { "NoError" },
            "status": word(status.state),
            "timestamp": write(status.at),
        }),
        Message::Authorize { token, .. } => json!({ "idTag": token.as_ref() }),
        Message::Transaction(event) => transaction(event, speaker.number),
        Message::Meter(meter) => {
            json!({ "connectorId": meter.connector, "meterValue": values(meter, "Trigger") })
        }
        Message::Firmware { status, request: Some(request), signed: true } => {
            json!({ "status": status, "requestId": request })
        }
        Message::Firmware { status, .. } | Message::Log { status, request: None } => {
            json!({ "status": status })
        }
        Message::Log { status, request } => json!({ "status": status, "requestId": request }),
    };
    (message.action(V16), payload)
}

fn transaction(event: &TransactionEvent, number: Option<i64>) -> Value {
    // A charger that never learnt the number says so with -1.
    let number = number.unwrap_or(-1);
    let meter = &event.meter;
    match event.kind {
        Kind::Began { reservation } => {
            let mut start = json!({
                "connectorId": event.connector,
                "idTag": event.token.as_deref().unwrap_or_default(),
                "meterStart": meter.register,
                "timestamp": write(meter.at),
            });
            if let (Some(id), Some(object)) = (reservation, start.as_object_mut()) {
                object.insert("reservationId".to_owned(), id.into());
            }
            start
        }
        Kind::Turned | Kind::Sample => json!({
            "connectorId": event.connector,
            "transactionId": number,
            "meterValue": values(meter, "Sample.Periodic"),
        }),
        Kind::Ended(reason) => {
            let mut stop = json!({
                "transactionId": number,
                "meterStop": meter.register,
                "timestamp": write(meter.at),
                "reason": reason.as_str(V16),
            });
            if let (Some(token), Some(object)) = (&event.token, stop.as_object_mut()) {
                object.insert("idTag".to_owned(), token.as_ref().into());
            }
            stop
        }
    }
}

fn values(meter: &Meter, context: &str) -> Value {
    let sample = |measurand: &str, unit: &str, value: i64| json!({ "value": value.to_string(), "context": context, "measurand": measurand, "unit": unit });
    let mut samples = vec![
        sample("Energy.Active.Import.Register", "Wh", meter.register),
        sample("Power.Active.Import", "W", meter.power),
    ];
    samples.extend(meter.soc.map(|soc| sample("SoC", "Percent", soc)));
    json!([{ "timestamp": write(meter.at), "sampledValue": samples }])
}

const fn word(state: Shown) -> &'static str {
    match state {
        Shown::Available => "Available",
        Shown::Preparing => "Preparing",
        Shown::Charging => "Charging",
        Shown::SuspendedEv => "SuspendedEV",
        Shown::Finishing => "Finishing",
        Shown::Reserved => "Reserved",
        Shown::Unavailable => "Unavailable",
        Shown::Faulted => "Faulted",
    }
}
