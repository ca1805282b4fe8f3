"""What a tick reads, on the emulator, with few and with many jobs stored."""

import pytest

from infra.bench import growth
from infra.bench.store import FOUND, READ, WRITE, total

pytestmark = [pytest.mark.emulator, pytest.mark.thorough]


def test_a_tick_reads_as_many_documents_however_many_jobs_are_stored(
    firestore_emulator: str,
) -> None:
    stores = growth.fill(firestore_emulator, stored=(10, 1_000))

    few, many = growth.measure_ticks(stores, ticks=1)

    for tick in (few, many):
        # Each of them is found by the query, and read by its name for its end.
        assert total(tick.counts, FOUND) == growth.DUE
        assert total(tick.counts, READ, "jobs/") == growth.DUE
        assert total(tick.counts, WRITE, "jobs/") == 2 * growth.DUE
    # The lease is read and written more often on a slower machine.
    assert read_by_name(few) == read_by_name(many)
    assert len(read_by_name(few)) <= 5


def read_by_name(tick: growth.Tick) -> set[str]:
    """Return the documents beside the jobs that a tick read."""
    return {
        path
        for operation, path in tick.counts
        if operation == READ and not path.startswith("jobs/")
    }
