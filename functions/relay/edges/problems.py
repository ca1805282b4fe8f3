"""Errors as RFC 9457 problem details, each with a stable ``code``."""

import math
from collections.abc import Mapping, Sequence
from http import HTTPStatus

import msgspec
from werkzeug.wrappers import Response

from relay.errors import (
    InvalidQuery,
    InvalidRequest,
    JobFinal,
    JobNotFound,
    KeyReused,
    NotRetryable,
    RelayError,
    StoreUnavailable,
    TooManyLargeBatches,
    TooManyOpenJobs,
    Unauthenticated,
    UnreadableJob,
)

PROBLEM_JSON = "application/problem+json"
SHOWN_NAME = 40

_UNAVAILABLE = (
    HTTPStatus.SERVICE_UNAVAILABLE,
    "store_unavailable",
    "the job could not be read or written now; try again",
)
# Where there is no detail, the error's own text is it.
_ANSWERS: Mapping[type[RelayError], tuple[HTTPStatus, str, str]] = {
    Unauthenticated: (
        HTTPStatus.UNAUTHORIZED,
        "unauthenticated",
        "give a key as `Authorization: Bearer KEY` or as `X-API-KEY: KEY`",
    ),
    JobNotFound: (HTTPStatus.NOT_FOUND, "job_not_found", "there is no such job"),
    InvalidRequest: (HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_request", ""),
    InvalidQuery: (HTTPStatus.BAD_REQUEST, "invalid_query", ""),
    JobFinal: (HTTPStatus.CONFLICT, "job_final", "the job has ended already"),
    NotRetryable: (HTTPStatus.CONFLICT, "job_not_retryable", ""),
    KeyReused: (
        HTTPStatus.CONFLICT,
        "idempotency_key_reused",
        "this Idempotency-Key was used before, with another body",
    ),
    TooManyOpenJobs: (HTTPStatus.TOO_MANY_REQUESTS, "too_many_open_jobs", ""),
    TooManyLargeBatches: (
        HTTPStatus.TOO_MANY_REQUESTS,
        "too_many_large_batches",
        "too many large batches and lists are under way: send it again, or smaller ones",
    ),
    StoreUnavailable: _UNAVAILABLE,
    UnreadableJob: _UNAVAILABLE,
}


class Problem(msgspec.Struct, omit_defaults=True):
    """The body of an error answer.

    Attributes:
        code: Says which error it is, for programs; it never changes.
        pointer: JSON Pointer to the culprit in the request's body.
        parameter: Name of the culprit in the request's query.
    """

    title: str
    status: int
    code: str
    detail: str
    type: str | None = None
    pointer: str | None = None
    parameter: str | None = None


class HttpProblem(RelayError):
    """What is wrong with a request at the level of HTTP.

    Args:
        allow: The methods that the path does allow.
    """

    def __init__(
        self, status: HTTPStatus, code: str, detail: str, *, allow: str | None = None
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.allow = allow


def not_found() -> HttpProblem:
    """Refuse a path at which there is nothing."""
    return HttpProblem(HTTPStatus.NOT_FOUND, "not_found", "there is nothing here")


def no_such_job() -> HttpProblem:
    """Refuse an id with the status that the providers use for unknown ones."""
    return HttpProblem(HTTPStatus.BAD_REQUEST, "job_not_found", "there is no such job")


def method_not_allowed(allowed: Sequence[str]) -> HttpProblem:
    """Refuse a method that the path does not know."""
    allow = ", ".join(sorted(allowed))
    detail = f"this path allows {allow}"
    return HttpProblem(HTTPStatus.METHOD_NOT_ALLOWED, "method_not_allowed", detail, allow=allow)


def body_too_large(max_bytes: int) -> HttpProblem:
    """Refuse a body over the limit."""
    detail = f"the body may have at most {max_bytes} bytes"
    return HttpProblem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "body_too_large", detail)


def malformed_json() -> HttpProblem:
    """Refuse a body that does not parse."""
    return HttpProblem(HTTPStatus.BAD_REQUEST, "malformed_json", "the body must be JSON")


def duplicate_name(name: str) -> HttpProblem:
    """Refuse an object with two members of one name, as readers differ on which of them counts."""
    shown = name if len(name) <= SHOWN_NAME else f"{name[:SHOWN_NAME]}..."
    detail = f"an object in the body has {shown!r} twice"
    return HttpProblem(HTTPStatus.BAD_REQUEST, "malformed_json", detail)


def problem_answer(error: RelayError) -> Response:
    """Return the answer that tells the caller of this error; raise it if none does."""
    if isinstance(error, HttpProblem):
        status, code, detail = error.status, error.code, str(error)
    elif type(error) in _ANSWERS:
        status, code, detail = _ANSWERS[type(error)]
    else:
        raise error
    problem = Problem(
        title=status.phrase,
        status=status.value,
        code=code,
        detail=detail or str(error),
        pointer=error.pointer if isinstance(error, InvalidRequest) else None,
        parameter=error.parameter if isinstance(error, InvalidQuery) else None,
    )
    answer = Response(msgspec.json.encode(problem), status.value, mimetype=PROBLEM_JSON)
    if isinstance(error, HttpProblem) and error.allow is not None:
        answer.headers["Allow"] = error.allow
    if status is HTTPStatus.UNAUTHORIZED:
        answer.headers["WWW-Authenticate"] = "Bearer"
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        answer.headers["Retry-After"] = "2"
    if isinstance(error, TooManyLargeBatches):
        answer.headers["Retry-After"] = "1"
    if isinstance(error, TooManyOpenJobs):
        answer.headers["Retry-After"] = str(math.ceil(error.retry_after_s))
    return answer
