"""Makes new jobs of old ones that came to nothing."""

from datetime import datetime
from functools import partial

from relay.application.announcer import Announcer
from relay.application.creating import Created, Creating, NewJob
from relay.application.ports import Clock, Stored
from relay.application.store import JobStore
from relay.domain.job import Job, Status
from relay.domain.steps import cancelled
from relay.errors import NotRetryable

RETRYABLE = frozenset({Status.FAILED, Status.CANCELLED, Status.UNCONFIRMED})


class Retrying:
    """Retries jobs on their callers' word."""

    def __init__(
        self, *, store: JobStore, creating: Creating, announcer: Announcer, clock: Clock
    ) -> None:
        self._store = store
        self._creating = creating
        self._announcer = announcer
        self._clock = clock

    def retry(self, tenant: str, job_id: str, *, idempotency_key: str | None) -> Created:
        """Create a job with the input of an old one, which gets as long as that one had.

        An unconfirmed job is cancelled first, so that the two are never open together.

        Raises:
            JobNotFound: There is none, or it is another tenant's.
            NotRetryable: Says why.
            InvalidRequest: The input is not taken any more; the old job stays as it is.
            KeyReused: The idempotency key came with another request before; likewise.
            TooManyOpenJobs: The tenant may have no more of them in this account; likewise.
            StoreUnavailable: The same call may be repeated if it has an idempotency key.
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
        )
        self._creating.check(new)
        if old.status is not Status.UNCONFIRMED:
            return self._creating.create(tenant, new, idempotency_key=idempotency_key)
        self._creating.check_key(tenant, new, idempotency_key=idempotency_key)
        return self._creating.create(
            tenant, new, idempotency_key=idempotency_key, first=partial(self._drop, stored)
        )

    def _drop(self, stored: Stored) -> None:
        after = self._store.change(stored, partial(dropped, at=self._clock.now()))
        _require_retryable(after.job)
        self._announcer.announce_or_leave(after)


def dropped(job: Job, *, at: datetime) -> Job:
    """Cancel a job of which nobody knows whether the provider took it."""
    return cancelled(job, at=at) if job.status is Status.UNCONFIRMED else job


def _require_retryable(job: Job) -> None:
    if job.is_followed:
        raise NotRetryable("the job was submitted elsewhere: its input is not known here")
    if job.status not in RETRYABLE:
        words = ", ".join(sorted(RETRYABLE))
        raise NotRetryable(f"the job is {job.status}; only these can be retried: {words}")
