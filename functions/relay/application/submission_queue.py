"""The queue of one account as its pump sees it: the heads of the tenants' lines, read in time.

A run reads each queued job once. What it holds of a tenant covers a span of the queue's keys;
about once a second it asks for what stands in all the other spans, which brings the tenants that
have come anew and nothing that is known. A tenant with more in the store than was read has its next
jobs read when its last ones are about to be sent: as many as go out in about two seconds.
"""

import math
from bisect import insort
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from relay.application.ports import MOST_SPANS, Queued, Stored, Unreadable
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
    spans_beside,
    tenant_of,
)
from relay.domain.turns import Turns

LOOK_EVERY = timedelta(seconds=1)
AHEAD_S = 2.0
# So long after its creation at most a job's document is there: an instance may have been slow, or
# frozen, between the two, and its clock behind.
WRITTEN_WITHIN = timedelta(seconds=120)
MOST_READS = 4
# Turns are fair between what is known: a run waits so long for its first look at the queue.
FIRST_LOOK_WITHIN = timedelta(seconds=1)
MOST_UNLIKELY = 1000


@dataclass(frozen=True, slots=True)
class QueueRead:
    """One query of the queue.

    Attributes:
        tenant: Whose line is to be read on; None to look for what is not known.
    """

    spans: Sequence[Span]
    limit: int
    tenant: str | None
    began_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Floors:
    """Up to when a tenant's fresh jobs have all left the queue, by priority; None if not known."""

    normal: datetime | None = None
    low: datetime | None = None


@dataclass(slots=True)
class _Line:
    """What is known of one tenant's place in the queue.

    Attributes:
        heads: Jobs that were read and not sent, in the order of their keys.
        unlikely: Jobs that were first, and whose render would probably come too late.
        suspects: Jobs that the provider refused, to be tried once more.
        lent: The keys of jobs that are being sent.
        cursor: The last key that was read.
        last_normal: The last key of normal priority that was read.
        has_more: Whether there are jobs after the cursor.
    """

    heads: list[tuple[str, Stored]] = field(default_factory=list)
    unlikely: list[tuple[str, Stored]] = field(default_factory=list)
    suspects: list[Stored] = field(default_factory=list)
    lent: dict[str, str] = field(default_factory=dict)
    cursor: str = ""
    last_normal: str = ""
    has_more: bool = False

    @property
    def waits(self) -> bool:
        return bool(self.heads or self.unlikely or self.has_more)

    def known_keys(self) -> Iterator[str]:
        for key, _ in (*self.heads, *self.unlikely):
            yield key
        yield from self.lent.values()


