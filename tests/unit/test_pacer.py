"""How calls are spread over the window of a limit."""

from itertools import pairwise

import pytest

from relay.domain.limits import CallWindow, Limit, Pacer

LIMIT = Limit(calls=120, window_s=60.0)
BURST_S = 2.0


def call_times(*, until_s: float, is_even: bool, latency_s: float = 0.3) -> list[float]:
    """Return when calls start if there is always one to make."""
    pacer, window = Pacer(LIMIT, ahead_s=BURST_S), CallWindow(LIMIT, ended=[])
    times: list[float] = []
    now_s = 0.0
    while now_s < until_s:
        window_free_s = window.free_at(now_s)
        assert window_free_s is not None
        free_s = max(window_free_s, pacer.free_at(now_s))
        if free_s > now_s:
            now_s = free_s
            continue
        window.start()
        pacer.start(now_s, even_interval_s=window.even_interval_s(now_s) if is_even else 0.0)
        window.end(now_s + latency_s)
        times.append(now_s)
    return times


def longest_gap_s(times: list[float]) -> float:
    return max(after - before for before, after in pairwise(times))


def test_a_burst_at_the_beginning_does_not_come_back_a_window_later():
    assert longest_gap_s(call_times(until_s=300, is_even=False)) > BURST_S
    assert longest_gap_s(call_times(until_s=300, is_even=True)) < BURST_S / 2


def test_even_calls_use_as_much_of_the_limit():
    rough, even = (len(call_times(until_s=600, is_even=one)) for one in (False, True))

    assert even >= 0.99 * rough


def test_calls_of_the_last_pump_use_up_the_burst_and_no_more():
    pacer = Pacer(LIMIT, ahead_s=BURST_S)

    pacer.resume([999.0] * 50, 1000.0)

    assert pacer.free_at(1000.0) == pytest.approx(1000.0)
    pacer.start(1000.0)
    assert pacer.free_at(1000.0) == pytest.approx(1000.0 + LIMIT.window_s / LIMIT.used_calls)


def test_calls_last_until_the_first_one_stops_counting():
    window = CallWindow(LIMIT, ended=[970.0] * 99)

    assert window.even_interval_s(1000.0) == pytest.approx(30.0 / (114 - 99 + 1))


@pytest.mark.parametrize("ended", [[], [970.0] * 114], ids=["nothing counts", "all is used"])
def test_without_a_place_or_an_end_there_is_nothing_to_spread(ended):
    assert CallWindow(LIMIT, ended=ended).even_interval_s(1000.0) == 0.0


def test_calls_are_not_stretched_without_end():
    pacer = Pacer(LIMIT, ahead_s=0.0)

    pacer.start(0.0, even_interval_s=30.0)

    assert pacer.free_at(0.0) < 1.0


def test_a_call_of_the_last_pump_that_ends_this_very_moment_counts():
    limit = Limit(calls=10, window_s=10.0)
    pacer, rested = (Pacer(limit, ahead_s=0.5) for _ in range(2))

    pacer.resume([100.0], 100.0)
    for one in (pacer, rested):
        one.start(100.0)

    assert pacer.free_at(100.0) == rested.free_at(100.0) + 0.5


def test_a_call_that_was_not_made_does_not_delay_the_next():
    pacer = Pacer(LIMIT, ahead_s=0.0)
    pacer.start(100.0)
    before = pacer.free_at(100.0)

    pacer.start(100.0)
    pacer.cancel()

    assert pacer.free_at(100.0) == pytest.approx(before)
