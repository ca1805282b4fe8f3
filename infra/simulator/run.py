"""Runs the history of one seed, checks it, and shrinks a failure."""

import logging
from dataclasses import dataclass, replace
from functools import partial
from random import Random

from infra.simulator.callbacks import KEYS, draw_callbacks
from infra.simulator.callers import ask_for_lists, redeliver_failed, start_callers
from infra.simulator.deployment import Deployment
from infra.simulator.environment import ALL_ON, MAX_STEPS, Environment, FaultSwitches
from infra.simulator.instances import PAUSES_S
from infra.simulator.keeping_profile import draw_keeping
from infra.simulator.profile import Profile, draw_profile, with_callbacks
from infra.simulator.providers import OutageKind
from infra.simulator.tenants import start_bursts, start_callback_bursts
from infra.simulator.topics import TICK_EVERY_S
from infra.verification.checker import violations
from infra.verification.history import History, Violation
from relay.domain.callback import CALLBACKS

# How long after the last deadline faults may still happen.
FAULTS_AFTER_S = 60.0
# How long after the last fault everything must be at rest.
REST_WITHIN_S = 3600.0
CHECK_EVERY_S = 20.0
SHORT_CHECK_S = 2.0
MAX_JUMPS = 2_000
MAX_LATE_FAULTS = 30
# Most outages are short.
LENGTHS = (0.1, 0.1, 0.3, 1.0)
MAX_POISON = 3
# More than providers have, so that most runs of a pump fetch one.
LISTS = tuple(f"list-{number}" for number in range(40))
# What had to stay in the first pass can often go in the second.
SHRINK_PASSES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedResult:
    """The history of a seed, and the promises that it breaks.

    Attributes:
        faults: How many faults were drawn.
        injected: The kind of each fault that happened, by its number.
    """

    seed: int
    profile: Profile
    history: History
    violations: list[Violation]
    faults: int
    injected: dict[int, str]
    steps: int


def run_seed(seed: int, switches: FaultSwitches = ALL_ON) -> SeedResult:
    """Run and check the history of one seed, without a log line."""
    logged_below = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        return _run_quietly(seed, switches)
    finally:
        logging.disable(logged_below)


def _run_quietly(seed: int, switches: FaultSwitches) -> SeedResult:
    rng = Random(seed)
    profile = draw_profile(rng, is_crowded=switches.is_crowded, scenario=switches.scenario)
    callbacks = draw_callbacks(seed, callers=profile.jobs, always=switches.calls_back)
    keeping = draw_keeping(seed, always=switches.keeps_outputs)
    profile = replace(with_callbacks(profile, callbacks), keeping=keeping)
    env = Environment(rng, switches)
    history = env.history
    history.limits = dict(profile.limits)
    history.weights = dict(profile.weights)
    history.concurrency = profile.workers
    history.is_steady = profile.is_steady
    history.is_prompt = profile.is_prompt
    history.longest_freeze_s = PAUSES_S[-1][1] if profile.freeze > 0.0 else 0.0
    history.callback_keys = KEYS
    history.healthy = frozenset(
        host for host, kind in callbacks.endpoints.items() if kind.is_healthy
    )
    lists = LISTS if switches.asks_for_lists else ()
    deployment = Deployment(env, profile, lists=lists)
    last_s = start_callers(deployment, most=switches.most_jobs)
    last_s = max(last_s, start_bursts(deployment, most=switches.most_jobs))
    last_s = max(last_s, start_callback_bursts(deployment, most=switches.most_jobs))
    faults_until_s = last_s + FAULTS_AFTER_S
    if lists:
        ask_for_lists(deployment, until_s=faults_until_s)
    _plan_outages(deployment, until_s=faults_until_s)
    for name in (*profile.providers, *([CALLBACKS] if callbacks.is_on else [])):
        deployment.broker.schedule(name)
    env.run_until(faults_until_s)
    env.is_calm = True
    env.note("simulator", "no more faults")
    while env.now_s < faults_until_s + REST_WITHIN_S and not deployment.is_quiet():
        env.run_until(env.now_s + CHECK_EVERY_S)
    history.is_at_rest = deployment.is_quiet()
    history.keeps_outputs = keeping.is_on
    if callbacks.is_on or keeping.is_on:
        _deliver_the_rest(deployment)
    history.end_s = env.now_s
    return SeedResult(
        seed=seed,
        profile=profile,
        history=history,
        violations=violations(history),
        faults=env.faults,
        injected=env.injected,
        steps=env.steps,
    )


def _deliver_the_rest(deployment: Deployment) -> None:
    """Jump from one due callback or copy to the next, for days, until none is left.

    No job is open any more, so that most of the scheduler's ticks would find nothing. In the end
    some endpoints are repaired, and callers ask for what failed again.
    """
    env, rng = deployment.env, deployment.env.rng
    deployment.broker.stop_schedules()
    env.note("simulator", "only callbacks are left")
    _jump_to_the_end(deployment)
    if rng.random() < deployment.profile.callbacks.redeliver:
        deployment.receivers.repair()
        redeliver_failed(deployment)
        _jump_to_the_end(deployment)


