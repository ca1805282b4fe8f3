"""What is written down of one simulated history, and how it reads as a timeline."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from relay.domain.job import Job
from relay.domain.limits import Limit

# A hold or a pause lasts no longer after what caused it.
LONGEST_STOP_S = 700.0
EPOCH = datetime.fromisoformat("2026-01-02T12:00:00+00:00")


def moment(true_s: float) -> datetime:
    """Return the true time of day after so many simulated seconds."""
    return EPOCH + timedelta(seconds=true_s)


def seconds(at: datetime) -> float:
    """Return how many simulated seconds a time of day stands for."""
    return (at - EPOCH).total_seconds()


@dataclass(slots=True, kw_only=True)
class Version:
    """One version of a job's document.

    Attributes:
        wake_at: What stands in the document's field of that name.
    """

    at_s: float
    number: int
    job: Job
    wake_at: datetime | None


class Verdict(StrEnum):
    """What a provider did with a submission that reached it."""

    ACCEPTED = "accepted"
    UNCLEAR = "unclear"
    REFUSED = "refused"
    BUSY = "busy"
    ACCOUNT_REFUSED = "account refused"


@dataclass(slots=True, kw_only=True)
class Call:
    """A call when its provider counted it; the verdict is None for a poll."""

    at_s: float
    provider: str
    job_id: str
    verdict: Verdict | None


@dataclass(slots=True, kw_only=True)
class Throttled:
    """A 429 that our code read, with the seconds that it was asked to wait; None for unsaid."""

    at_s: float
    provider: str
    job_id: str
    retry_after_s: float | None


@dataclass(slots=True, kw_only=True)
class Acknowledged:
    """A provider's id for a job that our code read in the answer to a submission."""

    at_s: float
    job_id: str
    provider_job_id: str


@dataclass(slots=True, kw_only=True)
class UsableResult:
    """A usable result that our code was given, by callback or as the answer to a poll.

    Attributes:
        is_ours: Whether our code could act on it: it answered 200, or the task that polled
            ended without a crash.
    """

    at_s: float
    job_id: str
    by: str
    provider_job_id: str | None
    outputs: tuple[str, ...]
    is_ours: bool = False


@dataclass(slots=True, kw_only=True)
class Message:
    """An event when the topic took it.

    Attributes:
        at_s: At the latest then.
        within_s: So much earlier it may have been, where the topic's clock is coarse.
    """

    at_s: float
    job_id: str
    id: str
    type: str
    time: datetime
    data: bytes
    within_s: float = 0.0


@dataclass(slots=True, kw_only=True)
class Trouble:
    """A fault that takes an account's pump away, or the store from its pump.

    Attributes:
        until_s: From when on another pump could work.
    """

    at_s: float
    what: str
    until_s: float


@dataclass(slots=True, kw_only=True)
class Outage:
    """A time in which the store cannot be reached."""

    at_s: float
    until_s: float


@dataclass(slots=True, kw_only=True)
class Downtime:
    """A time in which a provider answers no submission."""

    at_s: float
    until_s: float
    provider: str


@dataclass(slots=True, kw_only=True)
class Run:
    """A time in which a pump may call, if it has the lease."""

    at_s: float
    until_s: float
    provider: str


@dataclass(slots=True, kw_only=True)
class Intruder:
    """A call that was begun by a pump without the lease."""

    at_s: float
    job_id: str


@dataclass(slots=True)
class History:
    """Everything that happened, as the world outside saw it.

    Attributes:
        lines: The timeline: true seconds, who, what.
        accepted: The ids that callers were given, with when that was.
        asked: When our code first tried to poll a job, by its id.
        polls_refused: The provider and the time of each poll that was refused with the account.
        bugs: Errors that nobody had planned for.
        set_aside: Ids of documents that the pump gave up, with the true time.
        weights: The tenants' weights; 1 for those that are not named.
        at_once: How many calls a pump makes at the same time at most.
        is_prompt: Whether every call reaches its provider and is answered at once.
        longest_freeze_s: For how long an instance may stand still.
        is_steady: Whether nothing takes a pump away or makes its store slow.
        end_s: When the history was ended.
        is_at_rest: Whether nothing was under way any more by then, and nothing waited.
    """

    limits: dict[str, Limit] = field(default_factory=dict)
    lines: list[tuple[float, str, str]] = field(default_factory=list)
    versions: dict[str, list[Version]] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    acknowledged: list[Acknowledged] = field(default_factory=list)
    throttled: list[Throttled] = field(default_factory=list)
    polls_refused: list[tuple[str, float]] = field(default_factory=list)
    results: list[UsableResult] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    troubles: list[Trouble] = field(default_factory=list)
    intruders: list[Intruder] = field(default_factory=list)
    outages: list[Outage] = field(default_factory=list)
    downs: list[Downtime] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    accepted: dict[str, float] = field(default_factory=dict)
    asked: dict[str, float] = field(default_factory=dict)
    bugs: list[str] = field(default_factory=list)
    poison: list[str] = field(default_factory=list)
    set_aside: dict[str, float] = field(default_factory=dict)
    weights: dict[str, int] = field(default_factory=dict)
    at_once: int = 1
    is_steady: bool = False
    is_prompt: bool = False
    longest_freeze_s: float = 0.0
    end_s: float = 0.0
    is_at_rest: bool = False
    _calls_by_job: dict[str, list[Call]] | None = None
    _calls_counted: int = 0

    @property
    def first_success_s(self) -> float:
        """When the first render was learnt to be done; infinite if none was."""
        return min((one.at_s for one in self.results), default=float("inf"))

    def calls_of(self, job_id: str) -> list[Call]:
        """Return the calls for a job."""
        return self._by_job().get(job_id, [])

    def is_stopped(self, account: str, from_s: float, to_s: float) -> bool:
        """Return whether the provider gave a reason to stop calls, so long before or in a span."""
        reasons = (Verdict.ACCOUNT_REFUSED, Verdict.BUSY)
        return (
            any(
                one.provider == account
                and from_s - LONGEST_STOP_S <= one.at_s <= to_s
                and one.verdict in reasons
                for one in self.calls
            )
            or any(
                provider == account and from_s - LONGEST_STOP_S <= at_s <= to_s
                for provider, at_s in self._polls_stopped()
            )
            or any(
                one.provider == account
                and one.at_s <= to_s
                and from_s <= one.until_s + LONGEST_STOP_S
                for one in self.downs
            )
        )

    def _polls_stopped(self) -> Iterator[tuple[str, float]]:
        yield from self.polls_refused
        yield from ((one.provider, one.at_s) for one in self.throttled)

    def _by_job(self) -> dict[str, list[Call]]:
        if self._calls_by_job is None or len(self.calls) != self._calls_counted:
            self._calls_by_job, self._calls_counted = {}, len(self.calls)
            for call in self.calls:
                self._calls_by_job.setdefault(call.job_id, []).append(call)
        return self._calls_by_job

    def timeline(self) -> Iterator[str]:
        """Return the history line by line."""
        for at_s, who, what in self.lines:
            yield f"{at_s:10.3f}  {who:<14} {what}"

    def digest(self) -> str:
        """Return a text that two different histories do not share."""
        sha = hashlib.sha256()
        for line in self.timeline():
            sha.update(line.encode() + b"\n")
        for message in self.messages:
            sha.update(message.data + b"\n")
        return sha.hexdigest()
