"""The relay's way of asking against the usual ones, on every model of durations."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean, median, quantiles

import numpy as np

from infra.bench import hindsight
from infra.bench.askers import Asker, Backoff, ByAge, DurationLearner, Every
from infra.bench.models import LOG_NORMAL, MODELS, TWO_PEAKS, Model, log_normal
from infra.bench.simulation import Noticed, Webhooks, run
from relay.domain.catalogue import CATALOGUE
from relay.domain.limits import Limit
from relay.domain.poll_policy import PollPolicy

RELAY = "relay"
EXPECTED_S = 30.0
WRONG_EXPECTATIONS_S = (7.5, 120.0)
JOBS_PER_S = 1.0
# The relay makes its plan anew this often; see `plan_polls` on what it costs.
PLAN_EVERY_S = 5.0
SIGMAS = (0.2, 0.3, 0.35, 0.4, 0.5, 0.6)

# What is measured is what is deployed.
ALONE = CATALOGUE["spacely"].poll_policy
BEHIND_WEBHOOKS = CATALOGUE["gepetto"].poll_policy
WEBHOOKS = Webhooks(delay_s=0.5, lost=0.1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Jobs that come in at a rate, under a documented limit."""

    provider: str
    jobs_per_s: float
    limit: Limit

    def share(self, polls: float) -> float:
        """Return how much of the limit it takes to submit each job and poll it so often."""
        return self.jobs_per_s * (1 + polls) * self.limit.window_s / self.limit.calls


