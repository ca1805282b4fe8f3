"""Whole runs of the pump: asking about jobs that are under way, and their deadlines."""

from datetime import timedelta
from functools import partial
from itertools import pairwise

import pytest

from relay.application.job_actions import apply_poll_answer
from relay.domain.account import Account
from relay.domain.admission import TenantState
from relay.domain.answers import (
    PollAnswer,
    Rendered,
    RenderFailed,
    StillOpen,
    UnknownJob,
    WithoutOutput,
)
from relay.domain.job import Actor, ErrorCode, Status
from relay.domain.transitions import cancelled, poll_requested
from relay.errors import AccountRefused, NoAnswer
from tests.factories import (
    JOB_ID,
    LATE_OUTPUT,
    NOON,
    OUTPUT,
    a_job,
    job_id,
    later,
    processing_job,
    submitting_job,
    unconfirmed_job,
)
from tests.fakes import ConcurrentWorkers

DONE = Rendered(outputs=(OUTPUT,), provider_status="success")


def test_a_job_is_asked_about_more_rarely_the_older_it_gets(world):
    world.jobs.put(processing_job(call_at=later(25)))

    world.pump(window_s=120).run()

    moments = [(call.at - NOON).total_seconds() for call in world.provider.calls]
    gaps_s = [after - before for before, after in pairwise(moments)]
    assert moments[0] == 25
    assert 4 <= len(moments) <= 9
    assert gaps_s[-1] > gaps_s[0]


def test_polls_are_planned_from_the_submission_however_long_the_job_was_queued(world):
    world.jobs.put(processing_job(created_at=later(-600), submitted_at=NOON, call_at=later(25)))

    world.pump(window_s=60).run()

    moments = [(call.at - NOON).total_seconds() for call in world.provider.calls]
    assert moments == pytest.approx([25, 31, 39, 49], abs=1)


def test_a_job_polled_many_times_costs_one_write_in_a_window(world):
    world.jobs.put(processing_job())

    world.pump().run()

    job = world.jobs.job()
    assert len(world.provider.called("poll")) >= 3
    assert world.jobs.writes == 1
    assert job.polls == len(world.provider.called("poll"))
    assert job.call_at > later(55)


def test_a_result_ends_the_job_and_is_announced(world):
    world.jobs.put(processing_job())
    world.provider.on_poll(DONE)

    world.pump().run()

    job = world.jobs.job()
    assert (job.status, job.finished_by, job.outputs) == (Status.SUCCEEDED, Actor.POLL, (OUTPUT,))
    assert [event.id for event in world.topics.events] == [f"{JOB_ID}.succeeded"]


def test_a_render_that_failed_is_a_result_and_no_error_of_ours(world):
    world.jobs.put(processing_job())
    world.provider.on_poll(RenderFailed(provider_status="failed"))

    world.pump().run()

    job = world.jobs.job()
    assert (job.status, job.error.code) == (Status.FAILED, ErrorCode.RENDER_FAILED)
    assert job.provider_status == "failed"


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (UnknownJob(), ErrorCode.PROVIDER_JOB_NOT_FOUND),
        (WithoutOutput(provider_status="success"), ErrorCode.OUTPUT_UNUSABLE),
    ],
    ids=["unknown job", "success without output"],
)
def test_an_answer_without_hope_ends_the_job_once_it_was_repeated_over_a_minute(
    world, answer, code
):
    world.jobs.put(processing_job())
    world.provider.on_poll(*[answer] * 20)

    world.pump(window_s=59).run()

    assert world.jobs.job().status is Status.PROCESSING

    world.pump().run()

    assert world.jobs.job().error.code is code
    assert world.jobs.job().finished_at >= later(60)


def test_a_provider_that_does_not_answer_is_asked_again_and_others_too(world):
    other = processing_job(id="job_00000000000000000000000002")
    world.jobs.put(processing_job(), other)
    world.provider.on_poll(NoAnswer("timeout"), DONE, DONE)

    world.pump(workers=1).run()

    assert [world.jobs.job(one).status for one in world.jobs.ids] == [Status.SUCCEEDED] * 2


def test_a_provider_that_asks_for_time_gets_it(world):
    world.jobs.put(processing_job())
    world.provider.on_poll(NoAnswer("HTTP 429", 40.0))

    world.pump(window_s=45).run()

    assert [call.at for call in world.provider.calls] == [NOON, later(40)]


def test_a_poll_that_is_refused_for_its_own_sake_waits_longer_the_more_often_it_was_made(world):
    others = TenantState(tenant="other", answered_at=later(-1))
    world.accounts.put(Account(name="gepetto", tenants=(others,)))
    world.jobs.put(processing_job(refusal=ErrorCode.PROVIDER_AUTH, refused_at=later(-10), polls=3))
    world.provider.on_poll(AccountRefused(403))

    world.pump(window_s=0).run()

    # Five seconds, doubled for each poll before.
    assert world.jobs.job().call_at == later(40)
    assert world.accounts.account().hold is None


def test_a_word_that_nobody_knows_keeps_the_job_open(world, caplog):
    world.jobs.put(processing_job())
    world.provider.on_poll(StillOpen(provider_status="moving in", is_known_word=False))

    world.pump(window_s=0).run()

    assert world.jobs.job().provider_status == "moving in"
    assert "unknown status word" in caplog.messages


def test_a_word_that_is_known_is_not_worth_a_line(world, caplog):
    world.jobs.put(processing_job())

    world.pump(window_s=0).run()

    assert world.provider.called("poll") == [JOB_ID]
    assert caplog.messages == []


