"""Everything that chargers of OCPP 2.0.1 and 2.1 can be told, and what they answer."""

import json

from charger import same
from documents import firmware_order, log_order, profile, soon, soon_ms, tariff
from scenes2 import Clock, Transaction, boot

STATUS = {
    "CancelReservation": "Accepted",
    "CertificateSigned": "Accepted",
    "ChangeAvailability": "Scheduled",
    "ClearCache": "Accepted",
    "ClearChargingProfile": "Accepted",
    "ClearDisplayMessage": "Accepted",
    "CustomerInformation": "Accepted",
    "DataTransfer": "Accepted",
    "DeleteCertificate": "Accepted",
    "GetBaseReport": "Accepted",
    "GetChargingProfiles": "NoProfiles",
    "GetCompositeSchedule": "Rejected",
    "GetDisplayMessages": "Unknown",
    "GetInstalledCertificateIds": "NotFound",
    "GetMonitoringReport": "EmptyResultSet",
    "GetReport": "Accepted",
    "InstallCertificate": "Accepted",
    "PublishFirmware": "Accepted",
    "RequestStartTransaction": "Accepted",
    "RequestStopTransaction": "Accepted",
    "ReserveNow": "Accepted",
    "Reset": "Accepted",
    "SendLocalList": "Accepted",
    "SetChargingProfile": "Accepted",
    "SetDisplayMessage": "Accepted",
    "SetMonitoringBase": "Accepted",
    "SetMonitoringLevel": "Accepted",
    "SetNetworkProfile": "Accepted",
    "TriggerMessage": "Accepted",
    "UnlockConnector": "Unlocked",
    "UnpublishFirmware": "Unpublished",
    "UpdateFirmware": "Accepted",
}
STATUS_21 = {
    "AFRRSignal": "Accepted",
    "AdjustPeriodicEventStream": "Accepted",
    "ChangeTransactionTariff": "Accepted",
    "ClearDERControl": "Accepted",
    "GetDERControl": "NotFound",
    "NotifyAllowedEnergyTransfer": "Accepted",
    "RequestBatterySwap": "Accepted",
    "SetDERControl": "Accepted",
    "SetDefaultTariff": "Accepted",
    "UpdateDynamicSchedule": "Accepted",
    "UsePriorityCharging": "Accepted",
}


def get_variables(payload):
    results = []
    for asked in payload["get_variable_data"]:
        found = {"attribute_status": "UnknownVariable"}
        if asked["variable"]["name"] == "HeartbeatInterval":
            found = {"attribute_status": "Accepted", "attribute_value": "300"}
        results.append({"component": asked["component"], "variable": asked["variable"], **found})
    return {"get_variable_result": results}


def set_variables(payload):
    results = [
        {"attribute_status": "RebootRequired", "component": asked["component"], "variable": asked["variable"]}
        for asked in payload["set_variable_data"]
    ]
    return {"set_variable_result": results}


def set_monitors(payload):
    results = [
        {"id": 70, "status": "Accepted", "type": asked["type"], "severity": asked["severity"],
         "component": asked["component"], "variable": asked["variable"]}
        for asked in payload["set_monitoring_data"]
    ]
    return {"set_monitoring_result": results}


def answers(version):
    known = {action: {"status": status} for action, status in STATUS.items()} | {
        "ClearVariableMonitoring": lambda payload: {
            "clear_monitoring_result": [{"id": number, "status": "Accepted"} for number in payload["id"]]
        },
        "CostUpdated": {},
        "GetLocalListVersion": {"version_number": 7},
        "GetLog": {"status": "Accepted", "filename": "log.zip"},
        "GetTransactionStatus": {"messages_in_queue": True},
        "GetVariables": get_variables,
        "SetVariableMonitoring": set_monitors,
        "SetVariables": set_variables,
    }
    if version == "2.1":
        known |= {action: {"status": status} for action, status in STATUS_21.items()} | {
            "ClearTariffs": {"clear_tariffs_result": [{"status": "Accepted", "tariff_id": "day-1"}]},
            "GetPeriodicEventStream": {},
            "GetTariffs": {"status": "Accepted", "tariff_assignments": [
                {"tariff_id": "day-1", "tariff_kind": "DefaultTariff", "evse_ids": [1, 2]}
            ]},
            "NotifyWebPaymentStarted": {},
        }
    return known


