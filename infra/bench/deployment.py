"""The relay on a virtual clock and the real Firestore client; everything it does is counted."""

from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from random import Random

from infra.bench.counting import Counted, Counting
from infra.bench.jobs import GEPETTO_INPUT, METADATA, OUTPUT, TIME_TO_LIVE
from infra.bench.rig import firestore_client
from infra.bench.virtual import PromptWorkers, VirtualClock
from relay.adapters.firestore import FirestoreAccounts, FirestoreDurations, FirestoreJobs
from relay.application.job_creator import NewJob
from relay.assembly import EDGE_PATIENCE_S, PUMP_PATIENCE_S, Adapters, CreatePolicy, Relay
from relay.domain.answers import Accepted, PollAnswer, Rendered, RenderFailed, StillOpen
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
        self.name, self.limit, self.poll_policy = renders.provider, facts.limit, facts.poll_policy
        self.clock = VirtualClock()
        self.tally = Tally()
        self.counting = Counting()
        self.event_bytes = 0
        self._pump_began_s: float | None = None
        self._renders = renders
        client = firestore_client(host, project=project, interceptors=(self.counting,))
        self._documents = FirestoreJobs(client, time_to_live=TIME_TO_LIVE)
        random = Random(1)
        adapters = Adapters(
            jobs=self._documents,
            accounts=FirestoreAccounts(client),
            durations=FirestoreDurations(client),
            topics=self,
            clock=self.clock,
            draw=random.random,
            random_bytes=random.randbytes,
            open_workers=partial(PromptWorkers, self.clock),
            is_stopping=lambda: False,
        )
        # Each function has its own instance, and so its own waker and durations.
        policy = CreatePolicy(accounts={renders.provider})
        self._creator = Relay(adapters, patience_s=EDGE_PATIENCE_S).creator(policy)
        self._callbacks = Relay(adapters, patience_s=EDGE_PATIENCE_S).callback_receiver()
        pump = Relay(adapters, patience_s=PUMP_PATIENCE_S).pump
        self._pump = partial(pump, self, window_s=WINDOW_S, weights={})
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
        return self._creator.create("bench", new, idempotency_key=None).job.id

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

    def poll(self, job: Job) -> PollAnswer:
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
        pump = self._pump()
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
