"""What an account learns of how long renders take."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.domain.durations import (
    BUCKETS,
    EDGES_S,
    FADING,
    PRIOR_WEIGHT,
    Durations,
    belief,
    prior,
    quantile_s,
)

EXPECTED_S = 30.0


def seen(*ages_s: float) -> Durations:
    """Return what webhooks at these ages teach."""
    durations = Durations.unknown()
    for age_s in ages_s:
        durations = durations.with_render(after_s=age_s, by_s=age_s, expected_s=EXPECTED_S)
    return durations


def median_s(durations: Durations, *, expected_s: float = EXPECTED_S) -> float:
    return quantile_s(belief(durations, expected_s=expected_s), 0.5)


histories = st.lists(st.floats(0, 5000), max_size=5).map(lambda ages_s: seen(*ages_s))


@given(st.floats(0.5, 3000))
def test_without_history_the_expectation_is_all_there_is(expected_s):
    known = belief(Durations.unknown(), expected_s=expected_s)

    assert known == pytest.approx(prior(expected_s))
    assert sum(known) == pytest.approx(1)
    if EDGES_S[0] < expected_s < EDGES_S[-1]:
        assert quantile_s(known, 0.5) == pytest.approx(expected_s, rel=0.02)


def test_without_history_nine_of_ten_are_expected_between_a_quarter_and_four_times():
    known = prior(EXPECTED_S)

    assert quantile_s(known, 0.05) == pytest.approx(EXPECTED_S / 4, rel=0.1)
    assert quantile_s(known, 0.95) == pytest.approx(EXPECTED_S * 4, rel=0.1)


@given(histories)
def test_no_duration_is_ever_thought_impossible(durations):
    assert min(belief(durations, expected_s=EXPECTED_S)) > 0


def test_a_webhook_counts_at_its_age():
    assert [weight for weight in seen(40.0).weights if weight] == [1.0]
    assert (
        EDGES_S[seen(40.0).weights.index(1.0) - 1] <= 40.0 < EDGES_S[seen(40.0).weights.index(1.0)]
    )


def test_a_poll_counts_somewhere_since_the_one_before():
    durations = Durations.unknown().with_render(after_s=20, by_s=60, expected_s=EXPECTED_S)

    touched = [bucket for bucket, weight in enumerate(durations.weights) if weight]
    assert sum(durations.weights) == pytest.approx(1)
    assert len(touched) > 5
    assert EDGES_S[touched[0]] > 20
    assert EDGES_S[touched[-1] - 1] < 60


def test_a_poll_after_a_long_gap_counts_where_renders_were_seen_before():
    before = seen(*[30.0] * 20)
    after = before.with_render(after_s=10, by_s=300, expected_s=EXPECTED_S)

    there = before.weights.index(max(before.weights))
    assert after.weights[there] - before.weights[there] * (1 - FADING) > 0.7


@given(histories, st.floats(0, 5000), st.floats(0, 5000))
def test_every_render_counts_once_wherever_it_was_found(durations, one_s, other_s):
    after_s, by_s = sorted((one_s, other_s))

    after = durations.with_render(after_s=after_s, by_s=by_s, expected_s=EXPECTED_S)

    assert min(after.weights) >= 0
    assert after.observations == pytest.approx(durations.observations * (1 - FADING) + 1)


@pytest.mark.parametrize(
    ("after_s", "by_s"), [(-1, 5), (6, 5), (float("nan"), 5), (1, float("inf"))]
)
def test_what_is_no_interval_is_refused(after_s, by_s):
    with pytest.raises(ValueError, match="interval"):
        Durations.unknown().with_render(after_s=after_s, by_s=by_s, expected_s=EXPECTED_S)


def test_more_history_leaves_less_of_the_expectation():
    medians_s = [median_s(seen(*[60.0] * count)) for count in (0, 2, 5, 20, 200)]

    assert medians_s == sorted(medians_s)
    assert medians_s[-1] == pytest.approx(60, rel=0.1)


def test_what_is_new_outweighs_what_is_old():
    durations = seen(*[20.0] * 2000)
    for _ in range(int(0.75 / FADING)):
        durations = durations.with_render(after_s=80, by_s=80, expected_s=EXPECTED_S)

    assert median_s(durations) == pytest.approx(80, rel=0.1)


@given(st.lists(st.floats(0, 3000), max_size=10))
def test_however_many_there_were_it_is_worth_so_many_observations_at_most(ages_s):
    assert seen(*ages_s * 40).observations < 1 / FADING


@given(histories, histories, histories)
def test_histories_can_be_added_up_in_any_grouping(first, second, third):
    left, right = (first + second) + third, first + (second + third)

    assert left.weights == pytest.approx(right.weights)


@given(st.lists(st.floats(0, 3000), max_size=5), st.lists(st.floats(0, 3000), max_size=5))
def test_what_another_instance_saw_counts_as_if_it_was_seen_here(here_s, there_s):
    assert (seen(*here_s) + seen(*there_s)).weights == pytest.approx(
        seen(*here_s, *there_s).weights
    )


@given(histories)
def test_what_is_stored_is_read_again(durations):
    plain = durations.to_plain()

    assert len(plain) == BUCKETS
    assert Durations.from_plain(plain).weights == pytest.approx(durations.weights, abs=1e-4)


@pytest.mark.parametrize(
    "stored",
    [
        [],
        [1.0] * (BUCKETS - 1),
        [1.0] * (BUCKETS + 1),
        [-1.0] + [0.0] * (BUCKETS - 1),
        [float("nan")] * BUCKETS,
        ["1"] * BUCKETS,
        [None] * BUCKETS,
        [1e9] * BUCKETS,
    ],
    ids=["none", "too few", "too many", "negative", "nan", "text", "null", "too heavy"],
)
def test_stored_weights_that_make_no_sense_are_no_history(stored):
    assert Durations.from_plain(stored) == Durations.unknown()


def test_it_stays_small():
    assert BUCKETS <= 50
    assert PRIOR_WEIGHT * 10 < 1 / FADING
