"""What a job costs: its operations, counted on a virtual clock, and the bill of a million jobs."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from pathlib import Path
from random import Random

from infra.bench import report
from infra.bench.report import INK, OTHER_COLOUR, RELAY_COLOUR, Check
from infra.bench.store import (
    BILLED,
    FOUND,
    METADATA,
    OUTPUT,
    QUERY,
    READ,
    TIME_TO_LIVE,
    WRITE,
    CountingInterceptor,
    firestore_client,
    job_body,
    total,
)
from infra.bench.virtual_time import ConcurrentClock, InlineWorkers
from relay.adapters.firestore import (
    FirestoreAccounts,
    FirestoreDurations,
    FirestoreJobs,
    FirestoreLists,
)
from relay.application.due_scan import LINGER
from relay.application.job_creator import NewJob
from relay.application.ports import Download, EndpointReply, ObjectStream, StoredObject
from relay.application.pump import Pump
from relay.assembly import EDGE_PATIENCE_S, PUMP_PATIENCE_S, Adapters, CreatePolicy, Relay
from relay.domain.answers import Accepted, PollAnswer, Rendered, RenderFailed, StillOpen
from relay.domain.callback import CALLBACKS, Callback
from relay.domain.catalogue import CATALOGUE
from relay.domain.events import as_announced
from relay.domain.job import Announcement, Job, OnUnconfirmed
from relay.domain.output_keeping import RESULTS, undecided
from relay.domain.provider_list import ProviderList
from relay.errors import NoAnswer, OutputNotKept
from relay.job_view import to_json

WINDOW_S = 55.0
SCHEDULER_EVERY_S = 60.0
# From publishing a tick to the function's start.
PUSH_S = 0.05
# Guesses: a callback's whole call, a picture's way from its host, and the same into the bucket.
POST_S, FETCH_S, PUT_S = 0.2, 0.5, 0.3
LINGERS_S = LINGER.total_seconds()
CALLBACK_URL = "https://hooks.example.com/renders"
CALLBACK_KEY = "k" * 32
PENDING = StillOpen(provider_status="pending", is_known_word=True)
_projects = count(1)

FUNCTION_NAMES = (
    "jobs_api",
    "provider_webhook",
    "poll_tick",
    "deliver_callbacks",
    "keep_outputs",
)
# A million jobs in thirty days.
PER_MINUTE = 1_000_000 / (30 * 24 * 60)
QUIET_S = 10.0
WARM_UP_S = 60.0
MEASURED_S = 120.0
JOB_WRITES, JOB_READS = 5, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of job.

    Attributes:
        take_s: From its submission to its render's end.
        fails: Its render ends without a picture, and so without a callback.
        calls_back: Whether the callback of a render that succeeds arrives.
        is_called_back: Whether the job's own caller is called back.
        is_kept: Whether its output is copied into the bucket.
    """

    name: str
    provider: str
    take_s: float
    fails: bool = False
    calls_back: bool = False
    is_called_back: bool = False
    is_kept: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether it ends with its event."""
        return not (self.is_called_back or self.is_kept)

    @property
    def added(self) -> tuple[int, int]:
        """How often its document is written and read by name beyond its event.

        A callback is read with its input and written with what came of it, for each of the job's
        events. A copy is read and written, and once more as its event is out. With both, the
        callback's write comes first, so the copy reads and writes once more.
        """
        posts = self.is_called_back * (1 + self.is_kept)
        lost_races = self.is_called_back and self.is_kept
        return posts + 2 * self.is_kept + lost_races, posts + self.is_kept + lost_races


WEBHOOK = Kind(name="webhook after 20 s", provider="gepetto", take_s=20.0, calls_back=True)
KINDS = (
    WEBHOOK,
    replace(WEBHOOK, name=f"{WEBHOOK.name}, with a callback", is_called_back=True),
    replace(WEBHOOK, name=f"{WEBHOOK.name}, its output kept", is_kept=True),
    replace(WEBHOOK, name=f"{WEBHOOK.name}, with both", is_called_back=True, is_kept=True),
    Kind(name="polled, 30 s", provider="spacely", take_s=30.0),
    Kind(name="polled, 10 min", provider="spacely", take_s=600.0),
    Kind(name="failed after 20 s", provider="gepetto", take_s=20.0, fails=True),
    Kind(name="webhook lost, 20 s", provider="gepetto", take_s=20.0),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What some jobs used.

    Attributes:
        operations: Of Firestore, as `CountingInterceptor` counts them.
        calls: Of functions and of the provider, and publishes, by name.
        pump_s: How long pumps worked.
        windows: How many pump runs worked; the others found the lease taken.
        callbacks_s, callbacks_windows: The same of the callbacks' pump.
        copies_s: How long messages took `keep_outputs`.
        posted_bytes: What callbacks carried.
    """

    operations: Counter[tuple[str, str]]
    calls: Counter[str]
    pump_s: float
    windows: int
    event_bytes: int
    callbacks_s: float = 0.0
    callbacks_windows: int = 0
    copies_s: float = 0.0
    posted_bytes: int = 0
    jobs: int = 1

    def since(self, before: "Usage", *, jobs: int) -> "Usage":
        """Return what so many jobs used since an earlier reading."""
        return Usage(
            operations=self.operations - before.operations,
            calls=self.calls - before.calls,
            pump_s=self.pump_s - before.pump_s,
            windows=self.windows - before.windows,
            event_bytes=self.event_bytes,
            callbacks_s=self.callbacks_s - before.callbacks_s,
            callbacks_windows=self.callbacks_windows - before.callbacks_windows,
            copies_s=self.copies_s - before.copies_s,
            posted_bytes=self.posted_bytes - before.posted_bytes,
            jobs=jobs,
        )

    def per_job(self, operation: str, collection: str = "") -> float:
        """Return how often a job did this to a collection, or to all."""
        return total(self.operations, operation, collection) / self.jobs

    def calls_per_job(self, *names: str) -> float:
        """Return how often a job called any of these."""
        return sum(self.calls[name] for name in names) / self.jobs

    @property
    def pump_s_per_job(self) -> float:
        """How long a pump worked for a job."""
        return self.pump_s / self.jobs


