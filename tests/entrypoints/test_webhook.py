"""`provider_webhook` as providers and strangers meet it; see contract, section 4."""

import json
from io import BytesIO

import pytest

from relay.domain.job import EventType, Status
from tests.entrypoints.requests import EndlessBody
from tests.factories import (
    JOB_ID,
    LATE_OUTPUT,
    NOON,
    OUTPUT,
    PROVIDER_JOB_ID,
    a_job,
    finished_job,
    later,
    processing_job,
    submitting_job,
    unconfirmed_job,
)

# Made with `openssl dgst -sha256 -hmac KEY` over "gepetto/" and the job's id.
TOKEN = "PqhQGktMCHNEm2FoLJHLDYba_OGqXr7B"
TOKEN_OF_THE_OLDER_KEY = "Uj9dIMhlZkGaKA1ocodgaDRKsIsVbmVa"
SPACELY_TOKEN = "xZLJsNUbG7qSisvvECdLpyFca_sC7SGr"
PATH = f"/gepetto/{JOB_ID}/{TOKEN}"
WRONG_TOKEN = f"/gepetto/{JOB_ID}/{TOKEN[::-1]}"
DONE = {"id": PROVIDER_JOB_ID, "status": "success", "output": OUTPUT}


def post(webhook, body, path=PATH):
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return webhook.post(path, data=content, content_type="application/json")


@pytest.mark.parametrize("token", [TOKEN, TOKEN_OF_THE_OLDER_KEY], ids=["new key", "older key"])
def test_a_usable_output_ends_the_job_and_its_event_is_out_before_the_answer(webhook, world, token):
    world.jobs.put(processing_job())

    answer = post(webhook, DONE, f"/gepetto/{JOB_ID}/{token}")

    job = world.jobs.job()
    assert answer.status_code == 200
    assert (job.status, job.outputs, job.finished_by) == (
        Status.SUCCEEDED,
        (OUTPUT,),
        "webhook",
    )
    assert [event.id for event in world.topics.events] == [f"{JOB_ID}.succeeded"]
    assert job.unpublished == ()


def test_an_event_that_is_not_out_is_left_to_the_pump_and_the_answer_is_200(webhook, world):
    world.jobs.put(processing_job())
    world.topics.is_down = True

    answer = post(webhook, DONE)

    assert answer.status_code == 200
    assert world.jobs.document(JOB_ID)["wakeAt"] == later(20)


@pytest.mark.parametrize(
    "body",
    [
        {"id": PROVIDER_JOB_ID, "status": "success"},
        {"id": PROVIDER_JOB_ID, "status": "failed", "output": None},
        {"id": PROVIDER_JOB_ID, "output": ["ftp://a.b/c.png", 7, ""]},
        {"id": "another", "status": "success", "output": OUTPUT},
        {"id": {"a": 1}, "output": OUTPUT},
        {"id": [PROVIDER_JOB_ID], "output": OUTPUT},
        {"id": " ", "output": OUTPUT},
        {"id": "", "output": OUTPUT},
        {"id": True, "output": OUTPUT},
        {"id": 1.5, "output": OUTPUT},
        {"id": "x" * 501, "output": OUTPUT},
        {},
        [],
        None,
        0,
        "done",
        {"id": {"id": []}, "output": {"url": OUTPUT}},
    ],
    ids=lambda one: json.dumps(one)[:45],
)
def test_what_proves_nothing_is_200_and_has_the_job_polled_at_once(webhook, world, body):
    world.jobs.put(processing_job(call_at=later(60)))

    answer = post(webhook, body)

    job = world.jobs.job()
    assert answer.status_code == 200
    assert (job.status, job.call_at) == (Status.PROCESSING, NOON)
    assert world.topics.ticks == ["gepetto"]


def test_after_a_resubmission_the_first_render_counts_too(webhook, world):
    world.jobs.put(processing_job(resubmissions=1))

    post(webhook, DONE | {"id": "of the first submission"})

    assert world.jobs.job().status is Status.SUCCEEDED


@pytest.mark.parametrize("job", [submitting_job(), unconfirmed_job()], ids=["submitting", "lost"])
def test_a_callback_may_come_before_its_acknowledgement(webhook, world, job):
    world.jobs.put(job)

    answer = post(webhook, DONE)

    assert answer.status_code == 200
    assert world.jobs.job().status is Status.SUCCEEDED
    assert world.jobs.job().provider_job_id == PROVIDER_JOB_ID


@pytest.mark.parametrize("job", [submitting_job(), unconfirmed_job()], ids=["submitting", "lost"])
def test_a_callback_that_brings_only_the_id_says_that_the_job_was_taken(webhook, world, job):
    world.jobs.put(job)

    post(webhook, {"id": "p-1", "status": "pending"})

    job = world.jobs.job()
    assert (job.status, job.provider_job_id) == (Status.PROCESSING, "p-1")


def test_a_repeated_callback_is_200_and_changes_nothing(webhook, world):
    world.jobs.put(processing_job())
    post(webhook, DONE)
    before = world.jobs.stored()

    answer = post(webhook, DONE | {"output": LATE_OUTPUT})

    assert answer.status_code == 200
    assert world.jobs.stored() == before
    assert len(world.topics.events) == 1


