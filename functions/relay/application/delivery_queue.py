"""The queue of callbacks as their pump sees it: what is due at each endpoint of each tenant.

Nothing is found by age alone, so no backlog hides anything: a look goes from tenant to tenant and,
within each, from endpoint to endpoint, and costs a document read for each that has something to
deliver, however much. See `relay.domain.delivery_queue` for the keys.
"""

from bisect import insort
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import msgspec

from relay.application.ports import Queued, Stored, Unreadable
from relay.domain.delivery_queue import (
    delivery_key,
    due_at,
    due_keys,
    endpoint_keys,
    endpoint_of_key,
    job_id_of_key,
)
from relay.domain.queue import FIRST, LAST, Span, keys_of, tenant_of_key
from relay.domain.round_robin import WeightedRoundRobin

MAX_AT_ENDPOINT = 4
MAX_OF_TENANT = 8
LOOK_EVERY = timedelta(seconds=1)
PAGE = 2 * MAX_AT_ENDPOINT
MAX_READS = 6
# How many endpoints of a tenant one look visits; the next look goes on behind them.
MAX_VISITS = 8


class DeliveryRead(msgspec.Struct, frozen=True):
    """One query.

    Attributes:
        tenant: Whose endpoints are looked at; empty to look for the next tenant.
        endpoint: Whose due jobs are read; empty to look for the next endpoint.
    """

    span: Span
    limit: int
    tenant: str = ""
    endpoint: str = ""


@dataclass(slots=True)
class _Endpoint:
    """What is due at one endpoint of one tenant, as far as known.

    Attributes:
        heads: The keys of jobs read and not yet being delivered, in order. The keys alone: a run
            may find thousands of jobs, and with metadata and outputs each can have 100 KiB.
        in_flight: The keys of the jobs being delivered, by job id.
        has_more: Whether more may be due than was read.
        next_due: When the first job that was not due yet will be; None if there was none.
        passed: The last key read in this look, so that those left alone hide none behind them.
    """

    heads: list[str] = field(default_factory=list)
    in_flight: dict[str, str] = field(default_factory=dict)
    has_more: bool = False
    next_due: datetime | None = None
    passed: str = ""

    def last_known(self) -> str:
        return max([self.passed, *self.in_flight.values(), *self.heads])


@dataclass(slots=True)
class _Line:
    """One tenant's endpoints.

    Attributes:
        is_looking: Whether this look is to visit more of its endpoints.
        visits: How many endpoints this look may still visit.
        reached: Where the next visit begins; empty at the tenant's first endpoint.
    """

    endpoints: dict[str, _Endpoint] = field(default_factory=dict)
    is_looking: bool = False
    visits: int = 0
    reached: str = ""

    @property
    def in_flight(self) -> int:
        return sum(len(one.in_flight) for one in self.endpoints.values())


