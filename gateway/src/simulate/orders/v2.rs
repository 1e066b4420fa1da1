//! Orders of 2.0.1 and 2.1.

use super::{ACCEPTED, Answered, REJECTED, malformed, soon, unknown, yes_no};
use crate::ocpp::Dialect;
use crate::simulate::charger::{Charger, Later};
use crate::simulate::words::{Message, Reason, id_text};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::borrow::Cow;
use takst_engine::units::Instant;

/// The fields that count, of all orders.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Order<'a> {
    evse: Option<Evse>,
    evse_id: Option<u32>,
    transaction_id: Option<String>,
    id_token: Option<Token>,
    remote_start_id: Option<i64>,
    r#type: String,
    operational_status: String,
    requested_message: String,
    request_id: Option<i64>,
    id: Option<Value>,
    reservation_id: i64,
    expiry_date_time: String,
    version_number: i64,
    #[serde(borrow)]
    total_cost: Option<&'a RawValue>,
    #[serde(borrow)]
    message: Option<Shown<'a>>,
    get_variable_data: Vec<Variable>,
    set_variable_data: Vec<Variable>,
}

#[derive(Deserialize)]
struct Evse {
    id: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Token {
    id_token: String,
}

#[derive(Deserialize)]
struct Shown<'a> {
    #[serde(borrow)]
    message: Content<'a>,
}

#[derive(Deserialize)]
struct Content<'a> {
    #[serde(borrow)]
    content: Cow<'a, str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Variable {
    component: Value,
    variable: Value,
    #[serde(default)]
    attribute_value: String,
}

impl Variable {
    // Of the component and of the variable.
    fn name(&self) -> (&str, &str) {
        fn of(value: &Value) -> &str {
            value.get("name").and_then(Value::as_str).unwrap_or_default()
        }
        (of(&self.component), of(&self.variable))
    }
}

pub(super) fn answer(charger: &mut Charger, now: Instant, action: &str, payload: &str) -> Answered {
    let order: Order<'_> = serde_json::from_str(payload).map_err(malformed)?;
    let place = order.evse.as_ref().map(|evse| evse.id).or(order.evse_id).filter(|evse| *evse > 0);
    let token = order.id_token.as_ref().map(|token| token.id_token.as_str()).unwrap_or_default();
    let status = |word: &str| Ok(json!({ "status": word }));
    match action {
        "RequestStartTransaction" => {
            status(yes_no(charger.remote_start(now, place, token, order.remote_start_id)))
        }
        "RequestStopTransaction" => {
            let key = session(charger, order.transaction_id.as_deref());
            status(yes_no(charger.remote_stop(now, key)))
        }
        "GetTransactionStatus" => {
            let queued = charger.unacknowledged() > 0;
            Ok(match &order.transaction_id {
                None => json!({ "messagesInQueue": queued }),
                Some(id) => {
                    let ongoing = session(charger, Some(id)).is_some();
                    json!({ "ongoingIndicator": ongoing, "messagesInQueue": queued })
                }
            })
        }
        "Reset" => {
            let soft = order.r#type == "OnIdle";
            status(yes_no(charger.reset(now, if soft { Reason::SoftReset } else { Reason::HardReset })))
        }
        "UnlockConnector" => {
            let known = charger.unlock(now, place.unwrap_or_default()).is_some();
            status(if known { "Unlocked" } else { "UnknownConnector" })
        }
        "ChangeAvailability" => status(charger.operate(now, place, order.operational_status == "Operative")),
        "TriggerMessage" => {
            let known = charger.trigger(now, &order.requested_message, place);
            status(if known { ACCEPTED } else { "NotImplemented" })
        }
        "GetVariables" => {
            let results: Vec<Value> =
                order.get_variable_data.iter().map(|asked| get(charger, asked)).collect();
            Ok(json!({ "getVariableResult": results }))
        }
        "SetVariables" => {
            let results: Vec<Value> =
                order.set_variable_data.iter().map(|asked| set(charger, asked)).collect();
            Ok(json!({ "setVariableResult": results }))
        }
        "GetBaseReport" => {
            let request = order.request_id.unwrap_or_default();
            let at = charger.body.station_time(now);
            charger.plan_later(soon(now, 100), Later::Say(Message::Report { request, at }));
            status(ACCEPTED)
        }
        "ReserveNow" => {
            let id = order.id.as_ref().and_then(Value::as_i64).unwrap_or_default();
            status(charger.reserve(now, place, id, token, &order.expiry_date_time))
        }
        "CancelReservation" => status(yes_no(charger.release(now, order.reservation_id))),
        "ClearCache" => status(ACCEPTED),
        "SendLocalList" => {
            charger.list_version = order.version_number;
            status(ACCEPTED)
        }
        "GetLocalListVersion" => Ok(json!({ "versionNumber": charger.list_version })),
        "UpdateFirmware" => {
            charger.update_firmware(now, order.request_id, true);
            status(ACCEPTED)
        }
        "GetLog" => {
            let file = charger.upload_log(now, order.request_id);
            Ok(json!({ "status": ACCEPTED, "filename": file }))
        }
        "CostUpdated" => {
            let cost = order.total_cost.ok_or_else(|| malformed(()))?;
            charger.show(format!("cost {}", cost.get()));
            Ok(json!({}))
        }
        "SetDisplayMessage" => {
            let shown = order.message.ok_or_else(|| malformed(()))?;
            charger.show(shown.message.content.into_owned());
            status(ACCEPTED)
        }
        "ClearDisplayMessage" => status(ACCEPTED),
        "DataTransfer" => status("UnknownVendorId"),
        _ => refused(charger.dialect(), action, &order),
    }
}

