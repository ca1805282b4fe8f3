"""Whole runs of the pump with more to do than it can do at once: what goes first, what it reads."""

from dataclasses import replace

import pytest

from relay.application.due_scan import MAX_IN_HAND, PAGE
from relay.domain.job import Status
from relay.domain.limits import Limit
from relay.errors import JobRefused
from tests.factories import a_job, finished_job, job_id, jobs_of, later, processing_job
from tests.fakes import ConcurrentWorkers

WIDE = Limit(calls=100_000, window_s=60.0)


def unpublished(numbers):
    """Jobs whose completion events are due for another try, each a little later."""
    jobs = []
    for number in numbers:
        job = finished_job(Status.SUCCEEDED, id=job_id(number))
        (event,) = job.announcements
        event = replace(event, publish_at=later(-600 + number / 1000))
        jobs.append(replace(job, announcements=(event,)))
    return jobs


def queued(numbers):
    """Jobs that wait to be sent, each created a little later than the one before."""
    return jobs_of("demo", numbers, deadline_at=later(900), history=())


def count_documents(world):
    """Return a list that grows by the size of every page that is looked at."""
    pages, due = [], world.jobs.due

    def counted(*args, **kwargs):
        page = due(*args, **kwargs)
        pages.append(len(page.items))
        return page

    world.jobs.due = counted
    return pages


def test_a_job_that_must_end_does_not_wait_for_events_that_are_published_again(world):
    overdue = processing_job(id=job_id(999), deadline_at=later(-60), call_at=later(-60))
    world.jobs.put(*unpublished(range(50)), overdue)
    order = []
    publish = world.topics.publish_event

    def published(job, event):
        order.append(job.id)
        publish(job, event)

    world.topics.publish_event = published
    world.pump(window_s=20, workers=1).run()

    assert order.index(job_id(999)) <= 1
    assert len(order) == 51


def test_calls_do_not_wait_for_a_backlog_of_events(world):
    world.jobs.put(*unpublished(range(50)), a_job(id=job_id(999)))
    events_before = []

    def submitted(_):
        events_before.append(len(world.topics.events))

    world.provider.on_submit(submitted)
    world.pump(window_s=20, workers=1).run()

    assert events_before[0] <= 2
    assert len(world.topics.events) == 50


def test_events_do_not_wait_for_a_backlog_of_calls(world):
    world.provider.limit = WIDE
    world.provider.takes_s = 0.1
    world.jobs.put(*queued(range(100)), *unpublished(range(200, 210)))

    world.pump(window_s=3, workers=1).run()

    assert len(world.topics.events) == 10
    assert 0 < len(world.provider.calls) < 100


@pytest.mark.thorough
def test_each_job_of_a_deep_queue_is_read_once_by_a_query_and_once_by_name(world):
    depth = 4 * MAX_IN_HAND
    world.provider.limit = WIDE
    world.provider.on_submit(*[JobRefused(422, "no such room")] * depth)
    world.jobs.put_unchecked(queued(range(depth)))

    world.pump(window_s=55, workers=4).run()

    assert len(world.provider.called("submit")) == depth
    assert world.jobs.looked_at <= depth + 10
    assert world.jobs.calls.count("read") == depth


def test_a_deep_backlog_of_events_is_read_twice_and_not_again_and_again(world):
    depth = 4 * MAX_IN_HAND
    world.jobs.put(*unpublished(range(depth)))
    pages = count_documents(world)

    world.pump(window_s=55, workers=4).run()

    assert len(world.topics.events) == depth
    assert sum(pages) <= 2 * depth + 2 * PAGE


def test_jobs_to_be_ended_do_not_keep_a_pump_long_past_its_window(world):
    world.jobs.put(
        *(
            a_job(id=job_id(number), created_at=later(-900), deadline_at=later(-60))
            for number in range(400)
        )
    )
    world.jobs.takes_s["replace"] = 1.0

    world.pump(window_s=5, workers=4, open_workers=lambda _: ConcurrentWorkers(world.clock)).run()

    assert 19 < world.seconds() < 30
    assert sum(world.jobs.job(job_id(number)).is_final for number in range(400)) < 130
    assert world.topics.ticks == ["gepetto"]
