"""An account's queue as its pump sees it: the heads of each tenant's line, read just in time.

A run reads each queued job once. A tenant's jobs in memory cover a span of queue keys; about once a
second the run queries all other spans, which finds new tenants and nothing already known. If more
of a tenant's jobs are stored than were read, the next ones are read when the last are about to be
sent: as many as go out in about two seconds, or in twice the time that a read takes if the store is
slow, so that the calls do not wait for it.
"""

import math
from bisect import insort
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import msgspec

from relay.application.ports import MAX_SPANS, Queued, Stored, Unreadable
from relay.domain.due import WRITTEN_WITHIN
from relay.domain.job import Job, Priority
from relay.domain.queue import (
    LAST,
    Span,
    created_at,
    fresh_keys_until,
    is_fresh,
    is_low,
    keys_of,
    low_keys_start,
    queue_key,
    tenant_of_key,
    uncovered_spans,
)
from relay.domain.round_robin import WeightedRoundRobin

LOOK_EVERY = timedelta(seconds=1)
READ_AHEAD_S = 2.0
MAX_AHEAD_S = 8.0
MAX_READS = 4
MAX_IN_A_PAGE = 500
# Turns are fair only among known jobs, so a run waits this long for its first look at the queue.
FIRST_LOOK_WITHIN = timedelta(seconds=1)
MAX_UNLIKELY = 1000


class QueueRead(msgspec.Struct, frozen=True):
    """One query of the queue.

    Attributes:
        tenant: The tenant whose next jobs are read; None to look for unknown jobs.
    """

    spans: Sequence[Span]
    limit: int
    tenant: str | None
    began_at: datetime


class Floors(msgspec.Struct, frozen=True, kw_only=True):
    """Fresh jobs created before these moments have all left the queue; None if unknown."""

    normal: datetime | None = None
    low: datetime | None = None


@dataclass(slots=True)
class _Line:
    """One tenant's line in the queue, as far as known.

    Attributes:
        heads: Jobs read and not sent, in key order.
        unlikely: Former heads whose render would probably come too late.
        suspects: Refused jobs to be tried once more.
        checked_out: The keys of jobs being sent, by job id.
        cursor: The last key read.
        last_normal: The last key of normal priority read.
        has_more: Whether there are jobs after the cursor.
        read_in_vain: How many jobs were read since one was last sent.
    """

    heads: list[tuple[str, Stored]] = field(default_factory=list)
    unlikely: list[tuple[str, Stored]] = field(default_factory=list)
    suspects: list[Stored] = field(default_factory=list)
    checked_out: dict[str, str] = field(default_factory=dict)
    cursor: str = ""
    last_normal: str = ""
    has_more: bool = False
    read_in_vain: int = 0

    @property
    def waits(self) -> bool:
        return bool(self.heads or self.unlikely or self.has_more)

    def known_keys(self) -> Iterator[str]:
        for key, _ in (*self.heads, *self.unlikely):
            yield key
        yield from self.checked_out.values()


