"""JSON Schemas of what the API takes and returns, from the structs and the catalogue."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from infra.describe.base_files import read_base
from infra.describe.examples import FOLLOWED, RAW_PATHS, create_body, example_input
from relay.domain.catalogue import CATALOGUE, Operation, ProviderFacts, input_schema
from relay.domain.catalogue.description import Schema
from relay.domain.catalogue.fields import BoxInPicture, PartialBox, PartialPoint, Point
from relay.domain.catalogue.operation import CALLBACK_FIELDS
from relay.edges.bodies import CreateBody
from relay.edges.submissions import SUBMISSIONS, WEBHOOK, Submission

DIALECT = "https://json-schema.org/draft/2020-12/schema"
COMPONENTS = "#/components/schemas/"
# The fields that every create may have beside what it asks for.
COMMON = ("metadata", "deadlineSeconds", "onUnconfirmed", "priority", "callbackUrl")
OVERLAYS: Final[Mapping[str, Schema]] = read_base("schemas.base.yaml")
SHARED: Final[Mapping[str, Schema]] = read_base("shared.base.yaml")
# What several fields of inputs are. The strict ones come first: they are also the others.
SHAPES = (Point, BoxInPicture, PartialPoint, PartialBox)


def struct_schemas(structs: Sequence[type[Any]], *, refs: str) -> dict[str, Schema]:
    """Return the schemas of these structs and of all that they refer to, by their titles.

    Args:
        refs: Where references point, such as ``#/$defs/``.

    Raises:
        LookupError: A field that is described is not in its struct, or the reverse.
    """
    _, found = msgspec.json.schema_components(structs, ref_template="{name}")
    names = {name: OVERLAYS.get(name, {}).get("title", name) for name in found}
    names |= {name: name for name in SHARED}
    schemas = {
        names[name]: _with_references(_described(name, schema), names=names, refs=refs)
        for name, schema in found.items()
    }
    text = json.dumps(schemas)
    return schemas | {
        name: {"title": name, **one} for name, one in SHARED.items() if f'"{refs}{name}"' in text
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
    if "$ref" in overlay:
        # With a default beside the reference openapi-typescript would require the field.
        return overlay
    if not overlay.keys() & {"type", "anyOf"}:
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
    described = _described("CreateBody", found["CreateBody"])["properties"]
    names = {name: name for name in SHARED}
    fields = {
        name: _with_references(one, names=names, refs=COMPONENTS) for name, one in described.items()
    }
    common = {name: fields[name] for name in COMMON}
    schemas = {_pascal(name): one for name, one in common.items() if "$ref" not in one}
    fields |= {
        name: one if "$ref" in one else {"$ref": COMPONENTS + _pascal(name)}
        for name, one in common.items()
    }
    for facts in CATALOGUE.values():
        schemas |= _provider_schemas(facts, fields)
    return schemas | struct_schemas(SHAPES, refs=COMPONENTS)


def submission_schemas() -> dict[str, Schema]:
    """Return the schemas of the bodies in the providers' own shapes, by `submission_name`."""
    schemas = {}
    for one in SUBMISSIONS:
        schema = _with_shapes(input_schema(one.operation))
        if one.provider.calls_back:
            schema["properties"][WEBHOOK] = {"$ref": f"{COMPONENTS}Webhook"}
            if "propertyNames" in schema:
                other = [name for name in CALLBACK_FIELDS if name != WEBHOOK]
                schema["propertyNames"] = {"not": {"enum": other}}
        named = {
            "title": submission_name(one),
            "description": _description(one.operation),
            "examples": [example_input(one.provider.name, one.operation.name)],
        }
        schemas[submission_name(one)] = schema | named
    return schemas


def submission_name(submission: Submission) -> str:
    """Return the name of a submission's schema."""
    return f"Submit{_pascal(submission.provider.name)}{_pascal(submission.operation.name)}"


