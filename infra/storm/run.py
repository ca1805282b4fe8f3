"""One storm on a running stack: send, crash, drain, gather."""

import secrets
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

from infra.local.inbox import Inbox
from infra.local.pubsub import PubSubEmulator
from infra.local.stack import Stack
from infra.local.stopping import StopRequest
from infra.storm.callers import Callers, all_sends
from infra.storm.crashes import Crasher, drawn_kills, drawn_pauses
from infra.storm.errors import NoEvidence
from infra.storm.evidence import Evidence, read_versions, seen_holds
from infra.storm.firestore import ACCOUNTS, JOBS, Listener
from infra.storm.jobs import StormJob, drawn_jobs, hostile_jobs
from infra.storm.logbook import unexpected_errors
from infra.storm.sandbox import Sandbox
from infra.storm.settings import StormSettings
from infra.storm.ticks import StrayTicks
from infra.storm.weather import Weather
from relay.adapters.document import WAKE_AT

SUBSCRIPTION = "storm-completions"
FINAL_WITHIN_S = 90.0
LINGER_S = 3.0
"""How long an event too many is waited for."""

_TELL_EVERY_S = 5.0
_LOOK_EVERY_S = 0.5
_FINAL = ("succeeded", "failed", "cancelled")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stormed:
    """A storm that is over.

    Attributes:
        calm_after_s: When the last process was killed, from the first job sent.
        took_s: When everything had come to rest.
        listener_breaks: How often the listener had to begin anew.
    """

    evidence: Evidence
    garbage_ticks: int
    repeated_ticks: int
    calm_after_s: float
    took_s: float
    listener_breaks: int


class Storm:
    """One storm.

    Args:
        say: Shows a line of progress.
    """

    def __init__(
        self,
        stack: Stack,
        *,
        settings: StormSettings,
        say: Callable[[str], None],
        stop: StopRequest,
    ) -> None:
        self._stack = stack
        self._at = stack.description
        self._settings = settings
        self._say = say
        self._stop = stop
        if self._at.sandbox_url is None:
            raise NoEvidence("the stack has no sandbox; a storm never calls real providers")
        self._sandbox_url = self._at.sandbox_url
        self._sandbox = Sandbox(self._sandbox_url)

    def run(self) -> Stormed:
        """Run it to its end, or to its time limit.

        Raises:
            StormError: What was seen cannot be read.
            LocalStackError: The stack ended, or was asked to stop.
        """
        settings = self._settings
        jobs = drawn_jobs(
            settings.jobs,
            seed=settings.seed,
            create_s=settings.create_s,
            horizon_s=settings.horizon_s,
        )
        jobs += hostile_jobs(
            settings.hostile,
            seed=settings.seed,
            first_number=len(jobs) + 1,
            create_s=settings.create_s,
            horizon_s=settings.horizon_s,
        )
        with ExitStack() as cleanup:
            storm = self._begun(jobs, cleanup=cleanup)
            with self._stray_ticks() as ticks:
                self._wait(storm, lambda: storm.is_over, at_most_s=settings.horizon_s + 60.0)
            calm_after_s = storm.passed_s
            is_at_rest = self._wait(
                storm,
                lambda: self._is_at_rest(storm, jobs),
                at_most_s=settings.horizon_s + FINAL_WITHIN_S + LINGER_S,
            )
            took_s = storm.passed_s
            time.sleep(LINGER_S)
            return Stormed(
                evidence=self._evidence(storm, jobs, is_at_rest=is_at_rest),
                garbage_ticks=ticks.garbage,
                repeated_ticks=ticks.repeated,
                calm_after_s=calm_after_s,
                took_s=took_s,
                listener_breaks=storm.listener.breaks,
            )

    def _begun(self, jobs: tuple[StormJob, ...], *, cleanup: ExitStack) -> Weather:
        """Begin to listen, then to send and to crash; what was begun is ended by *cleanup*."""
        settings, at, enter = self._settings, self._at, cleanup.enter_context
        # The subscription first: Pub/Sub keeps nothing for those who come later.
        inbox = enter(
            Inbox(
                host=at.pubsub_emulator_host,
                project=at.project,
                topic=at.completions_topic,
                subscription=SUBSCRIPTION,
            )
        )
        listener = enter(Listener(host=at.firestore_emulator_host, project=at.project))
        for account in at.ticks_topics:
            listener.watch(ACCOUNTS, account)
        callers = Callers(
            all_sends(jobs),
            api_url=at.api_url,
            key=at.api_key,
            sandbox_url=self._sandbox_url,
            run=secrets.token_hex(4),
            on_created=partial(listener.watch, JOBS),
        )
        kills = drawn_kills(
            sorted(at.pids),
            seed=settings.seed,
            every=settings.kill_every,
            storm_s=settings.storm_s,
        )
        pauses = drawn_pauses(seed=settings.seed, storm_s=settings.storm_s)
        return Weather(
            inbox=inbox,
            listener=listener,
            callers=enter(callers),
            kills=enter(Crasher(kills, processes=self._stack)),
            pauses=enter(Crasher(pauses, processes=self._stack)),
            began_at_s=time.monotonic(),
        )

    def _stray_ticks(self) -> StrayTicks:
        at = self._at
        return StrayTicks(
            pubsub=PubSubEmulator(host=at.pubsub_emulator_host, project=at.project),
            topics=at.ticks_topics,
            seed=self._settings.seed,
        )

    def _wait(self, storm: Weather, reached: Callable[[], bool], *, at_most_s: float) -> bool:
        """Wait until something is reached, and tell how things stand meanwhile."""
        tell_at_s = 0.0
        while not (is_reached := reached()) and storm.passed_s < at_most_s:
            self._stop.check()
            self._stack.check()
            storm.check()
            if time.monotonic() >= tell_at_s:
                self._say(storm.line())
                tell_at_s = time.monotonic() + _TELL_EVERY_S
            time.sleep(_LOOK_EVERY_S)
        return is_reached

    def _is_at_rest(self, storm: Weather, jobs: tuple[StormJob, ...]) -> bool:
        """Tell whether every job has come to its end, and nothing more can come by itself."""
        documents = storm.listener.last(JOBS)
        fields = [document.fields or {} for document in documents.values()]
        if len(fields) < len(jobs) or any(WAKE_AT in each for each in fields):
            return False
        if any(each.get("status") not in _FINAL for each in fields):
            return False
        return all(render.is_over for render in self._sandbox.renders())

    def _evidence(
        self, storm: Weather, jobs: tuple[StormJob, ...], *, is_at_rest: bool
    ) -> Evidence:
        last = storm.listener.read_all(JOBS)
        versions, unreadable = read_versions(storm.listener.versions(JOBS), last)
        crashes = sorted((*storm.kills.done, *storm.pauses.done), key=lambda one: one.at)
        return Evidence(
            jobs=jobs,
            created=storm.callers.created,
            crashes=tuple(crashes),
            versions=versions,
            unreadable=unreadable,
            final=frozenset(document.id for document in last),
            holds=seen_holds(storm.listener.versions(ACCOUNTS)),
            deliveries=storm.inbox.deliveries,
            calls=self._sandbox.calls(),
            renders=self._sandbox.renders(),
            counts=self._sandbox.counts(),
            errors=unexpected_errors({name: self._stack.log(name) for name in self._at.pids}),
            sandbox_url=self._sandbox_url,
            is_at_rest=is_at_rest,
        )
