"""Limits how many open jobs a tenant may have in an account."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from relay.application.ports import Clock, JobCounts
from relay.errors import StoreUnavailable, TooManyOpenJobs

log = logging.getLogger(__name__)

COUNT_EVERY_S = 5.0


class OpenJobsQuota:
    """Refuses creates of tenants that have too many open jobs.

    Jobs are counted at most every 5 s per tenant and account; jobs created by this instance in
    between are added. Creates of other instances, and jobs that end, are noticed up to 5 s late.
    While one request counts again, others go on with the last count.

    Args:
        most: How many open jobs a tenant may have in one account.
    """

    def __init__(self, counts: JobCounts, *, clock: Clock, most: int) -> None:
        self._counts = counts
        self._clock = clock
        self._most = most
        self._tallies: dict[tuple[str, str], _Tally] = {}
        self._lock = threading.Lock()

    @contextmanager
    def reserve(self, tenant: str, account: str) -> Iterator["Reservation"]:
        """Reserve room for one more open job; it is released unless the job was created.

        Raises:
            TooManyOpenJobs: The tenant has no room left.
        """
        with self._lock:
            tally = self._tallies.setdefault((tenant, account), _Tally())
        self._count_if_due(tally, tenant, account)
        with tally.lock:
            if tally.counted + tally.added >= self._most:
                if not tally.is_refusal_logged:
                    tally.is_refusal_logged = True
                    log.warning(
                        "quota reached", extra={"fields": {"tenant": tenant, "account": account}}
                    )
                raise TooManyOpenJobs(account, most=self._most, retry_after_s=COUNT_EVERY_S)
            tally.added += 1
            tally.under_way += 1
        reservation = Reservation()
        try:
            yield reservation
        finally:
            with tally.lock:
                tally.under_way -= 1
                tally.added -= not reservation.is_used

    def _count_if_due(self, tally: "_Tally", tenant: str, account: str) -> None:
        if self._clock.monotonic() < tally.count_at_s:
            return
        # All wait for the first count, and nobody for a later one.
        if not tally.counting.acquire(blocking=not tally.is_known):
            return
        try:
            if self._clock.monotonic() >= tally.count_at_s:
                self._count(tally, tenant, account)
                # From its end: a slow store must not have every create wait for a count.
                tally.count_at_s = self._clock.monotonic() + COUNT_EVERY_S
        finally:
            tally.is_known = True
            tally.counting.release()

    def _count(self, tally: "_Tally", tenant: str, account: str) -> None:
        """Count again; if the store fails, continue with the last count.

        The quota only keeps a tenant from filling the store: a few jobs too many are better than
        refusing creates because counting fails.
        """
        with tally.lock:
            tally.is_refusal_logged = False
            # The count includes these; of those under way, and of later ones, that is not known.
            written = tally.added - tally.under_way
        try:
            counted = self._counts.count_open(tenant, account, most=self._most)
        except StoreUnavailable:
            log.warning(
                "open jobs not counted", extra={"fields": {"tenant": tenant, "account": account}}
            )
            return
        with tally.lock:
            tally.counted = counted
            tally.added -= written


class Reservation:
    """Room for one more open job."""

    def __init__(self) -> None:
        self.is_used = False

    def use(self) -> None:
        """Keep the room: the job was created."""
        self.is_used = True


class _Tally:
    """One tenant's open jobs in one account.

    Attributes:
        lock: Held while the tally is read or changed, never while the store is asked.
        counting: Held by the request that counts.
        is_known: Whether the store was asked once.
        counted: As last counted by the store.
        added: Created here since, or about to be.
        under_way: How many of these may not be written yet.
        count_at_s: When to count again, on the monotonic clock.
        is_refusal_logged: Whether a refusal was logged since the last count.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.counting = threading.Lock()
        self.is_known = False
        self.counted = 0
        self.added = 0
        self.under_way = 0
        self.count_at_s = float("-inf")
        self.is_refusal_logged = False
