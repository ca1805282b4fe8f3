"""The command line: `python -m infra.describe.fuzz` attacks a relay until so many cases passed."""

import argparse
import os
import sys
from pathlib import Path

from infra.describe.fuzz.attack import attack
from infra.describe.fuzz.ground import fuzzed_ground
from infra.local.errors import LocalStackError
from infra.local.plan import FUNCTIONS_SOURCE, ROOT

RUN_WITHIN_S = 3600.0


def main() -> int:
    """Run one round after another; the exit status is 1 if any finds something."""
    arguments = _arguments()
    try:
        return _fuzz(arguments)
    except LocalStackError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1


def _fuzz(arguments: argparse.Namespace) -> int:
    directory: Path = arguments.directory
    directory.mkdir(parents=True, exist_ok=True)
    cases, bad, seed = 0, 0, arguments.seed
    with fuzzed_ground(
        stack_file=directory / "stack.json", env=os.environ, functions=arguments.functions
    ) as ground:
        while cases < arguments.cases:
            for who, keys in (("two tenants", ground.keys), ("a stranger", {})):
                outcome = attack(
                    ground.stack.description.api_url,
                    keys=keys,
                    max_examples=arguments.max_examples,
                    seed=seed,
                    directory=directory / who.replace(" ", "-"),
                    timeout_s=RUN_WITHIN_S,
                )
                ground.stack.check()
                cases += outcome.cases
                bad += not outcome.is_good
                verdict = "as described" if outcome.is_good else "NOT as described"
                print(f"{who}, seed {seed}: {outcome.cases} cases, {verdict}", flush=True)
                if not outcome.is_good:
                    print(outcome.text, flush=True)
                if not outcome.cases:
                    return 1
            seed += 1
    print(f"{cases} cases in all, {bad or 'no'} run{'' if bad == 1 else 's'} with findings")
    return 1 if bad else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m infra.describe.fuzz", description=__doc__)
    add = parser.add_argument
    add("--cases", type=int, default=5000, help="at least so many (default: %(default)s)")
    add("--seed", type=int, default=1, help="of the first round (default: %(default)s)")
    add("--max-examples", type=int, default=100, metavar="N",
        help="for each operation and phase that draws (default: %(default)s)")  # fmt: skip
    add("--directory", type=Path, default=ROOT / ".local" / "fuzz", metavar="PATH",
        help="for reports and logs (default: .local/fuzz)")  # fmt: skip
    add("--functions", type=Path, default=FUNCTIONS_SOURCE, metavar="DIRECTORY",
        help="the directory that holds main.py (default: functions/ of this checkout)")  # fmt: skip
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
