"""A render job: its states, the allowed moves between them, and its data."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, StrEnum
from typing import Any, Final, TypeAlias

import msgspec

from relay.domain.callback import Callback
from relay.domain.kept_output import KeptOutput
from relay.domain.trace import TraceContext

# Not recursive: deeper levels belong to the provider and pass through unread.
Json: TypeAlias = str | int | float | bool | list[Any] | dict[str, Any] | None


_ID = re.compile(r"job_[0-9a-z]{26}")


class Status(StrEnum):
    """The state of a job."""

    QUEUED = "queued"
    SUBMITTING = "submitting"
    UNCONFIRMED = "unconfirmed"
    PROCESSING = "processing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


ENDS = frozenset({Status.SUCCEEDED, Status.FAILED, Status.CANCELLED})

MOVES: Mapping[Status, frozenset[Status]] = {
    Status.QUEUED: ENDS | {Status.SUBMITTING},
    Status.SUBMITTING: ENDS | {Status.QUEUED, Status.UNCONFIRMED, Status.PROCESSING},
    Status.UNCONFIRMED: ENDS | {Status.QUEUED, Status.PROCESSING},
    Status.PROCESSING: ENDS,
    Status.SUCCEEDED: frozenset(),
    Status.FAILED: frozenset(),
    Status.CANCELLED: frozenset(),
}


OPEN = tuple(status for status, moves in MOVES.items() if moves)


class Actor(StrEnum):
    """Who moved a job."""

    CALLER = "caller"
    SUBMIT = "submit"
    POLL = "poll"
    WEBHOOK = "webhook"
    DEADLINE = "deadline"


class ErrorCode(StrEnum):
    """Why a job failed."""

    PROVIDER_REJECTED = "provider_rejected"
    PROVIDER_AUTH = "provider_auth"
    PROVIDER_OUT_OF_CREDITS = "provider_out_of_credits"
    PROVIDER_JOB_NOT_FOUND = "provider_job_not_found"
    RENDER_FAILED = "render_failed"
    DEADLINE_EXCEEDED = "deadline_exceeded"
    NOT_SENT_IN_TIME = "not_sent_in_time"
    SUBMIT_UNCONFIRMED = "submit_unconfirmed"
    OUTPUT_UNUSABLE = "output_unusable"


class Failure(msgspec.Struct, frozen=True):
    """One way for a job to fail, in words for its caller.

    Attributes:
        remedy: What the caller can do about it.
        is_retryable: Whether the same input may succeed next time. False where it would fail again
            for the same reason, or buy once more what was bought and came to nothing. No provider
            says which failed renders are the input's fault, nor that one is free (gepetto.md 8 and
            12 row 1, spacely.md 10 rows 4 and 15), so none is to be repeated without a look.
    """

    cause: str
    remedy: str
    is_retryable: bool


FAILURES: Mapping[ErrorCode, Failure] = {
    ErrorCode.PROVIDER_REJECTED: Failure(
        "the provider refused the job",
        "correct the input and create a new job",
        is_retryable=False,
    ),
    ErrorCode.PROVIDER_AUTH: Failure(
        "the provider did not accept the account's key until the deadline",
        "have the operator check the account, then retry",
        is_retryable=False,
    ),
    ErrorCode.PROVIDER_OUT_OF_CREDITS: Failure(
        "the account had no credits until the deadline",
        "have the operator buy credits, then retry",
        is_retryable=False,
    ),
    ErrorCode.PROVIDER_JOB_NOT_FOUND: Failure(
        "the provider answered repeatedly that it has no such job",
        "check the id of a followed job; retry any other, which may be billed again",
        is_retryable=True,
    ),
    ErrorCode.RENDER_FAILED: Failure(
        "the provider reported that the render failed",
        "check that its image URLs open for anyone and that its ids are the provider's before you "
        "retry, which may be billed again",
        is_retryable=False,
    ),
    ErrorCode.DEADLINE_EXCEEDED: Failure(
        "no result arrived before the deadline",
        "wait for a late result, or retry, which may be billed again",
        is_retryable=True,
    ),
    ErrorCode.NOT_SENT_IN_TIME: Failure(
        "too little time was left for a render, so the job was not sent",
        "retry, or create it with a longer deadlineSeconds: nothing was billed",
        is_retryable=True,
    ),
    ErrorCode.SUBMIT_UNCONFIRMED: Failure(
        "until the deadline it was unknown whether the provider took the job",
        "wait for a late result, or retry, which may be billed twice",
        is_retryable=True,
    ),
    ErrorCode.OUTPUT_UNUSABLE: Failure(
        "the provider reported success without a usable output",
        "ask the provider before you retry, which may be billed again and end the same",
        is_retryable=False,
    ),
}


class OnUnconfirmed(StrEnum):
    """What to do when it is unknown whether the provider took the job."""

    WAIT = "wait"
    RESUBMIT = "resubmit"


class Priority(StrEnum):
    """Which of a tenant's jobs are sent first."""

    NORMAL = "normal"
    LOW = "low"


