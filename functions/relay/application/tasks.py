"""The tasks of one run: what its workers do, by kind, and who takes in the results.

A run's own thread decides, and keeps the lease. Whatever else waits for the store, a topic or a
remote server is a task of a worker; a task returns its result, and only the run's thread applies
it.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any

from relay.application.ports import Workers


class Tasks:
    """Starts tasks and takes in their results; for one thread.

    Args:
        open_workers: Starts that many workers.
        most: How many tasks of each kind run at a time; kinds do not wait for each other.
    """

    def __init__(self, open_workers: Callable[[int], Workers], most: Mapping[str, int]) -> None:
        self._most = most
        self._workers = open_workers(sum(most.values()))
        self._takes: dict[Future[Any], Callable[[Future[Any]], None]] = {}
        self._running = dict.fromkeys(most, 0)
        self._is_closing = False

    def start(
        self, kind: str, task: Callable[[], Any], take: Callable[[Future[Any]], None]
    ) -> None:
        """Start a task; one that comes up while the run is closing is dropped.

        Args:
            take: Called with the ended task, by the thread that waits.
        """
        if self._is_closing:
            return
        self._running[kind] += 1

        def taken(future: Future[Any]) -> None:
            self._running[kind] -= 1
            take(future)

        self._takes[self._workers.start(task)] = taken

    def has_worker(self, kind: str) -> bool:
        """Return whether a task of this kind would start at once."""
        return self._running[kind] < self._most[kind]

    def running(self, kind: str) -> int:
        """Return how many tasks of this kind have not been taken in."""
        return self._running[kind]

    def __len__(self) -> int:
        """Return how many tasks have not been taken in."""
        return len(self._takes)

    def wait(self, timeout_s: float) -> None:
        """Take in the tasks that ended; wait for one if there is none, no longer than this."""
        self._take(self._workers.wait(timeout_s))

    def close(self, *, timeout_s: float | None) -> None:
        """Wait for all tasks, no longer than this, and stop the workers."""
        self._is_closing = True
        self._take(self._workers.close(timeout_s=timeout_s))

    def _take(self, ended: Sequence[Future[Any]]) -> None:
        for future in ended:
            self._takes.pop(future)(future)
