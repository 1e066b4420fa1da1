"""Chargers made of PyPI `ocpp` and `websockets`, as any integrator would make them; and the gateway's API beside them.

Whatever the gateway says is checked twice: by the library, whose validation by JSON schema stays on, and here once more
with the formats of times and addresses, which the library does not look at.
"""

import asyncio
import base64
import importlib
import json
import re
import urllib.error
import urllib.parse
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from pathlib import Path

import ocpp
import websockets
from jsonschema import Draft4Validator, FormatChecker
from ocpp.charge_point import remove_nones, serialize_as_dict, snake_to_camel_case
from ocpp.exceptions import OCPPError

PROTOCOLS = {"1.6": "ocpp1.6", "2.0.1": "ocpp2.0.1", "2.1": "ocpp2.1"}
PASSWORD = "correct horse"
PATIENCE = 20

FORMATS = FormatChecker(formats=())
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)")


@FORMATS.checks("date-time")
def is_time(value):
    return not isinstance(value, str) or TIME.fullmatch(value) is not None


@FORMATS.checks("uri")
def is_address(value):
    return not isinstance(value, str) or bool(urllib.parse.urlsplit(value).scheme)


def stamp(at):
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Clock:
    """The charger's clock in minutes from the beginning of a session. It began `ago` minutes before now."""

    def __init__(self, ago):
        self.begin = datetime.now(timezone.utc) - timedelta(minutes=ago)
        self.begin -= timedelta(microseconds=self.begin.microsecond % 1000)

    def at(self, minutes):
        return stamp(self.begin + timedelta(minutes=minutes))


@lru_cache(maxsize=None)
def schema(version, name):
    folder = Path(ocpp.__file__).parent / ("v" + version.replace(".", "")) / "schemas"
    text = (folder / f"{name}.json").read_text(encoding="utf-8-sig")
    return Draft4Validator(json.loads(text), format_checker=FORMATS)


class Charger:
    """One charger. `heard` is what it was told, `complaints` what was wrong with it, `answers` what it answers."""

    def __init__(self, desk, identity, answers):
        self.desk, self.identity, self.version = desk, identity, desk.version
        module = importlib.import_module(f"ocpp.v{self.version.replace('.', '')}")
        self.base = module.ChargePoint
        self.calls, self.results = (
            importlib.import_module(f"{module.__name__}.{name}") for name in ("call", "call_result")
        )
        self.answers = dict(answers)
        self.heard, self.complaints, self.asked, self.answered = [], [], {}, []
        self.socket = self.point = self.listening = None

    async def connect(self, password=PASSWORD):
        credentials = base64.b64encode(f"{self.identity}:{password}".encode()).decode()
        socket = await websockets.connect(
            f"{self.desk.url.replace('http', 'ws', 1)}/ocpp/{self.identity}",
            subprotocols=[PROTOCOLS[self.version]],
            additional_headers={"Authorization": f"Basic {credentials}"},
        )
        assert socket.subprotocol == PROTOCOLS[self.version], socket.subprotocol
        self.socket = socket
        self.point = self.make_point(Ear(self, socket))
        self.listening = asyncio.create_task(self.listen(self.point))
        return self

    async def listen(self, point):
        try:
            await point.start()
        except websockets.ConnectionClosed:
            pass
        except Exception as error:
            self.complaints.append(f"the library gave up: {error!r}")

    # The library's charger, with an answer to every request that there is.
    def make_point(self, ear):
        charger = self

        class Point(self.base):
            async def _handle_call(self, message):
                try:
                    return await super()._handle_call(message)
                except OCPPError as error:
                    charger.complaints.append(f"{message.action} {message.payload}: {error!r}")
                    raise

        point = Point(self.identity, ear, response_timeout=PATIENCE)
        for action in self.answers:
            point.route_map[action] = {"_on_action": self.handler(action), "_skip_schema_validation": False}
        return point

    def handler(self, action):
        async def answer(**payload):
            self.heard.append((action, payload))
            fields = self.answers[action]
            fields = fields(payload) if callable(fields) else fields
            return getattr(self.results, action)(**fields)

        return answer

    async def say(self, action, **fields):
        """Says something and gives back the answer; an answer that is an error is raised."""
        return await self.point.call(getattr(self.calls, action)(**fields), suppress=False)

    async def unheard(self, action, message_id="lost", **fields):
        """Says something without waiting for an answer."""
        payload = remove_nones(snake_to_camel_case(serialize_as_dict(getattr(self.calls, action)(**fields))))
        self.asked[message_id] = action
        await self.socket.send(json.dumps([2, message_id, action, payload]))

    def told(self, action):
        return [payload for heard, payload in self.heard if heard == action]

    async def until_told(self, action, fits=lambda _: True, patience=PATIENCE):
        async def look():
            return next((payload for payload in self.told(action) if fits(payload)), None)

        return await until(look, f"{action} to {self.identity}", patience)

    async def leave(self):
        """Goes offline."""
        await self.socket.close()
        await self.listening


