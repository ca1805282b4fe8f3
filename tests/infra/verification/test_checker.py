"""The checker on histories made by hand: a good one, and one for each way to break a promise."""

from dataclasses import replace
from typing import Any

import pytest

from infra.verification.checker import violations
from infra.verification.history import (
    Acknowledged,
    Call,
    CallWithoutLease,
    History,
    Message,
    Outage,
    Trouble,
    UsableResult,
    Verdict,
    Version,
    moment,
)
from relay.domain.due import wake_at
from relay.domain.events import as_announced, published
from relay.domain.job import Actor, Claim, ErrorCode, JobError, OnUnconfirmed, ProviderReply
from relay.domain.limits import Limit
from relay.domain.transitions import (
    accepted,
    cancelled,
    claimed,
    failed,
    resubmitted,
    succeeded,
    unconfirmed,
)
from relay.job_view import to_json
from tests.factories import JOB_ID, LATE_OUTPUT, OUTPUT, PROVIDER_JOB_ID, a_job

CLAIM = Claim(token="t1", expires_at=moment(41))
CREATED = replace(
    a_job(), created_at=moment(0), deadline_at=moment(100), history=(), call_at=moment(0)
)
CLAIMED = claimed(CREATED, claim=CLAIM, at=moment(1))
PROCESSING = accepted(
    CLAIMED,
    claim=CLAIM,
    provider_job_id=PROVIDER_JOB_ID,
    provider_status="pending",
    poll_at=moment(30),
    at=moment(2),
)
SUCCEEDED = succeeded(PROCESSING, outputs=(OUTPUT,), by=Actor.POLL, at=moment(30))
FAILED = failed(PROCESSING, code=ErrorCode.RENDER_FAILED, by=Actor.POLL, at=moment(30))
UNCONFIRMED = unconfirmed(CLAIMED, claim=CLAIM, note="lost", at=moment(3))


def out(job):
    for event in job.announcements:
        job = published(job, event.id, at=event.at)
    return job


def version(number, at_s, job):
    return Version(at_s=at_s, number=number, job=job, wake_at=wake_at(job))


def versions(*moments):
    return [version(number, at_s, job) for number, (at_s, job) in enumerate(moments, start=1)]


def message(at_s, job, *, number=0):
    event = job.announcements[number]
    return Message(
        at_s=at_s,
        job_id=job.id,
        id=event.id,
        type=event.type.value,
        time=event.at,
        data=to_json(as_announced(job, event.type)),
    )


def sent(at_s, *, verdict=Verdict.ACCEPTED):
    return Call(at_s=at_s, provider="gepetto", job_id=JOB_ID, verdict=verdict)


def result(*, by="callback", ref=PROVIDER_JOB_ID, outputs=(OUTPUT,), is_ours=True):
    return UsableResult(
        at_s=29.0, job_id=JOB_ID, by=by, provider_job_id=ref, outputs=outputs, is_ours=is_ours
    )


def a_history(ended=SUCCEEDED, **changes):
    """Return the history of one job that went well, but for the changes."""
    fields: dict[str, Any] = {
        "limits": {"gepetto": Limit(calls=2, window_s=10.0)},
        "versions": {
            JOB_ID: versions(
                (0.0, CREATED), (1.0, CLAIMED), (2.0, PROCESSING), (30.0, ended), (31.0, out(ended))
            )
        },
        "calls": [sent(1.5)],
        "acknowledged": [Acknowledged(at_s=1.9, job_id=JOB_ID, provider_job_id=PROVIDER_JOB_ID)],
        "results": [result()] if ended is SUCCEEDED else [],
        "messages": [message(30.5, ended)],
        "accepted": {JOB_ID: 0.5},
        "end_s": 200.0,
        "is_at_rest": True,
    }
    return History(**(fields | changes))


def with_versions(*moments, **changes):
    return a_history(versions={JOB_ID: versions(*moments)}, **changes)


BEGINNING = ((0.0, CREATED), (1.0, CLAIMED), (2.0, PROCESSING))
OTHER = replace(SUCCEEDED, outputs=(LATE_OUTPUT,))
RENAMED = replace(
    SUCCEEDED, announcements=(replace(SUCCEEDED.announcements[0], id=f"{JOB_ID}.12345"),)
)
LATE = succeeded(out(FAILED), outputs=(LATE_OUTPUT,), by=Actor.WEBHOOK, at=moment(40))
OTHER_WORDS = JobError(
    code=ErrorCode.RENDER_FAILED,
    message="the provider reported that the render failed (failed: no such room)",
    provider=ProviderReply(status=200, message="failed: no such room"),
)
PRICED = replace(CREATED, credits=1.0)
UNSENT = cancelled(PRICED, at=moment(30))
RESUBMIT = replace(UNCONFIRMED, on_unconfirmed=OnUnconfirmed.RESUBMIT)