class Office:
    """Orders for one charger; each is to come to a good end."""

    def __init__(self, charger):
        self.charger, self.name = charger, charger.identity

    async def order(self, do, word="Accepted", **fields):
        outcome = await self.charger.desk.order(self.name, do, **fields)
        same(outcome["status"], word, do)
        return outcome.get("details")

    async def raw(self, command, word="Accepted"):
        outcome = await self.charger.desk.raw(self.name, command)
        same(outcome["status"], word, json.dumps(command))
        return outcome.get("details")

    def told(self, action):
        return self.charger.told(action)[-1]


def component(name, **place):
    return {"name": name, "place": place}


async def orders(charger):
    await charger.connect()
    await boot(charger)
    office = Office(charger)
    heartbeat = {"component": component("OCPPCommCtrlr"), "variable": {"name": "HeartbeatInterval"}}
    nonsense = {"component": component("EVSE", evse=1), "variable": {"name": "Nonsense"}, "attribute": "Target"}
    found = (await office.raw({"GetVariables": [heartbeat, nonsense]}))["Variables"]
    same([(result["status"], result.get("value")) for result in found], [("Accepted", "300"), ("UnknownVariable", None)])
    same(office.told("GetVariables")["get_variable_data"][1]["attribute_type"], "Target")
    found = (await office.raw({"SetVariables": [heartbeat | {"value": "120"}]}))["Variables"]
    same([result["status"] for result in found], ["RebootRequired"])
    await office.raw({"GetBaseReport": {"request": 1, "base": "FullInventory"}})
    query = {"request": 2, "variables": [[component("EVSE"), {"name": "Power"}]], "components": ["Problem"]}
    await office.raw({"GetReport": query})
    same(office.told("GetReport")["component_criteria"], ["Problem"])
    messages = ["boot", "heartbeat", "meter", "status", "firmware", "log", "transaction", "publish-firmware"]
    for message in messages:
        await office.order("trigger", message=message, evse=1)
    same(len(charger.told("TriggerMessage")), len(messages))
    await office.order("unlock", "Unlocked", evse=2, connector=1)
    same(office.told("UnlockConnector"), {"evse_id": 2, "connector_id": 1})
    for kind, word in {"graceful": "Immediate", "when-idle": "OnIdle"}.items():
        await office.order("reset", kind=kind, evse=1)
        same(office.told("Reset"), {"type": word, "evse_id": 1})
    await office.order("change-availability", "Scheduled", evse=1, connector=1, operative=False)
    same(office.told("ChangeAvailability")["evse"], {"id": 1, "connector_id": 1})
    await office.order("change-availability", "Scheduled", operative=True)
    assert "evse" not in office.told("ChangeAvailability"), office.told("ChangeAvailability")
    await office.order("clear-cache")
    same(await office.raw("LocalListVersion"), {"ListVersion": 7})
    await office.order("reserve", id=4, evse=1, token="CARD-1", until=soon(2))
    same(office.told("ReserveNow")["id_token"], {"id_token": "CARD-1", "type": "ISO14443"})
    await office.order("cancel-reservation", id=4)
    for signed in (False, True):
        await office.order("update-firmware", **firmware_order(signed))
    same(office.told("UpdateFirmware")["firmware"]["signature"], "c2lnbmVk")
    same(await office.order("get-log", **log_order("security", request=12)), {"File": "log.zip"})
    await office.order("get-log", **log_order("diagnostics", request=13))
    checksum = "0123456789abcdef0123456789abcdef"
    location = "https://firmware.example.org/a"
    await office.raw({"PublishFirmware": {"request": 5, "location": location, "checksum": checksum, "retries": 1}})
    await office.raw({"UnpublishFirmware": {"checksum": checksum}}, "Unpublished")
    network = {
        "slot": 1, "interface": "Wired0", "version": "OCPP20", "url": "wss://charge.example.org/ocpp", "timeout_s": 30,
        "security_profile": 2,
    }
    await office.raw({"SetNetworkProfile": network})
    same(office.told("SetNetworkProfile")["connection_data"]["ocpp_csms_url"], "wss://charge.example.org/ocpp")
    data = {"vendor": "com.example", "message": "Answer", "data": '{"a": [1, 2]}'}
    charger.answers["DataTransfer"] = {"status": "Accepted", "data": {"b": 3}}
    same(json.loads((await office.raw({"Data": data}))["Data"]), {"b": 3})
    same(office.told("DataTransfer")["data"], {"a": [1, 2]})


