"""What chargers of OCPP 2.0.1 and 2.1 live through."""

import asyncio
import json
from datetime import datetime, timezone

from ocpp.exceptions import SecurityError

from charger import Charger, Clock, check_bill, refused, same, until

GROUP = {"id_token": "FLAT-1", "type": "Central"}


def card(token="CARD-1"):
    return {"id_token": token, "type": "ISO14443"}


def register(wh, context="Sample.Periodic"):
    return {"value": wh, "context": context, "measurand": "Energy.Active.Import.Register"}


async def boot(charger):
    station = {"model": "Py", "vendor_name": "Others", "firmware_version": "2.0", "serial_number": "S-1"}
    answer = await charger.say("BootNotification", charging_station=station, reason="PowerUp")
    same(answer.status, "Accepted")
    behind = datetime.now(timezone.utc) - datetime.fromisoformat(answer.current_time.replace("Z", "+00:00"))
    assert abs(behind.total_seconds()) < 5, answer
    await charger.say("Heartbeat")


async def status(charger, at, word, evse=1):
    fields = {"timestamp": at, "connector_status": word, "evse_id": evse, "connector_id": 1}
    await charger.say("StatusNotification", **fields)


class Transaction:
    """A transaction of a charger; every event has the next number."""

    def __init__(self, charger, clock, name, evse=1):
        self.charger, self.clock, self.name, self.evse = charger, clock, name, evse
        self.seq = 0

    def event(self, kind, minute, trigger, wh=None, state=None, **more):
        info = {"transaction_id": self.name, **more.pop("info", {})}
        if state:
            info["charging_state"] = state
        fields = {
            "event_type": kind, "timestamp": self.clock.at(minute), "trigger_reason": trigger, "seq_no": self.seq,
            "transaction_info": info, **more,
        }
        if self.seq == 0:
            fields["evse"] = {"id": self.evse, "connector_id": 1}
        if wh is not None:
            context = {"Started": "Transaction.Begin", "Ended": "Transaction.End"}.get(kind, "Sample.Periodic")
            fields["meter_value"] = [{"timestamp": self.clock.at(minute), "sampled_value": [register(wh, context)]}]
        self.seq += 1
        return fields

    async def say(self, *event, **more):
        return await self.charger.say("TransactionEvent", **self.event(*event, **more))

    async def start(self, minute, wh, token=None, **more):
        answer = await self.say("Started", minute, "Authorized", wh, "Charging", id_token=token or card(), **more)
        same(answer.id_token_info["status"], "Accepted")

    async def meter(self, minute, wh, **more):
        return await self.say("Updated", minute, "MeterValuePeriodic", wh, **more)

    async def end(self, minute, wh, **more):
        more.setdefault("info", {"stopped_reason": "EVDisconnected"})
        return await self.say("Ended", minute, "EVDeparted", wh, **more)


async def whole_session(charger):
    await charger.connect()
    await boot(charger)
    clock = Clock(90)
    await status(charger, clock.at(0), "Occupied")
    transaction = Transaction(charger, clock, "T-1")
    await transaction.say("Started", 0, "CablePluggedIn", 1000, "EVConnected")
    known = await charger.say("Authorize", id_token=card())
    same(known.id_token_info["status"], "Accepted")
    same(known.id_token_info["group_id_token"], GROUP)
    answer = await transaction.say("Updated", 1, "Authorized", id_token=card())
    same(answer.id_token_info["status"], "Accepted")
    await transaction.say("Updated", 1, "ChargingStateChanged", None, "Charging")
    await transaction.meter(10, 4000)
    answer = await transaction.meter(20, 9000)
    # 8 kWh and the start fee.
    same(answer.total_cost, 3.7)
    same(answer.updated_personal_message["content"], "3.70 EUR")
    running = await charger.desk.session(charger.identity)
    same((running["status"], running["energy_kwh"], running["bills"]), ("running", "8", []))
    same(running["cost"], {"currency": "EUR", "total": "3.70"})
    await transaction.meter(30, 13_345)
    await transaction.say("Updated", 30, "ChargingStateChanged", None, "SuspendedEV")
    await transaction.say("Updated", 45, "StopAuthorized", None, "EVConnected", id_token=card())
    same((await charger.desk.session(charger.identity))["bills"], [], "the car is still there")
    answer = await transaction.end(60, 13_345)
    same((answer.total_cost, answer.updated_personal_message["content"]), (7.44, "7.44 EUR"))
    await status(charger, clock.at(60), "Available")
    [session] = await charger.desk.billed(charger.identity)
    # 12.345 kWh; 30 minutes at the plug after charging, ten of them free.
    charges = {"start fee": "0.50", "energy": "4.94", "idle fee": "2.00"}
    check_bill(session, "12.345", charges, "7.44", "5.93", "1.51")
    same((session["token"], session["driver"], session["flags"]), ("CARD-1", "d-1", []))
    same((session["transaction"], session["status"]), ("T-1", "ended"))
    for name, minutes in {"plugged_in": 0, "started": 0, "stopped": 60, "unplugged": 60}.items():
        told = datetime.fromisoformat(session[name])
        same(told, datetime.fromisoformat(clock.at(minutes).replace("Z", "+00:00")), name)


