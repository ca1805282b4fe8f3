"""Pumps of the running stack: their throughput, how soon jobs are sent, the limits they use."""

import json
import os
import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import requests

from infra.bench.report import Check, Percentiles
from infra.bench.store import firestore_client, job_body, queued_job, store
from infra.local.stack import Stack, running_stack
from infra.local.topics import PubSubEmulator
from infra.storm.observation import ProviderCall, Sandbox
from relay.adapters.firestore import FirestoreAccounts
from relay.domain.catalogue import CATALOGUE
from relay.errors import StoreUnavailable

Say = Callable[[str], None]

LATENCY_MS = 200
TARGET_PER_S = 100
TARGET_IDLE_S, TARGET_BUSY_S = 1.0, 1.5
BUSY_PER_S = 10
BUSY = "spacely"
# The first and the last second of a run do not count.
RAMP_S = 1.0
NEVER_READY = "render-s=3600"
UNLIMITED = {
    "LOCAL_TICK_EVERY_S": "3600",
    "LOCAL_SANDBOX_ARGS": "--no-download --render-s 0.3 --gepetto-calls-per-minute 0 "
    f"--spacely-calls-per-second 0 --latency-s {LATENCY_MS / 1000}",
    "GEPETTO_CALLS_PER_MINUTE": "1000000",
    "SPACELY_CALLS_PER_SECOND": "100000",
}

IDLE_WITHIN_S = 60.0
SENT_WITHIN_S = 120.0
LOOK_EVERY_S = 0.2


class RunningRelay:
    """A running stack from outside: create jobs, and see when the providers get them."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.where = stack.description
        self.sandbox = Sandbox(str(self.where.sandbox_url))
        self.firestore = firestore_client(
            self.where.firestore_emulator_host, project=self.where.project
        )
        self._accounts = FirestoreAccounts(self.firestore)
        self._created = 0

    def wait_until_idle(self, account: str) -> None:
        """Return once no pump holds the account's lease."""
        give_up_at = time.monotonic() + IDLE_WITHIN_S
        while not self._is_idle(account):
            if time.monotonic() > give_up_at:
                raise TimeoutError(f"the pump of {account} is still at work")
            time.sleep(LOOK_EVERY_S)

    def _is_idle(self, account: str) -> bool:
        try:
            return self._accounts.read(account).account.holder is None
        except StoreUnavailable:
            # The emulator of a busy machine may take too long to answer.
            return False

    def create(self, account: str, *, behaviour: str = "") -> tuple[str, float]:
        """Create a job; return its picture's URL, and when it was created."""
        self._created += 1
        picture = self.picture(f"created-{self._created}", behaviour)
        answer = self.call("POST", "/v1/jobs", body=job_body(account, picture))
        return picture, datetime.fromisoformat(answer["createdAt"]).timestamp()

    def create_at_pace(
        self, account: str, *, jobs: int, every_s: float, behaviour: str = ""
    ) -> Mapping[str, float]:
        """Create jobs at a steady pace; return when each was created, by its picture."""
        created: dict[str, float] = {}
        began_s = time.monotonic()
        for number in range(jobs):
            time.sleep(max(0.0, began_s + number * every_s - time.monotonic()))
            picture, at = self.create(account, behaviour=behaviour)
            created[picture] = at
        return created

    def call(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, object] | None = None,
        session: requests.Session | None = None,
    ) -> Any:
        """Call the API and return its answer."""
        request = session.request if session else requests.request
        headers = {"X-API-KEY": self.where.api_key}
        answer = request(method, self.where.api_url + path, json=body, headers=headers, timeout=60)
        answer.raise_for_status()
        return answer.json()

    def picture(self, name: str, behaviour: str = "") -> str:
        """Return the URL of a picture; the sandbox renders it with this behaviour."""
        return f"{self.where.sandbox_url}/rooms/living.jpg?n={name}&sandbox={behaviour}"

    def calls(self, account: str, *, since: float, until: float) -> list[ProviderCall]:
        """Return the calls that a provider got from one time to another."""
        return [
            one
            for one in self.sandbox.calls()
            if one.provider == account and since <= one.at < until
        ]

    def sent(self) -> Mapping[str, float]:
        """Return when the providers got jobs so far, by their pictures."""
        return {str(one.input): one.at for one in self.sandbox.calls() if one.kind == "submit"}

    def wait_until_sent(self, pictures: Sequence[str]) -> Mapping[str, float]:
        """Return when the providers got jobs, once they have those of all these pictures.

        Raises:
            TimeoutError: They do not have them after two minutes.
        """
        give_up_at = time.monotonic() + SENT_WITHIN_S
        while True:
            sent = self.sent()
            if all(picture in sent for picture in pictures):
                return sent
            if time.monotonic() > give_up_at:
                raise TimeoutError("jobs were not sent")
            time.sleep(LOOK_EVERY_S)

    def waits_s(self, created: Mapping[str, float]) -> list[float]:
        """Wait until jobs are sent; return how long each took from its creation."""
        sent = self.wait_until_sent(list(created))
        return [sent[picture] - at for picture, at in created.items()]

    def wake(self, account: str) -> None:
        """Publish a tick."""
        pubsub = PubSubEmulator(host=self.where.pubsub_emulator_host, project=self.where.project)
        pubsub.publish(self.where.ticks_topics[account], json.dumps({"account": account}).encode())