def test_a_result_that_a_poll_finds_after_a_cancellation_is_kept_as_a_late_one(world):
    world.jobs.put(processing_job())

    def cancelled_meanwhile(job):
        world.jobs.put(cancelled(world.jobs.job(), at=NOON))
        return Rendered(outputs=(LATE_OUTPUT,), provider_status="success")

    world.provider.on_poll(cancelled_meanwhile)

    world.pump().run()

    job = world.jobs.job()
    assert (job.status, job.late_outputs) == (Status.CANCELLED, (LATE_OUTPUT,))
    assert [event.id for event in world.topics.events] == [
        f"{JOB_ID}.cancelled",
        f"{JOB_ID}.late_result",
    ]


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (DONE, Status.SUCCEEDED),
        (None, Status.FAILED),
        (NoAnswer("timeout"), Status.FAILED),
        (AccountRefused(401), Status.FAILED),
        (UnknownJob(), Status.FAILED),
    ],
    ids=["done", "still open", "no answer", "account refused", "unknown"],
)
def test_at_its_deadline_a_job_is_asked_about_one_last_time(world, answer, status):
    world.jobs.put(processing_job(call_at=later(890), deadline_at=later(895)))
    world.clock.advance(895)
    world.provider.on_poll(answer)

    world.pump(window_s=20).run()

    job = world.jobs.job()
    assert world.provider.called("poll") == [JOB_ID]
    assert job.status is status
    assert job.finished_at == later(895)


def test_a_job_is_given_up_unasked_if_its_provider_cannot_be_asked_for_too_long(world):
    world.jobs.put(processing_job())
    world.clock.advance(930)

    world.pump().run()

    assert world.provider.calls == []
    assert world.jobs.job().error.code is ErrorCode.DEADLINE_EXCEEDED


@pytest.mark.parametrize(
    ("job", "code"),
    [
        (a_job(), ErrorCode.NOT_SENT_IN_TIME),
        (a_job(refusal=ErrorCode.PROVIDER_AUTH), ErrorCode.PROVIDER_AUTH),
        (a_job(refusal=ErrorCode.PROVIDER_OUT_OF_CREDITS), ErrorCode.PROVIDER_OUT_OF_CREDITS),
        (unconfirmed_job(), ErrorCode.SUBMIT_UNCONFIRMED),
        (submitting_job(), ErrorCode.SUBMIT_UNCONFIRMED),
    ],
    ids=["queued", "key refused", "no credits", "unconfirmed", "claimed by a dead pump"],
)
def test_at_its_deadline_a_job_that_cannot_be_asked_about_is_given_up(world, job, code):
    world.jobs.put(job)
    world.clock.advance(900)

    world.pump().run()

    assert world.provider.calls == []
    assert world.jobs.job().error.code is code
    assert [event.id for event in world.topics.events] == [f"{JOB_ID}.failed"]


def test_a_deadline_within_the_window_is_kept_to_the_second(world):
    world.jobs.put(processing_job(call_at=later(25), deadline_at=later(30)))

    world.pump().run()

    job = world.jobs.job()
    assert job.error.code is ErrorCode.DEADLINE_EXCEEDED
    assert later(30) <= job.finished_at < later(31)


def test_a_job_that_a_slow_clock_wrote_as_due_seconds_ago_is_polled_at_once(world):
    world.jobs.put(processing_job(id=job_id(2), call_at=later(50)))
    # Just after a scan began, by a clock that is almost three seconds slow.
    late = processing_job(call_at=later(10.05 - 2.9), history=())
    world.clock.after(10.05, lambda: world.jobs.put(late))

    world.pump().run()

    assert world.provider.called("poll")[0] == JOB_ID
    assert world.provider.calls[0].at <= later(11.1)


def test_a_job_whose_next_poll_lies_beyond_the_window_is_written_at_once(world):
    world.jobs.put(processing_job(), processing_job(id=job_id(2), call_at=later(2.5)))
    world.provider.on_poll(NoAnswer("HTTP 503", 30.0))
    polls = []
    world.clock.after(1, lambda: polls.append(world.jobs.job().polls))

    world.pump(window_s=3).run()

    assert polls == [1]


def test_a_nudge_that_comes_during_a_slow_poll_has_the_job_asked_again_at_once(world):
    world.jobs.put(processing_job())
    nudge = partial(poll_requested, provider_job_id=None, at=later(2))
    world.provider.takes_s = 8.0
    world.clock.after(2, lambda: world.jobs.put(nudge(world.jobs.job())))

    world.pump(open_workers=lambda _: ConcurrentWorkers(world.clock)).run()

    first, second = (call.at for call in world.provider.calls[:2])
    assert second - first <= timedelta(seconds=9)


def test_what_must_end_while_the_last_call_is_in_the_air_is_ended_by_the_same_pump(world):
    """Its lease keeps every other pump away."""
    world.provider.takes_s = 8.0
    world.jobs.put(
        processing_job(call_at=later(9)),
        a_job(id=job_id(2), call_at=later(100), deadline_at=later(12)),
    )

    world.pump(window_s=10, open_workers=lambda _: ConcurrentWorkers(world.clock)).run()

    assert len(world.provider.calls) == 1
    assert world.jobs.job(job_id(2)).status is Status.FAILED


def test_every_reading_is_worth_a_step():
    readings: list[PollAnswer] = [
        DONE,
        RenderFailed(provider_status="failed"),
        WithoutOutput(provider_status="success"),
        UnknownJob(),
        StillOpen(provider_status="pending", is_known_word=True),
    ]

    for reading in readings:
        job = processing_job()

        assert (
            apply_poll_answer(job, answer=reading, asked_at=NOON, poll_at=later(5), at=NOON)
            is not job
        )
