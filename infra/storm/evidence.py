"""What was observed in a storm, as a history for the checker of the promises."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial

from infra.demo.receiver import Callback as ReceivedCallback
from infra.local.inbox import Delivery
from infra.storm.faults import PUMPS, STORE, Crashed
from infra.storm.observation import Copy, Counts, Document, LogLine, ProviderCall, Render
from infra.storm.workload import Created, StormJob, number_in
from infra.verification.checker import violations
from infra.verification.history import (
    Acknowledged,
    Call,
    History,
    Message,
    UsableResult,
    Verdict,
    Version,
    Violation,
    seconds,
)
from relay.adapters.document import WAKE_AT, from_document
from relay.domain.events import as_announced
from relay.domain.job import Job
from relay.domain.limits import Limit
from relay.errors import UnreadableJob

# In place of a job's id where no job is known.
UNKNOWN = "-"
# So soon a pump has written down a poll's result, if nothing was crashed or paused.
WRITTEN_WITHIN_S = 3.0
# The emulator cuts the time at which a topic took a message to whole milliseconds.
PUBLISH_TIME_STEP = timedelta(milliseconds=1)
# Pumps are killed and paused all the while, so some honest jobs may be too late.
MAX_UNSENT = 0.05

VERDICTS = {
    200: Verdict.ACCEPTED,
    400: Verdict.REFUSED,
    401: Verdict.ACCOUNT_REFUSED,
    402: Verdict.ACCOUNT_REFUSED,
    403: Verdict.ACCOUNT_REFUSED,
    404: Verdict.REFUSED,
    422: Verdict.REFUSED,
    429: Verdict.BUSY,
    503: Verdict.BUSY,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class JobVersion:
    """A version of a job's document that was seen."""

    at: datetime
    job: Job
    wake_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What was observed.

    Attributes:
        versions: What the listener and the last read saw, oldest first, by job.
        unreadable: What is wrong with documents that are not a job's.
        final: Ids of the documents that the last read found.
        holds: Every hold that an account's document showed.
        callbacks: What the receivers received.
        bucket: Where copies are kept.
        copies: What is in there, by name.
        is_at_rest: Whether everything had ended when the time was up.
    """

    jobs: tuple[StormJob, ...]
    created: tuple[Created, ...]
    crashes: tuple[Crashed, ...]
    versions: Mapping[str, tuple[JobVersion, ...]]
    unreadable: tuple[str, ...]
    final: frozenset[str]
    holds: tuple[str, ...]
    deliveries: tuple[Delivery, ...]
    calls: tuple[ProviderCall, ...]
    renders: tuple[Render, ...]
    callbacks: tuple[ReceivedCallback, ...]
    bucket: str
    copies: Mapping[str, Copy]
    counts: Mapping[str, Counts]
    errors: tuple[LogLine, ...]
    sandbox_url: str
    is_at_rest: bool

    @cached_property
    def last(self) -> dict[str, Job]:
        """Each job's last version."""
        return {job_id: versions[-1].job for job_id, versions in self.versions.items()}

    @cached_property
    def ids(self) -> dict[int, str]:
        """Each job's id by its number, as the documents have it."""
        numbers = {job_id: job.metadata.get("storm", "") for job_id, job in self.last.items()}
        return {int(text): job_id for job_id, text in numbers.items() if text.isdecimal()}

    @cached_property
    def honest(self) -> dict[str, Job]:
        """The last version of each of the honest tenant's jobs."""
        numbers = {job.number for job in self.jobs if not job.is_hostile}
        return {
            job_id: self.last[job_id] for number, job_id in self.ids.items() if number in numbers
        }

    @cached_property
    def waits_s(self) -> dict[str, float | None]:
        """How long each honest job waited for its submission, by id; None if it had none."""
        return {
            job_id: min(
                (
                    call.at - job.created_at.timestamp()
                    for call in self.calls_of.get(job_id, ())
                    if call.kind == "submit"
                ),
                default=None,
            )
            for job_id, job in self.honest.items()
        }

    @cached_property
    def renders_of(self) -> dict[str, list[Render]]:
        """The renders that were bought for each job."""
        found: dict[str, list[Render]] = {}
        for render in self.renders:
            job_id = self.ids.get(number_in(render.image_url) or 0, UNKNOWN)
            found.setdefault(job_id, []).append(render)
        return found

    @cached_property
    def calls_of(self) -> dict[str, list[ProviderCall]]:
        """The calls for each job."""
        found: dict[str, list[ProviderCall]] = {}
        numbers = {one.provider_job_id: number_in(one.image_url) for one in self.renders}
        for call in self.calls:
            number = number_in(call.input or "") if call.kind == "submit" else None
            number = number or numbers.get(call.provider_job_id or "") or 0
            found.setdefault(self.ids.get(number, UNKNOWN), []).append(call)
        return found


