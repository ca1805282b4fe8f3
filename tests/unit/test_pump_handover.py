"""Whole runs of the pump while the store is slow, fails, or gives the lease to another."""

from functools import partial

import pytest

from relay.application.pump_run import STOPS_WITHIN_S
from relay.domain.account import LEASE_S, RENEW_EVERY_S
from relay.domain.answers import Rendered, UnknownJob
from relay.domain.job import ErrorCode, Status
from relay.domain.transitions import poll_requested
from relay.errors import AccountRefused, StoreUnavailable
from tests.factories import JOB_ID, NOON, OUTPUT, a_job, busy_account, job_id, later, processing_job
from tests.fakes import ConcurrentWorkers

DAY = later(86_400)
DONE = Rendered(outputs=(OUTPUT,), provider_status="success")


def run_concurrently(world, **how):
    world.pump(open_workers=lambda _: ConcurrentWorkers(world.clock), **how).run()


def store_is_away(world, *, until_s):
    """Have the job documents out of reach from now on."""
    world.jobs.is_down = True
    world.clock.after(until_s - world.seconds(), lambda: setattr(world.jobs, "is_down", False))


def test_a_job_whose_result_could_not_be_written_is_done_again_in_the_same_run(world, caplog):
    world.jobs.put(processing_job())

    def away(_):
        store_is_away(world, until_s=20)
        return DONE

    world.provider.on_poll(away, *[DONE] * 3)

    run_concurrently(world)

    assert world.jobs.job().status is Status.SUCCEEDED
    assert world.jobs.job().finished_at < later(25)
    assert "job set aside" not in caplog.messages


def test_a_job_that_alone_could_not_be_written_is_done_again_in_the_same_run(world, caplog):
    """The looks go on meanwhile, past the moment at which it was due."""
    world.jobs.put(processing_job())
    world.provider.on_poll(*[DONE] * 9)
    replace = world.jobs.replace

    def failing(job, *, version):
        if world.seconds() < 20:
            raise StoreUnavailable(job.id)
        return replace(job, version=version)

    world.jobs.replace = failing

    run_concurrently(world)

    assert world.jobs.job().status is Status.SUCCEEDED
    assert world.jobs.job().finished_at < later(25)
    assert "job set aside" not in caplog.messages


def test_a_job_that_could_not_be_claimed_is_sent_in_the_same_run(world, caplog):
    world.jobs.put(a_job(), processing_job(id=job_id(2), call_at=later(50)))
    read = world.jobs.read

    def away(job_id):
        world.jobs.read = read
        store_is_away(world, until_s=20)
        return read(job_id)

    world.jobs.read = away

    run_concurrently(world)

    assert world.provider.called("submit") == [JOB_ID]
    assert world.provider.calls[0].at < later(25)
    assert "job set aside" not in caplog.messages


def test_calls_in_flight_when_the_lease_is_lost_are_waited_for_and_their_answers_kept(world):
    world.provider.takes_s = 8.0
    world.jobs.put(*(a_job(id=job_id(number)) for number in range(3)))
    world.clock.after(2, lambda: world.accounts.put(busy_account(at=later(2))))

    run_concurrently(world)

    assert {world.jobs.job(one).status for one in world.jobs.ids} == {Status.PROCESSING}
    assert len(world.provider.calls) == 3
    assert world.accounts.account().holder == "another"


def test_calls_in_flight_when_the_lease_ran_out_are_counted_at_the_hand_over(world):
    world.provider.takes_s = 8.0
    world.jobs.put(*(a_job(id=job_id(number)) for number in range(3)))
    world.clock.after(0.5, lambda: setattr(world.accounts, "is_down", True))
    world.clock.after(0.5 + LEASE_S + 1, lambda: setattr(world.accounts, "is_down", False))

    run_concurrently(world, window_s=6)

    account = world.accounts.account()
    assert account.holder is None
    assert len(account.calls_ago_s) == len(world.provider.calls) == 3
    assert max(account.calls_ago_s) < 1


