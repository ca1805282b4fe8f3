"""Callbacks are delivered in order, at least once, and no endpoint holds up another."""

import base64
import hashlib
import hmac
import json
from contextlib import suppress
from dataclasses import replace
from functools import partial
from itertools import pairwise

import pytest

from relay.adapters.document import DELIVERY_KEY
from relay.domain.callback import (
    RETRY_AFTER,
    Callback,
    CallbackShape,
    DeliveryStatus,
    redelivered,
)
from relay.domain.delivery_queue import delivery_key
from relay.domain.events import published, with_event
from relay.domain.job import Actor, EventType, Job, Status
from relay.domain.signatures import tenant_secret
from relay.domain.transitions import cancelled, succeeded
from relay.errors import CallForbidden, CallUnanswered, StoreUnavailable
from tests.factories import LATE_OUTPUT, NOON, OUTPUT, a_job, finished_job, job_id, later
from tests.fakes import CALLBACK_KEYS, ConcurrentWorkers, World

HOOK = "https://hooks.example.com/renders"
DEAD = "https://dead.example.com/renders"


@pytest.fixture
def world() -> World:
    return World()


def ended(*, url=HOOK, number=1, shape=CallbackShape.EVENT, tenant="demo", status=None) -> Job:
    """Return a job whose completion event is out and is due at its callback."""
    job = finished_job(
        status or Status.SUCCEEDED,
        id=job_id(number),
        tenant=tenant,
        callback=Callback(url=url, shape=shape),
    )
    return out(job)


def out(job: Job, *, at=NOON) -> Job:
    for event in job.unpublished:
        job = published(job, event.id, at=at)
    return job


def callback(world: World, job: Job) -> Callback:
    found = world.store.read(job.id).job.callback
    assert found is not None
    return found


def test_the_event_is_posted_with_its_body_and_signatures(world):
    job = ended()
    world.jobs.put(job)

    world.callbacks_pump().run()

    (post,) = world.endpoints.posts
    body = json.loads(post.body)
    assert post.url == HOOK
    assert body["type"] == "com.renderrelay.job.succeeded"
    assert body["timestamp"] == "2026-01-02T12:01:00Z" or body["timestamp"].endswith("Z")
    assert body["data"]["id"] == job.id
    assert "callback" not in body["data"]
    assert post.headers["webhook-id"] == f"{job.id}.succeeded"
    signed = b".".join(
        (post.headers["webhook-id"].encode(), post.headers["webhook-timestamp"].encode(), post.body)
    )
    for key, signature in zip(
        CALLBACK_KEYS, post.headers["webhook-signature"].split(" "), strict=True
    ):
        secret = base64.b64decode(tenant_secret(key, "demo").removeprefix("whsec_"))
        good = base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode()
        assert signature == f"v1,{good}"
    assert callback(world, job).status is DeliveryStatus.DELIVERED
    assert world.jobs.deliveries is not None


def test_a_job_in_gepettos_shape_gets_gepettos_body(world):
    world.jobs.put(
        ended(shape=CallbackShape.GEPETTO),
        ended(shape=CallbackShape.GEPETTO, number=2, status=Status.FAILED),
    )

    world.callbacks_pump().run()

    assert sorted(post.body for post in world.endpoints.posts) == [
        f'{{"id":"{job_id(1)}","output":"{OUTPUT}"}}'.encode(),
        f'{{"id":"{job_id(2)}","output":null}}'.encode(),
    ]


def test_a_publish_makes_the_delivery_due_and_wakes_the_pump(world):
    job = a_job(callback=Callback(url=HOOK))
    stored = world.store.create(job)
    stored = world.store.change(stored, lambda one: cancelled(one, at=later(1)))

    world.announcer.announce(stored)

    assert world.topics.ticks == ["callbacks"]
    assert callback(world, job).status is DeliveryStatus.PENDING
    world.callbacks_pump().run()
    assert [post.headers["webhook-id"] for post in world.endpoints.posts] == [f"{job.id}.cancelled"]


