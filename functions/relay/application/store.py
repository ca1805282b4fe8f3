"""Changes jobs despite concurrent writers: read, step, compare-and-set, repeat."""

import logging
from collections.abc import Callable, Iterator

from relay.application.ports import Clock, JobDocuments, Stored
from relay.domain.job import Job
from relay.errors import JobExists, JobNotFound, LostRace, RelayError, StoreUnavailable

log = logging.getLogger(__name__)

FIRST_BACKOFF_S = 0.01
LONGEST_BACKOFF_S = 1.0
ATTEMPTS = 30
# The most that one try can spend of the retry budget: time in a frozen process does not count.
LONGEST_TRY_S = 6.0

Change = Callable[[Job], Job]


class JobStore:
    """Reads, creates and changes jobs.

    Args:
        draw: Returns a random number from 0 up to 1.
        patience_s: The retry budget of one operation, in seconds from its first try.
    """

    def __init__(
        self,
        documents: JobDocuments,
        *,
        clock: Clock,
        draw: Callable[[], float],
        patience_s: float,
    ) -> None:
        self._documents = documents
        self._clock = clock
        self._draw = draw
        self._patience_s = patience_s

    def read(self, job_id: str) -> Stored:
        """Read a job.

        Raises:
            JobNotFound: There is no such document.
            UnreadableJob: The document does not parse.
            StoreUnavailable: Unreachable until the retry budget was spent.
        """
        for _ in self._tries():
            try:
                return self._documents.read(job_id)
            except StoreUnavailable:
                continue
        raise StoreUnavailable(job_id)

    def read_own(self, tenant: str, job_id: str) -> Stored:
        """Read a tenant's own job; others' jobs look as if they did not exist.

        Raises:
            JobNotFound: There is none, or it is another tenant's.
            UnreadableJob, StoreUnavailable: As `read`.
        """
        stored = self.read(job_id)
        if stored.job.tenant != tenant:
            raise JobNotFound
        return stored

    def create(self, job: Job) -> Stored:
        """Write a new job exactly once, however often the write is retried.

        A retry after a lost reply finds a document: it is this job if it was created at the same
        microsecond from the same body.

        Returns:
            The stored job: this one, or an earlier one with the same id.
        """
        for _ in self._tries():
            try:
                return Stored(job, self._documents.create(job))
            except JobExists:
                return self.read(job.id)
            except StoreUnavailable:
                continue
        raise StoreUnavailable(job.id)

    def change(self, known: Stored, step: Change) -> Stored:
        """Apply one step to a job.

        Args:
            known: The job as the caller knows it; tried first, without a read.
            step: Must be pure and recognise its own finished work: it runs again on the newer job
                whenever another writer was faster or a reply was lost. Returning its argument
                unchanged writes nothing.

        Raises:
            JobNotFound: The document has gone.
            StoreUnavailable: Unreachable, or always beaten, until the retry budget was spent.
        """
        stored: Stored | None = known
        for _ in self._tries():
            try:
                stored = stored or self._documents.read(known.job.id)
                after = step(stored.job)
                if after is stored.job:
                    return stored
                version = self._documents.replace(after, version=stored.version)
                _log_move(stored.job, after)
                return Stored(after, version)
            except (LostRace, StoreUnavailable):
                stored = None
        raise StoreUnavailable(known.job.id)

    def keep(self, stored: Stored) -> bool:
        """Write a job's bookkeeping, unless somebody else has written the job meanwhile.

        Returns:
            Whether the document is up to date; if not, its ``wakeAt`` is still the old one.
        """
        try:
            self._documents.replace(stored.job, version=stored.version)
        except (LostRace, JobNotFound) as error:
            _log_not_kept(stored, error)
        except StoreUnavailable as error:
            _log_not_kept(stored, error)
            return False
        return True

    def _tries(self) -> Iterator[int]:
        spent_s, before_s = 0.0, self._clock.monotonic()
        for attempt in range(ATTEMPTS):
            yield attempt
            now_s = self._clock.monotonic()
            spent_s += min(now_s - before_s, LONGEST_TRY_S)
            before_s = now_s
            if spent_s > self._patience_s:
                return
            pause_s = min(FIRST_BACKOFF_S * 2**attempt, LONGEST_BACKOFF_S)
            self._clock.sleep(pause_s * (0.5 + self._draw()))


def _log_not_kept(stored: Stored, error: RelayError) -> None:
    log.info(
        "bookkeeping not written",
        extra={"fields": {"job_id": stored.job.id, "why": type(error).__name__}},
    )


def _log_move(before: Job, after: Job) -> None:
    if after.status is before.status:
        return
    log.info(
        "job finished" if after.is_final else "job moved",
        extra={
            "fields": {
                "job_id": after.id,
                "provider": after.provider,
                "operation": after.operation,
                "from": before.status.value,
                "status": after.status.value,
                "by": after.history[-1].by.value,
                **_seconds(after),
                **_why(after),
            }
        },
    )


def _seconds(job: Job) -> dict[str, float]:
    if job.finished_at is None:
        return {}
    return {"seconds": (job.finished_at - job.created_at).total_seconds()}


def _why(job: Job) -> dict[str, str | int]:
    if job.error is None:
        return {}
    why: dict[str, str | int] = {"code": job.error.code.value}
    said = job.error.provider
    if said is not None:
        why |= {"http_status": said.status, "provider_said": said.message}
    return why
