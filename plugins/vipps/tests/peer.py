"""Vipps MobilePay, as far as its OpenAPI files say: ePayment v1 and Recurring v3.

    python peer.py PORT [FOLDER]

FOLDER holds Vipps' own files, epayment.v1.yml and recurring.openapi.yaml (not in this repository). With them every request and every answer is held to
them: what does not fit is answered with 599 and kept for GET /_peer/violations. Without FOLDER nothing is checked, and GET /_peer/violations says so.

What the files say in words is held to as well: a reference is taken once, an Idempotency-Key has one answer, Recurring's has at most 40 characters.

For tests: POST /_peer/tokens {"msn"} ends the access tokens of a sales unit; POST /_peer/payment {"reference", "state"} lets the driver say no or the time pass;
POST /_peer/charge {"charge", "status"} lets the due date come; POST /_peer/broken {"path"} answers the first change at an address
that ends so with 500 after it was done. It ends with its standard input.
"""

import copy
import datetime
import json
import pathlib
import re
import sys
import threading
import urllib.parse
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PORT = int(sys.argv[1])
FOLDER = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else None
CREDENTIALS = {
    "client_id": "test-client",
    "client_secret": "test-client-secret",
    "ocp-apim-subscription-key": "test-subscription",
}

lock = threading.Lock()
tokens, given = {}, 0
payments, agreements, charges = {}, {}, {}
answers = {}
violations = []
broken = set()


def without_discriminators(item):
    """They name the schema to be used by a word that is no schema's name (LEGACY); `oneOf` says it as well."""
    if isinstance(item, dict):
        return {key: without_discriminators(value) for key, value in item.items() if not (key == "discriminator" and "oneOf" in item)}
    return [without_discriminators(one) for one in item] if isinstance(item, list) else item


