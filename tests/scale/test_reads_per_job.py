"""What the queue reads to find the jobs it sends, counted at up to 100,000 jobs."""

import pytest

from relay.domain.limits import Limit
from relay.errors import JobRefused
from tests.factories import jobs_of

WINDOW_S = 10
PER_S = 10


@pytest.mark.parametrize(
    ("jobs", "tenants"),
    [
        (10, 1),
        (10, 10),
        (1000, 1),
        (1000, 10),
        (1000, 200),
        (100_000, 1),
        (100_000, 10),
        (100_000, 200),
    ],
)
def test_finding_the_next_job_costs_two_reads_and_no_more_the_longer_the_queue_is(
    world, jobs, tenants
):
    world.provider.limit = Limit(calls=PER_S, window_s=1.0)
    world.provider.on_submit(*[JobRefused(422, "no such room")] * 2000)
    each = jobs // tenants
    for number in range(tenants):
        numbers = range(number * each, (number + 1) * each)
        world.jobs.put_unchecked(jobs_of(f"tenant-{number:03}", numbers))

    world.pump(window_s=WINDOW_S, workers=32).run()

    sent = len(world.provider.called("submit"))
    assert sent <= jobs
    assert sent >= min(jobs, 0.9 * PER_S * WINDOW_S)
    assert world.jobs.looked_at <= 2 * sent + tenants * (WINDOW_S / 5 + 1)
