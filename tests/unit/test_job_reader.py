"""A tenant reads its own jobs, at once or when they are final."""

import pytest

from relay.domain.job import Status
from relay.errors import JobNotFound
from tests.factories import JOB_ID, finished_job, processing_job


@pytest.fixture
def reader(world):
    return world.relay.reader()


def test_a_job_is_read_once_where_nobody_wants_to_wait(reader, world):
    world.jobs.put(processing_job())

    assert reader.get("demo", JOB_ID, wait_s=0) == processing_job()
    assert world.jobs.calls == ["read"]


@pytest.mark.parametrize("wait_s", [0, 30])
def test_another_tenants_job_is_not_found_without_any_wait(reader, world, wait_s):
    world.jobs.put(processing_job(tenant="other"))

    with pytest.raises(JobNotFound):
        reader.get("demo", JOB_ID, wait_s=wait_s)

    assert world.seconds() == 0


def test_waiting_costs_one_read_a_second_and_ends_with_the_job(reader, world):
    world.jobs.put(processing_job())
    world.clock.after(7.5, lambda: world.jobs.put(finished_job(Status.FAILED)))

    job = reader.get("demo", JOB_ID, wait_s=60)

    assert job.status is Status.FAILED
    assert world.seconds() == 8
    assert len(world.jobs.calls) == 9


def test_a_wait_in_vain_ends_in_time_with_the_job_as_it_is(reader, world):
    world.jobs.put(processing_job())

    job = reader.get("demo", JOB_ID, wait_s=2.5)

    assert job.status is Status.PROCESSING
    assert world.seconds() == 2.5


def test_a_job_that_is_final_already_is_not_waited_for(reader, world):
    world.jobs.put(finished_job(Status.SUCCEEDED))

    reader.get("demo", JOB_ID, wait_s=60)

    assert world.seconds() == 0
