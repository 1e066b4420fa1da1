//! What a charger of 2.x answers to a command.

use super::profiles;
use super::read::{certificate_hash, component, status_info, variable};
use crate::chargers::model::{
    Details, InstalledCertificate, MonitorResult, Outcome, Status, StreamRate, TariffAssignment,
    TariffCleared, VariableResult,
};
use crate::ocpp::lenient::{Fields, May, Must};

/// Reads an answer.
pub(in crate::ocpp) fn read_outcome(action: &str, fields: &Fields<'_>) -> Outcome {
    // These have no status of their own: an answer is a yes.
    let silent = [
        "ClearTariffs",
        "ClearVariableMonitoring",
        "CostUpdated",
        "GetLocalListVersion",
        "GetPeriodicEventStream",
        "GetTransactionStatus",
        "GetVariables",
        "NotifyWebPaymentStarted",
        "SetVariableMonitoring",
        "SetVariables",
    ];
    let status = if silent.contains(&action) {
        Status::Accepted
    } else {
        fields.word("status", Must).unwrap_or_else(|| Status::Other(String::new()))
    };
    let details = match action {
        "GetVariables" => Details::Variables(
            fields.objects("getVariableResult", Must).iter().map(variable_result).collect(),
        ),
        "SetVariables" => Details::Variables(
            fields.objects("setVariableResult", Must).iter().map(variable_result).collect(),
        ),
        "GetLocalListVersion" => {
            fields.int("versionNumber", Must).map_or(Details::None, Details::ListVersion)
        }
        "GetCompositeSchedule" => fields
            .object("schedule", May)
            .map_or(Details::None, |schedule| Details::Schedule(Box::new(profiles::composite(&schedule)))),
        "GetInstalledCertificateIds" => Details::Certificates(
            fields.objects("certificateHashDataChain", May).iter().filter_map(certificate).collect(),
        ),
        "GetTransactionStatus" => Details::Transaction {
            ongoing: fields.flag("ongoingIndicator", May),
            queued: fields.flag("messagesInQueue", Must),
        },
        "RequestStartTransaction" => {
            fields.word_text("transactionId", May, 36).map_or(Details::None, Details::Started)
        }
        "GetLog" => fields.word_text("filename", May, 255).map_or(Details::None, Details::File),
        "DataTransfer" => fields.json("data").map_or(Details::None, Details::Data),
        "GetTariffs" => {
            Details::Tariffs(fields.objects("tariffAssignments", May).iter().map(assignment).collect())
        }
        "ClearTariffs" => {
            Details::TariffsCleared(fields.objects("clearTariffsResult", Must).iter().map(cleared).collect())
        }
        "SetVariableMonitoring" => {
            Details::Monitors(fields.objects("setMonitoringResult", Must).iter().map(monitor_set).collect())
        }
        "ClearVariableMonitoring" => Details::Monitors(
            fields.objects("clearMonitoringResult", Must).iter().map(monitor_cleared).collect(),
        ),
        "GetPeriodicEventStream" => {
            Details::Streams(fields.objects("constantStreamData", May).iter().filter_map(stream).collect())
        }
        "SetDERControl" => match fields.texts("supersededIds", May, 36) {
            ids if ids.is_empty() => Details::None,
            ids => Details::Superseded(ids),
        },
        _ => Details::None,
    };
    Outcome { status, info: status_info(fields, "statusInfo"), details }
}

fn status(fields: &Fields<'_>, name: &str) -> Status {
    fields.word(name, Must).unwrap_or_else(|| Status::Other(String::new()))
}

fn variable_result(fields: &Fields<'_>) -> VariableResult {
    let result = VariableResult {
        status: status(fields, "attributeStatus"),
        info: status_info(fields, "attributeStatusInfo"),
        attribute: fields.word("attributeType", May),
        value: fields.text("attributeValue", May, 2_500),
        component: component(fields, "component"),
        variable: variable(fields, "variable"),
    };
    fields.done();
    result
}

fn certificate(fields: &Fields<'_>) -> Option<InstalledCertificate> {
    let hash = fields.object("certificateHashData", Must).as_ref().and_then(certificate_hash);
    let usage = fields.word("certificateType", Must);
    let children =
        fields.objects("childCertificateHashData", May).iter().filter_map(certificate_hash).collect();
    fields.done();
    hash.map(|hash| InstalledCertificate { usage, hash, children })
}

fn assignment(fields: &Fields<'_>) -> TariffAssignment {
    let assignment = TariffAssignment {
        id: fields.word_text("tariffId", Must, 60),
        kind: fields.word("tariffKind", Must),
        valid_from: fields.instant("validFrom", May),
        evses: fields.ints("evseIds", May),
        tokens: fields.texts("idTokens", May, 255),
    };
    fields.done();
    assignment
}

fn cleared(fields: &Fields<'_>) -> TariffCleared {
    let cleared = TariffCleared {
        id: fields.word_text("tariffId", May, 60),
        status: status(fields, "status"),
        info: status_info(fields, "statusInfo"),
    };
    fields.done();
    cleared
}

fn monitor_set(fields: &Fields<'_>) -> MonitorResult {
    let result = MonitorResult {
        id: fields.int("id", May),
        status: status(fields, "status"),
        info: status_info(fields, "statusInfo"),
        component: Some(component(fields, "component")),
        variable: Some(variable(fields, "variable")),
    };
    // Repeated from the command.
    let _ = (fields.raw("type", Must), fields.raw("severity", Must));
    fields.done();
    result
}

fn monitor_cleared(fields: &Fields<'_>) -> MonitorResult {
    let result = MonitorResult {
        id: fields.int("id", Must),
        status: status(fields, "status"),
        info: status_info(fields, "statusInfo"),
        component: None,
        variable: None,
    };
    fields.done();
    result
}

fn stream(fields: &Fields<'_>) -> Option<(i64, i64, StreamRate)> {
    let rate = fields.object("params", Must).map(|params| {
        let rate = StreamRate { interval_s: params.int("interval", May), values: params.int("values", May) };
        params.done();
        rate
    });
    let stream = fields.int("id", Must).zip(fields.int("variableMonitoringId", Must));
    fields.done();
    stream.map(|(id, monitor)| (id, monitor, rate.unwrap_or_default()))
}
