"""What chargers of OCPP 2.0.1 and 2.1 measure, and what they tell beside sessions."""

from charger import Clock, check_bill, same
from scenes2 import Transaction, boot, card, register, status


async def units(charger):
    """Registers in other units, outside of events, and in their middle when the end is told already."""
    await charger.connect()
    await boot(charger)
    clock = Clock(60)
    transaction = Transaction(charger, clock, "T-1")
    await transaction.start(0, 0)
    for minute, value, unit in ((5, 1.25, {"unit": "Wh", "multiplier": 3}), (10, 3.5, {"unit": "kWh"})):
        event = transaction.event("Updated", minute, "MeterValuePeriodic")
        sample = register(value) | {"unit_of_measure": unit}
        event["meter_value"] = [{"timestamp": clock.at(minute), "sampled_value": [sample]}]
        await charger.say("TransactionEvent", **event)
        same((await charger.desk.session(charger.identity))["energy_kwh"], str(value))
    values = [{"timestamp": clock.at(20), "sampled_value": [register(6000)]}]
    await charger.say("MeterValues", evse_id=1, meter_value=values)
    same((await charger.desk.session(charger.identity))["energy_kwh"], "6")
    late = transaction.event("Updated", 22, "MeterValuePeriodic", 6100)
    await transaction.end(25, 6500)
    await charger.say("TransactionEvent", **late)
    [session] = await charger.desk.billed(charger.identity)
    check_bill(session, "6.5", {"start fee": "0.50", "energy": "2.60"}, "3.10", "2.47", "0.63")
    same(session["flags"], [])


async def car_stays(charger):
    """The transaction ends with the card; the car stands there for another half an hour."""
    await charger.connect()
    await boot(charger)
    clock = Clock(90)
    await status(charger, clock.at(0), "Occupied")
    transaction = Transaction(charger, clock, "T-1")
    await transaction.start(0, 0)
    await transaction.meter(20, 6000)
    stopped = {"id_token": card(), "info": {"stopped_reason": "Local"}}
    same((await transaction.say("Ended", 30, "StopAuthorized", 9000, **stopped)).total_cost, 4.1)
    same((await charger.desk.session(charger.identity))["bills"], [])
    await status(charger, clock.at(60), "Available")
    [session] = await charger.desk.billed(charger.identity)
    charges = {"start fee": "0.50", "energy": "3.60", "idle fee": "2.00"}
    check_bill(session, "9", charges, "6.10", "4.86", "1.24")
    same(session["flags"], [])


async def reports(charger):
    """What a charger tells beside sessions is answered."""
    await charger.connect()
    await boot(charger)
    at = Clock(2).at(0)
    await charger.say("FirmwareStatusNotification", status="Downloading", request_id=9)
    await charger.say("LogStatusNotification", status="Uploaded", request_id=12)
    await charger.say("SecurityEventNotification", type="FirmwareUpdated", timestamp=at)
    await charger.say("ReservationStatusUpdate", reservation_id=4, reservation_update_status="Expired")
    component = {"name": "EVSE", "evse": {"id": 2, "connector_id": 1}}
    event = {
        "event_id": 1, "timestamp": at, "trigger": "Alerting", "actual_value": "true", "component": component,
        "event_notification_type": "HardWiredNotification", "variable": {"name": "Problem"},
    }
    if charger.version == "2.1":
        event["severity"] = 3
    await charger.say("NotifyEvent", generated_at=at, seq_no=0, event_data=[event])
    attribute = [{"value": "true", "mutability": "ReadOnly"}]
    report = {"component": component, "variable": {"name": "Available"}, "variable_attribute": attribute}
    await charger.say("NotifyReport", request_id=3, generated_at=at, seq_no=0, report_data=[report])
    await charger.say("NotifyMonitoringReport", request_id=3, seq_no=0, generated_at=at)
    await charger.say("NotifyDisplayMessages", request_id=3)
    await charger.say("NotifyCustomerInformation", data="nothing", seq_no=0, generated_at=at, request_id=3)
    await charger.say("PublishFirmwareStatusNotification", status="Idle")
    await charger.say("NotifyChargingLimit", charging_limit={"charging_limit_source": "EMS"})
    await charger.say("ClearedChargingLimit", charging_limit_source="EMS")
    needs = {"ev_max_current": 100, "ev_max_voltage": 400}
    needs = {"requested_energy_transfer": "DC", "dc_charging_parameters": needs}
    answer = await charger.say("NotifyEVChargingNeeds", evse_id=1, charging_needs=needs)
    same(answer.status, "NoChargingProfile" if charger.version == "2.1" else "Rejected")
    answer = await charger.say("DataTransfer", vendor_id="com.example", message_id="Hello", data={"a": 1})
    assert answer.status in ("UnknownVendorId", "Rejected"), answer
    await status(charger, at, "Faulted", 2)
    shown = await charger.desk.get(f"/api/v1/chargers/{charger.identity}")
    wanted = (True, f"ocpp{charger.version}", "Others", "Py", "S-1", "2.0")
    same(tuple(shown[name] for name in ("online", "protocol", "vendor", "model", "serial", "firmware")), wanted)
    [place] = [place for place in shown["connectors"] if place["evse"] == 2]
    same((place["connector"], place["status"]), (1, "Faulted"))


async def paid_at_the_charger(charger):
    """A charger of 2.1 has worked out the cost itself, and was paid."""
    await charger.connect()
    await boot(charger)
    if charger.version != "2.1":
        return
    clock = Clock(60)
    transaction = Transaction(charger, clock, "T-1")
    await transaction.start(0, 0)
    total = {"currency": "EUR", "type_of_cost": "NormalCost", "total": {"incl_tax": 4.1, "excl_tax": 3.27}}
    usage = {"energy": 9, "charging_time": 1800, "idle_time": 0}
    period = {"start_period": clock.at(0), "dimensions": [{"type": "Energy", "volume": 9}]}
    details = {"total_cost": total, "total_usage": usage, "charging_periods": [period]}
    same((await transaction.end(30, 9000, cost_details=details)).total_cost, 4.1)
    paid = {"psp_ref": "P-1", "status": "Settled", "settlement_amount": 4.1, "settlement_time": clock.at(31)}
    await charger.say("NotifySettlement", transaction_id="T-1", **paid)
    same((await charger.say("VatNumberValidation", vat_number="FI12345671")).vat_number, "FI12345671")
    [session] = await charger.desk.billed(charger.identity)
    check_bill(session, "9", {"start fee": "0.50", "energy": "3.60"}, "4.10", "3.27", "0.83")


SCENES = [units, car_stays, reports, paid_at_the_charger]