def read_versions(
    seen: Mapping[str, tuple[Document, ...]], last: tuple[Document, ...]
) -> tuple[dict[str, tuple[JobVersion, ...]], tuple[str, ...]]:
    """Return the versions of each job, and what is wrong with those that cannot be read."""
    documents: dict[str, dict[datetime, Document]] = {}
    for one in (*(each for versions in seen.values() for each in versions), *last):
        documents.setdefault(one.id, {})[one.at] = one
    versions: dict[str, tuple[JobVersion, ...]] = {}
    unreadable: list[str] = []
    for job_id, by_time in documents.items():
        read: list[JobVersion] = []
        for at, document in sorted(by_time.items()):
            if document.fields is None:
                unreadable.append(f"{job_id}: deleted at {at}")
                continue
            try:
                job = from_document(job_id, document.fields)
            except UnreadableJob as error:
                unreadable.append(str(error))
                continue
            read.append(JobVersion(at=at, job=job, wake_at=document.fields.get(WAKE_AT)))
        if read:
            versions[job_id] = tuple(read)
    return versions, tuple(unreadable)


def seen_holds(accounts: Mapping[str, tuple[Document, ...]]) -> tuple[str, ...]:
    """Return every hold that the accounts' documents have shown."""
    return tuple(
        f"{name}: {version.fields['hold']}"
        for name, versions in accounts.items()
        for version in versions
        if version.fields is not None and version.fields.get("hold") is not None
    )


def all_violations(evidence: Evidence, *, limits: dict[str, Limit]) -> tuple[Violation, ...]:
    """Return every broken promise, and what else must not happen in a storm."""
    return (
        *violations(as_history(evidence, limits=limits)),
        *_create_failures(evidence),
        *(Violation("documents", UNKNOWN, what) for what in evidence.unreadable),
        *(Violation("P5", UNKNOWN, what) for what in _account_troubles(evidence)),
        *_unsent_honest_jobs(evidence),
    )


def _create_failures(evidence: Evidence) -> Iterator[Violation]:
    """Check that each create gave its caller one job, which is still there."""
    ids_of: dict[int, set[str]] = {job.number: set() for job in evidence.jobs}
    failure = partial(Violation, "created")
    for one in evidence.created:
        if one.job_id is None:
            yield failure(UNKNOWN, f"the caller of number {one.number} was given no job: {one.why}")
        else:
            ids_of[one.number].add(one.job_id)
    for number, ids in ids_of.items():
        if not ids:
            yield failure(UNKNOWN, f"number {number} was never created")
        if len(ids) > 1:
            yield failure(UNKNOWN, f"number {number} became {', '.join(sorted(ids))}")
        for job_id in ids - evidence.final:
            yield failure(job_id, f"number {number} is not in Firestore")
    for job_id in evidence.final.difference(*ids_of.values()):
        yield failure(job_id, "is in Firestore, and no caller was given it")


def _account_troubles(evidence: Evidence) -> Iterator[str]:
    """Check that no provider had a reason to block the account."""
    for name, counts in evidence.counts.items():
        if counts.calls_over_limit:
            yield f"{name} counted {counts.calls_over_limit} calls above its limit"
        if counts.blocked:
            yield f"{name} has blocked the account"
        if counts.unauthenticated:
            yield f"{name} was called {counts.unauthenticated} times without a good key"
    if not any(job.is_hostile for job in evidence.jobs):
        for hold in evidence.holds:
            yield f"the account was on hold: {hold}"


def _unsent_honest_jobs(evidence: Evidence) -> Iterator[Violation]:
    """Check that a hostile tenant does not keep others' jobs from being submitted."""
    waits_s = list(evidence.waits_s.values())
    unsent = waits_s.count(None)
    if unsent > MAX_UNSENT * len(waits_s):
        yield Violation("P8", UNKNOWN, f"{unsent} of {len(waits_s)} honest jobs were never sent")


def as_history(evidence: Evidence, *, limits: dict[str, Limit]) -> History:
    """Return the evidence as a history.

    What cannot be observed is inferred: versions that the listener skipped, from the next one,
    and from the crashes, whether a pump lived to write down a poll's result. Callbacks are left to
    `aftermath_violations`: which pump posted one, and when it stopped waiting, is not observed.
    """
    history = History(limits=limits, is_at_rest=evidence.is_at_rest)
    history.versions = {
        job_id: [
            Version(
                at_s=seconds(one.at),
                number=number,
                job=replace(one.job, callback=None),
                wake_at=one.wake_at,
            )
            for number, one in enumerate(_with_skipped(versions), start=1)
        ]
        for job_id, versions in evidence.versions.items()
    }
    history.calls = list(_calls(evidence))
    history.acknowledged = [
        Acknowledged(at_s=seconds(version.at), job_id=job_id, provider_job_id=provider_job_id)
        for job_id, versions in evidence.versions.items()
        for version in versions
        if (provider_job_id := version.job.provider_job_id) is not None
    ]
    history.results = list(_results(evidence))
    history.messages = [_message(delivery) for delivery in evidence.deliveries]
    history.accepted = {
        one.job_id: _history_s(one.at) for one in evidence.created if one.job_id is not None
    }
    history.bugs = [f"{line.process}: {line.text}" for line in evidence.errors]
    return history


