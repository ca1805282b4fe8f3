"""The pump's threads: each run has its own, and nothing that they do is lost."""

import threading
from concurrent.futures import Future
from contextvars import ContextVar
from datetime import timedelta
from typing import Any

from relay.adapters.runtime import SystemClock, WorkerThreads

trace = ContextVar("trace", default="none")


def test_what_a_task_returns_or_raises_comes_back_in_its_future():
    workers = WorkerThreads(2)

    good, bad = workers.start(lambda: 7), workers.start(lambda: 1 / 0)
    ended: set[Future[Any]] = set()
    while len(ended) < 2:
        ended |= set(workers.wait(5))

    assert ended == {good, bad}
    assert good.result() == 7
    assert isinstance(bad.exception(), ZeroDivisionError)
    assert workers.close(timeout_s=None) == []


def test_waiting_ends_when_nothing_does():
    workers = WorkerThreads(1)

    assert workers.wait(0.01) == []

    workers.close(timeout_s=None)


def test_closing_waits_for_what_is_under_way_and_hands_it_over():
    workers = WorkerThreads(1)
    may_end = threading.Event()
    slow = workers.start(lambda: may_end.wait(5))

    threading.Timer(0.05, may_end.set).start()

    assert list(workers.close(timeout_s=None)) == [slow]
    assert slow.result() is True


def test_a_task_logs_with_the_trace_of_the_request_that_started_it():
    workers = WorkerThreads(1)
    trace.set("ours")

    workers.start(trace.get)
    (ended,) = workers.wait(5)

    assert ended.result() == "ours"
    workers.close(timeout_s=None)


def test_the_time_of_day_knows_its_zone():
    assert SystemClock().now().utcoffset() == timedelta(0)
