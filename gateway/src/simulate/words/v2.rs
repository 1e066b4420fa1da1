//! What a charger of 2.0.1 or 2.1 says.

use super::{Boot, Kind, Message, Meter, Reason, Shown, Speaker, TransactionEvent, id_text};
use crate::chargers::time::write;
use crate::ocpp::Dialect;
use serde_json::{Value, json};

pub(super) fn say(message: &Message, speaker: &Speaker<'_>) -> (&'static str, Value) {
    let dialect = speaker.dialect;
    let payload = match message {
        Message::Boot(boot) => json!({
            "chargingStation": {
                "serialNumber": speaker.id.chars().take(25).collect::<String>(),
                "model": speaker.model,
                "vendorName": speaker.vendor,
                "firmwareVersion": speaker.firmware,
            },
            "reason": match boot {
                Boot::PowerUp => "PowerUp",
                Boot::Ordered => "RemoteReset",
                Boot::Firmware => "FirmwareUpdate",
                Boot::Triggered => "Triggered",
            },
        }),
        Message::Heartbeat => json!({}),
        Message::Status(status) => json!({
            "timestamp": write(status.at),
            "connectorStatus": word(status.state),
            "evseId": status.connector,
            "connectorId": i32::from(status.connector > 0),
        }),
        Message::Authorize { token, .. } => json!({ "idToken": id_token(token) }),
        Message::Transaction(event) => transaction(event, dialect),
        Message::Meter(meter) => json!({ "evseId": meter.connector, "meterValue": values(meter, "Trigger") }),
        Message::Firmware { status, request, .. } | Message::Log { status, request } => match request {
            Some(request) => json!({ "status": status, "requestId": request }),
            None => json!({ "status": status }),
        },
        Message::Report { request, at } => json!({
            "requestId": request,
            "generatedAt": write(*at),
            "seqNo": 0,
            "tbc": false,
            "reportData": [
                variable("ChargingStation", "Model", speaker.model),
                variable("ChargingStation", "VendorName", speaker.vendor),
                variable("ChargingStation", "FirmwareVersion", speaker.firmware),
            ],
        }),
    };
    (message.action(dialect), payload)
}

fn variable(component: &str, variable: &str, value: &str) -> Value {
    json!({
        "component": { "name": component },
        "variable": { "name": variable },
        "variableAttribute": [{ "value": value, "mutability": "ReadOnly" }],
    })
}

fn id_token(token: &str) -> Value {
    json!({ "idToken": token, "type": "ISO14443" })
}

fn transaction(event: &TransactionEvent, dialect: Dialect) -> Value {
    let charging = match event.charging {
        Shown::Charging => "Charging",
        Shown::SuspendedEv => "SuspendedEV",
        Shown::Available => "Idle",
        _ => "EVConnected",
    };
    let mut info = json!({ "transactionId": id_text(event.id), "chargingState": charging });
    let mut extra = |name: &str, value: Value| {
        if let Some(info) = info.as_object_mut() {
            info.insert(name.to_owned(), value);
        }
    };
    let (kind, trigger, context) = match event.kind {
        Kind::Began { .. } => {
            let trigger = if event.remote.is_some() { "RemoteStart" } else { "Authorized" };
            if let Some(remote) = event.remote {
                extra("remoteStartId", remote.into());
            }
            ("Started", trigger, "Transaction.Begin")
        }
        Kind::Turned => ("Updated", "ChargingStateChanged", "Other"),
        Kind::Sample => ("Updated", "MeterValuePeriodic", "Sample.Periodic"),
        Kind::Ended(reason) => {
            extra("stoppedReason", reason.as_str(dialect).into());
            ("Ended", trigger(reason), "Transaction.End")
        }
    };
    let mut all = json!({
        "eventType": kind,
        "timestamp": write(event.meter.at),
        "triggerReason": trigger,
        "seqNo": event.seq,
        "offline": event.offline,
        "transactionInfo": info,
        "evse": { "id": event.connector, "connectorId": 1 },
        "meterValue": values(&event.meter, context),
    });
    if let Some(object) = all.as_object_mut() {
        if let Kind::Began { reservation: Some(id) } = event.kind {
            object.insert("reservationId".to_owned(), id.into());
        }
        let named = matches!(event.kind, Kind::Began { .. } | Kind::Ended(Reason::Driver));
        if let Some(token) = event.token.as_ref().filter(|_| named) {
            object.insert("idToken".to_owned(), id_token(token));
        }
    }
    all
}

const fn trigger(reason: Reason) -> &'static str {
    match reason {
        Reason::Unplugged => "EVCommunicationLost",
        Reason::Driver => "StopAuthorized",
        Reason::Remote => "RemoteStop",
        Reason::Deauthorised => "Deauthorized",
        Reason::SoftReset | Reason::HardReset => "ResetCommand",
        Reason::Unlocked => "UnlockCommand",
        Reason::PowerLoss | Reason::Fault => "AbnormalCondition",
    }
}

fn values(meter: &Meter, context: &str) -> Value {
    let sample = |measurand: &str, unit: &str, value: i64| {
        json!({
            "value": value,
            "context": context,
            "measurand": measurand,
            "unitOfMeasure": { "unit": unit },
        })
    };
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
        Shown::Preparing | Shown::Charging | Shown::SuspendedEv | Shown::Finishing => "Occupied",
        Shown::Reserved => "Reserved",
        Shown::Unavailable => "Unavailable",
        Shown::Faulted => "Faulted",
    }
}
