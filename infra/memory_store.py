"""The store in memory: everything that the relay relies on of Firestore.

It passes the same contract tests as the Firestore adapters (tests/adapters/test_store_contract.py).
Calls are never lost and take no time here: faults, delays and counts are wrapped around it.
"""

import copy
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cached_property
from itertools import islice
from typing import Any, TypeVar

from relay.adapters.document import (
    ACCOUNT,
    CREATED_AT,
    DELIVERY_KEY,
    FINISHED_AT,
    IMMUTABLE,
    METADATA_PAIRS,
    QUEUE_KEY,
    REMOVABLE,
    SCANNED_FIELDS,
    SUBMITTED_AT,
    WAKE_AT,
    changeable_fields,
    from_document,
    from_fields,
    pair_digest,
    to_document,
    to_fields,
)
from relay.application.ports import (
    MAX_SPANS,
    Cursor,
    DuePage,
    JobFilter,
    JobPage,
    Queued,
    Stored,
    StoredAccount,
    Unreadable,
)
from relay.domain.account import Account
from relay.domain.delivery_queue import delivery_key
from relay.domain.due import wake_at
from relay.domain.durations import Durations
from relay.domain.job import OPEN, UNREAD, Job, Status
from relay.domain.provider_list import ListRequest, ProviderList
from relay.domain.queue import LAST, Span, queue_key
from relay.errors import JobExists, JobNotFound, LostRace, UnreadableJob

Entry = TypeVar("Entry", tuple[datetime, str], tuple[str, str])

TIME_TO_LIVE = timedelta(days=30)
MAX_DOCUMENT_BYTES = 1_048_576


class _Document:
    """One version of a job's document, kept as a job, or raw: as fields that may not parse.

    Raw are documents that were written past the relay, or changed field by field.
    """

    def __init__(self, name: str, version: int, content: Job | dict[str, Any]) -> None:
        self.name = name
        self.version = version
        self.raw = None if isinstance(content, Job) else content
        self._content = content

    @cached_property
    def fields(self) -> dict[str, Any]:
        if isinstance(self._content, Job):
            return to_document(self._content, time_to_live=TIME_TO_LIVE)
        return self._content

    @cached_property
    def job(self) -> Job:
        if isinstance(self._content, Job):
            return self._content
        return from_document(self.name, self._content)

    @cached_property
    def whole(self) -> Stored | Unreadable:
        return self._parsed(lambda: self.job)

    @cached_property
    def without_input(self) -> Stored | Unreadable:
        if isinstance(self._content, Job):
            return Stored(replace(self._content, input=UNREAD), self.version)
        seen = {name: value for name, value in self._content.items() if name in SCANNED_FIELDS}
        return self._parsed(lambda: from_document(self.name, seen))

    def _parsed(self, parse: Callable[[], Job]) -> Stored | Unreadable:
        try:
            return Stored(parse(), self.version)
        except UnreadableJob as error:
            return Unreadable(self.name, str(error))


