//! What a charger of 2.x is told to do.

use super::write::{by, certificate_hash, component, message, some_place, token, token_info, transaction};
use super::{der, devices, profiles, tariffs};
use crate::chargers::model::{
    CertificateUse, Command, CustomerOrder, DisplayMessage, FirmwareOrder, LogKind, LogOrder,
    MessagePriority, MessageQuery, MessageState, OwnCertificate, Place, RateUnit, ReserveOrder, ResetKind,
    RunningCost, StartOrder, Token, TokenInfo, TriggeredMessage,
};
use crate::ocpp::Dialect::V21;
use crate::ocpp::writer::{Object, Unsayable};
use crate::ocpp::{Call, Dialect};

/// A command as a request.
pub(in crate::ocpp) fn write_command(dialect: Dialect, command: &Command) -> Result<Call, Unsayable> {
    let object = Object::new(dialect);
    let (action, object) = match command {
        Command::Reset { kind, place } => ("Reset", reset(dialect, *kind, *place)),
        Command::ChangeAvailability { place, operative } => (
            "ChangeAvailability",
            object
                .some_object("evse", some_place(dialect, *place))
                .word("operationalStatus", if *operative { "Operative" } else { "Inoperative" }),
        ),
        Command::ClearCache => ("ClearCache", object),
        Command::Unlock(Place { evse, connector }) => (
            "UnlockConnector",
            // An EVSE whose connectors are not told apart has one.
            object
                .without(evse.is_none_or(|evse| evse < 1), "unlocking without an EVSE")
                .count("evseId", evse.unwrap_or(0))
                .count("connectorId", connector.unwrap_or(1)),
        ),
        Command::Trigger { message, place, extended: _ } => {
            ("TriggerMessage", trigger(dialect, message, *place))
        }
        Command::Start(order) => ("RequestStartTransaction", start(dialect, order)),
        Command::Stop(reference) => {
            ("RequestStopTransaction", transaction(object, "transactionId", reference))
        }
        Command::TransactionStatus(reference) => (
            "GetTransactionStatus",
            match reference {
                Some(reference) => transaction(object, "transactionId", reference),
                None => object,
            },
        ),
        Command::GetConfiguration(_) | Command::SetConfiguration { .. } => {
            ("GetVariables", object.refuse("there are no configuration keys; use variables of components"))
        }
        Command::GetVariables(list) => {
            let each = list.iter().map(|get| {
                devices::address(
                    dialect,
                    Object::new(dialect),
                    get.attribute.as_ref(),
                    &get.component,
                    &get.variable,
                    None,
                )
            });
            ("GetVariables", object.objects("getVariableData", each, 1, usize::MAX))
        }
        Command::SetVariables(list) => {
            let each = list.iter().map(|set| {
                let value = Some(set.value.as_str());
                devices::address(
                    dialect,
                    Object::new(dialect),
                    set.attribute.as_ref(),
                    &set.component,
                    &set.variable,
                    value,
                )
            });
            ("SetVariables", object.objects("setVariableData", each, 1, usize::MAX))
        }
        Command::GetBaseReport { request, base } => {
            ("GetBaseReport", object.int("requestId", *request).word("reportBase", base.as_str()))
        }
        Command::GetReport(query) => ("GetReport", devices::report_query(dialect, query)),
        Command::SetNetworkProfile(profile) => ("SetNetworkProfile", devices::network(dialect, profile)),
        Command::Data { vendor, message, data } => (
            "DataTransfer",
            object
                .some_text("messageId", message.as_deref(), 50)
                .some_document("data", data.as_ref())
                .text("vendorId", vendor, 255),
        ),
        Command::LocalListVersion => ("GetLocalListVersion", object),
        Command::SendLocalList { version, full, entries } => {
            ("SendLocalList", local_list(dialect, *version, *full, entries))
        }
        Command::Reserve(order) => ("ReserveNow", reserve(dialect, order)),
        Command::CancelReservation(id) => ("CancelReservation", object.count("reservationId", *id)),
        Command::SetChargingProfile { place, profile } => (
            "SetChargingProfile",
            object
                .count("evseId", place.evse.unwrap_or(0))
                .object("chargingProfile", profiles::profile(dialect, profile)),
        ),
        Command::ClearChargingProfile(filter) => ("ClearChargingProfile", profiles::filter(dialect, filter)),
        Command::GetChargingProfiles(query) => ("GetChargingProfiles", profiles::query(dialect, query)),
        Command::GetCompositeSchedule { place, duration_s, unit } => (
            "GetCompositeSchedule",
            object
                .count("duration", *duration_s)
                .some_word("chargingRateUnit", unit.map(RateUnit::as_str))
                .count("evseId", place.evse.unwrap_or(0)),
        ),
        Command::UpdateFirmware(order) => ("UpdateFirmware", firmware(dialect, order)),
        Command::PublishFirmware { request, location, checksum, retries, retry_interval_s } => (
            "PublishFirmware",
            object
                .text("location", location, by(dialect, 512, 2_000))
                .some_count("retries", *retries)
                .text("checksum", checksum, 32)
                .count("requestId", *request)
                .some_count("retryInterval", *retry_interval_s),
        ),
        Command::UnpublishFirmware { checksum } => {
            ("UnpublishFirmware", object.text("checksum", checksum, 32))
        }
        Command::GetLog(order) => ("GetLog", log(dialect, order)),
        Command::CertificateSigned { chain, usage, request } => (
            "CertificateSigned",
            own_certificate(object.text("certificateChain", chain, 10_000), usage.as_ref())
                // 2.0.1 has no numbers here; there is one request at a time.
                .some_int("requestId", request.filter(|_| dialect == V21)),
        ),
        Command::InstallCertificate { usage, certificate } => (
            "InstallCertificate",
            certificate_use(dialect, object, usage)
                .without(*usage == CertificateUse::V2gChain, "installing a chain for V2G")
                .word("certificateType", usage.as_str())
                .text("certificate", certificate, by(dialect, 5_500, 10_000)),
        ),
        Command::GetCertificates(usages) => (
            "GetInstalledCertificateIds",
            usages.iter().fold(object, |object, usage| certificate_use(dialect, object, usage)).texts(
                "certificateType",
                usages.iter().map(CertificateUse::as_str),
                50,
                0,
                usize::MAX,
            ),
        ),
        Command::DeleteCertificate(hash) => {
            ("DeleteCertificate", object.object("certificateHashData", certificate_hash(dialect, hash)))
        }
        Command::RunningCost(cost) => ("CostUpdated", running_cost(dialect, cost)),
        Command::FinalCost(_) => (
            "CostUpdated",
            object.refuse("the final cost is part of the answer to the last transaction event"),
        ),
        Command::UserPrice(_) => {
            ("CostUpdated", object.refuse("a driver's price is part of the answer to Authorize"))
        }
        Command::SetDisplayMessage(shown) => {
            ("SetDisplayMessage", object.object("message", display_message(dialect, shown)))
        }
        Command::GetDisplayMessages(query) => ("GetDisplayMessages", messages(dialect, query)),
        Command::ClearDisplayMessage(id) => ("ClearDisplayMessage", object.count("id", *id)),
        Command::SetMonitoringBase(base) => {
            ("SetMonitoringBase", object.word("monitoringBase", base.as_str()))
        }
        Command::SetMonitoringLevel(severity) => ("SetMonitoringLevel", object.count("severity", *severity)),
        Command::SetMonitors(list) => (
            "SetVariableMonitoring",
            object.objects(
                "setMonitoringData",
                list.iter().map(|monitor| devices::monitor(dialect, monitor)),
                1,
                usize::MAX,
            ),
        ),
        Command::ClearMonitors(ids) => ("ClearVariableMonitoring", object.ints("id", ids, 1, usize::MAX)),
        Command::GetMonitors(query) => ("GetMonitoringReport", devices::monitor_query(dialect, query)),
        Command::CustomerInformation(order) => ("CustomerInformation", customer(dialect, order)),
        newer => newest(dialect, newer)?,
    };
    Ok(Call { action, payload: object.finish()? })
}

