"""localstripe, with a thin proxy in front that makes it keep Stripe's promises.

    python peer.py PORT

The proxy listens on PORT, localstripe on PORT + 1. What localstripe lacks, the proxy adds:
- Idempotency-Key: a POST to a payment needs one (so that a test sees that it is sent); the same key with the same request gets the same answer,
  with another request an idempotency_error, and while the first is under way a 409.
- fields that localstripe refuses are checked here and taken out: description, return_url, expand of lists.
- answers have amount_received; lists have the newest first and know `created[gte]`; payments can be searched by metadata, as late as the test wants.
- an off-session payment that the bank wants its customer for fails with 402 authentication_required, as Stripe does it.
- a card that a SetupIntent has confirmed belongs to its customer.

For tests: POST /_proxy/search {"late": true} keeps the search index empty, POST /_proxy/broken {"broken": "KEY"} answers the first POST under
that key with 500 after it was done. It ends with its standard input.
"""

import asyncio
import json
import re
import subprocess
import sys
import threading
import time
import urllib.parse

import aiohttp
from aiohttp import web

PORT = int(sys.argv[1])
BEHIND = f"http://127.0.0.1:{PORT + 1}"
VERSION = "2024-06-20"

answers = {}  # key -> (what was asked, the answer or None while it is under way)
state = {"late": False, "broken": None}


def problem(status, **fields):
    return web.json_response({"error": fields}, status=status)


async def behind(method, path, body=None, headers=None):
    headers = {"Authorization": "Bearer sk_test_proxy", **(headers or {})}
    async with aiohttp.ClientSession() as session:
        async with session.request(method, BEHIND + path, data=body, headers=headers) as answer:
            return answer.status, await answer.json(content_type=None)


async def whole(intent):
    """A payment as Stripe would show it."""
    if intent.get("object") != "payment_intent":
        return intent
    charge = intent.get("latest_charge")
    intent["amount_received"] = 0
    if intent["status"] == "succeeded" and isinstance(charge, dict):
        # localstripe books what was not captured as a refund; Stripe releases it.
        kept = intent["metadata"].get("proxy_captured")
        released = charge["amount"] - int(kept) if kept else 0
        intent["amount_received"] = charge["amount"] - released
        charge["amount_refunded"] -= released
    if intent["metadata"].get("proxy_authentication") and intent["status"] == "requires_action":
        intent["status"] = "requires_payment_method"
        intent["last_payment_error"] = authentication_required(intent)
    return intent


def authentication_required(intent):
    return {
        "type": "card_error",
        "code": "authentication_required",
        "decline_code": "authentication_required",
        "message": "Your card was declined. This transaction requires authentication.",
        "payment_method": {"id": intent["payment_method"], "object": "payment_method"},
    }


async def post(path, text):
    fields = urllib.parse.parse_qsl(text, keep_blank_values=True)
    names = dict(fields)
    off_session = names.get("off_session") == "true"
    for name, value in fields:
        if name == "description" and len(value) > 1000:
            return 400, {"error": {"type": "invalid_request_error", "message": "description"}}
    fields = [(n, v) for n, v in fields if n not in ("description", "return_url")]
    status, answer = await behind(
        "POST", path, urllib.parse.urlencode(fields), {"Content-Type": "application/x-www-form-urlencoded"}
    )
    if status != 200:
        if status == 402 and path == "/v1/payment_intents":
            # localstripe calls everything an invalid request.
            answer["error"]["type"] = "card_error"
        return status, answer
    if path.endswith("/capture") and "amount_to_capture" in names:
        mark = urllib.parse.urlencode({"metadata[proxy_captured]": names["amount_to_capture"]})
        await behind("POST", f"/v1/payment_intents/{answer['id']}", mark, {"Content-Type": "application/x-www-form-urlencoded"})
        _, answer = await behind("GET", f"/v1/payment_intents/{answer['id']}")
    if off_session and answer.get("status") == "requires_action":
        mark = urllib.parse.urlencode({"metadata[proxy_authentication]": "1"})
        _, answer = await behind(
            "POST", f"/v1/payment_intents/{answer['id']}", mark, {"Content-Type": "application/x-www-form-urlencoded"}
        )
        answer = await whole(answer)
        return 402, {"error": {**authentication_required(answer), "payment_intent": answer}}
    if re.fullmatch(r"/v1/setup_intents/\w+/confirm", path) and answer["status"] == "succeeded" and answer["customer"]:
        card = urllib.parse.urlencode({"customer": answer["customer"]})
        await behind(
            "POST", f"/v1/payment_methods/{answer['payment_method']}/attach", card,
            {"Content-Type": "application/x-www-form-urlencoded"},
        )
    return 200, await whole(answer)


