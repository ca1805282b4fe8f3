"""Tries mutants: puts each into a copy of the project and runs the tests there."""

import ast
import itertools
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path, PurePath
from queue import SimpleQueue

from infra.mutants.mutations import RELAY, Mutant, project_files

SIMULATED = (f"{RELAY}/domain/", f"{RELAY}/application/")
UNIT_TESTS = "tests/unit/"
TESTS = ("tests/unit", "tests/scale", "tests/entrypoints")
TEST_LIMIT_S = 30
PYTEST = [sys.executable, "-m", "pytest", "-x", "-q", "--tb=no", "-p", "no:cacheprovider"]
PYTEST += ["-m", "not emulator and not storm and not thorough", "--hypothesis-seed=0"]
PYTEST += ["-o", f"faulthandler_timeout={TEST_LIMIT_S}", "-o", "faulthandler_exit_on_timeout=true"]
# Of one process: an endless loop may fill the memory long before its time is up.
MAX_MEMORY_KIB = 4 * 1024 * 1024

TIME_LIMIT = "the time limit"

_SLACK = 4
_SLACK_S = 20.0
_FAILED = re.compile(r"^(?:FAILED|ERROR) (.+?)(?: - .*)?$", re.MULTILINE)
_TIMEOUT = re.compile(r"^Timeout \(", re.MULTILINE)


class OriginalFails(Exception):
    """The tests fail without any mutant."""


@dataclass(frozen=True, slots=True)
class Trial:
    """The outcome for a mutant; `caught_by` is None if it survived."""

    mutant: Mutant
    caught_by: str | None
    took_s: float


@dataclass(frozen=True, slots=True)
class _Run:
    failure: str | None
    output: str
    took_s: float


class MutantRunner:
    """Tries mutants in copies of the project, one copy for each that runs at a time."""

    def __init__(self, root: Path, at: Path, *, copies: int, seeds: int) -> None:
        self._seeds = seeds
        self._running: set[subprocess.Popen[str]] = set()
        self._seconds_later = itertools.count(10)
        first = at / "0"
        files = project_files(root)
        for path in files:
            (first / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / path, first / path)
        self._graph = ImportGraph(first, files)
        self._limit_s = self._run_original(first)
        self._copies: SimpleQueue[Path] = SimpleQueue()
        self._copies.put(first)
        for number in range(1, copies):
            self._copies.put(shutil.copytree(first, at / str(number)))
        self._jobs = copies

    def try_all(self, mutants: Sequence[Mutant]) -> Iterator[Trial]:
        """Try mutants, and yield each as soon as it was caught or has survived."""
        with ThreadPoolExecutor(self._jobs) as pool:
            try:
                for done in as_completed([pool.submit(self._try, mutant) for mutant in mutants]):
                    yield done.result()
            finally:
                pool.shutdown(wait=False, cancel_futures=True)
                for process in tuple(self._running):
                    _kill(process)

    def _try(self, mutant: Mutant) -> Trial:
        copy = self._copies.get()
        module = copy / mutant.path
        original, stat = module.read_bytes(), module.stat()
        try:
            module.write_text(mutant.source)
            # A time of its own, or Python would use bytecode of the original, or what a process
            # that a test started has left of another mutant with as many characters.
            os.utime(module, (stat.st_atime, stat.st_mtime + next(self._seconds_later)))
            started_s = time.monotonic()
            runs = (
                self._run(command, cwd=copy, limit_s=self._limit_s, keeps_bytecode=False)
                for command in self._commands(mutant.path)
            )
            failure = next((run.failure for run in runs if run.failure), None)
            return Trial(mutant, failure, time.monotonic() - started_s)
        finally:
            module.write_bytes(original)
            os.utime(module, ns=(stat.st_atime_ns, stat.st_mtime_ns))
            self._copies.put(copy)

    def _commands(self, path: str) -> list[list[str]]:
        tests = self._graph.tests_for(path)
        if not path.startswith(SIMULATED) or self._seeds == 0:
            return [[*PYTEST, *tests]]
        simulator = [sys.executable, "-m", "infra.simulator", "--seeds", str(self._seeds)]
        return [
            [*PYTEST, *(test for test in tests if test.startswith(UNIT_TESTS))],
            [*simulator, "--first-only", "--quiet", "--jobs", "1"],
            [*PYTEST, *(test for test in tests if not test.startswith(UNIT_TESTS))],
        ]

    def _run_original(self, copy: Path) -> float:
        """Run everything without a mutant, and return the time limit of a command with one."""
        took_s = 0.0
        for command in self._commands(SIMULATED[0]):
            run = self._run(command, cwd=copy, limit_s=1800.0, keeps_bytecode=True)
            if run.failure:
                raise OriginalFails("\n".join(run.output.splitlines()[-20:]))
            took_s += run.took_s
        return _SLACK_S + _SLACK * took_s

    def _run(self, command: list[str], *, cwd: Path, limit_s: float, keeps_bytecode: bool) -> _Run:
        limited = ["/bin/sh", "-c", f'ulimit -v {MAX_MEMORY_KIB}; exec "$@"', "sh", *command]
        env = {**os.environ, "PYTHONDONTWRITEBYTECODE": "" if keeps_bytecode else "1"}
        started_s = time.monotonic()
        process = subprocess.Popen(
            limited,
            cwd=cwd,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._running.add(process)
        try:
            output, _ = process.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired:
            return _Run(TIME_LIMIT, "", time.monotonic() - started_s)
        finally:
            _kill(process)
            self._running.discard(process)
        failure = _failure(process.returncode, output) if process.returncode else None
        return _Run(failure, output, time.monotonic() - started_s)


def _failure(code: int, output: str) -> str:
    if failed := _FAILED.search(output):
        return failed[1]
    if _TIMEOUT.search(output):
        return TIME_LIMIT
    lines = output.strip().splitlines() or [f"exit code {code}"]
    return lines[-1]


def _kill(process: subprocess.Popen[str]) -> None:
    """Kill a process and its children."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    process.wait()


class ImportGraph:
    """Which module of a tree imports which."""

    def __init__(self, root: Path, files: Sequence[str]) -> None:
        sources = [path for path in files if path.endswith(".py")]
        self._imports = {path: _imports(root / path) for path in sources}
        for path in sources:
            # A test uses the fixtures of its folder without an import.
            self._imports[path].add(_module(str(PurePath(path).with_name("conftest.py"))))

    def tests_for(self, path: str) -> list[str]:
        """Return all test files, first those with the fewest imports between them and a module."""
        distance = {path: 0}
        queue = [path]
        for reached in queue:
            for importer, names in self._imports.items():
                if importer not in distance and _module(reached) in names:
                    distance[importer] = distance[reached] + 1
                    queue.append(importer)
        tests = [
            test
            for test in self._imports
            if test.startswith(TESTS) and PurePath(test).name.startswith("test_")
        ]
        return sorted(tests, key=lambda test: (distance.get(test, len(distance)), test))


def _imports(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def _module(path: str) -> str:
    name = path.removeprefix("functions/").removesuffix(".py").removesuffix("/__init__")
    return name.replace("/", ".")
