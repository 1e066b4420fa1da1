//! What a charger of 1.6 is told to do.

use super::answers::{ID_TAG, info, text};
use super::{COST_VENDOR, cost, profiles};
use crate::chargers::model::{
    CertificateHash, CertificateUse, Command, FirmwareOrder, LogKind, LogOrder, OwnCertificate, Place,
    Reference, ReserveOrder, ResetKind, StartOrder, Token, TokenInfo, TriggeredMessage,
};
use crate::ocpp::Call;
use crate::ocpp::Dialect::V16;
use crate::ocpp::writer::{Object, Unsayable};

/// A command as a request.
pub(in crate::ocpp) fn write_command(command: &Command) -> Result<Call, Unsayable> {
    let object = Object::new(V16);
    let (action, object) = match command {
        Command::Reset { kind, place } => {
            let object = object.without(!place.is_whole(), "a reset of one EVSE");
            (
                "Reset",
                match kind {
                    ResetKind::Graceful => object.word("type", "Soft"),
                    ResetKind::Hard => object.word("type", "Hard"),
                    ResetKind::WhenIdle => {
                        object.refuse("there are no words for a reset once nobody charges")
                    }
                    ResetKind::Resume => {
                        object.refuse("there are no words for a reset that goes on with transactions")
                    }
                },
            )
        }
        Command::ChangeAvailability { place, operative } => (
            "ChangeAvailability",
            connector(object, "connectorId", *place)
                .word("type", if *operative { "Operative" } else { "Inoperative" }),
        ),
        Command::ClearCache => ("ClearCache", object),
        Command::Unlock(place) => ("UnlockConnector", some_connector(object, *place)),
        Command::Trigger { message, place, extended } => trigger(message, *place, *extended),
        Command::Start(order) => ("RemoteStartTransaction", start(order)),
        Command::Stop(reference) => ("RemoteStopTransaction", transaction(object, reference)),
        Command::GetConfiguration(keys) => {
            ("GetConfiguration", object.texts("key", keys.iter().map(String::as_str), 50, 0, usize::MAX))
        }
        Command::SetConfiguration { key, value } => {
            ("ChangeConfiguration", object.text("key", key, 50).text("value", value, 500))
        }
        Command::Data { vendor, message, data } => (
            "DataTransfer",
            object
                .text("vendorId", vendor, 255)
                .some_text("messageId", message.as_deref(), 50)
                .some_word("data", data.as_ref().map(text).as_deref()),
        ),
        Command::LocalListVersion => ("GetLocalListVersion", object),
        Command::SendLocalList { version, full, entries } => {
            ("SendLocalList", local_list(*version, *full, entries))
        }
        Command::Reserve(order) => ("ReserveNow", reserve(order)),
        Command::CancelReservation(id) => ("CancelReservation", object.int("reservationId", *id)),
        Command::SetChargingProfile { place, profile } => (
            "SetChargingProfile",
            connector(object, "connectorId", *place).object("csChargingProfiles", profiles::profile(profile)),
        ),
        Command::ClearChargingProfile(filter) => ("ClearChargingProfile", profiles::filter(filter)),
        Command::GetCompositeSchedule { place, duration_s, unit } => (
            "GetCompositeSchedule",
            connector(object, "connectorId", *place)
                .count("duration", *duration_s)
                .some_word("chargingRateUnit", unit.map(crate::chargers::model::RateUnit::as_str)),
        ),
        Command::UpdateFirmware(order) => firmware(order),
        Command::GetLog(order) => log(order),
        Command::CertificateSigned { chain, usage, request: _ } => (
            "CertificateSigned",
            object
                .without(
                    usage.as_ref().is_some_and(|usage| *usage != OwnCertificate::Station),
                    "certificates other than the charger's own",
                )
                .text("certificateChain", chain, 10_000),
        ),
        Command::InstallCertificate { usage, certificate } => {
            ("InstallCertificate", certificate_use(object, usage).text("certificate", certificate, 5_500))
        }
        Command::GetCertificates(usages) => (
            "GetInstalledCertificateIds",
            match usages.as_slice() {
                [usage] => certificate_use(object, usage),
                _ => object.refuse("installed certificates can be asked for by exactly one use"),
            },
        ),
        Command::DeleteCertificate(hash) => {
            ("DeleteCertificate", object.object("certificateHashData", certificate_hash(hash)))
        }
        Command::RunningCost(running) => {
            ("DataTransfer", cost_message("RunningCost", &cost::running(running)?))
        }
        Command::FinalCost(last) => ("DataTransfer", cost_message("FinalCost", &cost::last(last)?)),
        Command::UserPrice(price) => ("DataTransfer", cost_message("SetUserPrice", &cost::user(price)?)),
        other => return Err(Unsayable { dialect: V16, what: unsayable(other).to_owned() }),
    };
    Ok(Call { action, payload: object.finish()? })
}

