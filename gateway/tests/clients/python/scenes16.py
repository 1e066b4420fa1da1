"""What chargers of OCPP 1.6 live through."""

import asyncio
import json
from datetime import datetime, timezone

from charger import Charger, Clock, check_bill, refused, same, until

def register(wh, **more):
    return {"value": str(wh), "measurand": "Energy.Active.Import.Register", "unit": "Wh", **more}


async def boot(charger):
    answer = await charger.say("BootNotification", charge_point_model="Py", charge_point_vendor="Others")
    same(answer.status, "Accepted")
    behind = datetime.now(timezone.utc) - datetime.fromisoformat(answer.current_time.replace("Z", "+00:00"))
    assert abs(behind.total_seconds()) < 5, answer
    await charger.say("Heartbeat")


async def status(charger, at, word, connector=1):
    fields = {"connector_id": connector, "error_code": "NoError", "status": word, "timestamp": at}
    await charger.say("StatusNotification", **fields)


async def start(charger, at, wh, connector=1, tag="CARD-1"):
    fields = {"connector_id": connector, "id_tag": tag, "meter_start": wh, "timestamp": at}
    answer = await charger.say("StartTransaction", **fields)
    same(answer.id_tag_info["status"], "Accepted", tag)
    assert answer.transaction_id > 0, answer
    return answer.transaction_id


async def meter(charger, at, wh, transaction=None, connector=1):
    values = [{"timestamp": at, "sampledValue": [register(wh)]}]
    await charger.say("MeterValues", connector_id=connector, transaction_id=transaction, meter_value=values)


async def stop(charger, at, wh, transaction, **more):
    fields = {"meter_stop": wh, "timestamp": at, "transaction_id": transaction, "reason": "Local", **more}
    return await charger.say("StopTransaction", **fields)


async def whole_session(charger):
    await charger.connect()
    await boot(charger)
    clock = Clock(90)
    await status(charger, clock.at(0), "Preparing")
    known = await charger.say("Authorize", id_tag="CARD-1")
    same(known.id_tag_info, {"status": "Accepted", "parent_id_tag": "FLAT-1"})
    transaction = await start(charger, clock.at(1), 1000)
    await status(charger, clock.at(1), "Charging")
    await meter(charger, clock.at(10), 4000, transaction)
    await meter(charger, clock.at(20), 9000, transaction)
    running = await charger.desk.session(charger.identity)
    same((running["status"], running["energy_kwh"], running["bills"]), ("running", "8", []))
    # 8 kWh and the start fee.
    same(running["cost"], {"currency": "EUR", "total": "3.70"})
    await meter(charger, clock.at(30), 13345, transaction)
    await status(charger, clock.at(30), "SuspendedEV")
    ended = await stop(charger, clock.at(45), 13345, transaction, id_tag="CARD-1")
    same(ended.id_tag_info["status"], "Accepted")
    await status(charger, clock.at(45), "Finishing")
    same((await charger.desk.session(charger.identity))["bills"], [], "the car is still there")
    await status(charger, clock.at(60), "Available")
    [session] = await charger.desk.billed(charger.identity)
    # 12.345 kWh; 30 minutes at the plug after charging, ten of them free.
    charges = {"start fee": "0.50", "energy": "4.94", "idle fee": "2.00"}
    check_bill(session, "12.345", charges, "7.44", "5.93", "1.51")
    same((session["token"], session["driver"], session["flags"]), ("CARD-1", "d-1", []))
    same((session["transaction"], session["status"]), (str(transaction), "ended"))
    for name, minutes in {"plugged_in": 0, "started": 1, "stopped": 45, "unplugged": 60}.items():
        told = datetime.fromisoformat(session[name])
        same(told, datetime.fromisoformat(clock.at(minutes).replace("Z", "+00:00")), name)