class MemoryJobs:
    """The `Jobs` of a store in memory.

    Args:
        check_every: Encode, decode and compare one write in so many. With 1, jobs are kept as
            decoded, as from Firestore; otherwise as written, because a job that is decoded now and
            then changes its form (an input becomes text), and two copies of its event would differ.

    Attributes:
        listed: How many documents have been read for lists.
    """

    def __init__(self, *, check_every: int = 1) -> None:
        self.listed = 0
        self._check_every = check_every
        self._writes = 0
        self._documents: dict[str, _Document] = {}
        # The indexes of each account, and what they hold of each job.
        self._due: dict[str, list[tuple[datetime, str]]] = {}
        self._queues: dict[str, list[tuple[str, str]]] = {}
        self._indexed: dict[str, tuple[str, datetime | None, str | None]] = {}
        # Of all accounts.
        self._deliveries: list[tuple[str, str]] = []
        self._delivery_keys: dict[str, str] = {}

    def create(self, job: Job) -> int:
        """See `JobDocuments`."""
        if job.id in self._documents:
            raise JobExists(job.id)
        return self._write(job)

    def read(self, job_id: str) -> Stored:
        """See `JobDocuments`."""
        found = self._find(job_id)
        return Stored(found.job, found.version)

    def replace(self, job: Job, *, version: object) -> int:
        """See `JobDocuments`."""
        found = self._find(job.id)
        if found.version != version:
            raise LostRace(job.id)
        if found.raw is not None:
            return self._merge(found.raw, job)
        kept = {name: getattr(found.job, name) for name in IMMUTABLE}
        return self._write(replace(job, **kept))

    def due(self, account: str, *, after: datetime | None, until: datetime, limit: int) -> DuePage:
        """See `JobDocuments`."""
        due = self._due.get(account, [])
        start = 0 if after is None else bisect_right(due, (after, LAST))
        found = due[start : min(start + limit, bisect_right(due, (until, LAST)))]
        return DuePage.of(
            [(at, self._documents[job_id].without_input) for at, job_id in found],
            after=after,
            limit=limit,
        )

    def queued(self, account: str, *, spans: Sequence[Span], limit: int) -> Sequence[Queued]:
        """See `JobDocuments`."""
        if not 0 < len(spans) <= MAX_SPANS:
            raise AssertionError(f"{len(spans)} spans")
        queue = self._queues.get(account, [])
        found: list[tuple[str, str]] = []
        for span in spans:
            start, end = bisect_right(queue, (span.after, LAST)), bisect_left(queue, (span.before,))
            found += queue[start : min(end, start + limit - len(found))]
        return [Queued(key, self._documents[job_id].without_input) for key, job_id in found]

    def deliveries(self, *, span: Span, limit: int) -> Sequence[Queued]:
        """See `JobDocuments`."""
        start = bisect_right(self._deliveries, (span.after, LAST))
        end = bisect_left(self._deliveries, (span.before,))
        found = self._deliveries[start : min(end, start + limit)]
        return [Queued(key, self._documents[job_id].without_input) for key, job_id in found]

    def set_aside(self, job_id: str, *, until: datetime) -> None:
        """See `JobDocuments`."""
        changed = {**self._find(job_id).fields, WAKE_AT: until}
        changed.pop(QUEUE_KEY, None)
        self.put_document(job_id, changed)

    def page(
        self,
        tenant: str,
        wanted: JobFilter,
        *,
        after: Cursor | None,
        size: int,
        max_bytes: int,
    ) -> JobPage:
        """See `JobListings`."""
        is_by_end = wanted.ended_after is not None
        order = FINISHED_AT if is_by_end else CREATED_AT
        places = [
            (one.fields[order], one.name)
            for one in self._with(tenant=tenant)
            if isinstance(one.fields.get(order), datetime) and _passes(one.fields, wanted)
        ]
        if after is not None:
            start = (after.at, after.job_id)
            places = [one for one in places if (one > start if is_by_end else one < start)]
        found = islice(sorted(places, reverse=not is_by_end), wanted.most_read(size) + 1)
        return JobPage.of(
            self._read_for_list(found),
            wanted=wanted,
            size=size,
            max_bytes=max_bytes,
        )

    def _read_for_list(
        self, places: Iterable[tuple[datetime, str]]
    ) -> Iterator[tuple[Cursor, Stored | Unreadable, int]]:
        for at, job_id in places:
            self.listed += 1
            one = self._documents[job_id]
            yield Cursor(at, job_id), one.whole, document_bytes(one.fields)

    def find(self, tenant: str, provider: str, provider_job_id: str) -> Stored:
        """See `JobListings`."""
        named = self._listed(tenant=tenant, provider=provider, providerJobId=provider_job_id)
        latest = max(named, key=lambda one: (one.fields[CREATED_AT], one.name), default=None)
        if latest is None:
            raise JobNotFound(provider)
        return self.read(latest.name)

    def is_anothers(self, job: Job) -> bool:
        """See `RenderOwners`."""
        return any(
            one.fields.get("tenant") != job.tenant
            and (
                one.fields.get(SUBMITTED_AT) is not None or one.fields[CREATED_AT] < job.created_at
            )
            for one in self._listed(provider=job.provider, providerJobId=job.provider_job_id)
        )

    def count_open(
        self, tenant: str, account: str, *, status: Status | None = None, most: int | None = None
    ) -> int:
        """See `JobCounts`."""
        wanted = OPEN if status is None else (status,)
        of_both = self._with(tenant=tenant, account=account)
        counted = sum(one.fields.get("status") in wanted for one in of_both)
        return counted if most is None else min(counted, most)

    def put(self, *jobs: Job) -> None:
        """Write these jobs over whatever is there."""
        for job in jobs:
            self._write(job)

    def put_unchecked(self, jobs: Iterable[Job]) -> None:
        """Write thousands of jobs quickly: nothing is encoded."""
        for job in jobs:
            self._keep(job)

    def put_document(self, job_id: str, document: Mapping[str, Any]) -> None:
        """Write a document with any fields at all."""
        document_bytes(document)
        self._set(
            _Document(job_id, self._next_version(), copy.deepcopy(dict(document))),
            account=document.get(ACCOUNT, ""),
            wakes_at=document.get(WAKE_AT),
            key=document.get(QUEUE_KEY),
            delivers_by=document.get(DELIVERY_KEY),
        )

    def document(self, job_id: str) -> dict[str, Any]:
        """Return the fields of a document."""
        return copy.deepcopy(dict(self._find(job_id).fields))

    def remove(self, job_id: str) -> None:
        """Delete a document, as Firestore does when its time to live has passed."""
        self._leave_indexes(job_id)
        del self._documents[job_id]

    @property
    def ids(self) -> list[str]:
        """The ids of all jobs, in order."""
        return sorted(self._documents)

    @property
    def waking(self) -> Iterator[str]:
        """The ids of all jobs that have a ``wakeAt``."""
        return (job_id for job_id, (_, at, _) in self._indexed.items() if at is not None)

    def due_of(self, account: str) -> Sequence[tuple[datetime, str]]:
        """Return when each job of an account is due, in order."""
        return self._due.get(account, ())

    @property
    def delivery_keys(self) -> Iterator[str]:
        """The keys of all jobs with something to deliver."""
        return (key for key, _ in self._deliveries)

    def _find(self, job_id: str) -> _Document:
        if job_id not in self._documents:
            raise JobNotFound(job_id)
        return self._documents[job_id]

    def _with(self, **values: object) -> Iterator[_Document]:
        """Yield the documents that have these values in these fields."""
        for one in self._documents.values():
            if all(one.fields.get(name) == value for name, value in values.items()):
                yield one

    def _listed(self, **values: object) -> Iterator[_Document]:
        """Yield those of them that can be listed by age."""
        return (one for one in self._with(**values) if CREATED_AT in one.fields)

    def _write(self, job: Job) -> int:
        if (self._writes + 1) % self._check_every:
            return self._keep(job)
        decoded = _encoded_and_decoded(job)
        return self._keep(decoded if self._check_every == 1 else job)

    def _keep(self, job: Job) -> int:
        version = self._next_version()
        self._set(
            _Document(job.id, version, job),
            account=job.account,
            wakes_at=wake_at(job),
            key=queue_key(job),
            delivers_by=delivery_key(job),
        )
        return version

    def _merge(self, before: Mapping[str, Any], job: Job) -> int:
        """Write those fields of a job that can change over a raw document."""
        left = {name: value for name, value in before.items() if name not in REMOVABLE}
        self.put_document(job.id, left | changeable_fields(job, time_to_live=TIME_TO_LIVE))
        return self._writes

    def _set(
        self,
        document: _Document,
        *,
        account: str,
        wakes_at: datetime | None,
        key: str | None,
        delivers_by: str | None,
    ) -> None:
        self._leave_indexes(document.name)
        self._documents[document.name] = document
        self._indexed[document.name] = (account, wakes_at, key)
        if wakes_at is not None:
            insort(self._due.setdefault(account, []), (wakes_at, document.name))
        if key is not None:
            insort(self._queues.setdefault(account, []), (key, document.name))
        if delivers_by is not None:
            self._delivery_keys[document.name] = delivers_by
            insort(self._deliveries, (delivers_by, document.name))

    def _leave_indexes(self, job_id: str) -> None:
        account, wakes_at, key = self._indexed.pop(job_id, ("", None, None))
        if wakes_at is not None:
            _remove(self._due[account], (wakes_at, job_id))
        if key is not None:
            _remove(self._queues[account], (key, job_id))
        delivers_by = self._delivery_keys.pop(job_id, None)
        if delivers_by is not None:
            _remove(self._deliveries, (delivers_by, job_id))

    def _next_version(self) -> int:
        self._writes += 1
        return self._writes