// What 2.1 adds.
fn newest(dialect: Dialect, command: &Command) -> Result<(&'static str, Object), Unsayable> {
    let object = Object::new(dialect);
    if dialect != V21 {
        let what = match command {
            Command::SetDefaultTariff { .. }
            | Command::GetTariffs { .. }
            | Command::ClearTariffs { .. }
            | Command::ChangeTransactionTariff { .. } => {
                "a charger holds no tariffs; show prices as messages"
            }
            Command::UpdateDynamicSchedule { .. }
            | Command::UsePriorityCharging { .. }
            | Command::AllowEnergyTransfer { .. } => "there is no dynamic charging",
            Command::GetStreams | Command::AdjustStream { .. } => "there are no streams",
            Command::WebPaymentStarted { .. } => "a charger cannot be told of a payment on a web page",
            Command::SwapBattery { .. } => "there is no battery swapping",
            _ => "there is no grid support",
        };
        return Err(Unsayable { dialect, what: what.to_owned() });
    }
    Ok(match command {
        Command::UpdateDynamicSchedule { profile, update } => (
            "UpdateDynamicSchedule",
            object
                .int("chargingProfileId", *profile)
                .object("scheduleUpdate", profiles::update(dialect, update)),
        ),
        Command::UsePriorityCharging { reference, activate } => (
            "UsePriorityCharging",
            transaction(object, "transactionId", reference).flag("activate", *activate),
        ),
        Command::AllowEnergyTransfer { reference, transfers } => (
            "NotifyAllowedEnergyTransfer",
            transaction(object, "transactionId", reference).texts(
                "allowedEnergyTransfer",
                transfers.iter().map(|way| way.as_str()),
                50,
                1,
                usize::MAX,
            ),
        ),
        Command::SetDefaultTariff { evse, tariff } => (
            "SetDefaultTariff",
            object.count("evseId", *evse).object("tariff", tariffs::tariff(dialect, tariff)),
        ),
        Command::GetTariffs { evse } => ("GetTariffs", object.count("evseId", *evse)),
        Command::ClearTariffs { ids, evse } => (
            "ClearTariffs",
            object
                .texts("tariffIds", ids.iter().map(String::as_str), 60, 0, usize::MAX)
                .some_count("evseId", *evse),
        ),
        Command::ChangeTransactionTariff { reference, tariff } => (
            "ChangeTransactionTariff",
            transaction(
                object.object("tariff", tariffs::tariff(dialect, tariff)),
                "transactionId",
                reference,
            ),
        ),
        Command::GetStreams => ("GetPeriodicEventStream", object),
        Command::AdjustStream { id, rate } => (
            "AdjustPeriodicEventStream",
            object.count("id", *id).object("params", devices::stream_rate(dialect, *rate)),
        ),
        Command::WebPaymentStarted { evse, timeout_s } => {
            ("NotifyWebPaymentStarted", object.count("evseId", *evse).int("timeout", *timeout_s))
        }
        Command::SwapBattery { token: whose, request } => {
            ("RequestBatterySwap", object.object("idToken", token(dialect, whose)).int("requestId", *request))
        }
        Command::FrequencySignal { at, signal } => {
            ("AFRRSignal", object.time("timestamp", *at).int("signal", *signal))
        }
        Command::SetDer(control) => ("SetDERControl", der::control(dialect, control)),
        Command::GetDer { request, is_default, kind, id } => (
            "GetDERControl",
            object
                .int("requestId", *request)
                .some_flag("isDefault", *is_default)
                .some_word("controlType", kind.map(crate::chargers::model::DerKind::as_str))
                .some_text("controlId", id.as_deref(), 36),
        ),
        Command::ClearDer { is_default, kind, id } => (
            "ClearDERControl",
            object
                .flag("isDefault", *is_default)
                .some_word("controlType", kind.map(crate::chargers::model::DerKind::as_str))
                .some_text("controlId", id.as_deref(), 36),
        ),
        _ => ("", object.refuse("there are no words for this command")),
    })
}

