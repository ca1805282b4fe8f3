"""The pump's workers: each task is a flow of the pump's instance."""

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any

from infra.simulator.environment import Flow
from infra.simulator.instances import Instance
from infra.verification.history import UsableResult
from relay.errors import StoreUnavailable


class _Future(Future[Any]):
    """A future without a lock: there is only one thread, and nothing blocks on it."""

    def __init__(self) -> None:
        self._value: Any = None
        self._error: BaseException | None = None

    def set_result(self, result: Any) -> None:
        self._value = result

    def set_exception(self, exception: BaseException | None) -> None:
        self._error = exception

    def result(self, timeout: float | None = None) -> Any:
        del timeout
        if self._error is not None:
            raise self._error
        return self._value

    def exception(self, timeout: float | None = None) -> BaseException | None:
        del timeout
        return self._error


class SimulatedWorkers:
    """The `Workers` of one run of a pump."""

    def __init__(self, instance: Instance, size: int) -> None:
        self._size = size
        self._instance = instance
        self._waiting: deque[tuple[Callable[[], Any], Future[Any]]] = deque()
        self._done: list[Future[Any]] = []
        self._running = 0
        self._is_closed = False
        self._sleeper: tuple[Flow, int] | None = None

    def start(self, task: Callable[[], Any]) -> Future[Any]:
        """See `Workers`."""
        self._instance.check()
        if self._is_closed:
            raise RuntimeError("cannot schedule new futures after shutdown")
        future = _Future()
        self._waiting.append((task, future))
        self._start_waiting()
        return future

    def wait(self, timeout_s: float) -> Sequence[Future[Any]]:
        """See `Workers`."""
        self._instance.check()
        if not self._done:
            self._sleep(timeout_s)
        done, self._done = self._done, []
        return done

    def close(self, *, timeout_s: float | None) -> Sequence[Future[Any]]:
        """See `Workers`."""
        del timeout_s
        self._instance.check()
        self._is_closed = True
        while self._running:
            self._sleep(None)
        done, self._done = self._done, []
        return done

    def _sleep(self, timeout_s: float | None) -> None:
        env = self._instance.env
        flow = env.flow
        assert flow is not None  # noqa: S101 - only flows have workers
        self._sleeper = (flow, flow.turns)
        if timeout_s is not None:
            env.wake(flow, flow.turns, max(timeout_s, 0.0), None)
        env.wait()
        self._sleeper = None

    def _start_waiting(self) -> None:
        while self._waiting and self._running < self._size:
            task, future = self._waiting.popleft()
            self._running += 1
            delay_s = 0.001 * self._instance.env.rng.random()
            self._instance.spawn("worker", partial(self._do, task, future), delay_s=delay_s)

    def _do(self, task: Callable[[], Any], future: Future[Any]) -> None:
        flow = self._instance.env.flow
        try:
            future.set_result(task())
        except Exception as error:  # noqa: BLE001 - a pool keeps whatever a task raises
            future.set_exception(error)
        results: list[UsableResult] = flow.results if flow is not None else []
        for result in results:
            result.is_ours = not self._could_not_write(future, result)
        self._running -= 1
        self._done.append(future)
        self._start_waiting()
        self._wake_sleeper()

    def _could_not_write(self, future: Future[Any], result: UsableResult) -> bool:
        """Return whether the store failed for longer than the pump retries.

        This corresponds to a 503 for a callback. A pump that was only frozen is not excused.
        """
        if not isinstance(future.exception(), StoreUnavailable):
            return False
        env = self._instance.env
        was_frozen = self._instance.frozen_until_s > result.at_s
        return not was_frozen or any(
            outage.at_s < env.now_s and outage.until_s > result.at_s
            for outage in env.history.outages
        )

    def _wake_sleeper(self) -> None:
        if self._sleeper is not None:
            sleeper, turns = self._sleeper
            self._instance.env.wake(sleeper, turns, 0.0, None)
