"""All of `make bench`: every figure, the page and the charts."""

import os
import platform
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from infra.bench import (
    accounts,
    bills,
    charts,
    cold_start,
    creates,
    growth,
    memory,
    neighbours,
    operations,
    page,
    pumping,
    webhooks,
)
from infra.bench.figure import Figure
from infra.bench.page import Machine
from infra.bench.rig import running_rig
from infra.local.emulators import Kind, running_emulator


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How much of everything; all of it takes some eight minutes on two cores.

    Attributes:
        webhooks: Callbacks of one round, by the number of senders.
        creates: The same for creates.
        neighbours: Jobs that another tenant has queued.
    """

    rounds: int
    webhooks: Mapping[int, int]
    creates: Mapping[int, int]
    starts: int
    stored: tuple[int, ...]
    ticks: int
    pump_window_s: float
    idle: int
    busy: int
    queued: int
    neighbours: tuple[int, ...]


FULL = Sizes(
    rounds=6,
    webhooks={1: 100, 8: 200, 32: 300, 80: 300},
    creates={1: 150, 8: 300, 32: 500, 80: 500},
    starts=9,
    stored=growth.STORED,
    ticks=growth.TICKS,
    pump_window_s=accounts.WINDOW_S,
    idle=5,
    busy=80,
    queued=1200,
    neighbours=neighbours.QUEUED,
)
QUICK = Sizes(
    rounds=2,
    webhooks={1: 40, 8: 80, 32: 100, 80: 100},
    creates={1: 40, 8: 80, 32: 100, 80: 100},
    starts=2,
    stored=(10, 1_000),
    ticks=1,
    pump_window_s=4.0,
    idle=1,
    busy=10,
    queued=300,
    neighbours=(0, 1_000),
)


def run(sizes: Sizes, *, docs: Path, say: Callable[[str], None]) -> list[Figure]:
    """Measure everything, write benchmarks.md and its charts, return the figures."""
    began_s = time.monotonic()

    def tell(line: str) -> None:
        say(f"{time.monotonic() - began_s:4.0f} s  {line}")

    with running_rig() as rig:
        answered = webhooks.measure(rig, rounds=sizes.rounds, requests=sizes.webhooks)
        tell("webhooks")
        created = creates.measure(rig, rounds=sizes.rounds, requests=sizes.creates)
        tell("creates")
        started = cold_start.measure(rig, times=sizes.starts)
        tell("cold starts")
    with running_emulator(Kind.FIRESTORE) as host:
        pumped = accounts.measure(host, window_s=sizes.pump_window_s)
        tell("accounts")
        # Operations are counted in virtual time: the store may be filled meanwhile.
        with ThreadPoolExecutor(1) as aside:
            filled = aside.submit(growth.fill, host, stored=sizes.stored)
            costs = operations.measure(host)
            tell("operations")
            stores = filled.result()
        tell("stores filled")
        ticked = growth.measure(stores, ticks=sizes.ticks)
        tell("ticks")
    pump = pumping.measure(idle=sizes.idle, busy=sizes.busy, queued=sizes.queued, say=tell)
    tell("pump")
    waited = neighbours.measure(queued=sizes.neighbours, say=tell)
    peaks = memory.measure(say=tell)
    charts.draw_throughput(answered.duels, created, to=docs / charts.THROUGHPUT)
    charts.draw_cost(costs, to=docs / charts.COST)
    charts.draw_growth(ticked, pumped, to=docs / charts.GROWTH)
    figures = [
        webhooks.figure(answered, chart=charts.THROUGHPUT),
        creates.figure(created),
        bills.figure(costs, chart=charts.COST),
        accounts.figure(ticked, pumped, chart=charts.GROWTH),
        cold_start.figure(started),
        pumping.figure(pump),
        neighbours.figure(waited),
        memory.figure(peaks),
    ]
    machine = Machine(
        cores=len(os.sched_getaffinity(0)),
        python=platform.python_version(),
        seconds=time.monotonic() - began_s,
    )
    (docs / "benchmarks.md").write_text(page.markdown(figures, machine))
    return figures
