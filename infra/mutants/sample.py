"""Which mutants are tried: a seeded sample, and those that are known to change nothing."""

import random
import re
import subprocess
from collections.abc import Iterable, Sequence
from itertools import zip_longest
from pathlib import Path

from infra.mutants.mutations import Mutant, mutants_of, one_line, required_names

RELAY = "functions/relay"
LAYERS = ("domain", "application", "edges")

Key = tuple[str, str, str]
"""Path, old line and new line of a mutant; its line number would move with every edit."""


def all_mutants(root: Path, *, only: Sequence[str]) -> list[Mutant]:
    """Return the mutants of the modules that match one of the patterns, of all if there is none."""
    paths = [path for layer in LAYERS for path in sorted((root / RELAY / layer).rglob("*.py"))]
    sources = sorted((root / RELAY).rglob("*.py"))
    required = frozenset().union(*(required_names(path.read_text()) for path in sources))
    return [
        mutant
        for path in paths
        if not only or any(path.match(pattern) for pattern in only)
        for mutant in mutants_of(str(path.relative_to(root)), path.read_text(), required=required)
    ]


def draw(mutants: Iterable[Mutant], *, count: int, seed: int) -> list[Mutant]:
    """Draw a sample, the same for the same seed.

    Every line is as likely as any other, however many mutants it has, and none has a second
    one in the sample before all have one.
    """
    chance = random.Random(seed)
    lines: dict[tuple[str, int], list[Mutant]] = {}
    for mutant in sorted(mutants):
        lines.setdefault((mutant.path, mutant.line), []).append(mutant)
    shuffled = [chance.sample(line, len(line)) for line in lines.values()]
    chance.shuffle(shuffled)
    rounds = zip_longest(*shuffled)
    return [mutant for one in rounds for mutant in one if mutant is not None][:count]


def changed_lines(root: Path, *, base: str) -> set[tuple[str, int]]:
    """Return path and number of each line that is new or different since a revision."""
    changed = set()
    path = ""
    for line in _git(root, "diff", "-U0", "--no-prefix", "--no-ext-diff", base, "--", RELAY):
        if line.startswith("+++ "):
            path = line.removeprefix("+++ ")
        elif hunk := re.match(r"@@ -\S+ \+(\d+)(?:,(\d+))? @@", line):
            first, length = int(hunk[1]), int(hunk[2] or 1)
            changed |= {(path, number) for number in range(first, first + length)}
    for path in _git(root, "ls-files", "--others", "--exclude-standard", "--", RELAY):
        length = len((root / path).read_text().splitlines())
        changed |= {(path, number) for number in range(1, length + 1)}
    return changed


def project_files(root: Path) -> list[str]:
    """Return the files that make up the project, also those that are not committed yet."""
    listed = _git(root, "ls-files", "--cached", "--others", "--exclude-standard")
    return [path for path in listed if (root / path).is_file()]


def key(mutant: Mutant) -> Key:
    """Return what a mutant is known by."""
    return mutant.path, mutant.old, mutant.new


def read_equivalents(text: str) -> dict[Key, str]:
    """Read the list of mutants that behave as the original does, with the reason for each.

    Raises:
        ValueError: An entry is not a path, `- old`, `+ new` and a reason.
    """
    known = {}
    for entry in re.split(r"\n\s*\n", text.strip()):
        lines = [line for line in entry.splitlines() if not line.startswith("#")]
        if not lines:
            continue
        if len(lines) < 4 or lines[1][:2] != "- " or lines[2][:2] != "+ ":
            raise ValueError(f"not a path, '- old', '+ new' and a reason:\n{entry}")
        path, old, new, *reason = lines
        known[path.strip(), one_line(old[2:]), one_line(new[2:])] = one_line(" ".join(reason))
    return known


def _git(root: Path, *args: str) -> list[str]:
    command = ("git", "-C", str(root), *args)
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
