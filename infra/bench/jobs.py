"""Jobs as benchmarks need them, and documents put straight into the store, many at a time."""

import itertools
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from google.cloud.firestore_v1.types import CommitRequest, Write

from relay.adapters.database import Database
from relay.adapters.document import QUEUE_KEY, WAKE_AT, encode_fields, to_document
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
    document = to_document(job, time_to_live=TIME_TO_LIVE)
    template = _creation(database, collection, job.id, document)

    def copy(moment: datetime) -> Any:
        write = Write.pb()()
        write.CopyFrom(template)
        ids.append(new_job_id())
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


def _in_batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    left = iter(items)
    while some := list(itertools.islice(left, size)):
        yield some
