"""Virtual time for a pump that works through an hour in seconds: one thread, planned events."""

import heapq
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

BEGINNING = datetime(2026, 1, 5, 9, tzinfo=UTC)


class VirtualClock:
    """A `Clock` that goes on when somebody waits, by way of what is planned meanwhile."""

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
        """Plan something."""
        heapq.heappush(self._plans, (self.passed_s + seconds, next(self._serial), happen))

    def run_until(self, until_s: float) -> None:
        """Let everything happen that is planned until then.

        What happens may itself wait, as a pump does: then the rest happens from within it.
        """
        while self._plans and self._plans[0][0] <= until_s:
            at_s, _, happen = heapq.heappop(self._plans)
            self.passed_s = max(self.passed_s, at_s)
            happen()
        self.passed_s = max(self.passed_s, until_s)


class PromptWorkers:
    """`Workers` that have done everything as soon as it is started."""

    def __init__(self, clock: VirtualClock, size: int) -> None:
        self.size = size
        self._clock = clock
        self._ended: list[Future[Any]] = []

    def start(self, task: Callable[[], Any]) -> Future[Any]:
        """See `Workers`; what the task raises is raised here: there is to be nothing."""
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