def _jump_to_the_end(deployment: Deployment) -> None:
    env = deployment.env
    calm_from = env.faults + MAX_LATE_FAULTS
    for _ in range(MAX_JUMPS):
        while deployment.is_busy() and env.steps < MAX_STEPS:
            # A pump that always crashes would never come to the end of a post that hangs.
            env.is_calm = env.faults >= calm_from
            env.run_until(env.now_s + SHORT_CHECK_S)
        due, planned_s = deployment.due(), env.next_s
        if (not due and planned_s is None) or env.steps >= MAX_STEPS:
            break
        due_s = max(env.now_s, min(due.values(), default=float("inf")))
        if planned_s is not None and planned_s < due_s:
            env.run_until(planned_s)
            continue
        env.run_until(due_s + env.rng.uniform(0.0, TICK_EVERY_S))
        for account, at_s in due.items():
            if at_s <= env.now_s:
                deployment.broker.tick_now(account)


def _plan_outages(deployment: Deployment, *, until_s: float) -> None:
    env, profile, rng = deployment.env, deployment.profile, deployment.env.rng

    def spans(
        kind: str, who: str, count: int, longest_s: float, within_s: float = until_s
    ) -> list[tuple[float, float]]:
        found = []
        for _ in range(count):
            from_s = rng.uniform(0.0, within_s)
            to_s = from_s + rng.uniform(2.0, rng.choice(LENGTHS) * longest_s)
            if env.may_inject(kind):
                found.append((from_s, to_s))
                env.after(from_s, partial(env.note, who, f"{kind} until {to_s:.3f}"))
        return found

    for from_s, to_s in spans("store_outage", "store", profile.store_outages, 160.0):
        deployment.database.plan_outage(from_s, to_s)
    for from_s, to_s in spans("topic_outage", "topic", profile.topic_outages, 240.0):
        deployment.broker.plan_outage(from_s, to_s)
    for name, server in deployment.servers.items():
        for from_s, to_s in spans("account_refused", name, profile.account_refusals, 240.0):
            server.plan_refusal(from_s, to_s, rng.choice((401, 402, 403)))
        # While there are jobs to submit: the first ones come at once.
        for from_s, to_s in spans("down", name, profile.provider_outages, 400.0, within_s=120.0):
            server.plan_outage(from_s, to_s, rng.choice(tuple(OutageKind)))
    for number in range(MAX_POISON):
        if env.injects("poison", profile.poison):
            put = partial(
                deployment.database.jobs.put_poison,
                f"job_poison{number:020d}",
                rng.choice(profile.providers),
            )
            env.after(rng.uniform(0.0, until_s / 2), put)


def shrink(
    failed: SeedResult, switches: FaultSwitches = ALL_ON
) -> tuple[SeedResult, FaultSwitches]:
    """Return the smallest history of the seed that breaks the same promise, and its switches.

    Finds the shortest prefix of the faults by bisection, then switches off kinds of fault one
    by one and leaves out jobs, then shortens again and leaves out single faults from the end.
    """
    shrinker = _Shrinker(failed, switches)
    shrinker.shorten()
    for kind in sorted(set(shrinker.best.injected.values())):
        shrinker.try_it(replace(shrinker.switches, off=shrinker.switches.off | {kind}))
    for jobs in range(1, failed.profile.jobs):
        if shrinker.try_it(replace(shrinker.switches, most_jobs=jobs)):
            break
    shrinker.shorten()
    for _ in range(SHRINK_PASSES):
        for number in sorted(shrinker.best.injected, reverse=True):
            left_out = shrinker.switches.left_out | {number}
            shrinker.try_it(replace(shrinker.switches, left_out=left_out))
    return shrinker.best, shrinker.switches


class _Shrinker:
    def __init__(self, failed: SeedResult, switches: FaultSwitches) -> None:
        self.best = failed
        self.switches = switches
        self._promises = {violation.promise for violation in failed.violations}

    def try_it(self, switches: FaultSwitches) -> bool:
        """Run the seed; keep the result if it breaks one of the same promises."""
        outcome = run_seed(self.best.seed, switches)
        if not self._promises & {violation.promise for violation in outcome.violations}:
            return False
        self.best, self.switches = outcome, switches
        return True

    def shorten(self) -> None:
        """Find the shortest prefix of the faults that fails."""
        fails_with, holds_with = self.best.faults, -1
        while fails_with - holds_with > 1:
            middle = (fails_with + holds_with) // 2
            if self.try_it(replace(self.switches, most_faults=middle)):
                fails_with = middle
            else:
                holds_with = middle
