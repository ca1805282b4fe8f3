"""The error answers: which problems there are, when they come, how each looks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from infra.describe.structs import struct_schemas
from relay.domain.catalogue.description import Schema
from relay.edges.api import MAX_BODY_BYTES
from relay.edges.problems import (
    PROBLEM_JSON,
    HttpProblem,
    Problem,
    body_too_large,
    malformed_json,
    method_not_allowed,
    no_such_job,
    not_found,
    problem_answer,
)
from relay.errors import (
    InvalidQuery,
    InvalidRequest,
    JobFinal,
    JobNotFound,
    KeyReused,
    NotRetryable,
    RelayError,
    StoreUnavailable,
    TooManyOpenJobs,
    Unauthenticated,
)

HEADERS: Mapping[HTTPStatus, Mapping[str, Schema]] = {
    HTTPStatus.UNAUTHORIZED: {
        "WWW-Authenticate": {"type": "string", "const": "Bearer"},
    },
    HTTPStatus.METHOD_NOT_ALLOWED: {
        "Allow": {"type": "string", "examples": ["GET, HEAD"]},
    },
    HTTPStatus.TOO_MANY_REQUESTS: {
        "Retry-After": {"type": "integer", "minimum": 1, "examples": [5]},
    },
    HTTPStatus.SERVICE_UNAVAILABLE: {
        "Retry-After": {"type": "integer", "minimum": 1, "examples": [2]},
    },
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """One way to be wrong.

    Attributes:
        code: Its stable name.
        when: When it comes, as a sentence.
        error: One of its kind: what the API answers to it is the example.
    """

    code: str
    when: str
    error: RelayError


_TROUBLES = (
    Trouble(
        code="malformed_json",
        when="The body is not JSON, or an object in it has a key twice.",
        error=malformed_json(),
    ),
    Trouble(
        code="invalid_idempotency_key",
        when="The Idempotency-Key is empty, too long or not printable ASCII.",
        error=HttpProblem(
            HTTPStatus.BAD_REQUEST,
            "invalid_idempotency_key",
            "the Idempotency-Key must have 1 to 255 printable ASCII characters",
        ),
    ),
    Trouble(
        code="invalid_query",
        when="A query parameter is unknown, repeated or has a value that it cannot have.",
        error=InvalidQuery("pageSize", "pageSize must be a number from 1 to 100"),
    ),
    Trouble(
        code="unauthenticated",
        when="No key was given, or one that nobody has.",
        error=Unauthenticated(),
    ),
    Trouble(
        code="not_found",
        when="There is nothing at this path.",
        error=not_found(),
    ),
    Trouble(
        code="job_not_found",
        when="There is no such job, or it is another tenant's: the answer is the same.",
        error=JobNotFound(),
    ),
    Trouble(
        code="method_not_allowed",
        when="The path does not know the method; `Allow` says which ones it knows.",
        error=method_not_allowed(["GET", "HEAD"]),
    ),
    Trouble(
        code="idempotency_key_reused",
        when="The Idempotency-Key was used before, with another body.",
        error=KeyReused(),
    ),
    Trouble(
        code="job_final",
        when="The job has ended already.",
        error=JobFinal(),
    ),
    Trouble(
        code="job_not_retryable",
        when="The job is neither failed, cancelled nor unconfirmed, or was submitted elsewhere.",
        error=NotRetryable(
            "the job is queued; only these can be retried: cancelled, failed, unconfirmed"
        ),
    ),
    Trouble(
        code="body_too_large",
        when=f"The body has more than {MAX_BODY_BYTES} bytes.",
        error=body_too_large(MAX_BODY_BYTES),
    ),
    Trouble(
        code="unsupported_media_type",
        when="The body is said to be something else than JSON.",
        error=HttpProblem(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            "the body must be sent as application/json",
        ),
    ),
    Trouble(
        code="invalid_request",
        when="A field of the body is missing, unknown or has a value that it cannot have.",
        error=InvalidRequest("/input/creativity", "input.creativity must be at most 30"),
    ),
    Trouble(
        code="too_many_open_jobs",
        when="You have as many open jobs with the provider as you may; nothing was written. Jobs "
        "that end meanwhile count after `Retry-After` at the latest.",
        error=TooManyOpenJobs("gepetto", most=5000, retry_after_s=5),
    ),
    Trouble(
        code="store_unavailable",
        when="The store did not answer; the same call may succeed after `Retry-After`.",
        error=StoreUnavailable(),
    ),
)
# By name: the code, but for the one that the providers' own read endpoints give as a 400.
NOT_FOUND_THERE = "job_not_found_there"
TROUBLES: Mapping[str, Trouble] = {
    **{one.code: one for one in _TROUBLES},
    NOT_FOUND_THERE: Trouble(
        code="job_not_found",
        when="As at the provider, an id that is not known is 400: there is no such job, or it is "
        "another tenant's.",
        error=no_such_job(),
    ),
}


def problem_schemas(*, refs: str) -> dict[str, Schema]:
    """Return the schema of an error answer, and that of its codes."""
    problem = struct_schemas([Problem], refs=refs)["Problem"]
    problem["properties"]["code"] = {"$ref": f"{refs}ProblemCode"}
    codes: Schema = {
        "title": "ProblemCode",
        "description": "\n".join(
            ["Says which error it is; more may be added.", ""]
            + [f"- `{one.code}` ({_status(one)}): {one.when}" for one in TROUBLES.values()]
        ),
        "type": "string",
        "enum": list(dict.fromkeys(one.code for one in TROUBLES.values())),
    }
    return {"Problem": problem, "ProblemCode": codes}


def problem_response(names: Sequence[str], *, refs: str) -> tuple[str, Schema]:
    """Return the answer to one of these troubles, as an OpenAPI response, and its name."""
    troubles = [TROUBLES[name] for name in names]
    status = _status(troubles[0])
    answer: Schema = {"description": " ".join(one.when for one in troubles)}
    if status in HEADERS:
        answer["headers"] = {
            name: {"required": True, "schema": schema} for name, schema in HEADERS[status].items()
        }
    answer["content"] = {
        PROBLEM_JSON: {
            "schema": {
                "allOf": [{"$ref": f"{refs}Problem"}],
                "properties": {
                    "status": {"const": status.value},
                    "code": {"enum": [one.code for one in troubles]},
                },
            },
            "examples": {one.code: {"summary": one.when, "value": _shown(one)} for one in troubles},
        }
    }
    return "Or".join(_pascal(name) for name in names), answer


def by_status(names: Sequence[str]) -> Mapping[int, Sequence[str]]:
    """Return the troubles' names by the status that they come with, in ascending order."""
    found: dict[int, list[str]] = {}
    for name in sorted(names, key=lambda one: _status(TROUBLES[one])):
        found.setdefault(_status(TROUBLES[name]).value, []).append(name)
    return found


def _status(trouble: Trouble) -> HTTPStatus:
    return HTTPStatus(problem_answer(trouble.error).status_code)


def _shown(trouble: Trouble) -> Any:
    return problem_answer(trouble.error).get_json()


def _pascal(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))
