"""Takes what a provider posts to our webhook."""

import logging
from collections.abc import Mapping
from datetime import datetime
from functools import partial

from relay.application.announcer import Announcer
from relay.application.duration_learner import DurationLearner
from relay.application.ports import CallbackReader, Clock
from relay.application.store import JobStore
from relay.application.waker import Waker
from relay.domain.answers import Callback
from relay.domain.job import Actor, Job
from relay.domain.transitions import nudged, succeeded
from relay.errors import JobNotFound

log = logging.getLogger(__name__)


class CallbackReceiver:
    """Turns callbacks into steps of jobs.

    Args:
        readers: How to read a callback, by provider.
        learners: What takes note of how long renders took, by provider.
    """

    def __init__(
        self,
        *,
        store: JobStore,
        announcer: Announcer,
        waker: Waker,
        clock: Clock,
        readers: Mapping[str, CallbackReader],
        learners: Mapping[str, DurationLearner],
    ) -> None:
        self._store = store
        self._announcer = announcer
        self._waker = waker
        self._clock = clock
        self._readers = readers
        self._learners = learners

    def receive(self, provider: str, job_id: str, body: object) -> None:
        """Take a callback whose token was good.

        A usable output ends the job and is announced before this returns, or left to the
        pump. Anything less proves nothing and has the job polled at once.

        Args:
            body: The parsed JSON, whatever it is.

        Raises:
            JobNotFound: This provider has no such job from us.
            StoreUnavailable: Nothing is known to be kept; the callback should be repeated.
        """
        stored = self._store.read(job_id)
        if stored.job.provider != provider:
            raise JobNotFound
        callback = self._readers[provider](body)
        step = partial(received, callback=callback, at=self._clock.now())
        after = self._store.change(stored, step)
        if after.version is stored.version:
            return
        log.info(
            "callback taken",
            extra={"fields": {"job_id": job_id, "status": after.job.status.value}},
        )
        if after.job.unpublished:
            self._announcer.announce_or_leave(after)
            self._learners[provider].observe(after.job)
            self._learners[provider].sync_if_due()
        elif not after.job.is_final:
            self._waker.wake(after.job.account)


def received(job: Job, *, callback: Callback, at: datetime) -> Job:
    """Take the step that a callback is worth."""
    if callback.outputs and _is_about(job, callback):
        return succeeded(
            job,
            outputs=callback.outputs,
            by=Actor.WEBHOOK,
            at=at,
            provider_job_id=callback.provider_job_id,
        )
    return nudged(job, provider_job_id=callback.provider_job_id, at=at)


def _is_about(job: Job, callback: Callback) -> bool:
    if not job.is_acknowledged or job.is_resubmitted:
        return True
    if callback.provider_job_id is None:
        return not callback.has_unusable_id
    return callback.provider_job_id == job.provider_job_id