async def charging(charger):
    """Profiles, messages on the display, monitors, certificates and customers."""
    await charger.connect()
    await boot(charger)
    office = Office(charger)
    transaction = Transaction(charger, Clock(10), "T-1")
    await transaction.start(0, 0)
    await office.order("set-charging-profile", evse=1, profile=profile("10.5"))
    [schedule] = office.told("SetChargingProfile")["charging_profile"]["charging_schedule"]
    same([period["limit"] for period in schedule["charging_schedule_period"]], [10.5, 16.5])
    await office.raw({"ClearChargingProfile": {"id": 5}})
    await office.raw({"ClearChargingProfile": {"evse": 1, "purpose": "TxDefaultProfile", "stack_level": 1}})
    await office.raw({"GetChargingProfiles": {"request": 6, "evse": 1, "ids": [5], "sources": ["CSO"]}}, "NoProfiles")
    wanted = {"place": {"evse": 1}, "duration_s": 600, "unit": "W"}
    await office.raw({"GetCompositeSchedule": wanted}, "Rejected")
    message = {"format": "UTF8", "language": "en", "content": "Welcome"}
    shown = {
        "id": 3, "priority": "NormalCycle", "state": "Charging", "from": soon_ms(0), "until": soon_ms(1),
        "transaction": {"theirs": "T-1"}, "message": message, "more": [],
    }
    await office.raw({"SetDisplayMessage": shown})
    same(office.told("SetDisplayMessage")["message"]["message"], message)
    await office.raw({"GetDisplayMessages": {"request": 7, "ids": [3], "priority": "InFront"}}, "Unknown")
    await office.raw({"ClearDisplayMessage": 3})
    await office.raw({"SetMonitoringBase": "All"})
    await office.raw({"SetMonitoringLevel": 4})
    monitor = {
        "value": "70.5", "kind": "UpperThreshold", "severity": 5, "component": component("EVSE", evse=1),
        "variable": {"name": "Temperature"},
    }
    found = await office.raw({"SetMonitors": [monitor]})
    same([result["id"] for result in found["Monitors"]], [70])
    query = {"request": 8, "variables": [], "criteria": ["ThresholdMonitoring"]}
    await office.raw({"GetMonitors": query}, "EmptyResultSet")
    await office.raw({"ClearMonitors": [70]})
    pem = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
    await office.raw({"InstallCertificate": {"usage": "CSMSRootCertificate", "certificate": pem}})
    await office.raw({"GetCertificates": ["V2GRootCertificate"]}, "NotFound")
    part = {"algorithm": "SHA256", "issuer_name": "00ff", "issuer_key": "11ee", "serial": "22dd"}
    await office.raw({"DeleteCertificate": part})
    await office.raw({"CertificateSigned": {"chain": pem, "usage": "ChargingStationCertificate"}})
    await office.raw({"CustomerInformation": {"request": 9, "report": True, "clear": False, "identifier": "d-1"}})
    same((await office.raw({"TransactionStatus": None}))["Transaction"]["queued"], True)
    await office.raw({"RunningCost": {"reference": {"theirs": "T-1"}, "total": "12.345"}})
    same(office.told("CostUpdated")["total_cost"], 12.345)
    await transaction.end(5, 1000)


