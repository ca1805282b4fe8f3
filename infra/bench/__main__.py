"""The command line: `all` is `make bench`; the others measure one thing each."""

import argparse
import os
import platform
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from infra.bench import (
    bill,
    console,
    deliveries,
    growth,
    http_functions,
    memory,
    neighbours,
    operations,
    polling,
    pump,
    report,
)
from infra.bench.report import Check
from infra.bench.servers import running_emulators
from infra.local.emulators import Kind, running_emulator
from infra.local.errors import LocalStackError
from relay.domain.account import RENEW_EVERY_S

DOCS = Path(__file__).resolve().parents[2] / "docs"
CHARTS = {name: f"charts/bench_{name}.png" for name in ("throughput", "cost", "growth")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How much of everything; all of it takes some ten minutes on two cores.

    Attributes:
        callbacks: Callbacks in one round, by the number of senders.
        creates: The same for creates.
        neighbours: Jobs that another tenant has queued.
        backlog: Callbacks to callers that are due at once.
        paced: Jobs with a callback that end one after another.
    """

    rounds: int
    callbacks: dict[int, int]
    creates: dict[int, int]
    starts: int
    stored: tuple[int, ...]
    ticks: int
    pump_window_s: float
    idle: int
    busy: int
    queued: int
    neighbours: tuple[int, ...]
    backlog: int
    paced: int


FULL = Sizes(
    rounds=6,
    callbacks={1: 100, 8: 200, 32: 300, 80: 300},
    creates={1: 150, 8: 300, 32: 500, 80: 500},
    starts=9,
    stored=(10, 1_000, 100_000),
    ticks=5,
    pump_window_s=8.0,
    idle=5,
    busy=80,
    queued=1200,
    neighbours=(0, 1_000, 20_000),
    backlog=400,
    paced=150,
)
QUICK = Sizes(
    rounds=2,
    callbacks={1: 40, 8: 80, 32: 100, 80: 100},
    creates={1: 40, 8: 80, 32: 100, 80: 100},
    starts=2,
    stored=(10, 1_000),
    ticks=1,
    pump_window_s=4.0,
    idle=1,
    busy=10,
    queued=300,
    neighbours=(0, 1_000),
    backlog=80,
    paced=30,
)


def main() -> int:
    """Run a benchmark; the exit status is 1 if a target is missed."""
    arguments = _arguments()
    try:
        return 0 if _run(arguments) else 1
    except LocalStackError as error:
        _say(f"{type(error).__name__}: {error}")
        return 1


def _arguments() -> argparse.Namespace:
    docs = argparse.ArgumentParser(add_help=False)
    docs.add_argument(
        "--docs", type=Path, default=DOCS, metavar="DIRECTORY",
        help="where the page and its charts go (default: docs)",
    )  # fmt: skip
    parser = argparse.ArgumentParser(prog="python -m infra.bench", description=__doc__)
    which = parser.add_subparsers(dest="benchmark", required=True)
    everything = which.add_parser("all", parents=[docs], help="every figure of benchmarks.md")
    everything.add_argument(
        "--quick", action="store_true", help="too little of everything, to try it out"
    )
    study = which.add_parser(
        "polling", parents=[docs], help="when to poll, against fixed intervals and backoff"
    )
    study.add_argument("--jobs", type=int, default=10_000, help="per model (default: %(default)s)")
    study.add_argument("--seed", type=int, default=1, help="of all draws (default: %(default)s)")
    limits = which.add_parser("limits", help="more jobs than fit, on the running stack")
    limits.add_argument("--gepetto", type=int, default=300, help="jobs (default: %(default)s)")
    limits.add_argument("--spacely", type=int, default=2000, help="jobs (default: %(default)s)")
    which.add_parser("bill", help="what each lever of the bill costs and saves")
    which.add_parser("neighbours", help="a tenant's jobs behind another's queue")
    which.add_parser("deliveries", help="callbacks to callers, one of them dead")
    which.add_parser("starts", help="cold starts against the bare function's")
    which.add_parser("memory", help="each function's, with the largest jobs there can be")
    looks = which.add_parser("console", parents=[docs], help="weight, first card and reads")
    looks.add_argument(
        "--pictures", type=Path, metavar="DIRECTORY", help="only take the pictures of each view"
    )
    return parser.parse_args()


def _run(arguments: argparse.Namespace) -> bool:
    """Run what was asked for, print its figures, and return whether every target is met."""
    match arguments.benchmark:
        case "all":
            return _all(QUICK if arguments.quick else FULL, docs=arguments.docs)
        case "polling":
            return polling.run(
                jobs=arguments.jobs, seed=arguments.seed, docs=arguments.docs, say=_say
            )
        case "limits":
            jobs = {"gepetto": arguments.gepetto, "spacely": arguments.spacely}
            uses = pump.measure_limits(jobs, say=_say)
            print(*uses, sep="\n")
            return not any(one.is_broken for one in uses)
        case "console" if arguments.pictures is not None:
            console.take_pictures(arguments.pictures, say=_say)
            return True
        case "console":
            return console.run(docs=arguments.docs, say=_say)
        case "bill":
            with running_emulator(Kind.FIRESTORE) as host:
                measured = bill.measure(host)
            return _show({"bill": measured}, bill.checks(measured))
        case "neighbours":
            waited = _neighbours(FULL, say=_say)
            return _show({"waited": waited}, neighbours.checks(waited))
        case "deliveries":
            delivered = _deliveries(FULL)
            return _show({"delivered": delivered}, deliveries.checks(delivered))
        case "starts":
            with running_emulators() as emulators:
                starts = http_functions.measure_cold_starts(emulators, times=FULL.starts)
            return _show({"starts": starts}, http_functions.cold_start_checks(starts))
        case _:
            peaks = memory.measure(say=_say)
            return _show({"peaks": peaks}, memory.checks(peaks))


def _neighbours(sizes: Sizes, *, say: pump.Say) -> Sequence[neighbours.Waited]:
    measured = neighbours.measure(sizes.neighbours, say=say)
    simulated = neighbours.simulate(sizes.neighbours)
    say("neighbours, simulated")
    return [*measured, *simulated]


def _deliveries(sizes: Sizes) -> Sequence[deliveries.Delivered]:
    with running_emulators() as emulators:
        return deliveries.measure_deliveries(emulators, backlog=sizes.backlog, paced=sizes.paced)


def _show(results: Mapping[str, object], checks: Iterable[Check]) -> bool:
    all_checks = list(checks)
    report.show(benchmarks_page(results, all_checks))
    return all(one.holds for one in all_checks)


def _all(sizes: Sizes, *, docs: Path) -> bool:
    began_s = time.monotonic()

    def say(line: str) -> None:
        _say(f"{time.monotonic() - began_s:4.0f} s  {line}")

    with running_emulators() as emulators:
        callbacks = http_functions.measure_callbacks(
            emulators, rounds=sizes.rounds, requests=sizes.callbacks
        )
        say("callbacks")
        creates, documented_create = http_functions.measure_creates(
            emulators, rounds=sizes.rounds, requests=sizes.creates
        )
        say("creates")
        starts = http_functions.measure_cold_starts(emulators, times=sizes.starts)
        say("cold starts")
    with running_emulator(Kind.FIRESTORE) as host:
        accounts = growth.measure_accounts(host, window_s=sizes.pump_window_s)
        say("accounts")
        # Operations are counted in virtual time: the store may be filled meanwhile.
        with ThreadPoolExecutor(1) as aside:
            filled = aside.submit(growth.fill, host, stored=sizes.stored)
            costs = operations.measure(host)
            say("operations")
            stores = filled.result()
        say("stores filled")
        ticks = growth.measure_ticks(stores, ticks=sizes.ticks)
        say("ticks")
    # On an emulator of its own: one that is filled answers its many queries slowly.
    with running_emulator(Kind.FIRESTORE) as host:
        levers = bill.measure(host)
    say("the bill's levers")
    pumped = pump.measure_pump(idle=sizes.idle, busy=sizes.busy, queued=sizes.queued, say=say)
    say("pump")
    waited = _neighbours(sizes, say=say)
    delivered = _deliveries(sizes)
    say("callbacks to callers")
    peaks = memory.measure(say=say)
    looks = console.measure(say=say)
    http_functions.draw_throughput(callbacks, creates, to=docs / CHARTS["throughput"])
    operations.draw_cost(costs, to=docs / CHARTS["cost"])
    growth.draw_growth(ticks, accounts, to=docs / CHARTS["growth"])
    results = {
        "callbacks": callbacks,
        "creates": creates,
        "documented_create": documented_create,
        "costs": costs,
        "bill": levers,
        "ticks": ticks,
        "accounts": accounts,
        "starts": starts,
        "pumped": pumped,
        "waited": waited,
        "delivered": delivered,
        "peaks": peaks,
    }
    checks = [
        *http_functions.throughput_checks(callbacks, documented_create),
        *operations.checks(costs),
        *bill.checks(levers),
        *growth.checks(ticks),
        *http_functions.cold_start_checks(starts),
        *pump.pump_checks(pumped),
        *neighbours.checks(waited),
        *deliveries.checks(delivered),
        *memory.checks(peaks),
    ]
    page = benchmarks_page(results, checks, seconds=time.monotonic() - began_s)
    looks_checks = list(console.checks(looks))
    page = console.with_section(page, console.section(looks, looks_checks))
    (docs / "benchmarks.md").write_text(page)
    report.show(page)
    return all(one.holds for one in [*checks, *looks_checks])


def benchmarks_page(
    results: Mapping[str, object], checks: Sequence[Check], *, seconds: float | None = None
) -> str:
    """Return the page; sections without results are left out.

    Args:
        results: By the names that the template uses.
        seconds: How long everything took; None if only a part was measured.
    """
    modules = {
        "bill_module": bill,
        "deliveries": deliveries,
        "growth": growth,
        "memory": memory,
        "operations": operations,
        "pump": pump,
    }
    machine = {"cores": len(os.sched_getaffinity(0)), "python": platform.python_version()}
    return report.render(
        "benchmarks.md.j2",
        {
            "seconds": seconds,
            "checks": checks,
            "charts": CHARTS,
            "renew_every_s": RENEW_EVERY_S,
            **modules,
            **machine,
            **results,
        },
    )


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
