"""Tries a sample of one-line mutants: `python -m infra.mutants --count 60 --seed 1`."""

import argparse
import sys
import tempfile
from pathlib import Path

from infra.mutants.mutations import (
    Mutant,
    all_mutants,
    changed_lines,
    draw,
    read_equivalents,
)
from infra.mutants.trials import MutantRunner, OriginalFails

ROOT = Path(__file__).parents[2]
EQUIVALENTS = "tests/mutants-equivalent.txt"


def main() -> int:
    """Try the mutants that the command line asks for; 1 if too many of them survive."""
    arguments = _arguments()
    mutants = all_mutants(ROOT, only=arguments.only)
    known = read_equivalents((ROOT / EQUIVALENTS).read_text())
    if not arguments.only:
        for path, old, new in known.keys() - {mutant.key for mutant in mutants}:
            print(f"{EQUIVALENTS} has a mutant that is not made any more: {path}: {old} -> {new}")
    if arguments.base:
        changed = changed_lines(ROOT, base=arguments.base)
        mutants = [mutant for mutant in mutants if (mutant.path, mutant.line) in changed]
    sample = draw(mutants, count=arguments.count, seed=arguments.seed)
    if arguments.list:
        for mutant in sample:
            print(_line(mutant) + (": equivalent" if mutant.key in known else ""))
        return 0
    to_try = [mutant for mutant in sample if mutant.key not in known]
    survived = 0
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        try:
            runner = MutantRunner(ROOT, Path(folder), copies=arguments.jobs, seeds=arguments.seeds)
        except OriginalFails as error:
            print(f"{error}\nThe tests fail without any mutant: mend that first.")
            return 2
        for trial in runner.try_all(to_try):
            survived += trial.caught_by is None
            outcome = f"caught by {trial.caught_by}" if trial.caught_by else "SURVIVED"
            print(f"{_line(trial.mutant)}: {outcome} ({trial.took_s:.0f} s)", flush=True)
    caught = len(to_try) - survived
    print(
        f"seed {arguments.seed}, drawn from {len(mutants)}: {len(sample)} mutants: "
        f"{caught} caught, {survived} survived, {len(sample) - len(to_try)} equivalent"
    )
    return 0 if caught >= arguments.at_least * len(to_try) else 1


def _line(mutant: Mutant) -> str:
    return f"{mutant.path}:{mutant.line}: {mutant.old} -> {mutant.new}"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m infra.mutants", description=__doc__)
    parser.add_argument("--count", type=int, default=60, help="how many mutants")
    parser.add_argument("--seed", type=int, default=0, help="of the sample")
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="GLOB",
        help="only modules whose path ends like this, as domain/*.py; may be repeated",
    )
    parser.add_argument("--base", metavar="REV", help="only lines that changed since then")
    parser.add_argument("--jobs", type=int, choices=(1, 2), default=2, help="mutants at once")
    parser.add_argument("--seeds", type=int, default=200, help="simulated histories for each")
    parser.add_argument("--list", action="store_true", help="print the sample, try nothing")
    parser.add_argument(
        "--at-least", type=float, default=0.95, help="share of the others that must be caught"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
