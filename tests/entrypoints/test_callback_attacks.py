"""Callers that are hostile or careless with callbacks and kept outputs."""

from dataclasses import replace

import pytest

from relay.domain.callback import Callback, CallbackShape, DeliveryStatus
from relay.domain.catalogue import CATALOGUE
from relay.domain.events import published
from relay.domain.job import Actor, Status
from relay.domain.transitions import succeeded
from tests.entrypoints.requests import BEARER, BODY, KEY, OTHER, create
from tests.entrypoints.test_tick import push
from tests.factories import JOB_ID, LATE_OUTPUT, NOON, OUTPUT, finished_job, job_id, later
from tests.fakes import PNG
from tests.payloads.inputs import sample_input

HOOK = "https://hooks.example.com/renders"
TICK = b'{"account": "callbacks"}'
REDELIVER = f"/v1/jobs/{JOB_ID}/redeliver"
OUTPUT_PATH = f"/v1/jobs/{JOB_ID}/outputs/0"


def ended(status=Status.SUCCEEDED, **changes):
    job = finished_job(status, callback=Callback(url=HOOK), **changes)
    for event in job.unpublished:
        job = published(job, event.id, at=NOON)
    return job


def statuses(world):
    return [one.status for one in world.jobs.job().callback.deliveries]


@pytest.mark.parametrize("other", [f"{HOOK}/2", f"{HOOK}?", HOOK.upper(), None])
def test_a_key_is_of_one_callback_url(api, world, other):
    create(api, BODY | {"callbackUrl": HOOK}, BEARER | KEY)

    body = BODY if other is None else BODY | {"callbackUrl": other}
    again = create(api, body, BEARER | KEY)

    assert (again.status_code, again.json["code"]) == (409, "idempotency_key_reused")
    assert [world.jobs.job(one).callback.url for one in world.jobs.ids] == [HOOK]


def test_a_key_of_a_submission_with_a_webhook_is_not_one_of_a_blocking_one(make_api, world):
    api = make_api(accounts=CATALOGUE, threads=4)
    body = sample_input("gepetto", "furnish")
    first = api.post("/v1/furnish", json=body | {"webhook": HOOK}, headers=BEARER | KEY)

    for _ in range(3):
        again = api.post("/v1/furnish", json=body, headers=BEARER | KEY)
        assert (again.status_code, again.json["code"]) == (409, "idempotency_key_reused")

    assert first.status_code == 200
    assert world.seconds() == 0


@pytest.mark.parametrize("webhook", [None, "", 7, [], {}, "https://10.0.0.1/", "http://a.example/"])
def test_a_webhook_that_may_not_be_called_creates_nothing(make_api, world, webhook):
    api = make_api(accounts=CATALOGUE)
    body = sample_input("gepetto", "furnish") | {"webhook": webhook}

    answer = api.post("/v1/furnish", json=body, headers=BEARER)

    assert answer.status_code == 400
    assert answer.json["pointer"] == "/webhook"
    assert world.jobs.ids == []


def test_redelivery_after_410_brings_all_events_in_their_order(api, world, callback_tick):
    world.jobs.put(ended(Status.FAILED))
    world.endpoints.script(HOOK, 410)
    push(callback_tick, TICK)
    stored = world.store.read(JOB_ID)
    stored = world.store.change(
        stored, lambda one: succeeded(one, outputs=(LATE_OUTPUT,), by=Actor.POLL, at=later(100))
    )
    world.announcer.announce(stored)
    assert statuses(world) == [DeliveryStatus.FAILED] * 2

    assert api.post(REDELIVER, headers=BEARER).status_code == 202
    push(callback_tick, TICK)

    assert statuses(world) == [DeliveryStatus.DELIVERED] * 2
    assert [post.headers["webhook-id"].split(".")[1] for post in world.endpoints.posts] == [
        "failed",
        "failed",
        "late_result",
    ]


