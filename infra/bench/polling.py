"""The polling study: the relay's poll policy against fixed intervals and backoff."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush
from pathlib import Path
from random import Random
from statistics import fmean, median, quantiles
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from infra.bench import report
from infra.bench.report import INK, OTHER_COLOUR, RELAY_COLOUR, Check
from relay.domain import durations as histogram
from relay.domain import poll_policy as rule
from relay.domain.catalogue import CATALOGUE
from relay.domain.durations import Durations
from relay.domain.poll_policy import PollPolicy, plan_polls, planned_poll_at

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CHART = "charts/polling.png"
RELAY = "relay"
JOBS_PER_S = 1.0
EXPECTED_S = 30.0
WRONG_EXPECTATIONS_S = (7.5, 120.0)
# How often what was learnt leads to a new plan.
PLAN_EVERY_S = 5.0
TARGET_RATIO, TARGET_POLLS = 0.6, 6
# Nothing is ready before this in any model.
LEAST_S = 1.0
SUBMITTED_AT = datetime(2026, 1, 1, tzinfo=UTC)

# What is measured is what is deployed.
ALONE = CATALOGUE["spacely"].poll_policy
BEHIND_WEBHOOKS = CATALOGUE["gepetto"].poll_policy

Seconds = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Model:
    """How long renders take, made up.

    Attributes:
        draw: Returns a duration in seconds, given a random source and how far through the run
            its job is, from 0 to 1.
        is_steady: Whether that makes no difference.
    """

    name: str
    description: str
    draw: Callable[[Random, float], float]
    is_steady: bool = True

    def durations_s(self, count: int, *, seed: str) -> list[float]:
        """Return the durations of so many jobs, in the order of their submission."""
        random = Random(f"{seed} {self.name}")
        return [max(LEAST_S, self.draw(random, number / count)) for number in range(count)]


def _two_peaks(random: Random, _: float) -> float:
    warm_s = random.lognormvariate(math.log(25), 0.3)
    if random.random() < 0.15:
        return warm_s + random.lognormvariate(math.log(150), 0.3)
    return warm_s


def _drifting(random: Random, share: float) -> float:
    median_s = 40 - 20 * math.cos(2 * math.pi * share) if share < 0.75 else 90.0
    return random.lognormvariate(math.log(median_s), 0.25)


LOG_NORMAL = Model(
    "log-normal",
    "median 30 s, sigma 0.35: nine of ten between 17 and 53 s",
    lambda random, _: random.lognormvariate(math.log(30), 0.35),
)
TWO_PEAKS = Model(
    "two peaks",
    "log-normal around 25 s (sigma 0.3); 15 % are cold starts and take another 150 s (log-normal, "
    "sigma 0.3)",
    _two_peaks,
)
MODELS = (
    Model(
        "narrow",
        "normal, 30 s with a standard deviation of 3 s",
        lambda random, _: random.normalvariate(30, 3),
    ),
    LOG_NORMAL,
    TWO_PEAKS,
    Model(
        "drifting",
        "log-normal (sigma 0.25) around a median that moves from 20 s to 60 s and half the way "
        "back over three quarters of the jobs, then jumps to 90 s",
        _drifting,
        is_steady=False,
    ),
)


class FixedGaps:
    """Polls at gaps that depend only on the number of polls so far."""

    def __init__(self, gap_s: Callable[[int], float]) -> None:
        self._gap_s = gap_s

    def next_age_s(self, age_s: float, *, polls: int, now_s: float) -> float:
        """Return the age of a job at its next poll.

        Args:
            age_s: Its age now: it was just submitted, or polled without a result.
            polls: How often it was polled so far.
            now_s: The time in the run.
        """
        del now_s
        return age_s + self._gap_s(polls)

    def found(self, *, after_s: float, by_s: float) -> None:
        """Take note of a result that became ready between two ages; nothing is learnt from it."""


def every(interval_s: float) -> FixedGaps:
    """Poll at a fixed interval."""
    return FixedGaps(lambda _: interval_s)


def backoff(longest_s: float) -> FixedGaps:
    """Poll after 1 s, then at gaps that double up to the longest one."""
    return FixedGaps(lambda polls: min(2.0 ** min(polls, 30), longest_s))


class RelayStrategy:
    """Polls as the relay does, knowing only what its own polls found."""

    def __init__(
        self, seed: str, *, policy: PollPolicy = ALONE, expected_s: float = EXPECTED_S
    ) -> None:
        self._policy = policy
        self._expected_s = expected_s
        self._random = Random(seed)
        self._durations = Durations.unknown()
        self._plan = plan_polls(policy, self._durations, expected_s=expected_s)
        self._plan_again_s = 0.0

    def next_age_s(self, age_s: float, *, polls: int, now_s: float) -> float:
        """See `FixedGaps`."""
        if now_s >= self._plan_again_s:
            self._plan = plan_polls(self._policy, self._durations, expected_s=self._expected_s)
            self._plan_again_s = now_s + PLAN_EVERY_S
        at = planned_poll_at(
            self._plan,
            submitted_at=SUBMITTED_AT,
            now=SUBMITTED_AT + timedelta(seconds=age_s),
            polls=polls,
            draw=self._random.random(),
        )
        return (at - SUBMITTED_AT).total_seconds()

    def found(self, *, after_s: float, by_s: float) -> None:
        """See `FixedGaps`."""
        self._durations = self._durations.with_render(
            after_s=after_s, by_s=by_s, expected_s=self._expected_s
        )


Strategy = FixedGaps | RelayStrategy


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How long after it was ready a job's result was noticed, after how many polls."""

    delay_s: float
    polls: int
    by_webhook: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhooks:
    """Webhooks that arrive *delay_s* after the render is ready, but for the share *lost*."""

    delay_s: float
    lost: float


