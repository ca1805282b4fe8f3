"""The report on a storm: figures, violations, and all that is known of the jobs in question."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from infra.storm.evidence import UNKNOWN, Evidence
from infra.storm.observation import Render, lines_about
from infra.storm.run import StormResult
from infra.storm.workload import fault_counts
from relay.domain.job import Job, Status

INTRODUCTION = (
    "Two processes of each function run on the emulators and the sandbox of both providers. While",
    "jobs go through them, one process after another is killed, the store and a pump are paused,",
    "and renders, webhooks and answers go wrong. Then all is left alone until every job has ended,",
    "and the checker of the promises (`infra/verification`) checks what a listener in Firestore, a",
    "subscriber, the receivers of callbacks and the providers saw, and what is in the bucket.",
)
MAX_LOG_LINES = 40
MAX_JOBS = 10


def text_report(result: StormResult) -> Iterator[str]:
    """Return the report for a terminal, line by line."""
    yield ""
    for name, value in figures(result):
        yield f"  {name:<40} {value}"
    yield ""
    for violation in result.violations:
        yield f"VIOLATION {violation}"
    yield from _details(result)


def markdown_report(result: StormResult, *, command: str) -> str:
    """Return the report as a Markdown document."""
    details = list(_details(result))
    lines = [
        "# A storm over real processes",
        "",
        *INTRODUCTION,
        "",
        f"`{command}`, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC.",
        "",
        "| what | figures |",
        "| --- | --- |",
        *(f"| {name} | {value} |" for name, value in figures(result)),
        "",
        "## Violations",
        "",
        *([f"- {one}" for one in result.violations] or ["None."]),
    ]
    if details:
        lines += ["", "## Evidence", "", "```", *details, "```"]
    return "\n".join(lines) + "\n"


def figures(result: StormResult) -> Iterator[tuple[str, str]]:
    """Return what happened, as names and figures."""
    seen = result.evidence
    jobs, renders = tuple(seen.last.values()), seen.renders
    webhooks = [one for render in renders for one in render.webhooks]
    kills = Counter(one.crash.name for one in seen.crashes if not one.crash.for_s)
    pauses = [one.crash for one in seen.crashes if one.crash.for_s]
    yield "seed", str(result.settings.seed)
    yield "jobs", f"{len(seen.jobs)} ({_counted(job.provider for job in seen.jobs)})"
    yield "what befell them", _counted(fault_counts(seen.jobs))
    unanswered = sum(one.unanswered for one in seen.created)
    yield "creates", f"{len(seen.created)}, {unanswered} tries unanswered"
    yield "SIGKILLs", f"{kills.total()} ({_counted(kills)})"
    yield "pauses", ", ".join(f"{one.name} {one.for_s:g} s" for one in pauses)
    yield "stray ticks", f"{result.garbage_ticks} garbage, {result.repeated_ticks} repeated"
    honest, hostile = seen.honest.values(), (job for job in jobs if job.id not in seen.honest)
    yield "ends, honest tenant", _counted(job.status.value for job in honest)
    yield "ends, hostile tenant", _counted(job.status.value for job in hostile)
    sent_s = sorted(one for one in seen.waits_s.values() if one is not None)
    half_s, most_s = _percentile(sent_s, 0.5), _percentile(sent_s, 0.95)
    yield (
        "honest jobs sent",
        (
            f"{len(sent_s)} of {len(seen.waits_s)}, half of them within {half_s:.1f} s, "
            f"95 of 100 within {most_s:.1f} s"
        ),
    )
    yield "failed with", _counted(job.error.code.value for job in jobs if job.error)
    yield "ended by", _counted(job.finished_by.value for job in jobs if job.finished_by)
    unconfirmed = sum(
        any(entry.status is Status.UNCONFIRMED for entry in job.history) for job in jobs
    )
    yield (
        "on the way",
        (
            f"{unconfirmed} were unconfirmed, "
            f"{sum(job.is_resubmitted for job in jobs)} submitted again on their caller's word, "
            f"{sum(bool(job.late_outputs) for job in jobs)} had a late result"
        ),
    )
    missed = sum(_missed_a_render(job, seen.renders_of.get(job.id, ())) for job in jobs)
    yield "failed, and a render was done in time", str(missed)
    late_s = (
        (one.finished_at - one.deadline_at).total_seconds() for one in jobs if one.finished_at
    )
    yield "longest past its deadline", f"{max(late_s, default=0.0):.1f} s"
    yield (
        "document versions seen",
        (f"{sum(map(len, seen.versions.values()))}, listener broke {result.listener_breaks} times"),
    )
    yield (
        "events",
        (
            f"{len(seen.deliveries)} deliveries, "
            f"{len({one.message_id for one in seen.deliveries})} published, "
            f"{len({one.event_id for one in seen.deliveries})} different ids"
        ),
    )
    answered = _counted(str(one.status or "not answered") for one in seen.callbacks)
    different = len({one.id for one in seen.callbacks})
    yield "callbacks", f"{len(seen.callbacks)} ({answered}), {different} different events"
    results = sum(len(job.outputs or job.late_outputs) for job in jobs)
    yield "copies in the bucket", f"{len(seen.copies)} of {results} outputs"
    calls = _counted(f"{one.provider} {one.kind}" for one in seen.calls)
    yield "provider calls", f"{len(seen.calls)} ({calls})"
    for name, limit in result.settings.limits.items():
        most = seen.counts[name].most_calls_in_window
        yield f"most calls of {name} in {limit.window_s:g} s", f"{most}, allowed are {limit.calls}"
    yield "renders bought", f"{len(renders)} ({_counted(one.state for one in renders)})"
    answers = _counted(str(one.status or "nobody answered") for one in webhooks)
    yield "webhooks", f"{len(webhooks)} ({answers})"
    yield "calm after", f"{result.calm_after_s:.0f} s"
    yield "at rest after", f"{result.took_s:.0f} s" + ("" if seen.is_at_rest else ", not quite")
    yield "violations", str(len(result.violations))


def _percentile(ordered_s: Sequence[float], share: float) -> float:
    return ordered_s[int(share * (len(ordered_s) - 1))] if ordered_s else 0.0


def _missed_a_render(job: Job, renders: Sequence[Render]) -> bool:
    """Return whether a job without a result had a render that was done by its deadline.

    That breaks no promise: nobody told the relay, and it could not ask.
    """
    if job.outputs or job.late_outputs:
        return False
    return any(
        render.has_output
        and render.finished_at is not None
        and render.finished_at < job.deadline_at.timestamp()
        for render in renders
    )


def _counted(things: Iterable[str] | Mapping[str, int]) -> str:
    counts = Counter(things)
    return ", ".join(f"{count} {what}" for what, count in sorted(counts.items())) or "none"


def _details(result: StormResult) -> Iterator[str]:
    """Return all that is known of the jobs whose promises were broken."""
    ids = dict.fromkeys(one.subject for one in result.violations if one.subject != UNKNOWN)
    for job_id in list(ids)[:MAX_JOBS]:
        yield f"{job_id}:"
        yield from (f"  {line}" for line in _trace(job_id, result.evidence, logs=result.logs))
    if len(ids) > MAX_JOBS:
        yield f"and {len(ids) - MAX_JOBS} more jobs"


def _trace(job_id: str, seen: Evidence, *, logs: Mapping[str, Path]) -> Iterator[str]:
    versions = seen.versions.get(job_id, ())
    if versions:
        job = versions[-1].job
        number = int(job.metadata.get("storm", "0"))
        faults = next((one.faults for one in seen.jobs if one.number == number), ())
        yield f"number {number}, {job.provider}, {job.on_unconfirmed}, {', '.join(faults)}"
        yield f"deadline {_hms(job.deadline_at)}, error {job.error and job.error.code}"
    lines = [
        (
            version.at,
            (
                f"document: {version.job.status}, wakes {_hms(version.wake_at)}, "
                f"provider's id {version.job.provider_job_id}, tries {version.job.tries}"
            ),
        )
        for version in versions
    ]
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
        for one in seen.deliveries
        if one.job_id == job_id
    ]
    for one in seen.crashes:
        if lines and min(lines)[0] <= _moment(one.until) and _moment(one.at) <= max(lines)[0]:
            what = f"paused for {one.crash.for_s:g} s" if one.crash.for_s else "killed"
            lines.append((_moment(one.at), f"** {one.crash.name} {what}"))
    yield from (f"{_hms(at)}  {text}" for at, text in sorted(lines))
    for line in lines_about(job_id, logs)[-MAX_LOG_LINES:]:
        yield f"{line.process}: {line.text}"


def _moment(epoch_s: float) -> datetime:
    return datetime.fromtimestamp(epoch_s, UTC)


def _hms(at: datetime | None) -> str:
    return f"{at:%H:%M:%S.%f}"[:-3] if at is not None else "never"