def _no_list() -> ProviderList:
    raise NoAnswer("HTTP 404")


class Outside:
    """Callers' endpoints, a host of pictures and the bucket, each as slow as guessed above."""

    def __init__(self, clock: ConcurrentClock, calls: Counter[str]) -> None:
        self._clock = clock
        self.calls = calls
        self.posted_bytes = 0

    def post(self, url: str, *, headers: Mapping[str, str], body: bytes) -> EndpointReply:
        """See `Endpoints`."""
        del url, headers
        self.calls["callback"] += 1
        self.posted_bytes += len(body)
        self._clock.sleep(POST_S)
        return EndpointReply(204)

    def get(self, url: str) -> Download:
        """See `Downloads`."""
        del url
        self._clock.sleep(FETCH_S)
        return Download(200, b"\x89PNG\r\n\x1a\n")

    def put(self, name: str, body: bytes, *, content_type: str, sha256: str) -> StoredObject:
        """See `OutputBucket`."""
        self.calls["class A"] += 1
        self._clock.sleep(PUT_S)
        return StoredObject(
            uri=f"gs://bench/{name}", content_type=content_type, bytes=len(body), sha256=sha256
        )

    def open(self, uri: str) -> ObjectStream:
        """See `OutputBucket`."""
        raise OutputNotKept(uri)


class Working:
    """How long a function worked, several calls of it side by side counted each.

    Attributes:
        calls: How many have ended.
    """

    def __init__(self, clock: ConcurrentClock) -> None:
        self.calls = 0
        self._clock = clock
        self._ended_s = 0.0
        self._began_s: list[float] = []

    @property
    def is_going_on(self) -> bool:
        """Whether a call works now."""
        return bool(self._began_s)

    @property
    def seconds(self) -> float:
        """Seconds so far, with those of the calls that go on."""
        return self._ended_s + sum(self._clock.passed_s - one for one in self._began_s)

    @contextmanager
    def call(self) -> Iterator[None]:
        """Count what happens within the context."""
        began_s = self._clock.passed_s
        self._began_s.append(began_s)
        yield
        self._began_s.remove(began_s)
        self._ended_s += self._clock.passed_s - began_s
        self.calls += 1