@pytest.mark.parametrize("status", [Status.FAILED, Status.CANCELLED])
def test_a_result_for_a_job_that_ended_without_one_is_kept_and_announced(webhook, world, status):
    world.jobs.put(finished_job(status, announcements=()))

    post(webhook, DONE | {"output": LATE_OUTPUT})
    answer = post(webhook, DONE)

    assert answer.status_code == 200
    assert (world.jobs.job().status, world.jobs.job().late_outputs) == (status, (LATE_OUTPUT,))
    assert [event.announcement.type for event in world.topics.events] == [EventType.LATE_RESULT]


def test_a_wrong_token_and_an_unknown_job_get_the_same_answer(webhook, world):
    unknown = post(webhook, DONE)
    world.jobs.put(processing_job())

    wrong = post(webhook, DONE, WRONG_TOKEN)

    assert wrong.status_code == unknown.status_code == 404
    assert wrong.data == unknown.data
    for answer in (wrong, unknown):
        del answer.headers["X-Request-Id"]
    assert sorted(wrong.headers.items()) == sorted(unknown.headers.items())


def test_a_token_is_good_for_its_own_provider_only(webhook, world):
    world.jobs.put(processing_job())

    assert post(webhook, DONE, f"/spacely/{JOB_ID}/{TOKEN}").status_code == 404
    assert post(webhook, DONE, f"/spacely/{JOB_ID}/{SPACELY_TOKEN}").status_code == 404
    assert world.jobs.job() == processing_job()


def test_a_callback_for_a_job_that_was_not_sent_yet_is_200(webhook, world):
    world.jobs.put(a_job())

    assert post(webhook, {"id": "p-1"}).status_code == 200
    assert world.jobs.job() == a_job()


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"output=1", b'{"output": NaN}', b"\xff", b"[" * 60_000, b'"\\ud83d"'],
    ids=lambda one: repr(one[:20]),
)
def test_what_is_not_json_is_400(webhook, world, body):
    world.jobs.put(processing_job())

    assert post(webhook, body).status_code == 400
    assert world.jobs.job() == processing_job()


@pytest.mark.parametrize("path", [WRONG_TOKEN, "/"], ids=["wrong token", "nowhere"])
def test_a_stranger_is_answered_before_a_body_is_read(webhook, world, path):
    world.jobs.put(processing_job())

    body = EndlessBody()
    answer = webhook.post(path, input_stream=body, environ_overrides=body.environ)

    assert (answer.status_code, body.bytes_read) == (404, 0)


def test_of_a_body_over_64_kib_the_rest_is_not_read(webhook, world):
    world.jobs.put(processing_job())

    body = EndlessBody()
    answer = webhook.post(PATH, input_stream=body, environ_overrides=body.environ)

    assert (answer.status_code, body.bytes_read) == (413, 64 * 1024 + 1)


@pytest.mark.parametrize("says_its_length", [True, False])
def test_a_body_over_64_kib_is_413(webhook, world, says_its_length):
    world.jobs.put(processing_job())
    body = json.dumps(DONE).encode() + b" " * 64 * 1024

    if says_its_length:
        answer = post(webhook, body)
    else:
        environ = {"wsgi.input_terminated": True}
        answer = webhook.post(PATH, input_stream=BytesIO(body), environ_overrides=environ)

    assert answer.status_code == 413


def test_a_body_of_64_kib_is_taken(webhook, world):
    world.jobs.put(processing_job())
    body = json.dumps(DONE).encode()

    assert post(webhook, body + b" " * (64 * 1024 - len(body))).status_code == 200


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "BREW"])
@pytest.mark.parametrize("path", [PATH, WRONG_TOKEN, "/"], ids=["good", "wrong token", "nowhere"])
def test_a_method_other_than_post_is_405(webhook, path, method):
    answer = webhook.open(path, method=method)

    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")


ANSWERS = {
    "taken": (PATH, json.dumps(DONE).encode()),
    "proves nothing": (PATH, b"{}"),
    "not JSON": (PATH, b"{"),
    "too long": (PATH, b" " * (64 * 1024 + 1)),
    "wrong token": (WRONG_TOKEN, json.dumps(DONE).encode()),
    "of another provider": (f"/spacely/{JOB_ID}/{TOKEN}", b"{}"),
    "one segment more": (f"{PATH}/more", b"{}"),
}


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("is_down", [False, True], ids=["store up", "store down"])
def test_no_log_line_has_a_token(webhook, world, caplog, answer, is_down):
    caplog.set_level("DEBUG")
    world.jobs.put(processing_job())
    world.jobs.is_down = is_down
    path, body = ANSWERS[answer]

    post(webhook, body, path)

    lines = [f"{one.getMessage()} {vars(one)}" for one in caplog.records]
    assert not [line for line in lines if TOKEN in line or TOKEN[::-1] in line]


@pytest.mark.parametrize("call", ["read", "write"])
def test_a_store_that_does_not_answer_is_503(webhook, world, call):
    world.jobs.put(processing_job())
    if call == "read":
        world.jobs.is_down = True
    else:
        world.jobs.before_next_write(lambda: setattr(world.jobs, "is_down", True))

    answer = post(webhook, DONE)

    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "2"


def test_a_write_whose_reply_was_lost_is_still_announced(webhook, world):
    world.jobs.put(processing_job())
    world.jobs.lose_replies()

    answer = post(webhook, DONE)

    assert answer.status_code == 200
    assert [event.id for event in world.topics.events] == [f"{JOB_ID}.succeeded"]
