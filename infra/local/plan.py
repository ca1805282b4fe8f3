"""Everything that is decided before the first process starts: ports, addresses, processes."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from infra.local import emulators, functions, sandbox
from infra.local.description import StackDescription
from infra.local.emulators import Emulator, Kind
from infra.local.fleet import fleet, ports_needed
from infra.local.ports import HOST, free_ports
from infra.local.settings import (
    accounts,
    add_demo_key,
    caller_settings,
    defaults,
    machine_environment,
    sandbox_args,
    tick_every_s,
)
from infra.local.supervisor import Service
from infra.local.topology import PUMP_FUNCTION, Topology, topology

ROOT = Path(__file__).resolve().parents[2]
FUNCTIONS_SOURCE = ROOT / "functions"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What the stack will consist of.

    Args:
        description: Complete but for the process ids.
        push_urls: Where subscriptions push to, by the name of the function.
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
    instances: int,
) -> Plan:
    """Choose ports and lay out every process.

    Args:
        env: The caller's environment; its variables win over the stack's defaults.
        source: The directory that holds main.py.
        logs: Where each process gets a log of its own.
        instances: How many processes serve each function, at least 1.

    Raises:
        WrongEnvironment: A variable makes no sense.
    """
    each = ports_needed(instances)
    firestore_port, pubsub_port, sandbox_port, *function_ports = free_ports(
        3 + each * len(functions.FUNCTIONS)
    )
    ports_of = {
        function.target: function_ports[number * each : (number + 1) * each]
        for number, function in enumerate(functions.FUNCTIONS)
    }
    port_of = {target: ports[0] for target, ports in ports_of.items()}
    given = caller_settings(env)
    demo = add_demo_key(given.get("API_KEYS"))
    settings = {
        **defaults(),
        "WEBHOOK_BASE_URL": _url(port_of["provider_webhook"]),
        **given,
        "API_KEYS": demo.api_keys,
        "FIRESTORE_EMULATOR_HOST": f"{HOST}:{firestore_port}",
        "PUBSUB_EMULATOR_HOST": f"{HOST}:{pubsub_port}",
    }
    sandboxed = sandbox.to_sandbox(given, accounts=accounts(settings))
    for provider in sandboxed:
        settings[provider.base_url_variable] = _url(sandbox_port) + provider.path
    machine = machine_environment(env)
    topics = topology(
        completions_topic=settings["COMPLETIONS_TOPIC"],
        ticks_topic=settings["TICKS_TOPIC"],
        accounts=accounts(settings),
    )
    emulator_services = tuple(
        _emulator_service(found[kind], port=port, machine=machine, logs=logs)
        for kind, port in ((Kind.FIRESTORE, firestore_port), (Kind.PUBSUB, pubsub_port))
    )
    sandbox_services = (
        sandbox.service(
            port=sandbox_port,
            keys=settings,
            extra_args=sandbox_args(env),
            machine=machine,
            root=ROOT,
            log=logs / f"{sandbox.NAME}.log",
        ),
    )
    function_services = tuple(
        service
        for function in functions.FUNCTIONS
        for service in fleet(
            function,
            ports=ports_of[function.target],
            root=ROOT,
            source=source / "main.py",
            settings=settings,
            machine=machine,
            logs=logs,
        )
    )
    return Plan(
        services=(
            *emulator_services,
            *function_services,
            *(sandbox_services if sandboxed else ()),
        ),
        topology=topics,
        push_urls={PUMP_FUNCTION: _url(port_of[PUMP_FUNCTION])},
        tick_every_s=tick_every_s(env),
        description=StackDescription(
            project=settings["GOOGLE_CLOUD_PROJECT"],
            api_url=_url(port_of["jobs_api"]),
            webhook_url=_url(port_of["provider_webhook"]),
            sandbox_url=_url(sandbox_port) if sandboxed else None,
            firestore_emulator_host=settings["FIRESTORE_EMULATOR_HOST"],
            pubsub_emulator_host=settings["PUBSUB_EMULATOR_HOST"],
            completions_topic=topics.completions_topic,
            ticks_topics=topics.ticks_topics,
            api_key=demo.key,
            pids={},
        ),
        pubsub_service=found[Kind.PUBSUB].name,
        functions=tuple(service.name for service in function_services if service.restarts),
    )


def _emulator_service(
    emulator: Emulator, *, port: int, machine: Mapping[str, str], logs: Path
) -> Service:
    return Service(
        command=emulator.command(port=port, env=machine, log=logs / f"{emulator.name}.log"),
        probe=emulators.probe(port),
        restarts=False,
    )


def _url(port: int) -> str:
    return f"http://{HOST}:{port}"
