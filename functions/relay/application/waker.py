"""Wakes an account's pump, at most once a second per instance."""

import logging
import threading

from relay.application.ports import Clock, Topics
from relay.errors import PublishFailed

log = logging.getLogger(__name__)

# A pump that found work stays longer than this, so a wake-up suppressed here is not missed.
WAKE_EVERY_S = 1.0


class Waker:
    """Publishes ticks on demand."""

    def __init__(self, *, topics: Topics, clock: Clock) -> None:
        self._topics = topics
        self._clock = clock
        self._woken_at: dict[str, float] = {}
        self._lock = threading.Lock()

    def wake(self, account: str) -> None:
        """Publish a tick, unless this instance did so within the last second.

        A failure is only logged: the scheduler's next tick does the same.
        """
        now = self._clock.monotonic()
        with self._lock:
            woken_at = self._woken_at.get(account)
            if woken_at is not None and now - woken_at < WAKE_EVERY_S:
                return
            self._woken_at[account] = now
        try:
            self._topics.publish_tick(account)
        except PublishFailed:
            with self._lock:
                self._woken_at.pop(account, None)
            log.warning("tick not published", extra={"fields": {"account": account}})
