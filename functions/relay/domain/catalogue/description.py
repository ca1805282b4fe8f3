"""The catalogue as JSON, for `GET /v1/providers` and the OpenAPI document."""

from typing import Any, TypeAlias, TypedDict

import msgspec

from relay.domain.catalogue.fields import image_url_schema
from relay.domain.catalogue.operation import (
    CALLBACK_FIELDS,
    RAW_PATH_PATTERN,
    DependentValues,
    Operation,
    ProviderFacts,
)

# JSON, as deep as the operation needs it.
Schema: TypeAlias = dict[str, Any]


class FieldDescription(TypedDict):
    """One field of an input."""

    name: str
    required: bool
    schema: Schema
    knownValues: list[str]


class CreditsDescription(TypedDict):
    """What an operation costs; null where it is not known."""

    amount: float | None
    withField: dict[str, float]


class ExpectedDescription(TypedDict):
    """How long a render is expected to take; from the documentation before any was measured."""

    seconds: float
    source: str


class OperationDescription(TypedDict):
    """One operation; `path` is null and `pathPattern` not where each job says its own."""

    name: str
    path: str | None
    pathPattern: str | None
    fields: list[FieldDescription]
    exactlyOneOf: list[str]
    inputSchema: Schema
    isComplete: bool
    isLegacy: bool
    credits: CreditsDescription
    expected: ExpectedDescription
    source: str
    notes: list[str]


class LimitDescription(TypedDict):
    """The documented call limit of an account."""

    calls: int
    windowSeconds: float


class ProviderDescription(TypedDict):
    """One provider and everything it can do."""

    name: str
    baseUrl: str
    callsBack: bool
    limit: LimitDescription
    operations: list[OperationDescription]


def describe_provider(facts: ProviderFacts) -> ProviderDescription:
    """Return everything that the catalogue says about a provider."""
    return {
        "name": facts.name,
        "baseUrl": facts.base_url,
        "callsBack": facts.calls_back,
        "limit": {"calls": facts.limit.calls, "windowSeconds": facts.limit.window_s},
        "operations": [_describe_operation(one) for one in facts.operations.values()],
    }


def _describe_operation(operation: Operation) -> OperationDescription:
    schema = input_schema(operation)
    return {
        "name": operation.name,
        "path": operation.path,
        "pathPattern": RAW_PATH_PATTERN if operation.path is None else None,
        "fields": [
            {
                "name": name,
                "required": name in schema["required"],
                "schema": schema["properties"][name],
                "knownValues": list(operation.known_values.get(name, ())),
            }
            for name in operation.input.__struct_encode_fields__
        ],
        "exactlyOneOf": list(operation.exactly_one_of),
        "inputSchema": schema,
        "isComplete": operation.is_complete,
        "isLegacy": operation.is_legacy,
        "credits": {
            "amount": operation.credits.amount,
            "withField": operation.credits.with_field,
        },
        "expected": {
            "seconds": operation.expected.seconds,
            "source": operation.expected.source,
        },
        "source": operation.source,
        "notes": list(operation.notes),
    }


def input_schema(operation: Operation) -> Schema:
    """Return the JSON Schema (2020-12) of the inputs that a deployed relay takes.

    It cannot express three rules: hosts must be public, and an input must be neither too deep nor
    too long.
    """
    (reference,), found = msgspec.json.schema_components(
        [operation.input], schema_hook=image_url_schema, ref_template="{name}"
    )
    schema: Schema = _inlined(reference, found)
    if not operation.is_complete:
        schema["additionalProperties"] = True
        # Not as properties: code generators have no type for what must not be there.
        schema["propertyNames"] = {"not": {"enum": list(CALLBACK_FIELDS)}}
    rules = [rule for dependent in operation.dependent for rule in _dependent_rules(dependent)]
    if operation.exactly_one_of:
        rules.append({"oneOf": [{"required": [name]} for name in operation.exactly_one_of]})
    if rules:
        schema["allOf"] = rules
    return schema


def _inlined(schema: Any, found: dict[str, Schema]) -> Any:
    """Return a schema with structs in the place of references to them."""
    match schema:
        case {"$ref": str(name), **more}:
            struct: Schema = _inlined(found[name], found)
            # They name and describe the struct; the field has a description of its own.
            del struct["title"], struct["description"]
            return {**struct, **more}
        case {"enum": list(), **more}:
            return {**more, "type": "string", "enum": schema["enum"]}
        case dict():
            return {key: _inlined(one, found) for key, one in schema.items()}
        case list():
            return [_inlined(one, found) for one in schema]
        case _:
            return schema


def _dependent_rules(dependent: DependentValues) -> list[Schema]:
    return [
        {
            "if": {
                "properties": {dependent.given_by: {"const": word}},
                "required": [dependent.given_by],
            },
            "then": {"properties": {dependent.field: {"enum": list(values)}}},
        }
        for word, values in dependent.values.items()
    ]
