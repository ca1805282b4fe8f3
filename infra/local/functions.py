"""The functions as a deployment has them: signature, threads, variables, instances."""

import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from infra.local.errors import StackFailed
from infra.local.processes import HOST, Command, Probe, Service

SHARED_VARIABLES = (
    "GOOGLE_CLOUD_PROJECT",
    "FIRESTORE_DATABASE",
    "COMPLETIONS_TOPIC",
    "TICKS_TOPIC",
    "ACCOUNTS",
    "JOB_TTL_DAYS",
    "LOG_LEVEL",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_HEADERS",
    "CLOUD_TRACE",
)
EMULATOR_VARIABLES = (
    "FIRESTORE_EMULATOR_HOST",
    "PUBSUB_EMULATOR_HOST",
    "STORAGE_EMULATOR_HOST",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """An entry point of functions/main.py.

    Attributes:
        signature: The functions framework's signature type.
        threads: Requests that one instance works on at a time.
        uses: The variables that it is given beside the shared ones.
        ready_path: Answered with one of *ready_statuses* once the function is up.
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
            "CALLBACK_KEYS",
            "MAX_OPEN_JOBS",
            "OUTPUTS_BUCKET",
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
    Function(
        target="deliver_callbacks",
        signature="cloudevent",
        threads=8,
        uses=("ALLOW_LOCAL_URLS", "CALLBACK_KEYS", "TICK_WINDOW_S"),
        ready_path="/",
        ready_statuses=frozenset({405}),
    ),
    Function(
        target="keep_outputs",
        signature="cloudevent",
        threads=8,
        uses=("ALLOW_LOCAL_URLS", "OUTPUTS_BUCKET"),
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
        name: The process's; several processes may serve the same function.
        source: The file that holds the entry points.
        settings: Every variable of the stack; the function gets those that it uses.
        machine: What any program on this machine needs in its environment.
    """
    used = (*SHARED_VARIABLES, *EMULATOR_VARIABLES, *function.uses)
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
        probe=_probe(function, port),
        restarts=True,
    )


def instances(
    function: Function,
    *,
    ports: Sequence[int],
    root: Path,
    source: Path,
    settings: Mapping[str, str],
    machine: Mapping[str, str],
    logs: Path,
) -> tuple[Service, ...]:
    """Describe one process of a function, or several, numbered from 1, behind a front.

    Args:
        ports: The port that callers use, followed by those of the processes behind the front.
        root: The checkout, from which the front is run.
        source, settings, machine: See `service`.
    """
    public, *behind = ports
    named = {function.target: public}
    if behind:
        named = {f"{function.target}-{number}": port for number, port in enumerate(behind, start=1)}
    served = tuple(
        service(
            function,
            name=name,
            source=source,
            port=port,
            settings=settings,
            machine=machine,
            log=logs / f"{name}.log",
        )
        for name, port in named.items()
    )
    if not behind:
        return served
    name = f"{function.target}-front"
    front = Service(
        command=Command(
            name=name,
            args=(sys.executable, "-m", "infra.local.front", *map(str, ports)),
            env={**machine, "PYTHONUNBUFFERED": "1"},
            cwd=root,
            log=logs / f"{name}.log",
        ),
        probe=_probe(function, public),
        restarts=False,
    )
    return (*served, front)


def _probe(function: Function, port: int) -> Probe:
    return Probe(port=port, path=function.ready_path, statuses=function.ready_statuses)


def _framework() -> str:
    """Return the functions framework's command, the one of this virtual environment."""
    beside_python = Path(sys.executable).parent / "functions-framework"
    if beside_python.exists():
        return str(beside_python)
    on_path = shutil.which("functions-framework")
    if on_path is None:
        raise StackFailed(f"no functions-framework beside {sys.executable}: run `make setup`")
    return on_path
