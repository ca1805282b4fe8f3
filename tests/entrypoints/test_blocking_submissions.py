"""Gepetto's submissions without a webhook: the picture comes with the answer, as Gepetto's does."""

import base64
import json

import pytest

from relay.application.picture_reader import LONGEST_S
from relay.domain.catalogue import CATALOGUE
from relay.domain.job import Actor, ErrorCode
from relay.domain.transitions import cancelled, failed, succeeded
from relay.edges.answers import PICTURE_PIECE_BYTES, picture_json, picture_json_bytes
from relay.errors import CallForbidden, CallUnanswered, CutShort, TooLarge
from tests.entrypoints.requests import BEARER, KEY, OTHER
from tests.factories import OUTPUT
from tests.fakes import PICTURE
from tests.payloads.inputs import SAMPLES, sample_input

FURNISH = "/v1/furnish"
BODY = sample_input("gepetto", "furnish")
OF_GEPETTO = [one for one in SAMPLES if (one.provider, one.path) == ("gepetto", None)]


@pytest.fixture
def api(make_api):
    return make_api(accounts=CATALOGUE)


def submit(api, headers=BEARER, *, path=FURNISH, body=BODY):
    # Buffered, so that it is sent to its end and closed.
    client = api.application.test_client()
    return client.post(path, json=body, headers=headers, buffered=True)


def end_after(world, seconds, step=None):
    """Have every open job end after so many seconds."""

    def end():
        for job_id in world.jobs.ids:
            stored = world.store.read(job_id)
            if not stored.job.is_final:
                world.store.change(stored, step or rendered)

    def rendered(job):
        return succeeded(job, outputs=[OUTPUT], by=Actor.POLL, at=world.clock.now())

    world.clock.after(seconds, end)


def only_job(world):
    (made,) = world.jobs.ids
    return world.jobs.job(made)


@pytest.mark.parametrize("sample", OF_GEPETTO, ids=str)
def test_the_answer_is_the_picture_as_soon_as_the_render_is_done(api, world, sample):
    end_after(world, 20.5)

    answer = submit(api, path=f"/v1/{sample.operation}", body=sample.input)

    job = only_job(world)
    assert (answer.status_code, answer.mimetype) == (200, "application/json")
    assert answer.json == {"base64": base64.b64encode(PICTURE).decode(), "status": "success"}
    assert answer.headers["X-Job-Id"] == job.id
    assert int(answer.headers["Content-Length"]) == len(answer.data)
    assert (job.operation, job.input, job.callback) == (sample.operation, sample.input, None)
    assert world.seconds() == 21
    assert world.downloads.gets == [OUTPUT]


