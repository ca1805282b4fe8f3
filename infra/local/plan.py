"""Everything decided before the first process starts: ports, addresses, processes."""

import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from infra.local import emulators
from infra.local.emulators import Emulator, Kind
from infra.local.errors import WrongEnvironment
from infra.local.functions import FUNCTIONS, instances
from infra.local.processes import HOST, Command, Probe, Service, free_ports
from infra.local.settings import (
    OUTPUTS_BUCKET,
    accounts,
    add_demo_key,
    caller_settings,
    defaults,
    keeps_outputs,
    machine_environment,
    sandbox_args,
    tick_every_s,
)
from infra.local.storage_emulator import storage_command, storage_probe
from infra.local.topics import Topology, topology

ROOT = Path(__file__).resolve().parents[2]
FUNCTIONS_SOURCE = ROOT / "functions"
# Beside the logs.
TRACES_FILE = "traces.jsonl"
OTLP_ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
# Where the sandbox serves each provider, by the variable that holds the provider's URL.
SANDBOX_PATHS = {
    "gepetto": ("GEPETTO_BASE_URL", "/gepetto/v1"),
    "spacely": ("SPACELY_BASE_URL", "/spacely/api/v1"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class StackDescription:
    """Where everything is; the fields of stack.json.

    Attributes:
        sandbox_url: None if no provider is sandboxed.
        storage_emulator_host, outputs_bucket: None if outputs are not kept.
    """

    project: str
    api_url: str
    webhook_url: str
    sandbox_url: str | None
    firestore_emulator_host: str
    pubsub_emulator_host: str
    completions_topic: str
    ticks_topics: Mapping[str, str]
    api_key: str
    console_url: str
    storage_emulator_host: str | None
    outputs_bucket: str | None
    pids: Mapping[str, int]

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read what a running stack wrote; an OSError means that no stack is up."""
        return cls(**json.loads(path.read_text()))

    def write(self, path: Path) -> None:
        """Replace the file in one step, so that a reader never sees half of it."""
        with tempfile.NamedTemporaryFile(
            "w", dir=path.parent, prefix=path.name, suffix=".tmp", delete=False
        ) as file:
            file.write(json.dumps(asdict(self), indent=2) + "\n")
        Path(file.name).replace(path)

    def remove(self, path: Path) -> None:
        """Remove the file, unless another stack has replaced it with its own."""
        try:
            written = json.loads(path.read_text())
        except (FileNotFoundError, ValueError):
            return
        if isinstance(written, dict) and written.get("api_url") == self.api_url:
            path.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What the stack will consist of.

    Attributes:
        push_urls: Where subscriptions push to, by the name of the function.
        description: Complete except for the process ids.
        functions: The names of the processes that serve functions.
    """

    services: tuple[Service, ...]
    topology: Topology
    push_urls: Mapping[str, str]
    tick_every_s: float
    description: StackDescription
    pubsub_service: str
    functions: tuple[str, ...]


def make_plan(
    *,
    env: Mapping[str, str],
    found: Mapping[Kind, Emulator],
    source: Path,
    logs: Path,
    instances_each: int,
    collects_traces: bool = False,
) -> Plan:
    """Choose ports and lay out every process.

    Args:
        env: The caller's environment; its variables win over the stack's defaults.
        source: The directory that holds main.py.
        logs: Where each process gets a log of its own.
        instances_each: How many processes serve each function, at least 1.
        collects_traces: Whether a collector of the stack's own gets the functions' traces.

    Raises:
        WrongEnvironment: A variable is invalid, or names another collector.
        EmulatorsUnavailable: There is no storage emulator; says what to install.
    """
    ports = _choose_ports(instances_each)
    settings, machine = _settings(env, ports=ports), machine_environment(env)
    if collects_traces:
        if OTLP_ENDPOINT in settings or settings.get("CLOUD_TRACE") == "1":
            raise WrongEnvironment("traces go to one place: unset the variables, or drop --traces")
        settings[OTLP_ENDPOINT] = _url(ports.traces)
    demo_key, settings["API_KEYS"] = add_demo_key(settings.get("API_KEYS"))
    topics = topology(
        completions_topic=settings["COMPLETIONS_TOPIC"],
        ticks_topic=settings["TICKS_TOPIC"],
        accounts=accounts(settings),
        keeps_outputs=keeps_outputs(env),
    )
    function_services = tuple(
        service
        for function in FUNCTIONS
        for service in instances(
            function,
            ports=ports.functions[function.target],
            root=ROOT,
            source=source / "main.py",
            settings=settings,
            machine=machine,
            logs=logs,
        )
    )
    sandbox_url = _url(ports.sandbox)
    sandbox = _sandbox(
        port=ports.sandbox,
        settings=settings,
        extra_args=sandbox_args(env),
        machine=machine,
        log=logs / "sandbox.log",
    )
    storage = _storage(ports.storage, machine=machine, logs=logs) if keeps_outputs(env) else None
    is_sandboxed = any(
        settings.get(variable) == sandbox_url + path for variable, path in SANDBOX_PATHS.values()
    )
    return Plan(
        services=(
            _emulator(found[Kind.FIRESTORE], port=ports.firestore, machine=machine, logs=logs),
            _emulator(found[Kind.PUBSUB], port=ports.pubsub, machine=machine, logs=logs),
            *((storage,) if storage is not None else ()),
            *((_traces(ports.traces, machine=machine, logs=logs),) if collects_traces else ()),
            *function_services,
            *((sandbox,) if is_sandboxed else ()),
        ),
        topology=topics,
        push_urls={
            each.function: ports.url_of(each.function) for each in topics.push_subscriptions
        },
        tick_every_s=tick_every_s(env),
        description=StackDescription(
            project=settings["GOOGLE_CLOUD_PROJECT"],
            api_url=ports.url_of("jobs_api"),
            webhook_url=ports.url_of("provider_webhook"),
            sandbox_url=sandbox_url if is_sandboxed else None,
            firestore_emulator_host=settings["FIRESTORE_EMULATOR_HOST"],
            pubsub_emulator_host=settings["PUBSUB_EMULATOR_HOST"],
            completions_topic=topics.completions_topic,
            ticks_topics={name: topics.ticks_topics[name] for name in accounts(settings)},
            api_key=demo_key,
            console_url=f"{ports.url_of('jobs_api')}/console#key={demo_key}",
            storage_emulator_host=f"{HOST}:{ports.storage}" if storage else None,
            outputs_bucket=settings[OUTPUTS_BUCKET] if storage else None,
            pids={},
        ),
        pubsub_service=found[Kind.PUBSUB].name,
        functions=tuple(service.name for service in function_services if service.restarts),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ports:
    """The ports of the stack; of a function, first the one that callers use."""

    firestore: int
    pubsub: int
    storage: int
    sandbox: int
    traces: int
    functions: Mapping[str, Sequence[int]]

    def url_of(self, function: str) -> str:
        return _url(self.functions[function][0])


def _choose_ports(instances_each: int) -> _Ports:
    each = 1 if instances_each == 1 else 1 + instances_each
    firestore, pubsub, storage, sandbox, traces, *others = free_ports(5 + each * len(FUNCTIONS))
    return _Ports(
        firestore=firestore,
        pubsub=pubsub,
        storage=storage,
        sandbox=sandbox,
        traces=traces,
        functions={
            function.target: others[number * each : (number + 1) * each]
            for number, function in enumerate(FUNCTIONS)
        },
    )


def _settings(env: Mapping[str, str], *, ports: _Ports) -> dict[str, str]:
    """Return the defaults, what the caller set, and the addresses of the stack."""
    given = caller_settings(env)
    settings = {
        **defaults(),
        "WEBHOOK_BASE_URL": ports.url_of("provider_webhook"),
        **given,
        "FIRESTORE_EMULATOR_HOST": f"{HOST}:{ports.firestore}",
        "PUBSUB_EMULATOR_HOST": f"{HOST}:{ports.pubsub}",
        "STORAGE_EMULATOR_HOST": _url(ports.storage),
    }
    for account in accounts(settings):
        variable, path = SANDBOX_PATHS.get(account, ("", ""))
        if variable and variable not in given:
            settings[variable] = _url(ports.sandbox) + path
    return settings


def _emulator(emulator: Emulator, *, port: int, machine: Mapping[str, str], logs: Path) -> Service:
    return Service(
        command=emulator.command(port=port, env=machine, log=logs / f"{emulator.name}.log"),
        probe=emulators.probe(port),
        restarts=False,
    )


def _storage(port: int, *, machine: Mapping[str, str], logs: Path) -> Service:
    return Service(
        command=storage_command(port=port, env=machine, log=logs / "storage-emulator.log"),
        probe=storage_probe(port),
        restarts=False,
    )


def _traces(port: int, *, machine: Mapping[str, str], logs: Path) -> Service:
    return _own_server(
        "traces",
        *("--file", str(logs / TRACES_FILE)),
        program=("infra.traces", "collect"),
        port=port,
        path="/",
        machine=machine,
        log=logs / "traces.log",
    )


def _sandbox(
    *,
    port: int,
    settings: Mapping[str, str],
    extra_args: Sequence[str],
    machine: Mapping[str, str],
    log: Path,
) -> Service:
    return _own_server(
        "sandbox",
        *("--gepetto-key", settings["GEPETTO_API_KEY"]),
        *("--spacely-key", settings["SPACELY_API_KEY"]),
        *extra_args,
        program=("infra.sandbox",),
        port=port,
        path="/sandbox/summary",
        machine=machine,
        log=log,
    )


def _own_server(
    name: str,
    *args: str,
    program: Sequence[str],
    port: int,
    path: str,
    machine: Mapping[str, str],
    log: Path,
) -> Service:
    return Service(
        command=Command(
            name=name,
            args=(sys.executable, "-m", *program, "--port", str(port), *args),
            env={**machine, "PYTHONUNBUFFERED": "1"},
            cwd=ROOT,
            log=log,
        ),
        probe=Probe(port=port, path=path, statuses=frozenset({200})),
        restarts=False,
    )


def _url(port: int) -> str:
    return f"http://{HOST}:{port}"
