"""The parameters of the HTTP API: in paths, queries and headers."""

from typing import Any

from infra.describe.example_jobs import JOB_ID, PROVIDER_JOB_ID
from infra.describe.fields import JOB_ID as JOB_ID_SCHEMA
from infra.describe.fields import PROVIDER, STATUS
from relay.domain.answers import MAX_ID_LENGTH
from relay.domain.catalogue import CATALOGUE
from relay.edges.bodies import LONGEST_METADATA_KEY, LONGEST_METADATA_VALUE
from relay.edges.listing import (
    DEFAULT_PAGE_SIZE,
    LARGEST_PAGE_SIZE,
    METADATA,
)

Parameter = dict[str, Any]

OPERATIONS = list(dict.fromkeys(name for facts in CATALOGUE.values() for name in facts.operations))
REF_ID = "4f9d2c1e-7c55-4a3e-9c07-5a6b1f0e2d11"


def _query(name: str, schema: dict[str, Any], description: str, **more: Any) -> Parameter:
    return {"name": name, "in": "query", "description": description, "schema": schema, **more}


PARAMETERS: dict[str, Parameter] = {
    "jobId": {
        "name": "id",
        "in": "path",
        "required": True,
        "description": "The job's id.",
        "schema": JOB_ID_SCHEMA,
        "example": JOB_ID,
    },
    "idempotencyKey": {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "Makes the call repeatable: the same key with the same request meets the "
        "first one's job. Yours alone, like all else of a tenant.",
        "schema": {
            "type": "string",
            "minLength": 1,
            "maxLength": 255,
            "pattern": "^[!-~]([ -~]*[!-~])?$",
        },
        "example": "listing-42-living-room",
    },
    "prefer": {
        "name": "Prefer",
        "in": "header",
        "description": "`wait=N` has the answer wait until the job is final, for 1 to 60 seconds "
        "(RFC 7240). Anything else is ignored.",
        "schema": {"type": "string"},
        "example": "wait=1",
    },
    "provider": _query("provider", PROVIDER, "Jobs of this provider alone."),
    "operation": _query(
        "operation",
        {"type": "string", "enum": OPERATIONS},
        "Jobs of this operation alone.",
    ),
    "status": _query("status", STATUS, "Jobs in this status alone."),
    "metadata": _query(
        "metadata",
        {
            "type": "object",
            "propertyNames": {
                "pattern": f"^{METADATA.replace('.', '[.]')}[^\\u0000]{{1,{LONGEST_METADATA_KEY}}}$"
            },
            "additionalProperties": {"type": "string", "maxLength": LONGEST_METADATA_VALUE},
            "maxProperties": 1,
        },
        "`metadata.KEY=VALUE`: jobs whose metadata have this value under this key. The parameter "
        "is called `metadata.` and the key; there may be one.",
        style="form",
        explode=True,
        example={"metadata.listing": "42"},
    ),
    "pageSize": _query(
        "pageSize",
        {
            "type": "integer",
            "minimum": 1,
            "maximum": LARGEST_PAGE_SIZE,
            "default": DEFAULT_PAGE_SIZE,
        },
        "At most so many jobs.",
    ),
    "pageToken": _query(
        "pageToken",
        {"type": "string", "format": "page-token"},
        "The `nextPageToken` of the page before, which was asked for with the same filters.",
    ),
    "gepettoJobId": {
        "name": "id",
        "in": "path",
        "required": True,
        "description": "The relay's id for the job, or Gepetto's.",
        "schema": {"type": "string", "minLength": 1, "maxLength": MAX_ID_LENGTH},
        "example": PROVIDER_JOB_ID,
    },
    "refId": _query(
        "refId",
        {"type": "string", "minLength": 1, "maxLength": MAX_ID_LENGTH},
        "The relay's id for the job, or Spacely's.",
        required=True,
        example=REF_ID,
    ),
}
