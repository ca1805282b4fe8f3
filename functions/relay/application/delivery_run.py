"""One run of the callbacks' pump: all deliveries that come due under one lease.

The counterpart of `relay.application.pump_run`, for callers' endpoints instead of a provider's: no
call limit is kept, but nobody's endpoint may hold up anybody else's.
"""

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from datetime import datetime
from functools import partial

import msgspec

from relay.application.deliverer import Deliverer
from relay.application.delivery_queue import MAX_READS, DeliveryQueue, DeliveryRead
from relay.application.due_scan import LINGER
from relay.application.lease import Lease
from relay.application.ports import Clock, JobDocuments, Queued, Stored, Workers
from relay.application.pump import Window
from relay.application.pump_run import LONGEST_WAIT_S, SHORTEST_PAUSE_S, STOPS_WITHIN_S
from relay.application.tasks import Tasks
from relay.domain.account import Account
from relay.domain.callback import CALLBACKS
from relay.domain.delivery_queue import due_at, job_id_of_key
from relay.errors import StoreUnavailable

log = logging.getLogger(__name__)

# So many callbacks are delivered at a time.
MAX_DELIVERIES = 48


class DeliveryDependencies(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery run's dependencies.

    Attributes:
        open_deliverer: Makes the deliverer of a run, from what tells whether it may still call.
        is_stopping: Whether the pump's server was told to stop.
    """

    documents: JobDocuments
    open_deliverer: Callable[[Callable[[], bool]], Deliverer]
    clock: Clock
    open_workers: Callable[[int], Workers]
    is_stopping: Callable[[], bool]


class DeliveryRun:
    """The delivery of callbacks under one lease."""

    def __init__(self, deps: DeliveryDependencies, *, lease: Lease, window: Window) -> None:
        self._deps = deps
        self._clock = deps.clock
        self._lease = lease
        self._window = window
        now = deps.clock.now()
        self._queue = DeliveryQueue(now=now, reached=lease.account.reached)
        lease.set_handover(self._with_reached)
        self._deliverer = deps.open_deliverer(lease.may_call)
        self._tasks = Tasks(deps.open_workers, {"deliveries": MAX_DELIVERIES, "reads": MAX_READS})
        self._stay_until = now
        self._is_finished = False
        self._attempts = 0
        self._oldest_due_s = 0.0

    def work(self) -> None:
        """Deliver until nothing is left to do, the window is over, or the lease is lost.

        Raises:
            StoreUnavailable: No query was answered in all that time.
        """
        try:
            while self._lease.is_kept() and not self._deps.is_stopping():
                self._start_reads()
                self._start_deliveries()
                if self._is_over():
                    self._is_finished = True
                    break
                self._tasks.wait(self._pause_s())
                self._lease.renew_if_due()
        finally:
            is_stopping = self._deps.is_stopping()
            self._tasks.close(timeout_s=STOPS_WITHIN_S if is_stopping else None)
            self._log_done()
        if self._is_finished and not self._queue.has_looked:
            raise StoreUnavailable("callbacks")

    @property
    def was_cut_short(self) -> bool:
        """Whether the lease was lost before the window or the work was over."""
        return not self._is_finished

    def leaves_work(self) -> bool:
        """Return whether the window ended before the work did.

        Perhaps there is a delivery whose wake-up was suppressed because of an earlier one.
        """
        is_staying = self._clock.now() < self._stay_until
        return (self._queue.is_busy or is_staying) and not self._window.is_one_pass

    def is_something_new_due(self) -> bool:
        """Look once more, for a job whose wake-up came just before the lease was given back.

        By the clock of who wrote it, it may be due a little later than now.

        Raises:
            StoreUnavailable: The store did not answer.
        """
        now = self._clock.now()
        queue = DeliveryQueue(now=now, left_alone=self._queue.left_alone)
        while queue.next() is None:
            reads = list(queue.next_reads(now=now))
            if not reads:
                return self._is_in_window(queue.next_due())
            for read in reads:
                found = self._deps.documents.deliveries(span=read.span, limit=read.limit)
                queue.take_page(read, found, now=now)
        return True

    def _with_reached(self, account: Account) -> Account:
        return replace(account, reached=self._queue.reached)

    def _start_reads(self) -> None:
        now = self._clock.now()
        if now >= self._window.begin_until or self._is_idle(now):
            # If each query takes a second, the next one is always under way and no run would end.
            return
        for read in self._queue.next_reads(now=now):
            find = partial(self._deps.documents.deliveries, span=read.span, limit=read.limit)
            self._tasks.start("reads", find, partial(self._take_page, read))

    def _start_deliveries(self) -> None:
        while self._clock.now() < self._window.begin_until and self._tasks.has_worker("deliveries"):
            key = self._queue.next()
            if key is None:
                return
            self._queue.check_out(key)
            self._stay_until = self._clock.now() + LINGER
            self._note_lateness(key)
            task = partial(self._deliverer.deliver, job_id_of_key(key))
            self._tasks.start("deliveries", task, partial(self._take_delivery, key))

    def _take_page(self, read: DeliveryRead, future: Future[Sequence[Queued]]) -> None:
        now = self._clock.now()
        error = future.exception()
        if error is not None:
            if not isinstance(error, StoreUnavailable):
                raise error
            log.warning("look failed", extra=_fields(why=str(error)))
            self._queue.read_failed(read, now=now)
            return
        for one in self._queue.take_page(read, future.result(), now=now):
            log.error("callback unreadable", extra=_fields(job_id=one.job_id, why=one.why))

    def _take_delivery(self, key: str, future: Future[Stored]) -> None:
        error = future.exception()
        now = self._clock.now()
        self._queue.check_in(key, None if error else future.result(), now=now)
        self._attempts += 1
        if error is not None:
            log.log(
                logging.WARNING if isinstance(error, StoreUnavailable) else logging.ERROR,
                "callback left for later",
                exc_info=(type(error), error, error.__traceback__),
                extra=_fields(job_id=job_id_of_key(key)),
            )

    def _note_lateness(self, key: str) -> None:
        late_s = (self._clock.now() - due_at(key)).total_seconds()
        self._oldest_due_s = max(self._oldest_due_s, late_s)

    def _is_over(self) -> bool:
        if len(self._tasks):
            return False
        now = self._clock.now()
        return now >= self._window.begin_until or self._is_idle(now)

    def _is_idle(self, now: datetime) -> bool:
        """Return whether nothing is known that is to be done in this window."""
        if self._queue.is_busy:
            return False
        if self._window.is_one_pass:
            return True
        return now >= self._stay_until and not self._is_in_window(self._queue.next_due())

    def _is_in_window(self, due: datetime | None) -> bool:
        return due is not None and due <= self._window.until

    def _pause_s(self) -> float:
        now = self._clock.now()
        moments: list[datetime | None] = [
            self._window.begin_until,
            self._queue.next_read_at,
            self._stay_until,
            self._queue.next_due(),
        ]
        pauses_s = [(at - now).total_seconds() for at in moments if at is not None and at > now]
        pauses_s += [self._lease.renewal_in_s(), LONGEST_WAIT_S]
        return max(min(pauses_s), SHORTEST_PAUSE_S)

    def _log_done(self) -> None:
        """Log the run's figures; the deployment's metrics are made from this line."""
        fields = {
            "account": CALLBACKS,
            "calls": self._attempts,
            "oldest_due_s": round(self._oldest_due_s, 3),
        }
        log.info("pump done", extra={"fields": fields})


def _fields(**more: str) -> dict[str, dict[str, str]]:
    return {"fields": {"account": CALLBACKS, **more}}