async def newest(charger):
    """What 2.1 adds; a charger of 2.0.1 is not told any of it."""
    await charger.connect()
    await boot(charger)
    office = Office(charger)
    default = {"SetDefaultTariff": {"evse": 0, "tariff": tariff("day-1")}}
    if charger.version != "2.1":
        status, problem = await charger.desk.try_order(charger.identity, {"do": "raw", "command": default})
        assert status == 422 and "tariffs" in json.dumps(problem), problem
        return
    transaction = Transaction(charger, Clock(10), "T-1")
    await transaction.start(0, 0)
    reference = {"theirs": "T-1"}
    await office.raw(default)
    told = office.told("SetDefaultTariff")
    same((told["evse_id"], told["tariff"]["tariff_id"], told["tariff"]["currency"]), (0, "day-1", "EUR"))
    prices = told["tariff"]["energy"]["prices"]
    same([price["price_kwh"] for price in prices], [0.15, 0.318725])
    night = {"start_time_of_day": "22:00", "end_time_of_day": "06:00", "day_of_week": ["Saturday"]}
    same(prices[0]["conditions"], night)
    same(told["tariff"]["energy"]["tax_rates"], [{"type": "VAT", "tax": 25.5}])
    found = await office.raw({"GetTariffs": {"evse": 1}})
    same([(each["id"], each["evses"]) for each in found["Tariffs"]], [("day-1", [1, 2])])
    await office.raw({"ClearTariffs": {"ids": ["day-1"]}})
    await office.raw({"ChangeTransactionTariff": {"reference": reference, "tariff": tariff("day-2")}})
    await office.raw({"UsePriorityCharging": {"reference": reference, "activate": True}})
    await office.raw({"AllowEnergyTransfer": {"reference": reference, "transfers": ["AC_single_phase", "DC_BPT"]}})
    update = {"limits": [None, None], "discharge": [None] * 3, "setpoints": [None] * 3, "reactive": [None] * 3}
    rates = update | {"limits": ["7.2", None]}
    await office.raw({"UpdateDynamicSchedule": {"profile": 5, "update": {"limit": "11", "rates": rates}}})
    await office.raw("GetStreams")
    await office.raw({"AdjustStream": {"id": 1, "rate": {"interval_s": 10, "values": 5}}})
    await office.raw({"WebPaymentStarted": {"evse": 1, "timeout_s": 60}})
    await office.raw({"SwapBattery": {"token": {"id": "CARD-1", "kind": "ISO14443", "more": []}, "request": 10}})
    await office.raw({"FrequencySignal": {"at": soon_ms(0), "signal": -3}})
    gradient = {"Gradient": {"priority": 1, "gradient": "0.5", "soft": "1.5"}}
    await office.raw({"SetDer": {"is_default": True, "id": "G-1", "kind": "Gradients", "setting": gradient}})
    when = {"start": soon_ms(0), "duration_s": "60"}
    curve = {"points": [["47.5", "0"], ["48", "10"]], "priority": 2, "unit": "PctMaxW", "when": when}
    await office.raw({"SetDer": {"is_default": False, "id": "C-1", "kind": "FreqWatt", "setting": {"Curve": curve}}})
    await office.raw({"GetDer": {"request": 11, "is_default": True}}, "NotFound")
    await office.raw({"ClearDer": {"is_default": False, "kind": "FreqWatt", "id": "C-1"}})
    await office.order("reset", kind="resume")
    same(office.told("Reset"), {"type": "ImmediateAndResume"})
    await transaction.end(5, 1000)


SCENES = [orders, charging, newest]
