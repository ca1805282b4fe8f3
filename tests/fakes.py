"""Everything outside the relay, in memory, with the behaviour that the relay relies on."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from itertools import count
from typing import Any

from greenlet import getcurrent, greenlet

from infra.bench.virtual_time import VirtualClock
from infra.memory_store import MemoryAccounts, MemoryDurations, MemoryJobs, MemoryLists
from relay.application.ports import (
    Download,
    EndpointReply,
    Stored,
    StoredAccount,
    StoredObject,
    Workers,
)
from relay.application.pump import Pump
from relay.application.pump_run import Concurrency
from relay.application.tracer import UNTRACED, Tracer
from relay.assembly import EDGE_PATIENCE_S, Adapters, Relay
from relay.domain.account import Account
from relay.domain.answers import Accepted, PollAnswer, StillOpen
from relay.domain.catalogue import CATALOGUE
from relay.domain.events import as_announced
from relay.domain.job import Announcement, Job
from relay.domain.provider_list import ProviderList
from relay.edges.push import Completions
from relay.errors import BucketUnavailable, OutputNotKept, PublishFailed, StoreUnavailable
from relay.job_view import to_json
from tests.factories import JOB_ID, NOON

CALLBACK_KEYS = ("c" * 32, "d" * 32)


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


READS = {"deliveries", "read", "due", "queued", "count_open", "page", "find", "is_anothers"}
READS |= {"copy", "requests"}
WRITES = {"create", "replace", "set_aside", "keep", "replace_requests"}


class Faulty:
    """A store whose calls can be lost, on the way there or back, or take long.

    Everything that is no call of the relay's goes straight to the store.

    Args:
        pause: Lets so many seconds pass.

    Attributes:
        takes_s: How long calls take, by name.
        looked_at: How many documents were found in queues.
    """

    def __init__(self, store: Any, *, pause: Callable[[float], object]) -> None:
        self.calls: list[str] = []
        self.is_down = False
        self.takes_s: dict[str, float] = {}
        self.looked_at = 0
        self._store = store
        self._pause = pause
        self._lost_requests = 0
        self._lost_replies = 0
        self._interruptions: list[Callable[[], object]] = []

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._store, name)
        if name in READS:
            return partial(self._read, name, method)
        return partial(self._write, name, method) if name in WRITES else method

    def lose_requests(self, times: int = 1) -> None:
        """Make the next calls fail before they take effect."""
        self._lost_requests = times

    def lose_replies(self, times: int = 1) -> None:
        """Make the next writes fail after they took effect."""
        self._lost_replies = times

    def before_next_write(self, happen: Callable[[], object]) -> None:
        """Let another writer be faster; several of these come one write after the other."""
        self._interruptions.append(happen)

    @property
    def writes(self) -> int:
        """How many writes were tried."""
        return sum(name in WRITES for name in self.calls)

    def job(self, job_id: str = JOB_ID) -> Job:
        """Return a job without that counting as a call."""
        return self.stored(job_id).job

    def stored(self, job_id: str = JOB_ID) -> Stored:
        """Return a job over its version without that counting as a call."""
        stored: Stored = self._store.read(job_id)
        return stored

    def account(self, name: str = "gepetto") -> Account:
        """Return an account without that counting as a call."""
        stored: StoredAccount = self._store.read(name)
        return stored.account

    def _read(self, name: str, method: Callable[..., Any], *args: Any, **more: Any) -> Any:
        self.calls.append(name)
        self._arrive(name)
        found = method(*args, **more)
        if name == "queued":
            self.looked_at += len(found)
        # What is read is as it stood when it was asked for.
        self._pause(self.takes_s.get(name, 0.0))
        return found

    def _write(self, name: str, method: Callable[..., Any], *args: Any, **more: Any) -> Any:
        self.calls.append(name)
        self._pause(self.takes_s.get(name, 0.0))
        if self._interruptions:
            self._interruptions.pop(0)()
        self._arrive(name)
        version = method(*args, **more)
        if self._lost_replies:
            self._lost_replies -= 1
            raise StoreUnavailable(name)
        return version

    def _arrive(self, name: str) -> None:
        if self.is_down:
            raise StoreUnavailable(name)
        if self._lost_requests:
            self._lost_requests -= 1
            raise StoreUnavailable(name)


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

    When the script has ended it accepts every job, is never done with any, and has empty lists.
    """

    def __init__(self, clock: FixedClock, *, name: str = "gepetto") -> None:
        facts = CATALOGUE[name]
        self.name = name
        self.limit = facts.limit
        self.poll_policy = facts.poll_policy
        self.takes_s = 0.0
        self.calls: list[ProviderCall] = []
        self._clock = clock
        self.lists: Mapping[str, Callable[[], ProviderList]] = {
            one: partial(self._list, one) for one in facts.lists
        }
        self._scripts: dict[str, list[Any]] = {"submit": [], "poll": [], "list": []}
        self._serial = count(1)

    def on_submit(self, *answers: Any) -> None:
        """Answer the next submissions so."""
        self._scripts["submit"] += answers

    def on_poll(self, *answers: Any) -> None:
        """Answer the next polls so."""
        self._scripts["poll"] += answers

    def on_list(self, *answers: Any) -> None:
        """Answer the next calls for lists so."""
        self._scripts["list"] += answers

    def submit(self, job: Job) -> Accepted:
        accepted = Accepted(provider_job_id=f"p-{next(self._serial)}", provider_status="pending")
        answer: Accepted = self._answer("submit", job.id, job, otherwise=accepted)
        return answer

    def poll(self, job: Job) -> PollAnswer:
        pending = StillOpen(provider_status="pending", is_known_word=True)
        answer: PollAnswer = self._answer("poll", job.id, job, otherwise=pending)
        return answer

    def called(self, kind: str) -> list[str]:
        """Return the ids of the jobs submitted, or polled, or the lists read, in order."""
        return [call.job_id for call in self.calls if call.kind == kind]

    def _list(self, name: str) -> ProviderList:
        empty = ProviderList(content_type="application/json", body=b"[]")
        answer: ProviderList = self._answer("list", name, name, otherwise=empty)
        return answer

    def _answer(self, kind: str, about: str, asked: Job | str, *, otherwise: Any) -> Any:
        self.calls.append(ProviderCall(kind, about, self._clock.now()))
        self._clock.advance(self.takes_s)
        script = self._scripts[kind]
        answer = script.pop(0) if script else otherwise
        if callable(answer):
            answer = answer(asked)
        if isinstance(answer, Exception):
            raise answer
        return otherwise if answer is None else answer