// What belongs to 2.x alone, and what to use instead.
const fn unsayable(command: &Command) -> &'static str {
    match command {
        Command::GetVariables(_) => "there are no variables; ask for configuration keys",
        Command::SetVariables(_) => "there are no variables; set configuration keys",
        Command::GetBaseReport { .. } | Command::GetReport(_) => {
            "there is no device model; ask for configuration keys"
        }
        Command::TransactionStatus(_) => "a charger cannot be asked how a transaction is",
        Command::SetNetworkProfile(_) => "there are no network profiles; use the maker's configuration keys",
        Command::GetChargingProfiles(_) => {
            "charging profiles cannot be reported; ask for the composite schedule"
        }
        Command::UpdateDynamicSchedule { .. }
        | Command::UsePriorityCharging { .. }
        | Command::AllowEnergyTransfer { .. } => "there is no dynamic charging",
        Command::PublishFirmware { .. } | Command::UnpublishFirmware { .. } => "firmware cannot be published",
        Command::SetDefaultTariff { .. }
        | Command::GetTariffs { .. }
        | Command::ClearTariffs { .. }
        | Command::ChangeTransactionTariff { .. } => {
            "a charger holds no tariffs; use the cost messages or the key DefaultPrice"
        }
        Command::SetDisplayMessage(_) | Command::GetDisplayMessages(_) | Command::ClearDisplayMessage(_) => {
            "there are no display messages"
        }
        Command::SetMonitoringBase(_)
        | Command::SetMonitoringLevel(_)
        | Command::SetMonitors(_)
        | Command::ClearMonitors(_)
        | Command::GetMonitors(_)
        | Command::GetStreams
        | Command::AdjustStream { .. } => "variables cannot be watched",
        Command::CustomerInformation(_) => "customer information cannot be asked for",
        Command::WebPaymentStarted { .. } => "a charger cannot be told of a payment on a web page",
        Command::SwapBattery { .. } => "there is no battery swapping",
        _ => "there is no grid support",
    }
}

fn cost_message(message: &'static str, data: &str) -> Object {
    Object::new(V16).word("vendorId", COST_VENDOR).word("messageId", message).word("data", data)
}

// A connector, or 0 for the charger.
fn connector(object: Object, name: &'static str, place: Place) -> Object {
    match (place.evse, place.connector) {
        (evse, None | Some(1)) => object.count(name, evse.unwrap_or(0)),
        _ => object.refuse("there are no connectors of an EVSE; give the connector as the EVSE"),
    }
}

fn some_connector(object: Object, place: Place) -> Object {
    if place.is_whole() {
        object.refuse("a connector must be named")
    } else {
        connector(object, "connectorId", place)
    }
}

/// The number of a transaction.
pub(super) fn transaction(object: Object, reference: &Reference) -> Object {
    match reference {
        Reference::Ours(id) => object.int("transactionId", *id),
        Reference::Theirs(id) => match id.parse() {
            Ok(id) => object.int("transactionId", id),
            Err(_) => object.refuse("a transaction is named by a number"),
        },
    }
}

fn trigger(message: &TriggeredMessage, place: Place, extended: bool) -> (&'static str, Object) {
    let object = Object::new(V16);
    let (core, security) = match message {
        TriggeredMessage::Boot => (Some("BootNotification"), Some("BootNotification")),
        TriggeredMessage::Heartbeat => (Some("Heartbeat"), Some("Heartbeat")),
        TriggeredMessage::Meter => (Some("MeterValues"), Some("MeterValues")),
        TriggeredMessage::Status => (Some("StatusNotification"), Some("StatusNotification")),
        TriggeredMessage::Firmware => {
            (Some("FirmwareStatusNotification"), Some("FirmwareStatusNotification"))
        }
        TriggeredMessage::Diagnostics => (Some("DiagnosticsStatusNotification"), None),
        TriggeredMessage::Log => (None, Some("LogStatusNotification")),
        TriggeredMessage::Sign(OwnCertificate::Station) => (None, Some("SignChargePointCertificate")),
        _ => (None, None),
    };
    let (action, word) = match (core, security) {
        (Some(word), None) => ("TriggerMessage", word),
        (Some(word), Some(_)) if !extended => ("TriggerMessage", word),
        (_, Some(word)) => ("ExtendedTriggerMessage", word),
        (None, None) => ("TriggerMessage", ""),
    };
    let object = object.without(word.is_empty(), "asking for that message").word("requestedMessage", word);
    let object = match place.evse {
        Some(evse) if evse > 0 => connector(object, "connectorId", Place { evse: Some(evse), ..place }),
        _ => object,
    };
    (action, object)
}

