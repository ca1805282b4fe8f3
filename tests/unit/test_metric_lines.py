"""The log lines that the deployment's metrics are made from; see terraform/metrics.tf."""

import pytest

from relay.domain.answers import Rendered
from relay.domain.callback import CALLBACKS, Callback
from relay.domain.events import published
from relay.domain.job import Status
from relay.errors import AccountRefused, CallUnanswered, NotAccepted, PerhapsAccepted
from tests.factories import NOON, OUTPUT, a_job, finished_job, job_id, later, processing_job

HOOK = "https://hooks.example.com/renders"


def lines(caplog, message):
    return [one.fields for one in caplog.records if one.message == message]


def test_a_finished_job_says_how_long_it_took(world, caplog):
    caplog.set_level("INFO")
    world.jobs.put(processing_job(call_at=later(5)))
    world.provider.on_poll(Rendered(outputs=(OUTPUT,), provider_status="success"))

    world.pump(window_s=30).run()

    (line,) = [one for one in caplog.records if one.message == "job finished"]
    finished = world.jobs.job()
    assert finished.status is Status.SUCCEEDED
    assert line.fields["seconds"] == (finished.finished_at - finished.created_at).total_seconds()
    assert (line.fields["provider"], line.fields["by"]) == ("gepetto", "poll")


def test_a_pump_says_what_it_has_called_and_how_late_it_was(world, caplog):
    caplog.set_level("INFO")
    world.jobs.put(a_job(id=job_id(1), call_at=NOON), a_job(id=job_id(2), call_at=later(10)))
    world.clock.advance(40)

    world.pump(window_s=0).run()

    (line,) = [one for one in caplog.records if one.message == "pump done"]
    assert line.fields == {"account": "gepetto", "calls": 2, "queued": 0, "oldest_due_s": 40.0}


def test_a_pump_with_nothing_due_was_not_late(world, caplog):
    caplog.set_level("INFO")

    world.pump(window_s=0).run()

    (line,) = [one for one in caplog.records if one.message == "pump done"]
    assert line.fields == {"account": "gepetto", "calls": 0, "queued": 0, "oldest_due_s": 0.0}


def test_a_pump_says_how_many_jobs_had_to_wait_for_the_limit(world, caplog):
    caplog.set_level("INFO")
    world.jobs.put(*(a_job(id=job_id(number)) for number in range(116)))

    world.pump(window_s=0, workers=32).run()

    (line,) = [one for one in caplog.records if one.message == "pump done"]
    assert (line.fields["calls"], line.fields["queued"]) == (114, 2)


def test_a_failed_job_says_why(world, caplog):
    caplog.set_level("INFO")
    world.jobs.put(a_job(deadline_at=later(60)))
    world.clock.advance(59)

    world.pump(window_s=0).run()

    (line,) = lines(caplog, "job finished")
    assert (line["status"], line["code"]) == ("failed", "not_sent_in_time")


@pytest.mark.parametrize(
    ("status", "code"), [(401, "provider_auth"), (402, "provider_out_of_credits")]
)
def test_a_hold_says_why_the_account_is_refused(world, caplog, status, code):
    world.jobs.put(a_job())
    world.provider.on_submit(AccountRefused(status))

    world.pump(window_s=0).run()

    (line,) = lines(caplog, "account on hold")
    assert (line["account"], line["code"]) == ("gepetto", code)


def test_a_throttled_account_is_logged(world, caplog):
    world.jobs.put(a_job())
    world.provider.on_submit(NotAccepted("429", is_throttled=True))

    world.pump(window_s=0).run()

    (line,) = lines(caplog, "provider throttled")
    assert line["account"] == "gepetto"


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (NotAccepted("no connection"), "submission not accepted"),
        (PerhapsAccepted("HTTP 502"), "submission unconfirmed"),
    ],
)
def test_a_submission_without_a_clear_answer_is_logged_with_its_job(world, caplog, answer, message):
    world.jobs.put(a_job())
    world.provider.on_submit(answer)

    world.pump(window_s=0).run()

    (line,) = lines(caplog, message)
    assert line == {"job_id": a_job().id, "account": "gepetto", "why": str(answer)}


def test_a_breaker_that_opens_names_its_tenant(world, caplog):
    world.jobs.put(*(a_job(id=job_id(number)) for number in range(5)))
    world.provider.on_submit(*[PerhapsAccepted("500")] * 5)

    world.pump(window_s=0).run()

    assert lines(caplog, "tenant's breaker opened") == [{"account": "gepetto", "tenant": "demo"}]
    assert lines(caplog, "provider down") == []


def test_an_outage_is_logged_when_a_second_tenants_breaker_opens(world, caplog):
    world.jobs.put(
        *(a_job(id=job_id(number), tenant=f"tenant{number % 2}") for number in range(10))
    )
    world.provider.on_submit(*[PerhapsAccepted("500")] * 10)

    world.pump(window_s=0).run()

    (line,) = lines(caplog, "provider down")
    assert line["account"] == "gepetto"


def job_with_callback():
    job = finished_job(Status.SUCCEEDED, tenant="shop", callback=Callback(url=HOOK))
    return published(job, job.announcements[0].id, at=NOON)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (200, "callback delivered"),
        (500, "callback not delivered"),
        (CallUnanswered("time over"), "callback not delivered"),
        (410, "callback failed"),
    ],
)
def test_an_attempt_at_a_callback_says_whose_it_was_and_how_it_ended(
    world, caplog, answer, message
):
    caplog.set_level("INFO")
    world.jobs.put(job_with_callback())
    world.endpoints.script(HOOK, answer)

    world.callbacks_pump(window_s=0).run()

    attempts = [one for one in caplog.records if one.message.startswith("callback ")]
    assert [(one.message, one.fields["tenant"]) for one in attempts] == [(message, "shop")]


def test_the_callbacks_pump_says_that_it_is_done_as_an_accounts_does(world, caplog):
    caplog.set_level("INFO")
    world.jobs.put(job_with_callback())
    world.clock.advance(30)

    world.callbacks_pump(window_s=0).run()

    (line,) = lines(caplog, "pump done")
    assert line == {"account": CALLBACKS, "calls": 1, "oldest_due_s": 30.0}


@pytest.mark.parametrize("number", [1, 2])
def test_a_claimed_job_and_an_unconfirmed_one_are_moves_that_can_be_compared(world, caplog, number):
    caplog.set_level("INFO")
    world.jobs.put(*(a_job(id=job_id(one)) for one in range(number)))
    world.provider.on_submit(*[PerhapsAccepted("500")] * number)

    world.pump(window_s=0).run()

    moves = [line["status"] for line in lines(caplog, "job moved")]
    assert moves.count("submitting") == moves.count("unconfirmed") == number


def test_a_result_that_was_polled_says_so(world, caplog):
    caplog.set_level("INFO")
    world.jobs.put(processing_job(call_at=NOON))
    world.provider.on_poll(Rendered(outputs=(OUTPUT,), provider_status="success"))

    world.pump(window_s=0).run()

    (line,) = lines(caplog, "job finished")
    assert (line["provider"], line["status"], line["by"]) == ("gepetto", "succeeded", "poll")
