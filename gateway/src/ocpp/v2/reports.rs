//! What a charger of 2.x says.

use super::read::{certificate_hash, ocsp, status_info, token};
use super::{INBOUND_21, INBOUND_201, OUTBOUND, devices, documents, services, transaction};
use crate::chargers::model::{
    Authorize, Boot, ConnectorStatus, DataTransfer, DocumentKind, FirmwareReport, LogReport, MeterReport,
    Place, Report, ReservationReport, SecurityEvent, SigningRequest, Word,
};
use crate::ocpp::frame::ErrorCode;
use crate::ocpp::lenient::{Fields, May, Must};
use crate::ocpp::{Dialect, Refusal};

/// Reads a request.
pub(in crate::ocpp) fn read(
    dialect: Dialect,
    action: &str,
    fields: &Fields<'_>,
    raw: &str,
) -> Result<Report, Refusal> {
    let known = if dialect == Dialect::V21 { INBOUND_21 } else { INBOUND_201 };
    if !known.contains(&action) {
        return Err(Refusal::unknown(action, OUTBOUND));
    }
    Ok(match action {
        "Authorize" => Report::Authorize(Authorize {
            token: token(fields, "idToken", Must),
            certificate: fields.text("certificate", May, 10_000),
            certificate_hashes: fields
                .objects("iso15118CertificateHashData", May)
                .iter()
                .filter_map(ocsp)
                .collect(),
        }),
        "BootNotification" => Report::Boot(Box::new(boot(fields))),
        "DataTransfer" => Report::Data(DataTransfer {
            vendor: fields.text("vendorId", Must, 255).unwrap_or_default(),
            message: fields.word_text("messageId", May, 50),
            data: fields.json("data"),
        }),
        "FirmwareStatusNotification" => Report::Firmware(FirmwareReport {
            status: fields.word("status", Must),
            request: fields.int("requestId", May),
            signed: false,
            published: None,
            info: status_info(fields, "statusInfo"),
        }),
        "PublishFirmwareStatusNotification" => Report::Firmware(FirmwareReport {
            status: fields.word("status", Must),
            request: fields.int("requestId", May),
            signed: false,
            published: Some(fields.texts("location", May, 2_000)),
            info: status_info(fields, "statusInfo"),
        }),
        "Get15118EVCertificate" => Report::EvCertificate(services::ev_certificate(fields)),
        "GetCertificateChainStatus" => Report::ChainStatus(services::chain_status(fields)?),
        "GetCertificateStatus" => {
            Report::Ocsp(fields.object("ocspRequestData", Must).as_ref().and_then(ocsp))
        }
        "Heartbeat" => Report::Heartbeat,
        "LogStatusNotification" => Report::Log(LogReport {
            status: fields.word("status", Must),
            request: fields.int("requestId", May),
            diagnostics: false,
            info: status_info(fields, "statusInfo"),
        }),
        "MeterValues" => Report::Meter(MeterReport {
            place: Place { evse: fields.int("evseId", Must), connector: None },
            reference_sent: None,
            readings: transaction::readings_of(fields, "meterValue", Must),
        }),
        "NotifyEvent" => Report::Events(devices::events(fields)),
        "NotifyReport" => Report::Device(devices::report(fields)),
        "NotifySettlement" => Report::Settlement(Box::new(services::settlement(fields))),
        "ReservationStatusUpdate" => Report::Reservation(ReservationReport {
            id: fields.int("reservationId", Must),
            end: fields.word("reservationUpdateStatus", Must),
        }),
        "SecurityEventNotification" => Report::Security(SecurityEvent {
            kind: fields.text("type", Must, 50).unwrap_or_default(),
            at: fields.station_time("timestamp", Must),
            tech_info: fields.word_text("techInfo", May, 255),
        }),
        "SignCertificate" => Report::Sign(SigningRequest {
            csr: fields
                .word_text("csr", Must, 5_500)
                .ok_or_else(|| Refusal::new(ErrorCode::Occurrence, "`csr` is missing"))?,
            usage: fields.word("certificateType", May),
            root: fields.object("hashRootCertificate", May).as_ref().and_then(certificate_hash),
            request: fields.int("requestId", May),
        }),
        "StatusNotification" => Report::Status(ConnectorStatus {
            place: Place { evse: fields.int("evseId", Must), connector: fields.int("connectorId", Must) },
            status: fields.word("connectorStatus", Must),
            at: fields.station_time("timestamp", Must),
            fault: None,
        }),
        "TransactionEvent" => Report::Transaction(Box::new(transaction::event(fields))),
        "VatNumberValidation" => Report::VatNumber(services::vat_number(fields)),
        other => Report::Document(documents::document(DocumentKind::read(other), fields, raw)),
    })
}

fn boot(fields: &Fields<'_>) -> Boot {
    let reason = fields.word("reason", Must);
    let Some(station) = fields.object("chargingStation", Must) else {
        return Boot { reason, ..Boot::default() };
    };
    let modem = station.object("modem", May);
    let sim = |name| modem.as_ref().and_then(|modem| modem.word_text(name, May, 20));
    let boot = Boot {
        vendor: station.word_text("vendorName", Must, 50),
        model: station.word_text("model", Must, 20),
        serial: station.word_text("serialNumber", May, 25),
        firmware: station.word_text("firmwareVersion", May, 50),
        iccid: sim("iccid"),
        imsi: sim("imsi"),
        reason,
        ..Boot::default()
    };
    if let Some(modem) = &modem {
        modem.done();
    }
    station.done();
    boot
}
