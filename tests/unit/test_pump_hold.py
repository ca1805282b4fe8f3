"""Whole runs of the pump: an account that its provider refuses is put on hold, and let go again."""

import logging
from dataclasses import replace

import pytest

from relay.domain.account import Account
from relay.domain.admission import Stop
from relay.domain.job import ErrorCode, ProviderReply, Status
from relay.domain.transitions import cancelled
from relay.errors import (
    AccountRefused,
    NoAnswer,
    NotAccepted,
    PerhapsAccepted,
    StoreUnavailable,
)
from tests.factories import JOB_ID, NOON, a_hold, a_job, job_id, later, processing_job


def errors(caplog):
    return [record.message for record in caplog.records if record.levelno >= logging.ERROR]


def moments(world):
    return [(call.at - NOON).total_seconds() for call in world.provider.calls]


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (401, ErrorCode.PROVIDER_AUTH),
        (402, ErrorCode.PROVIDER_OUT_OF_CREDITS),
        (403, ErrorCode.PROVIDER_AUTH),
    ],
)
def test_a_refused_account_goes_on_hold_and_its_job_waits(world, status, code):
    world.jobs.put(a_job())
    world.provider.on_submit(*[AccountRefused(status)] * 9)

    world.pump(window_s=20).run()

    job, hold = world.jobs.job(), world.accounts.account().hold
    assert (job.status, job.refusal) == (Status.QUEUED, code)
    assert (hold.code, hold.status, hold.since, hold.probe_at) == (code, status, NOON, later(30))


def test_the_probe_of_a_hold_is_for_another_tenant_even_if_it_is_not_its_turn(world):
    world.jobs.put(*(a_job(id=job_id(number), tenant="refused") for number in range(1, 6)))
    world.jobs.put(a_job(id=job_id(9), tenant="other"))
    world.provider.on_submit(AccountRefused(401))

    world.pump(window_s=45, workers=1, weights={"refused": 100}).run()

    assert [one.job_id for one in world.provider.calls[:2]] == [job_id(1), job_id(9)]


def test_of_one_tenants_jobs_those_that_were_not_refused_yet_are_probed_first(world):
    world.jobs.put(*(a_job(id=job_id(number)) for number in range(1, 5)))
    world.provider.on_submit(*[AccountRefused(401)] * 9)

    world.pump(window_s=95, workers=1).run()

    assert [one.job_id for one in world.provider.calls] == [job_id(n) for n in (1, 2, 3)]


def test_a_refused_job_is_a_better_probe_than_one_of_the_tenant_refused_last(world):
    """Else a tenant whose jobs are always refused would keep the account on hold."""
    fields = {"tenant": "bad", "created_at": later(0.5)}
    many = [a_job(id=job_id(number), **fields) for number in range(2, 9)]
    world.jobs.put(a_job(tenant="good"))
    world.clock.after(0.5, lambda: world.jobs.put(*many))
    world.provider.on_submit(AccountRefused(401), AccountRefused(401))

    world.pump(window_s=95, workers=1).run()

    assert [one.job_id for one in world.provider.calls[:3]] == [job_id(1), job_id(2), job_id(1)]
    assert world.accounts.account().hold is None


def test_at_its_deadline_a_job_of_a_refused_account_says_why(world):
    world.jobs.put(a_job(deadline_at=later(60)))
    world.provider.on_submit(*[AccountRefused(402)] * 9)

    world.pump(window_s=100).run()

    assert world.jobs.job().error.code is ErrorCode.PROVIDER_OUT_OF_CREDITS
    assert later(60) <= world.jobs.job().finished_at < later(62)


def test_an_account_on_hold_is_probed_with_one_call_after_gaps_that_double(world):
    world.jobs.put(*(a_job(id=job_id(number)) for number in range(5)))
    world.provider.on_submit(*[AccountRefused(401)] * 99)

    world.pump(window_s=300, workers=1).run()

    assert moments(world) == pytest.approx([0, 30, 90, 210], abs=0.1)


def test_calls_that_were_in_the_air_when_the_hold_began_do_not_prolong_it(world):
    world.jobs.put(*(a_job(id=job_id(number)) for number in range(5)))
    world.provider.on_submit(*[AccountRefused(401)] * 99)

    world.pump(window_s=40, workers=4).run()

    assert moments(world) == pytest.approx([0, 0, 0, 30], abs=0.1)


def test_polls_of_an_account_on_hold_wait_too(world):
    world.jobs.put(processing_job())
    world.provider.on_poll(AccountRefused(403, 100.0), *[AccountRefused(403)] * 9)

    world.pump(window_s=110).run()

    assert moments(world) == pytest.approx([0, 100], abs=0.1)


def test_a_pump_does_not_stay_for_a_refused_job_that_waits_for_a_later_probe(world):
    world.accounts.put(Account(name="gepetto", hold=a_hold(probe_at=later(600))))
    world.jobs.put(a_job(call_at=NOON, refusal=ErrorCode.PROVIDER_AUTH))

    world.pump().run()

    assert world.provider.calls == []
    assert world.seconds() < 5


def test_a_refused_job_that_could_not_be_read_is_tried_again_in_the_same_run(world):
    world.jobs.put(a_job(call_at=NOON, refusal=ErrorCode.PROVIDER_AUTH, tries=1))
    world.jobs.put(processing_job(id=job_id(2), call_at=later(40)))
    read = world.jobs.read

    def away(job_id):
        if world.seconds() < 20:
            raise StoreUnavailable(job_id)
        return read(job_id)

    world.jobs.read = away

    world.pump().run()

    assert world.provider.called("submit") == [JOB_ID]


