"""What a job that is kept until it is due waits for."""

import pytest

from relay.application.due_jobs import Lane, lane_of
from relay.domain.job import Status
from tests.factories import NOON, a_job, finished_job, later, processing_job, submitting_job


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
