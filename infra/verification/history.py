"""What is recorded of one history of a relay, and how a broken promise is reported."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from relay.domain.job import Job
from relay.domain.limits import Limit

EPOCH = datetime.fromisoformat("2026-01-02T12:00:00+00:00")
# A hold or a pause ends at the latest so long after the answer that caused it.
LONGEST_STOP_S = 700.0


def moment(at_s: float) -> datetime:
    """Return the time of day at *at_s* seconds of a history."""
    return EPOCH + timedelta(seconds=at_s)


def seconds(at: datetime) -> float:
    """Return the seconds of a history at a time of day."""
    return (at - EPOCH).total_seconds()


@dataclass(frozen=True, slots=True)
class Violation:
    """A broken promise; *subject* is a job's id or a tenant, or "-"."""

    promise: str
    subject: str
    what: str

    def __str__(self) -> str:
        """Return it as one line."""
        return f"{self.promise} {self.subject}: {self.what}"


@dataclass(slots=True, kw_only=True)
class Version:
    """A version of a job's document, with the document's own ``wakeAt``."""

    at_s: float
    number: int
    job: Job
    wake_at: datetime | None


class Verdict(StrEnum):
    """What a provider did with a submission."""

    ACCEPTED = "accepted"
    UNCLEAR = "unclear"
    REFUSED = "refused"
    BUSY = "busy"
    ACCOUNT_REFUSED = "account refused"

    @property
    def may_have_been_taken(self) -> bool:
        """Whether the provider may be rendering the job."""
        return self in (Verdict.ACCEPTED, Verdict.UNCLEAR)


@dataclass(slots=True, kw_only=True)
class Call:
    """A call at the moment its provider counted it; the verdict of a poll is None."""

    at_s: float
    provider: str
    job_id: str
    verdict: Verdict | None

    @property
    def may_have_been_taken(self) -> bool:
        """Whether this is a submission after which the provider may be rendering the job."""
        return self.verdict is not None and self.verdict.may_have_been_taken


@dataclass(slots=True, kw_only=True)
class Throttled:
    """A 429 that the relay read; *retry_after_s* is None if it did not say how long to wait."""

    at_s: float
    provider: str
    job_id: str
    retry_after_s: float | None


@dataclass(slots=True, kw_only=True)
class Acknowledged:
    """A provider's id for a job, read in the response to a submission."""

    at_s: float
    job_id: str
    provider_job_id: str


@dataclass(slots=True, kw_only=True)
class UsableResult:
    """A usable result that reached the relay by callback or poll.

    Attributes:
        is_ours: Whether the relay is responsible for it: it answered the callback with 200,
            or the task that polled ended without a crash.
    """

    at_s: float
    job_id: str
    by: str
    provider_job_id: str | None
    outputs: tuple[str, ...]
    is_ours: bool = False


@dataclass(slots=True, kw_only=True)
class Message:
    """An event that the topic took, or one delivery of it.

    Attributes:
        at_s: When the topic took it, at the latest.
        within_s: How much earlier it may have been, if the topic's clock is coarse.
        attributes: None if they were not recorded; likewise the ordering key.
    """

    at_s: float
    job_id: str
    id: str
    type: str
    time: datetime
    data: bytes
    within_s: float = 0.0
    attributes: Mapping[str, str] | None = None
    ordering_key: str | None = None

    @property
    def content(self) -> tuple[object, ...]:
        """Everything that all copies of the event have in common."""
        return self.data, self.type, self.time, self.attributes


@dataclass(slots=True, kw_only=True)
class Trouble:
    """A fault that takes an account's pump away, or the store from its pump.

    Attributes:
        until_s: From then on another pump could work.
    """

    at_s: float
    what: str
    until_s: float


@dataclass(slots=True, kw_only=True)
class Outage:
    """A time in which the store is unreachable."""

    at_s: float
    until_s: float


@dataclass(slots=True, kw_only=True)
class ProviderOutage:
    """A time in which a provider answers no submission."""

    at_s: float
    until_s: float
    provider: str


@dataclass(slots=True, kw_only=True)
class Run:
    """A time in which a pump may call, if it holds the lease."""

    at_s: float
    until_s: float
    provider: str


@dataclass(slots=True, kw_only=True)
class Post:
    """A post of an event to its job's callback.

    Attributes:
        ended_s: When the relay had the answer, or had stopped waiting for it; None while it waits.
        holder: The holder of the lease of the run that made it.
        has_lease: Whether that pump held the lease when it began.
        status: What the endpoint answered; None if nothing.
        is_read: Whether the relay had the answer in time.
    """

    at_s: float
    url: str
    headers: Mapping[str, str]
    body: bytes
    holder: str
    has_lease: bool
    ended_s: float | None = None
    status: int | None = None
    retry_after_s: float | None = None
    is_read: bool = False

    @property
    def event_id(self) -> str:
        """The event's id, as its headers have it."""
        return self.headers["webhook-id"]

    @property
    def is_taken(self) -> bool:
        """Whether the endpoint answered that it has taken the event."""
        return self.status is not None and 200 <= self.status < 300


