"""Busy, careless and hostile tenants, each of which creates many jobs at a moment.

How a provider answers calls for such a job is stored in the job's metadata.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any

from infra.simulator.callbacks import CALLS, CallbackBurst
from infra.verification.history import EPOCH
from relay.application.job_creator import NewJob
from relay.assembly import EDGE_PATIENCE_S, Adapters, CreatePolicy, Relay
from relay.domain.events import as_announced
from relay.domain.job import Announcement, Job, Json, OnUnconfirmed, Priority
from relay.errors import PublishFailed
from relay.job_view import to_json

if TYPE_CHECKING:
    from infra.simulator.deployment import Deployment
    from infra.simulator.environment import Environment

BEHAVES = "behaves"
MAX_JOBS = 5_000
# So many jobs with callbacks come at once where everything is slow and fails.
MAX_CALLED = 12
DEADLINE_S = 900
# A create needs neither accounts nor workers.
NOT_USED: Any = None
INPUTS: Mapping[str, tuple[str, Mapping[str, Json]]] = {
    "gepetto": (
        "redesign",
        {
            "url": "https://example.com/room.jpg",
            "styleId": "modern",
            "roomId": "living_room",
            "creativity": 12,
        },
    ),
    "spacely": (
        "standard",
        {
            "model": "full",
            "imageUrl": "https://example.com/room.jpg",
            "spaceType": "bedroom",
            "spaceStyle": "modern",
            "renovateType": "residential",
        },
    ),
}


class Behaviour(StrEnum):
    """How a provider answers every call for a burst's jobs."""

    HONEST = "honest"
    FORBIDDEN = "forbidden"
    THROTTLED = "throttled"
    BROKEN = "broken"
    HANGING = "hanging"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Burst:
    """Jobs that one tenant creates at one moment.

    Attributes:
        follows: Whether the jobs were submitted elsewhere, so that all are polled at once.
        written_late_s: How long after their creation the documents are written, because the
            instance was frozen in between.
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


def draw_bursts(rng: Random, providers: tuple[str, ...], *, share: float) -> tuple[Burst, ...]:
    """Draw the bursts of a history.

    Args:
        share: The share of histories that have any; one takes as long as many small histories.
    """
    if rng.random() >= share:
        return ()
    return tuple(_draw(rng, number, providers) for number in range(rng.randint(1, 4)))


def _draw(rng: Random, number: int, providers: tuple[str, ...]) -> Burst:
    behaviour = rng.choice([Behaviour.HONEST, Behaviour.HONEST, Behaviour.HONEST, *Behaviour])
    jobs = rng.choice((3, 10, 20, 40, 150))
    deadline_s = rng.choice((60, 120, 600, 900))
    follows = behaviour is Behaviour.HONEST and rng.random() < 0.2
    if behaviour is not Behaviour.HONEST:
        jobs = rng.choice((1, 3, 12, 40))
        deadline_s = rng.choice((300, 900, 1800))
    return Burst(
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


def start_bursts(deployment: "Deployment", *, most: int) -> float:
    """Schedule the bursts; return when their last deadline passes, in true seconds."""
    last_s = 0.0
    env = deployment.env
    for burst in deployment.profile.bursts:
        if most > 0 and env.may_inject("crowd"):
            comes_s = burst.at_s + burst.written_late_s
            env.after(comes_s, partial(_create, deployment, burst))
            last_s = max(last_s, comes_s + burst.deadline_s)
    return last_s


def start_callback_bursts(deployment: "Deployment", *, most: int) -> float:
    """Schedule the bursts of jobs with callbacks; return when the last comes, in true seconds."""
    last_s = 0.0
    env = deployment.env
    for burst in deployment.profile.callbacks.bursts:
        if most > 0 and env.may_inject("crowd"):
            env.after(burst.at_s, partial(_create_and_cancel, deployment, burst))
            last_s = max(last_s, burst.at_s)
    return last_s


def _create_and_cancel(deployment: "Deployment", burst: CallbackBurst) -> None:
    """Make all events due at once, without a provider."""
    env = deployment.env
    relay = _relay(deployment, behind_s=0.0)
    provider = deployment.profile.providers[0]
    creator = relay.creator(CreatePolicy(accounts={provider}))
    operation, its_input = INPUTS[provider]
    env.note(burst.tenant, f"comes with {burst.jobs} callbacks")
    jobs = burst.jobs if deployment.profile.is_steady else min(burst.jobs, MAX_CALLED)
    for number in range(jobs):
        new = NewJob(
            provider=provider,
            operation=operation,
            input=its_input,
            metadata={CALLS: burst.urls[number % len(burst.urls)]},
            deadline_s=DEADLINE_S,
            on_unconfirmed=OnUnconfirmed.WAIT,
        )
        job = creator.create(burst.tenant, new, idempotency_key=None).job
        env.history.accepted[job.id] = env.now_s
        relay.controls(creator).cancel(burst.tenant, job.id)


def behaviour_of(job: Job) -> Behaviour:
    """Return how the provider answers calls for a job."""
    return Behaviour(job.metadata.get(BEHAVES, Behaviour.HONEST))


def _create(deployment: "Deployment", burst: Burst) -> None:
    env = deployment.env
    relay = _relay(deployment, behind_s=burst.written_late_s)
    creator = relay.creator(CreatePolicy(accounts={burst.provider}))
    operation, its_input = INPUTS[burst.provider]
    env.note(burst.tenant, f"comes with {burst.jobs} jobs: {burst.behaviour}")
    for number in range(burst.jobs):
        new = NewJob(
            provider=burst.provider,
            operation=operation,
            input=None if burst.follows else its_input,
            provider_job_id=f"elsewhere-{burst.tenant}-{number}" if burst.follows else None,
            metadata={BEHAVES: burst.behaviour.value},
            deadline_s=burst.deadline_s,
            on_unconfirmed=OnUnconfirmed.RESUBMIT if burst.resubmits else OnUnconfirmed.WAIT,
            priority=burst.priority,
        )
        job = creator.create(burst.tenant, new, idempotency_key=None).job
        env.history.accepted[job.id] = env.now_s


def _relay(deployment: "Deployment", *, behind_s: float) -> Relay:
    """Return a relay whose calls take no time and never fail, and whose clock is behind."""
    env = deployment.env
    clock = _Clock(env, behind_s=behind_s)
    adapters = Adapters(
        jobs=deployment.database.jobs,
        accounts=NOT_USED,
        durations=NOT_USED,
        lists=NOT_USED,
        topics=_Topics(deployment),
        clock=clock,
        draw=env.rng.random,
        random_bytes=env.rng.randbytes,
        open_workers=NOT_USED,
        is_stopping=NOT_USED,
    )
    return Relay(adapters, patience_s=EDGE_PATIENCE_S)


class _Clock:
    """The true time, a microsecond later at each reading, so that jobs have an order."""

    def __init__(self, env: "Environment", *, behind_s: float) -> None:
        self._env = env
        self._behind_s = behind_s
        self._readings = 0

    def now(self) -> datetime:
        self._readings += 1
        return EPOCH + timedelta(
            seconds=self._env.now_s - self._behind_s, microseconds=self._readings
        )

    def monotonic(self) -> float:
        return self._env.now_s

    def sleep(self, seconds: float) -> None:
        raise AssertionError(f"nothing fails here, so nothing waits {seconds} s")


class _Topics:
    def __init__(self, deployment: "Deployment") -> None:
        self._deployment = deployment

    def publish_event(self, job: Job, event: Announcement) -> None:
        data = to_json(as_announced(job, event.type))
        self._deployment.broker.take_event(job, event, data)

    def publish_tick(self, account: str) -> None:
        try:
            self._deployment.broker.take_tick(account)
        except PublishFailed:
            return