class Contract:
    """Vipps' files, with what they contradict themselves in put right."""

    def __init__(self, folder):
        import openapi_schema_validator
        import yaml
        from referencing import Registry
        from referencing.jsonschema import DRAFT202012

        class Loader(yaml.SafeLoader):
            """NO is a country, as in YAML 1.2."""

        Loader.yaml_implicit_resolvers = {
            first: [(tag, pattern) for tag, pattern in all if tag != "tag:yaml.org,2002:bool"]
            for first, all in yaml.SafeLoader.yaml_implicit_resolvers.items()
        }
        Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^(?:true|false)$"), list("tf"))
        self.files = {}
        for name, file in (("epayment", "epayment.v1.yml"), ("recurring", "recurring.openapi.yaml")):
            self.files[name] = without_discriminators(yaml.load((folder / file).read_text(), Loader))
        schemas = self.files["epayment"]["components"]["schemas"]
        # A file of another repository.
        schemas["CreatePaymentRequest"]["properties"]["receipt"] = {"type": "object"}
        # One of three, but each would do for all: nothing is required.
        for name, field in (("CustomerPhoneNumber", "phoneNumber"), ("PersonalQrCode", "personalQr"), ("CustomerToken", "customerToken")):
            schemas[name]["required"] = [field]
        # It requires a field that it does not have; the one that it means is `name`.
        schemas["PaymentEvent"]["required"][schemas["PaymentEvent"]["required"].index("paymentAction")] = "name"
        schemas = self.files["recurring"]["components"]["schemas"]
        # A charge's id is its orderId, which may have 50 characters.
        schemas["ChargeResponseV3"]["properties"]["id"]["maxLength"] = 50
        schemas["ChargeReference"]["properties"]["chargeId"]["maxLength"] = 50
        # Null until it is charged, it says; and its pattern is none.
        schemas["ChargeResponseV3"]["properties"]["transactionId"] = {"type": "string", "nullable": True}
        # Bounds of a length, written as bounds of a number.
        for name in ("CreateChargeV3", "CaptureRequestV3", "RefundRequest"):
            text = schemas[name]["properties"]["description"]
            text["minLength"] = text.pop("minimum")
            if "maximum" in text:
                text["maxLength"] = text.pop("maximum")
        self.registry = Registry().with_resources(
            [(f"urn:{name}", DRAFT202012.create_resource(file)) for name, file in self.files.items()]
        )
        self.validator = openapi_schema_validator.OAS30Validator

    def absolute(self, schema, name):
        if isinstance(schema, dict):
            return {
                key: f"urn:{name}{value}" if key == "$ref" and isinstance(value, str) and value.startswith("#") else self.absolute(value, name)
                for key, value in schema.items()
            }
        return [self.absolute(one, name) for one in schema] if isinstance(schema, list) else schema

    def resolved(self, name, item):
        while "$ref" in item:
            at = self.files[name]
            for part in item["$ref"].removeprefix("#/").split("/"):
                at = at[part.replace("~1", "/")]
            item = at
        return item

    def wrong(self, schema, name, value):
        validator = self.validator(self.absolute(schema, name), registry=self.registry)
        return [f"{'/'.join(map(str, e.absolute_path))}: {e.message}" for e in validator.iter_errors(value)]

    def operation(self, method, path):
        for name, file in self.files.items():
            for template, item in file["paths"].items():
                names = re.findall(r"\{(\w+)\}", template)
                match = re.fullmatch(re.sub(r"\{\w+\}", "([^/]+)", template), path)
                if match and method.lower() in item:
                    return name, item, item[method.lower()], dict(zip(names, match.groups()))
        return None

    def request(self, method, path, query, headers, body):
        found = self.operation(method, path)
        if not found:
            return [f"{method} {path} is in none of the files"]
        name, item, operation, in_path = found
        wrong = []
        for parameter in item.get("parameters", []) + operation.get("parameters", []):
            parameter = self.resolved(name, parameter)
            where = {"header": headers, "path": in_path, "query": query}[parameter["in"]]
            key = parameter["name"].lower() if parameter["in"] == "header" else parameter["name"]
            if key not in where:
                wrong += [f"{parameter['in']} {key} is missing"] if parameter.get("required") else []
                continue
            value = where[key]
            schema = parameter["schema"]
            if self.resolved(name, schema).get("type") == "integer":
                value = int(value) if value.isdigit() else value
            wrong += [f"{parameter['in']} {key}: {one}" for one in self.wrong(schema, name, value)]
        if "requestBody" in operation:
            schema = operation["requestBody"]["content"]["application/json"]["schema"]
            if headers.get("content-type") != "application/json":
                wrong.append("the content type is not application/json")
            wrong += [f"body {one}" for one in self.wrong(schema, name, body)]
        elif body is not None:
            wrong.append("a body where there is none")
        return wrong

    def answer(self, method, path, status, body):
        name, _, operation, _ = self.operation(method, path)
        said = operation["responses"].get(str(status)) or operation["responses"].get("default")
        if said is None:
            # The files leave out most errors; 401 is Azure's.
            return [] if status in (401, 404, 500) else [f"answer {status} is not in the file"]
        content = self.resolved(name, said).get("content", {})
        if not content:
            return [] if body is None else ["an answer where there is none"]
        if body is None:
            return [] if status == 204 else ["the answer is empty"]
        schema = next(iter(content.values()))["schema"]
        return [f"answer {one}" for one in self.wrong(schema, name, body)]


contract = Contract(FOLDER) if FOLDER else None


def now():
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def problem(status, title, detail):
    return status, {
        "type": "https://developer.vippsmobilepay.com/docs/knowledge-base/errors", "title": title, "detail": detail,
        "status": status, "traceId": uuid.uuid4().hex,
    }


# ePayment


def shown(payment, parts=()):
    wanted = parts or ("aggregate", "amount", "state", "paymentMethod", "profile", "pspReference", "redirectUrl", "reference", "metadata")
    return {name: copy.deepcopy(payment[name]) for name in wanted if name in payment}


def note(payment, name, value, key):
    payment["events"].append({
        "reference": payment["reference"], "pspReference": payment["pspReference"], "name": name,
        "amount": {"currency": payment["amount"]["currency"], "value": value}, "timestamp": now(), "idempotencyKey": key, "success": True,
    })