class MemoryAccounts:
    """The `Accounts` of a store in memory.

    Args:
        now_s: The store's clock, in seconds.
        check_every: As for `MemoryJobs`.
    """

    def __init__(self, now_s: Callable[[], float], *, check_every: int = 1) -> None:
        self._now_s = now_s
        self._check_every = check_every
        self._writes = 0
        self._accounts: dict[str, tuple[Account, int, float]] = {}

    def read(self, name: str) -> StoredAccount:
        """See `Accounts`."""
        if name not in self._accounts:
            return StoredAccount(Account(name=name), None, 0.0)
        account, version, written_s = self._accounts[name]
        return StoredAccount(account, version, self._now_s() - written_s)

    def replace(self, account: Account, *, version: object) -> int:
        """See `Accounts`."""
        known = self._accounts.get(account.name)
        if (None if known is None else known[1]) != version:
            raise LostRace(account.name)
        return self.put(account)

    def put(self, account: Account) -> int:
        """Write an account over whatever is there; a write that changes nothing is none."""
        known = self._accounts.get(account.name)
        if known is not None and known[0] == account:
            return known[1]
        self._writes += 1
        if self._writes % self._check_every == 0:
            document = to_fields(account)
            document_bytes(document)
            if from_fields(Account, document) != account:
                raise AssertionError(f"the document of {account.name} does not hold the account")
        self._accounts[account.name] = (account, self._writes, self._now_s())
        return self._writes


