"""The catalogue as plain data in JSON's own types, for whoever shows it."""

from typing import TypedDict

from relay.domain.catalogue.operation import Field, Operation, ProviderFacts
from relay.domain.catalogue.path import PATTERN
from relay.domain.catalogue.schema import Schema, input_schema, shape_schema


class FieldDescription(TypedDict):
    """One field of an input."""

    name: str
    required: bool
    schema: Schema


class CreditsDescription(TypedDict):
    """What an operation costs; null where it is not known."""

    amount: float | None
    withField: dict[str, float]


class ExpectedDescription(TypedDict):
    """How long a render is thought to take before anything has been learnt of it."""

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
    """Return everything that the catalogue says of a provider."""
    return {
        "name": facts.name,
        "baseUrl": facts.base_url,
        "callsBack": facts.calls_back,
        "limit": {"calls": facts.limit.calls, "windowSeconds": facts.limit.window_s},
        "operations": [describe_operation(one) for one in facts.operations.values()],
    }


def describe_operation(operation: Operation) -> OperationDescription:
    """Return everything that the catalogue says of an operation."""
    return {
        "name": operation.name,
        "path": operation.path,
        "pathPattern": PATTERN if operation.path is None else None,
        "fields": [
            _describe_field(one, is_complete=operation.is_complete) for one in operation.fields
        ],
        "exactlyOneOf": list(operation.exactly_one_of),
        "inputSchema": input_schema(operation),
        "isComplete": operation.is_complete,
        "isLegacy": operation.is_legacy,
        "credits": {
            "amount": operation.credits.amount,
            "withField": dict(operation.credits.with_field),
        },
        "expected": {
            "seconds": operation.expected.seconds,
            "source": operation.expected.source,
        },
        "source": operation.source,
        "notes": list(operation.notes),
    }


def _describe_field(field: Field, *, is_complete: bool) -> FieldDescription:
    return {
        "name": field.name,
        "required": field.required,
        "schema": shape_schema(field.shape, is_complete=is_complete),
    }