def create(body, key):
    reference, flow = body["reference"], body["userFlow"]
    if reference in payments:
        return problem(409, "Conflict", "a payment with this reference exists")
    if flow == "PUSH_MESSAGE" and "customer" not in body or flow == "WEB_REDIRECT" and "returnUrl" not in body:
        return problem(400, "Bad Request", "the flow needs more")
    zero = {"currency": body["amount"]["currency"], "value": 0}
    payment = {
        "reference": reference, "amount": body["amount"], "state": "CREATED", "paymentMethod": {"type": "WALLET"}, "profile": {},
        "pspReference": uuid.uuid4().hex, "metadata": body.get("metadata"), "events": [],
        "aggregate": {f"{name}Amount": dict(zero) for name in ("authorized", "cancelled", "captured", "refunded")},
    }
    answer = {"reference": reference}
    if flow == "WEB_REDIRECT":
        payment["redirectUrl"] = answer["redirectUrl"] = f"https://landing.vipps.no?token={reference}"
    payments[reference] = payment
    note(payment, "CREATED", body["amount"]["value"], key)
    return 201, answer


def change(payment, verb, body, key):
    sums = {name: payment["aggregate"][f"{name}Amount"] for name in ("authorized", "cancelled", "captured", "refunded")}
    value = body["modificationAmount"]["value"] if body else 0
    rest = sums["authorized"]["value"] - sums["captured"]["value"] - sums["cancelled"]["value"]
    if body and body["modificationAmount"]["currency"] != payment["amount"]["currency"]:
        return problem(400, "Bad Request", "another currency")
    if verb == "approve":
        if payment["state"] != "CREATED":
            return problem(400, "Bad Request", "not open")
        payment["state"] = "AUTHORIZED"
        sums["authorized"]["value"] = payment["amount"]["value"]
        note(payment, "AUTHORIZED", payment["amount"]["value"], None)
        return 200, None
    if verb == "cancel":
        if payment["state"] == "CREATED":
            payment["state"] = "TERMINATED"
            note(payment, "TERMINATED", 0, key)
        elif payment["state"] == "AUTHORIZED" and rest > 0:
            sums["cancelled"]["value"] += rest
            note(payment, "CANCELLED", rest, key)
        else:
            return problem(409, "Conflict", "nothing to cancel")
    elif verb == "capture":
        if payment["state"] != "AUTHORIZED" or value > rest:
            return problem(400, "Bad Request", "more than is set aside")
        sums["captured"]["value"] += value
        note(payment, "CAPTURED", value, key)
    elif verb == "refund":
        if value > sums["captured"]["value"] - sums["refunded"]["value"]:
            return problem(400, "Bad Request", "more than was captured")
        sums["refunded"]["value"] += value
        note(payment, "REFUNDED", value, key)
    return 200, shown(payment, ("amount", "state", "aggregate", "pspReference", "reference"))


# Recurring


def draft(body):
    id, own = f"agr_{uuid.uuid4().hex[:7]}", uuid.uuid4()
    pricing = dict(body["pricing"])
    if pricing.get("type") == "VARIABLE":
        pricing["maxAmount"] = pricing["suggestedMaxAmount"]
    agreements[id] = {
        "id": id, "uuid": str(own), "status": "PENDING", "created": now(), "start": None, "stop": None, "countryCode": "NO",
        "pricing": pricing, "interval": {**body["interval"], "text": "every month"},
        "vippsConfirmationUrl": f"https://api.vipps.no/v3/register/{own}",
        **{name: body[name] for name in ("productName", "productDescription", "merchantAgreementUrl", "merchantRedirectUrl", "externalId") if name in body},
    }
    return 201, {"agreementId": id, "uuid": str(own), "vippsConfirmationUrl": agreements[id]["vippsConfirmationUrl"], "chargeId": None}


def happened(charge, event, amount, key):
    charge["history"].append({"occurred": now(), "event": event, "amount": amount, "idempotencyKey": key or "", "success": True})


