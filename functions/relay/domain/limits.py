"""A call limit over sliding windows, kept exactly.

A provider counts a call at some moment between its start and its end here. So a call counts from
its start until one window after its *end*; then no window at the provider can exceed the limit,
however long a call took to arrive.
"""

from bisect import insort
from collections import deque
from collections.abc import Iterable

import msgspec

# Stray calls of a frozen pump must fit beside those of its successor.
HEADROOM = 0.05
# A burst leaves fewer calls for the rest of its window: calls are at most this much further apart.
LONGEST_STRETCH = 1.25


class Limit(msgspec.Struct, frozen=True, kw_only=True):
    """At most `calls` calls in any window of `window_s` seconds, as the provider documents it."""

    calls: int
    window_s: float

    @property
    def used_calls(self) -> int:
        """How many of the documented calls we use."""
        return max(1, int(self.calls * (1 - HEADROOM)))


class Pacer:
    """Spreads calls over the window, so that the next call never waits long (contract, section 1a).

    A token bucket; all times are seconds on one monotonic clock.

    Args:
        ahead_s: The burst that an idle account may make, in seconds' worth of calls.
    """

    def __init__(self, limit: Limit, *, ahead_s: float) -> None:
        self._interval_s = limit.window_s / limit.used_calls
        self._ahead_s = ahead_s
        self._next_s = 0.0

    def free_at(self, now: float) -> float:
        """Return when the next call may start."""
        return max(now, self._next_s - self._ahead_s)

    def start(self, now: float, *, even_interval_s: float = 0.0) -> None:
        """Count a call that starts now.

        Args:
            even_interval_s: How far apart calls must be to last (`CallWindow.even_interval_s`).
        """
        stretched_s = min(even_interval_s, self._interval_s * LONGEST_STRETCH)
        self._next_s = max(self._next_s, now) + max(self._interval_s, stretched_s)

    def resume(self, ended: Iterable[float], now: float) -> None:
        """Count the last pump's calls, but not those that are assumed to end later.

        At most a burst's worth counts: calls that hung, or are assumed, end together, but they were
        not started together, so they do not delay the next call.
        """
        for ended_at in ended:
            if ended_at <= now:
                self.start(ended_at)
        self._next_s = min(self._next_s, now + self._ahead_s)

    def cancel(self) -> None:
        """Uncount a call that was not made after all."""
        self._next_s -= self._interval_s


class CallWindow:
    """Tells when the next call may start; all times are seconds on one monotonic clock.

    Args:
        ended: When the calls that already count ended, in any order.
    """

    def __init__(self, limit: Limit, *, ended: Iterable[float]) -> None:
        self._limit = limit
        self._ended = deque(sorted(ended))
        self._in_flight = 0

    def free_at(self, now: float) -> float | None:
        """Return when the next call may start; None if a call in flight has to end first."""
        self._drop_expired(now)
        places = self._limit.used_calls - self._in_flight
        if places <= 0:
            return None
        surplus = len(self._ended) - places
        return now if surplus < 0 else self._ended[surplus] + self._limit.window_s

    def start(self) -> None:
        """Count a call that starts now."""
        self._in_flight += 1

    def end(self, ended_at: float) -> None:
        """Record when a call ended; it stops counting one window later."""
        self._in_flight -= 1
        insort(self._ended, ended_at)

    def cancel(self) -> None:
        """Uncount a call that was not made after all."""
        self._in_flight -= 1

    def free_by(self, moment: float) -> int:
        """Return how many calls may start by this moment if no call in flight ends before."""
        kept = sum(1 for ended in self._ended if ended + self._limit.window_s > moment)
        return max(0, self._limit.used_calls - self._in_flight - kept)

    def even_interval_s(self, now: float) -> float:
        """Return how far apart calls must be to last until the first one stops counting.

        Otherwise a burst would use up the window early, and come back as a burst one window later.
        """
        self._drop_expired(now)
        places = self._limit.used_calls - self._in_flight - len(self._ended)
        if places <= 0 or not self._ended:
            return 0.0
        return (self._ended[0] + self._limit.window_s - now) / (places + 1)

    @property
    def in_flight(self) -> int:
        """How many calls are in flight."""
        return self._in_flight

    def recent(self, now: float) -> list[float]:
        """Return when the calls ended that still count."""
        self._drop_expired(now)
        return list(self._ended)

    def _drop_expired(self, now: float) -> None:
        while self._ended and self._ended[0] + self._limit.window_s <= now:
            self._ended.popleft()
