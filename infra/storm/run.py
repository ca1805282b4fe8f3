"""Runs a storm on a stack of its own: create, crash, drain, gather the evidence, check it."""

import hashlib
import json
import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from infra.demo.receiver import Receiver
from infra.demo.relay_api import DemoError, RelayApi
from infra.local.inbox import Inbox
from infra.local.processes import StopRequest
from infra.local.settings import DEMO_TENANT, machine_environment
from infra.local.stack import Stack, running_stack
from infra.local.topics import PubSubEmulator
from infra.storm.aftermath import aftermath_violations
from infra.storm.evidence import Evidence, all_violations, read_versions, seen_holds
from infra.storm.faults import Crasher, KillEvery, StrayTicks, drawn_kills, drawn_pauses
from infra.storm.observation import (
    ACCOUNTS,
    JOBS,
    Bucket,
    Listener,
    NoEvidence,
    Sandbox,
    unexpected_errors,
)
from infra.storm.workload import (
    HOSTILE_KEY,
    HOSTILE_TENANT,
    Callers,
    StormJob,
    all_creates,
    drawn_jobs,
    hostile_jobs,
)
from infra.verification.history import Violation
from relay.adapters.document import DELIVERY_KEY, WAKE_AT
from relay.domain.limits import Limit

INSTANCES = 2
RENDER_S = 2.0
SUBSCRIPTION = "storm-completions"
FINAL_WITHIN_S = 90.0
# How long to wait for events that should not come.
LINGER_S = 3.0

_REPORT_EVERY_S = 5.0
_CHECK_EVERY_S = 0.5
_FINAL = ("succeeded", "failed", "cancelled")


