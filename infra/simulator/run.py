"""One seed from its first draw to its last check."""

import logging
from dataclasses import dataclass
from functools import partial
from random import Random

from infra.simulator.callers import start_callers
from infra.simulator.checker import Violation, violations
from infra.simulator.crowds import start_crowds
from infra.simulator.deployment import Deployment
from infra.simulator.history import History
from infra.simulator.instances import PAUSES_S
from infra.simulator.profile import Profile, draw_profile
from infra.simulator.providers import Down
from infra.simulator.switches import ALL_ON, Switches
from infra.simulator.world import World

# How long after the last deadline faults may still happen.
FAULTS_AFTER_S = 60.0
# How long after the faults everything must have come to rest.
REST_WITHIN_S = 3600.0
LOOK_EVERY_S = 20.0
# Most outages are short.
LENGTHS = (0.1, 0.1, 0.3, 1.0)
MOST_POISON = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one seed came to.

    Attributes:
        faults: How many faults were drawn.
        struck: The numbers of those that happened, each with its kind.
    """

    seed: int
    profile: Profile
    history: History
    violations: list[Violation]
    faults: int
    struck: dict[int, str]
    steps: int


def run_seed(seed: int, switches: Switches = ALL_ON) -> Outcome:
    """Run the history of one seed and check it, without a log line."""
    logged_below = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        return _run_quietly(seed, switches)
    finally:
        logging.disable(logged_below)


def _run_quietly(seed: int, switches: Switches) -> Outcome:
    rng = Random(seed)
    profile = draw_profile(rng, is_crowded=switches.is_crowded, scenario=switches.scenario)
    world = World(rng, switches)
    history = world.history
    history.limits = dict(profile.limits)
    history.weights = dict(profile.weights)
    history.at_once = profile.workers
    history.is_steady = profile.is_steady
    history.is_prompt = profile.is_prompt
    history.longest_freeze_s = PAUSES_S[-1][1] if profile.freeze > 0.0 else 0.0
    deployment = Deployment(world, profile)
    last_s = start_callers(deployment, most=switches.most_jobs)
    last_s = max(last_s, start_crowds(deployment, most=switches.most_jobs))
    faults_until_s = last_s + FAULTS_AFTER_S
    _plan_outages(deployment, until_s=faults_until_s)
    for name in profile.providers:
        deployment.broker.schedule(name)
    world.run_until(faults_until_s)
    world.is_calm = True
    world.note("simulator", "no more faults")
    while world.now_s < faults_until_s + REST_WITHIN_S and not deployment.is_quiet():
        world.run_until(world.now_s + LOOK_EVERY_S)
    history.end_s = world.now_s
    history.is_at_rest = deployment.is_quiet()
    return Outcome(
        seed=seed,
        profile=profile,
        history=history,
        violations=violations(history),
        faults=world.faults,
        struck=world.struck,
        steps=world.steps,
    )


def _plan_outages(deployment: Deployment, *, until_s: float) -> None:
    world, profile, rng = deployment.world, deployment.profile, deployment.world.rng

    def spans(
        kind: str, who: str, count: int, longest_s: float, within_s: float = until_s
    ) -> list[tuple[float, float]]:
        found = []
        for _ in range(count):
            from_s = rng.uniform(0.0, within_s)
            to_s = from_s + rng.uniform(2.0, rng.choice(LENGTHS) * longest_s)
            if world.may_fail(kind):
                found.append((from_s, to_s))
                world.after(from_s, partial(world.note, who, f"{kind} until {to_s:.3f}"))
        return found

    for from_s, to_s in spans("store_outage", "store", profile.store_outages, 160.0):
        deployment.database.plan_outage(from_s, to_s)
    for from_s, to_s in spans("topic_outage", "topic", profile.topic_outages, 240.0):
        deployment.broker.plan_outage(from_s, to_s)
    for name, server in deployment.servers.items():
        for from_s, to_s in spans("account_refused", name, profile.account_refusals, 240.0):
            server.plan_refusal(from_s, to_s, rng.choice((401, 402, 403)))
        # While there are jobs to send: the first ones come at once.
        for from_s, to_s in spans("down", name, profile.downs, 400.0, within_s=120.0):
            server.plan_down(from_s, to_s, rng.choice(tuple(Down)))
    for number in range(MOST_POISON):
        if world.strikes("poison", profile.poison):
            put = partial(
                deployment.database.jobs.put_poison,
                f"job_poison{number:020d}",
                rng.choice(profile.providers),
            )
            world.after(rng.uniform(0.0, until_s / 2), put)
