"""Counts calls in exact sliding windows, and says which are too many."""

from collections import deque
from dataclasses import dataclass, field
from threading import Lock

from infra.sandbox.clock import Clock


@dataclass(slots=True)
class CallLimit:
    """A provider's call limit; every authenticated call counts, a refused one too.

    Attributes:
        calls: How many calls a window may hold; 0 for no limit.
        window_s: The window, exact and sliding: it holds a call until just before its
            age is this.
        block_s: How long everything is refused after one call too many; 0 refuses that
            call alone.
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
        """Count a call and tell whether it may be served."""
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
        """Tell whether everything is refused now."""
        return self.clock.monotonic() < self.blocked_until

    def reset(self) -> None:
        """Forget every call, and lift the block."""
        with self._lock:
            self._recent.clear()
            self.most = self.exceeded = 0
            self.blocked_until = 0.0
