"""That callbacks and copies as they should be pass the checks of a storm, and others do not."""

import base64
import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from infra.demo.receiver import Callback
from infra.local.inbox import Delivery
from infra.sandbox.rendering import noise_png
from infra.storm.aftermath import aftermath_violations
from infra.storm.evidence import Evidence, JobVersion
from infra.storm.observation import Copy
from infra.storm.workload import GONE
from relay.domain.callback import Callback as Owed
from relay.domain.callback import CallbackShape, DeliveryStatus, after_attempt
from relay.domain.events import published, with_event
from relay.domain.job import EventType, Job
from relay.domain.kept_output import KeptOutput
from relay.job_view import callback_json, event_json
from tests.factories import JOB_ID, PROVIDER_JOB_ID, later
from tests.infra.storm.test_evidence import SANDBOX, a_story, good_evidence

PICTURE = noise_png(PROVIDER_JOB_ID, 1)
NAME = f"jobs/{JOB_ID}/0.png"
KEPT = KeptOutput(
    index=0,
    uri=f"gs://outputs/{NAME}",
    content_type="image/png",
    bytes=len(PICTURE),
    sha256=hashlib.sha256(PICTURE).hexdigest(),
)
STORED = base64.b64encode(hashlib.md5(PICTURE).digest()).decode()  # noqa: S324


def a_kept_job(*statuses: int) -> Job:
    """Return a job whose copy was made and whose two events were answered so."""
    job = replace(a_story()[3], callback=Owed(url=f"{SANDBOX}/callbacks/demo?n=1&sandbox="))
    job = published(job, f"{JOB_ID}.succeeded", at=later(6))
    job = with_event(replace(job, kept_outputs=(KEPT,)), EventType.OUTPUTS_KEPT, at=later(7))
    job = published(job, f"{JOB_ID}.outputs_kept", at=later(8))
    for status in statuses or (204, 204):
        assert job.callback is not None
        assert job.callback.pending is not None
        after = after_attempt(
            job.callback, job.callback.pending, http_status=status, retry_after_s=None, at=later(9)
        )
        job = replace(job, callback=after)
    return job


def a_delivery(job: Job, number: int) -> Delivery:
    event = job.announcements[number]
    return Delivery(
        message_id=str(number),
        published_at=later(6 + number),
        ordering_key=job.id,
        attributes={"ce-id": event.id, "ce-subject": job.id, "ce-type": event.type.value},
        data=event_json(job, event),
    )


def a_callback(job: Job, number: int, status: int = 204) -> Callback:
    event = job.announcements[number]
    return Callback(
        id=event.id,
        at=later(7 + number).timestamp(),
        receiver="demo",
        query="n=1&sandbox=",
        signature="good",
        status=status,
        body=msgspec.Raw(callback_json(CallbackShape.EVENT, job, event)),
    )


def good() -> Evidence:
    evidence, job = good_evidence(), a_kept_job()
    (storm_job,) = evidence.jobs
    return replace(
        with_last(evidence, job),
        jobs=(replace(storm_job, callback=""),),
        deliveries=(a_delivery(job, 0), a_delivery(job, 1)),
        callbacks=(a_callback(job, 0), a_callback(job, 1)),
        copies={NAME: Copy(name=NAME, content_type="image/png", md5=STORED)},
    )


def gone() -> Evidence:
    """Return a storm whose receiver wanted no more callbacks."""
    evidence, job = good(), a_kept_job(410)
    (storm_job,) = evidence.jobs
    return replace(
        with_last(evidence, job),
        jobs=(replace(storm_job, callback=GONE),),
        callbacks=(a_callback(job, 0, 410),),
    )


def with_last(evidence: Evidence, job: Job) -> Evidence:
    return replace(evidence, versions={JOB_ID: (JobVersion(at=later(10), job=job, wake_at=None),)})


def changed_job(**changed: Any) -> Callable[[], Evidence]:
    return lambda: with_last(good(), replace(a_kept_job(), **changed))


def changed_callback(**changed: Any) -> Callable[[], Evidence]:
    def evidence() -> Evidence:
        first, second = good().callbacks
        return replace(good(), callbacks=(msgspec.structs.replace(first, **changed), second))

    return evidence


def changed_copy(**changed: Any) -> Callable[[], Evidence]:
    def evidence() -> Evidence:
        (copy,) = good().copies.values()
        return replace(good(), copies={NAME: msgspec.structs.replace(copy, **changed)})

    return evidence


