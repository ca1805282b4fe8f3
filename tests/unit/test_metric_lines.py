"""The log lines that the deployment's metrics are made from; see terraform/metrics.tf."""

import pytest

from relay.domain.answers import Rendered
from relay.domain.job import Status
from relay.errors import AccountRefused, NotAccepted, PerhapsAccepted
from tests.factories import NOON, OUTPUT, a_job, job_id, later, processing_job


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
