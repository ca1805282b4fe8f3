"""The emulators, and functions served on them: the relay's and the floor's.

No pump and no scheduler runs here, so a measured function has the machine to itself.
"""

import base64
import hashlib
import json
import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from infra.bench.floor import TOPIC as FLOOR_TOPIC
from infra.local import functions
from infra.local.emulators import Kind, running_emulator
from infra.local.functions import FUNCTIONS, Function
from infra.local.plan import FUNCTIONS_SOURCE
from infra.local.processes import HOST, Process, Service, free_ports, stop_all, wait_until_answered
from infra.local.reaper import Reaper
from infra.local.settings import machine_environment
from infra.local.storage_emulator import running_storage_emulator
from infra.local.topics import PubSubEmulator, Topology, topology

PROJECT = "render-relay-bench"
COMPLETIONS_TOPIC = "job-completions"
TICKS_TOPIC = "poll-ticks"
BUCKET = "bench-outputs"
TENANT, OTHER_TENANT = "bench", "bench-too"
# As in terraform/: an instance takes 80 requests at a time, each on its own thread.
THREADS = 80
START_WITHIN_S = 60.0
TOPOLOGY = topology(
    completions_topic=COMPLETIONS_TOPIC, ticks_topic=TICKS_TOPIC, accounts=("gepetto", "spacely")
)

