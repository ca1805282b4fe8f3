"""The official Firestore and Pub/Sub emulators, run as plain Java processes.

Without the gcloud wrapper: it leaves its Java behind when it is killed, and takes seconds
to start what is up in one.
"""

import logging
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from infra.local.errors import EmulatorsUnavailable
from infra.local.guard import Guard
from infra.local.jars import Jar, Kind, locate
from infra.local.java import java_for
from infra.local.ports import HOST, free_ports, start_on_free_ports
from infra.local.probes import Probe, wait_until_answered
from infra.local.processes import Command, Process, check_port, log_tail, stop_all
from infra.local.stopping import StopRequest

__all__ = ["Emulator", "EmulatorsUnavailable", "Kind", "find_emulator", "running_emulator"]

START_WITHIN_S = 30.0

_FETCH_WITHIN_S = 600.0
_LOOK_EVERY_S = 0.1

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Emulator:
    """An emulator that can be run on this machine."""

    kind: Kind
    java: Path
    jar: Jar

    @property
    def name(self) -> str:
        """What its process and its log are called."""
        return f"{self.kind}-emulator"

    def command(self, *, port: int, env: Mapping[str, str], log: Path) -> Command:
        """Return the command that serves it on *port*."""
        return Command(
            name=self.name,
            args=(
                str(self.java),
                "-Duser.language=en",
                *self.jar.args(host=HOST, port=port),
            ),
            env=env,
            cwd=log.parent,
            log=log,
        )


def probe(port: int) -> Probe:
    """Return what shows that an emulator on *port* is up; both answer alike."""
    return Probe(port=port, path="/", statuses=frozenset({200}))


def find_emulator(
    kind: Kind, *, env: Mapping[str, str], stop: StopRequest | None = None
) -> Emulator:
    """Find an emulator and a Java for it, fetching the emulator if need be.

    Raises:
        EmulatorsUnavailable: Says what to install.
        Stopped: *stop* was made while fetching.
    """

    def fetch(args: tuple[str, ...]) -> None:
        log.info("fetching the %s emulator: %s", kind, " ".join(args))
        _run_to_its_end(args, env=env, stop=stop or StopRequest())

    jar = locate(kind, env=env, fetch=fetch)
    return Emulator(kind=kind, java=java_for(jar, env=env), jar=jar)


@contextmanager
def running_emulator(kind: Kind, *, env: Mapping[str, str] | None = None) -> Iterator[str]:
    """Run one emulator alone on a free port, and give its `host:port` once it answers.

    Args:
        env: The environment to look in and to run in, by default this process's.

    Raises:
        EmulatorsUnavailable: Says what to install; a test suite skips on it.
        StackFailed: It does not start.
    """
    env = os.environ if env is None else env
    emulator = find_emulator(kind, env=env)

    def start(undo: ExitStack) -> str:
        guard = undo.enter_context(Guard())
        directory = Path(undo.enter_context(tempfile.TemporaryDirectory()))
        (port,) = free_ports(1)
        command = emulator.command(port=port, env=env, log=directory / "log")
        process = Process(command, guard=guard)
        undo.callback(stop_all, (process,))
        _wait_for(process, port=port)
        return f"{HOST}:{port}"

    with ExitStack() as cleanup:
        yield start_on_free_ports(start, cleanup=cleanup)


def _wait_for(process: Process, *, port: int) -> None:
    def check() -> None:
        check_port(process.command)
        code = process.exit_code()
        if code is not None:
            raise process.failure(code)

    wait_until_answered({process.command.name: probe(port)}, timeout_s=START_WITHIN_S, check=check)


def _run_to_its_end(args: tuple[str, ...], *, env: Mapping[str, str], stop: StopRequest) -> None:
    with ExitStack() as cleanup:
        guard = cleanup.enter_context(Guard())
        directory = Path(cleanup.enter_context(tempfile.TemporaryDirectory()))
        output = directory / "log"
        command = Command(name="fetch", args=args, env=env, cwd=directory, log=output)
        process = Process(command, guard=guard)
        cleanup.callback(process.kill)
        give_up_at = time.monotonic() + _FETCH_WITHIN_S
        while process.exit_code() is None and time.monotonic() < give_up_at:
            stop.check()
            time.sleep(_LOOK_EVERY_S)
        if process.exit_code() != 0:
            log.warning("%s failed:\n%s", " ".join(args), log_tail(output))
