"""One shift: everything that comes due for an account while one pump holds its lease.

It takes due jobs in hand, gives each to a worker when its turn has come, and ends when nothing
will fall due within the rest of its window. Only the pump's own thread touches the agenda; workers
get a job and return what came of it.
"""

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from relay.application.agenda import Agenda, Held, Lane
from relay.application.announcer import Announcer
from relay.application.learning import Learning
from relay.application.lease import Lease
from relay.application.looks import LOOK_EVERY, Looks
from relay.application.ports import (
    Accounts,
    Clock,
    JobDocuments,
    Provider,
    RenderOwners,
    Stored,
    Topics,
    Workers,
)
from relay.application.probing import Probing
from relay.application.store import JobStore
from relay.application.work import Outcome, Work
from relay.domain.due import Action, next_action, wake_at
from relay.domain.job import Job
from relay.errors import JobNotFound, StoreUnavailable

log = logging.getLogger(__name__)

SHORTEST_PAUSE_S = 0.005
# While the last calls are in the air nobody else can end what must end: about as long as a call.
END_LONGER = timedelta(seconds=15)


@dataclass(frozen=True, slots=True, kw_only=True)
class PumpPorts:
    """Everything outside that a pump works with.

    Attributes:
        workers: How many jobs it works on at the same time.
    """

    documents: JobDocuments
    store: JobStore
    accounts: Accounts
    announcer: Announcer
    topics: Topics
    provider: Provider
    owners: RenderOwners
    learning: Learning
    clock: Clock
    draw: Callable[[], float]
    new_token: Callable[[], str]
    workers: int
    open_workers: Callable[[int], Workers]


