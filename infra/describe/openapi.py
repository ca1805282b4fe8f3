"""The OpenAPI document: the HTTP API of `jobs_api`."""

from collections.abc import Sequence
from typing import Any

from infra.describe.answers import LINKS
from infra.describe.create_schemas import create_schemas
from infra.describe.job_schema import answered_job_schemas
from infra.describe.operations import Described, operations
from infra.describe.parameters import PARAMETERS
from infra.describe.problem_answers import by_status, problem_response, problem_schemas
from infra.describe.prose import OPENAPI_DESCRIPTION, VERSION
from infra.describe.structs import struct_schemas
from relay.domain.catalogue.description import Schema
from relay.edges.answers import GepettoJob, PageView, ProvidersView, SpacelyResult

SCHEMAS = "#/components/schemas/"
KEYS: list[dict[str, list[str]]] = [{"bearer": []}, {"apiKey": []}]


def openapi() -> dict[str, Any]:
    """Return the whole document."""
    described = operations()
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Render Relay",
            "version": VERSION,
            "description": OPENAPI_DESCRIPTION,
        },
        "servers": [
            {
                "url": "https://{host}",
                "description": "A deployment: the URL of its `jobs_api`.",
                "variables": {"host": {"default": "jobs-api.example.com"}},
            }
        ],
        "security": KEYS,
        "tags": [
            {"name": "jobs", "description": "Jobs of your tenant."},
            {"name": "providers", "description": "What can be asked for, and of whom."},
            {"name": "as the providers", "description": "Jobs in the providers' own shapes."},
            {"name": "health", "description": "For probes."},
        ],
        "paths": _paths(described),
        "components": {
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-KEY"},
            },
            "parameters": PARAMETERS,
            "responses": dict(
                problem_response(names, refs=SCHEMAS)
                for one in described
                for names in by_status(one.troubles).values()
            ),
            "links": LINKS,
            "schemas": _schemas(),
        },
    }


def _schemas() -> dict[str, Schema]:
    return {
        **create_schemas(refs=SCHEMAS),
        "NoFields": {"type": "object", "additionalProperties": False, "maxProperties": 0},
        **answered_job_schemas(refs=SCHEMAS),
        **struct_schemas([PageView, ProvidersView, GepettoJob, SpacelyResult], refs=SCHEMAS),
        **problem_schemas(refs=SCHEMAS),
        "Health": {
            "type": "object",
            "properties": {"status": {"type": "string", "const": "ok"}},
            "required": ["status"],
        },
    }


def _paths(described: Sequence[Described]) -> dict[str, Any]:
    paths: dict[str, Any] = {}
    for one in described:
        paths.setdefault(one.path, {})[one.method] = _operation(one)
    return paths


def _operation(one: Described) -> dict[str, Any]:
    found: dict[str, Any] = {
        "operationId": one.id,
        "tags": [one.tag],
        "summary": one.summary,
        "description": one.description,
    }
    if one.is_public:
        found["security"] = []
    if one.parameters:
        found["parameters"] = [
            {"$ref": f"#/components/parameters/{name}"} for name in one.parameters
        ]
    if one.body is not None:
        found["requestBody"] = dict(one.body)
    found["responses"] = {
        **{str(status): answer for status, answer in one.answers.items()},
        **{
            str(status): {
                "$ref": f"#/components/responses/{problem_response(names, refs=SCHEMAS)[0]}"
            }
            for status, names in by_status(one.troubles).items()
        },
    }
    return found
