"""Whole runs of the pump: sending queued jobs, and everything that may come of it."""

import pytest

from relay.domain.answers import Accepted, Rendered
from relay.domain.catalogue import CATALOGUE
from relay.domain.job import Actor, Claim, ErrorCode, OnUnconfirmed, Status
from relay.domain.transitions import cancelled, succeeded
from relay.errors import JobRefused, NotAccepted, PerhapsAccepted
from tests.factories import (
    JOB_ID,
    NOON,
    OUTPUT,
    a_job,
    job_id,
    later,
    processing_job,
    submitting_job,
)

DONE = Rendered(outputs=(OUTPUT,), provider_status="success")


def statuses(job):
    return [entry.status.value for entry in job.history]


def test_a_queued_job_is_claimed_sent_and_polled_until_it_is_done(world):
    world.jobs.put(a_job())
    world.provider.on_submit(Accepted(provider_job_id="p-1", provider_status="created"))
    world.provider.on_poll(None, DONE)

    world.pump().run()

    job = world.jobs.job()
    assert statuses(job) == ["queued", "submitting", "processing", "succeeded"]
    assert (job.provider_job_id, job.outputs, job.tries) == ("p-1", (OUTPUT,), 1)
    assert [event.id for event in world.topics.events] == [f"{JOB_ID}.succeeded"]
    assert job.unpublished == ()


def test_a_job_is_claimed_in_the_store_before_its_provider_is_called(world):
    world.jobs.put(a_job())
    seen = []
    world.provider.on_submit(lambda job: seen.append((world.jobs.job().status, job.claim)))

    world.pump(window_s=0).run()

    ((status, claim),) = seen
    assert status is Status.SUBMITTING
    assert claim.expires_at == later(40)


def test_a_job_that_was_not_accepted_is_sent_again_later(world):
    world.jobs.put(a_job())
    world.provider.on_submit(NotAccepted("HTTP 429", 7.0))

    world.pump().run()

    job = world.jobs.job()
    assert statuses(job) == ["queued", "submitting", "queued", "submitting", "processing"]
    assert [call.at for call in world.provider.calls[:2]] == [NOON, later(7)]
    assert job.history[2].note == "HTTP 429"


def test_a_job_that_nobody_takes_is_tried_after_gaps_that_grow(world):
    world.jobs.put(a_job())
    world.provider.on_submit(*[NotAccepted("could not connect")] * 9)

    world.pump(window_s=80).run()

    moments = [(call.at - NOON).total_seconds() for call in world.provider.calls]
    assert moments == [0, 5, 15, 35, 75]
    assert world.jobs.job().status is Status.QUEUED


def test_a_job_of_which_nobody_knows_waits_unconfirmed_and_is_not_sent_again(world):
    world.jobs.put(a_job())
    world.provider.on_submit(PerhapsAccepted("read timeout"))

    world.pump(window_s=500).run()
    world.clock.advance(390)
    world.pump().run()

    assert world.jobs.job().status is Status.UNCONFIRMED
    assert world.provider.called("submit") == [JOB_ID]


def test_an_unconfirmed_job_is_sent_again_where_its_caller_asked_for_that(world):
    world.jobs.put(a_job(on_unconfirmed=OnUnconfirmed.RESUBMIT))
    world.provider.on_submit(PerhapsAccepted("read timeout"))

    world.pump(window_s=70).run()

    job = world.jobs.job()
    assert [call.at for call in world.provider.calls] == [NOON, later(60)]
    assert job.status is Status.PROCESSING
    assert job.is_resubmitted


def test_a_job_that_the_provider_refuses_fails_with_its_reason(world):
    world.jobs.put(a_job())
    world.provider.on_submit(JobRefused(422, "styleId is unknown"))

    world.pump().run()

    job = world.jobs.job()
    assert (job.status, job.error.code) == (Status.FAILED, ErrorCode.PROVIDER_REJECTED)
    assert "styleId is unknown" in job.error.message
    assert [event.id for event in world.topics.events] == [f"{JOB_ID}.failed"]


def test_a_pump_that_found_a_queued_job_stays_for_wake_ups_that_were_saved_because_of_it(world):
    world.jobs.put(a_job())
    world.provider.on_submit(JobRefused(422, ""))
    # Its wake-up is not published, because there was one within the last second.
    world.clock.after(0.9, lambda: world.jobs.put(a_job(id=job_id(2))))

    world.pump().run()

    assert world.jobs.job(job_id(2)).status is Status.PROCESSING


