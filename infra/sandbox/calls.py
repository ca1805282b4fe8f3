"""The log of calls that providers received."""

from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum
from threading import Lock

from infra.sandbox.clock import Clock

KEPT = 200_000


class Kind(StrEnum):
    """What a call is for."""

    SUBMIT = "submit"
    POLL = "poll"
    OTHER = "other"


@dataclass(slots=True)
class Call:
    """One call, logged as it arrives and completed as it is answered.

    Attributes:
        at: Wall clock, on arrival.
        status: None until answered, and for ever if the connection was dropped.
        provider_job_id: None if it led to no job.
        input: The image URL, or the prompt where there is no image.
        over_limit: It was refused because of the call limit.
    """

    number: int
    at: float
    monotonic: float
    provider: str
    method: str
    path: str
    kind: Kind = Kind.OTHER
    authenticated: bool = False
    over_limit: bool = False
    status: int | None = None
    provider_job_id: str | None = None
    input: str | None = None

    def as_json(self) -> dict[str, object]:
        """Return the call as `/sandbox/calls` shows it."""
        return {
            "number": self.number,
            "at": self.at,
            "monotonic": self.monotonic,
            "provider": self.provider,
            "method": self.method,
            "path": self.path,
            "kind": self.kind,
            "authenticated": self.authenticated,
            "overLimit": self.over_limit,
            "status": self.status,
            "providerJobId": self.provider_job_id,
            "input": self.input,
        }


@dataclass(slots=True)
class CallLog:
    """The newest calls in order of arrival."""

    clock: Clock
    _calls: deque[Call] = field(default_factory=lambda: deque(maxlen=KEPT))
    _next: int = 1
    _lock: Lock = field(default_factory=Lock)

    def open(self, *, provider: str, method: str, path: str) -> Call:
        """Log a call that has just arrived."""
        with self._lock:
            times = (self.clock.wall(), self.clock.monotonic())
            call = Call(self._next, *times, provider, method, path)
            self._next += 1
            self._calls.append(call)
            return call

    def after(self, number: int) -> list[Call]:
        """Return the calls with a higher number than this."""
        with self._lock:
            return [call for call in self._calls if call.number > number]

    def clear(self) -> None:
        """Forget every call; numbers go on."""
        with self._lock:
            self._calls.clear()
