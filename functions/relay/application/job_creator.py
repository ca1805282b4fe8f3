"""Creates jobs for callers."""

import base64
import hashlib
import json
import logging
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import timedelta

import msgspec

from relay.application.ports import Clock, JobCounts, Stored
from relay.application.quota import OpenJobsQuota, Reservation
from relay.application.store import JobStore
from relay.application.tracer import UNTRACED, Span, Tracer
from relay.application.waker import Waker
from relay.domain.callback import Callback, CallbackShape
from relay.domain.callback_url import read_callback_url
from relay.domain.catalogue import CATALOGUE, RAW
from relay.domain.catalogue.fields import LocalUrls
from relay.domain.job import Actor, Entry, Job, Json, OnUnconfirmed, Priority, Status
from relay.domain.spelling import one_of
from relay.domain.validation import Mistakes
from relay.errors import InvalidRequest, JobNotFound, KeyReused, TooManyOpenJobs

log = logging.getLogger(__name__)

ID_LENGTH = 26
# Crockford's base32 in lower case, which avoids letters that are easily confused.
_STANDARD = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_CROCKFORD = b"0123456789abcdefghjkmnpqrstvwxyz"

DEFAULT_DEADLINE_S = 900

# Made once: json.dumps makes an encoder for every call that is not plain.
_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode


def _nothing() -> None:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJob:
    """A caller's request for a job, with its types checked.

    Attributes:
        input: None to follow a job that was submitted elsewhere.
        path: The path of a ``raw`` job; None for other operations.
        provider_job_id: The provider's id of the job to follow.
        retry_of: The job that this one retries.
        callback: Where its events are posted too, unchecked; None if nowhere.
    """

    provider: str
    operation: str
    input: Mapping[str, Json] | None
    metadata: Mapping[str, str]
    deadline_s: int
    on_unconfirmed: OnUnconfirmed
    priority: Priority = Priority.NORMAL
    path: str | None = None
    provider_job_id: str | None = None
    retry_of: str | None = None
    callback: Callback | None = None


class Created(msgspec.Struct, frozen=True, kw_only=True):
    """A job, and whether this call created it or an earlier one with the same key."""

    job: Job
    is_new: bool


class CreatePolicy(msgspec.Struct, frozen=True, kw_only=True):
    """Which jobs may be created.

    Attributes:
        accounts: The accounts that are switched on.
        allow_local_urls: Where the URLs of images and callbacks may be ``http`` and private.
        allow_raw: Accept `raw` jobs, whose input and path are not checked.
        allow_callbacks: Whether callbacks are switched on.
        max_open_jobs: How many open jobs a tenant may have in an account; None for no limit.
    """

    accounts: Collection[str]
    allow_local_urls: LocalUrls = False
    allow_raw: bool = True
    allow_callbacks: bool = False
    max_open_jobs: int | None = None


