"""Callbacks to callers: how many a second, how soon, and what a dead endpoint does to others."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import chain, zip_longest

import requests

from infra.bench.outside import Behaviour, Outside, Post
from infra.bench.report import Check, Percentiles
from infra.bench.servers import PROJECT, TOPOLOGY, Emulators, Server
from infra.bench.store import (
    OUTPUT,
    delete,
    ended_job,
    firestore_client,
    processing_job,
    store,
)
from infra.local.processes import HOST
from infra.local.topics import CALLBACKS_FUNCTION, PubSubEmulator
from relay.adapters.database import Database
from relay.adapters.firestore import FirestoreAccounts
from relay.domain.callback import CALLBACKS, Callback
from relay.domain.job import Job
from relay.domain.tokens import make_token

HEALTHY_ENDPOINTS = 4
TENANTS = ("calm-0", "calm-1")
DEAD_BACKLOG = 40
PER_S = 10
TARGET_RATIO = 1.5
POSTED_WITHIN_S = 120.0
IDLE_WITHIN_S = 90.0
LOOK_EVERY_S = 0.1
CALLERS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Which endpoint is dead, if any.

    Attributes:
        dead: How it is dead; None if all are healthy.
        tenant: Whose it is.
    """

    name: str
    dead: Behaviour | None = None
    tenant: str = ""