LOADS = (
    Load(provider="Spacely", jobs_per_s=10.0, limit=Limit(calls=100, window_s=1.0)),
    Load(provider="Gepetto", jobs_per_s=1 / 3, limit=Limit(calls=120, window_s=60.0)),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """How one way of asking did on one model."""

    way: str
    mean_s: float
    p95_s: float
    polls: float
    median_polls: float

    @classmethod
    def of(cls, way: str, noticed: Sequence[Noticed]) -> "Row":
        """Sum up a run."""
        polls = [one.polls for one in noticed]
        delays_s = [one.delay_s for one in noticed]
        return cls(
            way=way,
            mean_s=fmean(delays_s),
            p95_s=quantiles(delays_s, n=20)[-1],
            polls=fmean(polls),
            median_polls=median(polls),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Contest:
    """One model: every way of asking, and what others have at the relay's mean polls.

    Attributes:
        fixed: What every fixed interval costs.
        bound: The best sequences of polls, for whoever knows the distribution; empty where
            there is not one distribution.
        waiting_s: Mean delay of a fixed interval after a first wait, both the best ones in
            hindsight that need as many polls.
    """

    model: Model
    rows: tuple[Row, ...]
    fixed: tuple[hindsight.Point, ...]
    bound: tuple[hindsight.Point, ...]
    waiting_s: float

    @property
    def relay(self) -> Row:
        """The relay's row."""
        return next(row for row in self.rows if row.way == RELAY)

    @property
    def fixed_s(self) -> float:
        """Mean delay of the best fixed interval at as many polls."""
        return hindsight.least_delay_s(self.fixed, polls=self.relay.polls)

    @property
    def ratio(self) -> float:
        """The relay's mean delay over that of the best fixed interval at as many polls."""
        return self.relay.mean_s / self.fixed_s

    @property
    def bound_ratio(self) -> float | None:
        """The least that this could be for whoever knows the distribution."""
        if not self.bound:
            return None
        return hindsight.least_delay_s(self.bound, polls=self.relay.polls) / self.fixed_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Everything that was measured.

    Attributes:
        spreads: The relay alone on log-normal durations, by their sigma.
        mistaken: The relay on the log-normal model, by a wrong expectation in the catalogue;
            the first so many jobs, and all.
        behind_webhooks: What is polled for where webhooks come.
    """

    jobs: int
    seed: int
    contests: tuple[Contest, ...]
    spreads: tuple[tuple[float, Contest], ...]
    early_jobs: int
    mistaken: tuple[tuple[float, Row, Row], ...]
    behind_webhooks: tuple[tuple[Row, Row], ...]

    @property
    def checks(self) -> tuple[tuple[str, bool], ...]:
        """What must hold, each with whether it does."""
        by_name = {contest.model.name: contest for contest in self.contests}
        compared = tuple(
            (
                (
                    f"{model.name}: mean delay at most 0.6 of the best fixed interval's at "
                    f"the same mean number of polls ({by_name[model.name].ratio:.2f})"
                ),
                by_name[model.name].ratio <= 0.6,
            )
            for model in (LOG_NORMAL, TWO_PEAKS)
        )
        most = max(contest.relay.median_polls for contest in self.contests)
        return (
            *compared,
            (f"at most 6 polls for a median job on every model ({most:g})", most <= 6),
        )


def learner(
    seed: str, *, poll_policy: PollPolicy = ALONE, expected_s: float = EXPECTED_S
) -> DurationLearner:
    """Return the relay's way of asking, before its first job."""
    return DurationLearner(poll_policy, expected_s=expected_s, plan_every_s=PLAN_EVERY_S, seed=seed)


def measure(*, jobs: int, seed: int, say: Callable[[str], None]) -> Outcome:
    """Run everything; the same seed gives the same figures."""
    contests = []
    for model in MODELS:
        say(f"{model.name}: {jobs:,} jobs, six ways of asking")
        contests.append(contest(model, jobs=jobs, seed=f"{seed}", rivals=_rivals()))
    spreads = []
    for sigma in SIGMAS:
        say(f"log-normal with sigma {sigma:g}")
        spreads.append((sigma, contest(log_normal(sigma), jobs=jobs, seed=f"{seed}", rivals={})))
    say("wrong expectations, and webhooks")
    early = max(2, jobs // 100)
    return Outcome(
        jobs=jobs,
        seed=seed,
        contests=tuple(contests),
        spreads=tuple(spreads),
        early_jobs=early,
        mistaken=tuple(
            _mistaken(expected_s, jobs=jobs, seed=f"{seed}", early=early)
            for expected_s in (EXPECTED_S, *WRONG_EXPECTATIONS_S)
        ),
        behind_webhooks=tuple(_behind_webhooks(jobs=jobs, seed=f"{seed}")),
    )


def contest(model: Model, *, jobs: int, seed: str, rivals: dict[str, Asker]) -> Contest:
    """Let the relay and its rivals ask about the same jobs."""
    durations_s = model.durations_s(jobs, seed=seed)
    ways = {RELAY: learner(f"{seed} relay"), **rivals}
    rows = [
        Row.of(way, run(durations_s, asker, jobs_per_s=JOBS_PER_S, seed=seed))
        for way, asker in ways.items()
    ]
    oracle = Row(way="oracle", mean_s=0.0, p95_s=0.0, polls=1.0, median_polls=1)
    all_s = np.array(durations_s)
    return Contest(
        model=model,
        rows=(*rows, oracle),
        fixed=hindsight.fixed_curve(all_s),
        bound=hindsight.bound_curve(all_s) if model.is_steady else (),
        waiting_s=hindsight.best_waiting_delay_s(all_s, polls=rows[0].polls),
    )


def _rivals() -> dict[str, Asker]:
    return {
        "every 1 s": Every(1.0),
        "every 2 s": Every(2.0),
        "every 5 s": Every(5.0),
        "doubling from 1 s to 60 s": Backoff(60.0),
    }


def _mistaken(expected_s: float, *, jobs: int, seed: str, early: int) -> tuple[float, Row, Row]:
    durations_s = LOG_NORMAL.durations_s(jobs, seed=seed)
    asker = learner(f"{seed} relay", expected_s=expected_s)
    noticed = run(durations_s, asker, jobs_per_s=JOBS_PER_S, seed=seed)
    return expected_s, Row.of("first", noticed[:early]), Row.of("all", noticed)


def _behind_webhooks(*, jobs: int, seed: str) -> list[tuple[Row, Row]]:
    """Return per way all jobs, and those whose webhook was lost."""
    durations_s = LOG_NORMAL.durations_s(jobs, seed=seed)
    ways: dict[str, Asker] = {
        RELAY: learner(f"{seed} relay", poll_policy=BEHIND_WEBHOOKS),
        "a quarter of the age, from 25 s on": ByAge(BEHIND_WEBHOOKS, share_of_age=0.25, seed=seed),
        "every 5 s": Every(5.0),
    }
    rows = []
    for way, asker in ways.items():
        noticed = run(durations_s, asker, jobs_per_s=JOBS_PER_S, seed=seed, webhooks=WEBHOOKS)
        lost = [one for one in noticed if not one.by_webhook]
        rows.append((Row.of(way, noticed), Row.of(way, lost)))
    return rows
