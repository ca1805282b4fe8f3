"""The comparison of ways to ask, on few jobs; what is compared are counts and simulated time."""

from dataclasses import replace

import numpy as np
import pytest

from infra.bench import polling
from infra.bench.polling import (
    LOADS,
    LOG_NORMAL,
    MODELS,
    TWO_PEAKS,
    FixedGaps,
    Point,
    RelayStrategy,
    Webhooks,
    backoff,
    every,
    fixed,
    least_delay_s,
    simulate,
)

JOBS = 800


@pytest.mark.parametrize("model", [LOG_NORMAL, TWO_PEAKS], ids=lambda model: model.name)
def test_results_are_noticed_sooner_than_by_any_fixed_interval_with_as_many_polls(model):
    durations_s = model.durations_s(JOBS, seed="test")

    noticed = simulate(durations_s, RelayStrategy("test"), seed="test")

    polls = np.mean([one.polls for one in noticed])
    curve = [fixed(np.array(durations_s), interval_s) for interval_s in polling.INTERVALS_S]
    fixed_s = least_delay_s(curve, polls=float(polls))
    assert np.mean([one.delay_s for one in noticed]) <= 0.65 * fixed_s


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_a_median_job_takes_at_most_six_polls(model):
    noticed = simulate(model.durations_s(JOBS, seed="test"), RelayStrategy("test"), seed="test")

    assert np.median([one.polls for one in noticed]) <= 6


def test_the_same_seed_gives_the_same_run():
    durations_s = TWO_PEAKS.durations_s(100, seed="test")

    first, second = (simulate(durations_s, RelayStrategy("test"), seed="test") for _ in range(2))

    assert first == second
    assert durations_s == TWO_PEAKS.durations_s(100, seed="test")
    assert durations_s != TWO_PEAKS.durations_s(100, seed="other")


def test_a_fixed_interval_finds_a_result_at_its_next_multiple():
    noticed = simulate([4.0, 5.0, 12.5], every(5.0), seed="test")

    assert [one.polls for one in noticed] == [1, 1, 3]
    assert [one.delay_s for one in noticed] == pytest.approx([1, 0, 2.5], abs=1e-6)


def test_backoff_asks_after_1_3_7_and_15_seconds():
    noticed = simulate([0.5, 2.5, 6.5, 14.5], backoff(60.0), seed="test")

    assert [one.polls for one in noticed] == [1, 2, 3, 4]
    assert [one.delay_s for one in noticed] == pytest.approx([0.5] * 4)


def test_a_fixed_interval_costs_in_the_sweep_what_it_costs_in_the_run():
    durations_s = LOG_NORMAL.durations_s(300, seed="test")

    noticed = simulate(durations_s, every(7.0), seed="test")

    swept = fixed(np.array(durations_s), 7.0)
    assert np.mean([one.polls for one in noticed]) == pytest.approx(swept.polls)
    assert np.mean([one.delay_s for one in noticed]) == pytest.approx(swept.delay_s)


def test_a_webhook_ends_a_job_without_a_poll_and_is_known_to_the_moment():
    class Watching(FixedGaps):
        found_s: tuple[float, float] | None = None

        def found(self, *, after_s: float, by_s: float) -> None:
            self.found_s = (after_s, by_s)

    strategy = Watching(lambda _: 60.0)

    (noticed,) = simulate([30.0], strategy, seed="test", webhooks=Webhooks(delay_s=0.5, lost=0))

    assert (noticed.by_webhook, noticed.polls, noticed.delay_s) == (True, 0, 0.5)
    assert strategy.found_s == (30.5, 30.5)


def test_a_lost_webhook_leaves_it_to_the_polls():
    (noticed,) = simulate([30.0], every(20.0), seed="test", webhooks=Webhooks(delay_s=0.5, lost=1))

    assert (noticed.by_webhook, noticed.polls) == (False, 2)


@pytest.mark.parametrize(("polls", "delay_s"), [(1, 9), (2, 6), (1.5, 7.5), (3, 6), (9, 1)])
def test_the_best_fixed_interval_is_given_every_benefit(polls, delay_s):
    curve = [
        Point(polls=1, delay_s=9),
        Point(polls=2, delay_s=6),
        Point(polls=3, delay_s=8),
        Point(polls=9, delay_s=1),
    ]

    assert least_delay_s(curve, polls=polls) == delay_s


def test_polling_every_second_breaks_both_limits_at_a_rate_the_relay_bears():
    for load in LOADS:
        assert load.share(30) > 1
        assert load.share(4) < 1


def test_the_page_is_made_of_every_strategy_and_check(tmp_path):
    polling.run(jobs=60, seed=1, docs=tmp_path, say=print)

    page = (tmp_path / "polling.md").read_text()
    assert page.count("|  | oracle | 0.00 | 0.00 | 1.00 | 1 | 20% | 33% |") == len(MODELS)
    assert page.count("| narrow | ") == 2
    assert "polls for a median job on every model at most 6 (" in page
    assert (tmp_path / polling.CHART).stat().st_size > 10_000


def test_a_miss_of_a_target_is_told():
    contest = polling.contest(LOG_NORMAL, jobs=60, seed="test")
    slow = replace(contest, rows=[replace(contest.relay, mean_s=60.0, median_polls=7)])

    assert [check.holds for check in polling.checks([slow])] == [False, False]
