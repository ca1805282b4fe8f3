"""Events go out in their order, are marked, and wait for the pump if that fails."""

import pytest

from relay.domain.job import Actor, Status
from relay.domain.transitions import succeeded
from relay.errors import PublishFailed
from tests.factories import JOB_ID, LATE_OUTPUT, finished_job, later


def test_an_event_is_published_and_then_marked(world):
    world.jobs.put(finished_job(Status.SUCCEEDED))

    after = world.announcer.announce(world.jobs.stored())

    assert [event.id for event in world.topics.events] == [f"{JOB_ID}.succeeded"]
    assert after == world.jobs.stored()
    assert after.job.unpublished == ()


def test_what_is_out_is_not_published_again(world):
    world.jobs.put(finished_job(Status.SUCCEEDED))
    after = world.announcer.announce(world.jobs.stored())

    world.announcer.announce(after)

    assert len(world.topics.events) == 1


def test_a_late_result_follows_the_completion(world):
    failed = finished_job(Status.FAILED)
    world.jobs.put(succeeded(failed, outputs=[LATE_OUTPUT], by=Actor.POLL, at=later(1)))

    world.announcer.announce(world.jobs.stored())

    assert [event.id for event in world.topics.events] == [
        f"{JOB_ID}.failed",
        f"{JOB_ID}.late_result",
    ]


def test_an_event_that_the_topic_does_not_take_is_an_error_and_stays_unmarked(world):
    world.jobs.put(finished_job(Status.SUCCEEDED))
    world.topics.fail()

    with pytest.raises(PublishFailed):
        world.announcer.announce(world.jobs.stored())

    assert len(world.jobs.job().unpublished) == 1


@pytest.mark.parametrize("down", ["topics", "jobs"])
def test_where_nobody_waits_for_it_an_event_is_left_to_the_pump(world, down):
    world.jobs.put(finished_job(Status.SUCCEEDED))
    stored = world.jobs.stored()
    getattr(world, down).is_down = True

    after = world.announcer.announce_or_leave(stored)

    assert after == stored
    assert world.jobs.document(JOB_ID)["wakeAt"] == later(20)


def test_a_copy_that_is_sent_again_is_the_same_whatever_came_since(world):
    failed = finished_job(Status.FAILED)
    world.topics.publish_event(failed, failed.announcements[0])
    late = succeeded(failed, outputs=[LATE_OUTPUT], by=Actor.POLL, at=later(1))

    world.topics.publish_event(late, late.announcements[0])

    first, second = world.topics.events
    assert (first.announcement, first.data) == (second.announcement, second.data)
