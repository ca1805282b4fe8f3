"""Whole runs of the pump: a job that was set aside goes on once its document was repaired."""

from relay.domain.job import Status
from relay.errors import StoreUnavailable
from tests.factories import JOB_ID, NOON, a_job, later


def test_a_repaired_job_takes_its_place_in_the_queue_again(world):
    world.jobs.put(a_job(deadline_at=later(36_000)))
    world.jobs.put_document(JOB_ID, {**world.jobs.document(JOB_ID), "status": "unheard of"})
    world.pump(window_s=5).run()
    assert "queueKey" not in world.jobs.document(JOB_ID)

    repaired = {**world.jobs.document(JOB_ID), "status": "queued", "wakeAt": world.clock.now()}
    world.jobs.put_document(JOB_ID, repaired)
    world.pump(window_s=5).run()

    assert world.jobs.job().status is Status.PROCESSING


def test_a_job_that_only_waits_for_its_deadline_is_due_then(world):
    world.jobs.put(a_job(status=Status.UNCONFIRMED, deadline_at=later(36_000)))
    early = {**world.jobs.document(JOB_ID), "wakeAt": world.clock.now()}
    world.jobs.put_document(JOB_ID, early)

    world.pump(window_s=5).run()

    assert world.jobs.document(JOB_ID)["wakeAt"] == later(36_000)


def test_a_run_that_repaired_a_job_scanned_everything_all_the_same(world):
    world.jobs.put(a_job(status=Status.UNCONFIRMED, deadline_at=later(36_000)))
    early = {**world.jobs.document(JOB_ID), "wakeAt": world.clock.now()}
    world.jobs.put_document(JOB_ID, early)

    world.pump(window_s=5).run()

    assert world.accounts.account().looked_back_at == NOON


def test_the_next_pump_scans_everything_if_a_repaired_job_could_not_be_written(world, caplog):
    world.jobs.put(a_job(status=Status.UNCONFIRMED, deadline_at=later(36_000)))
    early = {**world.jobs.document(JOB_ID), "wakeAt": world.clock.now()}
    world.jobs.put_document(JOB_ID, early)
    replace, world.jobs.replace = world.jobs.replace, unavailable
    world.pump(window_s=5).run()
    left = world.accounts.account()

    world.jobs.replace = replace
    world.clock.advance(60)
    world.pump(window_s=5).run()

    assert left.looked_back_at is None
    assert "left for later" in caplog.messages
    assert world.jobs.document(JOB_ID)["wakeAt"] == later(36_000)


def unavailable(*_args, **_more):
    raise StoreUnavailable("simulated")
