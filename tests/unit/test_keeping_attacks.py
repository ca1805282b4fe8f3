"""What hostile hosts, away buckets and messages that come late or twice do to kept outputs."""

import pytest

from relay.domain.job import Status
from relay.domain.kept_output import GIVE_UP_AFTER, NEVER_REACHED
from relay.errors import CallUnanswered, OutputsUndecided
from tests.factories import JOB_ID, finished_job
from tests.fakes import World


@pytest.fixture
def world() -> World:
    return World()


def keep(world):
    attributes = {"ce-type": "com.renderrelay.job.succeeded", "ce-subject": JOB_ID}
    world.completions().receive({"message": {"attributes": attributes}})


def kept(world):
    return {one.index: one.error for one in world.jobs.job().kept_outputs}


def test_an_output_is_not_given_up_before_it_was_asked_for(world):
    """A message that comes late, as from the dead letters, may have time for some outputs alone."""
    urls = tuple(f"https://cdn.example.com/{n}.png" for n in range(12))
    world.jobs.put(finished_job(Status.SUCCEEDED, outputs=urls))
    for url in urls[:-1]:
        world.downloads.script(url, CallUnanswered("time over"))
        world.downloads.slow(url, takes_s=60.0)
    world.clock.advance(GIVE_UP_AFTER.total_seconds())

    for _ in range(3):
        with pytest.raises(OutputsUndecided):
            keep(world)
        world.clock.advance(600)

    assert set(world.downloads.gets) == set(urls)
    assert kept(world) == {**dict.fromkeys(range(11), NEVER_REACHED), 11: None}


def test_the_same_url_twice_is_kept_twice(world):
    url = "https://cdn.example.com/1.png"
    world.jobs.put(finished_job(Status.SUCCEEDED, outputs=(url, url)))

    keep(world)

    assert kept(world) == {0: None, 1: None}
    assert len(world.bucket.objects) == 2


def test_a_hundred_outputs_are_kept_by_one_message(world):
    urls = tuple(f"https://cdn.example.com/{n}.png" for n in range(100))
    world.jobs.put(finished_job(Status.SUCCEEDED, outputs=urls))

    keep(world)

    assert kept(world) == dict.fromkeys(range(100))
