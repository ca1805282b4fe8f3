"""Submissions in the providers' own shapes: their paths, bodies and refusals.

See contract, section 3. Paths and bodies are the catalogue's, so code that was written for a
provider needs another host and key only.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from relay.application.job_creator import DEFAULT_DEADLINE_S, JobCreator, NewJob
from relay.domain.callback import Callback, CallbackShape
from relay.domain.catalogue import CATALOGUE, Operation, ProviderFacts
from relay.domain.job import Job, OnUnconfirmed
from relay.edges.bodies import parse_strict_json
from relay.edges.problems import refused_submission, webhook_not_supported
from relay.errors import InvalidRequest, InvalidSubmission, RelayError

WEBHOOK = "webhook"


class Submission(msgspec.Struct, frozen=True):
    """The submission of one operation, as its provider takes it."""

    provider: ProviderFacts
    operation: Operation

    @property
    def path(self) -> str:
        """The path at the provider's host, and so at ours."""
        return f"{urlsplit(self.provider.base_url).path}{self.operation.path}"


SUBMISSIONS: Final[Sequence[Submission]] = tuple(
    Submission(facts, operation)
    for facts in CATALOGUE.values()
    for operation in facts.operations.values()
    if operation.path is not None
)


def read_submission(submission: Submission, body: bytes) -> NewJob:
    """Return the job that a body in the provider's shape asks for.

    Raises:
        InvalidSubmission: The body is no object, or its webhook is no text.
        HttpProblem: 400, the body is not JSON.
    """
    given = _read_object(body)
    callback = None
    if submission.provider.calls_back and WEBHOOK in given:
        callback = _read_webhook(given.pop(WEBHOOK))
    return NewJob(
        provider=submission.provider.name,
        operation=submission.operation.name,
        input=given,
        metadata={},
        deadline_s=DEFAULT_DEADLINE_S,
        on_unconfirmed=OnUnconfirmed.WAIT,
        callback=callback,
    )


def create_submitted(
    creator: JobCreator, new: NewJob, *, tenant: str, idempotency_key: str | None
) -> Job:
    """Create a job that was asked for in the provider's shape.

    Raises:
        InvalidSubmission: Its body is wrong; names every culprit.
        HttpProblem: 400, nothing in the body is wrong and the job is refused all the same. 501, the
            body is right, but callbacks are not switched on.
        KeyReused: The idempotency key was used with another body.
        TooManyOpenJobs: The tenant is over its quota in this account.
        StoreUnavailable: The job may not be written.
    """
    try:
        if new.callback is not None and not creator.takes_callbacks:
            creator.check(replace(new, callback=None))
            raise webhook_not_supported()
        return creator.create(tenant, new, idempotency_key=idempotency_key).job
    except InvalidRequest as error:
        raise _about_the_body(error) from None


def _read_object(body: bytes) -> dict[str, Any]:
    try:
        given = parse_strict_json(body)
    except InvalidRequest as error:
        raise InvalidSubmission(error.pointer, error.expected) from None
    if not isinstance(given, dict):
        raise InvalidSubmission("", "the body must be an object")
    return given


def _read_webhook(given: object) -> Callback:
    if not isinstance(given, str):
        raise InvalidSubmission(f"/{WEBHOOK}", f"{WEBHOOK} must be a URL")
    return Callback(url=given, shape=CallbackShape.GEPETTO)


def _about_the_body(error: InvalidRequest) -> RelayError:
    """Say of the body what the error says of `input`, which the body is, and `callbackUrl`."""
    if not all(one.pointer.startswith(("/input", "/callbackUrl")) for one in error.mistakes):
        return refused_submission(str(error))
    return InvalidSubmission.joined([_without_input(one) for one in error.mistakes])


def _without_input(mistake: InvalidRequest) -> InvalidSubmission:
    if mistake.pointer == "/callbackUrl":
        expected = mistake.expected.replace("callbackUrl", WEBHOOK, 1)
        return InvalidSubmission(f"/{WEBHOOK}", expected)
    rest = mistake.expected.removeprefix("input")
    detail = rest[1:] if rest.startswith(".") else f"the body{rest}"
    return InvalidSubmission(mistake.pointer.removeprefix("/input"), detail)
