"""Everything outside the relay, in memory, with the behaviour that the relay relies on."""

import copy
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import accumulate, count
from typing import Any

from greenlet import getcurrent, greenlet

from infra.bench.virtual_time import VirtualClock
from relay.adapters.document import (
    ACCOUNT,
    IMMUTABLE,
    LOOKED_AT,
    METADATA_PAIRS,
    QUEUE_KEY,
    REMOVABLE,
    WAKE_AT,
    from_document,
    pair_digest,
    to_document,
)
from relay.adapters.fields import from_fields, to_fields
from relay.application.ports import (
    MOST_SPANS,
    Cursor,
    DuePage,
    JobFilter,
    JobPage,
    Queued,
    Stored,
    StoredAccount,
    Unreadable,
    Workers,
)
from relay.application.pump import Pump
from relay.application.pump_run import Concurrency
from relay.assembly import EDGE_PATIENCE_S, Adapters, Relay
from relay.domain.account import Account
from relay.domain.answers import Accepted, PollAnswer, StillOpen
from relay.domain.catalogue import CATALOGUE
from relay.domain.durations import Durations
from relay.domain.events import as_announced
from relay.domain.job import Announcement, Job, Status
from relay.domain.queue import LAST, Span, queue_key
from relay.errors import (
    JobExists,
    JobNotFound,
    LostRace,
    PublishFailed,
    StoreUnavailable,
    UnreadableJob,
)
from relay.job_view import to_json
from tests.factories import JOB_ID, NOON

TIME_TO_LIVE = timedelta(days=30)
MAX_DOCUMENT_BYTES = 1_048_576


class FixedClock(VirtualClock):
    """Stands still until somebody sleeps; then what was planned for that time happens."""

    def __init__(self, at: datetime = NOON) -> None:
        super().__init__()
        self._start = at
        self.naps: list[float] = []

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self.passed_s)

    def monotonic(self) -> float:
        return 1000.0 + self.passed_s

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        current = getcurrent()
        if isinstance(current, _Task):
            current.pause(self, max(seconds, 0.0))
            return
        self.run_until(self.passed_s + max(seconds, 0.0))

    def step(self, until_s: float) -> bool:
        """Let the next thing happen that is planned until then; False if there is none."""
        if self._plans and self._plans[0][0] <= until_s:
            self.run_until(self._plans[0][0])
            return True
        self.passed_s = max(self.passed_s, until_s)
        return False

    def set_back(self, seconds: float) -> None:
        """Have the time of day step back, as when a machine's clock is corrected."""
        self._start -= timedelta(seconds=seconds)


class Faulty:
    """A service whose calls can be lost on the way there, or on the way back, or take long.

    Attributes:
        takes_s: How long calls take, by name.
        pause: Has so many seconds pass.
    """

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.is_down = False
        self.takes_s: dict[str, float] = {}
        self.pause: Callable[[float], object] = lambda _: None
        self._lost_requests = 0
        self._lost_replies = 0
        self._interruptions: list[Callable[[], object]] = []

    def lose_requests(self, times: int = 1) -> None:
        """Have the next calls fail before they have any effect."""
        self._lost_requests = times

    def lose_replies(self, times: int = 1) -> None:
        """Have the next writes fail after they have landed."""
        self._lost_replies = times

    def before_next_write(self, happen: Callable[[], object]) -> None:
        """Let another writer be faster; several of these come one write after the other."""
        self._interruptions.append(happen)

    @contextmanager
    def _call(self, name: str, *, is_write: bool = False) -> Iterator[None]:
        self.calls.append(name)
        if is_write:
            self.pause(self.takes_s.get(name, 0.0))
        if is_write and self._interruptions:
            self._interruptions.pop(0)()
        if self.is_down:
            raise StoreUnavailable(name)
        if self._lost_requests:
            self._lost_requests -= 1
            raise StoreUnavailable(name)
        yield
        if not is_write:
            # What is read is as it stood when it was asked for.
            self.pause(self.takes_s.get(name, 0.0))
        if is_write and self._lost_replies:
            self._lost_replies -= 1
            raise StoreUnavailable(name)