class Deployment:
    """One account of the relay on a virtual clock and the real Firestore client.

    It is the provider and the topics too.

    Args:
        host: The Firestore emulator's.

    Attributes:
        calls: Of functions and of the provider, and publishes, by name.
        pumps: For each name of a lease: the function, a new pump, and how long they worked.
        noticed_s: Of each job that ended, how long after its render's end that was noticed.
    """

    def __init__(self, host: str, kind: Kind, *, window_s: float = WINDOW_S) -> None:
        facts = CATALOGUE[kind.provider]
        self.name, self.limit, self.poll_policy = kind.provider, facts.limit, facts.poll_policy
        # Nobody asks for lists here, but the pump looks whether somebody did.
        self.lists: Mapping[str, Callable[[], ProviderList]] = dict.fromkeys(facts.lists, _no_list)
        self.clock = ConcurrentClock()
        self.kind = kind
        self.calls: Counter[str] = Counter()
        self._event_bytes = 0
        self.noticed_s: list[float] = []
        self._outside = Outside(self.clock, self.calls)
        self._counting = CountingInterceptor()
        client = firestore_client(
            host, project=f"counted-{next(_projects)}", interceptors=(self._counting,)
        )
        self.documents = FirestoreJobs(client, time_to_live=TIME_TO_LIVE)
        random = Random(1)
        adapters = Adapters(
            jobs=self.documents,
            accounts=FirestoreAccounts(client),
            durations=FirestoreDurations(client),
            lists=FirestoreLists(client),
            topics=self,
            clock=self.clock,
            draw=random.random,
            random_bytes=random.randbytes,
            open_workers=partial(InlineWorkers, self.clock),
            is_stopping=lambda: self._is_stopping,
        )
        # Each function has its own instance, and so its own waker and durations.
        policy = CreatePolicy(accounts={kind.provider}, allow_callbacks=True)
        self._creator = Relay(adapters, patience_s=EDGE_PATIENCE_S).creator(policy)
        self._callbacks = Relay(adapters, patience_s=EDGE_PATIENCE_S).callback_receiver()
        pump = Relay(adapters, patience_s=PUMP_PATIENCE_S).pump
        callbacks_pump = Relay(adapters, patience_s=PUMP_PATIENCE_S).callbacks_pump
        self._copies = Relay(adapters, patience_s=PUMP_PATIENCE_S).completions(
            self._outside, self._outside
        )
        self.pumps: Mapping[str, tuple[str, Callable[[], Pump], Working]] = {
            self.name: (
                "poll_tick",
                partial(pump, self, window_s=window_s, weights={}),
                Working(self.clock),
            ),
            CALLBACKS: (
                "deliver_callbacks",
                partial(callbacks_pump, self._outside, keys=[CALLBACK_KEY], window_s=WINDOW_S),
                Working(self.clock),
            ),
        }
        self._copying = Working(self.clock)
        self._is_stopping = False
        for account in self.pumps if kind.is_called_back else (self.name,):
            self.clock.after(SCHEDULER_EVERY_S / 2, partial(self._schedule, account))

    def usage(self) -> Usage:
        """Return what was used so far, with the time of the pump that is at work."""
        polls, callbacks = (self.pumps[name][2] for name in (self.name, CALLBACKS))
        return Usage(
            operations=self._counting.counts.copy(),
            calls=self.calls.copy(),
            pump_s=polls.seconds,
            windows=polls.calls,
            event_bytes=self._event_bytes,
            callbacks_s=callbacks.seconds,
            callbacks_windows=callbacks.calls,
            copies_s=self._copying.seconds,
            posted_bytes=self._outside.posted_bytes,
        )

    def stop(self) -> None:
        """Have all pumps give their lease back."""
        self._is_stopping = True
        while self.is_working:
            self.clock.run_until(self.clock.passed_s + 1.0)

    @property
    def is_working(self) -> bool:
        """Whether a pump works, or an output is being copied."""
        return self._copying.is_going_on or any(
            working.is_going_on for _, _, working in self.pumps.values()
        )

    def create(self) -> str:
        """Have a caller create a job; return its id."""
        self.calls["jobs_api"] += 1
        new = NewJob(
            **job_body(self.name),
            metadata=METADATA,
            deadline_s=3600,
            on_unconfirmed=OnUnconfirmed.WAIT,
            callback=Callback(url=CALLBACK_URL) if self.kind.is_called_back else None,
        )
        return self._creator.create("bench", new, idempotency_key=None).job.id

    def is_over(self, job_id: str) -> bool:
        """Return whether a job has ended with all that follows; the read is not counted."""
        counts = self._counting.counts.copy()
        job = self.documents.read(job_id).job
        self._counting.counts = counts
        is_announced = job.is_final and not job.unpublished
        is_kept = not (self.kind.is_kept and undecided(job))
        return is_announced and is_kept and (job.callback is None or job.callback.pending is None)

    def submit(self, job: Job) -> Accepted:
        """See `Provider`."""
        self.calls["provider submit"] += 1
        ref = f"ref-{job.id}"
        if self.kind.calls_back:
            self.clock.after(self.kind.take_s, partial(self._call_back, job.id, ref))
        return Accepted(provider_job_id=ref, provider_status="pending")

    def poll(self, job: Job) -> PollAnswer:
        """See `Provider`."""
        self.calls["provider poll"] += 1
        assert job.submitted_at is not None  # noqa: S101 - nothing else is polled
        if (self.clock.now() - job.submitted_at).total_seconds() < self.kind.take_s:
            return PENDING
        if self.kind.fails:
            return RenderFailed(provider_status="failed")
        return Rendered(outputs=(OUTPUT,), provider_status="success")

    def publish_event(self, job: Job, event: Announcement) -> None:
        """See `Topics`."""
        self.calls["event"] += 1
        self._event_bytes = len(to_json(as_announced(job, event.type)))
        if job.submitted_at is not None and job.finished_at is not None:
            took_s = (job.finished_at - job.submitted_at).total_seconds()
            self.noticed_s.append(took_s - self.kind.take_s)
        if self.kind.is_kept and event.type in RESULTS:
            self.clock.after(PUSH_S, partial(self._keep, job.id, event))

    def publish_tick(self, account: str) -> None:
        """See `Topics`; the tick arrives a moment later."""
        self.calls["tick"] += 1
        self.clock.after(PUSH_S, partial(self.tick, account))

    def _schedule(self, account: str) -> None:
        self.publish_tick(account)
        self.clock.after(SCHEDULER_EVERY_S, partial(self._schedule, account))

    def tick(self, account: str) -> None:
        """Take a tick as it is pushed."""
        function, open_pump, working = self.pumps[account]
        self.calls[function] += 1
        if working.is_going_on:
            # It finds the lease taken, and returns.
            open_pump().run()
            return
        with working.call():
            open_pump().run()

    def _keep(self, job_id: str, event: Announcement) -> None:
        self.calls["keep_outputs"] += 1
        attributes = {"ce-type": event.type.value, "ce-subject": job_id}
        with self._copying.call():
            self._copies.receive({"message": {"attributes": attributes}})

    def _call_back(self, job_id: str, ref: str) -> None:
        self.calls["provider_webhook"] += 1
        self._callbacks.receive(self.name, job_id, {"id": ref, "output": OUTPUT})


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one kind of job uses, alone and among others."""

    kind: Kind
    alone: Usage
    among_others: Usage


def measure(host: str) -> list[Cost]:
    """Count each kind of job.

    Args:
        host: The Firestore emulator's.
    """
    return [
        Cost(
            kind=kind,
            alone=count_alone(Deployment(host, kind)),
            among_others=count_among_others(Deployment(host, kind)),
        )
        for kind in KINDS
    ]


def count_alone(relay: Deployment) -> Usage:
    """Count one job alone in its account, from its creation until no pump works any more."""
    relay.clock.run_until(QUIET_S)
    before = relay.usage()
    job_id = relay.create()
    while True:
        relay.clock.run_until(relay.clock.passed_s + 0.5)
        if relay.is_over(job_id) and not relay.is_working:
            return relay.usage().since(before, jobs=1)


def count_among_others(relay: Deployment) -> Usage:
    """Count while as many jobs end as begin, over whole minutes."""
    begins_s = relay.kind.take_s + WARM_UP_S
    ends_s = begins_s + MEASURED_S
    jobs = round(PER_MINUTE * MEASURED_S / 60)
    every_s = MEASURED_S / jobs
    at_s = 0.0
    while at_s < ends_s:
        relay.clock.after(at_s, relay.create)
        at_s += every_s
    readings: list[Usage] = []
    for at_s in (begins_s, ends_s):
        relay.clock.after(at_s, lambda: readings.append(relay.usage()))
    relay.clock.run_until(ends_s)
    relay.stop()
    before, after = readings
    return after.since(before, jobs=jobs)


MILLION = 1_000_000
# The least that is billed for a call that shares its instance's time with no other.
CALL_S = 0.1
# Attributes and framing of an event, and the least that Pub/Sub bills for a request.
EVENT_OVERHEAD_BYTES, LEAST_BYTES = 600, 1000
# Headers of a callback, and of the TLS connection that each has of its own.
POST_OVERHEAD_BYTES = 3000
# A guess, for the price of storing a million of them.
PICTURE_MB = 2.0

USD = {
    "firestore_read": 0.03 / 100_000,
    "firestore_write": 0.09 / 100_000,
    "firestore_delete": 0.01 / 100_000,
    "function_call": 0.40 / MILLION,
    "vcpu_s": 0.000024,
    "gib_s": 0.0000025,
    "pubsub_byte": 40 / 2**40,
    "storage_class_a": 0.005 / 1_000,
    "storage_gb_month": 0.020,
    "egress_byte": 0.12 / 2**30,
    "step_functions_transition": 0.025 / 1_000,
    "workflows_internal_step": 0.01 / 1_000,
    "workflows_external_step": 0.025 / 1_000,
    "hookdeck_event": 0.33 / 100_000,
}
"""List prices; the table in `benchmarks.md.j2` has their sources and their date."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceSize:
    """What a function's instance has."""

    vcpus: float
    gib: float

    @property
    def usd_per_s(self) -> float:
        """The price of a second."""
        return USD["vcpu_s"] * self.vcpus + USD["gib_s"] * self.gib


