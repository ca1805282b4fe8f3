"""Answers that end a job only when they are repeated: three over a minute."""

import pytest

from relay.domain import transitions
from relay.domain.job import Actor, ErrorCode, Job, Status
from tests.factories import NOON, later, processing_job

UNKNOWN = ErrorCode.PROVIDER_JOB_NOT_FOUND
UNUSABLE = ErrorCode.OUTPUT_UNUSABLE


def struck_at(job: Job, *seconds: float, code: ErrorCode = UNKNOWN) -> Job:
    for second in seconds:
        job = transitions.with_strike(job, code=code, poll_at=later(second + 5), at=later(second))
    return job


@pytest.mark.parametrize(
    ("seconds", "status"),
    [
        ((0,), Status.PROCESSING),
        ((0, 60), Status.PROCESSING),
        ((0, 30, 59.999), Status.PROCESSING),
        ((0, 1, 2, 3, 4, 5), Status.PROCESSING),
        ((0, 30, 60), Status.FAILED),
        ((0, 0, 600), Status.FAILED),
    ],
    ids=["once", "twice", "too quick", "often and quick", "three over a minute", "slow"],
)
def test_a_job_fails_on_the_third_such_answer_if_a_minute_has_passed(seconds, status):
    assert struck_at(processing_job(), *seconds).status is status


@pytest.mark.parametrize("code", [UNKNOWN, UNUSABLE])
def test_it_fails_with_what_the_answers_said(code):
    after = struck_at(processing_job(), 0, 30, 60, code=code)

    assert after.error is not None
    assert (after.error.code, after.finished_by) == (code, Actor.POLL)


def test_an_open_answer_in_between_starts_the_count_again():
    job = struck_at(processing_job(), 0, 30)

    job = transitions.still_open(job, provider_status="pending", asked_at=NOON, poll_at=later(50))

    assert struck_at(job, 60, 90).status is Status.PROCESSING
    assert struck_at(job, 60, 90, 120).status is Status.FAILED


def test_another_kind_of_such_answer_starts_the_count_again():
    job = struck_at(processing_job(), 0, 30, code=UNKNOWN)

    assert struck_at(job, 60, 90, code=UNUSABLE).status is Status.PROCESSING


def test_no_answer_in_between_does_not_touch_the_count():
    job = struck_at(processing_job(), 0, 30)

    job = transitions.poll_unanswered(job, poll_at=later(50))

    assert struck_at(job, 60).status is Status.FAILED


def test_each_such_answer_plans_the_next_question():
    job = struck_at(processing_job(), 0)

    assert (job.call_at, job.polls) == (later(5), 1)