@dataclass(frozen=True)
class _Document:
    fields: dict[str, Any]
    version: object = field(default_factory=object)


class MemoryJobs(Faulty):
    """The job documents, in the form in which Firestore would keep them."""

    def __init__(self) -> None:
        super().__init__()
        self._documents: dict[str, _Document] = {}
        self._queue_keys: dict[str, list[tuple[str, str]]] = {}
        self._not_written: dict[str, Job] = {}
        self.looked_at = 0

    def create(self, job: Job) -> object:
        document = self._fields(job)
        with self._call("create", is_write=True):
            if job.id in self._documents:
                raise JobExists(job.id)
            return self._write(job.id, document)

    def read(self, job_id: str) -> Stored:
        with self._call("read"):
            found = self._find(job_id)
            return Stored(from_document(job_id, found.fields), found.version)

    def replace(self, job: Job, *, version: object) -> object:
        changes = {
            name: value for name, value in self._fields(job).items() if name not in IMMUTABLE
        }
        with self._call("replace", is_write=True):
            found = self._find(job.id)
            if found.version is not version:
                raise LostRace(job.id)
            fields = {**found.fields, **changes}
            for name in REMOVABLE:
                if name not in changes:
                    fields.pop(name, None)
            return self._write(job.id, fields)

    def due(self, account: str, *, after: datetime | None, until: datetime, limit: int) -> DuePage:
        with self._call("due"):
            due = [
                (at, job_id)
                for at, job_id in self._wakes(account)
                if at <= until and (after is None or at > after)
            ][:limit]
            items = [self._item(job_id, looked_at=True) for _, job_id in due]
            if len(due) < limit:
                return DuePage(items, more_after=None)
            last = due[-1][0]
            before_last = last - timedelta(microseconds=1)
            is_progress = after is None or before_last > after
            return DuePage(items, more_after=before_last if is_progress else last)

    def queued(self, account: str, *, spans: Sequence[Span], limit: int) -> Sequence[Queued]:
        with self._call("queued"):
            assert 0 < len(spans) <= MOST_SPANS
            keys = self._queue_keys.get(account, [])
            found: list[Queued] = []
            for span in spans:
                start = bisect_right(keys, (span.after, LAST))
                end = min(bisect_left(keys, (span.before, "")), start + limit - len(found))
                found += [
                    Queued(key, self._item(job_id, looked_at=True))
                    for key, job_id in keys[start:end]
                ]
            self.looked_at += len(found)
            return found

    def next_wake(self, account: str, *, after: datetime) -> datetime | None:
        with self._call("next_wake"):
            return min((at for at, _ in self._wakes(account) if at > after), default=None)

    def count(
        self, tenant: str, account: str, statuses: Sequence[Status], *, most: int | None = None
    ) -> int:
        with self._call("count"):
            found = sum(
                one.fields.get(ACCOUNT) == account
                and one.fields.get("tenant") == tenant
                and one.fields.get("status") in statuses
                for one in self._documents.values()
            )
            return found if most is None else min(found, most)

    def page(
        self,
        tenant: str,
        wanted: JobFilter,
        *,
        after: Cursor | None,
        size: int,
        max_bytes: int,
    ) -> JobPage:
        with self._call("page"):
            places = sorted(
                (
                    (one.fields["createdAt"], job_id)
                    for job_id, one in self._documents.items()
                    if one.fields.get("tenant") == tenant
                    and "createdAt" in one.fields
                    and _is_wanted(one.fields, wanted)
                ),
                reverse=True,
            )
            if after is not None:
                places = [place for place in places if place < (after.created_at, after.job_id)]
            size = min(size, self._fitting([job_id for _, job_id in places], max_bytes=max_bytes))
            items = [self._item(job_id) for _, job_id in places[:size]]
            return JobPage(
                jobs=[item.job for item in items if isinstance(item, Stored)],
                end=Cursor(*places[size - 1]) if len(places) > size else None,
            )

    def find(self, tenant: str, provider: str, provider_job_id: str) -> Stored:
        with self._call("find"):
            named = [
                (one.fields["createdAt"], job_id)
                for job_id, one in self._rendered(provider, provider_job_id)
                if one.fields.get("tenant") == tenant
            ]
            if not named:
                raise JobNotFound(provider)
            _, job_id = max(named)
            return self.stored(job_id)

    def is_anothers(self, job: Job) -> bool:
        with self._call("is_anothers"):
            return any(
                one.fields["tenant"] != job.tenant
                and (
                    one.fields["submittedAt"] is not None
                    or one.fields["createdAt"] < job.created_at
                )
                for _, one in self._rendered(job.provider, job.provider_job_id)
            )

    def set_aside(self, job_id: str, *, until: datetime) -> None:
        with self._call("set_aside", is_write=True):
            fields = {**self._find(job_id).fields, WAKE_AT: until}
            fields.pop(QUEUE_KEY, None)
            self._write(job_id, fields)

    def put(self, *jobs: Job) -> None:
        """Have these jobs in the store."""
        for job in jobs:
            self._write(job.id, self._fields(job))

    def put_queued(self, jobs: Iterable[Job]) -> None:
        """Have thousands of queued jobs in the store, each written when it is first read."""
        for job in jobs:
            key = queue_key(job)
            assert key is not None
            self._not_written[job.id] = job
            self._queue_keys.setdefault(job.account, []).append((key, job.id))
        for keys in self._queue_keys.values():
            keys.sort()

    def put_document(self, job_id: str, fields: Mapping[str, Any]) -> None:
        """Have a document in the store, whatever is in it."""
        self._write(job_id, dict(fields))

    def remove(self, job_id: str) -> None:
        """Have a document gone, as when its time to live has passed."""
        self._leave_queue(job_id)
        del self._documents[job_id]

    def document(self, job_id: str) -> dict[str, Any]:
        """Return what stands in a document."""
        return copy.deepcopy(self._find(job_id).fields)

    def job(self, job_id: str = JOB_ID) -> Job:
        """Return a job without that counting as a call."""
        return from_document(job_id, self._find(job_id).fields)

    def stored(self, job_id: str = JOB_ID) -> Stored:
        """Return a job over its version without that counting as a call."""
        return Stored(self.job(job_id), self._find(job_id).version)

    @property
    def ids(self) -> list[str]:
        return sorted(self._documents)

    @property
    def writes(self) -> int:
        """How many writes were tried."""
        return sum(name in ("create", "replace", "set_aside") for name in self.calls)

    def _fields(self, job: Job) -> dict[str, Any]:
        return to_document(job, time_to_live=TIME_TO_LIVE)

    def _write(self, job_id: str, fields: dict[str, Any]) -> object:
        if sum(_stored_bytes(value) for value in fields.values()) > MAX_DOCUMENT_BYTES:
            raise ValueError("Firestore takes documents of at most 1 MiB")
        self._leave_queue(job_id)
        self._documents[job_id] = _Document(copy.deepcopy(fields))
        if QUEUE_KEY in fields:
            insort(self._queue_keys.setdefault(fields[ACCOUNT], []), (fields[QUEUE_KEY], job_id))
        return self._documents[job_id].version

    def _fitting(self, ids: Sequence[str], *, max_bytes: int) -> int:
        """Return how many of these documents, at least one, have no more bytes than that."""
        sizes = (sum(map(_stored_bytes, self._documents[job_id].fields.values())) for job_id in ids)
        return max(1, sum(total <= max_bytes for total in accumulate(sizes)))

    def _leave_queue(self, job_id: str) -> None:
        before = self._documents.get(job_id)
        if before is not None and QUEUE_KEY in before.fields:
            keys = self._queue_keys[before.fields[ACCOUNT]]
            del keys[bisect_left(keys, (before.fields[QUEUE_KEY], job_id))]

    def _rendered(
        self, provider: str, provider_job_id: str | None
    ) -> Iterator[tuple[str, _Document]]:
        for job_id, one in sorted(self._documents.items()):
            named = (one.fields.get("provider"), one.fields.get("providerJobId"))
            if named == (provider, provider_job_id):
                yield job_id, one

    def _find(self, job_id: str) -> _Document:
        if job_id in self._not_written:
            job = self._not_written.pop(job_id)
            self._documents[job_id] = _Document(self._fields(job))
        if job_id not in self._documents:
            raise JobNotFound(job_id)
        return self._documents[job_id]

    def _wakes(self, account: str) -> list[tuple[datetime, str]]:
        return sorted(
            (one.fields[WAKE_AT], job_id)
            for job_id, one in self._documents.items()
            if one.fields.get(ACCOUNT) == account and one.fields.get(WAKE_AT) is not None
        )

    def _item(self, job_id: str, *, looked_at: bool = False) -> Stored | Unreadable:
        found = self._find(job_id)
        fields = found.fields
        if looked_at:
            fields = {name: value for name, value in fields.items() if name in LOOKED_AT}
        try:
            return Stored(from_document(job_id, fields), found.version)
        except UnreadableJob as error:
            return Unreadable(job_id, str(error))


