"""Scenarios: each a way in which one tenant once affected the others.

Most seeds draw none. A seed that does takes its bursts from here, and mostly has a store and
pumps that work, so that the history shows what the scenario is about.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from infra.simulator.tenants import MAX_JOBS, Behaviour, Burst
from relay.domain.job import Priority

# One of so many histories with short jobs has as many as a tenant may have open.
ONE_IN = 20
THOUSAND = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What a scenario changes in a profile.

    Attributes:
        outages: How often the provider is down, for minutes.
        slow_pages: Chance that a page of a query takes seconds.
        renders_s: How long renders take, from and to; empty for the usual.
        window_s: How long pumps run; None to keep the profile's window.
    """

    bursts: tuple[Burst, ...]
    outages: int = 0
    slow_pages: float = 0.0
    renders_s: tuple[float, ...] = ()
    window_s: float | None = None


def draw_scenario(name: str, rng: Random, providers: Sequence[str]) -> Scenario:
    """Draw the details of a scenario."""
    return SCENARIOS[name](rng, _Bursts(rng, rng.choice(providers)))


class _Bursts:
    """Makes the bursts of a scenario, each of another tenant at one provider."""

    def __init__(self, rng: Random, provider: str) -> None:
        self._rng = rng
        self._provider = provider
        self._number = 0

    def __call__(
        self,
        jobs: int,
        *,
        at_s: float = 0.0,
        deadline_s: int = 600,
        behaviour: Behaviour = Behaviour.HONEST,
        resubmits: bool = False,
        priority: Priority = Priority.NORMAL,
        follows: bool = False,
        tenant: str | None = None,
        written_late_s: float = 0.0,
    ) -> Burst:
        if tenant is None:
            tenant = f"crowd-{self._number}"
            self._number += 1
        return Burst(
            tenant=tenant,
            provider=self._provider,
            behaviour=behaviour,
            jobs=jobs,
            at_s=at_s,
            deadline_s=deadline_s,
            resubmits=resubmits,
            priority=priority,
            follows=follows,
            written_late_s=written_late_s,
        )


def _flood(rng: Random, burst: _Bursts) -> Scenario:
    """Hundreds of jobs of one tenant, and three of another queued behind them."""
    return Scenario(
        bursts=(
            burst(rng.randint(120, 300), deadline_s=rng.choice((300, 600))),
            burst(3, at_s=rng.uniform(1.0, 30.0), deadline_s=300),
        )
    )


def _forbidden(rng: Random, burst: _Bursts) -> Scenario:
    """Jobs that are always answered 403, beside honest ones."""
    return Scenario(
        bursts=(
            burst(rng.choice((1, 1, 3)), deadline_s=900, behaviour=Behaviour.FORBIDDEN),
            burst(10, at_s=rng.uniform(0.0, 20.0), deadline_s=300),
            burst(3, at_s=rng.uniform(60.0, 200.0), deadline_s=300),
        )
    )


def _throttled(rng: Random, burst: _Bursts) -> Scenario:
    """Jobs that are always answered 429, beside honest ones."""
    return Scenario(
        bursts=(
            burst(rng.choice((1, 3, 12)), deadline_s=600, behaviour=Behaviour.THROTTLED),
            burst(10, at_s=rng.uniform(0.0, 20.0), deadline_s=600),
        )
    )


def _resubmit(rng: Random, burst: _Bursts) -> Scenario:
    """Jobs to be resubmitted to a provider that always answers 500, or not at all."""
    broken = rng.choice((Behaviour.BROKEN, Behaviour.BROKEN, Behaviour.HANGING))
    return Scenario(
        bursts=(
            burst(rng.choice((1, 6, 20)), deadline_s=600, behaviour=broken, resubmits=True),
            burst(10, at_s=rng.uniform(0.0, 60.0), deadline_s=300),
            burst(5, at_s=rng.uniform(100.0, 200.0), deadline_s=300),
        )
    )


def _short(rng: Random, burst: _Bursts) -> Scenario:
    """More jobs with a deadline of a minute than can be submitted in it."""
    jobs = MAX_JOBS if rng.randrange(ONE_IN) == 0 else rng.choice((150, 300, THOUSAND))
    return Scenario(
        bursts=(
            burst(jobs, deadline_s=60, priority=rng.choice(tuple(Priority)), resubmits=True),
            burst(20, at_s=30.0, deadline_s=60, tenant="crowd-0"),
            burst(5, at_s=rng.uniform(1.0, 20.0), deadline_s=300),
        )
    )


