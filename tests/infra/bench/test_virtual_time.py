"""Virtual time."""

from infra.bench.virtual_time import BEGINNING, VirtualClock


def test_what_is_scheduled_happens_while_somebody_sleeps():
    clock, seen = VirtualClock(), []
    clock.after(1.0, lambda: clock.sleep(5.0))
    clock.after(2.0, lambda: seen.append(clock.now() - BEGINNING))

    clock.run_until(3.0)

    assert [one.total_seconds() for one in seen] == [2.0]
    assert clock.monotonic() == 6.0
