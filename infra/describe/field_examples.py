"""Examples of fields, taken from whole values that the code makes."""

from collections.abc import Iterable, Mapping
from typing import Any

from infra.describe.schemas import COMPONENTS
from relay.domain.catalogue.description import Schema


def add_examples(
    schemas: Mapping[str, Schema], values: Mapping[str, Iterable[Mapping[str, Any]]]
) -> None:
    """Give each field without an example the first value that it has.

    Args:
        schemas: The components, which are changed.
        values: Objects by the names of their components.
    """
    for name, objects in values.items():
        for one in objects:
            _add(schemas, name, one)


def _add(schemas: Mapping[str, Schema], name: str, value: Mapping[str, Any]) -> None:
    fields = schemas[name].get("properties", {})
    for field in fields.keys() & {field for field, one in value.items() if one is not None}:
        schema, one = fields[field], value[field]
        inner = object_in(schemas, schema)
        if inner is not None:
            for each in one if isinstance(one, list) else [one]:
                _add(schemas, inner, each)
        elif not schema.keys() & {"examples", "$ref"}:
            schema["examples"] = [one]


def object_in(schemas: Mapping[str, Schema], schema: Schema) -> str | None:
    """Return the component of objects that a field has, alone, in an array or beside null."""
    places = [schema, schema.get("items", {}), *schema.get("anyOf", [])]
    names = [str(one["$ref"]).removeprefix(COMPONENTS) for one in places if "$ref" in one]
    return next((name for name in names if "properties" in schemas[name]), None)
