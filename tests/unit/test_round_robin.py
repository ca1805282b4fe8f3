"""Whose turn it is: a weighted share for everybody that waits, whatever the others have."""

from collections.abc import Callable, Mapping
from random import Random

import pytest

from relay.domain.round_robin import MAX_BEHIND, WeightedRoundRobin

TENANTS = ("a", "b", "c", "d", "e")


def serve(turns: WeightedRoundRobin, waiting: list[str], times: int) -> list[str]:
    served = []
    for _ in range(times):
        tenant = turns.next(waiting)
        assert tenant is not None
        turns.take_turn(tenant)
        served.append(tenant)
    return served


def random_history(
    rng: Random,
    weights: Mapping[str, int],
    *,
    hand_over: Callable[[WeightedRoundRobin], WeightedRoundRobin],
) -> list[tuple[frozenset[str], str]]:
    """Return who waited and who was served, turn by turn, while tenants come and go."""
    turns, waiting = WeightedRoundRobin(weights, {}), set(rng.sample(TENANTS, 2))
    history = []
    for _ in range(300):
        if rng.random() < 0.15:
            waiting ^= {rng.choice(TENANTS)}
        if rng.random() < 0.05:
            turns = hand_over(turns)
        tenant = turns.next(waiting)
        if tenant is None:
            continue
        turns.take_turn(tenant)
        history.append((frozenset(waiting), tenant))
    return history


def least_surplus(
    history: list[tuple[frozenset[str], str]], tenant: str, weights: Mapping[str, int]
) -> float:
    """Return how many turns a tenant got beyond its share, in the worst stretch of its waiting.

    Its share of a turn is its weight's among those that waited for it.
    """
    worst = surplus = 0.0
    for waiting, served in history:
        if tenant not in waiting:
            surplus = 0.0
            continue
        share = weights.get(tenant, 1) / sum(weights.get(one, 1) for one in waiting)
        surplus = min(surplus, 0.0) + (served == tenant) - share
        worst = min(worst, surplus)
    return worst


@pytest.mark.parametrize("seed", range(60))
def test_a_tenant_that_waits_gets_at_least_its_weighted_share_less_two(seed):
    rng = Random(seed)  # noqa: S311
    weights = {one: rng.choice([1, 1, 2, 5, 100]) for one in TENANTS[:-1]}

    history = random_history(rng, weights, hand_over=lambda turns: turns)

    for tenant in TENANTS:
        assert least_surplus(history, tenant, weights) >= -2


@pytest.mark.parametrize("seed", range(60))
def test_shares_are_kept_across_pumps_that_pass_their_turns_on(seed):
    rng = Random(seed)  # noqa: S311
    weights = {one: rng.choice([1, 1, 2, 5]) for one in TENANTS[:-1]}

    history = random_history(
        rng, weights, hand_over=lambda turns: WeightedRoundRobin(weights, turns.starts())
    )

    for tenant in TENANTS:
        assert least_surplus(history, tenant, weights) >= -2


def test_tenants_of_one_weight_are_served_in_turn():
    served = serve(WeightedRoundRobin({}, {}), ["b", "a", "c"], 9)

    assert served == ["a", "b", "c"] * 3


def test_a_tenant_of_twice_the_weight_gets_two_turns_of_three():
    served = serve(WeightedRoundRobin({"a": 2}, {}), ["a", "b"], 30)

    assert (served.count("a"), served.count("b")) == (20, 10)


def test_the_same_history_gives_the_same_turns():
    seeds = [Random(7), Random(7)]  # noqa: S311
    first, second = (random_history(one, {"a": 3}, hand_over=lambda turns: turns) for one in seeds)

    assert first == second


def test_a_tenant_that_waited_for_nothing_has_saved_nothing_up():
    turns = WeightedRoundRobin({}, {})
    serve(turns, ["a"], 100)

    served = serve(turns, ["a", "b"], 10)

    assert served.count("b") == 5


def test_a_tenant_that_was_served_alone_is_not_made_to_pay_for_it():
    turns = WeightedRoundRobin({}, {})
    serve(turns, ["a"], 100)

    served = serve(turns, ["a", "b"], 4)

    assert served.count("a") == 2


def test_no_tenant_waits_and_so_it_is_nobodys_turn():
    assert WeightedRoundRobin({}, {}).next([]) is None


def test_another_instance_goes_on_where_the_first_one_stopped():
    turns = WeightedRoundRobin({}, {})
    serve(turns, ["a", "b", "c"], 1)

    served = serve(WeightedRoundRobin({}, turns.starts()), ["a", "b", "c"], 3)

    assert served == ["b", "c", "a"]


@pytest.mark.parametrize("start", [-1.0, -0.5, 0.5])
def test_what_another_instance_handed_over_is_handed_on(start):
    assert WeightedRoundRobin({}, {"a": start}).starts() == {"a": start}


def test_who_was_behind_is_so_until_others_have_waited():
    turns = WeightedRoundRobin({}, {"a": -1.0})

    turns.next(["b"])

    assert turns.starts() == {}


def test_a_turn_of_which_nothing_came_is_given_back():
    turns = WeightedRoundRobin({}, {})
    turns.next(["a", "b"])
    turns.take_turn("a")

    turns.return_turn("a")

    assert turns.next(["a", "b"]) == "a"


def test_a_turn_that_is_given_back_is_one_turn():
    turns = WeightedRoundRobin({"a": 2}, {})
    turns.next(["a", "b"])
    for _ in range(3):
        turns.take_turn("a")
    before = turns.starts()["a"]

    turns.return_turn("a")

    assert before - turns.starts().get("a", 0.0) == pytest.approx(1 / 2)


def test_a_tenant_that_waits_but_cannot_be_served_yet_gets_its_turns_afterwards():
    turns = WeightedRoundRobin({}, {})
    serve(turns, ["a", "b"], 2)

    for _ in range(3):
        assert turns.next(["a"], delayed=["b"]) == "a"
        turns.take_turn("a")

    assert serve(turns, ["a", "b"], 3) == ["b", "b", "b"]


def test_a_tenant_delayed_for_long_catches_up_on_few_turns():
    turns = WeightedRoundRobin({}, {})
    serve(turns, ["a", "b"], 2)

    for _ in range(50):
        assert turns.next(["a"], delayed=["b"]) == "a"
        turns.take_turn("a")

    # Two turns more than the two that any tenant may have in a row.
    assert serve(turns, ["a", "b"], 6) == ["b", "b", "b", "b", "a", "b"]


@pytest.mark.parametrize("seed", range(60))
def test_a_tenant_waits_only_for_few_turns_that_delayed_ones_catch_up_on(seed):
    rng = Random(seed)  # noqa: S311
    weights = {one: rng.choice([1, 1, 5, 100]) for one in TENANTS}
    turns, delayed, history = WeightedRoundRobin(weights, {}), set[str](), []
    for _ in range(300):
        if rng.random() < 0.05:
            delayed = set() if delayed else set(rng.sample(TENANTS[1:], rng.randint(1, 4)))
        tenant = turns.next(set(TENANTS) - delayed, delayed=TENANTS)
        assert tenant is not None
        turns.take_turn(tenant)
        history.append((frozenset(TENANTS), tenant))

    assert least_surplus(history, TENANTS[0], weights) >= -2 - MAX_BEHIND
