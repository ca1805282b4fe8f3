"""The store: lost races and lost replies are nobody's loss, and every patience ends."""

from dataclasses import replace

import pytest

from relay.application.ports import Stored
from relay.application.store import JobStore
from relay.domain.job import Status
from relay.domain.transitions import cancelled, claimed
from relay.errors import JobNotFound, StoreUnavailable
from tests.factories import CLAIM, JOB_ID, NOON, a_job, processing_job


def claim(job):
    return claimed(job, claim=CLAIM, at=NOON)


def count_a_poll(job):
    return replace(job, polls=job.polls + 1)


def test_a_change_needs_no_read_where_the_job_is_known(world):
    world.jobs.put(a_job())

    after = world.store.change(world.jobs.stored(), claim)

    assert world.jobs.calls == ["replace"]
    assert after == world.jobs.stored()


def test_a_step_that_changes_nothing_writes_nothing(world):
    world.jobs.put(processing_job())
    known = world.jobs.stored()

    assert world.store.change(known, claim) is known
    assert world.jobs.calls == []


def test_a_change_that_lost_its_race_is_made_to_the_newer_job(world):
    world.jobs.put(processing_job())
    world.jobs.before_next_write(lambda: world.jobs.put(processing_job(polls=7)))

    after = world.store.change(world.jobs.stored(), count_a_poll)

    assert after.job.polls == world.jobs.job().polls == 8
    assert world.jobs.calls == ["replace", "read", "replace"]


def test_a_step_that_the_newer_job_does_not_allow_is_not_taken(world):
    world.jobs.put(a_job())
    world.jobs.before_next_write(lambda: world.jobs.put(cancelled(a_job(), at=NOON)))

    after = world.store.change(world.jobs.stored(), claim)

    assert after.job.status is world.jobs.job().status is Status.CANCELLED


def test_a_change_whose_reply_was_lost_is_recognised_as_made(world):
    world.jobs.put(a_job())
    world.jobs.lose_replies()

    after = world.store.change(world.jobs.stored(), claim)

    assert after == world.jobs.stored()
    assert after.job.tries == 1
    assert world.jobs.writes == 1


def test_a_change_goes_on_when_the_store_comes_back(world):
    world.jobs.put(a_job())
    world.jobs.lose_requests(5)

    after = world.store.change(world.jobs.stored(), claim)

    assert after.job.status is Status.SUBMITTING


def test_a_create_whose_reply_was_lost_finds_its_own_job(world):
    world.jobs.lose_replies()

    stored = world.store.create(a_job())

    assert stored == world.jobs.stored()
    assert world.jobs.calls == ["create", "create", "read"]


def test_a_create_finds_the_job_that_had_the_id_before(world):
    world.jobs.put(a_job(tenant="first"))

    assert world.store.create(a_job()).job.tenant == "first"


@pytest.mark.parametrize(
    "call",
    [
        lambda store, known: store.read(known.job.id),
        lambda store, known: store.create(known.job),
        lambda store, known: store.change(known, claim),
    ],
    ids=["read", "create", "change"],
)
def test_a_store_that_stays_away_is_given_up_when_patience_runs_out(world, call):
    world.jobs.put(a_job())
    known = world.jobs.stored()
    world.jobs.is_down = True

    with pytest.raises(StoreUnavailable):
        call(world.store, known)

    assert 8 < world.seconds() < 10
    assert len(world.jobs.calls) <= 30


def test_a_change_that_is_always_beaten_is_given_up_too(world):
    world.jobs.put(processing_job())
    for number in range(40):
        world.jobs.before_next_write(
            lambda number=number: world.jobs.put(processing_job(polls=number))
        )

    with pytest.raises(StoreUnavailable):
        world.store.change(world.jobs.stored(), count_a_poll)


def test_even_endless_patience_has_an_end(world):
    world.jobs.is_down = True
    store = JobStore(world.jobs, clock=world.clock, draw=lambda: 0.5, patience_s=1e9)

    with pytest.raises(StoreUnavailable):
        store.read(JOB_ID)

    assert len(world.jobs.calls) == 30


def test_a_job_that_is_not_there_is_not_looked_for_twice(world):
    with pytest.raises(JobNotFound):
        world.store.read(JOB_ID)

    assert world.jobs.calls == ["read"]


def test_bookkeeping_that_lost_its_race_is_dropped(world):
    world.jobs.put(processing_job())
    known = world.jobs.stored()
    world.jobs.put(cancelled(processing_job(), at=NOON))

    world.store.keep(Stored(count_a_poll(known.job), known.version))

    assert world.jobs.job().status is Status.CANCELLED


def test_bookkeeping_that_the_store_does_not_take_is_dropped(world):
    world.jobs.put(processing_job())
    world.jobs.is_down = True

    world.store.keep(world.jobs.stored())

    assert world.jobs.calls == ["replace"]
