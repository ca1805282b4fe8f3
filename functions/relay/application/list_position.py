"""How far a caller has read a list, so that a job that ends is never skipped.

A job's `finishedAt` is taken before its document is written, by one of several instances. So a job
can turn up in a list of ended jobs behind others that were read already. A caller who reads up to
the present goes on from there, and is led back once over what may have been incomplete.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import msgspec

from relay.application.ports import Cursor, JobFilter
from relay.domain.job import Job

# The pump's retry budget for a write (20 s) and its last call (6 s), and clocks that differ.
SETTLES_AFTER = timedelta(seconds=60)
# Sorts behind every job id.
_BEHIND_ALL = "job_~"


@dataclass(frozen=True, slots=True)
class ListPosition:
    """A caller's position in a list.

    Attributes:
        place: Just after the last job that was read.
        settled: Jobs that ended later than this may have been missing when they were read. None if
            that holds for none up to *place*, as in every list by creation.
    """

    place: Cursor
    settled: datetime | None = None

    def resumed(self, *, now: datetime) -> "ListPosition":
        """Return where to read on: once the incomplete part has settled, at its beginning."""
        if self.settled is None or now < self.settled + 2 * SETTLES_AFTER:
            return self
        return ListPosition(Cursor(self.settled, _BEHIND_ALL))


class ListPage(msgspec.Struct, frozen=True, kw_only=True):
    """One page of a list, as it was read.

    Attributes:
        start: Where it was begun; None at the beginning of the list.
        end: Where the next one starts; None on the last page.
        read_at: When reading it began.
    """

    wanted: JobFilter
    start: ListPosition | None
    jobs: Sequence[Job]
    end: Cursor | None
    read_at: datetime

    @property
    def next(self) -> ListPosition | None:
        """The position after the whole page; None on the last one."""
        return None if self.end is None else self._position(self.end)

    def after(self, job: Job) -> ListPosition:
        """Return the position just after one of its jobs."""
        return self._position(self.wanted.place(job))

    def _position(self, place: Cursor) -> ListPosition:
        if self.start is not None and self.start.settled is not None:
            return replace(self.start, place=place)
        settled = self.read_at - SETTLES_AFTER
        if self.wanted.ended_after is None or place.at <= settled:
            return ListPosition(place)
        return ListPosition(place, settled)
