"""Whole runs of the pump: what it stays for, and what it leaves to the scheduler's next tick."""

from datetime import timedelta
from itertools import pairwise

import pytest

from relay.application.pump_run import PEEK
from relay.domain.account import Account
from relay.domain.answers import Rendered, StillOpen
from relay.domain.due import NEXT_TICK_WITHIN, PATIENT_AFTER, can_wait_for_tick
from relay.domain.job import Status
from tests.factories import (
    NOON,
    OUTPUT,
    a_hold,
    a_job,
    finished_job,
    job_id,
    later,
    processing_job,
    submitting_job,
    unconfirmed_job,
)

DONE = Rendered(outputs=(OUTPUT,), provider_status="success")
OPEN = StillOpen(provider_status="pending", is_known_word=True)
# Of a wake-up that was suppressed because of an earlier one.
LINGERS_S = 1.5


def long_render(number: int = 1, **changes):
    """Return a job that its provider took three minutes ago, and that is polled in 20 s."""
    ours = {"id": job_id(number), "submitted_at": later(-180), "created_at": later(-181)}
    return processing_job(**(ours | {"call_at": later(20), "deadline_at": later(600)} | changes))


def tick_every_minute(world, *, until_s):
    """Run a pump now and at each minute, as the scheduler does."""
    while world.seconds() <= until_s:
        began_s = world.seconds()
        world.pump().run()
        world.clock.advance(max(0.0, began_s + 60 - world.seconds()))


@pytest.mark.parametrize(
    ("job", "can_wait"),
    [
        (long_render(), True),
        (long_render(submitted_at=NOON - PATIENT_AFTER), True),
        (long_render(submitted_at=later(1) - PATIENT_AFTER), False),
        (long_render(submitted_at=None), True),
        (long_render(submitted_at=None, created_at=later(-5)), False),
        (long_render(call_at=NOON), False),
        (long_render(deadline_at=NOON + NEXT_TICK_WITHIN), False),
        (long_render(deadline_at=later(1) + NEXT_TICK_WITHIN), True),
        (a_job(created_at=later(-300), call_at=later(20)), False),
        (submitting_job(submitted_at=later(-300)), False),
        (unconfirmed_job(submitted_at=later(-300), call_at=later(20)), False),
        (finished_job(Status.SUCCEEDED, submitted_at=later(-300)), False),
    ],
    ids=[
        "a long render",
        "two minutes old",
        "younger",
        "followed for long",
        "followed since a moment ago",
        "due now",
        "its deadline may come before the tick",
        "its deadline cannot",
        "queued",
        "a claim",
        "unconfirmed",
        "an event to publish",
    ],
)
def test_only_the_next_poll_of_a_long_render_can_wait_for_the_next_tick(job, can_wait):
    assert can_wait_for_tick(job, at=NOON) is can_wait


def test_a_pump_does_not_stay_for_the_next_poll_of_a_long_render(world):
    world.jobs.put(long_render())

    world.pump().run()

    assert world.seconds() == 0
    assert world.provider.calls == []


def test_a_long_render_in_hand_is_left_after_its_poll_with_what_was_learnt(world):
    world.jobs.put(long_render(call_at=NOON))

    world.pump().run()

    job = world.jobs.job(job_id(1))
    assert len(world.provider.called("poll")) == job.polls == 1
    assert job.call_at > NOON
    assert world.seconds() <= LINGERS_S


def test_the_next_tick_polls_what_was_left(world):
    world.jobs.put(long_render())
    world.pump().run()
    world.provider.on_poll(DONE)
    world.clock.advance(60)

    world.pump().run()

    assert [call.at for call in world.provider.calls] == [later(60)]
    assert world.jobs.job(job_id(1)).status is Status.SUCCEEDED


def test_a_pump_stays_for_the_next_poll_of_a_render_younger_than_two_minutes(world):
    world.jobs.put(long_render(submitted_at=later(-100)))
    world.provider.on_poll(DONE)

    world.pump().run()

    assert [call.at for call in world.provider.calls] == [later(20)]


@pytest.mark.parametrize(("due_s", "polled"), [(5, [later(5)]), (5.5, [])])
def test_a_poll_within_five_seconds_is_waited_for(world, due_s, polled):
    world.jobs.put(long_render(call_at=later(due_s)))
    world.provider.on_poll(DONE)

    world.pump().run()

    assert [call.at for call in world.provider.calls] == polled