fn start(order: &StartOrder) -> Object {
    let object = Object::new(V16);
    let object = if order.place.is_whole() { object } else { connector(object, "connectorId", order.place) };
    object
        .text("idTag", &order.token.id, ID_TAG)
        .some_object("chargingProfile", order.profile.as_deref().map(profiles::profile))
}

fn reserve(order: &ReserveOrder) -> Object {
    connector(Object::new(V16), "connectorId", order.place)
        .without(order.plug.is_some(), "the plug of a reservation")
        .time("expiryDate", order.until)
        .text("idTag", &order.token.id, ID_TAG)
        .some_text("parentIdTag", order.group.as_ref().map(|group| group.id.as_str()), ID_TAG)
        .int("reservationId", order.id)
}

fn local_list(version: i64, full: bool, entries: &[(Token, Option<TokenInfo>)]) -> Object {
    let tokens = entries.iter().map(|(token, about)| {
        Object::new(V16)
            .text("idTag", &token.id, ID_TAG)
            .some_object("idTagInfo", about.as_ref().map(info))
            .without(full && about.is_none(), "a token without status in a full list")
    });
    Object::new(V16)
        .int("listVersion", version)
        .objects("localAuthorizationList", tokens, 0, usize::MAX)
        .word("updateType", if full { "Full" } else { "Differential" })
}

fn firmware(order: &FirmwareOrder) -> (&'static str, Object) {
    let object = Object::new(V16);
    let (Some(certificate), Some(signature)) = (&order.certificate, &order.signature) else {
        let object = object
            .without(
                order.certificate.is_some() || order.signature.is_some(),
                "a signature without its certificate",
            )
            .without(order.install_at.is_some(), "a time of installation without a signature")
            .text("location", &order.location, usize::MAX)
            .some_count("retries", order.retries)
            .time("retrieveDate", order.fetch_at)
            .some_count("retryInterval", order.retry_interval_s);
        return ("UpdateFirmware", object);
    };
    let firmware = Object::new(V16)
        .text("location", &order.location, 512)
        .time("retrieveDateTime", order.fetch_at)
        .some_time("installDateTime", order.install_at)
        .text("signingCertificate", certificate, 5_500)
        .text("signature", signature, 800);
    let object = object
        .some_count("retries", order.retries)
        .some_count("retryInterval", order.retry_interval_s)
        .int("requestId", order.request)
        .object("firmware", firmware);
    ("SignedUpdateFirmware", object)
}

fn log(order: &LogOrder) -> (&'static str, Object) {
    let object = Object::new(V16);
    let kind = order.kind;
    let Some(request) = order.request else {
        let object = object
            .without(kind != LogKind::Diagnostics, "logs other than diagnostics without a request number")
            .text("location", &order.location, usize::MAX)
            .some_count("retries", order.retries)
            .some_count("retryInterval", order.retry_interval_s)
            .some_time("startTime", order.from)
            .some_time("stopTime", order.until);
        return ("GetDiagnostics", object);
    };
    let parameters = Object::new(V16)
        .text("remoteLocation", &order.location, 512)
        .some_time("oldestTimestamp", order.from)
        .some_time("latestTimestamp", order.until);
    let object = object
        .without(kind == LogKind::DataCollector, "the log of a data collector")
        .object("log", parameters)
        .word("logType", kind.as_str())
        .int("requestId", request)
        .some_count("retries", order.retries)
        .some_count("retryInterval", order.retry_interval_s);
    ("GetLog", object)
}

fn certificate_use(object: Object, usage: &CertificateUse) -> Object {
    match usage {
        CertificateUse::CsmsRoot => object.word("certificateType", "CentralSystemRootCertificate"),
        CertificateUse::ManufacturerRoot => object.word("certificateType", "ManufacturerRootCertificate"),
        other => object.refuse(format!("there are no words for `{}`", other.as_str())),
    }
}

fn certificate_hash(hash: &CertificateHash) -> Object {
    Object::new(V16)
        .word("hashAlgorithm", hash.algorithm.as_str())
        .text("issuerNameHash", &hash.issuer_name, 128)
        .text("issuerKeyHash", &hash.issuer_key, 128)
        .text("serialNumber", &hash.serial, 40)
}
