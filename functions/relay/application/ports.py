"""The application's ports: the interfaces it needs from the outside."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

import msgspec

from relay.domain.account import Account
from relay.domain.answers import Accepted, PollAnswer, ProviderCallback
from relay.domain.durations import Durations
from relay.domain.job import Announcement, Job, Status
from relay.domain.limits import Limit
from relay.domain.poll_policy import PollPolicy
from relay.domain.provider_list import ListRequest, ProviderList
from relay.domain.queue import Span


class Stored(msgspec.Struct, frozen=True):
    """A job with its document's version.

    Attributes:
        version: Opaque; changes with every write of the document.
    """

    job: Job
    version: object


class Unreadable(msgspec.Struct, frozen=True):
    """A document that a query found but that does not parse.

    Attributes:
        why: What is wrong with it, without any of its content.
    """

    job_id: str
    why: str


class Queued(msgspec.Struct, frozen=True):
    """A document in a queue.

    Attributes:
        key: Its key; see `relay.domain.queue` and `relay.domain.delivery_queue`.
        item: The job, without its input.
    """

    key: str
    item: Stored | Unreadable


class DuePage(msgspec.Struct, frozen=True):
    """One page of due documents, earliest first; jobs without their input.

    Attributes:
        more_after: Where the next page starts; None on the last page.
    """

    items: Sequence[Stored | Unreadable]
    more_after: datetime | None

    @property
    def jobs(self) -> Sequence[Job]:
        """The jobs of those documents that parse."""
        return [one.job for one in self.items if isinstance(one, Stored)]

    @classmethod
    def of(
        cls,
        due: Sequence[tuple[datetime, Stored | Unreadable]],
        *,
        after: datetime | None,
        limit: int,
    ) -> "DuePage":
        """Return the page of these documents, each with its ``wakeAt``, earliest first.

        A full page continues just before its last moment, at which other documents may be due too.

        Args:
            after, limit: As they were asked for.
        """
        items = [item for _, item in due]
        if len(due) < limit:
            return cls(items, more_after=None)
        last = due[-1][0]
        before_last = last - timedelta(microseconds=1)
        is_progress = after is None or before_last > after
        return cls(items, more_after=before_last if is_progress else last)


# Firestore's limit for one query (its documentation: 30 disjunctions).
MAX_SPANS = 30


class JobDocuments(Protocol):
    """The collection of job documents; each call is one round trip.

    Every method may raise `StoreUnavailable`; a write may or may not have landed then.
    """

    def create(self, job: Job) -> object:
        """Write a new document and return its version; raise `JobExists` if there is one."""

    def read(self, job_id: str) -> Stored:
        """Read a document; raise `JobNotFound` or `UnreadableJob`."""

    def replace(self, job: Job, *, version: object) -> object:
        """Replace this version and return the new one; raise `LostRace`.

        Immutable fields are not written, so the job's input may be `UNREAD`.
        """

    def due(self, account: str, *, after: datetime | None, until: datetime, limit: int) -> DuePage:
        """Return the account's jobs with ``after < wakeAt <= until``."""

    def queued(self, account: str, *, spans: Sequence[Span], limit: int) -> Sequence[Queued]:
        """Return the account's first jobs with queue keys in these spans, in order.

        Args:
            spans: At most `MAX_SPANS`, ordered and disjoint.
        """

    def deliveries(self, *, span: Span, limit: int) -> Sequence[Queued]:
        """Return the first jobs with delivery keys in this span, in order, of all accounts."""

    def set_aside(self, job_id: str, *, until: datetime) -> None:
        """Set the document's ``wakeAt`` and remove its queue key, whatever else it contains."""


class Cursor(msgspec.Struct, frozen=True):
    """A position in a list of jobs: just after this job.

    Attributes:
        at: When the job was created or, in a list of ended jobs, when it ended.
    """

    at: datetime
    job_id: str


# Documents read for one page of ended jobs that has more filters: one index serves all of them.
MAX_SIFTED = 300


class JobFilter(msgspec.Struct, frozen=True, kw_only=True):
    """A filter for a tenant's jobs, and the order of their list; None matches any.

    Attributes:
        statuses: Any of these; empty for all.
        metadata: One key and its value.
        created_after, created_before: The moment itself does not match.
        ended_after: Only jobs that ended later, earliest end first. None for jobs that are open or
            ended, newest first.
    """

    provider: str | None = None
    operation: str | None = None
    statuses: tuple[Status, ...] = ()
    metadata: tuple[str, str] | None = None
    provider_job_id: str | None = None
    created_after: datetime | None = None
    created_before: datetime | None = None
    ended_after: datetime | None = None

    def matches(self, job: Job) -> bool:
        """Return whether a job belongs in the list."""
        return (
            self.provider in (None, job.provider)
            and self.operation in (None, job.operation)
            and (not self.statuses or job.status in self.statuses)
            and (self.metadata is None or self.metadata in job.metadata.items())
            and self.provider_job_id in (None, job.provider_job_id)
            and (self.created_after is None or job.created_at > self.created_after)
            and (self.created_before is None or job.created_at < self.created_before)
            and (
                self.ended_after is None
                or (job.finished_at is not None and job.finished_at > self.ended_after)
            )
        )

    def place(self, job: Job) -> Cursor:
        """Return the position of a job that matches."""
        if self.ended_after is None or job.finished_at is None:
            return Cursor(job.created_at, job.id)
        return Cursor(job.finished_at, job.id)

    def most_read(self, size: int) -> int:
        """Return how many documents may be read for a page of at most *size* jobs."""
        only_ended = JobFilter(ended_after=self.ended_after)
        return size if self.ended_after is None or self == only_ended else MAX_SIFTED


