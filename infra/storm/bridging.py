"""Versions of a document that a listener may skip, from what the next one says of them."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from infra.storm.evidence import JobVersion
from relay.domain.job import Job


def bridged(versions: Sequence[JobVersion]) -> Iterator[JobVersion]:
    """Return the versions, and between them those that a listener may have skipped.

    A document tells of every move that led to it; the event of an end that is out already
    was not yet when the end was written.
    """
    before: JobVersion | None = None
    for version in versions:
        for skipped in _skipped(before, version):
            at = min(max(skipped.at, before.at), version.at) if before else skipped.at
            yield replace(skipped, at=at)
        yield version
        before = version


def _skipped(before: JobVersion | None, after: JobVersion) -> Iterator[JobVersion]:
    job = after.job
    known = set(before.job.history) if before else set()
    for place, entry in enumerate(job.history[:-1], start=1):
        if entry not in known:
            then = replace(_still_open(job), status=entry.status, history=job.history[:place])
            yield JobVersion(at=entry.at, job=then, wake_at=entry.at)
    heard = {event.id for event in before.job.announcements} if before else set()
    for place, event in enumerate(job.announcements):
        if event.id not in heard and event.publish_at is None:
            unpublished = replace(event, publish_at=event.at)
            yield JobVersion(
                at=event.at,
                job=replace(
                    job,
                    announcements=(*job.announcements[:place], unpublished),
                    late_outputs=job.late_outputs if place else (),
                ),
                wake_at=event.at,
            )


def _still_open(job: Job) -> Job:
    return replace(
        job,
        finished_at=None,
        finished_by=None,
        outputs=(),
        late_outputs=(),
        error=None,
        announcements=(),
    )
