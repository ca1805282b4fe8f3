"""The checks after the demo, each as one line with its figures."""

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from infra.demo.evidence import OUTPUTS_KEPT, Evidence
from infra.demo.following import Followed
from infra.demo.receiver import Callback
from infra.demo.relay_api import JobReport
from infra.local.inbox import Delivery

RENDER_FAILED = "render_failed"


class _CallbackBody(msgspec.Struct):
    type: str
    data: dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One condition, whether it holds, and its figures."""

    holds: bool
    line: str


def all_checks(evidence: Evidence) -> tuple[Check, ...]:
    """Run every check, in the order that reads best."""
    checks = [
        every_job_is_final(evidence),
        every_job_has_one_event(evidence),
        copies_are_identical(evidence),
        event_ids_are_made_from_job_and_type(evidence),
        documents_agree(evidence),
        events_show_the_job(evidence),
        lost_webhooks_were_polled(evidence),
        failures_were_intended(evidence),
        nothing_was_paid_twice(evidence),
        callbacks_came_signed(evidence),
        pictures_were_saved(evidence),
    ]
    if evidence.restarts:
        checks.append(killed_functions_restarted(evidence))
    return tuple(checks)


def every_job_is_final(evidence: Evidence) -> Check:
    """Check that each job was accepted and is final."""
    final = [one for one in evidence.followed if one.is_final]
    open_ones = [_name(one) for one in evidence.followed if not one.is_final]
    total = len(evidence.followed)
    return _check(f"{len(final)} of {total} jobs are final", open_ones)


def every_job_has_one_event(evidence: Evidence) -> Check:
    """Check that exactly one event tells how each job ended, and no other job's."""
    about = [delivery.job_id for delivery in evidence.completions.values()]
    ids = {report.id for report in evidence.reports}
    wrong = [f"no event for {job_id}" for job_id in sorted(ids - set(about))]
    wrong += [f"{about.count(job_id)} for {job_id}" for job_id in ids if about.count(job_id) > 1]
    wrong += [f"one for {job_id}, which is no job here" for job_id in sorted(set(about) - ids)]
    jobs = len(evidence.followed)
    if len(about) != jobs and not wrong:
        wrong.append("the numbers differ")
    return _check(f"{len(about)} events for {jobs} jobs", wrong)


def copies_are_identical(evidence: Evidence) -> Check:
    """Check that all copies of an event were the same to the byte."""
    events = evidence.events
    differing = {
        delivery.event_id
        for delivery in evidence.deliveries
        if delivery.content != events[delivery.event_id].content
    }
    came, distinct = len(evidence.deliveries), len(events)
    return _check(
        f"{came} deliveries, {distinct} different ids, {came - distinct} repeated",
        [f"{event_id} came with different content" for event_id in sorted(differing)],
    )


def event_ids_are_made_from_job_and_type(evidence: Evidence) -> Check:
    """Check that an event's id is its job's id and the last word of its type."""
    events = evidence.events.values()
    wrong = [
        event.event_id for event in events if event.event_id != f"{event.job_id}.{event.last_word}"
    ]
    right = len(events) - len(wrong)
    return _check(f"{right} of {len(events)} event ids are job id and last word of type", wrong)


def documents_agree(evidence: Evidence) -> Check:
    """Check that API, Firestore document and event agree on each job."""
    wrong = []
    for one in evidence.followed:
        if (report := one.report) is None:
            continue
        facts = evidence.documents.get(report.id)
        if facts is None:
            wrong.append(f"{report.id} has no readable document")
        elif facts.status != report.status:
            wrong.append(f"{report.id} is {facts.status} in Firestore, {report.status} in the API")
        elif facts.event_ids != one.event_ids:
            known = ", ".join(facts.event_ids) or "no event"
            wrong.append(f"{report.id} is {report.status}, its document has {known}")
        elif lost := [event for event in one.event_ids if event not in evidence.events]:
            wrong.append(f"{', '.join(lost)} stands in its document but never came")
    total = len(evidence.followed)
    agreeing = len(evidence.reports) - len(wrong)
    missing = [] if len(evidence.reports) == total else ["some were never taken"]
    return _check(
        f"{agreeing} of {total} documents agree with API and events on status and event ids",
        wrong + missing,
    )


def events_show_the_job(evidence: Evidence) -> Check:
    """Check that an event carries the job as the API shows it."""
    jobs = {report.id: report for report in evidence.reports}
    wrong = []
    for delivery in evidence.events.values():
        report = jobs.get(delivery.job_id)
        is_kept = delivery.last_word == OUTPUTS_KEPT
        if report is None or _job_in(delivery.data) != report.announced(with_copies=is_kept):
            wrong.append(delivery.event_id)
    total = len(evidence.events)
    return _check(
        f"{total - len(wrong)} of {total} events carry the job as the API shows it", wrong
    )


