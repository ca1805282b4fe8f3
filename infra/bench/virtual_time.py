"""Virtual time: a pump works through an hour in seconds."""

import heapq
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from greenlet import greenlet

BEGINNING = datetime(2026, 1, 5, 9, tzinfo=UTC)


class VirtualClock:
    """A `Clock` that advances when somebody sleeps, running what is scheduled meanwhile."""

    def __init__(self) -> None:
        self.passed_s = 0.0
        self._plans: list[tuple[float, int, Callable[[], object]]] = []
        self._serial = count()

    def now(self) -> datetime:
        """See `Clock`."""
        return BEGINNING + timedelta(seconds=self.passed_s)

    def monotonic(self) -> float:
        """See `Clock`."""
        return self.passed_s

    def sleep(self, seconds: float) -> None:
        """See `Clock`."""
        self.run_until(self.passed_s + seconds)

    def after(self, seconds: float, happen: Callable[[], object]) -> None:
        """Schedule a call."""
        heapq.heappush(self._plans, (self.passed_s + seconds, next(self._serial), happen))

    def run_until(self, until_s: float) -> None:
        """Make every call that is scheduled until then.

        A call may itself sleep, as a pump does; the rest then runs from within it.
        """
        while self._plans and self._plans[0][0] <= until_s:
            at_s, _, happen = heapq.heappop(self._plans)
            self.passed_s = max(self.passed_s, at_s)
            happen()
        self.passed_s = max(self.passed_s, until_s)


class ConcurrentClock(VirtualClock):
    """A virtual clock on which what is scheduled sleeps side by side, as functions do.

    Each scheduled call is a greenlet; whoever made the clock runs them, by `run_until`.
    """

    def __init__(self) -> None:
        super().__init__()
        self._hub = greenlet.getcurrent()

    def sleep(self, seconds: float) -> None:
        """See `Clock`."""
        sleeper = greenlet.getcurrent()
        if sleeper is self._hub:
            super().sleep(seconds)
            return
        super().after(seconds, sleeper.switch)
        self._hub.switch()

    def after(self, seconds: float, happen: Callable[[], object]) -> None:
        """Schedule a call."""
        super().after(seconds, greenlet(happen, self._hub).switch)


class InlineWorkers:
    """`Workers` that run every task as soon as it is started."""

    def __init__(self, clock: VirtualClock, size: int) -> None:
        self.size = size
        self._clock = clock
        self._ended: list[Future[Any]] = []

    def start(self, task: Callable[[], Any]) -> Future[Any]:
        """See `Workers`; an exception of the task is raised here."""
        future: Future[Any] = Future()
        future.set_result(task())
        self._ended.append(future)
        return future

    def wait(self, timeout_s: float) -> Sequence[Future[Any]]:
        """See `Workers`."""
        if not self._ended:
            self._clock.sleep(max(timeout_s, 0.0))
        return self.close(timeout_s=None)

    def close(self, *, timeout_s: float | None) -> Sequence[Future[Any]]:
        """See `Workers`."""
        del timeout_s
        ended, self._ended = self._ended, []
        return ended
