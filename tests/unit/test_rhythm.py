"""When a provider is asked about a job, and when it is tried again after it was busy."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.domain.catalogue import CATALOGUE
from relay.domain.rhythm import Rhythm, next_poll_at, next_try_at
from tests.factories import NOON, later

RHYTHM = Rhythm(
    first_s=25.0, shortest_s=5.0, longest_s=60.0, share_of_age=0.25, resubmit_after_s=60.0
)


@pytest.mark.parametrize(
    ("age_s", "gap_s"),
    [(0, 25), (10, 15), (22, 5.5), (25, 6.25), (100, 25), (240, 60), (3600, 60)],
)
def test_the_gap_grows_with_the_age_of_the_submission(age_s, gap_s):
    at = next_poll_at(RHYTHM, submitted_at=NOON, now=later(age_s), draw=0.5)

    assert at == later(age_s + gap_s)


@pytest.mark.parametrize(("draw", "gap_s"), [(0.0, 54), (0.5, 60), (1.0, 66)])
def test_polls_are_spread_by_a_tenth_either_way(draw, gap_s):
    at = next_poll_at(RHYTHM, submitted_at=NOON, now=later(3600), draw=draw)

    assert at == later(3600 + gap_s)


@given(
    st.sampled_from([facts.rhythm for facts in CATALOGUE.values()]),
    st.floats(0, 90_000),
    st.floats(0, 1),
)
def test_the_next_poll_is_never_too_soon_nor_too_far(rhythm, age_s, draw):
    now = later(age_s)

    gap_s = (next_poll_at(rhythm, submitted_at=NOON, now=now, draw=draw) - now).total_seconds()

    assert rhythm.shortest_s * 0.9 - 1e-6 <= gap_s
    assert gap_s <= max(rhythm.longest_s, rhythm.first_s) * 1.1 + 1e-6


def test_tries_in_vain_are_repeated_after_gaps_that_double_up_to_two_minutes():
    gaps_s = [
        (next_try_at(tries=tries, retry_after_s=None, now=NOON, draw=0.5) - NOON).total_seconds()
        for tries in (1, 2, 3, 4, 5, 6, 7, 1000)
    ]

    assert gaps_s == [5, 10, 20, 40, 80, 120, 120, 120]


@pytest.mark.parametrize(
    ("asked_s", "waited_s"), [(7, 7), (0, 1), (-5, 1), (600, 600), (86_400, 600)]
)
def test_a_provider_that_says_when_to_come_again_is_believed_within_reason(asked_s, waited_s):
    at = next_try_at(tries=9, retry_after_s=asked_s, now=NOON, draw=0.9)

    assert at == later(waited_s)
