"""Finds the due jobs of an account, about once a second, and keeps them until they are served.

A scan goes on where the last one ended, less a margin for instances whose clock is behind; the
first one of a run begins at the floor that the pump before passed on. Of what waits for the limit
or for the topic only so much is kept; the rest is read again from where it was left, once there is
room.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from relay.application.due_jobs import DueJobs, Lane, lane_of
from relay.application.job_actions import DueJob
from relay.application.ports import DuePage, Stored, Unreadable
from relay.application.waker import WAKE_EVERY_S
from relay.domain.due import Action, next_action, wake_at

SCAN_EVERY = timedelta(seconds=1)
PAGE = 300
# A job written by an instance whose clock is behind may become due behind the scan's cursor.
LOOK_BACK = timedelta(seconds=3)
# No write lands later than this after the moment that it names as `wakeAt`: an instance may have
# been slow, or frozen, between the two.
WRITTEN_WITHIN = timedelta(seconds=120)
# A wake-up that was saved because there was one a moment ago must still find its pump at work.
LINGER = timedelta(seconds=WAKE_EVERY_S + 0.5)
# More jobs than this that wait for the limit, or to be published, stay in the store until those
# before them are done with. Polls are shared out over their tenants, with some for each.
MOST_IN_HAND = 1000
LEAST_POLLS = 10
RETRY_AFTER = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class DueRead:
    """One query for due jobs.

    Attributes:
        left: What is read again from where it was left; None for the scan itself.
    """

    after: datetime | None
    until: datetime
    left: tuple[Lane, str] | None
    began_at: datetime


class DueScan:
    """The due jobs of one run.

    Args:
        floor: Where to begin; None to look all the way back.

    Attributes:
        work: The jobs in hand.
        suspects: Jobs to be tried once more, until somebody takes them.
        misplaced: Jobs whose documents say that they are due, and are not: they were set aside.
        has_looked: Whether everything that was due at the beginning was seen.
        stay_until: Until then the pump must be there to look again.
        oldest_due_s: For how long the oldest job was due when it was first seen.
    """

    def __init__(self, *, floor: datetime | None, is_one_pass: bool, now: datetime) -> None:
        self._floor = floor
        self._is_one_pass = is_one_pass
        self._cursor = floor
        self._next_scan = self._read_on_at = now
        self._reading: DueRead | None = None
        self._left: dict[tuple[Lane, str], datetime] = {}
        self._seen: dict[str, object] = {}
        self._lent: dict[str, tuple[DueJob, Stored | None]] = {}
        self._retries: list[tuple[datetime, DueJob]] = []
        self.work = DueJobs()
        self.suspects: list[Stored] = []
        self.misplaced: list[Stored] = []
        self.has_looked = False
        self.stay_until = now
        self.oldest_due_s = 0.0

    def read(self, *, now: datetime) -> DueRead | None:
        """Return the query that is to be made now; it is under way until it is taken."""
        self._take_up_retries(now)
        if self._reading is not None:
            return None
        if now >= self._next_scan and not (self._is_one_pass and self.has_looked):
            # What comes due until the next scan is found before, so it is served on time.
            ahead = timedelta(0) if self._is_one_pass else SCAN_EVERY
            self._reading = DueRead(self._cursor, now + ahead, None, now)
            return self._reading
        low = next((one for one in self._left if self._has_room(one, share=0.5)), None)
        if low is not None and now >= self._read_on_at:
            self._reading = DueRead(self._left.pop(low), now, low, now)
        return self._reading

    def take(self, read: DueRead, page: DuePage, *, now: datetime) -> Sequence[Unreadable]:
        """Take in what a query found; return the documents that do not parse."""
        self._reading = None
        if read.left is None and not self.has_looked:
            self._note_oldest(page.items, now=now)
        self.work.sort_again(at=now)
        unreadable = []
        for item in page.items:
            if isinstance(item, Unreadable):
                unreadable.append(item)
            elif _is_misplaced(item, read):
                self._seen[item.job.id] = item.version
                self.misplaced.append(item)
            else:
                self.consider(item, now=now)
        if read.left is not None:
            if page.more_after is not None:
                self._leave(read.left, after=page.more_after)
        elif page.more_after is not None:
            self._cursor = page.more_after
        else:
            self.has_looked = True
            self._cursor = read.began_at - LOOK_BACK
            self._next_scan = read.began_at + SCAN_EVERY
            if now < self.stay_until < self._next_scan:
                self._next_scan = self.stay_until
        return unreadable

    def failed(self, read: DueRead, *, now: datetime) -> None:
        """Note that a query was not answered: it is made again a second later."""
        self._reading = None
        if read.left is not None and read.after is not None:
            self._leave(read.left, after=read.after)
        self._next_scan = self._read_on_at = now + SCAN_EVERY

    def consider(self, stored: Stored, *, now: datetime) -> None:
        """Keep a due job, unless it is there already or there is no room.

        One that its provider refused is put with `suspects`: it takes its turn in the queue.
        """
        job_id = stored.job.id
        if job_id in self._lent:
            # Perhaps changed by somebody else: looked at again when its worker comes back.
            self._lent[job_id] = (self._lent[job_id][0], stored)
            return
        if self.work.version_of(job_id) == stored.version:
            return
        if self._seen.get(job_id) != stored.version:
            self.linger(now=now)
        if next_action(stored.job, at=now) is Action.SUBMIT:
            self._seen[job_id] = stored.version
            self.suspects.append(stored)
            return
        lane, due = lane_of(stored.job, at=now), wake_at(stored.job)
        place = (lane, stored.job.tenant if lane is Lane.POLL else "")
        if due is not None and not self._has_room(place):
            self._leave(place, after=due - timedelta(microseconds=1))
            return
        self._seen[job_id] = stored.version
        self.work.put(DueJob.found(stored), at=now)

    def lend(self, due_job: DueJob) -> None:
        """Give a job to a worker."""
        self.work.take(due_job.job.id)
        self._lent[due_job.job.id] = (due_job, None)

    def take_back(self, job_id: str, *, now: datetime, due_job: DueJob | None) -> None:
        """Take a job back from its worker, as it is to be kept; None if it is not.

        Whoever else changed it meanwhile is not overlooked: a callback may ask for a poll while
        one is under way.
        """
        lent, changed = self._lent.pop(job_id)
        if due_job is not None:
            self.work.put(due_job, at=now)
        known = due_job.version if due_job is not None else lent.version
        if changed is not None and changed.version != known:
            self.consider(changed, now=now)

    def retry(self, due_job: DueJob, *, now: datetime) -> None:
        """Keep a job whose action met a store that failed, and serve it again a little later."""
        self._lent.pop(due_job.job.id, None)
        self._retries.append((now + RETRY_AFTER, due_job))

    def is_new(self, stored: Stored) -> bool:
        """Return whether a due job was not seen by this run, as it stands now."""
        return self._seen.get(stored.job.id) != stored.version

    @property
    def is_behind(self) -> bool:
        """Whether due jobs were left in the store, or wait for it to answer."""
        return bool(self._left or self._retries)

    def stay(self, *, until: datetime) -> None:
        """Have the pump stay at least until then, to look again."""
        self.stay_until = max(self.stay_until, until)

    def linger(self, *, now: datetime) -> None:
        """Have the pump stay for as long as wake-ups are saved because it is there."""
        self.stay(until=now + LINGER)

    def next_at(self) -> datetime:
        """Return when there is something to read again."""
        return min([self._next_scan, *(at for at, _ in self._retries)])

    def floor(self, *, now: datetime, also: Iterable[datetime]) -> datetime | None:
        """Return from where the next pump has to look: nothing is due before.

        Below it are only the dead index entries of moments that have passed, which a query would
        have to skip one by one.

        Args:
            also: When those are due that are in other hands.
        """
        if not self.has_looked:
            return self._floor
        wakes = [due_job.wakes_at for due_job in self.work]
        wakes += [due_job.wakes_at for due_job, _ in self._lent.values()]
        wakes += [due_job.wakes_at for _, due_job in self._retries]
        wakes += also
        floor = min([(self._cursor or now) - WRITTEN_WITHIN, *self._left.values()])
        earliest = min((one for one in wakes if one is not None), default=floor)
        return min(floor, earliest - timedelta(microseconds=1))

    def _take_up_retries(self, now: datetime) -> None:
        due = [due_job for at, due_job in self._retries if at <= now]
        self._retries = [(at, due_job) for at, due_job in self._retries if at > now]
        for due_job in due:
            if self.work.version_of(due_job.job.id) is None and due_job.job.id not in self._lent:
                self.work.put(due_job, at=now)

    def _has_room(self, place: tuple[Lane, str], *, share: float = 1.0) -> bool:
        lane, tenant = place
        most = MOST_IN_HAND
        if lane is Lane.POLL:
            most = max(LEAST_POLLS, MOST_IN_HAND // max(1, self.work.tenants()))
        return self.work.count(lane, tenant) < most * share

    def _leave(self, place: tuple[Lane, str], *, after: datetime) -> None:
        self._left[place] = min(after, self._left.get(place, after))

    def _note_oldest(self, items: Sequence[Stored | Unreadable], *, now: datetime) -> None:
        dues = [wake_at(item.job) for item in items if isinstance(item, Stored)]
        late_s = [(now - due).total_seconds() for due in dues if due is not None]
        self.oldest_due_s = max([self.oldest_due_s, *late_s])


def _is_misplaced(found: Stored, read: DueRead) -> bool:
    due = wake_at(found.job)
    return due is None or due > read.until
