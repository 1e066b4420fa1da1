//! Orders of 1.6.

use super::{ACCEPTED, Answered, REJECTED, malformed, unknown, yes_no};
use crate::simulate::charger::Charger;
use crate::simulate::words::Reason;
use serde::Deserialize;
use serde_json::{Value, json};
use takst_engine::units::Instant;

/// The fields that count, of all orders.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Order {
    connector_id: Option<u32>,
    transaction_id: Option<i64>,
    id_tag: String,
    r#type: String,
    key: Option<Value>,
    value: String,
    requested_message: String,
    request_id: Option<i64>,
    reservation_id: i64,
    expiry_date: String,
    list_version: i64,
    vendor_id: String,
    message_id: String,
    data: String,
}

pub(super) fn answer(charger: &mut Charger, now: Instant, action: &str, payload: &str) -> Answered {
    let order: Order = serde_json::from_str(payload).map_err(malformed)?;
    let connector = order.connector_id.filter(|connector| *connector > 0);
    let status = |word: &str| Ok(json!({ "status": word }));
    match action {
        "RemoteStartTransaction" => status(yes_no(charger.remote_start(now, connector, &order.id_tag, None))),
        "RemoteStopTransaction" => {
            let key = order.transaction_id.and_then(|number| charger.body.outbox.key(number));
            status(yes_no(charger.remote_stop(now, key)))
        }
        "Reset" => {
            let reason = if order.r#type == "Hard" { Reason::HardReset } else { Reason::SoftReset };
            status(yes_no(charger.reset(now, reason)))
        }
        "UnlockConnector" => {
            let known = charger.unlock(now, connector.unwrap_or_default()).is_some();
            status(if known { "Unlocked" } else { "NotSupported" })
        }
        "ChangeAvailability" => status(charger.operate(now, connector, order.r#type == "Operative")),
        "TriggerMessage" | "ExtendedTriggerMessage" => {
            let known = charger.trigger(now, &order.requested_message, connector);
            status(if known { ACCEPTED } else { "NotImplemented" })
        }
        "GetConfiguration" => Ok(configuration(charger, order.key.as_ref())),
        "ChangeConfiguration" => status(configure(charger, &order)),
        "ReserveNow" => {
            status(charger.reserve(now, connector, order.reservation_id, &order.id_tag, &order.expiry_date))
        }
        "CancelReservation" => status(yes_no(charger.release(now, order.reservation_id))),
        "ClearCache" => status(ACCEPTED),
        "SendLocalList" => {
            charger.list_version = order.list_version;
            status(ACCEPTED)
        }
        "GetLocalListVersion" => Ok(json!({ "listVersion": charger.list_version })),
        "UpdateFirmware" => {
            charger.update_firmware(now, None, false);
            Ok(json!({}))
        }
        "SignedUpdateFirmware" => {
            charger.update_firmware(now, order.request_id, true);
            status(ACCEPTED)
        }
        "GetDiagnostics" => Ok(json!({ "fileName": charger.upload_log(now, None) })),
        "GetLog" => {
            let file = charger.upload_log(now, Some(order.request_id.unwrap_or_default()));
            Ok(json!({ "status": ACCEPTED, "filename": file }))
        }
        "DataTransfer" if order.vendor_id == "org.openchargealliance.costmsg" => {
            status(if charger.cost_message(&order.message_id, &order.data) { ACCEPTED } else { REJECTED })
        }
        "DataTransfer" => status("UnknownVendorId"),
        "SetChargingProfile" => status("NotSupported"),
        "ClearChargingProfile" => status("Unknown"),
        "GetInstalledCertificateIds" | "DeleteCertificate" => status("NotFound"),
        "GetCompositeSchedule" | "CertificateSigned" | "InstallCertificate" => status(REJECTED),
        _ => Err(unknown()),
    }
}

// Its configuration keys: name, whether they can only be read, value.
fn keys(charger: &Charger) -> [(&'static str, bool, String); 7] {
    let seconds = |ms: i64| (ms / 1_000).to_string();
    [
        ("HeartbeatInterval", false, seconds(charger.heartbeat_every)),
        ("MeterValueSampleInterval", false, seconds(charger.body.meter_every)),
        ("NumberOfConnectors", true, charger.bays.len().to_string()),
        ("AuthorizeRemoteTxRequests", true, "false".to_owned()),
        ("StopTransactionOnInvalidId", true, "true".to_owned()),
        ("CustomDisplayCostAndPrice", true, "true".to_owned()),
        (
            "SupportedFeatureProfiles",
            true,
            "Core,FirmwareManagement,LocalAuthListManagement,Reservation,RemoteTrigger".to_owned(),
        ),
    ]
}

fn configuration(charger: &Charger, asked: Option<&Value>) -> Value {
    let asked: Vec<&str> =
        asked.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let all = keys(charger);
    let known = |(name, readonly, value): &(&str, bool, String)| json!({ "key": name, "readonly": readonly, "value": value });
    let wanted = |name: &str| asked.is_empty() || asked.iter().any(|asked| asked.eq_ignore_ascii_case(name));
    let found: Vec<Value> = all.iter().filter(|(name, ..)| wanted(name)).map(known).collect();
    let strange: Vec<&&str> =
        asked.iter().filter(|asked| !all.iter().any(|(name, ..)| name.eq_ignore_ascii_case(asked))).collect();
    if strange.is_empty() {
        json!({ "configurationKey": found })
    } else {
        json!({ "configurationKey": found, "unknownKey": strange })
    }
}

fn configure(charger: &mut Charger, order: &Order) -> &'static str {
    let key = order.key.as_ref().and_then(Value::as_str).unwrap_or_default();
    let seconds = order
        .value
        .parse::<u32>()
        .ok()
        .filter(|seconds| *seconds > 0)
        .map(|seconds| i64::from(seconds) * 1_000);
    let heartbeat = key.eq_ignore_ascii_case("HeartbeatInterval");
    match seconds {
        Some(ms) if heartbeat => charger.heartbeat_every = ms,
        Some(ms) if key.eq_ignore_ascii_case("MeterValueSampleInterval") => charger.body.meter_every = ms,
        _ if keys(charger).iter().any(|(name, ..)| name.eq_ignore_ascii_case(key)) => return REJECTED,
        _ => return "NotSupported",
    }
    ACCEPTED
}