@pytest.mark.parametrize(
    "other",
    [
        submitting_job(id=job_id(9)),
        finished_job(Status.SUCCEEDED, id=job_id(9)),
        a_job(id=job_id(9), call_at=later(30), tries=1),
        a_job(id=job_id(9), deadline_at=later(40), call_at=later(3000)),
    ],
    ids=["a claim", "an event", "a retry", "a deadline"],
)
@pytest.mark.parametrize("before", [0, 1, 4, 5, 12], ids=lambda n: f"{n} long renders before it")
def test_nothing_else_is_left_however_many_long_renders_come_before_it(world, other, before):
    long_ones = [long_render(number, call_at=later(6 + number / 10)) for number in range(before)]
    world.jobs.put(*long_ones, other)
    world.provider.on_poll(*[OPEN] * 99)

    world.pump().run()

    assert world.jobs.job(job_id(9)) != other


def test_the_probe_of_a_hold_is_not_left(world):
    world.accounts.put(Account(name="gepetto", hold=a_hold(probe_at=later(30))))
    world.jobs.put(long_render())
    world.provider.on_poll(DONE)

    world.pump().run()

    assert [call.at for call in world.provider.calls] == [later(30)]


def test_a_wake_up_reaches_a_pump_at_once_after_one_has_left(world):
    world.jobs.put(long_render())
    world.pump().run()
    world.clock.advance(10)
    new = a_job(id=job_id(2), created_at=later(10), deadline_at=later(900))
    world.jobs.put(new)

    world.pump().run()

    first = world.provider.calls[0]
    assert (first.kind, first.at) == ("submit", later(10))


@pytest.mark.parametrize("deadline_s", [600, 625, 655, 659])
def test_a_long_render_is_asked_about_every_minute_and_one_last_time_at_its_deadline(
    world, deadline_s
):
    world.jobs.put(
        processing_job(
            id=job_id(1), created_at=NOON, submitted_at=NOON, deadline_at=later(deadline_s)
        )
    )
    world.provider.on_poll(*[OPEN] * 200)

    tick_every_minute(world, until_s=deadline_s + 60)

    asked_s = [(call.at - NOON).total_seconds() for call in world.provider.calls]
    gaps_s = [after - before for before, after in pairwise(asked_s)]
    job = world.jobs.job(job_id(1))
    assert max(gaps_s) <= 120
    assert deadline_s <= asked_s[-1] <= deadline_s + 20
    assert job.status is Status.FAILED
    assert job.finished_at <= later(deadline_s) + timedelta(seconds=90)


def test_a_long_render_alone_costs_a_fraction_of_the_time(world):
    world.jobs.put(
        processing_job(id=job_id(1), created_at=NOON, submitted_at=NOON, deadline_at=later(3000))
    )
    worked_s = 0.0
    for _ in range(10):
        began_s = world.seconds()
        world.pump().run()
        worked_s += world.seconds() - began_s
        world.clock.advance(max(0.0, began_s + 60 - world.seconds()))

    assert world.seconds() >= 600
    assert worked_s < 150 + 10 * (LINGERS_S + 5)


def test_a_pump_with_nothing_to_do_leaves_although_every_query_takes_seconds(world):
    world.jobs.takes_s = {"due": 1.7, "queued": 2.3}

    world.pump().run()

    assert world.seconds() < 30
    assert world.jobs.calls.count("queued") <= 4


def test_a_look_before_leaving_that_failed_is_made_again_a_second_later(world):
    due, peeks = world.jobs.due, []

    def failing_once(account, *, limit, **more):
        if limit == PEEK:
            peeks.append(world.seconds())
            if len(peeks) == 1:
                world.jobs.lose_requests()
        return due(account, limit=limit, **more)

    world.jobs.due = failing_once

    world.pump().run()

    assert peeks == [pytest.approx(0, abs=0.1), pytest.approx(1, abs=0.1)]
    assert world.seconds() < 2


def test_a_poll_that_is_due_in_a_moment_when_a_run_ends_is_made_by_it(world):
    world.provider.on_poll(DONE)
    # The second write of the account gives back the lease.
    world.accounts.before_next_write(lambda: None)
    world.accounts.before_next_write(lambda: world.jobs.put(processing_job(call_at=later(2))))

    world.pump().run()

    assert world.jobs.job().status is Status.SUCCEEDED