WEBHOOKS = Webhooks(delay_s=0.5, lost=0.1)


def simulate(
    durations_s: Sequence[float],
    strategy: Strategy,
    *,
    seed: str,
    webhooks: Webhooks | None = None,
) -> list[Result]:
    """Simulate jobs that are submitted at random moments and followed side by side.

    Args:
        durations_s: In the order of submission; the strategy never sees them.
    """
    random = Random(f"{seed} arrivals")
    # (when, job, its submission, its last poll, its polls): each entry but a job's first, which
    # submits it, polls it.
    due: list[tuple[float, int, float, float, int]] = []
    webhook_ages_s: list[float | None] = []
    now_s = 0.0
    for job, duration_s in enumerate(durations_s):
        now_s += random.expovariate(JOBS_PER_S)
        due.append((now_s, job, now_s, 0.0, -1))
        is_sent = webhooks is not None and random.random() >= webhooks.lost
        webhook_ages_s.append(duration_s + webhooks.delay_s if webhooks and is_sent else None)
    results: dict[int, Result] = {}
    while due:
        now_s, job, submitted_s, polled_s, polls = heappop(due)
        age_s, duration_s, webhook_s = now_s - submitted_s, durations_s[job], webhook_ages_s[job]
        polls += 1
        by_webhook = webhook_s is not None and polls > 0 and age_s >= webhook_s
        if polls > 0 and (by_webhook or age_s >= duration_s):
            if webhook_s is not None and by_webhook:
                polls, age_s, polled_s = polls - 1, webhook_s, webhook_s
            strategy.found(after_s=polled_s, by_s=age_s)
            results[job] = Result(delay_s=age_s - duration_s, polls=polls, by_webhook=by_webhook)
            continue
        next_s = submitted_s + strategy.next_age_s(age_s, polls=polls, now_s=now_s)
        if webhook_s is not None:
            next_s = min(next_s, submitted_s + webhook_s + 1e-6)
        heappush(due, (next_s, job, submitted_s, age_s, polls))
    return [results[job] for job in range(len(durations_s))]


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """Mean polls and mean delay of a job."""

    polls: float
    delay_s: float


INTERVALS_S = np.arange(0.5, 60.01, 0.5)
FIRST_WAITS_S = np.arange(0.0, 61.0, 2.0)
POLL_WORTHS_S = np.geomspace(0.15, 12, 14)
AGES_S = np.concatenate([np.arange(0, 100, 0.5), np.arange(100, 300, 2), np.arange(300, 1201, 12)])


