"""Shares out the threads of an instance that callers may wait in."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

ALL_TENANTS_SHARE = 1 / 2
ONE_TENANTS_SHARE = 1 / 4


class WaitPlaces:
    """Lets so many requests wait that the others find a thread.

    Args:
        threads: How many requests the instance answers at a time.
    """

    def __init__(self, *, threads: int) -> None:
        self._places = int(threads * ALL_TENANTS_SHARE)
        self._places_of_one = int(threads * ONE_TENANTS_SHARE)
        self._taken: Counter[str] = Counter()
        self._lock = threading.Lock()

    @contextmanager
    def place(self, tenant: str) -> Iterator[bool]:
        """Take a place for the tenant as long as the context lasts; False if there is none."""
        with self._lock:
            is_free = (
                self._taken.total() < self._places and self._taken[tenant] < self._places_of_one
            )
            self._taken[tenant] += is_free
        try:
            yield is_free
        finally:
            with self._lock:
                self._taken[tenant] -= is_free