@pytest.mark.parametrize("evidence", [good, gone])
def test_callbacks_and_copies_as_they_should_be_are_no_violations(evidence):
    assert aftermath_violations(evidence()) == ()


def test_a_callback_may_come_again_and_fail_before():
    first, second = good().callbacks
    failed = msgspec.structs.replace(first, status=500)
    unanswered = msgspec.structs.replace(second, status=None)

    evidence = replace(good(), callbacks=(failed, first, unanswered, second, first))

    assert aftermath_violations(evidence) == ()


def test_a_hostile_receiver_need_not_have_been_reached():
    (job,) = good().jobs
    evidence = replace(good(), jobs=(replace(job, is_hostile=True),), callbacks=())

    assert aftermath_violations(evidence) == ()


PENDING = replace(a_kept_job(204).callback or Owed(url=""))


@pytest.mark.parametrize(
    ("evidence", "said"),
    [
        pytest.param(
            lambda: replace(good(), callbacks=good().callbacks[:1]),
            "outputs_kept was not delivered",
            id="an event that never came",
        ),
        pytest.param(
            changed_callback(status=500), "succeeded was not delivered", id="one that only failed"
        ),
        pytest.param(
            lambda: replace(good(), callbacks=good().callbacks[::-1]),
            "was delivered as",
            id="another order",
        ),
        pytest.param(changed_callback(signature="wrong"), "signature is wrong", id="signature"),
        pytest.param(changed_callback(receiver="hostile"), "receiver of hostile", id="tenant"),
        pytest.param(changed_callback(query="n=2"), "another job's URL", id="another job's URL"),
        pytest.param(changed_callback(id=f"{JOB_ID}.failed"), "was never published", id="no event"),
        pytest.param(
            changed_callback(at=later(5).timestamp()), "before it was published", id="too early"
        ),
        pytest.param(
            changed_callback(body=msgspec.Raw(b"[]")), "what was published", id="no event's body"
        ),
        pytest.param(
            changed_callback(
                body=msgspec.Raw(
                    json.dumps(
                        {**json.loads(bytes(good().callbacks[0].body)), "type": "x"}
                    ).encode()
                )
            ),
            "what was published",
            id="another type",
        ),
        pytest.param(
            changed_job(callback=PENDING), "not shown as delivered", id="a job that waits"
        ),
        pytest.param(
            changed_job(callback=Owed(url="")), "0 are for its callback", id="a job that forgot"
        ),
        pytest.param(
            lambda: with_last(gone(), a_kept_job()),
            "not shown as failed after 410",
            id="a job that does not say that its receiver is gone",
        ),
        pytest.param(changed_job(kept_outputs=()), "kept are []", id="no copy in the job"),
        pytest.param(
            changed_job(kept_outputs=(KEPT, KEPT)), "kept are [0]", id="a copy told of twice"
        ),
        pytest.param(
            changed_job(kept_outputs=(KeptOutput(index=0, error="no picture"),)),
            "was not kept: no picture",
            id="an error",
        ),
        pytest.param(
            lambda: replace(good(), copies={}), "is not in the bucket", id="no copy in the bucket"
        ),
        pytest.param(
            changed_job(kept_outputs=(replace(KEPT, uri="gs://other/x"),)),
            "is not in the bucket",
            id="another address",
        ),
        pytest.param(changed_copy(md5="x"), "not what the provider served", id="another picture"),
        pytest.param(
            changed_job(kept_outputs=(replace(KEPT, sha256="x"),)),
            "what the job says of it",
            id="another digest",
        ),
        pytest.param(
            lambda: replace(
                good(), copies={**good().copies, "x": Copy(name="x", content_type="", md5="")}
            ),
            "x is of no output",
            id="an object too many",
        ),
        pytest.param(
            changed_job(announcements=a_kept_job().announcements[:1]),
            "0 events tell of copies",
            id="copies that were not announced",
        ),
    ],
)
def test_what_is_wrong_is_said(evidence, said):
    found = [str(one) for one in aftermath_violations(evidence())]

    assert any(said in one for one in found), found


def test_after_a_refusal_for_good_nothing_more_is_sent():
    first = gone().callbacks[0]
    evidence = replace(
        gone(), callbacks=(first, msgspec.structs.replace(first, id=f"{JOB_ID}.outputs_kept"))
    )

    assert any("2 events were sent" in str(one) for one in aftermath_violations(evidence))
    assert all(
        one.status is DeliveryStatus.FAILED
        for one in (a_kept_job(410).callback or Owed(url="")).deliveries
    )