async def both_evses(charger):
    await charger.connect()
    await boot(charger)
    clock = Clock(90)
    one, two = (Transaction(charger, clock, f"T-{evse}", evse) for evse in (1, 2))
    await one.start(0, 50_000, card("CARD-1"))
    await two.start(2, 7_000, card("CARD-2"))
    for minute in range(5, 60, 5):
        await one.meter(minute, 50_000 + 200 * minute)
        await two.meter(minute, 7_000 + 100 * minute)
        # Values outside of transactions say nothing about them.
        values = [{"timestamp": clock.at(minute), "sampled_value": [{"value": 230.1, "measurand": "Voltage"}]}]
        await charger.say("MeterValues", evse_id=1, meter_value=values)
    await one.end(60, 62_000)
    await two.end(61, 13_100)
    listed = await charger.desk.billed(charger.identity, 2)
    first, second = sorted(listed, key=lambda session: session["evse"])
    same((first["evse"], second["evse"], first["driver"], second["driver"]), (1, 2, "d-1", "d-2"))
    check_bill(first, "12", {"start fee": "0.50", "energy": "4.80"}, "5.30", "4.22", "1.08")
    # Staff pay 0.30.
    check_bill(second, "6.1", {"start fee": "0.50", "energy": "1.83"}, "2.33", "1.86", "0.47")
    same((first["flags"], second["flags"]), ([], []))


async def offline(charger):
    """Away for two hours; everything is told afterwards, with the charger's own times and in a mixed order."""
    await charger.connect()
    await boot(charger)
    await charger.leave()
    clock = Clock(120)
    await charger.connect()
    for minute, wh in ((0, 0), (50, 20_000)):
        transaction = Transaction(charger, clock, f"T-{minute}")
        token = {"id_token": card(), "offline": True}
        events = [transaction.event("Started", minute, "Authorized", wh, "Charging", **token)]
        for step in range(1, 5):
            at, then = minute + 5 * step, wh + 3000 * step
            events.append(transaction.event("Updated", at, "MeterValuePeriodic", then, offline=True))
        info = {"stopped_reason": "EVDisconnected"}
        events.append(transaction.event("Ended", minute + 30, "EVDeparted", wh + 15_000, offline=True, info=info))
        # The charger's queue is not in order.
        for event in [events[0], events[2], events[1], *events[3:]]:
            await charger.say("TransactionEvent", **event)
    for session in await charger.desk.billed(charger.identity, 2):
        check_bill(session, "15", {"start fee": "0.50", "energy": "6.00"}, "6.50", "5.18", "1.32")
        same(session["flags"], [])


