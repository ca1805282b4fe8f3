"""The three functions as a deployment has them: signature, threads, variables."""

import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from infra.local.errors import StackFailed
from infra.local.ports import HOST
from infra.local.probes import Probe
from infra.local.processes import Command
from infra.local.supervisor import Service

_USED_BY_ALL = (
    "GOOGLE_CLOUD_PROJECT",
    "FIRESTORE_DATABASE",
    "COMPLETIONS_TOPIC",
    "TICKS_TOPIC",
    "ACCOUNTS",
    "JOB_TTL_DAYS",
    "LOG_LEVEL",
    "FIRESTORE_EMULATOR_HOST",
    "PUBSUB_EMULATOR_HOST",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """One entry point of functions/main.py.

    Args:
        signature: The functions framework's signature type.
        threads: Requests that one instance works on at a time.
        uses: The variables that it is given beside those that every function is given.
        ready_path: What it answers with one of *ready_statuses* once it is up.
    """

    target: str
    signature: str
    threads: int
    uses: tuple[str, ...]
    ready_path: str
    ready_statuses: frozenset[int]


FUNCTIONS = (
    Function(
        target="jobs_api",
        signature="http",
        threads=32,
        uses=(
            "API_KEYS",
            "ALLOW_LOCAL_URLS",
            "MAX_OPEN_JOBS",
            "RAW_OPERATIONS",
            "GEPETTO_CALLS_PER_MINUTE",
            "SPACELY_CALLS_PER_SECOND",
        ),
        ready_path="/healthz",
        ready_statuses=frozenset({200}),
    ),
    Function(
        target="provider_webhook",
        signature="http",
        threads=32,
        uses=("WEBHOOK_KEYS",),
        ready_path="/",
        ready_statuses=frozenset({404, 405}),
    ),
    Function(
        target="poll_tick",
        signature="cloudevent",
        threads=8,
        uses=(
            "GEPETTO_API_KEY",
            "SPACELY_API_KEY",
            "GEPETTO_BASE_URL",
            "SPACELY_BASE_URL",
            "GEPETTO_CALLS_PER_MINUTE",
            "SPACELY_CALLS_PER_SECOND",
            "WEBHOOK_BASE_URL",
            "WEBHOOK_KEYS",
            "TENANT_WEIGHTS",
            "TICK_WINDOW_S",
        ),
        ready_path="/",
        ready_statuses=frozenset({405}),
    ),
)


def service(
    function: Function,
    *,
    name: str,
    source: Path,
    port: int,
    settings: Mapping[str, str],
    machine: Mapping[str, str],
    log: Path,
) -> Service:
    """Describe one process that serves a function.

    Args:
        name: The process's; there may be several that serve the same function.
        source: The file that holds the entry points.
        settings: Every variable of the stack; the function gets those that it uses.
        machine: What any program on this machine needs in its environment.
    """
    used = (*_USED_BY_ALL, *function.uses)
    return Service(
        command=Command(
            name=name,
            args=(
                _framework(),
                *("--source", str(source)),
                *("--target", function.target),
                *("--signature-type", function.signature),
                *("--host", HOST),
                *("--port", str(port)),
            ),
            env={
                **machine,
                **{name: settings[name] for name in used if name in settings},
                "THREADS": str(function.threads),
                "PYTHONUNBUFFERED": "1",
            },
            cwd=source.parent,
            log=log,
        ),
        probe=Probe(port=port, path=function.ready_path, statuses=function.ready_statuses),
        restarts=True,
    )


def _framework() -> str:
    """Return the functions framework's command, the one of this virtual environment."""
    beside_python = Path(sys.executable).parent / "functions-framework"
    if beside_python.exists():
        return str(beside_python)
    on_path = shutil.which("functions-framework")
    if on_path is None:
        raise StackFailed(f"no functions-framework beside {sys.executable}: run `make setup`")
    return on_path
