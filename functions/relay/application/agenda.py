"""The due jobs that one pump has in its hands, in the order in which they are served."""

import heapq
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto

from relay.application.ports import Stored
from relay.domain.due import Action, next_action, wake_at
from relay.domain.job import Job


class Lane(Enum):
    """What an entry waits for.

    ``END`` is everything that only changes the document: mostly what must end now.
    """

    SUBMIT = auto()
    POLL = auto()
    PUBLISH = auto()
    END = auto()

    @property
    def calls_provider(self) -> bool:
        """Whether what waits here needs a place in the provider's limit."""
        return self in (Lane.SUBMIT, Lane.POLL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A job in a pump's hands.

    Attributes:
        job: As the pump knows it: bookkeeping may be ahead of the document.
        version: Of the document it was last read from or written to.
        is_ahead: Whether the document does not say all that the job says.
    """

    job: Job
    version: object
    is_ahead: bool

    @property
    def stored(self) -> Stored:
        """The job over the version of its document."""
        return Stored(self.job, self.version)


@dataclass(frozen=True, slots=True, order=True)
class _Place:
    key: datetime
    serial: int
    job_id: str


class Agenda:
    """Jobs by lane: submissions oldest job first, all else earliest due first."""

    def __init__(self) -> None:
        self._held: dict[str, tuple[Held, Lane, int]] = {}
        self._queues: dict[Lane, list[_Place]] = {lane: [] for lane in Lane}
        self._counts: Counter[Lane] = Counter()
        self._serial = 0

    def __len__(self) -> int:
        """Return how many jobs there are."""
        return len(self._held)

    def __iter__(self) -> Iterator[Held]:
        """Return all jobs, in no order."""
        return iter([held for held, _, _ in self._held.values()])

    def count(self, lane: Lane) -> int:
        """Return how many jobs wait in this lane."""
        return self._counts[lane]

    def version_of(self, job_id: str) -> object:
        """Return the version of the job's document that is known here, None if it is not."""
        entry = self._held.get(job_id)
        return None if entry is None else entry[0].version

    def put(self, held: Held, *, at: datetime) -> None:
        """Add a job, or replace what is known of it."""
        lane = lane_of(held.job, at=at)
        due = wake_at(held.job)
        self._take_out(held.job.id)
        if due is None:
            return
        self._serial += 1
        key = held.job.created_at if lane is Lane.SUBMIT else due
        self._held[held.job.id] = (held, lane, self._serial)
        self._counts[lane] += 1
        heapq.heappush(self._queues[lane], _Place(key, self._serial, held.job.id))

    def sort_again(self, *, at: datetime) -> None:
        """Move the jobs whose turn has changed with time: those past their deadline."""
        for held, lane, _ in list(self._held.values()):
            if lane_of(held.job, at=at) is not lane:
                self.put(held, at=at)

    def next_due(self, lane: Lane) -> datetime | None:
        """Return when the lane's first job is due, None if the lane is empty."""
        place = self._first(lane)
        return None if place is None else wake_at(self._held[place.job_id][0].job)

    def pop(self, lane: Lane, *, at: datetime) -> Held | None:
        """Take out the lane's first job, None if none is due."""
        due = self.next_due(lane)
        if due is None or due > at:
            return None
        place = heapq.heappop(self._queues[lane])
        return self._take_out(place.job_id)

    def _take_out(self, job_id: str) -> Held | None:
        entry = self._held.pop(job_id, None)
        if entry is None:
            return None
        held, lane, _ = entry
        self._counts[lane] -= 1
        return held

    def _first(self, lane: Lane) -> _Place | None:
        queue = self._queues[lane]
        while queue:
            entry = self._held.get(queue[0].job_id)
            if entry is not None and entry[2] == queue[0].serial:
                return queue[0]
            heapq.heappop(queue)
        return None


def lane_of(job: Job, *, at: datetime) -> Lane:
    """Return the lane in which a job waits at this moment."""
    if job.is_final:
        return Lane.PUBLISH
    match next_action(job, at=at):
        case Action.SUBMIT:
            return Lane.SUBMIT
        case Action.POLL:
            return Lane.POLL
        case None if job.can_be_polled:
            return Lane.POLL
        case _:
            return Lane.END