async def lost_answer(charger):
    """The charger does not hear the answers to the first and the last event, and says them again."""
    await charger.connect()
    await boot(charger)
    clock = Clock(60)
    transaction = Transaction(charger, clock, "T-1")
    first = transaction.event("Started", 0, "Authorized", 100, "Charging", id_token=card())
    middle = transaction.event("Updated", 10, "MeterValuePeriodic", 5100)
    info = {"stopped_reason": "EVDisconnected"}
    last = transaction.event("Ended", 20, "EVDeparted", 10_100, info=info)
    for event in (first, middle, last):
        await charger.unheard("TransactionEvent", **event)
        await charger.leave()
        await charger.connect()
        for _ in range(2):
            answer = await charger.say("TransactionEvent", **event)
    same(answer.total_cost, 4.5)
    [session] = await charger.desk.billed(charger.identity)
    check_bill(session, "10", {"start fee": "0.50", "energy": "4.00"}, "4.50", "3.59", "0.91")
    same(session["flags"], [])
    # Once more, long after the bill.
    for event in (first, last):
        await charger.say("TransactionEvent", **event)
    same(len((await charger.desk.billed(charger.identity))[0]["bills"]), 1)


async def reconnect(charger):
    """The line breaks in the middle of a session; there is no boot afterwards, and no goodbye."""
    await charger.connect()
    await boot(charger)
    transaction = Transaction(charger, Clock(60), "T-1")
    await transaction.start(0, 0)
    await transaction.meter(5, 2000)
    charger.socket.transport.abort()
    await charger.listening
    await charger.connect()
    await transaction.meter(10, 4000)
    # The charger has lost its line and comes again before we know.
    old, listening = charger.socket, charger.listening
    await charger.connect()
    await asyncio.wait_for(listening, 10)
    assert old.close_code is not None
    await transaction.meter(15, 6000)
    outcome = await charger.desk.order(charger.identity, "trigger", message="heartbeat")
    same((outcome["status"], len(charger.told("TriggerMessage"))), ("Accepted", 1))
    await transaction.end(20, 8000)
    [session] = await charger.desk.billed(charger.identity)
    check_bill(session, "8", {"start fee": "0.50", "energy": "3.20"}, "3.70", "2.95", "0.75")
    same(session["flags"], [])


async def reboot(charger):
    """The charger restarts in the middle of a session, and tells of its end afterwards."""
    await charger.connect()
    await boot(charger)
    transaction = Transaction(charger, Clock(30), "T-1")
    await transaction.start(0, 0)
    await transaction.meter(10, 3000)
    await charger.leave()
    await charger.connect()
    await boot(charger)
    await transaction.say("Ended", 11, "AbnormalCondition", 3500, info={"stopped_reason": "Reboot"})
    [session] = await charger.desk.billed(charger.identity)
    check_bill(session, "3.5", {"start fee": "0.50", "energy": "1.40"}, "1.90", "1.51", "0.39")
    same(session["flags"], [])


async def burst(charger):
    """Two days of queued events at once, without waiting for answers; then all of them again."""
    await charger.connect()
    await boot(charger)
    transaction = Transaction(charger, Clock(2 * 24 * 60), "T-1")
    await transaction.start(0, 0)
    events = [
        transaction.event("Updated", 10 * number, "MeterValuePeriodic", 100 * number, offline=True)
        for number in range(1, 201)
    ]
    for _ in range(2):
        for event in events:
            await charger.unheard("TransactionEvent", message_id=str(event["seq_no"]), **event)
    await transaction.end(2010, 20_000)
    same(len([answer for answer in charger.answered if answer.isdigit()]), 400)
    [session] = await charger.desk.billed(charger.identity)
    check_bill(session, "20", {"start fee": "0.50", "energy": "8.00"}, "8.50", "6.77", "1.73")
    same(session["flags"], [])


async def wrong_password(charger):
    same(await refused(charger.connect("wrong horse")), 401)
    same(await refused(Charger(charger.desk, "NOBODY", {}).connect()), 404)
    await charger.connect()
    await boot(charger)
    # A new password counts from the next connection on, and then alone.
    component = {"name": "SecurityCtrlr", "place": {}}
    variable = {"component": component, "variable": {"name": "BasicAuthPassword"}, "value": "battery staple 2026"}
    await charger.desk.raw(charger.identity, {"SetVariables": [variable]})
    told = charger.told("SetVariables")
    assert "battery staple 2026" in [payload["set_variable_data"][0]["attribute_value"] for payload in told], told
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
    station = {"model": "Py", "vendor_name": "Others"}
    waiting = await stranger.say("BootNotification", charging_station=station, reason="PowerUp")
    assert waiting.status == "Pending" and waiting.interval > 0, waiting
    try:
        await stranger.say("Authorize", id_token=card())
    except SecurityError:
        pass
    else:
        raise AssertionError("it is asked about tokens")
    await charger.desk.let_in("NEW-1")
    same(await stranger.until_told("TriggerMessage"), {"requested_message": "BootNotification"})
    await boot(stranger)
    same((await stranger.say("Authorize", id_token=card())).id_token_info["status"], "Accepted")
    await stranger.leave()


