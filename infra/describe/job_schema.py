"""The JSON Schema of a job, with the rules that hold between its fields."""

from infra.describe.structs import struct_schemas
from relay.adapters.pubsub import JOB_SCHEMA
from relay.domain.catalogue import RAW
from relay.domain.catalogue.description import Schema
from relay.domain.job import ENDS, MOVES, Status
from relay.edges.answers import JobAnswer
from relay.job_view import JobView

DIALECT = "https://json-schema.org/draft/2020-12/schema"
FINAL = [status.value for status, moves in MOVES.items() if not moves]
WITHOUT_RESULT = [one for one in FINAL if one in ENDS - {Status.SUCCEEDED}]


def answered_job_schemas(*, refs: str) -> dict[str, Schema]:
    """Return as `job_schemas` those of a job as the API answers with it."""
    schemas = struct_schemas([JobAnswer], refs=refs)
    job = {**schemas.pop("Job"), "allOf": [*_rules(), *_rules_of_answers()]}
    return {"Job": job, **schemas}


def job_schemas(*, refs: str) -> dict[str, Schema]:
    """Return the schemas of a job and of all that is in it, the job's own first.

    Args:
        refs: Where references point, such as ``#/$defs/``.
    """
    schemas = struct_schemas([JobView], refs=refs)
    job = {**schemas.pop("Job"), "allOf": _rules()}
    return {"Job": job, **schemas}


def job_schema() -> Schema:
    """Return the schema that stands alone and that events name as that of their data."""
    schemas = job_schemas(refs="#/$defs/")
    job = schemas.pop("Job")
    return {
        "$schema": DIALECT,
        "$id": JOB_SCHEMA,
        **job,
        "description": "A render job as the events show it; the API shows more. Fields may be "
        "added; none is removed or changes its meaning under this $id.",
        "$defs": schemas,
    }


def _rules() -> list[Schema]:
    is_followed = {"properties": {"input": {"type": "null"}}}
    is_raw = {"properties": {"operation": {"const": RAW}}}
    return [
        {
            "if": _status(Status.SUCCEEDED.value),
            "then": {"properties": {"outputs": {"minItems": 1}}},
            "else": {"properties": {"outputs": {"maxItems": 0}}},
        },
        {
            "if": _status(Status.FAILED.value),
            "then": {"properties": {"error": {"type": "object"}}},
            "else": {"properties": {"error": {"type": "null"}}},
        },
        {
            "if": _status(*FINAL),
            "then": _both("finishedAt", "finishedBy", type="string"),
            "else": _both("finishedAt", "finishedBy", type="null"),
        },
        {"if": {"required": ["lateOutputs"]}, "then": _status(*WITHOUT_RESULT)},
        {
            "if": {"allOf": [is_raw, {"not": is_followed}]},
            "then": {"required": ["path"]},
            "else": {"properties": {"path": False}},
        },
    ]


def _rules_of_answers() -> list[Schema]:
    return [
        {
            "if": _status(Status.QUEUED.value),
            "then": {"properties": {"waitingFor": {"type": "string"}}},
            "else": {"properties": {"waitingFor": {"type": "null"}}},
        },
        {
            "if": {"not": _status(Status.PROCESSING.value)},
            "then": {"properties": {"expectedAt": {"type": "null"}}},
        },
    ]


def _status(*values: str) -> Schema:
    return {"properties": {"status": {"enum": list(values)}}}


def _both(*names: str, type: str) -> Schema:
    return {"properties": {name: {"type": type} for name in names}}