async def unplugged_message(charger):
    """A charger that says by the cost messages when the car has gone, and shows nothing else."""
    await charger.connect()
    await boot(charger)
    clock = Clock(60)
    transaction = await start(charger, clock.at(0), 0)
    await meter(charger, clock.at(20), 6000, transaction)
    await status(charger, clock.at(20), "SuspendedEV")
    await stop(charger, clock.at(30), 6000, transaction)
    await status(charger, clock.at(30), "Finishing")
    data = json.dumps({"transactionId": transaction, "timestamp": clock.at(40)})
    cost = {"vendor_id": "org.openchargealliance.costmsg", "message_id": "ConnectorUnplugged"}
    same((await charger.say("DataTransfer", **cost, data=data)).status, "Accepted")
    [session] = await charger.desk.billed(charger.identity)
    charges = {"start fee": "0.50", "energy": "2.40", "idle fee": "1.00"}
    check_bill(session, "6", charges, "3.90", "3.11", "0.79")
    same(session["flags"], [])


async def both_connectors(charger):
    await charger.connect()
    await boot(charger)
    clock = Clock(90)
    one = await start(charger, clock.at(0), 50_000, 1, "CARD-1")
    two = await start(charger, clock.at(2), 7_000, 2, "CARD-2")
    assert one != two
    for minute in range(5, 60, 5):
        await meter(charger, clock.at(minute), 50_000 + 200 * minute, one, 1)
        # The connector tells whose it is.
        await meter(charger, clock.at(minute), 7_000 + 100 * minute, None, 2)
    # The meter of the whole charger is nobody's.
    await meter(charger, clock.at(58), 9_999_999, None, 0)
    await stop(charger, clock.at(60), 62_000, one)
    await status(charger, clock.at(60), "Available", 1)
    await stop(charger, clock.at(61), 13_100, two)
    await status(charger, clock.at(61), "Available", 2)
    listed = await charger.desk.billed(charger.identity, 2)
    first, second = sorted(listed, key=lambda session: session["evse"])
    same((first["evse"], second["evse"], first["driver"], second["driver"]), (1, 2, "d-1", "d-2"))
    check_bill(first, "12", {"start fee": "0.50", "energy": "4.80"}, "5.30", "4.22", "1.08")
    # Staff pay 0.30.
    check_bill(second, "6.1", {"start fee": "0.50", "energy": "1.83"}, "2.33", "1.86", "0.47")
    same((first["flags"], second["flags"]), ([], []))


async def units(charger):
    """Registers in kWh beside power, and registers of each phase."""
    await charger.connect()
    await boot(charger)
    clock = Clock(60)

    def kwh(value):
        power = {"value": "11.0", "measurand": "Power.Active.Import", "unit": "kW"}
        return [register(value) | {"unit": "kWh"}, power]

    def phases(value):
        return [register(value, phase=phase) for phase in ("L1", "L2", "L3")]

    for connector, samples in ((1, [kwh("3.5"), kwh("6.000")]), (2, [phases(1000), phases(2000)])):
        transaction = await start(charger, clock.at(0), 0, connector)
        fields = {"connector_id": connector, "transaction_id": transaction}
        for minute, values in zip((10, 20), samples):
            batch = [{"timestamp": clock.at(minute), "sampledValue": values}]
            await charger.say("MeterValues", meter_value=batch, **fields)
        sessions = await charger.desk.sessions(charger.identity)
        same(sessions[-1]["energy_kwh"], "6")
        await stop(charger, clock.at(25), 6500, transaction)
        await status(charger, clock.at(25), "Available", connector)
        for session in await charger.desk.billed(charger.identity, connector):
            check_bill(session, "6.5", {"start fee": "0.50", "energy": "2.60"}, "3.10", "2.47", "0.63")
            same(session["flags"], [])
        clock = Clock(30)