async def tokens(charger):
    await charger.connect()
    await boot(charger)
    words = {"card-1": "Accepted", "LOST": "Blocked", "NOBODYS": "Unknown", "DESK": "Accepted"}
    for token, word in words.items():
        same((await charger.say("Authorize", id_token=card(token))).id_token_info["status"], word, token)
    clock = Clock(60)
    # What has happened is kept, whoever it was. Nobody is billed for it by itself.
    refusals = {"LOST": "Blocked", "NOBODYS": "Unknown", "DESK": "Invalid"}
    for number, (token, word) in enumerate(refusals.items()):
        transaction = Transaction(charger, clock, f"T-{token}")
        begun = await transaction.say("Started", 5 * number, "Authorized", 0, "Charging", id_token=card(token))
        same(begun.id_token_info["status"], word, token)
        await transaction.end(5 * number + 2, 1000)
    # The second card of a flat ends what the first one began.
    transaction = Transaction(charger, clock, "T-1")
    await transaction.start(20, 0)
    fields = {"id_token": card("CARD-1B"), "info": {"stopped_reason": "Local"}}
    ended = await transaction.say("Ended", 40, "StopAuthorized", 10_000, **fields)
    same(ended.id_token_info["status"], "Accepted")
    await status(charger, clock.at(40), "Available")

    async def look():
        listed = await charger.desk.sessions(charger.identity)
        return listed if len(listed) == 4 and listed[3]["bills"] else None

    listed = await until(look, "four sessions and a bill")
    check_bill(listed[3], "10", {"start fee": "0.50", "energy": "4.00"}, "4.50", "3.59", "0.91")
    for session in listed[:3]:
        same((session["bills"], [flag["flag"] for flag in session["flags"]]), ([], ["token-refused"]))


async def one_at_a_time(charger):
    """A card that charges at one EVSE is refused at the other, and may again once it has ended."""
    await charger.connect()
    await boot(charger)
    clock = Clock(30)
    first, second, third = (Transaction(charger, clock, f"T-{number}", 1 + number % 2) for number in (2, 3, 4))
    await first.start(0, 0, card("CARD-3"))
    begun = await second.say("Started", 5, "Authorized", 0, "EVConnected", id_token=card("CARD-3"))
    same(begun.id_token_info["status"], "ConcurrentTx")
    await second.say("Ended", 5, "Deauthorized", 0, info={"stopped_reason": "DeAuthorized"})
    await first.end(10, 3000)
    await third.start(12, 0, card("CARD-3"))
    await third.end(20, 3000)


