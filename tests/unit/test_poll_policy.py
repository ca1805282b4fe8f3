"""When a provider is asked about a job, and when it is tried again after it was busy."""

from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.domain.catalogue import CATALOGUE
from relay.domain.durations import Durations
from relay.domain.poll_policy import (
    UNSURE_GAP_S,
    PollPlan,
    PollPolicy,
    next_try_at,
    plan_polls,
    planned_poll_at,
)
from tests.factories import NOON, later


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


ALONE = PollPolicy(first_s=2.0, shortest_s=1.0, longest_s=60.0)


def seen(*ages_s: float) -> Durations:
    """Return what webhooks at these ages teach."""
    durations = Durations.unknown()
    for age_s in ages_s:
        durations = durations.with_render(after_s=age_s, by_s=age_s, expected_s=30)
    return durations


def planned_gap_s(
    plan: PollPlan, *, age_s: float = 0.0, polls: int = 0, draw: float = 0.5
) -> float:
    now = later(age_s)
    at = planned_poll_at(plan, submitted_at=NOON, now=now, polls=polls, draw=draw)
    return (at - now).total_seconds()


def planned_ages_s(plan: PollPlan, *, until_s: float) -> list[float]:
    """Return the ages at which a render is asked about that never becomes ready."""
    ages_s = [planned_gap_s(plan)]
    while ages_s[-1] < until_s:
        ages_s.append(ages_s[-1] + planned_gap_s(plan, age_s=ages_s[-1], polls=len(ages_s)))
    return ages_s


RHYTHM = CATALOGUE["gepetto"].poll_policy

PLANS = [
    plan_polls(poll_policy, durations, expected_s=expected_s)
    for poll_policy in (ALONE, RHYTHM)
    for durations in (
        Durations.unknown(),
        seen(*[30.0] * 300),
        seen(*[20.0, 25.0, 30.0, 25.0, 180.0] * 20),
        seen(*[1.0] * 50),
        seen(*[5000.0] * 50),
    )
    for expected_s in (1.0, 30.0, 2000.0)
]


@given(
    st.sampled_from(PLANS),
    st.floats(0, 90_000),
    st.integers(0, 100_000),
    st.floats(0, 1),
)
def test_a_planned_poll_is_never_too_soon_nor_too_far(plan, age_s, polls, draw):
    poll_policy = plan.poll_policy

    gap_s = planned_gap_s(plan, age_s=age_s, polls=polls, draw=draw)

    assert gap_s >= max(poll_policy.shortest_s, poll_policy.first_s - age_s) - 1e-5
    assert gap_s <= max(poll_policy.longest_s, 1.1 * (poll_policy.first_s - age_s)) + 1e-5


@given(st.sampled_from(PLANS), st.floats(0, 2000), st.integers(0, 50))
def test_jobs_sent_together_do_not_stay_together(plan, age_s, polls):
    gaps_s = [planned_gap_s(plan, age_s=age_s, polls=polls, draw=draw) for draw in (0, 0.5, 1)]

    assert gaps_s[0] < gaps_s[1] < gaps_s[2]


@given(st.sampled_from(PLANS), st.floats(0, 2000), st.integers(0, 50), st.floats(0, 1))
def test_the_more_polls_there_were_the_rarer_they_become(plan, age_s, polls, draw):
    gap_s = planned_gap_s(plan, age_s=age_s, polls=polls, draw=draw)

    assert planned_gap_s(plan, age_s=age_s, polls=polls + 1, draw=draw) >= gap_s


@pytest.mark.parametrize("seconds", [5.0, 15.0, 45.0])
def test_without_history_the_first_poll_follows_the_expected_duration_but_comes_soon(seconds):
    plan = plan_polls(ALONE, Durations.unknown(), expected_s=seconds)

    assert seconds / 4 < planned_gap_s(msgspec.structs.replace(plan, is_sure=True)) < seconds * 1.5
    assert planned_gap_s(plan) <= UNSURE_GAP_S


def test_without_history_the_gaps_grow_with_age_and_a_median_render_takes_six_polls():
    plan = plan_polls(ALONE, Durations.unknown(), expected_s=30)

    ages_s, age_s = [], 0.0
    for polls in range(12):
        age_s += planned_gap_s(plan, age_s=age_s, polls=polls)
        ages_s.append(age_s)

    assert sum(age_s < 30 for age_s in ages_s) < 6
    assert ages_s[11] - ages_s[10] > 1.5 * (ages_s[1] - ages_s[0])


def test_the_first_poll_comes_when_a_result_has_become_likely():
    plan = plan_polls(ALONE, seen(*range(25, 36), *range(25, 36)), expected_s=30)

    assert 25 < planned_gap_s(plan) < 36


def test_polls_are_dense_where_results_are_likely_and_rare_after_that():
    plan = plan_polls(ALONE, seen(*[25.0, 30.0, 35.0] * 60), expected_s=30)

    ages_s = planned_ages_s(plan, until_s=300)

    gaps_s = [after - before for before, after in pairwise(ages_s)]
    likely_s = [gap_s for age_s, gap_s in zip(ages_s, gaps_s, strict=False) if 24 < age_s < 30]
    later_s = [gap_s for age_s, gap_s in zip(ages_s, gaps_s, strict=False) if age_s > 60]
    assert ages_s[0] > 20
    assert 2 * max(likely_s) < min(later_s)


def test_between_two_peaks_there_are_few_polls():
    plan = plan_polls(ALONE, seen(*[20.0, 25.0, 28.0, 30.0, 180.0, 200.0] * 50), expected_s=30)

    ages_s = planned_ages_s(plan, until_s=260)

    between = [age_s for age_s in ages_s if 60 <= age_s < 150]
    second_peak = [age_s for age_s in ages_s if 160 <= age_s < 220]
    assert len(between) < len(second_peak)


def test_slower_renders_are_asked_about_later():
    firsts_s = [
        planned_gap_s(plan_polls(ALONE, seen(*[seconds] * 100), expected_s=30))
        for seconds in (10.0, 20.0, 30.0, 50.0)
    ]

    assert firsts_s == sorted(firsts_s)
    assert firsts_s[0] < 15 < 40 < firsts_s[-1]


def test_polls_that_are_worth_more_delay_are_fewer():
    durations = seen(*[20.0, 25.0, 30.0, 40.0, 60.0] * 30)
    counts = [
        len(
            planned_ages_s(
                plan_polls(
                    msgspec.structs.replace(ALONE, poll_worth=worth), durations, expected_s=30
                ),
                until_s=100,
            )
        )
        for worth in (0.01, 0.04, 0.2, 1.0)
    ]

    assert counts == sorted(counts, reverse=True)
    assert counts[0] > 2 * counts[-1]


def test_a_webhook_has_its_chance_first():
    plan = plan_polls(RHYTHM, seen(*[8.0] * 200), expected_s=8)

    assert [planned_gap_s(plan, draw=draw) for draw in (0.0, 1.0)] == [25.0, pytest.approx(27.5)]


def test_a_render_slower_than_all_before_is_asked_about_ever_more_rarely():
    plan = plan_polls(ALONE, seen(*[10.0] * 300), expected_s=10)

    ages_s = planned_ages_s(plan, until_s=900)

    assert len([age_s for age_s in ages_s if age_s < 60]) <= 15
    assert len(ages_s) <= 50
