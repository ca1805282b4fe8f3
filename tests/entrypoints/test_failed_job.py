"""What a failed job tells its caller: the provider's words, what to do, and what it cost."""

import json
from typing import Any

import pytest

from relay.adapters.providers.gepetto import Gepetto
from relay.adapters.transport import Answer
from relay.domain.catalogue.gepetto import GEPETTO
from relay.domain.tokens import webhook_url
from tests.entrypoints.requests import BEARER, BODY, create
from tests.factories import INPUT

API_KEY = "gk-0123456789abcdef"
WEBHOOKS = "https://hooks.example.com/in"
SIGNED = "https://bucket.example.com/room.jpg?X-Signature=5ec7e7"
TAKEN = (200, {"status": "pending", "id": "6512f0aa"})


class FakeTransport:
    """Gives these answers to submissions and to polls, the last one for ever."""

    def __init__(self, *, submitted, polled):
        self._answers = {"submit": list(submitted), "poll": list(polled)}

    def post(self, _url, **_request):
        return self._next("submit")

    def get(self, _url, **_request):
        return self._next("poll")

    def _next(self, kind):
        answers = self._answers[kind]
        status, body = answers.pop(0) if len(answers) > 1 else answers[0]
        return Answer(status, body if isinstance(body, bytes) else json.dumps(body).encode())


def with_token(job):
    return webhook_url(WEBHOOKS, "k" * 32, provider=job.provider, job_id=job.id)


@pytest.fixture
def gepetto_answers(world):
    """Put Gepetto's adapter in the place of the scripted provider."""

    def answers(*, submitted=(TAKEN,), polled=((200, {"status": "pending"}),)):
        transport: Any = FakeTransport(submitted=submitted, polled=polled)
        world.provider = Gepetto(
            transport=transport,
            base_url=GEPETTO.base_url,
            api_key=API_KEY,
            limit=GEPETTO.limit,
            webhook_url=with_token,
        )

    return answers


def ended(api, world, body=BODY, *, seconds=200):
    """Create a job, have it pumped until it has ended, and return it as the API shows it."""
    path = create(api, body).headers["Location"]
    until = world.seconds() + seconds
    while world.seconds() < until and not api.get(path, headers=BEARER).json["finishedAt"]:
        world.pump(window_s=55).run()
        world.clock.advance(5)
    return api.get(path, headers=BEARER).json


def finished_line(caplog):
    (line,) = [one.fields for one in caplog.records if one.message == "job finished"]
    return line


@pytest.mark.parametrize("status", [400, 404, 422])
def test_a_refused_job_tells_the_providers_status_and_words(
    api, world, gepetto_answers, caplog, status
):
    caplog.set_level("INFO")
    gepetto_answers(submitted=[(status, {"message": "image could not be fetched"})])

    job = ended(api, world)

    assert job["error"] == {
        "code": "provider_rejected",
        "message": f"the provider refused the job (HTTP {status}: image could not be fetched); "
        "correct the input and create a new job",
        "retryable": False,
        "provider": {"status": status, "message": "image could not be fetched"},
    }
    line = finished_line(caplog)
    assert (line["http_status"], line["provider_said"]) == (status, "image could not be fetched")


def test_a_failed_render_tells_the_providers_word_and_text(api, world, gepetto_answers, caplog):
    caplog.set_level("INFO")
    gepetto_answers(polled=[(200, {"status": "failed", "error": "out of memory"})])

    job = ended(api, world)

    assert (job["error"]["code"], job["error"]["retryable"]) == ("render_failed", False)
    assert job["error"]["provider"] == {"status": 200, "message": "failed: out of memory"}
    assert "(failed: out of memory)" in job["error"]["message"]
    assert finished_line(caplog)["provider_said"] == "failed: out of memory"


def test_a_job_that_the_provider_does_not_know_tells_how_it_says_so(api, world, gepetto_answers):
    gepetto_answers(polled=[(404, b"job not found")])

    job = ended(api, world)

    assert (job["error"]["code"], job["error"]["retryable"]) == ("provider_job_not_found", True)
    assert job["error"]["provider"] == {"status": 404, "message": "job not found"}


@pytest.mark.parametrize(
    ("status", "code"), [(401, "provider_auth"), (402, "provider_out_of_credits")]
)
def test_a_job_that_ends_because_its_account_is_refused_tells_how(
    api, world, gepetto_answers, status, code
):
    gepetto_answers(submitted=[(status, {"message": "see your plan"})])

    job = ended(api, world, BODY | {"deadlineSeconds": 60})

    assert (job["error"]["code"], job["error"]["retryable"]) == (code, False)
    assert job["error"]["provider"] == {"status": status, "message": "see your plan"}


