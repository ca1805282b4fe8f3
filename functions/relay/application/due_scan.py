"""Scans an account for due jobs about once a second, and keeps them until they are served.

Each scan continues where the last one ended, less a margin for instances with a slow clock; the
first scan of a run starts at the floor that the last pump handed over. Only a limited number of
jobs waiting for the call limit or the topic is kept; the rest is deferred and read again once there
is room.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

import msgspec

from relay.application.due_jobs import DueJob, DueJobs, Lane, lane_of
from relay.application.ports import DuePage, Stored, Unreadable
from relay.application.waker import WAKE_EVERY_S
from relay.domain.due import WRITTEN_WITHIN, Action, next_action, wake_at

SCAN_EVERY = timedelta(seconds=1)
PAGE = 300
# A job written by an instance with a slow clock may become due behind the scan cursor.
SCAN_MARGIN = timedelta(seconds=3)
# A wake-up suppressed because of one a moment earlier must still find the pump running.
LINGER = timedelta(seconds=WAKE_EVERY_S + 0.5)
# At most this many jobs are kept per lane; the others stay in the store until there is room. The
# poll lane's share is divided among its tenants, with a minimum for each.
MAX_IN_HAND = 1000
LEAST_POLLS = 10
RETRY_AFTER = timedelta(seconds=1)


class DueRead(msgspec.Struct, frozen=True):
    """One query for due jobs.

    Attributes:
        deferred: The lane and tenant whose deferred jobs are read; None for the scan itself.
    """

    after: datetime | None
    until: datetime
    deferred: tuple[Lane, str] | None
    began_at: datetime


class DueScan:
    """The due jobs of one run.

    Args:
        floor: Where the first scan starts; None to scan everything.
        take_suspect: Receives due jobs that the provider refused: they take turns in the queue.

    Attributes:
        due_jobs: The jobs kept in memory.
        has_looked: Whether one complete scan was read.
        stay_until: How long the pump must stay to scan again.
        lingers_until: How long a wake-up may have been suppressed because of what was found.
        oldest_due_s: How overdue the oldest job was when first seen.
    """

    def __init__(
        self,
        *,
        floor: datetime | None,
        is_one_pass: bool,
        take_suspect: Callable[[Stored], None],
        now: datetime,
    ) -> None:
        self._floor = floor
        self._is_one_pass = is_one_pass
        self._take_suspect = take_suspect
        self._cursor = floor
        self._began_at = now
        self._next_scan = self._read_on_at = self._sort_at = now
        self._reading: DueRead | None = None
        self._deferred: dict[tuple[Lane, str], datetime] = {}
        self._seen: dict[str, object] = {}
        self._checked_out: dict[str, tuple[DueJob, Stored | None]] = {}
        self._retries: list[tuple[datetime, DueJob]] = []
        self.due_jobs = DueJobs()
        self.has_looked = False
        self.stay_until = now
        self.lingers_until = now
        self.oldest_due_s = 0.0

    def next_read(self, *, now: datetime) -> DueRead | None:
        """Return the query to make now, if any; it stays under way until its result is reported."""
        self._restore_retries(now)
        if self._reading is not None:
            return None
        if now >= self._next_scan and not (self._is_one_pass and self.has_looked):
            # Read ahead to the next scan, so that jobs due until then are served on time.
            ahead = timedelta(0) if self._is_one_pass else SCAN_EVERY
            self._reading = DueRead(self._cursor, now + ahead, None, now)
            return self._reading
        place = next((one for one in self._deferred if self._has_room(one, share=0.5)), None)
        if place is not None and now >= self._read_on_at:
            self._reading = DueRead(self._deferred.pop(place), now, place, now)
        return self._reading

    def update_lanes(self, *, now: datetime) -> None:
        """Move jobs whose lane has changed with time, about once a second."""
        if now >= self._sort_at:
            self._sort_at = now + SCAN_EVERY
            self.due_jobs.update_lanes(at=now)

    def take_page(
        self, read: DueRead, page: DuePage, *, now: datetime
    ) -> Sequence[Stored | Unreadable]:
        """Take in the result of a query; return the documents to repair.

        They do not parse, or are not due although their ``wakeAt`` says so: they were set aside.
        """
        self._reading = None
        if not self.has_looked:
            self._note_oldest(page.items, now=now)
        broken: list[Stored | Unreadable] = []
        for item in page.items:
            if isinstance(item, Unreadable):
                broken.append(item)
            elif _is_misplaced(item, read):
                self._seen[item.job.id] = item.version
                broken.append(item)
            else:
                self.offer(item, now=now)
        if read.deferred is not None:
            if page.more_after is not None:
                self._defer(read.deferred, after=page.more_after)
        elif page.more_after is not None:
            self._cursor = page.more_after
        else:
            self.has_looked = True
            self._cursor = read.began_at - SCAN_MARGIN
            self._next_scan = read.began_at + SCAN_EVERY
            if now < self.stay_until < self._next_scan:
                self._next_scan = self.stay_until
        return broken

    def read_failed(self, read: DueRead, *, now: datetime) -> None:
        """Schedule the query again after a failure, one second later."""
        self._reading = None
        if read.deferred is not None and read.after is not None:
            self._defer(read.deferred, after=read.after)
        self._next_scan = self._read_on_at = now + SCAN_EVERY

    def offer(self, stored: Stored, *, now: datetime) -> None:
        """Keep a due job, unless it is known already or there is no room."""
        job_id = stored.job.id
        if job_id in self._checked_out:
            # Somebody else may have changed it: compared when its worker returns it.
            self._checked_out[job_id] = (self._checked_out[job_id][0], stored)
            return
        if self.due_jobs.version_of(job_id) == stored.version:
            return
        if self._seen.get(job_id) != stored.version:
            self.linger(now=now)
        if next_action(stored.job, at=now) is Action.SUBMIT:
            self._seen[job_id] = stored.version
            self._take_suspect(stored)
            return
        lane, due = lane_of(stored.job, at=now), wake_at(stored.job)
        place = (lane, stored.job.tenant if lane is Lane.POLL else "")
        if due is not None and not self._has_room(place):
            self._defer(place, after=due - timedelta(microseconds=1))
            return
        self._seen[job_id] = stored.version
        self.due_jobs.put(DueJob.found(stored), at=now)

    def check_out(self, due_job: DueJob) -> None:
        """Give a job to a worker."""
        self.due_jobs.remove(due_job.job.id)
        self._checked_out[due_job.job.id] = (due_job, None)

    def check_in(self, job_id: str, *, now: datetime, due_job: DueJob | None) -> None:
        """Take a job back from its worker.

        A change that somebody else made meanwhile is not lost: a callback may request a poll while
        one is under way.

        Args:
            due_job: The job as it should be kept from now on; None to drop it.
        """
        before, changed = self._checked_out.pop(job_id)
        if due_job is not None:
            self.due_jobs.put(due_job, at=now)
        known = due_job.version if due_job is not None else before.version
        if changed is not None and changed.version != known:
            self.offer(changed, now=now)

    def retry_later(self, due_job: DueJob, *, now: datetime) -> None:
        """Serve a job again a little later, after the store failed."""
        self._checked_out.pop(due_job.job.id, None)
        self._retries.append((now + RETRY_AFTER, due_job))

    def is_new(self, stored: Stored) -> bool:
        """Return whether this run has not seen this version of the job."""
        return self._seen.get(stored.job.id) != stored.version

    @property
    def is_behind(self) -> bool:
        """Whether due jobs are deferred or wait for a retry."""
        return bool(self._deferred or self._retries)

    def stay(self, *, until: datetime) -> None:
        """Keep the pump running at least until then, to scan again."""
        self.stay_until = max(self.stay_until, until)

    def linger(self, *, now: datetime) -> None:
        """Keep the pump running while wake-ups are suppressed because of what it found."""
        self.lingers_until = now + LINGER
        self.stay(until=self.lingers_until)

    def next_read_at(self) -> datetime:
        """Return when to read again."""
        return min([self._next_scan, *(at for at, _ in self._retries)])

    def floor(self, *, also: Iterable[datetime]) -> datetime | None:
        """Return where the next pump must start its scan: no earlier job is due.

        Below it lie only dead index entries, which a query would have to skip one by one.

        Args:
            also: When the jobs kept elsewhere are due.
        """
        if not self.has_looked:
            return self._floor
        wakes = [due_job.wakes_at for due_job in self.due_jobs]
        wakes += [due_job.wakes_at for due_job, _ in self._checked_out.values()]
        wakes += [due_job.wakes_at for _, due_job in self._retries]
        wakes += also
        # What was written late since the first scan lies behind the cursor.
        floor = min([self._began_at - SCAN_MARGIN - WRITTEN_WITHIN, *self._deferred.values()])
        earliest = min((one for one in wakes if one is not None), default=floor)
        return min(floor, earliest - timedelta(microseconds=1))

    def _restore_retries(self, now: datetime) -> None:
        due = [due_job for at, due_job in self._retries if at <= now]
        self._retries = [(at, due_job) for at, due_job in self._retries if at > now]
        for due_job in due:
            if (
                self.due_jobs.version_of(due_job.job.id) is None
                and due_job.job.id not in self._checked_out
            ):
                self.due_jobs.put(due_job, at=now)

    def _has_room(self, place: tuple[Lane, str], *, share: float = 1.0) -> bool:
        lane, tenant = place
        most = MAX_IN_HAND
        if lane is Lane.POLL:
            most = max(LEAST_POLLS, MAX_IN_HAND // max(1, self.due_jobs.tenants()))
        return self.due_jobs.count(lane, tenant) < most * share

    def _defer(self, place: tuple[Lane, str], *, after: datetime) -> None:
        self._deferred[place] = min(after, self._deferred.get(place, after))

    def _note_oldest(self, items: Sequence[Stored | Unreadable], *, now: datetime) -> None:
        dues = [wake_at(item.job) for item in items if isinstance(item, Stored)]
        late_s = [(now - due).total_seconds() for due in dues if due is not None]
        self.oldest_due_s = max([self.oldest_due_s, *late_s])


def _is_misplaced(found: Stored, read: DueRead) -> bool:
    due = wake_at(found.job)
    return due is None or due > read.until
