"""`POST /v1/jobs/{id}/retry`."""

from dataclasses import replace
from functools import partial

import pytest

from relay.domain.job import Actor, OnUnconfirmed, Priority, Status
from relay.domain.transitions import cancelled, poll_requested, succeeded
from tests.entrypoints.requests import BEARER, BODY, KEY, OTHER, create
from tests.factories import (
    INPUT,
    JOB_ID,
    LATE_OUTPUT,
    OUTPUT,
    a_job,
    finished_job,
    followed_job,
    job_id,
    job_in,
    later,
    unconfirmed_job,
)

PATH = f"/v1/jobs/{JOB_ID}/retry"
RETRYABLE = [Status.FAILED, Status.CANCELLED, Status.UNCONFIRMED]
OTHERS = [status for status in Status if status not in RETRYABLE]


def retry(api, headers=BEARER, path=PATH, **more):
    return api.post(path, headers=headers, **more)


def event_ids(world):
    return [event.id for event in world.topics.events]


@pytest.mark.parametrize("status", RETRYABLE)
def test_a_job_that_came_to_nothing_is_201_as_a_new_one(api, world, status):
    world.jobs.put(
        job_in(
            status,
            on_unconfirmed=OnUnconfirmed.RESUBMIT,
            priority=Priority.LOW,
            deadline_at=later(3600),
        )
    )
    world.clock.advance(10)

    answer = retry(api)

    job = answer.json
    assert (answer.status_code, answer.mimetype) == (201, "application/json")
    assert answer.headers["Location"] == f"/v1/jobs/{job['id']}"
    assert job["id"] != JOB_ID
    assert (job["retryOf"], job["status"], job["input"]) == (JOB_ID, "queued", INPUT)
    assert (job["provider"], job["operation"]) == ("gepetto", "redesign")
    assert (job["metadata"], job["onUnconfirmed"]) == ({"listing": "42"}, "resubmit")
    assert job["priority"] == "low"
    assert (job["createdAt"], job["deadlineAt"]) == (
        "2026-01-02T12:00:10Z",
        "2026-01-02T13:00:10Z",
    )
    assert (job["providerJobId"], job["outputs"], job["error"]) == (None, [], None)
    assert job == api.get(answer.headers["Location"], headers=BEARER).json
    assert world.topics.ticks == ["gepetto"]


@pytest.mark.parametrize("status", [Status.FAILED, Status.CANCELLED])
def test_the_old_job_is_not_touched(api, world, status):
    old = finished_job(status, late_outputs=(LATE_OUTPUT,))
    world.jobs.put(old)

    retry(api)

    assert world.jobs.job() == old
    assert event_ids(world) == []


@pytest.mark.parametrize("status", OTHERS)
def test_any_other_job_is_409_and_nothing_is_created(api, world, status):
    world.jobs.put(job_in(status))

    answer = retry(api)

    assert (answer.status_code, answer.json["code"]) == (409, "job_not_retryable")
    assert status.value in answer.json["detail"]
    assert answer.mimetype == "application/problem+json"
    assert world.jobs.writes == 0


def test_an_unconfirmed_job_is_cancelled_and_announced_before_the_new_one_is_there(api, world):
    world.jobs.put(unconfirmed_job())

    retry(api)

    assert world.jobs.job().status is Status.CANCELLED
    assert event_ids(world) == [f"{JOB_ID}.cancelled"]
    writes = [name for name in world.jobs.calls if name not in ("read", "count_open")]
    assert writes == ["replace", "replace", "create"]


def test_an_unconfirmed_job_whose_cancel_lost_its_reply_is_retried_once(api, world):
    world.jobs.put(unconfirmed_job())
    world.jobs.lose_replies()

    answer = retry(api)

    assert answer.status_code == 201
    assert event_ids(world) == [f"{JOB_ID}.cancelled"]
    assert len(world.jobs.ids) == 2


def test_a_topic_that_is_away_does_not_stop_a_retry(api, world):
    world.jobs.put(unconfirmed_job())
    world.topics.is_down = True

    answer = retry(api)

    world.topics.is_down = False
    world.clock.advance(30)
    world.pump(window_s=0).run()
    assert answer.status_code == 201
    assert event_ids(world) == [f"{JOB_ID}.cancelled"]