def _provider_schemas(facts: ProviderFacts, fields: Schema) -> dict[str, Schema]:
    provider = _pascal(facts.name)
    job, render, follow = f"Create{provider}Job", f"Create{provider}Render", f"Follow{provider}Job"
    bodies = {
        operation.name: _body(facts, operation, fields) for operation in facts.operations.values()
    }
    places = {name: COMPONENTS + body["title"] for name, body in bodies.items()}
    return {
        job: {
            "title": job,
            "description": f"A render by {provider}, or a job to follow that was submitted there.",
            "type": "object",
            "oneOf": [{"$ref": COMPONENTS + render}, {"$ref": COMPONENTS + follow}],
        },
        render: {
            "title": render,
            "description": f"A render by {provider}. Its `operation` says which fields it takes.",
            "type": "object",
            "discriminator": {"propertyName": "operation", "mapping": places},
            "oneOf": [{"$ref": place} for place in places.values()],
        },
        **{body["title"]: body for body in bodies.values()},
        follow: _object(
            follow,
            {
                "provider": _only(facts.name, fields["provider"]),
                "operation": {
                    **fields["operation"],
                    "type": "string",
                    "enum": list(facts.operations),
                },
                "providerJobId": {**fields["providerJobId"], "examples": [FOLLOWED[facts.name]]},
            },
            fields,
            description="Follows a job that was submitted elsewhere.",
        ),
    }


def _body(facts: ProviderFacts, operation: Operation, fields: Schema) -> Schema:
    example = create_body(facts.name, operation.name)
    taken = {**_with_shapes(input_schema(operation)), **fields["input"]}
    asked = {
        "provider": _only(facts.name, fields["provider"]),
        "operation": _only(operation.name, fields["operation"]),
        "input": {**taken, "examples": [example["input"]]},
    }
    if operation.path is None:
        asked["path"] = {**fields["path"], "examples": [RAW_PATHS[facts.name]]}
    title = f"Create{_pascal(facts.name)}{_pascal(operation.name)}"
    schema = _object(title, asked, fields, description=_description(operation))
    if operation.is_legacy:
        schema["deprecated"] = True
    return {**schema, "examples": [example]}


def _only(word: str, field: Schema) -> Schema:
    return {"type": "string", "const": word, "description": field["description"]}


def _object(title: str, asked: Schema, fields: Schema, *, description: str) -> Schema:
    return {
        "title": title,
        "description": description,
        "type": "object",
        "properties": {**asked, **{name: fields[name] for name in COMMON}},
        "required": list(asked),
        "additionalProperties": False,
    }


def _description(operation: Operation) -> str:
    if operation.path is None:
        return " ".join(["For operations that the catalogue lacks.", *operation.notes])
    return " ".join([f"Source: {operation.source}.", *operation.notes])


def _with_shapes(node: Any) -> Any:
    """Return an input's schema with references to the shapes that several fields have."""
    match node:
        case {"type": "object", "properties": fields}:
            for name, shape in _SHAPES.items():
                if all(node.get(word) == one for word, one in shape.items()):
                    own = {word: one for word, one in node.items() if word not in shape}
                    return {"$ref": COMPONENTS + name, **own}
            inner = {name: _with_shapes(one) for name, one in fields.items()}
            return {**node, "properties": inner}
        case {"items": items}:
            return {**node, "items": _with_shapes(items)}
        case _:
            return node


def _plain_shapes() -> dict[str, Schema]:
    """Return the shapes' schemas without what names and describes them, by title."""
    _, found = msgspec.json.schema_components(SHAPES, ref_template="{name}")
    return {
        OVERLAYS.get(one.__name__, {}).get("title", one.__name__): {
            word: part
            for word, part in found[one.__name__].items()
            if word not in ("title", "description")
        }
        for one in SHAPES
    }


_SHAPES: Final = _plain_shapes()


def _pascal(name: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in name.split("-"))
