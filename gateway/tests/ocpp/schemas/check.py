"""Validates what stands on standard input against the official schemas that PyPI `ocpp` ships.

Input, one JSON object a line: {"version", "schema", "instance"}. Output: what is wrong, then `missing VERSION TYPE.FIELD` for
every field of a request's schema that no instance had, then `done N`.
"""

import json
import re
import sys
from decimal import Decimal
from pathlib import Path

import ocpp
from jsonschema import validators

HOME = Path(ocpp.__file__).parent
TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
schemas, validator_of, seen, wanted = {}, {}, {}, {}


def load(version, name):
    key = (version, name)
    if key not in schemas:
        text = (HOME / version / "schemas" / f"{name}.json").read_text(encoding="utf-8-sig")
        schemas[key] = json.loads(text, parse_float=Decimal)
        validator_of[key] = validators.validator_for(schemas[key])(schemas[key])
    return schemas[key], validator_of[key]


def resolve(schema, root):
    while "$ref" in schema:
        name = schema["$ref"].split("/")[-1]
        schema = dict(root["definitions"][name], title_=name)
    return schema


def want(schema, root, name, version):
    """Every field of a request's schema, by the type that has it."""
    schema = resolve(schema, root)
    name = schema.get("title_", name)
    if schema.get("type") == "array":
        return want(schema.get("items", {}), root, name, version)
    fields = schema.get("properties", {})
    for field, inner in fields.items():
        key = (version, f"{name}.{field}")
        if field == "customData" or key in wanted:
            continue
        wanted[key] = True
        want(inner, root, f"{name}.{field}", version)


def walk(value, schema, root, name, version, errors):
    """Order of fields, form of times; and which fields there were."""
    schema = resolve(schema, root)
    name = schema.get("title_", name)
    if isinstance(value, list):
        for entry in value:
            walk(entry, schema.get("items", {}), root, name, version, errors)
    elif isinstance(value, dict):
        order = list(schema.get("properties", {}))
        places = [order.index(field) for field in value if field in order]
        if places != sorted(places):
            errors.append(f"{name}: fields not in the order of the schema: {list(value)}")
        for field, inner in value.items():
            seen[(version, f"{name}.{field}")] = True
            if field != "customData":
                walk(inner, schema.get("properties", {}).get(field, {}), root, f"{name}.{field}", version, errors)
    elif isinstance(value, str) and schema.get("format") == "date-time" and not TIME.match(value):
        errors.append(f"{name}: a time in another form: {value}")


count = 0
for line in sys.stdin:
    job = json.loads(line, parse_float=Decimal)
    version, name, instance = job["version"], job["schema"], job["instance"]
    schema, validator = load(version, name)
    errors = [f"{'.'.join(map(str, e.absolute_path))}: {e.message}" for e in validator.iter_errors(instance)]
    walk(instance, schema, schema, name, version, errors)
    if not name.endswith("Response"):
        want(schema, schema, name, version)
    for error in errors:
        print(f"{version} {name}: {error[:400]} in {line.strip()[:600]}")
    count += 1
for version, field in sorted(wanted):
    if (version, field) not in seen:
        print(f"missing {version} {field}")
print(f"done {count}")