def _late(rng: Random, burst: _Bursts) -> Scenario:
    """More jobs than the limit allows, for minutes, with renders that take most of their time."""
    return Scenario(
        bursts=(
            *(
                burst(60, at_s=at_s, deadline_s=90, tenant="crowd-0")
                for at_s in (0.0, 20.0, 40.0, 60.0, 80.0)
            ),
            burst(3, at_s=rng.uniform(1.0, 60.0), deadline_s=300, tenant="crowd-1"),
        ),
        # Longer than most of them have time for.
        renders_s=(30.0, 80.0),
    )


def _slow(rng: Random, burst: _Bursts) -> Scenario:
    """Query pages that take seconds to read, while there is much to do."""
    return Scenario(
        bursts=(burst(60), burst(20, at_s=rng.uniform(0.0, 30.0)), burst(20, follows=True)),
        slow_pages=rng.choice((0.5, 1.0)),
    )


def _down(rng: Random, burst: _Bursts) -> Scenario:
    """A provider that is down for minutes, while three tenants have jobs."""
    return Scenario(
        bursts=(
            burst(rng.choice((5, 40)), deadline_s=900, resubmits=rng.random() < 0.3),
            burst(rng.choice((5, 40)), at_s=rng.uniform(0.0, 60.0), deadline_s=900),
            burst(3, at_s=rng.uniform(0.0, 300.0), deadline_s=900),
        ),
        outages=rng.randint(1, 2),
    )


def _polls(rng: Random, burst: _Bursts) -> Scenario:
    """Hundreds of one tenant's renders to poll, a few of another's, and a queue of jobs."""
    return Scenario(
        bursts=(
            burst(rng.randint(100, 300), follows=True, deadline_s=300),
            burst(3, at_s=rng.uniform(1.0, 60.0), follows=True, deadline_s=300),
            burst(rng.choice((10, 150)), deadline_s=300),
        )
    )


def _floors(rng: Random, burst: _Bursts) -> Scenario:
    """Documents written long after the jobs' creation, while pumps move their scan floors."""
    late = tuple(
        burst(
            rng.choice((1, 3)),
            at_s=rng.uniform(20.0, 120.0),
            deadline_s=rng.choice((300, 600)),
            written_late_s=rng.uniform(5.0, 110.0),
            follows=rng.random() < 0.3,
            tenant=f"crowd-{number}",
        )
        for number in (0, 1, 2)
    )
    early = tuple(burst(2, at_s=rng.uniform(0.0, 10.0)) for _ in range(3))
    return Scenario(bursts=(*early, *late), window_s=rng.choice((20.0, 55.0)))


def _long(rng: Random, burst: _Bursts) -> Scenario:
    """A few renders of minutes, whose polls pumps leave to the next tick, and their deadlines."""
    deadlines_s = (200, 300, 420, 600, 900)
    return Scenario(
        bursts=(
            burst(rng.choice((1, 1, 2, 8)), deadline_s=rng.choice(deadlines_s)),
            burst(
                rng.choice((1, 3)),
                at_s=rng.uniform(0.0, 200.0),
                deadline_s=rng.choice(deadlines_s),
                follows=rng.random() < 0.5,
            ),
            burst(1, at_s=rng.uniform(100.0, 400.0), deadline_s=rng.choice(deadlines_s)),
        ),
        renders_s=(100.0, 500.0),
        window_s=rng.choice((20.0, 55.0)),
    )


SCENARIOS: Mapping[str, Callable[[Random, _Bursts], Scenario]] = {
    "flood": _flood,
    "forbidden": _forbidden,
    "throttled": _throttled,
    "resubmit": _resubmit,
    "short": _short,
    "late": _late,
    "slow": _slow,
    "down": _down,
    "polls": _polls,
    "floors": _floors,
    "long": _long,
}
MIXED = tuple(name for name in SCENARIOS if name != "long")
"""Those that seeds draw by themselves, as they did when faults were planted at certain seeds."""
