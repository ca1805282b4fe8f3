"""The Gepetto adapter against recorded answers, given by a server on this machine."""

import json
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.adapters.providers.gepetto import Gepetto, read_callback
from relay.adapters.transport import Transport
from relay.domain.answers import Accepted, Rendered, UnknownJob
from relay.domain.catalogue.gepetto import GEPETTO
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

KEY = "gk-0123456789abcdef"
TOKEN = "dG9rZW4tdG9rZW4tdG9rZW4tdG9rZW4t"
WEBHOOK = f"https://hooks.example.com/gepetto/job_1/{TOKEN}"
SHAPED = st.fixed_dictionaries(
    {},
    optional={
        "id": JSON | st.text(min_size=1),
        "status": JSON | st.sampled_from(["success", "pending", "failed"]),
        "output": JSON | st.sampled_from(["https://a.b/c.png", "ftp://a.b/c.png", "https://"]),
    },
)


a_job = partial(
    processing_job,
    provider="gepetto",
    operation="redesign",
    input={"url": "https://example.com/room.jpg", "styleId": "modern"},
    provider_job_id="6512f0aa",
)


@pytest.fixture(scope="module")
def gepetto(stub: Stub) -> Gepetto:
    return a_gepetto(stub.url + "/v1/")


def a_gepetto(base_url: str, api_key: str = KEY) -> Gepetto:
    return Gepetto(
        transport=Transport(),
        base_url=base_url,
        api_key=api_key,
        limit=GEPETTO.limit,
        webhook_url=lambda _: WEBHOOK,
    )


@pytest.mark.parametrize("recording", recordings("gepetto", "submit", "poll"), ids=lambda r: r.name)
def test_every_recorded_answer_is_read_as_expected(recording: Recording, stub: Stub) -> None:
    # No kept connection, on which the rest of another recording may still arrive.
    gepetto = a_gepetto(stub.url + "/v1/")
    stub.says(recording.status, recording.body, recording.headers)
    ask = gepetto.submit if recording.call == "submit" else gepetto.poll

    outcome = outcome_of(lambda: ask(a_job()))

    assert_outcome(outcome, recording.expected)
    assert len(stub.seen) == 1


@pytest.mark.parametrize("recording", recordings("gepetto", "callback"), ids=lambda r: r.name)
def test_every_recorded_callback_is_read_as_expected(recording: Recording) -> None:
    assert_outcome(read_callback(json.loads(recording.body)), recording.expected)


def test_a_submission_carries_the_key_the_input_and_our_webhook(
    gepetto: Gepetto, stub: Stub
) -> None:
    stub.says(200, {"status": "pending", "id": "x"})

    gepetto.submit(a_job())

    (seen,) = stub.seen
    assert (seen.method, seen.path) == ("POST", "/v1/redesign")
    assert seen.headers["Authorization"] == f"Bearer {KEY}"
    assert seen.headers["Content-Type"] == "application/json"
    assert seen.json == {
        "url": "https://example.com/room.jpg",
        "styleId": "modern",
        "webhook": WEBHOOK,
    }


@pytest.mark.parametrize("sample", [one for one in SAMPLES if one.provider == "gepetto"], ids=str)
def test_every_operation_goes_to_its_path_as_it_is(
    sample: Sample, gepetto: Gepetto, stub: Stub
) -> None:
    stub.says(200, {"status": "pending", "id": "x"})

    gepetto.submit(a_job(operation=sample.operation, path=sample.path, input=sample.input))

    (seen,) = stub.seen
    assert seen.path == "/v1" + (sample.path or f"/{sample.operation}")
    assert seen.json == {**sample.input, "webhook": WEBHOOK}


def test_a_raw_job_goes_to_its_own_path_with_our_webhook_and_not_the_callers(
    gepetto: Gepetto, stub: Stub
) -> None:
    stub.says(200, {"status": "pending", "id": "x"})
    raw = a_job(
        operation="raw", path="/upscale", input={"webhook": "https://other.example", "n": 1}
    )

    gepetto.submit(raw)

    (seen,) = stub.seen
    assert seen.path == "/v1/upscale"
    assert seen.json == {"webhook": WEBHOOK, "n": 1}


def test_an_input_with_half_an_emoji_and_infinity_is_sent_all_the_same(
    gepetto: Gepetto, stub: Stub
) -> None:
    stub.says(200, {"status": "pending", "id": "x"})

    accepted = gepetto.submit(a_job(input={"styleId": "\ud83d", "creativity": float("inf")}))

    assert isinstance(accepted, Accepted)