# As terraform/ sizes them.
INSTANCE = InstanceSize(vcpus=1.0, gib=0.5)
PUMP_INSTANCE = InstanceSize(vcpus=0.3, gib=0.5)

HOOKDECK_PLAN_USD, HOOKDECK_INCLUDED = 39.0, 10_000
TEMPORAL_TIERS = ((5e6, 50.0), (5e6, 45.0), (10e6, 40.0), (30e6, 35.0), (50e6, 30.0), (1e12, 25.0))
"""So many actions in a month at so much a million, beyond those that the plan includes."""
TEMPORAL_INCLUDED, TEMPORAL_PLAN_USD, TEMPORAL_PLAN_SHARE = 1e6, 100.0, 0.05


def relay_usd(usage: Usage, *, pump: InstanceSize = PUMP_INSTANCE) -> Mapping[str, float]:
    """Return what a million such jobs cost, by item.

    An upper bound: each call of an HTTP function is billed as if it had its instance to itself
    for 100 ms, and each message to `keep_outputs` for as long as it took. Pumps are billed for as
    long as they worked.
    """
    event_bytes = max(LEAST_BYTES, usage.event_bytes + EVENT_OVERHEAD_BYTES)
    # Everything that is published is delivered once, and where outputs are kept to both: what a
    # subscription's filter drops is billed as delivered.
    deliveries = 2 if usage.calls["keep_outputs"] else 1
    moved = (
        usage.calls_per_job("event") * event_bytes * (1 + deliveries)
        + usage.calls_per_job("tick") * LEAST_BYTES * 2
    )
    http_calls = usage.calls_per_job("jobs_api", "provider_webhook")
    ticks = usage.calls_per_job("poll_tick")
    callback_ticks = usage.calls_per_job("deliver_callbacks")
    copies = usage.calls_per_job("keep_outputs")
    # A tick that finds the lease taken is a call like any other.
    idle_ticks = max(0.0, ticks - usage.windows / usage.jobs)
    idle_callback_ticks = max(0.0, callback_ticks - usage.callbacks_windows / usage.jobs)
    sent = usage.posted_bytes / usage.jobs + usage.calls_per_job("callback") * POST_OVERHEAD_BYTES
    per_job = {
        "Firestore writes": usage.per_job(WRITE) * USD["firestore_write"],
        "Firestore reads": (usage.per_job(READ) + usage.per_job(BILLED)) * USD["firestore_read"],
        "Firestore deletes": USD["firestore_delete"],
        "Pub/Sub": moved * USD["pubsub_byte"],
        "function calls": (http_calls + ticks + callback_ticks + copies) * USD["function_call"]
        + http_calls * CALL_S * INSTANCE.usd_per_s,
        "pump": (usage.pump_s_per_job + idle_ticks * CALL_S) * pump.usd_per_s,
        "callbacks' pump": (usage.callbacks_s / usage.jobs + idle_callback_ticks * CALL_S)
        * INSTANCE.usd_per_s,
        "callbacks sent": sent * USD["egress_byte"],
        "copying": usage.copies_s / usage.jobs * INSTANCE.usd_per_s,
        "bucket": usage.calls_per_job("class A") * USD["storage_class_a"],
    }
    return {item: usd * MILLION for item, usd in per_job.items()}


