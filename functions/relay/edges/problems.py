"""Errors as RFC 9457 problem details, each with a stable ``code``."""

import math
from collections.abc import Mapping, Sequence
from http import HTTPStatus

import msgspec
from werkzeug.wrappers import Response

from relay.domain.validation import shortened
from relay.errors import (
    BucketUnavailable,
    Invalid,
    InvalidQuery,
    InvalidRequest,
    InvalidSubmission,
    JobFinal,
    JobNotFound,
    KeyReused,
    ListNotFetched,
    NotRedeliverable,
    NotRendered,
    NotRenderedYet,
    NotRetryable,
    OutputNotKept,
    PictureNotFetched,
    RelayError,
    StoreUnavailable,
    TooManyLargeBatches,
    TooManyOpenJobs,
    TooManyWaiting,
    Unauthenticated,
    UnreadableJob,
    WrongKey,
)

PROBLEM_JSON = "application/problem+json"

_UNAVAILABLE = (
    HTTPStatus.SERVICE_UNAVAILABLE,
    "store_unavailable",
    "the job could not be read or written now; try again",
)
# An empty detail stands for the error's own text.
_ANSWERS: Mapping[type[RelayError], tuple[HTTPStatus, str, str]] = {
    Unauthenticated: (
        HTTPStatus.UNAUTHORIZED,
        "unauthenticated",
        "there is no key: give one as `Authorization: Bearer KEY` or as `X-API-KEY: KEY`",
    ),
    WrongKey: (HTTPStatus.UNAUTHORIZED, "unauthenticated", ""),
    JobNotFound: (HTTPStatus.NOT_FOUND, "job_not_found", "there is no such job"),
    InvalidRequest: (HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_request", ""),
    # The status that both providers document for it: gepetto.md 3, spacely.md 2.
    InvalidSubmission: (HTTPStatus.BAD_REQUEST, "invalid_request", ""),
    InvalidQuery: (HTTPStatus.BAD_REQUEST, "invalid_query", ""),
    JobFinal: (HTTPStatus.CONFLICT, "job_final", "the job has ended already"),
    NotRetryable: (HTTPStatus.CONFLICT, "job_not_retryable", ""),
    NotRedeliverable: (HTTPStatus.CONFLICT, "job_not_redeliverable", ""),
    NotRendered: (HTTPStatus.BAD_GATEWAY, "job_not_rendered", ""),
    PictureNotFetched: (HTTPStatus.BAD_GATEWAY, "picture_not_fetched", ""),
    NotRenderedYet: (
        HTTPStatus.GATEWAY_TIMEOUT,
        "job_not_rendered_yet",
        (
            "the job goes on, but its picture was not there in time: read it with "
            "`GET /v1/job/{id}`, whose id is in `X-Job-Id`"
        ),
    ),
    TooManyWaiting: (
        HTTPStatus.SERVICE_UNAVAILABLE,
        "too_many_waiting",
        "nothing was created: too many calls wait for their pictures; try again, or give a webhook",
    ),
    KeyReused: (
        HTTPStatus.CONFLICT,
        "idempotency_key_reused",
        "this Idempotency-Key was used before, with another body",
    ),
    TooManyOpenJobs: (HTTPStatus.TOO_MANY_REQUESTS, "too_many_open_jobs", ""),
    ListNotFetched: (HTTPStatus.SERVICE_UNAVAILABLE, "list_not_fetched", ""),
    TooManyLargeBatches: (
        HTTPStatus.TOO_MANY_REQUESTS,
        "too_many_large_batches",
        "too many large batches and lists are under way: send it again, or smaller ones",
    ),
    OutputNotKept: (HTTPStatus.NOT_FOUND, "output_not_kept", ""),
    BucketUnavailable: (
        HTTPStatus.SERVICE_UNAVAILABLE,
        "bucket_unavailable",
        "the copy could not be read from its bucket now; try again",
    ),
    StoreUnavailable: _UNAVAILABLE,
    UnreadableJob: _UNAVAILABLE,
}


class ProblemMistake(msgspec.Struct, omit_defaults=True):
    """One place at which a request is wrong; see RFC 9457, section 3.

    Attributes:
        pointer: JSON Pointer to it in the request's body.
        parameter: Its name in the request's query.
    """

    detail: str
    pointer: str | None = None
    parameter: str | None = None


class Problem(msgspec.Struct, omit_defaults=True):
    """The body of an error answer.

    Attributes:
        code: Says which error it is, for programs; it never changes.
        pointer: JSON Pointer to the first culprit in the request's body.
        parameter: Name of the first culprit in the request's query.
        errors: Every culprit, if it is the request's body or query that is wrong.
    """

    title: str
    status: int
    code: str
    detail: str
    type: str | None = None
    pointer: str | None = None
    parameter: str | None = None
    errors: list[ProblemMistake] | None = None


class HttpProblem(RelayError):
    """What is wrong with a request at the level of HTTP.

    Args:
        allow: The methods that the path does allow.
        pointer: JSON Pointer to the culprit in the body; None if it is not in there.
    """

    def __init__(
        self,
        status: HTTPStatus,
        code: str,
        detail: str,
        *,
        allow: str | None = None,
        pointer: str | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.allow = allow
        self.pointer = pointer


def not_found(nearest: str | None = None) -> HttpProblem:
    """Refuse a path at which there is nothing.

    Args:
        nearest: The known path most like it.
    """
    hint = f"; did you mean `{nearest}`?" if nearest is not None else ""
    return HttpProblem(HTTPStatus.NOT_FOUND, "not_found", f"there is nothing here{hint}")


def internal_error() -> HttpProblem:
    """Tell that a request failed by a fault of ours."""
    detail = "the relay failed; its log has the cause under the `X-Request-Id` of this answer"
    return HttpProblem(HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error", detail)


def no_such_job() -> HttpProblem:
    """Refuse an id with the status that the providers use for unknown ones."""
    return HttpProblem(HTTPStatus.BAD_REQUEST, "job_not_found", "there is no such job")


def refused_submission(detail: str) -> HttpProblem:
    """Refuse a submission in a provider's shape for what is not in its body."""
    return HttpProblem(HTTPStatus.BAD_REQUEST, "invalid_request", detail)


def webhook_not_supported() -> HttpProblem:
    """Refuse a submission that wants a webhook called where callbacks are not switched on."""
    return HttpProblem(
        HTTPStatus.NOT_IMPLEMENTED,
        "webhook_not_supported",
        "nothing was created: callbacks are not switched on here, so no webhook is called; create "
        "the job with `POST /v1/jobs` and poll it with `GET /v1/job/{id}`",
        pointer="/webhook",
    )


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
    detail = f"an object in the body has {shortened(name)!r} twice"
    return HttpProblem(HTTPStatus.BAD_REQUEST, "malformed_json", detail)


def _mistake(error: Invalid) -> ProblemMistake:
    return ProblemMistake(
        detail=error.expected,
        pointer=error.pointer if isinstance(error, InvalidRequest) else None,
        parameter=error.parameter if isinstance(error, InvalidQuery) else None,
    )


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
        pointer=error.pointer if isinstance(error, HttpProblem | InvalidRequest) else None,
        parameter=error.parameter if isinstance(error, InvalidQuery) else None,
        errors=[_mistake(one) for one in error.mistakes] if isinstance(error, Invalid) else None,
    )
    answer = Response(msgspec.json.encode(problem), status.value, mimetype=PROBLEM_JSON)
    if isinstance(error, HttpProblem) and error.allow is not None:
        answer.headers["Allow"] = error.allow
    if status is HTTPStatus.UNAUTHORIZED:
        # RFC 6750, section 3.1: a request without a key is told no error.
        is_wrong = isinstance(error, WrongKey)
        answer.headers["WWW-Authenticate"] = (
            'Bearer error="invalid_token"' if is_wrong else "Bearer"
        )
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        answer.headers["Retry-After"] = "2"
    if isinstance(error, TooManyLargeBatches):
        answer.headers["Retry-After"] = "1"
    if isinstance(error, TooManyOpenJobs | ListNotFetched):
        answer.headers["Retry-After"] = str(math.ceil(error.retry_after_s))
    return answer
