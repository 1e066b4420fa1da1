"""A supplier's hourly prices from a CSV file: `from;to;price`, times with offset, decimal comma or point."""

import csv
import io
import json
from decimal import Decimal, InvalidOperation

from componentize_py_types import Err
from wit_world import exports
from wit_world.exports.prices import Document
from wit_world.imports import host_http
from wit_world.imports.types import Error, Finding, Outcome


def fail(code, outcome, detail, retry_after=None):
    raise Err(Error(code=code, outcome=outcome, detail=detail, retry_after=retry_after))


def feed(text, settings, wanted):
    """The file as Takst's own form of a price feed. Prices are never read as binary fractions."""
    prices = []
    for row in csv.DictReader(io.StringIO(text), delimiter=";"):
        line = len(prices) + 2
        try:
            price = Decimal(row["price"].strip().replace(",", "."))
            prices.append({"from": row["from"].strip(), "to": row["to"].strip(), "price": format(price, "f")})
        except (KeyError, AttributeError):
            fail("bad-file", Outcome.REFUSED, f"line {line}: the columns from, to and price are needed")
        except InvalidOperation:
            fail("bad-file", Outcome.REFUSED, f"line {line}: `{row['price']}` is no price")
    return {
        "feed": wanted.feed,
        "area": wanted.area,
        "unit": settings.get("unit", "EUR/MWh"),
        "vat_included": False,
        "prices": prices,
    }


class Configuration(exports.Configuration):
    def check(self, settings):
        address = dict(settings).get("address", "")
        if "{day}" not in address:
            return [Finding("address", "has no {day}: every day would get the same file", True)]
        return []


class Prices(exports.Prices):
    def fetch(self, settings, wanted):
        settings = dict(settings)
        url = settings["address"].replace("{day}", wanted.day).replace("{area}", wanted.area)
        try:
            answer = host_http.send(host_http.Request("GET", url, [], b""))
        except Err as error:
            fail("no-answer", Outcome.NOT_DONE, error.value.detail)
        if answer.status == 404:
            return []
        if answer.status != 200:
            fail("server-error", Outcome.NOT_DONE, f"{url} answered {answer.status}")
        body = json.dumps(feed(answer.body.decode().removeprefix("\ufeff"), settings, wanted)).encode()
        return [Document(body, None, url)]
