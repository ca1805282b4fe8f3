"""The targets of pumps."""

import pytest

from infra.bench.pump import NEIGHBOURS, Pumped, Waited, neighbour_checks, pump_checks
from infra.bench.report import Percentiles


def test_a_pump_that_is_too_slow_fails_its_checks():
    slow = Pumped(idle_s=[2.0], busy_s=[2.0], calls=100, over_s=10.0)

    assert [one.holds for one in pump_checks(slow)] == [False, False, False]


def test_a_neighbour_that_waits_too_long_fails_its_checks_if_there_is_a_queue():
    waits = Percentiles.of([3.5])
    waited = [
        Waited(neighbour=NEIGHBOURS[0], queued=queued, waits=waits, use=0.5)
        for queued in (0, 20_000)
    ]

    assert [one.holds for one in neighbour_checks(waited)] == [False, False]


@pytest.mark.parametrize(
    ("seconds", "use", "holds"),
    [(6.9, 0.71, [True, True]), (7.1, 0.69, [False, False])],
)
def test_a_neighbour_is_held_to_what_jobs_elsewhere_leave_on_the_emulator(seconds, use, holds):
    waited = [
        Waited(neighbour=NEIGHBOURS[0], queued=queued, elsewhere=elsewhere, waits=waits, use=use)
        for queued, elsewhere, waits, use in (
            (20_000, 0, Percentiles.of([seconds]), use),
            (1_000, 20_000, Percentiles.of([7.0]), 0.7),
        )
    ]

    assert [one.holds for one in neighbour_checks(waited)] == holds