class DeliveryQueue:
    """Tells which job's callback to deliver next, and what to read for that.

    Args:
        reached: `reached` of the run before.
        left_alone: `left_alone` of the run before.

    Attributes:
        has_looked: Whether one whole look is done.
    """

    def __init__(
        self, *, now: datetime, reached: Sequence[str] = (), left_alone: Collection[str] = ()
    ) -> None:
        self._lines = {tenant_of_key(key): _Line(reached=key) for key in reached}
        self._at_endpoint: Counter[str] = Counter()
        self._turns = WeightedRoundRobin({}, {})
        self._reading: set[tuple[str, str]] = set()
        self._left_alone = set(left_alone)
        self._reached = LAST
        self._is_looking = False
        self._next_look = self._read_on_at = now
        self.has_looked = False
        # Whether something was read of each endpoint that the first look found.
        self._knows_all = False

    # Reading

    def next_reads(self, *, now: datetime) -> Iterator[DeliveryRead]:
        """Yield the queries to make now; each stays under way until its result is reported."""
        if not self._is_looking and now >= self._next_look:
            self._begin_look(now)
        for read in self._wanted_reads(now):
            if len(self._reading) >= MAX_READS or now < self._read_on_at:
                return
            if (read.tenant, read.endpoint) not in self._reading:
                self._reading.add((read.tenant, read.endpoint))
                yield read

    def take_page(
        self, read: DeliveryRead, found: Sequence[Queued], *, now: datetime
    ) -> Sequence[Unreadable]:
        """Take in the result of a query; return the documents that do not parse."""
        self._reading.discard((read.tenant, read.endpoint))
        if read.endpoint:
            unreadable = self._take_due(read, found)
        else:
            unreadable = []
            self._take_head(read, found, now=now)
        if self._is_looking and self._reached == LAST:
            self._is_looking = any(line.is_looking for line in self._lines.values())
            self.has_looked = self.has_looked or not self._is_looking
        if self.has_looked and not self._knows_all:
            self._knows_all = not any(
                one.has_more and not (one.passed or one.heads or one.in_flight)
                for one in self._endpoints()
            )
        return unreadable

    def read_failed(self, read: DeliveryRead, *, now: datetime) -> None:
        """Make the query again after a failure, one second later."""
        self._reading.discard((read.tenant, read.endpoint))
        self._read_on_at = now + LOOK_EVERY

    @property
    def next_read_at(self) -> datetime:
        """When to read again."""
        return max(self._next_look, self._read_on_at)

    @property
    def reached(self) -> tuple[str, ...]:
        """Where to go on with the tenants that have endpoints which were not visited yet."""
        return tuple(line.reached for line in self._lines.values() if line.reached)

    @property
    def left_alone(self) -> Collection[str]:
        """The ids of jobs that are not tried again: unreadable, or their delivery broke."""
        return self._left_alone

    @property
    def is_busy(self) -> bool:
        """Whether something is due, being delivered or still to be looked at."""
        return (
            bool(self._is_looking or self._reading or not self.has_looked)
            or any(line.reached for line in self._lines.values())
            or any(one.heads or one.in_flight or one.has_more for one in self._endpoints())
        )

    def next_due(self) -> datetime | None:
        """Return when the first job that was not due at the last look will be; None if none."""
        dues = [one.next_due for one in self._endpoints() if one.next_due is not None]
        return min(dues, default=None)

    # Serving

    def next(self) -> str | None:
        """Return the key of the job that is next; None if nothing can be delivered now."""
        waiting = {
            tenant: key
            for tenant, line in self._lines.items()
            if (key := self._first(line)) is not None
        }
        tenant = self._turns.next(waiting)
        return None if tenant is None else waiting[tenant]

    def check_out(self, key: str) -> None:
        """Take a job out to deliver its callback."""
        tenant, name = tenant_of_key(key), endpoint_of_key(key)
        self._turns.take_turn(tenant)
        endpoint = self._lines[tenant].endpoints[name]
        endpoint.heads.remove(key)
        endpoint.in_flight[job_id_of_key(key)] = key
        self._at_endpoint[name] += 1

    def check_in(self, before: str, after: Stored | None, *, now: datetime) -> None:
        """End a job's check-out.

        Args:
            before: The key that it was checked out with.
            after: The job as now stored; None if that is not known, which leaves it to the next
                run.
        """
        job_id, name = job_id_of_key(before), endpoint_of_key(before)
        if after is None:
            self._left_alone.add(job_id)
        line = self._lines[tenant_of_key(before)]
        del line.endpoints[name].in_flight[job_id]
        self._at_endpoint[name] -= 1
        key = None if after is None else delivery_key(after.job)
        if key is None:
            return
        endpoint = line.endpoints.setdefault(endpoint_of_key(key), _Endpoint())
        if due_at(key) <= now:
            insort(endpoint.heads, key)
        else:
            endpoint.next_due = min(endpoint.next_due or due_at(key), due_at(key))

    def _begin_look(self, now: datetime) -> None:
        self._is_looking = True
        self._reached = FIRST
        self._next_look = now + LOOK_EVERY
        for line in self._lines.values():
            if not line.reached:
                self._forget_idle(line)
            line.is_looking = True
            line.visits = MAX_VISITS

    def _forget_idle(self, line: _Line) -> None:
        line.endpoints = {
            name: one
            for name, one in line.endpoints.items()
            if one.heads or one.in_flight or one.has_more
        }
        for one in line.endpoints.values():
            one.next_due = None
            one.passed = ""

    def _wanted_reads(self, now: datetime) -> Iterator[DeliveryRead]:
        if self._is_looking and self._reached < LAST:
            yield DeliveryRead(Span(self._reached, LAST), 1)
        # Who has the fewest queries under way goes first, so no backlog keeps others unread.
        under_way = Counter(tenant for tenant, _ in self._reading)
        for tenant, line in sorted(self._lines.items(), key=lambda entry: under_way[entry[0]]):
            if line.is_looking:
                keys = keys_of(tenant)
                yield DeliveryRead(Span(line.reached or keys.after, keys.before), 1, tenant)
            for name, one in line.endpoints.items():
                if one.has_more and len(one.heads) < MAX_AT_ENDPOINT:
                    due = due_keys(tenant, name, at=now)
                    # Known ones are passed over: their documents may not have changed yet.
                    span = Span(max(due.after, one.last_known()), due.before)
                    yield DeliveryRead(span, PAGE, tenant, name)

    def _take_head(self, read: DeliveryRead, found: Sequence[Queued], *, now: datetime) -> None:
        if not found:
            if read.tenant:
                self._lines[read.tenant].is_looking = False
                self._lines[read.tenant].reached = ""
            else:
                self._reached = LAST
            return
        key = found[0].key
        tenant, name = tenant_of_key(key), endpoint_of_key(key)
        line = self._lines.setdefault(tenant, _Line())
        if not read.tenant:
            self._reached = keys_of(tenant).before
            if not line.is_looking:
                line.is_looking, line.visits = True, MAX_VISITS
            return
        endpoint = line.endpoints.setdefault(name, _Endpoint())
        if due_at(key) <= now:
            endpoint.has_more = True
        else:
            endpoint.next_due = due_at(key)
        line.reached = endpoint_keys(tenant, name).before
        line.visits -= 1
        line.is_looking = line.visits > 0

    def _take_due(self, read: DeliveryRead, found: Sequence[Queued]) -> Sequence[Unreadable]:
        endpoint = self._lines[read.tenant].endpoints[read.endpoint]
        endpoint.has_more = len(found) >= read.limit
        known = {*endpoint.in_flight, *map(job_id_of_key, endpoint.heads)}
        unreadable = []
        for one in found:
            endpoint.passed = one.key
            if isinstance(one.item, Unreadable):
                if one.item.job_id not in self._left_alone:
                    self._left_alone.add(one.item.job_id)
                    unreadable.append(one.item)
            elif one.item.job.id not in known | self._left_alone:
                insort(endpoint.heads, one.key)
        return unreadable

    def _first(self, line: _Line) -> str | None:
        """Return a tenant's next job: at the endpoint with the fewest posts in flight.

        By age alone, the backlogs of two endpoints that hang would hide all others. Of equals the
        job goes first that has been due for longest. Until everybody's are known, a tenant has one
        place at each endpoint: pumps that end early would serve whoever is found first.
        """
        if line.in_flight >= MAX_OF_TENANT:
            return None
        most = MAX_AT_ENDPOINT if self._knows_all else 1
        firsts = [
            (len(one.in_flight), due_at(one.heads[0]), one.heads[0])
            for name, one in line.endpoints.items()
            if one.heads and len(one.in_flight) < most and self._at_endpoint[name] < MAX_AT_ENDPOINT
        ]
        return min(firsts)[2] if firsts else None

    def _endpoints(self) -> Iterator[_Endpoint]:
        for line in self._lines.values():
            yield from line.endpoints.values()
