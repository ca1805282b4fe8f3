"""A process that outlives the stack just long enough to end what the stack left behind.

Its standard input is a pipe that only the stack holds open. When the stack ends, however
it ends (SIGKILL too), the pipe ends, and every process group still on the list is killed.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterable
from types import TracebackType
from typing import Self


class Guard:
    """The stack's side: tells the guard process whom to watch."""

    def __init__(self) -> None:
        read_end, self._pipe = os.pipe()
        self._process = subprocess.Popen(
            (sys.executable, "-I", "-S", __file__),
            stdin=read_end,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(read_end)

    def watch(self, group: int) -> None:
        """Have *group* killed if this process ends before it is released."""
        self._tell(f"+{group}\n")

    def release(self, group: int) -> None:
        """Forget *group*: its number may soon be somebody else's."""
        self._tell(f"-{group}\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        os.close(self._pipe)
        self._process.wait()

    def _tell(self, line: str) -> None:
        try:
            os.write(self._pipe, line.encode())
        except BrokenPipeError:
            return


def end_groups_left_over(lines: Iterable[str]) -> None:
    """Read whom to watch and whom to release until the end; kill whoever remains."""
    watched: set[int] = set()
    for line in lines:
        group = int(line[1:])
        if line[0] == "+":
            watched.add(group)
        if line[0] == "-":
            watched.discard(group)
    for group in watched:
        try:
            os.killpg(group, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            continue


if __name__ == "__main__":
    end_groups_left_over(sys.stdin)
