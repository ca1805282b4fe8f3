"""A call limit over sliding windows, kept exactly.

A provider counts a call at some moment between its start and its end here. So a call takes
its place from its start until one window after its *end*; then no window at the provider can
hold more calls than places, however long single calls were on the way.
"""

from bisect import insort
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

# Stray calls of a paused pump must fit beside those of the one that took over from it.
HEADROOM = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """At most so many calls in any window of so many seconds, as the provider documents it."""

    calls: int
    window_s: float

    @property
    def used_calls(self) -> int:
        """How many of the documented calls are made at most."""
        return max(1, int(self.calls * (1 - HEADROOM)))


class Pacer:
    """Spreads calls over the window, so that a place becomes free again soon (design 1a).

    A token bucket: calls may run ahead of an even pace by so many; all times are seconds on one
    monotonic clock.

    Args:
        ahead_s: For how many seconds' worth of calls an idle account may run ahead.
    """

    def __init__(self, limit: Limit, *, ahead_s: float) -> None:
        self._interval_s = limit.window_s / limit.used_calls
        self._ahead_s = ahead_s
        self._next_s = 0.0

    def free_at(self, now: float) -> float:
        """Return when the next call may start."""
        return max(now, self._next_s - self._ahead_s)

    def start(self, now: float) -> None:
        """Note that a call starts now."""
        self._next_s = max(self._next_s, now) + self._interval_s

    def give_back(self) -> None:
        """Note that a call was not made after all."""
        self._next_s -= self._interval_s


class CallWindow:
    """Says when the next call may start; all times are seconds on one monotonic clock.

    Args:
        ended: When calls ended that count already, in any order.
    """

    def __init__(self, limit: Limit, *, ended: Iterable[float]) -> None:
        self._limit = limit
        self._ended = deque(sorted(ended))
        self._in_flight = 0

    def free_at(self, now: float) -> float | None:
        """Return when the next call may start; None if first one in flight has to end."""
        self._forget(now)
        places = self._limit.used_calls - self._in_flight
        if places <= 0:
            return None
        surplus = len(self._ended) - places
        return now if surplus < 0 else self._ended[surplus] + self._limit.window_s

    def start(self) -> None:
        """Take a place for a call that starts now."""
        self._in_flight += 1

    def end(self, ended_at: float) -> None:
        """Note when a call ended; its place is free again one window later."""
        self._in_flight -= 1
        insort(self._ended, ended_at)

    def give_back(self) -> None:
        """Free the place of a call that was not made after all."""
        self._in_flight -= 1

    def free_by(self, moment: float) -> int:
        """Return how many calls may start until this moment, if none in flight ends before."""
        kept = sum(1 for ended in self._ended if ended + self._limit.window_s > moment)
        return max(0, self._limit.used_calls - self._in_flight - kept)

    @property
    def in_flight(self) -> int:
        """How many calls have started and not ended."""
        return self._in_flight

    def recent(self, now: float) -> list[float]:
        """Return when the calls ended that still count."""
        self._forget(now)
        return list(self._ended)

    def _forget(self, now: float) -> None:
        while self._ended and self._ended[0] + self._limit.window_s <= now:
            self._ended.popleft()
