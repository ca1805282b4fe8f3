"""One run of a pump: all that comes due for an account under one lease.

Read `PumpRun.work` first. The run's own thread only decides: which query to make, which job gets
the next worker and the next place for a call, when to renew the lease, and when the run is over.
Everything that waits for somebody else is a task of a worker: queries, changes of jobs, events and
calls to the provider. A task returns what came of it; only the run's thread takes that in.
"""

import logging
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from relay.application.announcer import Announcer
from relay.application.due_jobs import Lane
from relay.application.due_scan import PAGE, DueRead, DueScan
from relay.application.duration_learner import DurationLearner
from relay.application.job_actions import ActionResult, CallReport, DueJob, JobActions
from relay.application.lease import Lease
from relay.application.ports import (
    Accounts,
    Clock,
    DuePage,
    JobDocuments,
    Provider,
    Queued,
    RenderOwners,
    Stored,
    Topics,
    Workers,
)
from relay.application.store import JobStore
from relay.application.submission_queue import Floors, QueueRead, SubmissionQueue
from relay.domain.account import LOOK_ALL_THE_WAY_EVERY, Account
from relay.domain.admission import (
    Admission,
    CallResult,
    Flight,
    Hold,
    Kind,
    Stop,
    TenantState,
    starts_of,
    tenants_by_name,
)
from relay.domain.due import Action, next_action, wake_at
from relay.domain.job import ErrorCode, Job
from relay.domain.limits import Pacer
from relay.domain.turns import Turns
from relay.errors import JobNotFound, StoreUnavailable, UnreadableJob

log = logging.getLogger(__name__)

