//! The messages of a charger of 1.6.

use super::messages;

messages! { v16: request, DataTransferRequest:
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

messages! { v16: answer, DataTransferResponse:
    "CancelReservation" => CancelReservationResponse,
    "CertificateSigned" => CertificateSignedResponse,
    "ChangeAvailability" => ChangeAvailabilityResponse,
    "ChangeConfiguration" => ChangeConfigurationResponse,
    "ClearCache" => ClearCacheResponse,
    "ClearChargingProfile" => ClearChargingProfileResponse,
    "DeleteCertificate" => DeleteCertificateResponse,
    "ExtendedTriggerMessage" => ExtendedTriggerMessageResponse,
    "GetCompositeSchedule" => GetCompositeScheduleResponse,
    "GetConfiguration" => GetConfigurationResponse,
    "GetDiagnostics" => GetDiagnosticsResponse,
    "GetInstalledCertificateIds" => GetInstalledCertificateIdsResponse,
    "GetLocalListVersion" => GetLocalListVersionResponse,
    "GetLog" => GetLogResponse,
    "InstallCertificate" => InstallCertificateResponse,
    "RemoteStartTransaction" => RemoteStartTransactionResponse,
    "RemoteStopTransaction" => RemoteStopTransactionResponse,
    "ReserveNow" => ReserveNowResponse,
    "Reset" => ResetResponse,
    "SendLocalList" => SendLocalListResponse,
    "SetChargingProfile" => SetChargingProfileResponse,
    "SignedUpdateFirmware" => SignedUpdateFirmwareResponse,
    "TriggerMessage" => TriggerMessageResponse,
    "UnlockConnector" => UnlockConnectorResponse,
    "UpdateFirmware" => UpdateFirmwareResponse,
}