def _is_wanted(fields: Mapping[str, Any], wanted: JobFilter) -> bool:
    pairs = fields.get(METADATA_PAIRS, ())
    if wanted.metadata is not None and pair_digest(*wanted.metadata) not in pairs:
        return False
    return all(
        expected is None or fields.get(name) == expected
        for name, expected in (
            ("provider", wanted.provider),
            ("operation", wanted.operation),
            ("status", wanted.status),
        )
    )


class MemoryAccounts(Faulty):
    """The account documents, with a clock that is never set."""

    def __init__(self, clock: FixedClock) -> None:
        super().__init__()
        self._clock = clock
        self._documents: dict[str, _Document] = {}
        self._written_at_s: dict[str, float] = {}

    def read(self, name: str) -> StoredAccount:
        with self._call("read"):
            found = self._documents.get(name)
            if found is None:
                return StoredAccount(Account(name=name), None, 0.0)
            age_s = self._clock.monotonic() - self._written_at_s[name]
            return StoredAccount(from_fields(Account, found.fields), found.version, age_s)

    def replace(self, account: Account, *, version: object) -> object:
        with self._call("replace", is_write=True):
            found = self._documents.get(account.name)
            if (found.version if found else None) is not version:
                raise LostRace(account.name)
            return self._write(account)

    def put(self, account: Account) -> None:
        """Have an account in the store, written by somebody else."""
        self._write(account)

    def account(self, name: str = "gepetto") -> Account:
        """Return an account without that counting as a call."""
        found = self._documents.get(name)
        return from_fields(Account, found.fields) if found else Account(name=name)

    def _write(self, account: Account) -> object:
        fields = to_fields(account)
        for value in fields.values():
            _stored_bytes(value)
        found = self._documents.get(account.name)
        if found is None or found.fields != fields:
            self._documents[account.name] = _Document(copy.deepcopy(fields))
            self._written_at_s[account.name] = self._clock.monotonic()
        return self._documents[account.name].version