async def offline(charger):
    """Away for two hours; everything is told afterwards, with the charger's own times."""
    await charger.connect()
    await boot(charger)
    await charger.leave()
    clock = Clock(120)
    await charger.connect()
    for minute, wh in ((0, 0), (50, 20_000)):
        transaction = await start(charger, clock.at(minute), wh)
        for step in range(1, 5):
            await meter(charger, clock.at(minute + 5 * step), wh + 3000 * step, transaction)
        data = [
            {"timestamp": clock.at(minute), "sampledValue": [register(wh, context="Transaction.Begin")]},
            {"timestamp": clock.at(minute + 30), "sampledValue": [register(wh + 15_000, context="Transaction.End")]},
        ]
        await stop(charger, clock.at(minute + 30), wh + 15_000, transaction, transaction_data=data)
        await status(charger, clock.at(minute + 30), "Available")
    for session in await charger.desk.billed(charger.identity, 2):
        check_bill(session, "15", {"start fee": "0.50", "energy": "6.00"}, "6.50", "5.18", "1.32")
        same(session["flags"], [])


async def lost_answer(charger):
    """The charger does not hear the answers to its start and its stop, and says them again."""
    await charger.connect()
    await boot(charger)
    clock = Clock(60)
    fields = {"connector_id": 1, "id_tag": "CARD-1", "meter_start": 100, "timestamp": clock.at(0)}
    await charger.unheard("StartTransaction", **fields)
    await charger.leave()
    await charger.connect()
    transaction = await start(charger, clock.at(0), 100)
    same(await start(charger, clock.at(0), 100), transaction)
    same((await charger.desk.session(charger.identity))["transaction"], str(transaction))
    await meter(charger, clock.at(10), 5100, transaction)
    fields = {"meter_stop": 10_100, "timestamp": clock.at(20), "transaction_id": transaction, "reason": "Local"}
    await charger.unheard("StopTransaction", **fields)
    await charger.leave()
    await charger.connect()
    for _ in range(2):
        await stop(charger, clock.at(20), 10_100, transaction)
    await status(charger, clock.at(20), "Available")
    [session] = await charger.desk.billed(charger.identity)
    check_bill(session, "10", {"start fee": "0.50", "energy": "4.00"}, "4.50", "3.59", "0.91")
    # Once more, long after the bill.
    same(await start(charger, clock.at(0), 100), transaction)
    await stop(charger, clock.at(20), 10_100, transaction)
    same(len((await charger.desk.billed(charger.identity))[0]["bills"]), 1)


async def reconnect(charger):
    """The line breaks in the middle of a session; there is no boot afterwards, and no goodbye."""
    await charger.connect()
    await boot(charger)
    clock = Clock(60)
    transaction = await start(charger, clock.at(0), 0)
    await meter(charger, clock.at(5), 2000, transaction)
    charger.socket.transport.abort()
    await charger.listening
    await charger.connect()
    await meter(charger, clock.at(10), 4000, transaction)
    # The charger has lost its line and comes again before we know.
    old, listening = charger.socket, charger.listening
    await charger.connect()
    await asyncio.wait_for(listening, 10)
    assert old.close_code is not None
    await meter(charger, clock.at(15), 6000, transaction)
    outcome = await charger.desk.order(charger.identity, "trigger", message="heartbeat")
    same((outcome["status"], len(charger.told("TriggerMessage"))), ("Accepted", 1))
    await stop(charger, clock.at(20), 8000, transaction)
    await status(charger, clock.at(20), "Available")
    [session] = await charger.desk.billed(charger.identity)
    check_bill(session, "8", {"start fee": "0.50", "energy": "3.20"}, "3.70", "2.95", "0.75")
    same(session["flags"], [])


async def reboot(charger):
    """The charger restarts in the middle of a session, and tells of its end afterwards."""
    await charger.connect()
    await boot(charger)
    clock = Clock(30)
    transaction = await start(charger, clock.at(0), 0)
    await meter(charger, clock.at(10), 3000, transaction)
    await charger.leave()
    await charger.connect()
    await boot(charger)
    await status(charger, clock.at(12), "Finishing")
    await stop(charger, clock.at(11), 3500, transaction, reason="Reboot")
    await status(charger, clock.at(13), "Available")
    [session] = await charger.desk.billed(charger.identity)
    check_bill(session, "3.5", {"start fee": "0.50", "energy": "1.40"}, "1.90", "1.51", "0.39")
    same(session["flags"], [])


