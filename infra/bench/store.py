"""The Firestore emulator as benchmarks use it: counted calls, and jobs written in bulk."""

import itertools
import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

import grpc
from google.cloud.firestore_v1.types import CommitRequest, Write

from relay.adapters.database import Database
from relay.adapters.document import QUEUE_KEY, WAKE_AT, encode_fields, to_document, without_defaults
from relay.adapters.firestore import JOBS
from relay.application.job_creator import job_id
from relay.domain.callback import Callback
from relay.domain.events import published
from relay.domain.job import Actor, Claim, Entry, Job, Json, OnUnconfirmed, Status
from relay.domain.queue import queue_key
from relay.domain.transitions import succeeded

T = TypeVar("T")

READ, WRITE, QUERY = "read", "write", "query"
"""Reads of a document by its name, writes of a document, queries of a collection."""
FOUND, BILLED = "found", "billed"
"""Documents that queries returned; the same with at least one a query, as the service bills."""

PICTURE = "https://pictures.example.com/listings/4711/living-room.jpg"
OUTPUT = "https://cdn.example.com/renders/0123456789abcdef.png"
METADATA = {"listing": "4711", "room": "living"}
TIME_TO_LIVE = timedelta(days=30)
# The service's limit for one commit.
BATCH = 500


def firestore_client(
    host: str,
    *,
    project: str,
    interceptors: Sequence[grpc.UnaryUnaryClientInterceptor] = (),
) -> Database:
    """Return a real client of an emulator, whatever this process's environment says."""
    channel = grpc.intercept_channel(grpc.insecure_channel(host), *interceptors)
    return Database(channel, project=project)


def total(counts: Counter[tuple[str, str]], operation: str, path: str = "") -> int:
    """Return how often this was done to paths that begin so."""
    return sum(
        times
        for (done, where), times in counts.items()
        if done == operation and where.startswith(path)
    )


class CountingInterceptor(
    grpc.UnaryUnaryClientInterceptor,  # type: ignore[misc]
    grpc.UnaryStreamClientInterceptor,  # type: ignore[misc]
):
    """Counts what leaves a Firestore client, at its gRPC channel.

    Attributes:
        counts: By operation, and the document's path; by the collection's for `QUERY` and `BILLED`.
    """

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, str]] = Counter()

    def intercept_unary_unary(self, send: Any, details: Any, request: Any) -> Any:
        """See grpc."""
        for write in getattr(request, "writes", ()):
            self.counts[WRITE, _below_documents(write.update.name)] += 1
        if name := getattr(request, "name", ""):
            self.counts[READ, _below_documents(name)] += 1
        return send(details, request)

    def intercept_unary_stream(self, send: Any, details: Any, request: Any) -> Any:
        """See grpc."""
        for name in getattr(request, "documents", ()):
            self.counts[READ, _below_documents(name)] += 1
        answers = send(details, request)
        if not hasattr(request, "structured_query"):
            return answers
        collection = request.structured_query.from_[0].collection_id
        self.counts[QUERY, collection] += 1
        self.counts[BILLED, collection] += 1
        return _CountedAnswers(answers, counts=self.counts, collection=collection)


class _CountedAnswers:
    """A query's answers, counted as they are read."""

    def __init__(self, answers: Any, *, counts: Counter[tuple[str, str]], collection: str) -> None:
        self._answers = answers
        self._counts = counts
        self._collection = collection
        self._documents = 0

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        answer = next(self._answers)
        if answer.document.name:
            self._documents += 1
            self._counts[FOUND, _below_documents(answer.document.name)] += 1
            if self._documents > 1:
                self._counts[BILLED, self._collection] += 1
        return answer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._answers, name)


def _below_documents(name: str) -> str:
    return name.rpartition("/documents/")[2]


def job_body(provider: str, picture: str = PICTURE) -> dict[str, Any]:
    """Return what a caller sends to have a picture rendered."""
    operation = "redesign"
    given: dict[str, Json] = {
        "url": picture,
        "styleId": "modern",
        "roomId": "living_room",
        "creativity": 12,
    }
    if provider == "spacely":
        operation = "advance"
        given = {"model": "spacely-v1", "imageUrl": picture, "renovateType": "residential"}
    return {"provider": provider, "operation": operation, "input": given}


def queued_job(
    *, at: datetime, tenant: str = "bench", provider: str = "gepetto", picture: str = PICTURE
) -> Job:
    """Return a job that was created at this moment and waits to be submitted."""
    body = job_body(provider, picture)
    return Job(
        id=_new_job_id(),
        tenant=tenant,
        provider=provider,
        operation=body["operation"],
        input=body["input"],
        path=None,
        metadata=METADATA,
        on_unconfirmed=OnUnconfirmed.WAIT,
        credits=None,
        body_digest="0" * 64,
        retry_of=None,
        created_at=at,
        deadline_at=at + timedelta(hours=12),
        status=Status.QUEUED,
        history=(Entry(at=at, status=Status.QUEUED, by=Actor.CALLER, note="created"),),
        call_at=None,
    )


