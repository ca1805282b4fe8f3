"""The checks of P9 on histories built by hand, one for each way to break it."""

from dataclasses import replace
from datetime import timedelta

import pytest

from infra.verification.history import ProviderOutage, Verdict, moment
from infra.verification.submission_limits import needless_submissions
from relay.domain.job import Actor, Claim, OnUnconfirmed
from relay.domain.transitions import claimed, resubmitted, succeeded, unconfirmed
from tests.factories import OUTPUT
from tests.infra.verification.builder import HistoryBuilder


@pytest.fixture
def built():
    return HistoryBuilder()


def broken(built):
    return sorted({violation.promise for violation in needless_submissions(built.history)})


@pytest.mark.parametrize(("times", "breaks"), [(3, []), (4, ["P9"])])
def test_a_job_is_submitted_three_times_at_most(built, times, breaks):
    built.history.is_steady = False
    job = built.create(1, "a", on_unconfirmed=OnUnconfirmed.RESUBMIT)

    for number in range(times):
        built.call(10.0 + number * 200, job, Verdict.UNCLEAR)

    assert broken(built) == breaks


def test_a_job_is_sent_again_too_soon(built):
    built.history.is_steady = False
    job = built.create(1, "a", on_unconfirmed=OnUnconfirmed.RESUBMIT)
    claim = Claim(token="c", expires_at=moment(50))
    job = built.write(10.0, claimed(job, claim=claim, at=moment(10)))
    job = built.write(11.0, unconfirmed(job, claim=claim, note="timeout", at=moment(11)))

    built.write(41.0, resubmitted(replace(job, call_at=None), at=moment(41)))

    assert broken(built) == ["P9"]


def test_a_job_is_sent_that_cannot_be_in_time(built):
    built.history.is_steady = False
    job = built.create(1, "a")

    built.call(905.0 + timedelta(seconds=3).total_seconds(), job, Verdict.ACCEPTED)

    assert broken(built) == ["P9"]


@pytest.mark.parametrize(
    ("left_s", "breaks"), [(3.0, []), (2.9, ["P9"])], ids=["just enough", "too little"]
)
def test_a_job_is_claimed_with_less_time_than_any_render_is_expected_to_take(built, left_s, breaks):
    job = built.create(1, "a")

    built.send(job, 900.0 - left_s)

    assert broken(built) == breaks


def test_once_enough_was_learnt_an_expectation_says_nothing(built):
    for number in range(8):
        job = built.send(built.create(number, "a"), 10.0 + number)
        built.write(40.0, succeeded(job, outputs=(OUTPUT,), by=Actor.WEBHOOK, at=moment(40)))

    built.send(built.create(9, "a"), 899.0)

    assert broken(built) == []


@pytest.mark.parametrize(
    ("jobs", "breaks"), [(10, []), (11, ["P9"])], ids=["a handful", "one by one"]
)
def test_an_outage_costs_more_than_a_handful_of_jobs(built, jobs, breaks):
    built.history.provider_outages = [ProviderOutage(at_s=10.0, until_s=130.0, provider="gepetto")]

    for number in range(jobs):
        built.call(20.0 + number, built.create(number, "a"), Verdict.UNCLEAR)

    assert broken(built) == breaks
