//! Transactions and meter values of 2.x, read.

use super::cost;
use super::read::{place, token};
use crate::chargers::model::{
    Context, Measurand, Reading, Reference, Sample, Signed, TransactionPhase, TransactionReport, readings,
};
use crate::ocpp::lenient::{Fields, May, Must, Need};

/// A transaction event. One without a usable type is taken as going on.
pub(super) fn event(fields: &Fields<'_>) -> TransactionReport {
    let phase = match fields.word_text("eventType", Must, 20) {
        Some(kind) if kind.eq_ignore_ascii_case("Started") => TransactionPhase::Started,
        Some(kind) if kind.eq_ignore_ascii_case("Ended") => TransactionPhase::Ended,
        Some(kind) if kind.eq_ignore_ascii_case("Updated") => TransactionPhase::Updated,
        Some(_) => {
            fields.note("eventType", "none of Started, Updated, Ended; taken as Updated");
            TransactionPhase::Updated
        }
        None => TransactionPhase::Updated,
    };
    let mut report = TransactionReport {
        seq: fields.int("seqNo", Must),
        trigger: fields.word("triggerReason", Must),
        place: place(fields, "evse"),
        token: token(fields, "idToken", May),
        offline: fields.flag("offline", May).unwrap_or_default(),
        reservation: fields.int("reservationId", May),
        readings: readings_of(fields, "meterValue", May),
        phases: fields.int("numberOfPhasesUsed", May),
        cable_current: fields.int("cableMaxCurrent", May),
        preconditioning: fields.word("preconditioningStatus", May),
        asleep: fields.flag("evseSleep", May),
        cost: fields.object("costDetails", May).map(|details| Box::new(cost::details(&details))),
        ..TransactionReport::new(phase, fields.station_time("timestamp", Must))
    };
    if let Some(info) = fields.object("transactionInfo", Must) {
        report.reference_sent = info.text("transactionId", Must, 36);
        report.reference = report
            .reference_sent
            .as_ref()
            .filter(|reference| !reference.trim().is_empty())
            .map(|reference| Reference::Theirs(reference.clone()));
        report.charging_state = info.word("chargingState", May);
        report.charging_s = info.int("timeSpentCharging", May);
        report.stop_reason = info.word("stoppedReason", May);
        report.remote_start = info.int("remoteStartId", May);
        report.operation = info.word("operationMode", May);
        report.tariff = info.word_text("tariffId", May, 60);
        report.limit = info.object("transactionLimit", May).map(|limit| cost::limit(&limit));
        info.done();
    }
    report
}

/// All readings of a message.
pub(super) fn readings_of(fields: &Fields<'_>, name: &str, need: Need) -> Vec<Reading> {
    let notes = fields.notes();
    let mut all = Vec::new();
    for batch in fields.objects(name, need) {
        let at = batch.station_time("timestamp", Must);
        let samples = batch.objects("sampledValue", Must).iter().map(sample).collect();
        batch.done();
        let path = batch.path("sampledValue");
        all.extend(readings(&at, samples, &notes.habits.meter, |what| notes.add(&path, what)));
    }
    all
}

fn sample(fields: &Fields<'_>) -> Sample {
    let measurand = fields.word("measurand", May).unwrap_or(Measurand::Import);
    let context = fields.word("context", May).unwrap_or(Context::Periodic);
    let unit = fields.object("unitOfMeasure", May);
    let sample = Sample {
        value: fields.digits("value", Must).unwrap_or_default(),
        phase: fields.word("phase", May),
        location: fields.word("location", May),
        unit: unit.as_ref().and_then(|unit| unit.word_text("unit", May, 20)),
        multiplier: unit.as_ref().and_then(|unit| unit.int("multiplier", May)).unwrap_or_default(),
        signed: fields
            .object("signedMeterValue", May)
            .map(|signed| Box::new(signed_value(&signed, &measurand, &context))),
        is_signed: false,
        measurand,
        context,
    };
    if let Some(unit) = &unit {
        unit.done();
    }
    fields.done();
    sample
}

fn signed_value(fields: &Fields<'_>, measurand: &Measurand, context: &Context) -> Signed {
    let signed = Signed {
        data: fields.text("signedMeterData", Must, 32_768).unwrap_or_default(),
        encoding: fields.word_text("encodingMethod", Must, 50),
        method: fields.word_text("signingMethod", May, 50),
        public_key: fields.word_text("publicKey", May, 2_500),
        measurand: measurand.clone(),
        context: context.clone(),
    };
    fields.done();
    signed
}