def processing_job(*, at: datetime, poll_at: datetime, provider: str = "gepetto") -> Job:
    """Return a job that its provider accepted, to be polled at *poll_at*."""
    job = queued_job(at=at, provider=provider)
    history = (
        *job.history,
        Entry(at=at, status=Status.SUBMITTING, by=Actor.SUBMIT, note="claimed"),
        Entry(at=at, status=Status.PROCESSING, by=Actor.SUBMIT, note="accepted"),
    )
    return replace(
        job,
        status=Status.PROCESSING,
        history=history,
        call_at=poll_at,
        claim=Claim(token="0" * 16, expires_at=at + timedelta(seconds=40)),
        submitted_at=at,
        tries=1,
        provider_job_id=f"ref-{job.id[4:]}",
        is_acknowledged=True,
        provider_status="pending",
    )


def ended_job(
    *,
    at: datetime,
    tenant: str,
    outputs: Sequence[str] = (OUTPUT,),
    callback_url: str | None = None,
) -> Job:
    """Return a job that has succeeded and is announced; its callback is due, if it has one."""
    job = replace(
        processing_job(at=at, poll_at=at),
        tenant=tenant,
        callback=None if callback_url is None else Callback(url=callback_url),
    )
    job = succeeded(job, outputs=outputs, by=Actor.WEBHOOK, at=at)
    return published(job, job.announcements[0].id, at=at)


def store(database: Database, jobs: Iterable[Job]) -> None:
    """Write the jobs' documents, some hundreds in one commit."""
    store_documents(
        database, ((one.id, to_document(one, time_to_live=TIME_TO_LIVE)) for one in jobs)
    )


def store_documents(
    database: Database,
    documents: Iterable[tuple[str, Mapping[str, Any]]],
    *,
    in_one_commit: int = BATCH,
) -> None:
    """Write new documents of jobs, each with its id."""
    for some in _in_batches(documents, in_one_commit):
        _commit(database, (_creation(database, JOBS, name, fields) for name, fields in some))


def store_copies(
    database: Database, job: Job, poll_ats: Iterable[datetime], *, collection: str = JOBS
) -> list[str]:
    """Write copies of a job, one for each of these moments of the next poll; return their ids."""

    def set_fields(fields: Any, job_id: str, poll_at: datetime) -> None:
        del job_id
        for name in ("callAt", WAKE_AT):
            fields[name].timestamp_value.FromDatetime(poll_at)

    return _store_copies(database, job, poll_ats, set_fields, collection=collection)


def store_queue(database: Database, job: Job, length: int) -> list[str]:
    """Write so many copies of a queued job, each created a moment after the one before."""

    def set_fields(fields: Any, job_id: str, created_at: datetime) -> None:
        copy = replace(job, id=job_id, created_at=created_at)
        fields["createdAt"].timestamp_value.FromDatetime(created_at)
        fields[QUEUE_KEY].string_value = queue_key(copy)

    created_ats = (job.created_at + timedelta(microseconds=number) for number in range(length))
    return _store_copies(database, job, created_ats, set_fields, collection=JOBS)


def delete(database: Database, job_ids: Iterable[str]) -> None:
    """Delete these jobs' documents, some hundreds in one commit."""
    for some in _in_batches(job_ids, BATCH):
        _commit(database, (Write.pb()(delete=_path(database, JOBS, name)) for name in some))


def _store_copies(
    database: Database,
    job: Job,
    moments: Iterable[datetime],
    set_fields: Callable[[Any, str, datetime], None],
    *,
    collection: str,
) -> list[str]:
    """Write copies of a job without encoding each one anew."""
    ids: list[str] = []
    document = without_defaults(to_document(job, time_to_live=TIME_TO_LIVE))
    template = _creation(database, collection, job.id, document)

    def copy(moment: datetime) -> Any:
        write = Write.pb()()
        write.CopyFrom(template)
        ids.append(_new_job_id())
        write.update.name = _path(database, collection, ids[-1])
        set_fields(write.update.fields, ids[-1], moment)
        return write

    for some in _in_batches(moments, BATCH):
        _commit(database, map(copy, some))
    return ids


def _creation(database: Database, collection: str, name: str, fields: Mapping[str, Any]) -> Any:
    write = Write.pb()()
    write.update.name = _path(database, collection, name)
    write.current_document.exists = False
    encode_fields(fields, write.update.fields)
    return write


def _commit(database: Database, writes: Iterable[Any]) -> None:
    request = CommitRequest.pb()(database=database.name, writes=writes)
    database.api.commit(request=CommitRequest.wrap(request))


def _path(database: Database, collection: str, name: str) -> str:
    return f"{database.name}/documents/{collection}/{name}"


def _new_job_id() -> str:
    return job_id(secrets.token_bytes(20))


def _in_batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    left = iter(items)
    while some := list(itertools.islice(left, size)):
        yield some
