"""The targets of pumps."""

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


def test_a_neighbour_may_wait_as_long_as_the_emulator_lets_it_wait_for_jobs_elsewhere():
    def waited(seconds, **jobs):
        waits = Percentiles.of([seconds])
        return Waited(neighbour=NEIGHBOURS[0], waits=waits, use=0.9, **jobs)

    beside = waited(7.0, queued=1_000, elsewhere=20_000)

    for seconds, holds in ((6.9, True), (7.1, False)):
        ours, _ = neighbour_checks([waited(seconds, queued=20_000), beside])
        assert ours.holds is holds