BROKEN = {
    "a final state that changes": (
        "P1",
        with_versions(*BEGINNING, (30.0, SUCCEEDED), (32.0, replace(FAILED, call_at=moment(33)))),
    ),
    "outputs that change after the end": (
        "P1",
        with_versions(*BEGINNING, (30.0, SUCCEEDED), (31.0, out(SUCCEEDED)), (32.0, out(OTHER))),
    ),
    "a move that is not in the table": (
        "P1",
        with_versions((0.0, CREATED), (1.0, PROCESSING), (30.0, SUCCEEDED), (31.0, out(SUCCEEDED))),
    ),
    "a wait that is queued again": (
        "P1",
        with_versions((0.0, CREATED), (1.0, CLAIMED), (3.0, UNCONFIRMED), (4.0, CREATED)),
    ),
    "a deadline that moves": (
        "P1",
        with_versions((0.0, CREATED), (1.0, replace(CLAIMED, deadline_at=moment(500)))),
    ),
    "a completion that never went out": (
        "P2",
        with_versions(*BEGINNING, (30.0, SUCCEEDED), messages=[]),
    ),
    "a mark before the event": ("P2", a_history(messages=[message(32.0, SUCCEEDED)])),
    "an event before the store says so": ("P2", a_history(messages=[message(29.0, SUCCEEDED)])),
    "two copies that differ": (
        "P2",
        a_history(messages=[message(30.5, SUCCEEDED), message(31.5, OTHER)]),
    ),
    "an event that says something else": ("P2", a_history(messages=[message(30.5, OTHER)])),
    "two copies with other attributes": (
        "P2",
        a_history(
            messages=[
                replace(message(30.5, SUCCEEDED), attributes={"tenant": tenant})
                for tenant in ("a", "b")
            ]
        ),
    ),
    "an event with another ordering key": (
        "P2",
        a_history(messages=[replace(message(30.5, SUCCEEDED), ordering_key="tenant")]),
    ),
    "an event that shows another input": (
        "P2",
        a_history(messages=[message(30.5, replace(SUCCEEDED, input={}))]),
    ),
    "an event in other words than the provider's": (
        "P2",
        a_history(FAILED, messages=[message(30.5, replace(FAILED, error=OTHER_WORDS))]),
    ),
    "an event of a job without a document": (
        "P2",
        a_history(
            messages=[message(30.5, SUCCEEDED), replace(message(30.5, SUCCEEDED), job_id="job_x")]
        ),
    ),
    "an event with another id": (
        "P2",
        with_versions(
            *BEGINNING,
            (30.0, RENAMED),
            (31.0, out(RENAMED)),
            messages=[message(30.5, RENAMED)],
        ),
    ),
    "two completions": (
        "P2",
        a_history(messages=[message(30.5, SUCCEEDED), message(30.6, FAILED)]),
    ),
    "a late result that is not announced": (
        "P2",
        with_versions(
            *BEGINNING,
            (30.0, FAILED),
            (31.0, out(FAILED)),
            (40.0, replace(out(FAILED), late_outputs=(LATE_OUTPUT,))),
            messages=[message(30.5, FAILED)],
        ),
    ),
    "a job that never ends": ("P3", with_versions(*BEGINNING, messages=[])),
    "a job that ends too late": (
        "P3",
        with_versions(
            *BEGINNING,
            (195.0, SUCCEEDED),
            (196.0, out(SUCCEEDED)),
            messages=[message(195.5, SUCCEEDED)],
        ),
    ),
    "a promised job without a document": ("P3", a_history(accepted={"job_of_nobody": 1.0})),
    "an open job without wakeAt": (
        "P3",
        a_history(
            versions={
                JOB_ID: [
                    replace(one, wake_at=None) if one.number == 3 else one
                    for one in a_history().versions[JOB_ID]
                ]
            }
        ),
    ),
    "an event to publish without wakeAt": (
        "P3",
        a_history(
            versions={
                JOB_ID: [
                    replace(one, wake_at=None) if one.number == 4 else one
                    for one in a_history().versions[JOB_ID]
                ]
            }
        ),
    ),
    "a job that was set aside": ("P3", a_history(set_aside={JOB_ID: 5.0})),
    "a poisoned document that was not": ("P3", a_history(poison=["job_poison"])),
    "an end that never comes to rest": ("P3", a_history(is_at_rest=False)),
    "two submissions": ("P4", a_history(calls=[sent(1.5), sent(20.0)])),
    "two submissions, one of them unclear": (
        "P4",
        a_history(calls=[sent(1.5, verdict=Verdict.UNCLEAR), sent(20.0)]),
    ),
    "a submission before the claim": ("P4", a_history(calls=[sent(0.5)])),
    "a submission of a job without a document": (
        "P4",
        a_history(calls=[sent(1.5), replace(sent(1.5), job_id="job_x")]),
    ),
    "a resubmission without a claim": (
        "P4",
        with_versions(
            (0.0, replace(CREATED, on_unconfirmed=OnUnconfirmed.RESUBMIT)),
            (1.0, replace(CLAIMED, on_unconfirmed=OnUnconfirmed.RESUBMIT)),
            (9.0, RESUBMIT),
            calls=[sent(1.5), sent(10.5)],
        ),
    ),
    "a resubmission that nothing called for": (
        "P4",
        with_versions(
            (0.0, replace(CREATED, on_unconfirmed=OnUnconfirmed.RESUBMIT)),
            (1.0, replace(CLAIMED, on_unconfirmed=OnUnconfirmed.RESUBMIT)),
            (9.0, RESUBMIT),
            (10.0, resubmitted(RESUBMIT, at=moment(10))),
            calls=[sent(1.5), sent(2.5)],
        ),
    ),
    "too many calls in a window": (
        "P5",
        a_history(calls=[sent(1.5), *(sent(at_s, verdict=None) for at_s in (5.0, 11.4))]),
    ),
    "a call of a pump without the lease": (
        "P5",
        a_history(calls_without_lease=[CallWithoutLease(at_s=9.0, job_id=JOB_ID)]),
    ),
    "a late result that is dropped": (
        "P6",
        a_history(FAILED, results=[result(outputs=(LATE_OUTPUT,))]),
    ),
    "a poll's result that is dropped": ("P6", a_history(FAILED, results=[result(by="poll")])),
    "a callback without an id that is dropped": (
        "P6",
        a_history(FAILED, results=[result(ref=None)]),
    ),
    "a result in the document that nobody sent": (
        "P6",
        with_versions(
            *BEGINNING,
            (30.0, OTHER),
            (31.0, out(OTHER)),
            results=[result()],
            messages=[message(30.5, OTHER)],
        ),
    ),
    "a result in the document and in no event": (
        "P6",
        with_versions(
            *BEGINNING,
            (30.0, FAILED),
            (31.0, out(FAILED)),
            (40.0, LATE),
            results=[result(outputs=(LATE_OUTPUT,))],
            messages=[message(30.5, FAILED)],
        ),
    ),
    "an error that nobody planned for": ("BUG", a_history(bugs=["ValueError"])),
}

