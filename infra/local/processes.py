"""Child processes: free ports, health probes, process groups and their supervisor."""

import http.client
import logging
import os
import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from infra.local.errors import LocalStackError, PortTaken, StackFailed, Stopped
from infra.local.reaper import Reaper

HOST = "127.0.0.1"
# A pump may hold a request for its whole window, and gunicorn would wait 30 s for it.
GRACE_S = 2.0

_START_ATTEMPTS = 3
_PROBE_EVERY_S = 0.05
_PROBE_TIMEOUT_S = 1.0
_WAIT_STEP_S = 0.02
_SUPERVISE_EVERY_S = 0.05
# A dead fork stays in its group until init reaps it, which some inits put off.
_GROUP_GONE_WITHIN_S = 0.2
# What Java and Python say, and gunicorn.
_PORT_TAKEN = re.compile("(address already|connection) in use", re.IGNORECASE)

Started = TypeVar("Started")

log = logging.getLogger(__name__)


class StopRequest:
    """Remembers that the stack was asked to stop.

    A bare flag instead of a `threading.Event`: signal handlers set it, and the interrupted
    thread may hold the event's lock.
    """

    def __init__(self) -> None:
        self.made = False

    def make(self) -> None:
        """Ask the stack to stop."""
        self.made = True

    def check(self) -> None:
        """Raise `Stopped` if the stack was asked to stop."""
        if self.made:
            raise Stopped("stopped before everything answered")


