"""The arrows of the code point inward; what must not be in it is not."""

import ast
import sys
import tomllib
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path

from tests.faults import only_faulty

FUNCTIONS = Path(__file__).parents[2] / "functions"
SOURCES = sorted(FUNCTIONS.rglob("*.py"))
CLOCKS_AND_CHANCE = {"time", "random", "secrets", "uuid", "logging", "os", "threading", "asyncio"}
STDLIB = sys.stdlib_module_names


@cache
def nodes(path: Path) -> list[ast.AST]:
    return list(ast.walk(ast.parse(path.read_text())))


@cache
def imports(path: Path) -> set[str]:
    """Return the full names of the modules that a file imports."""
    found: set[str] = set()
    for node in nodes(path):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            module = node.module or ""
            found |= {module, *(f"{module}.{alias.name}" for alias in node.names)}
    return found


def below(folder: str) -> list[Path]:
    found = sorted((FUNCTIONS / "relay" / folder).rglob("*.py"))
    assert found, f"no sources in relay/{folder}"
    return found


def named(path: Path) -> str:
    return str(path.relative_to(FUNCTIONS))


def below_package(path: Path, package: str) -> set[str]:
    return {name for name in imports(path) if name.startswith(package)}


def strangers(path: Path, *allowed: str) -> set[str]:
    """Return what a file imports that is neither standard nor below one of these packages."""
    return {
        name
        for name in imports(path)
        if name.partition(".")[0] not in STDLIB
        and name not in ("relay", "relay.domain", "relay.application", "relay.adapters")
        and not any(name == one or name.startswith(f"{one}.") for one in allowed)
    }


def packages(path: Path) -> set[str]:
    return {name.partition(".")[0] for name in imports(path)}


def breaches(folder: str, rule: Callable[[Path], Iterable[str]]) -> dict[str, list[str]]:
    """Return what breaks a rule, by file."""
    return only_faulty({named(path): sorted(rule(path)) for path in below(folder)})


def calls(path: Path) -> set[str]:
    """Return the names of the methods that a file calls."""
    return {
        node.func.attr
        for node in nodes(path)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }


def test_the_domain_knows_nothing_but_itself():
    allowed = ("relay.domain", "relay.errors", "msgspec")

    assert breaches("domain", lambda path: strangers(path, *allowed)) == {}
    assert breaches("domain", lambda path: packages(path) & CLOCKS_AND_CHANCE) == {}


def test_the_domain_asks_no_clock():
    clock = {"now", "utcnow", "today", "monotonic", "perf_counter"}

    assert breaches("domain", lambda path: calls(path) & clock) == {}
    assert "now" in calls(FUNCTIONS / "relay" / "application" / "job_creator.py")


def test_the_application_knows_no_vendor():
    allowed = ("relay.domain", "relay.application", "relay.errors", "msgspec")

    assert breaches("application", lambda path: strangers(path, *allowed)) == {}


def test_edges_know_no_adapter_and_no_service():
    assert breaches("edges", lambda path: below_package(path, "relay.adapters")) == {}
    assert breaches("edges", lambda path: packages(path) & {"google", "requests", "grpc"}) == {}


def test_adapters_know_no_edge():
    assert breaches("adapters", lambda path: below_package(path, "relay.edges")) == {}


def test_nothing_that_is_deployed_needs_what_is_not():
    left_behind = {"infra", "tests", "pytest", "hypothesis"}

    assert [named(path) for path in SOURCES if packages(path) & left_behind] == []


def test_there_are_no_transactions():
    assert [named(path) for path in SOURCES if "transactional" in path.read_text()] == []


def caught(path: Path) -> set[str]:
    """Return the names that stand in a file's except clauses."""
    handlers = [node for node in nodes(path) if isinstance(node, ast.ExceptHandler)]
    types = [one.type or ast.Name("nothing named") for one in handlers]
    return {node.id for one in types for node in ast.walk(one) if isinstance(node, ast.Name)}


def test_nobody_catches_everything():
    everything = {"Exception", "BaseException", "nothing named"}

    assert [named(path) for path in SOURCES if caught(path) & everything] == []
    assert "RelayError" in caught(FUNCTIONS / "relay" / "edges" / "api.py")


def test_make_test_runs_every_test_file():
    root = FUNCTIONS.parent
    settings = tomllib.loads((root / "pyproject.toml").read_text())
    known = settings["tool"]["pytest"]["ini_options"]["testpaths"]

    left_out = [
        str(path.relative_to(root))
        for path in sorted((root / "tests").rglob("test_*.py"))
        if not any(path.is_relative_to(root / one) for one in known)
    ]

    assert left_out == []
