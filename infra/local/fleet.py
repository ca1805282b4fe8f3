"""The processes that serve one function: one of it, or several behind a front."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from infra.local import functions
from infra.local.functions import Function
from infra.local.probes import Probe
from infra.local.processes import Command
from infra.local.supervisor import Service


def ports_needed(instances: int) -> int:
    """Return how many ports so many processes of one function take, the front's included."""
    return 1 if instances == 1 else 1 + instances


def fleet(
    function: Function,
    *,
    ports: Sequence[int],
    root: Path,
    source: Path,
    settings: Mapping[str, str],
    machine: Mapping[str, str],
    logs: Path,
) -> tuple[Service, ...]:
    """Describe the processes of one function; several are numbered from 1.

    Args:
        ports: The port that callers use, and if there are more, those of the processes
            behind it.
        root: The checkout, from which a front is run.
        source: The file that holds the entry points.
        settings: Every variable of the stack.
        machine: What any program on this machine needs in its environment.
    """
    public, *behind = ports
    instances = tuple(
        functions.service(
            function,
            name=name,
            source=source,
            port=port,
            settings=settings,
            machine=machine,
            log=logs / f"{name}.log",
        )
        for name, port in _named(function.target, public, behind)
    )
    if not behind:
        return instances
    name = f"{function.target}-front"
    front = Service(
        command=Command(
            name=name,
            args=(sys.executable, "-m", "infra.local.front", *map(str, ports)),
            env={**machine, "PYTHONUNBUFFERED": "1"},
            cwd=root,
            log=logs / f"{name}.log",
        ),
        probe=Probe(port=public, path=function.ready_path, statuses=function.ready_statuses),
        restarts=False,
    )
    return (*instances, front)


def _named(target: str, public: int, behind: Sequence[int]) -> list[tuple[str, int]]:
    if not behind:
        return [(target, public)]
    return [(f"{target}-{number}", port) for number, port in enumerate(behind, start=1)]
