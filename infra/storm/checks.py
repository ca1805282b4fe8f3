"""What must hold beside the promises that the simulator's checker knows."""

from collections.abc import Iterator

from infra.simulator.checker import Violation, violations
from infra.storm.evidence import UNKNOWN, Evidence
from infra.storm.history import as_history
from relay.domain.events import as_announced
from relay.domain.job import Actor, EventType, Job, Status
from relay.domain.limits import Limit
from relay.job_view import to_json

MOST_UNSENT = 0.05


def all_violations(evidence: Evidence, *, limits: dict[str, Limit]) -> tuple[Violation, ...]:
    """Return everything that does not hold: the checker's findings first, then our own."""
    return (
        *violations(as_history(evidence, limits=limits)),
        *(Violation("created", job_id, what) for job_id, what in _created(evidence)),
        *(Violation("documents", UNKNOWN, what) for what in evidence.unreadable),
        *(Violation("P4", job_id, what) for job_id, what in _bought_once(evidence)),
        *(Violation("P5", UNKNOWN, what) for what in _accounts(evidence)),
        *(Violation("P6", job_id, what) for job_id, what in _callbacks_kept(evidence)),
        *(Violation("events", job_id, what) for job_id, what in _events(evidence)),
        *(Violation("P8", UNKNOWN, what) for what in _honest_are_sent(evidence)),
    )


def _created(evidence: Evidence) -> Iterator[tuple[str, str]]:
    """Check that each caller was given a job, always the same one, and that it is there."""
    given: dict[int, set[str]] = {job.number: set() for job in evidence.jobs}
    for one in evidence.created:
        if one.job_id is None:
            yield UNKNOWN, f"the caller of number {one.number} was given no job: {one.why}"
        else:
            given[one.number].add(one.job_id)
    for number, ids in given.items():
        if not ids:
            yield UNKNOWN, f"number {number} was never created"
        if len(ids) > 1:
            yield UNKNOWN, f"number {number} became {', '.join(sorted(ids))}"
        for job_id in ids - evidence.final:
            yield job_id, f"number {number} is not in Firestore"
    known = {job_id for ids in given.values() for job_id in ids}
    for job_id in evidence.final - known:
        yield job_id, "is in Firestore, and no caller was given it"


def _bought_once(evidence: Evidence) -> Iterator[tuple[str, str]]:
    """Check that no render was bought twice, but on the caller's word."""
    last = evidence.last
    for job_id, renders in evidence.renders_of.items():
        job = last.get(job_id)
        if job is None:
            yield job_id, f"{len(renders)} renders were bought for no job"
        elif len(renders) > 1 + _resubmissions(job):
            yield job_id, f"{len(renders)} renders, {_resubmissions(job)} resubmissions"


def _resubmissions(job: Job) -> int:
    return sum(
        entry.status is Status.QUEUED and entry.by is Actor.CALLER for entry in job.history[1:]
    )


def _accounts(evidence: Evidence) -> Iterator[str]:
    """Check that no provider had a reason to block us."""
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


def _honest_are_sent(evidence: Evidence) -> Iterator[str]:
    """Check that whoever floods the relay does not keep others' jobs from being sent.

    Pumps are killed and paused all the while, so some may be late.
    """
    waits_s = list(evidence.waits_s.values())
    unsent = waits_s.count(None)
    if unsent > MOST_UNSENT * len(waits_s):
        yield f"{unsent} of {len(waits_s)} honest jobs were never sent"


def _callbacks_kept(evidence: Evidence) -> Iterator[tuple[str, str]]:
    """Check that a result which came by a callback that we took is in document and event."""
    last, deliveries = evidence.last, evidence.deliveries_of
    for job_id, renders in evidence.renders_of.items():
        usable = {one.first_output(evidence.sandbox_url) for one in renders if one.has_output}
        is_taken = any(
            sent.status == 200 for one in renders if one.has_output for sent in one.webhooks
        )
        job = last.get(job_id)
        if not is_taken or job is None:
            continue
        if not usable & {*job.outputs, *job.late_outputs}:
            yield job_id, "a callback with its result was answered 200, and the result is lost"
        if not any(
            url.encode() in delivery.data
            for url in usable
            for delivery in deliveries.get(job_id, ())
        ):
            yield job_id, "a callback with its result was answered 200, and no event has it"


def _events(evidence: Evidence) -> Iterator[tuple[str, str]]:
    """Check that an event's copies are the same to the byte, and are what the document says."""
    last = evidence.last
    for job_id, deliveries in evidence.deliveries_of.items():
        job = last.get(job_id)
        if job is None:
            yield job_id, f"{len(deliveries)} events are about no job"
            continue
        announced = {event.id: event for event in job.announcements}
        first = {one.event_id: one for one in reversed(deliveries)}
        for event_id, delivery in first.items():
            event = announced.get(event_id)
            if event is None:
                yield job_id, f"{event_id} is not in the document"
            elif delivery.data != to_json(as_announced(job, event.type)):
                yield job_id, f"{event_id} does not show the job as the document has it"
            if delivery.ordering_key != job_id:
                yield job_id, f"{event_id} has the ordering key {delivery.ordering_key!r}"
        for delivery in deliveries:
            if delivery.content != first[delivery.event_id].content:
                yield job_id, f"two copies of {delivery.event_id} differ"
    for job_id, job in last.items():
        if job.is_final:
            completions = [one for one in job.announcements if one.type != EventType.LATE_RESULT]
            if len(completions) != 1:
                yield job_id, f"it is final and has {len(completions)} completion events"
