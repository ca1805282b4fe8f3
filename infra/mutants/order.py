"""The order in which tests run against a mutant: those nearest to its module first."""

import ast
from collections.abc import Sequence
from pathlib import Path, PurePath

TESTS = ("tests/unit", "tests/entrypoints")
OWN_TESTS = "test_mutants.py"


class ImportGraph:
    """What imports what in a tree."""

    def __init__(self, root: Path, files: Sequence[str]) -> None:
        sources = [path for path in files if path.endswith(".py")]
        self._imports = {path: _imports(root / path) for path in sources}
        for path in sources:
            # A test reaches the fixtures of its folder without an import.
            self._imports[path].add(_module(str(PurePath(path).with_name("conftest.py"))))

    def tests_for(self, path: str) -> list[str]:
        """Return all test files, those first that need the fewest imports to get to a module."""
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
            if test.startswith(TESTS)
            and PurePath(test).name.startswith("test_")
            and PurePath(test).name != OWN_TESTS
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