// What it has no part for.
fn refused(dialect: Dialect, action: &str, order: &Order<'_>) -> Answered {
    let status = |word: &str| Ok(json!({ "status": word }));
    match action {
        "GetDisplayMessages" => status("Unknown"),
        "GetReport" | "GetMonitoringReport" => status("EmptyResultSet"),
        "GetChargingProfiles" => status("NoProfiles"),
        "ClearChargingProfile" => status("Unknown"),
        "GetInstalledCertificateIds" | "DeleteCertificate" => status("NotFound"),
        "SetChargingProfile"
        | "GetCompositeSchedule"
        | "CertificateSigned"
        | "InstallCertificate"
        | "SetNetworkProfile"
        | "SetMonitoringBase"
        | "SetMonitoringLevel"
        | "CustomerInformation"
        | "PublishFirmware" => status(REJECTED),
        "UnpublishFirmware" => status("NoFirmware"),
        "SetDefaultTariff" | "ChangeTransactionTariff" if dialect == Dialect::V21 => status(ACCEPTED),
        "GetTariffs" if dialect == Dialect::V21 => status("NoTariff"),
        "ClearTariffs" if dialect == Dialect::V21 => {
            Ok(json!({ "clearTariffsResult": [{ "status": "NoTariff" }] }))
        }
        "ClearVariableMonitoring" => {
            let ids = order.id.as_ref().and_then(Value::as_array).into_iter().flatten();
            let results: Vec<Value> = ids.map(|id| json!({ "status": "NotFound", "id": id })).collect();
            Ok(json!({ "clearMonitoringResult": results }))
        }
        _ => Err(unknown()),
    }
}

fn session(charger: &Charger, id: Option<&str>) -> Option<u32> {
    let id = id?;
    let sessions = charger.bays.iter().filter_map(super::super::bay::Bay::session);
    sessions.filter(|(own, _)| id_text(*own).eq_ignore_ascii_case(id)).map(|(_, key)| key).next()
}

fn value(charger: &Charger, component: &str, variable: &str) -> Option<String> {
    let seconds = |ms: i64| (ms / 1_000).to_string();
    Some(match (component, variable) {
        ("OCPPCommCtrlr", "HeartbeatInterval") => seconds(charger.heartbeat_every),
        ("SampledDataCtrlr", "TxUpdatedInterval") => seconds(charger.body.meter_every),
        ("ChargingStation", "Model") => charger.body.plan.model.clone(),
        ("ChargingStation", "VendorName") => charger.body.plan.vendor.clone(),
        ("ChargingStation", "FirmwareVersion") => format!("{}.0", charger.firmware),
        _ => return None,
    })
}

fn get(charger: &Charger, asked: &Variable) -> Value {
    let (component, variable) = asked.name();
    let mut result = json!({
        "attributeStatus": "UnknownVariable",
        "component": asked.component,
        "variable": asked.variable,
    });
    if let (Some(value), Some(object)) = (value(charger, component, variable), result.as_object_mut()) {
        object.insert("attributeStatus".to_owned(), ACCEPTED.into());
        object.insert("attributeValue".to_owned(), value.into());
    }
    result
}

fn set(charger: &mut Charger, asked: &Variable) -> Value {
    let seconds = asked.attribute_value.parse::<u32>().ok().filter(|seconds| *seconds > 0);
    let ms = seconds.map(|seconds| i64::from(seconds) * 1_000);
    let status = match (asked.name(), ms) {
        (("OCPPCommCtrlr", "HeartbeatInterval"), Some(ms)) => {
            charger.heartbeat_every = ms;
            ACCEPTED
        }
        (("SampledDataCtrlr", "TxUpdatedInterval"), Some(ms)) => {
            charger.body.meter_every = ms;
            ACCEPTED
        }
        ((component, variable), _) if value(charger, component, variable).is_some() => REJECTED,
        _ => "UnknownVariable",
    };
    json!({ "attributeStatus": status, "component": asked.component, "variable": asked.variable })
}