class MemoryDurations(Faulty):
    """What was learnt, in the plain form in which it is stored."""

    def __init__(self) -> None:
        super().__init__()
        self._documents: dict[str, tuple[dict[str, list[float]], object]] = {}

    def read(self, account: str) -> tuple[Mapping[str, Durations], object]:
        with self._call("read"):
            plain, version = self._documents.get(account, ({}, None))
            return {name: Durations.from_plain(one) for name, one in plain.items()}, version

    def replace(self, account: str, durations: Mapping[str, Durations], *, version: object) -> None:
        with self._call("replace", is_write=True):
            if self._documents.get(account, ({}, None))[1] is not version:
                raise LostRace(account)
            plain = {name: one.to_plain() for name, one in durations.items()}
            self._documents[account] = (plain, object())


@dataclass(frozen=True)
class PublishedEvent:
    """An event as it went out."""

    announcement: Announcement
    data: bytes

    @property
    def id(self) -> str:
        return self.announcement.id


class MemoryTopics:
    """Takes events and ticks, unless it is told not to."""

    def __init__(self) -> None:
        self.events: list[PublishedEvent] = []
        self.ticks: list[str] = []
        self.is_down = False
        self._failures = 0

    def fail(self, times: int = 1) -> None:
        """Have the next messages refused."""
        self._failures = times

    def publish_event(self, job: Job, event: Announcement) -> None:
        self._take(event.id)
        self.events.append(PublishedEvent(event, to_json(as_announced(job, event.type))))

    def publish_tick(self, account: str) -> None:
        self._take(account)
        self.ticks.append(account)

    def _take(self, what: str) -> None:
        if self.is_down or self._failures:
            self._failures = max(self._failures - 1, 0)
            raise PublishFailed(what)


