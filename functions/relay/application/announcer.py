"""Publishes a job's pending events and marks them as published."""

import logging
from functools import partial

from relay.application.ports import Clock, Stored, Topics
from relay.application.store import JobStore
from relay.application.waker import Waker
from relay.domain.callback import CALLBACKS
from relay.domain.events import published
from relay.domain.job import UNREAD
from relay.errors import PublishFailed, StoreUnavailable

log = logging.getLogger(__name__)


class Announcer:
    """Publishes the events of jobs."""

    def __init__(self, *, store: JobStore, topics: Topics, waker: Waker, clock: Clock) -> None:
        self._store = store
        self._topics = topics
        self._waker = waker
        self._clock = clock

    def announce(self, stored: Stored) -> Stored:
        """Publish the job's unpublished events in order, mark each, and wake the callbacks' pump.

        An event whose mark cannot be written is published again later, with the same id.

        Raises:
            PublishFailed: The topic did not confirm; ``wakeAt`` still stands, so a pump retries.
            StoreUnavailable: Likewise.
        """
        if stored.job.unpublished and stored.job.input is UNREAD:
            # A query found the job, but events carry its input too.
            stored = self._store.read(stored.job.id)
        for event in stored.job.unpublished:
            self._topics.publish_event(stored.job, event)
            log.info(
                "event published",
                extra={"fields": {"job_id": stored.job.id, "event_id": event.id}},
            )
            mark = partial(published, event_id=event.id, at=self._clock.now())
            stored = self._store.change(stored, mark)
            if stored.job.callback is not None:
                self._waker.wake(CALLBACKS)
        return stored

    def announce_or_leave(self, stored: Stored) -> Stored:
        """Publish the job's events now; on failure leave them to the pump."""
        try:
            return self.announce(stored)
        except (PublishFailed, StoreUnavailable) as error:
            log.warning(
                "event left to the pump",
                extra={"fields": {"job_id": stored.job.id, "why": type(error).__name__}},
            )
            return stored
