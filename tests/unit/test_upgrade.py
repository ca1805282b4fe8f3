"""Documents of the version before the queue, as docs/operations.md says that they go on."""

import json

from relay.adapters.document import from_fields, to_fields
from relay.domain.account import Account
from relay.domain.job import ErrorCode, OnUnconfirmed, Status
from relay.errors import PerhapsAccepted
from relay.job_view import to_json
from tests.factories import JOB_ID, NOON, a_job, finished_job, later

NEW_FIELDS = {"queueKey", "priority", "resubmissions", "refusedAt", "throttledAt"}


def as_before(document, **changes):
    """Return the document as the version before the queue wrote it."""
    kept = {name: value for name, value in document.items() if name not in NEW_FIELDS}
    return kept | changes


def test_a_queued_job_of_the_version_before_is_sent(world):
    world.jobs.put(a_job())
    before = as_before(world.jobs.document(JOB_ID), callAt=NOON, wakeAt=NOON, resubmitted=False)
    world.jobs.put_document(JOB_ID, before)

    world.pump(window_s=5).run()

    assert world.jobs.job().status is Status.PROCESSING
    assert "queueKey" not in world.jobs.document(JOB_ID)


def test_a_job_that_the_version_before_sent_again_is_sent_once_more_at_most(world):
    world.jobs.put(a_job(on_unconfirmed=OnUnconfirmed.RESUBMIT))
    before = as_before(world.jobs.document(JOB_ID), callAt=NOON, wakeAt=NOON, resubmitted=True)
    world.jobs.put_document(JOB_ID, before)
    world.provider.on_submit(*[PerhapsAccepted("500")] * 9)

    world.pump(window_s=500).run()

    # The one that it waited for, and one more.
    assert len(world.provider.called("submit")) == 2


def test_a_hold_of_the_version_before_stays_a_hold():
    hold = {
        "code": "provider_auth",
        "status": 401,
        "since": NOON,
        "probeAt": later(30),
        "gapS": 30.0,
    }
    plain = to_fields(Account(name="gepetto"))
    kept = ("name", "holder", "leaseS", "callsAgoS", "granted", "atOnce", "writtenAt")

    account = from_fields(Account, {**{name: plain[name] for name in kept}, "hold": hold})

    assert account.hold is not None
    assert account.hold.code is ErrorCode.PROVIDER_AUTH
    assert account.hold.probe_at == later(30)


def test_a_failed_job_of_the_version_before_is_shown_without_the_providers_words(world):
    world.jobs.put(finished_job(Status.FAILED))
    before = world.jobs.document(JOB_ID)
    del before["refusalReply"], before["error"]["provider"]
    world.jobs.put_document(JOB_ID, before)

    job = world.jobs.job()

    assert (job.refusal_reply, job.error.provider) == (None, None)
    assert json.loads(to_json(job))["error"].keys() == {"code", "message", "retryable"}
