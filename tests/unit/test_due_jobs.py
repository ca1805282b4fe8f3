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
