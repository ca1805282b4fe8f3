"""Figure 4, first half: what one tick reads and takes, with ever more jobs in the store."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import median
from time import monotonic

from infra.bench.counting import FOUND, QUERY, READ, WRITE, Counted, Counting
from infra.bench.figure import Check, Table
from infra.bench.jobs import processing_job, store_copies
from infra.bench.pumps import NO_LIMIT, PatientProvider, pump
from infra.bench.rig import firestore_client
from relay.adapters.database import Database

STORED = (10, 1_000, 100_000)
DUE = 100
TICKS = 5
TARGET_SHARE = 0.10


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """A store with so many open jobs of one account, and a client whose calls are counted."""

    stored: int
    client: Database
    counting: Counting


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticked:
    """One tick over so many other jobs, in the median of several.

    Attributes:
        stored: Open jobs of the account that are not due.
    """

    stored: int
    took_s: float
    counted: Counted

    @property
    def documents_read(self) -> int:
        """Documents that came over the wire, by name and by queries."""
        done = self.counted.of_documents
        return sum(count for (what, _), count in done.items() if what in (READ, FOUND))

    def of(self, what: str, *, below: str = "") -> int:
        """Return how often this was done, to all documents or to those of one collection."""
        done = self.counted.of_documents
        return sum(
            count for (name, path), count in done.items() if name == what and path.startswith(below)
        )


def fill(host: str, *, stored: Sequence[int] = STORED) -> tuple[Filled, ...]:
    """Store so many open jobs that are not due, each number in a project of its own.

    Args:
        host: The Firestore emulator's.
    """
    return tuple(_filled(host, others=others) for others in stored)


def measure(stores: Sequence[Filled], *, ticks: int = TICKS) -> tuple[Ticked, ...]:
    """Let ticks do what is due, each time `DUE` jobs, while all the others are stored."""
    return tuple(_ticked(one, ticks=ticks) for one in stores)


def _filled(host: str, *, others: int) -> Filled:
    counting = Counting()
    client = firestore_client(host, project=f"growth-{others}", interceptors=(counting,))
    now = datetime.now(UTC)
    spread_s = 12 * 3600 / max(others, 1)
    store_copies(
        client,
        processing_job(at=now, poll_at=now),
        (now + timedelta(hours=1, seconds=number * spread_s) for number in range(others)),
    )
    return Filled(stored=others, client=client, counting=counting)


def _ticked(filled: Filled, *, ticks: int) -> Ticked:
    client, counting = filled.client, filled.counting
    provider = PatientProvider("gepetto", limit=NO_LIMIT, takes_s=0.0)
    # The first tick makes the account's document; it is not counted.
    pump(client, provider, window_s=0).run()
    took_s, counted = [], []
    for _ in range(ticks):
        at = datetime.now(UTC) - timedelta(minutes=1)
        due = (at + timedelta(microseconds=number) for number in range(DUE))
        store_copies(client, processing_job(at=at, poll_at=at), due)
        before, began_s = counting.counted.copy(), monotonic()
        pump(client, provider, window_s=0).run()
        took_s.append(monotonic() - began_s)
        counted.append(counting.counted.since(before))
    return Ticked(stored=filled.stored, took_s=median(took_s), counted=counted[len(counted) // 2])


def table(ticked: Sequence[Ticked]) -> Table:
    """Return what was read, by what was stored."""
    return Table(
        caption=f"One tick, {DUE} jobs due, each polled and ended, its event published",
        head=("other open jobs", "documents read", "queries", "writes", "ms a tick"),
        rows=tuple(
            (
                f"{one.stored:,}",
                str(one.documents_read),
                str(one.of(QUERY)),
                str(one.of(WRITE)),
                f"{one.took_s * 1000:.0f}",
            )
            for one in ticked
        ),
    )


def check(ticked: Sequence[Ticked]) -> Check:
    """Hold the first against the last."""
    few, many = ticked[0], ticked[-1]
    apart = abs(many.documents_read / few.documents_read - 1)
    return Check(
        figure=f"documents read by a tick, {few.stored:,} and {many.stored:,} jobs stored",
        target=f"within {TARGET_SHARE:.0%}",
        measured=f"{few.documents_read} and {many.documents_read}",
        holds=apart <= TARGET_SHARE,
    )
