"""Crashes and pauses of processes, drawn from the seed and carried out from a thread."""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Protocol, Self

from infra.local.errors import LocalStackError
from infra.storm.settings import PUMP_PAUSE_S, STORE_PAUSE_S, KillEvery

STORE = "firestore-emulator"
PUMPS = ("poll_tick-1", "poll_tick-2")


class Processes(Protocol):
    """A stack whose processes can be crashed."""

    def kill(self, name: str) -> int:
        """Crash a process and return the pid that it had."""
        ...

    def pid(self, name: str) -> int:
        """Return the process id, which is its group's too."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Crash:
    """Something that is done to a process.

    Attributes:
        at_s: From the beginning of the storm.
        for_s: How long it is paused; 0 for a kill.
    """

    at_s: float
    name: str
    for_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Crashed:
    """A crash or a pause that took place; times in seconds since the epoch."""

    crash: Crash
    at: float
    until: float
    pid: int


def drawn_kills(
    names: Sequence[str], *, seed: int, every: KillEvery, storm_s: float
) -> tuple[Crash, ...]:
    """Draw who is killed when."""
    chance = Random(f"kills of {seed}")
    kills: list[Crash] = []
    at_s = chance.uniform(every.shortest_s, every.longest_s)
    while at_s < storm_s:
        kills.append(Crash(at_s=at_s, name=chance.choice(names), for_s=0.0))
        at_s += chance.uniform(every.shortest_s, every.longest_s)
    return tuple(kills)


def drawn_pauses(*, seed: int, storm_s: float) -> tuple[Crash, ...]:
    """Draw the pauses: the store twice, and in between a pump for longer than its lease."""
    chance = Random(f"pauses of {seed}")
    return tuple(
        Crash(at_s=storm_s * (share + chance.uniform(-0.05, 0.05)), name=name, for_s=for_s)
        for share, name, for_s in (
            (0.2, STORE, STORE_PAUSE_S),
            (0.4, chance.choice(PUMPS), PUMP_PAUSE_S),
            (0.9, STORE, STORE_PAUSE_S),
        )
    )


class Crasher:
    """Carries out crashes, each at its time, until there are none left or it is stopped."""

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
        """What has been done so far."""
        return tuple(self._done)

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to be done."""
        return not self._thread.is_alive()

    def check(self) -> None:
        """Do nothing as long as all goes as planned.

        Raises:
            LocalStackError: The stack could not be crashed as it should.
        """
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        try:
            self._carry_out()
        except LocalStackError as error:
            self._failure = error

    def _carry_out(self) -> None:
        began_at_s = time.monotonic()
        for crash in self._crashes:
            if self._stopping.wait(max(0.0, began_at_s + crash.at_s - time.monotonic())):
                return
            at = time.time()
            pid = self._paused(crash) if crash.for_s else self._processes.kill(crash.name)
            self._done.append(Crashed(crash=crash, at=at, until=time.time(), pid=pid))

    def _paused(self, crash: Crash) -> int:
        """Stop a process and let it go on; who was killed meanwhile does not."""
        pid = self._processes.pid(crash.name)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGSTOP)
        try:
            self._stopping.wait(crash.for_s)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGCONT)
        return pid