def lost_webhooks_were_polled(evidence: Evidence) -> Check:
    """Check that a job whose webhook was lost succeeded by polling."""
    lost = [one for one in evidence.followed if one.job.loses_webhook]
    wrong = [
        f"{_name(one)}, by {one.report.finished_by if one.report else None}"
        for one in lost
        if one.report is None
        or (one.report.status, one.report.finished_by) != ("succeeded", "poll")
    ]
    return _check(
        f"{len(lost) - len(wrong)} of {len(lost)} lost webhooks made good by polling",
        wrong if lost else ["none was lost"],
    )


def failures_were_intended(evidence: Evidence) -> Check:
    """Check that only the renders that were made to fail failed, and for that reason."""
    expected = sum(one.job.fails for one in evidence.followed)
    failed = [
        (one, one.report.error.code)
        for one in evidence.followed
        if one.report is not None and one.report.error is not None
    ]
    as_meant = [
        one
        for one, code in failed
        if one.job.fails and (one.status, code) == ("failed", RENDER_FAILED)
    ]
    wrong = [f"{_name(one)} with {code}" for one, code in failed if one not in as_meant]
    if len(as_meant) != expected:
        wrong.append("what was made to fail did not")
    return _check(f"{len(as_meant)} of {expected} failing renders failed as {RENDER_FAILED}", wrong)


def nothing_was_paid_twice(evidence: Evidence) -> Check:
    """Check that the providers accepted one render for each job.

    The demo allows the relay to submit an unconfirmed job again, so each of those may have
    cost one more.
    """
    known = {report.provider_job_id for report in evidence.reports}
    extra = len([ref for ref in evidence.renders if ref not in known])
    missing = len(known - set(evidence.renders))
    allowed = sum(report.was_unconfirmed for report in evidence.reports)
    wrong = [f"{extra} more than were needed"] if extra > allowed else []
    wrong += [f"{missing} jobs have no render"] if missing else []
    more = f" ({allowed} sent again on the caller's word)" if allowed else ""
    renders, jobs = len(evidence.renders), len(evidence.followed)
    return _check(f"{renders} renders bought for {jobs} jobs{more}", wrong)


def callbacks_came_signed(evidence: Evidence) -> Check:
    """Check that each event of a job with a callback came there, signed, with the same job."""
    called = [one for one in evidence.followed if one.job.has_callback]
    expected = [event_id for one in called for event_id in one.event_ids]
    came = evidence.called_back
    wrong = [
        f"{one.id} has a signature that is {one.signature}"
        for one in evidence.callbacks
        if not one.is_good
    ]
    wrong += [f"{event_id} never came" for event_id in expected if event_id not in came]
    wrong += [f"{event_id} is foreign" for event_id in came if event_id not in expected]
    wrong += [
        f"{event_id} is not what was announced"
        for event_id, one in came.items()
        if not _is_same(one, evidence.events.get(event_id))
    ]
    wrong += [
        f"{_name(one)} does not say that its callback is delivered"
        for one in called
        if one.report is None or one.report.callback is None or not one.report.callback.is_delivered
    ]
    good = len([event_id for event_id in expected if event_id in came])
    return _check(
        f"{good} of {len(expected)} events came to the callback's URL with a good signature",
        wrong if called else ["no job has a callback"],
    )


def pictures_were_saved(evidence: Evidence) -> Check:
    """Check that every expected picture was kept, served and saved."""
    expected = sum(one.job.pictures for one in evidence.followed if not one.job.fails)
    wrong = [] if evidence.pictures == expected else ["some could not be had"]
    return _check(
        f"{evidence.pictures} of {expected} pictures served from the bucket by "
        "GET /v1/jobs/{id}/outputs/{n}",
        wrong,
    )


def killed_functions_restarted(evidence: Evidence) -> Check:
    """Check that each killed function runs again."""
    wrong = [one.function for one in evidence.restarts if one.new_pid == one.old_pid]
    back = [
        f"{one.function} {one.old_pid} -> {one.new_pid}"
        for one in evidence.restarts
        if one.new_pid != one.old_pid
    ]
    return _check(f"{len(back)} functions killed and started again: {', '.join(back)}", wrong)


def _job_in(data: bytes) -> JobReport | None:
    try:
        return msgspec.json.decode(data, type=JobReport)
    except msgspec.DecodeError:
        return None


def _is_same(came: Callback | None, event: Delivery | None) -> bool:
    """Return whether a callback carries the same as its event."""
    if came is None or event is None:
        return False
    try:
        body = msgspec.json.decode(came.body, type=_CallbackBody)
        job = msgspec.json.decode(event.data)
    except msgspec.DecodeError:
        return False
    return (body.type, body.data) == (event.attributes.get("ce-type"), job)


def _name(one: Followed) -> str:
    if one.report is None:
        return f"{one.job.provider} {one.job.operation} (not taken)"
    return f"{one.report.id} ({one.report.status})"


def _check(line: str, wrong: Iterable[str]) -> Check:
    faults = list(wrong)
    return Check(holds=not faults, line=": ".join([line, "; ".join(faults)] if faults else [line]))
