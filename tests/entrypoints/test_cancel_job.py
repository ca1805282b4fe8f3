"""`POST /v1/jobs/{id}/cancel`."""

from functools import partial

import pytest

from relay.domain.job import ENDS, Actor, Status
from relay.domain.transitions import cancelled, succeeded
from tests.entrypoints.requests import BEARER, OTHER
from tests.factories import (
    JOB_ID,
    OUTPUT,
    finished_job,
    followed_job,
    job_id,
    job_in,
    later,
    processing_job,
    submitting_job,
)

PATH = f"/v1/jobs/{JOB_ID}/cancel"
OPEN = [status for status in Status if status not in ENDS]


def cancel(api, headers=BEARER, path=PATH, **more):
    return api.post(path, headers=headers, **more)


def event_ids(world):
    return [event.id for event in world.topics.events]


@pytest.mark.parametrize("status", OPEN)
def test_an_open_job_is_cancelled_and_announced_at_once(api, world, status):
    world.jobs.put(job_in(status))
    world.clock.advance(5)

    answer = cancel(api)

    job = answer.json
    assert (answer.status_code, answer.mimetype) == (200, "application/json")
    assert (job["status"], job["finishedBy"], job["error"]) == ("cancelled", "caller", None)
    assert job["finishedAt"] == "2026-01-02T12:00:05Z"
    assert job["history"][-1] == {
        "at": "2026-01-02T12:00:05Z",
        "status": "cancelled",
        "by": "caller",
        "note": "cancelled by the caller",
    }
    assert job == api.get(f"/v1/jobs/{JOB_ID}", headers=BEARER).json
    assert event_ids(world) == [f"{JOB_ID}.cancelled"]
    assert world.jobs.job().unpublished == ()
    assert "wakeAt" not in world.jobs.document(JOB_ID)


def test_a_followed_job_can_be_cancelled(api, world):
    world.jobs.put(followed_job())

    assert cancel(api).json["status"] == "cancelled"


@pytest.mark.parametrize("status", sorted(ENDS))
def test_a_final_job_is_409_and_stays_as_it_is(api, world, status):
    world.jobs.put(finished_job(status))

    answer = cancel(api)

    assert (answer.status_code, answer.json["code"]) == (409, "job_final")
    assert answer.mimetype == "application/problem+json"
    assert world.jobs.job() == finished_job(status)
    assert world.jobs.writes == 0


def test_a_second_cancel_is_409_and_announces_nothing_again(api, world):
    world.jobs.put(processing_job())
    cancel(api)

    assert cancel(api).status_code == 409
    assert event_ids(world) == [f"{JOB_ID}.cancelled"]


def test_a_result_that_is_faster_wins(api, world):
    world.jobs.put(processing_job())
    done = succeeded(processing_job(), outputs=[OUTPUT], by=Actor.WEBHOOK, at=later(0))
    world.jobs.before_next_write(partial(world.jobs.put, done))

    answer = cancel(api)

    assert (answer.status_code, answer.json["code"]) == (409, "job_final")
    assert world.jobs.job() == done
    assert event_ids(world) == []


def test_a_move_that_ends_nothing_does_not_stop_a_cancel(api, world):
    world.jobs.put(submitting_job())
    world.jobs.before_next_write(partial(world.jobs.put, processing_job()))

    answer = cancel(api)

    assert (answer.status_code, answer.json["status"]) == (200, "cancelled")
    assert answer.json["providerJobId"] == processing_job().provider_job_id


def test_of_two_cancels_at_once_both_say_that_it_is_done_and_it_is_announced(api, world):
    world.jobs.put(processing_job())
    theirs = cancelled(processing_job(), at=later(0))
    world.jobs.before_next_write(partial(world.jobs.put, theirs))

    answer = cancel(api)

    assert (answer.status_code, answer.json["status"]) == (200, "cancelled")
    assert event_ids(world) == [f"{JOB_ID}.cancelled"]


def test_a_cancel_whose_reply_from_the_store_was_lost_is_one(api, world):
    world.jobs.put(processing_job())
    world.jobs.lose_replies()

    answer = cancel(api)

    assert (answer.status_code, answer.json["status"]) == (200, "cancelled")
    assert [entry["status"] for entry in answer.json["history"]].count("cancelled") == 1
    assert event_ids(world) == [f"{JOB_ID}.cancelled"]


def test_a_topic_that_is_away_leaves_the_event_to_the_pump(api, world):
    world.jobs.put(processing_job())
    world.topics.is_down = True

    answer = cancel(api)

    world.topics.is_down = False
    world.clock.advance(30)
    world.pump(window_s=0).run()
    assert (answer.status_code, answer.json["status"]) == (200, "cancelled")
    assert event_ids(world) == [f"{JOB_ID}.cancelled"]


def test_a_cancelled_job_is_never_sent(api, world):
    world.jobs.put(job_in(Status.QUEUED))

    cancel(api)

    world.pump(window_s=0).run()
    assert world.provider.calls == []


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        (PATH, OTHER),
        (f"/v1/jobs/{job_id(2)}/cancel", BEARER),
        ("/v1/jobs/nonsense/cancel", BEARER),
    ],
    ids=["another tenant's", "unknown", "no id of ours"],
)
@pytest.mark.parametrize("status", [Status.PROCESSING, Status.SUCCEEDED])
def test_a_job_that_is_not_the_tenants_is_404_whatever_its_state(api, world, path, headers, status):
    world.jobs.put(job_in(status))

    answer = cancel(api, headers, path)

    assert answer.status_code == 404
    assert answer.json == {
        "title": "Not Found",
        "status": 404,
        "code": "job_not_found",
        "detail": "there is no such job",
    }
    assert world.jobs.writes == 0


def test_without_a_key_nothing_is_cancelled(api, world):
    world.jobs.put(processing_job())

    assert cancel(api, {}).status_code == 401
    assert world.jobs.calls == []


@pytest.mark.parametrize("body", [b"", b"{}", b" { } "], ids=repr)
@pytest.mark.parametrize("kind", ["application/json", None], ids=["json", "no type"])
def test_a_body_that_says_nothing_is_fine(api, world, body, kind):
    world.jobs.put(processing_job())

    assert cancel(api, data=body, content_type=kind).status_code == 200


def test_an_empty_body_may_be_of_any_type(api, world):
    world.jobs.put(processing_job())

    assert cancel(api, content_type="text/plain").status_code == 200


@pytest.mark.parametrize(
    ("body", "status", "pointer"),
    [
        (b'{"reason":"too late"}', 422, "/reason"),
        (b'{"a/b~c":1}', 422, "/a~1b~0c"),
        (b"[]", 422, ""),
        (b"null", 422, ""),
        (b'""', 422, ""),
        (b"0", 422, ""),
        (b" ", 400, None),
        (b"cancel", 400, None),
        (b"{}{}", 400, None),
    ],
    ids=repr,
)
def test_a_body_that_says_something_is_refused_and_nothing_is_cancelled(
    api, world, body, status, pointer
):
    world.jobs.put(processing_job())

    answer = cancel(api, data=body, content_type="application/json")

    assert (answer.status_code, answer.json.get("pointer")) == (status, pointer)
    assert world.jobs.calls == []


def test_a_store_that_is_away_is_503(api, world):
    world.jobs.is_down = True

    answer = cancel(api)

    assert (answer.status_code, answer.json["code"]) == (503, "store_unavailable")
