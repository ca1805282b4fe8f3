"""Time, and actions that are due at a given time; a test supplies its own clock."""

import sched
import time
from collections.abc import Callable
from threading import Event, Thread
from typing import Protocol

Action = Callable[[], object]


class Clock(Protocol):
    """The time, and waiting; all in seconds."""

    def wall(self) -> float:
        """Return the time since the epoch."""

    def monotonic(self) -> float:
        """Return a time that never goes back."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


class SystemClock:
    """The machine's own clock."""

    def wall(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class Scheduler:
    """Runs actions when they are due.

    Args:
        run: Runs one action, for example in a thread pool.
    """

    def __init__(self, *, clock: Clock, run: Callable[[Action], object]) -> None:
        self._clock = clock
        self._run = run
        self._changed = Event()
        self._queue = self._empty_queue()

    def at(self, due: float, action: Action) -> None:
        """Run *action* at *due* (monotonic) or soon after."""
        self._queue.enterabs(due, 0, self._run, (action,))
        self._changed.set()

    def clear(self) -> None:
        """Drop everything that is not due yet."""
        self._queue = self._empty_queue()

    def run_due(self) -> float | None:
        """Run what is due now; return the seconds to the next action, None if there is none."""
        return self._queue.run(blocking=False)

    def start(self) -> None:
        """Run everything on time from now on, in a daemon thread."""
        Thread(target=self._run_forever, name="scheduler", daemon=True).start()

    def _empty_queue(self) -> sched.scheduler:
        return sched.scheduler(self._clock.monotonic, lambda _: None)

    def _run_forever(self) -> None:
        while True:
            self._changed.wait(self.run_due())
            self._changed.clear()
