"""Shares an instance's scarce resources among tenants."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager


class Slots:
    """Limits how many requests do something at a time, in all and per tenant.

    Args:
        total: The limit for all tenants together.
        of_one_tenant: The limit for each tenant.
    """

    def __init__(self, *, total: int, of_one_tenant: int) -> None:
        self._total = total
        self._of_one_tenant = of_one_tenant
        self._taken: Counter[str] = Counter()
        self._lock = threading.Lock()

    @contextmanager
    def take(self, tenant: str) -> Iterator[bool]:
        """Take a slot for the tenant while the context lasts; yield False if none is free."""
        with self._lock:
            is_free = (
                self._taken.total() < self._total and self._taken[tenant] < self._of_one_tenant
            )
            self._taken[tenant] += is_free
        try:
            yield is_free
        finally:
            with self._lock:
                self._taken[tenant] -= is_free


def wait_slots(*, threads: int) -> Slots:
    """Return the slots for requests that wait, leaving threads for the others.

    Args:
        threads: How many requests the instance answers at a time.
    """
    return Slots(total=threads // 2, of_one_tenant=threads // 4)


def picture_slots() -> Slots:
    """Return the slots for pictures in memory; each takes up to 50 MiB until it is sent."""
    return Slots(total=2, of_one_tenant=1)


def large_answer_slots() -> Slots:
    """Return the slots for pages and batches of full size; each takes up to 10 MB until sent."""
    return Slots(total=8, of_one_tenant=4)