SHORTEST_PAUSE_S = 0.005
# How late the run may notice that its server is to stop.
LONGEST_PAUSE_S = 0.5
# While the last calls are in flight nobody else can end what must end: about as long as a call.
END_LONGER = timedelta(seconds=15)
SET_ASIDE_FOR = timedelta(hours=6)
# The platform kills an instance 10 s after it asked it to stop.
STOPS_WITHIN_S = 8.0
# An idle account may run ahead of an even pace by so much; a poll that comes due then is made
# within 5 s at Gepetto and within 1 s at Spacely (design 1a).
AHEAD_S = 4.0
MOST_OF_WINDOW_AHEAD = 0.5
# Of the calls that can be in flight one tenant gets so many times what it leaves free, so that
# calls that hang take no more than a share of them, however many tenants have such calls.
TIMES_FREE = 2
MOST_RECORDS = 300
# Of the hold, the pause and the outage.
STOP_LINES = (
    ("account on hold", "account off hold"),
    ("provider throttled", "provider throttles no more"),
    ("provider down", "provider back"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Concurrency:
    """How many tasks of each kind a pump has at the same time; none waits for another kind's."""

    calls: int
    changes: int
    events: int
    reads: int = 6

    @property
    def workers(self) -> int:
        """How many workers all of them need."""
        return self.calls + self.changes + self.events + self.reads


@dataclass(frozen=True, slots=True, kw_only=True)
class PumpDependencies:
    """Everything outside that a pump works with.

    Attributes:
        weights: The tenants' weights; 1 for those that are not named.
        is_stopping: Whether the server that runs the pump was told to stop.
    """

    documents: JobDocuments
    store: JobStore
    accounts: Accounts
    announcer: Announcer
    topics: Topics
    provider: Provider
    owners: RenderOwners
    learner: DurationLearner
    clock: Clock
    draw: Callable[[], float]
    new_token: Callable[[], str]
    concurrency: Concurrency
    open_workers: Callable[[int], Workers]
    weights: Mapping[str, int]
    is_stopping: Callable[[], bool]


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A job that could get the next place for a call."""

    kind: Kind
    stored: Stored
    due_job: DueJob | None
    is_suspect: bool


@dataclass(frozen=True, slots=True)
class _Avoid:
    """What a probe is not for, as long as there is something else."""

    job_ids: frozenset[str]
    tenants: frozenset[str]

    @classmethod
    def what(cls, *stops: Stop | None) -> "_Avoid":
        """Avoid the jobs that were stopped last, and their tenants."""
        there = [stop for stop in stops if stop is not None]
        return cls(
            frozenset(stop.job_id for stop in there if stop.job_id is not None),
            frozenset(stop.tenant for stop in there if stop.tenant is not None),
        )


class PumpRun:
    """One pump's work under one lease.

    Args:
        until: When its window is over.
        is_one_pass: Look once, do what is due, and end.
        begin_until: When the last job is begun that does not just end: at the end of the window,
            or of the longest pass.
    """

    def __init__(
        self,
        deps: PumpDependencies,
        *,
        lease: Lease,
        until: datetime,
        is_one_pass: bool,
        begin_until: datetime,
    ) -> None:
        self._deps = deps
        self._clock = deps.clock
        self._lease = lease
        self._until = until
        self._is_one_pass = is_one_pass
        self._begin_until = begin_until
        account, limit, now = lease.account, deps.provider.limit, deps.clock.now()
        self._name = account.name
        self._looks_back = _must_look_back(account, now)
        self._looked_back_at = now if self._looks_back else account.looked_back_at
        tenants = tenants_by_name(account.tenants)
        self._admission = Admission(
            limit.window_s,
            hold=account.hold,
            pause=account.pause,
            outage=account.outage,
            accepted_at=account.accepted_at,
            tenants=tenants,
        )
        self._queue = SubmissionQueue(
            weights=deps.weights,
            starts=starts_of(tenants, Kind.SUBMIT),
            floors={} if self._looks_back else _floors_of(account),
            calls_per_s=limit.used_calls / limit.window_s,
            spans_s=deps.learner.spans_s,
            now=now,
        )
        self._scan = DueScan(
            floor=None if self._looks_back else account.due_floor,
            is_one_pass=is_one_pass,
            now=now,
        )
        ahead_s = min(AHEAD_S, limit.window_s * MOST_OF_WINDOW_AHEAD)
        self._pacer = Pacer(limit, ahead_s=limit.window_s if is_one_pass else ahead_s)
        now_s = deps.clock.monotonic()
        for ended_s in lease.window.recent(now_s):
            # The calls of the pump before count for the pace too, but for what is only assumed.
            if ended_s <= now_s:
                self._pacer.start(ended_s)
        self._poll_turns = Turns(deps.weights, starts_of(tenants, Kind.POLL))
        self._last_kind = Kind.POLL if account.polled_last else Kind.SUBMIT
        self._waits_for_place = False
        self._ended: deque[Stored] = deque()
        self._tasks: dict[Future[Any], Callable[[Future[Any]], None]] = {}
        self._running = {"calls": 0, "changes": 0, "events": 0, "reads": 0}
        self._asks_for_next = False
        self._is_finished = False
        self._calls = 0
        self._workers = deps.open_workers(deps.concurrency.workers)
        self._actions = JobActions(
            store=deps.store,
            announcer=deps.announcer,
            provider=deps.provider,
            owners=deps.owners,
            learner=deps.learner,
            clock=deps.clock,
            draw=deps.draw,
            new_token=deps.new_token,
            may_call=lease.may_call,
            hold=self._hold_code,
            until=until,
        )
        lease.pass_on(self._passed_on)

    def work(self) -> None:
        """Work until there is no more to do, the window is over, or the lease is lost.

        Raises:
            StoreUnavailable: No query was answered in all that time.
        """
        try:
            while self._lease.may_call() and not self._deps.is_stopping():
                self._start_reads()
                self._start_changes()
                self._start_events()
                self._start_calls()
                if self._is_over():
                    self._is_finished = True
                    break
                self._collect(self._workers.wait(self._pause_s()))
                self._lease.renew_if_due()
            self._write_ahead()
        finally:
            is_stopping = self._deps.is_stopping()
            self._collect(self._workers.close(timeout_s=STOPS_WITHIN_S if is_stopping else None))
            self._give_up_on_calls_in_flight()
            self._log_done()
        if self._is_finished and not self._scan.has_looked:
            raise StoreUnavailable(f"due jobs of {self._name}")

    @property
    def was_cut_short(self) -> bool:
        """Whether the lease was lost before the window or the work was over."""
        return not self._is_finished

    def leaves_work(self) -> bool:
        """Return whether the window ended before the work did.

        Jobs that only wait for a place in the limit count as well, but not for a single pass:
        the next one could do no more for them.
        """
        now = self._clock.now()
        if any(self._is_due(lane, now) for lane in (Lane.CHANGE, Lane.PUBLISH)):
            return True
        if self._choose(now) is None:
            return self._queue.is_reading and not self._is_one_pass
        return not self._is_one_pass or self._place_in_s() <= 0.0

    def is_something_new_due(self) -> bool:
        """Look once more, from the floors; True if a job is due that this run did not see so.

        A job whose write took long, or was tried again, may have become due behind the cursor, and
        a wake-up may have met the lease just before it was given back.

        Raises:
            StoreUnavailable: The store did not answer.
        """
        documents, now = self._deps.documents, self._clock.now()
        floor = self._scan.floor(now=now, also=self._suspects_due())
        page = documents.due(self._name, after=floor, until=now, limit=PAGE)
        if any(isinstance(one, Stored) and self._scan.is_new(one) for one in page.items):
            return True
        queued = documents.queued(self._name, spans=self._queue.unknown_spans(), limit=1)
        return any(self._queue.is_new(one) for one in queued)

    # Reading

    def _start_reads(self) -> None:
        now = self._clock.now()
        if now >= self._begin_until and not self._running["calls"]:
            # Slow queries that follow each other would keep the lease for ever.
            return
        documents = self._deps.documents
        due = self._scan.read(now=now)
        if due is not None:
            find = partial(documents.due, self._name, after=due.after, until=due.until, limit=PAGE)
            self._start("reads", find, partial(self._take_due, due))
        looks = not (self._is_one_pass and self._queue.has_looked)
        for read in self._queue.reads(now=now, looks=looks):
            find_queued = partial(documents.queued, self._name, spans=read.spans, limit=read.limit)
            self._start("reads", find_queued, partial(self._take_queued, read))
        if len(self._scan.work) + len(self._queue) and self._deps.learner.is_sync_due():
            self._start("reads", self._deps.learner.sync_if_due, self._log_error)

    def _take_due(self, read: DueRead, future: Future[DuePage]) -> None:
        now = self._clock.now()
        if self._failed(future):
            self._scan.failed(read, now=now)
            return
        for unreadable in self._scan.take(read, future.result(), now=now):
            self._set_aside(unreadable.job_id, why=unreadable.why)
        self._put_back_in_place()
        self._take_suspects()

    def _put_back_in_place(self) -> None:
        for stored in self._scan.misplaced:
            task = partial(self._actions.put_back_in_place, stored)
            self._start("changes", task, partial(self._take_put_back, stored))
        self._scan.misplaced.clear()

    def _take_put_back(self, stored: Stored, future: Future[ActionResult]) -> None:
        error = future.exception()
        if error is None:
            self._keep_if_due(future.result().stored, self._clock.now())
        elif isinstance(error, StoreUnavailable):
            self._log_error(future)
        else:
            self._take_error(stored.job, error)

    def _take_queued(self, read: QueueRead, future: Future[Sequence[Queued]]) -> None:
        now = self._clock.now()
        if self._failed(future):
            self._queue.failed(read, now=now)
            return
        known = len(self._queue)
        for unreadable in self._queue.take(read, future.result()):
            self._set_aside(unreadable.job_id, why=unreadable.why)
        if len(self._queue) > known:
            self._scan.linger(now=now)

    def _take_suspects(self) -> None:
        for stored in self._scan.suspects:
            self._queue.put_suspect(stored)
        self._scan.suspects.clear()

    def _failed(self, future: Future[Any]) -> bool:
        error = future.exception()
        if error is None:
            return False
        if not isinstance(error, StoreUnavailable):
            raise error
        log.warning("look failed", extra=self._fields(why=str(error)))
        return True

    # Handing out

    def _start_changes(self) -> None:
        """Have ended what must end, and queued what may be sent again; goes on to the very end."""
        now = self._clock.now()
        if now >= self._begin_until + END_LONGER:
            return
        for stored in self._queue.suspects_past_deadline(now=now):
            self._scan.consider(stored, now=now)
        while self._is_free("changes") and self._queue.infeasible:
            stored = self._queue.infeasible.pop()
            self._start(
                "changes",
                partial(self._actions.give_up_unsent, stored),
                partial(self._take_queue_job, stored),
            )
        while self._is_free("changes"):
            due_job = self._scan.work.first(Lane.CHANGE, at=now)
            if due_job is None:
                return
            action = next_action(due_job.job, at=now)
            if action is None:
                self._scan.work.take(due_job.job.id)
                continue
            if action.calls_provider or action is Action.PUBLISH:
                # Its turn changed while it waited.
                self._scan.work.take(due_job.job.id)
                self._scan.consider(due_job.stored, now=now)
                self._take_suspects()
                continue
            self._queue.forget(due_job.job)
            self._lend(due_job, "changes", partial(self._actions.change, action, due_job.stored))

    def _start_events(self) -> None:
        """Have events published: of what has just ended, then of what is still not out."""
        now = self._clock.now()
        while self._ended and now < self._begin_until + END_LONGER and self._is_free("events"):
            task = partial(self._actions.announce, self._ended.popleft())
            self._start("events", task, self._log_error)
        while now < self._begin_until and self._is_free("events"):
            due_job = self._scan.work.first(Lane.PUBLISH, at=now)
            if due_job is None:
                return
            self._lend(due_job, "events", partial(self._actions.publish, due_job.stored))

    def _start_calls(self) -> None:
        self._waits_for_place = False
        while self._is_free("calls"):
            now = self._clock.now()
            candidate = self._choose(now) if now < self._begin_until else None
            if candidate is None:
                return
            if self._place_in_s() > 0.0 or not self._lease.start_call():
                self._waits_for_place = True
                return
            self._pacer.start(self._clock.monotonic())
            self._call(candidate)

    def _call(self, candidate: _Candidate) -> None:
        job = candidate.stored.job
        flight = self._admission.begin(candidate.kind, job, is_suspect=candidate.is_suspect)
        self._last_kind = candidate.kind
        if candidate.due_job is not None:
            self._poll_turns.served(job.tenant)
            task = partial(self._actions.poll, candidate.due_job, flight.evidence)
            self._lend(candidate.due_job, "calls", task, flight)
            return
        self._queue.turns.served(job.tenant)
        self._queue.lend(candidate.stored)
        self._start(
            "calls",
            partial(self._actions.submit, candidate.stored, flight.evidence),
            partial(self._take_submission, candidate.stored, flight),
        )

    def _choose(self, now: datetime) -> _Candidate | None:
        """Return the job that gets the next place for a call; None if none may be called for now.

        Submissions and polls take turns, and so do the tenants within each. A probe goes by other
        rules: not for the job that was stopped last, and for another tenant's first.
        """
        kinds = [Kind.SUBMIT, Kind.POLL]
        if self._last_kind is Kind.SUBMIT:
            kinds.reverse()
        elif not self._queue.is_known(now=now):
            # The next turn is a submission's, and it is not known yet whether one waits.
            return None
        if not self._admission.is_anything_stopped:
            return self._next(kinds[0], now) or self._next(kinds[1], now)
        if self._admission.is_outage_alone:
            early = self._next_submission(now, avoid=None, is_early=True)
            if early is not None:
                return early
        kinds = [kind for kind in kinds if self._admission.may_call(kind, at=now)]
        stops = [stop for kind in kinds if (stop := self._admission.stop_of(kind)) is not None]
        if not stops:
            return next(filter(None, (self._next(kind, now) for kind in kinds)), None)
        if len(stops) < len(kinds):
            # An outage stops submissions alone: polls go on.
            free = next(kind for kind in kinds if self._admission.stop_of(kind) is None)
            if self._last_kind is not free or self._next(Kind.SUBMIT, now) is None:
                candidate = self._next(free, now)
                if candidate is not None:
                    return candidate
        return self._probe([kind for kind in kinds if self._admission.stop_of(kind)], now)

    def _probe(self, kinds: Sequence[Kind], now: datetime) -> _Candidate | None:
        avoid = _Avoid.what(self._admission.hold, self._admission.pause, self._admission.outage)
        order = sorted(kinds, key=lambda kind: kind is Kind.SUBMIT)
        candidates = [self._next(kind, now, avoid=avoid) for kind in order]
        return min(
            (one for one in candidates if one is not None),
            key=lambda one: (
                one.stored.job.id in avoid.job_ids,
                one.stored.job.tenant in avoid.tenants,
            ),
            default=None,
        )

    def _next(self, kind: Kind, now: datetime, *, avoid: _Avoid | None = None) -> _Candidate | None:
        """Return the next job for a call of this kind, by the tenants' turns."""
        if kind is Kind.POLL:
            return self._next_poll(now, avoid=avoid)
        return self._next_submission(now, avoid=avoid)

    def _next_poll(self, now: datetime, *, avoid: _Avoid | None) -> _Candidate | None:
        work = self._scan.work
        tenants = [one for one in work.tenants_to_poll(at=now) if self._has_share(one)]
        tenants = _others_first(tenants, avoid, lambda one: self._first_poll(one, now, avoid))
        tenant = self._poll_turns.next(tenants)
        if tenant is None:
            return None
        due_job = self._first_poll(tenant, now, avoid)
        if due_job is None:
            return None
        return _Candidate(Kind.POLL, due_job.stored, due_job, is_suspect=False)

    def _first_poll(self, tenant: str, now: datetime, avoid: _Avoid | None) -> DueJob | None:
        return self._scan.work.first(
            Lane.POLL, at=now, tenant=tenant, avoid=avoid.job_ids if avoid else ()
        )

    def _next_submission(
        self, now: datetime, *, avoid: _Avoid | None, is_early: bool = False
    ) -> _Candidate | None:
        if not self._queue.is_known(now=now):
            # Whoever is found first must not have the first places to itself.
            return None
        suspects = self._admission.may_try_suspect()
        tenants = [
            one
            for one in self._queue.waiting(now=now, suspects=suspects)
            if self._admission.may_submit_for(one, at=now) and self._has_share(one)
        ]
        if is_early:
            tenants = [one for one in tenants if self._admission.may_probe_early(one)]
        if self._admission.outage is not None:
            # Those whose own breaker is open say least of whether the provider is back.
            sound = [one for one in tenants if self._admission.of(one).stop is None]
            tenants = sound or tenants
        tenants = _others_first(
            tenants, avoid, lambda one: self._first_submission(one, now, suspects, avoid)
        )
        tenant = self._queue.turns.next(tenants, delayed=self._queue.tenants_to_read())
        if tenant is None:
            return None
        stored = self._first_submission(tenant, now, suspects, avoid)
        if stored is None:
            return None
        is_suspect = stored.job.refusal is not None and not stored.job.is_ready
        return _Candidate(Kind.SUBMIT, stored, None, is_suspect)

    def _first_submission(
        self, tenant: str, now: datetime, suspects: bool, avoid: _Avoid | None
    ) -> Stored | None:
        avoid = avoid or _Avoid.what(self._admission.of(tenant).stop)
        return self._queue.first(tenant, now=now, suspects=suspects, avoid=avoid.job_ids)

    def _has_share(self, tenant: str) -> bool:
        """Return whether one more of the calls in flight may be this tenant's."""
        free = self._deps.concurrency.calls - self._running["calls"]
        return self._admission.in_flight(tenant) < max(1, TIMES_FREE * free)

    # Taking in

    def _lend(
        self,
        due_job: DueJob,
        kind: str,
        task: Callable[[], ActionResult],
        flight: Flight | None = None,
    ) -> None:
        self._scan.lend(due_job)
        self._start(kind, task, partial(self._take_due_job, due_job, flight))

    def _take_due_job(
        self, due_job: DueJob, flight: Flight | None, future: Future[ActionResult]
    ) -> None:
        now, job_id = self._clock.now(), due_job.job.id
        outcome = self._settle(flight, future)
        if outcome is None:
            error = future.exception()
            if isinstance(error, StoreUnavailable):
                self._scan.retry(due_job, now=now)
            else:
                self._scan.take_back(job_id, now=now, due_job=None)
                self._take_error(due_job.job, error)
            return
        if outcome.stored is not None and outcome.stored.version == due_job.version:
            # Nothing was changed: not again at once, whatever the reason is.
            self._scan.retry(due_job, now=now)
            return
        self._scan.take_back(job_id, now=now, due_job=outcome.due_job)
        self._keep_if_due(outcome.stored, now)

    def _take_submission(
        self, stored: Stored, flight: Flight, future: Future[ActionResult]
    ) -> None:
        outcome = self._settle(flight, future)
        if outcome is not None and outcome.call is None:
            self._queue.turns.give_back(stored.job.tenant)
        self._take_queue_job(stored, future)

    def _take_queue_job(self, stored: Stored, future: Future[ActionResult]) -> None:
        error = future.exception()
        after = None if error is not None else future.result().stored
        if after is not None and after.version == stored.version:
            # Nothing can be done for it before its deadline.
            return
        self._queue.drop(stored.job)
        if error is None:
            self._keep_if_due(after, self._clock.now())
        elif not isinstance(error, StoreUnavailable):
            self._take_error(stored.job, error)
        elif stored.job.is_ready:
            self._queue.put(stored)
        else:
            self._queue.put_suspect(stored)

    def _keep_if_due(self, stored: Stored | None, now: datetime) -> None:
        if stored is None:
            return
        if stored.job.unpublished:
            self._ended.append(stored)
            return
        if stored.job.is_ready:
            self._queue.put(stored)
            return
        due = wake_at(stored.job)
        if due is not None and due <= now:
            self._scan.consider(stored, now=now)
            self._take_suspects()

    def _settle(self, flight: Flight | None, future: Future[ActionResult]) -> ActionResult | None:
        """Count the call that a task made; return what came of it, None if it broke."""
        outcome = None if future.exception() is not None else future.result()
        if flight is None:
            return outcome
        report = outcome.call if outcome is not None else None
        if outcome is None:
            # It may have called.
            report = CallReport(result=CallResult.NOTHING, ended_s=self._clock.monotonic())
        if report is None:
            self._lease.window.give_back()
            self._pacer.give_back()
            report = CallReport(result=CallResult.NOTHING, ended_s=self._clock.monotonic())
        else:
            self._lease.window.end(report.ended_s)
            self._calls += 1
        before = (self._admission.hold, self._admission.pause, self._admission.outage)
        tenant_stop = self._admission.of(flight.tenant).stop
        self._admission.end(
            flight,
            report.result,
            at=self._clock.now(),
            status=report.status,
            retry_after_s=report.retry_after_s,
        )
        self._note_stops(before, tenant_stop, flight)
        return outcome

    def _note_stops(
        self, before: tuple[Stop | None, ...], tenant_stop: Stop | None, flight: Flight
    ) -> None:
        """Log what was stopped or let go, and have it written at once."""
        now = (self._admission.hold, self._admission.pause, self._admission.outage)
        for (begins, ends), old, new in zip(STOP_LINES, before, now, strict=True):
            if old is new:
                continue
            self._lease.write_soon()
            if new is None:
                log.error(ends, extra=self._fields())
            elif old is None or new is self._admission.pause:
                code = {"code": new.code.value} if isinstance(new, Hold) else {}
                fields = self._fields(job_id=flight.job_id, tenant=flight.tenant, **code)
                log.error(begins, extra=fields)
        stop = self._admission.of(flight.tenant).stop
        if stop is not tenant_stop:
            self._lease.write_soon()
            if tenant_stop is None or stop is None:
                word = "tenant's breaker closed" if stop is None else "tenant's breaker opened"
                log.warning(word, extra=self._fields(tenant=flight.tenant))

    def _take_error(self, job: Job, error: BaseException | None) -> None:
        if error is None:
            return
        if isinstance(error, JobNotFound):
            log.warning("job left for later", extra=self._fields(job_id=job.id, why=repr(error)))
            return
        if isinstance(error, UnreadableJob):
            self._set_aside(job.id, why=str(error))
            return
        log.error(
            "job step broke",
            exc_info=(type(error), error, error.__traceback__),
            extra=self._fields(job_id=job.id),
        )
        # At its deadline another step is due, which may well work.
        self._set_aside(job.id, why=type(error).__name__, not_after=job.deadline_at)

    def _set_aside(self, job_id: str, *, why: str, not_after: datetime | None = None) -> None:
        """Keep a job that cannot be worked with from stopping the others."""
        now = self._clock.now()
        until = now + SET_ASIDE_FOR
        if not_after is not None and not_after > now:
            until = min(until, not_after)
        task = partial(self._deps.documents.set_aside, job_id, until=until)
        log.error("job set aside", extra=self._fields(job_id=job_id, why=why))
        self._start("changes", task, self._log_error)

    def _log_error(self, future: Future[Any]) -> None:
        error = future.exception()
        if error is not None:
            log.warning("left for later", extra=self._fields(why=repr(error)))

    # The run itself

    def _start(
        self, kind: str, task: Callable[[], Any], take: Callable[[Future[Any]], None]
    ) -> None:
        self._running[kind] += 1

        def taken(future: Future[Any]) -> None:
            self._running[kind] -= 1
            take(future)

        self._tasks[self._workers.start(task)] = taken

    def _collect(self, ended: Sequence[Future[Any]]) -> None:
        for future in ended:
            self._tasks.pop(future)(future)

    def _hold_code(self) -> ErrorCode | None:
        hold = self._admission.hold
        return None if hold is None else hold.code

    def _is_free(self, kind: str) -> bool:
        return self._running[kind] < int(getattr(self._deps.concurrency, kind))

    def _is_due(self, lane: Lane, now: datetime) -> bool:
        due = self._scan.work.next_due(lane)
        return due is not None and due <= now

    def _place_in_s(self) -> float:
        """Return after how many seconds there is a place for a call."""
        free_at_s = self._lease.free_at()
        if free_at_s is None:
            # A call in flight has to end first.
            return LONGEST_PAUSE_S
        # Read after the lease has read it: a place that was free then is free now.
        now_s = self._clock.monotonic()
        return max(free_at_s, self._pacer.free_at(now_s)) - now_s

    def _is_over(self) -> bool:
        if self._tasks:
            return False
        now = self._clock.now()
        if self._is_one_pass:
            looked = self._scan.has_looked and self._queue.has_looked
            reads_on = self._scan.is_behind or (
                self._queue.is_reading and self._place_in_s() <= 0.0
            )
            return (looked and not reads_on) or now >= self._begin_until
        if now >= self._until:
            return True
        if now < self._scan.stay_until or self._is_something_to_come(now):
            return False
        return self._is_nothing_left(now)

    def _is_something_to_come(self, now: datetime) -> bool:
        if self._scan.is_behind or not self._scan.has_looked or not self._queue.has_looked:
            return True
        if self._queue.infeasible or self._queue.is_reading:
            return True
        return any(moment <= self._until for moment in self._moments(now))

    def _moments(self, now: datetime) -> Iterator[datetime]:
        """Return when something will be to be done that is known of now."""
        for due_job in self._scan.work:
            due = wake_at(due_job.job)
            if due is None:
                continue
            if not due_job.job.can_be_polled or due_job.job.is_final:
                yield due
                continue
            stop = self._admission.stop_of(Kind.POLL)
            yield due if stop is None else min(max(due, stop.probe_at), due_job.job.deadline_at)
        tenants = self._queue.tenants()
        if not tenants:
            return
        stop = self._admission.stop_of(Kind.SUBMIT)
        opens_at = self._admission.opens_at(Kind.SUBMIT, tenants, at=now)
        if stop is not None:
            is_early = any(self._admission.may_probe_early(one) for one in tenants)
            yield now if is_early else max(stop.probe_at, now)
        elif any(self._admission.may_submit_for(one, at=now) for one in tenants):
            yield now
        elif opens_at is not None:
            yield opens_at
        for stored in self._queue.suspects():
            yield stored.job.deadline_at

    def _is_nothing_left(self, now: datetime) -> bool:
        """Ask the store, once, for the next job that comes due in the window; stay until then."""
        if not self._asks_for_next:
            self._asks_for_next = True
            find = partial(self._deps.documents.next_wake, self._name, after=now)
            self._start("reads", find, self._take_next_wake)
            return False
        self._asks_for_next = False
        return True

    def _take_next_wake(self, future: Future[datetime | None]) -> None:
        if self._failed(future):
            self._asks_for_next = False
            self._scan.stay(until=self._clock.now() + timedelta(seconds=1))
            return
        wakes_at = future.result()
        if wakes_at is not None and wakes_at <= self._until:
            self._asks_for_next = False
            self._scan.stay(until=wakes_at)

    def _pause_s(self) -> float:
        """Return how long nothing can happen but a task coming back, in seconds."""
        now = self._clock.now()
        moments = [self._until, self._scan.next_at(), self._scan.stay_until]
        moments += [due for lane in Lane if (due := self._scan.work.next_due(lane)) is not None]
        if not self._is_one_pass:
            moments.append(self._queue.next_look_at())
        moments += self._admission.openings()
        pauses_s = [(at - now).total_seconds() for at in moments if at > now]
        pauses_s += [self._lease.renewal_in_s(), LONGEST_PAUSE_S]
        if self._waits_for_place:
            pauses_s.append(self._place_in_s())
        return max(min(pauses_s), SHORTEST_PAUSE_S)

    def _write_ahead(self) -> None:
        for due_job in self._scan.work:
            if due_job.is_ahead:
                self._start("changes", partial(self._actions.write_ahead, due_job), self._log_error)

    def _give_up_on_calls_in_flight(self) -> None:
        """Count the calls that a server that stops does not wait for as ended now.

        They are older than any call is on its way to its provider.
        """
        while self._lease.window.in_flight > 0:
            self._lease.window.end(self._clock.monotonic())

    # Handing over

    def _passed_on(self, account: Account) -> Account:
        """Return the account with what the next pump must know."""
        now = self._clock.now()
        admission = self._admission
        starts, floors = self._queue.turns.starts(), self._queue.floors()
        poll_starts = self._poll_turns.starts()
        for tenant in {*starts, *poll_starts, *floors}:
            admission.of(tenant)
        for tenant, record in admission.tenants.items():
            record.turn = starts.get(tenant, 0.0)
            record.poll_turn = poll_starts.get(tenant, 0.0)
            floor = floors.get(tenant, Floors())
            record.normal_floor, record.low_floor = floor.normal, floor.low
        kept = sorted(admission.worth_keeping(at=now), key=_worth, reverse=True)
        return replace(
            account,
            hold=admission.hold,
            pause=admission.pause,
            outage=admission.outage,
            accepted_at=admission.accepted_at,
            polled_last=self._last_kind is Kind.POLL,
            tenants=tuple(replace(record) for record in kept[:MOST_RECORDS]),
            due_floor=self._scan.floor(now=now, also=self._suspects_due()),
            looked_back_at=(
                self._looked_back_at if self._scan.has_looked else account.looked_back_at
            ),
        )

    def _suspects_due(self) -> list[datetime]:
        return [due for one in self._queue.suspects() if (due := wake_at(one.job)) is not None]

    def _log_done(self) -> None:
        """Say what the metrics of the deployment are made from."""
        log.info(
            "pump done",
            extra={
                "fields": {
                    "account": self._name,
                    "calls": self._calls,
                    "queued": len(self._queue),
                    "oldest_due_s": round(self._scan.oldest_due_s, 3),
                }
            },
        )

    def _fields(self, **more: str) -> dict[str, dict[str, str]]:
        return {"fields": {"account": self._name, **more}}


def _must_look_back(account: Account, now: datetime) -> bool:
    """Return whether it is time to look past the floors: nothing is ever lost behind them."""
    looked = account.looked_back_at
    return looked is None or not timedelta(0) <= now - looked < LOOK_ALL_THE_WAY_EVERY


def _floors_of(account: Account) -> dict[str, Floors]:
    return {
        record.tenant: Floors(normal=record.normal_floor, low=record.low_floor)
        for record in account.tenants
        if record.normal_floor is not None or record.low_floor is not None
    }


def _worth(record: TenantState) -> tuple[bool, datetime]:
    """Rank records, for there is room for so many: what stops calls, then by their last use."""
    moments = [record.opened_at, record.refused_at, record.throttled_at, record.answered_at]
    known = [moment for moment in moments if moment is not None]
    stops = record.stop is not None or record.failures > 0
    return stops, max(known, default=datetime.min.replace(tzinfo=UTC))


def _others_first(
    tenants: list[str], avoid: _Avoid | None, first: Callable[[str], DueJob | Stored | None]
) -> list[str]:
    """Return the tenants that a probe may be for: others than the last, if there are any."""
    if avoid is None:
        return tenants
    with_other_jobs = [
        one
        for one in tenants
        if (job := first(one)) is not None and job.job.id not in avoid.job_ids
    ]
    others = [one for one in with_other_jobs if one not in avoid.tenants]
    return others or with_other_jobs or tenants
