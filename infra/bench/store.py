"""The Firestore emulator as benchmarks use it: counted calls, and jobs written in bulk."""

import itertools
import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

import grpc
from google.auth.credentials import AnonymousCredentials
from google.cloud import firestore
from google.cloud.firestore_v1.services.firestore import FirestoreClient
from google.cloud.firestore_v1.services.firestore.transports import FirestoreGrpcTransport
from google.cloud.firestore_v1.types import CommitRequest

from relay.adapters.document import QUEUE_KEY, WAKE_AT, to_document
from relay.adapters.firestore import JOBS
from relay.application.job_creator import job_id
from relay.domain.job import Actor, Claim, Entry, Job, Json, OnUnconfirmed, Status
from relay.domain.queue import queue_key

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
) -> firestore.Client:
    """Return a real client of an emulator, whatever this process's environment says."""
    channel = grpc.intercept_channel(grpc.insecure_channel(host), *interceptors)
    credentials = AnonymousCredentials()  # type: ignore[no-untyped-call]
    client = firestore.Client(project=project, credentials=credentials)
    client._firestore_api_internal = FirestoreClient(  # noqa: SLF001 - it takes no transport
        transport=FirestoreGrpcTransport(channel=channel)
    )
    return client


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
        counts: By operation, and the path of the document or the queried collection.
    """

    def __init__(self) -> None:
        self.counts: Counter[tuple[str, str]] = Counter()

    def intercept_unary_unary(self, send: Any, details: Any, request: Any) -> Any:
        """See grpc."""
        for write in getattr(request, "writes", ()):
            self.counts[WRITE, _path(write.update.name)] += 1
        if name := getattr(request, "name", ""):
            self.counts[READ, _path(name)] += 1
        return send(details, request)

    def intercept_unary_stream(self, send: Any, details: Any, request: Any) -> Any:
        """See grpc."""
        for name in getattr(request, "documents", ()):
            self.counts[READ, _path(name)] += 1
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
            self._counts[FOUND, self._collection] += 1
            if self._documents > 1:
                self._counts[BILLED, self._collection] += 1
        return answer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._answers, name)


def _path(name: str) -> str:
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


def store(client: firestore.Client, jobs: Iterable[Job]) -> None:
    """Write jobs, some hundreds in one commit."""
    for some in _in_batches(jobs):
        batch = client.batch()
        for job in some:
            document = to_document(job, time_to_live=TIME_TO_LIVE)
            batch.create(client.collection(JOBS).document(job.id), document)
        batch.commit()


def store_copies(
    client: firestore.Client, job: Job, poll_ats: Iterable[datetime], *, collection: str = JOBS
) -> list[str]:
    """Write a copy of a job for each of these times of its next poll; return their ids."""

    def set_fields(fields: Any, job_id: str, poll_at: datetime) -> None:
        del job_id
        for name in ("callAt", WAKE_AT):
            fields[name].timestamp_value.FromDatetime(poll_at)

    return _store_copies(client, job, poll_ats, set_fields, collection=collection)


def store_queue(client: firestore.Client, job: Job, length: int) -> list[str]:
    """Write *length* copies of a queued job, each created a microsecond after the last."""

    def set_fields(fields: Any, job_id: str, created_at: datetime) -> None:
        copy = replace(job, id=job_id, created_at=created_at)
        fields["createdAt"].timestamp_value.FromDatetime(created_at)
        fields[QUEUE_KEY].string_value = queue_key(copy)

    created_ats = (job.created_at + timedelta(microseconds=number) for number in range(length))
    return _store_copies(client, job, created_ats, set_fields, collection=JOBS)


def delete(client: firestore.Client, job_ids: Iterable[str]) -> None:
    """Delete jobs, some hundreds in one commit."""
    for some in _in_batches(job_ids):
        batch = client.batch()
        for name in some:
            batch.delete(client.collection(JOBS).document(name))
        batch.commit()


def _store_copies(
    client: firestore.Client,
    job: Job,
    moments: Iterable[datetime],
    set_fields: Callable[[Any, str, datetime], None],
    *,
    collection: str,
) -> list[str]:
    """Encode one document and copy that: the client takes a millisecond to encode each."""
    ids: list[str] = []
    api = client._firestore_api  # noqa: SLF001 - the public client encodes each document anew
    document = to_document(job, time_to_live=TIME_TO_LIVE)
    batch = client.batch()
    batch.create(client.collection(collection).document(job.id), document)
    template = type(batch._write_pbs[0]).pb(batch._write_pbs[0])  # noqa: SLF001
    folder = template.update.name.rpartition("/")[0]
    database = folder.partition("/documents/")[0]
    for some in _in_batches(moments):
        request = CommitRequest.pb(CommitRequest(database=database))
        for moment in some:
            write = request.writes.add()
            write.CopyFrom(template)
            ids.append(_new_job_id())
            write.update.name = f"{folder}/{ids[-1]}"
            set_fields(write.update.fields, ids[-1], moment)
        api.commit(request=request)
    return ids


def _new_job_id() -> str:
    return job_id(secrets.token_bytes(20))


def _in_batches(items: Iterable[T]) -> Iterator[list[T]]:
    left = iter(items)
    while some := list(itertools.islice(left, BATCH)):
        yield some
