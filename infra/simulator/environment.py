"""The simulated environment: a virtual clock, greenlets as threads, and fault injection."""

import heapq
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any

from greenlet import greenlet

from infra.verification.history import History

if TYPE_CHECKING:
    from infra.simulator.instances import Instance


# A history that takes more steps is in an endless loop.
MAX_STEPS = 600_000


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultSwitches:
    """Which of a seed's faults happen: all, or fewer while a failure is being shrunk.

    Attributes:
        most_faults: How many faults happen at most, the first ones.
        left_out: The numbers of single faults, counted from 0, that do not happen.
        off: The kinds of fault that never happen.
        keeps_outputs: Results are copied to a bucket in every history.
        calls_back: Tenants have bursts of callbacks in every history.
        is_crowded: Several tenants send bursts of jobs in every history.
        asks_for_lists: Callers ask for many lists of each provider, all the time.
        scenario: The scenario of every history; None for the usual mixture.
        most_jobs: How many of the profile's jobs are created at most.
    """

    most_faults: int = sys.maxsize
    left_out: frozenset[int] = frozenset()
    off: frozenset[str] = frozenset()
    most_jobs: int = sys.maxsize
    keeps_outputs: bool = False
    calls_back: bool = False
    is_crowded: bool = False
    asks_for_lists: bool = False
    scenario: str | None = None


ALL_ON = FaultSwitches()


class Crashed(BaseException):
    """The instance of this flow has crashed; nothing that the flow does has an effect."""


class Flow:
    """A thread, run as a greenlet.

    Attributes:
        turns: Counts how often the flow was resumed, so that a stale wake-up is ignored.
        results: The usable results that this flow has received and not acted on yet.
    """

    __slots__ = ("greenlet", "instance", "name", "results", "turns")

    def __init__(
        self, name: str, instance: "Instance | None", body: Callable[[], None], *, hub: greenlet
    ) -> None:
        self.name = name
        self.instance = instance
        self.turns = 0
        self.results: list[Any] = []
        self.greenlet = greenlet(body, hub)


class Environment:
    """The virtual clock, the only source of randomness, and the schedule.

    Attributes:
        now_s: True seconds since the start.
        faults: How many faults were drawn.
        injected: The kind of each fault that happened, by its number.
        is_calm: Whether faults have stopped.
    """

    def __init__(self, rng: Random, switches: FaultSwitches) -> None:
        self.rng = rng
        self.history = History()
        self.now_s = 0.0
        self.steps = 0
        self.is_calm = False
        self.faults = 0
        self.injected: dict[int, str] = {}
        self.flow: Flow | None = None
        self.flows = 0
        self._switches = switches
        self._planned: list[tuple[float, float, int, Callable[[], None]]] = []
        self._serial = 0
        self._hub = greenlet.getcurrent()

    def note(self, who: str, what: str) -> None:
        """Add a line to the trace."""
        self.history.lines.append((self.now_s, who, what))

    def may_inject(self, kind: str) -> bool:
        """Count a fault that was drawn, and return whether it happens."""
        if self.is_calm or kind in self._switches.off or self.faults >= self._switches.most_faults:
            return False
        self.faults += 1
        if self.faults - 1 in self._switches.left_out:
            return False
        self.injected[self.faults - 1] = kind
        return True

    def injects(self, kind: str, chance: float) -> bool:
        """Draw whether a fault of this kind happens now."""
        return chance > 0.0 and self.rng.random() < chance and self.may_inject(kind)

    def after(self, delay_s: float, happen: Callable[[], None]) -> None:
        """Schedule something; what is due at the same moment happens in random order."""
        self._serial += 1
        plan = (self.now_s + delay_s, self.rng.random(), self._serial, happen)
        heapq.heappush(self._planned, plan)

    def spawn(
        self, name: str, instance: "Instance | None", body: Callable[[], None], *, delay_s: float
    ) -> Flow:
        """Start a flow after a delay, unless its instance has crashed by then."""

        def run() -> None:
            try:
                body()
            except Crashed:
                pass
            except Exception:  # noqa: BLE001 - any error of the product is a finding
                self.history.bugs.append(traceback.format_exc())
                self.note(name, f"BROKE {traceback.format_exc(limit=-3)}")
            finally:
                self.flows -= 1
                if instance is not None:
                    instance.flows.pop(flow, None)

        flow = Flow(name, instance, run, hub=self._hub)
        self.flows += 1
        if instance is not None:
            instance.flows[flow] = None
        self._plan_turn(flow, delay_s, None)
        return flow

    def wake(self, flow: Flow, turns: int, delay_s: float, value: object) -> None:
        """Resume a flow later, unless something else resumes it first."""
        self._plan_turn(flow, delay_s, value, turns)

    def wait(self) -> Any:
        """Suspend this flow until it is woken; return the value passed to `wake`."""
        return self._hub.switch()

    def pause(self, seconds: float) -> None:
        """Suspend this flow for some virtual seconds."""
        flow = self.flow
        assert flow is not None  # noqa: S101 - only flows can wait
        self._plan_turn(flow, max(seconds, 0.0), None, flow.turns)
        self._hub.switch()

    def throw(self, flow: Flow) -> None:
        """End a flow of a crashed instance."""

        def end() -> None:
            if flow.greenlet:
                flow.turns += 1
                self._switch(flow, Crashed())

        self.after(0.0, end)

    @property
    def next_s(self) -> float | None:
        """When the next thing happens; None if nothing does."""
        return self._planned[0][0] if self._planned else None

    def run_until(self, until_s: float) -> None:
        """Run everything scheduled up to this moment."""
        planned = self._planned
        while planned and planned[0][0] <= until_s and self.steps < MAX_STEPS:
            at_s, _, _, happen = heapq.heappop(planned)
            self.now_s = at_s
            self.steps += 1
            happen()
        self.now_s = max(self.now_s, until_s)

    def _plan_turn(self, flow: Flow, delay_s: float, value: object, turns: int = 0) -> None:
        def turn() -> None:
            if flow.turns != turns:
                return
            instance = flow.instance
            if instance is not None:
                # A flow that has not started yet does start, and ends at its first action.
                if instance.is_dead and flow.greenlet:
                    return
                if instance.frozen_until_s > self.now_s and not instance.is_dead:
                    wait_s = instance.frozen_until_s - self.now_s
                    self.after(wait_s + 0.01 * self.rng.random(), turn)
                    return
            flow.turns += 1
            self._switch(flow, value)

        self.after(delay_s, turn)

    def _switch(self, flow: Flow, value: object) -> None:
        before, self.flow = self.flow, flow
        try:
            if isinstance(value, Crashed):
                flow.greenlet.throw(value)
            elif flow.greenlet:
                flow.greenlet.switch(value)
            else:
                flow.greenlet.switch()
        finally:
            self.flow = before
