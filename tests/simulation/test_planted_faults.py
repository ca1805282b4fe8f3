"""The checker is itself checked: faults planted in a copy of the relay must all be found."""

import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.simulation.planted import FAULTS, Fault, plant

pytestmark = pytest.mark.thorough

ROOT = Path(__file__).parents[2]
MAX_SEEDS = 2000
PROCESSES = 2


@dataclass(frozen=True)
class Finding:
    seed: int
    promises: tuple[str, ...]


def find(fault: Fault, directory: Path) -> Finding | None:
    """Return when the simulator finds the fault, None if it does not."""
    package = directory / "relay"
    shutil.copytree(
        ROOT / "functions" / "relay", package, ignore=shutil.ignore_patterns("__pycache__")
    )
    plant(fault, package)
    if fault.tests:
        return _failing_tests(fault, directory)
    command = [sys.executable, "-m", "infra.simulator", "--seeds", str(MAX_SEEDS)]
    command += ["--from", str(fault.seed)]
    command += ["--first-only", "--quiet", "--jobs", "1"]
    if fault.profile is not None:
        command += ["--profile", fault.profile]
    elif fault.histories:
        command += [fault.histories]
    elif fault.is_felt_by_others:
        command += ["--crowded"]
    run = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(directory), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    if run.returncode not in (0, 1) or "Traceback" in run.stderr:
        raise AssertionError(run.stderr)
    found = re.search(r"seed (\d+) broke (.*)", run.stdout)
    return Finding(int(found[1]), tuple(found[2].split())) if found else None


def _failing_tests(fault: Fault, directory: Path) -> Finding | None:
    options = ["-q", "-x", "-n", "0", "-p", "no:cacheprovider", "-o", f"pythonpath={directory} ."]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", *options, fault.tests],
        cwd=ROOT,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    if run.returncode not in (0, 1):
        raise AssertionError(run.stdout + run.stderr)
    return Finding(0, (fault.breaks,)) if run.returncode else None


@pytest.fixture(scope="module")
def findings(tmp_path_factory):
    directories = [tmp_path_factory.mktemp("planted") for _ in FAULTS]
    with ThreadPoolExecutor(PROCESSES) as pool:
        return dict(
            zip((fault.name for fault in FAULTS), pool.map(find, FAULTS, directories), strict=True)
        )


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_planted_fault_is_found_by_the_promise_that_it_breaks(fault, findings, capsys):
    finding = findings[fault.name]

    assert finding is not None, f"not found in {MAX_SEEDS} seeds"
    with capsys.disabled():
        print(f"\n  {fault.name}: seed {finding.seed}, {' '.join(finding.promises)}", end="")
    assert fault.breaks in finding.promises


def test_a_fault_whose_text_is_gone_is_refused(tmp_path):
    (tmp_path / "due.py").write_text("something else\n")

    with pytest.raises(LookupError, match=r"0 times in due\.py"):
        plant(Fault("gone", "P3", "due.py", "the old text", "the new text"), tmp_path)