def test_redelivery_during_a_post_posts_once_more_and_loses_nothing(api, world, callback_tick):
    world.jobs.put(ended())
    again = [REDELIVER] * 3

    def ask():
        if again:
            assert api.post(again.pop(), headers=BEARER).status_code == 202

    world.endpoints.slow(HOOK, takes_s=1.0)
    world.endpoints.during_post = ask
    push(callback_tick, TICK)

    assert statuses(world) == [DeliveryStatus.DELIVERED]
    assert len(world.endpoints.posts) == 4
    assert {post.headers["webhook-id"] for post in world.endpoints.posts} == {f"{JOB_ID}.succeeded"}


def test_a_job_that_goes_while_it_is_posted_is_no_crash(world, callback_tick):
    world.jobs.put(ended(), replace(ended(id=job_id(2)), tenant="other"))
    gone = [JOB_ID]
    world.endpoints.during_post = lambda: gone and world.jobs.remove(gone.pop())

    assert push(callback_tick, TICK).status_code == 200

    assert len(world.endpoints.posts) == 2


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"Content-Type": "text/plain"}, b"{}", 415),
        ({"Content-Type": "application/json"}, b"{", 400),
        ({"Content-Type": "application/json"}, b"[]", 422),
        ({"Content-Type": "application/json"}, b'{"url": "https://evil.example/"}', 422),
        ({"Content-Type": "application/json"}, b"x" * (256 * 1024 + 1), 413),
    ],
)
def test_redelivery_takes_no_body_and_writes_nothing_for_a_wrong_one(
    api, world, headers, body, status
):
    world.jobs.put(ended())

    answer = api.post(REDELIVER, headers=BEARER | headers, data=body)

    assert answer.status_code == status
    assert world.jobs.writes == 0


@pytest.mark.parametrize(
    "ranges",
    ["bytes=0-3", "bytes=-1", "bytes=5-2", "bytes=0-0,2-3", "bytes=99999999999999999999-", "x"],
)
def test_a_range_gets_the_whole_copy(api, keep, world, ranges):
    kept(keep, world)

    answer = api.get(OUTPUT_PATH, headers=BEARER | {"Range": ranges, "If-Range": '"x"'})

    assert (answer.status_code, answer.data) == (200, PNG)
    assert "Content-Range" not in answer.headers


@pytest.mark.parametrize(
    "tags", ['"', "W/", ",,,", '"x"' + ', "y"' * 2000, "\xff", 'W/"x", *'], ids=ascii
)
def test_etags_that_are_none_get_the_copy(api, keep, world, tags):
    kept(keep, world)

    answer = api.get(OUTPUT_PATH, headers=BEARER | {"If-None-Match": tags})

    assert (answer.status_code, answer.data) == (200, PNG)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_a_copy_can_only_be_read(api, keep, world, method):
    kept(keep, world)

    answer = api.open(OUTPUT_PATH, method=method, headers=BEARER)

    assert answer.status_code == 405
    assert len(world.bucket.objects) == 1


def test_head_of_anothers_copy_tells_nothing(api, keep, world):
    kept(keep, world)

    answer = api.head(OUTPUT_PATH, headers=OTHER)
    missing = api.head(OUTPUT_PATH.replace(JOB_ID, job_id(9)), headers=OTHER)

    assert (answer.status_code, missing.status_code) == (404, 404)
    assert answer.headers["Content-Length"] == missing.headers["Content-Length"]
    assert "ETag" not in answer.headers


def kept(keep, world):
    world.jobs.put(finished_job(Status.SUCCEEDED, outputs=(OUTPUT,)))
    attributes = {"ce-type": "com.renderrelay.job.succeeded", "ce-subject": JOB_ID}
    message = {"messageId": "1", "data": "", "attributes": attributes}
    keep.post("/", json={"message": message, "subscription": "projects/p/subscriptions/s"})


def test_gepettos_shape_keeps_its_shape_when_it_is_retried(make_api, world, callback_tick):
    api = make_api(accounts=CATALOGUE)
    body = sample_input("gepetto", "furnish") | {"webhook": HOOK}
    made = api.post("/v1/furnish", json=body, headers=BEARER).json["id"]
    api.post(f"/v1/jobs/{made}/cancel", headers=BEARER)

    again = api.post(f"/v1/jobs/{made}/retry", headers=BEARER).json["id"]

    assert world.jobs.job(again).callback == Callback(url=HOOK, shape=CallbackShape.GEPETTO)
