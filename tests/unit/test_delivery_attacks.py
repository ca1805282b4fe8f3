"""What a hostile or careless tenant, receiver or store does to callbacks."""

from dataclasses import replace
from datetime import timedelta

import pytest

from relay.domain.callback import (
    Callback,
)
from relay.domain.events import published
from relay.domain.job import Status
from relay.errors import CallUnanswered
from tests.factories import NOON, finished_job, job_id, later
from tests.fakes import ConcurrentWorkers, World

HOOK = "https://hooks.example.com/renders"
TOMORROW = NOON + timedelta(days=1)


@pytest.fixture
def world() -> World:
    return World()


def ended(*, url=HOOK, number=1, tenant="demo", status=Status.SUCCEEDED):
    """Return a job whose completion event is out and is due at its callback."""
    job = finished_job(status, id=job_id(number), tenant=tenant, callback=Callback(url=url))
    return out(job)


def out(job):
    for event in job.unpublished:
        job = published(job, event.id, at=NOON)
    return job


def postponed(job, *, until=TOMORROW):
    """Return the job as one whose receiver did not take its event, to be tried again later."""
    (delivery,) = job.callback.deliveries
    later_on = replace(delivery, attempts=5, last_status=500, next_at=until)
    return replace(job, callback=replace(job.callback, deliveries=(later_on,)))


def posts_to(world, url=HOOK):
    return [post for post in world.endpoints.posts if post.url == url]


def test_two_dead_endpoints_do_not_hold_up_their_tenants_others(world):
    dead = [f"https://dead{number}.example.com/" for number in (1, 2)]
    for url in dead:
        world.endpoints.slow(url, takes_s=15.0)
        world.endpoints.script(url, *[CallUnanswered("time over")] * 1000)
    world.jobs.put(
        *(ended(url=dead[number % 2], number=number) for number in range(1, 201)),
        replace_due(ended(number=400), later(30)),
    )
    world.clock.advance(30)

    world.callbacks_pump(open_workers=lambda _: ConcurrentWorkers(world.clock)).run()

    (post,) = posts_to(world)
    assert post.at_s < 30 + 16


def replace_due(job, at):
    (delivery,) = job.callback.deliveries
    return replace(job, callback=replace(job.callback, deliveries=(replace(delivery, next_at=at),)))
