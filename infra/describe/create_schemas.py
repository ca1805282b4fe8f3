"""The bodies of `POST /v1/jobs`: one schema for each operation, from the catalogue."""

from collections.abc import Iterator, Mapping

import msgspec

from infra.describe.samples import RAW_PATHS, sample_input
from relay.domain.catalogue import CATALOGUE, input_schema
from relay.domain.catalogue.description import Schema
from relay.domain.catalogue.operation import (
    MAX_DEPTH,
    MAX_INPUT_BYTES,
    MAX_INPUT_VALUES,
    RAW_PATH_PATTERN,
    Operation,
    ProviderFacts,
)
from relay.domain.job import OnUnconfirmed, Priority
from relay.edges.bodies import DOT_SEGMENTS, CreateBody

# What every body may have beside what it asks for, as the reading code declares it.
COMMON = ("metadata", "deadlineSeconds", "onUnconfirmed", "priority")
WISHES: Mapping[str, Schema] = {
    "metadata": {"description": "Your own flat map of strings, given back untouched."},
    "deadlineSeconds": {"description": "From the creation: by then the job is final."},
    "onUnconfirmed": {
        "type": "string",
        "enum": [one.value for one in OnUnconfirmed],
        "description": "What to do when nobody knows whether the provider took the job: `wait` "
        "for a sign of it until the deadline, or `resubmit` it and perhaps pay twice.",
    },
    "priority": {
        "type": "string",
        "enum": [one.value for one in Priority],
        "description": "Of your own jobs, `low` ones are sent after all that are `normal`. It "
        "moves no job ahead of another tenant's.",
    },
}


def create_schemas(*, refs: str) -> dict[str, Schema]:
    """Return the schema of the body as `CreateJob`, and those that it chooses from."""
    choices = dict(_choices(refs))
    any_of = {
        "title": "CreateJob",
        "type": "object",
        "description": "Either `input`, to have a job done, or `providerJobId`, to follow one "
        "that was submitted elsewhere. What no schema can say: pictures must be on public hosts, "
        f"an input may have {MAX_DEPTH} levels, {MAX_INPUT_VALUES:,} values (objects, arrays and "
        f"scalars) and {MAX_INPUT_BYTES:,} bytes.",
        "oneOf": [{"$ref": refs + name} for name in choices],
    }
    return {"CreateJob": any_of, **_common(), **choices}


def create_examples() -> dict[str, dict[str, object]]:
    """Return a body for each operation, and one that follows a job."""
    bodies: dict[str, dict[str, object]] = {}
    for facts in CATALOGUE.values():
        for operation in facts.operations.values():
            bodies[f"{facts.name}-{operation.name}"] = _example(facts, operation)
    bodies["follow"] = {
        "provider": "spacely",
        "operation": "advance",
        "providerJobId": "4f9d2c1e-7c55-4a3e-9c07-5a6b1f0e2d11",
    }
    return bodies


def _choices(refs: str) -> Iterator[tuple[str, Schema]]:
    for facts in CATALOGUE.values():
        for operation in facts.operations.values():
            yield (
                f"Create{_pascal(facts.name)}{_pascal(operation.name)}",
                _create(facts, operation, refs=refs),
            )
        yield f"Follow{_pascal(facts.name)}Job", _follow(facts, refs=refs)


def _create(facts: ProviderFacts, operation: Operation, *, refs: str) -> Schema:
    asked: Schema = {
        "provider": {"type": "string", "const": facts.name},
        "operation": {"type": "string", "const": operation.name},
        "input": input_schema(operation),
    }
    if operation.path is None:
        asked["path"] = {
            "type": "string",
            "pattern": RAW_PATH_PATTERN,
            "description": "Is appended to the provider's base URL.",
            "examples": [RAW_PATHS[facts.name]],
        }
    return {
        "title": f"{facts.name} {operation.name}",
        "description": _known_of(operation),
        "type": "object",
        "properties": {**asked, **_common_properties(refs)},
        "required": list(asked),
        "additionalProperties": False,
        **({"deprecated": True} if operation.is_legacy else {}),
        "examples": [_example(facts, operation)],
    }


def _known_of(operation: Operation) -> str:
    if operation.path is None:
        return " ".join(["For operations that the catalogue does not have.", *operation.notes])
    return " ".join([f"Known from {operation.source}.", *operation.notes])


def _follow(facts: ProviderFacts, *, refs: str) -> Schema:
    asked: Schema = {
        "provider": {"type": "string", "const": facts.name},
        "operation": {"type": "string", "enum": list(facts.operations)},
        "providerJobId": {
            **_declared()["properties"]["providerJobId"],
            "not": {"enum": list(DOT_SEGMENTS)},
            "description": "The id that the provider gave when the job was submitted.",
        },
    }
    return {
        "title": f"a {facts.name} job from elsewhere",
        "description": "Follows a job that was submitted without the relay.",
        "type": "object",
        "properties": {**asked, **_common_properties(refs)},
        "required": list(asked),
        "additionalProperties": False,
    }


def _common_properties(refs: str) -> Schema:
    return {name: {"$ref": refs + _pascal(name)} for name in COMMON}


def _common() -> dict[str, Schema]:
    properties = _declared()["properties"]
    return {
        _pascal(name): {
            **{word: value for word, value in properties[name].items() if word != "$ref"},
            **WISHES[name],
        }
        for name in COMMON
    }


def _declared() -> Schema:
    _, found = msgspec.json.schema_components([CreateBody], ref_template="{name}")
    declared: Schema = found["CreateBody"]
    return declared


def _example(facts: ProviderFacts, operation: Operation) -> dict[str, object]:
    body: dict[str, object] = {
        "provider": facts.name,
        "operation": operation.name,
        "input": sample_input(facts.name, operation),
        "metadata": {"listing": "42"},
    }
    if operation.path is None:
        body["path"] = RAW_PATHS[facts.name]
    return body


def _pascal(name: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in name.split("-"))
