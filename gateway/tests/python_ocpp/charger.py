"""A charger that boots, charges once, obeys a reset, and leaves. Arguments: version, URL, identity, password."""

import asyncio
import base64
import sys
from datetime import datetime, timezone

import websockets
from ocpp.routing import on
from ocpp.v16 import ChargePoint as ChargePoint16, call as call16, call_result as result16
from ocpp.v201 import ChargePoint as ChargePoint201, call as call201, call_result as result201
from ocpp.v21 import ChargePoint as ChargePoint21, call as call21, call_result as result21

PROTOCOLS = {"1.6": "ocpp1.6", "2.0.1": "ocpp2.0.1", "2.1": "ocpp2.1"}


def now():
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def charger(base, result):
    class Charger(base):
        was_reset = asyncio.Event()

        @on("Reset")
        def on_reset(self, **_):
            self.was_reset.set()
            return result.Reset(status="Accepted")

    return Charger


async def session16(cp):
    boot = await cp.call(call16.BootNotification(charge_point_model="Py", charge_point_vendor="Test"))
    assert boot.status == "Accepted", boot
    await cp.call(call16.Heartbeat())
    await cp.call(call16.StatusNotification(connector_id=1, error_code="NoError", status="Preparing", timestamp=now()))
    tag = await cp.call(call16.Authorize(id_tag="TAG1"))
    assert tag.id_tag_info["status"] == "Accepted", tag
    start = await cp.call(call16.StartTransaction(connector_id=1, id_tag="TAG1", meter_start=1000, timestamp=now()))
    assert start.transaction_id > 0, start
    values = [{"timestamp": now(), "sampledValue": [{"value": "1500", "measurand": "Energy.Active.Import.Register", "unit": "Wh"}]}]
    await cp.call(call16.MeterValues(connector_id=1, transaction_id=start.transaction_id, meter_value=values))
    await cp.call(call16.StopTransaction(transaction_id=start.transaction_id, meter_stop=2000, timestamp=now(), id_tag="TAG1", reason="Local"))


async def session2(cp, call):
    station = {"model": "Py", "vendor_name": "Test"}
    boot = await cp.call(call.BootNotification(charging_station=station, reason="PowerUp"))
    assert boot.status == "Accepted", boot
    await cp.call(call.Heartbeat())
    await cp.call(call.StatusNotification(timestamp=now(), connector_status="Occupied", evse_id=1, connector_id=1))
    token = {"id_token": "TAG1", "type": "ISO14443"}
    known = await cp.call(call.Authorize(id_token=token))
    assert known.id_token_info["status"] == "Accepted", known
    for seq, (kind, trigger, value) in enumerate(
        [("Started", "Authorized", 1000.0), ("Updated", "MeterValuePeriodic", 1500.0), ("Ended", "EVDeparted", 2000.0)]
    ):
        values = [{"timestamp": now(), "sampled_value": [{"value": value, "measurand": "Energy.Active.Import.Register"}]}]
        await cp.call(
            call.TransactionEvent(
                event_type=kind,
                timestamp=now(),
                trigger_reason=trigger,
                seq_no=seq,
                transaction_info={"transaction_id": "T-1"},
                evse={"id": 1, "connector_id": 1},
                id_token=token,
                meter_value=values,
            )
        )


async def main(version, url, identity, password):
    credentials = base64.b64encode(f"{identity}:{password}".encode()).decode()
    headers = {"Authorization": f"Basic {credentials}"}
    async with websockets.connect(url, subprotocols=[PROTOCOLS[version]], additional_headers=headers) as socket:
        assert socket.subprotocol == PROTOCOLS[version]
        base, result = {
            "1.6": (ChargePoint16, result16),
            "2.0.1": (ChargePoint201, result201),
            "2.1": (ChargePoint21, result21),
        }[version]
        cp = charger(base, result)(identity, socket)
        listening = asyncio.create_task(cp.start())
        if version == "1.6":
            await session16(cp)
        else:
            await session2(cp, call201 if version == "2.0.1" else call21)
        await asyncio.wait_for(cp.was_reset.wait(), 20)
        listening.cancel()
    print("session done, reset seen")


asyncio.run(asyncio.wait_for(main(*sys.argv[1:]), 50))