async def remote(charger):
    """Started and stopped by the office."""
    await charger.connect()
    await boot(charger)
    desk, identity = charger.desk, charger.identity
    same((await desk.order(identity, "remote-start", evse=2, token="card-2"))["status"], "Accepted")
    [order] = charger.told("RequestStartTransaction")
    # As it is written in the books.
    same((order["evse_id"], order["id_token"]), (2, card("CARD-2")))
    transaction = Transaction(charger, Clock(60), "T-1", 2)
    fields = {"id_token": order["id_token"], "info": {"remote_start_id": order["remote_start_id"]}}
    await transaction.say("Started", 0, "RemoteStart", 0, "Charging", **fields)
    await transaction.meter(30, 9000)
    session = await desk.session(identity)
    charger.answers["GetTransactionStatus"] = {"messages_in_queue": False, "ongoing_indicator": True}
    outcome = await desk.order(identity, "transaction-status", session=session["id"])
    same(outcome["details"], {"Transaction": {"ongoing": True, "queued": False}})
    same((await desk.order(identity, "remote-stop", session=session["id"]))["status"], "Accepted")
    same(charger.told("RequestStopTransaction"), [{"transaction_id": "T-1"}])
    await transaction.say("Ended", 31, "RemoteStop", 9000, info={"stopped_reason": "Remote"})
    await status(charger, transaction.clock.at(31), "Available", 2)
    [session] = await desk.billed(identity)
    check_bill(session, "9", {"start fee": "0.50", "energy": "2.70"}, "3.20", "2.55", "0.65")
    # What the charger refuses is told, and what cannot be is an error.
    charger.answers["RequestStartTransaction"] = {"status": "Rejected", "status_info": {"reason_code": "NoCable"}}
    outcome = await desk.order(identity, "remote-start", token="CARD-1")
    same((outcome["status"], outcome["info"]["code"]), ("Rejected", "NoCable"))
    same(charger.told("RequestStartTransaction")[1]["group_id_token"], GROUP)
    status_code, problem = await desk.try_order(identity, {"do": "remote-stop", "session": "no such"})
    same(status_code, 422, problem)
    await charger.leave()

    async def gone():
        return (await desk.try_order(identity, {"do": "clear-cache"}))[0] == 409

    await until(gone, "an order to a charger that is away")


async def cost_on_the_display(charger):
    await charger.connect()
    await boot(charger)
    transaction = Transaction(charger, Clock(4), "T-1")
    await transaction.start(0, 100_000)
    first = await charger.until_told("CostUpdated")
    same((first["transaction_id"], first["total_cost"]), ("T-1", 0.5))
    await transaction.meter(2, 107_500)
    # A new state is shown at once.
    await transaction.say("Updated", 2, "ChargingStateChanged", None, "SuspendedEV")
    standing = await charger.until_told("CostUpdated", lambda told: told["total_cost"] == 3.5)
    if charger.version == "2.0.1":
        details = standing["custom_data"]
        # The library turns names around, also those of others.
        same((details["vendor_id"], details["state"]), ("org.openchargealliance.costmsg", "Idle"))
        same((details["meter_value"], details["idle_price"]["grace_minutes"]), (107_500, 10))
    else:
        same(standing, {"transaction_id": "T-1", "total_cost": 3.5})
    answer = await transaction.end(3, 107_500)
    same(answer.total_cost, 3.5)
    [session] = await charger.desk.billed(charger.identity)
    check_bill(session, "7.5", {"start fee": "0.50", "energy": "3.00"}, "3.50", "2.79", "0.71")


async def local_list(charger):
    await charger.connect()
    await boot(charger)
    for number in (1, 2):
        same((await charger.desk.order(charger.identity, "send-local-list"))["status"], "Accepted")
        listed = charger.told("SendLocalList")[-1]
        same((listed["update_type"], listed["version_number"]), ("Full", number))
        entries = {entry["id_token"]["id_token"]: entry for entry in listed["local_authorization_list"]}
        # Neither the blocked card nor the one that starts nothing.
        same(set(entries), {"CARD-1", "CARD-1B", "CARD-2", "CARD-3"})
        info = {"status": "Accepted", "group_id_token": GROUP}
        same(entries["CARD-1B"], {"id_token": card("CARD-1B"), "id_token_info": info})


async def taught(charger):
    """Some time after it has come, a charger is told what the set-up wants of it."""
    await charger.connect()
    await boot(charger)
    # The last of it.
    await charger.until_told("SendLocalList", patience=45)
    [told] = charger.told("SetVariables")
    variables = {
        f"{each['component']['name']}.{each['variable']['name']}": each["attribute_value"]
        for each in told["set_variable_data"]
    }
    same(variables, {
        "SampledDataCtrlr.TxUpdatedInterval": "30", "AuthCtrlr.LocalAuthorizeOffline": "true",
        "AuthCtrlr.OfflineTxForUnknownIdEnabled": "false", "LocalAuthListCtrlr.Enabled": "true",
    })


SCENES = [
    whole_session, both_evses, offline, lost_answer, reconnect, reboot, burst, wrong_password, held, tokens,
    one_at_a_time, remote, cost_on_the_display, local_list, taught,
]
