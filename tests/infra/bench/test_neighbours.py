"""How long neighbours wait, and their targets."""

import pytest

from infra.bench.neighbours import NEIGHBOURS, Waited, checks, simulate
from infra.bench.report import Percentiles


def test_a_neighbour_that_waits_too_long_fails_its_checks_if_there_is_a_queue():
    waits = Percentiles.of([3.5])
    waited = [
        Waited(neighbour=NEIGHBOURS[0], queued=queued, waits=waits, use=0.5)
        for queued in (0, 20_000)
    ]

    assert [one.holds for one in checks(waited)] == [False, False]


@pytest.mark.parametrize(
    ("seconds", "use", "holds"),
    [(10.4, 0.71, [True, True]), (10.6, 0.69, [False, False])],
)
def test_a_neighbour_is_held_to_what_jobs_elsewhere_leave_on_the_emulator(seconds, use, holds):
    waited = [
        Waited(neighbour=NEIGHBOURS[0], queued=queued, elsewhere=elsewhere, waits=waits, use=use)
        for queued, elsewhere, waits, use in (
            (20_000, 0, Percentiles.of([seconds]), use),
            (1_000, 20_000, Percentiles.of([7.0]), 0.7),
        )
    ]

    assert [one.holds for one in checks(waited)] == holds


def test_simulated_neighbours_are_held_to_the_target_alone():
    waited = [
        Waited(
            neighbour=NEIGHBOURS[0],
            queued=20_000,
            elsewhere=elsewhere,
            is_simulated=not elsewhere,
            waits=Percentiles.of([5.0]),
            use=0.9,
        )
        for elsewhere in (0, 20_000)
    ]

    assert [one.holds for one in checks(waited)] == [False]


def test_simulated_neighbours_wait_no_longer_behind_forty_times_as_many_jobs():
    waited = simulate([20, 800])

    assert all(one.holds for one in checks(waited))
    for behind_few, behind_many in (waited[:2], waited[2:]):
        assert behind_many.waits.p95 < 1.5 * behind_few.waits.p95
