//! OCPP 1.6 over JSON, with the security extension and the cost messages.

mod answers;
mod commands;
mod cost;
mod outcomes;
mod profiles;
mod reports;

pub(super) use answers::write_answer;
pub(super) use commands::write_command;
pub(super) use cost::custom_data as cost_fields;
pub(super) use outcomes::read_outcome;
pub(super) use reports::read;

/// Vendor of the cost messages.
pub(super) const COST_VENDOR: &str = crate::chargers::model::COST_VENDOR;

/// What a charger may send.
pub(super) const INBOUND: &[&str] = &[
    "Authorize",
    "BootNotification",
    "DataTransfer",
    "DiagnosticsStatusNotification",
    "FirmwareStatusNotification",
    "Heartbeat",
    "LogStatusNotification",
    "MeterValues",
    "SecurityEventNotification",
    "SignCertificate",
    "SignedFirmwareStatusNotification",
    "StartTransaction",
    "StatusNotification",
    "StopTransaction",
];

/// What only we may send.
pub(super) const OUTBOUND: &[&str] = &[
    "CancelReservation",
    "CertificateSigned",
    "ChangeAvailability",
    "ChangeConfiguration",
    "ClearCache",
    "ClearChargingProfile",
    "DeleteCertificate",
    "ExtendedTriggerMessage",
    "GetCompositeSchedule",
    "GetConfiguration",
    "GetDiagnostics",
    "GetInstalledCertificateIds",
    "GetLocalListVersion",
    "GetLog",
    "InstallCertificate",
    "RemoteStartTransaction",
    "RemoteStopTransaction",
    "ReserveNow",
    "Reset",
    "SendLocalList",
    "SetChargingProfile",
    "SignedUpdateFirmware",
    "TriggerMessage",
    "UnlockConnector",
    "UpdateFirmware",
];

#[cfg(test)]
mod tests;
