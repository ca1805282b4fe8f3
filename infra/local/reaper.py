"""A child process that kills what the stack leaves behind, even after a SIGKILL.

Its standard input is a pipe that only the stack holds open. When the stack ends, the pipe
closes, and the reaper kills every process group that is still on its list.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterable
from typing import Self


class Reaper:
    """The stack's end of the pipe."""

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
        """Kill this process group if we end before releasing it."""
        self._tell(f"+{group}\n")

    def release(self, group: int) -> None:
        """Forget this process group: the system may soon reuse its number."""
        self._tell(f"-{group}\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._pipe)
        self._process.wait()

    def _tell(self, line: str) -> None:
        try:
            os.write(self._pipe, line.encode())
        except BrokenPipeError:
            return


def kill_groups_left_over(lines: Iterable[str]) -> None:
    """Read `+group` and `-group` lines to the end, then kill every group still listed."""
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
    kill_groups_left_over(sys.stdin)
