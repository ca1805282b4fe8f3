"""This machine's clock, threads and server."""

import contextvars
import ctypes
import queue
import signal
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import UTC, datetime
from typing import Any

# malloc.h of glibc.
M_MMAP_THRESHOLD = -3
LARGE_BLOCK_BYTES = 1024 * 1024


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
        self._pool = ThreadPoolExecutor(size, thread_name_prefix="worker")
        self._started: set[Future[Any]] = set()
        self._done: queue.SimpleQueue[Future[Any]] = queue.SimpleQueue()

    def start(self, task: Callable[[], Any]) -> Future[Any]:
        """See `Workers`; the task logs with the context of who started it."""
        future = self._pool.submit(contextvars.copy_context().run, task)
        self._started.add(future)
        future.add_done_callback(self._ended)
        return future

    def wait(self, timeout_s: float) -> Sequence[Future[Any]]:
        """See `Workers`."""
        try:
            ended = [self._done.get(timeout=max(timeout_s, 0.0))]
        except queue.Empty:
            return []
        return ended + self._collected()

    def close(self, *, timeout_s: float | None) -> Sequence[Future[Any]]:
        """See `Workers`."""
        if timeout_s is None:
            self._pool.shutdown(wait=True)
        else:
            wait(tuple(self._started), timeout=timeout_s)
            self._pool.shutdown(wait=False, cancel_futures=True)
        return self._collected()

    def _ended(self, future: Future[Any]) -> None:
        self._started.discard(future)
        self._done.put(future)

    def _collected(self) -> list[Future[Any]]:
        ended = []
        while not self._done.empty():
            ended.append(self._done.get_nowait())
        return ended


def return_large_blocks_at_once() -> None:
    """Have memory blocks of 1 MiB and more returned to the system as soon as they are freed.

    Once it has freed a large block, glibc takes the next from heaps, one for each thread, that stay
    as large as they were (mallopt(3), M_MMAP_THRESHOLD): 20 pictures of 25 MiB, two at a time,
    then took 475 MiB instead of 204.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK_BYTES)


def is_server_stopping() -> bool:
    """Return whether the server that runs this process was told to stop.

    The framework's server, gunicorn, handles SIGTERM by a method of its worker, and lets requests
    go on for as long as the platform lets it live; the worker's public `alive` says so (its
    documentation, "Settings > Server hooks", and `gunicorn.workers.base.Worker`). A handler of our
    own could only be set in the main thread, which runs no code of ours after the fork.
    """
    worker = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    return getattr(worker, "alive", True) is False
