"""Creates the jobs of a batch, each as if it had come alone."""

from collections.abc import Iterator
from contextlib import contextmanager

from relay.application.job_creator import Created, JobCreator, NewJob
from relay.application.ports import Clock
from relay.application.waker import Waker
from relay.errors import StoreUnavailable

# The platform gives a request 90 s, and one create may take as long as the store's retry budget.
BATCH_BUDGET_S = 60.0


class BatchCreator:
    """Creates the jobs of batches, one after the other, and wakes each account's pump once."""

    def __init__(self, *, creator: JobCreator, waker: Waker, clock: Clock) -> None:
        self._creator = creator
        self._waker = waker
        self._clock = clock

    @contextmanager
    def batch(self, tenant: str) -> Iterator["Batch"]:
        """Begin a batch; the pumps are woken at its end."""
        batch = Batch(self._creator, tenant, clock=self._clock)
        try:
            yield batch
        finally:
            for account in batch.accounts:
                self._waker.wake(account)


class Batch:
    """One batch.

    Attributes:
        accounts: The accounts that got open jobs, in the order in which they did.
    """

    def __init__(self, creator: JobCreator, tenant: str, *, clock: Clock) -> None:
        self.accounts: dict[str, None] = {}
        self._creator = creator
        self._tenant = tenant
        self._clock = clock
        self._give_up_at_s = clock.monotonic() + BATCH_BUDGET_S

    def create(self, new: NewJob, *, idempotency_key: str | None) -> Created:
        """Write the next job.

        Raises:
            InvalidRequest, KeyReused, TooManyOpenJobs: As `JobCreator.write`.
            StoreUnavailable: Also without a try, once the store has failed or time has run out.
        """
        if self._clock.monotonic() >= self._give_up_at_s:
            # A wrong job is told so all the same.
            self._creator.check(new)
            raise StoreUnavailable("too late for the rest of a batch")
        try:
            created = self._creator.write(self._tenant, new, idempotency_key=idempotency_key)
        except StoreUnavailable:
            self._give_up_at_s = self._clock.monotonic()
            raise
        if not created.job.is_final:
            self.accounts[created.job.account] = None
        return created