@dataclass(frozen=True, slots=True)
class Alternative:
    """A million such jobs in another service, by what that bills.

    Attributes:
        arithmetic: What is counted, and what is not.
    """

    service: str
    usd: float
    arithmetic: str


def alternatives(cost: Cost) -> Iterator[Alternative]:
    """Return what this kind of job costs elsewhere, polled as often as the relay polls it."""
    calls_back = cost.kind.calls_back
    polls = cost.among_others.calls_per_job("provider poll")
    actions = (5 if calls_back else 4) + polls
    yield Alternative(
        "Temporal Cloud (durable execution, per action)",
        temporal_usd(actions * MILLION),
        f"{actions:.1f} actions: start, submit, "
        + (
            "deadline timer, signal, publish"
            if calls_back
            else f"{polls:.1f} polls as retries of one activity, deadline timer, publish"
        )
        + "; workers, and the function that takes callbacks, come on top",
    )
    transitions = 5 + 3 * polls
    yield Alternative(
        "AWS Step Functions (per step)",
        transitions * MILLION * USD["step_functions_transition"],
        f"{transitions:.1f} transitions: start, submit, record, publish, end"
        + (f", and wait, ask, choose for each of {polls:.1f} polls" if polls else "")
        + "; the functions behind the steps come on top",
    )
    internal, external = 6 + 2 * polls, (2 if calls_back else 1) + polls
    yield Alternative(
        "Google Workflows (per step)",
        (internal * USD["workflows_internal_step"] + external * USD["workflows_external_step"])
        * MILLION,
        f"{internal:.1f} internal steps (assign, two writes, choose, publish, end"
        + (f"; sleep, choose a poll, {polls:.1f} of them" if polls else "")
        + f") and {external:.1f} external (submit"
        + (", await callback" if calls_back else "")
        + (", polls" if polls else "")
        + ")",
    )
    if calls_back:
        yield Alternative(
            "Hookdeck, callbacks (webhook gateway, per event, for nothing else)",
            HOOKDECK_PLAN_USD + (MILLION - HOOKDECK_INCLUDED) * USD["hookdeck_event"],
            "one event a job, for the callback's way alone: documents, submissions, limits, "
            "deadlines, polls for lost callbacks and the functions that do all that come on top",
        )


