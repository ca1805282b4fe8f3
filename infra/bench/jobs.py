"""Jobs as benchmarks need them, and documents put straight into the store, many at a time."""

import itertools
import secrets
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from google.cloud import firestore
from google.cloud.firestore_v1.types import CommitRequest

from relay.adapters.document import QUEUE_KEY, WAKE_AT, to_document
from relay.adapters.firestore import JOBS
from relay.application.job_creator import job_id
from relay.domain.job import Actor, Claim, Entry, Job, Json, OnUnconfirmed, Status
from relay.domain.queue import queue_key

T = TypeVar("T")

GEPETTO_INPUT: dict[str, Json] = {
    "url": "https://pictures.example.com/listings/4711/living-room.jpg",
    "styleId": "modern",
    "roomId": "living_room",
    "creativity": 12,
}
OUTPUT = "https://cdn.example.com/renders/0123456789abcdef.png"
METADATA = {"listing": "4711", "room": "living"}
TIME_TO_LIVE = timedelta(days=30)
# What one commit of the service takes.
BATCH = 500


def new_job_id() -> str:
    """Return an id that no other job has."""
    return job_id(secrets.token_bytes(20))


def queued_job(
    *,
    at: datetime,
    tenant: str = "bench",
    provider: str = "gepetto",
    operation: str = "redesign",
    given: Any = None,
) -> Job:
    """Return a job that was created at this moment and waits to be submitted."""
    return Job(
        id=new_job_id(),
        tenant=tenant,
        provider=provider,
        operation=operation,
        input=GEPETTO_INPUT if given is None else given,
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
    """Return a job that its provider took, and that is to be polled then."""
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
    """Write the jobs' documents, some hundreds in one commit."""
    for some in _in_batches(jobs):
        batch = client.batch()
        for job in some:
            document = to_document(job, time_to_live=TIME_TO_LIVE)
            batch.create(client.collection(JOBS).document(job.id), document)
        batch.commit()


def store_copies(
    client: firestore.Client, job: Job, poll_ats: Iterable[datetime], *, collection: str = JOBS
) -> list[str]:
    """Write copies of a job, one for each of these moments of the next poll; return their ids."""

    def set_fields(fields: Any, job_id: str, poll_at: datetime) -> None:
        del job_id
        for name in ("callAt", WAKE_AT):
            fields[name].timestamp_value.FromDatetime(poll_at)

    return _store_copies(client, job, poll_ats, set_fields, collection=collection)


def store_queue(client: firestore.Client, job: Job, length: int) -> list[str]:
    """Write so many copies of a queued job, each created a moment after the one before."""

    def set_fields(fields: Any, job_id: str, created_at: datetime) -> None:
        copy = replace(job, id=job_id, created_at=created_at)
        fields["createdAt"].timestamp_value.FromDatetime(created_at)
        fields[QUEUE_KEY].string_value = queue_key(copy)

    created_ats = (job.created_at + timedelta(microseconds=number) for number in range(length))
    return _store_copies(client, job, created_ats, set_fields, collection=JOBS)


def delete(client: firestore.Client, job_ids: Iterable[str]) -> None:
    """Delete these jobs' documents, some hundreds in one commit."""
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
    """Write copies of a job past the client's encoding, which takes a millisecond a document."""
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
            ids.append(new_job_id())
            write.update.name = f"{folder}/{ids[-1]}"
            set_fields(write.update.fields, ids[-1], moment)
        api.commit(request=request)
    return ids


def _in_batches(items: Iterable[T]) -> Iterator[list[T]]:
    left = iter(items)
    while some := list(itertools.islice(left, BATCH)):
        yield some