@dataclass(slots=True, kw_only=True)
class Fetch:
    """A download of an output; *is_refused* if its host's answer will never be a picture."""

    at_s: float
    url: str
    is_refused: bool = False


@dataclass(slots=True, kw_only=True)
class Copy:
    """A put that reached the bucket; *is_new* unless the object was there already."""

    at_s: float
    uri: str
    sha256: str
    is_new: bool


@dataclass(slots=True, kw_only=True)
class CallWithoutLease:
    """A call by a pump that did not hold the lease."""

    at_s: float
    job_id: str


@dataclass(slots=True)
class History:
    """Everything that happened, as seen from outside the relay.

    Attributes:
        lines: The trace: seconds, who, what.
        accepted: When a caller was first given each job's id.
        first_polls: When the relay first tried to poll each job.
        refused_polls: The provider and the time of each poll that refused the account.
        bugs: Unexpected errors.
        set_aside: When the pump gave up each unreadable document.
        poison: Ids of the documents that are unreadable.
        posts: All posts to callbacks, in their order.
        callback_keys: `CALLBACK_KEYS`.
        callback_troubles: As `troubles`, for the callbacks' pump.
        given_back: When each holder of a lease gave it back.
        redeliveries: When the callers of jobs asked for their callbacks again.
        healthy: The hosts that take every post within a few seconds.
        keeps_outputs: Whether results are copied to a bucket.
        weights: The tenants' weights; 1 for those not named.
        concurrency: How many calls a pump makes at a time at most.
        is_steady: Whether no fault takes a pump away or slows its store down.
        is_prompt: Whether every call is answered at once, and all clocks agree.
        longest_freeze_s: For how long a process may be frozen.
        end_s: When the history ended.
        is_at_rest: Whether by then nothing was in flight and no document waited for anything.
    """

    limits: dict[str, Limit] = field(default_factory=dict)
    lines: list[tuple[float, str, str]] = field(default_factory=list)
    versions: dict[str, list[Version]] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    acknowledged: list[Acknowledged] = field(default_factory=list)
    throttled: list[Throttled] = field(default_factory=list)
    refused_polls: list[tuple[str, float]] = field(default_factory=list)
    results: list[UsableResult] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    troubles: list[Trouble] = field(default_factory=list)
    calls_without_lease: list[CallWithoutLease] = field(default_factory=list)
    outages: list[Outage] = field(default_factory=list)
    provider_outages: list[ProviderOutage] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    accepted: dict[str, float] = field(default_factory=dict)
    first_polls: dict[str, float] = field(default_factory=dict)
    bugs: list[str] = field(default_factory=list)
    poison: list[str] = field(default_factory=list)
    posts: list[Post] = field(default_factory=list)
    callback_keys: tuple[str, ...] = ()
    callback_troubles: list[Trouble] = field(default_factory=list)
    given_back: dict[str, float] = field(default_factory=dict)
    redeliveries: dict[str, list[float]] = field(default_factory=dict)
    healthy: frozenset[str] = frozenset()
    keeps_outputs: bool = False
    fetches: list[Fetch] = field(default_factory=list)
    copies: list[Copy] = field(default_factory=list)
    set_aside: dict[str, float] = field(default_factory=dict)
    weights: dict[str, int] = field(default_factory=dict)
    concurrency: int = 1
    is_steady: bool = False
    is_prompt: bool = False
    longest_freeze_s: float = 0.0
    end_s: float = 0.0
    is_at_rest: bool = False

    def is_stopped(self, account: str, from_s: float, to_s: float) -> bool:
        """Return whether the provider gave a reason to stop calls during or before a span."""
        earliest_s = from_s - LONGEST_STOP_S
        return any(earliest_s <= at_s <= to_s for at_s in self.stops(account)) or any(
            one.provider == account and one.at_s <= to_s and earliest_s <= one.until_s
            for one in self.provider_outages
        )

    def stops(self, account: str) -> Iterator[float]:
        """Yield when the provider's answers gave a reason to stop calls, in no order."""
        for call in self.calls:
            if call.provider == account and call.verdict in (Verdict.ACCOUNT_REFUSED, Verdict.BUSY):
                yield call.at_s
        yield from (at_s for provider, at_s in self.refused_polls if provider == account)
        yield from (one.at_s for one in self.throttled if one.provider == account)

    def trace(self) -> Iterator[str]:
        """Return the history line by line."""
        for at_s, who, what in self.lines:
            yield f"{at_s:10.3f}  {who:<14} {what}"

    def digest(self) -> str:
        """Return a digest that no two different histories share."""
        sha = hashlib.sha256()
        for line in self.trace():
            sha.update(line.encode() + b"\n")
        for message in self.messages:
            sha.update(message.data + b"\n")
        return sha.hexdigest()