@pytest.mark.parametrize(
    "changes", [{"operation": "sunrise"}, {"operation": "raw"}], ids=["unknown", "raw without path"]
)
def test_a_job_that_this_version_cannot_send_waits_unsent(
    changes: dict[str, Any], gepetto: Gepetto, stub: Stub
) -> None:
    stub.says(200, {"status": "pending", "id": "x"})

    with pytest.raises(NotAccepted):
        gepetto.submit(a_job(**changes))

    assert stub.seen == []


@pytest.mark.parametrize(
    ("provider_job_id", "path"),
    [
        ("6512f0aa", "/v1/job/6512f0aa"),
        ("../rooms", "/v1/job/..%2Frooms"),
        ("a/b?c=d&e#f", "/v1/job/a%2Fb%3Fc%3Dd%26e%23f"),
        ("50%2F é", "/v1/job/50%252F%20%C3%A9"),
    ],
)
def test_the_providers_id_is_quoted_in_the_path_of_a_poll(
    provider_job_id: str, path: str, gepetto: Gepetto, stub: Stub
) -> None:
    stub.says(200, {"status": "pending"})

    gepetto.poll(a_job(provider_job_id=provider_job_id))

    (seen,) = stub.seen
    assert (seen.method, seen.path) == ("GET", path)
    assert seen.headers["Authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize("provider_job_id", [".", ".."])
def test_an_id_that_would_mean_another_path_is_nobodys(
    provider_job_id: str, gepetto: Gepetto, stub: Stub
) -> None:
    stub.says(200, {"status": "success", "output": "https://example.com/other.png"})

    assert gepetto.poll(a_job(provider_job_id=provider_job_id)) == UnknownJob()
    assert stub.seen == []


def test_a_job_without_the_providers_id_is_not_asked_about(gepetto: Gepetto, stub: Stub) -> None:
    stub.says(200, {"status": "success", "output": "https://example.com/other.png"})

    with pytest.raises(NoAnswer):
        gepetto.poll(a_job(provider_job_id=None))

    assert stub.seen == []


def test_the_reason_of_a_refusal_shows_neither_the_key_nor_the_webhook(
    gepetto: Gepetto, stub: Stub
) -> None:
    stub.says(400, {"message": f"{'x' * 283} key {KEY} cannot call {WEBHOOK}, nor /j/{TOKEN}"})

    with pytest.raises(JobRefused) as refused:
        gepetto.submit(a_job())

    assert refused.value.reason.endswith("x key *** cannot c")
    assert len(refused.value.reason) == 300


def test_a_short_reason_is_shown_whole_but_for_secrets(gepetto: Gepetto, stub: Stub) -> None:
    stub.says(422, {"error": f"cannot call {WEBHOOK}, nor /job_1/{TOKEN} with {KEY}"})

    with pytest.raises(JobRefused) as refused:
        gepetto.submit(a_job())

    assert refused.value.reason == "cannot call ***, nor /job_1/*** with ***"


def test_a_provider_that_is_not_there_took_nothing() -> None:
    gone = a_gepetto("http://127.0.0.1:1")

    with pytest.raises(NotAccepted):
        gone.submit(a_job())
    with pytest.raises(NoAnswer):
        gone.poll(a_job())


def test_its_text_does_not_show_the_key(gepetto: Gepetto) -> None:
    assert KEY not in f"{gepetto!r} {gepetto}"


def test_an_error_does_not_show_the_address_that_was_called(gepetto: Gepetto, stub: Stub) -> None:
    outcome = outcome_of(lambda: a_gepetto("http://127.0.0.1:1/secret").poll(a_job()))

    assert isinstance(outcome, NoAnswer)
    assert outcome.__cause__ is None
    assert outcome.__suppress_context__
    assert "secret" not in str(outcome)


@given(body=SHAPED | JSON)
def test_no_json_at_all_surprises_the_adapter(body: object, gepetto: Gepetto, stub: Stub) -> None:
    stub.says(200, body)

    submitted = outcome_of(lambda: gepetto.submit(a_job()))
    polled = outcome_of(lambda: gepetto.poll(a_job()))
    called_back = read_callback(body)

    assert not isinstance(submitted, Accepted) or submitted.provider_job_id
    assert not isinstance(polled, Rendered) or polled.outputs == ("https://a.b/c.png",)
    assert called_back.outputs in ((), ("https://a.b/c.png",))


@given(body=st.binary(), status=st.integers(200, 599).filter(lambda status: status != 204))
def test_no_bytes_at_all_surprise_the_adapter(
    body: bytes, status: int, gepetto: Gepetto, stub: Stub
) -> None:
    stub.says(status, body)

    assert not isinstance(outcome_of(lambda: gepetto.submit(a_job())), Accepted)
    assert not isinstance(outcome_of(lambda: gepetto.poll(a_job())), Rendered)