def test_the_claim_of_a_pump_that_died_ends_as_unconfirmed_not_as_a_second_submission(world):
    world.jobs.put(submitting_job(claim=Claim(token="of a dead pump", expires_at=later(40))))

    world.pump().run()

    assert world.jobs.job().status is Status.UNCONFIRMED
    assert world.jobs.job().history[-1].at == later(40)
    assert world.provider.calls == []


def test_a_claim_whose_reply_was_lost_is_recognised_and_sent_once(world):
    world.jobs.put(a_job())
    world.jobs.lose_replies()

    world.pump().run()

    assert world.provider.called("submit") == [JOB_ID]
    assert world.jobs.job().status is Status.PROCESSING


def test_an_acknowledgement_is_kept_even_if_the_store_is_away_for_some_seconds(world):
    world.jobs.put(a_job())
    world.provider.on_submit(lambda _: world.jobs.lose_requests(8))

    world.pump().run()

    assert world.jobs.job().status is Status.PROCESSING
    assert world.provider.called("submit") == [JOB_ID]


def test_a_callback_may_beat_the_acknowledgement(world):
    world.jobs.put(a_job())

    def called_back(job):
        world.jobs.put(succeeded(job, outputs=[OUTPUT], by=Actor.WEBHOOK, at=NOON))

    world.provider.on_submit(called_back)

    world.pump().run()

    assert statuses(world.jobs.job()) == ["queued", "submitting", "succeeded"]
    assert world.provider.called("poll") == []


def test_a_job_that_was_cancelled_just_before_its_claim_is_not_sent(world):
    world.jobs.put(a_job())
    world.jobs.before_next_write(lambda: world.jobs.put(cancelled(a_job(), at=NOON)))

    world.pump().run()

    assert world.provider.calls == []
    assert world.jobs.job().status is Status.CANCELLED


def test_the_oldest_job_is_sent_first(world):
    ages = {3: 30, 1: 10, 2: 20}
    for number, seconds in ages.items():
        world.jobs.put(a_job(id=job_id(number), created_at=later(-seconds)))

    world.pump(window_s=0, workers=1).run()

    assert world.provider.called("submit") == [job_id(3), job_id(2), job_id(1)]


def test_a_job_for_which_there_is_no_place_in_the_limit_stays_queued(world):
    world.jobs.put(*(a_job(id=job_id(number)) for number in range(116)))

    world.pump(window_s=0, workers=32).run()

    assert len(world.provider.calls) == world.provider.limit.used_calls == 114
    left = [one for one in world.jobs.ids if world.jobs.job(one).status is Status.QUEUED]
    assert len(left) == 2


def test_a_job_that_had_to_wait_is_sent_when_the_window_of_the_limit_has_passed(world):
    world.jobs.put(*(a_job(id=job_id(number)) for number in range(116)))
    world.provider.on_submit(*[JobRefused(422, "")] * 114)

    world.pump(window_s=62, workers=32).run()

    moments = [(call.at - NOON).total_seconds() for call in world.provider.calls]
    assert moments[113] < 60
    assert moments[114] >= 60


@pytest.mark.parametrize("workers", [1, 4])
def test_submissions_and_polls_take_turns_when_both_wait(world, workers):
    """Polls that are known before the queue was looked through do not wait for that."""
    for number in range(20):
        world.jobs.put(a_job(id=job_id(number)), processing_job(id=job_id(100 + number)))

    world.pump(window_s=0, workers=workers).run()

    kinds = [call.kind for call in world.provider.calls]
    first = kinds.index("submit")
    assert kinds[first : first + 30] == ["submit", "poll"] * 15


@pytest.mark.parametrize(
    ("limit", "window_s", "calls"),
    [
        # One call every 0.53 s, the first of them in each burst.
        pytest.param(CATALOGUE["gepetto"].limit, 0.4, 5, id="two seconds' worth"),
        # One call every 10.5 ms: half a second's worth at once, then those of 50 ms.
        pytest.param(CATALOGUE["spacely"].limit, 0.05, 52, id="half a window's worth"),
    ],
)
def test_an_idle_account_begins_with_a_burst(world, limit, window_s, calls):
    world.provider.limit = limit
    world.jobs.put(*(a_job(id=job_id(number)) for number in range(120)))

    world.pump(window_s=window_s, workers=200).run()

    assert len(world.provider.called("submit")) == calls


def test_a_run_that_follows_another_does_not_begin_with_a_burst_of_its_own(world):
    world.provider.limit = CATALOGUE["gepetto"].limit
    world.jobs.put(*(a_job(id=job_id(number)) for number in range(20)))

    for _ in range(3):
        world.pump(window_s=0.4).run()

    assert len(world.provider.called("submit")) == 7
