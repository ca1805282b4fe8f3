"""The table of moves, and every pair of statuses against every step that could make the move."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from relay.domain import transitions
from relay.domain.job import ENDS, MOVES, Actor, ErrorCode, Job, OnUnconfirmed, Status
from tests.factories import CLAIM, OUTPUT, PROVIDER_JOB_ID, REFUSAL, job_in, later

OPEN = frozenset(Status) - ENDS
AT = later(1)

# Contract, section 2, row by row.
DESIGNED = {
    (Status.QUEUED, Status.SUBMITTING),
    (Status.SUBMITTING, Status.PROCESSING),
    (Status.SUBMITTING, Status.QUEUED),
    (Status.SUBMITTING, Status.UNCONFIRMED),
    (Status.UNCONFIRMED, Status.QUEUED),
    (Status.UNCONFIRMED, Status.PROCESSING),
    *((start, end) for start in OPEN for end in ENDS),
}

Step = Callable[[Job], Job]


def accept(job: Job) -> Job:
    return transitions.accepted(
        job,
        claim=CLAIM,
        provider_job_id=PROVIDER_JOB_ID,
        provider_status="pending",
        poll_at=later(30),
        at=AT,
    )


def requeued(job: Job) -> Job:
    return transitions.requeued(
        job, claim=CLAIM, call_at=later(5), note="HTTP 429", refusal=None, at=AT
    )


def fail(job: Job) -> Job:
    code = ErrorCode.RENDER_FAILED
    return transitions.failed(job, code=code, by=Actor.POLL, at=AT)


# Each step, the status it leads to, and from where.
STEPS: dict[str, tuple[Step, Status, frozenset[Status]]] = {
    "claimed": (
        lambda job: transitions.claimed(job, claim=CLAIM, at=AT),
        Status.SUBMITTING,
        frozenset({Status.QUEUED}),
    ),
    "accepted": (
        accept,
        Status.PROCESSING,
        frozenset({Status.SUBMITTING, Status.UNCONFIRMED}),
    ),
    "requeued": (requeued, Status.QUEUED, frozenset({Status.SUBMITTING})),
    "refused": (
        lambda job: transitions.refused(job, claim=CLAIM, reply=REFUSAL, at=AT),
        Status.FAILED,
        frozenset({Status.SUBMITTING, Status.UNCONFIRMED}),
    ),
    "unconfirmed": (
        lambda job: transitions.unconfirmed(job, claim=CLAIM, note="timeout", at=AT),
        Status.UNCONFIRMED,
        frozenset({Status.SUBMITTING}),
    ),
    "claim_expired": (
        lambda job: transitions.claim_expired(job, at=CLAIM.expires_at),
        Status.UNCONFIRMED,
        frozenset({Status.SUBMITTING}),
    ),
    "resubmitted": (
        lambda job: transitions.resubmitted(job, at=AT),
        Status.QUEUED,
        frozenset({Status.UNCONFIRMED}),
    ),
    "succeeded": (
        lambda job: transitions.succeeded(job, outputs=[OUTPUT], by=Actor.WEBHOOK, at=AT),
        Status.SUCCEEDED,
        OPEN,
    ),
    "failed": (fail, Status.FAILED, OPEN),
    "cancelled": (lambda job: transitions.cancelled(job, at=AT), Status.CANCELLED, OPEN),
    "not_sent_in_time": (
        lambda job: transitions.not_sent_in_time(job, at=AT),
        Status.FAILED,
        frozenset({Status.QUEUED}),
    ),
    "given_up": (
        lambda job: transitions.given_up(job, at=job.deadline_at),
        Status.FAILED,
        OPEN,
    ),
    "poll_requested": (
        lambda job: transitions.poll_requested(job, provider_job_id=PROVIDER_JOB_ID, at=AT),
        Status.PROCESSING,
        frozenset({Status.SUBMITTING, Status.UNCONFIRMED}),
    ),
}


def test_the_table_allows_the_designed_moves_and_no_other():
    assert {(start, end) for start, ends in MOVES.items() for end in ends} == set(DESIGNED)


def test_a_status_is_final_if_no_move_leads_out_of_it():
    assert {status for status in Status if job_in(status).is_final} == set(ENDS)


@pytest.mark.parametrize("name", STEPS)
def test_every_step_moves_from_where_it_may_and_else_leaves_the_status_alone(name):
    step, leads_to, comes_from = STEPS[name]
    jobs = {status: job_in(status, on_unconfirmed=OnUnconfirmed.RESUBMIT) for status in Status}

    after = {status: step(job).status for status, job in jobs.items()}

    assert after == {one: leads_to if one in comes_from else one for one in Status}


@pytest.mark.parametrize("name", STEPS)
def test_every_step_taken_twice_returns_the_very_same_object(name):
    step, _, _ = STEPS[name]
    for status in Status:
        once = step(job_in(status, on_unconfirmed=OnUnconfirmed.RESUBMIT))

        twice = step(once)

        assert twice is once, status


@pytest.mark.parametrize("name", STEPS)
def test_every_move_adds_one_line_to_the_history(name):
    step, leads_to, comes_from = STEPS[name]
    for status in comes_from:
        job = job_in(status, on_unconfirmed=OnUnconfirmed.RESUBMIT)

        after = step(job)

        assert after.history[:-1] == job.history
        assert after.history[-1].status is leads_to


@pytest.mark.parametrize("name", sorted(set(STEPS) - {"succeeded"}))
def test_no_step_but_a_result_changes_anything_of_a_final_job(name):
    step, _, _ = STEPS[name]
    for status in sorted(ENDS):
        job = job_in(status, on_unconfirmed=OnUnconfirmed.RESUBMIT)

        assert step(job) is job, status


@pytest.mark.parametrize("name", ["accepted", "requeued", "refused", "unconfirmed"])
@pytest.mark.parametrize("status", [Status.SUBMITTING, Status.UNCONFIRMED])
def test_a_pump_whose_claim_has_passed_to_another_changes_nothing(name, status):
    step, _, _ = STEPS[name]
    others = type(CLAIM)(token="claim-2", expires_at=CLAIM.expires_at + timedelta(seconds=1))
    job = job_in(status, claim=others)

    assert step(job) is job
