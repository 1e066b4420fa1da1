//! What a charger of 2.x is answered.

use super::write::{certificate_hash, message, status_info, token_info};
use super::{cost, profiles, services, tariffs};
use crate::chargers::model::{
    Answer, ChainVerdict, NeedsVerdict, Registration, Status, StatusInfo, TransactionAnswer,
};
use crate::ocpp::Dialect;
use crate::ocpp::Dialect::V21;
use crate::ocpp::writer::{Object, Unsayable};

/// The payload of an answer.
pub(in crate::ocpp) fn write_answer(
    dialect: Dialect,
    action: &str,
    answer: &Answer,
) -> Result<String, Unsayable> {
    let object = Object::new(dialect);
    let with = |object: Object, info: &Option<StatusInfo>| {
        object.some_object("statusInfo", info.as_ref().map(|info| status_info(dialect, info)))
    };
    let verdict = |object: Object, accepted: bool, no: &str| {
        object.word("status", if accepted { "Accepted" } else { no })
    };
    match (action, answer) {
        ("BootNotification", Answer::Boot { status, now, interval_s, info }) => with(
            object
                .time("currentTime", *now)
                .count("interval", *interval_s)
                .word("status", Registration::as_str(*status)),
            info,
        ),
        ("Heartbeat", Answer::Time(now)) => object.time("currentTime", *now),
        ("Authorize", Answer::Authorize(answer)) => object
            .object("idTokenInfo", token_info(dialect, &answer.token))
            .some_word("certificateStatus", answer.certificate.as_ref().map(|verdict| verdict.as_str()))
            .without(dialect != V21 && !answer.transfers.is_empty(), "how energy may flow")
            .texts(
                "allowedEnergyTransfer",
                answer.transfers.iter().map(|way| way.as_str()),
                50,
                0,
                usize::MAX,
            )
            .without(dialect != V21 && answer.tariff.is_some(), "a driver's tariff")
            .some_object("tariff", answer.tariff.as_deref().map(|tariff| tariffs::tariff(dialect, tariff))),
        ("TransactionEvent", Answer::Transaction(answer)) => transaction(dialect, answer),
        ("DataTransfer", Answer::Data { status, info, data }) => {
            with(object.word("status", data_status(status)), info).some_document("data", data.as_ref())
        }
        (
            "SignCertificate" | "NotifyEVChargingSchedule" | "OpenPeriodicEventStream",
            Answer::Verdict { accepted, info },
        ) => with(verdict(object, *accepted, "Rejected"), info),
        ("NotifyEVChargingNeeds", Answer::ChargingNeeds(status)) => object.word(
            "status",
            match status {
                NeedsVerdict::NoProfile if dialect != V21 => "Rejected",
                status => status.as_str(),
            },
        ),
        ("Get15118EVCertificate", Answer::EvCertificate { accepted, exi, remaining, info }) => {
            with(verdict(object, *accepted, "Failed"), info)
                .text("exiResponse", exi, super::write::by(dialect, 7_500, 17_000))
                .without(dialect != V21 && remaining.is_some(), "contracts still to come")
                .some_count("remainingContracts", *remaining)
        }
        ("GetCertificateStatus", Answer::Ocsp { result, info }) => with(
            verdict(object, result.is_some(), "Failed"),
            info,
        )
        .some_text("ocspResult", result.as_deref(), super::write::by(dialect, 5_500, 18_000)),
        ("GetCertificateChainStatus", Answer::ChainStatus(states)) => object.objects(
            "certificateStatus",
            states.iter().map(|state| {
                Object::new(dialect)
                    .object("certificateHashData", certificate_hash(dialect, &state.hash))
                    .text("source", &state.source, 20)
                    .word("status", ChainVerdict::as_str(state.status))
                    .time("nextUpdate", state.next)
            }),
            1,
            4,
        ),
        ("PullDynamicScheduleUpdate", Answer::DynamicSchedule { update }) => verdict(
            object.some_object(
                "scheduleUpdate",
                update.as_deref().map(|update| profiles::update(dialect, update)),
            ),
            update.is_some(),
            "Rejected",
        ),
        ("NotifySettlement", Answer::Settlement { receipt_url, receipt_id }) => object
            .some_text("receiptUrl", receipt_url.as_deref(), 2_000)
            .some_text("receiptId", receipt_id.as_deref(), 50),
        ("VatNumberValidation", Answer::VatNumber { query, accepted, company, info }) => {
            let company = company.as_ref().map(|company| services::write_address(dialect, company));
            let object = with(object.some_object("company", company), info)
                .prose("vatNumber", &query.number, 20)
                .some_count("evseId", query.evse);
            verdict(object, *accepted, "Rejected")
        }
        ("TransactionEvent" | "MeterValues" | "NotifySettlement", Answer::Done)
        | ("MeterValues", Answer::Transaction(_)) => object,
        (action, Answer::Done) if is_empty(action) => object,
        _ => object.refuse(format!("this is no answer to `{action}`")),
    }
    .finish()
}

// Actions whose answer has no field that is required.
fn is_empty(action: &str) -> bool {
    matches!(
        action,
        "BatterySwap"
            | "ClearedChargingLimit"
            | "ClosePeriodicEventStream"
            | "FirmwareStatusNotification"
            | "LogStatusNotification"
            | "NotifyChargingLimit"
            | "NotifyCustomerInformation"
            | "NotifyDERAlarm"
            | "NotifyDERStartStop"
            | "NotifyDisplayMessages"
            | "NotifyEvent"
            | "NotifyMonitoringReport"
            // By the standard nobody answers it; a charger that asks for an answer gets an empty one.
            | "NotifyPeriodicEventStream"
            | "NotifyPriorityCharging"
            | "NotifyReport"
            | "PublishFirmwareStatusNotification"
            | "ReportChargingProfiles"
            | "ReportDERControl"
            | "ReservationStatusUpdate"
            | "SecurityEventNotification"
            | "StatusNotification"
    )
}

fn transaction(dialect: Dialect, answer: &TransactionAnswer) -> Object {
    let new = dialect == V21;
    // A limit and more languages are left out before 2.1: the event has happened, its answer must not fail.
    let limit = answer.limit.as_ref().filter(|_| new).map(|limit| cost::write_limit(dialect, limit));
    let more = answer.more.iter().filter(|_| new).take(4).map(|text| message(dialect, text));
    Object::new(dialect)
        .some_number("totalCost", answer.total_cost)
        .some_int("chargingPriority", answer.priority)
        .some_object("idTokenInfo", answer.token.as_ref().map(|info| token_info(dialect, info)))
        .some_object("transactionLimit", limit)
        .some_object("updatedPersonalMessage", answer.message.as_ref().map(|text| message(dialect, text)))
        .objects("updatedPersonalMessageExtra", more, 0, 4)
}

const fn data_status(status: &Status) -> &'static str {
    match status {
        Status::Accepted => "Accepted",
        Status::UnknownMessageId => "UnknownMessageId",
        Status::UnknownVendorId => "UnknownVendorId",
        _ => "Rejected",
    }
}