@dataclass(frozen=True)
class ProviderCall:
    """A call as the provider saw it."""

    kind: str
    job_id: str
    at: datetime


class ScriptedProvider:
    """Says what it is told, call by call: an answer, an error, or what a function returns.

    When the script has ended it accepts every job, and is never done with any.
    """

    def __init__(self, clock: FixedClock, *, name: str = "gepetto") -> None:
        facts = CATALOGUE[name]
        self.name = name
        self.limit = facts.limit
        self.poll_policy = facts.poll_policy
        self.takes_s = 0.0
        self.calls: list[ProviderCall] = []
        self._clock = clock
        self._scripts: dict[str, list[Any]] = {"submit": [], "poll": []}
        self._serial = count(1)

    def on_submit(self, *answers: Any) -> None:
        """Answer the next submissions so."""
        self._scripts["submit"] += answers

    def on_poll(self, *answers: Any) -> None:
        """Answer the next polls so."""
        self._scripts["poll"] += answers

    def submit(self, job: Job) -> Accepted:
        accepted = Accepted(provider_job_id=f"p-{next(self._serial)}", provider_status="pending")
        answer: Accepted = self._answer("submit", job, otherwise=accepted)
        return answer

    def poll(self, job: Job) -> PollAnswer:
        pending = StillOpen(provider_status="pending", is_known_word=True)
        answer: PollAnswer = self._answer("poll", job, otherwise=pending)
        return answer

    def called(self, kind: str) -> list[str]:
        """Return the ids of the jobs that were submitted, or polled, in order."""
        return [call.job_id for call in self.calls if call.kind == kind]

    def _answer(self, kind: str, job: Job, *, otherwise: Any) -> Any:
        self.calls.append(ProviderCall(kind, job.id, self._clock.now()))
        self._clock.advance(self.takes_s)
        script = self._scripts[kind]
        answer = script.pop(0) if script else otherwise
        if callable(answer):
            answer = answer(job)
        if isinstance(answer, Exception):
            raise answer
        return otherwise if answer is None else answer


class InlineWorkers:
    """Does every task at once, and lets time pass only when there is nothing to hand back."""

    def __init__(self, clock: FixedClock) -> None:
        self._clock = clock
        self._done: list[Future[Any]] = []

    def start(self, task: Callable[[], Any]) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(task())
        except Exception as error:  # noqa: BLE001 - a pool keeps whatever a task raises
            future.set_exception(error)
        self._done.append(future)
        return future

    def wait(self, timeout_s: float) -> Sequence[Future[Any]]:
        if not self._done:
            self._clock.advance(timeout_s)
        return self.close(timeout_s=None)

    def close(self, *, timeout_s: float | None) -> Sequence[Future[Any]]:
        del timeout_s
        done, self._done = self._done, []
        return done