def fixed(durations_s: Seconds, interval_s: float, *, first_wait_s: float = 0.0) -> Point:
    """Return what a fixed interval costs, from the submission or from a first wait on."""
    polls = np.maximum(1.0, np.ceil((durations_s - first_wait_s) / interval_s))
    delays_s = first_wait_s + polls * interval_s - durations_s
    return Point(polls=float(polls.mean()), delay_s=float(delays_s.mean()))


def least_delay_s(curve: Sequence[Point], *, polls: float) -> float:
    """Return the least mean delay on a curve with at most so many polls, interpolated."""
    in_order = sorted(curve, key=lambda one: one.polls)
    polls_s, delays_s = [one.polls for one in in_order], [one.delay_s for one in in_order]
    between = np.interp(polls, polls_s, delays_s, left=np.inf)
    return float(min([between, *(one.delay_s for one in in_order if one.polls <= polls)]))


def best_after_wait_s(durations_s: Seconds, *, polls: float) -> float:
    """Return the least mean delay of a fixed interval after a first wait, in hindsight."""
    points = [
        fixed(durations_s, interval_s, first_wait_s=wait_s)
        for interval_s in INTERVALS_S
        for wait_s in FIRST_WAITS_S
    ]
    return min((one.delay_s for one in points if one.polls <= polls), default=np.nan)


