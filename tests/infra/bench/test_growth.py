"""What a tick reads, on the emulator, with few and with many jobs stored."""

import pytest

from infra.bench import growth
from infra.bench.store import WRITE, total

pytestmark = [pytest.mark.emulator, pytest.mark.thorough]


def test_a_tick_reads_as_many_documents_however_many_jobs_are_stored(
    firestore_emulator: str,
) -> None:
    stores = growth.fill(firestore_emulator, stored=(10, 1_000))

    few, many = growth.measure_ticks(stores, ticks=1)

    assert few.documents_read == many.documents_read
    # Each of them by the query, and by name for its end.
    assert few.documents_read <= 2 * growth.DUE + 5
    # The lease is written again every 1.2 s, however long the machine takes.
    assert total(few.counts, WRITE, "jobs/") == total(many.counts, WRITE, "jobs/") == 2 * growth.DUE
