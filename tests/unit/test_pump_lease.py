"""Whole runs of the pump: one pump per account, and how one hands over to the next."""

import pytest

from relay.application.job_actions import JobActions
from relay.domain.account import LEASE_S, RENEW_EVERY_S, Account
from relay.domain.job import Status
from relay.domain.transitions import poll_requested
from relay.errors import StoreUnavailable
from tests.factories import JOB_ID, NOON, a_job, busy_account, job_id, later, processing_job


def test_a_pump_that_finds_another_at_work_leaves_at_once(world):
    world.jobs.put(a_job())
    world.accounts.put(busy_account())

    world.pump().run()

    assert world.provider.calls == []
    assert world.jobs.calls == []
    assert world.seconds() == 0


def test_a_pump_beaten_to_the_lease_by_a_hair_leaves_too(world):
    world.jobs.put(a_job())
    world.accounts.before_next_write(lambda: world.accounts.put(busy_account()))

    world.pump().run()

    assert world.provider.calls == []
    assert world.accounts.account().holder == "another"


def test_a_poll_for_which_the_lease_was_too_old_is_made_once_it_is_renewed(world, monkeypatch):
    world.jobs.put(processing_job(call_at=NOON))
    poll = JobActions.poll
    refused: list[str] = []

    def too_late_at_first(actions, due_job, evidence):
        if not refused:
            refused.append(due_job.job.id)
            with monkeypatch.context() as patch:
                patch.setattr(actions, "_may_call", lambda: False)
                return poll(actions, due_job, evidence)
        return poll(actions, due_job, evidence)

    monkeypatch.setattr(JobActions, "poll", too_late_at_first)

    world.pump(window_s=3).run()

    assert refused == [JOB_ID]
    (call,) = world.provider.calls
    # Not only when the next page of due jobs brings it again.
    assert call.at < later(0.5)


def test_a_pump_that_lost_its_lease_stops_calling(world):
    world.jobs.put(*(processing_job(id=job_id(number)) for number in range(3)))
    world.clock.after(7, lambda: world.accounts.put(busy_account()))

    world.pump().run()

    assert max(call.at for call in world.provider.calls) <= later(7 + LEASE_S)
    assert world.accounts.account().holder == "another"
    assert world.seconds() < 7 + 2 * LEASE_S


def test_a_pump_that_cannot_renew_its_lease_stops_calling_before_another_may_take_it(world):
    world.jobs.put(processing_job())
    world.clock.after(1, lambda: setattr(world.accounts, "is_down", True))

    world.pump().run()

    assert max(call.at for call in world.provider.calls) < later(1 + LEASE_S)


def lose_leases(world, *, times):
    """Have a call take longer than a lease lasts, and the renewal after it fail."""
    world.provider.takes_s = 10
    for number in range(times):
        world.clock.after(10 * number + 9, world.accounts.lose_requests)


def test_a_pass_that_lost_its_lease_goes_on_under_another(world):
    lose_leases(world, times=1)
    world.jobs.put(*(a_job(id=job_id(number)) for number in range(3)))

    world.pump(window_s=0, workers=1).run()

    assert len(world.provider.called("submit")) == 3


def test_a_pass_that_loses_one_lease_after_the_other_leaves_the_rest_to_the_next_pump(world):
    lose_leases(world, times=9)
    world.jobs.put(*(a_job(id=job_id(number)) for number in range(9)))

    world.pump(window_s=0, workers=1).run()

    assert len(world.provider.calls) == 3
    assert world.topics.ticks == ["gepetto"]


def test_a_pass_that_takes_long_leaves_the_rest_to_the_next_pump(world):
    """What has come due meanwhile must not wait for it."""
    world.provider.takes_s = 10
    world.jobs.put(*(a_job(id=job_id(number)) for number in range(9)))

    world.pump(window_s=0, workers=1).run()

    assert len(world.provider.calls) == 3
    assert world.topics.ticks == ["gepetto"]


def test_a_claim_that_outlived_the_lease_is_put_back_unsent(world):
    world.jobs.put(a_job())
    world.jobs.before_next_write(lambda: world.clock.advance(20))

    world.pump(window_s=10).run()

    assert world.provider.calls == []
    assert world.jobs.job().status is Status.QUEUED
    assert world.jobs.job().history[-1].note == "the pump lost its lease"


