"""Runs many seeds: `python -m infra.simulator --seeds 2000 --from 0 [--jobs 2]`."""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context

from infra.simulator.environment import FaultSwitches
from infra.simulator.run import SeedResult, run_seed, shrink
from infra.simulator.scenarios import SCENARIOS

CHUNK = 25


@dataclass(frozen=True, slots=True)
class Summary:
    """What the totals at the end need of a seed's result."""

    seed: int
    promises: tuple[str, ...]
    faults: int
    steps: int
    jobs: int


def main() -> int:
    """Run the seeds that the command line asks for; 1 if any promise was broken."""
    arguments = _arguments()
    switches = FaultSwitches(
        is_crowded=arguments.crowded,
        calls_back=arguments.callbacks,
        asks_for_lists=arguments.lists,
        scenario=arguments.profile,
    )
    if arguments.show is not None:
        outcome = run_seed(arguments.show, switches)
        print("\n".join(outcome.history.trace()))
        print(outcome.history.digest())
        return 1 if outcome.violations else 0
    seeds = range(arguments.first, arguments.first + arguments.seeds)
    started_s = time.monotonic()
    broken: list[Summary] = []
    totals: Counter[str] = Counter()
    for summary in _summaries(seeds, switches, jobs=arguments.jobs):
        totals.update(seeds=1, faults=summary.faults, steps=summary.steps, renders=summary.jobs)
        if summary.promises:
            broken.append(summary)
            if arguments.first_only:
                break
    took_s = time.monotonic() - started_s
    print(
        f"{totals['seeds']} seeds in {took_s:.1f} s: {totals['renders']} jobs, "
        f"{totals['faults']} faults, {totals['steps']} steps, {len(broken)} seeds with violations"
    )
    for summary in sorted(broken, key=lambda one: one.seed):
        print(f"seed {summary.seed} broke {' '.join(summary.promises)}")
    if broken and not arguments.quiet:
        print_failure(min(summary.seed for summary in broken), switches)
    return 1 if broken else 0


def print_failure(seed: int, switches: FaultSwitches) -> None:
    """Print the trace of the smallest history of the seed that still fails."""
    outcome, switches = shrink(run_seed(seed, switches), switches)
    print(f"\nseed {seed}, shrunk to {len(outcome.injected)} faults:")
    print(", ".join(f"{number} {kind}" for number, kind in outcome.injected.items()))
    if switches.off:
        print(f"without: {', '.join(sorted(switches.off))}")
    print(f"profile: {outcome.profile.text()}\n")
    for line in outcome.history.trace():
        print(line)
    print()
    for violation in outcome.violations:
        print(violation)


def _summaries(seeds: range, switches: FaultSwitches, *, jobs: int) -> Iterator[Summary]:
    summary = partial(_summary, switches=switches)
    if jobs == 1:
        yield from map(summary, seeds)
        return
    with get_context("fork").Pool(jobs) as pool:
        yield from pool.imap_unordered(summary, seeds, CHUNK)


def _summary(seed: int, *, switches: FaultSwitches) -> Summary:
    outcome: SeedResult = run_seed(seed, switches)
    return Summary(
        seed=seed,
        promises=tuple(sorted({violation.promise for violation in outcome.violations})),
        faults=outcome.faults,
        steps=outcome.steps,
        jobs=len(outcome.history.versions),
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m infra.simulator", description=__doc__)
    parser.add_argument("--seeds", type=int, default=2000, help="how many seeds")
    parser.add_argument("--from", dest="first", type=int, default=0, help="the first seed")
    parser.add_argument("--jobs", type=int, default=2, help="processes at a time")
    parser.add_argument("--show", type=int, metavar="SEED", help="print one seed's trace")
    parser.add_argument("--first-only", action="store_true", help="stop at the first violation")
    parser.add_argument(
        "--crowded", action="store_true", help="tenants send bursts of jobs in every history"
    )
    parser.add_argument(
        "--lists", action="store_true", help="callers ask for the providers' lists all the time"
    )
    parser.add_argument(
        "--callbacks", action="store_true", help="tenants have bursts of callbacks in every history"
    )
    parser.add_argument("--profile", choices=SCENARIOS, help="every history is of this scenario")
    parser.add_argument("--quiet", action="store_true", help="print no history of a failure")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
