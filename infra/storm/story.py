"""All that is known of the jobs that a violation is about."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from infra.simulator.checker import Violation
from infra.storm.evidence import UNKNOWN, Evidence
from infra.storm.logbook import lines_about

MOST_LINES = 40
MOST_JOBS = 10


def evidence_for(
    found: Sequence[Violation], seen: Evidence, *, logs: Mapping[str, Path]
) -> Iterator[str]:
    """Return all that is known of the jobs in question, line by line."""
    ids = list(dict.fromkeys(one.job_id for one in found if one.job_id != UNKNOWN))
    for job_id in ids[:MOST_JOBS]:
        yield f"{job_id}:"
        yield from (f"  {line}" for line in _story(job_id, seen, logs=logs))
    if len(ids) > MOST_JOBS:
        yield f"and {len(ids) - MOST_JOBS} more jobs"


def _story(job_id: str, seen: Evidence, *, logs: Mapping[str, Path]) -> Iterator[str]:
    versions = seen.versions.get(job_id, ())
    if versions:
        job = versions[-1].job
        number = int(job.metadata.get("storm", "0"))
        wishes = next((one.wishes for one in seen.jobs if one.number == number), ())
        yield f"number {number}, {job.provider}, {job.on_unconfirmed}, {', '.join(wishes)}"
        yield f"deadline {_hms(job.deadline_at)}, error {job.error and job.error.code}"
    lines = [
        (version.at, (f"document: {version.job.status}, wakes {_hms(version.wake_at)}, "
                     f"provider's id {version.job.provider_job_id}, tries {version.job.tries}"))
        for version in versions
    ]  # fmt: skip
    lines += [
        (entry.at, f"history: {entry.status} by {entry.by}: {entry.note}")
        for version in versions[-1:]
        for entry in version.job.history
    ]
    lines += [
        (_moment(call.at), f"call: {call.kind} -> {call.status} {call.provider_job_id}")
        for call in seen.calls_of.get(job_id, ())
    ]
    for render in seen.renders_of.get(job_id, ()):
        lines.append((_moment(render.accepted_at), f"render {render.provider_job_id} accepted"))
        if render.finished_at is not None:
            lines.append((_moment(render.finished_at), f"render {render.state}"))
        lines += [(_moment(sent.at), f"webhook -> {sent.status}") for sent in render.webhooks]
    lines += [
        (one.published_at, f"event: {one.event_id} (message {one.message_id})")
        for one in seen.deliveries_of.get(job_id, ())
    ]
    for one in seen.crashes:
        if lines and min(lines)[0] <= _moment(one.until) and _moment(one.at) <= max(lines)[0]:
            what = f"paused for {one.crash.for_s:g} s" if one.crash.for_s else "killed"
            lines.append((_moment(one.at), f"** {one.crash.name} {what}"))
    yield from (f"{_hms(at)}  {text}" for at, text in sorted(lines))
    for line in lines_about(job_id, logs)[-MOST_LINES:]:
        yield f"{line.process}: {line.text}"


def _moment(epoch_s: float) -> datetime:
    return datetime.fromtimestamp(epoch_s, UTC)


def _hms(at: datetime | None) -> str:
    return f"{at:%H:%M:%S.%f}"[:-3] if at is not None else "never"