KEPT = {
    "all went well": a_history(),
    "a failure": a_history(FAILED),
    "a late result": with_versions(
        *BEGINNING,
        (30.0, FAILED),
        (31.0, out(FAILED)),
        (40.0, LATE),
        (42.0, out(LATE)),
        results=[result(outputs=(LATE_OUTPUT,))],
        messages=[message(30.5, FAILED), message(41.0, LATE, number=1), message(43.0, LATE)],
    ),
    "a result that we crashed on": a_history(FAILED, results=[result(is_ours=False)]),
    "a result under another's id": a_history(FAILED, results=[result(ref="another")]),
    "a submission that was refused before": a_history(
        calls=[sent(1.2, verdict=Verdict.BUSY), sent(1.5)]
    ),
    "an end that an outage delayed": with_versions(
        *BEGINNING,
        (195.0, SUCCEEDED),
        (196.0, out(SUCCEEDED)),
        messages=[message(195.5, SUCCEEDED)],
        outages=[Outage(at_s=95.0, until_s=115.0)],
        troubles=[Trouble(at_s=95.0, what="outage", until_s=115.0)],
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_promise_is_named(name):
    promise, history = BROKEN[name]

    assert promise in {violation.promise for violation in violations(history)}


@pytest.mark.parametrize("name", KEPT)
def test_a_history_that_keeps_the_promises_has_no_violations(name):
    assert [str(violation) for violation in violations(KEPT[name])] == []


@pytest.mark.parametrize(("at_s", "broken"), [(31.0005, []), (31.002, ["P2"])])
def test_a_topic_with_a_coarse_clock_is_believed_within_it(at_s, broken):
    seen = replace(message(at_s, SUCCEEDED), within_s=0.001)

    found = violations(a_history(messages=[seen]))

    assert [one.promise for one in found] == broken


def test_a_price_of_a_job_that_was_never_sent_is_found_whatever_the_code_says():
    told = message(30.5, UNSENT)
    history = with_versions(
        (0.0, PRICED),
        (30.0, UNSENT),
        (31.0, out(UNSENT)),
        calls=[],
        acknowledged=[],
        results=[],
        messages=[told],
    )
    assert violations(history) == []

    history.messages = [replace(told, data=told.data.replace(b'"credits":0.0', b'"credits":1.0'))]

    assert any("names a price" in one.what for one in violations(history))
