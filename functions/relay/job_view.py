"""The job as the API, events and callbacks show it: JSON in camelCase, times RFC 3339 in UTC."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from relay.domain.callback import CallbackShape
from relay.domain.events import as_announced
from relay.domain.job import Announcement, EventType, Job
from relay.domain.json_text import JsonText


class OutputView(msgspec.Struct):
    """One output of a job."""

    url: str


class ProviderReplyView(msgspec.Struct):
    """What the provider said when it refused or failed the job."""

    status: int
    message: str


class ErrorView(msgspec.Struct):
    """Why a job failed."""

    code: str
    message: str
    retryable: bool
    provider: ProviderReplyView | msgspec.UnsetType = msgspec.UNSET


class EntryView(msgspec.Struct):
    """One line of a job's history."""

    at: datetime
    status: str
    by: str
    note: str


class KeptOutputView(msgspec.Struct, rename="camel"):
    """The copy of one output, or why there is none."""

    index: int
    uri: str | msgspec.UnsetType = msgspec.UNSET
    content_type: str | msgspec.UnsetType = msgspec.UNSET
    bytes: int | msgspec.UnsetType = msgspec.UNSET
    sha256: str | msgspec.UnsetType = msgspec.UNSET
    error: str | msgspec.UnsetType = msgspec.UNSET


class CallbackBody(msgspec.Struct):
    """An event as its callback carries it."""

    type: str
    timestamp: datetime
    data: "JobView"


class GepettoCallbackBody(msgspec.Struct):
    """A result as Gepetto's own webhook carries it (gepetto.md 2.4)."""

    id: str
    output: str | None


class JobView(msgspec.Struct, rename="camel"):
    """A job as its caller sees it; see contract, section 2."""

    id: str
    provider: str
    operation: str
    input: Mapping[str, Any] | None
    status: str
    outputs: list[OutputView]
    error: ErrorView | None
    metadata: Mapping[str, str]
    on_unconfirmed: str
    priority: str
    provider_job_id: str | None
    provider_status: str | None
    finished_by: str | None
    credits: float | None
    created_at: datetime
    submitted_at: datetime | None
    finished_at: datetime | None
    deadline_at: datetime
    history: list[EntryView]
    late_outputs: list[OutputView] | msgspec.UnsetType = msgspec.UNSET
    kept_outputs: list[KeptOutputView] | msgspec.UnsetType = msgspec.UNSET
    path: str | msgspec.UnsetType = msgspec.UNSET
    retry_of: str | msgspec.UnsetType = msgspec.UNSET


def view(job: Job) -> JobView:
    """Return what the job's caller may see."""
    return JobView(
        id=job.id,
        provider=job.provider,
        operation=job.operation,
        input=_shown(job.known_input),
        status=job.status,
        outputs=[OutputView(url) for url in job.outputs],
        error=_error(job),
        metadata=job.metadata,
        on_unconfirmed=job.on_unconfirmed,
        priority=job.priority,
        provider_job_id=job.provider_job_id,
        provider_status=job.provider_status,
        finished_by=job.finished_by,
        credits=job.cost,
        created_at=job.created_at,
        submitted_at=job.submitted_at,
        finished_at=job.finished_at,
        deadline_at=job.deadline_at,
        history=[EntryView(entry.at, entry.status, entry.by, entry.note) for entry in job.history],
        late_outputs=[OutputView(url) for url in job.late_outputs] or msgspec.UNSET,
        kept_outputs=_kept(job) or msgspec.UNSET,
        path=job.path or msgspec.UNSET,
        retry_of=job.retry_of or msgspec.UNSET,
    )


def _kept(job: Job) -> list[KeptOutputView]:
    kept = sorted(job.kept_outputs, key=lambda one: one.index)
    return [
        KeptOutputView(
            index=one.index,
            uri=one.uri,
            content_type=one.content_type,
            bytes=one.bytes,
            sha256=one.sha256,
        )
        if one.error is None
        else KeptOutputView(index=one.index, error=one.error)
        for one in kept
    ]


def _error(job: Job) -> ErrorView | None:
    error = job.error
    if error is None:
        return None
    said = error.provider
    return ErrorView(
        code=error.code,
        message=error.message,
        retryable=job.is_retryable,
        provider=ProviderReplyView(said.status, said.message) if said else msgspec.UNSET,
    )


def _shown(input: Mapping[str, Any] | None) -> Any:
    """Return the input so that what is stored as text is shown as that text."""
    return msgspec.Raw(input.text.encode()) if isinstance(input, JsonText) else input


def to_json(job: Job) -> bytes:
    """Return the job as JSON."""
    return msgspec.json.encode(view(job))


def event_json(job: Job, event: Announcement) -> bytes:
    """Return the data of an event, the same for every copy."""
    return to_json(as_announced(job, event.type))


def callback_json(shape: CallbackShape, job: Job, event: Announcement) -> bytes:
    """Return the body of an event's callback, the same for every attempt."""
    announced = as_announced(job, event.type)
    if shape is CallbackShape.GEPETTO:
        is_late = event.type is EventType.LATE_RESULT
        outputs = announced.late_outputs if is_late else announced.outputs
        return msgspec.json.encode(GepettoCallbackBody(job.id, next(iter(outputs), None)))
    return msgspec.json.encode(CallbackBody(event.type.value, event.at, view(announced)))
