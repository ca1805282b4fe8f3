"""Finds the due jobs of an account and takes them in hand, about once a second.

Each look goes on where the last one ended, less a margin for instances whose clock is behind. What
waits for the limit or for the topic is taken in hand up to a number; the rest is read from where
it was left once there is room, and never again from the beginning.
"""

import logging
from collections.abc import MutableMapping, Sequence
from datetime import datetime, timedelta

from relay.application.agenda import Agenda, Held, Lane, lane_of
from relay.application.ports import Clock, DuePage, JobDocuments, Stored, Unreadable
from relay.application.waking import WAKE_EVERY_S
from relay.domain.due import wake_at
from relay.errors import JobNotFound

log = logging.getLogger(__name__)

LOOK_EVERY = timedelta(seconds=1)
LOOK_LIMIT = 300
# A job written by an instance whose clock is behind may fall due in what was looked at already.
LOOK_BACK = timedelta(seconds=3)
# A wake-up that was saved because there was one a moment ago must still find its pump at work.
LINGER = timedelta(seconds=WAKE_EVERY_S + 0.5)
# More jobs than this that wait for the limit, or to be published, stay in the store until those
# before them are done with.
MOST_IN_HAND = 1000
SET_ASIDE_FOR = timedelta(hours=6)


class Looks:
    """The looks of one shift; taken only from the pump's own thread.

    Args:
        agenda: Where the jobs are put.
        in_work: The jobs that workers have; the newest version that was seen of each meanwhile
            is kept here until its worker comes back.
        until: When the shift's window is over.
        is_one_pass: Look once, all the way, and never again.

    Attributes:
        has_looked: Whether everything that was due at the beginning was seen.
        stay_until: Until then the pump must be there to look again.
        oldest_due_s: For how long the oldest job was due when it was first seen.
    """

    def __init__(
        self,
        documents: JobDocuments,
        *,
        account: str,
        agenda: Agenda,
        in_work: MutableMapping[str, Stored | None],
        clock: Clock,
        until: datetime,
        is_one_pass: bool,
    ) -> None:
        self._documents = documents
        self._account = account
        self._agenda = agenda
        self._in_work = in_work
        self._clock = clock
        self._until = until
        self._is_one_pass = is_one_pass
        self._seen: dict[str, object] = {}
        self._left: dict[Lane, datetime] = {}
        self._look_after: datetime | None = None
        self._next_look = clock.now()
        self.has_looked = False
        self.stay_until = clock.now()
        self.oldest_due_s = 0.0

    def take_due(self) -> None:
        """Read what has come due since the last look, and what was left, if it is time to.

        Raises:
            StoreUnavailable: The store did not answer.
        """
        now = self._clock.now()
        if self._is_look_due(now):
            self._look(now)
        lane = self._low_lane(now)
        if lane is not None:
            self._refill(lane, now)

    def next_in_s(self) -> float:
        """Return after how many seconds there is something to read, or nothing to stay for."""
        now = self._clock.now()
        if self._is_look_due(now) or self._low_lane(now) is not None:
            return 0.0
        moments = [at for at in (self._next_look, self.stay_until) if at > now]
        return (min(moments, default=now + LOOK_EVERY) - now).total_seconds()

    def has_left_some(self) -> bool:
        """Return whether due jobs were left in the store for want of room."""
        return bool(self._left)

    def consider(self, stored: Stored) -> None:
        """Take a due job in hand, unless it is there already or there is no room."""
        job_id, now = stored.job.id, self._clock.now()
        if job_id in self._in_work:
            # Changed by somebody else, perhaps: looked at again when the worker comes back.
            self._in_work[job_id] = stored
            return
        if self._agenda.version_of(job_id) == stored.version:
            return
        if self._seen.get(job_id) != stored.version:
            self.stay_until = max(self.stay_until, now + LINGER)
        lane, due = lane_of(stored.job, at=now), wake_at(stored.job)
        is_full = self._agenda.count(lane) >= MOST_IN_HAND
        if due is not None and is_full and lane in (Lane.SUBMIT, Lane.PUBLISH):
            self._leave(lane, after=due - timedelta(microseconds=1))
            return
        self._seen[job_id] = stored.version
        self._agenda.put(Held(job=stored.job, version=stored.version, is_ahead=False), at=now)

    def is_something_new_due(self) -> bool:
        """Look once more, all the way back; True if a job is due that was not seen so.

        A job whose write took long, or was tried again, may have come due where this shift had
        looked already.

        Raises:
            StoreUnavailable: The store did not answer.
        """
        page = self._documents.due(
            self._account, after=None, until=self._clock.now(), limit=LOOK_LIMIT
        )
        return any(
            isinstance(item, Stored) and self._seen.get(item.job.id) != item.version
            for item in page.items
        )

    def stays_for_another(self) -> bool:
        """Ask the store for the next job that falls due in the window; stay until then.

        Raises:
            StoreUnavailable: The store did not answer.
        """
        wakes_at = self._documents.next_wake(self._account, after=self._clock.now())
        if wakes_at is None or wakes_at > self._until:
            return False
        self.stay_until = wakes_at
        return True

    def set_aside(self, job_id: str, *, why: str, not_after: datetime | None = None) -> None:
        """Keep a job that cannot be worked with from stopping the others.

        Raises:
            StoreUnavailable: The store did not answer.
        """
        now = self._clock.now()
        until = now + SET_ASIDE_FOR
        if not_after is not None and not_after > now:
            until = min(until, not_after)
        try:
            self._documents.set_aside(job_id, until=until)
        except JobNotFound:
            return
        log.error(
            "job set aside",
            extra={"fields": {"account": self._account, "job_id": job_id, "why": why}},
        )

    def _look(self, now: datetime) -> None:
        self._agenda.sort_again(at=now)
        page = self._take_page(after=self._look_after, until=now)
        if not self.has_looked:
            self._note_oldest(page.items, now=now)
        if page.more_after is not None:
            self._look_after = page.more_after
            return
        self.has_looked = True
        self._look_after = now - LOOK_BACK
        self._next_look = now + LOOK_EVERY
        if now < self.stay_until < self._next_look:
            self._next_look = self.stay_until

    def _is_look_due(self, now: datetime) -> bool:
        return now >= self._next_look and not (self._is_one_pass and self.has_looked)

    def _refill(self, lane: Lane, now: datetime) -> None:
        page = self._take_page(after=self._left.pop(lane), until=now)
        if page.more_after is not None:
            self._leave(lane, after=page.more_after)

    def _low_lane(self, now: datetime) -> Lane | None:
        """Return a lane of which some were left in the store, and that has room again."""
        if now >= self._until:
            return None
        low = (lane for lane in self._left if self._agenda.count(lane) < MOST_IN_HAND / 2)
        return next(low, None)

    def _leave(self, lane: Lane, *, after: datetime) -> None:
        self._left[lane] = min(after, self._left.get(lane, after))

    def _take_page(self, *, after: datetime | None, until: datetime) -> DuePage:
        page = self._documents.due(self._account, after=after, until=until, limit=LOOK_LIMIT)
        for item in page.items:
            if isinstance(item, Unreadable):
                self.set_aside(item.job_id, why=item.why)
            else:
                self.consider(item)
        return page

    def _note_oldest(self, items: Sequence[Stored | Unreadable], *, now: datetime) -> None:
        dues = [wake_at(item.job) for item in items if isinstance(item, Stored)]
        late_s = [(now - due).total_seconds() for due in dues if due is not None]
        self.oldest_due_s = max([self.oldest_due_s, *late_s])