@dataclass(frozen=True, slots=True, kw_only=True)
class StormSettings:
    """How large a storm is and how long each part of it takes.

    Attributes:
        hostile: How many jobs the hostile tenant creates; see `hostile_jobs`.
        seed: Of everything that is drawn; the timing differs on every run.
        gepetto_calls_per_minute: The limit of both the relay and the sandbox.
        spacely_calls_per_second: Likewise.
    """

    jobs: int
    hostile: int
    seed: int
    kill_every: KillEvery
    gepetto_calls_per_minute: int
    spacely_calls_per_second: int

    @property
    def create_s(self) -> float:
        """How long new jobs are created."""
        return max(20.0, self.jobs * 0.18)

    @property
    def storm_s(self) -> float:
        """How long processes are killed."""
        return self.create_s + 30.0

    @property
    def horizon_s(self) -> float:
        """When the last deadline passes."""
        return self.create_s + 65.0

    @property
    def limits(self) -> dict[str, Limit]:
        """The limits as the checker needs them."""
        return {
            "gepetto": Limit(calls=self.gepetto_calls_per_minute, window_s=60.0),
            "spacely": Limit(calls=self.spacely_calls_per_second, window_s=1.0),
        }

    @property
    def environment(self) -> dict[str, str]:
        """The variables that tell the stack."""
        sandbox_args = (
            "--no-download",
            "--noise",
            *("--render-s", f"{RENDER_S:g}"),
            *("--seed", str(self.seed)),
            *("--gepetto-calls-per-minute", str(self.gepetto_calls_per_minute)),
            *("--spacely-calls-per-second", str(self.spacely_calls_per_second)),
        )
        digest = hashlib.sha256(HOSTILE_KEY.encode()).hexdigest()
        return {
            "API_KEYS": json.dumps({HOSTILE_TENANT: [digest]}),
            "GEPETTO_CALLS_PER_MINUTE": str(self.gepetto_calls_per_minute),
            "SPACELY_CALLS_PER_SECOND": str(self.spacely_calls_per_second),
            "LOCAL_SANDBOX_ARGS": " ".join(sandbox_args),
        }

    def drawn_jobs(self) -> tuple[StormJob, ...]:
        """Draw the jobs of both tenants."""
        honest = drawn_jobs(
            self.jobs, seed=self.seed, create_s=self.create_s, horizon_s=self.horizon_s
        )
        return honest + hostile_jobs(
            self.hostile,
            seed=self.seed,
            first_number=len(honest) + 1,
            create_s=self.create_s,
            horizon_s=self.horizon_s,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StormResult:
    """A storm that is over, and what is wrong.

    Attributes:
        calm_after_s: When the last process was killed, from the start.
        took_s: When everything was at rest.
        listener_breaks: How often the listener had to reconnect.
        logs: The functions' logs.
    """

    settings: StormSettings
    evidence: Evidence
    violations: tuple[Violation, ...]
    garbage_ticks: int
    repeated_ticks: int
    calm_after_s: float
    took_s: float
    listener_breaks: int
    logs: Mapping[str, Path]


def run_storm(
    settings: StormSettings,
    *,
    stack_file: Path,
    functions: Path,
    env: Mapping[str, str],
    say: Callable[[str], None],
    stop: StopRequest,
) -> StormResult:
    """Run a storm on a stack of its own, and check what was observed.

    Args:
        functions: The directory that holds main.py.
        env: The caller's environment; its configuration does not affect the storm.
        say: Shows a line of progress.

    Raises:
        EmulatorsUnavailable: Says what to install.
        LocalStackError: The stack did not come up, ended, or was asked to stop.
        NoEvidence: What was observed cannot be read.
    """
    machine = {
        name: value
        for name, value in machine_environment(env).items()
        if not name.startswith("LOCAL_")
    }
    with running_stack(
        stack_file=stack_file,
        env={**machine, **settings.environment},
        functions=functions,
        instances=INSTANCES,
        stop=stop,
    ) as stack:
        names = ", ".join(stack.description.pids)
        jobs = f"{settings.jobs} jobs and {settings.hostile} hostile ones"
        say(f"{jobs}, seed {settings.seed}; two processes a function: {names}")
        return _Storm(stack, settings, say=say, stop=stop).run()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Activity:
    """Everything that runs at the same time during a storm."""

    callers: Callers
    kills: Crasher
    pauses: Crasher
    inbox: Inbox
    listener: Listener
    started_at_s: float

    @property
    def passed_s(self) -> float:
        return time.monotonic() - self.started_at_s

    @property
    def is_over(self) -> bool:
        """Whether everything was created, and no more crashes are planned."""
        return self.callers.are_done and self.kills.is_done and self.pauses.is_done

    def progress(self) -> str:
        documents = self.listener.last(JOBS).values()
        states = Counter(str((document.fields or {}).get("status")) for document in documents)
        counted = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
        return (
            f"{self.passed_s:4.0f} s  {len(self.kills.done)} kills, "
            f"{len(self.callers.created)} creates, {len(self.inbox.deliveries)} deliveries; "
            f"{counted or 'no jobs yet'}"
        )


class _Storm:
    def __init__(
        self,
        stack: Stack,
        settings: StormSettings,
        *,
        say: Callable[[str], None],
        stop: StopRequest,
    ) -> None:
        self._stack = stack
        self._at = stack.description
        self._settings = settings
        self._say = say
        self._stop = stop
        self._jobs = settings.drawn_jobs()
        if self._at.sandbox_url is None:
            raise NoEvidence("the stack has no sandbox; a storm never calls real providers")
        self._sandbox_url = self._at.sandbox_url
        self._sandbox = Sandbox(self._sandbox_url)
        if self._at.storage_emulator_host is None or self._at.outputs_bucket is None:
            raise NoEvidence("the stack keeps no outputs")
        self._bucket_name = self._at.outputs_bucket
        self._bucket = Bucket(host=self._at.storage_emulator_host, name=self._bucket_name)

    def run(self) -> StormResult:
        """Run it to its end, or to its time limit."""
        settings, at = self._settings, self._at
        with self._started() as activity:
            pubsub = PubSubEmulator(host=at.pubsub_emulator_host, project=at.project)
            with StrayTicks(pubsub=pubsub, topics=at.ticks_topics, seed=settings.seed) as ticks:
                self._wait(activity, lambda: activity.is_over, at_most_s=settings.horizon_s + 60.0)
            calm_after_s = activity.passed_s
            is_at_rest = self._wait(
                activity,
                lambda: self._is_at_rest(activity.listener),
                at_most_s=settings.horizon_s + FINAL_WITHIN_S + LINGER_S,
            )
            took_s = activity.passed_s
            time.sleep(LINGER_S)
            evidence = self._evidence(activity, is_at_rest=is_at_rest)
            return StormResult(
                settings=settings,
                evidence=evidence,
                violations=(
                    *all_violations(evidence, limits=settings.limits),
                    *aftermath_violations(evidence),
                ),
                garbage_ticks=ticks.garbage,
                repeated_ticks=ticks.repeated,
                calm_after_s=calm_after_s,
                took_s=took_s,
                listener_breaks=activity.listener.breaks,
                logs=self._logs(),
            )

    def _give_secrets(self) -> None:
        """Have each tenant's receiver check the signatures from now on."""
        try:
            for tenant, key in ((DEMO_TENANT, self._at.api_key), (HOSTILE_TENANT, HOSTILE_KEY)):
                with (
                    RelayApi(url=self._at.api_url, key=key) as api,
                    Receiver(sandbox_url=self._sandbox_url, name=tenant) as receiver,
                ):
                    receiver.give_secrets(api.callback_secrets())
        except DemoError as error:
            raise NoEvidence(str(error)) from error

    @contextmanager
    def _started(self) -> Iterator[_Activity]:
        """Start to listen, then to create and to crash."""
        settings, at = self._settings, self._at
        self._give_secrets()
        kills = drawn_kills(
            sorted(at.pids),
            seed=settings.seed,
            every=settings.kill_every,
            storm_s=settings.storm_s,
        )
        pauses = drawn_pauses(seed=settings.seed, storm_s=settings.storm_s)
        # The subscription first: Pub/Sub keeps no messages for later subscriptions.
        with (
            Inbox(
                host=at.pubsub_emulator_host,
                project=at.project,
                topic=at.completions_topic,
                subscription=SUBSCRIPTION,
            ) as inbox,
            Listener(host=at.firestore_emulator_host, project=at.project) as listener,
        ):
            for account in at.ticks_topics:
                listener.watch(ACCOUNTS, account)
            with (
                Callers(
                    all_creates(self._jobs),
                    api_url=at.api_url,
                    key=at.api_key,
                    sandbox_url=self._sandbox_url,
                    run=secrets.token_hex(4),
                    on_created=partial(listener.watch, JOBS),
                ) as callers,
                Crasher(kills, processes=self._stack) as killer,
                Crasher(pauses, processes=self._stack) as pauser,
            ):
                yield _Activity(
                    inbox=inbox,
                    listener=listener,
                    callers=callers,
                    kills=killer,
                    pauses=pauser,
                    started_at_s=time.monotonic(),
                )

    def _wait(self, activity: _Activity, reached: Callable[[], bool], *, at_most_s: float) -> bool:
        """Wait until something is reached, and report progress meanwhile."""
        report_at_s = 0.0
        while not (is_reached := reached()) and activity.passed_s < at_most_s:
            self._stop.check()
            self._stack.check()
            activity.kills.check()
            activity.pauses.check()
            if time.monotonic() >= report_at_s:
                self._say(activity.progress())
                report_at_s = time.monotonic() + _REPORT_EVERY_S
            time.sleep(_CHECK_EVERY_S)
        return is_reached

    def _is_at_rest(self, listener: Listener) -> bool:
        """Return whether every job has ended and nothing more can happen by itself.

        The hostile receiver never answers, so its callbacks are not waited for.
        """
        fields = [document.fields or {} for document in listener.last(JOBS).values()]
        if len(fields) < len(self._jobs) or not all(map(_is_at_rest, fields)):
            return False
        return all(render.is_over for render in self._sandbox.renders())

    def _logs(self) -> dict[str, Path]:
        return {name: self._stack.log(name) for name in self._at.pids}

    def _evidence(self, activity: _Activity, *, is_at_rest: bool) -> Evidence:
        listener = activity.listener
        last = listener.read_all(JOBS)
        versions, unreadable = read_versions(listener.versions(JOBS), last)
        crashes = sorted((*activity.kills.done, *activity.pauses.done), key=lambda one: one.at)
        return Evidence(
            jobs=self._jobs,
            created=activity.callers.created,
            crashes=tuple(crashes),
            versions=versions,
            unreadable=unreadable,
            final=frozenset(document.id for document in last),
            holds=seen_holds(listener.versions(ACCOUNTS)),
            deliveries=activity.inbox.deliveries,
            calls=self._sandbox.calls(),
            renders=self._sandbox.renders(),
            callbacks=self._sandbox.callbacks(),
            bucket=self._bucket_name,
            copies=self._bucket.copies(),
            counts=self._sandbox.counts(),
            errors=unexpected_errors(self._logs()),
            sandbox_url=self._sandbox_url,
            is_at_rest=is_at_rest,
        )


def _is_at_rest(fields: Mapping[str, Any]) -> bool:
    """Return whether a job has ended, and its copies and callbacks are over."""
    if fields.get("status") not in _FINAL or WAKE_AT in fields:
        return False
    results = fields.get("outputs") or fields.get("lateOutputs")
    if results and not fields.get("keptOutputs"):
        return False
    return DELIVERY_KEY not in fields or fields.get("tenant") == HOSTILE_TENANT