class JobCreator:
    """Creates jobs.

    Args:
        counts: Counts a tenant's open jobs.
        random_bytes: Returns that many unguessable bytes.
    """

    def __init__(
        self,
        *,
        policy: CreatePolicy,
        store: JobStore,
        counts: JobCounts,
        waker: Waker,
        clock: Clock,
        random_bytes: Callable[[int], bytes],
        tracer: Tracer = UNTRACED,
    ) -> None:
        self._policy = policy
        self._store = store
        self._waker = waker
        self._clock = clock
        self._random_bytes = random_bytes
        self._tracer = tracer
        most = policy.max_open_jobs
        self._quota = None if most is None else OpenJobsQuota(counts, clock=clock, most=most)

    def create(
        self,
        tenant: str,
        new: NewJob,
        *,
        idempotency_key: str | None,
        before_write: Callable[[], None] = _nothing,
    ) -> Created:
        """Write the job, queued or followed, and wake its account's pump.

        Args:
            before_write: Called just before the job is written, unless the create is refused.

        Raises:
            As `write`.
        """
        created = self.write(
            tenant, new, idempotency_key=idempotency_key, before_write=before_write
        )
        if not created.job.is_final:
            self._waker.wake(created.job.account)
        return created

    def write(
        self,
        tenant: str,
        new: NewJob,
        *,
        idempotency_key: str | None,
        before_write: Callable[[], None] = _nothing,
    ) -> Created:
        """Write the job, queued or followed; its account's pump is still to be woken.

        A repeated create returns the first job even if the tenant is over its quota.

        Args:
            before_write: As for `create`.

        Raises:
            InvalidRequest: Names the wrong fields.
            KeyReused: The idempotency key was used with another body.
            TooManyOpenJobs: The tenant is over its quota in this account.
            StoreUnavailable: The job may not be written; the call may be repeated if it has an
                idempotency key.
        """
        price = self.check(new)
        with self._tracer.create() as span:
            created = self._write(
                tenant,
                new,
                price=price,
                idempotency_key=idempotency_key,
                before_write=before_write,
                span=span,
            )
            span.describe(created.job)
            return created

    def _write(
        self,
        tenant: str,
        new: NewJob,
        *,
        price: float | None,
        idempotency_key: str | None,
        before_write: Callable[[], None],
        span: Span,
    ) -> Created:
        now = self._clock.now()
        status = Status.QUEUED if new.provider_job_id is None else Status.PROCESSING
        note = "created" if new.provider_job_id is None else "followed: submitted elsewhere"
        job = Job(
            id=self._job_id(tenant, idempotency_key),
            tenant=tenant,
            provider=new.provider,
            operation=new.operation,
            input=new.input,
            path=new.path,
            metadata=new.metadata,
            on_unconfirmed=new.on_unconfirmed,
            priority=new.priority,
            credits=price,
            body_digest=body_digest(new),
            retry_of=new.retry_of,
            created_at=now,
            deadline_at=now + timedelta(seconds=new.deadline_s),
            status=status,
            history=(Entry(at=now, status=status, by=Actor.CALLER, note=note),),
            call_at=None if new.provider_job_id is None else now,
            provider_job_id=new.provider_job_id,
            is_acknowledged=new.provider_job_id is not None,
            callback=new.callback,
            trace=span.context,
        )
        try:
            with self._reserved(job) as reservation:
                before_write()
                created = self._as_created(job, self._store.create(job))
                if created.is_new:
                    reservation.use()
                return created
        except TooManyOpenJobs:
            first_of_key = self._known(job.id) if idempotency_key is not None else None
            if first_of_key is None:
                raise
            return self._as_created(job, first_of_key)

    @property
    def takes_callbacks(self) -> bool:
        """Whether callbacks are switched on."""
        return self._policy.allow_callbacks

    def check(self, new: NewJob) -> float | None:
        """Validate the request and return the job's price; None if unknown.

        Raises:
            InvalidRequest: Names the wrong fields.
        """
        mistakes = Mistakes()
        price = mistakes.attempt(self._check_render, new)
        if new.callback is not None:
            mistakes.attempt(self._check_callback, new.callback.url)
        mistakes.raise_if_any()
        return price

    def _check_callback(self, url: str) -> None:
        if not self._policy.allow_callbacks:
            expected = "callbackUrl is not taken: callbacks are not switched on here"
            raise InvalidRequest("/callbackUrl", expected)
        try:
            read_callback_url(url, allow_local_urls=self._policy.allow_local_urls)
        except ValueError as error:
            raise InvalidRequest("/callbackUrl", f"callbackUrl {error}") from None

    def _check_render(self, new: NewJob) -> float | None:
        if new.provider not in CATALOGUE:
            raise InvalidRequest("/provider", f"provider {one_of(new.provider, CATALOGUE)}")
        if new.provider not in self._policy.accounts:
            raise InvalidRequest("/provider", f"provider {new.provider} is not switched on here")
        operations = CATALOGUE[new.provider].operations
        offered = [name for name in operations if self._policy.allow_raw or name != RAW]
        if new.operation not in offered:
            expected = one_of(new.operation, offered)
            raise InvalidRequest("/operation", f"operation of {new.provider} {expected}")
        operation = operations[new.operation]
        if new.input is None:
            if new.path is not None:
                raise InvalidRequest("/path", "path is not taken with providerJobId")
            return None if operation.credits.with_field else operation.credits.amount
        mistakes = Mistakes()
        mistakes.attempt(operation.check_path, new.path)
        mistakes.attempt(operation.check, new.input, allow_local_urls=self._policy.allow_local_urls)
        mistakes.raise_if_any()
        return operation.credits.of(new.input)

    def check_key(self, tenant: str, new: NewJob, *, idempotency_key: str | None) -> None:
        """Check that the idempotency key was not used with another body.

        Raises:
            KeyReused: It was.
            StoreUnavailable: The store did not answer.
        """
        if idempotency_key is None:
            return
        known = self._known(self._job_id(tenant, idempotency_key))
        if known is not None and known.job.body_digest != body_digest(new):
            raise KeyReused

    def _reserved(self, job: Job) -> AbstractContextManager[Reservation]:
        if self._quota is None:
            return nullcontext(Reservation())
        return self._quota.reserve(job.tenant, job.account)

    def _known(self, job_id: str) -> Stored | None:
        try:
            return self._store.read(job_id)
        except JobNotFound:
            return None

    def _as_created(self, job: Job, stored: Stored) -> Created:
        if stored.job.body_digest != job.body_digest:
            raise KeyReused
        is_new = stored.job.created_at == job.created_at
        if is_new:
            log.info(
                "job created",
                extra={
                    "fields": {
                        "job_id": job.id,
                        "tenant": job.tenant,
                        "provider": job.provider,
                        "operation": job.operation,
                    }
                },
            )
        return Created(job=stored.job, is_new=is_new)

    def _job_id(self, tenant: str, idempotency_key: str | None) -> str:
        if idempotency_key is None:
            return job_id(self._random_bytes(20))
        seed = json.dumps(["render-relay job", tenant, idempotency_key]).encode()
        return job_id(hashlib.sha256(seed).digest())


def job_id(seed: bytes) -> str:
    """Return the job id made from the first 17 of these bytes."""
    alphabet = bytes.maketrans(_STANDARD, _CROCKFORD)
    letters = base64.b32encode(seed).translate(alphabet)[:ID_LENGTH]
    return f"job_{letters.decode()}"


def body_digest(new: NewJob) -> str:
    """Return a digest that is equal for requests that ask for the same."""
    body: list[object] = [
        new.provider,
        new.operation,
        new.input,
        new.metadata,
        new.deadline_s,
        new.on_unconfirmed.value,
    ]
    # Optional fields are appended, not null: digests outlive a deployment.
    if new.path is not None:
        body.append(new.path)
    if new.provider_job_id is not None:
        body.append({"providerJobId": new.provider_job_id})
    if new.retry_of is not None:
        body.append({"retryOf": new.retry_of})
    if new.priority is not Priority.NORMAL:
        body.append({"priority": new.priority.value})
    if new.callback is not None:
        body.append({"callbackUrl": new.callback.url})
        if new.callback.shape is not CallbackShape.EVENT:
            body.append({"callbackShape": new.callback.shape.value})
    return hashlib.sha256(_canonical(body).encode()).hexdigest()
