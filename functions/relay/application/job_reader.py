"""Reads callers' jobs: one by our id or the provider's, or a filtered list."""

from relay.application.list_position import ListPage, ListPosition
from relay.application.ports import Clock, JobFilter, JobListings
from relay.application.store import JobStore
from relay.domain.answers import MAX_ID_LENGTH
from relay.domain.job import Job, is_job_id
from relay.errors import JobNotFound, UnreadableJob

READ_EVERY_S = 1.0


class JobReader:
    """Reads jobs for their tenants."""

    def __init__(self, *, listings: JobListings, store: JobStore, clock: Clock) -> None:
        self._listings = listings
        self._store = store
        self._clock = clock

    def get(self, tenant: str, job_id: str, *, wait_s: float) -> Job:
        """Return the tenant's job as soon as it is final, or when the wait is over.

        Args:
            wait_s: How long to wait for the job to end, in seconds; 0 answers at once. Costs one
                document read a second.

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

    def page(
        self,
        tenant: str,
        wanted: JobFilter,
        *,
        after: ListPosition | None,
        size: int,
        max_bytes: int,
    ) -> ListPage:
        """Return at most *size* of the tenant's jobs; fewer if they are large or few match.

        Args:
            max_bytes: Limit for the documents read, unless there is only one.

        Raises:
            StoreUnavailable: The store did not answer.
        """
        now = self._clock.now()
        start = None if after is None else after.resumed(now=now)
        page = self._listings.page(
            tenant,
            wanted,
            after=None if start is None else start.place,
            size=size,
            max_bytes=max_bytes,
        )
        return ListPage(wanted=wanted, start=start, jobs=page.jobs, end=page.end, read_at=now)

    def of_provider(self, tenant: str, provider: str, job_id: str) -> Job:
        """Return the tenant's job at this provider, by our id or the provider's.

        Raises:
            JobNotFound: There is none, or it belongs to another tenant or provider.
            StoreUnavailable: The store did not answer.
        """
        if is_job_id(job_id):
            job = self._store.read_own(tenant, job_id).job
        elif 0 < len(job_id) <= MAX_ID_LENGTH:
            job = self._find(tenant, provider, job_id)
        else:
            raise JobNotFound
        if job.provider != provider:
            raise JobNotFound
        return job

    def _find(self, tenant: str, provider: str, job_id: str) -> Job:
        try:
            return self._listings.find(tenant, provider, job_id).job
        except UnreadableJob as error:
            raise JobNotFound from error
