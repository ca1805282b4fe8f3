"""Finds jobs for their tenants: by filters, or by a provider's id."""

from relay.application.ports import Cursor, JobFilter, JobListings, JobPage
from relay.application.store import JobStore
from relay.domain.answers import MAX_ID_LENGTH
from relay.domain.job import Job, is_job_id
from relay.errors import JobNotFound, UnreadableJob


class Listing:
    """Finds jobs for their tenants."""

    def __init__(self, *, listings: JobListings, store: JobStore) -> None:
        self._listings = listings
        self._store = store

    def page(
        self, tenant: str, wanted: JobFilter, *, after: Cursor | None, size: int, max_bytes: int
    ) -> JobPage:
        """Return at most *size* of the tenant's jobs, newest first; fewer if they are large.

        Args:
            max_bytes: Of all of them, unless there is only one.

        Raises:
            StoreUnavailable: The store did not answer.
        """
        return self._listings.page(tenant, wanted, after=after, size=size, max_bytes=max_bytes)

    def of_provider(self, tenant: str, provider: str, job_id: str) -> Job:
        """Return the tenant's job with this provider, by our id or by the provider's.

        Raises:
            JobNotFound: There is none, or it is another tenant's or another provider's.
            StoreUnavailable: The store did not answer.
        """
        if is_job_id(job_id):
            job = self._store.read_own(tenant, job_id).job
        elif 0 < len(job_id) <= MAX_ID_LENGTH:
            job = self._found(tenant, provider, job_id)
        else:
            raise JobNotFound
        if job.provider != provider:
            raise JobNotFound
        return job

    def _found(self, tenant: str, provider: str, job_id: str) -> Job:
        try:
            return self._listings.find(tenant, provider, job_id).job
        except UnreadableJob as error:
            raise JobNotFound from error
