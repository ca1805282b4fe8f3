"""How a job stands in its document, and what is read of one that is not as it should be."""

from datetime import UTC, timedelta, timezone

import pytest
from google.cloud.firestore_v1.types.document import Value
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from relay.adapters.document import (
    decode_fields,
    encode,
    from_document,
    to_document,
    without_defaults,
)
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
FIRST, LAST = (NOON.replace(year=year, tzinfo=None) for year in (2, 9998))
ZONES = st.sampled_from([UTC, timezone(timedelta(hours=-5, minutes=-30))])


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


def test_callers_names_are_left_as_they_are():
    named = a_job(metadata={"roomId": "4", "floor_no": "2"}, input={"styleId": "modern", "x_y": 1})

    back = from_document(JOB_ID, document(named))

    assert back.metadata == named.metadata
    assert dict(back.known_input or {}) == named.input


def in_message(value):
    message = Value.pb()()
    encode(value, message)
    return message


PLAIN = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary()
    | st.datetimes(timezones=st.just(UTC))
)


@given(st.dictionaries(st.text(), PLAIN | st.lists(PLAIN) | st.dictionaries(st.text(), PLAIN)))
def test_values_come_back_from_firestores_messages(fields):
    back = decode_fields(in_message(fields).map_value.fields)

    assert back == fields
    assert {name: type(one) for name, one in back.items()} == {
        name: type(one) for name, one in fields.items()
    }


@given(st.datetimes(min_value=FIRST, max_value=LAST, timezones=ZONES))
def test_times_are_written_as_protobuf_would(at):
    expected = Timestamp()
    expected.FromDatetime(at)

    assert in_message(at).timestamp_value.ToNanoseconds() == expected.ToNanoseconds()


@pytest.mark.parametrize("value", [{"a"}, Status.QUEUED], ids=["set", "word of an enumeration"])
def test_a_value_that_no_document_has_is_refused(value):
    with pytest.raises(TypeError, match=f"no {type(value).__name__} in a document"):
        in_message({"field": value})


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