@contextmanager
def running_relay(env: Mapping[str, str]) -> Iterator[RunningRelay]:
    """Run the whole stack, with these variables beside those of this process."""
    with (
        TemporaryDirectory() as directory,
        running_stack(
            stack_file=Path(directory) / "stack.json", env={**os.environ, **env}
        ) as stack,
    ):
        yield RunningRelay(stack)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pumped:
    """One pump without limits.

    Attributes:
        idle_s: From a job's creation to its provider's receiving it, no pump at work.
        busy_s: The same while the account's pump is at work.
        calls: The calls of one pump while more jobs waited than it could send.
        over_s: How long it made them.
    """

    idle_s: Sequence[float]
    busy_s: Sequence[float]
    calls: int
    over_s: float

    @property
    def per_s(self) -> float:
        """Sustained calls a second."""
        return self.calls / self.over_s

    def percentiles(self, pump: str) -> Percentiles:
        """Return how long jobs waited for an `idle` or a `busy` pump."""
        return Percentiles.of(self.idle_s if pump == "idle" else self.busy_s)


def measure_pump(*, idle: int, busy: int, queued: int, say: Say) -> Pumped:
    """Measure one pump without limits.

    Args:
        idle: Jobs created at each account one by one, each while no pump works for it.
        busy: Jobs created at one account while its pump works, `BUSY_PER_S` a second.
        queued: Jobs that wait when the sustained calls are measured.
    """
    with running_relay(UNLIMITED) as relay:
        accounts = ("gepetto", "spacely")
        relay.wait_until_sent([relay.create(account)[0] for account in accounts])
        created: dict[str, float] = {}
        for account in accounts * idle:
            relay.wait_until_idle(account)
            picture, at = relay.create(account)
            created[picture] = at
            # Until its pump is at work, the account would look idle to the next job.
            relay.wait_until_sent([picture])
        idle_s = relay.waits_s(created)
        say(f"{len(idle_s)} jobs sent by idle pumps")
        # Its pump works from the first one on, as long as there is something to poll.
        relay.wait_until_sent([relay.create(BUSY, behaviour=NEVER_READY)[0]])
        busy_s = relay.waits_s(
            relay.create_at_pace(BUSY, jobs=busy, every_s=1 / BUSY_PER_S, behaviour=NEVER_READY)
        )
        say(f"{len(busy_s)} jobs sent by a busy pump")
        calls, over_s = _sustained(relay, queued)
    return Pumped(idle_s=idle_s, busy_s=busy_s, calls=calls, over_s=over_s)


def _sustained(relay: RunningRelay, jobs: int) -> tuple[int, float]:
    """Return how many calls the pump made while it had more to make, and in how long."""
    now = datetime.now(UTC)
    pictures = [relay.picture(f"queued-{number}", NEVER_READY) for number in range(jobs)]
    store(
        relay.firestore,
        (
            queued_job(at=now + timedelta(milliseconds=number), provider=BUSY, picture=picture)
            for number, picture in enumerate(pictures)
        ),
    )
    relay.wake(BUSY)
    time.sleep(jobs / (2 * TARGET_PER_S))
    sent = relay.wait_until_sent(pictures)
    times = [sent[picture] for picture in pictures]
    first, last = min(times) + RAMP_S, max(times) - RAMP_S
    return len(relay.calls(BUSY, since=first, until=last)), last - first


def pump_checks(pumped: Pumped) -> Iterator[Check]:
    """Hold one pump against its targets."""
    yield Check(
        f"one pump at {LATENCY_MS} ms provider latency",
        f"at least {TARGET_PER_S} calls/s",
        f"{pumped.per_s:.0f} calls/s",
        pumped.per_s >= TARGET_PER_S,
    )
    for pump, target_s in (("idle", TARGET_IDLE_S), ("busy", TARGET_BUSY_S)):
        p95_s = pumped.percentiles(pump).p95 / 1000
        yield Check(
            f"job created to job sent, pump {pump}",
            f"p95 at most {target_s:.1f} s",
            f"{p95_s:.2f} s",
            p95_s <= target_s,
        )


