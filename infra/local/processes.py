"""Child processes that are ended together with all that they forked."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from infra.local.errors import PortTaken, StackFailed
from infra.local.guard import Guard

GRACE_S = 2.0
"""A pump may hold a request for its whole window, and gunicorn would wait 30 s for it."""

_PORT_TAKEN = re.compile("(address already|connection) in use", re.IGNORECASE)
"""What Java and Python say, and gunicorn."""

_LOOK_EVERY_S = 0.02
_GROUP_GONE_WITHIN_S = 0.2
"""A dead fork stays in its group until init has reaped it, which some inits put off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What to run, and where its output goes."""

    name: str
    args: tuple[str, ...]
    env: Mapping[str, str]
    cwd: Path
    log: Path


class Process:
    """One child in a session of its own, so that its forks can be ended with it.

    gunicorn's worker outlives a master that is killed, and keeps its port; the group is
    what makes an instance.
    """

    def __init__(self, command: Command, *, guard: Guard) -> None:
        self.command = command
        self._guard = guard
        try:
            with command.log.open("ab") as log:
                self._popen = subprocess.Popen(
                    command.args,
                    env=dict(command.env),
                    cwd=command.cwd,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
        except OSError as error:
            raise StackFailed(f"{command.name} cannot be started: {error}") from error
        guard.watch(self.pid)

    @property
    def pid(self) -> int:
        """The leader's process id, which is the group's too."""
        return self._popen.pid

    def exit_code(self) -> int | None:
        """Return the leader's exit code (negative: a signal), or None while it runs."""
        return self._popen.poll()

    def failure(self, code: int) -> StackFailed:
        """Return what is to be said of an end with exit code *code* that nobody wanted."""
        return StackFailed(
            f"{self.command.name} ended ({_ending(code)}); its log ends with:\n"
            f"{log_tail(self.command.log)}"
        )

    def send(self, number: signal.Signals) -> bool:
        """Send a signal to the whole group; False if nobody is left in it."""
        try:
            os.killpg(self.pid, number)
        except (ProcessLookupError, PermissionError):
            return False
        return True

    def kill(self) -> None:
        """End the whole group now and wait until it is gone."""
        self.send(signal.SIGKILL)
        self._popen.wait()
        give_up_at = time.monotonic() + _GROUP_GONE_WITHIN_S
        while self.send(signal.SIGKILL) and time.monotonic() < give_up_at:
            time.sleep(_LOOK_EVERY_S)
        self._guard.release(self.pid)


def stop_all(processes: Sequence[Process], *, grace_s: float = GRACE_S) -> None:
    """Ask all of them to end, wait a moment, then kill what is left."""
    for process in processes:
        process.send(signal.SIGTERM)
    give_up_at = time.monotonic() + grace_s
    while time.monotonic() < give_up_at:
        if all(process.exit_code() is not None for process in processes):
            break
        time.sleep(_LOOK_EVERY_S)
    for process in processes:
        process.kill()


def _ending(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"


def check_port(command: Command) -> None:
    """Do nothing unless a starting process says that its port is taken.

    Its end tells less: the Pub/Sub emulator lives on without its port, and gunicorn tries
    for five seconds.

    Raises:
        PortTaken: It says so in its log.
    """
    if command.log.exists() and _PORT_TAKEN.search(command.log.read_text(errors="replace")):
        raise PortTaken(f"{command.name} found its port taken")


def log_tail(log: Path, *, lines: int = 20) -> str:
    """Return the last lines of a log, or nothing if there is none."""
    if not log.exists():
        return ""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
