"""Submissions in the providers' own shapes: their paths, bodies and refusals.

See contract, section 3. Paths and bodies are the catalogue's, so code that was written for a
provider needs another host and key only.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from relay.application.job_creator import DEFAULT_DEADLINE_S, JobCreator, NewJob
from relay.domain.catalogue import CATALOGUE, Operation, ProviderFacts
from relay.domain.catalogue.fields import ImageUrl, read_image_url
from relay.domain.job import Job, OnUnconfirmed
from relay.edges.bodies import parse_strict_json
from relay.edges.problems import (
    blocking_not_supported,
    refused_submission,
    webhook_not_supported,
)
from relay.errors import InvalidRequest, InvalidSubmission, RelayError

WEBHOOK = "webhook"


@dataclass(frozen=True, slots=True)
class Submission:
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


def create_submitted(
    creator: JobCreator,
    submission: Submission,
    body: bytes,
    *,
    tenant: str,
    idempotency_key: str | None,
) -> Job:
    """Create the job that a body in the provider's shape asks for.

    Raises:
        InvalidSubmission: The body is wrong; names every culprit.
        HttpProblem: 400, the body is not JSON, or nothing in it is wrong and the job is refused all
            the same. 501, it is right, but asks for a webhook's call or a blocking answer.
        KeyReused: The idempotency key was used with another body.
        TooManyOpenJobs: The tenant is over its quota in this account.
        StoreUnavailable: The job may not be written.
    """
    given = _read_object(body)
    webhook = None
    if submission.provider.calls_back and WEBHOOK in given:
        webhook = _read_webhook(given.pop(WEBHOOK))
    new = NewJob(
        provider=submission.provider.name,
        operation=submission.operation.name,
        input=given,
        metadata={},
        deadline_s=DEFAULT_DEADLINE_S,
        on_unconfirmed=OnUnconfirmed.WAIT,
    )
    try:
        if submission.provider.calls_back:
            creator.check(new)
            raise blocking_not_supported() if webhook is None else webhook_not_supported()
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


def _read_webhook(given: object) -> str:
    try:
        return read_image_url(ImageUrl, given, allow_local_urls=True)
    except ValueError as error:
        raise InvalidSubmission(f"/{WEBHOOK}", f"{WEBHOOK} {error}") from None


def _about_the_body(error: InvalidRequest) -> RelayError:
    """Say of the body what the error says of the field `input`, whose value the body is."""
    if not all(one.pointer.startswith("/input") for one in error.mistakes):
        return refused_submission(str(error))
    return InvalidSubmission.joined([_without_input(one) for one in error.mistakes])


def _without_input(mistake: InvalidRequest) -> InvalidSubmission:
    rest = mistake.expected.removeprefix("input")
    detail = rest[1:] if rest.startswith(".") else f"the body{rest}"
    return InvalidSubmission(mistake.pointer.removeprefix("/input"), detail)