fn reset(dialect: Dialect, kind: ResetKind, place: Place) -> Object {
    let word = match kind {
        ResetKind::Graceful | ResetKind::Hard => "Immediate",
        ResetKind::WhenIdle => "OnIdle",
        ResetKind::Resume => "ImmediateAndResume",
    };
    Object::new(dialect)
        .without(kind == ResetKind::Resume && dialect != V21, "a reset that goes on with transactions")
        .word("type", word)
        .some_count("evseId", place.evse.filter(|evse| *evse > 0))
}

fn trigger(dialect: Dialect, message: &TriggeredMessage, at: Place) -> Object {
    let object = Object::new(dialect).some_object("evse", some_place(dialect, at));
    let word = match message {
        TriggeredMessage::Boot => "BootNotification",
        TriggeredMessage::Heartbeat => "Heartbeat",
        TriggeredMessage::Meter => "MeterValues",
        TriggeredMessage::Status => "StatusNotification",
        TriggeredMessage::Firmware => "FirmwareStatusNotification",
        TriggeredMessage::Diagnostics | TriggeredMessage::Log => "LogStatusNotification",
        TriggeredMessage::Sign(OwnCertificate::Station) => "SignChargingStationCertificate",
        TriggeredMessage::Sign(OwnCertificate::V2g) => "SignV2GCertificate",
        TriggeredMessage::Sign(OwnCertificate::V2g20) if dialect == V21 => "SignV2G20Certificate",
        TriggeredMessage::Sign(_) => return object.refuse("there are no words for that kind of certificate"),
        TriggeredMessage::SignCombined => "SignCombinedCertificate",
        TriggeredMessage::Transaction => "TransactionEvent",
        TriggeredMessage::PublishFirmware => "PublishFirmwareStatusNotification",
        TriggeredMessage::Custom(what) if dialect == V21 => {
            return object.word("requestedMessage", "CustomTrigger").text("customTrigger", what, 50);
        }
        TriggeredMessage::Custom(_) => {
            return object.refuse("there are no words for messages of the maker's own");
        }
    };
    object.word("requestedMessage", word)
}

