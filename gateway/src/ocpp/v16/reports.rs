//! What a charger of 1.6 says.

use super::{COST_VENDOR, OUTBOUND};
use crate::chargers::model::{
    Authorize, Boot, ConnectorStatus, Context, DataTransfer, Fault, FaultCode, FirmwareReport, LogReport,
    Measurand, MeterReport, Place, Reading, Reference, Report, Sample, SecurityEvent, SigningRequest, Token,
    TransactionPhase, TransactionReport, Unplugged, readings, scaled,
};
use crate::chargers::time::{StationTime, TimeFlaw};
use crate::ocpp::Refusal;
use crate::ocpp::frame::ErrorCode;
use crate::ocpp::lenient::{Fields, May, Must, Need};
use serde_json::value::RawValue;
use takst_engine::units::Energy;

/// Reads a request.
pub(in crate::ocpp) fn read(action: &str, fields: &Fields<'_>) -> Result<Report, Refusal> {
    Ok(match action {
        "Authorize" => Report::Authorize(Authorize {
            token: token(fields, Must),
            certificate: None,
            certificate_hashes: Vec::new(),
        }),
        "BootNotification" => Report::Boot(Box::new(boot(fields))),
        "DataTransfer" => data_transfer(fields),
        "DiagnosticsStatusNotification" => Report::Log(LogReport {
            status: fields.word("status", Must),
            request: None,
            diagnostics: true,
            info: None,
        }),
        "FirmwareStatusNotification" => Report::Firmware(firmware(fields, false)),
        "SignedFirmwareStatusNotification" => Report::Firmware(firmware(fields, true)),
        "Heartbeat" => Report::Heartbeat,
        "LogStatusNotification" => Report::Log(LogReport {
            status: fields.word("status", Must),
            request: fields.int("requestId", May),
            diagnostics: false,
            info: None,
        }),
        "MeterValues" => meter_values(fields),
        "SecurityEventNotification" => Report::Security(SecurityEvent {
            kind: fields.text("type", Must, 50).unwrap_or_default(),
            at: fields.station_time("timestamp", Must),
            tech_info: fields.word_text("techInfo", May, 255),
        }),
        "SignCertificate" => Report::Sign(SigningRequest {
            csr: fields
                .word_text("csr", Must, 5_500)
                .ok_or_else(|| Refusal::new(ErrorCode::Occurrence, "`csr` is missing"))?,
            usage: None,
            root: None,
            request: None,
        }),
        "StartTransaction" => Report::Transaction(Box::new(start(fields))),
        "StatusNotification" => Report::Status(status(fields)),
        "StopTransaction" => Report::Transaction(Box::new(stop(fields))),
        other => return Err(Refusal::unknown(other, OUTBOUND)),
    })
}

fn token(fields: &Fields<'_>, need: Need) -> Option<Token> {
    fields.word_text("idTag", need, 20).map(Token::plain)
}

fn place(fields: &Fields<'_>) -> Place {
    Place { evse: fields.int("connectorId", Must), connector: None }
}

fn boot(fields: &Fields<'_>) -> Boot {
    Boot {
        vendor: fields.word_text("chargePointVendor", Must, 20),
        model: fields.word_text("chargePointModel", Must, 20),
        serial: fields.word_text("chargePointSerialNumber", May, 25),
        box_serial: fields.word_text("chargeBoxSerialNumber", May, 25),
        firmware: fields.word_text("firmwareVersion", May, 50),
        iccid: fields.word_text("iccid", May, 20),
        imsi: fields.word_text("imsi", May, 20),
        meter_type: fields.word_text("meterType", May, 25),
        meter_serial: fields.word_text("meterSerialNumber", May, 25),
        reason: None,
    }
}

fn firmware(fields: &Fields<'_>, signed: bool) -> FirmwareReport {
    FirmwareReport {
        status: fields.word("status", Must),
        request: if signed { fields.int("requestId", May) } else { None },
        signed,
        published: None,
        info: None,
    }
}

fn status(fields: &Fields<'_>) -> ConnectorStatus {
    let at = match fields.station_time("timestamp", May) {
        // It may be left out: then it is now.
        StationTime { at, flaw: Some(TimeFlaw::Missing), .. } => StationTime { at, sent: None, flaw: None },
        time => time,
    };
    let fault = Fault {
        code: fields.word("errorCode", Must).filter(|code| *code != FaultCode::NoError),
        vendor_code: fields.word_text("vendorErrorCode", May, 50),
        vendor: fields.word_text("vendorId", May, 255),
        info: fields.word_text("info", May, 50),
    };
    let told = fault.code.is_some() || fault.vendor_code.is_some() || fault.info.is_some();
    ConnectorStatus {
        place: place(fields),
        status: fields.word("status", Must),
        at,
        fault: told.then_some(fault),
    }
}

