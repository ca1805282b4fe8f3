"""Tenants beside the callers: busy, careless and hostile ones, each with many jobs at once.

What a provider does with a crowd's job is in the job's metadata, so that it goes with the job.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any

from infra.simulator.history import EPOCH
from infra.simulator.inputs import INPUTS
from relay.application.job_creator import JobCreator, NewJob
from relay.assembly import EDGE_PATIENCE_S, Adapters, CreatePolicy, Relay
from relay.domain.job import Job, OnUnconfirmed, Priority
from relay.errors import PublishFailed

if TYPE_CHECKING:
    from infra.simulator.deployment import Deployment
    from infra.simulator.world import World

BEHAVES = "behaves"
MOST_JOBS = 5_000
# A create needs neither accounts nor workers.
NOT_USED: Any = None


class Behaviour(StrEnum):
    """What becomes of every call for a job of this crowd."""

    HONEST = "honest"
    FORBIDDEN = "forbidden"
    THROTTLED = "throttled"
    BROKEN = "broken"
    HANGING = "hanging"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowd:
    """Jobs that one tenant creates at one moment.

    Attributes:
        follows: The jobs were submitted elsewhere, so all of them are to be polled at once.
        written_late_s: So long after they were created their documents are there: the instance
            stood still in between.
    """

    tenant: str
    provider: str
    behaviour: Behaviour
    jobs: int
    at_s: float
    deadline_s: int
    resubmits: bool = False
    priority: Priority = Priority.NORMAL
    follows: bool = False
    written_late_s: float = 0.0


def draw_crowds(rng: Random, providers: tuple[str, ...], *, share: float) -> tuple[Crowd, ...]:
    """Draw a world's crowds.

    Args:
        share: In how many worlds there are any; a crowd takes as long as many small histories.
    """
    if rng.random() >= share:
        return ()
    return tuple(_crowd(rng, number, providers) for number in range(rng.randint(1, 4)))


def _crowd(rng: Random, number: int, providers: tuple[str, ...]) -> Crowd:
    behaviour = rng.choice([Behaviour.HONEST, Behaviour.HONEST, Behaviour.HONEST, *Behaviour])
    jobs = rng.choice((3, 10, 20, 40, 150))
    deadline_s = rng.choice((60, 120, 600, 900))
    follows = behaviour is Behaviour.HONEST and rng.random() < 0.2
    if behaviour is not Behaviour.HONEST:
        jobs = rng.choice((1, 3, 12, 40))
        deadline_s = rng.choice((300, 900, 1800))
    return Crowd(
        tenant=f"crowd-{number}",
        provider=rng.choice(providers),
        behaviour=behaviour,
        jobs=jobs,
        at_s=rng.choice((0.0, rng.uniform(0.0, 90.0))),
        deadline_s=deadline_s,
        resubmits=rng.random() < 0.5,
        priority=Priority.LOW if rng.random() < 0.2 else Priority.NORMAL,
        follows=follows,
    )


def start_crowds(deployment: "Deployment", *, most: int) -> float:
    """Have the crowds come; return when the last of their deadlines passes, in true seconds."""
    last_s = 0.0
    world = deployment.world
    for crowd in deployment.profile.crowds:
        if most > 0 and world.may_fail("crowd"):
            comes_s = crowd.at_s + crowd.written_late_s
            world.after(comes_s, partial(_come, deployment, crowd))
            last_s = max(last_s, comes_s + crowd.deadline_s)
    return last_s


def behaviour_of(job: Job) -> Behaviour:
    """Return what becomes of calls for a job."""
    return Behaviour(job.metadata.get(BEHAVES, Behaviour.HONEST))


def _come(deployment: "Deployment", crowd: Crowd) -> None:
    world = deployment.world
    creator = _creating(deployment, crowd)
    operation, its_input = INPUTS[crowd.provider]
    world.note(crowd.tenant, f"comes with {crowd.jobs} jobs: {crowd.behaviour}")
    for number in range(crowd.jobs):
        new = NewJob(
            provider=crowd.provider,
            operation=operation,
            input=None if crowd.follows else its_input,
            provider_job_id=f"elsewhere-{crowd.tenant}-{number}" if crowd.follows else None,
            metadata={BEHAVES: crowd.behaviour.value},
            deadline_s=crowd.deadline_s,
            on_unconfirmed=OnUnconfirmed.RESUBMIT if crowd.resubmits else OnUnconfirmed.WAIT,
            priority=crowd.priority,
        )
        job = creator.create(crowd.tenant, new, idempotency_key=None).job
        world.history.accepted[job.id] = world.now_s


def _creating(deployment: "Deployment", crowd: Crowd) -> JobCreator:
    """Return what creates jobs at once, without the calls in which faults happen."""
    world = deployment.world
    clock = _Clock(world, behind_s=crowd.written_late_s)
    adapters = Adapters(
        jobs=deployment.database.jobs,
        accounts=NOT_USED,
        durations=NOT_USED,
        topics=_Ticks(deployment),  # type: ignore[arg-type]
        clock=clock,
        draw=world.rng.random,
        random_bytes=world.rng.randbytes,
        open_workers=NOT_USED,
        is_stopping=NOT_USED,
    )
    relay = Relay(adapters, patience_s=EDGE_PATIENCE_S)
    return relay.creator(CreatePolicy(accounts={crowd.provider}))


class _Clock:
    """True time, a microsecond later at every look: jobs have an order."""

    def __init__(self, world: "World", *, behind_s: float) -> None:
        self._world = world
        self._behind_s = behind_s
        self._looks = 0

    def now(self) -> datetime:
        self._looks += 1
        return EPOCH + timedelta(
            seconds=self._world.now_s - self._behind_s, microseconds=self._looks
        )

    def monotonic(self) -> float:
        return self._world.now_s

    def sleep(self, seconds: float) -> None:
        raise AssertionError(f"nothing fails here, so nobody waits {seconds} s")


class _Ticks:
    def __init__(self, deployment: "Deployment") -> None:
        self._deployment = deployment

    def publish_tick(self, account: str) -> None:
        try:
            self._deployment.broker.take_tick(account)
        except PublishFailed:
            return
