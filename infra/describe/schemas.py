"""JSON Schemas of what the API takes and returns, from the structs and the catalogue."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from infra.describe.base_files import read_base
from infra.describe.examples import RAW_PATHS, create_body, example_input
from relay.domain.catalogue import CATALOGUE, Operation, ProviderFacts, input_schema
from relay.domain.catalogue.description import Schema
from relay.edges.bodies import CreateBody
from relay.edges.submissions import SUBMISSIONS, WEBHOOK, Submission

DIALECT = "https://json-schema.org/draft/2020-12/schema"
COMPONENTS = "#/components/schemas/"
# The fields that every create may have beside what it asks for.
COMMON = ("metadata", "deadlineSeconds", "onUnconfirmed", "priority")
OVERLAYS: Final[Mapping[str, Schema]] = read_base("schemas.base.yaml")


def struct_schemas(structs: Sequence[type[Any]], *, refs: str) -> dict[str, Schema]:
    """Return the schemas of these structs and of all that is in them, by their titles.

    Args:
        refs: Where references point, such as ``#/$defs/``.

    Raises:
        LookupError: A field that is described is not in its struct, or the reverse.
    """
    _, found = msgspec.json.schema_components(structs, ref_template="{name}")
    names = {name: OVERLAYS.get(name, {}).get("title", name) for name in found}
    return {
        names[name]: _with_references(_described(name, schema), names=names, refs=refs)
        for name, schema in found.items()
    }


def _described(name: str, plain: Schema) -> Schema:
    overlay = OVERLAYS.get(name, {})
    described = {**plain, "description": plain.get("description", "").partition("\n")[0], **overlay}
    if "properties" not in overlay:
        return described
    there, fields = plain["properties"], overlay["properties"]
    if there.keys() != fields.keys():
        raise LookupError(f"{name}: {sorted(there.keys() ^ fields.keys())} described or there")
    merged = {field: _merged(one, fields[field]) for field, one in there.items()}
    return {**described, "properties": merged}


def _merged(plain: Schema, overlay: Schema) -> Schema:
    """Return a field's schema; an overlay that says the type leaves only the default."""
    if not overlay.keys() & {"type", "anyOf", "$ref"}:
        return {**_nullable(plain), **overlay}
    default = plain.get("default")
    return overlay if default is None else {**overlay, "default": default}


def _nullable(schema: Schema) -> Schema:
    """Return a choice between one plain type and null as one schema with two types."""
    choices = schema.get("anyOf", [])
    if len(choices) != 2 or choices[1] != {"type": "null"} or "type" not in choices[0]:
        return schema
    return {**choices[0], "type": [choices[0]["type"], "null"]}


def _with_references(node: Any, *, names: Mapping[str, str], refs: str) -> Any:
    """Return the schema with references that lead to where readers find their targets."""
    match node:
        case {"$ref": str(name)} if name in names:
            return {**node, "$ref": refs + names[name]}
        case dict():
            return {key: _with_references(one, names=names, refs=refs) for key, one in node.items()}
        case list():
            return [_with_references(one, names=names, refs=refs) for one in node]
        case _:
            return node


def create_schemas() -> dict[str, Schema]:
    """Return the schemas of the bodies of `POST /v1/jobs`, by provider and by operation."""
    _, found = msgspec.json.schema_components([CreateBody], ref_template="{name}")
    fields = _described("CreateBody", found["CreateBody"])["properties"]
    schemas = {_pascal(name): fields[name] for name in COMMON}
    for facts in CATALOGUE.values():
        bodies = dict(_bodies(facts, fields))
        title = f"Create{_pascal(facts.name)}Job"
        choices = [{"$ref": COMPONENTS + name} for name in bodies]
        schemas |= {title: {"title": title, "type": "object", "oneOf": choices}, **bodies}
    return schemas


def submission_schemas() -> dict[str, Schema]:
    """Return the schemas of the bodies in the providers' own shapes, by `submission_name`."""
    schemas = {}
    for one in SUBMISSIONS:
        schema = input_schema(one.operation)
        if one.provider.calls_back:
            schema["properties"][WEBHOOK] = {"$ref": f"{COMPONENTS}Webhook"}
        named = {
            "title": submission_name(one),
            "description": _description(one.operation),
            "examples": [example_input(one.provider.name, one.operation.name)],
        }
        schemas[submission_name(one)] = _without_booleans(schema) | named
    return schemas


def submission_name(submission: Submission) -> str:
    """Return the name of a submission's schema."""
    return f"Submit{_pascal(submission.provider.name)}{_pascal(submission.operation.name)}"


def _bodies(facts: ProviderFacts, fields: Schema) -> Iterator[tuple[str, Schema]]:
    provider = {"type": "string", "const": facts.name}
    for operation in facts.operations.values():
        asked = {
            "provider": provider,
            "operation": {"type": "string", "const": operation.name},
            "input": _without_booleans(input_schema(operation)),
        }
        if operation.path is None:
            asked["path"] = {**fields["path"], "examples": [RAW_PATHS[facts.name]]}
        name = f"Create{_pascal(facts.name)}{_pascal(operation.name)}"
        schema = _body(name, asked, description=_description(operation))
        if operation.is_legacy:
            schema["deprecated"] = True
        yield name, {**schema, "examples": [create_body(facts.name, operation.name)]}
    name = f"Follow{_pascal(facts.name)}Job"
    asked = {
        "provider": provider,
        "operation": {"type": "string", "enum": list(facts.operations)},
        "providerJobId": fields["providerJobId"],
    }
    yield name, _body(name, asked, description="Follows a job that was submitted elsewhere.")


def _body(name: str, asked: Schema, *, description: str) -> Schema:
    common = {field: {"$ref": COMPONENTS + _pascal(field)} for field in COMMON}
    return {
        "title": name,
        "description": description,
        "type": "object",
        "properties": {**asked, **common},
        "required": list(asked),
        "additionalProperties": False,
    }


def _description(operation: Operation) -> str:
    if operation.path is None:
        return " ".join(["For operations that the catalogue lacks.", *operation.notes])
    return " ".join([f"Source: {operation.source}.", *operation.notes])


def _without_booleans(schema: Schema) -> Schema:
    """Return an object's schema without `name: false`, for which code generators have no type."""
    properties = schema["properties"]
    forbidden = [name for name, one in properties.items() if one is False]
    if not forbidden:
        return schema
    return {
        **schema,
        "properties": {name: one for name, one in properties.items() if one is not False},
        "not": {"anyOf": [{"required": [name]} for name in forbidden]},
    }


def _pascal(name: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in name.split("-"))
