"""Jobs as tests need them: valid, at a fixed noon, with ids that never change."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from relay.domain.account import Account, taken
from relay.domain.admission import Hold
from relay.domain.events import with_event
from relay.domain.job import (
    Actor,
    Claim,
    Entry,
    ErrorCode,
    EventType,
    Job,
    JobError,
    Json,
    OnUnconfirmed,
    ProviderReply,
    Status,
)

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
JOB_ID = "job_00000000000000000000000001"
CLAIM = Claim(token="claim-1", expires_at=NOON + timedelta(seconds=40))
REFUSAL = ProviderReply(status=422, message="styleId is unknown")
PROVIDER_JOB_ID = "6512f0aa"
OUTPUT = "https://cdn.example.com/out.png"
LATE_OUTPUT = "https://cdn.example.com/late.png"
INPUT: dict[str, Json] = {
    "url": "https://example.com/room.jpg",
    "styleId": "modern",
    "roomId": "living_room",
    "creativity": 12,
}

_COMPLETIONS = {
    Status.SUCCEEDED: EventType.SUCCEEDED,
    Status.FAILED: EventType.FAILED,
    Status.CANCELLED: EventType.CANCELLED,
}


def later(seconds: float) -> datetime:
    """Return the moment so many seconds after noon."""
    return NOON + timedelta(seconds=seconds)


def job_id(number: int) -> str:
    """Return the id of a numbered job."""
    return f"job_{number:026d}"


# Made once, because some tests make 100,000 jobs.
_WAITING: dict[str, Any] = {
    "id": JOB_ID,
    "tenant": "demo",
    "provider": "gepetto",
    "operation": "redesign",
    "input": INPUT,
    "path": None,
    "metadata": {"listing": "42"},
    "on_unconfirmed": OnUnconfirmed.WAIT,
    "credits": None,
    "body_digest": "0" * 64,
    "retry_of": None,
    "created_at": NOON,
    "deadline_at": later(900),
    "status": Status.QUEUED,
    "history": (Entry(at=NOON, status=Status.QUEUED, by=Actor.CALLER, note="created"),),
    "call_at": None,
}


def a_job(**changes: Any) -> Job:
    """Return a job that was created at noon and waits to be submitted."""
    return Job(**(_WAITING | changes))


def jobs_of(tenant: str, numbers: Iterable[int], **changes: Any) -> list[Job]:
    """Return jobs of a tenant that wait, each created a little later, with a day to be rendered."""
    changes = {"deadline_at": later(86_400)} | changes
    return [
        a_job(id=job_id(number), tenant=tenant, created_at=later(-1000 + number / 1000), **changes)
        for number in numbers
    ]


def submitting_job(**changes: Any) -> Job:
    """Return a job that a pump claimed at noon."""
    ours = {
        "status": Status.SUBMITTING,
        "call_at": None,
        "claim": CLAIM,
        "submitted_at": NOON,
        "tries": 1,
    }
    return a_job(**(ours | changes))


def unconfirmed_job(**changes: Any) -> Job:
    """Return a job of which nobody knows whether its provider took it."""
    return submitting_job(**({"status": Status.UNCONFIRMED} | changes))


def processing_job(**changes: Any) -> Job:
    """Return a job that its provider took at noon and that is due to be polled."""
    ours = {
        "status": Status.PROCESSING,
        "call_at": NOON,
        "provider_job_id": PROVIDER_JOB_ID,
        "is_acknowledged": True,
        "provider_status": "pending",
    }
    return submitting_job(**(ours | changes))


def finished_job(status: Status, **changes: Any) -> Job:
    """Return a job that ended at noon, its completion event not yet out."""
    ours: dict[str, Any] = {
        "status": status,
        "call_at": None,
        "finished_at": NOON,
        "finished_by": Actor.POLL,
    }
    if status is Status.SUCCEEDED:
        ours["outputs"] = (OUTPUT,)
    if status is Status.FAILED:
        ours["error"] = JobError(code=ErrorCode.RENDER_FAILED, message="it failed")
    ended = processing_job(**(ours | changes))
    return ended if "announcements" in changes else with_event(ended, _COMPLETIONS[status], at=NOON)


def job_in(status: Status, **changes: Any) -> Job:
    """Return a job as it stands in this status."""
    match status:
        case Status.QUEUED:
            return a_job(**changes)
        case Status.SUBMITTING:
            return submitting_job(**changes)
        case Status.UNCONFIRMED:
            return unconfirmed_job(**changes)
        case Status.PROCESSING:
            return processing_job(**changes)
        case _:
            return finished_job(status, **changes)


def followed_job(**changes: Any) -> Job:
    """Return a job that was submitted elsewhere and is due to be polled for the first time."""
    ours = {
        "input": None,
        "status": Status.PROCESSING,
        "history": (Entry(at=NOON, status=Status.PROCESSING, by=Actor.CALLER, note="followed"),),
        "call_at": NOON,
        "provider_job_id": PROVIDER_JOB_ID,
        "is_acknowledged": True,
    }
    return a_job(**(ours | changes))


def busy_account(**changes: Any) -> Account:
    """Return an account whose lease another pump took at noon."""
    ours: dict[str, Any] = {
        "holder": "another",
        "calls_ago_s": (),
        "granted": 30,
        "at_once": 4,
        "at": NOON,
    }
    return taken(Account(name="gepetto"), **(ours | changes))


def a_hold(**changes: Any) -> Hold:
    """Return a hold that began at noon because the account's key was refused."""
    ours: dict[str, Any] = {
        "code": ErrorCode.PROVIDER_AUTH,
        "status": 401,
        "since": NOON,
        "probe_at": later(30),
        "gap_s": 30.0,
    }
    return Hold(**(ours | changes))
