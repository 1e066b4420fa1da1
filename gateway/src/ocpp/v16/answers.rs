//! What a charger of 1.6 is answered.

use crate::chargers::model::{Answer, Json, Registration, Status, TokenInfo, TokenStatus};
use crate::ocpp::writer::{Object, Unsayable};
use crate::ocpp::{Dialect, Dialect::V16};

/// Longest id of a token.
pub(super) const ID_TAG: usize = 20;

/// The payload of an answer.
pub(in crate::ocpp) fn write_answer(action: &str, answer: &Answer) -> Result<String, Unsayable> {
    let object = Object::new(V16);
    match (action, answer) {
        ("BootNotification", Answer::Boot { status, now, interval_s, info: _ }) => object
            .word("status", Registration::as_str(*status))
            .time("currentTime", *now)
            .count("interval", *interval_s),
        ("Heartbeat", Answer::Time(now)) => object.time("currentTime", *now),
        ("Authorize", Answer::Authorize(answer)) => object.object("idTagInfo", info(&answer.token)),
        ("StartTransaction", Answer::Transaction(answer)) => {
            let unknown = TokenInfo::of(TokenStatus::Accepted);
            let object = object.object("idTagInfo", info(answer.token.as_ref().unwrap_or(&unknown)));
            match answer.id {
                Some(id) => object.int("transactionId", id),
                None => object.refuse("the answer to StartTransaction needs a transaction number"),
            }
        }
        ("StopTransaction", Answer::Transaction(answer)) => {
            object.some_object("idTagInfo", answer.token.as_ref().map(info))
        }
        ("DataTransfer", Answer::Data { status, info: _, data }) => {
            object.word("status", data_status(status)).some_word("data", data.as_ref().map(text).as_deref())
        }
        ("DataTransfer", Answer::Done | Answer::Transaction(_)) => object.word("status", "Accepted"),
        ("SignCertificate", Answer::Verdict { accepted, .. }) => {
            object.word("status", if *accepted { "Accepted" } else { "Rejected" })
        }
        ("MeterValues", Answer::Done | Answer::Transaction(_))
        | (
            "DiagnosticsStatusNotification"
            | "FirmwareStatusNotification"
            | "LogStatusNotification"
            | "SecurityEventNotification"
            | "SignedFirmwareStatusNotification"
            | "StatusNotification"
            | "StopTransaction",
            Answer::Done,
        ) => object,
        _ => object.refuse(format!("this is no answer to `{action}`")),
    }
    .finish()
}

// What 1.6 has words for; what forbids charging stays forbidden.
const fn status(status: &TokenStatus) -> &'static str {
    match status {
        TokenStatus::Accepted => "Accepted",
        TokenStatus::Blocked | TokenStatus::NoCredit => "Blocked",
        TokenStatus::ConcurrentTx => "ConcurrentTx",
        TokenStatus::Expired => "Expired",
        _ => "Invalid",
    }
}

/// About a token. An id of a group that is too long for 1.6 is left out: cut, it would be another's.
pub(super) fn info(token: &TokenInfo) -> Object {
    let group = token.group.as_ref().map(|group| group.id.as_str()).filter(|id| id.chars().count() <= ID_TAG);
    Object::new(Dialect::V16)
        .some_time("expiryDate", token.expires)
        .some_text("parentIdTag", group, ID_TAG)
        .word("status", status(&token.status))
}

const fn data_status(status: &Status) -> &'static str {
    match status {
        Status::Accepted => "Accepted",
        Status::UnknownMessageId => "UnknownMessageId",
        Status::UnknownVendorId => "UnknownVendorId",
        _ => "Rejected",
    }
}

/// The content of a DataTransfer as a text: a JSON string is its text, other JSON is put into one.
pub(super) fn text(json: &Json) -> String {
    serde_json::from_str::<String>(&json.0).unwrap_or_else(|_| json.0.clone())
}
