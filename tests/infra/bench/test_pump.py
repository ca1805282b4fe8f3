"""The targets of pumps."""

from infra.bench.pump import Pumped, pump_checks


def test_a_pump_that_is_too_slow_fails_its_checks():
    slow = Pumped(idle_s=[2.0], busy_s=[2.0], calls=100, over_s=10.0)

    assert [one.holds for one in pump_checks(slow)] == [False, False, False]