@pytest.mark.parametrize(("seconds", "ticks"), [(2, []), (5, ["callbacks"])])
def test_a_pump_that_cannot_stay_after_what_it_posted_last_wakes_the_next_one(
    world, seconds, ticks
):
    """The wake-up of a delivery that came a moment later was suppressed because of it."""
    for at_s in range(seconds):
        world.clock.after(at_s, partial(world.jobs.put, ended(number=at_s)))

    world.callbacks_pump(window_s=5).run()

    assert len(world.endpoints.posts) == seconds
    assert world.topics.ticks == ticks


def test_nothing_is_posted_before_it_is_published(world):
    world.jobs.put(finished_job(Status.SUCCEEDED, callback=Callback(url=HOOK)))

    world.callbacks_pump().run()

    assert world.endpoints.posts == []


@pytest.mark.parametrize(
    "answer",
    [500, 302, 404, CallForbidden("private address"), CallUnanswered("time over")],
    ids=str,
)
def test_what_was_not_taken_is_posted_again_by_the_schedule(world, answer):
    job = ended()
    world.jobs.put(job)
    world.endpoints.script(HOOK, *[answer] * 20)

    for _ in range(20):
        world.callbacks_pump().run()
        due = callback(world, job).pending
        if due is None:
            break
        world.clock.advance(max((due.next_at - world.clock.now()).total_seconds(), 0))

    posts = world.endpoints.posts
    gaps = [after.at_s - before.at_s for before, after in pairwise(posts)]
    assert [round(gap / 5) * 5 for gap in gaps] == [
        round(delay.total_seconds() / 5) * 5 for delay in RETRY_AFTER
    ]
    assert len({post.headers["webhook-id"] for post in posts}) == 1
    after = callback(world, job)
    assert after.status is DeliveryStatus.FAILED
    assert after.current is not None
    assert after.current.attempts == 10
    assert after.current.last_status == (answer if isinstance(answer, int) else None)


def test_a_first_retry_comes_within_the_same_run(world):
    job = ended()
    world.jobs.put(job)
    world.endpoints.script(HOOK, 500)

    world.callbacks_pump().run()

    assert len(world.endpoints.posts) == 2
    assert 5 <= world.endpoints.posts[1].at_s < 7
    assert callback(world, job).status is DeliveryStatus.DELIVERED


def test_410_ends_all_callbacks_of_the_job_also_later_ones(world):
    job = ended(status=Status.FAILED)
    world.jobs.put(job)
    world.endpoints.script(HOOK, 410)
    world.callbacks_pump().run()

    stored = world.store.read(job.id)
    stored = world.store.change(
        stored, lambda one: succeeded(one, outputs=(LATE_OUTPUT,), by=Actor.POLL, at=later(100))
    )
    world.announcer.announce(stored)
    world.callbacks_pump().run()

    assert len(world.endpoints.posts) == 1
    after = callback(world, job)
    assert after.status is DeliveryStatus.FAILED
    assert after.current is not None
    assert (after.current.event_id, after.current.last_status) == (f"{job.id}.failed", 410)


def test_events_of_a_job_are_delivered_in_order_and_wait_for_each_other(world):
    job = ended(status=Status.FAILED)
    job = out(
        with_event(replace(job, late_outputs=(LATE_OUTPUT,)), EventType.LATE_RESULT, at=later(9))
    )
    world.jobs.put(job)
    world.endpoints.script(HOOK, 500)

    world.callbacks_pump().run()

    assert [post.headers["webhook-id"].split(".")[1] for post in world.endpoints.posts] == [
        "failed",
        "failed",
        "late_result",
    ]


def test_a_mark_that_is_lost_is_a_second_post_with_the_same_id(world):
    job = ended()
    world.jobs.put(job)
    world.endpoints.during_post = lambda: setattr(world.jobs, "is_down", True)
    with suppress(StoreUnavailable):
        world.callbacks_pump(window_s=5).run()
    world.jobs.is_down, world.endpoints.during_post = False, lambda: None

    world.callbacks_pump().run()

    ids = [post.headers["webhook-id"] for post in world.endpoints.posts]
    assert ids == [f"{job.id}.succeeded"] * 2
    assert callback(world, job).status is DeliveryStatus.DELIVERED


def test_redelivery_begins_with_the_first_event(world):
    job = ended()
    world.jobs.put(job)
    world.callbacks_pump().run()
    stored = world.store.read(job.id)
    again = replace(stored.job, callback=redelivered(stored.job.callback, at=world.clock.now()))
    world.store.change(stored, lambda _: again)

    world.callbacks_pump().run()

    assert len(world.endpoints.posts) == 2