async def burst(charger):
    """Two days of queued values at once, without waiting for answers; then all of them again."""
    await charger.connect()
    await boot(charger)
    clock = Clock(2 * 24 * 60)
    transaction = await start(charger, clock.at(0), 0)
    for _ in range(2):
        for number in range(1, 201):
            values = [{"timestamp": clock.at(10 * number), "sampledValue": [register(100 * number)]}]
            fields = {"connector_id": 1, "transaction_id": transaction, "meter_value": values}
            await charger.unheard("MeterValues", message_id=str(number), **fields)
    await stop(charger, clock.at(2010), 20_000, transaction)
    same(len([answer for answer in charger.answered if answer.isdigit()]), 400)
    await status(charger, clock.at(2010), "Available")
    [session] = await charger.desk.billed(charger.identity)
    check_bill(session, "20", {"start fee": "0.50", "energy": "8.00"}, "8.50", "6.77", "1.73")
    same(session["flags"], [])


async def wrong_password(charger):
    same(await refused(charger.connect("wrong horse")), 401)
    stranger = Charger(charger.desk, "NOBODY", {})
    same(await refused(stranger.connect()), 404)
    await charger.connect()
    await boot(charger)
    # A new password counts from the next connection on, and then alone.
    key = {"key": "AuthorizationKey", "value": "battery staple 2026"}
    await charger.desk.order(charger.identity, "set-configuration", **key)
    assert key in charger.told("ChangeConfiguration"), charger.heard
    await charger.leave()
    await charger.connect("battery staple 2026")
    await charger.say("Heartbeat")
    await charger.leave()
    same(await refused(charger.connect()), 401)
    listed = json.dumps(await charger.desk.get(f"/api/v1/chargers/{charger.identity}/commands"))
    assert "staple" not in listed, listed


async def held(charger):
    """A charger that nobody named waits until somebody lets it in."""
    stranger = Charger(charger.desk, "NEW-1", charger.answers)
    charger.complaints = stranger.complaints
    await stranger.connect()
    fields = {"charge_point_model": "Py", "charge_point_vendor": "Others"}
    waiting = await stranger.say("BootNotification", **fields)
    assert waiting.status == "Pending" and waiting.interval > 0, waiting
    same((await stranger.say("Authorize", id_tag="CARD-1")).id_tag_info["status"], "Invalid")
    await charger.desk.let_in("NEW-1")
    same(await stranger.until_told("TriggerMessage"), {"requested_message": "BootNotification"})
    await boot(stranger)
    same((await stranger.say("Authorize", id_tag="CARD-1")).id_tag_info["status"], "Accepted")
    await stranger.leave()


async def tokens(charger):
    await charger.connect()
    await boot(charger)
    words = {"card-1": "Accepted", "LOST": "Blocked", "NOBODYS": "Invalid", "DESK": "Accepted"}
    for tag, word in words.items():
        same((await charger.say("Authorize", id_tag=tag)).id_tag_info["status"], word, tag)
    clock = Clock(60)
    # A start that has happened gets its number, whoever it was. Nobody is billed for it by itself.
    for number, tag in enumerate(["LOST", "NOBODYS", "DESK"]):
        at = [clock.at(5 * number), clock.at(5 * number + 2)]
        fields = {"connector_id": 1, "id_tag": tag, "meter_start": 0, "timestamp": at[0]}
        answer = await charger.say("StartTransaction", **fields)
        same(answer.id_tag_info["status"], "Blocked" if tag == "LOST" else "Invalid", tag)
        await stop(charger, at[1], 1000, answer.transaction_id)
        await status(charger, at[1], "Available")
    # The second card of a flat ends what the first one began.
    transaction = await start(charger, clock.at(20), 0)
    ended = await stop(charger, clock.at(40), 10_000, transaction, id_tag="CARD-1B")
    same(ended.id_tag_info["status"], "Accepted")
    await status(charger, clock.at(40), "Available")

    async def look():
        listed = await charger.desk.sessions(charger.identity)
        return listed if len(listed) == 4 and listed[3]["bills"] else None

    listed = await until(look, "four sessions and a bill")
    check_bill(listed[3], "10", {"start fee": "0.50", "energy": "4.00"}, "4.50", "3.59", "0.91")
    for session in listed[:3]:
        same((session["bills"], [flag["flag"] for flag in session["flags"]]), ([], ["token-refused"]))