class ConcurrentWorkers:
    """Does all tasks at the same time: while one lets time pass, the others and the run go on."""

    def __init__(self, clock: FixedClock) -> None:
        self._clock = clock
        self._running = 0
        self._done: list[Future[Any]] = []

    def start(self, task: Callable[[], Any]) -> Future[Any]:
        future: Future[Any] = Future()
        self._running += 1
        _Task(lambda: self._do(task, future)).go_on()
        return future

    def wait(self, timeout_s: float) -> Sequence[Future[Any]]:
        until_s = self._clock.passed_s + timeout_s
        while not self._done and self._clock.step(until_s):
            pass
        return self._collect()

    def close(self, *, timeout_s: float | None) -> Sequence[Future[Any]]:
        until_s = self._clock.passed_s + (1e6 if timeout_s is None else timeout_s)
        while self._running and self._clock.step(until_s):
            pass
        return self._collect()

    def _do(self, task: Callable[[], Any], future: Future[Any]) -> None:
        try:
            future.set_result(task())
        except Exception as error:  # noqa: BLE001 - a pool keeps whatever a task raises
            future.set_exception(error)
        self._running -= 1
        self._done.append(future)

    def _collect(self) -> Sequence[Future[Any]]:
        done, self._done = self._done, []
        return done


class _Task(greenlet):  # type: ignore[misc]
    """A task of `ConcurrentWorkers`."""

    def go_on(self) -> None:
        self.parent = getcurrent()
        self.switch()

    def pause(self, clock: FixedClock, seconds: float) -> None:
        clock.after(seconds, self.go_on)
        self.parent.switch()


class World:
    """All of the fakes, and the relay that stands on them."""

    new_clock: Callable[[], FixedClock] = FixedClock

    def __init__(self) -> None:
        self.clock = self.new_clock()
        self.jobs: Any = MemoryJobs()
        self.jobs.pause = self.clock.advance
        self.accounts: Any = MemoryAccounts(self.clock)
        self.topics = MemoryTopics()
        self.provider = ScriptedProvider(self.clock)
        self.durations = MemoryDurations()
        self.is_stopping = False
        self._tokens = count(1)
        self.assemble()

    def assemble(self) -> None:
        """Put the relay together from the fakes as they are now."""
        self.relay = Relay(self.adapters(), patience_s=EDGE_PATIENCE_S)
        self.store, self.announcer = self.relay.store, self.relay.announcer
        self.waker = self.relay.waker
        self.learner = self.relay.learner("gepetto", CATALOGUE["gepetto"].poll_policy)

    def adapters(self) -> Adapters:
        return Adapters(
            jobs=self.jobs,
            accounts=self.accounts,
            durations=self.durations,
            topics=self.topics,
            clock=self.clock,
            draw=lambda: 0.5,
            random_bytes=lambda size: next(self._tokens).to_bytes(size, "big"),
            open_workers=lambda _: InlineWorkers(self.clock),
            is_stopping=lambda: self.is_stopping,
        )

    def pump(
        self,
        *,
        window_s: float = 55.0,
        workers: int = 4,
        open_workers: Callable[[int], Workers] | None = None,
        weights: Mapping[str, int] | None = None,
    ) -> Pump:
        if open_workers is not None:
            adapters = replace(self.adapters(), open_workers=open_workers)
            self.relay = Relay(adapters, patience_s=EDGE_PATIENCE_S)
        return self.relay.pump(
            self.provider,
            window_s=window_s,
            weights=weights or {},
            concurrency=Concurrency(calls=workers, changes=workers, events=workers),
        )

    def seconds(self) -> float:
        """Return how much time has passed since noon."""
        return (self.clock.now() - NOON).total_seconds()


def _stored_bytes(value: Any, *, inside_array: bool = False) -> int:
    """Return about how much room a value takes; raise as Firestore does if it takes none."""
    match value:
        case str():
            return len(value.encode()) + 1
        case bool() | None:
            return 1
        case int():
            if not -(2**63) <= value < 2**63:
                raise ValueError("Firestore takes integers of 64 bits")
            return 8
        case float():
            return 8
        case datetime():
            if value.utcoffset() is None:
                raise ValueError("a time without a zone")
            return 8
        case list():
            if inside_array:
                raise ValueError("Firestore takes no array in an array")
            return sum(_stored_bytes(one, inside_array=True) for one in value)
        case dict():
            return sum(len(name) + 1 + _stored_bytes(one) for name, one in value.items())
        case _:
            raise TypeError(f"Firestore takes no {type(value).__name__}")