ALL_HEALTHY = Case(name="all endpoints healthy")
CASES = (
    ALL_HEALTHY,
    *(
        Case(name=f"one of {whose} {behaviour}", dead=behaviour, tenant=tenant)
        for behaviour in (Behaviour.HANGS, Behaviour.REFUSES)
        for whose, tenant in (("another tenant", "unlucky"), ("the same tenant", TENANTS[0]))
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """The callbacks of the healthy endpoints in one case.

    Attributes:
        backlog: Callbacks that were due when the pump began.
        per_s: How many of them it delivered a second.
        delays_s: Of others, whose jobs ended one after another: from each event to its post.
    """

    case: Case
    backlog: int
    per_s: float
    delays_s: Sequence[float]

    @property
    def delays(self) -> Percentiles:
        """Percentiles of the delays."""
        return Percentiles.of(self.delays_s)


def measure_deliveries(emulators: Emulators, *, backlog: int, paced: int) -> list[Delivered]:
    """Deliver callbacks in each case: first a backlog, then those of jobs that end at a pace.

    Args:
        backlog: How many healthy endpoints' callbacks are due at first.
        paced: How many of their jobs end afterwards, `PER_S` a second.

    Raises:
        TimeoutError: Callbacks were not posted.
        RuntimeError: The endpoint that hangs got none.
    """
    pubsub = PubSubEmulator(host=emulators.pubsub_host, project=PROJECT)
    with (
        Outside(HEALTHY_ENDPOINTS + 1) as outside,
        emulators.serving("deliver_callbacks", "provider_webhook") as (deliveries, webhook),
    ):
        for one in TOPOLOGY.push_subscriptions:
            if one.function == CALLBACKS_FUNCTION:
                pubsub.subscribe(one, push_url=f"http://{HOST}:{deliveries.port}")
        running = _Running(emulators, pubsub, outside, webhook)
        running.deliver_backlog(ALL_HEALTHY, HEALTHY_ENDPOINTS)
        return [
            Delivered(
                case=case,
                backlog=backlog,
                per_s=running.deliver_backlog(case, backlog),
                delays_s=running.deliver_paced(case, paced),
            )
            for case in CASES
        ]


class _Running:
    """Both functions, the endpoints, and what wakes and feeds them."""

    def __init__(
        self, emulators: Emulators, pubsub: PubSubEmulator, outside: Outside, webhook: Server
    ) -> None:
        self._outside = outside
        self._pubsub = pubsub
        self._webhook = webhook
        self._webhook_key = emulators.webhook_key
        self._database: Database = firestore_client(emulators.firestore_host, project=PROJECT)
        self._accounts = FirestoreAccounts(self._database)

    def deliver_backlog(self, case: Case, count: int) -> float:
        """Deliver so many callbacks that are due at once; return how many a second."""
        now = datetime.now(UTC)
        # The dead ones are due for longer.
        dead = [
            ended_job(at=now - timedelta(minutes=1), tenant=tenant, callback_url=url)
            for tenant, url in self._dead(case, DEAD_BACKLOG)
        ]
        healthy = [
            ended_job(at=now, tenant=tenant, callback_url=url)
            for tenant, url in self._healthy(count)
        ]
        jobs = [*dead, *healthy]
        store(self._database, jobs)
        self._outside.hang()
        self._pubsub.publish(
            TOPOLOGY.ticks_topics[CALLBACKS], json.dumps({"account": CALLBACKS}).encode()
        )
        times = [one.at for one in self._posted(count)]
        self._end(jobs)
        return (len(times) - 1) / max(max(times) - min(times), 0.001)

    def deliver_paced(self, case: Case, count: int) -> list[float]:
        """End so many jobs one after another; return how long after it each event was posted."""
        later = datetime.now(UTC) + timedelta(hours=1)
        # The dead endpoint's jobs end between the others.
        by_turns = zip_longest(self._healthy(count), self._dead(case, count))
        jobs = [
            replace(
                processing_job(at=datetime.now(UTC), poll_at=later),
                tenant=tenant,
                callback=Callback(url=url),
            )
            for tenant, url in filter(None, chain.from_iterable(by_turns))
        ]
        store(self._database, jobs)
        self._outside.hang()
        began_s = time.monotonic()
        every_s = count / PER_S / len(jobs)
        with ThreadPoolExecutor(CALLERS) as providers, requests.Session() as session:
            calls = []
            for number, job in enumerate(jobs):
                time.sleep(max(0.0, began_s + number * every_s - time.monotonic()))
                calls.append(providers.submit(self._call_back, session, job))
            for call in calls:
                call.result()
        posts = self._posted(count)
        if case.dead is Behaviour.HANGS and not any(
            one.behaviour == Behaviour.HANGS for one in self._outside.posts
        ):
            raise RuntimeError("no callback hung meanwhile")
        self._end(jobs)
        return [one.at - _event_at(one) for one in posts]

    def _healthy(self, count: int) -> Iterator[tuple[str, str]]:
        urls = self._outside.endpoints(Behaviour.TAKES)[:HEALTHY_ENDPOINTS]
        for number in range(count):
            endpoint = number % len(urls)
            yield TENANTS[endpoint % len(TENANTS)], urls[endpoint]

    def _dead(self, case: Case, count: int) -> Iterator[tuple[str, str]]:
        if case.dead is not None:
            url = self._outside.endpoints(case.dead)[-1]
            for _ in range(count):
                yield case.tenant, url

    def _call_back(self, session: requests.Session, job: Job) -> None:
        token = make_token(self._webhook_key, provider=job.provider, job_id=job.id)
        session.post(
            f"http://{HOST}:{self._webhook.port}/{job.provider}/{job.id}/{token}",
            json={"id": job.provider_job_id, "output": OUTPUT},
            timeout=POSTED_WITHIN_S,
        ).raise_for_status()

    def _posted(self, count: int) -> list[Post]:
        """Return what the healthy endpoints got, once it is so much."""
        give_up_at = time.monotonic() + POSTED_WITHIN_S
        while True:
            posts = [one for one in self._outside.posts if one.behaviour == Behaviour.TAKES]
            if len(posts) >= count:
                return posts
            if time.monotonic() > give_up_at:
                raise TimeoutError(f"{len(posts)} of {count} callbacks were posted")
            time.sleep(LOOK_EVERY_S)

    def _end(self, jobs: Sequence[Job]) -> None:
        """Forget these jobs, and wait until no pump works for them."""
        delete(self._database, [one.id for one in jobs])
        self._outside.let_go()
        give_up_at = time.monotonic() + IDLE_WITHIN_S
        while self._accounts.read(CALLBACKS).account.holder is not None:
            if time.monotonic() > give_up_at:
                raise TimeoutError("the callbacks' pump is still at work")
            time.sleep(LOOK_EVERY_S)
        self._outside.posts.clear()


def _event_at(post: Post) -> float:
    event: Mapping[str, str] = json.loads(post.body)
    return datetime.fromisoformat(event["timestamp"]).timestamp()


def ratio(delivered: Delivered, healthy: Delivered) -> float:
    """Return how much later 95 of 100 callbacks come than with healthy endpoints only."""
    return delivered.delays.p95 / healthy.delays.p95


def checks(delivered: Sequence[Delivered]) -> Iterator[Check]:
    """Hold the healthy endpoints' delays against those without a dead one."""
    healthy, *others = delivered
    for one in others:
        times = ratio(one, healthy)
        yield Check(
            f"event to callback, {one.case.name}",
            f"p95 at most {TARGET_RATIO:g} of that of healthy endpoints only",
            f"{times:.2f}",
            times <= TARGET_RATIO,
        )
