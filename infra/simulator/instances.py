"""Instances of the functions: each has a clock of its own and makes calls that can fail."""

from bisect import bisect_right
from collections.abc import Callable
from datetime import datetime, timedelta
from enum import Enum, auto
from itertools import accumulate
from typing import TypeVar

from infra.simulator.environment import Crashed, Environment, Flow
from infra.simulator.profile import Profile
from infra.verification.history import EPOCH, Trouble
from relay.domain.account import LEASE_S
from relay.errors import RelayError

T = TypeVar("T")

# Shorter than the sending of a call, than a lease, and longer than both.
PAUSES_S = ((0.5, 4.0), (4.0, 15.0), (15.0, 60.0))


class CallFault(Enum):
    """What goes wrong with a call."""

    LOST_REQUEST = auto()
    LOST_REPLY = auto()
    LATE = auto()
    CRASH_BEFORE = auto()
    CRASH_AFTER = auto()
    FREEZE_BEFORE = auto()
    FREEZE_AFTER = auto()


class CallFaults:
    """How likely each fault of a call is.

    Args:
        what: The first part of these faults' kinds.
    """

    def __init__(self, what: str, chances: dict[CallFault, float]) -> None:
        kinds = [fault for fault, chance in chances.items() if chance > 0.0]
        self._what = what
        self._kinds = kinds
        self._edges = list(accumulate(chances[fault] for fault in kinds))
        self._most = self._edges[-1] if self._edges else 0.0

    @classmethod
    def of_service(
        cls, what: str, profile: Profile, *, lost_request: float, lost_reply: float, late: float
    ) -> "CallFaults":
        """Return the faults of calls to a service of our own; instances break around them."""
        chances = {
            CallFault.LOST_REQUEST: lost_request,
            CallFault.LOST_REPLY: lost_reply,
            CallFault.LATE: late,
            CallFault.CRASH_BEFORE: profile.crash_before,
            CallFault.CRASH_AFTER: profile.crash_after,
            CallFault.FREEZE_BEFORE: profile.freeze / 2,
            CallFault.FREEZE_AFTER: profile.freeze / 2,
        }
        return cls(what, chances)

    def draw(self, env: Environment) -> CallFault | None:
        """Draw what goes wrong with the next call; None if nothing does."""
        drawn = env.rng.random()
        if drawn >= self._most:
            return None
        fault = self._kinds[bisect_right(self._edges, drawn)]
        return fault if env.may_inject(f"{self._what}.{fault.name.lower()}") else None