@dataclass(frozen=True)
class Post:
    """A callback as its receiver saw it."""

    at_s: float
    url: str
    headers: Mapping[str, str]
    body: bytes


class ScriptedEndpoints:
    """Callers' endpoints: each URL answers what was scripted for it, 200 otherwise."""

    def __init__(self, clock: FixedClock) -> None:
        self._clock = clock
        self._scripts: dict[str, list[EndpointReply | Exception]] = {}
        self._takes_s: dict[str, float] = {}
        self.posts: list[Post] = []
        self.during_post: Callable[[], object] = lambda: None
        self.in_flight: dict[str, int] = {}
        self.most_in_flight: dict[str, int] = {}
        self.most_at_once = 0

    def script(self, url: str, *answers: int | EndpointReply | Exception) -> None:
        """Answer the next posts to a URL with these; numbers are statuses."""
        self._scripts[url] = [
            EndpointReply(one) if isinstance(one, int) else one for one in answers
        ]

    def slow(self, url: str, *, takes_s: float) -> None:
        """Let every post to a URL take so long."""
        self._takes_s[url] = takes_s

    def post(self, url: str, *, headers: Mapping[str, str], body: bytes) -> EndpointReply:
        self.posts.append(Post(self._clock.passed_s, url, dict(headers), body))
        self.in_flight[url] = self.in_flight.get(url, 0) + 1
        self.most_in_flight[url] = max(self.most_in_flight.get(url, 0), self.in_flight[url])
        self.most_at_once = max(self.most_at_once, sum(self.in_flight.values()))
        self._clock.advance(self._takes_s.get(url, 0.0))
        self.in_flight[url] -= 1
        self.during_post()
        script = self._scripts.get(url)
        answer = script.pop(0) if script else EndpointReply(200)
        if isinstance(answer, Exception):
            raise answer
        return answer


PNG = b"\x89PNG\r\n\x1a\n" + b"p" * 100


class ScriptedDownloads:
    """The hosts of outputs: each URL answers what was scripted for it, a PNG otherwise."""

    def __init__(self, clock: FixedClock) -> None:
        self._clock = clock
        self._scripts: dict[str, list[bytes | int | Exception]] = {}
        self._takes_s: dict[str, float] = {}
        self.takes_s = 0.0
        self.gets: list[str] = []

    def script(self, url: str, *answers: bytes | int | Exception) -> None:
        """Answer with these in order, then always with the last one; numbers are statuses."""
        self._scripts[url] = list(answers)

    def slow(self, url: str, *, takes_s: float) -> None:
        """Let every download from a URL take so long; others take `takes_s`."""
        self._takes_s[url] = takes_s

    def get(self, url: str) -> Download:
        self.gets.append(url)
        self._clock.advance(self._takes_s.get(url, self.takes_s))
        script = self._scripts.get(url, [PNG])
        answer = script.pop(0) if len(script) > 1 else script[0]
        if isinstance(answer, Exception):
            raise answer
        return Download(answer, b"") if isinstance(answer, int) else Download(200, answer)


