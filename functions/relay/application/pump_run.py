"""One run of a pump: all work that comes due for an account under one lease.

Read `PumpRun.work` first; the rest of the class follows its loop: reads, tasks, their results, the
wait for more, the run's end, the handover. The run's own thread decides which query to make, which
job gets the next worker or the next call, and when the run is over; and it keeps the lease.
Everything else that blocks is a worker's task (`relay.application.tasks`): queries, changes of
jobs, events and calls to the provider.
"""

import logging
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import msgspec

from relay.application.announcer import Announcer
from relay.application.call_scheduler import Call, CallScheduler
from relay.application.due_jobs import DueJob, Lane
from relay.application.due_scan import PAGE, SCAN_MARGIN, DueRead, DueScan
from relay.application.duration_learner import DurationLearner
from relay.application.job_actions import ActionResult, JobActions
from relay.application.lease import Lease
from relay.application.ports import (
    Clock,
    DuePage,
    JobDocuments,
    ListDocuments,
    Provider,
    Queued,
    RenderOwners,
    Stored,
    Unreadable,
    Workers,
)
from relay.application.provider_lists import ListFetcher
from relay.application.pump import Window
from relay.application.store import JobStore
from relay.application.submission_queue import Floors, QueueRead, SubmissionQueue
from relay.application.tasks import Tasks
from relay.domain.account import FULL_SCAN_EVERY, Account
from relay.domain.admission import (
    Admission,
    CallKind,
    CallReport,
    CallResult,
    Flight,
    starts_of,
    tenants_by_name,
)
from relay.domain.due import can_wait_for_tick, next_action, wake_at
from relay.domain.job import Job
from relay.domain.limits import Pacer
from relay.errors import JobNotFound, StoreUnavailable, UnreadableJob

log = logging.getLogger(__name__)

SHORTEST_PAUSE_S = 0.005
# How late the run may notice that its server is stopping.
LONGEST_WAIT_S = 0.5
# While the last calls are in flight no other pump can end jobs: about as long as a call takes.
END_LONGER = timedelta(seconds=15)
# A poll so near is waited for, even if the next tick would do.
NEAR = timedelta(seconds=5)
# How many of the next jobs a run reads before it leaves.
PEEK = 5
SET_ASIDE_FOR = timedelta(hours=6)
# The platform kills an instance 10 s after asking it to stop.
STOPS_WITHIN_S = 8.0
# The burst that an idle account may make; a poll that comes due after it is still made within 5 s
# at Gepetto and within 1 s at Spacely (contract, section 1a).
BURST_S = 2.0
BURST_SHARE_OF_WINDOW = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Concurrency:
    """How many tasks of each kind a pump runs at a time; kinds do not wait for each other."""

    calls: int
    changes: int
    events: int
    reads: int = 6


class PumpDependencies(msgspec.Struct, frozen=True, kw_only=True):
    """A pump's dependencies.

    Attributes:
        weights: The tenants' weights; 1 where not named.
        is_stopping: Whether the pump's server was told to stop.
    """

    documents: JobDocuments
    store: JobStore
    lists: ListDocuments
    announcer: Announcer
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


