"""The command line: `all` is `make bench`; the others measure single rules."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from infra.bench import memory, neighbours
from infra.bench.chart import draw
from infra.bench.figure import Figure
from infra.bench.limits import Load
from infra.bench.limits import measure as fill_limits
from infra.bench.page import lines
from infra.bench.polling import measure
from infra.bench.report import CHART, markdown, table
from infra.bench.suite import FULL, QUICK, run
from infra.local.errors import LocalStackError

DOCS = Path(__file__).resolve().parents[2] / "docs"


def main() -> int:
    """Run a benchmark; the exit status is 1 if anything does not hold."""
    arguments = _arguments()
    if arguments.benchmark == "all":
        return _all(docs=arguments.docs, is_quick=arguments.quick)
    if arguments.benchmark == "limits":
        return _limits(gepetto=arguments.gepetto, spacely=arguments.spacely)
    if arguments.benchmark == "neighbours":
        return _tell([neighbours.figure(neighbours.measure(say=_say_aside))])
    if arguments.benchmark == "memory":
        return _tell([memory.figure(memory.measure(say=_say_aside))])
    outcome = measure(jobs=arguments.jobs, seed=arguments.seed, say=_say_aside)
    print("\n".join(table(outcome)))
    docs: Path = arguments.docs
    docs.mkdir(parents=True, exist_ok=True)
    (docs / "polling.md").write_text(markdown(outcome))
    draw(outcome, to=docs / CHART)
    return 0 if all(holds for _, holds in outcome.checks) else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m infra.bench", description=__doc__)
    which = parser.add_subparsers(dest="benchmark", required=True)
    everything = which.add_parser("all", help="every figure of docs/benchmarks.md")
    everything.add_argument(
        "--quick", action="store_true", help="too little of everything, to try it out"
    )
    everything.add_argument(
        "--docs", type=Path, default=DOCS, metavar="DIRECTORY",
        help="where benchmarks.md and its charts go (default: docs)",
    )  # fmt: skip
    polling = which.add_parser("polling", help="when to ask, against fixed intervals and backoff")
    polling.add_argument(
        "--jobs", type=int, default=10_000, help="per model (default: %(default)s)"
    )
    polling.add_argument(
        "--seed", type=int, default=1, help="of all that is drawn (default: %(default)s)"
    )
    polling.add_argument(
        "--docs", type=Path, default=DOCS, metavar="DIRECTORY",
        help="where polling.md and its chart go (default: docs)",
    )  # fmt: skip
    limits = which.add_parser("limits", help="more jobs than fit, on the running stack")
    limits.add_argument("--gepetto", type=int, default=300, help="jobs (default: %(default)s)")
    limits.add_argument("--spacely", type=int, default=2000, help="jobs (default: %(default)s)")
    which.add_parser("neighbours", help="a tenant's jobs behind another's queue")
    which.add_parser("memory", help="each function's, with the largest jobs there can be")
    return parser.parse_args()


def _all(*, docs: Path, is_quick: bool) -> int:
    try:
        figures = run(QUICK if is_quick else FULL, docs=docs, say=_say_aside)
    except LocalStackError as error:
        _say_aside(f"{type(error).__name__}: {error}")
        return 1
    return _tell(figures)


def _tell(figures: Sequence[Figure]) -> int:
    print("\n".join(lines(figures)))
    return 0 if all(check.holds for figure in figures for check in figure.checks) else 1


def _limits(*, gepetto: int, spacely: int) -> int:
    loads = (Load(provider="gepetto", jobs=gepetto), Load(provider="spacely", jobs=spacely))
    with TemporaryDirectory() as directory:
        outcome = fill_limits(loads, stack_file=Path(directory) / "stack.json", say=_say_aside)
    for used in outcome:
        print(
            f"{used.provider}: {used.calls} calls in {used.over_s:.0f} s, "
            f"of which {used.idle_s:.0f} s idle after kills; "
            f"most in {used.limit.window_s:g} s: {used.most} of {used.limit.calls}; "
            f"used {used.share(but_idle=False):.0%} of the limit, "
            f"{used.share(but_idle=True):.0%} while a pump was at work"
            + ("; BROKE THE LIMIT" if used.is_blocked else "")
        )
    return 1 if any(used.is_blocked for used in outcome) else 0


def _say_aside(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
