"""Virtual time: flows of control that take turns, each one greenlet of one instance."""

import heapq
import traceback
from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING, Any

from greenlet import greenlet  # type: ignore[import-untyped]

from infra.simulator.history import History
from infra.simulator.switches import Switches

if TYPE_CHECKING:
    from infra.simulator.instances import Instance


# A history that takes more has begun to turn in circles.
MOST_STEPS = 600_000


class Crashed(BaseException):
    """The instance that this flow belongs to is gone; nothing it does has an effect."""


class Flow:
    """One thread of control.

    Attributes:
        turns: Changes whenever the flow goes on, so that an older alarm finds it gone.
        results: What this flow was given and has not acted on yet.
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


class World:
    """The virtual clock, the one source of chance, and what is planned.

    Attributes:
        now_s: True seconds since the beginning.
        faults: How many faults were drawn that may happen.
        struck: Those that did, by their number, each with its kind.
        is_calm: Whether faults have stopped.
    """

    def __init__(self, rng: Random, switches: Switches) -> None:
        self.rng = rng
        self.history = History()
        self.now_s = 0.0
        self.steps = 0
        self.is_calm = False
        self.faults = 0
        self.struck: dict[int, str] = {}
        self.flow: Flow | None = None
        self.flows = 0
        self._switches = switches
        self._planned: list[tuple[float, float, int, Callable[[], None]]] = []
        self._serial = 0
        self._hub = greenlet.getcurrent()

    def note(self, who: str, what: str) -> None:
        """Add a line to the timeline."""
        self.history.lines.append((self.now_s, who, what))

    def may_fail(self, kind: str) -> bool:
        """Return whether a fault that was drawn is let happen, and count it if so."""
        if self.is_calm or kind in self._switches.off or self.faults >= self._switches.most_faults:
            return False
        self.faults += 1
        if self.faults - 1 in self._switches.left_out:
            return False
        self.struck[self.faults - 1] = kind
        return True

    def strikes(self, kind: str, chance: float) -> bool:
        """Draw whether a fault of this kind happens now."""
        return chance > 0.0 and self.rng.random() < chance and self.may_fail(kind)

    def after(self, delay_s: float, happen: Callable[[], None]) -> None:
        """Plan something; what falls on the same moment comes in random order."""
        self._serial += 1
        plan = (self.now_s + delay_s, self.rng.random(), self._serial, happen)
        heapq.heappush(self._planned, plan)

    def spawn(
        self, name: str, instance: "Instance | None", body: Callable[[], None], *, delay_s: float
    ) -> Flow:
        """Begin a flow; its instance, if it has one, must still be there by then."""

        def run() -> None:
            try:
                body()
            except Crashed:
                pass
            except Exception:  # noqa: BLE001 - whatever the product lets out is a finding
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
        """Have a flow go on later, unless something else made it go on before."""
        self._plan_turn(flow, delay_s, value, turns)

    def wait(self) -> Any:
        """Let others go on until somebody wakes this flow; return what it is woken with."""
        return self._hub.switch()

    def pause(self, seconds: float) -> None:
        """Let virtual time pass for this flow."""
        flow = self.flow
        assert flow is not None  # noqa: S101 - only flows can wait
        self._plan_turn(flow, max(seconds, 0.0), None, flow.turns)
        self._hub.switch()

    def throw(self, flow: Flow) -> None:
        """End a flow of an instance that is gone."""

        def end() -> None:
            if flow.greenlet:
                flow.turns += 1
                self._switch(flow, Crashed())

        self.after(0.0, end)

    def run_until(self, until_s: float) -> None:
        """Let everything happen that is planned up to this moment."""
        planned = self._planned
        while planned and planned[0][0] <= until_s and self.steps < MOST_STEPS:
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
                # What has not begun by then begins, and ends at the first thing that it does.
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
