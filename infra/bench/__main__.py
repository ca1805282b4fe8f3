"""The command line: `python -m infra.bench polling` compares ways of asking by simulation."""

import argparse
import sys
from pathlib import Path

from infra.bench.chart import draw
from infra.bench.polling import measure
from infra.bench.report import CHART, markdown, table

DOCS = Path(__file__).resolve().parents[2] / "docs"


def main() -> int:
    """Run a benchmark; the exit status is 1 if anything does not hold."""
    arguments = _arguments()
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
    return parser.parse_args()


def _say_aside(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
