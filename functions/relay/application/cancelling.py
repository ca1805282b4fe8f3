"""Ends jobs because their callers gave up."""

from functools import partial

from relay.application.announcer import Announcer
from relay.application.ports import Clock
from relay.application.store import JobStore
from relay.domain.job import Job, Status
from relay.domain.steps import cancelled
from relay.errors import JobFinal


class Cancelling:
    """Cancels jobs; the provider goes on, for neither can be told to stop."""

    def __init__(self, *, store: JobStore, announcer: Announcer, clock: Clock) -> None:
        self._store = store
        self._announcer = announcer
        self._clock = clock

    def cancel(self, tenant: str, job_id: str) -> Job:
        """Cancel the tenant's job and announce it, now or by the pump.

        Raises:
            JobNotFound: There is none, or it is another tenant's.
            JobFinal: It has ended, perhaps while this was asked.
            StoreUnavailable: The same call may be repeated; 409 then says that it worked.
        """
        stored = self._store.read_own(tenant, job_id)
        if stored.job.is_final:
            raise JobFinal
        after = self._store.change(stored, partial(cancelled, at=self._clock.now()))
        if after.job.status is not Status.CANCELLED:
            raise JobFinal
        return self._announcer.announce_or_leave(after).job
