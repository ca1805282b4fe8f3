"""What docs/schemas/ says of the events that were received."""

import json
from datetime import datetime
from pathlib import Path

from jsonschema import Draft202012Validator, FormatChecker
from referencing import Registry, Resource

from infra.local.inbox import Delivery

FOLDER = Path(__file__).parents[1] / "docs" / "schemas"
FORMATS = FormatChecker()


@FORMATS.checks("date-time", raises=ValueError)
def is_time(value: object) -> bool:
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None


SCHEMAS = {
    schema["$id"]: schema
    for schema in (json.loads(path.read_text()) for path in FOLDER.rglob("*.json"))
}
REGISTRY = Registry().with_resources(
    [(name, Resource.from_contents(schema)) for name, schema in SCHEMAS.items()]
)
CHECKERS = {
    name: Draft202012Validator(schema, registry=REGISTRY, format_checker=FORMATS)
    for name, schema in SCHEMAS.items()
}
EVENTS = {schema["title"]: name for name, schema in SCHEMAS.items()}


def complaints(delivery: Delivery) -> list[str]:
    """Return what is wrong with an event by the schema of its type and by the one it names."""
    attributes = dict(delivery.attributes)
    try:
        data = json.loads(delivery.data)
    except ValueError as error:
        return [f"the data is not JSON: {error}"]
    message = {"attributes": attributes, "data": data, "orderingKey": delivery.ordering_key}
    return [
        *_faults(EVENTS.get(attributes.get("ce-type", "")), message, what="its type"),
        *_faults(attributes.get("ce-dataschema"), data, what="its data"),
    ]


def _faults(name: str | None, value: object, *, what: str) -> list[str]:
    if name not in CHECKERS:
        return [f"there is no schema for {what}: {name}"]
    return [
        f"{name}: {error.json_path}: {error.message}" for error in CHECKERS[name].iter_errors(value)
    ]
