"""Jobs, accounts, durations and lists in Firestore: one round trip a call, no transactions.

Nothing is tried twice here: callers repeat, and recognise finished work.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from google.api_core import exceptions as google

from relay.adapters.database import Collection, Database, Found, all_of, any_of, is_null, where
from relay.adapters.document import (
    ACCOUNT,
    CREATED_AT,
    DELIVERY_KEY,
    FINISHED_AT,
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
    without_defaults,
)
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
from relay.domain.provider_list import ListRequest, ProviderList
from relay.domain.queue import Span
from relay.domain.readable import readable
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
LISTS = "lists"
LIST_REQUESTS = "listRequests"
NAME = "__name__"
# So many jobs of one render are looked at by age, and so many of those that were submitted.
OWNERS_LIMIT = 20
# Before every submission; a range of times leaves out the nulls of those that were not submitted.
_BEFORE_ALL = datetime(1970, 1, 1, tzinfo=UTC)

# One call; longer than the store's own slow moments.
CALL_TIMEOUT_S = 6.0
# For the account: its lease must be renewed again before it runs out.
SHORT_CALL_TIMEOUT_S = 2.0

readable(Account)
readable(ListRequest)


@contextmanager
def _translated_errors(name: str) -> Iterator[None]:
    """Raise our errors for the vendor's."""
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
def _translated_query_errors(name: str) -> Iterator[None]:
    """Do the same for a query, which cannot lose a race: its precondition is an index."""
    try:
        with _translated_errors(name):
            yield
    except LostRace as error:
        log.exception("query has no index", extra={"fields": {"query": name}})
        raise StoreUnavailable(f"{name}: no index") from error


@dataclass(frozen=True, slots=True)
class _Version:
    """One version of a job's document, with its fields.

    So a later write sends only what differs: encoding a whole job takes longer than everything
    else that a callback does.
    """

    number: int
    document: Mapping[str, Any] = field(compare=False, repr=False)


