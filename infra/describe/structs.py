"""JSON Schemas of the structs that are sent and received, under the names that readers see."""

from collections.abc import Sequence
from typing import Any

import msgspec

from infra.describe.fields import FIELDS, NAMES
from relay.domain.catalogue.description import Schema


def struct_schemas(structs: Sequence[type[msgspec.Struct]], *, refs: str) -> dict[str, Schema]:
    """Return the schemas of these structs and of all that is in them.

    Args:
        refs: Where references point, such as ``#/$defs/``.

    Raises:
        LookupError: A field that is described is not in its struct, or the reverse.
    """
    _, found = msgspec.json.schema_components(structs, ref_template="{name}")
    return {
        NAMES.get(name, name): _referring(_described(name, schema), refs=refs)
        for name, schema in found.items()
    }


def _described(name: str, schema: Schema) -> Schema:
    fields = FIELDS.get(name)
    if fields is None:
        return schema
    properties: dict[str, Schema] = schema["properties"]
    if fields.keys() != properties.keys():
        raise LookupError(f"{name}: {sorted(fields.keys() ^ properties.keys())} described or there")
    merged = {
        field: {**plain, **fields[field]} if "type" in plain or "$ref" in plain else fields[field]
        for field, plain in properties.items()
    }
    summary = schema["description"].partition("\n")[0]
    return {**schema, "title": NAMES.get(name, name), "description": summary, "properties": merged}


def _referring(schema: Any, *, refs: str) -> Any:
    """Return the schema with its references as readers need them."""
    match schema:
        case {"$ref": str(name), **others}:
            reference = {"$ref": refs + NAMES.get(name, name)}
            # Siblings of a reference count in JSON Schema 2020-12, and are lost before it.
            rest = {key: _referring(value, refs=refs) for key, value in others.items()}
            return {**rest, **reference}
        case dict():
            return {key: _referring(value, refs=refs) for key, value in schema.items()}
        case list():
            return [_referring(one, refs=refs) for one in schema]
        case _:
            return schema