class Instance:
    """An instance of a function, and the `Clock` of the code in it.

    Attributes:
        frozen_until_s: Until then none of its flows runs, as if it had no CPU.

    Args:
        troubles: Where to note crashes and freezes; None if they excuse nothing.
    """

    def __init__(
        self, env: Environment, profile: Profile, name: str, *, troubles: list[Trouble] | None
    ) -> None:
        self.env = env
        self.name = name
        self.is_dead = False
        self.frozen_until_s = 0.0
        self.flows: dict[Flow, None] = {}
        self._profile = profile
        self._troubles = troubles
        self._ahead_s = env.rng.uniform(-profile.skew_s, profile.skew_s)
        self._now_at_s, self._now = -1.0, EPOCH
        self._booted_s = env.rng.uniform(10.0, 1000.0)

    def now(self) -> datetime:
        """See `Clock`."""
        now_s = self.env.now_s + self._ahead_s
        if now_s != self._now_at_s:
            self._now_at_s, self._now = now_s, EPOCH + timedelta(seconds=now_s)
        return self._now

    def monotonic(self) -> float:
        """See `Clock`."""
        return self._booted_s + self.env.now_s

    def sleep(self, seconds: float) -> None:
        """See `Clock`."""
        self.check()
        self.env.pause(seconds)

    def check(self) -> None:
        """Raise `Crashed` if the instance has crashed."""
        if self.is_dead:
            raise Crashed

    def spawn(self, name: str, body: Callable[[], None], *, delay_s: float = 0.0) -> Flow:
        """Start a thread of this instance."""
        return self.env.spawn(f"{self.name}/{name}", self, body, delay_s=delay_s)

    def crash(self, where: str) -> None:
        """Crash: nothing in this instance has an effect from now on."""
        if self.is_dead:
            return
        self.is_dead = True
        self.env.note(self.name, f"CRASH {where}")
        self._trouble("crash", LEASE_S)
        for flow in list(self.flows):
            if flow is not self.env.flow:
                self.env.throw(flow)

    def freeze(self) -> None:
        """Freeze, for about as long as a call or for longer than a lease."""
        rng = self.env.rng
        seconds = rng.uniform(*rng.choice(PAUSES_S))
        self.env.note(self.name, f"FROZEN for {seconds:.1f} s")
        self.frozen_until_s = max(self.frozen_until_s, self.env.now_s + seconds)
        self._trouble("freeze", seconds + LEASE_S)

    def jump(self) -> None:
        """Set the time of day to another error."""
        skew_s = self._profile.skew_s
        self._ahead_s = self.env.rng.uniform(-skew_s, skew_s)
        self.env.note(self.name, f"clock set, now {self._ahead_s:+.3f} s off")

    def remote(
        self,
        label: str,
        effect: Callable[[], T],
        *,
        faults: CallFaults,
        timeout_s: float,
        failure: Callable[[], RelayError],
    ) -> T:
        """Make one call to the store or a topic.

        Args:
            effect: What the other side does when the request gets there.
            failure: The error for a call that was not answered.
        """
        self.check()
        env, flow = self.env, self.env.flow
        assert flow is not None  # noqa: S101 - only flows make calls
        profile, rng = self._profile, env.rng
        if env.injects("clock_jump", profile.clock_jump):
            self.jump()
        fault = faults.draw(env)
        if fault is CallFault.CRASH_BEFORE:
            self.crash(f"before {label}")
            raise Crashed
        if fault is CallFault.FREEZE_BEFORE:
            self.freeze()
            env.pause(0.0)
        out_s, back_s = self._way_s(), self._way_s()
        if fault is CallFault.LATE:
            out_s = timeout_s + rng.uniform(0.0, 8.0)
        turns = flow.turns
        name = flow.name

        def land() -> None:
            if fault is CallFault.LOST_REQUEST:
                env.note(name, f"{label}: request lost")
                env.wake(flow, turns, back_s, failure())
                return
            reply: object
            try:
                reply = effect()
                env.note(name, label)
            except RelayError as error:
                reply = error
                env.note(name, f"{label}: {type(error).__name__}")
            if fault is CallFault.CRASH_AFTER:
                self.crash(f"after {label}")
                return
            if fault is CallFault.FREEZE_AFTER:
                self.freeze()
            if fault is CallFault.LOST_REPLY:
                env.note(name, f"{label}: reply lost")
                reply = failure()
            env.wake(flow, turns, back_s, reply)

        env.after(out_s, land)
        if out_s + back_s > timeout_s:
            env.wake(flow, turns, timeout_s, failure())
        reply = env.wait()
        if isinstance(reply, RelayError):
            raise reply
        return reply  # type: ignore[no-any-return]

    def _way_s(self) -> float:
        rng = self.env.rng
        drawn = rng.random()
        if drawn < self._profile.sluggish and not self.env.is_calm:
            return rng.uniform(0.3, 4.0)
        return 0.002 + 0.03 * drawn * drawn

    def _trouble(self, what: str, lasts_s: float) -> None:
        if self._troubles is None:
            return
        now_s = self.env.now_s
        self._troubles.append(
            Trouble(at_s=now_s, what=f"{self.name}: {what}", until_s=now_s + lasts_s)
        )


class InstancePool:
    """The instances of one function; a crashed one is replaced.

    Attributes:
        instances: Those of now; a crashed one may still have flows that end.
    """

    def __init__(self, env: Environment, profile: Profile, name: str, count: int) -> None:
        self._env = env
        self._profile = profile
        self._name = name
        self._generation = 0
        self.instances = [self._new(number) for number in range(1, count + 1)]

    def pick(self) -> Instance:
        """Choose the instance for the next request."""
        number = self._env.rng.randrange(len(self.instances))
        if self.instances[number].is_dead:
            self.instances[number] = self._new(number + 1)
        return self.instances[number]

    def _new(self, number: int) -> Instance:
        self._generation += 1
        name = f"{self._name}-{number}"
        if self._generation > number:
            name = f"{name}.{self._generation}"
        history = self._env.history
        troubles = {"pump": history.troubles, "deliverer": history.callback_troubles}
        return Instance(self._env, self._profile, name, troubles=troubles.get(self._name))
