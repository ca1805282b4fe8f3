"""Keeps the stack's processes running, or says why it cannot."""

import logging
import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from infra.local.errors import LocalStackError, StackFailed
from infra.local.guard import Guard
from infra.local.probes import Probe
from infra.local.processes import Command, Process, stop_all

_LOOK_EVERY_S = 0.05

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One process of the stack, and what its end means.

    Args:
        probe: What shows that it is up.
        restarts: Started again when it ends; otherwise its end is the stack's.
    """

    command: Command
    probe: Probe
    restarts: bool

    @property
    def name(self) -> str:
        """The service's name in messages, logs and process lists."""
        return self.command.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How a service that ends is treated.

    Args:
        restart_after_s: The pause before it is started again.
        quick_s: An exit of its own within this time counts as not having started.
        quick_exits: So many of them in a row, and the stack gives up.
    """

    restart_after_s: float = 1.0
    quick_s: float = 10.0
    quick_exits: int = 5


@dataclass(slots=True)
class _Watch:
    service: Service
    process: Process | None = None
    pid: int = 0
    started_at: float = 0.0
    start_again_at: float = 0.0
    quick_exits: int = 0


class Supervisor:
    """Starts the services, and looks after them from one thread until stopped."""

    def __init__(
        self,
        services: Sequence[Service],
        *,
        guard: Guard,
        on_restart: Callable[[], None],
        patience: Patience,
    ) -> None:
        self._guard = guard
        self._on_restart = on_restart
        self._patience = patience
        self._watches = {service.name: _Watch(service) for service in services}
        self._failure: LocalStackError | None = None
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="supervisor", daemon=True)

    def start(self) -> None:
        """Start every service, all at once.

        Raises:
            StackFailed: One of them is not even a program.
        """
        for watch in self._watches.values():
            self._start(watch)
        self._thread.start()

    def stop(self) -> None:
        """End every process: first what may be started again, then what the rest leans on."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
        for restarts in (True, False):
            stop_all(
                [
                    watch.process
                    for watch in self._watches.values()
                    if watch.process is not None and watch.service.restarts is restarts
                ]
            )

    def check(self) -> None:
        """Do nothing as long as all is well.

        Raises:
            LocalStackError: Something ended that may not, or does not start.
        """
        if self._failure is not None:
            raise self._failure

    def pid(self, name: str) -> int:
        """Return the process id of a service, the last one while it is down."""
        return self._watches[name].pid

    def kill(self, name: str, *, timeout_s: float) -> int:
        """Crash a service as a whole, wait until that was noticed, return the pid it had."""
        watch = self._watches[name]
        pid = watch.pid
        process = watch.process
        if process is not None:
            process.send(signal.SIGKILL)
        self._wait(
            lambda: watch.process is None or watch.pid != pid,
            timeout_s=timeout_s,
            wanted=f"{name} to be missed",
        )
        return pid

    def wait_restarted(self, name: str, old_pid: int, *, timeout_s: float) -> int:
        """Wait until a service has another pid than *old_pid*, and return it.

        Raises:
            LocalStackError: The stack failed, or it took too long.
        """
        watch = self._watches[name]
        self._wait(
            lambda: watch.process is not None and watch.pid != old_pid,
            timeout_s=timeout_s,
            wanted=f"{name} to be started again",
        )
        return watch.pid

    def _wait(self, reached: Callable[[], bool], *, timeout_s: float, wanted: str) -> None:
        with self._changed:
            in_time = self._changed.wait_for(
                lambda: reached() or self._failure is not None, timeout_s
            )
        self.check()
        if not in_time:
            raise StackFailed(f"waited {timeout_s:g} s for {wanted}")

    def _run(self) -> None:
        while not self._stopping.wait(_LOOK_EVERY_S):
            try:
                for watch in self._watches.values():
                    self._look_after(watch)
            except LocalStackError as failure:
                self._failure = failure
                return
            except OSError as error:
                self._failure = StackFailed(f"the stack cannot go on: {error}")
                return
            finally:
                with self._changed:
                    self._changed.notify_all()

    def _look_after(self, watch: _Watch) -> None:
        if watch.process is None:
            if time.monotonic() >= watch.start_again_at:
                self._start(watch)
                log.info("%s was started again, pid %d", watch.service.name, watch.pid)
                self._on_restart()
            return
        code = watch.process.exit_code()
        if code is not None:
            self._bury(watch, watch.process, code)

    def _start(self, watch: _Watch) -> None:
        process = Process(watch.service.command, guard=self._guard)
        watch.process = process
        watch.pid = process.pid
        watch.started_at = time.monotonic()

    def _bury(self, watch: _Watch, process: Process, code: int) -> None:
        """Make room for a service's next life, unless its end cannot be lived with."""
        noticed_at = time.monotonic()
        process.kill()
        watch.process = None
        failure = process.failure(code)
        if not watch.service.restarts:
            raise failure
        quick = code >= 0 and noticed_at - watch.started_at < self._patience.quick_s
        watch.quick_exits = watch.quick_exits + 1 if quick else 0
        if watch.quick_exits >= self._patience.quick_exits:
            raise failure
        watch.start_again_at = noticed_at + self._patience.restart_after_s
        log.info("%s ended, to be started again (code %d)", watch.service.name, code)
