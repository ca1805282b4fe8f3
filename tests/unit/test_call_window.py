"""The call limit: no window at the provider ever holds more calls than are allowed."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.domain.limits import CallWindow, Limit

LIMITS = st.builds(Limit, calls=st.integers(1, 12), window_s=st.sampled_from([1.0, 10.0, 60.0]))
# How long to wait before a try, how long the call takes, when in it the provider counts it.
TRIES = st.lists(
    st.tuples(st.floats(0, 5), st.floats(0, 30), st.floats(0, 1)), min_size=1, max_size=40
)


@pytest.mark.parametrize(
    ("documented", "used"), [(120, 114), (100, 95), (10, 9), (2, 1), (1, 1)], ids=str
)
def test_a_twentieth_of_the_limit_is_left_free_but_never_all_of_it(documented, used):
    assert Limit(calls=documented, window_s=60.0).used_calls == used


@given(LIMITS, TRIES)
def test_no_window_at_the_provider_holds_more_calls_than_are_used(limit, tries):
    window = CallWindow(limit, ended=[])
    in_the_air: list[float] = []
    counted: list[float] = []
    now = 1000.0

    for wait_s, takes_s, share in tries:
        now += wait_s
        now = _first_moment_for_a_call(window, in_the_air, now)
        window.start()
        in_the_air.append(now + takes_s)
        counted.append(now + takes_s * share)

    assert most_in_one_window(counted, limit.window_s) <= limit.used_calls


@given(LIMITS, st.lists(st.floats(0, 60), max_size=40))
def test_calls_of_a_pump_before_count_until_their_window_is_over(limit, ages_s):
    window = CallWindow(limit, ended=[1000.0 - age_s for age_s in ages_s])

    free_at = window.free_at(1000.0)

    assert free_at is not None
    held = sum(1 for age_s in ages_s if 1000.0 - age_s + limit.window_s > free_at)
    assert held < limit.used_calls


def test_a_call_that_ended_before_others_counts_from_its_own_end():
    window = CallWindow(Limit(calls=2, window_s=60.0), ended=[])
    window.start()
    window.end(1000.0)
    window.start()
    window.end(990.0)

    assert window.recent(1000.0) == [990.0, 1000.0]


def test_places_are_counted_up_to_a_moment_ahead():
    window = CallWindow(Limit(calls=10, window_s=60.0), ended=[941.0, 950.0, 990.0])
    window.start()

    assert [window.free_by(moment) for moment in (1000.0, 1001.0, 1010.0)] == [5, 6, 7]


def test_the_next_call_waits_for_the_oldest_to_leave_the_window():
    window = CallWindow(Limit(calls=2, window_s=60.0), ended=[990.0])

    assert window.free_at(1000.0) == 1050.0
    assert window.free_at(1050.0) == 1050.0


def test_calls_in_the_air_take_places_until_they_end():
    window = CallWindow(Limit(calls=2, window_s=60.0), ended=[])
    window.start()

    assert window.free_at(1000.0) is None

    window.end(1005.0)

    assert window.free_at(1005.0) == 1065.0


def test_a_call_that_was_not_made_gives_its_place_back():
    window = CallWindow(Limit(calls=3, window_s=60.0), ended=[])
    window.start()
    window.start()
    assert window.free_at(1000.0) is None

    window.cancel()

    assert window.free_at(1000.0) == 1000.0
    assert window.in_flight == 1


def test_what_is_passed_on_are_the_calls_that_ended_and_still_count():
    window = CallWindow(Limit(calls=10, window_s=60.0), ended=[930.0, 950.0])
    window.start()

    assert window.recent(1000.0) == [950.0]
    assert window.in_flight == 1


def _first_moment_for_a_call(window: CallWindow, in_the_air: list[float], now: float) -> float:
    while True:
        for end in sorted(in_the_air):
            if end <= now:
                window.end(end)
                in_the_air.remove(end)
        free_at = window.free_at(now)
        if free_at is not None and free_at <= now:
            return now
        now = min(itertools.chain(in_the_air, [] if free_at is None else [free_at]))


def most_in_one_window(moments: list[float], window_s: float) -> int:
    return max(sum(1 for one in moments if start <= one < start + window_s) for start in moments)
