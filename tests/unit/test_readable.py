"""What is read by msgspec was examined by it before any thread could begin to read."""

import ast
import importlib
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from relay.domain.catalogue import CATALOGUE
from tests.faults import only_faulty

FUNCTIONS = Path(__file__).parents[2] / "functions"
# Where a reading function takes the class that it reads into.
CLASS_AT = {"convert": 1, "validate": 1, "from_fields": 0}
# msgspec examines a class by functions of its own that are written in Python.
READ_FOR_THE_FIRST_TIME = """
import importlib, msgspec, sys
module = importlib.import_module(sys.argv[1])
for name in sys.argv[2:]:
    kind = getattr(module, name)
    files = set()
    sys.setprofile(lambda frame, *_: files.add(frame.f_code.co_filename))
    try:
        msgspec.convert({}, kind)
    except msgspec.ValidationError:
        pass
    sys.setprofile(None)
    if any("msgspec" in file for file in files):
        print(name)
"""


def read_classes() -> Iterator[tuple[str, str]]:
    """Yield the module and the name of each class that some function is told to read into."""
    for path in sorted((FUNCTIONS / "relay").rglob("*.py")):
        name = ".".join(path.relative_to(FUNCTIONS).with_suffix("").parts)
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            function = node.func.attr if isinstance(node.func, ast.Attribute) else ""
            function = node.func.id if isinstance(node.func, ast.Name) else function
            given = [one.value for one in node.keywords if one.arg == "type"]
            if function in CLASS_AT:
                given += node.args[CLASS_AT[function] :][:1]
            for one in given if function in ("decode", *CLASS_AT) else ():
                module = importlib.import_module(name)
                if isinstance(one, ast.Name) and isinstance(getattr(module, one.id, None), type):
                    yield name, one.id


@pytest.fixture(scope="module")
def classes() -> Mapping[str, Sequence[str]]:
    """Return the names of all classes that are read into, by module."""
    found = {
        *read_classes(),
        *(
            (one.input.__module__, one.input.__name__)
            for provider in CATALOGUE.values()
            for one in provider.operations.values()
        ),
    }
    return {
        module: sorted(name for one, name in found if one == module)
        for module in sorted({module for module, _ in found})
    }


def test_the_classes_are_found(classes):
    names = {name for some in classes.values() for name in some}

    assert {"Job", "Account", "CreateBody", "Tick", "Furnish", "_Resource"} <= names


def examined_too_late(module: str, names: Sequence[str]) -> list[str]:
    """Return those of the classes that msgspec examines only when something is read into them."""
    done = subprocess.run(
        [sys.executable, "-c", READ_FOR_THE_FIRST_TIME, module, *names],
        env={"PYTHONPATH": str(FUNCTIONS)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


# Each module by itself: another one may examine a class that is part of its own.
def test_msgspec_has_nothing_to_examine_when_a_class_is_read_into_first(classes):
    late = {module: examined_too_late(module, names) for module, names in classes.items()}

    assert only_faulty(late) == {}


def test_an_unprepared_class_would_be_found():
    assert examined_too_late("relay.domain.trace", ["TraceContext"]) == ["TraceContext"]