def test_a_success_that_is_faster_makes_the_retry_409_and_no_second_render(api, world):
    world.jobs.put(unconfirmed_job())
    done = succeeded(unconfirmed_job(), outputs=[OUTPUT], by=Actor.WEBHOOK, at=later(0))
    world.jobs.before_next_write(partial(world.jobs.put, done))

    answer = retry(api)

    assert (answer.status_code, answer.json["code"]) == (409, "job_not_retryable")
    assert world.jobs.ids == [JOB_ID]
    assert world.jobs.job() == done


def test_a_callback_that_confirms_the_job_makes_the_retry_409_and_leaves_the_job_open(api, world):
    world.jobs.put(unconfirmed_job())
    known = poll_requested(unconfirmed_job(), provider_job_id="6512f0bb", at=later(0))
    world.jobs.before_next_write(partial(world.jobs.put, known))

    answer = retry(api)

    assert (answer.status_code, answer.json["code"]) == (409, "job_not_retryable")
    assert world.jobs.ids == [JOB_ID]
    assert world.jobs.job() == known


def test_a_cancel_that_is_faster_changes_nothing_for_the_retry(api, world):
    world.jobs.put(unconfirmed_job())
    theirs = cancelled(unconfirmed_job(), at=later(0))
    world.jobs.before_next_write(partial(world.jobs.put, theirs))

    answer = retry(api)

    assert (answer.status_code, answer.json["retryOf"]) == (201, JOB_ID)


@pytest.mark.parametrize("status", RETRYABLE)
def test_the_same_key_again_is_200_and_the_first_new_job(api, world, status):
    world.jobs.put(job_in(status))
    first = retry(api, BEARER | KEY)
    world.clock.advance(5)

    second = retry(api, BEARER | KEY)

    assert (first.status_code, second.status_code) == (201, 200)
    assert second.json == first.json
    assert second.headers["Location"] == first.headers["Location"]
    assert len(world.jobs.ids) == 2


def test_without_a_key_every_retry_is_a_new_job(api, world):
    world.jobs.put(finished_job(Status.FAILED))

    first, second = retry(api), retry(api)

    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json["id"] != second.json["id"]


@pytest.mark.parametrize("status", RETRYABLE)
def test_a_key_that_a_create_came_with_is_409_and_the_old_job_stays_as_it_is(api, world, status):
    old = job_in(status)
    world.jobs.put(old)
    create(api, BODY, BEARER | KEY)

    answer = retry(api, BEARER | KEY)

    assert (answer.status_code, answer.json["code"]) == (409, "idempotency_key_reused")
    assert len(world.jobs.ids) == 2
    assert world.jobs.job() == old
    assert event_ids(world) == []


def test_a_key_that_another_jobs_retry_came_with_is_409(api, world):
    world.jobs.put(finished_job(Status.FAILED), finished_job(Status.FAILED, id=job_id(2)))
    retry(api, BEARER | KEY)

    answer = retry(api, BEARER | KEY, f"/v1/jobs/{job_id(2)}/retry")

    assert (answer.status_code, answer.json["code"]) == (409, "idempotency_key_reused")


def test_a_key_that_a_retry_came_with_is_409_for_a_create_of_the_same_input(api, world):
    world.jobs.put(finished_job(Status.FAILED))
    retry(api, BEARER | KEY)

    answer = create(api, BODY, BEARER | KEY)

    assert (answer.status_code, answer.json["code"]) == (409, "idempotency_key_reused")


@pytest.mark.parametrize("key", ["", "x" * 256, "naïve"], ids=repr)
def test_an_idempotency_key_that_is_none_is_400(api, world, key):
    world.jobs.put(unconfirmed_job())

    answer = retry(api, BEARER | {"Idempotency-Key": key})

    assert (answer.status_code, answer.json["code"]) == (400, "invalid_idempotency_key")
    assert world.jobs.calls == []


def test_a_retry_can_be_retried(api, world):
    world.jobs.put(finished_job(Status.FAILED))
    second = retry(api).json["id"]
    api.post(f"/v1/jobs/{second}/cancel", headers=BEARER)

    third = retry(api, path=f"/v1/jobs/{second}/retry")

    assert (third.status_code, third.json["retryOf"]) == (201, second)