class MemoryStream:
    """The content of an object, in pieces."""

    def __init__(self, body: bytes, *, piece: int = 40) -> None:
        self._body, self._piece = body, piece
        self.is_closed = False

    def __iter__(self) -> Iterator[bytes]:
        for start in range(0, len(self._body), self._piece):
            yield self._body[start : start + self._piece]

    def close(self) -> None:
        self.is_closed = True


class MemoryBucket:
    """A bucket in memory; puts are conditional.

    Attributes:
        after_put: Called when an object is there, before the put returns.
    """

    def __init__(self, name: str = "renders") -> None:
        self.name = name
        self.objects: dict[str, tuple[StoredObject, bytes]] = {}
        self.puts: list[str] = []
        self.streams: list[MemoryStream] = []
        self.is_down = False
        self.after_put: Callable[[], object] = lambda: None

    def put(self, name: str, body: bytes, *, content_type: str, sha256: str) -> StoredObject:
        if self.is_down:
            raise BucketUnavailable(name)
        self.puts.append(name)
        uri = f"gs://{self.name}/{name}"
        new = StoredObject(uri=uri, content_type=content_type, bytes=len(body), sha256=sha256)
        there, _ = self.objects.setdefault(uri, (new, body))
        self.after_put()
        return there

    def open(self, uri: str) -> MemoryStream:
        if self.is_down:
            raise BucketUnavailable(uri)
        if uri not in self.objects:
            raise OutputNotKept("the copy of this output is no longer in the bucket")
        self.streams.append(MemoryStream(self.objects[uri][1]))
        return self.streams[-1]


class InlineWorkers:
    """Does every task at once, and lets time pass only when there is nothing to hand back."""

    def __init__(self, clock: FixedClock) -> None:
        self._clock = clock
        self._done: list[Future[Any]] = []
        self._is_closed = False

    def start(self, task: Callable[[], Any]) -> Future[Any]:
        if self._is_closed:
            raise RuntimeError("cannot schedule new futures after shutdown")
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
        done, self._done = self._done, []
        return done

    def close(self, *, timeout_s: float | None) -> Sequence[Future[Any]]:
        del timeout_s
        self._is_closed = True
        return self.wait(0.0)


class ConcurrentWorkers:
    """Does all tasks at the same time: while one lets time pass, the others and the run go on."""

    def __init__(self, clock: FixedClock) -> None:
        self._clock = clock
        self._running = 0
        self._done: list[Future[Any]] = []
        self._is_closed = False

    def start(self, task: Callable[[], Any]) -> Future[Any]:
        if self._is_closed:
            raise RuntimeError("cannot schedule new futures after shutdown")
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
        self._is_closed = True
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
    """All of the fakes, and the relay that stands on them.

    Args:
        check_every: As for `MemoryJobs`.
    """

    new_clock: Callable[[], FixedClock] = FixedClock

    def __init__(self, *, check_every: int = 1) -> None:
        self.clock = self.new_clock()
        jobs = MemoryJobs(check_every=check_every)
        self.jobs: Any = Faulty(jobs, pause=self.clock.advance)
        self.accounts: Any = Faulty(MemoryAccounts(self.clock.monotonic), pause=lambda _: None)
        self.topics = MemoryTopics()
        self.provider = ScriptedProvider(self.clock)
        self.endpoints = ScriptedEndpoints(self.clock)
        self.downloads = ScriptedDownloads(self.clock)
        self.bucket = MemoryBucket()
        self.durations: Any = Faulty(MemoryDurations(), pause=lambda _: None)
        self.lists: Any = Faulty(MemoryLists(), pause=lambda _: None)
        self.is_stopping = False
        self.tracer: Tracer = UNTRACED
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
            lists=self.lists,
            topics=self.topics,
            clock=self.clock,
            draw=lambda: 0.5,
            random_bytes=lambda size: (next(self._tokens).to_bytes(2, "big") * size)[:size],
            open_workers=lambda _: InlineWorkers(self.clock),
            is_stopping=lambda: self.is_stopping,
            tracer=self.tracer,
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

    def callbacks_pump(
        self, *, window_s: float = 55.0, open_workers: Callable[[int], Workers] | None = None
    ) -> Pump:
        """Return the pump that delivers callbacks."""
        adapters = self.adapters()
        if open_workers is not None:
            adapters = replace(adapters, open_workers=open_workers)
        relay = Relay(adapters, patience_s=EDGE_PATIENCE_S)
        return relay.callbacks_pump(self.endpoints, keys=CALLBACK_KEYS, window_s=window_s)

    def completions(self, *, is_kept: bool = True) -> Completions:
        """Return the function `keep_outputs`."""
        return self.relay.completions(self.downloads, self.bucket if is_kept else None)

    def seconds(self) -> float:
        """Return how much time has passed since noon."""
        return (self.clock.now() - NOON).total_seconds()


def large_world() -> World:
    """Return a world for thousands of writes: one in fifty is encoded, decoded and compared."""
    return World(check_every=50)
