"""Does things when they fall due."""

import heapq
from collections.abc import Callable
from itertools import count
from threading import Condition, Thread

from infra.sandbox.clock import Clock

Action = Callable[[], None]


class Timetable:
    """A list of actions by due time; `run` is how one is carried out, say by a thread pool."""

    def __init__(self, *, clock: Clock, run: Callable[[Action], object]) -> None:
        self._clock = clock
        self._run = run
        self._order = count()
        self._due: list[tuple[float, int, Action]] = []
        self._changed = Condition()

    def at(self, due: float, action: Action) -> None:
        """Carry out *action* at *due* (monotonic) or soon after."""
        with self._changed:
            heapq.heappush(self._due, (due, next(self._order), action))
            self._changed.notify()

    def clear(self) -> None:
        """Forget everything that is not due yet."""
        with self._changed:
            self._due.clear()

    def run_due(self) -> None:
        """Carry out what is due now."""
        while (action := self._next_due()) is not None:
            self._run(action)

    def start(self) -> None:
        """Carry out everything in time from now on, on a thread that keeps nothing alive."""
        Thread(target=self._run_for_ever, name="timetable", daemon=True).start()

    def _next_due(self) -> Action | None:
        with self._changed:
            if not self._due or self._due[0][0] > self._clock.monotonic():
                return None
            return heapq.heappop(self._due)[2]

    def _run_for_ever(self) -> None:
        while True:
            self.run_due()
            with self._changed:
                wait_s = self._due[0][0] - self._clock.monotonic() if self._due else None
                if wait_s is None or wait_s > 0:
                    self._changed.wait(wait_s)