def test_queued_jobs_that_reach_their_deadline_on_a_held_account_leave_their_places(world, caplog):
    caplog.set_level("INFO")
    world.jobs.put(
        *(a_job(id=job_id(number), deadline_at=later(20)) for number in range(8)),
        a_job(id=job_id(9), created_at=later(1), deadline_at=DAY),
    )
    world.provider.on_submit(AccountRefused(401))

    world.pump(window_s=35, workers=1).run()

    ended = [world.jobs.job(job_id(number)) for number in range(8)]
    assert {one.error.code for one in ended} == {ErrorCode.PROVIDER_AUTH}
    assert max(one.finished_at for one in ended) <= later(21.1)
    assert world.jobs.job(job_id(9)).status is Status.PROCESSING
    assert [one.fields["queued"] for one in caplog.records if one.message == "pump done"] == [0]


def test_a_run_that_ends_leaves_what_it_knows_of_polled_jobs_in_their_documents(world):
    world.jobs.put(processing_job())
    world.provider.on_poll(*[UnknownJob()] * 9)

    world.pump(window_s=30).run()

    job = world.jobs.job()
    assert job.polls == len(world.provider.called("poll")) > 1
    assert job.strikes.count == job.polls
    assert job.strikes.since == NOON
    assert later(30) < job.call_at <= later(60)


def test_a_run_that_is_stopped_leaves_what_it_knows_of_polled_jobs_in_their_documents(world):
    world.jobs.put(processing_job())
    world.provider.on_poll(*[UnknownJob()] * 9)
    world.clock.after(3, lambda: setattr(world, "is_stopping", True))

    world.pump().run()

    job = world.jobs.job()
    assert (job.polls, job.strikes.count) == (1, 1)
    assert world.seconds() < 3 + STOPS_WITHIN_S
    assert later(3) < job.call_at < later(55)


@pytest.mark.parametrize("nudged_s", [2, 7.9])
def test_a_nudge_during_a_long_poll_whose_next_one_lies_beyond_the_window_is_not_lost(
    world, nudged_s
):
    world.provider.takes_s = 8.0
    world.jobs.put(processing_job(created_at=later(-600), submitted_at=later(-600)))
    nudge = partial(poll_requested, provider_job_id=None, at=later(nudged_s))
    world.clock.after(nudged_s, lambda: world.jobs.put(nudge(world.jobs.job())))

    run_concurrently(world, window_s=14)

    first, second = (one.at for one in world.provider.calls[:2])
    assert first == NOON
    assert second <= later(9.1)


@pytest.mark.parametrize("kind", ["due", "queued"])
def test_a_look_that_fails_is_repeated_in_the_same_run(world, kind, caplog):
    world.jobs.put(a_job(), processing_job(id=job_id(2)))
    look, failures = getattr(world.jobs, kind), [1, 1]

    def failing(*args, **kwargs):
        if failures:
            failures.pop()
            world.jobs.lose_requests()
        return look(*args, **kwargs)

    setattr(world.jobs, kind, failing)

    run_concurrently(world, window_s=10)

    calls = {(one.kind, one.job_id): one.at for one in reversed(world.provider.calls)}
    assert calls["submit", JOB_ID] <= later(2.1)
    assert calls["poll", job_id(2)] <= later(2.1)
    assert "look failed" in caplog.messages


def test_calls_go_on_and_the_lease_is_renewed_while_every_page_takes_long_to_read(world):
    world.jobs.takes_s = {"due": 3.5, "queued": 3.5}
    world.jobs.put(
        *(a_job(id=job_id(number), deadline_at=DAY) for number in range(100)),
        *(processing_job(id=job_id(200 + number), deadline_at=DAY) for number in range(100)),
    )
    ages_s = []

    def look():
        ages_s.append(world.accounts.read("gepetto").age_s)
        if world.seconds() < 50:
            world.clock.after(0.1, look)

    world.clock.after(0.1, look)

    run_concurrently(world, workers=32, window_s=55)

    # The limit lets out 104 in 55 s.
    assert len(world.provider.calls) >= 75
    assert max(ages_s) <= RENEW_EVERY_S + 0.1
    assert len(world.provider.called("submit")) >= 20
    assert world.seconds() < 55 + 4
