//! What a charger of 1.6 answers to a command.

use crate::chargers::model::{
    CompositeSchedule, ConfigurationKey, Details, InstalledCertificate, Outcome, SchedulePeriod, Status,
};
use crate::ocpp::lenient::{Fields, May, Must};
use crate::ocpp::v2::certificate_hash;

/// Reads an answer.
pub(in crate::ocpp) fn read_outcome(action: &str, fields: &Fields<'_>) -> Outcome {
    // These have no status of their own: an answer is a yes.
    let silent = ["UpdateFirmware", "GetDiagnostics", "GetConfiguration", "GetLocalListVersion"];
    let status = if silent.contains(&action) {
        Status::Accepted
    } else {
        fields.word("status", Must).unwrap_or_else(|| Status::Other(String::new()))
    };
    let details = match action {
        "GetConfiguration" => Details::Configuration(
            fields.objects("configurationKey", May).iter().map(key).collect(),
            fields.texts("unknownKey", May, 50),
        ),
        "GetLocalListVersion" => fields.int("listVersion", Must).map_or(Details::None, Details::ListVersion),
        "GetDiagnostics" => file(fields, "fileName"),
        "GetLog" => file(fields, "filename"),
        "GetCompositeSchedule" => schedule(fields),
        "GetInstalledCertificateIds" => Details::Certificates(
            fields
                .objects("certificateHashData", May)
                .iter()
                .filter_map(|hash| {
                    Some(InstalledCertificate {
                        usage: None,
                        hash: certificate_hash(hash)?,
                        children: Vec::new(),
                    })
                })
                .collect(),
        ),
        "DataTransfer" => fields.json("data").map_or(Details::None, Details::Data),
        _ => Details::None,
    };
    Outcome { status, info: None, details }
}

fn key(fields: &Fields<'_>) -> ConfigurationKey {
    let key = ConfigurationKey {
        key: fields.text("key", Must, 50).unwrap_or_default(),
        readonly: fields.flag("readonly", Must).unwrap_or_default(),
        value: fields.text("value", May, 500),
    };
    fields.done();
    key
}

fn file(fields: &Fields<'_>, name: &str) -> Details {
    fields.word_text(name, May, 255).map_or(Details::None, Details::File)
}

fn schedule(fields: &Fields<'_>) -> Details {
    let evse = fields.int("connectorId", May);
    let start = fields.instant("scheduleStart", May);
    let Some(schedule) = fields.object("chargingSchedule", May) else { return Details::None };
    let out = CompositeSchedule {
        evse,
        start: start.or_else(|| schedule.instant("startSchedule", May)),
        duration_s: schedule.int("duration", May),
        unit: schedule.word_text("chargingRateUnit", Must, 1),
        min_rate: schedule.decimal("minChargingRate", May),
        periods: schedule.objects("chargingSchedulePeriod", Must).iter().map(period).collect(),
    };
    // Read even when the outer time counts.
    let _ = schedule.instant("startSchedule", May);
    schedule.done();
    Details::Schedule(Box::new(out))
}

fn period(fields: &Fields<'_>) -> SchedulePeriod {
    let period = SchedulePeriod {
        start_s: fields.int("startPeriod", Must).unwrap_or_default(),
        limit: fields.decimal("limit", Must),
        phases: fields.int("numberPhases", May),
        phase_to_use: None,
        dynamic: None,
    };
    fields.done();
    period
}