class JobPage(msgspec.Struct, frozen=True):
    """One page of a tenant's jobs, in the order of their list.

    Attributes:
        end: Where the next page starts. None on the last page; a list of ended jobs goes on as
            jobs end, so there only a page for which nothing was read is the last.
    """

    jobs: Sequence[Job]
    end: Cursor | None

    @classmethod
    def of(
        cls,
        documents: Iterable[tuple[Cursor, Stored | Unreadable, int]],
        *,
        wanted: JobFilter,
        size: int,
        max_bytes: int,
    ) -> "JobPage":
        """Take what fits into a page, at least one document; those that do not parse count too.

        Args:
            documents: In the order of the list, each with its place and its size in bytes.
        """
        most_read = wanted.most_read(size)
        jobs: list[Job] = []
        end, bytes_read = None, 0
        for count, (place, item, document_bytes) in enumerate(documents):
            bytes_read += document_bytes
            is_full = count == most_read or len(jobs) == size
            if is_full or (count and bytes_read > max_bytes):
                return cls(jobs, end=end)
            if isinstance(item, Stored) and wanted.matches(item.job):
                jobs.append(item.job)
            end = place
        return cls(jobs, end=None if wanted.ended_after is None else end)


class JobListings(Protocol):
    """Finds job documents for their tenants; raises `StoreUnavailable`."""

    def page(
        self,
        tenant: str,
        wanted: JobFilter,
        *,
        after: Cursor | None,
        size: int,
        max_bytes: int,
    ) -> JobPage:
        """Return the tenant's jobs after this position, skipping documents that do not parse.

        Args:
            max_bytes: Limit for the documents read for one page, unless there is only one.
        """

    def find(self, tenant: str, provider: str, provider_job_id: str) -> Stored:
        """Return the tenant's latest job with the provider's id; raise `JobNotFound`."""


class RenderOwners(Protocol):
    """Knows which tenant a provider's render belongs to."""

    def is_anothers(self, job: Job) -> bool:
        """Return whether the render named by a followed job is another tenant's.

        It is if another tenant's job was submitted under that id, or followed it earlier.

        Raises:
            StoreUnavailable: The store did not answer.
        """


class JobCounts(Protocol):
    """Counts job documents."""

    def count_open(
        self, tenant: str, account: str, *, status: Status | None = None, most: int | None = None
    ) -> int:
        """Return how many open jobs the tenant has in the account, counting up to *most*.

        Args:
            status: Count only jobs with this status; None for all.

        Raises:
            StoreUnavailable: The store did not answer.
        """


class Jobs(JobDocuments, JobListings, RenderOwners, JobCounts, Protocol):
    """The complete port to the collection of job documents."""


@dataclass(frozen=True, slots=True)
class StoredAccount:
    """An account as read.

    Attributes:
        version: For `Accounts.replace`; None if there is no document.
        age_s: Seconds since it was written, by the store's own clock at both ends.
    """

    account: Account
    version: object
    age_s: float


class Accounts(Protocol):
    """The account documents, through which pumps coordinate."""

    def read(self, name: str) -> StoredAccount:
        """Return the account; a new one if there is no document."""

    def replace(self, account: Account, *, version: object) -> object:
        """Replace this version and return the new one; raise `LostRace`."""


class DurationsDocuments(Protocol):
    """The learnt render durations: one document per account."""

    def read(self, account: str) -> tuple[Mapping[str, Durations], object]:
        """Return the durations by operation, and the version; empty if there is no document."""

    def replace(self, account: str, durations: Mapping[str, Durations], *, version: object) -> None:
        """Replace this version; raise `LostRace`."""


class ListDocuments(Protocol):
    """The copies of the providers' lists, and the requests for them; raises `StoreUnavailable`."""

    def copy(self, account: str, name: str) -> ProviderList | None:
        """Return the copy of a list; None if there is none."""

    def keep(self, account: str, name: str, copy: ProviderList) -> None:
        """Write the copy of a list, over any that is there."""

    def requests(self, account: str) -> tuple[Mapping[str, ListRequest], object]:
        """Return the requests by list, and the version; empty if there is no document."""

    def replace_requests(
        self, account: str, requests: Mapping[str, ListRequest], *, version: object
    ) -> None:
        """Replace this version; raise `LostRace`."""


