"""Instances of the functions: each has a clock of its own and makes calls that can fail."""

from bisect import bisect_right
from collections.abc import Callable
from datetime import datetime, timedelta
from enum import Enum, auto
from itertools import accumulate
from typing import TypeVar

from infra.simulator.profile import Profile
from infra.simulator.world import Crashed, Flow, World
from infra.verification.history import EPOCH, Trouble
from relay.domain.account import LEASE_S
from relay.errors import RelayError

T = TypeVar("T")

# Shorter than the sending of a call, than a lease, and longer than both.
PAUSES_S = ((0.5, 4.0), (4.0, 15.0), (15.0, 60.0))


class Fate(Enum):
    """What goes wrong with a call."""

    LOST_REQUEST = auto()
    LOST_REPLY = auto()
    LATE = auto()
    CRASH_BEFORE = auto()
    CRASH_AFTER = auto()
    FREEZE_BEFORE = auto()
    FREEZE_AFTER = auto()


class Fates:
    """How likely each fault of a call is.

    Args:
        what: The first part of these faults' kinds.
    """

    def __init__(self, what: str, chances: dict[Fate, float]) -> None:
        kinds = [fate for fate, chance in chances.items() if chance > 0.0]
        self._what = what
        self._kinds = kinds
        self._edges = list(accumulate(chances[fate] for fate in kinds))
        self._most = self._edges[-1] if self._edges else 0.0

    def draw(self, world: World) -> Fate | None:
        """Draw what goes wrong with the next call; None if nothing does."""
        drawn = world.rng.random()
        if drawn >= self._most:
            return None
        fate = self._kinds[bisect_right(self._edges, drawn)]
        return fate if world.may_fail(f"{self._what}.{fate.name.lower()}") else None


class Instance:
    """An instance of a function, and the `Clock` of the code in it.

    Attributes:
        frozen_until_s: Until then none of its flows runs, as if it had no CPU.
    """

    def __init__(self, world: World, profile: Profile, name: str, *, is_pump: bool) -> None:
        self.world = world
        self.name = name
        self.is_pump = is_pump
        self.is_dead = False
        self.frozen_until_s = 0.0
        self.flows: dict[Flow, None] = {}
        self._profile = profile
        self._ahead_s = world.rng.uniform(-profile.skew_s, profile.skew_s)
        self._now_at_s, self._now = -1.0, EPOCH
        self._booted_s = world.rng.uniform(10.0, 1000.0)

    def now(self) -> datetime:
        """See `Clock`."""
        now_s = self.world.now_s + self._ahead_s
        if now_s != self._now_at_s:
            self._now_at_s, self._now = now_s, EPOCH + timedelta(seconds=now_s)
        return self._now

    def monotonic(self) -> float:
        """See `Clock`."""
        return self._booted_s + self.world.now_s

    def sleep(self, seconds: float) -> None:
        """See `Clock`."""
        self.check()
        self.world.pause(seconds)

    def check(self) -> None:
        """Raise `Crashed` if the instance has crashed."""
        if self.is_dead:
            raise Crashed

    def spawn(self, name: str, body: Callable[[], None], *, delay_s: float = 0.0) -> Flow:
        """Start a thread of this instance."""
        return self.world.spawn(f"{self.name}/{name}", self, body, delay_s=delay_s)

    def crash(self, where: str) -> None:
        """Crash: nothing in this instance has an effect from now on."""
        if self.is_dead:
            return
        self.is_dead = True
        self.world.note(self.name, f"CRASH {where}")
        if self.is_pump:
            self._trouble("crash", LEASE_S)
        for flow in list(self.flows):
            if flow is not self.world.flow:
                self.world.throw(flow)

    def freeze(self) -> None:
        """Freeze, for about as long as a call or for longer than a lease."""
        rng = self.world.rng
        seconds = rng.uniform(*rng.choice(PAUSES_S))
        self.world.note(self.name, f"FROZEN for {seconds:.1f} s")
        self.frozen_until_s = max(self.frozen_until_s, self.world.now_s + seconds)
        if self.is_pump:
            self._trouble("freeze", seconds + LEASE_S)

    def jump(self) -> None:
        """Set the time of day to another error."""
        skew_s = self._profile.skew_s
        self._ahead_s = self.world.rng.uniform(-skew_s, skew_s)
        self.world.note(self.name, f"clock set, now {self._ahead_s:+.3f} s off")

    def remote(
        self,
        label: str,
        effect: Callable[[], T],
        *,
        fates: Fates,
        timeout_s: float,
        failure: Callable[[], RelayError],
    ) -> T:
        """Make one call to the store or a topic.

        Args:
            effect: What the other side does when the request gets there.
            failure: The error for a call that was not answered.
        """
        self.check()
        world, flow = self.world, self.world.flow
        assert flow is not None  # noqa: S101 - only flows make calls
        profile, rng = self._profile, world.rng
        if world.strikes("clock_jump", profile.clock_jump):
            self.jump()
        fate = fates.draw(world)
        if fate is Fate.CRASH_BEFORE:
            self.crash(f"before {label}")
            raise Crashed
        if fate is Fate.FREEZE_BEFORE:
            self.freeze()
            world.pause(0.0)
        out_s, back_s = self._way_s(), self._way_s()
        if fate is Fate.LATE:
            out_s = timeout_s + rng.uniform(0.0, 8.0)
        turns = flow.turns
        name = flow.name

        def land() -> None:
            if fate is Fate.LOST_REQUEST:
                world.note(name, f"{label}: request lost")
                world.wake(flow, turns, back_s, failure())
                return
            reply: object
            try:
                reply = effect()
                world.note(name, label)
            except RelayError as error:
                reply = error
                world.note(name, f"{label}: {type(error).__name__}")
            if fate is Fate.CRASH_AFTER:
                self.crash(f"after {label}")
                return
            if fate is Fate.FREEZE_AFTER:
                self.freeze()
            if fate is Fate.LOST_REPLY:
                world.note(name, f"{label}: reply lost")
                reply = failure()
            world.wake(flow, turns, back_s, reply)

        world.after(out_s, land)
        if out_s + back_s > timeout_s:
            world.wake(flow, turns, timeout_s, failure())
        reply = world.wait()
        if isinstance(reply, RelayError):
            raise reply
        return reply  # type: ignore[no-any-return]

    def _way_s(self) -> float:
        rng = self.world.rng
        drawn = rng.random()
        if drawn < self._profile.sluggish and not self.world.is_calm:
            return rng.uniform(0.3, 4.0)
        return 0.002 + 0.03 * drawn * drawn

    def _trouble(self, what: str, lasts_s: float) -> None:
        now_s = self.world.now_s
        self.world.history.troubles.append(
            Trouble(at_s=now_s, what=f"{self.name}: {what}", until_s=now_s + lasts_s)
        )


class Slots:
    """The instances of one function; a crashed one is replaced."""

    def __init__(self, world: World, profile: Profile, name: str, count: int) -> None:
        self._world = world
        self._profile = profile
        self._name = name
        self._generation = 0
        self._instances = [self._new(number) for number in range(1, count + 1)]

    def pick(self) -> Instance:
        """Choose the instance for the next request."""
        number = self._world.rng.randrange(len(self._instances))
        if self._instances[number].is_dead:
            self._instances[number] = self._new(number + 1)
        return self._instances[number]

    def _new(self, number: int) -> Instance:
        self._generation += 1
        name = f"{self._name}-{number}"
        if self._generation > number:
            name = f"{name}.{self._generation}"
        return Instance(self._world, self._profile, name, is_pump=self._name == "pump")