@pytest.mark.parametrize(
    "size", [1, 2, 3, 4, PICTURE_PIECE_BYTES, PICTURE_PIECE_BYTES + 1, 3 * PICTURE_PIECE_BYTES - 1]
)
def test_a_picture_of_any_size_is_one_json_text_in_small_pieces(size):
    picture = bytes(range(256)) * (size // 256 + 1)
    picture = picture[:size]

    pieces = list(picture_json(picture))

    assert max(map(len, pieces)) <= PICTURE_PIECE_BYTES // 3 * 4
    assert base64.b64decode(json.loads(b"".join(pieces))["base64"]) == picture
    assert sum(map(len, pieces)) == picture_json_bytes(picture)


def test_a_repeated_key_waits_for_the_same_job(api, world):
    end_after(world, 5)
    first = submit(api, BEARER | KEY)

    second = submit(api, BEARER | KEY)

    assert (first.status_code, second.status_code) == (200, 200)
    assert first.headers["X-Job-Id"] == second.headers["X-Job-Id"] == only_job(world).id
    assert second.json == first.json
    assert world.seconds() == 5


@pytest.mark.parametrize(
    ("step", "detail"),
    [
        (
            lambda job: failed(job, code=ErrorCode.RENDER_FAILED, by=Actor.POLL, at=job.created_at),
            "the job failed: the provider reported that the render failed",
        ),
        (lambda job: cancelled(job, at=job.created_at), "the job was cancelled"),
    ],
    ids=["failed", "cancelled"],
)
def test_a_job_that_ends_without_a_picture_is_502_and_says_why(api, world, step, detail):
    world.clock.after(3, lambda: begin(world))
    end_after(world, 5, step)

    answer = submit(api)

    assert (answer.status_code, answer.json["code"]) == (502, "job_not_rendered")
    assert answer.json["detail"].startswith(detail)
    assert answer.headers["X-Job-Id"] == only_job(world).id
    assert world.downloads.gets == []


def begin(world):
    world.pump(window_s=0).run()


@pytest.mark.parametrize(
    ("answers", "why", "calls"),
    [
        ([404], "its host answered 404", 1),
        ([302], "its host answered 302", 1),
        ([CallForbidden()], "its URL leads to an address that may not be called", 1),
        ([TooLarge()], "it is larger than 25 MiB", 1),
        ([CallUnanswered()] * 3, "its host did not answer in time", 3),
        ([503, CutShort(), 500], "its host answered 500", 3),
        ([429, 408, CutShort()], "it ended before its length", 3),
        ([b"", b""], "its host answered 200", 1),
    ],
    ids=lambda one: str(one)[:30],
)
def test_a_picture_that_cannot_be_fetched_is_502_and_says_why(api, world, answers, why, calls):
    world.downloads.script(OUTPUT, *answers)
    end_after(world, 5)

    answer = submit(api)

    assert (answer.status_code, answer.json["code"]) == (502, "picture_not_fetched")
    assert answer.json["detail"].endswith(why)
    assert OUTPUT not in answer.text
    assert answer.headers["X-Job-Id"] == only_job(world).id
    assert len(world.downloads.gets) == calls


def test_a_picture_is_fetched_again_if_its_host_stumbled(api, world):
    world.downloads.script(OUTPUT, CallUnanswered(), 503, PICTURE)
    end_after(world, 5)

    answer = submit(api)

    assert answer.status_code == 200
    assert base64.b64decode(answer.json["base64"]) == PICTURE


def test_a_render_that_is_not_done_in_time_is_504_and_goes_on(api, world):
    answer = submit(api)

    job = only_job(world)
    assert (answer.status_code, answer.json["code"]) == (504, "job_not_rendered_yet")
    assert answer.headers["X-Job-Id"] == job.id
    assert not job.is_final
    assert world.seconds() == LONGEST_S == 300


def test_a_store_that_is_away_for_a_while_does_not_end_the_wait(api, world):
    world.clock.after(2.5, lambda: setattr(world.jobs, "is_down", True))
    world.clock.after(60.5, lambda: setattr(world.jobs, "is_down", False))
    end_after(world, 100)

    answer = submit(api)

    assert answer.status_code == 200


def test_a_store_that_stays_away_is_504_with_the_jobs_id(api, world):
    world.clock.after(2.5, lambda: setattr(world.jobs, "is_down", True))

    answer = submit(api)

    assert answer.status_code == 504
    assert answer.headers["X-Job-Id"] == only_job(world).id
    assert world.seconds() == pytest.approx(300, abs=10)


def waiting_together(world, callers):
    """Return the answers to callers that come one after the other while the first still waits."""
    answers = []

    def come(rest):
        if rest[1:]:
            world.clock.after(1.5, lambda: come(rest[1:]))
        answers.append(rest[0]())

    come(callers)
    return answers


def test_a_call_that_finds_no_place_to_wait_is_503_and_creates_nothing(make_api, world):
    api = make_api(threads=8)

    answers = waiting_together(world, [lambda: submit(api)] * 3)

    last, *others = answers
    assert (last.status_code, last.json["code"]) == (503, "too_many_waiting")
    assert int(last.headers["Retry-After"]) >= 1
    assert "X-Job-Id" not in last.headers
    assert [one.status_code for one in others] == [504, 504]
    assert len(world.jobs.ids) == 2


@pytest.mark.parametrize("headers", [BEARER, OTHER], ids=["mine", "another's"])
def test_pictures_are_in_memory_one_for_each_tenant_until_they_are_sent(api, world, headers):
    end_after(world, 5)
    # Not closed, so it is still being sent.
    sending = api.application.test_client().post(FURNISH, json=BODY, headers=BEARER)
    assert sending.status_code == 200

    end_after(world, 5)
    second = submit(api, headers)
    sending.close()
    end_after(world, 5)
    third = submit(api, headers)

    assert second.status_code == (504 if headers == BEARER else 200)
    assert third.status_code == 200


def test_places_are_free_again_however_a_call_ends(make_api, world):
    api = make_api(threads=4)
    for status in (502, 502, 200, 200):
        world.downloads.script(OUTPUT, 404 if status == 502 else PICTURE)
        end_after(world, 1)
        assert submit(api).status_code == status

    assert submit(api, body={}).status_code == 400
    end_after(world, 1)
    assert submit(api).status_code == 200


def test_no_picture_and_no_url_is_logged(api, world, caplog):
    caplog.set_level("DEBUG")
    end_after(world, 2)

    submit(api)

    logged = "".join(f"{record.getMessage()}{record.__dict__}" for record in caplog.records)
    assert "job created" in logged
    assert OUTPUT not in logged
    assert base64.b64encode(PICTURE).decode() not in logged


def test_blocking_is_gepettos_way_alone(api, world):
    answer = submit(api, path="/api/v1/generate/standard", body=sample_input("spacely", "standard"))

    assert answer.status_code == 200
    assert world.seconds() == 0