def test_a_dead_endpoint_holds_up_neither_its_tenants_others_nor_other_tenants(world):
    world.endpoints.slow(DEAD, takes_s=15.0)
    world.endpoints.script(DEAD, *[CallUnanswered("time over")] * 1000)
    dead = [ended(url=DEAD, number=number) for number in range(1, 301)]
    alive = [ended(number=400), ended(number=401, tenant="other")]
    world.jobs.put(*dead, *alive)

    world.callbacks_pump(open_workers=lambda _: ConcurrentWorkers(world.clock)).run()

    sent_s = [post.at_s for post in world.endpoints.posts if post.url == HOOK]
    assert len(sent_s) == 2
    assert max(sent_s) < 2
    assert world.endpoints.most_in_flight[DEAD] == 4


def test_a_tenant_has_at_most_eight_deliveries_in_flight(world):
    urls = [f"https://host{number}.example.com/" for number in range(20)]
    for url in urls:
        world.endpoints.slow(url, takes_s=10.0)
    world.jobs.put(*(ended(url=url, number=number) for number, url in enumerate(urls)))

    world.callbacks_pump(open_workers=lambda _: ConcurrentWorkers(world.clock)).run()

    assert world.endpoints.most_at_once == 8
    assert len(world.endpoints.posts) == 20


def test_tenants_take_turns_at_a_shared_host(world):
    world.endpoints.slow(HOOK, takes_s=1.0)
    world.jobs.put(*(ended(number=number) for number in range(1, 101)))
    world.jobs.put(*(ended(number=number, tenant="other") for number in range(200, 204)))

    world.callbacks_pump(open_workers=lambda _: ConcurrentWorkers(world.clock)).run()

    others_s = [
        post.at_s
        for post in world.endpoints.posts
        if post.body.find(b"job_" + b"0" * 23 + b"2") > 0
    ]
    assert len(others_s) == 4
    assert max(others_s) < 5


def test_documents_that_do_not_parse_hide_no_others_and_are_read_once(world):
    hidden = ended(number=400)
    for number in range(1, 31):
        key = delivery_key(ended(number=number))
        world.jobs.put_document(job_id(number), {DELIVERY_KEY: key})
    world.jobs.put(hidden)
    pages = []
    find = world.jobs.deliveries

    def noted(**arguments):
        pages.append(arguments)
        return find(**arguments)

    world.jobs.deliveries = noted
    world.callbacks_pump().run()

    assert callback(world, hidden).status is DeliveryStatus.DELIVERED
    assert len(pages) < 30


@pytest.mark.thorough
def test_a_thousand_callbacks_cost_few_reads_each(world):
    world.jobs.put(*(ended(number=number) for number in range(1, 1001)))
    world.endpoints.slow(HOOK, takes_s=0.1)
    read = 0
    find = world.jobs.deliveries

    def counted(**arguments):
        nonlocal read
        found = find(**arguments)
        read += max(len(found), 1)
        return found

    world.jobs.deliveries = counted
    pump = world.callbacks_pump(open_workers=lambda _: ConcurrentWorkers(world.clock))
    for _ in range(3):
        pump.run()

    assert len(world.endpoints.posts) == 1000
    assert read < 1500


def test_an_idle_run_ends_after_one_look(world):
    world.callbacks_pump().run()

    assert world.seconds() < 1.0


def test_a_run_with_nothing_more_to_deliver_leaves_although_every_query_takes_seconds(world):
    world.jobs.put(ended())
    world.jobs.takes_s = {"deliveries": 1.7}

    world.callbacks_pump().run()

    assert len(world.endpoints.posts) == 1
    assert world.seconds() < 30


def test_what_is_due_in_a_moment_when_a_run_ends_is_delivered_by_it(world):
    late = finished_job(Status.SUCCEEDED, callback=Callback(url=HOOK))
    # The second write of the account gives back the lease.
    world.accounts.before_next_write(lambda: None)
    world.accounts.before_next_write(lambda: world.jobs.put(out(late, at=later(1.5))))

    world.callbacks_pump().run()

    assert len(world.endpoints.posts) == 1
