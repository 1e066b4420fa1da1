"""Everything that chargers of OCPP 1.6 can be told, and what they answer."""

import json

from charger import same
from documents import firmware_order, log_order, profile, soon
from scenes16 import boot

STATUS = {
    "CancelReservation": "Accepted",
    "CertificateSigned": "Accepted",
    "ChangeAvailability": "Accepted",
    "ChangeConfiguration": "Accepted",
    "ClearCache": "Accepted",
    "ClearChargingProfile": "Accepted",
    "DataTransfer": "Accepted",
    "DeleteCertificate": "Accepted",
    "ExtendedTriggerMessage": "Accepted",
    "GetLog": "Accepted",
    "InstallCertificate": "Accepted",
    "RemoteStartTransaction": "Accepted",
    "RemoteStopTransaction": "Accepted",
    "ReserveNow": "Accepted",
    "Reset": "Accepted",
    "SendLocalList": "Accepted",
    "SetChargingProfile": "Accepted",
    "SignedUpdateFirmware": "Accepted",
    "TriggerMessage": "Accepted",
    "UnlockConnector": "Unlocked",
}
KEYS = [
    {"key": "HeartbeatInterval", "readonly": False, "value": "300"},
    {"key": "NumberOfConnectors", "readonly": True, "value": "2"},
    {"key": "AuthorizationKey", "readonly": False},
]


def answers():
    return {action: {"status": status} for action, status in STATUS.items()} | {
        "GetCompositeSchedule": {"status": "Rejected"},
        "GetConfiguration": configuration,
        "GetDiagnostics": {"file_name": "diagnostics.zip"},
        "GetInstalledCertificateIds": {"status": "NotFound"},
        "GetLocalListVersion": {"list_version": 7},
        "UpdateFirmware": {},
    }


def configuration(payload):
    asked = payload.get("key") or [key["key"] for key in KEYS]
    known = [key["key"] for key in KEYS]
    return {
        "configuration_key": [key for key in KEYS if key["key"] in asked],
        "unknown_key": [key for key in asked if key not in known],
    }


async def orders(charger):
    """Everything that a charger of 1.6 can be told, and what it answers."""
    await charger.connect()
    await boot(charger)
    name, order, raw = charger.identity, charger.desk.order, charger.desk.raw

    async def good(outcome, word="Accepted"):
        outcome = await outcome
        same(outcome["status"], word)
        return outcome.get("details")

    found = await good(order(name, "get-configuration", keys=["NumberOfConnectors", "Nonsense"]))
    number = {"key": "NumberOfConnectors", "readonly": True, "value": "2"}
    same(found, {"Configuration": [[number], ["Nonsense"]]})
    same(len((await good(order(name, "get-configuration")))["Configuration"][0]), 3)
    await good(order(name, "set-configuration", key="HeartbeatInterval", value="120"))
    assert {"key": "HeartbeatInterval", "value": "120"} in charger.told("ChangeConfiguration"), charger.heard
    for message in ["boot", "heartbeat", "meter", "status", "firmware", "diagnostics", "log"]:
        await good(order(name, "trigger", message=message, evse=1))
    triggered = [payload["requested_message"] for payload in charger.told("TriggerMessage")]
    same(triggered, ["BootNotification", "Heartbeat", "MeterValues", "StatusNotification",
                     "FirmwareStatusNotification", "DiagnosticsStatusNotification"])
    same(charger.told("ExtendedTriggerMessage")[0]["requested_message"], "LogStatusNotification")
    await good(order(name, "unlock", evse=2), "Unlocked")
    same(charger.told("UnlockConnector"), [{"connector_id": 2}])
    for kind, word in {"graceful": "Soft", "hard": "Hard"}.items():
        await good(order(name, "reset", kind=kind))
        same(charger.told("Reset")[-1], {"type": word})
    await good(order(name, "change-availability", evse=1, operative=False))
    await good(order(name, "change-availability", operative=True))
    places = [(payload["connector_id"], payload["type"]) for payload in charger.told("ChangeAvailability")]
    same(places, [(1, "Inoperative"), (0, "Operative")])
    await good(order(name, "clear-cache"))
    same(await good(raw(name, "LocalListVersion")), {"ListVersion": 7})
    await good(order(name, "reserve", id=4, evse=1, token="CARD-1", until=soon(2)))
    [reserved] = charger.told("ReserveNow")
    same((reserved["connector_id"], reserved["id_tag"], reserved["reservation_id"]), (1, "CARD-1", 4))
    await good(order(name, "cancel-reservation", id=4))
    await good(order(name, "update-firmware", **firmware_order(False)))
    await good(order(name, "update-firmware", **firmware_order(True)))
    same(charger.told("SignedUpdateFirmware")[0]["firmware"]["signature"], "c2lnbmVk")
    same(await good(order(name, "get-log", **log_order("diagnostics"))), {"File": "diagnostics.zip"})
    await good(order(name, "get-log", **log_order("security", request=12)))
    same(charger.told("GetLog")[0]["log_type"], "SecurityLog")
    await good(order(name, "set-charging-profile", evse=1, profile=profile("10.5")))
    [limited] = charger.told("SetChargingProfile")
    periods = limited["cs_charging_profiles"]["charging_schedule"]["charging_schedule_period"]
    same([float(period["limit"]) for period in periods], [10.5, 16.5])
    await good(raw(name, {"ClearChargingProfile": {"id": 5}}))
    wanted = {"place": {"evse": 1}, "duration_s": 600, "unit": "W"}
    await good(raw(name, {"GetCompositeSchedule": wanted}), "Rejected")
    charger.answers["DataTransfer"] = {"status": "Accepted", "data": "42"}
    data = {"vendor": "com.example", "message": "Answer", "data": '"hello"'}
    same(await good(raw(name, {"Data": data})), {"Data": '"42"'})
    same(charger.told("DataTransfer"), [{"vendor_id": "com.example", "message_id": "Answer", "data": "hello"}])
    status_code, problem = await charger.desk.try_order(name, {"do": "raw", "command": {"GetVariables": []}})
    same(status_code, 422, problem)
    assert "configuration keys" in json.dumps(problem), problem
    kept = await charger.desk.get(f"/api/v1/chargers/{name}/commands")
    assert len(kept) > 20 and all(command["status"] in ("answered", "failed") for command in kept), kept


SCENES = [orders]