def temporal_usd(actions: float) -> float:
    """Return what so many actions in one month cost, with the plan."""
    left, usage = max(0.0, actions - TEMPORAL_INCLUDED), 0.0
    for size, usd in TEMPORAL_TIERS:
        taken = min(left, size)
        usage += taken * usd / MILLION
        left -= taken
    return usage + max(TEMPORAL_PLAN_USD, usage * TEMPORAL_PLAN_SHARE)


def usage_cells(usage: Usage) -> Iterator[str]:
    """Return what a job used, as cells of a table."""
    for operation in (WRITE, READ, FOUND, QUERY):
        yield _short(usage.per_job(operation, "jobs"))
    for operation in (WRITE, READ):
        yield _short(usage.per_job(operation, "accounts"))
    yield " / ".join(f"{usage.per_job(one, 'durations'):.2g}" for one in (WRITE, READ))
    yield _short(usage.calls_per_job("event"))
    yield _short(usage.calls_per_job("tick"))
    yield _short(usage.calls_per_job(*FUNCTION_NAMES))
    yield _short(usage.pump_s_per_job)
    yield _short(usage.callbacks_s / usage.jobs)
    yield _short(usage.copies_s / usage.jobs)
    yield _short(usage.calls_per_job("provider submit"))
    yield _short(usage.calls_per_job("provider poll"))
    yield _short(usage.calls_per_job("callback"))
    yield _short(usage.calls_per_job("class A"))