class Topics(Protocol):
    """The topics that the relay publishes to; each call returns once the topic has confirmed."""

    def publish_event(self, job: Job, event: Announcement) -> None:
        """Publish one of the job's events; raise `PublishFailed`."""

    def publish_tick(self, account: str) -> None:
        """Wake the account's pump; raise `PublishFailed`."""


class Provider(Protocol):
    """One provider's API.

    Attributes:
        lists: Fetches each list that the provider has, by name; raises `NoAnswer`.
    """

    name: str
    limit: Limit
    poll_policy: PollPolicy
    lists: Mapping[str, Callable[[], ProviderList]]

    def submit(self, job: Job) -> Accepted:
        """Send the job.

        Raises:
            NotAccepted, PerhapsAccepted, JobRefused, AccountRefused: See `relay.errors`.
        """

    def poll(self, job: Job) -> PollAnswer:
        """Ask about the job.

        Raises:
            NoAnswer: The provider said nothing about the job.
            AccountRefused: The provider refuses the account for now.
        """


class EndpointReply(msgspec.Struct, frozen=True):
    """What a caller's endpoint answered.

    Attributes:
        retry_after_s: What ``Retry-After`` asks for; None if nothing readable.
    """

    status: int
    retry_after_s: float | None = None


class Endpoints(Protocol):
    """Callers' endpoints, called under guard; see contract, section 5a."""

    def post(self, url: str, *, headers: Mapping[str, str], body: bytes) -> EndpointReply:
        """Post JSON and return the answer, whatever its status.

        Raises:
            CallForbidden: The URL leads to an address that is not to be called.
            CallUnanswered: No answer came, or none in time.
        """


class Download(msgspec.Struct, frozen=True):
    """What a download answered.

    Attributes:
        body: Empty unless the status is 200.
    """

    status: int
    body: bytes

    @property
    def may_pass(self) -> bool:
        """Whether asking again may be answered otherwise: 5xx, and two 4xx.

        408 is a request's timeout and 429 too many requests (RFC 9110, 15.5.9; RFC 6585, 4).
        """
        return self.status >= 500 or self.status in (408, 429)


class Downloads(Protocol):
    """Fetches outputs under guard; see contract, section 5a."""

    def get(self, url: str) -> Download:
        """Fetch what a URL leads to, of 25 MiB and within 60 s at most.

        Raises:
            CallForbidden: The URL leads to an address that is not to be called.
            TooLarge: It is larger than that.
            CutShort: It ended before its ``Content-Length``.
            CallUnanswered: No answer came, or none in time.
        """


class StoredObject(msgspec.Struct, frozen=True, kw_only=True):
    """An object in the bucket.

    Attributes:
        uri: ``gs://`` and its bucket and name.
        sha256: Of the content, in hex.
    """

    uri: str
    content_type: str
    bytes: int
    sha256: str


class ObjectStream(Protocol):
    """The content of an object, in pieces."""

    def __iter__(self) -> Iterator[bytes]:
        """Yield the pieces; raise `BucketUnavailable` where they break off."""

    def close(self) -> None:
        """Hang up."""


class OutputBucket(Protocol):
    """The bucket of kept outputs; raises `BucketUnavailable`."""

    def put(self, name: str, body: bytes, *, content_type: str, sha256: str) -> StoredObject:
        """Create an object; return the one that is there already if there is one."""

    def open(self, uri: str) -> ObjectStream:
        """Open an object for reading; raise `OutputNotKept` if it has gone."""


class CallbackReader(Protocol):
    """Parses one provider's callbacks."""

    def __call__(self, body: object) -> ProviderCallback:
        """Return the content of the parsed body, which may be any JSON."""


class Clock(Protocol):
    """This machine's clocks."""

    def now(self) -> datetime:
        """Return the current time (aware, UTC)."""

    def monotonic(self) -> float:
        """Return seconds on a clock that is never adjusted."""

    def sleep(self, seconds: float) -> None:
        """Sleep for this many seconds."""


class Workers(Protocol):
    """Runs tasks concurrently with the pump's own thread."""

    def start(self, task: Callable[[], Any]) -> Future[Any]:
        """Start a task."""

    def wait(self, timeout_s: float) -> Sequence[Future[Any]]:
        """Return the tasks that ended since the last call; wait for one if there is none.

        Args:
            timeout_s: How long to wait at most.
        """

    def close(self, *, timeout_s: float | None) -> Sequence[Future[Any]]:
        """Wait for all tasks, stop the workers, and return the tasks not yet collected.

        Args:
            timeout_s: How long to wait at most; None for as long as it takes.
        """
