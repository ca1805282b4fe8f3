"""Applies providers' callbacks to jobs."""

import logging
from collections.abc import Mapping
from datetime import datetime
from functools import partial

from relay.application.announcer import Announcer
from relay.application.duration_learner import DurationLearner
from relay.application.ports import CallbackReader, Clock, Stored
from relay.application.store import JobStore
from relay.application.tracer import UNTRACED, Span, Step, Tracer
from relay.application.waker import Waker
from relay.domain.answers import ProviderCallback
from relay.domain.job import Actor, Job
from relay.domain.transitions import poll_requested, succeeded
from relay.errors import JobNotFound

log = logging.getLogger(__name__)


class CallbackReceiver:
    """Applies callbacks to jobs.

    Args:
        readers: The callback parser of each provider.
        learners: The duration learner of each provider.
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
        tracer: Tracer = UNTRACED,
    ) -> None:
        self._store = store
        self._announcer = announcer
        self._waker = waker
        self._clock = clock
        self._readers = readers
        self._learners = learners
        self._tracer = tracer

    def receive(self, provider: str, job_id: str, body: object) -> None:
        """Apply a callback whose token was good.

        A usable output ends the job; its event is published before this returns, or left to the
        pump. Anything less proves nothing, so the job is polled at once.

        Args:
            body: The parsed JSON, of any shape.

        Raises:
            JobNotFound: We have sent no such job to this provider.
            StoreUnavailable: The result may not be stored; the callback should be repeated.
        """
        stored = self._store.read(job_id)
        if stored.job.provider != provider:
            raise JobNotFound
        with self._tracer.step(Step.CALLBACK, stored.job) as span:
            self._apply(stored, self._readers[provider](body), span)

    def _apply(self, stored: Stored, callback: ProviderCallback, span: Span) -> None:
        step = partial(apply_callback, callback=callback, at=self._clock.now())
        after = self._store.change(stored, step)
        span.describe(after.job)
        if after.version is stored.version:
            return
        if after.job.status is stored.job.status:
            # A move has a line of its own.
            log.info("callback taken", extra={"fields": {"job_id": after.job.id}})
        if after.job.unpublished:
            self._announcer.announce_or_leave(after)
            self._learners[after.job.provider].observe(after.job)
            self._learners[after.job.provider].sync_if_due()
        elif not after.job.is_final:
            self._waker.wake(after.job.account)


def apply_callback(job: Job, *, callback: ProviderCallback, at: datetime) -> Job:
    """Apply a provider callback to its job."""
    if callback.outputs and _is_for_job(job, callback):
        return succeeded(
            job,
            outputs=callback.outputs,
            by=Actor.WEBHOOK,
            at=at,
            provider_job_id=callback.provider_job_id,
        )
    return poll_requested(job, provider_job_id=callback.provider_job_id, at=at)


def _is_for_job(job: Job, callback: ProviderCallback) -> bool:
    if not job.is_acknowledged or job.is_resubmitted:
        return True
    if callback.provider_job_id is None:
        return not callback.has_unusable_id
    return callback.provider_job_id == job.provider_job_id
