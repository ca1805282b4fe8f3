"""Callbacks, creates and cold starts: the HTTP functions against bare ones, the floor."""

import compileall
import http.client
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from infra.bench import report
from infra.bench.floor import COLLECTION as FLOOR_COLLECTION
from infra.bench.floor import TOPIC as FLOOR_TOPIC
from infra.bench.load_generator import Load, Request, Response, send
from infra.bench.report import OTHER_COLOUR, RELAY_COLOUR, Check, Percentiles
from infra.bench.servers import (
    COMPLETIONS_TOPIC,
    FLOOR_SOURCE,
    PROJECT,
    RELAY_SOURCE,
    Emulators,
    Server,
    cpu_s,
    memory_mib,
    push_body,
)
from infra.bench.store import (
    METADATA,
    OUTPUT,
    firestore_client,
    job_body,
    processing_job,
    store_copies,
)
from infra.local.inbox import Inbox
from infra.local.processes import HOST, Process, free_ports
from infra.local.reaper import Reaper
from relay.adapters.firestore import JOBS
from relay.domain.job import EventType
from relay.domain.tokens import make_token

SENDERS = (1, 8, 32, 80)
WARM_UP_REQUESTS = 200
TARGET_RATIO, TARGET_SENDERS = 0.80, 32
TARGET_ADDED_MS = 2.0
"""At one sender, p50."""
TARGET_COLD_START = 1.15
NEXT_EVENT_WITHIN_S = 60.0
# A round is repeated if an emulator stalled for longer than a function waits for it, or if a server
# hung up and the floor, which has no states, got a callback twice.
ROUND_TRIES = 3
# Those that a slow emulator did not take in time; a pump would publish them.
MAX_MISSING = 0.01
CREATE_BODY = json.dumps({**job_body("gepetto"), "metadata": METADATA})


class UnexpectedStatus(RuntimeError):
    """Not every request of a round was answered as it should be."""


@dataclass(frozen=True, slots=True)
class Round:
    """An endpoint's turn in a comparison.

    Attributes:
        cpu_s: Processor time of the function, a request.
    """

    responses: Sequence[Response]
    cpu_s: float

    @property
    def per_s(self) -> float:
        """Requests a second."""
        began = min(one.sent_at for one in self.responses)
        return len(self.responses) / (max(one.answered_at for one in self.responses) - began)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A function under load.

    Attributes:
        name: The function's.
        requests: Makes so many requests that have not been sent before.
        status: The status that each of them must be answered with.
        events_s: When each request's event was received, on the monotonic clock.
    """

    name: str
    server: Server
    headers: Mapping[str, str]
    requests: Callable[[int], Sequence[Request]]
    status: int
    events_s: Mapping[str, float] = field(default_factory=dict)

    def send(self, requests: Sequence[Request], *, senders: int) -> Round:
        """Send one round of requests.

        Raises:
            UnexpectedStatus: Not all were answered with the status.
        """
        port, pid = self.server.port, self.server.pid
        before_s = cpu_s(pid)
        responses = send(
            Load(port=port, connections=senders, headers=self.headers, requests=requests)
        )
        used_s = cpu_s(pid) - before_s
        unexpected = {one.status for one in responses} - {self.status}
        if unexpected:
            raise UnexpectedStatus(f"{self.name} answered {sorted(unexpected)}")
        return Round(responses, used_s / len(responses))


@dataclass(frozen=True, slots=True)
class Measured:
    """An endpoint at one number of senders."""

    rounds: Sequence[Round]
    events_s: Mapping[str, float]

    @property
    def per_s(self) -> float:
        """Requests a second in the median round."""
        return median(one.per_s for one in self.rounds)

    @property
    def cpu_ms(self) -> float:
        """Processor time of a request in the median round, in milliseconds."""
        return median(one.cpu_s for one in self.rounds) * 1000

    @property
    def to_answer(self) -> Percentiles:
        """From sending a request to its answer."""
        return Percentiles.of([one.answered_at - one.sent_at for one in self._responses()])

    @property
    def to_event(self) -> Percentiles:
        """From sending a request to receiving its event, of those that were received."""
        events_s = self.events_s
        return Percentiles.of(
            [events_s[one.key] - one.sent_at for one in self._responses() if one.key in events_s]
        )

    @property
    def without_event(self) -> set[str]:
        """The keys of the requests whose events were not received."""
        return {one.key for one in self._responses()} - self.events_s.keys()

    def _responses(self) -> Iterator[Response]:
        return (one for some in self.rounds for one in some.responses)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The relay and the floor at one number of senders."""

    senders: int
    relay: Measured
    floor: Measured

    @property
    def ratios(self) -> list[float]:
        """The relay's throughput as a share of the floor's, for each round."""
        pairs = zip(self.relay.rounds, self.floor.rounds, strict=True)
        return [relay.per_s / floor.per_s for relay, floor in pairs]

    @property
    def ratio(self) -> float:
        """The ratio of the median round."""
        return median(self.ratios)


