"""Shows callers their jobs."""

from relay.application.ports import Clock
from relay.application.store import JobStore
from relay.domain.job import Job

READ_EVERY_S = 1.0


class Reading:
    """Reads jobs for their tenants."""

    def __init__(self, *, store: JobStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def get(self, tenant: str, job_id: str, *, wait_s: float) -> Job:
        """Return the tenant's job, as soon as it is final or when the wait is over.

        Args:
            wait_s: How long to wait for the end, in seconds; 0 answers at once. Costs one
                read of the document a second.

        Raises:
            JobNotFound: There is none, or it is another tenant's.
            StoreUnavailable: The store did not answer.
        """
        until = self._clock.monotonic() + wait_s
        while True:
            job = self._store.read_own(tenant, job_id).job
            left_s = until - self._clock.monotonic()
            if job.is_final or left_s <= 0:
                return job
            self._clock.sleep(min(READ_EVERY_S, left_s))