RELAY_SOURCE = FUNCTIONS_SOURCE / "main.py"
FLOOR_SOURCE = Path(__file__).with_name("floor.py")
DOCUMENTED_SOURCE = Path(__file__).with_name("documented_floor.py")
_FLOOR_FUNCTIONS = {
    target: Function(
        target=target,
        signature="http",
        threads=THREADS,
        uses=(),
        ready_path="/",
        ready_statuses=frozenset({200, 405}),
    )
    for target in ("floor_webhook", "floor_create", "floor_bare", "documented_create")
}
_FUNCTIONS = {
    **{one.target: (replace(one, threads=THREADS), RELAY_SOURCE) for one in FUNCTIONS},
    **{target: (one, FLOOR_SOURCE) for target, one in _FLOOR_FUNCTIONS.items()},
    "documented_create": (_FLOOR_FUNCTIONS["documented_create"], DOCUMENTED_SOURCE),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A process that serves a function; its worker is a child of its own."""

    port: int
    pid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Emulators:
    """Running emulators, and everything that a function needs in its environment."""

    firestore_host: str
    pubsub_host: str
    settings: Mapping[str, str]
    api_key: str
    other_api_key: str
    webhook_key: str

    def service(self, target: str, *, port: int, logs: Path) -> Service:
        """Describe the process that serves a function, the relay's or the floor's."""
        function, source = _FUNCTIONS[target]
        return functions.service(
            function,
            name=target,
            source=source,
            port=port,
            settings=self.settings,
            machine=machine_environment(os.environ),
            log=logs / f"{target}.log",
        )

    @contextmanager
    def serving(self, *targets: str) -> Iterator[Sequence[Server]]:
        """Serve functions for the length of the block."""
        with ExitStack() as undo:
            logs = Path(undo.enter_context(TemporaryDirectory()))
            reaper = undo.enter_context(Reaper())
            ports = free_ports(len(targets))
            services = [
                self.service(target, port=port, logs=logs)
                for target, port in zip(targets, ports, strict=True)
            ]
            processes = [Process(service.command, reaper=reaper) for service in services]
            undo.callback(stop_all, processes)
            probes = {service.name: service.probe for service in services}
            wait_until_answered(probes, timeout_s=START_WITHIN_S, check=lambda: None)
            yield [
                Server(port=port, pid=process.pid)
                for port, process in zip(ports, processes, strict=True)
            ]


@contextmanager
def running_emulators() -> Iterator[Emulators]:
    """Run the emulators, with the topics that the functions publish to, and a bucket."""
    with (
        running_emulator(Kind.FIRESTORE) as firestore_host,
        running_emulator(Kind.PUBSUB) as pubsub_host,
        running_storage_emulator(BUCKET) as storage_host,
    ):
        pubsub = PubSubEmulator(host=pubsub_host, project=PROJECT)
        for completions, ticks in ((COMPLETIONS_TOPIC, TOPOLOGY.ticks_topics), (FLOOR_TOPIC, {})):
            topics = Topology(
                completions_topic=completions, ticks_topics=ticks, push_subscriptions=()
            )
            pubsub.create(topics, push_urls={})
        api_key, other_api_key, webhook_key = (secrets.token_urlsafe(32) for _ in range(3))
        keys = {TENANT: api_key, OTHER_TENANT: other_api_key}
        settings = {
            "GOOGLE_CLOUD_PROJECT": PROJECT,
            "FIRESTORE_EMULATOR_HOST": firestore_host,
            "PUBSUB_EMULATOR_HOST": pubsub_host,
            "STORAGE_EMULATOR_HOST": storage_host,
            "OUTPUTS_BUCKET": BUCKET,
            "CALLBACK_KEYS": secrets.token_urlsafe(32),
            "ALLOW_LOCAL_URLS": HOST,
            "COMPLETIONS_TOPIC": COMPLETIONS_TOPIC,
            "WEBHOOK_BASE_URL": "http://127.0.0.1:1",
            "WEBHOOK_KEYS": webhook_key,
            "GEPETTO_API_KEY": "unused",
            "SPACELY_API_KEY": "unused",
            "API_KEYS": json.dumps(
                {tenant: [hashlib.sha256(key.encode()).hexdigest()] for tenant, key in keys.items()}
            ),
            # No pump runs, so no job ever ends.
            "MAX_OPEN_JOBS": "1000000",
        }
        yield Emulators(
            firestore_host=firestore_host,
            pubsub_host=pubsub_host,
            settings=settings,
            api_key=api_key,
            other_api_key=other_api_key,
            webhook_key=webhook_key,
        )


def patient_session(*, repeating: Sequence[int] = ()) -> requests.Session:
    """Return a session that repeats a call whose connection a busy machine has broken.

    Args:
        repeating: The statuses of answers to repeat a call after, too.
    """
    retries = Retry(
        4,
        backoff_factor=0.5,
        allowed_methods=None,
        status_forcelist=repeating,
        respect_retry_after_header=False,
    )
    session = requests.Session()
    session.mount("http://", HTTPAdapter(max_retries=retries))
    return session


def push_body(
    *, data: Mapping[str, object] | None = None, attributes: Mapping[str, str] | None = None
) -> str:
    """Return a message as a push subscription posts it."""
    encoded = base64.b64encode(json.dumps(data or {}).encode()).decode()
    return json.dumps(
        {
            "message": {"data": encoded, "attributes": attributes or {}, "messageId": "1"},
            "subscription": "projects/p/subscriptions/s",
        }
    )


def cpu_s(pid: int) -> float:
    """Return the processor time used so far by a server and its worker."""
    ticks = 0
    for one in _with_worker(pid):
        fields = Path(f"/proc/{one}/stat").read_text().rpartition(") ")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def memory_mib(pid: int) -> float:
    """Return the memory of a server and its worker now (PSS: shared pages count once)."""
    return sum(_kib(one, "smaps_rollup", "Pss:") for one in _with_worker(pid)) / 1024


class PeakMemory:
    """The peak memory of a server and its worker, in MiB (VmHWM: shared pages count twice).

    Attributes:
        at_rest_mib: The peak when this was made.
    """

    def __init__(self, pid: int) -> None:
        self._pids = _with_worker(pid)
        self.at_rest_mib = self.mib()

    def mib(self) -> float:
        """Return the peak so far.

        Raises:
            FileNotFoundError: A process has ended: the peak of one that took over is another.
        """
        return sum(_kib(one, "status", "VmHWM:") for one in self._pids) / 1024


def _with_worker(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *map(int, children)]


def _kib(pid: int, file: str, field: str) -> int:
    for line in Path(f"/proc/{pid}/{file}").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1])
    return 0