class FirestoreJobs:
    """The collection ``jobs``.

    Args:
        time_to_live: How long after its end a document is kept.
    """

    def __init__(self, database: Database, *, time_to_live: timedelta) -> None:
        self._jobs = Collection(database, JOBS, timeout_s=CALL_TIMEOUT_S)
        self._time_to_live = time_to_live

    def create(self, job: Job) -> object:
        """See `JobDocuments`."""
        document = to_document(job, time_to_live=self._time_to_live)
        with _translated_errors(job.id):
            return _Version(self._jobs.create(job.id, without_defaults(document)), document)

    def read(self, job_id: str) -> Stored:
        """See `JobDocuments`."""
        if not is_job_id(job_id):
            raise JobNotFound(job_id)
        with _translated_errors(job_id):
            found = self._jobs.get(job_id)
        if found is None:
            raise JobNotFound(job_id)
        return _stored(found)

    def replace(self, job: Job, *, version: object) -> object:
        """See `JobDocuments`."""
        assert isinstance(version, _Version)  # noqa: S101 - nobody else makes versions
        document = changeable_fields(job, time_to_live=self._time_to_live)
        with _translated_errors(job.id):
            number = self._jobs.update(
                job.id,
                _changes(version.document, document),
                removed=[name for name in REMOVABLE if name not in document],
                version=version.number,
            )
        return _Version(number, document)

    def due(self, account: str, *, after: datetime | None, until: datetime, limit: int) -> DuePage:
        """See `JobDocuments`."""
        filters = [where(ACCOUNT, "==", account), where(WAKE_AT, "<=", until)]
        if after is not None:
            filters.append(where(WAKE_AT, ">", after))
        query = self._jobs.query(*filters, order_by=[WAKE_AT], limit=limit, select=SCANNED_FIELDS)
        with _translated_query_errors(f"due jobs of {account}"):
            found = self._jobs.run(query)
        due = [(one.fields[WAKE_AT], _stored_or_unreadable(one)) for one in found]
        return DuePage.of(due, after=after, limit=limit)

    def queued(self, account: str, *, spans: Sequence[Span], limit: int) -> Sequence[Queued]:
        """See `JobDocuments`."""
        in_spans = [
            all_of([where(QUEUE_KEY, ">", one.after), where(QUEUE_KEY, "<", one.before)])
            for one in spans
        ]
        query = self._jobs.query(
            where(ACCOUNT, "==", account),
            any_of(in_spans),
            order_by=[QUEUE_KEY],
            limit=limit,
            select=(*SCANNED_FIELDS, QUEUE_KEY),
        )
        with _translated_query_errors(f"queue of {account}"):
            found = self._jobs.run(query)
        return [Queued(one.fields[QUEUE_KEY], _stored_or_unreadable(one)) for one in found]

    def deliveries(self, *, span: Span, limit: int) -> Sequence[Queued]:
        """See `JobDocuments`."""
        query = self._jobs.query(
            where(DELIVERY_KEY, ">", span.after),
            where(DELIVERY_KEY, "<", span.before),
            order_by=[DELIVERY_KEY],
            limit=limit,
            select=(*SCANNED_FIELDS, DELIVERY_KEY),
        )
        with _translated_query_errors("callbacks to deliver"):
            found = self._jobs.run(query)
        return [Queued(one.fields[DELIVERY_KEY], _stored_or_unreadable(one)) for one in found]

    def set_aside(self, job_id: str, *, until: datetime) -> None:
        """See `JobDocuments`."""
        with _translated_errors(job_id):
            self._jobs.update(job_id, {WAKE_AT: until}, removed=[QUEUE_KEY], version=None)

    def count_open(
        self, tenant: str, account: str, *, status: Status | None = None, most: int | None = None
    ) -> int:
        """See `JobCounts`; reads none of other tenants' index entries, nor of ended jobs."""
        filters = [
            where("tenant", "==", tenant),
            where(ACCOUNT, "==", account),
            is_null(FINISHED_AT),
        ]
        if status is not None:
            filters.append(where("status", "==", status.value))
        with _translated_query_errors(f"count of {account}"):
            return self._jobs.count(self._jobs.query(*filters, limit=most))

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
        is_by_end = wanted.ended_after is not None
        order = FINISHED_AT if is_by_end else CREATED_AT
        query = self._jobs.query(
            where("tenant", "==", tenant),
            *_conditions(wanted),
            order_by=[order, NAME],
            descending=not is_by_end,
            after=None if after is None else (after.at, after.job_id),
            limit=wanted.most_read(size) + 1,
        )
        with (
            _translated_query_errors(f"jobs of {tenant}"),
            closing(self._jobs.stream(query)) as documents,
        ):
            return JobPage.of(
                (
                    (Cursor(one.fields[order], one.name), _stored_or_unreadable(one), length)
                    for one, length in documents
                ),
                wanted=wanted,
                size=size,
                max_bytes=max_bytes,
            )

    def find(self, tenant: str, provider: str, provider_job_id: str) -> Stored:
        """See `JobListings`; the latest of them, so that the lists' indexes serve."""
        filters = [*_of_render(provider, provider_job_id), where("tenant", "==", tenant)]
        query = self._jobs.query(*filters, order_by=[CREATED_AT], descending=True, limit=1)
        with _translated_query_errors(f"job of {tenant}"):
            found = self._jobs.run(query)
        if not found:
            raise JobNotFound(provider)
        return _stored(found[0])

    def is_anothers(self, job: Job) -> bool:
        """See `RenderOwners`."""
        filters = _of_render(job.provider, job.provider_job_id)
        with _translated_query_errors(job.id):
            # By age: later ones of the same tenant do not hide the first.
            query = self._jobs.query(*filters, order_by=[CREATED_AT], limit=OWNERS_LIMIT)
            found = self._jobs.run(query)
            if len(found) == OWNERS_LIMIT:
                # Many early followers must not hide who submitted it after them.
                filters.append(where(SUBMITTED_AT, ">", _BEFORE_ALL))
                query = self._jobs.query(*filters, order_by=[SUBMITTED_AT], limit=OWNERS_LIMIT)
                found += self._jobs.run(query)
        return any(
            one.fields.get("tenant") != job.tenant
            and (
                one.fields.get(SUBMITTED_AT) is not None or one.fields[CREATED_AT] < job.created_at
            )
            for one in found
        )


class FirestoreAccounts:
    """The collection ``accounts``."""

    def __init__(self, database: Database) -> None:
        self._accounts = Collection(database, ACCOUNTS, timeout_s=SHORT_CALL_TIMEOUT_S)

    def read(self, name: str) -> StoredAccount:
        """See `Accounts`."""
        with _translated_errors(name):
            found = self._accounts.get_with_age(name)
        if found is None:
            return StoredAccount(Account(name=name), None, 0.0)
        document, age_s = found
        return StoredAccount(from_fields(Account, document.fields), document.version, age_s)

    def replace(self, account: Account, *, version: object) -> object:
        """See `Accounts`."""
        return _write_over(self._accounts, account.name, to_fields(account), version=version)


