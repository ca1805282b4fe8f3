"""Errors as RFC 9457 problem details, each with a stable ``code``."""

from http import HTTPStatus

import msgspec
from werkzeug.wrappers import Response

from relay.errors import (
    InvalidRequest,
    JobNotFound,
    KeyReused,
    RelayError,
    StoreUnavailable,
    Unauthenticated,
    UnreadableJob,
)

PROBLEM_JSON = "application/problem+json"


class Problem(msgspec.Struct, omit_defaults=True):
    """The body of an error answer.

    Attributes:
        code: Says which error it is, for programs; it never changes.
        pointer: JSON Pointer to the culprit in the request's body.
    """

    title: str
    status: int
    code: str
    detail: str
    type: str | None = None
    pointer: str | None = None


class HttpProblem(RelayError):
    """What is wrong with a request at the level of HTTP."""

    def __init__(
        self, status: HTTPStatus, code: str, detail: str, *, allow: str | None = None
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.allow = allow


def not_found() -> HttpProblem:
    """There is nothing at this path."""
    return HttpProblem(HTTPStatus.NOT_FOUND, "not_found", "there is nothing here")


def method_not_allowed(allowed: list[str]) -> HttpProblem:
    """The path does not know the method."""
    allow = ", ".join(sorted(allowed))
    return HttpProblem(
        HTTPStatus.METHOD_NOT_ALLOWED,
        "method_not_allowed",
        f"this path allows {allow}",
        allow=allow,
    )


def body_too_large(max_bytes: int) -> HttpProblem:
    """The body is over the limit."""
    return HttpProblem(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "body_too_large",
        f"the body may have at most {max_bytes} bytes",
    )


def malformed_json() -> HttpProblem:
    """The body does not parse."""
    return HttpProblem(HTTPStatus.BAD_REQUEST, "malformed_json", "the body must be JSON")


def problem_answer(error: RelayError) -> Response:
    """Return the answer that tells the caller of this error."""
    status, code, detail = _described(error)
    problem = Problem(
        title=status.phrase,
        status=status.value,
        code=code,
        detail=detail,
        pointer=error.pointer if isinstance(error, InvalidRequest) else None,
    )
    answer = Response(msgspec.json.encode(problem), status.value, mimetype=PROBLEM_JSON)
    if isinstance(error, HttpProblem) and error.allow is not None:
        answer.headers["Allow"] = error.allow
    if status is HTTPStatus.UNAUTHORIZED:
        answer.headers["WWW-Authenticate"] = "Bearer"
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        answer.headers["Retry-After"] = "2"
    return answer


def _described(error: RelayError) -> tuple[HTTPStatus, str, str]:
    match error:
        case HttpProblem():
            return error.status, error.code, str(error)
        case Unauthenticated():
            return (
                HTTPStatus.UNAUTHORIZED,
                "unauthenticated",
                "give a key as `Authorization: Bearer KEY` or as `X-API-KEY: KEY`",
            )
        case JobNotFound():
            return HTTPStatus.NOT_FOUND, "job_not_found", "there is no such job"
        case InvalidRequest():
            return HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_request", error.expected
        case KeyReused():
            return (
                HTTPStatus.CONFLICT,
                "idempotency_key_reused",
                "this Idempotency-Key was used before, with another body",
            )
        case StoreUnavailable() | UnreadableJob():
            return (
                HTTPStatus.SERVICE_UNAVAILABLE,
                "store_unavailable",
                "the job could not be read or written now; try again",
            )
        case _:
            raise error
