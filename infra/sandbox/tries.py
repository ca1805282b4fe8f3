"""Counts how often something came again, for behaviours that change with each try."""

from collections import OrderedDict

KEPT_TRIES = 100_000


class Tries:
    """The counts of the latest `KEPT_TRIES` keys; for one thread at a time."""

    def __init__(self) -> None:
        self._counts: OrderedDict[tuple[str, str], int] = OrderedDict()

    def count(self, first: str, second: str) -> int:
        """Count a try of these two, and return how many came before it."""
        before = self._counts.pop((first, second), 0)
        self._counts[first, second] = before + 1
        while len(self._counts) > KEPT_TRIES:
            self._counts.popitem(last=False)
        return before

    def clear(self) -> None:
        """Forget all tries."""
        self._counts.clear()
