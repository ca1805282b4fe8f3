"""What finding the next job to send costs in documents read, counted at the real client's channel.

The emulator has no indexes and goes through all documents for each query, so this stops at 10,000
queued jobs, and at 1,000 where many tenants wait.
"""

import math

import pytest

from infra.bench.store import FOUND, queued_job, store_queue, total
from tests.adapters.test_operation_counts import CountedWorld

pytestmark = pytest.mark.emulator

WINDOW_S = 10.0
READ_AGAIN_S = 5.0


@pytest.mark.parametrize(
    ("queued", "tenants"),
    [
        (10, 1),
        (10, 10),
        pytest.param(1_000, 1, marks=pytest.mark.thorough),
        pytest.param(1_000, 10, marks=pytest.mark.thorough),
        pytest.param(1_000, 200, marks=pytest.mark.thorough),
        pytest.param(10_000, 1, marks=pytest.mark.thorough),
    ],
)
def test_at_most_two_documents_are_read_for_a_job_sent_and_one_for_a_waiting_tenant_in_5_s(
    firestore_emulator: str, queued: int, tenants: int
) -> None:
    world = CountedWorld(firestore_emulator)
    for number in range(tenants):
        job = queued_job(at=world.clock.now(), tenant=f"tenant-{number:03d}")
        store_queue(world.client, job, queued // tenants)
    before = world.counting.counts.copy()

    world.pump(window_s=WINDOW_S).run()

    read = total(world.counting.counts - before, FOUND, "jobs")
    sent = len(world.provider.called("submit"))
    assert sent >= min(queued, world.provider.limit.used_calls * WINDOW_S / 60)
    assert read <= 2 * sent + tenants * math.ceil(world.seconds() / READ_AGAIN_S)
