"""The events that announce a job, and what each of them carries."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from relay.domain.callback import CallbackShape, with_delivery
from relay.domain.job import Announcement, EventType, Job, Status

COMPLETION: Mapping[Status, EventType] = {
    Status.SUCCEEDED: EventType.SUCCEEDED,
    Status.FAILED: EventType.FAILED,
    Status.CANCELLED: EventType.CANCELLED,
}

# The process that ends a job publishes at once; a pump takes over only when that has surely failed.
FIRST_REPUBLISH = timedelta(seconds=20)
LONGEST_REPUBLISH = timedelta(minutes=10)


def event_id(job_id: str, type: EventType) -> str:
    """Return the event's id, ``{jobId}.{type's last word}``, the same for every copy."""
    return f"{job_id}.{type.rsplit('.', 1)[-1]}"


def with_event(job: Job, type: EventType, *, at: datetime) -> Job:
    """Add an event of this type to the job, to be published at once."""
    event = Announcement(
        id=event_id(job.id, type), type=type, at=at, publish_at=at + FIRST_REPUBLISH
    )
    return replace(job, announcements=(*job.announcements, event))


def published(job: Job, event_id: str, *, at: datetime) -> Job:
    """Mark the event as published; from now on it is due at the job's callback, if there is one."""
    marked = _with(job, event_id, lambda event: replace(event, publish_at=None))
    if marked is job or job.callback is None:
        return marked
    event = next(one for one in job.announcements if one.id == event_id)
    if job.callback.shape is CallbackShape.GEPETTO and event.type is EventType.OUTPUTS_KEPT:
        return marked
    return replace(marked, callback=with_delivery(job.callback, event_id, at=at))


def not_published(job: Job, event_id: str, *, at: datetime) -> Job:
    """Schedule the next try after a failed publish; the delay doubles, up to 10 minutes."""

    def delayed(event: Announcement) -> Announcement:
        delay = min(FIRST_REPUBLISH * 2 ** min(event.failures, 10), LONGEST_REPUBLISH)
        return replace(event, publish_at=at + delay, failures=event.failures + 1)

    return _with(job, event_id, delayed)


def as_announced(job: Job, type: EventType) -> Job:
    """Return the job as every copy of this event shows it.

    A late result or kept outputs may join a job whose completion is not out yet or is published
    again; the earlier event must not show what came later.
    """
    if type is EventType.OUTPUTS_KEPT or not (job.late_outputs or job.kept_outputs):
        return job
    if type is EventType.LATE_RESULT:
        return replace(job, kept_outputs=())
    return replace(job, late_outputs=(), kept_outputs=())


def _with(job: Job, event_id: str, change: Callable[[Announcement], Announcement]) -> Job:
    changed = tuple(
        change(event) if event.id == event_id and event.publish_at is not None else event
        for event in job.announcements
    )
    return job if changed == job.announcements else replace(job, announcements=changed)