def free_ports(count: int) -> tuple[int, ...]:
    """Choose *count* different ports that are free right now."""
    with ExitStack() as open_sockets:
        sockets = [open_sockets.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind((HOST, 0))
        return tuple(each.getsockname()[1] for each in sockets)


def start_on_free_ports(start: Callable[[ExitStack], Started], *, cleanup: ExitStack) -> Started:
    """Start something, and start over if another program takes one of its ports first.

    Args:
        start: Chooses new ports each time; registers how to undo the start on its argument.
        cleanup: Takes over what undoes the successful start.
    """
    for _ in range(_START_ATTEMPTS - 1):
        with ExitStack() as undo:
            try:
                started = start(undo)
            except PortTaken:
                continue
            cleanup.push(undo.pop_all())
            return started
    return start(cleanup)


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """A GET request, and the statuses that show the right program answered it."""

    port: int
    path: str
    statuses: frozenset[int]

    def is_answered(self) -> bool:
        """Send the request once."""
        connection = http.client.HTTPConnection(HOST, self.port, timeout=_PROBE_TIMEOUT_S)
        try:
            connection.request("GET", self.path)
            return connection.getresponse().status in self.statuses
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


def wait_until_answered(
    probes: Mapping[str, Probe], *, timeout_s: float, check: Callable[[], None]
) -> None:
    """Repeat every probe until each has been answered once.

    Args:
        probes: By the name of the process.
        check: Called between rounds; raises if waiting has become pointless.

    Raises:
        StackFailed: Names the processes that did not answer in time.
    """
    silent = dict(probes)
    give_up_at = time.monotonic() + timeout_s
    while True:
        check()
        silent = {name: probe for name, probe in silent.items() if not probe.is_answered()}
        if not silent:
            return
        if time.monotonic() > give_up_at:
            raise StackFailed(f"no answer within {timeout_s:g} s from {', '.join(silent)}")
        time.sleep(_PROBE_EVERY_S)


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What to run, and which log its output goes to."""

    name: str
    args: tuple[str, ...]
    env: Mapping[str, str]
    cwd: Path
    log: Path


class Process:
    """A child in a session of its own, so that its forks end with it.

    gunicorn's worker outlives a killed master and keeps its port, so an instance is the
    whole process group.
    """

    def __init__(self, command: Command, *, reaper: Reaper) -> None:
        self.command = command
        self._reaper = reaper
        try:
            with command.log.open("ab") as log_file:
                self._popen = subprocess.Popen(
                    command.args,
                    env=dict(command.env),
                    cwd=command.cwd,
                    stdin=subprocess.DEVNULL,
                    stdout=log_file,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
        except OSError as error:
            raise StackFailed(f"{command.name} cannot be started: {error}") from error
        reaper.watch(self.pid)

    @property
    def pid(self) -> int:
        """The leader's process id, which is also the group's."""
        return self._popen.pid

    def exit_code(self) -> int | None:
        """Return the leader's exit code (negative: a signal), or None while it runs."""
        return self._popen.poll()

    def failure(self, code: int) -> StackFailed:
        """Return the error for an unexpected end with exit code *code*."""
        how = f"exit code {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"
        return StackFailed(
            f"{self.command.name} ended ({how}); its log ends with:\n{log_tail(self.command.log)}"
        )

    def send(self, number: signal.Signals) -> bool:
        """Send a signal to the whole group; return False if the group is empty."""
        try:
            os.killpg(self.pid, number)
        except (ProcessLookupError, PermissionError):
            return False
        return True

    def kill(self) -> None:
        """Kill the whole group and wait until it is gone."""
        self.send(signal.SIGKILL)
        self._popen.wait()
        give_up_at = time.monotonic() + _GROUP_GONE_WITHIN_S
        while self.send(signal.SIGKILL) and time.monotonic() < give_up_at:
            time.sleep(_WAIT_STEP_S)
        self._reaper.release(self.pid)


def stop_all(processes: Sequence[Process], *, grace_s: float = GRACE_S) -> None:
    """Terminate the processes, and kill those that are still there after *grace_s*."""
    for process in processes:
        process.send(signal.SIGTERM)
    give_up_at = time.monotonic() + grace_s
    while time.monotonic() < give_up_at:
        if all(process.exit_code() is not None for process in processes):
            break
        time.sleep(_WAIT_STEP_S)
    for process in processes:
        process.kill()


def check_port(command: Command) -> None:
    """Raise `PortTaken` if a starting process says in its log that its port is taken.

    Its exit would tell less: the Pub/Sub emulator lives on without its port, and gunicorn
    retries for five seconds.
    """
    if command.log.exists() and _PORT_TAKEN.search(command.log.read_text(errors="replace")):
        raise PortTaken(f"{command.name} found its port taken")


def log_tail(path: Path, *, lines: int = 20) -> str:
    """Return the last lines of a log, or nothing if there is none."""
    if not path.exists():
        return ""
    return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A process of the stack.

    Attributes:
        probe: Shows that it is up.
        restarts: Whether it is restarted when it ends; otherwise the stack ends with it.
    """

    command: Command
    probe: Probe
    restarts: bool

    @property
    def name(self) -> str:
        """The service's name in messages, logs and process lists."""
        return self.command.name


@dataclass(frozen=True, slots=True, kw_only=True)
class RestartPolicy:
    """How the supervisor restarts a service that ended.

    Attributes:
        delay_s: The pause before a restart.
        quick_exit_s: A service that exits by itself within this time failed to start.
        max_quick_exits: After so many quick exits in a row the stack fails.
    """

    delay_s: float = 1.0
    quick_exit_s: float = 10.0
    max_quick_exits: int = 5


@dataclass(slots=True)
class _Supervised:
    service: Service
    process: Process | None = None
    pid: int = 0
    started_at: float = 0.0
    restart_at: float = 0.0
    quick_exits: int = 0


class Supervisor:
    """Starts the services and restarts those that end, from a thread of its own."""

    def __init__(
        self,
        services: Sequence[Service],
        *,
        reaper: Reaper,
        on_restart: Callable[[], None],
        policy: RestartPolicy,
    ) -> None:
        self._reaper = reaper
        self._on_restart = on_restart
        self._policy = policy
        self._supervised = {service.name: _Supervised(service) for service in services}
        self._failure: LocalStackError | None = None
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="supervisor", daemon=True)

    def start(self) -> None:
        """Start every service at once.

        Raises:
            StackFailed: A program does not exist.
        """
        for one in self._supervised.values():
            self._start(one)
        self._thread.start()

    def stop(self) -> None:
        """End every process: first the functions, then the emulators that they use."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
        for restarts in (True, False):
            stop_all(
                [
                    one.process
                    for one in self._supervised.values()
                    if one.process is not None and one.service.restarts is restarts
                ]
            )

    def check(self) -> None:
        """Raise `LocalStackError` if a service ended for good or does not start."""
        if self._failure is not None:
            raise self._failure

    def pid(self, name: str) -> int:
        """Return the process id of a service, the last one while it is down."""
        return self._supervised[name].pid

    def kill(self, name: str, *, timeout_s: float) -> int:
        """Kill a service's whole group, wait until that is noticed, return the pid it had."""
        one = self._supervised[name]
        pid, process = one.pid, one.process
        if process is not None:
            process.send(signal.SIGKILL)
        self._wait(
            lambda: one.process is None or one.pid != pid,
            timeout_s=timeout_s,
            expected=f"{name} to be missed",
        )
        return pid

    def wait_restarted(self, name: str, old_pid: int, *, timeout_s: float) -> int:
        """Wait until a service has another pid than *old_pid*, and return the new one.

        Raises:
            LocalStackError: The stack failed, or the restart took too long.
        """
        one = self._supervised[name]
        self._wait(
            lambda: one.process is not None and one.pid != old_pid,
            timeout_s=timeout_s,
            expected=f"{name} to be started again",
        )
        return one.pid

    def _wait(self, reached: Callable[[], bool], *, timeout_s: float, expected: str) -> None:
        with self._changed:
            in_time = self._changed.wait_for(
                lambda: reached() or self._failure is not None, timeout_s
            )
        self.check()
        if not in_time:
            raise StackFailed(f"waited {timeout_s:g} s for {expected}")

    def _run(self) -> None:
        while not self._stopping.wait(_SUPERVISE_EVERY_S):
            try:
                for one in self._supervised.values():
                    self._supervise(one)
            except LocalStackError as failure:
                self._failure = failure
                return
            except OSError as error:
                self._failure = StackFailed(f"the stack cannot go on: {error}")
                return
            finally:
                with self._changed:
                    self._changed.notify_all()

    def _supervise(self, one: _Supervised) -> None:
        if one.process is None:
            if time.monotonic() >= one.restart_at:
                self._start(one)
                log.info("%s was started again, pid %d", one.service.name, one.pid)
                self._on_restart()
            return
        code = one.process.exit_code()
        if code is not None:
            self._plan_restart(one, one.process, code)

    def _start(self, one: _Supervised) -> None:
        one.process = Process(one.service.command, reaper=self._reaper)
        one.pid = one.process.pid
        one.started_at = time.monotonic()

    def _plan_restart(self, one: _Supervised, ended: Process, code: int) -> None:
        noticed_at = time.monotonic()
        ended.kill()
        one.process = None
        failure = ended.failure(code)
        if not one.service.restarts:
            raise failure
        is_quick = code >= 0 and noticed_at - one.started_at < self._policy.quick_exit_s
        one.quick_exits = one.quick_exits + 1 if is_quick else 0
        if one.quick_exits >= self._policy.max_quick_exits:
            raise failure
        one.restart_at = noticed_at + self._policy.delay_s
        log.info("%s ended, to be started again (code %d)", one.service.name, code)