fn start(dialect: Dialect, order: &StartOrder) -> Object {
    Object::new(dialect)
        .some_count("evseId", order.place.evse.filter(|evse| *evse > 0))
        .some_object("groupIdToken", order.group.as_ref().map(|group| token(dialect, group)))
        .object("idToken", token(dialect, &order.token))
        .int("remoteStartId", order.request)
        .some_object(
            "chargingProfile",
            order.profile.as_deref().map(|profile| profiles::profile(dialect, profile)),
        )
}

fn reserve(dialect: Dialect, order: &ReserveOrder) -> Object {
    // In 2.0.1 plugs are words of a list.
    let plugs = [
        "cCCS1",
        "cCCS2",
        "cG105",
        "cTesla",
        "cType1",
        "cType2",
        "s309-1P-16A",
        "s309-1P-32A",
        "s309-3P-16A",
        "s309-3P-32A",
        "sBS1361",
        "sCEE-7-7",
        "sType2",
        "sType3",
        "Other1PhMax16A",
        "Other1PhOver16A",
        "Other3Ph",
        "Pan",
        "wInductive",
        "wResonant",
        "Undetermined",
        "Unknown",
    ];
    let foreign = order.plug.as_deref().is_some_and(|plug| !plugs.contains(&plug));
    Object::new(dialect)
        .without(foreign && dialect != V21, "that kind of plug")
        .count("id", order.id)
        .time("expiryDateTime", order.until)
        .some_text("connectorType", order.plug.as_deref(), 20)
        .object("idToken", token(dialect, &order.token))
        .some_count("evseId", order.place.evse.filter(|evse| *evse > 0))
        .some_object("groupIdToken", order.group.as_ref().map(|group| token(dialect, group)))
}

fn local_list(dialect: Dialect, version: i64, full: bool, entries: &[(Token, Option<TokenInfo>)]) -> Object {
    let tokens = entries.iter().map(|(whose, about)| {
        Object::new(dialect)
            .object("idToken", token(dialect, whose))
            .some_object("idTokenInfo", about.as_ref().map(|info| token_info(dialect, info)))
            .without(full && about.is_none(), "a token without status in a full list")
    });
    Object::new(dialect)
        .objects("localAuthorizationList", tokens, 0, usize::MAX)
        .int("versionNumber", version)
        .word("updateType", if full { "Full" } else { "Differential" })
}

