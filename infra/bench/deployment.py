"""The relay on a virtual clock and the real Firestore client; everything it does is counted."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from random import Random

from google.cloud import firestore

from infra.bench.counting import Counted, Counting
from infra.bench.jobs import GEPETTO_INPUT, METADATA, OUTPUT, TIME_TO_LIVE
from infra.bench.rig import firestore_client
from infra.bench.virtual import PromptWorkers, VirtualClock
from relay.adapters.firestore import FirestoreAccounts, FirestoreDurations, FirestoreJobs
from relay.application.announcer import Announcer
from relay.application.callbacks import Callbacks
from relay.application.creating import Creating, NewJob
from relay.application.learning import Learning
from relay.application.pump import Pump
from relay.application.pump_run import PumpPorts
from relay.application.store import JobStore
from relay.application.waking import Waker
from relay.bootstrap import CALLBACK_READERS, CONCURRENCY, EDGE_PATIENCE_S, PUMP_PATIENCE_S
from relay.domain.answers import Accepted, Reading, Rendered, RenderFailed, StillOpen
from relay.domain.catalogue import CATALOGUE
from relay.domain.events import as_announced
from relay.domain.job import Announcement, Job, Json, OnUnconfirmed
from relay.job_view import to_json

WINDOW_S = 55.0
SCHEDULER_EVERY_S = 60.0
# From publishing a tick to the function's start.
PUSH_S = 0.05
DEADLINE_S = 3600

PENDING = StillOpen(provider_status="pending", is_known_word=True)
SPACELY_INPUT: dict[str, Json] = {
    "model": "spacely-v1",
    "imageUrl": "https://pictures.example.com/listings/4711/living-room.jpg",
    "renovateType": "residential",
}
_NEW = {"gepetto": ("redesign", GEPETTO_INPUT), "spacely": ("advance", SPACELY_INPUT)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Renders:
    """What becomes of every render.

    Attributes:
        take_s: From its submission.
        fails: Ends without a picture, and so without a callback.
        calls_back: Whether the callback of a render that succeeds arrives.
    """

    provider: str
    take_s: float
    fails: bool = False
    calls_back: bool = False


@dataclass(slots=True)
class Tally:
    """What was done beside Firestore.

    Attributes:
        done: Calls of functions and of the provider, and publishes, by name.
        pump_s: How long pumps worked.
        windows: How many of them did; the others met a lease.
    """

    done: Counter[str] = field(default_factory=Counter)
    pump_s: float = 0.0
    windows: int = 0

    def since(self, before: "Tally") -> "Tally":
        """Return what has come to it since an earlier copy."""
        return Tally(
            self.done - before.done, self.pump_s - before.pump_s, self.windows - before.windows
        )

    def copy(self) -> "Tally":
        """Return what there is now."""
        return Tally(Counter(self.done), self.pump_s, self.windows)


class Deployment:
    """One account of the relay.

    Args:
        host: The Firestore emulator's.
        project: Nobody else's.
    """

    def __init__(self, host: str, *, project: str, renders: Renders) -> None:
        facts = CATALOGUE[renders.provider]
        self.name, self.limit, self.rhythm = renders.provider, facts.limit, facts.rhythm
        self.clock = VirtualClock()
        self.tally = Tally()
        self.counting = Counting()
        self.event_bytes = 0
        self._pump_began_s: float | None = None
        self._renders = renders
        client = firestore_client(host, project=project, interceptors=(self.counting,))
        self._documents = FirestoreJobs(client, time_to_live=TIME_TO_LIVE)
        self._random = Random(1)
        # Each function has its own instance, and so its own waker and learning.
        api, webhook, pump = (self._store(EDGE_PATIENCE_S), self._store(EDGE_PATIENCE_S),
                              self._store(PUMP_PATIENCE_S))  # fmt: skip
        self._creating = Creating(
            store=api,
            waker=Waker(topics=self, clock=self.clock),
            clock=self.clock,
            accounts=frozenset({renders.provider}),
            allow_local_urls=False,
            random_bytes=self._random.randbytes,
        )
        self._callbacks = Callbacks(
            store=webhook,
            announcer=Announcer(store=webhook, topics=self),
            waker=Waker(topics=self, clock=self.clock),
            clock=self.clock,
            readers=CALLBACK_READERS,
            learning={renders.provider: self._learning(client)},
        )
        self._ports = PumpPorts(
            documents=self._documents,
            store=pump,
            accounts=FirestoreAccounts(client),
            announcer=Announcer(store=pump, topics=self),
            topics=self,
            provider=self,
            owners=self._documents,
            learning=self._learning(client),
            clock=self.clock,
            draw=self._random.random,
            new_token=lambda: self._random.randbytes(8).hex(),
            concurrency=CONCURRENCY,
            open_workers=partial(PromptWorkers, self.clock),
            weights={},
            is_stopping=lambda: False,
        )
        self.clock.after(SCHEDULER_EVERY_S / 2, self._schedule)

    @property
    def counted(self) -> Counted:
        """What Firestore was asked for so far."""
        return self.counting.counted

    def create(self) -> str:
        """Have a caller create a job; return its id."""
        self.tally.done["jobs_api"] += 1
        operation, given = _NEW[self._renders.provider]
        new = NewJob(
            provider=self._renders.provider,
            operation=operation,
            input=given,
            metadata=METADATA,
            deadline_s=DEADLINE_S,
            on_unconfirmed=OnUnconfirmed.WAIT,
        )
        return self._creating.create("bench", new, idempotency_key=None).job.id

    def working(self) -> Tally:
        """Return the tally, with what the pump that is at work has worked so far."""
        tally = self.tally.copy()
        if self._pump_began_s is not None:
            tally.pump_s += self.clock.passed_s - self._pump_began_s
        return tally

    def job(self, job_id: str) -> Job:
        """Return a job as it stands."""
        return self._documents.read(job_id).job

    def submit(self, job: Job) -> Accepted:
        """See `Provider`."""
        self.tally.done["provider submit"] += 1
        ref = f"ref-{job.id}"
        if self._renders.calls_back and not self._renders.fails:
            self.clock.after(self._renders.take_s, partial(self._call_back, job.id, ref))
        return Accepted(provider_job_id=ref, provider_status="pending")

    def poll(self, job: Job) -> Reading:
        """See `Provider`."""
        self.tally.done["provider poll"] += 1
        assert job.submitted_at is not None  # noqa: S101 - nothing else is polled
        age_s = (self.clock.now() - job.submitted_at).total_seconds()
        if age_s < self._renders.take_s:
            return PENDING
        if self._renders.fails:
            return RenderFailed(provider_status="failed")
        return Rendered(outputs=(OUTPUT,), provider_status="success")

    def publish_event(self, job: Job, event: Announcement) -> None:
        """See `Topics`."""
        self.tally.done["event"] += 1
        self.event_bytes = len(to_json(as_announced(job, event.type)))

    def publish_tick(self, account: str) -> None:
        """See `Topics`; the tick arrives a moment later."""
        self.tally.done["tick"] += 1
        self.clock.after(PUSH_S, self._tick)
        del account

    def _schedule(self) -> None:
        self.publish_tick(self._renders.provider)
        self.clock.after(SCHEDULER_EVERY_S, self._schedule)

    def _tick(self) -> None:
        self.tally.done["poll_tick"] += 1
        pump = Pump(self._ports, window_s=WINDOW_S)
        if self._pump_began_s is not None:
            # It meets the lease of the one at work, and returns.
            pump.run()
            return
        self._pump_began_s = self.clock.passed_s
        pump.run()
        self.tally.pump_s += self.clock.passed_s - self._pump_began_s
        self.tally.windows += 1
        self._pump_began_s = None

    def _call_back(self, job_id: str, ref: str) -> None:
        self.tally.done["provider_webhook"] += 1
        body = {"id": ref, "output": OUTPUT}
        self._callbacks.receive(self._renders.provider, job_id, body)

    def _store(self, patience_s: float) -> JobStore:
        draw: Callable[[], float] = self._random.random
        return JobStore(self._documents, clock=self.clock, draw=draw, patience_s=patience_s)

    def _learning(self, client: firestore.Client) -> Learning:
        return Learning(
            FirestoreDurations(client),
            account=self._renders.provider,
            rhythm=CATALOGUE[self._renders.provider].rhythm,
            clock=self.clock,
        )
