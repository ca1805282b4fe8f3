"""What happened in a storm, in figures."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from infra.simulator.checker import Violation
from infra.storm.jobs import wished
from infra.storm.run import Stormed
from infra.storm.sandbox import Render
from infra.storm.settings import StormSettings
from relay.domain.job import Job, Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One line of the summary."""

    what: str
    value: str


def figures(
    stormed: Stormed, *, settings: StormSettings, found: Sequence[Violation]
) -> tuple[Figure, ...]:
    """Return what happened, in figures."""
    return tuple(
        Figure(what=what, value=value) for what, value in _figures(stormed, settings, found)
    )


def _figures(
    stormed: Stormed, settings: StormSettings, found: Sequence[Violation]
) -> Iterator[tuple[str, str]]:
    seen = stormed.evidence
    jobs, renders_of = tuple(seen.last.values()), seen.renders_of
    renders, sent = seen.renders, [one for render in seen.renders for one in render.webhooks]
    kills = Counter(one.crash.name for one in seen.crashes if not one.crash.for_s)
    pauses = [one for one in seen.crashes if one.crash.for_s]
    yield "seed", str(settings.seed)
    yield "jobs", f"{len(seen.jobs)} ({_counted(job.provider for job in seen.jobs)})"
    yield "what befell them", _counted(wished(seen.jobs))
    yield (
        "creates",
        f"{len(seen.created)}, {sum(one.unanswered for one in seen.created)} tries unanswered",
    )
    yield "SIGKILLs", f"{kills.total()} ({_counted(kills)})"
    yield "pauses", ", ".join(f"{one.crash.name} {one.crash.for_s:g} s" for one in pauses)
    yield "stray ticks", f"{stormed.garbage_ticks} garbage, {stormed.repeated_ticks} repeated"
    honest, waits_s = seen.honest, seen.waits_s
    sent_s = sorted(one for one in waits_s.values() if one is not None)
    yield "ends, honest tenant", _counted(job.status.value for job in honest.values())
    yield (
        "ends, hostile tenant",
        _counted(job.status.value for job in jobs if job.id not in honest),
    )
    yield (
        "honest jobs sent",
        (
            f"{len(sent_s)} of {len(waits_s)}, half of them within {_share_s(sent_s, 0.5):.1f} s, "
            f"95 of 100 within {_share_s(sent_s, 0.95):.1f} s"
        ),
    )
    yield "failed with", _counted(job.error.code.value for job in jobs if job.error)
    yield "ended by", _counted(job.finished_by.value for job in jobs if job.finished_by)
    yield (
        "on the way",
        (
            f"{sum(_was(job, Status.UNCONFIRMED) for job in jobs)} were unconfirmed, "
            f"{sum(job.is_resubmitted for job in jobs)} submitted again on their caller's word, "
            f"{sum(bool(job.late_outputs) for job in jobs)} had a late result"
        ),
    )
    yield (
        "failed, and a render was done in time",
        str(sum(_missed(job, renders_of.get(job.id, ())) for job in jobs)),
    )
    yield "longest past its deadline", f"{_longest_past(jobs):.1f} s"
    yield (
        "document versions seen",
        f"{sum(map(len, seen.versions.values()))}, listener broke {stormed.listener_breaks} times",
    )
    yield (
        "events",
        (
            f"{len(seen.deliveries)} deliveries, "
            f"{len({one.message_id for one in seen.deliveries})} published, "
            f"{len({one.event_id for one in seen.deliveries})} different ids"
        ),
    )
    yield (
        "provider calls",
        f"{len(seen.calls)} ({_counted(f'{one.provider} {one.kind}' for one in seen.calls)})",
    )
    for name, limit in settings.limits.items():
        yield (
            f"most calls of {name} in {limit.window_s:g} s",
            f"{seen.counts[name].most_calls_in_window}, allowed are {limit.calls}",
        )
    yield "renders bought", f"{len(renders)} ({_counted(one.state for one in renders)})"
    answers = _counted(str(one.status or "nobody answered") for one in sent)
    yield "webhooks", f"{len(sent)} ({answers})"
    yield "calm after", f"{stormed.calm_after_s:.0f} s"
    yield "at rest after", f"{stormed.took_s:.0f} s" + ("" if seen.is_at_rest else ", not quite")
    yield "violations", str(len(found))


def _share_s(ordered_s: Sequence[float], share: float) -> float:
    """Return the time within which such a share of the waits was over."""
    return ordered_s[int(share * (len(ordered_s) - 1))] if ordered_s else 0.0


def _longest_past(jobs: Iterable[Job]) -> float:
    ends = [
        (job.finished_at - job.deadline_at).total_seconds()
        for job in jobs
        if job.finished_at is not None
    ]
    return max(ends, default=0.0)


def _missed(job: Job, renders: Sequence[Render]) -> bool:
    """Return whether a render for a job without any result was done by its deadline.

    No promise is broken by that: nobody told the relay, and it could not ask.
    """
    if job.outputs or job.late_outputs:
        return False
    return any(
        render.has_output
        and render.finished_at is not None
        and render.finished_at < job.deadline_at.timestamp()
        for render in renders
    )


def _was(job: Job, status: Status) -> bool:
    return any(entry.status is status for entry in job.history)


def _counted(things: Iterable[str] | Mapping[str, int]) -> str:
    counts = Counter(things)
    return ", ".join(f"{count} {what}" for what, count in sorted(counts.items())) or "none"
