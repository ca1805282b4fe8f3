"""Two pumps of one account, of which the first is cut off: together they keep the limit."""

from dataclasses import dataclass, field
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from infra.memory_store import MemoryAccounts
from relay.application.lease import Lease
from relay.domain.account import CALL_ARRIVES_WITHIN_S, free_in
from relay.domain.limits import Limit
from relay.errors import StoreUnavailable
from tests.fakes import FixedClock
from tests.unit.test_call_window import most_in_one_window

STEP_S = 0.05
LASTS_S = 40.0
AT_ONCE = 8
LIMITS = st.builds(Limit, calls=st.integers(10, 40), window_s=st.sampled_from([1.0, 3.0, 20.0]))


class CutOff(MemoryAccounts):
    """Lets the first pump write until it is cut off; it never hears of that."""

    cut_at_s = 0.0

    def replace(self, account, *, version):
        if account.holder == "first" and self._now_s() >= self.cut_at_s:
            raise StoreUnavailable
        return super().replace(account, version=version)


@dataclass
class Pumping:
    """A pump that calls whenever it may, as often as it may.

    Attributes:
        slow: The share of its calls that arrive as late as they can; the others do at once.
        counted_s: When the provider counted its calls.
    """

    lease: Lease
    clock: FixedClock
    rng: Random
    slow: float
    counted_s: list[float] = field(default_factory=list)
    in_the_air: list[float] = field(default_factory=list)

    def work(self) -> None:
        now_s = self.clock.monotonic()
        for end_s in [one for one in self.in_the_air if one <= now_s]:
            self.in_the_air.remove(end_s)
            self.lease.window.end(end_s)
        self.lease.renew_if_due()
        while len(self.in_the_air) < AT_ONCE and self.lease.may_call() and self.lease.start_call():
            is_slow = self.rng.random() < self.slow
            counted_s = now_s + (CALL_ARRIVES_WITHIN_S if is_slow else 0.0)
            self.counted_s.append(counted_s)
            self.in_the_air.append(counted_s + self.rng.choice((0.0, 0.0, 0.4)))


@given(LIMITS, st.floats(0.1, 15), st.floats(0, 1), st.integers())
def test_no_window_holds_more_calls_than_are_used_although_one_pump_was_cut_off(
    limit, cut_s, slow, seed
):
    clock = FixedClock()
    accounts = CutOff(clock.monotonic)
    accounts.cut_at_s = clock.monotonic() + cut_s

    def pumping(holder, *, slow):
        lease = Lease.take(
            accounts, name="gepetto", limit=limit, holder=holder, at_once=AT_ONCE, clock=clock
        )
        assert lease is not None
        return Pumping(lease, clock, Random(f"{seed} {holder}"), slow)  # noqa: S311 - for a test

    def is_free():
        stored = accounts.read("gepetto")
        return free_in(stored.account, age_s=stored.age_s) == 0.0

    pumps = [pumping("first", slow=slow)]
    for _ in range(int(LASTS_S / STEP_S)):
        if len(pumps) == 1 and is_free():
            pumps.append(pumping("second", slow=0.0))
        for pump in pumps:
            pump.work()
        clock.advance(STEP_S)

    first, second = pumps
    assert second.counted_s
    assert (
        most_in_one_window(first.counted_s + second.counted_s, limit.window_s) <= limit.used_calls
    )
