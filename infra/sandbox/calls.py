"""The calls that a provider received: their log, and the limit on them."""

from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum
from threading import Lock

import msgspec

from infra.sandbox.clock import Clock

LOGGED_CALLS = 200_000


class Kind(StrEnum):
    """The purpose of a call."""

    SUBMIT = "submit"
    POLL = "poll"
    OTHER = "other"


class Call(msgspec.Struct, rename="camel"):
    """One call as `/sandbox/calls` shows it, logged on arrival and completed on response.

    Attributes:
        at: Wall clock, on arrival.
        status: None until there is a response, and for good if the connection was dropped.
        provider_job_id: None if the call is about no job.
        input: The image URL, or the prompt if there is no image.
        over_limit: Refused because of the call limit.
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


@dataclass(slots=True)
class CallLog:
    """The newest calls, in order of arrival."""

    clock: Clock
    _calls: deque[Call] = field(default_factory=lambda: deque(maxlen=LOGGED_CALLS))
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
        """Forget every call; the numbers continue."""
        with self._lock:
            self._calls.clear()


@dataclass(slots=True)
class CallLimit:
    """A provider's limit; every authenticated call counts, including refused ones.

    Attributes:
        calls: How many calls a window may hold; 0 for no limit.
        window_s: Length of the exact sliding window; a call leaves it at this age.
        block_s: How long every call is refused after one call too many; 0 refuses only
            that call.
        most: The most calls that any window has held.
        exceeded: How many calls were above the limit.
        blocked_until: Monotonic.
    """

    calls: int
    window_s: float
    block_s: float
    clock: Clock
    most: int = 0
    exceeded: int = 0
    blocked_until: float = 0.0
    _recent: deque[float] = field(default_factory=deque)
    _lock: Lock = field(default_factory=Lock)

    def admit(self) -> bool:
        """Count a call and return whether it may be served."""
        with self._lock:
            now = self.clock.monotonic()
            self._recent.append(now)
            while self._recent[0] <= now - self.window_s:
                self._recent.popleft()
            self.most = max(self.most, len(self._recent))
            over = self.calls > 0 and len(self._recent) > self.calls
            if over:
                self.exceeded += 1
            if now < self.blocked_until:
                return False
            if over and self.block_s:
                self.blocked_until = now + self.block_s
            return not over

    def is_blocked(self) -> bool:
        """Return whether every call is refused now."""
        return self.clock.monotonic() < self.blocked_until

    def reset(self) -> None:
        """Forget every call and lift the block."""
        with self._lock:
            self._recent.clear()
            self.most = self.exceeded = 0
            self.blocked_until = 0.0
