"""Counts jobs by index, for a read per thousand instead of one for each."""

from datetime import datetime
from typing import Protocol

from relay.adapters.database import Collection, Database, where
from relay.adapters.document import ACCOUNT, DELIVERY_KEY, QUEUE_KEY, WAKE_AT
from relay.adapters.firestore import JOBS
from relay.domain.queue import Span

TIMEOUT_S = 60.0


class Counts(Protocol):
    """Counts jobs, whosever they are."""

    def queued(self, account: str, span: Span) -> int:
        """Return how many of the account's jobs have queue keys in this span."""

    def due(self, account: str, *, until: datetime) -> int:
        """Return how many of the account's jobs have a ``wakeAt`` up to this moment."""

    def deliveries(self, span: Span) -> int:
        """Return how many jobs have delivery keys in this span."""


class FirestoreCounts:
    """The `Counts` of a Firestore database; raises the vendor's errors."""

    def __init__(self, database: Database) -> None:
        self._jobs = Collection(database, JOBS, timeout_s=TIMEOUT_S)

    def queued(self, account: str, span: Span) -> int:
        """See `Counts`."""
        return self._count(where(ACCOUNT, "==", account), *_within(QUEUE_KEY, span))

    def due(self, account: str, *, until: datetime) -> int:
        """See `Counts`."""
        return self._count(where(ACCOUNT, "==", account), where(WAKE_AT, "<=", until))

    def deliveries(self, span: Span) -> int:
        """See `Counts`."""
        return self._count(*_within(DELIVERY_KEY, span))

    def _count(self, *filters: object) -> int:
        return self._jobs.count(self._jobs.query(*filters))


def _within(field: str, span: Span) -> tuple[object, object]:
    return where(field, ">", span.after), where(field, "<", span.before)
