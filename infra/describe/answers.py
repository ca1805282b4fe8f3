"""The good answers of the HTTP API, as OpenAPI responses with their links and examples."""

from typing import Any

import msgspec

from infra.describe.example_jobs import JOB_ID, example_jobs, shown
from relay.application.overview import AccountState
from relay.domain.catalogue import CATALOGUE
from relay.edges.answers import gepetto_json, providers_json, spacely_json

Answer = dict[str, Any]

LOCATION = {
    "Location": {
        "required": True,
        "description": "Where the job is.",
        "schema": {"type": "string", "pattern": "^/v1/jobs/job_[0-9a-z]{26}$"},
        "example": f"/v1/jobs/{JOB_ID}",
    }
}
APPLIED = {
    "Preference-Applied": {
        "description": "How long the answer was ready to wait; absent if it was not.",
        "schema": {"type": "string", "pattern": "^wait=[0-9]+$"},
        "example": "wait=30",
    }
}
_ID = "$response.body#/id"


def _link(operation: str, **parameters: str) -> dict[str, Any]:
    return {"operationId": operation, "parameters": parameters}


LINKS = {
    "job": _link("getJob", id=_ID),
    "cancel": _link("cancelJob", id=_ID),
    "retry": _link("retryJob", id=_ID),
    "similar": _link(
        "listJobs", provider="$response.body#/provider", status="$response.body#/status"
    ),
    "asGepetto": _link("getGepettoJob", id=_ID),
    "asSpacely": _link("getSpacelyResult", refId=_ID),
    "nextPage": {
        **_link("listJobs", pageToken="$response.body#/nextPageToken"),
        "description": "With the same filters, as long as there is a token.",
    },
}


def answer(
    description: str,
    schema: str,
    examples: dict[str, Any],
    *,
    headers: dict[str, Any] | None = None,
    links: tuple[str, ...] = (),
) -> Answer:
    """Return an answer in JSON.

    Args:
        schema: Its name among the components.
        links: Names of links among the components.
    """
    found: Answer = {"description": description}
    if headers is not None:
        found["headers"] = headers
    found["content"] = {
        "application/json": {
            "schema": {"$ref": f"#/components/schemas/{schema}"},
            "examples": {name: {"value": value} for name, value in examples.items()},
        }
    }
    if links:
        found["links"] = {name: {"$ref": f"#/components/links/{name}"} for name in links}
    return found


def jobs(*names: str) -> dict[str, Any]:
    """Return jobs as examples, by their names in `example_jobs`."""
    found = example_jobs()
    return {name: shown(found[name]) for name in names}


def page_example() -> dict[str, Any]:
    """Return a page of a list."""
    return {"page": {"jobs": list(jobs("succeeded").values()), "nextPageToken": None}}


def providers_example() -> dict[str, Any]:
    """Return the catalogue with one account switched on, and of each provider one operation."""
    on = AccountState(
        name="gepetto",
        limit=CATALOGUE["gepetto"].limit,
        hold=None,
        queued_jobs=1,
        open_jobs=4,
    )
    whole = msgspec.json.decode(providers_json([on]))
    for provider in whole["providers"]:
        del provider["catalogue"]["operations"][1:]
    return {"providers": whole}


def gepetto_examples() -> dict[str, Any]:
    """Return jobs as Gepetto shows them."""
    found = example_jobs()
    return {
        name: msgspec.json.decode(gepetto_json(found[job]))
        for name, job in {"success": "succeeded", "pending": "queued", "failed": "failed"}.items()
    }


def spacely_examples() -> dict[str, Any]:
    """Return jobs as Spacely shows them."""
    found = example_jobs()
    return {
        name: msgspec.json.decode(spacely_json(found[job]))
        for name, job in {
            "success": "succeeded",
            "processing": "queued",
            "failed": "failed",
        }.items()
    }