class PumpRun:
    """A pump's work for an account under one lease; after the window's end it only ends jobs."""

    def __init__(self, deps: PumpDependencies, *, lease: Lease, window: Window) -> None:
        self._deps = deps
        self._clock = deps.clock
        self._lease = lease
        self._until = window.until
        self._is_one_pass = window.is_one_pass
        self._begin_until = window.begin_until
        account, limit, now = lease.account, deps.provider.limit, deps.clock.now()
        self._name = account.name
        is_full_scan = _is_full_scan_due(account, now)
        self._full_scan_at = now if is_full_scan else account.looked_back_at
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
            starts=starts_of(tenants, CallKind.SUBMIT),
            floors={} if is_full_scan else _floors_of(account),
            calls_per_s=limit.used_calls / limit.window_s,
            duration_range_s=deps.learner.duration_range_s,
            now=now,
        )
        self._scan = DueScan(
            floor=None if is_full_scan else account.due_floor,
            is_one_pass=window.is_one_pass,
            take_suspect=self._queue.put_suspect,
            now=now,
        )
        ahead_s = min(BURST_S, limit.window_s * BURST_SHARE_OF_WINDOW)
        self._pacer = Pacer(limit, ahead_s=limit.window_s if window.is_one_pass else ahead_s)
        now_s = deps.clock.monotonic()
        self._pacer.resume(lease.window.recent(now_s), now_s)
        self._calls = CallScheduler(
            self._admission,
            account=account.name,
            queue=self._queue,
            due_jobs=self._scan.due_jobs,
            most_in_flight=deps.concurrency.calls,
            weights=deps.weights,
            poll_starts=starts_of(tenants, CallKind.POLL),
            last_kind=CallKind.POLL if account.polled_last else CallKind.SUBMIT,
        )
        self._lists = ListFetcher(
            deps.lists, provider=deps.provider, clock=deps.clock, may_call=lease.may_call
        )
        self._due_list: str | None = None
        self._waits_for_limit = False
        self._to_announce: deque[Stored] = deque()
        self._asked_for_next_jobs = False
        self._is_finished = False
        # Documents that a scan from the floors might not find again.
        self._missed: set[str] = set()
        self._calls_made = 0
        self._tasks = Tasks(deps.open_workers, asdict(deps.concurrency))
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
            hold=lambda: self._admission.hold,
            until=window.until,
        )
        lease.set_handover(self._with_handover)

    def work(self) -> None:
        """Work until nothing is left to do, the window is over, or the lease is lost.

        Raises:
            StoreUnavailable: No query was answered in all that time.
        """
        try:
            if self._deps.provider.lists:
                self._tasks.start("reads", self._lists.next_due, self._take_due_list)
            while self._lease.is_kept() and not self._deps.is_stopping():
                self._start_reads()
                self._start_changes()
                self._start_events()
                self._start_calls()
                if self._is_over():
                    self._is_finished = True
                    break
                self._tasks.wait(self._pause_s())
                self._lease.renew_if_due()
            self._write_bookkeeping()
        finally:
            is_stopping = self._deps.is_stopping()
            self._tasks.close(timeout_s=STOPS_WITHIN_S if is_stopping else None)
            self._abandon_calls_in_flight()
            self._log_done()
        if self._is_finished and not self._scan.has_looked:
            raise StoreUnavailable(f"due jobs of {self._name}")

    @property
    def was_cut_short(self) -> bool:
        """Whether the lease was lost before the window or the work was over."""
        return not self._is_finished

    # Reads

    def _start_reads(self) -> None:
        now = self._clock.now()
        if now >= self._begin_until and not self._tasks.running("calls"):
            # A series of slow queries would keep the lease for ever.
            return
        runs_only_reads = len(self._tasks) == self._tasks.running("reads")
        if not self._is_one_pass and runs_only_reads and self._is_idle(now):
            # If each query takes a second, the next one is always under way and no run would end.
            return
        documents = self._deps.documents
        due = self._scan.next_read(now=now)
        if due is not None:
            find = partial(documents.due, self._name, after=due.after, until=due.until, limit=PAGE)
            self._tasks.start("reads", find, partial(self._take_due_page, due))
        looks = not (self._is_one_pass and self._queue.has_looked)
        for read in self._queue.next_reads(now=now, looks=looks):
            find_queued = partial(documents.queued, self._name, spans=read.spans, limit=read.limit)
            self._tasks.start("reads", find_queued, partial(self._take_queue_page, read))
        if len(self._scan.due_jobs) + len(self._queue) and self._deps.learner.is_sync_due():
            self._tasks.start("reads", self._deps.learner.sync_if_due, self._log_error)

    def _take_due_page(self, read: DueRead, future: Future[DuePage]) -> None:
        now = self._clock.now()
        if self._read_failed(future):
            self._scan.read_failed(read, now=now)
            return
        for item in self._scan.take_page(read, future.result(), now=now):
            if isinstance(item, Unreadable):
                self._set_aside(item.job_id, why=item.why)
                continue
            task = partial(self._actions.repair_index_fields, item)
            self._missed.add(item.job.id)
            self._tasks.start("changes", task, partial(self._take_repaired, item))

    def _take_repaired(self, stored: Stored, future: Future[ActionResult]) -> None:
        error = future.exception()
        if error is None:
            self._missed.discard(stored.job.id)
            self._put_where_it_waits(future.result().stored, self._clock.now())
        elif isinstance(error, StoreUnavailable):
            self._log_error(future)
        else:
            self._take_error(stored.job, error)

    def _take_queue_page(self, read: QueueRead, future: Future[Sequence[Queued]]) -> None:
        now = self._clock.now()
        if self._read_failed(future):
            self._queue.read_failed(read, now=now)
            return
        known = len(self._queue)
        for unreadable in self._queue.take_page(read, future.result(), now=now):
            self._set_aside(unreadable.job_id, why=unreadable.why)
        if len(self._queue) > known:
            self._scan.linger(now=now)

    def _take_due_list(self, future: Future[str | None]) -> None:
        if future.exception() is None:
            self._due_list = future.result()
        self._log_error(future)

    def _read_failed(self, future: Future[Any]) -> bool:
        error = future.exception()
        if error is None:
            return False
        if not isinstance(error, StoreUnavailable):
            raise error
        log.warning("look failed", extra=self._fields(why=str(error)))
        return True

    # Starting tasks

    def _start_changes(self) -> None:
        """Start ending expired jobs and requeueing others; goes on past the end of the window."""
        now = self._clock.now()
        if now >= self._begin_until + END_LONGER:
            return
        self._scan.update_lanes(now=now)
        for stored in self._queue.suspects_past_deadline(now=now):
            self._scan.offer(stored, now=now)
        while self._tasks.has_worker("changes") and self._queue.infeasible:
            stored = self._queue.infeasible.pop()
            self._tasks.start(
                "changes",
                partial(self._actions.give_up_unsent, stored),
                partial(self._take_queued_job, stored),
            )
        while self._tasks.has_worker("changes"):
            due_job = self._scan.due_jobs.first(Lane.CHANGE, at=now)
            if due_job is None:
                return
            action = next_action(due_job.job, at=now)
            if action is None:
                self._scan.due_jobs.remove(due_job.job.id)
                continue
            if action.calls_provider:
                # The clock stepped back: the provider is asked once more before it ends.
                self._scan.due_jobs.remove(due_job.job.id)
                self._scan.offer(due_job.stored, now=now)
                continue
            self._queue.remove(due_job.job)
            self._start_due_job(
                due_job, "changes", partial(self._actions.change, action, due_job.stored)
            )

    def _start_events(self) -> None:
        """Start publishing events: first of jobs that have just ended, then those left over."""
        now = self._clock.now()
        while (
            self._to_announce
            and now < self._begin_until + END_LONGER
            and self._tasks.has_worker("events")
        ):
            task = partial(self._deps.announcer.announce_or_leave, self._to_announce.popleft())
            self._tasks.start("events", task, self._log_error)
        while now < self._begin_until and self._tasks.has_worker("events"):
            due_job = self._scan.due_jobs.first(Lane.PUBLISH, at=now)
            if due_job is None:
                return
            self._start_due_job(due_job, "events", partial(self._actions.publish, due_job.stored))

    def _start_calls(self) -> None:
        self._waits_for_limit = False
        while self._tasks.has_worker("calls"):
            start = self._next_call()
            if start is None:
                return
            if self._next_call_in_s() > 0.0 or not self._lease.start_call():
                self._waits_for_limit = True
                return
            now_s = self._clock.monotonic()
            even_s = 0.0 if self._is_one_pass else self._lease.window.even_interval_s(now_s)
            self._pacer.start(now_s, even_interval_s=even_s)
            start()

    def _next_call(self) -> Callable[[], None] | None:
        """Return what starts the next call; None if none may start now."""
        now = self._clock.now()
        if now >= self._begin_until:
            return None
        if self._may_fetch_list:
            # Before jobs, or a long queue would delay it for ever. One a run hardly delays them.
            return self._start_fetch
        call = self._calls.next(now)
        return None if call is None else partial(self._start_call, call)

    @property
    def _may_fetch_list(self) -> bool:
        return self._due_list is not None and not self._admission.is_anything_stopped

    def _start_fetch(self) -> None:
        assert self._due_list is not None  # noqa: S101 - see `_may_fetch_list`
        name, self._due_list = self._due_list, None
        self._tasks.start("calls", partial(self._lists.fetch, name), self._take_fetch)

    def _start_call(self, call: Call) -> None:
        flight = self._calls.begin(call)
        if call.due_job is not None:
            task = partial(self._actions.poll, call.due_job, flight.evidence)
            self._start_due_job(call.due_job, "calls", task, flight)
            return
        self._tasks.start(
            "calls",
            partial(self._actions.submit, call.stored, flight.evidence),
            partial(self._take_submission, call.stored, flight),
        )

    def _start_due_job(
        self,
        due_job: DueJob,
        kind: str,
        task: Callable[[], ActionResult],
        flight: Flight | None = None,
    ) -> None:
        self._scan.check_out(due_job)
        self._tasks.start(kind, task, partial(self._take_due_job, due_job, flight))

    # Results of tasks

    def _take_due_job(
        self, due_job: DueJob, flight: Flight | None, future: Future[ActionResult]
    ) -> None:
        now, job_id = self._clock.now(), due_job.job.id
        result = self._end_call(flight, future)
        if result is None:
            error = future.exception()
            if isinstance(error, StoreUnavailable):
                self._scan.retry_later(due_job, now=now)
            else:
                self._scan.check_in(job_id, now=now, due_job=None)
                self._take_error(due_job.job, error)
            return
        if result.stored is not None and result.stored.version == due_job.version:
            # Nothing changed, for whatever reason: do not retry at once.
            self._scan.retry_later(due_job, now=now)
            return
        self._scan.check_in(job_id, now=now, due_job=result.due_job)
        self._put_where_it_waits(result.stored, now)

    def _take_submission(
        self, stored: Stored, flight: Flight, future: Future[ActionResult]
    ) -> None:
        result = self._end_call(flight, future)
        if result is not None and result.call is None:
            self._queue.turns.return_turn(stored.job.tenant)
        self._take_queued_job(stored, future)

    def _take_queued_job(self, stored: Stored, future: Future[ActionResult]) -> None:
        error = future.exception()
        after = None if error is not None else future.result().stored
        if after is not None and after.version == stored.version:
            # Nothing can be done before its deadline.
            return
        self._queue.check_in(stored.job)
        if error is None:
            self._put_where_it_waits(after, self._clock.now())
        elif not isinstance(error, StoreUnavailable):
            self._take_error(stored.job, error)
        elif stored.job.is_ready:
            self._queue.put(stored)
        else:
            self._queue.put_suspect(stored)

    def _put_where_it_waits(self, stored: Stored | None, now: datetime) -> None:
        if stored is None:
            return
        if stored.job.unpublished:
            self._to_announce.append(stored)
        elif stored.job.is_ready:
            self._queue.put(stored)
        elif (due := wake_at(stored.job)) is not None and due <= now:
            self._scan.offer(stored, now=now)

    def _end_call(self, flight: Flight | None, future: Future[ActionResult]) -> ActionResult | None:
        """Count the task's call, if it made one; return the task's result, None if it raised."""
        result = None if future.exception() is not None else future.result()
        if flight is None:
            return result
        unknown = CallReport(result=CallResult.INCONCLUSIVE, ended_s=self._clock.monotonic())
        # A task that raised may have made its call.
        report = unknown if result is None else result.call
        self._count_call(None if report is None else report.ended_s)
        if report is None:
            self._admission.cancel(flight)
        elif self._calls.end(flight, report, at=self._clock.now()):
            self._lease.write_soon()
        return result

    def _take_fetch(self, future: Future[float | None]) -> None:
        # A task that raised may have made its call.
        raised = future.exception() is not None
        self._count_call(self._clock.monotonic() if raised else future.result())
        self._log_error(future)

    def _count_call(self, ended_s: float | None) -> None:
        """Count a call that ended then; None if it was not made after all."""
        if ended_s is None:
            self._lease.window.cancel()
            self._pacer.cancel()
            return
        self._lease.window.end(ended_s)
        self._calls_made += 1

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
        # At its deadline another step is due, which may succeed.
        self._set_aside(job.id, why=type(error).__name__, not_after=job.deadline_at)

    def _set_aside(self, job_id: str, *, why: str, not_after: datetime | None = None) -> None:
        """Postpone a job that cannot be worked on, so that it does not block others."""
        now = self._clock.now()
        until = now + SET_ASIDE_FOR
        if not_after is not None and not_after > now:
            until = min(until, not_after)
        task = partial(self._deps.documents.set_aside, job_id, until=until)
        log.error("job set aside", extra=self._fields(job_id=job_id, why=why))
        self._missed.add(job_id)
        self._tasks.start("changes", task, partial(self._take_set_aside, job_id))

    def _take_set_aside(self, job_id: str, future: Future[Any]) -> None:
        if future.exception() is None:
            self._missed.discard(job_id)
        self._log_error(future)

    def _log_error(self, future: Future[Any]) -> None:
        error = future.exception()
        if error is not None:
            log.warning("left for later", extra=self._fields(why=repr(error)))

    # Waiting

    def _pause_s(self) -> float:
        """Return how many seconds the run may wait for a task before other work comes up."""
        now = self._clock.now()
        moments = [self._until, self._scan.next_read_at(), self._scan.stay_until]
        moments += [due for lane in Lane if (due := self._scan.due_jobs.next_due(lane)) is not None]
        if not self._is_one_pass:
            moments.append(self._queue.next_read_at())
        moments += self._admission.openings()
        pauses_s = [(at - now).total_seconds() for at in moments if at > now]
        pauses_s += [self._lease.renewal_in_s(), LONGEST_WAIT_S]
        if self._waits_for_limit:
            pauses_s.append(self._next_call_in_s())
        return max(min(pauses_s), SHORTEST_PAUSE_S)

    def _next_call_in_s(self) -> float:
        """Return in how many seconds the next call may start."""
        free_at_s = self._lease.free_at()
        if free_at_s is None:
            return LONGEST_WAIT_S
        # Read the clock after the lease did: a call allowed then is allowed now.
        now_s = self._clock.monotonic()
        return max(free_at_s, self._pacer.free_at(now_s)) - now_s

    # When the run ends

    def _is_over(self) -> bool:
        if self._tasks:
            return False
        now = self._clock.now()
        if self._is_one_pass:
            looked = self._scan.has_looked and self._queue.has_looked
            reads_on = self._scan.is_behind or (
                self._queue.tenants_to_read() and self._next_call_in_s() <= 0.0
            )
            return (looked and not reads_on) or now >= self._begin_until
        if now >= self._until:
            return True
        return self._is_idle(now) and self._has_no_wake_in_window(now)

    def _is_idle(self, now: datetime) -> bool:
        """Return whether nothing that waits is known to be done in this window."""
        return now >= self._scan.stay_until and not self._has_upcoming_work(now)

    def _has_upcoming_work(self, now: datetime) -> bool:
        if self._scan.is_behind or not self._scan.has_looked or not self._queue.has_looked:
            return True
        if self._queue.infeasible or self._queue.tenants_to_read() or self._may_fetch_list:
            return True
        return any(moment <= self._until for moment in self._upcoming_work_times(now))

    def _upcoming_work_times(self, now: datetime) -> Iterator[datetime]:
        """Yield the known moments at which there will be something to do."""
        for due_job in self._scan.due_jobs:
            due = wake_at(due_job.job)
            if due is None:
                continue
            if not due_job.job.can_be_polled:
                yield due
                continue
            if self._can_leave(due_job.job, now):
                continue
            stop = self._admission.stop_of(CallKind.POLL)
            yield due if stop is None else min(max(due, stop.probe_at), due_job.job.deadline_at)
        tenants = self._queue.tenants()
        if not tenants:
            return
        stop = self._admission.stop_of(CallKind.SUBMIT)
        opens_at = self._admission.opens_at(CallKind.SUBMIT, tenants, at=now)
        if stop is not None:
            is_early = any(self._admission.may_probe_early(one) for one in tenants)
            yield now if is_early else max(stop.probe_at, now)
        elif any(self._admission.may_submit_for(one, at=now) for one in tenants):
            yield now
        elif opens_at is not None:
            yield opens_at
        for stored in self._queue.suspects():
            yield stored.job.deadline_at

    def _can_leave(self, job: Job, now: datetime) -> bool:
        """Return whether the job's next poll may be left to the scheduler's next tick."""
        if self._admission.stop_of(CallKind.POLL) is not None:
            # It may be the probe that all others wait for.
            return False
        due = wake_at(job)
        return due is not None and due > now + NEAR and can_wait_for_tick(job, at=now)

    def _has_no_wake_in_window(self, now: datetime) -> bool:
        """Query, once, for the next jobs due in the window; stay for one that cannot be left."""
        if not self._asked_for_next_jobs:
            self._asked_for_next_jobs = True
            find = partial(
                self._deps.documents.due, self._name, after=now, until=self._until, limit=PEEK
            )
            self._tasks.start("reads", find, self._take_next_jobs)
            return False
        self._asked_for_next_jobs = False
        return True

    def _take_next_jobs(self, future: Future[DuePage]) -> None:
        now = self._clock.now()
        if self._read_failed(future):
            self._asked_for_next_jobs = False
            self._scan.stay(until=now + timedelta(seconds=1))
            return
        page = future.result()
        moments = [wake_at(job) for job in page.jobs if not self._can_leave(job, now)]
        # Whether those behind the page can be left is unknown.
        moments.append(page.more_after)
        stay_until = min((one for one in moments if one is not None), default=None)
        if stay_until is not None:
            self._asked_for_next_jobs = False
            self._scan.stay(until=stay_until)

    def _write_bookkeeping(self) -> None:
        for due_job in self._scan.due_jobs:
            if due_job.is_ahead:
                write = partial(self._deps.store.keep, due_job.stored)
                self._tasks.start("changes", write, self._log_error)

    def _abandon_calls_in_flight(self) -> None:
        """Count calls that a stopping server does not wait for as ended now.

        By then any call has reached its provider or never will.
        """
        while self._lease.window.in_flight > 0:
            self._lease.window.end(self._clock.monotonic())

    def leaves_work(self) -> bool:
        """Return whether the window ended before the work did.

        Jobs that only wait for the call limit count too, except in a single pass: the next one
        could do no more for them. So does a job whose wake-up was suppressed because this run had
        just found another.
        """
        now = self._clock.now()
        if not self._is_one_pass and now < self._scan.lingers_until:
            return True
        if any(self._is_due(lane, now) for lane in (Lane.CHANGE, Lane.PUBLISH)):
            return True
        if self._calls.next(now) is None:
            return bool(self._queue.tenants_to_read()) and not self._is_one_pass
        return not self._is_one_pass or self._next_call_in_s() <= 0.0

    def _is_due(self, lane: Lane, now: datetime) -> bool:
        due = self._scan.due_jobs.next_due(lane)
        return due is not None and due <= now

    def is_something_new_due(self) -> bool:
        """Scan once more, from the floors; return whether a job is due that this run has not seen.

        A job written late may have become due behind the cursor, and a wake-up may have come just
        before the lease was given back, of a job that is due a little later by its writer's clock.

        Raises:
            StoreUnavailable: The store did not answer.
        """
        documents, now = self._deps.documents, self._clock.now()
        floor = self._scan.floor(also=self._suspect_due_times())
        until = max(now, min(now + SCAN_MARGIN, self._until))
        page = documents.due(self._name, after=floor, until=until, limit=PAGE)
        if any(isinstance(one, Stored) and self._scan.is_new(one) for one in page.items):
            return True
        queued = documents.queued(self._name, spans=self._queue.unread_spans(), limit=1)
        return any(self._queue.is_new(one) for one in queued)

    # Handover

    def _with_handover(self, account: Account) -> Account:
        """Return the account with what the next pump must know."""
        now = self._clock.now()
        admission = self._admission
        starts, floors = self._queue.turns.starts(), self._queue.floors()
        poll_starts = self._calls.poll_turns.starts()
        for tenant in {*starts, *poll_starts, *floors}:
            admission.state_of(tenant)
        for tenant, record in admission.tenants.items():
            record.turn = starts.get(tenant, 0.0)
            record.poll_turn = poll_starts.get(tenant, 0.0)
            floor = floors.get(tenant, Floors())
            record.normal_floor, record.low_floor = floor.normal, floor.low
        kept = admission.records_to_keep(at=now)
        looked_back_at = self._full_scan_at if self._scan.has_looked else account.looked_back_at
        return replace(
            account,
            hold=admission.hold,
            pause=admission.pause,
            outage=admission.outage,
            accepted_at=admission.accepted_at,
            polled_last=self._calls.last_kind is CallKind.POLL,
            tenants=tuple(replace(record) for record in kept),
            due_floor=self._scan.floor(also=self._suspect_due_times()),
            looked_back_at=None if self._missed else looked_back_at,
        )

    def _suspect_due_times(self) -> list[datetime]:
        return [due for one in self._queue.suspects() if (due := wake_at(one.job)) is not None]

    def _log_done(self) -> None:
        """Log the run's figures; the deployment's metrics are made from this line."""
        log.info(
            "pump done",
            extra={
                "fields": {
                    "account": self._name,
                    "calls": self._calls_made,
                    "queued": len(self._queue),
                    "oldest_due_s": round(self._scan.oldest_due_s, 3),
                }
            },
        )

    def _fields(self, **more: str) -> dict[str, dict[str, str]]:
        return {"fields": {"account": self._name, **more}}


def _is_full_scan_due(account: Account, now: datetime) -> bool:
    """Return whether to scan below the floors, so that no job stays lost there."""
    looked = account.looked_back_at
    return looked is None or not timedelta(0) <= now - looked < FULL_SCAN_EVERY


def _floors_of(account: Account) -> dict[str, Floors]:
    return {
        record.tenant: Floors(normal=record.normal_floor, low=record.low_floor)
        for record in account.tenants
        if record.normal_floor is not None or record.low_floor is not None
    }