class FirestoreDurations:
    """The collection ``durations``."""

    def __init__(self, database: Database) -> None:
        self._durations = Collection(database, DURATIONS, timeout_s=SHORT_CALL_TIMEOUT_S)

    def read(self, account: str) -> tuple[Mapping[str, Durations], object]:
        """See `DurationsDocuments`."""
        with _translated_errors(account):
            found = self._durations.get(account)
        if found is None:
            return {}, None
        operations = found.fields.get(OPERATIONS, {})
        known = {name: Durations.from_plain(plain) for name, plain in operations.items()}
        return known, found.version

    def replace(self, account: str, durations: Mapping[str, Durations], *, version: object) -> None:
        """See `DurationsDocuments`."""
        document = {OPERATIONS: {name: one.to_plain() for name, one in durations.items()}}
        _write_over(self._durations, account, document, version=version)


class FirestoreLists:
    """The collections ``lists``, one document a list, and ``listRequests``, one an account."""

    def __init__(self, database: Database) -> None:
        self._lists = Collection(database, LISTS, timeout_s=CALL_TIMEOUT_S)
        self._requests = Collection(database, LIST_REQUESTS, timeout_s=SHORT_CALL_TIMEOUT_S)

    def copy(self, account: str, name: str) -> ProviderList | None:
        """See `ListDocuments`."""
        with _translated_errors(f"{account}-{name}"):
            found = self._lists.get(f"{account}-{name}")
        if found is None:
            return None
        return ProviderList(content_type=found.fields["contentType"], body=found.fields["body"])

    def keep(self, account: str, name: str, copy: ProviderList) -> None:
        """See `ListDocuments`."""
        fields = {"contentType": copy.content_type, "body": copy.body}
        with _translated_errors(f"{account}-{name}"):
            self._lists.put(f"{account}-{name}", fields)

    def requests(self, account: str) -> tuple[Mapping[str, ListRequest], object]:
        """See `ListDocuments`."""
        with _translated_errors(account):
            found = self._requests.get(account)
        if found is None:
            return {}, None
        requests = {name: from_fields(ListRequest, one) for name, one in found.fields.items()}
        return requests, found.version

    def replace_requests(
        self, account: str, requests: Mapping[str, ListRequest], *, version: object
    ) -> None:
        """See `ListDocuments`."""
        document = {name: to_fields(one) for name, one in requests.items()}
        _write_over(self._requests, account, document, version=version)


def _write_over(
    collection: Collection, name: str, fields: Mapping[str, Any], *, version: object
) -> int:
    """Write a document over this version, None for a new one; raise `LostRace`."""
    try:
        with _translated_errors(name):
            if version is None:
                return collection.create(name, fields)
            assert isinstance(version, int)  # noqa: S101 - nobody else makes versions
            return collection.update(name, fields, version=version)
    except (JobExists, JobNotFound) as error:
        raise LostRace(name) from error


def _of_render(provider: str, provider_job_id: str | None) -> list[Any]:
    """Return the filters for all jobs of one render."""
    return [
        where("provider", "==", provider),
        where("providerJobId", "==", provider_job_id),
    ]


def _conditions(wanted: JobFilter) -> Iterator[Any]:
    """Yield what the index looks for; a page sifts the rest."""
    if wanted.ended_after is not None:
        # An index for each other filter would be written with every change of every job.
        yield where(FINISHED_AT, ">", wanted.ended_after)
        return
    equal = {
        "provider": wanted.provider,
        "operation": wanted.operation,
        "providerJobId": wanted.provider_job_id,
    }
    for name, value in equal.items():
        if value is not None:
            yield where(name, "==", value)
    if wanted.statuses:
        words = [status.value for status in wanted.statuses]
        yield where("status", "in", words) if words[1:] else where("status", "==", words[0])
    if wanted.metadata is not None:
        yield where(METADATA_PAIRS, "contains", pair_digest(*wanted.metadata))
    if wanted.created_after is not None:
        yield where(CREATED_AT, ">", wanted.created_after)
    if wanted.created_before is not None:
        yield where(CREATED_AT, "<", wanted.created_before)


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields to write so that one document becomes the other."""
    return {name: value for name, value in after.items() if before.get(name) != value}


def _stored(found: Found) -> Stored:
    version = _Version(found.version, found.fields)
    return Stored(from_document(found.name, found.fields), version)


def _stored_or_unreadable(found: Found) -> Stored | Unreadable:
    try:
        return _stored(found)
    except UnreadableJob as error:
        return Unreadable(found.name, str(error))
