"""Cancels and retries jobs for their callers, and has callbacks delivered again."""

from dataclasses import replace
from datetime import datetime
from functools import partial

from relay.application.announcer import Announcer
from relay.application.job_creator import Created, JobCreator, NewJob
from relay.application.ports import Clock, Stored
from relay.application.store import JobStore
from relay.application.waker import Waker
from relay.domain.callback import CALLBACKS, Callback, redelivered
from relay.domain.job import Job, Status
from relay.domain.transitions import cancelled
from relay.errors import JobFinal, NotRedeliverable, NotRetryable

RETRYABLE = frozenset({Status.FAILED, Status.CANCELLED, Status.UNCONFIRMED})


class JobControls:
    """Cancels and retries jobs for their callers, and has callbacks delivered again."""

    def __init__(
        self,
        *,
        store: JobStore,
        creator: JobCreator,
        announcer: Announcer,
        waker: Waker,
        clock: Clock,
    ) -> None:
        self._store = store
        self._creator = creator
        self._announcer = announcer
        self._waker = waker
        self._clock = clock

    def cancel(self, tenant: str, job_id: str) -> Job:
        """Cancel the tenant's job and announce it, now or through the pump.

        The provider continues the render: neither provider can cancel.

        Raises:
            JobNotFound: There is none, or it is another tenant's.
            JobFinal: The job has ended, perhaps during this call.
            StoreUnavailable: The call may be repeated; a 409 then means that it worked.
        """
        stored = self._store.read_own(tenant, job_id)
        if stored.job.is_final:
            raise JobFinal
        after = self._store.change(stored, partial(cancelled, at=self._clock.now()))
        if after.job.status is not Status.CANCELLED:
            raise JobFinal
        return self._announcer.announce_or_leave(after).job

    def retry(self, tenant: str, job_id: str, *, idempotency_key: str | None) -> Created:
        """Create a job with an old one's input, time limit and callback.

        An unconfirmed job is cancelled first, so that the two are never open together.

        Raises:
            JobNotFound: There is none, or it is another tenant's.
            NotRetryable: Says why.
            InvalidRequest: The input is no longer valid; the old job is unchanged.
            KeyReused: The idempotency key was used for another request; the old job is unchanged.
            TooManyOpenJobs: The tenant is over its quota in this account; the old job is unchanged.
            StoreUnavailable: The call may be repeated if it has an idempotency key.
        """
        stored = self._store.read_own(tenant, job_id)
        old = stored.job
        _require_retryable(old)
        new = NewJob(
            provider=old.provider,
            operation=old.operation,
            input=dict(old.known_input or {}),
            path=old.path,
            metadata=old.metadata,
            deadline_s=round((old.deadline_at - old.created_at).total_seconds()),
            on_unconfirmed=old.on_unconfirmed,
            priority=old.priority,
            retry_of=old.id,
            callback=_as_given(old.callback),
        )
        self._creator.check(new)
        if old.status is not Status.UNCONFIRMED:
            return self._creator.create(tenant, new, idempotency_key=idempotency_key)
        self._creator.check_key(tenant, new, idempotency_key=idempotency_key)
        return self._creator.create(
            tenant,
            new,
            idempotency_key=idempotency_key,
            before_write=partial(self._cancel_unconfirmed, stored),
        )

    def redeliver(self, tenant: str, job_id: str) -> Job:
        """Have every event of the job posted to its callback again, from the first on.

        Raises:
            JobNotFound: There is none, or it is another tenant's.
            NotRedeliverable: Says why.
            StoreUnavailable: The call may be repeated.
        """
        stored = self._store.read_own(tenant, job_id)
        if not self._creator.takes_callbacks:
            raise NotRedeliverable("callbacks are not switched on here")
        if stored.job.callback is None:
            raise NotRedeliverable("the job has no callback: it was created without callbackUrl")
        if not stored.job.callback.deliveries:
            raise NotRedeliverable("the job has no event yet: its callback waits for the first")
        after = self._store.change(stored, partial(with_redelivery, at=self._clock.now()))
        self._waker.wake(CALLBACKS)
        return after.job

    def _cancel_unconfirmed(self, stored: Stored) -> None:
        after = self._store.change(stored, partial(cancelled_if_unconfirmed, at=self._clock.now()))
        _require_retryable(after.job)
        self._announcer.announce_or_leave(after)


def cancelled_if_unconfirmed(job: Job, *, at: datetime) -> Job:
    """Cancel the job if it is unconfirmed."""
    return cancelled(job, at=at) if job.status is Status.UNCONFIRMED else job


def with_redelivery(job: Job, *, at: datetime) -> Job:
    """Have all of the job's events delivered again."""
    if job.callback is None:
        return job
    callback = redelivered(job.callback, at=at)
    return job if callback == job.callback else replace(job, callback=callback)


def _as_given(callback: Callback | None) -> Callback | None:
    return None if callback is None else Callback(url=callback.url, shape=callback.shape)


def _require_retryable(job: Job) -> None:
    if job.is_followed:
        raise NotRetryable("the job was submitted elsewhere: its input is not known here")
    if job.status not in RETRYABLE:
        words = ", ".join(sorted(RETRYABLE))
        raise NotRetryable(f"the job is {job.status}; only these can be retried: {words}")
