"""Both emulators, and functions served on them side by side: the relay's and bare ones.

No pump and no scheduler: what is measured here has the machine for itself.
"""

import hashlib
import json
import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import grpc

from infra.bench.floor.main import TOPIC as FLOOR_TOPIC
from infra.local import functions
from infra.local.emulators import Kind, running_emulator
from infra.local.functions import FUNCTIONS, Function
from infra.local.plan import FUNCTIONS_SOURCE
from infra.local.processes import Process, Service, free_ports, stop_all, wait_until_answered
from infra.local.reaper import Reaper
from infra.local.settings import machine_environment
from infra.local.topics import PubSubEmulator, Topology
from relay.adapters.database import Database

PROJECT = "render-relay-bench"
COMPLETIONS_TOPIC = "job-completions"
TENANT = "bench"
# As terraform/ deploys them: an instance takes 80 requests at a time, each on its own thread.
THREADS = 80
START_WITHIN_S = 60.0

FLOOR_SOURCE = Path(__file__).parent / "floor" / "main.py"
FLOOR_FUNCTIONS = tuple(
    Function(
        target=target,
        signature="http",
        threads=THREADS,
        uses=(),
        ready_path="/",
        ready_statuses=frozenset({200, 405}),
    )
    for target in ("floor_webhook", "floor_create", "floor_bare")
)
RELAY_FUNCTIONS = tuple(replace(function, threads=THREADS) for function in FUNCTIONS)
_SOURCES = {
    **{function.target: FUNCTIONS_SOURCE / "main.py" for function in RELAY_FUNCTIONS},
    **{function.target: FLOOR_SOURCE for function in FLOOR_FUNCTIONS},
}
_ALL = {function.target: function for function in (*RELAY_FUNCTIONS, *FLOOR_FUNCTIONS)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A function that answers: on which port, and the process that leads it."""

    port: int
    pid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rig:
    """Running emulators, and everything a function needs in its environment."""

    firestore_host: str
    pubsub_host: str
    settings: Mapping[str, str]
    api_key: str
    webhook_key: str

    def service(self, target: str, *, port: int, logs: Path) -> Service:
        """Describe the process that serves one function, the relay's or a bare one."""
        return functions.service(
            _ALL[target],
            name=target,
            source=_SOURCES[target],
            port=port,
            settings=self.settings,
            machine=machine_environment(os.environ),
            log=logs / f"{target}.log",
        )

    @contextmanager
    def serving(self, targets: Sequence[str]) -> Iterator[Mapping[str, Served]]:
        """Serve functions for the length of the block."""
        with ExitStack() as undo:
            logs = Path(undo.enter_context(TemporaryDirectory()))
            reaper = undo.enter_context(Reaper())
            ports = dict(zip(targets, free_ports(len(targets)), strict=True))
            services = [self.service(name, port=port, logs=logs) for name, port in ports.items()]
            processes = [Process(service.command, reaper=reaper) for service in services]
            undo.callback(stop_all, processes)
            probes = {service.name: service.probe for service in services}
            wait_until_answered(probes, timeout_s=START_WITHIN_S, check=lambda: None)
            yield {
                process.command.name: Served(port=ports[process.command.name], pid=process.pid)
                for process in processes
            }


@contextmanager
def running_rig() -> Iterator[Rig]:
    """Run the emulators, with the topics that the functions publish to."""
    with (
        running_emulator(Kind.FIRESTORE) as firestore_host,
        running_emulator(Kind.PUBSUB) as pubsub_host,
    ):
        topics = {"gepetto": "poll-ticks-gepetto", "spacely": "poll-ticks-spacely"}
        for completions in (COMPLETIONS_TOPIC, FLOOR_TOPIC):
            PubSubEmulator(host=pubsub_host, project=PROJECT).create(
                Topology(
                    completions_topic=completions,
                    ticks_topics=topics if completions == COMPLETIONS_TOPIC else {},
                    push_subscriptions=(),
                ),
                push_urls={},
            )
        api_key, webhook_key = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        settings = {
            "GOOGLE_CLOUD_PROJECT": PROJECT,
            "FIRESTORE_EMULATOR_HOST": firestore_host,
            "PUBSUB_EMULATOR_HOST": pubsub_host,
            "COMPLETIONS_TOPIC": COMPLETIONS_TOPIC,
            "WEBHOOK_BASE_URL": "http://127.0.0.1:1",
            "WEBHOOK_KEYS": webhook_key,
            "GEPETTO_API_KEY": "unused",
            "SPACELY_API_KEY": "unused",
            "API_KEYS": json.dumps({TENANT: [hashlib.sha256(api_key.encode()).hexdigest()]}),
            # No pump runs, so no job ever ends.
            "MAX_OPEN_JOBS": "1000000",
        }
        yield Rig(
            firestore_host=firestore_host,
            pubsub_host=pubsub_host,
            settings=settings,
            api_key=api_key,
            webhook_key=webhook_key,
        )


def firestore_client(
    host: str,
    *,
    project: str,
    interceptors: Sequence[grpc.UnaryUnaryClientInterceptor] = (),
) -> Database:
    """Return the real client on an emulator, whatever stands in this process's environment."""
    channel = grpc.intercept_channel(grpc.insecure_channel(host), *interceptors)
    return Database(channel, project=project)
