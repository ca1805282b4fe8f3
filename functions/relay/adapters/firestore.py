"""Job and account documents in Firestore, one round trip a call, no transactions.

The client's own retries are off: a write that is repeated behind our back reports a lost race
that it won itself. Whoever calls repeats, and recognises finished work.
"""

import logging
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from google.api_core import exceptions as google
from google.cloud import firestore
from google.cloud.firestore_v1.base_query import And, FieldFilter, Or

from relay.adapters.document import (
    ACCOUNT,
    IMMUTABLE,
    LOOKED_AT,
    METADATA_PAIRS,
    QUEUE_KEY,
    REMOVABLE,
    WAKE_AT,
    from_document,
    pair_digest,
    to_document,
)
from relay.adapters.fields import from_fields, to_fields
from relay.adapters.wire import Found, Wire
from relay.application.ports import (
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
from relay.domain.durations import Durations
from relay.domain.job import Job, Status, is_job_id
from relay.domain.queue import Span
from relay.errors import (
    JobExists,
    JobNotFound,
    LostRace,
    StoreUnavailable,
    UnreadableJob,
)

log = logging.getLogger(__name__)

JOBS = "jobs"
ACCOUNTS = "accounts"
DURATIONS = "durations"
OPERATIONS = "operations"
CREATED_AT = "createdAt"
NAME = "__name__"
SUBMITTED_AT = "submittedAt"
# So many jobs of one render are looked at by age, and so many of those that were submitted.
OWNERS_LIMIT = 20
# Before every submission; a range of times leaves out the nulls of those that were not submitted.
_BEFORE_ALL = datetime(1970, 1, 1, tzinfo=UTC)

# One call; longer than the store's own slow moments.
CALL_TIMEOUT_S = 6.0
_CALL: dict[str, Any] = {"retry": None, "timeout": CALL_TIMEOUT_S}
# For the account: its lease must be renewed again before it runs out.
SHORT_CALL_TIMEOUT_S = 2.0
_SHORT_CALL: dict[str, Any] = {"retry": None, "timeout": SHORT_CALL_TIMEOUT_S}


@contextmanager
def _errors_of_ours(name: str) -> Iterator[None]:
    try:
        yield
    except google.AlreadyExists as error:
        raise JobExists(name) from error
    except google.FailedPrecondition as error:
        raise LostRace(name) from error
    except google.NotFound as error:
        raise JobNotFound(name) from error
    except (google.GoogleAPICallError, google.RetryError) as error:
        raise StoreUnavailable(f"{name}: {type(error).__name__}") from error


@contextmanager
def _query_errors_of_ours(name: str) -> Iterator[None]:
    """As above, but a query cannot lose a race: its precondition is an index."""
    try:
        with _errors_of_ours(name):
            yield
    except LostRace as error:
        log.exception("query has no index", extra={"fields": {"query": name}})
        raise StoreUnavailable(f"{name}: no index") from error


@dataclass(frozen=True, slots=True)
class _Version:
    """One version of a job's document, which knows what stands in it.

    So a later write sends only what differs: encoding a whole job takes longer than all else
    that a callback costs.
    """

    update_time: datetime
    document: Mapping[str, Any] = field(compare=False, repr=False)


class FirestoreJobs:
    """The collection ``jobs``.

    Args:
        time_to_live: How long after its end a document is kept.
    """

    def __init__(self, client: firestore.Client, *, time_to_live: timedelta) -> None:
        self._client = client
        self._jobs = client.collection(JOBS)
        self._wire = Wire(client, JOBS, call=_CALL)
        self._time_to_live = time_to_live

    def create(self, job: Job) -> object:
        """See `JobDocuments`."""
        document = self._fields(job)
        with _errors_of_ours(job.id):
            return _Version(self._wire.create(job.id, document), document)

    def read(self, job_id: str) -> Stored:
        """See `JobDocuments`."""
        if not is_job_id(job_id):
            raise JobNotFound(job_id)
        with _errors_of_ours(job_id):
            return _stored(self._wire.get(job_id))

    def replace(self, job: Job, *, version: object) -> object:
        """See `JobDocuments`."""
        assert isinstance(version, _Version)  # noqa: S101 - nobody else makes versions
        document = self._fields(job)
        with _errors_of_ours(job.id):
            update_time = self._wire.update(
                job.id,
                _changes(version.document, document),
                removed=[name for name in REMOVABLE if name not in document],
                update_time=version.update_time,
            )
        return _Version(update_time, document)

    def due(self, account: str, *, after: datetime | None, until: datetime, limit: int) -> DuePage:
        """See `JobDocuments`."""
        query = self._of(account).where(filter=FieldFilter(WAKE_AT, "<=", until))
        if after is not None:
            query = query.where(filter=FieldFilter(WAKE_AT, ">", after))
        with _query_errors_of_ours(f"due jobs of {account}"):
            found = self._wire.run(query.order_by(WAKE_AT).limit(limit).select(LOOKED_AT))
        items = [_stored_or_unreadable(one) for one in found]
        if len(found) < limit:
            return DuePage(items, more_after=None)
        last = found[-1].fields[WAKE_AT]
        # Just before the last one: others may have come due at the same microsecond.
        before_last = last - timedelta(microseconds=1)
        is_progress = after is None or before_last > after
        return DuePage(items, more_after=before_last if is_progress else last)

    def queued(self, account: str, *, spans: Sequence[Span], limit: int) -> Sequence[Queued]:
        """See `JobDocuments`."""
        in_spans: Any = [
            And([FieldFilter(QUEUE_KEY, ">", one.after), FieldFilter(QUEUE_KEY, "<", one.before)])
            for one in spans
        ]
        query = self._of(account).where(filter=Or(in_spans) if len(spans) > 1 else in_spans[0])
        query = query.order_by(QUEUE_KEY).limit(limit).select((*LOOKED_AT, QUEUE_KEY))
        with _query_errors_of_ours(f"queue of {account}"):
            found = self._wire.run(query)
        return [Queued(one.fields[QUEUE_KEY], _stored_or_unreadable(one)) for one in found]

    def next_wake(self, account: str, *, after: datetime) -> datetime | None:
        """See `JobDocuments`."""
        query = self._of(account).where(filter=FieldFilter(WAKE_AT, ">", after))
        with _query_errors_of_ours(f"next job of {account}"):
            found = self._wire.run(query.order_by(WAKE_AT).limit(1).select((WAKE_AT,)))
        return found[0].fields[WAKE_AT] if found else None

    def count(
        self, tenant: str, account: str, statuses: Sequence[Status], *, most: int | None = None
    ) -> int:
        """See `JobCounts`; equality filters alone need no index of their own."""
        query = self._of(account).where(filter=FieldFilter("tenant", "==", tenant))
        query = query.where(filter=FieldFilter("status", "in", [one.value for one in statuses]))
        if most is not None:
            query = query.limit(most)
        with _query_errors_of_ours(f"count of {account}"):
            ((result,),) = query.count(alias="jobs").get(**_CALL)
        return int(result.value)

    def page(
        self,
        tenant: str,
        wanted: JobFilter,
        *,
        after: Cursor | None,
        size: int,
        max_bytes: int,
    ) -> JobPage:
        """See `JobListings`; stops reading where the page ends."""
        query = self._jobs.where(filter=FieldFilter("tenant", "==", tenant))
        for name, value in _equalities(wanted):
            query = query.where(filter=FieldFilter(name, "==", value))
        if wanted.metadata is not None:
            digest = pair_digest(*wanted.metadata)
            query = query.where(filter=FieldFilter(METADATA_PAIRS, "array_contains", digest))
        for name in (CREATED_AT, NAME):
            query = query.order_by(name, direction=firestore.Query.DESCENDING)
        if after is not None:
            reference = self._jobs.document(after.job_id)
            query = query.start_after({CREATED_AT: after.created_at, NAME: reference})
        with _query_errors_of_ours(f"jobs of {tenant}"):
            return _page(self._wire.stream(query.limit(size + 1)), size=size, max_bytes=max_bytes)

    def find(self, tenant: str, provider: str, provider_job_id: str) -> Stored:
        """See `JobListings`; the latest of them, so that the lists' indexes serve."""
        query = self._rendered(provider, provider_job_id)
        query = query.where(filter=FieldFilter("tenant", "==", tenant))
        query = query.order_by(CREATED_AT, direction=firestore.Query.DESCENDING)
        with _query_errors_of_ours(f"job of {tenant}"):
            found = self._wire.run(query.limit(1))
        if not found:
            raise JobNotFound(provider)
        return _stored(found[0])

    def is_anothers(self, job: Job) -> bool:
        """See `RenderOwners`."""
        query = self._rendered(job.provider, job.provider_job_id)
        with _query_errors_of_ours(job.id):
            # By age: later ones of the same tenant do not hide the first.
            found = self._wire.run(query.order_by(CREATED_AT).limit(OWNERS_LIMIT))
            if len(found) == OWNERS_LIMIT:
                # Nor do many early followers hide who submitted it after them.
                submitted = query.where(filter=FieldFilter(SUBMITTED_AT, ">", _BEFORE_ALL))
                found += self._wire.run(submitted.order_by(SUBMITTED_AT).limit(OWNERS_LIMIT))
        return any(
            one.fields.get("tenant") != job.tenant
            and (
                one.fields.get(SUBMITTED_AT) is not None or one.fields[CREATED_AT] < job.created_at
            )
            for one in found
        )

    def set_aside(self, job_id: str, *, until: datetime) -> None:
        """See `JobDocuments`."""
        with _errors_of_ours(job_id):
            changes = {WAKE_AT: until, QUEUE_KEY: firestore.DELETE_FIELD}
            self._jobs.document(job_id).update(changes, **_CALL)

    def _rendered(self, provider: str, provider_job_id: str | None) -> Any:
        query = self._jobs.where(filter=FieldFilter("provider", "==", provider))
        return query.where(filter=FieldFilter("providerJobId", "==", provider_job_id))

    def _of(self, account: str) -> Any:
        return self._jobs.where(filter=FieldFilter(ACCOUNT, "==", account))

    def _fields(self, job: Job) -> dict[str, Any]:
        return to_document(job, time_to_live=self._time_to_live)


class FirestoreAccounts:
    """The collection ``accounts``."""

    def __init__(self, client: firestore.Client) -> None:
        self._client = client
        self._accounts = client.collection(ACCOUNTS)

    def read(self, name: str) -> StoredAccount:
        """See `Accounts`."""
        with _errors_of_ours(name):
            snapshot = self._accounts.document(name).get(**_SHORT_CALL)
        if not snapshot.exists:
            return StoredAccount(Account(name=name), None, 0.0)
        account = from_fields(Account, snapshot.to_dict() or {})
        age_s = (snapshot.read_time - snapshot.update_time).total_seconds()
        return StoredAccount(account, snapshot.update_time, age_s)

    def replace(self, account: Account, *, version: object) -> object:
        """See `Accounts`."""
        reference = self._accounts.document(account.name)
        return _write_over(self._client, reference, to_fields(account), version=version)


class FirestoreDurations:
    """The collection ``durations``."""

    def __init__(self, client: firestore.Client) -> None:
        self._client = client
        self._durations = client.collection(DURATIONS)

    def read(self, account: str) -> tuple[Mapping[str, Durations], object]:
        """See `DurationsDocuments`."""
        with _errors_of_ours(account):
            snapshot = self._durations.document(account).get(**_SHORT_CALL)
        if not snapshot.exists:
            return {}, None
        operations = (snapshot.to_dict() or {}).get(OPERATIONS, {})
        known = {name: Durations.from_plain(plain) for name, plain in operations.items()}
        return known, snapshot.update_time

    def replace(self, account: str, durations: Mapping[str, Durations], *, version: object) -> None:
        """See `DurationsDocuments`."""
        document = {OPERATIONS: {name: one.to_plain() for name, one in durations.items()}}
        reference = self._durations.document(account)
        _write_over(self._client, reference, document, version=version)


def _write_over(
    client: firestore.Client, reference: Any, fields: Mapping[str, Any], *, version: object
) -> object:
    """Write a document over this version, None for a new one; raise `LostRace`."""
    try:
        with _errors_of_ours(reference.id):
            if version is None:
                return reference.create(fields, **_SHORT_CALL).update_time
            option = client.write_option(last_update_time=version)
            return reference.update(fields, option=option, **_SHORT_CALL).update_time
    except (JobExists, JobNotFound) as error:
        raise LostRace(reference.id) from error


def _page(
    stream: Generator[tuple[Found, int], None, None], *, size: int, max_bytes: int
) -> JobPage:
    """Take what fits into a page off the stream, at least one document."""
    jobs: list[Job] = []
    end, bytes_read = None, 0
    with closing(stream) as documents:
        for count, (found, document_bytes) in enumerate(documents):
            bytes_read += document_bytes
            if count == size or (count and bytes_read > max_bytes):
                return JobPage(jobs, end=end)
            item = _stored_or_unreadable(found)
            if isinstance(item, Stored):
                jobs.append(item.job)
            end = Cursor(found.fields[CREATED_AT], found.name)
    return JobPage(jobs, end=None)


def _equalities(wanted: JobFilter) -> Iterator[tuple[str, str]]:
    if wanted.provider is not None:
        yield "provider", wanted.provider
    if wanted.operation is not None:
        yield "operation", wanted.operation
    if wanted.status is not None:
        yield "status", wanted.status.value


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields to write so that one document becomes the other."""
    return {
        name: value
        for name, value in after.items()
        if name not in IMMUTABLE and (name not in before or before[name] != value)
    }


def _stored(found: Found) -> Stored:
    version = _Version(found.update_time, found.fields)
    return Stored(from_document(found.name, found.fields), version)


def _stored_or_unreadable(found: Found) -> Stored | Unreadable:
    try:
        return _stored(found)
    except UnreadableJob as error:
        return Unreadable(found.name, str(error))
