//! The messages of 1.6.

use super::messages;

messages! { v16:
    "Authorize" => AuthorizeRequest,
    "BootNotification" => BootNotificationRequest,
    "DiagnosticsStatusNotification" => DiagnosticsStatusNotificationRequest,
    "FirmwareStatusNotification" => FirmwareStatusNotificationRequest,
    "Heartbeat" => HeartbeatRequest,
    "LogStatusNotification" => LogStatusNotificationRequest,
    "MeterValues" => MeterValuesRequest,
    "SecurityEventNotification" => SecurityEventNotificationRequest,
    "SignCertificate" => SignCertificateRequest,
    "SignedFirmwareStatusNotification" => SignedFirmwareStatusNotificationRequest,
    "StartTransaction" => StartTransactionRequest,
    "StatusNotification" => StatusNotificationRequest,
    "StopTransaction" => StopTransactionRequest,
}
