"""This machine's clock and threads."""

import contextvars
import queue
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any


class SystemClock:
    """The time of this machine."""

    def now(self) -> datetime:
        """See `Clock`."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """See `Clock`."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """See `Clock`."""
        time.sleep(seconds)


class WorkerThreads:
    """A pool of threads for one run of a pump.

    New threads for every run: what belongs to a thread, like its connections, never outlives
    the run and so never sleeps through a time in which the instance had no CPU.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self._pool = ThreadPoolExecutor(size, thread_name_prefix="worker")
        self._done: queue.SimpleQueue[Future[Any]] = queue.SimpleQueue()

    def start(self, task: Callable[[], Any]) -> Future[Any]:
        """See `Workers`; the task logs with the context of who started it."""
        future = self._pool.submit(contextvars.copy_context().run, task)
        future.add_done_callback(self._done.put)
        return future

    def wait(self, timeout_s: float) -> Sequence[Future[Any]]:
        """See `Workers`."""
        try:
            ended = [self._done.get(timeout=max(timeout_s, 0.0))]
        except queue.Empty:
            return []
        return ended + self._collected()

    def close(self) -> Sequence[Future[Any]]:
        """See `Workers`."""
        self._pool.shutdown(wait=True)
        return self._collected()

    def _collected(self) -> list[Future[Any]]:
        ended = []
        while not self._done.empty():
            ended.append(self._done.get_nowait())
        return ended
