//! What makes two reports the same.

use crate::chargers::model::{MeterReport, Reading, Reference, TransactionPhase, TransactionReport, fold};
use crate::chargers::time::StationTime;
use sha2::{Digest as _, Sha256};
use takst_engine::units::Instant;

/// The transaction of a report as it is stored.
pub(super) fn reference(report: &TransactionReport) -> Option<String> {
    report.reference.as_ref().map(|reference| match reference {
        Reference::Ours(id) => id.to_string(),
        Reference::Theirs(id) => id.clone(),
    })
}

/// The key of a report on a transaction. A charger that got no answer says the same again, under another message id.
///
/// OCPP 1.6 (case 1): connector, token, time and register make a start; transaction, time and register a stop (case 3); meter values are
/// the same when all of them are. OCPP 2.x (case 45): transaction and number.
pub(super) fn transaction(report: &TransactionReport) -> String {
    let name = reference(report).or_else(|| report.reference_sent.clone()).unwrap_or_default();
    if let Some(seq) = report.seq {
        return format!("tx/{name}/{seq}");
    }
    let time = report.at.sent.clone().unwrap_or_else(|| report.at.at.0.to_string());
    let token = report.token.as_ref().map(|token| fold(&token.id)).unwrap_or_default();
    let evse = report.place.evse.unwrap_or_default();
    match report.phase {
        TransactionPhase::Started if report.reference.is_none() => {
            let meter = report.meter_start.map(|meter| meter.0.to_string()).unwrap_or_default();
            format!("start/{evse}/{token}/{time}/{meter}")
        }
        TransactionPhase::Ended => {
            let meter = report.meter_stop.map(|meter| meter.0.to_string()).unwrap_or_default();
            format!("stop/{name}/{time}/{meter}")
        }
        phase => {
            let part = format!("part/{name}/{}/{time}/{}", phase as u8, readings(&report.readings));
            // OCPP 2.x without numbers: what the car does is told between meter values too.
            match (&report.trigger, &report.charging_state) {
                (None, None) => part,
                what => format!("{part}/{}", hash(&format!("{what:?}"))),
            }
        }
    }
}

/// The key of meter values that name no transaction.
pub(super) fn meter(report: &MeterReport) -> String {
    format!("meter/{}/{}", report.place.evse.unwrap_or_default(), readings(&report.readings))
}

/// What two reports of one number must have in common to be the same: a charger that says something again may say that it was offline
/// meanwhile.
pub(super) fn content(report: &TransactionReport) -> String {
    let what = (
        report.phase as u8,
        report.at.at,
        &report.trigger,
        &report.charging_state,
        report.meter_start,
        report.meter_stop,
    );
    hash(&format!("{what:?}{}", readings(&report.readings)))
}

fn readings(readings: &[Reading]) -> String {
    // Receipt stands in for times that cannot be read: what was sent tells.
    let told: Vec<_> = readings
        .iter()
        .map(|reading| {
            let at = StationTime { at: Instant(0), sent: reading.at.sent.clone(), flaw: None };
            Reading { at, ..reading.clone() }
        })
        .collect();
    hash(&format!("{told:?}"))
}

fn hash(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    digest.iter().take(12).map(|byte| format!("{byte:02x}")).collect()
}