async def one_at_a_time(charger):
    """A card that charges at one connector is refused at the other, and may again once it has ended."""
    await charger.connect()
    await boot(charger)
    clock = Clock(30)
    transaction = await start(charger, clock.at(0), 0, 1, "CARD-3")
    fields = {"connector_id": 2, "id_tag": "CARD-3", "meter_start": 0, "timestamp": clock.at(5)}
    second = await charger.say("StartTransaction", **fields)
    same(second.id_tag_info["status"], "ConcurrentTx")
    await stop(charger, clock.at(5), 0, second.transaction_id, reason="DeAuthorized")
    await stop(charger, clock.at(10), 3000, transaction)
    await status(charger, clock.at(10), "Available", 1)
    third = await start(charger, clock.at(12), 0, 2, "CARD-3")
    await stop(charger, clock.at(20), 3000, third)


async def remote(charger):
    """Started and stopped by the office; the bill is there although the charger never says how the plug is."""
    await charger.connect()
    await boot(charger)
    clock = Clock(60)
    desk, identity = charger.desk, charger.identity
    same((await desk.order(identity, "remote-start", evse=2, token="card-2"))["status"], "Accepted")
    # As it is written in the books.
    same(charger.told("RemoteStartTransaction"), [{"connector_id": 2, "id_tag": "CARD-2"}])
    transaction = await start(charger, clock.at(0), 0, 2, "CARD-2")
    await status(charger, clock.at(0), "Charging", 2)
    await meter(charger, clock.at(30), 9000, transaction, 2)
    session = await desk.session(identity)
    same((await desk.order(identity, "remote-stop", session=session["id"]))["status"], "Accepted")
    same(charger.told("RemoteStopTransaction"), [{"transaction_id": transaction}])
    await stop(charger, clock.at(31), 9000, transaction, reason="Remote")
    await status(charger, clock.at(31), "Available", 2)
    [session] = await desk.billed(identity)
    check_bill(session, "9", {"start fee": "0.50", "energy": "2.70"}, "3.20", "2.55", "0.65")
    # What the charger refuses is told, and what cannot be is an error.
    charger.answers["RemoteStartTransaction"] = {"status": "Rejected"}
    same((await desk.order(identity, "remote-start", token="CARD-1"))["status"], "Rejected")
    same(charger.told("RemoteStartTransaction")[1:], [{"id_tag": "CARD-1"}])
    status_code, problem = await desk.try_order(identity, {"do": "remote-stop", "session": "no such"})
    same(status_code, 422, problem)
    await charger.leave()

    async def gone():
        return (await desk.try_order(identity, {"do": "clear-cache"}))[0] == 409

    await until(gone, "an order to a charger that is away")


async def local_list(charger):
    await charger.connect()
    await boot(charger)
    for number in (1, 2):
        same((await charger.desk.order(charger.identity, "send-local-list"))["status"], "Accepted")
        listed = charger.told("SendLocalList")[-1]
        same((listed["update_type"], listed["list_version"]), ("Full", number))
        tags = {entry["id_tag"]: entry["id_tag_info"] for entry in listed["local_authorization_list"]}
        # Neither the blocked card nor the one that starts nothing.
        same(set(tags), {"CARD-1", "CARD-1B", "CARD-2", "CARD-3"})
        same(tags["CARD-1B"], {"status": "Accepted", "parent_id_tag": "FLAT-1"})