def _with_skipped(versions: Sequence[JobVersion]) -> Iterator[JobVersion]:
    """Return the versions, and between them those that the listener may have skipped.

    A document lists every state that the job went through. If it says that the event of an end
    is out, an earlier version did not. No write adds an event and delivers another, so of a version
    with both the one that added the event was skipped.
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
    for length, entry in enumerate(job.history[:-1], start=1):
        if entry not in known:
            still_open = replace(
                job,
                status=entry.status,
                history=job.history[:length],
                finished_at=None,
                finished_by=None,
                outputs=(),
                late_outputs=(),
                error=None,
                announcements=(),
                kept_outputs=(),
            )
            yield JobVersion(at=entry.at, job=still_open, wake_at=entry.at)
    announced = {event.id for event in before.job.announcements} if before else set()
    is_of_two_writes = before is not None and before.job.callback != job.callback
    for index, event in enumerate(job.announcements):
        if event.id not in announced and (event.publish_at is None or is_of_two_writes):
            unpublished = replace(
                as_announced(job, event.type),
                announcements=(*job.announcements[:index], replace(event, publish_at=event.at)),
            )
            yield JobVersion(at=event.at, job=unpublished, wake_at=event.at)


def _calls(evidence: Evidence) -> Iterator[Call]:
    """Return the calls, and one more for every render that no submission explains."""
    for job_id in evidence.calls_of.keys() | evidence.renders_of.keys():
        unexplained = list(evidence.renders_of.get(job_id, ()))
        for seen in evidence.calls_of.get(job_id, ()):
            if not seen.authenticated:
                continue
            verdict = None
            if seen.kind == "submit":
                verdict = VERDICTS.get(seen.status or 0, Verdict.UNCLEAR)
            at_s = _history_s(seen.at)
            call = Call(at_s=at_s, provider=seen.provider, job_id=job_id, verdict=verdict)
            if call.may_have_been_taken and unexplained:
                del unexplained[0]
            yield call
        for render in unexplained:
            yield Call(
                at_s=_history_s(render.accepted_at),
                provider=render.provider,
                job_id=job_id,
                verdict=Verdict.ACCEPTED,
            )


def _results(evidence: Evidence) -> Iterator[UsableResult]:
    def result(at: float, job_id: str, by: str, render: Render, *, is_ours: bool) -> UsableResult:
        return UsableResult(
            at_s=_history_s(at),
            job_id=job_id,
            by=by,
            provider_job_id=render.provider_job_id,
            outputs=(render.first_output(evidence.sandbox_url),),
            is_ours=is_ours,
        )

    renders = {render.provider_job_id: render for render in evidence.renders if render.has_output}
    for job_id, calls in evidence.calls_of.items():
        for call in calls:
            render = renders.get(call.provider_job_id or "")
            if render is None or (call.kind, call.status) != ("poll", 200):
                continue
            if render.finished_at is not None and render.finished_at <= call.at:
                is_ours = not _was_disturbed(evidence, at=call.at)
                yield result(call.at, job_id, "poll", render, is_ours=is_ours)
    for job_id, bought in evidence.renders_of.items():
        for render in bought:
            if render.has_output and "webhook-no-output" not in render.behaviour:
                for sent in render.webhooks:
                    yield result(sent.at, job_id, "webhook", render, is_ours=sent.status == 200)


def _was_disturbed(evidence: Evidence, *, at: float) -> bool:
    """Return whether a pump or the store was crashed or paused around a moment."""
    return any(
        one.at <= at + WRITTEN_WITHIN_S and one.until >= at - WRITTEN_WITHIN_S
        for one in evidence.crashes
        if one.crash.name in (*PUMPS, STORE)
    )


def _message(delivery: Delivery) -> Message:
    attributes = delivery.attributes
    return Message(
        at_s=seconds(delivery.published_at + PUBLISH_TIME_STEP),
        within_s=PUBLISH_TIME_STEP.total_seconds(),
        job_id=delivery.job_id,
        id=delivery.event_id,
        type=attributes.get("ce-type", ""),
        time=datetime.fromisoformat(attributes.get("ce-time", "0001-01-01T00:00:00+00:00")),
        data=delivery.data,
        attributes=attributes,
        ordering_key=delivery.ordering_key,
    )


def _history_s(epoch_s: float) -> float:
    return seconds(datetime.fromtimestamp(epoch_s, UTC))