def test_a_raw_job_goes_to_the_same_path_again(api, world):
    raw = {"operation": "raw", "path": "/upscale", "input": {"a": [[1]], "b": {"": None}}}
    world.jobs.put(finished_job(Status.FAILED, **raw))

    job = retry(api).json

    assert {name: job[name] for name in raw} == raw


@pytest.mark.parametrize("status", Status)
def test_a_followed_job_is_409_because_its_input_is_not_known(api, world, status):
    world.jobs.put(replace(job_in(status), input=None))

    answer = retry(api)

    assert (answer.status_code, answer.json["code"]) == (409, "job_not_retryable")
    assert "submitted elsewhere" in answer.json["detail"]
    assert world.jobs.writes == 0


def test_a_followed_job_that_failed_is_409(api, world):
    world.jobs.put(cancelled(followed_job(), at=later(1)))

    assert retry(api).status_code == 409


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"input": INPUT | {"creativity": 31}}, "/input/creativity"),
        ({"provider": "spacely", "operation": "advance"}, "/provider"),
        ({"operation": "paint"}, "/operation"),
    ],
    ids=["its input", "its account", "its operation"],
)
def test_a_job_that_is_not_taken_any_more_is_422_and_the_old_one_stays_as_it_is(
    api, world, changes, pointer
):
    world.jobs.put(unconfirmed_job(**changes))

    answer = retry(api)

    assert (answer.status_code, answer.json["pointer"]) == (422, pointer)
    assert world.jobs.job() == unconfirmed_job(**changes)
    assert world.jobs.writes == 0


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        (PATH, OTHER),
        (f"/v1/jobs/{job_id(2)}/retry", BEARER),
        ("/v1/jobs/nonsense/retry", BEARER),
    ],
    ids=["another tenant's", "unknown", "no id of ours"],
)
@pytest.mark.parametrize("status", [Status.UNCONFIRMED, Status.SUCCEEDED])
def test_a_job_that_is_not_the_tenants_is_404_whatever_its_state(api, world, path, headers, status):
    world.jobs.put(job_in(status))

    answer = retry(api, headers | KEY, path)

    assert (answer.status_code, answer.json["code"]) == (404, "job_not_found")
    assert world.jobs.writes == 0


def test_without_a_key_nothing_is_retried(api, world):
    world.jobs.put(unconfirmed_job())

    assert retry(api, KEY).status_code == 401
    assert world.jobs.calls == []


@pytest.mark.parametrize("body", [b"", b"{}", b" { } "], ids=repr)
def test_a_body_that_says_nothing_is_fine(api, world, body):
    world.jobs.put(finished_job(Status.FAILED))

    assert retry(api, data=body, content_type="application/json").status_code == 201


@pytest.mark.parametrize(
    ("body", "status", "pointer"),
    [
        (b'{"input":{}}', 422, "/input"),
        (b'{"deadlineSeconds":60}', 422, "/deadlineSeconds"),
        (b"[]", 422, ""),
        (b"null", 422, ""),
        (b"again", 400, None),
    ],
    ids=repr,
)
def test_a_body_that_says_something_is_refused_and_nothing_is_changed(
    api, world, body, status, pointer
):
    world.jobs.put(unconfirmed_job())

    answer = retry(api, data=body, content_type="application/json")

    assert (answer.status_code, answer.json.get("pointer")) == (status, pointer)
    assert world.jobs.calls == []


def test_a_store_that_goes_away_in_between_is_503_and_the_call_may_be_repeated(api, world):
    world.jobs.put(unconfirmed_job())
    world.jobs.before_next_write(lambda: setattr(world.jobs, "is_down", True))

    first = retry(api, BEARER | KEY)
    world.jobs.is_down = False
    second = retry(api, BEARER | KEY)

    assert (first.status_code, second.status_code) == (503, 201)
    assert len(world.jobs.ids) == 2


def test_only_the_new_job_is_sent(api, world):
    world.jobs.put(unconfirmed_job())

    new = retry(api).json["id"]

    world.pump(window_s=0).run()
    assert world.provider.called("submit") == [new]


def test_a_job_that_nobody_sent_yet_can_only_be_cancelled(api, world):
    world.jobs.put(a_job())

    assert retry(api).status_code == 409
    assert world.jobs.job() == a_job()
