"""The Spacely adapter against recorded answers, given by a server on this machine."""

import json
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.adapters.providers.spacely import Spacely, read_callback
from relay.adapters.transport import Transport
from relay.domain.answers import Accepted, Rendered
from relay.domain.catalogue.spacely import SPACELY
from relay.errors import JobRefused, NoAnswer, NotAccepted
from tests.factories import processing_job
from tests.payloads.arbitrary import JSON
from tests.payloads.inputs import SAMPLES, Sample
from tests.payloads.replay import (
    Recording,
    Stub,
    assert_outcome,
    outcome_of,
    recordings,
)

KEY = "sk_0123456789abcdef"
URL = "https://a.b/c.png"
PROGRESS = st.fixed_dictionaries(
    {},
    optional={
        "status": JSON | st.sampled_from(["success", "processing", "failed"]),
        "result": JSON | st.lists(JSON | st.sampled_from([URL, "ftp://a.b/c.png", "https://"])),
    },
)
SHAPED = st.fixed_dictionaries({}, optional={"data": JSON | PROGRESS})


a_job = partial(
    processing_job,
    provider="spacely",
    operation="style-transfer",
    input={"imageUrl": "https://example.com/room.jpg", "spaceType": "bedroom"},
    provider_job_id="0b6f1f0e-5d0c",
)


@pytest.fixture(scope="module")
def spacely(stub: Stub) -> Spacely:
    return a_spacely(stub.url + "/api/v1/")


def a_spacely(base_url: str, api_key: str = KEY) -> Spacely:
    return Spacely(transport=Transport(), base_url=base_url, api_key=api_key, limit=SPACELY.limit)


@pytest.mark.parametrize("recording", recordings("spacely", "submit", "poll"), ids=lambda r: r.name)
def test_every_recorded_answer_is_read_as_expected(recording: Recording, stub: Stub) -> None:
    # No kept connection, on which the rest of another recording may still arrive.
    spacely = a_spacely(stub.url + "/api/v1/")
    stub.says(recording.status, recording.body, recording.headers)
    ask = spacely.submit if recording.call == "submit" else spacely.poll

    outcome = outcome_of(lambda: ask(a_job()))

    assert_outcome(outcome, recording.expected)
    assert len(stub.seen) == 1


@pytest.mark.parametrize("recording", recordings("spacely", "callback"), ids=lambda r: r.name)
def test_every_callback_is_a_mere_hint(recording: Recording) -> None:
    assert_outcome(read_callback(json.loads(recording.body)), recording.expected)


def test_a_submission_carries_the_key_and_the_input_and_no_webhook(
    spacely: Spacely, stub: Stub
) -> None:
    stub.says(200, {"data": "x"})

    spacely.submit(a_job())

    (seen,) = stub.seen
    assert (seen.method, seen.path) == ("POST", "/api/v1/generate/style-transfer")
    assert seen.headers["X-API-KEY"] == KEY
    assert "Authorization" not in seen.headers
    assert seen.headers["Content-Type"] == "application/json"
    assert seen.json == {"imageUrl": "https://example.com/room.jpg", "spaceType": "bedroom"}


@pytest.mark.parametrize("sample", [one for one in SAMPLES if one.provider == "spacely"], ids=str)
def test_every_operation_goes_to_its_path_as_it_is(
    sample: Sample, spacely: Spacely, stub: Stub
) -> None:
    stub.says(200, {"data": "x"})

    spacely.submit(a_job(operation=sample.operation, path=sample.path, input=sample.input))

    (seen,) = stub.seen
    assert seen.path == "/api/v1" + (sample.path or f"/generate/{sample.operation}")
    assert seen.json == sample.input


def test_a_raw_job_goes_to_its_own_path(spacely: Spacely, stub: Stub) -> None:
    stub.says(200, {"data": "x"})

    spacely.submit(a_job(operation="raw", path="/generate/text-to-image", input={"prompt": "sofa"}))

    (seen,) = stub.seen
    assert seen.path == "/api/v1/generate/text-to-image"
    assert seen.json == {"prompt": "sofa"}


def test_a_job_that_this_version_cannot_send_waits_unsent(spacely: Spacely, stub: Stub) -> None:
    stub.says(200, {"data": "x"})

    with pytest.raises(NotAccepted):
        spacely.submit(a_job(operation="redesign"))

    assert stub.seen == []


@pytest.mark.parametrize(
    ("provider_job_id", "query"),
    [
        ("0b6f1f0e-5d0c", "refId=0b6f1f0e-5d0c"),
        ("a&refId=b#c", "refId=a%26refId%3Db%23c"),
        ("../50% é", "refId=..%2F50%25+%C3%A9"),
    ],
)
def test_the_reference_is_quoted_in_the_query_of_a_poll(
    provider_job_id: str, query: str, spacely: Spacely, stub: Stub
) -> None:
    stub.says(200, {"data": {"status": "processing", "result": []}})

    spacely.poll(a_job(provider_job_id=provider_job_id))

    (seen,) = stub.seen
    assert (seen.method, seen.path) == ("GET", f"/api/v1/generate/poll-result?{query}")
    assert seen.headers["X-API-KEY"] == KEY


def test_a_job_without_a_reference_is_not_asked_about(spacely: Spacely, stub: Stub) -> None:
    stub.says(200, {"data": {"status": "success", "result": [URL]}})

    with pytest.raises(NoAnswer):
        spacely.poll(a_job(provider_job_id=None))

    assert stub.seen == []


def test_the_reason_of_a_refusal_does_not_show_the_key(spacely: Spacely, stub: Stub) -> None:
    stub.says(400, {"message": f"{KEY} may not use exterior"})

    with pytest.raises(JobRefused) as refused:
        spacely.submit(a_job())

    assert refused.value.reason == "*** may not use exterior"


def test_its_text_does_not_show_the_key(spacely: Spacely) -> None:
    assert KEY not in f"{spacely!r} {spacely}"


@given(body=SHAPED | JSON)
def test_no_json_at_all_surprises_the_adapter(body: object, spacely: Spacely, stub: Stub) -> None:
    stub.says(200, body)

    submitted = outcome_of(lambda: spacely.submit(a_job()))
    polled = outcome_of(lambda: spacely.poll(a_job()))
    called_back = read_callback(body)

    assert not isinstance(submitted, Accepted) or submitted.provider_job_id.strip()
    assert not isinstance(polled, Rendered) or set(polled.outputs) == {URL}
    assert (called_back.provider_job_id, called_back.outputs) == (None, ())


@given(body=st.binary(), status=st.integers(200, 599).filter(lambda status: status != 204))
def test_no_bytes_at_all_surprise_the_adapter(
    body: bytes, status: int, spacely: Spacely, stub: Stub
) -> None:
    stub.says(status, body)

    assert not isinstance(outcome_of(lambda: spacely.submit(a_job())), Accepted)
    assert not isinstance(outcome_of(lambda: spacely.poll(a_job())), Rendered)