class MemoryDurations:
    """The `DurationsDocuments` of a store in memory."""

    def __init__(self) -> None:
        self._writes = 0
        self._durations: dict[str, tuple[dict[str, Durations], int]] = {}

    def read(self, account: str) -> tuple[Mapping[str, Durations], object]:
        """See `DurationsDocuments`."""
        return self._durations.get(account, ({}, None))

    def replace(self, account: str, durations: Mapping[str, Durations], *, version: object) -> None:
        """See `DurationsDocuments`."""
        if self.read(account)[1] != version:
            raise LostRace(account)
        self._writes += 1
        kept = {name: Durations.from_plain(one.to_plain()) for name, one in durations.items()}
        self._durations[account] = (kept, self._writes)


class MemoryLists:
    """The `ListDocuments` of a store in memory."""

    def __init__(self) -> None:
        self._writes = 0
        self._copies: dict[tuple[str, str], ProviderList] = {}
        self._requests: dict[str, tuple[Mapping[str, ListRequest], int]] = {}

    def copy(self, account: str, name: str) -> ProviderList | None:
        """See `ListDocuments`."""
        return self._copies.get((account, name))

    def keep(self, account: str, name: str, copy: ProviderList) -> None:
        """See `ListDocuments`."""
        document_bytes({"contentType": copy.content_type, "body": copy.body})
        self._copies[account, name] = copy

    def requests(self, account: str) -> tuple[Mapping[str, ListRequest], object]:
        """See `ListDocuments`."""
        return self._requests.get(account, ({}, None))

    def replace_requests(
        self, account: str, requests: Mapping[str, ListRequest], *, version: object
    ) -> None:
        """See `ListDocuments`."""
        if self.requests(account)[1] != version:
            raise LostRace(account)
        self._writes += 1
        document = {name: to_fields(one) for name, one in requests.items()}
        document_bytes(document)
        kept = {name: from_fields(ListRequest, one) for name, one in document.items()}
        self._requests[account] = (kept, self._writes)


def document_bytes(document: Mapping[str, Any]) -> int:
    """Return about how large a document is.

    Raises:
        ValueError, TypeError: Firestore does not take it.
    """
    total = sum(_value_bytes(value) for value in document.values())
    if total > MAX_DOCUMENT_BYTES:
        raise ValueError("Firestore takes documents of at most 1 MiB")
    return total


def _value_bytes(value: Any, *, inside_array: bool = False) -> int:
    match value:
        case str():
            return len(value.encode()) + 1
        case bytes():
            return len(value)
        case bool() | None:
            return 1
        case int():
            if not -(2**63) <= value < 2**63:
                raise ValueError("Firestore takes integers of 64 bits")
            return 8
        case float():
            return 8
        case datetime():
            if value.utcoffset() is None:
                raise ValueError("a time without a zone")
            return 8
        case list():
            if inside_array:
                raise ValueError("Firestore takes no array in an array")
            return sum(_value_bytes(one, inside_array=True) for one in value)
        case dict():
            return sum(len(name) + 1 + _value_bytes(one) for name, one in value.items())
        case _:
            raise TypeError(f"Firestore takes no {type(value).__name__}")


def _encoded_and_decoded(job: Job) -> Job:
    document = to_document(job, time_to_live=TIME_TO_LIVE)
    document_bytes(document)
    decoded = from_document(job.id, document)
    if decoded != job:
        raise AssertionError(f"the document of {job.id} does not hold the job")
    return decoded


def _passes(document: Mapping[str, Any], wanted: JobFilter) -> bool:
    """Return whether the index that serves a list finds a document."""
    if wanted.ended_after is not None:
        return bool(document[FINISHED_AT] > wanted.ended_after)
    pairs = document.get(METADATA_PAIRS, ())
    if wanted.metadata is not None and pair_digest(*wanted.metadata) not in pairs:
        return False
    if wanted.statuses and document.get("status") not in wanted.statuses:
        return False
    if wanted.created_after is not None and document[CREATED_AT] <= wanted.created_after:
        return False
    if wanted.created_before is not None and document[CREATED_AT] >= wanted.created_before:
        return False
    return all(
        value is None or document.get(name) == value
        for name, value in (
            ("provider", wanted.provider),
            ("operation", wanted.operation),
            ("providerJobId", wanted.provider_job_id),
        )
    )


def _remove(index: list[Entry], entry: Entry) -> None:
    del index[bisect_left(index, entry)]