def _short(number: float) -> str:
    return f"{number:.0f}" if number == round(number) else f"{number:.1f}"


def checks(costs: Sequence[Cost]) -> Iterator[Check]:
    """Hold each kind of job, alone, against what its document may cost."""
    for cost in costs:
        usage = cost.alone
        writes, reads = usage.per_job(WRITE, "jobs"), usage.per_job(READ, "jobs")
        # The last window ends with the job, which is one of its five writes.
        added_writes, added_reads = cost.kind.added
        most_writes = JOB_WRITES + added_writes + usage.windows - 1
        if cost.kind is WEBHOOK:
            yield Check(
                "job document, webhook job",
                f"{JOB_WRITES} writes and {JOB_READS} reads",
                f"{writes:.0f} writes, {reads:.0f} read by name",
                writes <= JOB_WRITES and reads <= JOB_READS,
            )
        else:
            yield Check(
                f"job document, {cost.kind.name}",
                f"at most 1 write a window more: {most_writes}",
                f"{writes:.0f} writes in {usage.windows} windows",
                writes <= most_writes and reads <= JOB_READS + added_reads,
            )


def draw_cost(costs: Sequence[Cost], *, to: Path) -> None:
    """Draw what a million jobs cost here and elsewhere, for a callback and for long polls."""
    with report.chart("A million jobs in thirty days, US dollars (logarithmic)", to=to) as figure:
        panels = figure.subplots(1, 2, sharex=True)
        plain = [cost for cost in costs if cost.kind.is_plain]
        for axes, cost in zip(panels, (plain[0], plain[2]), strict=True):
            axes.set_title(cost.kind.name)
            bars = [
                ("relay", sum(relay_usd(cost.among_others).values())),
                *((one.service.partition(" (")[0], one.usd) for one in alternatives(cost)),
            ]
            names, heights = zip(*reversed(bars), strict=True)
            colours = [RELAY_COLOUR if name == "relay" else OTHER_COLOUR for name in names]
            axes.barh(names, heights, color=colours, height=0.6)
            axes.set_xscale("log")
            axes.set_xlim(10, max(heights) * 6)
            axes.tick_params(axis="y", colors=INK)
            for row, usd in enumerate(heights):
                axes.annotate(f"${usd:,.0f}", (usd, row), xytext=(5, -4),
                              textcoords="offset points", color=INK)  # fmt: skip
        figure.subplots_adjust(wspace=0.45, left=0.14)
