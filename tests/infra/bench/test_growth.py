"""What a tick reads, on the emulator, with few and with many jobs stored."""

import pytest

from infra.bench import growth
from infra.bench.store import FOUND, READ, WRITE

pytestmark = [pytest.mark.emulator, pytest.mark.thorough]


def test_a_tick_reads_as_many_documents_however_many_jobs_are_stored(
    firestore_emulator: str,
) -> None:
    stores = growth.fill(firestore_emulator, stored=(10, 1_000))

    few, many = growth.measure_ticks(stores, ticks=1)

    for tick in (few, many):
        # The query finds them, and each is read by its name for its end. On a slower machine
        # the query is run again before all have ended, and the lease is renewed more often;
        # no other job is touched for that.
        due = paths(tick, FOUND)
        assert len(due) == growth.DUE
        assert {path for path in paths(tick, READ) if path.startswith("jobs/")} == due
        assert {path for path in paths(tick, WRITE) if path.startswith("jobs/")} == due
    others = [
        {path for path in paths(tick, READ) if not path.startswith("jobs/")} for tick in (few, many)
    ]
    assert others[0] == others[1]
    assert len(others[0]) <= 5


def paths(tick: growth.Tick, operation: str) -> set[str]:
    """Return the documents that a tick did this to."""
    return {path for done, path in tick.counts if done == operation}
