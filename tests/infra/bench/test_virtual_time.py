"""Virtual time."""

from infra.bench.virtual_time import BEGINNING, ConcurrentClock, VirtualClock


def test_what_is_scheduled_happens_while_somebody_sleeps():
    clock, seen = VirtualClock(), []
    clock.after(1.0, lambda: clock.sleep(5.0))
    clock.after(2.0, lambda: seen.append(clock.now() - BEGINNING))

    clock.run_until(3.0)

    assert [one.total_seconds() for one in seen] == [2.0]
    assert clock.monotonic() == 6.0


def test_two_that_sleep_side_by_side_wait_for_neither():
    clock, woke_at_s = ConcurrentClock(), []

    def sleep(seconds: float) -> None:
        clock.sleep(seconds)
        woke_at_s.append(clock.monotonic())

    clock.after(1.0, lambda: sleep(5.0))
    clock.after(2.0, lambda: sleep(1.0))
    clock.run_until(10.0)

    assert woke_at_s == [3.0, 6.0]
    assert clock.monotonic() == 10.0