def best_plan(durations_s: Seconds, *, worth_s: float) -> Point:
    """Return what the ages cost that minimise the mean delay plus so much per poll.

    Found from the durations themselves, without any code of the relay.
    """
    in_order = np.sort(durations_s)
    ready = np.searchsorted(in_order, AGES_S, side="right") / len(in_order)
    waited_s = np.concatenate([[0.0], np.cumsum((ready[1:] + ready[:-1]) / 2 * np.diff(AGES_S))])
    ahead_s = np.zeros(len(AGES_S))
    following = np.zeros(len(AGES_S), dtype=int)
    for index in range(len(AGES_S) - 2, -1, -1):
        later = slice(index + 1, None)
        delays_s = waited_s[later] - waited_s[index]
        delays_s = delays_s - ready[index] * (AGES_S[later] - AGES_S[index])
        costs_s = delays_s + ahead_s[later]
        best = int(costs_s.argmin())
        following[index] = index + 1 + best
        ahead_s[index] = worth_s * (1 - ready[index]) + costs_s[best]
    ages_s, index = [], 0
    while index < len(AGES_S) - 1:
        index = int(following[index])
        ages_s.append(AGES_S[index])
    found = np.searchsorted(np.array(ages_s), durations_s)
    delays_s = np.array(ages_s)[found] - durations_s
    return Point(polls=float((found + 1).mean()), delay_s=float(delays_s.mean()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Jobs that come in at a rate, at a provider with a call limit."""

    provider: str
    jobs_per_s: float

    def share(self, polls: float) -> float:
        """Return the share of the limit that it takes to submit each job and poll it so often."""
        limit = CATALOGUE[self.provider.lower()].limit
        return self.jobs_per_s * (1 + polls) * limit.window_s / limit.calls


LOADS = (
    Load(provider="Spacely", jobs_per_s=10.0),
    Load(provider="Gepetto", jobs_per_s=1 / 3),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """How one strategy did on one model."""

    strategy: str
    mean_s: float
    p95_s: float
    polls: float
    median_polls: float

    @classmethod
    def of(cls, strategy: str, results: Sequence[Result]) -> "Row":
        """Sum up a run."""
        polls, delays_s = [one.polls for one in results], [one.delay_s for one in results]
        return cls(
            strategy=strategy,
            mean_s=fmean(delays_s),
            p95_s=quantiles(delays_s, n=20)[-1],
            polls=fmean(polls),
            median_polls=median(polls),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Contest:
    """Every strategy on one model, and what else could be had with the relay's mean polls.

    Attributes:
        fixed: What fixed intervals cost.
        bound: What the best plans cost for someone who knows the distribution; empty where it
            changes.
        after_wait_s: Mean delay of the best fixed interval after the best first wait.
    """

    model: Model
    rows: Sequence[Row]
    fixed: Sequence[Point]
    bound: Sequence[Point]
    after_wait_s: float

    @property
    def relay(self) -> Row:
        """The relay's row."""
        return self.rows[0]

    @property
    def fixed_s(self) -> float:
        """Mean delay of the best fixed interval."""
        return least_delay_s(self.fixed, polls=self.relay.polls)

    @property
    def ratio(self) -> float:
        """The relay's mean delay as a share of that of the best fixed interval."""
        return self.relay.mean_s / self.fixed_s

    @property
    def bound_ratio(self) -> float | None:
        """The least possible ratio; None where the distribution changes."""
        if not self.bound:
            return None
        return least_delay_s(self.bound, polls=self.relay.polls) / self.fixed_s


def contest(model: Model, *, jobs: int, seed: str) -> Contest:
    """Let all strategies poll the same jobs."""
    durations_s = model.durations_s(jobs, seed=seed)
    strategies: dict[str, Strategy] = {
        RELAY: RelayStrategy(f"{seed} relay"),
        "every 1 s": every(1.0),
        "every 2 s": every(2.0),
        "every 5 s": every(5.0),
        "doubling from 1 s to 60 s": backoff(60.0),
    }
    rows = [
        Row.of(name, simulate(durations_s, strategy, seed=seed))
        for name, strategy in strategies.items()
    ]
    oracle = Row(strategy="oracle", mean_s=0.0, p95_s=0.0, polls=1.0, median_polls=1)
    all_s = np.array(durations_s)
    bound = [best_plan(all_s, worth_s=one) for one in POLL_WORTHS_S] if model.is_steady else []
    return Contest(
        model=model,
        rows=[*rows, oracle],
        fixed=[fixed(all_s, interval_s) for interval_s in INTERVALS_S],
        bound=bound,
        after_wait_s=best_after_wait_s(all_s, polls=rows[0].polls),
    )


def wrong_expectation(expected_s: float, *, jobs: int, seed: str, early: int) -> tuple[Row, Row]:
    """Return the relay's first jobs and all jobs, where the catalogue expects something else."""
    durations_s = LOG_NORMAL.durations_s(jobs, seed=seed)
    strategy = RelayStrategy(f"{seed} relay", expected_s=expected_s)
    results = simulate(durations_s, strategy, seed=seed)
    name = f"{expected_s:g} s"
    return Row.of(name, results[:early]), Row.of(name, results)


def behind_webhooks(name: str, strategy: Strategy, *, jobs: int, seed: str) -> tuple[Row, Row]:
    """Return all jobs, and those whose webhook was lost."""
    durations_s = LOG_NORMAL.durations_s(jobs, seed=seed)
    results = simulate(durations_s, strategy, seed=seed, webhooks=WEBHOOKS)
    lost = [one for one in results if not one.by_webhook]
    return Row.of(name, results), Row.of(name, lost)


def checks(contests: Sequence[Contest]) -> list[Check]:
    """Hold the relay against its targets."""
    most = max(one.relay.median_polls for one in contests)
    return [
        *(
            Check(
                f"{one.model.name}: mean delay at the same mean number of polls",
                f"at most {TARGET_RATIO} of the best fixed interval's",
                f"{one.ratio:.2f}",
                one.ratio <= TARGET_RATIO,
            )
            for one in contests
            if one.model in (LOG_NORMAL, TWO_PEAKS)
        ),
        Check(
            "polls for a median job on every model",
            f"at most {TARGET_POLLS}",
            f"{most:g}",
            most <= TARGET_POLLS,
        ),
    ]


def run(*, jobs: int, seed: int, docs: Path, say: Callable[[str], None]) -> bool:
    """Simulate everything and write polling.md and its chart; the same seed gives the same page.

    Returns:
        Whether every target is met.
    """
    contests = []
    for model in MODELS:
        say(f"{model.name}: {jobs:,} jobs, six strategies")
        contests.append(contest(model, jobs=jobs, seed=str(seed)))
    say("wrong expectations, and webhooks")
    early = max(2, jobs // 100)
    webhook_strategies: dict[str, Strategy] = {
        RELAY: RelayStrategy(f"{seed} relay", policy=BEHIND_WEBHOOKS),
        "every 5 s": every(5.0),
    }
    page = report.render(
        "polling.md.j2",
        {
            "jobs": jobs,
            "seed": seed,
            "early": early,
            "chart": CHART,
            "contests": contests,
            "checks": checks(contests),
            "expectations": [
                wrong_expectation(expected_s, jobs=jobs, seed=str(seed), early=early)
                for expected_s in (EXPECTED_S, *WRONG_EXPECTATIONS_S)
            ],
            "behind_webhooks": [
                behind_webhooks(name, strategy, jobs=jobs, seed=str(seed))
                for name, strategy in webhook_strategies.items()
            ],
            "histogram": histogram,
            "rule": rule,
            "alone": ALONE,
            "behind": BEHIND_WEBHOOKS,
            "webhooks": WEBHOOKS,
            "loads": [(one, CATALOGUE[one.provider.lower()].limit) for one in LOADS],
            "expected_s": EXPECTED_S,
            "plan_every_s": PLAN_EVERY_S,
            "jobs_per_s": JOBS_PER_S,
        },
    )
    docs.mkdir(parents=True, exist_ok=True)
    (docs / "polling.md").write_text(page)
    draw(contests, to=docs / CHART)
    report.show(page)
    return all(one.holds for one in checks(contests))


MAX_DELAY_S, MAX_POLLS = 16.0, 90
POLL_TICKS = (1, 2, 5, 10, 20, 50)
BACKOFF_COLOUR, BOUND_COLOUR = "#8a63b8", "#2a9d8f"


def draw(contests: Sequence[Contest], *, to: Path) -> None:
    """Draw delay over polls, one panel a model."""
    title = "How soon a result is noticed, and how many polls that takes"
    with report.chart(title, to=to, height=8.6) as figure:
        panels = figure.subplots(2, 2, sharex=True, sharey=True)
        for axes, one in zip(panels.flat, contests, strict=True):
            _draw_panel(axes, one)
        for axes in panels[-1]:
            axes.set_xlabel("mean polls per job (logarithmic)")
        for axes in panels[:, 0]:
            axes.set_ylabel("mean delay from ready to noticed, s")
        handles, labels = panels.flat[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="lower center", ncol=len(labels))
        figure.subplots_adjust(top=0.88, bottom=0.115, wspace=0.06, hspace=0.2)


def _draw_panel(axes: "Axes", contest: Contest) -> None:
    axes.set_title(contest.model.name)
    axes.set_xscale("log")
    axes.set_xlim(0.9, MAX_POLLS)
    axes.set_ylim(-0.4, MAX_DELAY_S)
    report.set_x_ticks(axes, POLL_TICKS)
    for points, label, colour, style in (
        (contest.fixed, "fixed interval, 0.5 to 60 s", OTHER_COLOUR, "-"),
        (contest.bound, "best for a known distribution", BOUND_COLOUR, "--"),
    ):
        xs, ys = [one.polls for one in points], [one.delay_s for one in points]
        axes.plot(xs, ys, style, color=colour, label=label)
    for row in contest.rows:
        if row.strategy.startswith("every"):
            axes.plot(row.polls, row.mean_s, "o", color=OTHER_COLOUR)
            axes.annotate(row.strategy.removeprefix("every "), (row.polls, row.mean_s),
                          xytext=(3, 6), textcoords="offset points")  # fmt: skip
        if row.strategy.startswith("doubling"):
            axes.plot(row.polls, min(row.mean_s, MAX_DELAY_S - 0.6), "s", color=BACKOFF_COLOUR,
                      label="exponential backoff")  # fmt: skip
            if row.mean_s > MAX_DELAY_S:
                axes.annotate(f"at {row.mean_s:.0f} s ↑", (row.polls, MAX_DELAY_S - 0.6),
                              xytext=(8, -3), textcoords="offset points")  # fmt: skip
    axes.plot(1, 0, "D", color=INK, label="oracle", clip_on=False)
    relay = contest.relay
    axes.plot(relay.polls, relay.mean_s, "o", ms=10, color=RELAY_COLOUR, label=RELAY)
    axes.annotate(f"{contest.ratio:.2f} of fixed", (relay.polls, relay.mean_s), xytext=(0, -18),
                  textcoords="offset points", color=RELAY_COLOUR, ha="right")  # fmt: skip