class Shift:
    """One pump's work under one lease.

    Args:
        until: When its window is over.
        is_one_pass: Look once, do what is due, and end.
        begin_until: When the last job is begun that does not just end: at the end of the window,
            or of the longest pass.
    """

    def __init__(
        self,
        ports: PumpPorts,
        *,
        lease: Lease,
        until: datetime,
        is_one_pass: bool,
        begin_until: datetime,
    ) -> None:
        self._ports = ports
        self._account = ports.provider.name
        self._clock = ports.clock
        self._lease = lease
        self._until = until
        self._is_one_pass = is_one_pass
        self._begin_until = begin_until
        self._agenda = Agenda()
        self._running: dict[Future[Outcome], tuple[Action, Held]] = {}
        self._in_work: dict[str, Stored | None] = {}
        self._looks = Looks(
            ports.documents,
            account=self._account,
            agenda=self._agenda,
            in_work=self._in_work,
            clock=ports.clock,
            until=until,
            is_one_pass=is_one_pass,
        )
        self._turns = [Lane.SUBMIT, Lane.POLL, Lane.PUBLISH]
        self._is_finished = False
        self._calls = 0
        self._probing = Probing(lease, clock=ports.clock)
        self._workers = ports.open_workers(ports.workers)
        self._work = Work(
            store=ports.store,
            announcer=ports.announcer,
            provider=ports.provider,
            owners=ports.owners,
            learning=ports.learning,
            clock=ports.clock,
            draw=ports.draw,
            new_token=ports.new_token,
            may_call=lease.may_call,
            until=until,
        )

    def work(self) -> None:
        """Work until there is no more to do, the window is over, or the lease is lost."""
        try:
            while self._lease.may_call():
                self._looks.take_due()
                if len(self._agenda) and self._ports.learning.is_sync_due():
                    self._workers.start(self._ports.learning.sync_if_due)
                self._hand_out()
                if self._is_over():
                    self._is_finished = True
                    break
                self._collect(self._workers.wait(self._pause_s()))
                self._lease.renew_if_due()
            self._write_ahead()
        finally:
            self._collect(self._workers.close())
            self._log_done()

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
        if self._is_due(Lane.END, now) or self._is_due(Lane.PUBLISH, now):
            return True
        if not self._waits_for_a_call(now):
            return False
        free_at_s = self._lease.free_at()
        is_free = free_at_s is not None and free_at_s <= self._clock.monotonic()
        return is_free or not self._is_one_pass

    def is_something_new_due(self) -> bool:
        """Look once more, all the way back; see `Looks`."""
        return self._looks.is_something_new_due()

    def _hand_out(self) -> None:
        """Give workers what is due, as far as there are workers and places for calls."""
        while len(self._running) < self._workers.size:
            now = self._clock.now()
            lane = self._next_lane(now)
            if lane is None:
                return
            held = self._agenda.pop(lane, at=now)
            if held is not None:
                self._start(held, now=now, has_place=lane.calls_provider)

    def _next_lane(self, now: datetime) -> Lane | None:
        """Return whose turn it is, with a place if it is a call's.

        What must end goes first, and goes on while the last calls are in the air; of the other
        lanes in which something waits, each gets the same share.
        """
        if self._is_due(Lane.END, now) and now < self._begin_until + END_LONGER:
            return Lane.END
        if now >= self._begin_until:
            return None
        for lane in self._turns:
            if not self._is_due(lane, now):
                continue
            if lane.calls_provider and not (self._probing.may_call() and self._lease.start_call()):
                continue
            self._turns.remove(lane)
            self._turns.append(lane)
            return lane
        return None

    def _is_due(self, lane: Lane, now: datetime) -> bool:
        due = self._agenda.next_due(lane)
        return due is not None and due <= now

    def _waits_for_a_call(self, now: datetime) -> bool:
        """Return whether something is due that needs a place and nothing else."""
        return self._probing.may_call() and any(
            lane.calls_provider and self._is_due(lane, now) for lane in Lane
        )

    def _start(self, held: Held, *, now: datetime, has_place: bool) -> None:
        action = next_action(held.job, at=now)
        calls = action is not None and action.calls_provider
        if has_place and not calls:
            self._lease.window.give_back()
        if action is None or (calls and not has_place):
            # Its turn changed while it waited.
            self._agenda.put(held, at=now)
            return
        future = self._workers.start(partial(self._work.do, action, held))
        self._running[future] = (action, held)
        self._in_work[held.job.id] = None
        if action.calls_provider:
            self._probing.started(future)

    def _collect(self, done: Sequence[Future[Outcome]]) -> None:
        for future in done:
            if future not in self._running:
                continue
            action, held = self._running.pop(future)
            changed = self._in_work.pop(held.job.id)
            error = future.exception()
            outcome = (
                Outcome(call_ended_s=self._clock.monotonic())
                if error is not None
                else future.result()
            )
            if action.calls_provider:
                self._settle_call(future, outcome)
            if error is not None:
                self._take_error(held.job, error)
            elif outcome.held is not None:
                self._agenda.put(outcome.held, at=self._clock.now())
                if changed is not None and changed.version != held.version:
                    self._looks.consider(changed)

    def _settle_call(self, future: Future[Outcome], outcome: Outcome) -> None:
        if outcome.call_ended_s is not None:
            self._lease.window.end(outcome.call_ended_s)
            self._calls += 1
        else:
            self._lease.window.give_back()
        self._probing.ended(future, outcome)

    def _take_error(self, job: Job, error: BaseException) -> None:
        if isinstance(error, StoreUnavailable | JobNotFound):
            log.warning("job left for later", extra=self._fields(job_id=job.id, why=repr(error)))
            return
        log.error(
            "job step broke",
            exc_info=(type(error), error, error.__traceback__),
            extra=self._fields(job_id=job.id),
        )
        # At its deadline another step is due, which may well work.
        self._looks.set_aside(job.id, why=type(error).__name__, not_after=job.deadline_at)

    def _is_over(self) -> bool:
        if self._running:
            return False
        now = self._clock.now()
        if self._is_one_pass:
            return self._looks.has_looked
        if now >= self._until:
            return True
        if now < self._looks.stay_until or self._is_something_to_come():
            return False
        return not self._looks.stays_for_another()

    def _is_something_to_come(self) -> bool:
        is_held_beyond = self._probing.is_held_beyond(self._until)
        if self._looks.has_left_some() and not is_held_beyond:
            return True
        for held in self._agenda:
            comes_at = held.job.deadline_at if is_held_beyond else wake_at(held.job)
            if comes_at is not None and comes_at <= self._until:
                return True
        return False

    def _pause_s(self) -> float:
        """Return how long nothing can happen but a worker coming back, in seconds."""
        now = self._clock.now()
        moments = [self._until]
        moments += [due for lane in Lane if (due := self._agenda.next_due(lane)) is not None]
        if self._lease.hold is not None:
            moments.append(self._lease.hold.probe_at)
        pauses_s = [(at - now).total_seconds() for at in moments if at > now]
        pauses_s += [self._lease.renewal_in_s(), self._looks.next_in_s()]
        if len(self._running) < self._workers.size and self._waits_for_a_call(now):
            free_at_s = self._lease.free_at()
            if free_at_s is not None:
                pauses_s.append(free_at_s - self._clock.monotonic())
        return min(max(min(pauses_s), SHORTEST_PAUSE_S), LOOK_EVERY.total_seconds())

    def _write_ahead(self) -> None:
        for held in self._agenda:
            if held.is_ahead:
                self._workers.start(partial(self._work.write_ahead, held))

    def _log_done(self) -> None:
        """Say what the metrics of the deployment are made from."""
        log.info(
            "pump done",
            extra={
                "fields": {
                    "account": self._account,
                    "calls": self._calls,
                    "queued": self._agenda.count(Lane.SUBMIT),
                    "oldest_due_s": round(self._looks.oldest_due_s, 3),
                }
            },
        )

    def _fields(self, **more: str) -> dict[str, dict[str, str]]:
        return {"fields": {"account": self._account, **more}}