class Ear:
    """The socket as the library sees it; what comes in is looked at here first."""

    def __init__(self, charger, socket):
        self.charger, self.socket = charger, socket

    async def send(self, text):
        message = json.loads(text)
        if message[0] == 2:
            self.charger.asked[message[1]] = message[2]
        await self.socket.send(text)

    async def recv(self):
        text = await self.socket.recv()
        for why in self.wrong(text):
            self.charger.complaints.append(f"{text}: {why}")
        return text

    def wrong(self, text):
        message, version = json.loads(text), self.charger.version
        if message[0] == 4:
            # The library makes an exception of it where somebody waits.
            if self.charger.asked.get(message[1]) is None:
                yield "an error about nothing"
            return
        if message[0] == 3:
            action = self.charger.asked.get(message[1])
            if action is None:
                yield "an answer to nothing"
                return
            self.charger.answered.append(message[1])
            name, payload = f"{action}Response", message[2]
        else:
            name, payload = message[2] + ("" if version == "1.6" else "Request"), message[3]
            if message[2] not in self.charger.answers:
                yield "an unknown request"
                return
        for error in schema(version, name).iter_errors(payload):
            yield error.message


async def until(look, what, patience=PATIENCE):
    """The first answer of `look` that is something."""
    end = asyncio.get_running_loop().time() + patience
    while True:
        found = await look()
        if found:
            return found
        assert asyncio.get_running_loop().time() < end, f"{what}: not within {patience} s"
        await asyncio.sleep(0.05)


class Desk:
    """The gateway as the office sees it."""

    def __init__(self, url, key, version):
        self.url, self.key, self.version = url, key, version
        # Not the library's own threads: it checks what it hears there, and we wait for what comes of that.
        self.threads = ThreadPoolExecutor(32)

    async def ask(self, method, path, body=None):
        return await asyncio.get_running_loop().run_in_executor(self.threads, self.request, method, path, body)

    def request(self, method, path, body=None):
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=40) as response:
                return response.status, json.loads(response.read() or b"null")
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read() or b"null")

    async def get(self, path):
        status, body = await self.ask("GET", path)
        assert status == 200, (path, status, body)
        return body

    async def try_order(self, charger, order):
        return await self.ask("POST", f"/api/v1/chargers/{charger}/commands", order)

    async def order(self, charger, do, **fields):
        """Has a charger told something; what it answered, as the API says it."""
        status, body = await self.try_order(charger, {"do": do, **fields})
        assert status == 200, (do, fields, status, body)
        return body["outcome"]

    async def raw(self, charger, command):
        return await self.order(charger, "raw", command=command)

    async def let_in(self, charger):
        status, body = await self.ask("POST", f"/api/v1/chargers/{charger}/accept")
        same(status, 204, body)

    async def sessions(self, charger):
        """The sessions of a charger, the oldest first."""
        listed = await self.get(f"/api/v1/sessions?charger={urllib.parse.quote(charger)}")
        return listed[::-1]

    async def session(self, charger, fits=lambda _: True):
        """The only session of a charger, once it is as it should be."""

        async def look():
            listed = await self.sessions(charger)
            return listed[0] if len(listed) == 1 and fits(listed[0]) else None

        try:
            return await until(look, f"the session of {charger}")
        except AssertionError as error:
            raise AssertionError(f"{error}: {json.dumps(await self.sessions(charger))}") from error

    async def billed(self, charger, count=1):
        """The sessions of a charger once they have their bills: one each."""

        async def look():
            listed = await self.sessions(charger)
            return listed if len(listed) == count and all(each["bills"] for each in listed) else None

        try:
            listed = await until(look, f"{count} bills of {charger}")
        except AssertionError as error:
            raise AssertionError(f"{error}: {json.dumps(await self.sessions(charger))}") from error
        assert all(len(each["bills"]) == 1 for each in listed), listed
        return listed


async def refused(attempt):
    """The status code with which a connection is refused."""
    try:
        await attempt
    except websockets.InvalidStatus as error:
        return error.response.status_code
    raise AssertionError("it was let in")


def same(found, wanted, what=""):
    assert found == wanted, f"{what}: {found!r}, not {wanted!r}"


def check_bill(session, energy, charges, total, net, vat):
    """A session's energy and the bill for it, to the cent."""
    bill = session["bills"][0]
    found = {charge["charge"]: charge["amount"] for charge in bill["charges"]}
    figures = (session["energy_kwh"], found, bill["total"], bill["net"], bill["vat_total"])
    same(figures, (energy, charges, total, net, vat), session["charger"])
    same((bill["kind"], bill["status"], bill["currency"]), ("bill", "final", "EUR"), session["charger"])
