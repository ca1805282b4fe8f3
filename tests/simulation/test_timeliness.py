"""The checker of what is sent, asked and tried in time, on histories made by hand."""

import pytest

from infra.simulator.history import Downtime, Run, Verdict, moment
from infra.simulator.timeliness import timeliness
from relay.domain.job import Actor
from relay.domain.transitions import succeeded
from tests.factories import OUTPUT
from tests.simulation.test_sharing import Told


@pytest.fixture
def told():
    told = Told()
    told.history.at_once = 8
    told.history.runs = [Run(at_s=0.0, until_s=900.0, provider="gepetto")]
    return told


def broken(told):
    return sorted({promise for promise, _, _ in timeliness(told.history)})


@pytest.mark.parametrize(
    ("left_s", "breaks"), [(3.0, []), (2.9, ["P9"])], ids=["just enough", "too little"]
)
def test_a_job_is_claimed_with_less_time_than_any_render_is_expected_to_take(told, left_s, breaks):
    job = told.create(1, "a")

    told.send(job, 900.0 - left_s)

    assert broken(told) == breaks


def test_once_enough_was_learnt_an_expectation_says_nothing(told):
    for number in range(8):
        job = told.send(told.create(number, "a"), 10.0 + number)
        told.write(40.0, succeeded(job, outputs=(OUTPUT,), by=Actor.WEBHOOK, at=moment(40)))

    told.send(told.create(9, "a"), 899.0)

    assert broken(told) == []


@pytest.mark.parametrize(
    ("jobs", "breaks"), [(10, []), (11, ["P9"])], ids=["a handful", "one by one"]
)
def test_an_outage_costs_more_than_a_handful_of_jobs(told, jobs, breaks):
    told.history.downs = [Downtime(at_s=10.0, until_s=130.0, provider="gepetto")]

    for number in range(jobs):
        told.call(20.0 + number, told.create(number, "a"), Verdict.UNCLEAR)

    assert broken(told) == breaks


@pytest.mark.parametrize(
    ("asked_s", "breaks"), [(104.9, []), (105.1, ["P8"])], ids=["in time", "late"]
)
def test_a_poll_comes_later_than_five_seconds_after_it_was_due(told, asked_s, breaks):
    job = told.send(told.create(1, "a"), 10.0, poll_at_s=100.0)

    told.history.asked[job.id] = asked_s

    assert broken(told) == breaks


def test_a_poll_that_no_pump_can_make_is_not_late(told):
    told.history.runs = [Run(at_s=0.0, until_s=102.0, provider="gepetto")]

    told.send(told.create(1, "a"), 10.0, poll_at_s=100.0)

    assert broken(told) == []


def test_polls_that_many_wait_for_share_their_half_of_the_places(told):
    for number in range(10):
        told.send(told.create(number, "a"), 10.0 + number, poll_at_s=100.0)

    assert broken(told) == []