fn firmware(dialect: Dialect, order: &FirmwareOrder) -> Object {
    let firmware = Object::new(dialect)
        .text("location", &order.location, by(dialect, 512, 2_000))
        .time("retrieveDateTime", order.fetch_at)
        .some_time("installDateTime", order.install_at)
        .some_text("signingCertificate", order.certificate.as_deref(), 5_500)
        .some_text("signature", order.signature.as_deref(), 800);
    Object::new(dialect)
        .some_count("retries", order.retries)
        .some_count("retryInterval", order.retry_interval_s)
        .int("requestId", order.request)
        .object("firmware", firmware)
}

fn log(dialect: Dialect, order: &LogOrder) -> Object {
    let parameters = Object::new(dialect)
        .text("remoteLocation", &order.location, by(dialect, 512, 2_000))
        .some_time("oldestTimestamp", order.from)
        .some_time("latestTimestamp", order.until);
    Object::new(dialect)
        .without(order.request.is_none(), "a log without a request number")
        .without(order.kind == LogKind::DataCollector && dialect != V21, "the log of a data collector")
        .object("log", parameters)
        .word("logType", order.kind.as_str())
        .int("requestId", order.request.unwrap_or_default())
        .some_count("retries", order.retries)
        .some_count("retryInterval", order.retry_interval_s)
}

fn own_certificate(object: Object, usage: Option<&OwnCertificate>) -> Object {
    object.some_word("certificateType", usage.map(OwnCertificate::as_str))
}

fn certificate_use(dialect: Dialect, object: Object, usage: &CertificateUse) -> Object {
    let foreign =
        matches!(usage, CertificateUse::Other(_)) || (*usage == CertificateUse::OemRoot && dialect != V21);
    object.without(foreign, "that use of a certificate")
}

// 2.0.1 carries the details where the cost messages of 1.6 have them. 2.1 has fields of its own for prices: the tariff.
fn running_cost(dialect: Dialect, cost: &RunningCost) -> Object {
    let details = cost
        .details
        .as_ref()
        .filter(|_| dialect != V21)
        .map(|details| crate::ocpp::v16::cost_fields(dialect, details));
    transaction(
        Object::new(dialect).some_object("customData", details).number("totalCost", cost.total),
        "transactionId",
        &cost.reference,
    )
}

fn display_message(dialect: Dialect, shown: &DisplayMessage) -> Object {
    let new = matches!(shown.state, Some(MessageState::Suspended | MessageState::Discharging));
    let object = Object::new(dialect)
        .without(new && dialect != V21, "messages for that state")
        .without(!shown.more.is_empty() && dialect != V21, "a message in several languages")
        .some_object("display", shown.display.as_ref().map(|display| component(dialect, display)))
        .count("id", shown.id)
        .word("priority", MessagePriority::as_str(shown.priority))
        .some_word("state", shown.state.map(MessageState::as_str))
        .some_time("startDateTime", shown.from)
        .some_time("endDateTime", shown.until);
    match &shown.transaction {
        Some(reference) => transaction(object, "transactionId", reference),
        None => object,
    }
    .object("message", message(dialect, &shown.message))
    .objects("messageExtra", shown.more.iter().map(|text| message(dialect, text)), 0, 4)
}

fn messages(dialect: Dialect, query: &MessageQuery) -> Object {
    let new = matches!(query.state, Some(MessageState::Suspended | MessageState::Discharging));
    Object::new(dialect)
        .without(new && dialect != V21, "messages for that state")
        .ints("id", &query.ids, 0, usize::MAX)
        .int("requestId", query.request)
        .some_word("priority", query.priority.map(MessagePriority::as_str))
        .some_word("state", query.state.map(MessageState::as_str))
}

fn customer(dialect: Dialect, order: &CustomerOrder) -> Object {
    let hash = order.certificate.as_ref().map(|hash| certificate_hash(dialect, hash));
    Object::new(dialect)
        .some_object("customerCertificate", hash)
        .some_object("idToken", order.token.as_ref().map(|whose| token(dialect, whose)))
        .count("requestId", order.request)
        .flag("report", order.report)
        .flag("clear", order.clear)
        .some_text("customerIdentifier", order.identifier.as_deref(), 64)
}