def test_jobs_that_were_not_called_are_not_written(world):
    world.accounts.put(Account(name="gepetto", hold=a_hold(probe_at=later(600))))
    world.jobs.put(processing_job(), a_job(id=job_id(2)))

    world.pump(window_s=10).run()

    assert world.provider.calls == []
    assert world.jobs.writes == 0


def test_a_refused_polls_own_words_are_kept_for_the_error_that_its_job_may_end_with(world):
    world.jobs.put(processing_job(deadline_at=later(50)))
    refusal = AccountRefused(403, reason="no plan")
    world.provider.on_poll(*[refusal] * 9)

    world.pump(window_s=80).run()

    assert world.jobs.job().error.provider == ProviderReply(status=403, message="no plan")


def test_a_probe_that_is_answered_ends_the_hold_and_everything_goes_on(world):
    world.jobs.put(*(a_job(id=job_id(number)) for number in range(5)))
    world.provider.on_submit(AccountRefused(401))

    world.pump(workers=1).run()

    assert world.accounts.account().hold is None
    assert {world.jobs.job(one).status for one in world.jobs.ids} == {Status.PROCESSING}


@pytest.mark.parametrize(
    "answer", [NotAccepted("HTTP 503"), PerhapsAccepted("timeout")], ids=["not taken", "perhaps"]
)
def test_a_submission_that_proves_nothing_leaves_the_hold_as_it_was(world, answer):
    world.jobs.put(a_job())
    world.provider.on_submit(AccountRefused(401), answer)

    world.pump(window_s=31).run()

    hold = world.accounts.account().hold
    assert (hold.since, hold.gap_s, hold.probe_at) == (NOON, 30, later(60))


def test_a_poll_that_is_not_answered_leaves_the_hold_as_it_was(world):
    world.jobs.put(processing_job())
    world.provider.on_poll(AccountRefused(401), NoAnswer("timeout"))

    world.pump(window_s=31).run()

    hold = world.accounts.account().hold
    assert (hold.since, hold.gap_s, hold.probe_at) == (NOON, 30, later(60))


def test_a_probe_whose_job_was_cancelled_meanwhile_was_none(world):
    world.accounts.put(Account(name="gepetto", hold=a_hold(probe_at=later(1), gap_s=300.0)))
    world.jobs.put(a_job(), a_job(id=job_id(2)))
    cancel_before_it_is_read(world, JOB_ID)

    world.pump(window_s=10).run()

    assert world.provider.called("submit") == [job_id(2)]
    assert moments(world) == pytest.approx([1], abs=0.6)
    assert world.accounts.account().hold is None


def test_a_pause_does_not_end_because_its_probes_job_was_cancelled_meanwhile(world):
    pause = Stop(since=NOON, probe_at=later(1), gap_s=60.0)
    world.accounts.put(Account(name="gepetto", pause=pause))
    world.jobs.put(*(a_job(id=job_id(number)) for number in (1, 2, 3)))
    cancel_before_it_is_read(world, JOB_ID)
    world.provider.on_submit(*[NotAccepted("HTTP 429", is_throttled=True)] * 9)

    world.pump(window_s=10).run()

    assert world.provider.called("submit") == [job_id(2)]


def cancel_before_it_is_read(world, job_id):
    """Cancel a job just before the pump reads it by id to send it."""
    read = world.jobs.read

    def cancelled_by_then(wanted):
        if wanted == job_id:
            world.jobs.put(cancelled(world.jobs.job(job_id), at=world.clock.now()))
        return read(wanted)

    world.jobs.read = cancelled_by_then


def test_a_hold_is_passed_on_to_the_next_pump(world):
    world.jobs.put(a_job())
    world.provider.on_submit(*[AccountRefused(401)] * 9)

    world.pump(window_s=10).run()
    world.pump(window_s=15).run()

    assert len(world.provider.calls) == 1

    world.clock.advance(20)
    world.pump(window_s=10).run()

    assert len(world.provider.calls) == 2


def test_a_hold_is_one_error_line_when_it_begins_and_one_when_it_ends(world, caplog):
    world.jobs.put(*(a_job(id=job_id(number)) for number in range(5)))
    world.provider.on_submit(*[AccountRefused(401)] * 5)

    world.pump(window_s=250).run()

    assert errors(caplog) == ["account on hold", "account off hold"]


def test_jobs_of_an_account_on_hold_are_still_given_up_at_their_deadlines(world):
    world.jobs.put(
        a_job(), a_job(id=job_id(2), deadline_at=later(70), refusal=ErrorCode.PROVIDER_AUTH)
    )
    world.provider.on_submit(*[AccountRefused(401)] * 9)

    world.pump(window_s=80).run()

    assert world.jobs.job(job_id(2)).error.code is ErrorCode.PROVIDER_AUTH


def test_a_polled_job_that_reaches_its_deadline_on_hold_ends_within_the_same_run(world):
    hold = a_hold(probe_at=later(600))
    world.accounts.replace(replace(Account(name="gepetto"), hold=hold), version=None)
    world.jobs.put(processing_job(deadline_at=later(10), call_at=later(5)))

    world.pump(window_s=55).run()

    job = world.jobs.job()
    assert job.status is Status.FAILED
    assert job.finished_at <= later(10 + 25)
    assert world.provider.calls == []