def make_charge(agreement, body, key):
    id = body.get("orderId") or f"chr-{uuid.uuid4().hex[:6]}"
    if agreement["status"] != "ACTIVE":
        return problem(400, "Bad Request", "the agreement is not active")
    if id in charges:
        return problem(409, "Conflict", "a charge with this orderId exists")
    least = datetime.date.today() + datetime.timedelta(days=1)
    if datetime.date.fromisoformat(body["due"]) < least:
        return problem(400, "Bad Request", "due is too early")
    charges[id] = {
        "id": id, "agreementId": agreement["id"], "externalId": body.get("externalId", id), "amount": body["amount"], "currency": "NOK",
        "description": body["description"], "due": f"{body['due']}T00:00:00Z", "retryDays": body["retryDays"], "status": "PENDING",
        "transactionId": None, "type": "RECURRING", "transactionType": body["transactionType"], "history": [],
        "summary": {"captured": 0, "refunded": 0, "cancelled": 0},
    }
    happened(charges[id], "CREATE", body["amount"], key)
    return 201, {"chargeId": id}


def change_charge(charge, verb, body, key):
    sums = charge["summary"]
    if verb == "cancel":
        if charge["status"] not in ("PENDING", "DUE", "RESERVED", "PARTIALLY_CAPTURED"):
            return problem(400, "Bad Request", "cannot be cancelled any more")
        sums["cancelled"] = charge["amount"] - sums["captured"]
        charge["status"] = "CANCELLED"
        happened(charge, "CANCEL", sums["cancelled"], key)
    elif verb == "capture":
        if charge["status"] not in ("RESERVED", "PARTIALLY_CAPTURED") or body["amount"] > charge["amount"] - sums["captured"]:
            return problem(400, "Bad Request", "more than is set aside")
        sums["captured"] += body["amount"]
        charge["status"] = "CHARGED" if sums["captured"] == charge["amount"] else "PARTIALLY_CAPTURED"
        happened(charge, "CAPTURE", body["amount"], key)
    else:
        if body["amount"] > sums["captured"] - sums["refunded"]:
            return problem(400, "Bad Request", "more than was charged")
        sums["refunded"] += body["amount"]
        charge["status"] = "REFUNDED" if sums["refunded"] == sums["captured"] else "PARTIALLY_REFUNDED"
        happened(charge, "REFUND", body["amount"], key)
    return 204, None


def day_comes(charge, status):
    charge["status"] = status
    if status == "CHARGED":
        charge["summary"]["captured"], charge["transactionId"] = charge["amount"], "5001419121"
        happened(charge, "CAPTURE", charge["amount"], None)
    elif status == "RESERVED":
        happened(charge, "RESERVE", charge["amount"], None)
    elif status == "FAILED":
        charge["failureReason"], charge["failureDescription"] = "charge_amount_too_high", "Amount too high"
        happened(charge, "FAIL", charge["amount"], None)


def api(method, path, query, body, key):
    parts = path.strip("/").split("/")[2:]
    if path.startswith("/epayment/v1/test/payments/"):
        payment = payments.get(parts[2])
        return change(payment, "approve", None, None) if payment else problem(404, "Not Found", "no such payment")
    if path == "/epayment/v1/payments":
        return create(body, key)
    if path.startswith("/epayment/v1/payments/"):
        payment = payments.get(parts[1])
        if payment is None:
            return problem(404, "Not Found", "no such payment")
        if len(parts) == 2:
            return 200, shown(payment)
        return (200, payment["events"]) if parts[2] == "events" else change(payment, parts[2], body, key)
    if path == "/recurring/v3/agreements":
        if method == "POST":
            return draft(body)
        return 200, [one for one in agreements.values() if one["status"] == query.get("status", "ACTIVE")]
    if path.startswith("/recurring/v3/charges/"):
        return (200, charges[parts[1]]) if parts[1] in charges else problem(404, "Not Found", "no such charge")
    agreement = agreements.get(parts[1])
    if agreement is None:
        return problem(404, "Not Found", "no such agreement")
    if len(parts) == 2:
        return 200, agreement
    if parts[2] == "accept":
        agreement.update(status="ACTIVE", start=now())
        return 204, None
    if len(parts) == 3:
        return make_charge(agreement, body, key)
    charge = charges.get(parts[3])
    if charge is None or charge["agreementId"] != agreement["id"]:
        return problem(404, "Not Found", "no such charge")
    if method == "GET":
        return 200, charge
    return change_charge(charge, "cancel" if method == "DELETE" else parts[4], body, key)


