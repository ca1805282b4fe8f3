"""The demo's checks, each against evidence that is wrong in one way."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from infra.demo.checks import all_checks
from infra.demo.evidence import DocumentFacts, Evidence, Restart
from infra.demo.following import Followed
from infra.demo.jobs import JOBS, DemoJob
from infra.demo.receiver import Callback
from infra.demo.relay_api import JobReport
from infra.local.inbox import Delivery

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
LOST = next(job for job in JOBS if job.loses_webhook)
CALLED = next(job for job in JOBS if job.has_callback)
FAILING = next(job for job in JOBS if job.fails)


def a_report_json(job: DemoJob, kept: bool = False, **changed: Any) -> bytes:
    report: dict[str, Any] = {
        "id": f"job_{job.number:026}",
        "status": "failed" if job.fails else "succeeded",
        "createdAt": "2026-11-21T12:00:00Z",
        "finishedAt": "2026-11-21T12:00:25Z",
        "finishedBy": "poll",
        "outputs": []
        if job.fails
        else [{"url": f"http://127.0.0.1/{n}.png"} for n in range(job.pictures)],
        "error": {"code": "render_failed", "message": "it failed", "retryable": True}
        if job.fails
        else None,
        "providerJobId": f"ref-{job.number}",
        "providerStatus": "success",
        "history": [{"status": "queued"}, {"status": "processing"}],
    }
    if kept and not job.fails:
        report["keptOutputs"] = [{"index": n, "sha256": "aa"} for n in range(job.pictures)]
    return json.dumps(report | changed).encode()


def a_report(job: DemoJob, **changed: Any) -> JobReport:
    """Return a job as the API shows it."""
    callback = {"status": "delivered", "attempts": 1, "lastStatus": 200}
    shown = {"callback": callback if job.has_callback else None, **changed}
    return msgspec.json.decode(a_report_json(job, kept=True, **shown), type=JobReport)


def a_delivery(job: DemoJob, **changed: Any) -> Delivery:
    report = a_report(job, **changed)
    return Delivery(
        message_id="1",
        published_at=NOON,
        ordering_key=report.id,
        attributes={
            "ce-id": report.completion_event_id,
            "ce-subject": report.id,
            "ce-type": f"com.renderrelay.job.{report.status}",
        },
        data=a_report_json(job, **changed),
    )


def a_kept_delivery(job: DemoJob) -> Delivery:
    completion = a_delivery(job)
    changed = {
        "ce-id": f"{completion.job_id}.outputs_kept",
        "ce-type": "com.renderrelay.job.outputs_kept",
    }
    return replace(
        completion,
        attributes={**completion.attributes, **changed},
        data=a_report_json(job, kept=True),
    )


def a_callback(delivery: Delivery, **changed: object) -> Callback:
    body = {"type": delivery.attributes["ce-type"], "data": json.loads(delivery.data)} | changed
    raw = msgspec.Raw(json.dumps(body).encode())
    return Callback(delivery.event_id, 0.0, "demo", "", "good", 204, raw)


def good_evidence() -> Evidence:
    followed = tuple(Followed(job=job, report=a_report(job), is_announced=True) for job in JOBS)
    return Evidence(
        followed=followed,
        documents={
            one.report.id: DocumentFacts(status=one.report.status, event_ids=one.event_ids)
            for one in followed
            if one.report is not None
        },
        deliveries=(
            *(a_delivery(job) for job in JOBS),
            *(a_kept_delivery(job) for job in JOBS if not job.fails),
        ),
        callbacks=(a_callback(a_delivery(CALLED)), a_callback(a_kept_delivery(CALLED))),
        renders=tuple(f"ref-{job.number}" for job in JOBS),
        pictures=26,
    )


def with_report(evidence: Evidence, job: DemoJob, **changed: object) -> Evidence:
    followed = [
        replace(one, report=a_report(job, **changed)) if one.job is job else one
        for one in evidence.followed
    ]
    return replace(evidence, followed=tuple(followed))


def with_document(evidence: Evidence, job: DemoJob, facts: DocumentFacts) -> Evidence:
    return replace(evidence, documents={**evidence.documents, a_report(job).id: facts})


def with_deliveries(evidence: Evidence, *more: Delivery) -> Evidence:
    return replace(evidence, deliveries=(*evidence.deliveries, *more))


def with_callback(evidence: Evidence, **changed: object) -> Evidence:
    first, *others = evidence.callbacks
    return replace(evidence, callbacks=(msgspec.structs.replace(first, **changed), *others))


def never_taken(evidence: Evidence) -> Evidence:
    first, *others = evidence.followed
    return replace(evidence, followed=(replace(first, report=None), *others))


def without_first_event(evidence: Evidence) -> Evidence:
    return replace(evidence, deliveries=evidence.deliveries[1:])


def broken_lines(evidence: Evidence) -> list[str]:
    return [check.line for check in all_checks(evidence) if not check.holds]


def test_good_evidence_passes_every_check_and_every_line_has_figures():
    checks = all_checks(good_evidence())

    assert all(check.holds for check in checks)
    assert all(any(mark.isdigit() for mark in check.line) for check in checks)


def test_an_identical_second_copy_of_an_event_is_allowed_and_counted():
    evidence = with_deliveries(good_evidence(), a_delivery(JOBS[0]))

    assert broken_lines(evidence) == []
    assert "24 deliveries, 23 different ids, 1 repeated" in [
        check.line for check in all_checks(evidence)
    ]


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        pytest.param(
            lambda good: with_report(good, LOST, status="processing"),
            "11 of 12 jobs are final",
            id="a job that is not final",
        ),
        pytest.param(never_taken, "11 of 12 jobs are final", id="a job that was never taken"),
        pytest.param(without_first_event, "11 events for 12 jobs", id="an event that never came"),
        pytest.param(
            lambda good: with_deliveries(good, a_delivery(FAILING, status="succeeded")),
            "13 events for 12 jobs",
            id="a second event of a job",
        ),
        pytest.param(
            lambda good: with_deliveries(good, a_delivery(JOBS[0], id="job_x")),
            "which is no job here",
            id="an event of an unknown job",
        ),
        pytest.param(
            lambda good: with_deliveries(good, a_delivery(JOBS[0], finishedBy="webhook")),
            "came with different content",
            id="a copy with other data",
        ),
        pytest.param(
            lambda good: with_deliveries(
                without_first_event(good),
                replace(
                    a_delivery(JOBS[0]),
                    attributes={**a_delivery(JOBS[0]).attributes, "ce-id": "event-1"},
                ),
            ),
            "event ids are job id and last word of type: event-1",
            id="an event id of another making",
        ),
        pytest.param(
            lambda good: with_document(
                good, FAILING, DocumentFacts(status="succeeded", event_ids=("x.succeeded",))
            ),
            "is succeeded in Firestore, failed in the API",
            id="a document with another status",
        ),
        pytest.param(
            lambda good: with_document(
                good, JOBS[0], DocumentFacts(status="succeeded", event_ids=())
            ),
            "its document has no event",
            id="a document without its event",
        ),
        pytest.param(
            lambda good: replace(good, documents={}),
            "has no readable document",
            id="no document",
        ),
        pytest.param(
            lambda good: with_report(good, JOBS[0], outputs=[{"url": "http://127.0.0.1/x.png"}]),
            "21 of 23 events carry the job",
            id="an event with other outputs than the API",
        ),
        pytest.param(
            lambda good: with_report(good, LOST, finishedBy="webhook"),
            "0 of 1 lost webhooks",
            id="a lost webhook that came",
        ),
        pytest.param(
            lambda good: with_report(good, FAILING, status="succeeded", error=None),
            "0 of 1 failing renders",
            id="a failing render that succeeded",
        ),
        pytest.param(
            lambda good: with_report(
                good,
                FAILING,
                error={"code": "deadline_exceeded", "message": "too late", "retryable": True},
            ),
            "with deadline_exceeded",
            id="a failure for another reason",
        ),
        pytest.param(
            lambda good: with_report(
                good,
                LOST,
                status="failed",
                error={"code": "render_failed", "message": "it failed", "retryable": True},
            ),
            "failing renders",
            id="a second failure",
        ),
        pytest.param(
            lambda good: replace(good, renders=(*good.renders, "ref-13")),
            "13 renders bought for 12 jobs",
            id="a render too many",
        ),
        pytest.param(
            lambda good: replace(good, deliveries=good.deliveries[:-1]),
            "outputs_kept stands in its document but never came",
            id="an event of copies that never came",
        ),
        pytest.param(
            lambda good: replace(good, callbacks=good.callbacks[:1]),
            "1 of 2 events came to the callback's URL",
            id="a callback that never came",
        ),
        pytest.param(
            lambda good: with_callback(good, signature="wrong"),
            "has a signature that is wrong",
            id="a callback with a wrong signature",
        ),
        pytest.param(
            lambda good: replace(
                good, callbacks=(*good.callbacks, a_callback(a_delivery(FAILING)))
            ),
            "is foreign",
            id="a callback of another job",
        ),
        pytest.param(
            lambda good: with_callback(
                good, body=a_callback(a_delivery(CALLED, finishedBy="webhook")).body
            ),
            "is not what was announced",
            id="a callback with another job than its event",
        ),
        pytest.param(
            lambda good: with_report(good, CALLED, callback=None),
            "does not say that its callback is delivered",
            id="a job that does not show its callback",
        ),
        pytest.param(
            lambda good: replace(good, pictures=25), "25 of 26 pictures", id="a lost picture"
        ),
        pytest.param(
            lambda good: replace(
                good, restarts=(Restart(function="poll_tick", old_pid=7, new_pid=7),)
            ),
            "poll_tick",
            id="a function that stayed dead",
        ),
    ],
)
def test_evidence_that_is_wrong_in_one_way_breaks_a_check_that_says_so(
    spoil: Callable[[Evidence], Evidence], said: str
):
    lines = broken_lines(spoil(good_evidence()))

    assert any(said in line for line in lines), lines


def test_a_second_render_is_allowed_where_the_demo_gave_its_word():
    evidence = with_report(
        replace(good_evidence(), renders=(*good_evidence().renders, "ref-13")),
        JOBS[0],
        history=[{"status": "submitting"}, {"status": "unconfirmed"}, {"status": "queued"}],
    )

    lines = [check.line for check in all_checks(evidence) if check.holds]

    assert "13 renders bought for 12 jobs (1 sent again on the caller's word)" in lines
