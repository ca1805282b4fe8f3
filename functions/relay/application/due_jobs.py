"""The due jobs that a pump keeps in memory, in order of service."""

import heapq
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, auto

import msgspec

from relay.application.ports import Stored
from relay.domain.due import Action, next_action, wake_at
from relay.domain.job import Job


class DueJob(msgspec.Struct, frozen=True, kw_only=True):
    """A job that a pump keeps in memory, without its input, until it is due.

    Attributes:
        job: As the pump knows it; its bookkeeping may be ahead of the document.
        version: Of the document when last read or written.
        is_ahead: Whether the job has bookkeeping that the document lacks.
        wakes_at: The document's ``wakeAt``.
    """

    job: Job
    version: object
    is_ahead: bool
    wakes_at: datetime | None

    @classmethod
    def found(cls, stored: Stored) -> "DueJob":
        """Return a job as read from its document."""
        return cls(
            job=stored.job, version=stored.version, is_ahead=False, wakes_at=wake_at(stored.job)
        )

    @property
    def stored(self) -> Stored:
        """The job with its document's version."""
        return Stored(self.job, self.version)


class Lane(Enum):
    """The kind of work a due job waits for.

    ``CHANGE`` covers everything that only changes the document, mostly ending jobs.
    """

    POLL = auto()
    PUBLISH = auto()
    CHANGE = auto()


@dataclass(frozen=True, slots=True, order=True)
class _Entry:
    due: datetime
    serial: int
    due_job: DueJob = field(compare=False)
    lane: Lane = field(compare=False)
    tenant: str = field(compare=False)


class DueJobs:
    """Due jobs by lane, earliest first; polls also by tenant, since tenants take turns."""

    def __init__(self) -> None:
        self._entries: dict[str, _Entry] = {}
        self._heaps: dict[tuple[Lane, str], list[_Entry]] = {}
        self._counts: Counter[tuple[Lane, str]] = Counter()
        self._serial = 0

    def __len__(self) -> int:
        """Return the number of jobs."""
        return len(self._entries)

    def __iter__(self) -> Iterator[DueJob]:
        """Iterate over all jobs, in no particular order."""
        return iter([entry.due_job for entry in self._entries.values()])

    def count(self, lane: Lane, tenant: str | None = None) -> int:
        """Return the number of jobs in a lane, optionally of one tenant."""
        if tenant is not None and lane is Lane.POLL:
            return self._counts[lane, tenant]
        return sum(count for (one, _), count in self._counts.items() if one is lane)

    def tenants(self) -> int:
        """Return how many tenants have jobs to poll."""
        return sum(lane is Lane.POLL and count > 0 for (lane, _), count in self._counts.items())

    def version_of(self, job_id: str) -> object:
        """Return the known document version of this job; None if the job is not here."""
        entry = self._entries.get(job_id)
        return None if entry is None else entry.due_job.version

    def put(self, due_job: DueJob, *, at: datetime) -> None:
        """Add or replace a job."""
        self.remove(due_job.job.id)
        due = wake_at(due_job.job)
        if due is None:
            return
        lane = lane_of(due_job.job, at=at)
        tenant = due_job.job.tenant if lane is Lane.POLL else ""
        self._serial += 1
        entry = _Entry(due, self._serial, due_job, lane, tenant)
        self._entries[due_job.job.id] = entry
        self._counts[lane, tenant] += 1
        heapq.heappush(self._heaps.setdefault((lane, tenant), []), entry)

    def update_lanes(self, *, at: datetime) -> None:
        """Move jobs whose lane changed with time: those past their deadline."""
        for entry in list(self._entries.values()):
            if lane_of(entry.due_job.job, at=at) is not entry.lane:
                self.put(entry.due_job, at=at)

    def next_due(self, lane: Lane) -> datetime | None:
        """Return when the lane's first job is due; None if the lane is empty."""
        firsts = [self._first(key) for key in list(self._heaps) if key[0] is lane]
        return min((entry.due for entry in firsts if entry is not None), default=None)

    def tenants_to_poll(self, *, at: datetime) -> list[str]:
        """Return the tenants that have a job to poll now."""
        firsts = [self._first(key) for key in list(self._heaps) if key[0] is Lane.POLL]
        return [entry.tenant for entry in firsts if entry is not None and entry.due <= at]

    def first(
        self, lane: Lane, *, at: datetime, tenant: str = "", avoid: Collection[str] = ()
    ) -> DueJob | None:
        """Return the first due job of the lane, or of the tenant in it; None if none is due.

        Args:
            avoid: The ids of jobs to return only if there is no other.
        """
        entry = self._first((lane, tenant))
        if entry is None or entry.due > at:
            return None
        if entry.due_job.job.id in avoid:
            others = (
                one
                for one in self._heaps[lane, tenant]
                if one.due <= at and one.due_job.job.id not in avoid and self._is_current(one)
            )
            entry = min(others, default=entry)
        return entry.due_job

    def remove(self, job_id: str) -> None:
        """Remove a job if it is here."""
        entry = self._entries.pop(job_id, None)
        if entry is not None:
            self._counts[entry.lane, entry.tenant] -= 1

    def _first(self, key: tuple[Lane, str]) -> _Entry | None:
        heap = self._heaps.get(key, [])
        while heap:
            if self._is_current(heap[0]):
                return heap[0]
            heapq.heappop(heap)
        self._heaps.pop(key, None)
        return None

    def _is_current(self, entry: _Entry) -> bool:
        return self._entries.get(entry.due_job.job.id) is entry


def lane_of(job: Job, *, at: datetime) -> Lane:
    """Return the lane in which a job waits at this moment."""
    if job.is_final:
        return Lane.PUBLISH
    action = next_action(job, at=at)
    if action is Action.POLL or (action is None and job.can_be_polled):
        return Lane.POLL
    return Lane.CHANGE