// A transaction's number: ours are above zero, so that 0 and -1 are nobody's.
fn reference(fields: &Fields<'_>, need: Need) -> (Option<Reference>, Option<String>) {
    let Some(number) = fields.int("transactionId", need) else { return (None, None) };
    if number > 0 {
        return (Some(Reference::Ours(number)), Some(number.to_string()));
    }
    fields.note("transactionId", format!("{number} is no transaction of ours"));
    (None, Some(number.to_string()))
}

// Registers of start and stop are in Wh.
fn register(fields: &Fields<'_>, name: &str) -> Option<Energy> {
    let value = fields.decimal(name, Must)?;
    let exponent = if fields.notes().habits.meter.wh_is_kwh { 6 } else { 3 };
    scaled(value, exponent).map(Energy)
}

fn start(fields: &Fields<'_>) -> TransactionReport {
    TransactionReport {
        place: place(fields),
        token: token(fields, Must),
        meter_start: register(fields, "meterStart"),
        reservation: fields.int("reservationId", May),
        ..TransactionReport::new(TransactionPhase::Started, fields.station_time("timestamp", Must))
    }
}

fn stop(fields: &Fields<'_>) -> TransactionReport {
    let (reference, reference_sent) = reference(fields, Must);
    TransactionReport {
        reference,
        reference_sent,
        token: token(fields, May),
        meter_stop: register(fields, "meterStop"),
        stop_reason: fields.word("reason", May),
        readings: samples(fields, "transactionData", May),
        ..TransactionReport::new(TransactionPhase::Ended, fields.station_time("timestamp", Must))
    }
}

fn meter_values(fields: &Fields<'_>) -> Report {
    let place = place(fields);
    let (reference, reference_sent) = reference(fields, May);
    let readings = samples(fields, "meterValue", Must);
    if reference.is_none() {
        return Report::Meter(MeterReport { place, reference_sent, readings });
    }
    let at = readings
        .first()
        .map_or_else(|| StationTime::missing(fields.notes().received), |reading| reading.at.clone());
    Report::Transaction(Box::new(TransactionReport {
        reference,
        reference_sent,
        place,
        readings,
        ..TransactionReport::new(TransactionPhase::Updated, at)
    }))
}

fn samples(fields: &Fields<'_>, name: &str, need: Need) -> Vec<Reading> {
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
    let format = fields.word_text("format", May, 50);
    let is_signed = format.as_deref().is_some_and(|format| format.eq_ignore_ascii_case("SignedData"));
    if let Some(other) = format.filter(|format| !is_signed && !format.eq_ignore_ascii_case("Raw")) {
        fields.note("format", format!("`{other}` is no word of the standard"));
    }
    let sample = Sample {
        value: fields.text("value", Must, usize::MAX).unwrap_or_default(),
        measurand: fields.word("measurand", May).unwrap_or(Measurand::Import),
        context: fields.word("context", May).unwrap_or(Context::Periodic),
        phase: fields.word("phase", May),
        location: fields.word("location", May),
        unit: fields.word_text("unit", May, 20),
        multiplier: 0,
        signed: None,
        is_signed,
    };
    fields.done();
    sample
}

fn data_transfer(fields: &Fields<'_>) -> Report {
    let vendor = fields.text("vendorId", Must, 255).unwrap_or_default();
    let message = fields.word_text("messageId", May, 50);
    if vendor.eq_ignore_ascii_case(COST_VENDOR) && message.as_deref() == Some("ConnectorUnplugged") {
        return Report::Unplugged(unplugged(fields));
    }
    if fields.raw("data", May).is_some_and(|data| !data.get().starts_with('"')) {
        fields.note("data", "JSON where a text belongs");
    }
    Report::Data(DataTransfer { vendor, message, data: fields.json("data") })
}

// The content is JSON inside a text; some send it as JSON.
fn unplugged(fields: &Fields<'_>) -> Unplugged {
    let notes = fields.notes();
    let missing = || StationTime::missing(notes.received);
    let Some(raw) = fields.raw("data", Must) else { return Unplugged { reference: None, at: missing() } };
    let inner = serde_json::from_str::<String>(raw.get()).unwrap_or_else(|_| raw.get().to_owned());
    let Ok(inner) = serde_json::from_str::<&RawValue>(&inner) else {
        fields.note("data", "no JSON inside the text");
        return Unplugged { reference: None, at: missing() };
    };
    // The notes outlive the inner text only by name: its fields are read with notes of their own.
    let within = crate::ocpp::lenient::Notes::new(notes.received, notes.habits);
    let unplugged = match Fields::of(&within, "data".to_owned(), inner) {
        Some(data) => {
            Unplugged { reference: reference(&data, Must).0, at: data.station_time("timestamp", Must) }
        }
        None => Unplugged { reference: None, at: missing() },
    };
    for deviation in within.finish() {
        notes.add(&deviation.path, deviation.what);
    }
    unplugged
}
