"""How a job stands in its document, and what is read of one that is not as it should be."""

from datetime import UTC, datetime, timedelta

import pytest

from relay.adapters.document import from_document, to_document, without_defaults
from relay.domain.job import ErrorCode, JobError, Status
from relay.domain.trace import TraceContext
from relay.errors import UnreadableJob
from tests.factories import (
    JOB_ID,
    NOON,
    REFUSAL,
    a_job,
    finished_job,
    job_in,
    later,
    processing_job,
)

TIME_TO_LIVE = timedelta(days=30)


def document(job):
    return to_document(job, time_to_live=TIME_TO_LIVE)


@pytest.mark.parametrize("status", Status)
def test_every_job_comes_back_from_its_document(status):
    job = job_in(status)

    assert from_document(JOB_ID, document(job)) == job


@pytest.mark.parametrize("status", Status)
def test_every_job_comes_back_from_what_a_create_writes_of_its_document(status):
    job = job_in(status)

    assert from_document(JOB_ID, without_defaults(document(job))) == job


def test_a_create_leaves_out_nulls_but_the_one_that_open_jobs_are_found_by():
    whole = document(a_job(path=None, credits=None, call_at=None))

    written = without_defaults(whole)

    nulls = {name for name, value in written.items() if value is None}
    assert nulls == {"finishedAt", "path", "credits", "retryOf", "callAt"}
    assert written.items() <= whole.items()


def test_what_a_provider_said_comes_back_from_its_document():
    error = JobError(code=ErrorCode.PROVIDER_REJECTED, message="no", provider=REFUSAL)
    job = finished_job(Status.FAILED, error=error, refusal_reply=REFUSAL)

    fields = document(job)

    assert from_document(JOB_ID, fields) == job
    assert fields["error"]["provider"] == {"status": 422, "message": "styleId is unknown"}


def test_the_names_that_are_relied_on_from_outside_stand_in_it():
    fields = document(processing_job(call_at=later(25)))

    assert fields["account"] == "gepetto"
    assert fields["status"] == "processing"
    assert fields["wakeAt"] == later(25)
    assert fields["providerJobId"] == "6512f0aa"
    assert fields["createdAt"] == NOON


@pytest.mark.parametrize("status", Status)
def test_only_a_document_whose_job_has_ended_expires(status):
    fields = document(job_in(status))

    assert fields.get("expireAt") == (NOON + TIME_TO_LIVE if job_in(status).is_final else None)


def test_a_job_with_nothing_left_to_do_has_no_wake():
    assert "wakeAt" not in document(finished_job(Status.FAILED, announcements=()))


def test_times_come_back_as_plain_utc():
    class WithNanoseconds(datetime):
        nanosecond = 123_456_789

    fields = document(a_job()) | {"createdAt": WithNanoseconds(2026, 1, 2, 12, tzinfo=UTC)}

    created_at = from_document(JOB_ID, fields).created_at
    assert (type(created_at), created_at) == (datetime, NOON)


def test_a_field_that_a_later_version_added_is_ignored():
    assert from_document(JOB_ID, document(a_job()) | {"fromTheFuture": 1}) == a_job()


@pytest.mark.parametrize(
    "change",
    [
        {"status": "no such status"},
        {"status": None},
        {"history": None},
        {"createdAt": "yesterday"},
        {"input": "{"},
        {"input": None},
        {"input": b"\xff"},
        {"metadata": {"a": "b"}},
        {"metadata": "[1]"},
        {"metadata": '{"a": 7}'},
        {"outputs": "https://a.b"},
        {"claim": {}},
        {"tries": "many"},
        {"announcements": [{"id": "a secret"}]},
    ],
    ids=str,
)
def test_a_field_that_does_not_fit_makes_the_document_unreadable(change):
    with pytest.raises(UnreadableJob) as caught:
        from_document(JOB_ID, document(a_job()) | change)

    assert JOB_ID in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("name", sorted(set(document(a_job())) - {"account", "wakeAt", "id"}))
def test_a_field_that_is_missing_has_a_default_or_is_missed(name):
    fields = {key: value for key, value in document(processing_job()).items() if key != name}

    try:
        job = from_document(JOB_ID, fields)
    except UnreadableJob:
        return

    assert job.id == JOB_ID


def test_a_jobs_trace_comes_back_from_its_document_and_old_documents_have_none():
    trace = TraceContext("00-0123456789abcdef0123456789abcdef-00f067aa0ba902b7-01", "a=1")
    job = a_job(trace=trace)

    fields = document(job)

    assert from_document(JOB_ID, fields) == job
    del fields["trace"]
    assert from_document(JOB_ID, fields) == a_job()