class SubmissionQueue:
    """Tells which job of a tenant to send next, and what to read for that.

    Args:
        weights: The tenants' weights; 1 where not named.
        starts: The turn starts that the last pump handed over.
        floors: The floors that the last pump handed over, by tenant; empty to read everything.
        calls_per_s: The rate of calls that the limit allows.
        duration_range_s: Returns the shortest and the longest usual render time of an operation.

    Attributes:
        turns: Whose turn it is.
        infeasible: Jobs that can no longer be rendered in time, until the run ends them.
        looked_at: When the last complete look at the queue began; None before the first.
    """

    def __init__(
        self,
        *,
        weights: Mapping[str, int],
        starts: Mapping[str, float],
        floors: Mapping[str, Floors],
        calls_per_s: float,
        duration_range_s: Callable[[str], tuple[float, float]],
        now: datetime,
    ) -> None:
        self._weights = weights
        self._floors = dict(floors)
        self._calls_per_s = calls_per_s
        self._read_takes_s = 0.0
        self._duration_range_s = duration_range_s
        self._ranges_s: dict[str, tuple[float, float]] = {}
        self._lines: dict[str, _Line] = {}
        self._reading: set[str | None] = set()
        self._reached = ""
        self._spans_at_once = MAX_SPANS
        self._next_look = self._read_on_at = self._round_began = now
        self._serve_from = now + FIRST_LOOK_WITHIN
        self._seen: dict[str, object] = {}
        self._suspects_checked_out: dict[str, Stored] = {}
        self.turns = WeightedRoundRobin(weights, starts)
        self.infeasible: list[Stored] = []
        self.looked_at: datetime | None = None

    # Reading

    def next_reads(self, *, now: datetime, looks: bool) -> Iterator[QueueRead]:
        """Yield the queries to make now; each stays under way until its result is reported.

        Args:
            looks: Whether to look for unknown jobs, if it is time to.
        """
        if looks and None not in self._reading and now >= self._next_look:
            if not self._reached:
                self._round_began = now
            self._reading.add(None)
            wanted = self._heads_wanted(1, in_all=self._total_weight() + 1)
            spans = self.unread_spans()[: self._spans_at_once]
            yield QueueRead(spans, wanted, None, now)
        in_all = self._total_weight()
        for tenant, line in self._lines.items():
            if len(self._reading) >= MAX_READS or now < self._read_on_at:
                return
            if not line.has_more or tenant in self._reading:
                continue
            wanted = self._heads_wanted(self._weights.get(tenant, 1), in_all=in_all)
            if len(line.heads) <= wanted / 2:
                self._reading.add(tenant)
                span = Span(line.cursor, keys_of(tenant).before)
                # Past many jobs that come too late, ever larger pages lead to those that do not.
                limit = max(wanted, min(line.read_in_vain, MAX_IN_A_PAGE))
                yield QueueRead([span], limit, tenant, now)

    def take_page(
        self, read: QueueRead, found: Sequence[Queued], *, now: datetime
    ) -> Sequence[Unreadable]:
        """Take in the result of a query; return the documents that do not parse."""
        self._note_end(read, now)
        is_full = len(found) >= read.limit
        unreadable = []
        if read.tenant is not None:
            self._lines[read.tenant].has_more = False
            self._lines[read.tenant].read_in_vain += len(found)
        for one in found:
            line = self._lines.setdefault(tenant_of_key(one.key), _Line())
            if one.key >= line.cursor:
                line.cursor = one.key
                # Everything up to the last key was read, nothing after it.
                line.has_more = is_full and one is found[-1]
            if not is_low(one.key):
                line.last_normal = max(line.last_normal, one.key)
            if isinstance(one.item, Unreadable):
                unreadable.append(one.item)
            else:
                self._add_head(line, one.key, one.item)
        if read.tenant is not None:
            return unreadable
        self._spans_at_once = min(2 * self._spans_at_once, MAX_SPANS)
        self._reached = found[-1].key if is_full else read.spans[-1].before
        if self._reached >= LAST:
            self._reached = ""
            self.looked_at = self._round_began
            self._next_look = read.began_at + LOOK_EVERY
        return unreadable

    def read_failed(self, read: QueueRead, *, now: datetime) -> None:
        """Schedule the query again after a failure, one second later."""
        self._note_end(read, now)
        if read.tenant is None:
            # A slow store may answer about half of them in time.
            self._spans_at_once = max(1, len(read.spans) // 2)
        self._next_look = self._read_on_at = now + LOOK_EVERY

    def _note_end(self, read: QueueRead, now: datetime) -> None:
        self._reading.discard(read.tenant)
        took_s = (now - read.began_at).total_seconds()
        # One quick read does not show that the store has recovered.
        self._read_takes_s = max(took_s, self._read_takes_s / 2)

    def next_read_at(self) -> datetime:
        """Return when to look for unknown jobs again."""
        return self._next_look

    @property
    def has_looked(self) -> bool:
        """Whether one complete look at the queue was read."""
        return self.looked_at is not None

    def can_serve(self, *, now: datetime) -> bool:
        """Return whether turns can be given: the queue is known, or reading it took too long."""
        return self.has_looked or now >= self._serve_from

    def is_new(self, queued: Queued) -> bool:
        """Return whether this run has not seen this version of the queued job."""
        item = queued.item
        return isinstance(item, Stored) and self._seen.get(item.job.id) != item.version

    def floors(self) -> dict[str, Floors]:
        """Return where the next pump must start reading each tenant's fresh jobs.

        Below lie only dead index entries, which a query would have to skip one by one.
        """
        if self.looked_at is None:
            return self._floors
        return {tenant: self._floors_of(tenant) for tenant in {*self._floors, *self._lines}}

    # Serving

    def put(self, stored: Stored) -> None:
        """Add a job that this pump made ready, or that was not sent after all."""
        key = queue_key(stored.job)
        line = self._lines.setdefault(stored.job.tenant, _Line())
        line.checked_out.pop(stored.job.id, None)
        if key is not None:
            self._add_head(line, key, stored)

    def put_suspect(self, stored: Stored) -> None:
        """Add a job that the provider refused."""
        line = self._lines.setdefault(stored.job.tenant, _Line())
        self._suspects_checked_out.pop(stored.job.id, None)
        line.suspects = [one for one in line.suspects if one.job.id != stored.job.id]
        line.suspects.append(stored)
        line.suspects.sort(key=lambda one: one.job.created_at)

    def suspects_past_deadline(self, *, now: datetime) -> list[Stored]:
        """Remove and return the suspects whose deadline has passed."""
        past = []
        for line in self._lines.values():
            past += [one for one in line.suspects if one.job.deadline_at <= now]
            line.suspects = [one for one in line.suspects if one.job.deadline_at > now]
        return past

    def suspects(self) -> list[Stored]:
        """Return all refused jobs to be tried once more, including those being tried."""
        waiting = [one for line in self._lines.values() for one in line.suspects]
        return waiting + list(self._suspects_checked_out.values())

    def ready_tenants(self, *, now: datetime, suspects: bool) -> list[str]:
        """Return the tenants that have a job to send now.

        Args:
            suspects: Whether a refused job may be tried.
        """
        return [
            tenant
            for tenant in self._lines
            if self.first(tenant, now=now, suspects=suspects) is not None
        ]

    def first(
        self, tenant: str, *, now: datetime, suspects: bool, avoid: Collection[str] = ()
    ) -> Stored | None:
        """Return the tenant's next job to send; None if it has none now.

        Args:
            avoid: The ids of jobs to return only if there is no other.
        """
        line = self._lines[tenant]
        self._drop_late_heads(line, now)
        candidates = line.suspects if suspects else []
        if line.heads or line.has_more:
            candidates = [*candidates, *(one for _, one in line.heads)]
        else:
            candidates = [*candidates, *(one for _, one in line.unlikely)]
        return next(
            (one for one in candidates if one.job.id not in avoid),
            candidates[0] if candidates else None,
        )

    def check_out(self, stored: Stored) -> None:
        """Take a job out to send it."""
        line = self._lines[stored.job.tenant]
        line.read_in_vain = 0
        job_id = stored.job.id
        for jobs in (line.heads, line.unlikely):
            for entry in jobs:
                if entry[1].job.id == job_id:
                    line.checked_out[job_id] = entry[0]
                    jobs.remove(entry)
                    break
        if any(one.job.id == job_id for one in line.suspects):
            line.suspects = [one for one in line.suspects if one.job.id != job_id]
            self._suspects_checked_out[job_id] = stored

    def remove(self, job: Job) -> None:
        """Remove a waiting job that is being ended."""
        line = self._lines.get(job.tenant)
        if line is not None:
            line.heads = [entry for entry in line.heads if entry[1].job.id != job.id]
            line.unlikely = [entry for entry in line.unlikely if entry[1].job.id != job.id]
            line.suspects = [one for one in line.suspects if one.job.id != job.id]

    def check_in(self, job: Job) -> None:
        """End a job's check-out; to queue it again, `put` it."""
        self._suspects_checked_out.pop(job.id, None)
        line = self._lines.get(job.tenant)
        if line is not None:
            line.checked_out.pop(job.id, None)

    def tenants(self) -> list[str]:
        """Return the tenants with waiting jobs, read or not."""
        return [tenant for tenant, line in self._lines.items() if line.waits or line.suspects]

    def tenants_to_read(self) -> list[str]:
        """Return the tenants whose next job must be read before it can be sent."""
        return [one for one, line in self._lines.items() if line.has_more and not line.heads]

    def __len__(self) -> int:
        """Return how many jobs were read and not sent."""
        return sum(
            len(line.heads) + len(line.unlikely) + len(line.suspects)
            for line in self._lines.values()
        )

    def _add_head(self, line: _Line, key: str, stored: Stored) -> None:
        job_id = stored.job.id
        self._seen[job_id] = stored.version
        if job_id in line.checked_out:
            return
        for jobs in (line.heads, line.unlikely):
            jobs[:] = [entry for entry in jobs if entry[1].job.id != job_id]
        insort(line.heads, (key, stored), key=lambda entry: entry[0])

    def _drop_late_heads(self, line: _Line, now: datetime) -> None:
        """Move jobs whose render would come too late out of the way.

        Otherwise an old job with little time left would take the call of one that can still be
        rendered in time; in a queue that never empties, that would happen every time.
        """
        while line.heads:
            least_s, mostly_s = self._seconds_of(line.heads[0][1].job)
            left_s = (line.heads[0][1].job.deadline_at - now).total_seconds()
            if left_s >= mostly_s:
                break
            if left_s < least_s:
                self._set_infeasible(line, line.heads.pop(0))
            else:
                line.unlikely.append(line.heads.pop(0))
        while line.unlikely:
            least_s, _ = self._seconds_of(line.unlikely[0][1].job)
            left_s = (line.unlikely[0][1].job.deadline_at - now).total_seconds()
            if left_s >= least_s:
                break
            self._set_infeasible(line, line.unlikely.pop(0))
        for key, stored in line.unlikely[MAX_UNLIKELY:]:
            # No room: it stays in the stored queue for the next run or its deadline.
            line.checked_out[stored.job.id] = key
        del line.unlikely[MAX_UNLIKELY:]

    def _set_infeasible(self, line: _Line, entry: tuple[str, Stored]) -> None:
        line.checked_out[entry[1].job.id] = entry[0]
        if not entry[1].job.is_resubmitted:
            # A resubmitted job's first render may still come, so it waits for its deadline.
            self.infeasible.append(entry[1])

    def _seconds_of(self, job: Job) -> tuple[float, float]:
        if job.operation not in self._ranges_s:
            self._ranges_s[job.operation] = self._duration_range_s(job.operation)
        return self._ranges_s[job.operation]

    def _total_weight(self) -> int:
        return sum(self._weights.get(one, 1) for one, line in self._lines.items() if line.waits)

    def _heads_wanted(self, weight: int, *, in_all: int) -> int:
        """Return how many jobs of a tenant with this weight go out until they are read on.

        The next ones are read when half of them are left, so that half has to last for a read.
        """
        ahead_s = min(max(READ_AHEAD_S, 2 * self._read_takes_s), MAX_AHEAD_S)
        wanted = math.ceil(math.ceil(self._calls_per_s * ahead_s) * weight / in_all)
        return min(max(2, wanted), MAX_IN_A_PAGE)

    def unread_spans(self) -> list[Span]:
        """Return the spans of unknown keys, as many as one query takes."""
        covered: list[Span] = [Span("", self._reached)] if self._reached else []
        for tenant in {*self._lines, *self._floors}:
            covered += self._covered(tenant)
        return uncovered_spans(covered)[:MAX_SPANS]

    def _covered(self, tenant: str) -> Iterator[Span]:
        line = self._lines.get(tenant, _Line())
        keys, low = keys_of(tenant), low_keys_start(tenant)
        floors = self._floors_of(tenant)
        end = keys.before if line.has_more else line.cursor
        if not line.waits:
            if floors.normal is not None:
                yield fresh_keys_until(tenant, Priority.NORMAL, floors.normal)
            if floors.low is not None:
                yield fresh_keys_until(tenant, Priority.LOW, floors.low)
        elif not is_low(line.cursor):
            yield Span(keys.after, end)
        else:
            # New jobs of normal priority sort before those of low priority.
            if line.last_normal:
                yield Span(keys.after, line.last_normal)
            elif floors.normal is not None:
                yield fresh_keys_until(tenant, Priority.NORMAL, floors.normal)
            yield Span(low, end)

    def _floors_of(self, tenant: str) -> Floors:
        before = self._floors.get(tenant, Floors())
        line = self._lines.get(tenant)
        if self.looked_at is None:
            return before
        empty_until = self.looked_at - WRITTEN_WITHIN
        if line is None:
            return Floors(normal=empty_until, low=empty_until)
        normal = low = empty_until
        fresh = [key for key in line.known_keys() if is_fresh(key)]
        # Keys of one priority are ordered by age.
        if first_normal := min((key for key in fresh if not is_low(key)), default=None):
            normal = min(normal, created_at(first_normal))
        if first_low := min((key for key in fresh if is_low(key)), default=None):
            low = min(low, created_at(first_low))
        if not line.has_more:
            return Floors(normal=normal, low=low)
        if is_low(line.cursor):
            return Floors(normal=normal, low=min(low, created_at(line.cursor)))
        if is_fresh(line.cursor):
            return Floors(normal=min(normal, created_at(line.cursor)), low=before.low)
        return before