def compare(
    relay: Endpoint,
    floor: Endpoint,
    *,
    rounds: int,
    requests: Mapping[int, int],
    at: Sequence[int] = SENDERS,
) -> list[Comparison]:
    """Warm both up, then let them take turns at every number of senders.

    Args:
        requests: How many each gets in one round, by the number of senders.
        at: The numbers of senders.
    """
    _compare(relay, floor, senders=SENDERS[-1], rounds=1, requests=WARM_UP_REQUESTS)
    return [
        _compare(relay, floor, senders=senders, rounds=rounds, requests=requests[senders])
        for senders in at
    ]


def _compare(
    relay: Endpoint, floor: Endpoint, *, senders: int, rounds: int, requests: int
) -> Comparison:
    # All requests are made before the first is sent: those of callbacks store jobs.
    prepared = [(relay.requests(requests), floor.requests(requests)) for _ in range(rounds)]
    of_relay: list[Round] = []
    of_floor: list[Round] = []
    for number, (to_relay, to_floor) in enumerate(prepared):
        turns = [(relay, to_relay, of_relay), (floor, to_floor, of_floor)]
        for endpoint, some, done in turns if number % 2 == 0 else reversed(turns):
            done.append(_send(endpoint, some, senders=senders))
    return Comparison(
        senders=senders,
        relay=Measured(of_relay, relay.events_s),
        floor=Measured(of_floor, floor.events_s),
    )


def _send(endpoint: Endpoint, requests: Sequence[Request], *, senders: int) -> Round:
    for _ in range(ROUND_TRIES - 1):
        try:
            return endpoint.send(requests, senders=senders)
        except UnexpectedStatus as error:
            print(f"{error}: once more", file=sys.stderr)
            requests = endpoint.requests(len(requests))
    return endpoint.send(requests, senders=senders)


def measure_callbacks(
    emulators: Emulators, *, rounds: int, requests: Mapping[int, int]
) -> list[Comparison]:
    """Send callbacks, each for a job of its own, and receive their events.

    Raises:
        TimeoutError: More than one event in a hundred is missing.
    """

    def relay_path(job_id: str) -> str:
        token = make_token(emulators.webhook_key, provider="gepetto", job_id=job_id)
        return f"/gepetto/{job_id}/{token}"

    with (
        emulators.serving("provider_webhook", "floor_webhook") as (relay_server, floor_server),
        _inbox(emulators, COMPLETIONS_TOPIC) as relay_events,
        _inbox(emulators, FLOOR_TOPIC) as floor_events,
    ):
        relay = Endpoint(
            name="provider_webhook",
            server=relay_server,
            headers={},
            requests=_callbacks(emulators, collection=JOBS, path=relay_path),
            status=200,
            events_s=relay_events.first_received_s,
        )
        floor = Endpoint(
            name="floor_webhook",
            server=floor_server,
            headers={},
            requests=_callbacks(emulators, collection=FLOOR_COLLECTION, path="/{}".format),
            status=200,
            events_s=floor_events.first_received_s,
        )
        comparisons = compare(relay, floor, rounds=rounds, requests=requests)
        _wait_for_events([one.relay for one in comparisons])
        _wait_for_events([one.floor for one in comparisons])
    return comparisons


def _inbox(emulators: Emulators, topic: str) -> Inbox:
    return Inbox(
        host=emulators.pubsub_host, project=PROJECT, topic=topic, subscription=f"bench-{topic}"
    )