AT_THE_LIMIT = {
    "LOCAL_TICK_EVERY_S": "60",
    "LOCAL_SANDBOX_ARGS": "--no-download --render-s 2",
    "LOG_LEVEL": "WARNING",
}
CALLERS = 4
KILL_AFTER_S = (20.0, 80.0)
QUEUE_EMPTY_WITHIN_S = 600.0
WITH_KILLS = {**AT_THE_LIMIT, "LOCAL_TICK_EVERY_S": "1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitUse:
    """What one provider saw while jobs were waiting for its limit.

    Attributes:
        calls: Submissions and polls, from the first submission to the last.
        idle_s: How long no call was made after a pump was killed.
        most: Most calls in any window, in the provider's own count.
        is_broken: Whether the provider blocked the account, or refused a call for the limit.
    """

    provider: str
    calls: int
    over_s: float
    idle_s: float
    most: int
    is_broken: bool

    def __str__(self) -> str:
        limit = CATALOGUE[self.provider].limit
        use = use_of_limit(self.provider, calls=self.calls, over_s=self.over_s)
        at_work_s = self.over_s - self.idle_s
        use_at_work = use_of_limit(self.provider, calls=self.calls, over_s=at_work_s)
        return (
            f"{self.provider}: {self.calls} calls in {self.over_s:.0f} s, "
            f"of which {self.idle_s:.0f} s idle after kills; "
            f"most in {limit.window_s:g} s: {self.most} of {limit.calls}; "
            f"used {use:.0%} of the limit, {use_at_work:.0%} while a pump was at work"
            + ("; BROKE THE LIMIT" if self.is_broken else "")
        )


def measure_limits(jobs: Mapping[str, int], *, say: Say) -> list[LimitUse]:
    """Create more jobs than the limits let out, and kill the pumps' process meanwhile.

    Args:
        jobs: How many, by provider.
    """
    with running_relay(WITH_KILLS) as relay:
        killed_at: list[float] = []
        killer = threading.Thread(target=_kill_pumps, args=(relay.stack, killed_at), daemon=True)
        killer.start()
        bodies = [
            {**job_body(provider, relay.picture(str(number))), "deadlineSeconds": 3600}
            for provider, count in jobs.items()
            for number in range(count)
        ]
        began_s = time.monotonic()
        with requests.Session() as session, ThreadPoolExecutor(CALLERS) as callers:
            create = partial(relay.call, "POST", "/v1/jobs", session=session)
            list(callers.map(lambda body: create(body=body), bodies))
        say(f"{len(bodies)} jobs created in {time.monotonic() - began_s:.0f} s")
        _wait_for_the_queue(relay, say=say)
        killer.join()
        return [_limit_use(relay.sandbox, provider, killed_at) for provider in jobs]


def _kill_pumps(stack: Stack, killed_at: list[float]) -> None:
    began_s = time.monotonic()
    for after_s in KILL_AFTER_S:
        time.sleep(max(0.0, began_s + after_s - time.monotonic()))
        killed_at.append(time.time())
        stack.kill("poll_tick")


def _wait_for_the_queue(relay: RunningRelay, *, say: Say) -> None:
    give_up_at = time.monotonic() + QUEUE_EMPTY_WITHIN_S
    while time.monotonic() < give_up_at:
        providers = relay.call("GET", "/v1/providers")["providers"]
        queued = {one["name"]: one["account"]["queuedJobs"] for one in providers}
        say(f"queued: {queued}")
        if not any(queued.values()):
            return
        time.sleep(10 * LOOK_EVERY_S)


def _limit_use(sandbox: Sandbox, provider: str, killed_at: Sequence[float]) -> LimitUse:
    calls = [one for one in sandbox.calls() if one.provider == provider]
    submitted = [one.at for one in calls if one.kind == "submit"]
    first, last = min(submitted), max(submitted)
    times = sorted(one.at for one in calls if first <= one.at <= last)
    idle_s = 0.0
    for at in killed_at:
        following = bisect_left(times, at)
        if first < at < last and following < len(times):
            idle_s += times[following] - at
    counts = sandbox.counts()[provider]
    return LimitUse(
        provider=provider,
        calls=len(times),
        over_s=last - first,
        idle_s=idle_s,
        most=counts.most_calls_in_window,
        is_broken=counts.blocked or counts.calls_over_limit > 0,
    )


def use_of_limit(account: str, *, calls: int, over_s: float) -> float:
    """Return the share of an account's documented limit that so many calls use."""
    limit = CATALOGUE[account].limit
    return calls * limit.window_s / (limit.calls * over_s)
