"""Errors as RFC 9457 problem details, each with a stable ``code``."""

import math
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
    TooManyOpenJobs,
    Unauthenticated,
    UnreadableJob,
)

PROBLEM_JSON = "application/problem+json"
SHOWN_NAME = 40


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


def no_such_job() -> HttpProblem:
    """The providers' own answer to an id that they do not know."""
    return HttpProblem(HTTPStatus.BAD_REQUEST, "job_not_found", "there is no such job")


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


def duplicate_name(name: str) -> HttpProblem:
    """An object in the body has two members of one name: which of them counts is anyone's guess."""
    shown = name if len(name) <= SHOWN_NAME else f"{name[:SHOWN_NAME]}..."
    return HttpProblem(
        HTTPStatus.BAD_REQUEST, "malformed_json", f"an object in the body has {shown!r} twice"
    )


def problem_answer(error: RelayError) -> Response:
    """Return the answer that tells the caller of this error."""
    status, code, detail = _described(error)
    problem = Problem(
        title=status.phrase,
        status=status.value,
        code=code,
        detail=detail,
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
    if isinstance(error, TooManyOpenJobs):
        answer.headers["Retry-After"] = str(math.ceil(error.retry_after_s))
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
        case InvalidQuery():
            return HTTPStatus.BAD_REQUEST, "invalid_query", error.expected
        case JobFinal():
            return HTTPStatus.CONFLICT, "job_final", "the job has ended already"
        case NotRetryable():
            return HTTPStatus.CONFLICT, "job_not_retryable", error.why
        case KeyReused():
            return (
                HTTPStatus.CONFLICT,
                "idempotency_key_reused",
                "this Idempotency-Key was used before, with another body",
            )
        case TooManyOpenJobs():
            return (
                HTTPStatus.TOO_MANY_REQUESTS,
                "too_many_open_jobs",
                f"{error.account} may have {error.most} open jobs of yours: wait for some to end",
            )
        case StoreUnavailable() | UnreadableJob():
            return (
                HTTPStatus.SERVICE_UNAVAILABLE,
                "store_unavailable",
                "the job could not be read or written now; try again",
            )
        case _:
            raise error
