"""What a job that is kept until it is due waits for."""

import pytest

from relay.application.due_jobs import DueJob, DueJobs, Lane, lane_of
from relay.application.ports import Stored
from relay.domain.job import Status
from tests.factories import NOON, a_job, finished_job, job_id, later, processing_job, submitting_job


@pytest.mark.parametrize(
    ("job", "lane"),
    [
        pytest.param(processing_job(call_at=later(5)), Lane.POLL, id="to be polled soon"),
        pytest.param(processing_job(), Lane.POLL, id="to be polled now"),
        pytest.param(submitting_job(), Lane.CHANGE, id="whose claim may expire"),
        pytest.param(
            a_job(status=Status.UNCONFIRMED, call_at=None), Lane.CHANGE, id="with a deadline alone"
        ),
        pytest.param(processing_job(deadline_at=later(-90)), Lane.CHANGE, id="to be given up"),
        pytest.param(finished_job(Status.SUCCEEDED), Lane.PUBLISH, id="that has ended"),
    ],
)
def test_a_job_waits_in_the_lane_of_what_it_needs_next(job, lane):
    assert lane_of(job, at=NOON) is lane


@pytest.mark.parametrize(
    ("avoid", "number"),
    [((), 1), ((1,), 2), ((2,), 1), ((1, 2), 3), ((1, 2, 3), 1)],
    ids=str,
)
def test_a_job_to_avoid_is_given_only_if_there_is_no_other(avoid, number):
    jobs = DueJobs()
    for one in (3, 1, 2):
        job = processing_job(id=job_id(one), call_at=later(one))
        jobs.put(DueJob.found(Stored(job, 1)), at=NOON)

    found = jobs.first(Lane.POLL, at=later(3), tenant="demo", avoid=[job_id(one) for one in avoid])

    assert found is not None
    assert found.job.id == job_id(number)


def polled(number, *, tenant="demo", due_s=0.0):
    job = processing_job(id=job_id(number), tenant=tenant, call_at=later(due_s))
    return DueJob.found(Stored(job, 1))


def test_a_job_that_is_never_due_again_is_not_kept():
    jobs = DueJobs()

    jobs.put(DueJob.found(Stored(finished_job(Status.SUCCEEDED, announcements=()), 1)), at=NOON)

    assert len(jobs) == 0


def test_tenants_with_polls_are_counted_once_each_and_no_others():
    jobs = DueJobs()
    for one in (polled(1, tenant="a"), polled(2, tenant="a"), polled(3, tenant="b")):
        jobs.put(one, at=NOON)
    jobs.put(DueJob.found(Stored(submitting_job(id=job_id(4), tenant="c"), 1)), at=NOON)
    assert jobs.tenants() == 2

    jobs.remove(job_id(3))

    assert jobs.tenants() == 1


def test_a_lane_is_next_due_when_the_first_of_all_tenants_jobs_is():
    jobs = DueJobs()
    assert jobs.next_due(Lane.POLL) is None

    jobs.put(polled(1, tenant="a", due_s=30), at=NOON)
    jobs.put(polled(2, tenant="b", due_s=20), at=NOON)

    assert jobs.next_due(Lane.POLL) == later(20)


def test_jobs_due_at_one_moment_are_served_in_the_order_they_came():
    jobs, served = DueJobs(), []
    for number in (4, 2, 5, 1, 3):
        jobs.put(polled(number), at=NOON)

    while (found := jobs.first(Lane.POLL, at=NOON, tenant="demo")) is not None:
        served.append(found.job.id)
        jobs.remove(found.job.id)

    assert served == [job_id(number) for number in (4, 2, 5, 1, 3)]


def test_a_lane_is_counted_whole_and_polls_also_by_tenant():
    jobs = DueJobs()
    for number, tenant in ((1, "a"), (2, "a"), (3, "b")):
        jobs.put(polled(number, tenant=tenant), at=NOON)
    jobs.put(DueJob.found(Stored(submitting_job(id=job_id(4), tenant="a"), 1)), at=NOON)

    assert jobs.count(Lane.POLL) == 3
    assert jobs.count(Lane.POLL, "a") == 2
    assert jobs.count(Lane.CHANGE) == jobs.count(Lane.CHANGE, "a") == 1
