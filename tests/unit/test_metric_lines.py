"""The log lines that the deployment's metrics are made from; see terraform/metrics.tf."""

from relay.domain.answers import Rendered
from relay.domain.job import Status
from tests.factories import NOON, OUTPUT, a_job, job_id, later, processing_job


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
