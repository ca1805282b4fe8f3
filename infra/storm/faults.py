"""The faults of a storm: killed and paused processes, and ticks that nobody should send."""

import contextlib
import json
import os
import signal
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Protocol, Self

from infra.local.errors import LocalStackError, StackFailed
from infra.local.topics import PubSubEmulator

STORE = "firestore-emulator"
PUMPS = ("poll_tick-1", "poll_tick-2")
# Longer than a lease, so that another pump takes over while the paused one thinks it holds it.
PUMP_PAUSE_S = 20.0
STORE_PAUSE_S = 5.0

GARBAGE_TICKS = (
    b"not JSON",
    b"\xff\xfe\x00",
    b"",
    b"[]",
    b'"gepetto"',
    b"{}",
    b'{"account": null}',
    b'{"account": "nobody"}',
    b'{"account": {"account": "gepetto"}}',
)
STRAY_TICKS_EVERY_S = (1.0, 4.0)
REPEATED_TICKS = 6


class Processes(Protocol):
    """A stack whose processes can be crashed."""

    def kill(self, name: str) -> int:
        """Kill a process and return the pid it had."""
        ...

    def pid(self, name: str) -> int:
        """Return the process id, which is also its group's."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class KillEvery:
    """The shortest and the longest time between two kills, in seconds."""

    shortest_s: float
    longest_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Crash:
    """A kill or pause to be made.

    Attributes:
        at_s: From the start of the storm.
        for_s: How long the process is paused; 0 for a kill.
    """

    at_s: float
    name: str
    for_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Crashed:
    """A kill or pause that was made; times in seconds since the epoch."""

    crash: Crash
    at: float
    until: float
    pid: int


def drawn_kills(
    names: Sequence[str], *, seed: int, every: KillEvery, storm_s: float
) -> tuple[Crash, ...]:
    """Draw which process is killed when."""
    rng = Random(f"kills of {seed}")
    kills: list[Crash] = []
    at_s = rng.uniform(every.shortest_s, every.longest_s)
    while at_s < storm_s:
        kills.append(Crash(at_s=at_s, name=rng.choice(names), for_s=0.0))
        at_s += rng.uniform(every.shortest_s, every.longest_s)
    return tuple(kills)


def drawn_pauses(*, seed: int, storm_s: float) -> tuple[Crash, ...]:
    """Draw the pauses: the store twice, and in between a pump for longer than its lease."""
    rng = Random(f"pauses of {seed}")
    return tuple(
        Crash(at_s=storm_s * (share + rng.uniform(-0.05, 0.05)), name=name, for_s=for_s)
        for share, name, for_s in (
            (0.2, STORE, STORE_PAUSE_S),
            (0.4, rng.choice(PUMPS), PUMP_PAUSE_S),
            (0.9, STORE, STORE_PAUSE_S),
        )
    )


class Crasher:
    """Makes the kills and pauses, each at its time, from a thread of its own."""

    def __init__(self, crashes: Sequence[Crash], *, processes: Processes) -> None:
        self._crashes = sorted(crashes, key=lambda crash: crash.at_s)
        self._processes = processes
        self._done: list[Crashed] = []
        self._failure: LocalStackError | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="crasher", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    @property
    def done(self) -> tuple[Crashed, ...]:
        """The kills and pauses made so far."""
        return tuple(self._done)

    @property
    def is_done(self) -> bool:
        """Whether no more are left."""
        return not self._thread.is_alive()

    def check(self) -> None:
        """Raise `LocalStackError` if the stack could not be crashed as planned."""
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        started_at_s = time.monotonic()
        try:
            for crash in self._crashes:
                if self._stopping.wait(max(0.0, started_at_s + crash.at_s - time.monotonic())):
                    return
                at = time.time()
                pid = self._pause(crash) if crash.for_s else self._processes.kill(crash.name)
                self._done.append(Crashed(crash=crash, at=at, until=time.time(), pid=pid))
        except LocalStackError as error:
            self._failure = error

    def _pause(self, crash: Crash) -> int:
        """Stop a process and continue it, unless it was killed in between."""
        pid = self._processes.pid(crash.name)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGSTOP)
        try:
            self._stopping.wait(crash.for_s)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGCONT)
        return pid


class StrayTicks:
    """Publishes garbage, and far too many good ticks, from a thread of its own."""

    def __init__(self, *, pubsub: PubSubEmulator, topics: Mapping[str, str], seed: int) -> None:
        self._pubsub = pubsub
        self._topics = topics
        self._rng = Random(f"ticks of {seed}")
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="stray-ticks", daemon=True)
        self.garbage = 0
        self.repeated = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(self._rng.uniform(*STRAY_TICKS_EVERY_S)):
            account, topic = self._rng.choice(list(self._topics.items()))
            if self._rng.random() < 0.5:
                self.garbage += self._published(topic, self._rng.choice(GARBAGE_TICKS))
                continue
            tick = json.dumps({"account": account}).encode()
            self.repeated += sum(self._published(topic, tick) for _ in range(REPEATED_TICKS))

    def _published(self, topic: str, message: bytes) -> bool:
        try:
            self._pubsub.publish(topic, message)
        except StackFailed:
            return False
        return True