class Unread(Enum):
    """The type of `UNREAD`."""

    UNREAD = "unread"


# The input of a job found by a query: only a read by id loads it.
UNREAD: Final = Unread.UNREAD


class EventType(StrEnum):
    """The types of events about a job."""

    SUCCEEDED = "com.renderrelay.job.succeeded"
    FAILED = "com.renderrelay.job.failed"
    CANCELLED = "com.renderrelay.job.cancelled"
    LATE_RESULT = "com.renderrelay.job.late_result"
    OUTPUTS_KEPT = "com.renderrelay.job.outputs_kept"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry of a job's history."""

    at: datetime
    status: Status
    by: Actor
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderReply:
    """What a provider answered when it refused or failed a job.

    Attributes:
        status: The HTTP status.
        message: An excerpt of what it said; empty if it said nothing.
    """

    status: int
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JobError:
    """Why a job failed, in words for its caller.

    Attributes:
        provider: What the provider said of it; None if it said nothing, or nothing of this job.
    """

    code: ErrorCode
    message: str
    provider: ProviderReply | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A pump's record that it is about to send the job.

    Attributes:
        token: Unique to this attempt, so that a pump recognises its own claim.
        expires_at: When the pump counts as dead, and the fate of its call as unknown.
    """

    token: str
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Strikes:
    """A run of answers that ends the job once it is long enough.

    Attributes:
        code: The error that the job would fail with.
        since: When the first of them came.
    """

    code: ErrorCode
    count: int
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """An event of the job, stored by the write that caused it.

    Attributes:
        at: The event's time: when the job finished, or when the late result came.
        publish_at: When to publish it (again); None once it is out.
        failures: How often publishing has failed.
    """

    id: str
    type: EventType
    at: datetime
    publish_at: datetime | None
    failures: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One render job at one moment.

    Attributes:
        input: The caller's input, in the provider's own field names; None for a job that was
            submitted elsewhere, `UNREAD` in a job found by a query.
        path: The path of a ``raw`` job, below the provider's base URL; None for other operations.
        body_digest: Tells two creates with the same idempotency key apart.
        submitted_at: When the last submission began; None if there was none.
        is_acknowledged: Whether the provider's id came from the submission (or from the caller of a
            followed job); an id that only a callback brought may belong to another job.
        call_at: When to call the provider next. None for a job in its account's queue, and for any
            job that needs no call.
        not_ready_at: When a poll last found the render unfinished.
        refusal: Why the provider last refused the account on this job; None if it did not.
        refusal_reply: What the provider said then, also to a poll.
        refused_at: When that was.
        throttled_at: When the provider last answered 429 to a call for this job.
        tries: Submissions begun so far.
        resubmissions: How often it was queued again after an unconfirmed submission; so many
            renders may exist beside the last one.
        announcements: The completion event first, then the late result's and that of the kept
            outputs, if any.
        callback: Where the events are posted too; None if nowhere.
        kept_outputs: The outputs that were kept so far, or were found not to be worth keeping, in
            no particular order.
        trace: The span that created the job; None where traces are not switched on.
    """

    id: str
    tenant: str
    provider: str
    operation: str
    input: Mapping[str, Json] | Unread | None
    path: str | None
    metadata: Mapping[str, str]
    on_unconfirmed: OnUnconfirmed
    priority: Priority = Priority.NORMAL
    credits: float | None
    body_digest: str
    retry_of: str | None
    created_at: datetime
    deadline_at: datetime
    status: Status
    history: tuple[Entry, ...]
    call_at: datetime | None
    provider_job_id: str | None = None
    is_acknowledged: bool = False
    provider_status: str | None = None
    submitted_at: datetime | None = None
    finished_at: datetime | None = None
    finished_by: Actor | None = None
    outputs: tuple[str, ...] = ()
    late_outputs: tuple[str, ...] = ()
    error: JobError | None = None
    claim: Claim | None = None
    refusal: ErrorCode | None = None
    refusal_reply: ProviderReply | None = None
    refused_at: datetime | None = None
    throttled_at: datetime | None = None
    tries: int = 0
    resubmissions: int = 0
    polls: int = 0
    not_ready_at: datetime | None = None
    strikes: Strikes | None = None
    announcements: tuple[Announcement, ...] = ()
    callback: Callback | None = None
    kept_outputs: tuple[KeptOutput, ...] = ()
    trace: TraceContext | None = None

    @property
    def account(self) -> str:
        """The provider account whose pump works on this job."""
        return self.provider

    @property
    def known_input(self) -> Mapping[str, Json] | None:
        """The input of a job that was read by id.

        Raises:
            LookupError: The job was found by a query, which does not read the input.
        """
        if isinstance(self.input, Unread):
            raise LookupError(f"the input of {self.id} was not read")  # noqa: TRY004
        return self.input

    @property
    def is_ready(self) -> bool:
        """Whether the job only waits for its turn in its account's queue."""
        return self.status is Status.QUEUED and self.call_at is None

    @property
    def is_followed(self) -> bool:
        """Whether the job was submitted elsewhere and is only followed here."""
        if isinstance(self.input, Unread):
            # Only followed jobs begin as processing.
            return bool(self.history) and self.history[0].status is Status.PROCESSING
        return self.input is None

    @property
    def is_resubmitted(self) -> bool:
        """Whether it was sent again, so that two renders may exist."""
        return self.resubmissions > 0

    @property
    def is_final(self) -> bool:
        """Whether the status can no longer change."""
        return not MOVES[self.status]

    @property
    def cost(self) -> float | None:
        """What the job costs in credits: nothing if it ended without being sent; None if unknown.

        A result shows that a job was sent, even if its provider seemed not to have taken it.
        """
        was_sent = self.is_followed or self.submitted_at is not None or self.is_resubmitted
        if self.is_final and not (was_sent or self.outputs or self.late_outputs):
            return 0.0
        return self.credits

    @property
    def is_retryable(self) -> bool:
        """Whether it failed and the same input may succeed next time; see `Failure`.

        Never for a followed job, whose input is not known here.
        """
        return (
            self.error is not None
            and FAILURES[self.error.code].is_retryable
            and not self.is_followed
        )

    @property
    def can_be_polled(self) -> bool:
        """Whether the provider can be asked about this job."""
        return self.provider_job_id is not None and self.status is Status.PROCESSING

    @property
    def unpublished(self) -> tuple[Announcement, ...]:
        """The events not known to be published, in their order."""
        return tuple(one for one in self.announcements if one.publish_at is not None)


def is_job_id(text: str) -> bool:
    """Return whether the text has the form of a job id."""
    return _ID.fullmatch(text) is not None