def _wait_for_events(measured: Sequence[Measured]) -> None:
    """Wait until all events have come, however slowly, as long as there is always another one.

    One that the topic did not take in time is missing: a pump would publish it, and none runs here.
    """
    sent = sum(len(turn.responses) for some in measured for turn in some.rounds)
    missing = set[str]().union(*(some.without_event for some in measured))
    give_up_at = time.monotonic() + NEXT_EVENT_WITHIN_S
    while missing and time.monotonic() < give_up_at:
        time.sleep(0.01)
        if received := missing & measured[0].events_s.keys():
            missing -= received
            give_up_at = time.monotonic() + NEXT_EVENT_WITHIN_S
    if len(missing) > sent * MAX_MISSING:
        raise TimeoutError(f"{len(missing)} of {sent} events are missing")
    if missing:
        print(f"{len(missing)} of {sent} events are missing", file=sys.stderr)


def _callbacks(
    emulators: Emulators, *, collection: str, path: Callable[[str], str]
) -> Callable[[int], list[Request]]:
    client = firestore_client(emulators.firestore_host, project=PROJECT)

    def requests(count: int) -> list[Request]:
        now = datetime.now(UTC)
        job = processing_job(at=now, poll_at=now)
        later = [now + timedelta(hours=1)] * count
        body = json.dumps({"id": job.provider_job_id, "output": OUTPUT})
        return [
            Request(key=job_id, path=path(job_id), body=body)
            for job_id in store_copies(client, job, later, collection=collection)
        ]

    return requests


def measure_creates(
    emulators: Emulators, *, rounds: int, requests: Mapping[int, int]
) -> tuple[list[Comparison], Comparison]:
    """Create jobs, which are never sent: no pump runs.

    Returns:
        The comparisons with the floor, and one with the same function as the Firestore client's
        documentation would have it.
    """

    def endpoint(name: str, server: Server, path: str) -> Endpoint:
        return Endpoint(
            name=name,
            server=server,
            headers={"X-API-KEY": emulators.api_key},
            requests=lambda count: [
                Request(key=str(number), path=path, body=CREATE_BODY) for number in range(count)
            ],
            status=201,
        )

    def compared(floor: str, at: Sequence[int]) -> list[Comparison]:
        with emulators.serving("jobs_api", floor) as (relay_server, floor_server):
            return compare(
                endpoint("jobs_api", relay_server, "/v1/jobs"),
                endpoint(floor, floor_server, "/"),
                rounds=rounds,
                requests=requests,
                at=at,
            )

    (documented,) = compared("documented_create", (TARGET_SENDERS,))
    return compared("floor_create", SENDERS), documented


def throughput_checks(
    callbacks: Sequence[Comparison], documented_create: Comparison
) -> Iterator[Check]:
    """Hold callbacks and creates against their targets.

    Args:
        documented_create: Creates against the function that their target was set for.
    """
    alone = callbacks[0]
    added_ms = (alone.relay.to_answer - alone.floor.to_answer).p50
    yield _ratio_check("webhook throughput", "the floor", callbacks)
    yield Check(
        "added p50 per webhook, 1 sender",
        f"at most {TARGET_ADDED_MS:g} ms over the floor",
        f"{added_ms:.1f} ms",
        added_ms <= TARGET_ADDED_MS,
    )
    yield _ratio_check("create throughput", "the documented client", [documented_create])


def _ratio_check(what: str, floor: str, comparisons: Sequence[Comparison]) -> Check:
    ratio = next(one.ratio for one in comparisons if one.senders == TARGET_SENDERS)
    return Check(
        f"{what}, {TARGET_SENDERS} senders",
        f"at least {TARGET_RATIO:.2f} of {floor}",
        f"{ratio:.2f}",
        ratio >= TARGET_RATIO,
    )


def draw_throughput(
    callbacks: Sequence[Comparison], creates: Sequence[Comparison], *, to: Path
) -> None:
    """Draw both sides' throughput by senders, for callbacks and for creates."""
    with report.chart("Throughput against a bare function on the same emulators", to=to) as figure:
        for axes, what, comparisons in zip(
            figure.subplots(1, 2), ("callbacks", "creates"), (callbacks, creates), strict=True
        ):
            axes.set_title(f"{what} a second")
            for colour, label, sides in (
                (OTHER_COLOUR, "floor", [one.floor for one in comparisons]),
                (RELAY_COLOUR, "relay", [one.relay for one in comparisons]),
            ):
                heights = [one.per_s for one in sides]
                axes.plot(SENDERS, heights, "o-", color=colour, lw=2, label=label)
            for one in comparisons:
                axes.annotate(
                    f"{one.ratio:.2f}", (one.senders, one.relay.per_s), xytext=(0, -16),
                    textcoords="offset points", ha="center", color=RELAY_COLOUR,
                )  # fmt: skip
            axes.set_xscale("log")
            axes.set_ylim(bottom=0)
            axes.set_xlabel("concurrent senders")
            report.set_x_ticks(axes, SENDERS)
        axes.legend(loc="lower right")