async def listed(request, path, query):
    """A list, the newest first, with the filters that localstripe does not know."""
    since = int(query.pop("created[gte]", "0"))
    limit = int(query.pop("limit", "10"))
    expand = [value.removeprefix("data.") for name, value in list(query.items()) if name == "expand[]"]
    query.pop("expand[]", None)
    status, answer = await behind("GET", f"{path}?{urllib.parse.urlencode({**query, 'limit': 10000})}")
    if status != 200:
        return web.json_response(answer, status=status)
    # Objects of the same second keep the order in which they were made.
    data = list(reversed(sorted(answer["data"], key=lambda one: one["created"])))
    data = [await whole(one) for one in data if one["created"] >= since][:limit]
    for one in data:
        if "payment_method" in expand and one.get("payment_method"):
            _, one["payment_method"] = await behind("GET", f"/v1/payment_methods/{one['payment_method']}")
    return web.json_response({"object": "list", "data": data, "has_more": False})


async def searched(query):
    _, answer = await behind("GET", "/v1/payment_intents?limit=10000")
    wanted = re.fullmatch(r"metadata\['(\w+)'\]:'([^']*)'", query.get("query", ""))
    if not wanted:
        return problem(400, type="invalid_request_error", message="no such query")
    name, value = wanted.groups()
    data = [] if state["late"] else [await whole(one) for one in answer["data"] if one["metadata"].get(name) == value]
    return web.json_response({"object": "search_result", "data": data, "has_more": False})


async def handle(request):
    path = request.path
    if path.startswith("/_proxy/"):
        state.update(await request.json())
        return web.json_response({})
    authorization = request.headers.get("Authorization", "")
    if not authorization.startswith("Bearer sk_"):
        return problem(401, type="invalid_request_error", message="Invalid API Key provided")
    if request.headers.get("Stripe-Version", VERSION) != VERSION:
        return problem(400, type="invalid_request_error", message="Invalid Stripe API version")
    query = dict(urllib.parse.parse_qsl(request.query_string))
    if request.method == "GET":
        if path == "/v1/payment_intents/search":
            return await searched(query)
        if path in ("/v1/payment_intents", "/v1/setup_intents", "/v1/refunds"):
            return await listed(request, path, query)
        status, answer = await behind("GET", request.path_qs)
        return web.json_response(await whole(answer), status=status)
    text = await request.text()
    key = request.headers.get("Idempotency-Key")
    asked = (path, text)
    if key is None:
        if path in ("/v1/payment_intents", "/v1/refunds", "/v1/setup_intents", "/v1/customers"):
            return problem(400, type="invalid_request_error", message="the test wants an Idempotency-Key here")
    elif key in answers:
        first, answer = answers[key]
        if first != asked:
            message = "Keys for idempotent requests can only be used with the same parameters they were first used with."
            return problem(400, type="idempotency_error", message=message)
        if answer is None:
            return problem(409, type="invalid_request_error", code="idempotency_key_in_use", message="under way")
        return web.json_response(answer[1], status=answer[0], headers={"Idempotent-Replayed": "true"})
    else:
        answers[key] = (asked, None)
    status, answer = await post(path, text)
    if key is not None:
        answers[key] = (asked, (status, answer))
    if state["broken"] and key and key.startswith(state["broken"]):
        state["broken"] = None
        return problem(500, type="api_error", message="An unknown error occurred")
    return web.json_response(answer, status=status)


async def main():
    child = subprocess.Popen(
        [sys.executable, "-m", "localstripe", "--port", str(PORT + 1), "--from-scratch"],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(200):
            try:
                await behind("GET", "/v1/balance")
                break
            except aiohttp.ClientError:
                time.sleep(0.1)
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", handle)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", PORT).start()
        print("ready", flush=True)
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        threading.Thread(target=lambda: (sys.stdin.read(), loop.call_soon_threadsafe(ended.set)), daemon=True).start()
        await ended.wait()
    finally:
        child.terminate()


asyncio.run(main())