def test_a_deadline_is_nothing_that_the_provider_said(api, world, gepetto_answers):
    gepetto_answers()

    job = ended(api, world, BODY | {"deadlineSeconds": 60})

    assert job["error"]["code"] == "deadline_exceeded"
    assert "provider" not in job["error"]


@pytest.mark.parametrize("kind", ["submitted", "polled"])
def test_neither_the_job_nor_its_event_nor_a_log_shows_our_urls_keys_and_signed_urls(
    api, world, gepetto_answers, caplog, kind
):
    caplog.set_level("DEBUG")

    def body(job_id):
        url = webhook_url(WEBHOOKS, "k" * 32, provider="gepetto", job_id=job_id)
        return {"status": "failed", "message": f"{SIGNED} gone, {API_KEY} may not call {url}"}

    key = {**BEARER, "Idempotency-Key": "order-1"}
    job_id = create(api, BODY, key).json["id"]
    status = 422 if kind == "submitted" else 200
    gepetto_answers(**{kind: [(status, body(job_id))]})
    world.pump(window_s=55).run()

    job = api.get(f"/v1/jobs/{job_id}", headers=BEARER).json
    (event,) = world.topics.events
    told = "https://bucket.example.com/room.jpg?*** gone, *** may not call ***"
    assert job["error"]["provider"]["message"].endswith(told)
    logged = " ".join(f"{one.getMessage()} {getattr(one, 'fields', '')}" for one in caplog.records)
    for shown in (json.dumps(job["error"]), event.data.decode(), logged):
        assert told in shown
        assert API_KEY not in shown
        assert "hooks.example.com" not in shown
        assert "5ec7e7" not in shown


@pytest.mark.parametrize(
    ("answers", "style", "hint"),
    [
        ({"submitted": [(422, b"no")]}, "moderne-typo", "styleId: did you mean `modern`?"),
        ({"submitted": [(422, b"no")]}, "Modern", "styleId: did you mean `modern`?"),
        ({"polled": [(200, {"status": "failed"})]}, "modren", "styleId: did you mean `modern`?"),
        ({"submitted": [(422, b"no")]}, "modern", None),
        ({"submitted": [(422, b"no")]}, "haussmann", None),
    ],
    ids=["refused", "in capitals", "failed", "a known id", "like none"],
)
def test_an_id_that_is_like_a_known_one_is_hinted_at_when_the_job_fails(
    api, world, gepetto_answers, answers, style, hint
):
    gepetto_answers(**answers)

    job = ended(api, world, BODY | {"input": INPUT | {"styleId": style}})

    (event,) = world.topics.events
    assert job["status"] == "failed"
    if hint is None:
        assert "did you mean" not in job["error"]["message"]
    else:
        assert job["error"]["message"].endswith(f"; {hint}")
    assert json.loads(event.data)["error"] == job["error"]


def test_an_id_that_is_not_a_known_one_is_sent_all_the_same(api, world):
    answer = create(api, BODY | {"input": INPUT | {"styleId": "moderne-typo"}})

    assert answer.status_code == 201
    world.pump(window_s=0).run()
    assert world.provider.called("submit") == [answer.json["id"]]


DECLUTTER = BODY | {"operation": "declutter", "input": {"url": INPUT["url"]}}


def test_a_job_that_was_cancelled_before_it_was_sent_costs_nothing_here_and_in_its_event(
    api, world
):
    path = create(api, DECLUTTER).headers["Location"]
    assert api.get(path, headers=BEARER).json["credits"] == 2

    job = api.post(f"{path}/cancel", headers=BEARER).json

    (event,) = world.topics.events
    assert (job["credits"], json.loads(event.data)["credits"]) == (0, 0)


def test_a_job_that_was_cancelled_after_it_was_sent_costs_its_price(api, world):
    path = create(api, DECLUTTER).headers["Location"]
    world.pump(window_s=0).run()

    job = api.post(f"{path}/cancel", headers=BEARER).json

    (event,) = world.topics.events
    assert (job["credits"], json.loads(event.data)["credits"]) == (2, 2)


def test_a_job_that_was_not_sent_in_time_costs_nothing(api, world):
    path = create(api, DECLUTTER | {"deadlineSeconds": 60}).headers["Location"]
    world.clock.advance(59)
    world.pump(window_s=0).run()

    job = api.get(path, headers=BEARER).json

    assert (job["error"]["code"], job["credits"]) == ("not_sent_in_time", 0)
    assert "provider" not in job["error"]