BARE = "floor_bare"
# Acknowledged, because no account of that name is switched on.
_TICK = push_body(data={"account": "nobody"})
# Likewise: there is nothing to keep.
_FAILURE = push_body(attributes={"ce-type": EventType.FAILED, "ce-subject": "job_x"})
# Requests that make a function build everything that it needs: method, path, body, status.
FIRST_REQUESTS: Mapping[str, tuple[str, str, str | None, int]] = {
    BARE: ("GET", "/", None, 200),
    "jobs_api": ("GET", "/healthz", None, 200),
    "provider_webhook": ("POST", "/gepetto/x/y", "{}", 404),
    "poll_tick": ("POST", "/", _TICK, 200),
    "deliver_callbacks": ("POST", "/", _TICK, 200),
    "keep_outputs": ("POST", "/", _FAILURE, 200),
}
_RETRY_EVERY_S = 0.002
_ANSWER_WITHIN_S = 30.0


@dataclass(frozen=True, slots=True)
class ColdStart:
    """A function's cold start, in the median of so many.

    Attributes:
        answered_s: From starting the process to its first answer.
        cpu_s: Processor time that it took, of the server and its worker.
        memory_mib: Memory of both after it, shared pages counted once.
    """

    target: str
    times: int
    answered_s: float
    cpu_s: float
    memory_mib: float


def measure_cold_starts(emulators: Emulators, *, times: int) -> list[ColdStart]:
    """Start every function so many times, in turns; a first turn is not counted."""
    # As a deployment's build does.
    for source in (RELAY_SOURCE, FLOOR_SOURCE):
        compileall.compile_dir(source.parent, quiet=1)
    starts: dict[str, list[tuple[float, float, float]]] = {one: [] for one in FIRST_REQUESTS}
    for turn in range(times + 1):
        for target, done in starts.items():
            start = _start(emulators, target)
            if turn:
                done.append(start)
    return [
        ColdStart(target, times, *map(median, zip(*done, strict=True)))
        for target, done in starts.items()
    ]


def _start(emulators: Emulators, target: str) -> tuple[float, float, float]:
    """Start a function; return the time to its answer and what it took, as in `ColdStart`."""
    with TemporaryDirectory() as logs, Reaper() as reaper:
        (port,) = free_ports(1)
        command = emulators.service(target, port=port, logs=Path(logs)).command
        began_s = time.monotonic()
        process = Process(command, reaper=reaper)
        try:
            _await_answer(port, *FIRST_REQUESTS[target])
            answered_s = time.monotonic() - began_s
            used_mib = memory_mib(process.pid)
            return answered_s, cpu_s(process.pid), used_mib
        finally:
            process.kill()


def _await_answer(port: int, method: str, path: str, body: str | None, expected: int) -> None:
    give_up_at = time.monotonic() + _ANSWER_WITHIN_S
    while True:
        connection = http.client.HTTPConnection(HOST, port, timeout=_ANSWER_WITHIN_S)
        try:
            connection.request(method, path, body, {"Content-Type": "application/json"})
            status = connection.getresponse().status
        except OSError:
            if time.monotonic() > give_up_at:
                raise
            time.sleep(_RETRY_EVERY_S)
            continue
        finally:
            connection.close()
        if status != expected:
            raise RuntimeError(f"{method} {path} was answered {status}")
        return


def cold_start_checks(starts: Sequence[ColdStart]) -> Iterator[Check]:
    """Hold cold starts against the bare function's."""
    bare, *ours = starts
    for one in ours:
        ratio = one.answered_s / bare.answered_s
        yield Check(
            f"cold start, {one.target}",
            f"at most {TARGET_COLD_START:g} of the bare function",
            f"{ratio:.2f}",
            ratio <= TARGET_COLD_START,
        )