def test_the_lease_is_renewed_on_time_while_the_pump_only_waits(world):
    world.jobs.put(processing_job(call_at=later(50)))
    ages_s = []

    def look():
        ages_s.append(world.accounts.read("gepetto").age_s)
        if world.seconds() < 50:
            world.clock.after(0.1, look)

    world.clock.after(0.1, look)
    world.pump().run()

    assert max(ages_s) <= RENEW_EVERY_S + 0.01


def test_the_lease_is_given_back_with_the_calls_that_were_made(world):
    world.jobs.put(a_job(), a_job(id=job_id(2)))

    world.pump(window_s=0).run()

    account = world.accounts.account()
    assert (account.holder, account.granted) == (None, 0)
    assert account.calls_ago_s == (0.0, 0.0)


def test_the_lease_is_given_back_even_if_the_store_breaks_the_run(world):
    world.jobs.put(processing_job())
    world.clock.after(3, lambda: setattr(world.jobs, "is_down", True))

    with pytest.raises(StoreUnavailable):
        world.pump().run()

    assert world.accounts.account().holder is None


def test_the_next_pump_counts_the_calls_of_the_one_before(world):
    world.accounts.put(Account(name="gepetto", calls_ago_s=(1.0,) * 114))
    world.jobs.put(a_job())

    world.pump(window_s=50).run()

    assert world.provider.calls == []

    world.clock.advance(15)
    world.pump(window_s=0).run()

    assert len(world.provider.calls) == 1


def test_the_pump_after_a_crash_counts_what_the_dead_one_may_have_called(world):
    world.accounts.put(busy_account(granted=30))
    world.jobs.put(*(a_job(id=job_id(number)) for number in range(100)))
    world.clock.advance(17)

    world.pump(window_s=0, workers=32).run()

    assert len(world.provider.calls) == 114 - 30


@pytest.mark.parametrize(
    "account",
    [Account(name="gepetto", calls_ago_s=(0.5,) * 22), busy_account(granted=47, at_once=32)],
    ids=["calls that hung ended together", "a crash"],
)
def test_calls_that_ended_together_do_not_delay_the_next_pumps_first_poll(world, account):
    world.accounts.put(account)
    world.clock.advance(7)
    world.jobs.put(processing_job(call_at=later(7)))

    world.pump(window_s=40, workers=32).run()

    assert world.provider.calls[0].at <= later(8)


def test_two_pumps_one_after_the_other_keep_the_limit_between_them(world):
    world.jobs.put(*(a_job(id=job_id(number)) for number in range(150)))

    world.pump(window_s=0, workers=32).run()
    world.clock.advance(30)
    world.pump(window_s=0, workers=32).run()

    assert len(world.provider.calls) == 114


def test_a_job_whose_wake_up_met_the_lease_is_found_by_looking_once_more(world):
    world.accounts.before_next_write(lambda: "the lease is taken")
    world.accounts.before_next_write(lambda: world.jobs.put(a_job()))

    world.pump().run()

    assert world.provider.called("submit") == [JOB_ID]
    assert world.topics.ticks == []


def test_a_pump_whose_time_is_up_wakes_the_next_for_what_came_late(world):
    late = a_job(id=job_id(2))
    world.accounts.before_next_write(lambda: "the lease is taken")
    world.accounts.before_next_write(lambda: world.jobs.put(late))

    world.pump(window_s=0).run()

    assert world.provider.calls == []
    assert world.topics.ticks == ["gepetto"]


def test_a_pump_that_has_seen_everything_wakes_nobody(world):
    world.jobs.put(a_job(), processing_job(id=job_id(2)))

    world.pump(window_s=0).run()

    assert world.topics.ticks == []


def test_a_job_that_was_nudged_while_the_pump_works_is_polled_at_once(world):
    world.jobs.put(processing_job(call_at=later(50)), processing_job(id=job_id(2)))

    def nudge():
        job = world.jobs.job()
        world.jobs.put(poll_requested(job, provider_job_id=None, at=world.clock.now()))

    world.clock.after(10, nudge)

    world.pump().run()

    polls = [call.at for call in world.provider.calls if call.job_id == job_id(1)]
    assert later(10) <= polls[0] <= later(11)


def test_a_nudge_reaches_a_pump_whose_bookkeeping_is_ahead_of_the_document(world):
    world.jobs.put(processing_job())

    def nudge():
        job = world.jobs.job()
        world.jobs.put(poll_requested(job, provider_job_id=None, at=world.clock.now()))

    world.clock.after(10, nudge)

    world.pump().run()

    assert world.provider.calls[0].at == NOON
    assert later(10) <= world.provider.calls[1].at <= later(11)
