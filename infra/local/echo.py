"""Shows the functions' logs in the terminal as they grow."""

import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Self

_LOOK_EVERY_S = 0.2


class LogEcho:
    """Copies new lines of several logs to standard output, each with the name of its log."""

    def __init__(self, logs: Mapping[str, Path]) -> None:
        self._logs = logs
        self._seen = dict.fromkeys(logs, 0)
        self._width = max(map(len, logs), default=0)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="log-echo", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(_LOOK_EVERY_S):
            for name, log in self._logs.items():
                self._copy_new_lines(name, log)

    def _copy_new_lines(self, name: str, log: Path) -> None:
        with log.open("rb") as file:
            file.seek(self._seen[name])
            new = file.read()
        whole_lines = new[: new.rfind(b"\n") + 1]
        self._seen[name] += len(whole_lines)
        for line in whole_lines.decode(errors="replace").splitlines():
            sys.stdout.write(f"{name:<{self._width}} | {line}\n")
        sys.stdout.flush()