def peer(path, body):
    if path == "/_peer/violations":
        return 200, {"checked": contract is not None, "violations": violations}
    if path == "/_peer/tokens":
        for token in [token for token, msn in tokens.items() if msn == body["msn"]]:
            del tokens[token]
    elif path == "/_peer/payment":
        payments[body["reference"]]["state"] = body["state"]
    elif path == "/_peer/agreement":
        agreements[body["agreement"]]["status"] = body["status"]
    elif path == "/_peer/charge":
        day_comes(charges[body["charge"]], body["status"])
    elif path == "/_peer/broken":
        broken.add(body["path"])
    return 200, {}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def handle_any(self):
        length = int(self.headers.get("content-length") or 0)
        raw = self.rfile.read(length)
        with lock:
            status, body = self.result(raw)
        text = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        if body is not None:
            self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = do_DELETE = do_PATCH = handle_any

    def result(self, raw):
        global given
        path, _, query = self.path.partition("?")
        query = dict(urllib.parse.parse_qsl(query))
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = json.loads(raw) if raw else None
        if path.startswith("/_peer/"):
            return peer(path, body)
        if path == "/accesstoken/get":
            if any(headers.get(name) != value for name, value in CREDENTIALS.items()):
                return 401, {"error": "invalid_client", "error_description": "no such client"}
            given += 1
            token = f"token-{given}"
            tokens[token] = headers.get("merchant-serial-number")
            return 200, {"token_type": "Bearer", "expires_in": "3600", "ext_expires_in": "3600", "access_token": token}
        if headers.get("ocp-apim-subscription-key") != CREDENTIALS["ocp-apim-subscription-key"]:
            return 401, {"statusCode": 401, "message": "Access denied due to invalid subscription key."}
        # The test itself acts for the driver.
        if headers.get("authorization") not in {f"Bearer {token}" for token in tokens} | {"Bearer test"}:
            return 401, {"statusCode": 401, "message": "Unauthorized"}
        if contract:
            wrong = contract.request(self.command, path, query, headers, body)
            if wrong:
                violations.append(f"{self.command} {self.path}: {'; '.join(wrong)}")
                return 599, {"title": violations[-1]}
        key, asked = headers.get("idempotency-key"), (self.command, path, body)
        if self.command != "GET" and key:
            if path.startswith("/recurring/") and (len(key) > 40 or re.search(r"[#?/\\]", key)):
                violations.append(f"{self.command} {path}: Idempotency-Key {key}")
                return 599, {"title": violations[-1]}
            if key in answers:
                first, answer = answers[key]
                return answer if first == asked else problem(409, "Conflict", "the Idempotency-Key was used for another request")
        status, answer = api(self.command, path, query, body, key)
        answer = copy.deepcopy(answer)
        if contract:
            wrong = contract.answer(self.command, path, status, answer)
            if wrong:
                violations.append(f"{self.command} {self.path} answered {status}: {'; '.join(wrong)}")
                return 599, {"title": violations[-1]}
        if self.command != "GET" and key:
            answers[key] = (asked, (status, answer))
            mine = next((one for one in broken if path.endswith(one)), None)
            if mine:
                broken.discard(mine)
                return problem(500, "Internal Server Error", "as the test wants it")
        return status, answer


class Server(ThreadingHTTPServer):
    def handle_error(self, request, address):
        # A caller that is gone is no error.
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, address)


server = Server(("127.0.0.1", PORT), Handler)
threading.Thread(target=lambda: (sys.stdin.read(), server.shutdown()), daemon=True).start()
print("ready", flush=True)
server.serve_forever()
