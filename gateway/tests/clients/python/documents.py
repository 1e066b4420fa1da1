"""What the office orders, as the API has it."""

from datetime import datetime, timedelta, timezone

from charger import stamp


def soon(hours):
    return stamp(datetime.now(timezone.utc) + timedelta(hours=hours))


def soon_ms(hours):
    """The same in the words of the model: milliseconds since 1970."""
    return round((datetime.now(timezone.utc).timestamp() + 3600 * hours) * 1000)


def profile(limit):
    periods = [{"start_s": 0, "limit": limit, "phases": 3}, {"start_s": 3600, "limit": "16.5"}]
    schedule = {"id": 1, "start": soon_ms(0), "duration_s": 86400, "unit": "A", "min_rate": "6", "periods": periods}
    return {
        "id": 5, "stack_level": 1, "purpose": "TxDefaultProfile", "kind": "Recurring", "recurrency": "Daily",
        "valid_from": soon_ms(0), "valid_to": soon_ms(48), "schedules": [schedule],
    }


def log_order(kind, **more):
    order = {"kind": kind, "location": "ftp://logs.example.org/in/", "retries": 2, "retry_interval_s": 60}
    return order | {"from": soon(-24), "until": soon(0)} | more


def firmware_order(signed):
    order = {"request": 9, "location": "https://firmware.example.org/halo-2.bin", "fetch_at": soon(1), "retries": 3}
    if signed:
        pem = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
        order |= {"install_at": soon(2), "certificate": pem, "signature": "c2lnbmVk"}
    return order


def tariff(name):
    """A tariff for chargers of OCPP 2.1 to hold."""
    vat = [{"kind": "VAT", "percent": "25.5"}]
    anything = {name: {} for name in ("energy", "current", "power", "time", "charging_time", "idle_time")}
    night = {"from_time": "22:00:00", "until_time": "06:00:00", "days": ["Saturday"], **anything}
    return {
        "id": name, "description": [{"format": "UTF8", "language": "en", "content": "Day and night"}],
        "currency": "EUR", "valid_from": soon_ms(1),
        "energy": {"prices": [{"price": "0.15", "when": night}, {"price": "0.318725"}], "taxes": vat},
        "idle_time": {"prices": [{"price": "0.08"}], "taxes": vat},
        "fixed_fee": {"prices": [{"price": "0.4"}], "taxes": vat},
    }