async def taught(charger):
    """Some time after it has come, a charger is told what the set-up wants of it."""
    await charger.connect()
    await boot(charger)
    charger.answers["ChangeConfiguration"] = lambda payload: {
        "status": "NotSupported" if payload["key"] == "AllowOfflineTxForUnknownId" else "Accepted"
    }
    # The last of it.
    await charger.until_told("SendLocalList", patience=45)
    same({payload["key"]: payload["value"] for payload in charger.told("ChangeConfiguration")}, {
        "MeterValueSampleInterval": "30", "LocalAuthorizeOffline": "true", "AllowOfflineTxForUnknownId": "false",
        "LocalAuthListEnabled": "true",
    })


async def reports(charger):
    """What a charger tells beside sessions is answered."""
    await charger.connect()
    await boot(charger)
    await charger.say("FirmwareStatusNotification", status="Downloading")
    await charger.say("DiagnosticsStatusNotification", status="Uploaded")
    await charger.say("LogStatusNotification", status="Uploaded", request_id=12)
    await charger.say("SignedFirmwareStatusNotification", status="Installed", request_id=9)
    await charger.say("SecurityEventNotification", type="FirmwareUpdated", timestamp=Clock(1).at(0), tech_info=None)
    answer = await charger.say("DataTransfer", vendor_id="com.example", message_id="Hello", data="1")
    assert answer.status in ("UnknownVendorId", "Rejected"), answer
    at = Clock(2).at(0)
    fields = {"connector_id": 2, "error_code": "GroundFailure", "status": "Faulted", "timestamp": at}
    await charger.say("StatusNotification", **fields, info="relay", vendor_id="Others", vendor_error_code="E7")
    shown = await charger.desk.get(f"/api/v1/chargers/{charger.identity}")
    same((shown["online"], shown["protocol"], shown["vendor"], shown["model"]), (True, "ocpp1.6", "Others", "Py"))
    [place] = [place for place in shown["connectors"] if place["evse"] == 2]
    assert place["status"] == "Faulted" and "GroundFailure" in json.dumps(place["fault"]), place


async def cost_on_the_display(charger):
    """The cost messages: JSON inside DataTransfer."""
    await charger.connect()
    await boot(charger)
    clock = Clock(4)
    transaction = await start(charger, clock.at(0), 100_000)

    def costs(message):
        told = [data for data in charger.told("DataTransfer") if data["message_id"] == message]
        assert all(data["vendor_id"] == "org.openchargealliance.costmsg" for data in told), told
        return [json.loads(data["data"]) for data in told]

    async def running(state):
        return next((cost for cost in costs("RunningCost") if cost["state"] == state), None)

    cost = await until(lambda: running("Charging"), "the running cost")
    same((cost["transactionId"], cost["cost"], cost["meterValue"]), (transaction, 0.5, 100_000))
    same(cost["timestamp"], clock.at(0))
    same(cost["chargingPrice"], {"kWhPrice": 0.4, "flatFee": 0.5})
    same(cost["idlePrice"], {"graceMinutes": 10, "hourPrice": 6})
    known = {"transactionId", "timestamp", "meterValue", "cost", "state", "chargingPrice", "idlePrice"}
    same(set(cost) - {"nextPeriod"}, known)
    # A new state is shown at once.
    await meter(charger, clock.at(2), 107_500, transaction)
    await status(charger, clock.at(2), "SuspendedEV")
    cost = await until(lambda: running("Idle"), "the cost of standing")
    same((cost["transactionId"], cost["cost"], cost["meterValue"]), (transaction, 3.5, 107_500))
    await stop(charger, clock.at(3), 107_500, transaction)
    await status(charger, clock.at(3), "Available")

    async def last():
        return next(iter(costs("FinalCost")), None)

    final = await until(last, "the final cost")
    same((final["transactionId"], final["cost"]), (transaction, 3.5))
    assert "3.50" in final["priceText"], final
    [session] = await charger.desk.billed(charger.identity)
    check_bill(session, "7.5", {"start fee": "0.50", "energy": "3.00"}, "3.50", "2.79", "0.71")


SCENES = [
    whole_session, unplugged_message, both_connectors, units, offline, lost_answer, reconnect, reboot, burst,
    wrong_password, held, tokens, one_at_a_time, remote, local_list, taught, reports, cost_on_the_display,
]
