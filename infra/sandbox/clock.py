"""Time, so that tests need not wait for it."""

import time
from typing import Protocol


class Clock(Protocol):
    """What time it is, and waiting; all in seconds."""

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
