"""Jobs as the examples show them, each brought to its state by the relay's own steps."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from infra.describe.samples import sample_input
from relay.application.progress import Progress, WaitingFor
from relay.domain import transitions
from relay.domain.catalogue import find_operation
from relay.domain.job import Actor, Claim, Entry, ErrorCode, Job, OnUnconfirmed, Status
from relay.edges.job_answer import answer_json

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
JOB_ID = "job_7k2m9q4x1v8c0d3f6h5j2n7p9r"
RETRY_ID = "job_0w3e6r9t2y5h8g1a4s7d0f3k6m"
PROVIDER_JOB_ID = "hV3kQ2pXn8Lw"
OUTPUT = "https://storage.example.com/renders/living-room.png"
_CLAIM = Claim(token="example", expires_at=NOON + timedelta(seconds=60))  # noqa: S106


def example_jobs() -> Mapping[str, Job]:
    """Return a job in every state, by its status, and some in special ones."""
    queued = _queued()
    claimed = transitions.claimed(queued, claim=_CLAIM, at=_after(1))
    processing = transitions.accepted(
        claimed,
        claim=_CLAIM,
        provider_job_id=PROVIDER_JOB_ID,
        provider_status="pending",
        poll_at=_after(30),
        at=_after(2),
    )
    failed = transitions.failed(
        processing,
        code=ErrorCode.RENDER_FAILED,
        message="the provider says that the render failed",
        by=Actor.POLL,
        at=_after(41),
        provider_status="failed",
    )
    cancelled = transitions.cancelled(processing, at=_after(12))
    return {
        "queued": queued,
        "submitting": claimed,
        "unconfirmed": transitions.unconfirmed(
            claimed,
            claim=_CLAIM,
            note="no answer within 30 s",
            at=_after(31),
        ),
        "processing": processing,
        "succeeded": transitions.succeeded(
            processing, outputs=[OUTPUT], by=Actor.WEBHOOK, at=_after(34)
        ),
        "failed": failed,
        "cancelled": cancelled,
        "late": transitions.succeeded(cancelled, outputs=[OUTPUT], by=Actor.WEBHOOK, at=_after(36)),
        "retry": replace(queued, id=RETRY_ID, retry_of=JOB_ID),
        "followed": _followed(),
    }


def shown(job: Job) -> Any:
    """Return the job as the API shows it, as plain JSON."""
    match job.status:
        case Status.QUEUED:
            progress = Progress(waiting_for=WaitingFor.TURN)
        case Status.PROCESSING if job.submitted_at is not None:
            progress = Progress(expected_at=_after(34))
        case _:
            progress = Progress()
    return msgspec.json.decode(answer_json(job, progress))


def _queued() -> Job:
    return Job(
        id=JOB_ID,
        tenant="demo",
        provider="gepetto",
        operation="redesign",
        input=sample_input("gepetto", find_operation("gepetto", "redesign")),
        path=None,
        metadata={"listing": "42"},
        on_unconfirmed=OnUnconfirmed.WAIT,
        credits=None,
        body_digest="",
        retry_of=None,
        created_at=NOON,
        deadline_at=_after(900),
        status=Status.QUEUED,
        history=(Entry(at=NOON, status=Status.QUEUED, by=Actor.CALLER, note="created"),),
        call_at=NOON,
    )


def _followed() -> Job:
    return replace(
        _queued(),
        input=None,
        status=Status.PROCESSING,
        provider_job_id=PROVIDER_JOB_ID,
        history=(Entry(at=NOON, status=Status.PROCESSING, by=Actor.CALLER, note="created"),),
    )


def _after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)
