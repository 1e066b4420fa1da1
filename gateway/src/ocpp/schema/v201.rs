//! The messages of 2.0.1.

use super::messages;

messages! { v201:
    "Authorize" => AuthorizeRequest,
    "BootNotification" => BootNotificationRequest,
    "ClearedChargingLimit" => ClearedChargingLimitRequest,
    "FirmwareStatusNotification" => FirmwareStatusNotificationRequest,
    "Get15118EVCertificate" => Get15118EVCertificateRequest,
    "GetCertificateStatus" => GetCertificateStatusRequest,
    "Heartbeat" => HeartbeatRequest,
    "LogStatusNotification" => LogStatusNotificationRequest,
    "MeterValues" => MeterValuesRequest,
    "NotifyChargingLimit" => NotifyChargingLimitRequest,
    "NotifyCustomerInformation" => NotifyCustomerInformationRequest,
    "NotifyDisplayMessages" => NotifyDisplayMessagesRequest,
    "NotifyEVChargingNeeds" => NotifyEVChargingNeedsRequest,
    "NotifyEVChargingSchedule" => NotifyEVChargingScheduleRequest,
    "NotifyEvent" => NotifyEventRequest,
    "NotifyMonitoringReport" => NotifyMonitoringReportRequest,
    "NotifyReport" => NotifyReportRequest,
    "PublishFirmwareStatusNotification" => PublishFirmwareStatusNotificationRequest,
    "ReportChargingProfiles" => ReportChargingProfilesRequest,
    "ReservationStatusUpdate" => ReservationStatusUpdateRequest,
    "SecurityEventNotification" => SecurityEventNotificationRequest,
    "SignCertificate" => SignCertificateRequest,
    "StatusNotification" => StatusNotificationRequest,
    "TransactionEvent" => TransactionEventRequest,
}