class SubmissionQueue:
    """Says which job is sent next, and what has to be read for that.

    Args:
        weights: The tenants' weights; 1 for those that are not named.
        starts: The starts of turns that the last pump passed on.
        floors: What the last pump passed on, by tenant; empty to look all the way back.
        calls_per_s: How many calls the limit lets out.
        spans_s: How long a render of an operation takes: at least, and mostly at most.
    """

    def __init__(
        self,
        *,
        weights: Mapping[str, int],
        starts: Mapping[str, float],
        floors: Mapping[str, Floors],
        calls_per_s: float,
        spans_s: Callable[[str], tuple[float, float]],
        now: datetime,
    ) -> None:
        self._weights = weights
        self._floors = dict(floors)
        self._want = math.ceil(calls_per_s * AHEAD_S)
        self._spans_s = spans_s
        self._spans_of: dict[str, tuple[float, float]] = {}
        self._lines: dict[str, _Line] = {}
        self._reading: set[str | None] = set()
        self._reached = ""
        self._next_look = self._read_on_at = now
        self._waits_for_look_until = now + FIRST_LOOK_WITHIN
        self._round_began: datetime | None = None
        self._seen: dict[str, object] = {}
        self._suspects_lent: dict[str, Stored] = {}
        self.turns = Turns(weights, starts)
        self.infeasible: list[Stored] = []
        self.looked_at: datetime | None = None

    # Reading

    def reads(self, *, now: datetime, looks: bool) -> Iterator[QueueRead]:
        """Return the queries that are to be made now; each is under way until it is taken.

        Args:
            looks: Whether to look for what is not known, if it is time to.
        """
        if looks and None not in self._reading and now >= self._next_look:
            if not self._reached:
                self._round_began = now
            self._reading.add(None)
            wanted = self._heads_of(1, in_all=self._weight_of_all() + 1)
            yield QueueRead(self.unknown_spans(), wanted, None, now)
        in_all = self._weight_of_all()
        for tenant, line in self._lines.items():
            if len(self._reading) >= MOST_READS or now < self._read_on_at:
                return
            if not line.has_more or tenant in self._reading:
                continue
            wanted = self._heads_of(self._weights.get(tenant, 1), in_all=in_all)
            if len(line.heads) <= wanted / 2:
                self._reading.add(tenant)
                span = Span(line.cursor, keys_of(tenant).before)
                yield QueueRead([span], wanted, tenant, now)

    def take(self, read: QueueRead, found: Sequence[Queued]) -> Sequence[Unreadable]:
        """Take in what a query found; return the documents that do not parse."""
        self._reading.discard(read.tenant)
        is_full = len(found) >= read.limit
        unreadable = []
        if read.tenant is not None:
            self._lines[read.tenant].has_more = False
        for one in found:
            line = self._lines.setdefault(tenant_of(one.key), _Line())
            if one.key >= line.cursor:
                line.cursor = one.key
                # All up to a later key was read; of what follows the last one nothing is known.
                line.has_more = is_full and one is found[-1]
            if not is_low(one.key):
                line.last_normal = max(line.last_normal, one.key)
            if isinstance(one.item, Unreadable):
                unreadable.append(one.item)
            else:
                self._hold(line, one.key, one.item)
        if read.tenant is not None:
            return unreadable
        self._reached = found[-1].key if is_full else read.spans[-1].before
        if self._reached >= LAST:
            self._reached = ""
            self.looked_at = self._round_began
            self._next_look = read.began_at + LOOK_EVERY
        return unreadable

    def failed(self, read: QueueRead, *, now: datetime) -> None:
        """Note that a query was not answered: it is made again a second later."""
        self._reading.discard(read.tenant)
        self._next_look = self._read_on_at = now + LOOK_EVERY

    def next_look_at(self) -> datetime:
        """Return when there is something to read again."""
        return self._next_look

    @property
    def has_looked(self) -> bool:
        """Whether everything that stood in the queue at the beginning was seen, or is known of."""
        return self.looked_at is not None

    def is_known(self, *, now: datetime) -> bool:
        """Whether turns can be given: everything is known of, or took too long to look at."""
        return self.has_looked or now >= self._waits_for_look_until

    @property
    def is_reading(self) -> bool:
        """Whether a query is under way, or has to be made before the next job is known."""
        return bool(self._reading or self.tenants_to_read())

    def is_new(self, queued: Queued) -> bool:
        """Return whether a queued job was not seen by this run, as it stands now."""
        item = queued.item
        return isinstance(item, Stored) and self._seen.get(item.job.id) != item.version

    def floors(self) -> dict[str, Floors]:
        """Return from where the next pump has to look for each tenant's fresh jobs.

        Below them are only the dead index entries of jobs that have left, which a query would
        have to skip one by one.
        """
        if self.looked_at is None:
            return self._floors
        return {tenant: self._floors_of(tenant) for tenant in {*self._floors, *self._lines}}

    # Serving

    def put(self, stored: Stored) -> None:
        """Take in a job that this pump made ready, or that was not sent after all."""
        key = queue_key(stored.job)
        line = self._lines.setdefault(stored.job.tenant, _Line())
        line.lent.pop(stored.job.id, None)
        if key is not None:
            self._hold(line, key, stored)

    def put_suspect(self, stored: Stored) -> None:
        """Take in a job that the provider refused."""
        line = self._lines.setdefault(stored.job.tenant, _Line())
        self._seen[stored.job.id] = stored.version
        self._suspects_lent.pop(stored.job.id, None)
        line.suspects = [one for one in line.suspects if one.job.id != stored.job.id]
        line.suspects.append(stored)
        line.suspects.sort(key=lambda one: one.job.created_at)

    def suspects_past_deadline(self, *, now: datetime) -> list[Stored]:
        """Return the suspects whose deadline has passed, and forget them."""
        past = []
        for line in self._lines.values():
            past += [one for one in line.suspects if one.job.deadline_at <= now]
            line.suspects = [one for one in line.suspects if one.job.deadline_at > now]
        return past

    def suspects(self) -> list[Stored]:
        """Return all jobs that are to be tried once more, and those that are being tried."""
        waiting = [one for line in self._lines.values() for one in line.suspects]
        return waiting + list(self._suspects_lent.values())

    def waiting(self, *, now: datetime, suspects: bool) -> list[str]:
        """Return the tenants that have a job to be sent now.

        Args:
            suspects: Whether a job that was refused may be tried.
        """
        return [
            tenant
            for tenant in self._lines
            if self.first(tenant, now=now, suspects=suspects) is not None
        ]

    def first(
        self, tenant: str, *, now: datetime, suspects: bool, avoid: Collection[str] = ()
    ) -> Stored | None:
        """Return the job that the tenant sends next, None if it has none to send now.

        Args:
            avoid: The ids of jobs that are only returned if there is no other.
        """
        line = self._lines[tenant]
        self._set_aside_what_comes_too_late(line, now)
        candidates = line.suspects if suspects else []
        if line.heads or line.has_more:
            candidates = [*candidates, *(one for _, one in line.heads)]
        else:
            candidates = [*candidates, *(one for _, one in line.unlikely)]
        return next(
            (one for one in candidates if one.job.id not in avoid),
            candidates[0] if candidates else None,
        )

    def lend(self, stored: Stored) -> None:
        """Take a job out, to be sent."""
        line = self._lines[stored.job.tenant]
        job_id = stored.job.id
        for jobs in (line.heads, line.unlikely):
            for entry in jobs:
                if entry[1].job.id == job_id:
                    line.lent[job_id] = entry[0]
                    jobs.remove(entry)
                    break
        if any(one.job.id == job_id for one in line.suspects):
            line.suspects = [one for one in line.suspects if one.job.id != job_id]
            self._suspects_lent[job_id] = stored

    def forget(self, job: Job) -> None:
        """Let go of a job that is being ended."""
        line = self._lines.get(job.tenant)
        if line is not None:
            line.heads = [entry for entry in line.heads if entry[1].job.id != job.id]
            line.unlikely = [entry for entry in line.unlikely if entry[1].job.id != job.id]
            line.suspects = [one for one in line.suspects if one.job.id != job.id]

    def drop(self, job: Job) -> None:
        """Forget a job that has left the queue."""
        self._suspects_lent.pop(job.id, None)
        line = self._lines.get(job.tenant)
        if line is not None:
            line.lent.pop(job.id, None)

    def tenants(self) -> list[str]:
        """Return the tenants of which jobs are known, or known to be there."""
        return [tenant for tenant, line in self._lines.items() if line.waits or line.suspects]

    def tenants_to_read(self) -> list[str]:
        """Return the tenants whose next job has to be read before it can be sent."""
        return [one for one, line in self._lines.items() if line.has_more and not line.heads]

    def __len__(self) -> int:
        """Return how many jobs were read and are not sent."""
        return sum(
            len(line.heads) + len(line.unlikely) + len(line.suspects)
            for line in self._lines.values()
        )

    def _hold(self, line: _Line, key: str, stored: Stored) -> None:
        job_id = stored.job.id
        self._seen[job_id] = stored.version
        if job_id in line.lent:
            return
        for jobs in (line.heads, line.unlikely):
            jobs[:] = [entry for entry in jobs if entry[1].job.id != job_id]
        insort(line.heads, (key, stored), key=lambda entry: entry[0])

    def _set_aside_what_comes_too_late(self, line: _Line, now: datetime) -> None:
        """Keep a place for a render that can be used.

        A job that is older than the others and has little time left would take the place of one
        that can still be rendered in time; in a queue that never empties that is every job.
        """
        while line.heads:
            least_s, mostly_s = self._seconds_of(line.heads[0][1].job)
            left_s = (line.heads[0][1].job.deadline_at - now).total_seconds()
            if left_s >= mostly_s:
                break
            if left_s < least_s:
                self._give_up(line, line.heads.pop(0))
            else:
                line.unlikely.append(line.heads.pop(0))
        while line.unlikely:
            least_s, _ = self._seconds_of(line.unlikely[0][1].job)
            left_s = (line.unlikely[0][1].job.deadline_at - now).total_seconds()
            if left_s >= least_s:
                break
            self._give_up(line, line.unlikely.pop(0))
        for key, stored in line.unlikely[MOST_UNLIKELY:]:
            # No room for it: it stands in the queue still, for the next run or its deadline.
            line.lent[stored.job.id] = key
        del line.unlikely[MOST_UNLIKELY:]

    def _give_up(self, line: _Line, entry: tuple[str, Stored]) -> None:
        line.lent[entry[1].job.id] = entry[0]
        if not entry[1].job.is_resubmitted:
            # The first render of the others may still come, so they wait for their deadline.
            self.infeasible.append(entry[1])

    def _seconds_of(self, job: Job) -> tuple[float, float]:
        if job.operation not in self._spans_of:
            self._spans_of[job.operation] = self._spans_s(job.operation)
        return self._spans_of[job.operation]

    def _weight_of_all(self) -> int:
        return sum(self._weights.get(one, 1) for one, line in self._lines.items() if line.waits)

    def _heads_of(self, weight: int, *, in_all: int) -> int:
        """Return how many jobs of a tenant with this weight go out in about two seconds."""
        return max(2, math.ceil(self._want * weight / in_all))

    def unknown_spans(self) -> list[Span]:
        """Return the spans of keys in which nothing is known of, as many as one query takes."""
        covered: list[Span] = [Span("", self._reached)] if self._reached else []
        for tenant in {*self._lines, *self._floors}:
            covered += self._covered(tenant)
        return spans_beside(covered)[:MOST_SPANS]

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
            # Jobs of normal priority that come meanwhile go before those of low priority.
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
